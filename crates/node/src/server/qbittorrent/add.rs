//! `torrents/add`: links, and torrent files that come along.

use std::path::PathBuf;

use axum::body::Bytes;
use axum::extract::State;
use metainfo::TorrentFile;
use torrent::{Add, AddSource, TorrentId, TorrentLimits};

use super::form::Form;
use super::refusal::{self, Answer, Refusal};
use super::{act, list, share, sorting};
use crate::server::{AppState, orders};

/// What holds for all torrents of a request.
#[derive(Debug)]
struct Order {
    folder: Option<PathBuf>,
    paused: bool,
    sequential: bool,
    limits: TorrentLimits,
    goal: torrent::SeedGoal,
    category: String,
    tags: Vec<String>,
}

/// Answers `torrents/add`: `Ok.` where at least one is new.
pub(super) async fn add(State(state): State<AppState>, form: Form) -> Answer {
    let mut sources = Vec::new();
    for link in form.list("urls", '\n') {
        sources.push(AddSource::Link(link.to_owned()));
    }
    for file in &form.files {
        let read = TorrentFile::from_bytes(file);
        read.map_err(|error| Refusal::no_torrent_file(format!("Error: a file is not a valid torrent file: {error}")))?;
        sources.push(AddSource::File(file.clone()));
    }
    refuse(&form)?;
    let order = order(&state, &form)?;
    if !order.category.is_empty() {
        state.categories().ensure(&order.category).await?;
    }
    let mut some = false;
    for source in sources {
        match take_up(&state, &order, source).await {
            Ok(new) => some |= new,
            Err(refused) => tracing::debug!(words = %refused.words, "a tool's torrent is not added"),
        }
    }
    Ok(refusal::text(if some { "Ok." } else { "Fails." }))
}

/// Refuses what would change the content, or where it lies, and is not done here.
fn refuse(form: &Form) -> Result<(), Refusal> {
    for (name, words) in [
        ("cookie", "torrent files are fetched without cookies: fetch it, and send it along"),
        ("rename", "torrents keep the names that they have"),
    ] {
        if form.said(name).is_some() {
            return Err(Refusal::conflict(words));
        }
    }
    for (name, words) in [
        ("firstLastPiecePrio", "first and last pieces are not fetched first"),
        ("autoTMM", "content stays where it is when a category changes"),
        ("useDownloadPath", "where incomplete files lie is set in config.toml ([disk], incomplete)"),
    ] {
        if form.flag(name)? == Some(true) {
            return Err(Refusal::conflict(words));
        }
    }
    if form.said("stopCondition").is_some_and(|condition| condition != "None") {
        return Err(Refusal::conflict("torrents are not stopped on a condition: add it stopped"));
    }
    let original = match form.said("contentLayout") {
        None | Some("Original") => true,
        // What has a folder of its own has it either way.
        Some("Subfolder") => !form.files.is_empty() && form.files.iter().all(has_folder),
        Some(_) => false,
    };
    if !original || form.flag("root_folder")? == Some(false) {
        return Err(Refusal::conflict("the content is laid out as its torrent says"));
    }
    Ok(())
}

fn has_folder(file: &Bytes) -> bool {
    let folder = |file: TorrentFile| file.info.layout().files().iter().any(|file| file.path.len() > 1);
    TorrentFile::from_bytes(file).is_ok_and(folder)
}

/// Makes the order of the parameters.
fn order(state: &AppState, form: &Form) -> Result<Order, Refusal> {
    let category = form.said("category").unwrap_or_default().to_owned();
    let default = state.session().folder();
    let folder = match form.said("savepath") {
        Some(folder) => Some(act::folder(folder)?),
        None => state.categories().folder(&category, &default),
    };
    let rate = |name: &str| Ok::<_, Refusal>(form.number::<i64>(name)?.and_then(|rate| u64::try_from(rate).ok()));
    let paused = match form.flag("stopped")? {
        Some(stopped) => Some(stopped),
        // Its name before 2.11.
        None => form.flag("paused")?,
    };
    let goal = list::around(state).goal;
    Ok(Order {
        folder,
        paused: paused.unwrap_or(false),
        sequential: form.flag("sequentialDownload")?.unwrap_or(false),
        limits: TorrentLimits {
            down_bytes_per_s: rate("dlLimit")?.filter(|rate| *rate > 0),
            up_bytes_per_s: rate("upLimit")?.filter(|rate| *rate > 0),
            ..TorrentLimits::default()
        },
        goal: share::goal(form, &goal, &goal)?,
        category,
        tags: sorting::read(form)?,
    })
}

/// Takes one up, and tells whether it is new. What is here stays as it is, but for the trackers of the other.
///
/// `skip_checking` is passed over: what lies there is checked, since what is claimed is on the disk.
async fn take_up(state: &AppState, order: &Order, source: AddSource) -> Result<bool, Refusal> {
    let mut add = Add::new(source);
    add.folder = order.folder.clone();
    add.sequential = order.sequential;
    add.limits = order.limits.clone();
    add.paused = order.paused;
    let added = orders::take_up(state, add).await?;
    if added.known {
        return Ok(false);
    }
    note(state, order, added.id).await?;
    Ok(true)
}

/// Notes what the engine is not told with the order.
async fn note(state: &AppState, order: &Order, id: TorrentId) -> Result<(), Refusal> {
    // One that is to seed for ever has no goal, where the order's would be that of all.
    share::gone_is_fine(state.session().seed_goal(id, order.goal.clone()).await)?;
    state.labels().create(order.tags.clone()).await?;
    state.labels().set(id, order.tags.clone()).await?;
    state.categories().set(id, &order.category).await?;
    Ok(())
}
