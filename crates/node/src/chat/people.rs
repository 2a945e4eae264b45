//! Wiring: the conversations hear of changes of people, groups and settings, and their service is on the overlay.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use base::PersonId;
use chat::proto::{Chat, Conversation, Event, Parts, Settings, Vault};
use chat::{Circle, Store, Swarms};
use net::Clock;
use overlay::Overlay;
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
    circle: Arc<KnownPeople>,
    overlay: Overlay,
    database: db::Db,
    controls: Controls,
    swarms: Arc<dyn Swarms>,
}

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
    let (people, groups, overlay, controls) = (people.clone(), groups.clone(), overlay.clone(), controls.clone());
    let ground = Ground { people, groups, circle, overlay, database, controls, swarms };
    match Circle::own_person(&*ground.circle) {
        Some(me) => {
            // Set once: here.
            let _ = chats.0.set(start(&ground, me).await?);
        }
        None => drop(tokio::spawn(wait(ground, Arc::downgrade(&chats.0)))),
    }
    Ok(chats)
}

/// Starts the conversations as soon as the node belongs to somebody, unless it ends before.
async fn wait(ground: Ground, chats: std::sync::Weak<OnceLock<ChatHandle>>) {
    let mut changes = ground.people.changes();
    let me = loop {
        if let Some(me) = Circle::own_person(&*ground.circle) {
            break me;
        }
        if changes.changed().await.is_err() || chats.strong_count() == 0 {
            return;
        }
    };
    match (start(&ground, me).await, chats.upgrade()) {
        (Ok(handle), Some(chats)) => {
            // Set once: here.
            let _ = chats.set(handle);
        }
        (Ok(_), None) => {}
        (Err(error), _) => tracing::warn!(%error, "there are no conversations until the node is started again"),
    }
}

async fn start(ground: &Ground, me: PersonId) -> Result<ChatHandle, NodeError> {
    let Ground { people, groups, circle, overlay, database, controls, swarms } = ground;
    let store = Store::open(database.clone(), me).await?;
    let facts = store.facts().await?;
    let mut seed = [0; 40];
    getrandom::fill(&mut seed).map_err(|error| NodeError::Random(error.to_string()))?;
    // Both parts are there: 32 and 8 of 40.
    let (of_vault, of_chat) = seed.split_at(32);
    let (of_vault, of_chat) = (of_vault.try_into().unwrap_or([0; 32]), of_chat.try_into().unwrap_or([0; 8]));
    let config = controls.shown().config.chat;
    let settings = Settings { receipts: config.receipts, typing: config.typing };
    let cipher = Vault::new(people.key().clone(), of_vault, &facts);
    let parts = Parts { me, node: overlay.node(), cipher, seed: u64::from_be_bytes(of_chat), settings };
    let chat = Chat::new(parts, facts);

    let (words, heard) = mpsc::channel(WORDS);
    let (commands, wanted) = mpsc::channel(COMMANDS);
    let events = broadcast::Sender::new(EVENTS);
    let (failing, is_failing) = watch::channel(None);
    let (chosen, is_chosen) = watch::channel(Vec::new());
    let circle: Arc<dyn Circle> = circle.clone();
    let lines = Arc::new(Lines::new(circle.clone(), words.clone()));
    let post = Post::new(overlay.clone(), words);
    speak_with_strangers(&store, &*circle).await?;
    let (people_changed, for_chooser) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
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
    tokio::spawn(driver.run(Ears { words: heard, commands: wanted, people: people_changed.clone() }));
    overlay.serve(lines);
    for woken in [&people_changed, &for_chooser] {
        tokio::spawn(follow(people.changes(), Arc::downgrade(woken)));
        tokio::spawn(follow(groups.changes(), Arc::downgrade(woken)));
    }
    let chooser = Chooser { circle: circle.clone(), controls: controls.clone(), post, chosen, people: for_chooser };
    tokio::spawn(chooser.run());
    tokio::spawn(remember(events.subscribe(), store.clone(), circle.clone()));
    let attachments = Attachments { me, store: store.clone(), swarms: swarms.clone() };
    tokio::spawn(attachments.run(events.subscribe()));
    let inner = Inner { me, circle, store, commands, events, failing: is_failing, mailboxes: is_chosen };
    Ok(ChatHandle::new(inner))
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
