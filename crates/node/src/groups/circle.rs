//! One group: its replica, the queues to the streams of its sessions, and the topics that it speaks on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::{GroupId, NodeId, PersonId};
use db::DbError;
use people::GroupStore;
use people::proto::group::message::Fellow;
use people::proto::group::{ChangeId, Event, Input, Message, Output, Replica, SessionId};
use tokio::sync::mpsc;

use super::topics::Topics;
use super::{View, now};

/// How many messages may wait for one stream. A whole log takes some hundred, and each holds references, not copies; a
/// stream that does not take them is ended.
const QUEUE: usize = 1024;

/// Of how many persons who are no members yet the nodes are kept: more come in at once seldom, and each is bounded.
pub(super) const MAX_EARLY: usize = 32;

/// How long whoever leaves waits for a member to hear it. Afterwards it is said when one is met.
const FAREWELL: Duration = Duration::from_secs(3);

/// What one stream has to do.
pub(super) enum Order {
    /// Send a message.
    Send(Message),
    /// Send what was ordered before, and end.
    End,
}

/// A group of this node.
pub(super) struct Circle {
    group: GroupId,
    /// The replica and its streams. Held while changes are stored: what depends on them is sent after that.
    live: tokio::sync::Mutex<Live>,
    view: Mutex<View>,
    nodes: Mutex<Nodes>,
    topics: Mutex<Topics>,
}

/// What came of what a replica wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// There is something new for others to read.
    pub(super) changed: bool,
    /// What was heard names what is not here.
    pub(super) behind: bool,
    /// We left, and a member knows it.
    pub(super) released: bool,
}

struct Live {
    replica: Replica,
    /// What goes by gossip, in order, until the drive is over.
    published: Vec<Message>,
    queues: BTreeMap<SessionId, (PersonId, mpsc::Sender<Order>)>,
    sessions: SessionId,
    /// Changes that are not stored yet: what else the replica wants waits behind them. Bounded: while there are any, the
    /// replica is not asked to do more.
    unstored: Vec<(ChangeId, Arc<[u8]>)>,
    /// What came of what is stored, and was not returned to anybody yet.
    settled: Settled,
}

/// How often somebody who was expelled asks a member whether that holds: two who expelled one another may each have heard
/// half of it, and nobody seeks whom enough others keep company. Arbitrary: seldom enough to bother nobody.
const ASK_AGAIN: Duration = Duration::from_secs(3600);

/// Which nodes are met, and when others were tried.
#[derive(Default)]
pub(super) struct Nodes {
    /// From a link, for as long as no roster names any.
    pub(super) named: Vec<NodeId>,
    /// To which a stream stands, how many each.
    pub(super) met: BTreeMap<NodeId, usize>,
    /// When a node was tried last, and how often in vain.
    pub(super) tried: BTreeMap<NodeId, (Instant, u32)>,
    /// What was told last of the members' nodes: the newest list of each, and of how many nodes we said where they are.
    pub(super) told_people: Vec<(PersonId, u64, usize)>,
    /// What was told last of where this node is.
    pub(super) told_hints: Vec<String>,
    /// When somebody who was expelled asked last whether that holds, or began to wait for it.
    asked: Option<Instant>,
    /// Nodes of those whose admission did not reach us yet: it comes another way than what is told of nodes.
    early: VecDeque<Fellow>,
}

impl Nodes {
    /// Whether somebody who was expelled asks a member whether that holds: now and then.
    pub(super) fn asks_again(&mut self) -> bool {
        let since = *self.asked.get_or_insert_with(Instant::now);
        let again = since.elapsed() >= ASK_AGAIN;
        if again {
            self.asked = Some(Instant::now());
        }
        again
    }

    /// Keeps what is told of somebody who is no member yet. What is too much for [`MAX_EARLY`] pushes out what came first.
    pub(super) fn keep_early(&mut self, fellow: Fellow) {
        self.early.truncate(MAX_EARLY - 1);
        self.early.push_front(fellow);
    }

    /// Takes what was told too early.
    pub(super) fn take_early(&mut self) -> Vec<Fellow> {
        self.early.drain(..).collect()
    }
}

impl Circle {
    pub(super) fn new(replica: Replica, named: Vec<NodeId>) -> Circle {
        Circle {
            group: replica.group(),
            view: Mutex::new(view_of(&replica, 0)),
            nodes: Mutex::new(Nodes { named, ..Nodes::default() }),
            topics: Mutex::new(Topics::of(&replica)),
            live: tokio::sync::Mutex::new(Live {
                replica,
                published: Vec::new(),
                queues: BTreeMap::new(),
                sessions: 0,
                unstored: Vec::new(),
                settled: Settled::default(),
            }),
        }
    }

