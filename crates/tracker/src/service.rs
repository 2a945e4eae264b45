//! The running tracker: its sockets and its tasks.
//!
//! The tasks share one [`Core`] behind a lock. It is held for one call that does no I/O and takes microseconds, never
//! across an `.await`: a channel with an answer back would cost more than the call.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base::{Now, WallTime};
use net::Egress;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::proto::{Core, Stats};
use crate::{Config, http, udp};

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
        Tracker::start_for(config, Arc::new(Everybody), &Egress::default()).await
    }

    /// Opens the sockets where `egress` says and serves whom `guests` admits; others hear nothing.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn start_for(config: &Config, guests: Arc<dyn Guests>, egress: &Egress) -> Result<Tracker, StartError> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(StartError::Random)?;
        let seed = getrandom::u64().map_err(StartError::Random)?;
        let begun = Instant::now();
        let now = Now { mono: base::Instant::START, wall: WallTime(0) };
        let core = Core::new(now, config.limits(), &key, fastrand::Rng::with_seed(seed));
        let shared = Shared { core: Arc::new(Mutex::new(core)), guests, begun };
        let (mut tasks, mut addresses) = (JoinSet::new(), Vec::new());
        let connections = http::Connections::new(config.connections);
        let pairs = net::pairs(&config.listen, egress);
        for pair in pairs.map_err(|(address, source)| StartError::Listen { address, source })? {
            let address = pair.address;
            let datagrams = UdpSocket::from_std(pair.udp).map_err(|source| StartError::Listen { address, source })?;
            addresses.push(address);
            tasks.spawn(http::serve(pair.tcp, shared.clone(), connections.clone()));
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
