//! How a message is written: in one way, so that all nodes keep the same bytes of it.

use base::PersonId;
use people::proto::codec::{DecodeError, Reader, Writer};

use super::super::id::{Conversation, MessageId, RoomName};
use super::{Body, MAX_AFTER, MAX_ATTACHMENT_NAME, MAX_ATTACHMENT_NOTICE, MAX_REACTION, MAX_TEXT, Message};

/// The longest message in bytes: an attachment, whose notice, caption and name are as long as they may be.
pub const MAX_MESSAGE_LEN: usize = HEAD_LEN + MAX_ATTACHMENT_NOTICE + MAX_TEXT + MAX_ATTACHMENT_NAME;

/// What all else of a message takes at most: the name of a room, the causes, and 256 bytes of numbers and lengths.
const HEAD_LEN: usize = RoomName::MAX_BYTES + MAX_AFTER * 12 + 256;

/// The version that stands first. There is one.
const VERSION: u8 = 1;

impl Message {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION);
        self.conversation.write(&mut writer);
        self.id.write(&mut writer);
        writer.fixed(&self.author.0).u64(self.time).u64(self.written);
        writer.u16(u16::try_from(self.after.len()).expect("MAX_AFTER bounds it"));
        self.after.iter().for_each(|id| id.write(&mut writer));
        // No seconds at all are "for good".
        writer.u32(self.expires_s.unwrap_or(0));
        self.body.write(&mut writer);
        writer.finish()
    }

    /// Reads what [`Message::encode`] wrote, and nothing that could be written otherwise or is longer than it may be. The
    /// author's pen wrote it, and the author of a direct message is one of the two.
    pub fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
        if bytes.len() > MAX_MESSAGE_LEN {
            return Err(DecodeError::Limit);
        }
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(DecodeError::Value);
        }
        let conversation = Conversation::read(&mut reader)?;
        let id = MessageId::read(&mut reader)?;
        let author = PersonId(reader.fixed()?);
        let speaks = conversation.partner(author).is_some() || matches!(conversation, Conversation::Room(..));
        if !speaks || !id.pen.is_of(author) {
            return Err(DecodeError::Value);
        }
        let (time, written) = (reader.u64()?, reader.u64()?);
        let after = read_after(&mut reader, id)?;
        let expires_s = read_seconds(&mut reader)?;
        let body = Body::read(&mut reader)?;
        reader.finish()?;
        Ok(Message { conversation, id, author, time, written, after, expires_s, body })
    }
}

/// Reads the causes: ascending, and none of them the message itself or a later one of the same pen.
fn read_after(reader: &mut Reader<'_>, id: MessageId) -> Result<Vec<MessageId>, DecodeError> {
    let count = usize::from(reader.u16()?);
    if count > MAX_AFTER {
        return Err(DecodeError::Limit);
    }
    let after = (0..count).map(|_| MessageId::read(reader)).collect::<Result<Vec<_>, _>>()?;
    let ascends = after.windows(2).all(|pair| pair[0] < pair[1]);
    let precedes = after.iter().all(|cause| cause.pen != id.pen || cause.number < id.number);
    if ascends && precedes { Ok(after) } else { Err(DecodeError::Value) }
}

fn read_seconds(reader: &mut Reader<'_>) -> Result<Option<u32>, DecodeError> {
    Ok(Some(reader.u32()?).filter(|seconds| *seconds > 0))
}

/// Reads a text that is not empty.
fn read_words(reader: &mut Reader<'_>, limit: usize) -> Result<String, DecodeError> {
    let text = reader.text(limit)?;
    if text.is_empty() { Err(DecodeError::Value) } else { Ok(text.to_owned()) }
}

