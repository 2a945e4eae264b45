//! The picker: which blocks to ask of which peer.
//!
//! It owns how many peers have each piece, which pieces are had, wanted or begun, and the state of every block of those
//! begun: *open → requested → writing → written*, and back to *open* when a request, a write or the piece's hash fails.
//! A piece is *had* only once it is verified. Costs do not depend on the number of pieces: see `listing`.
//! Invariants: a wanted piece is had, listed or begun; a piece is begun exactly when one of its blocks is not open; no
//! block is requested of one peer twice.

mod choose;
mod listing;
mod partials;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::BTreeMap;

use base::Bitfield;
use metainfo::{BLOCK_LEN, Block, PieceIndex};

use self::listing::{Listing, class_of};
use self::partials::{Cell, Partials};
use self::turns::Turns;

use crate::torrent::{PeerKey, Priority};
use crate::wire::PeerId;

/// How many of the pieces with a deadline are those that a reader may be waiting for: the first, the next, and those of
/// some more readers. Arbitrary.
const FIRST_DEADLINES: usize = 4;

/// How a peer shares pieces with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Joins pieces that others are fetching: for slow and average peers.
    Shared,
    /// Begins pieces and keeps them to itself while it goes on asking for their blocks; joins others only where nothing
    /// else is left. For a peer fast enough to finish a piece alone within some seconds.
    Whole,
    /// Strictly pieces of its own, so that a bad hash names the culprit: for peers on parole.
    Alone,
}

/// A peer that can take requests.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who.
    pub peer: PeerKey,
    /// What it has.
    pub has: &'a Bitfield,
    /// Only these pieces may be asked for (choked: the allowed-fast set, BEP 6).
    pub allowed: Option<&'a [PieceIndex]>,
    /// How many blocks at most.
    pub count: usize,
    /// How it shares pieces.
    pub share: Share,
}

/// What a block that arrived was worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// It goes to the disk.
    Accepted {
        /// Others of whom it was requested too: to be sent `Cancel`.
        others: Vec<PeerKey>,
        /// Every block of the piece is given to the disk: order `Verify` behind the write.
        piece_complete: bool,
    },
    /// A duplicate, or never requested of this peer: wasted.
    Unwanted,
}

/// What becomes of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockState {
    /// To be requested.
    Open,
    /// Requested.
    Requested,
    /// Given to the disk.
    Writing,
    /// In the file.
    Written,
}

/// The picker. See the module.
#[derive(Debug)]
pub struct Picker {
    pieces: Vec<Piece>,
    have: Bitfield,
    /// Wanted and not had.
    missing: Bitfield,
    /// Peers that have everything, not counted in the pieces' availability.
    seeds: u32,
    listing: Listing,
    partials: Partials,
    deadlines: Vec<PieceIndex>,
    sequential: bool,
    turns: Turns,
    bytes_left: u64,
    /// Peers for which there is nothing, as long as no block is freed: asking again costs next to nothing.
    fruitless: BTreeMap<PeerKey, choose::Fruitless>,
}

#[derive(Debug)]
struct Piece {
    length: u32,
    /// How many peers have it, those counted in `seeds` left out.
    availability: u32,
    priority: Priority,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Verified.
    Had,
    /// Missing and not wanted, nothing of it begun.
    Unwanted,
    /// Wanted, nothing of it begun.
    Listed,
    /// Begun, wanted or not: its slot.
    Partial(u32),
}

fn block_count(piece_length: u32) -> u32 {
    piece_length.div_ceil(BLOCK_LEN)
}

fn block(piece: PieceIndex, number: u32, piece_length: u32) -> Block {
    let offset = number * BLOCK_LEN;
    Block { piece, offset, length: (piece_length - offset).min(BLOCK_LEN) }
}

