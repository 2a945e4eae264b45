//! Who gets what is said in a room, and who no longer does.

use super::super::super::channel::{MAX_WAITING, Queued};
use super::super::super::id::Conversation;
use super::super::super::io::{ChatError, Input, Stage};
use super::world::*;

#[test]
fn a_node_that_becomes_known_after_the_writing_gets_it_even_after_a_restart() {
    for restarts in [false, true] {
        let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
        // Alice knows that Carol is a member, and none of her nodes.
        world.hidden.insert((of(ALICE), of(CAROL)));
        world.introduce();
        let id = world.write(of(ALICE), &room(), text("to all of you"));
        world.run(seconds(60));
        assert_eq!(world.stage(of(ALICE), id, CAROL), Some(Stage::Waiting));
        assert_eq!(world.stage(of(ALICE), id, BOB), Some(Stage::Delivered));
        if restarts {
            world.restart(of(ALICE));
            world.run(seconds(60));
        }
        world.hidden.clear();
        world.introduce();
        world.run(seconds(60));
        assert_eq!(world.shown(of(CAROL), &room()), ["to all of you"]);
        assert_eq!(world.stage(of(ALICE), id, CAROL), Some(Stage::Delivered));
        world.assert_settled();
    }
}

#[test]
fn what_is_owed_goes_to_each_node_that_becomes_known_until_one_has_it() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 2)]);
    world.hidden.insert((of(ALICE), node(BOB, 2)));
    world.introduce();
    world.sleep(node(BOB, 1));
    world.sleep(node(BOB, 2));
    world.write(of(ALICE), &room(), text("hello"));
    world.run(seconds(60));
    world.hidden.clear();
    world.introduce();
    world.wake(node(BOB, 2));
    world.run(seconds(700));
    assert_eq!(world.shown(node(BOB, 2), &room()), ["hello"], "though Alice did not know of it");
    assert_eq!(world.waiting(of(ALICE)), 1, "the first one is away still");
    world.wake(node(BOB, 1));
    world.run(seconds(700));
    assert_eq!(world.shown(node(BOB, 1), &room()), ["hello"]);
    world.assert_settled();
}

#[test]
fn who_comes_late_does_not_speak_above_what_was_said() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1)]);
    for words in ["one", "two", "three"] {
        world.write(of(ALICE), &room(), text(words));
        world.run(seconds(60));
    }
    world.add(CAROL, 1);
    world.groups.insert(CHOIR, [ALICE, BOB, CAROL].into());
    world.introduce();
    world.run(seconds(60));
    assert!(world.shown(of(CAROL), &room()).is_empty(), "it was not for her");
    world.write(of(CAROL), &room(), text("hello"));
    world.run(seconds(60));
    for person in [ALICE, BOB] {
        assert_eq!(world.shown(of(person), &room()), ["one", "two", "three", "hello"]);
    }
}

#[test]
fn who_was_expelled_gets_nothing_more_of_what_waited() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.sleep(of(CAROL));
    let direct = Conversation::between(ALICE, CAROL);
    world.write(of(ALICE), &room(), text("secret"));
    world.write(of(ALICE), &direct, text("sorry"));
    world.run(seconds(60));
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    world.introduce();
    assert!(world.try_write(of(ALICE), &room(), text("she is gone")).is_ok());
    world.wake(of(CAROL));
    world.run(seconds(700));
    assert_eq!(world.told(of(CAROL)), ["sorry"], "a contact she is still");
    assert_eq!(world.try_write(of(CAROL), &room(), text("?")), Err(ChatError::NotIn));
    world.assert_settled();
}

#[test]
fn that_somebody_went_while_alice_was_off_is_found_when_she_is_back() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.sleep(of(CAROL));
    world.write(of(ALICE), &room(), text("secret"));
    world.sleep(of(ALICE));
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    world.wake(of(ALICE));
    world.wake(of(CAROL));
    world.run(seconds(700));
    assert_eq!(world.told(of(CAROL)), Vec::<String>::new());
    world.run(seconds(10));
    world.assert_settled();
}

