//! Streams over a simulated link: uTP endpoints as the real program runs them, and TCP beside them.
//!
//! Two hosts are joined by a link whose two directions have a rate, a delay and a queue that drops what does not fit. Chance
//! loses, delays and repeats packets. Each uTP flow is a pair of endpoints with clocks of their own; a TCP flow is a model of
//! its congestion control. A run is a function of its [`Plan`], with all chance from its seed.

mod host;
mod path;
mod stories;
mod table;
mod tcp;

use std::time::Duration;

use base::Instant;

pub use path::Path;
pub use stories::{StreamFailure, StreamStats, stream};
pub use table::{Row, print_table};
pub use tcp::Tcp;

use crate::queue::Queue;
use crate::trace::Fnv;
use host::{Host, drain};
use path::{Direction, Fate};
use tcp::{Segment, TcpFlow};

/// What flows over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// uTP.
    Utp,
    /// A model of TCP.
    Tcp(Tcp),
}

/// What is run: bulk flows in one direction.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// The link.
    pub path: Path,
    /// The flows, and when each begins.
    pub flows: Vec<(Flow, Duration)>,
    /// From when to when the speed is measured.
    pub measure: (Duration, Duration),
}

/// What was measured of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What each flow delivered to its reader, in bytes a second.
    pub bytes_per_s: Vec<f64>,
    /// How long packets waited in the queue, on average over what was sent while measured.
    pub queue_delay: Duration,
    /// Packets that the queue dropped, and that chance lost, from the beginning to the end.
    pub dropped: u64,
    /// Datagrams and segments that were sent from left to right.
    pub sent: u64,
    /// A hash of all that happened.
    pub trace: u64,
}

impl Measured {
    /// Returns the part of the link's rate that the flows delivered in sum.
    pub fn used(&self, path: &Path) -> f64 {
        self.bytes_per_s.iter().sum::<f64>() * 8.0 / path.bits_per_s as f64
    }
}

/// Bytes of IPv4 and UDP before each datagram.
const UDP_HEADERS: usize = 28;

#[derive(Debug)]
enum Event {
    Start(usize),
    Datagram { flow: usize, to: usize, bytes: Vec<u8> },
    Timer { flow: usize, side: usize },
    Segment { flow: usize, segment: Segment },
    TcpAck { flow: usize, ack: tcp::TcpAck },
    TcpTimer { flow: usize },
}

enum State {
    Waiting,
    Utp(Box<[Host; 2]>),
    Tcp(Box<TcpFlow>),
}

struct World {
    plan: Plan,
    now: Instant,
    queue: Queue<Event>,
    rng: fastrand::Rng,
    directions: [Direction; 2],
    flows: Vec<State>,
    delivered: Vec<u64>,
    trace: Fnv,
}

/// Runs a plan to its end.
pub fn run(plan: Plan) -> Measured {
    let mut rng = fastrand::Rng::with_seed(plan.seed);
    let mut queue = Queue::new();
    for (flow, (_, start)) in plan.flows.iter().enumerate() {
        queue.add(Instant::START + *start, Event::Start(flow));
    }
    let directions = [0, 1].map(|_| Direction::new(&plan.path, rng.u64(..)));
    let flows = plan.flows.iter().map(|_| State::Waiting).collect();
    let delivered = vec![0; plan.flows.len()];
    let trace = Fnv::new();
    let mut world = World { plan, now: Instant::START, queue, rng, directions, flows, delivered, trace };
    let (from, to) = world.plan.measure;
    world.run_until(Instant::START + from);
    let before = (world.delivered.clone(), world.directions[0].waited());
    world.run_until(Instant::START + to);
    let seconds = (to - from).as_secs_f64();
    let speed = |(now, before): (&u64, &u64)| (now - before) as f64 / seconds;
    let (waited, packets) = world.directions[0].waited();
    let (waited, packets) = (waited - before.1.0, packets - before.1.1);
    Measured {
        bytes_per_s: world.delivered.iter().zip(&before.0).map(speed).collect(),
        queue_delay: waited.checked_div(packets as u32).unwrap_or_default(),
        dropped: world.directions.iter().map(Direction::dropped).sum(),
        sent: world.directions[0].sent(),
        trace: world.trace.hash(),
    }
}

