//! qBittorrent's Web API (2.11), for the tools that speak it: at `/api/v2`.
//!
//! A tool logs in with any user and the token of the home as the password, and is known by a cookie from then on; or it
//! shows the token with each request, as a bearer or as a password. What it asks for that this program does not have is
//! refused in words (409), never answered with success; paths that are not here answer 404, as those of a version that does
//! not have them.
//!
//! | file | concern |
//! | --- | --- |
//! | `form`, `multipart`, `refusal` | the protocol: parameters, errors; pure |
//! | `login` | who is logged in |
//! | `told`, `lists`, `delta` | what is told of a torrent, its parts, and what changed; pure |
//! | `list`, `sync`, `transfer`, `app` | what is asked |
//! | `add`, `act`, `share`, `sorting` | what is ordered |

mod act;
mod add;
mod app;
mod delta;
mod form;
mod list;
mod lists;
mod login;
mod multipart;
mod refusal;
mod share;
mod sorting;
mod sync;
mod told;
mod transfer;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, get, post};
use torrent::TorrentId;

use super::AppState;
use super::doors::Secrets;
use super::totals::{self, Totals};
use delta::Deltas;
use form::Form;
use refusal::Refusal;

/// How old sums over all days may be that are told to whoever asks every second. Arbitrary.
const TOTALS_AGE: Duration = Duration::from_secs(30);

/// What is kept between requests.
#[derive(Debug)]
pub(crate) struct Qbittorrent {
    /// The cookies of those that are logged in.
    logins: Secrets,
    deltas: Mutex<Deltas>,
    totals: Mutex<Option<(Instant, Totals)>>,
}

impl Default for Qbittorrent {
    fn default() -> Qbittorrent {
        Qbittorrent { logins: login::nobody(), deltas: Mutex::default(), totals: Mutex::default() }
    }
}

impl Qbittorrent {
    fn logins(&self) -> &Secrets {
        &self.logins
    }

    fn deltas(&self) -> MutexGuard<'_, Deltas> {
        // Nothing panics between two changes of it.
        self.deltas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what was carried in all, as of half a minute ago at most.
    async fn totals(&self, state: &AppState) -> Result<Totals, Refusal> {
        let known = *self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, totals)) = known.filter(|(when, _)| when.elapsed() < TOTALS_AGE) {
            return Ok(totals);
        }
        let totals = totals::of(state).await.map_err(|error| Refusal::local(error.to_string()))?;
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), totals));
        Ok(totals)
    }
}

/// What is asked comes by either method; tools use both.
fn asked<H, T>(handler: H) -> MethodRouter<AppState>
where
    H: Handler<T, AppState> + Clone,
    T: 'static,
{
    get(handler.clone()).post(handler)
}

/// Returns the routes below `/api/v2`.
pub(super) fn router(state: &AppState) -> Router<AppState> {
    let guarded = asking().merge(ordering()).merge(sorting()).fallback(refusal::no_such_path);
    let guarded = guarded.layer(axum::middleware::from_fn_with_state(state.clone(), login::guard));
    Router::new().route("/auth/login", post(login::log_in)).route("/auth/logout", post(login::log_out)).merge(guarded)
}

fn asking() -> Router<AppState> {
    Router::new()
        .route("/app/version", asked(app::version))
        .route("/app/webapiVersion", asked(app::api_version))
        .route("/app/buildInfo", asked(app::build))
        .route("/app/preferences", asked(app::preferences))
        .route("/app/defaultSavePath", asked(app::save_path))
        .route("/transfer/info", asked(transfer::info))
        .route("/transfer/speedLimitsMode", asked(transfer::mode))
        .route("/transfer/downloadLimit", asked(transfer::download_limit))
        .route("/transfer/uploadLimit", asked(transfer::upload_limit))
        .route("/sync/maindata", asked(sync::main_data))
        .route("/sync/torrentPeers", asked(sync::peers))
        .route("/torrents/info", asked(list::info))
        .route("/torrents/count", asked(list::count))
        .route("/torrents/properties", asked(list::properties))
        .route("/torrents/files", asked(list::files))
        .route("/torrents/trackers", asked(list::trackers))
        .route("/torrents/webseeds", asked(list::web_seeds))
        .route("/torrents/pieceStates", asked(list::piece_states))
        .route("/torrents/export", asked(list::export))
        .route("/torrents/downloadLimit", asked(share::download_limit))
        .route("/torrents/uploadLimit", asked(share::upload_limit))
        .route("/torrents/categories", asked(sorting::categories))
        .route("/torrents/tags", asked(sorting::tags))
}

