//! Ranges of addresses: one, as a person writes it, and a great many, as list files bring them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Why a text is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: write one, a range such as 192.0.2.0/24, or FIRST-LAST")]
pub struct ParseRangeError(String);

/// A range of addresses of one family, both ends included. Written as an address, as CIDR (RFC 4632), or `FIRST-LAST`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// Makes a range; `None` if the ends are of different families or in the wrong order.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<AddressRange> {
        let (first, last) = (first.to_canonical(), last.to_canonical());
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(AddressRange { first, last })
    }

    /// Makes the range of a network; `None` if the prefix is longer than an address.
    pub fn network(address: IpAddr, prefix: u8) -> Option<AddressRange> {
        match address {
            IpAddr::V4(ip) => {
                let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
                let first = u32::from(ip) & !host;
                (prefix <= 32).then(|| AddressRange { first: v4(first), last: v4(first | host) })
            }
            IpAddr::V6(ip) => {
                let host = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
                let first = u128::from(ip) & !host;
                (prefix <= 128).then(|| AddressRange { first: v6(first), last: v6(first | host) })
            }
        }
    }

    /// Tells whether an address is in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        // Addresses of different families do not compare as between.
        self.first <= ip && ip <= self.last && self.first.is_ipv4() == ip.is_ipv4()
    }

    /// Returns how many addresses are in it, less one.
    pub fn span(&self) -> u128 {
        number(self.last) - number(self.first)
    }
}

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from(number).into()
}

fn v6(number: u128) -> IpAddr {
    Ipv6Addr::from(number).into()
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

impl FromStr for AddressRange {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<AddressRange, ParseRangeError> {
        let text = text.trim();
        let parse = || {
            if let Some((address, prefix)) = text.split_once('/') {
                return AddressRange::network(address.trim().parse().ok()?, prefix.trim().parse().ok()?);
            }
            match text.split_once('-') {
                Some((first, last)) => AddressRange::new(first.trim().parse().ok()?, last.trim().parse().ok()?),
                None => text.parse().ok().and_then(|ip| AddressRange::new(ip, ip)),
            }
        };
        parse().ok_or_else(|| ParseRangeError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (number(self.first), number(self.last));
        let (bits, differing) = (if self.first.is_ipv4() { 32 } else { 128 }, first ^ last);
        let host = 128 - differing.leading_zeros();
        // A network is what begins with zeros and ends with ones.
        let whole = differing == differing.checked_add(1).map_or(u128::MAX, |next| next.wrapping_sub(1))
            && (differing & differing.wrapping_add(1)) == 0
            && first & differing == 0;
        match host {
            0 => write!(f, "{}", self.first),
            _ if whole => write!(f, "{}/{}", self.first, bits - host),
            _ => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl fmt::Debug for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A great many addresses: ranges that are sorted, do not overlap and do not touch. Eight bytes an IPv4 range, 32 an IPv6
/// one; a look is a binary search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl Addresses {
    /// Joins ranges.
    pub fn new(ranges: impl IntoIterator<Item = AddressRange>) -> Addresses {
        let (mut all_v4, mut all_v6) = (Vec::new(), Vec::new());
        for range in ranges {
            match (range.first, range.last) {
                (IpAddr::V4(first), IpAddr::V4(last)) => all_v4.push((u32::from(first), u32::from(last))),
                (first, last) => all_v6.push((number(first), number(last))),
            }
        }
        Addresses { v4: join(all_v4, |n| n.checked_add(1)), v6: join(all_v6, |n| n.checked_add(1)) }
    }

    /// Tells whether an address is one of them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => find(&self.v4, u32::from(ip)),
            IpAddr::V6(ip) => find(&self.v6, u128::from(ip)),
        }
    }

    /// Returns how many ranges there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

fn join<T: Copy + Ord>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Box<[(T, T)]> {
    ranges.sort_unstable();
    let mut joined: Vec<(T, T)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(previous) if next(previous.1).is_none_or(|next| first <= next) => previous.1 = previous.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined.into_boxed_slice()
}

fn find<T: Copy + Ord>(ranges: &[(T, T)], number: T) -> bool {
    let after = ranges.partition_point(|&(first, _)| first <= number);
    after.checked_sub(1).is_some_and(|at| number <= ranges[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_read_and_written_as_people_do() {
        for (text, shown) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.0 - 192.0.2.255", "192.0.2.0/24"),
            ("192.0.2.1-192.0.2.2", "192.0.2.1-192.0.2.2"),
            ("192.0.2.2-192.0.2.5", "192.0.2.2-192.0.2.5"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(range(text).to_string(), shown, "{text}");
            assert_eq!(range(shown), range(text));
        }
        for text in ["", "x", "192.0.2.1/33", "::/129", "192.0.2.2-192.0.2.1", "192.0.2.1-::1", "192.0.2"] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn many_ranges_are_joined_and_hold_at_their_ends() {
        let texts =
            ["198.51.100.0-198.51.100.9", "192.0.2.10-192.0.2.20", "192.0.2.15-192.0.2.30", "192.0.2.31", "::1/128"];
        let addresses = Addresses::new(texts.map(range));
        assert_eq!(addresses.len(), 3);
        for (ip, inside) in [
            ("192.0.2.9", false),
            ("192.0.2.10", true),
            ("192.0.2.31", true),
            ("192.0.2.32", false),
            ("::1", true),
            ("::2", false),
        ] {
            assert_eq!(addresses.contains(ip.parse().unwrap()), inside, "{ip}");
        }
        assert!(addresses.contains("::ffff:198.51.100.9".parse().unwrap()));
        let all = Addresses::new([range("0.0.0.0/0"), range("255.255.255.255"), range("::/0")]);
        assert_eq!(all.len(), 2);
    }
}
