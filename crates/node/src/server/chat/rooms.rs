//! The rooms of a group.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat::proto::{Body as Said, Conversation, RoomName};
use rpc::{ChatInfo, Problem, RoomInfo, RoomRequest};

use super::super::AppState;
use super::super::body::{Body, Word};
use super::super::problem::ApiError;
use super::view;

/// Lists the rooms of a group, as far as something was said in them; the main one always.
#[utoipa::path(get, path = "/api/v1/groups/{id}/rooms", params(("id" = String, Path, description = "The group's name, id or its beginning")), responses(
    (status = 200, description = "The rooms", body = Vec<RoomInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such group", body = Problem),
    (status = 409, description = "The node has no identity, or meets nobody", body = Problem),
))]
pub(crate) async fn rooms(State(state): State<AppState>, Word(name): Word) -> Result<Json<Vec<RoomInfo>>, ApiError> {
    let chat = state.chat()?;
    let group = super::super::named::group(&state, &name)?;
    let mut rooms: Vec<ChatInfo> = view::infos(chat).await?;
    rooms.retain(|info| info.group.as_deref() == Some(&group.to_string()));
    let main = Conversation::Room(group, RoomName::main());
    if !rooms.iter().any(|info| info.room.as_deref() == Some(RoomName::MAIN)) {
        rooms.push(view::info(chat, &main).await?);
    }
    rooms.sort_by_key(|info| (info.room.as_deref() != Some(RoomName::MAIN), info.room.clone()));
    Ok(Json(rooms.into_iter().map(|chat| RoomInfo { name: chat.room.clone().unwrap_or_default(), chat }).collect()))
}

/// Opens a room of a group: all members see that it is there.
#[utoipa::path(post, path = "/api/v1/groups/{id}/rooms", request_body = RoomRequest, params(("id" = String, Path, description = "The group's name, id or its beginning")), responses(
    (status = 201, description = "The room", body = RoomInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such group", body = Problem),
    (status = 409, description = "The node has no identity or meets nobody, the user is in the group no more, or the room is there", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn open(
    State(state): State<AppState>,
    Word(name): Word,
    Body(request): Body<RoomRequest>,
) -> Result<(StatusCode, Json<RoomInfo>), ApiError> {
    let chat = state.chat()?;
    let group = super::super::named::group(&state, &name)?;
    let room = RoomName::new(&request.name).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let conversation = Conversation::Room(group, room.clone());
    if chat.is_there(&conversation).await? {
        return Err(ApiError::conflict(format!("the group has a room {room} already: choose another name")));
    }
    chat.send(&conversation, Said::Opening).await?;
    let chat = view::info(chat, &conversation).await?;
    Ok((StatusCode::CREATED, Json(RoomInfo { name: room.to_string(), chat })))
}
