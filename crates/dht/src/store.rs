//! What others stored with us: peers of swarms (BEP 5, 33) and items (BEP 44). Bounded, and everything fades.
//!
//! When there is no room, what is farthest from our id goes: the nearest keys are those that others look for here.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
use std::time::Duration;

use base::Instant;

use crate::bloom::Bloom;
use crate::krpc::code;
use crate::rate::source;
use crate::{Distance, Id, Item};

/// How long an announcement holds: programs announce every 15 to 30 minutes.
pub(crate) const PEER_LIFE: Duration = Duration::from_secs(45 * 60);

/// How long an item is kept without being stored again (BEP 44).
pub(crate) const ITEM_LIFE: Duration = Duration::from_secs(2 * 3600);

/// The most swarms (arbitrary; a node of the public network sees a few hundred).
pub(crate) const MAX_SWARMS: usize = 4_000;

/// The most peers of one swarm. BEP 33 allows 6,000; an answer never holds more than a hundred.
pub(crate) const MAX_PEERS_PER_SWARM: usize = 1_000;

/// The most peers of all swarms: some 5 MB.
pub(crate) const MAX_PEERS: usize = 60_000;

/// The most items: 2.5 MB.
pub(crate) const MAX_ITEMS: usize = 2_000;

/// The most peers of one swarm from the /64 that one subscriber of IPv6 has: a household's machines (arbitrary).
const MAX_PEERS_PER_SUBSCRIBER: usize = 16;

/// The most swarms and items together that one source may have begun here: a tenth.
const SHARE_OF_ONE: usize = 10;

/// What is stored in one network.
#[derive(Debug)]
pub(crate) struct Store {
    /// Our id: keys are ordered by how near they are.
    own: Id,
    swarms: BTreeMap<Distance, Swarm>,
    peers: usize,
    items: BTreeMap<Distance, Stored>,
    /// How many swarms and items each source brought: an IPv4 address, or a /64 of IPv6.
    brought: BTreeMap<IpAddr, u32>,
}

#[derive(Debug)]
struct Swarm {
    info_hash: Id,
    peers: BTreeMap<IpAddr, Peer>,
    /// Who announced first.
    by: IpAddr,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    port: u16,
    seed: bool,
    until: Instant,
}

#[derive(Debug)]
struct Stored {
    item: Item,
    until: Instant,
    by: IpAddr,
}

