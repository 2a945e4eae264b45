//! What is missing: whom it is asked of, who gives it, and when nobody waits for it any more.
//!
//! A message is given by the node that wrote it, which knows whom it was for, between two people by their other nodes, too,
//! and among the nodes of one person by all.
//! That it will not come (*void*) is believed of nodes of the author and of our own person, and of whoever wrote what
//! waits for it: they could as well have left it out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{NodeId, Now, PersonId};

use super::super::cipher::Cipher;
use super::super::conversation::PATIENCE;
use super::super::id::{Conversation, MessageId};
use super::super::ids::Ids;
use super::super::io::{Output, Token};
use super::super::item::Item;
use super::super::message::Message;
use super::Chat;
use super::agenda::Due;
use super::peer::Link;

/// After what time a missing cause is asked for again. It doubles each time. Arbitrary: an answer by mailbox takes a while.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// How long something waits for a cause by somebody who is not known here: a newer roster should name them by then.
/// Arbitrary.
const UNKNOWN: Duration = Duration::from_secs(60);

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
            if is_over && (was_here || patience < PATIENCE) && !course.is_held(id) {
                given_up.push(id);
                continue;
            }
            if !course.is_held(id) {
                let senders = course.children(id).map(|held| held.from).collect();
                for node in self.whom_to_ask(id, senders, rounds == 0) {
                    asks.entry(node).or_default().insert(id);
                }
            }
            let left = if is_over { ASK_AGAIN } else { patience - waited };
            let again = ASK_AGAIN.saturating_mul(1 << rounds.min(8));
            later.push((id, now.mono + again.min(left)));
        }
        self.course(conversation, |course| later.into_iter().for_each(|(id, again_at)| course.asked(id, again_at)));
        for id in given_up {
            self.void(now, conversation, id);
        }
        for (node, ids) in asks {
            for page in ids.pages() {
                self.queue_item(node, &Item::Ask(conversation.clone(), page));
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
            None => UNKNOWN,
            // We said it, and lost our tables since: nobody else can prove it.
            Some(person) if person == self.me && self.people.nodes_of(person).next().is_none() => Duration::ZERO,
            Some(person) if self.people.is_blocked(person) => Duration::ZERO,
            // Who left, and is nobody else that we know, says nothing more.
            Some(person) if !self.people.takes_part(person, conversation) && !self.people.knows(person) => {
                Duration::ZERO
            }
            Some(_) => PATIENCE,
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

    /// Returns who is asked: who is there of the author's nodes, of ours, and of those that brought what waits for it;
    /// where nobody is, the first time, the author's and those that brought it, who answer when they come.
    fn whom_to_ask(&self, id: MessageId, senders: BTreeSet<NodeId>, is_first: bool) -> BTreeSet<NodeId> {
        let author = self.people.holder_of(id.pen);
        let authors = || author.into_iter().flat_map(|author| self.people.nodes_of(author));
        let is_there = |node: &NodeId| self.peers.get(node).is_some_and(|peer| peer.link == Link::Connected);
        let all = authors().chain(self.people.nodes_of(self.me)).chain(senders.iter().copied());
        let there: BTreeSet<_> = all.filter(is_there).collect();
        if !there.is_empty() || !is_first {
            return there;
        }
        let away = authors().take(MAX_AWAY).chain(senders.iter().copied().take(MAX_AWAY));
        away.filter(|node| self.peers.contains_key(node)).collect()
    }

    /// A node asks for messages.
    pub(super) fn asked(&mut self, node: NodeId, person: PersonId, conversation: &Conversation, ids: &Ids) {
        let may = person == self.me || self.people.takes_part(person, conversation) && !self.is_pending(conversation);
        let Some(course) = self.courses.get(conversation).filter(|_| may) else { return };
        let (mut wanted, mut void) = (Vec::new(), Ids::default());
        for id in ids.iter().take(MAX_ASKED) {
            if course.is_shown(id) {
                wanted.push(id);
            } else if course.is_settled(id) {
                void.insert(id);
            }
        }
        self.answer_void(node, conversation, &void);
        if !wanted.is_empty() && self.fetches.len() < MAX_FETCHES {
            let token = self.token();
            self.wish(Output::Fetch(token, conversation.clone(), wanted.clone()));
            self.fetches.insert(token, Fetch { node, conversation: conversation.clone(), ids: wanted });
        }
    }

    /// The history has these of the messages that a node asked for.
    pub(super) fn fetched(&mut self, token: Token, messages: Vec<Message>) {
        let Some(Fetch { node, conversation, ids }) = self.fetches.remove(&token) else { return };
        let Some(person) = self.peers.get(&node).map(|peer| peer.person) else { return };
        let is_own = person == self.me;
        if !is_own && !self.people.takes_part(person, &conversation) {
            return;
        }
        let mut found: BTreeMap<_, _> = messages.into_iter().map(|message| (message.id, message)).collect();
        let mut void = Ids::default();
        for id in ids {
            let Some(message) = found.remove(&id).filter(|message| message.conversation == conversation) else {
                // It is gone here: deleted, or its time is over.
                void.insert(id);
                continue;
            };
            let was_for = self.courses.get(&conversation).is_some_and(|course| course.was_for(person, message.time));
            // In a room only the node that wrote it knows for sure whom it was for: a sibling may have heard later who came
            // or went.
            let knows = message.id.pen == self.pen || matches!(conversation, Conversation::Direct(..));
            if is_own || was_for && message.author == self.me && knows {
                self.queue_item(node, &Item::Message(Box::new(message)));
            } else if !was_for {
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
            if is_missed && (person == self.me || id.pen.is_of(person) || is_named_by) {
                self.void(now, conversation, id);
            }
        }
    }
}
