//! When the next packet may leave: packets are spread over the round trip, so that a window does not hit a queue at once.

use std::time::Duration;

use base::Instant;

/// How long packets may be saved up for: a timer of the system is a millisecond late, and one system call carries many.
const BURST_TIME: Duration = Duration::from_millis(4);
/// The least that may leave at once, in bytes: sixteen full packets (RFC 6928 lets ten leave at the beginning).
const MIN_BURST: f64 = 16.0 * 1472.0;
/// How much faster than window per round trip: in slow start, and later. A little more than the window grows.
const SLOW_START_FACTOR: f64 = 1.6;
const FACTOR: f64 = 1.2;
/// Round trips shorter than this are not paced: timers are not as fine.
const MIN_RTT: Duration = Duration::from_millis(1);

/// A bucket of bytes that fills at the pace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacer {
    saved: f64,
    at: Instant,
    /// Bytes a second; infinite when unpaced.
    rate: f64,
}

impl Pacer {
    pub(crate) fn new(now: Instant) -> Pacer {
        Pacer { saved: MIN_BURST, at: now, rate: f64::INFINITY }
    }

    /// Sets the pace by window and round-trip time.
    pub(crate) fn set(&mut self, now: Instant, window: usize, rtt: Option<Duration>, slow_start: bool) {
        self.fill(now);
        self.rate = match rtt {
            Some(rtt) if rtt >= MIN_RTT => {
                let factor = if slow_start { SLOW_START_FACTOR } else { FACTOR };
                window as f64 / rtt.as_secs_f64() * factor
            }
            _ => f64::INFINITY,
        };
    }

    fn fill(&mut self, now: Instant) {
        let most = (self.rate * BURST_TIME.as_secs_f64()).max(MIN_BURST);
        // Saved before time passed: an infinite rate times no time is no number.
        self.saved = if self.rate.is_finite() {
            (self.saved + self.rate * now.since(self.at).as_secs_f64()).min(most)
        } else {
            most
        };
        self.at = now;
    }

    /// Tells whether a packet may leave now. With a window below a packet (`spread`) nothing is saved up.
    pub(crate) fn may_send(&mut self, now: Instant, bytes: usize, spread: bool) -> bool {
        self.fill(now);
        if spread {
            self.saved = self.saved.min(bytes as f64);
        }
        self.saved >= bytes as f64
    }

    /// Tells whether packets are spread at all.
    pub(crate) fn is_paced(&self) -> bool {
        self.rate.is_finite()
    }

    /// A packet leaves.
    pub(crate) fn sent(&mut self, bytes: usize) {
        if self.rate.is_finite() {
            self.saved -= bytes as f64;
        }
    }

    /// Returns when a packet may leave that may not yet.
    pub(crate) fn next_at(&self, bytes: usize) -> Instant {
        let missing = (bytes as f64 - self.saved).max(0.0);
        // At least a microsecond, so that rounding never names an instant at which it still may not.
        self.at + Duration::from_secs_f64((missing / self.rate).min(60.0)) + Duration::from_micros(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_leaves_over_a_round_trip_and_not_at_once() {
        let mut now = Instant::START;
        let mut pacer = Pacer::new(now);
        pacer.set(now, 125_000, Some(Duration::from_millis(100)), false);
        let mut sent = 0;
        while now.since_start() < Duration::from_secs(1) {
            while pacer.may_send(now, 1_250, false) {
                pacer.sent(1_250);
                sent += 1_250;
            }
            let next = pacer.next_at(1_250);
            assert!(next > now);
            now = next;
        }
        // 1.25 MB/s × 1.2, and what may leave at the beginning.
        assert!((1_500_000..1_530_000).contains(&sent), "{sent}");
    }

    #[test]
    fn short_round_trips_are_not_paced() {
        let mut pacer = Pacer::new(Instant::START);
        pacer.set(Instant::START, 3_000, Some(Duration::from_micros(90)), true);
        for _ in 0..1_000 {
            assert!(pacer.may_send(Instant::START, 1_472, false));
            pacer.sent(1_472);
        }
    }
}
