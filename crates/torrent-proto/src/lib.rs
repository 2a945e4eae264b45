//! The BitTorrent state machines, free of I/O: no sockets, files, clocks or tasks.

pub mod torrent;
pub mod wire;
