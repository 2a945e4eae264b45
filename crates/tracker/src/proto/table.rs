//! All swarms, and the limits that hold whatever strangers send.
//!
//! Invariants: the memory counted never exceeds its limit; of each host no more peers are kept than allowed, in all swarms
//! together; a peer that is not heard of for two intervals is gone within a sweep.
//!
//! **Under a flood** the rule is: what has proved itself stays, what has not gives way. A swarm is *proven* when two hosts
//! are in it or when one of its peers came back a minute or more after it was seen; a peer is proven when it came back in
//! that way. An unproven swarm gives way to a new one, the oldest first; an unproven peer of a full swarm gives way to a
//! new one, by lot. Proven ones never do: they go by expiry alone. They may take seven eighths of the limits, so that a
//! newcomer always finds a place in which it can prove itself.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use base::Instant;
use metainfo::InfoHashV1;
use torrent_proto::tracker::{AnnounceEvent, AnnounceRequest, AnnounceResponse, ScrapeEntry};

use super::peers::Peer;
use super::swarm::{Family, Host, Swarm};

/// How long after it was seen a peer has to come back to be proven: longer than a burst, shorter than an interval
/// (arbitrary).
const PROOF: Duration = Duration::from_secs(60);

/// How often some swarms are looked at for peers that are gone, and how long it takes to look at all (arbitrary).
const SWEEP_STEP: Duration = Duration::from_secs(10);
const SWEEP_ALL: Duration = Duration::from_secs(120);

/// What an entry of a `BTreeMap` takes, as a multiple of key and value: its nodes are between half full and full.
const MAP_FACTOR: u64 = 2;

/// Bytes that a swarm takes beside its peers: its entry, and the one of its place among the unproven.
const SWARM_BYTES: u64 = MAP_FACTOR * (size_of::<(InfoHashV1, Swarm)>() + size_of::<(u64, InfoHashV1)>()) as u64;

/// Bytes that a host takes.
const HOST_BYTES: u64 = MAP_FACTOR * size_of::<(Host, u32)>() as u64;

/// What the table holds at most, and what it tells.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Swarms.
    pub swarms: usize,
    /// Peers of one swarm.
    pub peers_per_swarm: usize,
    /// Peers of one host (an IPv4 address or an IPv6 /64), in all swarms together.
    pub peers_per_host: u32,
    /// Requests of one host that are answered in a second, on average.
    pub requests_per_host_s: u32,
    /// Memory of all of it, in bytes.
    pub memory_bytes: u64,
    /// How often peers are to announce; silent for twice as long they are gone.
    pub interval: Duration,
    /// How soon they may announce again.
    pub min_interval: Duration,
    /// The only swarms that are served; `None`: every one.
    pub listed: Option<BTreeSet<InfoHashV1>>,
}

/// Why an announce is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The swarm is not on the list.
    #[error("this tracker does not serve this torrent")]
    Unlisted,
    /// The host has as many peers here as it may.
    #[error("too many peers of your address are here already")]
    Host,
    /// The host asks too often.
    #[error("too many requests of your address")]
    Rate,
    /// There is no room for a new swarm.
    #[error("this tracker is full")]
    Full,
}

/// What is in the table, and what had to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Swarms.
    pub swarms: usize,
    /// Swarms that are the first to go.
    pub unproven_swarms: usize,
    /// Peers that have everything, in all swarms.
    pub seeds: usize,
    /// All others.
    pub leechers: usize,
    /// IPv6 peers among both.
    pub v6_peers: usize,
    /// Hosts that they belong to.
    pub hosts: usize,
    /// Memory taken, in bytes.
    pub memory_bytes: u64,
    /// Swarms that had to give way, ever.
    pub evicted_swarms: u64,
    /// Peers that had to give way within their swarm, or found no place, ever.
    pub evicted_peers: u64,
}

/// The swarms.
#[derive(Debug)]
pub struct Table {
    limits: Limits,
    swarms: BTreeMap<InfoHashV1, Swarm>,
    /// Those that are the first to go, oldest first.
    unproven: BTreeMap<u64, InfoHashV1>,
    next_unproven: u64,
    /// How many peers each host has.
    hosts: BTreeMap<Host, u32>,
    /// Memory taken by all, and by unproven swarms.
    bytes: u64,
    unproven_bytes: u64,
    /// The sums over all swarms.
    content: Content,
    /// The swarm looked at last by the sweep.
    cursor: Option<InfoHashV1>,
    next_sweep: Instant,
    rng: fastrand::Rng,
}

