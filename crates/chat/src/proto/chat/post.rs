//! Messages of ours on their way: to which nodes they are queued, and to which persons they are owed.
//!
//! A message is *owed* to a person until one node of theirs has it. Whichever node of theirs becomes known meanwhile, it
//! gets what is owed. So a message reaches also those of whom no node was known when it was written.
//!
//! Invariant: a post is kept while it is queued for a node or owed to a person, and no longer.

use std::collections::{BTreeMap, BTreeSet};

use base::{NodeId, PersonId};
use people::proto::codec::{DecodeError, Reader, Writer};

use super::super::channel::{MAX_WAITING, MAX_WAITING_BYTES, Queued};
use super::super::cipher::Cipher;
use super::super::id::{Audience, Conversation, MessageId};
use super::super::io::{Change, Event, Stage};
use super::super::item::{Item, MAX_ITEM};
use super::super::message::Message;
use super::super::parcel::ITEM_OVERHEAD;
use super::Chat;
use super::peer::{peer_key, queued_key, write_queued};
use super::people::People;

/// The first byte of a post's key.
pub(super) const POST: u8 = b'm';
/// The first byte of the keys of what is owed.
pub(super) const OWED: u8 = b'o';

/// How many bytes a card is counted as, whose length is known when it is sent.
const CARD_LEN: usize = 2 << 10;

/// A message of ours on its way.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) conversation: Conversation,
    pub(super) id: MessageId,
    /// As `Item` writes it.
    pub(super) item: Vec<u8>,
    /// For how many nodes it is queued and to how many persons it is owed.
    uses: usize,
}

/// How much is owed to one person in rooms, and how much beside: half of what may wait for one node, so that neither
/// takes the place of the other.
pub(super) const MAX_OWED: usize = MAX_WAITING / 2;
/// See [`MAX_OWED`].
const MAX_OWED_BYTES: usize = MAX_WAITING_BYTES / 2;

/// Where something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Room,
    Direct,
}

impl Kind {
    fn of(conversation: &Conversation) -> Kind {
        match conversation {
            Conversation::Direct(..) => Kind::Direct,
            Conversation::Room(..) => Kind::Room,
        }
    }
}

/// What is owed to a person.
#[derive(Debug, Default)]
struct Debt {
    posts: BTreeSet<u64>,
    bytes: usize,
}

/// All messages of ours on their way. See the module.
#[derive(Debug, Default)]
pub(super) struct Posts {
    last: u64,
    posts: BTreeMap<u64, Post>,
    owed: BTreeMap<(PersonId, Kind), Debt>,
}

impl Posts {
    pub(super) fn get(&self, post: u64) -> Option<&Post> {
        self.posts.get(&post)
    }

    /// Whether as much is owed to a person as may be.
    pub(super) fn is_full(&self, person: PersonId, kind: Kind) -> bool {
        let debt = self.owed.get(&(person, kind));
        debt.is_some_and(|debt| debt.posts.len() >= MAX_OWED || debt.bytes >= MAX_OWED_BYTES)
    }

    fn owes(&self, person: PersonId, number: u64) -> bool {
        let Some(post) = self.posts.get(&number) else { return false };
        let debt = self.owed.get(&(person, Kind::of(&post.conversation)));
        debt.is_some_and(|debt| debt.posts.contains(&number))
    }

    /// Returns what is owed to a person, in the order in which it was written.
    pub(super) fn owed_to(&self, person: PersonId) -> BTreeSet<u64> {
        let debts = [Kind::Room, Kind::Direct].into_iter().filter_map(|kind| self.owed.get(&(person, kind)));
        debts.flat_map(|debt| &debt.posts).copied().collect()
    }

    /// Returns to whom anything is owed.
    pub(super) fn creditors(&self) -> BTreeSet<PersonId> {
        self.owed.keys().map(|(person, _)| *person).collect()
    }

    /// Takes a post that was stored.
    pub(super) fn restore(&mut self, post: u64, value: &[u8]) -> Result<(), DecodeError> {
        let item = value.to_vec();
        let Some(Item::Message(message, _)) = Item::decode(&item)? else { return Err(DecodeError::Value) };
        let Message { conversation, id, .. } = *message;
        self.posts.insert(post, Post { conversation, id, item, uses: 0 });
        self.last = self.last.max(post);
        Ok(())
    }

    /// Takes a debt that was stored, after all posts. False when its post is not there.
    pub(super) fn restore_debt(&mut self, person: PersonId, post: u64) -> bool {
        self.owe(person, post)
    }

    fn owe(&mut self, person: PersonId, number: u64) -> bool {
        let Some(post) = self.posts.get_mut(&number) else { return false };
        let debt = self.owed.entry((person, Kind::of(&post.conversation))).or_default();
        if debt.posts.insert(number) {
            debt.bytes += post.item.len();
            post.uses += 1;
        }
        true
    }

