//! The state machine: one node of the network over IPv4 and one of that over IPv6, and the tasks that use both.
//!
//! A task goes *parked → running → over*: it is parked while no node is known, and runs in each network that has nodes.
//! It ends with one [`Output::Done`], made of what came of it in each.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{Instant, Now};

use crate::krpc::{self, Body};
use crate::network::{Event, Goal, Network};
use crate::secret::Secret;
use crate::{Failure, Found, Id, Input, Item, NodeStatus, Output, Scrape, Snapshot, Status, Task, TaskId};

/// The most tasks at a time (arbitrary; a torrent has one or two now and then).
const MAX_TASKS: usize = 2_048;

/// How long a task waits for the first node.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often a kept item is stored again (BEP 44).
const STORE_AGAIN: Duration = Duration::from_secs(3600);

/// The most items that are kept (arbitrary).
const MAX_KEPT: usize = 1_000;

/// How often the driver is asked for well-known hosts at most.
const HOSTS_AFTER: Duration = Duration::from_secs(30);

/// Whether we answer queries and want to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Yes, unless it turns out that nobody can reach us (BEP 43).
    #[default]
    Auto,
    /// Always.
    Serve,
    /// Never.
    ReadOnly,
}

/// How a node is set up.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// There is a socket for IPv4.
    pub v4: bool,
    /// There is a socket for IPv6.
    pub v6: bool,
    /// Whether we answer.
    pub reach: Reach,
    /// What the last run left.
    pub snapshot: Snapshot,
}

/// The state machine.
#[derive(Debug)]
pub struct DhtNode {
    v4: Option<Network>,
    v6: Option<Network>,
    tasks: BTreeMap<TaskId, Running>,
    /// Those of the tasks that are parked, and until when.
    parked: BTreeMap<TaskId, Instant>,
    /// Items that are stored again, and when.
    kept: BTreeMap<Id, (Item, Instant)>,
    /// Our own tasks have numbers of their own: from the top.
    next_own: u64,
    hosts_asked: Option<Instant>,
    outputs: VecDeque<Output>,
}

/// A task that is not over.
#[derive(Debug)]
struct Running {
    task: Task,
    /// In how many networks it runs.
    networks: u32,
    /// What came of it elsewhere.
    result: Option<Result<Found, Failure>>,
}