impl World {
    fn run_until(&mut self, until: Instant) {
        while let Some((at, event)) = self.queue.next() {
            if at > until {
                self.queue.add(at, event);
                break;
            }
            self.now = at;
            self.event(event);
        }
    }

    fn note(&mut self, what: u64) {
        self.trace.add(self.now.since_start().as_nanos() as u64);
        self.trace.add(what);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Start(flow) => self.start(flow),
            Event::Datagram { flow, to, bytes } => {
                self.note((flow * 2 + to) as u64 ^ (bytes.len() as u64) << 8);
                let State::Utp(hosts) = &mut self.flows[flow] else { return };
                hosts[to].received(self.now, &bytes);
                self.drive(flow, to);
            }
            Event::Timer { flow, side } => {
                let State::Utp(hosts) = &mut self.flows[flow] else { return };
                if hosts[side].timer_fired(self.now) {
                    self.drive(flow, side);
                }
            }
            Event::Segment { flow, segment } => {
                self.note(segment.number << 8 | flow as u64);
                let State::Tcp(tcp) = &mut self.flows[flow] else { return };
                let (ack, fresh) = tcp.received(segment);
                self.delivered[flow] += fresh * tcp::PAYLOAD as u64;
                for at in self.directions[1].send(self.now, tcp::ACK_LEN).arrivals() {
                    self.queue.add(at, Event::TcpAck { flow, ack: ack.clone() });
                }
            }
            Event::TcpAck { flow, ack } => {
                let State::Tcp(tcp) = &mut self.flows[flow] else { return };
                tcp.acked(self.now, &ack);
                self.drive_tcp(flow);
            }
            Event::TcpTimer { flow } => {
                let State::Tcp(tcp) = &mut self.flows[flow] else { return };
                tcp.timeout(self.now);
                self.drive_tcp(flow);
            }
        }
    }

    fn start(&mut self, flow: usize) {
        match self.plan.flows[flow].0 {
            Flow::Utp => {
                let mut hosts = [0, 1].map(|side| Host::new(side, self.rng.u64(..), self.plan.path.drift_ppm));
                hosts[0].connect(self.now);
                self.flows[flow] = State::Utp(Box::new(hosts));
                self.drive(flow, 0);
            }
            Flow::Tcp(kind) => {
                self.flows[flow] = State::Tcp(Box::new(TcpFlow::new(kind, self.now)));
                self.drive_tcp(flow);
            }
        }
    }

    /// Lets the application of one side write and read, and sends what there is to send.
    fn drive(&mut self, flow: usize, side: usize) {
        let State::Utp(hosts) = &mut self.flows[flow] else { return };
        let host = &mut hosts[side];
        if side == 0 {
            host.fill(self.now);
        } else {
            self.delivered[flow] += host.read_all(self.now);
        }
        let (now, directions, queue) = (self.now, &mut self.directions, &mut self.queue);
        drain(host, now, |bytes| {
            let fate = directions[side].send(now, bytes.len() + UDP_HEADERS);
            for at in fate.arrivals() {
                queue.add(at, Event::Datagram { flow, to: 1 - side, bytes: bytes.to_vec() });
            }
        });
        if let Some(at) = host.set_timer(now) {
            queue.add(at, Event::Timer { flow, side });
        }
    }

    fn drive_tcp(&mut self, flow: usize) {
        let State::Tcp(tcp) = &mut self.flows[flow] else { return };
        while let Some(segment) = tcp.next(self.now) {
            let fate: Fate = self.directions[0].send(self.now, tcp::SEGMENT_LEN);
            for at in fate.arrivals() {
                self.queue.add(at, Event::Segment { flow, segment });
            }
        }
        if let Some(at) = tcp.set_timer(self.now) {
            self.queue.add(at, Event::TcpTimer { flow });
        }
    }
}
