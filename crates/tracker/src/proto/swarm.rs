//! One swarm: who has everything and who has not, IPv4 and IPv6 apart.

use core::net::{IpAddr, SocketAddr};

use super::peers::{Address, Peer, Peers, sample};

/// How many ports one host may have in one swarm: the users behind one router, or one user's devices (arbitrary).
const MAX_PORTS_PER_HOST: usize = 16;

/// How many peers of a full swarm are looked at to find one that may go. Arbitrary: with half of the peers unproven, one
/// of 255 newcomers finds none.
const VICTIMS: usize = 8;

/// The peers of one address family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side<A> {
    /// Those that have everything.
    pub seeds: Peers<A>,
    /// Those that have not.
    pub leechers: Peers<A>,
    /// How many leechers download nothing (BEP 21).
    pub paused: u32,
}

/// A swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swarm {
    /// IPv4 peers.
    pub v4: Side<[u8; 4]>,
    /// IPv6 peers.
    pub v6: Side<[u8; 16]>,
    /// How often the torrent was completed.
    pub completed: u32,
    /// Its place among the swarms that are the first to go; `None`: it is not one of them.
    pub unproven: Option<u64>,
}

/// Who counts as one host: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// The address.
    V4([u8; 4]),
    /// The first half of the address.
    V6([u8; 8]),
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Host {
        match ip.to_canonical() {
            IpAddr::V4(ip) => ip.octets().host(),
            IpAddr::V6(ip) => ip.octets().host(),
        }
    }
}

/// An address family that swarms keep apart.
pub trait Family: Address {
    /// Returns the peers of this family.
    fn side(swarm: &Swarm) -> &Side<Self>;

    /// Returns the peers of this family, to be changed.
    fn side_mut(swarm: &mut Swarm) -> &mut Side<Self>;

    /// Returns whose address this is.
    fn host(self) -> Host;
}

impl Family for [u8; 4] {
    fn side(swarm: &Swarm) -> &Side<Self> {
        &swarm.v4
    }

    fn side_mut(swarm: &mut Swarm) -> &mut Side<Self> {
        &mut swarm.v4
    }

    fn host(self) -> Host {
        Host::V4(self)
    }
}

impl Family for [u8; 16] {
    fn side(swarm: &Swarm) -> &Side<Self> {
        &swarm.v6
    }

    fn side_mut(swarm: &mut Swarm) -> &mut Side<Self> {
        &mut swarm.v6
    }

    fn host(self) -> Host {
        let [a, b, c, d, e, f, g, h, ..] = self;
        Host::V6([a, b, c, d, e, f, g, h])
    }
}

impl<A: Address> Side<A> {
    const fn new() -> Side<A> {
        Side { seeds: Peers::new(), leechers: Peers::new(), paused: 0 }
    }

    /// Returns how many peers there are.
    pub fn len(&self) -> usize {
        self.seeds.len() + self.leechers.len()
    }

    /// Returns how many bytes of memory the peers take.
    pub fn bytes(&self) -> u64 {
        self.seeds.bytes() + self.leechers.bytes()
    }

    /// Finds a peer: what is known of it, and whether it is a seed.
    pub fn find(&self, ip: A, port: u16) -> Option<(Peer<A>, bool)> {
        let seed = self.seeds.get(ip, port).map(|peer| (*peer, true));
        seed.or_else(|| self.leechers.get(ip, port).map(|peer| (*peer, false)))
    }

    /// Takes a peer out.
    pub fn remove(&mut self, ip: A, port: u16) -> Option<Peer<A>> {
        self.seeds.remove(ip, port).or_else(|| {
            let peer = self.leechers.remove(ip, port)?;
            self.paused -= u32::from(peer.paused);
            Some(peer)
        })
    }

    /// Puts a peer where it belongs; it must not be in the other list.
    pub fn insert(&mut self, peer: Peer<A>, seed: bool) {
        if seed {
            self.seeds.insert(Peer { paused: false, ..peer });
            return;
        }
        let before = self.leechers.get(peer.ip, peer.port).is_some_and(|peer| peer.paused);
        self.paused = self.paused - u32::from(before) + u32::from(peer.paused);
        self.leechers.insert(peer);
    }

