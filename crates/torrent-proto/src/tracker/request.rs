//! What is asked of a tracker and what it answers, whichever protocol carries it.

use core::net::{IpAddr, SocketAddr};
use std::time::Duration;

use metainfo::InfoHashV1;

use crate::wire::PeerId;

/// The most peers taken from one answer (arbitrary; trackers rarely send more than 200).
pub const MAX_PEERS: usize = 2_000;

/// The shortest interval obeyed: a tracker that asks for less gets no more (arbitrary).
const MIN_INTERVAL: Duration = Duration::from_secs(10);

/// The longest interval obeyed: a tracker that asks for more is asked once a day (arbitrary).
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The interval when a tracker names none (arbitrary; the usual one).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30 * 60);

/// What happened since the last announce (BEP 3, 21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnnounceEvent {
    /// Nothing: an announce because the interval has passed.
    #[default]
    Regular,
    /// The torrent was started.
    Started,
    /// The last wanted byte has arrived.
    Completed,
    /// The torrent was stopped.
    Stopped,
    /// We are a partial seed: incomplete, and downloading nothing (BEP 21). Said in every announce.
    Paused,
}

/// An announce (BEP 3, 7, 15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceRequest {
    /// The swarm: a v1 info-hash or a truncated v2 one (BEP 52).
    pub info_hash: InfoHashV1,
    /// Our peer id.
    pub peer_id: PeerId,
    /// The port we listen on.
    pub port: u16,
    /// Payload bytes sent since the start event.
    pub uploaded: u64,
    /// Payload bytes received since the start event.
    pub downloaded: u64,
    /// Payload bytes that are missing.
    pub left: u64,
    /// What happened.
    pub event: AnnounceEvent,
    /// Tells us apart from others behind the same address, and lets us keep our place when our address changes (BEP 7).
    pub key: u32,
    /// How many peers we would like; `None`: as many as the tracker thinks fit.
    pub want: Option<u32>,
    /// The tracker id that this tracker gave us earlier.
    pub tracker_id: Option<Vec<u8>>,
}

/// What a tracker answers to an announce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnounceResponse {
    /// When to announce again; already within the bounds we obey.
    pub interval: Duration,
    /// How soon we may announce again at the earliest.
    pub min_interval: Option<Duration>,
    /// How many seeds the swarm has.
    pub seeders: Option<u32>,
    /// How many others.
    pub leechers: Option<u32>,
    /// Peers, at most [`MAX_PEERS`]; addresses nobody can dial (port 0, unspecified, multicast) are left out.
    pub peers: Vec<SocketAddr>,
    /// A warning for the user.
    pub warning: Option<String>,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// To be sent back with the next announce to this tracker.
    pub tracker_id: Option<Vec<u8>>,
}

/// The numbers of one swarm (BEP 48).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrapeEntry {
    /// How many peers have everything.
    pub seeders: u32,
    /// How many have not.
    pub leechers: u32,
    /// How often the torrent was completed.
    pub completed: u32,
    /// How many of the leechers really download (BEP 21).
    pub downloaders: Option<u32>,
}

/// What a tracker answers to a scrape: one entry for each swarm it knows, in the order asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeResponse {
    /// The swarms.
    pub entries: Vec<(InfoHashV1, ScrapeEntry)>,
}

/// Turns an interval as a tracker sends it into one that we obey.
pub fn interval_from_seconds(seconds: i64) -> Duration {
    match u64::try_from(seconds) {
        Ok(0) | Err(_) => DEFAULT_INTERVAL,
        Ok(seconds) => Duration::from_secs(seconds).clamp(MIN_INTERVAL, MAX_INTERVAL),
    }
}

/// Tells whether an address that somebody named can be dialled at all.
pub(crate) fn can_dial(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// Reads compact peers (BEP 23 with `N` 6, BEP 7 with `N` 18); a last incomplete one is ignored.
pub(super) fn compact_peers<const N: usize>(bytes: &[u8], out: &mut Vec<SocketAddr>) {
    for peer in bytes.as_chunks::<N>().0 {
        if out.len() == MAX_PEERS {
            break;
        }
        out.extend(compact_address(peer).filter(can_dial));
    }
}

/// Reads a compact address of 6 or 18 bytes; IPv4 in an IPv6 disguise becomes IPv4.
pub(crate) fn compact_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk()?;
    Some(SocketAddr::new(ip_from_bytes(ip)?, u16::from_be_bytes(*port)))
}

/// Reads an address of 4 or 16 bytes; one of 16 that stands for one of 4 becomes that.
pub(crate) fn ip_from_bytes(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(IpAddr::from(v6).to_canonical())
}
