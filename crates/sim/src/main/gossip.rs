//! `sim gossip`: runs a topic for many seeds, sums them up, and fails where the promise is broken: every message reaches
//! all that are awake, with at most three copies for each of them.

use std::process::ExitCode;

use sim::{GossipScenario, GossipSim};

use crate::seeds::run_all;

/// The most copies that are sent for each node that gets a message.
const COPIES: f64 = 3.0;

/// Runs what `words` name. `None`: not understood.
pub(crate) fn run(mut words: impl Iterator<Item = String>) -> Option<ExitCode> {
    let (mut nodes, mut first, mut runs) = (200, 1, 20);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--nodes" => nodes = words.next()?.parse().ok()?,
            "--seed" => first = words.next()?.parse().ok()?,
            "--runs" => runs = words.next()?.parse().ok()?,
            _ => return None,
        }
    }
    let (mut failed, mut messages, mut due, mut missed, mut twice) = (0, 0, 0, 0, 0);
    let (mut worst, mut medians, mut last) = (0.0_f64, Vec::new(), 0);
    let one = |seed| GossipSim::run(GossipScenario::busy(seed, nodes));
    run_all(first, runs, one, |seed, outcome| {
        let good = outcome.missed == 0 && outcome.twice == 0 && outcome.ratio() <= COPIES;
        if !good || runs == 1 {
            eprintln!(
                "seed {seed}: missed {}, twice {}, copies {:.2} of the ideal, control {}, median {} ms, p99 {} ms, last {} ms, \
                 trace {:016x}",
                outcome.missed,
                outcome.twice,
                outcome.ratio(),
                outcome.control,
                outcome.within(500),
                outcome.within(990),
                outcome.within(1000),
                outcome.trace,
            );
        }
        failed += u64::from(!good);
        messages += outcome.messages;
        due += outcome.due;
        missed += outcome.missed;
        twice += outcome.twice;
        worst = worst.max(outcome.ratio());
        medians.push(outcome.within(500));
        last = last.max(outcome.within(1000));
    });
    medians.sort_unstable();
    println!(
        "scenario: gossip, nodes: {nodes}, seeds: {first} to {}, failed: {failed}, messages: {messages}, due: {due}, missed: {missed}, \
         twice: {twice}, copies_per_ideal_at_most: {worst:.2}, median_ms: {}, last_ms: {last}",
        first + runs.max(1) - 1,
        medians.get(medians.len() / 2).copied().unwrap_or_default(),
    );
    Some(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
