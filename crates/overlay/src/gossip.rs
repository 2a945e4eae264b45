//! Gossip over the overlay: messages to all nodes that follow a topic.
//!
//! The state machine is the crate `gossip`; here is what drives it: one loop that owns it, a link a neighbour (one stream
//! of the service `gossip`, whatever the topics), and what subscribers hold. *The loop waits for nobody*: a frame to a
//! neighbour goes into the link's bounded queue or the link is cut, an event to a subscriber goes into its bounded queue or
//! the subscriber is told that it missed some. So a node that does not read stops nothing but itself.

mod driver;
mod link;

use std::sync::Arc;

use base::NodeId;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
pub use gossip::{Event, Members, Payload, Stats, TooLong, TopicId};
use tokio::sync::{mpsc, oneshot};

use self::driver::{Arrival, Driver, Request};
use crate::{Overlay, Peer, Service, Stream};

/// The service's name: streams of it carry frames of gossip.
const SERVICE: &str = "gossip";

/// Requests of subscribers that the loop has not seen yet; who makes one waits for room.
const REQUESTS: usize = 64;

/// What links tell the loop; a link waits for room, and does not read meanwhile.
const ARRIVALS: usize = 64;

/// Events that a subscriber has not taken yet: two bursts of one author. What comes when it is full is dropped, and said
/// by [`Event::Missed`].
const EVENTS: usize = if cfg!(test) { 48 } else { 256 };

/// Gossip of a node. Cheap to clone; ends with the overlay.
#[derive(Clone, Debug)]
pub struct Gossip {
    requests: mpsc::Sender<Request>,
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BroadcastError {
    /// The message is too long.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// The overlay was shut down.
    #[error("the overlay is shut down")]
    ShutDown,
}

/// A topic that the node follows, until this is dropped.
#[derive(Debug)]
pub struct Topic {
    id: TopicId,
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<Event>,
}

impl Gossip {
    /// Begins to serve and dial. Must be called within a runtime.
    pub fn start(overlay: &Overlay) -> Gossip {
        let (requests, asked) = mpsc::channel(REQUESTS);
        let (arrivals, arrived) = mpsc::channel(ARRIVALS);
        overlay.serve(Arc::new(Serve { arrivals: arrivals.clone() }));
        let driver = Driver::new(overlay.clone(), arrivals);
        tokio::spawn(driver.run(asked, arrived));
        Gossip { requests }
    }

    /// Follows a topic. `members`: which nodes may take part; nobody else is spoken to, or believed. `bootstrap`: nodes that
    /// may be in it, to be greeted first. If the topic is followed already, its members are replaced.
    ///
    /// Of what is sent before the first [`Event::NeighborUp`], the newest 64 messages reach neighbours that come within a
    /// minute.
    pub async fn join(&self, topic: TopicId, members: Members, bootstrap: Vec<NodeId>) -> Topic {
        let (events, taken) = mpsc::channel(EVENTS);
        // Fails after the overlay was shut down: then `next` returns `None`.
        let _ = self.requests.send(Request::Join { topic, members, bootstrap, events }).await;
        Topic { id: topic, requests: self.requests.clone(), events: taken }
    }

    /// Returns what was sent, received and refused so far.
    pub async fn stats(&self) -> Stats {
        let (answer, stats) = oneshot::channel();
        let _ = self.requests.send(Request::Stats(answer)).await;
        stats.await.unwrap_or_default()
    }
}

impl Topic {
    /// Returns its name.
    pub fn id(&self) -> TopicId {
        self.id
    }

    /// Sends a message to all that follow the topic. Returns when it is queued; nobody may have heard it. Cancel safe.
    ///
    /// # Errors
    /// When it is longer than [`gossip::limits::MAX_PAYLOAD`], or the overlay was shut down.
    pub async fn broadcast(&self, bytes: Bytes) -> Result<(), BroadcastError> {
        let payload = Payload::new(bytes)?;
        let request = Request::Broadcast { topic: self.id, payload };
        self.requests.send(request).await.map_err(|_| BroadcastError::ShutDown)
    }

    /// Replaces the members: who is none any more is cut off at once. Cancel safe.
    pub async fn admit(&self, members: Members) {
        // Fails after the overlay was shut down.
        let _ = self.requests.send(Request::Admit { topic: self.id, members }).await;
    }

    /// Waits for the next event; `None` after the overlay was shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.events.close();
        // If there is no room, the loop sees the closed queue within seconds.
        let _ = self.requests.try_send(Request::Sweep);
    }
}

/// Hands the streams that others open to the loop.
struct Serve {
    arrivals: mpsc::Sender<Arrival>,
}

impl Service for Serve {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn serve(self: Arc<Self>, peer: Peer, stream: Stream) -> BoxFuture<'static, ()> {
        async move {
            // Fails after the loop has ended.
            let _ = self.arrivals.send(Arrival::Linked { node: peer.node, stream, dialled: false }).await;
        }
        .boxed()
    }

    fn streams_per_node(&self) -> usize {
        link::PER_NODE
    }
}

#[cfg(test)]
mod tests;
