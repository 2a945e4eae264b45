//! Sharing with chosen people: joins the confined torrents of the engine, what is known of people, and the notices.
//!
//! Owns the shares, the inbox, the rules and the libraries of this node, and stores each change before it acts on it.
//! Invariant: after each change of the people, and at the start, every confined torrent is told anew which nodes may have
//! it; before that nobody may.

mod attached;
mod inbox;
mod library;
mod people;
mod post;
mod share;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{GroupId, NodeId, PersonId};
use metainfo::InfoHashV1;
use net::Clock;
use sharing::proto::{Delivery, Input, Outbox, Outcome, Output, Rule, ShareId};
use sharing::{Circle, InboxItem, Library, Share, Store};
use tokio::sync::{Notify, mpsc};
use torrent::{Session, SessionEvent};

pub(crate) use attached::group_of;
pub(crate) use people::begin;
pub(crate) use post::Post;
pub(crate) use share::{ShareView, resolved};

use self::library::Hashing;
use crate::sorting::Sorting;

/// How often everything is looked at without a reason: what a missed word would have changed. Arbitrary.
const LOOK: Duration = Duration::from_secs(60);

/// The service that carries notices.
pub(crate) const NOTICE: &str = "notice";

/// The service that libraries are read by.
pub(crate) const LIBRARY: &str = "library";

