//! What is stored, and how all is restored of it.
//!
//! Keys begin with a byte for the kind: `p` our pen; `c`, `r`, `w`, `j`, `b`, `u` the parts of a course (`FactOf`); `h` a
//! node and `q` what waits for it; `m` a message of ours on its way and `o` to whom it is owed; `n` what our other nodes have to be
//! told and `y` what they have; `x` a mailbox of ours; `v` whatever the cipher stores.

use base::{NodeId, Now};

use super::super::channel::Queued;
use super::super::cipher::Cipher;
use super::super::conversation::{Course, Standing, read_fact};
use super::super::id::Pen;
use super::super::io::{Change, Output};
use super::super::parcel::ITEM_OVERHEAD;
use super::agenda::{Due, Timer};
use super::peer::{self, PEER, Peer, QUEUED, peer_key, read_queued};
use super::post::{OWED, POST, read_owed_key};
use super::{ASK_AFTER, Chat};

const PEN: &[u8] = b"p";

impl<C: Cipher> Chat<C> {
    /// Takes all facts that were stored. One that cannot be read is passed over: no other build wrote it, and the rest is
    /// worth more than none.
    pub(super) fn restore(&mut self, mut facts: Vec<(Vec<u8>, Vec<u8>)>) {
        // Posts before what refers to them, nodes before what waits for them, each queue in the order of its numbers.
        facts.sort_unstable();
        let of = |kind: u8| facts.iter().filter(move |(key, _)| key.first() == Some(&kind));
        match facts.iter().find(|(key, _)| key == PEN).and_then(|(_, pen)| pen.as_slice().try_into().ok()) {
            Some(pen) => self.pen = Pen(pen),
            None => _ = self.facts.insert(PEN.to_vec(), Some(self.pen.0.to_vec())),
        }
        for (key, value) in of(POST) {
            if let Some(number) = key[1..].try_into().ok().map(u64::from_be_bytes) {
                _ = self.posts.restore(number, value);
            }
        }
        for (key, _) in of(OWED) {
            if !read_owed_key(key).is_some_and(|(person, post)| self.posts.restore_debt(person, post)) {
                self.facts.insert(key.clone(), None);
            }
        }
        let queued: Vec<_> = of(QUEUED).collect();
        for (key, value) in of(PEER) {
            let node = key[1..].try_into().ok().map(NodeId);
            if let Some((node, (peer, next))) = node.zip(Peer::restore(value).ok()) {
                self.restore_peer(node, peer, next, &queued);
            }
        }
        for (key, value) in &facts {
            if let Some((conversation, fact)) = read_fact(key) {
                _ = self.courses.entry(conversation).or_default().restore(fact, value);
            }
        }
        for (key, value) in &facts {
            _ = self.restore_own(key, value);
            _ = self.restore_pickup(key, value);
        }
        for post in self.posts.unused() {
            self.drop_unused(post);
        }
    }

    /// Takes a node that was stored, and what waits for it of all that waits, which is sorted.
    fn restore_peer(&mut self, node: NodeId, mut peer: Peer, next: u64, queued: &[&(Vec<u8>, Vec<u8>)]) {
        let (first, end) = (peer::queued_key(node, peer.out.oldest()), peer::queued_key(node, next));
        let at = queued.partition_point(|(key, _)| *key < first);
        let mut entries = queued[at..].iter().take_while(|(key, _)| *key < end).peekable();
        for number in peer.out.oldest()..next {
            let entry = entries.next_if(|(key, _)| *key == peer::queued_key(node, number));
            let what = match entry.and_then(|(_, value)| read_queued(value)) {
                Some(Queued::Post(post)) if !self.posts.restore_use(post) => Queued::Nothing,
                Some(what) => what,
                None => Queued::Nothing,
            };
            let len = match &what {
                Queued::Post(post) => self.posts.get(*post).map_or(0, |post| post.item.len()),
                Queued::Item(item) => item.len(),
                Queued::Card | Queued::Nothing => 1,
            };
            peer.out.push(what, len + ITEM_OVERHEAD);
        }
        self.peers.insert(node, peer);
    }

    /// The clock is read for the first time.
    pub(super) fn wake(&mut self, now: Now) {
        let conversations: Vec<_> = self.courses.keys().cloned().collect();
        for conversation in conversations {
            self.course(&conversation, |course| course.wake(now, now.mono + ASK_AFTER));
            let course = &self.courses[&conversation];
            if matches!(course.standing(), Standing::Asking(_)) {
                self.requests.insert(conversation.clone());
            }
            let doubted = course.held().filter(|held| held.doubted).map(|held| held.message.id);
            self.doubted.extend(doubted.map(|id| (conversation.clone(), id)));
        }
        if !self.doubted.is_empty() {
            self.agenda.set(Due::Doubted, now.mono);
        }
        for mailbox in self.pickups.keys() {
            self.agenda.set(Due::Pickup(*mailbox), now.mono);
        }
        if !self.news.is_empty() {
            self.agenda.set(Due::Announce, now.mono);
        }
        let deposited = self.peers.iter().filter(|(_, peer)| peer.out.deposited >= peer.out.oldest());
        for (node, peer) in deposited {
            let at = now.mono + peer.mail.again_after(now.wall);
            self.agenda.set(Due::Peer(*node, Timer::Redeposit), at);
        }
    }

    /// Gives out what this input changed, and behind it what it wants to be done.
    pub(super) fn flush(&mut self) {
        for conversation in std::mem::take(&mut self.changed_courses) {
            let blank = self.courses.get(&conversation).is_none_or(Course::is_blank);
            if let Some(course) = self.courses.get_mut(&conversation) {
                if blank {
                    course.erase();
                }
                self.facts.extend(course.facts(&conversation));
            }
            if blank {
                self.courses.remove(&conversation);
            }
        }
        for node in std::mem::take(&mut self.changed_peers) {
            if let Some(peer) = self.peers.get(&node) {
                self.facts.insert(peer_key(node), Some(peer.fact()));
            }
        }
        let own = self.own_facts();
        self.facts.extend(own);
        let mut changes = std::mem::take(&mut self.changes);
        let facts = std::mem::take(&mut self.facts).into_iter().chain(self.cipher.facts());
        changes.extend(facts.map(|(key, value)| Change::Fact(key, value)));
        if !changes.is_empty() {
            self.out.push_back(Output::Persist(changes));
        }
        self.out.extend(self.wishes.drain(..));
    }
}
