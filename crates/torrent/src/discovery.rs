//! The discovery task of a torrent: finds peers in the DHT (BEP 5) and in the local network (BEP 14).
//!
//! It awaits its orders, the rounds under way and its timer. A round asks the DHT for the peers of all names that the
//! torrent has on the wire, and announces us; of the local network one listener a name is kept for as long as the torrent
//! runs, which announces by itself. What is found goes to the torrent as asks, by `try_send`: what finds no room there is
//! named again later.
//!
//! Invariant: while the torrent does not run, is private (BEP 27), or the gate's policy seeks nobody among strangers, nothing
//! of it is asked or announced here.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{Instant, WallTime};
use metainfo::{InfoHashV1, InfoHashes};
use net::dht::{Announce, Failure};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use torrent_proto::cadence::Cadence;
use torrent_proto::torrent::Source;
use torrent_proto::tracker::announcer::Progress;

use crate::ask::Ask;
use crate::queue::{Receiver, Sender, WeakSender};
use crate::shared::Shared;
use crate::types::TorrentId;

/// How many orders may wait; the torrent's `try_send` drops what finds no room.
const QUEUE: usize = 16;

/// How often the DHT is told of us: BEP 5 names no interval; this is libtorrent's, and half of what nodes commonly keep an
/// announce for.
const DHT_EVERY: Duration = Duration::from_secs(15 * 60);

/// Nodes of a torrent file that are tried (arbitrary: one is enough to enter the DHT).
const MAX_NODES: usize = 16;

/// How long resolving one of them may take. Arbitrary.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the torrent orders.
#[derive(Debug)]
pub(crate) enum DiscoveryOrder {
    Start,
    Stop,
    WantPeers,
    Hashes(InfoHashes),
    Status(oneshot::Sender<DhtWords>),
}

/// What came of asking the DHT.
#[derive(Clone, Debug, Default)]
pub(crate) struct DhtWords {
    pub words: String,
    pub last_at: Option<WallTime>,
    pub next_at: Option<WallTime>,
}

/// What discovery begins with.
#[derive(Debug)]
pub(crate) struct DiscoveryParts {
    pub shared: Arc<Shared>,
    pub id: TorrentId,
    pub hashes: InfoHashes,
    /// Nodes of the DHT that the torrent file names.
    pub nodes: Vec<(String, u16)>,
    pub asks: WeakSender<Ask>,
    /// How far the torrent is.
    pub progress: watch::Receiver<Progress>,
}

/// The torrent's handle to the task, which ends with it. There is none where neither the DHT nor the local network is
/// asked.
#[derive(Debug)]
pub(crate) struct Discovery(Option<Sender<DiscoveryOrder>>);

impl Discovery {
    /// Spawns the task.
    pub(crate) fn spawn(parts: DiscoveryParts) -> Discovery {
        if parts.shared.udp.dht.is_none() && parts.shared.lsd.is_none() {
            return Discovery(None);
        }
        let (orders, queue) = crate::queue::queue(QUEUE);
        let (announced, asking) = (parts.shared.announced.subscribe(), parts.shared.gate.seeks_strangers());
        let task = Box::new(DiscoveryTask {
            parts,
            running: false,
            asking,
            announced,
            queue,
            cadence: Cadence::new(DHT_EVERY),
            round: None,
            listeners: JoinSet::new(),
            dht: DhtWords::default(),
        });
        tokio::spawn(task.run());
        Discovery(Some(orders))
    }

    /// Gives an order; see [`QUEUE`].
    pub(crate) fn order(&self, order: DiscoveryOrder) {
        if self.0.as_ref().is_some_and(|orders| orders.try_send(order).is_err()) {
            tracing::debug!("the discovery task takes no more orders");
        }
    }
}

