//! Queries as clients write them, and answers byte by byte.

use std::collections::BTreeSet;
use std::time::Duration;

use base::Instant;
use torrent_proto::tracker::{Retry as Said, TrackerError, http};

use super::super::table::Limits;
use super::*;

const ALICE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1));
const BOB: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 2));
const HASH: &str = "%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx+";

fn limits() -> Limits {
    Limits {
        swarms: 1_000,
        peers_per_swarm: 1_000,
        peers_per_host: 1_000,
        requests_per_host_s: 1_000_000,
        memory_bytes: 1 << 20,
        interval: Duration::from_secs(1_800),
        min_interval: Duration::from_secs(300),
        listed: None,
    }
}

fn core(limits: Limits) -> Core {
    Core::new(now(), limits, &[3; 16], fastrand::Rng::with_seed(1))
}

fn now() -> Now {
    Now { mono: Instant::from_start(Duration::from_secs(1_000)), ..Now::default() }
}

fn announce(core: &mut Core, from: IpAddr, more: &str) -> Vec<u8> {
    let query = format!("info_hash={HASH}&peer_id=-XX0001-abcdefghijkl&port=6881&left=0{more}");
    let answer = core.http(now(), from, "/announce", &query);
    assert_eq!(answer.status, 200);
    answer.body
}

fn bytes(text: &str) -> Vec<u8> {
    // \xNN in the text stands for a byte.
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.extend_from_slice(before.as_bytes());
        out.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

#[test]
fn an_answer_is_what_the_specifications_say_byte_by_byte() {
    let mut core = core(limits());
    announce(&mut core, ALICE, "");
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    announce(&mut core, v6, "");
    let expected = "d8:completei2e11:external ip4:\\x0a\\x00\\x00\\x0210:incompletei1e8:intervali1800e\
        12:min intervali300e5:peers6:\\x0a\\x00\\x00\\x01\\x1a\\xe1\
        6:peers618: \\x01\\x0d\\xb8\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x1a\\xe1e";
    assert_eq!(announce(&mut core, BOB, "&left=5"), bytes(expected));
}

#[test]
fn peers_come_as_dictionaries_where_the_client_does_not_want_them_compact() {
    let mut core = core(limits());
    announce(&mut core, ALICE, "");
    let answer = announce(&mut core, BOB, "&left=5&compact=0");
    let text = String::from_utf8(answer.clone()).unwrap();
    assert!(text.ends_with("5:peersld2:ip8:10.0.0.14:porti6881eeee"), "{text}");
    assert_eq!(http::parse_announce(&answer).unwrap().peers, ["10.0.0.1:6881".parse().unwrap()]);
}

#[test]
fn what_a_client_says_about_its_address_is_not_believed() {
    let mut core = core(limits());
    announce(&mut core, ALICE, "&ip=192.0.2.1&ipv4=192.0.2.1:5&ipv6=%5B2001:db8::9%5D:5");
    let peers = http::parse_announce(&announce(&mut core, BOB, "&left=1")).unwrap().peers;
    assert_eq!(peers, ["10.0.0.1:6881".parse().unwrap()]);
}

#[test]
fn a_client_gets_as_many_peers_as_it_wants_and_no_more_than_allowed() {
    let mut core = core(limits());
    for number in 0..300_u16 {
        let [high, low] = number.to_be_bytes();
        announce(&mut core, IpAddr::from([11, 0, high, low]), "&left=1");
    }
    for (more, number) in [("", 50), ("&numwant=3", 3), ("&numwant=0", 0), ("&numwant=-1", 50), ("&numwant=5000", 200)]
    {
        let answer = announce(&mut core, BOB, &format!("&left=1{more}"));
        assert_eq!(http::parse_announce(&answer).unwrap().peers.len(), number, "{more}");
    }
}

#[test]
fn a_mistake_is_named_and_not_to_be_repeated() {
    let mut core = core(limits());
    for (query, words) in [
        ("", "info_hash is missing"),
        ("info_hash=abc", "20 bytes"),
        (&format!("info_hash={HASH}"), "peer_id is missing"),
        (&format!("info_hash={HASH}&peer_id=x"), "20 bytes"),
        (&format!("info_hash={HASH}&peer_id=-XX0001-abcdefghijkl"), "port is missing"),
        (&format!("info_hash={HASH}&peer_id=-XX0001-abcdefghijkl&port=65536"), "0 to 65535"),
    ] {
        let answer = core.http(now(), ALICE, "/announce", query);
        let Err(TrackerError::Refused { reason, retry }) = http::parse_announce(&answer.body) else {
            panic!("{query:?} was not refused");
        };
        assert!(reason.contains(words), "{query:?}: {reason:?}");
        assert_eq!(retry, Said::Never);
    }
    assert_eq!(core.http(now(), ALICE, "/", "").status, 404);
    assert_eq!(core.stats().http_v4.malformed, 6);
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let listed = Some(BTreeSet::from([InfoHashV1([9; 20])]));
    let never = http::parse_announce(&announce(&mut core(Limits { listed, ..limits() }), ALICE, ""));
    assert!(matches!(never, Err(TrackerError::Refused { retry: Said::Never, .. })), "{never:?}");
    let mut full = core(Limits { peers_per_host: 1, ..limits() });
    announce(&mut full, ALICE, "");
    let later = http::parse_announce(&announce(&mut full, ALICE, "&port=6882"));
    let half_an_hour = Said::After(Duration::from_secs(1_800));
    assert!(matches!(later, Err(TrackerError::Refused { retry, .. }) if retry == half_an_hour), "{later:?}");
}

#[test]
fn several_swarms_are_scraped_at_once_and_never_all() {
    let mut core = core(limits());
    announce(&mut core, ALICE, "");
    announce(&mut core, BOB, "&left=5");
    let unknown = "%00".repeat(20);
    let answer = core.http(now(), ALICE, "/scrape", &format!("info_hash={unknown}&info_hash={HASH}")).body;
    let hash = InfoHashV1(*b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78+");
    let scrape = http::parse_scrape(&answer, &[hash, InfoHashV1([0; 20])]).unwrap();
    assert_eq!(scrape.entries.len(), 1);
    let (found, entry) = scrape.entries[0];
    assert_eq!((found, entry.seeders, entry.leechers, entry.downloaders), (hash, 1, 1, Some(1)));
    let all = core.http(now(), ALICE, "/scrape", "").body;
    assert!(String::from_utf8(all).unwrap().contains("14:failure reason"));
}

#[test]
fn a_key_may_be_any_text() {
    assert_eq!(hash_key(b"000000AB"), 0xab);
    assert_ne!(hash_key(b"secret"), hash_key(b"Secret"));
}
