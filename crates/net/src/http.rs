//! HTTP for trackers, web seeds and torrent files.

/// Why an HTTP request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The client could not be set up.
    #[error("cannot set up HTTP: {0}")]
    Setup(String),
}
