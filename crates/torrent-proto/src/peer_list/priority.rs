//! Canonical peer priority (BEP 40): both ends of a pair give it the same number, so that a crowded swarm agrees on which
//! connections to make and keep.

use core::net::{IpAddr, SocketAddr};

/// Returns the priority of a pair of peers; higher is better. `None` between IPv4 and IPv6, which BEP 40 does not define.
pub fn canonical_priority(a: SocketAddr, b: SocketAddr) -> Option<u32> {
    match (a.ip().to_canonical(), b.ip().to_canonical()) {
        (ip_a, ip_b) if ip_a == ip_b => Some(hash_sorted(a.port().to_be_bytes(), b.port().to_be_bytes())),
        (IpAddr::V4(a), IpAddr::V4(b)) => Some(masked(a.octets(), b.octets(), 2)),
        (IpAddr::V6(a), IpAddr::V6(b)) => Some(masked(a.octets(), b.octets(), 6)),
        _ => None,
    }
}

/// Keeps `whole` octets and each further one up to the first that differs; of the others every second bit.
fn masked<const N: usize>(mut a: [u8; N], mut b: [u8; N], whole: usize) -> u32 {
    let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    for i in whole.max(common + 1)..N {
        a[i] &= 0x55;
        b[i] &= 0x55;
    }
    hash_sorted(a, b)
}

fn hash_sorted<const N: usize>(a: [u8; N], b: [u8; N]) -> u32 {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    crc32c(low.iter().chain(&high).copied())
}

/// CRC-32C (Castagnoli), bit by bit: it is computed for 32 bytes a candidate.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    let step = |crc: u32, byte: u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    };
    !bytes.fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority(a: &str, b: &str) -> u32 {
        let (a, b): (SocketAddr, SocketAddr) = (a.parse().unwrap(), b.parse().unwrap());
        let there = canonical_priority(a, b).unwrap();
        assert_eq!(Some(there), canonical_priority(b, a), "both ends agree");
        there
    }

    #[test]
    fn the_vectors_of_bep_40() {
        assert_eq!(priority("123.213.32.10:0", "98.76.54.32:0"), 0xec2d_7224);
        assert_eq!(priority("123.213.32.10:0", "123.213.32.234:0"), 0x9956_8189);
    }

    #[test]
    fn crc32c_has_its_check_value() {
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    }

    #[test]
    fn more_common_prefix_shows_more_bits() {
        // Beyond the mask the odd bits are hidden: .2 and .0 look alike from afar, not from nearby.
        assert_eq!(priority("10.0.1.0:1", "99.0.0.1:1"), priority("10.0.1.2:1", "99.0.0.1:1"));
        assert_ne!(priority("10.0.1.0:1", "10.0.1.1:1"), priority("10.0.1.2:1", "10.0.1.1:1"));
        assert_eq!(priority("[2001:db8::2]:1", "[2001:db9::]:1"), priority("[2001:db8::]:1", "[2001:db9::]:1"));
        assert_ne!(priority("10.0.0.1:1", "10.0.0.1:2"), priority("10.0.0.1:1", "10.0.0.1:3"));
        assert_eq!(canonical_priority("10.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap()), None);
    }
}
