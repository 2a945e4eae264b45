//! The task that owns the conversations: hands them what happens, stores what they decide, and does what they want.
//!
//! Invariant: nothing is sent, answered or told before what was decided with it or before it is committed. While the
//! database fails, nothing is taken in either: whatever comes waits in bounded queues, and whoever sends it for those.

mod links;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{NodeId, Now};
use chat::proto::{
    Change, Chat, Conversation, Input, Known, Message, MessageId, Output, Settings, Token, Vault, Whereabouts,
};
use chat::{Circle, Store};
use net::Clock;
use overlay::Overlay;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::handle::Happening;
use super::post::Post;
use super::streams::{Lines, Standing};
use crate::people::now_ms;

/// How many words of streams and others wait for the task; whoever has more waits itself.
pub(super) const WORDS: usize = 256;

/// How many commands wait for the task; whoever has more waits itself. Arbitrary.
pub(super) const COMMANDS: usize = 64;

/// How many inputs are decided on before one commit stores what came of them. Arbitrary: a commit takes a millisecond or
/// more, an input mostly much less.
const BATCH: usize = 64;

/// How long to wait before a commit that failed is tried again; doubled each time up to [`MAX_AGAIN`]. Arbitrary.
const AGAIN: Duration = Duration::from_millis(250);

/// The longest wait before a commit is tried again. Arbitrary: a full disk is not full for seconds.
const MAX_AGAIN: Duration = Duration::from_secs(30);

/// How long to sleep at most until the next message disappears: the wall clock may be set. Arbitrary.
const LOOK: Duration = Duration::from_secs(60);

/// What happens outside of the task.
pub(super) enum Word {
    /// A stream to a node stands.
    Stands {
        /// Which node.
        node: NodeId,
        /// The stream.
        standing: Standing,
        /// Whose node it is was not known before.
        met: bool,
    },
    /// A frame came.
    Received(NodeId, Vec<u8>),
    /// A stream to a node ended.
    Ended {
        /// Which node.
        node: NodeId,
        /// Which of its streams.
        id: u64,
    },
    /// A node could not be reached so far.
    Unreachable {
        /// Which node.
        node: NodeId,
        /// Whether it is tried on.
        goes_on: bool,
    },
    /// A mailbox answered, or did not.
    Answered(Token, Option<Vec<u8>>),
    /// The history was read, or could not be.
    Fetched(Token, Option<Vec<Message>>),
    /// These mailboxes are the user's choice.
    Mailboxes(Vec<(NodeId, Whereabouts)>),
    /// The user chose otherwise who is told what.
    Settings(Settings),
}

/// Does something with the conversations, and returns how to tell whoever wanted it.
pub(super) type Command = Box<dyn FnOnce(&mut Chat<Vault>, Now) -> Answer + Send>;

/// Tells whoever wanted something what came of it; it is stored by then, or not for the reason that is given.
pub(super) type Answer = Box<dyn FnOnce(Result<(), &str>) + Send>;

/// What is to be done as soon as all before it is stored.
enum Due {
    Output(Output),
    Answer(Answer),
}

/// What the task works with.
pub(super) struct Driver {
    pub(super) chat: Chat<Vault>,
    pub(super) store: Store,
    pub(super) circle: Arc<dyn Circle>,
    pub(super) overlay: Overlay,
    pub(super) lines: Arc<Lines>,
    pub(super) post: Post,
    pub(super) clock: Clock,
    pub(super) events: broadcast::Sender<Arc<Happening>>,
    /// Why nothing is stored.
    pub(super) failing: watch::Sender<Option<String>>,
    pub(super) state: State,
}

/// What the task keeps.
#[derive(Default)]
pub(super) struct State {
    /// In the order in which it was decided. Bounded: nothing is decided while any of it cannot be stored.
    due: VecDeque<Due>,
    /// Decided, and to be stored before what is due.
    unstored: Vec<Change>,
    /// Which stream to a node is written to.
    streams: BTreeMap<NodeId, Standing>,
    /// Who is dialled now, each with whether an answer is awaited.
    dialled: BTreeMap<NodeId, bool>,
    /// The people as they were told last.
    known: Known,
    /// When the next message disappears; `None`: none does.
    expires: Option<Instant>,
    /// Who was connected at the last look, by whichever service.
    seen: BTreeSet<NodeId>,
    /// Of each node with a stream: how much had come of it at the last look, and since when no more did.
    silent: BTreeMap<NodeId, (u64, Instant)>,
}