    pub(super) fn group(&self) -> GroupId {
        self.group
    }

    /// Returns what was published last.
    pub(super) fn view(&self) -> View {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn nodes(&self) -> std::sync::MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn topics(&self) -> std::sync::MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the replica do something and does what it wants: stores, then sends. When storing fails, nothing that depends on
    /// it is sent, shown or published; the next call begins with storing it, and does nothing else as long as that fails.
    /// Cancel safe in the same way.
    pub(super) async fn drive<T>(
        &self,
        store: &GroupStore,
        act: impl FnOnce(&mut Replica) -> T,
    ) -> Result<(T, Settled), DbError> {
        let mut live = self.live.lock().await;
        live.store(self.group, store).await?;
        let result = act(&mut live.replica);
        let settled = self.settle(&mut live, store).await?;
        Ok((result, settled))
    }

    /// Begins a session and returns what its stream has to do.
    pub(super) async fn connect(
        &self,
        store: &GroupStore,
        person: PersonId,
    ) -> Result<(SessionId, mpsc::Receiver<Order>, Settled), DbError> {
        let mut live = self.live.lock().await;
        live.store(self.group, store).await?;
        let (orders, queue) = mpsc::channel(QUEUE);
        live.sessions += 1;
        let session = live.sessions;
        live.queues.insert(session, (person, orders));
        live.replica.handle(now(), Input::Connected { session, person });
        match self.settle(&mut live, store).await {
            Ok(settled) => Ok((session, queue, settled)),
            Err(error) => {
                // Nobody will serve it, nor close it.
                live.queues.remove(&session);
                live.replica.handle(now(), Input::Closed { session });
                Err(error)
            }
        }
    }

    /// Notes that a stream ended.
    pub(super) async fn close(&self, store: &GroupStore, session: SessionId) -> Result<Settled, DbError> {
        let mut live = self.live.lock().await;
        live.queues.remove(&session);
        live.replica.handle(now(), Input::Closed { session });
        self.settle(&mut live, store).await
    }

    /// Whether the replica has changes that could not be stored.
    pub(super) async fn is_unstored(&self) -> bool {
        !self.live.lock().await.unstored.is_empty()
    }

    async fn settle(&self, live: &mut Live, store: &GroupStore) -> Result<Settled, DbError> {
        let stored = live.settle(self.group, store).await;
        let lock_view = || self.view.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = stored {
            lock_view().sessions = live.queues.len();
            return Err(error);
        }
        let settled = std::mem::take(&mut live.settled);
        let published = std::mem::take(&mut live.published);
        {
            let mut topics = self.topics();
            topics.publish(&published);
            topics.turn(&live.replica);
        }
        let mut view = lock_view();
        if settled.changed {
            *view = view_of(&live.replica, live.queues.len());
        } else {
            view.sessions = live.queues.len();
        }
        Ok(settled)
    }

    /// Sends something on every stream, or on one.
    pub(super) async fn tell(&self, only: Option<SessionId>, messages: &[Message]) {
        let live = self.live.lock().await;
        let queues = live.queues.iter().filter(|(session, _)| only.is_none_or(|only| only == **session));
        // Who is only listened to is told of nobody.
        for (_, (_, queue)) in queues.filter(|(_, (person, _))| live.replica.has(person)) {
            for message in messages {
                // What a full queue leaves out is told again when something changes.
                let _ = queue.try_send(Order::Send(message.clone()));
            }
        }
    }

    /// Whether a person belongs to the group, or did.
    pub(super) async fn knows(&self, person: &PersonId) -> bool {
        self.live.lock().await.replica.knows(person)
    }

    /// Returns when the replica has something to do by itself.
    pub(super) async fn due(&self) -> Option<base::Instant> {
        self.live.lock().await.replica.poll_timeout()
    }

    /// Waits a moment until a member knows that we left. Returns whether one does.
    pub(super) async fn farewell(&self, is_forgotten: impl Fn() -> bool) -> bool {
        let heard = async {
            while !is_forgotten() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(FAREWELL, heard).await.is_ok()
    }

    /// Counts a stream to a node, until the guard drops.
    pub(super) fn meet(self: &Arc<Self>, node: NodeId) -> Met {
        let mut nodes = self.nodes();
        *nodes.met.entry(node).or_default() += 1;
        nodes.tried.remove(&node);
        Met { circle: self.clone(), node }
    }
}

/// A stream to a node stands.
pub(super) struct Met {
    circle: Arc<Circle>,
    node: NodeId,
}

impl Drop for Met {
    fn drop(&mut self) {
        let mut nodes = self.circle.nodes();
        if let Some(count) = nodes.met.get_mut(&self.node) {
            *count -= 1;
            if *count == 0 {
                nodes.met.remove(&self.node);
            }
        }
    }
}

impl Live {
    /// Stores what is not stored yet.
    async fn store(&mut self, group: GroupId, store: &GroupStore) -> Result<(), DbError> {
        if !self.unstored.is_empty() {
            // Here until it is stored, also if whoever waits for it is gone meanwhile.
            store.append(group, self.unstored.clone()).await?;
            self.unstored.clear();
        }
        Ok(())
    }

    async fn settle(&mut self, group: GroupId, store: &GroupStore) -> Result<(), DbError> {
        self.store(group, store).await?;
        while let Some(output) = self.replica.poll_output() {
            match output {
                Output::Persist(changes) => {
                    self.unstored = changes;
                    self.store(group, store).await?;
                }
                Output::Keep(secrets) => {
                    // What is lost comes again from the node that gave it.
                    if let Err(error) = store.keep(group, secrets).await {
                        tracing::warn!(%error, "keys of a group that another node of yours gave are not stored: is the disk full?");
                    }
                }
                Output::Send { session, message } => {
                    let full =
                        |(_, queue): &(PersonId, mpsc::Sender<Order>)| queue.try_send(Order::Send(message)).is_err();
                    if self.queues.get(&session).is_some_and(full) {
                        self.queues.remove(&session);
                        self.replica.handle(now(), Input::Closed { session });
                    }
                }
                Output::Disconnect { session, blame } => {
                    if blame {
                        tracing::debug!(?group, session, "a member sent what is no change of the group");
                    }
                    if let Some((_, queue)) = self.queues.remove(&session) {
                        // Full or gone: dropping the queue ends the stream as well.
                        let _ = queue.try_send(Order::End);
                    }
                }
                Output::Publish(message) => self.published.push(message),
                Output::Behind => self.settled.behind = true,
                Output::Event(Event::Changed | Event::Epoch(_) | Event::Out) => self.settled.changed = true,
                Output::Event(Event::Released) => self.settled.released = true,
            }
        }
        Ok(())
    }
}

fn view_of(replica: &Replica, sessions: usize) -> View {
    View {
        standing: replica.standing(),
        roster: replica.roster().cloned().map(Arc::new),
        name: replica.name(),
        sessions,
        has_key: replica.epoch().is_some(),
    }
}

#[cfg(test)]
mod tests {
    use db::Db;
    use people::proto::group::{Command, Identity, Kind};
    use people::proto::{Name, PersonKey};

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    async fn write_nothing(db: &Db, really: bool) {
        let sql = format!("PRAGMA query_only = {really}");
        db.call(move |connection| connection.execute_batch(&sql)).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_stored_is_not_told_and_is_stored_and_told_later() {
        let db = Db::in_memory().unwrap();
        let store = GroupStore::open(db.clone()).await.unwrap();
        let me = Identity::new(PersonKey::from_secret(&[1; 32]));
        let alice = me.person();
        let replica = Replica::create(me, Kind::Private, &name("Tea"), [1; 32], now()).unwrap();
        let group = replica.group();
        store.add(group, Vec::new()).await.unwrap();
        let circle = Circle::new(replica, Vec::new());
        circle.drive(&store, |_| ()).await.unwrap();
        // Another node of Alice's, which has heard all.
        let (session, mut queue, _) = circle.connect(&store, alice).await.unwrap();
        let hears = Input::Received { session, message: Message::Have(Vec::new()) };
        circle.drive(&store, |replica| replica.handle(now(), hears)).await.unwrap();
        while queue.try_recv().is_ok() {}

        write_nothing(&db, true).await;
        let rename = || Command::Rename(name("Coffee"));
        assert!(circle.drive(&store, |replica| replica.command(now(), rename())).await.is_err());
        let mut asked = false;
        assert!(circle.drive(&store, |_| asked = true).await.is_err());
        assert!(!asked, "nothing is done on top of what may be lost");
        assert!(circle.connect(&store, alice).await.is_err());
        assert!(queue.try_recv().is_err(), "nothing of it leaves");
        assert_eq!(circle.view().name, Some(name("Tea")), "nor is it shown");
        assert!(circle.is_unstored().await);

        write_nothing(&db, false).await;
        let ((), settled) = circle.drive(&store, |_| ()).await.unwrap();
        assert!(settled.changed && !circle.is_unstored().await);
        assert!(matches!(queue.try_recv(), Ok(Order::Send(Message::Changes(_)))));
        assert_eq!(circle.view().name, Some(name("Coffee")));
        let stored = store.load().await.unwrap().remove(0).changes;
        let live = circle.live.lock().await;
        assert!(live.replica.log().iter().map(|entry| entry.bytes.to_vec()).eq(stored), "memory and disk agree");
    }
}
