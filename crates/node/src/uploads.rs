//! Files that are sent to this computer, to be shared from it. Each upload has a folder of its own below the download folder,
//! which was not there before.
//!
//! Invariant: nothing that was there is changed. A folder and a file are made, or it fails; a file that does not arrive whole
//! is removed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use metainfo::names::{self, Rules};

/// How many uploads are remembered; the oldest one is forgotten, its files stay. Arbitrary.
const MAX_UPLOADS: usize = 64;

/// How many names are tried for a folder. Arbitrary.
const MAX_TRIES: u32 = 1000;

/// What a folder is called where nobody says. Arbitrary.
const NAME: &str = "Upload";

/// The uploads of this run.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    folders: BTreeMap<u64, PathBuf>,
    last: u64,
}

/// A file that is being written. Dropped before [`Arriving::keep`], it is removed.
#[derive(Debug)]
pub(crate) struct Arriving {
    path: PathBuf,
    kept: bool,
}

impl Uploads {
    /// Makes a folder for an upload; returns its number and path. Blocks for a moment.
    pub(crate) fn begin(&self, downloads: &Path, name: Option<&str>) -> io::Result<(u64, PathBuf)> {
        let name = match name.map(|name| names::safe_component(name.as_bytes(), Rules::native())) {
            Some(Ok(name)) => name,
            Some(Err(names::NameError::Empty)) | None => NAME.to_owned(),
            Some(Err(error)) => return Err(io::Error::new(io::ErrorKind::InvalidInput, error)),
        };
        std::fs::create_dir_all(downloads)?;
        let folder = make_new(downloads, &name)?;
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        state.folders.insert(number, folder.clone());
        if state.folders.len() > MAX_UPLOADS {
            state.folders.pop_first();
        }
        Ok((number, folder))
    }

    /// Returns the folder of an upload.
    pub(crate) fn folder(&self, number: u64) -> Option<PathBuf> {
        self.state().folders.get(&number).cloned()
    }

    /// Forgets an upload.
    pub(crate) fn forget(&self, number: u64) {
        self.state().folders.remove(&number);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a folder of a name, or of the name with a number.
fn make_new(parent: &Path, name: &str) -> io::Result<PathBuf> {
    for number in 1..=MAX_TRIES {
        let path = if number == 1 { parent.join(name) } else { parent.join(format!("{name} ({number})")) };
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{name} and {MAX_TRIES} more are there")))
}

impl Arriving {
    /// Makes a file in the folder of an upload, and the folders that its path names. Blocks for a moment.
    pub(crate) fn create(folder: &Path, path: &str) -> io::Result<(std::fs::File, Arriving)> {
        let parts = names::safe_path(path.split('/').map(str::as_bytes), Rules::native());
        let mut parts = parts.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        // A path that is good has a last part.
        let name = parts.pop().unwrap_or_default();
        let within: PathBuf = folder.join(parts.iter().collect::<PathBuf>());
        std::fs::create_dir_all(&within)?;
        let path = within.join(name);
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok((file, Arriving { path, kept: false }))
    }

    /// Keeps the file; returns its path.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.kept = true;
        self.path.clone()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed lies in a folder that nobody had before.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_there_is_touched() {
        let downloads = tempfile::tempdir().unwrap();
        let uploads = Uploads::default();
        let (first, folder) = uploads.begin(downloads.path(), Some("holiday/../x")).unwrap();
        let (second, other) = uploads.begin(downloads.path(), Some("holiday/../x")).unwrap();
        assert!(first != second && folder != other);
        assert_eq!((folder.parent(), other.parent()), (Some(downloads.path()), Some(downloads.path())));
        let (_, arriving) = Arriving::create(&folder, "a/b.txt").unwrap();
        let path = arriving.keep();
        assert_eq!(path, folder.join("a/b.txt"));
        assert_eq!(Arriving::create(&folder, "a/b.txt").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        for wrong in ["../b.txt", "a/../../b", "", "/"] {
            assert_eq!(Arriving::create(&folder, wrong).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{wrong}");
        }
        let (_, lost) = Arriving::create(&folder, "/c.txt").unwrap();
        drop(lost);
        assert!(path.exists() && !folder.join("c.txt").exists());
    }

    #[test]
    fn the_oldest_upload_is_forgotten() {
        let downloads = tempfile::tempdir().unwrap();
        let uploads = Uploads::default();
        let (first, folder) = uploads.begin(downloads.path(), None).unwrap();
        for _ in 0..MAX_UPLOADS {
            uploads.begin(downloads.path(), None).unwrap();
        }
        assert!(uploads.folder(first).is_none() && folder.is_dir());
    }
}
