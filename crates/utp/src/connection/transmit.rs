//! Which packets of a connection leave now.

use std::time::Duration;

use base::Instant;

use super::{
    Connection, MAX_PERSIST, MIN_PEER_PACKETS, PEER_ACK_DELAY, PEER_BYTES_A_PACKET, SYN_TIMEOUT, State, clock_us,
};
use crate::Transmit;
use crate::packet::{HEADER_LEN, Header, Kind, MAX_SACK_LEN, PADDING_LEN, pad};
use crate::send::{MAX_PACKETS, Next};

/// How long a short packet waits for more bytes while another short one is on its way (RFC 896 waits for the whole round
/// trip). Arbitrary.
const PACK_TIME: Duration = Duration::from_millis(10);
/// The most bytes of datagrams in one transmit: what the system takes with segmentation offload.
const MAX_TRANSMIT: usize = 65_507;
/// A probe is sent among so many full packets at least, so that its loss is told from a way that is broken.
const PROBE_WINDOW: usize = 4;

impl Connection {
    /// Appends the next datagrams to `buffer`; `None` when there is nothing to send now.
    pub(crate) fn transmit(&mut self, now: Instant, max_segments: usize, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let begin = buffer.len();
        let mut stride = 0;
        (self.paced_until, self.tried_at) = (None, now);
        match self.state {
            State::Failed(_) => return None,
            State::SynSent { sends } if self.syn_due => self.put_syn(now, sends, buffer),
            State::SynReceived if self.syn_due => self.put_state(now, buffer),
            State::SynSent { .. } | State::SynReceived => return None,
            // Only a packet without data tells what arrived behind a gap.
            State::Open if self.receiver.has_gap() && self.receiver.is_ack_due(now) => self.put_state(now, buffer),
            State::Open => {
                stride = self.put_packets(now, max_segments.max(1), buffer);
                if stride == 0 && self.receiver.is_ack_due(now) {
                    self.put_state(now, buffer);
                }
            }
        }
        let len = buffer.len() - begin;
        if len == 0 {
            return None;
        }
        self.sent_at = now;
        Some(Transmit { to: self.remote, len, stride: if stride == 0 { len } else { stride } })
    }

    fn put_syn(&mut self, now: Instant, sends: u32, buffer: &mut Vec<u8>) {
        self.syn_due = false;
        self.state = State::SynSent { sends: sends + 1 };
        self.retransmit_at = Some(now + SYN_TIMEOUT * 2_u32.pow(sends));
        // A SYN alone carries the id that the answer is to have.
        let header = Header { connection: self.receive_id, seq: self.syn, ack: 0, ..self.header(now, Kind::Syn) };
        header.encode(&[], buffer);
    }

    /// Appends an acknowledgement without data.
    fn put_state(&mut self, now: Instant, buffer: &mut Vec<u8>) {
        let mut header = self.header(now, Kind::State);
        header.seq = self.sender.next_wire();
        if self.syn_due {
            self.syn_due = false;
            header.seq = self.syn;
        }
        // The end of a stream has a number, so that what follows has one more (libutp drops less). libtorrent gives it none,
        // and drops more: one that goes on repeating its end did not hear us, and is told the other way.
        if std::mem::take(&mut self.fin_repeated) {
            header.seq = header.seq.wrapping_sub(1);
        }
        let mut sack = [0; MAX_SACK_LEN];
        header.encode(self.receiver.sack(&mut sack), buffer);
        self.receiver.acknowledged();
    }

    fn header(&mut self, now: Instant, kind: Kind) -> Header {
        Header {
            kind,
            connection: self.send_id,
            timestamp_us: clock_us(now),
            timestamp_difference_us: self.reply_us,
            window: self.receiver.tell_window(),
            seq: 0,
            ack: self.receiver.ack(),
        }
    }

    /// Appends packets of one length, the last of which may be shorter. A probe goes alone. Returns the length of the first
    /// (0: there is none).
    fn put_packets(&mut self, now: Instant, max_segments: usize, buffer: &mut Vec<u8>) -> usize {
        let begin = buffer.len();
        let mut stride = 0;
        for _ in 0..max_segments {
            let Some((next, probe)) = self.next_packet(now) else { break };
            let length = probe.unwrap_or(HEADER_LEN + next.length);
            let fits = length <= stride && buffer.len() - begin + length <= MAX_TRANSMIT;
            if stride > 0 && (probe.is_some() || !fits) {
                break;
            }
            self.put_packet(now, next, probe, buffer);
            if stride == 0 {
                stride = length;
            }
            if probe.is_some() || length < stride {
                break;
            }
        }
        if stride > 0 {
            if !self.receiver.has_gap() {
                self.receiver.acknowledged();
            }
            if self.retransmit_at.is_none() {
                self.arm(now);
            } else if let (Some(_), Some(rtt)) = (self.tail_probe_at, self.rtt.smoothed()) {
                self.tail_probe_at = Some(now + rtt * 2 + PEER_ACK_DELAY);
            }
        }
        stride
    }

