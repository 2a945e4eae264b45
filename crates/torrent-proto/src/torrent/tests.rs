//! Stories of the torrent state machine.

mod audience;
mod exchange;
mod reading;
mod upload;
mod world;

use base::Bitfield;
use metainfo::{BLOCK_LEN, Block, FileIndex, PieceIndex};

use super::*;
use crate::wire::{ExtensionHandshake, LOCAL_IDS, Message};
use world::{PIECE, START, World, config, info, payload};

#[test]
fn bob_downloads_from_alice() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    assert_eq!(world.nodes[alice].torrent.status().state, State::Seeding);
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[bob].complete && world.nodes[bob].data == payload());
    let status = world.nodes[bob].torrent.status();
    assert_eq!((status.state, status.done_bytes, status.wasted_bytes), (State::Seeding, 400_000, 0));
    assert_eq!(status.downloaded_bytes, 400_000);
    assert_eq!(world.nodes[alice].torrent.status().uploaded_bytes, 400_000);
    let resume = world.nodes[bob].persisted.as_ref().unwrap();
    assert!(resume.clean && resume.have.is_all());
}

#[test]
fn a_magnet_begins_with_its_metadata_and_keeps_its_connection() {
    let info = info(false);
    let mut world = World::default();
    let alice = world.seed(&info);
    let bob = world.add(TorrentConfig { info: None, ..config(9, &info) }, &info, Vec::new());
    assert_eq!(world.nodes[bob].torrent.status().state, State::Metadata);
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[bob].complete && world.nodes[bob].data == payload());
    assert!(world.nodes[bob].dropped.iter().all(|(_, reason)| *reason == Reason::BothSeeds));
}

#[test]
fn a_magnet_can_be_looked_at_before_anything_of_it_is_fetched() {
    let info = info(false);
    let mut world = World::default();
    let alice = world.seed(&info);
    let magnet = |name| TorrentConfig { info: None, ..config(name, &info) };
    let bob = world.add(magnet(9), &info, Vec::new());
    world.input(bob, Input::Command(Command::PauseWithMetadata));
    assert_eq!(world.nodes[bob].torrent.status().state, State::Metadata);
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    let status = world.nodes[bob].torrent.status();
    assert_eq!((status.state, status.has_metadata, status.downloaded_bytes), (State::Paused, true, 0));
    assert_eq!((status.peers_connected, world.nodes[bob].torrent.files().len()), (0, 2));
    assert!(world.nodes[bob].torrent.transfer.as_ref().unwrap().is_opening(), "no file is touched");
    world.input(bob, Input::Command(Command::Prioritise(vec![(FileIndex(0), Priority::Skip)])));
    world.input(bob, Input::Command(Command::Resume));
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    let status = world.nodes[bob].torrent.status();
    assert!(status.complete && status.wanted_bytes == 300_000, "{status:?}");

    let carol = world.add(magnet(8), &info, Vec::new());
    world.input(carol, Input::Command(Command::PauseWithMetadata));
    world.input(carol, Input::Command(Command::Resume));
    world.connect(carol, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[carol].complete, "whoever starts it meanwhile gets it");
}

#[test]
fn a_peer_that_keeps_its_metadata_to_itself_does_not_hold_up_a_magnet() {
    for (size, rejects) in [(1 << 20, false), (1 << 20, true), (info(false).raw().len() as u32, true)] {
        let info = info(false);
        let mut world = World::default();
        let alice = world.seed(&info);
        let mallory = world.add(TorrentConfig { info: None, paused: false, ..config(8, &info) }, &info, Vec::new());
        let bob = world.add(TorrentConfig { info: None, ..config(9, &info) }, &info, Vec::new());
        world.connect(bob, mallory, Source::Hint);
        let key = world.nodes[bob].torrent.peers()[0].peer;
        let lie = ExtensionHandshake { ids: LOCAL_IDS, metadata_size: Some(size), ..ExtensionHandshake::default() };
        world.nodes[mallory].mute = !rejects;
        world.input(bob, Input::Received { peer: key, messages: vec![Message::ExtensionHandshake(Box::new(lie))] });
        world.connect(bob, alice, Source::Hint);
        world.pass(60);
        assert!(world.nodes[bob].complete, "size {size}, rejects: {rejects}");
    }
}

