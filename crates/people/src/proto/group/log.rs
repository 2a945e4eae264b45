//! All changes of a group that a node knows, as a graph: what each author knew, and in which order all count.
//!
//! **Invariant:** a change is here only with everything that it names, so that every change's past is complete. Places
//! in the log are by arrival and mean nothing outside; what has to be the same everywhere uses [`Log::order`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{GroupId, PersonId};

use super::change::{Action, Change, ChangeError, ChangeId, Invitee, id_of};

/// How many changes a group can have. A group of 256 that changes every day lives for a dozen years. Arbitrary; the
/// pasts of that many take 8 MB.
pub const MAX_CHANGES: usize = 8192;

/// How many changes one person can write into a group: a sixteenth, so that it takes many to fill it. Arbitrary.
pub const MAX_CHANGES_OF_ONE: usize = MAX_CHANGES / 16;

/// A set of places in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<u64>);

impl Places {
    /// Returns all places below `count`.
    pub fn all(count: usize) -> Places {
        let mut places = Places::default();
        (0..count).for_each(|place| places.add(place));
        places
    }

    /// Whether a place is in the set.
    pub fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// Adds a place.
    pub fn add(&mut self, place: usize) {
        if self.0.len() <= place / 64 {
            self.0.resize(place / 64 + 1, 0);
        }
        self.0[place / 64] |= 1 << (place % 64);
    }

    /// Adds all places of another set.
    pub fn join(&mut self, other: &Places) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// Keeps the places that are in both.
    pub fn meet(&mut self, other: &Places) {
        self.0.truncate(other.0.len());
        for (word, also) in self.0.iter_mut().zip(&other.0) {
            *word &= also;
        }
    }

    /// Returns the places, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0
            .iter()
            .enumerate()
            .flat_map(|(at, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * 64 + bit))
    }
}

/// A change in its place.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub id: ChangeId,
    /// What it is.
    pub change: Change,
    /// Its bytes, as they travel.
    pub bytes: Arc<[u8]>,
    /// One more than the greatest of its predecessors.
    pub generation: u32,
    /// Everything that its author knew: its predecessors, theirs, and so on. Not the change itself.
    pub past: Places,
    /// Of an admission by a link: whether who came in had the link's secret. Verified once, since rosters are computed often.
    pub proven: bool,
}

/// What became of bytes that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Insert {
    /// The change is new, in this place.
    New(usize),
    /// It was here.
    Known,
    /// It names changes that are not here: these.
    Missing(Vec<ChangeId>),
    /// It cannot be a change of this group. Whoever sent it is to blame.
    Refused(ChangeError),
    /// It belongs to another group.
    Foreign,
    /// There is no room, of this author or at all.
    Full,
}

/// The changes of one group.
#[derive(Clone, Debug)]
pub struct Log {
    group: GroupId,
    entries: Vec<Entry>,
    places: BTreeMap<ChangeId, usize>,
    heads: BTreeSet<usize>,
    of_author: BTreeMap<PersonId, Vec<usize>>,
    /// Who was let in where, rightly or not.
    admissions: BTreeMap<PersonId, Vec<usize>>,
    /// Places by (generation, name).
    order: BTreeMap<(u32, ChangeId), usize>,
}

