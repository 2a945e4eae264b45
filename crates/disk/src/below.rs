//! File operations below a folder that never pass a symbolic link.
//!
//! A path is a root, which the user chose and may reach by links, and components below it, which came from the network.
//! Whatever was put there, an operation here ends at a link instead of following it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::positional;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// Reading and writing a file that exists.
    Write,
    /// The same, creating it and its folders if need be.
    Create,
}

/// Joins a root and components.
pub(crate) fn join(root: &Path, components: &[String]) -> PathBuf {
    let mut path = root.to_path_buf();
    path.extend(components);
    path
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

#[cfg(unix)]
mod imp {
    use std::os::fd::OwnedFd;

    use rustix::fs::{AtFlags, Mode, OFlags};

    use super::*;

    const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

    /// Says what is wrong in words, where the system's word for a link in the way is "too many levels".
    fn explain(error: rustix::io::Errno) -> io::Error {
        match error {
            rustix::io::Errno::LOOP | rustix::io::Errno::MLINK => link_in_the_way(),
            error => error.into(),
        }
    }

    fn link_in_the_way() -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, "a symbolic link is in the way, and none is followed")
    }

    /// Opens what lies at `components` below an open folder by one call, where the system has one that refuses links on
    /// the way. Measured: giving 2,000 small files their names takes half the CPU time with it. `None`: it is to be looked
    /// at step by step, which also says what is wrong. `mode` is for a file that `flags` create, otherwise empty.
    fn at_once(root: &OwnedFd, components: &[String], flags: OFlags, mode: Mode) -> Option<OwnedFd> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::ResolveFlags;
            let path = components.join("/");
            rustix::fs::openat2(root, path, flags, mode, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS).ok()
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (root, components, flags, mode);
            None
        }
    }

    fn open_root(root: &Path, create: bool) -> io::Result<OwnedFd> {
        match rustix::fs::open(root, DIR, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) if create => {
                std::fs::create_dir_all(root)?;
                Ok(rustix::fs::open(root, DIR, Mode::empty())?)
            }
            other => Ok(other?),
        }
    }

    /// Opens the folder `components` below `root`.
    fn folder(root: &Path, components: &[String], create: bool) -> io::Result<OwnedFd> {
        folder_in(open_root(root, create)?, components, create)
    }

    fn folder_in(root: OwnedFd, components: &[String], create: bool) -> io::Result<OwnedFd> {
        if components.is_empty() {
            return Ok(root);
        }
        if let Some(folder) = at_once(&root, components, DIR, Mode::empty()) {
            return Ok(folder);
        }
        let mut at = root;
        for component in components {
            let step = || rustix::fs::openat(&at, component, DIR | OFlags::NOFOLLOW, Mode::empty());
            let next = match step() {
                Err(rustix::io::Errno::NOENT) if create => {
                    match rustix::fs::mkdirat(&at, component, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(rustix::io::Errno::EXIST) => step(),
                        Err(error) => Err(error),
                    }
                }
                other => other,
            };
            at = match next {
                Ok(next) => next,
                // Linux says "not a directory" of a link that O_NOFOLLOW and O_DIRECTORY meet.
                Err(rustix::io::Errno::NOTDIR) => {
                    let is_link = rustix::fs::statat(&at, component, AtFlags::SYMLINK_NOFOLLOW)
                        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink());
                    return Err(if is_link { link_in_the_way() } else { rustix::io::Errno::NOTDIR.into() });
                }
                Err(error) => return Err(explain(error)),
            };
        }
        Ok(at)
    }

    pub(crate) fn open(root: &Path, components: &[String], access: Access) -> io::Result<File> {
        let (name, folders) = components.split_last().ok_or_else(not_regular)?;
        // Without NONBLOCK a named pipe would hold us until somebody opens its other end.
        let base = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let (flags, mode) = match access {
            Access::Read => (base | OFlags::RDONLY, Mode::empty()),
            Access::Write => (base | OFlags::RDWR, Mode::empty()),
            Access::Create => (base | OFlags::RDWR | OFlags::CREATE, Mode::from_raw_mode(0o666)),
        };
        let create = access == Access::Create;
        let root = open_root(root, create)?;
        let fd = match at_once(&root, components, flags, mode) {
            Some(fd) => fd,
            None => {
                let at = folder_in(root, folders, create)?;
                rustix::fs::openat(&at, name, flags, mode).map_err(explain)?
            }
        };
        let file = File::from(fd);
        if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
    }

    pub(crate) fn remove_file(root: &Path, components: &[String]) -> io::Result<()> {
        let (name, folders) = components.split_last().ok_or_else(not_regular)?;
        let at = folder(root, folders, false)?;
        Ok(rustix::fs::unlinkat(&at, name, AtFlags::empty())?)
    }

    pub(crate) fn remove_folder(root: &Path, components: &[String]) -> io::Result<()> {
        let (name, folders) = components.split_last().ok_or_else(not_regular)?;
        let at = folder(root, folders, false)?;
        Ok(rustix::fs::unlinkat(&at, name, AtFlags::REMOVEDIR)?)
    }

    pub(crate) fn rename_new(from: (&Path, &[String]), to: (&Path, &[String])) -> io::Result<()> {
        let (from_name, from_folders) = from.1.split_last().ok_or_else(not_regular)?;
        let (to_name, to_folders) = to.1.split_last().ok_or_else(not_regular)?;
        let from_at = folder(from.0, from_folders, false)?;
        let other =
            if (from.0, from_folders) == (to.0, to_folders) { None } else { Some(folder(to.0, to_folders, true)?) };
        let to_at = other.as_ref().unwrap_or(&from_at);
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        {
            use rustix::fs::RenameFlags;
            match rustix::fs::renameat_with(&from_at, from_name, to_at, to_name, RenameFlags::NOREPLACE) {
                // Some file systems do not know the flag.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
                other => return Ok(other?),
            }
        }
        if rustix::fs::statat(to_at, to_name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(rustix::fs::renameat(&from_at, from_name, to_at, to_name)?)
    }

    pub(crate) fn sync_folder(root: &Path, components: &[String]) -> io::Result<()> {
        match rustix::fs::fsync(folder(root, components, false)?) {
            // Some file systems cannot, and need not.
            Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use super::*;

    /// Looks at every step first. Unlike the Unix form this leaves a moment between looking and opening.
    fn guard(root: &Path, components: &[String], create: bool) -> io::Result<PathBuf> {
        let mut path = root.to_path_buf();
        if create {
            std::fs::create_dir_all(root)?;
        }
        let (name, folders) = components.split_last().ok_or_else(not_regular)?;
        for component in folders {
            path.push(component);
            if create {
                match std::fs::create_dir(&path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
            }
            no_link(&path)?;
        }
        path.push(name);
        no_link(&path)?;
        Ok(path)
    }

    fn no_link(path: &Path) -> io::Result<()> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "a symbolic link is in the way, and none is followed"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn open(root: &Path, components: &[String], access: Access) -> io::Result<File> {
        let path = guard(root, components, access == Access::Create)?;
        let mut options = File::options();
        options.read(true).write(access != Access::Read).create(access == Access::Create);
        let file = options.open(path)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
    }

    pub(crate) fn remove_file(root: &Path, components: &[String]) -> io::Result<()> {
        std::fs::remove_file(guard(root, components, false)?)
    }

    pub(crate) fn remove_folder(root: &Path, components: &[String]) -> io::Result<()> {
        std::fs::remove_dir(guard(root, components, false)?)
    }

    pub(crate) fn rename_new(from: (&Path, &[String]), to: (&Path, &[String])) -> io::Result<()> {
        let from = guard(from.0, from.1, false)?;
        let to = guard(to.0, to.1, true)?;
        if to.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        std::fs::rename(from, to)
    }

    pub(crate) fn sync_folder(_root: &Path, _components: &[String]) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) use imp::{open, remove_file, remove_folder, rename_new, sync_folder};

/// Copies a file durably to a name that must be free, holes and permissions included. `buffer` holds [`crate::LARGE`]
/// bytes.
pub(crate) fn copy_new(from: (&Path, &[String]), to: (&Path, &[String]), buffer: &mut [u8]) -> io::Result<()> {
    let target = join(to.0, to.1);
    if target.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let source = open(from.0, from.1, Access::Read)?;
    let copy = open(to.0, to.1, Access::Create)?;
    let metadata = source.metadata()?;
    let copied = positional::copy_data(&source, 0..metadata.len(), &copy, 0, buffer)
        .and_then(|()| copy.set_len(metadata.len()))
        .and_then(|()| copy.set_permissions(metadata.permissions()))
        .and_then(|()| copy.sync_all());
    if let Err(error) = copied {
        drop(copy);
        // The copy is incomplete and ours; the original is still there.
        let _ = remove_file(to.0, to.1);
        return Err(error);
    }
    Ok(())
}