/// What the task hears.
pub(super) struct Ears {
    pub(super) words: mpsc::Receiver<Word>,
    pub(super) commands: mpsc::Receiver<Command>,
    /// Woken when the people or the groups changed.
    pub(super) people: Arc<Notify>,
}

impl Driver {
    /// Runs until the last handle is gone.
    pub(super) async fn run(mut self, mut ears: Ears) {
        self.meet_anew();
        self.expire().await;
        let mut look = tokio::time::interval(links::SEEN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if !self.settle(&mut ears).await {
                return;
            }
            let due = self.chat.poll_timeout();
            tokio::select! {
                // Whoever sends them ends with the node.
                Some(word) = ears.words.recv() => self.hear(word),
                command = ears.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                () = ears.people.notified() => self.meet_anew(),
                () = self.clock.sleep_until(due) => self.handle(Input::Timeout),
                () = sleep_until(self.state.expires) => self.expire().await,
                _ = look.tick() => self.look(),
            }
            // What else is there already shares the commit.
            for _ in 1..BATCH {
                match ears.words.try_recv() {
                    Ok(word) => self.hear(word),
                    Err(_) => break,
                }
            }
            for _ in 0..COMMANDS {
                match ears.commands.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(_) => break,
                }
            }
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Stands { node, standing, met } => {
                if met {
                    self.meet_anew();
                }
                self.state.dialled.remove(&node);
                // The one before is written to no more, and read to its end.
                self.state.streams.insert(node, standing);
                self.handle(Input::Connected(node));
            }
            Word::Received(node, frame) => self.handle(Input::Received(node, frame)),
            Word::Ended { node, id } => {
                if self.state.streams.get(&node).is_some_and(|standing| standing.id == id) {
                    self.state.streams.remove(&node);
                    self.handle(Input::Disconnected(node));
                }
            }
            Word::Unreachable { node, goes_on } => {
                let is_awaited = self.state.dialled.remove(&node).unwrap_or(false);
                if goes_on {
                    self.state.dialled.insert(node, false);
                }
                // It may have dialled us meanwhile.
                if is_awaited && !self.state.streams.contains_key(&node) {
                    self.handle(Input::Unreachable(node));
                }
            }
            Word::Answered(token, answer) => self.handle(Input::Answered(token, answer)),
            Word::Fetched(token, messages) => self.handle(Input::Fetched(token, messages)),
            Word::Mailboxes(mailboxes) => self.handle(Input::Mailboxes(mailboxes)),
            Word::Settings(settings) => {
                self.chat.set_settings(settings);
                self.collect();
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.chat.handle(self.clock.now(), input);
        self.collect();
    }

    fn obey(&mut self, command: Command) {
        let answer = command(&mut self.chat, self.clock.now());
        self.collect();
        self.state.due.push_back(Due::Answer(answer));
    }

    /// Tells the conversations of the people, if that is news.
    fn meet_anew(&mut self) {
        let known = self.circle.known();
        if known != self.state.known {
            self.state.known = known.clone();
            self.handle(Input::People(known));
            self.tell(Happening::People);
        }
    }

    /// Takes what the conversations want.
    fn collect(&mut self) {
        while let Some(output) = self.chat.poll_output() {
            match output {
                // Earlier than it would have to be, for what stands before it; never later.
                Output::Persist(changes) => self.state.unstored.extend(changes),
                output => self.state.due.push_back(Due::Output(output)),
            }
        }
    }

    /// Stores what was decided, and does what is due then, until nothing is. Returns false when the node ends.
    async fn settle(&mut self, ears: &mut Ears) -> bool {
        while !(self.state.unstored.is_empty() && self.state.due.is_empty()) {
            if !self.state.unstored.is_empty() && !self.commit(ears).await {
                return false;
            }
            while let Some(due) = self.state.due.pop_front() {
                match due {
                    Due::Answer(answer) => answer(Ok(())),
                    Due::Output(output) => self.carry_out(output),
                }
                if !self.state.unstored.is_empty() {
                    // What it led to may stand behind something that has to be stored.
                    break;
                }
            }
        }
        true
    }

    /// Stores what was decided, however long it takes. Returns false when the node ends before.
    async fn commit(&mut self, ears: &mut Ears) -> bool {
        let changes = std::mem::take(&mut self.state.unstored);
        let disappears = |change: &Change| matches!(change, Change::Message(message) if message.expires_s.is_some());
        let is_disappearing = changes.iter().any(disappears);
        let mut again = AGAIN;
        while let Err(error) = self.store.apply(changes.clone(), now_ms()).await {
            let reason = error.to_string();
            tracing::warn!(%reason, "what was said or heard is not stored, and nothing is sent: is the disk full?");
            self.fail(&reason);
            let retry = Instant::now() + again;
            again = (again * 2).min(MAX_AGAIN);
            // Whoever wants something meanwhile is told why it is not done: without an answer, by what failed.
            loop {
                match tokio::time::timeout_at(retry, ears.commands.recv()).await {
                    Err(_) => break,
                    Ok(Some(command)) => drop(command),
                    Ok(None) => return false,
                }
            }
        }
        if self.failing.send_if_modified(|reason| reason.take().is_some()) {
            tracing::warn!("what was said and heard is stored again");
            self.tell(Happening::Failing(None));
        }
        if is_disappearing {
            self.state.expires = Some(Instant::now());
        }
        true
    }

    /// Wipes the messages whose time is up, some at a time, and finds out when the next one's is.
    async fn expire(&mut self) {
        let now_ms = now_ms();
        self.state.expires = match self.store.expire(now_ms).await {
            Ok(expired) => {
                let mut gone: BTreeMap<Conversation, Vec<MessageId>> = BTreeMap::new();
                for (conversation, id) in expired.messages {
                    gone.entry(conversation).or_default().push(id);
                }
                for (conversation, ids) in gone {
                    self.tell(Happening::Expired(conversation, ids));
                }
                let wait = |next: u64| Duration::from_millis(next.saturating_sub(now_ms)).min(LOOK);
                expired.next_ms.map(|next| Instant::now() + wait(next))
            }
            Err(error) => {
                tracing::warn!(%error, "messages whose time is up are still here");
                Some(Instant::now() + MAX_AGAIN)
            }
        };
    }

    /// Says that nothing can be stored, to all who wait for it too.
    fn fail(&mut self, reason: &str) {
        let is_new = self.failing.send_replace(Some(reason.to_owned())).as_deref() != Some(reason);
        if is_new {
            self.tell(Happening::Failing(Some(reason.to_owned())));
        }
        let due = std::mem::take(&mut self.state.due);
        for due in due {
            match due {
                Due::Answer(answer) => answer(Err(reason)),
                output => self.state.due.push_back(output),
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            // Taken out before.
            Output::Persist(changes) => self.state.unstored.extend(changes),
            Output::Send(node, frame) => self.send(node, frame),
            Output::Dial(node) => self.dial(node),
            Output::Ask { token, mailbox, whereabouts, request } => {
                self.post.ask_later(token, mailbox, whereabouts, request);
            }
            Output::Fetch(token, conversation, ids) => {
                let (store, words) = (self.store.clone(), self.post.words());
                tokio::spawn(async move {
                    let messages = store.messages(&conversation, ids).await;
                    if let Err(error) = &messages {
                        tracing::warn!(%error, "what another node misses cannot be read");
                    }
                    // The driver ends only with the node.
                    let _ = words.send(Word::Fetched(token, messages.ok())).await;
                });
            }
            Output::Event(event) => self.tell(Happening::Chat(event)),
        }
    }

    fn tell(&self, happening: Happening) {
        // Nobody need listen.
        let _ = self.events.send(Arc::new(happening));
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
