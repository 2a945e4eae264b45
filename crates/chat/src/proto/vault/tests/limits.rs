//! How much is kept, whatever others do.

use super::peers::{MAX_PEERS, MAX_STRANGERS};
use super::*;
use crate::proto::card::Content;

#[test]
fn five_sessions_a_node_the_latest_is_used() {
    let (mut alice, mut bob) = acquainted();
    let mut old = Vec::new();
    for n in 0..12u8 {
        alice.vault.renew(bob.id());
        let letter = alice.seal(bob.id(), &[n]);
        assert_eq!(bob.open(&letter), from(&alice, &[n]));
        old.push(alice.seal(bob.id(), &[n]));
    }
    assert_eq!((alice.sessions(), bob.sessions()), (peers::MAX_SESSIONS, peers::MAX_SESSIONS));
    for (n, letter) in old.iter().enumerate() {
        // Those of the sessions that are here open late; the others were pre-key messages of sessions that were
        // replaced.
        let expected = if n < 7 { Err(OpenError::Again) } else { from(&alice, &[n as u8]) };
        assert_eq!(bob.open(letter), expected, "{n}");
    }
    let answer = bob.seal(alice.id(), b"the latest");
    assert_eq!(alice.open(&answer), from(&bob, b"the latest"));
}

#[test]
fn of_hundreds_of_nodes_few_sessions_are_unpickled() {
    let mut hub = Node::new(1);
    let mut others: Vec<Node> = (10..210u8).map(Node::new).collect();
    for round in 0..2u8 {
        for other in &mut others {
            other.learn_from(&mut hub);
            let letter = other.seal(hub.id(), &[round]);
            assert_eq!(hub.open(&letter), from(other, &[round]));
        }
    }
    assert_eq!(hub.vault.peers.awake.len(), 64);
    for other in &mut others {
        let letter = hub.seal(other.id(), b"to all");
        assert_eq!(other.open(&letter), from(&hub, b"to all"));
    }
    assert_eq!(hub.vault.peers.awake.len(), 64);
    assert_eq!(hub.sessions(), 200);
    let largest = hub.stored.values().map(Vec::len).max().unwrap();
    assert!(largest < 6_000, "a fact of {largest} bytes");
}

#[test]
fn a_crowd_of_strangers_displaces_strangers_alone() {
    let (mut alice, mut bob) = acquainted();
    let secret = |n: u32| {
        let mut secret = [9; 32];
        secret[..4].copy_from_slice(&n.to_be_bytes());
        NodeKey::from_secret(&secret)
    };
    let content = Content { mailboxes: Vec::new(), ..alice.vault.own.content() };
    for n in 0..MAX_PEERS as u32 + 20 {
        let card = Card::sign(&secret(n), 1, content.clone());
        assert!(bob.vault.peers.learn(card));
    }
    bob.commit();
    assert_eq!(bob.stored.keys().filter(|key| key.starts_with(b"vc")).count(), MAX_PEERS);
    assert_eq!(bob.vault.card_of(secret(0).id()), None, "who was heard of first went first");
    assert!(bob.vault.card_of(secret(30).id()).is_some());
    let letter = alice.seal(bob.id(), b"still here");
    assert_eq!(bob.open(&letter), from(&alice, b"still here"));
    assert_eq!(alice.sessions(), 1);
}

#[test]
fn strangers_whom_nobody_answers_have_few_sessions() {
    let (mut alice, mut bob) = acquainted();
    let card = bob.vault.card(day(0));
    for n in 0..MAX_STRANGERS as u64 + 10 {
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&n.to_be_bytes());
        let mut stranger = Vault::new(NodeKey::from_secret(&secret), secret, &[]);
        stranger.learn(&card).unwrap();
        let letter = stranger.seal(day(0), bob.id(), b"buy this").unwrap();
        assert!(bob.open(&letter).is_ok());
    }
    assert_eq!(bob.sessions(), MAX_STRANGERS + 1);
    let letter = alice.seal(bob.id(), b"still here");
    assert_eq!(bob.open(&letter), from(&alice, b"still here"));
}

#[test]
fn skipped_keys_are_bounded_in_what_is_stored() {
    let (mut alice, mut bob) = acquainted();
    for _ in 0..8 {
        for _ in 0..100 {
            alice.seal(bob.id(), b"lost");
        }
        let letter = alice.seal(bob.id(), b"here");
        assert_eq!(bob.open(&letter), from(&alice, b"here"));
        let answer = bob.seal(alice.id(), b"and back");
        assert_eq!(alice.open(&answer), from(&bob, b"and back"));
    }
    let largest = bob.stored.values().map(Vec::len).max().unwrap();
    assert!((20_000..60_000).contains(&largest), "{largest} bytes: five chains of 40 keys");
    bob.restart();
    let letter = alice.seal(bob.id(), b"after a restart");
    assert_eq!(bob.open(&letter), from(&alice, b"after a restart"));
}
