//! Arguments of sharing with chosen people.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::rate;

/// Whom something is for.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "people", multiple = true)]
pub struct Audience {
    /// Only for this contact, by name or id; repeatable
    #[arg(long, value_name = "NAME", help_heading = "People")]
    pub to: Vec<String>,
    /// Only for the members of this group; repeatable
    #[arg(long, value_name = "GROUP", help_heading = "People")]
    pub group: Vec<String>,
}

impl Audience {
    /// Whether nobody is named.
    pub fn is_empty(&self) -> bool {
        self.to.is_empty() && self.group.is_empty()
    }
}

#[derive(Debug, Args)]
pub struct Inbox {
    #[command(subcommand)]
    pub command: Option<InboxCommand>,
}

#[derive(Debug, Subcommand)]
pub enum InboxCommand {
    /// List unread messages, and what others share with you (the default)
    List,
    /// Say yes: it is fetched, and passed on to others it is for
    Accept(InboxAccept),
    /// Say no; what was begun stops
    Decline(InboxDecline),
    /// Show whose shares are taken up without being asked about, or change that
    Rules(InboxRules),
}

#[derive(Debug, Args)]
pub struct InboxAccept {
    /// The share: its id in the inbox, or the beginning of it
    #[arg(required = true, value_name = "SHARE")]
    pub shares: Vec<String>,
    /// Put it into this folder, under its own name [default: the node's download folder]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct InboxDecline {
    /// The share: its id in the inbox, or the beginning of it
    #[arg(required = true, value_name = "SHARE")]
    pub shares: Vec<String>,
}

#[derive(Debug, Args)]
pub struct InboxRules {
    #[command(subcommand)]
    pub command: Option<InboxRuleCommand>,
}

#[derive(Debug, Subcommand)]
pub enum InboxRuleCommand {
    /// List the rules (the default)
    List,
    /// Take up what this person shares, or what is shared with this group, into a folder
    Add(InboxRule),
    /// Ask again about what this person shares, or what is shared with this group
    Remove(InboxWhose),
}

/// Whose shares.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct InboxWhose {
    /// Those of this contact, by name or id
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// Those with this group
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
}

#[derive(Debug, Args)]
pub struct InboxRule {
    #[command(flatten)]
    pub whose: InboxWhose,
    /// The folder that they go into
    pub folder: PathBuf,
    /// Ask about larger ones, for example 2G
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    pub max_size: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Library {
    #[command(subcommand)]
    pub command: Option<LibraryCommand>,
}

#[derive(Debug, Subcommand)]
pub enum LibraryCommand {
    /// List your libraries (the default)
    List,
    /// Let people look into a folder, and take what is there
    Add(LibraryAdd),
    /// Close a library; the folder stays as it is
    Remove(LibraryRemove),
}

#[derive(Debug, Args)]
pub struct LibraryAdd {
    /// The folder
    pub folder: PathBuf,
    /// What others see it as [default: the folder's own name]
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub audience: Audience,
}

#[derive(Debug, Args)]
pub struct LibraryRemove {
    /// The library's name
    pub name: String,
}

#[derive(Debug, Args)]
pub struct Browse {
    /// Whose libraries: a contact's name or id
    pub name: String,
    /// What to look at: LIBRARY/FOLDER/… [default: all libraries]
    #[arg(default_value = "")]
    pub path: String,
    /// Take it: the file, or the folder with all that is in it
    #[arg(long)]
    pub get: bool,
    /// Put it into this folder, under its own name [default: the node's download folder]
    #[arg(long, short, value_name = "DIR", requires = "get")]
    pub output: Option<PathBuf>,
}
