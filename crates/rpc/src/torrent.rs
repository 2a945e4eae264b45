//! Torrents, their peers, files and trackers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::SeedGoal;

/// What a torrent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TorrentState {
    /// It asks peers what its link describes.
    #[default]
    Metadata,
    /// It hashes what is on disk.
    Checking,
    /// Wanted pieces are missing.
    Downloading,
    /// Nothing wanted is missing.
    Seeding,
    /// The user paused it, or it has reached its goal.
    Paused,
    /// A failure of this computer stopped it; `error` says which.
    Failed,
}

/// A torrent in a list.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct TorrentSummary {
    /// Its name in this API: the v1 info-hash, or the first 20 bytes of the v2 one, in hexadecimal.
    pub id: String,
    /// The v1 info-hash.
    pub info_hash_v1: Option<String>,
    /// The v2 info-hash.
    pub info_hash_v2: Option<String>,
    /// What people call it.
    pub name: String,
    /// What it is doing.
    pub state: TorrentState,
    /// Why it failed.
    pub error: Option<String>,
    /// The folder that holds its content.
    pub folder: String,
    /// Its content: a file, or a folder of its own, inside `folder`; absent until the metadata is known.
    pub path: Option<String>,
    /// All payload; 0 until the metadata is known.
    pub total_bytes: u64,
    /// The payload of the wanted files.
    pub wanted_bytes: u64,
    /// The verified part of `wanted_bytes`.
    pub done_bytes: u64,
    /// How much is done of what it does now (metadata, checking, downloading), from 0 to 1.
    pub progress: f64,
    /// How long the download takes at its present rate; absent when nothing arrives.
    pub left_s: Option<u64>,
    /// Nothing wanted is missing, and the files have their final names.
    pub complete: bool,
    /// Only trackers may introduce peers (BEP 27).
    pub private: bool,
    /// Only certain people may have it: those whom it is shared with.
    #[serde(default)]
    pub confined: bool,
    /// Payload received per second.
    pub download_bytes_per_s: u64,
    /// Payload sent per second.
    pub upload_bytes_per_s: u64,
    /// Payload ever received.
    pub downloaded_bytes: u64,
    /// Payload ever sent.
    pub uploaded_bytes: u64,
    /// Bytes sent to bytes received; to the size, where the content was here from the start.
    pub ratio: f64,
    /// Time spent seeding.
    pub seeding_s: u64,
    /// How many peers are connected.
    pub peers: u32,
    /// How many of them have everything.
    pub seeds: u32,
    /// When it was added, in seconds since 1970.
    pub added_at_s: u64,
    /// The words that the user sorts it by.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The category that it is in; absent: none.
    #[serde(default)]
    pub category: Option<String>,
}

/// What changes about a torrent and no list shows.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct TorrentMore {
    /// Its own limits.
    pub limits: Limits,
    /// When its seeding ends.
    #[serde(default)]
    pub goal: SeedGoal,
    /// Pieces are fetched in order.
    pub sequential: bool,
    /// Pieces are offered one by one (BEP 16).
    #[serde(default)]
    pub super_seed: bool,
    /// Payload that arrived and was of no use.
    pub wasted_bytes: u64,
}

/// A torrent by itself.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct TorrentDetail {
    /// What a list shows, too.
    #[serde(flatten)]
    pub summary: TorrentSummary,
    /// What changes and no list shows.
    #[serde(flatten)]
    pub more: TorrentMore,
    /// A link by which others get it. It names addresses of this node; `?local=true` adds those of the local network. Empty
    /// where only certain people may have it: they are told by other ways.
    pub magnet: String,
    /// How many files it has; 0 until the metadata is known.
    pub file_count: u32,
    /// The length of a piece; 0 until the metadata is known.
    pub piece_length_bytes: u32,
    /// How many pieces it has; 0 until the metadata is known.
    pub piece_count: u32,
    /// How many pieces are verified.
    pub pieces_have: u32,
    /// A remark of who made the torrent file.
    pub comment: Option<String>,
    /// The program that made the torrent file.
    pub created_by: Option<String>,
    /// When the torrent file was made, in seconds since 1970.
    pub created_at_s: Option<u64>,
    /// Web seeds (BEP 19) and why they failed last.
    pub web_seeds: Vec<WebSeedInfo>,
    /// Trackers and what they said last.
    pub trackers: Vec<TrackerInfo>,
    /// The ways in which it finds peers, and what each gave.
    pub sources: Vec<SourceInfo>,
}

/// One of the ways in which a torrent finds peers.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SourceInfo {
    /// Which: `tracker`, `dht`, `pex`, `lsd`, `hint`, `incoming`, `resume`, `web_seed`, `people`.
    pub source: String,
    /// Whether it is used: switched on, and allowed where the torrent is private.
    pub enabled: bool,
    /// How many peers it named since the node started.
    pub given: u32,
    /// Of the connections that stand, those to peers that it named first.
    pub connected: u32,
    /// What it said or did last; empty where nothing is to be told.
    pub message: String,
    /// How long ago that was.
    pub last_s: Option<u64>,
    /// How long until it is asked again.
    pub next_s: Option<u64>,
}

/// A tracker and what it said last.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TrackerInfo {
    /// Its URL.
    pub url: String,
    /// Its tier, from 0 (BEP 12).
    pub tier: u32,
    /// Its last words, or why it cannot be reached; absent before the first answer.
    pub message: Option<String>,
    /// Whether it ever answered.
    pub answered: bool,
    /// Whether the last announce failed.
    pub failed: bool,
    /// How many seeds it knows.
    pub seeds: Option<u32>,
    /// How many leechers it knows.
    pub leechers: Option<u32>,
    /// How many peers its last answer named.
    pub peers: u32,
    /// How long until it is asked again.
    pub next_announce_s: Option<u64>,
}

