//! Who we are, our nodes, contacts and invitations. Ids of persons and nodes are written in z-base-32.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who this node belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityInfo {
    /// The person.
    pub person: String,
    /// The name that the person shows.
    pub name: String,
    /// This node.
    pub node: String,
    /// What this node is called; absent where the newest list does not name it.
    pub node_name: Option<String>,
    /// Whether this node holds the person's secret.
    pub has_secret: bool,
    /// Whether a passphrase protects it.
    pub passphrase: bool,
    /// The address of the person's ledger account (EIP-55); absent where this node does not hold the secret.
    pub account: Option<String>,
    /// Whether this node was revoked: nobody who knows that admits it.
    pub revoked: bool,
    /// The number of the newest list of nodes.
    pub list_number: u64,
    /// Where this node may be reached by others.
    pub hints: Vec<String>,
    /// A link by which strangers may write to this person. It invites nobody: what they write is a request.
    pub link: String,
}

/// A node of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonNode {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Unix time.
    pub added_s: u64,
    /// Whether it is the one that answers.
    pub this: bool,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Asks for something that the person's secret is needed for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlockRequest {
    /// The passphrase, where one protects the secret.
    pub passphrase: Option<String>,
}

/// A code that adds a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinCode {
    /// What is typed on the other computer: twelve words.
    pub code: String,
    /// The same as a link, which also says where this node is.
    pub link: String,
    /// For how long it is good.
    pub valid_s: u64,
}

/// Makes this node one of a person that shows a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The code, or its link.
    pub code: String,
    /// What this node is to be called.
    pub name: String,
}

/// Meets another node of ours, to get contacts from it and to be in its list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeetRequest {
    /// The node.
    pub node: String,
    /// Where it may be reached.
    pub hints: Vec<String>,
    /// The passphrase, where one protects the secret.
    pub passphrase: Option<String>,
}

/// How far we and a person are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// We took an invitation; the other does not know it yet.
    Asked,
    /// Both know.
    Contact,
    /// Nothing of it is admitted.
    Blocked,
    /// No contact, and not blocked any more.
    Stranger,
}

/// A person that we know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactInfo {
    /// The person.
    pub person: String,
    /// How it is called here.
    pub name: String,
    /// The name that it shows itself.
    pub shown_name: Option<String>,
    /// How far we are.
    pub state: ContactState,
    /// Whether the verification words were compared.
    pub verified: bool,
    /// The words to compare aloud: the other sees the same.
    pub words: Vec<String>,
    /// Unix time.
    pub added_s: u64,
    /// Its nodes.
    pub nodes: Vec<ContactNode>,
}

/// A node of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactNode {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Whether it is connected.
    pub connected: bool,
}

/// Takes an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactRequest {
    /// The link.
    pub link: String,
    /// What the person is to be called here.
    pub name: Option<String>,
}

/// Changes a contact; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactChange {
    /// What it is called here; empty: as it calls itself.
    pub name: Option<String>,
    /// Whether the verification words were compared.
    pub verified: Option<bool>,
    /// Whether nothing of it is admitted.
    pub blocked: Option<bool>,
}

/// How an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InviteState {
    /// It can be taken.
    Open,
    /// It was for one, who took it.
    Used,
    /// It was taken back.
    Revoked,
    /// Its time is over.
    Expired,
}

/// Makes an invitation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// Whether it can be taken more than once.
    #[serde(default)]
    pub standing: bool,
    /// For how long it is good; absent: until it is used or taken back.
    pub valid_s: Option<u64>,
}

/// An invitation that was given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteInfo {
    /// Its name.
    pub id: String,
    /// The link to give to others, with where this node is now.
    pub link: String,
    /// Whether it can be taken more than once.
    pub standing: bool,
    /// How it stands.
    pub state: InviteState,
    /// How often it was taken.
    pub uses: u32,
    /// Unix time.
    pub created_s: u64,
    /// Unix time at which it ends.
    pub expires_s: Option<u64>,
}
