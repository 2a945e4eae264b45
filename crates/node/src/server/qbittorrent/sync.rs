//! What tools ask for every second: everything, and then what changed.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::form::Form;
use super::login::Caller;
use super::refusal::{self, Answer};
use super::told::{Torrent, object};
use super::{list, lists, one, sorting, transfer};
use crate::server::AppState;

/// How often tools are to ask, in milliseconds (qBittorrent's default).
const INTERVAL_MS: u32 = 1500;

/// Answers `sync/maindata`.
pub(super) async fn main_data(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    form: Form,
) -> Answer {
    let known = form.number::<u64>("rid")?.unwrap_or(0);
    let (around, torrents) = (list::around(&state), list::all(&state).await);
    let told = torrents.iter().map(|torrent| {
        let mut told = torrent.told(&around);
        // It is the key.
        told.remove("hash");
        (torrent.status.id.to_string(), Value::Object(told))
    });
    let now = object(json!({
        "categories": sorting::told(&state),
        "server_state": server_state(&state, &torrents).await?,
        "tags": state.labels().all(),
        "torrents": Map::from_iter(told),
        "trackers": trackers(&torrents),
    }));
    let answer = state.qbittorrent().deltas().answer(&caller, known, now);
    refusal::json(answer)
}

/// Returns the trackers, and who has each.
fn trackers(torrents: &[Torrent]) -> Value {
    let mut trackers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for torrent in torrents {
        for tracker in &torrent.trackers {
            trackers.entry(&tracker.url).or_default().push(torrent.status.id.to_string());
        }
    }
    json!(trackers)
}

async fn server_state(state: &AppState, torrents: &[Torrent]) -> Result<Value, refusal::Refusal> {
    let mut told = transfer::told(state, torrents.iter().map(|torrent| &torrent.status)).await;
    let ever = state.qbittorrent().totals(state).await?.ever;
    let folder = state.session().folder();
    let space = tokio::task::spawn_blocking(move || disk::space(&folder)).await;
    let ratio = match ever.down {
        0 => "-".to_owned(),
        down => format!("{:.2}", ever.up as f64 / down as f64),
    };
    told.extend(object(json!({
        "alltime_dl": ever.down,
        "alltime_ul": ever.up,
        // No disk queue of this kind is kept: the next seven.
        "average_time_queue": 0,
        "queued_io_jobs": 0,
        "read_cache_hits": "0",
        "read_cache_overload": "0",
        "total_buffers_size": 0,
        "total_queued_size": 0,
        "write_cache_overload": "0",
        "free_space_on_disk": space.ok().and_then(Result::ok).map_or(-1, |space| space.free as i64),
        "global_ratio": ratio,
        "queueing": false,
        "refresh_interval": INTERVAL_MS,
        "total_peer_connections": torrents.iter().map(|torrent| torrent.status.peers).sum::<u32>(),
        "total_wasted_session": torrents.iter().map(|torrent| torrent.status.wasted).sum::<u64>(),
        "use_alt_speed_limits": false,
        "use_subcategories": false,
    })));
    Ok(Value::Object(told))
}

/// Answers `sync/torrentPeers`: with all of them each time, which every tool understands.
pub(super) async fn peers(State(state): State<AppState>, form: Form) -> Answer {
    let peers = state.session().peers(one(&state, &form)?).await?;
    let number = form.number::<u64>("rid")?.unwrap_or(0).saturating_add(1);
    refusal::json(json!({ "full_update": true, "peers": lists::peers(&peers), "rid": number, "show_flags": true }))
}
