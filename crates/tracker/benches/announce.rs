//! What an announce costs, beside opentracker where it is installed: `cargo bench -p tracker` (Linux).
//!
//! Each tracker is a process of its own on loopback; the same load, from 250 addresses into 1,000 swarms, is put on it over
//! UDP with many requests under way, and over HTTP with a connection for each announce, which is what clients do. Ours is
//! this program once more.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use metainfo::InfoHashV1;
use torrent_proto::tracker::udp::{Answer, Family, Request, TransactionId};
use torrent_proto::tracker::{AnnounceEvent, AnnounceRequest};
use torrent_proto::wire::PeerId;

const HOSTS: u8 = 250;
const SWARMS: u16 = 1_000;
const UDP_ANNOUNCES: u32 = 200_000;
const HTTP_ANNOUNCES: u32 = 20_000;
/// How many UDP announces are under way at a time: few enough for the sockets' buffers.
const WINDOW: u32 = 50;
const PORT: u16 = 26_969;

fn main() {
    // Other arguments come from `cargo bench` itself.
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        _ => {
            println!("{:<12} {:<5} {:>12} {:>22}", "tracker", "", "announces/s", "CPU s/100k announces");
            measure("compeer", ours());
            match opentracker() {
                Some(tracker) => measure("opentracker", tracker),
                None => println!("opentracker is not installed"),
            }
        }
    }
}

fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))];
        let (peers_per_address, requests_per_address_s) = (1_000_000, 10_000_000);
        let limits = tracker::Config::default();
        let config = tracker::Config { listen, peers_per_address, requests_per_address_s, ..limits };
        let _tracker = tracker::Tracker::start(&config).await.expect("the tracker starts");
        std::future::pending::<()>().await;
    });
}

fn ours() -> Child {
    Command::new(std::env::current_exe().expect("a path")).arg("serve").spawn().expect("it starts")
}

/// Debian's build serves listed torrents only; it reads the list in its own folder.
fn opentracker() -> Option<Child> {
    let folder = std::env::temp_dir().join(format!("compeer-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).ok()?;
    let list: String = (0..SWARMS).map(|number| format!("{}\n", swarm(number))).collect();
    std::fs::write(folder.join("list"), list).ok()?;
    let port = PORT.to_string();
    let arguments = ["-i", "127.0.0.1", "-p", &port, "-P", &port, "-u", "nobody", "-w", "list", "-d"];
    let mut command = Command::new("opentracker");
    command.args(arguments).arg(&folder).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

fn measure(name: &str, mut tracker: Child) {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let begun = Instant::now();
    while TcpStream::connect(to).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{name} does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    type Load = fn(SocketAddr) -> u32;
    for (protocol, load) in [("UDP", udp as Load), ("HTTP", http as Load)] {
        let (begun, before) = (Instant::now(), cpu_s(tracker.id()));
        let announces = f64::from(load(to));
        let (took, cpu) = (begun.elapsed().as_secs_f64(), cpu_s(tracker.id()) - before);
        println!("{name:<12} {protocol:<5} {:>12.0} {:>22.2}", announces / took, cpu / announces * 100_000.0);
    }
    // It may have ended by itself.
    let _ = tracker.kill();
    let _ = tracker.wait();
}

/// The CPU time of a process, in seconds: fields 14 and 15 of its line in /proc, in hundredths.
fn cpu_s(process: u32) -> f64 {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = line.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

fn swarm(number: u16) -> InfoHashV1 {
    let mut hash = [0x5a; 20];
    hash[..2].copy_from_slice(&number.wrapping_mul(40_503).to_be_bytes());
    InfoHashV1(hash)
}

fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, number)
}

fn announcing(number: u32) -> AnnounceRequest {
    AnnounceRequest {
        info_hash: swarm((number % u32::from(SWARMS)) as u16),
        peer_id: PeerId([b'p'; 20]),
        port: 6_881,
        uploaded: 0,
        downloaded: 0,
        left: u64::from(number % 3),
        event: AnnounceEvent::Regular,
        key: 1,
        want: Some(50),
        tracker_id: None,
    }
}

fn udp(to: SocketAddr) -> u32 {
    let mut buffer = [0; 2_048];
    let hosts: Vec<_> = (1..=HOSTS).map(|number| Client::connect(number, to, &mut buffer)).collect();
    let (mut sent, mut answered, mut rng) = (0, 0, fastrand::Rng::with_seed(1));
    while sent < UDP_ANNOUNCES {
        let chosen: Vec<usize> = (0..WINDOW).map(|_| rng.usize(..hosts.len())).collect();
        for &host in &chosen {
            hosts[host].announce(rng.u32(..));
            sent += 1;
        }
        for &host in &chosen {
            // A lost answer is not waited for long: it is missing in the count.
            answered += u32::from(hosts[host].socket.recv(&mut buffer).is_ok_and(|length| length >= 20));
        }
    }
    answered
}

struct Client {
    socket: UdpSocket,
    connection: torrent_proto::tracker::udp::ConnectionId,
}

impl Client {
    fn connect(number: u8, to: SocketAddr, buffer: &mut [u8]) -> Client {
        let socket = UdpSocket::bind(SocketAddrV4::new(host(number), 0)).expect("a socket");
        socket.connect(to).expect("an address");
        socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a time limit");
        socket.send(&Request::Connect { transaction: TransactionId(1) }.encode()).expect("it is sent");
        let length = socket.recv(buffer).expect("an answer");
        let Ok(Answer::Connected { connection, .. }) = Answer::decode(&buffer[..length], Family::V4) else {
            panic!("no connection id");
        };
        Client { socket, connection }
    }

    fn announce(&self, number: u32) {
        let announce = announcing(number);
        let (connection, transaction) = (self.connection, TransactionId(number));
        let request = Request::Announce { connection, transaction, announce, url_data: String::new() };
        // What cannot be sent is missing in the count.
        let _ = self.socket.send(&request.encode());
    }
}

fn http(to: SocketAddr) -> u32 {
    let (mut answered, mut rng) = (0, fastrand::Rng::with_seed(2));
    let url = "http://127.0.0.1/announce".parse().expect("a URL");
    let mut body = Vec::new();
    for _ in 0..HTTP_ANNOUNCES {
        let target = torrent_proto::tracker::http::announce_url(&url, &announcing(rng.u32(..)));
        let path = target.strip_prefix("http://127.0.0.1").unwrap_or("/");
        let Ok(mut stream) = TcpStream::connect(to) else { continue };
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        body.clear();
        let done = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut body));
        answered += u32::from(done.is_ok() && body.windows(8).any(|bytes| bytes == b"interval"));
    }
    answered
}
