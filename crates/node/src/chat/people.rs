//! Wiring: the conversations hear of changes of people, groups and settings, and their service is on the overlay.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use base::PersonId;
use chat::proto::{Chat, Conversation, Event, Parts, Settings, Vault};
use chat::{Circle, Store, Swarms};
use net::Clock;
use overlay::Overlay;
use people::proto::NodeKey;
use tokio::sync::{Notify, broadcast, mpsc, watch};

use super::attachments::Attachments;
use super::driver::{COMMANDS, Driver, Ears, State, WORDS};
use super::handle::{ChatHandle, EVENTS, Happening, Inner};
use super::mailboxes::Chooser;
use super::post::Post;
use super::streams::Lines;
use crate::NodeError;
use crate::controls::Controls;
use crate::groups::Groups;
use crate::known::KnownPeople;
use crate::people::People;

/// The conversations of a node, as soon as it belongs to somebody. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chats(Arc<OnceLock<ChatHandle>>);

impl Chats {
    /// Returns the conversations; `None` while the node belongs to nobody.
    pub(crate) fn get(&self) -> Option<&ChatHandle> {
        self.0.get()
    }
}

/// What is joined.
#[derive(Clone)]
struct Ground {
    people: People,
    groups: Groups,
    wiring: Wiring,
}

/// What the conversations work with.
#[derive(Clone)]
pub(super) struct Wiring {
    pub(super) key: NodeKey,
    pub(super) circle: Arc<dyn Circle>,
    pub(super) overlay: Overlay,
    pub(super) database: db::Db,
    pub(super) controls: Controls,
    pub(super) swarms: Arc<dyn Swarms>,
}

/// Who wants to be woken when people or groups changed.
pub(super) type Woken = [Arc<Notify>; 2];

/// Starts the conversations, and their service on the overlay.
pub(crate) async fn begin(
    (people, groups): (&People, &Groups),
    circle: Arc<KnownPeople>,
    overlay: &Overlay,
    database: db::Db,
    controls: &Controls,
    swarms: Arc<dyn Swarms>,
) -> Result<Chats, NodeError> {
    let chats = Chats::default();
    let (key, overlay, controls) = (people.key().clone(), overlay.clone(), controls.clone());
    let wiring = Wiring { key, circle, overlay, database, controls, swarms };
    let ground = Ground { people: people.clone(), groups: groups.clone(), wiring };
    match ground.wiring.circle.own_person() {
        Some(me) => {
            // Set once: here.
            let _ = chats.0.set(ground.start(me).await?);
        }
        None => drop(tokio::spawn(wait(ground, Arc::downgrade(&chats.0)))),
    }
    Ok(chats)
}

/// Starts the conversations as soon as the node belongs to somebody, unless it ends before.
async fn wait(ground: Ground, chats: std::sync::Weak<OnceLock<ChatHandle>>) {
    let mut changes = ground.people.changes();
    let me = loop {
        if let Some(me) = ground.wiring.circle.own_person() {
            break me;
        }
        if changes.changed().await.is_err() || chats.strong_count() == 0 {
            return;
        }
    };
    match (ground.start(me).await, chats.upgrade()) {
        (Ok(handle), Some(chats)) => {
            // Set once: here.
            let _ = chats.set(handle);
        }
        (Ok(_), None) => {}
        (Err(error), _) => tracing::warn!(%error, "there are no conversations until the node is started again"),
    }
}

impl Ground {
    async fn start(&self, me: PersonId) -> Result<ChatHandle, NodeError> {
        let (handle, woken) = start(&self.wiring, me).await?;
        for woken in &woken {
            tokio::spawn(follow(self.people.changes(), Arc::downgrade(woken)));
            tokio::spawn(follow(self.groups.changes(), Arc::downgrade(woken)));
        }
        Ok(handle)
    }
}

