//! Everything that a developer can run: `cargo xtask test`, `tidy`, `vendor`, `bench`, `prove`, `fuzz`.
//!
//! This program uses the standard library alone, so that it is built in seconds and never waits for the product.

mod counterparts;
mod fuzz;
mod instructions;
mod measure;
mod namespace;
mod steps;
mod test;
mod tidy;
mod vendor;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  test [--yes] [--only WORD]  everything that must pass before a change lands: formatting, clippy, tidy, all tests of the
                              workspace, and the interop tests with foreign programs. On Debian it installs what is missing:
                              asks first, --yes answers yes. --only WORD runs just the interop tests whose name has WORD
  instructions [--renew]      counts the instructions of the torrent state machine, the wire codec and the picker (valgrind)
                              and compares them with bench/instructions/counts.txt; part of `test`. --renew writes it anew
  tidy                        the rules of the source tree that no other tool knows
  vendor                      fetches the libraries of the web page anew (npm), and writes down what they are
  bench [--full] [--clients a,b]
                              measures Compeer and foreign clients side by side; a table of ratios (--full: 1 GiB, five times)
  prove [--yes] [--only WORD] the long runs; writes what it measured to docs/proof.md
  fuzz [TARGET|all [SECONDS]] runs a fuzz target of fuzz/, or all, for a minute each (needs `cargo install cargo-fuzz` and a C++
                              compiler); writes what it ran to docs/fuzzing.md
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match command {
        "test" => test::test(rest),
        "tidy" => tidy::run(),
        "vendor" => vendor::vendor(),
        "bench" => measure::bench(rest),
        "instructions" => instructions::instructions(rest),
        "prove" => measure::prove(rest),
        "fuzz" => fuzz::fuzz(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no command `{other}`.\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
