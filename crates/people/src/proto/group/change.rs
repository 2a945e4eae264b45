//! One signed change of a group, and its encoding.
//!
//! A change is: version, group, author, predecessors, wall clock, action, then the author's signature over all of it
//! (Ed25519, verified strictly, RFC 8032). Its name is the SHA-256 of all of these bytes. The group is named by its first
//! change, which therefore holds zeros where the others name the group. There is one way to write a change; what a
//! decoder accepts is bounded and verified.

use std::fmt;

use base::{GroupId, PersonId, WallTime};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::keys::{SEALED_SECRET_BYTES, SealingPublic};
use crate::proto::codec::{DecodeError, Reader, Writer};
use crate::proto::nodes::PersonKey;

/// The version of the encoding.
const VERSION: u8 = 1;

/// What is before the bytes that are signed, and before those that name a change.
const SIGNED: &[u8] = b"compeer group change 1\n";
const NAMED: &[u8] = b"compeer group change id 1\n";

/// What is before a request to join, and before its proof that the link was there.
const REQUEST: &[u8] = b"compeer group join 1\n";
const PROOF: &[u8] = b"compeer group invitation 1\n";

/// How many changes a change can name as known. Members write at once when an expulsion has to be seen; what they leave
/// open is tied together by the next ones. Arbitrary.
pub const MAX_PREDECESSORS: usize = 64;

/// How many members a group has: every change of members hands a new key to each. Arbitrary.
pub const MAX_MEMBERS: usize = 256;

/// How long the sealed name and description can be. Arbitrary.
pub const MAX_META_BYTES: usize = 1024;

/// What one member's part of an epoch takes: person, and the sealed secret.
const RECIPIENT_BYTES: usize = 32 + SEALED_SECRET_BYTES;

/// The longest change: an epoch for every member that names as many predecessors as it can.
pub const MAX_CHANGE_BYTES: usize =
    1 + 32 + 32 + 1 + MAX_PREDECESSORS * 32 + 8 + 1 + 32 + 2 + MAX_MEMBERS * RECIPIENT_BYTES + 4 + MAX_META_BYTES + 64;

/// The name of a change: the hash of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(pub [u8; 32]);

impl fmt::Debug for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangeId({:02x}{:02x}{:02x}{:02x})", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// Why bytes are no change, or no request. Whoever sent them is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// They cannot be read.
    #[error("the change cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// The signature is not the author's.
    #[error("the change is not signed by the person that it names")]
    Signature,
    /// Its author was never let in, as far as the author could know.
    #[error("the change is by somebody whom nobody let into the group")]
    Stranger,
}

/// Who can come in, and who sees that the group is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whoever has the link; any member lets in.
    Open,
    /// Whom an admin invites.
    ByInvitation,
    /// Whom an admin invites, and nobody else learns that there is a group.
    Private,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read, write, let in whom an admin invited.
    Member,
    /// Also invite, give roles, expel and rename.
    Admin,
}

/// Whom an invitation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invitee {
    /// Whoever has the secret half of this key, which is in the link.
    Link([u8; 32]),
    /// One person. Also the only way back for somebody who was expelled.
    Person(PersonId),
}

/// What a person signs who wants to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// Who wants to come in.
    pub person: PersonId,
    /// To which key that person's copies of the group's secrets are sealed.
    pub sealing: SealingPublic,
    /// The invitation; `None` for an open group.
    pub invitation: Option<ChangeId>,
    /// When, by the person's clock: a request from before the person left does not bring the person back.
    pub wall: WallTime,
    /// The signature of the invitation's key, where it is a link; zeros otherwise.
    pub proof: [u8; 64],
    /// The person's signature.
    pub signature: [u8; 64],
}

