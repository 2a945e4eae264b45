//! What a node tells about itself.

use core::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::Id;

/// The state of both networks: that over IPv4 and that over IPv6 (BEP 32). `None`: there is no socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The network over IPv4.
    pub v4: Option<FamilyStatus>,
    /// The network over IPv6.
    pub v6: Option<FamilyStatus>,
    /// How many tasks run.
    pub tasks: u32,
    /// How many items are stored again every hour.
    pub kept: u32,
}

/// The state of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyStatus {
    /// Our id there.
    pub id: Id,
    /// Our address as others see it, once enough of them agree.
    pub external: Option<IpAddr>,
    /// Whether the id suits that address (BEP 42).
    pub secure: bool,
    /// Nodes that answered lately.
    pub good: u32,
    /// Nodes that have to show that they are still there.
    pub questionable: u32,
    /// Nodes that wait for a place.
    pub replacements: u32,
    /// By ascending distance class: the first shares no bit with our id.
    pub buckets: Vec<BucketStatus>,
    /// About how many nodes the network has, from how near those nearest to us are.
    pub network_size: Option<u64>,
    /// What went over the wire.
    pub traffic: Traffic,
    /// We say that we cannot be reached (BEP 43).
    pub read_only: bool,
    /// The table was filled once.
    pub bootstrapped: bool,
    /// Swarms that others announced to us.
    pub stored_swarms: u32,
    /// Peers of these.
    pub stored_peers: u32,
    /// Items that others stored here.
    pub stored_items: u32,
    /// Look-ups that ended, for users and for the table.
    pub lookups: u64,
    /// What happened last that a person may want to know.
    pub last_words: String,
}

/// One bucket of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketStatus {
    /// How many leading bits its nodes share with our id; the last bucket holds those that share more too.
    pub bits: u8,
    /// Nodes that answered lately.
    pub good: u8,
    /// Nodes that have to show that they are still there.
    pub questionable: u8,
    /// Nodes that wait for a place.
    pub replacements: u8,
}

/// Packets and bytes of payload, without the headers of UDP and IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Queries that we sent.
    pub queries_out: u64,
    /// Queries of others.
    pub queries_in: u64,
    /// Queries of others that we did not answer: over a limit, or malformed.
    pub dropped: u64,
    /// All packets that we sent.
    pub packets_out: u64,
    /// All packets that arrived.
    pub packets_in: u64,
    /// All bytes that we sent.
    pub bytes_out: u64,
    /// All bytes that arrived.
    pub bytes_in: u64,
}

/// A node of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its id.
    pub id: Id,
    /// Its address.
    pub address: SocketAddr,
    /// How many leading bits it shares with our id.
    pub bits: u8,
    /// Whether its id suits its address (BEP 42).
    pub secure: bool,
    /// It answered lately.
    pub good: bool,
    /// It waits for a place.
    pub replacement: bool,
    /// The time since it was heard of.
    pub silent_for: Duration,
    /// How long its answers take.
    pub rtt: Option<Duration>,
    /// Queries in a row that it did not answer.
    pub failures: u8,
}
