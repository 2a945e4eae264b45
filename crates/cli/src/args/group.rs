//! The command line of `compeer group`.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum Group {
    /// Begin a group: by invitation, unless --open or --private
    Create(GroupCreate),
    /// Print a link that leads into a group
    Invite(GroupInvite),
    /// Come into a group by a link
    Join(GroupJoin),
    /// List the groups
    List,
    /// Show one group: its members and invitations
    Show(GroupWhich),
    /// List the members of a group
    Members(GroupWhich),
    /// Make a member an admin, or an admin a member
    Role(GroupRole),
    /// Expel a member: what follows is not for them
    Remove(GroupRemove),
    /// Take an invitation back
    Cancel(GroupCancel),
    /// Call a group otherwise
    Rename(GroupRename),
    /// Leave a group
    Leave(GroupWhich),
    /// Unlock the person's key for groups, until the node ends; the passphrase is asked for, or taken from COMPEER_PASSPHRASE
    Unlock,
}

#[derive(Debug, Args)]
pub struct GroupCreate {
    /// What it is called
    pub name: String,
    /// Whoever has a link may come in
    #[arg(long, conflicts_with = "private")]
    pub open: bool,
    /// Nobody else learns that there is a group
    #[arg(long)]
    pub private: bool,
}

#[derive(Debug, Args)]
pub struct GroupInvite {
    /// The group: its name, or the beginning of its id
    pub group: String,
    /// For this contact or person alone [default: for whoever has the link]
    pub person: Option<String>,
    /// How many can come in by it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..), conflicts_with_all = ["standing", "person"])]
    pub uses: u16,
    /// Any number can come in by it, until it is taken back
    #[arg(long, conflicts_with = "person")]
    pub standing: bool,
    /// Who comes in by it is an admin
    #[arg(long)]
    pub admin: bool,
}

#[derive(Debug, Args)]
pub struct GroupJoin {
    /// The link, compeer:group?…
    pub link: String,
}

#[derive(Debug, Args)]
pub struct GroupWhich {
    /// The group: its name, or the beginning of its id
    pub group: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Reads, writes, lets in whom an admin invited
    Member,
    /// Also invites, gives roles, expels and renames
    Admin,
}

#[derive(Debug, Args)]
pub struct GroupRole {
    /// The group: its name, or the beginning of its id
    pub group: String,
    /// The member: the name, or the beginning of the id
    pub person: String,
    /// The role
    pub role: RoleName,
}

#[derive(Debug, Args)]
pub struct GroupRemove {
    /// The group: its name, or the beginning of its id
    pub group: String,
    /// The member: the name, or the beginning of the id
    pub person: String,
}

#[derive(Debug, Args)]
pub struct GroupCancel {
    /// The group: its name, or the beginning of its id
    pub group: String,
    /// The invitation: the beginning of its id, as `compeer group show` prints it
    pub invitation: String,
}

#[derive(Debug, Args)]
pub struct GroupRename {
    /// The group: its name, or the beginning of its id
    pub group: String,
    /// The new name
    pub name: String,
}
