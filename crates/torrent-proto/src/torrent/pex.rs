//! Peer exchange (BEP 11): peers tell one another whom they are connected to.
//!
//! Each connection remembers whom it was told of, so that a message is the difference between that and who is connected
//! now: who came and left in between is never mentioned, and nobody is added without being dropped later. Whom the other
//! end named and did not take back is kept too: it can bring us together with them (BEP 55).
//!
//! A private torrent exchanges nothing (BEP 27).

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::Instant;

use super::peer::Peer;
use super::{Direction, PeerKey, PeerKind, Source, Torrent};
use crate::budget::Budget;
use crate::wire::{Message, PexFlags, PexMessage, PexPeer};

/// How long a peer is not told again (BEP 11: no more than one message a minute).
const EVERY: Duration = Duration::from_secs(60);
/// Addresses added, and dropped, in one message at most (BEP 11).
const MAX_IN_MESSAGE: usize = 50;
/// Messages of one peer a minute that are read: BEP 11 allows one; the rest is for clocks and for those who send their
/// first in parts.
const READ_A_MINUTE: u32 = 3;
/// Beyond this many in a minute the sender is one of those that BEP 11 lets us disconnect; libtorrent bears six.
const BORNE_A_MINUTE: u32 = 10;
/// Addresses of one peer that count at once. It names whom it is connected to, which for one torrent are rarely more than
/// this; whoever names more would fill our list with its own choice (BEP 11, "Security Considerations").
const MAX_NAMED: usize = 200;
/// Addresses of one IP in one message: people behind one router. BEP 11 would rather have one; with a few, a household
/// is found whole and nobody is flooded.
const MAX_PER_IP: usize = 4;

/// Addresses of one IP that are known before no peer is believed further ones: a few households behind one translation.
/// Without this the ports of one victim would be dialled one by one, by every peer that hears a liar.
const MAX_KNOWN_PER_IP: usize = 8;

/// What one connection exchanged.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    told: BTreeSet<SocketAddr>,
    told_at: Option<Instant>,
    /// The state of the swarm that `told` agrees with, by [`Torrent::peers_changed`].
    told_version: Option<u64>,
    /// Whom the other end is connected to, as it says.
    named: BTreeMap<SocketAddr, PexFlags>,
    heard: Budget,
}

impl Exchange {
    /// Tells whether the other end says it is connected to `address`, and that this one takes part in hole punching.
    pub(super) fn can_introduce(&self, address: SocketAddr) -> bool {
        self.named.get(&address).is_some_and(|flags| flags.has(PexFlags::HOLEPUNCH))
    }

    /// Forgets that it named `address`.
    pub(super) fn take_back(&mut self, address: SocketAddr) {
        self.named.remove(&address);
    }

    fn is_due(&self, now: Instant, version: u64) -> bool {
        self.told_version != Some(version) && self.told_at.is_none_or(|at| now - at >= EVERY)
    }

    /// Makes the message that brings the other end up to date with `present`, as far as one message goes.
    fn message(&mut self, now: Instant, version: u64, present: &BTreeMap<SocketAddr, PexFlags>) -> Option<PexMessage> {
        let gone = self.told.iter().filter(|address| !present.contains_key(*address));
        let dropped: Vec<SocketAddr> = gone.copied().take(MAX_IN_MESSAGE).collect();
        let new = present.iter().filter(|(address, _)| !self.told.contains(*address));
        let new = new.map(|(&address, &flags)| PexPeer { address, flags });
        let added: Vec<PexPeer> = new.take(MAX_IN_MESSAGE).collect();
        self.told.retain(|address| !dropped.contains(address));
        self.told.extend(added.iter().map(|peer| peer.address));
        if added.len() < MAX_IN_MESSAGE && dropped.len() < MAX_IN_MESSAGE {
            self.told_version = Some(version);
        }
        if added.is_empty() && dropped.is_empty() {
            return None;
        }
        self.told_at = Some(now);
        Some(PexMessage { added, dropped })
    }
}

impl Peer {
    /// Where others can dial it, once that is known for sure: after what it says of itself.
    pub(super) fn dialable(&self) -> Option<SocketAddr> {
        let stand_in = base::id::is_stand_in(self.address.ip());
        if stand_in || self.kind != PeerKind::Wire || self.extension && !self.greeted {
            return None;
        }
        match self.direction {
            Direction::Outgoing => Some(self.address),
            Direction::Incoming => self.listens.or(self.utp.then_some(self.address)),
        }
    }

    fn flags(&self) -> PexFlags {
        PexFlags::default()
            .with(PexFlags::PREFERS_ENCRYPTION, self.prefers_encryption)
            .with(PexFlags::SEED, self.is_seed() || self.upload_only)
            .with(PexFlags::UTP, self.utp)
            .with(PexFlags::HOLEPUNCH, self.ids.holepunch != 0)
            .with(PexFlags::OUTGOING, self.direction == Direction::Outgoing)
    }
}

impl Torrent {
    /// Peers may hear of one another from us, and we of them.
    pub(super) fn exchanges_peers(&self) -> bool {
        self.config.pex && !self.is_private()
    }

    /// Notes that somebody came, went, or can be dialled now.
    pub(super) fn peers_changed(&mut self) {
        self.version += 1;
    }

