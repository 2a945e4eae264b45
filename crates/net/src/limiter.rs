//! Bandwidth: token buckets, one each way for each scope of the budget: everything, a service, a person, a torrent.
//!
//! A bucket fills with its rate and holds at most [`BURST`] of it. Unlimited costs one atomic load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much a bucket holds, as time at its rate. Short, so that the limit is kept within any second that is looked at;
/// long enough for timers of a few milliseconds.
const BURST: Duration = Duration::from_millis(250);

/// The least that is worth a system call, in bytes; a slower bucket gives it once it has been saved up. A packet.
const QUANTUM: u64 = 1400;

/// The longest wait before the bucket is asked again, so that a change of the limit takes effect. Well below the two
/// seconds promised.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// How much those who wait can owe by what was charged, as time at the bucket's rate: after a limit fell, what was carried
/// before is not to stop everything for minutes. Arbitrary.
const MAX_DEBT: Duration = Duration::from_secs(2);

/// The rate of a bucket without limit.
const UNLIMITED: u64 = u64::MAX;

/// A token bucket for one direction.
///
/// Who finds it empty gets a [`Ticket`] for the next bytes that nobody has a claim to: those who wait are served in the
/// order in which they came, however often each of them asks. Without that, one busy connection at a slow bucket keeps
/// all others from reading as much as a handshake.
#[derive(Debug)]
pub struct Bucket {
    rate: AtomicU64,
    fill: Mutex<Fill>,
}

/// What has come in and what it is for, in bytes since the beginning. `supplied` is cut to a burst more than `claimed`
/// whenever time is counted; it is less than `claimed` while tickets wait.
#[derive(Debug)]
struct Fill {
    supplied: f64,
    claimed: f64,
    at: Instant,
}

/// A claim to bytes of a bucket, good as soon as it was supplied with `upto`.
#[derive(Debug)]
struct Ticket {
    bytes: u64,
    upto: f64,
}

