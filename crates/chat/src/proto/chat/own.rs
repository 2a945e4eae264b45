//! Our own other nodes: what came to one of them comes to all, and what was read on one is read on all.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{NodeId, Now, PersonId};

use super::super::cipher::Cipher;
use super::super::id::{Conversation, MessageId};
use super::super::ids::Ids;
use super::super::io::{Change, Event, Stage};
use super::super::item::Item;
use super::Chat;
use super::agenda::Due;
use super::ask::MAX_ASKED;

/// How long news is collected before our other nodes are told: most of it came to them by itself. Arbitrary.
const TELL_AFTER: Duration = Duration::from_secs(5);

/// How many messages an own node is asked for at once.
const PAGE: usize = 64;

/// How long a page is awaited before the next is asked for. Arbitrary: some of it may not be there any more.
const PAGE_PATIENCE: Duration = Duration::from_secs(600);

/// What another node of ours has and this one does not.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// All that was not asked for yet, and whether it is history.
    ids: BTreeMap<(Conversation, bool), Ids>,
    /// What was asked for last.
    asked: Option<(Conversation, bool, Ids)>,
}

impl Wanted {
    /// Returns all that is wanted of a conversation, whether it was asked for or not.
    fn all(&self, conversation: Conversation, history: bool) -> Option<Ids> {
        let asked = self.asked.iter().filter(|(other, is_history, _)| *other == conversation && *is_history == history);
        let asked = asked.flat_map(|(_, _, ids)| ids.spans());
        let rest = self.ids.get(&(conversation.clone(), history));
        let all: Ids = rest.into_iter().flat_map(Ids::spans).chain(asked).collect();
        Some(all).filter(|all| !all.is_empty())
    }
}

/// The first byte of the keys of what our other nodes have to be told.
const NEWS: u8 = b'n';
/// The first byte of the keys of what our other nodes have and this one does not.
const WANTED: u8 = b'y';

impl<C: Cipher> Chat<C> {
    /// A message came from somebody else: our other nodes are told soon.
    pub(super) fn tell_own_later(&mut self, now: Now, conversation: &Conversation, id: MessageId) {
        if self.people.nodes_of(self.me).next().is_none() {
            return;
        }
        self.news.entry(conversation.clone()).or_default().insert(id);
        self.changed_news.insert(conversation.clone());
        self.agenda.set_by(Due::Announce, now.mono + TELL_AFTER);
    }

    /// Tells our other nodes what came.
    pub(super) fn announce(&mut self, now: Now) {
        if !self.is_introduced {
            return self.agenda.set(Due::Announce, now.mono + TELL_AFTER);
        }
        let nodes: Vec<_> = self.people.nodes_of(self.me).collect();
        for (conversation, ids) in std::mem::take(&mut self.news) {
            self.changed_news.insert(conversation.clone());
            self.tell_have(&nodes, &conversation, &ids, false);
        }
    }

    fn tell_have(&mut self, nodes: &[NodeId], conversation: &Conversation, ids: &Ids, history: bool) {
        for ids in ids.pages() {
            let item = Item::Have { conversation: conversation.clone(), ids, history };
            nodes.iter().for_each(|node| self.queue_item(*node, &item));
        }
    }

    /// Asks our other nodes for all they have.
    pub(super) fn want_history(&mut self) {
        let nodes: Vec<_> = self.people.nodes_of(self.me).collect();
        nodes.into_iter().for_each(|node| self.queue_item(node, &Item::History));
    }

    /// Another node of ours wants to know all that is here.
    pub(super) fn give_history(&mut self, node: NodeId) {
        let all: Vec<_> =
            self.courses.iter().map(|(conversation, course)| (conversation.clone(), course.shown())).collect();
        for (conversation, ids) in all {
            self.tell_have(&[node], &conversation, &ids, true);
        }
    }

    /// Another node of ours has these.
    pub(super) fn take_have(&mut self, now: Now, node: NodeId, conversation: Conversation, ids: &Ids, history: bool) {
        let lacking = match self.courses.get(&conversation) {
            Some(course) => course.lacking(ids),
            None => ids.clone(),
        };
        if lacking.is_empty() {
            return;
        }
        self.changed_wanted.insert((node, conversation.clone(), history));
        let wanted = self.wanted.entry(node).or_default().ids.entry((conversation, history)).or_default();
        lacking.spans().for_each(|(pen, first, last)| wanted.insert_range(pen, first, last));
        self.ask_page(now, node);
    }

    /// Asks an own node for the next of what it has, unless an answer is awaited.
    fn ask_page(&mut self, now: Now, node: NodeId) {
        let Some(wanted) = self.wanted.get_mut(&node).filter(|wanted| wanted.asked.is_none()) else { return };
        while let Some(((conversation, history), mut ids)) = wanted.ids.pop_first() {
            if let Some(course) = self.courses.get(&conversation) {
                // It may have come another way meanwhile.
                ids = course.lacking(&ids);
            }
            let page: Ids = ids.iter().take(PAGE).collect();
            if page.is_empty() {
                self.changed_wanted.insert((node, conversation, history));
                continue;
            }
            page.iter().for_each(|id| ids.remove(id));
            self.changed_wanted.insert((node, conversation.clone(), history));
            if !ids.is_empty() {
                wanted.ids.insert((conversation.clone(), history), ids);
            }
            wanted.asked = Some((conversation.clone(), history, page.clone()));
            self.agenda.set(Due::Page(node), now.mono + PAGE_PATIENCE);
            self.queue_item(node, &Item::Ask(conversation, page));
            return;
        }
        self.wanted.remove(&node);
        self.agenda.clear(&Due::Page(node));
    }

