//! Admission: the directory and the gate are asked for every connection, both ways, and again for every stream.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{NodeId, PersonId};
use net::{Asking, Carrier, Direction, Gate, Pass, RELAYING, Refusal};
use tokio::sync::watch;

use crate::{Directory, Hint, OpenError};

/// Asks the directory and the gate.
#[derive(Clone)]
pub(crate) struct Admission {
    gate: Gate,
    directory: Arc<dyn Directory>,
    /// Told when the directory admits others than before.
    reviews: Arc<watch::Sender<()>>,
}

/// A connection that was admitted; counted by the gate until it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub person: Option<PersonId>,
    /// `None`: the service asks for each stream itself, and counts.
    pub pass: Option<Pass>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").finish_non_exhaustive()
    }
}

impl Admission {
    pub(crate) fn new(gate: Gate, directory: Arc<dyn Directory>) -> Admission {
        Admission { gate, directory, reviews: Arc::new(watch::Sender::new(())) }
    }

    /// Has those look again who hold what the directory admitted.
    pub(crate) fn review(&self) {
        self.reviews.send_replace(());
    }

    /// Tells whenever there is something to look at again.
    pub(crate) fn reviews(&self) -> watch::Receiver<()> {
        self.reviews.subscribe()
    }

    /// Whether the directory admits a node to a service.
    pub(crate) fn knows(&self, node: NodeId, service: &str) -> bool {
        self.directory.admits(node, service)
    }

    /// Tells the directory that a node refuses us.
    pub(crate) fn was_refused(&self, node: NodeId, service: &str) {
        self.directory.was_refused(node, service);
    }

    /// Whether anything may go to or come from an address.
    pub(crate) fn admits_address(&self, address: SocketAddr) -> bool {
        !self.gate.refuses_address(address.ip())
    }

    /// Whether everything rests.
    pub(crate) fn rests(&self) -> bool {
        self.gate.is_paused()
    }

    /// Waits until the pause is over, if there is one. Cancel safe.
    pub(crate) async fn awake(&self) {
        self.gate.paused(false).await;
    }

    /// Whether a node may relay, outside of a pause.
    pub(crate) fn lets_relay(&self, node: NodeId) -> bool {
        matches!(self.refuses_relay(Some(node)), None | Some(Refusal::Paused))
    }

    /// Asks before the host of a relay is looked up, and again while it is connected.
    pub(crate) fn refuses_relay(&self, node: Option<NodeId>) -> Option<Refusal> {
        if node.is_some_and(|node| !self.knows(node, RELAYING)) {
            return Some(Refusal::Blocked);
        }
        self.gate.refuses(&relaying(node, None))
    }

    /// Asks for a connection to a relay. What it carries is counted, and drawn from the budget, where streams are read and
    /// written: the pass counts no bytes.
    pub(crate) fn admit_relay(&self, node: Option<NodeId>, address: SocketAddr) -> Result<Pass, Refusal> {
        self.gate.admit(&relaying(node, Some(address)))
    }

    /// Asks before a node is dialled, or served a stream over a connection that stands: no address is known yet, or it
    /// was asked for before.
    pub(crate) fn admits(&self, node: NodeId, service: &'static str, direction: Direction) -> Result<(), OpenError> {
        if !self.directory.admits(node, service) {
            return Err(OpenError::NotAdmitted);
        }
        self.gate
            .refuses(&Asking::node(node, service, direction))
            .map_or(Ok(()), |refusal| Err(OpenError::Gate(refusal)))
    }

    /// Asks for a connection whose handshake is done. `address`: where it comes from, if not by a relay.
    pub(crate) fn admit(
        &self,
        node: NodeId,
        service: &'static str,
        direction: Direction,
        address: Option<SocketAddr>,
    ) -> Result<Admitted, OpenError> {
        self.admits(node, service, direction)?;
        let asking = Asking { address, ..Asking::node(node, service, direction) };
        // The engine holds a pass for each connection of a torrent.
        let own = service != net::WIRE;
        let pass = own.then(|| self.gate.admit(&asking)).transpose().map_err(OpenError::Gate)?;
        Ok(Admitted { person: self.directory.person_of(node), pass })
    }

    /// What contacts and fellow members told of a node.
    pub(crate) fn hints(&self, node: NodeId) -> Vec<Hint> {
        self.directory.hints(node)
    }
}

/// Describes a connection to a relay. `node`: who runs it, where that is known.
fn relaying(node: Option<NodeId>, address: Option<SocketAddr>) -> Asking {
    let (person, service) = (None, RELAYING);
    Asking { address, node, person, service, carrier: Carrier::Tcp, direction: Direction::Outgoing }
}
