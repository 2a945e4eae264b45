//! The peer list: whom to dial, when, and whom never again.

use std::net::{IpAddr, SocketAddr};

use base::Instant;

use crate::torrent::Source;

/// Counts of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Addresses learned.
    pub known: u32,
    /// Of them dialled at least once.
    pub tried: u32,
    /// Connections that stood.
    pub connected: u32,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The address is banned.
    Banned,
    /// This address and port are connected already.
    Duplicate,
}

/// The peer list. See the module.
#[derive(Debug)]
pub struct PeerList {}

#[allow(missing_docs, unused_variables)]
impl PeerList {
    pub fn new() -> PeerList {
        todo!()
    }
    /// Our own address as others see it, for BEP 40.
    pub fn set_own_address(&mut self, own: SocketAddr) {
        todo!()
    }
    /// Returns whether it is new.
    pub fn add(&mut self, now: Instant, source: Source, address: SocketAddr) -> bool {
        todo!()
    }
    /// The next to dial; counts as being dialled until `dial_failed` or `connected`. `seeding`: seeds are left out.
    pub fn next(&mut self, now: Instant, seeding: bool) -> Option<(SocketAddr, Source)> {
        todo!()
    }
    /// When `next` may give something; `Instant::START` = now.
    pub fn next_dial_at(&self, seeding: bool) -> Option<Instant> {
        todo!()
    }
    pub fn dial_failed(&mut self, now: Instant, address: SocketAddr) {
        todo!()
    }
    /// A connection stands. `source` is `Incoming` for incoming ones.
    pub fn connected(&mut self, address: SocketAddr, source: Source) -> Result<(), Refused> {
        todo!()
    }
    /// `useful`: payload went either way, so that the next back-off is short.
    pub fn disconnected(&mut self, now: Instant, address: SocketAddr, useful: bool) {
        todo!()
    }
    /// It is known (not) to be a seed: not dialled while we are one.
    pub fn set_seed(&mut self, address: SocketAddr, seed: bool) {
        todo!()
    }
    /// An incoming peer told its listening port (extension handshake `p`): that address need not be dialled while connected.
    pub fn set_listen_port(&mut self, address: SocketAddr, port: u16) {
        todo!()
    }
    /// That address is ourselves, never to be dialled again.
    pub fn is_self(&mut self, address: SocketAddr) {
        todo!()
    }
    /// A contributor to a bad piece; survives reconnecting. Returns how often now.
    pub fn suspect(&mut self, ip: IpAddr) -> u32 {
        todo!()
    }
    /// A good whole piece of its own clears it.
    pub fn clear_suspicion(&mut self, ip: IpAddr) {
        todo!()
    }
    pub fn is_suspect(&self, ip: IpAddr) -> bool {
        todo!()
    }
    pub fn ban(&mut self, ip: IpAddr) {
        todo!()
    }
    pub fn is_banned(&self, ip: IpAddr) -> bool {
        todo!()
    }
    /// Drops every candidate whose source is not in `keep` (a torrent turned out private, BEP 27).
    pub fn retain_sources(&mut self, keep: &[Source]) {
        todo!()
    }
    pub fn counts(&self, source: Source) -> SourceCounts {
        todo!()
    }
    /// How many candidates could be dialled now or later.
    pub fn candidates(&self) -> usize {
        todo!()
    }
    /// Good addresses to remember for the next run, best first.
    pub fn to_remember(&self, limit: usize) -> Vec<SocketAddr> {
        todo!()
    }
}
