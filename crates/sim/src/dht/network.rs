//! The clock, the wires and the nodes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use base::{Instant, Now, WallTime};
use dht::{Config, DhtNode, Input, Output};

use super::hostile::Hostile;
use super::workload::Workload;
use super::{DhtOutcome, DhtScenario};
use crate::queue::Queue;
use crate::trace::Fnv;

/// The headers of IPv4 and UDP, in bytes.
const HEADERS: u64 = 28;

/// How many nodes never leave: what the well-known hosts are.
const HOSTS: u32 = 3;

/// How many of those alive a well-known host names besides itself: real ones answer with other nodes each time.
const NAMED_BY_HOSTS: u32 = 3;

/// The port of all.
pub(super) const PORT: u16 = 6881;

/// A run.
#[derive(Debug)]
pub struct DhtSim {
    pub(super) scenario: DhtScenario,
    pub(super) rng: fastrand::Rng,
    pub(super) now: Instant,
    queue: Queue<Event>,
    trace: Fnv,
    pub(super) nodes: Vec<SimNode>,
    pub(super) by_address: BTreeMap<Ipv4Addr, u32>,
    /// Indices of those that are there.
    pub(super) alive: Vec<u32>,
    pub(super) hostile: Hostile,
    pub(super) workload: Workload,
    pub(super) outcome: DhtOutcome,
}

/// A node.
#[derive(Debug)]
pub(super) struct SimNode {
    pub(super) ip: Ipv4Addr,
    pub(super) kind: Kind,
    /// When its timer is set to.
    timer: Instant,
    pub(super) traffic: (u64, u64),
}

#[derive(Debug)]
pub(super) enum Kind {
    Honest(Box<DhtNode>),
    Hostile,
    Gone,
}

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Arrive {
        to: u32,
        from: u32,
        packet: Vec<u8>,
    },
    Timer(u32),
    Join {
        hostile: bool,
    },
    Leave,
    /// The workload's own.
    Announce {
        key: u32,
    },
    LookUp,
    Background(u32),
    Crowd(u32),
    StartMeasuring,
}

impl DhtSim {
    /// Runs a scenario.
    pub fn run(scenario: DhtScenario) -> DhtOutcome {
        let rng = fastrand::Rng::with_seed(scenario.seed);
        let mut sim = DhtSim {
            hostile: Hostile::default(),
            workload: Workload::default(),
            rng,
            now: Instant::START,
            queue: Queue::new(),
            trace: Fnv::new(),
            nodes: Vec::new(),
            by_address: BTreeMap::new(),
            alive: Vec::new(),
            outcome: DhtOutcome::default(),
            scenario,
        };
        sim.plan();
        let end = Instant::START + sim.scenario.joining + sim.scenario.measured;
        // The last look-ups may end.
        let grace = end + Duration::from_secs(60);
        while let Some((at, event)) = sim.queue.next() {
            if at > grace {
                break;
            }
            sim.now = at;
            sim.happen(event, at > end);
        }
        sim.conclude();
        sim.outcome
    }

    fn plan(&mut self) {
        let DhtScenario { nodes, joining, measured, .. } = self.scenario;
        let hostile = nodes * self.scenario.hostile_per_mille / 1000;
        self.workload = Workload::new(&self.scenario, &mut self.rng);
        self.hostile = Hostile::new(hostile, &self.workload.targets(), &mut self.rng);
        // Everybody is there after two thirds of the time; the rest is for the tables to settle.
        for i in 0..nodes {
            let at = if i < HOSTS { Duration::ZERO } else { self.within(joining * 2 / 3) };
            let is_hostile = i >= HOSTS && i < HOSTS + hostile;
            self.at(Instant::START + at, Event::Join { hostile: is_hostile });
        }
        let seconds = u64::from(nodes) * u64::from(self.scenario.churn_per_mille_per_hour) * measured.as_secs();
        for _ in 0..seconds / 3600 / 1000 {
            let at = self.within(measured);
            self.at(Instant::START + joining + at, Event::Leave);
        }
        self.plan_workload();
    }

    pub(super) fn within(&mut self, period: Duration) -> Duration {
        period.mul_f64(self.rng.f64())
    }

    pub(super) fn at(&mut self, at: Instant, event: Event) {
        self.queue.add(at, event);
    }

    fn happen(&mut self, event: Event, over: bool) {
        match event {
            Event::Arrive { to, from, packet } => self.arrive(to, from, &packet),
            Event::Timer(index) => {
                // One that was set anew since happens then.
                if self.nodes[index as usize].timer == self.now {
                    self.nodes[index as usize].timer = Instant::START;
                    self.give(index, Input::Timeout);
                }
            }
            Event::Join { hostile } => self.join(hostile),
            Event::Leave => self.leave(),
            _ if over => {}
            other => self.work(other),
        }
    }

    fn join(&mut self, hostile: bool) {
        let index = self.nodes.len() as u32;
        let ip = loop {
            // Global unicast as far as anybody here cares, and no private address.
            let ip = Ipv4Addr::from(self.rng.u32(0x2000_0000..0x7e00_0000));
            if !self.by_address.contains_key(&ip) && !dht::is_local(ip.into()) {
                break ip;
            }
        };
        let kind = if hostile {
            self.hostile.join(index, ip, &mut self.rng);
            Kind::Hostile
        } else {
            let config = Config { v4: true, ..Config::default() };
            Kind::Honest(Box::new(DhtNode::new(config, self.rng.u128(..).to_be_bytes(), self.rng.fork())))
        };
        self.by_address.insert(ip, index);
        self.alive.push(index);
        self.nodes.push(SimNode { ip, kind, timer: Instant::START, traffic: (0, 0) });
        if hostile {
            let first = self.within(Duration::from_secs(60));
            self.at(self.now + first, Event::Crowd(index));
        } else {
            self.give(index, Input::Timeout);
            self.joined(index);
        }
    }

