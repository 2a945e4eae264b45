//! Talking with people: conversations, messages, rooms, search.

mod attached;
mod export;
mod rooms;
mod send;
pub(super) mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat::proto::{Conversation, MessageId};
use chat::{MAX_PAGE, Span};
use people::proto::PersonLink;
use rpc::{
    ChatChange, ChatHit, ChatInfo, ChatIrc, ChatMailbox, ChatMeet, ChatMessage, ChatPage, ChatRead, ChatState,
    ChatTyping, ChatWaiting, Problem,
};
use serde::Deserialize;

use super::AppState;
use super::body::{Body, Params, Word};
use super::problem::ApiError;
use crate::chat::{ChatFailure, ChatHandle};
pub(super) use attached::{__path_attach, __path_fetch, attach, fetch};
pub(super) use export::{__path_export, export};
pub(super) use rooms::{__path_open, __path_rooms, open, rooms};
pub(super) use send::{__path_send, send};

/// How many messages are told where nobody says. Arbitrary: some screens.
const PAGE: usize = 50;

/// Options of [`messages`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PageParams {
    before: Option<String>,
    after: Option<String>,
    around: Option<String>,
    limit: Option<usize>,
}

/// Options of [`search`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SearchParams {
    words: String,
    chat: Option<String>,
    limit: Option<u32>,
    offset: Option<u32>,
}

impl From<ChatFailure> for ApiError {
    fn from(failure: ChatFailure) -> ApiError {
        use chat::proto::ChatError;
        let detail = failure.to_string();
        match failure {
            ChatFailure::Input(_)
            | ChatFailure::Refused(ChatError::TooLong { .. } | ChatError::TooLongUnasked { .. } | ChatError::Empty) => {
                ApiError::bad_request(detail)
            }
            ChatFailure::NotFound(_) | ChatFailure::Refused(ChatError::NotYours) => ApiError::not_found(detail),
            ChatFailure::Refused(_) => ApiError::conflict(detail),
            ChatFailure::Failing(_) | ChatFailure::Unstored(_) | ChatFailure::Database(_) => ApiError::local(detail),
            ChatFailure::Over => {
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "The node is shutting down", detail)
            }
        }
    }
}

/// Lists the conversations.
#[utoipa::path(get, path = "/api/v1/chats", responses(
    (status = 200, description = "The conversations, the one in which something was said last first", body = Vec<ChatInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>) -> Result<Json<Vec<ChatInfo>>, ApiError> {
    Ok(Json(view::infos(state.chat()?).await?))
}

/// Finds somebody to write to who is neither a contact nor a fellow member. What is written to them is a request.
#[utoipa::path(post, path = "/api/v1/chats", request_body = ChatMeet, responses(
    (status = 200, description = "The conversation; its id is how it is named from now on", body = ChatInfo),
    (status = 400, description = "The link is damaged", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No node of the person answers", body = Problem),
    (status = 409, description = "The node has no identity or meets nobody, or the person is blocked", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn meet(
    State(state): State<AppState>,
    Body(request): Body<ChatMeet>,
) -> Result<Json<ChatInfo>, ApiError> {
    let chat = state.chat()?;
    let link = request.link.parse::<PersonLink>().map_err(|error| ApiError::bad_request(error.to_string()))?;
    let of = chat.meet(&link).await?;
    Ok(Json(view::info(chat, &of).await?))
}

/// Tells of one conversation.
#[utoipa::path(get, path = "/api/v1/chats/{chat}", params(("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM")), responses(
    (status = 200, description = "The conversation", body = ChatInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
))]
pub(crate) async fn one(State(state): State<AppState>, Word(name): Word) -> Result<Json<ChatInfo>, ApiError> {
    let (chat, of) = found(&state, &name)?;
    Ok(Json(view::info(chat, &of).await?))
}

/// Changes how a conversation is shown here.
#[utoipa::path(patch, path = "/api/v1/chats/{chat}", request_body = ChatChange, params(("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM")), responses(
    (status = 200, description = "The conversation", body = ChatInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    Word(name): Word,
    Body(change): Body<ChatChange>,
) -> Result<Json<ChatInfo>, ApiError> {
    let (chat, of) = found(&state, &name)?;
    if let Some(muted) = change.muted {
        chat.mute(&of, muted).await?;
    }
    Ok(Json(view::info(chat, &of).await?))
}

