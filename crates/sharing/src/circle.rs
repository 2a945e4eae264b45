//! What sharing asks of the node about people and groups.

use std::fmt;

use base::{GroupId, NodeId, PersonId};

/// The people and groups that this node knows. All calls return at once.
pub trait Circle: fmt::Debug + Send + Sync + 'static {
    /// Returns this node.
    fn own_node(&self) -> NodeId;

    /// Finds a contact by the name that the user gave, or by id. The error says what to do.
    fn person(&self, name: &str) -> Result<PersonId, String>;

    /// Finds a group by the name that the user gave, or by id. The error says what to do.
    fn group(&self, name: &str) -> Result<GroupId, String>;

    /// Returns what the user calls a person; `None` for one that is neither a contact nor a fellow member.
    fn person_name(&self, person: PersonId) -> Option<String>;

    /// Returns what a group is called; `None` for one that the user is no member of.
    fn group_name(&self, group: GroupId) -> Option<String>;

    /// Returns a person's nodes, without those that are revoked; none of one that is blocked or not known.
    fn nodes_of(&self, person: PersonId) -> Vec<NodeId>;

    /// Returns the present members of a group, the user included; none of one that the user is no member of.
    fn members(&self, group: GroupId) -> Vec<PersonId>;

    /// Returns whose node it is, unless it is revoked or its person is blocked.
    fn person_of(&self, node: NodeId) -> Option<PersonId>;

    /// Returns where a node may be reached, as the overlay writes it, the best first; of our own node too.
    fn hints(&self, node: NodeId) -> Vec<String>;

    /// Learns where a node may be reached, from somebody who shares something with us both.
    fn learn_hints(&self, node: NodeId, hints: &[String]);

    /// Whether a node is known to be revoked, or its person blocked: whatever others say of it.
    fn is_refused(&self, node: NodeId) -> bool;
}
