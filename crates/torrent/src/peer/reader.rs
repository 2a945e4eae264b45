//! From bytes of a socket to messages, without copying payload where that pays.
//!
//! Owns the receive buffer. Invariant: the first `filled` bytes of it are what arrived and was not yet decoded. A buffer
//! is only held while part of a message waits in it, so that a thousand idle peers hold none.
//!
//! Where at least half of a buffer is payload, it is frozen and the blocks are slices of it; otherwise what is there is
//! copied out and the buffer is kept, so that no 256 KiB stay in memory for the sake of 16.

use bytes::Bytes;
use disk::{Buffer, LARGE, Pool};
use torrent_proto::wire::{self, LENGTH_PREFIX, Message, PIECE_HEADER_LEN, WireError};

/// The buffer of a slow or idle peer: a block with its header, and room for a few messages.
const SMALL: usize = 32 * 1024;

/// A read that brings at least this much is worth a large buffer next time. Half a small one.
const FAST_READ: usize = SMALL / 2;

/// After so many reads in a row that a small buffer would have held, the peer is slow again. Arbitrary.
const SLOW_READS: u32 = 16;

/// The id of a `Piece` message (BEP 3).
const PIECE_ID: u8 = 7;

/// Where bytes arrive.
#[derive(Debug)]
enum Room {
    Pooled(Buffer),
    /// For the one kind of message that no pooled buffer holds: the bitfield of a torrent of two million pieces.
    Heap(Vec<u8>),
}

impl Room {
    fn bytes(&mut self) -> &mut [u8] {
        match self {
            Room::Pooled(buffer) => buffer,
            Room::Heap(vec) => vec,
        }
    }
}

/// The receiving half of a connection, without its socket.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    room: Option<Room>,
    filled: usize,
    /// What was left when a buffer was frozen and no other was to be had; the beginning of what comes next.
    left: Vec<u8>,
    fast: bool,
    slow_reads: u32,
}

impl Reader {
    /// Begins with bytes that arrived behind the handshake.
    pub(crate) fn new(left: Vec<u8>) -> Reader {
        Reader { left, ..Reader::default() }
    }

    /// Tells whether there is a buffer to read into.
    pub(crate) fn has_room(&self) -> bool {
        self.room.is_some()
    }

    /// Returns the length of the buffer to ask the pool for.
    pub(crate) fn wanted_room(&self) -> usize {
        if self.fast || self.left.len() > SMALL / 2 { LARGE } else { SMALL }
    }

    /// Takes a buffer of [`Reader::wanted_room`] bytes.
    pub(crate) fn give_room(&mut self, buffer: Buffer) {
        let mut room = Room::Pooled(buffer);
        if self.left.len() >= room.bytes().len() {
            room = Room::Heap(vec![0; wire::MAX_FRAME_LEN.max(self.left.len())]);
        }
        room.bytes()[..self.left.len()].copy_from_slice(&self.left);
        self.filled = self.left.len();
        self.left = Vec::new();
        self.room = Some(room);
    }

