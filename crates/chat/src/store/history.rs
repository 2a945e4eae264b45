//! What was said in a conversation, line by line.

use std::collections::BTreeMap;

use base::PersonId;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::MAX_PAGE;
use super::places::PREVIEW_CHARS;
use super::row::{read_id, read_to, unreadable};
use crate::proto::{MessageId, Stage};

/// How many reactions to one message are read at most, taken away ones included. Arbitrary: more than any room puts,
/// and a bound for whoever plays with them.
const MAX_REACTIONS: usize = 4096;

/// Where a message stands in its conversation: alike on all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Its time.
    pub time: u64,
    /// Which it is.
    pub id: MessageId,
}

/// Which lines of a conversation are wanted: of those between two, the last or the first ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Only lines after this one.
    pub after: Option<Position>,
    /// Only lines before this one.
    pub before: Option<Position>,
    /// Where there are more than are wanted: whether the first ones are, rather than the last.
    pub from_start: bool,
}

/// The lines around a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The last that says to be written then or earlier.
    pub until: Option<Position>,
    /// The first that says to be written then or later.
    pub since: Option<Position>,
}

/// A line of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// Who said it.
    pub author: PersonId,
    /// When, by the author's clock, in milliseconds since 1970.
    pub written: u64,
    /// What.
    pub said: Said,
    /// Whether its author changed the words since.
    pub is_edited: bool,
    /// What it answers.
    pub answers: Option<Quote>,
    /// What others feel about it, the oldest reaction first; nobody is in one twice.
    pub reactions: Vec<(String, Vec<PersonId>)>,
    /// How far it is with each person whom it is for, where that is known.
    pub stages: Vec<(PersonId, Stage)>,
    /// Whether the user has still to read it.
    pub is_unread: bool,
    /// When it disappears here, in milliseconds since 1970.
    pub due_ms: Option<u64>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A text.
    Text(String),
    /// A file or folder.
    Attachment {
        /// What it is called.
        name: String,
        /// How much it is.
        bytes: u64,
        /// What fetching it takes, as the crate `sharing` writes a notice.
        notice: Vec<u8>,
        /// What is said of it.
        caption: String,
    },
    /// From here on messages are kept for so many seconds; `None`: for good.
    Timer(Option<u32>),
    /// The room is there.
    Opening,
    /// Its author took back what was said.
    Deleted,
}

impl Said {
    /// Returns the words; `None` where there are none.
    pub fn text(&self) -> Option<&str> {
        match self {
            Said::Text(text) | Said::Attachment { caption: text, .. } => Some(text),
            Said::Timer(_) | Said::Opening | Said::Deleted => None,
        }
    }
}

/// What a line answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Which message.
    pub id: MessageId,
    /// Who said it and its beginning; `None`: it is not here (any more).
    pub of: Option<(PersonId, String)>,
}

/// Reads lines, in the order in which they are shown.
pub(super) fn entries(c: &Connection, place: i64, span: Span, limit: usize) -> Result<Vec<Entry>> {
    let order = if span.from_start { "time, pen, number" } else { "time DESC, pen DESC, number DESC" };
    let query = format!(
        "SELECT row, pen, number, time, author, written, due, kind, unread, gone, to_pen, to_number, amount, \
         coalesce(edited, text) AS text, edited IS NOT NULL AS is_edited, name, notice FROM chat_messages \
         WHERE conversation = ?1 AND shown = 1 AND (time, pen, number) > (?2, ?3, ?4) \
         AND (time, pen, number) < (?5, ?6, ?7) ORDER BY {order} LIMIT ?8"
    );
    let mut query = c.prepare_cached(&query)?;
    // Before the first and after the last: no time is taken that is far from the others.
    let after = span.after.map_or((-1, [0; 8], 0), parts);
    let before = span.before.map_or((i64::MAX, [u8::MAX; 8], u32::MAX), parts);
    let limit = limit.min(MAX_PAGE) as i64;
    let values = params![place, after.0, after.1, after.2, before.0, before.1, before.2, limit];
    let mut entries = query.query_map(values, |row| read_entry(c, place, row))?.collect::<Result<Vec<_>>>()?;
    if !span.from_start {
        entries.reverse();
    }
    Ok(entries)
}

fn parts(position: Position) -> (i64, [u8; 8], u32) {
    (position.time as i64, position.id.pen.0, position.id.number)
}

fn read_entry(c: &Connection, place: i64, row: &Row<'_>) -> Result<Entry> {
    let id = read_id(row)?;
    Ok(Entry {
        position: read_position(row)?,
        author: PersonId(row.get("author")?),
        written: row.get::<_, i64>("written")? as u64,
        said: read_said(row)?,
        is_edited: row.get("is_edited")?,
        answers: read_to(row)?.map(|id| quote(c, place, id)).transpose()?,
        reactions: reactions(c, place, id)?,
        stages: stages(c, place, id)?,
        is_unread: row.get("unread")?,
        due_ms: row.get::<_, Option<i64>>("due")?.map(|due| due as u64),
    })
}

pub(super) fn read_position(row: &Row<'_>) -> Result<Position> {
    Ok(Position { time: row.get::<_, i64>("time")? as u64, id: read_id(row)? })
}

