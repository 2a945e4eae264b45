//! What concerns all files of a torrent: wanting and skipping, flushing, final names, moving, removing.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use metainfo::FileIndex;
use torrent_proto::torrent::{DiskAnswer, DiskError};

use crate::below::{self, Access};
use crate::error::failure;
use crate::files::{Dirty, FileState, PARTS, Place, Target};
use crate::positional;
use crate::storage::Inner;

/// How many dirty files and folders are flushed one by one; beyond it the whole file system is flushed at once, which costs one
/// journal commit instead of thousands. Arbitrary.
const MAX_SINGLE_SYNCS: usize = 32;

impl Inner {
    /// Looks what is there. What the part file holds of files that became wanted while this was closed moves out of it.
    pub(crate) fn open(&self) {
        let files = &self.files;
        let found_data = files.probe();
        self.measure();
        if files.parts_exist() {
            for index in (0..files.layout().files().len()).filter(|&index| files.is_wanted(index)) {
                if let Err(error) = self.move_out_of_parts(index) {
                    return self.failed(error);
                }
            }
            self.drop_unneeded_parts();
        }
        self.answer(DiskAnswer::Opened { found_data });
    }

    /// Changes which files are wanted: what the part file holds of newly wanted ones moves out of it.
    pub(crate) fn want(&self, wanted: &[bool]) {
        let files = &self.files;
        for index in 0..files.layout().files().len() {
            let now = wanted.get(index) != Some(&false);
            let before = files.is_wanted(index);
            files.set_wanted(index, now);
            if now
                && !before
                && let Err(error) = self.move_out_of_parts(index)
            {
                files.set_wanted(index, false);
                return self.failed(error);
            }
        }
        self.drop_unneeded_parts();
    }

    /// Removes the part file when every file is wanted.
    fn drop_unneeded_parts(&self) {
        let files = &self.files;
        let all = (0..files.layout().files().len()).all(|index| files.is_wanted(index));
        if all && files.parts_exist() {
            files.handles.forget((files.storage, PARTS));
            let (root, components) = files.parts(files.side.load(Ordering::Relaxed));
            if let Err(error) = below::remove_file(&root, &components) {
                tracing::debug!(%error, "the part file stays behind");
            }
        }
    }

    fn move_out_of_parts(&self, index: usize) -> Result<(), DiskError> {
        let files = &self.files;
        if files.state(index).place != Place::Nowhere {
            return Ok(());
        }
        let Some(parts) = files.parts_file(false)? else { return Ok(()) };
        // A byte lies at the same place in the part file as in the torrent. Not only shared pieces are there: also what was
        // asked for before the file was skipped and came afterwards.
        let file = &files.layout().files()[index];
        let range = file.offset..file.end();
        let moving = |error| failure("move bytes from the part file to", &files.path(index), &error);
        if positional::next_data(&parts, range.clone()).map_err(moving)?.is_none() {
            return Ok(());
        }
        let Target::File(target) = files.writer(FileIndex(index as u32))? else { return Ok(()) };
        let copied = self.disk.with_buffer(|buffer| positional::copy_data(&parts, range, &target, 0, buffer));
        files.touched(index as u32);
        copied.map_err(moving)
    }

    /// Makes what was written durable.
    pub(crate) fn flush(&self) {
        let _one = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let dirty = mem::take(&mut *self.files.dirty());
        match self.sync(&dirty) {
            Ok(()) => self.answer(DiskAnswer::Flushed),
            Err(error) => {
                let mut still = self.files.dirty();
                still.files.extend(dirty.files);
                still.folders.extend(dirty.folders);
                drop(still);
                self.failed(error);
            }
        }
    }

