//! Following what somebody else publishes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metainfo::{FileIndex, InfoHashV1, InfoHashes, Magnet, TorrentFile, UpdateLink, decode_newest};
use torrent::{Add, AddSource, State, TorrentId};

use super::{Followed, Name, RETRY, Updates, item_name, name_of};
use crate::content::path_of;

/// How often it is looked whether a new version is complete. Arbitrary.
const LOOK: Duration = Duration::from_secs(1);

impl Updates {
    /// Looks for newer versions until the torrent is removed.
    pub(super) fn begin_following(&self, link: UpdateLink) {
        let name = name_of(&link);
        let dht = self.0.session.dht();
        if dht.is_none() {
            self.say(&name, "the DHT is switched off: new versions are not heard of");
        }
        let weak = Arc::downgrade(&self.0);
        self.begin(name.clone(), async move {
            loop {
                let Some(updates) = weak.upgrade().map(Updates) else { return };
                if let Err(error) = updates.take_place(&name).await {
                    updates.say(&name, error);
                    drop(updates);
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
                drop(updates);
                let Some(dht) = &dht else { return };
                dht.ready().await;
                let Some(updates) = weak.upgrade().map(Updates) else { return };
                let mut wait = updates.0.interval;
                let Some((seq, torrent)) = updates.followed(&name) else { return };
                if updates.0.session.status(torrent).await.is_err() {
                    updates.stop_following(&name);
                    return;
                }
                match dht.get_item(item_name(&name), Some(seq)).await {
                    Ok(Some(item)) => {
                        let newest = decode_newest(item.value()).filter(|hash| *hash != torrent);
                        let seq = item.seq().unwrap_or(seq);
                        match newest {
                            Some(newest) => {
                                if let Err(error) = updates.take_up(&link, torrent, newest, seq).await {
                                    updates.say(&name, error);
                                    wait = wait.min(RETRY);
                                }
                            }
                            // The same torrent again, or something that is no version.
                            None => updates.note(&name, |entry| entry.seq = seq),
                        }
                    }
                    Ok(None) => {}
                    Err(error) => updates.say(&name, error.to_string()),
                }
                drop(updates);
                tokio::time::sleep(wait).await;
            }
        });
    }

    /// Returns number and torrent of the version that is here.
    fn followed(&self, name: &Name) -> Option<(i64, TorrentId)> {
        let list = self.list();
        let entry = list.followed.iter().find(|entry| entry.is(name))?;
        Some((entry.seq, entry.torrent.parse().ok()?))
    }

    fn stop_following(&self, name: &Name) {
        let mut list = self.list();
        list.followed.retain(|entry| !entry.is(name));
        if let Err(error) = self.save(&list) {
            tracing::warn!(%error, "what is followed could not be saved");
        }
    }

    /// Changes what is known of it, and saves that.
    fn note(&self, name: &Name, change: impl Fn(&mut Followed)) {
        let mut list = self.list();
        list.followed.iter_mut().filter(|entry| entry.is(name)).for_each(change);
        if let Err(error) = self.save(&list) {
            tracing::warn!(%error, "what is followed could not be saved");
        }
    }

    /// Fetches a version and puts it into the place of the one before. It waits in a hidden folder beside it meanwhile.
    async fn take_up(&self, link: &UpdateLink, old: TorrentId, new: InfoHashV1, seq: i64) -> Result<(), String> {
        let (name, session) = (name_of(link), &self.0.session);
        let status = session.status(old).await.map_err(|error| error.to_string())?;
        if !status.is_complete() {
            return Err("a newer version is known; it waits until the one before is complete".to_owned());
        }
        let folder = status.folder;
        let staging = folder.join(staging(new));
        self.say(&name, format!("version {seq} is being fetched"));
        match session.status(new).await {
            // Its owner has it for reasons of his own: what he keeps is neither moved nor, one version later, deleted.
            Ok(here) if here.folder != staging => {
                let place = here.folder.display();
                return Err(format!(
                    "version {seq} is here already, in {place}, and stays there: remove that torrent to have it followed"
                ));
            }
            Ok(_) => {}
            Err(_) => self.copy_old(old, &folder, &staging).await,
        }
        let mut magnet = Magnet::new(InfoHashes::v1_only(new));
        (magnet.name, magnet.trackers, magnet.peers) = (link.name.clone(), link.trackers.clone(), link.peers.clone());
        let add = Add { folder: Some(staging.clone()), ..Add::new(AddSource::Link(magnet.to_string())) };
        session.add(add).await.map_err(|error| error.to_string())?;
        self.complete(new).await?;
        self.note(&name, |entry| {
            (entry.torrent, entry.seq, entry.replaces) = (new.to_string(), seq, Some(old.to_string()));
        });
        self.take_place(&name).await
    }

    /// Puts a version into the place of the one before, if that is still to be done. Each step may have been the last
    /// one before a crash.
    async fn take_place(&self, name: &Name) -> Result<(), String> {
        let Some((seq, new)) = self.followed(name) else { return Ok(()) };
        let Some(old) = self.replaced(name) else { return Ok(()) };
        let session = &self.0.session;
        if session.status(new).await.is_ok() {
            // After a restart it is hashed again.
            self.complete(new).await?;
            if session.status(old).await.is_ok() {
                self.succeed(new, old).await;
                session.remove(old, true).await.map_err(|error| error.to_string())?;
            }
            let staged = session.status(new).await.map_err(|error| error.to_string())?.folder;
            // Otherwise it was moved already.
            if staged.ends_with(staging(new))
                && let Some(folder) = staged.parent()
            {
                session.move_to(new, folder.to_owned()).await.map_err(|error| error.to_string())?;
                // What the new version has no use for; ours alone.
                let _ = tokio::task::spawn_blocking(move || fs::remove_dir_all(staged)).await;
            }
            self.say(name, format!("version {seq} is here"));
        }
        self.note(name, |entry| entry.replaces = None);
        Ok(())
    }

    /// Returns the version whose place is still to be taken.
    fn replaced(&self, name: &Name) -> Option<TorrentId> {
        let list = self.list();
        list.followed.iter().find(|entry| entry.is(name))?.replaces.as_ref()?.parse().ok()
    }

    /// Waits until a torrent is complete.
    async fn complete(&self, id: TorrentId) -> Result<(), String> {
        loop {
            let status = self.0.session.status(id).await.map_err(|error| error.to_string())?;
            if status.is_complete() {
                return Ok(());
            }
            if let (State::Failed, Some(error)) = (status.state, status.error) {
                return Err(error);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Lays a copy of the old version where the new one will look for what it has already, file by file, marked as
    /// incomplete: what is the same is not fetched again. Without it all of it is fetched.
    async fn copy_old(&self, old: TorrentId, folder: &Path, staging: &Path) {
        let Some(suffix) = self.0.suffix.clone() else { return };
        let Ok(bytes) = self.0.session.torrent_file(old).await else { return };
        let (folder, staging) = (folder.to_owned(), staging.to_owned());
        let copied = tokio::task::spawn_blocking(move || copy_marked(&bytes, &folder, &staging, &suffix)).await;
        if let Ok(Err(error)) = copied {
            tracing::debug!(%error, "the version before cannot be copied");
        }
    }
}

/// Names the hidden folder in which a version waits.
fn staging(version: TorrentId) -> String {
    format!(".{version}.update")
}

fn copy_marked(torrent: &[u8], from: &Path, to: &Path, suffix: &str) -> io::Result<()> {
    let file = TorrentFile::from_bytes(torrent).map_err(io::Error::other)?;
    let layout = file.info.layout();
    for index in (0..layout.files().len() as u32).map(FileIndex) {
        let Some(file) = layout.file(index) else { continue };
        let source = path_of(from, &file.path);
        if !source.is_file() {
            continue;
        }
        let mut target = path_of(to, &file.path).into_os_string();
        target.push(suffix);
        let target = PathBuf::from(target);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(source, target)?;
    }
    Ok(())
}
