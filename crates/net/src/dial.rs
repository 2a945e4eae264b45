//! Dialling peers.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use base::NodeId;
use tokio::sync::Semaphore;

use crate::udp::Utp;
use crate::{Carrier, Egress, Overland, Stream, Udp};

/// How long a dial may take. Three SYN retransmissions of Linux (1 + 2 + 4 s) and a round trip.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long opening a stream to a node may take: its addresses are looked up first, perhaps in the DHT, and holes are
/// punched. Arbitrary.
const OVERLAND_TIMEOUT: Duration = Duration::from_secs(30);

/// How many dials may be under way at once, over all torrents, unless somebody says otherwise. Home routers are known to choke on hundreds of half-open
/// connections; with a time limit of 10 s this still tries several addresses a second when all of them are dead.
pub const MAX_DIALS: u32 = 64;

/// How long the preferred carrier is tried alone. RFC 8305 ("happy eyeballs"), Connection Attempt Delay.
const HEAD_START: Duration = Duration::from_millis(250);

/// Permits whose number can change while some are out.
#[derive(Debug)]
struct Permits {
    free: Semaphore,
    count: Mutex<Count>,
}

#[derive(Debug)]
struct Count {
    limit: u32,
    /// How many of those that are out do not come back.
    surplus: u32,
}

/// One that is out.
#[derive(Debug)]
struct Permit<'a>(&'a Permits);

impl Permits {
    fn new(limit: u32) -> Permits {
        Permits { free: Semaphore::new(limit as usize), count: Mutex::new(Count { limit, surplus: 0 }) }
    }

    async fn acquire(&self) -> io::Result<Permit<'_>> {
        self.free.acquire().await.map_err(|_| io::ErrorKind::ConnectionAborted)?.forget();
        Ok(Permit(self))
    }

    fn set(&self, limit: u32) {
        let mut count = self.count();
        if limit >= count.limit {
            let more = limit - count.limit;
            let kept = more.min(count.surplus);
            count.surplus -= kept;
            self.free.add_permits((more - kept) as usize);
        } else {
            let less = count.limit - limit;
            // At most `less`, so it fits.
            count.surplus += less - self.free.forget_permits(less as usize) as u32;
        }
        count.limit = limit;
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        // Nothing panics between two changes of it.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut count = self.0.count();
        if count.surplus > 0 {
            count.surplus -= 1;
        } else {
            self.0.free.add_permits(1);
        }
    }
}

/// Which way a dial goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Via {
    /// By every carrier that the policy allows.
    #[default]
    Any,
    /// By this one, if the policy allows it.
    Only(Carrier),
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
    egress: Egress,
    policy: CarrierPolicy,
    utp: Option<Utp>,
    permits: Arc<Permits>,
    /// Set once, when the node has an overlay.
    overland: Arc<OnceLock<Arc<dyn Overland>>>,
}

impl Dialler {
    /// Dials by the way out that the user chose, and over uTP if `udp` speaks it.
    pub fn new(egress: Egress, policy: CarrierPolicy, udp: &Udp) -> Dialler {
        let utp = udp.utp.clone().filter(|_| policy.utp);
        Dialler { egress, policy, utp, permits: Arc::new(Permits::new(MAX_DIALS)), overland: Arc::default() }
    }

    /// Says who opens streams to nodes. The first word counts; before it no node is reached.
    pub fn set_overland(&self, overland: Arc<dyn Overland>) {
        // A second overlay in one session is a mistake of the caller that does no harm.
        let _ = self.overland.set(overland);
    }

    /// Opens a stream of the overlay to a node. Cancel safe.
    pub async fn dial_node(&self, node: NodeId) -> io::Result<Stream> {
        let missing =
            || io::Error::new(io::ErrorKind::Unsupported, "this node has no overlay: `compeer init` makes one");
        let overland = self.overland.get().ok_or_else(missing)?;
        let _permit = self.permits.acquire().await?;
        tokio::time::timeout(OVERLAND_TIMEOUT, overland.open(node)).await?.map(Stream::quic)
    }

    /// Changes how many dials may be under way; 1 at least. Those that are go on.
    pub fn set_limit(&self, dials: u32) {
        // 4,096: more than a process has files for.
        self.permits.set(dials.clamp(1, 4096));
    }

    /// Connects to `address` within [`DIAL_TIMEOUT`], counted from when it is this dial's turn. Cancel safe.
    pub async fn dial(&self, address: SocketAddr, via: Via) -> io::Result<Stream> {
        if base::id::is_stand_in(address.ip()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the address only stands for a node"));
        }
        let _permit = self.permits.acquire().await?;
        let tcp = self.policy.tcp && matches!(via, Via::Any | Via::Only(Carrier::Tcp));
        let utp = self.utp.as_ref().filter(|_| matches!(via, Via::Any | Via::Punch | Via::Only(Carrier::Utp)));
        let work = async {
            match (utp, tcp) {
                (None, true) => self.dial_tcp(address).await,
                (None, false) => Err(io::Error::new(io::ErrorKind::Unsupported, "this carrier is switched off")),
                (Some(utp), false) => dial_utp(utp, address).await,
                (Some(utp), true) if self.policy.prefer == Some(Carrier::Utp) => {
                    race(dial_utp(utp, address), self.dial_tcp(address)).await
                }
                // TCP costs the least, and no home router loses it.
                (Some(utp), true) => race(self.dial_tcp(address), dial_utp(utp, address)).await,
            }
        };
        tokio::time::timeout(DIAL_TIMEOUT, work).await?
    }

    async fn dial_tcp(&self, address: SocketAddr) -> io::Result<Stream> {
        Ok(Stream::tcp(self.egress.connect(address).await?))
    }
}

