//! The body of the fuzz target: arbitrary bytes as requests to a tracker. It panics where a promise is broken. The property
//! tests below drive it too, so that they cannot rot.

use core::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::{Instant, Now, WallTime};
use torrent_proto::tracker::udp::{Answer, Family, Request, TransactionId};
use torrent_proto::tracker::{TrackerError, http};

use crate::proto::{Core, Limits};

/// What a tracker under attack may keep; small, so that the limits are met.
const LIMITS: Limits = Limits {
    swarms: 8,
    peers_per_swarm: 4,
    peers_per_host: 6,
    requests_per_host_s: 1_000_000,
    memory_bytes: 8 << 10,
    interval: Duration::from_secs(1_800),
    min_interval: Duration::from_secs(300),
    listed: None,
};

/// How long a request is cut: enough for a scrape of many swarms.
const REQUEST_LEN: usize = 120;

/// A history of requests over UDP and HTTP, from four addresses. Who has shown no connection id is sent no more than it
/// sent, every answer can be read by our own client, and the limits hold.
pub fn requests(data: &[u8]) {
    let mut now = Now { mono: Instant::START, wall: WallTime(0) };
    let mut core = Core::new(now, LIMITS, &[3; 16], fastrand::Rng::with_seed(1));
    for command in data.chunks(REQUEST_LEN) {
        let (&[what, who], rest) = command.split_first_chunk().unwrap_or((&[0, 0], &[]));
        let from = address(who);
        match what % 5 {
            0 => udp(&mut core, now, from, rest, false),
            // With an id of its own, so that what follows it is seen too.
            1 => {
                let connect = Request::Connect { transaction: TransactionId(1) }.encode();
                let answer = core.udp(now, from, &connect).expect("everybody may connect");
                // The answer is: action, transaction, connection id; a request begins with the id (BEP 15).
                udp(&mut core, now, from, &[&answer[8..], rest].concat(), true);
            }
            2 => over_http(&mut core, now, from.ip(), "/announce", rest),
            3 => over_http(&mut core, now, from.ip(), "/scrape", rest),
            _ => {
                now.mono = now.mono + Duration::from_secs(u64::from(who) * 16);
                core.timeout(now);
            }
        }
        let stats = core.stats();
        let content = stats.content;
        assert!(content.memory_bytes <= stats.memory_limit_bytes && content.swarms <= LIMITS.swarms);
        assert!(content.seeds + content.leechers <= LIMITS.swarms * LIMITS.peers_per_swarm * 2);
    }
}

fn address(who: u8) -> SocketAddr {
    let ip = match who % 4 {
        0 => IpAddr::from([10, 0, 0, 1]),
        1 => IpAddr::from([10, 0, 0, 2]),
        2 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
        _ => IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 1]),
    };
    SocketAddr::new(ip, 6_881)
}

fn udp(core: &mut Core, now: Now, from: SocketAddr, packet: &[u8], connected: bool) {
    let Some(answer) = core.udp(now, from, packet) else { return };
    assert!(connected || answer.len() <= packet.len(), "{} bytes for {}", answer.len(), packet.len());
    assert!(Answer::decode(&answer, Family::from(from)).is_ok(), "{answer:?}");
}

fn over_http(core: &mut Core, now: Now, from: IpAddr, path: &str, query: &[u8]) {
    // What is no UTF-8 does not reach the tracker: hyper refuses it.
    let Ok(query) = std::str::from_utf8(query) else { return };
    let answer = core.http(now, from, path, query);
    let read = match path {
        "/announce" => http::parse_announce(&answer.body).map(|_| ()),
        _ => http::parse_scrape(&answer.body, &[]).map(|_| ()),
    };
    assert!(matches!(read, Ok(()) | Err(TrackerError::Refused { .. })), "{read:?}: {:?}", answer.body);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn announce() -> impl Strategy<Value = Vec<u8>> {
        let words = "info_hash=([a-c]{20}|%[0-9a-f]{2}x)&peer_id=[a-z]{20}&port=[0-9]{1,5}(&(left|numwant|compact|event|ip)=[a-z0-9-]{0,9}){0,3}";
        (2_u8..4, any::<u8>(), words).prop_map(|(what, who, words)| {
            let mut command = [&[what, who], words.as_bytes()].concat();
            command.resize(REQUEST_LEN, b'&');
            command
        })
    }

    fn packet() -> impl Strategy<Value = Vec<u8>> {
        (any::<u8>(), 0_u8..4, proptest::collection::vec(any::<u8>(), REQUEST_LEN - 6))
            .prop_map(|(who, action, body)| [&[1, who, 0, 0, 0, action][..], &body].concat())
    }

    proptest! {
        #[test]
        fn arbitrary_requests_break_no_promise(
            history in proptest::collection::vec(
                prop_oneof![announce(), packet(), proptest::collection::vec(any::<u8>(), REQUEST_LEN)], 0..30),
        ) {
            requests(&history.concat());
        }
    }
}
