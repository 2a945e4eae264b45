//! What arrived: bytes to be read, packets ahead of a gap, and the window that the other end is told.
//!
//! Invariants: `ahead` is empty or begins with the packet that is missing; what is kept never exceeds the window by more
//! than two packets; the window grows while the reader keeps up and never shrinks.

use std::collections::VecDeque;
use std::time::Duration;

use base::Instant;

use crate::packet::MAX_SACK_LEN;
use crate::pool::{Pool, Slot};

/// The window of a new connection, in bytes. Growing from here, a connection that nobody reads holds little.
pub(crate) const INITIAL_WINDOW: u32 = 128 << 10;
/// Packets ahead of a gap are kept as long as there are no more of them than if each had this many bytes: a stranger may
/// send packets of one byte. Arbitrary, a third of a full packet.
const MIN_AHEAD_BYTES: usize = 512;
/// Of few packets ahead any length is kept.
const MIN_AHEAD: usize = 64;
/// The most packets ahead: numbers have 16 bits, and half of the circle is behind us.
const MAX_AHEAD: usize = 32_000;
/// The shortest time that a window is expected to last, where the round trip is shorter: drivers wake up in milliseconds.
const MIN_ROUND: Duration = Duration::from_millis(10);
/// Of how many full packets one at least is acknowledged at once (RFC 5681: every second).
const ACK_EVERY: u32 = 2;
/// How long an acknowledgement may wait for another packet, or for data to ride on. Less than libutp's 100 ms, so that
/// measurements of the other end are fresh.
const ACK_DELAY: Duration = Duration::from_millis(25);

/// See the module.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// The number of the next packet without a gap.
    next: u16,
    ready: VecDeque<u8>,
    /// Packets from `next` on; the first is always missing.
    ahead: VecDeque<Option<Slot>>,
    ahead_bytes: usize,
    ahead_count: usize,
    fin: Option<u16>,
    ended: bool,
    /// Bytes are thrown away: nobody reads any more.
    discards: bool,
    window: u32,
    /// What the other end was told last.
    advertised: u32,
    /// Bytes read since, to see whether the reader keeps up with a full window.
    round_bytes: u64,
    round_since: Instant,
    unacked: u32,
    ack_at: Option<Instant>,
    ack_now: bool,
}

/// What a packet brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// There is more to read, or the end.
    Progress,
    /// Kept, or known already: only to be acknowledged.
    Nothing,
    /// Too far ahead, or no room.
    Refused,
}

impl Receiver {
    /// Begins behind the packet `last`.
    pub(crate) fn new(last: u16, now: Instant) -> Receiver {
        Receiver {
            next: last.wrapping_add(1),
            ready: VecDeque::new(),
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            ahead_count: 0,
            fin: None,
            ended: false,
            discards: false,
            window: INITIAL_WINDOW,
            advertised: INITIAL_WINDOW,
            round_bytes: 0,
            round_since: now,
            unacked: 0,
            ack_at: None,
            ack_now: false,
        }
    }

    /// Returns the number of the last packet without a gap.
    pub(crate) fn ack(&self) -> u16 {
        self.next.wrapping_sub(1)
    }

    /// Returns how far ahead of the next packet this number is; `None` behind it or beyond what could be kept.
    pub(crate) fn distance(&self, seq: u16) -> Option<usize> {
        let distance = usize::from(seq.wrapping_sub(self.next));
        (distance < MAX_AHEAD).then_some(distance)
    }

