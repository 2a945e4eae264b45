//! Bob has a laptop, which holds his key, and a phone, which does not.

use super::*;
use crate::proto::group::message::Message;
use crate::proto::group::{Command, EpochSecret, Identity, Input, Output, Replica};
use crate::proto::name::Name;

/// The session between the two, at both ends.
const OVER: u64 = 7;

/// Copies of Bob, who began a group: with his key, and without.
fn laptop_and_phone() -> (Replica, Replica) {
    let name = Name::new("Tea").unwrap();
    let mut laptop = Replica::create(Identity::new(key(BOB)), Kind::Private, &name, [1; 32], at(0)).unwrap();
    while laptop.poll_output().is_some() {}
    let phone = Replica::new(laptop.group(), Identity::locked(id(BOB)), [2; 32]);
    (laptop, phone)
}

fn connect(one: &mut Replica, other: &mut Replica) {
    for (replica, session) in [(&mut *one, OVER), (&mut *other, OVER)] {
        replica.handle(at(0), Input::Connected { session, person: id(BOB) });
    }
}

/// Delivers what both say to one another, and returns what the second keeps.
fn talk(one: &mut Replica, other: &mut Replica) -> Vec<(ChangeId, EpochSecret)> {
    let mut kept = Vec::new();
    loop {
        let mut is_quiet = true;
        for from_one in [true, false] {
            let (from, to) = if from_one { (&mut *one, &mut *other) } else { (&mut *other, &mut *one) };
            while let Some(output) = from.poll_output() {
                is_quiet = false;
                match output {
                    Output::Send { message, .. } => {
                        let message = Message::decode(&message.encode()).unwrap();
                        to.handle(at(0), Input::Received { session: OVER, message });
                    }
                    Output::Keep(secrets) => kept.extend(secrets),
                    Output::Disconnect { .. } => panic!("they get on"),
                    _ => {}
                }
            }
        }
        if is_quiet {
            return kept;
        }
    }
}

#[test]
fn a_node_without_the_key_reads_what_a_node_with_it_gives() {
    let (mut laptop, mut phone) = laptop_and_phone();
    connect(&mut laptop, &mut phone);
    let mut kept = talk(&mut laptop, &mut phone);
    assert_eq!(phone.name().unwrap().as_str(), "Tea");
    assert_eq!(phone.epoch(), laptop.epoch(), "it speaks where all do");
    // The key changes while both are there.
    laptop.command(at(1), Command::NewEpoch).unwrap();
    laptop.command(at(1), Command::Rename(Name::new("Coffee").unwrap())).unwrap();
    kept.extend(talk(&mut laptop, &mut phone));
    assert_eq!(phone.name().unwrap().as_str(), "Coffee");
    assert_eq!(kept.len(), 2, "each once");

    let stored = phone.log().iter().map(|entry| entry.bytes.as_ref());
    let mut restarted = Replica::restore(phone.group(), Identity::locked(id(BOB)), [3; 32], stored, at(2));
    assert!(restarted.name().is_none());
    restarted.recall(kept);
    assert_eq!(restarted.name().unwrap().as_str(), "Coffee", "also when the laptop is off");
}

#[test]
fn a_person_without_the_key_at_hand_hands_out_the_next_one_for_this_once() {
    let (mut laptop, mut phone) = laptop_and_phone();
    connect(&mut laptop, &mut phone);
    talk(&mut laptop, &mut phone);
    let before = phone.epoch().unwrap().0;
    phone.command_with(key(BOB), at(1), Command::NewEpoch).unwrap();
    assert_ne!(phone.epoch().unwrap().0, before);
    assert!(phone.me().is_locked(), "and does not keep it");
    talk(&mut laptop, &mut phone);
    assert_eq!(laptop.epoch(), phone.epoch());
}

#[test]
fn nobody_else_is_given_secrets_nor_believed_about_them() {
    let (world, _) = World::with(&[], &[BOB]);
    let restore = |identity: Identity| {
        let stored = world.bytes().iter().map(AsRef::as_ref);
        Replica::restore(world.group, identity, [1; 32], stored, at(0))
    };
    let mut alice = restore(Identity::new(key(ALICE)));
    let epoch = alice.command(at(0), Command::NewEpoch).unwrap();
    while alice.poll_output().is_some() {}
    alice.handle(at(0), Input::Connected { session: OVER, person: id(BOB) });
    alice.handle(at(0), Input::Received { session: OVER, message: Message::Have(Vec::new()) });
    let said: Vec<Output> = std::iter::from_fn(|| alice.poll_output()).collect();
    assert!(said.iter().any(|output| matches!(output, Output::Send { message: Message::Changes(_), .. })));
    assert!(!said.iter().any(|output| matches!(output, Output::Send { message: Message::Secrets(_), .. })));

    let secret = alice.epoch().unwrap().1.clone();
    let stored = alice.log().iter().map(|entry| entry.bytes.as_ref());
    let mut phone = Replica::restore(world.group, Identity::locked(id(BOB)), [2; 32], stored, at(0));
    let says = |phone: &mut Replica, session, person: u8, secret: EpochSecret| {
        phone.handle(at(0), Input::Connected { session, person: id(person) });
        let message = Message::Secrets(vec![(epoch, secret)]);
        phone.handle(at(0), Input::Received { session, message });
    };
    says(&mut phone, 1, ALICE, secret.clone());
    assert!(phone.epoch().is_none(), "from a node of one's own alone");
    says(&mut phone, 2, BOB, EpochSecret::from_bytes([9; 32]));
    assert!(phone.epoch().is_none(), "and only the one that all were told of");
    says(&mut phone, 3, BOB, secret);
    assert_eq!(phone.epoch().unwrap().0, epoch);
}