#[test]
fn a_flood_of_bitfields_ends_the_connection() {
    let info = info(false);
    let mut world = World::default();
    let (mallory, bob) = (world.leech(&info), world.leech(&info));
    world.connect(bob, mallory, Source::Hint);
    let key = world.nodes[bob].torrent.peers()[0].peer;
    let messages = vec![Message::HaveNone; 100];
    world.input(bob, Input::Received { peer: key, messages });
    assert!(matches!(world.nodes[bob].dropped[..], [(_, Reason::Protocol(_))]));
}

#[test]
fn rejects_of_one_read_share_their_orders() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.nodes[alice].silent = true;
    world.connect(bob, alice, Source::Hint);
    let key = world.nodes[alice].torrent.peers()[0].peer;
    world.input(alice, Input::Received { peer: key, messages: vec![Message::NotInterested] });
    world.nodes[alice].torrent.choke(key);
    while world.nodes[alice].torrent.poll_output().is_some() {}
    let block = Block { piece: PieceIndex(0), offset: 0, length: 16384 };
    let messages = vec![Message::Request(block); 1024];
    world.nodes[alice].torrent.handle(world.now, Input::Received { peer: key, messages });
    let (mut orders, mut rejects) = (0, 0);
    while let Some(output) = world.nodes[alice].torrent.poll_output() {
        let Output::Send { messages, .. } = output else { continue };
        (orders, rejects) = (orders + 1, rejects + messages.len());
    }
    assert!(rejects == 1024 && orders <= 16, "{rejects} rejects in {orders} orders");
}

#[test]
fn a_recheck_asked_for_before_the_files_are_open_is_not_forgotten() {
    let info = info(false);
    let mut world = World::default();
    let have = Bitfield::full(info.layout().piece_count());
    let resume = Some(Resume { have, clean: true, downloaded: 0, uploaded: 0 });
    let mut spoilt = payload();
    spoilt[0] ^= 1;
    let bob = world.add(TorrentConfig { resume, paused: true, ..config(9, &info) }, &info, spoilt);
    world.input(bob, Input::Command(Command::Recheck));
    assert!(world.nodes[bob].persisted.as_ref().is_some_and(|resume| !resume.clean && resume.have.is_none()));
    world.input(bob, Input::Command(Command::Resume));
    world.pass(1);
    assert_eq!(world.nodes[bob].torrent.status().pieces_done, info.layout().piece_count() - 1);
}

#[test]
fn both_come_to_know_when_nothing_is_left_to_do() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.connect(alice, bob, Source::Tracker);
    world.pass(30);
    assert!(world.nodes[alice].torrent.peers().is_empty() && world.nodes[bob].torrent.peers().is_empty());
    assert_eq!(world.nodes[bob].torrent.poll_timeout(), None, "an idle seed waits for nothing");
}

#[test]
fn two_who_dial_one_another_at_once_keep_one_connection() {
    let info = info(false);
    for seed_first in [true, false] {
        let mut world = World::default();
        let (a, b) = match seed_first {
            true => (world.seed(&info), world.leech(&info)),
            false => (world.leech(&info), world.seed(&info)),
        };
        world.connect_at_once(a, b, Source::Tracker);
        world.pass(30);
        assert!(world.nodes[a].data == world.nodes[b].data, "what is left is of use");
    }
}

#[test]
fn a_liar_is_banned_and_the_piece_comes_from_somebody_else() {
    let info = info(false);
    let mut world = World::default();
    let (mallory, bob) = (world.seed(&info), world.leech(&info));
    world.nodes[mallory].corrupts = true;
    world.connect(bob, mallory, Source::Hint);
    world.pass(15);
    assert!(world.nodes[bob].dropped.iter().any(|(_, reason)| *reason == Reason::BadData));
    assert_eq!(world.nodes[bob].torrent.status().pieces_done, 0);
    let alice = world.seed(&info);
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[bob].complete && world.nodes[bob].data == payload());
    world.connect(bob, mallory, Source::Hint);
    assert!(world.nodes[bob].dropped.iter().any(|(_, reason)| *reason == Reason::Banned));
}

