//! The peer list: whom to dial, when, and whom never again.
//!
//! A candidate is *ready → dialling → connected*, and *waiting* for its next try after a failure or the end of a
//! connection; each failure doubles the wait. Ready ones are dialled hints first, then those that failed least, then by
//! canonical priority (BEP 40). Seeds stand in a queue of their own that a seed does not dial from.
//! Invariant: a candidate is in the one queue that its state and kind name; no address is a candidate twice; at most
//! [`MAX_CANDIDATES`] that are not connected.

mod priority;
#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::Instant;
use base::id::is_stand_in;

pub use self::priority::canonical_priority;
use crate::torrent::Source;
use crate::tracker::can_dial;

/// How many candidates a torrent keeps. Arbitrary: ten answers of a tracker, some 300 KiB.
pub const MAX_CANDIDATES: usize = 2000;

/// How many banned and how many suspected addresses are remembered each. Arbitrary.
const MAX_MARKED: usize = 4096;

/// How many addresses are remembered to be our own. Arbitrary.
const MAX_SELVES: usize = 64;

/// The wait after a first failure; doubled by each further one. Arbitrary.
const BACK_OFF: Duration = Duration::from_secs(60);

/// The longest wait after a failure. Arbitrary: about two tracker announcements.
const MAX_BACK_OFF: Duration = Duration::from_secs(3600);

/// The same for an address that the user named: somebody is waiting for it. Arbitrary.
const HINT_BACK_OFF: Duration = Duration::from_secs(1);

/// See [`HINT_BACK_OFF`].
const MAX_HINT_BACK_OFF: Duration = Duration::from_secs(60);

/// The same for a node of somebody who may have a confined torrent: it may be off for days, and dials us when it is not.
/// Arbitrary.
const MAX_PEOPLE_BACK_OFF: Duration = Duration::from_secs(300);

/// The wait after a connection that was of use. Arbitrary.
const RECONNECT: Duration = Duration::from_secs(15);

const SOURCES: usize = 9;

/// Counts of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Addresses learned, whether or not another source named them too.
    pub known: u32,
    /// Of them dialled at least once.
    pub tried: u32,
    /// Connections that stood.
    pub connected: u32,
    /// When it last named an address or, of incoming ones, was one.
    pub last: Option<Instant>,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The address is banned.
    Banned,
    /// This address and port are connected already.
    Duplicate,
}

/// The peer list. See the module.
#[derive(Debug, Default)]
pub struct PeerList {
    candidates: BTreeMap<SocketAddr, Candidate>,
    /// Of peers, and of those known to be seeds.
    queues: [Queue; 2],
    /// Every connection by its remote address.
    connections: BTreeMap<SocketAddr, Connection>,
    banned: BTreeMap<IpAddr, u64>,
    bans: u64,
    suspected: BTreeMap<IpAddr, u32>,
    selves: BTreeSet<SocketAddr>,
    own_v4: Option<SocketAddr>,
    own_v6: Option<SocketAddr>,
    counts: [SourceCounts; SOURCES],
}

#[derive(Debug)]
struct Candidate {
    /// The best of those who named it.
    source: Source,
    /// All who named it, a bit each.
    named_by: u16,
    failures: u32,
    tried: bool,
    /// It was connected, and of use.
    good: bool,
    seed: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Ready(Rank),
    Waiting(Instant),
    Dialling,
    Connected,
}

/// The order of dialling, the first first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    class: u8,
    failures: u32,
    priority: Reverse<u32>,
}

#[derive(Debug, Default)]
struct Queue {
    ready: BTreeSet<(Rank, SocketAddr)>,
    waiting: BTreeSet<(Instant, SocketAddr)>,
}

#[derive(Debug)]
struct Connection {
    /// Where the peer says it can be dialled, if it dialled us.
    listens: Option<SocketAddr>,
}

/// The better source first: who names an address from its own contact with it, and lately, knows best.
fn index(source: Source) -> usize {
    match source {
        Source::Hint => 0,
        Source::Tracker => 1,
        Source::Lsd => 2,
        Source::Dht => 3,
        Source::Pex => 4,
        Source::Resume => 5,
        Source::Incoming => 6,
        Source::WebSeed => 7,
        // Alone in its torrents.
        Source::People => 8,
    }
}

