//! `[chat]` of the settings: what others see of the user while they talk, who keeps messages while this node is away, and
//! whether IRC clients may come in.

use std::net::{Ipv4Addr, SocketAddr};

use ::chat::proto::card::MAX_MAILBOXES;
use serde::Deserialize;

/// The port that IRC clients take where nobody says (IANA, `ircu`; RFC 1459, section 8.12.3).
const IRC_PORT: u16 = 6667;

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
    /// The user's own IRC clients on this computer.
    pub irc: IrcConfig,
}

/// The user's own IRC clients on this computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IrcConfig {
    /// Whether they may come in.
    pub on: bool,
    /// Where: an address of loopback.
    pub listen: SocketAddr,
}

impl Default for ChatConfig {
    fn default() -> ChatConfig {
        ChatConfig { receipts: true, typing: true, mailboxes: Vec::new(), irc: IrcConfig::default() }
    }
}

impl Default for IrcConfig {
    fn default() -> IrcConfig {
        IrcConfig { on: false, listen: SocketAddr::from((Ipv4Addr::LOCALHOST, IRC_PORT)) }
    }
}

impl IrcConfig {
    /// Says what is wrong with the settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.listen.ip().is_loopback() {
            return Ok(());
        }
        Err(format!(
            "chat.irc.listen has to be an address of loopback, such as 127.0.0.1:{IRC_PORT}: IRC is not encrypted here, \
             and {} can be reached from elsewhere",
            self.listen
        ))
    }
}

impl ChatConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        self.irc.check()?;
        if self.mailboxes.len() > MAX_MAILBOXES {
            return Err(format!("chat.mailboxes: at most {MAX_MAILBOXES} can be named"));
        }
        match self.mailboxes.iter().find(|name| name.trim().is_empty()) {
            Some(_) => Err("chat.mailboxes: an empty name is nobody's".into()),
            None => Ok(()),
        }
    }
}
