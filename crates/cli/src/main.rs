//! The `compeer` command: reads the command line, then runs one command.
//!
//! Every command that moves data is a client of the node's API. Where no node runs in the home, `share` and `get` start
//! one inside themselves and talk to it in the same way.

mod args;
mod attach;
mod client;
mod commands;
mod follow;
mod interrupt;
mod link;
mod live;
mod out;
mod seeding;
mod show;

use std::process::ExitCode;

use clap::Parser;

/// The exit code of a command that Ctrl-C stopped before it was done: 128 + SIGINT, as shells count.
pub const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    log(cli.global.verbose);
    let code = match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            1
        }
    };
    // Not by returning: threads that still hash or copy must not delay the end. Everything that has to be durable is.
    std::process::exit(code.into());
}

fn log(verbose: u8) {
    let default = match verbose {
        0 => None,
        1 => Some("info"),
        2 => Some("debug"),
        _ => Some("trace"),
    };
    let chosen = std::env::var("COMPEER_LOG").ok().filter(|filter| !filter.is_empty());
    let Some(filter) = chosen.as_deref().or(default) else { return };
    let filter = tracing_subscriber::EnvFilter::new(filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
