//! What goes by gossip: each change as it is written, and now and then what there is.
//!
//! Gossip is quick and reaches all who are awake; nothing rests on it. What is heard and misses something, and what
//! somebody else has and we do not, is asked for on a stream. So two halves of a group whose streams never cross agree
//! soon after they can hear one another.

use std::sync::Arc;

use base::Now;

use super::Replica;
use crate::proto::group::change::ChangeId;
use crate::proto::group::io::Output;
use crate::proto::group::message::{MAX_HAVE, Message};

/// The longest change that goes by gossip as it is, in bytes: what a message of gossip holds (16 KiB, less what is around
/// it). Longer ones (an epoch for some 140 members) are named, and fetched.
const MAX_PUBLISHED: usize = 15 << 10;

impl Replica {
    /// Tells all of a change that we wrote.
    pub(super) fn publish(&mut self, place: usize) {
        let entry = self.log.at(place);
        let message = if entry.bytes.len() <= MAX_PUBLISHED {
            Message::Changes(vec![entry.bytes.clone()])
        } else {
            Message::Have(vec![entry.id])
        };
        self.outputs.push_back(Output::Publish(message));
    }

    /// Says what we have, unless somebody just said the same.
    pub(super) fn announce(&mut self) {
        let heads = self.heads();
        self.outputs.push_back(Output::Publish(Message::Have(heads)));
    }

    fn heads(&self) -> Vec<ChangeId> {
        self.log.heads().take(MAX_HAVE).collect()
    }

    pub(super) fn heard(&mut self, now: Now, message: Message) {
        let behind = match message {
            Message::Changes(changes) => {
                let before = self.heard.len();
                for bytes in changes {
                    self.hear(bytes);
                }
                self.retry_heard();
                self.heard.len() > before
            }
            Message::Have(ids) => {
                let mut ours = self.heads();
                ours.sort();
                let mut theirs = ids.clone();
                theirs.sort();
                if ours == theirs {
                    self.put_announcement_off(now);
                }
                ids.iter().any(|id| self.log.place(id).is_none())
            }
            // The rest is for streams, and about people, which is the driver's.
            _ => false,
        };
        if behind {
            self.outputs.push_back(Output::Behind);
        }
    }

    fn hear(&mut self, bytes: Arc<[u8]>) {
        if let Some(misses) = self.take_in(&bytes, None).first() {
            self.heard.add(*misses, bytes);
        }
    }

    /// Tries again what waited for other changes.
    pub(super) fn retry_heard(&mut self) {
        loop {
            let ready = self.heard.ready(&self.log);
            if ready.is_empty() {
                return;
            }
            ready.into_iter().for_each(|bytes| self.hear(bytes));
        }
    }
}
