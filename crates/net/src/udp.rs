//! The UDP task: one socket an address family, shared by all that speaks UDP. What arrives is told apart by its form.
//!
//! Owns the sockets and the protocols' state machines, a part each: `trackers` (BEP 15), `dht` (BEP 5), and room for uTP.
//! A part is handed orders, datagrams and the time, and puts what is to be sent into the outbox; the task awaits only
//! its sockets, its orders and its timer.

mod dht;
mod outbox;
mod sockets;
mod trackers;

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::UdpSocket;
use torrent_proto::tracker::udp::MAX_PACKET_LEN;

pub use self::dht::{Dht, DhtConfig};
pub use trackers::UdpTrackers;

use self::dht::DhtPart;
use crate::Clock;
use outbox::Outbox;
use sockets::receive;
use trackers::TrackerPart;

/// How the UDP task is set up.
#[derive(Clone, Debug)]
pub struct UdpConfig {
    /// The address to be bound to; `None`: all of both families.
    pub bind: Option<IpAddr>,
    /// The port, if it is free; 0 or a taken one: any.
    pub port: u16,
    /// What chance is drawn from.
    pub seed: u64,
    /// The DHT; `None`: off.
    pub dht: Option<DhtConfig>,
}

/// The handles to what runs over the shared sockets. Cheap to clone; the task ends with the last handle.
#[derive(Clone, Debug)]
pub struct Udp {
    /// UDP trackers.
    pub trackers: UdpTrackers,
    /// The DHT, if it is on.
    pub dht: Option<Dht>,
    local: (Option<SocketAddr>, Option<SocketAddr>),
}

impl Udp {
    /// Opens the sockets and spawns the task.
    pub fn start(config: UdpConfig, clock: Clock) -> io::Result<Udp> {
        let (v4, v6) = sockets::open(config.bind, config.port)?;
        let local = |socket: &Option<UdpSocket>| socket.as_ref().and_then(|s| s.local_addr().ok());
        let local = (local(&v4), local(&v6));
        let families = (v4.is_some(), v6.is_some());
        let (tracker_part, trackers) = TrackerPart::new(families, config.seed);
        let (dht_part, dht) = config.dht.map(|dht| DhtPart::new(dht, families, clock.now(), config.seed)).unzip();
        let task = UdpTask { v4, v6, clock, trackers: tracker_part, dht: dht_part, outbox: Outbox::default() };
        tokio::spawn(task.run());
        Ok(Udp { trackers, dht, local })
    }

    /// Returns the addresses of the IPv4 and the IPv6 socket.
    pub fn local_addrs(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        self.local
    }
}

/// What a datagram belongs to, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A bencoded dictionary (BEP 5).
    Dht,
    /// A type of 0 to 4 and version 1 (BEP 29).
    Utp,
    /// The rest: an answer of a tracker begins with an action of 0 to 3 as four bytes (BEP 15).
    Tracker,
}

/// Tells what a datagram is. No two can be mixed up: a dictionary begins with `d` (0x64: version 4 of uTP, a tracker's
/// action of 1.7 billion), a uTP packet with 0x01 to 0x41 of step 0x10, a tracker's answer with a zero byte.
fn kind(packet: &[u8]) -> Kind {
    match packet.first() {
        Some(b'd') => Kind::Dht,
        Some(&first) if first & 0x0f == 1 && first >> 4 <= 4 => Kind::Utp,
        _ => Kind::Tracker,
    }
}

#[derive(Debug)]
struct UdpTask {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    clock: Clock,
    trackers: TrackerPart,
    dht: Option<DhtPart>,
    outbox: Outbox,
}

impl UdpTask {
    async fn run(mut self) {
        let mut packet_v4 = vec![0; MAX_PACKET_LEN];
        let mut packet_v6 = vec![0; MAX_PACKET_LEN];
        loop {
            let dues = [self.trackers.poll_timeout(), self.dht.as_ref().and_then(DhtPart::poll_timeout)];
            let due = dues.into_iter().flatten().min().map(|at| self.clock.at(at));
            tokio::select! {
                ask = self.trackers.next_order() => match ask {
                    Some(ask) => self.trackers.obey(self.clock.now(), ask),
                    None => return,
                },
                order = dht_order(&mut self.dht) => match order {
                    Some(order) => if let Some(dht) = &mut self.dht { dht.obey(self.clock.now(), order) },
                    None => self.dht = None,
                },
                read = receive(&self.v4, &mut packet_v4) => self.received(read, &packet_v4),
                read = receive(&self.v6, &mut packet_v6) => self.received(read, &packet_v6),
                () = sleep_until(due) => self.time_passed(),
            }
            self.trackers.drain(&mut self.outbox);
            if let Some(dht) = &mut self.dht {
                dht.drain(self.clock.now(), &mut self.outbox);
            }
            self.flush();
        }
    }

    fn time_passed(&mut self) {
        let now = self.clock.now();
        self.trackers.time_passed(now);
        if let Some(dht) = &mut self.dht {
            dht.time_passed(now);
        }
    }

    fn received(&mut self, read: io::Result<(usize, SocketAddr)>, packet: &[u8]) {
        let (packet, from) = match read {
            Ok((length, from)) => (&packet[..length], from),
            // An ICMP answer to something sent earlier: the request ends by its time limit.
            Err(error) => return tracing::debug!(%error, "a UDP socket reports an error"),
        };
        match kind(packet) {
            Kind::Dht => {
                if let Some(dht) = &mut self.dht {
                    dht.received(self.clock.now(), from, packet);
                }
            }
            // Nobody here speaks it yet.
            Kind::Utp => {}
            Kind::Tracker => self.trackers.received(self.clock.now(), from, packet),
        }
    }

    fn flush(&mut self) {
        let (v4, v6) = (&self.v4, &self.v6);
        self.outbox.flush(|to, packet| {
            let socket = if to.is_ipv4() { v4 } else { v6 };
            // A packet that does not fit the socket's buffer is lost like any other, and sent again.
            if let Some(Err(error)) = socket.as_ref().map(|s| s.try_send_to(packet, to)) {
                tracing::debug!(%to, %error, "a UDP packet was not sent");
            }
        });
    }
}

async fn dht_order(part: &mut Option<DhtPart>) -> Option<dht::Order> {
    match part {
        Some(part) => part.next_order().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_is_told_apart_by_its_first_byte() {
        assert_eq!(kind(b"d1:rd2:id20:"), Kind::Dht);
        for (first, expected) in [(0x01, Kind::Utp), (0x41, Kind::Utp), (0x51, Kind::Tracker), (0x00, Kind::Tracker)] {
            assert_eq!(kind(&[first, 0, 0, 0]), expected, "{first:#x}");
        }
        assert_eq!(kind(b""), Kind::Tracker);
    }
}
