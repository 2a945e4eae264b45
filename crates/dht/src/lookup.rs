//! One iterative look-up: asks ever nearer nodes, some at a time, until the nearest ones have answered (BEP 5).
//!
//! Owns who was heard of, from whom, and what became of them. Against those who would lead it astray:
//! - it ends only when the [`K`] nearest nodes *whose ids suit their addresses* (BEP 42) have answered: choosing an id
//!   near a key does not help an attacker who does not own the address for it;
//! - it asks one node of a public address and few of a neighbourhood;
//! - who names several nodes that do not exist is not followed any more, and does not count among the nearest, nor do
//!   those whom only such nodes name;
//! - the number of queries is bounded.
//!
//! So that it ends fast: a node that is slower than most is no longer waited for, though it is listened to.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use crate::rate::prefix;
use crate::table::K;
use crate::{Distance, Id, NodeAddress, is_local};

/// How many queries are out at a time (BEP 5 leaves it open; Kademlia: alpha, 3).
const PARALLEL: usize = 4;

/// How many are out at a time where nothing nearer turns up: the end is near, all that is left is asked together.
const PARALLEL_AT_THE_END: usize = 8;

/// How many are out at a time while addresses without ids are tried, most of which may be dead.
const PARALLEL_BLIND: usize = 16;

/// The most queries of a look-up. One in the public network takes 20 to 60.
const MAX_QUERIES: u32 = 160;

/// The most nodes remembered, the farthest are forgotten (arbitrary).
const MAX_CANDIDATES: usize = 256;

/// The most addresses without ids.
const MAX_BLIND: usize = 64;

/// The most nodes of one neighbourhood that are asked.
const NEIGHBOURS: u32 = 3;

/// How many nodes that one names may be silent, and no more of them answer, before the others it named are left out
/// (arbitrary: of the eight that an honest node names, one or two are silent).
const PATIENCE: u32 = 3;

/// The longest list of those who named one node.
const MAX_SOURCES: usize = 4;

/// A look-up.
#[derive(Debug)]
pub(crate) struct Lookup {
    target: Id,
    candidates: BTreeMap<Distance, Candidate>,
    /// Addresses that may be nodes, not asked yet.
    blind: Vec<SocketAddr>,
    /// What came of the nodes that each of those who answered has named: silent, answered.
    named_by: Vec<(u32, u32)>,
    neighbours: BTreeMap<IpAddr, u32>,
    /// Queries that are waited for.
    in_flight: usize,
    /// Queries that may still be answered: those waited for, and those to slow nodes.
    out: usize,
    queries: u32,
    answers: u32,
    /// The last answer named no node that is nearer than those known before.
    stuck: bool,
}

#[derive(Debug)]
struct Candidate {
    node: NodeAddress,
    secure: bool,
    state: State,
    /// Indices of `named_by`; empty: from our table.
    sources: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    New,
    Asked,
    /// Asked, and not waited for any more.
    Slow,
    Answered {
        token: Option<Box<[u8]>>,
        seq: Option<i64>,
        /// What came of the nodes that it named: an index of `named_by`.
        named: u16,
    },
    Failed,
}

/// A node that may be asked to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Storage {
    pub(crate) node: NodeAddress,
    pub(crate) token: Box<[u8]>,
    /// The sequence number that it has (BEP 44).
    pub(crate) seq: Option<i64>,
}

/// What a node said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answer<'a> {
    /// Nodes that it named.
    pub(crate) named: &'a [NodeAddress],
    /// What it wants to see before it stores.
    pub(crate) token: Option<&'a [u8]>,
    /// The sequence number of the item that it has.
    pub(crate) seq: Option<i64>,
}

impl Lookup {
    /// Begins with nodes of the table, and with addresses of which only that is known.
    pub(crate) fn new(target: Id, nodes: Vec<NodeAddress>, mut blind: Vec<SocketAddr>) -> Lookup {
        blind.truncate(MAX_BLIND);
        let mut lookup = Lookup {
            target,
            candidates: BTreeMap::new(),
            blind,
            named_by: Vec::new(),
            neighbours: BTreeMap::new(),
            in_flight: 0,
            out: 0,
            queries: 0,
            answers: 0,
            stuck: false,
        };
        nodes.into_iter().for_each(|node| lookup.add(node, None));
        lookup
    }

    /// Returns the key that is looked for.
    pub(crate) fn target(&self) -> Id {
        self.target
    }

