//! Who is here, and who may be.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::NodeId;
use iroh::EndpointId;
use iroh_relay::server::{Access as Answer, AccessControl, ClientRequest, ConnectionId};

use super::{RelayAccess, RelayLimits};

/// Connections of one node at a time: it has several while it changes networks.
const PER_NODE: usize = 4;

/// Asks the policy and counts. Invariant: every connection that was admitted is in the map until it ends.
pub(super) struct Access {
    policy: Arc<dyn RelayAccess>,
    state: Mutex<State>,
    discoveries: AtomicU64,
}

struct State {
    limits: RelayLimits,
    connections: HashMap<ConnectionId, NodeId>,
    /// How many connections each node has.
    nodes: BTreeMap<NodeId, usize>,
    counts: Counts,
}

/// The numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) clients: usize,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) revoked: u64,
    pub(super) discoveries: u64,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Access {
    pub(super) fn new(policy: Arc<dyn RelayAccess>, limits: RelayLimits) -> Access {
        let (connections, nodes, counts) = Default::default();
        let state = Mutex::new(State { limits, connections, nodes, counts });
        Access { policy, state, discoveries: AtomicU64::new(0) }
    }

    pub(super) fn limits(&self) -> RelayLimits {
        self.state().limits
    }

    pub(super) fn set_limits(&self, limits: RelayLimits) {
        self.state().limits = limits;
    }

    pub(super) fn admits_address(&self, address: SocketAddr) -> bool {
        self.policy.admits_address(address)
    }

    pub(super) fn discovered(&self) {
        self.discoveries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        let state = self.state();
        Counts { clients: state.nodes.len(), discoveries: self.discoveries.load(Ordering::Relaxed), ..state.counts }
    }

    pub(super) fn clients(&self) -> Vec<NodeId> {
        self.state().nodes.keys().copied().collect()
    }

    /// Returns the clients that may not be here any more.
    pub(super) fn unwelcome(&self) -> Vec<NodeId> {
        // The policy is not asked under the lock.
        let mut unwelcome = self.clients();
        unwelcome.retain(|node| !self.policy.admits(*node));
        self.state().counts.revoked += unwelcome.len() as u64;
        unwelcome
    }

    fn admit(&self, node: NodeId, connection: ConnectionId) -> Result<(), &'static str> {
        let admitted = self.policy.admits(node);
        let mut state = self.state();
        let refusal = match state.nodes.get(&node) {
            _ if !admitted => Some("this relay is not for you"),
            Some(&connections) if connections >= PER_NODE => Some("too many connections of your node"),
            None if state.nodes.len() >= state.limits.clients => Some("too many clients"),
            _ => None,
        };
        if let Some(refusal) = refusal {
            state.counts.refused += 1;
            return Err(refusal);
        }
        state.counts.accepted += 1;
        *state.nodes.entry(node).or_default() += 1;
        state.connections.insert(connection, node);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AccessControl for Access {
    async fn on_connect(&self, request: &ClientRequest) -> Answer {
        match self.admit(NodeId(*request.endpoint_id().as_bytes()), request.connection_id()) {
            Ok(()) => Answer::Allow,
            Err(reason) => Answer::Deny { reason: Some(reason.to_owned()) },
        }
    }

    fn on_disconnect(&self, _node: EndpointId, connection: ConnectionId) {
        let mut state = self.state();
        let Some(node) = state.connections.remove(&connection) else { return };
        if let Some(connections) = state.nodes.get_mut(&node) {
            *connections -= 1;
            if *connections == 0 {
                state.nodes.remove(&node);
            }
        }
    }
}
