//! Libraries: folders that people may look into. What they take becomes a confined torrent, made at the first demand and
//! kept; whoever may see the library may have it, so that those who take the same thing help one another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use base::{NodeId, PersonId};
use metainfo::names;
use sharing::proto::{Answer, Entry, MAX_ANSWER_LEN, MAX_ENTRIES, MAX_NAME_LEN, Request, ShareId, check_path};
use sharing::{InboxItem, InboxState, Library, Share};

use super::share::{Purpose, blocking, stamp};
use super::{LIBRARY, Sharing, SharingError};
use crate::content::ContentError;
use crate::jobs::Progress;

/// Files and folders of libraries that are hashed at a time. Arbitrary: a disk reads few things well at once.
pub(super) const MAX_HASHING: usize = 4;

/// Libraries at most. Arbitrary.
const MAX_LIBRARIES: usize = 256;

/// Torrents made for one library that are kept, at most. Arbitrary: each costs a few kilobytes, and whoever wants one that
/// gave way asks again.
const MAX_MADE: usize = 1024;

/// Entries of one folder that are looked at, at most: more would keep the disk busy for whoever asks. Arbitrary.
const MAX_FOLDER: usize = 100_000;

/// How often it is asked whether something is hashed by now. Arbitrary.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How long it is asked: a terabyte on a slow disk takes hours.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Something that is being hashed.
#[derive(Debug)]
pub(super) struct Hashing {
    progress: Progress,
    /// Why it failed; told once.
    failed: Option<String>,
}

impl Sharing {
    /// Offers a folder to look into.
    pub(crate) async fn add_library(&self, library: Library) -> Result<(), SharingError> {
        if library.name.len() > MAX_NAME_LEN || !names::travels(&library.name) {
            return Err(SharingError::Input(format!(
                "{:?} is no name for a library: choose a plain one",
                library.name
            )));
        }
        if library.audience.is_empty() {
            return Err(SharingError::Input(
                "nobody may look into it yet: name people (`to`) or groups (`groups`)".to_owned(),
            ));
        }
        let (here, replaces) = {
            let state = self.state();
            (state.libraries.len(), state.libraries.contains_key(&library.name))
        };
        if !replaces && here >= MAX_LIBRARIES {
            return Err(SharingError::Input(format!("there are {MAX_LIBRARIES} libraries already: remove one")));
        }
        self.0.store.save_library(&library).await?;
        self.state().libraries.insert(library.name.clone(), library.clone());
        // What was made for it earlier follows its audience.
        let made: Vec<_> =
            self.state().shares.values().filter(|s| s.library.as_ref() == Some(&library.name)).cloned().collect();
        for mut share in made {
            share.audience = library.audience.clone();
            self.0.store.save_share(&share).await?;
            self.state().shares.insert(share.id(), share);
        }
        self.refresh().await;
        Ok(())
    }

    /// Lists the libraries of this node.
    pub(crate) fn libraries(&self) -> Vec<Library> {
        self.state().libraries.values().cloned().collect()
    }

    /// Closes a library, and what was made for it.
    pub(crate) async fn remove_library(&self, name: &str) -> Result<(), SharingError> {
        if !self.state().libraries.contains_key(name) {
            return Err(SharingError::NotFound(format!(
                "there is no library {name:?}: `compeer library list` and GET /api/v1/libraries show them"
            )));
        }
        self.0.store.remove_library(name.to_owned()).await?;
        self.state().libraries.remove(name);
        let made: Vec<ShareId> =
            self.state().shares.values().filter(|s| s.library.as_deref() == Some(name)).map(|s| s.id()).collect();
        for id in made {
            self.unshare(id).await?;
        }
        Ok(())
    }

    /// Answers a question about our libraries.
    pub(crate) async fn serve_library(&self, node: NodeId, person: Option<PersonId>, bytes: &[u8]) -> Answer {
        let refused = |reason: &str| Answer::Refused(reason.to_owned());
        let request = match Request::decode(bytes) {
            Ok(request) => request,
            Err(error) => return Answer::Refused(error.to_string()),
        };
        // To whom nothing is offered, nothing is there.
        let Some(asker) = self.acquaintance(node, person) else { return refused("there is nothing here for you") };
        let open: BTreeMap<String, Library> = self
            .state()
            .libraries
            .iter()
            .filter(|(_, l)| self.may(asker, l))
            .map(|(n, l)| (n.clone(), l.clone()))
            .collect();
        match request {
            Request::List { path, .. } if path.is_empty() => {
                let entry = |name: &String| Entry { name: name.clone(), bytes: 0, folder: true, modified: 0 };
                Answer::Entries { entries: open.keys().map(entry).collect(), more: false }
            }
            Request::List { path, from } => {
                let Some(library) = open.get(&path[0]) else { return refused("there is no such library") };
                let folder = PathBuf::from(&library.folder);
                let listed = blocking(move || list(&folder, &path[1..], from)).await;
                listed.unwrap_or_else(|_| refused("there is no such folder"))
            }
            Request::Fetch { path } => match path.first().and_then(|name| open.get(name)) {
                Some(library) => self.fetch_of(library, path).await,
                None => refused("there is no such library"),
            },
        }
    }

