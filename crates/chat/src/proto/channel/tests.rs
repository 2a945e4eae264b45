//! The numbers of a channel, told as stories and left to chance.

use super::*;
use proptest::prelude::*;

fn outgoing(lens: &[usize]) -> Outgoing {
    let mut outgoing = Outgoing::new(7, 1, 0);
    lens.iter().for_each(|len| _ = outgoing.push(Queued::Item(vec![0; *len]), *len));
    outgoing
}

fn ack(taken: u64) -> Ack {
    Ack { incarnation: 7, taken, lost: false }
}

#[test]
fn what_was_sent_is_kept_until_it_is_acknowledged() {
    let mut to_bob = outgoing(&[10; 5]);
    assert_eq!(to_bob.send(20, WINDOW), Some((1, 2)));
    assert_eq!(to_bob.send(20, WINDOW), Some((3, 4)));
    assert_eq!(to_bob.acknowledge(ack(3)).len(), 3);
    assert_eq!((to_bob.oldest(), to_bob.len()), (4, 2));
    assert_eq!(to_bob.send(20, WINDOW), Some((5, 5)));
    assert_eq!(to_bob.send(20, WINDOW), None);
    to_bob.rewind();
    assert_eq!(to_bob.send(20, WINDOW), Some((4, 5)), "the stream ended: again from the mark");
    assert_eq!(to_bob.acknowledge(Ack { incarnation: 8, ..ack(9) }), [], "of another count");
    assert_eq!(to_bob.acknowledge(ack(u64::MAX)).len(), 2);
    assert_eq!((to_bob.next(), to_bob.is_flying()), (6, false));
}

#[test]
fn no_more_than_the_window_is_under_way() {
    let mut to_bob = outgoing(&[30; 10]);
    while to_bob.send(50, 100).is_some() {}
    assert_eq!(to_bob.send(50, 1), None);
    to_bob.acknowledge(ack(1));
    assert_eq!(to_bob.send(50, 100), Some((5, 5)));
    to_bob.rewind();
    assert_eq!(to_bob.send(50, 1), Some((2, 2)), "a probe is one parcel");
    assert_eq!(to_bob.send(50, 1), None);
}

#[test]
fn a_long_item_goes_alone() {
    let mut to_bob = outgoing(&[10, 500, 10]);
    let sent: Vec<_> = std::iter::from_fn(|| to_bob.send(100, WINDOW)).collect();
    assert_eq!(sent, [(1, 1), (2, 2), (3, 3)]);
}

#[test]
fn what_is_withdrawn_leaves_its_number() {
    let mut to_bob = outgoing(&[10; 3]);
    to_bob.push(Queued::Post(5), 100);
    to_bob.send(1000, WINDOW);
    assert_eq!(to_bob.withdraw(|what| *what == Queued::Post(5)), [(4, Queued::Post(5))]);
    assert_eq!(to_bob.withdraw(|_| true).len(), 3, "nothing is not withdrawn again");
    assert_eq!((to_bob.get(4), to_bob.len()), (Some(&Queued::Nothing), 4));
    to_bob.acknowledge(ack(4));
    assert_eq!((to_bob.bytes, to_bob.flying), (0, 0));
}

#[test]
fn a_mailbox_gets_what_was_not_deposited() {
    let mut to_bob = outgoing(&[10; 5]);
    assert_eq!(to_bob.to_deposit(30), Some((1, 3)));
    to_bob.deposited = 3;
    assert_eq!(to_bob.to_deposit(30), Some((4, 5)));
    to_bob.acknowledge(ack(4));
    assert_eq!(to_bob.to_deposit(30), Some((5, 5)));
    to_bob.deposited = 5;
    assert_eq!(to_bob.to_deposit(30), None);
}

#[test]
fn a_recipient_that_lost_its_tables_goes_on_with_what_is_left() {
    let mut from_bob = Incoming::default();
    assert!(from_bob.begin(7, 57));
    assert_eq!((from_bob.place(56), from_bob.place(57), from_bob.place(58)), (Place::Old, Place::Next, Place::Early));
    assert!(!from_bob.begin(7, 3), "an older parcel takes nothing back");
    from_bob.keep(58, vec![1]);
    assert!(from_bob.begin(8, 1), "the sender lost its own");
    assert_eq!((from_bob.mark(), from_bob.kept()), ((8, 0), None));
}

#[test]
fn what_comes_early_is_kept_within_limits() {
    let mut from_bob = Incoming::default();
    from_bob.begin(7, 1);
    (2..3 * MAX_EARLY as u64).for_each(|number| from_bob.keep(number, vec![0; 10]));
    assert_eq!((from_bob.early.len(), from_bob.early_bytes), (MAX_EARLY, MAX_EARLY * 10));
    from_bob.take();
    assert_eq!(from_bob.kept(), Some(vec![0; 10]));
    let mut from_carol = Incoming::default();
    (2..9).for_each(|number| from_carol.keep(number, vec![0; MAX_EARLY_BYTES / 2]));
    assert_eq!(from_carol.early.len(), 2);
}

/// The oldest number, the first, and the items.
type Sent = (u64, u64, Vec<Vec<u8>>);

proptest! {
    #[test]
    fn everything_arrives_once_and_in_order(steps in proptest::collection::vec((0u8..6, any::<u16>()), 1..300)) {
        let (mut out, mut inn) = (Outgoing::new(7, 1, 0), Incoming::default());
        let mut wire: Vec<Sent> = Vec::new();
        let mut taken: Vec<u64> = Vec::new();
        let mut step = |kind: u8, dice: u16, taken: &mut Vec<u64>| match kind {
            0 => {
                let next = out.next();
                out.push(Queued::Item(next.to_be_bytes().to_vec()), 8);
            }
            1 => {
                if let Some((first, last)) = out.send(20, 64) {
                    let items = (first..=last).map(|number| match out.get(number) {
                        Some(Queued::Item(item)) => item.clone(),
                        other => panic!("{other:?}"),
                    });
                    wire.push((out.oldest(), first, items.collect()));
                }
            }
            2 if !wire.is_empty() => _ = wire.remove(usize::from(dice) % wire.len()),
            3 if !wire.is_empty() => {
                // It stays on the wire: it may come again.
                let (oldest, first, items) = wire[usize::from(dice) % wire.len()].clone();
                inn.begin(7, oldest);
                for (number, item) in (first..).zip(items) {
                    match inn.place(number) {
                        Place::Old => {}
                        Place::Next => {
                            inn.take();
                            taken.push(u64::from_be_bytes(item.try_into().unwrap()));
                        }
                        Place::Early => inn.keep(number, item),
                    }
                }
                while let Some(item) = inn.kept() {
                    inn.take();
                    taken.push(u64::from_be_bytes(item.try_into().unwrap()));
                }
            }
            4 => _ = out.acknowledge(ack(inn.mark().1)),
            _ => out.rewind(),
        };
        for (kind, dice) in steps {
            step(kind, dice, &mut taken);
        }
        // Whatever happened: what is left arrives when nothing is lost any more.
        for kind in [5, 1, 3].into_iter().chain([1, 3, 4].into_iter().cycle().take(3000)) {
            step(kind, u16::MAX, &mut taken);
            if kind == 3 {
                step(2, u16::MAX, &mut taken);
            }
        }
        prop_assert!(taken.iter().copied().eq(1..out.next()), "{:?}", taken);
        prop_assert!(out.is_empty());
    }
}
