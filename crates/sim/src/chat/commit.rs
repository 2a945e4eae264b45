//! What a node stores, and what is watched while it does: a message is what its author wrote, comes once and after its causes.

use chat::proto::{Change, Conversation, Event, Message};

use super::ChatMutation;
use super::network::{Happens, Network, Said};
use super::sealer::Sealer;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many of the last messages of a conversation somebody answers, reacts to or takes back.
const LAST: usize = 20;

/// Every how many-th message a bad store leaves out.
const DROPPED: u64 = 50;

/// After how long at most somebody accepts what a stranger wrote.
const ACCEPTING: Duration = Duration::from_secs(12 * 3600);

impl<C: Sealer> Network<C> {
    /// Stores all of it.
    pub(super) fn commit(&mut self, node: usize, changes: Vec<Change>) {
        let torn = self.scenario.mutation == Some(ChatMutation::TornCommits)
            && !self.healed
            && changes.iter().any(|change| matches!(change, Change::Message(_)))
            && self.rng.u8(..20) == 0;
        // All of it takes effect at once: a message's stage may stand before it.
        let (messages, others): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| matches!(change, Change::Message(_)));
        let again =
            if self.scenario.mutation == Some(ChatMutation::DoubleCommits) { messages.clone() } else { Vec::new() };
        for change in messages.into_iter().chain(again).chain(others) {
            match change {
                Change::Fact(..) if torn => {}
                Change::Fact(key, Some(value)) => _ = self.nodes[node].store.facts.insert(key, value),
                Change::Fact(key, None) => _ = self.nodes[node].store.facts.remove(&key),
                Change::Message(message) => self.enters(node, *message),
                Change::Stage(conversation, id, person, stage) => {
                    let (number, person) = (self.number(&conversation), self.person(&person));
                    match (self.index.get(&(number, id)), person) {
                        (Some(&index), Some(person)) => {
                            let known = self.nodes[node].store.stages.entry((index, person)).or_insert(stage);
                            *known = stage.max(*known);
                        }
                        _ => self.outcome.fail(format!("n{node} stores how far {id:?} is, which nobody wrote")),
                    }
                }
                Change::Read(conversation, ids) => {
                    let number = self.number(&conversation);
                    let known = ids.iter().filter_map(|id| self.index.get(&(number, *id)));
                    self.nodes[node].store.read.extend(known.copied());
                }
                Change::Request(conversation, is) => self.requests(node, &conversation, is),
            }
        }
        if torn {
            self.crash(node);
        }
    }

    fn requests(&mut self, node: usize, conversation: &Conversation, is: bool) {
        let number = self.number(conversation);
        let is_new = match is {
            true => self.nodes[node].store.requests.insert(number),
            false => self.nodes[node].store.requests.remove(&number),
        };
        if !is && is_new {
            // Only now others may rely on it: what the user did is lost if the node crashes before.
            self.accepted.insert(number);
            self.consents.insert((self.nodes[node].person, number));
        }
        if is && is_new && self.rng.bool() {
            let wait = self.within(ACCEPTING);
            self.later(wait, Happens::Accepts { node, number });
        }
    }

    /// A message enters the history of a node.
    fn enters(&mut self, node: usize, message: Message) {
        let number = self.number(&message.conversation);
        let key = (number, message.id);
        if let Some((at, audience)) = self.writing.remove(&(node, number, message.id)) {
            let said = self.said.len() as u32;
            if self.index.insert(key, said).is_some() {
                self.outcome.fail(format!("n{node} used the name {key:?} twice"));
            }
            let group = match &message.conversation {
                Conversation::Room(id, _) => self.groups.iter().position(|group| group == id),
                Conversation::Direct(..) => None,
            };
            let after: Vec<_> = message.after.iter().map(|id| self.index.get(&(number, *id)).copied()).collect();
            self.note(node, format_args!("said {said} in {number} after {after:?}"));
            let (author, reached) = (self.nodes[node].person, BTreeMap::new());
            self.said.push(Said { at, author, node, conversation: number, group, audience, message, reached });
            self.outcome.written += 1;
        } else {
            let Some(&said) = self.index.get(&key) else {
                return self.outcome.fail(format!("n{node} shows {key:?}, which nobody wrote"));
            };
            if self.said[said as usize].message != message {
                return self.outcome.fail(format!("n{node} shows {key:?} otherwise than it was written"));
            }
            self.outcome.shown += 1;
            let drops = self.scenario.mutation == Some(ChatMutation::DropMessages);
            if drops && self.outcome.shown.is_multiple_of(DROPPED) {
                return;
            }
        }
        let (said, clock) = (self.index[&key], self.clock);
        self.note(node, format_args!("keeps {said}"));
        let person = self.nodes[node].person;
        self.said[said as usize].reached.entry(person).or_insert(clock);
        let strange = self.strange_causes(node, said);
        let store = &mut self.nodes[node].store;
        let times = store.inserted.entry(said).or_insert(0);
        *times += 1;
        if *times == 1 {
            store.order.push((said, clock));
            store.strange.extend(strange);
            let recent = store.recent.entry(number).or_default();
            recent.push_back(said);
            if recent.len() > LAST {
                recent.pop_front();
            }
        }
    }

    /// Returns what is missing on a node of the causes of a message by people who are no members as far as it knows.
    fn strange_causes(&self, node: usize, said: u32) -> Vec<(u32, u32)> {
        let (here, effect) = (&self.nodes[node], &self.said[said as usize]);
        let is_strange = |cause: &u32| {
            let author = self.said[*cause as usize].author;
            let is_member = effect.group.is_none_or(|group| here.view.is_member(group, author));
            !is_member && !here.store.inserted.contains_key(cause)
        };
        let causes = effect.message.after.iter().filter_map(|id| self.index.get(&(effect.conversation, *id)));
        causes.copied().filter(is_strange).map(|cause| (said, cause)).collect()
    }

    /// Notes what the user's programs hear.
    pub(super) fn hears(&mut self, node: usize, event: &Event) {
        match event {
            Event::Shown(message) => self.note(node, format_args!("shows {:?} {}", message.id, message.time)),
            other => self.note(node, format_args!("{other:?}")),
        }
    }
}
