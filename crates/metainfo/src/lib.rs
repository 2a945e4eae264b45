//! Bencode, torrent files, magnets and the layout of pieces over files (BEP 3, 9, 12, 19, 27, 47, 52, 53). No I/O.

pub mod bencode;
pub mod create;
mod deviation;
mod edit;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod info;
mod info_hash;
mod layout;
mod magnet;
pub mod merkle;
pub mod names;
mod piece_layers;
mod torrent_file;

pub use deviation::Deviation;
pub use edit::Edit;
pub use error::{MetainfoError, Problem};
pub use index::{BLOCK_LEN, Block, FileIndex, PieceIndex};
pub use info::{Info, Link, MAX_PIECE_LENGTH, MAX_PIECES};
pub use info_hash::{InfoHashV1, InfoHashV2, InfoHashes, ParseInfoHashError};
pub use layout::{BadBlock, File, Layout, Segment, V2Piece};
pub use magnet::{Magnet, MagnetError, ParsePeerHintError, PeerHint, UpdateLink, decode_newest, encode_newest};
pub use piece_layers::PieceLayers;
pub use torrent_file::TorrentFile;
