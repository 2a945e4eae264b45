//! The one clock of the process.

use std::time::{Instant as StdInstant, SystemTime, UNIX_EPOCH};

use base::{Instant, Now, WallTime};

/// Reads both clocks. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: StdInstant,
}

impl Clock {
    /// Starts the clock: make one and hand out copies.
    pub fn start() -> Clock {
        Clock { start: StdInstant::now() }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Now { mono: self.mono(), wall: WallTime(wall) }
    }

    /// Reads the monotonic clock alone.
    pub fn mono(&self) -> Instant {
        Instant::from_start(self.start.elapsed())
    }

    /// Sleeps until `due`, or for ever where nothing is due. Cancel safe.
    pub async fn sleep_until(self, due: Option<Instant>) {
        match due {
            Some(due) => tokio::time::sleep_until(self.at(due)).await,
            None => std::future::pending().await,
        }
    }

    /// Translates a reading to the runtime's timers.
    pub(crate) fn at(&self, instant: Instant) -> tokio::time::Instant {
        // A year: timers beyond it never fire in practice, and the addition cannot overflow.
        const FAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);
        let since_start = instant.since_start().min(self.start.elapsed() + FAR);
        tokio::time::Instant::from_std(self.start + since_start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn copies_agree_and_far_readings_do_not_overflow() {
        let clock = Clock::start();
        let copy = clock;
        let first = clock.mono();
        assert!(copy.mono() >= first);
        let far = clock.at(Instant::START + Duration::MAX);
        assert!(far > clock.at(first));
    }
}
