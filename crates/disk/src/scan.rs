//! What lies below a path that somebody wants to share, and what of it cannot travel.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use metainfo::create::SourceFile;
use metainfo::names::{Rules, safe_component};

/// How deep folders may be nested. Arbitrary; what receivers accept as a path is shorter still.
const MAX_DEPTH: usize = 100;

/// What [`scan`] found. `files` and `paths` belong together, one entry a file, in order of their paths.
#[derive(Debug)]
pub struct Scan {
    /// The name of the file or folder.
    pub name: String,
    /// The folder that it lies in: a storage opened there finds the content at `folder/name`.
    pub folder: PathBuf,
    /// The files, as [`metainfo::create::Plan::new`] wants them.
    pub files: Vec<SourceFile>,
    /// Where they lie.
    pub paths: Vec<PathBuf>,
    /// What cannot travel, to be named to the user.
    pub left_out: Vec<LeftOut>,
}

/// Something that cannot travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why something cannot travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A symbolic link: where it points may not exist elsewhere, or be more than was meant.
    Link,
    /// A device, pipe or socket.
    Special,
    /// It cannot be read: the system's words.
    Unreadable(String),
    /// Its name is not UTF-8, or receivers would have to change it.
    Name,
    /// A folder without anything in it: torrents list files only.
    EmptyFolder,
    /// Nested too deep.
    TooDeep,
}

/// Says why a path cannot be read.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is nothing of this name: check how it is written".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "it may not be read: change its permissions, or run as whose it is".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Why nothing can be shared.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The path itself cannot be read.
    #[error("cannot share {}: {}", path.display(), why(error))]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The path is neither a file nor a folder.
    #[error("cannot share {}: it is neither a file nor a folder", .0.display())]
    Special(PathBuf),
    /// The path has no name to share it under.
    #[error("cannot share {}: its name cannot be sent to others; rename it first", .0.display())]
    Name(PathBuf),
}

impl Scan {
    /// Returns how many bytes are to be shared.
    pub fn total_length(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Reason::Link => write!(f, "{path}: a symbolic link"),
            Reason::Special => write!(f, "{path}: a device, pipe or socket"),
            Reason::Unreadable(error) => write!(f, "{path}: {error}"),
            Reason::Name => write!(f, "{path}: others cannot store a file of this name"),
            Reason::EmptyFolder => write!(f, "{path}: an empty folder"),
            Reason::TooDeep => write!(f, "{path}: folders nested too deep"),
        }
    }
}

/// Looks through the file or folder at `path`. A link at `path` itself is followed, none below it.
pub fn scan(path: &Path) -> Result<Scan, ScanError> {
    let unreadable = |error| ScanError::Unreadable { path: path.to_owned(), error };
    let root = path.canonicalize().map_err(unreadable)?;
    let metadata = root.metadata().map_err(unreadable)?;
    let name = root.file_name().and_then(|name| sendable(name.as_encoded_bytes()));
    let (Some(name), Some(folder)) = (name, root.parent()) else { return Err(ScanError::Name(path.to_owned())) };
    let mut scan = Scan { name, folder: folder.to_owned(), files: Vec::new(), paths: Vec::new(), left_out: Vec::new() };
    if metadata.is_file() {
        File::open(&root).map_err(unreadable)?;
        scan.take(root, &metadata, Vec::new());
    } else if metadata.is_dir() {
        fs::read_dir(&root).map_err(unreadable)?;
        scan.walk(&root, &mut Vec::new());
    } else {
        return Err(ScanError::Special(path.to_owned()));
    }
    Ok(scan)
}

impl Scan {
    fn walk(&mut self, folder: &Path, components: &mut Vec<String>) {
        let listed = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => return self.leave_out(folder, Reason::Unreadable(error.to_string())),
        };
        if entries.is_empty() {
            return self.leave_out(folder, Reason::EmptyFolder);
        }
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.leave_out(&path, Reason::Unreadable(error.to_string()));
                    continue;
                }
            };
            let Some(name) = sendable(entry.file_name().as_encoded_bytes()) else {
                self.leave_out(&path, Reason::Name);
                continue;
            };
            components.push(name);
            if metadata.is_symlink() {
                self.leave_out(&path, Reason::Link);
            } else if metadata.is_dir() && components.len() >= MAX_DEPTH {
                self.leave_out(&path, Reason::TooDeep);
            } else if metadata.is_dir() {
                self.walk(&path, components);
            } else if !metadata.is_file() {
                self.leave_out(&path, Reason::Special);
            } else if let Err(error) = File::open(&path) {
                self.leave_out(&path, Reason::Unreadable(error.to_string()));
            } else {
                self.take(path, &metadata, components.clone());
            }
            components.pop();
        }
    }

    fn take(&mut self, path: PathBuf, metadata: &Metadata, components: Vec<String>) {
        self.files.push(SourceFile { path: components, length: metadata.len(), executable: is_executable(metadata) });
        self.paths.push(path);
    }

    fn leave_out(&mut self, path: &Path, reason: Reason) {
        self.left_out.push(LeftOut { path: path.to_owned(), reason });
    }
}

/// Returns a name that arrives as it is; `None` for any other.
fn sendable(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    safe_component(name.as_bytes(), Rules::native()).ok().filter(|safe| safe == name)
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_cannot_travel_is_named() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("tree");
        fs::create_dir_all(root.join("b/empty")).unwrap();
        fs::write(root.join("b/run"), "#!").unwrap();
        fs::set_permissions(root.join("b/run"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(root.join("a"), "").unwrap();
        fs::write(root.join("Foo::Bar.3pm"), "man").unwrap();
        symlink("a", root.join("link")).unwrap();
        fs::write(root.join(std::ffi::OsStr::from_bytes(b"latin\xe9")), "x").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let scan = scan(&root).unwrap();
        assert_eq!((&*scan.name, &*scan.folder), ("tree", &*home.path().canonicalize().unwrap()));
        let files: Vec<_> = scan.files.iter().map(|f| (f.path.join("/"), f.length, f.executable)).collect();
        let expected = [("Foo::Bar.3pm", 3, false), ("a", 0, false), ("b/run", 2, true)];
        assert_eq!(files, expected.map(|(path, length, executable)| (path.to_owned(), length, executable)));
        let left_out: Vec<_> = scan.left_out.iter().map(|l| l.reason.clone()).collect();
        assert_eq!(left_out, [Reason::EmptyFolder, Reason::Name, Reason::Link, Reason::Special]);
        assert!(scan.left_out[2].to_string().ends_with("tree/link: a symbolic link"));
    }

    #[test]
    fn a_single_file_and_what_is_none() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("f");
        fs::write(&file, "123").unwrap();
        symlink(&file, home.path().join("alias")).unwrap();
        let scanned = scan(&home.path().join("alias")).unwrap();
        assert_eq!((&*scanned.name, scanned.total_length(), scanned.files[0].path.len()), ("f", 3, 0));
        let error = scan(&home.path().join("nothing")).unwrap_err().to_string();
        assert!(error.contains("nothing"), "{error}");
        assert!(matches!(scan(Path::new("/")), Err(ScanError::Name(_))));
        assert!(matches!(scan(Path::new("/dev/null")), Err(ScanError::Special(_))));
    }
}
