//! uTP, the transport that yields (BEP 29), as a state machine without sockets.
//!
//! [`Endpoint`] owns all connections of one UDP socket. A driver hands it what the socket received
//! ([`Endpoint::handle`]), asks it for datagrams while the socket takes them ([`Endpoint::poll_transmit`]), for what
//! happened ([`Endpoint::poll_event`]) and for when it wants to be woken ([`Endpoint::poll_timeout`]). The owner of a
//! connection reads and writes its stream by its [`Key`].
//!
//! Inside, `endpoint` finds the connection of a packet; a `connection` joins what its parts decide: `send` (bytes, packets,
//! losses), `receive` (order, acknowledgements, the window told), `ledbat` (how much may be on its way), `delay` (what queues
//! there are), `rtt`, `mtu` and `pacing`.

mod connection;
mod delay;
mod endpoint;
pub mod fuzzing;
mod ledbat;
mod mtu;
mod pacing;
mod packet;
mod pool;
mod receive;
mod rtt;
mod send;

pub use endpoint::{Config, Counts, Endpoint, Event, Input, Key, MAX_DATAGRAM_LEN, Status, StreamError, Transmit};
pub use packet::{HEADER_LEN, Header, Kind, MAX_SACK_LEN, Packet, is_utp};
