//! Swarms as their peers meet them, and what is left of them in a flood.

use proptest::prelude::*;

use super::*;
use torrent_proto::wire::PeerId;

const ALICE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1));
const BOB: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 2));
const CAROL: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 3));
const FILM: InfoHashV1 = InfoHashV1([1; 20]);

fn limits() -> Limits {
    Limits {
        swarms: 1_000,
        peers_per_swarm: 100,
        peers_per_host: 50,
        requests_per_host_s: 1_000_000,
        memory_bytes: 1 << 20,
        interval: Duration::from_secs(1_800),
        min_interval: Duration::from_secs(300),
        listed: None,
    }
}

fn table(limits: Limits) -> Table {
    Table::new(limits, Instant::START, fastrand::Rng::with_seed(5))
}

fn at(seconds: u64) -> Instant {
    Instant::from_start(Duration::from_secs(seconds))
}

fn leeching(hash: InfoHashV1) -> AnnounceRequest {
    AnnounceRequest {
        info_hash: hash,
        peer_id: PeerId([0; 20]),
        port: 7,
        uploaded: 0,
        downloaded: 0,
        left: 100,
        event: AnnounceEvent::Regular,
        key: 1,
        want: None,
        tracker_id: None,
    }
}

fn seeding(hash: InfoHashV1) -> AnnounceRequest {
    AnnounceRequest { left: 0, ..leeching(hash) }
}

fn texts(response: &AnnounceResponse) -> Vec<String> {
    let mut peers: Vec<String> = response.peers.iter().map(ToString::to_string).collect();
    peers.sort();
    peers
}

/// A stranger's address, by number.
fn stranger(number: u32) -> IpAddr {
    IpAddr::from((0x0b00_0000 | number).to_be_bytes())
}

