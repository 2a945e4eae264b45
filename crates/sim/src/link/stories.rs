//! Random streams over random links: none may stall, and what arrives is what was sent.
//!
//! Both ends write and read in pieces of any size, with pauses, end their halves in any order, and give their keys back.

use std::io::IoSlice;
use std::time::Duration;

use base::Instant;
use utp::{Event as UtpEvent, StreamError};

use super::UDP_HEADERS;
use super::host::{Host, drain};
use super::path::{Direction, Path};
use crate::queue::Queue;
use crate::trace::Fnv;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Nothing moves for so long at most, pauses of the applications aside: several time limits in a row, each twice as long as
/// the one before, on a link that loses every twentieth packet.
const MAX_STALL: Duration = Duration::from_secs(60);
/// The longest pause of an application.
const MAX_PAUSE: Duration = Duration::from_secs(3);
/// How long the endpoints may remember connections that both gave back.
const MAX_LINGER: Duration = Duration::from_secs(70);

/// How a stream failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFailure {
    /// Nothing moved for long, at this time.
    Stalled(Duration),
    /// A side read another byte than was written, at this place.
    Corrupt(usize, u64),
    /// A side's stream ended with this many bytes too few.
    Short(usize, u64),
    /// A connection failed.
    Failed(StreamError),
    /// An endpoint remembers a connection that is over.
    Left(usize),
}

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Bytes in both directions.
    pub bytes: u64,
    /// Datagrams sent, dropped by the queue or by chance.
    pub sent: u64,
    /// Datagrams dropped.
    pub dropped: u64,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// A hash of all that happened.
    pub trace: u64,
}

#[derive(Debug)]
enum Event {
    Datagram { to: usize, bytes: Vec<u8> },
    Timer { side: usize },
    Resume { side: usize },
}

#[derive(Debug)]
struct Side {
    host: Host,
    wants_to_write: u64,
    written: u64,
    read: u64,
    paused_until: Instant,
    has_ended: bool,
    saw_end: bool,
    is_closed: bool,
}

struct World {
    now: Instant,
    rng: fastrand::Rng,
    queue: Queue<Event>,
    directions: [Direction; 2],
    sides: [Side; 2],
    pauses: f64,
    moved_at: Instant,
    trace: Fnv,
}

/// Draws a link and a pair of streams.
fn draw(rng: &mut fastrand::Rng) -> (Path, [u64; 2]) {
    let bits_per_s = (1e6 * 1000_f64.powf(rng.f64())) as u64;
    let mut path = Path::clean(bits_per_s, MS(rng.u64(5..=300)), MS(rng.u64(10..=500)));
    path.drift_ppm = rng.i64(-200..=200);
    // Half of the links have only what happens to each of them.
    let mut some = |most: f64| if rng.bool() { rng.f64() * most } else { 0.0 };
    (path.loss, path.late, path.twice) = (some(0.05), some(0.1), some(0.05));
    path.late_by = MS(rng.u64(1..=80));
    // As much as the link carries in some seconds, but not so much that a run takes long.
    let most = (bits_per_s / 8 * 4).min(1_500_000);
    let length = |rng: &mut fastrand::Rng| if rng.u8(..4) == 0 { rng.u64(0..2_000) } else { rng.u64(0..most) };
    (path, [length(rng).max(1), length(rng)])
}

/// The byte at a place of a side's stream.
fn byte(side: usize, at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 ^ side as u8
}

/// Runs the streams of a seed to their end.
pub fn stream(seed: u64) -> Result<StreamStats, StreamFailure> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (path, lengths) = draw(&mut rng);
    let directions = [0, 1].map(|_| Direction::new(&path, rng.u64(..)));
    let sides = [0, 1].map(|side| Side {
        host: Host::new(side, rng.u64(..), path.drift_ppm),
        wants_to_write: lengths[side],
        written: 0,
        read: 0,
        paused_until: Instant::START,
        has_ended: false,
        saw_end: false,
        is_closed: false,
    });
    let pauses = if rng.bool() { 0.02 } else { 0.0 };
    let (now, queue, trace) = (Instant::START, Queue::new(), Fnv::new());
    let mut world = World { now, rng, queue, directions, sides, pauses, moved_at: now, trace };
    world.sides[0].host.connect(now);
    world.drive(0)?;
    let took = world.run(lengths)?;
    Ok(StreamStats {
        bytes: lengths.iter().sum(),
        sent: world.directions.iter().map(Direction::sent).sum(),
        dropped: world.directions.iter().map(Direction::dropped).sum(),
        milliseconds: took.since_start().as_millis() as u64,
        trace: world.trace.hash(),
    })
}

