//! The info dictionary: what a torrent is.

/// A parsed info dictionary.
#[derive(Debug)]
pub struct Info {}
