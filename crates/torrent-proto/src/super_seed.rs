//! Super-seeding (BEP 16): which piece to reveal to whom.
//!
//! A first seed pretends to have nothing and reveals pieces one by one, each peer other ones. A peer is shown the next
//! only once a piece that it was shown turns up at somebody else, so that each byte is sent about once and the peers that
//! pass on most get most. Invariant: no peer has more than [`OFFERS`] pieces revealed that are still to be passed on.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Bitfield, Instant};
use metainfo::PieceIndex;

use crate::torrent::PeerKey;

/// How many pieces a peer is shown ahead: with one alone its connection would idle until the piece has spread. Arbitrary.
const OFFERS: usize = 2;

/// How long a peer that has fetched a piece waits for others to take it before it is shown another all the same: they
/// may be dead or choked. Arbitrary.
const PATIENCE: Duration = Duration::from_secs(30);

/// Super-seeding. See the module.
#[derive(Debug)]
pub struct SuperSeed {
    peers: BTreeMap<PeerKey, Peer>,
    /// For each piece, how many peers have it or are shown it.
    spread: Vec<u32>,
}

#[derive(Debug)]
struct Peer {
    has: Bitfield,
    revealed: Bitfield,
    offers: Vec<Offer>,
}

#[derive(Clone, Copy, Debug)]
struct Offer {
    piece: u32,
    shown: Instant,
    fetched: Option<Instant>,
}

impl SuperSeed {
    /// Begins with nobody connected.
    pub fn new(piece_count: u32) -> SuperSeed {
        SuperSeed { peers: BTreeMap::new(), spread: vec![0; piece_count as usize] }
    }

    /// Takes note of what a peer has, all at once.
    fn meet(&mut self, peer: PeerKey, has: &Bitfield) {
        if let Some(known) = self.peers.get(&peer) {
            if known.has != *has {
                let news: Vec<u32> = has.iter().filter(|&piece| !known.has.get(piece)).collect();
                let lost: Vec<u32> = known.has.iter().filter(|&piece| !has.get(piece)).collect();
                let not_shown = |piece: &&u32| !known.revealed.get(**piece);
                let changes: Vec<(u32, i32)> = (news.iter().filter(not_shown).map(|&piece| (piece, 1)))
                    .chain(lost.iter().filter(not_shown).map(|&piece| (piece, -1)))
                    .collect();
                changes.into_iter().for_each(|(piece, change)| self.count(piece, change));
                self.peers.entry(peer).and_modify(|known| known.has = has.clone());
            }
            return;
        }
        has.iter().for_each(|piece| self.count(piece, 1));
        let revealed = Bitfield::new(self.spread.len() as u32);
        self.peers.insert(peer, Peer { has: has.clone(), revealed, offers: Vec::new() });
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: PeerKey) {
        if let Some(gone) = self.peers.remove(&peer) {
            (0..self.spread.len() as u32)
                .filter(|&piece| gone.has.get(piece) || gone.revealed.get(piece))
                .for_each(|piece| self.count(piece, -1));
        }
    }

    /// Returns the next piece to reveal to this peer (by `Have`), unless it has enough to pass on. `has`: what it has. To be
    /// called when it connects, for all whom [`SuperSeed::peer_has`] names, and every ten seconds or so.
    pub fn reveal(
        &mut self,
        now: Instant,
        peer: PeerKey,
        has: &Bitfield,
        rng: &mut fastrand::Rng,
    ) -> Option<PieceIndex> {
        self.meet(peer, has);
        let alone = self.peers.len() == 1;
        let mut offers = std::mem::take(&mut self.peers.get_mut(&peer)?.offers);
        offers.retain(|offer| {
            let at_others = self.peers.iter().any(|(key, other)| *key != peer && other.has.get(offer.piece));
            let fetched = offer.fetched.is_some_and(|since| alone || now.since(since) >= PATIENCE);
            !at_others && !fetched
        });
        let state = self.peers.get_mut(&peer)?;
        state.offers = offers;
        if state.offers.len() >= OFFERS {
            return None;
        }
        let mut best: Option<(u32, u32)> = None;
        let mut ties = 0;
        for (piece, &spread) in (0u32..).zip(&self.spread) {
            if state.has.get(piece) || state.revealed.get(piece) || best.is_some_and(|(least, _)| spread > least) {
                continue;
            }
            ties = if best.is_some_and(|(least, _)| spread == least) { ties + 1 } else { 1 };
            if rng.u32(..ties) == 0 {
                best = Some((spread, piece));
            }
        }
        let (_, piece) = best?;
        state.revealed.set(piece);
        state.offers.push(Offer { piece, shown: now, fetched: None });
        self.count(piece, 1);
        Some(PieceIndex(piece))
    }

