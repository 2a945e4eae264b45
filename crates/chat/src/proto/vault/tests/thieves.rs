//! Mallory forges, replays and relabels; a thief has copied the database. All with the bytes that are stored and sent.

use std::collections::BTreeSet;

use super::*;
use crate::proto::card::Content;
use crate::proto::vault::envelope::SealingKey;

/// Has a node open what somebody put the outer layer around, which whoever has its card can.
fn give(inside: &Inside, to: &mut Node) -> Result<Opened, OpenError> {
    let content = to.vault.own.content();
    let envelope = inside.seal(to.id(), &content.sealing, &mut ChaCha20Rng::from_seed([99; 32])).unwrap();
    to.open(&envelope)
}

fn inside_of(envelope: &[u8], node: &Node) -> Inside {
    Inside::open(envelope, node.id(), &node.vault.own.sealing).unwrap()
}

#[test]
fn an_envelope_for_one_does_not_open_for_another() {
    let (mut alice, bob) = acquainted();
    let mut carol = Node::new(3);
    let letter = alice.seal(bob.id(), b"for Bob");
    assert_eq!(carol.open(&letter), Err(OpenError::Foreign));
    let own = alice.open(&letter);
    assert_eq!(own, Err(OpenError::Foreign));
}

/// The outer layer is one piece: no change gets through, to a first envelope or a later one.
#[test]
fn a_changed_envelope_is_refused() {
    let (mut alice, mut bob) = acquainted();
    let mut carol = Node::new(3);
    carol.learn_from(&mut bob);
    let whole = [carol.seal(bob.id(), b"first"), alice.seal(bob.id(), b"later")];
    let mut dice = fastrand::Rng::with_seed(1);
    for _ in 0..4_000 {
        let mut envelope = whole[dice.usize(..2)].clone();
        let at = dice.usize(..envelope.len());
        match dice.u8(..8) {
            0 => envelope.truncate(at),
            1 => envelope.insert(at, dice.u8(..)),
            2 => envelope[at..].fill(dice.u8(..)),
            3 => envelope.extend_from_slice(&whole[dice.usize(..2)]),
            _ => envelope[at] ^= dice.u8(1..),
        }
        if !whole.contains(&envelope) {
            assert_eq!(bob.open(&envelope), Err(OpenError::Foreign));
        }
    }
    assert_eq!(bob.open(&whole[0]), from(&carol, b"first"));
    assert_eq!(bob.open(&whole[1]), from(&alice, b"later"));
}

/// Mallory knows everything that is sent between Alice and Bob but the keys, and even what is in the outer layer: she
/// changes the Olm message in every byte. Nothing opens, and the session is none the worse for it.
#[test]
fn a_changed_olm_message_is_refused_and_harms_nothing() {
    let (mut alice, mut bob) = acquainted();
    let letter = alice.seal(bob.id(), b"to be changed");
    let inside = inside_of(&letter, &bob);
    for at in 0..inside.olm.len() {
        for bit in [1, 0x40, 0x80] {
            let mut changed = inside.clone();
            changed.olm[at] ^= bit;
            let opened = give(&changed, &mut bob);
            let harmless = [OpenError::Foreign, OpenError::Again, OpenError::NoSession { claims: alice.id() }];
            assert!(opened.as_ref().is_err_and(|error| harmless.contains(error)), "byte {at}: {opened:?}");
        }
    }
    assert_eq!(bob.open(&letter), from(&alice, b"to be changed"));
    let answer = bob.seal(alice.id(), b"unharmed");
    assert_eq!(alice.open(&answer), from(&bob, b"unharmed"));
}

