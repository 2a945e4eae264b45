//! The `compeer` command.

mod args;

use clap::Parser;

fn main() {
    let _ = args::Cli::parse();
}
