//! A disk in memory: the same orders and answers, carried out at once, with faults where a test wants them.
//!
//! Deterministic: what it does depends on the orders and [`Faults`] only. It keeps what was *written* and what is
//! *durable* apart, so that [`FakeDisk::crash`] loses what a real crash may lose.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use metainfo::{BLOCK_LEN, Block, Info, PieceIndex, merkle};
use sha1::{Digest, Sha1};
use torrent_proto::torrent::{CheckScope, DiskAnswer, DiskError, DiskOrder, PieceHash, VerifyOutcome};

/// What goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How many bytes fit; `None`: any number.
    pub capacity: Option<u64>,
    /// So many of the next writes fail.
    pub failing_writes: u32,
    /// So many of the next reads (uploads, leaves) fail.
    pub failing_reads: u32,
    /// So many of the next verifications fail for a local reason.
    pub failing_verifies: u32,
    /// So many of the next flushes fail.
    pub failing_flushes: u32,
    /// So many of the next writes store a wrong byte without saying so.
    pub lying_writes: u32,
}

/// One torrent's storage in memory.
#[derive(Clone, Debug)]
pub struct FakeDisk {
    info: Arc<Info>,
    written: BTreeMap<PieceIndex, Piece>,
    durable: BTreeMap<PieceIndex, Piece>,
    finished: bool,
    /// What goes wrong next; may be changed at any time.
    pub faults: Faults,
}

/// The bytes of a piece, and which of its blocks were ever written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    bytes: Vec<u8>,
    blocks: base::Bitfield,
}

impl FakeDisk {
    /// Builds an empty storage.
    pub fn new(info: Arc<Info>) -> FakeDisk {
        FakeDisk {
            info,
            written: BTreeMap::new(),
            durable: BTreeMap::new(),
            finished: false,
            faults: Faults::default(),
        }
    }

    /// Builds a storage that holds whole pieces, as a seed's does.
    pub fn with_pieces(info: Arc<Info>, pieces: impl IntoIterator<Item = (PieceIndex, Vec<u8>)>) -> FakeDisk {
        let mut disk = FakeDisk::new(info);
        for (index, bytes) in pieces {
            let count = (bytes.len() as u32).div_ceil(BLOCK_LEN);
            disk.written.insert(index, Piece { bytes, blocks: base::Bitfield::full(count) });
        }
        disk.durable = disk.written.clone();
        disk.finished = true;
        disk
    }

    /// Loses everything that was not flushed.
    pub fn crash(&mut self) {
        self.written = self.durable.clone();
    }

    /// Turns a bit of a piece around, as a failing disk does; nothing happens where nothing was written.
    pub fn damage(&mut self, piece: PieceIndex, offset: u32) {
        if let Some(byte) = self.written.get_mut(&piece).and_then(|piece| piece.bytes.get_mut(offset as usize)) {
            *byte ^= 1;
        }
    }

    /// Returns the bytes of a piece, if any of it was ever written.
    pub fn piece(&self, piece: PieceIndex) -> Option<&[u8]> {
        self.written.get(&piece).map(|piece| &*piece.bytes)
    }

    /// Tells whether the files have their final names.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Returns how many bytes are held.
    pub fn used(&self) -> u64 {
        self.written.values().map(|piece| piece.bytes.len() as u64).sum()
    }

