//! A disk in memory that takes time, fills up, fails, and forgets in a crash what was not flushed.
//!
//! It answers every [`DiskOrder`] as the real one does. Orders that touch the same piece are carried out in order,
//! others overtake one another. Invariant: `durable` differs from `image` only within `dirty`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::Instant;
use bytes::Bytes;
use metainfo::{Block, Info, PieceIndex};
use torrent_proto::torrent::{CheckScope, DiskAnswer, DiskError, DiskOrder, PieceHash, VerifyOutcome};

use crate::content::{self, Content};

/// How long an order takes at most: a busy spinning disk's worst second is rarer than this shows. Arbitrary.
const MAX_ORDER_TIME: Duration = Duration::from_millis(40);
/// How often a flush fails while the disk is full.
const FULL_FLUSH_FAILS: f64 = 0.3;

/// What a crash leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The program died: the page cache lives.
    Process,
    /// The machine died: only what was flushed is sure to be there.
    Power,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct FakeDisk {
    rng: fastrand::Rng,
    info: Option<Arc<Info>>,
    image: Vec<u8>,
    durable: Vec<u8>,
    dirty: Vec<Block>,
    /// The files hold any data.
    has_data: bool,
    /// Pieces whose hash was right when last looked at.
    verified: BTreeSet<PieceIndex>,
    jobs: BTreeMap<(Instant, u64), Job>,
    added: u64,
    /// When the last order is done: of each piece, and of all.
    piece_done: BTreeMap<PieceIndex, Instant>,
    all_done: Instant,
    /// No order begins before this.
    barrier: Instant,
    checking: bool,
    full_until: Instant,
    fail_next: bool,
    /// A good piece was overwritten with something else.
    pub(crate) damage: Option<PieceIndex>,
}

#[derive(Debug)]
enum Job {
    Open,
    Write(Vec<(Block, Bytes)>),
    Verify(PieceIndex, PieceHash),
    CheckPiece(PieceIndex, Option<PieceHash>),
    CheckDone,
    HashLeaves(PieceIndex),
    Room,
    Flush,
    Finish,
}

impl FakeDisk {
    pub(crate) fn new(seed: u64) -> FakeDisk {
        FakeDisk {
            rng: fastrand::Rng::with_seed(seed),
            info: None,
            image: Vec::new(),
            durable: Vec::new(),
            dirty: Vec::new(),
            has_data: false,
            verified: BTreeSet::new(),
            jobs: BTreeMap::new(),
            added: 0,
            piece_done: BTreeMap::new(),
            all_done: Instant::START,
            barrier: Instant::START,
            checking: false,
            full_until: Instant::START,
            fail_next: false,
            damage: None,
        }
    }

    /// Puts the whole content on the disk.
    pub(crate) fn fill(&mut self, content: &Content) {
        self.image.clone_from(&content.image);
        self.durable.clone_from(&content.image);
        self.has_data = true;
    }

    /// No write succeeds before `until`.
    pub(crate) fn be_full(&mut self, until: Instant) {
        self.full_until = until;
    }

    /// The next write, hash or flush fails.
    pub(crate) fn fail_next(&mut self) {
        self.fail_next = true;
    }

    /// Returns what would be there after a power failure.
    pub(crate) fn durable(&self) -> &[u8] {
        &self.durable
    }

    /// Returns how many orders are under way.
    pub(crate) fn busy(&self) -> usize {
        self.jobs.len()
    }

    /// Reads blocks for an upload.
    pub(crate) fn read(&mut self, blocks: &[Block]) -> Result<Vec<Bytes>, DiskError> {
        let Some(info) = &self.info else { return Err(failure("it is not open")) };
        let layout = info.layout();
        let data = |block: &Block| {
            let start = content::piece_range(layout, block.piece).start + block.offset as usize;
            Bytes::copy_from_slice(&self.image[start..start + block.length as usize])
        };
        Ok(blocks.iter().map(data).collect())
    }

