//! Shares that change (BEP 46): for its own the node says in the DHT which torrent is the newest; others it follows.
//!
//! Owns `updates.json` in the home. A share of this node has a key of its own, drawn when its path is first shared in this
//! way; the item that the key signs has a number that grows with every version. Invariant: the file has the new number
//! before any node of the DHT sees it. The item is stored again by the DHT for as long as the torrent is here.
//!
//! A newer version of what is followed is fetched beside the old one, beginning with a copy of it, and takes its place
//! when it is complete. Invariant: the file says so before the old one is removed, so that a restart ends what a crash
//! left undone.

mod follow;
mod publish;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use metainfo::{InfoHashV1, UpdateLink};
use net::dht::{ItemName, PublicKey, SecretKey};
use rpc::UpdatesInfo;
use serde::{Deserialize, Serialize};
use tokio::task::AbortHandle;
use torrent::{Session, TorrentId};

use crate::home::draw_secret_key;
use crate::sorting::Sorting;
use crate::{Home, NodeError};

/// How many shares are published, and how many followed, at most: each has an item in the DHT. Arbitrary.
const MAX_ENTRIES: usize = 1_000;

/// How long to wait after a failure before the DHT is asked again. Arbitrary.
const RETRY: Duration = Duration::from_secs(20);

/// `[updates]` of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpdatesConfig {
    /// How often it is looked whether there is a newer version of what is followed, in seconds.
    pub interval_s: u64,
}

impl Default for UpdatesConfig {
    fn default() -> UpdatesConfig {
        // Arbitrary: a look-up is some dozens of packets.
        UpdatesConfig { interval_s: 600 }
    }
}

impl UpdatesConfig {
    /// Says what is wrong with the settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.interval_s == 0 { Err("updates.interval_s has to be 1 or more".into()) } else { Ok(()) }
    }
}

/// The shares that change. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Updates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    home: Home,
    session: Session,
    sorting: Sorting,
    /// What is followed stays so after the end of this node.
    keeps: bool,
    interval: Duration,
    /// How the engine marks incomplete files; `None`: not by a suffix.
    suffix: Option<String>,
    list: Mutex<List>,
}

/// What `updates.json` holds, and what is only known now.
#[derive(Debug, Default)]
struct List {
    published: Vec<Published>,
    followed: Vec<Followed>,
    /// By public key and salt.
    states: BTreeMap<Name, State>,
}

type Name = ([u8; 32], Vec<u8>);

#[derive(Debug, Default)]
struct State {
    message: String,
    stored_nodes: Option<u32>,
    task: Option<AbortHandle>,
}

/// A share of this node.
#[derive(Clone, Serialize, Deserialize)]
struct Published {
    path: String,
    /// The secret key, in hexadecimal.
    secret: String,
    seq: i64,
    /// The info-hash of the newest version.
    torrent: String,
}

/// A share of somebody else.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Followed {
    link: String,
    /// Stays after the end of this node.
    keep: bool,
    seq: i64,
    torrent: String,
    /// The version before, until this one has taken its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct File {
    published: Vec<Published>,
    followed: Vec<Followed>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let list = self.list.get_mut().unwrap_or_else(PoisonError::into_inner);
        list.states.values().filter_map(|state| state.task.as_ref()).for_each(AbortHandle::abort);
    }
}

/// Leaves the secret out.
impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Published");
        shown.field("path", &self.path).field("seq", &self.seq).field("torrent", &self.torrent).finish_non_exhaustive()
    }
}

impl Published {
    fn secret(&self) -> Option<SecretKey> {
        let bytes = HEXLOWER.decode(self.secret.as_bytes()).ok()?;
        Some(SecretKey::from_bytes(&bytes.try_into().ok()?))
    }

    fn link(&self) -> Option<UpdateLink> {
        let mut link = UpdateLink::new(self.secret()?.public().0);
        link.name = Path::new(&self.path).file_name().map(|name| name.to_string_lossy().into_owned());
        Some(link)
    }
}

impl Updates {
    /// Reads what the home holds, and goes on with it. A node that ends with its command follows nothing of former times.
    pub(crate) fn start(
        home: Home,
        (session, sorting): (Session, Sorting),
        config: &UpdatesConfig,
        suffix: Option<String>,
        keeps: bool,
    ) -> Result<Updates, NodeError> {
        let file: File = home.updates()?;
        let interval = Duration::from_secs(config.interval_s);
        let list = List { published: file.published, followed: file.followed, states: BTreeMap::new() };
        let (published, followed) = (list.published.clone(), list.followed.clone());
        let list = Mutex::new(list);
        let updates = Updates(Arc::new(Inner { home, session, sorting, keeps, interval, suffix, list }));
        for entry in published.iter().filter_map(Published::link) {
            updates.begin_publishing(name_of(&entry));
        }
        for link in followed.iter().filter(|_| keeps).filter_map(|entry| entry.link.parse().ok()) {
            updates.begin_following(link);
        }
        Ok(updates)
    }

