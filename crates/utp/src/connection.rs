//! One connection: what its packets mean, and when its time limits pass.
//!
//! Transitions: *SynSent → Open* (the other end acknowledges our SYN), *SynReceived → Open* (a stranger proves that it
//! sees what is sent to its address), *any → Failed*. A stream ends half by half: `Sender` and `Receiver` know their ends. A
//! connection without an owner lives on until what was written has arrived, for a limited time.

mod transmit;

use core::net::SocketAddr;
use std::io::IoSlice;
use std::time::Duration;

use base::Instant;

use crate::StreamError;
use crate::delay::QueueDelay;
use crate::ledbat::{Ack, Window};
use crate::mtu::Mtu;
use crate::pacing::Pacer;
use crate::packet::{HEADER_LEN, Header, Kind, Packet};
use crate::pool::Pool;
use crate::receive::{Arrival, Receiver};
use crate::rtt::Rtt;
use crate::send::Sender;

/// How long a connection request waits for its answer at first; each later one twice as long (libutp: three seconds; BEP
/// 29: one).
const SYN_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a connection request is sent: after 1, 3 and 7 s it is over at 15 s. Arbitrary.
const MAX_SYNS: u32 = 4;
/// How long a stranger has to prove its address. Arbitrary.
const HALF_OPEN_LIFE: Duration = Duration::from_secs(10);
/// After so many time limits in a row, and so long without a word, the other end is gone. Arbitrary: libutp gives up after
/// four, which three seconds of a bad radio link can be.
const MAX_TIMEOUTS: u32 = 6;
const MAX_SILENCE: Duration = Duration::from_secs(20);
/// How often a word is sent when there is nothing to say, so that translators of addresses remember us (libutp).
const KEEP_ALIVE: Duration = Duration::from_secs(29);
/// How long a connection that was given back may take to deliver what was written. Arbitrary.
const CLOSING_LIFE: Duration = Duration::from_secs(60);
/// How long the last acknowledgement may be asked for again after all is over. Arbitrary.
const LINGER: Duration = Duration::from_secs(3);
/// How long a window of the other end that is closed is left alone, at first and at most (RFC 9293, 3.8.6.1; libutp:
/// fifteen seconds).
const PERSIST: Duration = Duration::from_millis(500);
const MAX_PERSIST: Duration = Duration::from_secs(15);
/// How long the other end may keep an acknowledgement back (libutp: 100 ms), and some time to do it.
const PEER_ACK_DELAY: Duration = Duration::from_millis(120);
/// The most in flight before the other end has told of a window that holds more packets: libutp keeps as many behind a gap.
const MIN_PEER_PACKETS: usize = 511;
/// Behind a gap, an end with a large window keeps one packet for so many bytes of it (libtorrent).
const PEER_BYTES_A_PACKET: usize = 1_100;
/// The least that a writer may leave in the buffer, in bytes. Arbitrary: eight blocks.
const MIN_SEND_BUFFER: usize = 128 << 10;
/// No way is believed to take less: what is divided by must not be zero.
const MIN_WAY: Duration = Duration::from_micros(10);
/// The handshake may have waited for its user: a round trip is not believed to take longer. Arbitrary.
const MAX_ROUND: Duration = Duration::from_secs(1);
/// How far behind the newest packet an acknowledgement may be and still be one of ours, that was overtaken.
const OVERTAKEN: u16 = 4_096;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// We asked; `sends` times so far.
    SynSent { sends: u32 },
    /// A stranger asked.
    SynReceived,
    /// Both ends know of one another.
    Open,
    /// It is over.
    Failed(StreamError),
}

