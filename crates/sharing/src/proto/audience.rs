//! Whom something is for.

use std::collections::BTreeSet;

use base::{GroupId, PersonId};

/// Persons and groups that one share may name at most. Arbitrary: a line in a database.
pub const MAX_MEMBERS: usize = 256;

/// Persons and groups. Who is in a group is asked anew each time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// Persons.
    pub persons: BTreeSet<PersonId>,
    /// Groups.
    pub groups: BTreeSet<GroupId>,
}

impl Audience {
    /// Whether it names nobody.
    pub fn is_empty(&self) -> bool {
        self.persons.is_empty() && self.groups.is_empty()
    }

    /// Returns how many persons and groups it names.
    pub fn len(&self) -> usize {
        self.persons.len() + self.groups.len()
    }

    /// Writes it down, a word each: `person:ID`, `group:ID`.
    pub fn to_text(&self) -> String {
        let persons = self.persons.iter().map(|id| format!("person:{id}"));
        persons.chain(self.groups.iter().map(|id| format!("group:{id}"))).collect::<Vec<_>>().join(" ")
    }

    /// Reads what [`Audience::to_text`] wrote; `None` when a word is none of its.
    pub fn from_text(text: &str) -> Option<Audience> {
        let mut audience = Audience::default();
        for word in text.split_whitespace().take(MAX_MEMBERS) {
            match word.split_once(':')? {
                ("person", id) => drop(audience.persons.insert(id.parse().ok()?)),
                ("group", id) => drop(audience.groups.insert(id.parse().ok()?)),
                _ => return None,
            }
        }
        Some(audience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_reads_back() {
        let mut audience = Audience::default();
        assert_eq!(Audience::from_text(&audience.to_text()), Some(audience.clone()));
        audience.persons.extend([PersonId([1; 32]), PersonId([2; 32])]);
        audience.groups.insert(GroupId([3; 32]));
        assert_eq!(Audience::from_text(&audience.to_text()), Some(audience));
        assert_eq!(Audience::from_text("person:nobody"), None);
        assert_eq!(Audience::from_text("everybody"), None, "what is not understood never widens an audience");
    }
}
