//! Whom a list names, as text: `192.0.2.7`, `192.0.2.0/24`, `node:…`, `person:…`, `group:…`.

use std::fmt;
use std::str::FromStr;

use base::{GroupId, NodeId, PersonId};

use super::{AddressRange, Rules};

/// One entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An address, or a range of them.
    Addresses(AddressRange),
    /// A node.
    Node(NodeId),
    /// A person, on whatever node.
    Person(PersonId),
    /// The members of a group.
    Group(GroupId),
}

/// Why a text names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address, a range such as 192.0.2.0/24, nor node:ID, person:ID or group:ID")]
pub struct ParseTargetError(String);

impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Target, ParseTargetError> {
        let parse = || match text.split_once(':') {
            Some(("node", id)) => id.parse().ok().map(Target::Node),
            Some(("person", id)) => id.parse().ok().map(Target::Person),
            Some(("group", id)) => id.parse().ok().map(Target::Group),
            _ => text.parse().ok().map(Target::Addresses),
        };
        parse().ok_or_else(|| ParseTargetError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Addresses(range) => write!(f, "{range}"),
            Target::Node(id) => write!(f, "node:{id}"),
            Target::Person(id) => write!(f, "person:{id}"),
            Target::Group(id) => write!(f, "group:{id}"),
        }
    }
}

impl Extend<Target> for Rules {
    fn extend<T: IntoIterator<Item = Target>>(&mut self, targets: T) {
        for target in targets {
            match target {
                Target::Addresses(range) => self.addresses.push(range),
                Target::Node(id) => drop(self.nodes.insert(id)),
                Target::Person(id) => drop(self.persons.insert(id)),
                Target::Group(id) => drop(self.groups.insert(id)),
            }
        }
    }
}

impl FromIterator<Target> for Rules {
    fn from_iter<T: IntoIterator<Item = Target>>(targets: T) -> Rules {
        let mut rules = Rules::default();
        rules.extend(targets);
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_list_names_reads_back() {
        let id = "y".repeat(52);
        for text in ["192.0.2.7".to_owned(), "2001:db8::/32".to_owned(), format!("node:{id}"), format!("group:{id}")] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["", "alice", "node:", "person:x", "192.0.2.7:80"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        let rules: Rules =
            [format!("person:{id}"), "10.0.0.0/8".into()].iter().map(|t| t.parse::<Target>().unwrap()).collect();
        assert_eq!((rules.persons.len(), rules.addresses.len(), rules.nodes.len()), (1, 1, 0));
    }
}
