//! What the rest of the node does with conversations: the API, and other ways to talk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::{Now, PersonId};
use chat::proto::{Body, Chat, ChatError, Conversation, Event, Input, MessageId, RoomName, Stage, Vault};
use chat::{Circle, Entry, Hit, Position, Span, Store, Summary};
use overlay::{Hint, Overlay};
use people::proto::{PersonLink, ShownList};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::driver::{Answer, Command};
use super::mailboxes::Chosen;
use super::streams::Lines;
use crate::people::now_ms;

/// How many events wait for somebody who is slow to hear them; more are lost to them, and they are told so.
pub(super) const EVENTS: usize = 1024;

/// Why something of it failed; the words are for the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChatFailure {
    /// What was asked for cannot be.
    #[error("{0}")]
    Input(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The state machine refuses.
    #[error(transparent)]
    Refused(#[from] ChatError),
    /// The database fails for now.
    #[error("{0}; nothing is sent or taken in until that works again, and this was not done")]
    Failing(String),
    /// It is done, but not stored.
    #[error("{0}; this is tried again until it works, and takes effect then")]
    Unstored(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::DbError),
    /// The node ends.
    #[error("the node is shutting down: try again when it is started again")]
    Over,
}

/// What whoever listens hears.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Something in a conversation.
    Chat(Event),
    /// Messages are gone, because their time was up.
    Expired(Conversation, Vec<MessageId>),
    /// The user changed how a conversation is shown here.
    Changed(Conversation),
    /// Some of what happened was too much for whoever listens.
    Missed,
    /// People, groups or names changed: whoever shows them looks again.
    People,
    /// Nothing goes out and nothing is taken in, for this reason; or no longer so.
    Failing(Option<String>),
}

/// Somebody who takes part in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Who.
    pub(crate) person: PersonId,
    /// What the user calls them.
    pub(crate) name: String,
}

/// The conversations of this node's person. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ChatHandle(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) me: PersonId,
    pub(super) circle: Arc<dyn Circle>,
    pub(super) store: Store,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) events: broadcast::Sender<Arc<Happening>>,
    /// Why nothing is stored.
    pub(super) failing: watch::Receiver<Option<String>>,
    /// Which mailboxes keep messages for this node.
    pub(super) mailboxes: watch::Receiver<Vec<Chosen>>,
    pub(super) overlay: Overlay,
    pub(super) lines: Arc<Lines>,
    /// Woken when there are other people.
    pub(super) people: Arc<Notify>,
}

impl ChatHandle {
    pub(super) fn new(inner: Inner) -> ChatHandle {
        ChatHandle(Arc::new(inner))
    }

    /// Returns who the user is.
    pub(crate) fn me(&self) -> PersonId {
        self.0.me
    }

    /// Returns the people and groups that there are.
    pub(crate) fn circle(&self) -> &Arc<dyn Circle> {
        &self.0.circle
    }

    /// Finds a conversation by what the user calls it: the name or id of a person, `GROUP` (its main room), `GROUP/ROOM`. A
    /// person goes before a group of the same name, which `group:NAME` means; `person:NAME` is never a group.
    pub(crate) fn find(&self, name: &str) -> Result<Conversation, ChatFailure> {
        super::names::find(&*self.0.circle, self.0.me, name)
    }

    /// Finds somebody who is neither a contact nor a fellow member: asks the nodes in the link which nodes the person has.
    /// It is forgotten with the end of the node, unless something is said.
    pub(crate) async fn meet(&self, link: &PersonLink) -> Result<Conversation, ChatFailure> {
        let (inner, person) = (&*self.0, link.person);
        let known = inner.circle.known();
        if known.blocked.contains(&person) {
            return Err(ChatError::Blocked.into());
        }
        link.nodes.iter().for_each(|place| inner.circle.learn_hints(place.node, &place.hints));
        let acquaintance = known.people.iter().find(|acquaintance| acquaintance.person == person);
        if acquaintance.is_none_or(|acquaintance| acquaintance.nodes.is_empty()) {
            let found = self.look_up(link).await;
            if acquaintance.is_none() {
                found?;
            }
            let circle = inner.circle.clone();
            // At once: the next command may be to write to them.
            self.drive(move |chat, now| chat.handle(now, Input::People(circle.known()))).await?;
            inner.people.notify_one();
        }
        Ok(Conversation::between(inner.me, person))
    }

