//! Alice, Bob and others write to one another.

mod limits;
mod restarts;
mod thieves;

use std::collections::BTreeMap;

use base::{Instant, WallTime};

use super::*;
use crate::proto::cipher::MAX_ENVELOPE;

pub(super) const DAY_S: u64 = 86_400;

/// A day in November 2026.
pub(super) fn day(n: u64) -> Now {
    Now { mono: Instant::START, wall: WallTime((20_780 + n) * DAY_S) }
}

/// What a node's database holds.
pub(super) type Stored = BTreeMap<Vec<u8>, Vec<u8>>;

/// A node with its vault and its database.
pub(super) struct Node {
    secret: u8,
    starts: u8,
    pub vault: Vault,
    pub stored: Stored,
}

impl Node {
    pub fn new(secret: u8) -> Node {
        let mut node = Node { secret, starts: 0, vault: vault(secret, 0, &Stored::new()), stored: Stored::new() };
        node.commit();
        node
    }

    pub fn id(&self) -> NodeId {
        self.vault.own.node()
    }

    /// Stores what is to be stored.
    pub fn commit(&mut self) {
        for (key, value) in self.vault.facts() {
            match value {
                Some(value) => self.stored.insert(key, value),
                None => self.stored.remove(&key),
            };
        }
    }

    /// Starts again from what was stored.
    pub fn restart(&mut self) {
        self.starts += 1;
        self.vault = vault(self.secret, self.starts, &self.stored);
    }

    pub fn learn_from(&mut self, other: &mut Node) {
        let card = other.vault.card(day(0));
        assert_eq!(self.vault.learn(&card).map(|(node, _)| node), Ok(other.id()));
        self.commit();
        other.commit();
    }

    pub fn seal(&mut self, to: NodeId, parcel: &[u8]) -> Vec<u8> {
        let envelope = self.vault.seal(day(0), to, parcel).unwrap();
        self.commit();
        envelope
    }

    pub fn open(&mut self, envelope: &[u8]) -> Result<Opened, OpenError> {
        let opened = self.vault.open(day(0), envelope);
        self.commit();
        opened
    }

    pub fn sessions(&self) -> usize {
        self.stored.keys().filter(|key| key.starts_with(b"vs")).count()
    }
}

/// A vault as the start with this number makes it of what was stored.
pub(super) fn vault(secret: u8, start: u8, stored: &Stored) -> Vault {
    let facts: Vec<_> = stored.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Vault::new(NodeKey::from_secret(&[secret; 32]), [secret.wrapping_add(start.wrapping_mul(16)); 32], &facts)
}

pub(super) fn from(node: &Node, parcel: &[u8]) -> Result<Opened, OpenError> {
    Ok(Opened { from: node.id(), parcel: parcel.to_vec() })
}

/// Alice knows Bob's card; Bob has never heard of Alice.
pub(super) fn strangers() -> (Node, Node) {
    let (mut alice, mut bob) = (Node::new(1), Node::new(2));
    alice.learn_from(&mut bob);
    (alice, bob)
}

/// Both have spoken, so that neither's next envelope begins a session.
pub(super) fn acquainted() -> (Node, Node) {
    let (mut alice, mut bob) = strangers();
    let first = alice.seal(bob.id(), b"hello");
    assert_eq!(bob.open(&first), from(&alice, b"hello"));
    let answer = bob.seal(alice.id(), b"hi");
    assert_eq!(alice.open(&answer), from(&bob, b"hi"));
    let second = alice.seal(bob.id(), b"how are you");
    assert_eq!(bob.open(&second), from(&alice, b"how are you"));
    (alice, bob)
}

#[test]
fn a_card_is_all_that_a_first_message_takes() {
    let (mut alice, mut bob) = strangers();
    let letters: Vec<_> = (0..3).map(|n| alice.seal(bob.id(), &[n; 100])).collect();
    assert_eq!(bob.vault.card_of(alice.id()), None);
    for (n, letter) in letters.iter().enumerate() {
        assert_eq!(bob.open(letter), from(&alice, &[n as u8; 100]));
    }
    assert_eq!(bob.vault.card_of(alice.id()), Some(alice.vault.card(day(0))), "her card came with them");
    assert_eq!(bob.sessions(), 1);

    let answer = bob.seal(alice.id(), b"yes");
    assert_eq!(alice.open(&answer), from(&bob, b"yes"));
    assert_eq!(alice.sessions(), 1);
    let next = alice.seal(bob.id(), b"good");
    assert_eq!(bob.open(&next), from(&alice, b"good"));
}

