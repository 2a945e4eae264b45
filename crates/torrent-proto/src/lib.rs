//! The BitTorrent state machines, free of I/O: no sockets, files, clocks or tasks.

mod allowed_fast;
mod budget;
pub mod cadence;
pub mod choker;
#[doc(hidden)]
pub mod fuzzing;
pub mod hashes;
pub mod lsd;
pub mod peer_list;
pub mod picker;
pub mod super_seed;
pub mod torrent;
pub mod tracker;
pub mod wire;
