//! uTP, the transport that yields (BEP 29), as a state machine without sockets.
//!
//! [`Endpoint`] owns all connections of one UDP socket. A driver hands it what the socket received
//! ([`Endpoint::handle`]), asks it for datagrams while the socket takes them ([`Endpoint::poll_transmit`]), for what
//! happened ([`Endpoint::poll_event`]) and for when it wants to be woken ([`Endpoint::poll_timeout`]). The owner of a
//! connection reads and writes its stream by its [`Key`].

mod endpoint;

pub use endpoint::{Config, Counts, Endpoint, Event, Input, Key, MAX_DATAGRAM_LEN, StreamError, Transmit, is_utp};
