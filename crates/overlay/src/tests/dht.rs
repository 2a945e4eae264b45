//! Finding a node by its key alone, in a DHT of our own nodes on loopback.

use net::{Clock, Dht, DhtConfig, Udp, UdpConfig};

use super::*;

/// A node of the DHT, on an address of its own: one address has one place in the tables.
fn dht_node(last: u8, known: Option<SocketAddr>) -> Udp {
    let config = UdpConfig {
        egress: net::Egress { address: Some([127, 0, 7, last].into()), ..net::Egress::default() },
        listen: Vec::new(),
        utp: false,
        accept: false,
        memory_bytes: 1 << 20,
        seed: last.into(),
        dht: Some(DhtConfig::default()),
        gate: None,
    };
    let udp = Udp::start(config, Clock::start()).unwrap();
    known.into_iter().for_each(|known| dht(&udp).add_node(known));
    udp
}

fn dht(udp: &Udp) -> &Dht {
    udp.dht.as_ref().unwrap()
}

#[tokio::test]
async fn who_publishes_is_found_by_the_key_alone() {
    let first = dht_node(1, None);
    let known = first.local_addrs().0;
    let others: Vec<Udp> = (2..6).map(|last| dht_node(last, known)).collect();
    for udp in &others {
        timeout(LONG, dht(udp).ready()).await.expect("a table");
    }
    let bob = Node::with(2, |settings| {
        settings.dht = others[0].dht.clone();
        settings.publish = true;
    })
    .await;
    let alice = Node::with(1, |settings| settings.dht = others[1].dht.clone()).await;
    // Bob publishes some seconds after his start.
    let opened = async {
        loop {
            match alice.overlay.open(bob.id(), "echo", &[]).await {
                Err(OpenError::NotFound) => tokio::time::sleep(Duration::from_millis(200)).await,
                other => return other.unwrap(),
            }
        }
    };
    let mut stream = timeout(LONG, opened).await.expect("found");
    exchange(&mut stream, "found by key").await;

    // Alice did not choose to be found.
    let carol = Node::with(3, |settings| settings.dht = others[2].dht.clone()).await;
    let opened = timeout(LONG, carol.overlay.open(alice.id(), "echo", &[])).await.unwrap();
    assert_eq!(opened.unwrap_err(), OpenError::NotFound);
    // Nor does Carol dial where her gate does not let her.
    let carol = Node::with(4, |settings| settings.dht = others[3].dht.clone()).await;
    let loopback = "127.0.0.1".parse().unwrap();
    carol.gate.set_policy(super::block(loopback));
    let opened = timeout(LONG, carol.overlay.open(bob.id(), "echo", &[])).await.unwrap();
    assert_eq!(opened.unwrap_err(), OpenError::NotFound);
}
