//! Streams: when a node is dialled, what is sent to it, what is sent again.

use std::time::Duration;

use base::{NodeId, Now};

use super::super::channel::{Queued, WINDOW};
use super::super::cipher::Cipher;
use super::super::frame::Frame;
use super::super::io::Output;
use super::super::item::{Item, NOTHING};
use super::super::parcel::{Ack, MAX_PARCEL_ITEMS, Parcel, Tell};
use super::Chat;
use super::agenda::{Due, Timer};
use super::peer::{AckState, Link};
use super::take::RENEW_AFTER;

/// How long what came waits on a stream for more, to be acknowledged together: below what people notice, and longer than
/// what is written at once takes to arrive. Arbitrary.
const ACK_AFTER: Duration = Duration::from_millis(100);

/// How long it waits where no stream stands, since an acknowledgement costs the mailbox as much as a message. Arbitrary.
const ACK_BY_MAIL_AFTER: Duration = Duration::from_secs(30);

/// After how many bytes it does not wait: a quarter of the window.
const ACK_BYTES: usize = WINDOW / 4;

/// After what time what was not acknowledged on a stream is sent again. It doubles each time. Arbitrary: long after an
/// acknowledgement over any link should have come.
const RESEND_AFTER: Duration = Duration::from_secs(5);

/// The longest such time. Arbitrary.
const MAX_RESEND: Duration = Duration::from_secs(300);

/// After what time a node that could not be reached is dialled again. It doubles each time.
const REDIAL_AFTER: Duration = Duration::from_secs(5);

/// The longest such time: how long somebody who comes back waits at most.
const MAX_REDIAL: Duration = Duration::from_secs(600);

/// How long ago a node must have been tried to be dialled at once for something new. Arbitrary.
const TRIED_LATELY: Duration = Duration::from_secs(30);

impl<C: Cipher> Chat<C> {
    /// A stream to a node stands.
    pub(super) fn link_up(&mut self, now: Now, node: NodeId) {
        self.connected.insert(node);
        if !self.is_introduced || !self.peers.contains_key(&node) {
            return;
        }
        let card = self.cipher.card(now);
        self.wish(Output::Send(node, Frame::Card(&card).encode()));
        let Some(peer) = self.peers.get_mut(&node) else { return };
        peer.link = Link::Connected;
        (peer.failures, peer.resends, peer.fresh) = (0, 0, false);
        peer.out.rewind();
        for timer in [Timer::Redial, Timer::Deposit, Timer::Resend] {
            self.agenda.clear(&Due::Peer(node, timer));
        }
        if peer.ack != AckState::None {
            self.agenda.set_by(Due::Peer(node, Timer::Ack), now.mono + ACK_AFTER);
        }
        self.want_cards_of(node);
        self.ready.insert(node);
    }

    /// The stream to a node ended. What was under way may be lost.
    pub(super) fn link_down(&mut self, now: Now, node: NodeId) {
        self.connected.remove(&node);
        let Some(peer) = self.peers.get_mut(&node).filter(|peer| peer.link == Link::Connected) else { return };
        peer.link = Link::Away;
        peer.tried = Some(now.mono);
        peer.tells.clear();
        peer.out.rewind();
        self.agenda.clear(&Due::Peer(node, Timer::Resend));
        if peer.has_something() {
            self.agenda.set(Due::Peer(node, Timer::Redial), now.mono + REDIAL_AFTER);
        }
    }

    /// The node could not be reached.
    pub(super) fn unreachable(&mut self, now: Now, node: NodeId) {
        let Some(peer) = self.peers.get_mut(&node).filter(|peer| peer.link != Link::Connected) else { return };
        peer.link = Link::Away;
        peer.failures = peer.failures.saturating_add(1);
        peer.tried = Some(now.mono);
        peer.fresh = false;
        self.ready.insert(node);
    }

