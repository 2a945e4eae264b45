//! TCP: listening and dialling.

use std::net::SocketAddr;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has it.
    #[error("{0} is taken by another program: choose another port with --listen, or port 0 for any free one")]
    Taken(SocketAddr),
    /// The address is not one of this machine, or the system refuses.
    #[error("cannot listen on {address}: {reason}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
}
