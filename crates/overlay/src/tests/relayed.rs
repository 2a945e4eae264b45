//! Nodes that have no way to one another but a relay of iroh's own making: one has IPv4 alone, the other IPv6 alone.

use iroh_relay::server::{RelayConfig, Server, ServerConfig};

use super::*;
use crate::Relay;

async fn foreign_relay() -> (Server, Relay) {
    let mut config = ServerConfig::default();
    config.relay = Some(RelayConfig::new(SocketAddr::from(([127, 0, 0, 1], 0))));
    let server = Server::spawn(config).await.unwrap();
    let relay = format!("http://{}/", server.http_addr().unwrap()).parse().unwrap();
    (server, relay)
}

async fn has_relay(node: &Node, relay: &Relay) {
    let wait = async {
        while node.overlay.own_relay() != Some((relay.clone(), true, None)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{:?}", node.overlay.own_relay()));
}

#[tokio::test]
async fn nodes_without_another_way_meet_by_a_relay_that_they_learnt_of_meanwhile() {
    let (_server, relay) = foreign_relay().await;
    let alice = Node::start(1).await;
    let bob = Node::with(2, |settings| settings.bind = vec!["[::1]:0".parse().unwrap()]).await;
    assert_eq!(alice.overlay.own_relay(), None);
    for node in [&alice, &bob] {
        node.overlay.set_relays(vec![relay.clone()]);
        has_relay(node, &relay).await;
        assert!(node.overlay.own_hints().contains(&Hint::Relay(relay.clone())));
    }
    let hints = [Hint::Relay(relay.clone())];
    let pongs =
        timeout(LONG, alice.overlay.ping(bob.id(), &hints, 3, Duration::from_millis(1))).await.unwrap().unwrap();
    assert!(pongs.iter().all(|pong| pong.way == Some(Way::Relayed(relay.clone()))), "{pongs:?}");
    let mut stream = timeout(LONG, alice.overlay.open(bob.id(), "echo", &hints)).await.unwrap().unwrap();
    exchange(&mut stream, "relayed").await;
}

/// Waits until a relay has this many clients.
async fn has_clients(server: &Server, wanted: u64) {
    let clients = || {
        let metrics = &server.metrics().server;
        metrics.accepts.get() - metrics.disconnects.get()
    };
    let wait = async {
        while clients() != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{} clients instead of {wanted}", clients()));
}

/// Waits until no connection of a node is counted any more.
async fn holds_nothing(node: &Node) {
    let wait = async {
        while node.gate.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{:?}", node.gate.usage().flows()));
}

#[tokio::test]
async fn in_a_pause_the_relay_is_left_and_after_it_found_again() {
    let (server, relay) = foreign_relay().await;
    let alice = Node::with(1, |settings| settings.relays.known = vec![relay.clone()]).await;
    has_relay(&alice, &relay).await;
    has_clients(&server, 1).await;
    for _ in 0..2 {
        alice.gate.set_policy(net::Policy { paused: true, ..net::Policy::default() });
        has_clients(&server, 0).await;
        holds_nothing(&alice).await;
        alice.gate.set_policy(net::Policy::default());
        has_clients(&server, 1).await;
        has_relay(&alice, &relay).await;
    }
}

#[tokio::test]
async fn a_relay_that_is_blocked_while_it_is_connected_is_left_for_another() {
    let (server, relay) = foreign_relay().await;
    let mut config = ServerConfig::default();
    config.relay = Some(RelayConfig::new(SocketAddr::from(([127, 0, 0, 2], 0))));
    let other = Server::spawn(config).await.unwrap();
    let second: Relay = format!("http://{}/", other.http_addr().unwrap()).parse().unwrap();
    let alice = Node::with(1, |settings| settings.relays.known = vec![relay.clone()]).await;
    has_relay(&alice, &relay).await;
    alice.overlay.set_relays(vec![relay.clone(), second.clone()]);
    alice.gate.set_policy(block([127, 0, 0, 1].into()));
    has_clients(&server, 0).await;
    has_relay(&alice, &second).await;
    // With none left nobody is reached, and what comes back is used.
    alice.overlay.set_relays(vec![relay.clone()]);
    alice.gate.set_policy(block([127, 0, 0, 2].into()));
    has_clients(&other, 0).await;
    has_relay(&alice, &relay).await;
}

#[tokio::test]
async fn a_relay_that_a_node_offers_is_told_first() {
    let node = Node::start(1).await;
    let relays: Vec<Relay> = (1..5).map(|i| format!("https://192.0.2.{i}:3340/").parse().unwrap()).collect();
    node.overlay.offer_relays(relays.clone());
    let told: Vec<Hint> = relays[..2].iter().cloned().map(Hint::Relay).collect();
    assert_eq!(node.overlay.own_hints()[..2], told, "of many two are enough");
    assert!(node.overlay.own_hints().contains(&node.hint()));
}

#[tokio::test]
async fn a_relay_with_a_name_is_left_when_the_address_behind_it_is_blocked() {
    let (server, relay) = foreign_relay().await;
    let named: Relay = relay.to_string().replace("127.0.0.1", "localhost").parse().unwrap();
    let alice = Node::with(1, |settings| settings.relays.known = vec![named.clone()]).await;
    has_relay(&alice, &named).await;
    has_clients(&server, 1).await;
    alice.gate.set_policy(block([127, 0, 0, 1].into()));
    has_clients(&server, 0).await;
    holds_nothing(&alice).await;
}

#[tokio::test]
async fn a_relay_that_is_no_longer_used_is_told_of_to_nobody() {
    let (_server, relay) = foreign_relay().await;
    let node = Node::start(1).await;
    node.overlay.set_relays(vec![relay.clone()]);
    has_relay(&node, &relay).await;
    node.overlay.set_relays(Vec::new());
    assert_eq!(node.overlay.own_hints(), [node.hint()], "though it may be connected still");
    assert_eq!(node.overlay.own_relay(), None);
    // One of our own, which is switched off.
    let own: Relay = format!("https://192.0.2.1:3340/#{}.3340", node.id()).parse().unwrap();
    node.overlay.offer_relays(vec![own.clone()]);
    node.overlay.set_relays(vec![own.clone()]);
    assert!(node.overlay.own_hints().contains(&Hint::Relay(own.clone())));
    node.overlay.offer_relays(Vec::new());
    assert_eq!(node.overlay.own_hints(), [node.hint()]);
}

#[tokio::test]
async fn who_listens_on_loopback_alone_never_asks_the_public_relays() {
    let node = Node::with(1, |settings| settings.relays.public = true).await;
    assert!(!node.overlay.uses_public_relays());
    assert_eq!(node.overlay.own_relay(), None);
}
