//! The people, their streams, and the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::{GroupId, Instant, Now, PersonId, WallTime};
use people::proto::group::{ChangeId, Event, Identity, Input, Kind, Message, Output, Replica, SessionId, Standing};
use people::proto::{Name, PersonKey};

use super::{RosterOutcome, RosterScenario, acts};
use crate::queue::Queue;
use crate::trace::Trace;

/// How often a node that is awake looks for others.
const MEETING: Duration = Duration::from_secs(600);

/// At how many of these chances somebody who was expelled asks once whether that holds.
const ASKS: usize = 6;

/// How many streams a node seeks.
const STREAMS: usize = 4;

/// How many of those who follow a group's topic hear a message: gossip is better than that.
const HEARD_PER_CENT: u8 = 80;

/// How often the network falls apart otherwise.
const WEATHER: Duration = Duration::from_secs(6 * 3600);

/// How long all are awake and together in the end.
const HEALED: Duration = Duration::from_secs(4 * 3600);

/// One person's node.
pub(super) struct Node {
    pub person: PersonId,
    pub key: PersonKey,
    pub replica: Replica,
    pub awake: bool,
    /// Which part of the network it is in.
    pub side: u8,
    /// What it stored.
    stored: Vec<(ChangeId, Arc<[u8]>)>,
    armed: Option<Instant>,
    restarts: u8,
    /// Whether it heard of what it does not have.
    behind: bool,
}

pub(super) struct Stream {
    a: usize,
    b: usize,
    /// When the last message of each direction arrives: none overtakes another.
    last: [Instant; 2],
}

/// What happens.
pub(super) enum Happens {
    Hears { from: usize, to: usize, message: Message },
    Arrives { session: SessionId, to: usize, message: Message },
    Timer { node: usize },
    Closes { session: SessionId, by: usize },
    Meets { node: usize },
    Weather,
    Sleeps { node: usize },
    Wakes { node: usize },
    Act,
    Duel { tries: u8 },
    Treason { tries: u8 },
    Heals,
    Ends,
}

/// A group in virtual time.
pub struct RosterSim {
    pub(super) scenario: RosterScenario,
    pub(super) rng: fastrand::Rng,
    pub(super) nodes: Vec<Node>,
    pub(super) streams: BTreeMap<SessionId, Stream>,
    pub(super) queue: Queue<Happens>,
    pub(super) clock: Instant,
    pub(super) group: GroupId,
    /// Who was expelled or demoted by whoever had the right when it was done, or left.
    pub(super) touched: BTreeSet<PersonId>,
    /// Changes that expelled people wrote as if before, and by whom.
    pub(super) back_dated: BTreeMap<ChangeId, PersonId>,
    /// Invitations for whoever has the link, with its secret.
    pub(super) links: Vec<(ChangeId, [u8; 32])>,
    pub(super) back: usize,
    pub(super) sent: u64,
    trace: Trace,
    sessions: SessionId,
    healed: bool,
}

impl RosterSim {
    /// Runs a scenario to its end.
    pub fn run(scenario: RosterScenario, log: bool) -> RosterOutcome {
        let mut sim = RosterSim::begin(scenario, log);
        sim.until_end();
        sim.verdict()
    }

