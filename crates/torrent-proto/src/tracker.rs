//! Trackers: where a torrent asks for peers (BEP 3, 7, 12, 15, 21, 23, 24, 31, 41, 48).
//!
//! [`TrackerUrl`] says whom to ask and how, [`http`] and [`udp`] turn an [`AnnounceRequest`] into bytes and bytes into an
//! [`AnnounceResponse`], [`Announcer`] decides when to ask which tracker what.

pub mod announcer;
mod error;
pub mod http;
mod request;
pub mod udp;
mod url;

pub(crate) use request::{can_dial, compact_address, ip_from_bytes};

pub use announcer::Announcer;
pub use error::{Retry, TrackerError};
pub use request::{
    AnnounceEvent, AnnounceRequest, AnnounceResponse, MAX_PEERS, ScrapeEntry, ScrapeResponse, interval_from_seconds,
};
pub use url::{ParseTrackerUrlError, TrackerUrl, Transport, UdpTarget};
