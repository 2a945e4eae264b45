//! The lists inside a torrent: peers, trackers, files, in the words of the specification (3.3). Pure.

use std::net::SocketAddr;

use base::Bitfield;
use serde_json::{Value, json};
use torrent::{
    Carrier, Direction, FileStatus, PeerEncryption, PeerKind, PeerStatus, Priority, Source, TorrentStatus,
    TrackerStatus, WebSeedStatus,
};

use super::envelope::Dialect;
use crate::urls::host;

/// States of an announce (transmission.h, `tr_tracker_state`).
const INACTIVE: u8 = 0;
const WAITING: u8 = 1;

/// Returns how much a file is wanted, beside whether: `tr_priority_t`.
pub(super) fn priority(priority: Priority) -> i8 {
    match priority {
        Priority::Low => -1,
        // One that is not wanted would come among the others if it were.
        Priority::Skip | Priority::Normal => 0,
        Priority::High => 1,
    }
}

/// Returns a file's name: with the torrent's own before it.
pub(super) fn file_name(file: &FileStatus) -> String {
    let parts: Vec<_> = file.path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// Returns how much of a file is here.
pub(super) fn file_done(file: &FileStatus, complete: bool) -> u64 {
    // What is paused since the start of the node counts nothing, but is remembered as complete.
    if complete && file.priority != Priority::Skip { file.length } else { file.done_bytes }
}

pub(super) fn files(files: &[FileStatus], complete: bool) -> Value {
    let one = |file: &FileStatus| {
        json!({
            "begin_piece": file.pieces.start,
            "bytes_completed": file_done(file, complete),
            "end_piece": file.pieces.end,
            "length": file.length,
            "name": file_name(file),
        })
    };
    files.iter().map(one).collect()
}

pub(super) fn file_stats(files: &[FileStatus], complete: bool) -> Value {
    let one = |file: &FileStatus| {
        json!({
            "bytes_completed": file_done(file, complete),
            "priority": priority(file.priority),
            "wanted": file.priority != Priority::Skip,
        })
    };
    files.iter().map(one).collect()
}

/// Returns which files are wanted; before 4.1 numbers stood for yes and no.
pub(super) fn wanted(files: &[FileStatus], dialect: Dialect) -> Value {
    let one = |file: &FileStatus| match (dialect, file.priority != Priority::Skip) {
        (Dialect::New, wanted) => json!(wanted),
        (Dialect::Old, wanted) => json!(u8::from(wanted)),
    };
    files.iter().map(one).collect()
}

/// Returns the connections; web seeds are told elsewhere.
pub(super) fn peers(peers: &[PeerStatus]) -> Value {
    let one = |peer: &PeerStatus| {
        let (downloading, uploading) = (peer.down_rate_bytes_per_s > 0, peer.up_rate_bytes_per_s > 0);
        json!({
            // Of a node met over the overlay the address is a stand-in; its id says more.
            "address": peer.node.map_or_else(|| peer.address.ip().to_string(), |node| node.to_string()),
            "bytes_to_client": peer.downloaded,
            "bytes_to_peer": peer.uploaded,
            "client_is_choked": peer.choking_us,
            "client_is_interested": peer.interested,
            "client_name": peer.client,
            "flag_str": flags(peer),
            "is_downloading_from": downloading,
            "is_encrypted": peer.encryption != PeerEncryption::None || peer.carrier == Carrier::Quic,
            "is_incoming": peer.direction == Direction::Incoming,
            "is_uploading_to": uploading,
            "is_utp": peer.carrier == Carrier::Utp,
            // The engine does not tell it.
            "peer_id": "",
            "peer_is_choked": peer.choked,
            "peer_is_interested": peer.interested_in_us,
            "port": peer.address.port(),
            "progress": peer.progress,
            "rate_to_client": peer.down_rate_bytes_per_s,
            "rate_to_peer": peer.up_rate_bytes_per_s,
        })
    };
    peers.iter().filter(|peer| peer.kind == PeerKind::Wire).map(one).collect()
}

/// Returns the letters of a peer (docs/Peer-Status-Text.md).
fn flags(peer: &PeerStatus) -> String {
    let letters = [
        ('T', peer.carrier == Carrier::Utp),
        ('D', peer.down_rate_bytes_per_s > 0),
        ('d', peer.down_rate_bytes_per_s == 0 && peer.choking_us && peer.interested),
        ('U', peer.up_rate_bytes_per_s > 0),
        ('u', peer.up_rate_bytes_per_s == 0 && peer.choked && peer.interested_in_us),
        ('K', !peer.choking_us && !peer.interested),
        ('?', !peer.choked && !peer.interested_in_us),
        ('E', peer.encryption != PeerEncryption::None),
        ('H', peer.source == Source::Dht),
        ('X', peer.source == Source::Pex),
        ('I', peer.direction == Direction::Incoming),
    ];
    letters.into_iter().filter(|(_, holds)| *holds).map(|(letter, _)| letter).collect()
}

/// Returns by whom the connected peers were found.
pub(super) fn peers_from(status: &TorrentStatus) -> Value {
    let of = |wanted| status.by_source.iter().find(|(source, _)| *source == wanted).map_or(0, |(_, count)| *count);
    json!({
        "from_cache": of(Source::Resume),
        "from_dht": of(Source::Dht),
        "from_incoming": of(Source::Incoming),
        "from_lpd": of(Source::Lsd),
        // Links and users, who have no place of their own.
        "from_ltep": of(Source::Hint),
        "from_pex": of(Source::Pex),
        "from_tracker": of(Source::Tracker),
    })
}

pub(super) fn trackers(trackers: &[TrackerStatus]) -> Value {
    let one = |(number, tracker): (usize, &TrackerStatus)| {
        json!({
            "announce": tracker.url,
            "id": number,
            "scrape": scrape(&tracker.url),
            "sitename": site(&tracker.url),
            "tier": tracker.tier,
        })
    };
    trackers.iter().enumerate().map(one).collect()
}

/// Returns the announce URLs, a tier a paragraph.
pub(super) fn tracker_list(trackers: &[TrackerStatus]) -> String {
    let mut text = String::new();
    for (at, tracker) in trackers.iter().enumerate() {
        if at > 0 && trackers[at - 1].tier != tracker.tier {
            text.push('\n');
        }
        text.push_str(&tracker.url);
        text.push('\n');
    }
    text
}

/// Returns what trackers said. Seeds and leechers come with each announce, so a scrape is told as one that was made with it.
pub(super) fn tracker_stats(trackers: &[TrackerStatus], now_s: u64) -> Value {
    let count = |count: Option<u32>| count.map_or(-1, i64::from);
    let one = |(number, tracker): (usize, &TrackerStatus)| {
        let last = tracker.last_announce.map_or(0, |at| at.0);
        let next = tracker.next_announce.map_or(0, |left| now_s + left.as_secs());
        let announced = tracker.last_announce.is_some() || tracker.failing;
        // Tools take any other word for a failure, so what else is said of a tracker that works is left out.
        let result = match (tracker.failing, announced) {
            (true, _) => tracker.message.clone().unwrap_or_default(),
            (false, true) => "Success".to_owned(),
            (false, false) => String::new(),
        };
        let scraped = tracker.seeds.is_some() || tracker.leechers.is_some();
        let backup = tracker.last_announce.is_none() && !tracker.failing && tracker.next_announce.is_none();
        json!({
            "announce": tracker.url,
            "announce_state": if tracker.next_announce.is_some() { WAITING } else { INACTIVE },
            "download_count": -1,
            "downloader_count": -1,
            "has_announced": announced,
            "has_scraped": scraped,
            "host": host(&tracker.url),
            "id": number,
            "is_backup": backup && tracker.tier > 0,
            "last_announce_peer_count": tracker.peers,
            "last_announce_result": result,
            "last_announce_start_time": last,
            "last_announce_succeeded": announced && !tracker.failing,
            "last_announce_time": last,
            "last_announce_timed_out": false,
            "last_scrape_result": "",
            "last_scrape_start_time": if scraped { last } else { 0 },
            "last_scrape_succeeded": scraped,
            "last_scrape_time": if scraped { last } else { 0 },
            "last_scrape_timed_out": false,
            "leecher_count": count(tracker.leechers),
            "next_announce_time": next,
            "next_scrape_time": if scraped { next } else { 0 },
            "scrape": scrape(&tracker.url),
            "scrape_state": if scraped && tracker.next_announce.is_some() { WAITING } else { INACTIVE },
            "seeder_count": count(tracker.seeds),
            "sitename": site(&tracker.url),
            "tier": tracker.tier,
        })
    };
    trackers.iter().enumerate().map(one).collect()
}

/// Returns where a tracker is scraped, by its announce URL (BEP 48); empty: nowhere.
fn scrape(url: &str) -> String {
    if url.starts_with("udp:") {
        return url.to_owned();
    }
    match url.rsplit_once('/') {
        Some((before, last)) if last.starts_with("announce") => {
            format!("{before}/scrape{}", &last["announce".len()..])
        }
        _ => String::new(),
    }
}

/// Returns what a tracker is called: of `https://www.example.org:1/announce` it is `example`.
fn site(url: &str) -> String {
    let host = host(url);
    // An address, with a port or without.
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().to_string();
    }
    if host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok() {
        return host.trim_matches(['[', ']']).to_owned();
    }
    let name = host.split(':').next().unwrap_or_default();
    let mut parts = name.rsplit('.');
    let last = parts.next().unwrap_or_default();
    parts.next().unwrap_or(last).to_owned()
}

