//! Stories of two nodes on 127.0.0.1.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{GroupId, NodeId, PersonId};
use futures_util::future::BoxFuture;
use net::{Gate, GateLimits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::{Directory, Hint, OpenError, Overlay, Peer, Relays, Service, Settings, StartError, Stream, Way};

mod dht;
#[cfg(feature = "relay")]
mod relayed;

/// Longer than anything here takes; what waits for it has failed.
const LONG: Duration = Duration::from_secs(30);

/// Blocks an address.
pub(crate) fn block(ip: std::net::IpAddr) -> net::Policy {
    let block = net::AddressRange::new(ip, ip).map(net::Target::Addresses).into_iter().collect();
    net::Policy { block, ..net::Policy::default() }
}

pub(crate) const LIMITS: GateLimits =
    GateLimits { connections: 100, per_torrent: 100, per_address: 100, per_person: 100 };

/// Sends back what it gets, and tells whom it served.
struct Echo(mpsc::UnboundedSender<Peer>);

impl Service for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn serve(self: Arc<Self>, peer: Peer, mut stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _ = self.0.send(peer);
            while let Ok(Some(chunk)) = stream.read_chunk(usize::MAX).await {
                if &chunk[..] == b"panic" {
                    panic!("as the test wants");
                }
                if stream.write_all(&chunk).await.is_err() {
                    return;
                }
            }
            let _ = stream.shutdown().await;
        })
    }

    fn streams_per_node(&self) -> usize {
        4
    }
}

/// Never reads.
struct Stuck(&'static str);

impl Service for Stuck {
    fn name(&self) -> &'static str {
        self.0
    }

    fn serve(self: Arc<Self>, _peer: Peer, stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
    }
}

/// Knows what the test tells.
#[derive(Debug, Default)]
pub(crate) struct Book {
    persons: Mutex<BTreeMap<NodeId, PersonId>>,
    hints: Mutex<BTreeMap<NodeId, Vec<Hint>>>,
    pub(crate) revoked: Mutex<Vec<NodeId>>,
}

impl Directory for Book {
    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        self.persons.lock().unwrap().get(&node).copied()
    }

    fn groups_of(&self, _node: NodeId) -> Vec<GroupId> {
        Vec::new()
    }

    fn hints(&self, node: NodeId) -> Vec<Hint> {
        self.hints.lock().unwrap().get(&node).cloned().unwrap_or_default()
    }

    fn admits(&self, node: NodeId, _service: &str) -> bool {
        !self.revoked.lock().unwrap().contains(&node)
    }
}

/// A node with what it knows and whom it served.
struct Node {
    overlay: Overlay,
    book: Arc<Book>,
    gate: Gate,
    served: mpsc::UnboundedReceiver<Peer>,
}

impl Node {
    async fn start(seed: u8) -> Node {
        Node::with(seed, |_| {}).await
    }

    async fn with(seed: u8, change: impl FnOnce(&mut Settings)) -> Node {
        Node::try_with(seed, change).await.unwrap()
    }

    async fn try_with(seed: u8, change: impl FnOnce(&mut Settings)) -> Result<Node, StartError> {
        let (book, gate) = (Arc::<Book>::default(), Gate::new(LIMITS));
        let mut settings = Settings {
            secret: [seed; 32],
            bind: vec!["127.0.0.1:0".parse().unwrap()],
            egress: net::Egress::default(),
            relays: Relays::default(),
            publish: false,
            mdns: false,
            map_port: false,
            dht: None,
            gate: gate.clone(),
            directory: book.clone(),
        };
        change(&mut settings);
        let (serving, served) = mpsc::unbounded_channel();
        let services: Vec<Arc<dyn Service>> =
            vec![Arc::new(Echo(serving)), Arc::new(Stuck("stuck")), Arc::new(Stuck(net::WIRE))];
        let overlay = Overlay::start(settings, services).await?;
        Ok(Node { overlay, book, gate, served })
    }

