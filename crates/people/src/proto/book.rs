//! The book: everything that a node knows of persons: its own, contacts, invitations, whose node is whose, and where
//! nodes may be reached.
//!
//! Owns it by value. Invariant: the index of nodes is that of the newest lists, and what was changed is in `changes`
//! until the driver takes it to the store; the book that is loaded from the store is the book that was.

use std::collections::{BTreeMap, BTreeSet};

use base::id::begins;
use base::{NodeId, PersonId};

use super::contact::{Contact, Invite, InviteId, InviteState, Record, Relation};
use super::kept::{MAX_KEPT_BYTES, MAX_PARCEL_BYTES, Parcel};
use super::link::{ContactLink, MAX_HINTS, Secret, is_hint};
use super::name::Name;
use super::nodes::{KnownPerson, SignedNodeList};

#[cfg(test)]
mod tests;

/// How many contacts are kept, with those blocked and removed. Arbitrary.
pub const MAX_CONTACTS: usize = 8192;

/// How many invitations are kept; used and revoked ones go first. Arbitrary.
pub const MAX_INVITES: usize = 512;

/// How many nodes hints are kept for: some for each contact. Arbitrary.
pub const MAX_HINTED: usize = 4 * MAX_CONTACTS;

/// What changed since the driver looked last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A person's list or revocations.
    Person(PersonId),
    /// A contact.
    Contact(PersonId),
    /// An invitation.
    Invite(InviteId),
    /// Where a node may be reached.
    Hints(NodeId),
    /// What is kept for a person.
    Kept(PersonId),
    /// Who we are.
    Own,
}

/// Why the book does not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// As many contacts as there may be.
    #[error("{MAX_CONTACTS} contacts are kept already: remove one")]
    ContactsFull,
    /// As many invitations as there may be.
    #[error("{MAX_INVITES} invitations are open already: revoke one")]
    InvitesFull,
    /// Our own link.
    #[error("this link is your own: give it to somebody else")]
    Self_,
    /// Ourselves.
    #[error("this is yourself: name somebody else")]
    Yourself,
    /// A name that somebody has.
    #[error("another contact has this name: choose another")]
    NameTaken,
    /// Nobody of that name.
    #[error("there is no such contact: `compeer contact list` and GET /api/v1/contacts show yours")]
    Unknown,
}

/// Everything that a node knows of persons.
#[derive(Clone, Debug)]
pub struct Book {
    node: NodeId,
    own: Option<PersonId>,
    persons: BTreeMap<PersonId, KnownPerson>,
    /// The members of each group: their lists are kept although they are no contacts.
    groups: Vec<BTreeSet<PersonId>>,
    /// Whoever is in any of them.
    watched: BTreeSet<PersonId>,
    /// Whose lists are kept, and nothing else, because the user speaks with them.
    spoken_with: BTreeSet<PersonId>,
    contacts: BTreeMap<PersonId, Contact>,
    invites: BTreeMap<InviteId, Invite>,
    hints: BTreeMap<NodeId, Vec<String>>,
    /// What is kept for contacts, and the person's own parcel.
    kept: BTreeMap<PersonId, Parcel>,
    /// Whose each node is, by the newest lists.
    nodes: BTreeMap<NodeId, PersonId>,
    revoked: BTreeSet<NodeId>,
    changes: BTreeSet<Change>,
}

/// What the store had.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Who we are.
    pub own: Option<PersonId>,
    /// Whose lists were kept.
    pub persons: Vec<KnownPerson>,
    /// Contacts and invitations.
    pub records: Vec<Record>,
    /// Where nodes may be reached.
    pub hints: Vec<(NodeId, Vec<String>)>,
    /// What is kept for persons.
    pub kept: Vec<(PersonId, Parcel)>,
}

impl Book {
    /// Opens the book of a node with what the store had.
    pub fn new(node: NodeId, stored: Stored) -> Book {
        let (groups, watched, spoken_with, contacts, invites, nodes, revoked, changes) = Default::default();
        let persons = stored.persons.into_iter().map(|known| (known.id(), known)).collect();
        let hints = stored.hints.into_iter().collect();
        let kept = stored.kept.into_iter().collect();
        let own = stored.own;
        let mut book = Book {
            node,
            own,
            persons,
            groups,
            watched,
            spoken_with,
            contacts,
            invites,
            hints,
            kept,
            nodes,
            revoked,
            changes,
        };
        for record in stored.records {
            match record {
                Record::Contact(contact) => drop(book.contacts.insert(contact.person, contact)),
                Record::Invite(invite) => drop(book.invites.insert(invite.id(), invite)),
            }
        }
        book.index();
        book
    }

