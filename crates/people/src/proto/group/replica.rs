//! One member's copy of a group, and what a member does by itself.
//!
//! Owns the log and the secrets of the epochs. Streams to other members are sessions; what comes from one goes to the
//! others. By itself a replica
//!
//! * hands out a new secret when the members changed and nobody has yet: whoever changed them at once, the others after
//!   a while of their own drawing, so that one is enough; and with it the name, also when some members cannot read that;
//! * writes that it saw an expulsion of an admin, which is what decides when two expel one another ([`super::contest`]);
//! * ties loose ends together when there are many.
//!
//! To other nodes of the same person it gives what they need to read ([`own_nodes`]).
//!
//! What it writes is published ([`live`]); a session is ended when its person is no longer a member ([`parting`]).
//! [`Output::Persist`] comes before what depends on it.

mod live;
mod naming;
mod outsiders;
mod own_nodes;
mod parting;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{GroupId, Instant, Now, PersonId};
use chacha20::ChaCha20Rng;
use hpke::rand_core::{Rng, SeedableRng};

use super::change::{Action, Change, ChangeId, Invitee, Kind, MAX_MEMBERS, MAX_PREDECESSORS, Recipient, Role};
use super::identity::Identity;
use super::io::{Command, Event, Input, Output, Refusal, SessionId};
use super::keys::{self, EpochSecret, KeyError, SEALED_SECRET_BYTES};
use super::log::{Insert, Log, Places};
use super::message::{MAX_HAVE, Message};
use super::roster::Roster;
pub use super::session::MAX_BAD;
use super::session::{Session, Waiting};
use crate::proto::name::Name;
use crate::proto::nodes::PersonKey;
pub use outsiders::{MAX_OUTSIDERS, PROOF_PATIENCE};

/// How long the others leave it to one to hand out a new secret. Arbitrary: each waits a part of it that it draws.
const EPOCH_PATIENCE: Duration = Duration::from_secs(20);

/// Within which time an expulsion is answered with what its reader knew. Arbitrary.
const SEEN_PATIENCE: Duration = Duration::from_secs(5);

/// How many changes of ours there are at most of which some answer others: nobody can use up what we may write. Arbitrary:
/// three quarters.
const MAX_ANSWERS: usize = super::log::MAX_CHANGES_OF_ONE / 4 * 3;

/// How many loose ends are left alone, and within which time more are tied together. Arbitrary.
const LOOSE_ENDS: usize = 8;
const TIE_PATIENCE: Duration = Duration::from_secs(60);

/// How often members say by gossip what they have: within this time one of them does, since whoever hears what they would
/// say waits anew. Arbitrary: so long two halves of a group that can hear one another differ at most.
const ANNOUNCE_PATIENCE: Duration = Duration::from_secs(300);

/// How many streams to members a replica has at once. Arbitrary: some from each node of a few dozen members.
pub const MAX_SESSIONS: usize = 64;

/// A member's copy of a group.
#[derive(Debug)]
pub struct Replica {
    me: Identity,
    log: Log,
    roster: Option<Roster>,
    secrets: BTreeMap<ChangeId, EpochSecret>,
    sessions: BTreeMap<SessionId, Session>,
    rng: ChaCha20Rng,
    /// Everything that what we wrote knew.
    seen: Places,
    /// How many changes of the log the rest was computed of.
    computed: usize,
    epoch_due: Option<Instant>,
    seen_due: Option<Instant>,
    tie_due: Option<Instant>,
    announce_due: Option<Instant>,
    /// Changes that were heard before something that they name.
    heard: Waiting,
    /// The places of changes that we wrote and have not told of.
    written: Vec<usize>,
    outputs: VecDeque<Output>,
}

