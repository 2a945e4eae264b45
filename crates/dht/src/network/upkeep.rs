//! Keeping the table alive: finding the network at first, asking silent nodes, filling buckets, noticing whether
//! strangers reach us.
//!
//! All of it together sends a node of the public network some ten thousand queries a day: about 4 MB.

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::time::Duration;

use base::Instant;

use super::rpc::Purpose;
use super::search::{Goal, SearchId, Seeds, may_name};
use super::{Event, Network};
use crate::krpc::{Method, Want};
use crate::node::Reach;
use crate::table::K;
use crate::{Id, MAX_SAVED, NodeAddress, Output, is_local};

/// How often there is a look at what is to be done. One node is asked at a time: a table of a hundred is asked round
/// within its 15 minutes.
const TICK: Duration = Duration::from_secs(5);

/// How long after a look for the network that found too few nodes the next one is; doubles each time.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_LAST: Duration = Duration::from_secs(15 * 60);

/// How soon a new hint of a node is followed while we know too few.
const HINT_DELAY: Duration = Duration::from_millis(100);

/// How often our own neighbourhood is looked up, and the emptiest bucket filled.
const NEIGHBOURHOOD: Duration = Duration::from_secs(30 * 60);

/// How often the store is rid of what faded.
const EXPIRY: Duration = Duration::from_secs(60);

/// How many queries to see whether nodes are there may be out (arbitrary).
const MAX_CHECKS: usize = 64;

/// How many hints of nodes wait to be asked; the latest go when there are more.
const MAX_HINTS: usize = 128;

/// How long we listen before we conclude that no stranger reaches us, and how long until we try again.
const LISTEN: Duration = Duration::from_secs(30 * 60);
const STAY_READ_ONLY: Duration = Duration::from_secs(6 * 3600);

/// How many good nodes of public addresses must know us before silence means something.
const WITNESSES: usize = 32;

/// How long an id stays at least, so that liars cannot keep us busy.
const RENAME_AFTER: Duration = Duration::from_secs(10 * 60);

/// What upkeep remembers.
#[derive(Debug)]
pub(super) struct Upkeep {
    pub(super) reach: Reach,
    /// Somebody maps our port.
    mapped: bool,
    /// A stranger asked us something, whom we had not sent anything.
    pub(super) unsolicited: Option<Instant>,
    listening_since: Option<Instant>,
    /// Nodes that the last run left.
    saved: Vec<NodeAddress>,
    /// Addresses that may be nodes: hints and well-known hosts.
    seeds: VecDeque<SocketAddr>,
    /// Nodes that we only heard of.
    hints: VecDeque<(SocketAddr, Option<Id>)>,
    /// The look-up of our own id while it runs.
    pub(super) finding: Option<SearchId>,
    find_at: Instant,
    found_nothing: u32,
    /// All buckets are to be filled when the network is found, or found again from another id.
    to_fill_all: bool,
    /// Buckets yet to be filled, by the bits they share.
    to_fill: Vec<usize>,
    filling: Option<SearchId>,
    neighbourhood_at: Instant,
    expire_at: Instant,
    tick_at: Instant,
    renamed: Option<Instant>,
    pub(super) size: Option<u64>,
}

impl Upkeep {
    pub(super) fn new(reach: Reach, saved: Vec<NodeAddress>) -> Upkeep {
        Upkeep {
            reach,
            mapped: false,
            unsolicited: None,
            listening_since: None,
            saved,
            seeds: VecDeque::new(),
            hints: VecDeque::new(),
            finding: None,
            find_at: Instant::START,
            found_nothing: 0,
            to_fill_all: true,
            to_fill: Vec::new(),
            filling: None,
            neighbourhood_at: Instant::START,
            expire_at: Instant::START,
            tick_at: Instant::START,
            renamed: None,
            size: None,
        }
    }
}

impl Network {
    /// Does what is due.
    pub(super) fn upkeep(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        if now >= self.upkeep.find_at {
            self.find_network(now, outputs);
        }
        if now < self.upkeep.tick_at {
            return;
        }
        self.upkeep.tick_at = now + TICK;
        if let Some(due) = self.table.due(now).filter(|_| self.may_check(now)) {
            self.table.asked(now, due.node.address, &due.node.id);
            let method = match due.hungry {
                true => Method::FindNode { target: self.table.own().random_sharing(due.bits, &mut self.rng) },
                false => Method::Ping,
            };
            let to = (due.node.address, Some(due.node.id));
            self.rpc.ask(now, to, method, Want::default(), Purpose::Check, outputs);
        }
        if let Some((address, id)) = self.upkeep.hints.pop_front() {
            self.check(now, address, id, outputs);
        }
        self.fill(now, outputs);
        self.judge_reach(now);
        if now >= self.upkeep.expire_at {
            self.upkeep.expire_at = now + EXPIRY;
            self.store.expire(now);
        }
    }

