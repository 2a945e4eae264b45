//! What is told of a torrent. Pure.
//!
//! What the engine does not keep is told as the tools are told what is not known: -1, 0 or nothing.

use metainfo::Magnet;
use serde_json::{Map, Value, json};
use torrent::{SeedGoal, State, TorrentStatus, TrackerStatus};

use crate::server::transmission::Origin;

/// What stands for a time that has no end (qBittorrent, `MAX_ETA`: 100 days).
const ETA_NEVER: u64 = 8_640_000;

/// What stands for the session's goal, and for none (qBittorrent, `USE_GLOBAL_RATIO`, `NO_RATIO_LIMIT`).
pub(super) const GLOBAL: i64 = -2;
pub(super) const NONE: i64 = -1;

/// A month, in seconds; by it the protocol measures how sought a torrent is.
const MONTH_S: f64 = 30.0 * 86400.0;

/// A torrent, and what is noted of it.
#[derive(Clone, Debug)]
pub(super) struct Torrent {
    pub(super) status: TorrentStatus,
    pub(super) trackers: Vec<TrackerStatus>,
    pub(super) category: String,
    pub(super) tags: Vec<String>,
}

/// What holds for all torrents.
#[derive(Clone, Debug)]
pub(super) struct Around {
    /// Now, in seconds since 1970.
    pub(super) now_s: u64,
    /// When seeding ends where nothing else was said.
    pub(super) goal: SeedGoal,
    /// The connections of a torrent where nothing else was said.
    pub(super) peer_limit: u32,
}

impl Torrent {
    /// Returns what lists tell of it.
    pub(super) fn told(&self, around: &Around) -> Map<String, Value> {
        let mut told = self.identity();
        for part in [self.progress(around), self.settings(around)] {
            told.extend(part);
        }
        told
    }

    fn identity(&self) -> Map<String, Value> {
        let it = &self.status;
        let hex = |hash: Option<String>| hash.unwrap_or_default();
        object(json!({
            "added_on": it.added.0,
            "category": self.category,
            "content_path": it.path.clone().unwrap_or_else(|| it.folder.join(&it.name)).to_string_lossy(),
            // What is not complete lies where all of it will.
            "download_path": "",
            "has_metadata": it.total_bytes.is_some(),
            "hash": it.id.to_string(),
            "infohash_v1": hex(it.hashes.v1().map(|hash| hash.to_string())),
            "infohash_v2": hex(it.hashes.v2().map(|hash| hash.to_string())),
            "magnet_uri": self.magnet(),
            "name": it.name,
            "private": it.total_bytes.map(|_| it.private),
            "save_path": it.folder.to_string_lossy(),
            "size": it.wanted_bytes.or(it.total_bytes).unwrap_or(0),
            "tags": self.tags.join(", "),
            "total_size": it.total_bytes.map_or(NONE, |bytes| bytes as i64),
            "tracker": self.working().map(|tracker| tracker.url.as_str()).unwrap_or_default(),
            "trackers_count": self.trackers.len(),
        }))
    }

    fn progress(&self, around: &Around) -> Map<String, Value> {
        let (it, done) = (&self.status, self.done());
        let active = self.active_s(around);
        object(json!({
            "amount_left": it.wanted_bytes.unwrap_or(0).saturating_sub(done),
            // Who has everything can give all of it; parts are not counted.
            "availability": f64::from(it.seeds),
            "completed": done,
            "completion_on": it.completed.map_or(NONE, |at| at.0 as i64),
            "dlspeed": it.down_rate_bytes_per_s,
            "downloaded": it.downloaded,
            "downloaded_session": it.downloaded_in_run,
            "eta": self.eta(),
            "last_activity": self.last_activity(),
            "num_complete": self.most(|tracker| tracker.seeds, it.seeds),
            "num_incomplete": self.most(|tracker| tracker.leechers, it.peers.saturating_sub(it.seeds)),
            "num_leechs": it.peers.saturating_sub(it.seeds),
            "num_seeds": it.seeds,
            "popularity": if active == 0 { 0.0 } else { finite(it.ratio) * MONTH_S / active as f64 },
            "progress": self.share_done(),
            "ratio": finite(it.ratio),
            "reannounce": self.next_announce_s(),
            "seeding_time": it.seeding_time.as_secs(),
            // Not kept.
            "seen_complete": it.completed.map_or(NONE, |at| at.0 as i64),
            "state": state(it),
            "time_active": active,
            "uploaded": it.uploaded,
            "uploaded_session": it.uploaded_in_run,
            "upspeed": it.up_rate_bytes_per_s,
        }))
    }