/// What a connection tells its endpoint of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// It was opened.
    pub(crate) opened: bool,
    /// A read would find something that the last did not.
    pub(crate) readable: bool,
    /// A write would find room that the last did not.
    pub(crate) writable: bool,
    /// It failed.
    pub(crate) failed: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) remote: SocketAddr,
    /// The id in packets to us.
    pub(crate) receive_id: u16,
    /// The id in packets from us.
    pub(crate) send_id: u16,
    pub(crate) state: State,
    /// Somebody holds the key.
    pub(crate) owned: bool,
    /// A stranger has begun it, and not proven anything.
    pub(crate) half_open: bool,
    pub(crate) receiver: Receiver,
    sender: Sender,
    window: Window,
    rtt: Rtt,
    /// How long a round trip takes at most, as the handshake showed.
    round: Duration,
    queue: QueueDelay,
    mtu: Mtu,
    pacer: Pacer,
    /// The number of our SYN, or the first one of our packets in the answer to theirs.
    syn: u16,
    syn_due: bool,
    peer_window: usize,
    peer_window_most: usize,
    /// What to tell the other end of its way to us.
    reply_us: u32,
    max_send_buffer: usize,
    /// Packets below were on their way when the window was last reduced: more losses among them say nothing new.
    recovery: u64,
    retransmit_at: Option<Instant>,
    tail_probe_at: Option<Instant>,
    persist_at: Option<Instant>,
    persist: Duration,
    /// A short packet waits until then for more bytes.
    pack_until: Option<Instant>,
    /// The last packet that was short.
    short: Option<u64>,
    paced_until: Option<Instant>,
    /// When it was last asked for packets.
    tried_at: Instant,
    timeouts: u32,
    heard_at: Instant,
    sent_at: Instant,
    /// Over at this time, whatever happens.
    ends_at: Option<Instant>,
    /// The other end does not take our acknowledgements after our end: see `transmit`.
    fin_repeated: bool,
    wants_read: bool,
    wants_write: bool,
    /// When the endpoint's timer for it is set.
    pub(crate) timer: Option<Instant>,
    /// It stands in the endpoint's queue of those that may have something to send.
    pub(crate) queued: bool,
}

impl Connection {
    /// Asks for a connection. `seq` is the number of the SYN.
    pub(crate) fn ask(
        now: Instant,
        remote: SocketAddr,
        receive_id: u16,
        seq: u16,
        max_send_buffer: usize,
    ) -> Connection {
        let sender = Sender::new(seq.wrapping_add(1), now);
        let send_id = receive_id.wrapping_add(1);
        let state = State::SynSent { sends: 0 };
        let mut it = Connection::new(now, remote, (receive_id, send_id), state, sender, 0, max_send_buffer);
        (it.syn, it.syn_due, it.owned) = (seq, true, true);
        it.retransmit_at = Some(now);
        it
    }

    /// Answers a stranger's SYN. `seq` is the number of our first packet.
    pub(crate) fn answer(
        now: Instant,
        remote: SocketAddr,
        syn: &Packet<'_>,
        seq: u16,
        max_send_buffer: usize,
    ) -> Connection {
        let sender = Sender::new(seq, now);
        let ids = (syn.header.connection.wrapping_add(1), syn.header.connection);
        let mut it = Connection::new(now, remote, ids, State::SynReceived, sender, syn.header.seq, max_send_buffer);
        (it.syn, it.syn_due) = (seq, true);
        it.ends_at = Some(now + HALF_OPEN_LIFE);
        it.measured(now, syn);
        it.told_window(syn);
        it
    }

    fn new(
        now: Instant,
        remote: SocketAddr,
        (receive_id, send_id): (u16, u16),
        state: State,
        sender: Sender,
        last_received: u16,
        max_send_buffer: usize,
    ) -> Connection {
        let mtu = Mtu::new(remote.is_ipv6(), now);
        Connection {
            remote,
            receive_id,
            send_id,
            state,
            owned: false,
            half_open: false,
            receiver: Receiver::new(last_received, now),
            sender,
            window: Window::new(now, mtu.current() - HEADER_LEN, max_send_buffer),
            rtt: Rtt::default(),
            round: Duration::ZERO,
            queue: QueueDelay::new(now),
            mtu,
            pacer: Pacer::new(now),
            syn: 0,
            syn_due: false,
            peer_window: 0,
            peer_window_most: 0,
            reply_us: 0,
            max_send_buffer,
            recovery: 0,
            retransmit_at: None,
            tail_probe_at: None,
            persist_at: None,
            persist: PERSIST,
            pack_until: None,
            short: None,
            paced_until: None,
            tried_at: now,
            timeouts: 0,
            heard_at: now,
            sent_at: now,
            ends_at: None,
            fin_repeated: false,
            wants_read: true,
            wants_write: false,
            timer: None,
            queued: false,
        }
    }

