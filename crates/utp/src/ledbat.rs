//! How many bytes may be on their way: the congestion window (BEP 29, "congestion control"; RFC 6817).
//!
//! The window grows while packets wait less than the target in queues, and shrinks in proportion while they wait longer, so
//! that whoever fills the queue (TCP) finds room. Three things go beyond the specification, all to yield sooner or to reach
//! the speed of a long fast way at all: the decrease above the target multiplies (as LEDBAT++ does), the target is a part
//! of the delay at which packets were lost, and a window that was long undisturbed grows in proportion.

use std::time::Duration;

use base::Instant;

/// The delay in queues that is aimed at (BEP 29).
const TARGET: Duration = Duration::from_millis(100);
/// Where queues are short the target is lower, but not below this: shorter delays drown in noise. Arbitrary.
const MIN_TARGET: Duration = Duration::from_millis(15);
/// After a loss, or a delay far above the target, the target is this part of the delay that was: somebody fills queues up
/// to there, and nothing is lost by leaving them to him. Measured in the simulator.
const CROWDED_PART: u32 = 8;
/// How long that delay is remembered. Arbitrary.
const CROWDED_MEMORY: Duration = Duration::from_secs(60);
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
/// After so many decreases, each to what should be enough, somebody else must fill the queue: the first may be one round
/// trip late, as measurements are.
const OWN_DECREASES: u32 = 2;
/// How often to look whose queue it is. Arbitrary.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// What a look leaves of the window at least.
const CHECK_LEAVES: f64 = 0.2;
/// What one round trip of too much delay leaves of the window at least (LEDBAT++).
const MAX_DECREASE: f64 = 0.5;

/// An acknowledgement, as far as the window is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    /// The smoothed round-trip time.
    pub(crate) rtt: Duration,
    /// The shortest round-trip time of the last minutes: what the way takes.
    pub(crate) way: Duration,
    /// The bytes that it says are there, in bytes.
    pub(crate) bytes: usize,
    /// How long packets wait in queues; `None` when the other end did not measure.
    pub(crate) delay: Option<Duration>,
    /// Whether the window was what held packets back.
    pub(crate) limited: bool,
    /// The length of a full packet, in bytes.
    pub(crate) packet: usize,
}

/// A look at whose queue it is.
#[derive(Clone, Copy, Debug)]
struct Check {
    /// The window before.
    window: f64,
    /// The delay before.
    before: Duration,
    /// The lowest delay since what was done can be seen.
    lowest: Duration,
    /// From when to when that is.
    looks: (Instant, Instant),
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
    /// How far somebody else filled queues lately, the least of it.
    crowded_delay: Option<(Duration, Instant)>,
    /// Until then a decrease has yet to show what it does.
    decrease_at: Instant,
    /// How many decreases in a row did not help.
    decreases: u32,
    /// When to look whose queue it is, and the look that is under way.
    check_at: Instant,
    check: Option<Check>,
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
            crowded_delay: None,
            decrease_at: now,
            decreases: 0,
            check_at: now,
            check: None,
            calm: MIN_CALM,
        }
    }

    /// Returns the window in bytes; it may be less than a packet.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Sets it; for tests.
    #[cfg(test)]
    pub(crate) fn open(&mut self, bytes: usize) {
        self.bytes = bytes as f64;
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
        match self.crowded_delay {
            Some((delay, at)) if now.since(at) < CROWDED_MEMORY => (delay / CROWDED_PART).clamp(MIN_TARGET, TARGET),
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
            self.check_at = now + ack.rtt * 10;
        }
        if self.checks(now, delay, ack) {
            return;
        }
        if off_target >= 0.0 {
            self.decreases = 0;
            if ack.limited {
                let undisturbed = now.since(self.yielded_at).saturating_sub(self.calm * 2).as_secs_f64();
                // What is added is seen a round trip later: no more than half of what the queue would take until the target.
                let room = target.saturating_sub(delay).as_secs_f64() / ack.way.as_secs_f64();
                let growth = (undisturbed / GROWTH_TIME).min(MAX_GROWTH).min(room / 2.0);
                let gain = (self.bytes * growth).max(GAIN_PER_ROUND.min(self.bytes.max(ack.packet as f64)));
                self.set(self.bytes + gain * off_target * part, ack.packet);
            }
            return;
        }
        if delay > target + target / 4 {
            self.yields(now);
        }
        // Once a round trip, since what it does is not seen sooner: to what would fill the way and the target.
        if now >= self.decrease_at {
            let way = ack.way.as_secs_f64();
            let mut left = (way + target.as_secs_f64()) / (way + delay.as_secs_f64());
            self.decrease_at = now + ack.rtt * 3 / 2;
            self.decreases += 1;
            // That was done, and the queue is as long as before: it is not ours.
            if self.decreases > OWN_DECREASES && delay > (target + target / 4).max(MIN_TARGET * 2) {
                left = MAX_DECREASE;
                self.crowded(now);
            }
            self.set(self.bytes * left.clamp(MAX_DECREASE, 1.0), ack.packet);
        }
    }

    /// Packets were lost, the first ones of a round trip.
    pub(crate) fn lost(&mut self, now: Instant, rtt: Duration, packet: usize) {
        (self.decrease_at, self.check) = (now + rtt, None);
        self.crowded(now);
        self.slow_start = false;
        self.yields(now);
        self.set((self.bytes * LOSS_FACTOR).max(self.bytes.min(packet as f64)), packet);
    }

    /// Nothing arrived for a whole time limit: begin again (BEP 29, "timeouts").
    pub(crate) fn timed_out(&mut self, now: Instant, packet: usize) {
        self.threshold = (self.bytes / 2.0).max(2.0 * packet as f64);
        (self.slow_start, self.check) = (true, None);
        self.yields(now);
        self.set(packet as f64, packet);
    }

    /// Looks from time to time whose queue it is that packets wait in, by leaving it for two round trips: the window is what
    /// fills the way alone, so that nothing of the rate is lost. A queue that stays is not ours. Tells whether a look is
    /// under way.
    ///
    /// Without it, one who comes to a queue that never empties takes it for the way, and his target for his own.
    fn checks(&mut self, now: Instant, delay: Duration, ack: Ack) -> bool {
        let Some(check) = &mut self.check else {
            if now < self.check_at || delay < MIN_TARGET || !ack.limited {
                return false;
            }
            let (window, rtt) = (self.bytes, ack.rtt);
            let looks = (now + rtt, now + rtt * 2);
            self.check = Some(Check { window, before: delay, lowest: delay, looks });
            let way = ack.way.as_secs_f64() / (ack.way + delay).as_secs_f64();
            self.set(self.bytes * way.max(CHECK_LEAVES), ack.packet);
            return true;
        };
        if now >= check.looks.0 {
            check.lowest = check.lowest.min(delay);
        }
        if now < check.looks.1 {
            return true;
        }
        let Check { window, before, lowest, .. } = *check;
        (self.check, self.check_at) = (None, now + CHECK_EVERY);
        // Of our own queue next to nothing would be there.
        if lowest > before / 2 {
            self.yields(now);
            self.crowded(now);
        } else {
            self.set(window, ack.packet);
        }
        true
    }

    /// Queues are filled this far, and not by us.
    fn crowded(&mut self, now: Instant) {
        let lowest = match self.crowded_delay {
            Some((delay, at)) if now.since(at) < CROWDED_MEMORY => delay.min(self.delay),
            _ => self.delay,
        };
        self.crowded_delay = Some((lowest, now));
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
