//! The hashes of a piece that is being written, taken while its bytes are warm.
//!
//! SHA-1 (v1) needs the bytes in order: what comes early is held until its turn, as far as the budget of [`Kept`] allows,
//! and read back otherwise. SHA-256 (v2) is taken block by block, in any order. Invariant: `sha1` covers exactly the
//! bytes before `next`; a leaf that is present is the hash of what was last written there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::Bitfield;
use bytes::Bytes;
use metainfo::{BLOCK_LEN, Info, Layout, PieceIndex, merkle};
use sha1::{Digest, Sha1};
use torrent_proto::torrent::{PieceHash, VerifyOutcome};

use crate::LARGE;

/// Reads bytes of the piece back: from where on, into what.
pub(crate) type ReadBack<'a, E> = &'a mut dyn FnMut(u32, &mut [u8]) -> Result<(), E>;

/// A budget of bytes that are held until their turn.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    used: Arc<AtomicUsize>,
    limit: Arc<AtomicUsize>,
}

/// Bytes that are held, and what they count.
#[derive(Debug)]
struct Kept {
    bytes: Bytes,
    cost: usize,
    used: Arc<AtomicUsize>,
}

/// The hashes of one piece.
#[derive(Debug)]
pub(crate) struct Warm {
    len: u32,
    sha1: Option<Sha1>,
    next: u32,
    kept: BTreeMap<u32, Kept>,
    /// Which blocks were written.
    written: Bitfield,
    leaves: Option<Leaves>,
}

/// What a piece hashes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashes {
    pub(crate) v1: Option<[u8; 20]>,
    /// The merkle root.
    pub(crate) v2: Option<[u8; 32]>,
}

/// The leaf hashes of one piece.
#[derive(Debug)]
struct Leaves {
    hashes: Vec<Option<[u8; 32]>>,
    /// How many bytes of the piece are data; the rest is padding and has no leaves.
    data_len: u32,
    width: u32,
}

impl Budget {
    /// Builds an unused budget.
    pub(crate) fn new(limit: usize) -> Budget {
        Budget { used: Arc::default(), limit: Arc::new(AtomicUsize::new(limit)) }
    }

