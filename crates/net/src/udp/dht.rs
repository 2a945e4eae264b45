//! The DHT on the shared sockets: the handle, and the part of the UDP task that serves it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Instant, Now};
use dht::{
    Announce, Config, DhtNode, Failure, Found, Id, Input, Item, ItemName, NodeAddress, NodeStatus, Output, Pong, Reach,
    Sample, Scrape, Snapshot, Status, Task, TaskId,
};
use metainfo::InfoHashV1;
use tokio::sync::{mpsc, oneshot, watch};

use super::Guard;
use super::outbox::Outbox;
use crate::Egress;

/// How many orders may wait for the task. Arbitrary; what does not fit fails at once.
const QUEUE: usize = 256;

/// How many batches of peers may wait for who asked; more are dropped, since there will be others. A look-up asks some
/// dozens of nodes, each answer is a batch.
const PEER_BATCHES: usize = 64;

/// How long resolving one well-known host may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The most addresses taken of one well-known host (arbitrary).
const MAX_HOST_ADDRESSES: usize = 8;

/// How the DHT is set up.
#[derive(Clone, Debug, Default)]
pub struct DhtConfig {
    /// Well-known hosts, as `host:port`: resolved and asked when the table has too few nodes. May be empty.
    pub bootstrap: Vec<String>,
    /// Whether we answer queries.
    pub reach: Reach,
    /// What the last run left.
    pub snapshot: Snapshot,
}

/// A look-up for peers. Dropping it cancels.
#[derive(Debug)]
pub struct PeerSearch {
    batches: mpsc::Receiver<Vec<SocketAddr>>,
    end: Option<oneshot::Receiver<Result<(), Failure>>>,
}

impl PeerSearch {
    /// Returns peers that were not named before; `None` when the look-up is over. Says once, as the last thing, why it came
    /// to nothing: that nobody answers is not that nobody knows a peer. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<Vec<SocketAddr>, Failure>> {
        if let Some(peers) = self.batches.recv().await {
            return Some(Ok(peers));
        }
        let end = self.end.as_mut()?.await;
        self.end = None;
        // Without an end, the order found no room.
        end.unwrap_or(Err(Failure::TooMany)).err().map(Err)
    }
}

/// Uses the DHT. Cheap to clone; the DHT ends with the last clone.
#[derive(Clone, Debug)]
pub struct Dht {
    orders: mpsc::Sender<Order>,
    ready: watch::Receiver<bool>,
}

#[derive(Debug)]
pub(super) enum Order {
    Start { task: Task, reply: Reply },
    Tell(Tell),
    Status(oneshot::Sender<Status>),
    Nodes(oneshot::Sender<Vec<NodeStatus>>),
    Snapshot(oneshot::Sender<Snapshot>),
}

/// What needs no answer.
#[derive(Debug)]
pub(super) enum Tell {
    Node(SocketAddr),
    Host(SocketAddr),
    Forget(Id),
    Reachable(bool),
}

#[derive(Debug)]
pub(super) enum Reply {
    Peers { batches: mpsc::Sender<Vec<SocketAddr>>, end: oneshot::Sender<Result<(), Failure>> },
    Once(oneshot::Sender<Result<Found, Failure>>),
}

impl Dht {
    /// Looks for the peers of a swarm, and becomes one where `announce` says how others reach us. Peers come as they are
    /// found, none twice, usually within seconds. Dropping the search cancels.
    pub fn find_peers(&self, info_hash: InfoHashV1, announce: Option<Announce>) -> PeerSearch {
        let (peers, batches) = mpsc::channel(PEER_BATCHES);
        let (sender, end) = oneshot::channel();
        let task = Task::FindPeers { info_hash: info_hash.into(), announce };
        self.tell(Order::Start { task, reply: Reply::Peers { batches: peers, end: sender } });
        PeerSearch { batches, end: Some(end) }
    }

    /// Looks for an item; of a mutable one for the newest, or only for one newer than `newer_than`. `None`: no node has
    /// it. Takes some seconds. Dropping the future cancels.
    pub async fn get_item(&self, name: ItemName, newer_than: Option<i64>) -> Result<Option<Item>, Failure> {
        match self.run(Task::Get { name, newer_than }).await? {
            Found::Item(item) => Ok(item),
            _ => Err(Failure::NoNodes),
        }
    }

    /// Stores an item on the nodes that are nearest to its key; returns on how many. `cas`: only over the mutable item
    /// with this sequence number. `keep`: store it again every hour, until [`Dht::forget`].
    pub async fn put_item(&self, item: Item, cas: Option<i64>, keep: bool) -> Result<u32, Failure> {
        match self.run(Task::Put { item, cas, keep }).await? {
            Found::Stored { nodes } => Ok(nodes),
            _ => Err(Failure::NoNodes),
        }
    }

