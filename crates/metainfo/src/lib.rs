//! Bencode, torrent files, magnets and the layout of pieces over files (BEP 3, 9, 52). No I/O.

mod index;
mod info_hash;

pub use index::{BLOCK_LEN, Block, FileIndex, PieceIndex};
pub use info_hash::{InfoHashV1, InfoHashV2, InfoHashes, ParseInfoHashError};
mod info;
pub use info::Info;
