//! The course of a conversation, told as stories and left to chance.

use super::super::id::Conversation;
use super::super::ids::Ids;
use super::*;
use base::PersonId;
use proptest::prelude::*;
use std::time::Duration;

const ALICE: PersonId = PersonId([1; 32]);
const BOB: PersonId = PersonId([2; 32]);
const CAROL: PersonId = PersonId([3; 32]);
const PHONE: NodeId = NodeId([9; 32]);
const NOW: Now = Now { mono: Instant::START, wall: WallTime(5) };

fn id(person: PersonId, number: u32) -> MessageId {
    MessageId { pen: Pen::new(person, [0; 3]), number }
}

fn said(id: MessageId, time: u64, after: &[MessageId]) -> Held {
    let author = if id.pen.is_of(ALICE) { ALICE } else { BOB };
    let (conversation, body) = (Conversation::between(ALICE, BOB), Body::Opening);
    let message = Message { conversation, id, author, time, written: 0, after: after.to_vec(), expires_s: None, body };
    Held::new(NOW, message, PHONE, false)
}

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::from_secs(seconds)
}

fn ids(shown: &[Message]) -> Vec<MessageId> {
    shown.iter().map(|message| message.id).collect()
}

fn take(course: &mut Course, held: Held) -> Vec<MessageId> {
    match course.take(held, usize::MAX, at(2)) {
        Taken::Shown(shown) => ids(&shown),
        other => panic!("{other:?}"),
    }
}

fn hold(course: &mut Course, held: Held) {
    assert_eq!(course.take(held, usize::MAX, at(2)), Taken::Held);
}

#[test]
fn an_answer_waits_for_what_it_answers() {
    let (question, reply, thanks) = (id(ALICE, 1), id(BOB, 1), id(ALICE, 2));
    let mut course = Course::default();
    hold(&mut course, said(thanks, 3, &[reply]));
    hold(&mut course, said(reply, 2, &[question]));
    assert_eq!(course.take(said(reply, 2, &[question]), usize::MAX, at(2)), Taken::Again);
    assert_eq!(take(&mut course, said(question, 1, &[])), [question, reply, thanks]);
    assert_eq!(course.take(said(question, 1, &[]), usize::MAX, at(2)), Taken::Again);
    assert_eq!(course.next(Pen::new(BOB, [0; 3]), WallTime(0)), (2, 4, vec![thanks]));
    assert_eq!((course.next_due(), course.held_cost()), (None, 0));
}

#[test]
fn what_both_said_at_once_is_named_by_whoever_speaks_next() {
    let mut course = Course::default();
    let (one, other) = (id(ALICE, 1), id(BOB, 1));
    take(&mut course, said(one, 1, &[]));
    take(&mut course, said(other, 1, &[]));
    let mut both = vec![one, other];
    both.sort();
    assert_eq!(course.next(one.pen, WallTime(0)), (2, 2, both));
}

#[test]
fn nobody_waits_for_what_is_void_and_it_is_shown_when_it_comes_after_all() {
    let (lost, next) = (id(ALICE, 1), id(BOB, 1));
    let mut course = Course::default();
    hold(&mut course, said(next, 9, &[lost]));
    assert_eq!(ids(&course.void(lost)), [next]);
    assert_eq!(take(&mut course, said(lost, 8, &[])), [lost]);
    assert_eq!(course.next(lost.pen, WallTime(0)).2, [next], "an ancestor is not one of the newest");
    assert_eq!(course.void(lost), [], "what is here is not void");
    assert!(course.is_shown(lost));
}

#[test]
fn one_that_waits_itself_is_not_void() {
    let (lost, first, second) = (id(ALICE, 1), id(ALICE, 2), id(BOB, 1));
    let mut course = Course::default();
    hold(&mut course, said(second, 3, &[first]));
    hold(&mut course, said(first, 2, &[lost]));
    assert_eq!(course.void(first), []);
    assert_eq!(ids(&course.void(lost)), [first, second]);
}

