//! The person that this node belongs to, its other nodes and its contacts; and the overlay, by which they meet.
//!
//! A home without `keys/node` has no identity: its node runs without the overlay. Owns the book, behind one lock that is
//! never held across an `.await`; every change is stored before anybody is told of it.

mod directory;
mod exchange;
mod identity;
mod kept;
mod keys;
mod meeting_place;
mod relays;
mod spread;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::{GroupId, PersonId};
use db::{Db, DbError};
use overlay::Overlay;
use people::Store;
use people::proto::{Book, Change, JoinCode, JoinLink, LinkNode, NodeKey, PersonKey, Secret};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::config::{NetworkConfig, OverlayConfig};
use crate::{Home, NodeError};
pub(crate) use exchange::MeetError;
pub use identity::{IdentityError, Origin, settle};
pub(crate) use identity::{keep, settle_in};
pub use keys::{Keys, SecretError};

/// How long a code that adds a node is good: time to walk to the other computer. Arbitrary.
pub(crate) const CODE_LIFE: Duration = Duration::from_secs(15 * 60);

/// How often it is tried again to store what could not be stored. Arbitrary.
const STORE_AGAIN: Duration = Duration::from_secs(5);

/// Says in which groups a person is with us. Supplied by the groups.
pub(crate) trait Circles: Send + Sync + 'static {
    /// Returns the groups that we share with a person. Must return at once.
    fn groups_of(&self, person: PersonId) -> Vec<GroupId>;
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub(crate) struct People(Arc<Inner>);

struct Inner {
    key: NodeKey,
    keys: Keys,
    store: Store,
    book: Mutex<Book>,
    /// Held while changes are written, so that they come to the store in the order in which they were made.
    writing: tokio::sync::Mutex<()>,
    /// Wakes the task that tries again what could not be stored.
    unstored: Notify,
    overlay: OnceLock<Overlay>,
    /// Why there is no overlay.
    off: OnceLock<Off>,
    circles: OnceLock<Arc<dyn Circles>>,
    /// Judges what stands again when the book changed.
    gate: OnceLock<net::Gate>,
    /// The person key, after somebody typed the passphrase for something that takes a while.
    unlocked: Mutex<Option<(PersonKey, Instant)>>,
    /// When somebody was asked last why they refuse us.
    asked_why: Mutex<Option<Instant>>,
    /// What a node that joins has to show.
    awaited: Mutex<Option<Awaited>>,
    /// What the overlay was started with.
    ground: OnceLock<Ground>,
    news: Notify,
    /// Sent after each change of the book.
    changes: watch::Sender<()>,
    /// The relays that this node offers.
    offered: Mutex<Vec<overlay::Relay>>,
    /// Wakes the task that knows whose relays there are.
    places: Notify,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    started: Instant,
}

/// A node that may join.
struct Awaited {
    secret: Secret,
    until: Instant,
    /// Where it finds us by the code alone.
    place: Option<Overlay>,
}

/// What it means that a node was revoked.
pub const REVOKED: &str = "this node was revoked: no contact, no group and no other node of yours speaks to it any \
                           more; started with another data directory (COMPEER_HOME), it can become one of them again";

/// Why a node meets no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Off {
    /// The user wants it so.
    #[error(
        "this node meets no people and no other nodes: the overlay is off (`overlay` in [network] of the settings, or \
         how the node was started): start it with the overlay"
    )]
    Settings,
    /// QUIC goes through no SOCKS5 proxy.
    #[error(
        "this node meets no people and no other nodes: everything goes by a proxy (`proxy` in [network] of the \
         settings), and no proxy carries that; without one it meets them"
    )]
    Proxy,
    /// This node was taken out of its person's list.
    #[error("{REVOKED}")]
    Revoked,
    /// The overlay's sockets are bound to addresses, not to interfaces.
    #[error(
        "this node meets no people and no other nodes: everything goes by one interface (`interface` in [network] of the settings), to which that cannot be bound; `address` instead of it can"
    )]
    Interface,
}

impl Off {
    /// Returns why there can be no overlay, if there is a reason. `wanted`: by the settings.
    pub(crate) fn of(wanted: bool, egress: &net::Egress) -> Option<Off> {
        match (wanted, egress.proxy.is_some(), egress.device.is_some()) {
            (false, ..) => Some(Off::Settings),
            (_, true, _) => Some(Off::Proxy),
            (_, _, true) => Some(Off::Interface),
            _ => None,
        }
    }
}

