//! The peer wire after the handshake: a stream is split, read, and what was understood means the same when said again.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use torrent_proto::wire::{LOCAL_IDS, MAX_FRAME_LEN, decode, encode, piece_header, split_frame};

fuzz_target!(|bytes: &[u8]| {
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(length)) = split_frame(&stream) {
        assert!(length <= MAX_FRAME_LEN);
        let _ = piece_header(&stream);
        let Ok(message) = decode(stream.split_to(length).freeze()) else { return };
        let mut again = Vec::new();
        encode(&message, &LOCAL_IDS, &mut again);
        if !again.is_empty() {
            assert_eq!(decode(Bytes::from(again)), Ok(message));
        }
    }
});
