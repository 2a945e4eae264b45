//! A run: a swarm of nodes under one virtual clock, from the start until all who want the content have it.

mod network;
mod outputs;
mod reading;
mod steps;
mod verdict;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Instant, Now, WallTime};
use metainfo::Block;
use torrent_proto::torrent::{Command, Input, PeerKey, Source, State};

use crate::content::Content;
use crate::node::{Node, Role, Wire, address_of};
use crate::plan::{self, Step};
use crate::queue::Queue;
use crate::scenario::{Mutation, Scenario, Topology};
use crate::trace::Trace;

pub use verdict::{Failure, Outcome, Stats};

/// How often the run asks itself whether it is over.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Announces are repeated after this time; trackers ask for some 30 minutes, which would only make runs longer.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(60);
/// Wishes for more peers between announces are granted so often.
const ANNOUNCE_MIN: Duration = Duration::from_secs(10);
/// Addresses in an answer of the tracker (arbitrary).
const TRACKER_ANSWERS: usize = 12;
/// The wall clock at the start of each run: any day.
const WALL_START: u64 = 1_700_000_000;
/// Timeouts in a row after which another one is due at once: the driver would spin.
const MAX_SPINS: u32 = 50;
/// Events at one instant: more means that two state machines keep one another busy without end.
const MAX_EVENTS_AT_ONCE: u32 = 200_000;

/// Something that is due.
#[derive(Debug)]
enum Event {
    Step(Step),
    /// Is it over?
    Look,
    /// A time limit of the torrent.
    Timer(usize),
    Disk(usize),
    /// The peer tasks pull the list of Haves.
    Haves(usize),
    /// A permit may be free for connections that wait for one.
    Pump(usize),
    KeepAlive {
        node: usize,
        life: u32,
    },
    /// The user sees that it failed, mends it and resumes.
    Mend {
        node: usize,
        life: u32,
    },
    Announce {
        node: usize,
        life: u32,
        again: bool,
    },
    Candidates {
        node: usize,
        life: u32,
        source: Source,
        addresses: Vec<SocketAddr>,
    },
    Dialed {
        node: usize,
        life: u32,
        address: SocketAddr,
        source: Source,
        punch: bool,
    },
    DialFailed {
        node: usize,
        life: u32,
        address: SocketAddr,
    },
    Arrive {
        node: usize,
        key: PeerKey,
        wire: Wire,
        from: (usize, PeerKey),
    },
    ReadDone {
        node: usize,
        key: PeerKey,
    },
    /// Blocks are read from the disk and sent.
    Upload {
        node: usize,
        key: PeerKey,
        blocks: Vec<Block>,
    },
    Sent {
        node: usize,
        key: PeerKey,
        blocks: Vec<Block>,
    },
    /// The driver has closed a connection.
    Gone {
        node: usize,
        life: u32,
        key: PeerKey,
    },
}

/// See the module.
pub struct Swarm {
    scenario: Scenario,
    content: Content,
    now: Instant,
    queue: Queue<Event>,
    rng: fastrand::Rng,
    nodes: Vec<Node>,
    /// Who announced and did not leave.
    tracker: BTreeSet<usize>,
    last_announce: Vec<Option<Instant>>,
    /// Which side each node is on.
    partition: Option<Vec<bool>>,
    steps_left: usize,
    done_since: Option<Instant>,
    trace: Trace,
    stats: Stats,
    failure: Option<Failure>,
}

impl Swarm {
    /// Runs a scenario to its end. `print`: what happens goes to standard output line by line.
    pub fn run(scenario: Scenario, print: bool) -> Outcome {
        let mut swarm = Swarm::new(scenario, print);
        let (mut at_once, mut finished) = (0, false);
        while !finished && swarm.failure.is_none() {
            let Some((at, event)) = swarm.queue.next() else { break };
            at_once = if at == swarm.now { at_once + 1 } else { 0 };
            if at_once > MAX_EVENTS_AT_ONCE {
                swarm.failure = Some(Failure::Spin(format!("{event:?}")));
            }
            swarm.now = at;
            swarm.stats.events += 1;
            finished = swarm.event(event);
        }
        swarm.outcome()
    }