    /// Returns the node that keeps the book.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Returns who we are; `None` until the node belongs to somebody.
    pub fn own(&self) -> Option<&KnownPerson> {
        self.own.and_then(|own| self.persons.get(&own))
    }

    /// Becomes a node of the person of this list.
    pub fn adopt(&mut self, list: SignedNodeList) {
        self.own = Some(list.person());
        self.changes.insert(Change::Own);
        self.insert(list);
    }

    /// Whether the list of a person is wanted: it is ours, a contact's or a fellow member's.
    pub fn is_of_interest(&self, person: &PersonId) -> bool {
        self.own == Some(*person) || self.watched.contains(person) || self.is_contact(person)
    }

    /// Whether the list of a person is kept: it is of interest, or the user speaks with them.
    pub fn keeps(&self, person: &PersonId) -> bool {
        self.is_of_interest(person) || self.spoken_with.contains(person)
    }

    /// Takes in a list, from whomever, of a person whose list is kept; returns whether it says anything new.
    pub fn learn(&mut self, list: &SignedNodeList) -> bool {
        let person = list.person();
        if !self.keeps(&person) {
            return false;
        }
        match self.persons.get_mut(&person) {
            Some(known) => {
                let news = known.learn(list);
                if news {
                    self.changes.insert(Change::Person(person));
                    self.index();
                }
                news
            }
            None => {
                self.insert(list.clone());
                true
            }
        }
    }

    /// Keeps the lists of fellow members, beside those of contacts: the members of each group. Replaces what was said
    /// before.
    pub fn watch(&mut self, groups: Vec<BTreeSet<PersonId>>) {
        self.watched = groups.iter().flatten().copied().collect();
        self.groups = groups;
    }

    /// Keeps the lists of those with whom the user speaks, too. They count as strangers in everything else. Replaces what was
    /// said before.
    pub fn speak_with(&mut self, persons: BTreeSet<PersonId>) {
        self.spoken_with = persons;
    }

