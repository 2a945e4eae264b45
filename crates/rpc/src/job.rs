//! Work that takes a while before there is a torrent to look at: hashing a share, copying out what the node holds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which kind of torrent is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TorrentFormat {
    /// Understood by every client (BEP 3).
    #[default]
    V1,
    /// Understood by every v1 client, with v2 hashes beside it (BEP 52).
    Hybrid,
    /// Only for clients that know v2 (BEP 52).
    V2,
}

/// Asks the node to hash a file or folder on its own computer and to seed it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ShareRequest {
    /// The absolute path of a file or folder.
    pub path: String,
    /// v1, hybrid or v2.
    pub format: TorrentFormat,
    /// The piece length in bytes, a power of two from 16 KiB; chosen by the size when absent.
    pub piece_length_bytes: Option<u32>,
    /// Only trackers may introduce peers (BEP 27).
    pub private: bool,
    /// Trackers, in tiers (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// Web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// A remark for people.
    pub comment: Option<String>,
    /// Makes the info-hash differ from that of the same files shared elsewhere.
    pub source: Option<String>,
    /// Peers to connect to, as `host:port`.
    pub peers: Vec<String>,
    /// Stop seeding at this ratio of bytes sent to the size.
    pub seed_ratio: Option<f64>,
    /// Stop seeding after this time.
    pub seed_time_s: Option<u64>,
    /// Stop seeding when nothing was sent for this time.
    pub seed_idle_s: Option<u64>,
    /// The words to sort it by.
    pub labels: Vec<String>,
    /// The category that it is in, which is made if there is none of that name.
    pub category: Option<String>,
    /// Name addresses of the local network and of this computer in the link, too.
    pub local: bool,
    /// Tell no tracker.
    pub no_tracker: bool,
    /// Offer pieces one by one, so that the first copy spreads fastest (BEP 16).
    #[serde(default)]
    pub super_seed: bool,
    /// Publish which torrent is the newest version of this path, under a key that stays (BEP 46).
    #[serde(default)]
    pub updates: bool,
    /// Only for these people, by name or id. With them, or groups, it is v2, salted, announced nowhere and refused to
    /// everybody else; of the other fields only `note`, the seeding goals and what it is sorted by
    /// count.
    pub to: Vec<String>,
    /// Only for the members of these groups, by name or id.
    pub groups: Vec<String>,
    /// A remark for them.
    pub note: Option<String>,
}

/// Asks the node to copy what it holds, verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyRequest {
    /// The absolute path of the folder in which the content's own file or folder is made.
    pub folder: String,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Hashes a file or folder, then seeds it.
    Share,
    /// Copies out what the node holds, and verifies the copy.
    Copy,
    /// Takes something of somebody's library: lasts while it is hashed there.
    Take,
    /// Hashes a file or folder, then writes the message that it goes with.
    Attach,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It goes on.
    Running,
    /// It is done.
    Done,
    /// It failed; `problem` says why.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

/// Something that was left out of a share, since no torrent can carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// What.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// A job and its progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its number, counted from 1 since the node started.
    pub id: u64,
    /// What it does.
    pub kind: JobKind,
    /// How far it is.
    pub state: JobState,
    /// What it works on: the path that is shared or copied to.
    pub path: String,
    /// The torrent, as soon as there is one.
    pub torrent: Option<String>,
    /// The message that it went with, once that is written.
    #[serde(default)]
    pub message: Option<String>,
    /// Bytes done.
    pub done_bytes: u64,
    /// Bytes in all; 0 until they are counted.
    pub total_bytes: u64,
    /// How long it has been running, or ran.
    pub elapsed_ms: u64,
    /// What was left out of a share.
    pub skipped: Vec<Skipped>,
    /// Why it failed.
    pub problem: Option<crate::Problem>,
}
