//! What can happen to a copy of a group, and what it can want.

use std::sync::Arc;

use base::PersonId;

use super::change::{ChangeId, Invitee, JoinRequest, MAX_MEMBERS, Role};
use super::keys::{EpochSecret, KeyError};
use super::log::{MAX_CHANGES, MAX_CHANGES_OF_ONE};
use super::message::Message;
use crate::proto::name::Name;

/// A stream to another member, as its driver numbers it.
pub type SessionId = u64;

/// What can happen to a replica.
#[derive(Clone, Debug)]
pub enum Input {
    /// A stream to a node of a person stands, and both ends named the group.
    Connected {
        /// The stream.
        session: SessionId,
        /// Who is behind it, authenticated.
        person: PersonId,
    },
    /// A message came.
    Received {
        /// On which stream.
        session: SessionId,
        /// What.
        message: Message,
    },
    /// A message came by gossip, from some member.
    Heard(Message),
    /// A stream ended.
    Closed {
        /// Which.
        session: SessionId,
    },
    /// It is [`Replica::poll_timeout`]'s time.
    Timeout,
}

/// What a replica wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Store these changes, in this order, before anything that follows.
    Persist(Vec<(ChangeId, Arc<[u8]>)>),
    /// Store these secrets of epochs, which another node of the person gave. Those that are lost come again.
    Keep(Vec<(ChangeId, EpochSecret)>),
    /// Send a message.
    Send {
        /// On which stream.
        session: SessionId,
        /// What.
        message: Message,
    },
    /// Tell all members who are awake, by gossip. Who hears nothing catches up by a stream.
    Publish(Message),
    /// What was heard last names what is not here: whoever said it has it. Open a stream.
    Behind,
    /// End a stream.
    Disconnect {
        /// Which.
        session: SessionId,
        /// Whether the other end sent what no sane program sends.
        blame: bool,
    },
    /// Tell whoever is interested.
    Event(Event),
}

/// What is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Who belongs to the group, or what they may do, or the name, changed.
    Changed,
    /// The present members have a secret, and we have it: this one's.
    Epoch(ChangeId),
    /// We were a member and are none now.
    Out,
    /// A member knows that we left: nothing is left to do.
    Released,
}

/// How we stand to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// We belong to it.
    Member,
    /// We do not belong to it, or not yet, as far as is known.
    Outside,
    /// We left, and nobody has said yet that they know it.
    Left,
    /// We were expelled.
    Expelled,
}

/// What the person of this node does to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Invites.
    Invite {
        /// Whom.
        to: Invitee,
        /// How many can come in by it, 0: any number.
        uses: u16,
        /// What they become.
        role: Role,
    },
    /// Takes an invitation back.
    Cancel(ChangeId),
    /// Lets a person in.
    Admit(Box<JoinRequest>),
    /// Gives a role.
    Role(PersonId, Role),
    /// Expels.
    Expel(PersonId),
    /// Leaves.
    Leave,
    /// Calls the group otherwise.
    Rename(Name),
    /// Hands out a new secret though the members are the same.
    NewEpoch,
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// We are no member.
    #[error("you are not a member of this group: ask for an invitation")]
    NotMember,
    /// Only an admin may.
    #[error("only an admin of the group can do that: ask one")]
    NotAdmin,
    /// The other is no member.
    #[error("this person is not a member of the group: see who is one")]
    NoSuchMember,
    /// The invitation is not there.
    #[error("there is no such invitation, or it was used up: see which are open")]
    NoSuchInvitation,
    /// The person's key is not at hand.
    #[error(
        "your key is locked (unlock it: `compeer group unlock`, POST /api/v1/groups/unlock), or on another of your \
         computers (do this there)"
    )]
    Locked,
    /// They are a member.
    #[error("this person is a member of the group already")]
    Already,
    /// The request does not let anybody in.
    #[error(
        "the invitation does not let this person in: it was used up, taken back, or is another person's; make another"
    )]
    NotInvited,
    /// The group has all the members it can have.
    #[error("the group has {MAX_MEMBERS} members, and no more fit in: somebody has to leave first")]
    MembersFull,
    /// The log is full.
    #[error(
        "the group has as many changes as fit ({MAX_CHANGES}, {MAX_CHANGES_OF_ONE} of one person): begin a new one"
    )]
    LogFull,
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
}
