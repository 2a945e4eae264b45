//! The choker: who may download from us.
//!
//! Every ten seconds it ranks the interested peers. While we download, those that give us most are unchoked (tit for tat),
//! and one more whoever it is, changed every 30 seconds, new ones more likely (BEP 3, Choking and optimistic unchoking).
//! When we seed, half of the slots go to the fastest takers and the others to those that have waited longest; nobody
//! keeps a slot for more than some minutes while others wait. Slots are a fixed number or follow what is measured.
//! Invariant: a round unchokes no more peers than there are slots, and leaves no slot empty while somebody wants it.

mod slots;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use base::Instant;

use self::slots::Slots;
use crate::torrent::PeerKey;

/// Time between rounds (BEP 3).
pub const ROUND: Duration = Duration::from_secs(10);

/// How long an optimistic unchoke lasts (BEP 3).
pub const OPTIMISTIC: Duration = Duration::from_secs(30);

/// How long a peer counts as new, which makes it [`NEW_WEIGHT`] times as likely to be unchoked optimistically. Arbitrary.
const NEW: Duration = Duration::from_secs(60);

/// See [`NEW`] (BEP 3: three times).
const NEW_WEIGHT: u32 = 3;

/// How long a peer keeps a slot of a seed at least: long enough for TCP to reach its speed. Arbitrary.
const MIN_TURN: Duration = Duration::from_secs(30);

/// How long a peer keeps a slot for nothing in return at most, while others wait. Arbitrary.
const MAX_TURN: Duration = Duration::from_secs(180);

/// What the choker looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerStats {
    /// Who.
    pub peer: PeerKey,
    /// It wants our pieces.
    pub interested: bool,
    /// It is unchoked now.
    pub unchoked: bool,
    /// It has sent nothing for long although it could.
    pub snubbed: bool,
    /// It downloads nothing (BEP 21).
    pub upload_only: bool,
    /// Payload from it, in bytes per second.
    pub down_rate: u64,
    /// Payload to it, in bytes per second.
    pub up_rate: u64,
    /// When it connected.
    pub connected: Instant,
}

/// The choker. See the module.
#[derive(Debug)]
pub struct Choker {
    slots: Slots,
    next_round: Instant,
    next_optimistic: Instant,
    optimistic: Option<PeerKey>,
    /// Since when each peer is unchoked, or choked after having been unchoked.
    turns: BTreeMap<PeerKey, Turn>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    unchoked: bool,
    since: Instant,
}

impl Choker {
    /// Builds a choker whose first round is due at once.
    pub fn new(now: Instant) -> Choker {
        Choker {
            slots: Slots::default(),
            next_round: now,
            next_optimistic: now,
            optimistic: None,
            turns: BTreeMap::new(),
        }
    }

    /// Fixes the number of upload slots; `None`: it adapts to what is measured.
    pub fn set_slots(&mut self, fixed: Option<u32>) {
        self.slots.fix(fixed);
    }

    /// Returns how many peers may be unchoked now.
    pub fn slots(&self) -> u32 {
        self.slots.count()
    }

    /// Returns when [`Choker::round`] is due.
    pub fn next_round(&self) -> Instant {
        self.next_round
    }

    /// Returns who is to be unchoked, ascending; everybody else is to be choked.
    pub fn round(&mut self, now: Instant, seeding: bool, peers: &[PeerStats], rng: &mut fastrand::Rng) -> Vec<PeerKey> {
        self.next_round = now + ROUND;
        let takers: Vec<PeerStats> =
            peers.iter().filter(|peer| peer.interested && !peer.upload_only).copied().collect();
        self.slots.measure(peers.iter().map(|peer| peer.up_rate).sum(), takers.len());
        let slots = self.slots.count() as usize;
        let mut chosen = if takers.len() <= slots {
            takers.iter().map(|peer| peer.peer).collect()
        } else if seeding {
            self.spread(now, slots, takers)
        } else {
            self.reciprocate(now, slots, takers, rng)
        };
        chosen.sort_unstable();
        for peer in peers {
            self.note(now, peer.peer, chosen.binary_search(&peer.peer).is_ok());
        }
        chosen
    }