    /// No longer stores an item again.
    pub fn forget(&self, target: Id) {
        self.tell(Order::Tell(Tell::Forget(target)));
    }

    /// Estimates the size of a swarm (BEP 33).
    pub async fn scrape(&self, info_hash: InfoHashV1) -> Result<Scrape, Failure> {
        match self.run(Task::Scrape { info_hash: info_hash.into() }).await? {
            Found::Scrape(scrape) => Ok(scrape),
            _ => Err(Failure::NoNodes),
        }
    }

    /// Looks for the nodes that are nearest to a key, nearest first.
    pub async fn find_nodes(&self, target: Id) -> Result<Vec<NodeAddress>, Failure> {
        match self.run(Task::FindNodes { target }).await? {
            Found::Nodes(nodes) => Ok(nodes),
            _ => Err(Failure::NoNodes),
        }
    }

    /// Asks a node for its id.
    pub async fn ping(&self, to: SocketAddr) -> Result<Pong, Failure> {
        match self.run(Task::Ping { to }).await? {
            Found::Pong(pong) => Ok(pong),
            _ => Err(Failure::Silent),
        }
    }

    /// Asks a node for some of the info-hashes that it stores (BEP 51).
    pub async fn sample(&self, to: SocketAddr, target: Id) -> Result<Sample, Failure> {
        match self.run(Task::Sample { to, target }).await? {
            Found::Sample(sample) => Ok(sample),
            _ => Err(Failure::Silent),
        }
    }

    /// Tells of a possible node: from a peer's PORT message, a torrent's `nodes`, a user. It is asked whether it is one.
    pub fn add_node(&self, address: SocketAddr) {
        self.tell(Order::Tell(Tell::Node(address)));
    }

    /// Tells whether strangers can reach us, for example because a port was mapped.
    pub fn set_reachable(&self, reachable: bool) {
        self.tell(Order::Tell(Tell::Reachable(reachable)));
    }

    /// Tells how things are. After the end of the UDP task: nothing.
    pub async fn status(&self) -> Status {
        self.ask(Order::Status).await
    }

    /// Returns the nodes of the tables.
    pub async fn nodes(&self) -> Vec<NodeStatus> {
        self.ask(Order::Nodes).await
    }

    /// Returns what to save for the next run.
    pub async fn snapshot(&self) -> Snapshot {
        self.ask(Order::Snapshot).await
    }

    /// Waits until the table has a node that answers. Returns at once if it has; never, where no node can be found.
    pub async fn ready(&self) {
        let mut ready = self.ready.clone();
        if ready.wait_for(|ready| *ready).await.is_err() {
            std::future::pending().await
        }
    }

    /// Tells whether the table has a node that answers.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    async fn run(&self, task: Task) -> Result<Found, Failure> {
        let (reply, answer) = oneshot::channel();
        self.tell(Order::Start { task, reply: Reply::Once(reply) });
        answer.await.unwrap_or(Err(Failure::TooMany))
    }

    async fn ask<T: Default>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> T {
        let (reply, answer) = oneshot::channel();
        self.tell(order(reply));
        answer.await.unwrap_or_default()
    }

    /// Policy for a full queue: the order is dropped, and with it the way for its answer, which tells who waits.
    fn tell(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            tracing::debug!("an order for the DHT was dropped");
        }
    }
}

/// What the UDP task keeps for the DHT. Owns its state machine and who waits for which task.
#[derive(Debug)]
pub(super) struct DhtPart {
    node: DhtNode,
    bootstrap: Vec<String>,
    /// Asks for their names.
    egress: Egress,
    orders: mpsc::Receiver<Order>,
    /// For those who resolve the well-known hosts; weak, so that the handles alone keep the DHT.
    sender: mpsc::WeakSender<Order>,
    ready: watch::Sender<bool>,
    waiting: BTreeMap<TaskId, Reply>,
    next: u64,
}

impl DhtPart {
    /// Builds the part and its handle. `families`: whether there is an IPv4 and an IPv6 socket.
    pub(super) fn new(
        config: DhtConfig,
        families: (bool, bool),
        egress: Egress,
        now: Now,
        key: [u8; 16],
    ) -> (DhtPart, Dht) {
        let (sender, orders) = mpsc::channel(QUEUE);
        let (ready_sender, ready) = watch::channel(false);
        let setup = Config { v4: families.0, v6: families.1, reach: config.reach, snapshot: config.snapshot };
        let mut node = DhtNode::new(setup, key, fastrand::Rng::new());
        node.handle(now, Input::Timeout);
        let part = DhtPart {
            node,
            bootstrap: config.bootstrap,
            egress,
            orders,
            sender: sender.downgrade(),
            ready: ready_sender,
            waiting: BTreeMap::new(),
            next: 0,
        };
        (part, Dht { orders: sender, ready })
    }