impl Replica {
    /// Begins a copy without any change: of somebody who was let in and gets the rest from another member. `seed` has to
    /// be 32 bytes that nobody can guess: secrets are drawn by it.
    pub fn new(group: GroupId, me: Identity, seed: [u8; 32]) -> Replica {
        Replica {
            me,
            log: Log::new(group),
            roster: None,
            secrets: BTreeMap::new(),
            sessions: BTreeMap::new(),
            rng: ChaCha20Rng::from_seed(seed),
            seen: Places::default(),
            computed: 0,
            epoch_due: None,
            seen_due: None,
            tie_due: None,
            announce_due: None,
            heard: Waiting::default(),
            written: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Begins a group; `None` without the person's key. `seed` as in [`Replica::new`].
    pub fn create(me: Identity, kind: Kind, name: &Name, seed: [u8; 32], now: Now) -> Option<Replica> {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let keys = me.keys.as_ref()?;
        let (group, first) = Change::create(&keys.signing, kind, nonce, keys.sealing.public(), now.wall);
        let mut replica = Replica { rng, ..Replica::new(group, me, [0; 32]) };
        replica.take_in(&first, None);
        replica.refresh(now);
        // A log of one change has room, and its author is its admin.
        let _ = replica.write_epoch(now, Some(name));
        replica.refresh(now);
        Some(replica)
    }

    /// Restores a copy from stored changes, in the order in which they were persisted. What cannot be read is left out
    /// and comes again from another member.
    pub fn restore<'a>(
        group: GroupId,
        me: Identity,
        seed: [u8; 32],
        stored: impl IntoIterator<Item = &'a [u8]>,
        now: Now,
    ) -> Replica {
        let mut replica = Replica::new(group, me, seed);
        stored.into_iter().for_each(|bytes| {
            replica.take_in(bytes, None);
        });
        replica.refresh(now);
        // All of it is stored, and nobody waits for news.
        replica.outputs.clear();
        replica
    }

    /// Takes the person's key: from now on the copy writes, and reads what is and was sealed. Another person's key
    /// changes nothing.
    pub fn unlock(&mut self, key: PersonKey, now: Now) {
        if key.id() != self.me.person() || self.me.keys.is_some() {
            return;
        }
        self.me = Identity::new(key);
        (0..self.log.len()).for_each(|place| self.learn(place));
        if let Some((epoch, _)) = self.epoch() {
            self.outputs.push_back(Output::Event(Event::Epoch(epoch)));
        }
        self.give_all_secrets();
        self.plan(now);
    }

    /// Returns the group.
    pub fn group(&self) -> GroupId {
        self.log.group()
    }

    /// Returns whose copy this is.
    pub fn me(&self) -> &Identity {
        &self.me
    }

    /// Returns the changes.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Returns who belongs to the group; `None` until the first change is here.
    pub fn roster(&self) -> Option<&Roster> {
        self.roster.as_ref()
    }

    /// Whether we belong to it.
    pub fn is_member(&self) -> bool {
        self.has(&self.me.person())
    }

    /// Whether a person belongs to it.
    pub fn has(&self, person: &PersonId) -> bool {
        self.roster.as_ref().is_some_and(|roster| roster.has(person))
    }

    /// Returns the present epoch and its secret, if we have it.
    pub fn epoch(&self) -> Option<(ChangeId, &EpochSecret)> {
        let epoch = self.roster.as_ref()?.epoch?;
        self.secrets.get(&epoch).map(|secret| (epoch, secret))
    }

    /// Returns the secrets that we have, of present and past epochs.
    pub fn secrets(&self) -> impl Iterator<Item = (&ChangeId, &EpochSecret)> {
        self.secrets.iter()
    }

    /// Seals a payload for the present members.
    pub fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>, KeyError> {
        if !self.is_member() {
            return Err(KeyError::NoEpoch);
        }
        let (epoch, secret) = self.epoch().map(|(id, secret)| (id, secret.clone())).ok_or(KeyError::NoEpoch)?;
        Ok(secret.seal(epoch, self.group(), payload, &mut self.rng))
    }

    /// Opens a payload that a member sealed, of any epoch that we were part of.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let epoch = keys::epoch_of(sealed).ok_or(KeyError::Sealed)?;
        self.secrets.get(&epoch).ok_or(KeyError::NoEpoch)?.open_payload(self.group(), sealed)
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Connected { session, person } => self.connected(now, session, person),
            Input::Received { session, message } => self.received(session, message),
            Input::Heard(message) => self.heard(now, message),
            Input::Closed { session } => {
                self.sessions.remove(&session);
            }
            Input::Timeout => self.timeout(now),
        }
        self.refresh(now);
    }

    /// Returns what to do next, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when to call [`Replica::handle`] with [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = [self.epoch_due, self.seen_due, self.tie_due, self.announce_due, self.outsiders_due()];
        due.into_iter().flatten().min()
    }

    /// Does what the person of this node wants and returns the change that does it.
    pub fn command(&mut self, now: Now, command: Command) -> Result<ChangeId, Refusal> {
        let me = self.me.person();
        if self.me.keys.is_none() {
            return Err(Refusal::Locked);
        }
        let roster = self.roster.as_ref().filter(|roster| roster.has(&me)).ok_or(Refusal::NotMember)?;
        let needs_admin = match &command {
            Command::Invite { .. } | Command::Cancel(_) | Command::Expel(_) | Command::Rename(_) => true,
            Command::Role(person, role) => *person != me || *role == Role::Admin,
            Command::Admit(_) | Command::Leave | Command::NewEpoch => false,
        };
        if needs_admin && !roster.is_admin(&me) {
            return Err(Refusal::NotAdmin);
        }
        let named = match &command {
            Command::Role(person, _) | Command::Expel(person) => Some(person),
            _ => None,
        };
        if named.is_some_and(|person| !roster.has(person)) {
            return Err(Refusal::NoSuchMember);
        }
        let action = match command {
            Command::Invite { to, uses, role } => Action::Invite { to, uses, role },
            Command::Cancel(invitation) if roster.invitations.contains_key(&invitation) => {
                Action::Cancel { invitation }
            }
            Command::Cancel(_) => return Err(Refusal::NoSuchInvitation),
            Command::Admit(request) => {
                if roster.has(&request.person) {
                    return Err(Refusal::Already);
                }
                if roster.members.len() >= MAX_MEMBERS {
                    return Err(Refusal::MembersFull);
                }
                // First what costs little: strangers ask.
                let group = self.group();
                let fits = match request.invitation {
                    None => roster.kind == Kind::Open || roster.is_admin(&me),
                    Some(id) => roster.invitations.get(&id).is_some_and(|invitation| match invitation.to {
                        Invitee::Person(person) => person == request.person,
                        Invitee::Link(key) => request.proves(group, &key),
                    }),
                };
                if !fits || !request.is_signed(group) {
                    return Err(Refusal::NotInvited);
                }
                Action::Admit { request: *request }
            }
            Command::Role(person, role) => Action::Role { person, role },
            Command::Expel(person) => Action::Remove { person },
            Command::Leave => Action::Remove { person: me },
            Command::Rename(name) => Action::Rename { meta: self.seal(&naming::meta(&name))? },
            Command::NewEpoch => {
                let id = self.write_epoch(now, self.known_name().as_ref())?;
                self.refresh(now);
                return Ok(id);
            }
        };
        let admitted = match &action {
            Action::Admit { request } => Some(request.person),
            _ => None,
        };
        if let Some(person) = admitted {
            self.would_admit(&action, person)?;
        }
        let changes_members = matches!(action, Action::Admit { .. } | Action::Remove { .. });
        let name = self.known_name();
        let id = self.write(now, action)?;
        self.refresh(now);
        if changes_members && self.is_member() && self.roster.as_ref().is_some_and(|roster| roster.epoch.is_none()) {
            // Whoever changes the members hands out the key; if there is no room, another member does.
            let _ = self.write_epoch(now, name.as_ref());
            self.refresh(now);
        }
        Ok(id)
    }

    /// Tries an admission on a copy of the log, so that none that lets nobody in is written.
    fn would_admit(&self, action: &Action, person: PersonId) -> Result<(), Refusal> {
        let mut log = self.log.clone();
        let (id, change, bytes) = self.sign(action.clone(), Now::default()).ok_or(Refusal::Locked)?;
        match log.insert_verified(id, change, &bytes) {
            Insert::New(_) => {}
            _ => return Err(Refusal::LogFull),
        }
        if Roster::of(&log).is_some_and(|roster| roster.has(&person)) { Ok(()) } else { Err(Refusal::NotInvited) }
    }

    fn received(&mut self, id: SessionId, message: Message) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match message {
            Message::Have(ids) => {
                let person = session.person;
                session.told(&self.log, &ids);
                self.send_missing(id);
                self.give_secrets(id);
                self.part(id);
                self.ask_for_proof(id);
                self.end_if_expelled(id);
                self.is_released(&person, &ids);
            }
            Message::Changes(changes) => self.changes(id, &changes),
            Message::Want(ids) => {
                let person = session.person;
                if !self.roster.as_ref().is_some_and(|roster| roster.has(&person)) {
                    return;
                }
                for message in session.wants(&self.log, &ids) {
                    self.outputs.push_back(Output::Send { session: id, message });
                }
            }
            Message::Secrets(secrets) => self.take_secrets(id, secrets),
            // What opens a stream does not come later; what is about people is the driver's.
            _ => session.bad += 1,
        }
        if self.sessions.get(&id).is_some_and(|session| session.bad >= MAX_BAD) {
            self.sessions.remove(&id);
            self.outputs.push_back(Output::Disconnect { session: id, blame: true });
        }
    }

    fn changes(&mut self, id: SessionId, changes: &[Arc<[u8]>]) {
        let mut wanted = Vec::new();
        let mut now: Vec<Arc<[u8]>> = changes.to_vec();
        while !now.is_empty() {
            for bytes in &now {
                if self.sessions.get(&id).is_none_or(|session| session.bad >= MAX_BAD) {
                    return;
                }
                for missing in self.take_in(bytes, Some(id)) {
                    if wanted.len() < MAX_HAVE && !wanted.contains(&missing) {
                        wanted.push(missing);
                    }
                }
            }
            // What waited may have what it waited for now.
            now = self.sessions.get_mut(&id).map_or_else(Vec::new, |session| session.ready(&self.log));
        }
        wanted.retain(|missing| self.log.place(missing).is_none());
        if !wanted.is_empty() {
            self.outputs.push_back(Output::Send { session: id, message: Message::Want(wanted) });
        }
    }

    /// Takes in one change, and returns what it misses.
    fn take_in(&mut self, bytes: &[u8], from: Option<SessionId>) -> Vec<ChangeId> {
        let inserted = self.log.insert(bytes);
        let mut session = from.and_then(|from| self.sessions.get_mut(&from));
        match inserted {
            Insert::New(place) => {
                session.into_iter().for_each(|session| session.has(place));
                self.learn(place);
            }
            Insert::Missing(missing) => {
                // An outsider who is a member sends all, in order.
                if let Some(outsider) = session.as_deref_mut().filter(|session| session.outside_until.is_some()) {
                    outsider.bad += 1;
                    return Vec::new();
                }
                let waits = session.is_none_or(|session| session.wait(missing[0], bytes.into()));
                return if waits { missing } else { Vec::new() };
            }
            Insert::Refused(_) | Insert::Foreign => session.into_iter().for_each(|session| session.bad += 1),
            Insert::Known | Insert::Full => {}
        }
        Vec::new()
    }

    /// Opens the secret that a change hands out, and notes what we knew when we wrote it ourselves.
    fn learn(&mut self, place: usize) {
        let entry = self.log.at(place);
        let me = self.me.person();
        let sealing = self.me.keys.as_ref().map(|keys| &keys.sealing);
        if entry.change.author == me {
            self.seen.join(&entry.past);
            self.seen.add(place);
        }
        if let Some(sealing) = sealing
            && let Action::Epoch { commitment, recipients, .. } = &entry.change.action
            && let Ok(at) = recipients.binary_search_by_key(&me, |recipient| recipient.person)
            && let Ok(secret) = EpochSecret::open(
                &recipients[at].sealed,
                commitment,
                self.log.group(),
                entry.change.author,
                me,
                sealing,
            )
        {
            self.secrets.insert(entry.id, secret);
        }
    }

    fn send_missing(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !self.roster.as_ref().is_some_and(|roster| roster.has(&session.person)) {
            return;
        }
        for message in session.missing(&self.log) {
            self.outputs.push_back(Output::Send { session: id, message });
        }
    }

    /// Draws the consequences of new changes: what to store, to whom to send them, who is out, what is due.
    pub(super) fn refresh(&mut self, now: Now) {
        self.retry_heard();
        if self.computed == self.log.len() {
            return;
        }
        let fresh = (self.computed..self.log.len()).map(|place| self.log.at(place));
        let fresh = fresh.map(|entry| (entry.id, entry.bytes.clone())).collect();
        self.outputs.push_back(Output::Persist(fresh));
        self.computed = self.log.len();
        for place in std::mem::take(&mut self.written) {
            self.publish(place);
        }
        let before = std::mem::replace(&mut self.roster, Roster::of(&self.log));
        let ours = |roster: &Option<Roster>| roster.as_ref().is_some_and(|roster| roster.has(&self.me.person()));
        let (was_in, is_in) = (ours(&before), ours(&self.roster));
        let epoch_before = before.as_ref().and_then(|roster| roster.epoch);
        let same =
            |a: &Roster, b: &Roster| a.members == b.members && a.invitations == b.invitations && a.meta == b.meta;
        let changed = match (&before, &self.roster) {
            (Some(before), Some(after)) => !same(before, after),
            (before, after) => before.is_some() != after.is_some(),
        };
        if changed {
            self.outputs.push_back(Output::Event(Event::Changed));
        }
        if was_in && !is_in {
            self.outputs.push_back(Output::Event(Event::Out));
        }
        if let Some((epoch, _)) = self.epoch()
            && epoch_before != Some(epoch)
        {
            self.outputs.push_back(Output::Event(Event::Epoch(epoch)));
        }
        self.end_sessions(was_in && !is_in, before.as_ref());
        self.take_in_outsiders();
        let live: Vec<SessionId> = self.sessions.keys().copied().collect();
        live.into_iter().for_each(|session| self.send_missing(session));
        self.give_all_secrets();
        self.plan(now);
    }

    fn plan(&mut self, now: Now) {
        if !self.is_member() || self.me.keys.is_none() {
            (self.epoch_due, self.seen_due, self.tie_due, self.announce_due) = (None, None, None, None);
            return;
        }
        if self.announce_due.is_none() {
            self.put_announcement_off(now);
        }
        let wants =
            (self.needs_epoch() || self.needs_repeating(), self.needs_seen(), self.log.heads().len() > LOOSE_ENDS);
        let mut due = |wanted: bool, due: Option<Instant>, patience: Duration| {
            wanted.then(|| {
                due.unwrap_or_else(|| now.mono + patience.mul_f64(f64::from(self.rng.next_u32() >> 8) / 16_777_216.0))
            })
        };
        self.epoch_due = due(wants.0, self.epoch_due, EPOCH_PATIENCE);
        self.seen_due = due(wants.1, self.seen_due, SEEN_PATIENCE);
        self.tie_due = due(wants.2, self.tie_due, TIE_PATIENCE);
    }

    fn put_announcement_off(&mut self, now: Now) {
        let part = 0.5 + f64::from(self.rng.next_u32() >> 8) / 33_554_432.0;
        self.announce_due = Some(now.mono + ANNOUNCE_PATIENCE.mul_f64(part));
    }

    /// Whether the present members have no secret, or one that we cannot open.
    fn needs_epoch(&self) -> bool {
        self.epoch().is_none()
    }

    /// Whether an admin was expelled or demoted and nothing that we wrote knew it.
    fn needs_seen(&self) -> bool {
        let me = self.me.person();
        (0..self.log.len()).any(|place| {
            !self.seen.has(place)
                && self.log.deposes(place).is_some_and(|target| target != me && self.was_admin(&target))
                // What somebody wrote who may not, needs no answer.
                && self.was_admin(&self.log.at(place).change.author)
        })
    }

    fn was_admin(&self, person: &PersonId) -> bool {
        self.log.iter().any(|entry| match &entry.change.action {
            Action::Create { .. } => entry.change.author == *person,
            Action::Role { person: granted, role: Role::Admin } => granted == person,
            Action::Admit { request } => {
                let invitation = request
                    .invitation
                    .and_then(|id| self.log.place(&id))
                    .map(|place| &self.log.at(place).change.action);
                request.person == *person && matches!(invitation, Some(Action::Invite { role: Role::Admin, .. }))
            }
            _ => false,
        })
    }

    fn timeout(&mut self, now: Now) {
        self.end_outsiders(now);
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now.mono);
        if due(self.epoch_due) {
            self.epoch_due = None;
            if self.is_member() && (self.needs_epoch() || self.needs_repeating()) && self.may_answer() {
                // Full: nothing that we could do.
                let _ = self.write_epoch(now, self.known_name().as_ref());
            }
        }
        if due(self.announce_due) {
            self.announce();
            self.put_announcement_off(now);
        }
        let (seen, tie) = (due(self.seen_due), due(self.tie_due));
        if seen {
            self.seen_due = None;
        }
        if tie {
            self.tie_due = None;
        }
        let still = seen && self.needs_seen() || tie && self.log.heads().len() > LOOSE_ENDS;
        if still && self.is_member() && self.may_answer() {
            let _ = self.write(now, Action::Seen);
        }
    }

    /// Whether we have written so little that what others do may make us write more: what is left is for what the person
    /// wants.
    fn may_answer(&self) -> bool {
        self.log.by(&self.me.person()).len() < MAX_ANSWERS
    }

    pub(super) fn write_epoch(&mut self, now: Now, name: Option<&Name>) -> Result<ChangeId, Refusal> {
        let (group, me) = (self.group(), self.me.person());
        let Some(roster) = &self.roster else { return Err(Refusal::NotMember) };
        let secret = EpochSecret::draw(&mut self.rng);
        let recipients = roster.members.iter().map(|(person, member)| Recipient {
            person: *person,
            // Somebody whose key is none cannot read, and has to blame themselves.
            sealed: secret
                .seal_to(group, me, *person, member.sealing, &mut self.rng)
                .unwrap_or([0; SEALED_SECRET_BYTES]),
        });
        let recipients = recipients.collect();
        let sealed = name.map(|name| secret.seal(ChangeId([0; 32]), group, &naming::meta(name), &mut self.rng));
        let action = Action::Epoch { commitment: secret.commitment(), recipients, meta: sealed.unwrap_or_default() };
        self.write(now, action)
    }

    /// `None` without the person's key.
    fn sign(&self, action: Action, now: Now) -> Option<(ChangeId, Change, Vec<u8>)> {
        let me = self.me.person();
        let key = &self.me.keys.as_ref()?.signing;
        let mut heads: Vec<ChangeId> = self.log.heads().collect();
        // Our own line never breaks, whatever is left out: what we wrote last comes first.
        heads.sort_by_key(|id| (self.log.place(id).is_none_or(|place| self.log.at(place).change.author != me), *id));
        heads.truncate(MAX_PREDECESSORS);
        heads.sort();
        let change = Change { group: self.group(), author: me, predecessors: heads, wall: now.wall, action };
        let (id, bytes) = change.sign(key);
        Some((id, change, bytes))
    }

    fn write(&mut self, now: Now, action: Action) -> Result<ChangeId, Refusal> {
        let (id, change, bytes) = self.sign(action, now).ok_or(Refusal::Locked)?;
        match self.log.insert_verified(id, change, &bytes) {
            Insert::New(place) => {
                self.written.push(place);
                self.learn(place);
                Ok(id)
            }
            _ => Err(Refusal::LogFull),
        }
    }
}