    /// Returns where the next bytes go; empty without a buffer.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        let filled = self.filled;
        self.room.as_mut().map_or(&mut [], |room| &mut room.bytes()[filled..])
    }

    /// Says how many bytes were put into [`Reader::space`].
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.filled += bytes;
    }

    /// Decodes every whole message and makes room for the next read, in which `read` bytes came.
    pub(crate) fn take(&mut self, read: usize, pool: &Pool) -> Result<Vec<Message>, WireError> {
        self.note_speed(read);
        let mut messages = Vec::new();
        let Some(room) = &mut self.room else { return Ok(messages) };
        let bytes = room.bytes();
        let capacity = bytes.len();
        let mut ends = Vec::new();
        let (mut end, mut payload) = (0, 0);
        while let Some(length) = wire::split_frame(&bytes[end..self.filled])? {
            if bytes[end..end + length].get(LENGTH_PREFIX) == Some(&PIECE_ID) {
                payload += length.saturating_sub(PIECE_HEADER_LEN);
            }
            end += length;
            ends.push(end);
        }
        let rich = payload * 2 >= capacity;
        let copied = if end == 0 || rich { None } else { copy_out(bytes, &ends, payload, pool)? };
        if let Some(copied) = copied {
            messages = copied;
            bytes.copy_within(end..self.filled, 0);
            self.filled -= end;
        } else if end > 0 {
            let whole = self.freeze(end, pool);
            messages.reserve_exact(ends.len());
            let mut start = 0;
            for end in ends {
                messages.push(wire::decode(whole.slice(start..end))?);
                start = end;
            }
        }
        self.make_room();
        Ok(messages)
    }

    /// Gives the buffer away; what lies behind `end` moves to another one, or waits for one in `left`.
    fn freeze(&mut self, end: usize, pool: &Pool) -> Bytes {
        let filled = std::mem::take(&mut self.filled);
        match self.room.take() {
            Some(Room::Pooled(buffer)) => {
                if filled > end {
                    self.left.extend_from_slice(&buffer[end..filled]);
                    if let Some(next) = pool.try_acquire(self.wanted_room()) {
                        self.give_room(next);
                    }
                }
                buffer.freeze(end)
            }
            Some(Room::Heap(mut vec)) => {
                self.left = vec.split_off(end.min(vec.len()));
                self.left.truncate(filled - end);
                vec.into()
            }
            None => Bytes::new(),
        }
    }

    /// Lets go of a buffer in which nothing waits, and of one that is too small for what waits in it.
    fn make_room(&mut self) {
        let Some(room) = &mut self.room else { return };
        let filled = self.filled;
        if filled == 0 {
            self.room = None;
        } else if filled == room.bytes().len() {
            // The message is longer than the buffer (its length was checked): a block at the end of a small buffer, or
            // a long bitfield.
            self.left = room.bytes().to_vec();
            self.fast = true;
            self.room = None;
            self.filled = 0;
        }
    }

    fn note_speed(&mut self, read: usize) {
        if read >= FAST_READ {
            (self.fast, self.slow_reads) = (true, 0);
        } else if self.fast {
            self.slow_reads += 1;
            if self.slow_reads >= SLOW_READS {
                (self.fast, self.slow_reads) = (false, 0);
            }
        }
    }
}

/// Decodes messages from copies: each block gets a buffer of its own size. `None` when the pool has none.
fn copy_out(bytes: &[u8], ends: &[usize], payload: usize, pool: &Pool) -> Result<Option<Vec<Message>>, WireError> {
    let mut messages = Vec::with_capacity(ends.len());
    let whole = (payload == 0).then(|| Bytes::copy_from_slice(&bytes[..ends.last().copied().unwrap_or(0)]));
    let mut start = 0;
    for &end in ends {
        let frame = &bytes[start..end];
        let message = match (&whole, wire::piece_header(frame)) {
            (Some(whole), _) => wire::decode(whole.slice(start..end))?,
            (None, Some(block)) => {
                let Some(data) = pool.try_copy(&frame[PIECE_HEADER_LEN..]) else { return Ok(None) };
                Message::Piece { piece: block.piece, offset: block.offset, data }
            }
            (None, None) => wire::decode(Bytes::copy_from_slice(frame))?,
        };
        messages.push(message);
        start = end;
    }
    Ok(Some(messages))
}

#[cfg(test)]
mod tests {
    use super::*;
    use metainfo::PieceIndex;
    use torrent_proto::wire::ExtensionIds;

    fn piece(n: u32) -> Message {
        let data = Bytes::from(vec![n as u8; 16384]);
        Message::Piece { piece: PieceIndex(n), offset: 0, data }
    }

    fn encode(messages: &[Message]) -> Vec<u8> {
        let mut out = Vec::new();
        messages.iter().for_each(|m| wire::encode(m, &ExtensionIds::default(), &mut out));
        out
    }

