//! Bencode (BEP 3): a strict decoder that borrows from its input, and a deterministic encoder.
//!
//! Refused, with the byte offset: integers with leading zeros or `-0`, lengths with leading zeros, duplicate keys, keys
//! that are no strings, anything after the value, nesting and item counts beyond the limits. The one deviation that the
//! decoder lets pass is a dictionary whose keys are not in order: it is told by [`Dict::is_sorted`], and
//! [`crate::Deviation`] lists it with the others.

mod decode;
mod encode;

pub use decode::{DecodeError, Dict, Fault, Value, decode, decode_prefix};
pub use encode::{Tree, encode};

/// How deep lists and dictionaries may nest; libtorrent's default. A v2 file tree uses one level a folder.
pub const MAX_DEPTH: usize = 100;

/// How many values one document may hold; a torrent of 500,000 files has about 4 million.
pub const MAX_ITEMS: usize = 8_000_000;

#[cfg(test)]
mod tests;
