//! One topic: the protocol's state for it, who may take part, and what keeps it in company.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{Instant, NodeId, Now};
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use iroh_gossip::proto::topic::{Command, Config, InEvent, OutEvent, State, Timer};
use iroh_gossip::proto::{Event as ProtoEvent, HyparviewConfig, PlumtreeConfig, Scope};

use crate::TopicId;
use crate::chance::Chance;
use crate::envelope::{Envelope, Payload};
use crate::limits::*;
use crate::machine::Event;
use crate::rate::Rate;
use crate::seen::{MessageId, Seen, Verdict};
use crate::wire::{self, Announced, Gossip, Id, Message, Native, Swarm};

/// Messages of ours that wait because we write faster than [`AUTHOR_RATE`].
const MAX_OUTBOX: usize = 256;

/// How long they wait before the next try: the time in which the rate lets one pass.
const OUTBOX_AFTER: Duration = Duration::from_millis(50);

/// Messages that were announced and have not come, from which on the protocol is made to forget them.
const MAX_MISSING: u32 = 4096;

/// Nobody: its leaving makes the protocol drop what no neighbour announces any more.
const NOBODY: Id = [0; 32];

/// Who may take part in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// Whoever finds it.
    All,
    /// These nodes and no others: those of a group's members.
    Only(BTreeSet<NodeId>),
}

impl Members {
    /// Whether a node may take part.
    pub fn admits(&self, node: &NodeId) -> bool {
        match self {
            Members::All => true,
            Members::Only(nodes) => nodes.contains(node),
        }
    }
}

/// What a topic wants.
#[derive(Debug)]
pub(crate) enum Act {
    Send { to: NodeId, message: Native },
    Tell { to: NodeId, message: Message },
    Close(NodeId),
    Event(Event),
}

/// What a neighbour may ask for.
#[derive(Debug)]
pub(crate) struct Allowance {
    pub(crate) announced: Rate,
    pub(crate) grafts: Rate,
}

#[derive(Debug)]
pub(crate) struct Topic {
    id: TopicId,
    me: NodeId,
    state: State<Id, Chance>,
    epoch: std::time::Instant,
    rng: fastrand::Rng,
    members: Members,
    /// Where company may be found again.
    contacts: VecDeque<NodeId>,
    neighbours: BTreeSet<NodeId>,
    seen: Seen,
    /// The name of our last message.
    time: u64,
    own: Rate,
    outbox: VecDeque<Payload>,
    outbox_at: Option<Instant>,
    recent: VecDeque<(Announced, Instant)>,
    /// Announced messages that were new to us, since the protocol last forgot.
    missing: u32,
    timers: BTreeMap<(Instant, u64), Timer<Id>>,
    timers_set: u64,
    /// When a member is greeted that is no neighbour, and how long to wait after that.
    greet_at: Instant,
    greet_wait: Duration,
    acts: VecDeque<Act>,
}

impl Topic {
    pub(crate) fn new(
        now: Now,
        id: TopicId,
        me: NodeId,
        epoch: std::time::Instant,
        mut rng: fastrand::Rng,
        members: Members,
    ) -> Topic {
        let config = Config {
            membership: HyparviewConfig { neighbor_request_timeout: NEIGHBOUR_WITHIN, ..HyparviewConfig::default() },
            broadcast: PlumtreeConfig {
                graft_timeout_1: GRAFT_AFTER,
                graft_timeout_2: GRAFT_AGAIN,
                dispatch_timeout: ANNOUNCE_AFTER,
                message_cache_retention: KEPT,
                message_id_retention: REMEMBERED,
                cache_evict_interval: EVICT_EVERY,
                ..PlumtreeConfig::default()
            },
            max_message_size: MAX_FRAME,
        };
        let state = State::with_rng(me.0, None, config, Chance(rng.fork()));
        let mut topic = Topic {
            id,
            me,
            state,
            epoch,
            rng,
            members,
            contacts: VecDeque::new(),
            neighbours: BTreeSet::new(),
            seen: Seen::default(),
            time: 0,
            own: Rate::new(now.mono, AUTHOR_RATE),
            outbox: VecDeque::new(),
            outbox_at: None,
            recent: VecDeque::new(),
            missing: 0,
            timers: BTreeMap::new(),
            timers_set: 0,
            greet_at: now.mono,
            greet_wait: GREET_AFTER.0,
            acts: VecDeque::new(),
        };
        topic.run(now, InEvent::Command(Command::Join(Vec::new())));
        topic
    }

