//! The overlay itself: starts the endpoint, opens streams, tells what stands.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::NodeId;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use futures_util::{FutureExt as _, StreamExt as _};
use iroh::endpoint::{
    BindOpts, Builder, ConnectError, ConnectWithOptsError, ConnectionError, NetReportConfig, PortmapperConfig,
    ReadError, ReadExactError, WriteError, presets,
};
use iroh::{Endpoint, EndpointId, RelayMap, RelayMode, SecretKey};
use net::{Direction, PortMapping};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::admission::Admission;
use crate::connection::{BUSY, Connection, ConnectionInfo, DONE, Key, REFUSED};
use crate::hint::{Hint, MAX_HINTS, Relay};
use crate::lookup::{LocalNetwork, Lookup};
use crate::mapping;
use crate::ping::{self, Pong};
use crate::relays::keeper::{self, Keeper};
use crate::relays::proxy::Proxy;
use crate::relays::{KnownRelays, names};
use crate::router::{HELLO, Router, WELCOME, protocol};
use crate::service::Service;
use crate::settings::{Settings, transport};
use crate::stream::Stream;
use crate::{OpenError, StartError};

/// How long dialling may take, looking up included: a look-up in the DHT takes some seconds, hole punching some more.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the remote end may take to admit a stream.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a stream is tried: the second time over a new connection, since the remote end may just have closed one
/// that was unused.
const TRIES: usize = 2;

/// How many of the relays that it offers a node tells others of: one for each family of addresses, mostly.
const MAX_OFFERED: usize = 2;

/// A dialling that several may wait for.
type Dialling = BoxFuture<'static, Result<Connection, OpenError>>;

/// Streams to nodes by their id. Cheap to clone; ends with [`Overlay::shut_down`] or with the last clone.
#[derive(Clone, Debug)]
pub struct Overlay {
    shared: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    router: Router,
    lookup: Lookup,
    known: KnownRelays,
    /// The relays to choose from, beside the public ones.
    relays: watch::Sender<Vec<Relay>>,
    /// Whether the public relays may be used where none of these helps.
    public: bool,
    mapping: Option<PortMapping>,
    /// What is being dialled. Bounded by who waits for it: an entry that nobody waits for is removed by the next one.
    dialling: Mutex<HashMap<Key, WeakShared<Dialling>>>,
}

impl Drop for Inner {
    /// Closes the endpoint, which the tasks that accept and look up hold.
    fn drop(&mut self) {
        self.router.end();
        let endpoint = self.endpoint.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { endpoint.close().await });
        }
    }
}

impl Overlay {
    /// Binds the port and begins to serve.
    pub async fn start(settings: Settings, services: Vec<Arc<dyn Service>>) -> Result<Overlay, StartError> {
        let admission = Admission::new(settings.gate.clone(), settings.directory.clone());
        let own = NodeId(*SecretKey::from_bytes(&settings.secret).public().as_bytes());
        let known = KnownRelays::new(own, &settings.relays.known, uses_public_relays(&settings));
        let lookup = Lookup::new(admission.clone(), known.clone(), settings.dht.clone(), settings.publish);
        let router = Router::new(admission.clone());
        let mut protocols = Vec::new();
        for service in services.into_iter().chain([Arc::new(ping::Answers) as Arc<dyn Service>]) {
            protocols = router.serve(service);
        }
        let refused = |reason: String| StartError::Bind { addresses: settings.bind.clone(), reason };
        let map = relay_map(&settings, &admission);
        let mut builder = builder(&settings, map.clone(), &known, &admission);
        let proxy = match uses_relays(&settings) {
            true => Some(proxy(&settings, &admission, &known).await?),
            false => None,
        };
        if let Some((_, url)) = &proxy {
            // A URL by the way it was made.
            builder = builder.proxy_url(url.parse().expect("a URL"));
        }
        let builder = bind(builder, &settings.bind).map_err(refused)?;
        let builder = builder.alpns(protocols).address_lookup(lookup.clone());
        let endpoint = builder.bind().await.map_err(|error| refused(format!("{error:#}")))?;
        if settings.mdns && everywhere(&settings.bind) {
            match LocalNetwork::start(endpoint.id(), lookup.clone(), settings.gate.clone()) {
                Ok(local) => add_lookup(&endpoint, local),
                Err(error) => tracing::warn!(error, "nodes on the local network are not found (mDNS)"),
            }
        }
        lookup.start_publishing(endpoint.secret_key().clone(), chosen(&settings.bind));
        let relays = watch::Sender::new(settings.relays.known.clone());
        let public = uses_public_relays(&settings);
        if let Some((proxy, _)) = proxy {
            let (endpoint, known, cuts) = (endpoint.clone(), known.clone(), proxy.cuts());
            let closed = endpoint.closed();
            let keeper = Keeper { endpoint, map, public, admission, known, cuts };
            tokio::spawn(keeper.run(relays.subscribe()));
            tokio::spawn(proxy.serve(closed));
        }
        let mapping = settings.map_port.then(|| mapping::start(&endpoint));
        tokio::spawn(router.clone().accept(endpoint.clone()));
        let dialling = Mutex::default();
        let shared = Inner { endpoint, router, lookup, known, relays, public, mapping, dialling };
        Ok(Overlay { shared: Arc::new(shared) })
    }

