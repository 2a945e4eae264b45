//! What happens in conversations, for one stream of events.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat::proto::{Body, Conversation, Event as Said, Message, MessageId};
use rpc::{ChatInfo, ChatProgress, ChatTypes, Event};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::chat::{ChatFailure, ChatHandle, Happening};
use crate::server::chat::view;

/// Follows the conversations.
pub(super) struct Chatter {
    chat: ChatHandle,
    happened: broadcast::Receiver<Arc<Happening>>,
    /// Conversations that are told anew with the next tick.
    changed: BTreeSet<Conversation>,
    /// All of them are.
    all: bool,
}

impl Chatter {
    pub(super) fn new(chat: ChatHandle) -> Chatter {
        Chatter { happened: chat.subscribe(), chat, changed: BTreeSet::new(), all: false }
    }

    /// Returns all conversations.
    pub(super) async fn snapshot(&self) -> Result<Vec<ChatInfo>, ChatFailure> {
        view::infos(&self.chat).await
    }

    /// Waits until something happened. Cancel safe.
    pub(super) async fn next(&mut self) -> Arc<Happening> {
        match self.happened.recv().await {
            Ok(happening) => happening,
            Err(RecvError::Lagged(_)) => {
                self.all = true;
                Arc::new(Happening::Missed)
            }
            // The node ends.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Returns what is told of it at once; the rest is told with the next tick.
    pub(super) async fn tell(&mut self, happening: &Happening) -> Option<Event> {
        match happening {
            Happening::Chat(Said::Shown(message)) => {
                self.changed.insert(message.conversation.clone());
                self.message(&message.conversation, shown_by(message)).await
            }
            Happening::Chat(Said::Stage(of, id, person, stage)) => {
                let delivery = view::delivery(&self.chat, *person, *stage);
                let progress = ChatProgress { chat: self.chat.id(of), id: id.to_string(), delivery };
                Some(Event::Delivery(Box::new(progress)))
            }
            Happening::Chat(Said::Typing(of, person, typing)) => Some(Event::Typing(ChatTypes {
                chat: self.chat.id(of),
                name: self.chat.person_name(*person),
                person: person.to_string(),
                typing: *typing,
            })),
            Happening::Chat(Said::Read(of, _) | Said::Request(of)) | Happening::Changed(of) => {
                self.changed.insert(of.clone());
                None
            }
            Happening::Expired(of, ids) => {
                self.changed.insert(of.clone());
                let ids = ids.iter().map(MessageId::to_string).collect();
                Some(Event::MessagesGone { chat: self.chat.id(of), ids })
            }
            Happening::People => {
                self.all = true;
                None
            }
            Happening::Missed => Some(Event::ChatsMissed {}),
            Happening::Failing(reason) => Some(Event::ChatFailing { reason: reason.clone() }),
        }
    }

    /// Returns the conversations that changed since the last tick.
    pub(super) async fn tick(&mut self) -> Vec<Event> {
        if self.changed.is_empty() && !self.all {
            return Vec::new();
        }
        let Ok(infos) = view::infos(&self.chat).await else { return Vec::new() };
        let ids: BTreeSet<String> = self.changed.iter().map(|of| self.chat.id(of)).collect();
        let all = std::mem::take(&mut self.all);
        self.changed.clear();
        let told = infos.into_iter().filter(|info| all || ids.contains(&info.id));
        told.map(|info| Event::Chat(Box::new(info))).collect()
    }

    async fn message(&self, of: &Conversation, id: MessageId) -> Option<Event> {
        let entry = self.chat.entry(of, id).await.ok().flatten()?;
        Some(Event::Message(Box::new(view::message(&self.chat, of, entry))))
    }
}

/// Returns which line is another for a message: its own, or that of the message that it is about.
fn shown_by(message: &Message) -> MessageId {
    match &message.body {
        Body::Reaction { to, .. } => *to,
        Body::Edit { of, .. } | Body::Deletion { of } => *of,
        Body::Text { .. } | Body::Attachment { .. } | Body::Timer { .. } | Body::Opening => message.id,
    }
}
