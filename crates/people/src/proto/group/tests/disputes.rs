//! What was written at once, without knowledge of one another.

use super::*;

#[test]
fn what_the_expelled_wrote_meanwhile_does_not_count_and_what_was_known_does() {
    let (mut world, last) = World::with(&[MALLORY], &[BOB]);
    let known = world.admit(MALLORY, &[last], CAROL);
    let out = world.expel(ALICE, &[known], MALLORY);
    let meanwhile = world.admit(MALLORY, &[known], DAVE);
    let by_dave = world.admit(DAVE, &[meanwhile], ERIN);
    assert_eq!(world.members(), [ALICE, BOB, CAROL]);
    assert!(world.counts(known) && world.counts(out) && !world.counts(meanwhile) && !world.counts(by_dave));
}

#[test]
fn a_demoted_admin_stays_but_what_an_admin_alone_may_do_does_not_count() {
    let (mut world, last) = World::with(&[MALLORY], &[BOB]);
    world.write(ALICE, &[last], Action::Role { person: id(MALLORY), role: Role::Member });
    world.expel(MALLORY, &[last], BOB);
    world.admit(MALLORY, &[last], CAROL);
    assert_eq!((world.members(), world.admins()), (vec![ALICE, BOB, CAROL, MALLORY], vec![ALICE]));
}

#[test]
fn expelling_wins_over_inviting_back_at_the_same_time() {
    let (mut world, last) = World::with(&[BOB], &[CAROL]);
    let out = world.expel(ALICE, &[last], CAROL);
    let to = Invitee::Person(id(CAROL));
    let invite = world.write(ALICE, &[out], Action::Invite { to, uses: 1, role: Role::Member });
    let request = world.request(CAROL, Some((invite, None)));
    world.write(ALICE, &[invite], Action::Admit { request });
    assert_eq!(world.members(), [ALICE, BOB, CAROL]);
    world.expel(BOB, &[last], CAROL);
    assert_eq!(world.members(), [ALICE, BOB]);
}

#[test]
fn of_two_who_expel_one_another_the_one_whom_more_saw_first_stays() {
    let (mut world, last) = World::with(&[BOB], &[CAROL, DAVE, ERIN]);
    let by_alice = world.expel(ALICE, &[last], BOB);
    let by_bob = world.expel(BOB, &[last], ALICE);
    assert_eq!(world.members(), [ALICE, CAROL, DAVE, ERIN], "nobody has said anything: who was an admin earlier stays");
    world.seen(CAROL, &[by_bob]);
    assert_eq!(world.members(), [BOB, CAROL, DAVE, ERIN]);
    world.seen(DAVE, &[by_alice]);
    assert_eq!(world.members(), [ALICE, CAROL, DAVE, ERIN], "one each");
    world.seen(ERIN, &[by_alice, by_bob]);
    assert_eq!(world.members(), [ALICE, CAROL, DAVE, ERIN], "who saw both at once says nothing");
}

#[test]
fn an_expelled_creator_does_not_return_by_a_back_dated_expulsion() {
    // Mallory began the group; here Alice's part is played by Bob, whom she made an admin.
    let (mut world, last) = World::with(&[BOB], &[CAROL, DAVE]);
    let out = world.expel(BOB, &[last], ALICE);
    let carol = world.seen(CAROL, &[out]);
    world.seen(DAVE, &[carol]);
    // As if she had not known of it, from before anybody else could see anything.
    world.expel(ALICE, &[last], BOB);
    assert_eq!(world.members(), [BOB, CAROL, DAVE]);
}

#[test]
fn who_hides_what_they_wrote_themselves_loses_and_takes_nothing_back() {
    let (mut world, last) = World::with(&[MALLORY], &[BOB]);
    let line = world.seen(MALLORY, &[last]);
    let known = world.admit(ALICE, &[line], CAROL);
    // Back-dated to before her own last change, which Alice's changes know.
    let early = world.expel(MALLORY, &[last], ALICE);
    assert!(world.counts(known), "Carol stays, whoever brought her in");
    assert_eq!(world.members(), [BOB, CAROL, MALLORY]);
    let out = world.expel(ALICE, &[known], MALLORY);
    assert_eq!(world.members(), [ALICE, BOB, CAROL]);
    assert!(world.counts(out) && !world.counts(early));
}

#[test]
fn friends_brought_in_for_the_dispute_have_no_say() {
    let (mut world, last) = World::with(&[MALLORY], &[BOB]);
    let out = world.expel(ALICE, &[last], MALLORY);
    world.seen(BOB, &[out]);
    let mut line = last;
    for friend in 30..40 {
        line = world.admit(MALLORY, &[line], friend);
    }
    line = world.expel(MALLORY, &[line], ALICE);
    for friend in 30..40 {
        world.seen(friend, &[line]);
    }
    assert_eq!(world.members(), [ALICE, BOB]);
}

#[test]
fn a_friend_made_admin_meanwhile_cannot_strike_back() {
    let (mut world, last) = World::with(&[MALLORY], &[BOB, DAVE]);
    let out = world.expel(ALICE, &[last], MALLORY);
    world.seen(BOB, &[out]);
    let dave = world.promote(MALLORY, &[last], DAVE);
    let strike = world.expel(DAVE, &[dave], ALICE);
    assert_eq!(world.members(), [ALICE, BOB, DAVE]);
    assert!(!world.counts(dave) && !world.counts(strike));
}

#[test]
fn a_circle_of_three_loses_one() {
    let (mut world, last) = World::with(&[BOB, CAROL], &[DAVE]);
    world.expel(ALICE, &[last], BOB);
    world.expel(BOB, &[last], CAROL);
    world.expel(CAROL, &[last], ALICE);
    assert_eq!(
        world.members(),
        [ALICE, CAROL, DAVE],
        "the one that the eldest admin wrote holds, and its attacker falls"
    );
}

#[test]
fn two_who_expel_a_third_at_once_agree() {
    let (mut world, last) = World::with(&[BOB], &[CAROL, DAVE]);
    let one = world.expel(ALICE, &[last], CAROL);
    let two = world.expel(BOB, &[last], CAROL);
    assert_eq!(world.members(), [ALICE, BOB, DAVE]);
    assert!(world.counts(one) && world.counts(two));
}

#[test]
fn who_leaves_takes_nothing_back() {
    let (mut world, last) = World::with(&[BOB], &[]);
    let known = world.admit(BOB, &[last], CAROL);
    // Back-dated: before letting Carol in.
    world.expel(BOB, &[last], BOB);
    assert!(world.counts(known));
    assert_eq!(world.members(), [ALICE, CAROL]);
}
