//! A mailbox keeps envelopes for nodes that are away: the side of whoever offers it.
//!
//! A node of somebody whom the mailbox is offered to *registers* tags. Whoever knows one of them *deposits* envelopes
//! under it; from then on they belong to the node's box, whatever becomes of the tag. The node *fetches* them, waiting
//! for the next if it wants to, and *deletes* what it took in. What nobody fetches for [`EXPIRY_S`] is deleted, and so
//! is a box whose node did not register for [`ABSENCE_S`].
//!
//! The machine holds an index; the envelopes are in the store. What an answer promises is persisted before it.

mod message;
mod shelf;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::{Instant, NodeId, Now, PersonId, WallTime};

pub use self::message::{
    Answer, MAX_ANSWER, MAX_DELETED, MAX_FETCHED, MAX_FETCHED_BYTES, MAX_REQUEST, MAX_TAGS, MAX_WAIT_S, Refusal,
    Request, Tag,
};
use self::shelf::{Entry, Shelf};
pub use self::shelf::{MAX_ENVELOPES, MAX_KEPT, MAX_RECIPIENTS, Usage};
use super::io::Token;

/// How many bytes one person may have in a mailbox. Arbitrary: some 50,000 short messages.
pub const QUOTA_BYTES: u64 = 64 << 20;

/// After how many seconds an envelope is deleted that nobody fetched: 30 days. Arbitrary: longer than a holiday.
pub const EXPIRY_S: u32 = 30 * 86_400;

/// After how many seconds a node is forgotten that did not register again: its last tag is past by then, and what came
/// under it is expired soon.
pub const ABSENCE_S: u64 = 35 * 86_400;

/// How often old envelopes are looked for. Arbitrary.
const SWEEP: Duration = Duration::from_secs(3_600);

/// How soon again if there were more than one sweep deletes. Arbitrary.
const SWEEP_ON: Duration = Duration::from_secs(1);

/// How many envelopes one sweep deletes, so that no commit takes long. Arbitrary.
const SWEPT: usize = 1_000;

/// What whoever offers the mailbox grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes of envelopes are kept for all.
    pub total_bytes: u64,
    /// How many of one person.
    pub quota_bytes: u64,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Input {
    /// A node asks; its key is proven.
    Request {
        /// The question's name.
        token: Token,
        /// Who asks.
        node: NodeId,
        /// Whose node it is, if the mailbox is offered to them.
        person: Option<PersonId>,
        /// What is asked.
        request: Request,
    },
    /// Whoever asked is gone, and needs no answer.
    Dropped(Token),
    /// The mailbox is not offered to a person any more: their boxes end.
    Withdraw(PersonId),
    /// The limits are these now. What is above them stays until it is fetched or expires.
    Limits(Limits),
    /// The time that [`Mailbox::poll_timeout`] named has come.
    Timeout,
}

/// What is to be done, in order. Nothing behind an [`Output::Persist`] is done before that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Store all of this, or nothing.
    Persist(Vec<Change>),
    /// Answer a question.
    Answer(Token, Answer),
    /// Answer a question by [`Answer::Envelopes`] with these of a node's, which are read from the store; what cannot be
    /// read is left out.
    Read {
        /// Which question.
        token: Token,
        /// Whose box.
        node: NodeId,
        /// The numbers, in order.
        ids: Vec<u64>,
        /// What the answer says of more.
        more: bool,
    },
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What is to be known of a recipient; `None`: it is gone.
    Recipient(NodeId, Option<Vec<u8>>),
    /// An envelope in a node's box, by its number, with when it came; `None`: it is gone.
    Envelope(NodeId, u64, Option<(WallTime, Vec<u8>)>),
}

/// What is stored of an envelope, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// Whose box it is in.
    pub node: NodeId,
    /// Its number.
    pub id: u64,
    /// How long it is.
    pub len: u32,
    /// When it came.
    pub when: WallTime,
}

/// A question that waits for an envelope.
#[derive(Debug)]
struct Waiting {
    token: Token,
    after: u64,
    until: Instant,
}

/// The mailbox. See the module.
#[derive(Debug)]
pub struct Mailbox {
    limits: Limits,
    shelf: Shelf,
    /// At most one a recipient.
    waiting: BTreeMap<NodeId, Waiting>,
    sweep: Instant,
    outputs: VecDeque<Output>,
}

