//! The exchange of BEP 15, packet by packet.

use std::time::Duration;

use base::Instant;
use metainfo::InfoHashV1;
use torrent_proto::tracker::udp::ConnectionId;
use torrent_proto::tracker::{AnnounceEvent, AnnounceRequest, ScrapeEntry};
use torrent_proto::wire::PeerId;

use super::super::table::Limits;
use super::*;

const FILM: InfoHashV1 = InfoHashV1([1; 20]);

fn now() -> Now {
    Now { mono: Instant::from_start(Duration::from_secs(1_000)), ..Now::default() }
}

fn core() -> Core {
    let limits = Limits {
        swarms: 1_000,
        peers_per_swarm: 1_000,
        peers_per_host: 1_000,
        requests_per_host_s: 5,
        memory_bytes: 1 << 20,
        interval: Duration::from_secs(1_800),
        min_interval: Duration::from_secs(300),
        listed: None,
    };
    Core::new(now(), limits, &[3; 16], fastrand::Rng::with_seed(1))
}

fn connect(core: &mut Core, from: SocketAddr) -> ConnectionId {
    let packet = Request::Connect { transaction: TransactionId(9) }.encode();
    let answer = core.udp(now(), from, &packet).unwrap();
    assert_eq!(answer.len(), packet.len());
    match Answer::decode(&answer, Form::from(from)).unwrap() {
        Answer::Connected { transaction: TransactionId(9), connection } => connection,
        other => panic!("{other:?}"),
    }
}

fn announce(connection: ConnectionId, left: u64) -> Vec<u8> {
    let announce = AnnounceRequest {
        info_hash: FILM,
        peer_id: PeerId([2; 20]),
        port: 6881,
        uploaded: 0,
        downloaded: 0,
        left,
        event: AnnounceEvent::Started,
        key: 7,
        want: None,
        tracker_id: None,
    };
    let url_data = "/announce?x".to_owned();
    Request::Announce { connection, transaction: TransactionId(8), announce, url_data }.encode()
}

fn ask(core: &mut Core, from: SocketAddr, packet: &[u8]) -> Answer {
    Answer::decode(&core.udp(now(), from, packet).unwrap(), Form::from(from)).unwrap()
}

#[test]
fn alice_and_bob_find_each_other_in_either_family() {
    for (alice, bob) in [("10.0.0.1:50", "10.0.0.2:50"), ("[2001:db8:1::1]:50", "[2001:db8:2::1]:50")] {
        let (alice, bob): (SocketAddr, SocketAddr) = (alice.parse().unwrap(), bob.parse().unwrap());
        let mut core = core();
        let connection = connect(&mut core, alice);
        ask(&mut core, alice, &announce(connection, 0));
        let connection = connect(&mut core, bob);
        let Answer::Announced { transaction, response } = ask(&mut core, bob, &announce(connection, 5)) else {
            panic!("not an answer to an announce");
        };
        assert_eq!(transaction, TransactionId(8));
        assert_eq!(response.peers, [SocketAddr::new(alice.ip(), 6881)]);
        assert_eq!((response.seeders, response.leechers), (Some(1), Some(1)));
        assert_eq!(response.interval, Duration::from_secs(1_800));

        let info_hashes = vec![InfoHashV1([9; 20]), FILM];
        let scrape = Request::Scrape { connection, transaction: TransactionId(4), info_hashes }.encode();
        let Answer::Scraped { entries, .. } = ask(&mut core, bob, &scrape) else { panic!("not a scrape") };
        let film = ScrapeEntry { seeders: 1, leechers: 1, completed: 0, downloaders: None };
        assert_eq!(entries, [ScrapeEntry::default(), film]);
        let counted = if alice.is_ipv4() { core.stats().udp_v4 } else { core.stats().udp_v6 };
        assert_eq!((counted.announces, counted.scrapes), (2, 1));
    }
}

#[test]
fn an_answer_fits_into_one_packet_in_either_family() {
    for (v6, most) in [(false, 20 + 200 * 6), (true, 20 + 79 * 18)] {
        let mut core = core();
        for number in 0..300_u16 {
            let [high, low] = number.to_be_bytes();
            let ip = if v6 { format!("2001:db8:{number:x}::1") } else { format!("10.0.{high}.{low}") };
            let from = SocketAddr::new(ip.parse().unwrap(), 1);
            let connection = connect(&mut core, from);
            let mut packet = announce(connection, 1);
            // Asks for as many as a number can say.
            packet[92..96].copy_from_slice(&i32::MAX.to_be_bytes());
            let answer = core.udp(now(), from, &packet).unwrap();
            assert!(answer.len() <= most);
            assert!(number < 299 || answer.len() == most);
        }
    }
}

#[test]
fn without_an_id_of_ones_own_nothing_is_announced_and_little_is_sent() {
    let mut core = core();
    let (alice, mallory): (SocketAddr, SocketAddr) = ("10.0.0.1:50".parse().unwrap(), "10.0.0.9:50".parse().unwrap());
    let connection = connect(&mut core, mallory);
    // Mallory writes Alice's address into his packets.
    let packet = announce(connection, 0);
    let answer = core.udp(now(), alice, &packet).unwrap();
    assert!(answer.len() <= packet.len());
    assert!(matches!(Answer::decode(&answer, Form::V4), Ok(Answer::Error { .. })));
    let short = Request::Scrape { connection, transaction: TransactionId(1), info_hashes: vec![] }.encode();
    assert_eq!(core.udp(now(), alice, &short), None);
    assert_eq!(core.stats().content.swarms, 0);
    assert_eq!(core.stats().udp_v4.malformed, 2);
}

#[test]
fn what_cannot_be_read_has_no_answer() {
    let mut core = core();
    let alice: SocketAddr = "10.0.0.1:50".parse().unwrap();
    let connection = connect(&mut core, alice);
    let whole = announce(connection, 0);
    for length in 0..98 {
        assert_eq!(core.udp(now(), alice, &whole[..length]), None, "{length}");
    }
    let empty = Request::Scrape { connection, transaction: TransactionId(1), info_hashes: vec![] }.encode();
    assert!(matches!(ask(&mut core, alice, &empty), Answer::Error { .. }));
}

#[test]
fn a_host_that_asks_without_end_is_answered_at_a_rate() {
    let mut core = core();
    let mallory = SocketAddr::from(([192, 0, 2, 6], 1));
    let connection = connect(&mut core, mallory);
    let packet = announce(connection, 1);
    let answered = (0..1_000).filter(|_| core.udp(now(), mallory, &packet).is_some()).count();
    assert_eq!((answered, core.stats().udp_v4.refused), (50, 950));
    let alice = SocketAddr::from(([192, 0, 2, 7], 1));
    let connection = connect(&mut core, alice);
    assert!(core.udp(now(), alice, &announce(connection, 1)).is_some());
}
