//! One torrent, looked at closely.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use data_encoding::BASE64;
use rpc::{LogEntry, PieceMap, Problem, SourceInfo, TorrentMore, TorrentRates};
use torrent::{PiecesStatus, Session, TorrentError, TorrentId, TorrentStatus};

use super::body::Id;
use super::problem::ApiError;
use super::{AppState, bounds};
use crate::convert;

/// How many numbers tell how available the pieces are. Arbitrary: as many as a narrow bar on a page has columns.
pub(super) const AVAILABILITY_RUNS: u32 = 512;

/// Tells which pieces are there.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/pieces", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "The pieces", body = PieceMap),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 409, description = "There is no metadata yet", body = Problem),
))]
pub(crate) async fn pieces(State(state): State<AppState>, Id(id): Id) -> Result<Json<PieceMap>, ApiError> {
    let length = state.session().status(id).await?.piece_length;
    let pieces = state.session().pieces(id, AVAILABILITY_RUNS).await?;
    let (pieces, length) = pieces.zip(length).ok_or(TorrentError::NoMetadata)?;
    Ok(Json(map(&pieces, length)))
}

/// Lists the ways in which a torrent finds peers, what each gave and said last.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/sources", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "The ways", body = Vec<SourceInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn sources(State(state): State<AppState>, Id(id): Id) -> Result<Json<Vec<SourceInfo>>, ApiError> {
    Ok(Json(sources_of(state.session(), id).await?))
}

/// Tells what happened to a torrent lately: the last 100 things since the node started, the oldest first.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/log", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "What happened", body = Vec<LogEntry>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn log(State(state): State<AppState>, Id(id): Id) -> Result<Json<Vec<LogEntry>>, ApiError> {
    state.session().status(id).await?;
    Ok(Json(state.logs().of(id)))
}

/// Tells how fast a torrent was, second by second, for the last five minutes, the oldest first. Seconds in which it stood still are
/// left out, but for the first after others.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/rates", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "How fast it was", body = Vec<TorrentRates>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn rates(State(state): State<AppState>, Id(id): Id) -> Result<Json<Vec<TorrentRates>>, ApiError> {
    state.session().status(id).await?;
    Ok(Json(state.rates().of(id)))
}

/// Lists the ways in which a torrent finds peers.
pub(super) async fn sources_of(session: &Session, id: TorrentId) -> Result<Vec<SourceInfo>, TorrentError> {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    Ok(session.sources(id).await?.into_iter().map(|source| convert::source_info(source, now)).collect())
}

/// Tells what changes about a torrent and no list shows.
pub(super) fn more(status: &TorrentStatus) -> TorrentMore {
    TorrentMore {
        limits: bounds::own_limits(status),
        goal: bounds::told(&status.goal),
        sequential: status.sequential,
        super_seed: status.super_seed,
        wasted_bytes: status.wasted,
    }
}

/// Tells which pieces are there.
pub(super) fn map(pieces: &PiecesStatus, piece_length_bytes: u32) -> PieceMap {
    let count = pieces.have.len();
    let mut fetching = base::Bitfield::new(count);
    for piece in &pieces.begun {
        fetching.set(piece.0);
    }
    PieceMap {
        count,
        piece_length_bytes,
        have: BASE64.encode(pieces.have.as_bytes()),
        fetching: BASE64.encode(fetching.as_bytes()),
        availability: pieces.availability.clone(),
    }
}
