//! What is to be sent and what is on its way: bytes, the packets cut of them, and which of those are lost.
//!
//! A packet is cut when it is first sent and keeps its bytes for ever (BEP 29: numbers count packets, so nothing can be
//! repackaged). It is *sent → acknowledged*, or *sent → lost → sent → …*. Invariants: `bytes` begins with the first byte
//! of the oldest packet that is not acknowledged; `unacked` sums up packets without acknowledgement, `lost_bytes` those of
//! them that are lost and not sent again.
//!
//! A packet counts as lost when three later ones arrived (BEP 29, "packet loss"), or one that was sent a quarter of a round
//! trip later (RFC 8985): the second finds lost repetitions too. Each packet is judged once for each time it was sent, so
//! that the work is in proportion to packets, not to windows.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use base::Instant;

/// The most packets on their way: a little less than half of the circle of numbers, so that old and new differ.
pub(crate) const MAX_PACKETS: usize = 30_000;
/// How many later packets must have arrived (BEP 29).
const DUPLICATES: u64 = 3;
/// The most of it, where packets overtake one another. Arbitrary.
const MAX_DUPLICATES: u64 = 300;

/// A packet without acknowledgement from the other end, or behind one.
#[derive(Clone, Copy, Debug)]
struct Sent {
    /// When it was last sent.
    at: Instant,
    /// Where its bytes begin, counted from the start of the stream.
    start: u64,
    length: u16,
    sends: u8,
    acked: bool,
    lost: bool,
    fin: bool,
}

/// See the module. Packets have 64-bit numbers here; the wire has the lowest 16 bits, moved by `first`.
#[derive(Debug)]
pub(crate) struct Sender {
    first: u16,
    bytes: VecDeque<u8>,
    /// Where `bytes` begins in the stream.
    start: u64,
    /// Bytes from here on were never sent.
    unsent_from: u64,
    /// Packets from `oldest` on.
    sent: VecDeque<Sent>,
    oldest: u64,
    unacked: usize,
    lost_bytes: usize,
    /// Lost packets in the order in which they are to be sent; some may have arrived meanwhile.
    lost: VecDeque<u64>,
    /// Packets that were sent more than once, in the order of their last sending.
    resent: VecDeque<(u64, Instant)>,
    /// Packets below were judged.
    judged: u64,
    /// One above the highest packet that arrived.
    highest: u64,
    /// When the last-sent of the packets that arrived was sent.
    newest: Instant,
    duplicates_wanted: u64,
    duplicate_acks: u32,
    fin_wanted: bool,
    fin_sent: bool,
}

/// What an acknowledgement brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acked {
    /// Bytes that are known to be there now and were not before.
    pub(crate) bytes: usize,
    /// Packets, likewise.
    pub(crate) packets: usize,
    /// The shortest round-trip time of those that were sent only once.
    pub(crate) rtt: Option<Duration>,
    /// Some of them had been given up, or were sent more than once.
    pub(crate) repeated: bool,
}

/// A packet to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) packet: u64,
    pub(crate) length: usize,
    pub(crate) again: bool,
}

impl Sender {
    /// Begins with the packet that the wire calls `first`.
    pub(crate) fn new(first: u16, now: Instant) -> Sender {
        Sender {
            first,
            bytes: VecDeque::new(),
            start: 0,
            unsent_from: 0,
            sent: VecDeque::new(),
            oldest: 0,
            unacked: 0,
            lost_bytes: 0,
            lost: VecDeque::new(),
            resent: VecDeque::new(),
            judged: 0,
            highest: 0,
            newest: now,
            duplicates_wanted: DUPLICATES,
            duplicate_acks: 0,
            fin_wanted: false,
            fin_sent: false,
        }
    }

    /// Returns the number on the wire.
    pub(crate) fn wire(&self, packet: u64) -> u16 {
        self.first.wrapping_add(packet as u16)
    }

    /// Returns the oldest packet without acknowledgement, or the next new one.
    pub(crate) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Returns its number on the wire.
    pub(crate) fn oldest_wire(&self) -> u16 {
        self.wire(self.oldest)
    }

