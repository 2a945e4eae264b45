//! The packets.

use core::net::{IpAddr, SocketAddr};

use metainfo::InfoHashV1;

use crate::tracker::error::{Retry, TrackerError};
use crate::tracker::request::{
    AnnounceEvent, AnnounceRequest, AnnounceResponse, MAX_PEERS, ScrapeEntry, compact_peers, interval_from_seconds,
};
use crate::wire::PeerId;

/// The longest packet read, in bytes: what a UDP datagram can carry.
pub const MAX_PACKET_LEN: usize = 65_507;

/// The most info-hashes in one scrape (BEP 15: up to about 74).
pub const MAX_SCRAPE: usize = 74;

/// The longest path and query sent or read, in bytes: eight options of 255 (arbitrary).
const MAX_URL_DATA: usize = 8 * 255;

/// The connection id of a connect request (BEP 15).
const PROTOCOL_ID: u64 = 0x417_2710_1980;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// Options behind an announce (BEP 41).
const END_OF_OPTIONS: u8 = 0;
const NOP: u8 = 1;
const URL_DATA: u8 = 2;

/// What a tracker hands out to prove that a sender's address is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId(pub u64);

/// What an answer repeats of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionId(pub u32);

/// Which compact form peers have: that of the addresses the packets travel between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// 6 bytes a peer.
    V4,
    /// 18 bytes a peer.
    V6,
}

/// A packet to a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Asks for a connection id.
    Connect {
        /// To be repeated in the answer.
        transaction: TransactionId,
    },
    /// Announces.
    Announce {
        /// From the answer to a connect request.
        connection: ConnectionId,
        /// To be repeated in the answer.
        transaction: TransactionId,
        /// The announce. The tracker id has no place in it, nor has [`AnnounceEvent::Paused`].
        announce: AnnounceRequest,
        /// Path and query of the tracker's URL (BEP 41).
        url_data: String,
    },
    /// Scrapes.
    Scrape {
        /// From the answer to a connect request.
        connection: ConnectionId,
        /// To be repeated in the answer.
        transaction: TransactionId,
        /// The swarms asked about, at most [`MAX_SCRAPE`].
        info_hashes: Vec<InfoHashV1>,
    },
}

/// A packet from a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a connect request.
    Connected {
        /// Of the request.
        transaction: TransactionId,
        /// To be used for at most a minute.
        connection: ConnectionId,
    },
    /// To an announce.
    Announced {
        /// Of the request.
        transaction: TransactionId,
        /// The answer.
        response: AnnounceResponse,
    },
    /// To a scrape, in the order of the request.
    Scraped {
        /// Of the request.
        transaction: TransactionId,
        /// The swarms.
        entries: Vec<ScrapeEntry>,
    },
    /// To any request: it is refused.
    Error {
        /// Of the request.
        transaction: TransactionId,
        /// The tracker's words.
        message: String,
    },
}

impl Request {
    /// Writes the packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        match self {
            Request::Connect { transaction } => head(&mut out, PROTOCOL_ID, CONNECT, *transaction),
            Request::Announce { connection, transaction, announce, url_data } => {
                head(&mut out, connection.0, ANNOUNCE, *transaction);
                encode_announce(announce, &mut out);
                for part in url_data.as_bytes().chunks(255).take(MAX_URL_DATA / 255) {
                    out.extend_from_slice(&[URL_DATA, part.len() as u8]);
                    out.extend_from_slice(part);
                }
            }
            Request::Scrape { connection, transaction, info_hashes } => {
                head(&mut out, connection.0, SCRAPE, *transaction);
                for hash in info_hashes.iter().take(MAX_SCRAPE) {
                    out.extend_from_slice(&hash.0);
                }
            }
        }
        out
    }

    /// Reads a packet, as a tracker does. Bytes that a later version may have added are ignored (BEP 15).
    pub fn decode(packet: &[u8]) -> Result<Request, TrackerError> {
        let mut reader = Reader(packet);
        let (id, action, transaction) = (reader.u64()?, reader.u32()?, TransactionId(reader.u32()?));
        let connection = ConnectionId(id);
        match action {
            CONNECT if id == PROTOCOL_ID => Ok(Request::Connect { transaction }),
            CONNECT => Err(TrackerError::Malformed("a connect request of an unknown protocol")),
            ANNOUNCE => {
                let announce = decode_announce(&mut reader)?;
                Ok(Request::Announce { connection, transaction, announce, url_data: url_data(reader.0) })
            }
            SCRAPE => {
                let hashes = reader.0.as_chunks::<20>().0;
                let info_hashes = hashes.iter().take(MAX_SCRAPE).map(|hash| InfoHashV1(*hash)).collect();
                Ok(Request::Scrape { connection, transaction, info_hashes })
            }
            _ => Err(TrackerError::Malformed("a request of an unknown kind")),
        }
    }
}

