//! The connection ids of UDP (BEP 15): proof that a sender receives what is sent to its address, without any state.
//!
//! An id is a keyed hash of the address and of the time in steps of two minutes. It is accepted in the step that it was
//! made in and in the next one, so it works for two to four minutes; BEP 15 wants at least two.

use core::net::IpAddr;
use std::hash::Hasher as _;
use std::time::Duration;

use base::Instant;
use siphasher::sip::SipHasher24;
use torrent_proto::tracker::udp::ConnectionId;

/// The length of a step: how long an id has to be accepted (BEP 15).
const STEP: Duration = Duration::from_secs(120);

/// The secret of the ids; whoever knows it can announce for others.
pub type ConnectionKey = [u8; 16];

/// Makes and checks ids.
#[derive(Clone)]
pub struct Connections {
    hasher: SipHasher24,
}

impl Connections {
    /// Builds one with a key that nobody can guess.
    pub fn new(key: &ConnectionKey) -> Connections {
        Connections { hasher: SipHasher24::new_with_key(key) }
    }

    /// Returns the id to hand to an address.
    pub fn issue(&self, now: Instant, ip: IpAddr) -> ConnectionId {
        self.id(step(now), ip)
    }

    /// Tells whether an id was handed to this address not long ago.
    pub fn accepts(&self, now: Instant, ip: IpAddr, id: ConnectionId) -> bool {
        let step = step(now);
        id == self.id(step, ip) || step.checked_sub(1).is_some_and(|before| id == self.id(before, ip))
    }

    fn id(&self, step: u64, ip: IpAddr) -> ConnectionId {
        let mut hasher = self.hasher;
        hasher.write_u64(step);
        match ip.to_canonical() {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        ConnectionId(hasher.finish())
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connections")
    }
}

fn step(now: Instant) -> u64 {
    now.since_start().as_secs() / STEP.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn an_id_works_for_its_address_alone_and_for_two_minutes_at_least() {
        let connections = Connections::new(&[7; 16]);
        let (alice, bob) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for made in [0, 1, 119, 120, 1_000_003] {
            let id = connections.issue(at(made), alice);
            assert!(connections.accepts(at(made), alice, id));
            assert!(connections.accepts(at(made + 119), alice, id));
            assert!(!connections.accepts(at(made + 241), alice, id));
            assert!(!connections.accepts(at(made), bob, id));
        }
    }

    #[test]
    fn another_key_makes_other_ids() {
        let alice = IpAddr::from([10, 0, 0, 1]);
        let id = Connections::new(&[7; 16]).issue(at(5), alice);
        assert!(!Connections::new(&[8; 16]).accepts(at(5), alice, id));
    }

    #[test]
    fn both_spellings_of_an_ipv4_address_are_one() {
        let connections = Connections::new(&[7; 16]);
        let id = connections.issue(at(5), "10.0.0.1".parse().unwrap());
        assert!(connections.accepts(at(5), "::ffff:10.0.0.1".parse().unwrap(), id));
    }
}
