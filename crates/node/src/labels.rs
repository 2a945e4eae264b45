//! Labels of torrents: words by which tools sort them. The engine knows nothing of them.
//!
//! Owns the tables `labels_torrents` and `labels_names`, and what is in them in memory. Invariant: a label is told after it
//! was stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use db::{Db, DbError};
use torrent::TorrentId;

const MIGRATIONS: &[&str] = &[
    "CREATE TABLE labels_torrents (
    torrent TEXT NOT NULL, position INTEGER NOT NULL, label TEXT NOT NULL,
    PRIMARY KEY (torrent, position)
) WITHOUT ROWID",
    "CREATE TABLE labels_names (label TEXT PRIMARY KEY) WITHOUT ROWID",
];

/// How many labels a torrent may have. Arbitrary.
const MAX_LABELS: usize = 64;

/// How many labels are kept that no torrent need have. Arbitrary: more than anybody tells apart.
const MAX_NAMES: usize = 1000;

/// How long a label may be, in bytes. Arbitrary: longer ones are no words to sort by.
const MAX_LABEL_BYTES: usize = 256;

/// The handle. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Labels(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    known: Mutex<Known>,
    /// One change at a time, so that memory and table change in the same order.
    changing: tokio::sync::Mutex<()>,
    /// Counts the changes of torrents.
    version: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    /// Torrents that have some.
    torrents: BTreeMap<TorrentId, Vec<String>>,
    /// Those that stay when no torrent has them.
    names: BTreeSet<String>,
}

