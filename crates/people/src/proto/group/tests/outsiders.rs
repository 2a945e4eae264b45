//! Whoever only knows what a group is called, beside those who came in while somebody was away.

use super::*;
use crate::proto::group::message::{MAX_BATCH, Message};
use crate::proto::group::replica::{MAX_OUTSIDERS, MAX_SESSIONS, PROOF_PATIENCE};
use crate::proto::group::{Identity, Input, Output, Replica, SessionId};
use crate::proto::name::Name;

/// Alice's copy of a private group that Bob is in.
fn alice() -> Replica {
    let (world, _) = World::with(&[], &[BOB]);
    let stored = world.bytes().iter().map(AsRef::as_ref);
    Replica::restore(world.group, Identity::new(key(ALICE)), [1; 32], stored, at(0))
}

fn connect(replica: &mut Replica, session: SessionId, who: u8) {
    replica.handle(at(0), Input::Connected { session, person: id(who) });
}

fn says(replica: &mut Replica, session: SessionId, message: Message) {
    replica.handle(at(1), Input::Received { session, message });
}

fn outputs(replica: &mut Replica) -> Vec<Output> {
    std::iter::from_fn(|| replica.poll_output()).collect()
}

fn ended(session: SessionId) -> Output {
    Output::Disconnect { session, blame: false }
}

#[test]
fn who_is_no_member_hears_nothing_of_the_group() {
    let mut alice = alice();
    let ids: Vec<ChangeId> = alice.log().iter().map(|entry| entry.id).collect();
    connect(&mut alice, 1, MALLORY);
    assert_eq!(outputs(&mut alice), []);
    says(&mut alice, 1, Message::Have(Vec::new()));
    says(&mut alice, 1, Message::Have(ids.clone()));
    says(&mut alice, 1, Message::Want(ids));
    let nothing = Output::Send { session: 1, message: Message::Have(Vec::new()) };
    assert_eq!(outputs(&mut alice), [nothing.clone(), nothing]);
}

#[test]
fn who_proves_nothing_is_gone_in_time() {
    let mut alice = alice();
    connect(&mut alice, 1, MALLORY);
    connect(&mut alice, 2, BOB);
    outputs(&mut alice);
    let due = alice.poll_timeout().unwrap();
    assert!(due <= at(0).mono + PROOF_PATIENCE);
    alice.handle(at(PROOF_PATIENCE.as_secs()), Input::Timeout);
    assert_eq!(outputs(&mut alice).into_iter().filter(|output| *output == ended(1)).count(), 1);
    says(&mut alice, 2, Message::Have(Vec::new()));
    assert!(!outputs(&mut alice).is_empty(), "Bob is spoken to");
}

#[test]
fn strangers_are_few_and_in_nobodys_way() {
    let mut alice = alice();
    let strangers = MAX_OUTSIDERS as SessionId;
    for session in 0..=strangers {
        connect(&mut alice, session, MALLORY);
    }
    assert_eq!(outputs(&mut alice), [ended(strangers)]);
    for session in 100..100 + MAX_SESSIONS as SessionId {
        connect(&mut alice, session, BOB);
    }
    assert!(outputs(&mut alice).iter().all(|output| matches!(output, Output::Send { .. })), "all members find room");
    connect(&mut alice, 999, BOB);
    assert_eq!(outputs(&mut alice), [ended(999)]);
    alice.handle(at(0), Input::Closed { session: 0 });
    connect(&mut alice, 1000, MALLORY);
    assert_eq!(outputs(&mut alice), [], "a stranger finds what it would where no member is");
}

#[test]
fn what_a_stranger_sends_costs_little() {
    let mut alice = alice();
    let heads: Vec<ChangeId> = alice.log().heads().collect();
    connect(&mut alice, 1, MALLORY);
    // Signed as it should be, and resting on what nobody has.
    let change = |n: u64| {
        let predecessors = vec![ChangeId([9; 32])];
        let wall = WallTime(n);
        let change = Change { group: alice.group(), author: id(MALLORY), predecessors, wall, action: Action::Seen };
        Arc::from(change.sign(&key(MALLORY)).1)
    };
    let flood: Vec<Arc<[u8]>> = (0..MAX_BATCH as u64).map(change).collect();
    says(&mut alice, 1, Message::Changes(flood));
    assert_eq!(
        outputs(&mut alice),
        [Output::Disconnect { session: 1, blame: true }],
        "and not a word about what lacks"
    );
    assert!(alice.log().heads().eq(heads));
}

#[test]
fn who_came_in_meanwhile_proves_it_and_is_spoken_to() {
    let (mut world, last) = World::with(&[], &[BOB]);
    let before = world.bytes().to_vec();
    let carol = world.admit(BOB, &[last], CAROL);
    let restore = |who: u8, changes: &[Arc<[u8]>]| {
        let stored = changes.iter().map(AsRef::as_ref);
        Replica::restore(world.group, Identity::new(key(who)), [who; 32], stored, at(0))
    };
    let (mut alice, mut carols) = (restore(ALICE, &before), restore(CAROL, world.bytes()));
    // Alice has something that Carol lacks.
    let name = Name::new("Tea").unwrap();
    alice.write_epoch(at(0), Some(&name)).unwrap();
    alice.refresh(at(0));
    outputs(&mut alice);
    connect(&mut alice, 1, CAROL);
    connect(&mut carols, 1, ALICE);
    loop {
        let (one, other) = (outputs(&mut alice), outputs(&mut carols));
        if one.is_empty() && other.is_empty() {
            break;
        }
        let sent = |outputs: Vec<Output>| {
            outputs.into_iter().filter_map(|output| match output {
                Output::Send { message, .. } => Some(message),
                _ => None,
            })
        };
        sent(one).for_each(|message| says(&mut carols, 1, message));
        sent(other).for_each(|message| says(&mut alice, 1, message));
    }
    assert!(alice.has(&id(CAROL)) && alice.log().place(&carol).is_some());
    assert_eq!(alice.log().len(), carols.log().len(), "and Carol has what Alice wrote");
    alice.handle(at(PROOF_PATIENCE.as_secs()), Input::Timeout);
    assert!(!outputs(&mut alice).contains(&ended(1)), "she stays");
}