pub(super) fn read_said(row: &Row<'_>) -> Result<Said> {
    if row.get::<_, u8>("gone")? != 0 {
        return Ok(Said::Deleted);
    }
    Ok(match row.get_ref("kind")?.as_str()? {
        "text" => Said::Text(row.get("text")?),
        "attachment" => Said::Attachment {
            name: row.get("name")?,
            bytes: row.get::<_, i64>("amount")? as u64,
            notice: row.get("notice")?,
            caption: row.get("text")?,
        },
        "timer" => Said::Timer(row.get("amount")?),
        "opening" => Said::Opening,
        _ => return Err(unreadable(row, "kind", Type::Text)),
    })
}

fn quote(c: &Connection, place: i64, id: MessageId) -> Result<Quote> {
    let query = "SELECT author, CASE kind WHEN 'attachment' THEN name || ' ' ELSE '' END \
        || substr(coalesce(edited, text), 1, ?4) FROM chat_messages WHERE conversation = ?1 AND pen = ?2 \
        AND number = ?3 AND gone = 0 AND kind IN ('text', 'attachment')";
    let values = params![place, id.pen.0, id.number, PREVIEW_CHARS as i64];
    let read = |row: &Row<'_>| Ok((PersonId(row.get(0)?), row.get(1)?));
    Ok(Quote { id, of: c.prepare_cached(query)?.query_row(values, read).optional()? })
}

/// Reads the reactions that stand: of each person and reaction the last says whether it is put.
fn reactions(c: &Connection, place: i64, id: MessageId) -> Result<Vec<(String, Vec<PersonId>)>> {
    let query = "SELECT author, text, amount, time, pen, number FROM chat_messages \
        WHERE conversation = ?1 AND to_pen = ?2 AND to_number = ?3 AND kind = 'reaction' AND gone = 0 \
        ORDER BY author, time, pen, number LIMIT ?4";
    let mut query = c.prepare_cached(query)?;
    let mut rows = query.query(params![place, id.pen.0, id.number, MAX_REACTIONS as i64])?;
    let mut last = BTreeMap::<(PersonId, String), Option<Position>>::new();
    while let Some(row) = rows.next()? {
        let is_put: bool = row.get("amount")?;
        let position = read_position(row)?;
        last.insert((PersonId(row.get("author")?), row.get("text")?), is_put.then_some(position));
    }
    let mut standing: Vec<_> = last.into_iter().filter_map(|(key, position)| Some((position?, key))).collect();
    standing.sort_unstable();
    let mut reactions = Vec::<(String, Vec<PersonId>)>::new();
    for (_, (person, reaction)) in standing {
        match reactions.iter_mut().find(|(known, _)| *known == reaction) {
            Some((_, people)) => people.push(person),
            None => reactions.push((reaction, vec![person])),
        }
    }
    Ok(reactions)
}

fn stages(c: &Connection, place: i64, id: MessageId) -> Result<Vec<(PersonId, Stage)>> {
    let query = "SELECT person, stage FROM chat_stages WHERE conversation = ?1 AND pen = ?2 AND number = ?3";
    let read = |row: &Row<'_>| Ok((PersonId(row.get("person")?), read_stage(row)?));
    c.prepare_cached(query)?.query_map((place, id.pen.0, id.number), read)?.collect()
}

fn read_stage(row: &Row<'_>) -> Result<Stage> {
    let stage: u8 = row.get("stage")?;
    [Stage::Waiting, Stage::InMailbox, Stage::Delivered, Stage::Read]
        .into_iter()
        .find(|known| *known as u8 == stage)
        .ok_or_else(|| unreadable(row, "stage", Type::Integer))
}

/// Finds where a message stands; `None` if it has no line (any more).
pub(super) fn position(c: &Connection, place: i64, id: MessageId) -> Result<Option<Position>> {
    let query = "SELECT time, pen, number FROM chat_messages \
        WHERE conversation = ?1 AND pen = ?2 AND number = ?3 AND shown = 1";
    c.prepare_cached(query)?.query_row((place, id.pen.0, id.number), read_position).optional()
}

/// Finds the lines around a moment.
pub(super) fn moment(c: &Connection, place: i64, written: u64) -> Result<Moment> {
    let written = i64::try_from(written).unwrap_or(i64::MAX);
    let find = |query: &str| c.prepare_cached(query)?.query_row((place, written), read_position).optional();
    Ok(Moment {
        until: find(
            "SELECT time, pen, number FROM chat_messages WHERE conversation = ?1 AND shown = 1 AND written <= ?2 \
             ORDER BY written DESC, time DESC, pen DESC, number DESC LIMIT 1",
        )?,
        since: find(
            "SELECT time, pen, number FROM chat_messages WHERE conversation = ?1 AND shown = 1 AND written >= ?2 \
             ORDER BY written, time, pen, number LIMIT 1",
        )?,
    })
}

/// Finds what the user has not read yet, the oldest first.
pub(super) fn unread(c: &Connection, place: i64, until: Option<Position>, limit: usize) -> Result<Vec<Position>> {
    let query = "SELECT time, pen, number FROM chat_messages WHERE conversation = ?1 AND unread = 1 \
        AND (time, pen, number) <= (?2, ?3, ?4) ORDER BY time, pen, number LIMIT ?5";
    let until = until.map_or((i64::MAX, [u8::MAX; 8], u32::MAX), parts);
    let limit = limit.min(MAX_PAGE) as i64;
    let values = params![place, until.0, until.1, until.2, limit];
    c.prepare_cached(query)?.query_map(values, read_position)?.collect()
}
