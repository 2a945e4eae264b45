//! People with several nodes.

use super::super::super::id::Conversation;
use super::super::super::message::Body;
use super::world::*;
use base::NodeId;

const PHONE: fn() -> NodeId = || node(ALICE, 1);
const LAPTOP: fn() -> NodeId = || node(ALICE, 2);

#[test]
fn what_alice_writes_on_one_node_is_on_the_other() {
    let mut world = World::new(&[(ALICE, 2), (BOB, 1)]);
    let (chat, notes) = (Conversation::between(ALICE, BOB), Conversation::between(ALICE, ALICE));
    world.write(PHONE(), &chat, text("hello"));
    world.write(PHONE(), &notes, text("buy milk"));
    world.run(seconds(10));
    assert_eq!(world.shown(LAPTOP(), &chat), ["hello"]);
    assert_eq!(world.shown(LAPTOP(), &notes), ["buy milk"]);
    world.write(LAPTOP(), &chat, text("still me"));
    world.run(seconds(10));
    assert_eq!(world.shown(of(BOB), &chat), ["hello", "still me"]);
    world.assert_settled();
}

#[test]
fn notes_of_somebody_with_one_node_wait_for_nobody() {
    let mut world = World::new(&[(ALICE, 1)]);
    let notes = Conversation::between(ALICE, ALICE);
    world.write(PHONE(), &notes, text("buy milk"));
    assert_eq!(world.shown(PHONE(), &notes), ["buy milk"]);
    world.assert_settled();
}

#[test]
fn what_came_to_one_node_alone_comes_to_the_other() {
    let mut world = World::new(&[(ALICE, 2), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.hidden.insert((of(BOB), LAPTOP()));
    world.introduce();
    world.write(of(BOB), &chat, text("to your phone"));
    world.run(seconds(2));
    assert_eq!((world.told(PHONE()).len(), world.told(LAPTOP()).len()), (1, 0));
    world.run(seconds(20));
    assert_eq!(world.told(LAPTOP()), ["to your phone"]);
    world.sleep(LAPTOP());
    world.write(of(BOB), &chat, text("again"));
    world.run(hours(2));
    world.wake(LAPTOP());
    world.run(seconds(700));
    assert_eq!(world.shown(LAPTOP(), &chat), ["to your phone", "again"]);
    world.assert_settled();
}

#[test]
fn what_was_read_on_one_node_is_read_on_the_other() {
    let mut world = World::new(&[(ALICE, 2), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    let id = world.write(of(BOB), &chat, text("hello"));
    world.run(seconds(10));
    let now = world.now();
    world.actor(PHONE()).chat.mark_read(now, &chat, &[id]);
    world.drain(PHONE());
    world.run(seconds(10));
    assert!(world.actors[&LAPTOP()].read.contains(&id));
    let now = world.now();
    world.actor(LAPTOP()).chat.mark_read(now, &chat, &[id]);
    world.drain(LAPTOP());
    assert_eq!(world.waiting(LAPTOP()), 0, "nobody has to be told again");
}

#[test]
fn a_new_node_has_the_history_when_its_user_asks_for_it() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1)]);
    let direct = Conversation::between(ALICE, BOB);
    for number in 0..150 {
        let (writer, conversation) = match number % 3 {
            0 => (PHONE(), room()),
            1 => (of(BOB), room()),
            _ => (of(BOB), direct.clone()),
        };
        world.write(writer, &conversation, text(&number.to_string()));
        world.run(seconds(u64::from(number % 5 == 0)));
    }
    world.run(seconds(30));
    world.add(ALICE, 2);
    world.introduce();
    world.write(of(BOB), &room(), text("new"));
    world.run(seconds(30));
    let before = world.told(LAPTOP());
    assert_eq!(before.last().map(String::as_str), Some("new"));
    assert!(before.len() < 5, "what is said from now on, and a little of what it is about: {before:?}");
    let now = world.now();
    world.actor(LAPTOP()).chat.ask_history(now);
    world.drain(LAPTOP());
    world.run(seconds(60));
    for conversation in [room(), direct] {
        assert_eq!(world.shown(LAPTOP(), &conversation), world.shown(PHONE(), &conversation));
    }
    world.assert_settled();
    world.write(LAPTOP(), &room(), text("I am here too"));
    assert!(world.actors[&LAPTOP()].history.last().unwrap().after.len() <= 2, "history is none of the newest");
    world.run(seconds(30));
    assert_eq!(world.shown(of(BOB), &room()), world.shown(PHONE(), &room()));
}

#[test]
fn what_is_gone_on_one_node_is_not_awaited_on_the_other() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let direct = Conversation::between(ALICE, BOB);
    for number in 0..200 {
        world.write(of(BOB), &direct, text(&number.to_string()));
    }
    world.run(seconds(10));
    world.actor(PHONE()).history.drain(0..150);
    world.add(ALICE, 2);
    world.introduce();
    let now = world.now();
    world.actor(LAPTOP()).chat.ask_history(now);
    world.drain(LAPTOP());
    world.run(seconds(60));
    assert_eq!(world.told(LAPTOP()).len(), 50);
    world.assert_settled();
}

