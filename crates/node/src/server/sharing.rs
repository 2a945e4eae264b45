//! Sharing with chosen people: what is shared, the inbox, its rules, libraries.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rpc::{
    AcceptRequest, InboxEntry, InboxRule, InboxRuleInfo, InboxRuleSet, Job, JobKind, LibraryEntry, LibraryInfo,
    LibraryRequest, PrivateShare, Problem, TakeRequest,
};
use serde::Deserialize;
use sharing::InboxItem;
use sharing::proto::{Audience, Rule, Whose};

use super::AppState;
use super::body::{Body, Id, Params, Word};
use super::jobs::begin;
use super::problem::ApiError;
use super::torrents::absolute;
use crate::jobs::Outcome;
use crate::sharing::{ShareView, Sharing, SharingError, resolved};

/// Options of [`shares`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SharesParams {
    libraries: bool,
}

/// Options of [`browse`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BrowseParams {
    from: String,
    path: String,
}

/// Options of [`remove_rule`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RuleParams {
    from: Option<String>,
    group: Option<String>,
}

impl From<SharingError> for ApiError {
    fn from(error: SharingError) -> ApiError {
        match error {
            SharingError::Input(detail) => ApiError::bad_request(detail),
            SharingError::NotFound(detail) => ApiError::not_found(detail),
            SharingError::Remote(detail) => {
                ApiError::elsewhere("unreachable", "The other end cannot be reached", detail)
            }
            SharingError::Database(error) => ApiError::local(error.to_string()),
            SharingError::Add(error) => error.into(),
            SharingError::Torrent(error) => error.into(),
            SharingError::Content(error) => error.into(),
        }
    }
}

/// Lists what is shared with people.
#[utoipa::path(get, path = "/api/v1/shares", params(
    ("libraries" = Option<bool>, Query, description = "What was made for libraries, too"),
), responses(
    (status = 200, description = "What is shared", body = Vec<PrivateShare>),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
))]
pub(crate) async fn shares(
    State(state): State<AppState>,
    Params(params): Params<SharesParams>,
) -> Result<Json<Vec<PrivateShare>>, ApiError> {
    let sharing = state.sharing()?;
    Ok(Json(sharing.shares(params.libraries).into_iter().map(|view| private_share(sharing, view)).collect()))
}

/// Shares something with people no longer. The content stays where it is.
#[utoipa::path(delete, path = "/api/v1/shares/{id}", params(("id" = String, Path, description = "The torrent")), responses(
    (status = 204, description = "It is no longer shared"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nothing is shared with people under this name", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
))]
pub(crate) async fn unshare(State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    state.sharing()?.unshare(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists what others share with us.
#[utoipa::path(get, path = "/api/v1/inbox", responses(
    (status = 200, description = "The inbox, the oldest first", body = Vec<InboxEntry>),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
))]
pub(crate) async fn inbox(State(state): State<AppState>) -> Result<Json<Vec<InboxEntry>>, ApiError> {
    let sharing = state.sharing()?;
    let mut entries = Vec::new();
    // What goes with messages is told of there.
    for item in sharing.inbox().into_iter().filter(|item| !item.notice.attached) {
        entries.push(entry(&state, sharing, item).await);
    }
    Ok(Json(entries))
}

/// Takes up a share.
#[utoipa::path(post, path = "/api/v1/inbox/{id}/accept", params(
    ("id" = String, Path, description = "The torrent, or the beginning of its id"),
), request_body = AcceptRequest, responses(
    (status = 200, description = "It is being fetched", body = InboxEntry),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nothing like it is in the inbox", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn accept(
    State(state): State<AppState>,
    Word(id): Word,
    Body(request): Body<AcceptRequest>,
) -> Result<Json<InboxEntry>, ApiError> {
    let sharing = state.sharing()?;
    let folder = request.folder.map(|folder| absolute(&folder)).transpose()?;
    let item = sharing.find_item(&id)?;
    let item = sharing.accept(item.sharer, item.id(), folder).await?;
    Ok(Json(entry(&state, sharing, item).await))
}

/// Leaves a share alone. One that was taken up is stopped; what is here of it stays.
#[utoipa::path(post, path = "/api/v1/inbox/{id}/decline", params(
    ("id" = String, Path, description = "The torrent, or the beginning of its id"),
), responses(
    (status = 200, description = "It is left alone", body = InboxEntry),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nothing like it is in the inbox", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
))]
pub(crate) async fn decline(State(state): State<AppState>, Word(id): Word) -> Result<Json<InboxEntry>, ApiError> {
    let sharing = state.sharing()?;
    let item = sharing.find_item(&id)?;
    let item = sharing.decline(item.sharer, item.id()).await?;
    Ok(Json(entry(&state, sharing, item).await))
}

