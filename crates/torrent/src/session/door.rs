//! Who is shaking hands with us: so many at a time, and few of one address, so that nobody keeps all others out by opening
//! connections and saying nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use net::subscriber;

/// How many handshakes of one IPv4 address, or of one IPv6 /64, may be under way; further ones are closed at once (arbitrary:
/// several programs behind one router, each of which dials for several torrents).
const MAX_OF_ADDRESS: usize = 32;

/// Counts the handshakes of all listening sockets. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Door(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// A handshake that is counted until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    door: Door,
    source: IpAddr,
}

impl Door {
    /// Counts a handshake; `None`: its address has too many.
    pub(super) fn enter(&self, ip: IpAddr) -> Option<Place> {
        let source = subscriber(ip);
        let mut sources = self.lock();
        let count = sources.entry(source).or_default();
        if *count >= MAX_OF_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Place { door: self.clone(), source })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        // No method panics between two changes of the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sources = self.door.lock();
        if let Some(count) = sources.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                sources.remove(&self.source);
            }
        }
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
        let held: Vec<Place> = (0..1_000).filter_map(|_| door.enter(mallory)).collect();
        assert_eq!(held.len(), MAX_OF_ADDRESS);
        assert!(door.enter(alice).is_some());
        drop(held);
        assert!(door.enter(mallory).is_some() && door.lock().is_empty());
    }

    #[test]
    fn a_subnet_of_ipv6_is_one_address() {
        let door = Door::default();
        let address = |i: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) + i));
        let held: Vec<Place> = (0..1_000).filter_map(|i| door.enter(address(i))).collect();
        assert_eq!(held.len(), MAX_OF_ADDRESS);
        assert!(door.enter(address(1 << 64)).is_some());
    }
}
