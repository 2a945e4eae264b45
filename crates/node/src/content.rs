//! Content on this computer's disk: hashing it into a torrent, comparing it with one, and copying it out.
//!
//! All of it blocks: callers run it on a thread of its own. It works without a node, too.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, DiskConfig, HashError, StorageConfig};
use metainfo::create::{Options, Plan};
use metainfo::{FileIndex, Info, PieceLayers, TorrentFile};
use tokio::sync::mpsc;
use torrent_proto::torrent::{CheckScope, DiskAnswer, DiskOrder, PieceHash};

use crate::jobs::Progress;

/// How much is copied between two looks at the cancel flag.
const COPY_BYTES: usize = 1 << 20;

/// Why content cannot be read, copied or compared.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// Somebody stopped it.
    #[error("stopped: begin it again")]
    Cancelled,
    /// The path cannot be shared.
    #[error("{0}")]
    Create(String),
    /// The disk failed.
    #[error("{0}")]
    Disk(String),
    /// A file cannot be read or written.
    #[error("{path}: cannot {action}: {source}")]
    File {
        /// The path.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// What was to be copied is not what it was.
    #[error("{0}: the files here were changed or removed since they were verified; check the torrent again")]
    Damaged(PathBuf),
    /// Something else is where the copy would go.
    #[error("{0}: something with this name is there already, and it is not the same: choose another folder or name")]
    InTheWay(PathBuf),
}

/// How content compares with a torrent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Comparison {
    /// How many pieces there are.
    pub pieces: u32,
    /// Those that are missing or differ.
    pub bad_pieces: Vec<u32>,
    /// The files that bad pieces lie in.
    pub bad_files: Vec<FileIndex>,
}

impl Comparison {
    /// Tells whether everything is there and right.
    pub fn is_good(&self) -> bool {
        self.bad_pieces.is_empty() && self.bad_files.is_empty()
    }
}

/// A torrent made of content on this computer.
#[derive(Debug)]
pub struct Created {
    /// The torrent.
    pub torrent: TorrentFile,
    /// The folder that the content lies in.
    pub folder: PathBuf,
    /// What no torrent can carry, and why.
    pub skipped: Vec<(String, String)>,
}

/// Hashes a file or folder into a torrent, on so many threads; `None`: on all cores.
pub fn create(
    path: &Path,
    options: Options,
    threads: Option<usize>,
    progress: &Progress,
) -> Result<Created, ContentError> {
    let refused = |error: &dyn std::fmt::Display| ContentError::Create(format!("{}: {error}", path.display()));
    let scan = disk::scan(path).map_err(|error| ContentError::Create(error.to_string()))?;
    let skipped = scan.left_out.iter().map(reason).collect();
    progress.set(0, scan.total_length());
    let plan = Plan::new(&scan.name, scan.files, options).map_err(|error| refused(&error))?;
    let advance = |bytes| progress.advance(bytes);
    let hashes = disk::hash_files(&plan, &scan.paths, threads, &advance, progress.cancel_flag());
    let hashes = hashes.map_err(|error| match error {
        HashError::Cancelled => ContentError::Cancelled,
        other => ContentError::Create(other.to_string()),
    })?;
    let torrent = plan.finish(hashes).map_err(|error| refused(&error))?;
    Ok(Created { torrent, folder: scan.folder, skipped })
}

fn reason(left_out: &disk::LeftOut) -> (String, String) {
    let path = left_out.path.display().to_string();
    let text = left_out.to_string();
    let reason = text.strip_prefix(&path).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&text).to_owned();
    (path, reason)
}

/// Returns the hash of every piece, as far as it is known.
fn piece_hashes(info: &Info, layers: &PieceLayers) -> Vec<Option<PieceHash>> {
    let hash = |piece| {
        let (v1, v2) = (info.piece_hash_v1(piece), layers.piece_hash(info, piece));
        (v1.is_some() || v2.is_some()).then_some(PieceHash { v1, v2 })
    };
    info.layout().pieces().map(hash).collect()
}

