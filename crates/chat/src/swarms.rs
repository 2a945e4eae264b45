//! What chat asks of the node about the files that go with messages.

use std::fmt;
use std::pin::Pin;

use base::PersonId;

use crate::proto::{Conversation, MessageId};

/// Names a swarm, as whoever runs it does.
pub type SwarmId = [u8; 20];

/// What is done when it is awaited.
pub type Doing<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A file of this node's user that goes with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its swarm.
    pub swarm: SwarmId,
    /// Where the message is.
    pub conversation: Conversation,
    /// Which it is; `None`: nobody knows whether it was written, since the node ended in between.
    pub message: Option<MessageId>,
}

/// The swarms of files that go with messages.
pub trait Swarms: fmt::Debug + Send + Sync + 'static {
    /// Lists what goes with messages of this node.
    fn attachments(&self) -> Vec<Attachment>;

    /// Returns the swarm that the notice of a message names; `None`: it is not understood.
    fn swarm_of(&self, notice: &[u8]) -> Option<SwarmId>;

    /// Says that the message is written.
    fn written<'a>(&'a self, swarm: SwarmId, message: MessageId) -> Doing<'a>;

    /// Says that the message is gone: the file is shared no longer, and stays where it is.
    fn gone<'a>(&'a self, swarm: SwarmId) -> Doing<'a>;

    /// Says that somebody whose messages the user takes wrote one with this notice: it is taken up if the user has a rule
    /// for that.
    fn arrived<'a>(&'a self, author: PersonId, conversation: &'a Conversation, notice: &'a [u8]) -> Doing<'a>;
}
