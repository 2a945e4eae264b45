//! People who are awake.

use super::super::super::frame::Frame;
use super::super::super::id::Conversation;
use super::super::super::io::{ChatError, Event, Input, Output, Stage};
use super::super::super::message::{Body, MAX_TEXT};
use super::super::Settings;
use super::world::*;
use std::time::Duration;

#[test]
fn what_alice_says_is_with_bob_at_once() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    let hello = world.write(of(ALICE), &chat, text("hello"));
    assert_eq!(world.stage(of(ALICE), hello, BOB), Some(Stage::Waiting));
    world.run(Duration::from_millis(70));
    assert_eq!(world.shown(of(BOB), &chat), ["hello"]);
    world.write(of(BOB), &chat, text("hello Alice"));
    world.run(seconds(2));
    assert_eq!(world.shown(of(ALICE), &chat), ["hello", "hello Alice"]);
    assert_eq!(world.stage(of(ALICE), hello, BOB), Some(Stage::Delivered));
    world.assert_settled();
}

#[test]
fn a_message_on_a_standing_stream_costs_two_frames() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.write(of(ALICE), &chat, text("hello"));
    world.run(seconds(10));
    let before = world.frames;
    world.write(of(ALICE), &chat, text("are you there?"));
    world.run(LATENCY);
    assert_eq!(world.shown(of(BOB), &chat).len(), 2);
    world.run(seconds(600));
    assert_eq!(world.frames - before, 2, "the message, and that it arrived");
    world.write(of(ALICE), &chat, text("one"));
    world.write(of(ALICE), &chat, text("two"));
    world.run(LATENCY);
    world.write(of(BOB), &chat, text("three"));
    world.run(seconds(600));
    assert_eq!(world.frames - before, 2 + 4, "an answer says that it arrived too");
}

#[test]
fn nothing_is_acknowledged_or_sent_before_it_is_stored() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    for person in [ALICE, BOB] {
        world.actor(of(person)).log = Some(Vec::new());
    }
    for turn in 0..20 {
        let writer = if turn % 3 == 0 { BOB } else { ALICE };
        world.write(of(writer), &chat, text("words"));
        world.run(Duration::from_millis(7 * turn));
    }
    world.run(seconds(5));
    for person in [ALICE, BOB] {
        let log = world.actor(of(person)).log.take().unwrap();
        let mut sends = 0;
        for (i, output) in log.iter().enumerate() {
            let Output::Send(_, frame) = output else { continue };
            if !matches!(Frame::decode(frame), Some(Frame::Envelope(_))) {
                continue;
            }
            sends += 1;
            // The plain cipher counts what it seals in a fact: each envelope has one of its own before it.
            let persists = log[..i].iter().filter(|output| matches!(output, Output::Persist(_))).count();
            assert!(persists > 0, "{person:?} sent something before it stored anything");
        }
        assert!(sends > 10);
    }
}

#[test]
fn an_input_is_stored_at_once_and_all_else_comes_after() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.write(of(ALICE), &chat, text("hello"));
    world.run(seconds(1));
    world.write(of(ALICE), &chat, text("again"));
    let now = world.now();
    let bob = &mut world.actor(of(BOB)).chat;
    outputs(bob);
    // What came is taken, and after its time acknowledged: each in one commit before anything else.
    world.actor(of(BOB)).log = Some(Vec::new());
    world.run(seconds(1));
    let log = world.actor(of(BOB)).log.take().unwrap();
    let kinds: Vec<_> = log
        .iter()
        .map(|output| match output {
            Output::Persist(_) => "persist",
            Output::Send(..) => "send",
            Output::Event(_) => "event",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["persist", "event", "persist", "send"]);
    assert!(world.now().mono > now.mono);
}

