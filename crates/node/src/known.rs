//! Who is known here: the book of people and the groups, as sharing and chat ask about them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{GroupId, NodeId, PersonId};
use chat::proto::{Acquaintance, Fellowship, Known};
use overlay::Overlay;
use people::proto::group::{Roster, Standing};
use people::proto::{Book, ShownList, SignedNodeList};

use crate::groups::Groups;
use crate::people::{Circles as _, People};

/// Nodes that others said the whereabouts of, at most. Arbitrary; one that finds no room is looked up.
const MAX_TOLD: usize = 4096;

/// Strangers whose lists are in memory, at most. Arbitrary: as many as may have asked the user something.
const MAX_STRANGERS: usize = 64;

/// The people and groups of this node.
pub(crate) struct KnownPeople {
    people: People,
    groups: Groups,
    /// Where nodes are, as those said who have something to do with us both.
    told: Mutex<BTreeMap<NodeId, Vec<String>>>,
    /// Who showed whose nodes they have, and is neither a contact nor a fellow member. At most [`MAX_STRANGERS`].
    strangers: Mutex<BTreeMap<PersonId, SignedNodeList>>,
}

impl fmt::Debug for KnownPeople {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownPeople").field("people", &self.people).finish_non_exhaustive()
    }
}

impl KnownPeople {
    pub(crate) fn new(people: &People, groups: &Groups) -> KnownPeople {
        let (told, strangers) = Default::default();
        KnownPeople { people: people.clone(), groups: groups.clone(), told, strangers }
    }

    fn own_node(&self) -> NodeId {
        self.people.key().id()
    }

    fn is_own(&self, person: PersonId) -> bool {
        self.people.book().own().is_some_and(|own| own.id() == person)
    }

    fn contact(&self, name: &str) -> Result<PersonId, String> {
        let book = self.people.book();
        let contact = |person: &PersonId| book.is_contact(person);
        match book.find(name) {
            Ok(person) if contact(&person) => Ok(person),
            Ok(_) => Err(format!(
                "{name} is blocked or removed: unblock or add them first (`compeer contact list` and the page show \
                 your contacts)"
            )),
            Err(several) if several.is_empty() => Err(format!(
                "you have no contact {name:?}: `compeer contact list` and the page show yours, an invitation makes \
                 one more"
            )),
            Err(several) => Err(ambiguous(name, "contacts", &several)),
        }
    }

    /// Finds a fellow member, or somebody else with whom the user speaks, by what they call themselves, or by id.
    fn fellow(&self, name: &str) -> Option<Result<PersonId, String>> {
        let mut fellows: BTreeSet<PersonId> = self
            .rosters()
            .into_iter()
            .flat_map(|(_, roster)| roster.members.keys().copied().collect::<Vec<_>>())
            .collect();
        let book = self.people.book();
        fellows.extend(book.spoken_with());
        if let Ok(person) = name.parse() {
            return (fellows.contains(&person) || book.keeps(&person)).then_some(Ok(person));
        }
        let called = |person: &&PersonId| book.name_of(person).eq_ignore_ascii_case(name);
        let mut found: Vec<PersonId> = fellows.iter().filter(called).copied().collect();
        if found.is_empty() {
            found.extend(fellows.iter().filter(|person| base::id::begins(&person.to_string(), name)));
        }
        match found[..] {
            [] => None,
            [person] => Some(Ok(person)),
            _ => Some(Err(ambiguous(name, "members of groups", &found))),
        }
    }

    fn group(&self, name: &str) -> Result<GroupId, String> {
        let group = self.groups.find(name)?;
        if self.groups.view(group).is_some_and(|view| view.standing == Standing::Expelled) {
            return Err(format!(
                "you were expelled from {name}: nobody there can be told of it; ask for an invitation"
            ));
        }
        Ok(group)
    }

    fn person_name(&self, person: PersonId) -> Option<String> {
        let known =
            self.people.book().is_contact(&person) || self.is_own(person) || !self.groups.groups_of(person).is_empty();
        known.then(|| self.people.book().name_of(&person))
    }

    fn group_name(&self, group: GroupId) -> Option<String> {
        if !self.groups.is_member(group, self.groups.person()) {
            return None;
        }
        self.groups.view(group)?.name.map(|name| name.to_string())
    }

