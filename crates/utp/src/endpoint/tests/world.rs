//! Two endpoints, a clock, and the way between them.

use super::*;
use base::WallTime;
use std::collections::BTreeMap;

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// See the module. `ends[0]` is Alice, `ends[1]` is Bob.
pub(super) struct World {
    pub(super) ends: [Endpoint; 2],
    pub(super) rng: fastrand::Rng,
    time: Instant,
    /// Datagrams on their way: when they arrive, to whom.
    way: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    sent: u64,
    /// Chances of each datagram.
    pub(super) loss: f64,
    pub(super) duplication: f64,
    /// How long each is on its way, and at most longer.
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    /// Datagrams longer than this are lost.
    pub(super) mtu: usize,
    /// Every datagram that was sent: by whom, and its bytes.
    pub(super) seen: Vec<(usize, Vec<u8>)>,
    pub(super) events: [Vec<Event>; 2],
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let end = |n| Endpoint::new(Config::default(), fastrand::Rng::with_seed(seed * 2 + n));
        World {
            ends: [end(0), end(1)],
            rng: fastrand::Rng::with_seed(seed),
            time: Instant::START + ms(1),
            way: BTreeMap::new(),
            sent: 0,
            loss: 0.0,
            duplication: 0.0,
            delay: ms(10),
            jitter: ms(0),
            mtu: 1500,
            seen: Vec::new(),
            events: [Vec::new(), Vec::new()],
        }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.time, wall: WallTime(0) }
    }

    pub(super) fn address(of: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, of as u8 + 1], 6881))
    }

    pub(super) fn random(&mut self, length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.rng.u8(..)).take(length).collect()
    }

    /// Alice connects to Bob.
    pub(super) fn connect(&mut self) -> Key {
        let key = self.ends[0].connect(self.now(), World::address(1)).unwrap();
        self.run(Duration::from_secs(8));
        key
    }

    pub(super) fn accepted(&mut self, of: usize) -> Key {
        let incoming = |event: &Event| matches!(event, Event::Incoming { .. });
        match self.events[of].iter().find(|event| incoming(event)) {
            Some(Event::Incoming { key, .. }) => *key,
            _ => panic!("nobody connected: {:?}", self.events[of]),
        }
    }

    pub(super) fn write(&mut self, of: usize, key: Key, data: &[u8]) -> usize {
        match self.ends[of].write(self.now(), key, &[IoSlice::new(data)]) {
            Ok(taken) => taken,
            Err(StreamError::WouldBlock) => 0,
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) fn read(&mut self, of: usize, key: Key) -> Vec<u8> {
        let mut out = vec![0; 1 << 20];
        let length = self.ends[of].read(self.now(), key, &mut out).unwrap_or(0);
        out.truncate(length);
        out
    }

    pub(super) fn read_end(&mut self, of: usize, key: Key) -> Result<usize, StreamError> {
        self.ends[of].read(self.now(), key, &mut [0; 16])
    }

    /// Sends `data` and returns all that was read at the other end, in at most ten minutes.
    pub(super) fn transfer(&mut self, from: usize, writer: Key, to: usize, reader: Key, data: &[u8]) -> Vec<u8> {
        let (mut sent, mut got) = (0, self.read(to, reader));
        let until = self.time + Duration::from_secs(600);
        let want = got.len() + data.len();
        while self.time < until && got.len() < want {
            sent += self.write(from, writer, &data[sent..]);
            self.step(until);
            got.extend(self.read(to, reader));
        }
        got
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.time + time;
        while self.step(until) {}
        self.time = until;
    }

    /// Lets the next thing happen, if it does before `until`.
    pub(super) fn step(&mut self, until: Instant) -> bool {
        self.flush();
        let timers = self.ends.iter().filter_map(Endpoint::poll_timeout).min();
        let arrival = self.way.first_key_value().map(|(&(at, _), _)| at);
        let Some(next) = timers.into_iter().chain(arrival).min().filter(|next| *next <= until) else { return false };
        self.time = self.time.max(next);
        self.ends.iter().for_each(Endpoint::check);
        if arrival == Some(next) {
            let (_, (to, data)) = self.way.pop_first().unwrap();
            let input = Input::Received { from: World::address(1 - to), data: &data, stride: data.len() };
            self.ends[to].handle(self.now(), input);
        } else {
            for of in 0..2 {
                self.ends[of].handle(self.now(), Input::Timeout);
            }
        }
        self.flush();
        true
    }

    pub(super) fn flush(&mut self) {
        for of in 0..2 {
            let mut buffer = Vec::new();
            while let Some(transmit) = self.ends[of].poll_transmit(self.now(), 64, &mut buffer) {
                assert_eq!((transmit.to, transmit.len), (World::address(1 - of), buffer.len()));
                for datagram in buffer.chunks(transmit.stride) {
                    self.send(of, datagram);
                }
                buffer.clear();
            }
            self.events[of].extend(std::iter::from_fn(|| self.ends[of].poll_event()));
        }
    }

    /// Puts a datagram on its way.
    pub(super) fn send(&mut self, from: usize, datagram: &[u8]) {
        self.seen.push((from, datagram.to_vec()));
        let copies = 1 + usize::from(self.rng.f64() < self.duplication);
        for _ in 0..copies {
            if self.rng.f64() < self.loss || datagram.len() > self.mtu {
                continue;
            }
            let at = self.time + self.delay + self.jitter.mul_f64(self.rng.f64());
            self.sent += 1;
            self.way.insert((at, self.sent), (1 - from, datagram.to_vec()));
        }
    }
}
