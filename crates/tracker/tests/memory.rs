//! The memory that is really taken in a flood, by the allocator's own count.

use std::time::Duration;

use base::{Instant, Now};
use peak_alloc::PeakAlloc;
use torrent_proto::tracker::udp::{Answer, Family, Request, TransactionId};
use torrent_proto::tracker::{AnnounceEvent, AnnounceRequest};
use torrent_proto::wire::PeerId;
use tracker::proto::{Core, Limits};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const LIMIT_BYTES: u64 = 2 << 20;

/// What the process takes beside the tables: the test itself, packets.
const BESIDE_BYTES: usize = 100 << 10;

/// The swarm and the address of an announce, by its number.
type Kind = fn(u32) -> (u32, u32);

#[test]
fn memory_stays_below_its_limit_in_every_kind_of_flood() {
    let now = Now { mono: Instant::from_start(Duration::from_secs(1_000)), ..Now::default() };
    let kinds: [(&str, Kind); 4] = [
        ("a new swarm and a new address each time", |n| (n, n)),
        ("a thousand swarms", |n| (n % 1_000, n)),
        ("a swarm of two each time", |n| (n / 2, n)),
        ("one swarm", |n| (0, n)),
    ];
    for (name, kind) in kinds {
        let limits = Limits {
            swarms: 1_000_000,
            peers_per_swarm: 100_000,
            peers_per_host: 1_000,
            requests_per_host_s: 1_000_000,
            memory_bytes: LIMIT_BYTES,
            interval: Duration::from_secs(1_800),
            min_interval: Duration::from_secs(300),
            listed: None,
        };
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let mut core = Core::new(now, limits, &[1; 16], fastrand::Rng::with_seed(1));
        for number in 0..50_000 {
            let (swarm, host) = kind(number);
            announce(&mut core, now, swarm, host);
        }
        let taken = ALLOCATOR.peak_usage() - before;
        let counted = core.stats().content.memory_bytes;
        println!("{name}: {counted} bytes counted, {taken} taken at most");
        assert!(taken <= LIMIT_BYTES as usize + BESIDE_BYTES, "{name}: {taken} bytes");
        assert!(counted > LIMIT_BYTES / 4, "{name}: only {counted} bytes: the flood was no flood");
    }
}

fn announce(core: &mut Core, now: Now, swarm: u32, host: u32) {
    let from = std::net::SocketAddr::from(((0x0b00_0000 | host).to_be_bytes(), 1));
    let transaction = TransactionId(1);
    let answer = core.udp(now, from, &Request::Connect { transaction }.encode()).unwrap();
    let Ok(Answer::Connected { connection, .. }) = Answer::decode(&answer, Family::V4) else { panic!("no connection") };
    let mut hash = [7; 20];
    hash[..4].copy_from_slice(&swarm.wrapping_mul(0x9e37_79b1).to_be_bytes());
    let announce = AnnounceRequest {
        info_hash: metainfo::InfoHashV1(hash),
        peer_id: PeerId([0; 20]),
        port: 6881,
        uploaded: 0,
        downloaded: 0,
        left: 1,
        event: AnnounceEvent::Started,
        key: 0,
        want: None,
        tracker_id: None,
    };
    core.udp(now, from, &Request::Announce { connection, transaction, announce, url_data: String::new() }.encode());
}