    /// Takes a packet with our id (or, a SYN, with its own).
    pub(crate) fn received(&mut self, now: Instant, packet: &Packet<'_>, pool: &mut Pool) -> Changes {
        let mut changes = Changes::default();
        let header = &packet.header;
        match (self.state, header.kind) {
            (State::Failed(_), _) => return changes,
            (_, Kind::Reset) => {
                // What a stranger guesses must not end a connection.
                if header.ack == self.syn || self.sender.is_plausible(header.ack, OVERTAKEN) {
                    self.fail(StreamError::Reset, &mut changes);
                }
                return changes;
            }
            (State::SynSent { .. }, Kind::State) if header.ack == self.syn => self.opened(now, packet, &mut changes),
            // Data before the answer was overtaken by it, or the answer is lost: where the stream begins is not known, and
            // both will be sent again.
            (State::SynSent { .. }, _) => return changes,
            (_, Kind::Syn) => {
                self.syn_due |= header.seq == self.receiver.ack() && self.state == State::SynReceived;
                return changes;
            }
            (State::SynReceived, _) if header.ack != self.syn.wrapping_sub(1) => return changes,
            (State::SynReceived, _) => {
                self.state = State::Open;
                self.ends_at = None;
                // A reader sends too little to measure; how soon the answer to its SYN was answered will do.
                self.round = now.since(self.sent_at).min(MAX_ROUND);
                changes.opened = true;
            }
            (State::Open, _) => {}
        }
        if !self.sender.is_plausible(header.ack, OVERTAKEN) {
            return changes;
        }
        self.heard_at = now;
        self.timeouts = 0;
        self.measured(now, packet);
        self.acknowledged(now, packet);
        if matches!(header.kind, Kind::Data | Kind::Fin) {
            let fin = header.kind == Kind::Fin;
            let behind = self.receiver.distance(header.seq).is_none();
            match self.receiver.arrived(now, header.seq, packet.payload, fin, pool) {
                Arrival::Progress => changes.readable = std::mem::take(&mut self.wants_read),
                Arrival::Nothing => self.fin_repeated |= behind && self.sender.is_fin_sent(),
                Arrival::Refused => {}
            }
        }
        changes.writable = self.wants_write && self.has_room();
        self.wants_write &= !changes.writable;
        if !self.owned && self.sender.is_finished() && self.ends_at.is_none_or(|at| at > now + LINGER) {
            self.ends_at = Some(now + if self.receiver.is_ended() { self.rtt.timeout() } else { LINGER });
        }
        changes
    }

    fn opened(&mut self, now: Instant, packet: &Packet<'_>, changes: &mut Changes) {
        self.round = now.since(self.sent_at).min(MAX_ROUND);
        if self.state == (State::SynSent { sends: 1 }) {
            self.rtt.sample(now.since(self.sent_at));
        }
        self.rtt.answered();
        self.state = State::Open;
        self.retransmit_at = None;
        // As libutp and libtorrent have it, the answer carries the number that the first packet will have.
        self.receiver = Receiver::new(packet.header.seq.wrapping_sub(1), now);
        self.told_window(packet);
        changes.opened = true;
    }

    /// Notes how long the packet was on its way, for the next one back.
    fn measured(&mut self, now: Instant, packet: &Packet<'_>) {
        // 0 is a clock that the other end does not have.
        if packet.header.timestamp_us != 0 {
            self.reply_us = clock_us(now).wrapping_sub(packet.header.timestamp_us);
        }
    }

    fn told_window(&mut self, packet: &Packet<'_>) {
        self.peer_window = packet.header.window as usize;
        self.peer_window_most = self.peer_window_most.max(self.peer_window);
    }

    fn acknowledged(&mut self, now: Instant, packet: &Packet<'_>) {
        let header = &packet.header;
        let before = self.sender.in_flight();
        let mtu = &mut self.mtu;
        let acked = self.sender.acked(now, header.ack, packet.sack, |number| mtu.acked(number));
        // An acknowledgement that was overtaken tells of an older window.
        let is_newest = header.ack == self.sender.oldest_wire().wrapping_sub(1);
        if is_newest {
            let closed = self.peer_window == 0;
            self.told_window(packet);
            if closed && self.peer_window > 0 {
                (self.persist_at, self.persist) = (None, PERSIST);
            }
        }
        if acked.packets == 0 {
            let repeats = is_newest && header.kind == Kind::State && packet.sack.is_empty();
            if repeats
                && self.sender.is_waiting()
                && let Some(lost) = self.sender.duplicate_ack()
            {
                self.lost(now, lost);
            }
            return;
        }
        self.rtt.answered();
        if let Some(rtt) = acked.rtt {
            self.rtt.sample(rtt);
        }
        let full = self.full_payload();
        // µTorrent sends the largest signed number while it has no measurement.
        let sample = Some(header.timestamp_difference_us).filter(|us| ![0, i32::MAX as u32, u32::MAX].contains(us));
        let delay = sample.map(|us| self.queue.sample(now, us, acked.rtt));
        let most = if self.window.is_slow_start() { self.window.bytes() / 2 } else { self.window.bytes() * 3 / 4 };
        let limited = before + full >= most;
        let rtt = self.rtt.smoothed().unwrap_or_default();
        let way = self.queue.shortest().unwrap_or(rtt).max(MIN_WAY);
        self.window.acked(now, Ack { rtt, way, bytes: acked.bytes, delay, limited, packet: full });
        self.find_lost(now);
        self.pacer.set(now, self.window.bytes(), self.rtt.smoothed(), self.window.is_slow_start());
        self.arm(now);
    }

