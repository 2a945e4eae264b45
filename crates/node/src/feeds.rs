//! Feeds: what RSS and Atom documents tell of is added, where the settings want it.
//!
//! A feed is asked when the node begins or the settings change, and then every so often, also where several sections of the
//! settings are about it; the first of them that wants an entry takes it. Invariant: an entry that was added is not added
//! again, for as long as it is remembered, whatever became of the torrent. One that could not be added is tried again a
//! few times. No feed is asked while everything rests, or while nobody is sought among strangers.

mod document;
mod store;
mod wanted;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::Vacant;
use std::sync::Arc;
use std::time::Duration;

use db::{Db, DbError};
use net::Version;
use rpc::FeedInfo;
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use torrent::{Add, AddError, AddSource, Session};

use crate::controls::Controls;
use crate::people::now_s;
use crate::sorting::{Sorted, Sorting};
use crate::urls::host;
use document::Entry;
use store::{Memory, Store, name};
pub use wanted::FeedConfig;
pub(crate) use wanted::check;

/// The longest feed that is read. Arbitrary: a thousand entries with a page of text each.
const MAX_FEED_BYTES: usize = 4 << 20;

/// How long fetching it may take. As for torrent files.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// How often an entry is tried that cannot be added. Arbitrary: with half an hour between, a server may be away for two.
const MAX_TRIES: u32 = 5;

/// How many entries of a feed may fail before the others wait for the next time: their server is away. Arbitrary.
const MAX_FAILED: usize = 10;

/// How many feeds are asked at once. Arbitrary.
const MAX_AT_ONCE: usize = 4;

/// How long somebody waits who wants all feeds to be asked now. Arbitrary: what takes longer goes on.
const PATIENCE: Duration = Duration::from_secs(30);

/// Follows the feeds. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Feeds(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    session: Session,
    controls: Controls,
    sorting: Sorting,
    store: Store,
    /// By URL, the feeds that are followed.
    states: watch::Sender<BTreeMap<String, State>>,
    /// How often it was said that all are to be asked now.
    wishes: watch::Sender<u64>,
    slots: Semaphore,
}

/// What is known of a feed.
#[derive(Clone, Debug, Default)]
struct State {
    polled_s: Option<i64>,
    error: Option<String>,
    /// The last wish that was fulfilled.
    wish: u64,
}

/// A feed that is followed: where it is, and what is wanted of it.
#[derive(Debug)]
struct Feed {
    url: String,
    wanted: Vec<FeedConfig>,
}

/// Why an entry was not added.
enum Refusal {
    /// It is the entry's fault, or that of its server.
    Entry(String),
    /// It is not.
    Node(String),
}

impl Feeds {
    /// Reads what is stored.
    pub(crate) async fn open(db: Db, session: Session, controls: Controls, sorting: Sorting) -> Result<Feeds, DbError> {
        let store = Store::open(db).await?;
        let (states, wishes) = Default::default();
        let slots = Semaphore::new(MAX_AT_ONCE);
        Ok(Feeds(Arc::new(Inner { session, controls, sorting, store, states, wishes, slots })))
    }

    /// Spawns the task that follows the feeds of the settings; it ends with its handle.
    pub(crate) fn start(&self) -> JoinHandle<()> {
        tokio::spawn(self.clone().run())
    }

    /// Lists the feeds of the settings.
    pub(crate) async fn list(&self) -> Result<Vec<FeedInfo>, DbError> {
        let feeds = self.0.controls.shown().config.feeds;
        if feeds.is_empty() {
            return Ok(Vec::new());
        }
        let added = self.0.store.added().await?;
        let states = self.0.states.borrow().clone();
        let info = |feed: FeedConfig| {
            let state = states.get(&feed.url).cloned().unwrap_or_default();
            FeedInfo {
                added: added.get(&(name(&feed.url), name(&feed.choice()))).copied().unwrap_or(0),
                url: feed.url,
                matches: feed.matches,
                not: feed.not,
                folder: feed.folder.map(|folder| folder.display().to_string()),
                labels: feed.labels,
                category: feed.category,
                paused: feed.paused,
                every_minutes: feed.every_minutes,
                polled_at_s: state.polled_s.and_then(|at| at.try_into().ok()),
                error: state.error,
            }
        };
        Ok(feeds.into_iter().map(info).collect())
    }

