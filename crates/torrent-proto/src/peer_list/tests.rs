//! Stories of the peer list.

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Instant {
    Instant::from_start(Duration::from_secs(seconds))
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn numbered(n: u32) -> SocketAddr {
    SocketAddr::new(IpAddr::from((0x0a00_0000 + n).to_be_bytes()), 6881)
}

#[test]
fn hints_are_dialled_first_then_the_canonical_order() {
    let mut list = PeerList::new();
    list.set_own_address(addr("123.213.32.10:6881"));
    for n in 1..20 {
        assert!(list.add(at(0), Source::Tracker, numbered(n)));
    }
    list.add(at(0), Source::Hint, addr("192.168.1.2:1"));
    assert_eq!(list.next(at(0), false), Some((addr("192.168.1.2:1"), Source::Hint)));
    let own = addr("123.213.32.10:6881");
    let order: Vec<u32> =
        std::iter::from_fn(|| list.next(at(0), false)).map(|(a, _)| canonical_priority(own, a).unwrap()).collect();
    assert!(order.len() == 19 && order.is_sorted_by(|a, b| a >= b), "{order:?}");
    list.assert_invariants();
}

#[test]
fn an_own_address_learned_late_sorts_who_waits() {
    let mut list = PeerList::new();
    (1..20).for_each(|n| assert!(list.add(at(0), Source::Tracker, numbered(n))));
    let own = addr("8.8.8.8:1");
    list.set_own_address(own);
    list.assert_invariants();
    let best = (1..20).map(|n| canonical_priority(own, numbered(n))).max().unwrap();
    assert_eq!(canonical_priority(own, list.next(at(0), false).unwrap().0), best);
}

#[test]
fn a_peer_names_the_port_that_it_listens_on_once() {
    let mut list = PeerList::new();
    let mallory = addr("10.0.0.1:50000");
    list.connected(mallory, Source::Incoming).unwrap();
    (1..100).for_each(|port| list.set_listen_port(Instant::START, mallory, port));
    list.assert_invariants();
    list.disconnected(at(1), mallory, false);
    list.assert_invariants();
    assert_eq!((list.candidates(), list.candidates.len()), (1, 1));
}

#[test]
fn each_failure_doubles_the_wait() {
    let mut list = PeerList::new();
    let alice = numbered(1);
    list.add(at(0), Source::Tracker, alice);
    let mut now = 0;
    for wait in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        assert_eq!(list.next(at(now), false), Some((alice, Source::Tracker)));
        assert_eq!(list.next_dial_at(false), None, "it is being dialled");
        list.dial_failed(at(now), alice);
        assert!(!list.add(at(now), Source::Tracker, alice), "named again, still waiting");
        assert_eq!(list.next(at(now + wait - 1), false), None);
        assert_eq!(list.next_dial_at(false), Some(at(now + wait)));
        now += wait;
    }
    assert_eq!(
        list.counts(Source::Tracker),
        SourceCounts { known: 1, tried: 1, connected: 0, last: Some(at(now - 3600)) }
    );
}

#[test]
fn what_the_user_named_is_tried_again_within_seconds() {
    let mut list = PeerList::new();
    list.add(at(0), Source::Tracker, numbered(1));
    list.next(at(0), false);
    list.dial_failed(at(0), numbered(1));
    list.add(at(1), Source::Hint, numbered(1));
    assert_eq!(list.next(at(1), false), Some((numbered(1), Source::Hint)));
    list.connected(numbered(1), Source::Hint).unwrap();
    list.disconnected(at(2), numbered(1), true);
    assert_eq!(list.next_dial_at(false), Some(at(3)));
}

#[test]
fn a_useful_peer_is_dialled_again_soon_a_useless_one_late() {
    let mut list = PeerList::new();
    for (n, useful, again) in [(1, true, 15), (2, false, 60)] {
        list.add(at(0), Source::Tracker, numbered(n));
        assert_eq!(list.next(at(0), false).unwrap().0, numbered(n));
        list.connected(numbered(n), Source::Tracker).unwrap();
        assert_eq!(list.connected(numbered(n), Source::Incoming), Err(Refused::Duplicate));
        list.disconnected(at(0), numbered(n), useful);
        list.assert_invariants();
        assert_eq!(list.next_dial_at(false), Some(at(again)));
        list.ban(numbered(n).ip());
    }
}

#[test]
fn a_seed_does_not_dial_seeds() {
    let mut list = PeerList::new();
    list.add(at(0), Source::Tracker, numbered(1));
    list.set_seed(numbered(1), true);
    assert_eq!((list.next_dial_at(true), list.next(at(0), true)), (None, None));
    assert_eq!(list.next_dial_at(false), Some(Instant::START));
    list.set_seed(numbered(1), false);
    assert!(list.next(at(0), true).is_some());
}

