//! The groups that this node's person belongs to: their copies, the streams between members, and what the API asks.
//!
//! Owns one [`Circle`] a group. Its state machine (`people::proto::group::Replica`) is behind a lock of its own that is
//! held while what it wants is stored, so that nothing is told before it is durable; whoever only asks who belongs to a
//! group reads what was published last and waits for nobody.

mod circle;
mod meeting;
mod streams;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::id::begins;
use base::{GroupId, NodeId, Now, PersonId, WallTime};
use db::{Db, DbError};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use net::Places;
use overlay::gossip::Gossip;
use people::GroupStore;
use people::proto::group::change::link_key;
use people::proto::group::{
    ChangeId, Command, GroupLink, Identity, Invitee, Kind, Refusal, Replica, Role, Roster, Standing,
};
use people::proto::{LinkNode, Name, PersonKey, SignedNodeList};
use tokio::sync::{Notify, watch};

use crate::NodeError;
use crate::people::{Circles, Off, People};
use circle::{Circle, Settled};

/// How many groups a node is in. Arbitrary; each may hold some megabytes.
const MAX_GROUPS: usize = 256;

/// How many nodes of other members a link names, beside our own. Arbitrary.
const LINK_FELLOWS: usize = 3;

/// How many ways to each of those it names. Arbitrary: what is typed or scanned should stay short.
const LINK_FELLOW_HINTS: usize = 2;

/// How long after one node of a link the next is dialled. Arbitrary.
const KNOCK_PAUSE: Duration = Duration::from_secs(2);

/// How long a command waits for the streams that it needs.
const JOIN_PATIENCE: Duration = Duration::from_secs(45);

/// Why a command about groups is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GroupError {
    /// The node does not know such a group.
    #[error("there is no such group here: `compeer group list` and GET /api/v1/groups show those that there are")]
    Unknown,
    /// Too many.
    #[error("a node is in at most {MAX_GROUPS} groups: leave one")]
    TooMany,
    /// The overlay is off.
    #[error("{0}")]
    Off(#[from] Off),
    /// No person.
    #[error(
        "this node belongs to nobody yet: end it and run `compeer init`, or make an identity with POST /api/v1/identity"
    )]
    NoPerson,
    /// We are in it.
    #[error("you are a member of this group already: it is among yours")]
    Already,
    /// Nobody could be asked.
    #[error("no member could be reached: try again when one of them is there")]
    Unreachable,
    /// Somebody was asked and said no.
    #[error(
        "a member was reached and did not let you in: the invitation was used up or taken back, or is not for you; \
         ask for another"
    )]
    Refused,
    /// The state machine refuses.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// No randomness.
    #[error("the operating system gives no random numbers: {0}; restart this computer")]
    Random(#[from] getrandom::Error),
}

/// What is published of a group: read without waiting.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// How we stand to it.
    pub(crate) standing: Standing,
    /// The state; `None` until somebody told it.
    pub(crate) roster: Option<Arc<Roster>>,
    /// What the group is called, where we can read it.
    pub(crate) name: Option<Name>,
    /// How many streams to members stand.
    pub(crate) sessions: usize,
    /// Whether the present members' key is here.
    pub(crate) has_key: bool,
}

/// The groups of this node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Groups(Arc<Inner>);

struct Inner {
    people: People,
    store: GroupStore,
    identity: Mutex<Identity>,
    circles: Mutex<BTreeMap<GroupId, Arc<Circle>>>,
    /// Groups that were left: members who have not heard of it call us back in vain.
    left: Mutex<BTreeSet<GroupId>>,
    gossip: Option<Gossip>,
    /// Who is talked to as if groups were here that are not.
    pretending: Places<GroupId>,
    /// Who shows groups that are not here.
    showing: Places<NodeId>,
    /// Counts the changes of who belongs to what.
    changed: watch::Sender<u64>,
    /// Wakes the task that looks for members.
    wake: Notify,
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").field("groups", &self.0.all().len()).finish()
    }
}

