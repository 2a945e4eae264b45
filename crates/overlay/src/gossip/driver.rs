//! The loop: owns the machine, awaits its inputs, does its outputs without waiting.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::NodeId;
use bytes::Bytes;
use gossip::{Config, Gossip, Input, Loss, Members, Output, Payload, Stats, TopicId};
use net::Clock;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;

use super::link::Link;
use super::{Event, SERVICE};
use crate::{Overlay, Stream};

/// Dials at a time; others wait for them. Arbitrary: each may take 30 s and looks addresses up.
const DIALS: usize = 32;

/// How far apart two streams that crossed may come up: the time of a dial.
const CROSSING: Duration = Duration::from_secs(30);

/// What a subscriber asks for.
#[derive(Debug)]
pub(super) enum Request {
    Join {
        topic: TopicId,
        members: Members,
        bootstrap: Vec<NodeId>,
        events: mpsc::Sender<Event>,
    },
    Admit {
        topic: TopicId,
        members: Members,
    },
    Broadcast {
        topic: TopicId,
        payload: Payload,
    },
    /// Somebody dropped a topic.
    Sweep,
    Stats(oneshot::Sender<Stats>),
}

/// What a link or a dial tells.
#[derive(Debug)]
pub(super) enum Arrival {
    Linked { node: NodeId, stream: Stream, dialled: bool },
    Unreachable { node: NodeId },
    Frames { node: NodeId, frames: Vec<Bytes> },
    Ended { node: NodeId, link: u64, loss: Loss },
}

/// A subscriber's queue.
#[derive(Debug)]
struct Subscriber {
    events: mpsc::Sender<Event>,
    missed: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Driver {
    machine: Gossip,
    me: NodeId,
    clock: Clock,
    overlay: Overlay,
    arrivals: mpsc::Sender<Arrival>,
    subscribers: HashMap<TopicId, Vec<Subscriber>>,
    /// One for each node that the machine has a link to.
    links: HashMap<NodeId, Link>,
    links_made: u64,
    dials: HashMap<NodeId, AbortHandle>,
    dialling: Arc<Semaphore>,
}

impl Driver {
    pub(super) fn new(overlay: Overlay, arrivals: mpsc::Sender<Arrival>) -> Driver {
        let clock = Clock::start();
        // The clock begins now: what passes between the two lines shifts the protocol's cache by as much.
        let epoch = std::time::Instant::now();
        let machine = Gossip::new(Config { secret: overlay.secret(), rng: fastrand::Rng::new(), epoch });
        Driver {
            me: machine.id(),
            machine,
            clock,
            overlay,
            arrivals,
            subscribers: HashMap::new(),
            links: HashMap::new(),
            links_made: 0,
            dials: HashMap::new(),
            dialling: Arc::new(Semaphore::new(DIALS)),
        }
    }