/// Lists whose shares are taken up without being asked about.
#[utoipa::path(get, path = "/api/v1/inbox/rules", responses(
    (status = 200, description = "The rules", body = Vec<InboxRuleInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
))]
pub(crate) async fn rules(State(state): State<AppState>) -> Result<Json<Vec<InboxRuleInfo>>, ApiError> {
    let sharing = state.sharing()?;
    let rule = |rule: Rule| {
        let info = InboxRuleInfo { folder: rule.folder, max_bytes: rule.max_bytes, ..InboxRuleInfo::default() };
        match rule.whose {
            Whose::Person(id) => {
                InboxRuleInfo { from: Some(sharing.person_name(id)), person: Some(id.to_string()), ..info }
            }
            Whose::Group(id) => {
                InboxRuleInfo { group: Some(sharing.group_name(id)), group_id: Some(id.to_string()), ..info }
            }
        }
    };
    Ok(Json(sharing.rules().into_iter().map(rule).collect()))
}

/// Sets a rule, in place of one for the same person or group. What waits in the inbox already is taken up if it fits.
#[utoipa::path(put, path = "/api/v1/inbox/rules", request_body = InboxRule, responses(
    (status = 200, description = "It holds", body = InboxRuleSet),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such person or group", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn set_rule(
    State(state): State<AppState>,
    Body(request): Body<InboxRule>,
) -> Result<Json<InboxRuleSet>, ApiError> {
    let sharing = state.sharing()?;
    let folder = absolute(&request.folder)?.display().to_string();
    let whose = whose(sharing, request.from.as_deref(), request.group.as_deref())?;
    let (taken_up, failed) = sharing.set_rule(Rule { whose, folder, max_bytes: request.max_bytes }).await?;
    Ok(Json(InboxRuleSet { taken_up, failed }))
}

/// Removes a rule.
#[utoipa::path(delete, path = "/api/v1/inbox/rules", params(
    ("from" = Option<String>, Query, description = "The person"),
    ("group" = Option<String>, Query, description = "The group"),
), responses(
    (status = 204, description = "It does not hold any more"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such person or group", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
))]
pub(crate) async fn remove_rule(
    State(state): State<AppState>,
    Params(params): Params<RuleParams>,
) -> Result<StatusCode, ApiError> {
    let sharing = state.sharing()?;
    let whose = whose(sharing, params.from.as_deref(), params.group.as_deref())?;
    sharing.remove_rule(whose).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the folders that people may look into.
#[utoipa::path(get, path = "/api/v1/libraries", responses(
    (status = 200, description = "The libraries", body = Vec<LibraryInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
))]
pub(crate) async fn libraries(State(state): State<AppState>) -> Result<Json<Vec<LibraryInfo>>, ApiError> {
    let sharing = state.sharing()?;
    Ok(Json(sharing.libraries().into_iter().map(|library| library_info(sharing, library)).collect()))
}

/// Lets people look into a folder, and take what is there. In place of a library of the same name.
#[utoipa::path(put, path = "/api/v1/libraries", request_body = LibraryRequest, responses(
    (status = 200, description = "They may", body = LibraryInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such person or group", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn add_library(
    State(state): State<AppState>,
    Body(request): Body<LibraryRequest>,
) -> Result<Json<LibraryInfo>, ApiError> {
    let sharing = state.sharing()?;
    let folder = resolved(&request.folder)?;
    if !folder.is_dir() {
        return Err(ApiError::bad_request(format!("{}: is no folder: choose one that is there", folder.display())));
    }
    let own_name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = if request.name.is_empty() { own_name } else { request.name };
    let audience = sharing.audience(&request.to, &request.groups)?;
    let library = sharing::Library { name, folder: folder.display().to_string(), audience };
    sharing.add_library(library.clone()).await?;
    Ok(Json(library_info(sharing, library)))
}

/// Closes a library; the folder stays as it is.
#[utoipa::path(delete, path = "/api/v1/libraries/{id}", params(("id" = String, Path, description = "Its name")), responses(
    (status = 204, description = "Nobody may look into it any more"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such library", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
))]
pub(crate) async fn remove_library(State(state): State<AppState>, Word(name): Word) -> Result<StatusCode, ApiError> {
    state.sharing()?.remove_library(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Looks into somebody's libraries.
#[utoipa::path(get, path = "/api/v1/browse", params(
    ("from" = String, Query, description = "Whose"),
    ("path" = Option<String>, Query, description = "Which folder: the library's name first; all libraries when absent"),
), responses(
    (status = 200, description = "What is there", body = Vec<LibraryEntry>),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such person or folder", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
    (status = 424, description = "They cannot be reached", body = Problem),
))]
pub(crate) async fn browse(
    State(state): State<AppState>,
    Params(params): Params<BrowseParams>,
) -> Result<Json<Vec<LibraryEntry>>, ApiError> {
    let found = state.sharing()?.browse(&params.from, components(&params.path)?).await?;
    let entry = |entry: sharing::proto::Entry| LibraryEntry {
        name: entry.name,
        folder: entry.folder,
        size_bytes: entry.bytes,
        modified_at_s: entry.modified,
    };
    Ok(Json(found.into_iter().map(entry).collect()))
}

