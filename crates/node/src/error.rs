//! Why a node cannot start.

use std::path::PathBuf;

/// Why a node cannot start. Every message says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No place for the home is known.
    #[error("no data directory is known: set COMPEER_HOME to the folder that is to be it")]
    NoHome,
    /// Something in the home cannot be read or written.
    #[error("{path}: cannot {action}: {source}; check its owner and permissions, or take another data directory")]
    File {
        /// The path.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The settings are wrong.
    #[error("{path}: {reason}; correct the file, or remove it to have the defaults")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The address for the API cannot be used.
    #[error("cannot serve the API at {address}: {source}; choose another address (`api` in config.toml)")]
    Api {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The API would be open to other computers.
    #[error(
        "{0} is not a loopback address: the API is for this computer, as 127.0.0.1:0 is; for others \
             there is [api.remote] in config.toml"
    )]
    ApiNotLoopback(std::net::SocketAddr),
    /// How other computers were to reach the API does not work.
    #[error("{0}")]
    Remote(String),
    /// What the command says about the network does not go together.
    #[error("{0}")]
    Network(String),
    /// A list of addresses, or the administrator's policy, cannot be used.
    #[error("{0}")]
    Controls(String),
    /// The engine did not start.
    #[error("{0}")]
    Session(#[from] torrent::SessionError),
    /// The tracker did not start.
    #[error("{0}")]
    Tracker(#[from] tracker::StartError),
    /// The relay did not start.
    #[cfg(feature = "relay")]
    #[error("{0}")]
    Relay(#[from] overlay::relay::RelayError),
    /// As many shares that change as there may be.
    #[error("{0} shares that change are kept already: remove the torrent of one")]
    TooManyUpdates(usize),
    /// The overlay did not start.
    #[error("{0}")]
    Overlay(#[from] overlay::StartError),
    /// There is no randomness.
    #[error("the operating system gives no random numbers: {0}; restart this computer")]
    Random(String),
    /// The database did not open.
    #[error("{0}")]
    Database(#[from] db::DbError),
}

impl NodeError {
    /// Tells whether another address for peers would help.
    pub fn is_about_listening(&self) -> bool {
        matches!(self, NodeError::Session(torrent::SessionError::Listen(_)))
    }
}
