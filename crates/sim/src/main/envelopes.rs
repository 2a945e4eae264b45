//! `sim envelopes`: sealed letters that were changed on the way, a million unless told otherwise.

use std::process::ExitCode;
use std::thread::{available_parallelism, scope};
use std::time::Instant;

use chat::fuzzing::{Changed, changed};

/// Changes letters on all cores and prints what came of it; `None` where the words are wrong. A promise that is broken
/// panics with the seed.
pub(crate) fn run(mut words: impl Iterator<Item = String>) -> Option<ExitCode> {
    let (mut seed, mut count) = (0, 1_000_000);
    while let Some(word) = words.next() {
        let number: u64 = words.next()?.parse().ok()?;
        match word.as_str() {
            "--seed" => seed = number,
            "--count" => count = number,
            _ => return None,
        }
    }
    let began = Instant::now();
    let threads = available_parallelism().map_or(1, |threads| threads.get() as u64);
    let shares = (0..threads).map(|thread| (seed + thread, count / threads + u64::from(thread < count % threads)));
    let all: Option<Vec<Changed>> = scope(|scope| {
        let running: Vec<_> = shares.map(|(seed, count)| scope.spawn(move || changed(seed, count))).collect();
        running.into_iter().map(|thread| thread.join().ok()).collect()
    });
    let Some(all) = all else { return Some(ExitCode::FAILURE) };
    let sum = |which: fn(&Changed) -> u64| all.iter().map(which).sum::<u64>();
    let (outside, inside, opened) = (sum(|it| it.outside), sum(|it| it.inside), sum(|it| it.opened));
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "changed: {}, from outside and refused: {outside}, inside: {inside}, seconds: {seconds:.0}",
        outside + inside
    );
    println!("inside and refused: {}, opened to what was sealed: {opened}", inside - opened);
    Some(ExitCode::SUCCESS)
}