    /// Counts that a stored queue has a post. False when it is not there.
    pub(super) fn restore_use(&mut self, post: u64) -> bool {
        let Some(post) = self.posts.get_mut(&post) else { return false };
        post.uses += 1;
        true
    }

    /// Returns posts that nobody waits for, which only a fault could have left in the tables.
    pub(super) fn unused(&self) -> Vec<u64> {
        self.posts.iter().filter(|(_, post)| post.uses == 0).map(|(number, _)| *number).collect()
    }
}

fn post_key(post: u64) -> Vec<u8> {
    Writer::new().u8(POST).u64(post).finish()
}

fn owed_key(person: PersonId, post: u64) -> Vec<u8> {
    Writer::new().u8(OWED).fixed(&person.0).u64(post).finish()
}

/// Reads whose debt a key names.
pub(super) fn read_owed_key(key: &[u8]) -> Option<(PersonId, u64)> {
    let mut from = Reader::new(key.strip_prefix(&[OWED])?);
    let owed = (PersonId(from.fixed().ok()?), from.u64().ok()?);
    from.finish().ok()?;
    Some(owed)
}

impl<C: Cipher> Chat<C> {
    /// Sends a message of ours on its way: owed to each of the audience, queued for their nodes and our own. `marks`: the
    /// same people, as a room is told of them.
    pub(super) fn post(&mut self, message: &Message, marks: &Audience, audience: &BTreeSet<PersonId>) {
        let item = Item::of_message(&message.encode(), marks);
        self.posts.last += 1;
        let number = self.posts.last;
        let (conversation, id) = (message.conversation.clone(), message.id);
        self.facts.insert(post_key(number), Some(item.clone()));
        self.posts.posts.insert(number, Post { conversation, id, item, uses: 0 });
        for &person in audience {
            let kind = Kind::of(&message.conversation);
            while self.posts.is_full(person, kind) {
                // A room does not fall silent since one of its members is away. They ask for what they miss, later.
                let debt = self.posts.owed.get(&(person, kind));
                let Some(oldest) = debt.and_then(|debt| debt.posts.first().copied()) else { break };
                self.settle_debt(person, oldest);
            }
            self.posts.owe(person, number);
            self.facts.insert(owed_key(person, number), Some(Vec::new()));
            let stage = Change::Stage(message.conversation.clone(), id, person, Stage::Waiting);
            self.changes.push(stage);
        }
        let nodes: Vec<_> =
            audience.iter().chain([&self.me]).flat_map(|person| self.people.nodes_of(*person)).collect();
        nodes.into_iter().for_each(|node| self.queue_post(node, number));
        self.drop_unused(number);
    }

    /// A node became known: it gets what is owed to its person.
    pub(super) fn queue_owed(&mut self, node: NodeId, person: PersonId) {
        self.posts.owed_to(person).into_iter().for_each(|post| self.queue_post(node, post));
    }

    fn queue_post(&mut self, node: NodeId, number: u64) {
        if !self.peers.contains_key(&node) {
            return;
        }
        let Some(post) = self.posts.posts.get_mut(&number) else { return };
        post.uses += 1;
        let len = post.item.len();
        self.queue(node, Queued::Post(number), len);
    }

    /// Queues an item for one node.
    pub(super) fn queue_item(&mut self, node: NodeId, item: &Item) {
        let item = item.encode();
        debug_assert!(item.len() <= MAX_ITEM);
        let len = item.len();
        self.queue(node, Queued::Item(item), len);
    }

    /// Whether an item waits for a node already.
    pub(super) fn is_queued(&self, node: NodeId, item: &Item) -> bool {
        let item = Queued::Item(item.encode());
        self.peers.get(&node).is_some_and(|peer| peer.out.iter().any(|(_, what)| *what == item))
    }

    /// Queues this node's card for a node, unless it is to get it anyway. What is under way is the card as it was.
    pub(super) fn queue_card(&mut self, node: NodeId) {
        let Some(peer) = self.peers.get(&node) else { return };
        let waits = |(number, what): (u64, &Queued)| *what == Queued::Card && peer.out.is_unsent(number);
        if !peer.out.iter().any(waits) {
            self.queue(node, Queued::Card, CARD_LEN);
        }
    }