/// What an overlay of this node is started with.
struct Ground {
    config: OverlayConfig,
    /// Whether iroh's public relays may be used.
    public_relays: bool,
    mdns: bool,
    map_port: bool,
    listen: Option<IpAddr>,
    egress: net::Egress,
    dht: Option<net::Dht>,
    gate: net::Gate,
}

impl Ground {
    fn settings(&self, people: &People, secret: [u8; 32], bind: Vec<SocketAddr>) -> overlay::Settings {
        overlay::Settings {
            secret,
            bind,
            egress: self.egress.clone(),
            relays: overlay::Relays { known: self.config.relays.clone(), public: self.public_relays },
            publish: self.config.publish,
            mdns: self.mdns,
            map_port: self.map_port,
            dht: self.dht.clone(),
            gate: self.gate.clone(),
            directory: Arc::new(people.clone()),
        }
    }
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("People").field("node", &self.0.key.id()).finish_non_exhaustive()
    }
}

impl People {
    /// Opens the book of a home; `None` where no identity was made.
    pub(crate) async fn open(home: &Home, database: Db) -> Result<Option<People>, NodeError> {
        let keys = Keys::of(home);
        let Some(key) = keys.node()? else { return Ok(None) };
        let store = Store::open(database).await?;
        let book = Mutex::new(Book::new(key.id(), store.load().await?));
        let people = People(Arc::new(Inner {
            key,
            keys,
            store,
            book,
            writing: Default::default(),
            unstored: Notify::new(),
            overlay: OnceLock::new(),
            off: OnceLock::new(),
            circles: OnceLock::new(),
            gate: OnceLock::new(),
            unlocked: Mutex::new(None),
            asked_why: Mutex::new(None),
            awaited: Mutex::new(None),
            ground: OnceLock::new(),
            news: Notify::new(),
            changes: watch::channel(()).0,
            offered: Mutex::default(),
            places: Notify::new(),
            tasks: Mutex::default(),
            started: Instant::now(),
        }));
        lock(&people.0.tasks).push(tokio::spawn(people.clone().store_again()));
        Ok(Some(people))
    }

    /// Starts the overlay with the node's key.
    pub(crate) async fn start(
        &self,
        home: &Home,
        config: &OverlayConfig,
        network: &NetworkConfig,
        (listen, egress): (Option<IpAddr>, &net::Egress),
        session: &torrent::Session,
    ) -> Result<(), NodeError> {
        let ground = self.0.ground.get_or_init(|| Ground {
            config: config.clone(),
            public_relays: network.relays,
            mdns: network.lsd,
            map_port: network.mapping,
            listen,
            egress: egress.clone(),
            dht: session.dht(),
            gate: session.gate(),
        });
        let settings = |bind: Vec<SocketAddr>| ground.settings(self, self.0.key.secret(), bind);
        let started = match (&config.listen, listen) {
            (Some(listen), _) => Overlay::start(settings(listen.clone()), Vec::new()).await?,
            (None, Some(ip)) => Overlay::start(settings(vec![SocketAddr::new(ip, 0)]), Vec::new()).await?,
            (None, None) => {
                // The port of the last time keeps the hints of old links good, but any free one will do.
                let last = home.last_overlay_port().unwrap_or(0);
                match Overlay::start(settings(everywhere(last)), Vec::new()).await {
                    Err(_) if last != 0 => Overlay::start(settings(everywhere(0)), Vec::new()).await?,
                    other => other?,
                }
            }
        };
        if let Some(address) = started.bound().first() {
            home.write_overlay_port(address.port())?;
        }
        started.serve(Arc::new(exchange::PeopleService::new(self.clone())));
        // The first start is the only one: a node starts its people once.
        let _ = self.0.overlay.set(started);
        let relays = self.clone().keep_relays(config.relays.clone());
        lock(&self.0.tasks).extend([tokio::spawn(self.clone().spread()), tokio::spawn(relays)]);
        Ok(())
    }

    /// Says why there is no overlay, in place of [`People::start`].
    pub(crate) fn stay_off(&self, off: Off) {
        // The first reason is the only one: a node starts once.
        let _ = self.0.off.set(off);
    }

