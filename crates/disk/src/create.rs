//! Hashing what is to be shared, on all cores.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use metainfo::create::{PieceHashes, Plan};
use metainfo::{Block, FileIndex, PieceIndex};

use crate::warm::{Hashes, Warm};
use crate::{LARGE, Pool, positional};

/// How many contiguous bytes a thread takes at a time, as in a check.
const STRETCH_LEN: u32 = 8 * 1024 * 1024;

/// Why hashing ended early.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The caller's flag was set.
    #[error("hashing was stopped")]
    Cancelled,
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not what it was when hashing began.
    #[error("{} changed while it was hashed: try again when nobody writes to it", .0.display())]
    Changed(PathBuf),
}

/// Hashes the content of a plan. Waits: call it on a thread that may.
///
/// `paths` are the source files in the order they were handed to [`Plan::new`]; `threads`: how many, `None` as many as
/// there are cores; `progress` is called, on any of them, with the bytes hashed since its last call; setting `cancel`
/// ends it within one read.
pub fn hash_files(
    plan: &Plan,
    paths: &[PathBuf],
    threads: Option<usize>,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
) -> Result<PieceHashes, HashError> {
    let paths: Vec<&Path> = plan.order().iter().map(|&source| &*paths[source]).collect();
    let before = stamps(plan, &paths)?;
    let layout = plan.layout();
    let count = layout.piece_count();
    let stretch = (STRETCH_LEN / layout.piece_length().max(1)).max(1);
    let next = AtomicU32::new(0);
    let results: Mutex<Vec<(u32, Hashes)>> = Mutex::new(Vec::with_capacity(count as usize));
    let failure: Mutex<Option<HashError>> = Mutex::new(None);
    let failed = AtomicBool::new(false);
    let work = || {
        let mut reader = Reader { plan, paths: &paths, open: None, progress, cancel, failed: &failed };
        // One buffer a thread.
        let pool = Pool::new(LARGE);
        let Some(mut buffer) = pool.try_acquire(LARGE) else { return };
        loop {
            let start = next.fetch_add(stretch, Ordering::Relaxed);
            if start >= count {
                return;
            }
            for piece in start..start.saturating_add(stretch).min(count) {
                match reader.hash(PieceIndex(piece), &mut buffer) {
                    Ok(hashes) => results.lock().unwrap_or_else(PoisonError::into_inner).push((piece, hashes)),
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        return;
                    }
                }
            }
        }
    };
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    std::thread::scope(|scope| {
        for i in 1..threads.min(count.div_ceil(stretch) as usize) {
            let builder = std::thread::Builder::new().name(format!("disk-create-{i}"));
            if let Err(error) = builder.spawn_scoped(scope, work) {
                tracing::debug!(%error, "hashing gets fewer threads");
            }
        }
        work();
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let after = stamps(plan, &paths)?;
    if let Some(index) = (0..paths.len()).find(|&index| before[index] != after[index]) {
        return Err(HashError::Changed(paths[index].to_owned()));
    }
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(piece, _)| *piece);
    Ok(PieceHashes {
        v1: results.iter().filter_map(|(_, hashes)| hashes.v1).collect(),
        v2: results.iter().filter_map(|(_, hashes)| hashes.v2).collect(),
    })
}

/// Notes when files were changed last; one whose length is not the plan's was changed already.
fn stamps(plan: &Plan, paths: &[&Path]) -> Result<Vec<Option<SystemTime>>, HashError> {
    let stamp = |(path, file): (&&Path, &metainfo::File)| {
        let unreadable = |error| HashError::Unreadable { path: path.to_path_buf(), error };
        let metadata = path.metadata().map_err(unreadable)?;
        if metadata.len() != file.length {
            return Err(HashError::Changed(path.to_path_buf()));
        }
        Ok(metadata.modified().ok())
    };
    paths.iter().zip(plan.layout().files()).map(stamp).collect()
}

/// Reads pieces out of the source files, keeping the last one open.
struct Reader<'a> {
    plan: &'a Plan,
    paths: &'a [&'a Path],
    open: Option<(FileIndex, File)>,
    progress: &'a (dyn Fn(u64) + Sync),
    cancel: &'a AtomicBool,
    /// Another thread gave up.
    failed: &'a AtomicBool,
}

