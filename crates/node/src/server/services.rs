//! What the node offers to strangers.

use axum::Json;
use axum::extract::State;
use rpc::{MailboxStats, Problem, RelayStats, TrackerStats};

use super::AppState;
use super::problem::ApiError;

/// Tells what the tracker holds, and what it was asked.
#[utoipa::path(get, path = "/api/v1/services/tracker", responses(
    (status = 200, description = "The numbers of the tracker", body = TrackerStats),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node offers no tracker", body = Problem),
))]
pub(crate) async fn tracker(State(state): State<AppState>) -> Result<Json<TrackerStats>, ApiError> {
    let stats = state.parts().services.tracker_stats();
    let none = "the node offers no tracker: start it with `compeer up --offer tracker`";
    stats.map(Json).ok_or_else(|| ApiError::not_found(none))
}

/// Tells who uses the relay, and what it passed on.
#[utoipa::path(get, path = "/api/v1/services/relay", responses(
    (status = 200, description = "The numbers of the relay", body = RelayStats),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node offers no relay", body = Problem),
))]
pub(crate) async fn relay(State(state): State<AppState>) -> Result<Json<RelayStats>, ApiError> {
    let stats = state.parts().services.relay_stats();
    stats
        .map(Json)
        .ok_or_else(|| ApiError::not_found("the node offers no relay: start it with `compeer up --offer relay`"))
}

/// Tells for whom the mailbox keeps something, and how much.
#[utoipa::path(get, path = "/api/v1/services/mailbox", responses(
    (status = 200, description = "The numbers of the mailbox", body = MailboxStats),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node offers no mailbox", body = Problem),
))]
pub(crate) async fn mailbox(State(state): State<AppState>) -> Result<Json<MailboxStats>, ApiError> {
    let stats = state.parts().services.mailbox_stats();
    let none = "the node offers no mailbox: `compeer offer mailbox --on` starts it";
    stats.map(Json).ok_or_else(|| ApiError::not_found(none))
}
