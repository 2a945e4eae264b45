//! Stories of nodes on loopback, each with an endpoint of its own.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use base::{GroupId, PersonId};
use gossip::limits::MAX_PAYLOAD;
use gossip::{Config, Input, Output};
use net::{Gate, GateLimits};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::*;
use crate::{Directory, Hint, Relays, Settings};

const TOPIC: TopicId = [1; 32];
const OTHER: TopicId = [2; 32];

/// Far above what anything here takes: a test fails by it, none is measured by it.
const LONG: Duration = Duration::from_secs(60);

/// Where everybody is.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<HashMap<NodeId, Vec<Hint>>>>);

impl Directory for Book {
    fn person_of(&self, _node: NodeId) -> Option<PersonId> {
        None
    }

    fn groups_of(&self, _node: NodeId) -> Vec<GroupId> {
        Vec::new()
    }

    fn hints(&self, node: NodeId) -> Vec<Hint> {
        self.0.lock().unwrap().get(&node).cloned().unwrap_or_default()
    }

    fn admits(&self, _node: NodeId, _service: &str) -> bool {
        true
    }
}

async fn overlay(book: &Book, seed: u8) -> Overlay {
    let settings = Settings {
        secret: [seed; 32],
        bind: vec!["127.0.0.1:0".parse().unwrap()],
        egress: net::Egress::default(),
        relays: Relays::default(),
        publish: false,
        mdns: false,
        map_port: false,
        dht: None,
        gate: Gate::new(GateLimits { connections: 1000, per_torrent: 1000, per_address: 1000, per_person: 1000 }),
        directory: Arc::new(book.clone()),
    };
    let overlay = Overlay::start(settings, Vec::new()).await.unwrap();
    let hints = overlay.bound().into_iter().map(Hint::Address).collect();
    book.0.lock().unwrap().insert(overlay.node(), hints);
    overlay
}

/// Waits for a message with this text.
async fn hears(topic: &mut Topic, text: &[u8]) -> NodeId {
    let heard = async {
        loop {
            match topic.next().await.expect("the topic ended") {
                Event::Message { from, bytes } if bytes == text => return from,
                _ => {}
            }
        }
    };
    timeout(LONG, heard).await.expect("the message did not come")
}

async fn until(topic: &mut Topic, wanted: Event) {
    let seen = async { while topic.next().await.expect("the topic ended") != wanted {} };
    timeout(LONG, seen).await.unwrap_or_else(|_| panic!("{wanted:?} did not come"));
}

fn members(overlays: &[&Overlay]) -> Members {
    Members::Only(overlays.iter().map(|overlay| overlay.node()).collect())
}

