//! The HTTP tracker protocol (BEP 3, 7, 21, 23, 24, 31, 48): what URL to fetch, and what the answer says.

use core::net::{IpAddr, SocketAddr};
use std::fmt::Write;
use std::time::Duration;

use metainfo::InfoHashV1;
use metainfo::bencode::{self, Dict, Value};

use super::error::{Retry, TrackerError, readable};
use super::request::{
    AnnounceEvent, AnnounceRequest, AnnounceResponse, MAX_PEERS, ScrapeEntry, ScrapeResponse, can_dial, compact_peers,
    interval_from_seconds, ip_from_bytes,
};
use super::url::{TrackerUrl, Transport};

/// The longest answer read, in bytes: several times what [`MAX_PEERS`] take in their longest form (arbitrary).
pub const MAX_RESPONSE_LEN: usize = 512 * 1024;

/// The most info-hashes in one scrape: more make a URL that servers refuse (arbitrary).
pub const MAX_SCRAPE: usize = 64;

/// The longest tracker id kept, in bytes (arbitrary).
const MAX_TRACKER_ID: usize = 256;

/// The longest time until a retry that is obeyed (arbitrary).
const MAX_RETRY: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the URL that announces.
pub fn announce_url(tracker: &TrackerUrl, announce: &AnnounceRequest) -> String {
    let mut url = with_query(tracker.as_str());
    url.push_str("info_hash=");
    escape(&announce.info_hash.0, &mut url);
    url.push_str("&peer_id=");
    escape(&announce.peer_id.0, &mut url);
    let AnnounceRequest { port, uploaded, downloaded, left, key, .. } = announce;
    // Compact peers are the only form that some trackers still serve; those that do not know it ignore the wish.
    let numbers = format!(
        "&port={port}&uploaded={uploaded}&downloaded={downloaded}&left={left}&compact=1&no_peer_id=1&key={key:08X}"
    );
    url.push_str(&numbers);
    if let Some(want) = announce.want {
        // Writing to a String cannot fail.
        let _ = write!(url, "&numwant={want}");
    }
    let event = match announce.event {
        AnnounceEvent::Regular => "",
        AnnounceEvent::Started => "&event=started",
        AnnounceEvent::Completed => "&event=completed",
        AnnounceEvent::Stopped => "&event=stopped",
        AnnounceEvent::Paused => "&event=paused",
    };
    url.push_str(event);
    if let Some(id) = &announce.tracker_id {
        url.push_str("&trackerid=");
        escape(id, &mut url);
    }
    url
}

/// Returns the URL that scrapes at most [`MAX_SCRAPE`] swarms; `None` when the tracker cannot be scraped: it is no HTTP
/// tracker, or the last part of its path does not begin with `announce` (BEP 48).
pub fn scrape_url(tracker: &TrackerUrl, info_hashes: &[InfoHashV1]) -> Option<String> {
    if *tracker.transport() != Transport::Http {
        return None;
    }
    let (path, query) = match tracker.as_str().split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (tracker.as_str(), None),
    };
    let (folder, last) = path.rsplit_once('/')?;
    let suffix = last.strip_prefix("announce")?;
    // The slash found may be one of the two before the host: then there is no path.
    if folder.ends_with('/') {
        return None;
    }
    let mut url = format!("{folder}/scrape{suffix}");
    if let Some(query) = query {
        url.push('?');
        url.push_str(query);
    }
    let mut url = with_query(&url);
    for (i, hash) in info_hashes.iter().take(MAX_SCRAPE).enumerate() {
        url.push_str(if i == 0 { "info_hash=" } else { "&info_hash=" });
        escape(&hash.0, &mut url);
    }
    Some(url)
}

/// Reads the answer to an announce. Also for the body of an HTTP error status: some trackers put their reason there.
pub fn parse_announce(body: &[u8]) -> Result<AnnounceResponse, TrackerError> {
    let value = decode(body)?;
    let dict = answered(&value)?;
    let mut peers = Vec::new();
    match dict.get(b"peers") {
        Some(Value::Bytes(compact)) => compact_peers::<6>(compact, &mut peers),
        Some(Value::List(list)) => listed_peers(list, &mut peers),
        Some(_) => return Err(TrackerError::Malformed("its peers are neither a string nor a list")),
        None => {}
    }
    if let Some(compact) = dict.bytes(b"peers6") {
        compact_peers::<18>(compact, &mut peers);
    }
    let interval = dict.int(b"interval");
    if interval.is_none() && dict.get(b"peers").is_none() && dict.get(b"peers6").is_none() {
        return Err(TrackerError::Malformed("it holds neither peers nor an interval"));
    }
    Ok(AnnounceResponse {
        interval: interval_from_seconds(interval.unwrap_or_default()),
        min_interval: dict.int(b"min interval").filter(|seconds| *seconds > 0).map(interval_from_seconds),
        seeders: count(dict, b"complete"),
        leechers: count(dict, b"incomplete"),
        peers,
        warning: dict.bytes(b"warning message").map(readable).filter(|text| !text.is_empty()),
        external_ip: dict.bytes(b"external ip").and_then(ip_from_bytes),
        tracker_id: dict
            .bytes(b"tracker id")
            .filter(|id| !id.is_empty() && id.len() <= MAX_TRACKER_ID)
            .map(<[u8]>::to_vec),
    })
}

