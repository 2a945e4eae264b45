//! One node in virtual time: the state machine, and the driver's part of storing what it says.

use std::collections::{BTreeMap, BTreeSet};

use base::{NodeId, PersonId};

use super::super::super::conversation::read_fact;
use super::super::super::id::{Conversation, MessageId};
use super::super::super::io::{Change, Event, Output, Stage};
use super::super::super::message::Message;
use super::super::super::plain::Plain;
use super::super::{Chat, Parts, Settings};

/// One node with all that is around it.
pub(super) struct Actor {
    pub(super) person: PersonId,
    node: NodeId,
    pub(super) chat: Chat<Plain>,
    pub(super) is_awake: bool,
    /// Whether its history can be read.
    pub(super) reads: bool,
    /// By how much its wall clock is wrong.
    pub(super) wrong_s: i64,
    pub(super) runs: u64,
    pub(super) facts: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The history in the order in which it was written.
    pub(super) history: Vec<Message>,
    /// What was ever in it.
    pub(super) ids: BTreeSet<(Conversation, MessageId)>,
    pub(super) stages: BTreeMap<(Conversation, MessageId, PersonId), Stage>,
    pub(super) read: BTreeSet<MessageId>,
    pub(super) requests: BTreeSet<Conversation>,
    pub(super) events: Vec<Event>,
    /// What was handed to the driver, in order, if anybody wants to know.
    pub(super) log: Option<Vec<Output>>,
    pub(super) mailboxes: Vec<(NodeId, Vec<String>)>,
}

/// The facts, the history, and what is in it.
type Tables = (BTreeMap<Vec<u8>, Vec<u8>>, Vec<Message>, BTreeSet<(Conversation, MessageId)>);

impl Actor {
    pub(super) fn new(person: PersonId, node: NodeId) -> Actor {
        Actor {
            person,
            node,
            chat: start(person, node, 0, &BTreeMap::new()),
            is_awake: true,
            reads: true,
            wrong_s: 0,
            runs: 0,
            facts: BTreeMap::new(),
            history: Vec::new(),
            ids: BTreeSet::new(),
            stages: BTreeMap::new(),
            read: BTreeSet::new(),
            requests: BTreeSet::new(),
            events: Vec::new(),
            log: None,
            mailboxes: Vec::new(),
        }
    }

    pub(super) fn clone_tables(&self) -> Tables {
        (self.facts.clone(), self.history.clone(), self.ids.clone())
    }

    /// Begins the program anew, with what the tables have.
    pub(super) fn start(&self) -> Chat<Plain> {
        start(self.person, self.node, self.runs, &self.facts)
    }

    pub(super) fn store(&mut self, change: Change) {
        match change {
            Change::Fact(key, Some(value)) => {
                if let Some((conversation, _)) = read_fact(&key) {
                    assert_eq!(Conversation::decode(&conversation.encode()), Ok(conversation));
                }
                self.facts.insert(key, value);
            }
            Change::Fact(key, None) => _ = self.facts.remove(&key),
            Change::Message(message) => {
                let is_new = self.ids.insert((message.conversation.clone(), message.id));
                assert!(is_new, "{:?} is shown twice", message.id);
                self.history.push(*message);
            }
            Change::Stage(conversation, id, person, stage) => {
                let kept = self.stages.entry((conversation, id, person)).or_insert(stage);
                *kept = stage.max(*kept);
            }
            Change::Read(_, ids) => self.read.extend(ids),
            Change::Request(conversation, true) => _ = self.requests.insert(conversation),
            Change::Request(conversation, false) => _ = self.requests.remove(&conversation),
        }
    }
}

fn start(person: PersonId, node: NodeId, run: u64, facts: &BTreeMap<Vec<u8>, Vec<u8>>) -> Chat<Plain> {
    let facts: Vec<_> = facts.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let seed = u64::from(node.0[0]) << 40 | u64::from(node.0[1]) << 32 | run;
    let cipher = Plain::new(node, seed, &facts);
    Chat::new(Parts { me: person, node, cipher, seed, settings: Settings::default() }, facts)
}
