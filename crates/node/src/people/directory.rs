//! What the overlay and the gate ask about nodes and persons, answered by the book.

use base::{GroupId, NodeId, PersonId};
use overlay::{Directory, Hint};

use super::{People, exchange};

impl net::Acquaintances for People {
    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        self.book().person_of(&node)
    }

    fn is_contact(&self, person: PersonId) -> bool {
        let book = self.book();
        book.is_contact(&person) || book.own().is_some_and(|own| own.id() == person)
    }

    fn is_member(&self, person: PersonId, group: GroupId) -> bool {
        self.groups_with(person).contains(&group)
    }

    fn is_fellow(&self, person: PersonId) -> bool {
        !self.groups_with(person).is_empty()
    }
}

impl Directory for People {
    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        self.book().person_of(&node)
    }

    fn groups_of(&self, node: NodeId) -> Vec<GroupId> {
        let person = self.book().person_of(&node);
        person.map(|person| self.groups_with(person)).unwrap_or_default()
    }

    fn hints(&self, node: NodeId) -> Vec<Hint> {
        self.book().hints(&node).iter().filter_map(|hint| hint.parse().ok()).collect()
    }

    fn admits(&self, node: NodeId, service: &str) -> bool {
        let book = self.book();
        // A node that was revoked is told so, and hears nothing else.
        book.admits(&node) || service == exchange::SERVICE && book.tells_revoked(&node)
    }

    fn was_refused(&self, node: NodeId, service: &str) {
        if service != exchange::SERVICE {
            self.ask_why(node);
        }
    }
}

impl People {
    pub(super) fn groups_with(&self, person: PersonId) -> Vec<GroupId> {
        self.0.circles.get().map(|circles| circles.groups_of(person)).unwrap_or_default()
    }
}