impl JoinRequest {
    /// Signs a request of `key`'s person. `invitation` is the invitation and, for a link, its secret.
    pub fn sign(
        group: GroupId,
        key: &PersonKey,
        sealing: SealingPublic,
        invitation: Option<(ChangeId, Option<[u8; 32]>)>,
        wall: WallTime,
    ) -> JoinRequest {
        let person = key.id();
        let proof = match invitation {
            Some((_, Some(secret))) => SigningKey::from_bytes(&secret).sign(&proof_bytes(group, person)).to_bytes(),
            _ => [0; 64],
        };
        let invitation = invitation.map(|(id, _)| id);
        let mut request = JoinRequest { person, sealing, invitation, wall, proof, signature: [0; 64] };
        request.signature = key.signing().sign(&request.signed(group)).to_bytes();
        request
    }

    /// Whether the person signed it for this group.
    pub fn is_signed(&self, group: GroupId) -> bool {
        verifies(&self.person.0, &self.signed(group), &self.signature)
    }

    /// Whether whoever signed it had the secret of the link with this key.
    pub fn proves(&self, group: GroupId, link: &[u8; 32]) -> bool {
        verifies(link, &proof_bytes(group, self.person), &self.proof)
    }

    fn signed(&self, group: GroupId) -> Vec<u8> {
        let mut to = Writer::new();
        to.fixed(REQUEST).fixed(&group.0);
        self.write_body(&mut to);
        to.finish()
    }

    fn write_body(&self, to: &mut Writer) {
        to.fixed(&self.person.0).fixed(&self.sealing.0);
        to.fixed(&self.invitation.map_or([0; 32], |id| id.0)).u64(self.wall.0).fixed(&self.proof);
    }

    /// Writes the request.
    pub fn write(&self, to: &mut Writer) {
        self.write_body(to);
        to.fixed(&self.signature);
    }

    /// Reads a request, without verifying it.
    pub fn read(from: &mut Reader<'_>) -> Result<JoinRequest, DecodeError> {
        Ok(JoinRequest {
            person: PersonId(from.fixed()?),
            sealing: SealingPublic(from.fixed()?),
            invitation: Some(ChangeId(from.fixed()?)).filter(|id| id.0 != [0; 32]),
            wall: WallTime(from.u64()?),
            proof: from.fixed()?,
            signature: from.fixed()?,
        })
    }
}

/// Returns the public half of a link's secret.
pub fn link_key(secret: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(secret).verifying_key().to_bytes()
}

fn proof_bytes(group: GroupId, person: PersonId) -> Vec<u8> {
    [PROOF, &group.0, &person.0].concat()
}

fn verifies(key: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok())
}

/// One member's part of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Whose.
    pub person: PersonId,
    /// The epoch's secret, sealed to the person's key.
    pub sealed: [u8; SEALED_SECRET_BYTES],
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begins the group; the author is its first admin.
    Create {
        /// Who can come in.
        kind: Kind,
        /// Makes two groups of one person differ.
        nonce: [u8; 16],
        /// The creator's sealing key.
        sealing: SealingPublic,
    },
    /// Invites. By an admin.
    Invite {
        /// Whom.
        to: Invitee,
        /// How many persons can come in by it, 0: any number.
        uses: u16,
        /// What they become.
        role: Role,
    },
    /// Takes an invitation back: it lets nobody in where this is known. By an admin.
    Cancel {
        /// Which.
        invitation: ChangeId,
    },
    /// Lets a person in. By any member.
    Admit {
        /// What the person signed.
        request: JoinRequest,
    },
    /// Gives a role. By an admin.
    Role {
        /// To whom.
        person: PersonId,
        /// Which.
        role: Role,
    },
    /// Expels, by an admin; of oneself: leaves.
    Remove {
        /// Whom.
        person: PersonId,
    },
    /// States the name and description anew, sealed by an epoch. By an admin.
    Rename {
        /// The sealed text.
        meta: Vec<u8>,
    },
    /// Hands out a new secret. By any member.
    Epoch {
        /// What the secret must give, so that a wrong one is noticed: see [`super::keys::EpochSecret::commitment`].
        commitment: [u8; 32],
        /// The members it is for, ordered by person.
        recipients: Vec<Recipient>,
        /// Name and description under the new secret, so that new members can read them; may be empty.
        meta: Vec<u8>,
    },
    /// Says what the author knew at this point, and ties what was written at once together. By any member.
    Seen,
}

