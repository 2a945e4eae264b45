//! What is done to torrents: start, stop, verify, announce, remove, move; and what this program does not do to them.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Map, json};
use torrent::{Session, TorrentError, TorrentId};

use super::envelope::Outcome;
use super::fault::Fault;
use super::params::Params;
use super::{add, get};
use crate::server::{AppState, orders};

/// What is done to each torrent that is meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Start,
    Stop,
    Verify,
    Reannounce,
}

/// Does something to all torrents that are meant.
pub(super) async fn each(state: &AppState, params: &Params, deed: Deed) -> Outcome {
    for id in get::meant(state, params).await? {
        match one(state.session(), id, deed).await {
            // One that is removed meanwhile needs nothing any more.
            Ok(()) | Err(TorrentError::Unknown(_)) => state.transmission().view().touch(id, Instant::now()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Map::new())
}

async fn one(session: &Session, id: TorrentId, deed: Deed) -> Result<(), TorrentError> {
    match deed {
        Deed::Start => session.resume(id).await,
        Deed::Stop => session.pause(id).await,
        Deed::Verify => session.recheck(id).await,
        Deed::Reannounce => session.reannounce(id).await,
    }
}

/// Answers `torrent_remove`.
pub(super) async fn remove(state: &AppState, params: &Params) -> Outcome {
    // Everything at once is never what a tool means that forgot to say what.
    if params.value("ids").is_none() {
        return Err(Fault::params("ids has to say which torrents are removed"));
    }
    let with_data = params.flag("delete_local_data")?.unwrap_or(false);
    for id in get::meant(state, params).await? {
        match orders::remove(state, id, with_data).await {
            Ok(()) | Err(TorrentError::Unknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let ids = state.session().ids();
    state.transmission().view().sync(&ids, Instant::now());
    Ok(Map::new())
}

/// Answers `torrent_set_location`.
pub(super) async fn set_location(state: &AppState, params: &Params) -> Outcome {
    let location = params.text("location")?.ok_or_else(|| Fault::params("no location"))?;
    let folder = add::absolute(location, "new location path is not absolute")?;
    if !params.flag("move")?.unwrap_or(false) {
        return Err(Fault::unsupported(
            "content is moved, not looked for elsewhere: remove the torrent and add it again with that folder",
        ));
    }
    for id in get::meant(state, params).await? {
        move_to(state, id, folder.clone()).await?;
    }
    Ok(Map::new())
}

pub(super) async fn move_to(state: &AppState, id: TorrentId, folder: PathBuf) -> Result<(), Fault> {
    orders::move_soon(state, id, folder).await?;
    state.transmission().view().touch(id, Instant::now());
    Ok(())
}

/// Answers `torrent_rename_path`: with what 4.1 answers, and why it is not done.
pub(super) async fn rename(state: &AppState, params: &Params) -> Outcome {
    let ids = get::meant(state, params).await?;
    let [id] = ids[..] else { return Err(Fault::params("torrent_rename_path requires 1 torrent")) };
    let mut fault = Fault::unsupported("files keep the names that the torrent gives them");
    fault.result = Map::from_iter([
        ("id".to_owned(), json!(get::meant_number(state, id))),
        ("name".to_owned(), json!(params.text("name")?.unwrap_or_default())),
        ("path".to_owned(), json!(params.text("path")?.unwrap_or_default())),
    ]);
    Err(fault)
}
