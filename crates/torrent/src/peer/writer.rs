//! From messages and blocks to one vectored write.
//!
//! Owns what waits for the socket. Control messages go before blocks, but never into the middle of one. Invariant:
//! `begun` bytes of the first block (its header included) were written; without blocks it is 0.
//!
//! What is read ahead follows what the peer takes: large reads for one that is fast, two blocks for one that is slow or
//! new, and nothing for one that stalls, whose blocks are given back and read again when it goes on. So a hundred peers
//! that stop reading hold no memory that others need.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use bytes::Bytes;
use metainfo::{BLOCK_LEN, Block};
use tokio::time::Instant;
use torrent_proto::wire::{self, ExtensionIds, Message, PIECE_HEADER_LEN};

/// How many bytes of control messages may wait; beyond it nothing is taken from the torrent until the peer reads.
/// Some 4,000 requests.
const MAX_CONTROL: usize = 64 * 1024;

/// How many blocks go out in one write. Measured: the gain ends there.
const BLOCKS_A_WRITE: usize = 16;

/// How many blocks are read at once for a fast peer. Measured: each read that a disk thread does wakes both it and us, so
/// that reads of 16 blocks cost a seeder a quarter more.
const BLOCKS_A_FAST_READ: usize = 64;

/// How many blocks are read at once for a peer that is slow or new: what the pool has a buffer of its own size for.
const BLOCKS_A_SLOW_READ: usize = 2;

/// A peer that takes a slow read's worth within this time is fast: 1.6 MB/s. Arbitrary.
const FAST_WITHIN: Duration = Duration::from_millis(20);

/// A fast peer that takes longer than this for a write's worth is slow again: 1 MB/s. Arbitrary; less than what makes
/// it fast, so that it does not go to and fro.
const SLOW_BEYOND: Duration = Duration::from_millis(250);

/// A block on its way out.
#[derive(Debug)]
struct Outgoing {
    header: [u8; PIECE_HEADER_LEN],
    data: Bytes,
    block: Block,
}

impl Outgoing {
    fn len(&self) -> usize {
        PIECE_HEADER_LEN + self.data.len()
    }
}

/// The sending half of a connection, without its socket.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    control: Vec<u8>,
    control_sent: usize,
    blocks: VecDeque<Outgoing>,
    begun: usize,
    block_bytes: usize,
    /// Blocks that are to be read from disk and sent.
    todo: VecDeque<Block>,
    fast: bool,
    /// The peer takes nothing: nothing is read for it.
    stalled: bool,
    /// Since when the pace is measured, and how much went out since; `None` while nothing waits.
    measured: Option<(Instant, usize)>,
}

