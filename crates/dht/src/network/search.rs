//! What look-ups are for: their steps, what they collect on the way, and storing at their end.

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::{BTreeSet, VecDeque};

use base::Instant;
use bytes::Bytes;

use super::rpc::{Pending, Purpose};
use super::{Event, Network};
use crate::bloom::Bloom;
use crate::krpc::{Method, Response, Signed, Want};
use crate::lookup::{Answer, Lookup, Storage};
use crate::table::K;
use crate::{Announce, Failure, Found, Id, Immutable, Item, ItemName, Mutable, NodeAddress, Output, PublicKey};
use crate::{Scrape, TaskId, is_local};

/// The most look-ups that run at a time; others wait for their turn (arbitrary; each has up to eight queries out).
const MAX_RUNNING: usize = 24;

/// The most peers told of one swarm (arbitrary: a torrent can use some hundreds).
const MAX_FOUND: usize = 4_000;

/// The most peers taken of one answer: what most programs send at most, so that a liar cannot fill the list alone.
const MAX_OF_ANSWER: usize = 100;

/// The most peers of one IP address told of one swarm: several computers behind one router, and the ports they had before.
/// Without this, liars could have all ports of a victim dialled. What peer exchange allows, too.
const MAX_FOUND_PER_IP: usize = 8;

/// How full a filter may be before it is a lie: BEP 33 keeps swarms below 6,000.
const MAX_IN_FILTER: f64 = 6_500.0;

/// A look-up's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SearchId(pub(super) u64);

/// A look-up and what it is for.
#[derive(Debug)]
pub(super) struct Search {
    /// Who waits for it; `None`: the table.
    pub(super) owner: Option<TaskId>,
    pub(super) goal: Goal,
    lookup: Lookup,
    phase: Phase,
    /// Asks for nodes of both families.
    both: bool,
}

#[derive(Debug)]
enum Phase {
    /// Waits for its turn.
    Queued,
    Looking,
    /// The queries to those who are to store are out.
    Storing {
        waiting: usize,
        stored: u32,
        refusals: u32,
        /// What the last one that refused said.
        refused: Option<(i64, String)>,
    },
}

/// What a look-up begins from, beside the table.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// Nodes.
    pub(super) known: Vec<NodeAddress>,
    /// Addresses that may be nodes.
    pub(super) blind: Vec<SocketAddr>,
}

/// What a look-up is for.
#[derive(Debug)]
pub(crate) enum Goal {
    Nodes,
    Peers {
        announce: Option<Announce>,
        found: BTreeSet<SocketAddr>,
    },
    Scrape(Box<Counted>),
    Get {
        name: ItemName,
        newer_than: Option<i64>,
        best: Option<Item>,
    },
    Put {
        item: Item,
        cas: Option<i64>,
        /// The largest sequence number that somebody showed a signature for: a number alone may be a lie.
        newest: Option<i64>,
    },
}

/// What a scrape has collected (BEP 33).
#[derive(Debug, Default)]
pub(crate) struct Counted {
    seeds: Bloom,
    others: Bloom,
    /// Peers that were named by those who do not send filters.
    listed: BTreeSet<core::net::IpAddr>,
    nodes: u32,
}

impl Counted {
    /// Takes what one node says: filters of seeds and others.
    pub(super) fn count(&mut self, (seeds, others): &(Bloom, Bloom)) {
        self.seeds.merge(seeds);
        self.others.merge(others);
        self.nodes += 1;
    }
}

impl Goal {
    fn method(&self, target: Id) -> Method<'static> {
        match self {
            Goal::Nodes => Method::FindNode { target },
            Goal::Peers { .. } => Method::GetPeers { info_hash: target, no_seed: false, scrape: false },
            Goal::Scrape(_) => Method::GetPeers { info_hash: target, no_seed: false, scrape: true },
            Goal::Get { newer_than, .. } => Method::Get { target, seq: *newer_than },
            Goal::Put { .. } => Method::Get { target, seq: None },
        }
    }
}

impl Network {
    /// Begins a look-up. Its end is an event if it has an owner, else a call of [`Network::upkeep_searched`].
    pub(super) fn search(
        &mut self,
        now: Instant,
        owner: Option<TaskId>,
        target: Id,
        goal: Goal,
        seeds: Seeds,
        outputs: &mut VecDeque<Output>,
    ) {
        let id = self.upcoming();
        self.next_search += 1;
        let mut nodes = self.table.closest(now, &target, K * 2);
        nodes.extend(seeds.known);
        let lookup = Lookup::new(target, nodes, seeds.blind);
        let both = owner.is_none() && !self.bootstrapped;
        self.searches.insert(id, Search { owner, goal, lookup, phase: Phase::Queued, both });
        self.run_queued(now, outputs);
    }

