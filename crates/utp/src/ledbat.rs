//! How many bytes may be on their way: the congestion window (BEP 29, "congestion control"; RFC 6817).
//!
//! The window grows while packets wait less than the target in queues, and shrinks in proportion while they wait longer, so
//! that whoever fills the queue (TCP) finds room. Three things go beyond the specification, all to yield sooner or to reach
//! the speed of a long fast way at all: the decrease above the target multiplies (as LEDBAT++ does), the target is half of
//! the delay at which packets were lost where queues are short, and a window that was long undisturbed grows in proportion.

use std::time::Duration;

use base::Instant;

/// The delay in queues that is aimed at (BEP 29).
const TARGET: Duration = Duration::from_millis(100);
/// Where queues are short the target is lower, but not below this: shorter delays drown in noise. Arbitrary.
const MIN_TARGET: Duration = Duration::from_millis(20);
/// How long the delay at which packets were lost is remembered. Arbitrary.
const LOSS_MEMORY: Duration = Duration::from_secs(60);
/// The most bytes that the window grows by in a round trip after it had to yield (libutp's constant).
const GAIN_PER_ROUND: f64 = 3_000.0;
/// After twice the usual time without having to yield, the window begins to grow in proportion to itself; what that time
/// is believed to be at least and at most. Arbitrary.
const MIN_CALM: Duration = Duration::from_secs(1);
const MAX_CALM: Duration = Duration::from_secs(60);
/// How much the window grows for each byte that arrived, in slow start. TCP takes 1, which doubles it in a round trip, and
/// has filled a queue as long as the way before it learns of it.
const SLOW_START_GAIN: f64 = 0.5;
/// In how many seconds that growth would reach the whole window a round trip.
const GROWTH_TIME: f64 = 30.0;
/// The greatest growth in a round trip, as a part of the window, outside slow start.
const MAX_GROWTH: f64 = 1.0 / 8.0;
/// The window at the beginning, in packets (RFC 6928 allows TCP ten).
const INITIAL_PACKETS: f64 = 10.0;
/// The smallest window, in packets: below one, packets are spread over several round trips (BEP 29 allows it), so that on
/// a slow link next to nothing is taken from others.
const MIN_PACKETS: f64 = 0.25;
/// What a loss leaves of the window (BEP 29, "packet loss").
const LOSS_FACTOR: f64 = 0.5;
/// What one round trip of too much delay leaves of the window at least (LEDBAT++).
const MAX_DECREASE: f64 = 0.5;

/// An acknowledgement, as far as the window is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    /// The bytes that it says are there, in bytes.
    pub(crate) bytes: usize,
    /// How long packets wait in queues; `None` when the other end did not measure.
    pub(crate) delay: Option<Duration>,
    /// Whether the window was what held packets back.
    pub(crate) limited: bool,
    /// The length of a full packet, in bytes.
    pub(crate) packet: usize,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    bytes: f64,
    max: f64,
    slow_start: bool,
    /// Slow start ends here.
    threshold: f64,
    /// When the window last had to yield, to delay or loss.
    yielded_at: Instant,
    /// The last delay measured.
    delay: Duration,
    /// The shortest delay at which packets were lost lately.
    loss_delay: Option<(Duration, Instant)>,
    /// How long it goes on between two times that it has to yield.
    calm: Duration,
}

impl Window {
    pub(crate) fn new(now: Instant, packet: usize, max: usize) -> Window {
        Window {
            bytes: INITIAL_PACKETS * packet as f64,
            max: max as f64,
            slow_start: true,
            threshold: f64::MAX,
            yielded_at: now,
            delay: Duration::ZERO,
            loss_delay: None,
            calm: MIN_CALM,
        }
    }

    /// Returns the window in bytes; it may be less than a packet.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Tells whether the window doubles every round trip.
    pub(crate) fn is_slow_start(&self) -> bool {
        self.slow_start
    }

    /// Returns the delay in queues that was measured last.
    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }

    fn target(&self, now: Instant) -> Duration {
        match self.loss_delay {
            Some((delay, at)) if now.since(at) < LOSS_MEMORY => (delay / 2).clamp(MIN_TARGET, TARGET),
            _ => TARGET,
        }
    }

    /// Packets arrived.
    pub(crate) fn acked(&mut self, now: Instant, ack: Ack) {
        let Some(delay) = ack.delay else {
            // Without a measurement this is TCP's slow start, which a loss ends.
            if self.slow_start && ack.limited {
                self.set(self.bytes + ack.bytes as f64, ack.packet);
            }
            return;
        };
        self.delay = delay;
        let target = self.target(now);
        // 1 with empty queues, 0 at the target, negative above.
        let off_target = 1.0 - delay.as_secs_f64() / target.as_secs_f64();
        let part = (ack.bytes as f64 / self.bytes.max(1.0)).min(1.0);
        if self.slow_start {
            if off_target > 0.5 && self.bytes < self.threshold {
                if ack.limited {
                    self.set(self.bytes + ack.bytes as f64 * SLOW_START_GAIN, ack.packet);
                }
                return;
            }
            self.slow_start = false;
            self.yielded_at = now;
        }
        if off_target >= 0.0 {
            if ack.limited {
                let undisturbed = now.since(self.yielded_at).saturating_sub(self.calm * 2).as_secs_f64();
                let growth = (undisturbed / GROWTH_TIME).min(MAX_GROWTH);
                let gain = (self.bytes * growth).max(GAIN_PER_ROUND.min(self.bytes.max(ack.packet as f64)));
                self.set(self.bytes + gain * off_target * part, ack.packet);
            }
            return;
        }
        if delay > target + target / 4 {
            self.yields(now);
        }
        let left = (1.0 + off_target * part).max(1.0 - MAX_DECREASE * part);
        self.set(self.bytes * left, ack.packet);
    }

    /// Packets were lost, the first ones of a round trip.
    pub(crate) fn lost(&mut self, now: Instant, packet: usize) {
        let lowest = match self.loss_delay {
            Some((delay, at)) if now.since(at) < LOSS_MEMORY => delay.min(self.delay),
            _ => self.delay,
        };
        self.loss_delay = Some((lowest, now));
        self.slow_start = false;
        self.yields(now);
        self.set((self.bytes * LOSS_FACTOR).max(self.bytes.min(packet as f64)), packet);
    }

    /// Nothing arrived for a whole time limit: begin again (BEP 29, "timeouts").
    pub(crate) fn timed_out(&mut self, now: Instant, packet: usize) {
        self.threshold = (self.bytes / 2.0).max(2.0 * packet as f64);
        self.slow_start = true;
        self.yields(now);
        self.set(packet as f64, packet);
    }

    /// Somebody else wants the way. Who comes back again and again, as TCP does, is left the time between.
    fn yields(&mut self, now: Instant) {
        let passed = now.since(self.yielded_at);
        if passed > MIN_CALM / 4 {
            self.calm = ((self.calm * 3 + passed) / 4).clamp(MIN_CALM, MAX_CALM);
        }
        self.yielded_at = now;
    }

    fn set(&mut self, bytes: f64, packet: usize) {
        self.bytes = bytes.clamp(MIN_PACKETS * packet as f64, self.max);
    }
}