#[derive(Debug)]
struct DiscoveryTask {
    parts: DiscoveryParts,
    /// Started and not stopped.
    running: bool,
    /// Whether anything may be asked at all.
    asking: bool,
    /// By which port others reach us.
    announced: watch::Receiver<Option<u16>>,
    queue: Receiver<DiscoveryOrder>,
    cadence: Cadence,
    /// The question to the DHT that is under way; how many addresses it brought.
    round: Option<JoinHandle<Result<usize, Failure>>>,
    /// One a name in the local network.
    listeners: JoinSet<()>,
    dht: DhtWords,
}

impl DiscoveryTask {
    async fn run(mut self: Box<Self>) {
        loop {
            let due = self.cadence.next();
            tokio::select! {
                order = self.queue.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return self.stop(),
                },
                found = ended(&mut self.round) => self.ended(found),
                // It ends by itself only when the session does.
                Some(_) = self.listeners.join_next() => {}
                Ok(()) = self.announced.changed() => {
                    self.cadence.again(self.now());
                    self.ask_if_due();
                }
                () = self.parts.shared.gate.seeking_strangers(!self.asking) => {
                    self.asking = !self.asking;
                    if self.asking && self.running { self.start() } else { self.stop() }
                }
                () = self.parts.shared.clock.sleep_until(due) => self.ask_if_due(),
            }
        }
    }

    fn obey(&mut self, order: DiscoveryOrder) {
        match order {
            DiscoveryOrder::Start => {
                self.running = true;
                self.start();
            }
            DiscoveryOrder::Stop => {
                self.running = false;
                self.stop();
            }
            DiscoveryOrder::WantPeers => {
                self.cadence.want();
                self.ask_if_due();
            }
            DiscoveryOrder::Hashes(hashes) => {
                let runs = !self.listeners.is_empty();
                self.parts.hashes = hashes;
                if runs {
                    self.end_listening();
                    self.listen();
                }
            }
            DiscoveryOrder::Status(reply) => {
                let wall = |at: Instant| WallTime(self.wall().0 + (at - self.now()).as_secs());
                let next_at = self.cadence.next().map(wall);
                let _ = reply.send(DhtWords { next_at, ..self.dht.clone() });
            }
        }
    }

    fn start(&mut self) {
        if !self.asking {
            return;
        }
        if self.parts.shared.udp.dht.is_some() {
            self.enter();
            self.cadence.start(self.now());
            self.ask_if_due();
        }
        self.listen();
    }

    fn stop(&mut self) {
        self.cadence.stop();
        if let Some(round) = self.round.take() {
            round.abort();
        }
        self.end_listening();
    }

    fn end_listening(&mut self) {
        end_all(&mut self.listeners);
    }

    /// Tells the DHT of the nodes that the torrent file names, once.
    fn enter(&mut self) {
        let nodes = std::mem::take(&mut self.parts.nodes);
        let Some(dht) = self.parts.shared.udp.dht.clone().filter(|_| !nodes.is_empty()) else { return };
        let egress = self.parts.shared.egress.clone();
        tokio::spawn(async move {
            for (host, port) in nodes.into_iter().take(MAX_NODES) {
                let found = tokio::time::timeout(RESOLVE_TIMEOUT, egress.lookup(&host, port)).await;
                let Ok(Ok(found)) = found else { continue };
                found.into_iter().for_each(|address| dht.add_node(address));
            }
        });
    }

    /// Listens for every name of the torrent in the local network, unless it does already.
    fn listen(&mut self) {
        let Some(lsd) = self.parts.shared.lsd.clone() else { return };
        if !self.listeners.is_empty() {
            return;
        }
        for name in self.parts.hashes.wire() {
            let (lsd, asks, id) = (lsd.clone(), self.parts.asks.clone(), self.parts.id);
            self.listeners.spawn(async move {
                let mut found = lsd.join(name).await;
                while let Some(address) = found.recv().await {
                    hand_over(&asks, id, Source::Lsd, vec![address]);
                }
            });
        }
    }

    fn ask_if_due(&mut self) {
        let Some(dht) = self.parts.shared.udp.dht.clone().filter(|_| self.cadence.is_due(self.now())) else { return };
        self.cadence.begun();
        let (asks, id) = (self.parts.asks.clone(), self.parts.id);
        let names: Vec<InfoHashV1> = self.parts.hashes.wire().collect();
        let announce = self.announce();
        self.say(if dht.is_ready() { "looking for peers" } else { "waiting for a first node" }.to_owned());
        self.round = Some(tokio::spawn(async move {
            dht.ready().await;
            let (mut all, mut failure) = (BTreeSet::new(), None);
            for name in names {
                let mut search = dht.find_peers(name, announce);
                while let Some(found) = search.next().await {
                    match found {
                        Ok(addresses) => {
                            all.extend(addresses.iter().copied());
                            hand_over(&asks, id, Source::Dht, addresses);
                        }
                        Err(error) => failure = Some(error),
                    }
                }
            }
            failure.filter(|_| all.is_empty()).map_or(Ok(all.len()), Err)
        }));
    }

    /// How others reach us; `None`: not at all.
    fn announce(&self) -> Option<Announce> {
        let shared = &self.parts.shared;
        let port = (*shared.announced.borrow())?;
        let seed = self.parts.progress.borrow().left == Some(0);
        // Behind a router that we have no port of, the one that our packets come from reaches us by uTP; a port that is
        // mapped reaches us by both carriers.
        let implied_port = shared.network.utp && shared.port == Some(port);
        Some(Announce { port, implied_port, seed })
    }

    fn ended(&mut self, outcome: Result<usize, Failure>) {
        self.round = None;
        let found = outcome.as_ref().copied().unwrap_or(0);
        // The one may be ourselves. Whom nobody can dial has to hear of others soon after they came, also as a seed.
        match found {
            0 => self.cadence.ended_empty(self.now()),
            1 => {
                self.cadence.want();
                self.cadence.ended(self.now());
            }
            _ => self.cadence.ended(self.now()),
        }
        tracing::debug!(torrent = %self.parts.id, ?outcome, "the DHT was asked for peers");
        self.say(match outcome {
            Ok(0) => "found nobody".to_owned(),
            Ok(1) => "found 1 address".to_owned(),
            Ok(n) => format!("found {n} addresses"),
            Err(failure) => failure.to_string(),
        });
    }

    fn say(&mut self, words: String) {
        self.dht.words = words;
        self.dht.last_at = Some(self.wall());
    }

    fn now(&self) -> Instant {
        self.parts.shared.clock.mono()
    }

    fn wall(&self) -> WallTime {
        self.parts.shared.clock.now().wall
    }
}