    /// Returns this node's id.
    pub fn node(&self) -> NodeId {
        NodeId(*self.shared.endpoint.id().as_bytes())
    }

    /// Returns the UDP addresses that are listened on.
    pub fn bound(&self) -> Vec<SocketAddr> {
        self.shared.endpoint.bound_sockets()
    }

    /// Returns the node's secret key, for what it signs elsewhere in this crate.
    pub(crate) fn secret(&self) -> [u8; 32] {
        self.shared.endpoint.secret_key().to_bytes()
    }

    /// Waits until the overlay was shut down. Holds nothing of it.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        self.shared.endpoint.closed()
    }

    /// Adds a service, or replaces the one of the same name, from the next stream on.
    pub fn serve(&self, service: Arc<dyn Service>) {
        self.shared.endpoint.set_alpns(self.shared.router.serve(service));
    }

    /// Takes a service away: no further stream reaches it. Those that it serves go on.
    pub fn withdraw(&self, name: &str) {
        self.shared.endpoint.set_alpns(self.shared.router.withdraw(name));
    }

    /// Opens a stream to a service of a node: over the connection that stands, or a new one to where `hints`, the
    /// directory, the local network or the DHT say. Returns when the remote end has admitted it. Takes up to 40 s; not
    /// cancel safe in so far as the remote end may see a stream that ends at once.
    pub async fn open(&self, node: NodeId, service: &'static str, hints: &[Hint]) -> Result<Stream, OpenError> {
        let opened = self.try_open(node, service, hints).await;
        if matches!(opened, Err(OpenError::Refused)) {
            self.shared.router.admission().was_refused(node, service);
        }
        opened
    }

    async fn try_open(&self, node: NodeId, service: &'static str, hints: &[Hint]) -> Result<Stream, OpenError> {
        self.shared.router.admission().admits(node, service, Direction::Outgoing)?;
        self.shared.lookup.tell(node, hints);
        let key: Key = (node, service);
        let mut outcome = Err(OpenError::Broken);
        for _ in 0..TRIES {
            let connection = match self.shared.router.table().find(&key) {
                Some(connection) => connection,
                None => self.dial(key).await?,
            };
            let before = connection.received_bytes();
            outcome = timeout(WELCOME_TIMEOUT, open_stream(&connection)).await.unwrap_or(Err(OpenError::NoAnswer));
            match outcome {
                Err(OpenError::Broken) => connection.close(DONE, "broken"),
                // Not a sound, although ways are kept alive every few seconds: the remote end was restarted.
                Err(OpenError::NoAnswer) if connection.received_bytes() == before => {
                    connection.close(DONE, "no answer")
                }
                _ => return outcome,
            }
        }
        outcome
    }

    /// Asks a node whether it is there: once, or `times` in a row, since the way may become a better one meanwhile. The
    /// pause between two is `pause`.
    pub async fn ping(
        &self,
        node: NodeId,
        hints: &[Hint],
        times: usize,
        pause: Duration,
    ) -> Result<Vec<Pong>, OpenError> {
        let mut stream = self.open(node, ping::NAME, hints).await?;
        let mut pongs = vec![ping::ask(&mut stream).await?];
        while pongs.len() < times {
            tokio::time::sleep(pause).await;
            pongs.push(ping::ask(&mut stream).await?);
        }
        Ok(pongs)
    }

    /// Looks up where a node may be, without dialling it: each hint with who told it (`hints`, `mdns`, `dht`). Takes up
    /// to 30 s.
    pub async fn resolve(&self, node: NodeId) -> Result<Vec<(&'static str, Hint)>, OpenError> {
        let id = EndpointId::from_bytes(&node.0).map_err(|_| OpenError::NoPeer)?;
        let lookups = self.shared.endpoint.address_lookup().map_err(|_| OpenError::ShutDown)?;
        let mut stream = pin!(lookups.resolve(id));
        let mut found = Vec::new();
        let all = async {
            while let Some(item) = stream.next().await {
                let Ok(Ok(item)) = item else { continue };
                let hints = item.addrs().filter_map(Hint::from_iroh).map(|hint| (item.provenance(), hint));
                found.extend(hints.take(MAX_HINTS));
            }
        };
        // What came in time counts.
        let _ = timeout(DIAL_TIMEOUT, all).await;
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Returns where this node may be reached: the addresses of its interfaces, those that the router and relays know,
    /// its relay, and the relays that it offers itself, first of all; then what reaches farthest.
    pub fn own_hints(&self) -> Vec<Hint> {
        let own = self.shared.endpoint.addr();
        let mut hints: Vec<_> = own.addrs.iter().filter_map(Hint::from_iroh).collect();
        // The endpoint keeps to a relay that is gone until it finds another.
        hints.retain(|hint| match hint {
            Hint::Relay(relay) => self.tells(relay),
            Hint::Address(_) => true,
        });
        hints.sort_by_key(|hint| match hint {
            Hint::Relay(_) => 0,
            Hint::Address(address) if !net::dht::is_local(address.ip()) => 1,
            Hint::Address(_) => 2,
        });
        let offered = self.shared.known.offered().into_iter().map(Hint::Relay);
        hints.retain(|hint| !offered.clone().any(|other| other == *hint));
        hints.splice(0..0, offered);
        hints.truncate(MAX_HINTS);
        hints
    }

    /// Returns the connections that stand.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        let connections = self.shared.router.table().all();
        let mut infos: Vec<_> = connections.iter().filter(|c| c.is_alive()).map(Connection::info).collect();
        infos.sort_by_key(|info| (info.node, info.service));
        infos
    }

    /// Ends the connections with a node, of all services.
    pub fn close(&self, node: NodeId) {
        for connection in self.shared.router.table().all().into_iter().filter(|it| it.key().0 == node) {
            connection.close(REFUSED, "refused");
        }
    }

    /// Ends the connections of one service with a node, which is thought to be gone: the next stream is opened over a new one.
    pub fn hang_up(&self, node: NodeId, service: &str) {
        for connection in self.shared.router.table().all() {
            if connection.key().0 == node && connection.key().1 == service {
                connection.close(DONE, "silent");
            }
        }
    }

    /// Ends at once what the directory no longer admits: connections with the streams over them, and those to relays. To be
    /// called when it changed.
    pub fn review(&self) {
        let admission = self.shared.router.admission();
        for connection in self.shared.router.table().all() {
            let (node, service) = connection.key();
            if !admission.knows(*node, service) {
                connection.close(REFUSED, "no longer admitted");
            }
        }
        admission.review();
    }

    /// Replaces the relays to choose from, from now on: those of the settings, of people and groups. Connections that go by
    /// others stay. The public ones are used only while none of these helps.
    pub fn set_relays(&self, relays: Vec<Relay>) {
        self.shared.known.name(&relays);
        self.shared.relays.send_if_modified(|known| {
            let news = *known != relays;
            *known = relays;
            news
        });
    }

    /// Returns the relays to choose from, beside the public ones.
    pub fn relays(&self) -> Vec<Relay> {
        self.shared.relays.borrow().clone()
    }

    /// Whether the public relays may be used where none of these helps.
    pub fn uses_public_relays(&self) -> bool {
        self.shared.public
    }

    /// Says which relays this node offers itself: others are told of the first [`MAX_OFFERED`].
    pub fn offer_relays(&self, mut relays: Vec<Relay>) {
        relays.truncate(MAX_OFFERED);
        self.shared.known.offer(relays);
    }

    fn tells(&self, relay: &Relay) -> bool {
        self.shared.known.may_tell(relay, self.shared.router.admission())
    }

    /// Returns the relay by which others reach this node now, whether it is connected, and what it said last if not.
    pub fn own_relay(&self) -> Option<(Relay, bool, Option<String>)> {
        keeper::homes(&self.shared.endpoint).into_iter().find(|(relay, ..)| self.tells(relay))
    }

    /// Says whether our addresses are published in the DHT. What is there already is forgotten within two hours.
    pub fn set_publish(&self, publish: bool) {
        self.shared.lookup.set_publish(publish);
    }

    /// Tells whether our addresses are published in the DHT, where that is on.
    pub fn publishes(&self) -> bool {
        self.shared.lookup.publishes()
    }

    /// Tells of an address that the outside reaches our port at, for example because a router maps it.
    pub async fn add_external(&self, address: SocketAddr) {
        self.shared.endpoint.add_external_addr(address).await;
    }

    /// Forgets an address told by [`Overlay::add_external`].
    pub async fn remove_external(&self, address: SocketAddr) {
        self.shared.endpoint.remove_external_addr(&address).await;
    }

    /// Closes all connections, orderly, and the port. Takes some seconds at most.
    pub async fn shut_down(&self) {
        if let Some(mapping) = &self.shared.mapping {
            mapping.stop().await;
        }
        self.shared.endpoint.close().await;
        self.shared.router.end();
    }

    /// Dials, or waits for the dialling that is under way.
    async fn dial(&self, key: Key) -> Result<Connection, OpenError> {
        let dialling = {
            let mut all = self.shared.dialling.lock().unwrap_or_else(PoisonError::into_inner);
            match all.get(&key).and_then(WeakShared::upgrade) {
                Some(dialling) if dialling.peek().is_none() => dialling,
                _ => {
                    all.retain(|_, dialling| dialling.upgrade().is_some_and(|dialling| dialling.peek().is_none()));
                    let dialling: Shared<Dialling> = connect(self.shared_parts(), key).boxed().shared();
                    // It cannot be done before it was polled.
                    all.extend(dialling.downgrade().map(|weak| (key, weak)));
                    dialling
                }
            }
        };
        dialling.await
    }

    fn shared_parts(&self) -> (Endpoint, Router) {
        (self.shared.endpoint.clone(), self.shared.router.clone())
    }
}