/// Why an item was not stored: a code of BEP 44 and its words.
pub(crate) type Refused = (i64, &'static str);

impl Store {
    /// Begins empty.
    pub(crate) fn new(own: Id) -> Store {
        Store { own, swarms: BTreeMap::new(), peers: 0, items: BTreeMap::new(), brought: BTreeMap::new() }
    }

    /// Takes a new id of our own.
    pub(crate) fn rename(&mut self, own: Id) {
        self.own = own;
        let swarms = std::mem::take(&mut self.swarms).into_values();
        self.swarms = swarms.map(|swarm| (own.distance(&swarm.info_hash), swarm)).collect();
        let items = std::mem::take(&mut self.items).into_values();
        self.items = items.map(|stored| (own.distance(&stored.item.target()), stored)).collect();
    }

    /// Stores a peer. `false`: there is no room for it.
    pub(crate) fn announce(&mut self, now: Instant, info_hash: Id, peer: SocketAddr, seed: bool) -> bool {
        let key = self.own.distance(&info_hash);
        let (ip, by) = (peer.ip(), source(peer.ip()));
        if !self.swarms.contains_key(&key) {
            if !self.may_bring(by, MAX_SWARMS) || !self.make_swarm_room(key) {
                return false;
            }
            *self.brought.entry(by).or_default() += 1;
            self.swarms.insert(key, Swarm { info_hash, peers: BTreeMap::new(), by });
        }
        let Some(swarm) = self.swarms.get_mut(&key) else { return false };
        let full = swarm.peers.len() >= MAX_PEERS_PER_SWARM || self.peers >= MAX_PEERS;
        let neighbours = swarm.peers.range(by..).take_while(|(other, _)| source(**other) == by);
        let oldest_neighbour = neighbours.clone().min_by_key(|(_, peer)| peer.until).map(|(&ip, _)| ip);
        let crowded = neighbours.count() >= MAX_PEERS_PER_SUBSCRIBER;
        if (full || crowded) && !swarm.peers.contains_key(&ip) {
            // The oldest announcement of its subscriber or this swarm makes room; for a swarm's first one, the farthest
            // swarm does.
            let oldest = || swarm.peers.iter().min_by_key(|(_, peer)| peer.until).map(|(&ip, _)| ip);
            let oldest = if crowded { oldest_neighbour } else { oldest() };
            if let Some(oldest) = oldest {
                swarm.peers.remove(&oldest);
                self.peers -= 1;
            } else if let Some(farthest) = self.swarms.last_key_value().map(|(&farthest, _)| farthest) {
                self.remove_swarm(farthest);
            }
        }
        let Some(swarm) = self.swarms.get_mut(&key) else { return false };
        let fresh = Peer { port: peer.port(), seed, until: now + PEER_LIFE };
        if swarm.peers.insert(ip, fresh).is_none() {
            self.peers += 1;
        }
        true
    }

    /// Returns some peers of a swarm, at most `limit`, drawn by chance.
    pub(crate) fn peers(
        &self,
        now: Instant,
        info_hash: &Id,
        no_seed: bool,
        limit: usize,
        rng: &mut fastrand::Rng,
    ) -> Vec<SocketAddr> {
        let Some(swarm) = self.swarms.get(&self.own.distance(info_hash)) else { return Vec::new() };
        let wanted = swarm.peers.iter().filter(|(_, peer)| peer.until > now && !(no_seed && peer.seed));
        let mut all: Vec<SocketAddr> = wanted.map(|(&ip, peer)| (ip, peer.port).into()).collect();
        rng.shuffle(&mut all);
        all.truncate(limit);
        all
    }

    /// Returns the filters of a swarm's seeds and its other peers (BEP 33).
    pub(crate) fn blooms(&self, now: Instant, info_hash: &Id) -> Option<(Bloom, Bloom)> {
        let swarm = self.swarms.get(&self.own.distance(info_hash))?;
        let (mut seeds, mut others) = (Bloom::default(), Bloom::default());
        for (&ip, peer) in swarm.peers.iter().filter(|(_, peer)| peer.until > now) {
            if peer.seed { seeds.insert(ip) } else { others.insert(ip) }
        }
        Some((seeds, others))
    }

    /// Returns some info-hashes, at most `limit`, drawn by chance.
    pub(crate) fn sample(&self, limit: usize, rng: &mut fastrand::Rng) -> Vec<Id> {
        let mut all: Vec<Id> = self.swarms.values().map(|swarm| swarm.info_hash).collect();
        rng.shuffle(&mut all);
        all.truncate(limit);
        all
    }

    /// Stores an item that `by` brought. `cas`: only over this sequence number.
    pub(crate) fn put(&mut self, now: Instant, by: IpAddr, item: Item, cas: Option<i64>) -> Result<(), Refused> {
        let key = self.own.distance(&item.target());
        if let Some(stored) = self.items.get_mut(&key).filter(|stored| stored.until > now) {
            if let (Item::Mutable(old), Item::Mutable(new)) = (&stored.item, &item) {
                if cas.is_some_and(|cas| cas != old.seq()) {
                    return Err((code::CAS_MISMATCH, "another sequence number is stored"));
                }
                if new.seq() < old.seq() || new.seq() == old.seq() && new.value() != old.value() {
                    return Err((code::SEQ_TOO_LOW, "a newer item is stored"));
                }
            }
            stored.item = item;
            stored.until = now + ITEM_LIFE;
            return Ok(());
        }
        self.remove_item(key);
        let by = source(by);
        if !self.may_bring(by, MAX_ITEMS) || !self.make_item_room(key) {
            return Err((code::SERVER, "no room"));
        }
        *self.brought.entry(by).or_default() += 1;
        self.items.insert(key, Stored { item, until: now + ITEM_LIFE, by });
        Ok(())
    }

    /// Returns the item of a key.
    pub(crate) fn item(&self, now: Instant, target: &Id) -> Option<&Item> {
        self.items.get(&self.own.distance(target)).filter(|stored| stored.until > now).map(|stored| &stored.item)
    }

    /// Forgets what has faded.
    pub(crate) fn expire(&mut self, now: Instant) {
        for swarm in self.swarms.values_mut() {
            let before = swarm.peers.len();
            swarm.peers.retain(|_, peer| peer.until > now);
            self.peers -= before - swarm.peers.len();
        }
        let empty: Vec<Distance> =
            self.swarms.iter().filter(|(_, s)| s.peers.is_empty()).map(|(&key, _)| key).collect();
        empty.into_iter().for_each(|key| self.remove_swarm(key));
        let faded: Vec<Distance> = self.items.iter().filter(|(_, s)| s.until <= now).map(|(&key, _)| key).collect();
        faded.into_iter().for_each(|key| self.remove_item(key));
    }

    /// Returns how many swarms, peers and items there are.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.swarms.len(), self.peers, self.items.len())
    }

    fn may_bring(&self, by: IpAddr, limit: usize) -> bool {
        self.brought.get(&by).is_none_or(|&brought| (brought as usize) < limit / SHARE_OF_ONE)
    }

    fn make_swarm_room(&mut self, key: Distance) -> bool {
        match self.swarms.last_key_value() {
            Some((&farthest, _)) if self.swarms.len() >= MAX_SWARMS => {
                if farthest < key {
                    return false;
                }
                self.remove_swarm(farthest);
                true
            }
            _ => true,
        }
    }

    fn make_item_room(&mut self, key: Distance) -> bool {
        match self.items.last_key_value() {
            Some((&farthest, _)) if self.items.len() >= MAX_ITEMS => {
                if farthest < key {
                    return false;
                }
                self.remove_item(farthest);
                true
            }
            _ => true,
        }
    }

    fn remove_swarm(&mut self, key: Distance) {
        if let Some(swarm) = self.swarms.remove(&key) {
            self.peers -= swarm.peers.len();
            self.give_back(swarm.by);
        }
    }

    fn remove_item(&mut self, key: Distance) {
        if let Some(stored) = self.items.remove(&key) {
            self.give_back(stored.by);
        }
    }

    fn give_back(&mut self, by: IpAddr) {
        if let Some(brought) = self.brought.get_mut(&by) {
            *brought = brought.saturating_sub(1);
            if *brought == 0 {
                self.brought.remove(&by);
            }
        }
    }
}

#[cfg(test)]
mod tests;
