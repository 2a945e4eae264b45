//! The pieces that can be begun, sorted by priority and rarity.
//!
//! A class for each priority holds a bucket for each availability; a piece moves between buckets in O(1), so that one
//! `Have` costs the same in a torrent of 100 pieces and of 100,000. Beside the buckets each class keeps a set, which is
//! intersected with a peer's own 64 pieces at a time where few of the rarest are on offer.
//! Invariant: a piece is in at most one bucket, and in the set of a class exactly when it is in one of its buckets.

use base::Bitfield;

use crate::torrent::Priority;

/// How many classes of wanted pieces there are.
pub(super) const CLASSES: usize = 3;

/// How many of the rarest pieces are looked at one by one before the sets are intersected. Measured: with half of the
/// pieces on offer two looks are enough on average; 256 looks cost about as much as intersecting 65,536 bits.
const PROBES: usize = 256;

/// Among how many pieces that a peer offers the rarest is chosen once probing found none. Arbitrary: large enough to meet
/// the rarest tenth almost surely.
const SAMPLE: usize = 64;

/// The listing. See the module.
#[derive(Debug)]
pub(super) struct Listing {
    classes: [Class; CLASSES],
    /// Where each listed piece stands in its bucket; stale for others.
    position: Vec<u32>,
}

#[derive(Debug)]
struct Class {
    buckets: Vec<Vec<u32>>,
    set: Bitfield,
}

/// Returns the class of a priority, the most wanted first; `None`: not wanted.
pub(super) fn class_of(priority: Priority) -> Option<usize> {
    match priority {
        Priority::High => Some(0),
        Priority::Normal => Some(1),
        Priority::Low => Some(2),
        Priority::Skip => None,
    }
}

/// Returns 64 bits of a set's wire form, the first index in the highest bit; zeros beyond the end.
fn word(bytes: &[u8], index: usize) -> u64 {
    if let Some(chunk) = bytes.get(index * 8..).and_then(|rest| rest.first_chunk()) {
        return u64::from_be_bytes(*chunk);
    }
    let mut padded = [0; 8];
    let rest = bytes.get(index * 8..).unwrap_or_default();
    padded[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(padded)
}

/// Tells whether two sets share an index.
pub(super) fn intersect(a: &Bitfield, b: &Bitfield) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    (0..a.len().div_ceil(8)).any(|i| word(a, i) & word(b, i) != 0)
}

/// Calls `each` with the members of both sets, beginning at a word and wrapping around, until it returns false.
fn common(a: &Bitfield, b: &Bitfield, first_word: usize, mut each: impl FnMut(u32) -> bool) {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let words = a.len().div_ceil(8);
    for i in (first_word..words).chain(0..first_word) {
        let mut both = word(a, i) & word(b, i);
        while both != 0 {
            let bit = both.leading_zeros();
            if !each(i as u32 * 64 + bit) {
                return;
            }
            both &= !(1 << (63 - bit));
        }
    }
}

/// Calls `each` with every member of a set, in order.
pub(super) fn for_each(set: &Bitfield, mut each: impl FnMut(u32)) {
    common(set, set, 0, |piece| {
        each(piece);
        true
    });
}

impl Listing {
    pub(super) fn new(piece_count: u32) -> Listing {
        let class = || Class { buckets: Vec::new(), set: Bitfield::new(piece_count) };
        Listing { classes: [class(), class(), class()], position: vec![0; piece_count as usize] }
    }

    pub(super) fn add(&mut self, class: usize, piece: u32, availability: u32) {
        self.classes[class].set.set(piece);
        self.push(class, piece, availability);
    }

    pub(super) fn remove(&mut self, class: usize, piece: u32, availability: u32) {
        self.classes[class].set.clear(piece);
        self.pull(class, piece, availability);
    }

    /// Moves a listed piece whose availability changed.
    pub(super) fn shift(&mut self, class: usize, piece: u32, from: u32, to: u32) {
        self.pull(class, piece, from);
        self.push(class, piece, to);
    }

    fn push(&mut self, class: usize, piece: u32, availability: u32) {
        let buckets = &mut self.classes[class].buckets;
        if buckets.len() <= availability as usize {
            buckets.resize_with(availability as usize + 1, Vec::new);
        }
        let bucket = &mut buckets[availability as usize];
        self.position[piece as usize] = bucket.len() as u32;
        bucket.push(piece);
    }

