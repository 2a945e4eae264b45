//! Port mapping: has the router pass connections from outside on to the port that is listened on, TCP and UDP, by PCP
//! (RFC 6887), NAT-PMP (RFC 6886) or UPnP IGD. IPv4 only: with IPv6 there is no address to translate.
//!
//! `route` finds the router, `entry` speaks with it, the task here keeps both mappings alive. *Looking → mapped →
//! looking*: when the network or the router changes, or a renewal fails, it begins anew. Invariant: only a router behind
//! an interface that is listened on is asked, and whatever it granted is in `made` until it was asked to forget it.

mod entry;
mod route;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use entry::{Carried, Entry, MappingError, Router};
use route::{NoRoute, Route};

/// How often a mapping is renewed: long before the hour that is asked for ends, so that a router that was restarted has
/// it again soon. Arbitrary.
const RENEW: Duration = Duration::from_secs(10 * 60);

/// How long the first failure rests; each further one rests twice as long, up to [`MAX_REST`]. Arbitrary.
const FIRST_REST: Duration = Duration::from_secs(60);

/// The longest rest. Arbitrary.
const MAX_REST: Duration = Duration::from_secs(30 * 60);

/// How often it is looked whether this computer has another address. Costs no packet. Arbitrary.
const LOOK: Duration = Duration::from_secs(15);

/// How often another external port is tried, when TCP and UDP do not get the same one. Arbitrary.
const TRIES: usize = 3;

/// How long removing the mappings may take at shutdown. A person waits for it.
const REMOVE_LIMIT: Duration = Duration::from_secs(3);

/// What the router was asked and said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingStatus {
    /// The router that was asked.
    pub gateway: Option<Ipv4Addr>,
    /// How: `PCP`, `NAT-PMP` or `UPnP`.
    pub protocol: Option<&'static str>,
    /// Where the outside reaches our TCP port.
    pub tcp: Option<SocketAddr>,
    /// Where the outside reaches our UDP port.
    pub udp: Option<SocketAddr>,
    /// What happened last, for people.
    pub last_words: String,
}

/// Keeps the listening port mapped. Cheap to clone; the task ends with the last clone, without removing anything.
#[derive(Clone, Debug)]
pub struct PortMapping {
    status: watch::Receiver<MappingStatus>,
    stops: mpsc::Sender<oneshot::Sender<()>>,
}

impl PortMapping {
    /// Begins to map the port of the `listen` addresses; returns at once. On loopback alone nothing is tried.
    pub fn start(listen: &[SocketAddr]) -> PortMapping {
        PortMapping::start_with(listen, true)
    }

    /// Begins to map the port of the `listen` addresses, for UDP alone.
    pub fn start_udp(listen: &[SocketAddr]) -> PortMapping {
        PortMapping::start_with(listen, false)
    }

    fn start_with(listen: &[SocketAddr], with_tcp: bool) -> PortMapping {
        let (stops, queue) = mpsc::channel(1);
        let (publish, status) = watch::channel(MappingStatus::default());
        let task = MappingTask { listen: listen.to_vec(), with_tcp, route: None, made: Made::default(), publish };
        tokio::spawn(task.run(queue));
        PortMapping { status, stops }
    }

    /// Follows what the router says.
    pub fn watch(&self) -> watch::Receiver<MappingStatus> {
        self.status.clone()
    }

    /// Returns what the router said last.
    pub fn status(&self) -> MappingStatus {
        self.status.borrow().clone()
    }

    /// Has the router forget the mappings, and ends the task. Takes a few seconds at most.
    pub async fn stop(&self) {
        let (reply, done) = oneshot::channel();
        // Both fail when the task was stopped before.
        if self.stops.send(reply).await.is_ok() {
            let _ = done.await;
        }
    }
}

/// What the router granted.
#[derive(Debug, Default)]
struct Made {
    tcp: Option<Entry>,
    udp: Option<Entry>,
}

#[derive(Debug)]
struct MappingTask {
    listen: Vec<SocketAddr>,
    /// Whether TCP is mapped beside UDP.
    with_tcp: bool,
    route: Option<Route>,
    made: Made,
    publish: watch::Sender<MappingStatus>,
}

impl MappingTask {
    async fn run(mut self, mut stops: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut failures = 0;
        loop {
            let round = async {
                let outcome = self.round().await;
                failures = if outcome.is_ok() { 0 } else { failures + 1 };
                let rest = self.publish(outcome, failures);
                self.rest(rest).await;
            };
            let stop = tokio::select! {
                () = round => continue,
                stop = stops.recv() => stop,
            };
            // A request that was under way is not waited for: what the router grants now ends by itself in an hour.
            if let Some(reply) = stop {
                if timeout(REMOVE_LIMIT, self.remove()).await.is_err() {
                    tracing::debug!("the router did not confirm in time that the port mapping is removed");
                }
                self.publish.send_replace(MappingStatus { last_words: "stopped".to_owned(), ..Default::default() });
                let _ = reply.send(());
            }
            return;
        }
    }

