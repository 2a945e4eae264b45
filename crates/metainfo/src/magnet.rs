//! Magnet links (BEP 9, 53): what a person pastes, so that what is unknown is skipped and what names the torrent has to
//! be right.

mod parse;
mod updates;

use std::fmt;
use std::ops::RangeInclusive;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::InfoHashes;

pub(crate) use parse::distinct;
pub use updates::{UpdateLink, decode_newest, encode_newest};

/// How many values of one kind a link may have; more are left out. Arbitrary.
pub const MAX_VALUES: usize = 500;

/// Left as they are in values: RFC 3986's unreserved characters. What is reserved is encoded, since some programs that
/// pass links on cut them there.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// As [`ENCODED`], but for addresses and lists, which hold nothing that needs it (RFC 3986 allows these in a query).
const ENCODED_ADDRESS: &AsciiSet = &ENCODED.remove(b':').remove(b'[').remove(b']').remove(b',');

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
    /// The TCP port, not 0.
    pub port: u16,
}

/// Why a text is no magnet link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MagnetError {
    /// It does not begin with `magnet:?`.
    #[error("this is no magnet link: it does not begin with \"magnet:?\"")]
    NotMagnet,
    /// No parameter names a torrent.
    #[error("the magnet link names no torrent: it needs \"xt=urn:btih:\" or \"xt=urn:btmh:\" and an info-hash")]
    NoTorrent,
    /// Two parameters name different torrents.
    #[error("the magnet link names two torrents, {0} and {1}: cut one off")]
    TwoTorrents(String, String),
    /// A parameter is malformed.
    #[error("\"{parameter}={value}\" in the magnet link is wrong: {expected}")]
    BadParameter {
        /// Which.
        parameter: &'static str,
        /// Its value.
        value: String,
        /// What is expected instead.
        expected: &'static str,
    },
}

/// Why a text is no peer address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a peer: write HOST:PORT or [IPV6]:PORT, the port not 0")]
pub struct ParsePeerHintError(pub(crate) String);

impl Magnet {
    /// Builds a link that only names a torrent.
    pub fn new(hashes: InfoHashes) -> Magnet {
        Magnet { hashes, name: None, trackers: Vec::new(), web_seeds: Vec::new(), peers: Vec::new(), select: None }
    }

    /// Tells whether the file at a position of the torrent's own list is wanted.
    pub fn selects(&self, position: u32) -> bool {
        self.select.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(&position)))
    }
}

impl fmt::Display for Magnet {
    /// Writes the link; equal magnets have equal links.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "magnet:?";
        let mut next = || std::mem::replace(&mut separator, "&");
        if let Some(v1) = self.hashes.v1() {
            write!(f, "{}xt=urn:btih:{v1}", next())?;
        }
        if let Some(v2) = self.hashes.v2() {
            write!(f, "{}xt=urn:btmh:1220{v2}", next())?;
        }
        if let Some(name) = &self.name {
            write!(f, "{}dn={}", next(), utf8_percent_encode(name, ENCODED))?;
        }
        for tracker in &self.trackers {
            write!(f, "{}tr={}", next(), utf8_percent_encode(tracker, ENCODED))?;
        }
        for web_seed in &self.web_seeds {
            write!(f, "{}ws={}", next(), utf8_percent_encode(web_seed, ENCODED))?;
        }
        for peer in &self.peers {
            write!(f, "{}x.pe={}", next(), utf8_percent_encode(&peer.to_string(), ENCODED_ADDRESS))?;
        }
        if let Some(ranges) = &self.select {
            write!(f, "{}so=", next())?;
            for (i, range) in ranges.iter().enumerate() {
                f.write_str(if i > 0 { "," } else { "" })?;
                match (range.start(), range.end()) {
                    (start, end) if start == end => write!(f, "{start}")?,
                    (start, end) => write!(f, "{start}-{end}")?,
                }
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests;
