//! Changes take effect.
//!
//! What a message does to another is found in the rows themselves, so that it does not matter which of the two came
//! first.

use base::PersonId;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::places::place;
use super::row::{Columns, causes_of, is_said, is_shown, read_id, read_to};
use super::{MAX_READ_EARLY, believed};
use crate::proto::{Change, Message, MessageId};

/// Below these bits of a row's number stands when it was said, in milliseconds.
const ROW_BITS: u32 = 20;

/// Why a message is not there any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// Its author took it back: a line says so.
    Deleted = 1,
    /// Its time was up.
    Expired = 2,
}

/// The columns of a [`Target`]. Of all texts that of a reaction alone is needed.
const TARGET: &str = "row, conversation, kind, pen, number, author, to_pen, to_number, edited, unread, gone, \
    CASE kind WHEN 'reaction' THEN text END AS text";

/// A transaction in which changes take effect.
pub(super) struct Writer<'a> {
    pub c: &'a Connection,
    pub me: PersonId,
    pub now_ms: u64,
    /// Whether something was wiped, which has to go from the disk as well.
    pub wiped: bool,
    /// The messages that expired, and had a line: the conversation's number and which.
    pub expired: Vec<(i64, MessageId)>,
}

/// What has to be known of a message in order to change it.
pub(super) struct Target {
    pub row: i64,
    pub conversation: i64,
    pub kind: String,
    pub id: MessageId,
    author: [u8; 32],
    to: Option<MessageId>,
    text: Option<String>,
    edited: Option<String>,
    is_unread: bool,
    pub is_gone: bool,
}

