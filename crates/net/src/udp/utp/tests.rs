//! Two nodes on loopback, at times with a bad link between them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::*;
use crate::{Egress, Stream, Udp, UdpConfig};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn node(seed: u64) -> (Udp, SocketAddr) {
    let config = UdpConfig {
        egress: Egress { address: Some(LOOPBACK), ..Egress::default() },
        listen: Vec::new(),
        utp: true,
        accept: true,
        memory_bytes: 64 << 20,
        seed,
        dht: None,
        gate: None,
    };
    let udp = Udp::start(config, Clock::start()).unwrap();
    let address = udp.local_addrs().0.unwrap();
    (udp, address)
}

/// Connects alice and bob; the nodes live as long as the first value.
async fn pair(through: impl AsyncFnOnce(SocketAddr) -> SocketAddr) -> ((Udp, Udp), Stream, Stream) {
    let (alice, bob) = (node(1), node(2));
    let mut incoming = bob.0.incoming().unwrap();
    let to = through(bob.1).await;
    let mut stream = Stream::Utp(alice.0.utp.as_ref().unwrap().connect(to).await.unwrap());
    // Who was dialled hears of it with the first byte.
    stream.write_all(b"!").await.unwrap();
    let (mut accepted, _) = incoming.accept().await.unwrap();
    assert_eq!(accepted.read_u8().await.unwrap(), b'!');
    ((alice.0, bob.0), stream, accepted)
}

/// Passes datagrams between whoever sends here and `to`; one in `lose_one_in` is lost and one in ten overtaken.
async fn bad_link(to: SocketAddr, lose_one_in: u32) -> SocketAddr {
    let near = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let far = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let address = near.local_addr().unwrap();
    tokio::spawn(async move {
        let mut rng = fastrand::Rng::with_seed(3);
        let (mut from, mut near_packet, mut far_packet) = (None, vec![0; 65536], vec![0; 65536]);
        let mut held: Option<(Vec<u8>, bool)> = None;
        loop {
            let (packet, outward) = tokio::select! {
                read = near.recv_from(&mut near_packet) => {
                    let (length, sender) = read.unwrap();
                    from = Some(sender);
                    (near_packet[..length].to_vec(), true)
                }
                read = far.recv_from(&mut far_packet) => (far_packet[..read.unwrap().0].to_vec(), false),
            };
            if rng.u32(..lose_one_in) == 0 {
                continue;
            }
            let late = held.take();
            if late.is_none() && rng.u32(..10) == 0 {
                held = Some((packet, outward));
                continue;
            }
            for (packet, outward) in [(packet, outward)].into_iter().chain(late) {
                // Whose socket is full loses it, as on a real link.
                let _ = match from {
                    _ if outward => far.try_send_to(&packet, to),
                    Some(from) => near.try_send_to(&packet, from),
                    None => Ok(0),
                };
            }
        }
    });
    address
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// Writes everything and ends the stream's half, beside reading all that the other end writes.
fn exchange(stream: Stream, bytes: Vec<u8>) -> JoinHandle<Vec<u8>> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    tokio::spawn(async move {
        let (mut got, write) = (Vec::new(), async {
            writer.write_all(&bytes).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        tokio::join!(write, async { reader.read_to_end(&mut got).await.unwrap() });
        got
    })
}

#[tokio::test]
async fn streams_arrive_whole_both_ways_whatever_the_link_loses() {
    for lose_one_in in [u32::MAX, 100, 20] {
        let (_nodes, alice, bob) = pair(async |to| bad_link(to, lose_one_in).await).await;
        let (hers, his) = (noise(1 << 20, 4), noise(700_001, 5));
        let (alice, bob) = (exchange(alice, hers.clone()), exchange(bob, his.clone()));
        assert!(alice.await.unwrap() == his && bob.await.unwrap() == hers, "one in {lose_one_in}");
    }
}

#[tokio::test]
async fn what_nobody_reads_stays_with_its_sender() {
    let (_nodes, alice, mut bob) = pair(async |to| to).await;
    let chunk = noise(64 << 10, 6);
    let mut written = 0;
    // Until no more is taken for a while.
    while let Ok(ready) = tokio::time::timeout(Duration::from_secs(2), alice.writable()).await {
        ready.unwrap();
        while let Ok(count) = alice.try_write_vectored(&[IoSlice::new(&chunk)]) {
            written += count;
        }
    }
    assert!(written < 8 << 20, "{written} bytes were taken for one who reads none");
    drop(alice);
    let mut got = Vec::new();
    bob.read_to_end(&mut got).await.unwrap();
    assert_eq!(got.len(), written, "and arrive once he reads");
}

#[tokio::test]
async fn an_end_and_a_reset_are_heard() {
    let (nodes, alice, mut bob) = pair(async |to| to).await;
    drop(alice);
    assert_eq!(bob.read(&mut [0]).await.unwrap(), 0);
    drop(bob);
    // All is closed and said.
    tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(nodes.0.finish(), nodes.1.finish()) })
        .await
        .unwrap();

    // Nobody accepts: the attempt is given up in time, and dropping it sooner leaves nothing behind.
    let (alice, _) = node(1);
    let silent = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let connect = alice.utp.as_ref().unwrap().connect(silent.local_addr().unwrap());
    assert!(tokio::time::timeout(Duration::from_millis(100), connect).await.is_err());
    assert_eq!(alice.utp.as_ref().unwrap().0.lock().endpoint.counts().open, 0);
}

#[tokio::test]
async fn streams_of_a_task_that_is_gone_say_so() {
    let (nodes, alice, mut bob) = pair(async |to| to).await;
    drop(nodes);
    let end =
        tokio::time::timeout(Duration::from_secs(20), async { (alice.readable().await, bob.read(&mut [0]).await) });
    let (_, read) = end.await.unwrap();
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::NotConnected);
}
