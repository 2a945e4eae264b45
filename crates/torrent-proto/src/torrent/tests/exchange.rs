//! Stories of peers that hear of one another through others, and of those that nobody can dial.

use core::net::SocketAddr;
use std::sync::Arc;

use metainfo::Info;

use super::super::*;
use super::world::{World, config, info};
use crate::wire::{HolepunchError, HolepunchMessage, Message, PexFlags, PexMessage, PexPeer};

fn exchanging(name: u8, info: &Arc<Info>) -> TorrentConfig {
    TorrentConfig { pex: true, holepunch: true, dht_port: Some(6881), ..config(name, info) }
}

/// Four who want the content: alice in the middle, the others know her alone. Nobody can have it.
fn star(private: bool, behind_nat: &[usize]) -> World {
    let info = info(private);
    let mut world = World::default();
    world.dials = true;
    for name in 1..=4 {
        let node = world.add(exchanging(name, &info), &info, Vec::new());
        world.nodes[node].behind_nat = behind_nat.contains(&node);
    }
    for other in 1..4 {
        world.connect(other, 0, Source::Tracker);
    }
    world
}

fn sent(world: &World, node: usize, of: impl Fn(&Message) -> bool) -> Vec<(PeerKey, Message)> {
    world.nodes[node].sent_messages.iter().filter(|(_, message)| of(message)).cloned().collect()
}

fn is_pex(message: &Message) -> bool {
    matches!(message, Message::Pex(_))
}

fn is_holepunch(message: &Message) -> bool {
    matches!(message, Message::Holepunch(_))
}

fn stranger(last: u8) -> PexPeer {
    PexPeer { address: SocketAddr::from(([192, 0, 2, last], 6881)), flags: PexFlags::HOLEPUNCH }
}

#[test]
fn all_who_know_one_come_to_know_all() {
    let mut world = star(false, &[]);
    world.pass(70);
    for node in 0..4 {
        assert_eq!(world.nodes[node].torrent.peers().len(), 3, "node {node}");
    }
    let bob = &world.nodes[1].torrent;
    let by_pex = bob.sources().into_iter().find(|s| s.source == Source::Pex).unwrap();
    assert!(by_pex.known >= 2 && by_pex.last.is_some(), "{by_pex:?}");
    let told = sent(&world, 0, is_pex);
    assert!(told.iter().all(|(_, m)| matches!(m, Message::Pex(pex) if pex.dropped.is_empty())), "{told:?}");
}

#[test]
fn who_leaves_is_taken_back_within_a_minute_and_no_message_comes_sooner() {
    let mut world = star(false, &[]);
    world.pass(5);
    let early = sent(&world, 0, is_pex).len();
    let carol = world.nodes[2].address;
    world.input(2, Input::Command(Command::Pause));
    world.pass(50);
    assert_eq!(sent(&world, 0, is_pex).len(), early, "one message a minute");
    world.pass(70);
    let took_back = |(_, message): &(PeerKey, Message)| matches!(message, Message::Pex(pex) if pex.dropped == [carol]);
    assert_eq!(sent(&world, 0, is_pex).iter().filter(|said| took_back(said)).count(), 2, "told to bob and dave");
}

#[test]
fn a_private_torrent_tells_nobody_anything() {
    let mut world = star(true, &[]);
    world.pass(100);
    let key = world.nodes[1].torrent.peers()[0].peer;
    let message = PexMessage { added: vec![stranger(1)], dropped: Vec::new() };
    world.input(1, Input::Received { peer: key, messages: vec![Message::Pex(Box::new(message))] });
    world.input(1, Input::Candidates { source: Source::Dht, addresses: vec![stranger(2).address] });
    world.input(1, Input::Candidates { source: Source::Lsd, addresses: vec![stranger(3).address] });
    for node in &world.nodes {
        let is_port = |(_, message): &(PeerKey, Message)| matches!(message, Message::Port(_));
        assert!(!node.sent_messages.iter().any(|said| is_pex(&said.1) || is_holepunch(&said.1) || is_port(said)));
        assert!(node.dialled.is_empty() && node.dht_nodes.is_empty());
    }
}

#[test]
fn a_magnet_that_turns_out_private_forgets_whom_others_named() {
    let info = info(true);
    let mut world = World::default();
    let alice = world.seed(&info);
    let bob = world.add(TorrentConfig { info: None, ..exchanging(9, &info) }, &info, Vec::new());
    world.input(bob, Input::Candidates { source: Source::Dht, addresses: vec![stranger(2).address] });
    assert_eq!(world.nodes[bob].torrent.status().peers_known, 1);
    world.connect(bob, alice, Source::Tracker);
    world.pass(3);
    let bob = &world.nodes[bob];
    assert!(bob.complete && bob.torrent.status().peers_known == 0);
    assert!(bob.torrent.addresses_to_remember(10).is_empty());
}

