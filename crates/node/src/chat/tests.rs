//! Alice, Bob and Mallory have a node each, and meet over the overlay on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{GroupId, NodeId, PersonId};
use chat::proto::{Acquaintance, Body, Conversation, Event, Known, MessageId, Stage};
use chat::{Attachment, Circle, Doing, SwarmId, Swarms};
use overlay::{EmptyDirectory, Hint, Overlay, Relays};
use people::proto::NodeKey;
use tokio::io::AsyncReadExt as _;

use super::people::{Wiring, start};
use super::{ChatFailure, ChatHandle, Happening};
use crate::controls::Controls;
use crate::{Home, frames};

/// How long something that has to happen may take on a busy computer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who has which node, and where that is.
type World = Arc<Mutex<BTreeMap<PersonId, (NodeId, Vec<String>)>>>;

/// Nobody here sends files.
#[derive(Debug)]
struct NoFiles;

impl Swarms for NoFiles {
    fn attachments(&self) -> Vec<Attachment> {
        Vec::new()
    }

    fn swarm_of(&self, _notice: &[u8]) -> Option<SwarmId> {
        None
    }

    fn written<'a>(&'a self, _swarm: SwarmId, _message: MessageId) -> Doing<'a> {
        Box::pin(async {})
    }

    fn gone<'a>(&'a self, _swarm: SwarmId) -> Doing<'a> {
        Box::pin(async {})
    }

    fn arrived<'a>(&'a self, _author: PersonId, _conversation: &'a Conversation, _notice: &'a [u8]) -> Doing<'a> {
        Box::pin(async {})
    }
}

/// Everybody in the world is everybody's contact.
#[derive(Debug)]
struct View {
    me: PersonId,
    node: NodeId,
    world: World,
}

impl View {
    fn of(&self, node: NodeId) -> Option<(PersonId, Vec<String>)> {
        let world = self.world.lock().unwrap();
        world.iter().find(|(_, (theirs, _))| *theirs == node).map(|(person, (_, hints))| (*person, hints.clone()))
    }
}

impl Circle for View {
    fn own_node(&self) -> NodeId {
        self.node
    }

    fn own_person(&self) -> Option<PersonId> {
        Some(self.me)
    }

    fn person(&self, name: &str) -> Result<PersonId, String> {
        name.parse().map_err(|_| "nobody".to_owned())
    }

    fn group(&self, _: &str) -> Result<GroupId, String> {
        Err("no group".to_owned())
    }

    fn person_name(&self, person: PersonId) -> Option<String> {
        Some(person.to_string())
    }

    fn group_name(&self, _: GroupId) -> Option<String> {
        None
    }

    fn known(&self) -> Known {
        let world = self.world.lock().unwrap();
        let known = |(person, (node, _)): (&PersonId, &(NodeId, Vec<String>))| Acquaintance {
            person: *person,
            nodes: [*node].into(),
            is_contact: true,
        };
        Known { people: world.iter().map(known).collect(), groups: Vec::new(), blocked: BTreeSet::new() }
    }

    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        self.of(node).map(|(person, _)| person)
    }

    fn nodes_of(&self, person: PersonId) -> Vec<NodeId> {
        self.world.lock().unwrap().get(&person).map(|(node, _)| *node).into_iter().collect()
    }

    fn node(&self, _: PersonId, _: &str) -> Option<NodeId> {
        None
    }

    fn hints(&self, node: NodeId) -> Vec<String> {
        self.of(node).map(|(_, hints)| hints).unwrap_or_default()
    }

    fn learn_hints(&self, _: NodeId, _: &[String]) {}

    /// Nobody here reads it but whoever asks for it.
    fn own_list(&self) -> Option<Vec<u8>> {
        Some(self.me.0.to_vec())
    }

    fn admit<'a>(&'a self, _: NodeId, _: &'a [u8]) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async { false })
    }

    fn speak_with<'a>(&'a self, _: &'a [PersonId]) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async {})
    }
}

struct Person {
    id: PersonId,
    chat: ChatHandle,
    overlay: Overlay,
    database: db::Db,
    _home: tempfile::TempDir,
}

/// Starts the nodes of so many people who know one another.
async fn people<const N: usize>() -> [Person; N] {
    // An error means that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let world = World::default();
    let mut nodes = Vec::new();
    for n in 1..=N as u8 {
        let (id, key) = (PersonId([n; 32]), NodeKey::from_secret(&[n; 32]));
        let overlay = overlay(&key).await;
        let hints = overlay.own_hints().iter().map(ToString::to_string).collect();
        world.lock().unwrap().insert(id, (overlay.node(), hints));
        nodes.push((id, key, overlay));
    }
    let mut people = Vec::new();
    for (id, key, overlay) in nodes {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        let database = db::Db::open(&home.database()).unwrap();
        let controls = Controls::start(&home, net::Rates::default(), database.clone()).await.unwrap();
        let circle = Arc::new(View { me: id, node: overlay.node(), world: world.clone() });
        let swarms = Arc::new(NoFiles);
        let wiring = Wiring { key, circle, overlay: overlay.clone(), database: database.clone(), controls, swarms };
        let (chat, _) = start(&wiring, id).await.unwrap();
        people.push(Person { id, chat, overlay, database, _home: folder });
    }
    people.try_into().unwrap_or_else(|_| panic!("as many as were begun"))
}

async fn overlay(key: &NodeKey) -> Overlay {
    let settings = overlay::Settings {
        secret: key.secret(),
        bind: vec!["127.0.0.1:0".parse().unwrap()],
        egress: net::Egress::default(),
        relays: Relays::default(),
        publish: false,
        mdns: false,
        map_port: false,
        dht: None,
        gate: net::Gate::new(torrent::gate_limits(&torrent::Limits::default())),
        directory: Arc::new(EmptyDirectory),
    };
    Overlay::start(settings, Vec::new()).await.unwrap()
}