fn ordering() -> Router<AppState> {
    Router::new()
        .route("/app/setPreferences", post(app::set_preferences))
        .route("/app/shutdown", post(app::shut_down))
        .route("/transfer/setDownloadLimit", post(transfer::set_download_limit))
        .route("/transfer/setUploadLimit", post(transfer::set_upload_limit))
        .route("/transfer/toggleSpeedLimitsMode", post(transfer::set_mode))
        .route("/transfer/setSpeedLimitsMode", post(transfer::set_mode))
        .route("/torrents/add", post(add::add))
        .route("/torrents/delete", post(act::delete))
        .route("/torrents/start", post(act::start))
        .route("/torrents/stop", post(act::stop))
        // Their names before 2.11, which some tools use still.
        .route("/torrents/resume", post(act::start))
        .route("/torrents/pause", post(act::stop))
        .route("/torrents/recheck", post(act::recheck))
        .route("/torrents/reannounce", post(act::reannounce))
        .route("/torrents/setLocation", post(act::set_location))
        .route("/torrents/setForceStart", post(act::force_start))
        .route("/torrents/setSuperSeeding", post(act::super_seed))
        .route("/torrents/toggleSequentialDownload", post(act::toggle_sequential))
        .route("/torrents/setAutoManagement", post(act::auto_management))
        .route("/torrents/filePrio", post(act::file_priority))
        .route("/torrents/addTrackers", post(act::add_trackers))
        .route("/torrents/addPeers", post(act::add_peers))
        .route("/torrents/setDownloadLimit", post(share::set_download_limit))
        .route("/torrents/setUploadLimit", post(share::set_upload_limit))
        .route("/torrents/setShareLimits", post(share::set_share_limits))
        .route("/torrents/topPrio", post(refusal::no_queue))
        .route("/torrents/bottomPrio", post(refusal::no_queue))
        .route("/torrents/increasePrio", post(refusal::no_queue))
        .route("/torrents/decreasePrio", post(refusal::no_queue))
        .route("/torrents/toggleFirstLastPiecePrio", post(refusal::no_first_and_last))
        .route("/torrents/editTracker", post(refusal::no_taking_trackers))
        .route("/torrents/removeTrackers", post(refusal::no_taking_trackers))
        .route("/torrents/rename", post(refusal::no_renaming))
        .route("/torrents/renameFile", post(refusal::no_renaming))
        .route("/torrents/renameFolder", post(refusal::no_renaming))
}

fn sorting() -> Router<AppState> {
    Router::new()
        .route("/torrents/setCategory", post(sorting::set_category))
        .route("/torrents/createCategory", post(sorting::create_category))
        .route("/torrents/editCategory", post(sorting::edit_category))
        .route("/torrents/removeCategories", post(sorting::remove_categories))
        .route("/torrents/addTags", post(sorting::add_tags))
        .route("/torrents/removeTags", post(sorting::remove_tags))
        .route("/torrents/setTags", post(sorting::set_tags))
        .route("/torrents/createTags", post(sorting::create_tags))
        .route("/torrents/deleteTags", post(sorting::delete_tags))
}

/// Returns the torrents that `hashes` means: `all`, or those of a list that are here.
fn meant(state: &AppState, form: &Form) -> Result<Vec<TorrentId>, Refusal> {
    let text = form.needed("hashes")?;
    let here = state.session().ids();
    if text == "all" {
        return Ok(here);
    }
    let named: BTreeSet<TorrentId> =
        text.split('|').filter_map(|hash| hash.trim().to_lowercase().parse().ok()).collect();
    Ok(here.into_iter().filter(|id| named.contains(id)).collect())
}

/// Returns the one torrent that `hash` means.
fn one(state: &AppState, form: &Form) -> Result<TorrentId, Refusal> {
    let id: Option<TorrentId> = form.needed("hash")?.to_lowercase().parse().ok();
    id.filter(|id| state.session().ids().contains(id)).ok_or_else(|| Refusal::not_found("there is no such torrent"))
}

#[cfg(test)]
mod tests;
