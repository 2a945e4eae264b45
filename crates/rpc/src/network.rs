//! How this node finds and reaches others.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DhtInfo, DhtNodeInfo, MailboxStats, NodeConnection, OverlayInfo, RelayStats, TrackerStats, UsageInfo};

/// How peers are found and reached.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct NetworkInfo {
    /// The addresses on which peers are awaited.
    pub listen: Vec<String>,
    /// Our address as others see it, for each family of which that is known.
    pub external: Vec<String>,
    /// The port by which peers reach us: that of the port mapping, or else our own.
    pub external_port: Option<u16>,
    /// The carriers that are used, the preferred one first: `tcp`, `utp`.
    pub carriers: Vec<String>,
    /// `prefer`, `require` or `off`.
    pub encryption: String,
    /// The DHT.
    pub dht: NetworkPart,
    /// Peer exchange (BEP 11).
    pub pex: NetworkPart,
    /// Local service discovery (BEP 14).
    pub lsd: NetworkPart,
    /// Port mapping.
    pub mapping: NetworkPart,
    /// Hole punching (BEP 55).
    pub holepunch: NetworkPart,
    /// How other nodes are met by their keys; absent: the node has no identity, or the overlay is off.
    #[serde(default)]
    pub overlay: Option<OverlayInfo>,
}

/// A part of the network that can be switched off.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct NetworkPart {
    /// Whether it is on.
    pub enabled: bool,
    /// What it says about itself; empty where nothing is to be told.
    pub message: String,
}

/// What the services that run say of themselves.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ServiceStats {
    /// Absent: the node offers no tracker.
    pub tracker: Option<TrackerStats>,
    /// Absent: the node offers no relay.
    pub relay: Option<RelayStats>,
    /// Absent: the node offers no mailbox.
    pub mailbox: Option<MailboxStats>,
}

/// Through which ways peers were found, over several torrents.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct FoundPeers {
    /// How many torrents were asked: those with the most peers, and not too many.
    pub torrents: u32,
    /// How many there are that look for peers, or were a moment ago.
    pub running: u32,
    /// The ways.
    pub sources: Vec<FoundBySource>,
}

/// What one way found.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct FoundBySource {
    /// Which: one of those of a torrent.
    pub source: String,
    /// Whether any of the torrents uses it.
    pub enabled: bool,
    /// How many peers it named since the node started.
    pub given: u32,
    /// Of the connections that stand, those to peers that it named first.
    pub connected: u32,
}

/// Nodes of the DHT's table that changed; the others are as they were. A node is known by its id and address.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtNodeChanges {
    /// Those that came, were heard of again, or changed. How long one is silent is told with these alone: it grows by itself.
    pub changed: Vec<DhtNodeInfo>,
    /// Those that are gone, as they were told last.
    pub removed: Vec<DhtNodeInfo>,
}

/// One server-sent event about the network around the node. All but the changes come at once, unless the stream goes on behind an
/// event that an earlier one told, and again when they changed, once a second at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum NetworkEvent {
    /// Who uses what now, all of it.
    Usage(UsageInfo),
    /// The connections with other nodes, all of them, with their numbers.
    Connections(Vec<NodeConnection>),
    /// How peers are found and reached.
    Network(Box<NetworkInfo>),
    /// The DHT; null: it is switched off.
    Dht(Option<Box<DhtInfo>>),
    /// The nodes of the DHT's table, all of them.
    DhtNodes(Vec<DhtNodeInfo>),
    /// Some of these nodes changed.
    DhtNodeChanges(DhtNodeChanges),
    /// What the services that run say of themselves.
    Services(Box<ServiceStats>),
    /// Through which ways peers were found.
    Found(FoundPeers),
}
