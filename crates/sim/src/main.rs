//! Replays a seed of the simulator: `cargo run -p sim -- --seed 7 --log`. `cargo run --release -p sim -- dht` runs the DHT,
//! `cargo run --release -p sim -- gossip` a topic of gossip, `-- roster` groups of people, `-- chat` people who talk;
//! `-- envelopes` changes a million sealed letters; `-- --links` measures uTP on simulated links.

#[path = "main/chat.rs"]
mod chat;
#[path = "main/dht.rs"]
mod dht;
#[path = "main/envelopes.rs"]
mod envelopes;
#[path = "main/gossip.rs"]
mod gossip;
#[path = "main/roster.rs"]
mod roster;
#[path = "main/seeds.rs"]
mod seeds;

use std::process::ExitCode;

use sim::link::{print_table, stream};
use sim::{Scenario, Swarm};

const USAGE: &str = "usage: sim [--seed N] [--runs N] [--nodes N] [--log]
       sim dht [curve] [hostile] [idle] [--nodes N] [--seed N]
       sim roster [--seed N] [--runs N] [--log]
       sim chat [--seed N] [--seeds A..B] [--small] [--olm] [--log]
       sim envelopes [--seed N] [--count N]
       sim gossip [--nodes N] [--seed N] [--runs N]
  --seed   the first seed (0)
  --runs   how many seeds, one after the other (1)
  --nodes  how many nodes want the content (drawn from the seed)
  --log    print all that happens
       sim --links                          the table of what uTP makes of links, alone and beside TCP
       sim --streams [--seed N] [--runs N]  random uTP streams over random links";

fn main() -> ExitCode {
    let (mut seed, mut runs, mut nodes, mut log) = (0, 1, None, false);
    let mut streams = false;
    let mut words = std::env::args().skip(1);
    if std::env::args().nth(1).as_deref() == Some("dht") {
        return dht::run(words.skip(1)).unwrap_or_else(usage);
    }
    if std::env::args().nth(1).as_deref() == Some("roster") {
        return roster::run(words.skip(1)).unwrap_or_else(usage);
    }
    if std::env::args().nth(1).as_deref() == Some("chat") {
        return chat::run(words.skip(1)).unwrap_or_else(usage);
    }
    if std::env::args().nth(1).as_deref() == Some("envelopes") {
        return envelopes::run(words.skip(1)).unwrap_or_else(usage);
    }
    if std::env::args().nth(1).as_deref() == Some("gossip") {
        return gossip::run(words.skip(1)).unwrap_or_else(usage);
    }
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|number| number.parse::<u64>().ok());
        let known = match word.as_str() {
            "--seed" => number().map(|n| seed = n).is_some(),
            "--runs" => number().map(|n| runs = n).is_some(),
            "--nodes" => number().map(|n| nodes = Some(n as usize)).is_some(),
            "--links" => return if print_table() { ExitCode::SUCCESS } else { ExitCode::FAILURE },
            "--streams" => {
                streams = true;
                true
            }
            "--log" => {
                log = true;
                true
            }
            _ => false,
        };
        if !known {
            return usage();
        }
    }
    if streams {
        return run_streams(seed, runs);
    }
    let mut failed = false;
    for seed in seed..seed + runs {
        let outcome = Swarm::run(Scenario::random(seed, nodes), log);
        let seconds = outcome.elapsed.as_secs_f64();
        println!("seed {seed}: {seconds:.1} s, trace {:016x}, {:?}", outcome.trace, outcome.stats);
        if let Some(failure) = outcome.failure {
            println!("seed {seed} failed: {failure:?}");
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// Runs seeds one after the other and sums them up.
fn run_streams(first: u64, runs: u64) -> ExitCode {
    let (mut bytes, mut sent, mut dropped, mut failed) = (0, 0, 0, 0);
    for seed in first..first + runs {
        match stream(seed) {
            Ok(stats) if runs == 1 => println!("seed {seed}: {stats:?}"),
            Ok(stats) => {
                (bytes, sent, dropped) = (bytes + stats.bytes, sent + stats.sent, dropped + stats.dropped);
            }
            Err(failure) => {
                eprintln!("seed {seed} failed: {failure:?}");
                failed += 1;
            }
        }
    }
    println!("streams: {runs}, failed: {failed}, bytes: {bytes}, datagrams: {sent}, lost: {dropped}");
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
