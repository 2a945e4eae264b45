//! Shares that change, and links to the newest version of one (BEP 46).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A share that changes: one of this node, or one that it follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdatesInfo {
    /// The link to the newest version.
    pub link: String,
    /// Whether this node says which version is the newest.
    pub published: bool,
    /// What is shared, of one that this node publishes.
    pub path: Option<String>,
    /// The torrent that is the newest version known.
    pub torrent: String,
    /// The number of that version; it only grows.
    pub seq: i64,
    /// On how many nodes of the DHT it was stored last, of one that this node publishes.
    pub stored_nodes: Option<u32>,
    /// What happened last, in a sentence; empty when nothing has.
    pub message: String,
}

/// Asks the node to follow a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowRequest {
    /// The link: `magnet:?xs=urn:btpk:` and a key.
    pub link: String,
    /// The torrent that is the version known; newer ones take its place, in its folder.
    pub torrent: String,
    /// The number of that version.
    pub seq: i64,
}
