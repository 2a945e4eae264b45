//! The session: the tasks that run the torrent state machines.
//!
//! A [`Session`] holds torrents. Each has a task that owns its state machine, a task for every connection, and one for
//! its trackers. They speak by bounded queues; who may wait for whom is written at each queue.

mod ask;
mod discovery;
mod haves;
mod peer;
mod queue;
mod reader;
mod report;
mod session;
mod shared;
mod store;
mod task;
mod tracker;
mod types;
mod web_seed;

pub use reader::FileReader;
pub use session::{Session, gate_limits};
pub use types::*;
