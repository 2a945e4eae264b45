//! Feeds whose entries are taken up.

use axum::Json;
use axum::extract::State;
use rpc::{FeedInfo, Problem};

use super::AppState;
use super::problem::ApiError;

/// Lists the feeds of the settings.
#[utoipa::path(get, path = "/api/v1/feeds", responses(
    (status = 200, description = "The feeds", body = Vec<FeedInfo>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>) -> Result<Json<Vec<FeedInfo>>, ApiError> {
    let listed = state.parts().feeds.list().await;
    listed.map(Json).map_err(|error| ApiError::local(error.to_string()))
}

/// Asks all feeds now, and answers when they were asked, or after half a minute.
#[utoipa::path(post, path = "/api/v1/feeds/poll", responses(
    (status = 200, description = "The feeds", body = Vec<FeedInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "Nobody is asked as things are", body = Problem),
))]
pub(crate) async fn poll(state: State<AppState>) -> Result<Json<Vec<FeedInfo>>, ApiError> {
    state.parts().feeds.poll_now().await.map_err(ApiError::conflict)?;
    list(state).await
}