#[test]
fn a_stranger_to_the_room_waits_until_somebody_vouches() {
    let mut course = Course::default();
    let (first, second) = (id(BOB, 1), id(BOB, 2));
    hold(&mut course, Held { doubted: true, ..said(first, 1, &[]) });
    hold(&mut course, said(second, 2, &[first]));
    assert_eq!(ids(&course.trust(first, at(2))), [first, second]);
    let third = id(BOB, 3);
    hold(&mut course, Held { doubted: true, ..said(third, 3, &[]) });
    assert_eq!(take(&mut course, said(third, 3, &[])), [third], "an own node brought it too");
    let (fourth, fifth) = (id(BOB, 4), id(ALICE, 1));
    hold(&mut course, Held { doubted: true, ..said(fourth, 4, &[id(ALICE, 9)]) });
    hold(&mut course, said(fifth, 5, &[fourth]));
    assert_eq!(ids(&course.drop_held(fourth)), [fifth]);
    assert_eq!((course.held_cost(), course.next_due()), (0, None));
}

#[test]
fn nobody_brings_the_time_to_its_end() {
    let mut course = Course::default();
    let too_late = said(id(ALICE, 1), MAX_FIRST_TIME + 1, &[]);
    assert_eq!(course.take(too_late, usize::MAX, at(2)), Taken::Refused);
    take(&mut course, said(id(ALICE, 1), 10, &[]));
    assert_eq!(course.take(said(id(BOB, 1), 11 + MAX_LEAP, &[]), usize::MAX, at(2)), Taken::Refused);
    assert_eq!(course.take(said(id(BOB, 1), 0, &[]), usize::MAX, at(2)), Taken::Refused);
    take(&mut course, said(id(BOB, 1), 10 + MAX_LEAP, &[]));
}

#[test]
fn a_message_has_the_time_of_the_clock_but_comes_after_all_that_was_shown() {
    let (mut course, pen) = (Course::default(), Pen::new(CAROL, [0; 3]));
    let time = |course: &Course, wall| course.next(pen, WallTime(wall)).1;
    assert_eq!((time(&course, 1000), time(&course, 0)), (1000, 1));
    assert_eq!(time(&course, u64::MAX), MAX_FIRST_TIME, "others would refuse it");
    take(&mut course, said(id(ALICE, 1), 500, &[]));
    assert_eq!([2000, 500, 499, 0].map(|wall| time(&course, wall)), [2000, 501, 501, 501]);
    assert_eq!(time(&course, u64::MAX), 500 + MAX_LEAP, "others would refuse it");
}

#[test]
fn only_so_many_wait() {
    let mut course = Course::default();
    (2..2 + MAX_HELD as u32).for_each(|number| hold(&mut course, said(id(ALICE, number), 2, &[id(ALICE, 1)])));
    let more = said(id(BOB, 1), 2, &[id(ALICE, 1)]);
    assert_eq!(course.take(more.clone(), usize::MAX, at(2)), Taken::Full);
    assert_eq!(take(&mut course, said(id(ALICE, 1), 1, &[])).len(), 1 + MAX_HELD, "what is settled needs no room");
    let later = said(id(BOB, 2), 3, &[id(BOB, 1)]);
    assert_eq!(course.take(later, 10, at(2)), Taken::Full, "all conversations together");
    take(&mut course, more);
}

#[test]
fn the_latest_timer_counts_whatever_came_last() {
    let timer = |id, time, expires_s| {
        let mut held = said(id, time, &[]);
        held.message.body = Body::Timer { expires_s };
        held
    };
    let mut course = Course::default();
    take(&mut course, timer(id(ALICE, 1), 5, Some(60)));
    take(&mut course, timer(id(BOB, 1), 4, Some(7)));
    assert_eq!(course.timer(), Some(60));
    take(&mut course, timer(id(BOB, 2), 6, None));
    assert_eq!(course.timer(), None);
}

#[test]
fn missing_causes_are_asked_for_in_their_time() {
    let (one, other) = (id(ALICE, 1), id(ALICE, 2));
    let mut course = Course::default();
    hold(&mut course, said(id(BOB, 1), 5, &[one, other]));
    assert_eq!(course.next_due(), Some(at(2)));
    course.hurry(other, at(1));
    assert_eq!(course.due(at(1)), [(other, 0)]);
    course.asked(other, at(9));
    course.hurry(other, at(3));
    assert_eq!(course.due(at(9)), [(one, 0), (other, 1)]);
    assert_eq!(course.children(one).map(|held| held.message.id).collect::<Vec<_>>(), [id(BOB, 1)]);
    course.void(one);
    take(&mut course, said(other, 1, &[]));
    assert_eq!(course.next_due(), None);
}

