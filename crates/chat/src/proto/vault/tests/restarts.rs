//! Nodes that stop and start, and such that go back to an older copy of their database.

use std::collections::BTreeSet;

use super::*;

/// An envelope on its way: to whom, what is in it, and whether it was opened and that was stored.
struct Letter {
    to: usize,
    envelope: Vec<u8>,
    parcel: Vec<u8>,
    taken: bool,
}

/// Two nodes and the letters between them.
struct Pair {
    nodes: [Node; 2],
    letters: Vec<Letter>,
    dice: fastrand::Rng,
}

impl Pair {
    fn write(&mut self) {
        let (who, n) = (self.dice.usize(..2), self.letters.len() as u32);
        let parcel = n.to_be_bytes().repeat(self.dice.usize(1..200));
        let to = self.nodes[1 - who].id();
        let envelope = self.nodes[who].vault.seal(day(0), to, &parcel).unwrap();
        if self.dice.u8(..5) == 0 {
            return self.nodes[who].restart(); // Before it was stored: the envelope never left.
        }
        self.nodes[who].commit();
        self.letters.push(Letter { to: 1 - who, envelope, parcel, taken: false });
    }

    fn read(&mut self, at: usize) {
        let Letter { to, envelope, parcel, taken } = &mut self.letters[at];
        let from = self.nodes[1 - *to].id();
        match self.nodes[*to].vault.open(day(0), envelope) {
            Ok(opened) => {
                assert!(!*taken, "twice");
                assert_eq!(opened, Opened { from, parcel: parcel.clone() });
                if self.dice.u8(..5) == 0 {
                    self.nodes[*to].restart(); // Before it was stored: it comes again.
                } else {
                    self.nodes[*to].commit();
                    *taken = true;
                }
            }
            Err(error) => assert!(*taken && error == OpenError::Again, "{error}, taken: {taken}"),
        }
    }
}

/// Two nodes write at random, letters are reordered (by eight at most) and doubled, and now and then one of them stops
/// before or after it stored what it has to. Whatever left opens, gives what was sealed, and is `Again` from then on.
#[test]
fn a_restart_at_any_point_loses_nothing() {
    for seed in 0..40 {
        let (alice, bob) = acquainted();
        let dice = fastrand::Rng::with_seed(seed);
        let mut pair = Pair { nodes: [alice, bob], letters: Vec::new(), dice };
        for _ in 0..150 {
            let newest = pair.letters.len();
            let oldest = pair.letters.iter().position(|letter| !letter.taken).unwrap_or(newest);
            if oldest + 8 <= newest {
                pair.read(oldest);
            } else if newest > 0 && pair.dice.bool() {
                let at = pair.dice.usize(newest.saturating_sub(8)..newest);
                pair.read(at);
            } else {
                pair.write();
            }
            if pair.dice.u8(..20) == 0 {
                let who = pair.dice.usize(..2);
                pair.nodes[who].commit();
                pair.nodes[who].restart();
            }
        }
        while let Some(late) = pair.letters.iter().position(|letter| !letter.taken) {
            pair.read(late);
        }
        assert!(pair.letters.len() > 30);
    }
}

/// A mailbox brings what Alice wrote long ago, and wrote again since over a stream.
#[test]
fn what_comes_too_late_begins_nothing_anew() {
    let (mut alice, mut bob) = acquainted();
    let late = alice.seal(bob.id(), b"while Bob was away");
    for n in 0..8u8 {
        let letter = alice.seal(bob.id(), &[n]);
        assert_eq!(bob.open(&letter), from(&alice, &[n]));
        let answer = bob.seal(alice.id(), &[n]);
        assert_eq!(alice.open(&answer), from(&bob, &[n]));
    }
    assert_eq!(bob.open(&late), Err(OpenError::Again));
    // Of a session, too, that was replaced.
    let later = alice.seal(bob.id(), b"and again");
    for n in 0..5u8 {
        alice.vault.renew(bob.id());
        let letter = alice.seal(bob.id(), &[n]);
        assert_eq!(bob.open(&letter), from(&alice, &[n]));
    }
    bob.restart();
    assert_eq!(bob.open(&later), Err(OpenError::Again));
    assert_eq!(bob.open(&late), Err(OpenError::Again));
}

#[test]
fn every_fact_that_changed_is_named_and_no_other() {
    let (mut alice, mut bob) = acquainted();
    let kinds = |node: &mut Node| -> BTreeSet<Vec<u8>> {
        let facts = node.vault.facts();
        assert!(facts.iter().all(|(key, _)| key[0] == PREFIX));
        facts.into_iter().map(|(key, _)| key[..2].to_vec()).collect()
    };
    assert_eq!(kinds(&mut alice), BTreeSet::new());
    alice.vault.seal(day(0), bob.id(), b"one").unwrap();
    alice.vault.seal(day(0), bob.id(), b"two").unwrap();
    assert_eq!(kinds(&mut alice), BTreeSet::from([b"vs".to_vec()]), "its session alone, once");
    alice.restart();
    assert_eq!(kinds(&mut alice), BTreeSet::new(), "what was restored is stored already");
    bob.vault.set_mailboxes(day(0), &[(NodeId([7; 32]), Vec::new())]);
    assert_eq!(kinds(&mut bob), BTreeSet::from([b"va".to_vec()]));
}

