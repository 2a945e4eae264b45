//! The same four files in the three arrangements, worked out by hand.

use super::*;

const PIECE: u32 = 2 * BLOCK_LEN;

fn file(name: &str, offset: u64, length: u64) -> File {
    let path = vec!["t".to_owned(), name.to_owned()];
    File { path, length, offset, executable: false, pieces_root: None, position: 0 }
}

/// Files of 40,000, 0, 5 and 30,000 bytes.
fn layout(arrangement: Arrangement) -> Layout {
    let offsets = match arrangement {
        Arrangement::Packed => [0, 40_000, 40_000, 40_005],
        Arrangement::Padded | Arrangement::Aligned => [0, 65_536, 65_536, 98_304],
    };
    let files = ["a", "empty", "b", "c"].into_iter().zip([40_000, 0, 5, 30_000]).zip(offsets);
    let files: Vec<File> = files.map(|((name, length), offset)| file(name, offset, length)).collect();
    let space = if arrangement == Arrangement::Padded { 131_072 } else { files[3].end() };
    Layout::new(PIECE, arrangement, files, space)
}

fn parts(layout: &Layout, piece: u32, offset: u32, length: u32) -> Vec<(Option<u32>, u64, u32, u32)> {
    let block = Block { piece: PieceIndex(piece), offset, length };
    let part = |s: Segment| (s.file.map(|file| file.0), s.file_offset, s.block_offset, s.length);
    layout.file_ranges(block).map(part).collect()
}

fn lengths(layout: &Layout) -> Vec<u32> {
    layout.pieces().map(|piece| layout.piece_len(piece)).collect()
}

#[test]
fn v1_pieces_span_files() {
    let v1 = layout(Arrangement::Packed);
    assert_eq!((v1.piece_count(), v1.total_length(), lengths(&v1)), (3, 70_005, vec![32_768, 32_768, 4_469]));
    assert_eq!(
        parts(&v1, 1, 0, BLOCK_LEN),
        [(Some(0), 32_768, 0, 7_232), (Some(2), 0, 7_232, 5), (Some(3), 0, 7_237, 9_147)]
    );
    assert_eq!(v1.piece_files(PieceIndex(1)).collect::<Vec<_>>(), [FileIndex(0), FileIndex(2), FileIndex(3)]);
    assert_eq!((v1.file_pieces(FileIndex(0)), v1.file_pieces(FileIndex(3))), (0..2, 1..3));
    assert_eq!((v1.file_pieces(FileIndex(1)), v1.file_pieces(FileIndex(9))), (0..0, 0..0));
    assert_eq!(v1.v2_piece(PieceIndex(0)), None);
}

#[test]
fn hybrid_pieces_end_in_padding_that_counts() {
    let hybrid = layout(Arrangement::Padded);
    assert_eq!((hybrid.piece_count(), hybrid.total_length(), lengths(&hybrid)), (4, 70_005, vec![32_768; 4]));
    assert_eq!(parts(&hybrid, 1, 0, BLOCK_LEN), [(Some(0), 32_768, 0, 7_232), (None, 0, 7_232, 9_152)]);
    assert_eq!(parts(&hybrid, 1, BLOCK_LEN, BLOCK_LEN), [(None, 0, 0, BLOCK_LEN)]);
    assert_eq!(parts(&hybrid, 3, 16_384, BLOCK_LEN), [(Some(3), 16_384, 0, 13_616), (None, 0, 13_616, 2_768)]);
    assert_eq!(hybrid.piece_files(PieceIndex(2)).collect::<Vec<_>>(), [FileIndex(2)]);
    assert_eq!(hybrid.file_pieces(FileIndex(3)), 3..4);
}

#[test]
fn v2_pieces_end_with_their_file() {
    let v2 = layout(Arrangement::Aligned);
    assert_eq!((v2.piece_count(), v2.total_length(), lengths(&v2)), (4, 70_005, vec![32_768, 7_232, 5, 30_000]));
    assert_eq!(parts(&v2, 1, 0, BLOCK_LEN), [(Some(0), 32_768, 0, 7_232)]);
    assert_eq!(v2.block_count(PieceIndex(1)), 1);
}

#[test]
fn a_piece_is_as_wide_in_the_tree_as_its_file_allows() {
    for arrangement in [Arrangement::Padded, Arrangement::Aligned] {
        let layout = layout(arrangement);
        let v2 = |piece| layout.v2_piece(PieceIndex(piece)).map(|v2| (v2.file.0, v2.length, v2.width));
        assert_eq!(v2(0), Some((0, 32_768, 2)));
        assert_eq!(v2(1), Some((0, 7_232, 2)), "of a large file: filled up to a piece");
        assert_eq!(v2(2), Some((2, 5, 1)), "of a small file: no wider than the file");
        assert_eq!(v2(3), Some((3, 30_000, 2)));
        assert_eq!(v2(4), None);
    }
}

#[test]
fn only_blocks_that_exist_may_be_asked_for() {
    let v2 = layout(Arrangement::Aligned);
    let check = |piece, offset, length| v2.check(Block { piece: PieceIndex(piece), offset, length });
    assert_eq!(check(0, BLOCK_LEN, BLOCK_LEN), Ok(()));
    assert_eq!(check(1, 7_000, 232), Ok(()));
    assert!(matches!(check(1, 7_000, 233), Err(BadBlock::OutOfPiece(_))));
    assert!(matches!(check(0, u32::MAX, 1), Err(BadBlock::OutOfPiece(_))));
    assert_eq!(check(0, 0, 0), Err(BadBlock::BadLength(0)));
    assert_eq!(check(0, 0, BLOCK_LEN + 1), Err(BadBlock::BadLength(BLOCK_LEN + 1)));
    assert_eq!(check(4, 0, 1), Err(BadBlock::NoSuchPiece(PieceIndex(4))));
    assert_eq!(parts(&v2, 4, 0, 5), [], "beyond the last piece there is nothing");
    assert_eq!(parts(&v2, 1, 7_000, 9_999), [(Some(0), 39_768, 0, 232)]);
}

#[test]
fn every_arrangement_holds_together() {
    for arrangement in [Arrangement::Packed, Arrangement::Padded, Arrangement::Aligned] {
        crate::fuzzing::layout(&layout(arrangement));
    }
}
