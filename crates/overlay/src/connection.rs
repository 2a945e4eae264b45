//! Connections that stand: one of iroh's, for one service of one node, and the table of them.
//!
//! Invariant: what is in the [`Table`] was admitted; at most [`PER_SERVICE`] connections for one service of one node, of
//! which the newest is used. A connection without streams is closed after [`UNUSED`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::{NodeId, PersonId};
use iroh::endpoint::VarInt;
use net::{Direction, Meter, Refusal};
use tokio::sync::watch;

use crate::admission::Admitted;
use crate::hint::Relay;
use crate::service::{Peer, Way};

/// How many connections may stand for one service of one node: two nodes may dial each other at the same moment.
const PER_SERVICE: usize = 2;

/// How long a connection without streams is kept. Arbitrary: dialling again costs two round trips.
const UNUSED: Duration = Duration::from_secs(60);

/// The code of a connection that nothing is wrong with.
pub(crate) const DONE: VarInt = VarInt::from_u32(0);
/// The code of a connection or stream that the gate, the directory or the lack of a service refuses.
pub(crate) const REFUSED: VarInt = VarInt::from_u32(41);
/// The code of a connection or stream beyond a limit.
pub(crate) const BUSY: VarInt = VarInt::from_u32(42);

/// Which connection: a service of a node.
pub(crate) type Key = (NodeId, &'static str);

/// One connection. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    iroh: iroh::endpoint::Connection,
    key: Key,
    outgoing: bool,
    since: Instant,
    /// How many streams are open.
    streams: watch::Sender<usize>,
    /// How many of them the remote end opened.
    incoming: AtomicUsize,
    /// What the gate counts.
    admitted: Admitted,
}

/// Counts one open stream of a connection.
#[derive(Debug)]
pub(crate) struct StreamGuard {
    connection: Connection,
    incoming: bool,
}

/// What is known of one connection, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The node at the other end.
    pub node: NodeId,
    /// Its person, as the directory knew when it connected.
    pub person: Option<PersonId>,
    /// The service.
    pub service: &'static str,
    /// Whether we dialled.
    pub outgoing: bool,
    /// The way that is used now; `None` while it changes.
    pub way: Option<Way>,
    /// The round-trip time of that way.
    pub rtt: Option<Duration>,
    /// The bytes of UDP payload sent, over all ways, headers of QUIC and repetitions included.
    pub sent_bytes: u64,
    /// The bytes of UDP payload received.
    pub received_bytes: u64,
    /// How many streams are open.
    pub streams: usize,
    /// How long it stands.
    pub age: Duration,
}

impl Connection {
    pub(crate) fn new(iroh: iroh::endpoint::Connection, key: Key, outgoing: bool, admitted: Admitted) -> Connection {
        let streams = watch::Sender::new(0);
        let incoming = AtomicUsize::new(0);
        let shared = Shared { iroh, key, outgoing, since: Instant::now(), streams, incoming, admitted };
        Connection { shared: Arc::new(shared) }
    }

    pub(crate) fn iroh(&self) -> &iroh::endpoint::Connection {
        &self.shared.iroh
    }

    pub(crate) fn key(&self) -> &Key {
        &self.shared.key
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.shared.iroh.close_reason().is_none()
    }

    pub(crate) fn close(&self, code: VarInt, reason: &str) {
        self.shared.iroh.close(code, reason.as_bytes());
    }

    pub(crate) fn streams(&self) -> usize {
        *self.shared.streams.borrow()
    }

    /// Returns how many streams the remote end has opened.
    pub(crate) fn incoming(&self) -> usize {
        self.shared.incoming.load(Ordering::Relaxed)
    }

    /// Counts one more stream.
    pub(crate) fn guard(&self, incoming: bool) -> StreamGuard {
        self.shared.streams.send_modify(|streams| *streams += 1);
        self.shared.incoming.fetch_add(incoming.into(), Ordering::Relaxed);
        StreamGuard { connection: self.clone(), incoming }
    }