    /// Returns how many bytes more it takes to add a peer that is not here.
    pub fn growth_bytes(&self, seed: bool) -> u64 {
        if seed { self.seeds.growth_bytes() } else { self.leechers.growth_bytes() }
    }

    /// Returns the peer that a new one of the same host has to replace: the one silent for longest, once the host has as
    /// many as it may.
    pub fn surplus_of_host(&self, ip: A) -> Option<Peer<A>> {
        if self.len_of_host(ip) < MAX_PORTS_PER_HOST {
            return None;
        }
        let (seeds, leechers) = (self.seeds.of_host(ip), self.leechers.of_host(ip));
        seeds.iter().chain(leechers).min_by_key(|peer| peer.seen_s).copied()
    }

    /// Returns a peer that may go for a new one: of a few drawn by lot, the one silent for longest among those that never
    /// came back.
    pub fn victim(&self, rng: &mut fastrand::Rng) -> Option<Peer<A>> {
        let drawn = sample(self.len(), VICTIMS, rng).filter_map(|index| self.at(index));
        drawn.filter(|peer| !peer.proven).min_by_key(|peer| peer.seen_s).copied()
    }

    /// Takes out those that were seen last before this second, and hands each to `gone`.
    pub fn expire(&mut self, before_s: u32, mut gone: impl FnMut(A)) {
        self.seeds.expire(before_s, |peer| gone(peer.ip));
        let paused = &mut self.paused;
        self.leechers.expire(before_s, |peer| {
            *paused -= u32::from(peer.paused);
            gone(peer.ip);
        });
    }

    /// Hands every peer's address to `each`.
    pub fn addresses(&self, each: impl FnMut(A)) {
        self.seeds.list().iter().chain(self.leechers.list()).map(|peer| peer.ip).for_each(each);
    }

    /// Returns how many peers one host has.
    pub fn len_of_host(&self, ip: A) -> usize {
        self.seeds.of_host(ip).len() + self.leechers.of_host(ip).len()
    }

    /// Returns a peer by its number: seeds first.
    fn at(&self, index: usize) -> Option<&Peer<A>> {
        let seeds = self.seeds.list();
        seeds.get(index).or_else(|| self.leechers.list().get(index.checked_sub(seeds.len())?))
    }

    /// Draws peers by lot, as long as there is room in `out`. Seeds are of no use to those that download nothing.
    pub fn choose(
        &self,
        downloads: bool,
        asker: Option<(A, u16)>,
        most: usize,
        rng: &mut fastrand::Rng,
        out: &mut Vec<SocketAddr>,
    ) {
        let first = if downloads { 0 } else { self.seeds.len() };
        // One more than is wanted, since the asker may be among them.
        for index in sample(self.len() - first, most.saturating_sub(out.len()) + 1, rng) {
            if out.len() >= most {
                break;
            }
            match self.at(first + index) {
                Some(peer) if asker != Some((peer.ip, peer.port)) => out.push(peer.address()),
                _ => {}
            }
        }
    }
}

impl Swarm {
    /// Builds a swarm without peers.
    pub const fn new() -> Swarm {
        Swarm { v4: Side::new(), v6: Side::new(), completed: 0, unproven: None }
    }

    /// Returns how many bytes the first peer of a family takes.
    pub fn new_growth_bytes<A: Family>() -> u64 {
        Peers::<A>::new().growth_bytes()
    }

    /// Returns how many peers there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Returns how many peers have everything.
    pub fn seeds(&self) -> usize {
        self.v4.seeds.len() + self.v6.seeds.len()
    }

    /// Returns how many peers lack something.
    pub fn leechers(&self) -> usize {
        self.v4.leechers.len() + self.v6.leechers.len()
    }

    /// Returns how many bytes of memory the peers take.
    pub fn bytes(&self) -> u64 {
        self.v4.bytes() + self.v6.bytes()
    }
}
