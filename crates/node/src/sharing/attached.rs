//! What goes with messages: made for a conversation, told of by the message alone, taken up from there.
//!
//! Invariant: nobody hears of it before the message is written. Who may have it follows the people without a word, since all
//! in a conversation know who is in it; that it is over is told as of any share.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base::{GroupId, NodeId, PersonId};
use chat::proto::{Conversation, MAX_ATTACHMENT_NOTICE, MessageId};
use chat::{Attachment, Doing, SwarmId, Swarms};
use data_encoding::HEXLOWER;
use metainfo::{InfoHashV1, InfoHashes};
use sharing::proto::{Audience, Notice, ShareId, folder_for};
use sharing::{Attached, InboxItem, InboxState, Share};

use super::share::{Purpose, blocking, stamp};
use super::{Sharing, SharingError};
use crate::content::ContentError;
use crate::jobs::Progress;

/// Nodes in the notice that a message brings, at most: 8 KiB of [`MAX_ATTACHMENT_NOTICE`]. Those who take it up know the
/// nodes of the people in the conversation themselves.
const MAX_NODES: usize = 256;

/// Nodes that this notice says the whereabouts of, at most: 17 KiB at worst.
const MAX_HINTED: usize = 16;

/// Something that waits for its message.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) share: Share,
    /// What the message brings.
    pub(crate) notice: Vec<u8>,
    /// What was left out, and why.
    pub(crate) skipped: Vec<(String, String)>,
}

impl Sharing {
    /// Checks that something can be sent in a conversation of `me`, and returns for whom it is: the user's other nodes have
    /// it as well.
    pub(crate) fn audience_of(&self, me: PersonId, of: &Conversation) -> Result<Audience, SharingError> {
        let mut audience = Audience::default();
        match of {
            Conversation::Direct(one, other) => {
                audience.persons.extend([*one, *other]);
                let partner = of.partner(me).unwrap_or(me);
                if self.0.circle.person_name(partner).is_none() {
                    return Err(SharingError::Input(
                        "files go to contacts and to members of your groups: add this person as a contact first"
                            .to_owned(),
                    ));
                }
            }
            Conversation::Room(group, _) => drop(audience.groups.insert(*group)),
        }
        Ok(audience)
    }

    /// Hashes a file or folder that is to go with a message. It is not copied. The end is [`Sharing::said`] or
    /// [`Sharing::unsay`].
    pub(crate) async fn attach(
        &self,
        path: &Path,
        audience: Audience,
        of: &Conversation,
        progress: Progress,
    ) -> Result<Offer, SharingError> {
        let stamped = path.to_owned();
        let stamp = blocking(move || Ok(stamp(&stamped))).await?;
        let attached = Some(Attached { conversation: HEXLOWER.encode(&of.encode()), message: None });
        let purpose = Purpose { audience, attached, ..Purpose::default() };
        let (share, skipped) = self.make(path, purpose, stamp, progress.clone()).await?;
        // As the people are by now.
        let share = self.state().shares.get(&share.id()).cloned().unwrap_or(share);
        let mut notice = self.notice(&share);
        notice.nodes.truncate(MAX_NODES);
        notice.hints.truncate(MAX_HINTED);
        let notice = notice.encode();
        let failure = if progress.is_cancelled() {
            Some(ContentError::Cancelled.into())
        } else if notice.len() > MAX_ATTACHMENT_NOTICE {
            Some(SharingError::Input(
                "what it takes to fetch it is too long for a message: share it beside the conversation".to_owned(),
            ))
        } else {
            None
        };
        match failure {
            Some(failure) => {
                self.unsay(share.id()).await;
                Err(failure)
            }
            None => Ok(Offer { share, notice, skipped }),
        }
    }

    /// Notes which message something goes with.
    pub(crate) async fn said(&self, id: ShareId, message: MessageId) -> Result<(), SharingError> {
        let share = {
            let mut state = self.state();
            state.unsaid.remove(&id);
            let Some(share) = state.shares.get_mut(&id) else { return Ok(()) };
            let Some(attached) = &mut share.attached else { return Ok(()) };
            attached.message = Some(message.to_string());
            share.clone()
        };
        Ok(self.0.store.save_share(&share).await?)
    }

    /// Notes that those who may have what went with a message heard of it, by that: so that they are told of its end.
    pub(super) async fn note_heard(&self, share: &Share) -> Result<(), SharingError> {
        let own = self.0.circle.own_node();
        for node in share.nodes.iter().filter(|node| **node != own) {
            self.0.store.save_told(share.id(), *node, share.version).await?;
            self.state().told.entry(share.id()).or_default().insert(*node, share.version);
        }
        Ok(())
    }

    /// Takes back what no message was written for. The file stays where it is.
    pub(crate) async fn unsay(&self, id: ShareId) {
        self.remove(id).await;
        self.forget(id).await;
    }

