//! The conversations, as a list.

use base::PersonId;
use rusqlite::{Connection, OptionalExtension as _, Result, Row};

use super::apply::said_ms;
use super::history::{Position, Said, read_position, read_said};
use super::row::{name_of, read_conversation};
use crate::proto::Conversation;

/// How many characters of a text a list shows, and an answer of what it answers. Arbitrary: a line or two.
pub(super) const PREVIEW_CHARS: usize = 200;

/// A conversation in the list of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Which.
    pub conversation: Conversation,
    /// The last line of it; `None`: there is none (any more).
    pub newest: Option<Newest>,
    /// How many texts and attachments of others the user has not read.
    pub unread: u64,
    /// Whether the user wants to hear nothing of it.
    pub is_muted: bool,
    /// Whether somebody who is no contact wants to begin it.
    pub is_request: bool,
}

/// The last line of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// Where it stands.
    pub position: Position,
    /// Who said it.
    pub author: PersonId,
    /// What: the first [`PREVIEW_CHARS`] characters of its text, and no notice.
    pub said: Said,
    /// When, in milliseconds since 1970: as its author says, but not after it came here.
    pub said_ms: u64,
}

/// Reads all, the one in which something was said last first.
pub(super) fn summaries(c: &Connection) -> Result<Vec<Summary>> {
    let query = "SELECT k.name AS place, k.unread AS count, k.muted, k.request, m.row, m.pen, m.number, m.time, \
        m.author, m.kind, m.gone, m.amount, m.name, substr(coalesce(m.edited, m.text), 1, ?1) AS text, x'' AS notice \
        FROM chat_conversations k LEFT JOIN chat_messages m ON m.row = (\
            SELECT row FROM chat_messages WHERE conversation = k.id AND shown = 1 \
            ORDER BY time DESC, pen DESC, number DESC LIMIT 1\
        ) ORDER BY m.row DESC, k.id";
    let mut query = c.prepare_cached(query)?;
    query.query_map([PREVIEW_CHARS as i64], read_summary)?.collect()
}

fn read_summary(row: &Row<'_>) -> Result<Summary> {
    let newest = match row.get::<_, Option<i64>>("row")? {
        Some(number) => Some(Newest {
            position: read_position(row)?,
            author: PersonId(row.get("author")?),
            said: read_said(row)?,
            said_ms: said_ms(number),
        }),
        None => None,
    };
    Ok(Summary {
        conversation: read_conversation(row, "place")?,
        newest,
        unread: row.get::<_, i64>("count")? as u64,
        is_muted: row.get("muted")?,
        is_request: row.get("request")?,
    })
}

/// Finds the number of a conversation, which is new if need be.
pub(super) fn place(c: &Connection, conversation: &Conversation) -> Result<i64> {
    if let Some(id) = known_place(c, conversation)? {
        return Ok(id);
    }
    let put = "INSERT INTO chat_conversations (name) VALUES (?1)";
    c.prepare_cached(put)?.execute([name_of(conversation)])?;
    Ok(c.last_insert_rowid())
}

/// Finds the number of a conversation, if there is anything of it.
pub(super) fn known_place(c: &Connection, conversation: &Conversation) -> Result<Option<i64>> {
    let query = "SELECT id FROM chat_conversations WHERE name = ?1";
    c.prepare_cached(query)?.query_row([name_of(conversation)], |row| row.get(0)).optional()
}

/// Returns the conversation of a number.
pub(super) fn named(c: &Connection, place: i64) -> Result<Conversation> {
    let query = "SELECT name FROM chat_conversations WHERE id = ?1";
    c.prepare_cached(query)?.query_row([place], |row| read_conversation(row, "name"))
}
