//! Choosing blocks for one peer.
//!
//! In this order: pieces with a deadline, the piece that the peer has to itself, then by priority pieces begun and the
//! rarest of the others, then what others have to themselves, and last, in end game, what others were asked already.

use metainfo::{Block, PieceIndex};

use super::listing::{CLASSES, class_of};
use super::partials::{Cell, List, Partial};
use super::{Ask, Picker, Place, Share};

/// So many pieces are begun at random instead of rarest first: a new peer needs something to give soon, and rare pieces
/// come slowly (BEP 3 leaves it open; Cohen, "Incentives build robustness in BitTorrent", 2003, names the first piece).
const RANDOM_FIRST: u32 = 4;

/// Of how many equally rare pieces the one is begun whose turn it is; see `turns`. Arbitrary: also where only one of ten is
/// one's own there is mostly one among them.
const DRAWS: usize = 32;

/// Among how many pieces begun the best to join is looked for; beyond, the first that fits will do. Arbitrary.
const JOIN_LOOKS: usize = 64;

/// How many deadlines are looked at; a reader is not that far ahead. Arbitrary.
pub(super) const DEADLINE_LOOKS: usize = 32;

/// How many blocks are looked at in end game. Arbitrary: some microseconds.
const END_GAME_LOOKS: usize = 4096;

/// Of how many peers one block is asked in end game: first of two each, then of more. Arbitrary: each further request is
/// another block that may come in vain.
const END_GAME_COPIES: [usize; 2] = [2, 3];

/// How many blocks are asked for again at a time. Arbitrary: about what one read of a fast socket brings, so that a fast
/// peer keeps going and little is asked for in vain.
const END_GAME_BATCH: usize = 16;

/// How a peer asked when there was nothing for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fruitless {
    pieces: u32,
    share: Share,
    end_game: bool,
}

impl Picker {
    /// Appends up to `ask.count` blocks for a peer and counts them as requested of it. Blocks of a piece come in order.
    pub fn pick(&mut self, ask: Ask<'_>, rng: &mut fastrand::Rng, out: &mut Vec<Block>) {
        let goal = out.len() + ask.count;
        if ask.allowed.is_some() {
            self.pick_open(&ask, goal, rng, out);
            return;
        }
        let key = Fruitless { pieces: ask.has.count(), share: ask.share, end_game: self.end_game() };
        if self.fruitless.get(&ask.peer) == Some(&key) {
            return;
        }
        self.pick_open(&ask, goal, rng, out);
        let end_game = self.end_game();
        let exhausted = if out.len() < goal && end_game && ask.share != Share::Alone {
            let goal = goal.min(out.len() + END_GAME_BATCH);
            self.pick_again(&ask, goal, rng, out)
        } else {
            out.len() < goal
        };
        if exhausted {
            self.fruitless.insert(ask.peer, Fruitless { end_game, ..key });
        }
    }

    fn pick_open(&mut self, ask: &Ask<'_>, goal: usize, rng: &mut fastrand::Rng, out: &mut Vec<Block>) {
        while out.len() < goal {
            let Some(slot) = self.choose(ask, rng) else { break };
            self.take(slot, ask.peer, goal, out);
        }
    }

    /// Takes open blocks of a piece begun.
    fn take(&mut self, slot: u32, peer: crate::torrent::PeerKey, goal: usize, out: &mut Vec<Block>) {
        let partial = self.partials.get_mut(slot);
        let piece = PieceIndex(partial.piece);
        let length = self.pieces[piece.0 as usize].length;
        while out.len() < goal
            && let Some(number) = partial.take_open(peer)
        {
            out.push(super::block(piece, number, length));
        }
        if partial.open == 0 {
            self.partials.settle(slot, true);
        }
    }

