//! How fast everything together is, and each torrent.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What everything together carried in a second: all services that go through the gate, what the protocols need included;
/// datagrams of the DHT and of trackers are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Rates {
    /// The end of the second, in seconds since 1970.
    pub at_s: u64,
    /// Bytes received per second.
    pub download_bytes_per_s: u64,
    /// Bytes sent per second.
    pub upload_bytes_per_s: u64,
    /// How many connections stand.
    pub connections: u32,
    /// How much room all that was fetched takes, in bytes; of files that are here still, in torrents that are.
    pub disk_used_bytes: u64,
}

/// How fast a torrent was in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TorrentRates {
    /// When, in seconds since 1970.
    pub at_s: u64,
    /// Bytes of content received per second.
    pub download_bytes_per_s: u64,
    /// Bytes of content sent per second.
    pub upload_bytes_per_s: u64,
}