    fn settings(&self, around: &Around) -> Map<String, Value> {
        let (it, own, all) = (&self.status, &self.status.goal, &around.goal);
        let minutes = |time: std::time::Duration| json!(time.as_secs() / 60);
        object(json!({
            "auto_tmm": false,
            "dl_limit": it.limits.down_bytes_per_s.unwrap_or(0),
            "f_l_piece_prio": false,
            "force_start": false,
            "inactive_seeding_time_limit": limit(own.idle, all.idle, minutes),
            "max_inactive_seeding_time": own.idle.map_or(json!(NONE), minutes),
            "max_ratio": own.ratio.map_or(json!(NONE), |ratio| json!(ratio)),
            "max_seeding_time": own.time.map_or(json!(NONE), minutes),
            // There is no queue.
            "priority": 0,
            "ratio_limit": limit(own.ratio, all.ratio, |ratio| json!(ratio)),
            "seeding_time_limit": limit(own.time, all.time, minutes),
            "seq_dl": it.sequential,
            "super_seeding": it.super_seed,
            "up_limit": it.limits.up_bytes_per_s.unwrap_or(0),
        }))
    }

    /// Returns what is told of it alone.
    pub(super) fn properties(&self, around: &Around, origin: Origin) -> Value {
        let (it, active) = (&self.status, self.active_s(around));
        let fetching = active.saturating_sub(it.seeding_time.as_secs());
        let average = |bytes: u64, seconds: u64| bytes.checked_div(seconds).unwrap_or(0);
        let limited = |rate: Option<u64>| rate.map_or(NONE, |rate| rate as i64);
        let told = self.told(around);
        let mut all = object(json!({
            "addition_date": it.added.0,
            "comment": origin.comment,
            "completion_date": told["completion_on"],
            "created_by": origin.creator,
            "creation_date": if origin.date_s == 0 { NONE } else { origin.date_s as i64 },
            "dl_limit": limited(it.limits.down_bytes_per_s),
            "dl_speed": it.down_rate_bytes_per_s,
            "dl_speed_avg": average(it.downloaded, fetching),
            "is_private": it.private,
            "last_seen": told["seen_complete"],
            "nb_connections": it.peers,
            "nb_connections_limit": it.limits.connections.unwrap_or(around.peer_limit),
            "peers": told["num_leechs"],
            "peers_total": told["num_incomplete"],
            "piece_size": it.piece_length.map_or(NONE, i64::from),
            "pieces_have": self.pieces_have(),
            "pieces_num": it.piece_count.map_or(NONE, i64::from),
            "seeds": told["num_seeds"],
            "seeds_total": told["num_complete"],
            "share_ratio": told["ratio"],
            "time_elapsed": active,
            "total_downloaded": it.downloaded,
            "total_downloaded_session": it.downloaded_in_run,
            "total_uploaded": it.uploaded,
            "total_uploaded_session": it.uploaded_in_run,
            "total_wasted": it.wasted,
            "up_limit": limited(it.limits.up_bytes_per_s),
            "up_speed": it.up_rate_bytes_per_s,
            "up_speed_avg": average(it.uploaded, active),
        }));
        for name in [
            "download_path",
            "eta",
            "has_metadata",
            "hash",
            "infohash_v1",
            "infohash_v2",
            "name",
            "popularity",
            "private",
            "progress",
            "reannounce",
            "save_path",
            "seeding_time",
            "total_size",
        ] {
            all.insert(name.to_owned(), told[name].clone());
        }
        Value::Object(all)
    }

    /// A share with certain people has no link: they are told by other ways.
    fn magnet(&self) -> String {
        if self.status.confined {
            return String::new();
        }
        let mut magnet = Magnet::new(self.status.hashes);
        magnet.name = Some(self.status.name.clone()).filter(|name| *name != self.status.id.to_string());
        magnet.trackers = self.trackers.iter().map(|tracker| tracker.url.clone()).collect();
        magnet.to_string()
    }

