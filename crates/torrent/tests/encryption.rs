//! A session dials peers that do not encrypt, or no longer do.

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metainfo::create::Mode;
use support::{Node, create, open_with, options, write_files};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use torrent::{Add, AddSource, Encryption, NetworkConfig, TorrentId};

async fn node(encryption: Encryption) -> Node {
    let home = tempfile::tempdir().unwrap();
    let session = open_with(home.path(), |config| {
        config.network = NetworkConfig { encryption, ..NetworkConfig::default() };
    })
    .await;
    Node { session, home }
}

/// What stands between a node and the peer that it dials.
#[derive(Clone)]
struct Between {
    address: SocketAddr,
    /// Of each connection, whether it began in the clear.
    openings: Arc<Mutex<Vec<bool>>>,
    /// Another program has the port for one connection, and answers in its own way.
    foreign: Arc<AtomicBool>,
}

impl Between {
    /// Passes connections on to `to`.
    async fn start(to: SocketAddr) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let between = Between { address, openings: Arc::default(), foreign: Arc::default() };
        let it = between.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(it.clone().pass_on(near, to));
            }
        });
        between
    }

    async fn pass_on(self, mut near: TcpStream, to: SocketAddr) {
        let mut first = [0; 20];
        near.read_exact(&mut first).await.unwrap();
        self.openings.lock().unwrap().push(&first[1..] == b"BitTorrent protocol");
        if self.foreign.load(Ordering::Relaxed) {
            near.write_all(b"220 somebody else").await.unwrap();
            // Until he hangs up.
            let _ = near.read_to_end(&mut Vec::new()).await;
            return self.foreign.store(false, Ordering::Relaxed);
        }
        let mut far = TcpStream::connect(to).await.unwrap();
        far.write_all(&first).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    }

    fn openings(&self) -> Vec<bool> {
        self.openings.lock().unwrap().clone()
    }
}

/// Shares a file of this name, and has `bob` get it from `address`.
async fn exchange(alice: &Node, bob: &Node, name: &str, address: SocketAddr) -> TorrentId {
    let files = &[(name, 444_444)];
    write_files(&alice.folder(), files, 1);
    let file = create(&alice.folder(), name, files, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    let mut add = Add::new(AddSource::File(file.to_bytes().into()));
    add.peers = vec![address.to_string()];
    bob.session.add(add).await.unwrap();
    id
}

#[tokio::test]
async fn who_does_not_encrypt_is_met_in_the_clear_and_remembered() {
    let (alice, bob) = (node(Encryption::Off).await, node(Encryption::Prefer).await);
    let between = Between::start(alice.session.listen_addrs()[0]).await;
    for (name, expected) in [("first.bin", &[false, true][..]), ("second.bin", &[false, true, true])] {
        let id = exchange(&alice, &bob, name, between.address).await;
        bob.wait_complete(id).await;
        assert_eq!(between.openings(), expected, "{name}");
    }
    // Who is somebody else now is not taken for the old one again.
    between.foreign.store(true, Ordering::Relaxed);
    exchange(&alice, &bob, "third.bin", between.address).await;
    let answered = async {
        while between.foreign.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(support::PATIENCE, answered).await.expect("the other program is dialled");
    let id = exchange(&alice, &bob, "fourth.bin", between.address).await;
    bob.wait_complete(id).await;
    assert_eq!(between.openings()[3..6], [true, false, true]);
}

#[tokio::test]
async fn who_must_encrypt_is_never_met_in_the_clear() {
    let (alice, bob) = (node(Encryption::Prefer).await, node(Encryption::Require).await);
    let between = Between::start(alice.session.listen_addrs()[0]).await;
    let id = exchange(&alice, &bob, "one.bin", between.address).await;
    bob.wait_complete(id).await;
    assert_eq!(between.openings(), [false]);

    let (alice, bob) = (node(Encryption::Off).await, node(Encryption::Require).await);
    let between = Between::start(alice.session.listen_addrs()[0]).await;
    let id = exchange(&alice, &bob, "one.bin", between.address).await;
    bob.wait(id, "refused", |_| !between.openings().is_empty()).await;
    // Both ends tell; a dial in the clear would have followed at once.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!between.openings().contains(&true));
    assert_eq!(bob.session.status(id).await.unwrap().done_bytes, 0);
}
