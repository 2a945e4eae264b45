//! The bytes of pieces in the files: mapped, coalesced, read and written.

use std::io::{self, IoSlice};

use bytes::Bytes;
use metainfo::{Block, FileIndex, PieceIndex, Segment};
use torrent_proto::torrent::DiskError;

use crate::error::failure;
use crate::files::{Files, PARTS, Place, Target};
use crate::{below, positional};

/// How many slices one system call takes at most. Linux allows 1,024; 16 blocks make a batch, beyond 64 nothing is
/// gained.
const MAX_SLICES: usize = 64;

/// Contiguous bytes for one file.
struct Run<'a> {
    file: FileIndex,
    offset: u64,
    end: u64,
    /// Where the first byte lies in the part file, should it go there.
    parts_offset: u64,
    slices: Vec<IoSlice<'a>>,
}

impl Files {
    /// Writes blocks of one piece, sorted by offset, contiguous ones in one call.
    pub(crate) fn write(&self, blocks: &[(Block, Bytes)]) -> Result<(), DiskError> {
        let mut run: Option<Run<'_>> = None;
        for (block, bytes) in blocks {
            for segment in self.layout().file_ranges(*block) {
                let Some(file) = segment.file else { continue };
                let from = segment.block_offset as usize;
                let Some(part) = bytes.get(from..from + segment.length as usize) else { break };
                match &mut run {
                    Some(run)
                        if run.file == file && run.end == segment.file_offset && run.slices.len() < MAX_SLICES =>
                    {
                        run.end += part.len() as u64;
                        run.slices.push(IoSlice::new(part));
                    }
                    _ => {
                        if let Some(done) = run.take() {
                            self.write_run(done)?;
                        }
                        let mut slices = Vec::with_capacity(blocks.len().min(MAX_SLICES));
                        slices.push(IoSlice::new(part));
                        run = Some(Run {
                            file,
                            offset: segment.file_offset,
                            end: segment.file_offset + part.len() as u64,
                            parts_offset: self.parts_offset(block.piece, block.offset + segment.block_offset),
                            slices,
                        });
                    }
                }
            }
        }
        run.map_or(Ok(()), |run| self.write_run(run))
    }

    fn write_run(&self, mut run: Run<'_>) -> Result<(), DiskError> {
        match self.writer(run.file)? {
            Target::File(file) => {
                let written = file.write_all(&mut run.slices, run.offset);
                // Afterwards: a flush in between must not take the note away without the bytes.
                self.touched(run.file.0);
                written.map_err(|error| failure("write", &self.path(run.file.0 as usize), &error))
            }
            Target::Parts => {
                let Some(parts) = self.parts_file(true)? else { return Ok(()) };
                let written = parts.write_all(&mut run.slices, run.parts_offset);
                self.touched(PARTS);
                written.map_err(|error| self.parts_failure("write", &error))
            }
        }
    }

    /// Reads `buffer.len()` bytes of a piece from `offset` on; padding reads as zeros.
    pub(crate) fn read(&self, piece: PieceIndex, offset: u32, buffer: &mut [u8]) -> Result<(), DiskError> {
        let block = Block { piece, offset, length: buffer.len() as u32 };
        let mut filled = 0;
        for segment in self.layout().file_ranges(block) {
            let from = segment.block_offset as usize;
            let part = &mut buffer[from..from + segment.length as usize];
            self.read_segment(piece, offset, segment, part)?;
            filled = from + segment.length as usize;
        }
        buffer[filled..].fill(0);
        Ok(())
    }

    /// Reads like [`Files::read`] without ever waiting: only from files that are open, and what the system holds in memory.
    /// Returns whether all of it was there.
    pub(crate) fn read_cached(&self, piece: PieceIndex, offset: u32, buffer: &mut [u8]) -> bool {
        let block = Block { piece, offset, length: buffer.len() as u32 };
        let mut filled = 0;
        for segment in self.layout().file_ranges(block) {
            let from = segment.block_offset as usize;
            filled = from + segment.length as usize;
            let part = &mut buffer[from..filled];
            let there = match segment.file {
                Some(file) => self
                    .handles
                    .find((self.storage, file.0), false)
                    .is_some_and(|open| positional::read_cached(&open, part, segment.file_offset)),
                None => {
                    part.fill(0);
                    true
                }
            };
            if !there {
                return false;
            }
        }
        buffer[filled..].fill(0);
        true
    }

