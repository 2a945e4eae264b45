//! A DHT of many nodes in virtual time: they join, leave, look swarms and items up, and some of them lie.
//!
//! Every honest node is the state machine that the real program runs. All randomness comes from one seed: a run is a
//! function of its [`DhtScenario`]. `cargo run --release -p sim -- dht` prints what came of the scenarios that the
//! project promises something about.

mod hostile;
mod network;
mod workload;

use std::time::Duration;

pub use network::DhtSim;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct DhtScenario {
    /// Where all chance comes from.
    pub seed: u64,
    /// How many nodes there are at a time, hostile ones included.
    pub nodes: u32,
    /// Nodes that leave within an hour, each without a word and with another in its place, of a thousand.
    pub churn_per_mille_per_hour: u32,
    /// Hostile nodes of a thousand: they name nodes that do not exist and one another, tell peers and values that are
    /// made up, store nothing, and crowd around the keys that are looked up.
    pub hostile_per_mille: u32,
    /// Packets that are lost, of a thousand.
    pub loss_per_mille: u32,
    /// How long all take to join.
    pub joining: Duration,
    /// How long is measured.
    pub measured: Duration,
    /// How many look-ups are measured, spread over that time.
    pub lookups: u32,
    /// How many swarms and items there are to look up.
    pub keys: u32,
    /// How many look-ups each node makes by itself in an hour, as a background: each announces.
    pub background_per_hour: u32,
    /// Nodes that do nothing by themselves, and are watched.
    pub idle: u32,
}

impl DhtScenario {
    /// A network of honest nodes in which a fifth leaves within an hour.
    pub fn honest(seed: u64, nodes: u32) -> DhtScenario {
        DhtScenario {
            seed,
            nodes,
            churn_per_mille_per_hour: 200,
            hostile_per_mille: 0,
            loss_per_mille: 10,
            joining: Duration::from_secs(600),
            measured: Duration::from_secs(3600),
            lookups: 10_000,
            keys: 200,
            background_per_hour: 0,
            idle: 0,
        }
    }

    /// The same with a twentieth of hostile nodes.
    pub fn hostile(seed: u64, nodes: u32) -> DhtScenario {
        DhtScenario { hostile_per_mille: 50, ..DhtScenario::honest(seed, nodes) }
    }

    /// A network in which everybody else looks swarms up as ordinary programs do: five torrents, each every 15 minutes.
    pub fn idle(seed: u64, nodes: u32) -> DhtScenario {
        DhtScenario { background_per_hour: 20, idle: 10, lookups: 0, ..DhtScenario::honest(seed, nodes) }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DhtOutcome {
    /// Look-ups that ended.
    pub lookups: u32,
    /// Those that found what is there.
    pub found: u32,
    /// Of those for peers: how many queries each took, in ascending order.
    pub queries: Vec<u32>,
    /// How long each took, in virtual milliseconds, in ascending order.
    pub millis: Vec<u32>,
    /// Values and signatures that did not match what was asked, and were believed. Must be 0.
    pub believed_lies: u32,
    /// Packets of all nodes.
    pub packets: u64,
    /// Packets that an idle node sent and received in a day.
    pub idle_packets_per_day: u64,
    /// Queries that it sent in a day, most of them to see who is still there.
    pub idle_queries_out_per_day: u64,
    /// Queries that others sent it in a day.
    pub idle_queries_in_per_day: u64,
    /// Bytes of all packets, with the headers of IP and UDP.
    pub idle_bytes_per_day: u64,
    /// Nodes of an honest node's table at the end: the mean.
    pub table: u32,
    /// Of these, those that were gone, of a thousand.
    pub gone_per_mille: u32,
    /// A hash over all packets: equal runs have equal ones.
    pub trace: u64,
}

impl DhtOutcome {
    /// Returns how many look-ups found what is there, of a hundred.
    pub fn success_percent(&self) -> f64 {
        f64::from(self.found) * 100.0 / f64::from(self.lookups.max(1))
    }

    /// Returns the mean number of queries.
    pub fn mean_queries(&self) -> f64 {
        self.queries.iter().map(|&queries| f64::from(queries)).sum::<f64>() / self.queries.len().max(1) as f64
    }

    /// Returns the value below which `percent` of a sorted list are.
    pub fn percentile(sorted: &[u32], percent: usize) -> u32 {
        sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0)
    }
}