    /// Returns when [`Network::upkeep`] is to be called.
    pub(super) fn next_upkeep(&self) -> Instant {
        let mut at = self.upkeep.tick_at;
        let busy = !self.upkeep.hints.is_empty() || !self.upkeep.to_fill.is_empty();
        if !busy {
            let due =
                self.table.next_due().into_iter().chain([self.upkeep.expire_at, self.upkeep.neighbourhood_at]).min();
            at = at.max(due.unwrap_or(at));
        }
        if self.upkeep.finding.is_none() { at.min(self.upkeep.find_at) } else { at }
    }

    /// Takes a hint of a node from outside. `host`: a well-known one, which never gets into the table by itself.
    pub(crate) fn hint(&mut self, now: Instant, address: SocketAddr, outputs: &mut VecDeque<Output>) {
        if address.is_ipv6() != self.v6 || address.port() == 0 {
            return;
        }
        if self.table.len() >= K {
            return self.hear_of(now, address, None, outputs);
        }
        if let Some(finding) = self.upkeep.finding {
            return self.search_also(now, finding, address, outputs);
        }
        if !self.upkeep.seeds.contains(&address) {
            if self.upkeep.seeds.len() >= MAX_HINTS {
                self.upkeep.seeds.pop_front();
            }
            self.upkeep.seeds.push_back(address);
        }
        self.upkeep.find_at = self.upkeep.find_at.min(now + HINT_DELAY);
    }

    /// Takes a well-known host: of use only while we know too few nodes.
    pub(crate) fn host(&mut self, now: Instant, address: SocketAddr, outputs: &mut VecDeque<Output>) {
        if self.table.len() < K {
            self.hint(now, address, outputs);
        }
    }

    /// Looks for the network soon, since somebody wants to use it.
    pub(crate) fn hurry(&mut self, now: Instant) {
        let recent = self.upkeep.find_at > now + RETRY_FIRST;
        if self.table.len() == 0 && self.upkeep.finding.is_none() && recent {
            self.upkeep.find_at = now;
        }
    }

    /// Notes a node that sent us something or that another one named: it is asked whether it is there, if there would
    /// be a place for it.
    pub(super) fn hear_of(
        &mut self,
        now: Instant,
        address: SocketAddr,
        id: Option<Id>,
        outputs: &mut VecDeque<Output>,
    ) {
        let unwelcome = id.is_some_and(|id| !self.table.wants(&NodeAddress { id, address }));
        if unwelcome || self.upkeep.hints.iter().any(|(other, _)| *other == address) || self.rpc.is_checking(address) {
            return;
        }
        if self.table.len() < K {
            self.check(now, address, id, outputs);
        } else if self.upkeep.hints.len() < MAX_HINTS
            // Who was asked a while ago and has no place yet did not answer, or need not be asked again.
            && (is_local(address.ip()) || !self.rpc.contacted.has(now, address.ip()))
        {
            self.upkeep.hints.push_back((address, id));
        }
    }

    /// Takes the end of a look-up that the table wanted.
    pub(super) fn upkeep_searched(&mut self, now: Instant, id: SearchId, target: Id, closest: &[NodeAddress]) {
        if self.upkeep.filling == Some(id) {
            self.upkeep.filling = None;
        }
        if self.upkeep.finding != Some(id) {
            return;
        }
        self.upkeep.finding = None;
        let enough = self.table.len() >= K && !closest.is_empty();
        self.upkeep.found_nothing = if enough { 0 } else { self.upkeep.found_nothing + 1 };
        let wait = RETRY_FIRST * 2_u32.pow(self.upkeep.found_nothing.saturating_sub(1).min(10));
        self.upkeep.find_at = now + if enough { NEIGHBOURHOOD } else { wait.min(RETRY_LAST) };
        self.upkeep.neighbourhood_at = now + NEIGHBOURHOOD;
        if closest.is_empty() {
            if self.table.len() == 0 {
                self.last_words = "no node answers".to_owned();
            }
            return;
        }
        self.upkeep.size = estimate_size(&target, closest);
        if !self.bootstrapped {
            self.bootstrapped = true;
            self.upkeep.listening_since = Some(now);
            self.last_words = format!("found the network (nodes known: {})", self.table.len());
        }
        if enough {
            // At first all, from far to near: the far ones help every look-up. Later the emptiest.
            if std::mem::take(&mut self.upkeep.to_fill_all) {
                self.upkeep.to_fill = (0..self.table.depth().saturating_sub(1)).rev().collect();
            }
            self.upkeep.seeds.clear();
            self.upkeep.saved.clear();
        }
    }

