//! The session: the tasks that run the torrent state machines.

mod session;
mod types;

pub use session::Session;
pub use types::*;
