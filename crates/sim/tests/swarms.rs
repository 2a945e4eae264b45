//! Swarms in which everything may go wrong: all who want the content get it, and each run is what its seed says.

use sim::{Scenario, Stats, Swarm};

/// Seeds that once found a fault, and which: they stay.
const REGRESSIONS: &[(u64, &str)] = &[
    (238, "a failed flush left verified pieces behind that nobody made durable"),
    (1000, "late metadata was not offered to those that connected before"),
    (1607, "the same flush in a pause, and the pause called itself clean"),
    (2931, "a recheck of a stopped torrent never persisted, and its flush was due for ever"),
    (6082, "late metadata, where the seed had gone"),
    (6589, "a super seed showed a peer only what it did not want, and nothing else"),
];

/// Runs seeds twice each; returns what happened in all of them.
fn run(seeds: impl IntoIterator<Item = u64>) -> Stats {
    let mut sum = Stats::default();
    for seed in seeds {
        let first = Swarm::run(Scenario::random(seed, None), false);
        assert_eq!(first.failure, None, "cargo run -p sim -- --seed {seed} --log");
        let second = Swarm::run(Scenario::random(seed, None), false);
        assert_eq!((first.trace, first.elapsed, first.stats), (second.trace, second.elapsed, second.stats), "{seed}");
        sum.connections += first.stats.connections;
        sum.by_pex += first.stats.by_pex;
        sum.punched += first.stats.punched;
        sum.resets += first.stats.resets;
        sum.leaves += first.stats.leaves;
        sum.crashes += first.stats.crashes;
        sum.bad_pieces += first.stats.bad_pieces;
        sum.bans += first.stats.bans;
        sum.disk_failures += first.stats.disk_failures;
    }
    sum
}

/// A swarm in which nothing goes wrong proves little: all of it must have happened.
fn assert_eventful(sum: Stats) {
    let counts = [
        sum.connections,
        sum.by_pex,
        sum.punched,
        sum.resets,
        sum.leaves,
        sum.crashes,
        sum.bad_pieces,
        sum.bans,
        sum.disk_failures,
    ];
    assert!(counts.iter().all(|count| *count > 10), "{sum:?}");
}

#[test]
fn seeds_that_once_failed_finish() {
    run(REGRESSIONS.iter().map(|(seed, _)| *seed));
}

// Two halves, so that two cores share them.

#[test]
fn swarms_with_even_seeds_finish() {
    assert_eventful(run((0..300).step_by(2)));
}

#[test]
fn swarms_with_odd_seeds_finish() {
    assert_eventful(run((1..300).step_by(2)));
}