impl Bucket {
    /// Builds a bucket with `rate` in bytes per second; `None` is unlimited.
    pub fn new(rate: Option<u64>) -> Bucket {
        let fill = Mutex::new(Fill { supplied: 0.0, claimed: 0.0, at: Instant::now() });
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

    /// Takes up to `want` bytes, or says how long to wait for the next ones; the place in the queue is kept in `ticket`.
    fn take(&self, want: u64, ticket: &mut Option<Ticket>, now: Instant) -> Result<u64, Duration> {
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == UNLIMITED || want == 0 {
            return Ok(want);
        }
        if rate == 0 {
            return Err(MAX_WAIT);
        }
        let mut fill = self.lock();
        let burst = (rate as f64 * BURST.as_secs_f64()).max(QUANTUM as f64);
        let passed = now.saturating_duration_since(fill.at);
        fill.supplied = (fill.supplied + rate as f64 * passed.as_secs_f64()).min(fill.claimed + burst);
        fill.at = now;
        if let Some(held) = ticket.take() {
            if fill.supplied < held.upto {
                let wait = wait_for(held.upto - fill.supplied, rate);
                *ticket = Some(held);
                return Err(wait);
            }
            let grant = held.bytes.min(want);
            fill.claimed -= (held.bytes - grant) as f64;
            return Ok(grant);
        }
        let free = fill.supplied - fill.claimed;
        let least = want.min(QUANTUM);
        if free < least as f64 {
            fill.claimed += least as f64;
            let held = ticket.insert(Ticket { bytes: least, upto: fill.claimed });
            return Err(wait_for(held.upto - fill.supplied, rate));
        }
        // At most an eighth of the burst at once: connections that wait at the same bucket take turns.
        let grant = want.min((burst / 8.0) as u64).max(least).min(free as u64);
        fill.claimed += grant as f64;
        Ok(grant)
    }

    /// Puts back what was taken and not used.
    fn refund(&self, bytes: u64) {
        if bytes > 0 && self.rate.load(Ordering::Relaxed) != UNLIMITED {
            self.lock().claimed -= bytes as f64;
        }
    }

    /// Takes what was carried already, without asking: the next ones wait until it has come in. Of more than [`MAX_DEBT`]
    /// the rest is let off.
    fn charge(&self, bytes: u64, now: Instant) {
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == UNLIMITED {
            return;
        }
        let mut fill = self.lock();
        let burst = (rate as f64 * BURST.as_secs_f64()).max(QUANTUM as f64);
        let passed = now.saturating_duration_since(fill.at);
        fill.supplied = (fill.supplied + rate as f64 * passed.as_secs_f64()).min(fill.claimed + burst);
        fill.at = now;
        let most = fill.supplied + rate as f64 * MAX_DEBT.as_secs_f64();
        fill.claimed = fill.claimed.max((fill.claimed + bytes as f64).min(most));
    }

    /// Gives up a place in the queue.
    fn give_up(&self, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            self.lock().claimed -= ticket.bytes as f64;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Fill> {
        // Nothing panics between two changes of it.
        self.fill.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long it takes until so many bytes have come.
fn wait_for(bytes: f64, rate: u64) -> Duration {
    Duration::from_secs_f64(bytes / rate as f64).min(MAX_WAIT)
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

    /// Takes from both what was carried already.
    pub(crate) fn charge(&self, down: u64, up: u64) {
        let now = Instant::now();
        self.down.charge(down, now);
        self.up.charge(up, now);
    }

    /// Tells whether nobody else holds it.
    pub(crate) fn is_unused(&self) -> bool {
        Arc::strong_count(&self.down) == 1 && Arc::strong_count(&self.up) == 1
    }
}

/// How many scopes one connection may draw from: everything, its service, its person, its torrent.
const MAX_SCOPES: usize = 4;

/// The buckets that one direction of one connection draws from, with its places in their queues, and where what it
/// carries is counted.
#[derive(Debug)]
pub struct Meter {
    /// The widest first.
    draws: Vec<Draw>,
    counted: Option<Arc<AtomicU64>>,
}

#[derive(Debug)]
struct Draw {
    bucket: Arc<Bucket>,
    ticket: Option<Ticket>,
}

impl Draw {
    fn new(bucket: &Arc<Bucket>) -> Draw {
        Draw { bucket: bucket.clone(), ticket: None }
    }

    fn is_unlimited(&self) -> bool {
        self.bucket.rate.load(Ordering::Relaxed) == UNLIMITED
    }

    fn take(&mut self, want: u64, now: Instant) -> Result<u64, Duration> {
        self.bucket.take(want, &mut self.ticket, now)
    }
}

impl Drop for Draw {
    fn drop(&mut self) {
        self.bucket.give_up(self.ticket.take());
    }
}

impl Meter {
    /// Draws from these buckets, the widest scope first, four at most; counts what is taken in `counted`.
    pub fn new<'a>(buckets: impl IntoIterator<Item = &'a Arc<Bucket>>, counted: Option<Arc<AtomicU64>>) -> Meter {
        Meter { draws: buckets.into_iter().take(MAX_SCOPES).map(Draw::new).collect(), counted }
    }

    /// Takes up to `want` bytes, or says how long to wait before asking again.
    pub fn take(&mut self, want: usize) -> Result<usize, Duration> {
        let granted = self.draw(want as u64)?;
        if let Some(counted) = &self.counted {
            counted.fetch_add(granted, Ordering::Relaxed);
        }
        Ok(granted as usize)
    }

    fn draw(&mut self, want: u64) -> Result<u64, Duration> {
        if self.draws.iter().all(Draw::is_unlimited) {
            return Ok(want);
        }
        let now = Instant::now();
        // The narrowest first: what it does not give need not be asked of the others.
        let mut granted = want;
        for at in (0..self.draws.len()).rev() {
            let (had, outcome) = (granted, self.draws[at].take(granted, now));
            granted = *outcome.as_ref().unwrap_or(&0);
            self.draws[at + 1..].iter().for_each(|draw| draw.bucket.refund(had - granted));
            outcome?;
        }
        Ok(granted)
    }

    /// Puts back what was taken and not used.
    pub fn refund(&self, bytes: usize) {
        self.draws.iter().for_each(|draw| draw.bucket.refund(bytes as u64));
        if let Some(counted) = &self.counted {
            counted.fetch_sub(bytes as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks greedily for a simulated minute and returns what was granted.
    fn greedy(bucket: &Bucket, start: Instant, seconds: u64) -> u64 {
        let (mut now, mut sum, mut ticket) = (start, 0, None);
        while now < start + Duration::from_secs(seconds) {
            match bucket.take(1 << 20, &mut ticket, now) {
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
        assert_eq!(bucket.take(10, &mut None, start), Err(MAX_WAIT));
        bucket.set_rate(None);
        assert_eq!(bucket.take(10, &mut None, start), Ok(10));
        bucket.set_rate(Some(10_000));
        assert!(greedy(&bucket, start, 10) <= 110_000);
    }

    #[test]
    fn the_tighter_of_two_buckets_holds_and_keeps_nothing_of_the_other() {
        let (global, torrent) = (Limiter::new(Some(1_000_000), None), Limiter::new(Some(10_000), None));
        let mut meter = Meter::new([&global.down, &torrent.down], None);
        global.down.lock().supplied = 200_000.0;
        torrent.down.lock().supplied = 2_000.0;
        let granted = meter.take(1 << 20).unwrap();
        assert!(granted <= 2_100, "{granted}");
        meter.refund(granted);
        let fill = global.down.lock();
        assert!(fill.supplied - fill.claimed >= 200_000.0);
        let mut free = Meter::new([&Limiter::new(None, None).up], None);
        assert_eq!(free.take(123), Ok(123));
    }
    #[test]
    fn who_waits_is_served_before_who_asks_more_often() {
        let bucket = Bucket::new(Some(30_000));
        let (mut busy, mut shy) = (None, None);
        let (mut now, mut to_busy, mut to_shy) = (Instant::now(), 0, 0);
        let end = now + Duration::from_secs(60);
        while now < end {
            // Always the first to ask, and until there is nothing left.
            while let Ok(bytes) = bucket.take(32_768, &mut busy, now) {
                to_busy += bytes;
            }
            to_shy += bucket.take(32_768, &mut shy, now).unwrap_or(0);
            now += Duration::from_millis(1);
        }
        assert!(to_shy > 700_000 && to_busy > 700_000, "{to_shy} beside {to_busy}");
    }

    #[test]
    fn what_was_carried_past_the_bucket_is_missing_to_the_others() {
        let bucket = Bucket::new(Some(100_000));
        let (mut now, mut sum) = (Instant::now(), 0);
        let start = now;
        for _ in 0..60 {
            // Somebody carries 40,000 bytes a second and tells afterwards.
            sum += greedy(&bucket, now, 1);
            now += Duration::from_secs(1);
            bucket.charge(40_000, now);
        }
        assert!((58 * 60_000..=62 * 60_000).contains(&sum), "{sum} in {:?}", now - start);
        for _ in 0..10 {
            bucket.charge(1 << 40, now);
        }
        assert!(greedy(&bucket, now, 4) > 150_000, "what is too much is let off");
    }

    #[test]
    fn a_place_that_is_given_up_costs_nobody_anything() {
        let limiter = Limiter::new(Some(10_000), None);
        let unlimited = Limiter::new(None, None);
        for _ in 0..1000 {
            assert!(Meter::new([&limiter.down, &unlimited.down], None).take(1 << 20).is_err());
        }
        let claimed = limiter.down.lock().claimed;
        assert!(claimed.abs() < 1.0, "{claimed}");
    }
}
