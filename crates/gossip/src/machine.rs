//! The machine: topics over links that they share.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use base::{Instant, NodeId, Now};
use bytes::Bytes;
use ed25519_dalek::SigningKey;

use crate::TopicId;
use crate::envelope::Payload;
use crate::limits::MAX_TOPICS;
use crate::peers::{Due, Peers, Sent, Up};
use crate::stats::Stats;
use crate::topic::{Act, Members, Topic};
use crate::wire;

/// What a node's gossip is made of.
pub struct Config {
    /// The node's Ed25519 secret: messages are signed with it.
    pub secret: [u8; 32],
    /// The generator for what is drawn.
    pub rng: fastrand::Rng,
    /// The moment that [`Instant::START`] stands for. The protocol counts in the type of `std`.
    pub epoch: std::time::Instant,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Input {
    /// Follow a topic. `bootstrap`: nodes that may be in it.
    Join {
        /// Which.
        topic: TopicId,
        /// Who may take part.
        members: Members,
        /// Whom to greet first.
        bootstrap: Vec<NodeId>,
    },
    /// Other nodes may take part in a topic from now on. Who is not among them is cut off.
    Admit {
        /// Which.
        topic: TopicId,
        /// Who.
        members: Members,
    },
    /// Follow a topic no more.
    Leave {
        /// Which.
        topic: TopicId,
    },
    /// Send a message to all who follow a topic.
    Broadcast {
        /// Which.
        topic: TopicId,
        /// What.
        payload: Payload,
    },
    /// A link to a node is up: one that was asked for, or one that the node opened. If there was one, this takes its place,
    /// and what was sent over that one may be lost.
    Connected(NodeId),
    /// A frame came.
    Received {
        /// The neighbour, as the link has proven it.
        from: NodeId,
        /// At most [`crate::limits::MAX_FRAME`] bytes.
        frame: Bytes,
    },
    /// A link is gone, or did not come about.
    Disconnected {
        /// To whom.
        node: NodeId,
        /// Why.
        loss: Loss,
    },
    /// It is time.
    Timeout,
}

/// Why a link is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It was closed or broke, or the node could not be reached.
    Gone,
    /// The node did not read in time. It is left alone for a while.
    Stuck,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Dial a node by its id, answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect(NodeId),
    /// Send a frame over the link to a node.
    Send {
        /// To whom.
        to: NodeId,
        /// At most [`crate::limits::MAX_FRAME`] bytes.
        frame: Bytes,
    },
    /// Close the link to a node after what was sent, or end the dial. There is no answer.
    Disconnect {
        /// To whom.
        node: NodeId,
        /// Why.
        parting: Parting,
    },
    /// Tell whoever follows a topic.
    Event {
        /// Which.
        topic: TopicId,
        /// What.
        event: Event,
    },
}

/// Why a link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// No topic needs it.
    Done,
    /// No topic admits the node, or there are too many links.
    Unwanted,
    /// The node gave no sign of life.
    Silent,
    /// The node sent what is no frame. To blame.
    Misbehaved,
}

/// What happens in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message. None comes twice while the node runs.
    Message {
        /// The node that wrote and signed it.
        from: NodeId,
        /// At most [`crate::limits::MAX_PAYLOAD`] bytes.
        bytes: Bytes,
    },
    /// A node became a neighbour.
    NeighborUp(NodeId),
    /// A node is a neighbour no more.
    NeighborDown(NodeId),
    /// Something was lost: a message of ours, since too many wait already, or what the driver could not hand on in time. Ask
    /// others what is missing.
    Missed,
}

/// Gossip of one node. Invariants: no topic holds a neighbour that it does not admit, and every link belongs to a topic or is about
/// to be closed.
pub struct Gossip {
    key: SigningKey,
    me: NodeId,
    rng: fastrand::Rng,
    epoch: std::time::Instant,
    topics: BTreeMap<TopicId, Topic>,
    peers: Peers,
    outputs: VecDeque<Output>,
    stats: Stats,
}