    /// Finds a piece with open blocks for a peer, begun now if need be.
    fn choose(&mut self, ask: &Ask<'_>, rng: &mut fastrand::Rng) -> Option<u32> {
        if let Some(allowed) = ask.allowed {
            let urgent = self.deadlines().iter().copied().filter(|piece| allowed.contains(piece)).collect::<Vec<_>>();
            return urgent.iter().chain(allowed).find_map(|&piece| self.enter(piece.0, ask));
        }
        if let Some(slot) = self.choose_deadline(ask) {
            return Some(slot);
        }
        if let Some(slot) = self.partials.own(ask.peer)
            && self.is_wanted(self.partials.get(slot).piece)
            && ask.has.get(self.partials.get(slot).piece)
        {
            return Some(slot);
        }
        let begun = self.best_begun(List::Free, ask, rng);
        for class in 0..CLASSES {
            if let Some((slot, of_class)) = begun
                && of_class == class
            {
                self.adopt(slot, ask);
                return Some(slot);
            }
            if let Some(piece) = self.find_new(class, ask, rng) {
                return Some(self.begin(piece, ask.share, ask.peer));
            }
        }
        self.last_resort(ask, rng)
    }

    /// Deadlines come before everything, and everybody helps with them.
    fn choose_deadline(&mut self, ask: &Ask<'_>) -> Option<u32> {
        if ask.share == Share::Alone {
            return None;
        }
        (0..self.deadlines.len().min(DEADLINE_LOOKS)).find_map(|i| self.enter(self.deadlines[i].0, ask))
    }

    /// Joins or begins one given piece if the peer has it and it has open blocks.
    fn enter(&mut self, piece: u32, ask: &Ask<'_>) -> Option<u32> {
        if !self.is_wanted(piece) || !ask.has.get(piece) {
            return None;
        }
        match self.pieces[piece as usize].place {
            Place::Listed if ask.share == Share::Alone => Some(self.begin(piece, Share::Alone, ask.peer)),
            Place::Listed => Some(self.begin(piece, Share::Shared, ask.peer)),
            Place::Partial(slot) => {
                let partial = self.partials.get(slot);
                let own = partial.owner == Some(ask.peer);
                let may_join = own || (ask.share != Share::Alone && !partial.alone);
                (partial.open > 0 && may_join).then_some(slot)
            }
            Place::Had | Place::Unwanted => None,
        }
    }

    /// Returns the best piece of a list for a peer, with its class: the most wanted, then (sequential: the first, else)
    /// the one with the fewest blocks left to ask for, then the rarest.
    fn best_begun(&self, list: List, ask: &Ask<'_>, rng: &mut fastrand::Rng) -> Option<(u32, usize)> {
        let slots = self.partials.list(list);
        if slots.is_empty() {
            return None;
        }
        let start = rng.usize(..slots.len());
        let mut slots = slots[start..].iter().chain(&slots[..start]);
        let candidate = |&slot: &u32| {
            let partial = self.partials.get(slot);
            let piece = &self.pieces[partial.piece as usize];
            let class = class_of(piece.priority)?;
            let fits = ask.has.get(partial.piece) && may_join(partial, list, ask.share);
            let order = if self.sequential { (partial.piece, 0) } else { (partial.open, piece.availability) };
            fits.then_some((class, order, slot))
        };
        let best = slots.by_ref().take(JOIN_LOOKS).filter_map(candidate).min();
        best.or_else(|| slots.find_map(candidate)).map(|(class, _, slot)| (slot, class))
    }

    /// A fast peer takes over a piece that nobody else is working on.
    fn adopt(&mut self, slot: u32, ask: &Ask<'_>) {
        if ask.share == Share::Whole && self.partials.get(slot).requested == 0 {
            self.partials.set_owner(slot, Some(ask.peer), false);
            self.partials.settle(slot, true);
        }
    }

