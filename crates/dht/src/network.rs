//! One network: that over IPv4 or that over IPv6 (BEP 32). A table, what others stored with us, and the look-ups there.

mod rpc;
mod search;
mod serve;
mod upkeep;

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::Instant;
use bytes::Bytes;

use crate::krpc::{self, Body, Message, Method, Query, Response, Want, code};
use crate::node::Reach;
use crate::rate::{Limits, Recent};
use crate::secret::Secret;
use crate::store::Store;
use crate::table::{K, Table};
use crate::token::Tokens;
use crate::votes::Votes;
use crate::{Failure, FamilySnapshot, FamilyStatus, Found, Id, NodeAddress, NodeStatus, Output, Pong, Sample, TaskId};
use crate::{Item, ItemName};
use rpc::{Late, Pending, Purpose, Rpc};
use search::{Search, SearchId, Seeds};
use upkeep::Upkeep;

pub(crate) use search::Goal;

/// The longest error message kept of a node, in characters.
const MAX_WORDS: usize = 120;

/// How long nobody answers before we think that it is our own line.
const LINE_DOWN: Duration = Duration::from_secs(60);

/// What a network has to tell.
#[derive(Debug)]
pub(crate) enum Event {
    /// Peers that a task's look-up found.
    Peers(TaskId, Vec<SocketAddr>),
    /// What came of a task here.
    Ended(TaskId, Result<Found, Failure>),
    /// The table has too few nodes.
    NeedHosts,
    /// Here may be a node of the other network.
    Elsewhere(SocketAddr),
}

/// One network.
#[derive(Debug)]
pub(crate) struct Network {
    v6: bool,
    table: Table,
    store: Store,
    rpc: Rpc,
    tokens: Tokens,
    votes: Votes,
    external: Option<IpAddr>,
    limits: Limits,
    /// Addresses that have shown that they are their own.
    proven: Recent,
    /// How many answers wait for such a proof.
    deferred: usize,
    searches: BTreeMap<SearchId, Search>,
    /// Look-ups that wait until queries may be sent again. At most those that run.
    held_back: BTreeSet<SearchId>,
    next_search: u64,
    /// How many look-ups ended.
    lookups: u64,
    upkeep: Upkeep,
    bootstrapped: bool,
    sampled: Option<(Instant, Vec<Id>)>,
    last_words: String,
    rng: fastrand::Rng,
    pub(crate) events: VecDeque<Event>,
}

impl Network {
    /// Begins with what the last run left.
    pub(crate) fn new(secret: Secret, reach: Reach, snapshot: FamilySnapshot, mut rng: fastrand::Rng) -> Network {
        let own = snapshot.id.unwrap_or_else(|| Id::random(&mut rng));
        let mut rpc = Rpc::new(own, secret);
        rpc.read_only = reach == Reach::ReadOnly;
        Network {
            v6: secret.v6(),
            table: Table::new(own),
            store: Store::new(own),
            rpc,
            tokens: Tokens::new(secret),
            votes: Votes::default(),
            external: None,
            limits: Limits::default(),
            proven: Recent::default(),
            deferred: 0,
            searches: BTreeMap::new(),
            held_back: BTreeSet::new(),
            next_search: 0,
            lookups: 0,
            upkeep: Upkeep::new(reach, snapshot.nodes),
            bootstrapped: false,
            sampled: None,
            last_words: String::new(),
            rng,
            events: VecDeque::new(),
        }
    }

