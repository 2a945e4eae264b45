//! `torrent_set`: what is asked for is read whole before anything is changed, so that a request that is refused changed
//! nothing.

use std::time::{Duration, Instant};

use metainfo::FileIndex;
use serde_json::{Map, json};
use torrent::{FileStatus, Priority, SeedGoal, TorrentLimits, TrackerStatus};

use super::envelope::Outcome;
use super::fault::{Code, Fault};
use super::fields::{Facts, KILO, Needs, is_wanted, mode};
use super::params::Params;
use super::view::Idle;
use super::{act, add, get};
use crate::labels;
use crate::server::{AppState, orders};

/// What a torrent becomes.
#[derive(Debug, PartialEq)]
struct Change {
    limits: TorrentLimits,
    goal: SeedGoal,
    idle: Idle,
    priorities: Vec<(FileIndex, Priority)>,
    trackers: Vec<String>,
    labels: Option<Vec<String>>,
    sequential: Option<bool>,
    location: Option<std::path::PathBuf>,
}

/// Answers `torrent_set`.
pub(super) async fn torrent_set(state: &AppState, params: &Params) -> Outcome {
    let needs = Needs { files: names_files(params), trackers: names_trackers(params), ..Needs::default() };
    let default = state.controls().shown().config.seed_goal();
    let mut changes = Vec::new();
    let places = state.session().ids();
    for id in get::meant(state, params).await? {
        let mut facts = get::gather(state, id, needs).await?;
        facts.position = places.iter().position(|place| *place == id).unwrap_or(0);
        let change = change(params, &facts, &default)?;
        changes.push((facts, change));
    }
    for (facts, change) in changes {
        apply(state, &facts, change).await?;
    }
    Ok(Map::new())
}

const FILE_LISTS: [&str; 5] = ["files_unwanted", "files_wanted", "priority_high", "priority_low", "priority_normal"];

fn names_files(params: &Params) -> bool {
    FILE_LISTS.iter().any(|name| params.value(name).is_some())
}

fn names_trackers(params: &Params) -> bool {
    params.value("tracker_list").is_some()
}

/// Works out what a torrent becomes.
fn change(params: &Params, facts: &Facts, default: &SeedGoal) -> Result<Change, Fault> {
    refuse_fixed(params, facts)?;
    let (status, mut idle) = (&facts.status, facts.known.idle);
    let mut limits = status.limits.clone();
    limits.down_bytes_per_s = rate(params, "download", limits.down_bytes_per_s, &mut idle.down)?;
    limits.up_bytes_per_s = rate(params, "upload", limits.up_bytes_per_s, &mut idle.up)?;
    limits.connections = add::peer_limit(params)?.or(limits.connections);
    let labels = params.texts("labels")?.map(labels::read).transpose().map_err(Fault::params)?;
    let trackers = trackers(params, &facts.trackers)?;
    if status.confined && !trackers.is_empty() {
        return Err(Fault::unsupported("a share with certain people has no trackers"));
    }
    let location = params.text("location")?.map(|path| add::absolute(path, "new location path is not absolute"));
    Ok(Change {
        limits,
        goal: goal(params, &status.goal, default, &mut idle)?,
        idle,
        priorities: priorities(params, &facts.files)?,
        trackers,
        labels,
        sequential: params.flag("sequential_download")?,
        location: location.transpose()?,
    })
}

/// Refuses to set what the engine does not have. To set it to what is told of it is fine: tools send all they show.
fn refuse_fixed(params: &Params, facts: &Facts) -> Result<(), Fault> {
    let fixed = [
        ("bandwidth_priority", vec![json!(0)], "torrents have no priorities among one another here; limit one instead"),
        ("honors_session_limits", vec![json!(true)], "the budget holds for every torrent"),
        ("group", vec![json!("")], "there are no bandwidth groups; limit each torrent"),
        ("queue_position", vec![json!(facts.position)], "there is no queue: all torrents run at once"),
        ("sequential_download_from_piece", vec![json!(0)], "pieces in order begin with the first"),
        ("tracker_remove", vec![json!([])], "trackers can be added, not taken away"),
        ("tracker_replace", vec![json!([])], "trackers can be added, not replaced"),
    ];
    for (name, allowed, words) in fixed {
        if params.value(name).is_some_and(|value| !allowed.contains(value)) {
            return Err(Fault::unsupported(words));
        }
    }
    Ok(())
}