    /// A time came that concerns a node.
    pub(super) fn peer_due(&mut self, now: Now, node: NodeId, timer: Timer) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        match timer {
            Timer::Ack if peer.ack == AckState::None => return,
            Timer::Ack => {
                peer.ack = AckState::Ripe;
                peer.fresh = true;
            }
            Timer::Resend if peer.link == Link::Connected => {
                peer.resends = peer.resends.saturating_add(1);
                peer.out.rewind();
            }
            Timer::Resend => return,
            Timer::Redial if peer.link == Link::Away && peer.has_something() => return self.dial(now, node),
            Timer::Redial => return,
            Timer::Deposit => {}
            Timer::Redeposit => return self.deposit_again(node),
        }
        self.ready.insert(node);
    }

    /// Something came of a node, so that it has to be acknowledged: `bytes` of items.
    pub(super) fn owe_ack(&mut self, now: Now, node: NodeId, bytes: usize) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        peer.ack = peer.ack.max(AckState::Wanted);
        peer.unacknowledged += bytes;
        let is_connected = peer.link == Link::Connected;
        if is_connected && (peer.unacknowledged >= ACK_BYTES || peer.lost) {
            peer.ack = AckState::Ripe;
            self.ready.insert(node);
            return;
        }
        let after = if is_connected { ACK_AFTER } else { ACK_BY_MAIL_AFTER };
        self.agenda.set_by(Due::Peer(node, Timer::Ack), now.mono + after);
    }

    /// A node says up to where it has what it was sent.
    pub(super) fn acknowledged(&mut self, now: Now, node: NodeId, ack: Ack) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let person = peer.person;
        let done = peer.out.acknowledge(ack);
        let mut again = false;
        if ack.lost && peer.repeated.is_none_or(|at| now.mono - at >= RENEW_AFTER) {
            peer.repeated = Some(now.mono);
            peer.out.rewind();
            peer.out.deposited = peer.out.oldest() - 1;
            again = true;
        }
        if !done.is_empty() {
            peer.resends = 0;
            (peer.mail.times, peer.mail.at) = (0, now.wall);
            self.changed_peers.insert(node);
            self.agenda.clear(&Due::Peer(node, Timer::Resend));
            let due = Due::Peer(node, Timer::Redeposit);
            match peer.out.deposited >= peer.out.oldest() {
                true => self.agenda.set(due, now.mono + peer.mail.again_after(now.wall)),
                false => self.agenda.clear(&due),
            }
        }
        if again || !done.is_empty() {
            self.ready.insert(node);
        }
        for (_, what) in &done {
            if let Queued::Post(post) = what {
                self.delivered(person, *post);
            }
        }
        self.release_all(node, done);
    }

    /// Sends what there is for a node, or sees to it that it can be.
    pub(super) fn pump(&mut self, now: Now, node: NodeId) {
        if !self.is_introduced {
            return;
        }
        match self.peers.get(&node).map(|peer| peer.link) {
            Some(Link::Connected) => self.transmit(now, node),
            Some(Link::Away) => self.reach(now, node),
            Some(Link::Dialling) | None => {}
        }
    }

    fn transmit(&mut self, now: Now, node: NodeId) {
        loop {
            let Some(peer) = self.peers.get_mut(&node) else { return };
            let window = if peer.resends > 0 { 1 } else { WINDOW };
            let numbers = peer.out.send(MAX_PARCEL_ITEMS, window);
            let tells = if numbers.is_none() { std::mem::take(&mut peer.tells) } else { Vec::new() };
            if numbers.is_none() && tells.is_empty() && peer.ack != AckState::Ripe {
                break;
            }
            let parcel = self.parcel(now, node, numbers, tells);
            let envelope = self.cipher.seal(now, node, &parcel.encode());
            let Some(peer) = self.peers.get_mut(&node) else { return };
            let Some(envelope) = envelope else {
                // Its card comes as the first thing on the stream.
                peer.out.rewind();
                return;
            };
            (peer.ack, peer.unacknowledged, peer.lost) = (AckState::None, 0, false);
            self.agenda.clear(&Due::Peer(node, Timer::Ack));
            self.wish(Output::Send(node, Frame::Envelope(&envelope).encode()));
            if numbers.is_none() {
                break;
            }
        }
        let Some(peer) = self.peers.get(&node) else { return };
        let due = Due::Peer(node, Timer::Resend);
        if peer.out.is_flying() && !self.agenda.has(&due) {
            let after = RESEND_AFTER.saturating_mul(1 << peer.resends.min(16)).min(MAX_RESEND);
            self.agenda.set(due, now.mono + after);
        }
    }

    /// Makes a parcel of the items with these numbers.
    pub(super) fn parcel(&mut self, now: Now, node: NodeId, numbers: Option<(u64, u64)>, tells: Vec<Tell>) -> Parcel {
        let (peer, posts, cipher) = (&self.peers[&node], &self.posts, &mut self.cipher);
        let item = |number| match peer.out.get(number) {
            Some(Queued::Post(post)) => posts.get(*post).map_or(NOTHING.to_vec(), |post| post.item.clone()),
            Some(Queued::Item(item)) => item.clone(),
            Some(Queued::Card) => Item::Card(cipher.card(now)).encode(),
            Some(Queued::Nothing) | None => NOTHING.to_vec(),
        };
        let items = numbers.map(|(first, last)| (first..=last).map(item).collect()).unwrap_or_default();
        Parcel {
            incarnation: peer.out.incarnation(),
            oldest: peer.out.oldest(),
            first: numbers.map_or(peer.out.next(), |(first, _)| first),
            items,
            ack: peer.mark(),
            tells,
        }
    }

    /// No stream stands: dials, or leaves it in the mailboxes of a node that was just found to be away.
    fn reach(&mut self, now: Now, node: NodeId) {
        let Some(peer) = self.peers.get(&node).filter(|peer| peer.has_something()) else { return };
        let lately = peer.tried.is_some_and(|tried| now.mono - tried < TRIED_LATELY);
        if peer.tried.is_none() || peer.fresh && !lately {
            return self.dial(now, node);
        }
        let after = REDIAL_AFTER.saturating_mul(1 << peer.failures.saturating_sub(1).min(16)).min(MAX_REDIAL);
        let due = Due::Peer(node, Timer::Redial);
        if !self.agenda.has(&due) {
            self.agenda.set(due, now.mono + after);
        }
        if peer.failures > 0 {
            self.deposit(now, node);
        }
    }

    fn dial(&mut self, now: Now, node: NodeId) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        peer.link = Link::Dialling;
        peer.tried = Some(now.mono);
        peer.fresh = false;
        self.agenda.clear(&Due::Peer(node, Timer::Redial));
        self.wish(Output::Dial(node));
    }
}
