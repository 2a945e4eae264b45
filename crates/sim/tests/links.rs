//! uTP over simulated links: it fills those that are free, leaves those that are not, and stalls on none.

use std::time::Duration;

use sim::link::{Flow, Path, Plan, Row, run, stream};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Runs random streams twice each.
fn streams(seeds: impl IntoIterator<Item = u64>) {
    let (mut dropped, mut bytes) = (0, 0);
    for seed in seeds {
        let first = stream(seed);
        assert!(first.is_ok(), "{first:?}: cargo run -p sim -- --streams --seed {seed}");
        assert_eq!(first, stream(seed), "{seed}");
        let stats = first.unwrap_or_default();
        (dropped, bytes) = (dropped + stats.dropped, bytes + stats.bytes);
    }
    // Streams to which nothing happens prove little.
    assert!(dropped > 20 && bytes > 1_000_000, "{dropped} of {bytes}");
}

#[test]
fn random_streams_over_random_links_arrive_whole_and_do_not_stall() {
    streams((0..24).step_by(2));
}

#[test]
fn more_random_streams_arrive_whole_and_do_not_stall() {
    streams((1..24).step_by(2));
}

#[test]
fn a_free_link_is_filled_and_tcp_keeps_what_it_has() {
    for (mbit, round_trip) in [(1, 50), (4, 20), (4, 100)] {
        let row = Row::measure(Path::clean(mbit * 1_000_000, MS(round_trip), MS(200)), 40);
        assert!(row.is_good(), "{row}");
        // No more waits in the queue than is aimed at, give or take a packet.
        assert!(row.delay < MS(115), "{row}");
    }
}

#[test]
fn clocks_that_drift_make_no_queue() {
    for drift_ppm in [-200, 200] {
        let path = Path { drift_ppm, ..Path::clean(2_000_000, MS(50), MS(400)) };
        let flows = vec![(Flow::Utp, MS(0))];
        let measure = (Duration::from_secs(60), Duration::from_secs(120));
        let measured = run(Plan { seed: 3, path: path.clone(), flows, measure });
        assert!(measured.used(&path) > 0.9, "{measured:?}");
        assert!(measured.queue_delay < MS(150), "{measured:?}");
    }
}
