//! Torrents, their peers, files, trackers and limits.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use metainfo::{FileIndex, Magnet, PeerHint, TorrentFile};
use rpc::{
    AddPeerRequest, AddRequest, Added, FileChoice, FileInfo, Limits, MoveRequest, PeerInfo, Problem, ReadRequest,
    TorrentDetail, TorrentSummary, TrackerInfo,
};
use serde::Deserialize;
use torrent::{Add, AddSource, Priority, SeedGoal, Session, TorrentId};

use super::AppState;
use super::body::{self, Body, Id, Params};
use super::problem::ApiError;
use crate::{convert, hints};

/// How many peers, trackers and web seeds one request may name. Arbitrary.
const MAX_NAMED: usize = 200;

/// Options of [`one`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OneParams {
    local: bool,
}

/// Options of [`remove`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RemoveParams {
    with_data: bool,
}

/// Lists all torrents in the order in which they were added.
#[utoipa::path(get, path = "/api/v1/torrents", responses(
    (status = 200, description = "The torrents", body = Vec<TorrentSummary>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>) -> Json<Vec<TorrentSummary>> {
    Json(state.session().list().await.into_iter().map(convert::summary).collect())
}

/// Fetches something: JSON with a link or a torrent file, or the bytes of a torrent file alone.
#[utoipa::path(post, path = "/api/v1/torrents", request_body(content(
    (AddRequest = "application/json"),
    (Vec<u8> = "application/x-bittorrent"),
)), responses(
    (status = 200, description = "It was here before", body = Added),
    (status = 201, description = "It was added", body = Added),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "It does not fit what is there", body = Problem),
    (status = 413, description = "Too large", body = Problem),
    (status = 415, description = "Neither JSON nor a torrent file", body = Problem),
    (status = 502, description = "The torrent file could not be fetched", body = Problem),
))]
pub(crate) async fn add(State(state): State<AppState>, request: Request) -> Result<impl IntoResponse, ApiError> {
    let mut add = if body::is_type(&request, "application/x-bittorrent") {
        Add::new(AddSource::File(body::bytes(request, &state).await?))
    } else if body::is_type(&request, "application/json") {
        order(body::json(&body::bytes(request, &state).await?)?)?
    } else {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong-type",
            "The body has the wrong type",
            "send application/json, or the bytes of a torrent file as application/x-bittorrent",
        ));
    };
    let default = &state.parts().seed_goal;
    add.goal = SeedGoal { ratio: add.goal.ratio.or(default.ratio), time: add.goal.time.or(default.time) };
    if let Some(id) = known(state.session(), &add.source)
        && let Ok(status) = state.session().status(id).await
    {
        // Where it is already is where it stays; `move` and `copy` change that.
        add.folder = Some(status.folder);
    }
    let added = state.session().add(add).await?;
    let torrent = convert::summary(state.session().status(added.id).await?);
    let status = if added.known { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Added { existed: added.known, torrent })))
}

fn known(session: &Session, source: &AddSource) -> Option<TorrentId> {
    let hashes = match source {
        AddSource::Link(link) => link.parse::<Magnet>().ok()?.hashes,
        AddSource::File(bytes) => TorrentFile::from_bytes(bytes).ok()?.hashes(),
    };
    session.find(&hashes)
}

fn may_connect(connections: Option<u32>) -> Result<(), ApiError> {
    if connections == Some(0) {
        return Err(ApiError::bad_request("0 connections would stop the torrent: pause it instead"));
    }
    Ok(())
}

fn order(request: AddRequest) -> Result<Add, ApiError> {
    let files = request.files.as_deref();
    let mut priorities = Vec::new();
    let source = match (request.link, request.torrent_base64) {
        (Some(link), None) => AddSource::Link(files.map_or(Ok(link.clone()), |files| select(&link, files))?),
        (None, Some(base64)) => {
            let bytes = data_encoding::BASE64.decode(base64.trim().as_bytes());
            let bytes = bytes.map_err(|e| ApiError::bad_request(format!("torrent_base64: {e}")))?;
            if let (Some(files), Ok(file)) = (files, TorrentFile::from_bytes(&bytes)) {
                let all = (0..file.info.layout().files().len() as u32).filter(|index| !files.contains(index));
                priorities = all.map(|index| (FileIndex(index), Priority::Skip)).collect();
            }
            AddSource::File(bytes.into())
        }
        _ => return Err(ApiError::bad_request("give either link or torrent_base64")),
    };
    if request.peers.len().max(request.trackers.len()) > MAX_NAMED {
        return Err(ApiError::bad_request(format!("at most {MAX_NAMED} peers and trackers can be named")));
    }
    may_connect(request.limits.connections)?;
    Ok(Add {
        folder: request.folder.map(|folder| absolute(&folder)).transpose()?,
        paused: request.paused,
        priorities,
        sequential: request.sequential,
        no_tracker: request.no_tracker,
        trackers: request.trackers,
        peers: request.peers,
        goal: goal(request.seed_ratio, request.seed_time_s)?,
        limits: convert::torrent_limits(request.limits),
        ..Add::new(source)
    })
}

