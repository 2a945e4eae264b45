//! How often a wrong secret may be shown: a leaky bucket for each address, and one for all together, since whoever has a
//! network has many addresses. What is right passes at any time, but for a password: while somebody waits none is looked at.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What one address may get wrong at once, and how soon once more. Arbitrary: a person mistypes, a program guesses.
const ONE: Allowance = Allowance { burst: 10, every: Duration::from_secs(6) };

/// The same for all addresses together. Arbitrary.
const ALL: Allowance = Allowance { burst: 100, every: Duration::from_secs(1) };

/// How many addresses are remembered; whose is the least goes first. Arbitrary.
const MAX_ADDRESSES: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Allowance {
    burst: u32,
    every: Duration,
}

/// Counts what was wrong.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    all: Bucket,
    addresses: BTreeMap<IpAddr, Bucket>,
}

/// When all that was wrong is forgotten; `None`: nothing was.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket(Option<Instant>);

impl Bucket {
    fn debt(self, now: Instant) -> Duration {
        self.0.map_or(Duration::ZERO, |empty_at| empty_at.saturating_duration_since(now))
    }

    /// Returns how long it takes until one more mistake has room.
    fn wait(self, allowance: Allowance, now: Instant) -> Duration {
        (self.debt(now) + allowance.every).saturating_sub(allowance.every * allowance.burst)
    }

    fn add(&mut self, allowance: Allowance, now: Instant) {
        self.0 = Some(now + self.debt(now) + allowance.every);
    }
}

impl Throttle {
    /// Notes a wrong guess; returns how long to wait, if it was one too many: then it does not count.
    pub(super) fn wrong(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        // No method panics between two changes of the state.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        let wait = state.wait(address, now);
        if wait.is_none() {
            state.all.add(ALL, now);
            state.make_room(now);
            state.addresses.entry(address).or_default().add(ONE, now);
        }
        wait
    }

    /// Tells how long to wait before one more guess is looked at.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wait(network(address), now)
    }
}

impl State {
    fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let own = self.addresses.get(&address).map_or(Duration::ZERO, |bucket| bucket.wait(ONE, now));
        Some(own.max(self.all.wait(ALL, now))).filter(|wait| !wait.is_zero())
    }

    fn make_room(&mut self, now: Instant) {
        if self.addresses.len() < MAX_ADDRESSES {
            return;
        }
        self.addresses.retain(|_, bucket| !bucket.debt(now).is_zero());
        if self.addresses.len() >= MAX_ADDRESSES
            && let Some(least) = self.addresses.iter().min_by_key(|(_, bucket)| bucket.debt(now))
        {
            let least = *least.0;
            self.addresses.remove(&least);
        }
    }
}

/// Returns what stands for all addresses that one host can have: of IPv6 the network of 64 bits (RFC 4291, section 2.5.1).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0xc000_0200 + number).into()
    }

    #[test]
    fn who_guesses_waits_and_others_do_not() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert!((0..ONE.burst).all(|_| throttle.wrong(address(1), now).is_none()));
        assert_eq!(throttle.wrong(address(1), now), Some(ONE.every));
        assert_eq!(throttle.wrong(address(2), now), None);
        let later = now + ONE.every;
        assert_eq!((throttle.wrong(address(1), later), throttle.wrong(address(1), later)), (None, Some(ONE.every)));
    }

    #[test]
    fn who_has_many_addresses_waits_too() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert!((0..ALL.burst).all(|number| throttle.wrong(address(number), now).is_none()));
        assert_eq!(throttle.wrong(address(5000), now), Some(ALL.every));
        let (one, same): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::ffff".parse().unwrap());
        assert_eq!(network(one), network(same));
        assert_ne!(network(one), network("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), address(1));
    }

    #[test]
    fn the_list_of_addresses_is_bounded() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        for number in 0..3 * MAX_ADDRESSES as u32 {
            // As fast as all together may.
            now += ALL.every;
            for _ in 0..2 {
                throttle.wrong(address(number), now);
            }
            assert!(throttle.0.lock().unwrap().addresses.len() <= MAX_ADDRESSES);
        }
    }
}