#[test]
fn who_knows_nobody_goes_on_asking() {
    let info = info(false);
    let mut world = World::default();
    let bob = world.add(TorrentConfig { info: None, ..exchanging(9, &info) }, &info, Vec::new());
    world.pass(100);
    assert_eq!(world.nodes[bob].wanted, 4, "at once, and every half minute");
}

#[test]
fn a_flood_of_peer_exchange_ends_the_connection_and_a_liar_names_only_so_many() {
    let mut world = star(false, &[]);
    let key = world.nodes[1].torrent.peers()[0].peer;
    let named = |from: u16| {
        let address = |port| SocketAddr::from(([192, 0, (port >> 8) as u8, port as u8], port));
        let added = (from..from + 50).map(|port| PexPeer { address: address(port), flags: PexFlags::default() });
        Message::Pex(Box::new(PexMessage { added: added.collect(), dropped: Vec::new() }))
    };
    for minute in 0..2 {
        let messages = (0..3).map(|part| named(1 + (minute * 3 + part) * 50)).collect();
        world.input(1, Input::Received { peer: key, messages });
        world.pass(60);
    }
    let known = world.nodes[1].torrent.sources().into_iter().find(|s| s.source == Source::Pex).unwrap().known;
    assert!((195..=210).contains(&known), "{known}");
    world.input(1, Input::Received { peer: key, messages: vec![named(1); 20] });
    assert!(matches!(world.nodes[1].dropped[..], [.., (k, Reason::Protocol(_))] if k == key));
}

#[test]
fn a_liar_cannot_have_all_ports_of_a_victim_dialled() {
    let mut world = star(false, &[]);
    let key = world.nodes[1].torrent.peers()[0].peer;
    let victim = |port| PexPeer { address: SocketAddr::from(([192, 0, 2, 7], port)), flags: PexFlags::default() };
    for n in 1..30_u16 {
        // What it named before it takes back, so that it seems to name only a few.
        let dropped = (0..4).map(|port| victim(n * 4 - 4 + port).address).collect();
        let added = (0..4).map(|port| victim(n * 4 + port)).collect();
        let messages = vec![Message::Pex(Box::new(PexMessage { added, dropped }))];
        world.input(1, Input::Received { peer: key, messages });
        world.pass(30);
    }
    let dialled: std::collections::BTreeSet<SocketAddr> =
        world.nodes[1].dialled.iter().map(|(to, _)| *to).filter(|to| to.ip() == victim(1).address.ip()).collect();
    assert!((1..=8).contains(&dialled.len()), "{dialled:?}");
}

#[test]
fn encryption_that_a_peer_prefers_is_told_to_others() {
    let mut world = World::default();
    let info = info(false);
    for prefers_encryption in [false, true, false] {
        world.add(
            TorrentConfig { prefers_encryption, ..exchanging(1 + world.nodes.len() as u8, &info) },
            &info,
            Vec::new(),
        );
    }
    (1..3).for_each(|other| world.connect(other, 0, Source::Tracker));
    world.pass(5);
    let bob = world.nodes[1].address;
    let flags = |(_, message): (PeerKey, Message)| match message {
        Message::Pex(pex) => pex.added.into_iter().find(|peer| peer.address == bob).map(|peer| peer.flags),
        _ => None,
    };
    let told: Vec<PexFlags> = sent(&world, 0, is_pex).into_iter().filter_map(flags).collect();
    assert!(matches!(told[..], [flags] if flags.has(PexFlags::PREFERS_ENCRYPTION)), "{told:?}");
}

#[test]
fn who_may_hold_one_connection_asks_for_a_peer_too() {
    let info = info(false);
    let mut world = World::default();
    let bob = world.add(TorrentConfig { max_peers: 1, ..exchanging(9, &info) }, &info, Vec::new());
    world.pass(100);
    assert!(world.nodes[bob].wanted >= 3, "{}", world.nodes[bob].wanted);
}