    fn sync(&self, dirty: &Dirty) -> Result<(), DiskError> {
        if dirty.files.len() + dirty.folders.len() > MAX_SINGLE_SYNCS {
            let roots: BTreeSet<&PathBuf> = dirty.folders.iter().map(|(root, _)| root).collect();
            let side = self.files.side.load(Ordering::Relaxed);
            let mut all: BTreeSet<PathBuf> = roots.into_iter().cloned().collect();
            all.extend([Place::Incomplete, Place::Final].map(|place| self.files.place(0, place, side).0));
            all.insert(self.files.parts(side).0);
            let mut done = true;
            for root in all.iter().filter(|root| root.is_dir()) {
                match positional::sync_file_system(root) {
                    Some(synced) => synced.map_err(|error| failure("flush", root, &error))?,
                    None => done = false,
                }
            }
            if done {
                return Ok(());
            }
        }
        for &slot in &dirty.files {
            let (open, path) = if slot == PARTS {
                (self.files.parts_file(false)?, PathBuf::from("the part file"))
            } else {
                let open = match self.files.reader(FileIndex(slot))? {
                    Target::File(open) => Some(open),
                    Target::Parts => None,
                };
                (open, self.files.path(slot as usize))
            };
            if let Some(open) = open {
                positional::sync(&open).map_err(|error| failure("flush", &path, &error))?;
            }
        }
        for (root, components) in &dirty.folders {
            match below::sync_folder(root, components) {
                // Gone since: nothing in it can be lost.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(|error| failure("flush", &below::join(root, components), &error))?,
            }
        }
        Ok(())
    }

    /// Gives all wanted files their final names.
    pub(crate) fn finish(self: &std::sync::Arc<Self>) {
        let files = &self.files;
        let mut wanted = (0..files.layout().files().len()).filter(|&index| files.is_wanted(index));
        let result = wanted.try_for_each(|index| self.finish_file(index));
        if let Err(error) = result {
            return self.failed(error);
        }
        self.remove_empty_folders(Place::Incomplete);
        match self.sync_names() {
            Ok(()) => {
                self.measure();
                self.answer(DiskAnswer::Finished);
            }
            Err(error) => self.failed(error),
        }
    }

    /// Makes new names durable. Part of a barrier: no flush runs beside it.
    fn sync_names(&self) -> Result<(), DiskError> {
        let renamed = Dirty { files: BTreeSet::new(), folders: mem::take(&mut self.files.dirty().folders) };
        let synced = self.sync(&renamed);
        if synced.is_err() {
            self.files.dirty().folders.extend(renamed.folders);
        }
        synced
    }

