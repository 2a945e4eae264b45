//! Stories of nodes that talk to one another over wires without delay.

use bytes::Bytes;

use base::WallTime;

use super::*;
use crate::krpc::{Body, Method, Query, Response, Want, decode, encode_query};
use crate::{Announce, Immutable, ItemName, Mutable, Pong, SecretKey};

/// Nodes that reach each other at once.
struct World {
    now: Now,
    nodes: BTreeMap<SocketAddr, DhtNode>,
    outputs: Vec<(SocketAddr, Output)>,
    /// Packets to those who are no node here.
    outside: Vec<(SocketAddr, Vec<u8>)>,
    next: u64,
}

impl World {
    fn new() -> World {
        let now = Now { mono: Instant::START + Duration::from_secs(1000), wall: WallTime(0) };
        World { now, nodes: BTreeMap::new(), outputs: Vec::new(), outside: Vec::new(), next: 0 }
    }

    /// Adds a node that may be at both an IPv4 and an IPv6 address; returns the first.
    fn join(&mut self, address: &str, reach: Reach) -> SocketAddr {
        let address: SocketAddr = address.parse().unwrap();
        let config = Config { v4: address.is_ipv4(), v6: address.is_ipv6(), reach, ..Config::default() };
        let node =
            DhtNode::new(config, [self.nodes.len() as u8; 16], fastrand::Rng::with_seed(self.nodes.len() as u64));
        self.nodes.insert(address, node);
        self.give(address, Input::Timeout);
        address
    }

    /// Builds a network of `count` nodes, each of which knows the first; returns their addresses.
    fn network(count: u32) -> (World, Vec<SocketAddr>) {
        let mut world = World::new();
        let address = |i: u32| format!("{}:6881", core::net::Ipv4Addr::from(0x2000_0000 + (i << 12)));
        let all: Vec<SocketAddr> = (0..count).map(|i| world.join(&address(i), Reach::Auto)).collect();
        for &node in &all[1..] {
            world.give(node, Input::AddHost(all[0]));
        }
        world.pass(Duration::from_secs(120));
        world.outputs.clear();
        (world, all)
    }

    fn give(&mut self, address: SocketAddr, input: Input<'_>) {
        self.nodes.get_mut(&address).unwrap().handle(self.now, input);
        self.settle(address);
    }

    /// Delivers what a node sends, and what comes of that, until all is quiet.
    fn settle(&mut self, address: SocketAddr) {
        let mut restless = vec![address];
        while let Some(from) = restless.pop() {
            while let Some(output) = self.nodes.get_mut(&from).unwrap().poll_output() {
                match output {
                    Output::Send { to, packet } => match self.nodes.get_mut(&to) {
                        Some(node) => {
                            node.handle(self.now, Input::Received { from, packet: &packet });
                            restless.push(to);
                        }
                        None => self.outside.push((to, packet)),
                    },
                    other => self.outputs.push((from, other)),
                }
            }
        }
    }

    fn pass(&mut self, period: Duration) {
        let end = self.now.mono + period;
        while let Some((at, address)) = self.nodes.iter().filter_map(|(&a, n)| Some((n.poll_timeout()?, a))).min() {
            if at > end {
                break;
            }
            self.now.mono = self.now.mono.max(at);
            self.give(address, Input::Timeout);
        }
        self.now.mono = end;
    }

    /// Runs a task to its end; returns peers that it told and its result.
    fn run(&mut self, address: SocketAddr, task: Task) -> (Vec<SocketAddr>, Result<Found, Failure>) {
        self.next += 1;
        let id = TaskId(self.next);
        self.give(address, Input::Start { id, task });
        self.pass(Duration::from_secs(30));
        let (mut peers, mut results) = (Vec::new(), Vec::new());
        for (_, output) in self.outputs.drain(..) {
            match output {
                Output::Peers { id: of, peers: found } if of == id => peers.extend(found),
                Output::Done { id: of, result } if of == id => results.push(result),
                _ => {}
            }
        }
        assert_eq!(results.len(), 1, "each task ends once: {results:?}");
        (peers, results.remove(0))
    }

    /// Sends a packet from an address where no node is; returns what comes back there.
    fn poke(&mut self, from: &str, to: SocketAddr, packet: &[u8]) -> Vec<Vec<u8>> {
        let from: SocketAddr = from.parse().unwrap();
        self.outside.clear();
        self.give(to, Input::Received { from, packet });
        self.outside.iter().filter(|(to, _)| *to == from).map(|(_, packet)| packet.clone()).collect()
    }
}

