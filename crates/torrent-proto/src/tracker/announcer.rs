//! When one torrent asks which tracker what (BEP 3, 7, 12, 21, 31).
//!
//! Owns the tiers of trackers and what each last said. A hybrid torrent has a swarm a name, so every info-hash has a
//! track of its own: a walk over tiers with one announce under way at a time. With [`TierPolicy::InOrder`] one track
//! walks all tiers and a later tier is asked only when the earlier ones fail; with [`TierPolicy::Each`] every tier has
//! its track, so that each is asked. *Idle → running → stopping → idle*; on stopping, every tracker that was told of us
//! is told that we leave, once and without retry.
//!
//! Invariants: an interval that a tracker named is kept, and its minimum even when peers are wanted or the user asks;
//! only the events `completed` and `stopped`, the start after a stop, and another port go out earlier. An announce under
//! way ends by an answer, a failure, or [`ANSWER_LIMIT`].

mod status;
mod track;

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::{Instant, Now};
use metainfo::{InfoHashV1, InfoHashes};

use super::error::TrackerError;
use super::request::{AnnounceEvent, AnnounceRequest, AnnounceResponse, ScrapeEntry};
use super::url::TrackerUrl;
use crate::wire::PeerId;
pub use status::{TrackerState, TrackerStatus};
use track::Track;

/// How many peers are asked for at most (arbitrary; trackers usually give 50 to 200).
pub const MAX_WANT: u32 = 200;

/// The most trackers of a torrent that are used (arbitrary; lists that people paste have some 100).
pub const MAX_TRACKERS: usize = 200;

/// How long an announce may be under way (arbitrary; twice what a UDP exchange needs to fail).
pub const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// How long stopping waits for the trackers (arbitrary; a person waits for it).
pub const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What `left` says while the size of the torrent is not known: anything but 0, which would make us a seed
/// (libtorrent's choice).
const LEFT_UNKNOWN: u64 = 16 * 1024;

/// Which tiers are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TierPolicy {
    /// As BEP 12 says: a later tier only when all trackers of the earlier ones fail.
    InOrder,
    /// One tracker of every tier. Finds more peers, as the tiers of today's torrents mostly are unrelated trackers.
    #[default]
    Each,
}

/// What an announcer begins with.
#[derive(Clone, Debug)]
pub struct AnnouncerConfig {
    /// The torrent.
    pub info_hashes: InfoHashes,
    /// Our peer id.
    pub peer_id: PeerId,
    /// The port by which others reach us.
    pub port: u16,
    /// The tiers; a tracker that is there twice counts where it is first, those beyond [`MAX_TRACKERS`] not at all.
    pub tiers: Vec<Vec<TrackerUrl>>,
    /// Which tiers are asked.
    pub policy: TierPolicy,
}

/// An announce under way, numbered by the announcer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnnounceId(pub u64);

/// How far the torrent is. Byte counts only ever grow; the announcer itself subtracts what was there at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Payload bytes sent.
    pub uploaded: u64,
    /// Payload bytes received.
    pub downloaded: u64,
    /// Payload bytes missing; `None` while the metadata is.
    pub left: Option<u64>,
    /// Bytes are missing and none of them is wanted (BEP 21).
    pub partial_seed: bool,
    /// How many more peers would be of use.
    pub want: u32,
}

/// What can happen to an announcer.
#[derive(Clone, Debug)]
pub enum Input {
    /// The torrent starts.
    Start,
    /// The torrent stops; answered by [`Output::Stopped`].
    Stop,
    /// The torrent got further: what later announces say.
    Progress(Progress),
    /// The last missing byte has arrived (not: the torrent was complete when it started).
    Completed,
    /// More peers would help: announce as soon as the trackers allow it.
    WantPeers,
    /// The user asks to announce now, or the network came back: failures are forgotten.
    Retry,
    /// Another name of the torrent became known (the metadata of a magnet turned out to be a hybrid's).
    InfoHashes(InfoHashes),
    /// The trackers were changed.
    Trackers(Vec<Vec<TrackerUrl>>),
    /// Others reach us by another port: announced at once, since the one that the trackers know may not answer.
    Port(u16),
    /// An announce was answered.
    Answered {
        /// Which.
        id: AnnounceId,
        /// By what.
        response: AnnounceResponse,
    },
    /// An announce came to nothing.
    Failed {
        /// Which.
        id: AnnounceId,
        /// Why.
        error: TrackerError,
    },
    /// A tracker was scraped.
    Scraped {
        /// Which.
        tracker: TrackerUrl,
        /// About which swarm.
        info_hash: InfoHashV1,
        /// What it said.
        entry: ScrapeEntry,
    },
    /// The time that [`Announcer::poll_timeout`] named has come.
    Timeout,
}

