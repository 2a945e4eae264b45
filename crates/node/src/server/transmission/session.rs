//! The session: what it is set to.
//!
//! Limits, the folder and the ratio are written into the settings, as all that the API changes. The rest is told as it is;
//! to set it to what it is does nothing, and to anything else is refused with the place where it is set.

use serde_json::{Map, Value, json};
use torrent::{Encryption, Incomplete};

use super::envelope::{Call, Dialect, Outcome};
use super::fault::Fault;
use super::fields::KILO;
use super::params::Params;
use super::set::{held, ratio};
use super::view::Idle;
use super::{add, names};
use crate::controls::Defaults;
use crate::server::AppState;

/// The version of Transmission whose specification is spoken. Some tools refuse what is older than they know, so the
/// session's version begins with it.
const SPOKEN: &str = "4.1.1";

/// The version of the specification, in both its countings, and the oldest that is understood (docs/rpc-spec.md, 5).
pub(super) const RPC_SEMVER: &str = "6.0.1";
const RPC_VERSION: u64 = 19;
const RPC_VERSION_MINIMUM: u64 = 14;

/// How many requests of a peer wait at most: what is told where nothing is to be set (BEP 10's `reqq`, libtorrent's and
/// Transmission's default).
const REQQ: u64 = 500;

/// Answers `session_get`.
pub(super) async fn get(state: &AppState, call: &Call) -> Outcome {
    let mut all = all(state, call.dialect);
    let folder = state.session().folder();
    let space = tokio::task::spawn_blocking(move || disk::space(&folder)).await;
    let free = space.ok().and_then(Result::ok).map_or(-1, |space| space.free as i64);
    all.insert("download_dir_free_space".to_owned(), json!(free));
    let Some(fields) = call.params.texts("fields")? else { return Ok(all) };
    let wanted: Vec<String> = fields.into_iter().map(names::current).collect();
    Ok(all.into_iter().filter(|(name, _)| wanted.contains(name)).collect())
}