#[test]
fn what_was_given_up_while_its_author_was_not_known_is_looked_for_again() {
    let mut course = Course::default();
    let (first, second) = (id(BOB, 1), id(BOB, 2));
    hold(&mut course, Held { doubted: true, ..said(second, 2, &[first]) });
    assert_eq!(ids(&course.void(first)), []);
    assert_eq!(ids(&course.trust(second, at(9))), []);
    assert_eq!(course.due(at(9)), [(first, 0)]);
    assert_eq!(take(&mut course, said(first, 1, &[])), [first, second]);
}

#[test]
fn what_waits_for_two_waits_again_for_the_one_that_was_void() {
    let (first, second, third) = (id(ALICE, 1), id(ALICE, 2), id(BOB, 1));
    let mut hoping = Course::default();
    let mut trusting = Course::default();
    for course in [&mut hoping, &mut trusting] {
        assert!(course.void(first).is_empty());
        hold(course, said(third, 3, &[first, second]));
    }
    hoping.hope_again(at(2));
    hold(&mut trusting, Held { doubted: true, ..said(id(CAROL, 1), 3, &[first]) });
    assert!(trusting.trust(id(CAROL, 1), at(2)).is_empty());
    for course in [&mut hoping, &mut trusting] {
        assert_eq!(take(course, said(second, 2, &[])), [second]);
        assert!(take(course, said(first, 1, &[])).contains(&third), "it does not wait for ever");
        assert_eq!(course.held_cost(), 0);
    }
}

#[test]
fn for_whom_a_message_is_stays_known_in_whatever_order_they_come() {
    let few: Audience = [[1; 5], [2; 5]].into();
    let many: Audience = [[1; 5], [2; 5], [3; 5]].into();
    let to = |number: u32| if (3..6).contains(&number) { many.clone() } else { few.clone() };
    let orders: [Vec<u32>; 4] = [(1..9).collect(), (1..9).rev().collect(), vec![8, 4, 1, 6, 3, 2], vec![1, 6, 5, 7]];
    for order in orders {
        let mut course = Course::default();
        for number in &order {
            let held = Held { audience: to(*number), ..said(id(ALICE, *number), (*number).into(), &[]) };
            take(&mut course, held);
        }
        for number in 1..10 {
            let expected = order.contains(&number).then(|| to(number));
            assert_eq!(course.audience(id(ALICE, number)), expected.as_ref(), "{number} of {order:?}");
        }
    }
    let mut course = Course::default();
    for number in 1..100 {
        let audience = Audience::from([[number as u8; 5]]);
        take(&mut course, Held { audience, ..said(id(ALICE, number), 1, &[]) });
    }
    assert_eq!(course.audience(id(ALICE, 99)), Some(&[[99; 5]].into()));
    assert_eq!(course.audience(id(ALICE, 9)), None, "too long ago");
}

#[test]
fn for_whom_something_is_that_came_without_that_is_not_taken_from_what_precedes_it() {
    let mut course = Course::default();
    let audience = Audience::from([[1; 5]]);
    take(&mut course, Held { audience: audience.clone(), ..said(id(ALICE, 1), 1, &[]) });
    take(&mut course, said(id(ALICE, 2), 2, &[]));
    take(&mut course, Held { audience: audience.clone(), ..said(id(ALICE, 3), 3, &[]) });
    take(&mut course, said(id(BOB, 1), 4, &[]));
    let known = [id(ALICE, 1), id(ALICE, 2), id(ALICE, 3), id(BOB, 1)].map(|id| course.audience(id).cloned());
    assert_eq!(known, [Some(audience.clone()), None, Some(audience), None]);
    assert!(course.facts(&Conversation::between(ALICE, BOB)).iter().all(|(key, _)| read_fact(key).is_some()));
}

#[test]
fn only_what_was_shown_is_read_and_once() {
    let mut course = Course::default();
    (1..=5).for_each(|number| _ = take(&mut course, said(id(ALICE, number), number.into(), &[])));
    let pen = id(ALICE, 1).pen;
    let read = |course: &mut Course, first, last| {
        let ids = [(pen, first, last)].into_iter().collect();
        course.read(&ids).spans().map(|(_, first, last)| (first, last)).collect::<Vec<_>>()
    };
    assert_eq!(read(&mut course, 2, 3), [(2, 3)]);
    assert_eq!(read(&mut course, 1, u32::MAX), [(1, 1), (4, 5)]);
    assert_eq!(read(&mut course, 1, u32::MAX), []);
}

