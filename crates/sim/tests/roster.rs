//! Groups whose members act apart, expel one another, sleep and betray: small ones, for every change. The full ones
//! are `cargo run --release -p sim -- roster`, which `cargo xtask prove` runs.

use sim::{RosterScenario, RosterSim};

#[test]
fn everybody_agrees_in_the_end_who_belongs() {
    for seed in 0..6 {
        let outcome = RosterSim::run(RosterScenario::small(seed), false);
        assert_eq!(outcome.failures, [""; 0], "seed {seed}: {outcome:?}");
    }
}

#[test]
fn a_run_is_what_its_seed_says() {
    let run = |seed| RosterSim::run(RosterScenario::small(seed), false);
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).trace, run(4).trace);
}