#[test]
fn who_is_blocked_neither_hears_nor_is_heard_and_does_not_keep_others_from_talking() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.write(of(CAROL), &room(), text("hello"));
    world.run(seconds(10));
    world.blocked.insert((ALICE, CAROL));
    world.introduce();
    let direct = Conversation::between(ALICE, CAROL);
    assert_eq!(world.try_write(of(ALICE), &direct, text("x")), Err(ChatError::Blocked));
    world.write(of(CAROL), &room(), text("buy my things"));
    world.write(of(CAROL), &direct, text("buy my things"));
    world.run(seconds(10));
    world.write(of(BOB), &room(), text("no, thanks"));
    world.run(seconds(10));
    assert_eq!(world.told(of(ALICE)), ["hello", "no, thanks"], "Bob's answer does not wait for what Carol said");
    world.write(of(ALICE), &room(), text("finally"));
    world.run(seconds(10));
    assert_eq!(world.shown(of(BOB), &room()).len(), 4);
    assert_eq!(world.told(of(CAROL)).len(), 4, "her two, hello, and Bob's");
}

#[test]
fn what_waits_for_somebody_who_is_blocked_waits_no_longer() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.sleep(of(ALICE));
    world.write(of(CAROL), &room(), text("question"));
    world.run(seconds(10));
    world.sleep(of(CAROL));
    world.write(of(BOB), &room(), text("answer"));
    world.wake(of(ALICE));
    world.run(seconds(700));
    assert_eq!(world.told(of(ALICE)), Vec::<String>::new(), "the question may come");
    world.blocked.insert((ALICE, CAROL));
    world.introduce();
    assert_eq!(world.told(of(ALICE)), ["answer"]);
}

#[test]
fn a_new_member_hears_what_is_said_from_then_on() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    world.introduce();
    world.write(of(BOB), &room(), text("before"));
    world.write(of(ALICE), &room(), text("before too"));
    world.run(seconds(10));
    world.sleep(of(BOB));
    world.groups.insert(CHOIR, [ALICE, BOB, CAROL].into());
    world.introduce();
    world.write(of(ALICE), &room(), text("welcome, Carol"));
    world.run(seconds(10));
    // The causes were never for her. Bob, whose one of them is, is away; Alice, who names it, knows as well.
    assert_eq!(world.told(of(CAROL)), ["welcome, Carol"]);
    world.write(of(CAROL), &room(), text("thank you"));
    world.run(seconds(10));
    assert_eq!(world.shown(of(ALICE), &room()).len(), 4);
}

#[test]
fn a_new_member_speaks_before_the_roster_arrives() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    world.introduce();
    world.write(of(ALICE), &room(), text("one"));
    world.run(seconds(10));
    world.groups.insert(CHOIR, [ALICE, BOB, CAROL].into());
    // Alice does not know yet.
    for person in [BOB, CAROL] {
        let known = world.known(of(person));
        world.input(of(person), super::super::super::io::Input::People(known));
    }
    world.write(of(CAROL), &room(), text("two"));
    world.run(seconds(10));
    assert_eq!(world.told(of(ALICE)), ["one"]);
    world.restart(of(ALICE));
    assert_eq!(world.told(of(ALICE)), ["one", "two"], "now she does");
}

#[test]
fn who_never_becomes_a_member_is_forgotten() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1)]);
    world.groups.insert(CHOIR, [ALICE, BOB].into());
    let known = world.known(of(ALICE));
    world.input(of(ALICE), super::super::super::io::Input::People(known));
    world.write(of(CAROL), &room(), text("you expelled me, I do not know it yet"));
    world.run(seconds(10));
    assert!(world.actors[&of(ALICE)].facts.keys().any(|key| key[0] == b'w'));
    world.run(hours(26));
    assert!(world.actors[&of(ALICE)].facts.keys().all(|key| key[0] != b'w'));
    assert_eq!(world.told(of(ALICE)), Vec::<String>::new());
}

#[test]
fn a_revoked_node_gets_nothing_more() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 2)]);
    world.sleep(node(BOB, 2));
    world.write(of(ALICE), &room(), text("hello"));
    world.run(seconds(10));
    world.hidden.insert((of(ALICE), node(BOB, 2)));
    world.introduce();
    assert_eq!(world.waiting(of(ALICE)), 0);
    world.hidden.insert((node(BOB, 1), node(BOB, 2)));
    world.wake(node(BOB, 2));
    world.introduce();
    world.run(seconds(700));
    assert_eq!(world.told(node(BOB, 2)), Vec::<String>::new());
    world.assert_settled();
}