#[test]
fn a_good_piece_of_its_own_clears_a_suspect() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    let address = world.nodes[alice].address;
    world.nodes[bob].torrent.list.suspect(address.ip());
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[bob].complete && !world.nodes[bob].torrent.list.is_suspect(address.ip()));
}

#[test]
fn what_a_silent_peer_owes_is_asked_of_another() {
    let info = info(false);
    let mut world = World::default();
    let (sloth, alice, bob) = (world.seed(&info), world.seed(&info), world.leech(&info));
    world.nodes[sloth].silent = true;
    world.connect(bob, sloth, Source::Hint);
    world.pass(10);
    assert!(world.nodes[bob].torrent.peers()[0].requests > 0);
    world.connect(bob, alice, Source::Hint);
    world.pass(40);
    assert!(world.nodes[bob].complete && world.nodes[bob].data == payload());
}

#[test]
fn a_choke_without_the_fast_extension_voids_the_requests() {
    let info = info(false);
    let mut world = World::default();
    let (sloth, alice, bob) = (world.seed(&info), world.seed(&info), world.leech(&info));
    world.nodes[sloth].silent = true;
    world.nodes[sloth].fast = false;
    world.connect(bob, sloth, Source::Hint);
    world.pass(1);
    let key = world.nodes[bob].torrent.peers()[0].peer;
    assert!(world.nodes[bob].torrent.peers()[0].requests > 0);
    world.input(bob, Input::Received { peer: key, messages: vec![Message::Choke] });
    assert_eq!(world.nodes[bob].torrent.peers()[0].requests, 0);
    world.connect(bob, alice, Source::Hint);
    world.pass(15);
    assert!(world.nodes[bob].complete);
}

#[test]
fn a_pause_settles_and_the_next_run_begins_where_it_was() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    // Alice holds back the second file, so that Bob stays in the middle.
    world.input(bob, Input::Command(Command::Prioritise(vec![(FileIndex(1), Priority::Skip)])));
    world.connect(bob, alice, Source::Hint);
    world.pass(10);
    world.input(bob, Input::Command(Command::Pause));
    assert!(world.nodes[bob].settled && world.nodes[bob].torrent.peers().is_empty());
    assert_eq!(world.nodes[bob].torrent.status().state, State::Paused);
    let resume = world.nodes[bob].persisted.clone().unwrap();
    assert!(resume.clean);
    assert_eq!(resume.have.count(), 4, "the first 100,000 bytes lie in four pieces");

    let data = world.nodes[bob].data.clone();
    let bob2 = world.add(TorrentConfig { resume: Some(resume), ..config(8, &info) }, &info, data);
    assert_eq!(world.nodes[bob2].torrent.status().pieces_done, 4);
    world.connect(bob2, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[bob2].complete && world.nodes[bob2].data == payload());
    assert_eq!(world.nodes[bob2].torrent.status().downloaded_bytes, 400_000, "no byte was fetched twice");
}

#[test]
fn after_a_crash_what_may_be_there_is_checked_and_not_fetched_again() {
    let info = info(false);
    let mut world = World::default();
    let alice = world.seed(&info);
    let mut have = Bitfield::new(info.layout().piece_count());
    have.set(0);
    let resume = Resume { have, clean: false, downloaded: 0, uploaded: 0 };
    let mut data = payload();
    data[200_000..].fill(0);
    let bob = world.add(TorrentConfig { resume: Some(resume), ..config(8, &info) }, &info, data);
    assert_eq!(world.nodes[bob].torrent.status().pieces_done, 200_000 / PIECE);
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[bob].complete && world.nodes[bob].data == payload());
}

