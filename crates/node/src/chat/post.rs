//! Questions to mailboxes: one a stream of the overlay, a frame each way.
//!
//! Who owns a box asks the service `mailbox`; who leaves something for somebody else, the service `deposit`: so that the
//! policy can say to whom each is offered.

use std::sync::Arc;
use std::time::Duration;

use base::NodeId;
use chat::proto::mailbox::{Answer, MAX_ANSWER, Refusal, Request};
use chat::proto::{Token, Whereabouts};
use overlay::{Hint, OpenError, Overlay};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::driver::Word;
use crate::frames;

/// The service of those who own boxes.
pub(crate) const MAILBOX: &str = "mailbox";

/// The service of those who leave something in one.
pub(crate) const DEPOSIT: &str = "deposit";

/// How long a question and its answer may take once the stream stands: a mailbox may hold back its answer for 50 s, until
/// something comes.
pub(super) const EXCHANGE: Duration = Duration::from_secs(60);

/// How many questions are under way at a time; others wait. Arbitrary: a mailbox each for some waiting for letters, and
/// room for letters that go out.
const MAX_ASKING: usize = 64;

/// What a node says of its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It has one for us.
    Yes,
    /// It has none, or not for us.
    No,
    /// It cannot be asked.
    Unknown,
}

/// Asks mailboxes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Post {
    overlay: Overlay,
    words: mpsc::Sender<Word>,
    places: Arc<Semaphore>,
}

impl Post {
    pub(super) fn new(overlay: Overlay, words: mpsc::Sender<Word>) -> Post {
        Post { overlay, words, places: Arc::new(Semaphore::new(MAX_ASKING)) }
    }

    /// Returns where what happens is told.
    pub(super) fn words(&self) -> mpsc::Sender<Word> {
        self.words.clone()
    }

    /// Asks, and tells the answer as [`Word::Answered`].
    pub(super) fn ask_later(&self, token: Token, mailbox: NodeId, whereabouts: Whereabouts, request: Vec<u8>) {
        let post = self.clone();
        tokio::spawn(async move {
            // The places are never closed.
            let place = post.places.acquire().await;
            let answer = post.ask(mailbox, &whereabouts, &request).await;
            drop(place);
            if let Err(error) = &answer {
                tracing::debug!(?mailbox, %error, "a mailbox does not answer");
            }
            // The driver ends only with the node.
            let _ = post.words.send(Word::Answered(token, answer.ok())).await;
        });
    }

    /// Asks whether a node has a mailbox for us.
    pub(super) async fn find_out(&self, node: NodeId, whereabouts: &[String]) -> Offered {
        // Whoever has one answers this, also to somebody who registered nothing there.
        let harmless = Request::Delete { ids: Vec::new() }.encode();
        match self.ask(node, whereabouts, &harmless).await {
            Ok(answer) => match Answer::decode(&answer) {
                Ok(Answer::Refused(Refusal::NotOffered)) | Err(_) => Offered::No,
                Ok(_) => Offered::Yes,
            },
            Err(AskError::Open(OpenError::Refused)) => Offered::No,
            Err(_) => Offered::Unknown,
        }
    }

    async fn ask(&self, node: NodeId, whereabouts: &[String], request: &[u8]) -> Result<Vec<u8>, AskError> {
        let service = match Request::decode(request) {
            Ok(Request::Deposit { .. }) => DEPOSIT,
            _ => MAILBOX,
        };
        let hints: Vec<Hint> = whereabouts.iter().filter_map(|hint| hint.parse().ok()).collect();
        let mut stream = self.overlay.open(node, service, &hints).await?;
        let exchange = async {
            frames::write(&mut stream, request).await?;
            stream.shutdown().await?;
            frames::read(&mut stream, MAX_ANSWER).await
        };
        Ok(timeout(EXCHANGE, exchange).await.map_err(|_| AskError::Time)??)
    }
}

/// Why a mailbox did not answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("no answer came in time")]
    Time,
    #[error(transparent)]
    Broken(#[from] std::io::Error),
}