#[test]
fn a_changed_first_message_is_refused_and_begins_nothing() {
    let (mut alice, mut bob) = strangers();
    let letter = alice.seal(bob.id(), b"to be changed");
    let inside = inside_of(&letter, &bob);
    let card = inside.card.clone().unwrap();
    for at in (0..inside.olm.len()).chain(0..card.len()) {
        let (mut of_olm, mut of_card) = (inside.clone(), inside.clone());
        if let Some(byte) = of_olm.olm.get_mut(at) {
            *byte ^= 1;
            assert!(give(&of_olm, &mut bob).is_err(), "byte {at} of the message");
        }
        if let Some(byte) = of_card.card.as_mut().unwrap().get_mut(at) {
            *byte ^= 1;
            assert_eq!(give(&of_card, &mut bob), Err(OpenError::Foreign), "byte {at} of the card");
        }
    }
    assert_eq!((bob.sessions(), bob.vault.card_of(alice.id())), (0, None));
    assert_eq!(bob.open(&letter), from(&alice, b"to be changed"));
}

#[test]
fn mallory_is_not_taken_for_alice() {
    let (mut alice, mut bob) = acquainted();
    let mut mallory = Node::new(6);
    mallory.learn_from(&mut bob);
    let letter = mallory.seal(bob.id(), b"I am Alice");
    let hers = inside_of(&letter, &bob);

    let claims_alice = Inside { from: alice.id(), ..hers.clone() };
    assert_eq!(give(&claims_alice, &mut bob), Err(OpenError::Foreign), "the card is another's");
    let with_her_card = Inside { card: Some(alice.vault.card(day(0))), ..claims_alice };
    let opened = give(&with_her_card, &mut bob);
    assert_eq!(opened, Err(OpenError::NoSession { claims: alice.id() }), "the session is with another identity key");
    let with_her_session = inside_of(&alice.seal(bob.id(), b"x"), &bob).session;
    let in_her_session = Inside { session: with_her_session, ..with_her_card };
    assert!(give(&in_her_session, &mut bob).is_err());
}

/// Mallory puts Bob's keys into her own card: Alice writes to Mallory, and Mallory gives it to Bob as if it were for
/// him.
#[test]
fn what_was_for_mallory_cannot_be_passed_off_as_for_bob() {
    let (mut alice, mut bob) = strangers();
    let key = NodeKey::from_secret(&[6; 32]);
    let hers = SealingKey::derive(&[6; 32]);
    let content = Content { sealing: hers.public(), ..bob.vault.own.content() };
    let card = Card::sign(&key, 1, content);
    alice.vault.learn(&card.encode()).unwrap();
    let letter = alice.seal(key.id(), b"Bob is a fool");
    let inside = Inside::open(&letter, key.id(), &hers).unwrap();
    assert_eq!(give(&inside, &mut bob), Err(OpenError::Foreign));
    assert_eq!(bob.sessions(), 0);
}

#[test]
fn an_old_first_message_begins_nothing_again() {
    let (mut alice, mut bob) = strangers();
    let first = alice.seal(bob.id(), b"the first");
    bob.open(&first).unwrap();
    // Five later sessions take its place.
    for n in 0..5u8 {
        alice.vault.renew(bob.id());
        let letter = alice.seal(bob.id(), &[n]);
        assert_eq!(bob.open(&letter), from(&alice, &[n]));
    }
    bob.restart();
    assert_eq!(bob.open(&first), Err(OpenError::Again));
    assert_eq!(bob.sessions(), peers::MAX_SESSIONS);
}

#[test]
fn a_mailbox_cannot_tell_whose_envelopes_are_whose() {
    let (mut alice, mut bob) = acquainted();
    let mut carol = Node::new(3);
    carol.learn_from(&mut bob);
    alice.learn_from(&mut carol);
    let parcel = [0; 300];
    // First messages and later ones, of one sender and of two, to one recipient and to two, alike and not.
    let mut envelopes = vec![carol.seal(bob.id(), &parcel), carol.seal(bob.id(), &parcel)];
    envelopes.extend([alice.seal(bob.id(), &parcel), alice.seal(bob.id(), &parcel), alice.seal(carol.id(), &parcel)]);
    envelopes.push(bob.seal(alice.id(), &parcel));
    let mut seen = BTreeSet::new();
    for envelope in &envelopes {
        let parts: BTreeSet<&[u8]> = envelope.windows(16).collect();
        assert!(seen.is_disjoint(&parts), "16 bytes that are in two envelopes");
        assert_eq!(parts.len(), envelope.len() - 15, "16 bytes twice in one");
        seen.extend(parts);
    }
    let lengths: BTreeSet<usize> = (0..400).map(|len| alice.seal(bob.id(), &vec![1; len]).len()).collect();
    assert_eq!(lengths, BTreeSet::from([512, 768]));
}

