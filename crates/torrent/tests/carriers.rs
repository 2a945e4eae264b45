//! One session shares, another gets, by the carriers that each of them allows.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use metainfo::create::Mode;
use support::{Node, assert_same, create, open_with, options, write_files};
use torrent::{AddSource, Carrier, NetworkConfig};

const FILES: &[(&str, usize)] = &[("one.bin", 4_444_444)];

/// Starts a node with these carriers, listening on an address.
async fn node(tcp: bool, utp: bool, prefer: Option<Carrier>, listen: &str) -> Node {
    let home = tempfile::tempdir().unwrap();
    let session = open_with(home.path(), |config| {
        config.network = NetworkConfig { tcp, utp, prefer, ..NetworkConfig::default() };
        config.listen = vec![listen.parse().unwrap()];
    })
    .await;
    Node { session, home }
}

/// Lets `bob` get a file from `alice`; returns what carried it.
async fn transfer(alice: &Node, bob: &Node) -> Carrier {
    write_files(&alice.folder(), FILES, 1);
    let file = create(&alice.folder(), "one.bin", FILES, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    // Slow enough to be seen.
    let limits = torrent::TorrentLimits { up_bytes_per_s: Some(8_000_000), ..Default::default() };
    alice.session.limit(id, limits).await.unwrap();
    bob.get(AddSource::File(file.to_bytes().into()), alice).await;
    bob.wait(id, "begun", |status| status.done_bytes > 0).await;
    let carrier = bob.session.peers(id).await.unwrap()[0].carrier;
    assert_eq!(alice.session.peers(id).await.unwrap()[0].carrier, carrier, "both ends agree");
    bob.wait_complete(id).await;
    assert_same(&alice.folder(), &bob.folder(), FILES);
    carrier
}

#[tokio::test]
async fn each_end_has_a_say_in_what_carries_a_connection() {
    use Carrier::{Tcp, Utp};
    let any = "127.0.0.1:0";
    for (alice, bob, expected) in [
        (node(true, true, None, any).await, node(true, true, None, any).await, Tcp),
        (node(true, true, None, any).await, node(true, true, Some(Utp), any).await, Utp),
        (node(false, true, None, any).await, node(true, true, Some(Tcp), any).await, Utp),
        (node(true, true, None, any).await, node(false, true, None, any).await, Utp),
        (node(true, false, None, any).await, node(true, true, Some(Utp), any).await, Tcp),
    ] {
        assert_eq!(transfer(&alice, &bob).await, expected, "{:?} {:?}", alice.session.network(), bob.session.network());
    }
}

#[tokio::test]
async fn who_hangs_up_by_tcp_is_met_by_utp() {
    let (alice, bob) = (node(false, true, None, "127.0.0.1:0").await, node(true, true, None, "127.0.0.1:0").await);
    let listener = tokio::net::TcpListener::bind(alice.address()).await.unwrap();
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    assert_eq!(transfer(&alice, &bob).await, Carrier::Utp);
}

#[tokio::test]
async fn utp_goes_over_ipv6_too() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        return; // a machine without IPv6 has nothing to show
    }
    let (alice, bob) = (node(false, true, None, "[::1]:0").await, node(false, true, None, "[::1]:0").await);
    assert_eq!(transfer(&alice, &bob).await, Carrier::Utp);
}

#[tokio::test]
async fn both_carriers_answer_on_the_same_port() {
    let alice = node(true, true, None, "127.0.0.1:0").await;
    let address = alice.session.listen_addrs()[0];
    assert!(std::net::UdpSocket::bind(address).is_err(), "{address} is taken for UDP too");
    let only = node(false, true, None, "127.0.0.1:0").await;
    let address: SocketAddr = only.session.listen_addrs()[0];
    assert!(address.port() != 0 && std::net::TcpListener::bind(address).is_ok(), "{address} is not taken for TCP");
}

#[tokio::test]
async fn who_leaves_says_so_over_utp() {
    let (alice, bob) = (node(false, true, None, "127.0.0.1:0").await, node(false, true, None, "127.0.0.1:0").await);
    write_files(&alice.folder(), FILES, 2);
    let file = create(&alice.folder(), "one.bin", FILES, options(Mode::V1, 65536));
    let id = alice.share(&file).await;
    let limits = torrent::TorrentLimits { up_bytes_per_s: Some(1_000), ..Default::default() };
    alice.session.limit(id, limits).await.unwrap();
    bob.get(AddSource::File(file.to_bytes().into()), &alice).await;
    bob.wait(id, "connected", |status| status.peers == 1).await;
    // Far below the minute or so after which silence ends a connection.
    tokio::time::timeout(Duration::from_secs(20), async {
        alice.session.shutdown().await;
        bob.wait(id, "alone", |status| status.peers == 0).await;
    })
    .await
    .expect("bob hears of it");
}
