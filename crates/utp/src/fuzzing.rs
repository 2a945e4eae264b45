//! The body of the fuzz target: arbitrary bytes as a datagram and as a history of an endpoint. It panics where a promise is
//! broken. The property test below drives it too, so that it cannot rot.

use core::net::SocketAddr;
use std::io::IoSlice;
use std::time::Duration;

use base::{Instant, Now, WallTime};

use crate::{Config, Endpoint, Event, HEADER_LEN, Header, Input, Key, Kind, Packet, is_utp};

/// What an endpoint under attack may keep; small, so that the limits are met.
const LIMITS: Config = Config {
    accept: true,
    max_connections: 12,
    max_half_open: 4,
    max_receive_window: 256 << 10,
    max_send_buffer: 256 << 10,
    send_memory: 1 << 20,
    receive_memory: 256 << 10,
};

/// A datagram alone, and then commands to an endpoint: packets from strangers and from who is connected, reads, writes, ends,
/// and time. Whatever comes, strangers are answered with no more bytes than they sent, and the limits hold.
pub fn endpoint(data: &[u8]) {
    decode(data);
    let mut world = World::new();
    for command in data.chunks(24) {
        world.obey(command);
    }
    world.finish();
}

/// What can be read can be written, and means the same.
fn decode(data: &[u8]) {
    let Some(packet) = Packet::decode(data) else { return };
    assert!(is_utp(data));
    let mut again = Vec::new();
    let sack = &packet.sack[..packet.sack.len().min(crate::MAX_SACK_LEN)];
    packet.header.encode(sack, &mut again);
    again.extend_from_slice(packet.payload);
    assert_eq!(Packet::decode(&again), Some(Packet { sack, ..packet }));
}

struct World {
    endpoint: Endpoint,
    time: Instant,
    keys: Vec<Key>,
    /// The last header that each address was sent.
    seen: [Option<Header>; 4],
    received: usize,
    sent: usize,
    /// There has been no connection that somebody owns.
    strangers_only: bool,
}

impl World {
    fn new() -> World {
        let endpoint = Endpoint::new(LIMITS, fastrand::Rng::with_seed(7));
        World {
            endpoint,
            time: Instant::START,
            keys: Vec::new(),
            seen: [None; 4],
            received: 0,
            sent: 0,
            strangers_only: true,
        }
    }

    fn now(&self) -> Now {
        Now { mono: self.time, wall: WallTime(0) }
    }

    fn address(at: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, at % 4], 6881))
    }

    fn obey(&mut self, command: &[u8]) {
        let mut bytes = [0; 24];
        bytes[..command.len()].copy_from_slice(command);
        let [what, at, a, b, ..] = bytes;
        let now = self.now();
        let key = self.keys.get(usize::from(at) % self.keys.len().max(1)).copied();
        match (what % 10, key) {
            (0, _) => self.keys.extend(self.endpoint.connect(now, World::address(at))),
            (1, Some(key)) => drop(self.endpoint.write(now, key, &[IoSlice::new(&vec![a; usize::from(b) * 64])])),
            (2, Some(key)) => drop(self.endpoint.read(now, key, &mut vec![0; usize::from(b) * 64])),
            (3, Some(key)) => self.endpoint.shutdown(now, key),
            (4, Some(key)) => self.endpoint.close(now, key),
            (5, Some(key)) => self.endpoint.reset(now, key),
            (6, _) => {
                self.time = self.time + Duration::from_millis(u64::from(a) * u64::from(b));
                self.endpoint.handle(self.now(), Input::Timeout);
            }
            (7, _) => self.endpoint.handle(now, Input::TooLarge { to: World::address(at), length: usize::from(a) * 8 }),
            // Bytes as they are.
            (8, _) => self.receive(at, &bytes[2..]),
            // A packet that fits what was last sent there, a little off.
            _ => self.answer(at, &bytes[2..]),
        }
        self.drain();
    }

    fn answer(&mut self, at: u8, bytes: &[u8]) {
        let Some(seen) = self.seen[usize::from(at % 4)] else { return };
        let kind = [Kind::Data, Kind::Fin, Kind::State, Kind::Reset, Kind::Syn][usize::from(bytes[0] % 5)];
        let header = Header {
            kind,
            connection: seen.connection.wrapping_add(u16::from(bytes[1] % 3)).wrapping_sub(u16::from(bytes[1] % 2)),
            timestamp_us: u32::from(bytes[2]) << 16,
            timestamp_difference_us: u32::from(bytes[3]) << 12,
            window: u32::from(bytes[4]) << 12,
            seq: seen.ack.wrapping_add(u16::from(bytes[5] % 8)),
            ack: seen.seq.wrapping_add(u16::from(bytes[6] % 4)).wrapping_sub(1),
        };
        let sack = if bytes[7].is_multiple_of(2) { &bytes[8..12] } else { &[][..] };
        let mut packet = Vec::new();
        header.encode(sack, &mut packet);
        packet.resize(packet.len() + usize::from(bytes[12]) * 8, bytes[13]);
        self.receive(at, &packet);
    }

    fn receive(&mut self, at: u8, datagram: &[u8]) {
        self.received += datagram.len();
        let input = Input::Received { from: World::address(at), data: datagram, stride: datagram.len() };
        self.endpoint.handle(self.now(), input);
    }

    fn drain(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            if let Event::Incoming { key, .. } = event {
                self.keys.push(key);
            }
        }
        let mut buffer = Vec::new();
        // Each connection may send a window or two; more without an answer is a spin.
        for turn in 0.. {
            assert!(turn < 10_000, "it sends without end");
            let Some(transmit) = self.endpoint.poll_transmit(self.now(), 4, &mut buffer) else { break };
            assert_eq!(transmit.len, buffer.len());
            assert!(transmit.stride <= transmit.len && transmit.len <= transmit.stride * 4);
            for datagram in buffer.chunks(transmit.stride) {
                assert!((HEADER_LEN..=crate::MAX_DATAGRAM_LEN).contains(&datagram.len()));
                let packet = Packet::decode(datagram).expect("what is sent can be read");
                let at = (0..4).find(|at| World::address(*at) == transmit.to).expect("nobody else is known");
                self.seen[usize::from(at)] = Some(packet.header);
            }
            self.sent += transmit.len;
            buffer.clear();
        }
        let counts = self.endpoint.counts();
        assert!(counts.open + counts.half_open + counts.closing <= LIMITS.max_connections);
        assert!(counts.half_open <= LIMITS.max_half_open);
        self.strangers_only &= self.keys.is_empty();
        if self.strangers_only {
            assert!(self.sent <= self.received, "strangers are sent more than they send");
        }
        #[cfg(test)]
        self.endpoint.check();
    }

    /// All keys are given back: in the end nothing is left.
    fn finish(&mut self) {
        for key in std::mem::take(&mut self.keys) {
            self.endpoint.close(self.now(), key);
        }
        for _ in 0..300 {
            self.time = self.time + Duration::from_secs(1);
            self.endpoint.handle(self.now(), Input::Timeout);
            self.drain();
            for key in std::mem::take(&mut self.keys) {
                self.endpoint.close(self.now(), key);
            }
        }
        assert_eq!(self.endpoint.counts(), crate::Counts::default());
        assert_eq!(self.endpoint.poll_timeout(), None);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_histories_break_no_promise(data in prop::collection::vec(any::<u8>(), 0..1_500)) {
            endpoint(&data);
        }
    }
}
