//! A session dials peers that do not encrypt, or no longer do.

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use metainfo::create::Mode;
use support::{Node, create, open_with, options, write_files};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use torrent::{AddSource, Encryption, NetworkConfig, PeerEncryption};

const FILES: &[(&str, usize)] = &[("one.bin", 444_444)];

async fn node(encryption: Encryption) -> Node {
    let home = tempfile::tempdir().unwrap();
    let session = open_with(home.path(), |config| {
        config.network = NetworkConfig { encryption, ..NetworkConfig::default() };
    })
    .await;
    Node { session, home }
}

/// Passes connections on to `to`; returns where, and how each of them began: whether it was in the clear.
async fn watched(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<bool>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let openings = Arc::new(Mutex::new(Vec::new()));
    let seen = openings.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut first = [0; 20];
                near.read_exact(&mut first).await.unwrap();
                seen.lock().unwrap().push(&first[1..] == b"BitTorrent protocol");
                let mut far = tokio::net::TcpStream::connect(to).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut far, &first).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (address, openings)
}

#[tokio::test]
async fn who_does_not_encrypt_is_met_in_the_clear_and_remembered() {
    let (alice, bob) = (node(Encryption::Off).await, node(Encryption::Prefer).await);
    let (address, openings) = watched(alice.session.listen_addrs()[0]).await;
    write_files(&alice.folder(), FILES, 1);
    for (name, expected) in [("first.bin", &[false, true][..]), ("second.bin", &[false, true, true])] {
        std::fs::copy(alice.folder().join("one.bin"), alice.folder().join(name)).unwrap();
        let file = create(&alice.folder(), name, &[(name, FILES[0].1)], options(Mode::V1, 65536));
        let id = alice.share(&file).await;
        let mut add = torrent::Add::new(AddSource::File(file.to_bytes().into()));
        add.peers = vec![address.to_string()];
        bob.session.add(add).await.unwrap();
        bob.wait_complete(id).await;
        assert_eq!(*openings.lock().unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn who_must_encrypt_is_never_met_in_the_clear() {
    let (alice, bob) = (node(Encryption::Prefer).await, node(Encryption::Require).await);
    let (address, openings) = watched(alice.session.listen_addrs()[0]).await;
    write_files(&alice.folder(), FILES, 1);
    let file = create(&alice.folder(), "one.bin", FILES, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    let limits = torrent::TorrentLimits { up_bytes_per_s: Some(300_000), ..Default::default() };
    alice.session.limit(id, limits).await.unwrap();
    let mut add = torrent::Add::new(AddSource::File(file.to_bytes().into()));
    add.peers = vec![address.to_string()];
    bob.session.add(add).await.unwrap();
    bob.wait(id, "begun", |status| status.done_bytes > 0).await;
    assert_eq!(bob.session.peers(id).await.unwrap()[0].encryption, PeerEncryption::Rc4);
    bob.wait_complete(id).await;
    assert_eq!(*openings.lock().unwrap(), [false]);
}
