//! The router: accepts connections by their protocol, and streams of connections, within limits.
//!
//! *Incoming → handshake → admitted → served.* Each step of each connection is a task of its own, so that neither a slow
//! handshake nor a stuck or panicking service stops anything else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use base::NodeId;
use futures_util::StreamExt as _;
use iroh::endpoint::{Incoming, IncomingAddr, RecvStream, SendStream};
use iroh::{Endpoint, TransportAddr};
use net::Direction;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::admission::Admission;
use crate::connection::{BUSY, Connection, DONE, REFUSED, Table};
use crate::service::Service;
use crate::settings::MAX_SERVICE_NAME;
use crate::stream::Stream;

/// How many handshakes may run at a time; more are refused. Arbitrary: each costs about a millisecond of CPU, and holds
/// some 10 KiB until it is done or times out.
const MAX_HANDSHAKES: usize = 64;

/// How many of them one address may have, or one node by a relay. Arbitrary.
const MAX_HANDSHAKES_OF_ONE: usize = 8;

/// From how many handshakes on a computer has to prove its address first (RFC 9000, section 8.1.2). Arbitrary.
const VALIDATE_FROM: usize = MAX_HANDSHAKES / 4;

/// How long a handshake may take. As long as a relayed dialling of the far side of the world needs, several times.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is asked again whether a node is admitted: a change of mind works within two seconds.
const REVIEW: Duration = Duration::from_secs(1);

/// How long the first byte of a stream may take.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The most connections of all services, beside what the gate says. Arbitrary: each costs some 50 KiB.
const MAX_CONNECTIONS: usize = 2048;

/// The first byte of a stream, from who opens it: the version of this exchange. A stream is seen by the remote end only
/// when something was written.
pub(crate) const HELLO: u8 = 1;

/// The answer to it: the stream is admitted.
pub(crate) const WELCOME: u8 = 1;

/// What every protocol's name begins and ends with.
const PREFIX: &str = "compeer/";
const SUFFIX: &str = "/1";

/// Accepts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Router {
    shared: Arc<Shared>,
}

struct Shared {
    admission: Admission,
    services: RwLock<Vec<Arc<dyn Service>>>,
    table: Table,
    handshakes: Mutex<HashMap<Origin, usize>>,
    /// Whether the overlay is shut down.
    ended: watch::Sender<bool>,
}

/// Where a handshake comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Address(IpAddr),
    Relayed(iroh::EndpointId),
}

/// A handshake that is counted until it is dropped.
struct Handshake {
    router: Router,
    origin: Origin,
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut running = self.router.handshakes();
        if let Some(count) = running.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.origin);
            }
        }
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

/// Returns the protocol of a service, as TLS names it (ALPN, RFC 7301).
pub(crate) fn protocol(service: &str) -> Vec<u8> {
    format!("{PREFIX}{service}{SUFFIX}").into_bytes()
}

impl Router {
    pub(crate) fn new(admission: Admission) -> Router {
        let (handshakes, ended) = (Mutex::default(), watch::Sender::new(false));
        let shared = Shared { admission, services: RwLock::default(), table: Table::default(), handshakes, ended };
        Router { shared: Arc::new(shared) }
    }

    pub(crate) fn table(&self) -> &Table {
        &self.shared.table
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.shared.admission
    }

    /// Adds a service; one of the same name is replaced. Returns the protocols that are now accepted.
    pub(crate) fn serve(&self, service: Arc<dyn Service>) -> Vec<Vec<u8>> {
        debug_assert!(service.name().len() <= MAX_SERVICE_NAME, "the name {} is too long", service.name());
        let mut services = self.shared.services.write().unwrap_or_else(PoisonError::into_inner);
        services.retain(|other| other.name() != service.name());
        services.push(service);
        services.iter().map(|service| protocol(service.name())).collect()
    }

