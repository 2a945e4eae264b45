//! What uTP costs a packet: `cargo bench -p utp --bench packet`.
//!
//! Two endpoints in one thread move bytes without any network, in batches as the system hands them out, and with one packet
//! at a time. The cost of both ends together must stay far below that of a system call (about a microsecond a packet).

use core::net::SocketAddr;
use std::io::IoSlice;
use std::time::{Duration, Instant as StdInstant};

use base::{Instant, Now, WallTime};
use utp::{Config, Endpoint, Event, Input, Key, Transmit};

const MIB: u64 = 1 << 20;
/// What every batch takes of the virtual time.
const ROUND: Duration = Duration::from_micros(50);

struct End {
    endpoint: Endpoint,
    address: SocketAddr,
    key: Option<Key>,
}

impl End {
    fn new(n: u8) -> End {
        let endpoint = Endpoint::new(Config::default(), fastrand::Rng::with_seed(u64::from(n)));
        End { endpoint, address: SocketAddr::from(([10, 0, 0, n], 6881)), key: None }
    }
}

/// What a run counts.
#[derive(Default)]
struct Counts {
    /// Datagrams from the sender, and from the reader.
    sent: [u64; 2],
    read: u64,
}

fn main() {
    println!("{:<40} {:>16} {:>8} {:>12}", "both ends", "ns a data packet", "MB/s", "acks a 100");
    for (name, segments, lost) in [
        ("44 packets a call", 44, 0),
        ("1 packet a call", 1, 0),
        ("44 packets a call, every 100th lost", 44, 100),
        ("44 packets a call, every 20th lost", 44, 20),
    ] {
        let start = StdInstant::now();
        let Counts { sent: [data, acks], read } = run(segments, lost);
        let time = start.elapsed();
        let (each, speed) = (time.as_nanos() as f64 / data as f64, read as f64 / 1e6 / time.as_secs_f64());
        println!("{name:<40} {each:>16.0} {speed:>8.0} {:>12.0}", acks as f64 * 100.0 / data as f64);
    }
}

fn run(segments: usize, lost: u64) -> Counts {
    let mut ends = [End::new(1), End::new(2)];
    let mut time = Instant::START;
    let now = |time| Now { mono: time, wall: WallTime(0) };
    ends[0].key = ends[0].endpoint.connect(now(time), ends[1].address);
    let (chunk, mut out, mut buffer) = (vec![7; 64 << 10], vec![0; 256 << 10], Vec::new());
    let mut counts = Counts::default();
    let total = if lost > 0 { 128 * MIB } else { 1024 * MIB };
    while counts.read < total {
        let before = counts.sent;
        time = time + ROUND;
        if let Some(key) = ends[0].key {
            // As much as a round carries.
            for _ in 0..4 {
                if ends[0].endpoint.write(now(time), key, &[IoSlice::new(&chunk)]).is_err() {
                    break;
                }
            }
        }
        for from in [0, 1] {
            let address = ends[from].address;
            loop {
                buffer.clear();
                let transmit = ends[from].endpoint.poll_transmit(now(time), segments, &mut buffer);
                let Some(Transmit { stride, .. }) = transmit else { break };
                for batch in buffer.chunks(if lost > 0 { stride } else { buffer.len() }) {
                    counts.sent[from] += batch.len().div_ceil(stride) as u64;
                    if from == 1 || lost == 0 || !counts.sent[0].is_multiple_of(lost) {
                        let input = Input::Received { from: address, data: batch, stride };
                        ends[1 - from].endpoint.handle(now(time), input);
                    }
                }
            }
        }
        for end in &mut ends {
            while let Some(event) = end.endpoint.poll_event() {
                if let Event::Incoming { key, .. } = event {
                    end.key = Some(key);
                }
            }
        }
        if let Some(key) = ends[1].key {
            while let Ok(count @ 1..) = ends[1].endpoint.read(now(time), key, &mut out) {
                counts.read += count as u64;
            }
        }
        // Where nothing moves, time jumps to what is waited for.
        if counts.sent == before
            && let Some(at) = ends.iter().filter_map(|end| end.endpoint.poll_timeout()).min()
        {
            time = time.max(at);
        }
        for end in &mut ends {
            if end.endpoint.poll_timeout().is_some_and(|at| at <= time) {
                end.endpoint.handle(now(time), Input::Timeout);
            }
        }
    }
    counts
}
