//! Chance: frames are lost, come twice and in disorder, programs end and begin, and still everybody has everything.

use std::collections::BTreeSet;
use std::time::Duration;

use base::NodeId;
use proptest::prelude::*;

use super::super::super::id::Conversation;
use super::world::*;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Write(u8, u8),
    Restart(u8),
    Sleep(u8),
    Wake(u8),
    Disconnect(u8, u8),
    Connect(u8, u8),
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6u8, 0..4u8).prop_map(|(node, conversation)| Step::Write(node, conversation)),
        1 => (0..6u8).prop_map(Step::Restart),
        1 => (0..6u8).prop_map(Step::Sleep),
        2 => (0..6u8).prop_map(Step::Wake),
        1 => (0..6u8, 0..6u8).prop_map(|(one, other)| Step::Disconnect(one, other)),
        1 => (0..6u8, 0..6u8).prop_map(|(one, other)| Step::Connect(one, other)),
        4 => prop_oneof![0..100u32, 0..3_000u32, 0..300_000u32].prop_map(Step::Wait),
    ]
}

fn nodes() -> Vec<NodeId> {
    [ALICE, BOB, CAROL].into_iter().flat_map(|person| [node(person, 1), node(person, 2)]).collect()
}

fn conversations() -> [Conversation; 4] {
    let direct = |one, other| Conversation::between(one, other);
    [room(), direct(ALICE, BOB), direct(ALICE, CAROL), direct(BOB, CAROL)]
}

fn take(world: &mut World, step: Step, written: &mut Vec<(Conversation, String)>) {
    let at = |i: u8| nodes()[usize::from(i)];
    match step {
        Step::Write(by, conversation) => {
            let conversation = conversations()[usize::from(conversation)].clone();
            let words = written.len().to_string();
            if world.actors[&at(by)].is_awake && world.try_write(at(by), &conversation, text(&words)).is_ok() {
                written.push((conversation, words));
            }
        }
        Step::Restart(node) => world.restart(at(node)),
        Step::Sleep(node) => world.sleep(at(node)),
        Step::Wake(node) => {
            if !world.actors[&at(node)].is_awake {
                world.wake(at(node));
            }
        }
        Step::Disconnect(one, other) => world.disconnect(at(one), at(other)),
        Step::Connect(one, other) => {
            if one != other && [one, other].iter().all(|i| world.actors[&at(*i)].is_awake) {
                world.connect(at(one), at(other));
            }
        }
        Step::Wait(milliseconds) => world.run(Duration::from_millis(milliseconds.into())),
    }
}

/// Who may read a conversation.
fn readers(conversation: &Conversation) -> BTreeSet<NodeId> {
    let may = |node: &NodeId| match conversation {
        Conversation::Room(..) => true,
        Conversation::Direct(one, other) => [one, other].iter().any(|person| person.0[0] == node.0[0]),
    };
    nodes().into_iter().filter(may).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn everything_arrives_once_and_no_effect_before_its_cause(
        seed in any::<u64>(),
        loss in 0..40u8,
        twice in 0..40u8,
        jitter in 0..2_000u64,
        mailboxes in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut world = World::in_a_room(&[(ALICE, 2), (BOB, 2), (CAROL, 2)]);
        world.rng = fastrand::Rng::with_seed(seed);
        if mailboxes {
            nodes().into_iter().for_each(|node| world.mailboxes(node, &[of(ALICE), of(BOB)]));
        }
        (world.loss, world.twice, world.jitter) = (loss, twice, Duration::from_millis(jitter));
        let mut written = Vec::new();
        for step in steps {
            take(&mut world, step, &mut written);
        }
        (world.loss, world.twice) = (0, 0);
        nodes().into_iter().filter(|node| !world.actors[node].is_awake).collect::<Vec<_>>().into_iter().for_each(|node| world.wake(node));
        world.run(hours(3));
        for conversation in conversations() {
            let mut expected: Vec<_> =
                written.iter().filter(|(other, _)| *other == conversation).map(|(_, words)| words.clone()).collect();
            expected.sort();
            let order = world.shown(*readers(&conversation).first().unwrap(), &conversation);
            for node in readers(&conversation) {
                let shown = world.shown(node, &conversation);
                prop_assert_eq!(&shown, &order, "the order on {:?}", node);
                let mut shown = shown;
                shown.sort();
                prop_assert_eq!(&shown, &expected, "what {:?} has", node);
            }
        }
        for (node, actor) in &world.actors {
            let mut seen = BTreeSet::new();
            for message in &actor.history {
                let causes = message.after.iter().all(|cause| seen.contains(cause));
                prop_assert!(causes, "an effect before its cause on {:?}: {:?}", node, message);
                seen.insert(message.id);
            }
        }
        world.assert_settled();
    }
}
