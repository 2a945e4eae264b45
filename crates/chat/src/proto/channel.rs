//! What goes between this node and another, in order and once: the numbers of each way.
//!
//! An item keeps its number until the other node has committed it. What was sealed may get lost, arrive twice or in
//! another order: the numbers mend it. A node that lost its tables begins a new *incarnation*, and its numbers at 1.

use std::collections::{BTreeMap, VecDeque};

use super::parcel::Ack;

/// How many items wait for one node at most. Arbitrary: some years of a friend who is away.
pub const MAX_WAITING: usize = 10_000;

/// How many bytes wait for one node at most. Arbitrary: half of what a mailbox keeps.
pub const MAX_WAITING_BYTES: usize = 32 << 20;

/// How many bytes may be under way on a stream. Arbitrary: a few parcels.
pub const WINDOW: usize = 256 << 10;

/// How many items that came too early are kept, and how many bytes of them. Arbitrary: what two mailboxes mix up that have
/// been filled for a day.
pub const MAX_EARLY: usize = 1024;
/// See [`MAX_EARLY`].
pub const MAX_EARLY_BYTES: usize = 1 << 20;

/// What waits under a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queued {
    /// A message that several nodes get: its number among those.
    Post(u64),
    /// An item for this node alone, as `Item` writes it.
    Item(Vec<u8>),
    /// This node's card as it is when it is sent.
    Card,
    /// Nothing any more.
    Nothing,
}

#[derive(Debug)]
struct Entry {
    what: Queued,
    len: usize,
}

/// The way out. Invariant: the entries have the numbers from `oldest` to `next - 1`; `sent` and `deposited` are never
/// below `oldest - 1`.
#[derive(Debug)]
pub struct Outgoing {
    incarnation: u64,
    oldest: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
    sent: u64,
    flying: usize,
    /// Up to where it lies in a mailbox.
    pub deposited: u64,
}

impl Outgoing {
    /// Begins to count, or goes on where the tables say: `entries` have the numbers from `oldest` on.
    pub fn new(incarnation: u64, oldest: u64, deposited: u64) -> Outgoing {
        let sent = oldest - 1;
        let deposited = deposited.max(sent);
        Outgoing { incarnation, oldest, entries: VecDeque::new(), bytes: 0, sent, flying: 0, deposited }
    }

    /// Returns which count it is.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Returns the least number that is kept, or the next.
    pub fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Returns the number that the next item gets.
    pub fn next(&self) -> u64 {
        self.oldest + self.entries.len() as u64
    }