    fn pull(&mut self, class: usize, piece: u32, availability: u32) {
        let bucket = &mut self.classes[class].buckets[availability as usize];
        let position = self.position[piece as usize] as usize;
        debug_assert_eq!(bucket[position], piece);
        bucket.swap_remove(position);
        if let Some(&moved) = bucket.get(position) {
            self.position[moved as usize] = position as u32;
        }
    }

    /// Tells whether any piece is listed that somebody has. `seeds`: peers that have every piece and are in no bucket.
    pub(super) fn is_any_offered(&self, seeds: u32) -> bool {
        self.classes.iter().any(|class| {
            let unoffered = if seeds == 0 { class.buckets.first().map_or(0, Vec::len) } else { 0 };
            class.set.count() as usize > unoffered
        })
    }

    /// Returns one of the rarest pieces of a class in `has`: the very rarest where it is met within [`PROBES`] looks,
    /// else the rarest of a sample. Which of the equally rare is left to chance, so that peers do not all begin alike.
    pub(super) fn rarest(
        &self,
        class: usize,
        has: &Bitfield,
        seeds: u32,
        availability: impl Fn(u32) -> u32,
        rng: &mut fastrand::Rng,
    ) -> Option<u32> {
        let class = &self.classes[class];
        if class.set.is_none() {
            return None;
        }
        let mut looks = 0;
        // Pieces that nobody has stand in bucket 0; with a seed around, those that only seeds have do.
        let first = usize::from(seeds == 0);
        for bucket in class.buckets.iter().skip(first).filter(|bucket| !bucket.is_empty()) {
            let start = rng.usize(..bucket.len());
            for &piece in bucket[start..].iter().chain(&bucket[..start]) {
                if has.get(piece) {
                    return Some(piece);
                }
                looks += 1;
                if looks == PROBES {
                    return class.rarest_of_sample(has, availability, rng);
                }
            }
        }
        None
    }

    /// Returns any piece of a class in `has`, all about equally likely.
    pub(super) fn random(&self, class: usize, has: &Bitfield, rng: &mut fastrand::Rng) -> Option<u32> {
        let class = &self.classes[class];
        let mut found = None;
        let mut seen = 0;
        class.for_common(has, rng, |rng, piece| {
            seen += 1;
            if rng.u32(..seen) == 0 {
                found = Some(piece);
            }
            seen < SAMPLE as u32
        });
        found
    }

    /// Returns the first piece of a class in `has`.
    pub(super) fn first(&self, class: usize, has: &Bitfield) -> Option<u32> {
        let mut found = None;
        let set = &self.classes[class].set;
        if !set.is_none() {
            common(set, has, 0, |piece| {
                found = Some(piece);
                false
            });
        }
        found
    }

    /// Panics when the invariant is broken.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn assert_invariants(&self, place: impl Fn(u32) -> Option<(usize, u32)>) {
        for (number, class) in self.classes.iter().enumerate() {
            let mut listed = 0;
            for (availability, bucket) in class.buckets.iter().enumerate() {
                for (position, &piece) in bucket.iter().enumerate() {
                    assert_eq!(place(piece), Some((number, availability as u32)), "piece {piece} is in a wrong bucket");
                    assert_eq!(self.position[piece as usize] as usize, position, "piece {piece}");
                    assert!(class.set.get(piece), "piece {piece} is not in its class's set");
                    listed += 1;
                }
            }
            assert_eq!(listed, class.set.count(), "class {number}");
        }
    }
}

impl Class {
    fn rarest_of_sample(
        &self,
        has: &Bitfield,
        availability: impl Fn(u32) -> u32,
        rng: &mut fastrand::Rng,
    ) -> Option<u32> {
        let mut best = None;
        let mut seen = 0;
        self.for_common(has, rng, |_, piece| {
            let candidate = (availability(piece), piece);
            if best.is_none_or(|(rarity, _)| candidate.0 < rarity) {
                best = Some(candidate);
            }
            seen += 1;
            seen < SAMPLE
        });
        best.map(|(_, piece)| piece)
    }

    fn for_common(
        &self,
        has: &Bitfield,
        rng: &mut fastrand::Rng,
        mut each: impl FnMut(&mut fastrand::Rng, u32) -> bool,
    ) {
        let words = self.set.as_bytes().len().div_ceil(8);
        if words > 0 && !self.set.is_none() {
            let first = rng.usize(..words);
            common(&self.set, has, first, |piece| each(rng, piece));
        }
    }
}