    /// Carries an order out; returns all of its answers.
    pub fn order(&mut self, order: DiskOrder) -> Vec<DiskAnswer> {
        match order {
            DiskOrder::Open { .. } => vec![DiskAnswer::Opened { found_data: !self.written.is_empty() }],
            DiskOrder::Write { blocks } => vec![self.write(&blocks)],
            DiskOrder::Verify { piece, expected } => vec![self.verify(piece, expected)],
            DiskOrder::Check { scope, expected } => self.check(&scope, &expected),
            DiskOrder::HashLeaves { piece } => {
                let leaves = if fails(&mut self.faults.failing_reads) { None } else { self.leaves(piece) };
                vec![DiskAnswer::Leaves { piece, leaves }]
            }
            DiskOrder::Flush if fails(&mut self.faults.failing_flushes) => vec![failed("flush", Vec::new(), None)],
            DiskOrder::Flush => {
                self.durable = self.written.clone();
                vec![DiskAnswer::Flushed]
            }
            DiskOrder::Finish => {
                self.finished = true;
                vec![DiskAnswer::Finished]
            }
            DiskOrder::Room => vec![DiskAnswer::Room(Ok(()))],
            DiskOrder::StopCheck | DiskOrder::Wanted { .. } | DiskOrder::Close => Vec::new(),
        }
    }

    /// Reads blocks, as for an upload.
    pub fn read(&mut self, blocks: &[Block]) -> Result<Vec<Bytes>, DiskError> {
        if fails(&mut self.faults.failing_reads) {
            return Err(error("read"));
        }
        let read = |block: &Block| {
            let piece = self.written.get(&block.piece)?;
            piece.bytes.get(block.offset as usize..block.end() as usize).map(Bytes::copy_from_slice)
        };
        blocks.iter().map(|block| read(block).ok_or_else(|| error("read"))).collect()
    }

    fn write(&mut self, blocks: &[(Block, Bytes)]) -> DiskAnswer {
        let numbers: Vec<Block> = blocks.iter().map(|(block, _)| *block).collect();
        if fails(&mut self.faults.failing_writes) {
            return failed("write", numbers, None);
        }
        let fresh =
            |block: &&Block| self.written.get(&block.piece).is_none_or(|p| !p.blocks.get(block.offset / BLOCK_LEN));
        let added: u64 = numbers.iter().filter(fresh).map(|block| u64::from(block.length)).sum();
        if self.faults.capacity.is_some_and(|capacity| self.stored() + added > capacity) {
            let message = "cannot write: the disk is full; make room and resume".to_owned();
            return DiskAnswer::Failed { blocks: numbers, piece: None, error: DiskError { full: true, message } };
        }
        let lies = fails(&mut self.faults.lying_writes);
        for (block, bytes) in blocks {
            let len = self.info.layout().piece_len(block.piece);
            let empty = || Piece { bytes: vec![0; len as usize], blocks: base::Bitfield::new(len.div_ceil(BLOCK_LEN)) };
            let piece = self.written.entry(block.piece).or_insert_with(empty);
            if let Some(room) = piece.bytes.get_mut(block.offset as usize..block.offset as usize + bytes.len()) {
                room.copy_from_slice(bytes);
                room.iter_mut().take(usize::from(lies)).for_each(|byte| *byte ^= 1);
                piece.blocks.set(block.offset / BLOCK_LEN);
            }
        }
        DiskAnswer::Wrote { blocks: numbers }
    }

    /// Returns how many bytes of blocks were ever written.
    fn stored(&self) -> u64 {
        let of = |piece: &Piece| (u64::from(piece.blocks.count()) * u64::from(BLOCK_LEN)).min(piece.bytes.len() as u64);
        self.written.values().map(of).sum()
    }

    fn verify(&mut self, piece: PieceIndex, expected: PieceHash) -> DiskAnswer {
        if fails(&mut self.faults.failing_verifies) || !self.written.contains_key(&piece) {
            return failed("verify", Vec::new(), Some(piece));
        }
        let outcome = if self.is_good(piece, expected) {
            VerifyOutcome::Good
        } else {
            VerifyOutcome::Bad { leaves: self.leaves(piece) }
        };
        DiskAnswer::Verified { piece, outcome }
    }

    fn is_good(&self, piece: PieceIndex, expected: PieceHash) -> bool {
        let Some(there) = self.written.get(&piece) else { return false };
        let v1 = expected.v1.is_none_or(|v1| <[u8; 20]>::from(Sha1::digest(&there.bytes)) == v1);
        let root = || {
            let width = self.info.layout().v2_piece(piece)?.width;
            Some(merkle::root(&self.leaves(piece)?, 0, width))
        };
        v1 && expected.v2.is_none_or(|v2| root() == Some(v2))
    }