#[test]
fn an_empty_parcel_and_the_longest_fit_also_into_a_first_message() {
    let (mut alice, mut bob) = strangers();
    let far = vec!["x".repeat(256); 4];
    let mailboxes: Vec<_> = (0..4).map(|n| (NodeId([n; 32]), far.clone())).collect();
    assert!(alice.vault.set_mailboxes(day(0), &mailboxes));
    for parcel in [Vec::new(), vec![7; MAX_PARCEL]] {
        let envelope = alice.seal(bob.id(), &parcel);
        assert!(envelope.len() <= MAX_ENVELOPE);
        assert_eq!(bob.open(&envelope), from(&alice, &parcel));
    }
    assert_eq!(bob.vault.mailboxes_of(alice.id()), mailboxes);
    assert_eq!(alice.vault.seal(day(0), bob.id(), &vec![7; MAX_PARCEL + 1]), None);
    assert_eq!(alice.vault.seal(day(0), NodeId([9; 32]), b"who?"), None);
    let own = alice.id();
    assert_eq!(alice.vault.seal(day(0), own, b"me?"), None);
}

#[test]
fn both_may_write_first_at_once() {
    let (mut alice, mut bob) = strangers();
    bob.learn_from(&mut alice);
    for round in 0..6u8 {
        let (to_bob, to_alice) = (alice.seal(bob.id(), &[round]), bob.seal(alice.id(), &[round, round]));
        assert_eq!(bob.open(&to_bob), from(&alice, &[round]));
        assert_eq!(alice.open(&to_alice), from(&bob, &[round, round]));
    }
    assert_eq!((alice.sessions(), bob.sessions()), (2, 2));
}

#[test]
fn lost_doubled_and_out_of_order() {
    let (mut alice, mut bob) = acquainted();
    let letters: Vec<_> = (0..30u8).map(|n| alice.seal(bob.id(), &[n])).collect();
    // Every third is lost, the others come backwards.
    for (n, letter) in letters.iter().enumerate().rev().filter(|(n, _)| n % 3 != 0) {
        assert_eq!(bob.open(letter), from(&alice, &[n as u8]));
        assert_eq!(bob.open(letter), Err(OpenError::Again), "doubled at once");
    }
    let answer = bob.seal(alice.id(), b"got them");
    assert_eq!(alice.open(&answer), from(&bob, b"got them"));
    let next = alice.seal(bob.id(), b"good");
    assert_eq!(bob.open(&next), from(&alice, b"good"));
    for (n, letter) in letters.iter().enumerate() {
        let late = if n % 3 == 0 { from(&alice, &[n as u8]) } else { Err(OpenError::Again) };
        assert_eq!(bob.open(letter), late, "{n}: what was thought lost opens late, the others are doubled");
    }
}

#[test]
fn thousands_may_be_lost() {
    let (mut alice, mut bob) = acquainted();
    for _ in 0..1_999 {
        alice.seal(bob.id(), b"lost");
    }
    let letter = alice.seal(bob.id(), b"here");
    assert_eq!(bob.open(&letter), from(&alice, b"here"));
    for _ in 0..2_001 {
        alice.seal(bob.id(), b"lost");
    }
    let letter = alice.seal(bob.id(), b"too far");
    assert_eq!(bob.open(&letter), Err(OpenError::NoSession { claims: alice.id() }));
    heals(&mut bob, &mut alice);
}

/// `knocked` could not open something of `other`, and has a new session begun.
pub(super) fn heals(knocked: &mut Node, other: &mut Node) {
    knocked.vault.renew(other.id());
    let anew = knocked.seal(other.id(), b"begin anew");
    assert_eq!(other.open(&anew), from(knocked, b"begin anew"));
    for n in 0..3u8 {
        let letter = other.seal(knocked.id(), &[n]);
        assert_eq!(knocked.open(&letter), from(other, &[n]));
        let letter = knocked.seal(other.id(), &[n]);
        assert_eq!(other.open(&letter), from(knocked, &[n]));
    }
}

#[test]
fn who_lost_the_sessions_has_one_begun() {
    let (mut alice, mut bob) = acquainted();
    bob.stored.retain(|key, _| !key.starts_with(b"vs"));
    bob.restart();
    let letter = alice.seal(bob.id(), b"are you there");
    assert_eq!(bob.open(&letter), Err(OpenError::NoSession { claims: alice.id() }));
    heals(&mut bob, &mut alice);
}

