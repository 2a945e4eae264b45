//! The watch folder: a torrent file or a link that is put there is taken up.
//!
//! A file is read when it did not change between two looks, so that one that is still being written is left alone. What
//! was taken up goes to `added/` in the folder; what cannot be goes to `bad/`, with the reason in a text beside it. The
//! folder is looked through now and then, which also works where a file system tells of no changes (NFS, SMB).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use metainfo::Magnet;
use serde::Deserialize;
use tokio::task::JoinHandle;
use torrent::{Add, AddError, AddSource, Session};

use crate::controls::Controls;
use crate::server::MAX_BODY_BYTES;

/// How often the folder is looked through. Arbitrary: soon for a person, nothing for a disk.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How many entries of the folder are looked at, and how many files are taken up at one look. Arbitrary.
const MAX_ENTRIES: usize = 10_000;
const MAX_AT_ONCE: usize = 100;

/// The longest file with a link. Arbitrary: a magnet with hundreds of trackers.
const MAX_LINK_BYTES: u64 = 64 << 10;

/// How often another name is tried for a file whose own is taken. Arbitrary.
const MAX_NAMES: u32 = 1_000;

/// `[watch]` of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchConfig {
    /// The folder; absent: none is watched.
    pub folder: Option<PathBuf>,
    /// Where content goes; by default where all downloads go.
    pub into: Option<PathBuf>,
    /// Do not begin what is taken up.
    pub paused: bool,
}

impl WatchConfig {
    /// Says what is wrong with the settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, path) in [("watch.folder", &self.folder), ("watch.into", &self.into)] {
            if path.as_ref().is_some_and(|path| !path.is_absolute()) {
                return Err(format!("{name} has to be an absolute path"));
            }
        }
        Ok(())
    }
}

/// What a file was when it was looked at.
type Stamp = (Option<SystemTime>, u64);

/// A file that is to be taken up: what is in it, or why that is nothing.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    stamp: Stamp,
    content: Result<AddSource, String>,
}

/// What the last look saw.
#[derive(Debug, Default)]
struct Seen {
    files: BTreeMap<PathBuf, Stamp>,
    /// Files that were dealt with and could not be moved out of the way.
    stuck: BTreeMap<PathBuf, Stamp>,
    /// What was said last about the folder itself.
    failure: Option<String>,
}

/// Spawns the task that looks; it ends with its handle.
pub(crate) fn start(session: Session, controls: Controls) -> JoinHandle<()> {
    tokio::spawn(follow(session, controls))
}

async fn follow(session: Session, controls: Controls) {
    let mut changes = controls.applied();
    let mut config = controls.shown().config;
    let mut seen = Seen::default();
    loop {
        tokio::select! {
            // The controls are held by ourselves.
            _ = changes.changed() => {
                config = controls.shown().config;
                continue;
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let Some(folder) = config.watch.folder.clone() else { continue };
        let looked = tokio::task::spawn_blocking(move || {
            let found = seen.look(&folder);
            (seen, found)
        });
        let Ok((new, found)) = looked.await else { return };
        seen = new;
        for found in found {
            let reason = match found.content {
                Ok(source) => match take_up(&session, &config, source).await {
                    Ok(()) => None,
                    Err(Refusal::File(reason)) => Some(reason),
                    Err(Refusal::Node(reason)) => {
                        tracing::warn!(file = %found.path.display(), %reason, "not taken up; tried again");
                        continue;
                    }
                },
                Err(reason) => Some(reason),
            };
            match &reason {
                None => tracing::info!(file = %found.path.display(), "taken up from the watch folder"),
                Some(reason) => tracing::warn!(file = %found.path.display(), %reason, "not taken up: moved to bad/"),
            }
            let path = found.path.clone();
            let moved = tokio::task::spawn_blocking(move || move_away(&path, reason.as_deref()));
            if let Ok(Err(error)) = moved.await {
                tracing::warn!(file = %found.path.display(), %error, "cannot be moved out of the watch folder");
                seen.stuck.insert(found.path, found.stamp);
            }
        }
    }
}

/// Why something was not taken up.
enum Refusal {
    /// It is the file's fault.
    File(String),
    /// It is not.
    Node(String),
}

async fn take_up(session: &Session, config: &crate::Config, source: AddSource) -> Result<(), Refusal> {
    let mut add = Add::new(source);
    add.folder.clone_from(&config.watch.into);
    add.paused = config.watch.paused;
    add.goal = config.seed_goal();
    match session.add(add).await {
        // Where it is already is where it stays.
        Ok(_) | Err(AddError::OtherFolder { .. }) => Ok(()),
        Err(error @ (AddError::Database(_) | AddError::ShuttingDown | AddError::Fetch { .. })) => {
            Err(Refusal::Node(error.to_string()))
        }
        Err(error @ (AddError::Source { .. } | AddError::Hint(_) | AddError::OtherAudience(_))) => {
            Err(Refusal::File(error.to_string()))
        }
    }
}

impl Seen {
    /// Looks through a folder; returns what can be taken up.
    fn look(&mut self, folder: &Path) -> Vec<Found> {
        let files = match list(folder) {
            Ok(files) => files,
            Err(error) => {
                let words = error.to_string();
                if self.failure.as_ref() != Some(&words) {
                    tracing::warn!(folder = %folder.display(), %error, "the watch folder cannot be read");
                    self.failure = Some(words);
                }
                return Vec::new();
            }
        };
        self.failure = None;
        self.stuck.retain(|path, stamp| files.get(path) == Some(stamp));
        let settled = |(path, stamp): &(&PathBuf, &Stamp)| {
            // An empty file is about to be written.
            stamp.1 > 0 && self.files.get(*path) == Some(*stamp) && !self.stuck.contains_key(*path)
        };
        let ready = files.iter().filter(settled).take(MAX_AT_ONCE);
        let found =
            ready.map(|(path, stamp)| Found { path: path.clone(), stamp: *stamp, content: read(path) }).collect();
        self.files = files;
        found
    }
}

/// Lists the files that are meant.
fn list(folder: &Path) -> io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)?.take(MAX_ENTRIES) {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden || kind(&path).is_none() {
            continue;
        }
        // One that is gone again is of no interest, nor is what would never end (a pipe).
        if let Ok(data) = fs::metadata(&path)
            && data.is_file()
        {
            files.insert(path, (data.modified().ok(), data.len()));
        }
    }
    Ok(files)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Torrent,
    Magnet,
}