impl DhtNode {
    /// Builds a node. Nothing is sent before the first [`Input`]: hand in [`Input::Timeout`] to begin. `key`: what write
    /// tokens and transaction ids are made with, from the system's generator outside of tests; whoever knows it can
    /// forge both. What `rng` draws may become known.
    pub fn new(config: Config, key: [u8; 16], mut rng: fastrand::Rng) -> DhtNode {
        let Snapshot { v4, v6 } = config.snapshot;
        let (rng4, rng6) = (rng.fork(), rng.fork());
        DhtNode {
            v4: config.v4.then(|| Network::new(Secret::new(key, false), config.reach, v4, rng4)),
            v6: config.v6.then(|| Network::new(Secret::new(key, true), config.reach, v6, rng6)),
            tasks: BTreeMap::new(),
            parked: BTreeMap::new(),
            kept: BTreeMap::new(),
            next_own: u64::MAX,
            hosts_asked: None,
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        let now = now.mono;
        match input {
            Input::Received { from, packet } => self.received(now, from, packet),
            Input::Start { id, task } => self.start(now, id, task),
            Input::Cancel(id) => self.cancel(now, id),
            Input::AddNode(address) => self.hint(now, address),
            Input::AddHost(address) => {
                let outputs = &mut self.outputs;
                let networks = self.v4.iter_mut().chain(self.v6.iter_mut());
                networks.for_each(|network| network.host(now, canonical(address), outputs));
            }
            Input::Forget(target) => drop(self.kept.remove(&target)),
            Input::Reachable(mapped) => {
                self.v4.iter_mut().chain(self.v6.iter_mut()).for_each(|network| network.set_mapped(mapped));
            }
            Input::Timeout => self.time_passed(now),
        }
        self.digest(now);
        self.unpark(now);
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let networks = self.v4.iter().chain(&self.v6).map(Network::poll_timeout);
        let parked = self.parked.values().copied();
        let kept = self.kept.values().map(|(_, at)| *at);
        networks.chain(parked).chain(kept).min()
    }

    /// Tells how things are.
    pub fn status(&self, now: Now) -> Status {
        let status = |network: &Network| network.status(now.mono);
        Status {
            v4: self.v4.as_ref().map(status),
            v6: self.v6.as_ref().map(status),
            tasks: self.tasks.len() as u32,
            kept: self.kept.len() as u32,
        }
    }

    /// Returns the nodes of the tables.
    pub fn nodes(&self, now: Now) -> Vec<NodeStatus> {
        self.v4.iter().chain(&self.v6).flat_map(|network| network.nodes(now.mono)).collect()
    }

    /// Returns what to save for the next run.
    pub fn snapshot(&self) -> Snapshot {
        let snapshot = |network: &Option<Network>| network.as_ref().map(Network::snapshot).unwrap_or_default();
        Snapshot { v4: snapshot(&self.v4), v6: snapshot(&self.v6) }
    }

    /// Tells whether any node is known that answers.
    pub fn is_ready(&self) -> bool {
        self.v4.iter().chain(&self.v6).any(Network::has_nodes)
    }

    fn received(&mut self, now: Instant, from: SocketAddr, packet: &[u8]) {
        let from = canonical(from);
        let (network, other) = match from.is_ipv4() {
            true => (&mut self.v4, &self.v6),
            false => (&mut self.v6, &self.v4),
        };
        let Some(network) = network else { return };
        network.count_in(packet.len());
        let Some(message) = krpc::decode(packet) else { return };
        // BEP 32: who asks for nodes of the other network gets them.
        let mut elsewhere = Vec::new();
        if let (Body::Query(query), Some(other)) = (&message.body, other)
            && (if from.is_ipv4() { query.want.v6 } else { query.want.v4 })
            && let Some(target) = query.method.target()
        {
            elsewhere = other.closest(now, &target);
        }
        network.received(now, from, (&message, packet.len()), elsewhere, &mut self.outputs);
    }

    fn start(&mut self, now: Instant, id: TaskId, task: Task) {
        if self.tasks.len() >= MAX_TASKS || self.tasks.contains_key(&id) {
            return self.outputs.push_back(Output::Done { id, result: Err(Failure::TooMany) });
        }
        if let Task::Put { item, keep: true, .. } = &task
            && self.kept.len() >= MAX_KEPT
            && !self.kept.contains_key(&item.target())
        {
            return self.outputs.push_back(Output::Done { id, result: Err(Failure::TooManyKept) });
        }
        self.tasks.insert(id, Running { task, networks: 0, result: None });
        self.run(now, id);
    }

    /// Starts a task in each network that has nodes; parks it where none has.
    fn run(&mut self, now: Instant, id: TaskId) {
        let Some(running) = self.tasks.get_mut(&id) else { return };
        let (to, sample) = match running.task {
            Task::Ping { to } => (Some(canonical(to)), None),
            Task::Sample { to, target } => (Some(canonical(to)), Some(target)),
            _ => (None, None),
        };
        if let Some(to) = to {
            running.networks = 1;
            match if to.is_ipv4() { &mut self.v4 } else { &mut self.v6 } {
                Some(network) => network.ask(now, id, to, sample, &mut self.outputs),
                None => self.ended(now, id, Err(Failure::NoSocket)),
            }
            return;
        }
        let mut ready: Vec<&mut Network> =
            self.v4.iter_mut().chain(self.v6.iter_mut()).filter(|n| n.is_ready()).collect();
        if ready.is_empty() {
            self.parked.entry(id).or_insert(now + PATIENCE);
            self.v4.iter_mut().chain(self.v6.iter_mut()).for_each(|network| network.hurry(now));
            return;
        }
        self.parked.remove(&id);
        running.networks = ready.len() as u32;
        for network in &mut ready {
            let (target, goal) = goal(&running.task);
            network.start(now, id, target, goal, &mut self.outputs);
        }
    }

    fn cancel(&mut self, now: Instant, id: TaskId) {
        self.parked.remove(&id);
        if self.tasks.remove(&id).is_some() {
            let outputs = &mut self.outputs;
            self.v4.iter_mut().chain(self.v6.iter_mut()).for_each(|network| network.cancel(now, id, outputs));
        }
    }

    fn hint(&mut self, now: Instant, address: SocketAddr) {
        let outputs = &mut self.outputs;
        let networks = self.v4.iter_mut().chain(self.v6.iter_mut());
        networks.for_each(|network| network.hint(now, canonical(address), outputs));
    }

    fn time_passed(&mut self, now: Instant) {
        for network in self.v4.iter_mut().chain(self.v6.iter_mut()) {
            network.time_passed(now, &mut self.outputs);
        }
        let due: Vec<Id> = self.kept.iter().filter(|(_, (_, at))| *at <= now).map(|(&target, _)| target).collect();
        for target in due {
            let Some((item, at)) = self.kept.get_mut(&target) else { continue };
            *at = now + STORE_AGAIN;
            let task = Task::Put { item: item.clone(), cas: None, keep: false };
            self.next_own -= 1;
            self.start(now, TaskId(self.next_own), task);
        }
    }

    /// Turns what the networks tell into outputs.
    fn digest(&mut self, now: Instant) {
        while let Some(event) =
            self.v4.iter_mut().chain(self.v6.iter_mut()).find_map(|network| network.events.pop_front())
        {
            match event {
                Event::Peers(id, peers) => self.outputs.push_back(Output::Peers { id, peers }),
                Event::Ended(id, result) => {
                    // The one immutable item there is: the other network need not look any longer.
                    if let Ok(Found::Item(Some(Item::Immutable(_)))) = result {
                        if let Some(running) = self.tasks.get_mut(&id) {
                            running.networks = 1;
                        }
                        for network in self.v4.iter_mut().chain(self.v6.iter_mut()) {
                            network.cancel(now, id, &mut self.outputs);
                        }
                    }
                    self.ended(now, id, result);
                }
                Event::NeedHosts => {
                    if self.hosts_asked.is_none_or(|at| now.since(at) >= HOSTS_AFTER) {
                        self.hosts_asked = Some(now);
                        self.outputs.push_back(Output::NeedHosts);
                    }
                }
                Event::Elsewhere(address) => {
                    let other = if address.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
                    if let Some(other) = other {
                        other.host(now, address, &mut self.outputs);
                    }
                }
            }
        }
    }

    /// Returns the item that a task looks for, if others stored it with us.
    fn held(&self, now: Instant, task: &Task) -> Option<Item> {
        let Task::Get { name, newer_than } = task else { return None };
        let held = self.v4.iter().chain(&self.v6).filter_map(|network| network.held(now, name, *newer_than));
        held.max_by_key(Item::seq)
    }

    /// Takes what came of a task in one network.
    fn ended(&mut self, now: Instant, id: TaskId, result: Result<Found, Failure>) {
        let Some(running) = self.tasks.get_mut(&id) else { return };
        running.networks = running.networks.saturating_sub(1);
        let result = match running.result.take() {
            Some(other) => merge(other, result),
            None => result,
        };
        if running.networks > 0 {
            running.result = Some(result);
            return;
        }
        let task = self.tasks.remove(&id).map(|running| running.task);
        if let Some(Task::Put { item, keep, .. }) = task {
            self.stored(now, item, keep, &result);
        }
        // Of our own tasks nobody wants to know.
        if id.0 < self.next_own {
            self.outputs.push_back(Output::Done { id, result });
        }
    }

    /// Keeps an item that was stored, or that may be as soon as somebody answers. One that another stands in the way of is
    /// kept no longer: stored again, it would take the place of what its owner has not seen.
    fn stored(&mut self, now: Instant, item: Item, keep: bool, result: &Result<Found, Failure>) {
        let target = item.target();
        let kept = self.kept.get(&target).map(|(kept, _)| kept);
        match result {
            Err(Failure::Conflict { .. }) if kept == Some(&item) => drop(self.kept.remove(&target)),
            Ok(_) | Err(Failure::NoNodes) if keep && kept.is_none_or(|kept| kept.seq() <= item.seq()) => {
                self.kept.insert(target, (item, now + STORE_AGAIN));
            }
            _ => {}
        }
    }

    /// Starts the parked tasks as soon as there are nodes, and ends them when there are none for too long.
    fn unpark(&mut self, now: Instant) {
        if self.parked.is_empty() {
            return;
        }
        if self.v4.iter().chain(&self.v6).any(Network::is_ready) {
            let ids: Vec<TaskId> = self.parked.keys().copied().collect();
            ids.into_iter().for_each(|id| self.run(now, id));
            self.digest(now);
            return;
        }
        let late: Vec<TaskId> = self.parked.iter().filter(|(_, until)| **until <= now).map(|(&id, _)| id).collect();
        for id in late {
            self.parked.remove(&id);
            let held = self.tasks.get(&id).and_then(|running| self.held(now, &running.task));
            self.ended(now, id, held.map(|item| Found::Item(Some(item))).ok_or(Failure::NoNodes));
        }
    }
}

fn goal(task: &Task) -> (Id, Goal) {
    match task {
        Task::FindPeers { info_hash, announce } => {
            (*info_hash, Goal::Peers { announce: *announce, found: BTreeSet::new() })
        }
        Task::Scrape { info_hash } => (*info_hash, Goal::Scrape(Box::default())),
        Task::Get { name, newer_than } => {
            (name.target(), Goal::Get { name: name.clone(), newer_than: *newer_than, best: None })
        }
        Task::Put { item, cas, .. } => (item.target(), Goal::Put { item: item.clone(), cas: *cas, newest: None }),
        Task::FindNodes { target } | Task::Sample { target, .. } => (*target, Goal::Nodes),
        // Never looked up: it names an address.
        Task::Ping { .. } => (Id([0; 20]), Goal::Nodes),
    }
}

/// Makes one of what came of a task in both networks.
fn merge(one: Result<Found, Failure>, other: Result<Found, Failure>) -> Result<Found, Failure> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok(merge_found(one, other)),
        // What stands in the way of one is to be told; silence in one network is no matter.
        (Err(conflict @ Failure::Conflict { .. }), _) | (_, Err(conflict @ Failure::Conflict { .. })) => Err(conflict),
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(refused @ Failure::Refused { .. }), Err(_)) => Err(refused),
        (Err(_), Err(other)) => Err(other),
    }
}

