//! The mailbox role: its settings, switching it on and off, who may have a box, what it keeps.
//!
//! Two services of the overlay speak of the same boxes: `mailbox` is for those who have one, which are people that the user
//! knows, and of them those to whom `[service.mailbox]` offers it; `deposit` for all who leave something in one. A task owns
//! the state machine and stores what it promises before it answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{NodeId, PersonId};
use chat::Store;
use chat::proto::Token;
use chat::proto::mailbox::{
    self as proto, Answer, Change, Input, Limits, MAX_REQUEST, MAX_WAIT_S, Output, QUOTA_BYTES, Refusal, Request,
};
use futures_util::future::BoxFuture;
use net::Clock;
use overlay::{Overlay, Peer, Service, Stream};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::Services;
use crate::NodeError;
use crate::chat::{DEPOSIT, MAILBOX};
use crate::controls::Shown;
use crate::frames;
use crate::people::People;

/// How many questions wait for the task; whoever has more waits itself. Arbitrary.
const QUESTIONS: usize = 256;

/// How many questions one commit answers. Arbitrary.
const BATCH: usize = 64;

/// How long a question may take to come, and its answer to go. Arbitrary: a long letter over a bad line.
const EXCHANGE: Duration = Duration::from_secs(30);

/// How long to wait before a commit that failed is tried again. Arbitrary.
const AGAIN: Duration = Duration::from_secs(5);

/// The least room that makes sense. Arbitrary: a few hundred envelopes.
const MIN_BYTES: u64 = 1 << 20;

/// The settings: `[offer.mailbox]`. Who may have a box says the policy of the gate for the service `mailbox`, who may leave
/// something in one, for the service `deposit`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailboxConfig {
    /// Offer it whenever the node runs.
    pub on: bool,
    /// How much room all envelopes may take, for example `"1G"`.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// How much of it those of one person may take.
    #[serde(deserialize_with = "size")]
    pub size_each: u64,
}

impl Default for MailboxConfig {
    fn default() -> MailboxConfig {
        // Arbitrary: full boxes of some people.
        MailboxConfig { on: false, size: 1 << 30, size_each: QUOTA_BYTES }
    }
}

impl MailboxConfig {
    /// Says what is wrong with the settings.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.size < MIN_BYTES || self.size_each < MIN_BYTES {
            return Err("offer.mailbox.size and size_each have to be 1M or more".into());
        }
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits { total_bytes: self.size, quota_bytes: self.size_each.min(self.size) }
    }
}

/// Reads a number of bytes, or a text such as `"1G"`.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    crate::config::size(deserializer)?.ok_or_else(|| D::Error::custom("a size is missing"))
}

impl Services {
    /// Starts or ends the mailbox, and tells it its limits.
    pub(super) async fn settle_mailbox(&self, shown: &Shown) -> Result<(), NodeError> {
        let config = &shown.config.offer.mailbox;
        let wanted = self.is_wanted(shown, MAILBOX, config.on).then_some(config);
        {
            let mut running = self.running();
            running.failed.remove(MAILBOX);
            match (&mut running.mailbox, wanted) {
                (None, None) => return Ok(()),
                (Some((old, mailbox)), Some(wanted)) => {
                    // Nobody listens when the node ends.
                    let _ = mailbox.limits.send(wanted.limits());
                    *old = wanted.clone();
                    return Ok(());
                }
                (Some(_), None) => {
                    running.mailbox = None;
                    return Ok(());
                }
                (None, Some(_)) => {}
            }
        }
        let started = self.start_mailbox(config).await;
        let mailbox = self.note(MAILBOX, started)?;
        self.running().mailbox = Some((config.clone(), mailbox));
        Ok(())
    }

    async fn start_mailbox(&self, config: &MailboxConfig) -> Result<Mailbox, NodeError> {
        let nobody = "a mailbox is offered by a node that belongs to somebody: make an identity first (`compeer \
                      init`, or on the page)";
        let people = self.people().ok_or_else(|| NodeError::Network(nobody.to_owned()))?;
        let overlay = people.reach().map_err(|off| NodeError::Network(off.to_string()))?;
        // Whose history it is does not matter here.
        let me = people.book().own().map_or(PersonId([0; 32]), |own| own.id());
        let store = Store::open(self.0.database.clone(), me).await?;
        Mailbox::start(people, overlay, store, config.limits()).await
    }
}