    async fn look_up(&self, link: &PersonLink) -> Result<(), ChatFailure> {
        let mut reason = "they have no room for one more".to_owned();
        for place in &link.nodes {
            let hints: Vec<Hint> = place.hints.iter().filter_map(|hint| hint.parse().ok()).collect();
            let asked = self.0.lines.ask_who(&self.0.overlay, (place.node, &hints), link.person).await;
            match asked {
                Ok(list) if ShownList::read(&list).is_ok_and(|shown| shown.person() == link.person) => {
                    if self.0.circle.admit(place.node, &list).await {
                        return Ok(());
                    }
                    reason = "what it says is not proven, or too many strangers wrote lately".to_owned();
                }
                Ok(_) => reason = "it is no computer of theirs".to_owned(),
                Err(error) => reason = error.to_string(),
            }
        }
        let name = link.name.as_ref().map_or("this person", |name| name.as_str());
        Err(ChatFailure::NotFound(format!(
            "no computer of {name} answers now ({reason}): try again when one is on, or take a newer link"
        )))
    }

    /// Returns what the user calls a conversation, so that [`ChatHandle::find`] finds it.
    pub(crate) fn name(&self, of: &Conversation) -> String {
        super::names::name(&*self.0.circle, self.0.me, of)
    }

    /// Returns what the user calls a person; the beginning of the id of one that is not known any more.
    pub(crate) fn person_name(&self, person: PersonId) -> String {
        self.0.circle.person_name(person).unwrap_or_else(|| person.to_string()[..8].to_owned())
    }

    /// Returns what a conversation is called whatever names change; [`ChatHandle::find`] finds it too.
    pub(crate) fn id(&self, of: &Conversation) -> String {
        super::names::id(self.0.me, of)
    }

    /// Returns who takes part in a conversation now, the user included.
    pub(crate) fn members(&self, of: &Conversation) -> Vec<Member> {
        let known = self.0.circle.known();
        let persons: Vec<PersonId> = match of {
            Conversation::Direct(one, other) if one == other => vec![*one],
            Conversation::Direct(one, other) => vec![*one, *other],
            Conversation::Room(group, _) => {
                let fellowship = known.groups.into_iter().find(|fellowship| fellowship.group == *group);
                fellowship.map(|fellowship| fellowship.members.into_iter().collect()).unwrap_or_default()
            }
        };
        persons.into_iter().map(|person| Member { person, name: self.person_name(person) }).collect()
    }

    /// Lists the conversations that there are, the one that somebody spoke in last first.
    pub(crate) async fn conversations(&self) -> Result<Vec<Summary>, ChatFailure> {
        Ok(self.0.store.conversations().await?)
    }

    /// Returns the history, to read.
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Reads lines of a conversation, the oldest first: the last ones of a span, or its first ones.
    pub(crate) async fn history(&self, of: &Conversation, span: Span, limit: usize) -> Result<Vec<Entry>, ChatFailure> {
        Ok(self.0.store.lines(of, span, limit).await?)
    }

    /// Finds where a message stands in a conversation. The error says that it does not.
    pub(crate) async fn position(&self, of: &Conversation, id: MessageId) -> Result<Position, ChatFailure> {
        let found = self.0.store.position(of, id).await?;
        found.ok_or_else(|| {
            ChatFailure::NotFound(format!(
                "there is no message {id} in {} (any more): read the conversation again",
                self.name(of)
            ))
        })
    }

    /// Reads one line; `None`: it is not there (any more).
    pub(crate) async fn entry(&self, of: &Conversation, id: MessageId) -> Result<Option<Entry>, ChatFailure> {
        let Some(at) = self.0.store.position(of, id).await? else { return Ok(None) };
        let around = self.0.store.around(of, at, 1).await?;
        Ok(around.into_iter().find(|entry| entry.position == at))
    }

    /// Finds texts and attachments that have all of these words, the newest first.
    pub(crate) async fn search(
        &self,
        words: &str,
        of: Option<&Conversation>,
        limit: usize,
    ) -> Result<Vec<Hit>, ChatFailure> {
        Ok(self.0.store.search(words, of, limit).await?)
    }

    /// Whether somebody opened this room, as far as is known here. The main room of a group is open from the beginning, and
    /// so is every conversation of two.
    pub(crate) async fn is_there(&self, of: &Conversation) -> Result<bool, ChatFailure> {
        match of {
            Conversation::Room(_, room) if *room != RoomName::main() => {
                Ok(self.conversations().await?.iter().any(|summary| summary.conversation == *of))
            }
            _ => Ok(true),
        }
    }

    /// Says something. Returns when it is stored: from then on it is sent until it arrives.
    pub(crate) async fn send(&self, to: &Conversation, body: Body) -> Result<MessageId, ChatFailure> {
        if body != Body::Opening && !self.is_there(to).await? {
            let name = self.name(to);
            return Err(ChatFailure::NotFound(format!(
                "there is no room {name} as far as is known here: open it first, for all members (`compeer room open \
                 {name}`, POST /api/v1/groups/ID/rooms)"
            )));
        }
        let to = to.clone();
        let written = now_ms();
        Ok(self.drive(move |chat, now| chat.write_at(now, written, &to, body)).await??)
    }