    /// Lists everything.
    pub(crate) fn all(&self) -> Vec<UpdatesInfo> {
        let list = self.list();
        let info = |link: UpdateLink, published: Option<&Published>, torrent: &str, seq| {
            let state = list.states.get(&name_of(&link));
            UpdatesInfo {
                link: link.to_string(),
                published: published.is_some(),
                path: published.map(|entry| entry.path.clone()),
                torrent: torrent.to_owned(),
                seq,
                stored_nodes: state.and_then(|state| state.stored_nodes),
                message: state.map(|state| state.message.clone()).unwrap_or_default(),
            }
        };
        let own = list.published.iter().filter_map(|e| Some(info(e.link()?, Some(e), &e.torrent, e.seq)));
        let others = list.followed.iter().filter_map(|e| Some(info(e.link.parse().ok()?, None, &e.torrent, e.seq)));
        own.chain(others).collect()
    }

    /// Says that `torrent` is the newest version of a path, and tells the DHT for as long as the torrent is here. The
    /// version before it is forgotten.
    pub(crate) async fn publish(&self, path: &Path, torrent: TorrentId) -> Result<(), NodeError> {
        let (path, torrent_text) = (path.display().to_string(), torrent.to_string());
        let (name, before) = {
            let mut list = self.list();
            let at = match list.published.iter().position(|entry| entry.path == path && entry.secret().is_some()) {
                Some(at) => at,
                None if list.published.len() >= MAX_ENTRIES => return Err(NodeError::TooManyUpdates(MAX_ENTRIES)),
                None => {
                    let secret =
                        draw_secret_key().map_err(|source| self.0.home.updates_error("draw a key for", source))?;
                    let secret = HEXLOWER.encode(&secret.to_bytes());
                    list.published.push(Published { path, secret, seq: 0, torrent: String::new() });
                    list.published.len() - 1
                }
            };
            let entry = &mut list.published[at];
            let before = std::mem::replace(&mut entry.torrent, torrent_text);
            if before != entry.torrent {
                entry.seq = entry.seq.saturating_add(1);
            }
            let changed = before != entry.torrent;
            let name = entry.link().map(|link| name_of(&link)).unwrap_or_default();
            self.save(&list)?;
            (name, before.parse::<InfoHashV1>().ok().filter(|_| changed))
        };
        if let Some(before) = before {
            self.succeed(torrent, before).await;
            // It may have been removed by its owner.
            let _ = self.0.session.remove(before, false).await;
        }
        self.begin_publishing(name);
        Ok(())
    }

    /// Sorts a version as the one before was, which is not sorted by anything any more.
    async fn succeed(&self, version: TorrentId, before: TorrentId) {
        let sorting = &self.0.sorting;
        let sorted = async {
            sorting.inherit(version, before).await?;
            sorting.forget(before).await
        };
        if let Err(error) = sorted.await {
            tracing::warn!(%error, "a new version is not sorted as the one before");
        }
    }

    /// Follows a link, of which this version is here.
    pub(crate) fn follow(&self, link: UpdateLink, torrent: TorrentId, seq: i64) -> Result<(), NodeError> {
        {
            let mut list = self.list();
            list.followed.retain(|entry| !entry.is(&name_of(&link)));
            if list.followed.len() >= MAX_ENTRIES {
                return Err(NodeError::TooManyUpdates(MAX_ENTRIES));
            }
            let (link, torrent) = (link.to_string(), torrent.to_string());
            list.followed.push(Followed { link, keep: self.0.keeps, seq, torrent, replaces: None });
            self.save(&list)?;
        }
        self.begin_following(link);
        Ok(())
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the file: some kilobytes, a few times a day.
    fn save(&self, list: &List) -> Result<(), NodeError> {
        let followed = list.followed.iter().filter(|entry| entry.keep).cloned().collect();
        self.0.home.write_updates(&File { published: list.published.clone(), followed })
    }

    fn say(&self, name: &Name, message: impl Into<String>) {
        self.list().states.entry(name.clone()).or_default().message = message.into();
    }

    /// Runs a task for a share, in place of the one that it had.
    fn begin(&self, name: Name, task: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(task).abort_handle();
        let before = self.list().states.entry(name).or_default().task.replace(task);
        if let Some(before) = before {
            before.abort();
        }
    }
}

impl Followed {
    fn is(&self, name: &Name) -> bool {
        self.link.parse::<UpdateLink>().is_ok_and(|link| name_of(&link) == *name)
    }
}

fn name_of(link: &UpdateLink) -> Name {
    (link.key, link.salt.clone())
}

fn item_name(name: &Name) -> ItemName {
    ItemName::Mutable { key: PublicKey(name.0), salt: name.1.clone().into() }
}

impl Home {
    fn updates(&self) -> Result<File, NodeError> {
        let path = self.folder().join("updates.json");
        match std::fs::read(&path) {
            // It holds keys: what cannot be read must not be overwritten.
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| self.updates_error("understand", std::io::Error::other(error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(File::default()),
            Err(error) => Err(self.updates_error("read", error)),
        }
    }

    fn write_updates(&self, file: &File) -> Result<(), NodeError> {
        let text = serde_json::to_vec_pretty(file)
            .map_err(|error| self.updates_error("write", std::io::Error::other(error)))?;
        self.replace("updates.json", &text)
    }

    fn updates_error(&self, action: &'static str, source: std::io::Error) -> NodeError {
        NodeError::File { path: self.folder().join("updates.json"), action, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_of_a_share_lacks_its_secret() {
        let secret = "5e".repeat(32);
        let share = Published { path: "/diary".into(), secret: secret.clone(), seq: 1, torrent: String::new() };
        let shown = format!("{:?}", List { published: vec![share], ..List::default() });
        assert!(shown.contains("/diary") && !shown.contains(&secret), "{shown}");
    }
}
