//! From the engine's words to those of the API.

use rpc::{FileInfo, FilePriority, PeerInfo, TorrentState, TorrentSummary, TrackerInfo, WebSeedInfo};
use torrent::{
    Direction, FileStatus, PeerStatus, Priority, Source, State, TorrentStatus, TrackerStatus, WebSeedStatus,
};

pub(crate) fn summary(status: TorrentStatus) -> TorrentSummary {
    let (complete, wanted_bytes) = (status.is_complete(), status.wanted_bytes.unwrap_or(0));
    TorrentSummary {
        id: status.id.to_string(),
        info_hash_v1: status.hashes.v1().map(|hash| hash.to_string()),
        info_hash_v2: status.hashes.v2().map(|hash| hash.to_string()),
        complete,
        name: status.name,
        state: state(status.state),
        error: status.error,
        folder: status.folder.display().to_string(),
        path: status.path.map(|path| path.display().to_string()),
        total_bytes: status.total_bytes.unwrap_or(0),
        wanted_bytes,
        // What is paused since the start of the node counts nothing, but is remembered as complete.
        done_bytes: if complete { wanted_bytes } else { status.done_bytes },
        progress: status.progress,
        left_s: status.eta.map(|left| left.as_secs()),
        private: status.private,
        download_bytes_per_s: status.down_rate_bytes_per_s,
        upload_bytes_per_s: status.up_rate_bytes_per_s,
        downloaded_bytes: status.downloaded,
        uploaded_bytes: status.uploaded,
        ratio: status.ratio,
        seeding_s: status.seeding_time.as_secs(),
        peers: status.peers,
        seeds: status.seeds,
        added_at_s: status.added.0,
    }
}

pub(crate) fn peer(status: PeerStatus) -> PeerInfo {
    PeerInfo {
        address: status.address.to_string(),
        client: status.client,
        source: source(status.source).to_owned(),
        incoming: status.direction == Direction::Incoming,
        progress: status.progress,
        download_bytes_per_s: status.down_rate_bytes_per_s,
        upload_bytes_per_s: status.up_rate_bytes_per_s,
        downloaded_bytes: status.downloaded,
        uploaded_bytes: status.uploaded,
        choking_us: status.choking_us,
        choked: status.choked,
        interesting: status.interested,
        interested: status.interested_in_us,
    }
}

pub(crate) fn file(status: FileStatus) -> FileInfo {
    let parts: Vec<_> = status.path.iter().map(|part| part.to_string_lossy()).collect();
    FileInfo {
        index: status.index.0,
        path: parts.join("/"),
        size_bytes: status.length,
        done_bytes: status.done_bytes,
        priority: priority(status.priority),
    }
}

pub(crate) fn tracker(status: TrackerStatus) -> TrackerInfo {
    TrackerInfo {
        url: status.url,
        tier: status.tier,
        message: status.message,
        failed: status.failing,
        seeds: status.seeds,
        leechers: status.leechers,
        peers: status.peers,
        answered: status.last_announce.is_some(),
        next_announce_s: status.next_announce.map(|left| left.as_secs()),
    }
}

pub(crate) fn web_seed(status: WebSeedStatus) -> WebSeedInfo {
    WebSeedInfo { url: status.url, message: status.message, answered: status.answered, failed: status.failing }
}

fn state(state: State) -> TorrentState {
    match state {
        State::Metadata => TorrentState::Metadata,
        State::Checking => TorrentState::Checking,
        State::Downloading => TorrentState::Downloading,
        State::Seeding => TorrentState::Seeding,
        State::Paused => TorrentState::Paused,
        State::Failed => TorrentState::Failed,
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Hint => "hint",
        Source::Tracker => "tracker",
        Source::Incoming => "incoming",
        Source::Resume => "resume",
        Source::WebSeed => "web_seed",
        Source::Dht => "dht",
        Source::Pex => "pex",
        Source::Lsd => "lsd",
    }
}

fn priority(priority: Priority) -> FilePriority {
    match priority {
        Priority::Skip => FilePriority::Skip,
        Priority::Low => FilePriority::Low,
        Priority::Normal => FilePriority::Normal,
        Priority::High => FilePriority::High,
    }
}

pub(crate) fn priority_order(priority: FilePriority) -> Priority {
    match priority {
        FilePriority::Skip => Priority::Skip,
        FilePriority::Low => Priority::Low,
        FilePriority::Normal => Priority::Normal,
        FilePriority::High => Priority::High,
    }
}

pub(crate) fn torrent_limits(limits: rpc::Limits) -> torrent::TorrentLimits {
    torrent::TorrentLimits {
        down_bytes_per_s: limits.download_bytes_per_s,
        up_bytes_per_s: limits.upload_bytes_per_s,
        ..torrent::TorrentLimits::default()
    }
}
