//! One direction of a link: a rate, a queue, a delay, and chance.

use std::time::Duration;

use base::Instant;

/// What a link is like, the same in both directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Its rate, in bits a second.
    pub bits_per_s: u64,
    /// How long there and back takes without queues.
    pub round_trip: Duration,
    /// How long the queue is, as the time that a full one takes to leave.
    pub queue: Duration,
    /// The chance of each packet to be lost.
    pub loss: f64,
    /// The chance of each packet to be late, by up to `late_by`.
    pub late: f64,
    /// How late it may be.
    pub late_by: Duration,
    /// The chance of each packet to arrive twice.
    pub twice: f64,
    /// How much faster the clock of the left host runs than that of the right one, in millionths.
    pub drift_ppm: i64,
}

impl Path {
    /// Builds a link without chance.
    pub fn clean(bits_per_s: u64, round_trip: Duration, queue: Duration) -> Path {
        let (loss, late, late_by, twice, drift_ppm) = (0.0, 0.0, Duration::ZERO, 0.0, 0);
        Path { bits_per_s, round_trip, queue, loss, late, late_by, twice, drift_ppm }
    }
}

/// When a packet arrives: never, once or twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate([Option<Instant>; 2]);

impl Fate {
    pub(super) fn arrivals(self) -> impl Iterator<Item = Instant> {
        self.0.into_iter().flatten()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Direction {
    path: Path,
    rng: fastrand::Rng,
    /// When all that is queued will have left.
    free_at: Instant,
    dropped: u64,
    sent: u64,
    waited: Duration,
    passed: u64,
}

impl Direction {
    pub(super) fn new(path: &Path, seed: u64) -> Direction {
        let (free_at, waited) = (Instant::START, Duration::ZERO);
        let rng = fastrand::Rng::with_seed(seed);
        Direction { path: path.clone(), rng, free_at, dropped: 0, sent: 0, waited, passed: 0 }
    }

    /// Sends a packet of `length` bytes, headers included.
    pub(super) fn send(&mut self, now: Instant, length: usize) -> Fate {
        self.sent += 1;
        let wait = self.free_at.since(now);
        let takes = Duration::from_nanos(length as u64 * 8 * 1_000_000_000 / self.path.bits_per_s);
        // A packet or two always fit, whatever the rate.
        if wait > self.path.queue.max(takes * 2) {
            self.dropped += 1;
            return Fate::default();
        }
        (self.waited, self.passed) = (self.waited + wait, self.passed + 1);
        self.free_at = now + wait + takes;
        if self.rng.f64() < self.path.loss {
            self.dropped += 1;
            return Fate::default();
        }
        let copies = [true, self.path.twice > 0.0 && self.rng.f64() < self.path.twice];
        Fate(copies.map(|copy| copy.then(|| self.arrival())))
    }

    fn arrival(&mut self) -> Instant {
        let is_late = self.path.late > 0.0 && self.rng.f64() < self.path.late;
        let late = if is_late { self.path.late_by.mul_f64(self.rng.f64()) } else { Duration::ZERO };
        self.free_at + self.path.round_trip / 2 + late
    }

    /// Returns how long packets waited in sum, and how many passed.
    pub(super) fn waited(&self) -> (Duration, u64) {
        (self.waited, self.passed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }
}