fn query(method: Method<'_>) -> Vec<u8> {
    encode_query(b"tt", &Query { id: Id([9; 20]), read_only: false, want: Want::default(), method })
}

fn response(packet: &[u8]) -> Response<'_> {
    match decode(packet).unwrap().body {
        Body::Response(response) => *response,
        other => panic!("{other:?}"),
    }
}

const HASH: Id = Id([0xab; 20]);

#[test]
fn bob_finds_alice_in_a_network_of_sixty() {
    let (mut world, all) = World::network(60);
    let (alice, bob) = (all[20], all[40]);
    let announce = Some(Announce { port: 4711, implied_port: false, seed: false });
    let (_, announced) = world.run(alice, Task::FindPeers { info_hash: HASH, announce });
    assert!(matches!(announced, Ok(Found::Peers { announced: 8, .. })), "{announced:?}");
    let (peers, _) = world.run(bob, Task::FindPeers { info_hash: HASH, announce: None });
    assert_eq!(peers, [SocketAddr::new(alice.ip(), 4711)]);
    let (_, scrape) = world.run(bob, Task::Scrape { info_hash: HASH });
    assert!(matches!(scrape, Ok(Found::Scrape(Scrape { seeds: 0, peers: 1, .. }))), "{scrape:?}");
    // She does not announce again.
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.run(bob, Task::FindPeers { info_hash: HASH, announce: None }).0, []);
}

#[test]
fn everybody_takes_an_id_that_suits_the_address_that_others_see() {
    let (world, all) = World::network(30);
    for address in all {
        let status = world.nodes[&address].status(world.now).v4.unwrap();
        assert!(status.secure && status.external == Some(address.ip()), "{address}: {status:?}");
        assert!(status.good >= 8 && !status.read_only && status.bootstrapped, "{address}: {status:?}");
    }
}

#[test]
fn an_item_is_stored_again_every_hour_as_long_as_its_owner_keeps_it() {
    let (mut world, all) = World::network(30);
    let item = Item::Immutable(Immutable::new("5:hello").unwrap());
    let put = Task::Put { item: item.clone(), cas: None, keep: true };
    assert!(matches!(world.run(all[3], put).1, Ok(Found::Stored { nodes: 8 })));
    world.pass(Duration::from_secs(5 * 3600));
    let get = Task::Get { name: item.name(), newer_than: None };
    assert_eq!(world.run(all[20], get.clone()).1, Ok(Found::Item(Some(item.clone()))));
    world.give(all[3], Input::Forget(item.target()));
    world.pass(Duration::from_secs(3 * 3600));
    assert_eq!(world.run(all[20], get).1, Ok(Found::Item(None)));
}

#[test]
fn what_could_not_be_stored_for_a_newer_one_is_not_stored_later_either() {
    let (mut world, all) = World::network(30);
    let key = SecretKey::from_bytes(&[3; 32]);
    let item = |seq| Item::Mutable(Mutable::sign(&key, "s", seq, format!("i{seq}e")).unwrap());
    let put = |seq, cas| Task::Put { item: item(seq), cas, keep: true };
    let kept = |world: &World, at| world.nodes[&at].status(world.now).kept;
    world.run(all[1], put(1, None)).1.unwrap();
    world.run(all[2], put(2, None)).1.unwrap();
    assert_eq!(world.run(all[3], put(3, Some(1))).1, Err(Failure::Conflict { seq: 2 }));
    assert_eq!(world.run(all[2], put(1, None)).1, Err(Failure::Conflict { seq: 2 }));
    world.pass(Duration::from_secs(5 * 3600));
    let get = Task::Get { name: item(0).name(), newer_than: None };
    assert_eq!(world.run(all[5], get).1, Ok(Found::Item(Some(item(2)))));
    assert_eq!([1, 2, 3].map(|i| kept(&world, all[i])), [0, 1, 0]);
}

