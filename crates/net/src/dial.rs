//! Dialling peers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::Semaphore;

use crate::{Carrier, Stream};

/// How long a dial may take. Three SYN retransmissions of Linux (1 + 2 + 4 s) and a round trip.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// How many dials may be under way at once, over all torrents. Home routers are known to choke on hundreds of half-open
/// connections; with a time limit of 10 s this still tries several addresses a second when all of them are dead.
const MAX_DIALS: usize = 64;

/// Which way a dial goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Via {
    /// By every carrier that the policy allows.
    #[default]
    Any,
    /// By uTP alone, to an address that dials us at the same moment (BEP 55): no NAT lets a TCP connection in.
    Punch,
}

/// Which carriers are used, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarrierPolicy {
    /// TCP is used.
    pub tcp: bool,
    /// uTP is used.
    pub utp: bool,
    /// Which of the two a dial begins with, if both are used; the other one follows after a head start.
    pub prefer: Option<Carrier>,
}

impl Default for CarrierPolicy {
    fn default() -> CarrierPolicy {
        CarrierPolicy { tcp: true, utp: false, prefer: None }
    }
}

/// Dials peers: bounds how many dials run at once and how long each may take.
#[derive(Clone, Debug)]
pub struct Dialler {
    bind: Option<IpAddr>,
    policy: CarrierPolicy,
    permits: Arc<Semaphore>,
}

impl Dialler {
    /// Dials from `bind`, or from wherever the system's routes lead.
    pub fn new(bind: Option<IpAddr>, policy: CarrierPolicy) -> Dialler {
        Dialler { bind, policy, permits: Arc::new(Semaphore::new(MAX_DIALS)) }
    }

    /// Connects to `address` within [`DIAL_TIMEOUT`], counted from when it is this dial's turn. Cancel safe.
    pub async fn dial(&self, address: SocketAddr, via: Via) -> io::Result<Stream> {
        let _permit = self.permits.acquire().await.map_err(|_| io::ErrorKind::ConnectionAborted)?;
        if via == Via::Punch || !self.policy.tcp {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "uTP is switched off"));
        }
        self.dial_tcp(address).await
    }

    async fn dial_tcp(&self, address: SocketAddr) -> io::Result<Stream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(ip) = self.bind.filter(|ip| ip.is_ipv4() == address.is_ipv4()) {
            socket.bind(SocketAddr::new(ip, 0))?;
        }
        Ok(Stream::tcp(tokio::time::timeout(DIAL_TIMEOUT, socket.connect(address)).await??))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen;

    #[tokio::test]
    async fn a_dial_reaches_the_listener_from_the_bound_address() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let dialler = Dialler::new(Some("127.0.0.1".parse().unwrap()), CarrierPolicy::default());
        let (dialled, accepted) =
            tokio::join!(dialler.dial(listener.local_addr().unwrap(), Via::Any), listener.accept());
        let dialled = dialled.unwrap();
        assert_eq!(dialled.carrier(), Carrier::Tcp);
        assert_eq!(dialled.local_addr().unwrap(), accepted.unwrap().1);
    }
}