    /// A peer became interested between rounds: tells whether it may be unchoked at once. `unchoked`: how many interested
    /// peers are unchoked now.
    pub fn unchoke_now(&mut self, now: Instant, peer: PeerKey, unchoked: u32) -> bool {
        let free = unchoked < self.slots.count();
        if free {
            self.note(now, peer, true);
        }
        free
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: PeerKey) {
        self.turns.remove(&peer);
        self.optimistic = self.optimistic.filter(|&optimistic| optimistic != peer);
    }

    /// Tit for tat, and one optimistically.
    fn reciprocate(
        &mut self,
        now: Instant,
        slots: usize,
        mut takers: Vec<PeerStats>,
        rng: &mut fastrand::Rng,
    ) -> Vec<PeerKey> {
        let regular = if slots > 1 { slots - 1 } else { slots };
        // Those that give nothing come after all that do, and take turns among themselves.
        takers.sort_by_key(|peer| {
            let turn = self.turn(now, peer);
            let idle = (turn > MAX_TURN, !peer.unchoked, Reverse(self.waited(now, peer)));
            (peer.snubbed, Reverse(peer.down_rate), idle, peer.peer)
        });
        let rest = takers.split_off(regular);
        let mut chosen: Vec<PeerKey> = takers.iter().map(|peer| peer.peer).collect();
        if chosen.len() < slots {
            chosen.extend(self.choose_optimistic(now, &rest, rng));
        }
        chosen
    }

    /// Goes on with the present optimistic unchoke or draws another among the peers that earned no slot.
    fn choose_optimistic(&mut self, now: Instant, rest: &[PeerStats], rng: &mut fastrand::Rng) -> Option<PeerKey> {
        let current = rest.iter().find(|peer| Some(peer.peer) == self.optimistic);
        if current.is_none() || now >= self.next_optimistic {
            let weight = |peer: &PeerStats| if now.since(peer.connected) < NEW { NEW_WEIGHT } else { 1 };
            let others = || rest.iter().filter(|peer| Some(peer.peer) != self.optimistic || rest.len() == 1);
            let total: u32 = others().map(weight).sum();
            let mut draw = if total > 0 { rng.u32(..total) } else { 0 };
            let drawn = others().find(|peer| {
                let hit = draw < weight(peer);
                draw = draw.saturating_sub(weight(peer));
                hit
            });
            self.optimistic = drawn.map(|peer| peer.peer);
            self.next_optimistic = now + OPTIMISTIC;
        }
        self.optimistic
    }

    /// A seed's choice.
    fn spread(&self, now: Instant, slots: usize, takers: Vec<PeerStats>) -> Vec<PeerKey> {
        let (mut fast, mut others): (Vec<_>, Vec<_>) =
            takers.into_iter().partition(|peer| peer.unchoked && peer.up_rate > 0 && self.turn(now, peer) < MAX_TURN);
        fast.sort_by_key(|peer| (Reverse(peer.up_rate), peer.peer));
        others.extend(fast.split_off(fast.len().min(slots.div_ceil(2))));
        others.sort_by_key(|peer| {
            let turn = self.turn(now, peer);
            let rank = match peer.unchoked {
                true if turn < MIN_TURN => 0,
                false => 1,
                true => 2,
            };
            (rank, Reverse(self.waited(now, peer)), Reverse(peer.up_rate), peer.peer)
        });
        others.truncate(slots - fast.len());
        fast.iter().chain(&others).map(|peer| peer.peer).collect()
    }

    /// Returns how long a peer has been unchoked.
    fn turn(&self, now: Instant, peer: &PeerStats) -> Duration {
        match self.turns.get(&peer.peer) {
            Some(turn) if turn.unchoked => now.since(turn.since),
            _ => Duration::ZERO,
        }
    }

    /// Returns how long a peer has been choked.
    fn waited(&self, now: Instant, peer: &PeerStats) -> Duration {
        match self.turns.get(&peer.peer) {
            Some(turn) if turn.unchoked => Duration::ZERO,
            Some(turn) => now.since(turn.since),
            None => now.since(peer.connected),
        }
    }

    fn note(&mut self, now: Instant, peer: PeerKey, unchoked: bool) {
        match self.turns.get_mut(&peer) {
            Some(turn) if turn.unchoked == unchoked => {}
            Some(turn) => *turn = Turn { unchoked, since: now },
            // One never unchoked waits since it connected.
            None if !unchoked => {}
            None => drop(self.turns.insert(peer, Turn { unchoked, since: now })),
        }
    }
}
