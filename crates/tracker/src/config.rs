//! The settings of a tracker.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use metainfo::{InfoHashV1, InfoHashV2};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::proto::Limits;

/// The port that trackers usually have (opentracker's).
const PORT: u16 = 6969;

/// The settings: `[offer.tracker]` of the node's configuration. Every limit holds whatever strangers send.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Offer it whenever the node runs, without being told to on the command line.
    pub on: bool,
    /// The addresses that are served, each over HTTP (TCP) and UDP.
    pub listen: Vec<SocketAddr>,
    /// The only torrents that are served, by info-hash (of a v2 torrent its 64 digits, or the first 40); empty: all.
    #[serde(deserialize_with = "info_hashes")]
    pub only: BTreeSet<InfoHashV1>,
    /// How often peers are to announce, in seconds. Who is silent for twice as long is gone.
    pub interval_s: u64,
    /// Swarms at once.
    pub swarms: usize,
    /// Peers of one swarm.
    pub peers_per_swarm: usize,
    /// Peers of one IPv4 address, or of one IPv6 /64, in all swarms together.
    pub peers_per_address: u32,
    /// Requests of one IPv4 address, or of one IPv6 /64, that are answered in a second, on average; ten times as many at
    /// once.
    pub requests_per_address_s: u32,
    /// Memory for swarms and peers, for example `"64M"`.
    #[serde(deserialize_with = "size")]
    pub memory: u64,
    /// HTTP connections at once.
    pub connections: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            on: false,
            listen: vec![
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)),
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)),
            ],
            only: BTreeSet::new(),
            // Half an hour is the usual interval.
            interval_s: 30 * 60,
            // Arbitrary, all five: 64 MiB hold 100,000 swarms of some ten peers.
            swarms: 100_000,
            peers_per_swarm: 5_000,
            peers_per_address: 2_000,
            // Arbitrary: all peers that an address may have announce once in 20 seconds.
            requests_per_address_s: 100,
            memory: 64 << 20,
            connections: 1_000,
        }
    }
}

impl Config {
    /// Says what is wrong with the settings.
    pub fn check(&self) -> Result<(), String> {
        if self.listen.is_empty() || self.listen.len() > MAX_LISTEN {
            return Err(format!("offer.tracker.listen has to name 1 to {MAX_LISTEN} addresses"));
        }
        if !(10..=86_400).contains(&self.interval_s) {
            return Err("offer.tracker.interval_s has to be from 10 to 86400".into());
        }
        let per_address = [self.peers_per_address, self.requests_per_address_s].map(|limit| limit as usize);
        let counts = [self.swarms, self.peers_per_swarm, self.connections];
        if counts.iter().chain(&per_address).any(|&limit| limit == 0) {
            return Err("a limit of offer.tracker is 0; to switch the tracker off, set on = false".into());
        }
        if self.memory < MIN_MEMORY {
            return Err("offer.tracker.memory has to be 1M or more".into());
        }
        Ok(())
    }

    /// Returns what the table holds at most.
    pub(crate) fn limits(&self) -> Limits {
        let interval = Duration::from_secs(self.interval_s);
        Limits {
            swarms: self.swarms,
            peers_per_swarm: self.peers_per_swarm,
            peers_per_host: self.peers_per_address,
            requests_per_host_s: self.requests_per_address_s,
            memory_bytes: self.memory,
            interval,
            // Arbitrary: often enough for a client that lost its peers.
            min_interval: interval / 6,
            listed: (!self.only.is_empty()).then(|| self.only.clone()),
        }
    }
}

/// The most addresses; each has two sockets and two tasks (arbitrary).
const MAX_LISTEN: usize = 16;

/// The least memory that makes sense, in bytes (arbitrary).
const MIN_MEMORY: u64 = 1 << 20;

fn info_hashes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<InfoHashV1>, D::Error> {
    let texts: Vec<String> = Vec::deserialize(deserializer)?;
    let parse = |text: &String| match text.len() {
        64 => text.parse::<InfoHashV2>().map(InfoHashV2::truncated),
        _ => text.parse::<InfoHashV1>(),
    };
    texts.iter().map(parse).collect::<Result<_, _>>().map_err(D::Error::custom)
}

/// Reads a number of bytes, or a text such as `"64M"`.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Number(u64),
        Text(String),
    }
    match Size::deserialize(deserializer)? {
        Size::Number(bytes) => Ok(bytes),
        Size::Text(text) => base::units::parse_bytes(&text).map_err(D::Error::custom),
    }
}