#[tokio::test]
async fn a_message_of_each_reaches_the_others() {
    let book = Book::default();
    let (ada, bob, cleo) = (overlay(&book, 1).await, overlay(&book, 2).await, overlay(&book, 3).await);
    let all = members(&[&ada, &bob, &cleo]);
    let mut topics = Vec::new();
    for overlay in [&ada, &bob, &cleo] {
        let topic = Gossip::start(overlay).join(TOPIC, all.clone(), vec![ada.node()]).await;
        topics.push(topic);
    }
    let mut quiet = topics.remove(1);
    quiet.broadcast(Bytes::from_static(b"hello")).await.unwrap();
    for topic in &mut topics {
        assert_eq!(hears(topic, b"hello").await, bob.node());
    }
    topics[1].broadcast(Bytes::from_static(b"good morning")).await.unwrap();
    assert_eq!(hears(&mut quiet, b"good morning").await, cleo.node());
    ada.shut_down().await;
    assert_eq!(timeout(LONG, async { while topics[0].next().await.is_some() {} }).await, Ok(()));
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_the_longest_passes() {
    let book = Book::default();
    let (ada, bob) = (overlay(&book, 1).await, overlay(&book, 2).await);
    let from_ada = Gossip::start(&ada).join(TOPIC, Members::All, vec![]).await;
    let mut to_bob = Gossip::start(&bob).join(TOPIC, Members::All, vec![ada.node()]).await;
    let long = vec![7; MAX_PAYLOAD + 1];
    let refused = from_ada.broadcast(long.clone().into()).await;
    assert_eq!(refused, Err(BroadcastError::TooLong(TooLong { length: MAX_PAYLOAD + 1 })));
    // Nothing is wedged by it.
    from_ada.broadcast(Bytes::copy_from_slice(&long[..MAX_PAYLOAD])).await.unwrap();
    hears(&mut to_bob, &long[..MAX_PAYLOAD]).await;
}

#[tokio::test]
async fn a_node_that_the_topic_does_not_admit_hears_nothing() {
    let book = Book::default();
    let (ada, bob, mallory) = (overlay(&book, 1).await, overlay(&book, 2).await, overlay(&book, 66).await);
    let pair = members(&[&ada, &bob]);
    let from_ada = Gossip::start(&ada).join(TOPIC, pair.clone(), vec![]).await;
    let spy = Gossip::start(&mallory);
    let mut spying = spy.join(TOPIC, Members::All, vec![ada.node(), bob.node()]).await;
    let mut to_bob = Gossip::start(&bob).join(TOPIC, pair, vec![ada.node()]).await;
    from_ada.broadcast(Bytes::from_static(b"secret")).await.unwrap();
    hears(&mut to_bob, b"secret").await;
    assert_eq!(spy.stats().await.copies_received, 0);
    assert_eq!(spying.next().now_or_never(), None, "not even a neighbour");
}

#[tokio::test]
async fn who_is_expelled_is_cut_off_while_it_is_connected() {
    let book = Book::default();
    let (ada, bob) = (overlay(&book, 1).await, overlay(&book, 2).await);
    let mut at_ada = Gossip::start(&ada).join(TOPIC, members(&[&ada, &bob]), vec![]).await;
    let gossip = Gossip::start(&bob);
    let mut at_bob = gossip.join(TOPIC, Members::All, vec![ada.node()]).await;
    until(&mut at_ada, Event::NeighborUp(bob.node())).await;
    at_ada.admit(members(&[&ada])).await;
    until(&mut at_ada, Event::NeighborDown(bob.node())).await;
    until(&mut at_bob, Event::NeighborDown(ada.node())).await;
    at_ada.broadcast(Bytes::from_static(b"without bob")).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(gossip.stats().await.copies_received, 0);
}

/// A node that says it joins a topic, and then never reads what is sent to it.
struct Stuck {
    overlay: Overlay,
    /// Held, and not read.
    streams: Mutex<Vec<Stream>>,
}

impl Service for Stuck {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn serve(self: Arc<Self>, _peer: Peer, stream: Stream) -> BoxFuture<'static, ()> {
        self.streams.lock().unwrap().push(stream);
        std::future::pending().boxed()
    }
}

impl Stuck {
    async fn join(book: &Book, seed: u8, victim: NodeId) -> Arc<Stuck> {
        let stuck = Arc::new(Stuck { overlay: overlay(book, seed).await, streams: Mutex::default() });
        stuck.overlay.serve(stuck.clone());
        let epoch = std::time::Instant::now();
        let mut machine = gossip::Gossip::new(Config { secret: [seed; 32], rng: fastrand::Rng::with_seed(1), epoch });
        let now = net::Clock::start().now();
        machine.handle(now, Input::Join { topic: TOPIC, members: Members::All, bootstrap: vec![victim] });
        machine.handle(now, Input::Connected(victim));
        let mut stream = stuck.overlay.open(victim, SERVICE, &[]).await.unwrap();
        while let Some(output) = machine.poll_output() {
            if let Output::Send { frame, .. } = output {
                stream.write_all(&u16::try_from(frame.len()).unwrap().to_be_bytes()).await.unwrap();
                stream.write_all(&frame).await.unwrap();
            }
        }
        stuck.streams.lock().unwrap().push(stream);
        stuck
    }
}

#[tokio::test]
async fn a_node_that_does_not_read_stops_nothing() {
    let book = Book::default();
    let (ada, bob) = (overlay(&book, 1).await, overlay(&book, 2).await);
    let gossip = Gossip::start(&ada);
    let mut at_ada = gossip.join(TOPIC, Members::All, vec![]).await;
    let stuck = Stuck::join(&book, 66, ada.node()).await;
    let mallory = stuck.overlay.node();
    until(&mut at_ada, Event::NeighborUp(mallory)).await;
    let bobs = Gossip::start(&bob);
    let mut at_bob = bobs.join(TOPIC, Members::All, vec![ada.node()]).await;
    until(&mut at_ada, Event::NeighborUp(bob.node())).await;

    // More than all windows and queues on the way to the stuck node hold.
    let text = |i: u32| Bytes::from([&i.to_be_bytes()[..], &[7; MAX_PAYLOAD - 4]].concat());
    for i in 0..160 {
        at_ada.broadcast(text(i)).await.unwrap();
        if i % 40 == 39 {
            hears(&mut at_bob, &text(i)).await;
        }
    }
    // A new topic, with a node that was no neighbour until then.
    let cleo = overlay(&book, 3).await;
    let new = gossip.join(OTHER, Members::All, vec![]).await;
    let mut at_cleo = Gossip::start(&cleo).join(OTHER, Members::All, vec![ada.node()]).await;
    new.broadcast(Bytes::from_static(b"a new topic")).await.unwrap();
    hears(&mut at_cleo, b"a new topic").await;

    // The stuck node is cut and does not come back at once.
    until(&mut at_ada, Event::NeighborDown(mallory)).await;
    at_ada.broadcast(Bytes::from_static(b"after it")).await.unwrap();
    hears(&mut at_bob, b"after it").await;
    drop(stuck);
}

