//! The relay role: this node passes on, to nodes that cannot reach one another, what they send each other. It sees who
//! speaks with whom and how much, and can read nothing.
//!
//! iroh's relay service, embedded: clients come over a WebSocket by TCP, plain or under TLS on the same port, and prove
//! their node id; the UDP port of the same number tells them their own address as the outside sees it, without which two
//! NATs would never be crossed (QUIC address discovery). The certificate of both is over the node's own key, so that a
//! relay proves itself by the id that its text names ([`crate::Relay`]).
//!
//! Limits, whatever strangers send: handshakes and clients at a time, connections of one node, bytes a second of one
//! client and of all together. Who may come is asked of [`RelayAccess`] when a client connects, and every second again:
//! a node that is no longer admitted is disconnected.

mod access;
mod certificate;
mod discovery;
mod web;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use base::NodeId;
use iroh::EndpointId;
use iroh_relay::KeyCache;
use iroh_relay::server::{ClientRateLimit, Metrics, RelayService};
use net::{Asking, Direction};
use tokio::task::JoinSet;

use self::access::Access;
use crate::Relay;

/// How often it is looked whether those who are here still may be: a change holds within two seconds.
const RECHECK: Duration = Duration::from_secs(1);

/// The most keys of clients that are kept in decoded form. Each takes some 100 bytes.
const KEY_CACHE: usize = 4096;

/// Says who may use the relay. Called from its tasks: must return at once.
pub trait RelayAccess: Send + Sync + 'static {
    /// Whether this node may, now.
    fn admits(&self, node: NodeId) -> bool;

    /// Whether anything from this address is listened to.
    fn admits_address(&self, address: SocketAddr) -> bool;
}

/// The service's name, by which the policy says who may use it.
pub const RELAY: &str = "relay";

impl RelayAccess for net::Gate {
    fn admits(&self, node: NodeId) -> bool {
        self.refuses(&Asking::node(node, RELAY, Direction::Incoming)).is_none()
    }

    fn admits_address(&self, address: SocketAddr) -> bool {
        !self.refuses_address(address.ip())
    }
}

/// How a relay is set up.
pub struct RelaySettings {
    /// The node's secret key: the certificate is over it.
    pub secret: [u8; 32],
    /// The addresses to serve, each by TCP and UDP; a port 0 takes any that is free for both.
    pub listen: Vec<SocketAddr>,
    /// By which way everything comes in and leaves.
    pub egress: net::Egress,
    /// What it may cost.
    pub limits: RelayLimits,
    /// Who may use it.
    pub access: Arc<dyn RelayAccess>,
}

/// What a relay may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Clients at a time.
    pub clients: usize,
    /// Connections at a time that have not proven an id yet, and of address discovery.
    pub handshakes: usize,
    /// Bytes a second that are taken from one client.
    pub client_bytes_per_s: u32,
    /// Bytes a second that are taken from all together: shared out evenly among those who are here.
    pub bytes_per_s: u32,
}

/// Why a relay does not run.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// An address cannot be listened on.
    #[error("the relay cannot listen on {address}: {source}; choose another address in [offer.relay] of config.toml")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The certificate cannot be made.
    #[error("the relay has no certificate: {0}")]
    Certificate(String),
}

/// The numbers of a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Clients that are here.
    pub clients: usize,
    /// The most that may be.
    pub clients_limit: usize,
    /// Clients that came since the start.
    pub accepted: u64,
    /// Clients that were refused: not admitted, or too many.
    pub refused: u64,
    /// Clients that were disconnected since they are no longer admitted.
    pub revoked: u64,
    /// Bytes taken from clients.
    pub received_bytes: u64,
    /// Bytes given to clients.
    pub sent_bytes: u64,
    /// Datagrams for clients that are not here.
    pub dropped: u64,
    /// How often a node was told its own address.
    pub discoveries: u64,
}

/// A running relay. Dropping it ends it and disconnects all clients.
#[derive(Debug)]
pub struct RelayServer {
    node: NodeId,
    addresses: Vec<SocketAddr>,
    access: Arc<Access>,
    metrics: Arc<Metrics>,
    service: RelayService,
    /// Aborts its tasks when it is dropped.
    _tasks: JoinSet<()>,
}