    pub(crate) fn poll(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Instant {
        let timer = self.timers.first_key_value().map(|(&(at, _), _)| at);
        [timer, self.outbox_at].into_iter().flatten().fold(self.greet_at, Instant::min)
    }

    pub(crate) fn admits(&self, node: &NodeId) -> bool {
        self.members.admits(node)
    }

    pub(crate) fn neighbours(&self) -> &BTreeSet<NodeId> {
        &self.neighbours
    }

    /// Adds nodes that may be in the topic.
    pub(crate) fn meet(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        for node in nodes {
            if node != self.me && self.members.admits(&node) && !self.contacts.contains(&node) {
                if self.contacts.len() >= MAX_CONTACTS {
                    self.contacts.pop_front();
                }
                self.contacts.push_back(node);
            }
        }
    }

    /// Replaces the members; returns nothing, but closes those who are none any more.
    pub(crate) fn admit(&mut self, now: Now, members: Members, linked: &[NodeId]) {
        self.members = members;
        self.contacts.retain(|node| self.members.admits(node));
        let gone: BTreeSet<NodeId> =
            self.neighbours.iter().chain(linked).filter(|node| !self.members.admits(node)).copied().collect();
        for node in gone {
            self.run(now, InEvent::PeerDisconnected(node.0));
            self.acts.push_back(Act::Close(node));
        }
    }

    pub(crate) fn broadcast(&mut self, now: Now, payload: Payload) {
        if self.outbox.len() >= MAX_OUTBOX {
            self.acts.push_back(Act::Event(Event::Missed));
            return;
        }
        self.outbox.push_back(payload);
        self.outbox_at.get_or_insert(now.mono);
    }

    /// Sends what waits and the rate allows.
    pub(crate) fn pump(&mut self, now: Now, key: &SigningKey) {
        if self.outbox_at.is_none_or(|at| at > now.mono) {
            return;
        }
        while !self.outbox.is_empty() && self.own.pass(now.mono, 1) {
            let Some(payload) = self.outbox.pop_front() else { break };
            // The part below a second is drawn, so that a node that starts again within the same one gives other names.
            let drawn = now.wall.0.saturating_mul(1_000_000).saturating_add(self.rng.u64(..1_000_000));
            self.time = drawn.max(self.time + 1);
            let content = Envelope::sign(key, &self.id, self.time, payload).encode();
            let id = *blake3::hash(&content).as_bytes();
            self.seen.take(now.mono, self.me, self.time, id);
            self.remember(now.mono, Announced { id, round: 0 });
            self.run(now, InEvent::Command(Command::Broadcast(content, Scope::Swarm)));
        }
        self.outbox_at = (!self.outbox.is_empty()).then(|| now.mono + OUTBOX_AFTER);
    }

    /// Takes a message of a node that the topic admits. `false`: it was refused.
    pub(crate) fn received(
        &mut self,
        now: Now,
        from: NodeId,
        mut message: Message,
        allowance: Option<&mut Allowance>,
    ) -> bool {
        if !wire::screen(&mut message, self.me.0, |node| self.members.admits(node)) {
            return false;
        }
        match &mut message {
            Message::Swarm(Swarm::Join(_)) if self.neighbours.contains(&from) => self.welcome_again(now, from),
            Message::Gossip(Gossip::Message { id, content, scope: wire::Scope::Swarm(round) }) => {
                if !self.is_wanted(now, *id, content) {
                    return false;
                }
                let announced = Announced { id: *id, round: *round + 1 };
                if self.recent.iter().all(|(known, _)| known.id != *id) {
                    self.remember(now.mono, announced);
                }
            }
            Message::Gossip(Gossip::IHave(list)) => {
                let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
                if list.is_empty() || allowance.is_some_and(|allowed| !allowed.announced.pass(now.mono, count)) {
                    return false;
                }
                self.missing = self.missing.saturating_add(count);
            }
            Message::Gossip(Gossip::Graft { .. })
                if allowance.is_some_and(|allowed| !allowed.grafts.pass(now.mono, 1)) =>
            {
                return false;
            }
            _ => {}
        }
        let Some(native) = wire::native(&message) else { return false };
        self.run(now, InEvent::RecvMessage(from.0, native));
        if self.missing > MAX_MISSING {
            self.missing = 0;
            self.run(now, InEvent::PeerDisconnected(NOBODY));
        }
        true
    }

    /// Whether the protocol may see a message: it is what it says, and either new and genuine, or known.
    fn is_wanted(&mut self, now: Now, id: MessageId, content: &Bytes) -> bool {
        let Some(envelope) = Envelope::decode(content) else { return false };
        if *blake3::hash(content).as_bytes() != id {
            return false;
        }
        match self.seen.judge(now.mono, now.wall, envelope.author, envelope.time, id) {
            Verdict::Again => true,
            Verdict::Refuse => false,
            Verdict::New => {
                envelope.author != self.me
                    && self.members.admits(&envelope.author)
                    && envelope.is_genuine(&self.id)
                    && self.seen.take(now.mono, envelope.author, envelope.time, id)
            }
        }
    }

    pub(crate) fn lost(&mut self, now: Now, node: NodeId) {
        self.run(now, InEvent::PeerDisconnected(node.0));
    }

    /// Begins anew with a neighbour, over a link that took the place of another: it is told again what went round lately,
    /// and tells it us.
    pub(crate) fn renew(&mut self, now: Now, node: NodeId) {
        if self.neighbours.contains(&node) {
            self.run(now, InEvent::PeerDisconnected(node.0));
            // The link stays.
            self.acts.retain(|act| !matches!(act, Act::Close(closed) if *closed == node));
            self.run(now, InEvent::Command(Command::Join(vec![node.0])));
        }
    }

    /// Answers a neighbour that took us for none any more, or whose greeting was overtaken on another way: the protocol
    /// would not, it waits for an answer of its own. What the neighbour has announced and we lack is still awaited.
    fn welcome_again(&mut self, now: Now, node: NodeId) {
        self.tell_recent(now, node);
        let message = Message::Swarm(Swarm::Neighbor { priority: wire::Priority::High, data: None });
        self.acts.push_back(Act::Tell { to: node, message });
    }

    pub(crate) fn quit(&mut self, now: Now) {
        self.run(now, InEvent::Command(Command::Quit));
    }

    pub(crate) fn timeout(&mut self, now: Now) {
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now.mono) {
            let timer = entry.remove();
            self.run(now, InEvent::TimerExpired(timer));
        }
        while self.recent.front().is_some_and(|(_, at)| now.mono.since(*at) >= KEPT) {
            self.recent.pop_front();
        }
        if self.greet_at <= now.mono {
            self.greet_at = now.mono + self.about(self.greet_wait);
            self.greet_wait = (self.greet_wait * 2).min(GREET_AFTER.1);
            self.greet(now, JOIN_AT_ONCE.saturating_sub(self.neighbours.len()).max(1));
        }
    }

