//! Programs that end at the worst moment, and tables that are lost.

use super::super::super::id::Conversation;
use super::super::super::io::{Input, Output, Stage};
use super::world::*;

/// Lets a node do all it wants up to and with its next commit, and ends it there.
fn crash_after_commit(world: &mut World, node: base::NodeId) {
    while let Some(output) = world.actor(node).chat.poll_output() {
        if let Output::Persist(changes) = output {
            changes.into_iter().for_each(|change| world.actor(node).store(change));
            break;
        }
    }
    world.restart(node);
}

#[test]
fn what_was_stored_and_not_sent_is_sent_after_the_restart() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.write(of(ALICE), &chat, text("zero"));
    world.run(seconds(10));
    let now = world.now();
    world.actor(of(ALICE)).chat.write(now, &chat, text("one")).unwrap();
    crash_after_commit(&mut world, of(ALICE));
    world.run(seconds(10));
    assert_eq!(world.shown(of(BOB), &chat), ["zero", "one"]);
    world.assert_settled();
}

#[test]
fn what_was_taken_and_not_acknowledged_is_shown_once() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.write(of(ALICE), &chat, text("zero"));
    world.run(seconds(10));
    for number in 0..5 {
        let id = world.write(of(ALICE), &chat, text(&number.to_string()));
        world.run(LATENCY);
        world.restart(of(BOB));
        world.run(seconds(60));
        assert_eq!(world.stage(of(ALICE), id, BOB), Some(Stage::Delivered));
    }
    assert_eq!(world.told(of(BOB)).len(), 6);
    world.assert_settled();
}

#[test]
fn an_input_that_was_not_stored_comes_again() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.write(of(ALICE), &chat, text("zero"));
    world.run(seconds(10));
    world.write(of(ALICE), &chat, text("one"));
    // Bob's program ends between the input and its commit.
    world.actor(of(BOB)).is_awake = false;
    world.run(LATENCY);
    world.restart(of(BOB));
    world.run(seconds(60));
    assert_eq!(world.shown(of(BOB), &chat), ["zero", "one"]);
    world.assert_settled();
}

#[test]
fn what_waits_for_its_causes_waits_through_a_restart() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.sleep(of(CAROL));
    world.write(of(ALICE), &room(), text("question"));
    world.run(seconds(10));
    world.sleep(of(ALICE));
    world.write(of(BOB), &room(), text("answer"));
    world.wake(of(CAROL));
    world.run(seconds(700));
    world.restart(of(CAROL));
    world.wake(of(ALICE));
    world.run(seconds(700));
    assert_eq!(world.told(of(CAROL)), ["question", "answer"]);
    world.assert_settled();
}

#[test]
fn bob_loses_his_tables_and_goes_on() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    for number in 0..5 {
        world.write(of(ALICE), &chat, text(&number.to_string()));
        world.write(of(BOB), &chat, text(&number.to_string()));
    }
    world.run(seconds(10));
    world.sleep(of(BOB));
    let bob = world.actor(of(BOB));
    bob.facts.clear();
    bob.history.clear();
    bob.ids.clear();
    world.wake(of(BOB));
    world.run(seconds(10));
    world.write(of(ALICE), &chat, text("do you remember?"));
    // What he said himself might come from another node of his.
    world.run(seconds(3800));
    assert_eq!(world.told(of(BOB)).last().map(String::as_str), Some("do you remember?"));
    let id = world.write(of(BOB), &chat, text("no"));
    world.run(seconds(200));
    assert_eq!(world.told(of(ALICE)).last().map(String::as_str), Some("no"));
    assert_eq!(world.stage(of(BOB), id, ALICE), Some(Stage::Delivered));
    world.assert_settled();
}

#[test]
fn an_older_copy_of_the_tables_goes_on_too() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.write(of(ALICE), &chat, text("one"));
    world.run(seconds(10));
    let copy = world.actor(of(BOB)).clone_tables();
    for _ in 0..5 {
        world.write(of(ALICE), &chat, text("more"));
        world.run(seconds(10));
    }
    world.sleep(of(BOB));
    let bob = world.actor(of(BOB));
    (bob.facts, bob.history, bob.ids) = copy;
    world.wake(of(BOB));
    world.write(of(ALICE), &chat, text("last"));
    world.run(seconds(300));
    assert_eq!(world.told(of(BOB)).last().map(String::as_str), Some("last"));
    assert_eq!(world.told(of(BOB)).len(), 7, "what he lost was asked for");
    world.run(seconds(300));
    world.assert_settled();
}

#[test]
fn nothing_is_done_before_the_people_are_known() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.sleep(of(BOB));
    world.write(of(ALICE), &chat, text("hello"));
    world.run(seconds(10));
    world.sleep(of(ALICE));
    let now = world.now();
    let actor = world.actor(of(ALICE));
    let facts: Vec<_> = actor.facts.clone().into_iter().collect();
    let cipher = super::super::super::plain::Plain::new(of(ALICE), 5, &facts);
    let parts = super::super::Parts { me: ALICE, node: of(ALICE), cipher, seed: 5, settings: Default::default() };
    let mut alice = super::super::Chat::new(parts, facts);
    assert!(alice.poll_timeout().is_some(), "the clock has to be read once");
    alice.handle(now, Input::Timeout);
    alice.handle(now, Input::Connected(of(BOB)));
    assert!(outputs(&mut alice).iter().all(|output| matches!(output, Output::Persist(_))));
    alice.handle(now, Input::People(world.known(of(ALICE))));
    assert!(outputs(&mut alice).iter().any(|output| matches!(output, Output::Send(..))));
}
