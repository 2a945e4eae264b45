//! Torrents, their peers, files and trackers.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use metainfo::{FileIndex, Magnet, PeerHint, TorrentFile};
use rpc::{
    AddPeerRequest, AddRequest, Added, FileChoice, FileInfo, MoveRequest, PeerInfo, Problem, ReadRequest,
    TorrentDetail, TorrentSummary, TrackerInfo,
};
use serde::Deserialize;
use torrent::{Add, AddSource, Priority, Session, TorrentId};

use super::body::{self, Body, Id, Params};
use super::bounds::{goal, may_connect};
use super::problem::ApiError;
use super::sorting::{Only, Wanted};
use super::{AppState, detail, folders, orders};
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

/// Lists the torrents in the order in which they were added.
#[utoipa::path(get, path = "/api/v1/torrents", params(
    ("label" = Option<String>, Query, description = "Only those that have this label; empty: those that have none"),
    ("category" = Option<String>, Query, description = "Only those that are in this category; empty: those that are in none"),
), responses(
    (status = 200, description = "The torrents", body = Vec<TorrentSummary>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>, Params(only): Params<Only>) -> Json<Vec<TorrentSummary>> {
    let all = state.session().list().await.into_iter().map(|status| state.summary(status));
    Json(all.filter(|torrent| only.has(torrent)).collect())
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
    (status = 424, description = "The torrent file could not be fetched", body = Problem),
))]
pub(crate) async fn add(State(state): State<AppState>, request: Request) -> Result<impl IntoResponse, ApiError> {
    let (add, wanted) = if body::is_type(&request, "application/x-bittorrent") {
        (Add::new(AddSource::File(body::bytes(request).await?)), Wanted::default())
    } else if body::is_type(&request, "application/json") {
        let mut request: AddRequest = body::json(&body::bytes(request).await?)?;
        let (labels, category) = (std::mem::take(&mut request.labels), request.category.take());
        let mut add = order(request)?;
        let wanted = Wanted::of(&state, &labels, category).await?;
        wanted.place(&state, &mut add);
        (add, wanted)
    } else {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong-type",
            "The body has the wrong type",
            "send application/json, or the bytes of a torrent file as application/x-bittorrent",
        ));
    };
    let added = orders::take_up(&state, add).await?;
    wanted.note(&state, added.id).await?;
    let torrent = state.summary(state.session().status(added.id).await?);
    let status = if added.known { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Added { existed: added.known, torrent })))
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
        return Err(ApiError::bad_request(format!(
            "at most {MAX_NAMED} peers and trackers can be named: leave some away"
        )));
    }
    may_connect(request.limits.connections)?;
    Ok(Add {
        folder: request.folder.map(|folder| absolute(&folder)).transpose()?,
        paused: request.paused,
        metadata_only: request.metadata_only,
        priorities,
        sequential: request.sequential,
        no_tracker: request.no_tracker,
        trackers: request.trackers,
        peers: request.peers,
        goal: goal(rpc::SeedGoal {
            ratio: request.seed_ratio,
            time_s: request.seed_time_s,
            idle_s: request.seed_idle_s,
        })?,
        limits: convert::torrent_limits(request.limits),
        ..Add::new(source)
    })
}

/// Writes the choice of files into a magnet (BEP 53), whose files are not known yet.
fn select(link: &str, files: &[u32]) -> Result<String, ApiError> {
    let magnet = link.parse::<Magnet>();
    let mut magnet = magnet.map_err(|_| {
        ApiError::bad_request("files can be chosen of a magnet or of a torrent file: add all of it, and choose then")
    })?;
    magnet.select = Some(files.iter().map(|&file| file..=file).collect());
    Ok(magnet.to_string())
}

/// Checks a path of this computer.
pub(crate) fn absolute(path: &str) -> Result<std::path::PathBuf, ApiError> {
    let folder = std::path::PathBuf::from(path);
    if folder.is_absolute() {
        Ok(folder)
    } else {
        Err(ApiError::bad_request(format!("{path:?} is no absolute path: write it from the root")))
    }
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
    let sources = detail::sources_of(session, id).await?;
    let file = session.torrent_file(id).await.ok().and_then(|bytes| TorrentFile::from_bytes(&bytes).ok());
    let mut detail = TorrentDetail {
        magnet: if status.confined { String::new() } else { magnet(session, id, params.local).await? },
        piece_length_bytes: status.piece_length.unwrap_or(0),
        piece_count: status.piece_count.unwrap_or(0),
        pieces_have: status.pieces_done,
        more: detail::more(&status),
        trackers,
        sources,
        web_seeds: session.web_seeds(id).await?.into_iter().map(convert::web_seed).collect(),
        summary: state.summary(status),
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
    orders::remove(&state, id, params.with_data).await?;
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

/// Asks its trackers again for peers, as soon as they allow it.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/announce", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 204, description = "They are asked"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
))]
pub(crate) async fn announce(State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    state.session().reannounce(id).await?;
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
    (status = 409, description = "It does not fit what is there", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 500, description = "The disk failed", body = Problem),
    (status = 507, description = "There is not enough room", body = Problem),
))]
pub(crate) async fn move_to(
    State(state): State<AppState>,
    Id(id): Id,
    Body(request): Body<MoveRequest>,
) -> Result<StatusCode, ApiError> {
    let folder = absolute(&request.folder)?;
    state.session().status(id).await?;
    // What cannot be a folder is told before anything is moved.
    tokio::fs::create_dir_all(&folder).await.map_err(|error| folders::refusal(&folder, &error))?;
    state.session().move_to(id, folder).await?;
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
