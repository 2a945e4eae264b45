//! How what is said stands in a row.

use std::array;

use base::{GroupId, PersonId};
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};

use crate::proto::{Body, Conversation, Message, MessageId, Pen, RoomName};

/// The columns of a row that its body fills.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub kind: &'static str,
    pub to: Option<MessageId>,
    pub amount: Option<i64>,
    pub text: Option<&'a str>,
    pub name: Option<&'a str>,
    pub notice: Option<&'a [u8]>,
}

impl Columns<'_> {
    pub fn of(body: &Body) -> Columns<'_> {
        match body {
            Body::Text { text, answers } => {
                Columns { kind: "text", to: *answers, text: Some(text), ..Columns::default() }
            }
            Body::Reaction { to, reaction, put } => {
                let amount = Some(i64::from(*put));
                Columns { kind: "reaction", to: Some(*to), amount, text: Some(reaction), ..Columns::default() }
            }
            Body::Edit { of, text } => Columns { kind: "edit", to: Some(*of), text: Some(text), ..Columns::default() },
            Body::Deletion { of } => Columns { kind: "deletion", to: Some(*of), ..Columns::default() },
            Body::Attachment { name, bytes, notice, caption } => Columns {
                kind: "attachment",
                amount: Some(*bytes as i64),
                text: Some(caption),
                name: Some(name),
                notice: Some(notice),
                ..Columns::default()
            },
            Body::Timer { expires_s } => {
                Columns { kind: "timer", amount: expires_s.map(i64::from), ..Columns::default() }
            }
            Body::Opening => Columns { kind: "opening", ..Columns::default() },
        }
    }
}

/// Whether a message has a line of its own in the history.
pub(super) fn is_shown(kind: &str) -> bool {
    !matches!(kind, "reaction" | "edit" | "deletion")
}

/// Whether words were said, which others read, search, change, react to.
pub(super) fn is_said(kind: &str) -> bool {
    matches!(kind, "text" | "attachment")
}

/// Writes a conversation's name.
pub(super) fn name_of(conversation: &Conversation) -> Vec<u8> {
    match conversation {
        Conversation::Direct(one, other) => [&[0][..], &one.0, &other.0].concat(),
        Conversation::Room(group, room) => [&[1][..], &group.0, room.as_str().as_bytes()].concat(),
    }
}

/// Reads a conversation's name.
pub(super) fn read_conversation(row: &Row<'_>, column: &str) -> Result<Conversation> {
    let name: Vec<u8> = row.get(column)?;
    let read = || {
        let (first, rest) = name.split_first()?;
        let (id, rest) = rest.split_first_chunk::<32>()?;
        match first {
            0 => Some(Conversation::Direct(PersonId(*id), PersonId(rest.try_into().ok()?))),
            1 => Some(Conversation::Room(GroupId(*id), RoomName::new(str::from_utf8(rest).ok()?).ok()?)),
            _ => None,
        }
    };
    read().ok_or_else(|| unreadable(row, column, Type::Blob))
}

/// Reads which message a row is.
pub(super) fn read_id(row: &Row<'_>) -> Result<MessageId> {
    Ok(MessageId { pen: Pen(row.get("pen")?), number: row.get("number")? })
}

/// Reads which message a row is about.
pub(super) fn read_to(row: &Row<'_>) -> Result<Option<MessageId>> {
    let Some(pen) = row.get("to_pen")? else { return Ok(None) };
    Ok(Some(MessageId { pen: Pen(pen), number: row.get("to_number")? }))
}

/// Reads a message as it was when it came.
pub(super) fn read_message(row: &Row<'_>, conversation: Conversation) -> Result<Message> {
    let causes: Vec<u8> = row.get("causes")?;
    let cause = |bytes: &[u8; 12]| MessageId {
        pen: Pen(array::from_fn(|at| bytes[at])),
        number: u32::from_be_bytes(array::from_fn(|at| bytes[8 + at])),
    };
    Ok(Message {
        conversation,
        id: read_id(row)?,
        author: PersonId(row.get("author")?),
        time: row.get::<_, i64>("time")? as u64,
        written: row.get::<_, i64>("written")? as u64,
        after: causes.as_chunks::<12>().0.iter().map(cause).collect(),
        expires_s: row.get("expires_s")?,
        body: read_body(row)?,
    })
}

/// Writes the causes of a message.
pub(super) fn causes_of(message: &Message) -> Vec<u8> {
    message.after.iter().flat_map(|id| id.pen.0.into_iter().chain(id.number.to_be_bytes())).collect()
}

fn read_body(row: &Row<'_>) -> Result<Body> {
    let about = || read_to(row)?.ok_or_else(|| unreadable(row, "to_pen", Type::Null));
    Ok(match row.get_ref("kind")?.as_str()? {
        "text" => Body::Text { text: row.get("text")?, answers: read_to(row)? },
        "reaction" => Body::Reaction { to: about()?, reaction: row.get("text")?, put: row.get("amount")? },
        "edit" => Body::Edit { of: about()?, text: row.get("text")? },
        "deletion" => Body::Deletion { of: about()? },
        "attachment" => Body::Attachment {
            name: row.get("name")?,
            bytes: row.get::<_, i64>("amount")? as u64,
            notice: row.get("notice")?,
            caption: row.get("text")?,
        },
        "timer" => Body::Timer { expires_s: row.get("amount")? },
        "opening" => Body::Opening,
        _ => return Err(unreadable(row, "kind", Type::Text)),
    })
}

/// Says that a column holds what this program did not write there.
pub(super) fn unreadable(row: &Row<'_>, column: &str, found: Type) -> Error {
    let index = row.as_ref().column_index(column).unwrap_or_default();
    Error::FromSqlConversionFailure(index, found, format!("the column {column} cannot be read").into())
}