    /// Takes up what a message brought. `author` wrote it, `group` is that of its room.
    pub(crate) async fn take_attached(
        &self,
        author: PersonId,
        group: Option<GroupId>,
        notice: &[u8],
        folder: Option<PathBuf>,
    ) -> Result<InboxItem, SharingError> {
        let notice = read(notice, group)?;
        let id = InfoHashes::v2_only(notice.hash).key();
        if self.state().shares.contains_key(&id) {
            return Err(SharingError::Input(format!(
                "{} is on this computer already, from where it was sent: there is nothing to fetch",
                notice.name
            )));
        }
        if self.is_of_another(author, id) {
            return Err(SharingError::Input(
                "somebody else shares this, and it was not theirs to send: take it from who shares it".to_owned(),
            ));
        }
        let known = self.state().inbox.get(&(author, id)).cloned();
        if let Some(known) = known {
            if known.notice.version < notice.version {
                self.keep_item(InboxItem { notice, ..known }).await?;
            }
            return self.accept(author, id, folder).await;
        }
        let full = || {
            SharingError::Input(
                "too much is fetched: remove something first (`compeer remove`, or on the page under Transfers)"
                    .to_owned(),
            )
        };
        let room = self.room_for(&self.state(), author, id, &notice, true);
        for (sharer, id) in room.ok_or_else(full)? {
            self.drop_item(sharer, id).await?;
        }
        let (_, folder) = self.fetch(&notice, folder).await?;
        let (received, folder) = (self.wall(), Some(folder.display().to_string()));
        let item = InboxItem { sharer: author, notice, received, state: InboxState::Accepted, folder };
        self.keep_item(item.clone()).await?;
        self.refresh().await;
        Ok(item)
    }

    /// Returns whom what goes with a message admits: of what the notice lists, and of what we know ourselves, the nodes of
    /// those who are in the conversation.
    pub(super) fn nodes_of_attached(&self, notice: &Notice, author: PersonId) -> Vec<NodeId> {
        let circle = &self.0.circle;
        let persons: BTreeSet<PersonId> = match notice.group {
            Some(group) => circle.members(group).into_iter().collect(),
            None => circle.person_of(circle.own_node()).into_iter().chain([author]).collect(),
        };
        let belongs = |node: &&NodeId| circle.person_of(**node).is_some_and(|person| persons.contains(&person));
        let mut nodes: BTreeSet<NodeId> = notice.nodes.iter().filter(belongs).copied().collect();
        nodes.extend(persons.iter().flat_map(|person| circle.nodes_of(*person)));
        nodes.retain(|node| !circle.is_refused(*node));
        nodes.into_iter().collect()
    }
}

/// Reads what a message brought: it is for those in the conversation, whatever it says.
fn read(notice: &[u8], group: Option<GroupId>) -> Result<Notice, SharingError> {
    let notice = Notice::decode(notice)
        .map_err(|error| SharingError::Input(format!("what was sent cannot be fetched: {error}; ask for it again")))?;
    Ok(Notice { group, attached: true, ..notice })
}

/// Returns the group of a conversation.
pub(crate) fn group_of(of: &Conversation) -> Option<GroupId> {
    match of {
        Conversation::Direct(..) => None,
        Conversation::Room(group, _) => Some(*group),
    }
}

fn attachment(share: &Share, unsaid: &BTreeSet<ShareId>) -> Option<Attachment> {
    let attached = share.attached.as_ref().filter(|_| share.withdrawn.is_none())?;
    let conversation = Conversation::decode(&HEXLOWER.decode(attached.conversation.as_bytes()).ok()?).ok()?;
    let message = match &attached.message {
        Some(message) => Some(message.parse().ok()?),
        // What is being made now is its maker's.
        None => unsaid.contains(&share.id()).then_some(None)?,
    };
    Some(Attachment { swarm: share.id().0, conversation, message })
}

impl Swarms for Sharing {
    fn attachments(&self) -> Vec<Attachment> {
        let state = self.state();
        state.shares.values().filter_map(|share| attachment(share, &state.unsaid)).collect()
    }

    fn swarm_of(&self, notice: &[u8]) -> Option<SwarmId> {
        Notice::decode(notice).ok().map(|notice| InfoHashes::v2_only(notice.hash).key().0)
    }

    fn written<'a>(&'a self, swarm: SwarmId, message: MessageId) -> Doing<'a> {
        Box::pin(async move {
            if let Err(error) = self.said(InfoHashV1(swarm), message).await {
                tracing::warn!(%error, "which message a file goes with is not stored");
            }
        })
    }

    fn gone<'a>(&'a self, swarm: SwarmId) -> Doing<'a> {
        Box::pin(async move {
            let id = InfoHashV1(swarm);
            let is_unsaid = self.state().shares.get(&id).is_some_and(super::share::is_unsaid);
            if is_unsaid {
                return self.unsay(id).await;
            }
            if let Err(error) = self.unshare(id).await {
                tracing::warn!(%error, "a file is shared on, though its message is gone");
            }
        })
    }

    fn arrived<'a>(&'a self, author: PersonId, conversation: &'a Conversation, notice: &'a [u8]) -> Doing<'a> {
        Box::pin(async move {
            let group = group_of(conversation);
            let Ok(read) = read(notice, group) else { return };
            let member = group.filter(|group| self.0.circle.members(*group).contains(&author));
            let folder = folder_for(&self.rules(), author, member, read.bytes).map(PathBuf::from);
            let Some(folder) = folder else { return };
            if let Err(error) = self.take_attached(author, group, notice, Some(folder)).await {
                tracing::warn!(%error, "a file that a rule takes up was not taken up");
            }
        })
    }
}
