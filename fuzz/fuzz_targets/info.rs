//! The info dictionary: whatever a peer sends as metadata.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use metainfo::{Info, PieceIndex};

fuzz_target!(|bytes: &[u8]| {
    let Ok(info) = Info::from_bytes(Bytes::copy_from_slice(bytes)) else { return };
    assert_eq!(info.raw(), bytes);
    let layout = info.layout();
    let last = PieceIndex(layout.piece_count().saturating_sub(1));
    for piece in [PieceIndex(0), last] {
        let _ = info.piece_hash_v1(piece);
        if layout.piece_count() == 0 {
            continue;
        }
        for block in layout.blocks(piece).take(4) {
            layout.check(block).expect("a layout's own blocks are valid");
            let covered: u64 = layout.file_ranges(block).map(|segment| u64::from(segment.length)).sum();
            assert_eq!(covered, u64::from(block.length));
        }
    }
});