/// Reads a part of a conversation: the last messages, or those before, after or around one.
#[utoipa::path(get, path = "/api/v1/chats/{chat}/messages", params(
    ("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM"),
    ("before" = Option<String>, Query, description = "Only messages before this one"),
    ("after" = Option<String>, Query, description = "Only messages after this one, the first of them"),
    ("around" = Option<String>, Query, description = "Messages around this one"),
    ("limit" = Option<u32>, Query, description = "How many at most; 50 by default, at most 1000"),
), responses(
    (status = 200, description = "The messages, the oldest first", body = ChatPage),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so, or there is no such message", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
))]
pub(crate) async fn messages(
    State(state): State<AppState>,
    Word(name): Word,
    Params(params): Params<PageParams>,
) -> Result<Json<ChatPage>, ApiError> {
    let (chat, of) = found(&state, &name)?;
    let limit = params.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let at = async |id: &Option<String>| match id {
        Some(id) => Ok::<_, ApiError>(Some(chat.position(&of, message(id)?).await?)),
        None => Ok(None),
    };
    let entries = match at(&params.around).await? {
        Some(around) => chat.store().around(&of, around, limit).await.map_err(ChatFailure::from)?,
        None => {
            let (before, after) = (at(&params.before).await?, at(&params.after).await?);
            let from_start = after.is_some() && before.is_none();
            chat.history(&of, Span { before, after, from_start }, limit).await?
        }
    };
    let mut page = ChatPage::default();
    if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
        let before = Span { before: Some(first.position), ..Span::default() };
        let after = Span { after: Some(last.position), from_start: true, ..Span::default() };
        page.more_before = !chat.history(&of, before, 1).await?.is_empty();
        page.more_after = !chat.history(&of, after, 1).await?.is_empty();
    }
    page.messages = entries.into_iter().map(|entry| view::message(chat, &of, entry)).collect();
    Ok(Json(page))
}

/// Reads one message.
#[utoipa::path(get, path = "/api/v1/chats/{chat}/messages/{id}", params(
    ("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM"),
    ("id" = String, Path, description = "The message's id"),
), responses(
    (status = 200, description = "The message", body = ChatMessage),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so, or there is no such message", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
))]
pub(crate) async fn one_message(
    State(state): State<AppState>,
    super::body::Words((name, id)): super::body::Words,
) -> Result<Json<ChatMessage>, ApiError> {
    let (chat, of) = found(&state, &name)?;
    let id = message(&id)?;
    // For the words where there is none.
    chat.position(&of, id).await?;
    let gone = || ApiError::not_found(format!("there is no message {id} any more: read the conversation again"));
    let entry = chat.entry(&of, id).await?.ok_or_else(gone)?;
    Ok(Json(view::message(chat, &of, entry)))
}

/// Says that the user read messages, or all of a conversation.
#[utoipa::path(post, path = "/api/v1/chats/{chat}/read", request_body = ChatRead, params(("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM")), responses(
    (status = 204, description = "They are read"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn read(
    State(state): State<AppState>,
    Word(name): Word,
    Body(request): Body<ChatRead>,
) -> Result<StatusCode, ApiError> {
    let (chat, of) = found(&state, &name)?;
    if !request.messages.is_empty() {
        let ids = request.messages.iter().map(|id| message(id)).collect::<Result<Vec<_>, _>>()?;
        chat.mark_read(&of, ids).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    // What comes meanwhile was not seen.
    let newest = chat.history(&of, Span::default(), 1).await?.pop().map(|entry| entry.position);
    loop {
        let unread = chat.store().unread(&of, newest, MAX_PAGE).await.map_err(ChatFailure::from)?;
        if unread.is_empty() || newest.is_none() {
            return Ok(StatusCode::NO_CONTENT);
        }
        chat.mark_read(&of, unread.into_iter().map(|position| position.id).collect()).await?;
    }
}

/// Says that the user writes just now, or stopped. Whoever writes on says so every few seconds.
#[utoipa::path(post, path = "/api/v1/chats/{chat}/typing", request_body = ChatTyping, params(("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM")), responses(
    (status = 204, description = "They are told, if the user lets them know"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn typing(
    State(state): State<AppState>,
    Word(name): Word,
    Body(request): Body<ChatTyping>,
) -> Result<StatusCode, ApiError> {
    let (chat, of) = found(&state, &name)?;
    chat.typing(&of, request.typing).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes messages of somebody who is no contact.
#[utoipa::path(post, path = "/api/v1/chats/{chat}/accept", params(("chat" = String, Path, description = "The person's name or id")), responses(
    (status = 200, description = "The conversation", body = ChatInfo),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
))]
pub(crate) async fn accept(State(state): State<AppState>, Word(name): Word) -> Result<Json<ChatInfo>, ApiError> {
    let (chat, of) = found(&state, &name)?;
    chat.accept(&of).await?;
    Ok(Json(view::info(chat, &of).await?))
}

/// Leaves alone what somebody wrote who is no contact: it is unread no more, and nothing more of theirs is taken.
#[utoipa::path(post, path = "/api/v1/chats/{chat}/refuse", params(("chat" = String, Path, description = "The person's name or id")), responses(
    (status = 204, description = "It is left alone"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody, or it is a contact, or a room", body = Problem),
))]
pub(crate) async fn refuse(State(state): State<AppState>, Word(name): Word) -> Result<StatusCode, ApiError> {
    let (chat, of) = found(&state, &name)?;
    let shown = chat.name(&of);
    let Some(person) = of.partner(chat.me()) else {
        let detail = format!("{shown} is a room, and nobody's request: leave the group to hear nothing more of it");
        return Err(ApiError::conflict(detail));
    };
    if super::people::people(&state)?.book().is_contact(&person) {
        return Err(ApiError::conflict(format!(
            "{shown} is a contact and asks for nothing: block them to hear nothing more of them"
        )));
    }
    chat.refuse(&of).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Finds messages by their words.
#[utoipa::path(get, path = "/api/v1/messages", params(
    ("words" = String, Query, description = "All of these words are in them, the last one at least its beginning"),
    ("chat" = Option<String>, Query, description = "Only in this conversation"),
), responses(
    (status = 200, description = "The messages, the newest first: 50 of them, or where a page is asked for the last 1000", body = Vec<ChatHit>),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
))]
pub(crate) async fn search(
    State(state): State<AppState>,
    Params(params): Params<SearchParams>,
) -> Result<Json<Vec<ChatHit>>, ApiError> {
    let chat = state.chat()?;
    let of = params.chat.as_deref().map(|name| chat.find(name)).transpose()?;
    // The page is cut out of them where all lists are cut.
    let most = if params.limit.is_some() || params.offset.is_some() { MAX_PAGE } else { PAGE };
    let hits = chat.search(&params.words, of.as_ref(), most).await?;
    Ok(Json(hits.into_iter().map(|hit| view::hit(chat, hit)).collect()))
}

