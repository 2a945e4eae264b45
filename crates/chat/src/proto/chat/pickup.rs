//! Our own mailboxes: what they keep for this node is fetched, taken, and only then deleted there.

use std::time::Duration;

use base::{Instant, NodeId, Now};

use super::super::cipher::Cipher;
use super::super::io::{Output, Token, Whereabouts};
use super::super::mailbox::{Answer, MAX_DELETED, MAX_WAIT_S, Refusal, Request, Tag};
use super::agenda::Due;
use super::{Chat, Question};

/// After what time a mailbox is asked again that did not answer, or had nothing and did not wait for it.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// After what time a mailbox is asked again that does not want to serve us. Arbitrary.
const REFUSED: Duration = Duration::from_secs(600);

/// A mailbox that answers later than this waited for something to come. Arbitrary: between no time and [`MAX_WAIT_S`].
const WAITED: Duration = Duration::from_secs(20);

/// One mailbox of ours.
#[derive(Debug, Default)]
pub(super) struct Pickup {
    whereabouts: Whereabouts,
    /// What is registered there, since the start.
    tags: Vec<Tag>,
    /// The number of the last envelope that was fetched.
    after: u64,
    /// Whether one was left there, since the card of its sender is missing.
    left: bool,
    /// Whether those that were left are to be fetched again.
    retry_left: bool,
    /// What was taken and is to be deleted; at most what was fetched at once.
    delete: Vec<u64>,
    asked: Option<(Instant, Errand)>,
}

/// What it was asked for.
#[derive(Debug)]
enum Errand {
    Register(Vec<Tag>),
    Fetch,
    Delete(usize),
}

impl<C: Cipher> Chat<C> {
    /// The user chose these mailboxes for this node.
    pub(super) fn choose_mailboxes(&mut self, now: Now, mailboxes: Vec<(NodeId, Whereabouts)>) {
        if self.cipher.set_mailboxes(now, &mailboxes) {
            self.card_is_news = true;
            self.spread_card();
        }
        let gone = self.pickups.keys().filter(|mailbox| !mailboxes.iter().any(|(node, _)| node == *mailbox));
        for mailbox in gone.copied().collect::<Vec<_>>() {
            self.pickups.remove(&mailbox);
            self.agenda.clear(&Due::Pickup(mailbox));
        }
        for (mailbox, whereabouts) in mailboxes {
            if let Some(pickup) = self.pickups.get_mut(&mailbox) {
                pickup.whereabouts = whereabouts;
                continue;
            }
            self.pickups.insert(mailbox, Pickup { whereabouts, ..Pickup::default() });
            self.agenda.set(Due::Pickup(mailbox), now.mono);
        }
    }

    /// Asks a mailbox of ours for whatever is next.
    pub(super) fn pick_up(&mut self, now: Now, mailbox: NodeId) {
        let tags = self.cipher.own_tags(now);
        let token = self.token();
        let Some(pickup) = self.pickups.get_mut(&mailbox).filter(|pickup| pickup.asked.is_none()) else { return };
        if std::mem::take(&mut pickup.retry_left) {
            pickup.after = 0;
        }
        let (errand, request) = if pickup.tags != tags {
            (Errand::Register(tags.clone()), Request::Register { tags })
        } else if !pickup.delete.is_empty() {
            let ids: Vec<_> = pickup.delete.iter().copied().take(MAX_DELETED).collect();
            (Errand::Delete(ids.len()), Request::Delete { ids })
        } else {
            (Errand::Fetch, Request::Fetch { after: pickup.after, wait_s: MAX_WAIT_S })
        };
        pickup.asked = Some((now.mono, errand));
        let (whereabouts, request) = (pickup.whereabouts.clone(), request.encode());
        self.questions.insert(token, Question::Pickup(mailbox));
        self.wish(Output::Ask { token, mailbox, whereabouts, request });
    }

    /// A mailbox answered, or did not in time.
    pub(super) fn answered(&mut self, now: Now, token: Token, answer: Option<Vec<u8>>) {
        let answer = answer.and_then(|answer| Answer::decode(&answer).ok());
        match self.questions.remove(&token) {
            Some(Question::Deposit(node)) => self.deposit_answered(now, node, answer),
            Some(Question::Pickup(mailbox)) => self.picked_up(now, mailbox, answer),
            None => {}
        }
    }

    fn picked_up(&mut self, now: Now, mailbox: NodeId, answer: Option<Answer>) {
        let Some(pickup) = self.pickups.get_mut(&mailbox) else { return };
        let Some((asked_at, errand)) = pickup.asked.take() else { return };
        let again = match (errand, answer) {
            (Errand::Register(tags), Some(Answer::Registered { .. })) => {
                pickup.tags = tags;
                Duration::ZERO
            }
            (Errand::Delete(count), Some(Answer::Deleted)) => {
                pickup.delete.drain(..count);
                Duration::ZERO
            }
            (Errand::Fetch, Some(Answer::Envelopes { envelopes, .. })) if envelopes.is_empty() => {
                if now.mono - asked_at >= WAITED { Duration::ZERO } else { ASK_AGAIN }
            }
            (Errand::Fetch, Some(Answer::Envelopes { envelopes, .. })) => {
                self.take_envelopes(now, mailbox, envelopes);
                Duration::ZERO
            }
            (_, Some(Answer::Refused(Refusal::NotRegistered))) => {
                pickup.tags.clear();
                ASK_AGAIN
            }
            (_, Some(Answer::Refused(Refusal::Busy)) | None) => ASK_AGAIN,
            _ => REFUSED,
        };
        self.agenda.set(Due::Pickup(mailbox), now.mono + again);
    }

    fn take_envelopes(&mut self, now: Now, mailbox: NodeId, envelopes: Vec<(u64, Vec<u8>)>) {
        let (mut done, mut after, mut left) = (Vec::new(), 0, false);
        for (id, envelope) in envelopes {
            after = id;
            if self.open(now, None, &envelope) {
                done.push(id);
            } else {
                left = true;
            }
        }
        let Some(pickup) = self.pickups.get_mut(&mailbox) else { return };
        pickup.delete.extend(done);
        pickup.after = pickup.after.max(after);
        pickup.left |= left;
    }

    /// A card came: what was left in the mailboxes may be opened now.
    pub(super) fn fetch_left(&mut self, now: Now) {
        for (mailbox, pickup) in &mut self.pickups {
            if std::mem::take(&mut pickup.left) {
                pickup.retry_left = true;
                if pickup.asked.is_none() {
                    self.agenda.set(Due::Pickup(*mailbox), now.mono);
                }
            }
        }
    }
}
