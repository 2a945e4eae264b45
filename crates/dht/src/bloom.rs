//! Bloom filters that count a swarm's addresses without naming them (BEP 33).

use core::net::IpAddr;
use std::fmt;

use sha1::{Digest as _, Sha1};

/// How many bytes a filter has (BEP 33).
const LEN: usize = 256;

/// How many bits (BEP 33: m).
const BITS: usize = LEN * 8;

/// A set of addresses, of which only the size can be told.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bloom([u8; LEN]);

impl Default for Bloom {
    fn default() -> Bloom {
        Bloom([0; LEN])
    }
}

impl Bloom {
    /// Reads 256 bytes.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Bloom> {
        bytes.try_into().ok().map(Bloom)
    }

    /// Returns the wire form.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds an address.
    pub(crate) fn insert(&mut self, ip: IpAddr) {
        let hash = match ip.to_canonical() {
            IpAddr::V4(ip) => Sha1::digest(ip.octets()),
            IpAddr::V6(ip) => Sha1::digest(ip.octets()),
        };
        for pair in [[hash[0], hash[1]], [hash[2], hash[3]]] {
            let index = usize::from(u16::from_le_bytes(pair)) % BITS;
            self.0[index / 8] |= 1 << (index % 8);
        }
    }

    /// Adds all that another set has.
    pub(crate) fn merge(&mut self, other: &Bloom) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own |= other);
    }

    /// Estimates how many addresses the set has.
    pub(crate) fn estimate(&self) -> f64 {
        let zeros = self.0.iter().map(|byte| byte.count_zeros() as usize).sum::<usize>();
        let m = BITS as f64;
        let c = zeros.min(BITS - 1) as f64;
        // With every bit set the logarithm of zero would be asked for: one bit stands for less than that.
        (c.max(1.0) / m).ln() / (2.0 * (1.0 - 1.0 / m).ln())
    }

    /// Estimates as a whole number; an empty set has none.
    pub(crate) fn count(&self) -> u32 {
        if self.0.iter().all(|&byte| byte == 0) { 0 } else { self.estimate().round() as u32 }
    }
}

impl fmt::Debug for Bloom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bloom(about {})", self.count())
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const VECTOR: &str = "
        F6C3F5EA A07FFD91 BDE89F77 7F26FB2B FF37BDB8 FB2BBAA2 FD3DDDE7 BACFFF75 EE7CCBAE
        FE5EEDB1 FBFAFF67 F6ABFF5E 43DDBCA3 FD9B9FFD F4FFD3E9 DFF12D1B DF59DB53 DBE9FA5B
        7FF3B8FD FCDE1AFB 8BEDD7BE 2F3EE71E BBBFE93B CDEEFE14 8246C2BC 5DBFF7E7 EFDCF24F
        D8DC7ADF FD8FFFDF DDFFF7A4 BBEEDF5C B95CE81F C7FCFF1F F4FFFFDF E5F7FDCB B7FD79B3
        FA1FC77B FE07FFF9 05B7B7FF C7FEFEFF E0B8370B B0CD3F5B 7F2BD93F EB4386CF DD6F7FD5
        BFAF2E9E BFFFFEEC D67ADBF7 C67F17EF D5D75EBA 6FFEBA7F FF47A91E B1BFBB53 E8ABFB57
        62ABE8FF 237279BF EFBFEEF5 FFC5FEBF DFE5ADFF ADFEE1FB 737FFFFB FD9F6AEF FEEE76B6
        FD8F72EF";

    #[test]
    fn the_filter_of_bep_33_has_its_bits() {
        let mut bloom = Bloom::default();
        assert_eq!(bloom.count(), 0);
        (0..=255).for_each(|i| bloom.insert(Ipv4Addr::new(192, 0, 2, i).into()));
        (0..=0x3e7).for_each(|i| bloom.insert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, i).into()));
        let vector: String = VECTOR.split_whitespace().collect();
        assert_eq!(data_encoding::HEXUPPER.encode(bloom.as_bytes()), vector);
        assert!((bloom.estimate() - 1224.9308).abs() < 0.0001, "{}", bloom.estimate());
        bloom.merge(&Bloom([0xff; LEN]));
        assert!(bloom.estimate().is_finite());
    }
}