    /// Lets happen what does before the next end.
    fn until_end(&mut self) {
        while let Some((at, happens)) = self.queue.next() {
            self.clock = at;
            if matches!(happens, Happens::Ends) {
                break;
            }
            self.happens(happens);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.queue.add(self.clock + time, Happens::Ends);
        self.until_end();
    }

    fn begin(scenario: RosterScenario, log: bool) -> RosterSim {
        let mut sim = RosterSim {
            rng: fastrand::Rng::with_seed(scenario.seed),
            nodes: Vec::new(),
            streams: BTreeMap::new(),
            queue: Queue::new(),
            clock: Instant::START,
            group: GroupId([0; 32]),
            touched: BTreeSet::new(),
            back_dated: BTreeMap::new(),
            links: Vec::new(),
            back: 0,
            sent: 0,
            trace: Trace::new(log),
            sessions: 0,
            healed: false,
            scenario,
        };
        let me = Identity::new(sim.key(0));
        let name = Name::new("The group").expect("a good name");
        let first =
            Replica::create(me.clone(), sim.scenario.kind, &name, sim.seed(0), sim.now()).expect("the key is there");
        sim.group = first.group();
        sim.add_node(first);
        sim.invite(0, 0);
        for _ in 1..sim.scenario.members {
            let by = sim.rng.usize(..sim.nodes.len());
            sim.newcomer(by);
            sim.pass(Duration::from_secs(5));
        }
        for _ in 0..(sim.scenario.members / 8).max(2) {
            sim.promote_somebody();
            sim.pass(Duration::from_secs(60));
        }
        sim.plan();
        sim
    }

    /// Draws when what happens.
    fn plan(&mut self) {
        let acting = self.scenario.acting;
        // All came in and heard of it before the first trouble.
        let start = Duration::from_secs(3600);
        let (acts, duels, traitors) = (self.scenario.acts, self.scenario.duels, self.scenario.traitors);
        let later = |sim: &mut RosterSim, happens: Happens| {
            let at = start + acting.mul_f64(sim.rng.f64());
            sim.queue.add(Instant::START + at, happens);
        };
        (0..acts).for_each(|_| later(self, Happens::Act));
        (0..duels).for_each(|_| later(self, Happens::Duel { tries: 20 }));
        for _ in 0..traitors {
            // In the second half, so that somebody was expelled.
            let at = start + acting.mul_f64(0.5 + self.rng.f64() / 2.0);
            self.queue.add(Instant::START + at, Happens::Treason { tries: 20 });
        }
        for node in 0..self.nodes.len() {
            for _ in 0..2 {
                later(self, Happens::Sleeps { node });
            }
        }
        self.queue.add(Instant::START + start, Happens::Weather);
        self.queue.add(Instant::START + start + acting, Happens::Heals);
        self.queue.add(Instant::START + start + acting + HEALED, Happens::Ends);
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.clock, wall: WallTime(1_700_000_000 + self.clock.since_start().as_secs()) }
    }

    pub(super) fn key(&self, n: usize) -> PersonKey {
        let mut secret = [1; 32];
        secret[..8].copy_from_slice(&(n as u64).to_le_bytes());
        PersonKey::from_secret(&secret)
    }

    fn seed(&mut self, n: usize) -> [u8; 32] {
        let mut seed = [2; 32];
        seed[..8].copy_from_slice(&self.rng.u64(..).to_le_bytes());
        seed[8..16].copy_from_slice(&(n as u64).to_le_bytes());
        seed
    }

    fn add_node(&mut self, replica: Replica) -> usize {
        let n = self.nodes.len();
        let key = self.key(n);
        let side = if self.nodes.is_empty() { 0 } else { self.nodes[self.rng.usize(..n)].side };
        let (stored, armed, restarts, behind) = (Vec::new(), None, 0, false);
        let node = Node { person: key.id(), key, replica, awake: true, side, stored, armed, restarts, behind };
        self.nodes.push(node);
        let first = Duration::from_millis(self.rng.u64(..MEETING.as_millis() as u64));
        self.queue.add(self.clock + first, Happens::Meets { node: n });
        self.drain(n);
        n
    }

    /// Somebody new comes in by a member: by the newest link or an older one, or without where that is possible.
    pub(super) fn newcomer(&mut self, by: usize) {
        let n = self.nodes.len();
        let me = Identity::new(self.key(n));
        let now = self.now();
        let invited = self.scenario.kind != Kind::Open || self.rng.bool();
        let newest = self.rng.bool().then(|| self.links.last().copied()).flatten();
        let link = newest.or_else(|| self.rng.choice(&self.links).copied()).filter(|_| invited);
        let link = link.map(|(invitation, secret)| (invitation, Some(secret)));
        let request = me.request(self.group, link, now).expect("the key is there");
        let admitted = self.nodes[by].replica.command(now, people::proto::group::Command::Admit(Box::new(request)));
        self.note(by, format_args!("lets n{n} in: {:?}", admitted.is_ok()));
        self.drain(by);
        if admitted.is_ok() {
            let seed = self.seed(n);
            self.add_node(Replica::new(self.group, me, seed));
            self.nodes[n].side = self.nodes[by].side;
            self.connect(n, by);
        }
    }

    pub(super) fn note(&mut self, node: usize, what: std::fmt::Arguments<'_>) {
        self.trace.line(self.clock, node, what);
    }

