//! The files of one torrent: which exist, under which name, and which belong to it.
//!
//! A file is *nowhere*, *incomplete* (under its marked name) or *final*. It is created when the first wanted byte is
//! written; what a skipped file shares with a wanted piece goes to the part file instead. A final file is never written
//! to: it becomes incomplete first. That, and every overwriting, is for files that are *ours*: put there by this torrent,
//! or proven by a piece that hashed right. Invariant: a writable handle in the cache belongs to an incomplete file.
//!
//! Lock order: a file's state, then `roots`, then the handle cache.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use metainfo::{Block, FileIndex, Info, Layout, PieceIndex};
use torrent_proto::torrent::DiskError;

use crate::LARGE;
use crate::below::{self, Access};
use crate::config::{Incomplete, StorageConfig};
use crate::error::failure;
use crate::handles::{Handles, Open};
use crate::positional;

/// The slot of the part file in the handle cache and the list of dirty files.
pub(crate) const PARTS: u32 = u32::MAX;

/// What a file's count of blocks counts, in bytes (stat(2): st_blocks).
#[cfg(unix)]
const BLOCK_UNIT: u64 = 512;

/// Where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing of it exists.
    Nowhere,
    /// Under its marked name.
    Incomplete,
    /// Under its final name.
    Final,
}

/// What is known of a file.
#[derive(Debug)]
pub(crate) struct FileState {
    pub(crate) place: Place,
    /// Something that is not this file occupies its final name.
    pub(crate) blocked: bool,
    /// Which of the two roots it lies below.
    pub(crate) side: u8,
}

/// Where bytes go or come from.
pub(crate) enum Target {
    File(Arc<Open>),
    /// The part file.
    Parts,
}

/// The files of one torrent.
pub(crate) struct Files {
    pub(crate) info: Arc<Info>,
    pub(crate) storage: u64,
    pub(crate) handles: Arc<Handles>,
    incomplete: Incomplete,
    /// The marked last component of each file.
    marked: Vec<String>,
    preallocate: bool,
    part_file: Option<PathBuf>,
    states: Vec<Mutex<FileState>>,
    /// Whether a file is this torrent's own.
    ours: Vec<AtomicBool>,
    wanted: Vec<AtomicBool>,
    /// Where the content lies; two of them only while it moves from one to the other.
    roots: RwLock<[PathBuf; 2]>,
    /// Which root new files are created below.
    pub(crate) side: AtomicU8,
    dirty: Mutex<Dirty>,
}

/// What was written since the last flush.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    /// File slots.
    pub(crate) files: BTreeSet<u32>,
    /// Folders in which a name appeared or vanished, as root and components.
    pub(crate) folders: BTreeSet<(PathBuf, Vec<String>)>,
}