    /// Something came that an own node was asked for, or will not come. True when it is history.
    pub(super) fn page_came(&mut self, now: Now, node: NodeId, conversation: &Conversation, id: MessageId) -> bool {
        let Some(asked) = self.wanted.get_mut(&node).and_then(|wanted| wanted.asked.as_mut()) else { return false };
        if asked.0 != *conversation || !asked.2.contains(id) {
            return false;
        }
        let history = asked.1;
        asked.2.remove(id);
        if asked.2.is_empty() {
            self.page_late(now, node);
        }
        history
    }

    /// The rest of a page is not awaited any longer.
    pub(super) fn page_late(&mut self, now: Now, node: NodeId) {
        if let Some(wanted) = self.wanted.get_mut(&node) {
            if let Some((conversation, history, _)) = wanted.asked.take() {
                self.changed_wanted.insert((node, conversation, history));
            }
            self.ask_page(now, node);
        }
    }

    /// Returns what is stored of what came and of what is wanted, as far as it changed.
    pub(super) fn own_facts(&mut self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let news = std::mem::take(&mut self.changed_news).into_iter();
        let news = news.map(|conversation| {
            let key = [&[NEWS], conversation.encode().as_slice()].concat();
            (key, self.news.get(&conversation).map(Ids::encode))
        });
        let wanted = std::mem::take(&mut self.changed_wanted).into_iter();
        let wanted = wanted.map(|(node, conversation, history)| {
            let key = [&[WANTED], &node.0[..], &[u8::from(history)], &conversation.encode()].concat();
            let ids = self.wanted.get(&node).and_then(|wanted| wanted.all(conversation, history));
            (key, ids.map(|ids| ids.encode()))
        });
        news.chain(wanted).collect()
    }

    /// Takes what was stored.
    pub(super) fn restore_own(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (kind, rest) = key.split_first()?;
        if *kind == NEWS {
            self.news.insert(Conversation::decode(rest).ok()?, Ids::decode(value).ok()?);
        } else if *kind == WANTED {
            let (node, rest) = rest.split_first_chunk::<32>()?;
            let (history, rest) = rest.split_first()?;
            let wanted = self.wanted.entry(NodeId(*node)).or_default();
            wanted.ids.insert((Conversation::decode(rest).ok()?, *history == 1), Ids::decode(value).ok()?);
        }
        Some(())
    }

    /// After a start: what is wanted is asked for again, of those that are our nodes still.
    pub(super) fn ask_again(&mut self, now: Now) {
        for (node, wanted) in std::mem::take(&mut self.wanted) {
            if self.people.person_of(node) == Some(self.me) {
                self.wanted.insert(node, wanted);
                self.ask_page(now, node);
            } else {
                self.forget_wanted(node, wanted);
            }
        }
    }

    /// What a node has is not wanted any more.
    pub(super) fn forget_wanted(&mut self, node: NodeId, wanted: Wanted) {
        let asked = wanted.asked.into_iter().map(|(conversation, history, _)| (conversation, history));
        let all = wanted.ids.into_keys().chain(asked);
        self.changed_wanted.extend(all.map(|(conversation, history)| (node, conversation, history)));
    }

    /// The user read these here.
    pub(super) fn read_here(&mut self, conversation: &Conversation, ids: &[MessageId]) {
        if !self.courses.contains_key(conversation) {
            return;
        }
        let ids: Ids = ids.iter().filter(|id| !id.pen.is_of(self.me)).copied().collect();
        let new = self.course(conversation, |course| course.read(&ids));
        self.note_read(conversation, &new);
        let own: Vec<_> = self.people.nodes_of(self.me).collect();
        self.tell_read(&own, conversation, &new);
        if !self.settings.receipts || self.is_pending(conversation) {
            return;
        }
        let mut by_author = BTreeMap::<PersonId, Ids>::new();
        for (pen, first, last) in new.spans() {
            if let Some(author) =
                self.people.holder_of(pen).filter(|author| self.people.takes_part(*author, conversation))
            {
                by_author.entry(author).or_default().insert_range(pen, first, last);
            }
        }
        for (author, ids) in by_author {
            let nodes: Vec<_> = self.people.nodes_of(author).collect();
            self.tell_read(&nodes, conversation, &ids);
        }
    }

    fn tell_read(&mut self, nodes: &[NodeId], conversation: &Conversation, ids: &Ids) {
        for page in ids.pages() {
            let item = Item::Read(conversation.clone(), page);
            nodes.iter().for_each(|node| self.queue_item(*node, &item));
        }
    }

    fn note_read(&mut self, conversation: &Conversation, new: &Ids) {
        if !new.is_empty() {
            let ids: Vec<_> = new.iter().collect();
            self.changes.push(Change::Read(conversation.clone(), ids.clone()));
            self.event(Event::Read(conversation.clone(), ids));
        }
    }

    /// Somebody read these: the user on another node, or whoever got them from us.
    pub(super) fn take_read(&mut self, person: PersonId, conversation: &Conversation, ids: &Ids) {
        if !self.courses.contains_key(conversation) {
            return;
        }
        if person == self.me {
            let new = self.course(conversation, |course| course.read(ids));
            return self.note_read(conversation, &new);
        }
        if !self.people.takes_part(person, conversation) || self.is_pending(conversation) {
            return;
        }
        let shown = self.courses[conversation].shown_of(ids);
        let ours: Vec<_> = shown.iter().filter(|id| id.pen.is_of(self.me)).take(MAX_ASKED).collect();
        ours.into_iter().for_each(|id| self.stage(conversation.clone(), id, person, Stage::Read));
    }
}