    fn happens(&mut self, happens: Happens) {
        match happens {
            Happens::Arrives { session, to, message } => {
                if self.streams.contains_key(&session) {
                    self.handle(to, Input::Received { session, message });
                }
            }
            Happens::Hears { from, to, message } => self.hears(from, to, message),
            Happens::Timer { node } => {
                self.nodes[node].armed = None;
                let due = self.nodes[node].replica.poll_timeout().is_some_and(|due| due <= self.clock);
                if self.nodes[node].awake && due {
                    self.handle(node, Input::Timeout);
                } else {
                    self.arm(node);
                }
            }
            Happens::Closes { session, by } => self.close(session, Some(by)),
            Happens::Meets { node } => {
                self.meets(node);
                self.queue.add(self.clock + MEETING, Happens::Meets { node });
            }
            Happens::Weather => self.weather(),
            Happens::Sleeps { node } => self.sleeps(node),
            Happens::Wakes { node } => self.wakes(node),
            Happens::Act if !self.healed => acts::act(self),
            Happens::Duel { tries } if !self.healed => acts::duel(self, tries),
            Happens::Treason { tries } if !self.healed => acts::treason(self, tries),
            Happens::Act | Happens::Duel { .. } | Happens::Treason { .. } | Happens::Ends => {}
            Happens::Heals => {
                self.healed = true;
                (0..self.nodes.len()).for_each(|node| {
                    self.nodes[node].side = 0;
                    self.wakes(node);
                });
            }
        }
    }

    pub(super) fn handle(&mut self, node: usize, input: Input) {
        let now = self.now();
        self.nodes[node].replica.handle(now, input);
        self.drain(node);
    }

