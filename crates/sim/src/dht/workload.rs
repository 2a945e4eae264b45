//! What the nodes do: swarms have peers that announce, items have owners, and look-ups are measured.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Instant, Now, WallTime};
use dht::{Announce, Failure, Found, Id, Immutable, Input, Item, Mutable, SecretKey, Task, TaskId};

use super::network::{DhtSim, Event, Kind};
use super::{DhtOutcome, DhtScenario};

/// How often a peer announces: what most programs do.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(15 * 60);

/// How many peers a swarm has.
const PEERS: u32 = 3;

/// What the nodes do.
#[derive(Debug, Default)]
pub(super) struct Workload {
    keys: Vec<Key>,
    running: BTreeMap<TaskId, Running>,
    next_task: u64,
    /// Nodes that are watched, and packets, bytes, queries out and queries in when the measuring began.
    watched: Vec<(u32, [u64; 4])>,
}

/// A swarm or an item.
#[derive(Debug)]
struct Key {
    target: Id,
    /// `None`: a swarm.
    item: Option<Item>,
    /// Addresses that ever announced.
    peers: Vec<SocketAddr>,
}

#[derive(Debug)]
struct Running {
    key: u32,
    began: Instant,
    found: bool,
}

impl Workload {
    pub(super) fn new(scenario: &DhtScenario, rng: &mut fastrand::Rng) -> Workload {
        let key = |i: u32| match i % 4 {
            0 => {
                let value = format!("i{i}e");
                let item = Item::Immutable(Immutable::new(value).expect("an integer is bencode"));
                (item.target(), Some(item))
            }
            1 => {
                let mut secret = [0; 32];
                secret[..4].copy_from_slice(&i.to_be_bytes());
                let secret = SecretKey::from_bytes(&secret);
                let item = Mutable::sign(&secret, "", 1, format!("i{i}e")).expect("an integer is bencode");
                let item = Item::Mutable(item);
                (item.target(), Some(item))
            }
            _ => (Id::random(rng), None),
        };
        let keys: Vec<(Id, Option<Item>)> = (0..scenario.keys).map(key).collect();
        let keys = keys.into_iter().map(|(target, item)| Key { target, item, peers: Vec::new() }).collect();
        Workload { keys, running: BTreeMap::new(), next_task: 0, watched: Vec::new() }
    }

    /// Returns what is looked up: what attackers crowd around.
    pub(super) fn targets(&self) -> Vec<Id> {
        self.keys.iter().map(|key| key.target).collect()
    }

    pub(super) fn is_watched(&self, index: u32) -> bool {
        self.watched.iter().any(|(watched, _)| *watched == index)
    }

    /// Takes peers that a look-up told.
    pub(super) fn peers(&mut self, id: TaskId, peers: &[SocketAddr]) {
        if let Some(running) = self.running.get_mut(&id) {
            let known = &self.keys[running.key as usize].peers;
            running.found |= peers.iter().any(|peer| known.contains(peer));
        }
    }

    /// Takes the end of a task.
    pub(super) fn done(&mut self, id: TaskId, result: Result<Found, Failure>, now: Instant, outcome: &mut DhtOutcome) {
        let Some(running) = self.running.remove(&id) else { return };
        let key = &self.keys[running.key as usize];
        let mut found = running.found;
        match result {
            Ok(Found::Peers { queries, .. }) => outcome.queries.push(queries),
            Ok(Found::Item(Some(item))) => {
                found = key.item.as_ref() == Some(&item);
                outcome.believed_lies += u32::from(!found);
            }
            _ => {}
        }
        outcome.lookups += 1;
        outcome.found += u32::from(found);
        outcome.millis.push(now.since(running.began).as_millis() as u32);
    }

    fn task(&mut self) -> TaskId {
        self.next_task += 1;
        TaskId(self.next_task)
    }
}

impl DhtSim {
    pub(super) fn plan_workload(&mut self) {
        let DhtScenario { joining, measured, keys, lookups, .. } = self.scenario;
        // Announcements begin when most have joined, and are there when the measuring begins.
        for key in 0..keys {
            for _ in 0..PEERS {
                let at = joining * 3 / 4 + self.within(joining / 5);
                self.at(Instant::START + at, Event::Announce { key });
            }
        }
        for _ in 0..lookups {
            let at = joining + self.within(measured);
            self.at(Instant::START + at, Event::LookUp);
        }
        self.at(Instant::START + joining, Event::StartMeasuring);
    }

    /// Does what the workload wants of a node that joined.
    pub(super) fn joined(&mut self, index: u32) {
        // Not the well-known hosts, which everybody asks.
        let idle = index % 17 == 16 && self.workload.watched.len() < self.scenario.idle as usize;
        if idle {
            self.workload.watched.push((index, [0; 4]));
        } else if self.scenario.background_per_hour > 0 {
            let every = Duration::from_secs(3600) / self.scenario.background_per_hour;
            let at = self.now + Duration::from_secs(60) + self.within(every);
            self.at(at, Event::Background(index));
        }
    }

