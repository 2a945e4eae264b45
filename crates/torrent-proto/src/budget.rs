//! What others may make us do in a minute.

use std::time::Duration;

use base::Instant;

const WINDOW: Duration = Duration::from_secs(60);

/// Counts what happened in the present minute, which begins with its first event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    since: Option<Instant>,
    used: u32,
}

impl Budget {
    /// Takes one of `per_minute`; false when they are used up.
    pub(crate) fn take(&mut self, now: Instant, per_minute: u32) -> bool {
        if self.since.is_none_or(|since| now - since >= WINDOW) {
            *self = Budget { since: Some(now), used: 0 };
        }
        self.used += 1;
        self.used <= per_minute
    }

    /// Returns how much more than `per_minute` was asked for in this minute.
    pub(crate) fn excess(&self, per_minute: u32) -> u32 {
        self.used.saturating_sub(per_minute)
    }
}