    /// Says something, and waits until everybody who is to get it has it, at most for so long. Returns how far it is with each
    /// of them.
    pub(crate) async fn send_and_see(
        &self,
        to: &Conversation,
        body: Body,
        patience: Duration,
    ) -> Result<(MessageId, BTreeMap<PersonId, Stage>), ChatFailure> {
        let mut events = self.subscribe();
        let others = self.members(to).into_iter().map(|member| member.person).filter(|person| *person != self.0.me);
        let mut stages: BTreeMap<PersonId, Stage> = others.map(|person| (person, Stage::Waiting)).collect();
        let id = self.send(to, body).await?;
        let until = Instant::now() + patience;
        while stages.values().any(|stage| *stage < Stage::Delivered) {
            match timeout_at(until, events.recv()).await {
                Ok(Ok(happening)) => {
                    if let Happening::Chat(Event::Stage(_, moved, person, stage)) = &*happening
                        && *moved == id
                    {
                        let known = stages.entry(*person).or_insert(*stage);
                        *known = (*known).max(*stage);
                    }
                }
                // What was missed is not known here; the history has it.
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => {}
                Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => break,
            }
        }
        Ok((id, stages))
    }

    /// Says that the user has read these.
    pub(crate) async fn mark_read(&self, of: &Conversation, ids: Vec<MessageId>) -> Result<(), ChatFailure> {
        let of = of.clone();
        self.drive(move |chat, now| chat.mark_read(now, &of, &ids)).await
    }

    /// Says that the user writes, or stopped.
    pub(crate) async fn typing(&self, of: &Conversation, typing: bool) -> Result<(), ChatFailure> {
        let of = of.clone();
        self.drive(move |chat, now| chat.typing(now, &of, typing)).await
    }

    /// Takes somebody's messages who is no contact, from now on.
    pub(crate) async fn accept(&self, of: &Conversation) -> Result<(), ChatFailure> {
        let of = of.clone();
        self.drive(move |chat, now| chat.accept(now, &of)).await
    }

    /// Leaves alone what somebody wrote who is no contact.
    pub(crate) async fn refuse(&self, of: &Conversation) -> Result<(), ChatFailure> {
        let of = of.clone();
        self.drive(move |chat, now| chat.refuse(now, &of)).await
    }

    /// Asks the user's other nodes for all that was said.
    pub(crate) async fn ask_history(&self) -> Result<(), ChatFailure> {
        self.drive(|chat, now| chat.ask_history(now)).await
    }

    /// Returns for how many seconds new messages of each conversation are kept; `None`: for good.
    pub(crate) async fn timers(&self, of: Vec<Conversation>) -> Result<Vec<Option<u32>>, ChatFailure> {
        self.drive(move |chat, _| of.iter().map(|conversation| chat.timer(conversation)).collect()).await
    }

    /// Returns for whom something waits, and how much for the node of theirs for which most does.
    pub(crate) async fn waiting(&self) -> Result<BTreeMap<PersonId, usize>, ChatFailure> {
        let mut waiting = BTreeMap::new();
        for (node, count) in self.drive(|chat, _| chat.waiting()).await? {
            if let Some(person) = self.0.circle.person_of(node).filter(|person| *person != self.0.me) {
                let most: &mut usize = waiting.entry(person).or_default();
                *most = count.max(*most);
            }
        }
        Ok(waiting)
    }

    /// Makes a conversation noiseless here, or no longer.
    pub(crate) async fn mute(&self, of: &Conversation, muted: bool) -> Result<(), ChatFailure> {
        self.0.store.set_muted(of.clone(), muted).await?;
        // Nobody need listen.
        let _ = self.0.events.send(Arc::new(Happening::Changed(of.clone())));
        Ok(())
    }

    /// Returns why nothing goes out and nothing is taken in; `None`: all is well.
    pub(crate) fn failure(&self) -> Option<String> {
        self.0.failing.borrow().clone()
    }

    /// Returns the mailboxes that keep messages for this node.
    pub(crate) fn mailboxes(&self) -> Vec<Chosen> {
        self.0.mailboxes.borrow().clone()
    }

    /// Hears what happens from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Happening>> {
        self.0.events.subscribe()
    }

    /// Does something with the conversations, and returns what came of it when that is stored.
    async fn drive<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Chat<Vault>, Now) -> T + Send + 'static,
    ) -> Result<T, ChatFailure> {
        let (reply, answer) = oneshot::channel();
        let command: Command = Box::new(move |chat, now| -> Answer {
            let result = act(chat, now);
            Box::new(move |stored| {
                // Whoever wanted it may have gone.
                let _ = reply.send(stored.map(|()| result).map_err(str::to_owned));
            })
        });
        self.0.commands.send(command).await.map_err(|_| ChatFailure::Over)?;
        match answer.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(reason)) => Err(ChatFailure::Unstored(reason)),
            Err(_) => Err(self.failure().map_or(ChatFailure::Over, ChatFailure::Failing)),
        }
    }
}
