//! Hashing what is on disk, on all cores, in long sequential reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use metainfo::PieceIndex;
use torrent_proto::torrent::{CheckScope, DiskAnswer, DiskError, PieceHash, VerifyOutcome};

use crate::storage::Inner;
use crate::warm::Warm;

/// How many contiguous bytes a thread takes at a time: long enough for a spinning disk to stay sequential.
const STRETCH_LEN: u32 = 8 * 1024 * 1024;

impl Inner {
    /// Carries out a check.
    pub(crate) fn check(self: &Arc<Self>, scope: &CheckScope, expected: &[Option<PieceHash>], number: u64) {
        self.forget_warm();
        // What was deleted or put in its place since is not what is open.
        self.files.handles.forget_storage(self.files.storage);
        let count = self.files.layout().piece_count();
        let stretch = (STRETCH_LEN / self.files.layout().piece_length().max(1)).max(1);
        let next = AtomicU32::new(0);
        let work = || {
            loop {
                let start = next.fetch_add(stretch, Ordering::Relaxed);
                // The counter stops one stretch a thread behind the end, far from its own.
                if start >= count || self.is_stopped(number) {
                    return;
                }
                let pieces = start..start.saturating_add(stretch).min(count);
                self.check_stretch(pieces, scope, expected, number);
            }
        };
        let threads = self.disk.check_threads.load(Ordering::Relaxed).min(count.div_ceil(stretch) as usize);
        std::thread::scope(|threads_scope| {
            for i in 1..threads {
                let spawned =
                    std::thread::Builder::new().name(format!("disk-hash-{i}")).spawn_scoped(threads_scope, work);
                if let Err(error) = spawned {
                    tracing::debug!(%error, "a check gets fewer threads");
                }
            }
            work();
        });
        self.answer(DiskAnswer::CheckDone);
    }

    fn check_stretch(
        &self,
        pieces: std::ops::Range<u32>,
        scope: &CheckScope,
        expected: &[Option<PieceHash>],
        number: u64,
    ) {
        let pieces: Vec<PieceIndex> = match scope {
            CheckScope::All => pieces.map(PieceIndex).collect(),
            CheckScope::AllBut(known) => {
                let unknown = pieces.filter(|&piece| !known.get(piece)).map(PieceIndex);
                let (there, empty): (Vec<_>, Vec<_>) = unknown.partition(|&piece| self.files.holds_data(piece));
                for piece in empty {
                    self.answer(DiskAnswer::Checked { piece, good: false });
                }
                there
            }
        };
        for &piece in &pieces {
            self.files.read_ahead(piece);
        }
        for piece in pieces {
            if self.is_stopped(number) {
                return;
            }
            let good = match expected.get(piece.0 as usize).copied().flatten() {
                Some(expected) => self.is_good(piece, expected).unwrap_or_else(|error| {
                    tracing::debug!(%error.message, ?piece, "a piece cannot be checked");
                    false
                }),
                None => false,
            };
            if good {
                self.files.proven(piece);
            }
            self.answer(DiskAnswer::Checked { piece, good });
        }
    }

    fn is_good(&self, piece: PieceIndex, expected: PieceHash) -> Result<bool, DiskError> {
        let warm = Warm::new(&self.files.info, piece);
        let read = &mut |offset, part: &mut [u8]| self.files.read(piece, offset, part);
        let outcome = self.disk.with_buffer(|buffer| warm.finish(expected, buffer, read))?;
        Ok(outcome == VerifyOutcome::Good)
    }
}
