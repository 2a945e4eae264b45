//! Listening, dialling, the UDP task, bandwidth, HTTP, the clock and the gate.

mod carriage;
mod clock;
mod dial;
mod gate;
mod http;
mod limiter;
mod lsd;
mod mapping;
mod stream;
mod tcp;
mod udp;

pub use carriage::{Carriage, Opening, Overland, QuicStream};
pub use clock::Clock;
pub use dial::{CarrierPolicy, DIAL_TIMEOUT, Dialler, Via};
pub use gate::{Gate, GateLimits, Pass, Refusal};
pub use http::{Body, Http, HttpError};
pub use limiter::{Bucket, Limiter, Meter};
pub use lsd::{Lsd, LsdStatus};
pub use mapping::{MappingStatus, PortMapping};
pub use stream::{Carrier, Stream};
pub use tcp::{ListenError, listen, listen_all};
pub use udp::{Dht, DhtConfig, PeerSearch, Udp, UdpConfig, UdpTrackers, UtpIncoming, UtpStream};

/// The types that [`Dht`] speaks in.
pub use ::dht;