    fn nodes_of(&self, person: PersonId) -> Vec<NodeId> {
        let book = self.people.book();
        // Whoever was a contact once has a list in the book still.
        if !book.is_of_interest(&person) {
            return Vec::new();
        }
        nodes_in(&book, person).collect()
    }

    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        let book = self.people.book();
        book.person_of(&node).filter(|_| book.admits(&node))
    }

    fn hints(&self, node: NodeId) -> Vec<String> {
        if node == self.own_node() {
            let hints = self.people.overlay().map(Overlay::own_hints).unwrap_or_default();
            return hints.iter().map(ToString::to_string).collect();
        }
        let book = self.people.book().hints(&node).to_vec();
        if book.is_empty() { lock(&self.told).get(&node).cloned().unwrap_or_default() } else { book }
    }

    fn learn_hints(&self, node: NodeId, hints: &[String]) {
        let mut told = lock(&self.told);
        if told.len() < MAX_TOLD || told.contains_key(&node) {
            told.insert(node, hints.to_vec());
        }
    }

    /// Returns the groups that the user is a member of.
    fn rosters(&self) -> Vec<(GroupId, std::sync::Arc<Roster>)> {
        let own = self.groups.person();
        let ours = self.groups.list().into_iter().filter_map(|(group, view)| Some((group, view.roster?)));
        ours.filter(|(_, roster)| roster.has(&own)).collect()
    }

    fn known(&self) -> Known {
        let groups: Vec<Fellowship> = self
            .rosters()
            .into_iter()
            .map(|(group, roster)| Fellowship { group, members: roster.members.keys().copied().collect() })
            .collect();
        let strangers: BTreeMap<PersonId, SignedNodeList> = lock(&self.strangers).clone();
        let book = self.people.book();
        let own = book.own().map(|own| own.id());
        let contacts = book.contacts().filter(|contact| contact.is_live()).map(|contact| contact.person);
        let mut persons: BTreeMap<PersonId, bool> = contacts.chain(own).map(|person| (person, true)).collect();
        let fellows = groups.iter().flat_map(|group| group.members.iter().copied());
        for person in fellows.chain(book.spoken_with()).chain(strangers.keys().copied()) {
            persons.entry(person).or_insert(false);
        }
        let nodes = |person: PersonId| -> BTreeSet<NodeId> {
            let mut nodes: BTreeSet<NodeId> = nodes_in(&book, person).collect();
            if let (None, Some(list)) = (book.person(&person), strangers.get(&person)) {
                nodes.extend(list.list().nodes.keys().filter(|node| book.admits(node)));
            }
            nodes
        };
        let people = persons
            .into_iter()
            .map(|(person, is_contact)| Acquaintance { person, nodes: nodes(person), is_contact })
            .collect();
        let blocked = book.contacts().filter(|contact| contact.blocked).map(|contact| contact.person).collect();
        Known { people, groups, blocked }
    }

    /// Takes the signed list that a node showed; see [`chat::Circle::admit`].
    async fn admit(&self, node: NodeId, bytes: &[u8]) -> bool {
        let Some(shown) = ShownList::read(bytes).ok().filter(|list| list.names(&node)) else { return false };
        let person = shown.person();
        {
            let book = self.people.book();
            if !book.admits(&node) || book.contact(&person).is_some_and(|contact| contact.blocked) {
                return false;
            }
            match book.person_of(&node) {
                Some(known) if known != person => return false,
                // Of one who was a contact once it is still here, though nobody speaks with them.
                Some(_) if !book.keeps(&person) => {}
                Some(_) if book.person(&person).is_some_and(|known| known.newest().encode() == bytes) => return true,
                _ => {}
            }
        }
        if self.people.book().keeps(&person) {
            let Ok(list) = shown.verify() else { return false };
            let learnt = self.people.update(|book, _| {
                book.learn(&list);
                book.admits(&node) && book.person_of(&node) == Some(person)
            });
            return learnt.await.unwrap_or(false);
        }
        self.meet(node, shown)
    }

    /// Keeps in memory whose nodes a stranger has.
    fn meet(&self, node: NodeId, shown: ShownList<'_>) -> bool {
        let person = shown.person();
        let mut strangers = lock(&self.strangers);
        if strangers.len() >= MAX_STRANGERS && !strangers.contains_key(&person) {
            return false;
        }
        let newest = strangers.get(&person).map(SignedNodeList::rank);
        // The cheap half first.
        if !shown.proves(&node) {
            return false;
        }
        let Ok(list) = shown.verify() else { return false };
        if newest.is_none_or(|newest| list.rank() > newest) {
            strangers.insert(person, list);
        }
        strangers.get(&person).is_some_and(|list| list.list().nodes.contains_key(&node))
    }

    async fn speak_with(&self, persons: &[PersonId]) {
        let persons: BTreeSet<PersonId> = persons.iter().copied().collect();
        let lists: Vec<SignedNodeList> = {
            let mut strangers = lock(&self.strangers);
            persons.iter().filter_map(|person| strangers.remove(person)).collect()
        };
        let told: Vec<(NodeId, Vec<String>)> = {
            let told = lock(&self.told);
            let nodes = lists.iter().flat_map(|list| list.list().nodes.keys());
            nodes.filter_map(|node| Some((*node, told.get(node)?.clone()))).collect()
        };
        let kept = self.people.update(|book, _| {
            book.speak_with(persons);
            lists.iter().for_each(|list| _ = book.learn(list));
            // From somebody's link: what the node told of itself meanwhile counts more.
            let unheard: Vec<_> = told.iter().filter(|(node, _)| book.hints(node).is_empty()).collect();
            unheard.into_iter().for_each(|(node, hints)| book.learn_hints(*node, hints));
        });
        if let Err(error) = kept.await {
            // The book knows it and tries again.
            tracing::warn!(%error, "where somebody is who wrote to you is not stored yet");
        }
    }
}

