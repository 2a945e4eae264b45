//! What chat asks of the node about people and groups.

use std::fmt;
use std::pin::Pin;

use base::{GroupId, NodeId, PersonId};

use crate::proto::Known;

/// The people and groups that this node knows. All calls return at once, but those that return a future.
pub trait Circle: fmt::Debug + Send + Sync + 'static {
    /// Returns this node.
    fn own_node(&self) -> NodeId;

    /// Returns whose node this is; `None`: nobody's yet.
    fn own_person(&self) -> Option<PersonId>;

    /// Finds somebody by the name that the user gave, or by id: a contact, a fellow member, or somebody else with whom the
    /// user speaks. The user's own name, or `me`, is the user. The error says what to do.
    fn person(&self, name: &str) -> Result<PersonId, String>;

    /// Finds a group by the name that the user gave, or by id. The error says what to do.
    fn group(&self, name: &str) -> Result<GroupId, String>;

    /// Returns what a person is called here; `None` for one of whom nothing is known.
    fn person_name(&self, person: PersonId) -> Option<String>;

    /// Returns what a group is called; `None` for one that the user is no member of (any more).
    fn group_name(&self, group: GroupId) -> Option<String>;

    /// Returns all people and groups that count: ourselves, contacts, fellow members, and those who were admitted.
    fn known(&self) -> Known;

    /// Returns whose node it is, unless it is revoked or its person is blocked.
    fn person_of(&self, node: NodeId) -> Option<PersonId>;

    /// Returns a person's nodes, without those that are revoked; none of one that is blocked or not known.
    fn nodes_of(&self, person: PersonId) -> Vec<NodeId>;

    /// Finds a person's node by the name that the person gave it, or by id.
    fn node(&self, person: PersonId, name: &str) -> Option<NodeId>;

    /// Returns where a node may be reached, as the overlay writes it, the best first; of our own node too.
    fn hints(&self, node: NodeId) -> Vec<String>;

    /// Learns where a node may be reached, from somebody else: what the node told of itself counts more.
    fn learn_hints(&self, node: NodeId, hints: &[String]);

    /// Returns our own signed list of nodes, for somebody who may not know us.
    fn own_list(&self) -> Option<Vec<u8>>;

    /// Takes the signed list that a node showed: true when it proves whose node that is, and there is room for one more
    /// whom we do not know. What we know from elsewhere and is newer counts.
    fn admit<'a>(&'a self, node: NodeId, list: &'a [u8]) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

    /// Says with whom the user speaks: their lists of nodes are kept, whoever they are. Replaces what was said before.
    fn speak_with<'a>(&'a self, persons: &'a [PersonId]) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}
