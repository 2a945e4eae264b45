//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer, with the stable compiler.
//!
//! Without a sanitizer: this code has no `unsafe`, so that a panic is what can be found, and only sanitizers need a nightly
//! compiler. Overflow checks and debug assertions are on. Each target starts from `fuzz/seeds` and what earlier runs here
//! found (`fuzz/corpus`, not committed); what makes it panic is left in `fuzz/artifacts`.

use crate::steps::{self, Outcome, cargo, output, program, succeeds};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Where the last run of each target is written down.
const REPORT: &str = "docs/fuzzing.md";

const HEAD: &str = "\
# What was fuzzed

Written by `cargo xtask fuzz`; do not edit. The last run of each target, in which it found nothing: `cargo xtask fuzz TARGET SECONDS`.

| target | date | commit | seconds | executions | edges reached |
| --- | --- | --- | ---: | ---: | ---: |
";

/// The longest input, in bytes: longer than any datagram that is not jumbo (arbitrary).
const MAX_LEN: u32 = 4_096;

/// What a run of a target came to.
struct Run {
    target: String,
    executions: String,
    /// Edges of the program that some input reached.
    edges: String,
}

/// Runs one fuzz target for some seconds, or all of them for a minute each when none is named, and writes each run down.
pub fn fuzz(arguments: &[String]) -> Outcome {
    let (named, seconds) = match arguments {
        [] => ("all", "60"),
        [target] => (target.as_str(), "60"),
        [target, seconds] => (target.as_str(), seconds.as_str()),
        _ => return Err("at most a target and a number of seconds".to_owned()),
    };
    seconds.parse::<u32>().map_err(|_| format!("`{seconds}` is not a number of seconds"))?;
    if !succeeds(cargo().args(["fuzz", "--version"])) {
        return Err(
            "cargo-fuzz is missing: `cargo install cargo-fuzz --locked`; it needs a C++ compiler too".to_owned()
        );
    }
    let all = targets()?;
    let chosen: Vec<&String> = all.iter().filter(|target| named == "all" || *target == named).collect();
    if chosen.is_empty() {
        return Err(format!("there is no fuzz target `{named}`; there are: all {}", all.join(" ")));
    }
    for target in chosen {
        let run = run(target, seconds)?;
        report(&all, &run, seconds)?;
    }
    println!("written: {REPORT}");
    Ok(())
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
    // Without `cfg(fuzzing)`: vodozemac leaves out its MACs then, and what is changed has to be refused.
    command.args(["fuzz", "run", "--sanitizer", "none", "--no-cfg-fuzzing", target, &corpus]);
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

/// Writes a run into the table, in place of the target's last one.
fn report(all: &[String], run: &Run, seconds: &str) -> Outcome {
    let path = steps::root().join(REPORT);
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let (date, commit) = (output(program("date").args(["-u", "+%Y-%m-%d"]))?, steps::commit()?);
    let Run { target, executions, edges } = run;
    let row = format!("| {target} | {date} | {commit} | {seconds} | {executions} | {edges} |");
    let mut text = HEAD.to_owned();
    for name in all {
        let start = format!("| {name} |");
        let last = before.lines().find(|line| line.starts_with(&start));
        match last {
            _ if name == target => text.push_str(&row),
            Some(last) => text.push_str(last),
            None => text.push_str(&format!("| {name} | not run yet | | | | |")),
        }
        text.push('\n');
    }
    std::fs::write(&path, text).map_err(|error| format!("{REPORT}: {error}"))
}
