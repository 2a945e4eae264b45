//! What `/api/v1/events` sends.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    ChatInfo, ChatMessage, ChatProgress, ChatTypes, ContactInfo, GroupInfo, InboxEntry, Job, NodeView, Rates,
    TorrentSummary,
};

/// The fields of a [`TorrentSummary`] that changed; the others are as they were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delta {
    /// The torrent.
    pub id: String,
    /// The new values by field name.
    pub changed: Map<String, Value>,
}

/// One server-sent event. The first of a stream is `snapshot`, unless it goes on behind an event that an earlier one told; the
/// later ones change what that told. A stream that was read too slowly gets another `snapshot`, which replaces all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// Everything there is.
    Snapshot {
        /// All torrents.
        torrents: Vec<TorrentSummary>,
        /// All jobs that run, and those that ended lately.
        jobs: Vec<Job>,
        /// All groups.
        #[serde(default)]
        groups: Vec<GroupInfo>,
        /// All that others share with the user.
        #[serde(default)]
        inbox: Vec<InboxEntry>,
        /// All conversations.
        #[serde(default)]
        chats: Vec<ChatInfo>,
        /// The node and the people around it.
        #[serde(default)]
        node: Box<NodeView>,
    },
    /// A torrent was added.
    Added(Box<TorrentSummary>),
    /// A torrent changed. Its seeding time is told along with other changes only: it grows by itself.
    Changed(Delta),
    /// A torrent was removed.
    Removed {
        /// Which.
        id: String,
    },
    /// A job changed.
    Job(Box<Job>),
    /// A group is new, or changed: its name, who belongs to it, how many are met, how we stand to it.
    Group(Box<GroupInfo>),
    /// A group was left, or forgotten.
    GroupRemoved {
        /// Which.
        id: String,
    },
    /// Something is shared with the user, or was taken up or left alone.
    Inbox(Box<InboxEntry>),
    /// Something in the inbox is shared no more.
    InboxRemoved {
        /// Which torrent.
        torrent: String,
    },
    /// Something about the node or the people around it changed.
    Node(Box<NodeView>),
    /// A contact is new, or changed: its name, how far we are, its nodes and whether they are connected.
    Contact(Box<ContactInfo>),
    /// A contact was forgotten.
    ContactRemoved {
        /// Which person.
        person: String,
    },
    /// How fast everything together is; once a second.
    Rates(Rates),
    /// A conversation is new, or changed: its last message, what is unread, its name.
    Chat(Box<ChatInfo>),
    /// A message is new, or changed: its words, reactions to it, that it was taken back or read.
    Message(Box<ChatMessage>),
    /// Messages are gone, because their time was up.
    MessagesGone {
        /// The conversation's id.
        chat: String,
        /// Which.
        ids: Vec<String>,
    },
    /// A message of ours is further than it was.
    Delivery(Box<ChatProgress>),
    /// Somebody writes just now, or stopped.
    Typing(ChatTypes),
    /// Some of what happened in conversations could not be told in time: read them again.
    ChatsMissed {},
    /// Nothing goes out and nothing is taken in, for this reason; or, when it is absent, that is over.
    ChatFailing {
        /// Why.
        reason: Option<String>,
    },
}

impl Delta {
    /// Compares two readings of a torrent; `None` when nothing changed.
    pub fn between(old: &TorrentSummary, new: &TorrentSummary) -> Option<Delta> {
        let changed = changed(old, new);
        (!changed.is_empty()).then(|| Delta { id: new.id.clone(), changed })
    }

    /// Applies the change to a reading; a change that does not fit leaves it as it is.
    pub fn apply(self, torrent: &mut TorrentSummary) {
        let mut all = fields(torrent);
        all.extend(self.changed);
        if let Ok(changed) = serde_json::from_value(Value::Object(all)) {
            *torrent = changed;
        }
    }
}

/// Returns the fields that are other than they were.
pub(crate) fn changed<T: Serialize>(old: &T, new: &T) -> Map<String, Value> {
    let old = fields(old);
    fields(new).into_iter().filter(|(name, value)| old.get(name) != Some(value)).collect()
}

fn fields(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TorrentState;

    #[test]
    fn a_delta_carries_only_what_changed() {
        let old = TorrentSummary { id: "aa".into(), name: "photos".into(), ..Default::default() };
        let new = TorrentSummary { done_bytes: 7, state: TorrentState::Seeding, ..old.clone() };
        assert_eq!(Delta::between(&old, &old), None);
        let delta = Delta::between(&old, &new).unwrap();
        assert_eq!(delta.changed.keys().collect::<Vec<_>>(), ["done_bytes", "state"]);

        let mut followed = old;
        delta.apply(&mut followed);
        assert_eq!(followed, new);
    }

    #[test]
    fn an_event_names_itself() {
        let text = serde_json::to_string(&Event::Removed { id: "aa".into() }).unwrap();
        assert_eq!(text, r#"{"event":"removed","data":{"id":"aa"}}"#);
    }
}
