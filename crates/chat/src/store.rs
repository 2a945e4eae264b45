//! What a restart needs, and the history: what was said, in the order in which it is shown, counted, searched, and
//! forgotten in time. Owns the tables `chat_…` of the node's database.
//!
//! **Invariant:** what is shown depends on which messages are here, not on the order in which they came.
//!
//! **Invariant:** of what was taken back or is expired, nothing that was said is in the database any more: neither in
//! the rows, nor in the full-text index, nor in pages that are free (`secure_delete`), nor, as soon as no other process
//! reads the database, in its write-ahead log. What the file system or the disk keeps of overwritten blocks is beyond
//! it, and so are backups.

mod apply;
mod expiry;
mod give;
mod history;
mod mailbox;
mod places;
mod row;
mod schema;
mod search;
#[cfg(test)]
mod tests;

use base::PersonId;
use db::{Db, DbError};
use rusqlite::{Connection, Result as SqlResult};

pub use expiry::Expired;
pub use give::Kept;
pub use history::{Entry, Moment, Position, Quote, Said, Span};
pub use mailbox::{Indexed, MailboxChange};
pub use places::{Newest, Summary};
pub use search::Hit;

use crate::proto::{Change, Conversation, Message, MessageId};
use apply::Writer;
use places::{known_place, place};

/// How many lines, hits or ids one call reads at most. Arbitrary: some screens, and less than a megabyte of texts.
pub const MAX_PAGE: usize = 1000;

/// How many messages may be marked as read before they come. Arbitrary: a long history that an own node gives, which
/// says first what was read.
const MAX_READ_EARLY: i64 = 100_000;

/// How many statements the connection keeps prepared: more than there are in this module. Arbitrary beyond that.
const PREPARED: usize = 64;

/// The tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    me: PersonId,
}

impl Store {
    /// Brings the tables up to date. What `me` says is never unread.
    pub async fn open(db: Db, me: PersonId) -> Result<Store, DbError> {
        db.migrate("chat", schema::STEPS).await?;
        let prepare = |c: &mut Connection| {
            c.set_prepared_statement_cache_capacity(PREPARED);
            // The full-text index moves what it holds between pages at any time, so that it has to be on always, not
            // only when something is wiped. Of what other services delete nothing stays either.
            c.pragma_update(None, "secure_delete", "on")
        };
        db.call(prepare).await?;
        Ok(Store { db, me })
    }

    /// Lets changes take effect, all or none. What was applied before changes nothing. Messages that disappear are
    /// counted from `now_ms`, in milliseconds since 1970.
    pub async fn apply(&self, changes: Vec<Change>, now_ms: u64) -> Result<(), DbError> {
        let me = self.me;
        self.db
            .call(move |c| {
                let transaction = c.transaction()?;
                let mut writer = Writer::new(&transaction, me, now_ms);
                changes.iter().try_for_each(|change| writer.change(change))?;
                let wiped = writer.wiped;
                transaction.commit()?;
                if wiped {
                    expiry::scrub(c);
                }
                Ok(())
            })
            .await
    }

