//! What this node shares: making a confined torrent, keeping its audience, telling people.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use base::NodeId;
use metainfo::{TorrentFile, create};
use sharing::proto::{
    Audience, Delivery, Input, MAX_HINTED, MAX_HINTS, MAX_MEMBERS, MAX_NODES, MAX_NOTE_LEN, Notice, Outcome, Receipt,
    ShareId,
};
use sharing::{Attached, Share};
use torrent::{Add, AddSource};

use super::{NOTICE, Sharing, SharingError, outcome_of};
use crate::content::{self, ContentError};
use crate::jobs::Progress;

/// Bytes of a receipt at most.
const MAX_RECEIPT_LEN: usize = 16;

/// How long those who were told of a share are told that it is over. Arbitrary: whoever is away for longer finds nobody who
/// has it.
const PARTING: Duration = Duration::from_secs(30 * 24 * 3600);

/// A share and whom it reached.
#[derive(Clone, Debug)]
pub(crate) struct ShareView {
    pub(crate) share: Share,
    /// Nodes that know of it, and nodes that shall.
    pub(crate) told: (usize, usize),
}

/// What a share is made for.
#[derive(Debug, Default)]
pub(super) struct Purpose {
    pub(super) audience: Audience,
    pub(super) note: Option<String>,
    pub(super) library: Option<String>,
    pub(super) attached: Option<Attached>,
}

impl Sharing {
    /// Finds people and groups by their names.
    pub(crate) fn audience(&self, to: &[String], groups: &[String]) -> Result<Audience, SharingError> {
        let mut audience = Audience::default();
        for name in to {
            audience.persons.insert(self.0.circle.person(name).map_err(SharingError::NotFound)?);
        }
        for name in groups {
            audience.groups.insert(self.0.circle.group(name).map_err(SharingError::NotFound)?);
        }
        if audience.len() > MAX_MEMBERS {
            return Err(SharingError::Input(format!(
                "at most {MAX_MEMBERS} people and groups can be named: make a group"
            )));
        }
        Ok(audience)
    }

    /// Shares a file or folder with people, and tells them. What is shared already, and has not changed, is not hashed
    /// again: its audience grows.
    pub(crate) async fn share(
        &self,
        path: &Path,
        audience: Audience,
        note: Option<String>,
        progress: Progress,
    ) -> Result<(Share, Vec<(String, String)>), SharingError> {
        if note.as_ref().is_some_and(|note| note.len() > MAX_NOTE_LEN) {
            return Err(SharingError::Input(format!("a remark has at most {MAX_NOTE_LEN} bytes: write less")));
        }
        let shown = path.display().to_string();
        let (at, stamped) = (path.to_owned(), path.to_owned());
        let stamp = blocking(move || Ok(stamp(&stamped))).await?;
        let known = {
            let state = self.state();
            let same = |share: &&Share| is_plain(share) && share.path == shown && share.stamp == stamp;
            state.shares.values().find(same).cloned()
        };
        if let Some(mut share) = known.filter(|share| self.0.session.find(&share.hashes()).is_some()) {
            share.audience.persons.extend(audience.persons);
            share.audience.groups.extend(audience.groups);
            share.note = note.or(share.note);
            self.keep(share.clone()).await?;
            // Whoever shares it wants it to run.
            self.0.session.resume(share.id()).await?;
            self.refresh().await;
            return Ok((share, Vec::new()));
        }
        let purpose = Purpose { audience, note, ..Purpose::default() };
        let (share, skipped) = self.make(&at, purpose, stamp, progress).await?;
        Ok((share, skipped))
    }

