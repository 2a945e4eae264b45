//! What a session asks of the node.

use std::sync::Arc;

use ::chat::irc::Talk;
use ::chat::proto::{Body, Conversation, MessageId};
use ::chat::{Entry, Moment, Position, Span, Summary};
use metainfo::InfoHashes;
use sharing::proto::Notice;
use subtle::ConstantTimeEq as _;

use super::super::ChatHandle;

/// How much of a share's id is shown: enough to mean it.
const SHOWN: usize = 8;

/// The conversations of this node, for a client that shows the token.
pub(super) struct NodeTalk {
    pub(super) chat: ChatHandle,
    pub(super) token: Arc<str>,
}

impl Talk for NodeTalk {
    fn admits(&self, password: &str) -> bool {
        password.as_bytes().ct_eq(self.token.as_bytes()).into()
    }

    fn how_to_fetch(&self, notice: &[u8]) -> String {
        let id = Notice::decode(notice).map(|notice| InfoHashes::v2_only(notice.hash).key().to_string());
        // A notice that cannot be read is not in the inbox either.
        let id = id.unwrap_or_else(|_| "ID".to_owned());
        format!("compeer inbox accept {}", id.get(..SHOWN).unwrap_or(&id))
    }

    async fn conversations(&mut self) -> Result<Vec<Summary>, String> {
        self.chat.conversations().await.map_err(|error| error.to_string())
    }

    async fn lines(&mut self, of: &Conversation, span: Span, limit: usize) -> Result<Vec<Entry>, String> {
        self.chat.history(of, span, limit).await.map_err(|error| error.to_string())
    }

    async fn entry(&mut self, of: &Conversation, id: MessageId) -> Result<Option<Entry>, String> {
        self.chat.entry(of, id).await.map_err(|error| error.to_string())
    }

    async fn position(&mut self, of: &Conversation, id: MessageId) -> Result<Option<Position>, String> {
        self.chat.store().position(of, id).await.map_err(|error| error.to_string())
    }

    async fn moment(&mut self, of: &Conversation, written: u64) -> Result<Moment, String> {
        self.chat.store().moment(of, written).await.map_err(|error| error.to_string())
    }

    async fn unread(
        &mut self,
        of: &Conversation,
        until: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, String> {
        self.chat.store().unread(of, until, limit).await.map_err(|error| error.to_string())
    }

    async fn read(&mut self, of: &Conversation, ids: Vec<MessageId>) -> Result<(), String> {
        self.chat.mark_read(of, ids).await.map_err(|error| error.to_string())
    }

    async fn say(&mut self, to: &Conversation, body: Body) -> Result<MessageId, String> {
        self.chat.send(to, body).await.map_err(|error| error.to_string())
    }

    async fn typing(&mut self, to: &Conversation, writes: bool) {
        if let Err(error) = self.chat.typing(to, writes).await {
            tracing::debug!(%error, "nobody is told who writes");
        }
    }
}