    /// Takes a packet of `length` bytes that is a message. `elsewhere`: nodes of the other network near the target of a
    /// query that wants them.
    pub(crate) fn received(
        &mut self,
        now: Instant,
        from: SocketAddr,
        (message, length): (&Message<'_>, usize),
        elsewhere: Vec<NodeAddress>,
        outputs: &mut VecDeque<Output>,
    ) {
        match &message.body {
            Body::Query(query) => self.queried(now, from, (message.transaction, length), query, elsewhere, outputs),
            Body::Malformed(why) => {
                self.rpc.traffic.queries_in += 1;
                self.rpc.traffic.dropped += 1;
                let code = if *why == "unknown method" { code::METHOD_UNKNOWN } else { code::PROTOCOL };
                let packet = krpc::encode_error(message.transaction, code, why);
                let short = packet.len() <= length * serve::AMPLIFICATION;
                if short && !self.rpc.read_only && self.limits.admit(now, from.ip()) {
                    self.rpc.send(from, packet, outputs);
                }
            }
            Body::Response(response) => {
                if let Some(pending) = self.rpc.answer(now, from, message) {
                    self.answered(now, pending, message, response, outputs);
                }
            }
            Body::Error { code, message: words } => {
                if let Some(pending) = self.rpc.answer(now, from, message) {
                    let words = String::from_utf8_lossy(words);
                    let words = words.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect();
                    self.refused(now, pending, (*code, words), outputs);
                }
            }
        }
    }

    /// Counts a packet that arrived.
    pub(crate) fn count_in(&mut self, length: usize) {
        self.rpc.traffic.packets_in += 1;
        self.rpc.traffic.bytes_in += length as u64;
    }

    /// Begins a look-up for a task.
    pub(crate) fn start(&mut self, now: Instant, task: TaskId, target: Id, goal: Goal, outputs: &mut VecDeque<Output>) {
        // What others stored with us is known without asking.
        let goal = match goal {
            Goal::Peers { announce, mut found } => {
                let own = self.store.peers(now, &target, false, usize::MAX, &mut self.rng);
                found.extend(own.iter().copied());
                if !own.is_empty() {
                    self.events.push_back(Event::Peers(task, own));
                }
                Goal::Peers { announce, found }
            }
            Goal::Scrape(mut counted) => {
                if let Some(blooms) = self.store.blooms(now, &target) {
                    counted.count(&blooms);
                }
                Goal::Scrape(counted)
            }
            Goal::Get { name, newer_than, .. } => {
                let best = self.held(now, &name, newer_than);
                Goal::Get { name, newer_than, best }
            }
            Goal::Put { item, cas, .. } => {
                let newest = self.held(now, &item.name(), None).and_then(|held| held.seq());
                Goal::Put { item, cas, newest }
            }
            Goal::Nodes => Goal::Nodes,
        };
        self.search(now, Some(task), target, goal, Seeds::default(), outputs);
    }

    /// Returns an item that others stored with us; of a mutable one, only a newer one than that.
    pub(crate) fn held(&self, now: Instant, name: &ItemName, newer_than: Option<i64>) -> Option<Item> {
        let item = self.store.item(now, &name.target()).filter(|item| item.name() == *name)?;
        (item.seq().is_none() || item.seq() > newer_than).then(|| item.clone())
    }

    /// Asks one node for a task.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        task: TaskId,
        to: SocketAddr,
        target: Option<Id>,
        outputs: &mut VecDeque<Output>,
    ) {
        let method = target.map_or(Method::Ping, |target| Method::Sample { target });
        self.rpc.ask(now, (to, None), method, Want::default(), Purpose::Task(task), outputs);
    }

    /// Does what is due.
    pub(crate) fn time_passed(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        while let Some(late) = self.rpc.late(now) {
            self.late(now, late, outputs);
        }
        self.go_on(now, outputs);
        self.upkeep(now, outputs);
    }

    /// Returns when [`Network::time_passed`] is to be called.
    pub(crate) fn poll_timeout(&self) -> Instant {
        let upkeep = self.next_upkeep();
        let room = self.held_back.first().map(|_| self.rpc.pace.room_at());
        self.rpc.poll_timeout().into_iter().chain(room).fold(upkeep, Instant::min)
    }

    /// Tells whether a node is known, and the first look for the network is over.
    pub(crate) fn is_ready(&self) -> bool {
        self.table.len() > 0 && (self.bootstrapped || self.upkeep.finding.is_none())
    }

    /// Tells whether any node is known.
    pub(crate) fn has_nodes(&self) -> bool {
        self.table.len() > 0
    }

    /// Returns the nodes nearest to a key.
    pub(crate) fn closest(&self, now: Instant, target: &Id) -> Vec<NodeAddress> {
        self.table.closest(now, target, K)
    }

    /// Returns all nodes.
    pub(crate) fn nodes(&self, now: Instant) -> Vec<NodeStatus> {
        self.table.nodes(now)
    }

    /// Returns what to save.
    pub(crate) fn snapshot(&self) -> FamilySnapshot {
        FamilySnapshot { id: Some(self.table.own()), nodes: self.to_save() }
    }

    /// Tells how things are.
    pub(crate) fn status(&self, now: Instant) -> FamilyStatus {
        let good = self.table.good(now, false);
        let (swarms, peers, items) = self.store.counts();
        let buckets = self.table.buckets(now);
        FamilyStatus {
            id: self.table.own(),
            external: self.external,
            secure: self.external.is_some_and(|external| self.table.own().suits(external)),
            good: good as u32,
            questionable: (self.table.len() - good) as u32,
            replacements: buckets.iter().map(|bucket| u32::from(bucket.replacements)).sum(),
            buckets,
            network_size: self.upkeep.size,
            traffic: self.rpc.traffic,
            read_only: self.rpc.read_only,
            bootstrapped: self.bootstrapped,
            stored_swarms: swarms as u32,
            stored_peers: peers as u32,
            stored_items: items as u32,
            lookups: self.lookups,
            last_words: self.last_words.clone(),
        }
    }

    fn queried(
        &mut self,
        now: Instant,
        from: SocketAddr,
        (transaction, length): (&[u8], usize),
        query: &Query<'_>,
        elsewhere: Vec<NodeAddress>,
        outputs: &mut VecDeque<Output>,
    ) {
        self.rpc.traffic.queries_in += 1;
        if query.id == self.table.own() {
            // Ourselves, through some mirror.
            return;
        }
        if !self.rpc.contacted.has(now, from.ip()) && !self.rpc.contacted.is_full() {
            self.upkeep.unsolicited = Some(now);
        }
        if self.rpc.read_only || !self.limits.admit(now, from.ip()) {
            self.rpc.traffic.dropped += 1;
            return;
        }
        self.serve(now, from, (transaction, length), query, elsewhere, outputs);
        if !query.read_only {
            self.hear_of(now, from, Some(query.id), outputs);
        }
    }

