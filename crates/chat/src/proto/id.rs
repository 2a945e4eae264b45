//! Names of conversations and messages.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base::{GroupId, PersonId};
use data_encoding::HEXLOWER;
use people::proto::codec::{DecodeError, Reader, Writer};
use sha2::{Digest, Sha256};

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

    /// Adds it to what is written; it ends by itself, so that others may follow.
    pub fn write(&self, to: &mut Writer) {
        match self {
            Conversation::Direct(one, other) => to.u8(1).fixed(&one.0).fixed(&other.0),
            Conversation::Room(group, name) => to.u8(2).fixed(&group.0).text(name.as_str()),
        };
    }

    /// Reads what [`Conversation::write`] wrote. The lesser of two people comes first, and no capital letter names a room.
    pub fn read(from: &mut Reader<'_>) -> Result<Conversation, DecodeError> {
        match from.u8()? {
            1 => {
                let (one, other) = (PersonId(from.fixed()?), PersonId(from.fixed()?));
                if one <= other { Ok(Conversation::Direct(one, other)) } else { Err(DecodeError::Value) }
            }
            2 => {
                let group = GroupId(from.fixed()?);
                let text = from.text(RoomName::MAX_BYTES)?;
                let name = RoomName::new(text).map_err(|_| DecodeError::Value)?;
                if name.as_str() == text { Ok(Conversation::Room(group, name)) } else { Err(DecodeError::Value) }
            }
            _ => Err(DecodeError::Value),
        }
    }

    /// Writes it alone.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.finish()
    }

    /// Reads what [`Conversation::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Conversation, DecodeError> {
        let mut reader = Reader::new(bytes);
        let conversation = Conversation::read(&mut reader)?;
        reader.finish()?;
        Ok(conversation)
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
/// use a number twice. Its second part is a mark of its person, so that nobody writes with the pen of somebody else, and
/// everybody sees whom to ask for what it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pen(pub [u8; 8]);

/// How many bytes of a pen are drawn: enough to tell apart the few nodes that one person has in a lifetime. The other five
/// are too many for a person to find a key with another's mark, and to gain what: two pens of equal looks.
const DRAWN: usize = 3;

/// The mark that the pens of a person bear.
pub type Mark = [u8; 8 - DRAWN];

/// For whom a message in a room is, by their marks: its author and whoever was a member as far as the author's node knew.
pub type Audience = BTreeSet<Mark>;

impl Pen {
    /// Makes a pen of a person out of random bytes.
    pub fn new(person: PersonId, random: [u8; DRAWN]) -> Pen {
        let mut bytes = [0; 8];
        bytes[..DRAWN].copy_from_slice(&random);
        bytes[DRAWN..].copy_from_slice(&Pen::mark_of(person));
        Pen(bytes)
    }

    /// Returns the mark that all pens of a person bear.
    pub fn mark_of(person: PersonId) -> Mark {
        let digest = Sha256::new().chain_update(b"compeer chat pen 1").chain_update(person.0).finalize();
        std::array::from_fn(|i| digest[i])
    }

    /// Returns the mark of whose it is.
    pub fn mark(&self) -> Mark {
        std::array::from_fn(|i| self.0[DRAWN + i])
    }

    /// Whether it is one of this person's.
    pub fn is_of(&self, person: PersonId) -> bool {
        self.mark() == Pen::mark_of(person)
    }
}

/// A message, within its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Who wrote it.
    pub pen: Pen,
    /// Which of those that the pen wrote in this conversation; the first is 1.
    pub number: u32,
}

impl MessageId {
    /// Adds it to what is written.
    pub fn write(&self, to: &mut Writer) {
        to.fixed(&self.pen.0).u32(self.number);
    }

    /// Reads what [`MessageId::write`] wrote.
    pub fn read(from: &mut Reader<'_>) -> Result<MessageId, DecodeError> {
        let (pen, number) = (Pen(from.fixed()?), from.u32()?);
        if number == 0 { Err(DecodeError::Value) } else { Ok(MessageId { pen, number }) }
    }
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
    fn the_name_of_a_room_is_written_in_one_way() {
        for (name, is) in [("Main", Some("main")), ("straße-1.a_b", Some("straße-1.a_b")), ("", None), ("a b", None)]
        {
            assert_eq!(RoomName::new(name).ok().as_ref().map(RoomName::as_str), is, "{name}");
        }
        assert!(RoomName::new(&"a".repeat(33)).is_err() && RoomName::new("#main").is_err());
        let room = Conversation::Room(GroupId([1; 32]), RoomName::main());
        let mut bytes = room.encode();
        assert_eq!(Conversation::decode(&bytes), Ok(room));
        *bytes.last_mut().unwrap() = b'N';
        assert_eq!(Conversation::decode(&bytes), Err(DecodeError::Value));
    }

    #[test]
    fn two_people_have_one_conversation() {
        let (alice, bob) = (PersonId([1; 32]), PersonId([2; 32]));
        assert_eq!(Conversation::between(bob, alice), Conversation::between(alice, bob));
        assert_eq!(Conversation::between(bob, alice).partner(alice), Some(bob));
        let bytes = Conversation::Direct(bob, alice).encode();
        assert_eq!(Conversation::decode(&bytes), Err(DecodeError::Value), "the lesser comes first");
    }

    #[test]
    fn a_pen_shows_whose_it_is() {
        let (alice, bob) = (PersonId([1; 32]), PersonId([2; 32]));
        let pen = Pen::new(alice, [7; 3]);
        assert!(pen.is_of(alice) && !pen.is_of(bob));
        assert_ne!(pen, Pen::new(alice, [8; 3]));
    }

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
