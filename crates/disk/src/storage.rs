//! The handle to one torrent's files.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use metainfo::{Block, FileIndex, PieceIndex};
use torrent_proto::torrent::{DiskAnswer, DiskError, DiskOrder, PieceHash, VerifyOutcome};

use crate::LARGE;
use crate::below;
use crate::ceiling::Taken;
use crate::config::StorageConfig;
use crate::disk::Shared;
use crate::files::{Files, Place};
use crate::orders::{Crew, Orders, PieceJob, Work, WriteOrder};
use crate::warm::Warm;

/// One torrent's files on the disk. Cheap to clone. No call waits: every result comes by an answer or a reply, which is
/// called on a disk thread and must not wait either.
#[derive(Clone)]
pub struct Storage(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) disk: Arc<Shared>,
    pub(crate) files: Files,
    pub(crate) orders: Orders,
    answers: Box<dyn Fn(DiskAnswer) + Send + Sync>,
    pub(crate) taken: Taken,
    /// Checks are numbered; those up to `stopped` are to end.
    checks: AtomicU64,
    stopped: AtomicU64,
    /// One flush at a time: the second must not answer before what the first took in hand is durable.
    pub(crate) flushing: Mutex<()>,
}

impl Storage {
    pub(crate) fn new(
        config: StorageConfig,
        number: u64,
        disk: Arc<Shared>,
        answers: Box<dyn Fn(DiskAnswer) + Send + Sync>,
    ) -> Storage {
        let taken = Taken::new(disk.ceiling.clone(), config.fetched);
        let files = Files::new(config, number, disk.handles.clone());
        let inner = Arc::new(Inner {
            disk,
            taken,
            files,
            orders: Orders::default(),
            answers,
            checks: AtomicU64::new(0),
            stopped: AtomicU64::new(0),
            flushing: Mutex::default(),
        });
        inner.disk.ceiling.add(Arc::downgrade(&inner));
        Storage(inner)
    }

    /// Looks what the files take, without a word.
    pub(crate) fn count(&self) {
        self.0.barrier(|inner| {
            inner.files.probe();
            inner.measure();
        });
    }

    /// Gives an order. Orders that touch the same piece are carried out in the order given; others may overtake.
    pub fn order(&self, order: DiskOrder) {
        let inner = &self.0;
        match order {
            DiskOrder::Open { .. } => inner.barrier(|inner| inner.open()),
            DiskOrder::Write { blocks } => inner.order_write(blocks),
            DiskOrder::Verify { piece, expected } => {
                inner.submit([Work::Piece(piece, PieceJob::Verify { expected })]);
            }
            DiskOrder::HashLeaves { piece } => inner.submit([Work::Piece(piece, PieceJob::Leaves)]),
            DiskOrder::Check { scope, expected } => {
                let number = inner.checks.fetch_add(1, Ordering::Relaxed) + 1;
                let check = move |inner: &Arc<Inner>| inner.check(&scope, &expected, number);
                inner.submit([Work::Barrier(Crew::Check, Box::new(check))]);
            }
            DiskOrder::StopCheck => inner.stop_checks(),
            DiskOrder::Wanted { wanted } => inner.barrier(move |inner| inner.want(&wanted)),
            DiskOrder::Room => {
                inner.submit([Work::Whole(Box::new(|inner| inner.answer(DiskAnswer::Room(inner.room()))))])
            }
            DiskOrder::Flush => inner.submit([Work::Whole(Box::new(|inner| inner.flush()))]),
            DiskOrder::Finish => inner.barrier(Inner::finish),
            DiskOrder::Close => {
                inner.barrier(|inner| inner.files.handles.forget_storage(inner.files.storage));
            }
        }
    }

    /// Reads blocks for an upload: contiguous ones are read at once, and share a buffer. The reply holds one entry a
    /// block, in the order asked. What the system holds in memory is read at once, and the reply called before this returns:
    /// the way to a disk thread and back costs more than the copy. Otherwise it waits for that thread, and while the
    /// budget for reads is used up by bytes not yet sent.
    pub fn read(&self, blocks: Vec<Block>, reply: impl FnOnce(Result<Vec<Bytes>, DiskError>) + Send + 'static) {
        let runs = runs(&blocks);
        let lens: Vec<usize> = runs.iter().map(|run| run.length as usize).collect();
        let inner = self.0.clone();
        if let Some(&run) = runs.iter().find(|run| run.length as usize > LARGE) {
            let message = format!("{run:?} is too long to be read at once");
            return reply(Err(DiskError { full: false, message }));
        }
        if let Some(bytes) = self.0.read_cached(&runs) {
            return reply(Ok(cut(&blocks, &runs, &bytes)));
        }
        self.0.disk.reads.acquire_all_then(lens, move |buffers| {
            let disk = inner.disk.clone();
            disk.fast.push(Box::new(move || {
                let read = |(run, mut buffer): (&Block, crate::Buffer)| {
                    let len = run.length as usize;
                    inner.files.read(run.piece, run.offset, &mut buffer[..len])?;
                    Ok(buffer.freeze(len))
                };
                let bytes: Result<Vec<Bytes>, DiskError> = runs.iter().zip(buffers).map(read).collect();
                reply(bytes.map(|bytes| cut(&blocks, &runs, &bytes)));
            }));
        });
    }