    /// Returns how many wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether as much waits as may.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= MAX_WAITING || self.bytes >= MAX_WAITING_BYTES
    }

    /// Adds what will take `len` bytes; returns its number.
    pub fn push(&mut self, what: Queued, len: usize) -> u64 {
        let number = self.next();
        self.bytes += len;
        self.entries.push_back(Entry { what, len });
        number
    }

    /// Returns what waits under a number.
    pub fn get(&self, number: u64) -> Option<&Queued> {
        let at = number.checked_sub(self.oldest)?;
        self.entries.get(usize::try_from(at).ok()?).map(|entry| &entry.what)
    }

    /// Returns all that waits, with its numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Queued)> {
        (self.oldest..).zip(self.entries.iter().map(|entry| &entry.what))
    }

    /// Whether what waits under a number was not sent on the stream that stands, nor left in a mailbox.
    pub fn is_unsent(&self, number: u64) -> bool {
        number > self.sent && number > self.deposited
    }

    /// Gives up the oldest.
    pub fn drop_oldest(&mut self) -> Option<(u64, Queued)> {
        let entry = self.entries.pop_front()?;
        let number = self.oldest;
        self.bytes -= entry.len;
        if number <= self.sent {
            self.flying -= entry.len;
        }
        self.oldest += 1;
        self.sent = self.sent.max(number);
        self.deposited = self.deposited.max(number);
        Some((number, entry.what))
    }

    /// Everything to `taken` is with the other node. Returns what that was.
    pub fn acknowledge(&mut self, ack: Ack) -> Vec<(u64, Queued)> {
        let mut done = Vec::new();
        if ack.incarnation == self.incarnation {
            while self.oldest <= ack.taken {
                let Some(entry) = self.drop_oldest() else { break };
                done.push(entry);
            }
        }
        done
    }

    /// Puts nothing in the place of what `unwanted` says. Returns what that was.
    pub fn withdraw(&mut self, unwanted: impl Fn(&Queued) -> bool) -> Vec<(u64, Queued)> {
        let mut withdrawn = Vec::new();
        for (number, entry) in (self.oldest..).zip(&mut self.entries) {
            if entry.what == Queued::Nothing || !unwanted(&entry.what) {
                continue;
            }
            withdrawn.push((number, std::mem::replace(&mut entry.what, Queued::Nothing)));
            let len = std::mem::replace(&mut entry.len, 1);
            self.bytes -= len - 1;
            if number <= self.sent {
                self.flying -= len - 1;
            }
        }
        withdrawn
    }

    /// Returns the last number that goes together with those after `after`, within `limit` bytes but one at least; `None`
    /// where none is left.
    fn end_of(&self, after: u64, limit: usize) -> Option<(u64, usize)> {
        let skip = usize::try_from(after + 1 - self.oldest).ok()?;
        let mut end = None;
        let mut bytes = 0;
        for (number, entry) in (after + 1..).zip(self.entries.iter().skip(skip)) {
            if end.is_some() && bytes + entry.len > limit {
                break;
            }
            bytes += entry.len;
            end = Some((number, bytes));
        }
        end
    }

    /// Returns the numbers that are to be sent next on a stream, `limit` bytes together, and counts them as sent; `None`
    /// while `window` bytes are under way.
    pub fn send(&mut self, limit: usize, window: usize) -> Option<(u64, u64)> {
        if self.flying >= window.max(1) {
            return None;
        }
        let (last, bytes) = self.end_of(self.sent, limit)?;
        let first = self.sent + 1;
        self.sent = last;
        self.flying += bytes;
        Some((first, last))
    }

    /// Whether anything is under way on the stream.
    pub fn is_flying(&self) -> bool {
        self.flying > 0
    }

    /// What is under way was lost, or may be.
    pub fn rewind(&mut self) {
        self.sent = self.oldest - 1;
        self.flying = 0;
    }

    /// Returns the numbers that go next into a mailbox.
    pub fn to_deposit(&self, limit: usize) -> Option<(u64, u64)> {
        self.end_of(self.deposited, limit).map(|(last, _)| (self.deposited + 1, last))
    }
}

/// Where an item belongs that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It was taken before.
    Old,
    /// It is the next.
    Next,
    /// Others come before it.
    Early,
}

/// The way in.
#[derive(Debug, Default)]
pub struct Incoming {
    incarnation: u64,
    taken: u64,
    early: BTreeMap<u64, Vec<u8>>,
    early_bytes: usize,
}

impl Incoming {
    /// Goes on where the tables say.
    pub fn new(incarnation: u64, taken: u64) -> Incoming {
        Incoming { incarnation, taken, ..Incoming::default() }
    }

    /// Returns which count it is, and up to where it was taken.
    pub fn mark(&self) -> (u64, u64) {
        (self.incarnation, self.taken)
    }

    /// A parcel came of a sender that counts so, and has nothing before `oldest` any more. True when that is news.
    pub fn begin(&mut self, incarnation: u64, oldest: u64) -> bool {
        let before = self.mark();
        if self.incarnation != incarnation {
            *self = Incoming::new(incarnation, 0);
        }
        if self.taken < oldest - 1 {
            self.taken = oldest - 1;
            let kept = self.early.split_off(&oldest);
            self.early = kept;
            self.early_bytes = self.early.values().map(Vec::len).sum();
        }
        self.mark() != before
    }

    /// Says where a number belongs.
    pub fn place(&self, number: u64) -> Place {
        match number.checked_sub(self.taken) {
            None | Some(0) => Place::Old,
            Some(1) => Place::Next,
            _ => Place::Early,
        }
    }

    /// Keeps an item that came too early, if there is room; else it comes again.
    pub fn keep(&mut self, number: u64, item: Vec<u8>) {
        let fits = self.early.len() < MAX_EARLY && self.early_bytes + item.len() <= MAX_EARLY_BYTES;
        if fits && !self.early.contains_key(&number) {
            self.early_bytes += item.len();
            self.early.insert(number, item);
        }
    }

    /// Counts the next one as taken.
    pub fn take(&mut self) {
        self.taken += 1;
    }

    /// Returns the next one, if it came before its turn.
    pub fn kept(&mut self) -> Option<Vec<u8>> {
        let item = self.early.remove(&(self.taken + 1))?;
        self.early_bytes -= item.len();
        Some(item)
    }
}

#[cfg(test)]
mod tests;
