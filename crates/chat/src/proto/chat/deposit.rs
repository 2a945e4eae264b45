//! Mailboxes of others: what waits for a node that is away is left in two of those that its card names.

use std::time::Duration;

use base::{NodeId, Now, WallTime};

use super::super::channel::Queued;
use super::super::cipher::Cipher;
use super::super::io::Output;
use super::super::mailbox::{Answer, Refusal, Request};
use super::super::parcel::MAX_PARCEL_ITEMS;
use super::agenda::{Due, Timer};
use super::peer::{AckState, Link};
use super::{Chat, Question};

/// In how many mailboxes of a node something is left: one of them may be lost.
const COPIES: usize = 2;

/// After what time mailboxes are tried again of which none kept anything. It doubles each time. Arbitrary.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// The longest such time. Arbitrary.
const MAX_RETRY: Duration = Duration::from_secs(3600);

/// How long the same mark is not acknowledged by mailbox again: less than after what time what lies there is deposited
/// again, which says that the acknowledgement got lost.
const ACKNOWLEDGED: Duration = Duration::from_secs(5 * 3600);

/// Of which days the tag is tried, one after the other, in days from now by our clock: a node awaits those of a month to
/// come, so that these cover clocks that are wrong by more than two weeks.
const DAYS: [i64; 3] = [0, 16, -16];

const DAY_S: i64 = 86_400;

impl<C: Cipher> Chat<C> {
    /// Leaves the next part of what waits for a node, which is away, in its mailboxes.
    pub(super) fn deposit(&mut self, now: Now, node: NodeId) {
        let due = Due::Peer(node, Timer::Deposit);
        let Some(peer) = self.peers.get_mut(&node).filter(|peer| peer.link == Link::Away && peer.mail.asked == 0)
        else {
            return;
        };
        let numbers = peer.out.to_deposit(MAX_PARCEL_ITEMS);
        let lately = peer.mail.acknowledged_at.is_some_and(|at| now.mono - at < ACKNOWLEDGED);
        if peer.ack == AckState::Ripe && peer.mail.acknowledged == peer.inn.mark() && lately && !peer.lost {
            peer.ack = AckState::None;
        }
        if numbers.is_none() && peer.ack != AckState::Ripe || self.agenda.has(&due) {
            return;
        }
        let mailboxes = self.cipher.mailboxes_of(node);
        let day = WallTime(now.wall.0.saturating_add_signed(DAYS[peer.mail.day % DAYS.len()] * DAY_S));
        let Some(tag) = self.cipher.tag_of(node, Now { wall: day, ..now }) else { return self.miss_card(now, node) };
        if mailboxes.is_empty() {
            return;
        }
        let parcel = self.parcel(now, node, numbers, Vec::new()).encode();
        let Some(envelope) = self.cipher.seal(now, node, &parcel) else { return };
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let mail = &mut peer.mail;
        let skip = mail.failures as usize % mailboxes.len();
        let chosen: Vec<_> = mailboxes.iter().cycle().skip(skip).take(COPIES.min(mailboxes.len())).cloned().collect();
        (mail.asked, mail.kept, mail.is_unknown) = (chosen.len(), false, false);
        mail.last = numbers.map_or(peer.out.deposited, |(_, last)| last);
        (mail.acknowledging, mail.tells_lost) = (peer.inn.mark(), peer.lost);
        (peer.ack, peer.unacknowledged, peer.lost) = (AckState::None, 0, false);
        self.agenda.clear(&Due::Peer(node, Timer::Ack));
        let request = Request::Deposit { tag, envelope }.encode();
        for (mailbox, whereabouts) in chosen {
            let token = self.token();
            self.questions.insert(token, Question::Deposit(node));
            self.wish(Output::Ask { token, mailbox, whereabouts, request: request.clone() });
        }
    }

    /// A mailbox of a node answered, or did not.
    pub(super) fn deposit_answered(&mut self, now: Now, node: NodeId, answer: Option<Answer>) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let mail = &mut peer.mail;
        mail.asked = mail.asked.saturating_sub(1);
        mail.is_unknown |= answer == Some(Answer::Refused(Refusal::UnknownTag));
        mail.kept |= answer == Some(Answer::Kept);
        if mail.asked > 0 {
            return;
        }
        if !mail.kept {
            mail.day += usize::from(mail.is_unknown);
            let after = if mail.is_unknown && mail.day % DAYS.len() != 0 {
                Duration::ZERO
            } else {
                mail.failures = mail.failures.saturating_add(1);
                RETRY_AFTER.saturating_mul(1 << (mail.failures - 1).min(16)).min(MAX_RETRY)
            };
            peer.lost |= mail.tells_lost;
            if peer.lost || mail.acknowledging != mail.acknowledged && mail.acknowledging == peer.inn.mark() {
                peer.ack = AckState::Ripe;
            }
            self.agenda.set(Due::Peer(node, Timer::Deposit), now.mono + after);
            return;
        }
        mail.failures = 0;
        (mail.acknowledged, mail.acknowledged_at) = (mail.acknowledging, Some(now.mono));
        let (from, to, person) = (peer.out.deposited + 1, mail.last, peer.person);
        peer.out.deposited = peer.out.deposited.max(to);
        let post = |number| match peer.out.get(number) {
            Some(Queued::Post(post)) => Some(*post),
            _ => None,
        };
        let posts: Vec<_> = (from..=to).filter_map(post).collect();
        // What lies there longest does not wait for what follows it, however much that is.
        let due = Due::Peer(node, Timer::Redeposit);
        if !self.agenda.has(&due) {
            peer.mail.at = now.wall;
            self.agenda.set(due, now.mono + peer.mail.again_after(now.wall));
        }
        posts.into_iter().for_each(|post| self.deposited(person, post));
        self.changed_peers.insert(node);
        self.ready.insert(node);
    }

    /// What lies in a node's mailboxes was not acknowledged for long: they may have forgotten it.
    pub(super) fn deposit_again(&mut self, node: NodeId) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if peer.out.deposited < peer.out.oldest() {
            return;
        }
        peer.out.deposited = peer.out.oldest() - 1;
        peer.mail.times = peer.mail.times.saturating_add(1);
        peer.fresh = true;
        self.changed_peers.insert(node);
        self.ready.insert(node);
    }
}
