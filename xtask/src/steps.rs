//! Running commands, each announced with the time since the start, so that a log shows where the minutes went.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Says in words what went wrong and what to do; `main` prints it and fails.
pub type Outcome<T = ()> = Result<T, String>;

/// The checkout that this program was built from.
pub fn root() -> PathBuf {
    // `cargo xtask` sets the variable at run time; the value at compile time serves a binary started by hand.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(manifest).parent().map(Path::to_path_buf).unwrap_or_else(|| PathBuf::from("."))
}

/// The folder that cargo builds into.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command in the root of the checkout.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    // These describe the package xtask, not one that a cargo below the command will build: with them build scripts run
    // again, and half of the program is built twice.
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&key);
        }
    }
    command
}

/// The steps of one run, numbered and timed.
pub struct Steps {
    started: Instant,
    done: Vec<(String, u64)>,
}

impl Steps {
    /// Starts the clock.
    pub fn new() -> Self {
        Self { started: Instant::now(), done: Vec::new() }
    }

    /// Announces a step, does it, and notes how long it took.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let began = Instant::now();
        println!("\n== {name} (at {} s)", self.started.elapsed().as_secs());
        let result = work();
        self.done.push((name.to_owned(), began.elapsed().as_secs()));
        result.map_err(|why| format!("{name}: {why}"))
    }

    /// Prints what each step took.
    pub fn summary(&self) {
        println!("\n== {} s in all", self.started.elapsed().as_secs());
        for (name, seconds) in &self.done {
            println!("{seconds:>6} s  {name}");
        }
    }
}

/// Runs a command with our own input and output; its failure is ours.
pub fn run(command: &mut Command) -> Outcome {
    println!("$ {}", words(command));
    let status = command.status().map_err(|error| format!("`{}` did not start: {error}", words(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", words(command))) }
}

/// Whether a command exists and succeeds, without any output.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// What a command printed, without the last line break.
pub fn output(command: &mut Command) -> Outcome<String> {
    let out = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{}` did not start: {error}", words(command)))?;
    if !out.status.success() {
        return Err(format!("`{}` failed ({})", words(command), out.status));
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim_end().to_owned())
}

/// The commit that is measured, for a report, and whether it is all that is measured: reports themselves do not count.
pub fn commit() -> Outcome<String> {
    let commit = output(program("git").args(["rev-parse", "--short", "HEAD"]))?;
    let changes = ["status", "--porcelain", "--", ".", ":!docs/proof.md", ":!docs/fuzzing.md"];
    let clean = output(program("git").args(changes))?.is_empty();
    Ok(if clean { commit } else { format!("{commit} with uncommitted changes") })
}

fn words(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
