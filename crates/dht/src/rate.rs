//! What strangers may cost us: how many queries are answered, and who has shown that its address is its own.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::Instant;

/// The period that queries are counted over (arbitrary).
const WINDOW: Duration = Duration::from_secs(10);

/// Queries of one source that are answered in a window (arbitrary: a look-up asks a node two or three times, a household
/// behind one address may run several programs).
const PER_SOURCE: u32 = 100;

/// Queries that are answered in a window, of all sources together (arbitrary: 300 a second, far above the usual few).
const IN_ALL: u32 = 3_000;

/// How many sources are counted one by one in a window; those beyond share one count.
const MAX_SOURCES: usize = 4_096;

/// How long a generation of [`Recent`] lasts: an address is remembered for one to two of them.
const GENERATION: Duration = Duration::from_secs(5 * 60);

/// How many addresses a generation of [`Recent`] holds; later ones are not remembered.
const MAX_RECENT: usize = 2_048;

/// Counts the queries of each source.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    began: Instant,
    total: u32,
    shared: u32,
    sources: BTreeMap<IpAddr, u32>,
}

impl Limits {
    /// Counts a query; tells whether it may be answered.
    pub(crate) fn admit(&mut self, now: Instant, from: IpAddr) -> bool {
        if now.since(self.began) >= WINDOW {
            *self = Limits { began: now, ..Limits::default() };
        }
        let room = self.sources.len() < MAX_SOURCES;
        let count = match self.sources.get_mut(&source(from)) {
            Some(count) => count,
            None if room => self.sources.entry(source(from)).or_default(),
            None => &mut self.shared,
        };
        *count += 1;
        if *count > PER_SOURCE || self.total >= IN_ALL {
            return false;
        }
        self.total += 1;
        true
    }
}

/// Addresses of the last five to ten minutes.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    began: Instant,
    fresh: BTreeSet<IpAddr>,
    older: BTreeSet<IpAddr>,
}

impl Recent {
    /// Remembers an address.
    pub(crate) fn add(&mut self, now: Instant, ip: IpAddr) {
        self.rotate(now);
        if self.fresh.len() < MAX_RECENT {
            self.fresh.insert(ip);
        }
    }

    /// Tells whether an address is remembered.
    pub(crate) fn has(&mut self, now: Instant, ip: IpAddr) -> bool {
        self.rotate(now);
        self.fresh.contains(&ip) || self.older.contains(&ip)
    }

    /// Tells whether some addresses may not have been remembered.
    pub(crate) fn is_full(&self) -> bool {
        self.fresh.len() >= MAX_RECENT || self.older.len() >= MAX_RECENT
    }

    fn rotate(&mut self, now: Instant) {
        let age = now.since(self.began);
        if age >= GENERATION {
            self.older = std::mem::take(&mut self.fresh);
            self.began = now;
        }
        if age >= GENERATION * 2 {
            self.older.clear();
        }
    }
}

/// What counts as one source: an IPv4 address, or the /64 that one IPv6 subscriber has.
pub(crate) fn source(ip: IpAddr) -> IpAddr {
    prefix(ip, 32, 64)
}

/// Returns an address with only its first bits kept.
pub(crate) fn prefix(ip: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & u32::MAX.checked_shl(32 - v4_bits).unwrap_or(0)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & u128::MAX.checked_shl(128 - v6_bits).unwrap_or(0)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::START + Duration::from_secs(seconds)
    }

    #[test]
    fn a_flood_of_one_source_does_not_cost_others_their_answers() {
        let mut limits = Limits::default();
        let (mallory, alice): (IpAddr, IpAddr) = ("192.0.2.6".parse().unwrap(), "192.0.2.7".parse().unwrap());
        let answered = (0..10_000).filter(|_| limits.admit(at(11), mallory)).count();
        assert_eq!(answered, PER_SOURCE as usize);
        assert!(limits.admit(at(12), alice));
        assert!(limits.admit(at(22), mallory), "the next window");
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_source() {
        let mut limits = Limits::default();
        let address = |i: u128| IpAddr::from(core::net::Ipv6Addr::from((0x2001_0db8 << 96) + i));
        assert_eq!((0..1_000).filter(|&i| limits.admit(at(11), address(i))).count(), PER_SOURCE as usize);
    }

    #[test]
    fn more_sources_than_can_be_counted_share_one_count() {
        let mut limits = Limits::default();
        let answered = (0..50_000_u32).filter(|&i| limits.admit(at(11), IpAddr::V4(i.into()))).count();
        assert_eq!(answered, IN_ALL as usize);
        assert!(limits.sources.len() <= MAX_SOURCES);
    }

    #[test]
    fn addresses_are_forgotten_after_ten_minutes() {
        let mut recent = Recent::default();
        let alice = "192.0.2.7".parse().unwrap();
        recent.add(at(1000), alice);
        assert!(recent.has(at(1001), alice) && recent.has(at(1400), alice));
        assert!(!recent.has(at(1801), alice));
        recent.add(at(5000), alice);
        assert!(!recent.has(at(9000), alice));
    }
}
