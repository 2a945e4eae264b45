//! Whom a download asks for peers while it has none, in words.

use std::time::{Duration, Instant};

use rpc::{DhtInfo, NetworkInfo, SourceInfo, TorrentDetail};

use crate::client::Client;
use crate::out::clean;
use crate::show;

/// How often the node is asked how the search goes.
const REFRESH: Duration = Duration::from_secs(1);

/// How many trackers and how many web seeds are named when nobody could be reached. Arbitrary; `info` names all.
const MAX_NAMED: usize = 3;

/// The search for peers, as the node told it last.
#[derive(Debug, Default)]
pub struct Asking {
    /// What the node has switched on.
    network: NetworkInfo,
    sources: Vec<SourceInfo>,
    dht: Option<DhtInfo>,
    refreshed: Option<Instant>,
}

impl Asking {
    /// Asks the node what it has switched on. One that does not say so has nothing.
    pub async fn begin(client: &Client) -> Asking {
        Asking { network: client.get("/network").await.unwrap_or_default(), ..Asking::default() }
    }

    /// Tells whether the DHT can name peers.
    pub fn has_dht(&self, private: bool) -> bool {
        self.network.dht.enabled && !private
    }

    /// Tells whether the local network can name peers.
    pub fn has_lsd(&self, private: bool) -> bool {
        self.network.lsd.enabled && !private
    }

    /// Asks the node how the search goes, if the last time is a while ago.
    pub async fn refresh(&mut self, client: &Client, id: &str) {
        if self.refreshed.is_some_and(|at| at.elapsed() < REFRESH) {
            return;
        }
        self.refreshed = Some(Instant::now());
        // What the node does not say is not shown.
        if let Ok(detail) = client.torrent(id, false).await {
            self.sources = detail.sources;
        }
        self.dht = if self.network.dht.enabled { client.get("/dht").await.ok() } else { None };
    }

    /// Says whom the node asks, the most promising first.
    pub fn words(&self) -> Vec<String> {
        let enabled = |name: &str| self.sources.iter().find(|source| source.source == name && source.enabled);
        let mut words = Vec::new();
        if let (Some(source), Some(dht)) = (enabled("dht"), &self.dht) {
            words.push(dht_words(dht, source));
        }
        if let Some(tracker) = enabled("tracker") {
            words.push(match tracker.message.is_empty() {
                true => "asking the trackers".to_owned(),
                false => format!("trackers: {}", clean(&tracker.message)),
            });
        }
        if enabled("lsd").is_some() {
            words.push("asking the local network".to_owned());
        }
        let given: u32 = self.sources.iter().map(|source| source.given).sum();
        if given > 0 {
            words.push(format!("trying {}", show::count(given as usize, "address", "addresses")));
        }
        words
    }
}

fn dht_words(dht: &DhtInfo, source: &SourceInfo) -> String {
    let nodes = dht.v4.iter().chain(&dht.v6).map(|family| family.good).sum::<u32>();
    let nodes = show::count(nodes as usize, "node", "nodes");
    match (dht.ready, source.given, dht.tasks) {
        (false, ..) => "entering the DHT".to_owned(),
        (true, 0, 0) => format!("the DHT knows no peer yet: {nodes}"),
        (true, 0, _) => format!("asking the DHT: {nodes}"),
        (true, given, _) => format!("the DHT named {}", show::count(given as usize, "peer", "peers")),
    }
}

/// Says why nobody was found: the last words of trackers, web seeds and the DHT.
pub fn last_words(detail: &TorrentDetail) -> String {
    let trackers = detail.trackers.iter().filter(|tracker| tracker.failed);
    let trackers = trackers.map(|tracker| ("tracker", &tracker.url, tracker.message.as_deref()));
    let seeds = detail.web_seeds.iter().filter(|seed| seed.failed);
    let seeds = seeds.map(|seed| ("web seed", &seed.url, seed.message.as_deref()));
    let words = |(kind, url, message): (&str, &String, Option<&str>)| {
        format!("; the {kind} {} failed: {}", clean(url), clean(message.unwrap_or("it said nothing")))
    };
    let dht = detail.sources.iter().find(|source| source.source == "dht" && source.enabled);
    let dht = dht.map(|dht| match (dht.given, dht.message.is_empty()) {
        (0, true) => "; the DHT named nobody".to_owned(),
        (0, false) => format!("; the DHT named nobody ({})", clean(&dht.message)),
        (given, _) => format!("; the DHT named {}", show::count(given as usize, "peer", "peers")),
    });
    trackers.take(MAX_NAMED).chain(seeds.take(MAX_NAMED)).map(words).chain(dht).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, given: u32) -> SourceInfo {
        SourceInfo { source: name.into(), enabled: true, given, ..SourceInfo::default() }
    }

    #[test]
    fn who_waits_is_told_whom_the_node_asks() {
        let family = rpc::DhtFamily { good: 132, ..Default::default() };
        let dht = DhtInfo { v4: Some(family), ready: true, tasks: 1, ..DhtInfo::default() };
        let mut asking =
            Asking { sources: vec![source("dht", 0), source("lsd", 0)], dht: Some(dht), ..Default::default() };
        assert_eq!(asking.words(), ["asking the DHT: 132 nodes", "asking the local network"]);
        asking.sources[0].given = 5;
        assert_eq!(asking.words()[0], "the DHT named 5 peers");
        asking.dht = Some(DhtInfo::default());
        assert_eq!(asking.words()[0], "entering the DHT");
    }

    #[test]
    fn the_end_of_patience_names_who_was_of_no_help() {
        let detail = TorrentDetail { sources: vec![source("dht", 0)], ..TorrentDetail::default() };
        assert_eq!(last_words(&detail), "; the DHT named nobody");
    }
}
