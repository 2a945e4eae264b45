//! All that can happen to the conversations of a node, and all that they can want.

use std::collections::BTreeSet;

use base::{GroupId, NodeId, PersonId};

use super::id::{Conversation, MessageId};
use super::message::Message;

/// Names a question to the outside until it is answered.
pub type Token = u64;

/// Where a node may be reached, as the overlay writes it.
pub type Whereabouts = Vec<String>;

/// A person that this node has to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquaintance {
    /// Who.
    pub person: PersonId,
    /// The nodes that speak for them now, revoked ones left out.
    pub nodes: BTreeSet<NodeId>,
    /// Whether they may write to us without being asked first: contacts, and ourselves.
    pub is_contact: bool,
}

/// A group that this node's person is a member of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fellowship {
    /// Which.
    pub group: GroupId,
    /// Its present members, ourselves included.
    pub members: BTreeSet<PersonId>,
}

/// All people that count, in place of what was said before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Ourselves, contacts, fellow members.
    pub people: Vec<Acquaintance>,
    /// The groups.
    pub groups: Vec<Fellowship>,
    /// Whose messages are neither taken nor shown, and who get none.
    pub blocked: BTreeSet<PersonId>,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Input {
    /// The people, their nodes or the groups are these now.
    People(Known),
    /// The mailboxes that the user chose for this node, in place of those before.
    Mailboxes(Vec<(NodeId, Whereabouts)>),
    /// A stream to a node stands: what waits for it goes that way.
    Connected(NodeId),
    /// It ended. What was sent on it may have been lost.
    Disconnected(NodeId),
    /// The node could not be reached: what waits for it goes to its mailboxes.
    Unreachable(NodeId),
    /// A frame came over the stream of a node, whose key is proven.
    Received(NodeId, Vec<u8>),
    /// A mailbox answered a question; `None`: it did not, in time.
    Answered(Token, Option<Vec<u8>>),
    /// The history was read; messages that are not in it are left out. `None`: it could not be read.
    Fetched(Token, Option<Vec<Message>>),
    /// The time that `poll_timeout` named has come.
    Timeout,
}

/// What is to be done, in order. Nothing behind an [`Output::Persist`] is done before that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Store all of this, or nothing.
    Persist(Vec<Change>),
    /// Send a frame on the stream to a node; where none stands any more, nothing has to be done.
    Send(NodeId, Vec<u8>),
    /// Open a stream to a node; answered by `Connected` or `Unreachable`.
    Dial(NodeId),
    /// Ask a mailbox; answered by `Answered`.
    Ask {
        /// The question's name.
        token: Token,
        /// The node that keeps the mailbox.
        mailbox: NodeId,
        /// Where it may be reached, as whoever uses it said.
        whereabouts: Whereabouts,
        /// The question, as `mailbox::Request` writes it.
        request: Vec<u8>,
    },
    /// Read these from the history; answered by `Fetched`.
    Fetch(Token, Conversation, Vec<MessageId>),
    /// Tell the user's programs.
    Event(Event),
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A fact of the state machine: `restore` gets all of them. `None`: it is gone.
    Fact(Vec<u8>, Option<Vec<u8>>),
    /// A message enters the history, in its place by time and id. What it says of others (an edit, a reaction, a deletion)
    /// takes effect there.
    Message(Box<Message>),
    /// How far a message of ours is with a person; never less than before.
    Stage(Conversation, MessageId, PersonId, Stage),
    /// The user has read these.
    Read(Conversation, Vec<MessageId>),
    /// A conversation is a request of somebody who is no contact, or no longer.
    Request(Conversation, bool),
}

/// How far a message is with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stage {
    /// Here alone.
    Waiting = 0,
    /// In a mailbox of theirs.
    InMailbox = 1,
    /// On one of their nodes.
    Delivered = 2,
    /// They read it, and let us know.
    Read = 3,
}

/// What the user's programs hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message entered the history: ours or another's.
    Shown(Box<Message>),
    /// A message of ours is further than it was.
    Stage(Conversation, MessageId, PersonId, Stage),
    /// These were read, here or on another node of ours.
    Read(Conversation, Vec<MessageId>),
    /// Somebody writes, or stopped.
    Typing(Conversation, PersonId, bool),
    /// Somebody who is no contact wrote for the first time.
    Request(Conversation),
}

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// Too long.
    #[error("that is {len} bytes, at most {max} fit: send it as a file")]
    TooLong {
        /// How long it is.
        len: usize,
        /// How long it may be.
        max: usize,
    },
    /// Too long for somebody for whom it may be a request.
    #[error(
        "until they answer, what you write to them has at most {max} bytes (they may not know you yet): write less"
    )]
    TooLongUnasked {
        /// How long it may be.
        max: usize,
    },
    /// Nothing was said.
    #[error("there is nothing in the message: write something")]
    Empty,
    /// The user is not in the conversation.
    #[error("you are no member of this group (any more): ask for an invitation")]
    NotIn,
    /// The person is blocked.
    #[error("you blocked this person: unblock them first (`compeer contact unblock`, or at the contact on the page)")]
    Blocked,
    /// The partner is neither a contact nor a fellow member.
    #[error(
        "no node of this person is known: ask them for their link, which `compeer id show` and the page show there, \
         and begin the conversation by it"
    )]
    Unknown,
    /// What is meant is not of the author, or not here.
    #[error("there is no such message of yours here: it may be another's, or gone")]
    NotYours,
    /// The waiting queue of somebody is full.
    #[error("{max} messages wait for somebody already, who was not seen for long: write again when they were there")]
    Full {
        /// How many may wait.
        max: usize,
    },
}
