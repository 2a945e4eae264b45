//! `sim roster`: runs many seeds of a group of fifty, the first of them twice, and fails where a promise is broken.

use std::process::ExitCode;

use sim::{RosterScenario, RosterSim};

use crate::seeds::run_all;

/// Runs `--runs N` seeds (200) from `--seed N` (0); `--log` prints all that happens. `None`: not understood.
pub(crate) fn run(mut words: impl Iterator<Item = String>) -> Option<ExitCode> {
    let (mut first, mut runs, mut log) = (0, 200, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => first = words.next()?.parse().ok()?,
            "--runs" => runs = words.next()?.parse().ok()?,
            "--log" => log = true,
            _ => return None,
        }
    }
    let (mut failed, mut changes, mut void, mut back_dated, mut members) = (0, 0, 0, 0, 0);
    let (mut expelled, mut late, mut back, mut sent) = (0, 0, 0, 0);
    let one = |seed| {
        let mut outcome = RosterSim::run(RosterScenario::full(seed), log);
        if seed == first && !log && RosterSim::run(RosterScenario::full(seed), false) != outcome {
            outcome.failures.push("another run differs".into());
        }
        outcome
    };
    run_all(first, runs, one, |seed, outcome| {
        outcome.failures.iter().for_each(|failure| eprintln!("seed {seed}: {failure}"));
        failed += u64::from(!outcome.failures.is_empty());
        changes += outcome.changes;
        void += outcome.void;
        back_dated += outcome.back_dated;
        members += outcome.members;
        expelled += outcome.expelled;
        late += outcome.late;
        back += outcome.back;
        sent += outcome.sent;
        if runs == 1 {
            eprintln!("{outcome:?}");
        }
    });
    println!(
        "scenario: roster, seeds: {first} to {}, failed: {failed}, members_mean: {}, expelled: {expelled}, late: {late}, back: {back}, changes: {changes}, \
         void: {void}, back_dated: {back_dated}, sent: {sent}",
        first + runs.max(1) - 1,
        members as u64 / runs.max(1)
    );
    Some(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
