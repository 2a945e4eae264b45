//! Making an identity, and what is changed of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::IdentityInfo;

/// Makes an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityRequest {
    /// The name that others see: one line, at most 64 bytes of UTF-8.
    pub name: String,
    /// What this node is to be called among those of the person; the computer's own name by default.
    #[serde(default)]
    pub node_name: Option<String>,
    /// Protects the secret on this computer; absent or empty: the permissions of its file alone do.
    #[serde(default)]
    pub passphrase: Option<String>,
}

/// Becomes the person of a recovery phrase on this computer.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// The 24 words, with any space between them; the first four letters of each are enough.
    pub phrase: String,
    /// The name that others see until another node of the person, or a contact, tells the one that holds; the user's own
    /// name on this computer by default.
    #[serde(default)]
    pub name: Option<String>,
    /// What this node is to be called among those of the person; the computer's own name by default.
    #[serde(default)]
    pub node_name: Option<String>,
    /// Protects the secret on this computer; absent or empty: the permissions of its file alone do.
    #[serde(default)]
    pub passphrase: Option<String>,
}

/// An identity that was made, or restored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityMade {
    /// The person.
    pub person: String,
    /// The person and the node; absent while it has not taken effect.
    pub identity: Option<IdentityInfo>,
    /// The recovery phrase: 24 words, which whoever has is this person. To be written down on paper. Absent where it was
    /// typed in.
    pub phrase: Option<String>,
    /// Why the identity takes effect with the next start of the node only; absent: it has taken effect.
    pub restart: Option<String>,
}

/// The recovery phrase.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryPhrase {
    /// 24 words, with a space between them.
    pub phrase: String,
}

/// Changes what the person and this node are called; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityChange {
    /// The name that others see: one line, at most 64 bytes of UTF-8.
    pub name: Option<String>,
    /// What this node is called among those of the person; one that another node has gets a number.
    pub node_name: Option<String>,
    /// The passphrase, where one protects the secret.
    pub passphrase: Option<String>,
}

/// Changes what protects the secret on this computer.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PassphraseChange {
    /// The passphrase up to now, where there is one.
    pub old: Option<String>,
    /// The one from now on; absent or empty: the permissions of the file alone protect the secret.
    pub new: Option<String>,
}