    /// Returns whom to ask next, if anybody, and counts it as asked.
    pub(crate) fn next(&mut self) -> Option<(SocketAddr, Option<Id>)> {
        if self.queries >= MAX_QUERIES {
            return None;
        }
        if self.in_flight < PARALLEL_BLIND
            && let Some(address) = self.blind.pop()
        {
            self.sent();
            return Some((address, None));
        }
        if self.in_flight >= if self.stuck { PARALLEL_AT_THE_END } else { PARALLEL } {
            return None;
        }
        let distance = self.next_candidate()?;
        let candidate = self.candidates.get_mut(&distance)?;
        candidate.state = State::Asked;
        let node = candidate.node;
        *self.neighbours.entry(neighbourhood(&node)).or_default() += 1;
        self.sent();
        Some((node.address, Some(node.id)))
    }

    /// Adds an address of which only that is known.
    pub(crate) fn add_blind(&mut self, address: SocketAddr) {
        if self.blind.len() < MAX_BLIND {
            self.blind.push(address);
        }
    }

    /// Takes an answer: what the node named, its token, and the sequence number of the item that it has. `was_slow`:
    /// after [`Lookup::is_slow`].
    pub(crate) fn answered(&mut self, node: NodeAddress, asked_as: Option<Id>, was_slow: bool, answer: Answer<'_>) {
        self.answers += 1;
        self.ended(was_slow);
        if asked_as.is_none() {
            self.add(node, None);
            *self.neighbours.entry(neighbourhood(&node)).or_default() += 1;
        }
        let distance = self.target.distance(&node.id);
        let Some(candidate) = self.candidates.get_mut(&distance).filter(|c| c.node.address == node.address) else {
            return;
        };
        let Answer { named, token, seq } = answer;
        let Ok(source) = u16::try_from(self.named_by.len()) else { return };
        let was_slow = candidate.state == State::Slow;
        candidate.state = State::Answered { token: token.map(Box::from), seq, named: source };
        for &source in &candidate.sources {
            let (silent, answered) = &mut self.named_by[usize::from(source)];
            *answered += 1;
            *silent = silent.saturating_sub(u32::from(was_slow));
        }
        let before = self.nearest_open();
        self.named_by.push((0, 0));
        named.iter().for_each(|&node| self.add(node, Some(source)));
        self.stuck = self.nearest_open() >= before;
    }

    /// Takes the news that a node is slower than most: it is not waited for any more.
    pub(crate) fn is_slow(&mut self, address: SocketAddr, id: Option<Id>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(id) = id else { return };
        let candidate = self.candidates.get_mut(&self.target.distance(&id));
        if let Some(c) = candidate.filter(|c| c.node.address == address && c.state == State::Asked) {
            c.state = State::Slow;
            self.blame(&id);
        }
    }

    /// Takes the news that a node does not answer, or not as it should. `was_slow`: after [`Lookup::is_slow`].
    pub(crate) fn failed(&mut self, address: SocketAddr, id: Option<Id>, was_slow: bool) {
        self.ended(was_slow);
        let Some(id) = id else { return };
        let Some(candidate) = self.candidates.get_mut(&self.target.distance(&id)) else { return };
        if candidate.node.address != address || !matches!(candidate.state, State::Asked | State::Slow) {
            return;
        }
        let asked = std::mem::replace(&mut candidate.state, State::Failed) == State::Asked;
        let neighbours = neighbourhood(&candidate.node);
        if let Some(count) = self.neighbours.get_mut(&neighbours) {
            *count = count.saturating_sub(1);
        }
        if asked {
            self.blame(&id);
        }
    }

    /// Tells whether the look-up is over: the nearest nodes have answered, or there is nobody left to ask.
    pub(crate) fn is_over(&self) -> bool {
        if !self.blind.is_empty() && self.queries < MAX_QUERIES {
            return false;
        }
        let mut answered = 0;
        for candidate in self.candidates.values() {
            match candidate.state {
                State::Answered { .. } => answered += usize::from(self.counts(candidate)),
                // Those that may still answer, and are nearer than enough of those who did.
                State::Asked => return false,
                State::New if self.may_ask(candidate) && self.queries < MAX_QUERIES => return false,
                State::New | State::Slow | State::Failed => {}
            }
            if answered >= K {
                return true;
            }
        }
        // Where nobody answered yet, the slow are all there is.
        self.in_flight == 0 && (self.answers > 0 || self.out == 0)
    }

    /// Returns the nodes to store at: the nearest that answered with a token, and the nearest of those whose ids suit
    /// their addresses (BEP 42 allows both).
    pub(crate) fn storage(&self) -> Vec<Storage> {
        let mut all = Vec::new();
        let (mut count, mut secure) = (0, 0);
        for candidate in self.candidates.values() {
            let State::Answered { token: Some(token), seq, .. } = &candidate.state else { continue };
            let counts = self.counts(candidate);
            if count < K || counts {
                all.push(Storage { node: candidate.node, token: token.clone(), seq: *seq });
            }
            count += 1;
            secure += usize::from(counts);
            if secure >= K {
                break;
            }
        }
        all
    }

