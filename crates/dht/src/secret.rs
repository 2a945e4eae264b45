//! What strangers must not guess: write tokens and transaction ids, made by a keyed function (SipHash-2-4). Whoever saw
//! any number of them knows nothing of the others, as they would of the numbers of a fast generator.

use core::net::IpAddr;
use std::fmt;

use siphasher::sip::SipHasher24;

/// The key of a node, drawn by its owner from the system's generator. One network of the two, IPv4 or IPv6, has no use for
/// what was made for the other.
#[derive(Clone, Copy)]
pub(crate) struct Secret {
    key: [u8; 16],
    v6: bool,
}

impl Secret {
    /// Takes the key of a node for one of its networks.
    pub(crate) fn new(key: [u8; 16], v6: bool) -> Secret {
        Secret { key, v6 }
    }

    /// Tells whether it is for the network over IPv6.
    pub(crate) fn v6(&self) -> bool {
        self.v6
    }

    /// Returns the transaction id of the `count`th query.
    pub(crate) fn transaction(&self, count: u64) -> u32 {
        self.word(b't', count, &[]) as u32
    }

    /// Returns what an address may show in a period.
    pub(crate) fn token(&self, period: u64, ip: IpAddr) -> [u8; 6] {
        let hash = match ip {
            IpAddr::V4(ip) => self.word(b'w', period, &ip.octets()),
            IpAddr::V6(ip) => self.word(b'w', period, &ip.octets()),
        };
        let hash = hash.to_be_bytes();
        std::array::from_fn(|i| hash[i])
    }

    fn word(&self, purpose: u8, number: u64, rest: &[u8]) -> u64 {
        let mut input = [0; 26];
        input[0] = purpose;
        input[1] = u8::from(self.v6);
        input[2..10].copy_from_slice(&number.to_be_bytes());
        input[10..10 + rest.len()].copy_from_slice(rest);
        SipHasher24::new_with_key(&self.key).hash(&input[..10 + rest.len()])
    }
}

/// Leaves the key out.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("v6", &self.v6).finish_non_exhaustive()
    }
}
