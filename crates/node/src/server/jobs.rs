//! Jobs: sharing and copying out.

use std::path::{Path, PathBuf};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use metainfo::{TorrentFile, create};
use rpc::{CopyRequest, Job, JobKind, Problem, ShareRequest, Skipped};
use torrent::{Add, AddSource, TorrentId};

use super::body::{Body, Id};
use super::bounds::goal;
use super::problem::ApiError;
use super::sorting::Wanted;
use super::torrents::{absolute, wanted};
use super::{AppState, updates};
use crate::content::{self, ContentError};
use crate::jobs::{Outcome, Progress};
use crate::urls::{check_tracker, check_web_seed};

/// Hashes a file or folder of this computer and seeds it.
#[utoipa::path(post, path = "/api/v1/shares", request_body = ShareRequest, responses(
    (status = 202, description = "It begins", body = Job),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 429, description = "Too many jobs", body = Problem),
))]
pub(crate) async fn share(
    State(state): State<AppState>,
    Body(request): Body<ShareRequest>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let path = absolute(&request.path)?;
    goal(wanted_goal(&request))?;
    if !request.to.is_empty() || !request.groups.is_empty() {
        if let Some(field) = meaningless(&request) {
            return Err(ApiError::bad_request(format!(
                "{field} has no meaning for what is shared with chosen people: leave it away"
            )));
        }
        // Found out before anything is hashed.
        state.sharing()?.audience(&request.to, &request.groups)?;
    }
    request.trackers.iter().flatten().try_for_each(|url| check_tracker(url)).map_err(ApiError::bad_request)?;
    if request.updates && request.private {
        return Err(ApiError::bad_request(
            "updates are told in the DHT, where everybody could read the info-hash of a private torrent: leave \
             updates or private away",
        ));
    }
    if request.updates && request.format == rpc::TorrentFormat::V2 {
        return Err(ApiError::bad_request(
            "updates name a version by its v1 info-hash (BEP 46), which a v2 torrent lacks: make a v1 or a hybrid one",
        ));
    }
    request.web_seeds.iter().try_for_each(|url| check_web_seed(url)).map_err(ApiError::bad_request)?;
    let wanted = Wanted::of(&state, &request.labels, request.category.clone()).await?;
    begin(&state, JobKind::Share, request.path.clone(), None, |state, progress| async move {
        let (id, skipped) = run_share(&state, path, request, progress).await?;
        wanted.note(&state, id).await?;
        Ok(Outcome { torrent: Some(id.to_string()), skipped, ..Outcome::default() })
    })
}

/// Copies what the node holds to a folder, and verifies the copy. Where the content is there already it is verified.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/copy", params(("id" = String, Path, description = "The torrent")),
    request_body = CopyRequest, responses(
    (status = 202, description = "It begins", body = Job),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 409, description = "There is no metadata yet", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 429, description = "Too many jobs", body = Problem),
))]
pub(crate) async fn copy(
    State(state): State<AppState>,
    Id(id): Id,
    Body(request): Body<CopyRequest>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let folder = absolute(&request.folder)?;
    let from = state.session().status(id).await?.folder;
    let file = TorrentFile::from_bytes(&state.session().torrent_file(id).await?).map_err(|error| {
        ApiError::local(format!("the stored metadata of {id} is broken: {error}; remove the torrent and add it anew"))
    })?;
    let wanted = wanted(state.session(), id).await?;
    let path = folder.join(file.info.name()).display().to_string();
    begin(&state, JobKind::Copy, path, Some(id), |_, progress| async move {
        blocking(move || {
            let wanted = |index: metainfo::FileIndex| wanted.get(index.0 as usize).copied().unwrap_or(false);
            if !same_folder(&from, &folder) {
                return content::copy(&file.info, &file.piece_layers, &from, &folder, &wanted, &progress);
            }
            progress.set(0, file.info.layout().total_length());
            let comparison = content::verify(&file.info, &file.piece_layers, &folder, &wanted, &progress)?;
            match comparison.is_good() {
                true => Ok(()),
                false => Err(ContentError::Damaged(folder.join(file.info.name()))),
            }
        })
        .await?;
        Ok(Outcome::default())
    })
}

/// Lists the jobs that run, and those that ended lately.
#[utoipa::path(get, path = "/api/v1/jobs", responses(
    (status = 200, description = "The jobs", body = Vec<Job>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>) -> Json<Vec<Job>> {
    Json(state.jobs().all())
}

/// Tells how far a job is.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", params(("id" = u64, Path, description = "The job")), responses(
    (status = 200, description = "The job", body = Job),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such job", body = Problem),
))]
pub(crate) async fn one(
    State(state): State<AppState>,
    axum::extract::Path(id): axum::extract::Path<String>,
) -> Result<Json<Job>, ApiError> {
    let job = id.parse().ok().and_then(|id| state.jobs().one(id));
    job.map(Json).ok_or_else(|| no_such_job(&id))
}

/// Stops a job.
#[utoipa::path(delete, path = "/api/v1/jobs/{id}", params(("id" = u64, Path, description = "The job")), responses(
    (status = 204, description = "It stops"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such job", body = Problem),
))]
pub(crate) async fn cancel(
    State(state): State<AppState>,
    axum::extract::Path(id): axum::extract::Path<String>,
) -> Result<StatusCode, ApiError> {
    let found = id.parse().is_ok_and(|id| state.jobs().cancel(id));
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(no_such_job(&id)) }
}

