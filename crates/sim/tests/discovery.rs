//! Peers that find one another through others: who knows one comes to know all, and who is behind address translation
//! meets others who are.

use sim::{Outcome, Scenario, Swarm, Topology};

/// A swarm in which everybody needs some minutes.
fn slow(seed: u64) -> Scenario {
    let mut scenario = Scenario { leechers: 12, rate_bytes_per_s: 60_000..120_000, ..Scenario::quiet(seed) };
    scenario.shape.files = vec![4_000_000];
    scenario
}

fn run(scenario: &Scenario) -> Outcome {
    let [first, second] = [(), ()].map(|()| Swarm::run(scenario.clone(), false));
    assert_eq!(first.failure, None, "seed {}", scenario.seed);
    assert_eq!((first.trace, first.stats), (second.trace, second.stats), "seed {}", scenario.seed);
    first
}

#[test]
fn who_knows_one_comes_to_know_all() {
    for seed in 0..2 {
        let chain = Scenario { topology: Topology::Chain, pex: true, ..slow(seed) };
        assert_eq!(run(&chain).stats.met_least, 12, "each of the thirteen meets all others");
        let alone = run(&Scenario { pex: false, ..chain });
        assert!(alone.stats.met_least <= 2 && alone.stats.by_pex == 0, "{:?}", alone.stats);
    }
}

#[test]
fn those_behind_translation_meet_through_the_seed() {
    for seed in 0..2 {
        let hidden = Scenario { behind_nat: 1.0, pex: true, ..slow(seed) };
        let together = run(&hidden);
        assert!(together.stats.punched >= 12 && together.stats.met_least >= 2, "{:?}", together.stats);
        // Without it, each has the seed alone, whose line all of them share.
        let alone = run(&Scenario { pex: false, ..hidden });
        assert!(alone.stats.punched == 0 && alone.stats.met_least == 1, "{:?}", alone.stats);
        assert!(together.elapsed < alone.elapsed, "{:?} {:?}", together.elapsed, alone.elapsed);
    }
}
