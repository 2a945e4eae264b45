//! What a session needs of the node beyond what it sees.

use crate::proto::{Body, Conversation, MessageId};
use crate::{Entry, Moment, Position, Span, Summary};

/// What a session asks of the node. Errors are sentences for the user.
pub trait Talk {
    /// Whether a client that shows this may come in. Takes as long for one that may not.
    fn admits(&self, password: &str) -> bool;

    /// Returns the command that fetches an attachment, of whose notice this is.
    fn how_to_fetch(&self, notice: &[u8]) -> String;

    /// Lists the conversations that there are.
    fn conversations(&mut self) -> impl Future<Output = Result<Vec<Summary>, String>> + Send;

    /// Reads lines of a conversation, the oldest first.
    fn lines(
        &mut self,
        of: &Conversation,
        span: Span,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, String>> + Send;

    /// Reads one line; `None`: it is not there (any more).
    fn entry(&mut self, of: &Conversation, id: MessageId)
    -> impl Future<Output = Result<Option<Entry>, String>> + Send;

    /// Finds where a message stands; `None`: nowhere (any more).
    fn position(
        &mut self,
        of: &Conversation,
        id: MessageId,
    ) -> impl Future<Output = Result<Option<Position>, String>> + Send;

    /// Finds the lines around a moment, in milliseconds of Unix time.
    fn moment(&mut self, of: &Conversation, written: u64) -> impl Future<Output = Result<Moment, String>> + Send;

    /// Finds what the user has not read up to a position, or at all, the oldest first.
    fn unread(
        &mut self,
        of: &Conversation,
        until: Option<Position>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Position>, String>> + Send;

    /// Notes that the user has read these.
    fn read(&mut self, of: &Conversation, ids: Vec<MessageId>) -> impl Future<Output = Result<(), String>> + Send;

    /// Says something. Returns when it is stored, and which message it is.
    fn say(&mut self, to: &Conversation, body: Body) -> impl Future<Output = Result<MessageId, String>> + Send;

    /// Lets others know that the user writes, or stopped. What comes of it does not matter.
    fn typing(&mut self, to: &Conversation, writes: bool) -> impl Future<Output = ()> + Send;
}