impl Answer {
    /// Returns the id that tells which request this answers.
    pub fn transaction(&self) -> TransactionId {
        match self {
            Answer::Connected { transaction, .. }
            | Answer::Announced { transaction, .. }
            | Answer::Scraped { transaction, .. }
            | Answer::Error { transaction, .. } => *transaction,
        }
    }

    /// Writes the packet. Of an announce's answer only what BEP 15 has a field for; peers of the other family are left
    /// out.
    pub fn encode(&self, family: Family) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        let mut answer = |action: u32, transaction: &TransactionId| {
            out.extend_from_slice(&action.to_be_bytes());
            out.extend_from_slice(&transaction.0.to_be_bytes());
        };
        match self {
            Answer::Connected { transaction, connection } => {
                answer(CONNECT, transaction);
                out.extend_from_slice(&connection.0.to_be_bytes());
            }
            Answer::Announced { transaction, response } => {
                answer(ANNOUNCE, transaction);
                let interval = u32::try_from(response.interval.as_secs()).unwrap_or(u32::MAX);
                let counts = [response.leechers, response.seeders].map(Option::unwrap_or_default);
                for number in [interval, counts[0], counts[1]] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
                for peer in &response.peers {
                    match (peer.ip(), family) {
                        (IpAddr::V4(ip), Family::V4) => out.extend_from_slice(&ip.octets()),
                        (IpAddr::V6(ip), Family::V6) => out.extend_from_slice(&ip.octets()),
                        _ => continue,
                    }
                    out.extend_from_slice(&peer.port().to_be_bytes());
                }
            }
            Answer::Scraped { transaction, entries } => {
                answer(SCRAPE, transaction);
                for entry in entries {
                    for number in [entry.seeders, entry.completed, entry.leechers] {
                        out.extend_from_slice(&number.to_be_bytes());
                    }
                }
            }
            Answer::Error { transaction, message } => {
                answer(ERROR, transaction);
                out.extend_from_slice(message.as_bytes());
            }
        }
        out
    }

    /// Reads a packet, as a client does. `family` is that of the tracker's address.
    pub fn decode(packet: &[u8], family: Family) -> Result<Answer, TrackerError> {
        let mut reader = Reader(packet);
        let (action, transaction) = (reader.u32()?, TransactionId(reader.u32()?));
        match action {
            CONNECT => Ok(Answer::Connected { transaction, connection: ConnectionId(reader.u64()?) }),
            ANNOUNCE => {
                let (interval, leechers, seeders) = (reader.u32()?, reader.u32()?, reader.u32()?);
                let mut peers = Vec::new();
                match family {
                    Family::V4 => compact_peers::<6>(reader.0, &mut peers),
                    Family::V6 => compact_peers::<18>(reader.0, &mut peers),
                }
                let response = AnnounceResponse {
                    interval: interval_from_seconds(i64::from(interval)),
                    seeders: Some(seeders),
                    leechers: Some(leechers),
                    peers,
                    ..AnnounceResponse::default()
                };
                Ok(Answer::Announced { transaction, response })
            }
            SCRAPE => {
                let mut entries = Vec::new();
                for entry in reader.0.as_chunks::<12>().0.iter().take(MAX_SCRAPE) {
                    let mut fields = Reader(entry);
                    let (seeders, completed, leechers) = (fields.u32()?, fields.u32()?, fields.u32()?);
                    entries.push(ScrapeEntry { seeders, leechers, completed, downloaders: None });
                }
                Ok(Answer::Scraped { transaction, entries })
            }
            ERROR => {
                // The same words that BEP 31 gives to HTTP trackers have no place here: when to retry is our choice.
                let TrackerError::Refused { reason, .. } = TrackerError::refused(reader.0, Retry::Unsaid) else {
                    return Err(TrackerError::Malformed("an error without words"));
                };
                Ok(Answer::Error { transaction, message: reason })
            }
            _ => Err(TrackerError::Malformed("an answer of an unknown kind")),
        }
    }
}