fn no_such_job(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no job {id:?}: {}/jobs lists those that run or ended lately", rpc::PREFIX))
}

pub(super) fn begin<F>(
    state: &AppState,
    kind: JobKind,
    path: String,
    torrent: Option<TorrentId>,
    work: impl FnOnce(AppState, Progress) -> F,
) -> Result<(StatusCode, Json<Job>), ApiError>
where
    F: Future<Output = Result<Outcome, ApiError>> + Send + 'static,
{
    let begun = state.jobs().begin(kind, path, torrent.map(|id| id.to_string()));
    let (job, progress) = begun.ok_or_else(|| ApiError::busy("too many jobs run: wait for one to end"))?;
    let (work, jobs, id) = (work(state.clone(), progress), state.jobs().clone(), job.id);
    tokio::spawn(async move {
        let outcome = work.await;
        jobs.end(id, outcome.map_err(ApiError::into_problem));
    });
    Ok((StatusCode::ACCEPTED, Json(job)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ContentError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(ApiError::local(format!("the work ended early: {error}; begin it again"))),
    }
}

async fn run_share(
    state: &AppState,
    path: PathBuf,
    request: ShareRequest,
    progress: Progress,
) -> Result<(TorrentId, Vec<Skipped>), ApiError> {
    if !request.to.is_empty() || !request.groups.is_empty() {
        return share_with_people(state, path, request, progress).await;
    }
    let seed_goal = goal(wanted_goal(&request))?;
    let options = create::Options {
        mode: match request.format {
            rpc::TorrentFormat::V1 => create::Mode::V1,
            rpc::TorrentFormat::Hybrid => create::Mode::Hybrid,
            rpc::TorrentFormat::V2 => create::Mode::V2,
        },
        piece_length: request.piece_length_bytes,
        private: request.private,
        trackers: request.trackers,
        web_seeds: request.web_seeds,
        comment: request.comment,
        source: request.source,
        created_by: Some(format!("Compeer {}", env!("CARGO_PKG_VERSION"))),
        creation_date: None,
        salt: None,
    };
    let cancelled = progress.clone();
    let shared = path.clone();
    let threads = Some(state.session().check_threads());
    let created = blocking(move || content::create(&path, options, threads, &progress)).await?;
    if cancelled.is_cancelled() {
        return Err(ContentError::Cancelled.into());
    }
    let skipped = created.skipped.into_iter().map(|(path, reason)| Skipped { path, reason }).collect();
    forget_other(state, &created.torrent, &created.folder).await?;
    let added = state
        .session()
        .add(Add {
            folder: Some(created.folder),
            have_all: true,
            peers: request.peers,
            no_tracker: request.no_tracker,
            super_seed: request.super_seed,
            goal: seed_goal,
            ..Add::new(AddSource::File(created.torrent.to_bytes().into()))
        })
        .await?;
    if request.updates {
        let published = state.parts().updates.publish(&shared, added.id).await;
        published.map_err(updates::refused)?;
    }
    Ok((added.id, skipped))
}

fn wanted_goal(request: &ShareRequest) -> rpc::SeedGoal {
    rpc::SeedGoal { ratio: request.seed_ratio, time_s: request.seed_time_s, idle_s: request.seed_idle_s }
}

/// Names something that a request says and a share with people has no use for: it is v2, salted, and announced nowhere.
fn meaningless(request: &ShareRequest) -> Option<&'static str> {
    let said = [
        (request.format == rpc::TorrentFormat::Hybrid, "a hybrid torrent"),
        (request.piece_length_bytes.is_some(), "a piece length"),
        (!request.trackers.is_empty() || request.no_tracker, "a tracker"),
        (!request.web_seeds.is_empty(), "a web seed"),
        (request.comment.is_some(), "a comment"),
        (request.source.is_some(), "a source"),
        (!request.peers.is_empty(), "the address of a peer"),
        (request.updates, "a link to updates"),
        (request.super_seed, "super-seeding"),
    ];
    said.into_iter().find_map(|(said, what)| said.then_some(what))
}

/// Shares with people alone.
async fn share_with_people(
    state: &AppState,
    path: PathBuf,
    request: ShareRequest,
    progress: Progress,
) -> Result<(TorrentId, Vec<Skipped>), ApiError> {
    let sharing = state.sharing()?;
    let goal = goal(wanted_goal(&request))?;
    let audience = sharing.audience(&request.to, &request.groups)?;
    let (share, skipped) = sharing.share(&path, audience, request.note, progress).await?;
    state.session().seed_goal(share.id(), goal).await?;
    let skipped = skipped.into_iter().map(|(path, reason)| Skipped { path, reason }).collect();
    Ok((share.id(), skipped))
}

/// Forgets what the node has under the same name, unless it is the same and runs: what was just hashed is right, what is
/// remembered may be paused, incomplete or elsewhere.
async fn forget_other(state: &AppState, torrent: &TorrentFile, folder: &Path) -> Result<(), ApiError> {
    let session = state.session();
    let Some(id) = session.find(&torrent.hashes()) else { return Ok(()) };
    let status = session.status(id).await?;
    let same = same_folder(&status.folder, folder) && status.is_complete() && status.state == torrent::State::Seeding;
    if !same {
        // By what it is sorted stays: it comes again at once.
        session.remove(id, false).await?;
    }
    Ok(())
}

/// Tells whether two paths are the same folder, by whatever name.
fn same_folder(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
