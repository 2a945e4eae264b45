//! The conversation with a router: one mapping made, renewed, removed, whichever protocol it speaks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use crab_nat::{InternetProtocol, PortMapping, PortMappingOptions, PortMappingType, TimeoutConfig};
use igd_next::aio::Gateway;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{AddPortError, PortMappingProtocol, SearchOptions};

use super::route::{NoRoute, Route};

/// For how long a mapping is asked for; the router may grant less. A node that dies leaves it behind for this long.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// What routers show beside the mapping.
const DESCRIPTION: &str = "Compeer";

/// How long a PCP or NAT-PMP request waits: 250 ms and the double (RFC 6886, 3.1). The router is one hop away, and UPnP
/// waits behind it.
const TIMES: TimeoutConfig =
    TimeoutConfig { initial_timeout: Duration::from_millis(250), max_retries: 2, max_retry_timeout: None };

/// How long a UPnP router may take to answer a search. Its protocol lets it wait for 3 s.
const SEARCH: Duration = Duration::from_secs(4);

/// How many external ports are tried by UPnP when others have them. Arbitrary.
const UPNP_TRIES: usize = 4;

/// What we call the two that share a port, until it is known which of them answers.
const PCP: &str = "PCP and NAT-PMP";

const UPNP: &str = "UPnP";

/// What a mapping carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    Tcp,
    Udp,
}

/// Why there is no mapping.
#[derive(Debug, thiserror::Error)]
pub(super) enum MappingError {
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
    #[error("the router {gateway} maps no port for us: {first}; {second}")]
    Neither { gateway: Ipv4Addr, first: Box<MappingError>, second: Box<MappingError> },
    #[error("{protocol}: {reason}")]
    Refused { protocol: &'static str, reason: String },
}

/// A router, by the protocol that it answered.
#[derive(Debug)]
pub(super) enum Router {
    /// PCP or NAT-PMP, each mapping by what the router speaks.
    Gateway(Route),
    Upnp {
        route: Route,
        gateway: Box<Gateway<Tokio>>,
        /// The router's address outside.
        ip: IpAddr,
        lease: Duration,
    },
}

/// A mapping that the router granted.
#[derive(Debug)]
pub(super) enum Entry {
    Gateway {
        mapping: PortMapping,
        external: SocketAddr,
    },
    Upnp {
        gateway: Box<Gateway<Tokio>>,
        carried: PortMappingProtocol,
        external: SocketAddr,
        local: SocketAddr,
        lease: Duration,
    },
}

impl Router {
    /// Tells whether the router speaks PCP or NAT-PMP. A router of either answers this: one that speaks PCP alone says
    /// that it does not know the version (RFC 6887, appendix A).
    pub(super) async fn gateway(route: Route) -> Result<Router, MappingError> {
        let asked = crab_nat::natpmp::external_address(IpAddr::V4(route.gateway).into(), Some(TIMES)).await;
        match asked {
            Ok(_) | Err(crab_nat::natpmp::Failure::UnsupportedVersion(_)) => Ok(Router::Gateway(route)),
            Err(error) => Err(refused(PCP, error)),
        }
    }

    /// Looks for a router that speaks UPnP IGD.
    pub(super) async fn upnp(route: Route) -> Result<Router, MappingError> {
        let mut options = SearchOptions::default();
        options.bind_addr = (route.local, 0).into();
        options.timeout = Some(SEARCH);
        options.single_search_timeout = Some(SEARCH);
        let gateway = search_gateway(options).await.map_err(|error| refused(UPNP, error))?;
        let ip = gateway.get_external_ip().await.map_err(|error| refused(UPNP, error))?;
        Ok(Router::Upnp { route, gateway: Box::new(gateway), ip, lease: LIFETIME })
    }

