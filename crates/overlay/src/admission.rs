//! Admission: the directory and the gate are asked for every connection, both ways, and again for every stream.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{NodeId, PersonId};
use net::{Asking, Direction, Gate, Pass, Refusal};

use crate::{Directory, Hint, OpenError};

/// What a relay does for us, where the gate asks for a service. Nobody offers it by this name.
const RELAYING: &str = "relaying";

/// Asks the directory and the gate.
#[derive(Clone)]
pub(crate) struct Admission {
    gate: Gate,
    directory: Arc<dyn Directory>,
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
        Admission { gate, directory }
    }

    /// Whether anything may go to or come from an address.
    pub(crate) fn admits_address(&self, address: SocketAddr) -> bool {
        !self.gate.refuses_address(address.ip())
    }

    /// Whether everything rests.
    pub(crate) fn rests(&self) -> bool {
        self.gate.is_paused()
    }

    /// Whether a node may relay: it is not met for its own sake, so that only a block keeps it away.
    pub(crate) fn lets_relay(&self, node: NodeId) -> bool {
        let asking = Asking::node(node, RELAYING, Direction::Outgoing);
        self.gate.refuses(&asking) != Some(Refusal::Blocked)
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
