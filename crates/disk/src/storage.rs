//! The handle to one torrent's files.

use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use metainfo::{Block, FileIndex};
use torrent_proto::torrent::{DiskError, DiskOrder};

/// One torrent's files on the disk. Cheap to clone. No call waits: every result comes by an answer or a reply, which is
/// called on a disk thread and must not wait either.
#[derive(Clone, Debug)]
pub struct Storage {}

impl Storage {
    /// Gives an order. Orders that touch the same piece are carried out in the order given; others may overtake.
    pub fn order(&self, _order: DiskOrder) {}

    /// Reads blocks for an upload: contiguous ones are read at once, and share a buffer. The reply holds one entry a
    /// block, in the order asked.
    pub fn read(&self, _blocks: Vec<Block>, _reply: impl FnOnce(Result<Vec<Bytes>, DiskError>) + Send + 'static) {}

    /// Reads a range of one file, at most [`crate::LARGE`] bytes of it: for streaming and copying out. The caller asks
    /// only for what is verified.
    pub fn read_range(
        &self,
        _file: FileIndex,
        _range: Range<u64>,
        _reply: impl FnOnce(Result<Bytes, DiskError>) + Send + 'static,
    ) {
    }

    /// Moves all files to another folder; reads go on meanwhile, writes wait. A failure leaves them where they were.
    pub fn move_to(&self, _folder: PathBuf, _reply: impl FnOnce(Result<(), DiskError>) + Send + 'static) {}

    /// Removes the torrent's files, then the folders that this leaves empty. Nothing else in them is touched. The
    /// storage is of no further use.
    pub fn remove_files(&self, _reply: impl FnOnce(Result<(), DiskError>) + Send + 'static) {}

    /// Returns the user's folder, below which the content lies.
    pub fn folder(&self) -> PathBuf {
        PathBuf::new()
    }

    /// Returns where the content lies or will lie: `folder/NAME`.
    pub fn content_path(&self) -> PathBuf {
        PathBuf::new()
    }

    /// Returns where a file lies now: under its final name, or marked as incomplete. `None`: no such file.
    pub fn path(&self, _file: FileIndex) -> Option<PathBuf> {
        None
    }
}