async fn connect((endpoint, router): (Endpoint, Router), key: Key) -> Result<Connection, OpenError> {
    let (node, service) = key;
    let id = EndpointId::from_bytes(&node.0).map_err(|_| OpenError::NoPeer)?;
    let protocol = protocol(service);
    let dialled = timeout(DIAL_TIMEOUT, endpoint.connect(id, &protocol)).await;
    let connection = dialled.map_err(|_| OpenError::NoAnswer)?.map_err(|error| {
        tracing::debug!(?node, %error, "dialling failed");
        dial_error(&error)
    })?;
    let connection = router.admit(connection, node, service, true)?;
    let (router, running) = (router.clone(), connection.clone());
    tokio::spawn(async move { router.run(running).await });
    Ok(connection)
}

async fn open_stream(connection: &Connection) -> Result<Stream, OpenError> {
    let guard = connection.guard(false);
    let (mut send, mut recv) = connection.iroh().open_bi().await.map_err(|error| connection_error(&error))?;
    send.write_all(&[HELLO]).await.map_err(|error| match error {
        WriteError::Stopped(BUSY) => OpenError::Busy,
        WriteError::Stopped(_) => OpenError::Refused,
        WriteError::ConnectionLost(error) => connection_error(&error),
        _ => OpenError::Broken,
    })?;
    let mut answer = [0];
    match recv.read_exact(&mut answer).await {
        Ok(()) if answer == [WELCOME] => Ok(Stream::new(send, recv, guard)),
        Err(ReadExactError::ReadError(ReadError::Reset(BUSY))) => Err(OpenError::Busy),
        Err(ReadExactError::ReadError(ReadError::ConnectionLost(error))) => Err(connection_error(&error)),
        _ => Err(OpenError::Refused),
    }
}

