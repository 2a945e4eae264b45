//! The overlay: streams between nodes that are dialled by their key, wherever they are (iroh: QUIC, hole punching,
//! relays). The only crate that names iroh; none of its types leaves it.
//!
//! [`Overlay`] owns an endpoint with a UDP port of its own. Each service is a protocol of its own, `compeer/NAME/1`, and
//! has one connection to a node at a time, over which both ends open streams. `router` accepts, `admission` asks the
//! gate both ways, `connection` is what stands, `lookup` finds addresses, `relays` knows relays.
//!
//! Invariant: a [`Service`] sees only streams of a peer whose key was proven in the handshake and that the directory and
//! the gate admitted.

mod admission;
mod carriage;
mod connection;
mod error;
pub mod gossip;
mod hint;
mod lookup;
mod mapping;
mod metered;
mod overlay;
mod ping;
#[cfg(feature = "relay")]
pub mod relay;
mod relays;
mod router;
mod service;
mod settings;
mod stream;

pub use connection::ConnectionInfo;
pub use error::{OpenError, StartError};
pub use hint::{Hint, MAX_HINTS, MAX_RELAY_LEN, ParseHintError, Relay};
pub use overlay::Overlay;
pub use ping::Pong;
pub use service::{Directory, EmptyDirectory, Peer, Service, Way};
pub use settings::{MAX_SERVICE_NAME, Relays, STREAM_WINDOW, Settings};
pub use stream::{ReadHalf, Stream, WriteHalf};

#[cfg(test)]
mod tests;