    /// Reads the facts of the state machine.
    pub async fn facts(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, DbError> {
        self.db
            .call(|c| {
                let mut query = c.prepare_cached("SELECT key, value FROM chat_facts ORDER BY key")?;
                query.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .await
    }

    /// Reads the list of the conversations, the one in which something was said last first.
    pub async fn conversations(&self) -> Result<Vec<Summary>, DbError> {
        self.db.call(|c| places::summaries(c)).await
    }

    /// Says whether the user wants to hear nothing of a conversation.
    pub async fn set_muted(&self, conversation: Conversation, is_muted: bool) -> Result<(), DbError> {
        let work = move |c: &mut Connection| {
            let place = place(c, &conversation)?;
            c.execute("UPDATE chat_conversations SET muted = ?2 WHERE id = ?1", (place, is_muted))
        };
        self.db.call(work).await.map(drop)
    }

    /// Reads the last lines of a conversation, or the last before one of them: at most [`MAX_PAGE`], in the order in
    /// which they are shown.
    pub async fn history(
        &self,
        conversation: &Conversation,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Entry>, DbError> {
        self.lines(conversation, Span { before, ..Span::default() }, limit).await
    }

    /// Reads the lines of a span: at most [`MAX_PAGE`], in the order in which they are shown.
    pub async fn lines(&self, conversation: &Conversation, span: Span, limit: usize) -> Result<Vec<Entry>, DbError> {
        self.within(conversation, move |c, place| history::entries(c, place, span, limit)).await
    }

    /// Reads the lines around a position: half of them before it.
    pub async fn around(&self, conversation: &Conversation, at: Position, limit: usize) -> Result<Vec<Entry>, DbError> {
        let limit = limit.min(MAX_PAGE);
        let work = move |c: &Connection, place| {
            let before = Span { before: Some(at), ..Span::default() };
            let mut lines = history::entries(c, place, before, limit / 2)?;
            // No message has the number 0: nothing stands between this and the position.
            let just_before = Position { id: MessageId { number: at.id.number.saturating_sub(1), ..at.id }, ..at };
            let after = Span { after: Some(just_before), from_start: true, ..Span::default() };
            lines.extend(history::entries(c, place, after, limit - lines.len())?);
            Ok(lines)
        };
        self.within(conversation, work).await
    }

    /// Finds where a message stands; `None` if it has no line (any more).
    pub async fn position(&self, conversation: &Conversation, id: MessageId) -> Result<Option<Position>, DbError> {
        self.within(conversation, move |c, place| history::position(c, place, id)).await
    }

    /// Finds the lines around a moment, in milliseconds since 1970 by the authors' clocks.
    pub async fn moment(&self, conversation: &Conversation, written: u64) -> Result<Moment, DbError> {
        self.within(conversation, move |c, place| history::moment(c, place, written)).await
    }

    /// Finds what the user has not read yet up to a position, or at all: the oldest first, at most [`MAX_PAGE`].
    pub async fn unread(
        &self,
        conversation: &Conversation,
        until: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, DbError> {
        self.within(conversation, move |c, place| history::unread(c, place, until, limit)).await
    }

    /// Finds texts and attachments that have all of these words, the last one at least its beginning: the newest first,
    /// at most [`MAX_PAGE`].
    pub async fn search(
        &self,
        words: &str,
        conversation: Option<&Conversation>,
        limit: usize,
    ) -> Result<Vec<Hit>, DbError> {
        let words = words.to_owned();
        match conversation {
            Some(conversation) => {
                self.within(conversation, move |c, place| search::search(c, &words, Some(place), limit)).await
            }
            None => self.db.call(move |c| search::search(c, &words, None, limit)).await,
        }
    }

    /// Reads messages as they came; those that are not here, were taken back or are expired are left out.
    pub async fn messages(&self, conversation: &Conversation, ids: Vec<MessageId>) -> Result<Vec<Message>, DbError> {
        self.within(conversation, move |c, place| give::messages(c, place, &ids)).await
    }

    /// Names what [`Store::messages`] has, of one conversation or of all: at most [`MAX_PAGE`], from after the last
    /// that was named. Nothing stands before its causes.
    pub async fn all(
        &self,
        conversation: Option<Conversation>,
        after: Option<(Conversation, Position)>,
        limit: usize,
    ) -> Result<Vec<Kept>, DbError> {
        self.db.call(move |c| give::all(c, conversation.as_ref(), after, limit.min(MAX_PAGE))).await
    }

    /// Wipes what is due, some at a time: when the next is due already, call again at once.
    pub async fn expire(&self, now_ms: u64) -> Result<Expired, DbError> {
        let me = self.me;
        self.db.call(move |c| expiry::expire(c, me, now_ms)).await
    }

    /// Asks about a conversation; of one that is not known there is nothing.
    async fn within<T, F>(&self, conversation: &Conversation, work: F) -> Result<T, DbError>
    where
        T: Default + Send + 'static,
        F: FnOnce(&Connection, i64) -> SqlResult<T> + Send + 'static,
    {
        let name = conversation.clone();
        self.db.call(move |c| known_place(c, &name)?.map_or_else(|| Ok(T::default()), |place| work(c, place))).await
    }
}

/// When a message was said, as far as that is believed: as its author says, but not after it came here.
fn believed(written: u64, now_ms: u64) -> u64 {
    /// A row's number has so many bits for it: enough until the year 2248.
    const MAX: u64 = (1 << 43) - 1;
    written.min(now_ms).min(MAX)
}