impl Groups {
    /// Opens the groups of a home whose node belongs to somebody, and meets their members over the overlay.
    pub(crate) async fn start(people: People, database: Db) -> Result<Groups, NodeError> {
        let store = GroupStore::open(database).await?;
        // A person's key that a passphrase seals, or that is on another computer, is not at hand: the copies follow.
        let person = people.book().own().map(|own| own.id());
        let identity = match people.person_key() {
            Ok(key) if person.is_none_or(|person| person == key.id()) => Identity::new(key),
            _ => Identity::locked(person.unwrap_or(PersonId([0; 32]))),
        };
        let groups = Groups(Arc::new(Inner {
            gossip: people.overlay().map(Gossip::start),
            pretending: streams::pretending(),
            showing: streams::showing(),
            left: Mutex::new(store.left().await?),
            people,
            identity: Mutex::new(identity.clone()),
            circles: Mutex::default(),
            changed: watch::Sender::new(0),
            wake: Notify::new(),
            store,
        }));
        for stored in groups.0.store.load().await? {
            let changes = stored.changes.iter().map(Vec::as_slice);
            let seed = random().map_err(|error| NodeError::Random(error.to_string()))?;
            let mut replica = Replica::restore(stored.id, identity.clone(), seed, changes, now());
            replica.recall(stored.secrets);
            groups.insert(replica, stored.nodes);
        }
        groups.0.watch_members().await?;
        groups.0.people.set_circles(Arc::new(groups.clone()));
        if let Some(overlay) = groups.0.people.overlay() {
            overlay.serve(Arc::new(streams::GroupService::new(groups.clone())));
        }
        // Without the overlay, too: it stores again what could not be stored.
        tokio::spawn(meeting::run(Arc::downgrade(&groups.0)));
        Ok(groups)
    }

    /// Whether a person belongs to a group. Returns at once.
    pub(crate) fn is_member(&self, group: GroupId, person: PersonId) -> bool {
        self.view(group).and_then(|view| view.roster).is_some_and(|roster| roster.has(&person))
    }

    /// Returns who belongs to a group, as far as is known. Returns at once.
    pub(crate) fn members(&self, group: GroupId) -> BTreeSet<PersonId> {
        let roster = self.view(group).and_then(|view| view.roster);
        roster.map(|roster| roster.members.keys().copied().collect()).unwrap_or_default()
    }

    /// Returns a number that grows whenever who belongs to a group changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Returns all groups, but those that were left and nobody knows it yet.
    pub(crate) fn list(&self) -> Vec<(GroupId, View)> {
        let views = self.0.all().into_iter().map(|circle| (circle.group(), circle.view()));
        views.filter(|(_, view)| view.standing != Standing::Left).collect()
    }

    /// Returns what is known of a group.
    pub(crate) fn view(&self, group: GroupId) -> Option<View> {
        self.0.circle(group).map(|circle| circle.view())
    }

    /// Finds the group that somebody means by its name, else by its id or the beginning of that. The error says what to do.
    pub(crate) fn find(&self, meant: &str) -> Result<GroupId, String> {
        let called = |name: &Name| name.as_str().to_lowercase() == meant.to_lowercase();
        let is_called = |(_, view): &(GroupId, View)| view.name.as_ref().is_some_and(called);
        let mut found: Vec<GroupId> = self.list().into_iter().filter(is_called).map(|(id, _)| id).collect();
        if found.is_empty() {
            found = self.list().into_iter().map(|(id, _)| id).filter(|id| begins(&id.to_string(), meant)).collect();
        }
        match found[..] {
            [group] => Ok(group),
            [] if self.list().iter().any(|(_, view)| view.name.is_none()) && self.is_locked() => Err(format!(
                "no group {meant:?} is known here, and names of groups cannot be read while your key is locked: unlock \
                 it (`compeer group unlock`, POST /api/v1/groups/unlock), or, if it is on another of your computers, \
                 write the beginning of the group's id"
            )),
            [] => Err(format!("you are in no group {meant:?}: `compeer group list` and GET /api/v1/groups show yours")),
            _ => {
                let ids: Vec<_> = found.iter().map(|id| id.to_string()[..16].to_owned()).collect();
                Err(format!("{meant:?} can mean {}: write one of these ids instead", ids.join(", ")))
            }
        }
    }