    /// Asks all feeds now, and waits for that, but not for long.
    ///
    /// # Errors
    /// Says why none is asked.
    pub(crate) async fn poll_now(&self) -> Result<(), &'static str> {
        if self.0.controls.rests() {
            return Err(
                "everything rests now, feeds too: resume it (`compeer resume --everything`, or on the page under \
                 Controls)",
            );
        }
        if !self.0.session.gate().seeks_strangers() {
            return Err(
                "no feed is asked while only certain people are met, or public torrents are off: change that under \
                 Controls first",
            );
        }
        let mut states = self.0.states.subscribe();
        let mut wish = 0;
        self.0.wishes.send_modify(|wishes| {
            *wishes += 1;
            wish = *wishes;
        });
        let fulfilled = states.wait_for(|states| states.values().all(|state| state.wish >= wish));
        // Who waited long enough hears how far it is.
        let _ = tokio::time::timeout(PATIENCE, fulfilled).await;
        Ok(())
    }

    async fn run(self) {
        let mut changes = self.0.controls.applied();
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<String, (Vec<FeedConfig>, AbortHandle)> = BTreeMap::new();
        self.forget().await;
        loop {
            let mut feeds: BTreeMap<String, Vec<FeedConfig>> = BTreeMap::new();
            for feed in self.0.controls.shown().config.feeds {
                feeds.entry(feed.url.clone()).or_default().push(feed);
            }
            running.retain(|url, (wanted, task)| {
                let stays = feeds.get(url) == Some(wanted);
                if !stays {
                    task.abort();
                }
                stays
            });
            self.0.states.send_modify(|states| states.retain(|url, _| feeds.contains_key(url)));
            for (url, wanted) in feeds {
                if let Vacant(place) = running.entry(url) {
                    let url = place.key().clone();
                    self.0.states.send_modify(|states| drop(states.insert(url.clone(), State::default())));
                    let feed = Feed { url, wanted: wanted.clone() };
                    place.insert((wanted, tasks.spawn(self.clone().follow(feed))));
                }
            }
            // Of those that were ended nothing is left to hear.
            while tasks.try_join_next().is_some() {}
            // The controls are held by ourselves.
            let _ = changes.changed().await;
        }
    }

    /// Forgets feeds that are not in the settings any more.
    async fn forget(&self) {
        let followed = self.0.controls.shown().config.feeds.iter().map(|feed| name(&feed.url)).collect();
        if let Err(error) = self.0.store.keep_feeds(followed, now_s()).await {
            tracing::warn!(%error, "old feeds are not forgotten");
        }
    }

    async fn follow(self, feed: Feed) {
        let mut wishes = self.0.wishes.subscribe();
        let (mut known, mut failures) = (Version::default(), 0_u32);
        let Some(oftenest) = feed.wanted.iter().min_by_key(|wanted| wanted.every_minutes).cloned() else { return };
        loop {
            self.may_ask().await;
            let wish = *wishes.borrow_and_update();
            let polled = {
                // Nobody closes it.
                let _slot = self.0.slots.acquire().await;
                self.poll(&feed, &mut known).await
            };
            let error = match polled {
                Ok(trouble) => {
                    failures = 0;
                    trouble
                }
                Err(reason) => {
                    failures = failures.saturating_add(1);
                    Some(reason)
                }
            };
            self.tell(&feed, error, wish, failures > 0);
            let wait = if failures > 0 { oftenest.after(failures) } else { oftenest.every() };
            tokio::select! {
                // The sender is held by ourselves.
                _ = wishes.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Waits until a server may be asked that is a stranger.
    async fn may_ask(&self) {
        let mut changes = self.0.controls.applied();
        loop {
            self.0.session.gate().seeking_strangers(true).await;
            if !self.0.controls.rests() {
                return;
            }
            let _ = changes.changed().await;
        }
    }

    /// Notes how it went, and says in the log what went wrong with the feed, once.
    fn tell(&self, feed: &Feed, error: Option<String>, wish: u64, failed: bool) {
        let mut is_news = false;
        let state = State { polled_s: Some(now_s()), error: error.clone(), wish };
        self.0.states.send_if_modified(|states| {
            let Some(told) = states.get_mut(&feed.url) else { return false };
            is_news = told.error != state.error;
            *told = state;
            true
        });
        if let Some(reason) = error.filter(|_| failed && is_news) {
            tracing::warn!(feed = host(&feed.url), ?reason, "a feed is of no use now; tried again");
        }
    }

    /// Asks a feed, and adds what is new in it. Returns what is wrong with its entries.
    ///
    /// # Errors
    /// Says what is wrong with the feed, or with this node.
    async fn poll(&self, feed: &Feed, known: &mut Version) -> Result<Option<String>, String> {
        let asked = self.0.session.http().get_newer(&feed.url, known, MAX_FEED_BYTES, FETCH_TIMEOUT).await;
        let Some(fetched) = asked.map_err(|error| format!("it cannot be fetched: {error}"))? else { return Ok(None) };
        // It is read again until all of it was dealt with.
        *known = Version::default();
        let version = fetched.version;
        let read = tokio::task::spawn_blocking(move || document::read(&fetched.body, &fetched.url));
        let entries = read.await.map_err(|error| error.to_string())??;
        let feed_name = name(&feed.url);
        let mut memories = self.0.store.of(feed_name).await.map_err(|error| error.to_string())?;
        let mut failed: Vec<String> = Vec::new();
        let mut again = false;
        for entry in &entries {
            let memory = memories.entry(name(&entry.key)).or_default();
            if memory.added || memory.tries >= MAX_TRIES {
                continue;
            }
            let wanted = feed.wanted.iter().find(|wanted| wanted.wants(&entry.title));
            let (Some(wanted), Some(link)) = (wanted, &entry.link) else { continue };
            if failed.len() >= MAX_FAILED {
                again = true;
                break;
            }
            self.may_ask().await;
            match self.take_up(wanted, link).await {
                Ok(()) => memory.added = true,
                Err(Refusal::Node(reason)) => return Err(reason),
                Err(Refusal::Entry(reason)) => {
                    memory.tries += 1;
                    again |= memory.tries < MAX_TRIES;
                    failed.push(format!("{}: {reason}", entry.title));
                }
            }
            log(feed, entry, *memory, failed.last().map(String::as_str));
            let key = (feed_name, name(&entry.key));
            let noted = self.0.store.note(key, name(&wanted.choice()), *memory, now_s()).await;
            noted.map_err(|error| error.to_string())?;
        }
        let present = entries.iter().map(|entry| name(&entry.key)).collect();
        self.0.store.keep(feed_name, present, now_s()).await.map_err(|error| error.to_string())?;
        if !again {
            *known = version;
        }
        let last = failed.last().cloned();
        Ok(last.map(|last| format!("{} of its entries could not be added; {last}", failed.len())))
    }

    /// Adds what a link leads to.
    async fn take_up(&self, feed: &FeedConfig, link: &str) -> Result<(), Refusal> {
        let config = self.0.controls.shown().config;
        let categories = &self.0.sorting.categories;
        if let Some(category) = &feed.category {
            categories.ensure(category).await.map_err(|error| Refusal::Node(error.to_string()))?;
        }
        let mut add = Add::new(AddSource::Link(link.to_owned()));
        let of_category = || categories.folder(feed.category.as_ref()?, &self.0.session.folder());
        add.folder = feed.folder.clone().or_else(of_category);
        add.paused = feed.paused;
        add.goal = config.seed_goal();
        let id = match self.0.session.add(add).await {
            Ok(added) => added.id,
            // Where it is already is where it stays.
            Err(AddError::OtherFolder { id, .. }) => id,
            Err(error @ (AddError::Database(_) | AddError::ShuttingDown)) => {
                return Err(Refusal::Node(error.to_string()));
            }
            // Their words without the link, which may have a secret of the user's in it.
            Err(AddError::Fetch { reason, .. }) => {
                return Err(Refusal::Entry(format!("the torrent file cannot be fetched: {reason}")));
            }
            Err(AddError::Source { reason, .. }) if wanted::is_web(link) => {
                return Err(Refusal::Entry(format!("its link leads to no torrent file ({reason})")));
            }
            Err(AddError::Source { reason, .. }) => return Err(Refusal::Entry(reason)),
            Err(error @ (AddError::Hint(_) | AddError::OtherAudience(_))) => {
                return Err(Refusal::Entry(error.to_string()));
            }
        };
        let sorted = Sorted { labels: feed.labels.clone(), category: feed.category.clone() };
        self.0.sorting.extend(id, sorted).await.map_err(|error| Refusal::Node(error.to_string()))
    }
}

/// Says what became of an entry, a failure at the first and at the last time. The feed is named by its host alone, since the
/// rest may be a secret.
fn log(feed: &Feed, entry: &Entry, memory: Memory, reason: Option<&str>) {
    let (feed, title) = (host(&feed.url), &entry.title);
    match memory {
        Memory { added: true, .. } => tracing::info!(feed, ?title, "added from a feed"),
        Memory { tries: MAX_TRIES, .. } => tracing::warn!(feed, reason, "an entry of a feed is given up"),
        Memory { tries: 1, .. } => tracing::warn!(feed, reason, "an entry of a feed is not added; tried again"),
        Memory { tries, .. } => tracing::debug!(feed, reason, tries, "an entry of a feed is not added"),
    }
}
