//! The mailboxes: the real ones, on nodes that nap, asked over streams that lose questions and answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Instant, NodeId, Now, WallTime};
use chat::proto::Token;
use chat::proto::mailbox::{Answer, Change, Indexed, Input, Limits, Mailbox, Output, QUOTA_BYTES, Refusal, Request};

use super::ChatMutation;
use super::network::{Happens, Network};
use super::node::right_wall;
use super::sealer::Sealer;

/// How long whoever asks waits for an answer: more than a mailbox waits for an envelope at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// How soon somebody sees that a mailbox is not there.
const UNSEEN: Duration = Duration::from_secs(20);

/// What a mailbox grants: so much that it is never full here, to all and to each.
const LIMITS: Limits = Limits { total_bytes: 64 * QUOTA_BYTES, quota_bytes: QUOTA_BYTES };

/// Who asked: the node, its epoch, its token, and whether the answer comes through.
type Asker = (usize, u32, Token, bool);

/// A node that keeps mailboxes.
pub(super) struct Keeper {
    pub id: NodeId,
    /// The process, unless it is away.
    mailbox: Option<Mailbox>,
    naps: bool,
    armed: Option<Instant>,
    askers: BTreeMap<Token, Asker>,
    tokens: Token,
    recipients: BTreeMap<NodeId, Vec<u8>>,
    kept: BTreeMap<(NodeId, u64), (WallTime, Vec<u8>)>,
}

impl Keeper {
    /// Returns for whom envelopes are there.
    pub(super) fn left(&self) -> BTreeSet<NodeId> {
        self.kept.keys().map(|(node, _)| *node).collect()
    }

    /// The process begins, from what was stored.
    fn start(&mut self, now: Now) {
        let recipients: Vec<_> = self.recipients.iter().map(|(node, fact)| (*node, fact.clone())).collect();
        let envelopes = self.kept.iter().map(|((node, id), (when, envelope))| Indexed {
            node: *node,
            id: *id,
            len: envelope.len() as u32,
            when: *when,
        });
        self.mailbox = Some(Mailbox::restore(now, LIMITS, &recipients, envelopes));
    }

    fn keep(&mut self, change: Change) {
        match change {
            Change::Recipient(node, Some(fact)) => _ = self.recipients.insert(node, fact),
            Change::Recipient(node, None) => _ = self.recipients.remove(&node),
            Change::Envelope(node, id, Some(envelope)) => _ = self.kept.insert((node, id), envelope),
            Change::Envelope(node, id, None) => _ = self.kept.remove(&(node, id)),
        }
    }
}

impl<C: Sealer> Network<C> {
    pub(super) fn add_keeper(&mut self) {
        let mut id = [200; 32];
        id[0] = self.keepers.len() as u8;
        let mut keeper = Keeper {
            id: NodeId(id),
            mailbox: None,
            naps: false,
            armed: None,
            askers: BTreeMap::new(),
            tokens: 0,
            recipients: BTreeMap::new(),
            kept: BTreeMap::new(),
        };
        keeper.start(self.keeper_now());
        self.keepers.push(keeper);
    }

    fn keeper_now(&self) -> Now {
        Now { mono: self.clock, wall: right_wall(self.clock) }
    }

    /// A node asks a mailbox.
    pub(super) fn ask(&mut self, node: usize, token: Token, mailbox: NodeId, request: Vec<u8>) {
        self.outcome.questions += 1;
        self.nodes[node].asked.insert(token);
        let epoch = self.nodes[node].epoch;
        let keeper = self.keepers.iter().position(|keeper| keeper.id == mailbox);
        // What is lost is as often the answer as the question.
        let (lost, answered) = (self.is_lost(), self.rng.bool());
        let reached = keeper.filter(|_| self.nodes[node].runs() && (!lost || !answered));
        match reached {
            Some(keeper) => {
                let travel = Duration::from_millis(self.rng.u64(10..400));
                self.later(travel, Happens::Asked { node, epoch, token, keeper, request, answered: !lost });
            }
            None => {
                let wait = self.within(PATIENCE);
                self.later(wait, Happens::Answered { node, epoch, token, answer: None });
            }
        }
    }

