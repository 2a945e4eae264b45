//! Reading links.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::str::FromStr;

use data_encoding::HEXLOWER_PERMISSIVE;
use percent_encoding::percent_decode_str;

use super::{MAX_VALUES, Magnet, MagnetError, ParsePeerHintError, PeerHint};
use crate::{InfoHashV1, InfoHashV2, InfoHashes};

/// How long a host name may be, in bytes (RFC 1035).
const MAX_HOST_LEN: usize = 253;

impl FromStr for Magnet {
    type Err = MagnetError;

    /// Reads a link. Unknown parameters, and peers that are no addresses, are skipped.
    fn from_str(text: &str) -> Result<Magnet, MagnetError> {
        let (mut v1, mut v2) = (None, None);
        let mut rest = Rest::default();
        for (kind, value) in parameters(text).ok_or(MagnetError::NotMagnet)? {
            match kind {
                "xt" => topic(&decoded(value), &mut v1, &mut v2)?,
                _ => rest.take(kind, value)?,
            }
        }
        let hashes = InfoHashes::from_parts(v1, v2).ok_or(MagnetError::NoTorrent)?;
        let Rest { name, trackers, web_seeds, peers, select } = rest;
        Ok(Magnet { hashes, name, trackers, web_seeds, peers, select })
    }
}

/// Splits a link into its parameters, still encoded; `None`: it is no magnet link. Several of a kind may be numbered:
/// xt.1, tr.2.
pub(super) fn parameters(text: &str) -> Option<impl Iterator<Item = (&str, &str)>> {
    let text = text.trim();
    let scheme = text.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("magnet:?"))?;
    let pairs = text[scheme.len()..].split('&').filter_map(|pair| pair.split_once('='));
    Some(pairs.map(|(key, value)| match key.split_once('.') {
        Some((kind, number)) if number.bytes().all(|b| b.is_ascii_digit()) => (kind, value),
        _ => (key, value),
    }))
}

/// Everything but the torrent's names.
#[derive(Default)]
pub(super) struct Rest {
    pub(super) name: Option<String>,
    pub(super) trackers: Vec<String>,
    pub(super) web_seeds: Vec<String>,
    pub(super) peers: Vec<PeerHint>,
    pub(super) select: Option<Vec<RangeInclusive<u32>>>,
}

impl Rest {
    pub(super) fn take(&mut self, kind: &str, value: &str) -> Result<(), MagnetError> {
        match kind {
            // Many programs write spaces of names the way forms do.
            "dn" => self.name = Some(decoded(&value.replace('+', " ")).into_owned()).filter(|name| !name.is_empty()),
            "tr" => add(&mut self.trackers, decoded(value).into_owned()),
            "ws" => add(&mut self.web_seeds, decoded(value).into_owned()),
            "x.pe" => {
                if let Ok(peer) = decoded(value).parse()
                    && self.peers.len() < MAX_VALUES
                    && !self.peers.contains(&peer)
                {
                    self.peers.push(peer);
                }
            }
            "so" => self.select = Some(selection(&decoded(value))?),
            _ => {}
        }
        Ok(())
    }
}

/// Puts a value behind the others, unless it is empty, there already, or one too many.
fn add(list: &mut Vec<String>, value: String) {
    if !value.is_empty() && list.len() < MAX_VALUES && !list.contains(&value) {
        list.push(value);
    }
}

/// Returns the values that a link can hold, in their order: each once, at most [`MAX_VALUES`].
pub(crate) fn distinct<'a>(values: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut list = Vec::new();
    values.into_iter().for_each(|value| add(&mut list, value.clone()));
    list
}

pub(super) fn decoded(value: &str) -> Cow<'_, str> {
    percent_decode_str(value).decode_utf8_lossy()
}

/// Reads an exact topic; those of other systems are skipped.
fn topic(text: &str, v1: &mut Option<InfoHashV1>, v2: &mut Option<InfoHashV2>) -> Result<(), MagnetError> {
    let bad = |expected| MagnetError::BadParameter { parameter: "xt", value: text.to_owned(), expected };
    match text.get(..9) {
        Some(urn) if urn.eq_ignore_ascii_case("urn:btih:") => {
            let why = "after urn:btih: come 40 hexadecimal digits, or 32 characters of base32";
            let hash = text[9..].parse().map_err(|_| bad(why))?;
            once(v1, hash)
        }
        Some(urn) if urn.eq_ignore_ascii_case("urn:btmh:") => {
            let why = "after urn:btmh: come 1220 (SHA-256) and 64 hexadecimal digits";
            let multihash = HEXLOWER_PERMISSIVE.decode(&text.as_bytes()[9..]).map_err(|_| bad(why))?;
            // The multihash prefix: function 0x12 (SHA-256), 0x20 bytes.
            let hash = multihash.strip_prefix(&[0x12, 0x20]).and_then(|hash| hash.try_into().ok());
            once(v2, InfoHashV2(hash.ok_or(bad(why))?))
        }
        _ => Ok(()),
    }
}

fn once<H: PartialEq + ToString>(known: &mut Option<H>, hash: H) -> Result<(), MagnetError> {
    match known {
        Some(other) if *other != hash => Err(MagnetError::TwoTorrents(other.to_string(), hash.to_string())),
        _ => {
            *known = Some(hash);
            Ok(())
        }
    }
}

/// Reads `0,2,4-8` (BEP 53).
fn selection(text: &str) -> Result<Vec<RangeInclusive<u32>>, MagnetError> {
    let bad = || MagnetError::BadParameter {
        parameter: "so",
        value: text.to_owned(),
        expected: "file numbers and ranges, such as 0,2,4-8",
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits).ok_or_else(bad)
    };
    let mut ranges = Vec::new();
    for part in text.split(',') {
        let range = match part.split_once('-') {
            Some((first, last)) => number(first)?..=number(last)?,
            None => number(part)?..=number(part)?,
        };
        if range.is_empty() || ranges.len() == MAX_VALUES {
            return Err(bad());
        }
        ranges.push(range);
    }
    Ok(ranges)
}

impl FromStr for PeerHint {
    type Err = ParsePeerHintError;

    /// Reads `HOST:PORT` or `[IPV6]:PORT`.
    fn from_str(text: &str) -> Result<PeerHint, ParsePeerHintError> {
        let parse = || {
            let (host, port) = text.rsplit_once(':')?;
            let port = port.parse().ok().filter(|&p: &u16| p > 0 && port.bytes().all(|b| b.is_ascii_digit()))?;
            let host = match host.strip_prefix('[') {
                Some(rest) => rest.strip_suffix(']').filter(|ip| ip.parse::<core::net::Ipv6Addr>().is_ok())?,
                None => Some(host).filter(|host| is_host(host))?,
            };
            Some(PeerHint { host: host.to_owned(), port })
        };
        parse().ok_or_else(|| ParsePeerHintError(text.to_owned()))
    }
}

/// Tells whether a text can be a host name (also an international one) or an IPv4 address.
fn is_host(host: &str) -> bool {
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    !host.is_empty() && host.len() <= MAX_HOST_LEN && host.chars().all(legal)
}