    fn put_packet(&mut self, now: Instant, next: Next, probe: Option<usize>, buffer: &mut Vec<u8>) {
        let kind = if self.sender.is_fin(next) { Kind::Fin } else { Kind::Data };
        let header = Header { seq: self.sender.wire(next.packet), ..self.header(now, kind) };
        header.encode(&[], buffer);
        if let Some(length) = probe {
            pad(buffer, length - HEADER_LEN - next.length);
            self.mtu.probing(next.packet, length);
        } else if next.again {
            // A probe that is sent again has no padding: that it arrives will say nothing.
            self.mtu.lost(next.packet);
        } else if next.length < self.full_payload() {
            self.short = Some(next.packet);
        }
        self.pack_until = None;
        self.sender.send(now, next, buffer);
        self.pacer.sent(probe.unwrap_or(HEADER_LEN + next.length));
    }

    /// Returns the next packet that may leave, and of a probe how long its datagram is to be.
    fn next_packet(&mut self, now: Instant) -> Option<(Next, Option<usize>)> {
        let (next, probe) = match self.sender.next_lost() {
            Some(next) => (next, None),
            None => self.next_new(now)?,
        };
        let (window, in_flight) = (self.window.bytes(), self.sender.in_flight());
        // Of a long window the other end cannot name all that arrived behind a gap. So the pace alone holds back what fills
        // gaps, or it might wait for packets that are long there.
        let fills_gap = next.again && (self.pacer.is_paced() || next.packet == self.sender.oldest());
        if in_flight > 0 && in_flight + next.length > window && !fills_gap {
            return None;
        }
        let length = probe.unwrap_or(HEADER_LEN + next.length);
        if !self.pacer.may_send(now, length, window < next.length) {
            self.paced_until = Some(self.pacer.next_at(length));
            return None;
        }
        Some((next, probe))
    }

    fn next_new(&mut self, now: Instant) -> Option<(Next, Option<usize>)> {
        let most_packets = (self.peer_window_most / PEER_BYTES_A_PACKET).clamp(MIN_PEER_PACKETS, MAX_PACKETS);
        if self.sender.packets() >= most_packets {
            return None;
        }
        let full = self.full_payload();
        let room = self.peer_window.saturating_sub(self.sender.unacked());
        if let Some((next, length)) = self.next_probe(now, full, room) {
            return Some((next, Some(length)));
        }
        let mut next = self.sender.next_new(full)?;
        if next.length > room {
            if self.sender.is_waiting() {
                return None;
            }
            if room > 0 {
                next.length = room;
            } else if !self.persists(now) {
                return None;
            }
        }
        let is_short = next.length > 0 && next.length < full && !self.sender.is_ended();
        if is_short && self.short.is_some_and(|short| short >= self.sender.oldest()) {
            let until = *self.pack_until.get_or_insert(now + PACK_TIME);
            if now < until {
                return None;
            }
        }
        Some((next, None))
    }

    fn next_probe(&mut self, now: Instant, full: usize, room: usize) -> Option<(Next, usize)> {
        let surrounded = self.sender.in_flight() > full && self.window.bytes() > full * PROBE_WINDOW;
        let length = surrounded.then(|| self.mtu.probe_len(now)).flatten()?;
        // From a short floor the search climbs, a padding at a time.
        let length = length.min(HEADER_LEN + full + PADDING_LEN.end());
        if full > room || self.sender.unsent() < full || !PADDING_LEN.contains(&(length - HEADER_LEN - full)) {
            return None;
        }
        Some((self.sender.next_new(full)?, length))
    }

    /// Tells whether it is time to try a window that is closed.
    fn persists(&mut self, now: Instant) -> bool {
        let at = *self.persist_at.get_or_insert(now + self.persist);
        if now < at {
            return false;
        }
        self.persist = (self.persist * 2).min(MAX_PERSIST);
        self.persist_at = Some(now + self.persist);
        true
    }
}
