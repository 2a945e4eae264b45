//! Whose copy of a group it is, and what that person can do with it.

use base::{GroupId, Now, PersonId};

use super::change::{ChangeId, JoinRequest};
use super::keys::SealingKey;
use crate::proto::nodes::PersonKey;

/// Whose copy it is, with the keys where they are at hand.
#[derive(Clone, Debug)]
pub struct Identity {
    person: PersonId,
    pub(super) keys: Option<Keys>,
}

#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub signing: PersonKey,
    pub sealing: SealingKey,
}

impl Identity {
    /// Derives what a group needs of a person's key.
    pub fn new(key: PersonKey) -> Identity {
        Identity { person: key.id(), keys: Some(Keys { sealing: SealingKey::derive(&key), signing: key }) }
    }

    /// Names a person whose key is not at hand: the copy follows the group, and neither writes nor reads what is sealed.
    pub fn locked(person: PersonId) -> Identity {
        Identity { person, keys: None }
    }

    /// Returns the person.
    pub fn person(&self) -> PersonId {
        self.person
    }

    /// Whether the person's key is not at hand.
    pub fn is_locked(&self) -> bool {
        self.keys.is_none()
    }

    /// Signs a request to come into a group; `None` without the key. See [`JoinRequest::sign`].
    pub fn request(
        &self,
        group: GroupId,
        invitation: Option<(ChangeId, Option<[u8; 32]>)>,
        now: Now,
    ) -> Option<JoinRequest> {
        let keys = self.keys.as_ref()?;
        Some(JoinRequest::sign(group, &keys.signing, keys.sealing.public(), invitation, now.wall))
    }
}
