//! What the disk and a storage are told when they start.

use std::path::PathBuf;
use std::sync::Arc;

use metainfo::Info;

/// How the disk works.
#[derive(Clone, Debug)]
pub struct DiskConfig {
    /// How many threads write, read and verify. Further ones only wake when the first cannot keep up.
    pub threads: usize,
    /// How many threads hash during a check; `None`: as many as there are cores.
    pub check_threads: Option<usize>,
    /// How many files may be open at a time.
    pub max_open_files: usize,
    /// The budget in bytes for payload read for uploads; a read that exceeds it waits until earlier ones are sent.
    pub read_budget: usize,
    /// How many bytes that arrived out of order are held in memory until their turn to be hashed; beyond it they are
    /// read back. They occupy the receiver's [`crate::Pool`], so this must stay well below its budget.
    pub keep_bytes: usize,
    /// How many bytes have to stay free on the file system that is written to, as far as the system says how many are.
    pub keep_free_bytes: u64,
    /// How much room the content of all torrents of which anything was fetched may take; `None`: as much as there is. On
    /// Windows the length of the files counts.
    pub most_bytes: Option<u64>,
}

/// How files are marked that are not complete yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// Each has this appended to its name.
    Suffix(String),
    /// They lie below another folder, with the same names, and are moved when they are complete.
    Folder(PathBuf),
}

/// Where and how one torrent's files are kept.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// What the torrent is.
    pub info: Arc<Info>,
    /// The user's folder: the content lies at `folder/NAME`.
    pub folder: PathBuf,
    /// How incomplete files are marked.
    pub incomplete: Incomplete,
    /// Whether room is reserved when a file is created, instead of letting it grow (sparse).
    pub preallocate: bool,
    /// For each file, whether it is wanted; shorter than the list of files: the rest is.
    pub wanted: Vec<bool>,
    /// Whether this torrent had its data here before (a restart, or the content was just hashed to create it). If not,
    /// a file that exists under a final name is read by checks, but only written to after a piece of it proved right.
    pub known: bool,
    /// Whether anything of it was fetched in a former run, so that it counts against [`DiskConfig::most_bytes`]; what is
    /// written to does in any case.
    pub fetched: bool,
    /// Where bytes of skipped files that share a piece with wanted ones go; `None`: a hidden file in `folder`.
    pub part_file: Option<PathBuf>,
}

impl Default for DiskConfig {
    fn default() -> DiskConfig {
        DiskConfig {
            threads: 2,
            check_threads: None,
            // Far below the usual limit of 1,024 open files a process, most of which sockets need.
            max_open_files: 128,
            read_budget: 32 << 20,
            keep_bytes: 4 << 20,
            keep_free_bytes: 0,
            most_bytes: None,
        }
    }
}

impl Default for Incomplete {
    fn default() -> Incomplete {
        Incomplete::Suffix(".part".to_owned())
    }
}

impl StorageConfig {
    /// Keeps the content of `info` in `folder` with the defaults: a suffix for incomplete files, sparse, all wanted.
    pub fn new(info: Arc<Info>, folder: PathBuf) -> StorageConfig {
        StorageConfig {
            info,
            folder,
            incomplete: Incomplete::default(),
            preallocate: false,
            wanted: Vec::new(),
            known: false,
            fetched: false,
            part_file: None,
        }
    }
}
