//! What is said.

use base::PersonId;

use super::id::{Conversation, MessageId};

mod codec;

pub use codec::MAX_MESSAGE_LEN;

/// The longest text in bytes. Arbitrary: a few pages; what is longer is a file.
pub const MAX_TEXT: usize = 16 << 10;

/// How many causes a message names at most. Arbitrary: more people than write at the same moment.
pub const MAX_AFTER: usize = 256;

/// The longest reaction in bytes: an emoji of several parts.
pub const MAX_REACTION: usize = 32;

/// The longest notice of an attachment in bytes; the crate `sharing` limits one to less.
pub const MAX_ATTACHMENT_NOTICE: usize = 32 << 10;

/// The longest name of an attachment in bytes: that of a file on most systems.
pub const MAX_ATTACHMENT_NAME: usize = 255;

/// One message as everybody sees it who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub conversation: Conversation,
    /// Which.
    pub id: MessageId,
    /// Who says it.
    pub author: PersonId,
    /// Unix time in seconds by the author's clock, but more than that of everything its author's node had shown there (a
    /// hybrid logical clock: Kulkarni et al., 2014). With the id it orders the conversation, alike on all nodes, and no effect
    /// before its cause.
    pub time: u64,
    /// Unix time in milliseconds by the author's clock, which may be wrong: to be shown only.
    pub written: u64,
    /// The newest that its author's node had shown there: nothing of it is an ancestor of another. At most
    /// [`MAX_AFTER`], in ascending order.
    pub after: Vec<MessageId>,
    /// For how many seconds it is kept, counted on each node from when it is shown there, never 0; `None`: for good.
    pub expires_s: Option<u32>,
    /// What.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A text, at most [`MAX_TEXT`].
    Text {
        /// The words, as plain text.
        text: String,
        /// The message that it answers.
        answers: Option<MessageId>,
    },
    /// A reaction to a message, or its end.
    Reaction {
        /// To which.
        to: MessageId,
        /// At most [`MAX_REACTION`].
        reaction: String,
        /// Whether it is put or taken away.
        put: bool,
    },
    /// Other words for an earlier text or caption of the same author.
    Edit {
        /// Of which.
        of: MessageId,
        /// At most [`MAX_TEXT`].
        text: String,
    },
    /// An earlier message of the same author is taken back.
    Deletion {
        /// Which.
        of: MessageId,
    },
    /// A file or folder, which is a swarm of those who may read this.
    Attachment {
        /// What it is called, at most [`MAX_ATTACHMENT_NAME`].
        name: String,
        /// How much it is.
        bytes: u64,
        /// What fetching it takes, as the crate `sharing` writes a notice. At most [`MAX_ATTACHMENT_NOTICE`].
        notice: Vec<u8>,
        /// What is said of it, at most [`MAX_TEXT`].
        caption: String,
    },
    /// From now on everybody's messages here are kept for so many seconds; `None`: for good.
    Timer {
        /// How long, never 0.
        expires_s: Option<u32>,
    },
    /// The room is there.
    Opening,
}
