//! What disappears, and that it does.

use base::PersonId;
use rusqlite::{Connection, Result};

use super::apply::{Gone, Writer, due, find};
use super::places::named;
use crate::proto::{Conversation, MessageId};

/// How many messages expire in one transaction at most, so that nobody waits long for the database: each takes up to a
/// millisecond, most of it in the full-text index (`examples/history_cost.rs`).
const MAX_EXPIRED: usize = 100;

/// What [`super::Store::expire`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// The messages whose lines are gone.
    pub messages: Vec<(Conversation, MessageId)>,
    /// When to call again, in milliseconds since 1970; `None`: when a message was applied that expires.
    pub next_ms: Option<u64>,
}

pub(super) fn expire(c: &mut Connection, me: PersonId, now_ms: u64) -> Result<Expired> {
    let transaction = c.transaction()?;
    let mut writer = Writer::new(&transaction, me, now_ms);
    for target in due(&transaction, now_ms, MAX_EXPIRED)? {
        // It may have gone with one before it; or it is an edit, with which what it edited goes.
        let Some(target) = find(&transaction, target.conversation, target.id)? else { continue };
        writer.wipe(&target, Gone::Expired)?;
    }
    let (wiped, expired) = (writer.wiped, writer.expired);
    let query = "SELECT min(due) FROM chat_messages WHERE due IS NOT NULL";
    let next_ms = transaction.query_row(query, (), |row| row.get::<_, Option<i64>>(0))?.map(|due| due as u64);
    let messages =
        expired.into_iter().map(|(place, id)| Ok((named(&transaction, place)?, id))).collect::<Result<_>>()?;
    transaction.commit()?;
    if wiped {
        scrub(c);
    }
    Ok(Expired { messages, next_ms })
}

/// Lets what was wiped go from the disk too: pages that held it are zeroed (`secure_delete`), but the write-ahead log
/// still has them as they were.
pub(super) fn scrub(c: &Connection) {
    // Another process that reads the database keeps the log from being emptied, and the transaction is committed
    // anyway. The next one that wipes tries again, and closing the database does.
    let _ = c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
}
