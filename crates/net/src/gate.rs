//! The gate: the one policy that admits or refuses a connection, asked both ways before anything else happens.
//!
//! Owns the counts. Invariant: every [`Pass`] is counted once globally, once for its address and, from
//! [`Pass::join`] on, once for its torrent; dropping it takes all of them back.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use metainfo::InfoHashV1;

/// How many connections the gate admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
    /// Of all torrents.
    pub connections: u32,
    /// Of one torrent, where it has no limit of its own.
    pub per_torrent: u32,
    /// To one IP address.
    pub per_address: u32,
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The limit over all torrents is reached.
    #[error("too many connections")]
    Connections,
    /// The torrent's limit is reached.
    #[error("too many connections of this torrent")]
    Torrent,
    /// The limit of the address is reached.
    #[error("too many connections to this address")]
    Address,
    /// The user blocks the address.
    #[error("the address is blocked")]
    Blocked,
}

/// Admits or refuses connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    limits: GateLimits,
    /// Ranges of blocked addresses, both ends included, sorted by their first address, not overlapping.
    blocked: Vec<(IpAddr, IpAddr)>,
    connections: u32,
    by_address: HashMap<IpAddr, u32>,
    by_torrent: HashMap<InfoHashV1, u32>,
}

/// An admitted connection; counted until it is dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    address: IpAddr,
    torrent: Option<InfoHashV1>,
}

impl Gate {
    /// Opens a gate without blocked addresses.
    pub fn new(limits: GateLimits) -> Gate {
        let (blocked, by_address, by_torrent) = Default::default();
        let state = State { limits, blocked, connections: 0, by_address, by_torrent };
        Gate { state: Arc::new(Mutex::new(state)) }
    }

    /// Changes the limits. Connections beyond them stay until they close.
    pub fn set_limits(&self, limits: GateLimits) {
        self.state().limits = limits;
    }

    /// Replaces the blocked ranges (both ends included). Connections that stand are not touched.
    pub fn set_blocked(&self, mut ranges: Vec<(IpAddr, IpAddr)>) {
        ranges.sort_unstable();
        let mut merged: Vec<(IpAddr, IpAddr)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges.into_iter().filter(|(first, last)| first.is_ipv4() == last.is_ipv4()) {
            match merged.last_mut() {
                Some(previous) if first <= previous.1 => previous.1 = previous.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        self.state().blocked = merged;
    }

    /// Asks for a connection with `address`.
    pub fn admit(&self, address: SocketAddr) -> Result<Pass, Refusal> {
        let address = address.ip().to_canonical();
        let mut state = self.state();
        let after = state.blocked.partition_point(|&(first, _)| first <= address);
        if after.checked_sub(1).is_some_and(|i| address <= state.blocked[i].1) {
            return Err(Refusal::Blocked);
        }
        if state.connections >= state.limits.connections {
            return Err(Refusal::Connections);
        }
        let limit = state.limits.per_address;
        let count = state.by_address.entry(address).or_default();
        if *count >= limit {
            return Err(Refusal::Address);
        }
        *count += 1;
        state.connections += 1;
        drop(state);
        Ok(Pass { gate: self.clone(), address, torrent: None })
    }

    /// Returns how many connections stand.
    pub fn connections(&self) -> u32 {
        self.state().connections
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Counts stay consistent across a panic elsewhere: nothing here panics between two changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Says which torrent the connection is for, with the torrent's own limit if it has one.
    pub fn join(&mut self, torrent: InfoHashV1, limit: Option<u32>) -> Result<(), Refusal> {
        debug_assert!(self.torrent.is_none(), "a pass joins one torrent");
        let mut state = self.gate.state();
        let limit = limit.unwrap_or(state.limits.per_torrent);
        let count = state.by_torrent.entry(torrent).or_default();
        if *count >= limit {
            return Err(Refusal::Torrent);
        }
        *count += 1;
        self.torrent = Some(torrent);
        Ok(())
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.connections -= 1;
        leave(&mut state.by_address, self.address);
        if let Some(torrent) = self.torrent {
            leave(&mut state.by_torrent, torrent);
        }
    }
}

/// Counts one less and forgets the entry at zero, so that the maps hold only what is connected.
fn leave<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u32>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GateLimits = GateLimits { connections: 3, per_torrent: 1, per_address: 2 };
    const TORRENT: InfoHashV1 = InfoHashV1([7; 20]);

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_limit_refuses_and_a_dropped_pass_makes_room() {
        let gate = Gate::new(LIMITS);
        let mut first = gate.admit(at("192.0.2.1:1")).unwrap();
        let mut second = gate.admit(at("[::ffff:192.0.2.1]:2")).unwrap();
        assert_eq!(gate.admit(at("192.0.2.1:3")).unwrap_err(), Refusal::Address);
        let _third = gate.admit(at("192.0.2.2:1")).unwrap();
        assert_eq!(gate.admit(at("192.0.2.3:1")).unwrap_err(), Refusal::Connections);

        first.join(TORRENT, None).unwrap();
        assert_eq!(second.join(TORRENT, None).unwrap_err(), Refusal::Torrent);
        drop(first);
        second.join(TORRENT, None).unwrap();
        assert_eq!(gate.connections(), 2);
        drop(second);
        assert!(gate.state().by_torrent.is_empty());
    }

    #[test]
    fn a_refused_connection_is_not_counted() {
        let gate = Gate::new(GateLimits { per_address: 0, ..LIMITS });
        assert_eq!(gate.admit(at("192.0.2.1:1")).unwrap_err(), Refusal::Address);
        assert_eq!(gate.connections(), 0);
    }

    #[test]
    fn blocked_ranges_hold_at_their_ends() {
        let gate = Gate::new(LIMITS);
        let ip = |text: &str| text.parse().unwrap();
        gate.set_blocked(vec![
            (ip("198.51.100.0"), ip("198.51.100.9")),
            (ip("192.0.2.10"), ip("192.0.2.20")),
            (ip("192.0.2.15"), ip("192.0.2.30")),
        ]);
        for (address, blocked) in
            [("192.0.2.9:1", false), ("192.0.2.10:1", true), ("192.0.2.30:1", true), ("192.0.2.31:1", false)]
        {
            assert_eq!(gate.admit(at(address)).err() == Some(Refusal::Blocked), blocked, "{address}");
        }
    }
}
