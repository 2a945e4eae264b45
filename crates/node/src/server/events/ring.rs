//! The events that were told last, for streams that are behind or come back.

use std::collections::VecDeque;
use std::sync::Arc;

/// How many bytes of events are kept: at a thousand changes a second some 20 s, for a page whose connection broke. Arbitrary.
const MAX_BYTES: usize = 4 << 20;

/// How many events are kept. Arbitrary: the same for the smallest ones, which cost more than their bytes.
const MAX_EVENTS: usize = 16_384;

/// Numbered events. Invariant: `bytes` is the length of all of them; the last has the number `last`, and each before it
/// one less.
#[derive(Debug)]
pub(super) struct Ring {
    /// Another for each run of numbers, so that numbers of an earlier one are not taken for ours.
    run: u64,
    last: u64,
    events: VecDeque<Arc<str>>,
    bytes: usize,
}

/// What a stream finds that has read up to some number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The event behind it.
    Event(Arc<str>),
    /// It has read them all.
    Waits,
    /// That one is not kept any more: it has to begin anew.
    Lost,
}

impl Ring {
    /// Begins a run of numbers.
    pub(super) fn new(run: u64) -> Ring {
        Ring { run, last: 0, events: VecDeque::new(), bytes: 0 }
    }

    /// Returns the number of the last event; 0: there was none.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Returns how the event of a number is called, in all runs.
    pub(super) fn id(&self, number: u64) -> String {
        format!("{:016x}-{number}", self.run)
    }

    /// Returns the number of which [`Ring::id`] made this, if what follows it is still there.
    pub(super) fn number(&self, id: &str) -> Option<u64> {
        let (run, number) = id.trim().split_once('-')?;
        let number = number.parse().ok()?;
        let is_ours = u64::from_str_radix(run, 16) == Ok(self.run) && number <= self.last;
        (is_ours && self.after(number) != Next::Lost).then_some(number)
    }

    /// Adds an event; the oldest make room.
    pub(super) fn push(&mut self, event: Arc<str>) {
        self.last += 1;
        self.bytes += event.len();
        self.events.push_back(event);
        while self.bytes > MAX_BYTES || self.events.len() > MAX_EVENTS {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }

    /// Returns what comes after a number.
    pub(super) fn after(&self, number: u64) -> Next {
        let Some(behind) = self.last.checked_sub(number).and_then(|behind| usize::try_from(behind).ok()) else {
            return Next::Lost;
        };
        match self.events.len().checked_sub(behind) {
            _ if behind == 0 => Next::Waits,
            Some(index) => Next::Event(self.events[index].clone()),
            None => Next::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_in_order_and_what_is_not_is_lost() {
        let mut ring = Ring::new(7);
        assert_eq!((ring.after(0), ring.after(1)), (Next::Waits, Next::Lost));
        for number in 1..=MAX_EVENTS + 5 {
            ring.push(number.to_string().into());
        }
        let last = MAX_EVENTS as u64 + 5;
        assert_eq!((ring.last(), ring.after(last)), (last, Next::Waits));
        assert_eq!((ring.after(4), ring.after(5)), (Next::Lost, Next::Event("6".into())));
        assert_eq!(ring.after(last - 1), Next::Event(last.to_string().into()));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut ring = Ring::new(7);
        for _ in 0..9 {
            ring.push("x".repeat(MAX_BYTES / 4).into());
            assert!(ring.events.iter().map(|event| event.len()).sum::<usize>() <= MAX_BYTES);
        }
        ring.push("x".repeat(MAX_BYTES + 1).into());
        assert_eq!((ring.events.len(), ring.bytes, ring.after(9)), (0, 0, Next::Lost));
    }

    #[test]
    fn an_id_is_known_in_its_own_run_only() {
        let mut ring = Ring::new(7);
        ring.push("a".into());
        assert_eq!(ring.number(&ring.id(1)), Some(1));
        assert_eq!(ring.number(&ring.id(0)), Some(0));
        for unknown in
            [&ring.id(2), &Ring::new(8).id(1), "", "1", "-", "x-1", "0000000000000007-", "7-99999999999999999999"]
        {
            assert_eq!(ring.number(unknown), None, "{unknown}");
        }
    }
}