    fn finish_file(&self, index: usize) -> Result<(), DiskError> {
        let files = &self.files;
        let file = &files.layout().files()[index];
        if file.length == 0 && files.state(index).place == Place::Nowhere {
            if files.state(index).blocked {
                // Something is there under the name of an empty file: leave it, unless it is in nobody's way.
                return Err(files.occupied(index, files.state(index).side));
            }
            files.writer(FileIndex(index as u32))?;
        }
        let side = {
            let state = files.state(index);
            if state.place != Place::Incomplete {
                return Ok(());
            }
            state.side
        };
        let from = files.place(index, Place::Incomplete, side);
        let to = files.place(index, Place::Final, side);
        let from_path = below::join(&from.0, &from.1);
        let handle =
            below::open(&from.0, &from.1, Access::Write).map_err(|error| failure("open", &from_path, &error))?;
        prepare(&handle, file.length, file.executable).map_err(|error| failure("complete", &from_path, &error))?;
        drop(handle);
        let note = |state: &mut FileState| (state.place, state.blocked) = (Place::Final, false);
        match self.move_file(index as u32, &from, &to, note) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let equal = compare((&from.0, &from.1), (&to.0, &to.1));
                let equal = equal.map_err(|error| failure("compare", &from_path, &error))?;
                if matches!(equal, Comparison::Different) {
                    return Err(files.occupied(index, side));
                }
                let mut state = files.state(index);
                files.handles.forget((files.storage, index as u32));
                note(&mut state);
                drop(state);
                if matches!(equal, Comparison::Equal) {
                    below::remove_file(&from.0, &from.1).map_err(|error| failure("remove", &from_path, &error))?;
                }
                files.touched_folders_of(&from.0, &from.1);
                files.touched_folders_of(&to.0, &to.1);
            }
            other => other.map_err(|error| failure("rename", &from_path, &error))?,
        }
        files.set_ours(index);
        Ok(())
    }

    /// Moves everything to another folder.
    pub(crate) fn relocate(&self, folder: PathBuf) -> Result<(), DiskError> {
        let files = &self.files;
        let old = files.side.load(Ordering::Relaxed);
        let new = old ^ 1;
        if files.root(old) == folder {
            return Ok(());
        }
        std::fs::create_dir_all(&folder).map_err(|error| failure("create the folder", &folder, &error))?;
        files.set_root(new, folder);
        let moved = (0..files.layout().files().len()).try_for_each(|index| self.relocate_file(index, new));
        if let Err(error) = moved.and_then(|()| self.relocate_parts(old, new)) {
            for index in 0..files.layout().files().len() {
                if files.state(index).side == new
                    && let Err(error) = self.relocate_file(index, old)
                {
                    tracing::warn!(%error.message, "a file could not be moved back");
                }
            }
            self.remove_empty_folders_of(Place::Final, new);
            return Err(error);
        }
        files.side.store(new, Ordering::Relaxed);
        self.remove_empty_folders_of(Place::Final, old);
        if files.marked_move_along() {
            self.remove_empty_folders_of(Place::Incomplete, old);
        }
        files.set_root(old, files.root(new));
        // Before the new folder is recorded: after a crash the files must be where the record says.
        if let Err(error) = self.sync_names() {
            tracing::warn!(%error.message, "the move may not outlast a crash before the next flush");
        }
        Ok(())
    }

    fn relocate_file(&self, index: usize, side: u8) -> Result<(), DiskError> {
        let files = &self.files;
        let (place, old) = {
            let state = files.state(index);
            (state.place, state.side)
        };
        let moves = match place {
            Place::Nowhere => false,
            Place::Incomplete => files.marked_move_along(),
            Place::Final => true,
        };
        if moves && old != side {
            let from = files.place(index, place, old);
            let to = files.place(index, place, side);
            let path = below::join(&from.0, &from.1);
            let final_name = files.place(index, Place::Final, side);
            if below::join(&final_name.0, &final_name.1).symlink_metadata().is_ok() {
                return Err(files.occupied(index, side));
            }
            self.move_file(index as u32, &from, &to, |state| state.side = side)
                .map_err(|error| failure("move", &path, &error))?;
        }
        files.state(index).side = side;
        Ok(())
    }

    fn relocate_parts(&self, old: u8, new: u8) -> Result<(), DiskError> {
        if !self.files.parts_move_along() || !self.files.parts_exist() {
            return Ok(());
        }
        let (from, to) = (self.files.parts(old), self.files.parts(new));
        self.move_file(PARTS, &from, &to, |_| {})
            .map_err(|error| failure("move", &below::join(&from.0, &from.1), &error))
    }

    /// Moves the file of a slot to a name that must be free, and lets `note` say so in its state. Reads go on meanwhile:
    /// the state is locked for a moment only, not while the file is copied to another file system.
    fn move_file(
        &self,
        slot: u32,
        from: &(PathBuf, Vec<String>),
        to: &(PathBuf, Vec<String>),
        note: impl FnOnce(&mut FileState),
    ) -> io::Result<()> {
        let files = &self.files;
        let from = (&*from.0, &*from.1);
        let to = (&*to.0, &*to.1);
        let lock = || (slot != PARTS).then(|| files.state(slot as usize));
        let mut state = lock();
        let renamed = below::rename_new(from, to);
        let copied = matches!(&renamed, Err(error) if error.kind() == io::ErrorKind::CrossesDevices);
        if copied {
            drop(state);
            // Nobody writes to it: this is part of a barrier.
            self.disk.with_buffer(|buffer| below::copy_new(from, to, buffer))?;
            state = lock();
        } else {
            renamed?;
        }
        files.handles.forget((files.storage, slot));
        if let Some(state) = &mut state {
            note(state);
        }
        drop(state);
        if copied && let Err(error) = below::remove_file(from.0, from.1) {
            tracing::warn!(%error, path = %below::join(from.0, from.1).display(), "a file was copied, and stays behind");
        }
        files.touched_folders_of(from.0, from.1);
        files.touched_folders_of(to.0, to.1);
        Ok(())
    }

    /// Removes the files that are the torrent's, then the folders that this leaves empty.
    pub(crate) fn remove(&self) -> Result<(), DiskError> {
        let files = &self.files;
        files.handles.forget_storage(files.storage);
        self.forget_warm();
        for index in 0..files.layout().files().len() {
            let mut state = files.state(index);
            if state.place == Place::Nowhere || !files.is_ours(index) {
                continue;
            }
            let (root, components) = files.place(index, state.place, state.side);
            match below::remove_file(&root, &components) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failure("remove", &below::join(&root, &components), &error));
                }
                _ => state.place = Place::Nowhere,
            }
        }
        if files.parts_exist() {
            let (root, components) = files.parts(files.side.load(Ordering::Relaxed));
            below::remove_file(&root, &components)
                .map_err(|error| failure("remove", &below::join(&root, &components), &error))?;
        }
        self.remove_empty_folders(Place::Incomplete);
        self.remove_empty_folders(Place::Final);
        self.measure();
        Ok(())
    }

    fn remove_empty_folders(&self, place: Place) {
        self.remove_empty_folders_of(place, self.files.side.load(Ordering::Relaxed));
    }

    /// Removes the torrent's folders that are empty, the deepest first; the roots stay.
    fn remove_empty_folders_of(&self, place: Place, side: u8) {
        let mut folders: BTreeSet<(usize, Vec<String>)> = BTreeSet::new();
        let mut root = PathBuf::new();
        for index in 0..self.files.layout().files().len() {
            let (below, components) = self.files.place(index, place, side);
            root = below;
            for depth in (1..components.len()).rev() {
                if !folders.insert((depth, components[..depth].to_vec())) {
                    break;
                }
            }
        }
        for (_, folder) in folders.iter().rev() {
            // What is not empty, or not there, stays as it is.
            let _ = below::remove_folder(&root, folder);
        }
    }
}

