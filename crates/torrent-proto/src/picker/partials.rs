//! The pieces begun: the state of each of their blocks and who may go on with them.
//!
//! Invariants: the counts of a partial agree with its cells; no open block lies below its cursor; every partial of a
//! wanted piece is in the list that its state names and in no other; `own` names a partial whose owner is that peer.

use std::collections::BTreeMap;

use crate::torrent::PeerKey;

/// The piece number of a slot not in use.
const UNUSED: u32 = u32::MAX;

/// A block of a piece begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Nobody was asked.
    Open,
    /// Asked of this peer (in end game of others too: [`Partial::also`]).
    Requested(PeerKey),
    /// It came from this peer and is on its way to the file.
    Writing(PeerKey),
    /// It came from this peer and is in the file.
    Written(PeerKey),
}

/// Which list a partial is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// It has open blocks and no owner.
    Free = 0,
    /// It has open blocks and an owner.
    Kept = 1,
    /// It has no open block.
    Full = 2,
}

const LISTS: usize = 3;

/// A piece begun.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) piece: u32,
    pub(super) cells: Vec<Cell>,
    /// Further peers that a requested block was asked of, sorted.
    pub(super) also: Vec<(u32, PeerKey)>,
    pub(super) open: u32,
    pub(super) requested: u32,
    /// Bytes in cells that are `Writing` or `Written`.
    pub(super) received_bytes: u32,
    cursor: u32,
    pub(super) owner: Option<PeerKey>,
    /// The owner is on parole: others stay out even more.
    pub(super) alone: bool,
    list: Option<(List, u32)>,
}

/// All pieces begun. See the module.
#[derive(Debug, Default)]
pub(super) struct Partials {
    slots: Vec<Partial>,
    unused: Vec<u32>,
    lists: [Vec<u32>; LISTS],
    /// The piece that a peer has to itself and is in the middle of.
    own: BTreeMap<PeerKey, u32>,
}

impl Partial {
    /// Tells whether nothing of it was asked for or came.
    pub(super) fn is_untouched(&self) -> bool {
        self.open as usize == self.cells.len()
    }

    /// Tells whether every block came.
    pub(super) fn is_received(&self) -> bool {
        self.open == 0 && self.requested == 0
    }

    /// Takes the first open block for a peer.
    pub(super) fn take_open(&mut self, peer: PeerKey) -> Option<u32> {
        while let Some(cell) = self.cells.get_mut(self.cursor as usize) {
            self.cursor += 1;
            if *cell == Cell::Open {
                *cell = Cell::Requested(peer);
                self.open -= 1;
                self.requested += 1;
                return Some(self.cursor - 1);
            }
        }
        debug_assert_eq!(self.open, 0);
        None
    }

    /// Returns the further peers that a block was asked of.
    pub(super) fn also(&self, block: u32) -> &[(u32, PeerKey)] {
        if self.also.is_empty() {
            return &[];
        }
        let start = self.also.partition_point(|&(b, _)| b < block);
        let count = self.also[start..].partition_point(|&(b, _)| b == block);
        &self.also[start..start + count]
    }

    /// Tells whether a block is requested of this peer.
    pub(super) fn is_requested_of(&self, block: u32, peer: PeerKey) -> bool {
        match self.cells[block as usize] {
            Cell::Requested(first) => first == peer || self.also.binary_search(&(block, peer)).is_ok(),
            _ => false,
        }
    }

    /// Notes that a requested block was asked of one more peer.
    pub(super) fn ask_also(&mut self, block: u32, peer: PeerKey) {
        if let Err(at) = self.also.binary_search(&(block, peer)) {
            self.also.insert(at, (block, peer));
        }
    }

    /// Takes back the request of one peer; returns whether the block is open now.
    pub(super) fn withdraw(&mut self, block: u32, peer: PeerKey) -> bool {
        if self.cells[block as usize] != Cell::Requested(peer) {
            if let Ok(at) = self.also.binary_search(&(block, peer)) {
                self.also.remove(at);
            }
            return false;
        }
        if let Some(&(_, next)) = self.also(block).first() {
            self.withdraw(block, next);
            self.cells[block as usize] = Cell::Requested(next);
            return false;
        }
        self.requested -= 1;
        self.reopen(block);
        true
    }

    /// Takes back a block that came; `length` in bytes.
    pub(super) fn unreceive(&mut self, block: u32, length: u32) {
        self.received_bytes -= length;
        self.reopen(block);
    }

    fn reopen(&mut self, block: u32) {
        self.cells[block as usize] = Cell::Open;
        self.open += 1;
        self.cursor = self.cursor.min(block);
    }

    /// Marks a missing block as received from a peer; returns the other peers that it was asked of.
    pub(super) fn receive(&mut self, block: u32, length: u32, peer: PeerKey) -> Vec<PeerKey> {
        let mut others = Vec::new();
        match self.cells[block as usize] {
            Cell::Requested(first) => {
                self.requested -= 1;
                others.extend(std::iter::once(first).filter(|&first| first != peer));
                if !self.also.is_empty() {
                    others.extend(self.also(block).iter().map(|&(_, also)| also).filter(|&also| also != peer));
                    self.also.retain(|&(b, _)| b != block);
                }
            }
            _ => self.open -= 1,
        }
        self.cells[block as usize] = Cell::Writing(peer);
        self.received_bytes += length;
        others
    }
}

impl Partials {
    pub(super) fn get(&self, slot: u32) -> &Partial {
        &self.slots[slot as usize]
    }

    /// Gives a partial to be changed; [`Partials::settle`] it after.
    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Partial {
        &mut self.slots[slot as usize]
    }