/// A running mailbox. It ends when this is dropped; what it keeps stays.
#[derive(Debug)]
pub(super) struct Mailbox {
    overlay: Overlay,
    limits: watch::Sender<Limits>,
    usage: watch::Receiver<proto::Usage>,
}

impl Mailbox {
    async fn start(people: &People, overlay: &Overlay, store: Store, limits: Limits) -> Result<Mailbox, NodeError> {
        let (recipients, envelopes) = store.mailbox().await?;
        let clock = Clock::start();
        let mailbox = proto::Mailbox::restore(clock.now(), limits, &recipients, envelopes);
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let (limits, limited) = watch::channel(limits);
        let (used, usage) = watch::channel(mailbox.usage());
        let keeper = Keeper {
            mailbox,
            store,
            clock,
            people: people.clone(),
            known: known(people),
            asked: BTreeMap::new(),
            due: VecDeque::new(),
            unstored: Vec::new(),
            tokens: 0,
            used,
        };
        tokio::spawn(keeper.run(asked, limited));
        for name in [MAILBOX, DEPOSIT] {
            let counter = Counter { name, people: people.clone(), questions: questions.clone() };
            overlay.serve(Arc::new(counter));
        }
        Ok(Mailbox { overlay: overlay.clone(), limits, usage })
    }

    /// Returns the node that has it.
    pub(super) fn node(&self) -> NodeId {
        self.overlay.node()
    }

    /// Returns all numbers.
    pub(super) fn stats(&self) -> rpc::MailboxStats {
        let usage = *self.usage.borrow();
        rpc::MailboxStats {
            node: self.node().to_string(),
            boxes: usage.recipients as u64,
            envelopes: usage.envelopes as u64,
            bytes: usage.bytes,
            bytes_limit: self.limits.borrow().total_bytes,
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.overlay.withdraw(MAILBOX);
        self.overlay.withdraw(DEPOSIT);
    }
}

/// A question, and where the answer goes.
struct Question {
    node: NodeId,
    person: Option<PersonId>,
    request: Request,
    answer: oneshot::Sender<Answer>,
}

/// Takes questions from one of the two services.
struct Counter {
    name: &'static str,
    people: People,
    questions: mpsc::Sender<Question>,
}

impl Service for Counter {
    fn name(&self) -> &'static str {
        self.name
    }

    fn serve(self: Arc<Self>, peer: Peer, mut stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let Ok(Ok(bytes)) = timeout(EXCHANGE, frames::read(&mut stream, MAX_REQUEST)).await else { return };
            let answer = self.answer(peer.node, &bytes).await;
            let give = async {
                frames::write(&mut stream, &answer.encode()).await?;
                stream.shutdown().await
            };
            if !matches!(timeout(EXCHANGE, give).await, Ok(Ok(()))) {
                tracing::debug!(node = ?peer.node, "an answer of the mailbox was not taken");
            }
        })
    }

    fn streams_per_node(&self) -> usize {
        // One that waits, and some that leave something.
        16
    }
}

impl Counter {
    async fn answer(&self, node: NodeId, bytes: &[u8]) -> Answer {
        let Ok(request) = Request::decode(bytes) else { return Answer::Refused(Refusal::Malformed) };
        if (self.name == DEPOSIT) != matches!(request, Request::Deposit { .. }) {
            return Answer::Refused(Refusal::Malformed);
        }
        let (answer, answered) = oneshot::channel();
        let question = Question { node, person: acquainted(&self.people, node), request, answer };
        if self.questions.send(question).await.is_err() {
            return Answer::Refused(Refusal::NotOffered);
        }
        let patience = EXCHANGE + Duration::from_secs(MAX_WAIT_S.into());
        match timeout(patience, answered).await {
            Ok(Ok(answer)) => answer,
            // It ended meanwhile.
            Ok(Err(_)) => Answer::Refused(Refusal::NotOffered),
            Err(_) => Answer::Refused(Refusal::Busy),
        }
    }
}

/// Returns whose node it is, if it is somebody whom the user knows: a contact, a fellow member, the user.
fn acquainted(people: &People, node: NodeId) -> Option<PersonId> {
    let book = people.book();
    book.person_of(&node).filter(|person| book.admits(&node) && book.is_of_interest(person))
}

