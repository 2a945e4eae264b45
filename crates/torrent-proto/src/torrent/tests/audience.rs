//! Stories of confined torrents.

use base::NodeId;

use super::*;
use crate::wire::PeerId;

fn stand_in(name: u8) -> SocketAddr {
    NodeId([name; 32]).stand_in()
}

/// A world of nodes that know one another by stand-ins, all of the same confined torrent, the first a seed.
fn confined(names: &[u8]) -> World {
    let info = info(true);
    let mut world = World::default();
    world.dials = true;
    for (i, &name) in names.iter().enumerate() {
        let data = if i == 0 { payload() } else { Vec::new() };
        let config = TorrentConfig {
            confined: true,
            complete: i == 0,
            pex: true,
            holepunch: true,
            dht_port: Some(6881),
            ..config(name, &info)
        };
        let node = world.add(config, &info, data);
        world.nodes[node].address = stand_in(name);
    }
    world
}

fn admit(world: &mut World, node: usize, names: &[u8]) {
    let audience = names.iter().map(|name| stand_in(*name)).collect();
    world.input(node, Input::Command(Command::Audience(audience)));
}

#[test]
fn only_who_is_named_is_dialled_admitted_and_served() {
    let mut world = confined(&[1, 2, 3]);
    let (alice, bob, mallory) = (0, 1, 2);
    // Before the first word nobody may have it.
    world.connect(bob, alice, Source::People);
    assert!(world.nodes[alice].dropped.iter().any(|(_, reason)| *reason == Reason::NotAdmitted));

    admit(&mut world, bob, &[1]);
    admit(&mut world, mallory, &[1, 2]);
    admit(&mut world, alice, &[2]);
    world.pass(30);
    assert!(world.nodes[bob].complete && world.nodes[bob].data == payload());
    assert!(!world.nodes[mallory].complete && world.nodes[mallory].requested == 0);
    for source in [Source::Tracker, Source::Dht, Source::Pex, Source::Lsd, Source::Hint, Source::Resume, Source::People]
    {
        let addresses = vec![stand_in(3), "192.0.2.1:6881".parse().unwrap()];
        world.input(alice, Input::Candidates { source, addresses });
    }
    world.pass(5);
    assert!(world.nodes[alice].dialled.iter().all(|(address, _)| *address == stand_in(2)));
}

#[test]
fn who_is_named_no_longer_is_dropped_and_not_dialled_again() {
    let mut world = confined(&[1, 2]);
    admit(&mut world, 1, &[1]);
    admit(&mut world, 0, &[2]);
    world.pass(1);
    let before = world.nodes[0].dialled.len();
    admit(&mut world, 0, &[]);
    world.connect(1, 0, Source::People);
    world.pass(400);
    assert_eq!(world.nodes[0].torrent.status().peers_connected, 0);
    assert_eq!(world.nodes[0].dialled.len(), before);
}

#[test]
fn no_message_of_a_confined_torrent_names_an_address() {
    let mut world = confined(&[1, 2, 3]);
    for node in 0..3 {
        admit(&mut world, node, &[1, 2, 3]);
    }
    world.pass(120);
    assert!(world.nodes.iter().all(|node| node.torrent.status().complete));
    for (_, message) in world.nodes.iter().flat_map(|node| &node.sent_messages) {
        match message {
            Message::ExtensionHandshake(handshake) => {
                assert_eq!((handshake.your_ip, handshake.port), (None, None));
                assert_eq!((handshake.ids.pex, handshake.ids.holepunch), (0, 0));
            }
            Message::Pex(_) | Message::Holepunch(_) | Message::Port(_) => panic!("{message:?}"),
            _ => {}
        }
    }
}

#[test]
fn a_node_that_was_restarted_takes_the_place_of_its_dead_connection() {
    let mut world = confined(&[1, 2, 3, 3]);
    let (bob, carol, carol_again) = (1, 2, 3);
    world.dials = false;
    for (node, audience) in [(bob, [3]), (carol, [2]), (carol_again, [2])] {
        admit(&mut world, node, &audience);
    }
    world.connect(carol, bob, Source::People);
    assert_eq!(world.nodes[bob].torrent.status().peers_connected, 1);
    // The same node in its next run; bob never heard of the end of the old connection.
    world.nodes[carol_again].torrent.config.peer_id = PeerId([77; 20]);
    world.connect(carol_again, bob, Source::People);
    let reasons: Vec<Reason> = world.nodes[bob].dropped.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, [Reason::Duplicate]);
    assert_eq!(world.nodes[carol_again].torrent.status().peers_connected, 1);
}

#[test]
fn a_stand_in_that_a_stranger_names_is_no_address() {
    let info = info(false);
    let mut world = World::default();
    let alice = world.leech(&info);
    for source in [Source::Tracker, Source::Dht, Source::Pex, Source::Lsd, Source::Hint, Source::People] {
        world.input(alice, Input::Candidates { source, addresses: vec![stand_in(9)] });
    }
    world.pass(5);
    assert_eq!(world.nodes[alice].dialled, []);
}
