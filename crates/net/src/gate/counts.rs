//! How many connections stand, by everything that has a limit.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

use base::PersonId;
use metainfo::InfoHashV1;

use super::{Asking, Refusal};

/// How many connections the gate admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
    /// Of everything together.
    pub connections: u32,
    /// Of one torrent, where it has no limit of its own.
    pub per_torrent: u32,
    /// To one IPv4 address, or one IPv6 /64: what one subscriber has.
    pub per_address: u32,
    /// With one person, over all of their nodes, where the person has no limit of its own.
    pub per_person: u32,
}

/// The limits that the service and the person of a connection have of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnLimits {
    pub(super) of_service: Option<u32>,
    pub(super) of_person: Option<u32>,
}

/// Which part of all connections nodes of nobody known may have: keys cost nothing, and by a relay they come without an
/// address. Arbitrary: a quarter, but some at least.
const UNKNOWN_PART: u32 = 4;
const SOME_UNKNOWN: u32 = 8;

/// Returns what one subscriber has: an IPv4 address, or an IPv6 /64, by its first address. In a network of one's own each
/// address is a computer.
pub fn subscriber(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_unique_local() && !ip.is_unicast_link_local() => {
            Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into()
        }
        v4 => v4,
    }
}

/// The counts. Only what is not zero has an entry, so that they hold only what is connected.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) all: u32,
    /// Of nodes whose person is not known.
    unknown: u32,
    services: HashMap<&'static str, u32>,
    addresses: HashMap<IpAddr, u32>,
    persons: HashMap<PersonId, u32>,
    torrents: HashMap<InfoHashV1, u32>,
}

impl Counts {
    /// Counts a connection, or says which limit is reached; then nothing is counted.
    pub(super) fn enter(
        &mut self,
        asking: &Asking,
        ip: Option<IpAddr>,
        limits: &GateLimits,
        own: OwnLimits,
    ) -> Result<(), Refusal> {
        let full = |count: Option<&u32>, most: u32| count.copied().unwrap_or(0) >= most;
        let of_unknown = (limits.connections / UNKNOWN_PART).max(SOME_UNKNOWN);
        if self.all >= limits.connections || is_unknown(asking) && self.unknown >= of_unknown {
            return Err(Refusal::Connections);
        }
        let ip = ip.map(subscriber);
        if own.of_service.is_some_and(|most| full(self.services.get(asking.service), most)) {
            return Err(Refusal::Service);
        }
        if ip.is_some_and(|ip| full(self.addresses.get(&ip), limits.per_address)) {
            return Err(Refusal::Address);
        }
        let of_person = own.of_person.unwrap_or(limits.per_person);
        if asking.person.is_some_and(|person| full(self.persons.get(&person), of_person)) {
            return Err(Refusal::Person);
        }
        self.add(asking, ip);
        Ok(())
    }

    /// Says whose the connection is, which was not known before.
    pub(super) fn became_known(&mut self, asking: &Asking, person: PersonId) {
        self.unknown -= u32::from(is_unknown(asking));
        *self.persons.entry(person).or_default() += 1;
    }

    fn add(&mut self, asking: &Asking, ip: Option<IpAddr>) {
        self.all += 1;
        self.unknown += u32::from(is_unknown(asking));
        *self.services.entry(asking.service).or_default() += 1;
        ip.into_iter().for_each(|ip| *self.addresses.entry(ip).or_default() += 1);
        asking.person.into_iter().for_each(|person| *self.persons.entry(person).or_default() += 1);
    }

    /// Counts it for a torrent, too.
    pub(super) fn join(&mut self, torrent: InfoHashV1, most: u32) -> Result<(), Refusal> {
        if self.torrents.get(&torrent).copied().unwrap_or(0) >= most {
            return Err(Refusal::Torrent);
        }
        *self.torrents.entry(torrent).or_default() += 1;
        Ok(())
    }

    /// Takes back what [`Counts::enter`] and [`Counts::join`] counted.
    pub(super) fn leave(&mut self, asking: &Asking, ip: Option<IpAddr>, torrent: Option<InfoHashV1>) {
        self.all -= 1;
        self.unknown -= u32::from(is_unknown(asking));
        leave(&mut self.services, asking.service);
        ip.map(subscriber).into_iter().for_each(|ip| leave(&mut self.addresses, ip));
        asking.person.into_iter().for_each(|person| leave(&mut self.persons, person));
        torrent.into_iter().for_each(|torrent| leave(&mut self.torrents, torrent));
    }

    /// Tells whether nothing is counted.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let maps = [self.services.len(), self.addresses.len(), self.persons.len(), self.torrents.len()];
        self.all == 0 && self.unknown == 0 && maps == [0; 4]
    }
}

fn is_unknown(asking: &Asking) -> bool {
    asking.node.is_some() && asking.person.is_none()
}

/// Counts one less and forgets the entry at zero.
fn leave<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}
