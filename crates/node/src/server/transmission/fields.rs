//! The fields of a torrent (3.3), of what was asked of the engine. Pure.
//!
//! What the engine does not keep is told as the specification tells what is not known: 0, -1 or nothing.

use serde_json::{Value, json};
use torrent::{FileStatus, PeerStatus, Priority, SeedGoal, State, TorrentStatus, TrackerStatus, WebSeedStatus};

use super::envelope::Dialect;
use super::nested;
use super::view::Known;

/// A thousand bytes: in these the protocol counts rates ("kB/s").
pub(super) const KILO: u64 = 1000;

/// What stands for times that are not known (transmission.h, `TR_ETA_*`).
const ETA_NOT_AVAILABLE: i64 = -1;
const ETA_UNKNOWN: i64 = -2;

/// What stands for a ratio to nothing (transmission.h, `TR_RATIO_INF`).
const RATIO_INFINITE: f64 = -2.0;

/// All fields, in the present spelling.
pub(super) const ALL: &[&str] = &[
    "activity_date",
    "added_date",
    "bandwidth_priority",
    "bytes_completed",
    "comment",
    "corrupt_ever",
    "creator",
    "date_created",
    "desired_available",
    "done_date",
    "download_dir",
    "download_limit",
    "download_limited",
    "downloaded_ever",
    "edit_date",
    "error",
    "error_string",
    "eta",
    "eta_idle",
    "file_count",
    "file_stats",
    "files",
    "group",
    "hash_string",
    "have_unchecked",
    "have_valid",
    "honors_session_limits",
    "id",
    "is_finished",
    "is_private",
    "is_stalled",
    "labels",
    "left_until_done",
    "magnet_link",
    "manual_announce_time",
    "max_connected_peers",
    "metadata_percent_complete",
    "name",
    "peer_limit",
    "peers",
    "peers_connected",
    "peers_from",
    "peers_getting_from_us",
    "peers_sending_to_us",
    "percent_complete",
    "percent_done",
    "piece_count",
    "piece_size",
    "pieces",
    "primary_mime_type",
    "priorities",
    "queue_position",
    "rate_download",
    "rate_upload",
    "recheck_progress",
    "seconds_downloading",
    "seconds_seeding",
    "seed_idle_limit",
    "seed_idle_mode",
    "seed_ratio_limit",
    "seed_ratio_mode",
    "sequential_download",
    "sequential_download_from_piece",
    "size_when_done",
    "start_date",
    "status",
    "torrent_file",
    "total_size",
    "tracker_list",
    "tracker_stats",
    "trackers",
    "upload_limit",
    "upload_limited",
    "upload_ratio",
    "uploaded_ever",
    "wanted",
    "webseeds",
    "webseeds_ex",
    "webseeds_sending_to_us",
];

/// Which parts of the engine have to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) files: bool,
    pub(super) magnet: bool,
    pub(super) origin: bool,
    pub(super) peers: bool,
    pub(super) pieces: bool,
    pub(super) trackers: bool,
    pub(super) web_seeds: bool,
}

/// What the torrent file says of itself.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Origin {
    pub(in crate::server) comment: String,
    pub(in crate::server) creator: String,
    pub(in crate::server) date_s: u64,
}

/// All that is known of a torrent, as far as it was asked.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) status: TorrentStatus,
    pub(super) known: Known,
    pub(super) labels: Vec<String>,
    /// Its place in the list.
    pub(super) position: usize,
    pub(super) files: Vec<FileStatus>,
    pub(super) magnet: String,
    pub(super) origin: Origin,
    pub(super) peers: Vec<PeerStatus>,
    pub(super) pieces: Option<base::Bitfield>,
    pub(super) trackers: Vec<TrackerStatus>,
    pub(super) web_seeds: Vec<WebSeedStatus>,
}

/// What holds for all torrents.
#[derive(Clone, Debug)]
pub(super) struct Around {
    pub(super) dialect: Dialect,
    /// Now, in seconds since 1970.
    pub(super) now_s: u64,
    /// When seeding ends where nothing else was said.
    pub(super) goal: SeedGoal,
    /// The connections of a torrent where nothing else was said.
    pub(super) peer_limit: u32,
    /// What is in a file, by its name.
    pub(super) content_type: fn(&str) -> &'static str,
}

/// Returns what has to be asked to tell these fields; those that nobody knows are passed over.
pub(super) fn needs(fields: &[String]) -> Needs {
    let any = |names: &[&str]| fields.iter().any(|field| names.contains(&field.as_str()));
    Needs {
        files: any(&[
            "bytes_completed",
            "file_count",
            "file_stats",
            "files",
            "primary_mime_type",
            "priorities",
            "wanted",
        ]),
        magnet: any(&["magnet_link"]),
        origin: any(&["comment", "creator", "date_created"]),
        peers: any(&["peers", "peers_getting_from_us", "peers_sending_to_us", "webseeds_ex", "webseeds_sending_to_us"]),
        pieces: any(&["pieces"]),
        trackers: any(&["error", "error_string", "tracker_list", "tracker_stats", "trackers"]),
        web_seeds: any(&["webseeds", "webseeds_ex"]),
    }
}