    fn working(&self) -> Option<&TrackerStatus> {
        self.trackers.iter().find(|tracker| tracker.last_announce.is_some() && !tracker.failing)
    }

    /// Returns the most that a tracker counts, or what is counted here.
    fn most(&self, count: impl Fn(&TrackerStatus) -> Option<u32>, here: u32) -> u32 {
        self.trackers.iter().filter_map(count).max().unwrap_or(0).max(here)
    }

    fn next_announce_s(&self) -> u64 {
        self.trackers.iter().filter_map(|tracker| tracker.next_announce).min().unwrap_or_default().as_secs()
    }

    /// What is paused since the start of the node counts nothing, but is remembered as complete.
    fn done(&self) -> u64 {
        let wanted = self.status.wanted_bytes.unwrap_or(0);
        if self.status.is_complete() { wanted } else { self.status.done_bytes }
    }

    /// The same in pieces.
    fn pieces_have(&self) -> u32 {
        let (it, all) = (&self.status, self.status.piece_count.unwrap_or(0));
        if it.is_complete() && it.wanted_bytes == it.total_bytes { all } else { it.pieces_done }
    }

    /// In a check it is the check's.
    fn share_done(&self) -> f64 {
        match (self.status.state, self.status.wanted_bytes) {
            (State::Checking, _) => self.status.progress,
            (_, None) => 0.0,
            (_, Some(0)) => 1.0,
            (_, Some(wanted)) => self.done() as f64 / wanted as f64,
        }
    }

    fn eta(&self) -> u64 {
        self.status.eta.map_or(ETA_NEVER, |left| left.as_secs().min(ETA_NEVER))
    }

    /// When payload moved last; in earlier runs, as far as it is known.
    fn last_activity(&self) -> u64 {
        let it = &self.status;
        it.active.or(it.completed).unwrap_or(it.added).0
    }

    /// How long it has run: what is kept is how long it seeded. While it was fetched it is taken to have run all the time.
    fn active_s(&self, around: &Around) -> u64 {
        let it = &self.status;
        let fetched = it.completed.map_or(around.now_s, |at| at.0).saturating_sub(it.added.0);
        fetched + it.seeding_time.as_secs()
    }
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A ratio to nothing is told as -1.
fn finite(ratio: f64) -> f64 {
    if ratio.is_finite() { ratio } else { -1.0 }
}

fn limit<T: PartialEq>(own: Option<T>, all: Option<T>, told: impl Fn(T) -> Value) -> Value {
    match own {
        own if own == all => json!(GLOBAL),
        Some(own) => told(own),
        None => json!(NONE),
    }
}

/// Returns the word for what it does.
pub(super) fn state(it: &TorrentStatus) -> &'static str {
    let (complete, receives, sends) = (it.is_complete(), it.down_rate_bytes_per_s > 0, it.up_rate_bytes_per_s > 0);
    match it.state {
        State::Failed => "error",
        State::Metadata => "metaDL",
        State::Checking if complete => "checkingUP",
        State::Checking => "checkingDL",
        State::Downloading if receives => "downloading",
        State::Downloading => "stalledDL",
        State::Seeding if sends => "uploading",
        State::Seeding => "stalledUP",
        State::Paused if complete => "stoppedUP",
        State::Paused => "stoppedDL",
    }
}

/// Tells whether a torrent is among those that a word means; `None`: there is no such word.
pub(super) fn is_among(it: &TorrentStatus, word: &str) -> Option<bool> {
    let moves = it.down_rate_bytes_per_s > 0 || it.up_rate_bytes_per_s > 0;
    Some(match word {
        "all" => true,
        "downloading" => !it.is_complete(),
        "seeding" => it.is_complete() && it.state != State::Failed,
        "completed" => it.is_complete(),
        "stopped" | "paused" => it.state == State::Paused,
        "running" | "resumed" => it.state != State::Paused,
        "active" => moves,
        "inactive" => !moves,
        "stalled" => state(it).starts_with("stalled"),
        "stalled_uploading" => state(it) == "stalledUP",
        "stalled_downloading" => state(it) == "stalledDL",
        "checking" => it.state == State::Checking,
        "errored" => it.state == State::Failed,
        // Content is moved in no state of its own.
        "moving" => false,
        _ => return None,
    })
}
