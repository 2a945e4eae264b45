//! What comes from other nodes: opened, put in order, judged, shown.

use std::time::Duration;

use base::{NodeId, Now, PersonId};

use super::super::channel::Place;
use super::super::cipher::{Cipher, OpenError, Opened};
use super::super::conversation::{Held, Standing, Taken};
use super::super::frame::Frame;
use super::super::id::{Audience, Conversation, MessageId};
use super::super::io::{Change, Event};
use super::super::item::Item;
use super::super::message::Message;
use super::super::parcel::{Parcel, Tell};
use super::agenda::Due;
use super::ask::DOUBT_AGAIN;
use super::{ASK_AFTER, Chat, MAX_HELD_COST};

/// How often a session with a node is begun anew, or all is sent to it again. Arbitrary: whoever forges what cannot be
/// opened shall not make work.
pub(super) const RENEW_AFTER: Duration = Duration::from_secs(60);

/// How many messages somebody may leave who was not asked to write.
pub const MAX_REQUEST_MESSAGES: u32 = 3;

/// The longest of them in bytes.
pub const MAX_REQUEST_LEN: usize = 4 << 10;

/// How many requests wait for the user's word at most.
pub const MAX_REQUESTS: usize = 64;

/// How many messages wait since their author is no member as far as is known here. Arbitrary.
const MAX_DOUBTED: usize = 256;

impl<C: Cipher> Chat<C> {
    /// A frame came over the stream of a node.
    pub(super) fn received(&mut self, now: Now, node: NodeId, frame: &[u8]) {
        match Frame::decode(frame) {
            Some(Frame::Card(card)) => self.learn_card(card, Some(node)),
            Some(Frame::Envelope(envelope)) => self.open(now, Some(node), envelope),
            Some(Frame::List(_)) | None => {}
        }
    }

    /// Opens an envelope that came over the stream of a node, or from a mailbox.
    pub(super) fn open(&mut self, now: Now, stream: Option<NodeId>, envelope: &[u8]) {
        match self.cipher.open(now, envelope) {
            Ok(Opened { from, parcel }) => {
                let Ok(parcel) = Parcel::decode(&parcel) else { return };
                if self.is_introduced && self.peers.contains_key(&from) {
                    self.take_parcel(now, from, parcel);
                } else if !self.people.was_named(from) {
                    // Not of whoever is blocked: it comes again if they are not any more.
                    self.strange.keep_parcel(from, parcel);
                }
            }
            Err(OpenError::NoSession { claims }) => {
                if stream.is_none_or(|node| node == claims) {
                    self.renew(now, claims);
                }
            }
            // On a stream its card precedes everything. An envelope without one is of a session that was forgotten with
            // the card: its sender hears so when the card is here, and what was lost comes again.
            Err(OpenError::NoCard { claims }) => {
                if stream.is_none() {
                    self.miss_card(now, claims);
                }
            }
            Err(OpenError::Foreign | OpenError::Again) => {}
        }
    }