#[test]
fn who_dialled_us_is_not_dialled_while_it_is_here() {
    let mut list = PeerList::new();
    let from = addr("[::ffff:10.0.0.1]:50000");
    list.connected(from, Source::Incoming).unwrap();
    list.set_listen_port(Instant::START, from, 6881);
    list.add(at(0), Source::Tracker, addr("10.0.0.1:6881"));
    assert_eq!((list.next(at(0), false), list.candidates()), (None, 0));
    list.set_seed(from, true);
    list.disconnected(at(10), from, true);
    list.assert_invariants();
    assert_eq!((list.next_dial_at(true), list.next_dial_at(false)), (None, Some(at(25))));
    assert_eq!(list.next(at(25), false), Some((addr("10.0.0.1:6881"), Source::Tracker)));
}

#[test]
fn the_banned_stay_out() {
    let mut list = PeerList::new();
    list.add(at(0), Source::Tracker, numbered(1));
    assert_eq!((list.suspect(numbered(1).ip()), list.suspect(numbered(1).ip())), (1, 2));
    assert!(list.is_suspect(numbered(1).ip()));
    list.ban(numbered(1).ip());
    assert!(!list.add(at(0), Source::Tracker, numbered(1)) && list.next(at(0), false).is_none());
    assert_eq!(list.connected(addr("10.0.0.1:9"), Source::Incoming), Err(Refused::Banned));
    list.assert_invariants();
}

#[test]
fn what_cannot_be_dialled_is_not_kept() {
    let mut list = PeerList::new();
    for text in ["10.0.0.1:0", "0.0.0.0:1", "255.255.255.255:1", "224.0.0.1:1", "[::]:1", "[ff02::1]:1"] {
        assert!(!list.add(at(0), Source::Tracker, addr(text)), "{text}");
    }
    list.add(at(0), Source::Tracker, numbered(1));
    list.is_self(numbered(1));
    assert!(!list.add(at(0), Source::Tracker, numbered(1)) && list.candidates() == 0);
}

#[test]
fn the_list_is_bounded_and_gives_up_the_worst() {
    let mut list = PeerList::new();
    for n in 0..3000 {
        list.add(at(0), Source::Tracker, numbered(n));
    }
    assert_eq!(list.candidates(), MAX_CANDIDATES);
    let (failing, _) = list.next(at(0), false).unwrap();
    list.dial_failed(at(0), failing);
    assert!(list.add(at(0), Source::Tracker, numbered(5000)), "instead of the one that failed");
    assert!(!list.add(at(0), Source::Tracker, numbered(5001)));
    assert!(list.add(at(0), Source::Hint, numbered(5002)));
    assert_eq!(list.candidates(), MAX_CANDIDATES);
    list.assert_invariants();
    assert_eq!(list.next(at(0), false).unwrap().0, numbered(5002));
}

#[test]
fn addresses_made_up_by_peers_keep_out_nobody_whom_a_tracker_names() {
    let mut list = PeerList::new();
    list.add(at(0), Source::Hint, numbered(9000));
    let (hint, _) = list.next(at(0), false).unwrap();
    list.dial_failed(at(0), hint);
    for n in 0..3000 {
        list.add(at(0), Source::Pex, numbered(n));
    }
    assert_eq!(list.candidates(), MAX_CANDIDATES);
    assert!(list.add(at(0), Source::Tracker, numbered(5000)) && list.add(at(0), Source::Dht, numbered(5001)));
    assert!(!list.add(at(0), Source::Pex, numbered(5002)), "no room among its like");
    assert_eq!(list.candidates(), MAX_CANDIDATES);
    list.assert_invariants();
    assert_eq!(list.next(at(1), false).unwrap().0, hint, "the user's word outlasts theirs");
    assert_eq!(list.known_of(hint.ip(), 1), 1);
}

#[test]
fn a_private_torrent_keeps_what_its_trackers_named() {
    let mut list = PeerList::new();
    list.add(at(0), Source::Resume, numbered(1));
    list.add(at(0), Source::Resume, numbered(2));
    list.add(at(0), Source::Tracker, numbered(2));
    list.retain_sources(&[Source::Tracker]);
    assert_eq!(list.to_remember(9), [numbered(2)]);
}

proptest! {
    #[test]
    fn queues_and_stages_always_agree(steps in prop::collection::vec((0u8..10, 0u32..6, 0u64..100), 0..200)) {
        let mut list = PeerList::new();
        let mut now = 0;
        let sources = [Source::Hint, Source::Tracker, Source::Incoming, Source::Resume];
        for (what, n, x) in steps {
            let address = numbered(n);
            let elsewhere = SocketAddr::new(address.ip(), 50_000 + (x % 3) as u16);
            match what {
                0 | 1 => drop(list.add(at(now), sources[x as usize % 4], address)),
                2 => drop(list.next(at(now), x % 2 == 0)),
                3 => list.dial_failed(at(now), address),
                4 => drop(list.connected(address, Source::Tracker)),
                5 => drop(list.connected(elsewhere, Source::Incoming)),
                6 => list.set_listen_port(Instant::START, elsewhere, 6881),
                7 => list.disconnected(at(now), if x % 2 == 0 { address } else { elsewhere }, x % 3 == 0),
                8 => list.set_seed(address, x % 2 == 0),
                _ if x == 0 => list.ban(address.ip()),
                _ => now += x * 10,
            }
            list.assert_invariants();
        }
    }
}