/// IPv4 as IPv4, also where it arrived mapped into IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl PeerList {
    /// Begins with nobody known.
    pub fn new() -> PeerList {
        PeerList::default()
    }

    /// Learns our own address as others see it, for BEP 40.
    pub fn set_own_address(&mut self, own: SocketAddr) {
        let own = canonical(own);
        let known = if own.is_ipv4() { &mut self.own_v4 } else { &mut self.own_v6 };
        if *known == Some(own) {
            return;
        }
        *known = Some(own);
        let ready: Vec<SocketAddr> =
            self.queues.iter().flat_map(|queue| queue.ready.iter().map(|&(_, address)| address)).collect();
        for address in ready {
            let rank = self.rank(address);
            self.stage(address, Stage::Ready(rank));
        }
    }

    /// Adds an address; returns whether it is new. What cannot be dialled, is banned or ourselves is left out, and so is
    /// what the list has no room for. What stands for a node is taken from people alone: from anybody else it would be a
    /// made-up address that has us dial somebody's node.
    pub fn add(&mut self, now: Instant, source: Source, address: SocketAddr) -> bool {
        let address = canonical(address);
        let by_people = source == Source::People;
        if is_stand_in(address.ip()) != by_people || !can_dial(&address) {
            return false;
        }
        if self.is_banned(address.ip()) || self.selves.contains(&address) {
            return false;
        }
        let bit = 1 << index(source);
        self.counts[index(source)].last = Some(now);
        if let Some(known) = self.candidates.get_mut(&address) {
            self.counts[index(source)].known += u32::from(known.named_by & bit == 0);
            known.named_by |= bit;
            // The better source counts: a tracker may name what is remembered from the last run.
            if index(source) < index(known.source) {
                known.source = source;
                match known.stage {
                    Stage::Ready(_) => {
                        let rank = self.rank(address);
                        self.stage(address, Stage::Ready(rank));
                    }
                    Stage::Waiting(_) if source == Source::Hint => self.stage(address, Stage::Waiting(now)),
                    _ => {}
                }
            }
            return false;
        }
        if self.candidates() >= MAX_CANDIDATES && !self.make_room(source) {
            return false;
        }
        self.counts[index(source)].known += 1;
        let stage = Stage::Dialling;
        self.candidates.insert(
            address,
            Candidate { source, named_by: bit, failures: 0, tried: false, good: false, seed: false, stage },
        );
        let connected = self.connections.contains_key(&address)
            || self.connections.values().any(|connection| connection.listens == Some(address));
        let stage = if connected { Stage::Connected } else { Stage::Ready(self.rank(address)) };
        self.stage(address, stage);
        true
    }

    /// Returns the next to dial; it counts as being dialled until `dial_failed` or `connected`. `seeding`: seeds are left
    /// out.
    pub fn next(&mut self, now: Instant, seeding: bool) -> Option<(SocketAddr, Source)> {
        let queues = if seeding { 1 } else { 2 };
        for number in 0..queues {
            while let Some(&(due, address)) = self.queues[number].waiting.first()
                && due <= now
            {
                let rank = self.rank(address);
                self.stage(address, Stage::Ready(rank));
            }
        }
        let &(_, address) = self.queues[..queues].iter().filter_map(|queue| queue.ready.first()).min()?;
        self.stage(address, Stage::Dialling);
        let candidate = self.candidates.get_mut(&address)?;
        let count = &mut self.counts[index(candidate.source)];
        count.tried += u32::from(!candidate.tried);
        candidate.tried = true;
        Some((address, candidate.source))
    }

    /// Takes an address out of turn: the other end dials us at this moment (BEP 55). A new one counts as learned by peer
    /// exchange. `None` when it cannot be dialled, is banned, ourselves, connected, or being dialled.
    pub fn dial_now(&mut self, now: Instant, address: SocketAddr) -> Option<Source> {
        let address = canonical(address);
        if !self.candidates.contains_key(&address) {
            self.add(now, Source::Pex, address);
        }
        let candidate = self.candidates.get_mut(&address)?;
        if matches!(candidate.stage, Stage::Dialling | Stage::Connected) {
            return None;
        }
        let source = candidate.source;
        self.counts[index(source)].tried += u32::from(!candidate.tried);
        candidate.tried = true;
        self.stage(address, Stage::Dialling);
        Some(source)
    }

    /// Returns when [`PeerList::next`] may give something; the past: now.
    pub fn next_dial_at(&self, seeding: bool) -> Option<Instant> {
        let queues = &self.queues[..if seeding { 1 } else { 2 }];
        if queues.iter().any(|queue| !queue.ready.is_empty()) {
            return Some(Instant::START);
        }
        queues.iter().filter_map(|queue| queue.waiting.first()).map(|&(due, _)| due).min()
    }

    /// A dial came to nothing.
    pub fn dial_failed(&mut self, now: Instant, address: SocketAddr) {
        let address = canonical(address);
        if self.candidates.get(&address).is_some_and(|candidate| candidate.stage == Stage::Dialling) {
            self.fail(now, address);
        }
    }

    /// A connection stands. `source` is `Incoming` for incoming ones.
    pub fn connected(&mut self, address: SocketAddr, source: Source) -> Result<(), Refused> {
        let address = canonical(address);
        if self.connections.contains_key(&address) {
            return Err(Refused::Duplicate);
        }
        if self.is_banned(address.ip()) {
            self.remove(address);
            return Err(Refused::Banned);
        }
        self.connections.insert(address, Connection { listens: None });
        self.counts[index(source)].connected += 1;
        if self.candidates.contains_key(&address) {
            self.stage(address, Stage::Connected);
        }
        Ok(())
    }

    /// A connection is gone. `useful`: payload went either way, so that it is tried again soon.
    pub fn disconnected(&mut self, now: Instant, address: SocketAddr, useful: bool) {
        let address = canonical(address);
        let Some(connection) = self.connections.remove(&address) else { return };
        for address in std::iter::once(address).chain(connection.listens) {
            let still = self.connections.contains_key(&address)
                || self.connections.values().any(|other| other.listens == Some(address));
            let Some(candidate) = self.candidates.get_mut(&address) else { continue };
            if still || candidate.stage != Stage::Connected {
                continue;
            }
            if useful {
                candidate.good = true;
                candidate.failures = 0;
                let named = matches!(candidate.source, Source::Hint | Source::People);
                let wait = if named { HINT_BACK_OFF } else { RECONNECT };
                self.stage(address, Stage::Waiting(now + wait));
            } else {
                self.fail(now, address);
            }
        }
    }

    /// It is known (not) to be a seed: seeds are not dialled while we are one.
    pub fn set_seed(&mut self, address: SocketAddr, seed: bool) {
        let address = canonical(address);
        let listens = self.connections.get(&address).and_then(|connection| connection.listens);
        for address in std::iter::once(address).chain(listens) {
            if let Some(candidate) = self.candidates.get(&address)
                && candidate.seed != seed
            {
                let stage = candidate.stage;
                self.unqueue(address);
                self.candidates.entry(address).and_modify(|candidate| candidate.seed = seed);
                self.stage(address, stage);
            }
        }
    }

    /// A peer that dialled us told where it listens (extension handshake `p`): that address is known and connected now.
    /// The first word counts: each further one would be one more address to keep.
    pub fn set_listen_port(&mut self, now: Instant, address: SocketAddr, port: u16) {
        let address = canonical(address);
        let listens = SocketAddr::new(address.ip(), port);
        let Some(connection) = self.connections.get_mut(&address) else { return };
        if connection.listens.is_some() || listens == address || !can_dial(&listens) || is_stand_in(listens.ip()) {
            return;
        }
        connection.listens = Some(listens);
        self.add(now, Source::Incoming, listens);
        if let Some(candidate) = self.candidates.get(&listens)
            && matches!(candidate.stage, Stage::Ready(_) | Stage::Waiting(_))
        {
            self.stage(listens, Stage::Connected);
        }
    }

    /// That address is ourselves, never to be dialled again.
    pub fn is_self(&mut self, address: SocketAddr) {
        let address = canonical(address);
        if self.selves.len() < MAX_SELVES {
            self.selves.insert(address);
        }
        self.remove(address);
    }

    /// Tells whether an address is known to be our own.
    pub fn is_ours(&self, address: SocketAddr) -> bool {
        let address = canonical(address);
        self.selves.contains(&address) || [self.own_v4, self.own_v6].contains(&Some(address))
    }

    /// Notes a contributor to a bad piece, over its reconnections too. Returns how often it was one.
    pub fn suspect(&mut self, ip: IpAddr) -> u32 {
        let ip = ip.to_canonical();
        if self.suspected.len() >= MAX_MARKED && !self.suspected.contains_key(&ip) {
            let least = self.suspected.iter().min_by_key(|(_, count)| **count).map(|(ip, _)| *ip);
            least.map(|ip| self.suspected.remove(&ip));
        }
        let count = self.suspected.entry(ip).or_default();
        *count += 1;
        *count
    }

    /// A good piece that came from it alone clears it.
    pub fn clear_suspicion(&mut self, ip: IpAddr) {
        self.suspected.remove(&ip.to_canonical());
    }

    /// Tells whether it is on parole.
    pub fn is_suspect(&self, ip: IpAddr) -> bool {
        self.suspected.contains_key(&ip.to_canonical())
    }

    /// Never connects to it again. Its present connections are the caller's to close.
    pub fn ban(&mut self, ip: IpAddr) {
        let ip = ip.to_canonical();
        if self.banned.len() >= MAX_MARKED && !self.banned.contains_key(&ip) {
            let oldest = self.banned.iter().min_by_key(|(_, number)| **number).map(|(ip, _)| *ip);
            oldest.map(|ip| self.banned.remove(&ip));
        }
        self.bans += 1;
        self.banned.insert(ip, self.bans);
        self.suspected.remove(&ip);
        let theirs: Vec<SocketAddr> = self.candidates.keys().filter(|address| address.ip() == ip).copied().collect();
        theirs.into_iter().for_each(|address| self.remove(address));
    }

    /// Tells whether it is banned.
    pub fn is_banned(&self, ip: IpAddr) -> bool {
        self.banned.contains_key(&ip.to_canonical())
    }

    /// Drops every candidate whose source is not in `keep` (a torrent turned out to be private, BEP 27).
    pub fn retain_sources(&mut self, keep: &[Source]) {
        let others = self.candidates.iter().filter(|(_, candidate)| !keep.contains(&candidate.source));
        let others: Vec<SocketAddr> = others.map(|(address, _)| *address).collect();
        others.into_iter().for_each(|address| self.remove(address));
    }

    /// Drops every candidate whose address does not pass.
    pub fn retain_addresses(&mut self, keep: impl Fn(&SocketAddr) -> bool) {
        let others: Vec<SocketAddr> = self.candidates.keys().filter(|address| !keep(address)).copied().collect();
        others.into_iter().for_each(|address| self.remove(address));
    }

    /// Ends the wait of a candidate, if it waits.
    pub fn try_now(&mut self, now: Instant, address: SocketAddr) {
        if self.candidates.get(&address).is_some_and(|candidate| matches!(candidate.stage, Stage::Waiting(_))) {
            self.stage(address, Stage::Waiting(now));
        }
    }

    /// Returns the counts of a source.
    pub fn counts(&self, source: Source) -> SourceCounts {
        self.counts[index(source)]
    }

    /// Returns how many candidates could be dialled now or later.
    pub fn candidates(&self) -> usize {
        self.queues.iter().map(|queue| queue.ready.len() + queue.waiting.len()).sum()
    }

    /// Returns how many addresses of one IP are candidates or connected, up to `most`.
    pub fn known_of(&self, ip: IpAddr, most: usize) -> usize {
        let ports = SocketAddr::new(ip.to_canonical(), 0)..=SocketAddr::new(ip.to_canonical(), u16::MAX);
        self.candidates.range(ports).take(most).count()
    }

    /// Returns good addresses to remember for the next run, the best first.
    pub fn to_remember(&self, limit: usize) -> Vec<SocketAddr> {
        let mut known: Vec<_> = self
            .candidates
            .iter()
            .map(|(&address, c)| ((c.stage != Stage::Connected, !c.good, c.failures), address))
            .filter(|((_, bad, failures), _)| !bad || *failures == 0)
            .collect();
        known.sort_unstable();
        known.into_iter().map(|(_, address)| address).take(limit).collect()
    }

    fn rank(&self, address: SocketAddr) -> Rank {
        let own = if address.is_ipv4() { self.own_v4 } else { self.own_v6 };
        let priority = own.and_then(|own| canonical_priority(own, address)).unwrap_or(0);
        let (class, failures) = self.candidates.get(&address).map_or((u8::MAX, 0), |candidate| {
            let class = match candidate.source {
                Source::Hint => 0,
                // On the local network: fast, and nobody's line but ours.
                Source::Lsd | Source::People => 1,
                _ if candidate.good => 1,
                _ => 2,
            };
            (class, candidate.failures)
        });
        Rank { class, failures, priority: Reverse(priority) }
    }

    fn fail(&mut self, now: Instant, address: SocketAddr) {
        if let Some(candidate) = self.candidates.get_mut(&address) {
            let (first, longest) = match candidate.source {
                Source::Hint => (HINT_BACK_OFF, MAX_HINT_BACK_OFF),
                Source::People => (HINT_BACK_OFF, MAX_PEOPLE_BACK_OFF),
                _ => (BACK_OFF, MAX_BACK_OFF),
            };
            let wait = (first * (1 << candidate.failures.min(16))).min(longest);
            candidate.failures = candidate.failures.saturating_add(1);
            self.stage(address, Stage::Waiting(now + wait));
        }
    }

    /// Drops the candidate that is of least use for one from `source`; false when all are worth more. What failed gives
    /// way to what is new, unless it was of use or the user named it; what was not tried yet gives way to a better source
    /// alone. So liars among peers, however many addresses they make up, keep out nobody whom a tracker names.
    fn make_room(&mut self, source: Source) -> bool {
        let is =
            |address: &SocketAddr, worse: &dyn Fn(&Candidate) -> bool| self.candidates.get(address).is_some_and(worse);
        let failed = |c: &Candidate| !c.good && c.source != Source::Hint;
        let worse = |c: &Candidate| index(c.source) > index(source);
        let mut queues = self.queues.iter().rev();
        // The one that failed most is the last to be tried again, or near enough.
        let waiting =
            queues.find_map(|q| q.waiting.iter().rev().map(|(_, a)| *a).find(|a| is(a, &failed) || is(a, &worse)));
        let mut queues = self.queues.iter().rev();
        let worst =
            waiting.or_else(|| queues.find_map(|q| q.ready.iter().rev().map(|(_, a)| *a).find(|a| is(a, &worse))));
        if let Some(worst) = worst {
            self.remove(worst);
        }
        worst.is_some()
    }

    fn remove(&mut self, address: SocketAddr) {
        self.unqueue(address);
        self.candidates.remove(&address);
    }

    /// Moves a candidate to a stage and into the queue that belongs to it.
    fn stage(&mut self, address: SocketAddr, stage: Stage) {
        self.unqueue(address);
        let Some(candidate) = self.candidates.get_mut(&address) else { return };
        candidate.stage = stage;
        let queue = &mut self.queues[usize::from(candidate.seed)];
        match stage {
            Stage::Ready(rank) => drop(queue.ready.insert((rank, address))),
            Stage::Waiting(due) => drop(queue.waiting.insert((due, address))),
            Stage::Dialling | Stage::Connected => {}
        }
    }

    fn unqueue(&mut self, address: SocketAddr) {
        let Some(candidate) = self.candidates.get(&address) else { return };
        let queue = &mut self.queues[usize::from(candidate.seed)];
        match candidate.stage {
            Stage::Ready(rank) => drop(queue.ready.remove(&(rank, address))),
            Stage::Waiting(due) => drop(queue.waiting.remove(&(due, address))),
            Stage::Dialling | Stage::Connected => {}
        }
    }

    /// Panics when the invariant is broken.
    #[cfg(any(test, debug_assertions))]
    pub fn assert_invariants(&self) {
        let mut queued = 0;
        for (address, candidate) in &self.candidates {
            let queue = &self.queues[usize::from(candidate.seed)];
            match candidate.stage {
                Stage::Ready(rank) => assert!(queue.ready.contains(&(rank, *address)), "{address}"),
                Stage::Waiting(due) => assert!(queue.waiting.contains(&(due, *address)), "{address}"),
                Stage::Dialling => continue,
                Stage::Connected => {
                    let listens = || self.connections.values().any(|connection| connection.listens == Some(*address));
                    assert!(self.connections.contains_key(address) || listens(), "{address}");
                    continue;
                }
            }
            assert!(!self.is_banned(address.ip()) && !self.selves.contains(address), "{address}");
            assert!(!self.connections.contains_key(address), "{address} is connected");
            queued += 1;
        }
        assert_eq!(queued, self.candidates());
        assert!(queued <= MAX_CANDIDATES + self.connections.len());
    }
}
