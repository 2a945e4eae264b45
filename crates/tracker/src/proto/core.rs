//! The tracker as a whole: the table, the connection ids, the counters.

use base::{Instant, Now};

use super::connection::{ConnectionKey, Connections};
use super::rate::Rates;
use super::stats::Stats;
use super::table::{Limits, Table};

/// Peers in an answer where the asker names no number (arbitrary; the usual one).
pub(super) const DEFAULT_WANT: u32 = 50;

/// The state machine. Requests are answered by [`Core::udp`] and [`Core::http`].
#[derive(Debug)]
pub struct Core {
    pub(super) table: Table,
    pub(super) connections: Connections,
    pub(super) rates: Rates,
    pub(super) stats: Stats,
}

impl Core {
    /// Builds a tracker without swarms. `key` is to be drawn by chance and kept secret.
    pub fn new(now: Now, limits: Limits, key: &ConnectionKey, rng: fastrand::Rng) -> Core {
        let (connections, rates) = (Connections::new(key), Rates::new(limits.requests_per_host_s));
        Core { table: Table::new(limits, now.mono, rng), connections, rates, stats: Stats::default() }
    }

    /// Lets peers expire; to be called when [`Core::poll_timeout`] says so.
    pub fn timeout(&mut self, now: Now) {
        self.table.sweep(now.mono);
        self.rates.sweep(now.mono);
    }

    /// Returns when [`Core::timeout`] is due.
    pub fn poll_timeout(&self) -> Instant {
        self.table.next_sweep()
    }

    /// Returns all numbers.
    pub fn stats(&self) -> Stats {
        Stats {
            content: self.table.content(),
            memory_limit_bytes: self.table.limits().memory_bytes,
            interval: self.table.limits().interval,
            ..self.stats
        }
    }
}