impl Person {
    fn with(&self, other: &Person) -> Conversation {
        Conversation::between(self.id, other.id)
    }

    async fn says(&self, to: &Person, text: &str) -> Result<MessageId, ChatFailure> {
        self.chat.send(&self.with(to), Body::Text { text: text.to_owned(), answers: None }).await
    }

    async fn texts(&self, of: &Person) -> Vec<String> {
        let lines = self.chat.history(&self.with(of), chat::Span::default(), 100).await.unwrap();
        lines.into_iter().filter_map(|entry| entry.said.text().map(str::to_owned)).collect()
    }

    /// Waits until this is what was said, whatever was first.
    async fn hears(&self, of: &Person, texts: &[&str]) {
        let expected: BTreeSet<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let wait = async {
            while BTreeSet::from_iter(self.texts(of).await) != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let heard = tokio::time::timeout(PATIENCE, wait).await;
        assert!(heard.is_ok(), "{:?} in place of {texts:?}", self.texts(of).await);
    }

    /// Lets every write fail, or succeed again.
    async fn lose_disk(&self, really: bool) {
        let sql = format!("PRAGMA query_only = {really}");
        self.database.call(move |connection| connection.execute_batch(&sql)).await.unwrap();
    }
}

#[tokio::test]
async fn two_talk_over_loopback_and_each_hears_how_far_it_is() {
    let [alice, bob] = people().await;
    let mut events = alice.chat.subscribe();
    let id = alice.says(&bob, "hello").await.unwrap();
    bob.hears(&alice, &["hello"]).await;
    bob.says(&alice, "hello yourself").await.unwrap();
    alice.hears(&bob, &["hello", "hello yourself"]).await;
    let body = Body::Text { text: "again".into(), answers: Some(id) };
    let (_, stages) = alice.chat.send_and_see(&alice.with(&bob), body, PATIENCE).await.unwrap();
    assert_eq!(stages, [(bob.id, Stage::Delivered)].into());
    bob.chat.mark_read(&bob.with(&alice), vec![id]).await.unwrap();
    let read = async {
        loop {
            if let Happening::Chat(Event::Stage(_, moved, person, Stage::Read)) = &*events.recv().await.unwrap() {
                return (*moved, *person);
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, read).await.unwrap(), (id, bob.id));
}

#[tokio::test]
async fn what_is_not_stored_is_neither_told_nor_sent_before_it_is() {
    let [alice, bob] = people().await;
    alice.says(&bob, "all is well").await.unwrap();
    bob.hears(&alice, &["all is well"]).await;

    alice.lose_disk(true).await;
    let mut events = alice.chat.subscribe();
    let failed = alice.says(&bob, "kept in mind").await;
    assert!(matches!(&failed, Err(ChatFailure::Unstored(_))), "{failed:?}");
    assert!(alice.chat.failure().is_some());
    let failed = alice.says(&bob, "not even that").await;
    assert!(matches!(&failed, Err(ChatFailure::Failing(_))), "{failed:?}");
    // Bob's words are not taken either: his node keeps them.
    let waiting = bob.says(&alice, "are you there?").await.unwrap();
    let happened: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    assert!(happened.iter().all(|it| matches!(**it, Happening::Failing(Some(_)))), "{happened:?}");
    assert_eq!(bob.texts(&alice).await, ["all is well", "are you there?"]);

    alice.lose_disk(false).await;
    bob.hears(&alice, &["all is well", "kept in mind", "are you there?"]).await;
    alice.hears(&bob, &["all is well", "kept in mind", "are you there?"]).await;
    assert_eq!(alice.texts(&bob).await, bob.texts(&alice).await, "in the same order");
    assert!(alice.chat.failure().is_none());
    let arrived = async {
        loop {
            let entry = bob.chat.entry(&bob.with(&alice), waiting).await.unwrap().unwrap();
            if entry.stages == [(alice.id, Stage::Delivered)] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.expect("Bob hears that it arrived");
}

#[tokio::test]
async fn whoever_does_not_show_whose_node_it_is_is_not_listened_to() {
    let [alice] = people().await;
    let mallory = overlay(&NodeKey::from_secret(&[13; 32])).await;
    let hints: Vec<Hint> = alice.overlay.own_hints();
    for first in [&[][..], &[3], &[3, 1, 2, 3], &[2, 1, 2, 3]] {
        let mut stream = mallory.open(alice.overlay.node(), "chat", &hints).await.unwrap();
        frames::write(&mut stream, first).await.unwrap();
        // What else is said may come too late for the end of the stream.
        let _ = frames::write(&mut stream, &[2, 9, 9]).await;
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok() && answer.is_empty(), "{first:?}: {ended:?}, {answer:?}");
    }
    assert!(alice.chat.conversations().await.unwrap().is_empty());
}

#[tokio::test]
async fn who_names_a_person_hears_of_their_nodes_and_nobody_else_does() {
    let [alice] = people().await;
    let carol = overlay(&NodeKey::from_secret(&[13; 32])).await;
    let hints: Vec<Hint> = alice.overlay.own_hints();
    let ask = async |meant: &[u8]| {
        let mut stream = carol.open(alice.overlay.node(), "chat", &hints).await.unwrap();
        frames::write(&mut stream, &[&[4], meant].concat()).await.unwrap();
        tokio::time::timeout(PATIENCE, frames::read(&mut stream, 1000)).await.unwrap().unwrap()
    };
    assert_eq!(ask(&alice.id.0).await, alice.id.0);
    for other in [&[9; 32][..], &[], &alice.id.0[..31]] {
        assert_eq!(ask(other).await, b"", "{other:?}");
    }
}
