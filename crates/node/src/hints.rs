//! Which of this computer's addresses a link names (`x.pe`, BEP 9).
//!
//! Addresses that everyone can reach come first; those of the local network, and of this computer alone, are named only
//! where nothing better is known or where the user asks for them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How many addresses a link names at most: a link stays short enough for a message. Arbitrary.
const MAX_HINTS: usize = 6;

/// From where an address can be reached; the order is that of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Everywhere,
    LocalNetwork,
    ThisComputer,
}

/// Returns the addresses to put into a link: `listen` with `0.0.0.0` and `[::]` spelt out, and `external`, which the router
/// passes on to us.
pub(crate) fn hints(listen: &[SocketAddr], external: Option<SocketAddr>, local: bool) -> Vec<SocketAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip()).collect();
    choose(listen, external, interfaces, local)
}

fn choose(
    listen: &[SocketAddr],
    external: Option<SocketAddr>,
    interfaces: Vec<IpAddr>,
    local: bool,
) -> Vec<SocketAddr> {
    // Behind two routers the outer side of the first one is an address of a local network, too.
    let mapped = external.and_then(|address| Some((reach(address.ip())?, address)));
    let mut found: Vec<(Reach, SocketAddr)> = mapped.into_iter().collect();
    for address in listen {
        let any = address.ip().is_unspecified();
        // A socket on `[::]` may take IPv4, too; whether it does, the socket on `0.0.0.0` says.
        let same_family = |ip: &&IpAddr| ip.is_ipv4() == address.is_ipv4();
        let spelt_out = interfaces.iter().filter(same_family).filter(|_| any).copied();
        let as_it_is = (!any).then_some(address.ip());
        for ip in spelt_out.chain(as_it_is) {
            if let Some(reach) = reach(ip) {
                found.push((reach, SocketAddr::new(ip, address.port())));
            }
        }
    }
    found.sort();
    found.dedup();
    let best = found.first().map(|(reach, _)| *reach);
    found.retain(|(reach, _)| local || Some(*reach) == best);
    found.truncate(MAX_HINTS);
    found.into_iter().map(|(_, address)| address).collect()
}

/// Tells from where an address can be reached; `None` for one that no link can name.
fn reach(ip: IpAddr) -> Option<Reach> {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Option<Reach> {
    // RFC 6598: addresses between a provider and its customers.
    let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
    if ip.is_loopback() {
        Some(Reach::ThisComputer)
    } else if ip.is_private() || ip.is_link_local() || shared {
        Some(Reach::LocalNetwork)
    } else if ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast() {
        None
    } else {
        Some(Reach::Everywhere)
    }
}

fn reach_v6(ip: Ipv6Addr) -> Option<Reach> {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return reach_v4(v4);
    }
    if ip.is_loopback() {
        Some(Reach::ThisComputer)
    } else if ip.is_unique_local() {
        Some(Reach::LocalNetwork)
    } else if ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local() {
        // A link-local address means nothing without the name of an interface.
        None
    } else {
        Some(Reach::Everywhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(listen: &[&str], interfaces: &[&str], local: bool) -> Vec<String> {
        let listen: Vec<SocketAddr> = listen.iter().map(|a| a.parse().unwrap()).collect();
        let interfaces = interfaces.iter().map(|a| a.parse().unwrap()).collect();
        choose(&listen, None, interfaces, local).iter().map(ToString::to_string).collect()
    }

    const EVERY: [&str; 2] = ["0.0.0.0:7", "[::]:7"];

    #[test]
    fn a_public_address_stands_alone_unless_local_ones_are_asked_for() {
        let interfaces = ["127.0.0.1", "192.168.1.5", "203.0.113.9", "fe80::1", "2001:db8::1", "::1"];
        assert_eq!(texts(&EVERY, &interfaces, false), ["203.0.113.9:7", "[2001:db8::1]:7"]);
        let all = ["203.0.113.9:7", "[2001:db8::1]:7", "192.168.1.5:7", "127.0.0.1:7", "[::1]:7"];
        assert_eq!(texts(&EVERY, &interfaces, true), all);
    }

    #[test]
    fn what_the_router_passes_on_is_named_before_what_it_hides() {
        let (listen, interfaces) = (["0.0.0.0:7".parse().unwrap()], vec!["192.168.1.5".parse().unwrap()]);
        let hints = |external: &str, local| {
            let found = choose(&listen, Some(external.parse().unwrap()), interfaces.clone(), local);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(hints("203.0.113.9:1007", false), ["203.0.113.9:1007"]);
        assert_eq!(hints("203.0.113.9:1007", true), ["203.0.113.9:1007", "192.168.1.5:7"]);
        assert_eq!(hints("10.0.0.2:1007", false), ["10.0.0.2:1007", "192.168.1.5:7"]);
    }

    #[test]
    fn what_is_all_there_is_is_named() {
        assert_eq!(texts(&EVERY, &["127.0.0.1", "10.1.2.3"], false), ["10.1.2.3:7"]);
        assert_eq!(texts(&EVERY, &["127.0.0.1"], false), ["127.0.0.1:7"]);
        assert_eq!(texts(&["127.0.0.1:9"], &["203.0.113.9"], false), ["127.0.0.1:9"]);
        assert_eq!(texts(&[], &["203.0.113.9"], false), [""; 0]);
    }
}
