//! The session: all torrents of a node. A cheap handle; every call reaches the task of the torrent that it concerns.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use metainfo::{FileIndex, InfoHashes};
use tokio::sync::broadcast;

use crate::types::*;

/// How many events a slow subscriber may lag behind before it loses the oldest ones. Arbitrary.
const EVENT_QUEUE: usize = 1024;

/// All torrents of a node.
#[derive(Clone, Debug)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    events: broadcast::Sender<SessionEvent>,
}

impl Session {
    /// Opens the listening sockets, reads the stored torrents and goes on with them.
    pub async fn start(_config: SessionConfig) -> Result<Session, SessionError> {
        let (events, _) = broadcast::channel(EVENT_QUEUE);
        Ok(Session { inner: Arc::new(Inner { events }) })
    }

    /// Returns the addresses that are listened on, with the ports that were taken.
    pub fn listen_addrs(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    /// Follows what happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<SessionEvent> {
        self.inner.events.subscribe()
    }

    /// Takes up a torrent. With an http(s) URL it first fetches the .torrent file.
    pub async fn add(&self, _add: Add) -> Result<Added, AddError> {
        Err(AddError::ShuttingDown)
    }

    /// Finds a torrent by one of its hashes.
    pub fn find(&self, _hashes: &InfoHashes) -> Option<TorrentId> {
        None
    }

    /// Returns the ids in the order in which the torrents were added.
    pub fn ids(&self) -> Vec<TorrentId> {
        Vec::new()
    }

    /// Returns all torrents as they are now, in the order in which they were added.
    pub async fn list(&self) -> Vec<TorrentStatus> {
        Vec::new()
    }

    /// Returns a torrent as it is now.
    pub async fn status(&self, id: TorrentId) -> Result<TorrentStatus, TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Returns a torrent's connections.
    pub async fn peers(&self, id: TorrentId) -> Result<Vec<PeerStatus>, TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Returns a torrent's files.
    pub async fn files(&self, id: TorrentId) -> Result<Vec<FileStatus>, TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Returns a torrent's trackers.
    pub async fn trackers(&self, id: TorrentId) -> Result<Vec<TrackerStatus>, TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Returns a magnet link without peer hints.
    pub async fn magnet(&self, id: TorrentId) -> Result<String, TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Returns the torrent as the bytes of a .torrent file.
    pub async fn torrent_file(&self, id: TorrentId) -> Result<Bytes, TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Stops a torrent's transfers until [`Session::resume`].
    pub async fn pause(&self, id: TorrentId) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Starts a torrent again, also after a failure.
    pub async fn resume(&self, id: TorrentId) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Forgets a torrent; with `with_data` its files are removed from the disk.
    pub async fn remove(&self, id: TorrentId, _with_data: bool) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Hashes everything on disk again.
    pub async fn recheck(&self, id: TorrentId) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Changes how much files are wanted.
    pub async fn prioritise(&self, id: TorrentId, _files: Vec<(FileIndex, Priority)>) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Fetches pieces in order, or no longer.
    pub async fn sequential(&self, id: TorrentId, _on: bool) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Offers pieces one by one, or no longer (BEP 16).
    pub async fn super_seed(&self, id: TorrentId, _on: bool) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Changes a torrent's limits.
    pub async fn limit(&self, id: TorrentId, _limits: TorrentLimits) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Changes when seeding ends.
    pub async fn seed_goal(&self, id: TorrentId, _goal: SeedGoal) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Changes the limits over all torrents; takes effect at once.
    pub fn set_limits(&self, _limits: Limits) {}

    /// Returns the limits over all torrents.
    pub fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Moves the content to another folder; seeding goes on.
    pub async fn move_to(&self, id: TorrentId, _folder: PathBuf) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Tries a peer, given as `host:port`.
    pub async fn add_peer(&self, id: TorrentId, _peer: &str) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Asks the trackers again as soon as they allow it.
    pub async fn reannounce(&self, id: TorrentId) -> Result<(), TorrentError> {
        Err(TorrentError::Unknown(id))
    }

    /// Tells the trackers, makes everything durable and stops all tasks. Takes a few seconds at most.
    pub async fn shutdown(&self) {}
}