impl Reader<'_> {
    fn hash(&mut self, piece: PieceIndex, buffer: &mut [u8]) -> Result<Hashes, HashError> {
        let warm = Warm::of(self.plan.layout(), self.plan.needs_v1(), piece);
        warm.hashes(buffer, &mut |offset, part| self.read(piece, offset, part))
    }

    fn read(&mut self, piece: PieceIndex, offset: u32, buffer: &mut [u8]) -> Result<(), HashError> {
        if self.cancel.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed) {
            return Err(HashError::Cancelled);
        }
        let block = Block { piece, offset, length: buffer.len() as u32 };
        let mut payload = 0;
        for segment in self.plan.layout().file_ranges(block) {
            let from = segment.block_offset as usize;
            let part = &mut buffer[from..from + segment.length as usize];
            let Some(index) = segment.file else {
                part.fill(0);
                continue;
            };
            let path = self.paths[index.0 as usize];
            let unreadable = |error: io::Error| match error.kind() {
                io::ErrorKind::UnexpectedEof => HashError::Changed(path.to_owned()),
                _ => HashError::Unreadable { path: path.to_owned(), error },
            };
            if self.open.as_ref().is_none_or(|(open, _)| *open != index) {
                self.open = Some((index, File::open(path).map_err(unreadable)?));
            }
            if let Some((_, file)) = &self.open {
                positional::read_exact(file, part, segment.file_offset).map_err(unreadable)?;
            }
            payload += u64::from(segment.length);
        }
        (self.progress)(payload);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use metainfo::create::{Mode, Options};
    use torrent_proto::torrent::{CheckScope, DiskOrder, PieceHash};

    use super::*;
    use crate::testing::Trial;
    use crate::{StorageConfig, scan};

    fn tree(home: &Path) -> PathBuf {
        let root = home.join("tree");
        std::fs::create_dir_all(root.join("d")).unwrap();
        for (name, len) in [("a", 70_000), ("d/b", 0), ("d/c", 5), ("e", 300_000)] {
            std::fs::write(root.join(name), vec![len as u8; len]).unwrap();
        }
        root
    }

    #[test]
    fn what_was_hashed_to_be_shared_checks_as_complete() {
        let home = tempfile::tempdir().unwrap();
        let scan = scan(&tree(home.path())).unwrap();
        for mode in [Mode::V1, Mode::Hybrid, Mode::V2] {
            let options = Options { mode, piece_length: Some(65536), ..Options::default() };
            let plan = Plan::new(&scan.name, scan.files.clone(), options).unwrap();
            let bytes = AtomicU64::new(0);
            let progress = |more| {
                bytes.fetch_add(more, Ordering::Relaxed);
            };
            let hashes = hash_files(&plan, &scan.paths, Some(2), &progress, &AtomicBool::new(false)).unwrap();
            assert_eq!(bytes.into_inner(), scan.total_length(), "{mode:?}");
            let expected: Vec<Option<PieceHash>> = (0..plan.layout().piece_count() as usize)
                .map(|i| Some(PieceHash { v1: hashes.v1.get(i).copied(), v2: hashes.v2.get(i).copied() }))
                .collect();
            let count = expected.len();
            let torrent = plan.finish(hashes).unwrap();
            let mut trial = Trial::with(StorageConfig::new(torrent.info.clone(), scan.folder.clone()));
            assert!(trial.found_data);
            let check = DiskOrder::Check { scope: CheckScope::All, expected: expected.into() };
            assert_eq!(trial.check(check).0.len(), count, "{mode:?}");
        }
    }

    /// Where threads wait for one another, so that none does the work of all.
    #[derive(Default)]
    struct Meeting {
        came: Mutex<HashSet<std::thread::ThreadId>>,
        changed: std::sync::Condvar,
    }

    impl Meeting {
        fn await_all(&self, count: usize) {
            let mut came = self.came.lock().unwrap();
            came.insert(std::thread::current().id());
            self.changed.notify_all();
            let limit = std::time::Duration::from_secs(60);
            let (_came, late) = self.changed.wait_timeout_while(came, limit, |came| came.len() < count).unwrap();
            assert!(!late.timed_out(), "fewer than {count} threads hash");
        }
    }

    #[test]
    fn as_many_threads_hash_and_check_as_may_and_no_more() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("large");
        // Work for four.
        std::fs::File::create(&path).unwrap().set_len(4 * u64::from(STRETCH_LEN)).unwrap();
        let scan = scan(&path).unwrap();
        let options = Options { mode: Mode::V1, piece_length: Some(1 << 20), ..Options::default() };
        let plan = Plan::new(&scan.name, scan.files.clone(), options).unwrap();
        let mut last = None;
        for threads in [1, 3] {
            let meeting = Meeting::default();
            let progress = |_| meeting.await_all(threads);
            last = Some(hash_files(&plan, &scan.paths, Some(threads), &progress, &AtomicBool::new(false)).unwrap());
            assert_eq!(meeting.came.lock().unwrap().len(), threads);
        }
        let hashes = last.unwrap();
        let expected = hashes.v1.iter().map(|v1| Some(PieceHash { v1: Some(*v1), v2: None })).collect::<Vec<_>>();
        let expected = Arc::new(expected);
        let info = plan.finish(hashes).unwrap().info;
        for threads in [1, 3] {
            let disk = crate::Disk::new(crate::DiskConfig { check_threads: Some(threads), ..Default::default() });
            let (meeting, (done, over)) = (Arc::new(Meeting::default()), std::sync::mpsc::channel());
            let config = StorageConfig { known: true, ..StorageConfig::new(info.clone(), scan.folder.clone()) };
            let hears = meeting.clone();
            let storage = disk.open(config, move |answer| match answer {
                torrent_proto::torrent::DiskAnswer::Checked { good, .. } => {
                    assert!(good);
                    hears.await_all(threads);
                }
                torrent_proto::torrent::DiskAnswer::CheckDone => done.send(()).unwrap(),
                _ => {}
            });
            storage.order(DiskOrder::Check { scope: CheckScope::All, expected: expected.clone() });
            over.recv_timeout(std::time::Duration::from_secs(120)).unwrap();
            assert_eq!(meeting.came.lock().unwrap().len(), threads);
        }
    }

    #[test]
    fn hashing_stops_when_asked_and_notices_changes() {
        let home = tempfile::tempdir().unwrap();
        let root = tree(home.path());
        let scan = scan(&root).unwrap();
        let plan = Plan::new(&scan.name, scan.files.clone(), Options::default()).unwrap();
        let stopped = hash_files(&plan, &scan.paths, None, &|_| {}, &AtomicBool::new(true));
        assert!(matches!(stopped, Err(HashError::Cancelled)));
        let grow = |_| std::fs::write(root.join("a"), "longer").unwrap();
        let changed = hash_files(&plan, &scan.paths, Some(1), &grow, &AtomicBool::new(false));
        assert!(matches!(changed, Err(HashError::Changed(path)) if path.ends_with("a")));
    }
}