    /// Runs until the overlay is shut down, or nobody holds a topic or the handle.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>, mut arrivals: mpsc::Receiver<Arrival>) {
        let overlay = self.overlay.clone();
        let mut shut_down = std::pin::pin!(overlay.closed());
        loop {
            let due = self.machine.poll_timeout();
            tokio::select! {
                () = &mut shut_down => break,
                request = requests.recv() => match request {
                    Some(request) => self.request(request),
                    None => break,
                },
                // `self` holds a sender, so this never ends.
                Some(arrival) = arrivals.recv() => self.arrival(arrival),
                () = self.clock.sleep_until(due) => {
                    self.sweep();
                    self.give(Input::Timeout);
                }
            }
        }
        self.dials.values().for_each(AbortHandle::abort);
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Join { topic, members, bootstrap, events } => {
                self.subscribers.entry(topic).or_default().push(Subscriber { events, missed: false });
                self.give(Input::Join { topic, members, bootstrap });
            }
            Request::Admit { topic, members } => self.give(Input::Admit { topic, members }),
            Request::Broadcast { topic, payload } => self.give(Input::Broadcast { topic, payload }),
            Request::Sweep => self.sweep(),
            Request::Stats(answer) => {
                // Fails when the asker went away.
                let _ = answer.send(self.machine.stats());
            }
        }
    }

    /// Leaves the topics that nobody follows any more.
    fn sweep(&mut self) {
        for subscribers in self.subscribers.values_mut() {
            subscribers.retain(|subscriber| !subscriber.events.is_closed());
        }
        let left: Vec<TopicId> = self
            .subscribers
            .iter()
            .filter(|(_, subscribers)| subscribers.is_empty())
            .map(|(&topic, _)| topic)
            .collect();
        for topic in left {
            self.subscribers.remove(&topic);
            self.give(Input::Leave { topic });
        }
    }

    fn arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Linked { node, stream, dialled } => self.linked(node, stream, dialled),
            Arrival::Unreachable { node } => {
                self.dials.remove(&node);
                if !self.links.contains_key(&node) {
                    self.give(Input::Disconnected { node, loss: Loss::Gone });
                }
            }
            Arrival::Frames { node, frames } => {
                for frame in frames {
                    self.give(Input::Received { from: node, frame });
                }
            }
            Arrival::Ended { node, link, loss } => {
                if self.links.get(&node).is_some_and(|current| current.id == link) {
                    self.links.remove(&node);
                    self.give(Input::Disconnected { node, loss });
                }
            }
        }
    }

    /// Takes a stream. Of two that crossed both ends choose the one that the smaller id dialled; the other is read until
    /// its end, so that nothing is lost. One that comes later replaces what is likely dead.
    fn linked(&mut self, node: NodeId, stream: Stream, dialled: bool) {
        if dialled {
            self.dials.remove(&node);
        }
        self.links_made += 1;
        let preferred = dialled == (self.me < node);
        let link = Link::start(self.links_made, node, preferred, stream, self.arrivals.clone());
        let keeps = |old: &Link| old.preferred && !preferred && old.since.elapsed() < CROSSING;
        if !self.links.get(&node).is_some_and(keeps) {
            self.links.insert(node, link);
        }
        self.give(Input::Connected(node));
    }

    fn give(&mut self, input: Input) {
        self.machine.handle(self.clock.now(), input);
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Connect(node) => self.dial(node),
                Output::Send { to, frame } => {
                    if self.links.get(&to).is_some_and(|link| !link.send(frame)) {
                        tracing::debug!(node = ?to, "a neighbour in gossip does not read");
                        self.links.remove(&to);
                        self.machine.handle(self.clock.now(), Input::Disconnected { node: to, loss: Loss::Stuck });
                    }
                }
                Output::Disconnect { node, parting } => {
                    tracing::trace!(?node, ?parting, "a link of gossip ends");
                    self.links.remove(&node);
                    if let Some(dial) = self.dials.remove(&node) {
                        dial.abort();
                    }
                }
                Output::Event { topic, event } => self.tell(topic, event),
            }
        }
    }

    fn dial(&mut self, node: NodeId) {
        let (overlay, arrivals, dialling) = (self.overlay.clone(), self.arrivals.clone(), self.dialling.clone());
        let task = tokio::spawn(async move {
            // The semaphore is never closed.
            let permit = dialling.acquire().await;
            let opened = overlay.open(node, SERVICE, &[]).await;
            drop(permit);
            let arrival = match opened {
                Ok(stream) => Arrival::Linked { node, stream, dialled: true },
                Err(error) => {
                    tracing::debug!(?node, %error, "no link of gossip");
                    Arrival::Unreachable { node }
                }
            };
            // Fails after the loop has ended.
            let _ = arrivals.send(arrival).await;
        });
        if let Some(old) = self.dials.insert(node, task.abort_handle()) {
            old.abort();
        }
    }

    fn tell(&mut self, topic: TopicId, event: Event) {
        for subscriber in self.subscribers.get_mut(&topic).into_iter().flatten() {
            if subscriber.missed && subscriber.events.try_send(Event::Missed).is_ok() {
                subscriber.missed = false;
            }
            // What the subscriber does not take is dropped, and said as soon as there is room.
            if subscriber.missed || subscriber.events.try_send(event.clone()).is_err() {
                subscriber.missed = true;
            }
        }
    }
}
