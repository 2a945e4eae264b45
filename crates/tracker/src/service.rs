//! The running tracker: its sockets and its tasks.
//!
//! The tasks share one [`Core`] behind a lock. It is held for one call that does no I/O and takes microseconds, never
//! across an `.await`: a channel with an answer back would cost more than the call.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base::{Now, WallTime};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use crate::proto::{Core, Stats};
use crate::{Config, http, udp};

/// How many TCP connections wait for being accepted (arbitrary; the usual one).
const BACKLOG: i32 = 1_024;

/// How often a port that is free for TCP is tried for UDP, where any port will do (arbitrary).
const PORT_TRIES: u32 = 20;

/// Why the tracker does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(
        "the tracker cannot listen on {address}: {source}; choose another address in [offer.tracker] of config.toml"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The system gives no random numbers.
    #[error("the tracker gets no random numbers from the system: {0}")]
    Random(getrandom::Error),
}

/// Says whom the tracker answers. Asked for each request, and for each new connection.
pub trait Guests: fmt::Debug + Send + Sync + 'static {
    /// Tells whether an address is answered. Must return at once.
    fn admits(&self, ip: IpAddr) -> bool;
}

/// Everybody is answered.
#[derive(Clone, Copy, Debug)]
struct Everybody;

impl Guests for Everybody {
    fn admits(&self, _ip: IpAddr) -> bool {
        true
    }
}

/// A running tracker. Dropping it ends it.
#[derive(Debug)]
pub struct Tracker {
    shared: Shared,
    addresses: Vec<SocketAddr>,
    /// Aborts its tasks when it is dropped.
    _tasks: JoinSet<()>,
}

/// What the tasks share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    core: Arc<Mutex<Core>>,
    guests: Arc<dyn Guests>,
    begun: Instant,
}

impl Shared {
    /// Locks the state; not to be held across an `.await`.
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        // A panic in one request must not end the service for all: every change leaves the table in order.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether an address is answered.
    pub(crate) fn admits(&self, ip: IpAddr) -> bool {
        self.guests.admits(ip.to_canonical())
    }

    /// Reads the clocks.
    pub(crate) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Now { mono: base::Instant::from_start(self.begun.elapsed()), wall: WallTime(wall) }
    }
}

impl Tracker {
    /// Opens the sockets and serves everybody until it is dropped.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn start(config: &Config) -> Result<Tracker, StartError> {
        Tracker::start_for(config, Arc::new(Everybody)).await
    }

    /// Opens the sockets and serves whom `guests` admits; others hear nothing.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn start_for(config: &Config, guests: Arc<dyn Guests>) -> Result<Tracker, StartError> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(StartError::Random)?;
        let seed = getrandom::u64().map_err(StartError::Random)?;
        let begun = Instant::now();
        let now = Now { mono: base::Instant::START, wall: WallTime(0) };
        let core = Core::new(now, config.limits(), &key, fastrand::Rng::with_seed(seed));
        let shared = Shared { core: Arc::new(Mutex::new(core)), guests, begun };
        let (mut tasks, mut addresses) = (JoinSet::new(), Vec::new());
        let connections = http::Connections::new(config.connections);
        for &address in &config.listen {
            let listen = |source| StartError::Listen { address, source };
            let (tcp, datagrams) = match sockets(address) {
                Ok(sockets) => sockets,
                // A computer without IPv6 serves IPv4 alone.
                Err(error) if is_missing_family(&error) && config.listen.len() > 1 => {
                    tracing::debug!(%address, %error, "the tracker leaves out an address");
                    continue;
                }
                Err(error) => return Err(listen(error)),
            };
            addresses.push(tcp.local_addr().map_err(listen)?);
            tasks.spawn(http::serve(tcp, shared.clone(), connections.clone()));
            tasks.spawn(udp::serve(datagrams, shared.clone()));
        }
        tasks.spawn(expire(shared.clone()));
        Ok(Tracker { shared, addresses, _tasks: tasks })
    }

    /// Returns the addresses that are served, over HTTP and UDP alike.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns all numbers.
    pub fn stats(&self) -> Stats {
        self.shared.core().stats()
    }
}

/// Lets peers expire.
async fn expire(shared: Shared) {
    loop {
        let due = shared.core().poll_timeout();
        tokio::time::sleep(due.since(shared.now().mono)).await;
        let now = shared.now();
        shared.core().timeout(now);
    }
}

/// Opens the TCP and the UDP socket of an address; with port 0 both get the same port.
fn sockets(address: SocketAddr) -> std::io::Result<(TcpListener, UdpSocket)> {
    let mut tries = PORT_TRIES;
    loop {
        let tcp = socket(address, Type::STREAM)?;
        tcp.listen(BACKLOG)?;
        let tcp = TcpListener::from_std(tcp.into())?;
        match socket(SocketAddr::new(address.ip(), tcp.local_addr()?.port()), Type::DGRAM) {
            Ok(datagrams) => return Ok((tcp, UdpSocket::from_std(datagrams.into())?)),
            Err(error) if address.port() != 0 || tries == 0 => return Err(error),
            Err(_) => tries -= 1,
        }
    }
}

fn socket(address: SocketAddr, kind: Type) -> std::io::Result<Socket> {
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own, so that every address is shown as what it is.
        socket.set_only_v6(true)?;
    }
    #[cfg(unix)]
    if kind == Type::STREAM {
        // A port whose last connections are still being wound up is free for a new listener.
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether the system lacks the address family, or has no such address.
fn is_missing_family(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::Unsupported | std::io::ErrorKind::AddrNotAvailable)
        || error.to_string().contains("not supported")
}
