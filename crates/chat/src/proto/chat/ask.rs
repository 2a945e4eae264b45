//! What is missing: whom it is asked of, who gives it, and when nobody waits for it any more.
//!
//! A message in a room says for whom it is. So whoever has it knows whether somebody waits for it in vain: it will not come
//! to those whom it does not name. That is believed of whoever wrote what waits for it, of nodes of its author and of our
//! own. Its author's nodes and our own also say that it is gone; they alone give it. A new node hears of the others of its
//! person that what they had before is nothing to wait for. Nobody passes on that they gave something up: each node waits
//! for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{NodeId, Now, PersonId};

use super::super::cipher::Cipher;
use super::super::conversation::PATIENCE;
use super::super::id::{Conversation, MessageId, Pen};
use super::super::ids::Ids;
use super::super::io::{Output, Token};
use super::super::item::Item;
use super::super::message::Message;
use super::agenda::Due;
use super::peer::Link;
use super::{ASK_AFTER, Chat};

/// After what time a missing cause is asked for again. It doubles each time. Arbitrary: an answer by mailbox takes a while.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// How long something waits for a cause by somebody who is no member as far as is known here: they left, or a newer roster
/// names them by then. Arbitrary.
const UNKNOWN: Duration = Duration::from_secs(600);

/// How long something waits for a cause by ourselves, while no other node of ours is known. Arbitrary: two of them hear of
/// one another within minutes.
const OWN: Duration = Duration::from_secs(3600);

/// How often it is looked whether something waits too long for its author to become a member. Arbitrary.
pub(super) const DOUBT_AGAIN: Duration = Duration::from_secs(3600);

/// How many messages one question is answered for. Arbitrary: what is left is asked for again.
pub(super) const MAX_ASKED: usize = 256;

/// How many questions are being looked up in the history at once. Arbitrary.
const MAX_FETCHES: usize = 64;

/// How many nodes of one person are asked when none is there. Arbitrary.
const MAX_AWAY: usize = 4;

/// A question that is being looked up.
#[derive(Debug)]
pub(super) struct Fetch {
    node: NodeId,
    conversation: Conversation,
    ids: Vec<MessageId>,
}

impl<C: Cipher> Chat<C> {
    /// Asks for what is missing in a conversation for long enough, or gives it up.
    pub(super) fn ask_missing(&mut self, now: Now, conversation: &Conversation) {
        let Some(course) = self.courses.get(conversation) else { return };
        let due = course.due(now.mono);
        let (mut asks, mut given_up, mut later) = (BTreeMap::<NodeId, Ids>::new(), Vec::new(), Vec::new());
        for (id, rounds) in due {
            let waited = course.children(id).map(|held| held.waited(now.mono)).max().unwrap_or_default();
            let patience = self.patience(conversation, id);
            let is_over = waited >= patience;
            // Whoever was away hears first what came meanwhile.
            let was_here = rounds > 0 && !course.is_overslept(id, now.mono);
            // One by somebody who seems to be no member may wait here for long: others do not wait for that.
            let is_coming = course.held_one(id).is_some_and(|held| !held.doubted);
            if is_over && (was_here || patience.is_zero()) && !is_coming {
                given_up.push(id);
                continue;
            }
            if !course.is_held(id) {
                let senders = course.children(id).map(|held| held.from).collect();
                for node in self.whom_to_ask(conversation, id, senders, rounds) {
                    asks.entry(node).or_default().insert(id);
                }
            }
            let left = if is_over { ASK_AGAIN } else { patience - waited };
            let again = ASK_AGAIN.saturating_mul(1 << rounds.min(8));
            later.push((id, now.mono + again.min(left)));
        }
        self.course(conversation, |course| later.into_iter().for_each(|(id, again_at)| course.asked(id, again_at)));
        for id in given_up {
            if self.is_strange(conversation, id) {
                self.course(conversation, |course| course.note_strange(id));
            }
            self.void(now, conversation, id);
        }
        for (node, ids) in asks {
            for page in ids.pages() {
                let question = Item::Ask(conversation.clone(), page);
                // Whoever was asked while away hears it when they come.
                if !self.is_queued(node, &question) {
                    self.queue_item(node, &question);
                }
            }
        }
        // Whatever was not rescheduled is asked for with the next one; the course knows when.
        if let Some(at) = self.courses.get(conversation).and_then(|course| course.next_due()) {
            self.agenda.set(Due::Asks(conversation.clone()), at);
        }
    }

