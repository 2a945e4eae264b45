//! Names in the DHT: of nodes and of what is stored, 160 bits each, near or far by XOR (BEP 5); and how a node's name is
//! tied to its address (BEP 42).

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use metainfo::InfoHashV1;

/// The id of a node, or the key of an item or a swarm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 20]);

/// How far two ids are apart: their XOR, the high bits first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distance([u8; 20]);

/// Why a text is no id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a DHT id: it needs 40 hexadecimal digits")]
pub struct ParseIdError(String);

/// Which bits of an IPv4 address decide (BEP 42).
const MASK_V4: [u8; 4] = [0x03, 0x0f, 0x3f, 0xff];

/// Which bits of the upper half of an IPv6 address decide (BEP 42).
const MASK_V6: [u8; 8] = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff];

impl Id {
    /// How many bits an id has.
    pub const BITS: usize = 160;

    /// Draws an id.
    pub fn random(rng: &mut fastrand::Rng) -> Id {
        let mut id = [0; 20];
        rng.fill(&mut id);
        Id(id)
    }

    /// Draws an id that a node at `ip` may have (BEP 42).
    pub fn for_address(ip: IpAddr, rng: &mut fastrand::Rng) -> Id {
        let mut id = Id::random(rng);
        let head = secured_head(ip, id.0[19]);
        id.0[0] = head[0];
        id.0[1] = head[1];
        id.0[2] = head[2] & 0xf8 | id.0[2] & 0x07;
        id
    }

    /// Tells whether a node at `ip` may have this id (BEP 42). On local networks every id will do.
    pub fn suits(&self, ip: IpAddr) -> bool {
        if is_local(ip) {
            return true;
        }
        let head = secured_head(ip, self.0[19]);
        self.0[..2] == head[..2] && (self.0[2] ^ head[2]) & 0xf8 == 0
    }

    /// Returns how far away `other` is.
    pub fn distance(&self, other: &Id) -> Distance {
        Distance(std::array::from_fn(|i| self.0[i] ^ other.0[i]))
    }

    /// Returns how many leading bits `other` shares, 160 when they are equal.
    pub fn common_bits(&self, other: &Id) -> usize {
        let mut bits = 0;
        for (a, b) in self.0.iter().zip(other.0) {
            let zeros = (a ^ b).leading_zeros() as usize;
            bits += zeros;
            if zeros < 8 {
                break;
            }
        }
        bits
    }

    /// Draws an id that shares exactly `bits` leading bits with this one; at most 159.
    pub fn random_sharing(&self, bits: usize, rng: &mut fastrand::Rng) -> Id {
        let bits = bits.min(Id::BITS - 1);
        let mut id = Id::random(rng);
        let (whole, rest) = (bits / 8, bits % 8);
        id.0[..whole].copy_from_slice(&self.0[..whole]);
        // The bits before the one that must differ, that one flipped, the rest as drawn.
        let differs = 0x80_u8 >> rest;
        let before = !(0xff_u8 >> rest);
        let own = self.0[whole];
        id.0[whole] = own & before | !own & differs | id.0[whole] & !(before | differs);
        id
    }

    /// Reads 20 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Id> {
        bytes.try_into().ok().map(Id)
    }
}

impl From<InfoHashV1> for Id {
    fn from(hash: InfoHashV1) -> Id {
        Id(hash.0)
    }
}

impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Id, ParseIdError> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        bytes.and_then(|bytes| Id::from_slice(&bytes)).ok_or_else(|| ParseIdError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Tells whether an address belongs to this machine or a local network, which BEP 42 exempts.
pub fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Returns the CRC32C of the masked address and the low bits of the id's last byte (BEP 42).
fn secured_head(ip: IpAddr, last: u8) -> [u8; 4] {
    let mut masked = [0; 8];
    let masked = match ip.to_canonical() {
        IpAddr::V4(ip) => mask(&ip.octets(), &MASK_V4, &mut masked),
        IpAddr::V6(ip) => mask(&ip.octets(), &MASK_V6, &mut masked),
    };
    masked[0] |= (last & 0x07) << 5;
    crc32c(masked).to_be_bytes()
}

fn mask<'a>(address: &[u8], mask: &[u8], out: &'a mut [u8; 8]) -> &'a mut [u8] {
    for ((out, address), mask) in out.iter_mut().zip(address).zip(mask) {
        *out = address & mask;
    }
    &mut out[..mask.len()]
}

/// The Castagnoli CRC (RFC 3720, appendix B.4), bit by bit: it sees eight bytes at a time.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL_REFLECTED: u32 = 0x82f6_3b78;
    let step = |crc: u32, _| (crc >> 1) ^ (POLYNOMIAL_REFLECTED & (crc & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_castagnolis() {
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn the_ids_of_bep_42_suit_their_addresses() {
        let rows = [
            ("124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
            ("21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
            ("65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
            ("84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
            ("43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
        ];
        for (i, (ip, id)) in rows.iter().enumerate() {
            let id: Id = id.parse().unwrap();
            assert!(id.suits(ip.parse().unwrap()), "{ip}");
            assert!(!id.suits(rows[(i + 1) % rows.len()].0.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_drawn_id_suits_its_address_and_no_other_prefix() {
        let mut rng = fastrand::Rng::with_seed(1);
        for ip in ["203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7"] {
            let ip: IpAddr = ip.parse().unwrap();
            let mut id = Id::for_address(ip, &mut rng);
            assert!(id.suits(ip));
            id.0[1] ^= 1;
            assert!(!id.suits(ip));
        }
        assert!(Id([0; 20]).suits("10.1.2.3".parse().unwrap()), "local addresses are exempt");
    }

    #[test]
    fn an_id_in_a_bucket_shares_just_the_bits_of_the_bucket() {
        let mut rng = fastrand::Rng::with_seed(2);
        let own = Id::random(&mut rng);
        for bits in 0..Id::BITS {
            assert_eq!(own.common_bits(&own.random_sharing(bits, &mut rng)), bits);
        }
        assert_eq!(own.common_bits(&own), 160);
        assert_eq!(own.distance(&own), Distance([0; 20]));
    }
}