/// Takes a file or a folder of somebody's library. The job lasts while it is hashed there; then it is a torrent here.
#[utoipa::path(post, path = "/api/v1/browse", request_body = TakeRequest, responses(
    (status = 202, description = "It begins", body = Job),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node has no identity", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 429, description = "Too many jobs", body = Problem),
))]
pub(crate) async fn take(
    State(state): State<AppState>,
    Body(request): Body<TakeRequest>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let sharing = state.sharing()?.clone();
    let folder = request.folder.map(|folder| absolute(&folder)).transpose()?;
    let path = components(&request.path)?;
    begin(&state, JobKind::Take, request.path.clone(), None, |_, progress| async move {
        let id = sharing.take(&request.from, path, folder, &progress).await?;
        Ok(Outcome { torrent: Some(id.to_string()), ..Outcome::default() })
    })
}

fn components(path: &str) -> Result<Vec<String>, ApiError> {
    let path: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if sharing::proto::check_path(&path) {
        Ok(path)
    } else {
        Err(ApiError::bad_request(
            "the path has to be names of folders with / between them: take it from what was listed",
        ))
    }
}

fn whose(sharing: &Sharing, from: Option<&str>, group: Option<&str>) -> Result<Whose, ApiError> {
    let (to, groups) = match (from, group) {
        (Some(from), None) => (vec![from.to_owned()], Vec::new()),
        (None, Some(group)) => (Vec::new(), vec![group.to_owned()]),
        _ => return Err(ApiError::bad_request("say either a person or a group")),
    };
    let audience = sharing.audience(&to, &groups)?;
    let person = audience.persons.first().map(|id| Whose::Person(*id));
    // One of the two was found, or there was an error.
    person
        .or(audience.groups.first().map(|id| Whose::Group(*id)))
        .ok_or_else(|| ApiError::bad_request("nobody is meant: name a person or a group"))
}

/// Returns the names of persons and groups.
fn names(sharing: &Sharing, audience: &Audience) -> (Vec<String>, Vec<String>) {
    let to = audience.persons.iter().map(|id| sharing.person_name(*id)).collect();
    (to, audience.groups.iter().map(|id| sharing.group_name(*id)).collect())
}

/// Returns the ids of persons and groups, in the order of [`names`].
fn ids(audience: &Audience) -> (Vec<String>, Vec<String>) {
    let to = audience.persons.iter().map(ToString::to_string).collect();
    (to, audience.groups.iter().map(ToString::to_string).collect())
}

fn library_info(sharing: &Sharing, library: sharing::Library) -> LibraryInfo {
    let ((to, groups), (to_ids, group_ids)) = (names(sharing, &library.audience), ids(&library.audience));
    LibraryInfo { name: library.name, folder: library.folder, to, groups, to_ids, group_ids }
}

fn private_share(sharing: &Sharing, view: ShareView) -> PrivateShare {
    let ShareView { share, told } = view;
    let ((to, groups), (to_ids, group_ids)) = (names(sharing, &share.audience), ids(&share.audience));
    PrivateShare {
        torrent: share.id().to_string(),
        name: share.name,
        path: share.path,
        bytes: share.bytes,
        files: share.files,
        to,
        groups,
        to_ids,
        group_ids,
        note: share.note,
        library: share.library,
        attached: share.attached.is_some(),
        told: told.0 as u32,
        nodes: told.1 as u32,
        created_at_s: share.created,
    }
}

pub(super) async fn entry(state: &AppState, sharing: &Sharing, item: InboxItem) -> InboxEntry {
    let accepted = item.state == sharing::InboxState::Accepted;
    let status = if accepted { state.session().status(item.id()).await.ok() } else { None };
    let removed = accepted && status.is_none();
    let progress = status.map_or(0.0, |status| match status.wanted_bytes {
        Some(wanted) if wanted > 0 => status.done_bytes as f64 / wanted as f64,
        _ => 0.0,
    });
    InboxEntry {
        torrent: item.id().to_string(),
        from: sharing.person_name(item.sharer),
        person: item.sharer.to_string(),
        group: item.notice.group.map(|group| sharing.group_name(group)),
        group_id: item.notice.group.map(|group| group.to_string()),
        name: item.notice.name,
        bytes: item.notice.bytes,
        files: item.notice.files,
        note: item.notice.note,
        state: match item.state {
            sharing::InboxState::Waiting => rpc::InboxState::Waiting,
            sharing::InboxState::Accepted => rpc::InboxState::Accepted,
            sharing::InboxState::Declined => rpc::InboxState::Declined,
        },
        withdrawn: item.notice.withdrawn,
        removed,
        folder: item.folder,
        progress,
        received_at_s: item.received,
    }
}