fn connection_error(error: &ConnectionError) -> OpenError {
    match error {
        ConnectionError::ApplicationClosed(close) if close.error_code == REFUSED => OpenError::Refused,
        ConnectionError::ApplicationClosed(close) if close.error_code == BUSY => OpenError::Busy,
        ConnectionError::ConnectionClosed(_) => OpenError::Refused,
        ConnectionError::TimedOut => OpenError::NoAnswer,
        _ => OpenError::Broken,
    }
}

fn dial_error(error: &ConnectError) -> OpenError {
    match error {
        ConnectError::Connect { source: ConnectWithOptsError::SelfConnect { .. }, .. } => OpenError::NoPeer,
        ConnectError::Connect { source: ConnectWithOptsError::NoAddress { .. }, .. } => OpenError::NotFound,
        ConnectError::Connect { source: ConnectWithOptsError::EndpointClosed { .. }, .. } => OpenError::ShutDown,
        ConnectError::Connection { source, .. } => connection_error(source),
        ConnectError::Connecting { source, .. } => match source {
            iroh::endpoint::ConnectingError::ConnectionError { source, .. } => connection_error(source),
            _ => OpenError::Refused,
        },
        _ => OpenError::NoAnswer,
    }
}

/// Sets what does not depend on the addresses.
fn builder(settings: &Settings, map: RelayMap, known: &KnownRelays, admission: &Admission) -> Builder {
    let relays = if uses_relays(settings) { RelayMode::Custom(map) } else { RelayMode::Disabled };
    let mut report = NetReportConfig::default();
    // Asks a public address over plain HTTP, for the sake of hotels.
    report.captive_portal_check = false;
    Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(&settings.secret))
        .transport_config(transport())
        .relay_mode(relays)
        .ca_tls_config(known.tls())
        .dns_resolver(names::resolver(settings.egress.clone(), admission.clone()))
        // The node maps the port itself.
        .portmapper_config(PortmapperConfig::Disabled)
        .net_report_config(report)
}

