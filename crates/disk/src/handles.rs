//! The open files of all storages, at most so many at a time: the one used longest ago is closed first.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file of a storage: the storage's number and the file's slot in it.
pub(crate) type Key = (u64, u32);

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
    file: Arc<File>,
    writable: bool,
    used: u64,
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
    pub(crate) fn find(&self, key: Key, write: bool) -> Option<Arc<File>> {
        let mut state = self.lock();
        state.tick += 1;
        let tick = state.tick;
        let entry = state.open.get_mut(&key).filter(|entry| entry.writable || !write)?;
        entry.used = tick;
        Some(entry.file.clone())
    }

    /// Keeps an open file, in place of the one kept under the same key.
    pub(crate) fn keep(&self, key: Key, file: File, writable: bool) -> Arc<File> {
        let file = Arc::new(file);
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
