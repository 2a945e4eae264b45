//! What is shown: a folder for each torrent of which something is whole, in it the wanted files that are whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base::WallTime;
use metainfo::FileIndex;
use torrent::{FileStatus, Priority, Session, TorrentId, TorrentStatus};

/// How much of a torrent's id stands behind a name that another one has, too. Arbitrary: eight digits are told apart.
const ID_DIGITS: usize = 8;

/// What the topmost folder is called.
const TOP: &str = "Compeer";

/// Something that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Since when it is what it is: content never changes under its info-hash. `None`: that says nothing.
    pub(super) since: Option<WallTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    /// With its length in bytes.
    File(TorrentId, FileIndex, u64),
}

impl Entry {
    pub(super) fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) entry: Entry,
    /// What is in it, if it is a folder.
    pub(super) entries: Vec<Entry>,
}

/// Finds what a path names; nothing where nothing is shown.
pub(super) async fn find(session: &Session, path: &[String]) -> Option<Place> {
    let list = session.list().await;
    let names = unique(list.iter().map(|status| (status.name.as_str(), status.id)));
    let torrents = names.into_iter().zip(&list);
    if let Some((first, rest)) = path.split_first() {
        let (name, status) = torrents.into_iter().find(|(name, _)| name == first)?;
        return below(&whole(session, status.id).await, status.id, &name, rest, status.added);
    }
    let mut folders = Vec::new();
    for (name, status) in torrents {
        if is_shown(session, status).await {
            folders.push(Entry { name, kind: Kind::Folder, since: Some(status.added) });
        }
    }
    let entry = Entry { name: TOP.to_owned(), kind: Kind::Folder, since: None };
    Some(Place { entry, entries: folders })
}

/// Gives each torrent a name that no other one has, also where `A` and `a` are the same. The one that came first keeps its own.
fn unique<'a>(torrents: impl Iterator<Item = (&'a str, TorrentId)>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let name = |(name, id): (&str, TorrentId)| {
        let mut name = name.to_owned();
        while !taken.insert(name.to_lowercase()) {
            name = format!("{name} ({:.ID_DIGITS$})", id.to_string());
        }
        name
    };
    torrents.map(name).collect()
}

async fn is_shown(session: &Session, status: &TorrentStatus) -> bool {
    // Most are told without a look at their files. What is paused since the start of the node counts nothing as a whole.
    match (status.is_complete(), status.done_bytes > 0) {
        (true, true) => true,
        (false, false) => false,
        _ => !whole(session, status.id).await.is_empty(),
    }
}

/// Returns the wanted files of a torrent that are whole; none while all of these are empty. What is not wanted may be whole,
/// too, but lie among the pieces of others.
async fn whole(session: &Session, id: TorrentId) -> Vec<FileStatus> {
    // One that is removed meanwhile has none.
    let mut files = session.files(id).await.unwrap_or_default();
    files.retain(|file| file.done_bytes == file.length && file.priority != Priority::Skip);
    if files.iter().all(|file| file.length == 0) {
        files.clear();
    }
    files
}

/// Finds what a path below a torrent's folder names. A file that is alone lies in a folder of its own name.
fn below(files: &[FileStatus], id: TorrentId, name: &str, path: &[String], since: WallTime) -> Option<Place> {
    let since = Some(since);
    let mut entries = BTreeMap::new();
    for file in files {
        let names = names(&file.path);
        let Some(rest) = names.strip_prefix(path) else { continue };
        let kind = Kind::File(id, file.index, file.length);
        match rest {
            [] => {
                let entry = Entry { name: names.last()?.clone(), kind, since };
                return Some(Place { entry, entries: Vec::new() });
            }
            [name] => entries.insert(name.clone(), Entry { name: name.clone(), kind, since }),
            [name, ..] => entries.insert(name.clone(), Entry { name: name.clone(), kind: Kind::Folder, since }),
        };
    }
    let name = path.last().map_or(name, String::as_str).to_owned();
    let entry = Entry { name, kind: Kind::Folder, since };
    (!entries.is_empty()).then(|| Place { entry, entries: entries.into_values().collect() })
}

/// Returns the names of a file's path in its torrent, without the torrent's own.
fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.len() > 1 {
        names.remove(0);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> TorrentId {
        char::from(digit).to_string().repeat(40).parse().unwrap()
    }

    #[test]
    fn no_two_folders_have_the_same_name() {
        let names = ["film", "Film", "film (33333333)", "film", "other"];
        let names = unique(names.into_iter().zip(b'1'..).map(|(name, digit)| (name, id(digit))));
        assert_eq!(names, ["film", "Film (22222222)", "film (33333333)", "film (44444444)", "other"]);
        let names = unique([("film", id(b'1')), ("film (22222222)", id(b'3')), ("film", id(b'2'))].into_iter());
        assert_eq!(names, ["film", "film (22222222)", "film (22222222) (22222222)"]);
    }

    #[test]
    fn a_path_names_a_file_a_folder_or_nothing() {
        let file = |number: u32, path: &str| FileStatus {
            index: FileIndex(number),
            path: path.into(),
            length: 5,
            done_bytes: 5,
            priority: Priority::Normal,
            pieces: 0..1,
        };
        let files = [file(0, "album/a/1"), file(1, "album/a/2"), file(2, "album/b")];
        let at = |path: &str| {
            let path: Vec<String> = path.split_terminator('/').map(str::to_owned).collect();
            below(&files, id(b'1'), "album (11111111)", &path, WallTime(7))
        };
        for (path, name, entries) in [
            ("", "album (11111111)", vec![("a", true), ("b", false)]),
            ("a", "a", vec![("1", false), ("2", false)]),
            ("a/2", "2", vec![]),
        ] {
            let found = at(path).unwrap();
            let told: Vec<_> = found.entries.iter().map(|entry| (entry.name.as_str(), entry.is_folder())).collect();
            assert_eq!((found.entry.name.as_str(), told), (name, entries), "{path}");
        }
        assert_eq!(at("a/2").unwrap().entry.kind, Kind::File(id(b'1'), FileIndex(1), 5));
        for nothing in ["album", "a/3", "a/1/x", "..", ".", "a/..", "c", "a//1"] {
            assert_eq!(at(nothing), None, "{nothing}");
        }
        let alone = [file(0, "film.mkv")];
        let found = below(&alone, id(b'1'), "film.mkv", &[], WallTime(7)).unwrap();
        assert_eq!(found.entries[0].kind, Kind::File(id(b'1'), FileIndex(0), 5));
    }
}