/// Returns everybody whom the user knows.
fn known(people: &People) -> BTreeSet<PersonId> {
    let book = people.book();
    book.persons().map(people::proto::KnownPerson::id).filter(|person| book.is_of_interest(person)).collect()
}

/// Owns the boxes.
struct Keeper {
    mailbox: proto::Mailbox,
    store: Store,
    clock: Clock,
    people: People,
    /// Whom the user knew at the last look.
    known: BTreeSet<PersonId>,
    /// Who waits for an answer. Bounded by the streams.
    asked: BTreeMap<Token, oneshot::Sender<Answer>>,
    /// What is done as soon as all is stored.
    due: VecDeque<Output>,
    unstored: Vec<Change>,
    tokens: Token,
    used: watch::Sender<proto::Usage>,
}

impl Keeper {
    /// Runs until nobody can ask any more.
    async fn run(mut self, mut questions: mpsc::Receiver<Question>, mut limits: watch::Receiver<Limits>) {
        let mut changes = self.people.changes();
        self.collect();
        loop {
            self.settle().await;
            let due = self.mailbox.poll_timeout();
            tokio::select! {
                question = questions.recv() => match question {
                    Some(question) => self.ask(question),
                    None => return,
                },
                changed = limits.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let limits = *limits.borrow_and_update();
                    self.handle(Input::Limits(limits));
                }
                Ok(()) = changes.changed() => self.look(),
                () = self.clock.sleep_until(due) => self.handle(Input::Timeout),
            }
            for _ in 1..BATCH {
                match questions.try_recv() {
                    Ok(question) => self.ask(question),
                    Err(_) => break,
                }
            }
        }
    }

    fn ask(&mut self, Question { node, person, request, answer }: Question) {
        self.forget_gone();
        self.tokens += 1;
        let token = self.tokens;
        self.asked.insert(token, answer);
        self.handle(Input::Request { token, node, person, request });
    }

    /// Lets go of questions whose askers have gone.
    fn forget_gone(&mut self) {
        let gone: Vec<Token> = self.asked.iter().filter(|(_, it)| it.is_closed()).map(|(token, _)| *token).collect();
        for token in gone {
            self.asked.remove(&token);
            self.handle(Input::Dropped(token));
        }
    }

    /// Ends the boxes of those whom the user does not know any more.
    fn look(&mut self) {
        let now = known(&self.people);
        let before = std::mem::replace(&mut self.known, now);
        let gone: Vec<PersonId> = before.difference(&self.known).copied().collect();
        gone.into_iter().for_each(|person| self.handle(Input::Withdraw(person)));
    }

    fn handle(&mut self, input: Input) {
        self.mailbox.handle(self.clock.now(), input);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.mailbox.poll_output() {
            match output {
                Output::Persist(changes) => self.unstored.extend(changes),
                output => self.due.push_back(output),
            }
        }
    }

    /// Stores what was promised, and answers then.
    async fn settle(&mut self) {
        let changes = std::mem::take(&mut self.unstored);
        while !changes.is_empty() {
            match self.store.apply_mailbox(changes.clone()).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, "the mailbox cannot store anything, and takes nothing: is the disk full?");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        while let Some(output) = self.due.pop_front() {
            match output {
                // Taken out before.
                Output::Persist(changes) => self.unstored.extend(changes),
                Output::Answer(token, answer) => self.answer(token, answer),
                Output::Read { token, node, ids, more } => {
                    let answer = match self.store.envelopes(node, ids).await {
                        Ok(envelopes) => Answer::Envelopes { envelopes, more },
                        Err(error) => {
                            tracing::warn!(%error, "what the mailbox keeps cannot be read");
                            Answer::Refused(Refusal::Busy)
                        }
                    };
                    self.answer(token, answer);
                }
            }
        }
        let usage = self.mailbox.usage();
        self.used.send_if_modified(|used| std::mem::replace(used, usage) != usage);
    }

    fn answer(&mut self, token: Token, answer: Answer) {
        if let Some(asked) = self.asked.remove(&token) {
            // Whoever asked may have gone.
            let _ = asked.send(answer);
        }
    }
}