#[test]
fn in_a_room_all_hear_all_in_the_same_order() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 2), (CAROL, 1)]);
    for turn in 0..9 {
        let writer = [ALICE, BOB, CAROL][turn % 3];
        world.write(of(writer), &room(), text(&format!("{turn}")));
        world.run(Duration::from_millis([0, 15, 400][turn % 3]));
    }
    world.run(seconds(10));
    let shown = world.shown(of(ALICE), &room());
    assert_eq!(shown.len(), 9);
    for other in [node(BOB, 1), node(BOB, 2), of(CAROL)] {
        assert_eq!(world.shown(other, &room()), shown);
    }
    world.assert_settled();
}

#[test]
fn what_is_said_to_one_is_not_heard_by_another() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.write(of(ALICE), &Conversation::between(ALICE, BOB), text("between us"));
    world.run(seconds(10));
    assert_eq!(world.told(of(CAROL)), Vec::<String>::new());
    assert_eq!(world.told(of(BOB)), ["between us"]);
}

#[test]
fn bob_lets_alice_know_that_he_read_it_if_he_wants() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    let ids: Vec<_> = (0..3).map(|_| world.write(of(ALICE), &chat, text("words"))).collect();
    world.run(seconds(1));
    let now = world.now();
    world.actor(of(BOB)).chat.mark_read(now, &chat, &ids[..2]);
    world.drain(of(BOB));
    world.run(seconds(1));
    let stages: Vec<_> = ids.iter().map(|id| world.stage(of(ALICE), *id, BOB)).collect();
    assert_eq!(stages, [Some(Stage::Read), Some(Stage::Read), Some(Stage::Delivered)]);
    assert!(world.actor(of(BOB)).read.contains(&ids[0]));
    world.actor(of(BOB)).chat.set_settings(Settings { receipts: false, typing: true });
    let now = world.now();
    world.actor(of(BOB)).chat.mark_read(now, &chat, &ids);
    world.drain(of(BOB));
    world.run(seconds(1));
    assert_eq!(world.stage(of(ALICE), ids[2], BOB), Some(Stage::Delivered), "he keeps it for himself");
    assert!(world.actor(of(BOB)).read.contains(&ids[2]));
    world.assert_settled();
}

#[test]
fn that_somebody_writes_is_told_and_ends_by_itself() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.write(of(ALICE), &chat, text("hello"));
    world.run(seconds(1));
    let typing = |world: &mut World, on| {
        let now = world.now();
        world.actor(of(ALICE)).chat.typing(now, &chat, on);
        world.drain(of(ALICE));
    };
    let heard = |world: &mut World| {
        let events = std::mem::take(&mut world.actor(of(BOB)).events).into_iter();
        events
            .filter_map(|event| if let Event::Typing(_, ALICE, on) = event { Some(on) } else { None })
            .collect::<Vec<_>>()
    };
    let frames = world.frames;
    for _ in 0..10 {
        typing(&mut world, true);
        world.run(Duration::from_millis(100));
    }
    assert_eq!((heard(&mut world), world.frames - frames), (vec![true], 1), "not at every key");
    typing(&mut world, false);
    world.run(seconds(1));
    assert_eq!(heard(&mut world), [false]);
    typing(&mut world, true);
    world.run(seconds(60));
    assert_eq!(heard(&mut world), [true, false]);
    world.actor(of(ALICE)).chat.set_settings(Settings { receipts: true, typing: false });
    typing(&mut world, true);
    world.run(seconds(1));
    assert!(heard(&mut world).is_empty());
}