#[test]
fn a_full_disk_stops_the_torrent_until_there_is_room() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.nodes[bob].disk_full = true;
    world.connect(bob, alice, Source::Hint);
    world.pass(2);
    let status = world.nodes[bob].torrent.status();
    assert_eq!(status.state, State::Failed);
    assert!(status.error.is_some_and(|e| e.full) && world.nodes[bob].torrent.peers().is_empty());
    assert_eq!(status.down_rate_bytes_per_s, 0, "what has stopped has no rate");
    let wanted = world.nodes[bob].wanted;
    world.pass(40);
    assert_eq!(
        (world.nodes[bob].torrent.status().state, world.nodes[bob].wanted),
        (State::Failed, wanted),
        "it only asks"
    );
    world.nodes[bob].disk_full = false;
    world.input(bob, Input::Command(Command::RoomMade));
    world.pass(1);
    assert_eq!(world.nodes[bob].torrent.status().state, State::Downloading, "who says that there is room is heard");
    world.nodes[bob].disk_full = true;
    world.connect(bob, alice, Source::Hint);
    world.pass(2);
    assert_eq!(world.nodes[bob].torrent.status().state, State::Failed);
    world.nodes[bob].disk_full = false;
    world.pass(20);
    assert_eq!(world.nodes[bob].torrent.status().state, State::Downloading);
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[bob].complete && world.nodes[bob].data == payload());
}

#[test]
fn a_magnet_that_turns_out_private_keeps_only_what_trackers_and_the_user_named() {
    let info = info(true);
    let mut world = World::default();
    let (alice, carol) = (world.seed(&info), world.seed(&info));
    let bob = world.add(TorrentConfig { info: None, ..config(9, &info) }, &info, Vec::new());
    world.connect(bob, carol, Source::Resume);
    world.pass(2);
    assert!(world.nodes[bob].torrent.info().is_some_and(|i| i.is_private()));
    assert!(world.nodes[bob].dropped.iter().any(|(_, reason)| *reason == Reason::Private));
    world.connect(bob, alice, Source::Tracker);
    world.pass(30);
    assert!(world.nodes[bob].complete);
}

#[test]
fn we_do_not_talk_to_ourselves_nor_twice_to_one_peer() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.leech(&info), world.leech(&info));
    world.connect(alice, alice, Source::Tracker);
    assert!(world.nodes[alice].dropped.iter().any(|(_, reason)| *reason == Reason::Itself));
    world.connect(alice, bob, Source::Tracker);
    world.connect(bob, alice, Source::Tracker);
    assert!(world.nodes[bob].dropped.iter().any(|(_, reason)| *reason == Reason::Duplicate));
    assert_eq!(world.nodes[alice].torrent.peers().len(), 1);
}

#[test]
fn a_request_beyond_the_torrent_ends_the_connection() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.nodes[bob].torrent.handle(world.now, Input::Command(Command::Pause));
    world.connect(alice, bob, Source::Hint);
    let mallory = world.leech(&info);
    world.input(
        mallory,
        Input::Command(Command::Prioritise(vec![(FileIndex(0), Priority::Skip), (FileIndex(1), Priority::Skip)])),
    );
    world.connect(mallory, alice, Source::Hint);
    let key = world.nodes[alice].torrent.peers()[0].peer;
    let beyond = metainfo::Block { piece: metainfo::PieceIndex(99), offset: 0, length: 1 };
    world.input(alice, Input::Received { peer: key, messages: vec![Message::Request(beyond)] });
    assert!(matches!(world.nodes[alice].dropped.last(), Some((_, Reason::Protocol(_)))));
}

#[test]
fn a_skipped_file_is_not_fetched() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.input(bob, Input::Command(Command::Prioritise(vec![(FileIndex(0), Priority::Skip)])));
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    let status = world.nodes[bob].torrent.status();
    assert!(status.complete);
    assert_eq!((status.wanted_bytes, status.done_bytes), (300_000, 300_000));
    assert!(status.downloaded_bytes < 400_000);
    let files = world.nodes[bob].torrent.files();
    assert_eq!((files[1].done_bytes, files[0].done_bytes < 100_000), (300_000, true));
}

#[test]
fn a_recheck_finds_what_is_gone_and_fetches_it_again() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    world.nodes[bob].data[5] ^= 1;
    world.input(bob, Input::Command(Command::Recheck));
    let status = world.nodes[bob].torrent.status();
    assert_eq!((status.state, status.pieces_done), (State::Downloading, status.piece_count - 1));
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[bob].data == payload() && world.nodes[bob].torrent.status().complete);
}

