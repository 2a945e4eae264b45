//! Files that go with messages: those of others are taken up where the user has a rule, our own are shared for as long as
//! their message is here.

use std::sync::Arc;

use base::PersonId;
use chat::proto::{Body, Conversation, Event, Message, MessageId};
use chat::{Attachment, MAX_PAGE, Said, Span, Store, Swarms};
use db::DbError;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::handle::Happening;

/// What it works with.
pub(super) struct Attachments {
    pub(super) me: PersonId,
    pub(super) store: Store,
    pub(super) swarms: Arc<dyn Swarms>,
}

impl Attachments {
    /// Follows the conversations until they end.
    pub(super) async fn run(self, mut events: broadcast::Receiver<Arc<Happening>>) {
        self.look(|_| true).await;
        loop {
            match events.recv().await.as_deref() {
                Ok(Happening::Chat(Event::Shown(message))) => self.see(message).await,
                Ok(Happening::Expired(of, gone)) => {
                    self.look(|it| it.conversation == *of && it.message.is_some_and(|id| gone.contains(&id))).await;
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.look(|_| true).await,
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn see(&self, message: &Message) {
        let of = &message.conversation;
        match &message.body {
            Body::Attachment { notice, .. } if message.author != self.me => match self.is_request(of).await {
                Ok(false) => self.swarms.arrived(message.author, of, notice).await,
                Ok(true) => {}
                Err(error) => tracing::warn!(%error, "a file that came is not looked at"),
            },
            Body::Deletion { of: gone } => {
                self.look(|it| it.conversation == *of && it.message == Some(*gone)).await;
            }
            _ => {}
        }
    }

    /// Whether somebody who is no contact asks to be heard: nothing of theirs is fetched.
    async fn is_request(&self, of: &Conversation) -> Result<bool, DbError> {
        let all = self.store.conversations().await?;
        Ok(all.iter().any(|summary| summary.conversation == *of && summary.is_request))
    }

    /// Looks whether the messages of some of our files are still there.
    async fn look(&self, which: impl Fn(&Attachment) -> bool) {
        for attachment in self.swarms.attachments().into_iter().filter(which) {
            match self.message_of(&attachment).await {
                Ok(Some(id)) if attachment.message.is_none() => self.swarms.written(attachment.swarm, id).await,
                Ok(Some(_)) => {}
                Ok(None) => self.swarms.gone(attachment.swarm).await,
                Err(error) => tracing::warn!(%error, "the message of a file is not found now"),
            }
        }
    }

    /// Finds the message of one of our files; `None`: it is gone, or was never written.
    async fn message_of(&self, attachment: &Attachment) -> Result<Option<MessageId>, DbError> {
        let of = &attachment.conversation;
        let Some(id) = attachment.message else {
            // It would have been written just before the node ended.
            let newest = self.store.lines(of, Span::default(), MAX_PAGE).await?;
            let brings = |said: &Said| match said {
                Said::Attachment { notice, .. } => self.swarms.swarm_of(notice) == Some(attachment.swarm),
                _ => false,
            };
            let found = newest.into_iter().find(|entry| entry.author == self.me && brings(&entry.said));
            return Ok(found.map(|entry| entry.position.id));
        };
        let Some(at) = self.store.position(of, id).await? else { return Ok(None) };
        let around = self.store.around(of, at, 1).await?;
        let is_here = |entry: &chat::Entry| entry.position == at && entry.said != Said::Deleted;
        Ok(around.iter().any(is_here).then_some(id))
    }
}
