//! Reading a file of a torrent while it is fetched.
//!
//! A reader is told by the torrent's task how far verified bytes reach from the place it is at, and reads them from the disk
//! itself. Invariant: it returns verified bytes only; of a torrent whose files are closed, those that are where the verified
//! ones were left.

use std::path::PathBuf;

use bytes::Bytes;
use disk::Storage;
use metainfo::FileIndex;
use tokio::sync::oneshot;

use crate::ask::{Ask, Reply};
use crate::queue::WeakSender;
use crate::types::{TorrentError, TorrentId};

/// Names a reader of one torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReaderKey(pub u64);

/// Where the bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// In the files that the torrent has open.
    Open(ReaderKey, Storage),
    /// Below a folder, in a file of a torrent that was complete before this run and has been paused since: nothing is open.
    Closed(PathBuf, Vec<String>),
}

/// Reads one file. What it is at is fetched first, until it is dropped.
#[derive(Debug)]
pub struct FileReader {
    pub(crate) torrent: TorrentId,
    pub(crate) source: Source,
    pub(crate) file: FileIndex,
    pub(crate) name: String,
    pub(crate) length: u64,
    pub(crate) asks: WeakSender<Ask>,
}

impl FileReader {
    /// Returns the file's own name, without folders.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the file's length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Fails if the byte is not here and will not come as things are: the torrent is paused, or does not want the file. Of
    /// closed files, if it cannot be read.
    pub async fn is_coming(&self, at: u64) -> Result<(), TorrentError> {
        match self.source {
            Source::Open(key, _) => self.ask(|reply| Ask::IsComing(key, at, reply)).await?,
            Source::Closed(..) => self.read(at, at + 1).await.map(drop),
        }
    }

    /// Waits until the byte at `from` is here and returns it with what follows, up to `to`, at most 256 KiB; nothing at the
    /// end of the file. Cancel safe. Fails when the torrent is paused, removed, or does not want the file any more.
    pub async fn read(&self, from: u64, to: u64) -> Result<Bytes, TorrentError> {
        let to = to.min(self.length);
        if from >= to {
            return Ok(Bytes::new());
        }
        let gone = || TorrentError::Unknown(self.torrent);
        let (key, storage) = match self.source.clone() {
            Source::Open(key, storage) => (key, storage),
            Source::Closed(folder, path) => {
                let length = self.length;
                let read = move || disk::read_closed(&folder, &path, length, from..to);
                let bytes = tokio::task::spawn_blocking(read).await.map_err(|_| gone())?;
                return bytes.map_err(|error| TorrentError::Disk(error.message));
            }
        };
        let here = self.ask(|reply| Ask::Await(key, from, reply)).await??;
        let (reply, answer) = oneshot::channel();
        storage.read_range(self.file, from..to.min(here), move |bytes| drop(reply.send(bytes)));
        let bytes = answer.await.map_err(|_| gone())?.map_err(|error| TorrentError::Disk(error.message))?;
        if bytes.is_empty() {
            return Err(TorrentError::Disk(format!("{} is shorter than it was: check the torrent again", self.name)));
        }
        // A copy: whoever keeps it for long, as the queue of a player that pauses does, must not hold what uploads are read into.
        Ok(Bytes::copy_from_slice(&bytes))
    }

    async fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, TorrentError> {
        let gone = || TorrentError::Unknown(self.torrent);
        let (reply, answer) = oneshot::channel();
        let asks = self.asks.upgrade().ok_or_else(gone)?;
        asks.send(ask(reply)).await.map_err(|_| gone())?;
        drop(asks);
        answer.await.map_err(|_| gone())
    }
}

impl Drop for FileReader {
    fn drop(&mut self) {
        if let Source::Open(key, _) = self.source
            && let Some(asks) = self.asks.upgrade()
        {
            // With a full queue it is forgotten when its place is needed: see `MAX_READERS`.
            let _ = asks.try_send(Ask::Close(key));
        }
    }
}
