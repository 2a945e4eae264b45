//! The peer wire protocol: what two peers say to one another over any carrier (BEP 3, 6, 9, 10, 11, 21, 52, 54, 55).
//!
//! A connection begins with a [`Handshake`] each way; after it, frames: a length, a message id, a body.
//! [`split_frame`] finds the end of a frame, [`decode`] reads one, [`encode`] writes one. None of them keeps state: the
//! ids under which we take extensions are constants ([`LOCAL_IDS`]), those of the other end come in its extension
//! handshake and are handed to [`encode`].

mod decode;
mod encode;
mod extension;
mod frame;
mod handshake;
mod holepunch;
mod message;
pub mod mse;
mod pex;

pub use decode::decode;
pub use encode::{encode, encode_piece_header};
pub use extension::{LOCAL_IDS, MAX_CLIENT_NAME, METADATA_PIECE_LEN};
pub use frame::{
    LENGTH_PREFIX, MAX_BITFIELD_LEN, MAX_EXTENDED_LEN, MAX_FRAME_LEN, MAX_HASHES, MAX_PROOF_LAYERS, PIECE_HEADER_LEN,
    WireError, frame_len, piece_header, split_frame,
};
pub use handshake::{Handshake, PROTOCOL};
pub use holepunch::{HolepunchError, HolepunchMessage};
pub use message::{ExtensionHandshake, ExtensionIds, HashRequest, Message, MetadataMessage, PeerId, Reserved};
pub use pex::{MAX_PEX, PexFlags, PexMessage, PexPeer};

#[cfg(test)]
mod tests;