    /// Returns how many packets are between the oldest and the next one.
    pub(crate) fn packets(&self) -> usize {
        self.sent.len()
    }

    /// Returns the number on the wire of the next new packet.
    pub(crate) fn next_wire(&self) -> u16 {
        self.wire(self.next())
    }

    /// Returns the number of the next new packet.
    pub(crate) fn next(&self) -> u64 {
        self.oldest + self.sent.len() as u64
    }

    /// Takes bytes until there are `capacity`.
    pub(crate) fn write(&mut self, data: &[IoSlice<'_>], capacity: usize) -> usize {
        let mut taken = 0;
        for slice in data {
            let room = capacity.saturating_sub(self.bytes.len());
            let part = &slice[..slice.len().min(room)];
            self.bytes.extend(part);
            taken += part.len();
            if part.len() < slice.len() {
                break;
            }
        }
        taken
    }

    /// Returns how many bytes are kept.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns how many bytes were never sent.
    pub(crate) fn unsent(&self) -> usize {
        self.bytes.len() - (self.unsent_from - self.start) as usize
    }

    /// The stream ends behind what was written.
    pub(crate) fn end(&mut self) {
        self.fin_wanted = true;
    }

    /// Tells whether the stream was ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.fin_wanted
    }

    /// Tells whether the end itself was sent.
    pub(crate) fn is_fin_sent(&self) -> bool {
        self.fin_sent
    }

    /// Tells whether all of the stream arrived, its end included.
    pub(crate) fn is_finished(&self) -> bool {
        self.fin_sent && self.sent.is_empty()
    }

    /// Returns how many bytes are on their way: neither acknowledged nor lost.
    pub(crate) fn in_flight(&self) -> usize {
        self.unacked - self.lost_bytes
    }

    /// Returns how many bytes were sent and not acknowledged.
    pub(crate) fn unacked(&self) -> usize {
        self.unacked
    }

