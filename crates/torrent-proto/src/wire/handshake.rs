//! The handshake (BEP 3) and its reserved bits (BEP 5, 6, 10, 52).

use metainfo::InfoHashV1;

use super::frame::WireError;
use super::message::{PeerId, Reserved};

/// What every handshake begins with: the length of the protocol's name and the name.
pub const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// The first message of each end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// What the sender can do.
    pub reserved: Reserved,
    /// The torrent it is about: v1, or a truncated v2 hash.
    pub info_hash: InfoHashV1,
    /// The sender's name for itself.
    pub peer_id: PeerId,
}

impl Handshake {
    /// Its length, in bytes.
    pub const LEN: usize = 68;

    /// Its length without the peer id, in bytes: some ends wait for ours before they send theirs, and trackers that
    /// check for reachability never send one.
    pub const HEAD_LEN: usize = 48;

    /// Writes the wire form.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..20].copy_from_slice(PROTOCOL);
        out[20..28].copy_from_slice(&self.reserved.to_bytes());
        out[28..48].copy_from_slice(&self.info_hash.0);
        out[48..].copy_from_slice(&self.peer_id.0);
        out
    }

    /// Reads the wire form.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Handshake, WireError> {
        let (head, id) = bytes.split_first_chunk().expect("68 bytes begin with 48");
        let (reserved, info_hash) = Self::decode_head(head)?;
        let mut peer_id = [0; 20];
        peer_id.copy_from_slice(id);
        Ok(Handshake { reserved, info_hash, peer_id: PeerId(peer_id) })
    }

    /// Reads all but the peer id.
    pub fn decode_head(bytes: &[u8; Self::HEAD_LEN]) -> Result<(Reserved, InfoHashV1), WireError> {
        if !bytes.starts_with(PROTOCOL) {
            return Err(WireError::NotBitTorrent);
        }
        let (mut reserved, mut info_hash) = ([0; 8], [0; 20]);
        reserved.copy_from_slice(&bytes[20..28]);
        info_hash.copy_from_slice(&bytes[28..48]);
        Ok((Reserved::from_bytes(reserved), InfoHashV1(info_hash)))
    }

    /// Tells whether `bytes` may still become a handshake: as far as they go, they agree with [`PROTOCOL`].
    pub fn may_begin(bytes: &[u8]) -> bool {
        let known = bytes.len().min(PROTOCOL.len());
        bytes[..known] == PROTOCOL[..known]
    }
}

/// Byte and bit of each flag we know.
const EXTENSION: (usize, u8) = (5, 0x10); // BEP 10
const V2: (usize, u8) = (7, 0x10); // BEP 52
const FAST: (usize, u8) = (7, 0x04); // BEP 6
const DHT: (usize, u8) = (7, 0x01); // BEP 5

impl Reserved {
    /// Writes the eight reserved bytes.
    pub fn to_bytes(self) -> [u8; 8] {
        let mut out = [0; 8];
        for (set, (byte, bit)) in [(self.extension, EXTENSION), (self.v2, V2), (self.fast, FAST), (self.dht, DHT)] {
            if set {
                out[byte] |= bit;
            }
        }
        out
    }

    /// Reads the eight reserved bytes; bits that we do not know are ignored.
    pub fn from_bytes(bytes: [u8; 8]) -> Reserved {
        let set = |(byte, bit): (usize, u8)| bytes[byte] & bit != 0;
        Reserved { extension: set(EXTENSION), fast: set(FAST), dht: set(DHT), v2: set(V2) }
    }
}
