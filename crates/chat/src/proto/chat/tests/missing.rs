//! What is missing, who gives it, and who says that it will not come.

use super::super::super::channel::Queued;
use super::super::super::id::{Audience, Conversation, MessageId, Pen};
use super::super::super::ids::Ids;
use super::super::super::item::Item;
use super::super::super::message::{Body, Message};
use super::world::*;

/// A person puts an item into the channel to another as no honest machine would.
fn forge(world: &mut World, from: base::NodeId, to: base::NodeId, item: &Item) {
    let chat = &mut world.actor(from).chat;
    chat.queue_item(to, item);
    let now = world.now();
    world.input(from, super::super::super::io::Input::Timeout);
    assert!(world.now() == now);
}

fn answer(words: &str, to: MessageId) -> Body {
    Body::Text { text: words.to_owned(), answers: Some(to) }
}

#[test]
fn a_reply_waits_for_what_it_answers() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.write(of(CAROL), &room(), text("hello"));
    world.run(seconds(5));
    world.disconnect(of(ALICE), of(CAROL));
    world.sleep(of(CAROL));
    let question = world.write(of(ALICE), &room(), text("who comes?"));
    world.run(seconds(1));
    // Alice goes before Carol comes back: Carol has Bob's answer first.
    world.sleep(of(ALICE));
    world.write(of(BOB), &room(), answer("I do", question));
    world.run(seconds(60));
    world.wake(of(CAROL));
    world.run(seconds(700));
    assert_eq!(world.told(of(CAROL)), ["hello"]);
    world.wake(of(ALICE));
    world.run(seconds(700));
    assert_eq!(world.told(of(CAROL)), ["hello", "who comes?", "I do"]);
    world.assert_settled();
}

#[test]
fn what_no_way_brought_is_asked_for_and_given_by_its_author() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1)]);
    world.write(of(ALICE), &room(), text("one"));
    world.run(seconds(5));
    world.disconnect(of(ALICE), of(BOB));
    world.write(of(ALICE), &room(), text("two"));
    // A queue that overflowed: what waited is dropped.
    world.actor(of(ALICE)).chat.withdraw(of(BOB), |_, _| true);
    world.run(seconds(20));
    assert_eq!(world.told(of(BOB)), ["one"]);
    world.write(of(ALICE), &room(), text("three"));
    world.run(seconds(20));
    assert_eq!(world.told(of(BOB)), ["one", "two", "three"]);
}

#[test]
fn what_cannot_be_read_is_not_said_to_be_gone() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1)]);
    world.write(of(ALICE), &room(), text("one"));
    world.run(seconds(5));
    world.disconnect(of(ALICE), of(BOB));
    world.write(of(ALICE), &room(), text("two"));
    // A queue that overflowed: what waited is dropped.
    world.actor(of(ALICE)).chat.withdraw(of(BOB), |_, _| true);
    world.actor(of(ALICE)).reads = false;
    world.run(seconds(20));
    world.write(of(ALICE), &room(), text("three"));
    world.run(seconds(60));
    assert_eq!(world.told(of(BOB)), ["one"]);
    world.actor(of(ALICE)).reads = true;
    world.run(seconds(1300));
    assert_eq!(world.told(of(BOB)), ["one", "two", "three"]);
}

#[test]
fn a_lost_author_does_not_silence_a_room_for_longer_than_a_day() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.sleep(of(CAROL));
    world.write(of(ALICE), &room(), text("my last words"));
    world.run(seconds(60));
    world.sleep(of(ALICE));
    world.write(of(BOB), &room(), text("oh"));
    world.wake(of(CAROL));
    world.run(hours(23));
    assert_eq!(world.told(of(CAROL)), Vec::<String>::new());
    world.restart(of(CAROL));
    world.run(hours(2));
    assert_eq!(world.told(of(CAROL)), ["oh"], "the day counts through restarts");
    world.wake(of(ALICE));
    world.run(seconds(700));
    assert_eq!(world.told(of(CAROL)), ["oh", "my last words"], "late, but not lost");
    assert_eq!(world.shown(of(CAROL), &room()), ["my last words", "oh"]);
}

#[test]
fn only_the_author_gives_what_is_asked_for() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    let said = world.write(of(ALICE), &room(), text("hello"));
    world.run(seconds(10));
    let asked = |world: &mut World, whom| {
        world.connect(of(CAROL), of(whom));
        let ids: Ids = [said].into_iter().collect();
        forge(world, of(CAROL), of(whom), &Item::Ask(room(), ids));
        world.actor(of(whom)).log = Some(Vec::new());
        world.run(seconds(10));
        let log = world.actor(of(whom)).log.take().unwrap();
        log.iter().filter(|output| matches!(output, super::super::super::io::Output::Fetch(..))).count()
    };
    assert_eq!(asked(&mut world, BOB), 0, "it is not his");
    let queued = |world: &World, whom| world.actors[&of(whom)].chat.waiting();
    assert_eq!(queued(&world, BOB), [], "and he does not say that it will not come: it was for her");
    assert_eq!(asked(&mut world, ALICE), 1);
    assert_eq!(world.told(of(CAROL)), ["hello"], "she had it already");
}

#[test]
fn who_is_not_in_the_room_is_not_answered() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    world.introduce();
    let said = world.write(of(ALICE), &room(), text("hello"));
    world.run(seconds(10));
    world.actor(of(ALICE)).log = Some(Vec::new());
    world.connect(of(CAROL), of(ALICE));
    let direct = Conversation::between(ALICE, BOB);
    for conversation in [room(), direct] {
        forge(&mut world, of(CAROL), of(ALICE), &Item::Ask(conversation, [said].into_iter().collect()));
    }
    world.run(seconds(10));
    let log = world.actor(of(ALICE)).log.take().unwrap();
    assert!(log.iter().all(|output| !matches!(output, super::super::super::io::Output::Fetch(..))));
    assert_eq!(world.waiting(of(ALICE)), 0);
}

