//! The clock, the links and the nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Instant, NodeId, Now, WallTime};
use bytes::Bytes;
use gossip::{Config, Event, Gossip, Input, Loss, Members, Output, Payload, TopicId};

use super::{GossipOutcome, GossipScenario};
use crate::queue::Queue;
use crate::trace::Fnv;

const TOPIC: TopicId = [7; 32];

/// How long a node is awake before messages have to reach it.
const SETTLED: Duration = Duration::from_secs(30);

/// How long a message may take. Longer than it takes to see that all neighbours have vanished, or read nothing, and to find
/// others: nearly all take less than two seconds, a few of a million nearly two minutes.
const DEADLINE: Duration = Duration::from_secs(120);

/// How long a dial is tried.
const DIAL: Duration = Duration::from_secs(8);

/// Frames that a link takes although the other end does not read: windows and queues.
const WINDOW: u32 = 64;

/// How long the driver waits for a node that reads nothing.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// A run.
#[derive(Debug)]
pub struct GossipSim {
    scenario: GossipScenario,
    rng: fastrand::Rng,
    now: Instant,
    epoch: std::time::Instant,
    queue: Queue<Happening>,
    trace: Fnv,
    nodes: Vec<Node>,
    by_id: BTreeMap<NodeId, usize>,
    /// What each node has of a link to another.
    ends: BTreeMap<(usize, usize), End>,
    links: u64,
    said: Vec<Said>,
    outcome: GossipOutcome,
}

/// A member.
#[derive(Debug)]
struct Node {
    secret: [u8; 32],
    id: NodeId,
    awake: Option<Awake>,
    stuck: bool,
}

#[derive(Debug)]
struct Awake {
    gossip: Gossip,
    since: Instant,
    timer: Option<Instant>,
    /// By number of the message: when it came.
    heard: BTreeMap<u32, Instant>,
    measured: gossip::Stats,
}

/// One end of a link.
#[derive(Debug)]
struct End {
    link: u64,
    /// When what was sent last arrives: links keep order.
    last: Instant,
    unread: u32,
}

/// A message.
#[derive(Debug)]
struct Said {
    at: Instant,
    by: usize,
    /// To whom it is due, as far as they stay awake.
    due: Vec<(usize, Instant)>,
}

#[derive(Debug)]
enum Happening {
    Wake,
    Sleep { silent: bool },
    Stick,
    Measure,
    Say,
    Timer(usize),
    Dialled { from: usize, to: usize },
    Unreachable { from: usize, to: usize },
    Arrive { from: usize, to: usize, frame: Bytes },
    Down { at: usize, peer: usize, link: u64, loss: Loss },
}

impl GossipSim {
    /// Runs a scenario.
    pub fn run(scenario: GossipScenario) -> GossipOutcome {
        let mut rng = fastrand::Rng::with_seed(scenario.seed);
        let nodes: Vec<Node> = (0..scenario.nodes + scenario.asleep).map(|_| Node::new(&mut rng)).collect();
        let mut sim = GossipSim {
            by_id: nodes.iter().enumerate().map(|(index, node)| (node.id, index)).collect(),
            rng,
            now: Instant::START,
            // Only differences count.
            epoch: std::time::Instant::now(),
            queue: Queue::new(),
            trace: Fnv::new(),
            nodes,
            ends: BTreeMap::new(),
            links: 0,
            said: Vec::new(),
            outcome: GossipOutcome::default(),
            scenario,
        };
        sim.plan();
        let end = Instant::START + sim.scenario.joining + sim.scenario.measured + DEADLINE;
        while let Some((at, happening)) = sim.queue.next() {
            if at > end {
                break;
            }
            sim.now = at;
            sim.happen(happening);
        }
        sim.conclude();
        sim.outcome
    }

    fn plan(&mut self) {
        let GossipScenario { nodes, changes, stuck, joining, measured, messages, .. } = self.scenario;
        for _ in 0..nodes {
            let at = self.within(joining * 2 / 3);
            self.queue.add(Instant::START + at, Happening::Wake);
        }
        let begin = Instant::START + joining;
        self.queue.add(begin, Happening::Measure);
        (0..stuck).for_each(|_| self.queue.add(begin, Happening::Stick));
        for i in 0..changes {
            let at = begin + self.within(measured);
            self.queue.add(at, Happening::Sleep { silent: i % 2 == 0 });
            let at = begin + self.within(measured);
            self.queue.add(at, Happening::Wake);
        }
        for _ in 0..messages {
            let at = begin + self.within(measured);
            self.queue.add(at, Happening::Say);
        }
    }