#[test]
fn an_edit_may_come_from_another_node_than_what_it_edits() {
    let mut world = World::new(&[(ALICE, 2), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    let id = world.write(PHONE(), &chat, text("helo"));
    world.run(seconds(10));
    world.write(LAPTOP(), &chat, Body::Edit { of: id, text: "hello".into() });
    world.run(seconds(10));
    assert_eq!(world.told(of(BOB)).len(), 2);
}

#[test]
fn one_node_answers_for_the_other() {
    let mut world = World::new(&[(ALICE, 2), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.sleep(of(BOB));
    world.write(PHONE(), &chat, text("from my phone"));
    world.run(seconds(10));
    world.sleep(PHONE());
    world.write(LAPTOP(), &chat, text("from my laptop"));
    world.wake(of(BOB));
    world.run(seconds(700));
    assert_eq!(world.told(of(BOB)), ["from my phone", "from my laptop"]);
}

#[test]
fn what_came_just_before_the_program_ended_comes_to_the_other_node_too() {
    let mut world = World::new(&[(ALICE, 2), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.hidden.insert((of(BOB), LAPTOP()));
    world.introduce();
    world.write(of(BOB), &chat, text("to your phone"));
    world.run(seconds(1));
    assert_eq!((world.told(PHONE()).len(), world.told(LAPTOP()).len()), (1, 0));
    world.restart(PHONE());
    world.sleep(of(BOB));
    world.run(seconds(20));
    assert_eq!(world.told(LAPTOP()), ["to your phone"]);
    assert!(world.actors[&PHONE()].facts.keys().all(|key| key[0] != b'n'));
}

#[test]
fn a_long_history_comes_through_restarts() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let direct = Conversation::between(ALICE, BOB);
    for number in 0..1200 {
        world.write(of(BOB), &direct, text(&number.to_string()));
    }
    world.run(seconds(10));
    world.add(ALICE, 2);
    world.introduce();
    let now = world.now();
    world.actor(LAPTOP()).chat.ask_history(now);
    world.drain(LAPTOP());
    for _ in 0..4 {
        world.run(LATENCY * 8);
        let before = world.told(LAPTOP()).len();
        assert!(before < 1200, "the test is to interrupt it");
        world.restart(LAPTOP());
        world.restart(PHONE());
    }
    world.run(seconds(700));
    assert_eq!(world.told(LAPTOP()).len(), 1200);
    assert!(world.actors[&LAPTOP()].facts.keys().all(|key| key[0] != b'y'));
    world.assert_settled();
}

#[test]
fn what_a_stranger_left_on_one_node_is_a_request_on_the_other() {
    let mut world = World::new(&[(ALICE, 2), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    world.strangers.insert((ALICE, BOB));
    world.hidden.insert((of(BOB), LAPTOP()));
    world.introduce();
    world.write(of(BOB), &chat, text("hello"));
    world.run(seconds(30));
    for node in [PHONE(), LAPTOP()] {
        assert_eq!(world.shown(node, &chat), ["hello"]);
        assert!(world.actors[&node].requests.contains(&chat));
    }
    world.write(PHONE(), &chat, text("who are you?"));
    world.run(seconds(10));
    assert!(world.actors[&LAPTOP()].requests.is_empty(), "an answer accepts it everywhere");
}

#[test]
fn a_part_of_the_history_that_is_not_answered_is_asked_for_again() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let direct = Conversation::between(ALICE, BOB);
    for number in 0..200 {
        world.write(of(BOB), &direct, text(&number.to_string()));
    }
    world.run(seconds(10));
    world.add(ALICE, 2);
    world.introduce();
    world.actor(PHONE()).reads = false;
    let now = world.now();
    world.actor(LAPTOP()).chat.ask_history(now);
    world.drain(LAPTOP());
    world.run(seconds(60));
    world.actor(PHONE()).reads = true;
    world.run(seconds(600));
    assert_eq!(world.shown(LAPTOP(), &direct), world.shown(PHONE(), &direct));
    let wanted = world.actors[&LAPTOP()].facts.keys().filter(|key| key[0] == b'y');
    assert_eq!(wanted.count(), 0);
    world.assert_settled();
}

#[test]
fn what_a_node_does_not_give_for_days_is_given_up() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    world.write(of(BOB), &Conversation::between(ALICE, BOB), text("hello"));
    world.run(seconds(10));
    world.add(ALICE, 2);
    world.introduce();
    world.actor(PHONE()).reads = false;
    let now = world.now();
    world.actor(LAPTOP()).chat.ask_history(now);
    world.drain(LAPTOP());
    let wanted = |world: &World| world.actors[&LAPTOP()].facts.keys().filter(|key| key[0] == b'y').count();
    world.run(hours(24));
    assert_eq!(wanted(&world), 1);
    let before = world.frames;
    world.run(hours(24 * 9));
    assert_eq!(wanted(&world), 0);
    assert!(world.frames - before < 30, "{}", world.frames - before);
}
