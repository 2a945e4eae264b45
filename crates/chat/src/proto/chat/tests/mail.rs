//! People who are away, and mailboxes.

use super::super::super::cipher::Cipher;
use super::super::super::id::Conversation;
use super::super::super::io::Stage;
use super::world::*;

/// Alice and Bob, who have Carol's and Dave's nodes as mailboxes and met once, so that each has the other's card.
fn acquainted() -> (World, Conversation) {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1), (CAROL, 1), (DAVE, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    for person in [ALICE, BOB] {
        world.mailboxes(of(person), &[of(CAROL), of(DAVE)]);
    }
    world.run(seconds(5));
    world.connect(of(ALICE), of(BOB));
    world.run(seconds(60));
    (world, chat)
}

#[test]
fn two_who_are_never_awake_together_write_to_one_another() {
    let (mut world, chat) = acquainted();
    world.sleep(of(BOB));
    for turn in 0..6 {
        let (awake, away) = if turn % 2 == 0 { (ALICE, BOB) } else { (BOB, ALICE) };
        let id = world.write(of(awake), &chat, text(&turn.to_string()));
        world.run(seconds(120));
        assert_eq!(world.stage(of(awake), id, away), Some(Stage::InMailbox));
        world.sleep(of(awake));
        world.run(hours(10));
        world.wake(of(away));
        world.run(seconds(90));
        assert_eq!(world.shown(of(away), &chat).len(), turn + 1);
    }
    for turn in 0..4 {
        let (awake, away) = if turn % 2 == 0 { (ALICE, BOB) } else { (BOB, ALICE) };
        world.sleep(of(away));
        world.wake(of(awake));
        world.run(hours(1));
    }
    for id in world.actors[&of(ALICE)].stages.values() {
        assert_eq!(*id, Stage::Delivered);
    }
    assert_eq!((world.lying_for(of(ALICE)), world.lying_for(of(BOB))), (0, 0));
    world.assert_settled();
}

#[test]
fn a_mailbox_that_is_named_while_others_hear_of_the_one_before_is_heard_of_too() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1), (CAROL, 1), (DAVE, 1)]);
    world.run(seconds(5));
    world.connect(of(ALICE), of(BOB));
    world.run(seconds(60));
    world.mailboxes(of(BOB), &[of(CAROL)]);
    world.mailboxes(of(BOB), &[of(CAROL), of(DAVE)]);
    world.run(seconds(60));
    world.sleep(of(BOB));
    world.write(of(ALICE), &Conversation::between(ALICE, BOB), text("hello"));
    world.run(hours(1));
    assert_eq!(world.lying_for(of(BOB)), 2, "in both");
}

#[test]
fn what_a_mailbox_forgot_is_left_there_again() {
    let (mut world, chat) = acquainted();
    world.sleep(of(BOB));
    world.write(of(ALICE), &chat, text("hello"));
    world.run(hours(1));
    assert_eq!(world.lying_for(of(BOB)), 2, "in both");
    world.forget_mail();
    world.run(hours(4));
    assert_eq!(world.lying_for(of(BOB)), 0, "not at once");
    world.run(hours(2));
    assert_eq!(world.lying_for(of(BOB)), 2, "after six hours");
    world.run(hours(24 * 10));
    assert!(world.lying_for(of(BOB)) <= 2 * 12, "and once a day: {}", world.lying_for(of(BOB)));
    world.sleep(of(ALICE));
    world.wake(of(BOB));
    world.run(hours(1));
    assert_eq!(world.shown(of(BOB), &chat), ["hello"]);
    assert_eq!(world.lying_for(of(BOB)), 0);
}

#[test]
fn one_mailbox_that_is_lost_does_not_matter() {
    let (mut world, chat) = acquainted();
    world.sleep(of(BOB));
    world.sleep(of(CAROL));
    world.write(of(ALICE), &chat, text("hello"));
    world.run(seconds(120));
    world.sleep(of(ALICE));
    world.wake(of(BOB));
    world.run(seconds(120));
    assert_eq!(world.shown(of(BOB), &chat), ["hello"]);
}

#[test]
fn who_has_no_mailbox_gets_it_within_ten_minutes_of_coming_back() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1)]);
    let chat = Conversation::between(ALICE, BOB);
    world.sleep(of(BOB));
    world.write(of(ALICE), &chat, text("hello"));
    world.run(hours(100));
    // Bob has nobody to write to, and does not dial.
    world.wake(of(BOB));
    world.run(seconds(601));
    assert_eq!(world.shown(of(BOB), &chat), ["hello"]);
    world.run(seconds(10));
    world.assert_settled();
}

#[test]
fn a_new_mailbox_is_known_to_those_who_are_away() {
    let (mut world, chat) = acquainted();
    world.sleep(of(ALICE));
    world.mailboxes(of(BOB), &[of(DAVE)]);
    world.run(hours(1));
    world.sleep(of(BOB));
    world.wake(of(ALICE));
    world.run(seconds(200));
    world.write(of(ALICE), &chat, text("hello"));
    world.run(hours(1));
    assert_eq!(world.keepers_for(of(BOB)), [of(DAVE)], "in the new one alone");
    world.sleep(of(ALICE));
    world.wake(of(BOB));
    world.run(seconds(120));
    assert_eq!(world.shown(of(BOB), &chat), ["hello"]);
}

