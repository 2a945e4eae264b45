//! From the engine's words to those of the API.

use std::net::SocketAddr;

use net::dht::{FamilyStatus, Id, NodeAddress, NodeStatus, Pong, Status, Traffic};
use rpc::{
    DhtBucket, DhtFamily, DhtInfo, DhtNodeInfo, DhtPong, DhtTraffic, FileInfo, FilePriority, PeerInfo, SourceInfo,
    TorrentState, TorrentSummary, TrackerInfo, WebSeedInfo,
};
use torrent::{
    Carrier, Direction, FileStatus, PeerEncryption, PeerStatus, Priority, Source, SourceStatus, State, TorrentStatus,
    TrackerStatus, WebSeedStatus,
};

use crate::sorting::Sorted;

/// Tells of a torrent what lists show. `sorted`: by what it is sorted.
pub(crate) fn summary(status: TorrentStatus, sorted: Sorted) -> TorrentSummary {
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
        confined: status.confined,
        download_bytes_per_s: status.down_rate_bytes_per_s,
        upload_bytes_per_s: status.up_rate_bytes_per_s,
        downloaded_bytes: status.downloaded,
        uploaded_bytes: status.uploaded,
        ratio: status.ratio,
        seeding_s: status.seeding_time.as_secs(),
        peers: status.peers,
        seeds: status.seeds,
        added_at_s: status.added.0,
        labels: sorted.labels,
        category: sorted.category,
    }
}

/// Returns a carrier's name.
pub(crate) fn carrier(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Tcp => "tcp",
        Carrier::Utp => "utp",
        Carrier::Quic => "quic",
    }
}

pub(crate) fn peer(status: PeerStatus) -> PeerInfo {
    PeerInfo {
        number: status.number,
        address: status.address.to_string(),
        node: status.node.map(|node| node.to_string()),
        client: status.client,
        source: source(status.source).to_owned(),
        carrier: carrier(status.carrier).to_owned(),
        encryption: match status.encryption {
            PeerEncryption::None => "none",
            PeerEncryption::Handshake => "handshake",
            PeerEncryption::Rc4 => "all",
        }
        .to_owned(),
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
        requests: status.requests,
        snubbed: status.snubbed,
    }
}

/// Tells of a source as it is `now`, in seconds since 1970.
pub(crate) fn source_info(status: SourceStatus, now: u64) -> SourceInfo {
    SourceInfo {
        source: source(status.source).to_owned(),
        enabled: status.enabled,
        given: status.given,
        connected: status.connected,
        message: status.last_words,
        last_s: status.last_at.map(|at| now.saturating_sub(at.0)),
        next_s: status.next_at.map(|at| at.0.saturating_sub(now)),
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
        Source::People => "people",
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
        connections: limits.connections,
        ..torrent::TorrentLimits::default()
    }
}

pub(crate) fn dht(status: Status, ready: bool) -> DhtInfo {
    DhtInfo {
        v4: status.v4.map(dht_family),
        v6: status.v6.map(dht_family),
        ready,
        tasks: status.tasks,
        kept: status.kept,
    }
}

fn dht_family(status: FamilyStatus) -> DhtFamily {
    let bucket = |bucket: &net::dht::BucketStatus| DhtBucket {
        bits: bucket.bits.into(),
        good: bucket.good.into(),
        questionable: bucket.questionable.into(),
        replacements: bucket.replacements.into(),
    };
    DhtFamily {
        id: status.id.to_string(),
        external: status.external.map(|ip| ip.to_string()),
        secure: status.secure,
        good: status.good,
        questionable: status.questionable,
        replacements: status.replacements,
        buckets: status.buckets.iter().map(bucket).collect(),
        network_size: status.network_size,
        traffic: dht_traffic(status.traffic),
        read_only: status.read_only,
        bootstrapped: status.bootstrapped,
        stored_swarms: status.stored_swarms,
        stored_peers: status.stored_peers,
        stored_items: status.stored_items,
        message: status.last_words,
    }
}

fn dht_traffic(traffic: Traffic) -> DhtTraffic {
    DhtTraffic {
        queries_out: traffic.queries_out,
        queries_in: traffic.queries_in,
        dropped: traffic.dropped,
        packets_out: traffic.packets_out,
        packets_in: traffic.packets_in,
        bytes_out: traffic.bytes_out,
        bytes_in: traffic.bytes_in,
    }
}

pub(crate) fn dht_node(status: NodeStatus) -> DhtNodeInfo {
    DhtNodeInfo {
        id: status.id.to_string(),
        address: status.address.to_string(),
        bits: status.bits.into(),
        secure: status.secure,
        good: status.good,
        replacement: status.replacement,
        silent_s: Some(status.silent_for.as_secs()),
        rtt_ms: status.rtt.map(millis),
    }
}

/// A node that a look-up for `target` found: it has just answered.
pub(crate) fn dht_found(node: NodeAddress, target: Id) -> DhtNodeInfo {
    DhtNodeInfo {
        id: node.id.to_string(),
        address: node.address.to_string(),
        bits: node.id.common_bits(&target) as u32,
        secure: node.id.suits(node.address.ip()),
        good: true,
        ..DhtNodeInfo::default()
    }
}

pub(crate) fn dht_pong(address: SocketAddr, pong: Pong) -> DhtPong {
    DhtPong {
        address: address.to_string(),
        id: pong.id.to_string(),
        rtt_ms: millis(pong.rtt),
        version: program(&pong.version),
        secure: pong.secure,
    }
}

/// Spells a version out: two letters and two bytes as a rule (BEP 5), some send text.
fn program(version: &[u8]) -> String {
    match version {
        [a, b, major, minor] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => {
            format!("{}{} {major}.{minor}", char::from(*a), char::from(*b))
        }
        other => String::from_utf8_lossy(other).into_owned(),
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
