//! A host with a uTP endpoint, a clock of its own, and a simple application.

use core::net::SocketAddr;
use std::io::IoSlice;
use std::time::Duration;

use base::{Instant, Now, WallTime};
use utp::{Config, Endpoint, Event, Input, Key};

/// What the application writes at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A clock that runs at its own speed.
#[derive(Clone, Copy, Debug)]
struct Clock {
    offset: Duration,
    ppm: i64,
}

impl Clock {
    fn local(&self, time: Instant) -> Instant {
        let nanos = time.since_start().as_nanos() as i64;
        let drift = (i128::from(nanos) * i128::from(self.ppm) / 1_000_000) as i64;
        Instant::START + self.offset + Duration::from_nanos((nanos + drift).max(0) as u64)
    }

    /// The first time at which the clock shows at least `local`.
    fn global(&self, local: Instant) -> Instant {
        let nanos = local.since_start().saturating_sub(self.offset).as_nanos();
        let time = nanos * 1_000_000 / (1_000_000 + i128::from(self.ppm)) as u128;
        Instant::START + Duration::from_nanos(time as u64 + 2)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) endpoint: Endpoint,
    clock: Clock,
    side: usize,
    pub(super) key: Option<Key>,
    chunk: Vec<u8>,
    timer: Option<Instant>,
    pub(super) events: Vec<Event>,
}

impl Host {
    pub(super) fn new(side: usize, seed: u64, drift_ppm: i64) -> Host {
        let mut rng = fastrand::Rng::with_seed(seed);
        // Clocks begin anywhere, also shortly before the count on the wire wraps.
        let clock =
            Clock { offset: Duration::from_micros(rng.u64(0..1 << 33)), ppm: if side == 0 { drift_ppm } else { 0 } };
        let endpoint = Endpoint::new(Config::default(), rng);
        Host { endpoint, clock, side, key: None, chunk: vec![0; CHUNK], timer: None, events: Vec::new() }
    }

    pub(super) fn now(&self, time: Instant) -> Now {
        Now { mono: self.clock.local(time), wall: WallTime(0) }
    }

    fn address(side: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, side as u8 + 1], 6881))
    }

    pub(super) fn connect(&mut self, time: Instant) {
        self.key = self.endpoint.connect(self.now(time), Host::address(1 - self.side));
    }

    pub(super) fn received(&mut self, time: Instant, bytes: &[u8]) {
        let input = Input::Received { from: Host::address(1 - self.side), data: bytes, stride: bytes.len() };
        self.endpoint.handle(self.now(time), input);
        self.take_events();
    }

    pub(super) fn take_events(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            if let Event::Incoming { key, .. } = event {
                self.key.get_or_insert(key);
            }
            self.events.push(event);
        }
    }

    /// Writes as much as there is room for.
    pub(super) fn fill(&mut self, time: Instant) {
        self.events.clear();
        let Some(key) = self.key else { return };
        while self.endpoint.write(self.now(time), key, &[IoSlice::new(&self.chunk)]).is_ok() {}
    }

    /// Reads all there is.
    pub(super) fn read_all(&mut self, time: Instant) -> u64 {
        self.events.clear();
        let Some(key) = self.key else { return 0 };
        let mut sum = 0;
        while let Ok(count @ 1..) = self.endpoint.read(self.now(time), key, &mut self.chunk) {
            sum += count as u64;
        }
        sum
    }

    /// Returns when to wake it, if that is sooner than said before.
    pub(super) fn set_timer(&mut self, time: Instant) -> Option<Instant> {
        let at = self.clock.global(self.endpoint.poll_timeout()?).max(time);
        if self.timer.is_some_and(|timer| timer <= at && timer >= time) {
            return None;
        }
        self.timer = Some(at);
        Some(at)
    }

    /// The time that was said has come; tells whether it is still meant.
    pub(super) fn timer_fired(&mut self, time: Instant) -> bool {
        if self.timer != Some(time) {
            return false;
        }
        self.timer = None;
        self.endpoint.handle(self.now(time), Input::Timeout);
        self.take_events();
        true
    }
}

/// Sends all there is to send.
pub(super) fn drain(host: &mut Host, time: Instant, mut send: impl FnMut(&[u8])) {
    let mut buffer = Vec::new();
    let now = host.now(time);
    while let Some(transmit) = host.endpoint.poll_transmit(now, 8, &mut buffer) {
        buffer.chunks(transmit.stride).for_each(&mut send);
        buffer.clear();
    }
    host.take_events();
}