    /// Asks for a mapping to our port, at best from the external port `wanted`.
    pub(super) async fn map(&mut self, carried: Carried, wanted: NonZeroU16) -> Result<Entry, MappingError> {
        match self {
            Router::Gateway(route) => map_by_gateway(*route, carried, wanted).await,
            Router::Upnp { route, gateway, ip, lease } => {
                let mut wanted = wanted;
                let local = SocketAddr::from((route.local, route.port.get()));
                let protocol = match carried {
                    Carried::Tcp => PortMappingProtocol::TCP,
                    Carried::Udp => PortMappingProtocol::UDP,
                };
                let mut last = String::new();
                for _ in 0..UPNP_TRIES {
                    let seconds = lease.as_secs() as u32;
                    match gateway.add_port(protocol, wanted.get(), local, seconds, DESCRIPTION).await {
                        Ok(()) => {
                            let external = SocketAddr::new(*ip, wanted.get());
                            let (gateway, lease) = (gateway.clone(), *lease);
                            return Ok(Entry::Upnp { gateway, carried: protocol, external, local, lease });
                        }
                        // Zero is for ever (WANIPConnection:1, 2.4.16); we remove it when we go.
                        Err(AddPortError::OnlyPermanentLeasesSupported) if !lease.is_zero() => *lease = Duration::ZERO,
                        Err(error @ AddPortError::PortInUse) => {
                            last = error.to_string();
                            wanted = random_port();
                        }
                        Err(error) => {
                            last = error.to_string();
                            break;
                        }
                    }
                }
                Err(refused(UPNP, last))
            }
        }
    }
}

async fn map_by_gateway(route: Route, carried: Carried, wanted: NonZeroU16) -> Result<Entry, MappingError> {
    let protocol = match carried {
        Carried::Tcp => InternetProtocol::Tcp,
        Carried::Udp => InternetProtocol::Udp,
    };
    let options = PortMappingOptions {
        external_port: Some(wanted),
        lifetime_seconds: Some(LIFETIME.as_secs() as u32),
        timeout_config: Some(TIMES),
    };
    let gateway = IpAddr::V4(route.gateway).into();
    let mapping = PortMapping::new(gateway, route.local.into(), protocol, route.port, options).await;
    let mapping = mapping.map_err(|error| refused(PCP, error))?;
    let ip = match external_ip(&mapping) {
        Some(ip) => ip,
        None => {
            let ip = crab_nat::natpmp::external_address(gateway, Some(TIMES)).await;
            IpAddr::V4(ip.map_err(|error| refused(PCP, error))?)
        }
    };
    let external = SocketAddr::new(ip, mapping.external_port().get());
    Ok(Entry::Gateway { mapping, external })
}

/// PCP tells the address with the port; NAT-PMP does not.
fn external_ip(mapping: &PortMapping) -> Option<IpAddr> {
    match mapping.mapping_type() {
        PortMappingType::Pcp { external_ip, .. } => Some(external_ip.to_canonical()),
        PortMappingType::NatPmp => None,
    }
}

impl Entry {
    pub(super) fn external(&self) -> SocketAddr {
        match self {
            Entry::Gateway { external, .. } | Entry::Upnp { external, .. } => *external,
        }
    }

    pub(super) fn protocol(&self) -> &'static str {
        match self {
            Entry::Gateway { mapping, .. } => match mapping.mapping_type() {
                PortMappingType::Pcp { .. } => "PCP",
                PortMappingType::NatPmp => "NAT-PMP",
            },
            Entry::Upnp { .. } => UPNP,
        }
    }

    /// How long the router keeps it.
    pub(super) fn lifetime(&self) -> Duration {
        match self {
            Entry::Gateway { mapping, .. } => Duration::from_secs(mapping.lifetime().into()),
            Entry::Upnp { lease, .. } if lease.is_zero() => Duration::MAX,
            Entry::Upnp { lease, .. } => *lease,
        }
    }

    /// Asks for the same mapping again; the router may give another port.
    pub(super) async fn renew(&mut self) -> Result<(), MappingError> {
        match self {
            Entry::Gateway { mapping, external } => {
                mapping.renew().await.map_err(|error| refused(PCP, error))?;
                let ip = external_ip(mapping).unwrap_or(external.ip());
                *external = SocketAddr::new(ip, mapping.external_port().get());
                Ok(())
            }
            Entry::Upnp { gateway, carried, external, local, lease } => {
                let ip = gateway.get_external_ip().await.map_err(|error| refused(UPNP, error))?;
                external.set_ip(ip);
                let seconds = lease.as_secs() as u32;
                let added = gateway.add_port(*carried, external.port(), *local, seconds, DESCRIPTION).await;
                added.map_err(|error| refused(UPNP, error))
            }
        }
    }

    /// Has the router forget it.
    pub(super) async fn remove(self) -> Result<(), MappingError> {
        match self {
            Entry::Gateway { mapping, .. } => mapping.try_drop().await.map_err(|(error, _)| refused(PCP, error)),
            Entry::Upnp { gateway, carried, external, .. } => {
                let removed = gateway.remove_port(carried, external.port()).await;
                removed.map_err(|error| refused(UPNP, error))
            }
        }
    }
}

fn refused(protocol: &'static str, reason: impl ToString) -> MappingError {
    MappingError::Refused { protocol, reason: reason.to_string() }
}

/// Draws a port of the range for private use (RFC 6335, 6).
pub(super) fn random_port() -> NonZeroU16 {
    NonZeroU16::MIN.saturating_add(fastrand::u16(49_151..u16::MAX))
}
