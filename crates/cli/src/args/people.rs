//! The commands around persons: `init`, `id`, `node` and `contact`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{NodeOptions, duration, rate};

#[derive(Debug, Args)]
pub struct Init {
    /// The name that others see
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<node::Name>,
    /// What this computer is called among yours [default: its host name]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub node_name: Option<node::Name>,
    /// Where content goes when nobody says where
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Send at most this many bytes per second to others, for example 500K; 0: as much as there is
    #[arg(long, value_name = "RATE", value_parser = give)]
    pub give: Option<Give>,
    #[command(flatten)]
    pub passphrase: PassphraseChoice,
    /// Ask nothing: take the default of what is not said
    #[arg(long, short)]
    pub yes: bool,
}

/// How much is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Give(pub Option<u64>);

#[derive(Clone, Copy, Debug, Default, Args)]
pub struct PassphraseChoice {
    /// Protect the secret by a passphrase: asked for, or taken from COMPEER_PASSPHRASE
    #[arg(long, conflicts_with = "no_passphrase", help_heading = "Protection")]
    pub passphrase: bool,
    /// Protect the secret by the permissions of its file alone: whoever can read your files has it
    #[arg(long, help_heading = "Protection")]
    pub no_passphrase: bool,
}

#[derive(Debug, Subcommand)]
pub enum Id {
    /// Show who you are, and where this node may be reached
    Show(IdShow),
    /// Show the recovery phrase again
    Export,
    /// Be the person of a recovery phrase on this computer
    Restore(IdRestore),
    /// Protect the secret by another passphrase, or by none
    Passwd(IdPasswd),
}

#[derive(Debug, Args)]
pub struct IdShow {
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Args)]
pub struct IdRestore {
    /// A node of yours that is there, as `compeer id show` prints it: contacts and groups come from it. With all of yours lost,
    /// the link of a contact (`compeer contact invite`). Repeatable
    #[arg(long, value_name = "NODE[@HINT]|LINK")]
    pub from: Vec<String>,
    /// The name that others see, until another node of yours tells
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<node::Name>,
    /// What this computer is called among yours [default: its host name]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub node_name: Option<node::Name>,
    #[command(flatten)]
    pub passphrase: PassphraseChoice,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Args)]
pub struct IdPasswd {
    /// Protect the secret by the permissions of its file alone
    #[arg(long)]
    pub no_passphrase: bool,
}

#[derive(Debug, Args)]
pub struct NodeArgs {
    #[command(subcommand)]
    pub command: NodeCommand,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// List your nodes
    List,
    /// Show a code that makes another computer one of your nodes, and wait until it has joined
    ///
    /// With --json two documents are printed, each on one line: the code at once, the node when it has joined.
    Add(NodeAdd),
    /// Become one of your nodes by the code that `compeer node add` shows on another one
    Join(NodeJoin),
    /// Take a node out of the list, for ever: it is refused by everybody who hears of it
    Revoke(NodeRevoke),
    /// Meet another node of yours now, and bring the books together; after `id restore` also a contact's
    Meet(NodeMeet),
}

#[derive(Debug, Args)]
pub struct NodeAdd {
    /// Show a link instead of words: for computers that do not find one another by themselves
    #[arg(long)]
    pub link: bool,
}

#[derive(Debug, Args)]
pub struct NodeJoin {
    /// The words of the code, or its link [default: asked for]
    #[arg(value_name = "CODE")]
    pub code: Vec<String>,
    /// What this computer is to be called [default: its host name]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<node::Name>,
}

#[derive(Debug, Args)]
pub struct NodeRevoke {
    /// The node's name or id
    pub name: String,
}

#[derive(Debug, Args)]
pub struct NodeMeet {
    /// The node, as `compeer id show` prints it there, or the link of a contact
    #[arg(value_name = "NODE[@HINT]|LINK", required = true)]
    pub nodes: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Contact {
    #[command(subcommand)]
    pub command: ContactCommand,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Subcommand)]
pub enum ContactCommand {
    /// Make a link that lets somebody become your contact
    Invite(ContactInvite),
    /// List the invitations that you gave out
    Invites,
    /// Take an invitation back
    Uninvite(ContactUninvite),
    /// Become somebody's contact by the link that they gave you
    Add(ContactAdd),
    /// List your contacts
    List,
    /// Show one contact, with its nodes
    Show(ContactWhich),
    /// Call a contact by another name
    Rename(ContactRename),
    /// Show the words to compare aloud with a contact, or say that you did
    Verify(ContactVerify),
    /// Admit nothing of a person any more
    Block(ContactWhich),
    /// Admit a person again
    Unblock(ContactWhich),
    /// Forget a contact
    Remove(ContactWhich),
}

#[derive(Debug, Args)]
pub struct ContactInvite {
    /// For one person; the default
    #[arg(long, conflicts_with = "standing")]
    pub once: bool,
    /// For everybody who has the link, until you take it back
    #[arg(long)]
    pub standing: bool,
    /// Good for this time only, for example 12h or 7d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub valid: Option<Duration>,
    /// Show the link as a QR code as well
    #[arg(long)]
    pub qr: bool,
    /// Write the QR code into this file, as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ContactUninvite {
    /// Its id, or the beginning of it
    pub invite: String,
}

#[derive(Debug, Args)]
pub struct ContactAdd {
    /// The link, which begins with compeer:contact?
    pub link: String,
    /// What you call the person [default: as the person does]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<node::Name>,
}

#[derive(Debug, Args)]
pub struct ContactWhich {
    /// The contact's name, its id, or the beginning of it
    pub contact: String,
}

#[derive(Debug, Args)]
pub struct ContactRename {
    /// The contact's name, its id, or the beginning of it
    pub contact: String,
    /// The new name; without one, as the person calls itself
    #[arg(value_parser = name)]
    pub name: Option<node::Name>,
}

#[derive(Debug, Args)]
pub struct ContactVerify {
    /// The contact's name, its id, or the beginning of it
    pub contact: String,
    /// The words were the same
    #[arg(long, conflicts_with = "undo")]
    pub same: bool,
    /// They were not, or are to be compared again
    #[arg(long)]
    pub undo: bool,
}

fn name(text: &str) -> Result<node::Name, String> {
    node::Name::new(text.trim()).map_err(|error| error.to_string())
}

fn give(text: &str) -> Result<Give, String> {
    if text == "0" { Ok(Give(None)) } else { rate(text).map(|rate| Give(Some(rate))) }
}