impl Writer {
    /// Tells whether control messages may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.control.len() - self.control_sent < MAX_CONTROL
    }

    /// Adds a message; `ids` are those of the receiver.
    pub(crate) fn push(&mut self, message: &Message, ids: &ExtensionIds) {
        wire::encode(message, ids, &mut self.control);
    }

    /// Adds blocks that are to be read and sent.
    pub(crate) fn upload(&mut self, blocks: Vec<Block>) {
        self.todo.extend(blocks);
    }

    /// Returns how many blocks wait to be read.
    pub(crate) fn waiting(&self) -> usize {
        self.todo.len()
    }

    /// Takes the next blocks to read, if the socket has no more than one read's worth ahead of it: one is written while
    /// the next is read.
    pub(crate) fn next_read(&mut self) -> Option<Vec<Block>> {
        let most = if self.fast { BLOCKS_A_FAST_READ } else { BLOCKS_A_SLOW_READ };
        if self.todo.is_empty() || self.stalled || self.blocks.len() > most {
            return None;
        }
        let count = self.todo.len().min(most);
        Some(self.todo.drain(..count).collect())
    }

    /// Tells whether blocks are held that a peer who stalls must give back.
    pub(crate) fn may_stall(&self) -> bool {
        !self.stalled && !self.blocks.is_empty()
    }

    /// Gives back what was read for a peer that takes nothing: it is read again once the peer goes on. The first block
    /// stays, to try the socket with and since it may be half out; it moves to memory of its own, since a slice would
    /// hold the whole buffer.
    pub(crate) fn stall(&mut self) {
        self.stalled = true;
        self.fast = false;
        let Some(mut first) = self.blocks.pop_front() else { return };
        for outgoing in self.blocks.drain(..).rev() {
            self.block_bytes -= outgoing.len();
            self.todo.push_front(outgoing.block);
        }
        first.data = Bytes::copy_from_slice(&first.data);
        self.blocks.push_back(first);
    }

    /// Notes that the socket took bytes at this time, and judges how fast the peer is.
    pub(crate) fn taken(&mut self, bytes: usize, now: Instant) {
        self.stalled = false;
        let (since, before) = self.measured.unwrap_or((now, 0));
        let sum = before + bytes;
        let (blocks, limit) = if self.fast { (BLOCKS_A_WRITE, SLOW_BEYOND) } else { (BLOCKS_A_SLOW_READ, FAST_WITHIN) };
        self.measured = Some((since, sum));
        if sum >= blocks * BLOCK_LEN as usize {
            self.fast = now - since <= limit;
            self.measured = Some((now, 0));
        }
        if self.blocks.is_empty() {
            // What comes next may come after a pause that is not the peer's fault.
            self.measured = None;
        }
    }

    /// Adds blocks that were read.
    pub(crate) fn push_blocks(&mut self, blocks: Vec<(Block, Bytes)>, now: Instant) {
        if self.stalled {
            // Read before the peer stalled.
            blocks.into_iter().rev().for_each(|(block, _)| self.todo.push_front(block));
            return;
        }
        if self.blocks.is_empty() {
            self.measured = Some((now, 0));
        }
        for (block, data) in blocks {
            let outgoing = Outgoing { header: wire::encode_piece_header(block), data, block };
            self.block_bytes += outgoing.len();
            self.blocks.push_back(outgoing);
        }
    }

    /// Returns how many bytes wait for the socket.
    pub(crate) fn pending(&self) -> usize {
        self.control.len() - self.control_sent + self.block_bytes
    }

    /// Returns at most `limit` bytes of what is to be written next.
    pub(crate) fn slices(&self, limit: usize) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(2 * BLOCKS_A_WRITE + 1);
        let mut left = limit;
        let control = &self.control[self.control_sent..];
        if self.begun == 0 {
            add(&mut slices, control, &mut left);
        }
        for (i, outgoing) in self.blocks.iter().take(BLOCKS_A_WRITE).enumerate() {
            let begun = if i == 0 { self.begun } else { 0 };
            add(&mut slices, &outgoing.header[begun.min(PIECE_HEADER_LEN)..], &mut left);
            add(&mut slices, &outgoing.data[begun.saturating_sub(PIECE_HEADER_LEN)..], &mut left);
            if begun > 0 {
                add(&mut slices, control, &mut left);
            }
        }
        slices
    }

    /// Says that the first `written` bytes of [`Writer::slices`] are out; appends the blocks that this finished.
    pub(crate) fn advance(&mut self, mut written: usize, finished: &mut Vec<Block>) {
        if self.begun > 0 {
            written = self.advance_block(written, finished);
        }
        let control = written.min(self.control.len() - self.control_sent);
        self.control_sent += control;
        written -= control;
        if self.control_sent == self.control.len() {
            self.control.clear();
            self.control_sent = 0;
        }
        while written > 0 && !self.blocks.is_empty() {
            written = self.advance_block(written, finished);
        }
        debug_assert_eq!(written, 0, "more was written than there was");
    }

    /// Counts bytes of the first block as written; returns those beyond it.
    fn advance_block(&mut self, written: usize, finished: &mut Vec<Block>) -> usize {
        let Some(first) = self.blocks.front() else { return written };
        let rest = first.len() - self.begun;
        let taken = rest.min(written);
        self.block_bytes -= taken;
        self.begun += taken;
        if taken == rest {
            self.begun = 0;
            finished.extend(self.blocks.pop_front().map(|outgoing| outgoing.block));
        }
        written - taken
    }
}