#[test]
fn a_node_that_nobody_answers_finds_what_it_holds_itself() {
    let (mut world, all) = World::network(2);
    let (alice, bob) = (all[0], all[1]);
    let key = SecretKey::from_bytes(&[3; 32]);
    let mutable = |seq| Item::Mutable(Mutable::sign(&key, "s", seq, format!("i{seq}e")).unwrap());
    let text = Item::Immutable(Immutable::new("5:hello").unwrap());
    for item in [text.clone(), mutable(4)] {
        world.run(bob, Task::Put { item, cas: None, keep: false }).1.unwrap();
    }
    let announce = Some(Announce { port: 4711, implied_port: false, seed: true });
    world.run(bob, Task::FindPeers { info_hash: HASH, announce }).1.unwrap();
    let get = |name: ItemName, newer_than| Task::Get { name, newer_than };
    let bobs = world.nodes.remove(&bob).unwrap();
    for (item, newer_than) in [(&text, None), (&mutable(4), None), (&mutable(4), Some(3))] {
        let found = Ok(Found::Item(Some(item.clone())));
        assert_eq!(world.run(alice, get(item.name(), newer_than)).1, found);
    }
    assert_eq!(world.run(alice, get(mutable(4).name(), Some(4))).1, Err(Failure::NoNodes));
    let (peers, found) = world.run(alice, Task::FindPeers { info_hash: HASH, announce: None });
    assert_eq!(peers, [SocketAddr::new(bob.ip(), 4711)]);
    assert!(matches!(found, Ok(Found::Peers { peers: 1, .. })), "{found:?}");
    assert_eq!(world.run(alice, Task::FindPeers { info_hash: Id([1; 20]), announce: None }).1, Err(Failure::NoNodes));
    let (_, scrape) = world.run(alice, Task::Scrape { info_hash: HASH });
    assert!(matches!(scrape, Ok(Found::Scrape(Scrape { seeds: 1, peers: 0, nodes: 1 }))), "{scrape:?}");
    let old = Task::Put { item: mutable(3), cas: None, keep: false };
    assert_eq!(world.run(alice, old).1, Err(Failure::Conflict { seq: 4 }));
    // Bob is among the nearest to what he stored: he holds it too.
    world.nodes = BTreeMap::from([(bob, bobs)]);
    assert_eq!(world.run(bob, get(text.name(), None)).1, Ok(Found::Item(Some(text))));
}

#[test]
fn the_newest_of_a_mutable_item_is_found_and_an_old_one_cannot_be_put_over_it() {
    let (mut world, all) = World::network(30);
    let key = SecretKey::from_bytes(&[3; 32]);
    let item = |seq| Item::Mutable(Mutable::sign(&key, "s", seq, format!("i{seq}e")).unwrap());
    let put = |seq, cas| Task::Put { item: item(seq), cas, keep: false };
    assert!(matches!(world.run(all[1], put(1, None)).1, Ok(Found::Stored { nodes: 8 })));
    assert!(matches!(world.run(all[2], put(2, Some(1))).1, Ok(Found::Stored { nodes: 8 })));
    assert_eq!(world.run(all[3], put(3, Some(1))).1, Err(Failure::Conflict { seq: 2 }));
    assert_eq!(world.run(all[1], put(1, None)).1, Err(Failure::Conflict { seq: 2 }));
    let get = |newer_than| Task::Get { name: item(0).name(), newer_than };
    assert_eq!(world.run(all[5], get(None)).1, Ok(Found::Item(Some(item(2)))));
    assert_eq!(world.run(all[5], get(Some(2))).1, Ok(Found::Item(None)));
    // Another value under the same number is refused by those who have one.
    let other = Item::Mutable(Mutable::sign(&key, "s", 2, "5:other").unwrap());
    let refused = world.run(all[1], Task::Put { item: other, cas: None, keep: false }).1;
    assert!(matches!(refused, Err(Failure::Refused { code: 302, .. })), "{refused:?}");
}

#[test]
fn a_stranger_gets_at_most_four_times_what_it_sent() {
    // Who knows few nodes asks everybody whether they are one.
    [2, 30].into_iter().for_each(strangers_get_at_most_four_times_what_they_sent);
}

