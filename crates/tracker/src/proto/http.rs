//! Paths in, bencoded answers out (BEP 3, 7, 23, 24, 31, 48).
//!
//! `/announce` and `/scrape`; everything else is not there. Only the address of the connection is believed: `ip`, `ipv4`,
//! `ipv6` and what a proxy may add are ignored, or anybody could announce anybody.

use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;

use base::Now;
use bytes::Bytes;
use metainfo::InfoHashV1;
use metainfo::bencode::{self, Tree};
use percent_encoding::percent_decode;
use torrent_proto::tracker::{AnnounceEvent, AnnounceRequest, AnnounceResponse};
use torrent_proto::wire::PeerId;

use super::core::{Core, DEFAULT_WANT};
use super::stats::Family;
use super::table::Refusal;

/// The most peers in an answer (arbitrary; the usual one).
const MAX_PEERS: u32 = 200;

/// The most swarms in one scrape; what is named beyond them is ignored (arbitrary; BEP 15 has about as many).
const MAX_SCRAPE: usize = 74;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The HTTP status: 200, also where the tracker refuses, or 404.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// When a refused client may ask again (BEP 31).
#[derive(Clone, Copy)]
enum Retry {
    Never,
    Minutes(u64),
}

impl Core {
    /// Answers a request for a path with its query.
    pub fn http(&mut self, now: Now, from: IpAddr, path: &str, query: &str) -> HttpAnswer {
        let family = Family::from(from);
        if !self.rates.admit(now.mono, from) {
            self.stats.http_mut(family).refused += 1;
            let why = Refusal::Rate;
            return HttpAnswer { status: 200, body: failure(&why.to_string(), self.retry(why)) };
        }
        let body = match path {
            "/announce" => match parse_announce(query) {
                Ok(asked) => match self.table.announce(now.mono, from, &asked.announce, asked.most) {
                    Ok(response) => {
                        self.stats.http_mut(family).announces += 1;
                        asked.answer(&response)
                    }
                    Err(why) => {
                        self.stats.http_mut(family).refused += 1;
                        failure(&why.to_string(), self.retry(why))
                    }
                },
                Err(why) => {
                    self.stats.http_mut(family).malformed += 1;
                    failure(why, Retry::Never)
                }
            },
            "/scrape" => self.scrape(family, query),
            _ => return HttpAnswer { status: 404, body: b"announce at /announce\n".to_vec() },
        };
        HttpAnswer { status: 200, body }
    }

    fn scrape(&mut self, family: Family, query: &str) -> Vec<u8> {
        let hashes: Option<Vec<InfoHashV1>> = parameters(query)
            .filter(|(key, _)| *key == "info_hash")
            .take(MAX_SCRAPE)
            .map(|(_, value)| <[u8; 20]>::try_from(value.as_ref()).ok().map(InfoHashV1))
            .collect();
        let Some(hashes) = hashes else {
            self.stats.http_mut(family).malformed += 1;
            return failure("an info_hash is not 20 bytes long", Retry::Never);
        };
        if hashes.is_empty() {
            self.stats.http_mut(family).refused += 1;
            return failure("name the torrents to scrape", Retry::Never);
        }
        self.stats.http_mut(family).scrapes += 1;
        let files = hashes.iter().filter_map(|hash| {
            let entry = self.table.scrape(*hash)?;
            let mut numbers =
                vec![("complete", entry.seeders), ("downloaded", entry.completed), ("incomplete", entry.leechers)];
            numbers.extend(entry.downloaders.map(|number| ("downloaders", number)));
            let numbers = Tree::dict(numbers.into_iter().map(|(key, number)| (key, i64::from(number))));
            Some((Bytes::copy_from_slice(&hash.0), numbers))
        });
        let files = Tree::Dict(files.collect());
        let wait = Tree::dict([("min_request_interval", seconds(self.table.limits().min_interval))]);
        bencode::encode(&Tree::dict([("files", files), ("flags", wait)]))
    }

    fn retry(&self, why: Refusal) -> Retry {
        match why {
            Refusal::Unlisted => Retry::Never,
            Refusal::Host | Refusal::Rate | Refusal::Full => {
                Retry::Minutes(self.table.limits().interval.as_secs().div_ceil(60))
            }
        }
    }
}

/// An announce, and how it is to be answered.
struct Asked {
    announce: AnnounceRequest,
    most: usize,
    compact: bool,
}