    /// Feeds `bytes` in reads of at most `step` bytes.
    fn feed(reader: &mut Reader, pool: &Pool, mut bytes: &[u8], step: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        while !bytes.is_empty() {
            if !reader.has_room() {
                reader.give_room(pool.try_acquire(reader.wanted_room()).expect("the budget suffices"));
            }
            let space = reader.space();
            let n = bytes.len().min(step).min(space.len());
            space[..n].copy_from_slice(&bytes[..n]);
            reader.advance(n);
            messages.extend(reader.take(n, pool).unwrap());
            bytes = &bytes[n..];
        }
        messages
    }

    #[test]
    fn messages_come_out_whole_however_they_were_cut() {
        let bits = Message::Bitfield(Bytes::from(vec![0xff; 70_000]));
        let mut sent = vec![bits, Message::Unchoke, Message::Have(PieceIndex(9)), Message::KeepAlive];
        sent.extend((0..40).map(piece));
        sent.push(Message::Interested);
        let bytes = encode(&sent);
        for step in [1, 17, 1000, 16384, 40_000, 300_000, 1 << 20] {
            let pool = Pool::new(2 << 20);
            let mut reader = Reader::default();
            assert_eq!(feed(&mut reader, &pool, &bytes, step), sent, "step {step}");
            assert!(!reader.has_room(), "an idle reader holds no buffer");
            assert_eq!(pool.in_use(), 0, "step {step}");
        }
    }

    #[test]
    fn the_longest_bitfield_fits() {
        let sent = [Message::Bitfield(Bytes::from(vec![0xff; wire::MAX_BITFIELD_LEN as usize])), piece(3)];
        let bytes = encode(&sent);
        for step in [4096, 1 << 20] {
            let pool = Pool::new(2 << 20);
            assert_eq!(feed(&mut Reader::default(), &pool, &bytes, step), sent);
        }
    }

    #[test]
    fn bytes_behind_the_handshake_come_first() {
        let bytes = encode(&[Message::HaveAll, Message::Unchoke]);
        let pool = Pool::new(1 << 20);
        let mut reader = Reader::new(bytes[..7].to_vec());
        assert_eq!(feed(&mut reader, &pool, &bytes[7..], 100), [Message::HaveAll, Message::Unchoke]);
    }

    #[test]
    fn full_buffers_are_not_copied_and_sparse_ones_are() {
        let pool = Pool::new(4 << 20);
        let mut reader = Reader { fast: true, ..Reader::default() };
        let sent: Vec<Message> = (0..15).map(piece).collect();
        let got = feed(&mut reader, &pool, &encode(&sent), 1 << 20);
        assert_eq!(pool.in_use(), LARGE, "one buffer holds all fifteen blocks");
        drop(got);
        let mut reader = Reader { fast: true, ..Reader::default() };
        let got = feed(&mut reader, &pool, &encode(&[piece(1)]), 1 << 20);
        assert!(pool.in_use() <= SMALL, "one block does not keep a large buffer");
        drop(got);
    }

    #[test]
    fn without_a_second_buffer_nothing_is_lost() {
        let pool = Pool::new(LARGE);
        let mut reader = Reader { fast: true, ..Reader::default() };
        reader.give_room(pool.try_acquire(LARGE).unwrap());
        let bytes = encode(&(0..17).map(piece).collect::<Vec<_>>());
        let space = reader.space();
        let n = space.len();
        space.copy_from_slice(&bytes[..n]);
        reader.advance(n);
        let first = reader.take(n, &pool).unwrap();
        assert!(!reader.has_room() && pool.try_acquire(LARGE).is_none());
        let count = first.len();
        drop(first);
        assert_eq!(feed(&mut reader, &pool, &bytes[n..], 1 << 20).len() + count, 17);
    }

    #[test]
    fn a_frame_that_cannot_be_is_an_error_before_it_is_buffered() {
        let pool = Pool::new(1 << 20);
        let mut reader = Reader::default();
        reader.give_room(pool.try_acquire(SMALL).unwrap());
        reader.space()[..5].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, PIECE_ID]);
        reader.advance(5);
        assert!(reader.take(5, &pool).is_err());
    }
}
