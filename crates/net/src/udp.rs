//! The UDP task: one socket an address family, shared by all that speaks UDP. What arrives is told apart by its form.
//!
//! Owns the sockets and the protocols' state machines, a part each: `trackers` (BEP 15), `dht` (BEP 5), `utp` (BEP 29).
//! A part is handed orders, datagrams and the time, and puts what is to be sent into the outbox; the task awaits only
//! its sockets, its orders and its timer.

mod dht;
mod outbox;
mod sockets;
mod trackers;
mod utp;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::utp::Config as UtpConfig;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use self::dht::{Dht, DhtConfig, PeerSearch};
pub use self::utp::UtpStream;
pub use trackers::UdpTrackers;

use self::dht::DhtPart;
use crate::gate::Policy;
use crate::{Clock, Egress, Gate, Stream};
use outbox::Outbox;
use sockets::{Inbox, Socket, Sockets, readable};
use trackers::TrackerPart;
pub(crate) use utp::Utp;
use utp::UtpPart;

/// How many times a socket is read before what came is dealt with and the other inputs have their turn; a time brings
/// up to 32 datagrams, or 2 MiB where the kernel joins them. Arbitrary.
const MAX_BATCHES: usize = 4;

/// How the UDP task is set up.
#[derive(Clone, Debug)]
pub struct UdpConfig {
    /// By which way everything comes in and leaves; its proxy is not used here.
    pub egress: Egress,
    /// What is listened on by TCP: where `egress` names no address, each family's socket has its first address there, and its port if
    /// that is free. A family without one is bound to everything.
    pub listen: Vec<SocketAddr>,
    /// Whether uTP is spoken.
    pub utp: bool,
    /// Whether uTP connections from outside are taken.
    pub accept: bool,
    /// What uTP may keep in memory each way, over all connections, in bytes: 128 KiB a connection are allowed in any case.
    pub memory_bytes: usize,
    /// What chance is drawn from.
    pub seed: u64,
    /// The DHT; `None`: off.
    pub dht: Option<DhtConfig>,
    /// Whose addresses nothing is exchanged with; `None`: nobody's.
    pub gate: Option<Gate>,
}

/// The handles to what runs over the shared sockets. Cheap to clone; the task ends with the last clone.
#[derive(Clone, Debug)]
pub struct Udp {
    /// UDP trackers.
    pub trackers: UdpTrackers,
    /// The DHT, if it is on.
    pub dht: Option<Dht>,
    pub(crate) utp: Option<Utp>,
    incoming: Arc<Mutex<Option<UtpIncoming>>>,
    local: (Option<SocketAddr>, Option<SocketAddr>),
}

/// The uTP connections from outside, as they come.
#[derive(Debug)]
pub struct UtpIncoming(mpsc::Receiver<UtpStream>);

impl UtpIncoming {
    /// Waits for the next one; `None` once the UDP task is gone. Cancel safe.
    pub async fn accept(&mut self) -> Option<(Stream, SocketAddr)> {
        let stream = self.0.recv().await?;
        let address = stream.peer_addr();
        Some((Stream::Utp(stream), address))
    }
}

impl Udp {
    /// Opens the sockets and spawns the task.
    pub fn start(config: UdpConfig, clock: Clock) -> io::Result<Udp> {
        let sockets = Sockets::open(&config)?;
        let local = sockets.local_addrs();
        let families = (local.0.is_some(), local.1.is_some());
        let (tracker_part, trackers) = TrackerPart::new(families, config.egress.clone(), config.seed);
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let (dht_part, dht) =
            config.dht.map(|dht| DhtPart::new(dht, families, config.egress, clock.now(), key)).unzip();
        let (mut utp_part, mut utp, mut incoming) = (None, None, None);
        if config.utp {
            let memory = config.memory_bytes as u64;
            let config_utp = UtpConfig {
                accept: config.accept,
                receive_memory: memory,
                send_memory: memory,
                ..UtpConfig::default()
            };
            // Another stream of chance than the trackers'.
            let (part, handle, queue) = UtpPart::new(config_utp, &sockets, clock, config.seed.rotate_left(32));
            (utp_part, utp, incoming) = (Some(part), Some(handle), Some(UtpIncoming(queue)));
        }
        let (inbox, outbox) = (Inbox::new(), Outbox::default());
        let gate = Guard::new(config.gate.as_ref());
        let task =
            UdpTask { sockets, clock, gate, trackers: tracker_part, dht: dht_part, utp: utp_part, inbox, outbox };
        watch_over(tokio::spawn(task.run()));
        Ok(Udp { trackers, dht, utp, incoming: Arc::new(Mutex::new(incoming)), local })
    }