/// Why labels are not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabelError {
    #[error("{0}")]
    Input(String),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Labels {
    /// Reads what is stored.
    pub(crate) async fn open(db: Db) -> Result<Labels, DbError> {
        db.migrate("labels", MIGRATIONS).await?;
        let rows = db.call(|db| {
            let mut statement = db.prepare("SELECT torrent, label FROM labels_torrents ORDER BY torrent, position")?;
            let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        let mut known = Known::default();
        for (torrent, label) in rows.await? {
            // What is no id was written by nobody.
            if let Ok(id) = torrent.parse() {
                known.torrents.entry(id).or_default().push(label);
            }
        }
        let names = db.call(|db| {
            let mut statement = db.prepare("SELECT label FROM labels_names")?;
            statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()
        });
        known.names = names.await?;
        let (changing, version) = Default::default();
        Ok(Labels(Arc::new(Inner { db, known: Mutex::new(known), changing, version })))
    }

    /// Returns a torrent's labels.
    pub(crate) fn of(&self, torrent: TorrentId) -> Vec<String> {
        self.known().torrents.get(&torrent).cloned().unwrap_or_default()
    }

    /// Returns all labels: those that torrents have, and those that were created.
    pub(crate) fn all(&self) -> BTreeSet<String> {
        let known = self.known();
        known.torrents.values().flatten().chain(&known.names).cloned().collect()
    }

    /// Returns how many torrents have each label.
    pub(crate) fn counts(&self) -> BTreeMap<String, u32> {
        let known = self.known();
        let mut counts: BTreeMap<String, u32> = known.names.iter().map(|name| (name.clone(), 0)).collect();
        for label in known.torrents.values().flatten() {
            *counts.entry(label.clone()).or_default() += 1;
        }
        counts
    }

    /// Returns a number that is another whenever some torrent's labels changed.
    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Creates labels, which stay when no torrent has them. They are good as [`read`] made them; what is too many is left out.
    pub(crate) async fn create(&self, labels: Vec<String>) -> Result<(), DbError> {
        let _one_at_a_time = self.0.changing.lock().await;
        let new: Vec<String> = {
            let known = self.known();
            let room = MAX_NAMES.saturating_sub(known.names.len());
            labels.into_iter().filter(|label| !known.names.contains(label)).take(room).collect()
        };
        let rows = new.clone();
        let stored = self.0.db.call(move |db| {
            let transaction = db.transaction()?;
            for label in &rows {
                transaction.execute("INSERT OR IGNORE INTO labels_names VALUES (?1)", [label])?;
            }
            transaction.commit()
        });
        stored.await?;
        self.known().names.extend(new);
        Ok(())
    }

    /// Takes labels away from all torrents, and forgets them.
    pub(crate) async fn delete(&self, labels: &BTreeSet<String>) -> Result<(), DbError> {
        let having: Vec<(TorrentId, Vec<String>)> = {
            let known = self.known();
            let having = known.torrents.iter().filter(|(_, of)| of.iter().any(|label| labels.contains(label)));
            having
                .map(|(id, of)| (*id, of.iter().filter(|label| !labels.contains(*label)).cloned().collect()))
                .collect()
        };
        for (torrent, rest) in having {
            self.set(torrent, rest).await?;
        }
        let _one_at_a_time = self.0.changing.lock().await;
        let rows = labels.clone();
        let stored = self.0.db.call(move |db| {
            let transaction = db.transaction()?;
            for label in &rows {
                transaction.execute("DELETE FROM labels_names WHERE label = ?1", [label])?;
            }
            transaction.commit()
        });
        stored.await?;
        self.known().names.retain(|label| !labels.contains(label));
        Ok(())
    }

    /// Gives a torrent these labels and no others. They are good as [`read`] made them.
    pub(crate) async fn set(&self, torrent: TorrentId, labels: Vec<String>) -> Result<(), DbError> {
        let _one_at_a_time = self.0.changing.lock().await;
        self.store(torrent, labels).await
    }

    /// Changes a torrent's labels: nobody else changes them meanwhile.
    pub(crate) async fn change(
        &self,
        torrent: TorrentId,
        change: impl FnOnce(&mut Vec<String>),
    ) -> Result<(), LabelError> {
        let _one_at_a_time = self.0.changing.lock().await;
        let mut labels = self.of(torrent);
        change(&mut labels);
        let labels = read(labels.iter().map(String::as_str)).map_err(LabelError::Input)?;
        Ok(self.store(torrent, labels).await?)
    }

    async fn store(&self, torrent: TorrentId, labels: Vec<String>) -> Result<(), DbError> {
        if self.of(torrent) == labels {
            return Ok(());
        }
        let (name, rows) = (torrent.to_string(), labels.clone());
        let stored = self.0.db.call(move |db| {
            let transaction = db.transaction()?;
            transaction.execute("DELETE FROM labels_torrents WHERE torrent = ?1", [&name])?;
            for (position, label) in (0_u32..).zip(&rows) {
                transaction.execute("INSERT INTO labels_torrents VALUES (?1, ?2, ?3)", (&name, position, label))?;
            }
            transaction.commit()
        });
        stored.await?;
        match labels.is_empty() {
            true => drop(self.known().torrents.remove(&torrent)),
            false => drop(self.known().torrents.insert(torrent, labels)),
        }
        self.0.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Forgets the labels of torrents that are gone, so that one which comes again comes without.
    pub(crate) async fn keep_only(&self, torrents: &BTreeSet<TorrentId>) -> Result<(), DbError> {
        let gone: Vec<TorrentId> = self.known().torrents.keys().filter(|id| !torrents.contains(id)).copied().collect();
        for torrent in gone {
            self.set(torrent, Vec::new()).await?;
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics between two changes of it.
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks labels, and takes away the room around them. The error is one sentence.
pub(crate) fn read<'a>(labels: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let mut read = Vec::new();
    for label in labels {
        let label = label.trim();
        if label.is_empty() {
            return Err("labels cannot be empty".to_owned());
        }
        // Tools write them with commas between.
        if label.contains(',') {
            return Err("labels cannot contain comma (,) character".to_owned());
        }
        if label.len() > MAX_LABEL_BYTES {
            return Err(format!("a label has at most {MAX_LABEL_BYTES} bytes"));
        }
        if !read.iter().any(|known| known == label) {
            read.push(label.to_owned());
        }
        if read.len() > MAX_LABELS {
            return Err(format!("a torrent has at most {MAX_LABELS} labels"));
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> TorrentId {
        metainfo::InfoHashV1([byte; 20])
    }

    #[tokio::test(flavor = "current_thread")]
    async fn labels_are_there_after_a_restart_and_go_with_their_torrent() {
        let db = Db::in_memory().unwrap();
        let labels = Labels::open(db.clone()).await.unwrap();
        let words = |words: &[&str]| read(words.iter().copied()).unwrap();
        labels.set(id(1), words(&[" films ", "to see", "films"])).await.unwrap();
        labels.set(id(2), words(&["music"])).await.unwrap();
        labels.set(id(2), words(&["songs"])).await.unwrap();

        let again = Labels::open(db.clone()).await.unwrap();
        assert_eq!((again.of(id(1)), again.of(id(2))), (words(&["films", "to see"]), words(&["songs"])));
        again.keep_only(&[id(2)].into()).await.unwrap();
        let third = Labels::open(db).await.unwrap();
        assert_eq!((third.of(id(1)), third.of(id(2))), (vec![], words(&["songs"])));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_label_that_was_created_stays_until_it_is_deleted() {
        let db = Db::in_memory().unwrap();
        let labels = Labels::open(db.clone()).await.unwrap();
        let words = |words: &[&str]| read(words.iter().copied()).unwrap();
        labels.create(words(&["films", "music"])).await.unwrap();
        labels.set(id(1), words(&["films", "new"])).await.unwrap();
        let again = Labels::open(db.clone()).await.unwrap();
        assert_eq!(again.all(), words(&["films", "music", "new"]).into_iter().collect());
        again.set(id(1), vec![]).await.unwrap();
        assert_eq!(again.all(), words(&["films", "music"]).into_iter().collect());
        again.set(id(1), words(&["new", "films"])).await.unwrap();
        again.delete(&words(&["films", "unknown"]).into_iter().collect()).await.unwrap();
        let third = Labels::open(db).await.unwrap();
        assert_eq!((third.of(id(1)), third.all()), (words(&["new"]), words(&["music", "new"]).into_iter().collect()));
        let many = (0..=MAX_NAMES).map(|n| n.to_string()).collect();
        third.create(many).await.unwrap();
        assert_eq!(third.all().len(), MAX_NAMES + 1, "those that were created, and one that a torrent has");
    }

    #[test]
    fn what_no_tool_could_show_is_refused() {
        for (label, words) in [("", "empty"), ("  ", "empty"), ("a,b", "comma"), (&"x".repeat(257)[..], "bytes")] {
            assert!(read([label]).unwrap_err().contains(words), "{label:?}");
        }
        let many: Vec<String> = (0..=MAX_LABELS).map(|n| n.to_string()).collect();
        assert!(read(many.iter().map(String::as_str)).unwrap_err().contains("64"));
    }
}