#[test]
fn who_has_less_knows_what_it_lacks() {
    let mut course = Course::default();
    take(&mut course, said(id(ALICE, 2), 2, &[]));
    hold(&mut course, said(id(ALICE, 4), 4, &[id(ALICE, 3)]));
    let theirs: Ids = [(id(ALICE, 1).pen, 1, 5), (id(BOB, 1).pen, 1, 2)].into_iter().collect();
    let lacking: Vec<_> = course.lacking(&theirs).iter().collect();
    let mut expected = vec![id(ALICE, 1), id(ALICE, 3), id(ALICE, 5), id(BOB, 1), id(BOB, 2)];
    expected.sort();
    assert_eq!(lacking, expected);
    assert_eq!(course.shown_of(&theirs).iter().collect::<Vec<_>>(), [id(ALICE, 2)]);
}

/// Restores a course from all the facts that another ever gave.
fn restored(facts: &BTreeMap<Vec<u8>, Vec<u8>>) -> Course {
    let mut course = Course::default();
    for (key, value) in facts {
        let (_, fact) = read_fact(key).unwrap();
        course.restore(fact, value).unwrap();
    }
    course.wake(NOW, at(2));
    course
}

fn keep(course: &mut Course, facts: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    for (key, value) in course.facts(&Conversation::between(ALICE, BOB)) {
        match value {
            Some(value) => _ = facts.insert(key, value),
            None => _ = facts.remove(&key),
        }
    }
}

proptest! {
    /// A random graph of messages arrives in any order, with voids and restarts: each is shown once, and none before those
    /// of its causes that are shown at all before it, unless they were void.
    #[test]
    fn causes_come_before_effects(
        parents in proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..3), 1..40),
        order in any::<u64>(),
        restarts in proptest::collection::vec(any::<bool>(), 40),
        voids in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut all: Vec<Held> = Vec::new();
        for (i, parents) in parents.iter().enumerate() {
            let author = if i % 2 == 0 { ALICE } else { BOB };
            let own = id(author, i as u32 / 2 + 1);
            let mut after: Vec<_> = parents.iter().filter(|_| i > 0).map(|at| at.get(&all[..i]).message.id).collect();
            after.sort();
            after.dedup();
            all.push(said(own, i as u64 + 1, &after));
        }
        let void: BTreeSet<_> = voids.iter().map(|at| at.get(&all).message.id).collect();
        let mut arriving = all.clone();
        fastrand::Rng::with_seed(order).shuffle(&mut arriving);
        let (mut course, mut facts, mut shown) = (Course::default(), BTreeMap::new(), Vec::new());
        for (held, restarts) in arriving.into_iter().zip(restarts) {
            match course.take(held, usize::MAX, at(2)) {
                Taken::Shown(messages) => shown.extend(ids(&messages)),
                Taken::Held => {}
                other => panic!("{other:?}"),
            }
            keep(&mut course, &mut facts);
            if restarts {
                course = restored(&facts);
            }
            let dropped = void.iter().next().copied().filter(|_| shown.len() == 3);
            shown.extend(dropped.into_iter().flat_map(|id| ids(&course.void(id))));
        }
        prop_assert_eq!(shown.len(), all.len());
        prop_assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), all.len());
        for held in &all {
            let place = |id| shown.iter().position(|other| *other == id);
            for cause in held.message.after.iter().filter(|id| !void.contains(id)) {
                prop_assert!(place(*cause) < place(held.message.id));
            }
        }
        keep(&mut course, &mut facts);
        let again = restored(&facts);
        prop_assert_eq!((again.shown(), again.time, &again.frontier), (course.shown(), course.time, &course.frontier));
        prop_assert!(course.held.is_empty() && course.missing.is_empty() && course.due.is_empty());
        prop_assert_eq!(course.held_cost(), 0);
    }
}

#[test]
fn who_sets_the_clock_forward_waits_for_an_hour_still() {
    let (mut course, mut facts) = (Course::default(), BTreeMap::new());
    hold(&mut course, said(id(BOB, 1), 2, &[id(ALICE, 1)]));
    keep(&mut course, &mut facts);
    let mut again = Course::default();
    facts.iter().for_each(|(key, value)| again.restore(read_fact(key).unwrap().1, value).unwrap());
    for (wall, left) in [(5, PATIENCE), (3605, PATIENCE - Duration::from_secs(3600)), (999_999, PATIENCE_ANEW)] {
        again.wake(Now { mono: at(7), wall: WallTime(wall) }, at(9));
        let held = again.held().next().unwrap();
        assert_eq!((held.until - at(7), held.waited(at(7))), (left, PATIENCE - left));
    }
}