    pub(super) fn work(&mut self, event: Event) {
        match event {
            Event::Announce { key } => self.announce(key),
            Event::LookUp => self.look_up(),
            Event::Background(index) => {
                if !matches!(self.nodes[index as usize].kind, Kind::Honest(_)) {
                    return;
                }
                let every = Duration::from_secs(3600) / self.scenario.background_per_hour.max(1);
                self.at(self.now + every, Event::Background(index));
                let announce = Some(Announce { port: 1, implied_port: false, seed: false });
                let task = Task::FindPeers { info_hash: Id::random(&mut self.rng), announce };
                let id = self.workload.task();
                self.give(index, Input::Start { id, task });
            }
            Event::Crowd(index) => {
                self.at(self.now + Duration::from_secs(300), Event::Crowd(index));
                let victims: Vec<u32> = (0..20).map(|_| self.alive[self.rng.usize(..self.alive.len())]).collect();
                for (victim, packet) in self.hostile.crowd(index, &victims, &mut self.rng) {
                    let to = SocketAddr::from((self.nodes[victim as usize].ip, super::network::PORT));
                    self.send(index, to, packet);
                }
            }
            Event::StartMeasuring => {
                for at in 0..self.workload.watched.len() {
                    let index = self.workload.watched[at].0;
                    self.workload.watched[at].1 = self.counters(index);
                }
            }
            Event::Arrive { .. } | Event::Timer(_) | Event::Join { .. } | Event::Leave => {}
        }
    }

    /// An honest node announces itself in a swarm, or stores an item; then again every while, or another in its place.
    fn announce(&mut self, key: u32) {
        self.at(self.now + ANNOUNCE_EVERY, Event::Announce { key });
        let Some(index) = self.honest() else { return };
        let id = self.workload.task();
        let own = SocketAddr::from((self.nodes[index as usize].ip, 6_000));
        let key = &mut self.workload.keys[key as usize];
        let task = match &key.item {
            Some(item) => Task::Put { item: item.clone(), cas: None, keep: false },
            None => {
                key.peers.push(own);
                let announce = Some(Announce { port: 6_000, implied_port: false, seed: false });
                Task::FindPeers { info_hash: key.target, announce }
            }
        };
        self.give(index, Input::Start { id, task });
    }

    fn look_up(&mut self) {
        let Some(index) = self.honest() else { return };
        let key = self.rng.u32(..self.workload.keys.len() as u32);
        let id = self.workload.task();
        let task = match &self.workload.keys[key as usize] {
            Key { item: Some(item), .. } => Task::Get { name: item.name(), newer_than: None },
            Key { target, .. } => Task::FindPeers { info_hash: *target, announce: None },
        };
        self.workload.running.insert(id, Running { key, began: self.now, found: false });
        self.give(index, Input::Start { id, task });
    }

    /// Draws an honest node that has been there for a while: one that has just begun to join cannot find anything.
    fn honest(&mut self) -> Option<u32> {
        (0..200).map(|_| self.rng.usize(..self.alive.len())).map(|at| self.alive[at]).find(|&index| {
            matches!(&self.nodes[index as usize].kind, Kind::Honest(node) if node.is_ready())
                && !self.workload.is_watched(index)
        })
    }

    pub(super) fn conclude_workload(&mut self) {
        // What a node that left had begun is nobody's failure; what still runs after the grace is one.
        let alive = self.workload.running.len() as u32;
        self.outcome.lookups += alive;
        let watched = &self.workload.watched;
        if !watched.is_empty() {
            let mut sum = [0; 4];
            for (index, before) in watched {
                let after = self.counters(*index);
                sum = std::array::from_fn(|i| sum[i] + after[i] - before[i]);
            }
            let days = self.scenario.measured.as_secs_f64() / 86_400.0 * watched.len() as f64;
            let [packets, bytes, queries_out, queries_in] = sum.map(|count| (count as f64 / days) as u64);
            self.outcome.idle_packets_per_day = packets;
            self.outcome.idle_bytes_per_day = bytes;
            self.outcome.idle_queries_out_per_day = queries_out;
            self.outcome.idle_queries_in_per_day = queries_in;
        }
    }

    fn counters(&self, index: u32) -> [u64; 4] {
        let node = &self.nodes[index as usize];
        let Kind::Honest(dht) = &node.kind else { return [0; 4] };
        let status = dht.status(Now { mono: self.now, wall: WallTime(0) });
        let traffic = status.v4.map(|status| status.traffic).unwrap_or_default();
        [node.traffic.0, node.traffic.1, traffic.queries_out, traffic.queries_in]
    }
}
