//! The session: the tasks that run the torrent state machines.
