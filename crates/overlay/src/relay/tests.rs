//! Stories of a relay and iroh's own endpoint, which we did not write, as its client. On loopback.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use iroh::endpoint::{NetReportConfig, PortmapperConfig, presets};
use iroh::{Endpoint, EndpointAddr, RelayConfig, RelayMap, RelayMode, RelayUrl, SecretKey};
use tokio::time::timeout;

use super::*;

/// Far above what anything here takes: a test fails by it, none is measured by it.
const LONG: Duration = Duration::from_secs(60);

const ALPN: &[u8] = b"test/1";

const LIMITS: RelayLimits =
    RelayLimits { clients: 10, handshakes: 20, client_bytes_per_s: 100_000_000, bytes_per_s: 100_000_000 };

/// A list of who is welcome.
#[derive(Default)]
struct Guests(Mutex<BTreeSet<NodeId>>);

impl Guests {
    fn set(&self, guests: &[&Endpoint]) {
        let ids = guests.iter().map(|guest| NodeId(*guest.id().as_bytes())).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ids;
    }
}

impl RelayAccess for Guests {
    fn admits(&self, node: NodeId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&node)
    }

    fn admits_address(&self, _address: SocketAddr) -> bool {
        true
    }
}

async fn relay(guests: &Arc<Guests>, limits: RelayLimits) -> RelayServer {
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let access = guests.clone();
    RelayServer::start(RelaySettings { secret: [9; 32], listen, egress: net::Egress::default(), limits, access })
        .await
        .unwrap()
}

/// iroh's own endpoint that can be reached by the relay alone.
async fn endpoint(seed: u8, relay: &RelayServer) -> Endpoint {
    let map = RelayMap::empty();
    map.insert(url(relay), Arc::new(RelayConfig::new(url(relay), None)));
    let mut report = NetReportConfig::default();
    report.captive_portal_check = false;
    Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(&[seed; 32]))
        .relay_mode(RelayMode::Custom(map))
        .clear_ip_transports()
        .portmapper_config(PortmapperConfig::Disabled)
        .net_report_config(report)
        .alpns(vec![ALPN.to_vec()])
        .bind()
        .await
        .unwrap()
}

fn url(relay: &RelayServer) -> RelayUrl {
    format!("http://{}/", relay.addresses()[0]).parse().unwrap()
}

/// Waits until the numbers are as wanted.
async fn until(relay: &RelayServer, wanted: impl Fn(&RelayStats) -> bool) {
    let look = async {
        while !wanted(&relay.stats()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, look).await.unwrap_or_else(|_| panic!("{:?}", relay.stats()));
}

#[tokio::test]
async fn two_endpoints_of_iroh_meet_by_the_relay_alone() {
    let guests = Arc::new(Guests::default());
    let relay = relay(&guests, LIMITS).await;
    let (ada, bob) = (endpoint(1, &relay).await, endpoint(2, &relay).await);
    guests.set(&[&ada, &bob]);
    until(&relay, |stats| stats.clients == 2).await;

    let serve = tokio::spawn({
        let bob = bob.clone();
        async move {
            let connection = bob.accept().await.unwrap().await.unwrap();
            let (mut send, mut recv) = connection.accept_bi().await.unwrap();
            let text = recv.read_to_end(2_000_000).await.unwrap();
            send.write_all(&text).await.unwrap();
            send.finish().unwrap();
            connection.closed().await;
        }
    });
    let address = EndpointAddr::new(bob.id()).with_relay_url(url(&relay));
    let said = vec![7; 1_000_000];
    let heard = timeout(LONG, async {
        let connection = ada.connect(address, ALPN).await.unwrap();
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        send.write_all(&said).await.unwrap();
        send.finish().unwrap();
        let heard = recv.read_to_end(2_000_000).await.unwrap();
        connection.close(0_u8.into(), b"");
        heard
    });
    assert_eq!(heard.await.unwrap(), said);
    serve.await.unwrap();
    let stats = relay.stats();
    assert!(stats.received_bytes > 2_000_000 && stats.sent_bytes > 2_000_000, "{stats:?}");
}

#[tokio::test]
async fn who_is_not_admitted_is_refused_and_who_is_no_longer_is_sent_away() {
    let guests = Arc::new(Guests::default());
    let relay = relay(&guests, LIMITS).await;
    let (ada, mallory) = (endpoint(1, &relay).await, endpoint(66, &relay).await);
    guests.set(&[&ada]);
    until(&relay, |stats| stats.clients == 1 && stats.refused > 0).await;
    assert_eq!(relay.access.clients(), [NodeId(*ada.id().as_bytes())]);

    guests.set(&[&mallory]);
    until(&relay, |stats| stats.revoked > 0).await;
    until(&relay, |_| relay.access.clients() == [NodeId(*mallory.id().as_bytes())]).await;
}

#[tokio::test]
async fn clients_beyond_the_limit_are_refused() {
    let guests = Arc::new(Guests::default());
    let relay = relay(&guests, RelayLimits { clients: 1, ..LIMITS }).await;
    let (ada, bob) = (endpoint(1, &relay).await, endpoint(2, &relay).await);
    guests.set(&[&ada, &bob]);
    until(&relay, |stats| stats.clients == 1 && stats.refused > 0).await;
    // Room is given to the next.
    let (first, second) =
        if relay.access.clients() == [NodeId(*ada.id().as_bytes())] { (ada, bob) } else { (bob, ada) };
    first.close().await;
    until(&relay, |_| relay.access.clients() == [NodeId(*second.id().as_bytes())]).await;
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_keep_others_out_for_ever() {
    let guests = Arc::new(Guests::default());
    let relay = relay(&guests, RelayLimits { handshakes: 2, ..LIMITS }).await;
    let mut silent = Vec::new();
    for _ in 0..2 {
        silent.push(tokio::net::TcpStream::connect(relay.addresses()[0]).await.unwrap());
    }
    let ada = endpoint(1, &relay).await;
    guests.set(&[&ada]);
    drop(silent);
    until(&relay, |stats| stats.clients == 1).await;
}

#[test]
fn the_rate_is_shared_out() {
    let limits = RelayLimits { client_bytes_per_s: 1000, bytes_per_s: 2500, ..LIMITS };
    let rates = [1, 2, 5, 5000].map(|clients| rate(limits, clients).unwrap().bytes_per_second.get());
    assert_eq!(rates, [1000, 1000, 500, 1]);
}
