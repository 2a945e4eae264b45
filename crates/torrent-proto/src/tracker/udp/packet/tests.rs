//! Packets against bytes written out from BEP 15 and 41, and against themselves.

use std::time::Duration;

use super::*;

const TRANSACTION: TransactionId = TransactionId(0x0a0b_0c0d);
const CONNECTION: ConnectionId = ConnectionId(0x0102_0304_0506_0708);

fn announce() -> AnnounceRequest {
    AnnounceRequest {
        info_hash: InfoHashV1([0x11; 20]),
        peer_id: PeerId([0x22; 20]),
        port: 6881,
        uploaded: 3,
        downloaded: 1,
        left: 2,
        event: AnnounceEvent::Started,
        key: 0x5566_7788,
        want: None,
        tracker_id: None,
    }
}

fn announce_packet() -> Vec<u8> {
    let mut out = vec![1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0xa, 0xb, 0xc, 0xd];
    out.extend_from_slice(&[0x11; 20]);
    out.extend_from_slice(&[0x22; 20]);
    for number in [1, 2, 3] {
        out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, number]);
    }
    out.extend_from_slice(&[0, 0, 0, 2]);
    out.extend_from_slice(&[0, 0, 0, 0]);
    out.extend_from_slice(&[0x55, 0x66, 0x77, 0x88]);
    out.extend_from_slice(&[0xff; 4]);
    out.extend_from_slice(&[0x1a, 0xe1]);
    assert_eq!(out.len(), 98);
    out
}

fn announce_request(url_data: &str) -> Request {
    Request::Announce {
        connection: CONNECTION,
        transaction: TRANSACTION,
        announce: announce(),
        url_data: url_data.to_owned(),
    }
}

#[test]
fn requests_have_the_bytes_of_the_specification() {
    let connect = Request::Connect { transaction: TRANSACTION };
    let scrape =
        Request::Scrape { connection: CONNECTION, transaction: TRANSACTION, info_hashes: vec![InfoHashV1([9; 20])] };
    let table = [
        (connect, vec![0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0xa, 0xb, 0xc, 0xd]),
        (announce_request(""), announce_packet()),
        (scrape, [&[1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 2, 0xa, 0xb, 0xc, 0xd][..], &[9; 20]].concat()),
    ];
    for (request, bytes) in table {
        assert_eq!(request.encode(), bytes);
        assert_eq!(Request::decode(&bytes), Ok(request));
    }
}

#[test]
fn url_data_travels_as_options() {
    let packet = announce_request("/dir?a=b&c=d").encode();
    assert_eq!(&packet[98..], b"\x02\x0c/dir?a=b&c=d");

    // The second example of BEP 41, an option that we do not know, one cut in two, and none.
    let table: [(&[u8], &str); 6] = [
        (b"\x02\x0c/dir?a=b&c=d\x01\x01\x00\x02\x01x", "/dir?a=b&c=d"),
        (b"\x07\x03abc\x02\x01/", "/"),
        (b"\x02\x02/a\x02\x02bc", "/abc"),
        (b"\x02\x00", ""),
        (b"\x02\x05/a", ""),
        (b"\x02", ""),
    ];
    for (options, url_data) in table {
        assert_eq!(Request::decode(&[&announce_packet(), options].concat()), Ok(announce_request(url_data)));
    }

    let long = format!("/{}", "x".repeat(600));
    assert_eq!(Request::decode(&announce_request(&long).encode()), Ok(announce_request(&long)));
}

#[test]
fn answers_have_the_bytes_of_the_specification() {
    let response = AnnounceResponse {
        interval: Duration::from_secs(1800),
        seeders: Some(8),
        leechers: Some(7),
        peers: vec!["1.2.3.4:6881".parse().unwrap()],
        ..AnnounceResponse::default()
    };
    let entry = ScrapeEntry { seeders: 1, leechers: 3, completed: 2, downloaders: None };
    let table = [
        (
            Answer::Connected { transaction: TRANSACTION, connection: CONNECTION },
            vec![0, 0, 0, 0, 0xa, 0xb, 0xc, 0xd, 1, 2, 3, 4, 5, 6, 7, 8],
        ),
        (
            Answer::Announced { transaction: TRANSACTION, response: response.clone() },
            vec![0, 0, 0, 1, 0xa, 0xb, 0xc, 0xd, 0, 0, 7, 8, 0, 0, 0, 7, 0, 0, 0, 8, 1, 2, 3, 4, 0x1a, 0xe1],
        ),
        (
            Answer::Scraped { transaction: TRANSACTION, entries: vec![entry] },
            vec![0, 0, 0, 2, 0xa, 0xb, 0xc, 0xd, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
        ),
        (
            Answer::Error { transaction: TRANSACTION, message: "no".into() },
            vec![0, 0, 0, 3, 0xa, 0xb, 0xc, 0xd, b'n', b'o'],
        ),
    ];
    for (answer, bytes) in table {
        assert_eq!(answer.encode(Family::V4), bytes);
        assert_eq!(Answer::decode(&bytes, Family::V4), Ok(answer));
    }

    let v6 = AnnounceResponse { peers: vec!["[2001:db8::1]:6881".parse().unwrap()], ..response };
    let answer = Answer::Announced { transaction: TRANSACTION, response: v6 };
    assert_eq!(answer.encode(Family::V6).len(), 20 + 18);
    assert_eq!(answer.encode(Family::V4).len(), 20, "peers of the other family have no place");
    assert_eq!(Answer::decode(&answer.encode(Family::V6), Family::V6), Ok(answer));
}

#[test]
fn packets_that_are_too_short_or_unknown_are_refused() {
    for length in 0..98 {
        assert!(Request::decode(&announce_packet()[..length]).is_err());
    }
    let mut unknown_event = announce_packet();
    unknown_event[83] = 9;
    assert!(Request::decode(&unknown_event).is_err());
    assert!(Request::decode(&[0; 16]).is_err(), "a connect request of another protocol");
    assert!(Answer::decode(&[0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7], Family::V4).is_err());
    assert!(Answer::decode(&[0, 0, 0, 9, 1, 2, 3, 4], Family::V4).is_err());
}