    fn new(scenario: Scenario, print: bool) -> Swarm {
        let mut rng = fastrand::Rng::with_seed(scenario.seed);
        let content = Content::random(&mut rng, &scenario.shape);
        let mut queue = Queue::new();
        let plan = plan::draw(&scenario, &mut rng);
        let steps_left = plan.len();
        plan.into_iter().for_each(|(at, step)| queue.add(at, Event::Step(step)));
        queue.add(Instant::START, Event::Look);
        let mut swarm = Swarm {
            nodes: Vec::new(),
            last_announce: vec![None; scenario.nodes()],
            now: Instant::START,
            tracker: BTreeSet::new(),
            partition: None,
            done_since: None,
            trace: Trace::new(print),
            stats: Stats::default(),
            failure: None,
            steps_left,
            content,
            queue,
            rng,
            scenario,
        };
        swarm.nodes = (0..swarm.scenario.nodes()).map(|index| swarm.draw_node(index)).collect();
        swarm
    }

    fn draw_node(&mut self, index: usize) -> Node {
        let scenario = &self.scenario;
        let role = match index {
            i if i < scenario.seeds => Role::Seed,
            i if i < scenario.seeds + scenario.leechers => Role::Leecher,
            _ => Role::Liar,
        };
        let magnet = role == Role::Leecher && self.rng.f64() < scenario.magnets;
        let rate = self.rng.u64(scenario.rate_bytes_per_s.clone());
        let mut node = Node::new(index, role, &self.content, magnet, scenario.permits, rate);
        // Drawn apart, so that a scenario without it runs as it does with it.
        let mut fate = fastrand::Rng::with_seed(scenario.seed ^ (index as u64) << 8);
        node.behind_nat = role == Role::Leecher && fate.f64() < scenario.behind_nat;
        node.pex = scenario.pex;
        if role == Role::Leecher && self.rng.f64() < scenario.choosy {
            let files = self.content.info.layout().files();
            if magnet {
                let position = files[self.rng.usize(..files.len())].position;
                node.stored.only_files = Some(vec![0..=position]);
            } else {
                let choose = |skip| if skip { torrent_proto::torrent::Priority::Skip } else { Default::default() };
                node.stored.priorities = files.iter().map(|_| choose(self.rng.bool())).collect();
            }
        }
        node
    }

    fn now(&self) -> Now {
        Now { mono: self.now, wall: WallTime(WALL_START + self.now.since_start().as_secs()) }
    }

