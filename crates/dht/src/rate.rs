//! What strangers may cost us: how many queries are answered, and who has shown that its address is its own. And what we
//! may cost others: how many queries are sent.

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

/// How many queries of our own are sent, in a second on average: ten kB, what other programs allow themselves. A look-up
/// takes 20 to 60: a thousand torrents are looked up in the quarter of an hour after which each is due again.
const QUERIES_PER_S: u32 = 100;

/// For how long nothing need have been sent before as many go out at once (arbitrary: 400 queries, so that several look-ups
/// of the longest kind are not held back).
const SAVED_UP: Duration = Duration::from_secs(4);

/// The rate of our own queries: a bucket that is filled at [`QUERIES_PER_S`], up to what [`SAVED_UP`] brings.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When all that was sent is paid for.
    paid: Instant,
}

impl Pace {
    /// Counts a query.
    pub(crate) fn spend(&mut self, now: Instant) {
        self.paid = self.paid.max(now) + Duration::from_secs(1) / QUERIES_PER_S;
    }

    /// Tells whether a query may be sent.
    pub(crate) fn has_room(&self, now: Instant) -> bool {
        self.paid.since(now) < SAVED_UP
    }

    /// Tells whether there is room for what can be left out as well: half is for look-ups alone.
    pub(crate) fn has_plenty(&self, now: Instant) -> bool {
        self.paid.since(now) < SAVED_UP / 2
    }

    /// Returns when a query may be sent.
    pub(crate) fn room_at(&self) -> Instant {
        let wait = self.paid.since_start().saturating_sub(SAVED_UP);
        // Room begins after that moment, not at it.
        Instant::from_start(wait) + Duration::from_nanos(1)
    }
}

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
    fn queries_go_out_at_once_until_what_was_saved_up_is_spent_and_then_at_the_rate() {
        let mut pace = Pace::default();
        let mut sent = 0;
        while pace.has_room(at(100)) {
            pace.spend(at(100));
            sent += 1;
        }
        assert_eq!(sent, 400);
        assert!(!pace.has_plenty(at(101)) && pace.has_room(at(101)) && pace.has_plenty(at(103)));
        let next = pace.room_at();
        assert!(pace.has_room(next) && next.since(at(100)) <= Duration::from_millis(10), "{next:?}");
        let mut now = next;
        while now < at(110) {
            pace.spend(now);
            now = now.max(pace.room_at());
            sent += 1;
        }
        assert!((1_390..=1_410).contains(&sent), "{sent}");
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