impl Facts {
    /// Returns a field; `None`: there is none of this name.
    pub(super) fn field(&self, name: &str, around: &Around) -> Option<Value> {
        self.progress(name).or_else(|| self.settings(name, around)).or_else(|| self.nature(name, around))
    }

    /// What it does, and how far it is.
    fn progress(&self, name: &str) -> Option<Value> {
        let it = &self.status;
        Some(match name {
            "activity_date" => json!(it.active.map_or(0, |at| at.0)),
            "corrupt_ever" => json!(it.wasted),
            // What is missing, where somebody has everything; parts are not counted.
            "desired_available" => json!(if it.seeds > 0 { self.left() } else { 0 }),
            "done_date" => json!(it.completed.map_or(0, |at| at.0)),
            "downloaded_ever" => json!(it.downloaded),
            "error" => json!(self.error().0),
            "error_string" => json!(self.error().1),
            "eta" => match it.eta {
                Some(left) => json!(left.as_secs()),
                None if it.is_complete() => json!(ETA_NOT_AVAILABLE),
                None => json!(ETA_UNKNOWN),
            },
            "eta_idle" => json!(ETA_NOT_AVAILABLE),
            "have_unchecked" => json!(0),
            "have_valid" => json!(self.done()),
            "is_finished" => json!(self.is_finished()),
            "is_stalled" => json!(self.is_stalled()),
            "left_until_done" => json!(self.left()),
            "metadata_percent_complete" => json!(if it.total_bytes.is_some() { 1.0 } else { it.progress }),
            "peers" => nested::peers(&self.peers),
            "peers_connected" => json!(it.peers),
            "peers_from" => nested::peers_from(it),
            "peers_getting_from_us" => json!(self.count(|peer| peer.up_rate_bytes_per_s > 0)),
            "peers_sending_to_us" => json!(self.count(|peer| peer.down_rate_bytes_per_s > 0 && !is_web(peer))),
            "percent_complete" => json!(share(self.done(), it.total_bytes)),
            "percent_done" => json!(share(self.done(), it.wanted_bytes)),
            "rate_download" => json!(it.down_rate_bytes_per_s),
            "rate_upload" => json!(it.up_rate_bytes_per_s),
            "recheck_progress" => json!(if it.state == State::Checking { it.progress } else { 0.0 }),
            // Not kept.
            "seconds_downloading" | "start_date" | "edit_date" | "manual_announce_time" => json!(0),
            "seconds_seeding" => json!(it.seeding_time.as_secs()),
            "status" => json!(status(it.state)),
            "uploaded_ever" => json!(it.uploaded),
            "upload_ratio" => json!(if it.ratio.is_finite() { it.ratio } else { RATIO_INFINITE }),
            "webseeds_sending_to_us" => json!(self.count(|peer| peer.down_rate_bytes_per_s > 0 && is_web(peer))),
            _ => return None,
        })
    }

    /// What was set.
    fn settings(&self, name: &str, around: &Around) -> Option<Value> {
        let (it, idle) = (&self.status, &self.known.idle);
        let rate = |rate: Option<u64>, idle| json!(rate.map_or(idle, |rate| rate / KILO));
        Some(match name {
            "bandwidth_priority" => json!(0),
            "download_dir" => json!(it.folder.to_string_lossy()),
            "download_limit" => rate(it.limits.down_bytes_per_s, idle.down),
            "download_limited" => json!(it.limits.down_bytes_per_s.is_some()),
            "group" => json!(""),
            "honors_session_limits" => json!(true),
            "labels" => json!(self.labels),
            "max_connected_peers" | "peer_limit" => json!(it.limits.connections.unwrap_or(around.peer_limit)),
            "priorities" => self.files.iter().map(|file| json!(nested::priority(file.priority))).collect(),
            "queue_position" => json!(self.position),
            "seed_idle_limit" => json!(it.goal.idle.map_or(idle.minutes, |time| time.as_secs() / 60)),
            "seed_idle_mode" => json!(mode(it.goal.idle, around.goal.idle)),
            "seed_ratio_limit" => json!(it.goal.ratio.unwrap_or(idle.ratio)),
            "seed_ratio_mode" => json!(mode(it.goal.ratio, around.goal.ratio)),
            "sequential_download" => json!(it.sequential),
            "sequential_download_from_piece" => json!(0),
            "upload_limit" => rate(it.limits.up_bytes_per_s, idle.up),
            "upload_limited" => json!(it.limits.up_bytes_per_s.is_some()),
            "wanted" => nested::wanted(&self.files, around.dialect),
            _ => return None,
        })
    }

