//! People who are no contacts.

use super::super::super::conversation::Standing;
use super::super::super::id::Conversation;
use super::super::super::io::{ChatError, Event, Stage};
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
    for number in 0..MAX_REQUEST_MESSAGES + 5 {
        world.write(of(BOB), &chat, text(&number.to_string()));
    }
    world.write(of(BOB), &room(), text("to all"));
    world.run(seconds(30));
    assert_eq!(world.shown(of(ALICE), &chat), ["0", "1", "2"], "not the rest");
    assert_eq!(world.shown(of(ALICE), &room()), ["to all"], "in the room he is a member like others");
    assert!(world.actors[&of(ALICE)].requests.contains(&chat));
    let requests = world.actors[&of(ALICE)].events.iter().filter(|event| matches!(event, Event::Request(_)));
    assert_eq!(requests.count(), 1);
}

#[test]
fn what_was_too_much_comes_when_he_is_accepted() {
    for restarts in [false, true] {
        let (mut world, chat) = fellows();
        world.write(of(BOB), &chat, text(&"x".repeat(MAX_REQUEST_LEN)));
        world.write(of(BOB), &chat, text("hello"));
        for number in 0..MAX_REQUEST_MESSAGES {
            world.write(of(BOB), &chat, text(&number.to_string()));
        }
        world.run(seconds(30));
        assert_eq!(world.shown(of(ALICE), &chat), ["hello", "0", "1"]);
        if restarts {
            world.restart(of(ALICE));
        }
        decide(&mut world, true, &chat);
        world.run(seconds(30));
        let shown = world.shown(of(ALICE), &chat);
        assert_eq!(
            (shown.len(), shown[0].len(), shown[4].as_str()),
            (5, MAX_REQUEST_LEN, "2"),
            "though he says no more"
        );
        world.assert_settled();
    }
}

#[test]
fn who_may_be_a_stranger_hears_that_it_is_too_long() {
    let (mut world, chat) = fellows();
    world.strangers.insert((BOB, ALICE));
    world.introduce();
    let long = text(&"x".repeat(MAX_REQUEST_LEN));
    let refused = world.try_write(of(BOB), &chat, long.clone());
    assert_eq!(refused, Err(ChatError::TooLongUnasked { max: MAX_REQUEST_LEN }));
    world.write(of(BOB), &chat, text("hello"));
    world.run(seconds(10));
    world.write(of(ALICE), &chat, long.clone());
    world.run(seconds(10));
    world.write(of(BOB), &chat, long);
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
    let read = |event: &Event| matches!(event, Event::Read(of, ids) if *of == chat && ids.len() == 1);
    assert!(world.actors[&of(ALICE)].events.iter().any(read), "nothing there is news any more");
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

#[test]
fn what_was_too_much_comes_before_the_answer_of_another_node() {
    let mut world = World::new(&[(ALICE, 2), (BOB, 1)]);
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    world.strangers.insert((ALICE, BOB));
    world.introduce();
    let (laptop, chat) = (node(ALICE, 2), Conversation::between(ALICE, BOB));
    world.write(of(BOB), &chat, text("hello"));
    world.run(seconds(10));
    // By a program of an earlier version, which does not tell the other node.
    let (now, phone) = (world.now(), &mut world.actor(of(ALICE)).chat);
    phone.begin(now);
    phone.decide(now, &chat, Standing::Accepted);
    phone.finish(now);
    world.drain(of(ALICE));
    for number in 1..5 {
        world.write(of(BOB), &chat, text(&number.to_string()));
    }
    world.run(seconds(1));
    assert_eq!(world.told(laptop), ["hello", "1", "2"], "she accepted on the other node");
    world.write(of(ALICE), &chat, text("answer"));
    world.run(seconds(30));
    assert_eq!(world.told(laptop), ["hello", "1", "2", "3", "4", "answer"]);
    world.assert_settled();
}

#[test]
fn what_alice_decided_on_one_node_she_is_not_asked_on_the_other() {
    for accepts in [true, false] {
        let mut world = World::new(&[(ALICE, 2), (BOB, 1)]);
        world.groups.insert(CHOIR, [ALICE, BOB].into());
        world.strangers.insert((ALICE, BOB));
        world.introduce();
        let (laptop, chat) = (node(ALICE, 2), Conversation::between(ALICE, BOB));
        world.write(of(BOB), &chat, text("hello"));
        world.run(seconds(30));
        assert!(world.actors[&laptop].requests.contains(&chat));
        world.sleep(laptop);
        decide(&mut world, accepts, &chat);
        world.run(hours(1));
        world.wake(laptop);
        world.run(seconds(700));
        assert!(world.actors[&laptop].requests.is_empty());
        for number in 1..5 {
            world.write(of(BOB), &chat, text(&number.to_string()));
        }
        world.sleep(of(ALICE));
        world.run(seconds(30));
        assert_eq!(world.told(laptop).len(), if accepts { 5 } else { 1 });
        let tablet = node(ALICE, 3);
        world.wake(of(ALICE));
        world.add(ALICE, 3);
        world.introduce();
        world.run(seconds(30));
        world.write(of(BOB), &chat, text("to your new one"));
        world.run(seconds(30));
        assert_eq!((world.told(tablet).is_empty(), world.actors[&tablet].requests.len()), (!accepts, 0));
    }
}
