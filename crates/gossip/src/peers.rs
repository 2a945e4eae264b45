//! The nodes that are linked or dialled, and which topics want each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Instant, NodeId};
use bytes::Bytes;

use crate::TopicId;
use crate::limits::{
    ANNOUNCED_RATE, ANSWER_WITHIN, GRAFT_RATE, IDLE_LINK, MAX_LINKS, MAX_SHUNNED, MAX_WAITING, QUIET, SHUN,
};
use crate::rate::Rate;
use crate::topic::Allowance;

/// How far a link is.
#[derive(Debug)]
enum Link {
    /// It is dialled; these frames wait.
    Dialling(VecDeque<Bytes>),
    Up,
}

#[derive(Debug)]
struct Peer {
    link: Link,
    topics: BTreeSet<TopicId>,
    allowance: Allowance,
    /// While no topic wants it: when it is closed.
    idle_at: Instant,
    heard_at: Instant,
    /// When it was asked for a sign of life.
    asked_at: Option<Instant>,
}

/// What is due on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nobody wants it.
    Close,
    /// Nothing came for long.
    Ask,
    /// There was no answer.
    GiveUp,
}

/// What became of a frame to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The link is up.
    Now,
    /// It waits; the node is to be dialled if this says so.
    Waits { dial: bool },
    /// It waits for too many others and was dropped.
    Dropped,
    /// The node is not to be spoken to now.
    Lost,
}

/// What a link that is up means.
#[derive(Debug)]
pub(crate) enum Up {
    /// There was none: these frames waited for it.
    New(VecDeque<Bytes>),
    /// It takes the place of another, which these topics used.
    Again(BTreeSet<TopicId>),
}

/// Invariant: at most [`MAX_LINKS`] peers; nobody is linked and shunned.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: BTreeMap<NodeId, Peer>,
    shunned: BTreeMap<NodeId, Instant>,
}

impl Peers {
    /// Notes that a topic sends to a node.
    pub(crate) fn send(&mut self, now: Instant, topic: TopicId, to: NodeId, frame: &Bytes) -> Sent {
        if self.is_shunned(now, &to) {
            return Sent::Lost;
        }
        let full = self.peers.len() >= MAX_LINKS;
        if let Some(peer) = self.peers.get_mut(&to) {
            peer.topics.insert(topic);
            return match &mut peer.link {
                Link::Up => Sent::Now,
                Link::Dialling(waiting) if waiting.len() < MAX_WAITING => {
                    waiting.push_back(frame.clone());
                    Sent::Waits { dial: false }
                }
                Link::Dialling(_) => Sent::Dropped,
            };
        }
        if full {
            return Sent::Lost;
        }
        let mut peer = Peer::new(now, Link::Dialling(VecDeque::from([frame.clone()])));
        peer.topics.insert(topic);
        self.peers.insert(to, peer);
        Sent::Waits { dial: true }
    }

    /// A link is up. `None`: there is no room for it.
    pub(crate) fn connected(&mut self, now: Instant, node: NodeId) -> Option<Up> {
        if self.is_shunned(now, &node) {
            return None;
        }
        let full = self.peers.len() >= MAX_LINKS;
        match self.peers.get_mut(&node) {
            Some(peer) => {
                (peer.heard_at, peer.asked_at) = (now, None);
                match std::mem::replace(&mut peer.link, Link::Up) {
                    Link::Dialling(waiting) => Some(Up::New(waiting)),
                    Link::Up => Some(Up::Again(peer.topics.clone())),
                }
            }
            None if full => None,
            None => {
                self.peers.insert(node, Peer::new(now, Link::Up));
                Some(Up::New(VecDeque::new()))
            }
        }
    }

    /// Forgets a node; returns the topics that wanted it.
    pub(crate) fn remove(&mut self, node: &NodeId) -> Option<BTreeSet<TopicId>> {
        self.peers.remove(node).map(|peer| peer.topics)
    }

    /// Leaves a node alone for a while.
    pub(crate) fn shun(&mut self, now: Instant, node: NodeId) {
        self.shunned.retain(|_, until| *until > now);
        if self.shunned.len() < MAX_SHUNNED {
            self.shunned.insert(node, now + SHUN);
        }
    }

    fn is_shunned(&self, now: Instant, node: &NodeId) -> bool {
        self.shunned.get(node).is_some_and(|until| *until > now)
    }

    /// Notes that something came from a node.
    pub(crate) fn sign_of_life(&mut self, now: Instant, node: &NodeId) {
        if let Some(peer) = self.peers.get_mut(node) {
            (peer.heard_at, peer.asked_at) = (now, None);
        }
    }

    /// Notes that a topic heard of a node.
    pub(crate) fn heard(&mut self, node: &NodeId, topic: TopicId) -> Option<&mut Allowance> {
        let peer = self.peers.get_mut(node)?;
        peer.topics.insert(topic);
        Some(&mut peer.allowance)
    }

    /// A topic wants a node no more. Returns whether nobody does now; then it is forgotten.
    pub(crate) fn release(&mut self, node: &NodeId, topic: &TopicId) -> bool {
        let Some(peer) = self.peers.get_mut(node) else { return false };
        peer.topics.remove(topic);
        let unwanted = peer.topics.is_empty();
        if unwanted {
            self.peers.remove(node);
        }
        unwanted
    }

    /// The nodes that a topic wants.
    pub(crate) fn of(&self, topic: &TopicId) -> Vec<NodeId> {
        self.peers.iter().filter(|(_, peer)| peer.topics.contains(topic)).map(|(&node, _)| node).collect()
    }

    /// When something is due on a link.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.peers.values().filter_map(Peer::due).map(|(at, _)| at).min()
    }

    /// Takes what is due on links: those to be closed are forgotten.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(NodeId, Due)> {
        let is_due = |peer: &Peer| peer.due().filter(|(at, _)| *at <= now).map(|(_, due)| due);
        let all: Vec<(NodeId, Due)> =
            self.peers.iter().filter_map(|(&node, peer)| Some((node, is_due(peer)?))).collect();
        for (node, due) in &all {
            match (due, self.peers.get_mut(node)) {
                (Due::Close, _) => drop(self.peers.remove(node)),
                (Due::Ask, Some(peer)) => peer.asked_at = Some(now),
                _ => {}
            }
        }
        all
    }
}

impl Peer {
    fn new(now: Instant, link: Link) -> Peer {
        let allowance = Allowance { announced: Rate::new(now, ANNOUNCED_RATE), grafts: Rate::new(now, GRAFT_RATE) };
        Peer { link, topics: BTreeSet::new(), allowance, idle_at: now + IDLE_LINK, heard_at: now, asked_at: None }
    }

    fn due(&self) -> Option<(Instant, Due)> {
        match (&self.link, self.asked_at) {
            _ if self.topics.is_empty() => Some((self.idle_at, Due::Close)),
            // A dial ends by itself.
            (Link::Dialling(_), _) => None,
            (Link::Up, None) => Some((self.heard_at + QUIET, Due::Ask)),
            (Link::Up, Some(asked)) => Some((asked + ANSWER_WITHIN, Due::GiveUp)),
        }
    }
}