impl Picker {
    /// Builds a picker for pieces of these lengths, in bytes. Missing pieces begin as `Priority::Normal`.
    pub fn new(lengths: impl IntoIterator<Item = u32>, have: &Bitfield) -> Picker {
        let piece = |length| Piece { length, availability: 0, priority: Priority::Normal, place: Place::Had };
        let pieces: Vec<Piece> = lengths.into_iter().map(piece).collect();
        let count = pieces.len() as u32;
        let mut picker = Picker {
            have: Bitfield::full(count),
            missing: Bitfield::new(count),
            seeds: 0,
            listing: Listing::new(count),
            partials: Partials::default(),
            deadlines: Vec::new(),
            sequential: false,
            turns: Turns::default(),
            bytes_left: 0,
            fruitless: BTreeMap::new(),
            pieces,
        };
        (0..count).filter(|&piece| !have.get(piece)).for_each(|piece| picker.lose(PieceIndex(piece)));
        picker
    }

    /// A peer has one more piece.
    pub fn peer_has(&mut self, piece: PieceIndex) {
        if let Some(state) = self.pieces.get_mut(piece.0 as usize) {
            state.availability += 1;
            if state.place == Place::Listed
                && let Some(class) = class_of(state.priority)
            {
                self.listing.shift(class, piece.0, state.availability - 1, state.availability);
            }
        }
    }

    /// A peer has a piece no longer (BEP 54).
    pub fn peer_lost(&mut self, piece: PieceIndex) {
        self.fruitless.clear();
        if self.pieces.get(piece.0 as usize).is_some_and(|state| state.availability == 0) && self.seeds > 0 {
            // One of those counted as seeds is none any more: count it piece by piece. Happens once a seed at most.
            self.seeds -= 1;
            (0..self.pieces.len() as u32).for_each(|piece| self.peer_has(PieceIndex(piece)));
        }
        let Some(state) = self.pieces.get_mut(piece.0 as usize) else { return };
        if state.availability > 0 {
            state.availability -= 1;
            if state.place == Place::Listed
                && let Some(class) = class_of(state.priority)
            {
                self.listing.shift(class, piece.0, state.availability + 1, state.availability);
            }
        }
    }

    /// A peer told all that it has. O(1) for a seed.
    pub fn add_peer_set(&mut self, set: &Bitfield) {
        if set.is_all() {
            self.seeds += 1;
        } else {
            listing::for_each(set, |piece| self.peer_has(PieceIndex(piece)));
        }
    }

    /// A peer is gone: `set` is what was told by [`Picker::add_peer_set`] with all changes since.
    pub fn remove_peer_set(&mut self, set: &Bitfield) {
        if set.is_all() && self.seeds > 0 {
            self.seeds -= 1;
        } else {
            listing::for_each(set, |piece| self.peer_lost(PieceIndex(piece)));
        }
    }

    /// Returns how many connected peers have the piece.
    pub fn availability(&self, piece: PieceIndex) -> u32 {
        self.seeds + self.pieces.get(piece.0 as usize).map_or(0, |state| state.availability)
    }

    /// A request was cancelled, rejected or timed out, or its peer is gone: asked of nobody else, its block is open again.
    pub fn abandon(&mut self, peer: PeerKey, block: Block) {
        let Some((slot, number)) = self.find(block) else { return };
        let partial = self.partials.get_mut(slot);
        if partial.is_requested_of(number, peer) {
            self.fruitless.clear();
            if partial.withdraw(number, peer) {
                self.reopened(slot);
            }
        }
    }

    /// A peer is gone or choked us: what it had to itself is everybody's. Its requests are to be abandoned one by one.
    pub fn release(&mut self, peer: PeerKey) {
        self.partials.disown(peer);
        self.fruitless.clear();
    }

    /// A block came that is requested of this peer.
    pub fn received(&mut self, peer: PeerKey, block: Block) -> Received {
        match self.find(block) {
            Some((slot, number)) if self.partials.get(slot).is_requested_of(number, peer) => {
                self.accept(slot, number, peer, block)
            }
            _ => Received::Unwanted,
        }
    }

