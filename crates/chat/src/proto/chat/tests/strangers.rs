//! People who are no contacts.

use super::super::super::id::Conversation;
use super::super::super::io::{Event, Stage};
use super::super::take::{MAX_REQUEST_LEN, MAX_REQUEST_MESSAGES};
use super::world::*;

/// Alice and Bob are in a group; Bob is no contact of hers.
fn fellows() -> (World, Conversation) {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    world.strangers.insert((ALICE, BOB));
    world.introduce();
    (world, Conversation::between(ALICE, BOB))
}

fn decide(world: &mut World, accepts: bool, chat: &Conversation) {
    let now = world.now();
    if accepts {
        world.actor(of(ALICE)).chat.accept(now, chat);
    } else {
        world.actor(of(ALICE)).chat.refuse(now, chat);
    }
    world.drain(of(ALICE));
}

#[test]
fn a_stranger_leaves_a_few_short_messages() {
    let (mut world, chat) = fellows();
    world.write(of(BOB), &chat, text(&"x".repeat(MAX_REQUEST_LEN)));
    for number in 0..MAX_REQUEST_MESSAGES + 5 {
        world.write(of(BOB), &chat, text(&number.to_string()));
    }
    world.write(of(BOB), &room(), text("to all"));
    world.run(seconds(30));
    assert_eq!(world.shown(of(ALICE), &chat), ["0", "1", "2"], "neither the long one nor the rest");
    assert_eq!(world.shown(of(ALICE), &room()), ["to all"], "in the room he is a member like others");
    assert!(world.actors[&of(ALICE)].requests.contains(&chat));
    let requests = world.actors[&of(ALICE)].events.iter().filter(|event| matches!(event, Event::Request(_)));
    assert_eq!(requests.count(), 1);
}

#[test]
fn who_is_accepted_writes_as_he_likes() {
    let (mut world, chat) = fellows();
    let id = world.write(of(BOB), &chat, text("hello"));
    world.run(seconds(10));
    let now = world.now();
    world.actor(of(ALICE)).chat.mark_read(now, &chat, &[id]);
    world.drain(of(ALICE));
    world.run(seconds(10));
    assert_eq!(world.stage(of(BOB), id, ALICE), Some(Stage::Delivered), "he does not hear whether she read it");
    world.restart(of(ALICE));
    decide(&mut world, true, &chat);
    assert!(!world.actors[&of(ALICE)].requests.contains(&chat));
    world.restart(of(ALICE));
    for _ in 0..10 {
        world.write(of(BOB), &chat, text("more"));
    }
    world.run(seconds(30));
    assert_eq!(world.shown(of(ALICE), &chat).len(), 11);
}

#[test]
fn who_is_refused_is_not_heard_again() {
    let (mut world, chat) = fellows();
    world.write(of(BOB), &chat, text("hello"));
    world.run(seconds(10));
    decide(&mut world, false, &chat);
    assert!(!world.actors[&of(ALICE)].requests.contains(&chat));
    world.restart(of(ALICE));
    world.write(of(BOB), &chat, text("hello?"));
    world.run(seconds(30));
    assert_eq!(world.shown(of(ALICE), &chat), ["hello"]);
    assert!(world.actors[&of(ALICE)].requests.is_empty());
    world.write(of(ALICE), &chat, text("well then"));
    world.write(of(BOB), &chat, text("thank you"));
    world.run(seconds(10));
    assert_eq!(world.shown(of(ALICE), &chat).len(), 3);
}

#[test]
fn who_becomes_a_contact_is_no_request_any_more() {
    let (mut world, chat) = fellows();
    world.write(of(BOB), &chat, text("hello"));
    world.run(seconds(10));
    assert!(world.actors[&of(ALICE)].requests.contains(&chat));
    world.strangers.clear();
    world.introduce();
    assert!(world.actors[&of(ALICE)].requests.is_empty());
    for _ in 0..10 {
        world.write(of(BOB), &chat, text("more"));
    }
    world.run(seconds(30));
    assert_eq!(world.shown(of(ALICE), &chat).len(), 11);
}

#[test]
fn whoever_alice_writes_to_may_answer() {
    let (mut world, chat) = fellows();
    world.write(of(ALICE), &chat, text("hello"));
    world.run(seconds(10));
    for _ in 0..10 {
        world.write(of(BOB), &chat, text("answer"));
    }
    world.run(seconds(30));
    assert_eq!(world.shown(of(ALICE), &chat).len(), 11);
    assert!(world.actors[&of(ALICE)].requests.is_empty());
}