    /// Tells whether packets wait for an acknowledgement.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.sent.is_empty()
    }

    fn get(&self, packet: u64) -> Option<&Sent> {
        self.sent.get(packet.checked_sub(self.oldest)? as usize)
    }

    fn get_mut(&mut self, packet: u64) -> Option<&mut Sent> {
        self.sent.get_mut(packet.checked_sub(self.oldest)? as usize)
    }

    /// Returns the next lost packet, or how long a new one of at most `most` bytes would be. A new packet may be empty only
    /// as the end of the stream.
    pub(crate) fn next_lost(&mut self) -> Option<Next> {
        while let Some(&packet) = self.lost.front() {
            if let Some(sent) = self.get(packet).filter(|sent| sent.lost) {
                return Some(Next { packet, length: usize::from(sent.length), again: true });
            }
            self.lost.pop_front();
        }
        None
    }

    /// Returns the next new packet, of at most `most` bytes; none when all was sent.
    pub(crate) fn next_new(&self, most: usize) -> Option<Next> {
        if self.sent.len() >= MAX_PACKETS || self.fin_sent {
            return None;
        }
        let length = self.unsent().min(most);
        (length > 0 || self.fin_wanted).then_some(Next { packet: self.next(), length, again: false })
    }

    /// Tells whether a packet is the end of the stream.
    pub(crate) fn is_fin(&self, next: Next) -> bool {
        self.get(next.packet).map_or(next.length == 0, |sent| sent.fin)
    }

    /// Notes that a packet leaves and appends its bytes.
    pub(crate) fn send(&mut self, now: Instant, next: Next, out: &mut Vec<u8>) {
        let start = if next.again {
            self.lost.pop_front();
            let Some(sent) = self.get_mut(next.packet) else { return };
            (sent.at, sent.lost) = (now, false);
            sent.sends = sent.sends.saturating_add(1);
            let start = sent.start;
            self.lost_bytes -= next.length;
            self.resent.push_back((next.packet, now));
            start
        } else {
            let start = self.unsent_from;
            let (length, fin) = (next.length as u16, next.length == 0);
            self.sent.push_back(Sent { at: now, start, length, sends: 1, acked: false, lost: false, fin });
            self.unsent_from += next.length as u64;
            self.unacked += next.length;
            self.fin_sent |= fin;
            start
        };
        self.copy(start, next.length, out);
    }

    fn copy(&self, start: u64, length: usize, out: &mut Vec<u8>) {
        let from = (start - self.start) as usize;
        let (first, second) = self.bytes.as_slices();
        if from >= first.len() {
            out.extend_from_slice(&second[from - first.len()..from - first.len() + length]);
        } else {
            let of_first = length.min(first.len() - from);
            out.extend_from_slice(&first[from..from + of_first]);
            out.extend_from_slice(&second[..length - of_first]);
        }
    }

    /// Tells whether an acknowledgement could be one of ours: `ack` is at most `behind` packets old and names nothing that
    /// was not sent.
    pub(crate) fn is_plausible(&self, ack: u16, behind: u16) -> bool {
        let back = self.next_wire().wrapping_sub(1).wrapping_sub(ack);
        usize::from(back) <= self.sent.len() + usize::from(behind)
    }

    /// Takes an acknowledgement: everything up to `ack`, and the packets behind the gap that `sack` names. `mtu` is told
    /// of each packet that arrived.
    pub(crate) fn acked(&mut self, now: Instant, ack: u16, sack: &[u8], mut arrived: impl FnMut(u64)) -> Acked {
        let mut acked = Acked::default();
        let count = usize::from(ack.wrapping_sub(self.wire(self.oldest).wrapping_sub(1)));
        if count > self.sent.len() {
            return acked;
        }
        for _ in 0..count {
            let Some(sent) = self.sent.pop_front() else { break };
            let packet = self.oldest;
            self.oldest += 1;
            self.start += u64::from(sent.length);
            self.bytes.drain(..usize::from(sent.length));
            if !sent.acked {
                self.note(now, packet, sent, &mut acked);
                arrived(packet);
            }
        }
        // The bits begin behind the packet that is missing.
        for (index, &byte) in sack.iter().enumerate() {
            let mut bits = byte;
            while bits != 0 {
                let packet = self.oldest + 1 + index as u64 * 8 + u64::from(bits.trailing_zeros());
                bits &= bits - 1;
                let Some(place) = self.get_mut(packet) else { break };
                if place.acked {
                    continue;
                }
                place.acked = true;
                let sent = *place;
                self.note(now, packet, sent, &mut acked);
                arrived(packet);
            }
        }
        if acked.packets > 0 {
            self.duplicate_acks = 0;
        }
        if acked.repeated {
            // It fills a gap, and what was behind the gap arrived long ago: that says nothing of the way.
            acked.rtt = None;
        }
        acked
    }

    /// A packet arrived that was not known to have.
    fn note(&mut self, now: Instant, packet: u64, sent: Sent, acked: &mut Acked) {
        let length = usize::from(sent.length);
        self.unacked -= length;
        if sent.lost {
            self.lost_bytes -= length;
            if let Some(place) = self.get_mut(packet) {
                place.lost = false;
            }
            if sent.sends == 1 {
                // It was only late: wait for more packets next time.
                self.duplicates_wanted = (self.duplicates_wanted * 2).min(MAX_DUPLICATES);
            }
        }
        self.highest = self.highest.max(packet + 1);
        acked.repeated |= sent.sends > 1 || sent.lost;
        if sent.sends == 1 {
            let rtt = now.since(sent.at);
            acked.rtt = Some(acked.rtt.map_or(rtt, |shortest| shortest.min(rtt)));
            self.newest = self.newest.max(sent.at);
        } else if acked.rtt.is_none_or(|rtt| now.since(sent.at) >= rtt) {
            // Sent twice: which of the two arrived is not known. Sooner than a round trip it was the first.
            self.newest = self.newest.max(sent.at);
        }
        acked.bytes += length;
        acked.packets += 1;
    }

    /// An acknowledgement repeats the last one and names nothing behind a gap: after three the oldest packet is lost.
    /// Returns it.
    pub(crate) fn duplicate_ack(&mut self) -> Option<u64> {
        self.duplicate_acks += 1;
        let oldest = self.oldest;
        if u64::from(self.duplicate_acks) != DUPLICATES || self.get(oldest).is_none_or(|sent| sent.sends > 1) {
            return None;
        }
        self.lose(oldest).then_some(oldest)
    }

    /// Finds packets that are lost; `found` is told of each. `patience` is how much later a packet must have been sent.
    pub(crate) fn find_lost(&mut self, patience: Duration, mut found: impl FnMut(u64)) {
        self.judged = self.judged.max(self.oldest);
        while self.judged < self.highest {
            let packet = self.judged;
            let Some(sent) = self.get(packet).copied() else { break };
            // Those sent again are judged by `resent`.
            if !sent.acked && !sent.lost && sent.sends == 1 {
                let overtaken = self.highest - packet > self.duplicates_wanted;
                if !overtaken && sent.at + patience >= self.newest {
                    break;
                }
                self.lose(packet);
                found(packet);
            }
            self.judged += 1;
        }
        while let Some(&(packet, at)) = self.resent.front() {
            let still_out = self.get(packet).is_some_and(|sent| !sent.acked && !sent.lost && sent.at == at);
            if still_out {
                if at + patience >= self.newest {
                    break;
                }
                self.lose(packet);
                found(packet);
            }
            self.resent.pop_front();
        }
    }

    /// Marks a packet lost, to be sent again.
    pub(crate) fn lose(&mut self, packet: u64) -> bool {
        let Some(sent) = self.get_mut(packet) else { return false };
        if sent.acked || sent.lost {
            return false;
        }
        sent.lost = true;
        let length = usize::from(sent.length);
        self.lost_bytes += length;
        self.lost.push_back(packet);
        true
    }

    /// Nothing was heard for a whole time limit: all that has no acknowledgement is lost.
    pub(crate) fn lose_all(&mut self) {
        self.lost.clear();
        self.resent.clear();
        self.lost_bytes = self.unacked;
        for (index, sent) in self.sent.iter_mut().enumerate() {
            if !sent.acked {
                sent.lost = true;
                self.lost.push_back(self.oldest + index as u64);
            }
        }
        self.judged = self.next();
        self.duplicate_acks = 0;
    }

    /// The last packet on its way is sent again, to learn what arrived (RFC 8985, tail loss probe).
    pub(crate) fn lose_last(&mut self) {
        let last = self.sent.iter().rposition(|sent| !sent.acked && !sent.lost);
        if let Some(index) = last {
            self.lose(self.oldest + index as u64);
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Sender { fin_wanted: true, ..Sender::new(self.next_wire(), self.newest) };
    }

    /// Gives back memory that a burst has left.
    pub(crate) fn shrink(&mut self) {
        if self.bytes.is_empty() && self.sent.is_empty() {
            (self.bytes, self.sent) = (VecDeque::new(), VecDeque::new());
            (self.lost, self.resent) = (VecDeque::new(), VecDeque::new());
        }
    }

    /// Checks the sums; for tests.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let sum = |of: fn(&Sent) -> bool| self.sent.iter().filter(|s| of(s)).map(|s| usize::from(s.length)).sum();
        assert_eq!(self.unacked, sum(|sent| !sent.acked), "unacked");
        assert_eq!(self.lost_bytes, sum(|sent| sent.lost), "lost");
        let covered: u64 = self.sent.iter().map(|sent| u64::from(sent.length)).sum();
        assert_eq!(self.start + covered, self.unsent_from);
        assert!(self.sent.front().is_none_or(|sent| sent.start == self.start));
        for (index, sent) in self.sent.iter().enumerate() {
            let packet = self.oldest + index as u64;
            assert!(!sent.lost || self.lost.contains(&packet), "{packet} is lost and not queued");
        }
    }
}