    /// Learns our address from a vote; takes an id that suits it (BEP 42).
    pub(super) fn vote(&mut self, now: Instant, voter: SocketAddr, vote: SocketAddr) {
        self.votes.cast(voter.ip(), vote.ip());
        let Some(external) = self.votes.winner().filter(|_| self.external != self.votes.winner()) else { return };
        if self.upkeep.renamed.is_some_and(|at| now.since(at) < RENAME_AFTER) {
            return;
        }
        self.upkeep.renamed = Some(now);
        self.external = Some(external);
        self.upkeep.listening_since = Some(now);
        if self.table.own().suits(external) {
            return;
        }
        let own = Id::for_address(external, &mut self.rng);
        self.table.rename(own);
        self.store.rename(own);
        self.rpc.own = own;
        self.last_words = format!("others see us at {external}: took an id that suits it");
        // Find our new neighbours.
        self.upkeep.to_fill_all = true;
        self.upkeep.find_at = now;
    }

    /// Takes the news that somebody maps our port, or no longer.
    pub(crate) fn set_mapped(&mut self, mapped: bool) {
        self.upkeep.mapped = mapped;
    }

    /// Returns the nodes to save: those of the table, or what the last run left as long as there are none.
    pub(crate) fn to_save(&self) -> Vec<NodeAddress> {
        let own: Vec<NodeAddress> = self.table.to_save().take(MAX_SAVED).collect();
        if own.is_empty() { self.upkeep.saved.clone() } else { own }
    }

    fn find_network(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        if self.upkeep.finding.is_some() {
            return;
        }
        if self.table.len() < K {
            self.events.push_back(Event::NeedHosts);
        }
        let wait = RETRY_FIRST * 2_u32.pow(self.upkeep.found_nothing.min(10));
        self.upkeep.find_at = now + wait.min(RETRY_LAST);
        let blind: Vec<SocketAddr> = self.upkeep.seeds.iter().copied().collect();
        if self.table.len() == 0 && blind.is_empty() && self.upkeep.saved.is_empty() {
            self.upkeep.found_nothing += 1;
            self.last_words = "no node is known".to_owned();
            return;
        }
        let known = if self.table.len() < K { self.upkeep.saved.clone() } else { Vec::new() };
        self.upkeep.finding = Some(self.upcoming());
        let own = self.table.own();
        self.search(now, None, own, Goal::Nodes, Seeds { known, blind }, outputs);
    }

    fn fill(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        if self.upkeep.filling.is_some() || self.table.len() < K {
            return;
        }
        if self.upkeep.to_fill.is_empty() && now >= self.upkeep.neighbourhood_at {
            self.upkeep.neighbourhood_at = now + NEIGHBOURHOOD;
            self.upkeep.to_fill.extend(self.table.emptiest());
        }
        if let Some(bits) = self.upkeep.to_fill.pop() {
            let target = self.table.own().random_sharing(bits, &mut self.rng);
            self.upkeep.filling = Some(self.upcoming());
            self.search(now, None, target, Goal::Nodes, Seeds::default(), outputs);
        }
    }

    fn may_check(&self, now: Instant) -> bool {
        self.rpc.len() < MAX_CHECKS && self.rpc.pace.has_plenty(now)
    }

    fn check(&mut self, now: Instant, address: SocketAddr, id: Option<Id>, outputs: &mut VecDeque<Output>) {
        if self.may_check(now) && may_name(address, address) {
            self.rpc.ask(now, (address, id), Method::Ping, Want::default(), Purpose::Check, outputs);
        }
    }

    fn judge_reach(&mut self, now: Instant) {
        let read_only = match self.upkeep.reach {
            Reach::Serve => false,
            Reach::ReadOnly => true,
            Reach::Auto if self.upkeep.mapped => false,
            Reach::Auto => {
                let heard = self.upkeep.unsolicited.is_some_and(|at| now.since(at) < STAY_READ_ONLY);
                let listened = self.upkeep.listening_since.map_or(Duration::ZERO, |since| now.since(since));
                if heard || listened >= STAY_READ_ONLY {
                    if !heard {
                        self.upkeep.listening_since = Some(now);
                    }
                    false
                } else {
                    self.rpc.read_only || listened >= LISTEN && self.table.good(now, true) >= WITNESSES
                }
            }
        };
        if read_only != self.rpc.read_only {
            self.rpc.read_only = read_only;
            let words = if read_only { "no stranger reaches us: read-only" } else { "strangers may ask us" };
            self.last_words = words.to_owned();
        }
    }
}

/// Estimates how many nodes there are: the nearest ones divide the space up to them evenly.
fn estimate_size(target: &Id, closest: &[NodeAddress]) -> Option<u64> {
    let far = closest.last().filter(|_| closest.len() >= K)?;
    let high = |id: &Id| u64::from_be_bytes(std::array::from_fn(|i| id.0[i]));
    let distance = high(target) ^ high(&far.id);
    Some((closest.len() as f64 / (distance.max(1) as f64 / u64::MAX as f64)) as u64)
}
