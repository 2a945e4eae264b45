//! Buffers, file handles, hashing, recheck and resume.
//!
//! [`Pool`] owns the memory that payload travels in. [`Disk`] owns the threads and the open files; a [`Storage`] is the
//! handle to one torrent's files on it, and carries out the orders of that torrent's state machine.

mod below;
mod ceiling;
mod check;
mod config;
mod create;
mod disk;
mod error;
pub mod fake;
mod files;
mod handles;
mod orders;
mod pieces;
mod pool;
mod positional;
mod read_closed;
mod scan;
mod storage;
mod threads;
mod upkeep;
mod warm;

pub use config::{DiskConfig, Incomplete, StorageConfig};
pub use create::{HashError, hash_files};
pub use disk::Disk;
pub use pool::{Buffer, LARGE, Pool};
pub use positional::{Space, space};
pub use read_closed::read_closed;
pub use scan::{LeftOut, Reason, Scan, ScanError, scan};
pub use storage::Storage;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
