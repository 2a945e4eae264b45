//! The open files of all storages, at most so many at a time: the one used longest ago is closed first.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::positional;

/// A file of a storage: the storage's number and the file's slot in it.
pub(crate) type Key = (u64, u32);

/// An open file.
#[derive(Debug)]
pub(crate) struct Open {
    file: File,
    /// Held by whoever writes. The system lets one write to a file at a time anyway (Linux' inode lock), but whoever waits
    /// there spins. Measured on ext4, two threads behind a fast peer: 1.38 CPU s a GiB instead of 1.48.
    writing: Mutex<()>,
}

/// The cache. Invariant: it holds at most `limit` files.
pub(crate) struct Handles {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tick: u64,
    open: HashMap<Key, Entry>,
}

struct Entry {
    file: Arc<Open>,
    writable: bool,
    used: u64,
}

impl Open {
    /// Writes all of `slices` at `offset`, as [`positional::write_all`], once nobody else writes to the file.
    pub(crate) fn write_all(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        positional::write_all(&self.file, slices, offset)
    }
}

impl Deref for Open {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Handles {
    /// Builds an empty cache.
    pub(crate) fn new(limit: usize) -> Handles {
        Handles { limit: limit.max(1), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an open file; one that is only readable does not do for `write`.
    pub(crate) fn find(&self, key: Key, write: bool) -> Option<Arc<Open>> {
        let mut state = self.lock();
        state.tick += 1;
        let tick = state.tick;
        let entry = state.open.get_mut(&key).filter(|entry| entry.writable || !write)?;
        entry.used = tick;
        Some(entry.file.clone())
    }

    /// Keeps an open file, in place of the one kept under the same key.
    pub(crate) fn keep(&self, key: Key, file: File, writable: bool) -> Arc<Open> {
        let file = Arc::new(Open { file, writing: Mutex::default() });
        let mut state = self.lock();
        state.tick += 1;
        let entry = Entry { file: file.clone(), writable, used: state.tick };
        let mut closing = state.open.insert(key, entry);
        if state.open.len() > self.limit {
            let oldest = state.open.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            closing = oldest.and_then(|oldest| state.open.remove(&oldest));
        }
        drop(state);
        drop(closing); // may take time: not under the lock
        file
    }

    /// Forgets one file.
    pub(crate) fn forget(&self, key: Key) {
        let closing = self.lock().open.remove(&key);
        drop(closing);
    }

    /// Forgets all files of a storage.
    pub(crate) fn forget_storage(&self, storage: u64) {
        let mut closing = Vec::new();
        self.lock().open.extract_if(|key, _| key.0 == storage).for_each(|entry| closing.push(entry));
    }

    /// Returns how many files are kept open.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().open.len()
    }
}