impl Files {
    pub(crate) fn new(config: StorageConfig, storage: u64, handles: Arc<Handles>) -> Files {
        let files = config.info.layout().files();
        let state = || FileState { place: Place::Nowhere, blocked: false, side: 0 };
        Files {
            marked: marked_names(&config),
            states: files.iter().map(|_| Mutex::new(state())).collect(),
            ours: files.iter().map(|_| AtomicBool::new(config.known)).collect(),
            wanted: (0..files.len()).map(|i| AtomicBool::new(config.wanted.get(i) != Some(&false))).collect(),
            roots: RwLock::new([config.folder.clone(), config.folder]),
            side: AtomicU8::new(0),
            dirty: Mutex::default(),
            info: config.info,
            storage,
            handles,
            incomplete: config.incomplete,
            preallocate: config.preallocate,
            part_file: config.part_file,
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        self.info.layout()
    }

    pub(crate) fn state(&self, file: usize) -> MutexGuard<'_, FileState> {
        self.states[file].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_wanted(&self, file: usize) -> bool {
        self.wanted[file].load(Ordering::Relaxed)
    }

    pub(crate) fn set_wanted(&self, file: usize, wanted: bool) {
        self.wanted[file].store(wanted, Ordering::Relaxed);
    }

    pub(crate) fn is_ours(&self, file: usize) -> bool {
        self.ours[file].load(Ordering::Relaxed)
    }

    pub(crate) fn set_ours(&self, file: usize) {
        self.ours[file].store(true, Ordering::Relaxed);
    }

    /// Notes that a piece hashed right: the files that it lies in are this torrent's.
    pub(crate) fn proven(&self, piece: PieceIndex) {
        for file in self.layout().piece_files(piece) {
            self.set_ours(file.0 as usize);
        }
    }

    pub(crate) fn root(&self, side: u8) -> PathBuf {
        self.roots.read().unwrap_or_else(PoisonError::into_inner)[usize::from(side & 1)].clone()
    }

    pub(crate) fn set_root(&self, side: u8, folder: PathBuf) {
        self.roots.write().unwrap_or_else(PoisonError::into_inner)[usize::from(side & 1)] = folder;
    }

    /// Returns the folder below which incomplete files are written.
    pub(crate) fn writing_root(&self) -> PathBuf {
        match &self.incomplete {
            Incomplete::Folder(folder) => folder.clone(),
            Incomplete::Suffix(_) => self.root(self.side.load(Ordering::Relaxed)),
        }
    }

    /// Returns the root and components of a file under its marked or final name.
    pub(crate) fn place(&self, file: usize, place: Place, side: u8) -> (PathBuf, Vec<String>) {
        let mut components = self.layout().files()[file].path.clone();
        let mut root = self.root(side);
        if place == Place::Incomplete {
            if let Some(last) = components.last_mut() {
                last.clone_from(&self.marked[file]);
            }
            if let Incomplete::Folder(folder) = &self.incomplete {
                root.clone_from(folder);
            }
        }
        (root, components)
    }

    pub(crate) fn path(&self, file: usize) -> PathBuf {
        let (place, side) = {
            let state = self.state(file);
            (state.place, state.side)
        };
        // What is not there yet will come to lie under its marked name.
        let place = if place == Place::Nowhere { Place::Incomplete } else { place };
        let (root, components) = self.place(file, place, side);
        below::join(&root, &components)
    }

    /// Tells whether marked files move with the content.
    pub(crate) fn marked_move_along(&self) -> bool {
        matches!(self.incomplete, Incomplete::Suffix(_))
    }

    /// Returns the part file as root and components.
    pub(crate) fn parts(&self, side: u8) -> (PathBuf, Vec<String>) {
        if let Some(path) = &self.part_file
            && let (Some(root), Some(name)) = (path.parent(), path.file_name())
        {
            return (root.to_path_buf(), vec![name.to_string_lossy().into_owned()]);
        }
        (self.root(side), vec![format!(".{}.parts", self.info.hashes().key())])
    }

    /// Tells whether the part file lies in the user's folder and moves with it.
    pub(crate) fn parts_move_along(&self) -> bool {
        self.part_file.is_none()
    }

    /// Looks what is there. Returns whether any of it may be data of the torrent.
    pub(crate) fn probe(&self) -> bool {
        let mut found = self.parts_exist();
        for (index, file) in self.layout().files().iter().enumerate() {
            let mut state = self.state(index);
            let look = |place| {
                let (root, components) = self.place(index, place, state.side);
                std::fs::symlink_metadata(below::join(&root, &components)).ok()
            };
            let at_final = look(Place::Final);
            let incomplete = look(Place::Incomplete).filter(|metadata| metadata.is_file());
            // A longer file may be a later state of the user's own: never this torrent's to change.
            let fits = at_final.as_ref().is_some_and(|m| m.is_file() && m.len() <= file.length);
            (state.place, state.blocked) = match (incomplete, at_final) {
                (Some(_), at_final) => (Place::Incomplete, at_final.is_some()),
                (None, Some(_)) if fits => (Place::Final, false),
                (None, Some(_)) => (Place::Nowhere, true),
                (None, None) => (Place::Nowhere, false),
            };
            found |= state.place != Place::Nowhere && file.length > 0;
        }
        found
    }

    /// Returns how much room the torrent's own files take. Asks for each that is there.
    pub(crate) fn taken(&self) -> u64 {
        let files = (0..self.layout().files().len()).filter(|&index| self.is_ours(index)).map(|index| {
            let (place, side) = {
                let state = self.state(index);
                (state.place, state.side)
            };
            if place == Place::Nowhere {
                return 0;
            }
            let (root, components) = self.place(index, place, side);
            taken(&below::join(&root, &components))
        });
        let (root, components) = self.parts(self.side.load(Ordering::Relaxed));
        files.sum::<u64>() + taken(&below::join(&root, &components))
    }

    /// Returns how much will be reserved when these blocks are written: whole files that do not exist yet.
    pub(crate) fn to_reserve(&self, blocks: impl Iterator<Item = Block>) -> u64 {
        if !self.preallocate {
            return 0;
        }
        let files: BTreeSet<u32> = blocks
            .flat_map(|block| self.layout().file_ranges(block))
            .filter_map(|segment| Some(segment.file?.0))
            .collect();
        let new = |file: &u32| {
            let index = *file as usize;
            self.is_wanted(index) && self.state(index).place == Place::Nowhere
        };
        files.iter().filter(|file| new(file)).map(|&file| self.layout().files()[file as usize].length).sum()
    }

    pub(crate) fn parts_exist(&self) -> bool {
        let (root, components) = self.parts(self.side.load(Ordering::Relaxed));
        below::join(&root, &components).is_file()
    }

    /// Opens a file for reading.
    pub(crate) fn reader(&self, file: FileIndex) -> Result<Target, DiskError> {
        if let Some(open) = self.handles.find((self.storage, file.0), false) {
            return Ok(Target::File(open));
        }
        let index = file.0 as usize;
        let mut state = self.state(index);
        if state.place == Place::Nowhere && !self.is_wanted(index) {
            return Ok(Target::Parts);
        }
        if state.place == Place::Nowhere && state.blocked && !self.is_ours(index) {
            return Err(self.occupied(index, state.side));
        }
        let place = if state.place == Place::Nowhere { Place::Incomplete } else { state.place };
        let (root, components) = self.place(index, place, state.side);
        let open = below::open(&root, &components, Access::Read).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                // Somebody deleted it: it is begun anew when there is something to write.
                state.place = Place::Nowhere;
            }
            failure("read", &below::join(&root, &components), &error)
        })?;
        Ok(Target::File(self.handles.keep((self.storage, file.0), open, false)))
    }

    /// Opens a file for writing, creating it or marking it as incomplete again.
    pub(crate) fn writer(&self, file: FileIndex) -> Result<Target, DiskError> {
        if let Some(open) = self.handles.find((self.storage, file.0), true) {
            return Ok(Target::File(open));
        }
        let index = file.0 as usize;
        let mut state = self.state(index);
        if state.place == Place::Nowhere && !self.is_wanted(index) {
            return Ok(Target::Parts);
        }
        if state.place == Place::Final {
            self.reopen_as_incomplete(index, &mut state)?;
        }
        let (root, components) = self.place(index, Place::Incomplete, state.side);
        let path = || below::join(&root, &components);
        let is_new = state.place == Place::Nowhere;
        if is_new && state.blocked && !self.is_ours(index) {
            return Err(self.occupied(index, state.side));
        }
        let access = if is_new { Access::Create } else { Access::Write };
        let open = below::open(&root, &components, access).map_err(|error| failure("write", &path(), &error))?;
        if is_new {
            if self.preallocate {
                let length = self.layout().files()[index].length;
                positional::reserve(&open, length).map_err(|error| failure("reserve room for", &path(), &error))?;
            }
            state.place = Place::Incomplete;
            self.touched_folders_of(&root, &components);
        }
        self.set_ours(index);
        Ok(Target::File(self.handles.keep((self.storage, file.0), open, true)))
    }

    /// Prepares a final file for writing: ours is renamed to its marked name; another's stays, and a new file is begun
    /// beside it, unless it is certain already that the two differ.
    fn reopen_as_incomplete(&self, file: usize, state: &mut FileState) -> Result<(), DiskError> {
        let from = self.place(file, Place::Final, state.side);
        let to = self.place(file, Place::Incomplete, state.side);
        if self.is_ours(file) {
            self.handles.forget((self.storage, file as u32));
            // The piece that is to be written is known to be bad: whoever reads the file meanwhile can wait for the copy.
            below::rename_new((&from.0, &from.1), (&to.0, &to.1))
                .or_else(|error| match error.kind() {
                    io::ErrorKind::CrossesDevices => {
                        below::copy_new((&from.0, &from.1), (&to.0, &to.1), &mut vec![0; LARGE])
                            .and_then(|()| below::remove_file(&from.0, &from.1))
                    }
                    _ => Err(error),
                })
                .map_err(|error| failure("rename", &below::join(&from.0, &from.1), &error))?;
            state.place = Place::Incomplete;
            self.touched_folders_of(&from.0, &from.1);
            self.touched_folders_of(&to.0, &to.1);
            return Ok(());
        }
        let length = below::join(&from.0, &from.1).symlink_metadata().map_or(0, |metadata| metadata.len());
        if length != self.layout().files()[file].length || self.has_own_piece(file) {
            return Err(self.occupied(file, state.side));
        }
        self.handles.forget((self.storage, file as u32));
        (state.place, state.blocked) = (Place::Nowhere, true);
        // It may turn out equal when both are complete; until then nothing of the other is touched.
        let (root, components) = to;
        let open = below::open(&root, &components, Access::Create)
            .map_err(|error| failure("write", &below::join(&root, &components), &error))?;
        drop(open);
        state.place = Place::Incomplete;
        self.touched_folders_of(&root, &components);
        Ok(())
    }

    /// Tells whether some piece lies in this file only, so that a check has shown whether the file is the torrent's.
    fn has_own_piece(&self, file: usize) -> bool {
        let pieces = self.layout().file_pieces(FileIndex(file as u32));
        // Only the outer two on either side can be shared.
        let probes = [pieces.start, pieces.start + 1, pieces.end.saturating_sub(1)];
        probes.into_iter().any(|p| pieces.contains(&p) && self.layout().piece_files(PieceIndex(p)).count() == 1)
    }

    /// Says that another's file has the name.
    pub(crate) fn occupied(&self, file: usize, side: u8) -> DiskError {
        let (root, components) = self.place(file, Place::Final, side);
        let path = below::join(&root, &components);
        let message = format!(
            "{} exists already and is not this torrent's: move it away or choose another folder, then resume",
            path.display()
        );
        DiskError { full: false, message }
    }

    /// Opens the part file; `None`: there is none, and it was not to be created.
    pub(crate) fn parts_file(&self, create: bool) -> Result<Option<Arc<Open>>, DiskError> {
        if let Some(open) = self.handles.find((self.storage, PARTS), create) {
            return Ok(Some(open));
        }
        let (root, components) = self.parts(self.side.load(Ordering::Relaxed));
        let access = if create { Access::Create } else { Access::Read };
        match below::open(&root, &components, access) {
            Ok(open) => {
                if create {
                    self.touched_folders_of(&root, &components);
                }
                Ok(Some(self.handles.keep((self.storage, PARTS), open, create)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !create => Ok(None),
            Err(error) => Err(failure("open", &below::join(&root, &components), &error)),
        }
    }

    /// Notes that a file was written.
    pub(crate) fn touched(&self, slot: u32) {
        self.dirty().files.insert(slot);
    }

    /// Notes that names changed in the folders above a path.
    pub(crate) fn touched_folders_of(&self, root: &Path, components: &[String]) {
        let mut dirty = self.dirty();
        for depth in (0..components.len()).rev() {
            // Those above are noted already.
            if !dirty.folders.insert((root.to_path_buf(), components[..depth].to_vec())) {
                return;
            }
        }
    }

    pub(crate) fn dirty(&self) -> MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how much room a file takes: of one with holes, less than its length.
fn taken(path: &Path) -> u64 {
    let Some(file) = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file) else { return 0 };
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::blocks(&file).saturating_mul(BLOCK_UNIT);
    #[cfg(not(unix))]
    return file.len();
}

/// Names the incomplete files: by the suffix, avoiding names that are too long or that the torrent itself uses.
fn marked_names(config: &StorageConfig) -> Vec<String> {
    let files = config.info.layout().files();
    let Incomplete::Suffix(suffix) = &config.incomplete else {
        return files.iter().map(|file| file.path.last().cloned().unwrap_or_default()).collect();
    };
    // Files, and the folders above them.
    let mut taken: BTreeSet<(&[String], String)> = BTreeSet::new();
    for file in files {
        for len in (1..=file.path.len()).rev() {
            // Those above are noted already.
            if !taken.insert(key(&file.path[..len])) {
                break;
            }
        }
    }
    let mut marked = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        let mut name = file.path.last().cloned().unwrap_or_default();
        let room = metainfo::names::MAX_COMPONENT_LEN.saturating_sub(suffix.len() + 24);
        if name.len() > room {
            name.truncate(name.floor_char_boundary(room));
            // Cut names may have become equal: the number tells them apart.
            name = format!("{name}~{index}");
        }
        let folder = &file.path[..file.path.len().saturating_sub(1)];
        let mut candidate = format!("{name}{suffix}");
        let mut n = 0;
        while !taken.insert((folder, candidate.to_lowercase())) {
            n += 1;
            candidate = format!("{name}.{index}-{n}{suffix}");
        }
        marked.push(candidate);
    }
    marked
}

/// Returns a path such that names differing in case only are equal.
fn key(path: &[String]) -> (&[String], String) {
    path.split_last().map_or((&[][..], String::new()), |(last, folders)| (folders, last.to_lowercase()))
}