    /// Takes a data packet or the last packet of the stream.
    pub(crate) fn arrived(&mut self, now: Instant, seq: u16, payload: &[u8], fin: bool, pool: &mut Pool) -> Arrival {
        let Some(distance) = self.distance(seq) else {
            // Behind: our acknowledgement was lost.
            self.ack_now = true;
            return Arrival::Nothing;
        };
        if self.ended || self.fin.is_some_and(|fin| distance > usize::from(fin.wrapping_sub(self.next))) {
            self.ack_now = true;
            return Arrival::Refused;
        }
        let kept = self.ready.len() + self.ahead_bytes;
        let most_ahead = (self.window as usize / MIN_AHEAD_BYTES).max(MIN_AHEAD);
        // What was kept ahead may fill the window: the missing packet has to pass, or nothing ever would.
        let no_room = kept >= self.window as usize && !(distance == 0 && self.ready.is_empty());
        if no_room && !payload.is_empty() || distance > most_ahead {
            self.ack_now = true;
            return Arrival::Refused;
        }
        if fin && self.fin.is_none() {
            self.fin = Some(seq);
            self.ack_now = true;
        }
        if distance > 0 {
            self.keep(distance, payload, pool);
            self.ack_now = true;
            return Arrival::Nothing;
        }
        self.deliver(payload);
        if self.ahead.pop_front().is_some() {
            // A gap is filled, or one of several.
            self.ack_now = true;
            while let Some(&Some(slot)) = self.ahead.front() {
                self.ahead.pop_front();
                self.ahead_count -= 1;
                self.ahead_bytes -= pool.get(slot).len();
                self.deliver(pool.get(slot));
                pool.free(slot);
            }
        }
        self.unacked += 1;
        if self.unacked >= ACK_EVERY {
            self.ack_now = true;
        } else if self.ack_at.is_none() {
            self.ack_at = Some(now + ACK_DELAY);
        }
        Arrival::Progress
    }

    fn keep(&mut self, distance: usize, payload: &[u8], pool: &mut Pool) {
        if self.ahead.len() <= distance {
            self.ahead.resize(distance + 1, None);
        }
        let place = &mut self.ahead[distance];
        if place.is_none() {
            *place = Some(pool.put(payload));
            self.ahead_bytes += payload.len();
            self.ahead_count += 1;
        }
    }

    fn deliver(&mut self, payload: &[u8]) {
        if !self.discards {
            self.ready.extend(payload);
        }
        self.ended |= self.fin == Some(self.next);
        self.next = self.next.wrapping_add(1);
    }

    /// Reads; `None` when nothing is there yet, 0 at the end. The second value asks for a larger window.
    pub(crate) fn read(&mut self, now: Instant, out: &mut [u8], round: Duration) -> (Option<usize>, bool) {
        if self.ready.is_empty() {
            return (self.ended.then_some(0), false);
        }
        let (first, second) = self.ready.as_slices();
        let of_first = first.len().min(out.len());
        out[..of_first].copy_from_slice(&first[..of_first]);
        let of_second = second.len().min(out.len() - of_first);
        out[of_first..of_first + of_second].copy_from_slice(&second[..of_second]);
        let length = of_first + of_second;
        self.ready.drain(..length);
        self.told_less_than_there_is();
        // A reader that takes a whole window within a few round trips could use a larger one.
        self.round_bytes += length as u64;
        let mut grow = false;
        if self.round_bytes >= u64::from(self.window) {
            grow = now.since(self.round_since) < round.max(MIN_ROUND) * 4;
            (self.round_bytes, self.round_since) = (0, now);
        }
        (Some(length), grow)
    }

    /// A window that was nearly closed and is open again must be told, or the other end waits.
    fn told_less_than_there_is(&mut self) {
        let free = self.free();
        let opened = free.saturating_sub(self.advertised);
        if opened >= self.window / 4 && self.advertised < self.window / 2 {
            self.ack_now = true;
        }
    }

    /// Nobody reads any more: what is there and what comes is thrown away. Returns what the window was grown by.
    pub(crate) fn discard(&mut self, pool: &mut Pool) {
        self.discards = true;
        self.ready = VecDeque::new();
        self.forget_ahead(pool);
    }

    fn forget_ahead(&mut self, pool: &mut Pool) {
        self.ahead.drain(..).flatten().for_each(|slot| pool.free(slot));
        (self.ahead_bytes, self.ahead_count) = (0, 0);
    }

