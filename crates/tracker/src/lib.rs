//! The tracker role: a service that tells peers of one another (BEP 3, 7, 15, 23, 24, 31, 48), for the hybrid network.
//!
//! [`proto`] decides; two front ends carry: HTTP by hyper, UDP on sockets of its own. Nothing is stored: swarms live in
//! memory, within [`Config`]'s limits, and are back within an interval after a restart.
//!
//! Invariant: only the address that a request came from is believed.

mod config;
pub mod fuzzing;
mod http;
pub mod proto;
mod service;
mod udp;

pub use config::Config;
pub use service::{Guests, StartError, Tracker};
