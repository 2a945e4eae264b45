//! Wiring: what sharing needs to know, answered by the book of people and the groups, and its services on the overlay.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base::{GroupId, NodeId, PersonId};
use overlay::Overlay;
use people::proto::group::Standing;
use sharing::Circle;
use torrent::Session;

use super::post::{Overland, serve};
use super::{Parts, Sharing};
use crate::groups::Groups;
use crate::people::{Circles as _, People};

/// Nodes that others said the whereabouts of, at most. Arbitrary; one that finds no room is looked up.
const MAX_TOLD: usize = 4096;

/// The people and groups of this node.
struct Known {
    people: People,
    groups: Groups,
    /// Where nodes are, as those said who share something with us.
    told: Mutex<BTreeMap<NodeId, Vec<String>>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("people", &self.people).finish_non_exhaustive()
    }
}

impl Circle for Known {
    fn own_node(&self) -> NodeId {
        self.people.key().id()
    }

    fn person(&self, name: &str) -> Result<PersonId, String> {
        let book = self.people.book();
        let contact = |person: &PersonId| book.is_contact(person);
        match book.find(name) {
            Ok(person) if contact(&person) => Ok(person),
            Ok(_) => Err(format!("{name} is blocked or removed: `compeer contact list` shows your contacts")),
            Err(several) if several.is_empty() => Err(format!(
                "you have no contact {name:?}: `compeer contact list` shows them, `contact add LINK` adds one"
            )),
            Err(several) => {
                let ids: Vec<String> = several.iter().map(|id| id.to_string()[..8].to_owned()).collect();
                Err(format!("{name:?} means several contacts: write one of {}", ids.join(", ")))
            }
        }
    }

    fn group(&self, name: &str) -> Result<GroupId, String> {
        let group = self.groups.find(name)?;
        if self.groups.view(group).is_some_and(|view| view.standing == Standing::Expelled) {
            return Err(format!("you were expelled from {name}: nobody there can be told of it"));
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
        let nodes = book.person(&person).into_iter().flat_map(|known| known.nodes().map(|(node, _)| *node));
        let admitted: Vec<NodeId> = nodes.filter(|node| book.admits(node)).collect();
        admitted
    }

    fn members(&self, group: GroupId) -> Vec<PersonId> {
        let members = self.groups.members(group);
        // Who was expelled may still hold the old roster, and has nobody to share with.
        if members.contains(&self.groups.person()) { members.into_iter().collect() } else { Vec::new() }
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
        if !book.is_empty() {
            return book;
        }
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(&node).cloned().unwrap_or_default()
    }

    fn learn_hints(&self, node: NodeId, hints: &[String]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MAX_TOLD || told.contains_key(&node) {
            told.insert(node, hints.to_vec());
        }
    }

    fn is_refused(&self, node: NodeId) -> bool {
        !self.people.book().admits(&node)
    }
}

impl Known {
    fn is_own(&self, person: PersonId) -> bool {
        self.people.book().own().is_some_and(|own| own.id() == person)
    }
}

/// Starts sharing with people, and its services on the overlay.
pub(crate) async fn begin(
    people: &People,
    groups: &Groups,
    overlay: &Overlay,
    session: &Session,
    database: db::Db,
    downloads: PathBuf,
) -> Result<Sharing, db::DbError> {
    let circle = Arc::new(Known { people: people.clone(), groups: groups.clone(), told: Mutex::default() });
    session.set_overland(Arc::new(Overland { overlay: overlay.clone(), circle: circle.clone() }));
    let post = Arc::new(overlay.clone());
    let sharing = Sharing::start(Parts { session: session.clone(), database, circle, post, downloads }).await?;
    serve(overlay, session, &sharing);
    tokio::spawn(follow(people.changes(), Arc::downgrade(&sharing.0)));
    tokio::spawn(follow(groups.changes(), Arc::downgrade(&sharing.0)));
    Ok(sharing)
}

/// Tells sharing of each change of the people or the groups, until the last handle is gone.
async fn follow<T>(mut changes: tokio::sync::watch::Receiver<T>, sharing: std::sync::Weak<super::Inner>) {
    while changes.changed().await.is_ok() {
        let Some(sharing) = sharing.upgrade().map(Sharing) else { return };
        sharing.people_changed();
    }
}
