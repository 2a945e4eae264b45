//! Names of conversations and messages.

use std::fmt;
use std::str::FromStr;

use base::{GroupId, PersonId};
use data_encoding::HEXLOWER;

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

/// Why a text is no id of a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no id of a message: one is 16 digits 0 to f, `-` and a number, as in `00112233aabbccdd-7`")]
pub struct MessageIdError(pub String);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", HEXLOWER.encode(&self.pen.0), self.number)
    }
}

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<MessageId, MessageIdError> {
        let parse = || {
            let (pen, number) = text.split_once('-')?;
            let pen = HEXLOWER.decode(pen.as_bytes()).ok()?.try_into().ok()?;
            Some(MessageId { pen: Pen(pen), number: number.parse().ok()? })
        };
        // One text for each id: no `+`, no zeros before the number.
        parse().filter(|id| id.to_string() == text).ok_or_else(|| MessageIdError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_message_has_one_text() {
        let id = MessageId { pen: Pen([0, 1, 2, 3, 4, 5, 6, 255]), number: u32::MAX };
        assert_eq!(id.to_string(), "00010203040506ff-4294967295");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in
            ["", "-", "00010203040506ff", "00010203040506ff-", "00010203040506ff-4294967296", "00010203040506f-1"]
                .into_iter()
                .chain(["00010203040506ff-+1", "00010203040506ff-01", "00010203040506FF-1", "00010203040506ff--1"])
        {
            assert_eq!(text.parse::<MessageId>(), Err(MessageIdError(text.into())));
        }
    }
}