    fn may(&self, person: PersonId, library: &Library) -> bool {
        let audience = &library.audience;
        let member = || audience.groups.iter().any(|group| self.0.circle.members(*group).contains(&person));
        audience.persons.contains(&person) || member()
    }

    /// Returns the notice of a file or folder, or says how far its hashing is.
    async fn fetch_of(&self, library: &Library, path: Vec<String>) -> Answer {
        let refused = |reason: &str| Answer::Refused(reason.to_owned());
        let (folder, below) = (PathBuf::from(&library.folder), path.clone());
        let found = blocking(move || {
            let at = below_folder(&folder, &below[1..])?;
            let stamp = stamp(&at);
            Ok((at, stamp))
        });
        let Ok((at, stamp)) = found.await else { return refused("there is no such file or folder") };
        let shown = at.display().to_string();
        let here = {
            let state = self.state();
            let of_it = |share: &&sharing::Share| share.library.as_ref() == Some(&library.name) && share.path == shown;
            state.shares.values().filter(of_it).cloned().collect::<Vec<_>>()
        };
        for share in here {
            if share.stamp == stamp && self.0.session.find(&share.hashes()).is_some() {
                return Answer::Share(Box::new(self.notice(&share)));
            }
            // It has changed since: those who have the old one keep it among themselves.
            let _ = self.unshare(share.id()).await;
        }
        let progress = {
            let mut state = self.state();
            match state.hashing.get(&path) {
                Some(Hashing { failed: Some(reason), .. }) => {
                    let reason = reason.clone();
                    state.hashing.remove(&path);
                    return Answer::Refused(reason);
                }
                Some(Hashing { progress, .. }) => {
                    let (done, total) = progress.bytes();
                    return Answer::Wait { done, total };
                }
                None => {}
            }
            state.hashing.retain(|_, hashing| hashing.failed.is_none());
            if state.hashing.len() >= MAX_HASHING {
                // Its turn comes when it asks again.
                return Answer::Wait { done: 0, total: 0 };
            }
            let progress = Progress::default();
            state.hashing.insert(path.clone(), Hashing { progress: progress.clone(), failed: None });
            progress
        };
        let (sharing, library) = (self.clone(), library.clone());
        tokio::spawn(async move {
            let name = library.name.clone();
            let Library { name: of, audience, .. } = library;
            let purpose = Purpose { audience, library: Some(of), ..Purpose::default() };
            let made = sharing.make(&at, purpose, stamp, progress).await;
            if let Ok((share, _)) = &made {
                sharing.settle_in(&name, share.clone()).await;
            }
            let mut state = sharing.state();
            match made {
                Ok(_) => drop(state.hashing.remove(&path)),
                Err(error) => {
                    tracing::debug!(%error, "a file of a library was not shared");
                    if let Some(hashing) = state.hashing.get_mut(&path) {
                        hashing.failed = Some("it cannot be shared now".to_owned());
                    }
                }
            }
        });
        Answer::Wait { done: 0, total: 0 }
    }

    /// Gives what was made for a library the audience that the library has now, and makes room for it.
    async fn settle_in(&self, library: &str, share: Share) {
        let now = self.state().libraries.get(library).map(|library| library.audience.clone());
        let settled = match now {
            // Closed meanwhile.
            None => self.unshare(share.id()).await,
            Some(audience) if audience != share.audience => {
                let kept = self.keep(Share { audience, ..share }).await;
                self.refresh().await;
                kept
            }
            Some(_) => Ok(()),
        };
        let mut made: Vec<(u64, ShareId)> = {
            let state = self.state();
            let of_it = state.shares.values().filter(|share| share.library.as_deref() == Some(library));
            of_it.map(|share| (share.created, share.id())).collect()
        };
        made.sort_unstable();
        for (_, id) in made.iter().take(made.len().saturating_sub(MAX_MADE)) {
            // Whoever wants it again asks again.
            let _ = self.unshare(*id).await;
        }
        if let Err(error) = settled {
            tracing::warn!(%error, "a change of a library did not reach what was made for it");
        }
    }

    /// Looks into a folder of somebody's library; all of it, a page at a time.
    pub(crate) async fn browse(&self, name: &str, path: Vec<String>) -> Result<Vec<Entry>, SharingError> {
        let mut entries = Vec::new();
        loop {
            let request = Request::List { path: path.clone(), from: entries.len() as u64 };
            match self.ask_library(name, &request).await?.1 {
                Answer::Entries { entries: page, more } => {
                    let last = !more || page.is_empty() || entries.len() >= MAX_FOLDER;
                    entries.extend(page);
                    if last {
                        return Ok(entries);
                    }
                }
                Answer::Refused(reason) => return Err(SharingError::NotFound(format!("{name} says: {reason}"))),
                _ => {
                    return Err(SharingError::Remote(format!(
                        "{name}'s node gave a strange answer: is it of another version?"
                    )));
                }
            }
        }
    }

