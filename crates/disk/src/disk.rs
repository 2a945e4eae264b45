//! The disk: threads and open files, shared by all storages.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use torrent_proto::torrent::{DiskAnswer, DiskError, DiskOrder};

use crate::ceiling::Ceiling;
use crate::config::{DiskConfig, StorageConfig};
use crate::handles::Handles;
use crate::storage::Storage;
use crate::threads::Threads;
use crate::warm::Budget;
use crate::{LARGE, Pool, positional};

/// How many threads do what may take seconds: flushing, moving, renaming, removing. Arbitrary; two, so that one torrent's
/// move does not hold up all others' flushes.
const SLOW_THREADS: usize = 2;

/// The threads and open files that all storages share. Cheap to clone; the threads end, after what they were given, with
/// the last clone and the last storage.
#[derive(Clone)]
pub struct Disk(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) fast: Threads,
    pub(crate) slow: Threads,
    /// One check runs at a time, on as many threads as it likes.
    pub(crate) checks: Threads,
    pub(crate) check_threads: AtomicUsize,
    pub(crate) handles: Arc<Handles>,
    pub(crate) reads: Pool,
    /// For reading back; each thread uses one buffer at a time, so there is nothing to bound.
    pub(crate) scratch: Pool,
    pub(crate) keep: Budget,
    keep_free_bytes: AtomicU64,
    pub(crate) ceiling: Arc<Ceiling>,
    storages: AtomicU64,
}

impl Disk {
    /// Starts the disk. Its threads are started when they are first needed.
    pub fn new(config: DiskConfig) -> Disk {
        Disk(Arc::new(Shared {
            fast: Threads::new("disk", config.threads),
            slow: Threads::new("disk-slow", SLOW_THREADS).eager(),
            checks: Threads::new("disk-check", 1),
            check_threads: AtomicUsize::new(check_threads(&config)),
            handles: Arc::new(Handles::new(config.max_open_files)),
            reads: Pool::new(config.read_budget),
            scratch: Pool::new(usize::MAX / 2),
            keep: Budget::new(config.keep_bytes),
            keep_free_bytes: AtomicU64::new(config.keep_free_bytes),
            ceiling: Arc::new(Ceiling::new(config.most_bytes)),
            storages: AtomicU64::new(0),
        }))
    }

    /// Changes how many threads there are and how much memory they use; the number of open files stays. Takes effect with
    /// what is begun next.
    pub fn reconfigure(&self, config: &DiskConfig) {
        self.0.fast.set_limit(config.threads);
        self.0.check_threads.store(check_threads(config), Ordering::Relaxed);
        self.0.reads.set_budget(config.read_budget);
        self.0.keep.set(config.keep_bytes);
        self.0.keep_free_bytes.store(config.keep_free_bytes, Ordering::Relaxed);
        self.0.ceiling.set(config.most_bytes);
    }

    /// Returns on how many threads content is checked, and hashed.
    pub fn check_threads(&self) -> usize {
        self.0.check_threads.load(Ordering::Relaxed)
    }

    /// Opens the storage of one torrent: what [`DiskOrder::Open`] asks for. The first of `answers` is `Opened`.
    ///
    /// `answers` is called on a disk thread and must not wait. How often is bounded by the orders given, writes among them by
    /// the permits of the receivers' [`crate::Pool`], a check's answers by the number of pieces.
    pub fn open(&self, config: StorageConfig, answers: impl Fn(DiskAnswer) + Send + Sync + 'static) -> Storage {
        let info = config.info.clone();
        let storage = self.storage(config, answers);
        storage.order(DiskOrder::Open { info });
        storage
    }

    /// Counts what the files of a torrent take that is not opened yet, until the storage is dropped.
    pub fn count(&self, config: StorageConfig) -> Storage {
        let storage = self.storage(config, drop);
        storage.count();
        storage
    }

    /// Returns how much room content takes of which anything was fetched; [`DiskConfig::most_bytes`].
    pub fn taken_bytes(&self) -> u64 {
        self.0.ceiling.taken()
    }

    fn storage(&self, config: StorageConfig, answers: impl Fn(DiskAnswer) + Send + Sync + 'static) -> Storage {
        Storage::new(config, self.0.storages.fetch_add(1, Ordering::Relaxed), self.0.clone(), Box::new(answers))
    }
}

fn check_threads(config: &DiskConfig) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    config.check_threads.unwrap_or_else(cores).max(1)
}

impl Shared {
    /// Fails if less is free on the file system of `folder` than is to stay free.
    pub(crate) fn check_room(&self, folder: &Path) -> Result<(), DiskError> {
        let keep = self.keep_free_bytes.load(Ordering::Relaxed);
        if keep == 0 || positional::space(folder).ok().is_none_or(|space| space.free >= keep) {
            return Ok(());
        }
        let (folder, keep) = (folder.display(), base::units::format_bytes(keep));
        let message = format!("cannot write below {folder}: {keep} are to stay free; it goes on when there is room");
        Err(DiskError { full: true, message })
    }

    /// Runs `with` with a buffer of [`LARGE`] bytes.
    pub(crate) fn with_buffer<T>(&self, with: impl FnOnce(&mut [u8]) -> T) -> T {
        match self.scratch.try_acquire(LARGE) {
            Some(mut buffer) => with(&mut buffer),
            // Cannot be: the budget is out of reach.
            None => with(&mut vec![0; LARGE]),
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("reads", &self.0.reads).finish_non_exhaustive()
    }
}