impl Table {
    /// Builds an empty table.
    pub fn new(limits: Limits, now: Instant, rng: fastrand::Rng) -> Table {
        Table {
            limits,
            swarms: BTreeMap::new(),
            unproven: BTreeMap::new(),
            next_unproven: 0,
            hosts: BTreeMap::new(),
            bytes: 0,
            unproven_bytes: 0,
            content: Content::default(),
            cursor: None,
            next_sweep: now + SWEEP_STEP,
            rng,
        }
    }

    /// Returns what the table holds at most.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns what it holds now.
    pub fn content(&self) -> Content {
        Content {
            swarms: self.swarms.len(),
            unproven_swarms: self.unproven.len(),
            hosts: self.hosts.len(),
            memory_bytes: self.bytes,
            ..self.content
        }
    }

    /// Takes an announce that came from `ip`, whatever it says about its address, and answers with at most `most` peers.
    pub fn announce(
        &mut self,
        now: Instant,
        ip: IpAddr,
        announce: &AnnounceRequest,
        most: usize,
    ) -> Result<AnnounceResponse, Refusal> {
        if !self.is_listed(announce.info_hash) {
            return Err(Refusal::Unlisted);
        }
        let ip = ip.to_canonical();
        let peers = match ip {
            IpAddr::V4(ip) => self.announced(now, ip.octets(), announce, most)?,
            IpAddr::V6(ip) => self.announced(now, ip.octets(), announce, most)?,
        };
        let swarm = self.swarms.get(&announce.info_hash);
        Ok(AnnounceResponse {
            interval: self.limits.interval,
            min_interval: Some(self.limits.min_interval),
            seeders: Some(swarm.map_or(0, Swarm::seeds) as u32),
            leechers: Some(swarm.map_or(0, Swarm::leechers) as u32),
            peers,
            external_ip: Some(ip),
            ..AnnounceResponse::default()
        })
    }

    /// Returns the numbers of a swarm; `None` when nobody is in it.
    pub fn scrape(&self, hash: InfoHashV1) -> Option<ScrapeEntry> {
        let swarm = self.swarms.get(&hash)?;
        let leechers = swarm.leechers() as u32;
        Some(ScrapeEntry {
            seeders: swarm.seeds() as u32,
            leechers,
            completed: swarm.completed,
            downloaders: Some(leechers - swarm.v4.paused - swarm.v6.paused),
        })
    }

    /// Returns when [`Table::sweep`] is due.
    pub fn next_sweep(&self) -> Instant {
        self.next_sweep
    }