    /// Returns the addresses of the IPv4 and the IPv6 socket.
    pub fn local_addrs(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        self.local
    }

    /// Takes the queue of uTP connections from outside; `None` without uTP and the second time.
    pub fn incoming(&self) -> Option<UtpIncoming> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes no more uTP connections, and returns when those that were closed have told the remote end so.
    pub async fn finish(&self) {
        if let Some(utp) = &self.utp {
            utp.finish().await;
        }
    }
}

/// Says it aloud when the task ends by a panic: all that it carries is gone until a restart, and whoever waits for it hears
/// nothing but silence.
fn watch_over(task: JoinHandle<()>) {
    tokio::spawn(async move {
        if let Some(words) = panicked(task).await {
            tracing::error!(
                panic = words,
                "the UDP task panicked: the DHT, uTP and UDP trackers stand still until a restart; this is a bug"
            );
        }
    });
}

/// Waits for the end of a task; returns what it panicked with, if it did.
async fn panicked(task: JoinHandle<()>) -> Option<String> {
    let panic = task.await.err()?.try_into_panic().ok()?;
    let words = panic.downcast::<String>().map(|words| *words);
    Some(words.unwrap_or_else(|panic| panic.downcast_ref::<&str>().copied().unwrap_or("no words").to_owned()))
}

#[derive(Clone, Copy, Debug)]
enum Family {
    V4,
    V6,
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

/// The first byte of the packet that opens a uTP connection: type 4, version 1 (BEP 29).
const UTP_SYN: u8 = 0x41;

/// The gate, as the task looks at it: for each datagram, so without its lock.
#[derive(Debug)]
struct Guard(Option<watch::Receiver<Arc<Policy>>>);

impl Guard {
    fn new(gate: Option<&Gate>) -> Guard {
        Guard(gate.map(Gate::watch))
    }

    /// Tells whether nothing is to be exchanged with an address.
    fn refuses(&self, address: SocketAddr) -> bool {
        self.0.as_ref().is_some_and(|policy| {
            let policy = policy.borrow();
            policy.refuses_any_address() && policy.refuses_address(address.ip())
        })
    }

    /// Tells whether nothing is to be said at all.
    fn is_paused(&self) -> bool {
        self.0.as_ref().is_some_and(|policy| policy.borrow().paused)
    }

    /// Waits for another policy. Cancel safe.
    async fn changed(&mut self) {
        let gone = match &mut self.0 {
            Some(policy) => policy.changed().await.is_err(),
            None => return std::future::pending().await,
        };
        if gone {
            // The session is, too; the last policy holds to the end.
            std::future::pending().await
        }
    }
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
    sockets: Sockets,
    clock: Clock,
    gate: Guard,
    trackers: TrackerPart,
    dht: Option<DhtPart>,
    utp: Option<UtpPart>,
    inbox: Inbox,
    outbox: Outbox,
}

impl UdpTask {
    async fn run(mut self) {
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            let due = [
                self.trackers.poll_timeout(),
                // While everything is paused the DHT is silent, and forgets nothing.
                self.dht.as_ref().filter(|_| !self.gate.is_paused()).and_then(DhtPart::poll_timeout),
                self.utp.as_ref().and_then(UtpPart::poll_timeout),
            ];
            let due = due.into_iter().flatten().min();
            // One that fires too early only costs a look.
            if let Some(at) = due.map(|at| self.clock.at(at))
                && (timer.is_elapsed() || at < timer.deadline())
            {
                timer.as_mut().reset(at);
            }
            // What is full is waited for; what comes in meanwhile is dealt with, and uTP sends nothing.
            let full = self.outbox.next_to().and_then(|to| self.sockets.of(to));
            tokio::select! {
                ask = self.trackers.next_order() => match ask {
                    Some(ask) => self.trackers.obey(self.clock.now(), ask),
                    None => return,
                },
                order = dht_order(&mut self.dht) => match order {
                    Some(order) => if let Some(dht) = &mut self.dht { dht.obey(self.clock.now(), order) },
                    None => self.dht = None,
                },
                () = kicked(&self.utp) => {}
                () = readable(&self.sockets.v4) => self.receive(Family::V4),
                () = readable(&self.sockets.v6) => self.receive(Family::V6),
                () = &mut timer, if due.is_some() => self.time_passed(),
                () = writable(full) => {}
                () = self.gate.changed() => {}
            }
            self.trackers.drain(&mut self.outbox);
            if let Some(dht) = &mut self.dht {
                dht.drain(self.clock.now(), &mut self.outbox, &self.gate);
            }
            self.outbox.flush(&mut self.sockets, |_, _| {});
            if let Some(utp) = &self.utp {
                if utp.tell() {
                    // Those that were woken read and write first: one acknowledgement then tells of it all.
                    tokio::task::yield_now().await;
                }
                utp.transmit(&mut self.sockets, &mut self.outbox);
            }
        }
    }