/// A web seed and why it failed last.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct WebSeedInfo {
    /// Its URL.
    pub url: String,
    /// Why it failed last; absent where it did not, and once it has sent content since.
    pub message: Option<String>,
    /// Whether it ever sent content.
    pub answered: bool,
    /// Whether the last request failed, or it cannot be asked at all.
    pub failed: bool,
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct PeerInfo {
    /// Its number: no other connection of the torrent has it for as long as the node runs.
    #[serde(default)]
    pub number: u32,
    /// Its address; of a node met over the overlay, what stands for it.
    pub address: String,
    /// The node's id, where it was met over the overlay.
    #[serde(default)]
    pub node: Option<String>,
    /// Its program, as far as it says so.
    pub client: String,
    /// Where its address came from: `tracker`, `dht`, `pex`, `lsd`, `hint`, `incoming`, `resume`, `web_seed`, `people`.
    pub source: String,
    /// What carries the connection: `tcp`, `utp` or `quic`.
    pub carrier: String,
    /// How much of it is obfuscated: `none`, `handshake` or `all`.
    pub encryption: String,
    /// Whether it dialled us.
    pub incoming: bool,
    /// How much of the torrent it has, from 0 to 1.
    pub progress: f64,
    /// Payload received from it per second.
    pub download_bytes_per_s: u64,
    /// Payload sent to it per second.
    pub upload_bytes_per_s: u64,
    /// Payload received from it.
    pub downloaded_bytes: u64,
    /// Payload sent to it.
    pub uploaded_bytes: u64,
    /// It does not serve us now.
    pub choking_us: bool,
    /// We do not serve it now.
    pub choked: bool,
    /// It has something that we want.
    pub interesting: bool,
    /// It wants something of us.
    pub interested: bool,
    /// How many blocks (16 KiB) were asked of it and are not here yet.
    #[serde(default)]
    pub requests: u32,
    /// It lets our requests wait for too long.
    #[serde(default)]
    pub snubbed: bool,
}

/// How much a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FilePriority {
    /// Not fetched.
    Skip,
    /// After everything else.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct FileInfo {
    /// Its number, from 0.
    pub index: u32,
    /// Its path inside the torrent, with `/` between the parts.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// The verified part.
    pub done_bytes: u64,
    /// How much it is wanted.
    pub priority: FilePriority,
}

/// Changes how much one file is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileChoice {
    /// Its number, from 0.
    pub index: u32,
    /// How much it is wanted.
    pub priority: FilePriority,
}

/// Rates that are not exceeded; absent: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Payload received per second.
    pub download_bytes_per_s: Option<u64>,
    /// Payload sent per second.
    pub upload_bytes_per_s: Option<u64>,
    /// Connections, of a torrent, in place of the budget's `connections_per_torrent`. Those of the node are in the budget.
    pub connections: Option<u32>,
}

/// Names a peer to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPeerRequest {
    /// Its address, as `host:port`.
    pub address: String,
}

/// Asks the node to fetch something. Exactly one of `link` and `torrent_base64` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AddRequest {
    /// A magnet link, or the http(s) URL of a torrent file.
    pub link: Option<String>,
    /// The bytes of a torrent file, in base64.
    pub torrent_base64: Option<String>,
    /// The absolute path of the folder in which the content's own file or folder is made; that of its category or the node's
    /// own by default.
    pub folder: Option<String>,
    /// Do not begin yet.
    pub paused: bool,
    /// Fetch nothing but the metadata, so that it can be looked at: once name, size and files are known it is paused. No file
    /// is made. `resume` begins it, after a choice of files; `DELETE` removes it without a trace.
    pub metadata_only: bool,
    /// Fetch pieces in order.
    pub sequential: bool,
    /// Ask no tracker.
    pub no_tracker: bool,
    /// More trackers.
    pub trackers: Vec<String>,
    /// Peers to connect to, as `host:port`.
    pub peers: Vec<String>,
    /// The files wanted, by number; all when absent.
    pub files: Option<Vec<u32>>,
    /// Stop seeding at this ratio of bytes sent to the size.
    pub seed_ratio: Option<f64>,
    /// Stop seeding after this time.
    pub seed_time_s: Option<u64>,
    /// Stop seeding when nothing was sent for this time.
    pub seed_idle_s: Option<u64>,
    /// Its own limits.
    pub limits: Limits,
    /// The words to sort it by.
    pub labels: Vec<String>,
    /// The category that it is in, which is made if there is none of that name.
    pub category: Option<String>,
}

/// Says where in a file somebody reads, so that these bytes are fetched first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadRequest {
    /// The number of the file.
    pub file: u32,
    /// Where in the file, in bytes.
    pub offset_bytes: u64,
    /// How many bytes from there, at most 256 pieces; 0: nobody reads any more.
    pub length_bytes: u64,
}

/// A link by which a file can be read without the token, also while it is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamLink {
    /// The link: whoever knows it, on this computer, can read the file until the node ends.
    pub url: String,
    /// The file's own name.
    pub name: String,
    /// How long it is.
    pub size_bytes: u64,
    /// What is in it, by its name.
    pub content_type: String,
}

/// Moves the content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveRequest {
    /// The absolute path of the folder in which the content's own file or folder is to lie.
    pub folder: String,
}

/// The answer to an [`AddRequest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Added {
    /// The node had it already: nothing was changed but peers, trackers and labels added, and a category where it had none.
    pub existed: bool,
    /// The torrent.
    pub torrent: TorrentSummary,
}
