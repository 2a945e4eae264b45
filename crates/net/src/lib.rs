//! Listening, dialling, the UDP task, bandwidth, HTTP, the clock and the gate.

mod clock;
mod gate;
mod http;
mod limiter;
mod tcp;
mod udp;

pub use clock::Clock;
pub use gate::{Gate, GateLimits, Pass, Refusal};
pub use http::{Body, Http, HttpError};
pub use limiter::{Bucket, Limiter, Meter};
pub use tcp::{DIAL_TIMEOUT, Dialler, ListenError, listen, listen_all, prepare};
pub use udp::UdpTrackers;