fn add_lookup(endpoint: &Endpoint, lookup: LocalNetwork) {
    // Fails only for an endpoint that is closed.
    if let Ok(lookups) = endpoint.address_lookup() {
        lookups.add(lookup);
    }
}

/// Returns the relays that the endpoint starts with.
fn relay_map(settings: &Settings, admission: &Admission) -> RelayMap {
    keeper::start(&settings.relays.known, uses_public_relays(settings), admission).into_values().collect()
}

/// Opens the way to relays, with the URL by which it is used.
async fn proxy(settings: &Settings, admission: &Admission, known: &KnownRelays) -> Result<(Proxy, String), StartError> {
    let opened = async {
        let proxy = Proxy::open(admission.clone(), settings.egress.clone(), known.clone()).await?;
        let url = proxy.url()?;
        Ok((proxy, url))
    };
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    opened.await.map_err(|error: io::Error| StartError::Bind { addresses: vec![here], reason: error.to_string() })
}

/// Whether relays may be used: without a way out of one's own they are spoken to from whatever address the system chooses.
fn uses_relays(settings: &Settings) -> bool {
    settings.egress.address.is_some() || chosen(&settings.bind).iter().all(IpAddr::is_loopback)
}

/// Whether the public relays may be: they see nothing of who listens on this computer alone.
fn uses_public_relays(settings: &Settings) -> bool {
    let leaves = settings.egress.address.is_some_and(|address| !address.is_loopback());
    settings.relays.public && (leaves || chosen(&settings.bind).is_empty())
}

/// Whether the user left it to the system which addresses are used.
fn everywhere(bind: &[SocketAddr]) -> bool {
    bind.iter().all(|address| address.ip().is_unspecified())
}

/// Returns the addresses that the user chose.
fn chosen(bind: &[SocketAddr]) -> Vec<IpAddr> {
    bind.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified()).collect()
}

/// Sets the addresses. Of several of one family the first is for whatever is not in the network of another.
fn bind(builder: Builder, addresses: &[SocketAddr]) -> Result<Builder, String> {
    let mut builder = builder.clear_ip_transports();
    if addresses.is_empty() {
        let any = BindOpts::default();
        // A computer without IPv6 is common.
        let optional = BindOpts::default().set_is_required(false);
        let v4 = builder.bind_addr_with_opts(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), any);
        let v6 = |builder: Builder| builder.bind_addr_with_opts(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)), optional);
        return v4.and_then(v6).map_err(|error| error.to_string());
    }
    for (i, address) in addresses.iter().enumerate() {
        let first = addresses[..i].iter().all(|other| other.is_ipv4() != address.is_ipv4());
        let prefix = match address {
            _ if first => 0,
            SocketAddr::V4(v4) if v4.ip().is_loopback() => 8,
            SocketAddr::V4(_) => 32,
            SocketAddr::V6(_) => 128,
        };
        builder = builder
            .bind_addr_with_opts(*address, BindOpts::default().set_prefix_len(prefix))
            .map_err(|error| error.to_string())?;
    }
    Ok(builder)
}
