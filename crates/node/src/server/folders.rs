//! Folders of this computer, for choosing one: names, nothing else.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rpc::{FolderEntry, FolderInfo, FolderRequest, Problem};
use serde::Deserialize;

use super::AppState;
use super::body::{Body, Params};
use super::problem::ApiError;
use super::torrents::absolute;

/// How many folders are told of one. Arbitrary: more than anybody reads.
const MAX_FOLDERS: usize = 10_000;

/// Options of [`list`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListParams {
    path: Option<String>,
    hidden: bool,
}

/// Lists the folders in a folder of the node's computer.
#[utoipa::path(get, path = "/api/v1/folders", params(
    ("path" = Option<String>, Query, description = "The absolute path of the folder; the user's own when absent"),
    ("hidden" = Option<bool>, Query, description = "Folders whose name begins with a dot, too"),
), responses(
    (status = 200, description = "The folder", body = FolderInfo),
    (status = 400, description = "No absolute path, or no folder", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 403, description = "The node may not look into it", body = Problem),
    (status = 404, description = "There is no such folder", body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(params): Params<ListParams>,
) -> Result<Json<FolderInfo>, ApiError> {
    let folder = match params.path.filter(|path| !path.is_empty()) {
        Some(path) => absolute(&path)?,
        None => home().unwrap_or_else(|| PathBuf::from(std::path::MAIN_SEPARATOR_STR)),
    };
    look(&state, folder, params.hidden).await
}

/// Makes a folder in one that is there.
#[utoipa::path(post, path = "/api/v1/folders", request_body = FolderRequest, responses(
    (status = 201, description = "The folder", body = FolderInfo),
    (status = 400, description = "No absolute path", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 403, description = "The node may not make it", body = Problem),
    (status = 404, description = "The folder that it is to be in is not there", body = Problem),
    (status = 409, description = "Something of that name is there", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn make(
    State(state): State<AppState>,
    Body(request): Body<FolderRequest>,
) -> Result<(StatusCode, Json<FolderInfo>), ApiError> {
    let folder = absolute(&request.path)?;
    tokio::fs::create_dir(&folder).await.map_err(|error| refusal(&folder, &error))?;
    Ok((StatusCode::CREATED, look(&state, folder, false).await?))
}

async fn look(state: &AppState, folder: PathBuf, hidden: bool) -> Result<Json<FolderInfo>, ApiError> {
    let read = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || read(&folder, hidden).map_err(|error| refusal(&folder, &error))).await
    };
    let (folders, more) = read.map_err(|error| ApiError::local(error.to_string()))??;
    Ok(Json(FolderInfo {
        parent: folder.parent().map(|parent| parent.display().to_string()),
        path: folder.display().to_string(),
        folders,
        more,
        home: home().map(|home| home.display().to_string()),
        download_folder: state.controls().shown().config.download_folder.display().to_string(),
    }))
}

/// Reads the folders in a folder, by name, and whether there are more. What has no name in Unicode is left out: no call could
/// name it.
fn read(folder: &Path, hidden: bool) -> std::io::Result<(Vec<FolderEntry>, bool)> {
    let mut folders = Vec::new();
    let mut more = false;
    for entry in std::fs::read_dir(folder)? {
        // One that vanishes meanwhile is none.
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        let (Ok(name), Some(text)) = (entry.file_name().into_string(), path.to_str()) else { continue };
        if name.starts_with('.') && !hidden || !path.is_dir() {
            continue;
        }
        if folders.len() == MAX_FOLDERS {
            more = true;
            break;
        }
        folders.push(FolderEntry { path: text.to_owned(), name });
    }
    folders.sort_by_cached_key(|folder| folder.name.to_lowercase());
    Ok((folders, more))
}

fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

/// Says why a folder cannot be read or made.
pub(super) fn refusal(path: &Path, error: &std::io::Error) -> ApiError {
    refused(error.kind(), format!("{}: {error}", path.display()))
}

/// Says what a file or folder is refused for.
pub(super) fn refused(kind: ErrorKind, detail: String) -> ApiError {
    let advice = match kind {
        ErrorKind::NotFound => "take one that is there",
        ErrorKind::NotADirectory => "take a folder",
        ErrorKind::AlreadyExists => "take another name",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "take another, or let the node's user do this",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room, or take another folder",
        ErrorKind::InvalidInput | ErrorKind::InvalidFilename => "write the path otherwise",
        _ => "see whether the disk is well, then try again",
    };
    let detail = format!("{detail}; {advice}");
    match kind {
        ErrorKind::NotFound => ApiError::not_found(detail),
        ErrorKind::NotADirectory | ErrorKind::InvalidInput | ErrorKind::InvalidFilename => {
            ApiError::bad_request(detail)
        }
        ErrorKind::AlreadyExists => ApiError::conflict(detail),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            ApiError::new(StatusCode::FORBIDDEN, "not-permitted", "The node may not do this", detail)
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => full(detail),
        _ => ApiError::local(detail),
    }
}

/// Says that there is no room.
pub(super) fn full(detail: String) -> ApiError {
    ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", "There is not enough room", detail)
}