    fn find_lost(&mut self, now: Instant) {
        let patience = self.rtt.smoothed().unwrap_or(SYN_TIMEOUT) / 4;
        let (mtu, recovery) = (&mut self.mtu, self.recovery);
        let mut congested = false;
        self.sender.find_lost(patience, |number| {
            // A probe that is lost was too long.
            congested |= !mtu.is_probe(number) && number >= recovery;
            mtu.lost(number);
        });
        if congested {
            self.congested(now);
        }
    }

    fn lost(&mut self, now: Instant, number: u64) {
        if self.mtu.is_probe(number) {
            self.mtu.lost(number);
        } else if number >= self.recovery {
            self.congested(now);
        }
    }

    fn congested(&mut self, now: Instant) {
        self.recovery = self.sender.next();
        self.window.lost(now, self.rtt.smoothed().unwrap_or_default(), self.full_payload());
    }

    /// A datagram of this length was refused by the system.
    pub(crate) fn too_large(&mut self, length: usize) {
        if let Some(number) = self.mtu.too_large(length) {
            self.sender.lose(number);
        }
    }

    /// Sets the time limits of what is on its way.
    fn arm(&mut self, now: Instant) {
        let waiting = self.sender.is_waiting();
        self.retransmit_at = waiting.then(|| now + self.rtt.timeout());
        let probe = self.rtt.smoothed().map(|rtt| rtt * 2 + PEER_ACK_DELAY).filter(|&wait| wait < self.rtt.timeout());
        self.tail_probe_at = probe.filter(|_| waiting).map(|wait| now + wait);
    }

