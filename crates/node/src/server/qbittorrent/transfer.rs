//! Rates and limits over everything.

use axum::extract::State;
use serde_json::{Map, Value, json};
use torrent::TorrentStatus;

use super::form::Form;
use super::refusal::{self, Answer, Refusal};
use super::told::object;
use crate::server::problem::ApiError;
use crate::server::{AppState, totals, transmission};

/// Answers `transfer/info`.
pub(super) async fn info(State(state): State<AppState>) -> Answer {
    let list = state.session().list().await;
    refusal::json(Value::Object(told(&state, list.iter()).await))
}

/// Returns the rates of now, and what was carried since the start.
pub(super) async fn told(state: &AppState, torrents: impl Iterator<Item = &TorrentStatus>) -> Map<String, Value> {
    let rates = torrents
        .fold((0, 0), |sum, torrent| (sum.0 + torrent.down_rate_bytes_per_s, sum.1 + torrent.up_rate_bytes_per_s));
    let (session, limits) = (state.session(), state.session().limits());
    let bytes = totals::since_start(state);
    let dht = match session.dht() {
        Some(dht) => Some(dht.status().await),
        None => None,
    };
    let families = dht.iter().flat_map(|dht| [&dht.v4, &dht.v6]).flatten();
    let (network, resting) = (session.network_status(), state.controls().shown().resting);
    let external = |v4: bool| network.external.map(|address| address.ip()).filter(|ip| ip.is_ipv4() == v4);
    let connection = match transmission::dialled_from_outside(state, None) {
        Some(_) => "connected",
        None if network.listen.is_empty() || resting => "disconnected",
        None => "firewalled",
    };
    object(json!({
        "connection_status": connection,
        "dht_nodes": families.map(|family| family.good + family.questionable).sum::<u32>(),
        "dl_info_data": bytes.down,
        "dl_info_speed": rates.0,
        "dl_rate_limit": limits.down_bytes_per_s.unwrap_or(0),
        "last_external_address_v4": external(true).map(|ip| ip.to_string()).unwrap_or_default(),
        "last_external_address_v6": external(false).map(|ip| ip.to_string()).unwrap_or_default(),
        "up_info_data": bytes.up,
        "up_info_speed": rates.1,
        "up_rate_limit": limits.up_bytes_per_s.unwrap_or(0),
    }))
}

/// Answers `transfer/speedLimitsMode`: there are no limits beside the usual ones that are switched on and off.
pub(super) async fn mode() -> Answer {
    Ok(refusal::text("0"))
}

/// Answers `transfer/setSpeedLimitsMode` and `toggleSpeedLimitsMode`.
pub(super) async fn set_mode(form: Form) -> Answer {
    match form.number::<i64>("mode")? {
        Some(0) => refusal::done(),
        _ => Err(Refusal::conflict(
            "there are no alternative limits: other ones at other hours are set by `compeer schedule`",
        )),
    }
}

/// Answers `transfer/downloadLimit`, in bytes per second; 0: there is none.
pub(super) async fn download_limit(State(state): State<AppState>) -> Answer {
    Ok(refusal::text(state.session().limits().down_bytes_per_s.unwrap_or(0).to_string()))
}

/// Answers `transfer/uploadLimit`.
pub(super) async fn upload_limit(State(state): State<AppState>) -> Answer {
    Ok(refusal::text(state.session().limits().up_bytes_per_s.unwrap_or(0).to_string()))
}

/// Answers `transfer/setDownloadLimit`.
pub(super) async fn set_download_limit(State(state): State<AppState>, form: Form) -> Answer {
    let download_bytes_per_s = Some(rate(&form)?.unwrap_or(0));
    change(&state, rpc::Budget { download_bytes_per_s, ..rpc::Budget::default() }).await
}

/// Answers `transfer/setUploadLimit`.
pub(super) async fn set_upload_limit(State(state): State<AppState>, form: Form) -> Answer {
    let upload_bytes_per_s = Some(rate(&form)?.unwrap_or(0));
    change(&state, rpc::Budget { upload_bytes_per_s, ..rpc::Budget::default() }).await
}

/// Reads a rate; `None`: no limit, which is 0 or less.
pub(super) fn rate(form: &Form) -> Result<Option<u64>, Refusal> {
    form.needed("limit")?;
    Ok(form.number::<i64>("limit")?.and_then(|rate| u64::try_from(rate).ok()).filter(|rate| *rate > 0))
}

/// Changes the budget, which stands in the settings.
pub(super) async fn change(state: &AppState, budget: rpc::Budget) -> Answer {
    state.controls().change_budget(budget).await.map_err(ApiError::from)?;
    refusal::done()
}
