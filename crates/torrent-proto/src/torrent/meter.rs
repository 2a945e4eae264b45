//! Byte counters with a rate.

use std::time::Duration;

/// How much of the old rate one second leaves: an exponential average over some 5 s, smooth enough to read and quick
/// enough for the choker's 10 s (arbitrary).
const KEEP_PER_S: f64 = 0.8;

/// Counts bytes; a rate comes from regular ticks.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    total: u64,
    since_tick: u64,
    rate: f64,
    primed: bool,
}

impl Meter {
    pub(super) fn add(&mut self, bytes: u64) {
        self.total += bytes;
        self.since_tick += bytes;
    }

    /// Folds the bytes since the last tick into the rate.
    pub(super) fn tick(&mut self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let now = self.since_tick as f64 / seconds;
        let keep = if self.primed { KEEP_PER_S.powf(seconds) } else { 0.0 };
        self.primed |= self.since_tick > 0;
        self.rate = self.rate * keep + now * (1.0 - keep);
        self.since_tick = 0;
        if self.rate < 1.0 {
            self.rate = 0.0;
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Returns the bytes a second of full ticks; `None` before any ended in which there were some.
    pub(super) fn measured_bytes_per_s(&self) -> Option<u64> {
        self.primed.then_some(self.rate as u64)
    }

    /// Bytes a second; between two ticks what has come since counts too, so that the start of a fast transfer shows.
    pub(super) fn rate_bytes_per_s(&self) -> u64 {
        (self.rate as u64).max(if self.primed { 0 } else { self.since_tick })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_shows_its_rate_and_fades_when_it_ends() {
        let mut meter = Meter::default();
        for _ in 0..5 {
            meter.add(1000);
            meter.tick(Duration::from_secs(1));
        }
        assert_eq!((meter.rate_bytes_per_s(), meter.total()), (1000, 5000));
        for _ in 0..60 {
            meter.tick(Duration::from_secs(1));
        }
        assert_eq!(meter.rate_bytes_per_s(), 0);
    }
}
