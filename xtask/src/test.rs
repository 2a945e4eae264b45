//! `cargo xtask test`: everything that must pass before a change lands.
//!
//! The order is quick first, and everything that needs the network (crates, packages, a wheel) before the namespace without
//! a route is entered. The interop tests use the `compeer` of the dev profile, which `cargo test` has built anyway, with its
//! overflow checks and debug assertions on: nothing is built in a second profile but the small program whose instructions
//! are counted.

use crate::steps::{self, Outcome, Steps, cargo, run};
use crate::{counterparts, instructions, namespace, tidy};

/// Reads `--yes` (install foreign programs without asking) and `--only WORD` (interop alone, the tests that have the word).
pub fn options(arguments: &[String]) -> Outcome<(bool, Option<String>)> {
    let (mut yes, mut only) = (false, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--yes" | "-y" => yes = true,
            "--only" => only = Some(rest.next().ok_or("--only needs a word")?.clone()),
            other => return Err(format!("`{other}` is not an option here; see `cargo xtask help`")),
        }
    }
    Ok((yes, only))
}

/// `cargo xtask test`.
pub fn test(arguments: &[String]) -> Outcome {
    let (yes, only) = options(arguments)?;
    let mut steps = Steps::new();
    let result = if let Some(word) = only { one(&mut steps, yes, &word) } else { all(&mut steps, yes) };
    steps.summary();
    result
}

fn all(steps: &mut Steps, yes: bool) -> Outcome {
    steps.step("formatting", || run(cargo().args(["fmt", "--all", "--check"])))?;
    steps.step("tidy", tidy::run)?;
    steps.step("foreign programs", || counterparts::ensure(yes))?;
    steps.step("clippy", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))
    })?;
    // One command for tests and program, so that both see the same features of every dependency.
    steps.step("building", || run(cargo().args(["build", "--workspace", "--all-targets", "--locked"])))?;
    steps.step("tests of the workspace, without a route", || {
        let cargo = cargo().get_program().to_string_lossy().into_owned();
        run(&mut namespace::command(r#""$1" test --workspace --locked --offline --no-fail-fast"#, &[&cargo])?)
    })?;
    // A small program of the pure crates alone, since counts of the dev profile say nothing.
    steps.step("instruction counts", || instructions::instructions(&[]))?;
    steps.step("interop, without a route", || interop(&[]))
}

fn one(steps: &mut Steps, yes: bool, word: &str) -> Outcome {
    steps.step("foreign programs", || counterparts::ensure(yes))?;
    steps.step("building compeer", || {
        run(cargo().args(["build", "--package", "cli", "--package", "overlay", "--bins", "--examples", "--locked"]))
    })?;
    steps.step("interop, without a route", || interop(&["--only", word]))
}

/// Runs the interop tests in a namespace of their own, with the `compeer` of the dev profile.
pub fn interop(options: &[&str]) -> Outcome {
    let python = counterparts::python();
    let script = steps::root().join("interop/run.py");
    let binary = steps::target().join("debug").join(format!("compeer{}", std::env::consts::EXE_SUFFIX));
    let mut arguments = vec![python.to_string_lossy(), script.to_string_lossy()];
    arguments.extend(options.iter().map(|&option| option.into()));
    let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let mut command = namespace::command(r#""$@""#, &arguments)?;
    run(command.env("COMPEER", &binary).env("BENCH_PEERS", counterparts::cache()))
}
