//! `cargo xtask instructions`: what the pure crates cost in instructions, against what they cost when it was recorded.
//!
//! Callgrind counts the same on a busy machine as on a quiet one, so that this may be a test where a time may not.

use crate::steps::{Outcome, cargo, output, program, root, run, target};
use std::fmt::Write as _;

/// How far a count may rise above the recorded one. Arbitrary: other versions of the compiler move it by some percent,
/// and what is worth finding (a copy a block, a search over all pieces) costs more.
const TOLERANCE: f64 = 0.10;
/// The recorded counts, from the root of the checkout.
const RECORD: &str = "bench/instructions/counts.txt";
const RENEW: &str = "cargo xtask instructions --renew";

/// Counts and compares, or with `--renew` records anew.
pub fn instructions(arguments: &[String]) -> Outcome {
    let renew = match arguments {
        [] => false,
        [option] if option == "--renew" => true,
        [other, ..] => return Err(format!("`{other}` is not an option here; see `cargo xtask help`")),
    };
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("left out: the recorded counts are those of x86-64 Linux");
        return Ok(());
    }
    run(cargo().args(["build", "--release", "--package", "instructions", "--locked"]))?;
    let counted = count()?;
    if renew {
        return std::fs::write(root().join(RECORD), record(&counted)?).map_err(|error| format!("{RECORD}: {error}"));
    }
    let recorded = std::fs::read_to_string(root().join(RECORD)).map_err(|error| format!("{RECORD}: {error}"))?;
    compare(&counted, &recorded)
}

/// One work's instructions and its number of units (blocks or messages).
#[derive(Debug, PartialEq)]
struct Count {
    work: String,
    instructions: u64,
    units: u64,
}

fn count() -> Outcome<Vec<Count>> {
    let binary = target().join("release/instructions");
    let works = output(&mut program(&binary))?;
    works
        .lines()
        .map(|work| {
            let log = target().join("instructions.log");
            let mut command = program("valgrind");
            command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted*"]);
            // What it counts begins after the start of the program: the environment's size does not change it.
            command.arg(format!("--log-file={}", log.display())).arg(&binary).arg(work);
            let units = output(&mut command)?;
            let log = std::fs::read_to_string(&log).map_err(|error| format!("{}: {error}", log.display()))?;
            let collected = log.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
            Ok(Count {
                work: work.to_owned(),
                instructions: collected.filter(|count| *count > 0).ok_or("callgrind collected nothing")?,
                units: units.trim().parse().map_err(|_| format!("{work} printed {units:?} instead of its units"))?,
            })
        })
        .collect()
}

fn record(counted: &[Count]) -> Outcome<String> {
    let versions = [output(program("rustc").arg("--version"))?, output(program("valgrind").arg("--version"))?];
    let mut text = format!(
        "# Instructions of each work of bench/instructions, counted by callgrind; `{RENEW}` writes this file.\n# {}\n\
         # work, instructions, units, instructions a unit\n",
        versions.join(", ")
    );
    for Count { work, instructions, units } in counted {
        // A String takes everything.
        let _ = writeln!(text, "{work} {instructions} {units} {}", instructions / units.max(&1));
    }
    Ok(text)
}

/// Prints each count beside the recorded one; fails where one rose beyond the tolerance.
fn compare(counted: &[Count], recorded: &str) -> Outcome {
    let before = |work: &str| {
        let line = recorded.lines().find(|line| line.split(' ').next() == Some(work))?;
        line.split(' ').nth(1)?.parse::<u64>().ok()
    };
    let mut risen = Vec::new();
    println!("{:<22} {:>12} {:>12} {:>8} {:>12}", "instructions", "now", "recorded", "", "a unit now");
    for Count { work, instructions, units } in counted {
        let Some(before) = before(work) else {
            risen.push(format!("{work} is not recorded"));
            continue;
        };
        let change = *instructions as f64 / before as f64 - 1.0;
        println!(
            "{work:<22} {instructions:>12} {before:>12} {:>+7.1}% {:>12}",
            change * 100.0,
            instructions / units.max(&1)
        );
        if change > TOLERANCE {
            risen.push(format!("{work} takes {:.0} % more instructions than recorded", change * 100.0));
        } else if change < -TOLERANCE {
            println!("  {work} became cheaper: `{RENEW}` guards what was won");
        }
    }
    if risen.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}. Find what costs them (`valgrind --tool=callgrind` on target/release/instructions, then \
         `callgrind_annotate`), or, where they are worth it or the compiler is to blame, run `{RENEW}` and commit {RECORD}",
        risen.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(instructions: u64) -> Vec<Count> {
        vec![Count { work: "picker".to_owned(), instructions, units: 10 }]
    }

    #[test]
    fn what_rises_beyond_the_tolerance_fails_and_says_what_to_do() {
        let recorded = "# work, instructions\npicker 1000 10 100\n";
        assert_eq!(compare(&counted(1_090), recorded), Ok(()));
        assert_eq!(compare(&counted(500), recorded), Ok(()));
        let error = compare(&counted(1_200), recorded).unwrap_err();
        assert!(error.contains("picker takes 20 % more") && error.contains(RENEW), "{error}");
        assert!(compare(&counted(1_000), "picker-large 1000 10 100\n").is_err());
    }
}
