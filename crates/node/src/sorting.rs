//! By what torrents are sorted: their labels and their category, which come and go with them.

use std::collections::BTreeSet;

use db::{Db, DbError};
use torrent::TorrentId;

use crate::categories::{Categories, CategoryError};
use crate::labels::{LabelError, Labels};

/// The handle. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Sorting {
    pub(crate) labels: Labels,
    pub(crate) categories: Categories,
}

/// By what one torrent is sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sorted {
    pub(crate) labels: Vec<String>,
    pub(crate) category: Option<String>,
}

impl Sorting {
    /// Reads what is stored.
    pub(crate) async fn open(db: Db) -> Result<Sorting, DbError> {
        Ok(Sorting { labels: Labels::open(db.clone()).await?, categories: Categories::open(db).await? })
    }

    /// Returns by what a torrent is sorted.
    pub(crate) fn of(&self, torrent: TorrentId) -> Sorted {
        let category = Some(self.categories.of(torrent)).filter(|name| !name.is_empty());
        Sorted { labels: self.labels.of(torrent), category }
    }

    /// Returns numbers that are others whenever some torrent's labels or category changed.
    pub(crate) fn version(&self) -> (u64, u64) {
        (self.labels.version(), self.categories.version())
    }

    /// Forgets a torrent that is gone, so that one which comes again comes without.
    pub(crate) async fn forget(&self, torrent: TorrentId) -> Result<(), DbError> {
        self.labels.set(torrent, Vec::new()).await?;
        self.categorise(torrent, "").await
    }

    /// Sorts a torrent as another one is that it takes the place of.
    pub(crate) async fn inherit(&self, torrent: TorrentId, from: TorrentId) -> Result<(), DbError> {
        self.extend(torrent, self.of(from)).await
    }

    /// Gives a torrent more labels, and a category if it has none.
    pub(crate) async fn extend(&self, torrent: TorrentId, more: Sorted) -> Result<(), DbError> {
        let before = self.of(torrent);
        let added = self.labels.change(torrent, |all| all.extend(more.labels)).await;
        match added {
            // Both together have more than one may have: it keeps its own.
            Ok(()) | Err(LabelError::Input(_)) => {}
            Err(LabelError::Db(error)) => return Err(error),
        }
        match more.category.filter(|_| before.category.is_none()) {
            Some(category) => self.categorise(torrent, &category).await,
            None => Ok(()),
        }
    }

    /// Forgets all torrents but these.
    pub(crate) async fn keep_only(&self, torrents: &BTreeSet<TorrentId>) -> Result<(), DbError> {
        self.labels.keep_only(torrents).await?;
        self.categories.keep_only(torrents).await
    }

    async fn categorise(&self, torrent: TorrentId, category: &str) -> Result<(), DbError> {
        match self.categories.set(torrent, category).await {
            // It was removed meanwhile: the torrent is in none.
            Ok(()) | Err(CategoryError::Input(_)) => Ok(()),
            Err(CategoryError::Db(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> TorrentId {
        metainfo::InfoHashV1([byte; 20])
    }

    fn sorted(labels: &[&str], category: Option<&str>) -> Sorted {
        Sorted { labels: labels.iter().map(|&label| label.to_owned()).collect(), category: category.map(str::to_owned) }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_new_version_is_sorted_as_the_one_before_and_that_is_forgotten() {
        let sorting = Sorting::open(Db::in_memory().unwrap()).await.unwrap();
        sorting.categories.create("films", "").await.unwrap();
        sorting.labels.set(id(1), vec!["new".to_owned(), "to see".to_owned()]).await.unwrap();
        sorting.categories.set(id(1), "films").await.unwrap();
        sorting.labels.set(id(2), vec!["mine".to_owned(), "new".to_owned()]).await.unwrap();
        let before = sorting.version();
        sorting.inherit(id(2), id(1)).await.unwrap();
        assert_ne!(sorting.version(), before);
        sorting.forget(id(1)).await.unwrap();
        assert_eq!(sorting.of(id(1)), Sorted::default());
        assert_eq!(sorting.of(id(2)), sorted(&["mine", "new", "to see"], Some("films")));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_has_a_category_keeps_it() {
        let sorting = Sorting::open(Db::in_memory().unwrap()).await.unwrap();
        for (torrent, name) in [(1, "films"), (2, "music")] {
            sorting.categories.create(name, "").await.unwrap();
            sorting.categories.set(id(torrent), name).await.unwrap();
        }
        sorting.inherit(id(2), id(1)).await.unwrap();
        assert_eq!(sorting.of(id(2)), sorted(&[], Some("music")));
    }
}