#[test]
fn somebody_who_is_away_for_years_fills_no_disk_and_silences_no_room() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1)]);
    let direct = Conversation::between(ALICE, BOB);
    world.sleep(of(BOB));
    let now = world.now();
    let alice = &mut world.actor(of(ALICE)).chat;
    for _ in 0..MAX_WAITING + 20 {
        alice.write(now, &room(), text("x")).unwrap();
        while alice.poll_output().is_some() {}
    }
    assert_eq!(alice.waiting(), [(of(BOB), MAX_WAITING)]);
    alice.write(now, &direct, text("are you well?")).unwrap();
    for _ in 0..MAX_WAITING {
        alice.write(now, &room(), text("x")).unwrap();
        while alice.poll_output().is_some() {}
    }
    let owed = alice.peers[&of(BOB)].out.iter().filter(|(_, what)| matches!(what, Queued::Post(_)));
    let direct_ones = owed.filter(|(_, what)| match what {
        Queued::Post(post) => alice.posts.get(*post).is_some_and(|post| post.conversation == direct),
        _ => false,
    });
    assert_eq!(direct_ones.count(), 1, "what is said to him alone is not lost in what is said in rooms");
    let said = (0..MAX_WAITING).map_while(|_| alice.write(now, &direct, text("hello?")).ok()).count();
    assert_eq!(said, MAX_WAITING / 2 - 1);
    assert_eq!(alice.write(now, &direct, text("x")), Err(ChatError::Full { max: MAX_WAITING / 2 }));
    assert!(alice.write(now, &room(), text("x")).is_ok());
    assert_eq!(alice.waiting(), [(of(BOB), MAX_WAITING)]);
}

#[test]
fn who_was_blocked_and_is_not_any_more_is_heard_again() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let direct = Conversation::between(ALICE, BOB);
    world.write(of(ALICE), &direct, text("one"));
    world.run(seconds(10));
    world.blocked.insert((ALICE, BOB));
    world.introduce();
    world.write(of(BOB), &direct, text("two"));
    world.run(seconds(60));
    assert_eq!(world.told(of(ALICE)), ["one"]);
    world.blocked.clear();
    world.introduce();
    world.write(of(ALICE), &direct, text("three"));
    world.write(of(BOB), &direct, text("four"));
    world.run(seconds(700));
    assert_eq!(world.shown(of(BOB), &direct).len(), 4);
    assert_eq!(world.shown(of(ALICE), &direct), world.shown(of(BOB), &direct), "his program kept trying");
    world.assert_settled();
}

#[test]
fn what_was_given_up_since_its_author_seemed_to_be_no_member_is_waited_for_once_they_are() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1), (DAVE, 1)]);
    // Alice has not heard yet that Dave is a member.
    world.groups.insert(CHOIR, [ALICE, BOB, CAROL].into());
    world.input(of(ALICE), Input::People(world.known(of(ALICE))));
    world.groups.insert(CHOIR, [ALICE, BOB, CAROL, DAVE].into());
    world.write(of(DAVE), &room(), text("one"));
    // A queue that overflowed: what waited is dropped.
    world.actor(of(DAVE)).chat.withdraw(of(ALICE), |_, _| true);
    world.run(seconds(10));
    world.sleep(of(DAVE));
    world.write(of(BOB), &room(), text("answer"));
    world.run(hours(1));
    assert_eq!(world.told(of(ALICE)), ["answer"]);
    world.restart(of(ALICE));
    world.wake(of(DAVE));
    world.write(of(DAVE), &room(), text("two"));
    world.run(seconds(700));
    assert_eq!(world.told(of(ALICE)), ["answer", "one", "two"]);
    let strange = world.actors[&of(ALICE)].facts.keys().filter(|key| key[0] == b'u');
    assert_eq!(strange.count(), 0);
}

#[test]
fn what_somebody_says_who_is_no_member_any_more_does_not_hold_up_the_others() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1), (DAVE, 1)]);
    // Alice has heard that Dave was expelled, the others have not.
    world.groups.insert(CHOIR, [ALICE, BOB, CAROL].into());
    world.input(of(ALICE), Input::People(world.known(of(ALICE))));
    world.groups.insert(CHOIR, [ALICE, BOB, CAROL, DAVE].into());
    world.write(of(DAVE), &room(), text("one"));
    world.run(seconds(10));
    world.write(of(BOB), &room(), text("answer"));
    world.run(seconds(60));
    assert_eq!(world.told(of(ALICE)), Vec::<String>::new());
    world.run(hours(1));
    assert_eq!(world.told(of(ALICE)), ["answer"]);
    world.introduce();
    assert_eq!(world.told(of(ALICE)), ["answer", "one"], "he is one after all");
}