/// Gives a complete file its exact length and the right to be executed.
fn prepare(file: &std::fs::File, length: u64, executable: bool) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.len() != length {
        file.set_len(length)?;
    }
    #[cfg(unix)]
    if executable {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode();
        // Whoever may read it may execute it.
        file.set_permissions(std::fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))?;
    }
    let _ = executable;
    Ok(())
}

/// What two names have in common.
enum Comparison {
    /// They are names of one file: the folder for incomplete files is the target itself, perhaps by another name.
    Same,
    /// Two files of equal content.
    Equal,
    Different,
}

fn compare(one: (&Path, &[String]), other: (&Path, &[String])) -> io::Result<Comparison> {
    let [one_path, other_path] = [one, other].map(|(root, components)| below::join(root, components).canonicalize());
    let mut one = below::open(one.0, one.1, Access::Read)?;
    let Ok(mut other) = below::open(other.0, other.1, Access::Read) else { return Ok(Comparison::Different) };
    if one_path? == other_path? || is_same(&one.metadata()?, &other.metadata()?) {
        return Ok(Comparison::Same);
    }
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(Comparison::Different);
    }
    let (mut a, mut b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let n = one.read(&mut a)?;
        if n == 0 {
            return Ok(Comparison::Equal);
        }
        other.read_exact(&mut b[..n])?;
        if a[..n] != b[..n] {
            return Ok(Comparison::Different);
        }
    }
}

#[cfg(unix)]
fn is_same(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_one: &std::fs::Metadata, _other: &std::fs::Metadata) -> bool {
    false
}
