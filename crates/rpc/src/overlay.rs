//! The connections with other nodes, by their keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A connection with another node, for one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeConnection {
    /// The other node.
    pub node: String,
    /// What its owner calls it, where we know.
    pub node_name: Option<String>,
    /// Its person, where we know one.
    pub person: Option<String>,
    /// What the person is called here.
    pub person_name: Option<String>,
    /// What is spoken.
    pub service: String,
    /// Whether the other node made it.
    pub incoming: bool,
    /// How it goes; absent while that changes.
    pub way: Option<Way>,
    /// How long there and back takes.
    pub rtt_ms: Option<f64>,
    /// Bytes of UDP payload sent, over all ways.
    pub sent_bytes: u64,
    /// Bytes of UDP payload received, over all ways.
    pub received_bytes: u64,
    /// How many streams are open.
    pub streams: u64,
    /// How long it stands.
    pub age_s: u64,
}

/// The way that a connection goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Straight to this UDP address.
    Direct(String),
    /// By a relay.
    Relayed(String),
}

/// Asks a node whether it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodePing {
    /// The id of a node, or what a contact or a node of ours is called.
    pub who: String,
    /// Where it may be reached, beside what is known; otherwise the local network and the DHT are asked, too.
    #[serde(default)]
    pub hints: Vec<String>,
    /// How often, half a second apart; the way may get better meanwhile. Absent: once.
    pub times: Option<u32>,
}

/// How a node answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodePong {
    /// The node.
    pub node: String,
    /// What its owner calls it, where we know.
    pub node_name: Option<String>,
    /// What its person is called here, where we know.
    pub person_name: Option<String>,
    /// Each answer.
    pub answers: Vec<Pong>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pong {
    /// How it came; absent while that changes.
    pub way: Option<Way>,
    /// How long there and back took.
    pub took_ms: f64,
}

/// How other nodes are met by their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OverlayInfo {
    /// This node's id.
    pub node: String,
    /// The UDP addresses that are listened on.
    pub listen: Vec<String>,
    /// Where others may reach this node.
    pub hints: Vec<String>,
    /// The relay by which others reach this node where they cannot do so directly.
    pub relay: Option<OwnRelay>,
    /// The relays of others that may be used.
    pub relays: Vec<KnownRelay>,
    /// Whether public relays may be used where none of these helps.
    pub public_relays: bool,
    /// Whether the DHT tells whoever knows the node's id where it is.
    #[serde(default)]
    pub published: bool,
    /// Whether this node was revoked: nobody that it knows speaks to it any more.
    #[serde(default)]
    pub revoked: bool,
}

/// The relay by which others reach a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnRelay {
    /// Its text.
    pub relay: String,
    /// Whether this node is connected to it.
    pub connected: bool,
    /// Why not.
    pub message: Option<String>,
}

/// A relay that may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownRelay {
    /// Its text.
    pub relay: String,
    /// Who offers it: what the person is called here; absent: the settings name it.
    pub offered_by: Option<String>,
}