    /// Returns the number that the next look-up will have.
    pub(super) fn upcoming(&self) -> SearchId {
        SearchId(self.next_search + 1)
    }

    /// Adds nodes of which only the address is known to a look-up that runs.
    pub(super) fn search_also(
        &mut self,
        now: Instant,
        id: SearchId,
        address: SocketAddr,
        outputs: &mut VecDeque<Output>,
    ) {
        if let Some(search) = self.searches.get_mut(&id) {
            search.lookup.add_blind(address);
        }
        self.advance(now, id, outputs);
    }

    /// Ends the look-ups of a task, without events.
    pub(crate) fn cancel(&mut self, now: Instant, task: TaskId, outputs: &mut VecDeque<Output>) {
        self.searches.retain(|_, search| search.owner != Some(task));
        self.rpc.cancel(task);
        self.run_queued(now, outputs);
    }

    /// Takes the answer to a step of a look-up.
    pub(super) fn search_answered(
        &mut self,
        now: Instant,
        id: SearchId,
        (pending, node): (&Pending, NodeAddress),
        response: &Response<'_>,
        outputs: &mut VecDeque<Output>,
    ) {
        let nodes = if self.v6 { &response.nodes6 } else { &response.nodes };
        let own = self.table.own();
        let fits = |named: &&NodeAddress| named.id != own && self.may_name(&node, named.address);
        let named: Vec<NodeAddress> = nodes.iter().filter(fits).copied().collect();
        let Some(search) = self.searches.get_mut(&id) else { return };
        if search.both {
            let elsewhere = if self.v6 { &response.nodes } else { &response.nodes6 };
            self.events.extend(elsewhere.iter().map(|node| Event::Elsewhere(node.address)));
        }
        let seq = response.seq;
        let answer = Answer { named: &named, token: response.token, seq };
        search.lookup.answered(node, pending.id, pending.slow, answer);
        let peers: Vec<SocketAddr> =
            response.values.iter().copied().filter(|&peer| may_name(node.address, peer)).collect();
        let new = collect(&mut search.goal, response, peers);
        if let (Some(owner), false) = (search.owner, new.is_empty()) {
            self.events.push_back(Event::Peers(owner, new));
        }
        self.advance(now, id, outputs);
    }

    /// Takes the news that a step of a look-up is slow or lost.
    pub(super) fn search_late(
        &mut self,
        now: Instant,
        id: SearchId,
        late: (&Pending, bool),
        outputs: &mut VecDeque<Output>,
    ) {
        let (pending, lost) = late;
        if let Some(search) = self.searches.get_mut(&id) {
            match lost {
                true => search.lookup.failed(pending.to, pending.id, pending.slow),
                false => search.lookup.is_slow(pending.to, pending.id),
            }
        }
        self.advance(now, id, outputs);
    }

    /// Takes what came of a query to store: `Err` holds an error's code and words, `None` for silence.
    pub(super) fn store_ended(
        &mut self,
        now: Instant,
        id: SearchId,
        result: Result<(), Option<(i64, String)>>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(search) = self.searches.get_mut(&id) else { return };
        let Phase::Storing { waiting, stored, refusals, refused } = &mut search.phase else { return };
        *waiting = waiting.saturating_sub(1);
        match result {
            Ok(()) => *stored += 1,
            Err(Some(error)) => {
                *refusals += 1;
                *refused = Some(error);
            }
            Err(None) => {}
        }
        if *waiting == 0 {
            self.finish(now, id, outputs);
        }
    }

    fn run_queued(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        let running = self.searches.values().filter(|search| !matches!(search.phase, Phase::Queued)).count();
        let queued = self.searches.iter().filter(|(_, search)| matches!(search.phase, Phase::Queued));
        let next: Vec<SearchId> = queued.take(MAX_RUNNING.saturating_sub(running)).map(|(&id, _)| id).collect();
        for id in next {
            if let Some(search) = self.searches.get_mut(&id) {
                search.phase = Phase::Looking;
            }
            self.advance(now, id, outputs);
        }
    }

