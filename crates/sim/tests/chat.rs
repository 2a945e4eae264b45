//! People who talk while their nodes sleep, crash and lose what they sent: few of them, for every change. The full ones are
//! `cargo run --release -p sim -- chat`, which `cargo xtask prove` runs.

use sim::{ChatOutcome, ChatScenario, ChatSim};

fn run(scenario: ChatScenario) -> ChatOutcome {
    ChatSim::run(scenario, false)
}

fn assert_all_is_well(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let outcome = run(ChatScenario::small(seed));
        assert_eq!(outcome.failures, [""; 0], "seed {seed}: {outcome:?}");
        assert!(outcome.deposits > 0 && outcome.crashes > 0 && outcome.written > 100, "seed {seed}: {outcome:?}");
    }
}

#[test]
fn every_message_is_where_it_has_to_be_in_the_end() {
    assert_all_is_well(0..10);
}

#[test]
fn a_run_is_what_its_seed_says() {
    let of = |seed| run(ChatScenario::small(seed));
    assert_eq!(of(3), of(3));
    assert_ne!(of(3).trace, of(4).trace);
}
