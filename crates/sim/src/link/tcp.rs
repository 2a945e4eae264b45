//! A model of TCP's congestion control: Reno (RFC 5681) and CUBIC (RFC 9438), with perfect selective acknowledgements.
//!
//! Every segment is full and acknowledged at once. It is what most of the Internet runs, a little simplified, so that what
//! uTP leaves to others can be measured.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Instant;

/// The length of a segment with IPv4 and TCP headers, of its payload, and of an acknowledgement, in bytes.
pub(super) const SEGMENT_LEN: usize = 1_500;
pub(super) const PAYLOAD: usize = 1_448;
pub(super) const ACK_LEN: usize = 52;
/// The constants of CUBIC (RFC 9438).
const CUBIC_C: f64 = 0.4;
const CUBIC_BETA: f64 = 0.7;
/// How many later segments must have arrived for one to be lost (RFC 6675).
const DUPLICATES: u64 = 3;
/// The shortest time limit, as Linux has it.
const MIN_TIMEOUT: Duration = Duration::from_millis(200);

/// Which algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tcp {
    /// RFC 5681.
    Reno,
    /// RFC 9438.
    Cubic,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    sent: Instant,
}

#[derive(Clone, Debug)]
pub(super) struct TcpAck {
    /// All below arrived.
    below: u64,
    /// This one did, just now.
    number: u64,
    sent: Instant,
}

/// A sender and its receiver.
#[derive(Debug)]
pub(super) struct TcpFlow {
    kind: Tcp,
    window: f64,
    threshold: f64,
    /// Without acknowledgement: whether it is lost and not sent again yet, and when it was sent.
    out: BTreeMap<u64, (bool, Instant)>,
    lost: u64,
    next: u64,
    highest: u64,
    recovery: u64,
    rtt: Option<(f64, f64)>,
    timer: Option<Instant>,
    deadline: Option<Instant>,
    backoff: u32,
    /// CUBIC: the window before the last loss, and when that was.
    most: f64,
    since: Instant,
    /// The receiver.
    expected: u64,
    ahead: BTreeMap<u64, ()>,
}

impl TcpFlow {
    pub(super) fn new(kind: Tcp, now: Instant) -> TcpFlow {
        TcpFlow {
            kind,
            window: 10.0,
            threshold: f64::MAX,
            out: BTreeMap::new(),
            lost: 0,
            next: 0,
            highest: 0,
            recovery: 0,
            rtt: None,
            timer: None,
            deadline: None,
            backoff: 0,
            most: 0.0,
            since: now,
            expected: 0,
            ahead: BTreeMap::new(),
        }
    }

    /// The receiver: returns its acknowledgement, and how many segments became readable.
    pub(super) fn received(&mut self, segment: Segment) -> (TcpAck, u64) {
        let before = self.expected;
        if segment.number >= self.expected {
            self.ahead.insert(segment.number, ());
        }
        while self.ahead.remove(&self.expected).is_some() {
            self.expected += 1;
        }
        (TcpAck { below: self.expected, number: segment.number, sent: segment.sent }, self.expected - before)
    }

    fn timeout_after(&self) -> Duration {
        let base = self.rtt.map_or(1.0, |(mean, variation)| (mean + 4.0 * variation).max(MIN_TIMEOUT.as_secs_f64()));
        Duration::from_secs_f64((base * f64::from(1 << self.backoff.min(6))).min(60.0))
    }

    /// The sender takes an acknowledgement.
    pub(super) fn acked(&mut self, now: Instant, ack: &TcpAck) {
        let sample = now.since(ack.sent).as_secs_f64();
        self.rtt = Some(match self.rtt {
            None => (sample, sample / 2.0),
            Some((mean, variation)) => (mean * 0.875 + sample * 0.125, variation * 0.75 + (mean - sample).abs() * 0.25),
        });
        let mut fresh = 0;
        while self.out.first_key_value().is_some_and(|(&number, _)| number < ack.below) {
            let Some((_, (lost, _))) = self.out.pop_first() else { break };
            self.lost -= u64::from(lost);
            fresh += 1;
        }
        if let Some((lost, _)) = self.out.remove(&ack.number) {
            self.lost -= u64::from(lost);
            fresh += 1;
        }
        if fresh == 0 {
            return;
        }
        self.backoff = 0;
        self.highest = self.highest.max(ack.number + 1);
        self.find_lost(now, ack.sent);
        if ack.below >= self.recovery {
            self.grow(now, fresh as f64);
        }
        self.deadline = (!self.out.is_empty()).then(|| now + self.timeout_after());
    }

    fn find_lost(&mut self, now: Instant, newest: Instant) {
        let mut congested = false;
        let below = self.highest.saturating_sub(DUPLICATES);
        let mut lost = 0;
        for (&number, (is_lost, sent)) in self.out.range_mut(..below) {
            // What was sent after the newest that arrived may still come.
            if *is_lost || *sent >= newest {
                continue;
            }
            *is_lost = true;
            lost += 1;
            congested |= number >= self.recovery;
        }
        self.lost += lost;
        if congested {
            self.most = self.window;
            let left = if self.kind == Tcp::Reno { 0.5 } else { CUBIC_BETA };
            self.threshold = (self.window * left).max(2.0);
            (self.window, self.recovery, self.since) = (self.threshold, self.next, now);
        }
    }

    fn grow(&mut self, now: Instant, fresh: f64) {
        if self.window < self.threshold {
            self.window += fresh;
            return;
        }
        match self.kind {
            Tcp::Reno => self.window += fresh / self.window,
            Tcp::Cubic => {
                let rtt = self.rtt.map_or(0.1, |(mean, _)| mean);
                let k = (self.most * (1.0 - CUBIC_BETA) / CUBIC_C).cbrt();
                let time = now.since(self.since).as_secs_f64() + rtt;
                let target = CUBIC_C * (time - k).powi(3) + self.most;
                let reno = self.most * CUBIC_BETA + 3.0 * (1.0 - CUBIC_BETA) / (1.0 + CUBIC_BETA) * time / rtt;
                let target = target.max(reno).clamp(self.window, self.window * 1.5);
                self.window += (target - self.window) / self.window * fresh;
            }
        }
    }

    /// Returns the next segment to be sent now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Segment> {
        if (self.out.len() as u64 - self.lost) as f64 + 1.0 > self.window.max(1.0) {
            return None;
        }
        let again = if self.lost > 0 { self.out.iter().find(|(_, (lost, _))| *lost).map(|(&n, _)| n) } else { None };
        let number = again.unwrap_or(self.next);
        if again.is_some() {
            self.lost -= 1;
        } else {
            self.next += 1;
        }
        self.out.insert(number, (false, now));
        self.deadline.get_or_insert(now + self.timeout_after());
        Some(Segment { number, sent: now })
    }

    pub(super) fn set_timer(&mut self, now: Instant) -> Option<Instant> {
        let at = self.deadline?.max(now);
        if self.timer.is_some_and(|timer| timer <= at && timer >= now) {
            return None;
        }
        self.timer = Some(at);
        Some(at)
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        self.timer = None;
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        self.threshold = (self.window / 2.0).max(2.0);
        self.most = self.window;
        (self.window, self.recovery, self.since) = (1.0, self.next, now);
        self.out.values_mut().for_each(|(lost, _)| *lost = true);
        self.lost = self.out.len() as u64;
        self.backoff += 1;
        self.deadline = Some(now + self.timeout_after());
    }
}
