//! Stories of readers who wait for what is not here.

use super::*;

/// How often each piece was asked of a peer, less what was withdrawn since.
fn asked(world: &World, bob: usize, peer: PeerKey) -> BTreeMap<u32, i32> {
    let mut asked = BTreeMap::new();
    for (_, message) in world.nodes[bob].sent_messages.iter().filter(|(to, _)| *to == peer) {
        match message {
            Message::Request(block) => *asked.entry(block.piece.0).or_default() += 1,
            Message::Cancel(block) => *asked.entry(block.piece.0).or_default() -= 1,
            _ => {}
        }
    }
    asked.retain(|_, count| *count != 0);
    asked
}

fn deadlines(pieces: &[u32]) -> Input {
    Input::Command(Command::Deadlines(pieces.iter().copied().map(PieceIndex).collect()))
}

#[test]
fn what_was_asked_for_makes_way_for_a_reader() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.nodes[alice].silent = true;
    world.connect(bob, alice, Source::Hint);
    world.input(bob, Input::Command(Command::Sequential(true)));
    let key = world.nodes[bob].torrent.peers()[0].peer;
    let before = asked(&world, bob, key);
    assert!(before.values().sum::<i32>() > 2, "{before:?}");
    let wanted = (0..12).rev().find(|piece| !before.contains_key(piece)).expect("not all was asked for");
    world.input(bob, deadlines(&[wanted]));
    let messages: Vec<&Message> = world.nodes[bob].sent_messages.iter().map(|(_, message)| message).collect();
    let place = |wanted: &dyn Fn(&Message) -> bool| messages.iter().position(|message| wanted(message)).expect("sent");
    let cancel = place(&|message| matches!(message, Message::Cancel(_)));
    assert!(cancel < place(&|message| matches!(message, Message::Request(block) if block.piece.0 == wanted)));
    let first = &messages[cancel + before.values().sum::<i32>() as usize..][..2];
    assert!(first.iter().all(|message| matches!(message, Message::Request(block) if block.piece.0 == wanted)));
    assert_eq!(asked(&world, bob, key)[&wanted], 2, "all of it");
}

#[test]
fn a_reader_that_moves_within_what_is_on_its_way_withdraws_nothing() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.nodes[alice].silent = true;
    world.input(bob, deadlines(&[4, 5, 6, 7]));
    world.connect(bob, alice, Source::Hint);
    world.input(bob, deadlines(&[5, 6, 7, 8]));
    assert!(!world.nodes[bob].sent_messages.iter().any(|(_, message)| matches!(message, Message::Cancel(_))));
}

#[test]
fn all_peers_bring_a_part_of_what_a_reader_waits_for() {
    let info = info(false);
    let mut world = World::default();
    let (alice, carol, bob) = (world.seed(&info), world.seed(&info), world.leech(&info));
    for seed in [alice, carol] {
        (world.nodes[seed].silent, world.nodes[seed].fast) = (true, false);
        world.connect(bob, seed, Source::Hint);
    }
    let peers: Vec<PeerKey> = world.nodes[bob].torrent.peers().iter().map(|peer| peer.peer).collect();
    for short in [false, true] {
        for &peer in &peers {
            let short_queue = ExtensionHandshake { request_queue: Some(4), ..ExtensionHandshake::default() };
            let greeting = Message::ExtensionHandshake(Box::new(short_queue));
            let messages = vec![Message::Choke, greeting, if short { Message::Unchoke } else { Message::KeepAlive }];
            world.input(bob, Input::Received { peer, messages });
        }
    }
    world.nodes[bob].sent_messages.clear();
    let begun = world.nodes[bob].torrent.pieces().expect("it is known").partial;
    let wanted = (0..12).find(|piece| !begun.contains(&PieceIndex(*piece))).expect("queues are short");
    world.input(bob, deadlines(&[wanted]));
    for peer in peers {
        assert_eq!(asked(&world, bob, peer).get(&wanted), Some(&1), "{peer:?}");
    }
}

#[test]
fn what_a_reader_waits_for_too_long_is_asked_of_another() {
    let info = info(false);
    let mut world = World::default();
    let (sloth, alice, bob) = (world.seed(&info), world.seed(&info), world.leech(&info));
    world.nodes[sloth].silent = true;
    world.connect(bob, sloth, Source::Hint);
    world.input(bob, deadlines(&[11, 10]));
    world.pass(2);
    world.nodes[alice].silent = true;
    world.connect(bob, alice, Source::Hint);
    world.pass(1);
    let key = world.nodes[bob].torrent.peers()[1].peer;
    assert_eq!(asked(&world, bob, key).get(&11), Some(&2), "long before the sloth is given up");
}

#[test]
fn a_reject_of_what_was_withdrawn_does_not_void_what_is_asked_again() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.nodes[alice].silent = true;
    world.connect(bob, alice, Source::Hint);
    let key = world.nodes[bob].torrent.peers()[0].peer;
    let before = asked(&world, bob, key);
    world.input(bob, deadlines(&[(0..12).find(|piece| !before.contains_key(piece)).expect("not all was asked for")]));
    let withdrawn: Vec<Message> = world.nodes[bob].sent_messages.iter().map(|(_, m)| m.clone()).collect();
    let withdrawn = withdrawn.into_iter().filter_map(|message| match message {
        Message::Cancel(block) => Some(Message::RejectRequest(block)),
        _ => None,
    });
    world.input(bob, deadlines(&[]));
    world.pass(1);
    let requests = world.nodes[bob].torrent.peers()[0].requests;
    world.input(bob, Input::Received { peer: key, messages: withdrawn.collect() });
    let peer = &world.nodes[bob].torrent.peers()[0];
    assert!(peer.requests >= requests && !peer.snubbed, "{} after {requests}", peer.requests);
}

#[test]
fn in_the_end_game_too_what_is_asked_again_is_known_of_whom() {
    let info = info(false);
    let mut world = World::default();
    let (sloth, alice, bob) = (world.seed(&info), world.seed(&info), world.leech(&info));
    for seed in [sloth, alice] {
        world.nodes[seed].silent = true;
    }
    world.connect(bob, sloth, Source::Hint);
    world.input(bob, deadlines(&[11, 10, 9, 8]));
    world.connect(bob, alice, Source::Hint);
    for _ in 0..15 {
        world.pass(1);
        let peers = world.nodes[bob].torrent.peers();
        let asked = peers.iter().map(|peer| asked(&world, bob, peer.peer).values().sum::<i32>());
        let known: Vec<i32> = peers.iter().map(|peer| peer.requests as i32).collect();
        assert_eq!(asked.collect::<Vec<_>>(), known);
    }
    world.nodes[alice].silent = false;
    let key = world.nodes[bob].torrent.peers()[1].peer;
    world.input(bob, Input::Disconnected { peer: key });
    let carol = world.seed(&info);
    world.connect(bob, carol, Source::Hint);
    world.pass(60);
    assert!(world.nodes[bob].complete && world.nodes[bob].data == payload());
}