    /// Loses what a crash loses, orders under way included.
    pub(crate) fn crash(&mut self, crash: Crash) {
        let jobs = std::mem::take(&mut self.jobs);
        for job in jobs.into_values() {
            if let Job::Write(blocks) = job
                && self.rng.bool()
            {
                blocks.iter().for_each(|(block, data)| self.put(*block, data));
            }
        }
        if crash == Crash::Power {
            let dirty = std::mem::take(&mut self.dirty);
            for block in dirty {
                if self.rng.bool() {
                    self.make_durable(block);
                }
            }
            self.image.clone_from(&self.durable);
        }
        self.close();
    }

    /// Forgets everything that only lives while a torrent is open.
    pub(crate) fn close(&mut self) {
        self.jobs.clear();
        self.piece_done.clear();
        self.verified.clear();
        self.all_done = Instant::START;
        self.barrier = Instant::START;
        self.checking = false;
        self.info = None;
    }

    /// Takes an order.
    pub(crate) fn order(&mut self, now: Instant, order: DiskOrder) {
        match order {
            DiskOrder::Open { info } => {
                self.image.resize(content::image_len(info.layout()), 0);
                self.durable.resize(self.image.len(), 0);
                self.info = Some(info);
                self.add_barrier(now, Job::Open);
            }
            DiskOrder::Write { blocks } => {
                let pieces: Vec<PieceIndex> = blocks.iter().map(|(block, _)| block.piece).collect();
                self.add(now, &pieces, Job::Write(blocks));
            }
            DiskOrder::Verify { piece, expected } => self.add(now, &[piece], Job::Verify(piece, expected)),
            DiskOrder::Check { scope, expected } => self.check(now, &scope, &expected),
            DiskOrder::StopCheck => {
                if std::mem::take(&mut self.checking) {
                    self.jobs.retain(|_, job| !matches!(job, Job::CheckPiece(..) | Job::CheckDone));
                    self.add_barrier(now, Job::CheckDone);
                }
            }
            DiskOrder::HashLeaves { piece } => self.add(now, &[piece], Job::HashLeaves(piece)),
            DiskOrder::Room => self.add_barrier(now, Job::Room),
            DiskOrder::Flush => self.add_barrier(now, Job::Flush),
            DiskOrder::Finish => self.add_barrier(now, Job::Finish),
            DiskOrder::Wanted { .. } | DiskOrder::Close => {}
        }
    }

    fn check(&mut self, now: Instant, scope: &CheckScope, expected: &[Option<PieceHash>]) {
        let known = |piece: PieceIndex| match scope {
            CheckScope::All => false,
            CheckScope::AllBut(known) => known.get(piece.0),
        };
        let pieces = (0u32..).map(PieceIndex).zip(expected).filter(|(piece, _)| !known(*piece));
        pieces.for_each(|(piece, hash)| self.add(now, &[piece], Job::CheckPiece(piece, *hash)));
        self.checking = true;
        self.add_barrier(now, Job::CheckDone);
    }

    /// Adds an order behind those that touch the same pieces.
    fn add(&mut self, now: Instant, pieces: &[PieceIndex], job: Job) {
        let before = pieces.iter().filter_map(|piece| self.piece_done.get(piece)).max();
        let begin = before.copied().unwrap_or(now).max(now).max(self.barrier);
        let at = self.add_at(begin, job);
        self.piece_done.extend(pieces.iter().map(|piece| (*piece, at)));
    }

    /// Adds an order behind all others.
    fn add_barrier(&mut self, now: Instant, job: Job) {
        let at = self.add_at(now.max(self.all_done), job);
        self.barrier = at;
    }

    fn add_at(&mut self, begin: Instant, job: Job) -> Instant {
        let nanos = self.rng.u64(..MAX_ORDER_TIME.as_nanos() as u64);
        let at = begin + Duration::from_nanos(nanos);
        self.added += 1;
        self.jobs.insert((at, self.added), job);
        self.all_done = self.all_done.max(at);
        at
    }