    /// Begins a session with a node anew, and asks it to send all again.
    fn renew(&mut self, now: Now, node: NodeId) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if peer.renewed.is_some_and(|at| now.mono - at < RENEW_AFTER) {
            return;
        }
        peer.renewed = Some(now.mono);
        peer.lost = true;
        self.cipher.renew(node);
        self.owe_ack(now, node, 0);
    }

    /// Takes a parcel of a node that is known.
    pub(super) fn take_parcel(&mut self, now: Now, node: NodeId, parcel: Parcel) {
        if let Some(ack) = parcel.ack {
            self.acknowledged(now, node, ack);
        }
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let person = peer.person;
        if peer.inn.begin(parcel.incarnation, parcel.oldest) {
            self.changed_peers.insert(node);
        }
        let bytes: usize = parcel.items.iter().map(|item| item.len() + 1).sum();
        let mut is_full = false;
        for (number, item) in (parcel.first..).zip(parcel.items) {
            let Some(peer) = self.peers.get_mut(&node) else { return };
            match peer.inn.place(number) {
                Place::Old => {}
                Place::Early => peer.inn.keep(number, item),
                Place::Next => is_full = is_full || !self.take_item(now, node, person, &item),
            }
        }
        while !is_full {
            let Some(item) = self.peers.get_mut(&node).and_then(|peer| peer.inn.kept()) else { break };
            is_full = !self.take_item(now, node, person, &item);
        }
        if bytes > 0 {
            self.owe_ack(now, node, bytes);
        }
        for tell in parcel.tells {
            match tell {
                Tell::Typing(conversation, on) => self.hear_typing(now, person, conversation, on),
                Tell::WantCards(nodes) => self.give_cards(now, node, person, &nodes),
                Tell::Cards(cards) => cards.iter().for_each(|card| self.learn_card(card, None)),
            }
        }
    }

    /// Takes the next item of a node. False when there is no room for it: it has to come again.
    fn take_item(&mut self, now: Now, node: NodeId, person: PersonId, item: &[u8]) -> bool {
        let is_own = person == self.me;
        match Item::decode(item) {
            Ok(Some(Item::Message(message, audience))) => {
                if !self.take_message(now, node, person, *message, audience) {
                    return false;
                }
            }
            Ok(Some(Item::Ask(conversation, ids))) => self.asked(node, person, &conversation, &ids),
            Ok(Some(Item::Void(conversation, ids))) => self.take_void(now, node, person, &conversation, &ids),
            Ok(Some(Item::Have { conversation, ids, history })) if is_own => {
                self.take_have(now, node, conversation, &ids, history);
            }
            Ok(Some(Item::Read(conversation, ids))) => self.take_read(person, &conversation, &ids),
            Ok(Some(Item::Card(card))) => self.learn_card(&card, None),
            Ok(Some(Item::History)) if is_own => self.give_history(node),
            Ok(Some(Item::Decided(conversation, accepted))) if is_own => {
                self.take_decided(now, &conversation, accepted);
            }
            // What a later version says is passed over; the number counts.
            Ok(Some(Item::Have { .. } | Item::History | Item::Decided(..)) | None) | Err(_) => {}
        }
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.inn.take();
            self.changed_peers.insert(node);
        }
        true
    }

    /// Takes a message that a node of a person brought. False when there is no room for it.
    fn take_message(&mut self, now: Now, node: NodeId, person: PersonId, message: Message, audience: Audience) -> bool {
        let (id, author, conversation) = (message.id, message.author, message.conversation.clone());
        let is_own = person == self.me;
        let is_here = conversation.partner(self.me).is_some() || matches!(conversation, Conversation::Room(..));
        // Others speak for themselves alone; our own nodes bring what anybody said to us.
        if !is_here || author != person && !is_own {
            return true;
        }
        let wanted = is_own && self.page_came(now, node, &conversation, id);
        if self.people.is_blocked(author) {
            self.void(now, &conversation, id);
            return true;
        }
        let is_known = self.courses.get(&conversation).is_some_and(|course| course.is_shown(id) || course.is_held(id));
        if author == self.me && !is_known && self.is_pending(&conversation) {
            // Another node of ours let them write: what was not taken here before may be what this one answers.
            self.decide(now, &conversation, Standing::Accepted);
        }
        let is_request = author != self.me && !is_known && self.is_pending(&conversation);
        if is_request && !self.may_request(&conversation, &message, is_own) {
            let standing = self.standing(&conversation);
            let is_first = standing == Standing::Unheard && is_too_long(&message);
            if is_first || matches!(standing, Standing::Asking(_)) {
                self.course(&conversation, |course| course.note_beyond(id));
            }
            // What is only one too many may come by another node of ours.
            if is_too_long(&message) || standing == Standing::Refused {
                self.void(now, &conversation, id);
            }
            return true;
        }
        if is_request && is_own && !wanted {
            // What was too long here may be there, too.
            self.course(&conversation, |course| course.hope_again(now.mono + ASK_AFTER));
        }
        let doubted = !is_own && !self.people.takes_part(author, &conversation);
        if doubted && self.doubted.len() >= MAX_DOUBTED {
            return false;
        }
        if self.course(&conversation, |course| course.take_passed(id)) || wanted {
            // Nobody waits for what precedes what was before this node came; and history comes in no order.
            let causes = message.after.clone();
            causes.into_iter().for_each(|cause| self.void(now, &conversation, cause));
        }
        // What precedes it of the same pen should have come before it, on the same way; but a new node has nothing yet.
        let has_begun = self.courses.get(&conversation).is_some_and(|course| course.has_begun());
        let gap = message.after.iter().copied().find(|cause| cause.pen == id.pen).filter(|_| !is_own && has_begun);
        let room = MAX_HELD_COST.saturating_sub(self.held_cost);
        let held = Held { audience, ..Held::new(now, message, node, doubted) };
        match self.course(&conversation, |course| course.take(held, room, now.mono + ASK_AFTER)) {
            Taken::Shown(shown) => self.show(now, shown, is_own),
            Taken::Held => {
                if doubted {
                    self.doubted.insert((conversation.clone(), id));
                    self.agenda.set_by(Due::Doubted, now.mono + DOUBT_AGAIN);
                }
                gap.into_iter().for_each(|gap| self.course(&conversation, |course| course.hurry(gap, now.mono)));
            }
            Taken::Again => return true,
            Taken::Full => return false,
            Taken::Refused => {
                self.void(now, &conversation, id);
                return true;
            }
        }
        if is_request {
            self.count_request(&conversation);
        }
        true
    }

    /// Whether somebody who was not asked to write may leave this.
    fn may_request(&self, conversation: &Conversation, message: &Message, is_own: bool) -> bool {
        let standing = self.standing(conversation);
        let has_room = match standing {
            Standing::Unheard => self.requests.len() < MAX_REQUESTS,
            Standing::Asking(asked) => asked < MAX_REQUEST_MESSAGES,
            Standing::Accepted => true,
            Standing::Refused => false,
        };
        // What another node of ours took already is no longer counted.
        let is_taken = is_own && standing != Standing::Refused;
        is_taken || has_room && !is_too_long(message)
    }

    fn count_request(&mut self, conversation: &Conversation) {
        let asked = match self.courses.get(conversation).map(|course| course.standing()) {
            Some(Standing::Asking(asked)) => asked + 1,
            _ => 1,
        };
        self.course(conversation, |course| course.set_standing(Standing::Asking(asked)));
        if self.requests.insert(conversation.clone()) {
            self.changes.push(Change::Request(conversation.clone(), true));
            self.event(Event::Request(conversation.clone()));
        }
    }

    /// Nobody waits for this one any more.
    pub(super) fn void(&mut self, now: Now, conversation: &Conversation, id: MessageId) {
        let shown = self.course(conversation, |course| course.void(id));
        self.show(now, shown, false);
    }

    /// Messages enter the history. `via_own`: the first came from another node of ours, which told the others.
    pub(super) fn show(&mut self, now: Now, shown: Vec<Message>, via_own: bool) {
        for (i, message) in shown.into_iter().enumerate() {
            let conversation = &message.conversation;
            if !self.doubted.is_empty() {
                self.doubted.remove(&(conversation.clone(), message.id));
            }
            if message.author != self.me {
                if !(via_own && i == 0) {
                    self.tell_own_later(now, conversation, message.id);
                }
            } else if self.is_pending(conversation) {
                // Whoever writes to somebody wants to hear them.
                self.decide(now, conversation, Standing::Accepted);
            }
            self.changes.push(Change::Message(Box::new(message.clone())));
            self.event(Event::Shown(Box::new(message)));
        }
    }
}

/// Whether a message is too long for somebody who was not asked to write.
pub(super) fn is_too_long(message: &Message) -> bool {
    message.encode().len() > MAX_REQUEST_LEN
}
