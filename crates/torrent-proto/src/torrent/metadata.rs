//! The info dictionary by way of peers (BEP 9): fetching it, and serving it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::Instant;
use bytes::{Bytes, BytesMut};
use metainfo::BLOCK_LEN;

use super::PeerKey;
use crate::wire::MetadataMessage;

/// The largest info dictionary that is fetched, in bytes: one of 50,000 files with a million pieces has some 24 MB.
pub(super) const MAX_METADATA: u32 = 32 << 20;
/// A request that is not answered in this time goes to another peer too (arbitrary: a few slow round trips).
const REQUEST_TIME: Duration = Duration::from_secs(8);
/// Requests outstanding at one peer; Transmission and libtorrent drop more than a few.
const REQUESTS_PER_PEER: usize = 4;

/// A size that has not led to a dictionary in this time gives way to what a better peer says it is (arbitrary: the largest
/// dictionary at 2 Mbit/s).
const SIZE_TIME: Duration = Duration::from_secs(120);

/// A fetch of an info dictionary.
///
/// Invariant: `pieces` is empty or has one entry for each 16 KiB of `size`. After an assembly that did not match its
/// hash, everything comes from one peer, so that the liar is known. Peers that keep silent or refuse get a strike each
/// time, and are asked after those that have fewer: none of them can hold up the fetch by coming first.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    size: u32,
    /// When `size` was taken on.
    since: Option<Instant>,
    pieces: Vec<Option<(PeerKey, Bytes)>>,
    requested: BTreeMap<(u32, PeerKey), Instant>,
    only: Option<PeerKey>,
    one_peer: bool,
    strikes: BTreeMap<PeerKey, u32>,
}

/// What a data message led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Pieces are missing.
    More,
    /// Everything is here, not yet checked.
    Assembled(Bytes),
}

impl Fetch {
    /// Opens again what was not answered in time.
    pub(super) fn expire(&mut self, now: Instant) {
        let late = |sent: Instant| now - sent >= REQUEST_TIME;
        let silent: BTreeSet<PeerKey> =
            self.requested.iter().filter(|(_, sent)| late(**sent)).map(|((_, peer), _)| *peer).collect();
        self.requested.retain(|_, sent| !late(*sent));
        for peer in silent {
            *self.strikes.entry(peer).or_default() += 1;
            if !self.requested.keys().any(|(_, p)| *p == peer) {
                self.let_go_of(peer);
            }
        }
    }

    /// How often a peer kept silent or refused: who has the fewest is asked first.
    pub(super) fn strikes(&self, peer: PeerKey) -> u32 {
        self.strikes.get(&peer).copied().unwrap_or(0)
    }

    /// Returns the pieces to request now from a peer that says the dictionary has `size` bytes.
    pub(super) fn requests(&mut self, peer: PeerKey, size: u32, now: Instant) -> Vec<MetadataMessage> {
        if size == 0 || size > MAX_METADATA {
            return Vec::new();
        }
        self.expire(now);
        if self.one_peer && self.only.is_none() {
            self.only = Some(peer);
        }
        if self.only.is_some_and(|only| only != peer) {
            return Vec::new();
        }
        if self.size != size {
            self.doubt_size(peer, now);
        }
        let untouched = self.requested.is_empty() && self.pieces.iter().all(Option::is_none);
        if untouched {
            self.size = size;
            self.since = Some(now);
            self.pieces = vec![None; size.div_ceil(BLOCK_LEN) as usize];
        }
        if self.size != size {
            return Vec::new();
        }
        let outstanding = self.requested.keys().filter(|(_, p)| *p == peer).count();
        let asked: Vec<u32> = self.requested.keys().map(|(piece, _)| *piece).collect();
        let open = (0u32..).zip(&self.pieces).filter(|(i, p)| p.is_none() && !asked.contains(i)).map(|(i, _)| i);
        let open: Vec<u32> = open.take(REQUESTS_PER_PEER.saturating_sub(outstanding)).collect();
        for &piece in &open {
            self.requested.insert((piece, peer), now);
        }
        open.into_iter().map(|piece| MetadataMessage::Request { piece }).collect()
    }

