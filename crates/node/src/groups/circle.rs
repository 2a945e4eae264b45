//! One group: its replica, the queues to the streams of its sessions, and the topics that it speaks on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::{GroupId, NodeId, PersonId};
use db::DbError;
use people::GroupStore;
use people::proto::group::message::Fellow;
use people::proto::group::{Event, Input, Message, Output, Replica, SessionId};
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
#[derive(Clone, Copy, Debug, Default)]
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
}

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
    /// Nodes of those whose admission did not reach us yet: it comes another way than what is told of nodes.
    early: VecDeque<Fellow>,
}

impl Nodes {
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

    /// Lets the replica do something and does what it wants: stores, then sends.
    pub(super) async fn drive<T>(
        &self,
        store: &GroupStore,
        act: impl FnOnce(&mut Replica) -> T,
    ) -> Result<(T, Settled), DbError> {
        let mut live = self.live.lock().await;
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
        let (orders, queue) = mpsc::channel(QUEUE);
        live.sessions += 1;
        let session = live.sessions;
        live.queues.insert(session, (person, orders));
        live.replica.handle(now(), Input::Connected { session, person });
        let settled = self.settle(&mut live, store).await?;
        Ok((session, queue, settled))
    }

    /// Notes that a stream ended.
    pub(super) async fn close(&self, store: &GroupStore, session: SessionId) -> Result<Settled, DbError> {
        let mut live = self.live.lock().await;
        live.queues.remove(&session);
        live.replica.handle(now(), Input::Closed { session });
        self.settle(&mut live, store).await
    }

    async fn settle(&self, live: &mut Live, store: &GroupStore) -> Result<Settled, DbError> {
        let settled = live.settle(self.group, store).await;
        let published = std::mem::take(&mut live.published);
        {
            let mut topics = self.topics();
            topics.publish(&published);
            topics.turn(&live.replica);
        }
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        if settled.as_ref().is_ok_and(|settled| !settled.changed) {
            view.sessions = live.queues.len();
        } else {
            *view = view_of(&live.replica, live.queues.len());
        }
        drop(view);
        settled
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
    async fn settle(&mut self, group: GroupId, store: &GroupStore) -> Result<Settled, DbError> {
        let mut settled = Settled::default();
        while let Some(output) = self.replica.poll_output() {
            match output {
                Output::Persist(changes) => store.append(group, changes).await?,
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
                Output::Behind => settled.behind = true,
                Output::Event(Event::Changed | Event::Epoch(_) | Event::Out) => settled.changed = true,
                Output::Event(Event::Released) => settled.released = true,
            }
        }
        Ok(settled)
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