/// Returns a person's nodes that anything may be exchanged with.
fn nodes_in(book: &Book, person: PersonId) -> impl Iterator<Item = NodeId> {
    let nodes = book.person(&person).into_iter().flat_map(|known| known.nodes().map(|(node, _)| *node));
    nodes.filter(|node| book.admits(node))
}

fn ambiguous(name: &str, what: &str, several: &[PersonId]) -> String {
    let ids: Vec<String> = several.iter().map(|id| id.to_string()[..8].to_owned()).collect();
    format!("{name:?} means several {what}: write one of {}", ids.join(", "))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between two changes of what they hold.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl sharing::Circle for KnownPeople {
    fn own_node(&self) -> NodeId {
        self.own_node()
    }

    fn person(&self, name: &str) -> Result<PersonId, String> {
        self.contact(name)
    }

    fn group(&self, name: &str) -> Result<GroupId, String> {
        self.group(name)
    }

    fn person_name(&self, person: PersonId) -> Option<String> {
        self.person_name(person)
    }

    fn group_name(&self, group: GroupId) -> Option<String> {
        self.group_name(group)
    }

    fn nodes_of(&self, person: PersonId) -> Vec<NodeId> {
        self.nodes_of(person)
    }

    fn members(&self, group: GroupId) -> Vec<PersonId> {
        let members = self.groups.members(group);
        // Who was expelled may still hold the old roster, and has nobody to share with.
        if members.contains(&self.groups.person()) { members.into_iter().collect() } else { Vec::new() }
    }

    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        self.person_of(node)
    }

    fn hints(&self, node: NodeId) -> Vec<String> {
        self.hints(node)
    }

    fn learn_hints(&self, node: NodeId, hints: &[String]) {
        self.learn_hints(node, hints);
    }

    fn is_refused(&self, node: NodeId) -> bool {
        !self.people.book().admits(&node)
    }
}

impl chat::Circle for KnownPeople {
    fn own_node(&self) -> NodeId {
        self.own_node()
    }

    fn own_person(&self) -> Option<PersonId> {
        self.people.book().own().map(|own| own.id())
    }

    fn person(&self, name: &str) -> Result<PersonId, String> {
        if let Some(own) = chat::Circle::own_person(self)
            && (name == "me" || name.parse() == Ok(own) || self.people.book().name_of(&own).eq_ignore_ascii_case(name))
        {
            return Ok(own);
        }
        let found = self.people.book().find(name);
        match found {
            // Also one that is blocked: what was said is here.
            Ok(person) => Ok(person),
            Err(several) if several.is_empty() => match self.fellow(name) {
                Some(found) => found,
                None => self.contact(name),
            },
            Err(several) => Err(ambiguous(name, "contacts", &several)),
        }
    }

    fn group(&self, name: &str) -> Result<GroupId, String> {
        self.group(name)
    }

    fn person_name(&self, person: PersonId) -> Option<String> {
        let book = self.people.book();
        let is_known = book.keeps(&person) || book.contact(&person).is_some();
        is_known.then(|| book.name_of(&person))
    }

    fn group_name(&self, group: GroupId) -> Option<String> {
        self.group_name(group)
    }

    fn known(&self) -> Known {
        self.known()
    }

    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        let book = self.people.book();
        book.person_of(&node).filter(|person| book.admits(&node) && book.keeps(person))
    }

    fn nodes_of(&self, person: PersonId) -> Vec<NodeId> {
        self.nodes_of(person)
    }

    fn hints(&self, node: NodeId) -> Vec<String> {
        self.hints(node)
    }

    fn learn_hints(&self, node: NodeId, hints: &[String]) {
        self.learn_hints(node, hints);
    }

    fn node(&self, person: PersonId, name: &str) -> Option<NodeId> {
        let book = self.people.book();
        let node = book.person(&person)?.newest().list().find(name)?;
        book.admits(&node).then_some(node)
    }

    fn own_list(&self) -> Option<Vec<u8>> {
        self.people.book().own().map(|own| own.newest().encode())
    }

    fn admit<'a>(&'a self, node: NodeId, list: &'a [u8]) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(self.admit(node, list))
    }

    fn speak_with<'a>(&'a self, persons: &'a [PersonId]) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.speak_with(persons))
    }
}
