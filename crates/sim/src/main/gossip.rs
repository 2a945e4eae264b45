//! `sim gossip`: runs a topic for many seeds, prints a line of `name: value` pairs for each, and fails where the promise
//! is broken: every message reaches all that are awake, with at most three copies for each of them.

use std::process::ExitCode;

use sim::{GossipScenario, GossipSim};

use crate::seeds::run_all;

/// The most copies that are sent for each node that gets a message.
const COPIES: f64 = 3.0;

/// Runs what `words` name. `None`: not understood.
pub(crate) fn run(mut words: impl Iterator<Item = String>) -> Option<ExitCode> {
    let (mut nodes, mut seed, mut runs) = (200, 1, 20);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--nodes" => nodes = words.next()?.parse().ok()?,
            "--seed" => seed = words.next()?.parse().ok()?,
            "--runs" => runs = words.next()?.parse().ok()?,
            _ => return None,
        }
    }
    let mut kept = true;
    let one = |seed| GossipSim::run(GossipScenario::busy(seed, nodes));
    run_all(seed, runs, one, |seed, outcome| {
        let good = outcome.missed == 0 && outcome.twice == 0 && outcome.ratio() <= COPIES;
        println!(
            "scenario: gossip, seed: {seed}, nodes: {nodes}, messages: {}, due: {}, missed: {}, twice: {}, copies: {}, \
             copies_per_ideal: {:.2}, control: {}, median_ms: {}, p99_ms: {}, last_ms: {}, trace: {:016x}, kept: {good}",
            outcome.messages,
            outcome.due,
            outcome.missed,
            outcome.twice,
            outcome.copies,
            outcome.ratio(),
            outcome.control,
            outcome.within(500),
            outcome.within(990),
            outcome.within(1000),
            outcome.trace,
        );
        kept &= good;
    });
    Some(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