/// A change whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The group; of the first change: the one that it begins.
    pub group: GroupId,
    /// Who wrote it.
    pub author: PersonId,
    /// What the author knew: the changes that no other known one names, in ascending order.
    pub predecessors: Vec<ChangeId>,
    /// When, by the author's clock. Shown, never used to decide.
    pub wall: WallTime,
    /// What it does.
    pub action: Action,
}

impl Change {
    /// Signs a change; `self.author` has to be the key's person. Returns its name and bytes.
    pub fn sign(&self, key: &PersonKey) -> (ChangeId, Vec<u8>) {
        debug_assert_eq!(self.author, key.id());
        let mut bytes = self.encode();
        let signature = key.signing().sign(&[SIGNED, bytes.as_slice()].concat()).to_bytes();
        bytes.extend_from_slice(&signature);
        (id_of(&bytes), bytes)
    }

    /// Signs the first change of a group, which names the group.
    pub fn create(
        key: &PersonKey,
        kind: Kind,
        nonce: [u8; 16],
        sealing: SealingPublic,
        wall: WallTime,
    ) -> (GroupId, Vec<u8>) {
        let change = Change {
            group: GroupId([0; 32]),
            author: key.id(),
            predecessors: Vec::new(),
            wall,
            action: Action::Create { kind, nonce, sealing },
        };
        let (id, bytes) = change.sign(key);
        (GroupId(id.0), bytes)
    }

    /// Reads and verifies a change and returns its name with it.
    pub fn decode(bytes: &[u8]) -> Result<(ChangeId, Change), ChangeError> {
        if bytes.len() > MAX_CHANGE_BYTES {
            return Err(DecodeError::Limit.into());
        }
        let (body, signature) = bytes.split_last_chunk::<64>().ok_or(DecodeError::Short)?;
        let mut from = Reader::new(body);
        let mut change = Change::read(&mut from)?;
        from.finish()?;
        if !verifies(&change.author.0, &[SIGNED, body].concat(), signature) {
            return Err(ChangeError::Signature);
        }
        let id = id_of(bytes);
        match &change.action {
            Action::Create { .. } => change.group = GroupId(id.0),
            Action::Admit { request } if !request.is_signed(change.group) => return Err(ChangeError::Signature),
            _ => {}
        }
        Ok((id, change))
    }

    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        let group = if matches!(self.action, Action::Create { .. }) { [0; 32] } else { self.group.0 };
        to.u8(VERSION).fixed(&group).fixed(&self.author.0).u8(self.predecessors.len() as u8);
        for id in &self.predecessors {
            to.fixed(&id.0);
        }
        to.u64(self.wall.0);
        self.action.write(&mut to);
        to.finish()
    }

    fn read(from: &mut Reader<'_>) -> Result<Change, DecodeError> {
        if from.u8()? != VERSION {
            return Err(DecodeError::Value);
        }
        let group = GroupId(from.fixed()?);
        let author = PersonId(from.fixed()?);
        let count = usize::from(from.u8()?);
        if count > MAX_PREDECESSORS {
            return Err(DecodeError::Limit);
        }
        let mut predecessors: Vec<ChangeId> = Vec::with_capacity(count);
        for _ in 0..count {
            let id = ChangeId(from.fixed()?);
            if predecessors.last().is_some_and(|last| *last >= id) {
                return Err(DecodeError::Value);
            }
            predecessors.push(id);
        }
        let wall = WallTime(from.u64()?);
        let action = Action::read(from)?;
        // Exactly the first change has nothing before it and no name of a group in it.
        let first = matches!(action, Action::Create { .. });
        if first != predecessors.is_empty() || first != (group.0 == [0; 32]) {
            return Err(DecodeError::Value);
        }
        Ok(Change { group, author, predecessors, wall, action })
    }
}