    /// Does what a replica wants.
    pub(super) fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].replica.poll_output() {
            match output {
                Output::Persist(changes) => self.nodes[node].stored.extend(changes),
                // Each person has one node here, with the key.
                Output::Keep(_) => {}
                Output::Send { session, message } => self.send(node, session, message),
                Output::Disconnect { session, blame } => {
                    self.note(node, format_args!("ends stream {session}, blame: {blame}"));
                    // What was said before still arrives.
                    let last =
                        self.streams.get(&session).map_or(self.clock, |stream| stream.last[0].max(stream.last[1]));
                    self.queue.add(last.max(self.clock), Happens::Closes { session, by: node });
                }
                Output::Publish(message) => self.publish(node, &message),
                // Its driver knows whom it heard; here it is in the event's hands.
                Output::Behind => self.nodes[node].behind = true,
                Output::Event(event) => {
                    if event != Event::Changed {
                        self.note(node, format_args!("{event:?}"));
                    }
                }
            }
        }
        self.arm(node);
    }

    fn send(&mut self, from: usize, session: SessionId, message: Message) {
        if let Message::Changes(changes) = &message {
            self.sent += changes.len() as u64;
        }
        let travel = Duration::from_millis(self.rng.u64(10..400));
        let Some(stream) = self.streams.get_mut(&session) else { return };
        let (to, way) = if stream.a == from { (stream.b, 0) } else { (stream.a, 1) };
        let at = (self.clock + travel).max(stream.last[way]);
        stream.last[way] = at;
        self.queue.add(at, Happens::Arrives { session, to, message });
    }

    /// Everybody who is awake, in the same part of the network and of the same epoch hears it, or most of them.
    fn publish(&mut self, from: usize, message: &Message) {
        let topic = |node: &Node| node.replica.epoch().map(|(epoch, _)| epoch);
        let here = &self.nodes[from];
        let hears = |node: &Node| node.awake && node.side == here.side && topic(node) == topic(here);
        let all: Vec<usize> = (0..self.nodes.len()).filter(|to| *to != from && hears(&self.nodes[*to])).collect();
        for to in all {
            if self.rng.u8(..100) < HEARD_PER_CENT {
                let travel = Duration::from_millis(self.rng.u64(20..2000));
                self.queue.add(self.clock + travel, Happens::Hears { from, to, message: message.clone() });
            }
        }
    }

    fn hears(&mut self, from: usize, to: usize, message: Message) {
        if !self.nodes[to].awake || self.nodes[to].side != self.nodes[from].side {
            return;
        }
        self.handle(to, Input::Heard(message));
        if std::mem::take(&mut self.nodes[to].behind)
            && self.nodes[from].awake
            && self.streams_of(to).all(|(_, other)| other != from)
        {
            self.connect(to, from);
        }
    }

    fn arm(&mut self, node: usize) {
        let Some(due) = self.nodes[node].replica.poll_timeout().filter(|_| self.nodes[node].awake) else { return };
        let due = due.max(self.clock);
        if self.nodes[node].armed.is_none_or(|armed| armed > due) {
            self.nodes[node].armed = Some(due);
            self.queue.add(due, Happens::Timer { node });
        }
    }

    pub(super) fn streams_of(&self, node: usize) -> impl Iterator<Item = (SessionId, usize)> + '_ {
        let other = move |stream: &Stream| match (stream.a == node, stream.b == node) {
            (true, _) => Some(stream.b),
            (_, true) => Some(stream.a),
            _ => None,
        };
        self.streams.iter().filter_map(move |(session, stream)| Some((*session, other(stream)?)))
    }

    pub(super) fn connect(&mut self, a: usize, b: usize) {
        self.sessions += 1;
        let session = self.sessions;
        self.streams.insert(session, Stream { a, b, last: [self.clock; 2] });
        self.note(a, format_args!("meets n{b}"));
        for (here, there) in [(a, b), (b, a)] {
            let person = self.nodes[there].person;
            if self.streams.contains_key(&session) {
                self.handle(here, Input::Connected { session, person });
            }
        }
    }

    /// Ends a stream; `by` knows already.
    fn close(&mut self, session: SessionId, by: Option<usize>) {
        let Some(stream) = self.streams.remove(&session) else { return };
        for node in [stream.a, stream.b] {
            if by != Some(node) {
                self.handle(node, Input::Closed { session });
            }
        }
    }

    /// A node that is awake opens a stream to somebody it takes for a member.
    fn meets(&mut self, node: usize) {
        let here = &self.nodes[node];
        let known: Vec<usize> = self.streams_of(node).map(|(_, other)| other).collect();
        if !here.awake || known.len() >= STREAMS {
            return;
        }
        // Who was expelled asks now and then whether that holds.
        let asks = here.replica.standing() == Standing::Expelled && known.is_empty() && self.rng.usize(..ASKS) == 0;
        let here = &self.nodes[node];
        if !here.replica.is_member() && !asks {
            return;
        }
        let can = |other: &usize| {
            let there = &self.nodes[*other];
            *other != node
                && there.awake
                && there.side == here.side
                && !known.contains(other)
                && here.replica.has(&there.person)
        };
        let others: Vec<usize> = (0..self.nodes.len()).filter(can).collect();
        if let Some(other) = self.rng.choice(others) {
            self.connect(node, other);
        }
    }

    /// The network falls into parts, or comes together.
    fn weather(&mut self) {
        if self.healed {
            return;
        }
        let sides = self.rng.u8(1..=3);
        for node in 0..self.nodes.len() {
            self.nodes[node].side = self.rng.u8(..sides);
        }
        self.note(0, format_args!("the network has {sides} parts"));
        let apart = |stream: &Stream| self.nodes[stream.a].side != self.nodes[stream.b].side;
        let cut: Vec<SessionId> = self.streams.iter().filter(|(_, stream)| apart(stream)).map(|(id, _)| *id).collect();
        cut.into_iter().for_each(|session| self.close(session, None));
        self.queue.add(self.clock + WEATHER.mul_f64(0.5 + self.rng.f64()), Happens::Weather);
    }

    fn sleeps(&mut self, node: usize) {
        if self.healed || !self.nodes[node].awake {
            return;
        }
        self.nodes[node].awake = false;
        self.note(node, format_args!("sleeps"));
        let cut: Vec<SessionId> = self.streams_of(node).map(|(session, _)| session).collect();
        cut.into_iter().for_each(|session| self.close(session, None));
        // From an hour to a third of all the time (a day), some to five sixths of it.
        let part = if self.rng.u8(..4) == 0 { 5.0 / 6.0 } else { 1.0 / 3.0 };
        let longest = self.scenario.acting.as_secs_f64() * part;
        let hours = Duration::from_secs_f64(3600.0 + self.rng.f64() * longest);
        self.queue.add(self.clock + hours, Happens::Wakes { node });
    }

    fn wakes(&mut self, node: usize) {
        if self.nodes[node].awake {
            return;
        }
        self.nodes[node].awake = true;
        self.note(node, format_args!("wakes"));
        if self.rng.bool() {
            self.restart(node);
        }
        self.arm(node);
    }

    /// The program begins anew from what it stored.
    fn restart(&mut self, node: usize) {
        let (seed, now, group) = (self.seed(node), self.now(), self.group);
        let here = &mut self.nodes[node];
        here.restarts += 1;
        let stored = here.stored.iter().map(|(_, bytes)| bytes.as_ref());
        let replica = Replica::restore(group, Identity::new(here.key.clone()), seed, stored, now);
        assert_eq!(replica.log().len(), here.replica.log().len(), "what was there was stored");
        here.replica = replica;
    }

    pub(super) fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }
}