/// A swarm nobody else knows, by number.
fn made_up(number: u32) -> InfoHashV1 {
    let mut hash = [0xee; 20];
    // Scattered, as hashes are.
    hash[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    hash[4..8].copy_from_slice(&number.to_be_bytes());
    InfoHashV1(hash)
}

/// Checks every sum against the swarms themselves.
fn check(table: &Table) {
    let bytes = |swarm: &Swarm| SWARM_BYTES + swarm.bytes();
    let unproven = table.swarms.values().filter(|swarm| swarm.unproven.is_some());
    assert_eq!(table.unproven_bytes, unproven.clone().map(bytes).sum::<u64>());
    assert_eq!(table.unproven.len(), unproven.count());
    let hosts = table.hosts.len() as u64 * HOST_BYTES;
    assert_eq!(table.bytes, table.swarms.values().map(bytes).sum::<u64>() + hosts);
    assert!(table.bytes <= table.limits.memory_bytes);
    assert!(table.swarms.len() <= table.limits.swarms);
    let content = table.content();
    assert_eq!(content.seeds, table.swarms.values().map(Swarm::seeds).sum::<usize>());
    assert_eq!(content.leechers, table.swarms.values().map(Swarm::leechers).sum::<usize>());
    assert_eq!(content.seeds + content.leechers, table.hosts.values().sum::<u32>() as usize);
    assert_eq!(content.v6_peers, table.swarms.values().map(|swarm| swarm.v6.len()).sum::<usize>());
    for swarm in table.swarms.values() {
        assert!((1..=table.limits.peers_per_swarm).contains(&swarm.len()));
        for paused in [(swarm.v4.paused, paused(&swarm.v4)), (swarm.v6.paused, paused(&swarm.v6))] {
            assert_eq!(paused.0 as usize, paused.1);
        }
    }
    assert!(table.hosts.values().all(|peers| (1..=table.limits.peers_per_host).contains(peers)));
}

fn paused<A: Family>(side: &super::super::swarm::Side<A>) -> usize {
    side.leechers.list().iter().filter(|peer| peer.paused).count()
}

#[test]
fn peers_are_told_of_one_another_and_seeds_not_of_seeds() {
    let mut table = table(limits());
    let alone = table.announce(at(0), ALICE, &seeding(FILM), 50).unwrap();
    assert_eq!((alone.seeders, alone.leechers, alone.external_ip), (Some(1), Some(0), Some(ALICE)));
    assert_eq!(texts(&alone), [""; 0]);
    let second = table.announce(at(1), BOB, &seeding(FILM), 50).unwrap();
    assert_eq!((second.seeders, texts(&second)), (Some(2), vec![]));
    let leecher = table.announce(at(2), CAROL, &leeching(FILM), 50).unwrap();
    assert_eq!(texts(&leecher), ["10.0.0.1:7", "10.0.0.2:7"]);
    assert_eq!(texts(&table.announce(at(3), BOB, &seeding(FILM), 50).unwrap()), ["10.0.0.3:7"]);
    assert_eq!(texts(&table.announce(at(3), CAROL, &leeching(FILM), 1).unwrap()).len(), 1);
    check(&table);
}

#[test]
fn who_completes_is_counted_once_and_becomes_a_seed() {
    let mut table = table(limits());
    table.announce(at(0), ALICE, &leeching(FILM), 0).unwrap();
    let completed = AnnounceRequest { event: AnnounceEvent::Completed, ..seeding(FILM) };
    for _ in 0..2 {
        table.announce(at(1), ALICE, &completed, 0).unwrap();
    }
    let entry = table.scrape(FILM).unwrap();
    assert_eq!((entry.seeders, entry.leechers, entry.completed), (1, 0, 1));
    assert_eq!(table.scrape(made_up(1)), None);
    check(&table);
}

#[test]
fn a_partial_seed_is_a_leecher_that_downloads_nothing() {
    let mut table = table(limits());
    let partial = AnnounceRequest { event: AnnounceEvent::Paused, ..leeching(FILM) };
    table.announce(at(0), ALICE, &seeding(FILM), 50).unwrap();
    assert_eq!(texts(&table.announce(at(0), BOB, &partial, 50).unwrap()), [""; 0]);
    let entry = table.scrape(FILM).unwrap();
    assert_eq!((entry.leechers, entry.downloaders), (1, Some(0)));
    table.announce(at(1), BOB, &leeching(FILM), 50).unwrap();
    assert_eq!(table.scrape(FILM).unwrap().downloaders, Some(1));
    check(&table);
}

#[test]
fn who_stops_is_gone_and_nobody_else_can_stop_it() {
    let mut table = table(limits());
    table.announce(at(0), ALICE, &seeding(FILM), 0).unwrap();
    let stop = AnnounceRequest { event: AnnounceEvent::Stopped, ..seeding(FILM) };
    table.announce(at(1), BOB, &stop, 0).unwrap();
    table.announce(at(1), ALICE, &AnnounceRequest { key: 2, ..stop.clone() }, 0).unwrap();
    assert_eq!(table.content().seeds, 1);
    assert_eq!(texts(&table.announce(at(2), ALICE, &stop, 50).unwrap()), [""; 0]);
    assert_eq!(table.content(), Content::default());
    check(&table);
}

#[test]
fn who_is_silent_for_two_intervals_is_gone() {
    let mut table = table(limits());
    table.announce(at(0), ALICE, &seeding(FILM), 0).unwrap();
    table.announce(at(0), BOB, &leeching(FILM), 0).unwrap();
    table.announce(at(1_800), BOB, &leeching(FILM), 0).unwrap();
    for second in (0..=3_600 + 120).step_by(10) {
        table.sweep(at(second));
    }
    let left = table.scrape(FILM).unwrap();
    assert_eq!((left.seeders, left.leechers), (0, 1));
    for second in (3_720..=5_400 + 120).step_by(10) {
        table.sweep(at(second));
    }
    assert_eq!(table.content().memory_bytes, 0);
    check(&table);
}

#[test]
fn both_families_are_served_and_each_gets_its_own_first() {
    let mut table = table(limits());
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    let mapped: IpAddr = "::ffff:10.0.0.2".parse().unwrap();
    table.announce(at(0), ALICE, &leeching(FILM), 50).unwrap();
    table.announce(at(0), v6, &leeching(FILM), 50).unwrap();
    let answer = table.announce(at(0), mapped, &leeching(FILM), 50).unwrap();
    assert_eq!((texts(&answer), answer.external_ip), (vec!["10.0.0.1:7".into(), "[2001:db8::1]:7".into()], Some(BOB)));
    assert_eq!(texts(&table.announce(at(0), BOB, &leeching(FILM), 1).unwrap()), ["10.0.0.1:7"]);
    assert_eq!(table.content().v6_peers, 1);
    check(&table);
}

#[test]
fn who_cannot_be_reached_is_told_to_nobody() {
    let mut table = table(limits());
    table.announce(at(0), ALICE, &seeding(FILM), 50).unwrap();
    let unreachable = AnnounceRequest { port: 0, ..leeching(FILM) };
    assert_eq!(texts(&table.announce(at(0), BOB, &unreachable, 50).unwrap()), ["10.0.0.1:7"]);
    assert_eq!(table.content().leechers, 0);
}

#[test]
fn only_listed_swarms_are_served() {
    let mut table = table(Limits { listed: Some(BTreeSet::from([FILM])), ..limits() });
    assert!(table.announce(at(0), ALICE, &seeding(FILM), 50).is_ok());
    assert_eq!(table.announce(at(0), ALICE, &seeding(made_up(1)), 50), Err(Refusal::Unlisted));
    assert_eq!(table.content().swarms, 1);
}

#[test]
fn one_address_cannot_fill_the_tracker() {
    let mut table = table(limits());
    for port in 1..=1_000 {
        let announce = AnnounceRequest { port, ..leeching(FILM) };
        table.announce(at(0), ALICE, &announce, 0).unwrap();
    }
    assert_eq!(table.content().leechers, 16);
    let refused = (0..100).filter(|n| table.announce(at(1), ALICE, &leeching(made_up(*n)), 0).is_err()).count();
    assert_eq!((refused, table.content().leechers), (66, 50));
    // The addresses of one IPv6 subnet are one address.
    for last in 0..100_u16 {
        let ip = format!("2001:db8::{last:x}").parse().unwrap();
        table.announce(at(1), ip, &leeching(FILM), 0).unwrap();
    }
    assert_eq!(table.content().v6_peers, 16);
    check(&table);
}

#[test]
fn honest_swarms_survive_a_flood_of_made_up_ones() {
    let mut table = table(limits());
    // Ten swarms of two people each, and ten of one person who comes back.
    for number in 0..20 {
        let hash = InfoHashV1([number; 20]);
        table.announce(at(0), ALICE, &seeding(hash), 0).unwrap();
        if number < 10 {
            table.announce(at(0), BOB, &leeching(hash), 0).unwrap();
        } else {
            table.announce(at(300), ALICE, &seeding(hash), 0).unwrap();
        }
    }
    for number in 0..50_000 {
        table.announce(at(400), stranger(number), &leeching(made_up(number)), 50).unwrap();
        if number % 1_000 == 0 {
            check(&table);
        }
    }
    check(&table);
    assert!(table.content().evicted_swarms > 40_000);
    for number in 0..20 {
        let left = table.scrape(InfoHashV1([number; 20])).unwrap();
        assert_eq!((left.seeders, left.leechers), (1, u32::from(number < 10)), "swarm {number}");
    }
    // A newcomer finds its place in the middle of it, and keeps it as soon as somebody answers.
    table.announce(at(401), ALICE, &seeding(FILM_2), 0).unwrap();
    assert_eq!(texts(&table.announce(at(401), BOB, &leeching(FILM_2), 50).unwrap()), ["10.0.0.1:7"]);
    for number in 50_000..60_000 {
        table.announce(at(402), stranger(number), &leeching(made_up(number)), 50).unwrap();
    }
    assert!(table.scrape(FILM_2).is_some());
}

const FILM_2: InfoHashV1 = InfoHashV1([200; 20]);

#[test]
fn honest_peers_survive_a_flood_into_their_swarm() {
    let mut table = table(limits());
    for seconds in [0, 300] {
        table.announce(at(seconds), ALICE, &seeding(FILM), 0).unwrap();
        table.announce(at(seconds), BOB, &leeching(FILM), 0).unwrap();
    }
    for number in 0..10_000 {
        table.announce(at(301), stranger(number), &leeching(FILM), 0).unwrap();
    }
    check(&table);
    assert_eq!(table.swarms[&FILM].len(), 100);
    let place = |ip: [u8; 4]| table.swarms[&FILM].v4.find(ip, 7);
    assert!(place([10, 0, 0, 1]).is_some() && place([10, 0, 0, 2]).is_some());
}

#[test]
fn a_flood_that_takes_the_trouble_to_prove_itself_leaves_room_for_newcomers() {
    let mut table = table(limits());
    for number in 0..5_000 {
        // Two addresses a swarm: each is proven at once.
        table.announce(at(0), stranger(2 * number), &leeching(made_up(number)), 0).unwrap();
        table.announce(at(0), stranger(2 * number + 1), &leeching(made_up(number)), 0).unwrap();
    }
    check(&table);
    assert_eq!(table.swarms_proven(), 875);
    table.announce(at(1), ALICE, &seeding(FILM), 0).unwrap();
    assert_eq!(texts(&table.announce(at(1), BOB, &leeching(FILM), 50).unwrap()), ["10.0.0.1:7"]);
    check(&table);
}

#[test]
fn a_table_full_of_large_proven_swarms_refuses_nobody_it_has_room_for() {
    let mut table = table(Limits { memory_bytes: 64 << 10, peers_per_swarm: 100_000, ..limits() });
    for number in 0..20_000 {
        table.announce(at(0), stranger(number), &leeching(made_up(number % 5)), 0).unwrap();
    }
    check(&table);
    assert!(table.bytes > 48 << 10, "{}", table.bytes);
    table.announce(at(1), ALICE, &seeding(FILM), 0).unwrap();
    assert_eq!(texts(&table.announce(at(1), BOB, &leeching(FILM), 50).unwrap()), ["10.0.0.1:7"]);
    check(&table);
}

#[test]
fn a_host_whose_last_peer_gives_way_to_its_own_next_one_is_counted_again() {
    let begin = || {
        let mut table = table(Limits { peers_per_swarm: 1_000, ..limits() });
        table.announce(at(0), ALICE, &leeching(FILM_2), 0).unwrap();
        // As many as fit before the list grows, which then takes more than Alice's own swarm leaves.
        for number in 0..141 {
            table.announce(at(0), stranger(number), &leeching(FILM), 0).unwrap();
        }
        for number in 0..20 {
            table.announce(at(0), BOB, &leeching(made_up(number)), 0).unwrap();
        }
        table
    };
    for more_bytes in (0..2_000).step_by(8) {
        let mut table = begin();
        table.limits.memory_bytes = table.bytes + more_bytes;
        table.announce(at(1), ALICE, &leeching(FILM), 0).unwrap();
        check(&table);
    }
}

#[derive(Clone, Debug)]
struct Step {
    wait_s: u16,
    host: u8,
    v6: bool,
    port: u16,
    swarm: u8,
    left: u64,
    key: u32,
    event: AnnounceEvent,
    sweep: bool,
}

fn step() -> impl Strategy<Value = Step> {
    use AnnounceEvent::{Completed, Paused, Regular, Started, Stopped};
    let event = prop::sample::select(vec![Regular, Regular, Started, Completed, Stopped, Paused]);
    let who = (0..12_u8, any::<bool>(), 0..20_u16, 0..8_u8);
    ((0..400_u16), who, 0..2_u64, 0..2_u32, event, any::<bool>()).prop_map(
        |(wait_s, (host, v6, port, swarm), left, key, event, sweep)| Step {
            wait_s,
            host,
            v6,
            port,
            swarm,
            left,
            key,
            event,
            sweep,
        },
    )
}

proptest! {
    #[test]
    fn every_sum_is_right_and_every_limit_holds_whatever_is_announced(
        steps in prop::collection::vec(step(), 1..400),
        swarms in 1..10_usize,
        peers_per_swarm in 1..30_usize,
        peers_per_host in 1..20_u32,
        memory_bytes in 1_000..20_000_u64,
    ) {
        let mut table = table(Limits { swarms, peers_per_swarm, peers_per_host, memory_bytes, ..limits() });
        let mut now = 0;
        for step in steps {
            now += u64::from(step.wait_s);
            let ip = if step.v6 {
                IpAddr::from([0x20, 1, 0, 0, 0, 0, 0, step.host / 2, 0, 0, 0, 0, 0, 0, 0, step.host])
            } else {
                IpAddr::from([10, 0, 0, step.host])
            };
            let announce = AnnounceRequest {
                port: step.port, left: step.left, key: step.key, event: step.event,
                ..leeching(InfoHashV1([step.swarm; 20]))
            };
            if let Ok(answer) = table.announce(at(now), ip, &announce, 10) {
                prop_assert!(answer.peers.len() <= 10);
                let own = SocketAddr::new(ip, step.port);
                prop_assert!(!answer.peers.contains(&own));
                let different: BTreeSet<_> = answer.peers.iter().collect();
                prop_assert_eq!(different.len(), answer.peers.len());
            }
            if step.sweep {
                table.sweep(at(now));
            }
            check(&table);
        }
    }
}