#[test]
fn a_check_that_is_broken_off_trusts_only_what_it_saw() {
    let info = info(false);
    let mut torrent = Torrent::new(Now::default(), TorrentConfig { complete: true, ..config(1, &info) });
    let now = Now::default();
    torrent.handle(now, Input::Disk(DiskAnswer::Opened { found_data: true }));
    torrent.handle(now, Input::Command(Command::Recheck));
    torrent.handle(now, Input::Disk(DiskAnswer::Checked { piece: metainfo::PieceIndex(3), good: true }));
    torrent.handle(now, Input::Disk(DiskAnswer::Checked { piece: metainfo::PieceIndex(4), good: false }));
    torrent.handle(now, Input::Command(Command::Pause));
    let outputs: Vec<Output> = std::iter::from_fn(|| torrent.poll_output()).collect();
    let last = outputs.iter().rev().find_map(|o| if let Output::Persist(resume) = o { Some(resume) } else { None });
    assert!(last.is_some_and(|resume| !resume.clean && resume.have.iter().all(|piece| piece == 3)), "{last:?}");
    torrent.handle(now, Input::Disk(DiskAnswer::CheckDone));
    torrent.handle(now, Input::Command(Command::Resume));
    torrent.handle(now, Input::Disk(DiskAnswer::Opened { found_data: true }));
    let check = std::iter::from_fn(|| torrent.poll_output())
        .find_map(|o| if let Output::Disk(DiskOrder::Check { scope, .. }) = o { Some(scope) } else { None });
    assert!(matches!(check, Some(CheckScope::AllBut(known)) if known.iter().eq([3])), "the rest is checked");
}

#[test]
fn a_loss_is_told_to_those_who_understand_it_and_others_come_again() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob, carol) = (world.seed(&info), world.leech(&info), world.leech(&info));
    for node in [bob, carol] {
        let skip = vec![(FileIndex(0), Priority::Skip), (FileIndex(1), Priority::Skip)];
        world.input(node, Input::Command(Command::Prioritise(skip)));
        world.connect(alice, node, Source::Hint);
    }
    let [to_bob, to_carol] = [0, 1].map(|i| world.nodes[alice].torrent.peers()[i].peer);
    // Carol's client does not know the extension.
    world.nodes[alice].torrent.peers.get_mut(&to_carol).unwrap().ids.dont_have = 0;
    world.nodes[alice].data[5] ^= 1;
    world.input(alice, Input::Command(Command::Recheck));
    assert!(world.nodes[alice].sent_messages.contains(&(to_bob, Message::DontHave(metainfo::PieceIndex(0)))));
    assert!(world.nodes[alice].dropped.contains(&(to_carol, Reason::LostPiece)));
}

#[test]
fn a_super_seed_shows_itself_piece_by_piece_and_everybody_gets_everything() {
    let info = info(false);
    let mut world = World::default();
    let alice = world.add(TorrentConfig { complete: true, super_seed: true, ..config(1, &info) }, &info, payload());
    let (bob, carol) = (world.leech(&info), world.leech(&info));
    world.connect(bob, alice, Source::Hint);
    world.connect(carol, alice, Source::Hint);
    world.connect(bob, carol, Source::Hint);
    assert!(!world.nodes[alice].sent_messages.iter().any(|(_, m)| *m == Message::HaveAll));
    world.pass(120);
    assert!(world.nodes[bob].complete && world.nodes[carol].complete);
}

#[test]
fn dials_that_fail_are_tried_again_later() {
    let info = info(false);
    let mut world = World::default();
    let bob = world.leech(&info);
    let addresses = vec!["127.0.0.9:1".parse().unwrap()];
    world.input(bob, Input::Candidates { source: Source::Tracker, addresses });
    let next = world.nodes[bob].torrent.poll_timeout();
    assert!(next.is_some_and(|at| at > START), "the refused peer has its back-off: {next:?}");
}

#[test]
fn what_a_failed_flush_left_in_doubt_is_not_called_clean() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.nodes[bob].flush_fails = true;
    world.connect(bob, alice, Source::Hint);
    world.pass(10);
    assert_eq!(world.nodes[bob].torrent.status().state, State::Failed);
    let resume = world.nodes[bob].persisted.clone().unwrap();
    assert!(resume.have.is_none() && !resume.clean, "nothing is sure to be there, all of it may be");
    world.nodes[bob].flush_fails = false;
    world.pass(20);
    assert!(world.nodes[bob].complete, "what was verified before is not fetched again");
    assert_eq!(world.nodes[bob].torrent.status().downloaded_bytes, 400_000);
}

