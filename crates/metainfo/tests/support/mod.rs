//! Content in memory, and the hasher that walks a plan over it.

use metainfo::create::{CreateError, Options, PieceHashes, Plan, SourceFile};
use metainfo::{Block, PieceIndex, TorrentFile, merkle};
use sha1::{Digest, Sha1};

/// The bytes of a test file; `golden/make.py` makes the same.
pub fn content(path: &str, length: usize) -> Vec<u8> {
    (0..length).map(|i| ((i * 7 + i / 251 + path.len()) % 251) as u8).collect()
}

/// A source file by its path; none for the file of a single-file torrent.
pub fn source(path: &str, length: u64, executable: bool) -> SourceFile {
    SourceFile { path: path.split('/').filter(|c| !c.is_empty()).map(str::to_owned).collect(), length, executable }
}

/// Plans, hashes and writes a torrent of files whose bytes are at hand.
pub fn create(name: &str, files: Vec<(SourceFile, Vec<u8>)>, options: Options) -> Result<TorrentFile, CreateError> {
    let (sources, bytes): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    let plan = Plan::new(name, sources, options)?;
    let layout = plan.layout();
    let read = |piece: PieceIndex| {
        let mut data = vec![0; layout.piece_len(piece) as usize];
        for part in layout.file_ranges(Block { piece, offset: 0, length: layout.piece_len(piece) }) {
            let Some(file) = part.file else { continue };
            let from = &bytes[plan.order()[file.0 as usize]][part.file_offset as usize..][..part.length as usize];
            data[part.block_offset as usize..][..part.length as usize].copy_from_slice(from);
        }
        data
    };
    let mut hashes = PieceHashes::default();
    for piece in layout.pieces() {
        let data = read(piece);
        if plan.needs_v1() {
            hashes.v1.push(Sha1::digest(&data).into());
        }
        if let Some(v2) = layout.v2_piece(piece).filter(|_| plan.needs_v2()) {
            hashes.v2.push(merkle::root_of_data(&data[..v2.length as usize], v2.width));
        }
    }
    plan.clone().finish(hashes)
}