fn strangers_get_at_most_four_times_what_they_sent(nodes: u32) {
    let (mut world, all) = World::network(nodes);
    let alice = all[0];
    for i in 0..200_u32 {
        let from = format!("{}:1", core::net::Ipv4Addr::from(0x4000_0000 + (i << 8)));
        let token = {
            let answers =
                world.poke(&from, alice, &query(Method::GetPeers { info_hash: HASH, no_seed: false, scrape: false }));
            response(&answers[0]).token.unwrap().to_vec()
        };
        let announce =
            Method::AnnouncePeer { info_hash: HASH, port: 1, implied_port: false, seed: false, token: &token };
        world.poke(&from, alice, &query(announce));
    }
    // One that no stranger's answer has room for, and some that fill it.
    let item = |len: usize| Item::Immutable(Immutable::new(format!("{len}:{}", "x".repeat(len))).unwrap());
    for node in &all {
        let network = world.nodes.get_mut(node).unwrap().v4.as_mut().unwrap();
        network.store_for_test(world.now.mono, item(900));
        (150..200).for_each(|len| network.store_for_test(world.now.mono, item(len)));
    }
    let mut methods = vec![
        Method::Ping,
        Method::FindNode { target: HASH },
        Method::GetPeers { info_hash: HASH, no_seed: false, scrape: false },
        Method::GetPeers { info_hash: HASH, no_seed: false, scrape: true },
        Method::Get { target: item(900).target(), seq: None },
        Method::Sample { target: HASH },
    ];
    methods.extend((150..200).map(|len| Method::Get { target: item(len).target(), seq: None }));
    for (i, method) in methods.into_iter().enumerate() {
        let packet = query(method.clone());
        let from = format!("200.0.{i}.1:7");
        world.poke(&from, alice, &packet);
        world.pass(Duration::from_secs(20));
        let from: SocketAddr = from.parse().unwrap();
        let sent: usize = world.outside.iter().filter(|(to, _)| *to == from).map(|(_, packet)| packet.len()).sum();
        assert!(sent > 0 && sent <= 4 * packet.len(), "{method:?}: {sent} bytes for {}", packet.len());
    }
}

#[test]
fn who_shows_its_address_gets_a_long_item() {
    let (mut world, all) = World::network(2);
    let alice = all[0];
    let long = Item::Immutable(Immutable::new(format!("900:{}", "x".repeat(900))).unwrap());
    world.nodes.get_mut(&alice).unwrap().v4.as_mut().unwrap().store_for_test(world.now.mono, long.clone());
    let get = query(Method::Get { target: long.target(), seq: None });
    let first = world.poke("200.0.0.1:7", alice, &get);
    assert_eq!(first.len(), 1, "one question shows both that it is there and that it is a node: {first:?}");
    let message = decode(&first[0]).unwrap();
    assert!(matches!(message.body, Body::Query(Query { method: Method::Ping, .. })));
    let pong = Response { id: Some(Id([9; 20])), ..Response::default() };
    let pong = krpc::encode_response(message.transaction, None, &pong);
    let answers = world.poke("200.0.0.1:7", alice, &pong);
    assert_eq!(response(&answers[0]).value, Some(&long.value()[..]));
    // And the next time at once.
    let answers = world.poke("200.0.0.1:7", alice, &get);
    assert_eq!(response(&answers[0]).value, Some(&long.value()[..]));
}

#[test]
fn a_read_only_stranger_that_cannot_be_asked_gets_what_points_to_a_share() {
    let (mut world, all) = World::network(20);
    let key = SecretKey::from_bytes(&[3; 32]);
    let value = format!("d2:ih20:{}e", "x".repeat(20));
    let item = Item::Mutable(Mutable::sign(&key, "", 1 << 40, value).unwrap());
    world.nodes.get_mut(&all[0]).unwrap().v4.as_mut().unwrap().store_for_test(world.now.mono, item.clone());
    let method = Method::Get { target: item.target(), seq: None };
    let get = encode_query(b"tt", &Query { id: Id([9; 20]), read_only: true, want: Want::default(), method });
    let answers = world.poke("200.0.0.1:7", all[0], &get);
    assert_eq!(answers.len(), 1);
    assert_eq!(response(&answers[0]).value, Some(&item.value()[..]));
}

#[test]
fn without_its_token_nothing_is_stored() {
    let (mut world, all) = World::network(2);
    let announce =
        Method::AnnouncePeer { info_hash: HASH, port: 1, implied_port: false, seed: false, token: b"guessed" };
    let answers = world.poke("200.0.0.1:7", all[0], &query(announce));
    assert!(matches!(decode(&answers[0]).unwrap().body, Body::Error { code: 203, .. }));
    let put = Method::Put { token: b"guessed", value: b"i1e", signed: None };
    let answers = world.poke("200.0.0.1:7", all[0], &query(put));
    assert!(matches!(decode(&answers[0]).unwrap().body, Body::Error { code: 203, .. }));
    let status = world.nodes[&all[0]].status(world.now).v4.unwrap();
    assert_eq!((status.stored_peers, status.stored_items), (0, 0));
}