#[test]
fn nobody_speaks_for_somebody_else() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.connect(of(BOB), of(CAROL));
    let id = MessageId { pen: Pen::new(ALICE, [9; 3]), number: 1 };
    let forged = Message {
        conversation: room(),
        id,
        author: ALICE,
        time: 1,
        written: 0,
        after: Vec::new(),
        expires_s: None,
        body: text("I, Alice"),
    };
    forge(&mut world, of(BOB), of(CAROL), &Item::Message(Box::new(forged), Audience::new()));
    world.run(seconds(10));
    assert_eq!(world.told(of(CAROL)), Vec::<String>::new());
    assert_eq!(world.waiting(of(BOB)), 0, "it was taken, for nothing");
}

#[test]
fn that_something_will_not_come_is_believed_of_who_may_say_it() {
    for (who, is_believed) in [(ALICE, true), (BOB, true), (DAVE, false)] {
        let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1), (DAVE, 1)]);
        world.sleep(of(CAROL));
        let missing = world.write(of(ALICE), &room(), text("question"));
        world.run(seconds(60));
        world.sleep(of(ALICE));
        world.write(of(BOB), &room(), text("answer"));
        world.wake(of(CAROL));
        world.run(seconds(700));
        assert_eq!(world.told(of(CAROL)), Vec::<String>::new());
        // Alice's own word would be the message itself; here she says that it is gone.
        if who == ALICE {
            world.actor(of(ALICE)).is_awake = true;
            world.actor(of(ALICE)).chat.withdraw(of(CAROL), |_, _| true);
            world.actor(of(ALICE)).history.clear();
        }
        world.connect(of(who), of(CAROL));
        forge(&mut world, of(who), of(CAROL), &Item::Void(room(), [missing].into_iter().collect()));
        world.run(seconds(1));
        let told = if is_believed { vec!["answer".to_owned()] } else { Vec::new() };
        assert_eq!(world.told(of(CAROL)), told, "{who:?}");
    }
}

#[test]
fn what_is_deleted_everywhere_is_waited_for_by_nobody() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    world.introduce();
    world.write(of(ALICE), &room(), text("for a minute"));
    world.run(seconds(10));
    world.groups.insert(CHOIR, [ALICE, BOB, CAROL].into());
    world.introduce();
    for person in [ALICE, BOB] {
        world.actor(of(person)).history.clear();
    }
    world.write(of(BOB), &room(), text("hello"));
    world.run(seconds(10));
    assert_eq!(world.told(of(CAROL)), ["hello"]);
}

#[test]
fn a_question_that_names_billions_costs_little() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1)]);
    let said = world.write(of(ALICE), &room(), text("hello"));
    world.run(seconds(10));
    let all: Ids = [(said.pen, 1, u32::MAX)].into_iter().collect();
    for item in [
        Item::Ask(room(), all.clone()),
        Item::Void(room(), all.clone()),
        Item::Read(room(), all.clone()),
        Item::Have { conversation: room(), ids: all.clone(), history: true },
    ] {
        forge(&mut world, of(BOB), of(ALICE), &item);
    }
    world.run(seconds(10));
    assert!(world.actors[&of(ALICE)].chat.peers[&of(BOB)].out.iter().all(|(_, what)| *what != Queued::Nothing));
    world.assert_settled();
}

#[test]
fn one_who_waits_for_too_much_takes_the_rest_later() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.sleep(of(CAROL));
    world.write(of(ALICE), &room(), text("first"));
    world.run(seconds(10));
    world.sleep(of(ALICE));
    for number in 0..super::super::super::conversation::MAX_HELD + 50 {
        world.write(of(BOB), &room(), text(&number.to_string()));
    }
    world.wake(of(CAROL));
    world.run(seconds(700));
    assert_eq!(world.told(of(CAROL)).len(), 0);
    assert!(world.waiting(of(BOB)) > 0, "what found no room stays with Bob");
    world.wake(of(ALICE));
    world.run(seconds(1300));
    assert_eq!(world.told(of(CAROL)).len(), super::super::super::conversation::MAX_HELD + 51);
    world.assert_settled();
}

#[test]
fn whoever_is_away_is_asked_when_those_who_are_there_do_not_have_it() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1), (DAVE, 1)]);
    for person in [ALICE, CAROL] {
        world.mailboxes(of(person), &[of(DAVE)]);
        world.write(of(person), &room(), text("hello"));
    }
    world.run(seconds(10));
    world.sleep(of(CAROL));
    world.write(of(ALICE), &room(), text("who comes?"));
    // A queue that overflowed: what waited is dropped.
    world.actor(of(ALICE)).chat.withdraw(of(CAROL), |_, _| true);
    world.run(seconds(10));
    world.sleep(of(ALICE));
    world.write(of(BOB), &room(), text("I do"));
    // From now on Alice and Carol are never awake together, and Bob, who is there, cannot give what is hers.
    let mut take_turns = |sleeps, wakes| {
        world.sleep(of(sleeps));
        world.wake(of(wakes));
        world.run(seconds(1300));
        world.told(of(CAROL))
    };
    assert_eq!(take_turns(ALICE, CAROL), ["hello", "hello"]);
    assert_eq!(take_turns(CAROL, ALICE), ["hello", "hello"]);
    assert_eq!(take_turns(ALICE, CAROL), ["hello", "hello", "who comes?", "I do"]);
}
