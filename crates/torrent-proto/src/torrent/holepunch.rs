//! Hole punching (BEP 55): two peers behind address translation meet with the help of a third that both are connected to.
//!
//! Three roles. *Initiator*: an address that a peer named by peer exchange could not be dialled; that peer is asked for a
//! rendezvous. *Relay*: it tells both ends of one another, and carries nothing else. *Target*: it is told to dial. Both
//! ends dial at the same moment, over uTP alone, each opening its own translation for the other.
//!
//! A relay makes us send packets to an address of its choice, and an initiator makes a relay send messages: each is
//! counted against a budget a minute, and what is beyond is passed over in silence.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::Instant;

use super::peer::Peer;
use super::pex::may_hear;
use super::{Direction, Output, PeerKey, PeerKind, Torrent};
use crate::budget::Budget;
use crate::wire::{HolepunchError, HolepunchMessage, Message};

/// Rendezvous that one peer gets of us a minute, and brings others to (arbitrary: an honest one asks after each dial that
/// failed, and has few under way).
const RELAYED_A_MINUTE: u32 = 30;
/// Addresses that one relay may have us dial unasked a minute (arbitrary).
const DIALLED_A_MINUTE: u32 = 10;
/// How long a rendezvous is waited for: two round trips, generously (arbitrary).
const PATIENCE: Duration = Duration::from_secs(15);
/// Rendezvous that are waited for at once, a torrent (arbitrary).
const MAX_AWAITED: usize = 32;

/// What a torrent has under way.
#[derive(Debug, Default)]
pub(super) struct Punches {
    /// Whom we asked to be brought together with, whom we asked, and until when that counts.
    awaited: BTreeMap<SocketAddr, (PeerKey, Instant)>,
    /// Addresses that are being dialled with the other end's knowledge; bounded by the dials under way.
    dialled: BTreeSet<SocketAddr>,
}

impl Punches {
    /// A dial is over; true if it was one of these.
    pub(super) fn ended(&mut self, address: SocketAddr) -> bool {
        self.dialled.remove(&address)
    }
}

/// What one peer made us do.
#[derive(Debug, Default)]
pub(super) struct PunchBudget {
    relayed: Budget,
    introduced: Budget,
    dialled: Budget,
}

impl Peer {
    /// Where its uTP packets come from, or are expected, as far as we can tell.
    fn utp_address(&self) -> Option<SocketAddr> {
        match self.direction {
            _ if self.utp => Some(self.address),
            Direction::Outgoing => Some(self.address),
            Direction::Incoming => self.listens,
        }
    }
}

impl Torrent {
    pub(super) fn punches_holes(&self) -> bool {
        self.config.holepunch && !self.is_private()
    }

    /// A dial came to nothing: whoever named the address may bring us together.
    pub(super) fn ask_for_rendezvous(&mut self, address: SocketAddr) {
        let now = self.now.mono;
        self.punches.awaited.retain(|_, (_, until)| *until > now);
        if !self.punches_holes() || !self.is_running() || self.punches.awaited.len() >= MAX_AWAITED {
            return;
        }
        let knows = |p: &Peer| p.ids.holepunch != 0 && p.exchange.can_introduce(address);
        let Some(relay) = self.peers.iter().find(|(_, p)| knows(p)).map(|(key, _)| *key) else { return };
        self.punches.awaited.insert(address, (relay, now + PATIENCE));
        self.say_holepunch(relay, HolepunchMessage::Rendezvous(address));
    }

    pub(super) fn holepunch_message(&mut self, key: PeerKey, message: HolepunchMessage) {
        let Some(peer) = self.peers.get(&key) else { return };
        // Who does not offer it could not be answered (BEP 55).
        if !self.punches_holes() || peer.ids.holepunch == 0 {
            return;
        }
        match message {
            HolepunchMessage::Rendezvous(to) => self.relay(key, to),
            HolepunchMessage::Connect(to) => self.punch(key, to),
            HolepunchMessage::Error(to, _) => self.not_introduced(key, to),
        }
    }

    /// Brings two of our peers together.
    fn relay(&mut self, key: PeerKey, to: SocketAddr) {
        let now = self.now.mono;
        let Some(initiator) = self.peers.get_mut(&key) else { return };
        if !initiator.punch_budget.relayed.take(now, RELAYED_A_MINUTE) {
            return;
        }
        let (from, from_ip) = (initiator.utp_address(), initiator.address.ip());
        let is_target = |p: &Peer| p.kind == PeerKind::Wire && (p.address == to || p.listens == Some(to));
        let target = self.peers.iter_mut().find(|(_, p)| is_target(p));
        let error = match (target, from) {
            _ if self.list.is_ours(to) => HolepunchError::NoSelf,
            (None, _) => HolepunchError::NotConnected,
            (Some((_, target)), _) if target.ids.holepunch == 0 => HolepunchError::NoSupport,
            (Some((target_key, target)), Some(from)) if *target_key != key => {
                let there = target.utp_address().unwrap_or(to);
                if !may_hear(from_ip, there.ip()) || !may_hear(target.address.ip(), from.ip()) {
                    HolepunchError::NoSuchPeer
                } else if target.punch_budget.introduced.take(now, RELAYED_A_MINUTE) {
                    let target = *target_key;
                    self.say_holepunch(key, HolepunchMessage::Connect(there));
                    return self.say_holepunch(target, HolepunchMessage::Connect(from));
                } else {
                    return;
                }
            }
            // Itself, or one that nobody could dial.
            (Some(_), _) => HolepunchError::NoSuchPeer,
        };
        self.say_holepunch(key, HolepunchMessage::Error(to, error));
    }

    /// A relay has brought us together with somebody, at our wish or at theirs.
    fn punch(&mut self, key: PeerKey, to: SocketAddr) {
        let now = self.now.mono;
        let Some(relay) = self.peers.get_mut(&key) else { return };
        // Behind a translation that renumbers ports, the relay knows another port than it named by peer exchange.
        let asked = |(address, (who, until)): (&SocketAddr, &(PeerKey, Instant))| {
            (address.ip() == to.ip() && *who == key && *until > now).then_some(*address)
        };
        let asked = self.punches.awaited.iter().find_map(asked);
        if !may_hear(relay.address.ip(), to.ip())
            || asked.is_none() && !relay.punch_budget.dialled.take(now, DIALLED_A_MINUTE)
        {
            return;
        }
        if let Some(asked) = asked {
            self.punches.awaited.remove(&asked);
        }
        let connected = self.peers.values().any(|p| p.address == to || p.listens == Some(to));
        if connected || !self.may_dial() {
            return;
        }
        if let Some(source) = self.list.dial_now(now, to) {
            self.dialing += 1;
            self.punches.dialled.insert(to);
            self.out.push_back(Output::Dial { address: to, source, punch: true });
        }
    }

    /// A relay cannot do it: another one may.
    fn not_introduced(&mut self, key: PeerKey, to: SocketAddr) {
        if self.punches.awaited.get(&to).is_some_and(|(relay, _)| *relay == key) {
            self.punches.awaited.remove(&to);
            if let Some(relay) = self.peers.get_mut(&key) {
                relay.exchange.take_back(to);
            }
            self.ask_for_rendezvous(to);
        }
    }

    fn say_holepunch(&mut self, key: PeerKey, message: HolepunchMessage) {
        self.send(key, vec![Message::Holepunch(message)]);
    }
}