    /// A question reaches a mailbox.
    pub(super) fn asked(&mut self, asker: Asker, keeper: usize, request: &[u8]) {
        let now = self.keeper_now();
        let person = self.people[self.nodes[asker.0].person];
        let from = self.nodes[asker.0].id;
        if self.keepers[keeper].naps {
            return self.answers(asker, None);
        }
        let what = request.first().copied().unwrap_or_default();
        self.note(asker.0, format_args!("asks mailbox {keeper}: {what}, {} bytes", request.len()));
        let request = match Request::decode(request) {
            Ok(request) => request,
            Err(_) => return self.answers(asker, Some(Answer::Refused(Refusal::Malformed))),
        };
        match (&request, self.scenario.mutation) {
            (Request::Deposit { .. }, Some(ChatMutation::ForgetfulMailboxes)) => {
                return self.answers(asker, Some(Answer::Kept));
            }
            (Request::Delete { .. }, Some(ChatMutation::HoardingMailboxes)) => {
                return self.answers(asker, Some(Answer::Deleted));
            }
            _ => {}
        }
        let here = &mut self.keepers[keeper];
        here.tokens += 1;
        let token = here.tokens;
        here.askers.insert(token, asker);
        if let Some(mailbox) = &mut here.mailbox {
            mailbox.handle(now, Input::Request { token, node: from, person: Some(person), request });
        }
        self.drain_keeper(keeper);
    }

    /// Time passes at a mailbox.
    pub(super) fn keeps(&mut self, keeper: usize) {
        let now = self.keeper_now();
        let here = &mut self.keepers[keeper];
        here.armed = None;
        if let Some(mailbox) = &mut here.mailbox
            && !here.naps
            && mailbox.poll_timeout().is_some_and(|due| due <= now.mono)
        {
            mailbox.handle(now, Input::Timeout);
        }
        self.drain_keeper(keeper);
    }

    /// Does what a mailbox wants.
    fn drain_keeper(&mut self, keeper: usize) {
        while let Some(output) = self.keepers[keeper].mailbox.as_mut().and_then(Mailbox::poll_output) {
            match output {
                Output::Persist(changes) => {
                    let envelopes = changes.iter().filter(|change| matches!(change, Change::Envelope(_, _, Some(_))));
                    self.outcome.deposits += envelopes.count() as u64;
                    changes.into_iter().for_each(|change| self.keepers[keeper].keep(change));
                }
                Output::Answer(token, answer) => self.answers_to(keeper, token, answer),
                Output::Read { token, node, ids, more } => {
                    let kept = &self.keepers[keeper].kept;
                    let envelope = |id: u64| kept.get(&(node, id)).map(|(_, envelope)| (id, envelope.clone()));
                    let envelopes = ids.into_iter().filter_map(envelope).collect();
                    self.answers_to(keeper, token, Answer::Envelopes { envelopes, more });
                }
            }
        }
        let here = &mut self.keepers[keeper];
        let Some(due) = here.mailbox.as_ref().and_then(Mailbox::poll_timeout).filter(|_| !here.naps) else { return };
        let due = due.max(self.clock);
        if here.armed.is_none_or(|armed| armed > due) {
            here.armed = Some(due);
            self.queue.add(due, Happens::Keeps { keeper });
        }
    }

    fn answers_to(&mut self, keeper: usize, token: Token, answer: Answer) {
        if let Some(asker) = self.keepers[keeper].askers.remove(&token) {
            self.answers(asker, Some(answer));
        }
    }

    /// An answer goes back, or is lost, or there is none.
    fn answers(&mut self, (node, epoch, token, answered): Asker, answer: Option<Answer>) {
        let answer = answer.filter(|_| answered).map(|answer| answer.encode());
        let wait = match (&answer, answered) {
            (Some(_), _) => Duration::from_millis(self.rng.u64(10..400)),
            (None, true) => self.within(UNSEEN),
            (None, false) => self.within(PATIENCE),
        };
        self.later(wait, Happens::Answered { node, epoch, token, answer });
    }

    /// A mailbox goes away, or comes back: after a pause, or begun anew.
    pub(super) fn naps(&mut self, keeper: usize, begins: bool) {
        let begins = begins && !self.healed;
        if self.keepers[keeper].naps == begins {
            return;
        }
        self.keepers[keeper].naps = begins;
        if begins {
            let askers = std::mem::take(&mut self.keepers[keeper].askers);
            askers.into_values().for_each(|asker| self.answers(asker, None));
        } else {
            if self.rng.bool() {
                let now = self.keeper_now();
                self.keepers[keeper].start(now);
            }
            self.drain_keeper(keeper);
        }
    }
}