/// Why something of it failed; the words are for the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SharingError {
    /// What was asked for cannot be.
    #[error("{0}")]
    Input(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Somebody else's node cannot be reached, or refuses.
    #[error("{0}")]
    Remote(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::DbError),
    /// The engine refused.
    #[error(transparent)]
    Add(#[from] torrent::AddError),
    /// The engine refused.
    #[error(transparent)]
    Torrent(#[from] torrent::TorrentError),
    /// The content cannot be read.
    #[error(transparent)]
    Content(#[from] crate::content::ContentError),
}

/// What it works with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) session: Session,
    pub(crate) sorting: Sorting,
    pub(crate) database: db::Db,
    pub(crate) circle: Arc<dyn Circle>,
    pub(crate) post: Arc<dyn Post>,
}

/// The handle. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Sharing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    session: Session,
    sorting: Sorting,
    store: Store,
    circle: Arc<dyn Circle>,
    post: Arc<dyn Post>,
    clock: Clock,
    state: Mutex<State>,
    /// The people changed, or something of ours.
    changed: Notify,
    /// The outbox has something to do.
    woken: Notify,
    /// One at a time: what is computed from the people must not be overtaken by what was computed earlier.
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    shares: BTreeMap<ShareId, Share>,
    /// Who was told of which version in earlier runs.
    told: BTreeMap<ShareId, BTreeMap<NodeId, u64>>,
    inbox: BTreeMap<(PersonId, ShareId), InboxItem>,
    rules: Vec<Rule>,
    libraries: BTreeMap<String, Library>,
    outbox: Outbox,
    /// What was made in an earlier run for a message, of which it is not known whether it was written.
    unsaid: BTreeSet<ShareId>,
    /// Bounded by [`library::MAX_HASHING`].
    hashing: BTreeMap<Vec<String>, Hashing>,
}

impl Sharing {
    /// Reads what is stored and goes on with it.
    pub(crate) async fn start(parts: Parts) -> Result<Sharing, db::DbError> {
        let Parts { session, sorting, database, circle, post } = parts;
        let store = Store::open(database).await?;
        let mut state = State {
            shares: store.shares().await?.into_iter().map(|share| (share.id(), share)).collect(),
            inbox: store.inbox().await?.into_iter().map(|item| ((item.sharer, item.id()), item)).collect(),
            rules: store.rules().await?,
            libraries: store.libraries().await?.into_iter().map(|library| (library.name.clone(), library)).collect(),
            ..State::default()
        };
        state.unsaid = state.shares.values().filter(|share| share::is_unsaid(share)).map(Share::id).collect();
        for (share, node, version) in store.told().await? {
            state.told.entry(share).or_default().insert(node, version);
        }
        let inner = Inner {
            session,
            sorting,
            store,
            circle,
            post,
            clock: Clock::start(),
            state: Mutex::new(state),
            changed: Notify::new(),
            woken: Notify::new(),
            refreshing: tokio::sync::Mutex::default(),
        };
        let sharing = Sharing(Arc::new(inner));
        sharing.refresh().await;
        tokio::spawn(run(Arc::downgrade(&sharing.0)));
        Ok(sharing)
    }

    /// The people, their nodes or a group changed: everything follows soon.
    pub(crate) fn people_changed(&self) {
        self.0.changed.notify_one();
    }

    /// A connection with a node stands: what waits for it goes out.
    pub(crate) fn seen(&self, node: NodeId) {
        self.outbox(Input::Seen(node));
        self.0.session.seen(node);
        self.0.woken.notify_one();
    }

    /// Tells every confined torrent anew which nodes may have it, and everybody who has to know of a change.
    pub(crate) async fn refresh(&self) {
        let _one = self.0.refreshing.lock().await;
        let shares: Vec<Share> = self.state().shares.values().cloned().collect();
        for share in shares {
            self.refresh_share(share).await;
        }
        self.refresh_inbox().await;
    }

    /// Returns what the user calls a person; the id of one that is not known any more.
    pub(crate) fn person_name(&self, person: PersonId) -> String {
        self.0.circle.person_name(person).unwrap_or_else(|| person.to_string())
    }

    /// Returns what a group is called; the id of one that is not known any more.
    pub(crate) fn group_name(&self, group: GroupId) -> String {
        self.0.circle.group_name(group).unwrap_or_else(|| group.to_string())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No method panics between two changes of the state.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self, input: Input) {
        let now = self.0.clock.now();
        self.state().outbox.handle(now, input);
    }

    fn wall(&self) -> u64 {
        self.0.clock.now().wall.0
    }

    /// Admits nodes to a torrent, if it is here. Returns whether it is.
    async fn admit(&self, id: InfoHashV1, nodes: impl IntoIterator<Item = NodeId>) -> bool {
        let own = self.0.circle.own_node();
        self.0.session.admit(id, nodes.into_iter().filter(|node| *node != own)).await.is_ok()
    }
}

/// Delivers notices and follows changes, until the last handle is gone.
async fn run(inner: std::sync::Weak<Inner>) {
    // Bounded by the deliveries under way.
    let (outcomes, mut ended) = mpsc::channel(sharing::proto::MAX_SENDING);
    let Some(mut events) = inner.upgrade().map(|inner| inner.session.subscribe()) else { return };
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let sharing = Sharing(strong);
        while let Some(output) = { sharing.state().outbox.poll_output() } {
            match output {
                Output::Send(delivery) => {
                    let (sharing, outcomes) = (sharing.clone(), outcomes.clone());
                    tokio::spawn(async move {
                        let outcome = sharing.deliver(delivery).await;
                        // The loop ends only with the node.
                        let _ = outcomes.send((delivery, outcome)).await;
                    });
                }
                Output::Delivered(Delivery { node, share, version }) => {
                    let is_over = {
                        let mut state = sharing.state();
                        state.told.entry(share).or_default().insert(node, version);
                        state.shares.get(&share).is_some_and(|share| share.withdrawn.is_some())
                    };
                    if is_over {
                        // If that was the last who had to know, it is forgotten.
                        sharing.0.changed.notify_one();
                    }
                    if let Err(error) = sharing.0.store.save_told(share, node, version).await {
                        tracing::warn!(%error, "that somebody was told of a share is not stored: a restart tells it again");
                    }
                }
            }
        }
        let (due, clock) = (sharing.state().outbox.poll_timeout(), sharing.0.clock);
        let refresh = tokio::select! {
            Some((delivery, outcome)) = ended.recv() => {
                sharing.outbox(Input::Sent(delivery, outcome));
                false
            }
            () = sharing.0.changed.notified() => true,
            () = sharing.0.woken.notified() => false,
            event = events.recv() => match event {
                Ok(SessionEvent::Removed(_)) => true,
                Ok(_) => false,
                // What was missed the look finds.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => true,
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            },
            () = clock.sleep_until(due) => {
                sharing.outbox(Input::Timeout);
                false
            }
            () = tokio::time::sleep(LOOK) => true,
        };
        if refresh {
            sharing.refresh().await;
        }
    }
}

/// Whether a delivery is worth its words.
fn outcome_of(receipt: sharing::proto::Receipt) -> Outcome {
    match receipt {
        sharing::proto::Receipt::Kept => Outcome::Delivered,
        sharing::proto::Receipt::Refused => Outcome::Refused,
    }
}
