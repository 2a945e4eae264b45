//! Deliberate faults: each is found. A simulator that cannot fail proves nothing.

use std::time::Duration;

use sim::{Failure, Mutation, Outcome, Scenario, Swarm, Topology};

fn run(scenario: &Scenario, mutation: Option<Mutation>) -> Outcome {
    Swarm::run(Scenario { mutation, ..scenario.clone() }, false)
}

fn assert_stalls_only_with(scenario: &Scenario, mutation: Mutation) {
    assert_eq!(run(scenario, None).failure, None, "without the fault");
    let failure = run(scenario, Some(mutation)).failure;
    assert!(matches!(failure, Some(Failure::Stalled(_))), "with it: {failure:?}");
}

#[test]
fn a_bad_piece_whose_blocks_are_not_freed_stalls_the_swarm() {
    let scenario = Scenario { liars: 1, lies: 1.0, ..Scenario::quiet(1) };
    assert_stalls_only_with(&scenario, Mutation::KeepBadBlocks);
}

#[test]
fn a_have_that_is_never_sent_starves_the_end_of_a_chain() {
    let scenario = Scenario { topology: Topology::Chain, ..Scenario::quiet(2) };
    assert_stalls_only_with(&scenario, Mutation::NeverHave);
}

#[test]
fn a_permit_that_leaks_on_disconnect_is_missed() {
    let mut scenario = Scenario::quiet(3);
    scenario.shape.files = vec![1_000_000];
    scenario.rate_bytes_per_s = 50_000..100_000;
    scenario.churn.resets = 60;
    scenario.churn.until = Duration::from_secs(100);
    assert_eq!(run(&scenario, None).failure, None, "without the fault");
    let outcome = run(&scenario, Some(Mutation::LeakPermits));
    assert!(matches!(outcome.failure, Some(Failure::PermitsLeaked { .. })), "{:?}", outcome.failure);
    // Where a node has few, it stands still for want of them.
    let mut poor = Scenario { permits: 1, ..scenario };
    poor.churn.resets = 200;
    assert_stalls_only_with(&poor, Mutation::LeakPermits);
}