fn head(out: &mut Vec<u8>, connection: u64, action: u32, transaction: TransactionId) {
    out.extend_from_slice(&connection.to_be_bytes());
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction.0.to_be_bytes());
}

fn encode_announce(announce: &AnnounceRequest, out: &mut Vec<u8>) {
    out.extend_from_slice(&announce.info_hash.0);
    out.extend_from_slice(&announce.peer_id.0);
    for number in [announce.downloaded, announce.left, announce.uploaded] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let event: u32 = match announce.event {
        AnnounceEvent::Regular | AnnounceEvent::Paused => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    };
    let default_address = 0_u32;
    let want = announce.want.map_or(-1, |want| i32::try_from(want).unwrap_or(i32::MAX));
    out.extend_from_slice(&event.to_be_bytes());
    out.extend_from_slice(&default_address.to_be_bytes());
    out.extend_from_slice(&announce.key.to_be_bytes());
    out.extend_from_slice(&want.to_be_bytes());
    out.extend_from_slice(&announce.port.to_be_bytes());
}

fn decode_announce(reader: &mut Reader<'_>) -> Result<AnnounceRequest, TrackerError> {
    let (info_hash, peer_id) = (InfoHashV1(reader.array()?), PeerId(reader.array()?));
    let (downloaded, left, uploaded) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let event = match reader.u32()? {
        0 => AnnounceEvent::Regular,
        1 => AnnounceEvent::Completed,
        2 => AnnounceEvent::Started,
        3 => AnnounceEvent::Stopped,
        _ => return Err(TrackerError::Malformed("an announce with an unknown event")),
    };
    let _address = reader.u32()?;
    let key = reader.u32()?;
    let want = u32::try_from(reader.u32()?.cast_signed()).ok().map(|want| want.min(MAX_PEERS as u32));
    let port = u16::from_be_bytes(reader.array()?);
    let tracker_id = None;
    Ok(AnnounceRequest { info_hash, peer_id, port, uploaded, downloaded, left, event, key, want, tracker_id })
}

/// Puts together the URL data among the options (BEP 41). What is malformed ends the reading: it was optional.
fn url_data(options: &[u8]) -> String {
    let (mut rest, mut out) = (options, Vec::new());
    while let Some((&kind, after)) = rest.split_first() {
        match kind {
            END_OF_OPTIONS => break,
            NOP => rest = after,
            _ => {
                let Some((&length, after)) = after.split_first() else { break };
                let Some((data, after)) = after.split_at_checked(usize::from(length)) else { break };
                if kind == URL_DATA && out.len() + data.len() <= MAX_URL_DATA {
                    out.extend_from_slice(data);
                }
                rest = after;
            }
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Takes numbers from the front of a packet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], TrackerError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(TrackerError::Malformed("a packet that is too short"))?;
        self.0 = rest;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32, TrackerError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, TrackerError> {
        self.array().map(u64::from_be_bytes)
    }
}

impl From<SocketAddr> for Family {
    fn from(address: SocketAddr) -> Family {
        // A v4 address that a dual-stack socket shows as v6 is a v4 address to the tracker.
        match address.ip().to_canonical() {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

#[cfg(test)]
mod tests;
