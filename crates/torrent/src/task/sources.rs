//! Where a torrent's peers come from, and what each source last said.

use base::{Instant, WallTime};
use tokio::sync::oneshot;
use torrent_proto::torrent::Source;

use super::TorrentTask;
use crate::ask::Reply;
use crate::discovery::{DhtWords, DiscoveryOrder};
use crate::tracker::{TrackerOrder, not_asked};
use crate::types::{SourceStatus, TrackerStatus};

impl TorrentTask {
    /// Answers once the tasks that ask trackers and the DHT have; this task does not wait for them.
    pub(super) fn sources(&mut self, reply: Reply<Vec<SourceStatus>>) {
        let (tracker_reply, trackers) = oneshot::channel();
        let (dht_reply, dht) = oneshot::channel();
        self.trackers.order(TrackerOrder::Status(tracker_reply));
        self.discovery.order(DiscoveryOrder::Status(dht_reply));
        let (private, confined, now) = (self.is_private(), self.record.confined, self.shared.clock.now());
        let wall = |at: Instant| WallTime(now.wall.0.saturating_sub((now.mono - at).as_secs()));
        let shared = self.shared.clone();
        let network = &shared.network;
        let status = |s: torrent_proto::torrent::SourceStatus| SourceStatus {
            source: s.source,
            enabled: match s.source {
                Source::Incoming => true,
                Source::People => confined,
                _ if confined => false,
                Source::Hint => true,
                Source::Tracker => !self.record.no_tracker && !self.record.trackers.is_empty(),
                Source::Resume => !private,
                Source::Dht => network.dht.is_some() && !private,
                Source::Pex => network.pex && !private,
                Source::Lsd => network.lsd && !private,
                Source::WebSeed => !self.record.web_seeds.is_empty(),
            },
            given: s.known,
            connected: s.connected,
            last_words: String::new(),
            last_at: s.last.map(wall),
            next_at: None,
        };
        let mut sources: Vec<SourceStatus> = self.machine.sources().into_iter().map(status).collect();
        let exchanging = self.machine.exchanging();
        self.tasks.spawn(async move {
            let (trackers, dht) = (trackers.await.unwrap_or_default(), dht.await.unwrap_or_default());
            for source in sources.iter_mut().filter(|source| source.enabled) {
                match source.source {
                    Source::Tracker | Source::Dht | Source::Lsd if !shared.gate.seeks_strangers() => {
                        source.last_words = not_asked(&shared.gate);
                    }
                    Source::Tracker => add_trackers(source, &trackers, now.wall),
                    Source::Dht => add_dht(source, &dht),
                    Source::Pex => source.last_words = exchange_words(exchanging),
                    Source::Lsd => {
                        source.last_words = shared.lsd.as_ref().map(|lsd| lsd_words(&lsd.status())).unwrap_or_default();
                    }
                    Source::Hint | Source::Incoming | Source::Resume | Source::WebSeed | Source::People => {}
                }
            }
            // Whoever asked may have gone away.
            let _ = reply.send(sources);
        });
    }
}

fn add_trackers(source: &mut SourceStatus, trackers: &[TrackerStatus], now: WallTime) {
    let answered = trackers.iter().filter(|t| !t.failing && t.last_announce.is_some()).count();
    let failing = trackers.iter().find(|t| t.failing).and_then(|t| t.message.clone());
    source.last_words = match (answered, failing) {
        (0, None) => "no answer yet".to_owned(),
        (0, Some(message)) => message,
        (n, _) => format!("{n} of {} answer", trackers.len()),
    };
    source.last_at = trackers.iter().filter_map(|t| t.last_announce).max();
    source.next_at = trackers.iter().filter_map(|t| t.next_announce).min().map(|left| WallTime(now.0 + left.as_secs()));
}

fn add_dht(source: &mut SourceStatus, dht: &DhtWords) {
    source.last_words.clone_from(&dht.words);
    (source.last_at, source.next_at) = (dht.last_at, dht.next_at);
}

fn exchange_words(peers: u32) -> String {
    match peers {
        0 => String::new(),
        1 => "1 peer exchanges addresses".to_owned(),
        n => format!("{n} peers exchange addresses"),
    }
}

fn lsd_words(status: &net::LsdStatus) -> String {
    match (&status.last_words, status.interfaces.len()) {
        (Some(words), _) => words.clone(),
        (None, 0) => "no network to listen in".to_owned(),
        (None, 1) => "listening on 1 interface".to_owned(),
        (None, n) => format!("listening on {n} interfaces"),
    }
}
