//! Listening, dialling, the UDP task, bandwidth, proxies and the gate.

mod clock;
mod http;
mod tcp;

pub use clock::Clock;
pub use http::HttpError;
pub use tcp::ListenError;
