//! Shares that change.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use metainfo::UpdateLink;
use rpc::{FollowRequest, Problem, UpdatesInfo};

use super::AppState;
use super::body::Body;
use super::problem::ApiError;
use crate::NodeError;

/// Lists the shares that change: those of this node, and those that it follows.
#[utoipa::path(get, path = "/api/v1/updates", responses(
    (status = 200, description = "The shares", body = Vec<UpdatesInfo>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>) -> Json<Vec<UpdatesInfo>> {
    Json(state.parts().updates.all())
}

/// Follows a share: newer versions take the place of the one that is here. It ends when the torrent is removed.
#[utoipa::path(post, path = "/api/v1/updates", request_body = FollowRequest, responses(
    (status = 204, description = "It is followed"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 409, description = "Too many are followed", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn follow(
    State(state): State<AppState>,
    Body(request): Body<FollowRequest>,
) -> Result<StatusCode, ApiError> {
    let link: UpdateLink =
        request.link.parse().map_err(|error: metainfo::MagnetError| ApiError::bad_request(error.to_string()))?;
    let no_torrent = |_| ApiError::bad_request("torrent has to be 40 hexadecimal digits");
    let torrent = request.torrent.parse().map_err(no_torrent)?;
    state.session().status(torrent).await?;
    let followed = state.parts().updates.follow(link, torrent, request.seq);
    followed.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says why what changes is not kept.
pub(super) fn refused(error: NodeError) -> ApiError {
    let detail = error.to_string();
    if let NodeError::TooManyUpdates(_) = error { ApiError::conflict(detail) } else { ApiError::local(detail) }
}
