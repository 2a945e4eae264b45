//! The torrent state machine: what one torrent does, from magnet to seed.

mod io;

pub use io::{
    CheckScope, Command, Connected, Direction, DiskAnswer, DiskError, DiskOrder, Event, Input, Output, PeerKey,
    PeerKind, PieceHash, Priority, Reason, Resume, Source, State, VerifyOutcome,
};
