//! What more than one API orders of the session.

use std::path::PathBuf;
use std::time::Duration;

use metainfo::{Magnet, TorrentFile};
use torrent::{Add, AddError, AddSource, Added, SeedGoal, Session, TorrentError, TorrentId};

use super::AppState;

/// How long an answer waits for content to be moved; it is moved on after that. Arbitrary: a tool's patience is longer, and
/// what is on the same disk takes less.
const MOVE_WAIT: Duration = Duration::from_secs(5);

/// Moves the content, for a tool: one that takes long goes on when the answer has been given.
pub(crate) async fn move_soon(state: &AppState, id: TorrentId, folder: PathBuf) -> Result<(), TorrentError> {
    match tokio::time::timeout(MOVE_WAIT, state.session().move_to(id, folder)).await {
        Ok(moved) => moved,
        Err(_) => {
            tracing::debug!(torrent = %id, "the content is still being moved");
            Ok(())
        }
    }
}

/// Gives a torrent that is here more trackers: an order for it does that and nothing else.
pub(crate) async fn add_trackers<E>(state: &AppState, id: TorrentId, trackers: Vec<String>) -> Result<(), E>
where
    E: From<TorrentError> + From<AddError>,
{
    let source = AddSource::Link(state.session().magnet(id).await?);
    state.session().add(Add { trackers, ..Add::new(source) }).await?;
    Ok(())
}

/// Forgets a torrent, and what tools noted of it.
pub(crate) async fn remove(state: &AppState, id: TorrentId, with_data: bool) -> Result<(), TorrentError> {
    state.session().remove(id, with_data).await?;
    Ok(state.sorting().forget(id).await?)
}

/// Takes a torrent up, with the settings' goal where the order names none.
pub(crate) async fn take_up(state: &AppState, mut add: Add) -> Result<Added, AddError> {
    let default = state.controls().shown().config.seed_goal();
    let SeedGoal { ratio, time, idle } = add.goal;
    add.goal = SeedGoal { ratio: ratio.or(default.ratio), time: time.or(default.time), idle: idle.or(default.idle) };
    if let Some(id) = known(state.session(), &add.source)
        && let Ok(status) = state.session().status(id).await
    {
        // Where it is already is where it stays; `move` and `copy` change that.
        add.folder = Some(status.folder);
    }
    state.session().add(add).await
}

fn known(session: &Session, source: &AddSource) -> Option<TorrentId> {
    let hashes = match source {
        AddSource::Link(link) => link.parse::<Magnet>().ok()?.hashes,
        AddSource::File(bytes) => TorrentFile::from_bytes(bytes).ok()?.hashes(),
    };
    session.find(&hashes)
}