    /// Tells whoever is due of the changes.
    pub(super) fn exchange_peers(&mut self) {
        if !self.exchanges_peers() {
            return;
        }
        let (now, version) = (self.now.mono, self.version);
        let due = self.peers.iter().filter(|(_, p)| p.ids.pex != 0 && p.exchange.is_due(now, version));
        let due: Vec<PeerKey> = due.map(|(key, _)| *key).collect();
        if due.is_empty() {
            return;
        }
        let known = self.peers.iter().filter_map(|(key, peer)| Some((*key, peer.dialable()?, peer.flags())));
        let known: Vec<(PeerKey, SocketAddr, PexFlags)> = known.collect();
        for key in due {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            let to = peer.address.ip();
            let others = known.iter().filter(|(other, address, _)| *other != key && may_hear(to, address.ip()));
            let others: BTreeMap<SocketAddr, PexFlags> = others.map(|(_, address, flags)| (*address, *flags)).collect();
            if let Some(message) = peer.exchange.message(now, version, &others) {
                self.send(key, vec![Message::Pex(Box::new(message))]);
            }
        }
    }

    /// A peer names others.
    pub(super) fn peers_named(&mut self, key: PeerKey, message: &PexMessage) -> Result<(), &'static str> {
        let (now, ours) = (self.now.mono, self.exchanges_peers());
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        if !peer.exchange.heard.take(now, READ_A_MINUTE) {
            let flood = peer.exchange.heard.excess(BORNE_A_MINUTE) > 0;
            return if flood { Err("peer exchange over and over") } else { Ok(()) };
        }
        if !ours {
            return Ok(());
        }
        for address in &message.dropped {
            peer.exchange.named.remove(address);
        }
        let mut per_ip: BTreeMap<IpAddr, usize> = BTreeMap::new();
        let from = peer.address.ip();
        for PexPeer { address, flags } in message.added.iter().take(2 * MAX_IN_MESSAGE) {
            let of_this_ip = per_ip.entry(address.ip()).or_default();
            *of_this_ip += 1;
            let full = peer.exchange.named.len() >= MAX_NAMED;
            if *of_this_ip > MAX_PER_IP || full || !may_hear(from, address.ip()) {
                continue;
            }
            peer.exchange.named.insert(*address, *flags);
            if self.list.known_of(address.ip(), MAX_KNOWN_PER_IP) >= MAX_KNOWN_PER_IP {
                // Known or not, it has been heard of enough.
                continue;
            }
            let new = self.list.add(now, Source::Pex, *address);
            // Only of addresses that nobody else vouches for, lest a liar keeps us from dialling others.
            if new && flags.has(PexFlags::SEED) {
                self.list.set_seed(*address, true);
            }
        }
        Ok(())
    }
}

/// Addresses of a local network mean nothing outside of it, and a stranger who names some would have us knock at our own
/// neighbours' doors: they pass only between those who are in one. The same of a computer's own.
pub(super) fn may_hear(peer: IpAddr, of: IpAddr) -> bool {
    reach(of) >= reach(peer)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Computer,
    Network,
    World,
}

fn reach(ip: IpAddr) -> Reach {
    let local = match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    match () {
        () if ip.to_canonical().is_loopback() => Reach::Computer,
        () if local => Reach::Network,
        () => Reach::World,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(range: std::ops::Range<u16>) -> BTreeMap<SocketAddr, PexFlags> {
        range.map(|port| (SocketAddr::from(([192, 0, 2, 1], port)), PexFlags::default())).collect()
    }

    #[test]
    fn what_does_not_fit_into_a_message_comes_with_the_next() {
        let mut bob = Exchange::default();
        let mut now = Instant::START;
        let first = bob.message(now, 1, &present(1..121)).unwrap();
        assert_eq!(first.added.len(), MAX_IN_MESSAGE);
        assert!(!bob.is_due(now, 1), "a minute has not passed");
        now = now + EVERY;
        assert!(bob.is_due(now, 1));
        let rest: Vec<usize> = [1, 1].map(|v| bob.message(now, v, &present(1..121)).unwrap().added.len()).to_vec();
        assert_eq!(rest, [50, 20]);
        assert!(!bob.is_due(now + EVERY, 1), "nothing changed");

        let all_gone = bob.message(now + EVERY, 2, &present(0..0)).unwrap();
        assert_eq!((all_gone.added.len(), all_gone.dropped.len()), (0, MAX_IN_MESSAGE));
    }

    #[test]
    fn who_came_and_left_in_between_is_not_mentioned() {
        let mut bob = Exchange::default();
        assert_eq!(bob.message(Instant::START, 5, &present(0..0)), None);
        assert_eq!(bob.told_at, None, "he may be told at once of the next");
    }

    #[test]
    fn local_addresses_stay_local() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(may_hear(ip("192.168.1.2"), ip("192.168.1.3")) && may_hear(ip("10.0.0.1"), ip("1.2.3.4")));
        assert!(!may_hear(ip("1.2.3.4"), ip("192.168.1.3")) && !may_hear(ip("2a01::1"), ip("fd00::1")));
        assert!(!may_hear(ip("192.168.1.2"), ip("127.0.0.1")) && may_hear(ip("127.0.0.1"), ip("127.0.0.2")));
    }
}
