//! What was said as it came, for others who lack it.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::MAX_PAGE;
use super::history::{Position, read_position};
use super::places::{known_place, named};
use super::row::{read_conversation, read_message};
use crate::proto::{Conversation, Message, MessageId};

/// A message that can be given to a node of one's own that has no history yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it was said.
    pub conversation: Conversation,
    /// Where it stands there.
    pub position: Position,
    /// Whether the user has still to read it.
    pub is_unread: bool,
}

/// Reads the messages of these ids that are still here.
pub(super) fn messages(c: &Connection, place: i64, ids: &[MessageId]) -> Result<Vec<Message>> {
    let conversation = named(c, place)?;
    let query = "SELECT * FROM chat_messages WHERE conversation = ?1 AND pen = ?2 AND number = ?3 AND gone = 0";
    let mut query = c.prepare_cached(query)?;
    let mut messages = Vec::new();
    for id in ids {
        let read = |row: &rusqlite::Row<'_>| read_message(row, conversation.clone());
        messages.extend(query.query_row(params![place, id.pen.0, id.number], read).optional()?);
    }
    Ok(messages)
}

/// Names the messages of a conversation that are still here, no effect before its cause.
fn kept(c: &Connection, place: i64, after: Option<Position>, limit: usize) -> Result<Vec<Kept>> {
    let query = "SELECT k.name AS place, m.time, m.pen, m.number, m.unread \
        FROM chat_messages m CROSS JOIN chat_conversations k ON k.id = m.conversation \
        WHERE m.conversation = ?1 AND m.gone = 0 AND (m.time, m.pen, m.number) > (?2, ?3, ?4) \
        ORDER BY m.time, m.pen, m.number LIMIT ?5";
    let after = after.map_or((-1, [0; 8], 0), |at| (at.time as i64, at.id.pen.0, at.id.number));
    let values = params![place, after.0, after.1, after.2, limit.min(MAX_PAGE) as i64];
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Kept {
            conversation: read_conversation(row, "place")?,
            position: read_position(row)?,
            is_unread: row.get("unread")?,
        })
    };
    c.prepare_cached(query)?.query_map(values, read)?.collect()
}

/// The same, of one conversation or of all, one after the other.
pub(super) fn all(
    c: &Connection,
    only: Option<&Conversation>,
    after: Option<(Conversation, Position)>,
    limit: usize,
) -> Result<Vec<Kept>> {
    let (begun, mut after) = after.unzip();
    let first = match only.or(begun.as_ref()) {
        Some(conversation) => known_place(c, conversation)?,
        None => next_place(c, 0)?,
    };
    let (mut place, mut found) = (first, Vec::new());
    while let Some(here) = place.filter(|_| found.len() < limit) {
        found.extend(kept(c, here, after.take(), limit - found.len())?);
        place = if only.is_some() { None } else { next_place(c, here + 1)? };
    }
    Ok(found)
}

/// Returns the first conversation whose number is at least this.
fn next_place(c: &Connection, from: i64) -> Result<Option<i64>> {
    c.prepare_cached("SELECT min(id) FROM chat_conversations WHERE id >= ?1")?.query_row([from], |row| row.get(0))
}
