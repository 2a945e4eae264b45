//! Categories of torrents: a torrent is in one at most, and one may say where its torrents go. The engine knows nothing of
//! them.
//!
//! Owns the tables `categories_names` and `categories_torrents`, and what is in them in memory. Invariants: what is told was
//! stored before; a torrent is only in a category that there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use db::{Db, DbError};
use torrent::TorrentId;

const MIGRATIONS: &[&str] =
    &["CREATE TABLE categories_names (name TEXT PRIMARY KEY, folder TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE categories_torrents (torrent TEXT PRIMARY KEY, category TEXT NOT NULL) WITHOUT ROWID"];

/// How many categories there may be. Arbitrary: more than anybody tells apart.
const MAX_CATEGORIES: usize = 1000;

/// How long a name or a folder may be, in bytes. The longest path of Linux (PATH_MAX).
const MAX_BYTES: usize = 4096;

/// The handle. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Categories(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    known: Mutex<Known>,
    /// One change at a time, so that memory and tables change in the same order.
    changing: tokio::sync::Mutex<()>,
    /// Counts the changes of torrents.
    version: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    /// Names, and where their torrents go; empty: nowhere in particular.
    names: BTreeMap<String, String>,
    torrents: BTreeMap<TorrentId, String>,
}

/// Why a category is not made or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CategoryError {
    #[error("{0}")]
    Input(&'static str),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Categories {
    /// Reads what is stored.
    pub(crate) async fn open(db: Db) -> Result<Categories, DbError> {
        db.migrate("categories", MIGRATIONS).await?;
        let read = db.call(|db| {
            let mut names = db.prepare("SELECT name, folder FROM categories_names")?;
            let names = names.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            let names = names.collect::<Result<BTreeMap<_, _>, _>>()?;
            let mut torrents = db.prepare("SELECT torrent, category FROM categories_torrents")?;
            let torrents = torrents.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            Ok((names, torrents.collect::<Result<Vec<_>, _>>()?))
        });
        let (names, torrents) = read.await?;
        // What is no id was written by nobody.
        let torrents = torrents.into_iter().filter_map(|(id, category)| Some((id.parse().ok()?, category)));
        let known = Known { torrents: torrents.filter(|(_, name)| names.contains_key(name)).collect(), names };
        let (changing, version) = Default::default();
        Ok(Categories(Arc::new(Inner { db, known: Mutex::new(known), changing, version })))
    }

    /// Returns a torrent's category; empty: it has none.
    pub(crate) fn of(&self, torrent: TorrentId) -> String {
        self.known().torrents.get(&torrent).cloned().unwrap_or_default()
    }

    /// Returns all categories, and where their torrents go.
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        self.known().names.clone()
    }

    /// Returns how many torrents are in each category.
    pub(crate) fn counts(&self) -> BTreeMap<String, u32> {
        let known = self.known();
        let mut counts: BTreeMap<String, u32> = known.names.keys().map(|name| (name.clone(), 0)).collect();
        for name in known.torrents.values() {
            *counts.entry(name.clone()).or_default() += 1;
        }
        counts
    }

    /// Returns a number that is another whenever some torrent's category changed.
    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Returns where new torrents of a category go, if it says so; what it says may begin at `default`.
    pub(crate) fn folder(&self, name: &str, default: &std::path::Path) -> Option<PathBuf> {
        let folder = self.known().names.get(name).filter(|folder| !folder.is_empty()).cloned()?;
        Some(default.join(folder))
    }

    /// Creates a category.
    pub(crate) async fn create(&self, name: &str, folder: &str) -> Result<(), CategoryError> {
        check(name, folder)?;
        let _one_at_a_time = self.0.changing.lock().await;
        if self.known().names.contains_key(name) {
            return Err(CategoryError::Input("Unable to create category: there is one of this name"));
        }
        if self.known().names.len() >= MAX_CATEGORIES {
            return Err(CategoryError::Input("Unable to create category: there are too many, remove some"));
        }
        self.store(name, folder).await
    }

    /// Creates a category, unless there is one of this name.
    pub(crate) async fn ensure(&self, name: &str) -> Result<(), CategoryError> {
        match self.create(name, "").await {
            Err(CategoryError::Input(_)) if self.known().names.contains_key(name) => Ok(()),
            created => created,
        }
    }

    /// Changes where new torrents of a category go.
    pub(crate) async fn edit(&self, name: &str, folder: &str) -> Result<(), CategoryError> {
        check(name, folder)?;
        let _one_at_a_time = self.0.changing.lock().await;
        if !self.known().names.contains_key(name) {
            return Err(CategoryError::Input("Unable to edit category: there is none of this name"));
        }
        self.store(name, folder).await
    }

    async fn store(&self, name: &str, folder: &str) -> Result<(), CategoryError> {
        let row = (name.to_owned(), folder.to_owned());
        let stored =
            self.0.db.call(move |db| db.execute("INSERT OR REPLACE INTO categories_names VALUES (?1, ?2)", row));
        stored.await?;
        self.known().names.insert(name.to_owned(), folder.to_owned());
        Ok(())
    }

    /// Removes categories; their torrents have none then.
    pub(crate) async fn remove(&self, names: Vec<String>) -> Result<(), DbError> {
        let _one_at_a_time = self.0.changing.lock().await;
        let rows = names.clone();
        let stored = self.0.db.call(move |db| {
            let transaction = db.transaction()?;
            for name in &rows {
                transaction.execute("DELETE FROM categories_names WHERE name = ?1", [name])?;
                transaction.execute("DELETE FROM categories_torrents WHERE category = ?1", [name])?;
            }
            transaction.commit()
        });
        stored.await?;
        let mut known = self.known();
        known.names.retain(|name, _| !names.contains(name));
        known.torrents.retain(|_, name| !names.contains(name));
        drop(known);
        self.0.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Puts a torrent into a category; empty: into none.
    pub(crate) async fn set(&self, torrent: TorrentId, name: &str) -> Result<(), CategoryError> {
        let _one_at_a_time = self.0.changing.lock().await;
        if !name.is_empty() && !self.known().names.contains_key(name) {
            return Err(CategoryError::Input("Incorrect category name"));
        }
        if self.of(torrent) == name {
            return Ok(());
        }
        let row = (torrent.to_string(), name.to_owned());
        let stored = self.0.db.call(move |db| match row.1.is_empty() {
            true => db.execute("DELETE FROM categories_torrents WHERE torrent = ?1", [row.0]),
            false => db.execute("INSERT OR REPLACE INTO categories_torrents VALUES (?1, ?2)", row),
        });
        stored.await?;
        match name.is_empty() {
            true => drop(self.known().torrents.remove(&torrent)),
            false => drop(self.known().torrents.insert(torrent, name.to_owned())),
        }
        self.0.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Forgets the categories of torrents that are gone, so that one which comes again comes without.
    pub(crate) async fn keep_only(&self, torrents: &BTreeSet<TorrentId>) -> Result<(), DbError> {
        let gone: Vec<TorrentId> = self.known().torrents.keys().filter(|id| !torrents.contains(id)).copied().collect();
        for torrent in gone {
            match self.set(torrent, "").await {
                Ok(()) | Err(CategoryError::Input(_)) => {}
                Err(CategoryError::Db(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics between two changes of it.
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks a name: slashes part it, and there is something between them.
pub(crate) fn check(name: &str, folder: &str) -> Result<(), CategoryError> {
    if name.is_empty() {
        return Err(CategoryError::Input("Category cannot be empty"));
    }
    let parted = name.split('/').all(|part| !part.is_empty());
    if !parted || name.contains('\\') || name.contains('\n') || name.len() > MAX_BYTES {
        return Err(CategoryError::Input("Incorrect category name"));
    }
    if folder.len() > MAX_BYTES || folder.contains('\0') {
        return Err(CategoryError::Input("Incorrect save path of a category"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn id(byte: u8) -> TorrentId {
        metainfo::InfoHashV1([byte; 20])
    }

    #[tokio::test(flavor = "current_thread")]
    async fn categories_are_there_after_a_restart_and_torrents_leave_those_that_are_removed() {
        let db = Db::in_memory().unwrap();
        let categories = Categories::open(db.clone()).await.unwrap();
        categories.create("films", "").await.unwrap();
        categories.create("music/old", "songs").await.unwrap();
        assert!(categories.create("films", "/x").await.is_err());
        assert!(categories.edit("unknown", "/x").await.is_err());
        assert!(categories.set(id(1), "unknown").await.is_err());
        categories.edit("films", "/films").await.unwrap();
        categories.set(id(1), "films").await.unwrap();
        categories.set(id(2), "music/old").await.unwrap();
        categories.set(id(3), "films").await.unwrap();

        let again = Categories::open(db.clone()).await.unwrap();
        assert_eq!(
            (again.of(id(1)), again.of(id(2)), again.of(id(4))),
            ("films".into(), "music/old".into(), "".into())
        );
        let here = Path::new("/here");
        assert_eq!(again.folder("films", here), Some("/films".into()));
        assert_eq!(again.folder("music/old", here), Some("/here/songs".into()));
        again.keep_only(&[id(1), id(2)].into()).await.unwrap();
        again.remove(vec!["films".to_owned()]).await.unwrap();
        let third = Categories::open(db).await.unwrap();
        assert_eq!((third.of(id(1)), third.of(id(2)), third.of(id(3))), ("".into(), "music/old".into(), "".into()));
        assert_eq!(third.all(), [("music/old".to_owned(), "songs".to_owned())].into());
    }

    #[test]
    fn names_that_no_tool_could_show_as_a_tree_are_refused() {
        for name in ["", "/a", "a/", "a//b", "a\\b", "a\nb"] {
            assert!(check(name, "").is_err(), "{name:?}");
        }
        assert!(check("a/b c", "/x").is_ok());
    }
}
