//! The table of what uTP makes of links, alone and beside TCP.

use std::fmt;
use std::time::Duration;

use super::{Flow, Measured, Path, Plan, Tcp, run};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// What uTP is to use of a clean link at least, and what TCP is to keep beside it of what it has alone.
const WANTED: f64 = 0.9;
/// When uTP comes to a TCP flow that is under way.
const JOINS: Duration = Duration::from_secs(5);
/// Reno grows by a packet a round trip. On links that hold more packets than this it takes minutes to what it has alone, so
/// that beside it only CUBIC, which systems run there, can be measured.
const RENO_PACKETS: f64 = 1_000.0;

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The link.
    pub path: Path,
    /// What uTP delivers alone, as a part of the link's rate.
    pub alone: f64,
    /// How long packets waited then.
    pub delay: Duration,
    /// What it comes to beside each algorithm of TCP.
    pub beside: Vec<Beside>,
}

/// What becomes of a TCP flow when uTP joins.
#[derive(Clone, Debug)]
pub struct Beside {
    /// The algorithm.
    pub kind: Tcp,
    /// What it has alone, as a part of the link's rate.
    pub alone: f64,
    /// What it keeps of that.
    pub keeps: f64,
    /// What both use.
    pub both: f64,
}

fn measure(path: &Path, flows: Vec<(Flow, Duration)>, seconds: u64) -> Measured {
    // The beginning is another matter.
    let measure = (Duration::from_secs(seconds / 4), Duration::from_secs(seconds));
    run(Plan { seed: 1, path: path.clone(), flows, measure })
}

impl Row {
    /// Measures a link for so many seconds, alone and, where nothing is lost by chance, beside TCP.
    pub fn measure(path: Path, seconds: u64) -> Row {
        let utp = measure(&path, vec![(Flow::Utp, MS(0))], seconds);
        let held = (path.round_trip + path.queue).as_secs_f64() * path.bits_per_s as f64 / (1_500.0 * 8.0);
        let kinds: &[Tcp] = match path.loss > 0.0 {
            true => &[],
            false if held > RENO_PACKETS => &[Tcp::Cubic],
            false => &[Tcp::Cubic, Tcp::Reno],
        };
        let beside = kinds.iter().map(|&kind| {
            let alone = measure(&path, vec![(Flow::Tcp(kind), MS(0))], seconds).used(&path);
            let both = measure(&path, vec![(Flow::Utp, JOINS), (Flow::Tcp(kind), MS(0))], seconds);
            let keeps = both.bytes_per_s[1] * 8.0 / path.bits_per_s as f64 / alone;
            Beside { kind, alone, keeps, both: both.used(&path) }
        });
        let beside = beside.collect();
        Row { alone: utp.used(&path), delay: utp.queue_delay, path, beside }
    }

    /// Tells whether it is as it should be. What chance loses has no right figure: who takes losses for a full queue slows
    /// down.
    pub fn is_good(&self) -> bool {
        let alone = if self.path.loss > 0.0 { self.alone > 0.0 } else { self.alone >= WANTED };
        alone && self.beside.iter().all(|beside| beside.keeps >= WANTED)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        let (mbit, round_trip, queue) = (path.bits_per_s / 1_000_000, path.round_trip, path.queue);
        let percent = |part: f64| part * 100.0;
        write!(f, "link: {mbit} Mbit/s {round_trip:?} queue {queue:?} loss {:.1}%", percent(path.loss))?;
        write!(f, ", alone: {:.1}%, waits: {} ms", percent(self.alone), self.delay.as_millis())?;
        for Beside { kind, alone, keeps, both } in &self.beside {
            let (alone, keeps, both) = (percent(*alone), percent(*keeps), percent(*both));
            write!(f, ", {kind:?} keeps: {keeps:.1}% of {alone:.1}% (both {both:.1}%)")?;
        }
        if self.is_good() { Ok(()) } else { write!(f, ", verdict: short") }
    }
}

/// Measures links of 1 Mbit/s to 1 Gbit/s, round trips of 5 to 300 ms and losses of 0 to 5 %, and prints the table; tells
/// whether all is as it should be.
pub fn print_table() -> bool {
    let mut good = true;
    let mut row = |mbit: u64, path: Path| {
        // Slow links are cheap to simulate and need long to settle; a gigabit is millions of packets.
        let seconds = if mbit >= 1_000 {
            24
        } else if mbit >= 100 {
            60
        } else {
            240
        };
        let row = Row::measure(path, seconds);
        println!("{row}");
        good &= row.is_good();
    };
    for mbit in [1, 10, 100, 1_000] {
        for round_trip in [5, 50, 100, 300] {
            for queue in [100, 200, 500] {
                // A queue of 100 ms holds eight packets of a megabit, which is none to speak of.
                if mbit > 1 || queue > 100 {
                    row(mbit, Path::clean(mbit * 1_000_000, MS(round_trip), MS(queue)));
                }
            }
        }
        for round_trip in [5, 100, 300] {
            for loss in [0.001, 0.01, 0.05] {
                row(mbit, Path { loss, ..Path::clean(mbit * 1_000_000, MS(round_trip), MS(200)) });
            }
        }
    }
    good
}