    /// Hashes something into a confined torrent, takes it up and stores whom it is for.
    pub(super) async fn make(
        &self,
        path: &Path,
        purpose: Purpose,
        stamp: String,
        progress: Progress,
    ) -> Result<(Share, Vec<(String, String)>), SharingError> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|error| SharingError::Input(format!("no random bytes: {error}")))?;
        let options = create::Options {
            mode: create::Mode::V2,
            // For those who take it up by other ways: BEP 27 keeps well-behaved programs from telling the world.
            private: true,
            salt: Some(salt),
            ..create::Options::default()
        };
        let (hashed, cancelled) = (path.to_owned(), progress.clone());
        let threads = Some(self.0.session.check_threads());
        let created = blocking(move || content::create(&hashed, options, threads, &progress)).await?;
        if cancelled.is_cancelled() {
            return Err(ContentError::Cancelled.into());
        }
        let share = self.describe(path, &created.torrent, purpose, stamp)?;
        // Stored first: a torrent that nobody knows the audience of would be dead.
        self.keep(share.clone()).await?;
        let add = Add {
            folder: Some(created.folder),
            have_all: true,
            confined: true,
            ..Add::new(AddSource::File(created.torrent.to_bytes().into()))
        };
        if let Err(error) = self.0.session.add(add).await {
            self.forget(share.id()).await;
            return Err(error.into());
        }
        self.refresh().await;
        Ok((share, created.skipped))
    }

    fn describe(
        &self,
        path: &Path,
        torrent: &TorrentFile,
        purpose: Purpose,
        stamp: String,
    ) -> Result<Share, SharingError> {
        let Purpose { audience, note, library, attached } = purpose;
        let layout = torrent.info.layout();
        let hash = torrent
            .hashes()
            .v2()
            .ok_or_else(|| SharingError::Input("the torrent has no v2 hash: share its files anew".to_owned()))?;
        Ok(Share {
            hash,
            name: torrent.info.name().to_owned(),
            bytes: layout.total_length(),
            files: layout.files().len() as u32,
            path: path.display().to_string(),
            audience,
            note,
            version: 0,
            created: self.wall(),
            library,
            stamp,
            nodes: Vec::new(),
            withdrawn: None,
            attached,
        })
    }

    /// Lists what is shared by itself; with `libraries` also what was made for libraries.
    pub(crate) fn shares(&self, libraries: bool) -> Vec<ShareView> {
        let state = self.state();
        let wanted = |share: &&Share| share.withdrawn.is_none() && (libraries || share.library.is_none());
        let wanted = state.shares.values().filter(wanted);
        wanted.map(|share| ShareView { share: share.clone(), told: state.outbox.told(share.id()) }).collect()
    }

    /// Shares it no longer, and tells those who were told of it; the content stays where it is.
    pub(crate) async fn unshare(&self, id: ShareId) -> Result<(), SharingError> {
        let share = self.state().shares.get(&id).filter(|share| share.withdrawn.is_none()).cloned();
        let none = || format!("nothing is shared as {id}: `compeer share --list` and GET /api/v1/shares show what is");
        let share = share.ok_or_else(|| SharingError::NotFound(none()))?;
        self.remove(id).await;
        self.withdraw(share).await
    }

    /// Removes its torrent, which may be gone already. The content stays where it is.
    pub(super) async fn remove(&self, id: ShareId) {
        let _ = self.0.session.remove(id, false).await;
        if let Err(error) = self.0.sorting.forget(id).await {
            tracing::warn!(%error, "by what a torrent was sorted is not forgotten");
        }
    }

    /// Notes that a share is over. Of one that belonged to a library nobody was told.
    pub(super) async fn withdraw(&self, share: Share) -> Result<(), SharingError> {
        if share.library.is_some() || is_unsaid(&share) {
            self.forget(share.id()).await;
            return Ok(());
        }
        if share.attached.is_some() {
            self.note_heard(&share).await?;
        }
        let version = share.version + 1;
        self.keep(Share { withdrawn: Some(self.wall()), version, nodes: Vec::new(), ..share }).await?;
        self.0.changed.notify_one();
        Ok(())
    }

    /// Tells those who were told of a share that it is over, and forgets it when they know.
    fn part(&self, share: &Share, since: u64) -> bool {
        let id = share.id();
        let mut state = self.state();
        let mut told = state.told.get(&id).cloned().unwrap_or_default();
        told.retain(|node, _| !self.0.circle.is_refused(*node));
        let (know, lack): (Vec<_>, Vec<_>) = told.into_iter().partition(|(_, version)| *version >= share.version);
        if lack.is_empty() || self.wall() > since.saturating_add(PARTING.as_secs()) {
            return false;
        }
        let only = |list: Vec<(NodeId, u64)>| list.into_iter().map(|(node, _)| node).collect::<Vec<_>>();
        let (delivered, mut nodes) = (only(know), only(lack));
        nodes.extend(&delivered);
        state.outbox.handle(self.0.clock.now(), Input::Tell { share: id, version: share.version, nodes, delivered });
        drop(state);
        self.0.woken.notify_one();
        true
    }

    pub(super) async fn keep(&self, share: Share) -> Result<(), SharingError> {
        self.0.store.save_share(&share).await?;
        self.state().shares.insert(share.id(), share);
        Ok(())
    }

    pub(super) async fn forget(&self, id: ShareId) {
        {
            let now = self.0.clock.now();
            let mut state = self.state();
            state.shares.remove(&id);
            state.told.remove(&id);
            state.outbox.handle(now, Input::Forget(id));
        }
        if let Err(error) = self.0.store.remove_share(id).await {
            tracing::warn!(%error, "that something is no longer shared is not stored: a restart finds it again");
        }
        self.0.changed.notify_one();
    }

    /// Admits the nodes of the people that a share is for, and tells them when that changed.
    pub(super) async fn refresh_share(&self, mut share: Share) {
        let id = share.id();
        if let Some(since) = share.withdrawn {
            if !self.part(&share, since) {
                self.forget(id).await;
            }
            return;
        }
        if self.0.session.find(&share.hashes()).is_none() {
            // The user removed the torrent.
            if self.state().shares.contains_key(&id)
                && share.version > 0
                && let Err(error) = self.withdraw(share).await
            {
                tracing::warn!(%error, "that something is no longer shared is not stored");
            }
            return;
        }
        let nodes = self.nodes_for(&share.audience);
        self.admit(id, nodes.iter().copied()).await;
        let listed: Vec<NodeId> = std::iter::once(self.0.circle.own_node()).chain(nodes).take(MAX_NODES).collect();
        let is_new = listed != share.nodes || share.version == 0;
        {
            let mut state = self.state();
            let Some(current) = state.shares.get_mut(&id) else { return };
            if current.audience != share.audience || current.withdrawn.is_some() {
                // Whom it is for changed meanwhile.
                drop(state);
                self.0.changed.notify_one();
                return;
            }
            if is_new {
                (current.nodes, current.version) = (listed, current.version + 1);
            }
            share = current.clone();
        }
        if is_new && let Err(error) = self.0.store.save_share(&share).await {
            tracing::warn!(%error, "a change of a share is not stored");
        }
        if !is_plain(&share) {
            // Whoever fetches it asked for it, or hears of it by its message and knows who is in the conversation.
            return;
        }
        let own = self.0.circle.own_node();
        let now = self.0.clock.now();
        let mut state = self.state();
        let told = state.told.get(&id);
        let has =
            |node: &&NodeId| told.and_then(|told| told.get(*node)).is_some_and(|version| *version == share.version);
        let delivered = share.nodes.iter().filter(has).copied().collect();
        let nodes = share.nodes.iter().filter(|node| **node != own).copied().collect();
        state.outbox.handle(now, Input::Tell { share: id, version: share.version, nodes, delivered });
        drop(state);
        self.0.woken.notify_one();
    }

    /// Returns the nodes of the people in an audience, each once, in order, without our own.
    pub(super) fn nodes_for(&self, audience: &Audience) -> Vec<NodeId> {
        let circle = &self.0.circle;
        let members = audience.groups.iter().flat_map(|group| circle.members(*group));
        let persons = audience.persons.iter().copied().chain(members);
        let nodes: BTreeSet<NodeId> = persons.flat_map(|person| circle.nodes_of(person)).collect();
        nodes.into_iter().filter(|node| *node != circle.own_node() && !circle.is_refused(*node)).collect()
    }

    /// Writes the notice of a share.
    pub(super) fn notice(&self, share: &Share) -> Notice {
        let mut groups = share.audience.groups.iter();
        let group = groups.next().copied().filter(|_| groups.next().is_none() && share.audience.persons.is_empty());
        let circle = &self.0.circle;
        let hints_of = |node: &NodeId| (*node, circle.hints(*node).into_iter().take(MAX_HINTS).collect::<Vec<_>>());
        let hints = share.nodes.iter().map(hints_of);
        Notice {
            hash: share.hash,
            name: share.name.clone(),
            bytes: share.bytes,
            files: share.files,
            note: share.note.clone(),
            group,
            version: share.version,
            nodes: share.nodes.clone(),
            hints: hints.filter(|(_, hints)| !hints.is_empty()).take(MAX_HINTED).collect(),
            withdrawn: share.withdrawn.is_some(),
            attached: share.attached.is_some(),
        }
    }

    /// Tells one node of one share.
    pub(super) async fn deliver(&self, delivery: Delivery) -> Outcome {
        let share = self.state().shares.get(&delivery.share).filter(|share| share.version == delivery.version).cloned();
        // A newer one is on its way, or none any more.
        let Some(share) = share else { return Outcome::Failed };
        let request = self.notice(&share).encode();
        match self.0.post.ask(delivery.node, NOTICE, request, MAX_RECEIPT_LEN).await {
            Ok(answer) => outcome_of(Receipt::decode(&answer)),
            Err(reason) => {
                tracing::debug!(node = ?delivery.node, %reason, "a notice was not delivered");
                Outcome::Failed
            }
        }
    }
}

