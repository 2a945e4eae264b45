//! `[chat]` of the settings: what others see of the user while they talk, and who keeps messages while this node is away.

use serde::Deserialize;

/// How many mailboxes the settings can name: as many as a node can tell others of.
const MAX_MAILBOXES: usize = 4;

/// Talking with people.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatConfig {
    /// Let others know what was read.
    pub receipts: bool,
    /// Let others know while something is written.
    pub typing: bool,
    /// Who keeps messages for this node while it is away: contacts (`"alice"`: those of their nodes that offer a mailbox),
    /// one node of a contact (`"alice/attic"`), or a node by its id.
    pub mailboxes: Vec<String>,
}

impl Default for ChatConfig {
    fn default() -> ChatConfig {
        ChatConfig { receipts: true, typing: true, mailboxes: Vec::new() }
    }
}

impl ChatConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.mailboxes.len() > MAX_MAILBOXES {
            return Err(format!("chat.mailboxes: at most {MAX_MAILBOXES} can be named"));
        }
        match self.mailboxes.iter().find(|name| name.trim().is_empty()) {
            Some(_) => Err("chat.mailboxes: an empty name is nobody's".into()),
            None => Ok(()),
        }
    }
}
