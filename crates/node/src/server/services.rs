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
    state.parts().services.tracker_stats().map(Json).ok_or_else(|| none("tracker"))
}

/// Tells who uses the relay, and what it passed on.
#[utoipa::path(get, path = "/api/v1/services/relay", responses(
    (status = 200, description = "The numbers of the relay", body = RelayStats),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node offers no relay", body = Problem),
))]
pub(crate) async fn relay(State(state): State<AppState>) -> Result<Json<RelayStats>, ApiError> {
    state.parts().services.relay_stats().map(Json).ok_or_else(|| none("relay"))
}

/// Tells for whom the mailbox keeps something, and how much.
#[utoipa::path(get, path = "/api/v1/services/mailbox", responses(
    (status = 200, description = "The numbers of the mailbox", body = MailboxStats),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node offers no mailbox", body = Problem),
))]
pub(crate) async fn mailbox(State(state): State<AppState>) -> Result<Json<MailboxStats>, ApiError> {
    state.parts().services.mailbox_stats().map(Json).ok_or_else(|| none("mailbox"))
}

fn none(service: &str) -> ApiError {
    ApiError::not_found(format!(
        "the node offers no {service}: switch it on, on the page under Controls, by `compeer offer {service} --on`, or by \
         PATCH /api/v1/offers/{service}"
    ))
}
