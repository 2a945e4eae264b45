//! What a session needs of the node beyond what it sees.

use crate::proto::{Conversation, MessageId};
use base::PersonId;

/// A message as it is now: with other words where it was edited, without any where it was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub id: MessageId,
    /// Who said it.
    pub author: PersonId,
    /// Unix time in milliseconds by the author's clock.
    pub written: u64,
    /// What.
    pub what: What,
    /// Who reacted how.
    pub reactions: Vec<(PersonId, String)>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A text.
    Text {
        /// The words.
        text: String,
        /// The message that it answers.
        answers: Option<MessageId>,
        /// Whether they are not those of the beginning.
        edited: bool,
    },
    /// A file or folder.
    File {
        /// What it is called.
        name: String,
        /// How much it is.
        bytes: u64,
        /// What is said of it.
        caption: String,
    },
    /// It was taken back.
    Gone,
    /// Messages are kept for so many seconds from then on.
    Timer(Option<u32>),
    /// The room was opened.
    Opening,
}

/// From where a page of the history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// From the end.
    End,
    /// From the beginning.
    Beginning,
    /// From a message, itself left out; one that is not here is as if nothing were.
    Message(MessageId),
    /// From a moment in milliseconds of Unix time: messages that were written before, or after it.
    Moment(u64),
}

/// A page of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From where.
    pub from: From,
    /// Towards the beginning; else towards the end.
    pub back: bool,
    /// How many messages at most.
    pub limit: usize,
}

/// What is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A text, and the message that it answers.
    Text {
        /// The words.
        text: String,
        /// The message that it answers.
        answers: Option<MessageId>,
    },
    /// A reaction, or its end.
    Reaction {
        /// To which message.
        to: MessageId,
        /// How.
        reaction: String,
        /// Whether it is put or taken away.
        put: bool,
    },
    /// An earlier message of the user is taken back.
    Deletion {
        /// Which.
        of: MessageId,
    },
}

/// A message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Which it is.
    pub id: MessageId,
    /// Unix time in milliseconds.
    pub written: u64,
}

/// What is newest in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// Where.
    pub conversation: Conversation,
    /// When the newest message was written, in milliseconds of Unix time.
    pub written: u64,
    /// How many are not read yet.
    pub unread: u64,
}

/// What a session asks of the node. Errors are sentences for the user.
pub trait Talk {
    /// Whether a client that shows this may come in. Takes as long for one that may not.
    fn admits(&self, password: &str) -> bool;

    /// Returns the command that fetches the file of a message.
    fn how_to_fetch(&self, conversation: &Conversation, id: MessageId) -> String;

    /// Reads from the history, in the order in which it is shown, the oldest first.
    fn page(
        &mut self,
        conversation: &Conversation,
        page: Page,
    ) -> impl Future<Output = Result<Vec<Entry>, String>> + Send;

    /// Returns a message; `None` when it is not here.
    fn find(
        &mut self,
        conversation: &Conversation,
        id: MessageId,
    ) -> impl Future<Output = Result<Option<Entry>, String>> + Send;

    /// Returns all conversations in which something was said.
    fn latest(&mut self) -> impl Future<Output = Result<Vec<Latest>, String>> + Send;

    /// Says something.
    fn say(&mut self, conversation: &Conversation, said: Said) -> impl Future<Output = Result<Written, String>> + Send;

    /// Lets others know that the user writes, or stopped. What comes of it does not matter.
    fn typing(&mut self, conversation: &Conversation, writes: bool) -> impl Future<Output = ()> + Send;

    /// Notes that the user has read what was written until then, in milliseconds of Unix time.
    fn mark(&mut self, conversation: &Conversation, until: u64) -> impl Future<Output = Result<(), String>> + Send;

    /// Returns when the newest message was written that the user has read; `None`: none yet.
    fn marked(&mut self, conversation: &Conversation) -> impl Future<Output = Result<Option<u64>, String>> + Send;
}