#[tokio::test]
async fn a_subscriber_that_takes_nothing_stops_nothing_and_is_told() {
    let book = Book::default();
    let (ada, bob) = (overlay(&book, 1).await, overlay(&book, 2).await);
    let gossip = Gossip::start(&ada);
    let mut lazy = gossip.join(TOPIC, Members::All, vec![]).await;
    let mut other = gossip.join(OTHER, Members::All, vec![]).await;
    let bobs = Gossip::start(&bob);
    let mut at_bob = bobs.join(TOPIC, Members::All, vec![ada.node()]).await;
    let other_at_bob = bobs.join(OTHER, Members::All, vec![ada.node()]).await;
    until(&mut at_bob, Event::NeighborUp(ada.node())).await;
    for i in 0..2 * EVENTS as u32 {
        at_bob.broadcast(Bytes::copy_from_slice(&i.to_be_bytes())).await.unwrap();
    }
    let full = async {
        while gossip.stats().await.delivered < 2 * EVENTS as u64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, full).await.expect("not all was delivered");
    other_at_bob.broadcast(Bytes::from_static(b"elsewhere")).await.unwrap();
    hears(&mut other, b"elsewhere").await;
    for _ in 0..EVENTS {
        lazy.next().await;
    }
    at_bob.broadcast(Bytes::from_static(b"again")).await.unwrap();
    until(&mut lazy, Event::Missed).await;
    hears(&mut lazy, b"again").await;
}

#[tokio::test]
async fn a_topic_that_is_dropped_is_left() {
    let book = Book::default();
    let (ada, bob) = (overlay(&book, 1).await, overlay(&book, 2).await);
    let mut at_ada = Gossip::start(&ada).join(TOPIC, Members::All, vec![]).await;
    let gossip = Gossip::start(&bob);
    let at_bob = gossip.join(TOPIC, Members::All, vec![ada.node()]).await;
    until(&mut at_ada, Event::NeighborUp(bob.node())).await;
    drop(at_bob);
    until(&mut at_ada, Event::NeighborDown(bob.node())).await;
}

#[tokio::test]
async fn both_dial_at_once_and_nothing_is_lost() {
    let book = Book::default();
    for seed in 0..4 {
        let (ada, bob) = (overlay(&book, 10 + seed).await, overlay(&book, 20 + seed).await);
        let (gossip_a, gossip_b) = (Gossip::start(&ada), Gossip::start(&bob));
        let (mut at_ada, mut at_bob) = tokio::join!(
            gossip_a.join(TOPIC, Members::All, vec![bob.node()]),
            gossip_b.join(TOPIC, Members::All, vec![ada.node()]),
        );
        for i in 0..20_u8 {
            at_ada.broadcast(Bytes::copy_from_slice(&[i])).await.unwrap();
            at_bob.broadcast(Bytes::copy_from_slice(&[100 + i])).await.unwrap();
        }
        // In whatever order: some are asked for again over the link that stays.
        let gather = async |topic: &mut Topic| {
            let mut heard = std::collections::BTreeSet::new();
            while heard.len() < 20 {
                if let Event::Message { bytes, .. } = topic.next().await.expect("the topic ended") {
                    heard.insert(bytes[0]);
                }
            }
            heard
        };
        let both = async { (gather(&mut at_bob).await, gather(&mut at_ada).await) };
        let (bob_heard, ada_heard) = timeout(LONG, both).await.expect("some were lost");
        assert!(bob_heard.into_iter().eq(0..20) && ada_heard.into_iter().eq(100..120));
    }
}