    fn time_passed(&mut self) {
        let now = self.clock.now();
        self.trackers.time_passed(now);
        if let Some(dht) = self.dht.as_mut().filter(|_| !self.gate.is_paused()) {
            dht.time_passed(now);
        }
        if let Some(utp) = &self.utp {
            utp.time_passed();
        }
    }

    /// Takes what has arrived, up to [`MAX_BATCHES`].
    fn receive(&mut self, family: Family) {
        let socket = match family {
            Family::V4 => &mut self.sockets.v4,
            Family::V6 => &mut self.sockets.v6,
        };
        let Some(socket) = socket else { return };
        for _ in 0..MAX_BATCHES {
            match self.inbox.receive(socket) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP answer to something sent earlier: whoever waits for it has a time limit.
                Err(error) => return tracing::debug!(%error, "a UDP socket reports an error"),
            }
            let now = self.clock.now();
            // Nothing else that is called in this loop takes the lock.
            let mut utp = self.utp.as_ref().map(UtpPart::receiver);
            for (from, data, stride) in self.inbox.received() {
                let (refused, paused) = (self.gate.refuses(from), self.gate.is_paused());
                // What the system joined came from one address, but it need not be of one kind.
                let kinds = |a: &[u8], b: &[u8]| kind(a) == kind(b);
                for run in runs(data, stride, kinds) {
                    match kind(run) {
                        // Connections that stand end by being closed, which takes datagrams both ways.
                        Kind::Utp if run[0] == UTP_SYN && (refused || paused) => {}
                        Kind::Dht if refused || paused => {}
                        Kind::Tracker if refused => {}
                        Kind::Utp => {
                            if let Some(utp) = &mut utp {
                                utp.received(now, from, run, stride);
                            }
                        }
                        Kind::Dht => {
                            if let Some(dht) = &mut self.dht {
                                run.chunks(stride).for_each(|packet| dht.received(now, from, packet));
                            }
                        }
                        Kind::Tracker => {
                            run.chunks(stride).for_each(|packet| self.trackers.received(now, from, packet));
                        }
                    }
                }
            }
            if !self.inbox.is_full() {
                return;
            }
        }
    }
}

/// Cuts `data` where one datagram and its successor are not alike.
fn runs(data: &[u8], stride: usize, alike: impl Fn(&[u8], &[u8]) -> bool) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut datagrams = rest.chunks(stride);
        let first = datagrams.next()?;
        let more = datagrams.take_while(|next| alike(first, next)).map(<[u8]>::len).sum::<usize>();
        let (run, after) = rest.split_at(first.len() + more);
        rest = after;
        Some(run)
    })
}

async fn dht_order(part: &mut Option<DhtPart>) -> Option<dht::Order> {
    match part {
        Some(part) => part.next_order().await,
        None => std::future::pending().await,
    }
}

async fn kicked(utp: &Option<UtpPart>) {
    match utp {
        Some(utp) => utp.kicked().await,
        None => std::future::pending().await,
    }
}

async fn writable(socket: Option<&Socket>) {
    match socket {
        // An error is met again by the write.
        Some(socket) => drop(socket.writable().await),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_task_is_told_and_its_end_is_not() {
        assert_eq!(panicked(tokio::spawn(async { panic!("no {}", "way") })).await.as_deref(), Some("no way"));
        assert_eq!(panicked(tokio::spawn(async { panic!("no") })).await.as_deref(), Some("no"));
        assert_eq!(panicked(tokio::spawn(async {})).await, None);
    }

    #[test]
    fn what_arrives_is_told_apart_by_its_first_byte() {
        assert_eq!(kind(b"d1:rd2:id20:"), Kind::Dht);
        for (first, expected) in [(0x01, Kind::Utp), (0x41, Kind::Utp), (0x51, Kind::Tracker), (0x00, Kind::Tracker)] {
            assert_eq!(kind(&[first, 0, 0, 0]), expected, "{first:#x}");
        }
        assert_eq!(kind(b""), Kind::Tracker);
    }

    #[test]
    fn what_the_system_joined_is_cut_where_the_kind_changes() {
        let alike = |a: &[u8], b: &[u8]| a[0] == b[0];
        let cut = |data: &'static [u8]| runs(data, 2, alike).collect::<Vec<_>>();
        assert_eq!(cut(b"a1a2b3a4a"), [&b"a1a2"[..], b"b3", b"a4a"]);
        assert_eq!(cut(b"a"), [b"a"]);
        assert!(cut(b"").is_empty());
    }
}