    fn id(&self) -> NodeId {
        self.overlay.node()
    }

    /// Where it listens.
    fn hint(&self) -> Hint {
        Hint::Address(self.overlay.bound()[0])
    }

    async fn open(&self, other: &Node, service: &'static str) -> Result<Stream, OpenError> {
        timeout(LONG, self.overlay.open(other.id(), service, &[other.hint()])).await.expect("opened or refused")
    }
}

async fn exchange(stream: &mut Stream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut back = vec![0; text.len()];
    timeout(LONG, stream.read_exact(&mut back)).await.expect("an echo").unwrap();
    assert_eq!(back, text.as_bytes());
}

#[tokio::test]
async fn alice_dials_bob_by_his_key() {
    let (alice, mut bob) = (Node::start(1).await, Node::start(2).await);
    let person = PersonId([9; 32]);
    bob.book.persons.lock().unwrap().insert(alice.id(), person);

    let mut stream = alice.open(&bob, "echo").await.unwrap();
    exchange(&mut stream, "hello").await;
    let peer = bob.served.recv().await.unwrap();
    assert_eq!((peer.node, peer.person), (alice.id(), Some(person)));
    assert_eq!(stream.peer().way, Some(Way::Direct(bob.overlay.bound()[0])));

    // A second stream shares the connection, and Bob opens his over it, too, without a hint.
    let _second = alice.open(&bob, "echo").await.unwrap();
    let mut back = timeout(LONG, bob.overlay.open(alice.id(), "echo", &[])).await.unwrap().unwrap();
    exchange(&mut back, "to you, too").await;
    let infos = alice.overlay.connections();
    let [info] = &infos[..] else { panic!("one connection: {infos:?}") };
    assert_eq!((info.node, info.service, info.outgoing, info.streams), (bob.id(), "echo", true, 3));
    assert!(info.rtt.is_some() && info.sent_bytes > 1000 && info.received_bytes > 1000, "{info:?}");
    assert_eq!(bob.overlay.connections()[0].way, Some(Way::Direct(alice.overlay.bound()[0])));
}

#[tokio::test]
async fn many_who_want_the_same_share_one_dialling() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let wanted = (0..4).map(|_| alice.open(&bob, "echo"));
    let streams = futures_util::future::join_all(wanted).await;
    assert!(streams.iter().all(Result::is_ok));
    assert_eq!(alice.overlay.connections().len(), 1);
    assert_eq!(alice.open(&bob, "echo").await.unwrap_err(), OpenError::Busy, "four streams are the service's limit");
    drop(streams);
    // The places are free as soon as Bob has seen the ends.
    let again = async {
        while alice.open(&bob, "echo").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, again).await.expect("room again");
}

#[tokio::test]
async fn who_is_not_admitted_reaches_no_service_and_is_not_dialled() {
    let (alice, mut bob) = (Node::start(1).await, Node::start(2).await);
    bob.book.revoked.lock().unwrap().push(alice.id());
    assert_eq!(alice.open(&bob, "echo").await.unwrap_err(), OpenError::Refused);
    assert_eq!(bob.open(&alice, "echo").await.unwrap_err(), OpenError::NotAdmitted);
    assert!(bob.served.try_recv().is_err(), "the service saw nothing");
    assert!(bob.overlay.connections().is_empty());
    assert_eq!(alice.open(&bob, "unheard-of").await.unwrap_err(), OpenError::Refused);
}

#[tokio::test]
async fn the_gate_is_asked_for_addresses_both_ways() {
    let (alice, mut bob) = (Node::start(1).await, Node::start(2).await);
    let loopback = "127.0.0.1".parse().unwrap();
    alice.gate.set_policy(block(loopback));
    assert_eq!(alice.open(&bob, "echo").await.unwrap_err(), OpenError::NotFound, "no address is left to dial");
    let opened = timeout(Duration::from_secs(2), bob.open(&alice, "echo")).await;
    assert!(opened.is_err(), "Alice does not say a word: {opened:?}");
    assert!(bob.served.try_recv().is_err());
}