    /// Looks at some of the swarms for peers that are gone.
    pub fn sweep(&mut self, now: Instant) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP_STEP;
        let before_s = seconds(now).saturating_sub(2 * seconds_of(self.limits.interval));
        let share = self.swarms.len().div_ceil((SWEEP_ALL.as_secs() / SWEEP_STEP.as_secs()) as usize);
        for _ in 0..share {
            let after = self.cursor.map_or(Bound::Unbounded, Bound::Excluded);
            self.cursor = self.swarms.range((after, Bound::Unbounded)).next().map(|(hash, _)| *hash);
            let Some(hash) = self.cursor else { break };
            self.expire(hash, before_s);
        }
    }

    fn is_listed(&self, hash: InfoHashV1) -> bool {
        self.limits.listed.as_ref().is_none_or(|listed| listed.contains(&hash))
    }

    fn announced<A: Family>(
        &mut self,
        now: Instant,
        ip: A,
        announce: &AnnounceRequest,
        most: usize,
    ) -> Result<Vec<SocketAddr>, Refusal> {
        let (hash, seed) = (announce.info_hash, announce.left == 0);
        let paused = announce.event == AnnounceEvent::Paused;
        if announce.event == AnnounceEvent::Stopped {
            let known = self.swarms.get(&hash).and_then(|swarm| A::side(swarm).find(ip, announce.port));
            // Another program behind the same address, or a stranger, cannot end what it did not begin.
            if known.is_some_and(|(peer, _)| peer.key == announce.key) {
                self.remove(hash, ip, announce.port);
            }
            return Ok(Vec::new());
        }
        // Who cannot be reached at any port gets peers, and is told to nobody.
        if announce.port != 0 {
            let seen_s = seconds(now);
            let peer = Peer { ip, port: announce.port, key: announce.key, seen_s, proven: false, paused };
            self.place(hash, peer, seed, announce.event == AnnounceEvent::Completed)?;
        }
        let mut peers = Vec::with_capacity(most.min(64));
        if let Some(swarm) = self.swarms.get(&hash) {
            let downloads = !seed && !paused;
            let asker = Some((ip, announce.port));
            A::side(swarm).choose(downloads, asker, most, &mut self.rng, &mut peers);
            // What its own family leaves free, the other one fills: it may have addresses of both (BEP 7).
            match A::host(ip) {
                Host::V4(_) => swarm.v6.choose(downloads, None, most, &mut self.rng, &mut peers),
                Host::V6(_) => swarm.v4.choose(downloads, None, most, &mut self.rng, &mut peers),
            }
        }
        Ok(peers)
    }

    /// Puts a peer into its swarm, or leaves it out where there is no room.
    fn place<A: Family>(
        &mut self,
        hash: InfoHashV1,
        mut peer: Peer<A>,
        seed: bool,
        completed: bool,
    ) -> Result<(), Refusal> {
        let known = self.swarms.get(&hash).and_then(|swarm| A::side(swarm).find(peer.ip, peer.port));
        if let Some((before, was_seed)) = known {
            peer.proven = before.proven || peer.seen_s >= before.seen_s.saturating_add(seconds_of(PROOF));
            let growth = self.swarms.get(&hash).map_or(0, |swarm| A::side(swarm).growth_bytes(seed));
            // Where there is no room in the other list, it stays in the one that it is in.
            let as_seed = if seed == was_seed || self.room(growth, 0, hash) { seed } else { was_seed };
            self.change(hash, |swarm| {
                if as_seed != was_seed {
                    A::side_mut(swarm).remove(peer.ip, peer.port);
                }
                A::side_mut(swarm).insert(peer, as_seed);
                swarm.completed = swarm.completed.saturating_add(u32::from(completed && as_seed && !was_seed));
            });
        } else if !self.add(hash, peer, seed, completed)? {
            self.content.evicted_peers += 1;
            return Ok(());
        }
        self.promote(hash, peer);
        Ok(())
    }

    /// Adds a peer that is not in the swarm; `false` when the swarm has no room for it.
    fn add<A: Family>(
        &mut self,
        hash: InfoHashV1,
        peer: Peer<A>,
        seed: bool,
        completed: bool,
    ) -> Result<bool, Refusal> {
        let of_host = self.hosts.get(&peer.ip.host()).copied().unwrap_or_default();
        if of_host >= self.limits.peers_per_host {
            return Err(Refusal::Host);
        }
        // Also of a host that is known: its other peers may be what gives way.
        let host_bytes = HOST_BYTES;
        if let Some(swarm) = self.swarms.get(&hash) {
            let surplus = A::side(swarm).surplus_of_host(peer.ip);
            let full = swarm.len() >= self.limits.peers_per_swarm;
            let growth = A::side(swarm).growth_bytes(seed) + host_bytes;
            let gives_way = if surplus.is_some() {
                surplus
            } else if full || !self.room(growth, 0, hash) {
                let victim = self.swarms.get(&hash).and_then(|swarm| A::side(swarm).victim(&mut self.rng));
                let Some(victim) = victim else { return Ok(false) };
                Some(victim)
            } else {
                None
            };
            if let Some(gone) = gives_way {
                self.content.evicted_peers += 1;
                self.change(hash, |swarm| A::side_mut(swarm).remove(gone.ip, gone.port));
                self.leave(gone.ip.host());
                let growth = self.swarms.get(&hash).map_or(0, |swarm| A::side(swarm).growth_bytes(seed));
                if !self.room(growth + host_bytes, 0, hash) {
                    self.drop_if_empty(hash);
                    return Ok(false);
                }
            }
        } else {
            let growth = Swarm::new_growth_bytes::<A>() + SWARM_BYTES + host_bytes;
            if !self.room(growth, 1, hash) {
                return Err(Refusal::Full);
            }
            let mut swarm = Swarm::new();
            swarm.unproven = Some(self.next_unproven);
            self.unproven.insert(self.next_unproven, hash);
            self.next_unproven += 1;
            self.swarms.insert(hash, swarm);
            self.bytes += SWARM_BYTES;
            self.unproven_bytes += SWARM_BYTES;
        }
        self.change(hash, |swarm| {
            A::side_mut(swarm).insert(peer, seed);
            swarm.completed = swarm.completed.saturating_add(u32::from(completed && seed));
        });
        self.arrive(peer.ip.host());
        Ok(true)
    }

    /// Makes a swarm proven when it is and when the proven ones have room for it.
    fn promote<A: Family>(&mut self, hash: InfoHashV1, peer: Peer<A>) {
        let Some(swarm) = self.swarms.get_mut(&hash) else { return };
        let Some(place) = swarm.unproven else { return };
        let bytes = SWARM_BYTES + swarm.bytes();
        let proven = peer.proven || swarm.len() > A::side(swarm).len_of_host(peer.ip);
        let others = self.swarms_proven();
        let Some(swarm) = self.swarms.get_mut(&hash) else { return };
        if proven
            && others < most_proven(self.limits.swarms as u64)
            && self.bytes - self.unproven_bytes + bytes <= most_proven(self.limits.memory_bytes)
        {
            swarm.unproven = None;
            self.unproven.remove(&place);
            self.unproven_bytes -= bytes;
        }
    }

    fn swarms_proven(&self) -> u64 {
        (self.swarms.len() - self.unproven.len()) as u64
    }

    /// Makes room for bytes and swarms, by letting unproven swarms other than `spare` go; `false` when that is not enough.
    fn room(&mut self, bytes: u64, swarms: usize, spare: InfoHashV1) -> bool {
        let proven = self.swarms.get(&spare).is_some_and(|swarm| swarm.unproven.is_none());
        if bytes > 0 && proven && self.bytes - self.unproven_bytes + bytes > most_proven(self.limits.memory_bytes) {
            return false;
        }
        while self.bytes + bytes > self.limits.memory_bytes || self.swarms.len() + swarms > self.limits.swarms {
            let Some(oldest) = self.unproven.values().copied().find(|hash| *hash != spare) else { return false };
            self.content.evicted_swarms += 1;
            self.drop_swarm(oldest);
        }
        true
    }

    fn remove<A: Family>(&mut self, hash: InfoHashV1, ip: A, port: u16) {
        if self.change(hash, |swarm| A::side_mut(swarm).remove(ip, port)).flatten().is_some() {
            self.leave(ip.host());
            self.drop_if_empty(hash);
        }
    }

    fn expire(&mut self, hash: InfoHashV1, before_s: u32) {
        let mut gone = Vec::new();
        self.change(hash, |swarm| {
            swarm.v4.expire(before_s, |ip| gone.push(ip.host()));
            swarm.v6.expire(before_s, |ip| gone.push(ip.host()));
        });
        if !gone.is_empty() {
            gone.into_iter().for_each(|host| self.leave(host));
            self.drop_if_empty(hash);
        }
    }

    fn drop_if_empty(&mut self, hash: InfoHashV1) {
        if self.swarms.get(&hash).is_some_and(|swarm| swarm.len() == 0) {
            self.drop_swarm(hash);
        }
    }

    fn drop_swarm(&mut self, hash: InfoHashV1) {
        let mut hosts = Vec::new();
        let emptied = self.change(hash, |swarm| {
            swarm.v4.addresses(|ip| hosts.push(ip.host()));
            swarm.v6.addresses(|ip| hosts.push(ip.host()));
            (swarm.v4, swarm.v6) = (Swarm::new().v4, Swarm::new().v6);
            swarm.unproven
        });
        hosts.into_iter().for_each(|host| self.leave(host));
        let Some(unproven) = emptied else { return };
        self.swarms.remove(&hash);
        self.bytes -= SWARM_BYTES;
        if let Some(place) = unproven {
            self.unproven.remove(&place);
            self.unproven_bytes -= SWARM_BYTES;
        }
    }

    /// Changes a swarm, and all the sums with it.
    fn change<R>(&mut self, hash: InfoHashV1, change: impl FnOnce(&mut Swarm) -> R) -> Option<R> {
        let swarm = self.swarms.get_mut(&hash)?;
        let sums = |swarm: &Swarm| (swarm.bytes(), swarm.seeds(), swarm.leechers(), swarm.v6.len());
        let before = sums(swarm);
        let result = change(swarm);
        let after = sums(swarm);
        self.bytes = self.bytes - before.0 + after.0;
        if swarm.unproven.is_some() {
            self.unproven_bytes = self.unproven_bytes - before.0 + after.0;
        }
        let content = &mut self.content;
        content.seeds = content.seeds - before.1 + after.1;
        content.leechers = content.leechers - before.2 + after.2;
        content.v6_peers = content.v6_peers - before.3 + after.3;
        Some(result)
    }

    fn arrive(&mut self, host: Host) {
        let peers = self.hosts.entry(host).or_default();
        if *peers == 0 {
            self.bytes += HOST_BYTES;
        }
        *peers += 1;
    }

    fn leave(&mut self, host: Host) {
        let Some(peers) = self.hosts.get_mut(&host) else { return };
        *peers -= 1;
        if *peers == 0 {
            self.hosts.remove(&host);
            self.bytes -= HOST_BYTES;
        }
    }
}

/// How much of a limit what is proven may take.
fn most_proven(limit: u64) -> u64 {
    limit / 8 * 7
}

fn seconds(now: Instant) -> u32 {
    seconds_of(now.since_start())
}

fn seconds_of(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
