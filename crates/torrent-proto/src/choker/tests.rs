//! Stories of the choker.

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Instant {
    Instant::from_start(Duration::from_secs(seconds))
}

fn peer(key: u32) -> PeerStats {
    PeerStats {
        peer: PeerKey(key),
        interested: true,
        unchoked: false,
        snubbed: false,
        upload_only: false,
        down_rate: 0,
        up_rate: 0,
        connected: at(0),
    }
}

fn rng() -> fastrand::Rng {
    fastrand::Rng::with_seed(5)
}

fn choker(slots: u32) -> Choker {
    let mut choker = Choker::new(at(0));
    choker.set_slots(Some(slots));
    choker
}

/// Runs rounds for `seconds`, the peers obeying; calls `each` with who is unchoked.
fn run(
    choker: &mut Choker,
    seeding: bool,
    peers: &mut [PeerStats],
    seconds: std::ops::Range<u64>,
    mut each: impl FnMut(&[PeerKey]),
) {
    let mut rng = rng();
    for now in seconds.step_by(10) {
        let unchoked = choker.round(at(now), seeding, peers, &mut rng);
        peers.iter_mut().for_each(|peer| peer.unchoked = unchoked.contains(&peer.peer));
        each(&unchoked);
    }
}

#[test]
fn those_who_give_most_are_unchoked_and_one_more() {
    let mut peers: Vec<PeerStats> =
        (0..10).map(|key| PeerStats { down_rate: u64::from(key) * 1000, ..peer(key) }).collect();
    let mut choker = choker(4);
    let mut optimistic = std::collections::BTreeSet::new();
    run(&mut choker, false, &mut peers, 0..600, |unchoked| {
        assert_eq!(unchoked.len(), 4);
        assert_eq!(unchoked[1..], [PeerKey(7), PeerKey(8), PeerKey(9)]);
        optimistic.insert(unchoked[0]);
    });
    assert!(optimistic.len() >= 6, "everybody gets a chance: {optimistic:?}");
}

#[test]
fn an_optimistic_unchoke_lasts_thirty_seconds() {
    let mut peers: Vec<PeerStats> = (0..6).map(|key| PeerStats { down_rate: u64::from(key), ..peer(key) }).collect();
    let mut seen = Vec::new();
    run(&mut choker(2), false, &mut peers, 0..90, |unchoked| seen.push(unchoked[0]));
    for thirty in seen.chunks(3) {
        assert!(thirty.iter().all(|peer| *peer == thirty[0]), "{seen:?}");
    }
    assert!(seen[0] != seen[3] && seen[3] != seen[6]);
}

#[test]
fn new_peers_are_favoured_optimistically() {
    let mut hits = 0;
    for seed in 0..1000 {
        let mut peers: Vec<PeerStats> = (0..4).map(peer).collect();
        peers[0].down_rate = 9;
        peers[3].connected = at(970);
        let unchoked = choker(2).round(at(1000), false, &peers, &mut fastrand::Rng::with_seed(seed));
        hits += u32::from(unchoked.contains(&PeerKey(3)));
    }
    assert!((560..640).contains(&hits), "three of five: {hits}");
}

#[test]
fn a_snubber_loses_its_slot() {
    let mut peers = [PeerStats { down_rate: 100, snubbed: true, ..peer(0) }, PeerStats { down_rate: 1, ..peer(1) }];
    run(&mut choker(1), false, &mut peers, 0..30, |unchoked| assert_eq!(unchoked, [PeerKey(1)]));
}

#[test]
fn nobody_waits_while_a_slot_is_free() {
    let mut choker = choker(3);
    let mut idle = peer(0);
    idle.interested = false;
    let done = PeerStats { upload_only: true, ..peer(1) };
    assert_eq!(choker.round(at(0), false, &[idle, done, peer(2)], &mut rng()), [PeerKey(2)]);
    assert!(choker.unchoke_now(at(1), PeerKey(0), 1));
    assert!(!choker.unchoke_now(at(1), PeerKey(3), 3));
    assert_eq!(choker.next_round(), at(10));
}

#[test]
fn a_seed_serves_everybody_in_turn() {
    let mut peers: Vec<PeerStats> =
        (0..12).map(|key| PeerStats { up_rate: 1000 + u64::from(key), ..peer(key) }).collect();
    let mut rounds = [0u32; 12];
    run(&mut choker(4), true, &mut peers, 0..1800, |unchoked| {
        assert_eq!(unchoked.len(), 4);
        unchoked.iter().for_each(|peer| rounds[peer.0 as usize] += 1);
    });
    assert!(rounds.iter().all(|&count| count >= 20), "{rounds:?}");
    assert!(rounds.iter().all(|&count| count <= 135), "no monopoly, even of the fastest: {rounds:?}");
}

#[test]
fn a_seeds_slot_is_kept_for_half_a_minute() {
    let mut peers: Vec<PeerStats> = (0..8).map(|key| PeerStats { up_rate: 1, ..peer(key) }).collect();
    let mut runs = [0u32; 8];
    run(&mut choker(2), true, &mut peers, 0..900, |unchoked| {
        for (key, rounds) in runs.iter_mut().enumerate() {
            let on = unchoked.contains(&PeerKey(key as u32));
            assert!(on || *rounds == 0 || *rounds >= 3, "peer {key} was cut off after {rounds} rounds");
            *rounds = if on { *rounds + 1 } else { 0 };
        }
    });
}

#[test]
fn slots_follow_what_the_line_can_do() {
    let after = |rate_of: fn(u32) -> u64| {
        let mut slots = Slots::default();
        (0..200).for_each(|_| slots.measure(rate_of(slots.count()), 1000));
        slots.count()
    };
    assert!(after(|_| 50 << 10) <= 5, "a slow line is soon full");
    assert!(after(|slots| u64::from(slots) * 10_000) >= 60, "slow takers on a fast line");
    assert_eq!(after(|_| 100 << 20), 64);
}

proptest! {
    #[test]
    fn rounds_fill_the_slots_and_no_more(
        seeds in any::<u64>(),
        slots in 0u32..8,
        steps in prop::collection::vec((any::<bool>(), prop::collection::vec((0u32..12, 0u64..5, 0u64..5, 0u8..16), 0..12)), 1..30),
    ) {
        let mut choker = choker(slots);
        let mut rng = fastrand::Rng::with_seed(seeds);
        let mut unchoked: Vec<PeerKey> = Vec::new();
        for (i, (seeding, peers)) in (0u64..).zip(steps) {
            let mut peers: Vec<PeerStats> = peers.into_iter().map(|(key, down_rate, up_rate, flags)| PeerStats {
                interested: flags & 1 == 0,
                upload_only: flags & 6 == 6,
                snubbed: flags & 8 != 0,
                unchoked: unchoked.contains(&PeerKey(key)),
                down_rate,
                up_rate,
                connected: at(i),
                ..peer(key)
            }).collect();
            peers.sort_by_key(|peer| peer.peer);
            peers.dedup_by_key(|peer| peer.peer);
            let takers = peers.iter().filter(|peer| peer.interested && !peer.upload_only).count();
            unchoked = choker.round(at(i * 10), seeding, &peers, &mut rng);
            prop_assert_eq!(unchoked.len(), takers.min(slots as usize));
            prop_assert!(unchoked.is_sorted());
        }
    }
}
