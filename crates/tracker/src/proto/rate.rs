//! How many requests of one host are answered: a bucket for each, filled at the rate and holding what ten seconds bring, so
//! that a client with a thousand torrents may announce them all when it starts.
//!
//! Invariant: a host that is not in the map has a full bucket, so that forgetting one that filled up loses nothing.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::time::Duration;

use base::Instant;

use super::swarm::Host;

/// For how long a host may have saved up (arbitrary).
const SAVED_UP: Duration = Duration::from_secs(10);

/// The most hosts that are counted at a time; others are answered uncounted, since a flood of so many is none of one host
/// (arbitrary: some 200 KiB).
const MAX_HOSTS: usize = 4_096;

/// See the module.
#[derive(Debug)]
pub(super) struct Rates {
    /// How much time a request costs.
    cost: Duration,
    /// When all requests of a host are paid for.
    paid: BTreeMap<Host, Instant>,
}

impl Rates {
    /// Answers `per_s` requests of a host in a second on average; zero is taken for one.
    pub(super) fn new(per_s: u32) -> Rates {
        Rates { cost: Duration::from_secs(1) / per_s.max(1), paid: BTreeMap::new() }
    }

    /// Counts a request; tells whether it may be answered.
    pub(super) fn admit(&mut self, now: Instant, ip: IpAddr) -> bool {
        let host = Host::from(ip);
        if self.paid.len() >= MAX_HOSTS && !self.paid.contains_key(&host) {
            return true;
        }
        let paid = self.paid.entry(host).or_default();
        if paid.since(now) >= SAVED_UP {
            return false;
        }
        *paid = (*paid).max(now) + self.cost;
        true
    }

    /// Forgets the hosts that have paid.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.paid.retain(|_, paid| *paid > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::START + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_host_is_answered_at_a_rate_and_others_beside_it() {
        let mut rates = Rates::new(100);
        let (mallory, alice): (IpAddr, IpAddr) = ("192.0.2.6".parse().unwrap(), "192.0.2.7".parse().unwrap());
        assert_eq!((0..5_000).filter(|_| rates.admit(at(50_000), mallory)).count(), 1_000);
        assert_eq!((0..5_000).filter(|_| rates.admit(at(51_000), mallory)).count(), 100);
        assert!(rates.admit(at(51_000), alice));
        rates.sweep(at(51_020));
        assert_eq!(rates.paid.len(), 1, "alice has paid");
        assert!(!rates.admit(at(51_000), mallory), "a sweep forgets no debt");
    }

    #[test]
    fn a_subnet_of_ipv6_is_one_host_and_the_map_is_bounded() {
        let mut rates = Rates::new(1);
        let address = |i: u128, shift: u32| IpAddr::from(core::net::Ipv6Addr::from((0x2001_0db8 << 96) + (i << shift)));
        assert_eq!((0..100).filter(|&i| rates.admit(at(50_000), address(i, 0))).count(), 10);
        assert!((0..100_000).all(|i| rates.admit(at(50_000), address(i + 1, 64))));
        assert!(rates.paid.len() <= MAX_HOSTS);
    }
}