/// Returns the URLs of the web seeds.
pub(super) fn web_seeds(seeds: &[WebSeedStatus]) -> Value {
    seeds.iter().map(|seed| json!(seed.url)).collect()
}

/// Returns the web seeds with what they send now; `peers` has those that are asked.
pub(super) fn web_seeds_ex(seeds: &[WebSeedStatus], peers: &[PeerStatus]) -> Value {
    let one = |seed: &WebSeedStatus| {
        let asked = peers.iter().find(|peer| peer.kind == PeerKind::WebSeed && peer.client == seed.url);
        let rate = asked.map_or(0, |peer| peer.down_rate_bytes_per_s);
        json!({ "url": seed.url, "is_downloading": rate > 0, "download_bytes_per_second": rate })
    };
    seeds.iter().map(one).collect()
}

/// Returns which pieces are here, in base64.
pub(super) fn pieces(have: Option<&Bitfield>, complete: bool) -> String {
    let Some(have) = have else { return String::new() };
    // As with files: paused since the start, and remembered as complete.
    let full = (complete && have.is_none()).then(|| Bitfield::full(have.len()));
    data_encoding::BASE64.encode(full.as_ref().unwrap_or(have).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::WallTime;
    use std::time::Duration;

    fn tracker(url: &str, tier: u32) -> TrackerStatus {
        TrackerStatus {
            url: url.to_owned(),
            tier,
            message: None,
            failing: false,
            last_announce: Some(WallTime(1000)),
            next_announce: Some(Duration::from_secs(60)),
            seeds: Some(3),
            leechers: None,
            peers: 5,
        }
    }

    #[test]
    fn trackers_are_named_as_people_know_them() {
        for (url, host_of, site_of, scrape_of) in [
            ("http://www.example.org:80/announce", "www.example.org:80", "example", "http://www.example.org:80/scrape"),
            ("https://example.org/a/announce?k=1", "example.org", "example", "https://example.org/a/scrape?k=1"),
            ("udp://192.0.2.7:6969", "192.0.2.7:6969", "192.0.2.7", "udp://192.0.2.7:6969"),
            (
                "http://[2001:db8::7]:6969/announce",
                "[2001:db8::7]:6969",
                "2001:db8::7",
                "http://[2001:db8::7]:6969/scrape",
            ),
            ("http://localhost/x", "localhost", "localhost", ""),
        ] {
            assert_eq!((host(url), site(url).as_str(), scrape(url).as_str()), (host_of, site_of, scrape_of), "{url}");
        }
        let list = [tracker("a", 0), tracker("b", 0), tracker("c", 1)];
        assert_eq!(tracker_list(&list), "a\nb\n\nc\n");
    }

    #[test]
    fn what_a_tracker_said_is_told_with_its_times() {
        let mut silent = tracker("udp://b.example:1", 1);
        (silent.last_announce, silent.next_announce, silent.seeds) = (None, None, None);
        let mut bad = tracker("udp://c.example:1", 2);
        (bad.failing, bad.message) = (true, Some("no answer".to_owned()));
        let mut good = tracker("http://a.example/announce", 0);
        (good.message, silent.message) = (Some("working".to_owned()), Some("not asked yet".to_owned()));
        let stats = tracker_stats(&[good, silent, bad], 1010);
        let get = |at: usize, key: &str| stats[at][key].clone();
        assert_eq!((get(0, "last_announce_result"), get(0, "next_announce_time")), (json!("Success"), json!(1070)));
        assert_eq!((get(0, "seeder_count"), get(0, "leecher_count")), (json!(3), json!(-1)));
        assert_eq!((get(1, "has_announced"), get(1, "is_backup")), (json!(false), json!(true)));
        assert_eq!(get(1, "last_announce_result"), json!(""));
        assert_eq!(
            (get(2, "last_announce_succeeded"), get(2, "last_announce_result")),
            (json!(false), json!("no answer"))
        );
    }
}
