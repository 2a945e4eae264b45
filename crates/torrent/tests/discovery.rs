//! Peers that nobody named: by the DHT, by one another.

mod support;

use metainfo::Magnet;
use metainfo::create::Mode;
use support::{Node, assert_same, create, open_with, options, write_files};
use torrent::{Add, AddSource, DhtConfig, Session, Source, SourceStatus, TorrentId};

const FILES: &[(&str, usize)] = &[("tree/one.bin", 300_000), ("tree/two.bin", 33_333)];

/// Starts a node that takes part in a DHT which is entered at `bootstrap`.
async fn start(bootstrap: Option<&Node>, pex: bool) -> Node {
    let home = tempfile::tempdir().unwrap();
    let bootstrap = bootstrap.into_iter().map(Node::address).collect();
    let session = open_with(home.path(), |config| {
        config.network.dht = Some(DhtConfig { bootstrap, ..DhtConfig::default() });
        config.network.pex = pex;
    });
    Node { session: session.await, home }
}

/// Starts a node that hears of others from its peers alone.
async fn start_without_dht() -> Node {
    let home = tempfile::tempdir().unwrap();
    let session = open_with(home.path(), |config| {
        config.network.dht = None;
        config.network.pex = true;
    });
    Node { session: session.await, home }
}

async fn source(session: &Session, id: TorrentId, source: Source) -> SourceStatus {
    session.sources(id).await.unwrap().into_iter().find(|s| s.source == source).unwrap()
}

/// A magnet that names nothing but the torrent.
fn bare(file: &metainfo::TorrentFile) -> AddSource {
    AddSource::Link(Magnet::new(file.hashes()).to_string())
}

#[tokio::test]
async fn a_bare_magnet_is_enough_where_there_is_a_dht() {
    for mode in [Mode::V1, Mode::V2, Mode::Hybrid] {
        let router = start(None, false).await;
        let (alice, bob) = (start(Some(&router), false).await, start(Some(&router), false).await);
        write_files(&alice.folder(), FILES, 1);
        let file = create(&alice.folder(), "tree", FILES, options(mode, 32768));
        alice.share(&file).await;
        let added = bob.session.add(Add::new(bare(&file))).await.unwrap();
        bob.wait_complete(added.id).await;
        assert_same(&alice.folder(), &bob.folder(), FILES);
        let dht = source(&bob.session, added.id, Source::Dht).await;
        assert!(dht.enabled && dht.given >= 1 && dht.last_at.is_some(), "{dht:?}");
    }
}

#[tokio::test]
async fn a_private_torrent_is_not_in_the_dht() {
    let router = start(None, true).await;
    let (alice, bob) = (start(Some(&router), true).await, start(Some(&router), true).await);
    write_files(&alice.folder(), FILES, 1);
    let private = metainfo::create::Options { private: true, ..options(Mode::V1, 32768) };
    let file = create(&alice.folder(), "tree", FILES, private);
    let id = alice.share(&file).await;
    let dht = bob.session.dht().unwrap();
    dht.ready().await;
    alice.session.dht().unwrap().ready().await;
    let mut found = dht.find_peers(file.hashes().key(), None);
    assert_eq!(found.next().await, None, "alice is not announced");
    for hidden in [Source::Dht, Source::Pex, Source::Lsd] {
        let status = source(&alice.session, id, hidden).await;
        assert!(!status.enabled && status.given == 0 && status.last_words.is_empty(), "{status:?}");
    }

    // Whoever comes with the magnet alone has to ask; with the metadata he forgets what he heard.
    let mut add = Add::new(bare(&file));
    add.peers = vec![alice.address()];
    let id = bob.session.add(add).await.unwrap().id;
    bob.wait_complete(id).await;
    assert!(!source(&bob.session, id, Source::Dht).await.enabled);
}

#[tokio::test]
async fn peers_tell_one_another_of_others() {
    let router = start_without_dht().await;
    let (alice, bob, carol) = (start_without_dht().await, start_without_dht().await, start_without_dht().await);
    write_files(&alice.folder(), FILES, 3);
    let file = create(&alice.folder(), "tree", FILES, options(Mode::V1, 32768));
    alice.share(&file).await;
    // All know the router, which has nothing that they want soon, and nobody else. A limit on what it reads would also
    // hold up what the others say of themselves.
    let mut add = Add::new(AddSource::File(file.to_bytes().into()));
    add.limits.up_bytes_per_s = Some(500);
    router.session.add(add).await.unwrap();
    let id = file.hashes().key();
    for node in [&alice, &bob, &carol] {
        if node.session.find(&file.hashes()).is_none() {
            node.get(AddSource::File(file.to_bytes().into()), &router).await;
        } else {
            node.session.add_peer(id, &router.address()).await.unwrap();
        }
    }
    bob.wait_complete(id).await;
    carol.wait_complete(id).await;
    // Who was told first met the others, to whom it may be news no more.
    let mut given = 0;
    for node in [&alice, &bob, &carol] {
        let pex = source(&node.session, id, Source::Pex).await;
        assert!(pex.enabled, "{pex:?}");
        given += pex.given;
    }
    assert!(given >= 1, "alice, bob and carol met");
}

#[tokio::test]
async fn peers_tell_of_their_dht() {
    let (alice, bob) = (start(None, true).await, start(None, true).await);
    write_files(&alice.folder(), FILES, 4);
    let file = create(&alice.folder(), "tree", FILES, options(Mode::V1, 32768));
    alice.share(&file).await;
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    // By PORT messages: nobody named anybody of a DHT.
    bob.session.dht().unwrap().ready().await;
    alice.session.dht().unwrap().ready().await;
}