    /// Reads a range of one file, at most [`LARGE`] bytes of it, less at its end: for streaming and copying out. The
    /// caller asks only for what is verified.
    pub fn read_range(
        &self,
        file: FileIndex,
        range: Range<u64>,
        reply: impl FnOnce(Result<Bytes, DiskError>) + Send + 'static,
    ) {
        let length = self.0.files.layout().file(file).map_or(0, |file| file.length);
        let len = range.end.min(length).saturating_sub(range.start).min(LARGE as u64) as usize;
        let inner = self.0.clone();
        if len == 0 {
            return reply(Ok(Bytes::new()));
        }
        self.0.disk.reads.acquire_then(len, move |mut buffer| {
            let disk = inner.disk.clone();
            disk.fast.push(Box::new(move || {
                let read = inner.files.read_file(file, range.start, &mut buffer[..len]);
                reply(read.map(|()| buffer.freeze(len)));
            }));
        });
    }

    /// Moves all files to another folder; reads go on meanwhile, writes wait. A failure leaves them where they were.
    pub fn move_to(&self, folder: PathBuf, reply: impl FnOnce(Result<(), DiskError>) + Send + 'static) {
        self.0.barrier(move |inner| reply(inner.relocate(folder)));
    }

    /// Removes the torrent's files, then the folders that this leaves empty. Nothing else in them is touched, nor files
    /// that only have a name in common with the torrent's. The storage is of no further use.
    pub fn remove_files(&self, reply: impl FnOnce(Result<(), DiskError>) + Send + 'static) {
        self.0.stop_checks();
        self.0.barrier(move |inner| reply(inner.remove()));
    }

    /// Returns the user's folder, below which the content lies.
    pub fn folder(&self) -> PathBuf {
        self.0.files.root(self.0.files.side.load(Ordering::Relaxed))
    }

    /// Returns where the content lies or will lie: `folder/NAME`.
    pub fn content_path(&self) -> PathBuf {
        self.folder().join(self.0.files.info.name())
    }

    /// Returns where a file lies now: under its final name, or marked as incomplete. `None`: no such file.
    pub fn path(&self, file: FileIndex) -> Option<PathBuf> {
        self.0.files.layout().file(file)?;
        Some(self.0.files.path(file.0 as usize))
    }

    /// Returns where a file lies when it is complete. `None`: no such file.
    pub fn final_path(&self, file: FileIndex) -> Option<PathBuf> {
        self.0.files.layout().file(file)?;
        let side = self.0.files.side.load(Ordering::Relaxed);
        let (root, components) = self.0.files.place(file.0 as usize, Place::Final, side);
        Some(below::join(&root, &components))
    }
}

impl Inner {
    pub(crate) fn answer(&self, answer: DiskAnswer) {
        (self.answers)(answer);
    }

    /// Answers that an order on the whole storage failed.
    pub(crate) fn failed(&self, error: DiskError) {
        self.answer(DiskAnswer::Failed { blocks: Vec::new(), piece: None, error });
    }

    fn barrier(self: &Arc<Self>, work: impl FnOnce(&Arc<Inner>) + Send + 'static) {
        self.submit([Work::Barrier(Crew::Slow, Box::new(work))]);
    }