    /// Takes a service away: no further stream reaches it. Returns the protocols that are still accepted.
    pub(crate) fn withdraw(&self, name: &str) -> Vec<Vec<u8>> {
        let mut services = self.shared.services.write().unwrap_or_else(PoisonError::into_inner);
        services.retain(|other| other.name() != name);
        services.iter().map(|service| protocol(service.name())).collect()
    }

    fn service(&self, name: &str) -> Option<Arc<dyn Service>> {
        let services = self.shared.services.read().unwrap_or_else(PoisonError::into_inner);
        services.iter().find(|service| service.name() == name).cloned()
    }

    /// Lets go of all services, and ends their tasks.
    pub(crate) fn end(&self) {
        self.shared.ended.send_replace(true);
        self.shared.services.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Accepts until the endpoint is closed.
    pub(crate) async fn accept(self, endpoint: Endpoint) {
        while let Some(incoming) = endpoint.accept().await {
            let origin = match incoming.remote_addr() {
                IncomingAddr::Ip(address) if !self.shared.admission.admits_address(address) => {
                    // Not a word: who is blocked does not learn that we are here.
                    incoming.ignore();
                    continue;
                }
                IncomingAddr::Ip(address) => Origin::Address(address.ip().to_canonical()),
                IncomingAddr::Relay { endpoint_id, .. } => Origin::Relayed(endpoint_id),
                _ => {
                    incoming.refuse();
                    continue;
                }
            };
            let Some((handshake, running)) = self.enter(origin) else {
                incoming.refuse();
                continue;
            };
            let direct = matches!(handshake.origin, Origin::Address(_));
            if running > VALIDATE_FROM && direct && !incoming.remote_addr_validated() {
                // Fails only for an address that is validated.
                let _ = incoming.retry();
                continue;
            }
            let router = self.clone();
            tokio::spawn(async move {
                let connection = timeout(HANDSHAKE_TIMEOUT, router.handshake(incoming)).await;
                drop(handshake);
                if let Ok(Some(connection)) = connection {
                    router.run(connection).await;
                }
            });
        }
    }

    /// Counts a handshake, if there is room; returns how many run with it.
    fn enter(&self, origin: Origin) -> Option<(Handshake, usize)> {
        let mut running = self.handshakes();
        let all: usize = running.values().sum();
        if all >= MAX_HANDSHAKES || running.get(&origin).is_some_and(|&count| count >= MAX_HANDSHAKES_OF_ONE) {
            return None;
        }
        *running.entry(origin.clone()).or_default() += 1;
        Some((Handshake { router: self.clone(), origin }, all + 1))
    }

    fn handshakes(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        // Nothing panics between two changes.
        self.shared.handshakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn handshake(&self, incoming: Incoming) -> Option<Connection> {
        let connection = match incoming.await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::debug!(%error, "a handshake failed");
                return None;
            }
        };
        let node = NodeId(*connection.remote_id().as_bytes());
        let service = std::str::from_utf8(connection.alpn()).ok();
        let service = service.and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        let Some(service) = service.and_then(|name| self.service(name)) else {
            connection.close(REFUSED, b"no such service");
            return None;
        };
        match self.admit(connection, node, service.name(), false) {
            Ok(connection) => Some(connection),
            Err(error) => {
                tracing::debug!(?node, %error, "a connection was refused");
                None
            }
        }
    }