    /// Asks up to `count` nodes that are no neighbours to be some.
    fn greet(&mut self, now: Now, count: usize) {
        let is_free = |node: &&NodeId| **node != self.me && !self.neighbours.contains(*node);
        let mut contacts: Vec<NodeId> = self.contacts.iter().filter(is_free).copied().collect();
        let mut members: Vec<NodeId> = match &self.members {
            Members::All => Vec::new(),
            Members::Only(nodes) => nodes.iter().filter(is_free).copied().collect(),
        };
        self.rng.shuffle(&mut contacts);
        self.rng.shuffle(&mut members);
        // Contacts were there once; members are many. Half and half, as far as there are some.
        let mut chosen: Vec<Id> = Vec::new();
        for i in 0..contacts.len().max(members.len()) {
            for node in [contacts.get(i), members.get(i)].into_iter().flatten() {
                if chosen.len() < count && !chosen.contains(&node.0) {
                    chosen.push(node.0);
                }
            }
        }
        if !chosen.is_empty() {
            self.run(now, InEvent::Command(Command::Join(chosen)));
        }
    }

    /// Roughly `period`, so that nodes that began together do not go on together.
    fn about(&mut self, period: Duration) -> Duration {
        period.mul_f64(0.75 + self.rng.f64() / 2.0)
    }