impl Mailbox {
    /// Begins with what was stored: the recipients, and of each envelope all but its bytes. What belongs to nobody is
    /// deleted.
    pub fn restore(
        now: Now,
        limits: Limits,
        recipients: &[(NodeId, Vec<u8>)],
        envelopes: impl IntoIterator<Item = Indexed>,
    ) -> Mailbox {
        let (mut shelf, mut changes) = (Shelf::default(), Vec::new());
        for (node, fact) in recipients {
            if !shelf.restore_recipient(*node, fact) {
                changes.push(Change::Recipient(*node, None));
            }
        }
        for Indexed { node, id, len, when } in envelopes {
            if !shelf.restore_envelope(node, id, Entry { len, when }) {
                changes.push(Change::Envelope(node, id, None));
            }
        }
        let mut mailbox =
            Mailbox { limits, shelf, waiting: BTreeMap::new(), sweep: now.mono, outputs: VecDeque::new() };
        mailbox.persist(changes);
        mailbox
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Request { token, node, person, request } => match request {
                Request::Register { tags } => self.register(now, token, node, person, &tags),
                Request::Deposit { tag, envelope } => self.deposit(now, token, node, tag, &envelope),
                Request::Fetch { after, wait_s } => self.fetch(now, token, node, after, wait_s),
                Request::Delete { ids } => {
                    let changes = self.shelf.delete(node, &ids);
                    self.persist(changes);
                    self.answer(token, Answer::Deleted);
                }
            },
            Input::Dropped(token) => self.waiting.retain(|_, waiting| waiting.token != token),
            Input::Withdraw(person) => self.shelf.nodes_of(person).into_iter().for_each(|node| self.forget(node)),
            Input::Limits(limits) => self.limits = limits,
            Input::Timeout => {}
        }
        self.give_up(now);
        self.sweep(now);
    }

    /// Returns the next thing to be done; drain it after every input, and after [`Mailbox::restore`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.waiting.values().map(|waiting| waiting.until).min();
        let sweep = (self.shelf.used().recipients > 0).then_some(self.sweep);
        waiting.into_iter().chain(sweep).min()
    }

    /// Returns how much is kept.
    pub fn usage(&self) -> Usage {
        self.shelf.used()
    }

    fn register(&mut self, now: Now, token: Token, node: NodeId, person: Option<PersonId>, tags: &[Tag]) {
        let Some(person) = person else { return self.answer(token, Answer::Refused(Refusal::NotOffered)) };
        if self.shelf.person_of(node).is_some_and(|before| before != person) {
            // The node changed hands: what was for the one is not for the other.
            self.forget(node);
        }
        match self.shelf.register(now.wall, node, person, tags) {
            Ok((change, held)) => {
                self.persist(vec![change]);
                let quota_bytes = self.limits.quota_bytes.min(self.limits.total_bytes);
                self.answer(
                    token,
                    match held {
                        0 if !tags.is_empty() => Answer::Refused(Refusal::TagTaken),
                        _ => Answer::Registered { quota_bytes, expiry_s: EXPIRY_S },
                    },
                );
            }
            Err(refusal) => self.answer(token, Answer::Refused(refusal)),
        }
    }

    fn deposit(&mut self, now: Now, token: Token, from: NodeId, tag: Tag, envelope: &[u8]) {
        match self.shelf.deposit(now.wall, &self.limits, from, tag, envelope) {
            Ok((nodes, changes)) => {
                self.persist(changes);
                self.answer(token, Answer::Kept);
                nodes.into_iter().for_each(|node| self.wake(node));
            }
            Err(refusal) => self.answer(token, Answer::Refused(refusal)),
        }
    }

    fn fetch(&mut self, now: Now, token: Token, node: NodeId, after: u64, wait_s: u8) {
        if !self.shelf.has(node) {
            return self.answer(token, Answer::Refused(Refusal::NotRegistered));
        }
        // A node waits with one question: the newest, since it may have forgotten the others.
        if let Some(before) = self.waiting.remove(&node) {
            self.answer(before.token, NOTHING);
        }
        let (ids, more) = self.shelf.list(node, after);
        if !ids.is_empty() {
            self.outputs.push_back(Output::Read { token, node, ids, more });
        } else if wait_s == 0 {
            self.answer(token, NOTHING);
        } else {
            let until = now.mono + Duration::from_secs(wait_s.min(MAX_WAIT_S).into());
            self.waiting.insert(node, Waiting { token, after, until });
        }
    }

    /// Answers who waits for the envelopes of a node.
    fn wake(&mut self, node: NodeId) {
        let Some(Waiting { token, after, .. }) = self.waiting.get(&node) else { return };
        let (token, (ids, more)) = (*token, self.shelf.list(node, *after));
        if !ids.is_empty() {
            self.waiting.remove(&node);
            self.outputs.push_back(Output::Read { token, node, ids, more });
        }
    }

    fn forget(&mut self, node: NodeId) {
        let changes = self.shelf.forget(node);
        self.persist(changes);
        if let Some(waiting) = self.waiting.remove(&node) {
            self.answer(waiting.token, Answer::Refused(Refusal::NotRegistered));
        }
    }

    /// Answers those that waited long enough.
    fn give_up(&mut self, now: Now) {
        let late: Vec<NodeId> =
            self.waiting.iter().filter(|(_, waiting)| waiting.until <= now.mono).map(|(node, _)| *node).collect();
        for node in late {
            if let Some(waiting) = self.waiting.remove(&node) {
                self.answer(waiting.token, NOTHING);
            }
        }
    }

    /// Deletes what is too old.
    fn sweep(&mut self, now: Now) {
        if now.mono < self.sweep {
            return;
        }
        let before = |age_s: u64| WallTime(now.wall.0.saturating_sub(age_s));
        self.shelf.absent(before(ABSENCE_S)).into_iter().for_each(|node| self.forget(node));
        let old = self.shelf.older(before(EXPIRY_S.into()), SWEPT);
        self.sweep = now.mono + if old.len() == SWEPT { SWEEP_ON } else { SWEEP };
        let changes = old.into_iter().flat_map(|(node, id)| self.shelf.delete(node, &[id])).collect();
        self.persist(changes);
    }

    fn persist(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.outputs.push_back(Output::Persist(changes));
        }
    }

    fn answer(&mut self, token: Token, answer: Answer) {
        self.outputs.push_back(Output::Answer(token, answer));
    }
}

/// Nothing came in time.
const NOTHING: Answer = Answer::Envelopes { envelopes: Vec::new(), more: false };