#[test]
fn a_paused_torrent_can_be_rechecked() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.seed(&info), world.leech(&info));
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    world.input(bob, Input::Command(Command::Pause));
    world.nodes[bob].data[5] ^= 1;
    world.input(bob, Input::Command(Command::Recheck));
    let resume = world.nodes[bob].persisted.clone().unwrap();
    assert!(resume.clean && !resume.have.get(0), "what was found is stored");
    assert_eq!(world.nodes[bob].torrent.poll_timeout(), None);
    world.input(bob, Input::Command(Command::Resume));
    world.connect(bob, alice, Source::Hint);
    world.pass(30);
    assert!(world.nodes[bob].data == payload() && world.nodes[bob].torrent.status().complete);
}

#[test]
fn who_learns_the_metadata_tells_those_that_connected_before() {
    let info = info(false);
    let magnet = |name| TorrentConfig { info: None, ..config(name, &info) };
    let mut world = World::default();
    let (bob, carol) = (world.add(magnet(8), &info, Vec::new()), world.add(magnet(9), &info, Vec::new()));
    world.connect(bob, carol, Source::Hint);
    let alice = world.seed(&info);
    world.connect(bob, alice, Source::Hint);
    world.pass(60);
    assert!(world.nodes[bob].complete && world.nodes[carol].complete, "Carol never met Alice");
}

#[test]
fn another_port_is_told_to_connected_peers_once() {
    let info = info(false);
    let mut world = World::default();
    let (alice, bob) = (world.leech(&info), world.leech(&info));
    world.connect(bob, alice, Source::Hint);
    for port in [Some(7000), Some(7000), None] {
        world.input(alice, Input::Command(Command::ListenPort(port)));
    }
    let greeting = |(_, message): &(PeerKey, Message)| match message {
        Message::ExtensionHandshake(greeting) => Some(greeting.port),
        _ => None,
    };
    let told: Vec<_> = world.nodes[alice].sent_messages.iter().filter_map(greeting).collect();
    assert_eq!(told, [Some(6881), Some(7000), None]);
}

#[test]
fn a_super_seed_shows_more_to_a_peer_that_wants_nothing_of_what_it_was_shown() {
    let info = info(false);
    let mut world = World::default();
    let alice = world.add(TorrentConfig { complete: true, super_seed: true, ..config(1, &info) }, &info, payload());
    let bob = world.leech(&info);
    world.input(bob, Input::Command(Command::Prioritise(vec![(FileIndex(1), Priority::Skip)])));
    world.connect(bob, alice, Source::Hint);
    world.pass(600);
    assert!(world.nodes[bob].complete);
}

#[test]
fn in_the_end_game_a_crowd_is_asked_for_little_twice() {
    const BLOCKS: usize = 600;
    let pieces = BLOCKS * BLOCK_LEN as usize / PIECE as usize;
    let length = BLOCKS * BLOCK_LEN as usize;
    let mut raw = format!("d6:lengthi{length}e4:name1:x12:piece lengthi{PIECE}e6:pieces{}:", 20 * pieces).into_bytes();
    raw.resize(raw.len() + 20 * pieces, 0);
    raw.push(b'e');
    let info = Arc::new(Info::from_bytes(raw.into()).unwrap());
    let mut world = World::default();
    let bob = world.leech(&info);
    for _ in 0..49 {
        let seed = world.add(TorrentConfig { complete: true, ..config(9, &info) }, &info, Vec::new());
        world.nodes[seed].silent = true;
        world.connect(bob, seed, Source::Hint);
    }
    let asked: Vec<usize> = world.nodes[bob].torrent.peers().iter().map(|peer| peer.requests as usize).collect();
    assert_eq!(asked.len(), 49);
    assert!(asked[40..].iter().all(|&asked| (1..=2).contains(&asked)), "all were asked for once already: {asked:?}");
}
