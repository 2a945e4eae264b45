//! The node as a whole.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ServiceInfo;

/// How long a node means to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeMode {
    /// `compeer up`: until it is told to stop.
    Daemon,
    /// Inside `share` or `get`: until that command ends.
    Embedded,
}

/// How other computers reach the API: by TLS, after a log-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemoteInfo {
    /// Where the page is.
    pub url: String,
    /// SHA-256 of the certificate, to be compared with what the browser shows.
    pub fingerprint: String,
}

/// What the node is and does now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionInfo {
    /// The version of the program.
    pub version: String,
    /// How long it means to run.
    pub mode: NodeMode,
    /// Its process id.
    pub process_id: u32,
    /// Its data directory.
    pub home: String,
    /// Where downloads go by default.
    pub download_folder: String,
    /// The addresses on which it waits for peers.
    pub listen: Vec<String>,
    /// How many torrents it has.
    pub torrents: u32,
    /// How many peers are connected.
    pub peers: u32,
    /// Payload received per second.
    pub download_bytes_per_s: u64,
    /// Payload sent per second.
    pub upload_bytes_per_s: u64,
    /// What it offers to strangers.
    #[serde(default)]
    pub services: Vec<ServiceInfo>,
    /// Why everything rests now: `paused`, `schedule` or `administrator`; absent: it does not.
    #[serde(default)]
    pub rests: Option<String>,
    /// Why a change of a file of settings does not hold: what held before it does; absent: all that is written holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mistake: Option<String>,
    /// How other computers reach the API; absent: they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteInfo>,
    /// How long it has been running.
    pub uptime_s: u64,
}
