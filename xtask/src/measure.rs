//! `cargo xtask bench` and `prove`: the long runs, which no change waits for.

use crate::steps::{self, Outcome, Steps, cargo, program, run};
use crate::{counterparts, namespace, test};
use std::process::Command;

/// Measures Compeer beside foreign clients and prints tables of ratios.
pub fn bench(arguments: &[String]) -> Outcome {
    let mut steps = Steps::new();
    steps.step("foreign programs", || {
        counterparts::ensure(false)?;
        run(program("bash").arg("bench/setup.sh").env("BENCH_PEERS", counterparts::cache()))
    })?;
    steps.step("building compeer and the floor", || {
        run(cargo().args(["build", "--release", "--package", "cli", "--package", "floor", "--locked"]))
    })?;
    steps.step("measuring, without a route", || {
        let python = counterparts::python();
        let mut words = vec![python.to_string_lossy().into_owned(), "bench/all.py".to_owned()];
        words.extend(arguments.iter().cloned());
        run(&mut inside(&words)?)
    })
}

/// Runs the long tests with the release build and writes what they measured.
pub fn prove(arguments: &[String]) -> Outcome {
    let (yes, only) = test::options(arguments)?;
    let commit = steps::commit()?;
    let mut steps = Steps::new();
    steps.step("foreign programs", || counterparts::ensure(yes))?;
    steps.step("building compeer and the simulator", || {
        run(cargo().args(["build", "--release", "--package", "cli", "--package", "sim", "--locked"]))
    })?;
    steps.step("the long runs, without a route", || {
        let python = counterparts::python().to_string_lossy().into_owned();
        let mut words: Vec<String> = vec![python, "interop/run.py".to_owned()];
        words.extend(["--prove", "docs/proof.md", "--commit"].map(str::to_owned));
        words.push(commit);
        if let Some(word) = only {
            words.extend(["--only".to_owned(), word]);
        }
        run(&mut inside(&words)?)
    })?;
    steps.summary();
    Ok(())
}

/// A command in a namespace without a route, that knows the release build of `compeer`.
fn inside(words: &[String]) -> Outcome<Command> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = namespace::command(r#""$@""#, &words)?;
    let binary = steps::target().join("release").join(format!("compeer{}", std::env::consts::EXE_SUFFIX));
    command.env("COMPEER", binary).env("BENCH_PEERS", counterparts::cache());
    Ok(command)
}