impl Writer<'_> {
    pub fn new(c: &Connection, me: PersonId, now_ms: u64) -> Writer<'_> {
        Writer { c, me, now_ms, wiped: false, expired: Vec::new() }
    }

    pub fn change(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::Fact(key, Some(value)) => {
                let put = "INSERT OR REPLACE INTO chat_facts VALUES (?1, ?2)";
                self.c.prepare_cached(put)?.execute((key, value))?;
            }
            Change::Fact(key, None) => {
                self.c.prepare_cached("DELETE FROM chat_facts WHERE key = ?1")?.execute([key])?;
            }
            Change::Message(message) => self.enter(message)?,
            Change::Stage(conversation, id, person, stage) => {
                let conversation = place(self.c, conversation)?;
                let put = "INSERT INTO chat_stages VALUES (?1, ?2, ?3, ?4, ?5) \
                    ON CONFLICT DO UPDATE SET stage = max(stage, excluded.stage)";
                let values = params![conversation, id.pen.0, id.number, person.0, *stage as u8];
                self.c.prepare_cached(put)?.execute(values)?;
            }
            Change::Read(conversation, ids) => {
                let conversation = place(self.c, conversation)?;
                ids.iter().try_for_each(|id| self.read(conversation, *id))?;
            }
            Change::Request(conversation, is_request) => {
                let conversation = place(self.c, conversation)?;
                let set = "UPDATE chat_conversations SET request = ?2 WHERE id = ?1";
                self.c.prepare_cached(set)?.execute((conversation, is_request))?;
            }
        }
        Ok(())
    }

    /// Puts a message into its place, once, with what it does to others and what others have done to it.
    fn enter(&mut self, message: &Message) -> Result<()> {
        let conversation = place(self.c, &message.conversation)?;
        let columns = Columns::of(&message.body);
        if find(self.c, conversation, message.id)?.is_some() {
            return Ok(());
        }
        let was_read = self.was_read_early(conversation, message.id)?;
        let is_unread = is_said(columns.kind) && message.author != self.me && !was_read;
        let expires = message.expires_s.filter(|_| columns.kind != "deletion");
        let put = "INSERT INTO chat_messages (row, conversation, pen, number, time, author, written, causes, \
            expires_s, due, kind, shown, unread, gone, to_pen, to_number, amount, text, name, notice) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, ?14, ?15, ?16, ?17, ?18, ?19)";
        let row = self.new_row(believed(message.written, self.now_ms))?;
        self.c.prepare_cached(put)?.execute(params![
            row,
            conversation,
            message.id.pen.0,
            message.id.number,
            message.time as i64,
            message.author.0,
            message.written as i64,
            causes_of(message),
            message.expires_s,
            expires.map(|seconds| self.now_ms as i64 + i64::from(seconds) * 1000),
            columns.kind,
            is_shown(columns.kind),
            is_unread,
            columns.to.map(|id| id.pen.0),
            columns.to.map(|id| id.number),
            columns.amount,
            columns.text,
            columns.name,
            columns.notice,
        ])?;
        if is_said(columns.kind) {
            self.index(row)?;
        }
        if is_unread {
            self.count(conversation, 1)?;
        }
        self.take_effect(conversation, message.id)
    }

    /// Does what the message that just came does to others, and what others have done to it before.
    fn take_effect(&mut self, conversation: i64, id: MessageId) -> Result<()> {
        let Some(target) = find(self.c, conversation, id)? else { return Ok(()) };
        if self.is_taken_back(&target)? {
            return self.wipe(&target, Gone::Deleted);
        }
        if is_said(&target.kind) {
            return self.say_anew(&target);
        }
        let Some(about) = target.to.map(|to| find(self.c, conversation, to)).transpose()?.flatten() else {
            return Ok(());
        };
        match &*target.kind {
            "deletion" if self.is_taken_back(&about)? => self.wipe(&about, Gone::Deleted),
            "edit" | "reaction" if about.is_gone && is_said(&about.kind) => self.wipe(&target, Gone::Deleted),
            "edit" => self.say_anew(&about),
            _ => Ok(()),
        }
    }

    /// Whether its author took a message back. One that says nothing, as a deletion does, stays.
    fn is_taken_back(&self, target: &Target) -> Result<bool> {
        if target.is_gone || !(is_said(&target.kind) || matches!(&*target.kind, "edit" | "reaction")) {
            return Ok(false);
        }
        let query = "SELECT 1 FROM chat_messages WHERE conversation = ?1 AND to_pen = ?2 AND to_number = ?3 \
            AND kind = 'deletion' AND author = ?4 AND gone = 0";
        let key = (target.conversation, target.id.pen.0, target.id.number, target.author);
        self.c.prepare_cached(query)?.exists(key)
    }

    /// Lets the latest edit of its author stand for what a message says.
    fn say_anew(&mut self, target: &Target) -> Result<()> {
        if target.is_gone || !is_said(&target.kind) {
            return Ok(());
        }
        let words = self.latest_edit(target)?.map(|(_, words)| words);
        if words == target.edited {
            return Ok(());
        }
        self.unindex(target.row)?;
        let set = "UPDATE chat_messages SET edited = ?2 WHERE row = ?1";
        self.c.prepare_cached(set)?.execute((target.row, words))?;
        self.index(target.row)
    }

    /// Returns the row and the words of the latest edit of a message by its author.
    fn latest_edit(&self, target: &Target) -> Result<Option<(i64, String)>> {
        let query = "SELECT row, text FROM chat_messages WHERE conversation = ?1 AND to_pen = ?2 AND to_number = ?3 \
            AND kind = 'edit' AND author = ?4 AND gone = 0 ORDER BY time DESC, pen DESC, number DESC LIMIT 1";
        let key = (target.conversation, target.id.pen.0, target.id.number, target.author);
        self.c.prepare_cached(query)?.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    /// Takes away what a message says and what was said of it. Its row stays, so that it cannot come again.
    pub fn wipe(&mut self, target: &Target, gone: Gone) -> Result<()> {
        self.wiped = true;
        if gone == Gone::Expired && is_shown(&target.kind) {
            self.expired.push((target.conversation, target.id));
        }
        let about = target.to.map(|to| find(self.c, target.conversation, to)).transpose()?.flatten();
        let stood_for = match &about {
            Some(about) if target.kind == "edit" => self.latest_edit(about)?.is_some_and(|(row, _)| row == target.row),
            _ => false,
        };
        if is_said(&target.kind) && !target.is_gone {
            self.unindex(target.row)?;
        }
        if target.is_unread {
            self.count(target.conversation, -1)?;
        }
        if target.kind == "reaction" && gone == Gone::Expired {
            self.wipe_earlier_reactions(target)?;
        }
        // What was taken back keeps its line, and when that is due.
        let blank = "UPDATE chat_messages SET gone = ?2, unread = 0, text = NULL, edited = NULL, name = NULL, \
            notice = NULL, amount = NULL, causes = NULL, to_pen = NULL, to_number = NULL, \
            shown = shown AND ?2 = 1, due = CASE ?2 WHEN 1 THEN due END WHERE row = ?1";
        self.c.prepare_cached(blank)?.execute((target.row, gone as u8))?;
        if is_said(&target.kind) {
            self.wipe_effects(target, gone)?;
        }
        match about {
            // Without its last words a message would go back to words that its author had replaced.
            Some(about) if stood_for && gone == Gone::Expired => self.wipe(&about, Gone::Expired),
            Some(about) if stood_for => self.say_anew(&about),
            _ => Ok(()),
        }
    }

    /// Wipes the edits of a message and the reactions to it.
    fn wipe_effects(&self, target: &Target, gone: Gone) -> Result<()> {
        let blank = "UPDATE chat_messages SET gone = ?4, text = NULL, causes = NULL, due = NULL, \
            to_pen = NULL, to_number = NULL, amount = NULL \
            WHERE conversation = ?1 AND to_pen = ?2 AND to_number = ?3 AND kind IN ('edit', 'reaction') AND gone = 0";
        let key = (target.conversation, target.id.pen.0, target.id.number, gone as u8);
        self.c.prepare_cached(blank)?.execute(key)?;
        let forget = "DELETE FROM chat_stages WHERE conversation = ?1 AND pen = ?2 AND number = ?3 AND ?4 = 2";
        self.c.prepare_cached(forget)?.execute(key).map(drop)
    }

    /// Wipes what an expired reaction replaced, or it would be seen again.
    fn wipe_earlier_reactions(&self, target: &Target) -> Result<()> {
        let Some(to) = target.to else { return Ok(()) };
        let blank = "UPDATE chat_messages SET gone = 2, text = NULL, causes = NULL, due = NULL, to_pen = NULL, \
            to_number = NULL, amount = NULL \
            WHERE conversation = ?1 AND to_pen = ?2 AND to_number = ?3 AND kind = 'reaction' AND gone = 0 \
            AND author = ?4 AND text = ?5 \
            AND (time, pen, number) < (SELECT time, pen, number FROM chat_messages WHERE row = ?6)";
        let values = params![target.conversation, to.pen.0, to.number, target.author, target.text, target.row];
        self.c.prepare_cached(blank)?.execute(values).map(drop)
    }

    fn index(&self, row: i64) -> Result<()> {
        let put = "INSERT INTO chat_search (rowid, text, place) SELECT row, text, place FROM chat_said WHERE row = ?1";
        self.c.prepare_cached(put)?.execute([row]).map(drop)
    }

    /// Takes a message out of the search, as it still stands in the history (SQLite, "FTS5", the 'delete' command).
    fn unindex(&self, row: i64) -> Result<()> {
        let take = "INSERT INTO chat_search (chat_search, rowid, text, place) \
            SELECT 'delete', row, text, place FROM chat_said WHERE row = ?1";
        self.c.prepare_cached(take)?.execute([row]).map(drop)
    }

    fn count(&self, conversation: i64, unread: i32) -> Result<()> {
        let set = "UPDATE chat_conversations SET unread = unread + ?2 WHERE id = ?1";
        self.c.prepare_cached(set)?.execute((conversation, unread)).map(drop)
    }

    /// Marks a message as read; one that is not here yet will be when it comes.
    fn read(&self, conversation: i64, id: MessageId) -> Result<()> {
        let key = (conversation, id.pen.0, id.number);
        let set = "UPDATE chat_messages SET unread = 0 \
            WHERE conversation = ?1 AND pen = ?2 AND number = ?3 AND unread = 1";
        if self.c.prepare_cached(set)?.execute(key)? > 0 {
            return self.count(conversation, -1);
        }
        if find(self.c, conversation, id)?.is_none() {
            let put = "INSERT OR IGNORE INTO chat_read_early (conversation, pen, number) VALUES (?1, ?2, ?3)";
            self.c.prepare_cached(put)?.execute(key)?;
            let bound = "DELETE FROM chat_read_early WHERE row <= (SELECT max(row) FROM chat_read_early) - ?1";
            self.c.prepare_cached(bound)?.execute([MAX_READ_EARLY])?;
        }
        Ok(())
    }

    fn was_read_early(&self, conversation: i64, id: MessageId) -> Result<bool> {
        let take = "DELETE FROM chat_read_early WHERE conversation = ?1 AND pen = ?2 AND number = ?3";
        let taken = self.c.prepare_cached(take)?.execute((conversation, id.pen.0, id.number))?;
        Ok(taken > 0)
    }

    /// Returns a row that is free, the last of the millisecond.
    fn new_row(&self, said_ms: u64) -> Result<i64> {
        let first = (said_ms << ROW_BITS) as i64;
        let end = first + (1 << ROW_BITS);
        let last = |below: i64| -> Result<Option<i64>> {
            let query = "SELECT max(row) FROM chat_messages WHERE row < ?1";
            self.c.prepare_cached(query)?.query_row([below], |row| row.get(0))
        };
        Ok(match last(end)? {
            Some(last) if last < first => first,
            Some(last) if last + 1 < end => last + 1,
            // A million that claim the same millisecond: the rest are the newest of all.
            Some(_) => last(i64::MAX)?.map_or(first, |last| last + 1),
            None => first,
        })
    }
}