/// Reads a rate, and whether it holds. A number alone changes a rate that holds, and is remembered for one that does not.
fn rate(params: &Params, name: &str, now: Option<u64>, idle: &mut u64) -> Result<Option<u64>, Fault> {
    let wanted = params.count(&format!("{name}_limit"))?;
    let limited = params.flag(&format!("{name}_limited"))?.unwrap_or(now.is_some());
    held(wanted, limited, now, idle)
}

/// Works out a rate in bytes per second of one in thousands of them, and of whether it holds.
pub(super) fn held(wanted: Option<u64>, limited: bool, now: Option<u64>, idle: &mut u64) -> Result<Option<u64>, Fault> {
    *idle = wanted.or(now.map(|now| now / KILO)).unwrap_or(*idle);
    match (limited, wanted, now) {
        (false, ..) => Ok(None),
        // As it was, to the byte.
        (true, None, Some(now)) => Ok(Some(now)),
        (true, ..) if *idle == 0 => Err(Fault::params("a limit of 0 would stop everything: stop the torrent instead")),
        (true, ..) => Ok(Some(idle.saturating_mul(KILO))),
    }
}

fn goal(params: &Params, now: &SeedGoal, default: &SeedGoal, idle: &mut Idle) -> Result<SeedGoal, Fault> {
    idle.ratio = ratio(params)?.or(now.ratio).unwrap_or(idle.ratio);
    let minutes = params.count("seed_idle_limit")?;
    let of = |time: Option<Duration>| time.map(|time| time.as_secs() / 60);
    idle.minutes = minutes.or(of(now.idle)).unwrap_or(idle.minutes);
    let ratio = match params.count("seed_ratio_mode")?.unwrap_or(mode(now.ratio, default.ratio).into()) {
        0 => default.ratio,
        1 => Some(idle.ratio),
        2 => None,
        _ => return Err(Fault::params("seed_ratio_mode has to be 0, 1 or 2")),
    };
    let rest = match params.count("seed_idle_mode")?.unwrap_or(mode(now.idle, default.idle).into()) {
        0 => default.idle,
        1 if minutes.is_none() && now.idle.is_some() => now.idle,
        1 => Some(Duration::from_secs(idle.minutes.saturating_mul(60))),
        2 => None,
        _ => return Err(Fault::params("seed_idle_mode has to be 0, 1 or 2")),
    };
    Ok(SeedGoal { ratio, time: now.time, idle: rest })
}

/// Reads the ratio of a torrent or the session.
pub(super) fn ratio(params: &Params) -> Result<Option<f64>, Fault> {
    match params.real("seed_ratio_limit")? {
        Some(ratio) if !ratio.is_finite() || ratio < 0.0 => {
            Err(Fault::params("seed_ratio_limit has to be a number from 0"))
        }
        ratio => Ok(ratio),
    }
}

/// Works out what becomes of the files; only changes are returned. An empty list names all of them.
fn priorities(params: &Params, files: &[FileStatus]) -> Result<Vec<(FileIndex, Priority)>, Fault> {
    let named = |name: &str| -> Result<Vec<usize>, Fault> {
        let Some(list) = params.files(name)? else { return Ok(Vec::new()) };
        if files.is_empty() {
            return Err(Fault::new(Code::NoSuchFile, "the files are not known yet"));
        }
        if list.iter().any(|index| *index as usize >= files.len()) {
            return Err(Fault::new(Code::NoSuchFile, ""));
        }
        Ok(if list.is_empty() { (0..files.len()).collect() } else { list.into_iter().map(|i| i as usize).collect() })
    };
    // Whether a file is wanted, and how much, are two things to the tools and one to the engine.
    let as_it_is = |file: &FileStatus| (is_wanted(file), file.priority);
    let mut after: Vec<(bool, Priority)> = files.iter().map(as_it_is).collect();
    for index in named("files_unwanted")? {
        after[index].0 = false;
    }
    for index in named("files_wanted")? {
        after[index].0 = true;
    }
    for (name, priority) in
        [("priority_high", Priority::High), ("priority_low", Priority::Low), ("priority_normal", Priority::Normal)]
    {
        for index in named(name)? {
            after[index].1 = priority;
        }
    }
    let priority = |(wanted, priority)| match (wanted, priority) {
        (false, _) => Priority::Skip,
        (true, Priority::Skip) => Priority::Normal,
        (true, priority) => priority,
    };
    let both = files.iter().zip(after.into_iter().map(priority));
    Ok(both.filter(|(file, after)| file.priority != *after).map(|(file, after)| (file.index, after)).collect())
}