    /// Begins a piece with all its blocks open; to be settled by the caller.
    pub(super) fn begin(&mut self, piece: u32, blocks: u32) -> u32 {
        let slot = self.unused.pop().unwrap_or_else(|| {
            self.slots.push(Partial {
                piece: UNUSED,
                cells: Vec::new(),
                also: Vec::new(),
                open: 0,
                requested: 0,
                received_bytes: 0,
                cursor: 0,
                owner: None,
                alone: false,
                list: None,
            });
            self.slots.len() as u32 - 1
        });
        let partial = &mut self.slots[slot as usize];
        // The vectors of the slot's last piece are used again.
        partial.cells.resize(blocks as usize, Cell::Open);
        (partial.piece, partial.open) = (piece, blocks);
        slot
    }

    /// Forgets a piece.
    pub(super) fn end(&mut self, slot: u32) {
        self.set_owner(slot, None, false);
        self.enlist(slot, None);
        let partial = &mut self.slots[slot as usize];
        partial.cells.clear();
        partial.also.clear();
        (partial.piece, partial.open, partial.requested) = (UNUSED, 0, 0);
        (partial.received_bytes, partial.cursor) = (0, 0);
        self.unused.push(slot);
    }

    /// Gives a piece to a peer alone, or to everybody.
    pub(super) fn set_owner(&mut self, slot: u32, owner: Option<PeerKey>, alone: bool) {
        let partial = &mut self.slots[slot as usize];
        if let Some(previous) = partial.owner
            && self.own.get(&previous) == Some(&slot)
        {
            self.own.remove(&previous);
        }
        partial.owner = owner;
        partial.alone = alone;
        if let Some(owner) = owner {
            self.own.insert(owner, slot);
        }
    }

    /// Returns the piece that a peer has to itself and can go on with.
    pub(super) fn own(&self, peer: PeerKey) -> Option<u32> {
        self.own.get(&peer).copied().filter(|&slot| self.get(slot).open > 0)
    }

    /// Takes what a peer has to itself away from it.
    pub(super) fn disown(&mut self, peer: PeerKey) {
        if let Some(slot) = self.own.remove(&peer) {
            let wanted = self.get(slot).list.is_some();
            self.set_owner(slot, None, false);
            self.settle(slot, wanted);
        }
    }

    /// Puts a partial that was changed into the list that it belongs to.
    pub(super) fn settle(&mut self, slot: u32, wanted: bool) {
        let partial = &self.slots[slot as usize];
        let list = match (partial.open, partial.owner) {
            _ if !wanted => None,
            (0, _) => Some(List::Full),
            (_, None) => Some(List::Free),
            (_, Some(_)) => Some(List::Kept),
        };
        if list != partial.list.map(|(list, _)| list) {
            self.enlist(slot, list);
        }
    }

    fn enlist(&mut self, slot: u32, list: Option<List>) {
        if let Some((old, position)) = self.slots[slot as usize].list {
            let members = &mut self.lists[old as usize];
            members.swap_remove(position as usize);
            if let Some(&moved) = members.get(position as usize) {
                self.slots[moved as usize].list = Some((old, position));
            }
        }
        self.slots[slot as usize].list = list.map(|list| {
            let members = &mut self.lists[list as usize];
            members.push(slot);
            (list, members.len() as u32 - 1)
        });
    }

    /// Returns the partials of a list, in no order.
    pub(super) fn list(&self, list: List) -> &[u32] {
        &self.lists[list as usize]
    }

    /// Returns all pieces begun.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Partial> {
        self.slots.iter().filter(|partial| partial.piece != UNUSED)
    }

    /// Panics when an invariant is broken. `wanted`: of a piece in a slot.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn assert_invariants(&self, wanted: impl Fn(u32, u32) -> bool) {
        for (slot, partial) in self.slots.iter().enumerate() {
            if partial.piece == UNUSED {
                assert!(partial.list.is_none() && partial.owner.is_none());
                assert!(self.unused.contains(&(slot as u32)));
                continue;
            }
            let count = |wanted: fn(&Cell) -> bool| partial.cells.iter().filter(|cell| wanted(cell)).count() as u32;
            assert_eq!(partial.open, count(|cell| *cell == Cell::Open), "piece {}", partial.piece);
            assert_eq!(partial.requested, count(|cell| matches!(cell, Cell::Requested(_))), "piece {}", partial.piece);
            assert!(!partial.is_untouched(), "piece {} is begun without anything asked for", partial.piece);
            let first_open = partial.cells.iter().position(|cell| *cell == Cell::Open);
            assert!(first_open.is_none_or(|first| first >= partial.cursor as usize), "piece {}", partial.piece);
            assert!(partial.also.is_sorted());
            for &(block, peer) in &partial.also {
                let Cell::Requested(first) = partial.cells[block as usize] else {
                    panic!("block {block} of piece {} is asked of {peer:?} but not requested", partial.piece)
                };
                assert_ne!(first, peer, "block {block} of piece {} is asked twice", partial.piece);
            }
            let list = match (partial.open, partial.owner) {
                _ if !wanted(slot as u32, partial.piece) => None,
                (0, _) => Some(List::Full),
                (_, None) => Some(List::Free),
                (_, Some(_)) => Some(List::Kept),
            };
            assert_eq!(partial.list.map(|(list, _)| list), list, "piece {}", partial.piece);
            if let Some((list, position)) = partial.list {
                assert_eq!(self.lists[list as usize][position as usize], slot as u32);
            }
        }
        for (peer, &slot) in &self.own {
            assert_eq!(self.get(slot).owner, Some(*peer));
        }
        let listed: usize = self.lists.iter().map(Vec::len).sum();
        assert_eq!(listed, self.slots.iter().filter(|partial| partial.list.is_some()).count());
    }
}