    fn leaves(&self, piece: PieceIndex) -> Option<Vec<[u8; 32]>> {
        let len = self.info.layout().v2_piece(piece)?.length;
        let data = self.written.get(&piece)?.bytes.get(..len as usize)?;
        Some(data.chunks(BLOCK_LEN as usize).map(merkle::leaf).collect())
    }

    fn check(&self, scope: &CheckScope, expected: &[Option<PieceHash>]) -> Vec<DiskAnswer> {
        let covered = |piece: &PieceIndex| match scope {
            CheckScope::All => true,
            CheckScope::AllBut(known) => !known.get(piece.0),
        };
        let checked = |piece: PieceIndex| {
            let expected = expected.get(piece.0 as usize).copied().flatten();
            let good = expected.is_some_and(|expected| self.is_good(piece, expected));
            DiskAnswer::Checked { piece, good }
        };
        let pieces = self.info.layout().pieces().filter(covered);
        pieces.map(checked).chain([DiskAnswer::CheckDone]).collect()
    }
}

/// Takes one of the failures that are still due.
fn fails(due: &mut u32) -> bool {
    let fails = *due > 0;
    *due = due.saturating_sub(1);
    fails
}

fn error(doing: &str) -> DiskError {
    DiskError { full: false, message: format!("cannot {doing}: an injected fault") }
}

fn failed(doing: &str, blocks: Vec<Block>, piece: Option<PieceIndex>) -> DiskAnswer {
    DiskAnswer::Failed { blocks, piece, error: error(doing) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Content;

    fn write(disk: &mut FakeDisk, content: &Content, piece: u32) -> DiskAnswer {
        disk.order(DiskOrder::Write { blocks: content.blocks(piece) }).remove(0)
    }

    fn is_good(disk: &mut FakeDisk, content: &Content, piece: u32) -> bool {
        let order = DiskOrder::Verify { piece: PieceIndex(piece), expected: content.expected(piece) };
        matches!(&disk.order(order)[..], [DiskAnswer::Verified { outcome: VerifyOutcome::Good, .. }])
    }

    #[test]
    fn a_crash_loses_what_was_not_flushed() {
        let content = Content::v1(&[("a", 100_000)], 32768);
        let mut disk = FakeDisk::new(content.info.clone());
        write(&mut disk, &content, 0);
        assert!(matches!(disk.order(DiskOrder::Flush)[..], [DiskAnswer::Flushed]));
        write(&mut disk, &content, 1);
        assert!(is_good(&mut disk, &content, 0) && is_good(&mut disk, &content, 1));
        disk.crash();
        let answers = disk.order(DiskOrder::Check { scope: CheckScope::All, expected: content.all_expected() });
        let good = answers.iter().filter(|answer| matches!(answer, DiskAnswer::Checked { good: true, .. })).count();
        assert_eq!((good, answers.len()), (1, 5));
    }

    #[test]
    fn faults_strike_once_each() {
        let content = Content::v2(&[("a", 100_000)], 32768);
        let mut disk = FakeDisk::new(content.info.clone());
        disk.faults = Faults { capacity: Some(70_000), failing_writes: 1, lying_writes: 1, ..Faults::default() };
        assert!(matches!(write(&mut disk, &content, 0), DiskAnswer::Failed { error, .. } if !error.full));
        write(&mut disk, &content, 0);
        assert!(!is_good(&mut disk, &content, 0), "the lie is found");
        write(&mut disk, &content, 0);
        assert!(is_good(&mut disk, &content, 0));
        write(&mut disk, &content, 1);
        assert!(matches!(write(&mut disk, &content, 2), DiskAnswer::Failed { error, .. } if error.full));
        disk.faults.capacity = None;
        write(&mut disk, &content, 2);
        assert!(is_good(&mut disk, &content, 2));
    }
}