    fn remember(&mut self, now: Instant, announced: Announced) {
        if self.recent.len() >= MAX_TOLD {
            self.recent.pop_front();
        }
        self.recent.push_back((announced, now));
    }

    fn run(&mut self, now: Now, event: InEvent<Id>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let at = self.epoch + now.mono.since_start();
            let outputs: Vec<OutEvent<Id>> = self.state.handle(event, at.into()).collect();
            for output in outputs {
                // Each node is taken out of the passive view by this, so that it ends.
                events.extend(self.output(now, output).map(|lost| InEvent::PeerDisconnected(lost.0)));
            }
        }
    }

    /// Does what the protocol wants; returns a node that it must not speak to.
    fn output(&mut self, now: Now, output: OutEvent<Id>) -> Option<NodeId> {
        match output {
            OutEvent::SendMessage(to, message) => {
                let to = NodeId(to);
                if to == self.me || !self.members.admits(&to) {
                    return Some(to);
                }
                self.acts.push_back(Act::Send { to, message });
            }
            OutEvent::EmitEvent(ProtoEvent::NeighborUp(node)) => self.neighbour_up(now, NodeId(node)),
            OutEvent::EmitEvent(ProtoEvent::NeighborDown(node)) => {
                let node = NodeId(node);
                self.neighbours.remove(&node);
                self.acts.push_back(Act::Event(Event::NeighborDown(node)));
                let wait = match self.neighbours.len() {
                    0 => GREET_AFTER.0,
                    few if few < JOIN_AT_ONCE => GREET_WITH_FEW,
                    _ => return None,
                };
                self.greet_wait = self.greet_wait.min(wait);
                self.greet_at = self.greet_at.min(now.mono + self.about(wait));
            }
            OutEvent::EmitEvent(ProtoEvent::Received(received)) => {
                if let Some(Envelope { author, payload, .. }) = Envelope::decode(&received.content) {
                    self.acts.push_back(Act::Event(Event::Message { from: author, bytes: payload }));
                }
            }
            OutEvent::ScheduleTimer(delay, timer) => {
                self.timers_set += 1;
                self.timers.insert((now.mono + delay, self.timers_set), timer);
            }
            OutEvent::DisconnectPeer(node) => self.acts.push_back(Act::Close(NodeId(node))),
            // Addresses: `screen` takes them out, and nobody would dial them.
            OutEvent::PeerData(..) => {}
        }
        None
    }

    fn neighbour_up(&mut self, now: Now, node: NodeId) {
        self.neighbours.insert(node);
        self.meet([node]);
        self.acts.push_back(Act::Event(Event::NeighborUp(node)));
        self.tell_recent(now, node);
    }

    /// Tells a node what went round lately.
    fn tell_recent(&mut self, now: Now, node: NodeId) {
        self.recent.retain(|(_, at)| now.mono.since(*at) < KEPT);
        if !self.recent.is_empty() {
            self.acts.push_back(Act::Tell { to: node, message: wire::announcement(&self.recent) });
        }
    }
}