    /// Returns the overlay; `None` where there is none.
    pub(crate) fn overlay(&self) -> Option<&Overlay> {
        self.0.overlay.get()
    }

    /// Returns the overlay, or why there is none.
    pub(crate) fn reach(&self) -> Result<&Overlay, Off> {
        if self.book().is_out() {
            return Err(Off::Revoked);
        }
        self.overlay().ok_or_else(|| self.0.off.get().copied().unwrap_or(Off::Settings))
    }

    /// Returns the node's key.
    pub(crate) fn key(&self) -> &NodeKey {
        &self.0.key
    }

    /// Returns the keys in the home.
    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Tells the gate whom we know, now and whenever that changes.
    pub(crate) fn inform(&self, gate: net::Gate) {
        gate.know(Arc::new(self.clone()));
        // A node has one gate.
        let _ = self.0.gate.set(gate);
    }

    /// Says who knows the groups.
    pub(crate) fn set_circles(&self, circles: Arc<dyn Circles>) {
        // Wired once.
        let _ = self.0.circles.set(circles);
    }

    /// Follows the changes of the book.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }

    /// Locks the book, to read it. Not to be held across an `.await`.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        // The book stays consistent across a panic elsewhere: nothing in it panics between two changes.
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the book, and returns when the change is stored. `change` gets the time as Unix milliseconds. Where that
    /// fails, the change is in the book all the same, nobody is told of it, and it is tried again to store it.
    pub(crate) async fn update<T>(&self, change: impl FnOnce(&mut Book, u64) -> T) -> Result<T, DbError> {
        let writing = self.0.writing.lock().await;
        let result = change(&mut self.book(), now_ms());
        self.store().await?;
        drop(writing);
        // Also where nothing had to be stored: of whom the groups want to hear is in the book, too.
        self.announce();
        Ok(result)
    }

    /// Stores what an exchange changed in the book, and tells of it.
    async fn save(&self) -> Result<(), DbError> {
        let writing = self.0.writing.lock().await;
        let changed = self.store().await?;
        drop(writing);
        if changed {
            self.announce();
        }
        Ok(())
    }

    /// Writes what changed in the book; returns whether anything did. One at a time: `writing` is held. What is not written
    /// is in the book's changes again, also where nobody waits for it any more.
    async fn store(&self) -> Result<bool, DbError> {
        let (named, changes) = Store::changes(&mut self.book());
        let changed = !changes.is_empty();
        let mut unwritten = Unwritten { people: self, named };
        self.0.store.write(changes).await.inspect_err(|error| {
            let again = STORE_AGAIN.as_secs();
            tracing::warn!(
                %error,
                "what is new of persons is not stored, and told to nobody: is the disk full? Tried again every {again} s"
            );
        })?;
        unwritten.named.clear();
        Ok(changed)
    }

    /// Tries again to store what could not be stored. Runs until it is dropped.
    async fn store_again(self) {
        loop {
            self.0.unstored.notified().await;
            tokio::time::sleep(STORE_AGAIN).await;
            // A failure wakes this again.
            let _ = self.save().await;
        }
    }

    /// Tells whoever follows the book, and closes connections that it no longer admits.
    fn announce(&self) {
        self.0.places.notify_one();
        self.0.changes.send_replace(());
        self.enforce();
    }

    /// Opens the person key: the one that was unlocked, or the one that lies open.
    pub(crate) fn person_key(&self) -> Result<PersonKey, SecretError> {
        let unlocked = lock(&self.0.unlocked).clone();
        match unlocked {
            Some((key, until)) if Instant::now() < until => Ok(key),
            _ => self.0.keys.person(None),
        }
    }

    /// Opens the person key with a passphrase, where one is needed, and keeps it at hand for `life`. Takes a moment.
    pub(crate) async fn unlock(&self, passphrase: Option<String>, life: Duration) -> Result<PersonKey, SecretError> {
        let keys = self.0.keys.clone();
        let opened = tokio::task::spawn_blocking(move || keys.person(passphrase.as_deref())).await;
        let key = opened.unwrap_or(Err(SecretError::Absent))?;
        *lock(&self.0.unlocked) = Some((key.clone(), Instant::now() + life));
        Ok(key)
    }

