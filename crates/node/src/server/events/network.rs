//! The network around the node, followed closely: who uses what, how others are reached, the DHT, the services, and through which
//! ways peers were found.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use rpc::{
    DhtInfo, DhtNodeChanges, DhtNodeInfo, FoundBySource, FoundPeers, NetworkEvent, NetworkInfo, Problem, ServiceStats,
    UsageEvent,
};
use torrent::{State as Doing, TorrentId};

use super::picture::Picture;
use super::usage::Usage;
use super::{LastId, other};
use crate::server::detail::sources_of;
use crate::server::problem::ApiError;
use crate::server::{AppState, dht, network};

/// Of how many torrents the ways to peers are summed: those with the most peers. Arbitrary.
const MOST_SUMMED: usize = 20;

/// How often these are chosen anew, in looks: all torrents are asked for it. Arbitrary.
const CHOSEN_EVERY: u32 = 10;

/// By how many seconds a silence may differ from what it would be had it only gone on: both were rounded.
const SLACK_S: u64 = 2;

/// What was told last.
struct Surroundings {
    state: AppState,
    usage: Usage,
    network: Option<NetworkInfo>,
    dht: Option<Option<DhtInfo>>,
    nodes: Option<Table>,
    services: Option<ServiceStats>,
    found: Option<FoundPeers>,
    /// The torrents with the most peers.
    busy: Vec<TorrentId>,
    /// How many torrents run.
    running: u32,
    looks: u32,
}

/// The DHT's table as it was told: each node by id and address, and when.
type Table = BTreeMap<(String, String), (DhtNodeInfo, Instant)>;

/// Streams what changes around the node: first all of it, then what is different, once a second.
#[utoipa::path(get, path = "/api/v1/network/events", params(LastId), responses(
    (status = 200, description = "Server-sent events, each with a NetworkEvent as its data", body = NetworkEvent,
     content_type = "text/event-stream"),
    (status = 401, description = "No token", body = Problem),
    (status = 429, description = "Too many streams", body = Problem),
    (status = 503, description = "The node ends", body = Problem),
))]
pub(crate) async fn events(State(state): State<AppState>, last: LastId) -> Result<Response, ApiError> {
    let picture = Surroundings {
        usage: Usage::new(state.clone()),
        state: state.clone(),
        network: None,
        dht: None,
        nodes: None,
        services: None,
        found: None,
        busy: Vec::new(),
        running: 0,
        looks: 0,
    };
    super::stream(&state, &state.streams().network, last, picture)
}

impl Surroundings {
    /// Adds up what the ways to peers gave.
    async fn found(&mut self) -> FoundPeers {
        let session = self.state.session();
        if self.looks.is_multiple_of(CHOSEN_EVERY) {
            let mut all = session.list().await;
            all.retain(|torrent| !matches!(torrent.state, Doing::Paused | Doing::Failed));
            self.running = all.len().try_into().unwrap_or(u32::MAX);
            all.sort_by_key(|torrent| std::cmp::Reverse(torrent.peers));
            self.busy = all.into_iter().take(MOST_SUMMED).map(|torrent| torrent.id).collect();
        }
        self.looks = self.looks.wrapping_add(1);
        let mut found = FoundPeers { running: self.running, ..Default::default() };
        for id in &self.busy {
            // One that was removed meanwhile is left out.
            let Ok(sources) = sources_of(session, *id).await else { continue };
            found.torrents += 1;
            for source in sources {
                let at = found.sources.iter().position(|sum| sum.source == source.source).unwrap_or_else(|| {
                    found.sources.push(FoundBySource { source: source.source.clone(), ..Default::default() });
                    found.sources.len() - 1
                });
                let sum = &mut found.sources[at];
                sum.enabled |= source.enabled;
                sum.given = sum.given.saturating_add(source.given);
                sum.connected = sum.connected.saturating_add(source.connected);
            }
        }
        found
    }
}

impl Picture for Surroundings {
    type Event = NetworkEvent;

    async fn news(&mut self) -> Vec<NetworkEvent> {
        let mut news: Vec<NetworkEvent> = self.usage.news().await.into_iter().map(of_usage).collect();
        let state = &self.state;
        let Json(network) = network::info(State(state.clone())).await;
        news.extend(other(&mut self.network, network).map(|it| NetworkEvent::Network(Box::new(it))));
        let dht = dht::info(State(state.clone())).await.ok().map(|Json(info)| info);
        news.extend(other(&mut self.dht, dht).map(|it| NetworkEvent::Dht(it.map(Box::new))));
        let nodes = dht::nodes(State(state.clone())).await.map(|Json(nodes)| nodes).unwrap_or_default();
        news.extend(compare(&mut self.nodes, nodes, Instant::now()));
        let services = &state.parts().services;
        let stats = ServiceStats {
            tracker: services.tracker_stats(),
            relay: services.relay_stats(),
            mailbox: services.mailbox_stats(),
        };
        news.extend(other(&mut self.services, stats).map(|it| NetworkEvent::Services(Box::new(it))));
        let found = self.found().await;
        news.extend(other(&mut self.found, found).map(NetworkEvent::Found));
        news
    }

