//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer, with the stable compiler.
//!
//! Without a sanitizer: this code has no `unsafe`, so that a panic is what can be found, and only sanitizers need a nightly
//! compiler. Overflow checks and debug assertions are on. Each target starts from `fuzz/seeds` and what earlier runs here
//! found (`fuzz/corpus`, not committed); what makes it panic is left in `fuzz/artifacts`.

use crate::steps::{self, Outcome, cargo, output, program, succeeds};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Where all targets' runs are written down.
const REPORT: &str = "docs/fuzzing.md";

/// The longest input, in bytes: longer than any datagram that is not jumbo (arbitrary).
const MAX_LEN: u32 = 4_096;

/// What a run of a target came to.
struct Run {
    target: String,
    executions: String,
    /// Edges of the program that some input reached.
    edges: String,
}

/// Runs one fuzz target for some seconds, or all of them for a minute each when none is named, and then writes it down.
pub fn fuzz(arguments: &[String]) -> Outcome {
    let (named, seconds) = match arguments {
        [] => (None, "60"),
        [target] => (Some(target), "60"),
        [target, seconds] => (Some(target), seconds.as_str()),
        _ => return Err("at most a target and a number of seconds".to_owned()),
    };
    seconds.parse::<u32>().map_err(|_| format!("`{seconds}` is not a number of seconds"))?;
    if !succeeds(cargo().args(["fuzz", "--version"])) {
        return Err(
            "cargo-fuzz is missing: `cargo install cargo-fuzz --locked`; it needs a C++ compiler too".to_owned()
        );
    }
    let all = targets()?;
    if let Some(name) = named.filter(|name| *name != "all") {
        if !all.contains(name) {
            return Err(format!("there is no fuzz target `{name}`; there are: all {}", all.join(" ")));
        }
        return run(name, seconds).map(|_| ());
    }
    let runs = all.iter().map(|target| run(target, seconds)).collect::<Outcome<Vec<Run>>>()?;
    report(&runs, seconds)
}

fn targets() -> Outcome<Vec<String>> {
    let entries = std::fs::read_dir(steps::root().join("fuzz/fuzz_targets")).map_err(|error| error.to_string())?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}

fn run(target: &str, seconds: &str) -> Outcome<Run> {
    let (corpus, seeds) = (format!("fuzz/corpus/{target}"), format!("fuzz/seeds/{target}"));
    std::fs::create_dir_all(steps::root().join(&corpus)).map_err(|error| format!("{corpus}: {error}"))?;
    let mut command = cargo();
    command.args(["fuzz", "run", "--sanitizer", "none", target, &corpus]);
    if steps::root().join(&seeds).is_dir() {
        command.arg(seeds);
    }
    command.args(["--", &format!("-max_total_time={seconds}"), &format!("-max_len={MAX_LEN}"), "-print_final_stats=1"]);
    println!("\n== {target}, {seconds} s");
    let started = command.stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| format!("cargo fuzz did not start: {error}"))?;
    let mut run = Run { target: target.to_owned(), executions: String::new(), edges: String::new() };
    // libFuzzer says everything on stderr; its lines of progress would fill the screen.
    for line in child.stderr.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
            number.trim().clone_into(&mut run.executions);
        }
        if let Some((_, rest)) = line.split_once(" cov: ") {
            rest.split(' ').next().unwrap_or_default().clone_into(&mut run.edges);
        }
        if !line.starts_with('#') || line.contains("DONE") {
            eprintln!("{line}");
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(run) } else { Err(format!("{target} found something, or could not be built ({status})")) }
}

/// Writes what was run, when, of which commit.
fn report(runs: &[Run], seconds: &str) -> Outcome {
    let commit = steps::commit()?;
    let date = output(program("date").args(["-u", "+%Y-%m-%d"]))?;
    let mut text = format!(
        "# What was fuzzed\n\nWritten by `cargo xtask fuzz`; do not edit.\n\n- date: {date}\n- commit: {commit}\n- command: \
         `cargo xtask fuzz all {seconds}`: {seconds} s a target, one after the other; nothing was found\n\n\
         | target | executions | edges reached |\n| --- | ---: | ---: |\n"
    );
    for Run { target, executions, edges } in runs {
        text.push_str(&format!("| {target} | {executions} | {edges} |\n"));
    }
    std::fs::write(steps::root().join(REPORT), text).map_err(|error| format!("{REPORT}: {error}"))?;
    println!("written: {REPORT}");
    Ok(())
}