async fn dial_utp(utp: &Utp, address: SocketAddr) -> io::Result<Stream> {
    Ok(Stream::Utp(utp.connect(address).await?))
}

/// Tries `first`, and beside it `second` as soon as `first` has failed or [`HEAD_START`] is over. The one that connects
/// first wins and the other is given up; when both fail, `first` says why.
async fn race<T>(
    first: impl Future<Output = io::Result<T>>,
    second: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    if let Ok(outcome) = tokio::time::timeout(HEAD_START, &mut first).await {
        return match outcome {
            Ok(stream) => Ok(stream),
            Err(error) => second.await.map_err(|_| error),
        };
    }
    tokio::select! {
        outcome = &mut first => match outcome {
            Ok(stream) => Ok(stream),
            Err(error) => second.await.map_err(|_| error),
        },
        outcome = &mut second => match outcome {
            Ok(stream) => Ok(stream),
            Err(_) => first.await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[tokio::test]
    async fn fewer_dials_hold_as_soon_as_those_under_way_are_over() {
        let permits = Permits::new(2);
        let free = || permits.free.available_permits();
        let (first, second) = (permits.acquire().await.unwrap(), permits.acquire().await.unwrap());
        permits.set(1);
        drop(first);
        assert_eq!(free(), 0);
        permits.set(3);
        assert_eq!(free(), 2);
        drop(second);
        assert_eq!(free(), 3);
        permits.set(1);
        assert_eq!(free(), 1);
    }
    use crate::{Clock, ListenError, UdpConfig, UtpIncoming, listen};
    use std::net::Ipv4Addr;
    use tokio::net::TcpListener;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn udp(utp: bool) -> (Udp, SocketAddr) {
        let config = UdpConfig {
            egress: Egress { address: Some(LOOPBACK), ..Egress::default() },
            listen: Vec::new(),
            utp,
            accept: true,
            memory_bytes: 64 << 20,
            seed: fastrand::u64(..),
            dht: None,
            gate: None,
        };
        let udp = Udp::start(config, Clock::start()).unwrap();
        let address = udp.local_addrs().0.unwrap();
        (udp, address)
    }

    fn dialler(tcp: bool, utp: bool, prefer: Option<Carrier>) -> (Dialler, Udp) {
        let (udp, _) = udp(utp);
        (
            Dialler::new(
                Egress { address: Some(LOOPBACK), ..Egress::default() },
                CarrierPolicy { tcp, utp, prefer },
                &udp,
            ),
            udp,
        )
    }

    /// Opens both kinds of sockets at one port.
    fn udp_and_tcp() -> (Udp, SocketAddr, TcpListener) {
        loop {
            let (udp, address) = udp(true);
            match listen(address, &Egress::default()) {
                Ok(listener) => return (udp, address, listener),
                // A connection of somebody else may have the same port.
                Err(ListenError::Taken(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Accepts uTP connections for ever.
    async fn accept(mut incoming: UtpIncoming) {
        let mut streams = Vec::new();
        while let Some((stream, _)) = incoming.accept().await {
            streams.push(stream);
        }
    }

    #[tokio::test]
    async fn a_dial_reaches_the_listener_from_the_bound_address() {
        let listener = listen("127.0.0.1:0".parse().unwrap(), &Egress::default()).unwrap();
        let (dialler, _udp) = dialler(true, false, None);
        let (dialled, accepted) =
            tokio::join!(dialler.dial(listener.local_addr().unwrap(), Via::Any), listener.accept());
        let dialled = dialled.unwrap();
        assert_eq!(dialled.carrier(), Carrier::Tcp);
        assert_eq!(dialled.local_addr().unwrap(), accepted.unwrap().1);
    }

    #[tokio::test]
    async fn each_policy_takes_the_carrier_that_it_names() {
        let (bob, address, _listener) = udp_and_tcp();
        tokio::spawn(accept(bob.incoming().unwrap()));
        for (tcp, utp, prefer, via, expected) in [
            (true, true, None, Via::Any, Some(Carrier::Tcp)),
            (true, true, Some(Carrier::Tcp), Via::Any, Some(Carrier::Tcp)),
            (true, true, Some(Carrier::Utp), Via::Any, Some(Carrier::Utp)),
            (false, true, None, Via::Any, Some(Carrier::Utp)),
            (true, false, Some(Carrier::Utp), Via::Any, Some(Carrier::Tcp)),
            (true, true, None, Via::Punch, Some(Carrier::Utp)),
            (true, false, None, Via::Punch, None),
            (true, true, None, Via::Only(Carrier::Utp), Some(Carrier::Utp)),
            (true, true, Some(Carrier::Utp), Via::Only(Carrier::Tcp), Some(Carrier::Tcp)),
            (false, true, None, Via::Only(Carrier::Tcp), None),
        ] {
            let (alice, _udp) = dialler(tcp, utp, prefer);
            let carrier = alice.dial(address, via).await.ok().map(|stream| stream.carrier());
            assert_eq!(carrier, expected, "tcp {tcp}, utp {utp}, {prefer:?}, {via:?}");
        }
    }

    #[tokio::test]
    async fn where_one_carrier_fails_the_other_serves() {
        let (bob, address) = udp(true);
        tokio::spawn(accept(bob.incoming().unwrap()));
        // Nobody listens there by TCP.
        let (alice, _udp) = dialler(true, true, None);
        assert_eq!(alice.dial(address, Via::Any).await.unwrap().carrier(), Carrier::Utp);
        // This one never answers by UDP.
        let listener = listen("127.0.0.1:0".parse().unwrap(), &Egress::default()).unwrap();
        let (alice, _udp) = dialler(true, true, Some(Carrier::Utp));
        assert_eq!(alice.dial(listener.local_addr().unwrap(), Via::Any).await.unwrap().carrier(), Carrier::Tcp);
    }
}
