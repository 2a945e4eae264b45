//! What no sane program writes, and random histories: any order of arrival gives the same state.

use super::*;
use crate::proto::group::change::{MAX_CHANGE_BYTES, MAX_MEMBERS, Recipient};
use crate::proto::group::keys::SEALED_SECRET_BYTES;
use crate::proto::group::log::MAX_CHANGES_OF_ONE;
use proptest::prelude::*;

#[test]
fn a_forged_change_is_refused_wherever_it_was_touched() {
    let (world, _) = World::with(&[], &[BOB]);
    for bytes in world.bytes() {
        assert!(Change::decode(bytes).is_ok());
        for at in 0..bytes.len() {
            let mut forged = bytes.to_vec();
            forged[at] ^= 1;
            assert!(Change::decode(&forged).is_err(), "byte {at}");
        }
        assert!((0..bytes.len()).all(|end| Change::decode(&bytes[..end]).is_err()));
        assert!(Change::decode(&[bytes, [0].as_slice()].concat()).is_err());
    }
}

#[test]
fn there_is_one_way_to_write_a_change() {
    let (world, _) = World::with(&[MALLORY], &[BOB]);
    for bytes in world.bytes() {
        let body = &bytes[..bytes.len() - 64];
        for at in 0..body.len() {
            for bit in [1, 128] {
                let mut touched = body.to_vec();
                touched[at] ^= bit;
                // Asserts that whatever can be read is written as it was.
                crate::proto::group::fuzzing::change(&touched);
            }
        }
    }
}

#[test]
fn a_request_of_somebody_else_lets_nobody_in() {
    let mut world = World::new(Kind::Open);
    let mut request = world.request(BOB, None);
    request.person = id(CAROL);
    let change = Change {
        group: world.group,
        author: id(ALICE),
        predecessors: vec![world.first],
        wall: WallTime(0),
        action: Action::Admit { request },
    };
    let (_, bytes) = change.sign(&key(ALICE));
    assert_eq!(Change::decode(&bytes), Err(ChangeError::Signature));
    world.admit(ALICE, &[world.first], BOB);
    let other = World::new(Kind::Private);
    assert_ne!(other.group, world.group);
    assert_eq!(Log::new(other.group).insert(&world.bytes()[0]), Insert::Foreign);
}

#[test]
fn the_longest_change_fits_and_a_longer_one_is_refused_unread() {
    let recipients = (0..MAX_MEMBERS).map(|n| {
        let mut person = [0; 32];
        person[..2].copy_from_slice(&(n as u16).to_be_bytes());
        Recipient { person: PersonId(person), sealed: [1; SEALED_SECRET_BYTES] }
    });
    let change = Change {
        group: GroupId([1; 32]),
        author: id(ALICE),
        predecessors: (0..64).map(|n| ChangeId([n; 32])).collect(),
        wall: WallTime(0),
        action: Action::Epoch { commitment: [0; 32], recipients: recipients.collect(), meta: vec![0; 1024] },
    };
    let (_, bytes) = change.sign(&key(ALICE));
    assert_eq!(bytes.len(), MAX_CHANGE_BYTES);
    assert_eq!(Change::decode(&bytes).unwrap().1, change);
    assert!(Change::decode(&vec![1; MAX_CHANGE_BYTES + 1]).is_err());
}

#[test]
fn one_member_does_not_fill_the_log() {
    let (mut world, last) = World::with(&[], &[MALLORY]);
    let (mut line, mut refused) = (last, 0);
    for n in 0..=MAX_CHANGES_OF_ONE {
        let change = Change {
            group: world.group,
            author: id(MALLORY),
            predecessors: vec![line],
            wall: WallTime(n as u64),
            action: Action::Seen,
        };
        let (id, bytes) = change.sign(&key(MALLORY));
        match world.log.insert(&bytes) {
            Insert::New(_) => line = id,
            Insert::Full => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 1);
    world.admit(ALICE, &[line], BOB);
}

#[test]
fn a_secret_that_the_expelled_drew_in_advance_is_not_the_members_own() {
    let (mut world, last) = World::with(&[], &[BOB, MALLORY]);
    let recipients = |who: &[u8]| {
        let mut people: Vec<_> = who.iter().map(|who| id(*who)).collect();
        people.sort();
        people.into_iter().map(|person| Recipient { person, sealed: [1; SEALED_SECRET_BYTES] }).collect()
    };
    let epoch = |who: &[u8]| Action::Epoch { commitment: [0; 32], recipients: recipients(who), meta: Vec::new() };
    let drawn = world.write(MALLORY, &[last], epoch(&[ALICE, BOB]));
    assert_eq!(world.roster().epoch, None, "she is a member still");
    let out = world.expel(ALICE, &[drawn], MALLORY);
    assert_eq!(world.roster().epoch, None, "she knows it");
    let anew = world.write(BOB, &[out], epoch(&[ALICE, BOB]));
    assert_eq!(world.roster().epoch, Some(anew));
}

/// One step of a random history: who, what about whom, and which of what was written is known.
#[derive(Clone, Debug)]
struct Step {
    who: u8,
    whom: u8,
    what: u8,
    knowing: Vec<prop::sample::Index>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (1..6u8, 1..6u8, 0..8u8, prop::collection::vec(any::<prop::sample::Index>(), 1..3));
    let step = step.prop_map(|(who, whom, what, knowing)| Step { who, whom, what, knowing });
    prop::collection::vec(step, 1..24)
}

fn play(steps: &[Step]) -> (World, Vec<ChangeId>) {
    let (mut world, last) = World::with(&[BOB, CAROL], &[DAVE]);
    let mut all = vec![world.first, last];
    for step in steps {
        let mut knowing: Vec<ChangeId> = step.knowing.iter().map(|at| *at.get(&all)).collect();
        knowing.sort();
        knowing.dedup();
        let person = id(step.whom);
        let action = match step.what {
            0..=2 => Action::Remove { person },
            3 => Action::Role { person, role: Role::Admin },
            4 => Action::Role { person, role: Role::Member },
            5 => Action::Seen,
            _ => {
                let invite = Action::Invite { to: Invitee::Person(person), uses: 1, role: Role::Member };
                let Some(invite) = world.try_write(step.who, &knowing, invite) else { continue };
                all.push(invite);
                knowing = vec![invite];
                Action::Admit { request: world.request(step.whom, Some((invite, None))) }
            }
        };
        all.extend(world.try_write(step.who, &knowing, action));
    }
    (world, all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_arrival_gives_the_same_state(steps in steps()) {
        // `roster` compares eight orders.
        let (world, _) = play(&steps);
        let roster = world.roster();
        prop_assert!(roster.members.is_empty() || roster.members.values().any(|member| member.role == Role::Admin));
    }

    #[test]
    fn bytes_are_a_change_only_as_they_would_be_written(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Change::decode(&bytes).is_err());
        crate::proto::group::fuzzing::change(&bytes);
    }
}
