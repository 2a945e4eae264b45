//! Opening and migrating the node's SQLite file.
