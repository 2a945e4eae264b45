//! The same over the real overlay: QUIC on loopback, nodes proven by their keys.

use net::{Gate, GateLimits};
use overlay::{Directory, Hint, Overlay, Relays, Settings};

use super::super::post::{Overland, serve};
use super::*;

impl Directory for View {
    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        Circle::person_of(self, node)
    }

    fn groups_of(&self, _node: NodeId) -> Vec<GroupId> {
        Vec::new()
    }

    fn hints(&self, node: NodeId) -> Vec<Hint> {
        Circle::hints(self, node).iter().filter_map(|hint| hint.parse().ok()).collect()
    }

    fn admits(&self, node: NodeId, _service: &str) -> bool {
        !self.is_refused(node)
    }
}

/// Starts somebody with a real overlay.
async fn start(world: &Arc<World>, number: u8, name: &'static str) -> (Person, Overlay) {
    let home = tempfile::tempdir().unwrap();
    let id = PersonId([number; 32]);
    let view = Arc::new(View { own: id, world: world.clone() });
    let (session, database) = start_session(home.path()).await;
    let overlay = Overlay::start(
        Settings {
            secret: [number; 32],
            bind: vec!["127.0.0.1:0".parse().unwrap()],
            egress: net::Egress::default(),
            relays: Relays { known: Vec::new(), public: false },
            publish: false,
            mdns: false,
            map_port: false,
            dht: None,
            gate: Gate::new(GateLimits { connections: 100, per_torrent: 100, per_address: 100, per_person: 100 }),
            directory: view.clone(),
        },
        Vec::new(),
    )
    .await
    .unwrap();
    let hints = overlay.own_hints().iter().map(ToString::to_string).collect();
    world.keyed.lock().unwrap().insert(id, (overlay.node(), hints));
    session.set_overland(Arc::new(Overland { overlay: overlay.clone(), circle: view.clone() }));
    let (sorting, post) = (Sorting::open(database.clone()).await.unwrap(), Arc::new(overlay.clone()));
    let parts = Parts { session: session.clone(), sorting, database, circle: view, post };
    let sharing = Sharing::start(parts).await.unwrap();
    serve(&overlay, &session, &sharing);
    world.people.lock().unwrap().insert(id, name.to_owned());
    (Person { id, name, home, world: world.clone(), session, sharing }, overlay)
}

#[tokio::test]
async fn a_share_goes_over_quic_and_a_stranger_gets_nothing() {
    let world: Arc<World> = Arc::default();
    let (alice, _alice_overlay) = start(&world, 1, "alice").await;
    let (bob, bob_overlay) = start(&world, 2, "bob").await;
    let (mallory, _mallory_overlay) = start(&world, 3, "mallory").await;
    let path = alice.write("film", 3_333_333);
    let id = alice.share(&path, &["bob"], &[]).await;
    let item = bob.hears_of(id).await;
    let limits = torrent::TorrentLimits { up_bytes_per_s: Some(2_000_000), ..Default::default() };
    alice.session.limit(id, limits).await.unwrap();

    // Mallory knows the info-hash, the address and the node's id, and is even known to Alice.
    mallory.sharing.fetch(&item.notice, Some(mallory.downloads())).await.unwrap();
    mallory.session.admit(id, [alice.node(), bob.node()]).await.unwrap();
    bob.accepts(id).await;
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let peers = bob.session.peers(id).await.unwrap();
        if let [peer] = &peers[..] {
            assert_eq!((peer.carrier, peer.node), (torrent::Carrier::Quic, Some(alice.node())));
            break;
        }
        assert!(tokio::time::Instant::now() < end, "bob does not reach alice: {peers:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(bob_overlay.connections().iter().any(|connection| connection.node == alice.node()));
    bob.has(id).await;
    assert!(same(&path, &bob.downloads().join("film")));
    let status = mallory.session.status(id).await.unwrap();
    assert_eq!((status.downloaded, status.peers, status.total_bytes), (0, 0, None));
}

#[tokio::test]
async fn a_library_is_read_over_quic() {
    let world: Arc<World> = Arc::default();
    let (alice, _alice_overlay) = start(&world, 1, "alice").await;
    let (bob, _bob_overlay) = start(&world, 2, "bob").await;
    let song = alice.write("music/song.ogg", 222_222);
    let folder = song.parent().unwrap().canonicalize().unwrap().display().to_string();
    let audience = alice.sharing.audience(&["bob".to_owned()], &[]).unwrap();
    alice.sharing.add_library(Library { name: "music".to_owned(), folder, audience }).await.unwrap();
    let path = vec!["music".to_owned(), "song.ogg".to_owned()];
    let id = bob.sharing.take("alice", path, None, &Progress::default()).await.unwrap();
    bob.has(id).await;
    assert!(same(&song, &bob.downloads().join("song.ogg")));
}
