//! What the tasks of a torrent say to one another.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use disk::Storage;
use metainfo::{Block, InfoHashV1};
use net::Pass;
use torrent_proto::torrent::{Direction, DiskError, PeerKey, Source};
use torrent_proto::wire::{Message, PeerId, Reserved};

use crate::peer::channel::Channel;
use crate::web_seed::Failure;

/// How many reports may wait for a torrent. Each is what one read brought, so this is far more than it takes to keep the
/// torrent busy; what it holds is bounded by the buffer pool.
pub(crate) const REPORT_QUEUE: usize = 64;

/// How many orders may wait for one peer; one that lets more wait is disconnected. The torrent gives one order a report
/// of this peer, and few others.
pub(crate) const ORDER_QUEUE: usize = 256;

/// From a connection, or an attempt at one, to its torrent.
#[derive(Debug)]
pub(crate) enum Report {
    /// Handshakes are done.
    Established(Box<Established>),
    /// A dial came to nothing.
    DialFailed(SocketAddr),
    /// What one read brought.
    Received { peer: PeerKey, messages: Vec<Message> },
    /// Blocks were handed to the socket.
    Uploaded { peer: PeerKey, blocks: Vec<Block> },
    /// Blocks could not be read.
    UploadFailed { peer: PeerKey, blocks: Vec<Block>, error: DiskError },
    /// Why a web seed's connection is about to end.
    WebSeedFailed { url: String, failure: Failure },
    /// The connection is over; its last report.
    Ended(PeerKey),
}

/// From a torrent to a connection.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send these messages.
    Send(Vec<Message>),
    /// Read these blocks and send them.
    Upload(Vec<Block>),
}

/// A connection whose handshakes are done, on its way to its torrent.
#[derive(Debug)]
pub(crate) struct Established {
    pub stream: Channel,
    pub pass: Pass,
    pub address: SocketAddr,
    pub direction: Direction,
    pub source: Source,
    pub info_hash: InfoHashV1,
    pub reserved: Reserved,
    pub peer_id: PeerId,
}

/// The torrent's open files, for its connections; empty until the metadata is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct StorageSlot(Arc<Mutex<Option<Storage>>>);

impl StorageSlot {
    /// Returns the storage if it is open.
    pub(crate) fn get(&self) -> Option<Storage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the storage.
    pub(crate) fn set(&self, storage: Storage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(storage);
    }
}
