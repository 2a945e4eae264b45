//! What the session asks of a torrent's task.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use base::NodeId;
use bytes::Bytes;
use metainfo::FileIndex;
use tokio::sync::oneshot;
use torrent_proto::torrent::{Priority, Source};

use crate::reader::{FileReader, ReaderKey};
use crate::types::{
    FileStatus, PeerStatus, PiecesStatus, SeedGoal, SourceStatus, TorrentError, TorrentLimits, TorrentStatus,
    TrackerStatus, WebSeedStatus,
};

/// How many asks may wait for a torrent; the session's caller waits beyond that. Arbitrary.
pub(crate) const ASK_QUEUE: usize = 64;

/// Where an answer goes. The caller may have gone away meanwhile; then it is dropped.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// A call on one torrent.
#[derive(Debug)]
pub(crate) enum Ask {
    Status(Reply<TorrentStatus>),
    Peers(Reply<Vec<PeerStatus>>),
    Files(Reply<Vec<FileStatus>>),
    /// The number is that of the runs of which the availability is told, at most.
    Pieces(u32, Reply<Option<PiecesStatus>>),
    Trackers(Reply<Vec<TrackerStatus>>),
    WebSeeds(Reply<Vec<WebSeedStatus>>),
    Sources(Reply<Vec<SourceStatus>>),
    Magnet(Reply<String>),
    TorrentFile(Reply<Result<Bytes, TorrentError>>),
    Pause(Reply<()>),
    Resume(Reply<()>),
    Recheck(Reply<()>),
    Prioritise(Vec<(FileIndex, Priority)>, Reply<Result<(), TorrentError>>),
    Sequential(bool, Reply<()>),
    /// A reader is at these bytes of a file.
    Read(FileIndex, Range<u64>, Reply<Result<(), TorrentError>>),
    /// Somebody wants to read a file while it is fetched.
    Open(FileIndex, Reply<Result<FileReader, TorrentError>>),
    /// A reader waits for the byte at this place of its file; the answer says how far what is here reaches.
    Await(ReaderKey, u64, Reply<Result<u64, TorrentError>>),
    /// Whether that byte is here, or on its way.
    IsComing(ReaderKey, u64, Reply<Result<(), TorrentError>>),
    /// A reader is gone.
    Close(ReaderKey),
    SuperSeed(bool, Reply<()>),
    Limit(TorrentLimits, Reply<()>),
    Goal(SeedGoal, Reply<()>),
    /// The limits over all torrents changed.
    GlobalLimits,
    /// All torrents rest, or go on.
    Held,
    /// There may be more room on the disk.
    RoomMade,
    MoveTo(PathBuf, Reply<Result<(), TorrentError>>),
    /// A move is done: from now on the content lies there.
    Moved(PathBuf),
    Candidates(Source, Vec<SocketAddr>),
    /// Of a confined torrent: these nodes may have it, and nobody else any more.
    Audience(Vec<NodeId>),
    /// Trackers, each a tier of its own, beside those that are there.
    AddTrackers(Vec<String>),
    Reannounce,
    /// Make everything durable and end; with data: remove the files too.
    Remove {
        with_data: bool,
        reply: Reply<Result<(), TorrentError>>,
    },
    /// Make everything durable, tell the trackers and end.
    Shutdown(Reply<()>),
}

impl Ask {
    /// Tells whether the torrent is the same afterwards.
    pub(crate) fn only_looks(&self) -> bool {
        use Ask::{Files, Magnet, Peers, Pieces, Sources, Status, TorrentFile, Trackers, WebSeeds};
        matches!(
            self,
            Status(_)
                | Peers(_)
                | Files(_)
                | Pieces(..)
                | Trackers(_)
                | WebSeeds(_)
                | Sources(_)
                | Magnet(_)
                | TorrentFile(_)
        )
    }
}