    /// Sends what a look-up wants sent; goes on to storing when it is over.
    fn advance(&mut self, now: Instant, id: SearchId, outputs: &mut VecDeque<Output>) {
        let Some(search) = self.searches.get_mut(&id) else { return };
        if !matches!(search.phase, Phase::Looking) {
            return;
        }
        let target = search.lookup.target();
        // An immutable item is what its name says: the first one will do.
        if matches!(&search.goal, Goal::Get { best: Some(Item::Immutable(_)), .. }) {
            return self.finish(now, id, outputs);
        }
        let want = if search.both { Want { v4: true, v6: true } } else { Want::default() };
        loop {
            if !self.rpc.pace.has_room(now) {
                self.held_back.insert(id);
                break;
            }
            let Some((to, node)) = search.lookup.next() else { break };
            if let Some(node) = node {
                self.table.asked(now, to, &node);
            }
            self.rpc.ask(now, (to, node), search.goal.method(target), want, Purpose::Search(id), outputs);
        }
        if search.lookup.is_over() {
            self.looked(now, id, outputs);
        }
    }

    /// Goes on with the look-ups that waited until queries may be sent, the oldest first.
    pub(super) fn go_on(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        if !self.held_back.is_empty() && self.rpc.pace.has_room(now) {
            for id in std::mem::take(&mut self.held_back) {
                self.advance(now, id, outputs);
            }
        }
    }

    /// Goes on after the look-up: to storing, if that is what it was for.
    fn looked(&mut self, now: Instant, id: SearchId, outputs: &mut VecDeque<Output>) {
        let Some(search) = self.searches.get_mut(&id) else { return };
        let places = match &search.goal {
            Goal::Peers { announce: Some(_), .. } => search.lookup.storage(),
            Goal::Put { item, cas, newest } if conflict(item, *cas, *newest).is_none() => search.lookup.storage(),
            _ => Vec::new(),
        };
        let Some(farthest) = places.last() else { return self.finish(now, id, outputs) };
        let target = search.lookup.target();
        // Where we are among the nearest ourselves, others look for it here.
        let near = places.len() < K || target.distance(&self.table.own()) < target.distance(&farthest.node.id);
        if let (Goal::Put { item, cas, .. }, true, false) = (&search.goal, near, self.rpc.read_only) {
            // Where there is no room, it is on the others.
            let _ = self.store.put(now, Ipv4Addr::UNSPECIFIED.into(), item.clone(), *cas);
        }
        search.phase = Phase::Storing { waiting: places.len(), stored: 0, refusals: 0, refused: None };
        for place in places {
            let method = match &search.goal {
                Goal::Peers { announce: Some(announce), .. } => Method::AnnouncePeer {
                    info_hash: target,
                    port: announce.port,
                    implied_port: announce.implied_port,
                    seed: announce.seed,
                    token: &place.token,
                },
                Goal::Put { item, cas, .. } => put(item, *cas, &place),
                _ => return,
            };
            let to = (place.node.address, Some(place.node.id));
            self.rpc.ask(now, to, method, Want::default(), Purpose::Store(id), outputs);
        }
    }

    fn finish(&mut self, now: Instant, id: SearchId, outputs: &mut VecDeque<Output>) {
        let Some(search) = self.searches.remove(&id) else { return };
        self.lookups += 1;
        let lookup = &search.lookup;
        let answered = lookup.answers() > 0;
        let (stored, refusals, refused) = match search.phase {
            Phase::Storing { stored, refusals, refused, .. } => (stored, refusals, refused),
            _ => (0, 0, None),
        };
        let result = match search.goal {
            // Who announces wants to know that nobody took it.
            Goal::Peers { announce, found } if answered || announce.is_none() && !found.is_empty() => {
                Ok(Found::Peers { peers: found.len() as u32, announced: stored, queries: lookup.queries() })
            }
            Goal::Scrape(counted) if answered || counted.nodes > 0 => {
                let Counted { seeds, mut others, listed, nodes } = *counted;
                listed.into_iter().for_each(|ip| others.insert(ip));
                Ok(Found::Scrape(Scrape { seeds: seeds.count(), peers: others.count(), nodes }))
            }
            Goal::Nodes if answered => Ok(Found::Nodes(lookup.closest(K))),
            Goal::Get { best, .. } if answered || best.is_some() => Ok(Found::Item(best)),
            Goal::Put { item, cas, newest } if conflict(&item, cas, newest).is_some() => {
                Err(Failure::Conflict { seq: newest.unwrap_or_default() })
            }
            // One who refuses may lie; many do not.
            Goal::Put { .. } if stored > refusals => Ok(Found::Stored { nodes: stored }),
            Goal::Put { .. } if answered && refused.is_some() => {
                let (code, message) = refused.unwrap_or_default();
                Err(Failure::Refused { code, message })
            }
            _ => Err(Failure::NoNodes),
        };
        match search.owner {
            Some(owner) => self.events.push_back(Event::Ended(owner, result)),
            None => self.upkeep_searched(now, id, lookup.target(), &lookup.closest(K)),
        }
        self.run_queued(now, outputs);
    }

