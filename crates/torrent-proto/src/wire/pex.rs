//! Peer exchange on the wire (BEP 11): compact addresses in a dictionary, each family under keys of its own.

use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use metainfo::bencode::{self, Dict, Tree, Value};

use super::frame::WireError;
use crate::tracker;

/// How many addresses are read of the added and of the dropped ones each, both families together. BEP 11 leaves only the
/// first message open; libtorrent puts at most 100 into it. What is beyond is ignored.
pub const MAX_PEX: usize = 100;

/// A peer exchange message (BEP 11): who connected to the sender and who left, since its last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PexMessage {
    /// Peers that the sender is connected to now; IPv4 first.
    pub added: Vec<PexPeer>,
    /// Peers that it is no longer connected to; IPv4 first.
    pub dropped: Vec<SocketAddr>,
}

/// A peer, as another one knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PexPeer {
    /// Where it can be dialled.
    pub address: SocketAddr,
    /// What is known of it.
    pub flags: PexFlags,
}

/// What is known of a peer (BEP 11, "added.f"). Bits that we do not know are kept as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PexFlags(pub u8);

impl PexFlags {
    /// It prefers encrypted connections.
    pub const PREFERS_ENCRYPTION: PexFlags = PexFlags(0x01);
    /// It is a seed, or downloads nothing.
    pub const SEED: PexFlags = PexFlags(0x02);
    /// It speaks uTP.
    pub const UTP: PexFlags = PexFlags(0x04);
    /// It takes part in hole punching (BEP 55).
    pub const HOLEPUNCH: PexFlags = PexFlags(0x08);
    /// The sender dialled it: it can be reached.
    pub const OUTGOING: PexFlags = PexFlags(0x10);

    /// Tells whether all bits of `other` are set.
    pub fn has(self, other: PexFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns these flags, with those of `other` if `yes`.
    #[must_use]
    pub fn with(self, other: PexFlags, yes: bool) -> PexFlags {
        if yes { PexFlags(self.0 | other.0) } else { self }
    }
}

/// Reads the dictionary. Addresses that nobody can dial, a last incomplete one, and IPv4 in an IPv6 disguise are left out.
pub(super) fn decode(body: &Bytes) -> Result<PexMessage, WireError> {
    let (value, _) = bencode::decode_prefix(body).map_err(|_| WireError::BadDictionary)?;
    let dict = value.as_dict().ok_or(WireError::BadDictionary)?;
    let mut added = peers::<6>(dict, b"added", b"added.f");
    added.extend(peers::<18>(dict, b"added6", b"added6.f"));
    added.truncate(MAX_PEX);
    let mut dropped = peers::<6>(dict, b"dropped", b"");
    dropped.extend(peers::<18>(dict, b"dropped6", b""));
    dropped.truncate(MAX_PEX);
    Ok(PexMessage { added, dropped: dropped.into_iter().map(|peer| peer.address).collect() })
}

/// Writes the dictionary; a family without addresses has no keys.
pub(super) fn encode(message: &PexMessage) -> Vec<u8> {
    let mut entries = Vec::new();
    let is_v4 = |peer: &&PexPeer| peer.address.is_ipv4();
    let (v4, v6): (Vec<&PexPeer>, Vec<&PexPeer>) = message.added.iter().partition(is_v4);
    for (peers, key, flags_key) in [(v4, "added", "added.f"), (v6, "added6", "added6.f")] {
        if !peers.is_empty() {
            let addresses: Vec<u8> = peers.iter().flat_map(|peer| compact(peer.address)).collect();
            let flags: Vec<u8> = peers.iter().map(|peer| peer.flags.0).collect();
            entries.extend([(key, Tree::bytes(&addresses)), (flags_key, Tree::bytes(&flags))]);
        }
    }
    let (v4, v6): (Vec<SocketAddr>, Vec<SocketAddr>) = message.dropped.iter().partition(|address| address.is_ipv4());
    for (addresses, key) in [(v4, "dropped"), (v6, "dropped6")] {
        if !addresses.is_empty() {
            let addresses: Vec<u8> = addresses.into_iter().flat_map(compact).collect();
            entries.push((key, Tree::bytes(&addresses)));
        }
    }
    bencode::encode(&Tree::dict(entries))
}

fn peers<const N: usize>(dict: &Dict<'_>, key: &[u8], flags_key: &[u8]) -> Vec<PexPeer> {
    let bytes = |key| dict.get(key).and_then(Value::as_bytes).unwrap_or_default();
    let flags = bytes(flags_key).iter().map(|flags| PexFlags(*flags)).chain(std::iter::repeat(PexFlags::default()));
    let peers = bytes(key).as_chunks::<N>().0.iter().zip(flags).take(MAX_PEX);
    peers.filter_map(|(peer, flags)| Some(PexPeer { address: address(peer)?, flags })).collect()
}

/// Reads a compact address of 6 or 18 bytes (BEP 23, BEP 7) that can be dialled and is no IPv4 in an IPv6 disguise.
pub(super) fn address(compact: &[u8]) -> Option<SocketAddr> {
    tracker::compact_address(compact)
        .filter(|address| address.is_ipv4() == (compact.len() == 6) && tracker::can_dial(address))
}

/// Writes a compact address.
pub(super) fn compact(address: SocketAddr) -> Vec<u8> {
    let mut out = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    out.extend(address.port().to_be_bytes());
    out
}
