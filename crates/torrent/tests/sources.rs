//! Where peers and content come from beside a hint: trackers, web seeds, the URL of a .torrent file.

mod support;

use metainfo::create::Mode;
use support::server::{serve, serve_files, serve_tracker};
use support::{Node, assert_same, create, options, write_files};
use torrent::{Add, AddSource, SessionEvent, State};

const FILES: &[(&str, usize)] = &[("a tree/one.bin", 700_000), ("a tree/sub/two & more.bin", 333_333)];

#[tokio::test]
async fn two_nodes_find_each_other_by_a_tracker_in_both_swarms_of_a_hybrid() {
    let (tracker, log) = serve_tracker().await;
    let (alice, bob) = (Node::start().await, Node::start().await);
    write_files(&alice.folder(), FILES, 1);
    let mut file = create(&alice.folder(), "a tree", FILES, options(Mode::Hybrid, 32768));
    file.trackers = vec![vec![format!("http://{tracker}/announce")]];
    let id = alice.share(&file).await;
    let announced = |n| {
        let log = log.clone();
        async move {
            while log.lock().unwrap().len() < n {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    };
    tokio::time::timeout(support::PATIENCE, announced(2)).await.expect("alice announces each name");
    let added = bob.session.add(Add::new(AddSource::Link(file.magnet().to_string()))).await.unwrap();
    bob.wait_complete(added.id).await;
    assert_same(&alice.folder(), &bob.folder(), FILES);
    let trackers = bob.session.trackers(id).await.unwrap();
    assert_eq!((trackers.len(), trackers[0].failing, trackers[0].seeds), (1, false, Some(2)), "{trackers:?}");
    bob.session.shutdown().await;
    let log = log.lock().unwrap();
    for event in ["started", "completed", "stopped"] {
        let count = log.iter().filter(|r| r.target.contains(&format!("event={event}"))).count();
        assert!(count >= 2, "{event} was said {count} times: {log:#?}");
    }
    assert!(log.iter().any(|r| r.target.contains("left=0")));
}

#[tokio::test]
async fn a_failing_tracker_is_shown_with_its_words() {
    let (tracker, _) = serve(|_| ("200 OK".into(), b"d14:failure reason12:not welcome.e".to_vec())).await;
    let alice = Node::start().await;
    write_files(&alice.folder(), FILES, 2);
    let mut file = create(&alice.folder(), "a tree", FILES, options(Mode::V1, 32768));
    file.trackers = vec![vec![format!("http://{tracker}/announce")]];
    let mut events = alice.session.subscribe();
    let id = alice.share(&file).await;
    let words = loop {
        if let SessionEvent::Tracker(_, words) = events.recv().await.unwrap() {
            break words;
        }
    };
    assert!(words.contains("not welcome."), "{words}");
    let status = alice.session.trackers(id).await.unwrap();
    assert!(status[0].failing && status[0].message.as_ref().unwrap().contains("not welcome."), "{status:?}");
}

/// A tracker whose announces carry no numbers, and which knows 7 seeds and 5 others of every swarm when scraped.
async fn serve_silent_tracker(hash: [u8; 20]) -> (std::net::SocketAddr, impl Fn() -> usize) {
    let (tracker, log) = serve(move |request| {
        if !request.target.starts_with("/scrape?") {
            return ("200 OK".into(), b"d8:intervali1800e5:peers0:e".to_vec());
        }
        let body = [&b"d5:filesd20:"[..], &hash, b"d8:completei7e10:downloadedi9e10:incompletei5eeee"].concat();
        ("200 OK".into(), body)
    })
    .await;
    (tracker, move || log.lock().unwrap().iter().filter(|request| request.target.starts_with("/scrape?")).count())
}

#[tokio::test]
async fn a_tracker_that_announces_no_numbers_is_scraped_once_also_while_paused() {
    for paused in [false, true] {
        let alice = Node::start().await;
        write_files(&alice.folder(), FILES, 2);
        let mut file = create(&alice.folder(), "a tree", FILES, options(Mode::V1, 32768));
        let (tracker, scrapes) = serve_silent_tracker(file.hashes().key().0).await;
        file.trackers = vec![vec![format!("http://{tracker}/announce")]];
        let mut add = Add::new(AddSource::File(file.to_bytes().into()));
        (add.have_all, add.paused) = (true, paused);
        let id = alice.session.add(add).await.unwrap().id;
        let shown = async {
            loop {
                // Looking is what asks for the numbers of a torrent that does not run.
                let status = alice.session.trackers(id).await.unwrap().remove(0);
                if status.seeds.is_some() {
                    break (status.seeds, status.leechers);
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let shown = tokio::time::timeout(support::PATIENCE, shown).await.expect("the numbers arrive");
        assert_eq!((shown, scrapes()), ((Some(7), Some(5)), 1), "paused: {paused}");
        alice.session.shutdown().await;
    }
}

#[tokio::test]
async fn a_web_seed_alone_is_enough() {
    for mode in [Mode::V1, Mode::Hybrid, Mode::V2] {
        let source = tempfile::tempdir().unwrap();
        write_files(source.path(), FILES, 3);
        let mut file = create(source.path(), "a tree", FILES, options(mode, 131_072));
        let (server, log) = serve_files(source.path().to_owned()).await;
        file.web_seeds = vec![format!("http://{server}/")];
        let bob = Node::start().await;
        let added = bob.session.add(Add::new(AddSource::File(file.to_bytes().into()))).await.unwrap();
        bob.wait_complete(added.id).await;
        assert_same(source.path(), &bob.folder(), FILES);
        let requests = log.lock().unwrap().len();
        assert!(requests < 24, "{mode:?}: {requests} requests for 1 MB");
    }
}

#[tokio::test]
async fn a_bad_web_seed_is_dropped_and_a_good_peer_finishes() {
    let source = tempfile::tempdir().unwrap();
    write_files(source.path(), FILES, 4);
    let mut file = create(source.path(), "a tree", FILES, options(Mode::V1, 32768));
    let wrong = tempfile::tempdir().unwrap();
    write_files(wrong.path(), FILES, 5);
    let (server, _) = serve_files(wrong.path().to_owned()).await;
    file.web_seeds = vec![format!("http://{server}/")];
    let (alice, bob) = (Node::start().await, Node::start().await);
    write_files(&alice.folder(), FILES, 4);
    let id = alice.share(&file).await;
    bob.session.add(Add::new(AddSource::File(file.to_bytes().into()))).await.unwrap();
    bob.wait(id, "suspicious", |s| s.wasted > 0).await;
    bob.session.add_peer(id, &alice.address()).await.unwrap();
    let status = bob.wait_complete(id).await;
    assert_same(&alice.folder(), &bob.folder(), FILES);
    assert_eq!(status.state, State::Seeding);
}

#[tokio::test]
async fn a_torrent_file_comes_by_its_url_and_what_is_none_is_refused() {
    let alice = Node::start().await;
    write_files(&alice.folder(), FILES, 6);
    let file = create(&alice.folder(), "a tree", FILES, options(Mode::V1, 32768));
    let bytes = file.to_bytes();
    let (server, _) = serve(move |request| match request.target.as_str() {
        "/good.torrent" => ("200 OK".into(), bytes.clone()),
        "/page" => ("200 OK".into(), b"<html>".to_vec()),
        _ => ("404 Not Found".into(), Vec::new()),
    })
    .await;
    let id = alice.share(&file).await;
    let bob = Node::start().await;
    let added = bob.get(AddSource::Link(format!("http://{server}/good.torrent")), &alice).await;
    assert_eq!(added.id, id);
    bob.wait_complete(id).await;
    for (path, words) in [("page", "byte 0"), ("missing", "404 (Not Found)")] {
        let error = bob.session.add(Add::new(AddSource::Link(format!("http://{server}/{path}")))).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    for link in ["magnet:?dn=x", "nonsense", "magnet:?xt=urn:btih:123"] {
        let error = bob.session.add(Add::new(AddSource::Link(link.into()))).await.unwrap_err().to_string();
        assert!(error.starts_with(link), "{error}");
    }
}