/// What an announcer wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Announce; answered by `Answered` or `Failed`.
    Announce {
        /// The number of the announce.
        id: AnnounceId,
        /// To whom.
        tracker: TrackerUrl,
        /// What.
        request: AnnounceRequest,
    },
    /// A tracker named peers. Our own address may be among them.
    Peers(Vec<SocketAddr>),
    /// A tracker told us our own address (BEP 24).
    ExternalIp(IpAddr),
    /// A tracker warns: to be shown to the user.
    Warned {
        /// Which.
        tracker: TrackerUrl,
        /// Its words.
        warning: String,
    },
    /// A tracker failed: to be shown to the user when no other tracker answers.
    TrackerFailed {
        /// Which.
        tracker: TrackerUrl,
        /// Why.
        error: TrackerError,
    },
    /// All trackers know that we have stopped, or had their time.
    Stopped,
}

/// The state machine.
#[derive(Debug)]
pub struct Announcer {
    config: AnnouncerConfig,
    key: u32,
    rng: fastrand::Rng,
    trackers: Vec<Tracker>,
    tracks: Vec<Track>,
    phase: Phase,
    progress: Progress,
    /// `progress` at the start.
    base: (u64, u64),
    next_id: u64,
    outputs: VecDeque<Output>,
}

/// A tracker; tracks name it by its place in the list.
#[derive(Debug)]
struct Tracker {
    url: TrackerUrl,
    tier: usize,
    /// The numbers of the last scrape and when they came, by swarm.
    scraped: BTreeMap<InfoHashV1, (Instant, ScrapeEntry)>,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Running,
    /// These goodbyes are under way, until this time at most.
    Stopping {
        waiting: Vec<AnnounceId>,
        until: Instant,
    },
}

impl Default for Progress {
    fn default() -> Progress {
        Progress { uploaded: 0, downloaded: 0, left: None, partial_seed: false, want: MAX_WANT }
    }
}

