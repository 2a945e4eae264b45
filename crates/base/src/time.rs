//! Clock values that state machines are handed. They never read a clock themselves.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A reading of the monotonic clock: nanoseconds since an arbitrary start that is the same for the whole process
/// (or simulation).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

/// Seconds since the UNIX epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub u64);

/// Both clocks, read once for one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// The monotonic clock: for every interval and time limit.
    pub mono: Instant,
    /// The wall clock: only for what is shown or stored.
    pub wall: WallTime,
}

impl Instant {
    /// The start of the clock.
    pub const START: Instant = Instant(0);

    /// Builds a reading from the time passed since [`Instant::START`]; saturates after 584 years.
    pub fn from_start(elapsed: Duration) -> Instant {
        Instant(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Returns the time passed since [`Instant::START`].
    pub fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Returns the time from `earlier` to `self`, zero when `earlier` is the later one.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;

    fn sub(self, rhs: Instant) -> Duration {
        self.since(rhs)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.since_start())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_and_subtracting_saturate() {
        let later = Instant::START + Duration::from_millis(5);
        assert_eq!(later - Instant::START, Duration::from_millis(5));
        assert_eq!(Instant::START - later, Duration::ZERO);
        assert_eq!((later + Duration::MAX) + Duration::MAX, Instant(u64::MAX));
    }
}