#[test]
fn a_card_comes_from_whoever_has_it() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1), (DAVE, 1)]);
    world.mailboxes(of(BOB), &[of(DAVE)]);
    // Carol knows Bob's card; Alice never met him.
    world.run(seconds(5));
    world.connect(of(CAROL), of(BOB));
    world.run(seconds(5));
    world.sleep(of(BOB));
    world.connect(of(ALICE), of(CAROL));
    world.write(of(ALICE), &room(), text("hello"));
    world.run(seconds(300));
    assert_eq!(world.lying_for(of(BOB)), 1);
    world.sleep(of(ALICE));
    world.wake(of(BOB));
    world.run(seconds(120));
    assert_eq!(world.shown(of(BOB), &room()), ["hello"]);
}

#[test]
fn what_lies_in_a_mailbox_that_was_given_up_is_fetched() {
    let (mut world, chat) = acquainted();
    world.sleep(of(BOB));
    world.write(of(ALICE), &chat, text("to the old one"));
    world.run(seconds(120));
    world.sleep(of(ALICE));
    // Carol's forgot it; what is at Dave's is all there is.
    world.forget_mail_at(of(CAROL));
    world.wake(of(BOB));
    world.mailboxes(of(BOB), &[of(CAROL)]);
    world.restart(of(BOB));
    world.run(seconds(120));
    assert_eq!(world.shown(of(BOB), &chat), ["to the old one"]);
    assert_eq!(world.lying_for(of(BOB)), 0);
    world.run(hours(24 * 15));
    assert_eq!(world.actors[&of(BOB)].facts.keys().filter(|key| key[0] == b'x').count(), 1, "in the end it is left");
}

#[test]
fn what_mailboxes_forgot_is_deposited_again_though_more_follows() {
    let (mut world, chat) = acquainted();
    world.sleep(of(BOB));
    world.write(of(ALICE), &chat, text("first"));
    world.run(seconds(120));
    [CAROL, DAVE].into_iter().for_each(|keeper| world.forget_mail_at(of(keeper)));
    for hour in 1..8 {
        world.run(hours(1));
        world.write(of(ALICE), &chat, text(&hour.to_string()));
    }
    world.run(seconds(120));
    world.sleep(of(ALICE));
    world.wake(of(BOB));
    world.run(seconds(120));
    assert_eq!(world.shown(of(BOB), &chat), ["first", "1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn clocks_that_are_wrong_by_days_do_not_keep_mail_away() {
    for days in [-12, -2, 12, 40] {
        let (mut world, chat) = acquainted();
        world.sleep(of(BOB));
        world.restart(of(ALICE));
        world.actor(of(ALICE)).wrong_s = days * 86_400;
        world.write(of(ALICE), &chat, text("hello"));
        world.run(seconds(300));
        world.sleep(of(ALICE));
        world.wake(of(BOB));
        world.run(seconds(120));
        assert_eq!(world.shown(of(BOB), &chat), ["hello"], "{days} days");
    }
}

#[test]
fn much_goes_into_mailboxes_in_few_envelopes() {
    let (mut world, chat) = acquainted();
    world.sleep(of(BOB));
    for number in 0..500 {
        world.write(of(ALICE), &chat, text(&number.to_string()));
    }
    world.run(seconds(120));
    assert!(world.lying_for(of(BOB)) <= 2 * 5, "{}", world.lying_for(of(BOB)));
    world.sleep(of(ALICE));
    world.wake(of(BOB));
    world.run(seconds(120));
    assert_eq!(world.told(of(BOB)).len(), 500);
    assert_eq!(world.lying_for(of(BOB)), 0);
    world.run(seconds(60));
    assert!(world.lying_for(of(ALICE)) <= 4, "what is acknowledged goes together: {}", world.lying_for(of(ALICE)));
}

#[test]
fn who_changes_mailboxes_often_still_fetches_from_the_first() {
    let mut world = World::new(&[(ALICE, 1), (BOB, 1), (CAROL, 7)]);
    let (chat, mailbox) = (Conversation::between(ALICE, BOB), |number| node(CAROL, number));
    world.mailboxes(of(BOB), &[mailbox(1)]);
    world.connect(of(ALICE), of(BOB));
    world.run(seconds(10));
    world.sleep(of(BOB));
    world.write(of(ALICE), &chat, text("hello"));
    world.run(seconds(60));
    assert_eq!(world.keepers_for(of(BOB)), [mailbox(1)]);
    world.sleep(of(ALICE));
    world.sleep(mailbox(1));
    world.wake(of(BOB));
    for others in [[2, 3], [4, 5], [6, 7]] {
        world.run(seconds(60));
        world.mailboxes(of(BOB), &others.map(mailbox));
    }
    world.wake(mailbox(1));
    world.run(seconds(120));
    assert_eq!((world.shown(of(BOB), &chat), world.lying_for(of(BOB))), (vec!["hello".to_owned()], 0));
}

#[test]
fn a_card_that_nobody_has_is_asked_for_ever_more_seldom_but_of_who_comes_at_once() {
    let mut world = World::in_a_room(&[(ALICE, 1), (BOB, 1), (CAROL, 1), (DAVE, 1)]);
    world.connect(of(DAVE), of(BOB));
    world.run(seconds(5));
    [BOB, DAVE].into_iter().for_each(|person| world.sleep(of(person)));
    world.write(of(ALICE), &room(), text("hello"));
    world.run(seconds(60));
    let (before, has_card) = (world.frames, |world: &World| world.actors[&of(ALICE)].chat.cipher.card_of(of(BOB)));
    world.run(hours(10));
    assert!(world.frames - before < 60, "{} frames in ten hours", world.frames - before);
    assert_eq!(has_card(&world), None);
    world.wake(of(DAVE));
    world.connect(of(ALICE), of(DAVE));
    world.run(seconds(5));
    assert!(has_card(&world).is_some());
}