/// Starts the conversations of a person.
pub(super) async fn start(wiring: &Wiring, me: PersonId) -> Result<(ChatHandle, Woken), NodeError> {
    let Wiring { key, circle, overlay, database, controls, swarms } = wiring.clone();
    let store = Store::open(database, me).await?;
    let facts = store.facts().await?;
    let config = controls.shown().config.chat;
    let settings = Settings { receipts: config.receipts, typing: config.typing };
    let (mut of_vault, mut of_chat) = ([0; 32], [0; 8]);
    getrandom::fill(&mut of_vault)
        .and_then(|()| getrandom::fill(&mut of_chat))
        .map_err(|error| NodeError::Random(error.to_string()))?;
    let cipher = Vault::new(key, of_vault, &facts);
    let parts = Parts { me, node: overlay.node(), cipher, seed: u64::from_be_bytes(of_chat), settings };
    let chat = Chat::new(parts, facts);

    let (words, heard) = mpsc::channel(WORDS);
    let (commands, wanted) = mpsc::channel(COMMANDS);
    let events = broadcast::Sender::new(EVENTS);
    let (failing, is_failing) = watch::channel(None);
    let (chosen, is_chosen) = watch::channel(Vec::new());
    let lines = Arc::new(Lines::new(circle.clone(), words.clone()));
    let post = Post::new(overlay.clone(), words);
    speak_with_strangers(&store, &*circle).await?;
    let woken = Woken::default();
    let driver = Driver {
        chat,
        store: store.clone(),
        circle: circle.clone(),
        overlay: overlay.clone(),
        lines: lines.clone(),
        post: post.clone(),
        clock: Clock::start(),
        events: events.clone(),
        failing,
        state: State::default(),
    };
    tokio::spawn(driver.run(Ears { words: heard, commands: wanted, people: woken[0].clone() }));
    overlay.serve(lines.clone());
    let chooser = Chooser { circle: circle.clone(), controls, post, chosen, people: woken[1].clone() };
    tokio::spawn(chooser.run());
    tokio::spawn(remember(events.subscribe(), store.clone(), circle.clone()));
    let attachments = Attachments { me, store: store.clone(), swarms };
    tokio::spawn(attachments.run(events.subscribe()));
    let (mailboxes, people) = (is_chosen, woken[0].clone());
    let inner = Inner { me, circle, store, commands, events, failing: is_failing, mailboxes, overlay, lines, people };
    Ok((ChatHandle::new(inner), woken))
}

/// Wakes somebody at each change, until that one is gone.
async fn follow<T>(mut changes: watch::Receiver<T>, woken: std::sync::Weak<Notify>) {
    while changes.changed().await.is_ok() {
        let Some(woken) = woken.upgrade() else { return };
        woken.notify_one();
    }
}

/// Keeps the lists of nodes of all with whom the user begins to speak, until the conversations end.
async fn remember(mut events: broadcast::Receiver<Arc<Happening>>, store: Store, circle: Arc<dyn Circle>) {
    let mut spoken: BTreeSet<Conversation> = BTreeSet::new();
    loop {
        let is_news = match events.recv().await.as_deref() {
            Ok(Happening::Chat(Event::Shown(message))) => {
                let is_direct = matches!(message.conversation, Conversation::Direct(..));
                is_direct && spoken.insert(message.conversation.clone())
            }
            Ok(_) => false,
            Err(broadcast::error::RecvError::Lagged(_)) => true,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if is_news && let Err(error) = speak_with_strangers(&store, &*circle).await {
            tracing::warn!(%error, "where somebody is who wrote to you is not kept");
        }
    }
}

async fn speak_with_strangers(store: &Store, circle: &dyn Circle) -> Result<(), db::DbError> {
    let Some(me) = circle.own_person() else { return Ok(()) };
    let conversations = store.conversations().await?;
    let partners: Vec<PersonId> =
        conversations.iter().filter_map(|summary| summary.conversation.partner(me)).filter(|it| *it != me).collect();
    circle.speak_with(&partners).await;
    Ok(())
}
