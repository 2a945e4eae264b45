//! The peers of one kind (seeds or others, of one address family) in one swarm.
//!
//! Invariant: sorted by address and port without duplicates, so that a peer is found by bisection, the ports of one
//! address lie side by side, and a choice by index costs as much as is chosen.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The bytes of an address: 4 or 16.
pub trait Address: Copy + Ord {
    /// How many leading bytes tell one host from another: all 4, or the 8 of an IPv6 subnet, since whoever has one
    /// address of a /64 has all of them (RFC 4291, 2.5.4).
    const HOST_BYTES: usize;

    /// Returns the bytes.
    fn bytes(&self) -> &[u8];

    /// Returns the address.
    fn ip(self) -> IpAddr;
}

impl Address for [u8; 4] {
    const HOST_BYTES: usize = 4;

    fn bytes(&self) -> &[u8] {
        self
    }

    fn ip(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(self))
    }
}

impl Address for [u8; 16] {
    const HOST_BYTES: usize = 8;

    fn bytes(&self) -> &[u8] {
        self
    }

    fn ip(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self))
    }
}

/// One peer of a swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer<A> {
    /// The address that it announced from.
    pub ip: A,
    /// The port that it says it listens on.
    pub port: u16,
    /// What it calls itself by (BEP 7, 15); 0 where it said nothing.
    pub key: u32,
    /// When it announced last, in seconds since the tracker started.
    pub seen_s: u32,
    /// It came back later, which those who only flood do not.
    pub proven: bool,
    /// It lacks something and downloads nothing (BEP 21).
    pub paused: bool,
}

impl<A: Address> Peer<A> {
    fn place(&self) -> (A, u16) {
        (self.ip, self.port)
    }

    /// Returns where others can reach it.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.ip.ip(), self.port)
    }
}

/// The peers of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers<A>(Vec<Peer<A>>);

impl<A: Address> Peers<A> {
    /// Bytes that a peer takes.
    pub const PEER_BYTES: u64 = size_of::<Peer<A>>() as u64;

    /// Builds an empty list, without memory of its own.
    pub const fn new() -> Peers<A> {
        Peers(Vec::new())
    }

    /// Returns the peers in order.
    pub fn list(&self) -> &[Peer<A>] {
        &self.0
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns how many bytes of memory are taken.
    pub fn bytes(&self) -> u64 {
        self.0.capacity() as u64 * Self::PEER_BYTES
    }

    /// Returns how many bytes more the next insertion takes.
    pub fn growth_bytes(&self) -> u64 {
        if self.0.len() < self.0.capacity() { 0 } else { self.step() as u64 * Self::PEER_BYTES }
    }

    /// How many places a full list grows by: half of what it has, not all, since most memory of a large table is here.
    fn step(&self) -> usize {
        (self.0.len() / 2).max(1)
    }

    /// Finds a peer.
    pub fn get(&self, ip: A, port: u16) -> Option<&Peer<A>> {
        let at = self.0.binary_search_by_key(&(ip, port), Peer::place).ok()?;
        self.0.get(at)
    }

    /// Adds a peer, or replaces the one at the same place.
    pub fn insert(&mut self, peer: Peer<A>) {
        match self.0.binary_search_by_key(&peer.place(), Peer::place) {
            Ok(at) => self.0[at] = peer,
            Err(at) => {
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(self.step());
                }
                self.0.insert(at, peer);
            }
        }
    }

    /// Takes a peer out.
    pub fn remove(&mut self, ip: A, port: u16) -> Option<Peer<A>> {
        let at = self.0.binary_search_by_key(&(ip, port), Peer::place).ok()?;
        let peer = self.0.remove(at);
        self.shrink();
        Some(peer)
    }

    /// Takes out those that were seen last before this second, and hands each to `gone`.
    pub fn expire(&mut self, before_s: u32, mut gone: impl FnMut(&Peer<A>)) {
        self.0.retain(|peer| {
            let stays = peer.seen_s >= before_s;
            if !stays {
                gone(peer);
            }
            stays
        });
        self.shrink();
    }