impl World {
    /// Returns when both had given their keys back.
    fn run(&mut self, lengths: [u64; 2]) -> Result<Instant, StreamFailure> {
        let mut closed_at = None;
        while let Some((at, event)) = self.queue.next() {
            self.now = at;
            match closed_at {
                None if at - self.moved_at > MAX_STALL => {
                    return Err(StreamFailure::Stalled(self.moved_at.since_start()));
                }
                Some(closed) if at - closed > MAX_LINGER => break,
                _ => {}
            }
            self.event(event)?;
            if closed_at.is_none() && self.sides.iter().all(|side| side.is_closed) {
                closed_at = Some(at);
            }
        }
        for (index, side) in self.sides.iter().enumerate() {
            let left = lengths[1 - index] - side.read;
            if left > 0 {
                return Err(StreamFailure::Short(index, left));
            }
            if side.host.endpoint.counts() != utp::Counts::default() {
                return Err(StreamFailure::Left(index));
            }
        }
        Ok(closed_at.unwrap_or(self.now))
    }

    fn event(&mut self, event: Event) -> Result<(), StreamFailure> {
        let side = match event {
            Event::Datagram { to, bytes } => {
                self.trace.add(self.now.since_start().as_nanos() as u64);
                self.trace.add(bytes.len() as u64 * 2 + to as u64);
                self.sides[to].host.received(self.now, &bytes);
                to
            }
            Event::Timer { side } => {
                if !self.sides[side].host.timer_fired(self.now) {
                    return Ok(());
                }
                side
            }
            Event::Resume { side } => side,
        };
        self.drive(side)
    }

    fn drive(&mut self, index: usize) -> Result<(), StreamFailure> {
        self.application(index)?;
        let (now, directions, queue) = (self.now, &mut self.directions, &mut self.queue);
        let host = &mut self.sides[index].host;
        drain(host, now, |bytes| {
            for at in directions[index].send(now, bytes.len() + UDP_HEADERS).arrivals() {
                queue.add(at, Event::Datagram { to: 1 - index, bytes: bytes.to_vec() });
            }
        });
        if let Some(at) = host.set_timer(now) {
            queue.add(at, Event::Timer { side: index });
        }
        Ok(())
    }

    /// The application reads and writes, or pauses.
    fn application(&mut self, index: usize) -> Result<(), StreamFailure> {
        let side = &mut self.sides[index];
        for event in std::mem::take(&mut side.host.events) {
            if let UtpEvent::Failed { error, .. } = event {
                return Err(StreamFailure::Failed(error));
            }
        }
        let Some(key) = side.host.key.filter(|_| !side.is_closed) else { return Ok(()) };
        if self.now < side.paused_until {
            return Ok(());
        }
        let now = side.host.now(self.now);
        let mut again = true;
        while again {
            again = false;
            if self.rng.f64() < self.pauses {
                let pause = MAX_PAUSE.mul_f64(self.rng.f64());
                side.paused_until = self.now + pause;
                self.moved_at = self.moved_at.max(side.paused_until);
                self.queue.add(side.paused_until, Event::Resume { side: index });
                return Ok(());
            }
            let length = self.rng.u64(1..=40_000).min(side.wants_to_write - side.written);
            let bytes: Vec<u8> = (side.written..side.written + length).map(|at| byte(index, at)).collect();
            if length > 0
                && let Ok(count) = side.host.endpoint.write(now, key, &[IoSlice::new(&bytes)])
            {
                side.written += count as u64;
                again = true;
            }
            let mut out = vec![0; self.rng.usize(1..=60_000)];
            match side.host.endpoint.read(now, key, &mut out) {
                Ok(0) => side.saw_end = true,
                Ok(count) => {
                    let wrong = out[..count].iter().zip(side.read..).find(|(b, at)| **b != byte(1 - index, *at));
                    if let Some((_, at)) = wrong {
                        return Err(StreamFailure::Corrupt(index, at));
                    }
                    side.read += count as u64;
                    self.moved_at = self.moved_at.max(self.now);
                    again = true;
                }
                Err(StreamError::WouldBlock) => {}
                Err(error) => return Err(StreamFailure::Failed(error)),
            }
        }
        if side.written == side.wants_to_write && !side.has_ended {
            side.has_ended = true;
            side.host.endpoint.shutdown(now, key);
        }
        if side.has_ended && side.saw_end {
            side.is_closed = true;
            side.host.endpoint.close(now, key);
            self.moved_at = self.moved_at.max(self.now);
        }
        Ok(())
    }
}