    /// How long something waits for this cause.
    fn patience(&self, conversation: &Conversation, id: MessageId) -> Duration {
        match self.people.holder_of(id.pen) {
            Some(person) if self.people.is_blocked(person) => Duration::ZERO,
            // We said it and lost our tables since, or on a node that is not known here yet: nobody else can prove it.
            Some(person) if person == self.me && self.people.nodes_of(person).next().is_none() => OWN,
            // Whoever left says nothing more.
            _ if self.is_strange(conversation, id) => UNKNOWN,
            Some(_) | None => PATIENCE,
        }
    }

    /// Whether whoever wrote this is no member, as far as is known here: perhaps not any more, or not yet. But where we are
    /// not in ourselves (yet), we do not know who is.
    fn is_strange(&self, conversation: &Conversation, id: MessageId) -> bool {
        let is_in = |person| self.people.takes_part(person, conversation);
        let is_room = matches!(conversation, Conversation::Room(..));
        is_room && is_in(self.me) && !self.people.holder_of(id.pen).is_some_and(is_in)
    }

    /// The people changed: what was given up of those who are members after all is waited for again.
    pub(super) fn welcome_members(&mut self, now: Now) {
        let strange = self.courses.iter().flat_map(|(conversation, course)| {
            let is_in = |pen: &Pen| {
                let holder = self.people.holder_of(*pen);
                holder.is_some_and(|holder| self.people.takes_part(holder, conversation))
            };
            course.strange().filter(is_in).map(|pen| (conversation.clone(), pen)).collect::<Vec<_>>()
        });
        for (conversation, pen) in strange.collect::<Vec<_>>() {
            self.course(&conversation, |course| course.welcome(pen, now.mono + ASK_AFTER));
        }
    }

    /// Drops what waits for somebody to become a member, who does not.
    pub(super) fn drop_doubted(&mut self, now: Now) {
        for (conversation, id) in self.doubted.iter().cloned().collect::<Vec<_>>() {
            let held = self.courses.get(&conversation).and_then(|course| course.held_one(id));
            if held.is_none_or(|held| held.until <= now.mono) {
                self.doubted.remove(&(conversation.clone(), id));
                let shown = self.course(&conversation, |course| course.drop_held(id));
                self.show(now, shown, false);
            }
        }
        if !self.doubted.is_empty() {
            self.agenda.set(Due::Doubted, now.mono + DOUBT_AGAIN);
        }
    }

    /// Returns who is asked: who is there of the author's nodes, of ours, and of those that brought what waits for it.
    /// The author's and those that brought it are asked while away, too, and answer when they come: the first time
    /// where nobody is there, and the second time, since those who were there did not have it.
    fn whom_to_ask(
        &self,
        conversation: &Conversation,
        id: MessageId,
        senders: BTreeSet<NodeId>,
        rounds: u32,
    ) -> BTreeSet<NodeId> {
        let author = self.people.holder_of(id.pen);
        let authors = || author.into_iter().flat_map(|author| self.people.nodes_of(author));
        let is_there = |node: &NodeId| self.peers.get(node).is_some_and(|peer| peer.link == Link::Connected);
        let all = authors().chain(self.people.nodes_of(self.me)).chain(senders.iter().copied());
        let mut there: BTreeSet<_> = all.filter(is_there).collect();
        if rounds > 1 {
            return there;
        }
        if rounds == 0 && self.courses.get(conversation).is_none_or(|course| !course.has_begun()) {
            // Our other nodes know what a new one need not wait for, and come when they are asked.
            there.extend(self.people.nodes_of(self.me).filter(|node| self.peers.contains_key(node)));
        }
        if rounds == 0 && !there.is_empty() {
            return there;
        }
        let away = authors().take(MAX_AWAY).chain(senders.iter().copied().take(MAX_AWAY));
        there.extend(away.filter(|node| self.peers.contains_key(node)));
        there
    }

    /// Asks whoever one speaks with for what they wrote.
    pub(super) fn ask_partner(&mut self, conversation: &Conversation, ids: &Ids) {
        let Some(partner) = conversation.partner(self.me) else { return };
        let nodes: Vec<_> = self.people.nodes_of(partner).collect();
        for page in ids.pages() {
            let question = Item::Ask(conversation.clone(), page);
            nodes.iter().for_each(|node| self.queue_item(*node, &question));
        }
    }

