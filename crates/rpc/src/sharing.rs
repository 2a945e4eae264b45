//! Sharing with chosen people: what is shared, the inbox, its rules, libraries.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that this node shares with people.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct PrivateShare {
    /// The torrent.
    pub torrent: String,
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// How much it is.
    pub bytes: u64,
    /// How many files it has.
    pub files: u32,
    /// The people it is for, by their names.
    pub to: Vec<String>,
    /// The groups it is for, by their names.
    pub groups: Vec<String>,
    /// The ids of the people, in the same order.
    #[serde(default)]
    pub to_ids: Vec<String>,
    /// The ids of the groups, in the same order.
    #[serde(default)]
    pub group_ids: Vec<String>,
    /// A remark for them.
    pub note: Option<String>,
    /// The library that it was made for; absent where it is shared by itself.
    pub library: Option<String>,
    /// It goes with a message, which tells them of it.
    #[serde(default)]
    pub attached: bool,
    /// How many of their nodes know of it.
    pub told: u32,
    /// How many nodes they have.
    pub nodes: u32,
    /// When it was shared, in seconds since 1970.
    pub created_at_s: u64,
}

/// What the user said to a share of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InboxState {
    /// Nothing yet.
    #[default]
    Waiting,
    /// Yes.
    Accepted,
    /// No.
    Declined,
}

/// Something that somebody shares with us.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct InboxEntry {
    /// The torrent that it becomes when it is accepted.
    pub torrent: String,
    /// Who shares it, as a name.
    pub from: String,
    /// Who shares it, as an id.
    pub person: String,
    /// The group that it is shared with, by name.
    pub group: Option<String>,
    /// The same group, as an id.
    #[serde(default)]
    pub group_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// How much it is.
    pub bytes: u64,
    /// How many files it has.
    pub files: u32,
    /// A remark of who shares it.
    pub note: Option<String>,
    /// What the user said.
    pub state: InboxState,
    /// It is no longer shared.
    pub withdrawn: bool,
    /// It was accepted, and removed from the node since.
    #[serde(default)]
    pub removed: bool,
    /// Where it goes, once it is accepted.
    pub folder: Option<String>,
    /// How much of it is here, from 0 to 1.
    pub progress: f64,
    /// When we heard of it, in seconds since 1970.
    pub received_at_s: u64,
}

/// Takes up a share.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AcceptRequest {
    /// The absolute path of the folder that it goes into; the node's own by default.
    pub folder: Option<String>,
}

/// Shares of a person, or with a group, are taken up without being asked about.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InboxRule {
    /// The person, by name or id. Exactly one of `from` and `group` is given.
    pub from: Option<String>,
    /// The group, by name or id.
    pub group: Option<String>,
    /// The absolute path of the folder that they go into.
    pub folder: String,
    /// Larger ones are asked about.
    pub max_bytes: Option<u64>,
}

/// A rule that holds, by names and ids: either of a person, or of a group.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct InboxRuleInfo {
    /// The person's name.
    pub from: Option<String>,
    /// The person's id.
    pub person: Option<String>,
    /// The group's name.
    pub group: Option<String>,
    /// The group's id.
    pub group_id: Option<String>,
    /// The absolute path of the folder that they go into.
    pub folder: String,
    /// Larger ones are asked about.
    pub max_bytes: Option<u64>,
}

/// What came of setting a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct InboxRuleSet {
    /// How many shares that waited in the inbox were taken up.
    pub taken_up: u32,
    /// How many it fits that could not be taken up: they wait on.
    pub failed: u32,
}

/// A folder that people may look into.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LibraryInfo {
    /// What it is called there.
    pub name: String,
    /// The folder, an absolute path.
    pub folder: String,
    /// The people who may, by their names.
    pub to: Vec<String>,
    /// The groups whose members may, by their names.
    pub groups: Vec<String>,
    /// The ids of the people, in the same order.
    #[serde(default)]
    pub to_ids: Vec<String>,
    /// The ids of the groups, in the same order.
    #[serde(default)]
    pub group_ids: Vec<String>,
}

/// Lets people look into a folder.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LibraryRequest {
    /// What it is to be called there; the folder's own name by default.
    pub name: String,
    /// The folder, an absolute path.
    pub folder: String,
    /// The people who may, by their names or ids.
    pub to: Vec<String>,
    /// The groups whose members may, by their names or ids.
    pub groups: Vec<String>,
}

/// A file or folder of somebody's library.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LibraryEntry {
    /// Its name.
    pub name: String,
    /// It is a folder.
    pub folder: bool,
    /// Its size; of a folder 0.
    pub size_bytes: u64,
    /// When it was changed last, in seconds since 1970; 0: not known.
    pub modified_at_s: u64,
}

/// Takes a file or a folder of somebody's library.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TakeRequest {
    /// Whose library, by name or id.
    pub from: String,
    /// Which file or folder: the library's name first, `/` between the parts.
    pub path: String,
    /// The absolute path of the folder that it goes into; the node's own by default.
    pub folder: Option<String>,
}
