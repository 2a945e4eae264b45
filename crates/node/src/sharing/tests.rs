//! Stories of people who share. In `carried` the overlay is real. The overlay is a table and pipes in memory; what is known of people is a table too.

mod attached;
mod carried;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use base::{GroupId, NodeId, PersonId};
use futures_util::future::BoxFuture;
use metainfo::InfoHashes;
use net::{Carriage, Opening};
use sharing::proto::{Notice, Receipt, Rule, ShareId, Whose};
use sharing::{Circle, InboxItem, InboxState, Library};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use torrent::{Incomplete, Limits, NetworkConfig, Session, SessionConfig};

use super::{LIBRARY, NOTICE, Parts, Post, Sharing, SharingError};
use crate::jobs::Progress;
use crate::sorting::Sorting;

/// How long anything may take here, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a test waits to see that nothing happens.
const QUIET: Duration = Duration::from_millis(400);

const CLUB: GroupId = GroupId([99; 32]);

/// Everything that all of them know, and where they are.
#[derive(Debug, Default)]
struct World {
    here: Mutex<HashMap<NodeId, (Session, Sharing)>>,
    /// By name: a letter.
    people: Mutex<BTreeMap<PersonId, String>>,
    revoked: Mutex<BTreeSet<NodeId>>,
    club: Mutex<BTreeSet<PersonId>>,
    /// Nodes whose ids are keys, and where they are.
    keyed: Mutex<BTreeMap<PersonId, (NodeId, Vec<String>)>>,
}

impl World {
    fn node_of(&self, person: PersonId) -> NodeId {
        self.keyed.lock().unwrap().get(&person).map_or(NodeId(person.0), |(node, _)| *node)
    }
}

#[derive(Debug)]
struct View {
    own: PersonId,
    world: Arc<World>,
}

impl Circle for View {
    fn own_node(&self) -> NodeId {
        self.world.node_of(self.own)
    }

    fn person(&self, name: &str) -> Result<PersonId, String> {
        let people = self.world.people.lock().unwrap();
        people
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(id, _)| *id)
            .ok_or_else(|| format!("nobody is called {name}"))
    }

    fn group(&self, name: &str) -> Result<GroupId, String> {
        if name == "club" { Ok(CLUB) } else { Err(format!("no group is called {name}")) }
    }

    fn person_name(&self, person: PersonId) -> Option<String> {
        self.world.people.lock().unwrap().get(&person).cloned()
    }

    fn group_name(&self, group: GroupId) -> Option<String> {
        (group == CLUB).then(|| "club".to_owned())
    }

    fn nodes_of(&self, person: PersonId) -> Vec<NodeId> {
        let known = self.person_name(person).is_some();
        [self.world.node_of(person)].into_iter().filter(|node| known && !self.is_refused(*node)).collect()
    }

    fn members(&self, group: GroupId) -> Vec<PersonId> {
        let club = self.world.club.lock().unwrap();
        if group == CLUB { club.iter().copied().collect() } else { Vec::new() }
    }

    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        let people: Vec<PersonId> = self.world.people.lock().unwrap().keys().copied().collect();
        let person = people.into_iter().find(|person| self.world.node_of(*person) == node);
        person.filter(|_| !self.is_refused(node))
    }

    fn hints(&self, node: NodeId) -> Vec<String> {
        let keyed = self.world.keyed.lock().unwrap();
        keyed.values().find(|(known, _)| *known == node).map(|(_, hints)| hints.clone()).unwrap_or_default()
    }

    fn learn_hints(&self, _node: NodeId, _hints: &[String]) {}

    fn is_refused(&self, node: NodeId) -> bool {
        self.world.revoked.lock().unwrap().contains(&node)
    }
}

impl Post for View {
    fn ask(
        &self,
        node: NodeId,
        service: &'static str,
        request: Vec<u8>,
        _limit: usize,
    ) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let (world, own) = (self.world.clone(), self.own);
        Box::pin(async move {
            let there = world.here.lock().unwrap().get(&node).cloned();
            let (_, sharing) = there.ok_or_else(|| "the node is off".to_owned())?;
            let person = Some(own).filter(|own| world.people.lock().unwrap().contains_key(own));
            Ok(match service {
                NOTICE => sharing.receive(world.node_of(own), person, &request).await.encode(),
                LIBRARY => sharing.serve_library(world.node_of(own), person, &request).await.encode(),
                _ => panic!("there is no service {service}"),
            })
        })
    }
}