impl Announcer {
    /// Builds an idle announcer. `rng` shuffles the tiers and draws the key.
    pub fn new(config: AnnouncerConfig, mut rng: fastrand::Rng) -> Announcer {
        let key = rng.u32(..);
        let mut announcer = Announcer {
            config,
            key,
            rng,
            trackers: Vec::new(),
            tracks: Vec::new(),
            phase: Phase::Idle,
            progress: Progress::default(),
            base: (0, 0),
            next_id: 0,
            outputs: VecDeque::new(),
        };
        announcer.rebuild(Instant::START);
        announcer
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input) {
        let now = now.mono;
        match input {
            Input::Start => self.start(now),
            Input::Stop => self.stop(now),
            Input::Progress(progress) => self.progress = progress,
            Input::Completed => self.tracks.iter_mut().for_each(|track| track.completed(now)),
            Input::WantPeers => self.tracks.iter_mut().for_each(|track| track.want_peers(now)),
            Input::Retry => self.tracks.iter_mut().for_each(|track| track.retry(now)),
            Input::InfoHashes(info_hashes) => {
                self.config.info_hashes = info_hashes;
                self.rebuild(now);
            }
            Input::Trackers(tiers) => {
                self.config.tiers = tiers;
                self.rebuild(now);
            }
            Input::Port(port) => {
                if std::mem::replace(&mut self.config.port, port) != port {
                    self.tracks.iter_mut().for_each(|track| track.moved(now));
                }
            }
            Input::Answered { id, response } => self.answered(now, id, response),
            Input::Failed { id, error } => self.failed(now, id, error),
            Input::Scraped { tracker, info_hash, entry } => {
                let known = self.tracks.iter().any(|track| track.info_hash == info_hash);
                if let Some(tracker) = self.trackers.iter_mut().find(|known| known.url == tracker).filter(|_| known) {
                    tracker.scraped.insert(info_hash, (now, entry));
                }
            }
            Input::Timeout => self.timeout(now),
        }
        self.announce_due(now);
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Idle => None,
            Phase::Running => self.tracks.iter().filter_map(Track::wake_at).min(),
            Phase::Stopping { until, .. } => Some(*until),
        }
    }

    /// Returns what each tracker last said, in the order of the tiers; with [`TierPolicy::InOrder`], those that were
    /// not needed are idle.
    pub fn status(&self) -> Vec<TrackerStatus> {
        status::of(self)
    }

    fn start(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Running) {
            return;
        }
        self.base = (self.progress.uploaded, self.progress.downloaded);
        self.phase = Phase::Running;
        self.tracks.iter_mut().for_each(|track| track.start(now));
    }

    fn stop(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Running) {
            if matches!(self.phase, Phase::Idle) {
                self.outputs.push_back(Output::Stopped);
            }
            return;
        }
        let mut goodbyes = Vec::new();
        for (i, track) in self.tracks.iter_mut().enumerate() {
            goodbyes.extend(track.stop().into_iter().map(|slot| (i, slot)));
        }
        let mut waiting = Vec::new();
        for (track, slot) in goodbyes {
            waiting.push(self.announce(track, slot, AnnounceEvent::Stopped));
        }
        self.phase = Phase::Stopping { waiting, until: now + STOP_LIMIT };
        self.goodbye_done(None);
    }

    /// Strikes out a goodbye; says so when it was the last.
    fn goodbye_done(&mut self, id: Option<AnnounceId>) {
        if let Phase::Stopping { waiting, .. } = &mut self.phase {
            waiting.retain(|other| Some(*other) != id);
            if waiting.is_empty() {
                self.phase = Phase::Idle;
                self.outputs.push_back(Output::Stopped);
            }
        }
    }

    fn answered(&mut self, now: Instant, id: AnnounceId, mut response: AnnounceResponse) {
        if let Some(ip) = response.external_ip {
            self.outputs.push_back(Output::ExternalIp(ip));
        }
        self.goodbye_done(Some(id));
        let Some(track) = self.tracks.iter_mut().find(|track| track.waits_for(id)) else { return };
        let peers = std::mem::take(&mut response.peers);
        let warning = response.warning.clone();
        if let Some(tracker) = track.answered(now, response, peers.len())
            && let Some(warning) = warning
        {
            self.outputs.push_back(Output::Warned { tracker: self.trackers[tracker].url.clone(), warning });
        }
        if !peers.is_empty() {
            self.outputs.push_back(Output::Peers(peers));
        }
    }

    fn failed(&mut self, now: Instant, id: AnnounceId, error: TrackerError) {
        self.goodbye_done(Some(id));
        let Some(track) = self.tracks.iter_mut().find(|track| track.waits_for(id)) else { return };
        if let Some(tracker) = track.failed(now, error.clone(), &mut self.rng) {
            self.outputs.push_back(Output::TrackerFailed { tracker: self.trackers[tracker].url.clone(), error });
        }
    }

    fn timeout(&mut self, now: Instant) {
        if let Phase::Stopping { until, .. } = &self.phase
            && *until <= now
        {
            self.phase = Phase::Idle;
            self.outputs.push_back(Output::Stopped);
        }
        let overdue: Vec<AnnounceId> = self.tracks.iter().filter_map(|track| track.overdue(now)).collect();
        for id in overdue {
            self.failed(now, id, TrackerError::Unreachable("no answer in time".to_owned()));
        }
    }

    /// Sends every announce whose time has come.
    fn announce_due(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        for i in 0..self.tracks.len() {
            if let Some((slot, event)) = self.tracks[i].due(now) {
                let id = self.announce(i, slot, event);
                self.tracks[i].sent(id, slot, event, now + ANSWER_LIMIT);
            }
        }
    }

    fn announce(&mut self, track: usize, slot: usize, event: AnnounceEvent) -> AnnounceId {
        let id = AnnounceId(self.next_id);
        self.next_id += 1;
        let progress = &self.progress;
        let track = &self.tracks[track];
        let event = match event {
            AnnounceEvent::Regular if progress.partial_seed => AnnounceEvent::Paused,
            event => event,
        };
        let request = AnnounceRequest {
            info_hash: track.info_hash,
            peer_id: self.config.peer_id,
            port: self.config.port,
            uploaded: progress.uploaded.saturating_sub(self.base.0),
            downloaded: progress.downloaded.saturating_sub(self.base.1),
            left: progress.left.unwrap_or(LEFT_UNKNOWN),
            event,
            key: self.key,
            want: Some(if event == AnnounceEvent::Stopped { 0 } else { progress.want.min(MAX_WANT) }),
            tracker_id: track.tracker_id(slot),
        };
        let tracker = self.trackers[track.tracker(slot)].url.clone();
        self.outputs.push_back(Output::Announce { id, tracker, request });
        id
    }

    /// Builds trackers and tracks from the configuration; what is known of those that stay is kept.
    fn rebuild(&mut self, now: Instant) {
        let mut known = std::mem::take(&mut self.trackers);
        let old = std::mem::take(&mut self.tracks);
        let before: Vec<TrackerUrl> = known.iter().map(|tracker| tracker.url.clone()).collect();
        let mut tiers: Vec<Vec<usize>> = Vec::new();
        for (tier, urls) in self.config.tiers.iter().enumerate() {
            let mut members = Vec::new();
            for url in urls {
                if self.trackers.len() < MAX_TRACKERS && !self.trackers.iter().any(|tracker| tracker.url == *url) {
                    let place = known.iter().position(|tracker| tracker.url == *url);
                    let scraped = place.map(|at| std::mem::take(&mut known[at].scraped)).unwrap_or_default();
                    members.push(self.trackers.len());
                    self.trackers.push(Tracker { url: url.clone(), tier, scraped });
                }
            }
            self.rng.shuffle(&mut members);
            if !members.is_empty() {
                tiers.push(members);
            }
        }
        let walks = match self.config.policy {
            TierPolicy::InOrder if tiers.is_empty() => Vec::new(),
            TierPolicy::InOrder => vec![tiers],
            TierPolicy::Each => tiers.into_iter().map(|tier| vec![tier]).collect(),
        };
        for info_hash in self.config.info_hashes.wire() {
            for walk in &walks {
                let mut track = Track::new(info_hash, walk);
                for earlier in old.iter().filter(|track| track.info_hash == info_hash) {
                    track.inherit(earlier, |tracker| self.trackers.iter().position(|now| now.url == before[tracker]));
                }
                if matches!(self.phase, Phase::Running) {
                    track.resume(now);
                }
                self.tracks.push(track);
            }
        }
    }
}

#[cfg(test)]
mod tests;
