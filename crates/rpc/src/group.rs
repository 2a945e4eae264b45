//! Groups: people with a common roster.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who can come into a group, and who sees that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Whoever has the link.
    Open,
    /// Whom an admin invites.
    ByInvitation,
    /// Whom an admin invites, and nobody else learns that there is a group.
    Private,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupRole {
    /// Read, write, let in whom an admin invited.
    Member,
    /// Also invite, give roles, expel and rename.
    Admin,
}

/// How this node's person stands to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupStanding {
    /// Belongs to it.
    Member,
    /// Does not, or not yet, as far as is known here.
    Outside,
    /// Was expelled.
    Expelled,
}

/// A group of this node's person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupInfo {
    /// Its id.
    pub id: String,
    /// What it is called; absent where its key has not arrived, or is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who can come in; absent until another member told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<GroupKind>,
    /// How this node's person stands to it.
    pub standing: GroupStanding,
    /// What this node's person may do; absent: no member (any more).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<GroupRole>,
    /// How many belong to it.
    pub members: u32,
    /// How many other members are met now.
    pub connected: u32,
    /// Whether the key of the present members is here.
    pub has_key: bool,
    /// Whether the person's key is locked, or on another computer: this node follows, and changes nothing.
    pub locked: bool,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupMember {
    /// Who.
    pub person: String,
    /// What we call them, or what they call themselves; absent where neither is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What they may do.
    pub role: GroupRole,
    /// When they were let in: Unix time in seconds, by the clock of whoever did it.
    pub since_s: u64,
    /// Whether it is this node's person.
    pub own: bool,
}

/// An invitation that still lets somebody in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupInvitation {
    /// Its id.
    pub id: String,
    /// For whom alone; absent: for whoever has the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// How many more can come in by it; absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u16>,
    /// What they become.
    pub role: GroupRole,
}

/// A group with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupDetail {
    /// The group.
    #[serde(flatten)]
    pub info: GroupInfo,
    /// Who belongs to it.
    pub people: Vec<GroupMember>,
    /// Who was expelled and is not back.
    pub expelled: Vec<String>,
    /// What they, and those for whom invitations are, are called here, by their ids.
    #[serde(default)]
    pub names: std::collections::BTreeMap<String, String>,
    /// What lets others in.
    pub invitations: Vec<GroupInvitation>,
}

/// Begins a group.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRequest {
    /// What it is called.
    pub name: String,
    /// Who can come in.
    pub kind: GroupKind,
}

/// Invites.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupInviteRequest {
    /// A person, by id or by the name of a contact; absent: whoever has the link.
    #[serde(default)]
    pub person: Option<String>,
    /// How many can come in by it, 0: any number.
    #[serde(default = "once")]
    pub uses: u16,
    /// What they become.
    #[serde(default = "member")]
    pub role: GroupRole,
}

/// A link into a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupLink {
    /// The link.
    pub link: String,
}

/// Gives a member a role.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRoleRequest {
    /// Which.
    pub role: GroupRole,
}

/// Changes a group.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRename {
    /// What it is called from now on.
    pub name: String,
}

fn once() -> u16 {
    1
}

fn member() -> GroupRole {
    GroupRole::Member
}
