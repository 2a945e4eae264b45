//! The node as a whole.

use axum::Json;
use axum::extract::State;
use rpc::{Limits, Problem, Rates, SessionInfo};

use super::AppState;
use super::body::Body;
use super::problem::ApiError;

/// Tells that the node runs.
#[utoipa::path(get, path = "/health", security(), responses((status = 200, description = "It runs", body = String)))]
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// Tells what the node is and does now.
#[utoipa::path(get, path = "/api/v1/session", responses(
    (status = 200, description = "The node", body = SessionInfo),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn info(State(state): State<AppState>) -> Json<SessionInfo> {
    let (parts, list) = (state.parts(), state.session().list().await);
    Json(SessionInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: parts.mode,
        process_id: std::process::id(),
        home: parts.home.folder().display().to_string(),
        download_folder: state.session().folder().display().to_string(),
        listen: state.session().listen_addrs().iter().map(ToString::to_string).collect(),
        torrents: list.len() as u32,
        peers: list.iter().map(|torrent| torrent.peers).sum(),
        download_bytes_per_s: list.iter().map(|torrent| torrent.down_rate_bytes_per_s).sum(),
        upload_bytes_per_s: list.iter().map(|torrent| torrent.up_rate_bytes_per_s).sum(),
        services: parts.services.list(),
        rests: state.controls().shown().rests.map(str::to_owned),
        mistake: state.controls().mistake().borrow().clone(),
        remote: state.remote(),
        uptime_s: parts.begun.elapsed().as_secs(),
    })
}

/// Tells how fast everything together was in each of the last 600 seconds, the oldest first.
#[utoipa::path(get, path = "/api/v1/rates", responses(
    (status = 200, description = "A sample a second", body = Vec<Rates>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn rates(State(state): State<AppState>) -> Json<Vec<Rates>> {
    Json(state.rates().all())
}

/// Tells the limits over everything that hold now.
#[utoipa::path(get, path = "/api/v1/limits", responses(
    (status = 200, description = "The limits", body = Limits),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn limits(State(state): State<AppState>) -> Json<Limits> {
    let limits = state.session().limits();
    Json(Limits {
        download_bytes_per_s: limits.down_bytes_per_s,
        upload_bytes_per_s: limits.up_bytes_per_s,
        connections: None,
    })
}

/// Changes the limits over everything: 0 or an absent one takes a limit away. They are written into the settings.
#[utoipa::path(put, path = "/api/v1/limits", request_body = Limits, responses(
    (status = 200, description = "The limits that hold now", body = Limits),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn limit(State(state): State<AppState>, Body(wanted): Body<Limits>) -> Result<Json<Limits>, ApiError> {
    if wanted.connections.is_some() {
        return Err(ApiError::bad_request("the connections of the node are in the budget"));
    }
    let change = rpc::Budget {
        download_bytes_per_s: Some(wanted.download_bytes_per_s.unwrap_or(0)),
        upload_bytes_per_s: Some(wanted.upload_bytes_per_s.unwrap_or(0)),
        ..rpc::Budget::default()
    };
    state.controls().change_budget(change).await?;
    Ok(limits(State(state)).await)
}