impl Asked {
    fn answer(&self, response: &AnnounceResponse) -> Vec<u8> {
        let (v4, v6): (Vec<SocketAddr>, Vec<SocketAddr>) = response.peers.iter().partition(|peer| peer.is_ipv4());
        let mut answer = vec![("interval", Tree::Int(seconds(response.interval)))];
        answer.extend(response.min_interval.map(|time| ("min interval", Tree::Int(seconds(time)))));
        answer.extend(response.seeders.map(|number| ("complete", Tree::Int(number.into()))));
        answer.extend(response.leechers.map(|number| ("incomplete", Tree::Int(number.into()))));
        answer.extend(response.external_ip.map(|ip| ("external ip", Tree::Bytes(octets(ip).into()))));
        if self.compact {
            answer.push(("peers", Tree::Bytes(compact(&v4).into())));
            if !v6.is_empty() {
                answer.push(("peers6", Tree::Bytes(compact(&v6).into())));
            }
        } else {
            // Without peer ids: they are not kept, and who connects is told (BEP 3, handshake).
            let listed = response.peers.iter().map(|peer| {
                let ip = Tree::Bytes(peer.ip().to_string().into());
                Tree::dict([("ip", ip), ("port", Tree::Int(peer.port().into()))])
            });
            answer.push(("peers", Tree::List(listed.collect())));
        }
        bencode::encode(&Tree::dict(answer))
    }
}

/// Reads the query of an announce; an error is for the client's user.
fn parse_announce(query: &str) -> Result<Asked, &'static str> {
    let (mut info_hash, mut peer_id, mut port, mut left) = (None, None, None, 0);
    let (mut uploaded, mut downloaded, mut key, mut want) = (0, 0, 0, DEFAULT_WANT);
    let (mut event, mut compact) = (AnnounceEvent::Regular, true);
    for (name, value) in parameters(query) {
        let text = std::str::from_utf8(&value).unwrap_or_default();
        match name {
            "info_hash" => {
                info_hash =
                    Some(<[u8; 20]>::try_from(value.as_ref()).map_err(|_| "the info_hash is not 20 bytes long")?);
            }
            "peer_id" => {
                peer_id = Some(<[u8; 20]>::try_from(value.as_ref()).map_err(|_| "the peer_id is not 20 bytes long")?);
            }
            "port" => port = Some(text.parse::<u16>().map_err(|_| "the port is not a number from 0 to 65535")?),
            // Some clients say -1, or more than there is, before they know: that is not nothing.
            "left" => left = text.parse::<u64>().unwrap_or(u64::MAX),
            "uploaded" => uploaded = text.parse().unwrap_or_default(),
            "downloaded" => downloaded = text.parse().unwrap_or_default(),
            // A negative number is a way to say "as many as you like".
            "numwant" => want = text.parse().unwrap_or(DEFAULT_WANT),
            "compact" => compact = text != "0",
            "key" => key = hash_key(&value),
            "event" => {
                event = match text {
                    "started" => AnnounceEvent::Started,
                    "completed" => AnnounceEvent::Completed,
                    "stopped" => AnnounceEvent::Stopped,
                    "paused" => AnnounceEvent::Paused,
                    _ => AnnounceEvent::Regular,
                };
            }
            _ => {}
        }
    }
    let announce = AnnounceRequest {
        info_hash: InfoHashV1(info_hash.ok_or("the info_hash is missing")?),
        peer_id: PeerId(peer_id.ok_or("the peer_id is missing")?),
        port: port.ok_or("the port is missing")?,
        uploaded,
        downloaded,
        left,
        event,
        key,
        want: Some(want),
        tracker_id: None,
    };
    Ok(Asked { announce, most: want.min(MAX_PEERS) as usize, compact })
}

/// Turns a key, which BEP 7 leaves to the client, into a number: hexadecimal as in UDP where it is that, or else any
/// number that differs where keys differ (FNV-1a).
fn hash_key(value: &[u8]) -> u32 {
    let text = std::str::from_utf8(value).ok();
    text.and_then(|text| u32::from_str_radix(text, 16).ok()).unwrap_or_else(|| {
        value.iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    })
}

/// Splits a query. A `+` is a plus: info-hashes are bytes, not the text of a form.
fn parameters(query: &str) -> impl Iterator<Item = (&str, Cow<'_, [u8]>)> {
    query.split('&').filter_map(|part| {
        let (key, value) = part.split_once('=')?;
        Some((key, Cow::from(percent_decode(value.as_bytes()))))
    })
}

fn failure(reason: &str, retry: Retry) -> Vec<u8> {
    let retry = match retry {
        Retry::Never => "never".to_owned(),
        Retry::Minutes(minutes) => minutes.to_string(),
    };
    let words = [("failure reason", Tree::bytes(reason.as_bytes())), ("retry in", Tree::Bytes(retry.into()))];
    bencode::encode(&Tree::dict(words))
}

fn compact(peers: &[SocketAddr]) -> Vec<u8> {
    let mut out = Vec::with_capacity(peers.len() * 18);
    for peer in peers {
        out.extend_from_slice(&octets(peer.ip()));
        out.extend_from_slice(&peer.port().to_be_bytes());
    }
    out
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn seconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
