//! The program: its versions, and what it is set to.
//!
//! Limits, the folder and when seeding ends are written into the settings. The rest is told as it is; to set it to what it is
//! does nothing, and to anything else is refused with the place where it is set.

use std::time::Duration;

use axum::extract::State;
use serde_json::{Map, Value, json};
use torrent::{Encryption, Incomplete};

use super::form::Form;
use super::refusal::{self, Answer, Refusal};
use super::told::object;
use super::{act, told};
use crate::controls::Defaults;
use crate::server::AppState;
use crate::server::problem::ApiError;

/// The version whose Web API is spoken, and the API's own. Tools compare them with those that they know, so they are told as
/// that program tells them.
const SPOKEN: &str = "v5.1.4";
const SPOKEN_API: &str = "2.11.4";

/// Answers `app/version`.
pub(super) async fn version() -> Answer {
    Ok(refusal::text(SPOKEN))
}

/// Answers `app/webapiVersion`.
pub(super) async fn api_version() -> Answer {
    Ok(refusal::text(SPOKEN_API))
}

/// Answers `app/buildInfo`: the libraries of that program are not in this one.
pub(super) async fn build() -> Answer {
    refusal::json(json!({
        "bitness": usize::BITS,
        "boost": "",
        "compeer": env!("CARGO_PKG_VERSION"),
        "libtorrent": "",
        "openssl": "",
        "platform": std::env::consts::OS,
        "qt": "",
        "zlib": "",
    }))
}

/// Answers `app/defaultSavePath`.
pub(super) async fn save_path(State(state): State<AppState>) -> Answer {
    Ok(refusal::text(state.session().folder().to_string_lossy()))
}

/// Answers `app/shutdown`.
pub(super) async fn shut_down() -> Refusal {
    Refusal::conflict("the node ends where it was started: Ctrl-C there, or a signal")
}

/// Answers `app/preferences`.
pub(super) async fn preferences(State(state): State<AppState>) -> Answer {
    refusal::json(Value::Object(all(&state)))
}

fn all(state: &AppState) -> Map<String, Value> {
    let mut all = free(state);
    for part in [network(state), disk(state), unattended(state), absent(), absent_too(), web(state)] {
        all.extend(part);
    }
    all
}

fn minutes(time: Duration) -> u64 {
    time.as_secs() / 60
}

/// What can be changed.
fn free(state: &AppState) -> Map<String, Value> {
    let (shown, session) = (state.controls().shown(), state.session());
    let (limits, goal) = (session.limits(), shown.config.seed_goal());
    let time = |time: Option<Duration>| time.map_or(told::NONE, |time| minutes(time) as i64);
    object(json!({
        "dl_limit": limits.down_bytes_per_s.unwrap_or(0),
        "max_connec": shown.limits.connections,
        "max_connec_per_torrent": shown.limits.connections_per_torrent,
        "max_inactive_seeding_time": time(goal.idle),
        "max_inactive_seeding_time_enabled": goal.idle.is_some(),
        "max_ratio": goal.ratio.unwrap_or(told::NONE as f64),
        "max_ratio_enabled": goal.ratio.is_some(),
        "max_seeding_time": time(goal.time),
        "max_seeding_time_enabled": goal.time.is_some(),
        "save_path": session.folder().to_string_lossy(),
        "up_limit": limits.up_bytes_per_s.unwrap_or(0),
    }))
}

/// What holds from the start of the node, as `[network]` of the settings says.
fn network(state: &AppState) -> Map<String, Value> {
    let (session, shown) = (state.session(), state.controls().shown());
    let (network, status) = (session.network(), session.network_status());
    object(json!({
        "anonymous_mode": false,
        "banned_IPs": "",
        "bittorrent_protocol": match (network.tcp, network.utp) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        },
        "dht": session.dht().is_some(),
        "encryption": match network.encryption {
            Encryption::Prefer => 0,
            Encryption::Require => 1,
            Encryption::Off => 2,
        },
        "ip_filter_enabled": shown.listed_ranges > 0,
        "ip_filter_path": "",
        "listen_port": status.listen.first().map_or(0, std::net::SocketAddr::port),
        "lsd": network.lsd,
        "max_uploads": -1,
        "max_uploads_per_torrent": shown.limits.upload_slots.map_or(-1, i64::from),
        "pex": network.pex,
        "random_port": false,
        "upnp": network.port_mapping,
    }))
}