impl fmt::Debug for Gossip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gossip").field("me", &self.me).field("stats", &self.stats).finish_non_exhaustive()
    }
}

impl Gossip {
    /// Makes a node that follows nothing yet.
    pub fn new(Config { secret, rng, epoch }: Config) -> Gossip {
        let key = SigningKey::from_bytes(&secret);
        let me = NodeId(key.verifying_key().to_bytes());
        let (topics, peers, outputs, stats) = Default::default();
        Gossip { key, me, rng, epoch, topics, peers, outputs, stats }
    }

    /// Returns our own id.
    pub fn id(&self) -> NodeId {
        self.me
    }

    /// Returns what happened so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Returns the neighbours in a topic.
    pub fn neighbours(&self, topic: &TopicId) -> Vec<NodeId> {
        self.topics.get(topic).map(|topic| topic.neighbours().iter().copied().collect()).unwrap_or_default()
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Join { topic, members, bootstrap } => self.join(now, topic, members, bootstrap),
            Input::Admit { topic, members } => {
                let linked = self.peers.of(&topic);
                if let Some(state) = self.topics.get_mut(&topic) {
                    state.admit(now, members, &linked);
                }
                self.act(now, topic);
            }
            Input::Leave { topic } => self.leave(now, topic),
            Input::Broadcast { topic, payload } => {
                if let Some(state) = self.topics.get_mut(&topic) {
                    state.broadcast(now, payload);
                    state.pump(now, &self.key);
                }
                self.act(now, topic);
            }
            Input::Connected(node) => self.connected(now, node),
            Input::Received { from, frame } => self.received(now, from, &frame),
            Input::Disconnected { node, loss } => {
                if loss == Loss::Stuck {
                    self.peers.shun(now.mono, node);
                }
                self.lost(now, node);
            }
            Input::Timeout => self.timeout(now),
        }
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.topics.values().map(Topic::poll_timeout).chain(self.peers.poll_timeout()).min()
    }

    fn join(&mut self, now: Now, topic: TopicId, members: Members, bootstrap: Vec<NodeId>) {
        if !self.topics.contains_key(&topic) {
            if self.topics.len() >= MAX_TOPICS {
                return;
            }
            let state = Topic::new(now, topic, self.me, self.epoch, self.rng.fork(), members);
            self.topics.insert(topic, state);
        } else if let Some(state) = self.topics.get_mut(&topic) {
            state.admit(now, members, &self.peers.of(&topic));
        }
        if let Some(state) = self.topics.get_mut(&topic) {
            state.meet(bootstrap);
            state.timeout(now);
        }
        self.act(now, topic);
    }

    fn leave(&mut self, now: Now, topic: TopicId) {
        let Some(state) = self.topics.get_mut(&topic) else { return };
        state.quit(now);
        self.act(now, topic);
        self.topics.remove(&topic);
        for node in self.peers.of(&topic) {
            self.release(topic, node);
        }
    }

    fn connected(&mut self, now: Now, node: NodeId) {
        let wanted = self.topics.values().any(|topic| topic.admits(&node));
        let up = if wanted { self.peers.connected(now.mono, node) } else { None };
        match up {
            Some(Up::New(waiting)) => {
                self.outputs.extend(waiting.into_iter().map(|frame| Output::Send { to: node, frame }));
            }
            Some(Up::Again(topics)) => {
                for topic in topics {
                    if let Some(state) = self.topics.get_mut(&topic) {
                        state.renew(now, node);
                    }
                    self.act(now, topic);
                }
            }
            None => {
                self.outputs.push_back(Output::Disconnect { node, parting: Parting::Unwanted });
                self.lost(now, node);
            }
        }
    }

    fn received(&mut self, now: Now, from: NodeId, frame: &Bytes) {
        self.peers.sign_of_life(now.mono, &from);
        match &frame[..] {
            wire::ASK => {
                let frame = Bytes::from_static(wire::ANSWER);
                return self.outputs.push_back(Output::Send { to: from, frame });
            }
            wire::ANSWER => return,
            _ => {}
        }
        let Some((topic, message)) = wire::decode(frame) else {
            self.stats.refused += 1;
            self.peers.shun(now.mono, from);
            self.outputs.push_back(Output::Disconnect { node: from, parting: Parting::Misbehaved });
            self.lost(now, from);
            return;
        };
        let is_copy = matches!(message, wire::Message::Gossip(wire::Gossip::Message { .. }));
        self.stats.copies_received += u64::from(is_copy);
        self.stats.control_received += u64::from(!is_copy);
        // A topic that we do not follow and one that does not admit the node look the same from outside.
        let state = self.topics.get_mut(&topic).filter(|state| state.admits(&from));
        let taken = state.is_some_and(|state| state.received(now, from, message, self.peers.heard(&from, topic)));
        self.stats.refused += u64::from(!taken);
        self.act(now, topic);
    }

    fn timeout(&mut self, now: Now) {
        let due: Vec<TopicId> =
            self.topics.iter().filter(|(_, topic)| topic.poll_timeout() <= now.mono).map(|(&id, _)| id).collect();
        for topic in due {
            if let Some(state) = self.topics.get_mut(&topic) {
                state.timeout(now);
                state.pump(now, &self.key);
            }
            self.act(now, topic);
        }
        for (node, due) in self.peers.due(now.mono) {
            match due {
                Due::Close => self.outputs.push_back(Output::Disconnect { node, parting: Parting::Done }),
                Due::Ask => {
                    self.outputs.push_back(Output::Send { to: node, frame: Bytes::from_static(wire::ASK) });
                }
                Due::GiveUp => {
                    self.outputs.push_back(Output::Disconnect { node, parting: Parting::Silent });
                    self.peers.shun(now.mono, node);
                    self.lost(now, node);
                }
            }
        }
    }

    /// Tells all topics that wanted a node that it is gone.
    fn lost(&mut self, now: Now, node: NodeId) {
        for topic in self.peers.remove(&node).unwrap_or_default() {
            if let Some(state) = self.topics.get_mut(&topic) {
                state.lost(now, node);
            }
            self.act(now, topic);
        }
    }

    /// Does what a topic wants.
    fn act(&mut self, now: Now, id: TopicId) {
        while let Some(act) = self.topics.get_mut(&id).and_then(Topic::poll) {
            match act {
                Act::Send { to, message } => {
                    let is_copy = wire::is_copy(&message);
                    if let Some(frame) = wire::encode(&id, &message) {
                        self.send(now, id, to, frame, is_copy);
                    }
                }
                Act::Tell { to, message } => {
                    if let Some(frame) = wire::encode(&id, &message) {
                        self.send(now, id, to, frame, false);
                    }
                }
                Act::Close(node) => self.release(id, node),
                Act::Event(event) => {
                    self.stats.delivered += u64::from(matches!(event, Event::Message { .. }));
                    self.outputs.push_back(Output::Event { topic: id, event });
                }
            }
        }
    }

    fn send(&mut self, now: Now, topic: TopicId, to: NodeId, frame: Bytes, is_copy: bool) {
        match self.peers.send(now.mono, topic, to, &frame) {
            Sent::Now => self.outputs.push_back(Output::Send { to, frame }),
            Sent::Waits { dial: true } => self.outputs.push_back(Output::Connect(to)),
            Sent::Waits { dial: false } => {}
            Sent::Dropped => return,
            Sent::Lost => {
                // The topic's acts grow by what comes of it, and `act` goes on with them.
                if let Some(state) = self.topics.get_mut(&topic) {
                    state.lost(now, to);
                }
                return;
            }
        }
        self.stats.copies_sent += u64::from(is_copy);
        self.stats.control_sent += u64::from(!is_copy);
    }

    fn release(&mut self, topic: TopicId, node: NodeId) {
        if self.peers.release(&node, &topic) {
            self.outputs.push_back(Output::Disconnect { node, parting: Parting::Done });
        }
    }
}

#[cfg(test)]
mod tests;
