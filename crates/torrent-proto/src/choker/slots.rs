//! How many peers are unchoked at a time.

/// The fewest slots: three for reciprocation and an optimistic one, as the first client had (BEP 3 names four downloaders).
const MIN_SLOTS: u32 = 4;

/// The most slots. Arbitrary: beyond it each peer gets too little for a fast piece.
const MAX_SLOTS: u32 = 64;

/// Rounds between a change and its verdict: the rates of the first still contain the time before. Arbitrary.
const SETTLE: u32 = 1;

/// Rounds to rest once a further slot brought nothing. Arbitrary: two minutes.
const REST: u32 = 12;

/// The number of upload slots. Where it is not fixed, one is added as long as the last one brought at least half of a
/// fair share more, and taken back where it did not; and it is never below what a line of the measured capacity serves.
#[derive(Debug)]
pub(super) struct Slots {
    fixed: Option<u32>,
    count: u32,
    /// The highest total rate of late, in bytes per second.
    capacity: u64,
    /// The total rate before the last slot was added, while the verdict on it is open.
    before: Option<u64>,
    /// Rounds to go until the next change.
    rest: u32,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots { fixed: None, count: MIN_SLOTS, capacity: 0, before: None, rest: 0 }
    }
}

impl Slots {
    pub(super) fn fix(&mut self, fixed: Option<u32>) {
        self.fixed = fixed;
    }

    pub(super) fn count(&self) -> u32 {
        self.fixed.unwrap_or(self.count)
    }

    /// Learns the total rate of one round in bytes per second, and how many peers want a slot.
    pub(super) fn measure(&mut self, total: u64, wanted: usize) {
        self.capacity = total.max(self.capacity - self.capacity / 16);
        if wanted <= self.count as usize {
            // Rates say nothing about the line while everybody is served.
            return;
        }
        if self.rest > 0 {
            self.rest -= 1;
        } else if let Some(before) = self.before.take()
            && total <= before + before / u64::from(2 * self.count)
        {
            self.count -= 1;
            self.rest = REST;
        } else {
            self.count += 1;
            self.before = Some(total);
            self.rest = SETTLE;
        }
        // The square root is the rule of the first client: more capacity means more peers and more for each of them.
        let floor = ((self.capacity as f64 / 1024.0 * 0.6).sqrt() as u32).clamp(MIN_SLOTS, MAX_SLOTS);
        self.count = self.count.clamp(floor, MAX_SLOTS);
    }
}