    /// Gives back memory that a burst has left.
    pub(crate) fn shrink(&mut self) {
        if self.ready.is_empty() {
            self.ready = VecDeque::new();
        }
        if self.ahead.is_empty() {
            self.ahead = VecDeque::new();
        }
    }

    /// Returns the window, in bytes.
    pub(crate) fn window(&self) -> u32 {
        self.window
    }

    pub(crate) fn grow(&mut self, window: u32) {
        self.window = self.window.max(window);
    }

    fn free(&self) -> u32 {
        let kept = u32::try_from(self.ready.len() + self.ahead_bytes).unwrap_or(u32::MAX);
        self.window.saturating_sub(kept)
    }

    /// Tells whether the stream is over: all of it has arrived.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Tells whether packets are missing that later ones overtook.
    pub(crate) fn has_gap(&self) -> bool {
        self.ahead_count > 0
    }

    /// Returns the window that a packet tells.
    pub(crate) fn tell_window(&mut self) -> u32 {
        self.advertised = self.free();
        self.advertised
    }

    /// An acknowledgement leaves.
    pub(crate) fn acknowledged(&mut self) {
        (self.unacked, self.ack_at, self.ack_now) = (0, None, false);
    }

    /// The packet must be answered at once.
    pub(crate) fn ack_soon(&mut self) {
        self.ack_now = true;
    }

    /// Tells whether an acknowledgement is due.
    pub(crate) fn is_ack_due(&self, now: Instant) -> bool {
        self.ack_now || self.ack_at.is_some_and(|at| at <= now)
    }

    /// Returns when an acknowledgement will be due.
    pub(crate) fn ack_at(&self) -> Option<Instant> {
        self.ack_at
    }

    /// Checks the sums, and returns how many packets of the pool it holds; for tests.
    #[cfg(test)]
    pub(crate) fn check(&self, pool: &Pool) -> usize {
        let slots: Vec<Slot> = self.ahead.iter().flatten().copied().collect();
        assert_eq!(self.ahead_bytes, slots.iter().map(|&slot| pool.get(slot).len()).sum::<usize>());
        assert_eq!(self.ahead_count, slots.len());
        assert!(self.ahead.front().is_none_or(Option::is_none));
        assert!(self.ready.len() + self.ahead_bytes <= self.window as usize + 2 * 65_536);
        slots.len()
    }

    /// Writes which packets are there behind the gap; nothing without one.
    pub(crate) fn sack<'a>(&self, out: &'a mut [u8; MAX_SACK_LEN]) -> &'a [u8] {
        if self.ahead_count == 0 {
            return &[];
        }
        // The first of `ahead` is the missing packet, for which there is no bit.
        let bits = self.ahead.len().saturating_sub(1).min(MAX_SACK_LEN * 8);
        let length = bits.div_ceil(32) * 4;
        out[..length].fill(0);
        for (bit, slot) in self.ahead.iter().skip(1).take(bits).enumerate() {
            out[bit / 8] |= u8::from(slot.is_some()) << (bit % 8);
        }
        &out[..length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_full_of_packets_ahead_still_takes_the_missing_one() {
        let (mut receiver, mut pool) = (Receiver::new(0, Instant::START), Pool::default());
        let payload = [7; 1_400];
        let mut ahead = 0;
        while receiver.arrived(Instant::START, ahead + 2, &payload, false, &mut pool) == Arrival::Nothing {
            ahead += 1;
        }
        assert_eq!(receiver.tell_window(), 0);
        assert_eq!(receiver.arrived(Instant::START, 1, &payload, false, &mut pool), Arrival::Progress);
        let mut out = vec![0; 1 << 20];
        let all = (usize::from(ahead) + 1) * payload.len();
        assert_eq!(receiver.read(Instant::START, &mut out, Duration::ZERO).0, Some(all));
        assert_eq!(receiver.check(&pool), 0);
    }
}
