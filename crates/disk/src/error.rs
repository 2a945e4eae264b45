//! Local failures: from an I/O error and a path to a sentence.

use std::io;
use std::path::Path;

use torrent_proto::torrent::DiskError;

/// Says what could not be done to `path`.
pub(crate) fn failure(doing: &str, path: &Path, error: &io::Error) -> DiskError {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let message = if full {
        format!("cannot {doing} {}: the disk is full; it goes on when there is room", path.display())
    } else {
        format!("cannot {doing} {}: {error}", path.display())
    };
    DiskError { full, message }
}