#[tokio::test]
async fn a_node_that_is_revoked_while_connected_is_gone() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let mut stream = alice.open(&bob, "echo").await.unwrap();
    exchange(&mut stream, "hello").await;
    bob.book.revoked.lock().unwrap().push(alice.id());
    bob.overlay.review();
    let mut byte = [0];
    assert!(timeout(LONG, stream.read_exact(&mut byte)).await.expect("the connection ends").is_err());
    assert_eq!(alice.open(&bob, "echo").await.unwrap_err(), OpenError::Refused);
}

#[tokio::test]
async fn what_changes_at_the_directory_or_the_gate_ends_what_stands() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let mut stream = alice.open(&bob, "echo").await.unwrap();
    exchange(&mut stream, "hello").await;
    bob.book.revoked.lock().unwrap().push(alice.id());
    let mut byte = [0];
    assert!(timeout(LONG, stream.read_exact(&mut byte)).await.expect("within a second or so").is_err());

    bob.book.revoked.lock().unwrap().clear();
    let mut stream = alice.open(&bob, "echo").await.unwrap();
    bob.gate.set_policy(block("127.0.0.1".parse().unwrap()));
    assert!(timeout(LONG, stream.read_exact(&mut byte)).await.expect("at once").is_err());
    assert_eq!(bob.gate.connections(), 0);
}

#[tokio::test]
async fn a_blocked_address_ends_streams_for_which_the_engine_holds_the_pass() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let mut stream = alice.open(&bob, net::WIRE).await.unwrap();
    bob.gate.set_policy(block("127.0.0.1".parse().unwrap()));
    let mut byte = [0];
    assert!(timeout(LONG, stream.read_exact(&mut byte)).await.expect("within a second or so").is_err());
    assert!(bob.overlay.connections().is_empty());
}

#[tokio::test]
async fn streams_are_counted_and_draw_from_the_budget() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let mut stream = alice.open(&bob, "echo").await.unwrap();
    exchange(&mut stream, "hello").await;
    assert_eq!(alice.gate.connections(), 1);
    let flow = alice.gate.usage().flows().remove(0);
    assert_eq!((flow.bytes.up, flow.bytes.down, flow.asking.service), (5, 5, "echo"));
    alice.gate.budget().all().set(None, Some(20_000));
    let begun = std::time::Instant::now();
    let (mut read, mut write) = stream.split();
    let sender = tokio::spawn(async move { write.write_all(&[7; 60_000]).await.map(|()| write) });
    let mut got = vec![0; 60_000];
    timeout(LONG, read.read_exact(&mut got)).await.expect("slowly").unwrap();
    sender.await.unwrap().unwrap();
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_overlay_that_nobody_holds_ends() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let mut stream = alice.open(&bob, "stuck").await.unwrap();
    drop(bob);
    let mut byte = [0];
    assert!(timeout(LONG, stream.read_exact(&mut byte)).await.expect("it ends").is_err());
}

#[tokio::test]
async fn a_service_that_panics_ends_its_stream_only() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let mut stands = alice.open(&bob, "echo").await.unwrap();
    let mut breaks = alice.open(&bob, "echo").await.unwrap();
    breaks.write_all(b"panic").await.unwrap();
    let mut rest = Vec::new();
    let ended = timeout(LONG, breaks.read_to_end(&mut rest)).await.expect("it ends");
    assert!(ended.is_err(), "not as if that were all");
    exchange(&mut stands, "still there").await;
    exchange(&mut alice.open(&bob, "echo").await.unwrap(), "and open for more").await;
    assert_eq!(alice.overlay.connections().len(), 1);
}