    /// Changes it; what is held beyond a smaller one stays until its turn.
    pub(crate) fn set(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Holds `bytes` if the budget allows. A slice keeps the whole buffer behind it alive, so the first slice of a
    /// buffer counts as a large one; `neighbour` is a slice just kept, likely of the same buffer.
    fn keep(&self, bytes: &Bytes, neighbour: Option<&Bytes>) -> Option<Kept> {
        let near = neighbour.is_some_and(|other| bytes.as_ptr().addr().abs_diff(other.as_ptr().addr()) < LARGE);
        let cost = if near { 0 } else { LARGE.max(bytes.len()) };
        let before = self.used.fetch_add(cost, Ordering::Relaxed);
        // Built first, so that its drop gives the cost back when it is too much.
        let kept = Kept { bytes: bytes.clone(), cost, used: self.used.clone() };
        (before + cost <= self.limit.load(Ordering::Relaxed)).then_some(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.used.fetch_sub(self.cost, Ordering::Relaxed);
    }
}

impl Warm {
    /// Begins a piece.
    pub(crate) fn new(info: &Info, piece: PieceIndex) -> Warm {
        Warm::of(info.layout(), info.has_v1(), piece)
    }

    /// Begins a piece of a torrent that may have no info dictionary yet.
    pub(crate) fn of(layout: &Layout, has_v1: bool, piece: PieceIndex) -> Warm {
        let len = layout.piece_len(piece);
        Warm {
            len,
            sha1: has_v1.then(Sha1::new),
            next: 0,
            kept: BTreeMap::new(),
            written: Bitfield::new(len.div_ceil(BLOCK_LEN)),
            leaves: layout.v2_piece(piece).map(|v2| Leaves {
                hashes: vec![None; v2.length.div_ceil(BLOCK_LEN) as usize],
                data_len: v2.length,
                width: v2.width,
            }),
        }
    }

    /// Takes what was just written: ranges of the piece in ascending order. `read` gives back what was written earlier.
    pub(crate) fn wrote<'b, E>(
        &mut self,
        blocks: impl Iterator<Item = (u32, &'b Bytes)>,
        budget: &Budget,
        buffer: &mut [u8],
        read: ReadBack<'_, E>,
    ) -> Result<(), E> {
        let mut neighbour: Option<Bytes> = None;
        for (offset, bytes) in blocks {
            if let Some(leaves) = &mut self.leaves {
                leaves.take(offset, bytes);
            }
            if self.sha1.is_some() {
                self.take_in_order(offset, bytes, budget, &mut neighbour, buffer, read)?;
            }
            for index in offset / BLOCK_LEN..(offset + bytes.len() as u32).div_ceil(BLOCK_LEN) {
                self.written.set(index);
            }
        }
        Ok(())
    }

    fn take_in_order<E>(
        &mut self,
        offset: u32,
        bytes: &Bytes,
        budget: &Budget,
        neighbour: &mut Option<Bytes>,
        buffer: &mut [u8],
        read: ReadBack<'_, E>,
    ) -> Result<(), E> {
        if offset < self.next {
            // Written once more, over bytes that are hashed already: begin again, from what is on disk.
            self.sha1 = Some(Sha1::new());
            self.next = 0;
            self.kept.clear();
            return Ok(());
        }
        if offset > self.next && self.all_written(self.next, offset) {
            self.catch_up(offset, buffer, read)?;
        }
        if offset == self.next {
            self.feed(bytes);
            self.feed_kept();
        } else if let Some(kept) = budget.keep(bytes, neighbour.as_ref()) {
            *neighbour = Some(bytes.clone());
            self.kept.insert(offset, kept);
        } else {
            self.kept.remove(&offset);
        }
        Ok(())
    }

    fn feed(&mut self, bytes: &[u8]) {
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        self.next += bytes.len() as u32;
    }

    fn feed_kept(&mut self) {
        while let Some(entry) = self.kept.first_entry() {
            if *entry.key() > self.next {
                return;
            }
            let (offset, kept) = entry.remove_entry();
            if offset == self.next {
                self.feed(&kept.bytes);
            }
        }
    }

    fn all_written(&self, from: u32, to: u32) -> bool {
        from.is_multiple_of(BLOCK_LEN) && (from / BLOCK_LEN..to / BLOCK_LEN).all(|index| self.written.get(index))
    }

    /// Hashes on up to `to`, from held bytes or what is on disk.
    fn catch_up<E>(&mut self, to: u32, buffer: &mut [u8], read: ReadBack<'_, E>) -> Result<(), E> {
        loop {
            self.feed_kept();
            if self.next >= to {
                return Ok(());
            }
            let until = self.kept.keys().next().copied().unwrap_or(to).min(to);
            let part = &mut buffer[..(until - self.next).min(LARGE as u32) as usize];
            read(self.next, part)?;
            if let Some(leaves) = &mut self.leaves {
                leaves.fill(self.next, part);
            }
            self.feed(part);
        }
    }

    /// Hashes whatever is missing and compares.
    pub(crate) fn finish<E>(
        mut self,
        expected: PieceHash,
        buffer: &mut [u8],
        read: ReadBack<'_, E>,
    ) -> Result<VerifyOutcome, E> {
        if expected.v1.is_none() {
            self.sha1 = None;
        } else {
            self.sha1.get_or_insert_default();
        }
        let width = self.leaves.as_ref().map_or(1, |leaves| leaves.width);
        let (v1, leaves) = self.complete(buffer, read)?;
        let root = || leaves.as_deref().map(|leaves| merkle::root(leaves, 0, width));
        let good = v1 == expected.v1 && expected.v2.is_none_or(|expected| root() == Some(expected));
        Ok(if good { VerifyOutcome::Good } else { VerifyOutcome::Bad { leaves } })
    }

    /// Hashes whatever is missing; returns the SHA-1 and the merkle root, as far as the torrent has them.
    pub(crate) fn hashes<E>(self, buffer: &mut [u8], read: ReadBack<'_, E>) -> Result<Hashes, E> {
        let width = self.leaves.as_ref().map_or(1, |leaves| leaves.width);
        let (v1, leaves) = self.complete(buffer, read)?;
        Ok(Hashes { v1, v2: leaves.map(|leaves| merkle::root(&leaves, 0, width)) })
    }

    #[expect(clippy::type_complexity, reason = "two plain hashes")]
    fn complete<E>(
        mut self,
        buffer: &mut [u8],
        read: ReadBack<'_, E>,
    ) -> Result<(Option<[u8; 20]>, Option<Vec<[u8; 32]>>), E> {
        if self.sha1.is_some() {
            self.catch_up(self.len, buffer, read)?;
        }
        let leaves = self.leaves.map(|leaves| leaves.complete(buffer, read)).transpose()?;
        Ok((self.sha1.map(|sha1| sha1.finalize().into()), leaves))
    }

    /// Returns the leaf hashes over what is on disk.
    pub(crate) fn leaves<E>(
        info: &Info,
        piece: PieceIndex,
        buffer: &mut [u8],
        read: ReadBack<'_, E>,
    ) -> Result<Option<Vec<[u8; 32]>>, E> {
        let Some(leaves) = Warm::new(info, piece).leaves else { return Ok(None) };
        leaves.complete(buffer, read).map(Some)
    }
}

impl Leaves {
    fn leaf_len(&self, index: usize) -> u32 {
        (self.data_len - index as u32 * BLOCK_LEN).min(BLOCK_LEN)
    }

    /// Hashes the leaves that `bytes` at `offset` cover whole; those that it covers in part are to be read back.
    fn take(&mut self, offset: u32, bytes: &[u8]) {
        let first = (offset / BLOCK_LEN) as usize;
        let end = offset + bytes.len() as u32;
        for index in first..self.hashes.len().min(end.div_ceil(BLOCK_LEN) as usize) {
            let start = index as u32 * BLOCK_LEN;
            let whole = start >= offset && start + self.leaf_len(index) <= end;
            self.hashes[index] = whole.then(|| {
                let from = (start - offset) as usize;
                merkle::leaf(&bytes[from..from + self.leaf_len(index) as usize])
            });
        }
    }

    /// Hashes the leaves that are missing and that `bytes` at `offset` cover whole.
    fn fill(&mut self, offset: u32, bytes: &[u8]) {
        let first = offset.div_ceil(BLOCK_LEN) as usize;
        for index in first..self.hashes.len() {
            let from = (index as u32 * BLOCK_LEN - offset) as usize;
            let Some(data) = bytes.get(from..from + self.leaf_len(index) as usize) else { return };
            self.hashes[index].get_or_insert_with(|| merkle::leaf(data));
        }
    }

    /// Reads back and hashes the missing leaves.
    fn complete<E>(mut self, buffer: &mut [u8], read: ReadBack<'_, E>) -> Result<Vec<[u8; 32]>, E> {
        let per_read = LARGE / BLOCK_LEN as usize;
        let mut first = 0;
        while let Some(missing) = self.hashes[first..].iter().position(Option::is_none) {
            first += missing;
            let run = self.hashes[first..].iter().take(per_read).take_while(|hash| hash.is_none()).count();
            let start = first as u32 * BLOCK_LEN;
            let end = (start + run as u32 * BLOCK_LEN).min(self.data_len);
            let part = &mut buffer[..(end - start) as usize];
            read(start, part)?;
            self.fill(start, part);
            first += run;
        }
        Ok(self.hashes.into_iter().flatten().collect())
    }
}
