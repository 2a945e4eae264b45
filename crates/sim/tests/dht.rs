//! Networks of DHT nodes in which some leave, some lie, and packets are lost: small ones, for every change. The full
//! ones are `cargo run --release -p sim -- dht`, which `cargo xtask prove` runs.

use std::time::Duration;

use sim::{DhtOutcome, DhtScenario, DhtSim};

fn small(scenario: DhtScenario) -> DhtScenario {
    DhtScenario {
        joining: Duration::from_secs(300),
        measured: Duration::from_secs(600),
        lookups: 400,
        keys: 40,
        // As many leave within ten minutes as would within an hour.
        churn_per_mille_per_hour: 1_200,
        ..scenario
    }
}

#[test]
fn what_was_announced_is_found_though_a_fifth_leaves() {
    let outcome = DhtSim::run(small(DhtScenario::honest(7, 120)));
    assert!(outcome.success_percent() >= 99.5, "{outcome:?}");
    assert!(outcome.mean_queries() < 30.0, "{}", outcome.mean_queries());
    assert!(DhtOutcome::percentile(&outcome.millis, 99) < 5_000, "{outcome:?}");
}

#[test]
fn a_twentieth_of_liars_hides_little_and_nobody_believes_them() {
    let outcome = DhtSim::run(small(DhtScenario::hostile(8, 120)));
    assert!(outcome.success_percent() >= 99.0, "{outcome:?}");
    assert_eq!(outcome.believed_lies, 0);
}

#[test]
fn a_run_is_what_its_seed_says() {
    let scenario =
        |seed| DhtScenario { measured: Duration::from_secs(120), lookups: 50, ..small(DhtScenario::hostile(seed, 30)) };
    assert_eq!(DhtSim::run(scenario(3)), DhtSim::run(scenario(3)));
    assert_ne!(DhtSim::run(scenario(3)).trace, DhtSim::run(scenario(4)).trace);
}