    /// Returns the nearest nodes that answered, nearest first.
    pub(crate) fn closest(&self, count: usize) -> Vec<NodeAddress> {
        let answered = self.candidates.values().filter(|c| matches!(c.state, State::Answered { .. }));
        answered.take(count).map(|candidate| candidate.node).collect()
    }

    /// Returns how many queries were sent.
    pub(crate) fn queries(&self) -> u32 {
        self.queries
    }

    /// Returns how many nodes answered.
    pub(crate) fn answers(&self) -> u32 {
        self.answers
    }

    fn sent(&mut self) {
        self.in_flight += 1;
        self.out += 1;
        self.queries += 1;
    }

    fn ended(&mut self, was_slow: bool) {
        self.out = self.out.saturating_sub(1);
        if !was_slow {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    fn add(&mut self, node: NodeAddress, source: Option<u16>) {
        let distance = self.target.distance(&node.id);
        if let Some(known) = self.candidates.get_mut(&distance) {
            if known.node.address == node.address
                && let Some(source) = source
                && !known.sources.is_empty()
                && known.sources.len() < MAX_SOURCES
                && !known.sources.contains(&source)
            {
                known.sources.push(source);
            }
            return;
        }
        if self.candidates.len() >= MAX_CANDIDATES {
            // Only what nobody is waiting for is forgotten.
            let farthest = self.candidates.iter().rev().find(|(_, c)| matches!(c.state, State::New | State::Failed));
            match farthest.map(|(&far, _)| far) {
                Some(far) if far > distance => drop(self.candidates.remove(&far)),
                _ => return,
            }
        }
        let secure = node.id.suits(node.address.ip());
        let sources = source.into_iter().collect();
        self.candidates.insert(distance, Candidate { node, secure, state: State::New, sources });
    }

    /// Returns the nearest node that may be asked and whose answer could matter.
    fn next_candidate(&self) -> Option<Distance> {
        let mut closer = 0;
        for (&distance, candidate) in &self.candidates {
            match candidate.state {
                State::Answered { .. } => {
                    closer += usize::from(self.counts(candidate));
                    if closer >= K {
                        return None;
                    }
                }
                State::New if self.may_ask(candidate) => return Some(distance),
                _ => {}
            }
        }
        None
    }

    fn may_ask(&self, candidate: &Candidate) -> bool {
        if self.is_hearsay(candidate) {
            return false;
        }
        let ip = candidate.node.address.ip();
        is_local(ip)
            || self.neighbours.get(&neighbourhood(&candidate.node)).is_none_or(|&n| n < NEIGHBOURS)
                && !self.has_asked(ip)
    }

    /// Tells whether one that answered counts among the nearest.
    fn counts(&self, candidate: &Candidate) -> bool {
        let named = match candidate.state {
            State::Answered { named, .. } => named,
            _ => return false,
        };
        candidate.secure && !self.is_distrusted(named) && !self.is_hearsay(candidate)
    }

    /// Tells whether only such as name nodes that do not exist have named this one.
    fn is_hearsay(&self, candidate: &Candidate) -> bool {
        !candidate.sources.is_empty() && candidate.sources.iter().all(|&source| self.is_distrusted(source))
    }

    fn is_distrusted(&self, source: u16) -> bool {
        let (silent, answered) = self.named_by[usize::from(source)];
        silent >= PATIENCE && silent >= answered
    }

    fn has_asked(&self, ip: IpAddr) -> bool {
        // Without a neighbour there is no such address: most candidates end here.
        self.neighbours.contains_key(&prefix(ip, 24, 48))
            && self
                .candidates
                .values()
                .any(|other| other.node.address.ip() == ip && !matches!(other.state, State::New | State::Failed))
    }

    fn nearest_open(&self) -> Option<Distance> {
        self.candidates.iter().find(|(_, c)| c.state != State::Failed).map(|(&distance, _)| distance)
    }

    fn blame(&mut self, id: &Id) {
        let Some(candidate) = self.candidates.get(&self.target.distance(id)) else { return };
        for &source in &candidate.sources {
            self.named_by[usize::from(source)].0 += 1;
        }
    }
}

fn neighbourhood(node: &NodeAddress) -> IpAddr {
    prefix(node.address.ip(), 24, 48)
}

#[cfg(test)]
mod tests;