    /// When the next answer is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.jobs.first_key_value().map(|((at, _), _)| *at)
    }

    /// Carries out the next order that is due.
    pub(crate) fn next(&mut self, now: Instant) -> Option<DiskAnswer> {
        if self.next_at()? > now {
            return None;
        }
        let (_, job) = self.jobs.pop_first()?;
        let info = self.info.clone()?;
        let layout = info.layout();
        Some(match job {
            Job::Open => DiskAnswer::Opened { found_data: self.has_data },
            Job::Write(data) => {
                let blocks: Vec<Block> = data.iter().map(|(block, _)| *block).collect();
                if let Some(error) = self.write_error(now) {
                    return Some(DiskAnswer::Failed { blocks, piece: None, error });
                }
                data.iter().for_each(|(block, data)| self.put(*block, data));
                DiskAnswer::Wrote { blocks }
            }
            Job::Verify(piece, _) if std::mem::take(&mut self.fail_next) => {
                DiskAnswer::Failed { blocks: Vec::new(), piece: Some(piece), error: failure("a sector is unreadable") }
            }
            Job::Verify(piece, expected) => {
                let good = self.judge(piece, Some(expected));
                let leaves = || content::piece_leaves(layout, &self.image, piece);
                let outcome = if good { VerifyOutcome::Good } else { VerifyOutcome::Bad { leaves: leaves() } };
                DiskAnswer::Verified { piece, outcome }
            }
            Job::Room if now < self.full_until => DiskAnswer::Room(Err(no_space())),
            Job::Room => DiskAnswer::Room(Ok(())),
            Job::CheckPiece(piece, expected) => DiskAnswer::Checked { piece, good: self.judge(piece, expected) },
            Job::CheckDone => {
                self.checking = false;
                DiskAnswer::CheckDone
            }
            Job::HashLeaves(piece) => {
                DiskAnswer::Leaves { piece, leaves: content::piece_leaves(layout, &self.image, piece) }
            }
            Job::Flush => match self.flush_error(now) {
                Some(error) => DiskAnswer::Failed { blocks: Vec::new(), piece: None, error },
                None => {
                    let dirty = std::mem::take(&mut self.dirty);
                    dirty.into_iter().for_each(|block| self.make_durable(block));
                    DiskAnswer::Flushed
                }
            },
            Job::Finish => DiskAnswer::Finished,
        })
    }

    fn write_error(&mut self, now: Instant) -> Option<DiskError> {
        if now < self.full_until {
            return Some(no_space());
        }
        std::mem::take(&mut self.fail_next).then(|| failure("the write was refused"))
    }

    fn flush_error(&mut self, now: Instant) -> Option<DiskError> {
        if now < self.full_until && self.rng.f64() >= FULL_FLUSH_FAILS {
            return None;
        }
        self.write_error(now)
    }

    fn judge(&mut self, piece: PieceIndex, expected: Option<PieceHash>) -> bool {
        let (Some(info), Some(expected)) = (&self.info, expected) else { return false };
        let v1 = expected.v1.is_none_or(|hash| content::piece_sha1(info.layout(), &self.image, piece) == hash);
        let v2 = expected.v2.is_none_or(|hash| content::piece_root(info.layout(), &self.image, piece) == Some(hash));
        if v1 && v2 {
            self.verified.insert(piece);
        }
        v1 && v2
    }

    fn put(&mut self, block: Block, data: &[u8]) {
        let Some(info) = self.info.clone() else { return };
        let start = content::piece_range(info.layout(), block.piece).start;
        for segment in info.layout().file_ranges(block).filter(|segment| segment.file.is_some()) {
            let from = segment.block_offset as usize;
            let at = start + block.offset as usize + from;
            let (old, new) =
                (&mut self.image[at..][..segment.length as usize], &data[from..][..segment.length as usize]);
            if self.verified.contains(&block.piece) && old != new {
                self.damage = Some(block.piece);
            }
            old.copy_from_slice(new);
        }
        self.has_data = true;
        self.dirty.push(block);
    }

    fn make_durable(&mut self, block: Block) {
        let Some(info) = &self.info else { return };
        let start = content::piece_range(info.layout(), block.piece).start + block.offset as usize;
        let range = start..start + block.length as usize;
        self.durable[range.clone()].copy_from_slice(&self.image[range]);
    }
}

fn no_space() -> DiskError {
    DiskError { full: true, message: "no space left on the simulated disk".into() }
}

fn failure(what: &str) -> DiskError {
    DiskError { full: false, message: format!("the simulated disk: {what}") }
}