    /// What it is.
    fn nature(&self, name: &str, around: &Around) -> Option<Value> {
        let (it, complete) = (&self.status, self.status.is_complete());
        Some(match name {
            "added_date" => json!(it.added.0),
            "bytes_completed" => self.files.iter().map(|file| json!(nested::file_done(file, complete))).collect(),
            "comment" => json!(self.origin.comment),
            "creator" => json!(self.origin.creator),
            "date_created" => json!(self.origin.date_s),
            "file_count" => json!(self.files.len()),
            "file_stats" => nested::file_stats(&self.files, complete),
            "files" => nested::files(&self.files, complete),
            "hash_string" => json!(it.id.to_string()),
            "id" => json!(self.known.number),
            "is_private" => json!(it.private),
            "magnet_link" => json!(self.magnet),
            "name" => json!(it.name),
            "piece_count" => json!(it.piece_count.unwrap_or(0)),
            "piece_size" => json!(it.piece_length.unwrap_or(0)),
            "pieces" => json!(nested::pieces(self.pieces.as_ref(), complete)),
            "primary_mime_type" => {
                let largest = self.files.iter().max_by_key(|file| file.length).map(nested::file_name);
                json!((around.content_type)(&largest.unwrap_or_default()))
            }
            "size_when_done" => json!(it.wanted_bytes.unwrap_or(0)),
            // It is in the node's database.
            "torrent_file" => json!(""),
            "total_size" => json!(it.total_bytes.unwrap_or(0)),
            "tracker_list" => json!(nested::tracker_list(&self.trackers)),
            "tracker_stats" => nested::tracker_stats(&self.trackers, around.now_s),
            "trackers" => nested::trackers(&self.trackers),
            "webseeds" => nested::web_seeds(&self.web_seeds),
            "webseeds_ex" => nested::web_seeds_ex(&self.web_seeds, &self.peers),
            _ => return None,
        })
    }

    /// What is paused since the start of the node counts nothing, but is remembered as complete.
    fn done(&self) -> u64 {
        let wanted = self.status.wanted_bytes.unwrap_or(0);
        if self.status.is_complete() { wanted } else { self.status.done_bytes }
    }

    fn left(&self) -> u64 {
        self.status.wanted_bytes.unwrap_or(0).saturating_sub(self.done())
    }

    fn count(&self, wanted: impl Fn(&PeerStatus) -> bool) -> usize {
        self.peers.iter().filter(|peer| wanted(peer)).count()
    }

    /// A failure of this computer, or what trackers say where all of them fail (transmission.h, `tr_stat_errtype`).
    fn error(&self) -> (u8, String) {
        if let Some(error) = &self.status.error {
            return (3, error.clone());
        }
        let all_fail = !self.trackers.is_empty() && self.trackers.iter().all(|tracker| tracker.failing);
        if all_fail && self.status.state != State::Paused {
            let words = self.trackers.iter().find_map(|tracker| tracker.message.clone());
            return (2, words.unwrap_or_else(|| "no tracker answers".to_owned()));
        }
        (0, String::new())
    }

    /// Paused because it reached its goal.
    fn is_finished(&self) -> bool {
        let it = &self.status;
        let reached = it.goal.ratio.is_some_and(|goal| it.ratio >= goal)
            || it.goal.time.is_some_and(|goal| it.seeding_time >= goal);
        it.state == State::Paused && it.is_complete() && reached
    }

    /// It would like to carry something and does not.
    fn is_stalled(&self) -> bool {
        let it = &self.status;
        matches!(it.state, State::Downloading | State::Metadata | State::Seeding)
            && it.down_rate_bytes_per_s == 0
            && it.up_rate_bytes_per_s == 0
    }
}

fn is_web(peer: &PeerStatus) -> bool {
    peer.kind == torrent::PeerKind::WebSeed
}

fn share(part: u64, whole: Option<u64>) -> f64 {
    match whole {
        None => 0.0,
        Some(0) => 1.0,
        Some(whole) => part as f64 / whole as f64,
    }
}

/// The numbers of the specification. What failed has stopped.
pub(super) fn status(state: State) -> u8 {
    match state {
        State::Paused | State::Failed => 0,
        State::Checking => 2,
        State::Metadata | State::Downloading => 4,
        State::Seeding => 6,
    }
}

/// Whether the session's goal holds, an own one, or none (transmission.h, `tr_ratiolimit` and `tr_idlelimit`).
pub(super) fn mode<T: PartialEq>(own: Option<T>, default: Option<T>) -> u8 {
    match own {
        own if own == default => 0,
        Some(_) => 1,
        None => 2,
    }
}

/// Tells whether a file is wanted.
pub(super) fn is_wanted(file: &FileStatus) -> bool {
    file.priority != Priority::Skip
}
