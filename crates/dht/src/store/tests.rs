//! Stories of what strangers store.

use super::*;
use crate::{Immutable, Mutable, SecretKey};

const OWN: Id = Id([0; 20]);

fn at(minutes: u64) -> Instant {
    Instant::START + Duration::from_secs(minutes * 60)
}

fn peer(n: u32) -> SocketAddr {
    (IpAddr::V4((0x0b00_0000 + n).into()), 6881).into()
}

fn hash(n: u32) -> Id {
    let mut hash = [0; 20];
    hash[..4].copy_from_slice(&n.to_be_bytes());
    Id(hash)
}

fn text(n: u32) -> Item {
    let text = n.to_string();
    Item::Immutable(Immutable::new(format!("{}:{text}", text.len())).unwrap())
}

fn peers(store: &Store, minutes: u64, info_hash: Id, no_seed: bool) -> usize {
    store.peers(at(minutes), &info_hash, no_seed, 10_000, &mut fastrand::Rng::with_seed(1)).len()
}

#[test]
fn a_subscriber_of_ipv6_is_one_source_with_all_its_addresses() {
    let mut store = Store::new(OWN);
    let address = |i: u128| SocketAddr::new(IpAddr::from(core::net::Ipv6Addr::from((0x2001_0db8 << 96) + i)), 1);
    for i in 0..2 * MAX_ITEMS as u32 {
        let _ = store.put(at(0), address(i.into()).ip(), text(i), None);
        store.announce(at(0), hash(i), address(i.into()), false);
    }
    let (swarms, _, items) = store.counts();
    assert!(swarms + items <= MAX_SWARMS / SHARE_OF_ONE, "{swarms} swarms, {items} items");
    // Nor does it fill a swarm that others are in.
    let mut store = Store::new(OWN);
    let bob: SocketAddr = "[2001:db9::1]:1".parse().unwrap();
    assert!(store.announce(at(0), hash(1), bob, false));
    (0..5_000).for_each(|i| assert!(store.announce(at(1), hash(1), address(i), false)));
    let peers = store.peers(at(1), &hash(1), false, 10_000, &mut fastrand::Rng::with_seed(1));
    assert!(peers.contains(&bob) && peers.len() == 1 + MAX_PEERS_PER_SUBSCRIBER, "{}", peers.len());
    assert_eq!(store.counts().1, peers.len());
}

#[test]
fn announcements_fade_unless_they_are_repeated() {
    let mut store = Store::new(OWN);
    assert!(store.announce(at(0), hash(1), peer(1), false) && store.announce(at(0), hash(1), peer(2), true));
    assert!(store.announce(at(30), hash(1), peer(1), false));
    assert_eq!((peers(&store, 40, hash(1), false), peers(&store, 40, hash(1), true)), (2, 1));
    let (seeds, others) = store.blooms(at(40), &hash(1)).unwrap();
    assert_eq!((seeds.count(), others.count()), (1, 1));
    assert_eq!(peers(&store, 50, hash(1), false), 1);
    store.expire(at(50));
    assert_eq!(store.counts(), (1, 1, 0));
    store.expire(at(80));
    assert_eq!(store.counts(), (0, 0, 0));
    assert!(store.brought.is_empty());
}

#[test]
fn an_address_is_one_peer_of_a_swarm_whatever_its_port() {
    let mut store = Store::new(OWN);
    for port in 1..100 {
        assert!(store.announce(at(0), hash(1), (peer(1).ip(), port).into(), false));
    }
    assert_eq!(store.counts(), (1, 1, 0));
}

#[test]
fn a_large_swarm_keeps_its_latest_peers() {
    let mut store = Store::new(OWN);
    for n in 0..2 * MAX_PEERS_PER_SWARM as u32 {
        assert!(store.announce(at(0) + Duration::from_millis(u64::from(n)), hash(1), peer(n), false));
    }
    assert_eq!(store.counts(), (1, MAX_PEERS_PER_SWARM, 0));
    let swarm = store.swarms.values().next().unwrap();
    assert!(!swarm.peers.contains_key(&peer(0).ip()) && swarm.peers.contains_key(&peer(1_999).ip()));
}

#[test]
fn a_full_store_keeps_what_is_near() {
    let mut store = Store::new(OWN);
    for n in 0..2 * MAX_SWARMS as u32 {
        // From far to near.
        assert!(store.announce(at(0), hash(0x8000_0000 - n), peer(n), false));
    }
    assert_eq!(store.counts().0, MAX_SWARMS);
    assert!(!store.announce(at(0), hash(0xffff_ffff), peer(1), false), "too far");
    assert!(store.announce(at(0), hash(1), peer(1), false));
    assert_eq!(peers(&store, 0, hash(1), false), 1);
}

#[test]
fn one_address_cannot_fill_the_store() {
    let mut store = Store::new(OWN);
    let stored = (0..10_000).filter(|&n| store.announce(at(0), hash(n), peer(1), false)).count();
    assert_eq!(stored, MAX_SWARMS / SHARE_OF_ONE);
    let stored = (0..10_000).filter(|&n| store.put(at(0), peer(2).ip(), text(n), None).is_ok()).count();
    assert_eq!(stored, MAX_ITEMS / SHARE_OF_ONE);
    store.expire(at(121));
    assert!(store.put(at(121), peer(2).ip(), text(1), None).is_ok());
}

#[test]
fn many_addresses_cannot_fill_more_than_the_store() {
    let mut store = Store::new(OWN);
    for n in 0..2 * MAX_ITEMS as u32 {
        let _ = store.put(at(0), peer(n).ip(), text(n), None);
    }
    assert_eq!(store.counts().2, MAX_ITEMS);
}

#[test]
fn a_mutable_item_only_moves_forward() {
    let alice = SecretKey::from_bytes(&[1; 32]);
    let item = |seq, value: &'static str| Item::Mutable(Mutable::sign(&alice, "", seq, value).unwrap());
    let mut store = Store::new(OWN);
    let by = peer(1).ip();
    let code = |result: Result<(), Refused>| result.map_err(|(code, _)| code);
    // With nothing stored, there is nothing to compare.
    assert_eq!(store.put(at(0), by, item(5, "1:a"), Some(3)), Ok(()));
    assert_eq!(code(store.put(at(0), by, item(4, "1:b"), None)), Err(code::SEQ_TOO_LOW));
    assert_eq!(code(store.put(at(0), by, item(5, "1:b"), None)), Err(code::SEQ_TOO_LOW));
    assert_eq!(code(store.put(at(0), by, item(6, "1:b"), Some(4))), Err(code::CAS_MISMATCH));
    // The same again makes it last.
    assert_eq!(store.put(at(100), by, item(5, "1:a"), None), Ok(()));
    assert!(store.item(at(200), &item(5, "1:a").target()).is_some());
    assert_eq!(store.put(at(200), by, item(6, "1:b"), Some(5)), Ok(()));
    assert_eq!(store.item(at(200), &item(6, "1:b").target()).and_then(Item::seq), Some(6));
    assert_eq!(store.item(at(321), &item(6, "1:b").target()), None);
    // After it faded any will do.
    assert_eq!(store.put(at(321), by, item(1, "1:c"), None), Ok(()));
}

#[test]
fn a_new_id_of_ours_loses_nothing() {
    let mut store = Store::new(OWN);
    store.announce(at(0), hash(1), peer(1), false);
    store.put(at(0), peer(1).ip(), text(1), None).unwrap();
    store.rename(Id([0xaa; 20]));
    assert_eq!(peers(&store, 1, hash(1), false), 1);
    assert!(store.item(at(1), &text(1).target()).is_some());
}
