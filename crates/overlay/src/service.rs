//! What the overlay serves, and what it asks the node about its peers.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{GroupId, NodeId, PersonId};
use futures_util::future::BoxFuture;

use crate::{Hint, Relay, Stream};

/// A service: receives the streams that other nodes open, after the gate admitted them.
pub trait Service: Send + Sync + 'static {
    /// Its name, as the protocol `compeer/NAME/1` has it: lower-case letters, digits and `-`, at most
    /// [`crate::MAX_SERVICE_NAME`] bytes.
    fn name(&self) -> &'static str;

    /// Serves one stream. The peer's key is proven. The future is a task of its own; if it panics, this stream is reset
    /// and nothing else happens. It is dropped when the overlay shuts down.
    fn serve(self: Arc<Self>, peer: Peer, stream: Stream) -> BoxFuture<'static, ()>;

    /// How many streams one node may have at a time; more are refused.
    fn streams_per_node(&self) -> usize {
        64
    }
}

/// The remote end of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The node, authenticated by its key.
    pub node: NodeId,
    /// The person that the node belongs to, where [`Directory`] knows one.
    pub person: Option<PersonId>,
    /// The way that the connection goes now.
    pub way: Option<Way>,
}

/// The way that a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Straight to this UDP address.
    Direct(SocketAddr),
    /// By a relay.
    Relayed(Relay),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Direct(address) => write!(f, "direct, {address}"),
            Way::Relayed(relay) => write!(f, "relayed, {}", relay.url()),
        }
    }
}

/// What the node knows of persons; supplied by the wiring. Called from within the overlay's tasks: must return at once,
/// without I/O.
pub trait Directory: Send + Sync + 'static {
    /// Returns the person that a node belongs to, by the newest list of nodes that the person signed.
    fn person_of(&self, node: NodeId) -> Option<PersonId>;

    /// Returns the groups that we share with the node's person.
    fn groups_of(&self, node: NodeId) -> Vec<GroupId>;

    /// Returns where the node may be reached: what contacts and fellow members told.
    fn hints(&self, node: NodeId) -> Vec<Hint>;

    /// Whether the node may use a service at all, in either direction: not if it is revoked or its person is blocked.
    /// Asked before the gate.
    fn admits(&self, node: NodeId, service: &str) -> bool;

    /// Hears that a node refuses to speak to us.
    fn was_refused(&self, _node: NodeId, _service: &str) {}
}

/// A directory that knows nobody and admits everybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyDirectory;

impl Directory for EmptyDirectory {
    fn person_of(&self, _node: NodeId) -> Option<PersonId> {
        None
    }

    fn groups_of(&self, _node: NodeId) -> Vec<GroupId> {
        Vec::new()
    }

    fn hints(&self, _node: NodeId) -> Vec<Hint> {
        Vec::new()
    }

    fn admits(&self, _node: NodeId, _service: &str) -> bool {
        true
    }
}
