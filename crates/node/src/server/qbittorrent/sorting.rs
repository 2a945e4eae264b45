//! Categories and tags. Tags are the node's labels.

use std::collections::BTreeSet;

use axum::extract::State;
use serde_json::{Map, Value, json};

use super::form::Form;
use super::meant;
use super::refusal::{self, Answer, Refusal};
use crate::labels;
use crate::server::AppState;

/// Returns the categories as the tools are told of them.
pub(super) fn told(state: &AppState) -> Map<String, Value> {
    let all = state.categories().all().into_iter();
    all.map(|(name, folder)| (name.clone(), json!({ "name": name, "savePath": folder }))).collect()
}

/// Answers `torrents/categories`.
pub(super) async fn categories(State(state): State<AppState>) -> Answer {
    refusal::json(told(&state).into())
}

/// Answers `torrents/createCategory`.
pub(super) async fn create_category(State(state): State<AppState>, form: Form) -> Answer {
    state.categories().create(form.needed("category")?, form.said("savePath").unwrap_or_default()).await?;
    refusal::done()
}

/// Answers `torrents/editCategory`.
pub(super) async fn edit_category(State(state): State<AppState>, form: Form) -> Answer {
    state.categories().edit(form.needed("category")?, form.said("savePath").unwrap_or_default()).await?;
    refusal::done()
}

/// Answers `torrents/removeCategories`.
pub(super) async fn remove_categories(State(state): State<AppState>, form: Form) -> Answer {
    form.needed("categories")?;
    let names = form.list("categories", '\n');
    state.categories().remove(names.into_iter().map(str::to_owned).collect()).await?;
    refusal::done()
}

/// Answers `torrents/setCategory`. The content stays where it is.
pub(super) async fn set_category(State(state): State<AppState>, form: Form) -> Answer {
    let category = form.needed("category")?.trim();
    for id in meant(&state, &form)? {
        state.categories().set(id, category).await?;
    }
    refusal::done()
}

/// Answers `torrents/tags`.
pub(super) async fn tags(State(state): State<AppState>) -> Answer {
    refusal::json(json!(state.labels().all()))
}

/// Reads tags, with commas between.
pub(super) fn read(form: &Form) -> Result<Vec<String>, Refusal> {
    labels::read(form.list("tags", ',')).map_err(Refusal::bad)
}

/// Answers `torrents/createTags`.
pub(super) async fn create_tags(State(state): State<AppState>, form: Form) -> Answer {
    form.needed("tags")?;
    state.labels().create(read(&form)?).await?;
    refusal::done()
}

/// Answers `torrents/deleteTags`.
pub(super) async fn delete_tags(State(state): State<AppState>, form: Form) -> Answer {
    form.needed("tags")?;
    state.labels().delete(&read(&form)?.into_iter().collect()).await?;
    refusal::done()
}

/// Answers `torrents/addTags`.
pub(super) async fn add_tags(State(state): State<AppState>, form: Form) -> Answer {
    form.needed("tags")?;
    let new = read(&form)?;
    change(&state, &form, new.clone(), |tags| tags.extend(new.iter().cloned())).await
}

/// Answers `torrents/setTags`.
pub(super) async fn set_tags(State(state): State<AppState>, form: Form) -> Answer {
    form.needed("tags")?;
    let new = read(&form)?;
    change(&state, &form, new.clone(), |tags| *tags = new.clone()).await
}

/// Answers `torrents/removeTags`; without tags all of them.
pub(super) async fn remove_tags(State(state): State<AppState>, form: Form) -> Answer {
    let gone: BTreeSet<String> = read(&form)?.into_iter().collect();
    change(&state, &form, Vec::new(), |tags| tags.retain(|tag| !gone.is_empty() && !gone.contains(tag))).await
}

async fn change(state: &AppState, form: &Form, created: Vec<String>, change: impl Fn(&mut Vec<String>)) -> Answer {
    let torrents = meant(state, form)?;
    state.labels().create(created).await?;
    for id in torrents {
        state.labels().change(id, &change).await?;
    }
    refusal::done()
}