#[test]
fn what_cannot_be_said_is_refused() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    let mut said = |conversation: &Conversation, body| world.try_write(of(ALICE), conversation, body);
    assert_eq!(said(&chat, text("")), Err(ChatError::Empty));
    assert_eq!(said(&chat, text(" \n ")), Err(ChatError::Empty));
    let len = MAX_TEXT + 1;
    assert_eq!(said(&chat, text(&"x".repeat(len))), Err(ChatError::TooLong { len, max: MAX_TEXT }));
    assert_eq!(said(&Conversation::between(ALICE, DAVE), text("x")), Err(ChatError::Unknown));
    assert_eq!(said(&Conversation::between(BOB, DAVE), text("x")), Err(ChatError::NotIn));
    let other = Conversation::Room(base::GroupId([9; 32]), super::super::super::id::RoomName::main());
    assert_eq!(said(&other, text("x")), Err(ChatError::NotIn));
    let mine = said(&room(), text("mine")).unwrap();
    assert_eq!(said(&chat, Body::Deletion { of: mine }), Err(ChatError::NotYours), "elsewhere");
    world.run(seconds(1));
    let blank = Body::Edit { of: mine, text: " \n ".into() };
    assert_eq!(world.try_write(of(ALICE), &room(), blank), Err(ChatError::Empty));
    let theirs = Body::Edit { of: mine, text: "ours".into() };
    assert_eq!(world.try_write(of(BOB), &room(), theirs.clone()), Err(ChatError::NotYours));
    assert!(world.try_write(of(ALICE), &room(), theirs).is_ok());
    let reaction = Body::Reaction { to: mine, reaction: "👍".into(), put: true };
    assert!(world.try_write(of(BOB), &room(), reaction).is_ok());
}

#[test]
fn the_timer_goes_with_what_is_said_after_it() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1)]);
    world.write(of(ALICE), &room(), text("for good"));
    world.write(of(ALICE), &room(), Body::Timer { expires_s: Some(60) });
    world.run(seconds(1));
    assert_eq!(world.actors[&of(BOB)].chat.timer(&room()), Some(60));
    world.restart(of(BOB));
    world.write(of(BOB), &room(), text("for a minute"));
    world.write(of(BOB), &room(), Body::Timer { expires_s: None });
    world.run(seconds(1));
    world.write(of(ALICE), &room(), text("for good again"));
    let expiries: Vec<_> = world.actors[&of(ALICE)].history.iter().map(|message| message.expires_s).collect();
    assert_eq!(expiries, [None, None, Some(60), None, None]);
}

#[test]
fn what_is_lost_twice_or_in_disorder_on_the_way_arrives_once() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.write(of(ALICE), &chat, text("0"));
    world.run(seconds(1));
    (world.loss, world.twice, world.jitter) = (30, 30, seconds(1));
    for number in 1..60 {
        world.write(of(ALICE), &chat, text(&number.to_string()));
        world.run(Duration::from_millis(50));
    }
    world.run(seconds(3600));
    assert_eq!(world.told(of(BOB)), (0..60).map(|number| number.to_string()).collect::<Vec<_>>());
    world.loss = 0;
    world.run(seconds(3600));
    world.assert_settled();
}

#[test]
fn a_stream_that_ends_takes_nothing_with_it() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    for number in 0..20 {
        world.write(of(ALICE), &chat, text(&number.to_string()));
        world.run(Duration::from_millis(5));
        if number % 4 == 3 {
            world.disconnect(of(ALICE), of(BOB));
        }
    }
    world.run(seconds(120));
    assert_eq!(world.told(of(BOB)).len(), 20);
    world.assert_settled();
}

#[test]
fn long_messages_go_through_the_window() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    for _ in 0..100 {
        world.write(of(ALICE), &chat, text(&"x".repeat(MAX_TEXT)));
    }
    world.run(seconds(30));
    assert_eq!(world.told(of(BOB)).len(), 100);
    world.assert_settled();
}

#[test]
fn garbage_on_a_stream_does_nothing() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    world.connect(of(ALICE), of(BOB));
    for frame in [&[][..], &[1, 2, 3], &[2, 2, 3], &[3], &[200; 9]] {
        world.input(of(BOB), Input::Received(of(ALICE), frame.to_vec()));
    }
    world.run(seconds(60));
    assert_eq!(world.told(of(BOB)), Vec::<String>::new());
}
