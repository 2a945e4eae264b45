//! Contacts and invitations as they are kept, and as the nodes of one person tell them to one another.
//!
//! Each is a record with the time of its last change; of two versions the later one holds, and of two with the same time
//! the one whose bytes are greater, so that all nodes of a person come to the same book. What is removed stays as a
//! record that says so.

use base::PersonId;
use sha2::{Digest, Sha256};

use super::codec::{DecodeError, Reader, Writer};
use super::link::{MAX_LINK_BYTES, Secret};
use super::name::Name;

/// The longest encoded record: a contact with a whole link.
pub const MAX_RECORD_BYTES: usize = MAX_LINK_BYTES + 256;

/// How far we and a contact are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// No contact (any more): kept because it is blocked, or was removed.
    None,
    /// We took an invitation; the other does not know it yet.
    Asked,
    /// Both know.
    Mutual,
}

/// A person that we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub person: PersonId,
    /// What we call it; else the name that it shows holds.
    pub petname: Option<Name>,
    /// How far we are.
    pub relation: Relation,
    /// Whether the verification words were compared.
    pub verified: bool,
    /// Whether nothing of it is admitted.
    pub blocked: bool,
    /// The link that we took, until the other has answered.
    pub link: Option<String>,
    /// When it was added: Unix time in seconds.
    pub added: u64,
    /// When this record was changed last: Unix time in milliseconds.
    pub changed: u64,
}

/// The name of an invitation: the first half of the hash of its secret, so that nobody learns the secret by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InviteId(pub [u8; 8]);

/// How an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InviteState {
    /// It can be taken.
    Open,
    /// It was for one, who took it.
    Used,
    /// It was taken back.
    Revoked,
}

/// An invitation that we gave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// What whoever takes it shows.
    pub secret: Secret,
    /// Whether it can be taken more than once.
    pub standing: bool,
    /// How it stands.
    pub state: InviteState,
    /// How often it was taken.
    pub uses: u32,
    /// When it was made: Unix time in seconds.
    pub created: u64,
    /// When it ends by itself: Unix time in seconds.
    pub expires: Option<u64>,
    /// When this record was changed last: Unix time in milliseconds.
    pub changed: u64,
}

/// A record that the nodes of one person share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A contact.
    Contact(Contact),
    /// An invitation.
    Invite(Invite),
}

impl Contact {
    /// Whether the person is one of ours now.
    pub fn is_live(&self) -> bool {
        self.relation != Relation::None && !self.blocked
    }
}

impl Invite {
    /// Returns its name.
    pub fn id(&self) -> InviteId {
        self.secret.invite()
    }

    /// Whether it can be taken. `now`: Unix time in seconds.
    pub fn is_open(&self, now: u64) -> bool {
        self.state == InviteState::Open && self.expires.is_none_or(|expires| now < expires)
    }
}

impl Secret {
    /// Returns the name of the invitation with this secret.
    pub fn invite(&self) -> InviteId {
        let hash = Sha256::new().chain_update(b"compeer invitation 1\n").chain_update(self.0).finalize();
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        InviteId(id)
    }
}

impl std::fmt::Display for InviteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Record {
    /// Returns the bytes, at most [`MAX_RECORD_BYTES`].
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        match self {
            Record::Contact(contact) => {
                to.u8(0).u64(contact.changed).fixed(&contact.person.0);
                to.text(contact.petname.as_ref().map_or("", Name::as_str));
                to.u8(contact.relation as u8).u8(contact.verified.into()).u8(contact.blocked.into());
                to.text(contact.link.as_deref().unwrap_or("")).u64(contact.added);
            }
            Record::Invite(invite) => {
                to.u8(1).u64(invite.changed).fixed(&invite.secret.0).u8(invite.standing.into());
                to.u8(invite.state as u8).u32(invite.uses).u64(invite.created).u64(invite.expires.unwrap_or(0));
            }
        }
        to.finish()
    }

    /// Reads what [`Record::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
        let mut from = Reader::new(bytes);
        let kind = from.u8()?;
        let changed = from.u64()?;
        let record = match kind {
            0 => {
                let person = PersonId(from.fixed()?);
                let petname = match from.text(Name::MAX_BYTES)? {
                    "" => None,
                    text => Some(Name::new(text).map_err(|_| DecodeError::Value)?),
                };
                let relation = match from.u8()? {
                    0 => Relation::None,
                    1 => Relation::Asked,
                    2 => Relation::Mutual,
                    _ => return Err(DecodeError::Value),
                };
                let (verified, blocked) = (from.flag()?, from.flag()?);
                let link = Some(from.text(MAX_LINK_BYTES)?).filter(|text| !text.is_empty()).map(str::to_owned);
                let added = from.u64()?;
                Record::Contact(Contact { person, petname, relation, verified, blocked, link, added, changed })
            }
            1 => {
                let (secret, standing) = (Secret(from.fixed()?), from.flag()?);
                let state = match from.u8()? {
                    0 => InviteState::Open,
                    1 => InviteState::Used,
                    2 => InviteState::Revoked,
                    _ => return Err(DecodeError::Value),
                };
                let (uses, created) = (from.u32()?, from.u64()?);
                let expires = Some(from.u64()?).filter(|&at| at != 0);
                Record::Invite(Invite { secret, standing, state, uses, created, expires, changed })
            }
            _ => return Err(DecodeError::Value),
        };
        from.finish()?;
        Ok(record)
    }

    /// Whether this version holds against another of the same record.
    pub fn is_newer_than(&self, other: &Record) -> bool {
        (self.changed(), self.encode()) > (other.changed(), other.encode())
    }

    fn changed(&self) -> u64 {
        match self {
            Record::Contact(contact) => contact.changed,
            Record::Invite(invite) => invite.changed,
        }
    }
}
