//! What one node has to tell another and must not get lost: each is numbered by the channel, kept, and taken once.

use people::proto::codec::{DecodeError, Reader, Writer};

use super::card::MAX_CARD;
use super::id::{Audience, Conversation, Mark};
use super::ids::Ids;
use super::message::{MAX_MESSAGE_LEN, Message};

/// How many people a message is for at most: as many as a group has members.
pub const MAX_AUDIENCE: usize = 256;

/// The longest item: its kind, for whom the message is, and the message.
pub const MAX_ITEM: usize = 1 + 2 + MAX_AUDIENCE * size_of::<Mark>() + MAX_MESSAGE_LEN;

/// What a node is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// This was said, and in a room for whom. Whoever has it knows from that to whom it was not said, now and later.
    Message(Box<Message>, Audience),
    /// These are missing here. Whoever may, gives them or says that they will not come.
    Ask(Conversation, Ids),
    /// These will not come: they were never for you, or are gone.
    Void(Conversation, Ids),
    /// Between nodes of one person: these are here, for whom they are missing there.
    Have {
        /// Where.
        conversation: Conversation,
        /// Which.
        ids: Ids,
        /// Whether this is the history that was wanted, and no news.
        history: bool,
    },
    /// The user read these: on another node of theirs, or whoever tells it.
    Read(Conversation, Ids),
    /// This node's card, which changed.
    Card(Vec<u8>),
    /// Between nodes of one person: say all that you have.
    History,
    /// Between nodes of one person: the user let somebody write who is no contact, or refused to hear them.
    Decided(Conversation, bool),
}

/// An item that only fills its number: what had it is not meant for the recipient any more.
pub const NOTHING: &[u8] = &[0];

impl Item {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        match self {
            Item::Message(message, audience) => return Item::of_message(&message.encode(), audience),
            Item::Ask(conversation, ids) => write_ids(&mut to, 2, conversation, ids),
            Item::Void(conversation, ids) => write_ids(&mut to, 3, conversation, ids),
            Item::Have { conversation, ids, history } => {
                write_ids(&mut to, if *history { 5 } else { 4 }, conversation, ids);
            }
            Item::Read(conversation, ids) => write_ids(&mut to, 6, conversation, ids),
            Item::Card(card) => _ = to.u8(7).bytes(card),
            Item::History => _ = to.u8(8),
            Item::Decided(conversation, accepted) => conversation.write(to.u8(9).u8(u8::from(*accepted))),
        }
        to.finish()
    }

    /// Writes the item of a message that is written already.
    pub fn of_message(message: &[u8], audience: &Audience) -> Vec<u8> {
        let mut to = Writer::new();
        write_audience(to.u8(1), audience);
        to.fixed(message).finish()
    }

    /// Reads what [`Item::encode`] wrote. `None` for [`NOTHING`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Item>, DecodeError> {
        if bytes.len() > MAX_ITEM {
            return Err(DecodeError::Limit);
        }
        let mut from = Reader::new(bytes);
        let item = match from.u8()? {
            0 => None,
            1 => {
                let audience = read_audience(&mut from)?;
                let message = &bytes[bytes.len() - from.left()..];
                return Ok(Some(Item::Message(Box::new(Message::decode(message)?), audience)));
            }
            2 => Some(Item::Ask(Conversation::read(&mut from)?, Ids::read(&mut from)?)),
            3 => Some(Item::Void(Conversation::read(&mut from)?, Ids::read(&mut from)?)),
            kind @ (4 | 5) => Some(Item::Have {
                conversation: Conversation::read(&mut from)?,
                ids: Ids::read(&mut from)?,
                history: kind == 5,
            }),
            6 => Some(Item::Read(Conversation::read(&mut from)?, Ids::read(&mut from)?)),
            7 => Some(Item::Card(from.bytes(MAX_CARD)?.to_vec())),
            8 => Some(Item::History),
            9 => {
                let accepted = from.flag()?;
                Some(Item::Decided(Conversation::read(&mut from)?, accepted))
            }
            _ => return Err(DecodeError::Value),
        };
        from.finish()?;
        Ok(item)
    }
}

/// Writes for whom a message is.
pub(super) fn write_audience(to: &mut Writer, audience: &Audience) {
    to.u16(audience.len() as u16);
    audience.iter().for_each(|mark| _ = to.fixed(mark));
}

/// Reads what [`write_audience`] wrote: in order, and no more than may be.
pub(super) fn read_audience(from: &mut Reader<'_>) -> Result<Audience, DecodeError> {
    let count = usize::from(from.u16()?);
    if count > MAX_AUDIENCE {
        return Err(DecodeError::Limit);
    }
    let mut audience = Audience::new();
    for _ in 0..count {
        let mark = from.fixed()?;
        if audience.last().is_some_and(|last| *last >= mark) {
            return Err(DecodeError::Value);
        }
        audience.insert(mark);
    }
    Ok(audience)
}

fn write_ids(to: &mut Writer, kind: u8, conversation: &Conversation, ids: &Ids) {
    conversation.write(to.u8(kind));
    ids.write(to);
}

#[cfg(test)]
mod tests {
    use super::super::id::{MessageId, Pen};
    use super::super::message::Body;
    use super::*;
    use base::PersonId;

    #[test]
    fn items_come_back_as_they_went() {
        let (alice, bob) = (PersonId([1; 32]), PersonId([2; 32]));
        let conversation = Conversation::between(alice, bob);
        let id = MessageId { pen: Pen::new(alice, [0; 3]), number: 1 };
        let ids: Ids = [id].into_iter().collect();
        let message = Message {
            conversation: conversation.clone(),
            id,
            author: alice,
            time: 1,
            written: 2,
            after: Vec::new(),
            expires_s: None,
            body: Body::Opening,
        };
        for item in [
            Item::Message(Box::new(message.clone()), Audience::new()),
            Item::Message(Box::new(message), [[1; 5], [2; 5]].into()),
            Item::Ask(conversation.clone(), ids.clone()),
            Item::Void(conversation.clone(), ids.clone()),
            Item::Have { conversation: conversation.clone(), ids: ids.clone(), history: false },
            Item::Have { conversation: conversation.clone(), ids: ids.clone(), history: true },
            Item::Read(conversation.clone(), ids),
            Item::Decided(conversation, true),
            Item::Card(vec![1; MAX_CARD]),
            Item::History,
        ] {
            let bytes = item.encode();
            assert!((0..bytes.len()).all(|cut| Item::decode(&bytes[..cut]).is_err()), "cut");
            assert!(Item::decode(&[&bytes[..], &[0]].concat()).is_err(), "lengthened");
            assert_eq!(Item::decode(&bytes), Ok(Some(item)));
        }
        assert_eq!(Item::decode(NOTHING), Ok(None));
        assert!(Item::decode(&[99]).is_err());
    }
}
