//! A rate with a burst, as a token bucket.

use base::Instant;

/// Lets `per_s` a second pass on average, and `burst` at once.
#[derive(Debug)]
pub(crate) struct Rate {
    per_s: u32,
    burst: u32,
    /// What may pass now, in thousandths.
    left: u64,
    at: Instant,
}

impl Rate {
    pub(crate) fn new(now: Instant, (per_s, burst): (u32, u32)) -> Rate {
        Rate { per_s, burst, left: u64::from(burst) * 1000, at: now }
    }

    /// Whether `count` more may pass; if so they are counted.
    pub(crate) fn pass(&mut self, now: Instant, count: u32) -> bool {
        let gained = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        if gained > 0 {
            self.left =
                self.left.saturating_add(gained.saturating_mul(self.per_s.into())).min(u64::from(self.burst) * 1000);
            self.at = now;
        }
        let cost = u64::from(count) * 1000;
        let passes = cost <= self.left;
        self.left -= if passes { cost } else { 0 };
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut rate = Rate::new(Instant::START, (2, 10));
        assert!(rate.pass(Instant::START, 10) && !rate.pass(Instant::START, 1));
        let later = Instant::START + Duration::from_secs(1);
        assert!(rate.pass(later, 2) && !rate.pass(later, 1));
        let much_later = Instant::START + Duration::MAX;
        assert!(rate.pass(much_later, 10) && !rate.pass(much_later, 1));
    }
}