/// Compares the wanted files at `folder/NAME` with a torrent, piece by piece, on all cores. A piece that reaches into
/// an unwanted file says nothing and is left out.
pub fn verify(
    info: &Arc<Info>,
    layers: &PieceLayers,
    folder: &Path,
    wanted: &dyn Fn(FileIndex) -> bool,
    progress: &Progress,
) -> Result<Comparison, ContentError> {
    let layout = info.layout();
    // Bounded by the orders: one check is ordered, which answers once for each piece.
    let (answers, mut answered) = mpsc::unbounded_channel();
    let config = StorageConfig { known: true, ..StorageConfig::new(info.clone(), folder.to_owned()) };
    let disk = Disk::new(DiskConfig::default());
    let storage = disk.open(config, move |answer| drop(answers.send(answer)));
    storage.order(DiskOrder::Check { scope: CheckScope::All, expected: Arc::new(piece_hashes(info, layers)) });
    let mut comparison = Comparison { pieces: layout.piece_count(), ..Comparison::default() };
    let mut good = vec![false; layout.piece_count() as usize];
    loop {
        if progress.is_cancelled() {
            return Err(ContentError::Cancelled);
        }
        match answered.blocking_recv() {
            Some(DiskAnswer::Checked { piece, good: right }) => {
                if let Some(slot) = good.get_mut(piece.0 as usize) {
                    *slot = right;
                }
                progress.advance(u64::from(layout.piece_len(piece)));
            }
            Some(DiskAnswer::Failed { error, .. }) => return Err(ContentError::Disk(error.message)),
            Some(DiskAnswer::CheckDone) => break,
            Some(_) => {}
            None => return Err(ContentError::Disk("the check ended early".to_owned())),
        }
    }
    for piece in layout.pieces().filter(|piece| !good[piece.0 as usize]) {
        if layout.piece_files(piece).all(wanted) {
            comparison.bad_pieces.push(piece.0);
            comparison.bad_files.extend(layout.piece_files(piece));
        }
    }
    comparison.bad_files.extend(wrong_length(info, folder).filter(|&file| wanted(file)));
    comparison.bad_files.sort_unstable();
    comparison.bad_files.dedup();
    Ok(comparison)
}

/// Finds the files that are missing or of another length: empty ones lie in no piece, and a longer one begins right.
fn wrong_length(info: &Info, folder: &Path) -> impl Iterator<Item = FileIndex> {
    let files = info.layout().files().iter().enumerate();
    let wrong = files.filter(move |(_, file)| {
        let path = path_of(folder, &file.path);
        !fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == file.length)
    });
    wrong.map(|(index, _)| FileIndex(index as u32))
}

/// Copies the wanted files at `from/NAME` to `to/NAME` and verifies them there. Files that are there already with the
/// right length are kept and verified like the rest; nothing is overwritten. A copy that turns out wrong is removed.
/// Counts every byte twice: copied, and verified.
pub fn copy(
    info: &Arc<Info>,
    layers: &PieceLayers,
    from: &Path,
    to: &Path,
    wanted: &dyn Fn(FileIndex) -> bool,
    progress: &Progress,
) -> Result<(), ContentError> {
    let total = info.layout().total_length();
    progress.set(0, total * 2);
    let mut made = Vec::new();
    let files = info.layout().files().iter().enumerate().map(|(index, file)| (FileIndex(index as u32), file));
    for (index, file) in files.filter(|(index, _)| wanted(*index)) {
        let (source, target) = (path_of(from, &file.path), path_of(to, &file.path));
        match fs::symlink_metadata(&target) {
            Ok(found) if found.is_file() && found.len() == file.length => continue,
            Ok(_) => return Err(ContentError::InTheWay(target)),
            Err(_) => {}
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(file_error(parent, "create the folder"))?;
        }
        copy_file(&source, &target, progress)?;
        made.push(index);
    }
    progress.set(total, total * 2);
    let comparison = verify(info, layers, to, wanted, progress)?;
    progress.set(total * 2, total * 2);
    if comparison.is_good() {
        return Ok(());
    }
    let path = |index: FileIndex| info.layout().file(index).map(|file| path_of(to, &file.path));
    let (wrong_copies, others): (Vec<_>, Vec<_>) = comparison.bad_files.iter().partition(|file| made.contains(file));
    for path in wrong_copies.iter().filter_map(|&&file| path(file)) {
        // What cannot be removed is at least not reported as good.
        let _ = fs::remove_file(path);
    }
    match others.iter().find_map(|&&file| path(file)) {
        Some(path) if wrong_copies.is_empty() => Err(ContentError::InTheWay(path)),
        _ => Err(ContentError::Damaged(from.join(info.name()))),
    }
}

fn copy_file(source: &Path, target: &Path, progress: &Progress) -> Result<(), ContentError> {
    let mut partial = target.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let mut input = File::open(source).map_err(file_error(source, "read"))?;
    let mut output = File::create(&partial).map_err(file_error(&partial, "write"))?;
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        if progress.is_cancelled() {
            return Err(ContentError::Cancelled);
        }
        let read = input.read(&mut buffer).map_err(file_error(source, "read"))?;
        if read == 0 {
            break;
        }
        output.write_all(&buffer[..read]).map_err(file_error(&partial, "write"))?;
        progress.advance(read as u64);
    }
    if let Ok(found) = input.metadata() {
        // The executable bit belongs to the content; a file system without permissions does without.
        let _ = output.set_permissions(found.permissions());
    }
    output.sync_all().map_err(file_error(&partial, "write"))?;
    fs::rename(&partial, target).map_err(file_error(target, "write"))
}

/// Joins a torrent's path, made of safe names, to a folder.
pub(crate) fn path_of(folder: &Path, path: &[String]) -> PathBuf {
    folder.join(path.iter().collect::<PathBuf>())
}

fn file_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> ContentError {
    move |source| ContentError::File { path: path.to_owned(), action, source }
}