    /// A block came whose request was abandoned before: taken if it is still missing from a wanted piece.
    pub fn received_late(&mut self, peer: PeerKey, block: Block) -> Received {
        if !self.is_wanted(block.piece.0) {
            return Received::Unwanted;
        }
        let state = &self.pieces[block.piece.0 as usize];
        let number = block.offset / BLOCK_LEN;
        if number >= block_count(state.length) || self::block(block.piece, number, state.length) != block {
            return Received::Unwanted;
        }
        let slot = match state.place {
            Place::Partial(slot) => slot,
            Place::Listed => self.begin(block.piece.0, Share::Shared, peer),
            Place::Had | Place::Unwanted => return Received::Unwanted,
        };
        match self.partials.get(slot).cells[number as usize] {
            Cell::Open | Cell::Requested(_) => self.accept(slot, number, peer, block),
            Cell::Writing(_) | Cell::Written(_) => Received::Unwanted,
        }
    }

    fn accept(&mut self, slot: u32, number: u32, peer: PeerKey, block: Block) -> Received {
        let wanted = self.is_wanted(block.piece.0);
        let partial = self.partials.get_mut(slot);
        let others = partial.receive(number, block.length, peer);
        let piece_complete = partial.is_received();
        if wanted {
            self.bytes_left -= u64::from(block.length);
        }
        if partial.open == 0 {
            self.partials.settle(slot, wanted);
        } else if partial.requested == 0 {
            // What nobody is working on may be taken over.
            self.fruitless.clear();
        }
        Received::Accepted { others, piece_complete }
    }

    /// A block is in the file.
    pub fn wrote(&mut self, block: Block) {
        if let Some((slot, number)) = self.find(block) {
            let cell = &mut self.partials.get_mut(slot).cells[number as usize];
            if let Cell::Writing(peer) = *cell {
                *cell = Cell::Written(peer);
            }
        }
    }

    /// A block could not be written: it is to be fetched again.
    pub fn write_failed(&mut self, block: Block) {
        if let Some((slot, number)) = self.find(block)
            && let Cell::Writing(_) = self.partials.get(slot).cells[number as usize]
        {
            self.unreceive(slot, number, block);
            self.reopened(slot);
        }
    }

    /// A piece is verified. Returns requests that are open for it all the same, to be cancelled.
    pub fn verified(&mut self, piece: PieceIndex) -> Vec<(PeerKey, Block)> {
        let Some(state) = self.pieces.get_mut(piece.0 as usize) else { return Vec::new() };
        let mut requests = Vec::new();
        let mut left = state.length;
        match state.place {
            Place::Had => return requests,
            Place::Unwanted => {}
            Place::Listed => {
                let class = class_of(state.priority).expect("only wanted pieces are listed");
                self.listing.remove(class, piece.0, state.availability);
            }
            Place::Partial(slot) => {
                let partial = self.partials.get(slot);
                left -= partial.received_bytes;
                for (number, cell) in (0u32..).zip(&partial.cells) {
                    if let Cell::Requested(first) = *cell {
                        let peers = std::iter::once(first).chain(partial.also(number).iter().map(|&(_, peer)| peer));
                        requests.extend(peers.map(|peer| (peer, block(piece, number, state.length))));
                    }
                }
                self.partials.end(slot);
            }
        }
        state.place = Place::Had;
        self.have.set(piece.0);
        if self.missing.clear(piece.0) {
            self.bytes_left -= u64::from(left);
        }
        self.deadlines.retain(|&deadline| deadline != piece);
        requests
    }