    fn within(&mut self, period: Duration) -> Duration {
        period.mul_f64(self.rng.f64())
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake => self.wake(),
            Happening::Sleep { silent } => self.sleep(silent),
            Happening::Stick => {
                let chosen = self.choose(|node| node.awake.is_some() && !node.stuck);
                chosen.into_iter().for_each(|index| self.nodes[index].stuck = true);
            }
            Happening::Measure => {
                for awake in self.nodes.iter_mut().filter_map(|node| node.awake.as_mut()) {
                    awake.measured = awake.gossip.stats();
                }
            }
            Happening::Say => self.say(),
            Happening::Timer(index) => {
                if let Some(awake) = self.nodes[index].awake.as_mut().filter(|awake| awake.timer == Some(self.now)) {
                    awake.timer = None;
                    self.give(index, Input::Timeout);
                }
            }
            Happening::Dialled { from, to } => self.dialled(from, to),
            Happening::Unreachable { from, to } => {
                let node = self.nodes[to].id;
                self.give(from, Input::Disconnected { node, loss: Loss::Gone });
            }
            Happening::Arrive { from, to, frame } => {
                self.trace.add((from as u64) << 40 ^ (to as u64) << 20 ^ frame.len() as u64);
                self.trace.add(self.now.since_start().as_nanos() as u64);
                let from = self.nodes[from].id;
                self.give(to, Input::Received { from, frame });
            }
            Happening::Down { at, peer, link, loss } => {
                if self.ends.get(&(at, peer)).is_some_and(|end| end.link == link) {
                    self.ends.remove(&(at, peer));
                    let node = self.nodes[peer].id;
                    self.give(at, Input::Disconnected { node, loss });
                }
            }
        }
    }

    fn choose(&mut self, fits: impl Fn(&Node) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.nodes.len()).filter(|&index| fits(&self.nodes[index])).collect();
        (!fitting.is_empty()).then(|| fitting[self.rng.usize(..fitting.len())])
    }

    fn wake(&mut self) {
        let Some(index) = self.choose(|node| node.awake.is_none()) else { return };
        // The member remembers three others; who of them is awake it does not know.
        let bootstrap = (0..3).map(|_| self.nodes[self.rng.usize(..self.nodes.len())].id).collect();
        let members = Members::Only(self.by_id.keys().copied().collect());
        let config = Config { secret: self.nodes[index].secret, rng: self.rng.fork(), epoch: self.epoch };
        let gossip = Gossip::new(config);
        let (heard, measured) = (BTreeMap::new(), gossip.stats());
        self.nodes[index].awake = Some(Awake { gossip, since: self.now, timer: None, heard, measured });
        self.give(index, Input::Join { topic: TOPIC, members, bootstrap });
    }

    fn sleep(&mut self, silent: bool) {
        let Some(index) = self.choose(|node| node.awake.is_some() && !node.stuck) else { return };
        if !silent {
            self.give(index, Input::Leave { topic: TOPIC });
        }
        let Some(awake) = self.nodes[index].awake.take() else { return };
        self.count(&awake);
        self.settle(index, &awake);
        let peers: Vec<usize> = self.ends.range((index, 0)..(index + 1, 0)).map(|(&(_, peer), _)| peer).collect();
        for peer in peers {
            self.ends.remove(&(index, peer));
            // A vanished node is missed after some time.
            let wait = Duration::from_secs(10) + self.within(Duration::from_secs(15));
            if let Some(end) = self.ends.get(&(peer, index)) {
                let down = Happening::Down { at: peer, peer: index, link: end.link, loss: Loss::Gone };
                self.queue.add(self.now + wait, down);
            }
        }
    }

    fn say(&mut self) {
        let now = self.now;
        let is_settled =
            |node: &Node| !node.stuck && node.awake.as_ref().is_some_and(|awake| now.since(awake.since) >= SETTLED);
        let Some(by) = self.choose(is_settled) else { return };
        let due: Vec<(usize, Instant)> = (0..self.nodes.len())
            .filter(|&index| index != by && is_settled(&self.nodes[index]))
            .filter_map(|index| Some((index, self.nodes[index].awake.as_ref()?.since)))
            .collect();
        let awake = self.nodes.iter().filter(|node| node.awake.is_some()).count() as u64;
        self.outcome.ideal += awake - 1;
        let number = self.said.len() as u32;
        self.said.push(Said { at: now, by, due });
        let mut text = number.to_be_bytes().to_vec();
        text.resize(200, 0);
        if let Ok(payload) = Payload::new(text.into()) {
            self.give(by, Input::Broadcast { topic: TOPIC, payload });
        }
    }

    fn dialled(&mut self, from: usize, to: usize) {
        if self.nodes[from].awake.is_none() {
            return;
        }
        let (from_id, to_id) = (self.nodes[from].id, self.nodes[to].id);
        if self.nodes[to].awake.is_none() {
            return self.queue.add(self.now + DIAL, Happening::Unreachable { from, to });
        }
        let is_up = self.ends.contains_key(&(from, to)) && self.ends.contains_key(&(to, from));
        if !is_up {
            self.links += 1;
            for pair in [(from, to), (to, from)] {
                self.ends.insert(pair, End { link: self.links, last: self.now, unread: 0 });
            }
            self.give(to, Input::Connected(from_id));
        }
        self.give(from, Input::Connected(to_id));
    }

    /// Hands an input to a node and does what it wants.
    fn give(&mut self, index: usize, input: Input) {
        let now = Now { mono: self.now, wall: WallTime(1_800_000_000 + self.now.since_start().as_secs()) };
        let node = &mut self.nodes[index];
        let Some(awake) = node.awake.as_mut().filter(|_| !node.stuck) else { return };
        awake.gossip.handle(now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| awake.gossip.poll_output()).collect();
        for output in outputs {
            self.output(index, output);
        }
        let Some(awake) = self.nodes[index].awake.as_mut() else { return };
        let due = awake.gossip.poll_timeout().map(|due| due.max(self.now + Duration::from_micros(1)));
        if let Some(due) = due.filter(|due| awake.timer.is_none_or(|timer| *due < timer)) {
            awake.timer = Some(due);
            self.queue.add(due, Happening::Timer(index));
        }
    }

    fn output(&mut self, index: usize, output: Output) {
        match output {
            Output::Connect(node) => {
                let to = self.by_id[&node];
                let after = self.delay(index, to) * 3;
                self.queue.add(self.now + after, Happening::Dialled { from: index, to });
            }
            Output::Send { to, frame } => self.send(index, self.by_id[&to], frame),
            Output::Disconnect { node, .. } => {
                let peer = self.by_id[&node];
                if let Some(end) = self.ends.remove(&(index, peer)) {
                    let at = (self.now + self.delay(index, peer)).max(end.last);
                    self.queue.add(at, Happening::Down { at: peer, peer: index, link: end.link, loss: Loss::Gone });
                }
            }
            Output::Event { event: Event::Message { bytes, .. }, .. } => {
                let number = bytes.first_chunk().map(|number| u32::from_be_bytes(*number)).unwrap_or_default();
                let now = self.now;
                let twice = self.nodes[index].awake.as_mut().and_then(|awake| awake.heard.insert(number, now));
                self.outcome.twice += u64::from(twice.is_some());
            }
            Output::Event { .. } => {}
        }
    }

    fn send(&mut self, from: usize, to: usize, frame: Bytes) {
        let at = self.now + self.delay(from, to);
        let stuck = self.nodes[to].stuck;
        let Some(end) = self.ends.get_mut(&(from, to)) else { return };
        end.last = end.last.max(at);
        let at = end.last;
        if stuck {
            end.unread += 1;
            if end.unread == WINDOW {
                let down = Happening::Down { at: from, peer: to, link: end.link, loss: Loss::Stuck };
                self.queue.add(self.now + STUCK_AFTER, down);
            }
            return;
        }
        self.queue.add(at, Happening::Arrive { from, to, frame });
    }

    /// 5 to 75 ms that belong to the pair, and up to 15 ms by chance.
    fn delay(&mut self, a: usize, b: usize) -> Duration {
        let pair = ((a.min(b) as u64) << 32 | a.max(b) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Duration::from_millis(5 + (pair >> 40) % 70 + self.rng.u64(..15))
    }

    /// Adds what a node sent while it was measured.
    fn count(&mut self, awake: &Awake) {
        let (stats, before) = (awake.gossip.stats(), awake.measured);
        self.outcome.copies += stats.copies_sent - before.copies_sent;
        self.outcome.control += stats.control_sent - before.control_sent;
    }

    /// Looks whether a node got what was due to it until now.
    fn settle(&mut self, index: usize, awake: &Awake) {
        for (number, said) in self.said.iter().enumerate() {
            if said.by == index || !said.due.contains(&(index, awake.since)) || self.now.since(said.at) < DEADLINE {
                continue;
            }
            self.outcome.due += 1;
            match awake.heard.get(&(number as u32)) {
                Some(at) => self.outcome.millis.push(at.since(said.at).as_millis() as u32),
                None => self.outcome.missed += 1,
            }
        }
    }

    fn conclude(&mut self) {
        for index in 0..self.nodes.len() {
            let Some(awake) = self.nodes[index].awake.take() else { continue };
            self.count(&awake);
            if !self.nodes[index].stuck {
                self.settle(index, &awake);
            }
        }
        self.outcome.messages = self.said.len() as u32;
        self.outcome.millis.sort_unstable();
        self.outcome.trace = self.trace.hash();
    }
}

impl Node {
    fn new(rng: &mut fastrand::Rng) -> Node {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        let id = Gossip::new(Config { secret, rng: rng.fork(), epoch: std::time::Instant::now() }).id();
        Node { secret, id, awake: None, stuck: false }
    }
}
