//! What is remembered of entries, so that none is added twice.
//!
//! Owns the table `feeds_entries`. Feeds and entries are in it by hashes, so that however long a feed makes its names,
//! they take the same room.

use std::collections::{BTreeMap, BTreeSet};

use db::{Db, DbError};

const MIGRATIONS: &[&str] = &["CREATE TABLE feeds_entries (
    feed BLOB NOT NULL, entry BLOB NOT NULL, choice BLOB NOT NULL,
    added INTEGER NOT NULL, tries INTEGER NOT NULL, seen_s INTEGER NOT NULL,
    PRIMARY KEY (feed, entry)
) WITHOUT ROWID"];

/// How long an entry is remembered that is not in its feed any more, in seconds. Arbitrary: 90 days; what a site puts back
/// into its feed it does within days.
const KEEP_S: i64 = 90 * 24 * 60 * 60;

/// How many entries of a feed are remembered. Arbitrary: ten times what is looked at.
const MAX_REMEMBERED: usize = 10 * super::document::MAX_ENTRIES;

/// Stands for a text of any length.
pub(super) type Name = [u8; 32];

/// Names a text.
pub(super) fn name(text: &str) -> Name {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// What is remembered of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) added: bool,
    /// How often it could not be added.
    pub(super) tries: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Store {
    db: Db,
}

impl Store {
    /// Opens the table.
    pub(super) async fn open(db: Db) -> Result<Store, DbError> {
        db.migrate("feeds", MIGRATIONS).await?;
        Ok(Store { db })
    }

    /// Returns what is remembered of a feed.
    pub(super) async fn of(&self, feed: Name) -> Result<BTreeMap<Name, Memory>, DbError> {
        let read = self.db.call(move |db| {
            let mut statement = db.prepare("SELECT entry, added, tries FROM feeds_entries WHERE feed = ?1")?;
            let rows = statement.query_map([feed], |row| {
                Ok((row.get::<_, Name>(0)?, Memory { added: row.get(1)?, tries: row.get(2)? }))
            })?;
            rows.collect()
        });
        read.await
    }

    /// Remembers what became of an entry that was taken by this choice.
    pub(super) async fn note(
        &self,
        (feed, entry): (Name, Name),
        choice: Name,
        memory: Memory,
        now_s: i64,
    ) -> Result<(), DbError> {
        let row = (feed, entry, choice, memory.added, memory.tries, now_s);
        let noted = self
            .db
            .call(move |db| db.execute("INSERT OR REPLACE INTO feeds_entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row));
        noted.await.map(drop)
    }

    /// Notes which entries are in a feed now, and forgets of the others those that are gone for long.
    pub(super) async fn keep(&self, feed: Name, present: Vec<Name>, now_s: i64) -> Result<(), DbError> {
        let kept = self.db.call(move |db| {
            let transaction = db.transaction()?;
            for entry in &present {
                let row = (feed, entry, now_s);
                transaction.execute("UPDATE feeds_entries SET seen_s = ?3 WHERE feed = ?1 AND entry = ?2", row)?;
            }
            let old = (feed, now_s.saturating_sub(KEEP_S));
            transaction.execute("DELETE FROM feeds_entries WHERE feed = ?1 AND seen_s < ?2", old)?;
            transaction.execute(
                "DELETE FROM feeds_entries WHERE feed = ?1 AND entry IN
                (SELECT entry FROM feeds_entries WHERE feed = ?1 ORDER BY seen_s DESC LIMIT -1 OFFSET ?2)",
                (feed, MAX_REMEMBERED as u32),
            )?;
            transaction.commit()
        });
        kept.await
    }

    /// Forgets feeds that are not followed any more, when they are gone for long.
    pub(super) async fn keep_feeds(&self, followed: BTreeSet<Name>, now_s: i64) -> Result<(), DbError> {
        let kept = self.db.call(move |db| {
            let transaction = db.transaction()?;
            let old: Vec<Name> = {
                let mut statement =
                    transaction.prepare("SELECT feed FROM feeds_entries GROUP BY feed HAVING max(seen_s) < ?1")?;
                let rows = statement.query_map([now_s.saturating_sub(KEEP_S)], |row| row.get(0))?;
                rows.collect::<Result<_, _>>()?
            };
            for feed in old.iter().filter(|feed| !followed.contains(*feed)) {
                transaction.execute("DELETE FROM feeds_entries WHERE feed = ?1", [feed])?;
            }
            transaction.commit()
        });
        kept.await
    }

    /// Counts what was added, by feed and choice.
    pub(super) async fn added(&self) -> Result<BTreeMap<(Name, Name), u32>, DbError> {
        let counted = self.db.call(|db| {
            let mut statement =
                db.prepare("SELECT feed, choice, count(*) FROM feeds_entries WHERE added GROUP BY feed, choice")?;
            let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
            rows.collect()
        });
        counted.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 24 * 60 * 60;
    const ADDED: Memory = Memory { added: true, tries: 0 };

    #[tokio::test(flavor = "current_thread")]
    async fn entries_are_remembered_while_they_are_in_the_feed_and_long_after() {
        let (db, feed, choice) = (Db::in_memory().unwrap(), name("feed"), name("all"));
        let store = Store::open(db.clone()).await.unwrap();
        let failed = Memory { added: false, tries: 2 };
        store.note((feed, name("a")), choice, ADDED, 0).await.unwrap();
        store.note((feed, name("b")), choice, failed, 0).await.unwrap();
        store.note((name("other"), name("a")), name("some"), ADDED, 0).await.unwrap();
        store.keep(feed, vec![name("a"), name("unknown")], 60 * DAY_S).await.unwrap();

        let again = Store::open(db).await.unwrap();
        assert_eq!(again.of(feed).await.unwrap(), [(name("a"), ADDED), (name("b"), failed)].into());
        assert_eq!(again.added().await.unwrap(), [((feed, choice), 1), ((name("other"), name("some")), 1)].into());
        again.keep(feed, Vec::new(), 91 * DAY_S).await.unwrap();
        assert_eq!(again.of(feed).await.unwrap(), [(name("a"), ADDED)].into());
        again.keep(feed, Vec::new(), 151 * DAY_S).await.unwrap();
        assert!(again.of(feed).await.unwrap().is_empty());
        assert_eq!(again.of(name("other")).await.unwrap().len(), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_feed_that_is_out_of_the_settings_is_forgotten_later() {
        let store = Store::open(Db::in_memory().unwrap()).await.unwrap();
        for feed in ["in", "out"] {
            store.note((name(feed), name("a")), name("all"), ADDED, DAY_S).await.unwrap();
        }
        store.keep_feeds([name("in")].into(), 90 * DAY_S).await.unwrap();
        assert_eq!(store.of(name("out")).await.unwrap().len(), 1);
        store.keep_feeds([name("in")].into(), 92 * DAY_S).await.unwrap();
        assert_eq!(store.of(name("out")).await.unwrap().len(), 0);
        assert_eq!(store.of(name("in")).await.unwrap().len(), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_feed_with_ever_new_entries_does_not_fill_the_database() {
        let (store, feed) = (Store::open(Db::in_memory().unwrap()).await.unwrap(), name("feed"));
        let numbered = |n: usize| name(&n.to_string());
        let fill = store.db.call(move |db| {
            let transaction = db.transaction()?;
            for n in 0..MAX_REMEMBERED + 3 {
                let row = (feed, numbered(n), feed, n as i64 + 1);
                transaction.execute("INSERT INTO feeds_entries VALUES (?1, ?2, ?3, 1, 0, ?4)", row)?;
            }
            transaction.commit()
        });
        fill.await.unwrap();
        store.keep(feed, vec![numbered(0)], 1 << 20).await.unwrap();
        let left = store.of(feed).await.unwrap();
        assert_eq!(left.len(), MAX_REMEMBERED);
        let gone: Vec<usize> = (0..MAX_REMEMBERED + 3).filter(|n| !left.contains_key(&numbered(*n))).collect();
        assert_eq!(gone, [1, 2, 3], "the oldest go, not those that are there");
    }
}