#[tokio::test]
async fn a_stuck_reader_stops_no_other_stream() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let mut stuck = Vec::new();
    for _ in 0..3 {
        let mut stream = alice.open(&bob, "stuck").await.unwrap();
        let block = vec![7; 1 << 20];
        let mut written = 0;
        // Until the window is full and nothing goes any more.
        while let Ok(Ok(count)) = timeout(Duration::from_millis(300), stream.write(&block)).await {
            written += count;
        }
        assert!((1 << 20..=8 << 20).contains(&written), "{written}");
        stuck.push(stream);
    }
    let mut stream = alice.open(&bob, "echo").await.unwrap();
    exchange(&mut stream, "nobody waits").await;
    alice.open(&bob, "stuck").await.expect("nor does another stream of the same connection");
}

#[tokio::test]
async fn large_data_arrives_whole_in_chunks() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let stream = alice.open(&bob, "echo").await.unwrap();
    let (mut read, mut write) = stream.split();
    let sent: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut got = Vec::new();
    while let Some(chunk) = timeout(LONG, read.read_chunk(usize::MAX)).await.expect("it goes on").unwrap() {
        got.extend_from_slice(&chunk);
    }
    writer.await.unwrap();
    assert!(got == expected);
}

#[tokio::test]
async fn a_node_that_leaves_mid_way_is_an_error_and_comes_back() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let mut stream = alice.open(&bob, "echo").await.unwrap();
    exchange(&mut stream, "hello").await;
    let address = bob.overlay.bound()[0];
    bob.overlay.shut_down().await;
    let mut byte = [0];
    assert!(timeout(LONG, stream.read_exact(&mut byte)).await.expect("it ends").is_err());

    // The port is free as soon as the tasks of the old one have ended.
    drop(bob);
    let again = async {
        loop {
            match Node::try_with(2, |settings| settings.bind = vec![address]).await {
                Ok(bob) => return bob,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let bob = timeout(LONG, again).await.expect("the port is free");
    let mut stream = alice.open(&bob, "echo").await.unwrap();
    exchange(&mut stream, "again").await;
}

#[tokio::test]
async fn the_directory_says_where_a_node_is() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    assert_eq!(
        timeout(LONG, alice.overlay.open(bob.id(), "echo", &[])).await.unwrap().unwrap_err(),
        OpenError::NotFound
    );
    alice.book.hints.lock().unwrap().insert(bob.id(), vec![bob.hint()]);
    let mut stream = timeout(LONG, alice.overlay.open(bob.id(), "echo", &[])).await.unwrap().unwrap();
    exchange(&mut stream, "found").await;
}

#[tokio::test]
async fn a_ping_tells_the_way() {
    let (alice, bob) = (Node::start(1).await, Node::start(2).await);
    let pongs = alice.overlay.ping(bob.id(), &[bob.hint()], 3, Duration::from_millis(1)).await.unwrap();
    assert_eq!(pongs.len(), 3);
    assert!(pongs.iter().all(|pong| pong.way == Some(Way::Direct(bob.overlay.bound()[0]))), "{pongs:?}");
    assert_eq!(alice.overlay.resolve(bob.id()).await.unwrap(), [("hints", bob.hint())]);
    assert_eq!(alice.overlay.resolve(NodeId([9; 32])).await.unwrap(), []);
}

#[tokio::test]
async fn another_key_at_the_address_is_not_taken_for_the_node() {
    let (alice, bob, mallory) = (Node::start(1).await, Node::start(2).await, Node::start(3).await);
    let opened = timeout(Duration::from_secs(5), alice.overlay.open(bob.id(), "echo", &[mallory.hint()])).await;
    assert!(!matches!(opened, Ok(Ok(_))), "{opened:?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let alice = Node::start(1).await;
    let address: SocketAddr = alice.overlay.bound()[0];
    let Err(error) = Node::try_with(2, |settings| settings.bind = vec![address]).await else { panic!("started") };
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}