impl net::Overland for View {
    fn open(&self, node: NodeId) -> Opening<'_> {
        Box::pin(async move {
            let there = self.world.here.lock().unwrap().get(&node).cloned();
            let (session, _) = there.ok_or(io::ErrorKind::HostUnreachable)?;
            let (near, far) = tokio::io::duplex(256 << 10);
            let theirs = Box::new(Pipe { node: self.world.node_of(self.own), stream: far });
            tokio::spawn(async move { session.serve(theirs).await });
            Ok(Box::new(Pipe { node, stream: near }) as Box<dyn Carriage>)
        })
    }
}

#[derive(Debug)]
struct Pipe {
    node: NodeId,
    stream: DuplexStream,
}

impl Carriage for Pipe {
    fn node(&self) -> NodeId {
        self.node
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(bytes);
        Pin::new(&mut self.stream).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Somebody with a node.
struct Person {
    id: PersonId,
    name: &'static str,
    home: TempDir,
    world: Arc<World>,
    session: Session,
    sharing: Sharing,
}

impl Person {
    async fn start(world: &Arc<World>, number: u8, name: &'static str) -> Person {
        let home = tempfile::tempdir().unwrap();
        let id = PersonId([number; 32]);
        world.people.lock().unwrap().insert(id, name.to_owned());
        let (session, sharing) = open(world, id, home.path()).await;
        Person { id, name, home, world: world.clone(), session, sharing }
    }

    fn node(&self) -> NodeId {
        self.world.node_of(self.id)
    }

    async fn leave(&self) {
        self.world.here.lock().unwrap().remove(&self.node());
        self.session.shutdown().await;
    }

    async fn come_back(&mut self) {
        let (session, sharing) = open(&self.world, self.id, self.home.path()).await;
        (self.session, self.sharing) = (session, sharing);
        for (_, other) in self.world.here.lock().unwrap().values() {
            other.seen(self.node());
        }
    }

    /// Makes a file of its own; returns its path.
    fn write(&self, name: &str, length: usize) -> PathBuf {
        let path = self.home.path().join("mine").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut content = vec![0; length];
        fastrand::Rng::with_seed(length as u64).fill(&mut content);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn share(&self, path: &Path, to: &[&str], groups: &[&str]) -> ShareId {
        let words = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let audience = self.sharing.audience(&words(to), &words(groups)).unwrap();
        self.sharing.share(path, audience, None, Progress::default()).await.unwrap().0.id()
    }

    /// Waits until a share is in the inbox.
    async fn hears_of(&self, id: ShareId) -> InboxItem {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(item) = self.sharing.inbox().into_iter().find(|item| item.id() == id) {
                return item;
            }
            assert!(tokio::time::Instant::now() < end, "{} hears nothing of {id}", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn accepts(&self, id: ShareId) {
        let item = self.hears_of(id).await;
        self.sharing.accept(item.sharer, id, None).await.unwrap();
    }

    /// Waits until a torrent is here and complete.
    async fn has(&self, id: ShareId) {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let status = self.session.status(id).await;
            if status.as_ref().is_ok_and(torrent::TorrentStatus::is_complete) {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "{} does not get it: {status:?}", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn downloads(&self) -> PathBuf {
        self.home.path().join("files")
    }
}

async fn open(world: &Arc<World>, id: PersonId, home: &Path) -> (Session, Sharing) {
    let (session, database) = start_session(home).await;
    let view = Arc::new(View { own: id, world: world.clone() });
    session.set_overland(view.clone());
    let sorting = Sorting::open(database.clone()).await.unwrap();
    let parts = Parts { session: session.clone(), sorting, database, circle: view.clone(), post: view };
    let sharing = Sharing::start(parts).await.unwrap();
    world.here.lock().unwrap().insert(world.node_of(id), (session.clone(), sharing.clone()));
    (session, sharing)
}

async fn start_session(home: &Path) -> (Session, db::Db) {
    let database = db::Db::open(&home.join("node.db")).unwrap();
    let session = Session::start(SessionConfig {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        database: database.clone(),
        folder: home.join("files"),
        incomplete: Incomplete::Suffix,
        preallocate: false,
        resources: torrent::Resources {
            threads: Some(1),
            memory_bytes: 16 << 20,
            keep_free_bytes: 0,
            most_bytes: None,
        },
        limits: Limits::default(),
        client: "Compeer test".to_owned(),
        network: NetworkConfig::default(),
        egress: net::Egress::default(),
        held: false,
        gate: None,
    })
    .await
    .unwrap();
    (session, database)
}

fn same(a: &Path, b: &Path) -> bool {
    std::fs::read(a).unwrap() == std::fs::read(b).unwrap()
}

#[tokio::test]
async fn a_share_is_heard_of_accepted_and_fetched() {
    let world = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let path = alice.write("photo.jpg", 777_777);
    let id = alice.share(&path, &["bob"], &[]).await;
    let item = bob.hears_of(id).await;
    assert_eq!((item.sharer, item.notice.name.as_str(), item.notice.bytes), (alice.id, "photo.jpg", 777_777));
    assert_eq!(item.state, InboxState::Waiting);
    assert!(bob.session.status(id).await.is_err(), "nothing is fetched before the user says so");
    bob.accepts(id).await;
    bob.has(id).await;
    assert!(same(&path, &bob.downloads().join("photo.jpg")));
    assert_eq!(alice.sharing.shares(false)[0].told, (1, 1));
}

#[tokio::test]
async fn what_was_fetched_goes_nowhere_else_without_a_word_and_comes_again_when_it_was_deleted() {
    let world = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let path = alice.write("photo.jpg", 777_777);
    let id = alice.share(&path, &["bob"], &[]).await;
    bob.accepts(id).await;
    bob.has(id).await;
    let elsewhere = bob.home.path().join("elsewhere");
    let refused = bob.sharing.accept(alice.id, id, Some(elsewhere.clone())).await;
    assert!(matches!(refused, Err(SharingError::Input(_))), "{refused:?}");
    assert!(!elsewhere.exists());
    let here = bob.downloads().join("photo.jpg");
    std::fs::remove_file(&here).unwrap();
    bob.accepts(id).await;
    let end = tokio::time::Instant::now() + PATIENCE;
    while !here.exists() || !same(&path, &here) {
        assert!(tokio::time::Instant::now() < end, "it does not come again: {:?}", bob.session.status(id).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_taken_back_leaves_the_inboxes_and_stays_with_who_has_it() {
    let world = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let mut carol = Person::start(&world, 3, "carol").await;
    let path = alice.write("photo.jpg", 777_777);
    let id = alice.share(&path, &["bob", "carol"], &[]).await;
    bob.accepts(id).await;
    bob.has(id).await;
    carol.hears_of(id).await;
    carol.leave().await;
    let sorting = |person: &Person| person.sharing.0.sorting.clone();
    for person in [&alice, &bob] {
        sorting(person).labels.set(id, vec!["photos".to_owned()]).await.unwrap();
    }
    alice.sharing.unshare(id).await.unwrap();
    assert!(alice.sharing.shares(false).is_empty());
    assert_eq!((sorting(&alice).of(id).labels.len(), sorting(&bob).of(id).labels.len()), (0, 1));
    assert!(alice.sharing.unshare(id).await.is_err(), "once is enough");
    let end = tokio::time::Instant::now() + PATIENCE;
    while !bob.hears_of(id).await.notice.withdrawn {
        assert!(tokio::time::Instant::now() < end, "bob is not told that it is over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(same(&path, &bob.downloads().join("photo.jpg")));
    // Carol, who was away, hears of it when she is back.
    carol.come_back().await;
    while !carol.sharing.inbox().is_empty() {
        assert!(tokio::time::Instant::now() < end, "carol is not told that it is over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while alice.sharing.0.state.lock().unwrap().shares.contains_key(&id) {
        assert!(tokio::time::Instant::now() < end, "alice remembers what everybody knows");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bob.sharing.decline(alice.id, id).await.unwrap();
    assert!(bob.session.status(id).await.is_err() && sorting(&bob).of(id).labels.is_empty());
}

#[tokio::test]
async fn nobody_is_let_in_by_naming_the_share_of_another_or_a_group_that_is_not_theirs() {
    let world: Arc<World> = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let eve = Person::start(&world, 5, "eve").await;
    world.club.lock().unwrap().extend([alice.id, bob.id]);
    let id = alice.share(&alice.write("photo.jpg", 777_777), &["bob"], &[]).await;
    let notice = bob.hears_of(id).await.notice;
    let folder = bob.home.path().join("club").display().to_string();
    bob.sharing.set_rule(Rule { whose: Whose::Group(CLUB), folder, max_bytes: None }).await.unwrap();
    let theirs = Notice { nodes: vec![eve.node()], group: Some(CLUB), version: 9, ..notice.clone() };
    let answer = bob.sharing.receive(eve.node(), Some(eve.id), &theirs.encode()).await;
    assert_eq!(answer, Receipt::Refused, "the share is Alice's");
    let theirs = Notice { hash: metainfo::InfoHashV2([9; 32]), ..theirs };
    bob.sharing.receive(eve.node(), Some(eve.id), &theirs.encode()).await;
    let other = bob.hears_of(InfoHashes::v2_only(theirs.hash).key()).await;
    assert_eq!((other.state, other.notice.group), (InboxState::Waiting, None), "Eve is no member");
}

#[tokio::test]
async fn nobody_fills_the_memory_with_long_notices() {
    let world: Arc<World> = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let id = alice.share(&alice.write("photo.jpg", 777), &["bob"], &[]).await;
    let short = bob.hears_of(id).await.notice;
    let place = "x".repeat(sharing::proto::MAX_HINT_LEN);
    let hints = (0..64).map(|n| (NodeId([n; 32]), vec![place.clone(); sharing::proto::MAX_HINTS])).collect();
    let long = Notice { nodes: vec![NodeId([7; 32]); 2000], hints, ..short.clone() };
    let tells = async |notice: Notice| bob.sharing.receive(alice.node(), Some(alice.id), &notice.encode()).await;
    let mut kept = 0;
    for n in 1..30 {
        let notice = Notice { hash: metainfo::InfoHashV2([n; 32]), ..long.clone() };
        kept += usize::from(tells(notice).await == Receipt::Kept);
    }
    assert_eq!(kept, sharing::MAX_INBOX_BYTES_PER_PERSON / long.weight());
    let waiting = bob.sharing.inbox().iter().map(|item| item.notice.weight()).sum::<usize>();
    assert!(waiting <= sharing::MAX_INBOX_BYTES_PER_PERSON);
    // Nor by making short ones longer afterwards.
    let longer = Notice { version: short.version + 1, ..long };
    assert_eq!(tells(longer).await, Receipt::Refused);
    let other = Notice { hash: metainfo::InfoHashV2([99; 32]), ..short };
    assert_eq!(tells(other).await, Receipt::Kept, "a short one finds room");
}

#[tokio::test]
async fn what_a_rule_names_comes_by_itself() {
    let world = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let folder = bob.home.path().join("from alice").display().to_string();
    let rule = Rule { whose: Whose::Person(alice.id), folder: folder.clone(), max_bytes: Some(100_000) };
    bob.sharing.set_rule(rule).await.unwrap();
    let small = alice.share(&alice.write("small", 50_000), &["bob"], &[]).await;
    let large = alice.share(&alice.write("large", 200_000), &["bob"], &[]).await;
    bob.has(small).await;
    assert!(Path::new(&folder).join("small").exists());
    assert_eq!(bob.hears_of(large).await.state, InboxState::Waiting);
    assert!(bob.session.status(large).await.is_err());
}

#[tokio::test]
async fn who_is_away_hears_of_it_later_also_after_restarts_and_everything_goes_on() {
    let world = Arc::default();
    let (mut alice, mut bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    bob.leave().await;
    let path = alice.write("film", 999_999);
    let id = alice.share(&path, &["bob"], &[]).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(alice.sharing.shares(false)[0].told, (0, 1));
    alice.leave().await;
    alice.come_back().await;
    bob.come_back().await;
    bob.accepts(id).await;
    bob.has(id).await;

    // Accepted, but not begun: the restart of both goes on with it.
    alice.leave().await;
    let second = {
        alice.come_back().await;
        let second = alice.share(&alice.write("second", 888_888), &["bob"], &[]).await;
        bob.hears_of(second).await;
        alice.leave().await;
        bob.accepts(second).await;
        bob.leave().await;
        bob.come_back().await;
        second
    };
    alice.come_back().await;
    bob.has(second).await;
    assert!(same(&path, &bob.downloads().join("film")));
}

#[tokio::test]
async fn recipients_help_one_another_after_the_sharer_left() {
    let world = Arc::default();
    let alice = Person::start(&world, 1, "alice").await;
    let (bob, carol) = (Person::start(&world, 2, "bob").await, Person::start(&world, 3, "carol").await);
    let id = alice.share(&alice.write("album", 1_234_567), &["bob", "carol"], &[]).await;
    bob.accepts(id).await;
    carol.hears_of(id).await;
    bob.has(id).await;
    alice.leave().await;
    carol.accepts(id).await;
    carol.has(id).await;
}

#[tokio::test]
async fn a_stranger_a_revoked_node_and_an_expelled_member_get_nothing() {
    let world: Arc<World> = Arc::default();
    let alice = Person::start(&world, 1, "alice").await;
    let (bob, carol) = (Person::start(&world, 2, "bob").await, Person::start(&world, 3, "carol").await);
    let mallory = Person::start(&world, 66, "mallory").await;
    world.club.lock().unwrap().extend([alice.id, bob.id, carol.id]);
    let id = alice.share(&alice.write("secret", 2_222_222), &[], &["club"]).await;
    let limits = torrent::TorrentLimits { up_bytes_per_s: Some(300_000), ..Default::default() };
    alice.session.limit(id, limits.clone()).await.unwrap();
    let item = carol.hears_of(id).await;
    bob.accepts(id).await;
    carol.accepts(id).await;

    // Mallory knows everything that there is to know of it.
    assert!(mallory.sharing.inbox().is_empty());
    mallory.sharing.fetch(&item.notice, Some(mallory.downloads())).await.unwrap();
    mallory.session.admit(id, [alice.node(), bob.node(), carol.node()]).await.unwrap();

    // Bob is expelled and Carol's node is revoked while they fetch.
    let end = tokio::time::Instant::now() + PATIENCE;
    while alice.session.peers(id).await.unwrap().len() < 2 {
        assert!(tokio::time::Instant::now() < end, "they do not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.club.lock().unwrap().remove(&bob.id);
    world.revoked.lock().unwrap().insert(carol.node());
    for (_, sharing) in world.here.lock().unwrap().values() {
        sharing.people_changed();
    }
    while !alice.session.peers(id).await.unwrap().is_empty() {
        assert!(tokio::time::Instant::now() < end, "they are not cut off");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(QUIET).await;
    for person in [&bob, &carol, &mallory] {
        let status = person.session.status(id).await.unwrap();
        assert!(!status.is_complete() && status.peers == 0, "{}: {status:?}", person.name);
    }
    assert_eq!(mallory.session.status(id).await.unwrap().downloaded, 0);

    // A new share reaches neither.
    let next = alice.share(&alice.write("next", 55_555), &[], &["club"]).await;
    tokio::time::sleep(QUIET).await;
    for person in [&bob, &carol, &mallory] {
        assert!(person.sharing.inbox().iter().all(|item| item.id() != next), "{} hears of it", person.name);
    }
}

#[tokio::test]
async fn who_is_neither_contact_nor_member_cannot_fill_the_inbox() {
    let world: Arc<World> = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    world.people.lock().unwrap().remove(&alice.id);
    let id = alice.share(&alice.write("spam", 1000), &["bob"], &[]).await;
    tokio::time::sleep(QUIET).await;
    assert!(bob.sharing.inbox().is_empty());
    assert_eq!(alice.sharing.shares(false).iter().find(|view| view.share.id() == id).unwrap().told, (0, 1));
}

#[tokio::test]
async fn the_same_path_is_hashed_once_and_its_audience_grows() {
    let world = Arc::default();
    let alice = Person::start(&world, 1, "alice").await;
    let (_bob, carol) = (Person::start(&world, 2, "bob").await, Person::start(&world, 3, "carol").await);
    let path = alice.write("same", 66_666);
    let first = alice.share(&path, &["bob"], &[]).await;
    assert_eq!(alice.share(&path, &["carol"], &[]).await, first);
    carol.accepts(first).await;
    carol.has(first).await;
    std::fs::write(&path, b"changed").unwrap();
    assert_ne!(alice.share(&path, &["bob"], &[]).await, first, "other content, another torrent");
}

#[tokio::test]
async fn the_same_content_has_another_name_each_time() {
    let world = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let one = alice.share(&alice.write("film", 44_444), &["bob"], &[]).await;
    let other = bob.share(&bob.write("film", 44_444), &["alice"], &[]).await;
    assert_ne!(one, other);
}

#[tokio::test]
async fn a_library_is_browsed_and_taken_from_by_those_it_is_for() {
    let world = Arc::default();
    let alice = Person::start(&world, 1, "alice").await;
    let (bob, carol) = (Person::start(&world, 2, "bob").await, Person::start(&world, 3, "carol").await);
    let song = alice.write("music/live/song.ogg", 345_678);
    alice.write("music/studio.ogg", 1000);
    let secret = alice.write("secret", 10);
    #[cfg(unix)]
    std::os::unix::fs::symlink(&secret, alice.home.path().join("mine/music/link")).unwrap();
    let folder = alice.home.path().join("mine/music").canonicalize().unwrap();
    let audience = alice.sharing.audience(&["bob".to_owned()], &[]).unwrap();
    let library = Library { name: "music".to_owned(), folder: folder.display().to_string(), audience };
    alice.sharing.add_library(library).await.unwrap();

    let path = |text: &str| text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let names = |entries: Vec<sharing::proto::Entry>| entries.into_iter().map(|e| e.name).collect::<Vec<_>>();
    assert_eq!(names(bob.sharing.browse("alice", path("")).await.unwrap()), ["music"]);
    let inside = bob.sharing.browse("alice", path("music")).await.unwrap();
    assert_eq!(
        inside.iter().map(|e| (e.name.as_str(), e.folder, e.bytes)).collect::<Vec<_>>(),
        [("live", true, 0), ("studio.ogg", false, 1000)]
    );
    let progress = Progress::default();
    let taken = bob.sharing.take("alice", path("music/live/song.ogg"), None, &progress).await.unwrap();
    bob.has(taken).await;
    assert!(same(&song, &bob.downloads().join("song.ogg")));
    let again = bob.sharing.take("alice", path("music/live/song.ogg"), None, &progress).await.unwrap();
    assert_eq!(again, taken, "hashed once");
    let all = bob.sharing.take("alice", path("music"), None, &progress).await.unwrap();
    bob.has(all).await;
    assert!(bob.downloads().join("music/live/song.ogg").exists() && !bob.downloads().join("music/link").exists());

    for wrong in ["music/link", "music/none", "other"] {
        let outcome = bob.sharing.take("alice", path(wrong), None, &progress).await;
        assert!(matches!(outcome, Err(SharingError::NotFound(_))), "{wrong}: {outcome:?}");
    }
    assert!(names(carol.sharing.browse("alice", path("")).await.unwrap()).is_empty());
    let outcome = carol.sharing.take("alice", path("music/studio.ogg"), None, &progress).await;
    assert!(matches!(outcome, Err(SharingError::NotFound(_))), "{outcome:?}");

    alice.sharing.remove_library("music").await.unwrap();
    assert!(bob.sharing.browse("alice", path("")).await.unwrap().is_empty());
    assert!(alice.session.status(taken).await.is_err());
}
