//! `sim roster`: runs many seeds of a group of fifty, each of them twice, and fails where a promise is broken.

use std::process::ExitCode;

use sim::{RosterScenario, RosterSim};

/// Runs `--runs N` seeds (200) from `--seed N` (0); `--log` prints all that happens. `None`: not understood.
pub(crate) fn run(mut words: impl Iterator<Item = String>) -> Option<ExitCode> {
    let (mut seed, mut runs, mut log, mut once) = (0, 200, false, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => seed = words.next()?.parse().ok()?,
            "--runs" => runs = words.next()?.parse().ok()?,
            "--log" => log = true,
            "--once" => once = true,
            _ => return None,
        }
    }
    let (mut failed, mut changes, mut void, mut back_dated, mut members) = (0, 0, 0, 0, 0);
    for seed in seed..seed + runs {
        let outcome = RosterSim::run(RosterScenario::full(seed), log);
        let again = once || log || RosterSim::run(RosterScenario::full(seed), false) == outcome;
        for failure in outcome.failures.iter().map(String::as_str).chain((!again).then_some("another run differs")) {
            println!("seed {seed}: {failure}");
        }
        failed += u64::from(!again || !outcome.failures.is_empty());
        changes += outcome.changes;
        void += outcome.void;
        back_dated += outcome.back_dated;
        members += outcome.members;
        if runs == 1 {
            println!("{outcome:?}");
        }
    }
    println!(
        "scenario: roster, seeds: {runs}, failed: {failed}, members_mean: {}, changes: {changes}, void: {void}, \
         back_dated: {back_dated}",
        members as u64 / runs.max(1)
    );
    Some(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
