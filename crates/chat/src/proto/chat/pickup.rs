//! Our own mailboxes: what they keep for this node is fetched, taken, and only then deleted there.

use std::time::Duration;

use base::{Instant, NodeId, Now, WallTime};
use people::proto::codec::{DecodeError, Reader, Writer};

use super::super::card::MAX_MAILBOXES;
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

/// For how many seconds a mailbox is asked that the user gave up: some have an older card of ours for a while.
const FORMER_S: u64 = 14 * 86_400;

/// How many such mailboxes there are at most: those of three cards. Arbitrary: hardly anybody chooses others more often in
/// that time.
const MAX_FORMER: usize = 3 * MAX_MAILBOXES;

/// The first byte of the key of a mailbox of ours.
pub(super) const PICKUP: u8 = b'x';

/// One mailbox of ours.
#[derive(Debug, Default)]
pub(super) struct Pickup {
    whereabouts: Whereabouts,
    /// What is registered there, since the start.
    tags: Vec<Tag>,
    /// Until when it is asked, if the user chose others since.
    until: Option<WallTime>,
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

impl Pickup {
    fn fact(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u64(self.until.map_or(0, |until| until.0));
        self.whereabouts.iter().for_each(|hint| _ = to.text(hint));
        to.finish()
    }

    fn read(value: &[u8]) -> Result<Pickup, DecodeError> {
        let mut from = Reader::new(value);
        let until = Some(from.u64()?).filter(|until| *until > 0).map(WallTime);
        let mut whereabouts = Vec::new();
        while from.left() > 0 {
            whereabouts.push(from.text(value.len())?.to_owned());
        }
        Ok(Pickup { whereabouts, until, ..Pickup::default() })
    }
}

fn pickup_key(mailbox: NodeId) -> Vec<u8> {
    Writer::new().u8(PICKUP).fixed(&mailbox.0).finish()
}

impl<C: Cipher> Chat<C> {
    /// The user chose these mailboxes for this node.
    pub(super) fn choose_mailboxes(&mut self, now: Now, mailboxes: Vec<(NodeId, Whereabouts)>) {
        if self.cipher.set_mailboxes(now, &mailboxes) {
            self.card_is_news = true;
            self.spread_card();
        }
        let former = self.pickups.iter_mut().filter(|(_, pickup)| pickup.until.is_none());
        for (mailbox, pickup) in former.filter(|(mailbox, _)| !mailboxes.iter().any(|(node, _)| node == *mailbox)) {
            pickup.until = Some(WallTime(now.wall.0.saturating_add(FORMER_S)));
            self.facts.insert(pickup_key(*mailbox), Some(pickup.fact()));
        }
        for (mailbox, whereabouts) in mailboxes {
            let pickup = self.pickups.entry(mailbox).or_default();
            if pickup.whereabouts != whereabouts || pickup.until.is_some() {
                (pickup.whereabouts, pickup.until) = (whereabouts, None);
                self.facts.insert(pickup_key(mailbox), Some(pickup.fact()));
            }
            if pickup.asked.is_none() {
                self.agenda.set_by(Due::Pickup(mailbox), now.mono);
            }
        }
        self.forget_former(now);
    }

    /// Takes a mailbox that was stored.
    pub(super) fn restore_pickup(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let mailbox = NodeId(key.strip_prefix(&[PICKUP])?.try_into().ok()?);
        self.pickups.insert(mailbox, Pickup::read(value).ok()?);
        Some(())
    }

    /// Asks no more of mailboxes that the user gave up long ago, and of the oldest of too many.
    fn forget_former(&mut self, now: Now) {
        let former = self.pickups.iter().filter_map(|(mailbox, pickup)| Some((pickup.until?, *mailbox)));
        let mut former: Vec<_> = former.collect();
        former.sort_unstable();
        let too_many = former.len().saturating_sub(MAX_FORMER);
        for (i, (until, mailbox)) in former.into_iter().enumerate() {
            if i < too_many || until <= now.wall {
                self.pickups.remove(&mailbox);
                self.agenda.clear(&Due::Pickup(mailbox));
                self.facts.insert(pickup_key(mailbox), None);
            }
        }
    }

    /// Asks a mailbox of ours for whatever is next.
    pub(super) fn pick_up(&mut self, now: Now, mailbox: NodeId) {
        self.forget_former(now);
        let tags = self.cipher.own_tags(now);
        let token = self.token();
        let Some(pickup) = self.pickups.get_mut(&mailbox).filter(|pickup| pickup.asked.is_none()) else { return };
        let (errand, request) = if pickup.tags != tags {
            (Errand::Register(tags.clone()), Request::Register { tags })
        } else if !pickup.delete.is_empty() {
            let ids: Vec<_> = pickup.delete.iter().copied().take(MAX_DELETED).collect();
            (Errand::Delete(ids.len()), Request::Delete { ids })
        } else {
            // What was fetched is deleted by now: whatever is there is new.
            (Errand::Fetch, Request::Fetch { after: 0, wait_s: MAX_WAIT_S })
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
                pickup.delete.extend(envelopes.iter().map(|(id, _)| *id));
                envelopes.iter().for_each(|(_, envelope)| self.open(now, None, envelope));
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
}
