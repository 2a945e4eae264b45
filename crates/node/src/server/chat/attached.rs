//! Files that go with messages: sending one, fetching one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat::Said;
use chat::proto::{Body as Says, Conversation};
use rpc::{AcceptRequest, ChatAttach, InboxEntry, Job, JobKind, Problem, Skipped};

use super::super::AppState;
use super::super::body::{Body, Word, Words};
use super::super::jobs::begin;
use super::super::problem::ApiError;
use super::super::torrents::absolute;
use super::{found, message};
use crate::jobs::{Outcome, Progress};
use crate::sharing::{group_of, resolved};

/// Sends a file or folder of this computer. It is hashed, not copied; then the message is written. Whoever gets that may
/// fetch it, for as long as the message is there, and they help one another.
#[utoipa::path(post, path = "/api/v1/chats/{chat}/attachments", request_body = ChatAttach, params(("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM")), responses(
    (status = 202, description = "It begins", body = Job),
    (status = 400, description = "Not understood, or nobody may fetch it", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "The node has no identity or meets nobody", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 429, description = "Too many jobs", body = Problem),
))]
pub(crate) async fn attach(
    State(state): State<AppState>,
    Word(name): Word,
    Body(request): Body<ChatAttach>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let (chat, of) = found(&state, &name)?;
    let path = resolved(&request.path)?;
    // Found out before anything is hashed.
    state.sharing()?.audience_of(chat.me(), &of)?;
    begin(&state, JobKind::Attach, path.display().to_string(), None, |state, progress| async move {
        run(&state, &of, &path, request.caption, progress).await
    })
}

async fn run(
    state: &AppState,
    of: &Conversation,
    path: &std::path::Path,
    caption: String,
    progress: Progress,
) -> Result<Outcome, ApiError> {
    let (chat, sharing) = (state.chat()?, state.sharing()?);
    let audience = sharing.audience_of(chat.me(), of)?;
    let offer = sharing.attach(path, audience, of, progress).await?;
    let (id, name, bytes) = (offer.share.id(), offer.share.name, offer.share.bytes);
    let says = Says::Attachment { name, bytes, notice: offer.notice, caption };
    let written = match chat.send(of, says).await {
        Ok(written) => written,
        Err(failure) => {
            // What is written after all, when the disk works again, is found at the next start.
            if !matches!(failure, crate::chat::ChatFailure::Unstored(_)) {
                sharing.unsay(id).await;
            }
            return Err(failure.into());
        }
    };
    sharing.said(id, written).await?;
    let skipped = offer.skipped.into_iter().map(|(path, reason)| Skipped { path, reason }).collect();
    Ok(Outcome { torrent: Some(id.to_string()), message: Some(written.to_string()), skipped })
}

/// Fetches what goes with a message. It goes on after a restart, and is a torrent like others.
#[utoipa::path(post, path = "/api/v1/chats/{chat}/messages/{id}/fetch", request_body = AcceptRequest, params(
    ("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM"),
    ("id" = String, Path, description = "The message's id"),
), responses(
    (status = 200, description = "It is being fetched", body = InboxEntry),
    (status = 400, description = "Not understood, or it cannot be fetched", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so, there is no such message, or nothing goes with it", body = Problem),
    (status = 409, description = "The node has no identity or meets nobody, or the user has not said yet whether this person may write", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn fetch(
    State(state): State<AppState>,
    Words((name, id)): Words,
    Body(request): Body<AcceptRequest>,
) -> Result<Json<InboxEntry>, ApiError> {
    let (chat, of) = found(&state, &name)?;
    let folder = request.folder.map(|folder| absolute(&folder)).transpose()?;
    let id = message(&id)?;
    // For the words where there is none.
    chat.position(&of, id).await?;
    let entry = chat.entry(&of, id).await?;
    let (author, notice) = match entry.map(|entry| (entry.author, entry.said)) {
        Some((author, Said::Attachment { notice, .. })) => (author, notice),
        Some((_, Said::Deleted)) | None => {
            return Err(ApiError::not_found("the message was taken back: ask for the file again"));
        }
        Some(_) => return Err(ApiError::not_found("no file goes with this message: fetch that of another one")),
    };
    let asks = chat.conversations().await?.iter().any(|summary| summary.conversation == of && summary.is_request);
    if asks {
        let name = chat.name(&of);
        return Err(ApiError::conflict(format!("{name} is no contact: say first whether they may write to you")));
    }
    let sharing = state.sharing()?;
    let item = sharing.take_attached(author, group_of(&of), &notice, folder).await?;
    Ok(Json(super::super::sharing::entry(&state, sharing, item).await))
}