    /// Takes a piece; one that was not asked for is ignored.
    pub(super) fn data(&mut self, peer: PeerKey, piece: u32, data: &Bytes) -> Progress {
        if self.requested.remove(&(piece, peer)).is_none() {
            return Progress::More;
        }
        let expected = (self.size - piece * BLOCK_LEN).min(BLOCK_LEN);
        let Some(slot) = self.pieces.get_mut(piece as usize) else { return Progress::More };
        if data.len() != expected as usize {
            return Progress::More;
        }
        *slot = Some((peer, data.clone()));
        if self.pieces.iter().any(Option::is_none) {
            return Progress::More;
        }
        let mut whole = BytesMut::with_capacity(self.size as usize);
        self.pieces.iter().flatten().for_each(|(_, part)| whole.extend_from_slice(part));
        Progress::Assembled(whole.freeze())
    }

    /// The peer will not send this piece.
    pub(super) fn rejected(&mut self, peer: PeerKey, piece: u32) {
        if self.requested.remove(&(piece, peer)).is_some() {
            *self.strikes.entry(peer).or_default() += 1;
            self.let_go_of(peer);
        }
    }

    /// The peer is gone: what it sent stays, what it was asked for is open again.
    pub(super) fn gone(&mut self, peer: PeerKey) {
        self.requested.retain(|(_, p), _| *p != peer);
        self.strikes.remove(&peer);
        self.let_go_of(peer);
    }

    /// A peer names another size: those who stand behind the present one have had their time when they are the worse.
    fn doubt_size(&mut self, peer: PeerKey, now: Instant) {
        let behind: BTreeSet<PeerKey> =
            self.requested.keys().map(|(_, p)| *p).chain(self.pieces.iter().flatten().map(|(p, _)| *p)).collect();
        let slow = self.since.is_some_and(|since| now - since >= SIZE_TIME);
        if slow && behind.iter().all(|p| self.strikes(*p) >= self.strikes(peer)) {
            behind.into_iter().for_each(|p| *self.strikes.entry(p).or_default() += 1);
            self.pieces.clear();
            self.requested.clear();
        }
    }

    /// What was assembled does not match the info-hash: starts again, from one peer alone. Returns the liar when only
    /// one peer sent it all.
    pub(super) fn refuted(&mut self) -> Option<PeerKey> {
        let mut senders: Vec<PeerKey> = self.pieces.iter().flatten().map(|(peer, _)| *peer).collect();
        senders.dedup();
        let strikes = std::mem::take(&mut self.strikes);
        *self = Fetch { one_peer: true, strikes, ..Fetch::default() };
        if senders.len() == 1 { senders.pop() } else { None }
    }

    fn let_go_of(&mut self, peer: PeerKey) {
        if self.only == Some(peer) {
            self.only = None;
            self.pieces.clear();
            self.requested.clear();
        }
    }
}

