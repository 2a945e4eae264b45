//! The choker: who may download from us.

use base::Instant;

use crate::torrent::PeerKey;

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
pub struct Choker {}

#[allow(missing_docs, unused_variables)]
impl Choker {
    /// The first round is due at `now`.
    pub fn new(now: Instant) -> Choker {
        todo!()
    }
    /// `None`: adapts to what is measured.
    pub fn set_slots(&mut self, fixed: Option<u32>) {
        todo!()
    }
    /// When [`Choker::round`] is due.
    pub fn next_round(&self) -> Instant {
        todo!()
    }
    /// Returns who is to be unchoked, ascending; everybody else is to be choked.
    pub fn round(&mut self, now: Instant, seeding: bool, peers: &[PeerStats], rng: &mut fastrand::Rng) -> Vec<PeerKey> {
        todo!()
    }
    /// A peer became interested between rounds: whether it may be unchoked at once. `unchoked`: how many interested peers
    /// are unchoked now.
    pub fn unchoke_now(&mut self, now: Instant, peer: PeerKey, unchoked: u32) -> bool {
        todo!()
    }
    pub fn gone(&mut self, peer: PeerKey) {
        todo!()
    }
}