    /// Returns the peers of the host that an address belongs to.
    pub fn of_host(&self, ip: A) -> &[Peer<A>] {
        let host = &ip.bytes()[..A::HOST_BYTES];
        let begin = self.0.partition_point(|peer| &peer.ip.bytes()[..A::HOST_BYTES] < host);
        let end = self.0.partition_point(|peer| &peer.ip.bytes()[..A::HOST_BYTES] <= host);
        &self.0[begin..end]
    }

    /// Gives memory back when most of it lies idle.
    fn shrink(&mut self) {
        if self.0.len() < self.0.capacity() / 2 {
            self.0.shrink_to_fit();
        }
    }
}

/// Draws `most` different numbers below `among`, each equally likely, in a time that depends on `most` alone: the range is
/// cut into `most` parts, one number is drawn of each, and all of them are turned by one random offset.
pub fn sample(among: usize, most: usize, rng: &mut fastrand::Rng) -> impl Iterator<Item = usize> {
    let parts = most.min(among);
    let turn = if among == 0 { 0 } else { rng.usize(..among) };
    (0..parts).map(move |part| {
        let (low, high) = (part * among / parts, (part + 1) * among / parts);
        (turn + rng.usize(low..high)) % among
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn peer(ip: [u8; 4], port: u16) -> Peer<[u8; 4]> {
        Peer { ip, port, key: 0, seen_s: 0, proven: false, paused: false }
    }

    #[test]
    fn peers_are_found_by_place_and_by_host() {
        let mut peers = Peers::new();
        for port in [9, 7, 8] {
            peers.insert(peer([10, 0, 0, 1], port));
        }
        peers.insert(peer([10, 0, 0, 0], 7));
        peers.insert(peer([10, 0, 0, 2], 7));
        peers.insert(Peer { key: 5, ..peer([10, 0, 0, 1], 8) });
        assert_eq!(peers.len(), 5);
        assert_eq!(peers.get([10, 0, 0, 1], 8).map(|peer| peer.key), Some(5));
        assert_eq!(peers.of_host([10, 0, 0, 1]).iter().map(|peer| peer.port).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(peers.remove([10, 0, 0, 1], 7).map(|peer| peer.port), Some(7));
        assert_eq!(peers.remove([10, 0, 0, 1], 7), None);
    }

    #[test]
    fn the_addresses_of_an_ipv6_subnet_are_one_host() {
        let ip = |last: &str| format!("2001:db8::{last}").parse::<Ipv6Addr>().unwrap().octets();
        let mut peers = Peers::new();
        for last in ["1", "2", "ffff:1"] {
            peers.insert(Peer { ip: ip(last), port: 1, key: 0, seen_s: 0, proven: false, paused: false });
        }
        peers.insert(Peer { ip: ip("1:0:0:0:1"), port: 1, key: 0, seen_s: 0, proven: false, paused: false });
        assert_eq!(peers.of_host(ip("abcd")).len(), 3);
    }

    #[test]
    fn memory_follows_the_number_of_peers_both_ways() {
        let mut peers = Peers::new();
        for port in 1..=1000 {
            let (before, growth) = (peers.bytes(), peers.growth_bytes());
            peers.insert(peer([1; 4], port));
            assert_eq!(peers.bytes(), before + growth);
        }
        assert!(peers.bytes() <= 1500 * Peers::<[u8; 4]>::PEER_BYTES);
        let mut gone = 0;
        peers.expire(1, |_| gone += 1);
        assert_eq!((gone, peers.bytes()), (1000, 0));
    }

    #[test]
    fn a_sample_is_different_numbers_each_as_likely() {
        let mut rng = fastrand::Rng::with_seed(3);
        for (among, most) in [(0, 5), (1, 5), (5, 5), (7, 3), (1000, 50)] {
            let drawn: Vec<usize> = sample(among, most, &mut rng).collect();
            assert_eq!(drawn.len(), most.min(among));
            assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len());
            assert!(drawn.iter().all(|number| *number < among));
        }
        let mut often = [0_u32; 10];
        for _ in 0..10_000 {
            sample(10, 3, &mut rng).for_each(|number| often[number] += 1);
        }
        assert!(often.iter().all(|times| (2_700..3_300).contains(times)), "{often:?}");
    }
}