    /// Awaits one node that shows the secret of a code, for [`CODE_LIFE`]. A later call replaces an earlier one. Returns the
    /// code, and the link that says the same and where we are.
    pub(crate) async fn await_node(&self) -> Result<(JoinCode, JoinLink), SecretError> {
        self.await_nobody();
        let mut entropy = [0; 16];
        getrandom::fill(&mut entropy).map_err(|_| SecretError::Absent)?;
        let code = JoinCode::from_entropy(entropy);
        let (secret, until) = (code.secret(), Instant::now() + CODE_LIFE);
        let place = self.open_meeting_place(&code).await;
        *lock(&self.0.awaited) = Some(Awaited { secret, until, place });
        let people = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(CODE_LIFE).await;
            if people.awaited().is_none() {
                people.await_nobody();
            }
        });
        let node = LinkNode { node: self.key().id(), hints: self.own_hints() };
        Ok((code, JoinLink { node, secret }))
    }

    /// Takes the code back that a node may join with.
    pub(crate) fn await_nobody(&self) {
        let awaited = lock(&self.0.awaited).take();
        close(awaited);
    }

    /// Spends the secret of a code: `true` once, and while it is the newest one.
    fn spend(&self, secret: Secret) -> bool {
        let spent = lock(&self.0.awaited).take_if(|it| it.secret == secret && Instant::now() < it.until);
        let is_good = spent.is_some();
        close(spent);
        is_good
    }

    /// Returns what a node that joins has to show now.
    fn awaited(&self) -> Option<Secret> {
        lock(&self.0.awaited).as_ref().filter(|it| Instant::now() < it.until).map(|it| it.secret)
    }

    /// Ends the overlay. Takes some seconds at most.
    pub(crate) async fn shut_down(&self) {
        lock(&self.0.tasks).drain(..).for_each(|task| task.abort());
        let place = lock(&self.0.awaited).take().and_then(|awaited| awaited.place);
        if let Some(place) = place {
            place.shut_down().await;
        }
        if let Some(overlay) = self.overlay() {
            overlay.shut_down().await;
        }
    }
}

/// Changes of the book that are on their way to the store.
struct Unwritten<'a> {
    people: &'a People,
    named: BTreeSet<Change>,
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        if !self.named.is_empty() {
            self.people.book().put_back(std::mem::take(&mut self.named));
            self.people.0.unstored.notify_one();
        }
    }
}

/// Closes the place where a node that joins would have come.
fn close(awaited: Option<Awaited>) {
    if let Some(place) = awaited.and_then(|awaited| awaited.place) {
        tokio::spawn(async move { place.shut_down().await });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each holds one value that is replaced as a whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unix time in seconds, as the database has it.
pub(crate) fn now_s() -> i64 {
    i64::try_from(now_ms() / 1000).unwrap_or(i64::MAX)
}

fn everywhere(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_code_lets_one_node_in_and_a_newer_one_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        Keys::of(&home).node_or_draw().unwrap();
        let people = People::open(&home, Db::open(&home.database()).unwrap()).await.unwrap().unwrap();
        let (first, _) = people.await_node().await.unwrap();
        let (second, _) = people.await_node().await.unwrap();
        assert!(!people.spend(first.secret()));
        assert!(people.spend(second.secret()));
        assert!(!people.spend(second.secret()), "whoever still holds an open stream comes too late");
    }

    #[tokio::test]
    async fn what_could_not_be_stored_is_stored_later_and_told_then() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        Keys::of(&home).node_or_draw().unwrap();
        let db = Db::open(&home.database()).unwrap();
        let people = People::open(&home, db.clone()).await.unwrap().unwrap();
        let write_nothing = async |really: bool| {
            let sql = format!("PRAGMA query_only = {really}");
            db.call(move |connection| connection.execute_batch(&sql)).await.unwrap();
        };
        let mallory = PersonId([13; 32]);
        let mut changes = people.changes();
        write_nothing(true).await;
        assert!(people.update(|book, now| book.block(mallory, true, now)).await.is_err());
        assert!(people.save().await.is_err(), "nor may anybody else say what rests on it");
        assert!(!changes.has_changed().unwrap());
        write_nothing(false).await;
        people.save().await.unwrap();
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        let read = Book::new(people.key().id(), people.0.store.load().await.unwrap());
        assert!(read.contact(&mallory).is_some_and(|contact| contact.blocked), "memory and disk agree");
        people.save().await.unwrap();
        assert!(!changes.has_changed().unwrap(), "once");
    }
}
