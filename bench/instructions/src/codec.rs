//! Frames of a connection that carries payload both ways.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use metainfo::{BLOCK_LEN, Block, PieceIndex};
use torrent_proto::wire::{LOCAL_IDS, Message, decode, encode, encode_piece_header, split_frame};

use crate::counted;

const ROUNDS: u32 = 500;
const REQUESTS: u32 = 16;

/// Splits and reads what a peer sends: a block, a Have and some requests in each round.
pub fn decode_messages() -> (u64, Duration) {
    let mut stream = BytesMut::new();
    let mut frame = Vec::new();
    for round in 0..ROUNDS {
        frame.clear();
        messages(round, |message| encode(message, &LOCAL_IDS, &mut frame));
        stream.put_slice(&frame);
        stream.put_slice(&encode_piece_header(block(round, 0)));
        stream.put_bytes(0, BLOCK_LEN as usize);
    }
    let mut count = 0;
    let took = counted(&mut || {
        while let Ok(Some(length)) = split_frame(&stream) {
            let message = decode(stream.split_to(length).freeze());
            assert!(std::hint::black_box(message).is_ok());
            count += 1;
        }
    });
    assert_eq!(count, u64::from(ROUNDS * (REQUESTS + 2)));
    (count, took)
}

/// Writes the same, without the blocks.
pub fn encode_messages() -> (u64, Duration) {
    let mut frame = Vec::with_capacity(64 << 10);
    let mut count = 0;
    let took = counted(&mut || {
        for round in 0..ROUNDS {
            frame.clear();
            messages(round, |message| {
                encode(message, &LOCAL_IDS, &mut frame);
                count += 1;
            });
            std::hint::black_box(encode_piece_header(block(round, 0)));
            count += 1;
            std::hint::black_box(&frame);
        }
    });
    (count, took)
}

fn messages(round: u32, mut each: impl FnMut(&Message)) {
    (0..REQUESTS).for_each(|i| each(&Message::Request(block(round, i))));
    each(&Message::Have(PieceIndex(round)));
}

fn block(piece: u32, number: u32) -> Block {
    Block { piece: PieceIndex(piece), offset: number * BLOCK_LEN, length: BLOCK_LEN }
}