fn merge_found(one: Found, other: Found) -> Found {
    match (one, other) {
        (Found::Peers { peers, announced, queries }, Found::Peers { peers: p, announced: a, queries: q }) => {
            Found::Peers { peers: peers + p, announced: announced + a, queries: queries + q }
        }
        // Most are in both networks: the larger count is nearer to the truth than the sum.
        (Found::Scrape(one), Found::Scrape(other)) => Found::Scrape(Scrape {
            seeds: one.seeds.max(other.seeds),
            peers: one.peers.max(other.peers),
            nodes: one.nodes + other.nodes,
        }),
        (Found::Nodes(mut one), Found::Nodes(other)) => {
            one.extend(other);
            Found::Nodes(one)
        }
        (Found::Item(one), Found::Item(other)) => {
            let newer = match (&one, &other) {
                (Some(one), Some(other)) => other.seq() > one.seq(),
                (None, _) => true,
                (Some(_), None) => false,
            };
            Found::Item(if newer { other } else { one })
        }
        (Found::Stored { nodes }, Found::Stored { nodes: others }) => Found::Stored { nodes: nodes + others },
        // No task ends in two ways.
        (one, _) => one,
    }
}

/// Makes the two spellings of an IPv4 address equal: a dual-stack socket shows it as an IPv6 one.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