    /// Returns those whose lists are kept because the user speaks with them.
    pub fn spoken_with(&self) -> impl Iterator<Item = PersonId> + '_ {
        self.spoken_with.iter().copied()
    }

    /// Whether somebody hears of another person what we know. Our own nodes and contacts do; a fellow member hears of
    /// those who are in a group with both of us, and so learns nothing of whom else we know.
    pub fn tells(&self, listener: &PersonId, about: &PersonId) -> bool {
        self.own == Some(*listener)
            || self.is_contact(listener)
            || self.own == Some(*about)
            || listener == about
            || self.groups.iter().any(|group| group.contains(listener) && group.contains(about))
    }

    /// Returns what is known of a person.
    pub fn person(&self, person: &PersonId) -> Option<&KnownPerson> {
        self.persons.get(person)
    }

    /// Returns everybody whose list is known.
    pub fn persons(&self) -> impl Iterator<Item = &KnownPerson> {
        self.persons.values()
    }

    /// Returns whose node this is, by the newest list.
    pub fn person_of(&self, node: &NodeId) -> Option<PersonId> {
        self.nodes.get(node).copied()
    }

    /// Whether somebody's list revoked the node.
    pub fn is_revoked(&self, node: &NodeId) -> bool {
        self.revoked.contains(node)
    }

    /// Whether this node itself was revoked: nobody speaks to it any more.
    pub fn is_out(&self) -> bool {
        self.own().is_some_and(|own| own.is_revoked(&self.node))
    }

    /// Whether anything may be exchanged with a node: it is not revoked, nor its person blocked, nor are we out.
    pub fn admits(&self, node: &NodeId) -> bool {
        !self.is_out() && !self.is_revoked(node) && !self.person_of(node).is_some_and(|person| self.blocks(&person))
    }

    /// Whether a node that was revoked is told so: the person that did it is of interest, and not blocked.
    pub fn tells_revoked(&self, node: &NodeId) -> bool {
        let by = |known: &&KnownPerson| known.is_revoked(node);
        let is_told = |known: &KnownPerson| self.is_of_interest(&known.id()) && !self.blocks(&known.id());
        !self.is_out() && self.is_revoked(node) && self.persons.values().find(by).is_some_and(is_told)
    }

    fn blocks(&self, person: &PersonId) -> bool {
        self.contacts.get(person).is_some_and(|contact| contact.blocked)
    }

    /// Whether a person is our contact: not blocked, not removed.
    pub fn is_contact(&self, person: &PersonId) -> bool {
        self.contacts.get(person).is_some_and(Contact::is_live)
    }

    /// Returns one contact, also one that is blocked or was removed.
    pub fn contact(&self, person: &PersonId) -> Option<&Contact> {
        self.contacts.get(person)
    }

    /// Returns those that are contacts, or blocked.
    pub fn contacts(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.values().filter(|contact| contact.relation != Relation::None || contact.blocked)
    }

    /// Returns how a person is called here: our name for it, or the one that it shows, or the beginning of its id.
    pub fn name_of(&self, person: &PersonId) -> String {
        let petname = self.contacts.get(person).and_then(|contact| contact.petname.as_ref());
        let shown = || self.persons.get(person).map(|known| known.newest().list().name.to_string());
        let linked = || {
            let link = self.contacts.get(person)?.link.as_ref()?.parse::<ContactLink>().ok()?;
            link.name.map(|name| name.to_string())
        };
        petname
            .map(Name::to_string)
            .or_else(shown)
            .or_else(linked)
            .unwrap_or_else(|| person.to_string()[..8].to_owned())
    }

    /// Finds the contact that is meant: by the name here, else by the id or its beginning ([`begins`]). `Err`: those
    /// that it could be, if there are several.
    pub fn find(&self, meant: &str) -> Result<PersonId, Vec<PersonId>> {
        if let Ok(person) = meant.parse() {
            return if self.contacts.contains_key(&person) { Ok(person) } else { Err(Vec::new()) };
        }
        let named = |contact: &&Contact| self.name_of(&contact.person).eq_ignore_ascii_case(meant);
        let mut found: Vec<_> = self.contacts().filter(named).map(|contact| contact.person).collect();
        if found.is_empty() {
            let persons = self.contacts().map(|contact| contact.person);
            found = persons.filter(|person| begins(&person.to_string(), meant)).collect();
        }
        match found[..] {
            [one] => Ok(one),
            _ => Err(found),
        }
    }

    /// Takes a link: the person becomes a contact as soon as one of its nodes answers. `now`: Unix time in milliseconds.
    pub fn ask(&mut self, link: &ContactLink, petname: Option<Name>, now: u64) -> Result<(), BookError> {
        if self.own == Some(link.person) {
            return Err(BookError::Self_);
        }
        if let Some(name) = &petname {
            self.check_name(name, &link.person)?;
        }
        for node in &link.nodes {
            self.learn_hints(node.node, &node.hints);
        }
        self.change(link.person, now, |contact| {
            contact.blocked = false;
            contact.petname = petname.or(contact.petname.take());
            if contact.relation != Relation::Mutual {
                contact.relation = Relation::Asked;
                contact.link = Some(link.to_string());
            }
        })
    }

    /// Makes a person a contact that knows it: it took our invitation, or answered ours.
    pub fn accept(&mut self, person: PersonId, now: u64) -> Result<(), BookError> {
        if self.contacts.get(&person).is_some_and(|contact| contact.relation == Relation::Mutual) {
            return Ok(());
        }
        self.change(person, now, |contact| {
            contact.relation = Relation::Mutual;
            contact.link = None;
        })
    }

    /// Gives a contact a name.
    pub fn rename(&mut self, person: PersonId, petname: Option<Name>, now: u64) -> Result<(), BookError> {
        if let Some(name) = &petname {
            self.check_name(name, &person)?;
        }
        self.change_known(person, now, |contact| contact.petname = petname)
    }

    /// Says whether the verification words were compared.
    pub fn verify(&mut self, person: PersonId, verified: bool, now: u64) -> Result<(), BookError> {
        self.change_known(person, now, |contact| contact.verified = verified)
    }

    /// Refuses everything of a person, known or not, or lets it in again.
    pub fn block(&mut self, person: PersonId, blocked: bool, now: u64) -> Result<(), BookError> {
        if self.own == Some(person) {
            return Err(BookError::Yourself);
        }
        self.change(person, now, |contact| contact.blocked = blocked)
    }

    /// Forgets a contact. One that was blocked stays blocked.
    pub fn remove(&mut self, person: PersonId, now: u64) -> Result<(), BookError> {
        if self.kept.remove(&person).is_some() {
            self.changes.insert(Change::Kept(person));
        }
        self.change_known(person, now, |contact| {
            contact.relation = Relation::None;
            contact.petname = None;
            contact.link = None;
            contact.verified = false;
        })
    }

    /// Notes an invitation that is given out. `now`: Unix time in milliseconds.
    pub fn invite(
        &mut self,
        secret: Secret,
        standing: bool,
        expires: Option<u64>,
        now: u64,
    ) -> Result<InviteId, BookError> {
        if self.invites.len() >= MAX_INVITES {
            let done = self.invites.values().filter(|invite| !invite.is_open(now / 1000));
            let oldest = done.min_by_key(|invite| invite.created).map(Invite::id).ok_or(BookError::InvitesFull)?;
            self.invites.remove(&oldest);
            self.changes.insert(Change::Invite(oldest));
        }
        let state = InviteState::Open;
        let invite = Invite { secret, standing, state, uses: 0, created: now / 1000, expires, changed: now };
        let id = invite.id();
        self.invites.insert(id, invite);
        self.changes.insert(Change::Invite(id));
        Ok(id)
    }

    /// Returns the invitations, the newest last.
    pub fn invites(&self) -> Vec<&Invite> {
        let mut invites: Vec<_> = self.invites.values().collect();
        invites.sort_by_key(|invite| invite.created);
        invites
    }

    /// Returns one invitation.
    pub fn invite_of(&self, id: &InviteId) -> Option<&Invite> {
        self.invites.get(id)
    }

    /// Takes an invitation back; returns whether it was there.
    pub fn revoke_invite(&mut self, id: InviteId, now: u64) -> bool {
        let Some(invite) = self.invites.get_mut(&id) else { return false };
        invite.state = InviteState::Revoked;
        invite.changed = now.max(invite.changed + 1);
        self.changes.insert(Change::Invite(id));
        true
    }

    /// Whether a secret would let somebody become a contact. `now`: Unix time in milliseconds.
    pub fn is_good(&self, secret: &Secret, now: u64) -> bool {
        let invite = self.invites.get(&secret.invite());
        // The name is a hash of the secret: whoever has one that leads here has the secret, but compare it all the same.
        invite.is_some_and(|invite| invite.secret == *secret && invite.is_open(now / 1000))
    }

    /// Lets somebody who shows a secret become a contact; returns whether the secret is good. `now`: Unix time in
    /// milliseconds.
    pub fn redeem(&mut self, secret: &Secret, person: PersonId, now: u64) -> bool {
        if !self.is_good(secret, now) {
            return false;
        }
        let Some(invite) = self.invites.get_mut(&secret.invite()) else { return false };
        let id = invite.id();
        if !invite.standing {
            invite.state = InviteState::Used;
        }
        invite.uses = invite.uses.saturating_add(1);
        invite.changed = now.max(invite.changed + 1);
        self.changes.insert(Change::Invite(id));
        self.accept(person, now).is_ok()
    }

    /// Takes in a record of another node of ours; returns whether it says anything new.
    pub fn merge(&mut self, record: Record) -> bool {
        match record {
            Record::Contact(contact) => {
                let person = contact.person;
                let known = self.contacts.get(&person).cloned().map(Record::Contact);
                let full = known.is_none() && self.contacts.len() >= MAX_CONTACTS;
                let record = Record::Contact(contact.clone());
                if full || self.own == Some(person) || known.is_some_and(|known| !record.is_newer_than(&known)) {
                    return false;
                }
                self.contacts.insert(person, contact);
                self.changes.insert(Change::Contact(person));
            }
            Record::Invite(invite) => {
                let id = invite.id();
                let known = self.invites.get(&id).cloned().map(Record::Invite);
                let full = known.is_none() && self.invites.len() >= MAX_INVITES;
                let record = Record::Invite(invite.clone());
                if full || known.is_some_and(|known| !record.is_newer_than(&known)) {
                    return false;
                }
                self.invites.insert(id, invite);
                self.changes.insert(Change::Invite(id));
            }
        }
        true
    }

    /// Returns every record, for another node of ours.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let contacts = self.contacts.values().cloned().map(Record::Contact);
        contacts.chain(self.invites.values().cloned().map(Record::Invite))
    }

    /// Returns where a node may be reached, as it told last.
    pub fn hints(&self, node: &NodeId) -> &[String] {
        self.hints.get(node).map_or(&[], Vec::as_slice)
    }

    /// Returns where all nodes may be reached.
    pub fn places(&self) -> impl Iterator<Item = (NodeId, &[String])> {
        self.hints.iter().map(|(node, hints)| (*node, hints.as_slice()))
    }

    /// Remembers where a node may be reached: the first [`MAX_HINTS`] that can be hints.
    pub fn learn_hints(&mut self, node: NodeId, hints: &[String]) {
        let hints: Vec<_> = hints.iter().filter(|hint| is_hint(hint)).take(MAX_HINTS).cloned().collect();
        let room = self.hints.len() < MAX_HINTED || self.hints.contains_key(&node);
        if hints.is_empty() || !room || self.hints(&node) == hints {
            return;
        }
        self.hints.insert(node, hints);
        self.changes.insert(Change::Hints(node));
    }

    /// Returns the parcel of a person: what is kept for a contact, or our own.
    pub fn kept(&self, person: &PersonId) -> Option<&Parcel> {
        self.kept.get(person)
    }

    /// Keeps a parcel of a contact, or of our own person, unless a later one is here; returns whether it does.
    pub fn keep(&mut self, person: PersonId, parcel: Parcel) -> bool {
        let wanted = self.own == Some(person) || self.is_contact(&person);
        let others = self.kept.iter().filter(|(other, _)| **other != person);
        let bytes: usize = others.map(|(_, kept)| kept.sealed.len()).sum();
        let fits = parcel.sealed.len() <= MAX_PARCEL_BYTES && bytes + parcel.sealed.len() <= MAX_KEPT_BYTES;
        if !wanted || !fits || self.kept(&person).is_some_and(|kept| kept.stamp >= parcel.stamp) {
            return false;
        }
        self.kept.insert(person, parcel);
        self.changes.insert(Change::Kept(person));
        true
    }

    /// Returns what changed, and forgets that it did.
    pub fn take_changes(&mut self) -> BTreeSet<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Notes again that these changed: the driver could not store them.
    pub fn put_back(&mut self, changes: BTreeSet<Change>) {
        self.changes.extend(changes);
    }

    fn insert(&mut self, list: SignedNodeList) {
        let person = list.person();
        match self.persons.get_mut(&person) {
            Some(known) => drop(known.learn(&list)),
            None => drop(self.persons.insert(person, KnownPerson::new(list))),
        }
        self.changes.insert(Change::Person(person));
        self.index();
    }

    fn check_name(&self, name: &Name, person: &PersonId) -> Result<(), BookError> {
        let mut others = self.contacts().filter(|contact| contact.person != *person);
        let taken = others.any(|contact| self.name_of(&contact.person).eq_ignore_ascii_case(name.as_str()));
        if taken { Err(BookError::NameTaken) } else { Ok(()) }
    }

    fn change_known(&mut self, person: PersonId, now: u64, change: impl FnOnce(&mut Contact)) -> Result<(), BookError> {
        if !self.contacts.contains_key(&person) {
            return Err(BookError::Unknown);
        }
        self.change(person, now, change)
    }

    fn change(&mut self, person: PersonId, now: u64, change: impl FnOnce(&mut Contact)) -> Result<(), BookError> {
        if !self.contacts.contains_key(&person) && self.contacts.len() >= MAX_CONTACTS {
            return Err(BookError::ContactsFull);
        }
        let contact = self.contacts.entry(person).or_insert_with(|| Contact {
            person,
            petname: None,
            relation: Relation::None,
            verified: false,
            blocked: false,
            link: None,
            added: now / 1000,
            changed: 0,
        });
        change(contact);
        // A clock that was set back must not make a change older than the one before.
        contact.changed = now.max(contact.changed + 1);
        self.changes.insert(Change::Contact(person));
        Ok(())
    }

    fn index(&mut self) {
        self.nodes =
            self.persons.values().flat_map(|known| known.nodes().map(|(node, _)| (*node, known.id()))).collect();
        self.revoked = self.persons.values().flat_map(|known| known.revoked().iter().copied()).collect();
    }
}