#[test]
fn a_read_only_node_looks_things_up_and_answers_nobody() {
    let (mut world, all) = World::network(20);
    let shy = world.join("100.0.0.1:6881", Reach::ReadOnly);
    world.give(shy, Input::AddHost(all[0]));
    world.pass(Duration::from_secs(60));
    let announce = Some(Announce { port: 9, implied_port: false, seed: true });
    world.run(all[5], Task::FindPeers { info_hash: HASH, announce }).1.unwrap();
    let (peers, _) = world.run(shy, Task::FindPeers { info_hash: HASH, announce: None });
    assert_eq!(peers, [SocketAddr::new(all[5].ip(), 9)]);
    assert_eq!(world.poke("200.0.0.1:7", shy, &query(Method::Ping)), Vec::<Vec<u8>>::new());
    for node in all {
        assert!(world.nodes[&node].nodes(world.now).iter().all(|known| known.address != shy));
    }
}

#[test]
fn two_networks_are_served_side_by_side() {
    let mut world = World::new();
    let config = Config { v4: true, v6: true, ..Config::default() };
    let (v4, v6): (SocketAddr, SocketAddr) = ("127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap());
    let mut both = DhtNode::new(config, [99; 16], fastrand::Rng::with_seed(99));
    both.handle(world.now, Input::AddNode(v4));
    both.handle(world.now, Input::AddNode(v6));
    let status = both.status(world.now);
    assert!(status.v4.is_some() && status.v6.is_some());
    assert_ne!(status.v4.unwrap().id, status.v6.unwrap().id);
    world.now.mono = world.now.mono + Duration::from_secs(1);
    both.handle(world.now, Input::Timeout);
    let mut asked = Vec::new();
    while let Some(output) = both.poll_output() {
        if let Output::Send { to, packet } = output {
            // Who is new asks for nodes of both (BEP 32).
            assert!(packet.windows(15).any(|part| part == b"4:wantl2:n42:n6"), "{}", String::from_utf8_lossy(&packet));
            asked.push(to);
        }
    }
    assert_eq!(asked.len(), 2);
}

#[test]
fn a_task_waits_for_the_first_node_and_then_gives_up() {
    let mut world = World::new();
    let alone = world.join("10.0.0.1:6881", Reach::Auto);
    let (_, result) = world.run(alone, Task::FindPeers { info_hash: HASH, announce: None });
    assert_eq!(result, Err(Failure::NoNodes));
    let other = world.join("10.0.0.2:6881", Reach::Auto);
    world.give(alone, Input::Start { id: TaskId(77), task: Task::FindNodes { target: HASH } });
    world.give(alone, Input::AddNode(other));
    world.pass(Duration::from_secs(5));
    let done = world
        .outputs
        .iter()
        .any(|(_, o)| matches!(o, Output::Done { id: TaskId(77), result: Ok(Found::Nodes(n)) } if n.len() == 1));
    assert!(done, "{:?}", world.outputs);
    let (_, pong) = world.run(alone, Task::Ping { to: other });
    assert!(matches!(pong, Ok(Found::Pong(Pong { secure: true, .. }))), "{pong:?}");
    let (_, silence) = world.run(alone, Task::Ping { to: "10.0.0.3:1".parse().unwrap() });
    assert_eq!(silence, Err(Failure::Silent));
    let (_, nowhere) = world.run(alone, Task::Ping { to: "[::1]:1".parse().unwrap() });
    assert_eq!(nowhere, Err(Failure::NoSocket));
}

#[test]
fn a_restart_finds_the_network_by_what_was_saved() {
    let (mut world, all) = World::network(40);
    let snapshot = Snapshot::decode(&world.nodes[&all[7]].snapshot().encode());
    let id = snapshot.v4.id;
    assert!(snapshot.v4.nodes.len() >= 8);
    let config = Config { v4: true, snapshot, ..Config::default() };
    world.nodes.insert(all[7], DhtNode::new(config, [5; 16], fastrand::Rng::with_seed(5)));
    world.give(all[7], Input::Timeout);
    world.pass(Duration::from_secs(30));
    let status = world.nodes[&all[7]].status(world.now).v4.unwrap();
    assert!(status.good >= 8 && Some(status.id) == id, "{status:?}");
}

#[test]
fn a_stranger_cannot_make_us_knock_inside_our_own_network() {
    let (mut world, all) = World::network(12);
    let mallory = "200.0.0.1:7";
    // She becomes a node, and then names addresses inside.
    world.poke(mallory, all[0], &query(Method::FindNode { target: HASH }));
    let inside = NodeAddressForTest::at("192.168.0.1:80");
    let named = Response { id: Some(Id([9; 20])), nodes: vec![inside], ..Response::default() };
    for (_, packet) in world.outside.clone() {
        if let Some(Message { body: Body::Query(_), transaction, .. }) = decode(&packet) {
            let lie = krpc::encode_response(transaction, None, &named);
            world.poke(mallory, all[0], &lie);
        }
    }
    world.outside.clear();
    world.run(all[0], Task::FindNodes { target: inside.id }).1.unwrap();
    assert!(world.outside.iter().all(|(to, _)| to.ip() != inside.address.ip()));
}

#[test]
fn nodes_that_are_gone_leave_the_table() {
    let (mut world, all) = World::network(40);
    for gone in &all[20..] {
        world.nodes.remove(gone);
    }
    world.pass(Duration::from_secs(2 * 3600));
    let known = world.nodes[&all[0]].nodes(world.now);
    let dead = known.iter().filter(|node| !node.replacement && all[20..].contains(&node.address)).count();
    assert!(dead <= 2, "{dead} of {}", known.len());
}

#[test]
fn when_our_own_line_is_down_nobody_is_blamed() {
    let (mut world, all) = World::network(20);
    let before = world.nodes[&all[0]].nodes(world.now).len();
    let alone = world.nodes.remove(&all[0]).unwrap();
    let mut cut = World { nodes: BTreeMap::from([(all[0], alone)]), ..World::new() };
    cut.now = world.now;
    cut.pass(Duration::from_secs(6 * 3600));
    assert_eq!(cut.nodes[&all[0]].nodes(cut.now).len(), before);
}

use crate::NodeAddress;
use crate::krpc::Message;

/// A node somewhere, under an id that does not matter.
struct NodeAddressForTest;

impl NodeAddressForTest {
    fn at(address: &str) -> NodeAddress {
        NodeAddress { id: Id(*b"abcdefghij0123456789"), address: address.parse().unwrap() }
    }
}

#[test]
fn a_deferred_answer_takes_nothing_of_the_packet_with_it() {
    // The transaction id outlives the packet that brought it.
    let (mut world, all) = World::network(2);
    let long = Item::Immutable(Immutable::new(Bytes::from(format!("900:{}", "x".repeat(900)))).unwrap());
    world.nodes.get_mut(&all[0]).unwrap().v4.as_mut().unwrap().store_for_test(world.now.mono, long.clone());
    let get = query(Method::Get { target: long.target(), seq: None });
    world.poke("200.0.0.1:7", all[0], &get);
    // It stays silent: then it gets the short answer that a stranger gets.
    world.pass(Duration::from_secs(2));
    let answers: Vec<_> =
        world.outside.iter().filter(|(_, packet)| decode(packet).unwrap().transaction == b"tt").collect();
    assert_eq!(answers.len(), 1);
    assert_eq!(response(&answers[0].1).value, None);
}

/// An address where nobody answers.
fn silent(i: u32) -> SocketAddr {
    format!("{}:6881", core::net::Ipv4Addr::from(0x5000_0000 + (i << 12))).parse().unwrap()
}

#[test]
fn a_thousand_look_ups_at_once_are_sent_at_a_bounded_rate_and_all_end() {
    let (mut world, all) = World::network(60);
    let sent = |world: &World| world.nodes[&all[5]].status(world.now).v4.unwrap().traffic.queries_out;
    let before = sent(&world);
    for i in 0..1_000_u32 {
        let mut hash = [0x5a; 20];
        hash[..4].copy_from_slice(&i.wrapping_mul(0x9e37_79b9).to_be_bytes());
        let task = Task::FindPeers { info_hash: Id(hash), announce: None };
        world.give(all[5], Input::Start { id: TaskId(10_000 + u64::from(i)), task });
    }
    let burst = sent(&world) - before;
    assert!((350..=400).contains(&burst), "what was saved up goes out at once: {burst}");
    for seconds in 1..=10 {
        world.pass(Duration::from_secs(1));
        let sent = sent(&world) - before;
        assert!(sent <= 400 + 100 * seconds + 1, "{sent} in {seconds} s");
    }
    assert!(sent(&world) - before >= 1_390, "nothing is lost of the rate");
    world.pass(Duration::from_secs(600));
    let ended = world.outputs.iter().filter(|(_, output)| matches!(output, Output::Done { .. })).count();
    assert_eq!(ended, 1_000);
}

#[test]
fn a_look_up_alone_is_not_held_back() {
    let (mut world, all) = World::network(60);
    let before = world.now.mono;
    world.give(all[5], Input::Start { id: TaskId(9_999), task: Task::FindPeers { info_hash: HASH, announce: None } });
    assert!(world.outputs.iter().any(|(_, o)| matches!(o, Output::Done { id: TaskId(9_999), .. })));
    assert_eq!(world.now.mono, before, "wires without delay: it ends in the moment it began");
}

#[test]
fn a_liar_gives_a_look_up_few_addresses_and_few_ports_of_a_victim() {
    let (mut world, all) = World::network(12);
    let mallory = "200.0.0.1:7";
    world.poke(mallory, all[0], &query(Method::FindNode { target: HASH }));
    let victims = (1..=60_u16).map(|port| SocketAddr::from(([203, 0, 113, 9], port)));
    let others = (1..=100_u8).map(|host| SocketAddr::from(([198, 51, 100, host], 6881)));
    let lie = Response { id: Some(Id([9; 20])), values: victims.chain(others).collect(), ..Response::default() };
    // She answers whatever she is asked by a lie, so that she gets into the table.
    let lie_to_all = |world: &mut World| {
        let asked = std::mem::take(&mut world.outside);
        for (_, packet) in asked.iter().filter(|(to, _)| to.to_string() == mallory) {
            if let Some(Message { body: Body::Query(_), transaction, .. }) = decode(packet) {
                let packet = krpc::encode_response(transaction, None, &lie);
                let from = mallory.parse().unwrap();
                world.give(all[0], Input::Received { from, packet: &packet });
            }
        }
    };
    for _ in 0..10 {
        world.pass(Duration::from_secs(1));
        lie_to_all(&mut world);
    }
    world.outputs.clear();
    // Beside her own id.
    let task = Task::FindPeers { info_hash: Id([9; 20]), announce: None };
    world.give(all[0], Input::Start { id: TaskId(9_999), task });
    for _ in 0..20 {
        lie_to_all(&mut world);
        world.pass(Duration::from_secs(1));
    }
    let told: Vec<SocketAddr> = world
        .outputs
        .iter()
        .filter_map(|(_, output)| if let Output::Peers { peers, .. } = output { Some(peers.clone()) } else { None })
        .flatten()
        .collect();
    assert_eq!(told.iter().filter(|peer| peer.ip().to_string() == "203.0.113.9").count(), 8, "{told:?}");
    assert!(told.len() <= 48, "a hundred of one answer, of which sixty were ports of the victim: {}", told.len());
}

#[test]
fn what_was_seen_of_transaction_ids_and_tokens_tells_nothing_of_the_next() {
    // The same stream of chance, another key: all of both differs.
    let packets = |key: u8| {
        let config = Config { v4: true, ..Config::default() };
        let mut node = DhtNode::new(config, [key; 16], fastrand::Rng::with_seed(1));
        let now = World::new().now;
        node.handle(now, Input::Timeout);
        (0..8).for_each(|i| node.handle(now, Input::AddNode(silent(i))));
        let later = Now { mono: now.mono + Duration::from_secs(1), ..now };
        node.handle(later, Input::Timeout);
        let ask = query(Method::GetPeers { info_hash: HASH, no_seed: false, scrape: false });
        node.handle(later, Input::Received { from: silent(99), packet: &ask });
        std::iter::from_fn(move || node.poll_output())
            .filter_map(|output| if let Output::Send { packet, .. } = output { Some(packet) } else { None })
            .map(|packet| {
                let message = decode(&packet).unwrap();
                match &message.body {
                    Body::Response(response) => response.token.unwrap().to_vec(),
                    _ => message.transaction.to_vec(),
                }
            })
            .collect::<std::collections::BTreeSet<Vec<u8>>>()
    };
    let (one, other) = (packets(1), packets(2));
    assert!(one.len() >= 9 && one.len() == other.len() && one.is_disjoint(&other), "{one:?} {other:?}");
    assert_eq!(one, packets(1), "by seed and key, all is the same again");
}