    /// Tells whether to believe that there is something at an address: see [`may_name`]; here of our family.
    fn may_name(&self, by: &NodeAddress, address: SocketAddr) -> bool {
        address.is_ipv6() == self.v6 && may_name(by.address, address)
    }
}

/// Tells whether a node may name an address: one that can be sent to, and a local one only where the node is local
/// itself. Else a stranger could make us knock at doors within our network.
pub(super) fn may_name(by: SocketAddr, address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_broadcast = matches!(ip, core::net::IpAddr::V4(ip) if ip.is_broadcast() || ip.octets()[0] == 0);
    address.port() != 0
        && !(ip.is_unspecified() || ip.is_multicast() || is_broadcast)
        && (!is_local(ip) || is_local(by.ip()))
}

/// Takes out of an answer what the goal collects; returns peers that were not told before.
fn collect(goal: &mut Goal, response: &Response<'_>, peers: Vec<SocketAddr>) -> Vec<SocketAddr> {
    match goal {
        Goal::Peers { found, .. } => {
            let mut new = peers;
            new.truncate(MAX_OF_ANSWER);
            new.retain(|&peer| {
                let ports = SocketAddr::new(peer.ip(), 0)..=SocketAddr::new(peer.ip(), u16::MAX);
                found.len() < MAX_FOUND && found.range(ports).count() < MAX_FOUND_PER_IP && found.insert(peer)
            });
            return new;
        }
        Goal::Scrape(counted) => {
            match &response.blooms {
                Some(blooms) if blooms.0.estimate() < MAX_IN_FILTER && blooms.1.estimate() < MAX_IN_FILTER => {
                    counted.count(blooms);
                }
                // One who does not speak BEP 33: its peers stand for themselves.
                None if !peers.is_empty() => {
                    let room = MAX_FOUND.saturating_sub(counted.listed.len());
                    counted.listed.extend(peers.iter().map(SocketAddr::ip).take(room));
                    counted.nodes += 1;
                }
                _ => {}
            }
        }
        Goal::Get { name, newer_than, best } => {
            let newest = best.as_ref().and_then(Item::seq).or(*newer_than);
            if let Some(item) = item(name, response, newest) {
                *best = Some(item);
            }
        }
        Goal::Put { item: own, newest, .. } => {
            if let Some(found) = item(&own.name(), response, *newest) {
                *newest = found.seq();
            }
        }
        Goal::Nodes => {}
    }
    Vec::new()
}

/// Reads the item that was asked for out of an answer, if it is there, right, and newer than what we have.
fn item(name: &ItemName, response: &Response<'_>, newest: Option<i64>) -> Option<Item> {
    let value = Bytes::copy_from_slice(response.value?);
    match name {
        ItemName::Immutable(_) => {
            let item = Item::Immutable(Immutable::new(value).ok()?);
            (item.name() == *name).then_some(item)
        }
        ItemName::Mutable { key, salt } => {
            let seq = response.seq?;
            // The signature is checked last: it is what costs.
            if newest.is_some_and(|newest| seq <= newest) || PublicKey(response.key?) != *key {
                return None;
            }
            Mutable::verify(*key, salt.clone(), seq, value, response.signature?).ok().map(Item::Mutable)
        }
    }
}

/// Returns the sequence number that stands in the way of storing an item.
fn conflict(item: &Item, cas: Option<i64>, newest: Option<i64>) -> Option<i64> {
    let own = item.seq()?;
    newest.filter(|&newest| newest > own || cas.is_some_and(|cas| cas != newest))
}

fn put<'a>(item: &'a Item, cas: Option<i64>, place: &'a Storage) -> Method<'a> {
    let signed = match item {
        Item::Immutable(_) => None,
        Item::Mutable(item) => Some(Signed {
            key: item.key().0,
            signature: *item.signature(),
            seq: item.seq(),
            salt: item.salt(),
            // BEP 44: not for nodes that have nothing to compare with.
            cas: cas.filter(|_| place.seq.is_some()),
        }),
    };
    Method::Put { token: &place.token, value: item.value(), signed }
}
