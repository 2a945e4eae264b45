//! Our own other nodes: what came to one of them comes to all, and what was read on one is read on all.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{NodeId, Now, PersonId};

use super::super::cipher::Cipher;
use super::super::conversation::Standing;
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

/// How long a page is awaited before the next is asked for. What is left is asked for once more behind all others; then it
/// doubles. Arbitrary: an answer by mailbox takes a while.
const PAGE_PATIENCE: Duration = Duration::from_secs(600);

/// How often what is left is asked for again, without anything coming, before it is given up: for three days. Arbitrary.
const MAX_LATE: u32 = 8;

/// What another node of ours has and this one does not.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// All that was not asked for yet, and whether it is history.
    ids: BTreeMap<(Conversation, bool), Ids>,
    /// What was asked for last.
    asked: Option<(Conversation, bool, Ids)>,
    /// What was asked for and did not come in time.
    missed: BTreeMap<(Conversation, bool), Ids>,
    /// How often in a row that was asked for again, and nothing came.
    late: u32,
}

impl Wanted {
    /// Takes out what is asked for next: what was missed, when nothing else is left.
    fn next(&mut self) -> Option<((Conversation, bool), Ids)> {
        if self.ids.is_empty() && self.late < MAX_LATE && !self.missed.is_empty() {
            self.late += 1;
            self.ids = std::mem::take(&mut self.missed);
        }
        self.ids.pop_first()
    }

    /// Returns all that is wanted of a conversation, whether it was asked for or not.
    fn all(&self, conversation: Conversation, history: bool) -> Option<Ids> {
        let asked = self.asked.iter().filter(|(other, is_history, _)| *other == conversation && *is_history == history);
        let asked = asked.flat_map(|(_, _, ids)| ids.spans());
        let key = (conversation.clone(), history);
        let rest = [&self.ids, &self.missed].into_iter().filter_map(|ids| ids.get(&key));
        let all: Ids = rest.flat_map(Ids::spans).chain(asked).collect();
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

    /// Another node of ours became known: it does not wait for what was said before, unless it asks for the history. Nor
    /// does it ask the user about people on whom they decided.
    pub(super) fn own_begins(&mut self, node: NodeId) {
        for conversation in self.courses.keys().cloned().collect::<Vec<_>>() {
            self.course(&conversation, |course| course.begins(node));
            match self.standing(&conversation) {
                Standing::Accepted => self.queue_item(node, &Item::Decided(conversation, true)),
                Standing::Refused => self.queue_item(node, &Item::Decided(conversation, false)),
                Standing::Unheard | Standing::Asking(_) => {}
            }
        }
    }

    /// Whatever was said before that node became known is given to it, or it is none of ours any more.
    pub(super) fn own_wants_all(&mut self, node: NodeId) {
        for conversation in self.courses.keys().cloned().collect::<Vec<_>>() {
            self.course(&conversation, |course| course.wants_all(node));
        }
    }

    /// Another node of ours wants to know all that is here.
    pub(super) fn give_history(&mut self, node: NodeId) {
        self.own_wants_all(node);
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
        while let Some(((conversation, history), mut ids)) = wanted.next() {
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
            let patience = PAGE_PATIENCE.saturating_mul(1 << wanted.late.min(MAX_LATE));
            self.agenda.set(Due::Page(node), now.mono + patience);
            let question = Item::Ask(conversation, page);
            if !self.is_queued(node, &question) {
                self.queue_item(node, &question);
            }
            return;
        }
        self.agenda.clear(&Due::Page(node));
        if let Some(wanted) = self.wanted.remove(&node) {
            self.forget_wanted(node, wanted);
        }
    }

    /// Something came that an own node was asked for, or will not come. True when it is history.
    pub(super) fn page_came(&mut self, now: Now, node: NodeId, conversation: &Conversation, id: MessageId) -> bool {
        let Some(asked) = self.wanted.get_mut(&node).and_then(|wanted| wanted.asked.as_mut()) else { return false };
        if asked.0 != *conversation || !asked.2.contains(id) {
            return false;
        }
        let (history, page) = (asked.1, &mut asked.2);
        page.remove(id);
        let is_over = page.is_empty();
        if let Some(wanted) = self.wanted.get_mut(&node) {
            wanted.late = 0;
        }
        if is_over {
            self.turn_page(now, node);
        }
        history
    }

    /// A page did not come in time. What is left is asked for again later: the answer may be lost. But whoever did not
    /// even hear the question, being away, is waited for.
    pub(super) fn page_late(&mut self, now: Now, node: NodeId) {
        let Some(wanted) = self.wanted.get(&node) else { return };
        let Some((conversation, history, left)) = wanted.asked.clone() else { return self.ask_page(now, node) };
        if self.is_queued(node, &Item::Ask(conversation.clone(), left.clone())) {
            return self.agenda.set(Due::Page(node), now.mono + PAGE_PATIENCE);
        }
        if let Some(wanted) = self.wanted.get_mut(&node) {
            let missed = wanted.missed.entry((conversation, history)).or_default();
            left.spans().for_each(|(pen, first, last)| missed.insert_range(pen, first, last));
        }
        self.turn_page(now, node);
    }

    /// Nobody waits for the page that was asked for any more: asks for the next.
    fn turn_page(&mut self, now: Now, node: NodeId) {
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
        let all = wanted.ids.into_keys().chain(wanted.missed.into_keys()).chain(asked);
        self.changed_wanted.extend(all.map(|(conversation, history)| (node, conversation, history)));
    }

    /// The user let somebody write, or refused to hear them: our other nodes need not ask about it.
    pub(super) fn tell_decided(&mut self, conversation: &Conversation, accepted: bool) {
        if conversation.partner(self.me).is_some() {
            let nodes: Vec<_> = self.people.nodes_of(self.me).collect();
            let item = Item::Decided(conversation.clone(), accepted);
            nodes.into_iter().for_each(|node| self.queue_item(node, &item));
        }
    }

    /// The user decided that on another node. Whoever was accepted here meanwhile stays so.
    pub(super) fn take_decided(&mut self, now: Now, conversation: &Conversation, accepted: bool) {
        match (accepted, self.standing(conversation)) {
            (_, Standing::Accepted) => {}
            (true, _) => self.decide(now, conversation, Standing::Accepted),
            (false, _) => self.decide(now, conversation, Standing::Refused),
        }
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
