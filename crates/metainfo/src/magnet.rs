//! Magnet links (BEP 9, 53).

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::InfoHashes;

/// A magnet link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Magnet {
    /// `xt`: which torrent.
    pub hashes: InfoHashes,
    /// `dn`: what to call it until its metadata is there. Not made safe.
    pub name: Option<String>,
    /// `tr`: tracker URLs.
    pub trackers: Vec<String>,
    /// `ws`: web seeds.
    pub web_seeds: Vec<String>,
    /// `x.pe`: peers to try.
    pub peers: Vec<PeerHint>,
    /// `so`: the files wanted, by their [`crate::File::position`]; `None`: all (BEP 53).
    pub select: Option<Vec<RangeInclusive<u32>>>,
}

/// The address of a peer to try: a name or an IP address, without brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerHint {
    /// A host name, or an IPv4 or IPv6 address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// Why a text is no magnet link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MagnetError {
    /// It does not begin with `magnet:?`.
    #[error("a magnet link begins with \"magnet:?\"")]
    NotMagnet,
    /// No parameter names a torrent.
    #[error("the magnet link names no torrent: it needs an \"xt=urn:btih:…\" or \"xt=urn:btmh:…\"")]
    NoTorrent,
    /// A parameter is malformed.
    #[error("\"{parameter}={value}\" in the magnet link is wrong: {expected}")]
    BadParameter {
        /// Which.
        parameter: String,
        /// Its value.
        value: String,
        /// What is expected instead.
        expected: &'static str,
    },
}

impl Magnet {
    /// Builds a link that only names a torrent.
    pub fn new(hashes: InfoHashes) -> Magnet {
        Magnet { hashes, name: None, trackers: Vec::new(), web_seeds: Vec::new(), peers: Vec::new(), select: None }
    }
}

impl FromStr for Magnet {
    type Err = MagnetError;

    fn from_str(text: &str) -> Result<Magnet, MagnetError> {
        let query = text.strip_prefix("magnet:?").ok_or(MagnetError::NotMagnet)?;
        let mut v1 = None;
        for pair in query.split('&') {
            if let Some(hash) = pair.strip_prefix("xt=urn:btih:") {
                v1 = hash.parse().ok();
            }
        }
        Ok(Magnet::new(InfoHashes::from_parts(v1, None).ok_or(MagnetError::NoTorrent)?))
    }
}

impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "magnet:?xt=urn:btih:{}", self.hashes.key())
    }
}

impl fmt::Display for PeerHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
