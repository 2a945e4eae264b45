//! The tracker on its sockets, as foreign clients meet it.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metainfo::InfoHashV1;
use torrent_proto::tracker::udp::{Answer, ConnectionId, Family, Request, TransactionId};
use torrent_proto::tracker::{AnnounceEvent, AnnounceRequest, AnnounceResponse, http};
use torrent_proto::wire::PeerId;
use tracker::{Config, Tracker};

/// How long an answer may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `test` in a thread while the tracker serves.
fn serving(change: impl FnOnce(&mut Config), test: impl FnOnce(SocketAddr) + Send + 'static) -> tracker::proto::Stats {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() };
        change(&mut config);
        let tracker = Tracker::start(&config).await.unwrap();
        let address = tracker.addresses()[0];
        tokio::task::spawn_blocking(move || test(address)).await.unwrap();
        tracker.stats()
    })
}

/// A door that is shut while the flag is up.
#[derive(Debug, Default)]
struct Door(AtomicBool);

impl tracker::Guests for Door {
    fn admits(&self, _ip: IpAddr) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

struct Http(TcpStream);

impl Http {
    fn connect(to: SocketAddr) -> Http {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Http(stream)
    }

    /// One exchange; the connection stays open.
    fn ask(&mut self, head: &str) -> (String, Vec<u8>) {
        self.0.write_all(head.as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if matches!(self.0.read(&mut byte), Ok(0) | Err(_)) {
                return (String::from_utf8(head).unwrap(), Vec::new());
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (head, body)
    }

    fn get(&mut self, target: &str) -> (String, Vec<u8>) {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: t\r\n\r\n"))
    }

    fn announce(&mut self, port: u16, left: u32) -> AnnounceResponse {
        let target =
            format!("/announce?info_hash={}&peer_id={}&port={port}&left={left}", "%01".repeat(20), "p".repeat(20));
        http::parse_announce(&self.get(&target).1).unwrap()
    }
}

struct Udp(UdpSocket);

impl Udp {
    fn connect(to: SocketAddr) -> Udp {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(to).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Udp(socket)
    }

    fn ask(&self, request: &Request) -> Answer {
        self.0.send(&request.encode()).unwrap();
        let mut buffer = [0; 2_048];
        let length = self.0.recv(&mut buffer).unwrap();
        Answer::decode(&buffer[..length], Family::V4).unwrap()
    }

    fn announce(&self, port: u16) -> AnnounceResponse {
        let transaction = TransactionId(1);
        let Answer::Connected { connection, .. } = self.ask(&Request::Connect { transaction }) else { panic!() };
        let announce = announcing(port);
        let request = Request::Announce { connection, transaction, announce, url_data: "/announce".into() };
        let Answer::Announced { response, .. } = self.ask(&request) else { panic!("refused") };
        response
    }
}

fn announcing(port: u16) -> AnnounceRequest {
    AnnounceRequest {
        info_hash: InfoHashV1([1; 20]),
        peer_id: PeerId([2; 20]),
        port,
        uploaded: 0,
        downloaded: 0,
        left: 9,
        event: AnnounceEvent::Started,
        key: 0,
        want: None,
        tracker_id: None,
    }
}

#[test]
fn who_is_not_admitted_hears_nothing_also_on_a_connection_that_stands() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() };
        let door = Arc::new(Door::default());
        let tracker = Tracker::start_for(&config, door.clone(), &net::Egress::default()).await.unwrap();
        let address = tracker.addresses()[0];
        let test = move || {
            let (mut http, udp) = (Http::connect(address), Udp::connect(address));
            assert_eq!(http.announce(1, 9).interval, udp.announce(2).interval);
            door.0.store(true, Ordering::Relaxed);
            assert_eq!(http.get("/scrape").0, "", "the connection is closed");
            assert_eq!(Http::connect(address).get("/scrape").0, "");
            udp.0.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            udp.0.send(&Request::Connect { transaction: TransactionId(1) }.encode()).unwrap();
            assert!(udp.0.recv(&mut [0; 64]).is_err());
            door.0.store(false, Ordering::Relaxed);
            udp.0.set_read_timeout(Some(PATIENCE)).unwrap();
            udp.announce(2);
        };
        tokio::task::spawn_blocking(test).await.unwrap();
    });
}

#[test]
fn peers_over_http_and_udp_meet_in_one_swarm() {
    let stats = serving(
        |_| {},
        |address| {
            let mut alice = Http::connect(address);
            assert_eq!(alice.announce(1, 0).peers, []);
            let bob = Udp::connect(address);
            assert_eq!(bob.announce(2).peers, ["127.0.0.1:1".parse().unwrap()]);
            // On the same connection as before.
            assert_eq!(alice.announce(1, 0).peers, ["127.0.0.1:2".parse().unwrap()]);
        },
    );
    assert_eq!((stats.content.seeds, stats.content.leechers), (1, 1));
    assert_eq!((stats.http_v4.announces, stats.udp_v4.announces), (2, 1));
}

#[test]
fn what_is_no_request_of_a_client_is_refused_in_words() {
    serving(
        |_| {},
        |address| {
            let mut http = Http::connect(address);
            assert!(http.get("/").0.starts_with("http/1.1 404"));
            assert!(http.ask("POST /announce HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n").0.contains(" 405 "));
            let long = "x".repeat(20_000);
            let refused = Http::connect(address).get(&format!("/announce?{long}")).0.to_ascii_lowercase();
            assert!(refused.contains(" 431 ") || refused.contains(" 414 "), "{refused}");
            assert!(Http::connect(address).ask("\u{1}\u{2}\r\n\r\n").0.to_ascii_lowercase().contains(" 400 "));
        },
    );
}

#[test]
fn one_address_gets_only_its_share_of_the_connections() {
    serving(
        |_| {},
        |address| {
            let held: Vec<Http> = (0..80).map(|_| Http::connect(address)).collect();
            let mut alive = 0;
            for mut http in held {
                // The far end of one that is too many is closed: the request fails, or nothing comes.
                let request = "GET /scrape HTTP/1.1\r\nHost: t\r\n\r\n";
                let answered = http.0.write_all(request.as_bytes()).is_ok() && matches!(http.0.read(&mut [0]), Ok(1));
                alive += usize::from(answered);
                // Stays open until all were tried.
                std::mem::forget(http);
            }
            assert_eq!(alive, 64);
        },
    );
}

#[test]
fn an_id_of_another_tracker_is_refused_so_that_the_client_connects_again() {
    let stats = serving(
        |_| {},
        |address| {
            let (connection, transaction) = (ConnectionId(77), TransactionId(5));
            let announce = announcing(1);
            let request = Request::Announce { connection, transaction, announce, url_data: String::new() };
            assert!(matches!(Udp::connect(address).ask(&request), Answer::Error { .. }));
        },
    );
    assert_eq!((stats.udp_v4.announces, stats.udp_v4.malformed), (0, 1));
}