/// Returns all that is told of the session.
fn all(state: &AppState, dialect: Dialect) -> Map<String, Value> {
    let mut all = limits(state);
    for part in [network(state, dialect), done(state), fixed(), identity(state)] {
        all.extend(part);
    }
    all
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// What can be changed.
fn limits(state: &AppState) -> Map<String, Value> {
    let (shown, session) = (state.controls().shown(), state.session());
    let (idle, now) = (state.transmission().view().idle, session.limits());
    let rate = |rate: Option<u64>, idle| rate.map_or(idle, |rate| rate / KILO);
    let goal = shown.config.seed_goal();
    object(json!({
        "cache_size_mib": shown.resources.memory_bytes >> 20,
        "download_dir": session.folder().to_string_lossy(),
        "idle_seeding_limit": goal.idle.map_or(idle.minutes, |time| time.as_secs() / 60),
        "idle_seeding_limit_enabled": goal.idle.is_some(),
        "peer_limit_global": shown.limits.connections,
        "peer_limit_per_torrent": shown.limits.connections_per_torrent,
        "seed_ratio_limit": goal.ratio.unwrap_or(idle.ratio),
        "seed_ratio_limited": goal.ratio.is_some(),
        "speed_limit_down": rate(now.down_bytes_per_s, idle.down),
        "speed_limit_down_enabled": now.down_bytes_per_s.is_some(),
        "speed_limit_up": rate(now.up_bytes_per_s, idle.up),
        "speed_limit_up_enabled": now.up_bytes_per_s.is_some(),
    }))
}

/// What holds from the start of the node, as `[network]` and `[disk]` of the settings say.
fn network(state: &AppState, dialect: Dialect) -> Map<String, Value> {
    let (session, shown) = (state.session(), state.controls().shown());
    let (network, status) = (session.network(), session.network_status());
    let mut transports = Vec::new();
    transports.extend(network.utp.then_some("utp"));
    transports.extend(network.tcp.then_some("tcp"));
    if network.prefer == Some(net::Carrier::Tcp) {
        transports.reverse();
    }
    let encryption = match (network.encryption, dialect) {
        (Encryption::Prefer, _) => "preferred",
        (Encryption::Require, _) => "required",
        // What comes nearest to none at all.
        (Encryption::Off, Dialect::New) => "allowed",
        (Encryption::Off, Dialect::Old) => "tolerated",
    };
    let incomplete = match shown.config.incomplete() {
        Incomplete::Folder(folder) => Some(folder),
        _ => None,
    };
    object(json!({
        "blocklist_enabled": shown.listed_ranges > 0,
        "blocklist_size": shown.listed_ranges,
        "blocklist_url": "",
        "dht_enabled": session.dht().is_some(),
        "encryption": encryption,
        "incomplete_dir": incomplete.clone().unwrap_or_else(|| session.folder()).to_string_lossy(),
        "incomplete_dir_enabled": incomplete.is_some(),
        "lpd_enabled": network.lsd,
        "peer_port": status.listen.first().map_or(0, std::net::SocketAddr::port),
        "pex_enabled": network.pex,
        "port_forwarding_enabled": network.port_mapping,
        "preferred_transports": transports,
        "rename_partial_files": shown.config.incomplete() == Incomplete::Suffix,
        "tcp_enabled": network.tcp,
        "utp_enabled": network.utp,
    }))
}

/// What runs when a download is complete, as `[done]` of the settings says.
fn done(state: &AppState) -> Map<String, Value> {
    let command = state.controls().shown().config.done.command;
    object(json!({
        "script_torrent_done_enabled": !command.is_empty(),
        "script_torrent_done_filename": command.first().cloned().unwrap_or_default(),
    }))
}

/// What this program does not have, told as what it does instead.
fn fixed() -> Map<String, Value> {
    object(json!({
        "alt_speed_down": 50,
        "alt_speed_enabled": false,
        "alt_speed_time_begin": 540,
        "alt_speed_time_day": 127,
        "alt_speed_time_enabled": false,
        "alt_speed_time_end": 1020,
        "alt_speed_up": 50,
        "anti_brute_force_enabled": false,
        "default_trackers": "",
        "download_queue_enabled": false,
        "download_queue_size": 5,
        "peer_port_random_on_start": false,
        "queue_stalled_enabled": false,
        "queue_stalled_minutes": 30,
        "reqq": REQQ,
        "script_torrent_added_enabled": false,
        "script_torrent_added_filename": "",
        "script_torrent_done_seeding_enabled": false,
        "script_torrent_done_seeding_filename": "",
        "seed_queue_enabled": false,
        "seed_queue_size": 10,
        "sequential_download": false,
        "start_added_torrents": true,
        "trash_original_torrent_files": false,
    }))
}

/// What nobody can set.
const READ_ONLY: &[&str] = &[
    "blocklist_size",
    "config_dir",
    "download_dir_free_space",
    "rpc_version",
    "rpc_version_minimum",
    "rpc_version_semver",
    "session_id",
    "tcp_enabled",
    "units",
    "version",
];

fn identity(state: &AppState) -> Map<String, Value> {
    object(json!({
        "config_dir": state.parts().home.folder().to_string_lossy(),
        "rpc_version": RPC_VERSION,
        "rpc_version_minimum": RPC_VERSION_MINIMUM,
        "rpc_version_semver": RPC_SEMVER,
        "session_id": state.transmission().id(),
        "units": {
            "memory_bytes": 1024,
            "memory_units": ["B", "KiB", "MiB", "GiB", "TiB"],
            "size_bytes": 1000,
            "size_units": ["B", "kB", "MB", "GB", "TB"],
            "speed_bytes": 1000,
            "speed_units": ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"],
        },
        "version": format!("{SPOKEN} (Compeer {})", env!("CARGO_PKG_VERSION")),
    }))
}

/// Answers `session_set`. What is refused is refused before anything is changed.
pub(super) async fn set(state: &AppState, call: &Call) -> Outcome {
    let params = &call.params;
    refuse_fixed(params, &all(state, call.dialect), &limits(state))?;
    let now = state.session().limits();
    let mut idle = state.transmission().view().idle;
    let mut budget = rpc::Budget::default();
    for (direction, rate, idle, change) in [
        ("down", now.down_bytes_per_s, &mut idle.down, &mut budget.download_bytes_per_s),
        ("up", now.up_bytes_per_s, &mut idle.up, &mut budget.upload_bytes_per_s),
    ] {
        let wanted = params.count(&format!("speed_limit_{direction}"))?;
        let limited = params.flag(&format!("speed_limit_{direction}_enabled"))?;
        if wanted.is_some() || limited.is_some() {
            let held = held(wanted, limited.unwrap_or(rate.is_some()), rate, idle)?;
            // To the budget 0 is none.
            *change = Some(held.unwrap_or(0)).filter(|_| held != rate);
        }
    }
    let count = |count: Option<u64>, name| match count {
        Some(0) => Err(Fault::params(format!("{name} of 0 would stop everything: stop the torrents instead"))),
        count => Ok(count.map(|count| u32::try_from(count).unwrap_or(u32::MAX))),
    };
    budget.connections = count(params.count("peer_limit_global")?, "peer_limit_global")?;
    budget.connections_per_torrent = count(params.count("peer_limit_per_torrent")?, "peer_limit_per_torrent")?;
    budget.memory_bytes = params.count("cache_size_mib")?.map(|mebibytes| mebibytes.saturating_mul(1 << 20));
    let defaults = defaults(params, &state.controls().shown().config.seed_goal(), &mut idle)?;
    let edited = |error| Fault::from(crate::server::problem::ApiError::from(error));
    if budget != rpc::Budget::default() {
        state.controls().change_budget(budget).await.map_err(edited)?;
    }
    if defaults != Defaults::default() {
        state.controls().change_defaults(defaults).await.map_err(edited)?;
    }
    state.transmission().view().idle = idle;
    Ok(Map::new())
}

/// Reads what is to hold for torrents of which nothing else is said.
fn defaults(params: &Params, now: &torrent::SeedGoal, idle: &mut Idle) -> Result<Defaults, Fault> {
    let mut defaults = Defaults::default();
    if let Some(folder) = params.text("download_dir")? {
        defaults.download_folder = Some(add::absolute(folder, "download directory path is not absolute")?);
    }
    let (wanted, limited) = (ratio(params)?, params.flag("seed_ratio_limited")?);
    if wanted.is_some() || limited.is_some() {
        idle.ratio = wanted.or(now.ratio).unwrap_or(idle.ratio);
        defaults.seed_ratio = Some(limited.unwrap_or(now.ratio.is_some()).then_some(idle.ratio));
    }
    let (wanted, limited) = (params.count("idle_seeding_limit")?, params.flag("idle_seeding_limit_enabled")?);
    if wanted.is_some() || limited.is_some() {
        idle.minutes = wanted.or(now.idle.map(|time| time.as_secs() / 60)).unwrap_or(idle.minutes);
        defaults.seed_idle_minutes = Some(limited.unwrap_or(now.idle.is_some()).then_some(idle.minutes));
    }
    Ok(defaults)
}

/// Refuses to set what cannot be set, unless to what it is: tools send all they show.
fn refuse_fixed(params: &Params, all: &Map<String, Value>, free: &Map<String, Value>) -> Result<(), Fault> {
    for (name, value) in params.all() {
        let Some(now) = all.get(name).filter(|_| !free.contains_key(name) && !READ_ONLY.contains(&name)) else {
            continue;
        };
        let same = now == value || now.as_f64().is_some_and(|now| value.as_f64() == Some(now));
        let spelt = |value: &Value| value.as_str().map(|text| text.replace("tolerated", "allowed"));
        if !same && (name != "encryption" || spelt(now) != spelt(value)) {
            return Err(Fault::unsupported(place(name)));
        }
    }
    Ok(())
}

/// Says why something cannot be set here.
fn place(name: &str) -> String {
    match name {
        "dht_enabled"
        | "encryption"
        | "lpd_enabled"
        | "peer_port"
        | "pex_enabled"
        | "port_forwarding_enabled"
        | "preferred_transports"
        | "utp_enabled" => {
            format!("{name} is set in config.toml (listen, or the section [network]), and holds from the next start")
        }
        "incomplete_dir" | "incomplete_dir_enabled" | "rename_partial_files" => {
            format!("{name} is set in config.toml ([disk], incomplete), and holds from the next start")
        }
        "blocklist_enabled" | "blocklist_url" => {
            format!("{name} cannot be set: block lists are files, see `compeer block --list FILE`")
        }
        name if name.starts_with("alt_speed") => {
            format!("{name} cannot be set: other limits at other hours are set by `compeer schedule`")
        }
        name if name.starts_with("script") => {
            format!(
                "{name} cannot be set: this node runs no scripts that tools name, but what [done] in config.toml says"
            )
        }
        name => format!("{name} cannot be set: this node does not have it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::Code;
    use super::*;

    #[test]
    fn what_is_as_it_is_may_be_sent_and_other_values_are_refused_with_the_place() {
        let all = object(json!({ "encryption": "tolerated", "dht_enabled": true, "version": "4", "peer_port": 1,
            "speed_limit_up": 3, "script_torrent_done_filename": "" }));
        let free = object(json!({ "speed_limit_up": 3 }));
        let check = |value: Value| refuse_fixed(&Params::new(object(value)), &all, &free);
        let same = json!({ "encryption": "allowed", "dht-enabled": true, "version": "5", "speed-limit-up": 9,
            "peer-port": 1.0, "what-is-this": 7 });
        assert_eq!(check(same), Ok(()));
        for (value, words) in [
            (json!({ "encryption": "required" }), "[network]"),
            (json!({ "dht-enabled": false }), "[network]"),
            (json!({ "script-torrent-done-filename": "/bin/sh" }), "no scripts"),
        ] {
            let fault = check(value).unwrap_err();
            assert!(fault.code == Code::Unsupported && fault.words.contains(words), "{}", fault.words);
        }
    }
}
