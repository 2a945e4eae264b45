//! The ceiling: how much room all fetched content together may take, and how much it takes.
//!
//! What counts is the room that files occupy of torrents of which anything was fetched, unfinished files and part files
//! included; what the user had before and only shares does not. A storage counts from its first write on, or from the
//! start if a former run fetched something of it.
//!
//! Invariant: room is taken before anything is written, and the sum is that of all storages. Blocks that are written twice
//! count twice until the storage is measured again; so nothing is refused before everything was measured. A measure may miss
//! what is being written meanwhile: a write a thread. Blocks that the file system adds of its own show when it is measured.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use base::units::format_bytes;

use crate::LARGE;
use crate::storage::Inner;

/// How long a measure of everything is good for. Arbitrary; less than a torrent waits before it asks for room again.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// How much room there has to be before a torrent that waited for it goes on: what one write takes at most.
const ENOUGH: u64 = LARGE as u64;

/// The sum over all storages, and the most that it may be.
pub(crate) struct Ceiling {
    /// [`u64::MAX`]: as much as there is.
    most: AtomicU64,
    taken: AtomicU64,
    storages: Mutex<Vec<Weak<Inner>>>,
    /// When everything was measured last. Locked while it is.
    measured: Mutex<Option<Instant>>,
}

/// What one storage takes; no longer counted when it is dropped.
pub(crate) struct Taken {
    ceiling: Arc<Ceiling>,
    /// `None`: it does not count.
    bytes: Mutex<Option<u64>>,
}

impl Ceiling {
    pub(crate) fn new(most: Option<u64>) -> Ceiling {
        Ceiling {
            most: AtomicU64::new(most.unwrap_or(u64::MAX)),
            taken: AtomicU64::new(0),
            storages: Mutex::default(),
            measured: Mutex::default(),
        }
    }

    pub(crate) fn set(&self, most: Option<u64>) {
        self.most.store(most.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns how many bytes are taken, as far as is known without looking.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Notes a storage, so that it is measured with all others.
    pub(crate) fn add(&self, storage: Weak<Inner>) {
        let mut storages = self.storages();
        if storages.len() == storages.capacity() {
            storages.retain(|storage| storage.strong_count() > 0);
            // As many come before the next look at all of them, so that ten thousand torrents are not looked at ten thousand
            // times.
            let alive = storages.len();
            storages.reserve(alive + 1);
        }
        storages.push(storage);
    }

    /// Takes room for so many bytes, or says why there is none.
    fn take(&self, bytes: u64) -> Result<(), String> {
        let most = self.most.load(Ordering::Relaxed);
        let fits = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= most);
        let take = || self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if take() || (self.measure_all() && take()) {
            return Ok(());
        }
        let (taken, most) = (format_bytes(self.taken()), format_bytes(most));
        Err(format!(
            "what was fetched takes {taken}, and {most} are given to it; it goes on when something is removed or more is \
             given (`compeer budget --disk SIZE`, or on the page under Controls)"
        ))
    }

    /// Tells why a torrent that waits for room has to wait on, if it has to.
    pub(crate) fn refuses(&self) -> Option<String> {
        let refused = self.take(ENOUGH).err();
        if refused.is_none() {
            self.taken.fetch_sub(ENOUGH, Ordering::Relaxed);
        }
        refused
    }

    /// Measures everything, unless that was just done. Stats every file of every counted storage.
    fn measure_all(&self) -> bool {
        // Whoever comes meanwhile is refused, and asks again.
        let Ok(mut measured) = self.measured.try_lock() else { return false };
        if measured.is_some_and(|at| at.elapsed() < MEASURE_EVERY) {
            return false;
        }
        let storages: Vec<Arc<Inner>> = self.storages().iter().filter_map(Weak::upgrade).collect();
        storages.iter().for_each(|storage| storage.measure());
        *measured = Some(Instant::now());
        true
    }

    fn storages(&self) -> MutexGuard<'_, Vec<Weak<Inner>>> {
        self.storages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, before: u64, now: u64) {
        self.taken.fetch_add(now.saturating_sub(before), Ordering::Relaxed);
        self.taken.fetch_sub(before.saturating_sub(now), Ordering::Relaxed);
    }
}

impl Taken {
    pub(crate) fn new(ceiling: Arc<Ceiling>, counts: bool) -> Taken {
        Taken { ceiling, bytes: Mutex::new(counts.then_some(0)) }
    }

    /// Replaces what was counted by what `measure` finds, if the storage counts.
    pub(crate) fn measure(&self, measure: impl FnOnce() -> u64) {
        let mut bytes = self.bytes();
        if let Some(bytes) = &mut *bytes {
            let now = measure();
            self.ceiling.change(*bytes, now);
            *bytes = now;
        }
    }

    /// Takes room for bytes that are about to be written, or says why there is none. A storage that did not count does so
    /// from now on, with what `measure` finds.
    pub(crate) fn grow(&self, by: u64, measure: impl FnOnce() -> u64) -> Result<(), String> {
        {
            let mut bytes = self.bytes();
            if bytes.is_none() {
                let now = measure();
                self.ceiling.change(0, now);
                *bytes = Some(now);
            }
        }
        self.ceiling.take(by)?;
        let mut bytes = self.bytes();
        *bytes = Some(bytes.unwrap_or(0).saturating_add(by));
        Ok(())
    }

    fn bytes(&self) -> MutexGuard<'_, Option<u64>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let bytes = self.bytes().unwrap_or(0);
        self.ceiling.change(bytes, 0);
    }
}

impl Inner {
    /// Looks how much the files take.
    pub(crate) fn measure(&self) {
        self.taken.measure(|| self.files.taken());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storages_that_are_gone_do_not_pile_up() {
        let ceiling = Ceiling::new(None);
        (0..1000).for_each(|_| ceiling.add(Weak::new()));
        assert!(ceiling.storages().len() < 16, "{} are left", ceiling.storages().len());
    }
}