    fn stop_checks(&self) {
        self.stopped.fetch_max(self.checks.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self, check: u64) -> bool {
        check <= self.stopped.load(Ordering::Relaxed)
    }

    /// Reads all of `runs` if that needs no waiting, neither for a disk nor for memory.
    fn read_cached(&self, runs: &[Block]) -> Option<Vec<Bytes>> {
        let read = |run: &Block| {
            let len = run.length as usize;
            let mut buffer = self.disk.reads.try_acquire(len)?;
            self.files.read_cached(run.piece, run.offset, &mut buffer[..len]).then(|| buffer.freeze(len))
        };
        runs.iter().map(read).collect()
    }

    fn order_write(self: &Arc<Self>, blocks: Vec<(Block, Bytes)>) {
        let numbers: Vec<Block> = blocks.iter().map(|(block, _)| *block).collect();
        let Some(first) = numbers.first().copied() else {
            return self.answer(DiskAnswer::Wrote { blocks: numbers });
        };
        if numbers.iter().all(|block| block.piece == first.piece) {
            let order = WriteOrder { blocks: numbers, parts_left: AtomicUsize::new(1), error: Mutex::default() };
            return self.submit([Work::Piece(first.piece, PieceJob::Write { blocks, order: Arc::new(order) })]);
        }
        let mut by_piece: BTreeMap<PieceIndex, Vec<(Block, Bytes)>> = BTreeMap::new();
        for (block, bytes) in blocks {
            by_piece.entry(block.piece).or_default().push((block, bytes));
        }
        let parts_left = AtomicUsize::new(by_piece.len());
        let order = Arc::new(WriteOrder { blocks: numbers, parts_left, error: Mutex::default() });
        self.submit(
            by_piece
                .into_iter()
                .map(|(piece, blocks)| Work::Piece(piece, PieceJob::Write { blocks, order: order.clone() })),
        );
    }

    /// Writes blocks of one piece, sorted by offset, a batch at a time, each hashed while it is warm.
    pub(crate) fn write_warm(
        &self,
        warm: &mut Warm,
        piece: PieceIndex,
        blocks: &[(Block, Bytes)],
    ) -> Result<(), DiskError> {
        let mut rest = blocks;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|(_, payload)| {
                bytes += payload.len();
                bytes <= LARGE
            });
            let (batch, later) = rest.split_at(fits.count().max(1));
            rest = later;
            self.take_room(batch)?;
            self.files.write(batch)?;
            self.disk.with_buffer(|buffer| {
                let batch = batch.iter().map(|(block, bytes)| (block.offset, bytes));
                let read = &mut |offset, part: &mut [u8]| self.files.read(piece, offset, part);
                warm.wrote(batch, &self.disk.keep, buffer, read)
            })?;
        }
        Ok(())
    }

    /// Takes room for blocks that are about to be written, and for the files that they begin where those are reserved.
    fn take_room(&self, batch: &[(Block, Bytes)]) -> Result<(), DiskError> {
        let root = self.files.writing_root();
        self.disk.check_room(&root)?;
        let bytes: u64 = batch.iter().map(|(block, _)| u64::from(block.length)).sum();
        let bytes = bytes + self.files.to_reserve(batch.iter().map(|(block, _)| *block));
        self.taken.grow(bytes, || self.files.taken()).map_err(|reason| no_room(&root, &reason))
    }

    /// Tells whether there is room to go on, as far as limits are concerned.
    fn room(&self) -> Result<(), DiskError> {
        let root = self.files.writing_root();
        self.disk.check_room(&root)?;
        self.disk.ceiling.refuses().map_or(Ok(()), |reason| Err(no_room(&root, &reason)))
    }

    pub(crate) fn verify(&self, warm: Option<Warm>, piece: PieceIndex, expected: PieceHash) {
        let warm = warm.unwrap_or_else(|| Warm::new(&self.files.info, piece));
        let read = &mut |offset, part: &mut [u8]| self.files.read(piece, offset, part);
        let outcome = self.disk.with_buffer(|buffer| warm.finish(expected, buffer, read));
        self.answer(match outcome {
            Ok(outcome) => {
                if outcome == VerifyOutcome::Good {
                    self.files.proven(piece);
                }
                DiskAnswer::Verified { piece, outcome }
            }
            Err(error) => DiskAnswer::Failed { blocks: Vec::new(), piece: Some(piece), error },
        });
    }

    pub(crate) fn leaves(&self, piece: PieceIndex) {
        let read = &mut |offset, part: &mut [u8]| self.files.read(piece, offset, part);
        let leaves = self.disk.with_buffer(|buffer| Warm::leaves(&self.files.info, piece, buffer, read));
        if let Err(error) = &leaves {
            tracing::warn!(%error.message, "the leaves of a piece cannot be hashed");
        }
        self.answer(DiskAnswer::Leaves { piece, leaves: leaves.ok().flatten() });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.files.handles.forget_storage(self.files.storage);
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Storage").field(&self.content_path()).finish()
    }
}

fn no_room(root: &Path, reason: &str) -> DiskError {
    DiskError { full: true, message: format!("cannot write below {}: {reason}", root.display()) }
}

/// Joins contiguous blocks into runs of at most [`LARGE`] bytes.
fn runs(blocks: &[Block]) -> Vec<Block> {
    let mut runs: Vec<Block> = Vec::new();
    for block in blocks {
        match runs.last_mut() {
            Some(run)
                if run.piece == block.piece
                    && run.end() == block.offset
                    && u64::from(run.length) + u64::from(block.length) <= LARGE as u64 =>
            {
                run.length += block.length;
            }
            _ => runs.push(*block),
        }
    }
    runs
}

/// Cuts what was read into the blocks that were asked for.
fn cut(blocks: &[Block], runs: &[Block], bytes: &[Bytes]) -> Vec<Bytes> {
    let mut at = 0;
    let one = |block: &Block| {
        if block.length == 0 {
            return Bytes::new();
        }
        while runs[at].piece != block.piece || !(runs[at].offset..runs[at].end()).contains(&block.offset) {
            at += 1;
        }
        let from = (block.offset - runs[at].offset) as usize;
        bytes[at].slice(from..from + block.length as usize)
    };
    blocks.iter().map(one).collect()
}