    /// A piece failed its hash. Frees the blocks known to be bad (by number in the piece), or all of them, and returns who
    /// sent them. Nothing happens when the piece is not complete: a write failed while it was being judged.
    pub fn failed(&mut self, piece: PieceIndex, bad_blocks: Option<&[u32]>) -> Vec<(PeerKey, Vec<Block>)> {
        let Some(&Piece { length, place: Place::Partial(slot), .. }) = self.pieces.get(piece.0 as usize) else {
            return Vec::new();
        };
        if !self.partials.get(slot).is_received() {
            return Vec::new();
        }
        let count = block_count(length);
        let mut bad: Vec<u32> = bad_blocks.unwrap_or_default().iter().copied().filter(|&n| n < count).collect();
        bad.sort_unstable();
        bad.dedup();
        if bad.is_empty() {
            bad = (0..count).collect();
        }
        let mut blame = BTreeMap::<PeerKey, Vec<Block>>::new();
        for number in bad {
            let block = block(piece, number, length);
            if let Cell::Writing(peer) | Cell::Written(peer) = self.partials.get(slot).cells[number as usize] {
                blame.entry(peer).or_default().push(block);
            }
            self.unreceive(slot, number, block);
        }
        self.reopened(slot);
        blame.into_iter().collect()
    }

    /// Returns the peer that sent every block of a piece that is not verified yet, if it was one peer.
    pub fn sole_sender(&self, piece: PieceIndex) -> Option<PeerKey> {
        let Place::Partial(slot) = self.pieces.get(piece.0 as usize)?.place else { return None };
        let mut senders = self.partials.get(slot).cells.iter().map(|cell| match cell {
            Cell::Writing(peer) | Cell::Written(peer) => Some(*peer),
            Cell::Open | Cell::Requested(_) => None,
        });
        let first = senders.next()??;
        senders.all(|sender| sender == Some(first)).then_some(first)
    }

    /// A piece is not had (any more).
    pub fn lose(&mut self, piece: PieceIndex) {
        if !self.have.clear(piece.0) {
            return;
        }
        let state = &mut self.pieces[piece.0 as usize];
        state.place = Place::Unwanted;
        if class_of(state.priority).is_some() {
            self.bytes_left += u64::from(state.length);
            self.missing.set(piece.0);
            self.place_unbegun(piece.0);
        }
    }

    /// Changes how much a piece is wanted. Requests that are open for a piece not wanted any more stay valid.
    pub fn set_priority(&mut self, piece: PieceIndex, priority: Priority) {
        let Some(state) = self.pieces.get_mut(piece.0 as usize) else { return };
        let (old, new) = (class_of(state.priority), class_of(priority));
        state.priority = priority;
        if old == new || state.place == Place::Had {
            return;
        }
        let mut left = state.length;
        match state.place {
            Place::Listed => self.listing.remove(old.expect("it was listed"), piece.0, state.availability),
            Place::Partial(slot) => {
                left -= self.partials.get(slot).received_bytes;
                self.partials.settle(slot, new.is_some());
                self.fruitless.clear();
            }
            Place::Had | Place::Unwanted => {}
        }
        if old.is_none() {
            self.missing.set(piece.0);
            self.bytes_left += u64::from(left);
        } else if new.is_none() {
            self.missing.clear(piece.0);
            self.bytes_left -= u64::from(left);
        }
        if !matches!(self.pieces[piece.0 as usize].place, Place::Partial(_)) {
            self.place_unbegun(piece.0);
        }
    }

    /// Returns how much a piece is wanted.
    pub fn priority(&self, piece: PieceIndex) -> Priority {
        self.pieces.get(piece.0 as usize).map_or(Priority::Skip, |state| state.priority)
    }

    /// Says who else fetches this: of pieces that are equally rare each of them begins others first, so that one that has
    /// all sends each about once. `own`: what the others know us by.
    pub fn take_turns(&mut self, own: &PeerId, others: impl Iterator<Item = PeerId>) {
        self.turns = Turns::new(own, others);
    }

    /// Fetches pieces in order instead of rarest first.
    pub fn set_sequential(&mut self, sequential: bool) {
        self.sequential = sequential;
    }