#[test]
fn who_lost_everything_is_written_to_by_the_new_card() {
    let (mut alice, mut bob) = acquainted();
    let old_card = bob.vault.card(day(0));
    bob.stored.clear();
    bob.restart();
    let letter = alice.seal(bob.id(), b"are you there");
    assert_eq!(bob.open(&letter), Err(OpenError::Foreign));

    let card = bob.vault.card(day(1));
    assert_eq!(alice.vault.learn(&card), Ok((bob.id(), true)));
    assert_eq!(alice.vault.learn(&card), Ok((bob.id(), false)));
    assert_eq!(alice.vault.learn(&old_card), Ok((bob.id(), false)), "the older one does not come back");
    let letter = alice.seal(bob.id(), b"there you are");
    assert_eq!(bob.open(&letter), from(&alice, b"there you are"));
    assert_eq!(alice.sessions(), 1, "those with the old keys are gone");
    heals(&mut bob, &mut alice);
}

#[test]
fn who_is_forgotten_and_has_no_card_here_is_named() {
    let (mut alice, mut bob) = acquainted();
    bob.vault.forget(alice.id());
    bob.commit();
    assert_eq!(bob.stored.len(), 1, "nothing but Bob's own keys is left");
    let letter = alice.seal(bob.id(), b"still there?");
    assert_eq!(bob.open(&letter), Err(OpenError::NoCard { claims: alice.id() }));
    assert_eq!(bob.vault.seal(day(0), alice.id(), b"no"), None);
    bob.learn_from(&mut alice);
    assert_eq!(bob.open(&letter), Err(OpenError::NoSession { claims: alice.id() }));
    heals(&mut bob, &mut alice);
}

#[test]
fn the_key_of_first_messages_changes_weekly_once_used() {
    let (mut alice, mut bob) = (Node::new(1), Node::new(2));
    let first_card = bob.vault.card(day(0));
    assert_eq!(bob.vault.card(day(60)), first_card, "nobody used it");
    alice.vault.learn(&first_card).unwrap();

    let letter = alice.seal(bob.id(), b"one");
    assert_eq!(bob.open(&letter), from(&alice, b"one"));
    assert_eq!(bob.vault.card(day(6)), first_card);
    let second_card = bob.vault.card(day(7));
    assert_ne!(second_card, first_card);
    assert_eq!(bob.vault.card(day(60)), second_card);

    // Carol and Dave did not hear of the new card yet: the key before still opens.
    let (mut carol, mut dave) = (Node::new(3), Node::new(4));
    carol.vault.learn(&first_card).unwrap();
    dave.vault.learn(&first_card).unwrap();
    let letter = carol.seal(bob.id(), b"two");
    bob.commit();
    bob.restart();
    assert_eq!(bob.open(&letter), from(&carol, b"two"));
    assert_eq!(bob.vault.card(day(80)), second_card, "the old key was used, not the new one");

    let mut erin = Node::new(5);
    erin.vault.learn(&second_card).unwrap();
    let letter = erin.seal(bob.id(), b"three");
    assert_eq!(bob.open(&letter), from(&erin, b"three"));
    assert_ne!(bob.vault.card(day(87)), second_card);
    let letter = dave.seal(bob.id(), b"four");
    assert_eq!(bob.open(&letter), Err(OpenError::NoSession { claims: dave.id() }), "two keys ago");
    bob.learn_from(&mut dave);
    heals(&mut bob, &mut dave);
}

#[test]
fn mailboxes_and_tags_are_those_of_the_card() {
    let (mut alice, mut bob) = strangers();
    let before = bob.vault.card(day(0));
    let boxes = vec![(NodeId([7; 32]), vec!["192.0.2.1:4242".to_owned()])];
    assert!(bob.vault.set_mailboxes(day(0), &boxes));
    assert!(!bob.vault.set_mailboxes(day(0), &boxes));
    bob.commit();
    bob.restart();
    let after = bob.vault.card(day(0));
    assert_ne!(after, before);
    assert_eq!(alice.vault.mailboxes_of(bob.id()), []);
    assert_eq!(alice.vault.learn(&after), Ok((bob.id(), true)), "newer though made on the same day");
    assert_eq!(alice.vault.mailboxes_of(bob.id()), boxes);

    let awaited = bob.vault.own_tags(day(3));
    for at in [2, 3, 4, 30] {
        assert!(awaited.contains(&alice.vault.tag_of(bob.id(), day(at)).unwrap()));
    }
    assert_eq!(bob.vault.tag_of(alice.id(), day(0)), None);
}
