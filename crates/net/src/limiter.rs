//! Bandwidth: token buckets, one each way for the whole program and for each torrent that has a limit.
//!
//! A bucket fills with its rate and holds at most [`BURST`] of it. Unlimited costs one atomic load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much a bucket holds, as time at its rate. Short, so that the limit is kept within any second that is looked at;
/// long enough for timers of a few milliseconds.
const BURST: Duration = Duration::from_millis(250);

/// The least that is worth a system call, in bytes; a slower bucket gives it once it has been saved up. A packet.
const QUANTUM: u64 = 1400;

/// The longest wait before the bucket is asked again, so that a change of the limit takes effect. Well below the two
/// seconds promised.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// The rate of a bucket without limit.
const UNLIMITED: u64 = u64::MAX;

/// A token bucket for one direction.
#[derive(Debug)]
pub struct Bucket {
    rate: AtomicU64,
    fill: Mutex<Fill>,
}

#[derive(Debug)]
struct Fill {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// Builds a bucket with `rate` in bytes per second; `None` is unlimited.
    pub fn new(rate: Option<u64>) -> Bucket {
        let fill = Mutex::new(Fill { tokens: 0.0, at: Instant::now() });
        Bucket { rate: AtomicU64::new(rate.unwrap_or(UNLIMITED)), fill }
    }

    /// Changes the rate; takes effect within [`MAX_WAIT`].
    pub fn set_rate(&self, rate: Option<u64>) {
        self.rate.store(rate.unwrap_or(UNLIMITED), Ordering::Relaxed);
    }

    /// Returns the rate.
    pub fn rate(&self) -> Option<u64> {
        Some(self.rate.load(Ordering::Relaxed)).filter(|&rate| rate != UNLIMITED)
    }

    /// Takes up to `want` bytes, or says how long to wait for the next ones.
    fn take(&self, want: u64, now: Instant) -> Result<u64, Duration> {
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == UNLIMITED {
            return Ok(want);
        }
        if rate == 0 {
            return Err(MAX_WAIT);
        }
        let mut fill = self.fill.lock().unwrap_or_else(PoisonError::into_inner);
        let burst = (rate as f64 * BURST.as_secs_f64()).max(QUANTUM as f64);
        let passed = now.saturating_duration_since(fill.at);
        fill.tokens = (fill.tokens + rate as f64 * passed.as_secs_f64()).min(burst);
        fill.at = now;
        let least = want.min(QUANTUM) as f64;
        if fill.tokens < least {
            return Err(Duration::from_secs_f64((least - fill.tokens) / rate as f64).min(MAX_WAIT));
        }
        // At most an eighth of the burst at once: connections that wait at the same bucket take turns.
        let grant = want.min((burst / 8.0) as u64).max(least as u64).min(fill.tokens as u64);
        fill.tokens -= grant as f64;
        Ok(grant)
    }

    /// Puts back what was taken and not used.
    fn refund(&self, bytes: u64) {
        if bytes > 0 && self.rate.load(Ordering::Relaxed) != UNLIMITED {
            self.fill.lock().unwrap_or_else(PoisonError::into_inner).tokens += bytes as f64;
        }
    }
}

/// Both directions of one scope: the program or a torrent. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Limiter {
    /// What comes in.
    pub down: Arc<Bucket>,
    /// What goes out.
    pub up: Arc<Bucket>,
}

impl Limiter {
    /// Builds both buckets, with rates in bytes per second.
    pub fn new(down: Option<u64>, up: Option<u64>) -> Limiter {
        Limiter { down: Arc::new(Bucket::new(down)), up: Arc::new(Bucket::new(up)) }
    }

    /// Changes both rates.
    pub fn set(&self, down: Option<u64>, up: Option<u64>) {
        self.down.set_rate(down);
        self.up.set_rate(up);
    }
}

/// The buckets that one direction of one connection draws from.
#[derive(Clone, Debug)]
pub struct Meter {
    global: Arc<Bucket>,
    torrent: Arc<Bucket>,
}

impl Meter {
    /// Draws from both buckets.
    pub fn new(global: &Arc<Bucket>, torrent: &Arc<Bucket>) -> Meter {
        Meter { global: global.clone(), torrent: torrent.clone() }
    }

    /// Takes up to `want` bytes, or says how long to wait before asking again.
    pub fn take(&self, want: usize) -> Result<usize, Duration> {
        let unlimited = |bucket: &Bucket| bucket.rate.load(Ordering::Relaxed) == UNLIMITED;
        if unlimited(&self.global) && unlimited(&self.torrent) {
            return Ok(want);
        }
        let now = Instant::now();
        let first = self.torrent.take(want as u64, now)?;
        match self.global.take(first, now) {
            Ok(second) => {
                self.torrent.refund(first - second);
                Ok(second as usize)
            }
            Err(wait) => {
                self.torrent.refund(first);
                Err(wait)
            }
        }
    }

    /// Puts back what was taken and not used.
    pub fn refund(&self, bytes: usize) {
        self.global.refund(bytes as u64);
        self.torrent.refund(bytes as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks greedily for a simulated minute and returns what was granted.
    fn greedy(bucket: &Bucket, start: Instant, seconds: u64) -> u64 {
        let (mut now, mut sum) = (start, 0);
        while now < start + Duration::from_secs(seconds) {
            match bucket.take(1 << 20, now) {
                Ok(bytes) => sum += bytes,
                Err(wait) => now += wait.max(Duration::from_micros(1)),
            }
        }
        sum
    }

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        for rate in [1_000, 50_000, 100_000_000] {
            let bucket = Bucket::new(Some(rate));
            let sum = greedy(&bucket, Instant::now(), 60);
            assert!(sum <= rate * 61, "{rate}: {sum}");
            assert!(sum >= rate * 58, "{rate}: {sum}");
        }
    }

    #[test]
    fn a_changed_rate_holds_at_once_and_zero_stops() {
        let bucket = Bucket::new(Some(0));
        let start = Instant::now();
        assert_eq!(bucket.take(10, start), Err(MAX_WAIT));
        bucket.set_rate(None);
        assert_eq!(bucket.take(10, start), Ok(10));
        bucket.set_rate(Some(10_000));
        assert!(greedy(&bucket, start, 10) <= 110_000);
    }

    #[test]
    fn the_tighter_of_two_buckets_holds_and_keeps_nothing_of_the_other() {
        let (global, torrent) = (Limiter::new(Some(1_000_000), None), Limiter::new(Some(10_000), None));
        let meter = Meter::new(&global.down, &torrent.down);
        global.down.fill.lock().unwrap().tokens = 200_000.0;
        torrent.down.fill.lock().unwrap().tokens = 2_000.0;
        let granted = meter.take(1 << 20).unwrap();
        assert!(granted <= 2_100, "{granted}");
        meter.refund(granted);
        assert!(global.down.fill.lock().unwrap().tokens >= 200_000.0);
        let free = Meter::new(&Limiter::new(None, None).up, &Limiter::new(None, None).up);
        assert_eq!(free.take(123), Ok(123));
    }
}
