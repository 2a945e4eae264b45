//! The settings that most people want to see.

use axum::Json;
use axum::extract::State;
use rpc::{Problem, SettingsChange, SettingsInfo};

use super::AppState;
use super::body::Body;
use super::problem::ApiError;
use super::torrents::absolute;
use crate::{computer_name, user_name};

/// Tells what the settings say. Rates and counts are in `/budget`, whom the node meets is in `/gate`.
#[utoipa::path(get, path = "/api/v1/settings", responses(
    (status = 200, description = "The settings", body = SettingsInfo),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn settings(State(state): State<AppState>) -> Json<SettingsInfo> {
    Json(info(&state))
}

/// Changes settings, puts them into force and writes them into the file. Names are changed by `PATCH /identity`.
#[utoipa::path(patch, path = "/api/v1/settings", request_body = SettingsChange, responses(
    (status = 200, description = "The settings", body = SettingsInfo),
    (status = 400, description = "Not understood, or the folder cannot be one", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    Body(change): Body<SettingsChange>,
) -> Result<Json<SettingsInfo>, ApiError> {
    if let Some(folder) = &change.download_folder {
        // A path that cannot be a folder is told now, and not at the first download.
        let folder = absolute(folder)?;
        let made = tokio::fs::create_dir_all(&folder).await;
        made.map_err(|error| {
            ApiError::bad_request(format!("{} cannot be made a folder: {error}; choose another", folder.display()))
        })?;
    }
    state.controls().change_settings(change).await?;
    Ok(Json(info(&state)))
}

/// Returns what the settings say.
pub(super) fn info(state: &AppState) -> SettingsInfo {
    let shown = state.controls().shown();
    let (config, begun) = (&shown.config, state.society().settings_at_start());
    let mut restart = Vec::new();
    for (name, now, then) in
        [("local_network", config.network.lsd, begun.network.lsd), ("dht", config.network.dht, begun.network.dht)]
    {
        restart.extend((now != then).then(|| name.to_owned()));
    }
    let (name, node_name) = names(state);
    SettingsInfo {
        name,
        node_name,
        suggested_name: user_name().to_string(),
        suggested_node_name: computer_name().to_string(),
        download_folder: config.download_folder.display().to_string(),
        seed_ratio: config.seed.ratio,
        seed_minutes: config.seed.minutes,
        seed_idle_minutes: config.seed.idle_minutes,
        published: config.overlay.publish,
        local_network: config.network.lsd,
        dht: config.network.dht,
        read_receipts: config.chat.receipts,
        typing: config.chat.typing,
        restart,
        file: state.parts().home.folder().join("config.toml").display().to_string(),
        mistake: shown.message,
    }
}

/// Returns what the person and this node are called.
fn names(state: &AppState) -> (Option<String>, Option<String>) {
    let Some(people) = state.people() else { return (None, None) };
    let book = people.book();
    let Some(list) = book.own().map(|own| own.newest().list()) else { return (None, None) };
    (Some(list.name.to_string()), list.nodes.get(&book.node()).map(|entry| entry.name.to_string()))
}
