//! One session shares, another gets, over loopback.

mod support;

use std::time::Duration;

use metainfo::create::Mode;
use support::{Node, assert_same, create, options, write_files};
use torrent::{AddSource, State};

const FILES: &[(&str, usize)] =
    &[("tree/a.bin", 1_000_000), ("tree/sub/b.bin", 16_384), ("tree/c.txt", 5), ("tree/sub/d.bin", 300_001)];

#[tokio::test]
async fn a_file_goes_from_one_node_to_another() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let files = [("one.bin", 3_333_333)];
    write_files(&alice.folder(), &files, 1);
    let file = create(&alice.folder(), "one.bin", &files, options(Mode::V1, 65536));
    alice.share(&file).await;
    let added = bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    let status = bob.wait_complete(added.id).await;
    assert_eq!((status.state, status.done_bytes, status.downloaded), (State::Seeding, 3_333_333, 3_333_333));
    assert_same(&alice.folder(), &bob.folder(), &files);
    let uploaded = alice.wait(added.id, "counted", |s| s.uploaded == 3_333_333).await;
    assert_eq!(uploaded.ratio, 1.0);
}

#[tokio::test]
async fn a_magnet_with_a_peer_is_enough_for_every_kind_of_torrent() {
    for mode in [Mode::V1, Mode::Hybrid, Mode::V2] {
        let (alice, bob) = (Node::start().await, Node::start().await);
        write_files(&alice.folder(), FILES, 2);
        let file = create(&alice.folder(), "tree", FILES, options(mode, 32768));
        let id = alice.share(&file).await;
        let mut magnet = file.magnet();
        magnet
            .peers
            .push(metainfo::PeerHint { host: "127.0.0.1".into(), port: alice.session.listen_addrs()[0].port() });
        let add = torrent::Add::new(AddSource::Link(magnet.to_string()));
        let added = bob.session.add(add).await.unwrap();
        assert_eq!(added.id, id, "{mode:?}");
        let status = bob.wait_complete(added.id).await;
        assert_eq!(status.name, "tree", "{mode:?}");
        assert_same(&alice.folder(), &bob.folder(), FILES);
        let hers = alice.session.torrent_file(id).await.unwrap();
        // Of a hybrid, the v1 hashes suffice before all layers of v2 hashes are here: those are computed then.
        for attempt in 0.. {
            if bob.session.torrent_file(id).await.unwrap() == hers {
                break;
            }
            assert!(attempt < 500, "{mode:?}: the torrent files differ");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_third_node_fetches_from_the_second_after_the_first_has_gone() {
    let (alice, bob, carol) = (Node::start().await, Node::start().await, Node::start().await);
    write_files(&alice.folder(), FILES, 3);
    let file = create(&alice.folder(), "tree", FILES, options(Mode::V1, 32768));
    let id = alice.share(&file).await;
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait_complete(id).await;
    alice.session.shutdown().await;
    carol.get(AddSource::File(file.to_bytes().into()), &bob).await;
    carol.wait_complete(id).await;
    assert_same(&alice.folder(), &carol.folder(), FILES);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was_without_fetching_again() {
    let (alice, mut bob) = (Node::start().await, Node::start().await);
    let files = [("big.bin", 8 << 20)];
    write_files(&alice.folder(), &files, 4);
    let file = create(&alice.folder(), "big.bin", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    let mut limits = bob.session.limits();
    limits.down_bytes_per_s = Some(4 << 20);
    bob.session.set_limits(limits);
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait(id, "half way", |s| s.done_bytes > 2 << 20).await;
    // The peer is remembered.
    bob.restart().await;
    let status = bob.wait_complete(id).await;
    assert_same(&alice.folder(), &bob.folder(), &files);
    assert!(status.downloaded < (8 << 20) + (1 << 20), "{} bytes were fetched", status.downloaded);

    bob.restart().await;
    let status = bob.wait_complete(id).await;
    assert_eq!(status.state, State::Seeding);
}

#[tokio::test]
async fn pausing_stops_and_resuming_finishes() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let files = [("big.bin", 4 << 20)];
    write_files(&alice.folder(), &files, 5);
    let file = create(&alice.folder(), "big.bin", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    let mut limits = bob.session.limits();
    limits.down_bytes_per_s = Some(1 << 20);
    bob.session.set_limits(limits.clone());
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait(id, "begun", |s| s.done_bytes > 0).await;
    bob.session.pause(id).await.unwrap();
    let paused = bob.wait(id, "paused", |s| s.state == State::Paused && s.peers == 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bob.session.status(id).await.unwrap().downloaded, paused.downloaded);
    limits.down_bytes_per_s = None;
    bob.session.set_limits(limits);
    bob.session.resume(id).await.unwrap();
    bob.session.add_peer(id, &alice.address()).await.unwrap();
    bob.wait_complete(id).await;
    assert_same(&alice.folder(), &bob.folder(), &files);
}

#[tokio::test]
async fn a_rate_limit_is_kept() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let files = [("big.bin", 2 << 20)];
    write_files(&alice.folder(), &files, 6);
    let file = create(&alice.folder(), "big.bin", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    alice
        .session
        .limit(id, torrent::TorrentLimits { up_bytes_per_s: Some(1 << 20), ..Default::default() })
        .await
        .unwrap();
    let begun = tokio::time::Instant::now();
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait_complete(id).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1500), "2 MiB at 1 MiB/s took {took:?}");
}

#[tokio::test]
async fn removing_with_data_leaves_nothing() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    write_files(&alice.folder(), FILES, 7);
    let file = create(&alice.folder(), "tree", FILES, options(Mode::V1, 32768));
    let id = alice.share(&file).await;
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait_complete(id).await;
    bob.session.remove(id, true).await.unwrap();
    assert!(bob.session.status(id).await.is_err() && bob.session.ids().is_empty());
    assert!(!bob.folder().join("tree").exists());
    alice.session.remove(id, false).await.unwrap();
    assert!(alice.folder().join("tree/a.bin").exists());
}

#[tokio::test]
async fn what_somebody_reads_comes_first() {
    let (alice, bob) = (Node::start().await, Node::start().await);
    let files = [("film.bin", 8 << 20)];
    write_files(&alice.folder(), &files, 9);
    let file = create(&alice.folder(), "film.bin", &files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    let up = torrent::TorrentLimits { up_bytes_per_s: Some(1 << 20), ..Default::default() };
    alice.session.limit(id, up).await.unwrap();
    let add = torrent::Add::new(AddSource::File(file.to_bytes().into()));
    bob.session.add(add).await.unwrap();
    let reader = 5 << 20..(5 << 20) + 70_000;
    bob.session.read(id, metainfo::FileIndex(0), reader).await.unwrap();
    assert!(bob.session.read(id, metainfo::FileIndex(1), 0..1).await.is_err(), "there is one file");
    bob.session.add_peer(id, &alice.address()).await.unwrap();
    // The ten pieces of the allowed-fast set may come before, since they are asked for while Alice still chokes (BEP 6).
    let status = bob.wait(id, "in the middle", |s| s.done_bytes >= 16 * 65536).await;
    assert!(status.done_bytes < 3 << 20, "{} bytes are no proof of an order", status.done_bytes);
    let (hers, his) = (alice.folder().join("film.bin"), bob.folder().join("film.bin.part"));
    let (hers, his) = (std::fs::read(hers).unwrap(), std::fs::read(his).unwrap());
    let pieces = 5 << 20..(5 << 20) + 2 * 65536;
    assert!(his.len() >= pieces.end && his[pieces.clone()] == hers[pieces], "the two pieces of the reader are here");
}