fn kind(path: &Path) -> Option<Kind> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "torrent" => Some(Kind::Torrent),
        "magnet" => Some(Kind::Magnet),
        _ => None,
    }
}

/// Reads a file. The error is one sentence about what is in it.
fn read(path: &Path) -> Result<AddSource, String> {
    let most = match kind(path) {
        Some(Kind::Magnet) => MAX_LINK_BYTES,
        _ => MAX_BODY_BYTES as u64,
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("it is longer than {}", base::units::format_bytes(most)));
    }
    if kind(path) != Some(Kind::Magnet) {
        return Ok(AddSource::File(bytes.into()));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).filter(|line| !line.is_empty());
    let link = lines.next().ok_or("it has no link")?;
    if lines.next().is_some() {
        return Err("it has more than one line: one magnet link belongs into a file".to_owned());
    }
    link.parse::<Magnet>().map_err(|error| format!("its line is no magnet link: {error}"))?;
    Ok(AddSource::Link(link.to_owned()))
}

/// Moves a file to `added/`, or with a reason to `bad/`.
fn move_away(path: &Path, reason: Option<&str>) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("it has no name"));
    };
    let to = folder.join(if reason.is_some() { "bad" } else { "added" });
    fs::create_dir_all(&to)?;
    let to = free(&to, &name.to_string_lossy())?;
    fs::rename(path, &to)?;
    if let Some(reason) = reason {
        let mut text = to.into_os_string();
        text.push(".txt");
        fs::write(text, format!("{reason}\n"))?;
    }
    Ok(())
}

/// Returns a path in a folder at which nothing lies.
fn free(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let numbered = (2..=MAX_NAMES).map(|number| format!("{stem} ({number}).{extension}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered).map(|name| folder.join(name));
    let taken = || io::Error::new(io::ErrorKind::AlreadyExists, format!("{MAX_NAMES} files are called {name} already"));
    names.find(|path| path.symlink_metadata().is_err()).ok_or_else(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "magnet:?xt=urn:btih:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36";

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_taken_when_it_does_not_change_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::default();
        for name in ["a.magnet", "b.MAGNET", ".c.magnet", "d.magnet.tmp", "notes.txt"] {
            fs::write(folder.path().join(name), LINK).unwrap();
        }
        fs::create_dir(folder.path().join("e.torrent")).unwrap();
        fs::write(folder.path().join("f.torrent"), "").unwrap();
        assert!(seen.look(folder.path()).is_empty());
        fs::write(folder.path().join("b.MAGNET"), format!("{LINK}&dn=more")).unwrap();
        let found = seen.look(folder.path());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].path.ends_with("a.magnet") && found[0].content.is_ok());
        assert_eq!(seen.look(folder.path()).len(), 2);
        // What cannot be moved is not taken up again and again, until it changes.
        seen.stuck.insert(found[0].path.clone(), found[0].stamp);
        assert_eq!(seen.look(folder.path()).len(), 1);
        fs::write(&found[0].path, format!("{LINK}&dn=changed")).unwrap();
        seen.look(folder.path());
        assert_eq!(seen.look(folder.path()).len(), 2);
    }

    #[test]
    fn what_is_no_link_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.magnet");
        for (bytes, words) in [
            (b"\n \n".to_vec(), "no link"),
            (b"\xff\xfe".to_vec(), "no text"),
            (b"https://example.org/x.torrent".to_vec(), "no magnet link"),
            (format!("{LINK}\n{LINK}").into_bytes(), "more than one line"),
            (vec![b'x'; 70_000], "longer than 64.0 KiB"),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = read(&path).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        fs::write(&path, format!("\u{feff}\r\n {LINK} \r\n")).unwrap();
        assert!(matches!(read(&path), Ok(AddSource::Link(link)) if link == LINK));
    }

    #[test]
    fn what_was_dealt_with_is_moved_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.torrent");
        for _ in 0..2 {
            fs::write(&path, "x").unwrap();
            move_away(&path, None).unwrap();
            fs::write(&path, "x").unwrap();
            move_away(&path, Some("it is no torrent")).unwrap();
        }
        assert_eq!(names(folder.path()), ["added", "bad"]);
        assert_eq!(names(&folder.path().join("added")), ["x (2).torrent", "x.torrent"]);
        let bad = ["x (2).torrent", "x (2).torrent.txt", "x.torrent", "x.torrent.txt"];
        assert_eq!(names(&folder.path().join("bad")), bad);
        assert_eq!(fs::read_to_string(folder.path().join("bad/x.torrent.txt")).unwrap(), "it is no torrent\n");
    }

    #[test]
    fn a_folder_that_is_missing_is_said_once() {
        let mut seen = Seen::default();
        assert!(seen.look(Path::new("/nowhere/at/all")).is_empty() && seen.failure.is_some());
    }
}
