//! Which router stands between us and the rest of the world.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;

/// A router that may translate our address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The router.
    pub gateway: Ipv4Addr,
    /// Our address on its side.
    pub local: Ipv4Addr,
    /// The port that is listened on at that address.
    pub port: NonZeroU16,
}

/// Why there is no router to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoute {
    #[error("not needed: only this computer can reach what is listened on")]
    Loopback,
    #[error("not needed: {0} is reached from everywhere")]
    Public(Ipv4Addr),
    #[error("no router: this computer has no default route of IPv4 from an address that is listened on")]
    NoGateway,
    #[error("this computer's routes cannot be read")]
    Unreadable,
}

/// An address of this computer and the router of its interface.
#[derive(Clone, Copy, Debug)]
struct Link {
    local: Ipv4Addr,
    gateway: Ipv4Addr,
    default: bool,
}

/// Finds the router of the addresses that are listened on. Blocks for the time of some system calls.
pub(super) fn find(listen: &[SocketAddr]) -> Result<Route, NoRoute> {
    // Nothing is read, and nobody asked, where nobody else can reach us anyway.
    if listen.iter().all(|address| address.ip().is_loopback()) {
        return Err(NoRoute::Loopback);
    }
    let mut links = Vec::new();
    for interface in netdev::get_interfaces() {
        for &gateway in interface.gateway.iter().flat_map(|gateway| &gateway.ipv4) {
            let default = interface.default;
            links.extend(interface.ipv4.iter().map(|net| Link { local: net.addr(), gateway, default }));
        }
    }
    choose(listen, links)
}

fn choose(listen: &[SocketAddr], mut links: Vec<Link>) -> Result<Route, NoRoute> {
    if listen.iter().all(|address| address.ip().is_loopback()) {
        return Err(NoRoute::Loopback);
    }
    let mut public = None;
    links.sort_by_key(|link| !link.default);
    for Link { local, gateway, .. } in links {
        let hears = |ip: IpAddr| ip == IpAddr::V4(local) || ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let port =
            listen.iter().find(|address| hears(address.ip())).and_then(|address| NonZeroU16::new(address.port()));
        let Some(port) = port else { continue };
        if gateway.is_unspecified() || gateway.is_loopback() {
            continue;
        }
        if is_translated(local) {
            return Ok(Route { gateway, local, port });
        }
        public = public.or(Some(local));
    }
    Err(public.map_or(NoRoute::NoGateway, NoRoute::Public))
}

/// Tells whether an address means something in its own network only (RFC 1918, and RFC 6598 between a provider and its
/// customers), so that a router translates it.
fn is_translated(ip: Ipv4Addr) -> bool {
    let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
    ip.is_private() || shared
}

/// Returns the address with which this computer would speak to the outside now, if any. Sends nothing.
pub(super) fn local_address() -> Option<IpAddr> {
    // TEST-NET-1 (RFC 5737): belongs to nobody, so that it is always the default route that is asked about.
    const OUTSIDE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(OUTSIDE).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(listen: &[&str], links: &[(&str, &str, bool)]) -> Result<String, NoRoute> {
        let listen: Vec<SocketAddr> = listen.iter().map(|text| text.parse().unwrap()).collect();
        let link = |&(local, gateway, default): &(&str, &str, bool)| Link {
            local: local.parse().unwrap(),
            gateway: gateway.parse().unwrap(),
            default,
        };
        choose(&listen, links.iter().map(link).collect())
            .map(|route| format!("{} {}:{}", route.gateway, route.local, route.port))
    }

    #[test]
    fn the_router_of_a_listening_address_is_asked_and_the_default_one_first() {
        let links = [("10.8.0.2", "10.8.0.1", false), ("192.168.1.5", "192.168.1.1", true)];
        assert_eq!(chosen(&["0.0.0.0:7"], &links), Ok("192.168.1.1 192.168.1.5:7".to_owned()));
        assert_eq!(chosen(&["[::]:6", "10.8.0.2:7"], &links), Ok("10.8.0.1 10.8.0.2:7".to_owned()));
        assert_eq!(chosen(&["10.9.0.2:7"], &links), Err(NoRoute::NoGateway));
        assert_eq!(chosen(&["[::]:7"], &links), Err(NoRoute::NoGateway));
    }

    #[test]
    fn on_loopback_and_with_an_address_of_the_internet_no_router_is_asked() {
        let links = [("203.0.113.5", "203.0.113.1", true)];
        assert_eq!(chosen(&["127.0.0.1:7", "[::1]:7"], &links), Err(NoRoute::Loopback));
        assert_eq!(chosen(&["0.0.0.0:7"], &links), Err(NoRoute::Public("203.0.113.5".parse().unwrap())));
        assert_eq!(chosen(&["0.0.0.0:7"], &[]), Err(NoRoute::NoGateway));
    }
}