impl RelayServer {
    /// Opens the sockets and serves until it is dropped.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn start(settings: RelaySettings) -> Result<RelayServer, RelayError> {
        let certificate = certificate::server_config(&settings.secret)?;
        let access = Arc::new(Access::new(settings.access, settings.limits));
        let metrics = Arc::new(Metrics::default());
        let service = RelayService::new(
            web::handlers(),
            Default::default(),
            rate(settings.limits, 1),
            KeyCache::new(KEY_CACHE),
            access.clone(),
            metrics.clone(),
        );
        let (mut tasks, mut addresses) = (JoinSet::new(), Vec::new());
        let pairs = net::pairs(&settings.listen, &settings.egress);
        for pair in pairs.map_err(|(address, source)| RelayError::Listen { address, source })? {
            let net::Pair { address, tcp, udp } = pair;
            addresses.push(address);
            let web = web::Web::new(service.clone(), &certificate, access.clone(), settings.limits.handshakes);
            tasks.spawn(web.serve(tcp));
            let discovery = discovery::Discovery::start(udp, &certificate, access.clone(), settings.limits.handshakes);
            tasks.spawn(discovery.map_err(|source| RelayError::Listen { address, source })?.serve());
        }
        tasks.spawn(watch(access.clone(), service.clone()));
        let node = certificate::node(&settings.secret);
        Ok(RelayServer { node, addresses, access, metrics, service, _tasks: tasks })
    }

    /// Returns the addresses that are served.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the text by which others use the relay at an address that they can reach.
    pub fn relay_at(&self, address: SocketAddr) -> Option<Relay> {
        Relay::new(&format!("https://{address}/"), Some(self.node), Some(address.port())).ok()
    }

    /// Changes the limits of clients and rates; those of handshakes stay. Clients that are too many now stay as well.
    pub fn set_limits(&self, limits: RelayLimits) {
        self.access.set_limits(limits);
    }

    /// Returns all numbers.
    pub fn stats(&self) -> RelayStats {
        let counts = self.access.counts();
        RelayStats {
            clients: counts.clients,
            clients_limit: self.access.limits().clients,
            accepted: counts.accepted,
            refused: counts.refused,
            revoked: counts.revoked,
            received_bytes: self.metrics.bytes_recv.get(),
            sent_bytes: self.metrics.bytes_sent.get(),
            dropped: self.metrics.send_packets_dropped.get(),
            discoveries: counts.discoveries,
        }
    }
}

/// Disconnects those who are no longer admitted, and shares the rate out.
async fn watch(access: Arc<Access>, service: RelayService) {
    let mut shared = (access.limits(), 1);
    let mut ticks = tokio::time::interval(RECHECK);
    loop {
        ticks.tick().await;
        for node in access.unwelcome() {
            tracing::debug!(?node, "a client of the relay is no longer admitted");
            disconnect(&service, node);
        }
        let now = (access.limits(), access.counts().clients.max(1));
        if now != shared {
            shared = now;
            service.set_client_rate_limit(rate(now.0, now.1));
        }
    }
}

/// What each of so many clients may send.
fn rate(limits: RelayLimits, clients: usize) -> Option<ClientRateLimit> {
    let clients = u32::try_from(clients).unwrap_or(u32::MAX).max(1);
    NonZeroU32::new(limits.client_bytes_per_s.min(limits.bytes_per_s / clients).max(1)).map(ClientRateLimit::new)
}

impl Drop for RelayServer {
    fn drop(&mut self) {
        // Those who are connected have tasks of their own.
        for node in self.access.clients() {
            disconnect(&self.service, node);
        }
    }
}

fn disconnect(service: &RelayService, node: NodeId) {
    // An id that is no key cannot have connected.
    if let Ok(id) = EndpointId::from_bytes(&node.0) {
        service.clients().disconnect(id, None);
    }
}

#[cfg(test)]
mod tests;
