//! Conversations for other programs: as lines of JSON, or as a folder of mails.
//!
//! Both are written page by page, so that a long history takes no more memory than a short one.

mod json;
mod mbox;

use std::io;

use base::{GroupId, PersonId};
use db::DbError;
use jiff::Timestamp;

pub use json::write_json;
pub use mbox::write_mbox;

use crate::proto::Conversation;
use crate::store::{Entry, Position, Span, Store};

/// How many lines are in memory at once. Arbitrary: a few megabytes of the longest.
const PAGE: usize = 100;

/// What people and groups are called.
pub trait Names: Sync {
    /// Returns what the user calls a person.
    fn person(&self, person: PersonId) -> String;

    /// Returns what a group is called.
    fn group(&self, group: GroupId) -> String;
}

/// Why nothing (more) is exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The history cannot be read.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The file cannot be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
}

/// Reads the pages of a conversation, from its beginning.
struct Pages<'a> {
    store: &'a Store,
    conversation: &'a Conversation,
    after: Option<Position>,
}

impl Pages<'_> {
    fn of<'a>(store: &'a Store, conversation: &'a Conversation) -> Pages<'a> {
        Pages { store, conversation, after: None }
    }

    /// Returns the next page; an empty one at the end.
    async fn next(&mut self) -> Result<Vec<Entry>, DbError> {
        let span = Span { after: self.after, from_start: true, ..Span::default() };
        let page = self.store.lines(self.conversation, span, PAGE).await?;
        self.after = page.last().map(|entry| entry.position).or(self.after);
        Ok(page)
    }
}

/// The time of an author's clock, which may be any number; one beyond the year 9999 is the last of that.
fn time(written: u64) -> Timestamp {
    i64::try_from(written).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}
