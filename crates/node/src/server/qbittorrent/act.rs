//! What is done to torrents.

use std::path::PathBuf;

use axum::extract::State;
use metainfo::FileIndex;
use serde_json::{Map, json};
use torrent::TorrentError;

use super::form::Form;
use super::refusal::{self, Answer, Refusal};
use super::share::gone_is_fine;
use super::{lists, meant, one};
use crate::server::{AppState, orders};

/// Answers `torrents/delete`.
pub(super) async fn delete(State(state): State<AppState>, form: Form) -> Answer {
    let with_data = form.flag("deleteFiles")?.unwrap_or(false);
    for id in meant(&state, &form)? {
        gone_is_fine(orders::remove(&state, id, with_data).await)?;
    }
    refusal::done()
}

/// Answers `torrents/start`.
pub(super) async fn start(State(state): State<AppState>, form: Form) -> Answer {
    for id in meant(&state, &form)? {
        gone_is_fine(state.session().resume(id).await)?;
    }
    refusal::done()
}

/// Answers `torrents/stop`.
pub(super) async fn stop(State(state): State<AppState>, form: Form) -> Answer {
    for id in meant(&state, &form)? {
        gone_is_fine(state.session().pause(id).await)?;
    }
    refusal::done()
}

/// Answers `torrents/setForceStart`. Forced is who does not wait in the queue; there is none, so who is started is.
pub(super) async fn force_start(State(state): State<AppState>, form: Form) -> Answer {
    match form.flag("value")?.unwrap_or(false) {
        true => start(State(state), form).await,
        false => refusal::done(),
    }
}

/// Answers `torrents/recheck`.
pub(super) async fn recheck(State(state): State<AppState>, form: Form) -> Answer {
    for id in meant(&state, &form)? {
        gone_is_fine(state.session().recheck(id).await)?;
    }
    refusal::done()
}

/// Answers `torrents/reannounce`.
pub(super) async fn reannounce(State(state): State<AppState>, form: Form) -> Answer {
    for id in meant(&state, &form)? {
        gone_is_fine(state.session().reannounce(id).await)?;
    }
    refusal::done()
}

/// Answers `torrents/setSuperSeeding`.
pub(super) async fn super_seed(State(state): State<AppState>, form: Form) -> Answer {
    let on = form.flag("value")?.unwrap_or(false);
    for id in meant(&state, &form)? {
        gone_is_fine(state.session().super_seed(id, on).await)?;
    }
    refusal::done()
}

/// Answers `torrents/toggleSequentialDownload`.
pub(super) async fn toggle_sequential(State(state): State<AppState>, form: Form) -> Answer {
    for id in meant(&state, &form)? {
        let Ok(status) = state.session().status(id).await else { continue };
        gone_is_fine(state.session().sequential(id, !status.sequential).await)?;
    }
    refusal::done()
}

/// Answers `torrents/setAutoManagement`.
pub(super) async fn auto_management(form: Form) -> Answer {
    match form.flag("enable")?.unwrap_or(false) {
        true => Err(Refusal::conflict("content stays where it is when a category changes: move it with setLocation")),
        false => refusal::done(),
    }
}

/// Checks a folder of this computer.
pub(super) fn folder(text: &str) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(text);
    let wrong = || Refusal::conflict(format!("{text}: the path of a folder has to begin at the root"));
    if path.is_absolute() { Ok(path) } else { Err(wrong()) }
}

/// Answers `torrents/setLocation`.
pub(super) async fn set_location(State(state): State<AppState>, form: Form) -> Answer {
    let folder = folder(form.said("location").ok_or_else(|| Refusal::bad("Save path cannot be empty"))?)?;
    for id in meant(&state, &form)? {
        gone_is_fine(orders::move_soon(&state, id, folder.clone()).await)?;
    }
    refusal::done()
}

/// Answers `torrents/filePrio`.
pub(super) async fn file_priority(State(state): State<AppState>, form: Form) -> Answer {
    let number = form.needed("priority")?.trim().parse::<i64>();
    let number = number.map_err(|_| Refusal::bad("Priority must be an integer"))?;
    let priority = lists::read_priority(number).ok_or_else(|| Refusal::bad("Priority is not valid"))?;
    let named = form.needed("id")?.split('|').map(|index| index.trim().parse::<u32>());
    let named: Vec<u32> = named.collect::<Result<_, _>>().map_err(|_| Refusal::bad("File IDs must be integers"))?;
    let id = one(&state, &form)?;
    let count = state.session().files(id).await?.len();
    if count == 0 {
        return Err(Refusal::conflict("Torrent's metadata has not yet downloaded"));
    }
    if named.iter().any(|index| *index as usize >= count) {
        return Err(Refusal::conflict("File ID is not valid"));
    }
    let choice = named.into_iter().map(|index| (FileIndex(index), priority)).collect();
    state.session().prioritise(id, choice).await?;
    refusal::done()
}

/// Answers `torrents/addTrackers`.
pub(super) async fn add_trackers(State(state): State<AppState>, form: Form) -> Answer {
    form.needed("urls")?;
    let trackers: Vec<String> = form.list("urls", '\n').into_iter().map(str::to_owned).collect();
    for url in &trackers {
        crate::check_tracker(url).map_err(Refusal::bad)?;
    }
    let id = one(&state, &form)?;
    if state.session().status(id).await?.confined {
        return Err(TorrentError::Confined.into());
    }
    orders::add_trackers::<Refusal>(&state, id, trackers).await?;
    refusal::done()
}

/// Answers `torrents/addPeers`.
pub(super) async fn add_peers(State(state): State<AppState>, form: Form) -> Answer {
    form.needed("peers")?;
    let peers = form.list("peers", '|');
    if peers.is_empty() {
        return Err(Refusal::bad("No valid peers were specified"));
    }
    let mut told = Map::new();
    for id in meant(&state, &form)? {
        let mut added = 0;
        for peer in &peers {
            added += usize::from(state.session().add_peer(id, peer).await.is_ok());
        }
        told.insert(id.to_string(), json!({ "added": added, "failed": peers.len() - added }));
    }
    refusal::json(told.into())
}
