//! What goes wrong here, and elsewhere.

use std::net::SocketAddr;

use net::Refusal;

/// Why the overlay did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on UDP {addresses:?}: {reason}; is another program using the port?")]
    Bind {
        /// What was asked for.
        addresses: Vec<SocketAddr>,
        /// What the system said.
        reason: String,
    },
}

/// Why no stream to a node was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Our own gate refuses it.
    #[error("the gate refuses the connection: {0}")]
    Gate(Refusal),
    /// We know the node as revoked, or its person as blocked.
    #[error("the node is revoked, or its person is blocked")]
    NotAdmitted,
    /// The id is our own, or no key at all.
    #[error("the id is this node's own, or no key")]
    NoPeer,
    /// Nobody could say where the node is.
    #[error("no address of the node is known, and none was found")]
    NotFound,
    /// Nothing answered at the addresses that are known, in time.
    #[error("the node does not answer")]
    NoAnswer,
    /// The remote end refuses us: its gate, or it does not offer the service.
    #[error("the node refuses the connection, or does not offer the service")]
    Refused,
    /// The remote end has too many streams or connections just now.
    #[error("the node is busy")]
    Busy,
    /// The connection broke before the stream was open.
    #[error("the connection broke")]
    Broken,
    /// The overlay was shut down.
    #[error("the overlay is shut down")]
    ShutDown,
}