    /// Waits for an order; `None` once all handles are gone. Cancel safe.
    pub(super) async fn next_order(&mut self) -> Option<Order> {
        self.orders.recv().await
    }

    /// Takes an order.
    pub(super) fn obey(&mut self, now: Now, order: Order) {
        self.cancel_abandoned(now);
        // A send fails where the caller went away: it needs no answer then.
        match order {
            Order::Start { task, reply } => {
                let id = TaskId(self.next);
                self.next += 1;
                self.waiting.insert(id, reply);
                self.node.handle(now, Input::Start { id, task });
            }
            Order::Tell(Tell::Node(address)) => self.node.handle(now, Input::AddNode(address)),
            Order::Tell(Tell::Host(address)) => self.node.handle(now, Input::AddHost(address)),
            Order::Tell(Tell::Forget(target)) => self.node.handle(now, Input::Forget(target)),
            Order::Tell(Tell::Reachable(reachable)) => self.node.handle(now, Input::Reachable(reachable)),
            Order::Status(reply) => drop(reply.send(self.node.status(now))),
            Order::Nodes(reply) => drop(reply.send(self.node.nodes(now))),
            Order::Snapshot(reply) => drop(reply.send(self.node.snapshot())),
        }
    }

    /// Takes a datagram that looks like the DHT's.
    pub(super) fn received(&mut self, now: Now, from: SocketAddr, packet: &[u8]) {
        self.node.handle(now, Input::Received { from, packet });
    }