/// Whether something is shared by itself.
fn is_plain(share: &Share) -> bool {
    share.library.is_none() && share.attached.is_none()
}

/// Whether it goes with a message that is not written yet: nobody knows of it.
pub(super) fn is_unsaid(share: &Share) -> bool {
    share.attached.as_ref().is_some_and(|attached| attached.message.is_none())
}

/// Says what the content is like, without reading it: the number of files, their bytes and the newest change.
pub(super) fn stamp(path: &Path) -> String {
    let Ok(scan) = disk::scan(path) else { return String::new() };
    let times = scan.paths.iter().filter_map(|path| std::fs::metadata(path).ok()?.modified().ok());
    let newest = times.filter_map(|time| time.duration_since(UNIX_EPOCH).ok()).max().unwrap_or_default();
    format!("{} {} {}", scan.files.len(), scan.total_length(), newest.as_nanos())
}

/// Runs work that blocks on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ContentError> + Send + 'static,
) -> Result<T, SharingError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(SharingError::Input(format!("the work ended early: {error}; try again"))),
    }
}

/// Makes a path absolute and free of links.
pub(crate) fn resolved(path: &str) -> Result<PathBuf, SharingError> {
    let path = PathBuf::from(path);
    if !path.is_absolute() {
        return Err(SharingError::Input(format!("{} is no absolute path: write it from the root", path.display())));
    }
    path.canonicalize().map_err(|error| {
        SharingError::Input(format!("{}: cannot read it: {error}; check the path and who may read it", path.display()))
    })
}