#[test]
fn two_behind_translation_meet_through_a_third() {
    let mut world = star(false, &[1, 2]);
    world.pass(3);
    let (bob, carol) = (world.nodes[1].address, world.nodes[2].address);
    assert!(world.nodes[1].torrent.peers().iter().any(|p| p.address == carol), "{:?}", world.nodes[1].dialled);
    assert!(world.nodes[2].torrent.peers().iter().any(|p| p.address == bob));
    let punched = |node: usize| world.nodes[node].dialled.iter().filter(|(_, punch)| *punch).count();
    assert_eq!((punched(0), punched(1), punched(2)), (0, 1, 1), "both ends dial, once");
    // Dave can be dialled: nobody asked for help to reach him.
    let dave = world.nodes[3].address;
    let asks = |(_, message): &(PeerKey, Message)| matches!(message, Message::Holepunch(HolepunchMessage::Rendezvous(to)) if *to == dave);
    assert!(!world.nodes.iter().any(|node| node.sent_messages.iter().any(asks)));
}

#[test]
fn a_relay_says_what_it_cannot_do() {
    let mut world = star(false, &[]);
    let plain = world.add(TorrentConfig { holepunch: false, ..exchanging(5, &info(false)) }, &info(false), Vec::new());
    world.connect(plain, 0, Source::Tracker);
    world.nodes[0].torrent.config.pex = false;
    let key = |world: &World, of: usize| {
        let (at, address) = (&world.nodes[0].torrent, world.nodes[of].address);
        at.peers().iter().find(|p| p.address == address).unwrap().peer
    };
    let bob = key(&world, 1);
    let (nobody, silent, himself) = (stranger(9).address, world.nodes[plain].address, world.nodes[1].address);
    let ask = |world: &mut World, from: PeerKey, to: SocketAddr| {
        let before = sent(world, 0, is_holepunch).len();
        let messages = vec![Message::Holepunch(HolepunchMessage::Rendezvous(to))];
        world.input(0, Input::Received { peer: from, messages });
        sent(world, 0, is_holepunch).split_off(before)
    };
    let error = |to, error| vec![(bob, Message::Holepunch(HolepunchMessage::Error(to, error)))];
    assert_eq!(ask(&mut world, bob, nobody), error(nobody, HolepunchError::NotConnected));
    assert_eq!(ask(&mut world, bob, silent), error(silent, HolepunchError::NoSupport));
    assert_eq!(ask(&mut world, bob, himself), error(himself, HolepunchError::NoSuchPeer));
    let relay = world.nodes[0].address;
    assert_eq!(ask(&mut world, bob, relay), error(relay, HolepunchError::NoSelf));
    let plain = key(&world, plain);
    assert_eq!(ask(&mut world, plain, himself), [], "who could not hear the answer gets none (BEP 55)");
    let answers: usize = (0..100).map(|_| ask(&mut world, bob, nobody).len()).sum();
    assert!(answers < 30, "{answers} answers to a flood");
}

#[test]
fn a_relay_cannot_have_us_dial_the_whole_world() {
    let mut world = star(false, &[]);
    world.pass(5);
    let key = world.nodes[1].torrent.peers()[0].peer;
    let before = world.nodes[1].dialled.len();
    let connect = |last| Message::Holepunch(HolepunchMessage::Connect(stranger(last).address));
    let messages = (1..=100).map(connect).collect();
    world.input(1, Input::Received { peer: key, messages });
    let dialled = world.nodes[1].dialled.len() - before;
    assert_eq!(dialled, 10);
    // Whoever is connected already is not dialled again.
    let alice = world.nodes[0].address;
    let messages = vec![Message::Holepunch(HolepunchMessage::Connect(alice))];
    world.pass(61);
    let before = world.nodes[1].dialled.iter().filter(|(to, _)| *to == alice).count();
    world.input(1, Input::Received { peer: key, messages });
    assert_eq!(world.nodes[1].dialled.iter().filter(|(to, _)| *to == alice).count(), before);
}

#[test]
fn the_port_of_our_dht_node_is_the_one_that_a_router_maps() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.add(exchanging(1, &info), &info, vec![]), world.add(exchanging(2, &info), &info, vec![]));
    world.input(alice, Input::Command(Command::MappedDhtPort(Some(7000))));
    world.connect(bob, alice, Source::Tracker);
    let told = |(_, message)| if let Message::Port(port) = message { Some(port) } else { None };
    let ports = |node| sent(&world, node, |_| true).into_iter().filter_map(told).collect::<Vec<u16>>();
    assert_eq!((ports(alice), ports(bob)), (vec![7000], vec![6881]));
}

#[test]
fn a_peers_dht_node_is_passed_on_once() {
    let mut world = star(false, &[]);
    assert_eq!(world.nodes[1].dht_nodes, [world.nodes[0].address]);
    let key = world.nodes[1].torrent.peers()[0].peer;
    world.input(1, Input::Received { peer: key, messages: vec![Message::Port(1), Message::Port(2)] });
    assert_eq!(world.nodes[1].dht_nodes.len(), 1);
}