    fn answered(
        &mut self,
        now: Instant,
        pending: Pending,
        message: &Message<'_>,
        response: &Response<'_>,
        outputs: &mut VecDeque<Output>,
    ) {
        self.proven.add(now, pending.to.ip());
        if let Some(ip) = message.ip {
            self.vote(now, pending.to, ip);
        }
        let Some(id) = response.id.filter(|&id| id != self.table.own()) else {
            return self.lost(now, pending, outputs);
        };
        let node = NodeAddress { id, address: pending.to };
        let rtt = now.since(pending.sent);
        if let Some(expected) = pending.id.filter(|&expected| expected != id) {
            // The node took another id, or another node its address: whom we looked for is gone.
            self.table.remove(pending.to, &expected);
            self.table.answered(now, node, rtt);
            return self.lost(now, pending, outputs);
        }
        self.table.answered(now, node, rtt);
        match &pending.purpose {
            Purpose::Search(search) => {
                self.search_answered(now, *search, (&pending, node), response, outputs);
            }
            Purpose::Store(search) => self.store_ended(now, *search, Ok(()), outputs),
            Purpose::Proof(deferred) => {
                let deferred = deferred.as_ref().clone();
                self.deferred = self.deferred.saturating_sub(1);
                self.serve_deferred(now, pending.to, deferred, true, outputs);
            }
            Purpose::Check => {
                let nodes = if self.v6 { &response.nodes6 } else { &response.nodes };
                for named in nodes.iter().filter(|named| search::may_name(pending.to, named.address)) {
                    self.hear_of(now, named.address, Some(named.id), outputs);
                }
            }
            Purpose::Task(task) => {
                let found = match &response.samples {
                    Some(samples) => Found::Sample(Sample {
                        info_hashes: samples.clone(),
                        total: response.num.unwrap_or(0),
                        interval: Duration::from_secs(response.interval.unwrap_or(0).into()),
                        nodes: if self.v6 { response.nodes6.clone() } else { response.nodes.clone() },
                    }),
                    None => {
                        let version = Bytes::copy_from_slice(message.version);
                        Found::Pong(Pong { id, rtt, version, secure: id.suits(pending.to.ip()) })
                    }
                };
                self.events.push_back(Event::Ended(*task, Ok(found)));
            }
        }
    }

    fn refused(&mut self, now: Instant, pending: Pending, error: (i64, String), outputs: &mut VecDeque<Output>) {
        self.proven.add(now, pending.to.ip());
        match pending.purpose {
            // There is a node, though one that does not know what was asked.
            Purpose::Search(search) => self.search_late(now, search, (&pending, true), outputs),
            Purpose::Store(search) => self.store_ended(now, search, Err(Some(error)), outputs),
            Purpose::Proof(deferred) => {
                self.deferred = self.deferred.saturating_sub(1);
                self.serve_deferred(now, pending.to, *deferred, true, outputs);
            }
            Purpose::Check => {}
            Purpose::Task(task) => {
                let failure = Failure::Refused { code: error.0, message: error.1 };
                self.events.push_back(Event::Ended(task, Err(failure)));
            }
        }
    }

    fn late(&mut self, now: Instant, late: Late, outputs: &mut VecDeque<Output>) {
        match late {
            Late::Slow(pending) => match &pending.purpose {
                Purpose::Search(search) => self.search_late(now, *search, (&pending, false), outputs),
                Purpose::Proof(_) => {
                    // It shall have what a stranger gets; should it still answer, it is no stranger the next time.
                    if let Some(deferred) = self.rpc.take_deferred(pending.to) {
                        self.deferred = self.deferred.saturating_sub(1);
                        self.serve_deferred(now, pending.to, deferred, false, outputs);
                    }
                }
                _ => {}
            },
            Late::Lost(pending) => {
                // Where nobody answers, it is our line that is down: nobody is blamed for it.
                if self.rpc.answered.is_some_and(|at| now.since(at) < LINE_DOWN)
                    && let Some(id) = pending.id
                {
                    self.table.failed(pending.to, &id);
                }
                self.lost(now, pending, outputs);
            }
        }
    }

    fn lost(&mut self, now: Instant, pending: Pending, outputs: &mut VecDeque<Output>) {
        match pending.purpose {
            Purpose::Search(search) => self.search_late(now, search, (&pending, true), outputs),
            Purpose::Store(search) => self.store_ended(now, search, Err(None), outputs),
            Purpose::Proof(_) => self.deferred = self.deferred.saturating_sub(1),
            Purpose::Check => {}
            Purpose::Task(task) => self.events.push_back(Event::Ended(task, Err(Failure::Silent))),
        }
    }
}

#[cfg(test)]
impl Network {
    /// Stores an item as if somebody had brought it.
    pub(crate) fn store_for_test(&mut self, now: Instant, item: crate::Item) {
        self.store.put(now, IpAddr::from([192, 0, 2, 9]), item, None).expect("there is room");
    }
}
