//! Which messages were here, so that none is delivered twice: by author and time.

use std::collections::BTreeMap;

use base::{Instant, NodeId, WallTime};

use crate::limits::{AUTHOR_RATE, MAX_AUTHORS, MAX_REMEMBERED, MAX_SKEW, REPEATED};
use crate::rate::Rate;

/// The protocol's name of a message: the hash of all of it.
pub(crate) type MessageId = [u8; 32];

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is new, if its signature is right.
    New,
    /// The protocol has it and mends its tree by seeing it again.
    Again,
    /// Too old, too early, another one of the same name, or too many.
    Refuse,
}

/// The authors of a topic.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    authors: BTreeMap<NodeId, Author>,
}

#[derive(Debug)]
struct Author {
    /// By time: the message's name and when it came.
    messages: BTreeMap<u64, (MessageId, Instant)>,
    /// Nothing older than this is taken: it was remembered once.
    floor: u64,
    rate: Rate,
    heard: Instant,
}

impl Seen {
    /// Judges a message; changes nothing.
    pub(crate) fn judge(&self, now: Instant, wall: WallTime, author: NodeId, time: u64, id: MessageId) -> Verdict {
        let known = self.authors.get(&author);
        if let Some((seen, at)) = known.and_then(|author| author.messages.get(&time)) {
            let again = *seen == id && now.since(*at) < REPEATED;
            return if again { Verdict::Again } else { Verdict::Refuse };
        }
        let skew = wall.0.abs_diff(time / 1_000_000);
        if known.is_some_and(|author| time <= author.floor) || skew > MAX_SKEW.as_secs() {
            return Verdict::Refuse;
        }
        Verdict::New
    }

    /// Takes a new message whose signature is right. `false`: its author writes too much, it is to be dropped.
    pub(crate) fn take(&mut self, now: Instant, author: NodeId, time: u64, id: MessageId) -> bool {
        if !self.authors.contains_key(&author) && self.authors.len() >= MAX_AUTHORS {
            let longest_silent = self.authors.iter().min_by_key(|(_, author)| author.heard).map(|(&id, _)| id);
            longest_silent.map(|id| self.authors.remove(&id));
        }
        let author = self.authors.entry(author).or_insert_with(|| Author {
            messages: BTreeMap::new(),
            floor: 0,
            rate: Rate::new(now, AUTHOR_RATE),
            heard: now,
        });
        if !author.rate.pass(now, 1) {
            return false;
        }
        author.heard = now;
        author.messages.insert(time, (id, now));
        if author.messages.len() > MAX_REMEMBERED
            && let Some((oldest, _)) = author.messages.pop_first()
        {
            author.floor = oldest;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ADA: NodeId = NodeId([1; 32]);
    const WALL: WallTime = WallTime(1_800_000_000);
    const TIME: u64 = WALL.0 * 1_000_000;

    fn judge(seen: &Seen, after: Duration, time: u64, id: u8) -> Verdict {
        seen.judge(Instant::START + after, WALL, ADA, time, [id; 32])
    }

    #[test]
    fn a_message_is_new_once() {
        let mut seen = Seen::default();
        assert_eq!(judge(&seen, Duration::ZERO, TIME, 1), Verdict::New);
        assert!(seen.take(Instant::START, ADA, TIME, [1; 32]));
        assert_eq!(judge(&seen, Duration::from_secs(1), TIME, 1), Verdict::Again);
        // The same author and time with other words: a forger, or an author who contradicts himself.
        assert_eq!(judge(&seen, Duration::from_secs(1), TIME, 2), Verdict::Refuse);
        // The protocol would take it for new.
        assert_eq!(judge(&seen, REPEATED, TIME, 1), Verdict::Refuse);
    }

    #[test]
    fn what_was_forgotten_is_too_old() {
        let mut seen = Seen::default();
        for i in 0..=MAX_REMEMBERED as u64 {
            let now = Instant::START + Duration::from_secs(i);
            assert!(seen.take(now, ADA, TIME + i, [1; 32]));
        }
        assert_eq!(judge(&seen, Duration::from_secs(200), TIME, 1), Verdict::Refuse);
        assert_eq!(judge(&seen, Duration::from_secs(200), TIME - 1, 1), Verdict::Refuse);
        assert_eq!(judge(&seen, Duration::from_secs(200), TIME + 1000, 1), Verdict::New);
    }

    #[test]
    fn clocks_may_be_off_by_a_day() {
        let seen = Seen::default();
        let day = 86_400_000_000;
        for (time, verdict) in [
            (TIME - day, Verdict::New),
            (TIME + day, Verdict::New),
            (TIME - day - 1_000_000, Verdict::Refuse),
            (TIME + day + 1_000_000, Verdict::Refuse),
            (0, Verdict::Refuse),
            (u64::MAX, Verdict::Refuse),
        ] {
            assert_eq!(judge(&seen, Duration::ZERO, time, 1), verdict, "{time}");
        }
    }

    #[test]
    fn whoever_writes_too_much_is_not_passed_on() {
        let mut seen = Seen::default();
        let taken = (0..1000).filter(|&i| seen.take(Instant::START, ADA, TIME + i, [1; 32])).count();
        assert_eq!(taken, AUTHOR_RATE.1 as usize);
        assert!(seen.take(Instant::START, NodeId([2; 32]), TIME, [1; 32]), "another author has a rate of its own");
    }

    #[test]
    fn authors_are_bounded_and_the_longest_silent_is_forgotten() {
        let mut seen = Seen::default();
        for i in 0..=MAX_AUTHORS as u64 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&i.to_be_bytes());
            assert!(seen.take(Instant::START + Duration::from_secs(i), NodeId(id), TIME, [1; 32]));
        }
        assert_eq!(seen.authors.len(), MAX_AUTHORS);
        assert!(!seen.authors.contains_key(&NodeId([0; 32])));
    }
}