    /// A node asks for messages.
    pub(super) fn asked(&mut self, node: NodeId, person: PersonId, conversation: &Conversation, ids: &Ids) {
        let may = person == self.me || self.people.takes_part(person, conversation) && !self.is_pending(conversation);
        let Some(course) = self.courses.get(conversation).filter(|_| may) else { return };
        let (mut wanted, mut void) = (Vec::new(), Ids::default());
        for id in ids.iter().take(MAX_ASKED).filter(|id| course.is_shown(*id)) {
            let is_ours = id.pen.is_of(self.me);
            let is_for = match conversation {
                Conversation::Direct(..) => Some(true),
                Conversation::Room(..) => course.audience(id).map(|audience| audience.contains(&Pen::mark_of(person))),
            };
            match is_for {
                _ if course.is_before(node, id) => _ = void.insert(id),
                _ if person == self.me => wanted.push(id),
                Some(true) if is_ours => wanted.push(id),
                Some(false) => _ = void.insert(id),
                None if id.pen == self.pen => _ = void.insert(id),
                Some(true) | None => {}
            }
        }
        self.answer_void(node, conversation, &void);
        if !wanted.is_empty() && self.fetches.len() < MAX_FETCHES {
            let token = self.token();
            self.wish(Output::Fetch(token, conversation.clone(), wanted.clone()));
            self.fetches.insert(token, Fetch { node, conversation: conversation.clone(), ids: wanted });
        }
    }

    /// The history has these of the messages that a node asked for; `None`: nobody knows, and whoever asked asks again.
    pub(super) fn fetched(&mut self, token: Token, messages: Option<Vec<Message>>) {
        let Some(Fetch { node, conversation, ids }) = self.fetches.remove(&token) else { return };
        let Some(messages) = messages else { return };
        let Some(person) = self.peers.get(&node).map(|peer| peer.person) else { return };
        if person != self.me && !self.people.takes_part(person, &conversation) {
            return;
        }
        let mut found: BTreeMap<_, _> = messages.into_iter().map(|message| (message.id, message)).collect();
        let mut void = Ids::default();
        for id in ids {
            if let Some(message) = found.remove(&id).filter(|message| message.conversation == conversation) {
                let audience = self.courses.get(&conversation).and_then(|course| course.audience(id));
                let audience = audience.cloned().unwrap_or_default();
                self.queue_item(node, &Item::Message(Box::new(message), audience));
            } else {
                // It is gone here: deleted, or its time is over.
                void.insert(id);
            }
        }
        self.answer_void(node, &conversation, &void);
    }

    fn answer_void(&mut self, node: NodeId, conversation: &Conversation, void: &Ids) {
        for page in void.pages() {
            self.queue_item(node, &Item::Void(conversation.clone(), page));
        }
    }

    /// A node says that messages will not come.
    pub(super) fn take_void(
        &mut self,
        now: Now,
        node: NodeId,
        person: PersonId,
        conversation: &Conversation,
        ids: &Ids,
    ) {
        for id in ids.iter().take(MAX_ASKED) {
            if person == self.me {
                self.page_came(now, node, conversation, id);
            }
            let children = || self.courses.get(conversation).into_iter().flat_map(|course| course.children(id));
            let is_named_by = children().any(|held| held.message.author == person);
            let is_missed = children().next().is_some();
            let held = self.courses.get(conversation).and_then(|course| course.held_one(id));
            if let Some(held) = held.filter(|_| is_missed && person == self.me) {
                // It came after all. What precedes it was there, too.
                let causes = held.message.after.clone();
                causes.into_iter().for_each(|cause| self.pass_over(now, conversation, cause));
            } else if is_missed && person == self.me {
                self.pass_over(now, conversation, id);
            } else if is_missed && (id.pen.is_of(person) || is_named_by) {
                self.void(now, conversation, id);
            }
        }
    }

    /// Another node of ours did not wait for this one, nor for what precedes it.
    fn pass_over(&mut self, now: Now, conversation: &Conversation, id: MessageId) {
        self.course(conversation, |course| course.pass_over(id));
        self.void(now, conversation, id);
    }
}