    /// Returns what was received so far, over all ways: what tells whether anybody is there.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.shared.iroh.stats().udp_rx.bytes
    }

    /// Returns what counts, and draws from the budget, what a stream carries: down, up. `None`: its service does.
    pub(crate) fn meters(&self) -> Option<(Meter, Meter)> {
        self.shared.admitted.pass.as_ref().map(|pass| pass.meters(None))
    }

    /// Returns when the connection had no stream for [`UNUSED`].
    pub(crate) async fn unused(&self) {
        let mut streams = self.shared.streams.subscribe();
        loop {
            // Both waits end at the latest with the connection, which holds the sender.
            let _ = streams.wait_for(|streams| *streams == 0).await;
            if tokio::time::timeout(UNUSED, streams.wait_for(|streams| *streams > 0)).await.is_err() {
                return;
            }
        }
    }

    /// Returns when the gate no longer lets the connection stand, and says why.
    pub(crate) async fn revoked(&self) -> Refusal {
        match &self.shared.admitted.pass {
            Some(pass) => pass.revoked().await,
            None => std::future::pending().await,
        }
    }

    /// Returns who made it.
    pub(crate) fn direction(&self) -> Direction {
        if self.shared.outgoing { Direction::Outgoing } else { Direction::Incoming }
    }

    pub(crate) fn way(&self) -> Option<Way> {
        self.selected().0
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer { node: self.shared.key.0, person: self.shared.admitted.person, way: self.way() }
    }

    pub(crate) fn info(&self) -> ConnectionInfo {
        let (way, rtt) = self.selected();
        let stats = self.shared.iroh.stats();
        ConnectionInfo {
            node: self.shared.key.0,
            person: self.shared.admitted.person,
            service: self.shared.key.1,
            outgoing: self.shared.outgoing,
            way,
            rtt,
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            streams: self.streams(),
            age: self.shared.since.elapsed(),
        }
    }

    fn selected(&self) -> (Option<Way>, Option<Duration>) {
        let paths = self.shared.iroh.paths();
        let Some(path) = paths.iter().find(|path| path.is_selected()) else { return (None, None) };
        let way = match path.remote_addr() {
            iroh::TransportAddr::Ip(address) => Some(Way::Direct(*address)),
            iroh::TransportAddr::Relay(url) => Relay::from_iroh(url).ok().map(Way::Relayed),
            _ => None,
        };
        (way, Some(path.rtt()))
    }
}

impl StreamGuard {
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.connection.shared.incoming.fetch_sub(self.incoming.into(), Ordering::Relaxed);
        self.connection.shared.streams.send_modify(|streams| *streams -= 1);
    }
}

/// The connections that stand. Bounded by the gate, which counts them.
#[derive(Debug, Default)]
pub(crate) struct Table {
    connections: Mutex<HashMap<Key, Vec<Connection>>>,
}

impl Table {
    /// Takes a connection in; the oldest of its key has to go where there are too many.
    pub(crate) fn insert(&self, connection: Connection) {
        let old = {
            let mut connections = self.lock();
            let of_key = connections.entry(*connection.key()).or_default();
            of_key.push(connection);
            (of_key.len() > PER_SERVICE).then(|| of_key.remove(0))
        };
        if let Some(old) = old {
            old.close(DONE, "replaced by a newer connection");
        }
    }

    pub(crate) fn remove(&self, connection: &Connection) {
        let mut connections = self.lock();
        if let Some(of_key) = connections.get_mut(connection.key()) {
            of_key.retain(|other| !Arc::ptr_eq(&other.shared, &connection.shared));
            if of_key.is_empty() {
                connections.remove(connection.key());
            }
        }
    }

    /// Returns the newest connection of a key that is not closed.
    pub(crate) fn find(&self, key: &Key) -> Option<Connection> {
        self.lock().get(key)?.iter().rev().find(|connection| connection.is_alive()).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }

    pub(crate) fn all(&self) -> Vec<Connection> {
        self.lock().values().flatten().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Vec<Connection>>> {
        // Nothing panics between two changes.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