    /// Replaces the pieces that are fetched before all others, in this order.
    pub fn set_deadlines(&mut self, mut pieces: Vec<PieceIndex>) {
        pieces.retain(|piece| piece.0 < self.have.len() && !self.have.get(piece.0));
        self.deadlines = pieces;
    }

    /// Returns the pieces that readers need and that are not had, the most urgent first, as far as they are looked at.
    pub fn deadlines(&self) -> &[PieceIndex] {
        &self.deadlines[..self.deadlines.len().min(choose::DEADLINE_LOOKS)]
    }

    /// Tells whether one of the pieces that readers need first was not asked for in full.
    pub fn is_reader_waiting(&self) -> bool {
        self.deadlines.iter().take(FIRST_DEADLINES).any(|&PieceIndex(piece)| {
            self.is_wanted(piece)
                && match self.pieces[piece as usize].place {
                    Place::Listed => true,
                    Place::Partial(slot) => self.partials.get(slot).open > 0,
                    Place::Had | Place::Unwanted => false,
                }
        })
    }

    /// Returns the blocks of the pieces that readers need first which one peer alone was asked for, with that peer.
    pub fn owed_for_readers(&self) -> impl Iterator<Item = (Block, PeerKey)> + '_ {
        let begun = |&&PieceIndex(piece): &&PieceIndex| match self.pieces[piece as usize].place {
            Place::Partial(slot) if self.is_wanted(piece) => Some(self.partials.get(slot)),
            _ => None,
        };
        self.deadlines.iter().take(FIRST_DEADLINES).filter_map(move |piece| begun(&piece)).flat_map(|partial| {
            let length = self.pieces[partial.piece as usize].length;
            (0u32..).zip(&partial.cells).filter_map(move |(number, cell)| match *cell {
                Cell::Requested(peer) if partial.also(number).is_empty() => {
                    Some((block(PieceIndex(partial.piece), number, length), peer))
                }
                _ => None,
            })
        })
    }

    /// Counts a block that [`Picker::owed_for_readers`] named as requested of one more peer.
    pub fn ask_also(&mut self, peer: PeerKey, block: Block) {
        if let Some((slot, number)) = self.find(block)
            && let partial = self.partials.get_mut(slot)
            && matches!(partial.cells[number as usize], Cell::Requested(first) if first != peer)
        {
            partial.ask_also(number, peer);
        }
    }

    /// Tells whether a peer with this set has a wanted piece that we lack: our interest in it.
    pub fn wants_from(&self, has: &Bitfield) -> bool {
        !self.missing.is_none() && (has.is_all() || listing::intersect(&self.missing, has))
    }

    /// Tells whether the piece is wanted and not had.
    pub fn wants(&self, piece: PieceIndex) -> bool {
        self.missing.get(piece.0)
    }

    /// Returns the pieces that are had.
    pub fn have(&self) -> &Bitfield {
        &self.have
    }

    /// Tells whether no wanted piece is missing.
    pub fn is_complete(&self) -> bool {
        self.missing.is_none()
    }

    /// Returns how many wanted pieces are missing.
    pub fn missing_pieces(&self) -> u32 {
        self.missing.count()
    }

    /// Returns how many bytes of wanted pieces have not come.
    pub fn bytes_left(&self) -> u64 {
        self.bytes_left
    }

    /// Tells whether every block that anybody has was asked for.
    pub fn end_game(&self) -> bool {
        !self.missing.is_none()
            && self.partials.list(partials::List::Free).is_empty()
            && self.partials.list(partials::List::Kept).is_empty()
            && !self.listing.is_any_offered(self.seeds)
    }

    /// Returns the pieces begun with the state of each block, in no order.
    pub fn partials(&self) -> impl Iterator<Item = (PieceIndex, Vec<BlockState>)> + '_ {
        let state = |cell: &Cell| match cell {
            Cell::Open => BlockState::Open,
            Cell::Requested(_) => BlockState::Requested,
            Cell::Writing(_) => BlockState::Writing,
            Cell::Written(_) => BlockState::Written,
        };
        self.partials.iter().map(move |partial| (PieceIndex(partial.piece), partial.cells.iter().map(state).collect()))
    }

    fn is_wanted(&self, piece: u32) -> bool {
        self.missing.get(piece)
    }

    /// Finds a block that is exactly one of a piece begun.
    fn find(&self, block: Block) -> Option<(u32, u32)> {
        let &Piece { length, place: Place::Partial(slot), .. } = self.pieces.get(block.piece.0 as usize)? else {
            return None;
        };
        let number = block.offset / BLOCK_LEN;
        (number < block_count(length) && self::block(block.piece, number, length) == block).then_some((slot, number))
    }

    /// Begins a listed piece; the caller takes a block of it at once.
    fn begin(&mut self, piece: u32, share: Share, peer: PeerKey) -> u32 {
        let state = &mut self.pieces[piece as usize];
        let class = class_of(state.priority).expect("only wanted pieces are begun");
        self.listing.remove(class, piece, state.availability);
        let slot = self.partials.begin(piece, block_count(state.length));
        state.place = Place::Partial(slot);
        if share != Share::Shared {
            self.partials.set_owner(slot, Some(peer), share == Share::Alone);
        }
        self.partials.settle(slot, true);
        slot
    }

    fn unreceive(&mut self, slot: u32, number: u32, block: Block) {
        self.partials.get_mut(slot).unreceive(number, block.length);
        if self.is_wanted(block.piece.0) {
            self.bytes_left += u64::from(block.length);
        }
    }

    /// Blocks of a piece begun are open again: anybody may take them; with nothing left in it, it counts as not begun.
    fn reopened(&mut self, slot: u32) {
        self.fruitless.clear();
        let partial = self.partials.get(slot);
        let piece = partial.piece;
        if partial.is_untouched() {
            self.partials.end(slot);
            self.place_unbegun(piece);
        } else {
            self.partials.set_owner(slot, None, false);
            self.partials.settle(slot, self.is_wanted(piece));
        }
    }

    /// Lists a missing piece that is not begun, if it is wanted.
    fn place_unbegun(&mut self, piece: u32) {
        self.fruitless.clear();
        let state = &mut self.pieces[piece as usize];
        state.place = match class_of(state.priority) {
            Some(class) => {
                self.listing.add(class, piece, state.availability);
                Place::Listed
            }
            None => Place::Unwanted,
        };
    }

    /// Panics when an invariant is broken; O(everything).
    #[cfg(any(test, debug_assertions))]
    pub fn assert_invariants(&self) {
        let place = |piece: u32| {
            let state = &self.pieces[piece as usize];
            (state.place == Place::Listed).then(|| (class_of(state.priority).expect("wanted"), state.availability))
        };
        self.listing.assert_invariants(place);
        self.partials.assert_invariants(|slot, piece| {
            assert_eq!(self.pieces[piece as usize].place, Place::Partial(slot), "piece {piece}");
            self.is_wanted(piece)
        });
        let mut left = 0;
        for (number, state) in (0u32..).zip(&self.pieces) {
            let wanted = class_of(state.priority).is_some();
            assert_eq!(self.have.get(number), state.place == Place::Had, "piece {number}");
            assert_eq!(self.missing.get(number), wanted && state.place != Place::Had, "piece {number}");
            let received = match state.place {
                Place::Had => state.length,
                Place::Unwanted | Place::Listed => {
                    assert_eq!(state.place == Place::Listed, wanted, "piece {number}");
                    0
                }
                Place::Partial(slot) => self.partials.get(slot).received_bytes,
            };
            left += if wanted { u64::from(state.length - received) } else { 0 };
        }
        assert_eq!(left, self.bytes_left);
    }
}