    /// Looks for the router and makes the mappings, or renews them.
    async fn round(&mut self) -> Result<(), MappingError> {
        let listen = self.listen.clone();
        // Reads the system's tables, which may block.
        let route = tokio::task::spawn_blocking(move || route::find(&listen)).await;
        let route = route.unwrap_or(Err(NoRoute::Unreadable))?;
        if self.route != Some(route) {
            // The old router is out of reach with the old address: its mappings end by themselves.
            self.made = Made::default();
            self.route = Some(route);
        }
        if self.renew().await {
            return Ok(());
        }
        self.remove().await;
        self.make(route).await
    }

    /// Renews both mappings; tells whether both are there.
    async fn renew(&mut self) -> bool {
        if let (false, Some(udp)) = (self.with_tcp, &mut self.made.udp) {
            return udp
                .renew()
                .await
                .inspect_err(|error| tracing::debug!(%error, "a port mapping was not renewed"))
                .is_ok();
        }
        let (Some(tcp), Some(udp)) = (&mut self.made.tcp, &mut self.made.udp) else { return false };
        let before = (tcp.external(), udp.external());
        for entry in [tcp, udp] {
            if let Err(error) = entry.renew().await {
                tracing::debug!(%error, "a port mapping was not renewed");
                return false;
            }
        }
        let external = |entry: &Option<Entry>| entry.as_ref().map(Entry::external);
        let same_port = external(&self.made.tcp).map(|a| a.port()) == external(&self.made.udp).map(|a| a.port());
        // The router moved one of them: begin anew, so that they meet again.
        same_port || before.0.port() != before.1.port()
    }

    /// Asks by PCP or NAT-PMP, which take a packet each, and by UPnP if that comes to nothing.
    async fn make(&mut self, route: Route) -> Result<(), MappingError> {
        let first = match Router::gateway(route).await {
            Ok(router) => self.make_both(router, route).await,
            Err(error) => Err(error),
        };
        let Err(first) = first else { return Ok(()) };
        self.remove().await;
        let second = match Router::upnp(route).await {
            Ok(router) => self.make_both(router, route).await,
            Err(error) => Err(error),
        };
        second.map_err(|second| MappingError::Neither {
            gateway: route.gateway,
            first: Box::new(first),
            second: Box::new(second),
        })
    }

    /// Asks for both mappings, at best with our own port outside, too.
    async fn make_both(&mut self, mut router: Router, route: Route) -> Result<(), MappingError> {
        let mut wanted = route.port;
        if !self.with_tcp {
            self.made.udp = Some(router.map(Carried::Udp, wanted).await?);
            return Ok(());
        }
        for attempt in 1..=TRIES {
            let tcp = self.made.tcp.insert(router.map(Carried::Tcp, wanted).await?);
            let granted = tcp.external().port();
            let wanted_udp = NonZeroU16::new(granted).unwrap_or(wanted);
            let udp = self.made.udp.insert(router.map(Carried::Udp, wanted_udp).await?);
            if udp.external().port() == granted || attempt == TRIES {
                break;
            }
            // BitTorrent announces one port for both.
            self.remove().await;
            wanted = entry::random_port();
        }
        Ok(())
    }

    async fn remove(&mut self) {
        for entry in [self.made.tcp.take(), self.made.udp.take()].into_iter().flatten() {
            if let Err(error) = entry.remove().await {
                tracing::debug!(%error, "the router did not remove a port mapping");
            }
        }
    }

    /// Tells what is so now; returns until when to rest.
    fn publish(&self, outcome: Result<(), MappingError>, failures: u32) -> Instant {
        let (tcp, udp) = (self.made.tcp.as_ref(), self.made.udp.as_ref());
        let last_words = match (&outcome, tcp.or(udp)) {
            (Ok(()), Some(entry)) => format!("{} is passed on to us", entry.external()),
            (Err(error), _) => error.to_string(),
            (Ok(()), None) => String::new(),
        };
        let status = MappingStatus {
            gateway: self.route.map(|route| route.gateway),
            protocol: tcp.or(udp).map(Entry::protocol),
            tcp: tcp.map(Entry::external),
            udp: udp.map(Entry::external),
            last_words,
        };
        self.publish.send_if_modified(|published| {
            let news = *published != status;
            if news {
                tracing::info!(external = ?status.tcp.or(status.udp), protocol = status.protocol, words = status.last_words, "port mapping");
                *published = status;
            }
            news
        });
        let rest = match outcome {
            Ok(()) => {
                [tcp, udp].into_iter().flatten().map(Entry::lifetime).fold(RENEW, |rest, life| rest.min(life / 2))
            }
            Err(_) => FIRST_REST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(MAX_REST),
        };
        Instant::now() + rest
    }

    /// Returns when the time has come, or this computer has another address.
    async fn rest(&self, until: Instant) {
        let before = route::local_address();
        loop {
            let look = Instant::now() + LOOK;
            sleep_until(look.min(until)).await;
            if look >= until || route::local_address() != before {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
