//! Names of conversations and messages.

use std::fmt;

use base::{GroupId, PersonId};

/// Where something is said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conversation {
    /// Between two people, the one with the lesser id first; with oneself too, which are notes that all own nodes have.
    Direct(PersonId, PersonId),
    /// Among the members of a group, in a room of it.
    Room(GroupId, RoomName),
}

impl Conversation {
    /// The conversation of two people.
    pub fn between(one: PersonId, other: PersonId) -> Conversation {
        Conversation::Direct(one.min(other), one.max(other))
    }

    /// Returns with whom `me` speaks in it; `None` in a room, and where `me` is neither of the two.
    pub fn partner(&self, me: PersonId) -> Option<PersonId> {
        match *self {
            Conversation::Direct(one, other) if one == me => Some(other),
            Conversation::Direct(one, other) if other == me => Some(one),
            _ => None,
        }
    }
}

/// Why a text is no name of a room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a room: 1 to 32 letters, digits, `-`, `_` or `.`")]
pub struct RoomNameError(pub String);

/// What a room of a group is called: 1 to [`RoomName::MAX_BYTES`] bytes, letters and digits of any script in lower case,
/// `-`, `_` and `.`, so that it also names an IRC channel (RFC 2812, section 1.3).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(String);

impl RoomName {
    /// The longest name.
    pub const MAX_BYTES: usize = 32;

    /// The room that every group has.
    pub const MAIN: &'static str = "main";

    /// Checks a name. Capital letters become small ones.
    pub fn new(name: &str) -> Result<RoomName, RoomNameError> {
        let lower = name.to_lowercase();
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if lower.is_empty() || lower.len() > Self::MAX_BYTES || !lower.chars().all(fits) {
            return Err(RoomNameError(name.to_owned()));
        }
        Ok(RoomName(lower))
    }

    /// Returns the room that every group has.
    pub fn main() -> RoomName {
        RoomName(Self::MAIN.to_owned())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomName({:?})", self.0)
    }
}

/// Who counts the messages of one node: drawn at random when its tables are made, so that a node that lost them does not
/// use a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pen(pub [u8; 8]);

/// A message, within its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Who wrote it.
    pub pen: Pen,
    /// Which of those that the pen wrote in this conversation; the first is 1.
    pub number: u32,
}