/// Returns when a row's message was said, as far as that is believed: in milliseconds since 1970.
pub(super) fn said_ms(row: i64) -> u64 {
    (row >> ROW_BITS) as u64
}

/// Finds a message.
pub(super) fn find(c: &Connection, conversation: i64, id: MessageId) -> Result<Option<Target>> {
    let query = format!("SELECT {TARGET} FROM chat_messages WHERE conversation = ?1 AND pen = ?2 AND number = ?3");
    c.prepare_cached(&query)?.query_row((conversation, id.pen.0, id.number), read_target).optional()
}

/// Finds the messages that are due, so many at most.
pub(super) fn due(c: &Connection, now_ms: u64, limit: usize) -> Result<Vec<Target>> {
    let query = format!("SELECT {TARGET} FROM chat_messages WHERE due <= ?1 ORDER BY due LIMIT ?2");
    let mut query = c.prepare_cached(&query)?;
    query.query_map((now_ms as i64, limit as i64), read_target)?.collect()
}

fn read_target(row: &Row<'_>) -> Result<Target> {
    Ok(Target {
        row: row.get("row")?,
        conversation: row.get("conversation")?,
        kind: row.get("kind")?,
        id: read_id(row)?,
        author: row.get("author")?,
        to: read_to(row)?,
        text: row.get("text")?,
        edited: row.get("edited")?,
        is_unread: row.get("unread")?,
        is_gone: row.get::<_, u8>("gone")? != 0,
    })
}
