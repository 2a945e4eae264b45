//! Who is shaking hands with us: so many at a time, and few of one address, so that nobody keeps all others out by opening
//! connections and saying nothing.

use std::net::IpAddr;

use net::{Place, Places, subscriber};

/// How many handshakes of one IPv4 address, or of one IPv6 /64, may be under way; further ones are closed at once (arbitrary:
/// several programs behind one router, each of which dials for several torrents).
const MAX_OF_ADDRESS: usize = 32;

/// Counts the handshakes of all listening sockets. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Door(Places<IpAddr>);

impl Default for Door {
    fn default() -> Door {
        Door(Places::new(usize::MAX, MAX_OF_ADDRESS))
    }
}

impl Door {
    /// Counts a handshake until what is returned is dropped; `None`: its address has too many.
    pub(super) fn enter(&self, ip: IpAddr) -> Option<Place<IpAddr>> {
        self.0.take(subscriber(ip))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn who_says_nothing_on_many_connections_keeps_nobody_else_out() {
        let door = Door::default();
        let (mallory, alice): (IpAddr, IpAddr) = ("192.0.2.6".parse().unwrap(), "192.0.2.7".parse().unwrap());
        let held: Vec<_> = (0..1_000).filter_map(|_| door.enter(mallory)).collect();
        assert_eq!(held.len(), MAX_OF_ADDRESS);
        assert!(door.enter(alice).is_some());
        drop(held);
        assert!(door.enter(mallory).is_some());
    }

    #[test]
    fn a_subnet_of_ipv6_is_one_address() {
        let door = Door::default();
        let address = |i: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) + i));
        let held: Vec<_> = (0..1_000).filter_map(|i| door.enter(address(i))).collect();
        assert_eq!(held.len(), MAX_OF_ADDRESS);
        assert!(door.enter(address(1 << 64)).is_some());
    }
}