    /// Asks for a connection whose handshake is done, and closes it if it is refused.
    pub(crate) fn admit(
        &self,
        connection: iroh::endpoint::Connection,
        node: NodeId,
        service: &'static str,
        outgoing: bool,
    ) -> Result<Connection, crate::OpenError> {
        if self.shared.table.len() >= MAX_CONNECTIONS {
            connection.close(BUSY, b"too many connections");
            return Err(crate::OpenError::Gate(net::Refusal::Connections));
        }
        let address = connection.paths().iter().find_map(|path| match path.remote_addr() {
            iroh::TransportAddr::Ip(address) => Some(*address),
            _ => None,
        });
        let direction = if outgoing { Direction::Outgoing } else { Direction::Incoming };
        match self.shared.admission.admit(node, service, direction, address) {
            Ok(admitted) => {
                let connection = Connection::new(connection, (node, service), outgoing, admitted);
                self.shared.table.insert(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                connection.close(REFUSED, b"refused");
                Err(error)
            }
        }
    }

    /// Serves the streams of a connection until it ends, however it began.
    pub(crate) async fn run(&self, connection: Connection) {
        tracing::debug!(node = ?connection.key().0, service = %connection.key().1, "connected");
        let accept = async {
            while let Ok((send, recv)) = connection.iroh().accept_bi().await {
                self.accept_stream(&connection, send, recv);
            }
        };
        tokio::select! {
            () = accept => {}
            () = connection.unused() => connection.close(DONE, "unused"),
            () = self.takes_a_refused_way(&connection) => connection.close(REFUSED, "refused"),
            () = self.no_longer_admitted(&connection) => connection.close(REFUSED, "no longer admitted"),
            refusal = connection.revoked() => {
                tracing::debug!(node = ?connection.key().0, %refusal, "the gate ends a connection");
                connection.close(REFUSED, "no longer admitted");
            }
        }
        self.shared.table.remove(&connection);
        tracing::debug!(node = ?connection.key().0, service = %connection.key().1, "disconnected");
    }

    /// Returns when the directory, or the gate of a service that asks it for each stream, no longer admits the node, or
    /// the gate no longer admits an address that it comes from.
    async fn no_longer_admitted(&self, connection: &Connection) {
        let &(node, service) = connection.key();
        while self.shared.admission.admits(node, service, connection.direction()).is_ok()
            && !self.has_refused_way(connection)
        {
            tokio::time::sleep(REVIEW).await;
        }
    }

    /// Returns when the connection has opened a way to an address that the gate refuses: hole punching tries what the
    /// remote end names, without asking anybody.
    async fn takes_a_refused_way(&self, connection: &Connection) {
        let mut events = connection.iroh().path_events();
        while events.next().await.is_some() {
            if self.has_refused_way(connection) {
                return;
            }
        }
        // The connection is closed, which others notice.
        std::future::pending().await
    }

    /// Tells whether one of the connection's ways leads to an address that the gate refuses.
    fn has_refused_way(&self, connection: &Connection) -> bool {
        connection.iroh().paths().iter().any(|path| match path.remote_addr() {
            TransportAddr::Ip(address) => !self.shared.admission.admits_address(*address),
            _ => false,
        })
    }

    fn accept_stream(&self, connection: &Connection, mut send: SendStream, mut recv: RecvStream) {
        let &(node, name) = connection.key();
        let admits = |_: &_| self.shared.admission.admits(node, name, Direction::Incoming).is_ok();
        let service = self.service(name).filter(admits);
        let (service, code) = match service {
            Some(service) if connection.incoming() < service.streams_per_node() => (Some(service), REFUSED),
            Some(_) => (None, BUSY),
            None => (None, REFUSED),
        };
        let Some(service) = service else {
            // Both fail when the remote end closed the direction already.
            let _ = send.reset(code);
            let _ = recv.stop(code);
            return;
        };
        let guard = connection.guard(true);
        let mut ended = self.shared.ended.subscribe();
        tokio::spawn(async move {
            let mut hello = [0];
            let read = timeout(HELLO_TIMEOUT, recv.read_exact(&mut hello)).await;
            if !matches!(read, Ok(Ok(()))) || hello != [HELLO] || send.write_all(&[WELCOME]).await.is_err() {
                let _ = send.reset(REFUSED);
                let _ = recv.stop(REFUSED);
                return;
            }
            let peer = guard.connection().peer();
            let mut served = tokio::spawn(service.serve(peer, Stream::new(send, recv, guard)));
            tokio::select! {
                outcome = &mut served => if outcome.is_err_and(|error| error.is_panic()) {
                    tracing::error!(service = %name, "a service panicked: its stream was reset");
                },
                _ = ended.wait_for(|ended| *ended) => served.abort(),
            }
        });
    }
}