/// Tells how talking goes: what waits, who keeps messages for this node.
#[utoipa::path(get, path = "/api/v1/chat", responses(
    (status = 200, description = "How it goes", body = ChatState),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
))]
pub(crate) async fn overall(State(state): State<AppState>) -> Result<Json<ChatState>, ApiError> {
    let chat = state.chat()?;
    let config = state.controls().shown().config.chat;
    let failure = chat.failure();
    // While nothing can be stored, nothing can be asked either.
    let waiting = if failure.is_some() { Default::default() } else { chat.waiting().await? };
    let waits = |(person, messages): (base::PersonId, usize)| ChatWaiting {
        name: chat.person_name(person),
        person: person.to_string(),
        messages: messages as u64,
    };
    let mailbox = |chosen: crate::chat::Chosen| ChatMailbox {
        node: chosen.node.to_string(),
        name: chat.circle().person_of(chosen.node).map(|person| chat.person_name(person)),
        named: chosen.named,
    };
    let chosen = chat.mailboxes();
    let led_to_none = |named: &String| chosen.iter().all(|chosen| chosen.named != *named);
    let without_mailbox = config.mailboxes.iter().filter(|named| led_to_none(named)).cloned().collect();
    Ok(Json(ChatState {
        waiting: waiting.into_iter().filter(|(_, messages)| *messages > 0).map(waits).collect(),
        mailboxes: chosen.into_iter().map(mailbox).collect(),
        without_mailbox,
        receipts: config.receipts,
        typing: config.typing,
        failure,
        irc: state.irc().map(crate::chat::Gateway::state).filter(|_| config.irc.on).map(|irc| ChatIrc {
            address: irc.listens.map(|address| address.to_string()),
            clients: irc.clients as u32,
            failure: irc.failure,
        }),
    }))
}

/// Asks the user's other nodes for all that was said before this one was added.
#[utoipa::path(post, path = "/api/v1/chat/history", responses(
    (status = 202, description = "They are asked; what they have comes by and by"),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node has no identity or meets nobody, or the user has no other node", body = Problem),
))]
pub(crate) async fn ask_history(State(state): State<AppState>) -> Result<StatusCode, ApiError> {
    let chat = state.chat()?;
    let circle = chat.circle();
    if circle.nodes_of(chat.me()).into_iter().all(|node| node == circle.own_node()) {
        return Err(ApiError::conflict(
            "you have no other computer that could be asked: add one first (`compeer node add`, POST \
             /api/v1/nodes/code)",
        ));
    }
    chat.ask_history().await?;
    Ok(StatusCode::ACCEPTED)
}

/// Returns the conversation that a request names.
fn found<'a>(state: &'a AppState, name: &str) -> Result<(&'a ChatHandle, Conversation), ApiError> {
    let chat = state.chat()?;
    Ok((chat, chat.find(name)?))
}

fn message(id: &str) -> Result<MessageId, ApiError> {
    id.parse().map_err(|error: chat::proto::MessageIdError| ApiError::bad_request(error.to_string()))
}