    /// Returns how many other members of a group are met now.
    pub(crate) fn met(&self, group: GroupId) -> usize {
        let Some(circle) = self.0.circle(group) else { return 0 };
        let (own, members) = (self.person(), self.members(group));
        let met: Vec<NodeId> = circle.nodes().met.keys().copied().collect();
        let book = self.0.people.book();
        let persons: BTreeSet<PersonId> = met.iter().filter_map(|node| book.person_of(node)).collect();
        persons.iter().filter(|person| **person != own && members.contains(person)).count()
    }

    /// Returns whose groups these are.
    pub(crate) fn person(&self) -> PersonId {
        self.0.identity().person()
    }

    /// Returns the book of people, for names.
    pub(crate) fn people(&self) -> &People {
        &self.0.people
    }

    /// Whether the person's key is at hand.
    pub(crate) fn is_locked(&self) -> bool {
        self.0.identity().is_locked()
    }

    /// Takes the person's key, which a passphrase sealed, until the node ends.
    pub(crate) async fn unlock(&self, key: PersonKey) -> Result<(), GroupError> {
        *self.0.identity() = Identity::new(key.clone());
        for circle in self.0.all() {
            let key = key.clone();
            self.drive(&circle, |replica| replica.unlock(key, now())).await?;
        }
        Ok(())
    }

    /// Hands out new keys of all groups: a node of ours that was revoked has the present ones.
    pub(crate) async fn renew_keys(&self, key: &PersonKey) {
        for circle in self.0.all().into_iter().filter(|circle| circle.view().standing == Standing::Member) {
            let key = key.clone();
            let renewed = self.drive(&circle, |replica| replica.command_with(key, now(), Command::NewEpoch)).await;
            match renewed {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a group's keys stay those that the revoked node has"),
                Err(error) => tracing::warn!(%error, "a group's new keys are not stored"),
            }
        }
    }

    /// Begins a group and returns it.
    pub(crate) async fn create(&self, name: &Name, kind: Kind) -> Result<GroupId, GroupError> {
        let identity = self.identity().await?;
        if self.0.lock_circles().len() >= MAX_GROUPS {
            return Err(GroupError::TooMany);
        }
        let replica = Replica::create(identity, kind, name, random()?, now()).ok_or(Refusal::Locked)?;
        let group = replica.group();
        self.0.store.add(group, Vec::new()).await?;
        let circle = self.insert(replica, Vec::new());
        if let Err(error) = self.drive(&circle, |_| ()).await {
            // Nobody heard of it: as if it had never been.
            self.0.lock_circles().remove(&group);
            let _ = self.0.store.remove(group).await;
            return Err(error.into());
        }
        Ok(group)
    }

    /// Does what the person wants with a group.
    pub(crate) async fn command(&self, group: GroupId, command: Command) -> Result<ChangeId, GroupError> {
        let circle = self.0.circle(group).ok_or(GroupError::Unknown)?;
        let done = self.drive(&circle, |replica| replica.command(now(), command)).await?;
        self.0.wake.notify_one();
        Ok(done?)
    }

    /// Invites, and returns a link that leads in. `person`: for this one alone. `uses`: how many can come in by it, 0: any
    /// number.
    pub(crate) async fn invite(
        &self,
        group: GroupId,
        person: Option<PersonId>,
        uses: u16,
        role: Role,
    ) -> Result<GroupLink, GroupError> {
        let kind = self.view(group).and_then(|view| view.roster).ok_or(GroupError::Unknown)?.kind;
        let invitation = match person {
            Some(person) => {
                let command = Command::Invite { to: Invitee::Person(person), uses: 1, role };
                Some((self.command(group, command).await?, None))
            }
            // Whoever has the link of an open group may come in.
            None if kind == Kind::Open && role == Role::Member => None,
            None => {
                let secret = random()?;
                let command = Command::Invite { to: Invitee::Link(link_key(&secret)), uses, role };
                Some((self.command(group, command).await?, Some(secret)))
            }
        };
        self.link(group, invitation)
    }

