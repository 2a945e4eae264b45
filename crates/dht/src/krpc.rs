//! The messages of the DHT: bencoded dictionaries, a query or its answer a datagram (BEP 5, KRPC).
//!
//! Decoded messages borrow from the packet and are bounded by it; what a list may hold beyond that is a constant here.

mod decode;
mod encode;

use core::net::SocketAddr;

use crate::bloom::Bloom;
use crate::{Id, NodeAddress};

pub(crate) use decode::decode;
pub(crate) use encode::{encode_error, encode_query, encode_response};

/// The longest packet read, in bytes: an Ethernet frame holds no more, BEP 32 asks for 1,024.
pub(crate) const MAX_PACKET_IN: usize = 1500;

/// The longest packet sent, in bytes (BEP 32, Maximum packet size). An item of the longest value exceeds it by its
/// envelope; it fits a frame all the same.
pub(crate) const MAX_PACKET_OUT: usize = 1024;

/// The longest transaction id that is answered, in bytes (arbitrary; two to eight are usual).
pub(crate) const MAX_TRANSACTION: usize = 20;

/// The longest token that is kept of an answer, in bytes (arbitrary; four to twenty are usual).
pub(crate) const MAX_TOKEN: usize = 64;

/// The most nodes of a family taken of one answer (BEP 5 sends 8; some programs 20).
pub(crate) const MAX_NODES: usize = 20;

/// The most peers taken of one answer: what fits a packet.
pub(crate) const MAX_VALUES: usize = 180;

/// The most info-hashes taken of one sample: what fits a packet.
pub(crate) const MAX_SAMPLES: usize = 70;

/// The longest program version kept, in bytes (arbitrary; 4 is usual).
pub(crate) const MAX_VERSION: usize = 16;

/// How we name ourselves: two letters and two bytes of version, as is usual.
pub(crate) const VERSION: [u8; 4] = *b"CP\x00\x01";

/// The error codes of BEP 5 and 44.
pub(crate) mod code {
    pub(crate) const SERVER: i64 = 202;
    pub(crate) const PROTOCOL: i64 = 203;
    pub(crate) const METHOD_UNKNOWN: i64 = 204;
    pub(crate) const VALUE_TOO_LONG: i64 = 205;
    pub(crate) const BAD_SIGNATURE: i64 = 206;
    pub(crate) const SALT_TOO_LONG: i64 = 207;
    pub(crate) const CAS_MISMATCH: i64 = 301;
    pub(crate) const SEQ_TOO_LOW: i64 = 302;
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// What an answer repeats of its query.
    pub(crate) transaction: &'a [u8],
    /// The sender's program.
    pub(crate) version: &'a [u8],
    /// Our address as the sender sees it (BEP 42).
    pub(crate) ip: Option<SocketAddr>,
    /// The rest.
    pub(crate) body: Body<'a>,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    Query(Query<'a>),
    Response(Box<Response<'a>>),
    Error {
        code: i64,
        message: &'a [u8],
    },
    /// A query that cannot be read, though who asks would understand an error.
    Malformed(&'static str),
}

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    /// The sender's id.
    pub(crate) id: Id,
    /// The sender cannot be reached (BEP 43).
    pub(crate) read_only: bool,
    /// Which nodes the answer is to hold (BEP 32).
    pub(crate) want: Want,
    pub(crate) method: Method<'a>,
}

/// Which nodes an answer is to hold: those of the packet's own family where both are unset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) v4: bool,
    pub(crate) v6: bool,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Method<'a> {
    Ping,
    FindNode { target: Id },
    GetPeers { info_hash: Id, no_seed: bool, scrape: bool },
    AnnouncePeer { info_hash: Id, port: u16, implied_port: bool, seed: bool, token: &'a [u8] },
    Get { target: Id, seq: Option<i64> },
    Put { token: &'a [u8], value: &'a [u8], signed: Option<Signed<'a>> },
    Sample { target: Id },
}

/// What a mutable item has beside its value (BEP 44).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed<'a> {
    pub(crate) key: [u8; 32],
    pub(crate) signature: [u8; 64],
    pub(crate) seq: i64,
    pub(crate) salt: &'a [u8],
    pub(crate) cas: Option<i64>,
}

/// An answer: the answers to all methods are told apart by what was asked only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) id: Option<Id>,
    pub(crate) nodes: Vec<NodeAddress>,
    pub(crate) nodes6: Vec<NodeAddress>,
    pub(crate) values: Vec<SocketAddr>,
    pub(crate) token: Option<&'a [u8]>,
    /// Seeds and others (BEP 33).
    pub(crate) blooms: Option<Box<(Bloom, Bloom)>>,
    /// A bencoded value (BEP 44).
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) key: Option<[u8; 32]>,
    pub(crate) signature: Option<[u8; 64]>,
    pub(crate) seq: Option<i64>,
    /// A sample of info-hashes (BEP 51).
    pub(crate) samples: Option<Vec<Id>>,
    pub(crate) num: Option<u32>,
    pub(crate) interval: Option<u32>,
}

impl Method<'_> {
    /// Returns the key that the query is about.
    pub(crate) fn target(&self) -> Option<Id> {
        match self {
            Method::Ping | Method::Put { .. } => None,
            Method::FindNode { target } | Method::Get { target, .. } | Method::Sample { target } => Some(*target),
            Method::GetPeers { info_hash, .. } | Method::AnnouncePeer { info_hash, .. } => Some(*info_hash),
        }
    }
}

#[cfg(test)]
mod tests;