impl Body {
    fn write(&self, to: &mut Writer) {
        match self {
            Body::Text { text, answers: None } => {
                to.u8(1).text(text);
            }
            Body::Text { text, answers: Some(id) } => {
                id.write(to.u8(2));
                to.text(text);
            }
            Body::Reaction { to: id, reaction, put } => {
                id.write(to.u8(3));
                to.text(reaction).u8(u8::from(*put));
            }
            Body::Edit { of, text } => {
                of.write(to.u8(4));
                to.text(text);
            }
            Body::Deletion { of } => of.write(to.u8(5)),
            Body::Attachment { name, bytes, notice, caption } => {
                to.u8(6).text(name).u64(*bytes).bytes(notice).text(caption);
            }
            Body::Timer { expires_s } => {
                to.u8(7).u32(expires_s.unwrap_or(0));
            }
            Body::Opening => {
                to.u8(8);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Body, DecodeError> {
        Ok(match from.u8()? {
            1 => Body::Text { text: read_words(from, MAX_TEXT)?, answers: None },
            2 => {
                let answers = Some(MessageId::read(from)?);
                Body::Text { text: read_words(from, MAX_TEXT)?, answers }
            }
            3 => Body::Reaction {
                to: MessageId::read(from)?,
                reaction: read_words(from, MAX_REACTION)?,
                put: from.flag()?,
            },
            4 => Body::Edit { of: MessageId::read(from)?, text: from.text(MAX_TEXT)?.to_owned() },
            5 => Body::Deletion { of: MessageId::read(from)? },
            6 => Body::Attachment {
                name: read_words(from, MAX_ATTACHMENT_NAME)?,
                bytes: from.u64()?,
                notice: from.bytes(MAX_ATTACHMENT_NOTICE)?.to_vec(),
                caption: from.text(MAX_TEXT)?.to_owned(),
            },
            7 => Body::Timer { expires_s: read_seconds(from)? },
            8 => Body::Opening,
            _ => return Err(DecodeError::Value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::id::Pen;
    use super::*;
    use base::GroupId;

    const ALICE: PersonId = PersonId([1; 32]);
    const BOB: PersonId = PersonId([2; 32]);

    fn id(person: PersonId, number: u32) -> MessageId {
        MessageId { pen: Pen::new(person, [0; 3]), number }
    }

    fn message(body: Body) -> Message {
        let mut after = vec![id(ALICE, 1), id(BOB, 9)];
        after.sort();
        Message {
            conversation: Conversation::Room(GroupId([3; 32]), RoomName::main()),
            id: id(ALICE, 2),
            author: ALICE,
            time: 10,
            written: 1_795_000_000_000,
            after,
            expires_s: Some(60),
            body,
        }
    }

    fn bodies() -> Vec<Body> {
        let of = id(ALICE, 1);
        vec![
            Body::Text { text: "hello".into(), answers: None },
            Body::Text { text: "x".repeat(MAX_TEXT), answers: Some(of) },
            Body::Reaction { to: of, reaction: "👍".into(), put: true },
            Body::Edit { of, text: "other".into() },
            Body::Deletion { of },
            Body::Attachment {
                name: "n".repeat(MAX_ATTACHMENT_NAME),
                bytes: 7,
                notice: vec![1; MAX_ATTACHMENT_NOTICE],
                caption: "c".repeat(MAX_TEXT),
            },
            Body::Timer { expires_s: None },
            Body::Timer { expires_s: Some(60) },
            Body::Opening,
        ]
    }

    #[test]
    fn every_kind_is_read_as_it_was_written_and_no_beginning_of_it() {
        for body in bodies() {
            let message = message(body);
            let bytes = message.encode();
            assert!(bytes.len() <= MAX_MESSAGE_LEN);
            assert_eq!(Message::decode(&bytes), Ok(message));
            for cut in (0..bytes.len()).step_by(bytes.len().div_ceil(300)) {
                assert!(Message::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn the_longest_message_fits() {
        let mut longest = message(bodies().swap_remove(5));
        longest.conversation = Conversation::Room(GroupId([3; 32]), RoomName::new(&"r".repeat(32)).unwrap());
        longest.after = (1..=MAX_AFTER as u32).map(|number| id(BOB, number)).collect();
        let bytes = longest.encode();
        assert!(bytes.len() <= MAX_MESSAGE_LEN && bytes.len() > MAX_MESSAGE_LEN - 256, "{}", bytes.len());
        assert_eq!(Message::decode(&bytes), Ok(longest));
    }

    #[test]
    fn what_no_honest_node_writes_is_refused() {
        let refused = |change: &dyn Fn(&mut Message)| {
            let mut message = message(Body::Opening);
            assert!(Message::decode(&message.encode()).is_ok());
            change(&mut message);
            assert!(Message::decode(&message.encode()).is_err(), "{message:?}");
        };
        refused(&|message| message.after.reverse());
        refused(&|message| message.after = vec![id(BOB, 1); 2]);
        refused(&|message| message.after = vec![message.id]);
        refused(&|message| message.after = (1..=MAX_AFTER as u32 + 1).map(|number| id(BOB, number)).collect());
        refused(&|message| message.id.number = 0);
        refused(&|message| message.author = BOB);
        refused(&|message| message.conversation = Conversation::between(BOB, PersonId([9; 32])));
        refused(&|message| message.body = Body::Text { text: String::new(), answers: None });
        refused(&|message| message.body = Body::Text { text: "x".repeat(MAX_TEXT + 1), answers: None });
    }
}