fn hand_over(asks: &WeakSender<Ask>, id: TorrentId, source: Source, addresses: Vec<SocketAddr>) {
    let Some(asks) = asks.upgrade() else { return };
    if asks.try_send(Ask::Candidates(source, addresses)).is_err() {
        tracing::debug!(torrent = %id, ?source, "no room for the peers found");
    }
}

/// Waits for the end of a round, for ever if there is none. Cancel safe.
async fn ended(round: &mut Option<JoinHandle<Result<usize, Failure>>>) -> Result<usize, Failure> {
    match round {
        // What panicked found nothing.
        Some(round) => round.await.unwrap_or(Ok(0)),
        None => std::future::pending().await,
    }
}

/// Aborts all tasks and forgets them: merely aborted ones stay in the set until they are joined, and `listen` would take
/// them for running.
fn end_all(tasks: &mut JoinSet<()>) {
    *tasks = JoinSet::new();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_stops_listening_may_begin_again_at_once() {
        let (alive, ended) = oneshot::channel::<()>();
        let mut listeners = JoinSet::new();
        listeners.spawn(async move {
            let _alive = alive;
            std::future::pending().await
        });
        end_all(&mut listeners);
        assert!(listeners.is_empty());
        assert!(ended.await.is_err(), "the task is gone");
    }
}