/// What holds from the start of the node, as `[disk]` of the settings says.
fn disk(state: &AppState) -> Map<String, Value> {
    let shown = state.controls().shown();
    let folder = match shown.config.incomplete() {
        Incomplete::Folder(folder) => Some(folder),
        _ => None,
    };
    object(json!({
        "disk_cache": shown.resources.memory_bytes >> 20,
        "incomplete_files_ext": shown.config.incomplete() == Incomplete::Suffix,
        "preallocate_all": shown.config.disk.preallocate,
        "temp_path": folder.clone().unwrap_or_else(|| state.session().folder()).to_string_lossy(),
        "temp_path_enabled": folder.is_some(),
    }))
}

/// What is done by itself, as `[watch]` and `[done]` of the settings say.
fn unattended(state: &AppState) -> Map<String, Value> {
    let config = state.controls().shown().config;
    let (watch, command) = (config.watch, config.done.command);
    // 1: to where all downloads go.
    let into = watch.into.map_or(json!(1), |into| json!(into.to_string_lossy()));
    let watched = watch.folder.map(|folder| (folder.to_string_lossy().into_owned(), into));
    object(json!({
        "autorun_enabled": !command.is_empty(),
        "autorun_program": command.join(" "),
        "scan_dirs": Map::from_iter(watched),
    }))
}

/// What this program does not have, told as what it does instead.
fn absent() -> Map<String, Value> {
    object(json!({
        "add_stopped_enabled": false,
        "add_to_top_of_queue": false,
        "add_trackers": "",
        "add_trackers_enabled": false,
        "alt_dl_limit": 0,
        "alt_up_limit": 0,
        "auto_delete_mode": 0,
        "auto_tmm_enabled": false,
        "autorun_on_torrent_added_enabled": false,
        "autorun_on_torrent_added_program": "",
        "category_changed_tmm_enabled": false,
        "dont_count_slow_torrents": false,
        "enable_embedded_tracker": false,
        "excluded_file_names": "",
        "excluded_file_names_enabled": false,
        "export_dir": "",
        "export_dir_fin": "",
    }))
}

/// More of it.
fn absent_too() -> Map<String, Value> {
    object(json!({
        "limit_lan_peers": true,
        "limit_tcp_overhead": false,
        "limit_utp_rate": true,
        "mail_notification_enabled": false,
        "max_active_downloads": -1,
        "max_active_torrents": -1,
        "max_active_uploads": -1,
        // Reaching a limit stops the torrent.
        "max_ratio_act": 0,
        "merge_trackers": true,
        "proxy_type": "None",
        "queueing_enabled": false,
        "recheck_completed_torrents": false,
        "resolve_peer_countries": false,
        "rss_auto_downloading_enabled": false,
        "rss_processing_enabled": false,
        "save_path_changed_tmm_enabled": false,
        "scheduler_enabled": false,
        "start_paused_enabled": false,
        "torrent_changed_tmm_enabled": false,
        "torrent_content_layout": "Original",
        "torrent_stop_condition": "None",
        "use_category_paths_in_manual_mode": true,
        "use_subcategories": false,
    }))
}

/// How this API is reached.
fn web(state: &AppState) -> Map<String, Value> {
    let api = state.parts().api;
    object(json!({
        "bypass_auth_subnet_whitelist_enabled": false,
        "bypass_local_auth": false,
        "locale": "en",
        "use_https": false,
        "web_ui_address": api.ip().to_string(),
        "web_ui_csrf_protection_enabled": true,
        "web_ui_domain_list": "localhost",
        "web_ui_host_header_validation_enabled": true,
        "web_ui_port": api.port(),
        "web_ui_username": "",
    }))
}