    fn read_segment(&self, piece: PieceIndex, offset: u32, segment: Segment, part: &mut [u8]) -> Result<(), DiskError> {
        let Some(file) = segment.file else {
            part.fill(0);
            return Ok(());
        };
        match self.reader(file)? {
            Target::File(open) => positional::read_exact(&open, part, segment.file_offset).map_err(|error| {
                let path = self.path(file.0 as usize);
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    let (place, side) = {
                        let state = self.state(file.0 as usize);
                        (state.place, state.side)
                    };
                    if place == Place::Final && !self.is_ours(file.0 as usize) {
                        return self.occupied(file.0 as usize, side);
                    }
                    let message = format!("{} is shorter than it was: check the torrent again", path.display());
                    return DiskError { full: false, message };
                }
                failure("read", &path, &error)
            }),
            Target::Parts => {
                let at = self.parts_offset(piece, offset + segment.block_offset);
                let missing = || io::Error::from(io::ErrorKind::NotFound);
                let parts = self.parts_file(false)?.ok_or_else(|| self.parts_failure("read", &missing()))?;
                positional::read_exact(&parts, part, at).map_err(|error| self.parts_failure("read", &error))
            }
        }
    }

    /// Reads a range of one file.
    pub(crate) fn read_file(&self, file: FileIndex, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        match self.reader(file)? {
            Target::File(open) => positional::read_exact(&open, buffer, offset)
                .map_err(|error| failure("read", &self.path(file.0 as usize), &error)),
            Target::Parts => {
                let error = io::Error::from(io::ErrorKind::NotFound);
                Err(failure("read", &self.path(file.0 as usize), &error))
            }
        }
    }

    /// Tells whether anything was ever written of a piece.
    pub(crate) fn holds_data(&self, piece: PieceIndex) -> bool {
        let whole = Block { piece, offset: 0, length: self.layout().piece_len(piece) };
        self.layout().file_ranges(whole).any(|segment| {
            let Some(file) = segment.file else { return false };
            let length = u64::from(segment.length);
            match self.reader(file) {
                Ok(Target::File(open)) => {
                    positional::holds_data(&open, segment.file_offset..segment.file_offset + length)
                }
                Ok(Target::Parts) => {
                    let at = self.parts_offset(piece, segment.block_offset);
                    let parts = self.parts_file(false).ok().flatten();
                    parts.is_some_and(|parts| positional::holds_data(&parts, at..at + length))
                }
                Err(_) => false,
            }
        })
    }

    /// Asks the system to read a piece ahead.
    pub(crate) fn read_ahead(&self, piece: PieceIndex) {
        let whole = Block { piece, offset: 0, length: self.layout().piece_len(piece) };
        for segment in self.layout().file_ranges(whole) {
            // Below it, asking costs more than it brings: the system's own read-ahead is as long.
            const WORTH_ASKING: u32 = 128 * 1024;
            if segment.length >= WORTH_ASKING
                && let Some(file) = segment.file
                && let Ok(Target::File(open)) = self.reader(file)
            {
                positional::read_ahead(&open, segment.file_offset, u64::from(segment.length));
            }
        }
    }

    /// Returns where a byte of a piece lies in the part file: at the same place as in the torrent, so that no index is
    /// needed; the file is sparse.
    pub(crate) fn parts_offset(&self, piece: PieceIndex, offset: u32) -> u64 {
        u64::from(piece.0) * u64::from(self.layout().piece_length()) + u64::from(offset)
    }

    pub(crate) fn parts_failure(&self, doing: &str, error: &io::Error) -> DiskError {
        let (root, components) = self.parts(self.side.load(std::sync::atomic::Ordering::Relaxed));
        failure(doing, &below::join(&root, &components), error)
    }
}
