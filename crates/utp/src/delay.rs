//! How long packets wait in queues on their way (RFC 6817, 2.4.2; BEP 29, "congestion control").
//!
//! The clocks of both ends differ by an unknown offset, so a one-way delay means something only beside the lowest one seen
//! in the last minutes. Clocks also drift apart, which looks like a queue that grows for ever; the round-trip time, taken by
//! one clock, bounds it.

use std::time::Duration;

use base::Instant;

/// How many minutes the lowest delay is remembered (RFC 6817, BASE_HISTORY).
const BASE_HISTORY: usize = 10;
/// The length of one slot of the history (RFC 6817: a minute).
const SLOT: Duration = Duration::from_secs(60);
/// Of how many samples the lowest counts as the current delay: it takes out the noise of delayed acknowledgements
/// (RFC 6817, CURRENT_FILTER, allows any small number).
const CURRENT_FILTER: usize = 4;

/// The lowest of a wrapping count of microseconds in the last minutes.
#[derive(Clone, Debug)]
struct Lowest {
    slots: [Option<u32>; BASE_HISTORY],
    at: usize,
    since: Instant,
    lowest: Option<u32>,
}

/// Tells whether `a` is below `b` on a circle of 2^32.
fn below(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl Lowest {
    fn new(now: Instant) -> Lowest {
        Lowest { slots: [None; BASE_HISTORY], at: 0, since: now, lowest: None }
    }

    /// Takes a sample and returns the lowest.
    fn sample(&mut self, now: Instant, sample: u32) -> u32 {
        let passed = now.since(self.since);
        if passed >= SLOT {
            // After a long silence all is forgotten: the way may be another one.
            let steps = (passed.as_secs() / SLOT.as_secs()).min(BASE_HISTORY as u64) as usize;
            for _ in 0..steps {
                self.at = (self.at + 1) % BASE_HISTORY;
                self.slots[self.at] = None;
            }
            self.since = now;
            self.lowest = self.slots.iter().flatten().copied().reduce(|a, b| if below(b, a) { b } else { a });
        }
        let slot = &mut self.slots[self.at];
        if slot.is_none_or(|lowest| below(sample, lowest)) {
            *slot = Some(sample);
            if self.lowest.is_none_or(|lowest| below(sample, lowest)) {
                self.lowest = Some(sample);
            }
        }
        self.lowest.unwrap_or(sample)
    }
}

/// Turns the samples of a connection into the time that packets wait in queues.
#[derive(Clone, Debug)]
pub(crate) struct QueueDelay {
    one_way: Lowest,
    round_trip: Lowest,
    recent: [u32; CURRENT_FILTER],
    count: usize,
}

impl QueueDelay {
    pub(crate) fn new(now: Instant) -> QueueDelay {
        QueueDelay { one_way: Lowest::new(now), round_trip: Lowest::new(now), recent: [0; CURRENT_FILTER], count: 0 }
    }

    /// Returns the shortest round trip of the last minutes.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        self.round_trip.lowest.map(|micros| Duration::from_micros(u64::from(micros)))
    }

    /// Takes what the other end measured of a packet of ours, and that packet's round-trip time if it is known. Returns
    /// the time that packets wait now.
    pub(crate) fn sample(&mut self, now: Instant, one_way_us: u32, round_trip: Option<Duration>) -> Duration {
        let base = self.one_way.sample(now, one_way_us);
        let mut waited = one_way_us.wrapping_sub(base);
        if let Some(round_trip) = round_trip {
            let micros = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX / 2);
            // What waits in a queue makes the round trip longer by as much.
            waited = waited.min(micros.wrapping_sub(self.round_trip.sample(now, micros)));
        }
        self.recent[self.count % CURRENT_FILTER] = waited;
        self.count += 1;
        let recent = &self.recent[..self.count.min(CURRENT_FILTER)];
        Duration::from_micros(u64::from(recent.iter().copied().min().unwrap_or(waited)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn at(seconds: u64) -> Instant {
        Instant::START + Duration::from_secs(seconds)
    }

    #[test]
    fn the_lowest_sample_is_the_way_without_queues_also_where_the_count_wraps() {
        let mut delay = QueueDelay::new(at(0));
        let offset = u32::MAX - 20_000;
        assert_eq!(delay.sample(at(0), offset.wrapping_add(10_000), None), MS(0));
        for _ in 0..CURRENT_FILTER {
            delay.sample(at(1), offset.wrapping_add(40_000), None);
        }
        assert_eq!(delay.sample(at(1), offset.wrapping_add(40_000), None), MS(30));
        assert_eq!(delay.sample(at(2), offset, None), MS(0));
        for _ in 0..CURRENT_FILTER {
            delay.sample(at(3), offset.wrapping_add(40_000), None);
        }
        assert_eq!(delay.sample(at(3), offset.wrapping_add(40_000), None), MS(40));
    }

    #[test]
    fn a_way_that_became_longer_is_believed_after_ten_minutes() {
        let mut delay = QueueDelay::new(at(0));
        delay.sample(at(0), 1_000, None);
        let mut last = MS(0);
        for second in 0..700 {
            last = delay.sample(at(second), 51_000, None);
            if (1..590).contains(&second) {
                assert_eq!(last, if second < 3 { last } else { MS(50) }, "{second}");
            }
        }
        assert_eq!(last, MS(0));
    }

    #[test]
    fn a_clock_that_drifts_makes_no_queue() {
        let mut delay = QueueDelay::new(at(0));
        for second in 0..3_600 {
            // 200 µs a second: four times what quartz is sold with.
            let waited = delay.sample(at(second), (second * 200) as u32, Some(MS(80)));
            assert_eq!(waited, MS(0), "{second}");
        }
        // A real queue is still seen.
        for second in 3_600..3_604 {
            delay.sample(at(second), (second * 200 + 60_000) as u32, Some(MS(140)));
        }
        assert_eq!(delay.sample(at(3_604), 3_604 * 200 + 60_000, Some(MS(140))), MS(60));
    }
}