/// Answers `app/setPreferences`. What is refused is refused before anything is changed.
pub(super) async fn set_preferences(State(state): State<AppState>, form: Form) -> Answer {
    let wanted = serde_json::from_str::<Map<String, Value>>(form.needed("json")?);
    let wanted = wanted.map_err(|error| Refusal::bad(format!("the JSON is wrong: {error}")))?;
    refuse_fixed(&wanted, &all(&state), &free(&state))?;
    let budget = budget(&wanted)?;
    let defaults = defaults(&wanted, &state.controls().shown().config.seed_goal())?;
    if budget != rpc::Budget::default() {
        state.controls().change_budget(budget).await.map_err(ApiError::from)?;
    }
    if defaults != Defaults::default() {
        state.controls().change_defaults(defaults).await.map_err(ApiError::from)?;
    }
    refusal::done()
}

/// Refuses to set what cannot be set, unless to what it is: tools send all they show. What nobody knows is passed over.
fn refuse_fixed(
    wanted: &Map<String, Value>,
    all: &Map<String, Value>,
    free: &Map<String, Value>,
) -> Result<(), Refusal> {
    for (name, value) in wanted {
        let Some(now) = all.get(name).filter(|_| !free.contains_key(name)) else { continue };
        let same = now == value || now.as_f64().is_some_and(|now| value.as_f64() == Some(now));
        if !same {
            return Err(Refusal::conflict(place(name)));
        }
    }
    Ok(())
}

/// Says why something cannot be set here.
fn place(name: &str) -> String {
    match name {
        "bittorrent_protocol" | "dht" | "encryption" | "listen_port" | "lsd" | "pex" | "upnp" => {
            format!("{name} is set in config.toml (listen, or the section [network]), and holds from the next start")
        }
        "disk_cache" | "incomplete_files_ext" | "preallocate_all" | "temp_path" | "temp_path_enabled" => {
            format!("{name} is set in config.toml (the section [disk]), and holds from the next start")
        }
        "banned_IPs" | "ip_filter_enabled" | "ip_filter_path" => {
            format!("{name} cannot be set: see `compeer block`")
        }
        "alt_dl_limit" | "alt_up_limit" | "scheduler_enabled" => {
            format!("{name} cannot be set: other limits at other hours are set by `compeer schedule`")
        }
        "scan_dirs" => format!("{name} is set in config.toml (the section [watch])"),
        name if name.starts_with("autorun") => {
            format!(
                "{name} cannot be set: this node runs no programs that tools name, but what [done] in config.toml says"
            )
        }
        name => format!("{name} cannot be set: this node does not have it"),
    }
}

fn whole(wanted: &Map<String, Value>, name: &str) -> Result<Option<i64>, Refusal> {
    let wrong = || Refusal::bad(format!("{name} has to be a whole number"));
    wanted.get(name).map(|value| value.as_i64().ok_or_else(wrong)).transpose()
}

fn budget(wanted: &Map<String, Value>) -> Result<rpc::Budget, Refusal> {
    // 0 or less is no limit, which to the budget is 0.
    let rate = |name| Ok::<_, Refusal>(whole(wanted, name)?.map(|rate| u64::try_from(rate).unwrap_or(0)));
    let count = |name| match whole(wanted, name)? {
        None => Ok(None),
        Some(count) => match u32::try_from(count) {
            Ok(count @ 1..) => Ok(Some(count)),
            _ => Err(Refusal::conflict(format!("{name} has to be a number from 1: there is always a limit"))),
        },
    };
    Ok(rpc::Budget {
        download_bytes_per_s: rate("dl_limit")?,
        upload_bytes_per_s: rate("up_limit")?,
        connections: count("max_connec")?,
        connections_per_torrent: count("max_connec_per_torrent")?,
        ..rpc::Budget::default()
    })
}

