//! What can go wrong: crashes, missing files, many files, limits.

mod support;

use std::time::Duration;

use metainfo::FileIndex;
use metainfo::create::Mode;
use support::{Node, assert_same, create, open, open_with, options, write_files};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use torrent::{Add, AddError, AddSource, Priority, State, TorrentLimits};
use torrent_proto::wire::{self, ExtensionIds, Handshake, Message, PeerId, Reserved};

#[test]
fn a_node_killed_at_any_moment_fetches_little_again() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    const PIECE: u32 = 131_072;
    let files = [("big.bin", 24 << 20)];
    // Alice lives on a thread of her own, beside Bob's many lives.
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let alice = Node::start().await;
            write_files(&alice.folder(), &files, 1);
            let file = create(&alice.folder(), "big.bin", &files, options(Mode::V1, PIECE));
            let id = alice.share(&file).await;
            sender.send((alice.address(), alice.folder(), file, id)).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let (address, origin, file, id) = receiver.recv().unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut fetched = 0;
    let mut done = false;
    let mut kills = 0;
    while !done {
        // A runtime that is dropped takes all its tasks with it, wherever they are.
        let life = runtime();
        done = life.block_on(async {
            let session = open(home.path()).await;
            let mut limits = session.limits();
            limits.down_bytes_per_s = Some(16 << 20);
            session.set_limits(limits);
            let mut add = Add::new(AddSource::File(file.to_bytes().into()));
            add.peers = vec![address.clone()];
            session.add(add).await.unwrap();
            let begun = tokio::time::Instant::now();
            let life = Duration::from_millis(150 + rng.u64(..300));
            let mut here = 0;
            loop {
                let status = session.status(id).await.unwrap();
                if status.state == State::Downloading && here == 0 {
                    assert!(begun.elapsed() < Duration::from_secs(2), "up again after {:?}", begun.elapsed());
                    here = status.downloaded;
                }
                if status.is_complete() {
                    fetched = status.downloaded;
                    session.shutdown().await;
                    return true;
                }
                if begun.elapsed() > life {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        drop(life);
        kills += u64::from(!done);
        assert!(kills < 100, "it never finishes");
    }
    assert_same(&origin, &home.path().join("files"), &files);
    // 2 % or four pieces a kill, whichever is more; and what was counted before a kill may not have been stored.
    let allowed = kills * u64::from(4 * PIECE).max((24 << 20) / 50);
    let size = files[0].1 as u64;
    assert!(fetched <= size + allowed, "{fetched} bytes were counted for {size}, {kills} kills");
    println!("{kills} kills, {fetched} of {size} bytes");
}

#[tokio::test]
async fn two_thousand_small_files_travel() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let names: Vec<String> = (0..2000).map(|n| format!("many/{:02}/file {n}.txt", n % 50)).collect();
    let files: Vec<(&str, usize)> = names.iter().enumerate().map(|(n, name)| (name.as_str(), n % 3000)).collect();
    write_files(&alice.folder(), &files, 2);
    let file = create(&alice.folder(), "many", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait_complete(id).await;
    assert_same(&alice.folder(), &bob.folder(), &files);
}

#[tokio::test]
async fn only_the_wanted_file_is_fetched_until_the_other_is_wanted_too() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let files = [("two/a.bin", 500_000), ("two/b.bin", 500_000)];
    write_files(&alice.folder(), &files, 3);
    let file = create(&alice.folder(), "two", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    let mut add = Add::new(AddSource::File(file.to_bytes().into()));
    add.priorities = vec![(FileIndex(1), Priority::Skip)];
    add.peers = vec![alice.address()];
    bob.session.add(add).await.unwrap();
    let status = bob.wait_complete(id).await;
    assert_eq!(status.wanted_bytes, Some(500_000));
    assert_same(&alice.folder(), &bob.folder(), &files[..1]);
    assert!(!bob.folder().join("two/b.bin").exists());
    bob.session.prioritise(id, vec![(FileIndex(1), Priority::Normal)]).await.unwrap();
    bob.session.add_peer(id, &alice.address()).await.unwrap();
    bob.wait(id, "complete again", |s| s.is_complete() && s.wanted_bytes == Some(1_000_000)).await;
    assert_same(&alice.folder(), &bob.folder(), &files);
}

#[tokio::test]
async fn bad_data_on_disk_is_found_by_a_recheck_and_fetched_again() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let files = [("one.bin", 1 << 20)];
    write_files(&alice.folder(), &files, 4);
    let file = create(&alice.folder(), "one.bin", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait_complete(id).await;
    let path = bob.folder().join("one.bin");
    let mut content = std::fs::read(&path).unwrap();
    content[300_000] ^= 1;
    std::fs::write(&path, content).unwrap();
    bob.session.recheck(id).await.unwrap();
    bob.wait(id, "found out", |s| s.state == State::Downloading || s.downloaded > 1 << 20).await;
    bob.session.add_peer(id, &alice.address()).await.unwrap();
    let status = bob.wait_complete(id).await;
    assert_same(&alice.folder(), &bob.folder(), &files);
    assert_eq!(status.downloaded, (1 << 20) + 65536);
}

#[tokio::test]
async fn content_that_is_there_is_checked_and_not_fetched() {
    let bob = Node::start().await;
    let files = [("one.bin", 1 << 20)];
    write_files(&bob.folder(), &files, 5);
    let file = create(&bob.folder(), "one.bin", &files, options(Mode::V1, 65536));
    let added = bob.session.add(Add::new(AddSource::File(file.to_bytes().into()))).await.unwrap();
    let status = bob.wait_complete(added.id).await;
    assert_eq!((status.state, status.downloaded), (State::Seeding, 0));
    let again = bob.session.add(Add::new(AddSource::File(file.to_bytes().into()))).await.unwrap();
    assert!(again.known);
    let mut elsewhere = Add::new(AddSource::File(file.to_bytes().into()));
    elsewhere.folder = Some("/elsewhere".into());
    assert!(matches!(bob.session.add(elsewhere).await, Err(AddError::OtherFolder { id, .. }) if id == added.id));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_fails_with_a_sentence_and_goes_on_when_it_can() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let files = [("one.bin", 1 << 20)];
    write_files(&alice.folder(), &files, 6);
    let file = create(&alice.folder(), "one.bin", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    // A file where the folder should be: refused for root too.
    std::fs::write(bob.folder(), "in the way").unwrap();
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    let status = bob.wait(id, "failed", |s| s.state == State::Failed).await;
    assert!(status.error.as_ref().unwrap().contains("files"), "{status:?}");
    std::fs::remove_file(bob.folder()).unwrap();
    bob.session.resume(id).await.unwrap();
    bob.session.add_peer(id, &alice.address()).await.unwrap();
    bob.wait_complete(id).await;
    assert_same(&alice.folder(), &bob.folder(), &files);
}

#[tokio::test]
async fn a_move_takes_the_content_along_and_seeding_goes_on() {
    let (alice, bob, carol) = (Node::start().await, Node::start().await, Node::start().await);
    let files = [("tree/a", 100_000), ("tree/b", 50_000)];
    write_files(&alice.folder(), &files, 7);
    let file = create(&alice.folder(), "tree", &files, options(Mode::V1, 32768));
    let id = alice.share(&file).await;
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait_complete(id).await;
    let target = bob.home.path().join("elsewhere");
    bob.session.move_to(id, target.clone()).await.unwrap();
    assert_eq!(bob.session.status(id).await.unwrap().folder, target);
    assert_same(&alice.folder(), &target, &files);
    carol.get(AddSource::File(file.to_bytes().into()), &bob).await;
    carol.wait_complete(id).await;
}

#[tokio::test]
async fn the_gate_bounds_connections_and_a_node_does_not_keep_itself() {
    let home = tempfile::tempdir().unwrap();
    let alice = open_with(home.path(), |c| c.limits.connections_per_address = 0).await;
    let bob = Node::start().await;
    let files = [("one.bin", 100_000)];
    write_files(&home.path().join("files"), &files, 8);
    let file = create(&home.path().join("files"), "one.bin", &files, options(Mode::V1, 32768));
    let mut add = Add::new(AddSource::File(file.to_bytes().into()));
    add.have_all = true;
    let id = alice.add(add).await.unwrap().id;
    let mut get = Add::new(AddSource::File(file.to_bytes().into()));
    get.peers = vec![alice.listen_addrs()[0].to_string(), bob.address()];
    bob.session.add(get).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let status = bob.session.status(id).await.unwrap();
    assert_eq!((status.done_bytes, status.peers), (0, 0));
}

#[tokio::test]
async fn a_ratio_goal_pauses_the_torrent() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let files = [("one.bin", 1 << 20)];
    write_files(&alice.folder(), &files, 9);
    let file = create(&alice.folder(), "one.bin", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    alice.session.seed_goal(id, torrent::SeedGoal { ratio: Some(1.0), ..Default::default() }).await.unwrap();
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait_complete(id).await;
    alice.wait(id, "paused", |s| s.state == State::Paused).await;
}

#[tokio::test]
async fn a_goal_of_idleness_waits_while_something_is_sent_and_pauses_the_torrent_after_that() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let files = [("one.bin", 1 << 20)];
    write_files(&alice.folder(), &files, 9);
    let file = create(&alice.folder(), "one.bin", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    // It takes four seconds to send it all.
    let limits = TorrentLimits { up_bytes_per_s: Some(1 << 18), ..TorrentLimits::default() };
    alice.session.limit(id, limits).await.unwrap();
    let goal = torrent::SeedGoal { idle: Some(Duration::from_secs(2)), ..Default::default() };
    alice.session.seed_goal(id, goal).await.unwrap();
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait_complete(id).await;
    alice.wait(id, "paused", |s| s.state == State::Paused).await;
}

#[tokio::test]
async fn a_torrents_own_limit_of_connections_holds_for_those_who_come_too() {
    const FILES: &[(&str, usize)] = &[("one.bin", 300_000)];
    let home = tempfile::tempdir().unwrap();
    let session = open_with(home.path(), |config| config.limits.connections_per_torrent = 1).await;
    let alice = Node { session, home };
    write_files(&alice.folder(), FILES, 9);
    let file = create(&alice.folder(), "one.bin", FILES, options(Mode::V1, 32768));
    let id = alice.share(&file).await;
    // Those who get next to nothing stay connected.
    let limits = TorrentLimits { connections: Some(3), up_bytes_per_s: Some(1), ..TorrentLimits::default() };
    alice.session.limit(id, limits).await.unwrap();
    let mut others = Vec::new();
    for n in 1..=3 {
        let other = Node::start().await;
        other.get(AddSource::File(file.to_bytes().into()), &alice).await;
        alice.wait(id, "connected with each", |status| status.peers == n).await;
        others.push(other);
    }
}

/// Connects, asks for everything, and never reads any of it.
async fn stalled_peer(address: &str, file: &metainfo::TorrentFile) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let peer_id = PeerId(std::array::from_fn(|_| fastrand::u8(..)));
    let handshake = Handshake { reserved: Reserved::default(), info_hash: file.hashes().key(), peer_id };
    let mut bytes = handshake.encode().to_vec();
    let mut say = |message| wire::encode(&message, &ExtensionIds::default(), &mut bytes);
    say(Message::Interested);
    stream.write_all(&bytes).await.unwrap();
    // The answer: a handshake, what alice has, and that it may ask. More may come right behind, in the same read.
    const UNCHOKE: [u8; 5] = [0, 0, 0, 1, 1];
    let mut heard = Vec::new();
    while !heard.windows(UNCHOKE.len()).any(|bytes| bytes == UNCHOKE) {
        assert!(stream.read_buf(&mut heard).await.unwrap() > 0, "alice closed");
    }
    let layout = file.info.layout();
    let mut bytes = Vec::new();
    for block in layout.pieces().flat_map(|piece| layout.blocks(piece)) {
        wire::encode(&Message::Request(block), &ExtensionIds::default(), &mut bytes);
    }
    stream.write_all(&bytes).await.unwrap();
    stream
}

#[tokio::test]
async fn peers_that_stop_reading_take_no_memory_from_others() {
    const FILES: &[(&str, usize)] = &[("one.bin", 16 << 20)];
    let home = tempfile::tempdir().unwrap();
    let session = open_with(home.path(), |config| {
        config.resources.memory_bytes = 4 << 20;
        config.limits.connections_per_address = 100;
        config.limits.upload_slots = Some(100);
    })
    .await;
    let alice = Node { session, home };
    write_files(&alice.folder(), FILES, 11);
    let file = create(&alice.folder(), "one.bin", FILES, options(Mode::V1, 262_144));
    let id = alice.share(&file).await;
    let mut stalled = Vec::new();
    for _ in 0..16 {
        stalled.push(stalled_peer(&alice.address(), &file).await);
    }
    let bob = Node::start().await;
    let started = std::time::Instant::now();
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait_complete(id).await;
    // Those who stall are closed only after a minute.
    assert!(started.elapsed() < Duration::from_secs(30), "it took {:?}", started.elapsed());
    // Bob may have left a seed that has nothing for him.
    assert!(alice.session.status(id).await.unwrap().peers >= 16, "the others are still there");
}