/// A thief copies Bob's database. Until Bob and Alice have both spoken again the thief reads along; then no more.
#[test]
fn a_stolen_state_reads_nothing_once_both_have_spoken_again() {
    let (mut alice, mut bob) = acquainted();
    let stolen = bob.stored.clone();
    let letters = [alice.seal(bob.id(), b"the same day")];
    bob.open(&letters[0]).unwrap();
    let answer = bob.seal(alice.id(), b"Bob draws a new key");
    alice.open(&answer).unwrap();
    let healed: Vec<_> = (0..3u8).map(|n| alice.seal(bob.id(), &[n])).collect();

    let mut thief = vault(2, 15, &stolen);
    assert_eq!(thief.open(day(0), &letters[0]), from(&alice, b"the same day"), "the theft is a real one");
    for (n, letter) in healed.iter().enumerate() {
        assert_eq!(thief.open(day(0), letter), Err(OpenError::NoSession { claims: alice.id() }));
        assert_eq!(bob.open(letter), from(&alice, &[n as u8]));
    }
    // What Bob sealed the thief cannot read either: it is for Alice.
    assert_eq!(thief.open(day(0), &answer), Err(OpenError::Foreign));
}

#[test]
fn a_stolen_state_reads_nothing_that_was_opened_before() {
    let (mut alice, mut bob) = acquainted();
    let opened: Vec<_> = (0..3u8).map(|n| alice.seal(bob.id(), &[n])).collect();
    for letter in &opened {
        bob.open(letter).unwrap();
    }
    let not_yet = alice.seal(bob.id(), b"not opened yet");
    let stolen = bob.stored.clone();
    assert_eq!(
        vault(2, 15, &stolen).open(day(0), &not_yet),
        from(&alice, b"not opened yet"),
        "the theft is a real one"
    );
    for letter in &opened {
        assert_eq!(vault(2, 15, &stolen).open(day(0), letter), Err(OpenError::Again));
    }
    // Nor when the thief leaves out whatever says that it was opened: no key for it is anywhere.
    let bare: Stored = stolen.into_iter().filter(|(key, _)| !key.starts_with(b"vs")).collect();
    for letter in &opened {
        let opened = vault(2, 15, &bare).open(day(0), letter);
        assert_eq!(opened, Err(OpenError::NoSession { claims: alice.id() }));
    }
}

/// What begins a session is sealed with a key of the card, which lasts: it is safe from a theft once that was rotated
/// twice.
#[test]
fn a_first_message_is_safe_from_later_theft_after_two_rotations() {
    let (mut alice, mut bob) = strangers();
    let letter = alice.seal(bob.id(), b"the first");
    bob.open(&letter).unwrap();
    let bare = |bob: &Node| -> Stored {
        let kept = bob.stored.iter().filter(|(key, _)| !key.starts_with(b"vs"));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    assert_eq!(
        vault(2, 15, &bare(&bob)).open(day(0), &letter),
        from(&alice, b"the first"),
        "the price of one key for many"
    );
    for (n, week) in [7, 14].into_iter().enumerate() {
        let card = bob.vault.card(day(week));
        bob.commit();
        let mut other = Node::new(10 + n as u8);
        other.vault.learn(&card).unwrap();
        let first = other.seal(bob.id(), b"another first");
        bob.open(&first).unwrap();
    }
    assert_eq!(vault(2, 15, &bare(&bob)).open(day(14), &letter), Err(OpenError::NoSession { claims: alice.id() }));
}