/// Reads what is to hold for torrents of which nothing else is said. A limit is a switch and a number.
fn defaults(wanted: &Map<String, Value>, now: &torrent::SeedGoal) -> Result<Defaults, Refusal> {
    let folder = match wanted.get("save_path").map(Value::as_str) {
        None => None,
        Some(text) => Some(act::folder(text.unwrap_or_default())?),
    };
    let on = |name: &str| wanted.get(name).and_then(Value::as_bool);
    let ratio = match wanted.get("max_ratio").map(Value::as_f64) {
        Some(None) => return Err(Refusal::bad("max_ratio has to be a number")),
        ratio => ratio.flatten(),
    };
    let time = |name: &str, now: Option<Duration>| {
        let wanted_minutes = whole(wanted, name)?.and_then(|minutes| u64::try_from(minutes).ok());
        Ok::<_, Refusal>(switched(
            wanted.contains_key(name),
            on(&format!("{name}_enabled")),
            wanted_minutes,
            now.map(minutes),
        ))
    };
    let ratio_said = wanted.contains_key("max_ratio");
    Ok(Defaults {
        download_folder: folder,
        seed_ratio: switched(ratio_said, on("max_ratio_enabled"), ratio.filter(|ratio| *ratio >= 0.0), now.ratio),
        seed_minutes: time("max_seeding_time", now.time)?,
        seed_idle_minutes: time("max_inactive_seeding_time", now.idle)?,
    })
}

/// Returns what a limit becomes; `None`: it stays. `said`: a number was sent, which may stand for none.
fn switched<T: PartialEq + Copy>(said: bool, on: Option<bool>, wanted: Option<T>, now: Option<T>) -> Option<Option<T>> {
    let after = match (on, said) {
        (Some(false), _) => None,
        (_, true) => wanted,
        (_, false) => now,
    };
    (after != now).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        object(value)
    }

    #[test]
    fn a_limit_is_a_switch_and_a_number() {
        let now = torrent::SeedGoal { ratio: Some(2.0), time: None, idle: Some(Duration::from_secs(600)) };
        let of = |value: Value| defaults(&map(value), &now);
        assert_eq!(of(json!({})).unwrap(), Defaults::default());
        let same = json!({ "max_ratio_enabled": true, "max_ratio": 2.0, "max_seeding_time_enabled": false,
            "max_seeding_time": -1, "max_inactive_seeding_time": 10 });
        assert_eq!(of(same).unwrap(), Defaults::default());
        let off = json!({ "max_ratio_enabled": false, "max_inactive_seeding_time_enabled": false });
        let expected = Defaults { seed_ratio: Some(None), seed_idle_minutes: Some(None), ..Defaults::default() };
        assert_eq!(of(off).unwrap(), expected);
        let set = json!({ "max_ratio": 3, "max_seeding_time": 90, "save_path": "/films" });
        let expected = Defaults {
            seed_ratio: Some(Some(3.0)),
            seed_minutes: Some(Some(90)),
            download_folder: Some("/films".into()),
            ..Defaults::default()
        };
        assert_eq!(of(set).unwrap(), expected);
        for wrong in [json!({ "max_ratio": "x" }), json!({ "max_seeding_time": 1.5 }), json!({ "save_path": "films" })]
        {
            assert!(of(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_as_it_is_may_be_sent_and_other_values_are_refused_with_the_place() {
        let all = map(json!({ "dht": true, "listen_port": 7, "autorun_program": "", "dl_limit": 0 }));
        let free = map(json!({ "dl_limit": 0 }));
        let check = |value: Value| refuse_fixed(&map(value), &all, &free);
        assert_eq!(check(json!({ "dht": true, "listen_port": 7.0, "dl_limit": 9, "unknown": 1 })), Ok(()));
        for (value, words) in
            [(json!({ "dht": false }), "[network]"), (json!({ "autorun_program": "/bin/sh" }), "no programs")]
        {
            assert!(check(value.clone()).unwrap_err().words.contains(words), "{value}");
        }
        assert!(budget(&map(json!({ "max_connec": -1 }))).is_err());
        let limits = budget(&map(json!({ "dl_limit": 500, "up_limit": -1 }))).unwrap();
        assert_eq!((limits.download_bytes_per_s, limits.upload_bytes_per_s), (Some(500), Some(0)));
    }
}