    fn leave(&mut self) {
        // Well-known hosts and those that are watched stay; hostile ones have time.
        let leaver = (0..100).map(|_| self.rng.usize(..self.alive.len())).find(|&at| {
            let index = self.alive[at];
            index >= HOSTS
                && !self.workload.is_watched(index)
                && matches!(self.nodes[index as usize].kind, Kind::Honest(_))
        });
        if let Some(at) = leaver {
            let index = self.alive.swap_remove(at);
            let node = &mut self.nodes[index as usize];
            node.kind = Kind::Gone;
            self.by_address.remove(&node.ip);
            self.join(false);
        }
    }

    fn arrive(&mut self, to: u32, from: u32, packet: &[u8]) {
        let from_address = SocketAddr::from((self.nodes[from as usize].ip, PORT));
        let node = &mut self.nodes[to as usize];
        node.traffic.0 += 1;
        node.traffic.1 += packet.len() as u64 + HEADERS;
        match &node.kind {
            Kind::Honest(_) => self.give(to, Input::Received { from: from_address, packet }),
            Kind::Hostile => {
                let ip = node.ip;
                if let Some(answer) = self.hostile.answer(to, ip, from_address, packet, &mut self.rng) {
                    self.send(to, from_address, answer);
                }
            }
            Kind::Gone => {}
        }
    }

    /// Hands an input to an honest node and does what it wants.
    pub(super) fn give(&mut self, index: u32, input: Input<'_>) {
        let now = Now { mono: self.now, wall: WallTime(self.now.since_start().as_secs()) };
        let Kind::Honest(node) = &mut self.nodes[index as usize].kind else { return };
        node.handle(now, input);
        let mut hosts = false;
        let mut sends = Vec::new();
        while let Some(output) = node.poll_output() {
            match output {
                Output::Send { to, packet } => sends.push((to, packet)),
                Output::Peers { id, peers } => self.workload.peers(id, &peers),
                Output::Done { id, result } => self.workload.done(id, result, self.now, &mut self.outcome),
                Output::NeedHosts => hosts = true,
            }
        }
        for (to, packet) in sends {
            self.send(index, to, packet);
        }
        if hosts {
            for i in 0..HOSTS + NAMED_BY_HOSTS {
                let host = if i < HOSTS { i } else { self.alive[self.rng.usize(..self.alive.len())] };
                if host != index && (host as usize) < self.nodes.len() {
                    let address = SocketAddr::from((self.nodes[host as usize].ip, PORT));
                    self.give(index, Input::AddHost(address));
                }
            }
        }
        self.set_timer(index);
    }

    fn set_timer(&mut self, index: u32) {
        let Kind::Honest(node) = &self.nodes[index as usize].kind else { return };
        let Some(due) = node.poll_timeout() else { return };
        let due = due.max(self.now + Duration::from_micros(1));
        let timer = self.nodes[index as usize].timer;
        if timer == Instant::START || due < timer {
            self.nodes[index as usize].timer = due;
            self.at(due, Event::Timer(index));
        }
    }

    /// Puts a packet on the wire.
    pub(super) fn send(&mut self, from: u32, to: SocketAddr, packet: Vec<u8>) {
        let sender = &mut self.nodes[from as usize];
        sender.traffic.0 += 1;
        sender.traffic.1 += packet.len() as u64 + HEADERS;
        self.outcome.packets += 1;
        let mark = (u64::from(from) << 32) ^ packet.len() as u64 ^ self.now.since_start().as_nanos() as u64;
        self.trace.add(mark);
        let lost = self.rng.u32(..1000) < self.scenario.loss_per_mille;
        let (SocketAddr::V4(to), false) = (to, lost) else { return };
        let Some(&index) = self.by_address.get(to.ip()) else { return };
        // 10 to 150 ms that belong to the pair, and up to 30 ms by chance.
        let pair = (u64::from(from.min(index)) << 32 | u64::from(from.max(index))).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let millis = 10 + (pair >> 40) % 140 + self.rng.u64(..30);
        self.at(self.now + Duration::from_millis(millis), Event::Arrive { to: index, from, packet });
    }

    fn conclude(&mut self) {
        let now = Now { mono: self.now, wall: WallTime(0) };
        let (mut tables, mut nodes, mut gone) = (0_u64, 0_u64, 0_u64);
        for index in self.alive.iter().copied().take(500) {
            let Kind::Honest(node) = &self.nodes[index as usize].kind else { continue };
            let table = node.nodes(now).into_iter().filter(|node| !node.replacement);
            tables += 1;
            for status in table {
                let SocketAddr::V4(address) = status.address else { continue };
                nodes += 1;
                gone += u64::from(!self.by_address.contains_key(address.ip()));
            }
        }
        self.outcome.table = (nodes / tables.max(1)) as u32;
        self.outcome.gone_per_mille = (gone * 1000 / nodes.max(1)) as u32;
        self.outcome.trace = self.trace.hash();
        self.conclude_workload();
        self.outcome.queries.sort_unstable();
        self.outcome.millis.sort_unstable();
    }
}