/// Answers a request for a piece of our own info dictionary.
pub(super) fn serve(raw: Option<&Bytes>, piece: u32) -> MetadataMessage {
    let Some(raw) = raw else { return MetadataMessage::Reject { piece } };
    let start = piece as usize * BLOCK_LEN as usize;
    if start >= raw.len() {
        return MetadataMessage::Reject { piece };
    }
    let data = raw.slice(start..raw.len().min(start + BLOCK_LEN as usize));
    MetadataMessage::Data { piece, total_size: raw.len() as u32, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: PeerKey = PeerKey(1);
    const BOB: PeerKey = PeerKey(2);

    fn dictionary() -> Bytes {
        (0..40_000u32).map(|i| i as u8).collect::<Vec<_>>().into()
    }

    fn answer(fetch: &mut Fetch, peer: PeerKey, raw: &Bytes, requests: Vec<MetadataMessage>) -> Progress {
        let mut progress = Progress::More;
        for request in requests {
            let MetadataMessage::Request { piece } = request else { panic!("only requests are sent") };
            let MetadataMessage::Data { data, .. } = serve(Some(raw), piece) else { panic!("it is there") };
            progress = fetch.data(peer, piece, &data);
        }
        progress
    }

    #[test]
    fn one_peer_sends_it_all() {
        let mut fetch = Fetch::default();
        let requests = fetch.requests(ALICE, 40_000, Instant::START);
        assert_eq!(requests.len(), 3);
        assert!(fetch.requests(BOB, 40_000, Instant::START).is_empty(), "everything is asked for");
        assert_eq!(answer(&mut fetch, ALICE, &dictionary(), requests), Progress::Assembled(dictionary()));
    }

    #[test]
    fn a_silent_peer_is_replaced_after_a_while() {
        let mut fetch = Fetch::default();
        fetch.requests(ALICE, 40_000, Instant::START);
        let later = Instant::START + REQUEST_TIME;
        let requests = fetch.requests(BOB, 40_000, later);
        assert_eq!(answer(&mut fetch, BOB, &dictionary(), requests), Progress::Assembled(dictionary()));
    }

    #[test]
    fn after_a_lie_of_two_the_next_try_comes_from_one() {
        let mut fetch = Fetch::default();
        let requests = fetch.requests(ALICE, 40_000, Instant::START);
        answer(&mut fetch, ALICE, &dictionary(), requests[..1].to_vec());
        fetch.gone(ALICE);
        let requests = fetch.requests(BOB, 40_000, Instant::START);
        assert!(matches!(answer(&mut fetch, BOB, &dictionary(), requests), Progress::Assembled(_)));
        assert_eq!(fetch.refuted(), None, "either could have lied");
        let requests = fetch.requests(BOB, 40_000, Instant::START);
        assert!(fetch.requests(ALICE, 40_000, Instant::START).is_empty());
        assert!(matches!(answer(&mut fetch, BOB, &dictionary(), requests), Progress::Assembled(_)));
        assert_eq!(fetch.refuted(), Some(BOB));
    }

    #[test]
    fn the_one_peer_that_falls_silent_is_let_go() {
        let mut fetch = Fetch { one_peer: true, ..Fetch::default() };
        assert!(!fetch.requests(ALICE, 40_000, Instant::START).is_empty());
        let later = Instant::START + REQUEST_TIME;
        fetch.expire(later);
        let requests = fetch.requests(BOB, 40_000, later);
        assert_eq!(answer(&mut fetch, BOB, &dictionary(), requests), Progress::Assembled(dictionary()));
    }

    #[test]
    fn a_trickle_of_a_wrong_size_does_not_last_for_ever() {
        let mut fetch = Fetch::default();
        let mut now = Instant::START;
        while now < Instant::START + SIZE_TIME {
            let trickle = fetch.requests(ALICE, MAX_METADATA, now);
            assert!(fetch.requests(BOB, 40_000, now).is_empty());
            let Some(MetadataMessage::Request { piece }) = trickle.first() else { panic!("there is more to ask for") };
            fetch.data(ALICE, *piece, &vec![0; BLOCK_LEN as usize].into());
            now = now + REQUEST_TIME;
        }
        let requests = fetch.requests(BOB, 40_000, now);
        assert!(fetch.requests(ALICE, MAX_METADATA, now).is_empty());
        assert_eq!(answer(&mut fetch, BOB, &dictionary(), requests), Progress::Assembled(dictionary()));
    }

    #[test]
    fn an_absurd_size_is_not_believed() {
        let mut fetch = Fetch::default();
        assert!(fetch.requests(ALICE, MAX_METADATA + 1, Instant::START).is_empty());
        assert!(fetch.requests(ALICE, 0, Instant::START).is_empty());
    }

    #[test]
    fn a_request_beyond_the_end_is_rejected() {
        assert_eq!(serve(Some(&dictionary()), 3), MetadataMessage::Reject { piece: 3 });
        assert_eq!(serve(None, 0), MetadataMessage::Reject { piece: 0 });
    }
}
