//! `sim dht`: runs the scenarios that the project promises something about, prints a line of `name: value` pairs for
//! each, and fails where a promise is broken.

use std::process::ExitCode;

use sim::{DhtOutcome, DhtScenario, DhtSim};

/// What look-ups in an honest network succeed at least, of a hundred.
const HONEST: f64 = 99.9;

/// The same with a twentieth of hostile nodes.
const HOSTILE: f64 = 99.0;

/// What an idle node sends and receives at most in a day, in bytes.
const IDLE: u64 = 50_000_000;

/// The sizes of the curve.
const CURVE: [u32; 3] = [100, 1_000, 10_000];

/// Runs what `words` name, or all of it. `None`: not understood.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Option<ExitCode> {
    let (mut curve, mut hostile, mut idle, mut nodes, mut seed) = (false, false, false, None, 1);
    let mut words = words;
    while let Some(word) = words.next() {
        match word.as_str() {
            "curve" => curve = true,
            "hostile" => hostile = true,
            "idle" => idle = true,
            "--nodes" => nodes = Some(words.next()?.parse().ok()?),
            "--seed" => seed = words.next()?.parse().ok()?,
            _ => return None,
        }
    }
    let all = !(curve || hostile || idle);
    let mut kept = true;
    if curve || all {
        for size in CURVE.into_iter().filter(|&size| nodes.is_none_or(|nodes| nodes == size)) {
            kept &= look_ups("honest", DhtScenario::honest(seed, size), HONEST);
        }
    }
    if hostile || all {
        kept &= look_ups("hostile", DhtScenario::hostile(seed, nodes.unwrap_or(10_000)), HOSTILE);
    }
    if idle || all {
        let size = nodes.unwrap_or(1_000);
        let outcome = DhtSim::run(DhtScenario::idle(seed, size));
        let (packets, bytes) = (outcome.idle_packets_per_day, outcome.idle_bytes_per_day);
        println!(
            "scenario: idle, nodes: {size}, packets_per_day: {packets}, queries_out_per_day: {}, queries_in_per_day: {}, \
             megabytes_per_day: {:.1}",
            outcome.idle_queries_out_per_day,
            outcome.idle_queries_in_per_day,
            bytes as f64 / 1e6
        );
        kept &= bytes < IDLE;
    }
    Some(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look_ups(name: &str, scenario: DhtScenario, at_least: f64) -> bool {
    let nodes = scenario.nodes;
    let outcome = DhtSim::run(scenario);
    let percentile = |list: &[u32], percent| DhtOutcome::percentile(list, percent);
    println!(
        "scenario: {name}, nodes: {nodes}, look_ups: {}, found_percent: {:.3}, queries_mean: {:.1}, queries_p99: {}, \
         ms_p50: {}, ms_p99: {}, believed_lies: {}, table: {}, gone_per_mille: {}, packets: {}",
        outcome.lookups,
        outcome.success_percent(),
        outcome.mean_queries(),
        percentile(&outcome.queries, 99),
        percentile(&outcome.millis, 50),
        percentile(&outcome.millis, 99),
        outcome.believed_lies,
        outcome.table,
        outcome.gone_per_mille,
        outcome.packets,
    );
    outcome.success_percent() >= at_least && outcome.believed_lies == 0
}