/// Reads the answer to a scrape of these swarms; what the tracker says about others is ignored.
pub fn parse_scrape(body: &[u8], info_hashes: &[InfoHashV1]) -> Result<ScrapeResponse, TrackerError> {
    let value = decode(body)?;
    let files = answered(&value)?.get(b"files").and_then(Value::as_dict);
    let files = files.ok_or(TrackerError::Malformed("it holds no files"))?;
    let entry = |hash: &InfoHashV1| {
        let dict = files.get(&hash.0)?.as_dict()?;
        let entry = ScrapeEntry {
            seeders: count(dict, b"complete").unwrap_or_default(),
            leechers: count(dict, b"incomplete").unwrap_or_default(),
            completed: count(dict, b"downloaded").unwrap_or_default(),
            downloaders: count(dict, b"downloaders"),
        };
        Some((*hash, entry))
    };
    Ok(ScrapeResponse { entries: info_hashes.iter().take(MAX_SCRAPE).filter_map(entry).collect() })
}

fn decode(body: &[u8]) -> Result<Value<'_>, TrackerError> {
    if body.len() > MAX_RESPONSE_LEN {
        return Err(TrackerError::Malformed("it is too long"));
    }
    // Some trackers end their answer with a line break: what follows the dictionary is not ours to judge.
    let (value, _) = bencode::decode_prefix(body).map_err(|_| TrackerError::Malformed("it is not bencoded"))?;
    Ok(value)
}

/// Returns the dictionary of an answer, unless it says why there is none.
fn answered<'a, 'b>(value: &'b Value<'a>) -> Result<&'b Dict<'a>, TrackerError> {
    let dict = value.as_dict().ok_or(TrackerError::Malformed("it is not a dictionary"))?;
    match dict.bytes(b"failure reason") {
        Some(reason) => Err(TrackerError::refused(reason, retry(dict.get(b"retry in")))),
        None => Ok(dict),
    }
}

/// Reads `retry in`: minutes, as a string (the examples of BEP 31) or an integer (its text), or "never".
fn retry(value: Option<&Value<'_>>) -> Retry {
    let minutes = match value {
        Some(Value::Bytes(b"never")) => return Retry::Never,
        Some(Value::Bytes(text)) => std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()),
        Some(Value::Int(minutes)) => u64::try_from(*minutes).ok(),
        _ => None,
    };
    match minutes {
        Some(minutes @ 1..) => Retry::After(Duration::from_secs(minutes.saturating_mul(60)).min(MAX_RETRY)),
        _ => Retry::Unsaid,
    }
}

/// Reads peers in the form of BEP 3: dictionaries. Those named by a host name are skipped: nobody serves them any more.
fn listed_peers(list: &[Value<'_>], out: &mut Vec<SocketAddr>) {
    for peer in list {
        if out.len() == MAX_PEERS {
            break;
        }
        let Some(dict) = peer.as_dict() else { continue };
        let ip = dict.str(b"ip").and_then(|ip| ip.parse::<IpAddr>().ok());
        let port = dict.int(b"port").and_then(|port| u16::try_from(port).ok());
        if let (Some(ip), Some(port)) = (ip, port) {
            let address = SocketAddr::new(ip.to_canonical(), port);
            if can_dial(&address) {
                out.push(address);
            }
        }
    }
}

/// Reads a number of peers; trackers that do not count say -1 or nothing.
fn count(dict: &Dict<'_>, key: &[u8]) -> Option<u32> {
    dict.int(key).and_then(|count| u32::try_from(count).ok())
}

/// Returns the URL ready for `key=value` to be appended.
fn with_query(url: &str) -> String {
    let mut out = String::with_capacity(url.len() + 256);
    out.push_str(url);
    match url.find('?') {
        None => out.push('?'),
        Some(at) if at + 1 == url.len() || url.ends_with('&') => {}
        Some(_) => out.push('&'),
    }
    out
}

/// Appends bytes as a query value: all but the unreserved characters of RFC 3986 escaped.
fn escape(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests;
