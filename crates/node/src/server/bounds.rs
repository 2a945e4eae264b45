//! A torrent's own limits, and when its seeding ends.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use rpc::{Limits, Problem};
use torrent::{SeedGoal, TorrentStatus};

use super::AppState;
use super::body::{Body, Id};
use super::problem::ApiError;

/// Checks and builds a goal.
pub(super) fn goal(wanted: rpc::SeedGoal) -> Result<SeedGoal, ApiError> {
    if wanted.ratio.is_some_and(|ratio| !ratio.is_finite() || ratio < 0.0) {
        return Err(ApiError::bad_request("the ratio has to be a number from 0"));
    }
    let time = |seconds: Option<u64>| seconds.map(Duration::from_secs);
    Ok(SeedGoal { ratio: wanted.ratio, time: time(wanted.time_s), idle: time(wanted.idle_s) })
}

/// Checks how many connections a torrent may have.
pub(super) fn may_connect(connections: Option<u32>) -> Result<(), ApiError> {
    if connections == Some(0) {
        return Err(ApiError::bad_request("0 connections would stop the torrent: pause it instead"));
    }
    Ok(())
}

/// Tells of a goal as the API does.
pub(super) fn told(goal: &SeedGoal) -> rpc::SeedGoal {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
    rpc::SeedGoal { ratio: goal.ratio, time_s: seconds(goal.time), idle_s: seconds(goal.idle) }
}

/// Tells when a torrent's seeding ends.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/goal", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "The goal", body = rpc::SeedGoal),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn of(State(state): State<AppState>, Id(id): Id) -> Result<Json<rpc::SeedGoal>, ApiError> {
    Ok(Json(told(&state.session().status(id).await?.goal)))
}

/// Changes when a torrent's seeding ends. One that has reached the new goal stops; one that reached an earlier goal goes on
/// when it is resumed.
#[utoipa::path(put, path = "/api/v1/torrents/{id}/goal", params(("id" = String, Path, description = "The torrent")),
    request_body = rpc::SeedGoal, responses(
    (status = 200, description = "The new goal", body = rpc::SeedGoal),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn set(
    State(state): State<AppState>,
    Id(id): Id,
    Body(wanted): Body<rpc::SeedGoal>,
) -> Result<Json<rpc::SeedGoal>, ApiError> {
    state.session().seed_goal(id, goal(wanted)?).await?;
    Ok(Json(wanted))
}

/// Tells a torrent's own limits.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/limits", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "The limits", body = Limits),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn limits(State(state): State<AppState>, Id(id): Id) -> Result<Json<Limits>, ApiError> {
    Ok(Json(own_limits(&state.session().status(id).await?)))
}

/// Returns a torrent's own limits as the API tells them.
pub(super) fn own_limits(status: &TorrentStatus) -> Limits {
    Limits {
        download_bytes_per_s: status.limits.down_bytes_per_s,
        upload_bytes_per_s: status.limits.up_bytes_per_s,
        connections: status.limits.connections,
    }
}

/// Changes a torrent's own limits.
#[utoipa::path(put, path = "/api/v1/torrents/{id}/limits", params(("id" = String, Path, description = "The torrent")),
    request_body = Limits, responses(
    (status = 200, description = "The new limits", body = Limits),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn limit(
    State(state): State<AppState>,
    Id(id): Id,
    Body(wanted): Body<Limits>,
) -> Result<Json<Limits>, ApiError> {
    let mut limits = state.session().status(id).await?.limits;
    limits.down_bytes_per_s = wanted.download_bytes_per_s;
    limits.up_bytes_per_s = wanted.upload_bytes_per_s;
    may_connect(wanted.connections)?;
    limits.connections = wanted.connections;
    state.session().limit(id, limits).await?;
    Ok(Json(wanted))
}
