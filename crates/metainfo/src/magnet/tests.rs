//! Magnet links: both ways, foreign forms, and what is wrong with the others.

use super::*;
use crate::{InfoHashV1, InfoHashV2};

const V1: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const V2: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn read(rest: &str) -> Result<Magnet, MagnetError> {
    format!("magnet:?xt=urn:btih:{V1}{rest}").parse()
}

fn peer(host: &str, port: u16) -> PeerHint {
    PeerHint { host: host.to_owned(), port }
}

#[test]
fn every_parameter_goes_both_ways() {
    let magnet = Magnet {
        hashes: InfoHashes::hybrid(InfoHashV1([0xaa; 20]), InfoHashV2([0xbb; 32])),
        name: Some("Ä & b = c+d/é.txt".to_owned()),
        trackers: vec!["http://t.example/announce?key=1&x=2".to_owned(), "udp://[::1]:6969".to_owned()],
        web_seeds: vec!["https://w.example/a b/".to_owned()],
        peers: vec![peer("192.0.2.1", 6881), peer("2001:db8::1", 1), peer("host.example", 65535)],
        select: Some(vec![0..=0, 2..=2, 4..=8]),
    };
    let text = magnet.to_string();
    assert_eq!(
        text,
        format!(
            "magnet:?xt=urn:btih:{V1}&xt=urn:btmh:1220{V2}&dn=%C3%84%20%26%20b%20%3D%20c%2Bd%2F%C3%A9.txt\
             &tr=http%3A%2F%2Ft.example%2Fannounce%3Fkey%3D1%26x%3D2&tr=udp%3A%2F%2F%5B%3A%3A1%5D%3A6969\
             &ws=https%3A%2F%2Fw.example%2Fa%20b%2F&x.pe=192.0.2.1:6881&x.pe=[2001:db8::1]:1\
             &x.pe=host.example:65535&so=0,2,4-8"
        )
    );
    assert_eq!(text.parse(), Ok(magnet));
}

#[test]
fn the_forms_that_other_programs_write_are_read() {
    let base32 = "VKVKVKVKVKVKVKVKVKVKVKVKVKVKVKVK";
    let rows = [
        format!("magnet:?xt=urn:btih:{V1}"),
        format!("  MAGNET:?xt=urn:btih:{}\n", V1.to_uppercase()),
        format!("magnet:?xt=urn:btih:{base32}"),
        format!("magnet:?xt=urn:btih:{}", base32.to_lowercase()),
        format!("magnet:?dn=&xt=urn%3Abtih%3A{V1}&xl=5"),
        format!("magnet:?xt.1=urn:btih:{V1}&xt.2=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C"),
        format!("magnet:?&&xt=URN:BTIH:{V1}&x.unknown=1&novalue&"),
    ];
    for text in rows {
        let magnet: Magnet = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(magnet, Magnet::new(InfoHashes::v1_only(InfoHashV1([0xaa; 20]))), "{text}");
    }
    let v2: Magnet = format!("magnet:?xt=urn:btmh:1220{V2}").parse().unwrap();
    assert_eq!(v2.hashes, InfoHashes::v2_only(InfoHashV2([0xbb; 32])));
    assert_eq!(read("&dn=a+b%2Bc").unwrap().name.as_deref(), Some("a b+c"));
    assert_eq!(read("&tr.1=http://a/&tr.2=http://b/&tr=http://a/").unwrap().trackers, ["http://a/", "http://b/"]);
}

#[test]
fn what_names_no_torrent_is_refused_with_the_reason() {
    let message = |text: &str| text.parse::<Magnet>().expect_err(text).to_string();
    assert!(message("").contains("does not begin with"));
    assert!(message("http://example.org/").contains("does not begin with"));
    assert!(message("magnet:").contains("does not begin with"));
    assert!(message("magnet:?dn=x").contains("names no torrent"));
    assert!(message("magnet:?xt=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C").contains("names no torrent"));
    assert_eq!(
        message("magnet:?xt=urn:btih:123"),
        "\"xt=urn:btih:123\" in the magnet link is wrong: after urn:btih: come 40 hexadecimal digits, or 32 characters of \
         base32"
    );
    assert!(message(&format!("magnet:?xt=urn:btmh:1120{V2}")).contains("1220"));
    assert!(message(&format!("magnet:?xt=urn:btmh:1220{V1}")).contains("1220"));
    let two = format!("magnet:?xt=urn:btih:{V1}&xt=urn:btih:{}", &V2[..40]);
    assert_eq!(message(&two), format!("the magnet link names two torrents, {V1} and {}: cut one off", &V2[..40]));
    assert!(read(&format!("&xt=urn:btih:{V1}")).is_ok(), "the same one twice is fine");
}

#[test]
fn peers_that_are_no_addresses_are_skipped() {
    let given = "&x.pe=1.2.3.4:5&x.pe=[::1]:80&x.pe=%5B2001:db8::2%5D%3A81&x.pe=1.2.3.4:5&x.pe=1.2.3.4&x.pe=:5&x.pe=a:0\
        &x.pe=a:65536&x.pe=::1:5&x.pe=[a]:5&x.pe=[::1:5&x.pe=a b:5&x.pe=a:+5&x.pe=host-1.example:6";
    let peers = read(given).unwrap().peers;
    let expected = [peer("1.2.3.4", 5), peer("::1", 80), peer("2001:db8::2", 81), peer("host-1.example", 6)];
    assert_eq!(peers, expected);
}

#[test]
fn files_are_selected_as_bep_53_says() {
    let magnet = read("&so=0,2,4,6-8").unwrap();
    let wanted: Vec<u32> = (0..10).filter(|position| magnet.selects(*position)).collect();
    assert_eq!(wanted, [0, 2, 4, 6, 7, 8]);
    assert!(read("").unwrap().selects(4_000_000_000));
    for bad in ["", "a", "1-", "-1", "3-2", "1,,2", "1-2-3", "99999999999", "+1"] {
        let error = read(&format!("&so={bad}")).expect_err(bad).to_string();
        assert!(error.contains("file numbers and ranges"), "{error}");
    }
}

#[test]
fn lists_are_bounded() {
    let many: String = (0..2 * MAX_VALUES).map(|i| format!("&tr=http://{i}/&x.pe=h{i}:1")).collect();
    let magnet = read(&many).unwrap();
    assert_eq!((magnet.trackers.len(), magnet.peers.len()), (MAX_VALUES, MAX_VALUES));
}
