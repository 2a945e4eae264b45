//! URLs and answers against bytes written out from the specifications.

use std::time::Duration;

use metainfo::InfoHashV1;

use super::*;
use crate::wire::PeerId;

fn announce() -> AnnounceRequest {
    // Bytes of all kinds: digits, letters, control and high ones.
    let info_hash = InfoHashV1(*b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a");
    AnnounceRequest {
        info_hash,
        peer_id: PeerId(*b"-CP0001-abc ~._/&=+%"),
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event: AnnounceEvent::Started,
        key: 0xab,
        want: Some(50),
        tracker_id: None,
    }
}

fn url(text: &str) -> TrackerUrl {
    text.parse().unwrap()
}

#[test]
fn an_announce_url_carries_everything_escaped() {
    let expected = "http://t.example/announce?\
        info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A&peer_id=-CP0001-abc%20~._%2F%26%3D%2B%25\
        &port=6881&uploaded=1&downloaded=2&left=3&compact=1&no_peer_id=1&key=000000AB&numwant=50&event=started";
    assert_eq!(announce_url(&url("http://t.example/announce"), &announce()), expected);
}

#[test]
fn an_announce_url_keeps_the_trackers_own_query() {
    let start = |text: &str| {
        let url = announce_url(&url(text), &announce());
        url.split("info_hash=").next().unwrap().to_owned()
    };
    assert_eq!(start("http://t.example/announce.php?passkey=1"), "http://t.example/announce.php?passkey=1&");
    assert_eq!(start("http://t.example/announce?"), "http://t.example/announce?");
    assert_eq!(start("http://t.example/announce?a=1&"), "http://t.example/announce?a=1&");
    assert_eq!(start("https://t.example"), "https://t.example?");
}

#[test]
fn events_and_tracker_ids_are_said_in_words() {
    let with = |event, tracker_id: Option<&[u8]>| {
        let announce = AnnounceRequest { event, tracker_id: tracker_id.map(<[u8]>::to_vec), want: None, ..announce() };
        announce_url(&url("http://t.example/a"), &announce).split_once("&key=000000AB").unwrap().1.to_owned()
    };
    assert_eq!(with(AnnounceEvent::Regular, None), "");
    assert_eq!(with(AnnounceEvent::Completed, Some(b"a b")), "&event=completed&trackerid=a%20b");
    assert_eq!(with(AnnounceEvent::Stopped, None), "&event=stopped");
    assert_eq!(with(AnnounceEvent::Paused, None), "&event=paused");
}

#[test]
fn only_a_path_that_ends_in_announce_can_be_scraped() {
    // The examples of the convention that BEP 48 wrote down.
    let table = [
        ("http://example.com/announce", Some("http://example.com/scrape?")),
        ("http://example.com/x/announce", Some("http://example.com/x/scrape?")),
        ("http://example.com/announce.php", Some("http://example.com/scrape.php?")),
        ("http://example.com/a", None),
        ("http://example.com/announce?x2%0644", Some("http://example.com/scrape?x2%0644&")),
        ("http://example.com/announce?x=2/4", Some("http://example.com/scrape?x=2/4&")),
        ("http://example.com/x%064announce", None),
        ("http://announce.example", None),
        ("udp://example.com:80/announce", None),
    ];
    let hashes = [InfoHashV1(*b"xxxxxxxxxxxxxxxxxxxx"), InfoHashV1(*b"yyyyyyyyyyyyyyyyyyyy")];
    for (tracker, scrape) in table {
        let query = "info_hash=xxxxxxxxxxxxxxxxxxxx&info_hash=yyyyyyyyyyyyyyyyyyyy";
        assert_eq!(scrape_url(&url(tracker), &hashes), scrape.map(|scrape| format!("{scrape}{query}")), "{tracker}");
    }
}

#[test]
fn compact_peers_of_both_families_are_read() {
    let mut body = b"d8:completei5e11:external ip4:\x05\x06\x07\x0810:incompletei7e8:intervali1800e\
        12:min intervali900e5:peers12:\x01\x02\x03\x04\x1a\xe1\x01\x02\x03\x05\0\x006:peers618:"
        .to_vec();
    body.extend_from_slice(&core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets());
    body.extend_from_slice(b"\x1a\xe210:tracker id3:abc15:warning message10:slow\x1b down");
    body.extend_from_slice(b"e\n");
    let response = parse_announce(&body).unwrap();
    assert_eq!(response.interval, Duration::from_secs(1800));
    assert_eq!(response.min_interval, Some(Duration::from_secs(900)));
    assert_eq!((response.seeders, response.leechers), (Some(5), Some(7)));
    assert_eq!(response.external_ip, Some("5.6.7.8".parse().unwrap()));
    assert_eq!(response.tracker_id.as_deref(), Some(&b"abc"[..]));
    assert_eq!(response.warning.as_deref(), Some("slow  down"), "an escape sequence cannot reach the terminal");
    let peers = ["1.2.3.4:6881".parse().unwrap(), "[2001:db8::1]:6882".parse().unwrap()];
    assert_eq!(response.peers, peers, "and nobody listens on port 0");
}

#[test]
fn peers_in_dictionaries_are_read() {
    let body =
        b"d8:intervali60e5:peersld2:ip9:127.0.0.17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881eed2:ip3:::14:porti1ee\
        d2:ip9:host.name4:porti1eed2:ip9:127.0.0.14:porti70000eed4:porti1eei5eee";
    let response = parse_announce(body).unwrap();
    assert_eq!(response.peers, ["127.0.0.1:6881".parse().unwrap(), "[::1]:1".parse().unwrap()]);
}

#[test]
fn intervals_are_kept_within_bounds() {
    let interval = |text: &str| parse_announce(format!("d8:intervali{text}e5:peers0:e").as_bytes()).unwrap().interval;
    assert_eq!(interval("0"), Duration::from_secs(1800));
    assert_eq!(interval("-5"), Duration::from_secs(1800));
    assert_eq!(interval("1"), Duration::from_secs(10));
    assert_eq!(interval("9223372036854775807"), Duration::from_secs(86_400));
}

#[test]
fn a_refusal_says_why_and_when_to_return() {
    let refusal = |body: &[u8]| parse_announce(body).unwrap_err();
    let refused = |reason: &str, retry| TrackerError::Refused { reason: reason.into(), retry };
    assert_eq!(refusal(b"d14:failure reason4:Nopee"), refused("Nope", Retry::Unsaid));
    assert_eq!(
        refusal(b"d14:failure reason10:Overloaded8:retry in1:5e"),
        refused("Overloaded", Retry::After(Duration::from_secs(300)))
    );
    assert_eq!(
        refusal(b"d14:failure reason10:Overloaded8:retry ini5ee"),
        refused("Overloaded", Retry::After(Duration::from_secs(300)))
    );
    assert_eq!(
        refusal(b"d14:failure reason13:Not a tracker8:retry in5:nevere"),
        refused("Not a tracker", Retry::Never)
    );
    assert_eq!(refusal(b"d14:failure reason1:x8:retry in4:soone"), refused("x", Retry::Unsaid));
    assert!(refusal(b"d14:failure reason4:Nopee").to_string().contains("refuses: Nope"));
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in [&b""[..], b"<html>404</html>", b"i5e", b"de", b"d5:peersi5ee", b"d8:intervali60e5:peers10:short"] {
        assert!(matches!(parse_announce(body), Err(TrackerError::Malformed(_))), "{}", body.escape_ascii());
    }
    assert!(parse_announce(&vec![b'0'; MAX_RESPONSE_LEN + 1]).is_err());
    assert!(parse_scrape(b"d5:peers0:e", &[]).is_err());
}

#[test]
fn no_more_peers_are_taken_than_the_limit() {
    let many = 3 * MAX_PEERS;
    let mut body = format!("d8:intervali60e5:peers{}:", many * 6).into_bytes();
    body.extend_from_slice(&[1, 2, 3, 4, 5, 6].repeat(many));
    body.push(b'e');
    assert_eq!(parse_announce(&body).unwrap().peers.len(), MAX_PEERS);
}

#[test]
fn a_scrape_tells_about_the_swarms_asked_for() {
    // The example of BEP 48, with BEP 21's number of downloaders.
    let body = b"d5:filesd20:xxxxxxxxxxxxxxxxxxxxd8:completei11e10:downloadedi13772e10:incompletei19ee\
        20:yyyyyyyyyyyyyyyyyyyyd8:completei21e10:downloadedi206e11:downloadersi4e10:incompletei20eeee";
    let x = InfoHashV1(*b"xxxxxxxxxxxxxxxxxxxx");
    let y = InfoHashV1(*b"yyyyyyyyyyyyyyyyyyyy");
    let z = InfoHashV1(*b"zzzzzzzzzzzzzzzzzzzz");
    let entries = parse_scrape(body, &[y, z, x]).unwrap().entries;
    let of_y = ScrapeEntry { seeders: 21, leechers: 20, completed: 206, downloaders: Some(4) };
    let of_x = ScrapeEntry { seeders: 11, leechers: 19, completed: 13772, downloaders: None };
    assert_eq!(entries, [(y, of_y), (x, of_x)]);
    assert!(matches!(parse_scrape(b"d14:failure reason2:noe", &[x]), Err(TrackerError::Refused { .. })));
}