    fn queue(&mut self, node: NodeId, what: Queued, len: usize) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        // A node that is gone for years does not fill this one. What it misses it asks for when it is back. Only what is
        // owed to its person directly goes to the end of the queue instead; that is half of it at most.
        let (mut dropped, mut kept) = (Vec::new(), Vec::new());
        while peer.out.is_full() {
            let Some((number, what)) = peer.out.drop_oldest() else { break };
            let direct = match what {
                Queued::Post(post) => {
                    self.posts.owed.get(&(peer.person, Kind::Direct)).filter(|debt| debt.posts.contains(&post))
                }
                _ => None,
            };
            if direct.is_some() {
                self.facts.insert(queued_key(node, number), None);
                kept.push(what);
            } else {
                dropped.push((number, what));
            }
        }
        peer.fresh = true;
        for (what, len) in kept.into_iter().map(|what| (what, None)).chain([(what, Some(len))]) {
            let len = match &what {
                Queued::Post(post) => self.posts.get(*post).map_or(0, |post| post.item.len()),
                _ => len.unwrap_or_default(),
            };
            let value = write_queued(&what);
            let number = peer.out.push(what, len + ITEM_OVERHEAD);
            self.facts.insert(queued_key(node, number), Some(value));
        }
        self.changed_peers.insert(node);
        self.ready.insert(node);
        self.release_all(node, dropped);
    }

    /// Items left the queue of a node, for whatever reason.
    pub(super) fn release_all(&mut self, node: NodeId, entries: Vec<(u64, Queued)>) {
        for (number, what) in entries {
            self.facts.insert(queued_key(node, number), None);
            if let Queued::Post(post) = what {
                self.release(post);
            }
        }
    }

    /// Takes out of the queue of a node what it may not have any more.
    pub(super) fn withdraw(&mut self, node: NodeId, unwanted: impl Fn(&People, &Conversation) -> bool) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let (posts, people) = (&self.posts, &self.people);
        let unwanted = |conversation: &Conversation| unwanted(people, conversation);
        let withdrawn = peer.out.withdraw(|what| match what {
            Queued::Post(post) => posts.get(*post).is_some_and(|post| unwanted(&post.conversation)),
            Queued::Item(item) => match Item::decode(item) {
                Ok(Some(Item::Message(message, _))) => unwanted(&message.conversation),
                Ok(Some(Item::Ask(conversation, _) | Item::Void(conversation, _) | Item::Read(conversation, _))) => {
                    unwanted(&conversation)
                }
                _ => false,
            },
            Queued::Card | Queued::Nothing => false,
        });
        for (number, what) in withdrawn {
            self.facts.insert(queued_key(node, number), Some(write_queued(&Queued::Nothing)));
            if let Queued::Post(post) = what {
                self.release(post);
            }
        }
    }

    /// A node has it: so has its person.
    pub(super) fn delivered(&mut self, person: PersonId, number: u64) {
        if !self.posts.owes(person, number) {
            return;
        }
        if let Some(post) = self.posts.get(number) {
            let (conversation, id) = (post.conversation.clone(), post.id);
            self.stage(conversation, id, person, Stage::Delivered);
        }
        self.settle_debt(person, number);
    }

    /// A mailbox of a person has it.
    pub(super) fn deposited(&mut self, person: PersonId, number: u64) {
        if let Some(post) = self.posts.get(number).filter(|_| self.posts.owes(person, number)) {
            let (conversation, id) = (post.conversation.clone(), post.id);
            self.stage(conversation, id, person, Stage::InMailbox);
        }
    }

    /// Records how far a message is with a person, and tells it.
    pub(super) fn stage(&mut self, conversation: Conversation, id: MessageId, person: PersonId, stage: Stage) {
        self.changes.push(Change::Stage(conversation.clone(), id, person, stage));
        self.event(Event::Stage(conversation, id, person, stage));
    }

    /// A person is owed a post no longer: they have it, or may not any more.
    pub(super) fn settle_debt(&mut self, person: PersonId, number: u64) {
        let Some(post) = self.posts.posts.get(&number) else { return };
        let key = (person, Kind::of(&post.conversation));
        let Some(debt) = self.posts.owed.get_mut(&key).filter(|debt| debt.posts.contains(&number)) else { return };
        debt.posts.remove(&number);
        debt.bytes -= post.item.len();
        if debt.posts.is_empty() {
            self.posts.owed.remove(&key);
        }
        self.facts.insert(owed_key(person, number), None);
        self.release(number);
    }

    fn release(&mut self, number: u64) {
        if let Some(post) = self.posts.posts.get_mut(&number) {
            post.uses = post.uses.saturating_sub(1);
            self.drop_unused(number);
        }
    }

    /// Drops a post that nobody waits for.
    pub(super) fn drop_unused(&mut self, number: u64) {
        if self.posts.posts.get(&number).is_some_and(|post| post.uses == 0) {
            self.posts.posts.remove(&number);
            self.facts.insert(post_key(number), None);
        }
    }

    /// Forgets a node altogether: it is revoked, or its person is nobody any more that we speak with.
    pub(super) fn drop_peer(&mut self, node: NodeId) {
        let Some(peer) = self.peers.remove(&node) else { return };
        if peer.person == self.me {
            self.own_wants_all(node);
        }
        let entries = peer.out.iter().map(|(number, what)| (number, what.clone())).collect();
        self.release_all(node, entries);
        self.facts.insert(peer_key(node), None);
        self.changed_peers.remove(&node);
        self.ready.remove(&node);
        if let Some(wanted) = self.wanted.remove(&node) {
            self.forget_wanted(node, wanted);
        }
        // Whoever is blocked may be heard again some day.
        if !self.people.was_named(node) {
            self.cipher.forget(node);
        }
    }
}
