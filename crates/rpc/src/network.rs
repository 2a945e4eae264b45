//! How this node finds and reaches others.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::OverlayInfo;

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
