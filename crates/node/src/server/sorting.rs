//! By what torrents are sorted: labels and categories.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rpc::{CategoryInfo, CategoryRequest, LabelInfo, Problem, TorrentChange, TorrentSummary};
use serde::Deserialize;
use torrent::{Add, TorrentError, TorrentId};

use super::AppState;
use super::body::{Body, Id, Word};
use super::problem::ApiError;
use crate::categories::CategoryError;
use crate::labels::{self, LabelError};

/// What whoever adds a torrent wants it to be sorted by.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    labels: Vec<String>,
    category: Option<String>,
}

/// Which torrents are to be listed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Only {
    label: Option<String>,
    category: Option<String>,
}

impl Only {
    /// Tells whether a torrent is one of them.
    pub(super) fn has(&self, torrent: &TorrentSummary) -> bool {
        let label = |label: &String| match label.is_empty() {
            true => torrent.labels.is_empty(),
            false => torrent.labels.contains(label),
        };
        let category = |category: &String| torrent.category.as_deref().unwrap_or_default() == category;
        self.label.as_ref().is_none_or(label) && self.category.as_ref().is_none_or(category)
    }
}

impl From<LabelError> for ApiError {
    fn from(error: LabelError) -> ApiError {
        match error {
            LabelError::Input(detail) => ApiError::bad_request(detail),
            LabelError::Db(error) => ApiError::local(error.to_string()),
        }
    }
}

impl From<CategoryError> for ApiError {
    fn from(error: CategoryError) -> ApiError {
        match error {
            CategoryError::Input(detail) => ApiError::bad_request(detail),
            CategoryError::Db(error) => ApiError::local(error.to_string()),
        }
    }
}

impl Wanted {
    /// Checks what a request says, and makes its category if there is none of that name.
    pub(super) async fn of(state: &AppState, labels: &[String], category: Option<String>) -> Result<Wanted, ApiError> {
        let labels = read(labels)?;
        let category = category.filter(|name| !name.is_empty());
        if let Some(name) = &category {
            state.categories().ensure(name).await?;
        }
        Ok(Wanted { labels, category })
    }

    /// Sends the content to the folder of its category, unless the order says where it goes.
    pub(super) fn place(&self, state: &AppState, add: &mut Add) {
        if add.folder.is_none()
            && let Some(category) = &self.category
        {
            add.folder = state.categories().folder(category, &state.session().folder());
        }
    }

    /// Notes it. A category that the torrent has stays.
    pub(super) async fn note(self, state: &AppState, id: TorrentId) -> Result<(), ApiError> {
        state.labels().change(id, |labels| labels.extend(self.labels)).await?;
        match self.category.filter(|_| state.categories().of(id).is_empty()) {
            Some(category) => Ok(state.categories().set(id, &category).await?),
            None => Ok(()),
        }
    }
}

fn read(words: &[String]) -> Result<Vec<String>, ApiError> {
    labels::read(words.iter().map(String::as_str)).map_err(ApiError::bad_request)
}

/// Changes by what a torrent is sorted, and in which order its pieces are fetched and offered.
#[utoipa::path(patch, path = "/api/v1/torrents/{id}", params(("id" = String, Path, description = "The torrent")),
    request_body = TorrentChange, responses(
    (status = 200, description = "The torrent", body = TorrentSummary),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    Id(id): Id,
    Body(wanted): Body<TorrentChange>,
) -> Result<Json<TorrentSummary>, ApiError> {
    let (add, gone) = (read(&wanted.labels.add)?, read(&wanted.labels.remove)?);
    state.session().status(id).await?;
    if let Some(category) = wanted.category.as_deref().filter(|name| !name.is_empty()) {
        state.categories().ensure(category).await?;
    }
    let change = |labels: &mut Vec<String>| {
        labels.retain(|label| !gone.contains(label));
        labels.extend(add);
    };
    state.labels().change(id, change).await?;
    if let Some(category) = &wanted.category {
        state.categories().set(id, category).await?;
    }
    if let Some(on) = wanted.sequential {
        state.session().sequential(id, on).await?;
    }
    if let Some(on) = wanted.super_seed {
        state.session().super_seed(id, on).await?;
    }
    match state.session().status(id).await {
        Ok(status) => Ok(Json(state.summary(status))),
        Err(error) => {
            if let TorrentError::Unknown(_) = error {
                // It was removed meanwhile.
                state.sorting().forget(id).await.map_err(|error| ApiError::local(error.to_string()))?;
            }
            Err(error.into())
        }
    }
}

/// Lists the labels.
#[utoipa::path(get, path = "/api/v1/labels", responses(
    (status = 200, description = "The labels", body = Vec<LabelInfo>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn labels(State(state): State<AppState>) -> Json<Vec<LabelInfo>> {
    Json(state.labels().counts().into_iter().map(|(name, torrents)| LabelInfo { name, torrents }).collect())
}

/// Takes a label away from all torrents.
#[utoipa::path(delete, path = "/api/v1/labels/{label}", params(("label" = String, Path, description = "The label")), responses(
    (status = 204, description = "No torrent has it any more"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "There is no such label", body = Problem),
))]
pub(crate) async fn delete_label(State(state): State<AppState>, Word(label): Word) -> Result<StatusCode, ApiError> {
    if !state.labels().all().contains(&label) {
        return Err(ApiError::not_found(format!("no torrent has the label {label:?}: see {}/labels", rpc::PREFIX)));
    }
    let deleted = state.labels().delete(&[label].into()).await;
    deleted.map_err(|error| ApiError::local(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the categories.
#[utoipa::path(get, path = "/api/v1/categories", responses(
    (status = 200, description = "The categories", body = Vec<CategoryInfo>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn categories(State(state): State<AppState>) -> Json<Vec<CategoryInfo>> {
    let counts = state.categories().counts();
    let info = |(name, folder): (String, String)| CategoryInfo {
        torrents: counts.get(&name).copied().unwrap_or_default(),
        name,
        folder: Some(folder).filter(|folder| !folder.is_empty()),
    };
    Json(state.categories().all().into_iter().map(info).collect())
}

/// Makes a category, or changes where its new torrents go; those that are in it stay where they are.
#[utoipa::path(put, path = "/api/v1/categories", request_body = CategoryRequest, responses(
    (status = 200, description = "The category", body = CategoryInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn put_category(
    State(state): State<AppState>,
    Body(wanted): Body<CategoryRequest>,
) -> Result<Json<CategoryInfo>, ApiError> {
    let CategoryRequest { name, folder } = wanted;
    state.categories().ensure(&name).await?;
    state.categories().edit(&name, folder.as_deref().unwrap_or_default()).await?;
    let torrents = state.categories().counts().get(&name).copied().unwrap_or_default();
    Ok(Json(CategoryInfo { name, folder: folder.filter(|folder| !folder.is_empty()), torrents }))
}

/// Removes a category; its torrents are in none then.
#[utoipa::path(delete, path = "/api/v1/categories/{category}", params(
    ("category" = String, Path, description = "Its name; a slash in it is written as %2F"),
), responses(
    (status = 204, description = "There is none of that name any more"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "There is no such category", body = Problem),
))]
pub(crate) async fn delete_category(State(state): State<AppState>, Word(name): Word) -> Result<StatusCode, ApiError> {
    if !state.categories().all().contains_key(&name) {
        return Err(ApiError::not_found(format!("there is no category {name:?}: see {}/categories", rpc::PREFIX)));
    }
    let removed = state.categories().remove(vec![name]).await;
    removed.map_err(|error| ApiError::local(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}
