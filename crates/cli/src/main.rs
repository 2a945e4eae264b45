//! The `compeer` command: reads the command line, then runs one command.
//!
//! Every command that moves data is a client of the node's API. Where no node runs in the home, `share` and `get` start
//! one inside themselves and talk to it in the same way.

mod activation;
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
use node::NodeError;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The exit code of a command that Ctrl-C stopped before it was done: 128 + SIGINT, as shells count.
pub const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => wrong_command_line(&error),
    };
    log(cli.global.verbose);
    let code = match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            if let Some(option) = option(&error) {
                eprintln!("({option})");
            }
            1
        }
    };
    // Not by returning: threads that still hash or copy must not delay the end. Everything that has to be durable is.
    std::process::exit(code.into());
}

/// Joins an error and its causes, leaving out a cause whose words were said before.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        _ if said.contains(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

/// Names what of the command line helps. The node's words name none of it: they are for the callers of its API, too.
fn option(error: &anyhow::Error) -> Option<&'static str> {
    match error.chain().find_map(|cause| cause.downcast_ref::<NodeError>())? {
        NodeError::NoHome | NodeError::File { .. } => Some("--home DIR names the data directory"),
        NodeError::Api { .. } => Some("--api ADDR:PORT names another"),
        error if error.is_about_listening() => Some("--listen ADDR:PORT names another"),
        _ => None,
    }
}

/// Says what is wrong with the command line in a sentence or two; help and version are printed whole.
fn wrong_command_line(error: &clap::Error) -> ! {
    use clap::error::ErrorKind;
    let whole =
        [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    if whole.contains(&error.kind()) {
        error.exit();
    }
    let text = error.to_string();
    let usage = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
    // 3: the sentence, what it names, a tip.
    for line in text.lines().filter(|line| !line.trim().is_empty()).take_while(usage).take(3) {
        eprintln!("{line}");
    }
    eprintln!("(--help shows what can be written)");
    std::process::exit(2);
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
    // What is wrong in a filter falls back to warnings: nobody asked for a log that way.
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(filter).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let taken = anyhow::anyhow!("the port is taken");
        let twice = taken.context("node: the port is taken; choose another").context("cannot start");
        assert_eq!(sentence(&twice), "cannot start: node: the port is taken; choose another");
    }

    #[test]
    fn what_the_command_line_can_do_is_said_beside_the_words_of_the_node() {
        let error = anyhow::Error::from(NodeError::NoHome).context("cannot start");
        assert!(!sentence(&error).contains("--"), "{}", sentence(&error));
        assert!(option(&error).unwrap().contains("--home"));
        assert_eq!(option(&anyhow::anyhow!("another")), None);
    }
}