/// Writes the choice of files into a magnet (BEP 53), whose files are not known yet.
fn select(link: &str, files: &[u32]) -> Result<String, ApiError> {
    let magnet = link.parse::<Magnet>();
    let mut magnet =
        magnet.map_err(|_| ApiError::bad_request("files can be chosen of a magnet or of a torrent file"))?;
    magnet.select = Some(files.iter().map(|&file| file..=file).collect());
    Ok(magnet.to_string())
}

/// Checks and builds a goal.
pub(crate) fn goal(ratio: Option<f64>, time_s: Option<u64>) -> Result<SeedGoal, ApiError> {
    if ratio.is_some_and(|ratio| !ratio.is_finite() || ratio < 0.0) {
        return Err(ApiError::bad_request("seed_ratio has to be a number from 0"));
    }
    Ok(SeedGoal { ratio, time: time_s.map(std::time::Duration::from_secs) })
}

/// Checks a path of this computer.
pub(crate) fn absolute(path: &str) -> Result<std::path::PathBuf, ApiError> {
    let folder = std::path::PathBuf::from(path);
    if folder.is_absolute() { Ok(folder) } else { Err(ApiError::bad_request(format!("{path:?} is no absolute path"))) }
}

/// Tells everything about one torrent.
#[utoipa::path(get, path = "/api/v1/torrents/{id}", params(
    ("id" = String, Path, description = "The torrent"),
    ("local" = Option<bool>, Query, description = "Name local addresses in the magnet, too"),
), responses(
    (status = 200, description = "The torrent", body = TorrentDetail),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn one(
    State(state): State<AppState>,
    Id(id): Id,
    Params(params): Params<OneParams>,
) -> Result<Json<TorrentDetail>, ApiError> {
    let session = state.session();
    let status = session.status(id).await?;
    let trackers = session.trackers(id).await?.into_iter().map(convert::tracker).collect();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let sources = session.sources(id).await?.into_iter().map(|source| convert::source_info(source, now)).collect();
    let file = session.torrent_file(id).await.ok().and_then(|bytes| TorrentFile::from_bytes(&bytes).ok());
    let mut detail = TorrentDetail {
        magnet: if status.confined { String::new() } else { magnet(session, id, params.local).await? },
        piece_length_bytes: status.piece_length.unwrap_or(0),
        piece_count: status.piece_count.unwrap_or(0),
        pieces_have: status.pieces_done,
        wasted_bytes: status.wasted,
        sequential: status.sequential,
        limits: Limits {
            download_bytes_per_s: status.limits.down_bytes_per_s,
            upload_bytes_per_s: status.limits.up_bytes_per_s,
            connections: status.limits.connections,
        },
        trackers,
        sources,
        web_seeds: session.web_seeds(id).await?.into_iter().map(convert::web_seed).collect(),
        summary: convert::summary(status),
        ..TorrentDetail::default()
    };
    if let Some(file) = file {
        detail.file_count = file.info.layout().files().len() as u32;
        (detail.comment, detail.created_by) = (file.comment, file.created_by);
        detail.created_at_s = file.creation_date;
    }
    Ok(Json(detail))
}

async fn magnet(session: &Session, id: TorrentId, local: bool) -> Result<String, ApiError> {
    let text = session.magnet(id).await?;
    let Ok(mut magnet) = text.parse::<Magnet>() else { return Ok(text) };
    session.outside_settled().await;
    let network = session.network_status();
    for address in hints::hints(&network.listen, network.external, local) {
        let hint = PeerHint { host: address.ip().to_string(), port: address.port() };
        if !magnet.peers.contains(&hint) {
            magnet.peers.push(hint);
        }
    }
    Ok(magnet.to_string())
}

/// Forgets a torrent.
#[utoipa::path(delete, path = "/api/v1/torrents/{id}", params(
    ("id" = String, Path, description = "The torrent"),
    ("with_data" = Option<bool>, Query, description = "Delete its files, too"),
), responses(
    (status = 204, description = "It is gone"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn remove(
    State(state): State<AppState>,
    Id(id): Id,
    Params(params): Params<RemoveParams>,
) -> Result<StatusCode, ApiError> {
    state.session().remove(id, params.with_data).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops a torrent's transfers.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/pause", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 204, description = "It stops"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn pause(State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    state.session().pause(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a torrent go on, also after a failure.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/resume", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 204, description = "It goes on"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn resume(State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    state.session().resume(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hashes again what is on disk.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/recheck", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 204, description = "It begins"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 409, description = "There is no metadata yet", body = Problem),
))]
pub(crate) async fn recheck(State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    state.session().recheck(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has what somebody reads fetched first, in order: for players and previews. It replaces the request before it.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/read", params(("id" = String, Path, description = "The torrent")),
    request_body = ReadRequest, responses(
    (status = 204, description = "These bytes come first"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 409, description = "There is no metadata yet", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn read(
    State(state): State<AppState>,
    Id(id): Id,
    Body(request): Body<ReadRequest>,
) -> Result<StatusCode, ApiError> {
    let bytes = request.offset_bytes..request.offset_bytes.saturating_add(request.length_bytes);
    state.session().read(id, FileIndex(request.file), bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves the content to another folder; seeding goes on.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/move", params(("id" = String, Path, description = "The torrent")),
    request_body = MoveRequest, responses(
    (status = 204, description = "It is there"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 500, description = "The disk failed", body = Problem),
))]
pub(crate) async fn move_to(
    State(state): State<AppState>,
    Id(id): Id,
    Body(request): Body<MoveRequest>,
) -> Result<StatusCode, ApiError> {
    state.session().move_to(id, absolute(&request.folder)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the connected peers.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/peers", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "The peers", body = Vec<PeerInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn peers(State(state): State<AppState>, Id(id): Id) -> Result<Json<Vec<PeerInfo>>, ApiError> {
    Ok(Json(state.session().peers(id).await?.into_iter().map(convert::peer).collect()))
}

/// Tries one more peer.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/peers", params(("id" = String, Path, description = "The torrent")),
    request_body = AddPeerRequest, responses(
    (status = 202, description = "It will be tried"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn add_peer(
    State(state): State<AppState>,
    Id(id): Id,
    Body(request): Body<AddPeerRequest>,
) -> Result<StatusCode, ApiError> {
    state.session().add_peer(id, &request.address).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Lists the files.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/files", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "The files", body = Vec<FileInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 409, description = "There is no metadata yet", body = Problem),
))]
pub(crate) async fn files(State(state): State<AppState>, Id(id): Id) -> Result<Json<Vec<FileInfo>>, ApiError> {
    Ok(Json(state.session().files(id).await?.into_iter().map(convert::file).collect()))
}

/// Changes how much files are wanted; those that are not named stay as they are.
#[utoipa::path(patch, path = "/api/v1/torrents/{id}/files", params(("id" = String, Path, description = "The torrent")),
    request_body = Vec<FileChoice>, responses(
    (status = 204, description = "Done"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 409, description = "There is no metadata yet", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn choose_files(
    State(state): State<AppState>,
    Id(id): Id,
    Body(choices): Body<Vec<FileChoice>>,
) -> Result<StatusCode, ApiError> {
    let order = |choice: FileChoice| (FileIndex(choice.index), convert::priority_order(choice.priority));
    state.session().prioritise(id, choices.into_iter().map(order).collect()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the trackers and what they said last.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/trackers", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "The trackers", body = Vec<TrackerInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn trackers(State(state): State<AppState>, Id(id): Id) -> Result<Json<Vec<TrackerInfo>>, ApiError> {
    Ok(Json(state.session().trackers(id).await?.into_iter().map(convert::tracker).collect()))
}

/// Tells a torrent's own limits.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/limits", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "The limits", body = Limits),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn limits(State(state): State<AppState>, Id(id): Id) -> Result<Json<Limits>, ApiError> {
    let limits = state.session().status(id).await?.limits;
    Ok(Json(Limits {
        download_bytes_per_s: limits.down_bytes_per_s,
        upload_bytes_per_s: limits.up_bytes_per_s,
        connections: limits.connections,
    }))
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

/// Returns the torrent file.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/metainfo", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 200, description = "The torrent file", body = Vec<u8>, content_type = "application/x-bittorrent"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 409, description = "There is no metadata yet", body = Problem),
))]
pub(crate) async fn metainfo(State(state): State<AppState>, Id(id): Id) -> Result<impl IntoResponse, ApiError> {
    let bytes = state.session().torrent_file(id).await?;
    Ok(([(header::CONTENT_TYPE, "application/x-bittorrent")], bytes))
}

/// Which files count as wanted, in order.
pub(crate) async fn wanted(session: &Session, id: TorrentId) -> Result<Vec<bool>, ApiError> {
    Ok(session.files(id).await?.iter().map(|file| file.priority != Priority::Skip).collect())
}
