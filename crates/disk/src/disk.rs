//! The disk: threads and open files, shared by all storages.

use tokio::sync::mpsc;
use torrent_proto::torrent::DiskAnswer;

use crate::config::{DiskConfig, StorageConfig};
use crate::storage::Storage;

/// The threads and open files that all storages share. Cheap to clone; the threads end with the last clone and the last
/// storage.
#[derive(Clone, Debug)]
pub struct Disk {}

impl Disk {
    /// Starts the disk. Its threads are started when they are first needed.
    pub fn new(_config: DiskConfig) -> Disk {
        Disk {}
    }

    /// Opens the storage of one torrent: what [`torrent_proto::torrent::DiskOrder::Open`] asks for. The first of
    /// `answers` is `Opened` (or `Failed`).
    ///
    /// The channel has no bound of its own because its length has one already: answers are bounded by the orders given,
    /// writes among them by the permits of the receivers' [`crate::Pool`], a check's by the number of pieces.
    pub fn open(&self, _config: StorageConfig, _answers: mpsc::UnboundedSender<DiskAnswer>) -> Storage {
        Storage {}
    }
}