    /// Takes a file or folder of somebody's library, into a folder or where downloads go. `progress` tells how far the
    /// other end's hashing is, while it hashes.
    pub(crate) async fn take(
        &self,
        name: &str,
        path: Vec<String>,
        folder: Option<PathBuf>,
        progress: &Progress,
    ) -> Result<ShareId, SharingError> {
        let request = Request::Fetch { path };
        let begun = tokio::time::Instant::now();
        let (sharer, notice) = loop {
            match self.ask_library(name, &request).await? {
                (sharer, Answer::Share(notice)) => break (sharer, *notice),
                (_, Answer::Wait { done, total }) => progress.set(done, total),
                (_, Answer::Refused(reason)) => return Err(SharingError::NotFound(format!("{name} says: {reason}"))),
                _ => {
                    return Err(SharingError::Remote(format!(
                        "{name}'s node gave a strange answer: is it of another version?"
                    )));
                }
            }
            if progress.is_cancelled() {
                return Err(ContentError::Cancelled.into());
            }
            if begun.elapsed() > MAX_WAIT {
                return Err(SharingError::Remote(format!(
                    "{name}'s node is not done with hashing it: try again later"
                )));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        };
        let (id, folder) = self.fetch(&notice, folder).await?;
        // Kept like what was told: so that it goes on after a restart.
        let item = InboxItem {
            sharer,
            notice,
            received: self.wall(),
            state: InboxState::Accepted,
            folder: Some(folder.display().to_string()),
        };
        self.0.store.save_item(&item).await?;
        self.state().inbox.insert((sharer, id), item);
        self.refresh().await;
        Ok(id)
    }

    /// Asks one of a person's nodes after the other.
    async fn ask_library(&self, name: &str, request: &Request) -> Result<(PersonId, Answer), SharingError> {
        let person = self.0.circle.person(name).map_err(SharingError::NotFound)?;
        let nodes = self.0.circle.nodes_of(person);
        let mut outcome = Err(SharingError::Remote(format!("no node of {name} is known: ask them for a new link")));
        for node in nodes.into_iter().filter(|node| *node != self.0.circle.own_node()) {
            match self.0.post.ask(node, LIBRARY, request.encode(), MAX_ANSWER_LEN).await {
                Ok(bytes) => match Answer::decode(&bytes) {
                    // Another of their nodes may have it.
                    Ok(Answer::Refused(reason)) => outcome = Ok((person, Answer::Refused(reason))),
                    Ok(answer) => return Ok((person, answer)),
                    Err(error) => outcome = Err(SharingError::Remote(format!("{name}'s node: {error}"))),
                },
                Err(reason) if outcome.is_err() => {
                    outcome = Err(SharingError::Remote(format!(
                        "{name} cannot be reached now ({reason}): try again when a computer of theirs is on"
                    )));
                }
                Err(_) => {}
            }
        }
        outcome
    }
}

/// Returns what lies below a folder at a path of plain names, none of which is a link.
fn below_folder(folder: &Path, path: &[String]) -> Result<PathBuf, ContentError> {
    let missing = |path: &Path| ContentError::Create(format!("{}: there is no such file or folder", path.display()));
    if !check_path(path) {
        return Err(missing(folder));
    }
    let mut at = folder.to_owned();
    for part in path {
        at.push(part);
        match std::fs::symlink_metadata(&at) {
            Ok(found) if !found.is_symlink() => {}
            _ => return Err(missing(&at)),
        }
    }
    if at.exists() { Ok(at) } else { Err(missing(&at)) }
}

/// Lists a folder: folders first, by name. What has no name that can travel, and what is neither file nor folder, is left
/// out.
fn list(folder: &Path, path: &[String], from: u64) -> Result<Answer, ContentError> {
    let at = below_folder(folder, path)?;
    let read = std::fs::read_dir(&at).map_err(|e| ContentError::Create(format!("{}: {e}", at.display())))?;
    let entry = |found: std::fs::DirEntry| {
        let name = found.file_name().into_string().ok()?;
        let about = found.metadata().ok().filter(|about| about.is_file() || about.is_dir())?;
        let modified = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.unwrap_or_default().as_secs();
        let bytes = if about.is_file() { about.len() } else { 0 };
        (name.len() <= MAX_NAME_LEN && names::travels(&name)).then_some(Entry {
            name,
            bytes,
            folder: about.is_dir(),
            modified,
        })
    };
    let mut entries: Vec<Entry> = read.filter_map(Result::ok).take(MAX_FOLDER).filter_map(entry).collect();
    entries.sort_by(|a, b| (!a.folder, &a.name).cmp(&(!b.folder, &b.name)));
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(entries.len());
    let more = entries.len() - from > MAX_ENTRIES;
    Ok(Answer::Entries { entries: entries.into_iter().skip(from).take(MAX_ENTRIES).collect(), more })
}
