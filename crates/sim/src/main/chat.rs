//! `sim chat`: runs many seeds of twenty people who talk, and fails where a promise is broken. The first runs twice, unless
//! the real cipher seals, which draws its keys from the system.

use std::process::ExitCode;

use sim::{ChatScenario, ChatSim};

use crate::seeds::run_all;

/// Runs `--seed N` (0), or `--seeds A..B`; `--small` ones; `--olm` seals as the real program does; `--log` prints all that
/// happens. `None`: not understood.
pub(crate) fn run(mut words: impl Iterator<Item = String>) -> Option<ExitCode> {
    let (mut first, mut runs, mut small, mut olm, mut log) = (0, 1, false, false, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => first = words.next()?.parse().ok()?,
            "--seeds" => {
                let seeds = words.next()?;
                let (from, to) = seeds.split_once("..")?;
                first = from.parse().ok()?;
                runs = to.parse::<u64>().ok()?.checked_sub(first)?;
            }
            "--small" => small = true,
            "--olm" => olm = true,
            "--log" => log = true,
            _ => return None,
        }
    }
    let scenario = |seed| {
        let scenario = if small { ChatScenario::small(seed) } else { ChatScenario::full(seed) };
        ChatScenario { olm, ..scenario }
    };
    let one = |seed| {
        let mut outcome = ChatSim::run(scenario(seed), log);
        // The real cipher draws its keys from the system.
        if seed == first && !log && !olm && ChatSim::run(scenario(seed), false) != outcome {
            outcome.failures.push("another run differs".into());
        }
        outcome
    };
    let (mut failed, mut written, mut owed, mut late, mut frames, mut questions) = (0, 0, 0, 0, 0, 0);
    let (mut deposits, mut crashes, mut facts, mut slow) = (0, 0, 0, std::time::Duration::ZERO);
    run_all(first, runs, one, |seed, outcome| {
        outcome.failures.iter().for_each(|failure| eprintln!("seed {seed}: {failure}"));
        failed += u64::from(!outcome.failures.is_empty());
        written += outcome.written;
        owed += outcome.owed;
        late += outcome.late;
        frames += outcome.frames;
        questions += outcome.questions;
        deposits += outcome.deposits;
        crashes += outcome.crashes;
        facts = facts.max(outcome.facts);
        slow = slow.max(outcome.slow);
        if runs == 1 {
            eprintln!("{outcome:?}");
        }
    });
    println!(
        "scenario: chat, seeds: {first} to {}, failed: {failed}, messages: {written}, owed: {owed}, late: {late}, frames: {frames}, \
         questions: {questions}, deposits: {deposits}, crashes: {crashes}, facts_most: {facts}, slowest_hundredth_h: {:.1}",
        first + runs.max(1) - 1,
        slow.as_secs_f64() / 3600.0,
    );
    Some(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