    /// The peer wants nothing of what it is shown: it may have chosen other files, so that after a while it is shown
    /// something else.
    pub fn spurned(&mut self, now: Instant, peer: PeerKey) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.offers.retain(|offer| offer.fetched.is_some() || now.since(offer.shown) < PATIENCE);
        }
    }

    /// Tells whether a request for the piece may be served: it was revealed to this peer.
    pub fn is_revealed(&self, peer: PeerKey, piece: PieceIndex) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.revealed.get(piece.0))
    }

    /// A peer announced a piece; returns those that may be shown another one now.
    pub fn peer_has(&mut self, now: Instant, peer: PeerKey, piece: PieceIndex) -> Vec<PeerKey> {
        let Some(state) = self.peers.get_mut(&peer) else { return Vec::new() };
        if !state.has.set(piece.0) {
            return Vec::new();
        }
        if !state.revealed.get(piece.0) {
            self.count(piece.0, 1);
        }
        let alone = self.peers.len() == 1;
        let mut ready = Vec::new();
        for (&key, state) in &mut self.peers {
            let Some(offer) = state.offers.iter_mut().find(|offer| offer.piece == piece.0) else { continue };
            if key == peer {
                offer.fetched.get_or_insert(now);
            }
            if key != peer || alone {
                ready.push(key);
            }
        }
        // A peer may have it from one that was shown it: then it is passed on from its side too.
        if !ready.contains(&peer) && self.peers.iter().any(|(&key, other)| key != peer && other.has.get(piece.0)) {
            ready.push(peer);
        }
        ready
    }

    fn count(&mut self, piece: u32, change: i32) {
        if let Some(spread) = self.spread.get_mut(piece as usize) {
            *spread = spread.saturating_add_signed(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: PeerKey = PeerKey(1);
    const BOB: PeerKey = PeerKey(2);

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn show(seed: &mut SuperSeed, now: u64, peer: PeerKey) -> Vec<PieceIndex> {
        let mut rng = fastrand::Rng::with_seed(3);
        let has = seed.peers.get(&peer).map_or_else(|| Bitfield::new(8), |peer| peer.has.clone());
        std::iter::from_fn(|| seed.reveal(at(now), peer, &has, &mut rng)).collect()
    }

    fn assert_counts(seed: &SuperSeed) {
        for (piece, &spread) in (0u32..).zip(&seed.spread) {
            let peers = seed.peers.values().filter(|peer| peer.has.get(piece) || peer.revealed.get(piece)).count();
            assert_eq!(peers as u32, spread, "piece {piece}");
        }
        assert!(seed.peers.values().all(|peer| peer.offers.len() <= OFFERS));
    }

    #[test]
    fn everybody_is_shown_something_else() {
        let mut seed = SuperSeed::new(8);
        let mut shown = Vec::new();
        for key in 0..4 {
            shown.extend(show(&mut seed, 0, PeerKey(key)));
        }
        shown.sort();
        shown.dedup();
        assert_eq!(shown.len(), 8);
        assert_counts(&seed);
    }

    #[test]
    fn only_who_passes_on_is_shown_more() {
        let mut seed = SuperSeed::new(8);
        seed.meet(ALICE, &Bitfield::new(8));
        seed.meet(BOB, &Bitfield::new(8));
        let alice = show(&mut seed, 0, ALICE);
        assert!(seed.is_revealed(ALICE, alice[0]) && !seed.is_revealed(BOB, alice[0]));
        assert!(seed.peer_has(at(1), ALICE, alice[0]).is_empty());
        assert!(show(&mut seed, 1, ALICE).is_empty());
        assert!(seed.peer_has(at(2), BOB, alice[0]).contains(&ALICE));
        let next = show(&mut seed, 2, ALICE);
        assert!(next.len() == 1 && !alice.contains(&next[0]));
        assert_counts(&seed);
    }

    #[test]
    fn a_lone_peer_gets_everything() {
        let mut seed = SuperSeed::new(5);
        seed.meet(ALICE, &Bitfield::new(5));
        let mut shown = show(&mut seed, 0, ALICE);
        for i in 0..5 {
            assert_eq!(seed.peer_has(at(1), ALICE, shown[i]), [ALICE]);
            shown.extend(show(&mut seed, 1, ALICE));
            assert_counts(&seed);
        }
        assert_eq!(shown.len(), 5);
    }

    #[test]
    fn a_dead_neighbour_does_not_stop_the_others_for_long() {
        let mut seed = SuperSeed::new(8);
        seed.meet(ALICE, &Bitfield::new(8));
        seed.meet(BOB, &Bitfield::new(8));
        for piece in show(&mut seed, 0, ALICE) {
            seed.peer_has(at(5), ALICE, piece);
        }
        assert!(show(&mut seed, 34, ALICE).is_empty());
        assert_eq!(show(&mut seed, 35, ALICE).len(), 2);
        assert!(seed.reveal(at(40), BOB, &Bitfield::full(8), &mut fastrand::Rng::with_seed(1)).is_none());
        assert_counts(&seed);
        seed.gone(BOB);
        seed.gone(ALICE);
        assert_counts(&seed);
        assert!(seed.spread.iter().all(|&spread| spread == 0));
    }
}
