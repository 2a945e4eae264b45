//! The lists inside a torrent: files, trackers, peers. Pure.

use base::Bitfield;
use serde_json::{Map, Value, json};
use torrent::{
    Carrier, Direction, FileStatus, PeerEncryption, PeerKind, PeerStatus, Priority, Source, SourceStatus, TrackerStatus,
};

/// States of a tracker (qBittorrent, `TrackerEndpointState`).
const OFF: u8 = 0;
const NOT_ASKED: u8 = 1;
const WORKS: u8 = 2;
const FAILS: u8 = 4;

/// Returns the number of a priority (qBittorrent, `DownloadPriority`). It has none below the normal one.
fn priority(priority: Priority) -> u8 {
    match priority {
        Priority::Skip => 0,
        Priority::Low | Priority::Normal => 1,
        Priority::High => 6,
    }
}

/// Reads the number of a priority.
pub(super) fn read_priority(number: i64) -> Option<Priority> {
    match number {
        0 => Some(Priority::Skip),
        1 => Some(Priority::Normal),
        // "High" and "maximal" are one here; 4 is what old tools call normal.
        4 => Some(Priority::Normal),
        6 | 7 => Some(Priority::High),
        _ => None,
    }
}

/// Returns the files that are named, or all. `seeds`: somebody with everything is connected.
pub(super) fn files(files: &[FileStatus], complete: bool, seeds: bool) -> Vec<Value> {
    let one = |file: &FileStatus| {
        // What is paused since the start of the node counts nothing, but is remembered as complete.
        let done = if complete && file.priority != Priority::Skip { file.length } else { file.done_bytes };
        let share = if file.length == 0 { 1.0 } else { done as f64 / file.length as f64 };
        let mut it = json!({
            "availability": if seeds { 1.0 } else { share },
            "index": file.index.0,
            "name": file.path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/"),
            "piece_range": [file.pieces.start, file.pieces.end.saturating_sub(1).max(file.pieces.start)],
            "priority": priority(file.priority),
            "progress": share,
            "size": file.length,
        });
        if file.index.0 == 0 {
            it["is_seed"] = json!(complete);
        }
        it
    };
    files.iter().map(one).collect()
}

/// Returns the other ways to peers, which the tools show as if they were trackers.
pub(super) fn ways(sources: &[SourceStatus], private: bool) -> Vec<Value> {
    let ways = [("** [DHT] **", Source::Dht), ("** [PeX] **", Source::Pex), ("** [LSD] **", Source::Lsd)];
    let way = |(name, source): (&str, Source)| {
        let status = sources.iter().find(|status| status.source == source);
        let words = if private { "This torrent is private" } else { status.map_or("", |it| it.last_words.as_str()) };
        json!({
            "msg": words,
            "num_downloaded": 0,
            "num_leeches": status.map_or(0, |it| it.connected),
            "num_peers": status.map_or(0, |it| it.given),
            "num_seeds": 0,
            "status": if status.is_some_and(|it| it.enabled) && !private { WORKS } else { OFF },
            "tier": -1,
            "url": name,
        })
    };
    ways.into_iter().map(way).collect()
}

pub(super) fn trackers(trackers: &[TrackerStatus]) -> Vec<Value> {
    let count = |count: Option<u32>| count.map_or(-1, i64::from);
    let tracker = |it: &TrackerStatus| {
        let state = match (it.failing, it.last_announce) {
            (true, _) => FAILS,
            (false, Some(_)) => WORKS,
            (false, None) => NOT_ASKED,
        };
        json!({
            "msg": it.message.clone().unwrap_or_default(),
            "num_downloaded": -1,
            "num_leeches": count(it.leechers),
            "num_peers": it.peers,
            "num_seeds": count(it.seeds),
            "status": state,
            "tier": it.tier,
            "url": it.url,
        })
    };
    trackers.iter().map(tracker).collect()
}

/// Returns a number a piece: 2 where it is here.
pub(super) fn pieces(have: Option<&Bitfield>, count: u32, complete: bool) -> Value {
    let here = |piece| complete || have.is_some_and(|have| piece < have.len() && have.get(piece));
    (0..count).map(|piece| json!(if here(piece) { 2 } else { 0 })).collect()
}

/// Returns the connections by their addresses; web seeds are told elsewhere.
pub(super) fn peers(peers: &[PeerStatus]) -> Map<String, Value> {
    let one = |peer: &PeerStatus| {
        let flags = flags(peer);
        let letters: Vec<String> = flags.iter().map(|(letter, _)| letter.to_string()).collect();
        let words: Vec<String> = flags.iter().map(|(letter, words)| format!("{letter} = {words}")).collect();
        json!({
            "client": peer.client,
            "connection": match peer.carrier {
                Carrier::Tcp => "BT",
                Carrier::Utp => "μTP",
                Carrier::Quic => "QUIC",
            },
            // No table of countries comes along.
            "country": "",
            "country_code": "",
            "dl_speed": peer.down_rate_bytes_per_s,
            "downloaded": peer.downloaded,
            // Which files it has is not told.
            "files": "",
            "flags": letters.join(" "),
            "flags_desc": words.join("\n"),
            // Of a node met over the overlay the address is a stand-in; its id says more.
            "ip": peer.node.map_or_else(|| peer.address.ip().to_string(), |node| node.to_string()),
            "peer_id_client": "",
            "port": peer.address.port(),
            "progress": peer.progress,
            "relevance": 0,
            "up_speed": peer.up_rate_bytes_per_s,
            "uploaded": peer.uploaded,
        })
    };
    let wire = peers.iter().filter(|peer| peer.kind == PeerKind::Wire);
    wire.map(|peer| (peer.address.to_string(), one(peer))).collect()
}

/// Returns the letters of a peer, and what they mean.
fn flags(peer: &PeerStatus) -> Vec<(char, &'static str)> {
    let (receives, sends) = (peer.down_rate_bytes_per_s > 0, peer.up_rate_bytes_per_s > 0);
    let all = [
        (receives, 'D', "interested (local) and unchoked (peer)"),
        (!receives && peer.interested && peer.choking_us, 'd', "interested (local) and choked (peer)"),
        (sends, 'U', "interested (peer) and unchoked (local)"),
        (!sends && peer.interested_in_us && peer.choked, 'u', "interested (peer) and choked (local)"),
        (!peer.interested && !peer.choking_us, 'K', "not interested (local) and unchoked (peer)"),
        (!peer.interested_in_us && !peer.choked, '?', "not interested (peer) and unchoked (local)"),
        (peer.direction == Direction::Incoming, 'I', "incoming connection"),
        (peer.source == Source::Dht, 'H', "peer from DHT"),
        (peer.source == Source::Pex, 'X', "peer from PEX"),
        (peer.source == Source::Lsd, 'L', "peer from LSD"),
        (peer.encryption == PeerEncryption::Rc4 || peer.carrier == Carrier::Quic, 'E', "encrypted traffic"),
        (peer.encryption == PeerEncryption::Handshake, 'e', "encrypted handshake"),
        (peer.carrier == Carrier::Utp, 'P', "μTP"),
    ];
    all.into_iter().filter(|(holds, ..)| *holds).map(|(_, letter, words)| (letter, words)).collect()
}
