//! What the tracker knows and answers, free of I/O.
//!
//! A tracker has no outputs of its own: every request has one answer or none, at once, so `handle` returns it. Time only
//! makes peers expire ([`Core::timeout`]).

mod connection;
mod core;
mod http;
mod peers;
mod rate;
mod stats;
mod swarm;
mod table;
mod udp;

pub use self::connection::{ConnectionKey, Connections};
pub use self::core::Core;
pub use self::http::HttpAnswer;
pub use self::stats::{Counters, Family, Stats};
pub use self::swarm::Host;
pub use self::table::{Content, Limits, Refusal, Table};
pub use self::udp::MAX_REQUEST_LEN;
