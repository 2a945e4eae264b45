//! Stories of the torrent state machine.