/// Returns the trackers to add.
fn trackers(params: &Params, now: &[TrackerStatus]) -> Result<Vec<String>, Fault> {
    let mut urls: Vec<&str> = params.texts("tracker_add")?.unwrap_or_default();
    if let Some(list) = params.text("tracker_list")? {
        let list: Vec<&str> = list.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if now.iter().any(|tracker| !list.contains(&tracker.url.as_str())) {
            return Err(Fault::unsupported("trackers can be added, not taken away"));
        }
        urls.extend(list.into_iter().filter(|url| !now.iter().any(|tracker| tracker.url == *url)));
    }
    for url in &urls {
        crate::check_tracker(url).map_err(|error| Fault::new(Code::InvalidTrackers, error))?;
    }
    Ok(urls.into_iter().map(str::to_owned).collect())
}

async fn apply(state: &AppState, facts: &Facts, change: Change) -> Result<(), Fault> {
    let (session, id) = (state.session(), facts.status.id);
    if change.limits != facts.status.limits {
        session.limit(id, change.limits).await?;
    }
    if change.goal != facts.status.goal {
        session.seed_goal(id, change.goal).await?;
    }
    if !change.priorities.is_empty() {
        session.prioritise(id, change.priorities).await?;
    }
    if let Some(on) = change.sequential.filter(|on| *on != facts.status.sequential) {
        session.sequential(id, on).await?;
    }
    if !change.trackers.is_empty() {
        orders::add_trackers::<Fault>(state, id, change.trackers).await?;
    }
    if let Some(labels) = change.labels {
        state.labels().set(id, labels).await.map_err(|error| Fault::new(Code::System, error.to_string()))?;
    }
    {
        let mut view = state.transmission().view();
        view.set_idle(id, change.idle);
        view.touch(id, Instant::now());
    }
    match change.location {
        Some(folder) => act::move_to(state, id, folder).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::transmission::tests::{facts, file};
    use serde_json::Value;

    fn params(value: Value) -> Params {
        Params::new(value.as_object().unwrap().clone())
    }

    fn changed(value: Value, facts: &Facts) -> Result<Change, Fault> {
        change(&params(value), facts, &SeedGoal { ratio: Some(3.0), ..SeedGoal::default() })
    }

    #[test]
    fn a_limit_is_a_number_and_a_switch() {
        let mut it = facts();
        let change = changed(json!({ "downloadLimit": 50 }), &it).unwrap();
        assert_eq!((change.limits.down_bytes_per_s, change.idle.down), (None, 50));
        it.known.idle = change.idle;
        let change = changed(json!({ "downloadLimited": true, "peer-limit": 9 }), &it).unwrap();
        assert_eq!((change.limits.down_bytes_per_s, change.limits.connections), (Some(50_000), Some(9)));
        it.status.limits.down_bytes_per_s = Some(50_123);
        assert_eq!(changed(json!({ "labels": [] }), &it).unwrap().limits.down_bytes_per_s, Some(50_123));
        assert_eq!(changed(json!({ "downloadLimit": 70 }), &it).unwrap().limits.down_bytes_per_s, Some(70_000));
        assert_eq!(changed(json!({ "downloadLimited": false }), &it).unwrap().limits.down_bytes_per_s, None);
        assert!(changed(json!({ "downloadLimit": 0 }), &it).is_err());
    }

    #[test]
    fn a_ratio_is_the_sessions_an_own_one_or_none() {
        let mut it = facts();
        it.status.goal.ratio = Some(3.0);
        let ratio = |value: Value, it: &Facts| changed(value, it).unwrap().goal.ratio;
        assert_eq!(ratio(json!({ "seedRatioLimit": 5 }), &it), Some(3.0));
        assert_eq!(ratio(json!({ "seedRatioLimit": 5, "seedRatioMode": 1 }), &it), Some(5.0));
        assert_eq!(ratio(json!({ "seed_ratio_mode": 2 }), &it), None);
        it.status.goal.ratio = Some(5.0);
        assert_eq!(ratio(json!({ "seedRatioLimit": 6.5 }), &it), Some(6.5));
        assert_eq!(ratio(json!({ "seedRatioMode": 0 }), &it), Some(3.0));
        assert!(changed(json!({ "seedRatioLimit": -1 }), &it).is_err());
    }

    #[test]
    fn files_keep_what_is_not_named() {
        let mut it = facts();
        it.files = vec![file(0, Priority::Normal), file(1, Priority::Skip), file(2, Priority::Low)];
        let of = |value: Value| changed(value, &it).map(|change| change.priorities);
        let set = |list: &[(u32, Priority)]| {
            Ok(list.iter().map(|(index, priority)| (FileIndex(*index), *priority)).collect::<Vec<_>>())
        };
        assert_eq!(of(json!({ "priority-high": [] })), set(&[(0, Priority::High), (2, Priority::High)]));
        assert_eq!(of(json!({ "files-wanted": [1], "priority-high": [1] })), set(&[(1, Priority::High)]));
        assert_eq!(of(json!({ "files-wanted": [] })), set(&[(1, Priority::Normal)]));
        assert_eq!(of(json!({ "files-unwanted": [] })), set(&[(0, Priority::Skip), (2, Priority::Skip)]));
        assert_eq!(of(json!({ "files-unwanted": [3] })).unwrap_err().code, Code::NoSuchFile);
        it.files.clear();
        let early = changed(json!({ "files-unwanted": [0] }), &it).unwrap_err();
        assert_eq!(early.sentence(), "the files are not known yet");
    }

    #[test]
    fn what_the_engine_does_not_have_is_refused_unless_it_is_as_told() {
        let it = facts();
        for (as_told, other) in [
            (json!({ "bandwidthPriority": 0 }), json!({ "bandwidthPriority": 1 })),
            (json!({ "honorsSessionLimits": true }), json!({ "honorsSessionLimits": false })),
            (json!({ "queuePosition": 0 }), json!({ "queuePosition": 3 })),
            (json!({ "group": "" }), json!({ "group": "slow" })),
            (json!({ "trackerRemove": [] }), json!({ "trackerRemove": [0] })),
        ] {
            assert!(changed(as_told.clone(), &it).is_ok(), "{as_told}");
            assert_eq!(changed(other.clone(), &it).unwrap_err().code, Code::Unsupported, "{other}");
        }
    }

    #[test]
    fn trackers_are_added_and_never_lost_in_silence() {
        let mut it = facts();
        let known = "http://a.example/announce";
        it.trackers = crate::server::transmission::tests::trackers(&[known]);
        let more = format!("{known}\n\nudp://b.example:1\n");
        assert_eq!(changed(json!({ "trackerList": more }), &it).unwrap().trackers, ["udp://b.example:1"]);
        let less = changed(json!({ "trackerList": "udp://b.example:1" }), &it).unwrap_err();
        assert_eq!(less.code, Code::Unsupported);
        assert_eq!(changed(json!({ "trackerAdd": ["nonsense"] }), &it).unwrap_err().code, Code::InvalidTrackers);
        it.status.confined = true;
        assert_eq!(changed(json!({ "trackerAdd": ["udp://b.example:1"] }), &it).unwrap_err().code, Code::Unsupported);
    }
}