/// Reads a change without its signature, and checks that there is no other way to write it. For fuzzing.
pub(super) fn round_trip(bytes: &[u8]) {
    let mut from = Reader::new(bytes);
    if let Ok(change) = Change::read(&mut from)
        && from.finish().is_ok()
    {
        assert_eq!(change.encode(), bytes);
    }
}

pub(super) fn id_of(bytes: &[u8]) -> ChangeId {
    ChangeId(Sha256::new().chain_update(NAMED).chain_update(bytes).finalize().into())
}

impl Action {
    fn write(&self, to: &mut Writer) {
        match self {
            Action::Create { kind, nonce, sealing } => {
                to.u8(0).u8(*kind as u8).fixed(nonce).fixed(&sealing.0);
            }
            Action::Invite { to: invitee, uses, role } => {
                let (tag, key) = match invitee {
                    Invitee::Link(key) => (0, key),
                    Invitee::Person(person) => (1, &person.0),
                };
                to.u8(1).u8(tag).fixed(key).u16(*uses).u8(*role as u8);
            }
            Action::Cancel { invitation } => {
                to.u8(2).fixed(&invitation.0);
            }
            Action::Admit { request } => {
                to.u8(3);
                request.write(to);
            }
            Action::Role { person, role } => {
                to.u8(4).fixed(&person.0).u8(*role as u8);
            }
            Action::Remove { person } => {
                to.u8(5).fixed(&person.0);
            }
            Action::Rename { meta } => {
                to.u8(6).bytes(meta);
            }
            Action::Epoch { commitment, recipients, meta } => {
                to.u8(7).fixed(commitment).u16(recipients.len() as u16);
                for recipient in recipients {
                    to.fixed(&recipient.person.0).fixed(&recipient.sealed);
                }
                to.bytes(meta);
            }
            Action::Seen => {
                to.u8(8);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Action, DecodeError> {
        let role = |from: &mut Reader<'_>| Ok(if from.flag()? { Role::Admin } else { Role::Member });
        Ok(match from.u8()? {
            0 => {
                let kind = match from.u8()? {
                    0 => Kind::Open,
                    1 => Kind::ByInvitation,
                    2 => Kind::Private,
                    _ => return Err(DecodeError::Value),
                };
                Action::Create { kind, nonce: from.fixed()?, sealing: SealingPublic(from.fixed()?) }
            }
            1 => {
                let to = match (from.u8()?, from.fixed()?) {
                    (0, key) => Invitee::Link(key),
                    (1, key) => Invitee::Person(PersonId(key)),
                    _ => return Err(DecodeError::Value),
                };
                Action::Invite { to, uses: from.u16()?, role: role(from)? }
            }
            2 => Action::Cancel { invitation: ChangeId(from.fixed()?) },
            3 => Action::Admit { request: JoinRequest::read(from)? },
            4 => Action::Role { person: PersonId(from.fixed()?), role: role(from)? },
            5 => Action::Remove { person: PersonId(from.fixed()?) },
            6 => Action::Rename { meta: from.bytes(MAX_META_BYTES)?.to_vec() },
            7 => {
                let commitment = from.fixed()?;
                let count = usize::from(from.u16()?);
                if count > MAX_MEMBERS {
                    return Err(DecodeError::Limit);
                }
                let mut recipients: Vec<Recipient> = Vec::with_capacity(count.min(from.left() / RECIPIENT_BYTES));
                for _ in 0..count {
                    let recipient = Recipient { person: PersonId(from.fixed()?), sealed: from.fixed()? };
                    if recipients.last().is_some_and(|last| last.person >= recipient.person) {
                        return Err(DecodeError::Value);
                    }
                    recipients.push(recipient);
                }
                Action::Epoch { commitment, recipients, meta: from.bytes(MAX_META_BYTES)?.to_vec() }
            }
            8 => Action::Seen,
            _ => return Err(DecodeError::Value),
        })
    }
}