    /// Returns when [`DhtPart::time_passed`] is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout()
    }

    /// Says that time has passed.
    pub(super) fn time_passed(&mut self, now: Now) {
        self.node.handle(now, Input::Timeout);
    }

    /// Moves what is to be sent to the outbox, and answers to those who wait.
    pub(super) fn drain(&mut self, now: Now, outbox: &mut Outbox, gate: &Guard) {
        while let Some(output) = self.node.poll_output() {
            match output {
                // Its question gets no answer, like one to a node that is gone.
                Output::Send { to, .. } if gate.is_paused() || gate.refuses(to) => {}
                Output::Send { to, packet } => outbox.push(to, &packet),
                Output::Peers { id, peers } => {
                    if let Some(Reply::Peers { batches, .. }) = self.waiting.get(&id)
                        && let Err(mpsc::error::TrySendError::Closed(_)) = batches.try_send(peers)
                    {
                        self.waiting.remove(&id);
                        self.node.handle(now, Input::Cancel(id));
                    }
                }
                Output::Done { id, result } => match self.waiting.remove(&id) {
                    Some(Reply::Once(reply)) => drop(reply.send(result)),
                    Some(Reply::Peers { end, .. }) => drop(end.send(result.map(|_| ()))),
                    None => {}
                },
                Output::NeedHosts => self.resolve(),
            }
        }
        let ready = self.node.is_ready();
        self.ready.send_if_modified(|old| std::mem::replace(old, ready) != ready);
    }

    /// Those whose caller went away make no more work.
    fn cancel_abandoned(&mut self, now: Now) {
        let closed = |reply: &Reply| match reply {
            Reply::Peers { batches, .. } => batches.is_closed(),
            Reply::Once(reply) => reply.is_closed(),
        };
        let gone: Vec<TaskId> = self.waiting.iter().filter(|(_, reply)| closed(reply)).map(|(&id, _)| id).collect();
        for id in gone {
            self.waiting.remove(&id);
            self.node.handle(now, Input::Cancel(id));
        }
    }

    /// Resolves the well-known hosts in a task of its own; addresses come back as orders.
    fn resolve(&self) {
        let Some(sender) = self.sender.upgrade().filter(|_| !self.bootstrap.is_empty()) else { return };
        let (sender, hosts, egress) = (sender.downgrade(), self.bootstrap.clone(), self.egress.clone());
        tokio::spawn(async move {
            for host in hosts {
                let Ok(found) = tokio::time::timeout(RESOLVE_TIMEOUT, egress.lookup_text(&host)).await else {
                    continue;
                };
                let Some(sender) = sender.upgrade() else { return };
                match found {
                    Ok(found) => found.into_iter().take(MAX_HOST_ADDRESSES).for_each(|address| {
                        let _ = sender.try_send(Order::Tell(Tell::Host(address)));
                    }),
                    Err(error) => tracing::debug!(%host, %error, "a well-known DHT host cannot be resolved"),
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Udp, UdpConfig};
    use dht::{Immutable, Mutable, SecretKey};

    /// Starts a node on loopback that knows `others`.
    async fn node(seed: u64, others: &[&Udp]) -> Udp {
        let bootstrap = others.iter().map(|other| address(other).to_string()).collect();
        let dht = DhtConfig { bootstrap, ..DhtConfig::default() };
        let egress = Egress { address: Some([127, 0, 0, 1].into()), ..Egress::default() };
        let config = UdpConfig {
            egress,
            listen: Vec::new(),
            utp: false,
            accept: false,
            memory_bytes: 64 << 20,
            seed,
            dht: Some(dht),
            gate: None,
        };
        Udp::start(config, Clock::start()).unwrap()
    }

    fn address(udp: &Udp) -> SocketAddr {
        udp.local_addrs().0.unwrap()
    }

    async fn find(dht: &Dht, hash: InfoHashV1, announce: Option<Announce>) -> Vec<SocketAddr> {
        let mut search = dht.find_peers(hash, announce);
        let mut all = Vec::new();
        while let Some(batch) = search.next().await {
            all.extend(batch.unwrap());
        }
        all
    }

    #[tokio::test]
    async fn bob_finds_alice_through_carol_and_reads_what_she_stored() {
        let carol = node(1, &[]).await;
        let alice = node(2, &[&carol]).await;
        let bob = node(3, &[&carol]).await;
        let (at_alice, at_bob) = (alice.dht.clone().unwrap(), bob.dht.clone().unwrap());
        at_alice.ready().await;
        at_bob.ready().await;
        let hash = InfoHashV1([7; 20]);
        let announce = Announce { port: 4711, implied_port: false, seed: true };
        assert_eq!(find(&at_alice, hash, Some(announce)).await, []);
        assert_eq!(find(&at_bob, hash, None).await, ["127.0.0.1:4711".parse().unwrap()]);
        assert_eq!(at_bob.scrape(hash).await.map(|scrape| (scrape.seeds, scrape.peers)), Ok((1, 0)));

        let item = Item::Immutable(Immutable::new("5:hello").unwrap());
        assert!(at_alice.put_item(item.clone(), None, false).await.unwrap() >= 1);
        assert_eq!(at_bob.get_item(item.name(), None).await, Ok(Some(item)));

        let key = SecretKey::from_bytes(&[1; 32]);
        let version = |seq, text: &str| {
            Item::Mutable(Mutable::sign(&key, "news", seq, format!("{}:{text}", text.len())).unwrap())
        };
        // Long enough that a stranger is asked for proof first.
        let (first, second) = (version(1, "first"), version(2, &"second".repeat(150)));
        assert!(at_alice.put_item(first.clone(), None, true).await.unwrap() >= 1);
        assert_eq!(at_bob.get_item(first.name(), None).await, Ok(Some(first.clone())));
        assert!(at_alice.put_item(second.clone(), Some(1), true).await.unwrap() >= 1);
        assert_eq!(at_bob.get_item(first.name(), Some(1)).await, Ok(Some(second.clone())));
        assert_eq!(at_alice.put_item(first, None, false).await, Err(Failure::Conflict { seq: 2 }));

        let pong = at_bob.ping(address(&carol)).await.unwrap();
        assert!(at_bob.nodes().await.iter().any(|node| node.id == pong.id));
        let sample = at_bob.sample(address(&carol), Id([0; 20])).await.unwrap();
        assert_eq!((sample.total, sample.info_hashes), (1, vec![hash.into()]));
        let status = at_bob.status().await.v4.unwrap();
        assert!(status.bootstrapped && status.good >= 1 && status.traffic.queries_out > 0, "{status:?}");
        assert_eq!(at_bob.snapshot().await.v4.id, Some(status.id));
    }

    #[tokio::test]
    async fn who_knows_no_node_hears_that_none_answers() {
        let at = |seconds| Now { mono: Instant::START + Duration::from_secs(seconds), wall: base::WallTime(0) };
        let (mut part, dht) = DhtPart::new(DhtConfig::default(), (true, false), Egress::default(), at(0), [6; 16]);
        let mut search = dht.find_peers(InfoHashV1([7; 20]), None);
        let order = part.next_order().await.unwrap();
        part.obey(at(0), order);
        part.time_passed(at(60));
        part.drain(at(60), &mut Outbox::default(), &Guard::new(None));
        assert_eq!(search.next().await, Some(Err(Failure::NoNodes)));
        assert_eq!(search.next().await, None);
    }

    #[tokio::test]
    async fn a_node_that_a_peer_named_is_enough() {
        let carol = node(4, &[]).await;
        let bob = node(5, &[]).await;
        let (at_bob, at_carol) = (bob.dht.clone().unwrap(), carol.dht.clone().unwrap());
        assert!(!at_bob.is_ready());
        at_bob.add_node(address(&carol));
        at_bob.ready().await;
        // She asked who it was that asked.
        at_carol.ready().await;
    }
}
