//! What a swarm shares: random bytes and the torrent over them.

use std::ops::Range;
use std::sync::Arc;

use metainfo::create::{Mode, Options, PieceHashes, Plan, SourceFile};
use metainfo::{BLOCK_LEN, FileIndex, Info, Layout, PieceIndex, PieceLayers, merkle};
use sha1::{Digest, Sha1};

/// What a torrent is like, its bytes aside.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Which protocol versions.
    pub mode: Mode,
    /// Peers only from trackers.
    pub private: bool,
    /// In bytes.
    pub piece_length: u32,
    /// The lengths of its files, in bytes.
    pub files: Vec<u64>,
}

/// A torrent and its bytes.
#[derive(Debug)]
pub struct Content {
    /// What the torrent is.
    pub info: Arc<Info>,
    /// The piece layers of its v2 files.
    pub layers: PieceLayers,
    /// The bytes of all pieces, each beginning at a multiple of the piece length; zeros where no file is.
    pub(crate) image: Vec<u8>,
}

impl Content {
    /// Draws a torrent of this shape.
    pub fn random(rng: &mut fastrand::Rng, shape: &Shape) -> Content {
        let lengths = &shape.files;
        let file = |(i, &length): (usize, &u64)| {
            let path = if lengths.len() == 1 { Vec::new() } else { vec![format!("{i:02}")] };
            SourceFile { path, length, executable: false }
        };
        let files = lengths.iter().enumerate().map(file).collect();
        let piece_length = Some(shape.piece_length);
        let options = Options { mode: shape.mode, private: shape.private, piece_length, ..Options::default() };
        let plan = Plan::new("content", files, options).expect("there are files, and their names are fine");
        let mut image = vec![0; image_len(plan.layout())];
        for file in plan.layout().files() {
            rng.fill(&mut image[file.offset as usize..file.end() as usize]);
        }
        let mut hashes = PieceHashes::default();
        for piece in plan.layout().pieces() {
            if plan.needs_v1() {
                hashes.v1.push(piece_sha1(plan.layout(), &image, piece));
            }
            if plan.needs_v2() {
                hashes.v2.push(piece_root(plan.layout(), &image, piece).expect("every piece of a v2 torrent has one"));
            }
        }
        let torrent = plan.finish(hashes).expect("all pieces are hashed");
        Content { info: torrent.info, layers: torrent.piece_layers, image }
    }

    /// Returns how many pieces there are.
    pub(crate) fn piece_count(&self) -> u32 {
        self.info.layout().piece_count()
    }

    /// Tells whether a piece is right in another image.
    pub(crate) fn is_right(&self, image: &[u8], piece: PieceIndex) -> bool {
        let range = piece_range(self.info.layout(), piece);
        image.get(range.clone()) == self.image.get(range)
    }

    /// Tells whether a file is right in another image.
    pub(crate) fn is_file_right(&self, image: &[u8], file: FileIndex) -> bool {
        let Some(file) = self.info.layout().file(file) else { return false };
        let range = file.offset as usize..file.end() as usize;
        image.get(range.clone()) == self.image.get(range)
    }
}

/// Returns how many bytes the image of a torrent has.
pub(crate) fn image_len(layout: &Layout) -> usize {
    layout.piece_count() as usize * layout.piece_length() as usize
}

/// Returns where a piece lies in an image.
pub(crate) fn piece_range(layout: &Layout, piece: PieceIndex) -> Range<usize> {
    let start = piece.0 as usize * layout.piece_length() as usize;
    start..start + layout.piece_len(piece) as usize
}

/// Hashes a piece as BEP 3 asks.
pub(crate) fn piece_sha1(layout: &Layout, image: &[u8], piece: PieceIndex) -> [u8; 20] {
    Sha1::digest(&image[piece_range(layout, piece)]).into()
}

/// Hashes the blocks of a piece as BEP 52 asks; `None` in a v1 torrent.
pub(crate) fn piece_leaves(layout: &Layout, image: &[u8], piece: PieceIndex) -> Option<Vec<[u8; 32]>> {
    let length = layout.v2_piece(piece)?.length as usize;
    let start = piece_range(layout, piece).start;
    Some(image[start..start + length].chunks(BLOCK_LEN as usize).map(merkle::leaf).collect())
}

/// Hashes a piece as BEP 52 asks; `None` in a v1 torrent.
pub(crate) fn piece_root(layout: &Layout, image: &[u8], piece: PieceIndex) -> Option<[u8; 32]> {
    let width = layout.v2_piece(piece)?.width;
    Some(merkle::root(&piece_leaves(layout, image, piece)?, 0, width))
}
