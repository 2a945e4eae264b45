//! Frames: the topic (32 bytes) and one message of iroh-gossip's protocol in postcard, as that crate has it; beside them
//! [`ASK`] and [`ANSWER`], which belong to no topic.
//!
//! The protocol's own types hide their fields, and it believes what they say. So a frame is read into the types here
//! first, of the same shape, where a message is checked, bounded and stripped, and only then handed on.

use std::collections::VecDeque;

use base::NodeId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::TopicId;
use crate::limits::{MAX_FRAME, MAX_HOPS, MAX_NAMED, MAX_WALK};
use crate::seen::MessageId;

/// A node as the protocol names it.
pub(crate) type Id = [u8; 32];

/// A message of the protocol.
pub(crate) type Native = iroh_gossip::proto::topic::Message<Id>;

/// The frame that asks for a sign of life, shorter than any topic.
pub(crate) const ASK: &[u8] = b"?";

/// The frame that gives one.
pub(crate) const ANSWER: &[u8] = b"!";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    Swarm(Swarm),
    Gossip(Gossip),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Swarm {
    Join(Option<Bytes>),
    ForwardJoin { peer: Named, ttl: u16 },
    Shuffle { origin: Id, nodes: Vec<Named>, ttl: u16 },
    ShuffleReply { nodes: Vec<Named> },
    Neighbor { priority: Priority, data: Option<Bytes> },
    Disconnect { alive: bool, respond: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    id: Id,
    /// Addresses, where stock iroh-gossip runs. Dropped: what a peer supplies is not dialled.
    data: Option<Bytes>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Priority {
    High,
    Low,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Gossip {
    Message { id: MessageId, content: Bytes, scope: Scope },
    Prune,
    Graft { id: Option<MessageId>, round: u16 },
    IHave(Vec<Announced>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scope {
    Swarm(u16),
    Neighbors,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    pub(crate) id: MessageId,
    pub(crate) round: u16,
}

/// Splits a frame; `None`: it is none.
pub(crate) fn decode(frame: &Bytes) -> Option<(TopicId, Message)> {
    if frame.len() > MAX_FRAME {
        return None;
    }
    let (topic, rest) = frame.split_first_chunk::<32>()?;
    match postcard::take_from_bytes(rest) {
        Ok((message, [])) => Some((*topic, message)),
        _ => None,
    }
}

/// Writes a frame; `None`: it would be too long, which the protocol's own messages never are.
pub(crate) fn encode(topic: &TopicId, message: &impl Serialize) -> Option<Bytes> {
    let frame = postcard::to_extend(message, topic.to_vec()).ok()?;
    (frame.len() <= MAX_FRAME).then(|| frame.into())
}

/// Whether a message of ours carries a payload.
pub(crate) fn is_copy(message: &Native) -> bool {
    matches!(message.kind(), iroh_gossip::proto::state::MessageKind::Data)
}

/// What of a message is left when it was looked through.
pub(crate) fn screen(message: &mut Message, me: Id, admits: impl Fn(&NodeId) -> bool) -> bool {
    let known = |id: &Id| *id != me && admits(&NodeId(*id));
    let clean = |nodes: &mut Vec<Named>| {
        nodes.retain(|node| known(&node.id));
        nodes.truncate(MAX_NAMED);
        nodes.iter_mut().for_each(|node| node.data = None);
    };
    match message {
        Message::Swarm(Swarm::Join(data) | Swarm::Neighbor { data, .. }) => *data = None,
        Message::Swarm(Swarm::ForwardJoin { peer, ttl }) => {
            peer.data = None;
            *ttl = (*ttl).min(MAX_WALK);
            return known(&peer.id);
        }
        Message::Swarm(Swarm::Shuffle { origin, nodes, ttl }) => {
            clean(nodes);
            *ttl = (*ttl).min(MAX_WALK);
            return known(origin);
        }
        Message::Swarm(Swarm::ShuffleReply { nodes }) => clean(nodes),
        Message::Swarm(Swarm::Disconnect { .. }) | Message::Gossip(Gossip::Prune) => {}
        // The scope that is not passed on is not remembered by the protocol either, so it could be repeated for ever.
        Message::Gossip(Gossip::Message { scope: Scope::Neighbors, .. }) => return false,
        Message::Gossip(Gossip::Message { scope: Scope::Swarm(round), .. } | Gossip::Graft { round, .. }) => {
            return *round <= MAX_HOPS;
        }
        Message::Gossip(Gossip::IHave(announced)) => announced.retain(|message| message.round <= MAX_HOPS),
    }
    true
}

/// Hands a message that was looked through to the protocol's own type.
pub(crate) fn native(message: &Message) -> Option<Native> {
    postcard::from_bytes(&postcard::to_stdvec(message).ok()?).ok()
}

/// Messages of late, to tell a new neighbour of.
pub(crate) fn announcement(recent: &VecDeque<(Announced, base::Instant)>) -> Message {
    Message::Gossip(Gossip::IHave(recent.iter().map(|(announced, _)| *announced).collect()))
}

#[cfg(test)]
mod tests;
