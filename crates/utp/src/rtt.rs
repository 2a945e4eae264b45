//! The round-trip time and how long to wait for an acknowledgement (RFC 6298, with the constants of BEP 29).

use std::time::Duration;

/// The time limit before the first measurement (BEP 29, "timeouts").
const INITIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest time limit (BEP 29, "timeouts").
const MIN_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest time limit (RFC 6298, 2.5: at least 60 s; a swarm has other peers to turn to, so half of it).
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// The estimator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    smoothed: Option<Duration>,
    variation: Duration,
    /// How often the time limit was doubled since the last acknowledgement.
    backoff: u32,
}

impl Rtt {
    /// Takes the round-trip time of a packet that was sent only once.
    pub(crate) fn sample(&mut self, rtt: Duration) {
        let Some(smoothed) = self.smoothed else {
            (self.smoothed, self.variation) = (Some(rtt), rtt / 2);
            return;
        };
        self.variation = (self.variation * 3 + smoothed.abs_diff(rtt)) / 4;
        self.smoothed = Some((smoothed * 7 + rtt) / 8);
    }

    /// An acknowledgement came: the doublings end.
    pub(crate) fn answered(&mut self) {
        self.backoff = 0;
    }

    /// The time limit passed: the next one is twice as long.
    pub(crate) fn timed_out(&mut self) {
        self.backoff = (self.backoff + 1).min(16);
    }

    /// Returns the smoothed round-trip time.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// Returns how long to wait for an acknowledgement before sending again.
    pub(crate) fn timeout(&self) -> Duration {
        let base = match self.smoothed {
            Some(smoothed) => (smoothed + self.variation * 4).max(MIN_TIMEOUT),
            None => INITIAL_TIMEOUT,
        };
        (base * (1 << self.backoff)).min(MAX_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_time_limit_follows_the_formula_of_the_specification() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.timeout(), MS(1000));
        rtt.sample(MS(400));
        // 400 + 4 × 200.
        assert_eq!(rtt.timeout(), MS(1200));
        rtt.sample(MS(480));
        // Variation: 200 + (80 − 200) / 4 = 170; mean: 400 + 80 / 8 = 410.
        assert_eq!((rtt.smoothed(), rtt.timeout()), (Some(MS(410)), MS(1090)));
    }

    #[test]
    fn it_is_half_a_second_at_least_and_doubles_until_an_answer() {
        let mut rtt = Rtt::default();
        for _ in 0..100 {
            rtt.sample(MS(1));
        }
        assert_eq!(rtt.timeout(), MS(500));
        rtt.timed_out();
        rtt.timed_out();
        assert_eq!(rtt.timeout(), MS(2000));
        for _ in 0..100 {
            rtt.timed_out();
        }
        assert_eq!(rtt.timeout(), MAX_TIMEOUT);
        rtt.answered();
        assert_eq!(rtt.timeout(), MS(500));
    }
}