#[test]
fn another_s_facts_are_left_alone_and_broken_ones_are_deleted() {
    let (mut alice, mut bob) = acquainted();
    let whole = bob.stored.clone();
    bob.stored.insert(b"c7".to_vec(), b"of the conversations".to_vec());
    bob.stored.insert(b"vx?".to_vec(), b"of a later version".to_vec());
    bob.restart();
    assert_eq!(bob.vault.facts(), []);

    for (key, value) in &whole {
        for broken in [&value[..value.len() / 2], &[], &[0xff; 100]] {
            bob.stored = whole.clone();
            bob.stored.insert(key.clone(), broken.to_vec());
            bob.restart();
            // A pickle is read when it is used.
            let _ = bob.vault.seal(day(0), alice.id(), b"x");
            let facts = bob.vault.facts();
            let named = facts.iter().find(|(changed, _)| changed == key);
            assert!(
                named.is_some_and(|(_, now)| now.as_deref() != Some(broken)),
                "{:?}",
                key.escape_ascii().to_string()
            );
        }
    }
    bob.stored = whole;
    bob.restart();
    let letter = alice.seal(bob.id(), b"still there");
    assert_eq!(bob.open(&letter), from(&alice, b"still there"));
}

/// The database of yesterday is put back: what Bob seals uses keys that were used.
#[test]
fn a_node_that_went_back_in_time_is_not_taken_for_an_echo() {
    let (mut alice, mut bob) = acquainted();
    let yesterday = bob.stored.clone();
    for n in 0..5u8 {
        let letter = bob.seal(alice.id(), &[n]);
        assert_eq!(alice.open(&letter), from(&bob, &[n]));
    }
    bob.stored = yesterday;
    bob.restart();
    let letter = bob.seal(alice.id(), b"what day is it");
    assert_eq!(alice.open(&letter), Err(OpenError::NoSession { claims: bob.id() }), "not `Again`: it was never opened");
    heals(&mut alice, &mut bob);
}

#[test]
fn a_node_that_went_back_and_is_written_to_asks_for_a_session() {
    let (mut alice, mut bob) = acquainted();
    let yesterday = bob.stored.clone();
    for n in 0..5u8 {
        let letter = bob.seal(alice.id(), &[n]);
        assert_eq!(alice.open(&letter), from(&bob, &[n]));
        let letter = alice.seal(bob.id(), &[n]);
        assert_eq!(bob.open(&letter), from(&alice, &[n]));
    }
    bob.stored = yesterday;
    bob.restart();
    let letter = alice.seal(bob.id(), b"do you remember");
    assert_eq!(bob.open(&letter), Err(OpenError::NoSession { claims: alice.id() }));
    heals(&mut bob, &mut alice);
}

#[test]
fn a_later_card_of_one_s_own_is_outdone() {
    let (mut alice, mut bob) = (Node::new(1), Node::new(2));
    bob.learn_from(&mut alice);
    bob.commit();
    let yesterday = bob.stored.clone();
    let boxes = [(NodeId([7; 32]), Vec::new())];
    assert!(bob.vault.set_mailboxes(day(1), &boxes));
    let later = bob.vault.card(day(1));
    alice.vault.learn(&later).unwrap();

    bob.stored = yesterday;
    bob.restart();
    let earlier = bob.vault.card(day(1));
    assert_eq!(alice.vault.learn(&earlier), Ok((bob.id(), false)));
    assert_eq!(bob.vault.learn(&later), Ok((bob.id(), false)));
    bob.commit();
    bob.restart();
    let again = bob.vault.card(day(1));
    assert_eq!(alice.vault.learn(&again), Ok((bob.id(), true)));
    assert_eq!(alice.vault.mailboxes_of(bob.id()), []);
}

#[test]
fn an_echo_of_an_earlier_run_is_known() {
    let (mut alice, mut bob) = acquainted();
    let letter = alice.seal(bob.id(), b"once");
    assert_eq!(bob.open(&letter), from(&alice, b"once"));
    for n in 0..5u8 {
        alice.restart();
        bob.restart();
        let next = alice.seal(bob.id(), &[n]);
        assert_eq!(bob.open(&next), from(&alice, &[n]));
    }
    assert_eq!(bob.open(&letter), Err(OpenError::Again));
}