    fn say(&mut self, node: usize, what: std::fmt::Arguments<'_>) {
        self.trace.line(self.now, node, what);
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Returns a time up to `max`.
    fn some(&mut self, max: Duration) -> Duration {
        Duration::from_nanos(self.rng.u64(..=max.as_nanos() as u64))
    }

    fn is_alive(&self, node: usize, life: u32) -> bool {
        self.nodes[node].is_up() && self.nodes[node].life == life
    }

    /// Lets one event happen; true when the run is over.
    fn event(&mut self, event: Event) -> bool {
        match event {
            Event::Step(step) => {
                self.steps_left -= 1;
                self.step(step);
            }
            Event::Look => return self.look(),
            Event::Timer(node) => self.timer(node),
            Event::Disk(node) => self.disk_is_due(node),
            Event::Haves(node) => self.send_haves(node),
            Event::Pump(node) => self.pump_starved(node),
            Event::KeepAlive { node, life } if self.is_alive(node, life) => self.keep_alive(node),
            Event::Mend { node, life } if self.is_alive(node, life) => {
                if self.nodes[node].state == Some(State::Failed) {
                    self.drive(node, Input::Command(Command::Resume));
                }
            }
            Event::Announce { node, life, again } if self.is_alive(node, life) => self.announce(node, again),
            Event::Candidates { node, life, source, addresses } if self.is_alive(node, life) => {
                self.say(node, format_args!("{} addresses from {source:?}", addresses.len()));
                self.drive(node, Input::Candidates { source, addresses });
            }
            Event::Dialed { node, life, address, source, punch } if self.is_alive(node, life) => {
                self.dialed(node, address, source, punch);
            }
            Event::DialFailed { node, life, address } if self.is_alive(node, life) => {
                self.drive(node, Input::DialFailed { address });
            }
            Event::Arrive { node, key, wire, from } => self.arrive(node, key, wire, from),
            Event::ReadDone { node, key } => {
                self.deliver(node, key);
                self.pump(node, key);
            }
            Event::Upload { node, key, blocks } => self.upload(node, key, blocks),
            Event::Sent { node, key, blocks } => {
                if self.nodes[node].ends.contains_key(&key) {
                    self.drive(node, Input::Uploaded { peer: key, blocks });
                }
            }
            Event::Gone { node, life, key } if self.is_alive(node, life) => {
                self.drive(node, Input::Disconnected { peer: key });
            }
            Event::KeepAlive { .. }
            | Event::Mend { .. }
            | Event::Announce { .. }
            | Event::Candidates { .. }
            | Event::Dialed { .. }
            | Event::DialFailed { .. }
            | Event::Gone { .. } => {}
        }
        false
    }

    /// Hands an input to a node's torrent and does what it wants done.
    fn drive(&mut self, node: usize, input: Input) {
        let now = self.now();
        let Some(torrent) = &mut self.nodes[node].torrent else { return };
        torrent.handle(now, input);
        self.drain(node);
    }

    fn timer(&mut self, node: usize) {
        self.nodes[node].timer = None;
        let Some(torrent) = &self.nodes[node].torrent else { return };
        if torrent.poll_timeout().is_some_and(|at| at <= self.now) {
            self.drive(node, Input::Timeout);
            let due = |torrent: &torrent_proto::torrent::Torrent| torrent.poll_timeout();
            let again = self.nodes[node].torrent.as_ref().and_then(due).is_some_and(|at| at <= self.now);
            let spins = if again { self.nodes[node].spins + 1 } else { 0 };
            self.nodes[node].spins = spins;
            if spins > MAX_SPINS {
                self.fail(Failure::Spin(format!("node {node} asks for one timeout after another")));
            }
        }
        self.set_timers(node);
    }

    fn disk_is_due(&mut self, node: usize) {
        self.nodes[node].disk_timer = None;
        while let Some(answer) = self.nodes[node].disk.next(self.now) {
            if let Some(piece) = self.nodes[node].disk.damage {
                self.fail(Failure::Damage { node, piece });
            }
            self.disk_answered(node, answer);
        }
        self.set_timers(node);
    }

    /// Adds the events of a node's next time limit and next answer of its disk.
    fn set_timers(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        let Some(torrent) = &it.torrent else { return };
        if let Some(at) = torrent.poll_timeout() {
            let at = at.max(self.now);
            if it.timer.is_none_or(|timer| at < timer || timer < self.now) {
                it.timer = Some(at);
                self.queue.add(at, Event::Timer(node));
            }
        }
        if let Some(at) = it.disk.next_at()
            && it.disk_timer.is_none_or(|timer| at < timer)
        {
            it.disk_timer = Some(at);
            self.queue.add(at, Event::Disk(node));
        }
        if !it.starved.is_empty() && it.permits.is_any_free() && !it.pump_due {
            it.pump_due = true;
            self.queue.add(self.now, Event::Pump(node));
        }
    }

    /// The tracker hears of a node and names others.
    fn announce(&mut self, node: usize, again: bool) {
        let life = self.nodes[node].life;
        if again {
            self.queue.add(self.now + ANNOUNCE_EVERY, Event::Announce { node, life, again });
        }
        if !again && self.last_announce[node].is_some_and(|at| self.now - at < ANNOUNCE_MIN) {
            return;
        }
        self.last_announce[node] = Some(self.now);
        let mut known: Vec<usize> = match self.scenario.topology {
            Topology::All => self.tracker.iter().copied().collect(),
            Topology::Chain => node.checked_sub(1).into_iter().collect(),
        };
        self.rng.shuffle(&mut known);
        known.truncate(TRACKER_ANSWERS);
        self.tracker.insert(node);
        let addresses = known.into_iter().map(address_of).collect();
        let at = self.now + self.some(Duration::from_secs(2));
        self.queue.add(at, Event::Candidates { node, life, source: Source::Tracker, addresses });
    }

    fn is_mutated(&self, mutation: Mutation) -> bool {
        self.scenario.mutation == Some(mutation)
    }
}