impl Log {
    /// Begins without any change.
    pub fn new(group: GroupId) -> Log {
        Log {
            group,
            entries: Vec::new(),
            places: BTreeMap::new(),
            heads: BTreeSet::new(),
            of_author: BTreeMap::new(),
            admissions: BTreeMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// Returns the group.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// Returns how many changes there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the change in a place.
    pub fn at(&self, place: usize) -> &Entry {
        &self.entries[place]
    }

    /// Returns the place of a change.
    pub fn place(&self, id: &ChangeId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// Returns all changes, by arrival.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Returns the places in the order in which changes count: by generation, then by name. Whatever a change knew is
    /// before it, and the order is the same wherever the same changes are.
    pub fn order(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.order.values().copied()
    }

    /// Returns the places of what one person wrote, by arrival.
    pub fn by(&self, author: &PersonId) -> &[usize] {
        self.of_author.get(author).map_or(&[], Vec::as_slice)
    }

    /// Returns the changes that no other names.
    pub fn heads(&self) -> impl ExactSizeIterator<Item = ChangeId> + '_ {
        self.heads.iter().map(|place| self.entries[*place].id)
    }

    /// Whether `before` is in the past of `after`.
    pub fn knew(&self, after: usize, before: usize) -> bool {
        self.entries[after].past.has(before)
    }

    /// Whether neither of two changes knew the other.
    pub fn concurrent(&self, one: usize, other: usize) -> bool {
        one != other && !self.knew(one, other) && !self.knew(other, one)
    }

    /// Takes in the bytes of a change.
    pub fn insert(&mut self, bytes: &[u8]) -> Insert {
        // What is known need not be verified again: the name covers all bytes.
        if self.places.contains_key(&id_of(bytes)) {
            return Insert::Known;
        }
        match Change::decode(bytes) {
            Ok((id, change)) => self.insert_verified(id, change, bytes),
            Err(error) => Insert::Refused(error),
        }
    }

    /// Takes in a change that [`Change::decode`] returned for these bytes.
    pub fn insert_verified(&mut self, id: ChangeId, change: Change, bytes: &[u8]) -> Insert {
        if self.places.contains_key(&id) {
            return Insert::Known;
        }
        // The first change names the group by its own hash: no other first change has this name.
        if change.group != self.group {
            return Insert::Foreign;
        }
        let missing: Vec<ChangeId> =
            change.predecessors.iter().filter(|id| !self.places.contains_key(id)).copied().collect();
        if !missing.is_empty() {
            return Insert::Missing(missing);
        }
        if self.entries.len() >= MAX_CHANGES || self.by(&change.author).len() >= MAX_CHANGES_OF_ONE {
            return Insert::Full;
        }
        let place = self.entries.len();
        let (mut past, mut generation) = (Places::default(), 0);
        for before in change.predecessors.iter().map(|id| self.places[id]) {
            past.join(&self.entries[before].past);
            past.add(before);
            generation = generation.max(self.entries[before].generation + 1);
        }
        // Whom nobody let in writes nothing here: a function of the change and its past, so the same wherever it comes.
        let let_in = match &change.action {
            Action::Create { .. } => Some(change.author),
            Action::Admit { request } => Some(request.person),
            _ => None,
        };
        let is_in = |author: &PersonId| {
            self.admissions.get(author).is_some_and(|places| places.iter().any(|place| past.has(*place)))
        };
        if !matches!(change.action, Action::Create { .. }) && !is_in(&change.author) {
            return Insert::Refused(ChangeError::Stranger);
        }
        let proven = self.is_proven(&change);
        for before in change.predecessors.iter().map(|id| self.places[id]) {
            self.heads.remove(&before);
        }
        if let Some(person) = let_in {
            self.admissions.entry(person).or_default().push(place);
        }
        self.heads.insert(place);
        self.places.insert(id, place);
        self.of_author.entry(change.author).or_default().push(place);
        self.order.insert((generation, id), place);
        self.entries.push(Entry { id, change, bytes: bytes.into(), generation, past, proven });
        Insert::New(place)
    }

    /// Whether an admission proves that it is by the link that it names. A link that it did not know lets nobody in.
    fn is_proven(&self, change: &Change) -> bool {
        let Action::Admit { request } = &change.action else { return false };
        let invitation = request.invitation.and_then(|id| self.place(&id)).map(|place| &self.at(place).change.action);
        match invitation {
            Some(Action::Invite { to: Invitee::Link(key), .. }) => request.proves(self.group, key),
            _ => false,
        }
    }

    /// Returns the changes that are known to whoever knows `ids`: those of them that are here, and their pasts.
    pub fn closure<'a>(&self, ids: impl IntoIterator<Item = &'a ChangeId>) -> Places {
        let mut known = Places::default();
        for place in ids.into_iter().filter_map(|id| self.places.get(id)) {
            known.join(&self.entries[*place].past);
            known.add(*place);
        }
        known
    }

    /// Whether a change took part of its author's power or membership away from somebody else: an expulsion, or a
    /// demotion.
    pub fn deposes(&self, place: usize) -> Option<PersonId> {
        let change = &self.entries[place].change;
        match &change.action {
            Action::Remove { person } if *person != change.author => Some(*person),
            Action::Role { person, role: super::change::Role::Member } if *person != change.author => Some(*person),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_places_join_and_meet() {
        let mut some = Places::default();
        [3, 64, 200].into_iter().for_each(|place| some.add(place));
        assert_eq!(some.iter().collect::<Vec<_>>(), [3, 64, 200]);
        let mut both = some.clone();
        both.meet(&Places::all(100));
        assert_eq!(both.iter().collect::<Vec<_>>(), [3, 64]);
        both.join(&some);
        assert_eq!(both, some);
        assert!(some.has(200) && !some.has(201) && !some.has(100_000));
    }
}