    async fn whole(&mut self) -> (Vec<NetworkEvent>, Vec<NetworkEvent>) {
        let news = self.news().await;
        let mut whole: Vec<NetworkEvent> = self.usage.told().into_iter().map(of_usage).collect();
        whole.extend(self.network.clone().map(|it| NetworkEvent::Network(Box::new(it))));
        whole.extend(self.dht.clone().map(|it| NetworkEvent::Dht(it.map(Box::new))));
        let nodes =
            self.nodes.iter().flat_map(BTreeMap::values).map(|(node, told)| grown(node, told.elapsed().as_secs()));
        whole.push(NetworkEvent::DhtNodes(nodes.collect()));
        whole.extend(self.services.clone().map(|it| NetworkEvent::Services(Box::new(it))));
        whole.extend(self.found.clone().map(NetworkEvent::Found));
        (news, whole)
    }

    fn is_over(&self) -> bool {
        false
    }
}

fn of_usage(event: UsageEvent) -> NetworkEvent {
    match event {
        UsageEvent::Usage(usage) => NetworkEvent::Usage(usage),
        UsageEvent::Connections(connections) => NetworkEvent::Connections(connections),
    }
}

/// A node as it is when it was told of so many seconds ago, and not heard of since.
fn grown(node: &DhtNodeInfo, elapsed_s: u64) -> DhtNodeInfo {
    DhtNodeInfo { silent_s: node.silent_s.map(|silent| silent + elapsed_s), ..node.clone() }
}

/// Returns what of the table is another than was told, and takes it as told.
fn compare(told: &mut Option<Table>, nodes: Vec<DhtNodeInfo>, now: Instant) -> Option<NetworkEvent> {
    let Some(table) = told else {
        let named = |node: DhtNodeInfo| ((node.id.clone(), node.address.clone()), (node, now));
        *told = Some(nodes.iter().cloned().map(named).collect());
        return Some(NetworkEvent::DhtNodes(nodes));
    };
    let mut changes = DhtNodeChanges::default();
    let mut gone = std::mem::take(table);
    for node in nodes {
        let key = (node.id.clone(), node.address.clone());
        let old = gone.remove(&key).filter(|(old, at)| is_as_told(old, &node, now.duration_since(*at).as_secs()));
        if old.is_none() {
            changes.changed.push(node.clone());
        }
        table.insert(key, old.unwrap_or((node, now)));
    }
    changes.removed.extend(gone.into_values().map(|(node, _)| node));
    (changes != DhtNodeChanges::default()).then_some(NetworkEvent::DhtNodeChanges(changes))
}

fn is_as_told(old: &DhtNodeInfo, new: &DhtNodeInfo, elapsed_s: u64) -> bool {
    let silence = match (grown(old, elapsed_s).silent_s, new.silent_s) {
        (Some(expected), Some(silent)) => expected.abs_diff(silent) <= SLACK_S,
        (expected, silent) => expected == silent,
    };
    silence && DhtNodeInfo { silent_s: new.silent_s, ..old.clone() } == *new
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn node(id: &str, silent_s: u64) -> DhtNodeInfo {
        DhtNodeInfo { id: id.into(), address: "192.0.2.1:1".into(), silent_s: Some(silent_s), ..Default::default() }
    }

    #[test]
    fn of_the_table_only_what_changed_is_told() {
        let begin = Instant::now();
        let later = |seconds| begin + Duration::from_secs(seconds);
        let mut told = None;
        let all = vec![node("a", 5), node("b", 50)];
        assert_eq!(compare(&mut told, all.clone(), begin), Some(NetworkEvent::DhtNodes(all)));
        // All of them were silent for a minute more.
        assert_eq!(compare(&mut told, vec![node("a", 65), node("b", 110)], later(60)), None);
        // One was heard of, one is gone, one is new.
        let event = compare(&mut told, vec![node("a", 1), node("c", 2)], later(70)).unwrap();
        let NetworkEvent::DhtNodeChanges(DhtNodeChanges { changed, removed }) = event else { panic!("{event:?}") };
        assert_eq!((changed, removed), (vec![node("a", 1), node("c", 2)], vec![node("b", 50)]));
        let good = DhtNodeInfo { good: true, ..node("a", 3) };
        let event = compare(&mut told, vec![good.clone(), node("c", 4)], later(72)).unwrap();
        let expected = DhtNodeChanges { changed: vec![good], removed: Vec::new() };
        assert_eq!(event, NetworkEvent::DhtNodeChanges(expected));
    }
}