    fn link(&self, group: GroupId, invitation: Option<(ChangeId, Option<[u8; 32]>)>) -> Result<GroupLink, GroupError> {
        let view = self.view(group).ok_or(GroupError::Unknown)?;
        let private = view.roster.as_ref().is_none_or(|roster| roster.kind == Kind::Private);
        let overlay = self.0.people.reach()?;
        let own = overlay.own_hints().iter().map(ToString::to_string).collect();
        let mut nodes = vec![LinkNode { node: overlay.node(), hints: own }];
        // Any member lets in: so the link is good while this node is away.
        if let Some(circle) = self.0.circle(group).filter(|_| !private) {
            let book = self.0.people.book();
            let is_member = |node: &&NodeId| {
                let roster = view.roster.as_ref();
                book.person_of(node).is_some_and(|person| roster.is_some_and(|roster| roster.has(&person)))
            };
            for node in circle.nodes().met.keys().filter(is_member).take(LINK_FELLOWS) {
                let hints = book.hints(node).iter().take(LINK_FELLOW_HINTS).cloned().collect();
                nodes.push(LinkNode { node: *node, hints });
            }
        }
        Ok(GroupLink { group, invitation, nodes, name: view.name.filter(|_| !private) })
    }

    /// Comes into a group by a link: asks each node that it names until one lets us in. Takes up to a minute.
    pub(crate) async fn join(&self, link: &GroupLink) -> Result<GroupId, GroupError> {
        let identity = self.identity().await?;
        let known = self.0.circle(link.group);
        if known.is_some() && self.is_member(link.group, identity.person()) {
            return Err(GroupError::Already);
        }
        if known.is_none() && self.0.lock_circles().len() >= MAX_GROUPS {
            return Err(GroupError::TooMany);
        }
        let request = identity.request(link.group, link.invitation, now()).ok_or(Refusal::Locked)?;
        let mut failure = GroupError::Unreachable;
        // Each a moment after the one before, not after its end: who is gone takes long to dial.
        let mut doors: FuturesUnordered<_> =
            link.nodes.iter().zip(0..).map(|(to, n)| self.door(to, KNOCK_PAUSE * n)).collect();
        while let Some((to, opened)) = doors.next().await {
            let knocked = match opened {
                Ok(stream) => self.knock(link, to, stream, request.clone()).await,
                Err(error) => Err(error),
            };
            match knocked {
                Ok(()) => {
                    let member = self.until_member(link.group, identity.person());
                    // One that lets in and tells nothing keeps nobody from the others.
                    let patience = if doors.is_empty() { JOIN_PATIENCE } else { JOIN_PATIENCE / 3 };
                    if tokio::time::timeout(patience, member).await.is_ok() {
                        return Ok(link.group);
                    }
                }
                Err(streams::Knock::Refused) => failure = GroupError::Refused,
                Err(streams::Knock::Unreachable) => {}
                Err(streams::Knock::Failed(error)) => return Err(error),
            }
        }
        Err(failure)
    }

    async fn until_member(&self, group: GroupId, person: PersonId) {
        let mut changes = self.changes();
        // The sender lives as long as we do.
        while !self.is_member(group, person) && changes.changed().await.is_ok() {}
    }

    /// Leaves a group, and forgets it as soon as another member knows; who is no member just forgets it. Returns whether
    /// somebody knows: if not, it is said when a member is met.
    pub(crate) async fn leave(&self, group: GroupId) -> Result<bool, GroupError> {
        let circle = self.0.circle(group).ok_or(GroupError::Unknown)?;
        if !self.is_member(group, self.person()) {
            self.forget(&circle).await?;
            return Ok(true);
        }
        self.command(group, Command::Leave).await?;
        Ok(circle.farewell(|| self.0.circle(group).is_none()).await)
    }

    /// Forgets a group.
    async fn forget(&self, circle: &Circle) -> Result<(), DbError> {
        let group = circle.group();
        self.0.store.remove(group).await?;
        self.0.lock_circles().remove(&group);
        self.0.lock_left().insert(group);
        self.announce();
        Ok(())
    }