    /// Lets time pass.
    pub(crate) fn timeout(&mut self, now: Instant) -> Changes {
        let mut changes = Changes::default();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.ends_at) {
            self.fail(StreamError::TimedOut, &mut changes);
            return changes;
        }
        if due(self.tail_probe_at) {
            self.tail_probe_at = None;
            self.sender.lose_last();
        }
        if due(self.retransmit_at) {
            self.retransmit(now, &mut changes);
        }
        if due(Some(self.sent_at + KEEP_ALIVE)) && self.state == State::Open {
            self.receiver.ack_soon();
            self.receiver.shrink();
            self.sender.shrink();
        }
        changes
    }

    fn retransmit(&mut self, now: Instant, changes: &mut Changes) {
        if let State::SynSent { sends } = self.state {
            if sends >= MAX_SYNS {
                self.fail(StreamError::TimedOut, changes);
            } else {
                self.syn_due = true;
                self.retransmit_at = None;
            }
            return;
        }
        self.timeouts += 1;
        if self.timeouts > MAX_TIMEOUTS && now.since(self.heard_at) > MAX_SILENCE {
            self.fail(StreamError::TimedOut, changes);
            return;
        }
        self.mtu.timed_out(self.sender.oldest());
        self.rtt.timed_out();
        self.sender.lose_all();
        self.recovery = self.sender.next();
        // A reader that takes nothing is no congested way.
        if self.peer_window > 0 {
            self.window.timed_out(now, self.full_payload());
        }
        self.pacer.set(now, self.window.bytes(), self.rtt.smoothed(), true);
        self.arm(now);
    }

    fn fail(&mut self, error: StreamError, changes: &mut Changes) {
        self.state = State::Failed(error);
        self.sender.clear();
        (self.retransmit_at, self.tail_probe_at, self.persist_at, self.ends_at) = (None, None, None, None);
        changes.failed = true;
        changes.readable = std::mem::take(&mut self.wants_read);
        changes.writable = std::mem::take(&mut self.wants_write);
    }

    /// Reads; the second value asks the endpoint for a larger window.
    pub(crate) fn read(&mut self, now: Instant, out: &mut [u8]) -> (Result<usize, StreamError>, bool) {
        if out.is_empty() {
            return (Ok(0), false);
        }
        let (read, grow) = self.receiver.read(now, out, self.round);
        let result = match (read, self.state) {
            (Some(length), _) => Ok(length),
            (None, State::Failed(error)) => Err(error),
            (None, _) => {
                self.wants_read = true;
                Err(StreamError::WouldBlock)
            }
        };
        (result, grow)
    }

    /// Writes.
    pub(crate) fn write(&mut self, data: &[IoSlice<'_>], max_send_buffer: usize) -> Result<usize, StreamError> {
        self.max_send_buffer = max_send_buffer;
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        if self.sender.is_ended() {
            return Err(StreamError::Closed);
        }
        if data.iter().all(|slice| slice.is_empty()) {
            return Ok(0);
        }
        match self.sender.write(data, self.send_capacity()) {
            0 => {
                self.wants_write = true;
                Err(StreamError::WouldBlock)
            }
            taken => Ok(taken),
        }
    }

    /// As much as two windows: one on its way, one to follow at once.
    fn send_capacity(&self) -> usize {
        (self.window.bytes() * 2).clamp(MIN_SEND_BUFFER, self.max_send_buffer.max(MIN_SEND_BUFFER))
    }

    fn has_room(&self) -> bool {
        let capacity = self.send_capacity();
        // Not for every packet: whoever writes is woken for a quarter.
        self.sender.len() + capacity / 4 <= capacity
    }

    /// Ends our half.
    pub(crate) fn shutdown(&mut self) {
        self.sender.end();
    }

    /// Nobody holds the key any more.
    pub(crate) fn close(&mut self, now: Instant, pool: &mut Pool) {
        self.owned = false;
        self.sender.end();
        self.receiver.discard(pool);
        // Who had ended both halves before has nothing left to say but that again.
        self.ends_at = Some(now + if self.sender.is_finished() { LINGER } else { CLOSING_LIFE });
    }

    /// Returns a packet that ends the connection at the other end.
    pub(crate) fn reset_header(&self, now: Instant) -> Header {
        Header {
            kind: Kind::Reset,
            connection: self.send_id,
            timestamp_us: clock_us(now),
            timestamp_difference_us: self.reply_us,
            window: 0,
            seq: self.sender.next_wire(),
            ack: self.receiver.ack(),
        }
    }

    /// Tells whether nothing is left to do for a connection that nobody holds.
    pub(crate) fn is_over(&self) -> bool {
        !self.owned && matches!(self.state, State::Failed(_) | State::SynSent { .. })
    }

    /// Returns the payload of a full packet, in bytes.
    fn full_payload(&self) -> usize {
        self.mtu.current() - HEADER_LEN
    }

    /// Returns when [`Connection::timeout`] or [`Connection::transmit`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let of_state = match self.state {
            State::Failed(_) => return None,
            State::Open => Some(self.sent_at + KEEP_ALIVE),
            State::SynSent { .. } | State::SynReceived => None,
        };
        let all = [
            of_state,
            self.retransmit_at,
            self.tail_probe_at,
            // What was tried after these and did not leave waits for something else.
            self.persist_at.filter(|&at| at > self.tried_at),
            self.pack_until.filter(|&at| at > self.tried_at),
            self.paced_until,
            self.ends_at,
            self.receiver.ack_at(),
        ];
        all.into_iter().flatten().min()
    }

    /// Opens the window wide; for tests.
    #[cfg(test)]
    pub(crate) fn open_window(&mut self, bytes: usize) {
        self.window.open(bytes);
    }

    /// Checks the invariants of its parts, and returns how many packets of the pool it holds; for tests.
    #[cfg(test)]
    pub(crate) fn check(&self, pool: &Pool) -> usize {
        self.sender.check();
        self.receiver.check(pool)
    }

    /// Returns what the connection is doing.
    pub(crate) fn status(&self) -> crate::Status {
        crate::Status {
            rtt: self.rtt.smoothed(),
            queue_delay: self.window.delay(),
            window: self.window.bytes(),
            in_flight: self.sender.in_flight(),
            unsent: self.sender.unsent(),
            peer_window: self.peer_window,
            receive_window: self.receiver.window(),
            datagram_len: self.mtu.current(),
        }
    }
}

/// Returns the clock that packets carry. Never 0, which says that there is none.
fn clock_us(now: Instant) -> u32 {
    (now.since_start().as_micros() as u32).max(1)
}
