//! What the node offers to strangers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A service that the node offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceInfo {
    /// Its name, as `compeer up --offer` takes it.
    pub name: String,
    /// Where others find it.
    pub urls: Vec<String>,
}

/// The tracker: what it holds now, and what it was asked since it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrackerStats {
    /// Where torrents announce.
    pub urls: Vec<String>,
    /// How many swarms there are.
    pub swarms: u64,
    /// How many of them are the first to give way in a flood: one address is in each, and has not come back yet.
    pub unproven_swarms: u64,
    /// Peers that have everything, in all swarms.
    pub seeds: u64,
    /// All other peers.
    pub leechers: u64,
    /// How many of both have IPv6 addresses.
    pub ipv6_peers: u64,
    /// How many IPv4 addresses and IPv6 /64 networks they are at.
    pub addresses: u64,
    /// Memory of the swarms.
    pub memory_bytes: u64,
    /// The most that it may be.
    pub memory_limit_bytes: u64,
    /// Swarms that gave way to others.
    pub evicted_swarms: u64,
    /// Peers that gave way to others in their swarm, or found no place in it.
    pub evicted_peers: u64,
    /// How often peers are to announce.
    pub interval_s: u64,
    /// What was asked, by protocol and address family.
    pub requests: Vec<TrackerRequests>,
}

/// What was asked of the tracker over one protocol and address family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrackerRequests {
    /// `http` or `udp`.
    pub protocol: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Announces that were answered.
    pub announces: u64,
    /// Scrapes that were answered.
    pub scrapes: u64,
    /// Requests that were refused with a reason.
    pub refused: u64,
    /// Requests that could not be read, or came from elsewhere than they said.
    pub malformed: u64,
}

/// The relay: who uses it now, and what it passed on since it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RelayStats {
    /// The texts by which other nodes use it, `relays` of their `[overlay]`.
    pub urls: Vec<String>,
    /// Nodes that are connected.
    pub clients: u64,
    /// The most that may be.
    pub clients_limit: u64,
    /// Connections that were taken.
    pub accepted: u64,
    /// Connections that were refused: the policy does not admit the node, or there were too many.
    pub refused: u64,
    /// Nodes that were disconnected because the policy does not admit them any more.
    pub revoked: u64,
    /// Bytes taken from nodes for others.
    pub received_bytes: u64,
    /// Bytes given to nodes from others.
    pub sent_bytes: u64,
    /// Datagrams for nodes that are not connected.
    pub dropped: u64,
    /// How often a node was told its own address.
    pub discoveries: u64,
}

/// The mailbox: what it keeps for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailboxStats {
    /// The node's id, which others name in their settings to use it.
    pub node: String,
    /// How many nodes have a box here.
    pub boxes: u64,
    /// How many envelopes are in them.
    pub envelopes: u64,
    /// How much they take.
    pub bytes: u64,
    /// The most that they may take.
    pub bytes_limit: u64,
}