/// Adds as much of `bytes` as `left` allows; never an empty slice.
fn add<'a>(slices: &mut Vec<IoSlice<'a>>, bytes: &'a [u8], left: &mut usize) {
    let taken = bytes.len().min(*left);
    if taken > 0 {
        slices.push(IoSlice::new(&bytes[..taken]));
        *left -= taken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metainfo::PieceIndex;

    fn block(n: u32) -> (Block, Bytes) {
        (Block { piece: PieceIndex(n), offset: 0, length: 1000 }, Bytes::from(vec![n as u8; 1000]))
    }

    /// Writes `step` bytes at a time until nothing is left, adding a message after each of the first writes.
    fn drain(writer: &mut Writer, step: usize, mut notes: u32) -> (Vec<u8>, Vec<Block>) {
        let (mut out, mut finished) = (Vec::new(), Vec::new());
        while writer.pending() > 0 {
            let slices = writer.slices(step);
            let written: usize = slices.iter().map(|s| s.len()).sum();
            slices.iter().for_each(|s| out.extend_from_slice(s));
            drop(slices);
            writer.advance(written, &mut finished);
            if notes > 0 {
                notes -= 1;
                writer.push(&Message::Have(PieceIndex(notes)), &ExtensionIds::default());
            }
        }
        (out, finished)
    }

    #[test]
    fn whatever_the_socket_takes_messages_stay_whole() {
        for step in [1, 5, 13, 14, 999, 1013, 1014, 4000, 100_000] {
            let mut writer = Writer::default();
            writer.push(&Message::Unchoke, &ExtensionIds::default());
            writer.push_blocks((0..40).map(block).collect(), Instant::now());
            let (out, finished) = drain(&mut writer, step, 30);
            assert_eq!(finished, (0..40).map(|n| block(n).0).collect::<Vec<_>>());
            let (mut rest, mut pieces, mut haves) = (&out[..], 0, 0);
            while let Some(length) = wire::split_frame(rest).unwrap() {
                match wire::decode(Bytes::copy_from_slice(&rest[..length])).unwrap() {
                    Message::Piece { piece, data, .. } => {
                        assert_eq!(data, block(piece.0).1, "step {step}");
                        pieces += 1;
                    }
                    Message::Have(_) => haves += 1,
                    other => assert_eq!(other, Message::Unchoke),
                }
                rest = &rest[length..];
            }
            assert!(rest.is_empty());
            assert_eq!((pieces, haves), (40, 30.min(haves)), "step {step}");
        }
    }

    fn uploads(count: u32) -> Writer {
        let mut writer = Writer::default();
        writer.upload((0..count).map(|n| Block { piece: PieceIndex(n), offset: 0, length: BLOCK_LEN }).collect());
        writer
    }

    /// Reads as far ahead as the writer wants; returns how many blocks that were.
    fn read(writer: &mut Writer, now: Instant) -> usize {
        let mut read = 0;
        while let Some(blocks) = writer.next_read() {
            read += blocks.len();
            let data = Bytes::from(vec![0; BLOCK_LEN as usize]);
            writer.push_blocks(blocks.into_iter().map(|b| (b, data.clone())).collect(), now);
        }
        read
    }

    /// Lets the socket take so many bytes.
    fn take(writer: &mut Writer, bytes: usize, now: Instant) {
        let written: usize = writer.slices(bytes).iter().map(|s| s.len()).sum();
        writer.advance(written, &mut Vec::new());
        writer.taken(written, now);
    }

    #[test]
    fn reading_ahead_follows_what_the_peer_takes() {
        let start = Instant::now();
        let mut writer = uploads(200);
        assert_eq!(read(&mut writer, start), 4, "a new peer is given little");
        let mut now = start + Duration::from_millis(1);
        take(&mut writer, usize::MAX, now);
        assert_eq!(read(&mut writer, now), 128, "one that takes it at once is fast");
        for _ in 0..20 {
            now += Duration::from_millis(20);
            take(&mut writer, BLOCK_LEN as usize, now);
        }
        assert!(read(&mut writer, now) == 0 && !writer.fast, "one that takes 800 kB/s is not");
        while writer.pending() > 0 {
            now += Duration::from_millis(40);
            take(&mut writer, BLOCK_LEN as usize, now);
        }
        assert_eq!(read(&mut writer, now), 4);
    }

    #[test]
    fn a_peer_that_stalls_gives_back_what_was_read_and_gets_it_later() {
        let now = Instant::now();
        let mut writer = uploads(40);
        read(&mut writer, now);
        take(&mut writer, 1000, now);
        assert!(writer.may_stall());
        writer.stall();
        assert_eq!((read(&mut writer, now), writer.blocks.len(), writer.waiting()), (0, 1, 39));
        assert!(!writer.may_stall());
        let mut finished = Vec::new();
        while writer.pending() > 0 {
            let written: usize = writer.slices(usize::MAX).iter().map(|s| s.len()).sum();
            writer.advance(written, &mut finished);
            writer.taken(written, now);
            read(&mut writer, now);
        }
        let pieces: Vec<u32> = finished.iter().map(|block| block.piece.0).collect();
        assert_eq!(pieces, (0..40).collect::<Vec<_>>(), "each goes out once, in order");
    }
}
