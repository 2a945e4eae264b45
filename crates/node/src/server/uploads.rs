//! Files that are sent to this computer, to be shared from it.

use std::path::PathBuf;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use rpc::{Problem, UploadInfo, UploadRequest, UploadedFile};
use tokio::io::AsyncWriteExt as _;

use super::AppState;
use super::body::{Body, Word, Words};
use super::folders::{full, refusal};
use super::problem::ApiError;
use crate::uploads::Arriving;

/// After how many bytes it is looked again whether there is room. Arbitrary.
const LOOK_EVERY: u64 = 64 << 20;

/// Makes a new folder below the download folder, for files that are sent.
#[utoipa::path(post, path = "/api/v1/uploads", request_body = UploadRequest, responses(
    (status = 201, description = "The folder is there", body = UploadInfo),
    (status = 400, description = "Not understood, or no name", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 403, description = "The node may not write there", body = Problem),
    (status = 409, description = "Too many folders of that name are there", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 507, description = "There is not enough room", body = Problem),
))]
pub(crate) async fn begin(
    State(state): State<AppState>,
    Body(request): Body<UploadRequest>,
) -> Result<(StatusCode, Json<UploadInfo>), ApiError> {
    let downloads = state.controls().shown().config.download_folder;
    let begun = blocking(move || {
        let begun = state.uploads().begin(&downloads, request.name.as_deref());
        begun.map_err(|error| refusal(&downloads, &error))
    });
    let (number, folder) = begun.await?;
    Ok((StatusCode::CREATED, Json(UploadInfo { id: number.to_string(), folder: folder.display().to_string() })))
}

/// Writes a file into the folder of an upload, and makes the folders that its path names. A file that is there is not
/// overwritten; one that does not arrive whole is removed. When all are there, share the folder, or a file, by its path.
#[utoipa::path(put, path = "/api/v1/uploads/{upload}/{path}", params(
    ("upload" = String, Path, description = "The upload"),
    ("path" = String, Path, description = "The file's path in the folder, with / between the parts"),
), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(
    (status = 201, description = "It is there", body = UploadedFile),
    (status = 400, description = "No good path, or it did not arrive whole", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 403, description = "The node may not write there", body = Problem),
    (status = 404, description = "No such upload", body = Problem),
    (status = 409, description = "A file of that path is there", body = Problem),
    (status = 507, description = "There is not enough room", body = Problem),
))]
pub(crate) async fn write(
    State(state): State<AppState>,
    Words((upload, path)): Words,
    body: axum::body::Body,
) -> Result<(StatusCode, Json<UploadedFile>), ApiError> {
    let (_, folder) = found(&state, &upload)?;
    let made = {
        let folder = folder.clone();
        blocking(move || Arriving::create(&folder, &path).map_err(|error| refusal(&folder.join(&path), &error)))
    };
    let (file, arriving) = made.await?;
    let keep_free = state.controls().shown().resources.keep_free_bytes;
    let mut file = tokio::fs::File::from_std(file);
    let mut chunks = body.into_data_stream();
    let (mut size_bytes, mut look_at) = (0, 0);
    while let Some(chunk) = chunks.next().await {
        let chunk: Bytes = chunk
            .map_err(|error| ApiError::bad_request(format!("the file did not arrive whole: {error}; send it again")))?;
        if size_bytes >= look_at {
            has_room(folder.clone(), keep_free).await?;
            look_at = size_bytes + LOOK_EVERY;
        }
        size_bytes += chunk.len() as u64;
        file.write_all(&chunk).await.map_err(|error| refusal(&folder, &error))?;
    }
    // What waits to be written fails here, if it does.
    file.flush().await.map_err(|error| refusal(&folder, &error))?;
    Ok((StatusCode::CREATED, Json(UploadedFile { path: arriving.keep().display().to_string(), size_bytes })))
}

/// Removes an upload: its folder, with all that was sent.
#[utoipa::path(delete, path = "/api/v1/uploads/{upload}", params(
    ("upload" = String, Path, description = "The upload"),
), responses(
    (status = 204, description = "It is gone"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such upload", body = Problem),
    (status = 409, description = "It is shared: remove that first", body = Problem),
))]
pub(crate) async fn remove(State(state): State<AppState>, Word(upload): Word) -> Result<StatusCode, ApiError> {
    let (number, folder) = found(&state, &upload)?;
    for status in state.session().list().await {
        if status.path.is_some_and(|path| path.starts_with(&folder)) {
            return Err(ApiError::conflict(format!(
                "{} is in use by {}: remove that first",
                folder.display(),
                status.name
            )));
        }
    }
    blocking(move || std::fs::remove_dir_all(&folder).map_err(|error| refusal(&folder, &error))).await?;
    state.uploads().forget(number);
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the number and the folder of an upload.
fn found(state: &AppState, upload: &str) -> Result<(u64, PathBuf), ApiError> {
    let found = upload.parse().ok().and_then(|number| Some((number, state.uploads().folder(number)?)));
    found.ok_or_else(|| ApiError::not_found(format!("there is no upload {upload:?}: begin one with POST /uploads")))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::local(error.to_string()))?
}

/// Makes sure that there is more room than has to stay free.
async fn has_room(folder: PathBuf, keep_free: u64) -> Result<(), ApiError> {
    let free = blocking({
        let folder = folder.clone();
        move || Ok(disk::space(&folder).ok().map(|space| space.free))
    });
    match free.await? {
        Some(free) if free < keep_free.saturating_add(LOOK_EVERY) => {
            let free = base::units::format_bytes(free);
            Err(full(format!(
                "{}: {free} are free, and what has to stay free would not be; make room",
                folder.display()
            )))
        }
        _ => Ok(()),
    }
}