    async fn identity(&self) -> Result<Identity, GroupError> {
        if self.0.people.book().own().is_none() {
            return Err(GroupError::NoPerson);
        }
        // A key that lies open now: since we started, the person came to be, or took the passphrase away. One that was
        // unlocked for a single call is not ours to keep.
        let open = self.is_locked().then(|| self.0.people.keys().person(None).ok()).flatten();
        let open = open.filter(|key| key.id() == self.person());
        if let Some(key) = open {
            self.unlock(key).await?;
        }
        let identity = self.0.identity().clone();
        if identity.is_locked() { Err(Refusal::Locked.into()) } else { Ok(identity) }
    }

    fn insert(&self, replica: Replica, nodes: Vec<NodeId>) -> Arc<Circle> {
        let circle = Arc::new(Circle::new(replica, nodes));
        self.0.lock_left().remove(&circle.group());
        self.0.lock_circles().insert(circle.group(), circle.clone());
        circle
    }

    /// Lets a replica do something, and does what it then wants.
    async fn drive<T>(&self, circle: &Arc<Circle>, act: impl FnOnce(&mut Replica) -> T) -> Result<T, DbError> {
        Ok(self.drive_and_see(circle, act).await?.0)
    }

    /// The same; says what came of it, too.
    async fn drive_and_see<T>(
        &self,
        circle: &Arc<Circle>,
        act: impl FnOnce(&mut Replica) -> T,
    ) -> Result<(T, Settled), DbError> {
        let driven = circle.drive(&self.0.store, act).await;
        if driven.is_err() && circle.is_unstored().await {
            self.0.wake.notify_one();
        }
        let (result, settled) = driven?;
        self.settled(circle, settled).await?;
        Ok((result, settled))
    }

    /// Draws the consequences outside of the group.
    async fn settled(&self, circle: &Arc<Circle>, settled: Settled) -> Result<(), DbError> {
        if settled.released && circle.view().standing == Standing::Left {
            self.forget(circle).await?;
        }
        if settled.changed {
            // Before anything else is said: who was expelled does not hear it.
            self.follow(circle);
            self.changed(circle).await;
        }
        Ok(())
    }

    /// Draws the consequences of a change of a group, which is stored.
    async fn changed(&self, circle: &Circle) {
        let watched = self.0.watch_members().await;
        let early = circle.nodes().take_early();
        if let Err(error) = watched.and(self.learn(circle, None, early).await) {
            // The book knows it and tries again.
            tracing::warn!(%error, "where members of a group are is not stored");
        }
        self.announce();
    }

    /// Tells whoever waits that something about a group changed.
    fn announce(&self) {
        self.0.changed.send_modify(|n| *n += 1);
        self.0.wake.notify_one();
    }
}

impl Circles for Groups {
    fn groups_of(&self, person: PersonId) -> Vec<GroupId> {
        let has = |circle: &Arc<Circle>| circle.view().roster.is_some_and(|roster| roster.has(&person));
        self.0.all().into_iter().filter(has).map(|circle| circle.group()).collect()
    }
}

impl Inner {
    fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_circles(&self) -> MutexGuard<'_, BTreeMap<GroupId, Arc<Circle>>> {
        self.circles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_left(&self) -> MutexGuard<'_, BTreeSet<GroupId>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn circle(&self, group: GroupId) -> Option<Arc<Circle>> {
        self.lock_circles().get(&group).cloned()
    }

    fn all(&self) -> Vec<Arc<Circle>> {
        self.lock_circles().values().cloned().collect()
    }

    /// Tells the book of whom it is to keep the lists of nodes.
    async fn watch_members(&self) -> Result<(), DbError> {
        let rosters = self.all().into_iter().filter_map(|circle| circle.view().roster);
        let groups: Vec<BTreeSet<PersonId>> = rosters.map(|roster| roster.members.keys().copied().collect()).collect();
        self.people.update(|book, _| book.watch(groups)).await
    }

    /// Returns our own list of nodes, as others take it.
    fn own_list(&self) -> Option<SignedNodeList> {
        self.people.book().own().map(|own| own.newest().clone())
    }
}

/// Reads both clocks.
fn now() -> Now {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Now { mono: base::Instant::from_start(START.elapsed()), wall: WallTime(wall) }
}

fn random() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
