//! A conversation for other programs, as it is read: a long one takes no more memory than a short one.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base::{GroupId, PersonId};
use chat::export::{Names, write_json, write_mbox};
use chat::proto::Conversation;
use futures_util::Stream;
use rpc::Problem;
use serde::Deserialize;

use super::super::AppState;
use super::super::body::{Params, Word};
use super::super::problem::ApiError;
use super::found;
use crate::chat::ChatHandle;

/// Options of [`export`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ExportParams {
    format: Format,
}

/// As what a conversation is exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// Lines of JSON.
    #[default]
    Json,
    /// A folder of mails.
    Mbox,
}

impl Names for ChatHandle {
    fn person(&self, person: PersonId) -> String {
        self.person_name(person)
    }

    fn group(&self, group: GroupId) -> String {
        self.circle().group_name(group).unwrap_or_else(|| group.to_string()[..8].to_owned())
    }
}

/// Writes a conversation as lines of JSON, or as a folder of mails (RFC 4155).
#[utoipa::path(get, path = "/api/v1/chats/{chat}/export", params(
    ("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM"),
    ("format" = Option<String>, Query, description = "`json` (the default) or `mbox`"),
), responses(
    (status = 200, description = "The conversation", content(
        (String = "application/jsonl"), (String = "application/mbox"),
    )),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
))]
pub(crate) async fn export(
    State(state): State<AppState>,
    Word(name): Word,
    Params(params): Params<ExportParams>,
) -> Result<Response, ApiError> {
    let (chat, of) = found(&state, &name)?;
    let kind = match params.format {
        Format::Json => "application/jsonl",
        Format::Mbox => "application/mbox",
    };
    let body = Body::from_stream(written(chat.clone(), of, params.format));
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// What was written and not taken yet.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Option<Vec<u8>> {
        let taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (!taken.is_empty()).then_some(taken)
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes as it is read: while something was written that nobody has taken, no more is.
fn written(chat: ChatHandle, of: Conversation, format: Format) -> impl Stream<Item = io::Result<Vec<u8>>> + Send {
    let written = Written::default();
    let mut to = written.clone();
    let mut writing = Box::pin(async move {
        match format {
            Format::Json => write_json(chat.store(), &[of], &chat, &mut to).await,
            Format::Mbox => write_mbox(chat.store(), &of, &chat, &mut to).await,
        }
    });
    let mut is_over = false;
    futures_util::stream::poll_fn(move |context| {
        loop {
            if let Some(bytes) = written.take() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if is_over {
                return Poll::Ready(None);
            }
            match writing.as_mut().poll(context) {
                Poll::Ready(Ok(_)) => is_over = true,
                Poll::Ready(Err(error)) => {
                    is_over = true;
                    return Poll::Ready(Some(Err(io::Error::other(error))));
                }
                Poll::Pending => return written.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(bytes)))),
            }
        }
    })
}
