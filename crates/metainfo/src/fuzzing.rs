//! The bodies of the fuzz targets: each takes arbitrary bytes and panics where a promise of this crate is broken.
//! Property tests drive them too, so that they cannot rot.

use bytes::Bytes;

use crate::bencode::{self, Tree};
use crate::names::{self, MAX_COMPONENT_LEN, Rules};
use crate::{BLOCK_LEN, Block, Info, Layout, Magnet, PeerHint, TorrentFile, UpdateLink, decode_newest, encode_newest};

/// How many pieces of a layout are looked at, so that one input does not take seconds.
const PIECES_LOOKED_AT: usize = 64;

/// What decodes encodes to the same bytes, unless keys were out of order; error offsets lie within the input.
pub fn bencode(data: &[u8]) {
    match bencode::decode_prefix(data) {
        Ok((value, end)) => {
            let again = bencode::encode(&Tree::from(&value));
            assert_eq!(again.len(), end, "the same values take the same room");
            if crate::deviation::is_sorted(&value) {
                assert_eq!(again, data[..end]);
            }
            assert_eq!(bencode::decode(&again).map(|value| Tree::from(&value)), Ok(Tree::from(&value)));
        }
        Err(error) => assert!(error.offset <= data.len(), "{error}"),
    }
}

/// A torrent file that is read can be written and read again, equal; its layout holds together.
pub fn torrent_file(data: &[u8]) {
    match TorrentFile::from_bytes(data) {
        Ok(file) => {
            let bytes = file.to_bytes();
            let again = TorrentFile::from_bytes(&bytes).expect("what was written can be read");
            assert_eq!(again, file);
            assert_eq!(again.to_bytes(), bytes);
            layout(file.info.layout());
            assert_eq!(file.magnet().to_string().parse(), Ok(file.magnet()));
        }
        Err(error) => assert!(error.offset <= data.len(), "{error}"),
    }
}

/// An info dictionary that is read keeps its bytes; its layout holds together.
pub fn info(data: &[u8]) {
    match Info::from_bytes(Bytes::copy_from_slice(data)) {
        Ok(info) => {
            assert_eq!(info.raw(), data);
            layout(info.layout());
        }
        Err(error) => assert!(error.offset <= data.len(), "{error}"),
    }
}

/// A magnet that is read can be written and read again, equal.
pub fn magnet(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(magnet) = text.parse::<Magnet>() {
        assert_eq!(magnet.to_string().parse(), Ok(magnet));
    }
    if let Ok(peer) = text.parse::<PeerHint>() {
        assert_eq!(peer.to_string().parse(), Ok(peer));
    }
}

/// A link that follows a key (BEP 46) is written and read again, equal; so is the item that names its newest torrent.
pub fn updates(data: &[u8]) {
    if let Some(hash) = decode_newest(data) {
        assert_eq!(decode_newest(&encode_newest(hash)), Some(hash));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(link) = text.parse::<UpdateLink>() else { return };
    assert!(UpdateLink::is_meant(text));
    assert_eq!(link.to_string().parse(), Ok(link));
}

/// Whatever components a path has (separated by line ends here), it stays below the folder and is its own safe form.
pub fn names(data: &[u8]) {
    for rules in [Rules::Exact, Rules::Portable] {
        let Ok(path) = names::safe_path(data.split(|byte| *byte == b'\n'), rules) else { continue };
        for component in &path {
            assert!(!matches!(component.as_str(), "" | "." | "..") && component.len() <= MAX_COMPONENT_LEN);
            assert!(!component.contains(['/', '\\', '\0']) && !component.chars().any(char::is_control));
            assert_eq!(names::safe_component(component.as_bytes(), rules).as_ref(), Ok(component), "idempotent");
        }
        let mut paths = vec![Some(path.clone()), Some(path.clone()), None, Some(path)];
        names::make_distinct(&mut paths, rules);
        let mut distinct: Vec<_> = paths.into_iter().flatten().collect();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 3);
    }
}

/// Pieces, blocks and files of a layout agree.
pub fn layout(layout: &Layout) {
    let files = layout.files();
    assert_eq!(layout.total_length(), files.iter().map(|file| file.length).sum());
    for piece in layout.pieces().take(PIECES_LOOKED_AT).chain(layout.pieces().rev().take(PIECES_LOOKED_AT)) {
        let len = layout.piece_len(piece);
        assert!(len > 0 && len <= layout.piece_length());
        let whole = Block { piece, offset: 0, length: len };
        let segments: Vec<_> = layout.file_ranges(whole).collect();
        let mut at = 0;
        for segment in &segments {
            assert_eq!(segment.block_offset, at, "no gaps");
            assert!(segment.length > 0);
            at += segment.length;
            if let Some(file) = segment.file {
                let file = layout.file(file).expect("a file of the torrent");
                assert!(segment.file_offset + u64::from(segment.length) <= file.length, "within the file");
            }
        }
        assert_eq!(at, len);
        if len.div_ceil(BLOCK_LEN) <= PIECES_LOOKED_AT as u32 {
            assert_eq!(layout.blocks(piece).map(|block| block.length).sum::<u32>(), len);
            let parts = layout.blocks(piece).flat_map(|block| layout.file_ranges(block)).map(|part| part.length);
            assert_eq!(parts.sum::<u32>(), len);
            assert!(layout.blocks(piece).all(|block| layout.check(block).is_ok()));
        }
        for file in layout.piece_files(piece) {
            assert!(layout.file_pieces(file).contains(&piece.0));
        }
        if let Some(v2) = layout.v2_piece(piece) {
            assert_eq!(layout.piece_files(piece).collect::<Vec<_>>(), [v2.file], "one file a piece");
            assert!(v2.length.div_ceil(BLOCK_LEN) <= v2.width && v2.length <= len);
        }
    }
}