    fn find_new(&self, class: usize, ask: &Ask<'_>, rng: &mut fastrand::Rng) -> Option<u32> {
        if self.sequential {
            return self.listing.first(class, ask.has);
        }
        if self.turns.are_taken() {
            return self.find_in_turn(class, ask, rng);
        }
        if self.have.count() < RANDOM_FIRST {
            return self.listing.random(class, ask.has, rng);
        }
        let availability = |piece: u32| self.pieces[piece as usize].availability;
        self.listing.rarest(class, ask.has, self.seeds, availability, rng)
    }

    /// Finds, among some of the rarest, the one whose turn it is. Apart, so that where nobody takes turns the one call of
    /// [`super::listing::Listing::rarest`] is compiled into its caller.
    #[inline(never)]
    fn find_in_turn(&self, class: usize, ask: &Ask<'_>, rng: &mut fastrand::Rng) -> Option<u32> {
        let availability = |piece: u32| self.pieces[piece as usize].availability;
        let draws = (0..DRAWS).map_while(|_| self.listing.rarest(class, ask.has, self.seeds, availability, rng));
        draws.min_by_key(|piece| (availability(*piece), self.turns.rank(*piece)))
    }

    /// Nothing is left but pieces that others are working on.
    fn last_resort(&mut self, ask: &Ask<'_>, rng: &mut fastrand::Rng) -> Option<u32> {
        let free = if ask.share == Share::Whole {
            // `choose` left out those that others were asked blocks of.
            self.best_begun(List::Free, &Ask { share: Share::Shared, ..*ask }, rng)
        } else {
            None
        };
        free.or_else(|| self.best_begun(List::Kept, ask, rng))
            .or_else(|| {
                // A peer on parole may go on with what would otherwise stand still.
                let idle = |slot: &&u32| {
                    let partial = self.partials.get(**slot);
                    partial.requested == 0 && ask.has.get(partial.piece)
                };
                let alone = ask.share == Share::Alone;
                self.partials.list(List::Free).iter().find(|slot| alone && idle(slot)).map(|&slot| (slot, 0))
            })
            .map(|(slot, _)| slot)
    }

    /// Asks a peer for blocks that others were asked for, those last in a piece first: in-order senders send them last.
    /// Tells whether nothing is left for it.
    fn pick_again(&mut self, ask: &Ask<'_>, goal: usize, rng: &mut fastrand::Rng, out: &mut Vec<Block>) -> bool {
        let full = self.partials.list(List::Full).len();
        if full == 0 {
            return true;
        }
        let start = rng.usize(..full);
        let mut looks = 0;
        for copies in END_GAME_COPIES {
            for i in (start..full).chain(0..start) {
                let partial = self.partials.get_mut(self.partials.list(List::Full)[i]);
                let asked_enough = partial.also.len() >= partial.requested as usize * (copies - 1);
                if asked_enough || !ask.has.get(partial.piece) {
                    continue;
                }
                let piece = PieceIndex(partial.piece);
                for number in (0..partial.cells.len() as u32).rev() {
                    if out.len() == goal || looks == END_GAME_LOOKS {
                        return false;
                    }
                    looks += 1;
                    let Cell::Requested(first) = partial.cells[number as usize] else { continue };
                    if first == ask.peer
                        || partial.also(number).len() + 1 >= copies
                        || partial.is_requested_of(number, ask.peer)
                    {
                        continue;
                    }
                    partial.ask_also(number, ask.peer);
                    out.push(super::block(piece, number, self.pieces[piece.0 as usize].length));
                }
            }
        }
        true
    }
}

/// Tells whether a peer that shares in this way may go on with a piece of a list.
fn may_join(partial: &Partial, list: List, share: Share) -> bool {
    match (list, share) {
        (List::Free, Share::Shared) => true,
        (List::Free, Share::Whole) => partial.requested == 0,
        (List::Free, Share::Alone) => false,
        // What its owner lets lie is nobody's.
        (List::Kept, Share::Shared | Share::Whole) => !partial.alone || partial.requested == 0,
        (List::Kept, Share::Alone) => partial.requested == 0,
        (List::Full, _) => false,
    }
}
