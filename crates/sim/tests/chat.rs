//! People who talk while their nodes sleep, crash and lose what they sent: few of them, for every change. The full ones are
//! `cargo run --release -p sim -- chat`, which `cargo xtask prove` runs, and some of whose seeds still find faults.

use sim::{ChatOutcome, ChatScenario, ChatSim};

fn run(seed: u64) -> ChatOutcome {
    let outcome = ChatSim::run(ChatScenario::small(seed), false);
    assert_eq!(outcome.failures, [""; 0], "seed {seed}: {outcome:?}");
    assert!(outcome.deposits > 0 && outcome.crashes > 0 && outcome.written > 100, "seed {seed}: {outcome:?}");
    outcome
}

#[test]
fn every_message_is_where_it_has_to_be_in_the_end_and_a_run_is_what_its_seed_says() {
    let first = run(0);
    assert_eq!(first, run(0));
    assert_ne!(first.trace, ChatSim::run(ChatScenario::small(2), false).trace);
}
