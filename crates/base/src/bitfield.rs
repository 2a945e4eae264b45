//! A fixed-length set of bits in the order of BEP 3: the high bit of the first byte is index 0.

use std::fmt;

/// A set of indices below a fixed length. Invariant: the spare bits of the last byte are zero, `ones` counts the set
/// bits.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Bitfield {
    bytes: Vec<u8>,
    len: u32,
    ones: u32,
}

impl Bitfield {
    /// Builds an empty set of `len` bits.
    pub fn new(len: u32) -> Bitfield {
        Bitfield { bytes: vec![0; len.div_ceil(8) as usize], len, ones: 0 }
    }

    /// Builds a set with all `len` bits present.
    pub fn full(len: u32) -> Bitfield {
        let mut bytes = vec![0xff; len.div_ceil(8) as usize];
        if let Some(last) = bytes.last_mut()
            && !len.is_multiple_of(8)
        {
            *last = 0xff << (8 - len % 8);
        }
        Bitfield { bytes, len, ones: len }
    }

    /// Reads the wire form; `None` when the length differs or a spare bit is set (BEP 3 asks to drop such a peer).
    pub fn from_bytes(bytes: &[u8], len: u32) -> Option<Bitfield> {
        if bytes.len() != len.div_ceil(8) as usize {
            return None;
        }
        if !len.is_multiple_of(8) && bytes.last().is_some_and(|last| last << (len % 8) != 0) {
            return None;
        }
        let ones = bytes.iter().map(|b| b.count_ones()).sum();
        Some(Bitfield { bytes: bytes.to_vec(), len, ones })
    }

    /// Returns the wire form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of bits.
    #[expect(clippy::len_without_is_empty, reason = "the length is fixed; `is_none` asks whether any bit is set")]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Returns the number of bits set.
    pub fn count(&self) -> u32 {
        self.ones
    }

    /// Tells whether no bit is set.
    pub fn is_none(&self) -> bool {
        self.ones == 0
    }

    /// Tells whether every bit is set.
    pub fn is_all(&self) -> bool {
        self.ones == self.len
    }

    /// Tells whether `index` is set; false beyond the end.
    pub fn get(&self, index: u32) -> bool {
        index < self.len && self.bytes[index as usize / 8] & (0x80 >> (index % 8)) != 0
    }

    /// Sets `index`; returns whether that changed anything. Beyond the end nothing happens.
    pub fn set(&mut self, index: u32) -> bool {
        let change = index < self.len && !self.get(index);
        if change {
            self.bytes[index as usize / 8] |= 0x80 >> (index % 8);
            self.ones += 1;
        }
        change
    }

    /// Clears `index`; returns whether that changed anything.
    pub fn clear(&mut self, index: u32) -> bool {
        let change = self.get(index);
        if change {
            self.bytes[index as usize / 8] &= !(0x80 >> (index % 8));
            self.ones -= 1;
        }
        change
    }

    /// Returns the set indices in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.bytes.iter().enumerate().flat_map(|(i, &byte)| {
            (0..8).filter(move |bit| byte & (0x80 >> bit) != 0).map(move |bit| i as u32 * 8 + bit)
        })
    }

    /// Returns the indices that are not set, in ascending order.
    pub fn iter_missing(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.len).filter(|&i| !self.get(i))
    }
}

impl fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitfield({} of {})", self.ones, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_index_is_the_high_bit() {
        let mut set = Bitfield::new(10);
        assert!(set.set(0) && set.set(9) && !set.set(9) && !set.set(10));
        assert_eq!(set.as_bytes(), [0x80, 0x40]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 9]);
        assert_eq!(set.count(), 2);
    }

    #[test]
    fn spare_bits_are_refused() {
        assert!(Bitfield::from_bytes(&[0xff, 0xc0], 10).is_some_and(|b| b.is_all()));
        assert!(Bitfield::from_bytes(&[0xff, 0xe0], 10).is_none());
        assert!(Bitfield::from_bytes(&[0xff], 10).is_none());
        assert_eq!(Bitfield::full(10), Bitfield::from_bytes(&[0xff, 0xc0], 10).unwrap());
    }

    #[test]
    fn clearing_keeps_the_count() {
        let mut set = Bitfield::full(3);
        assert!(set.clear(1) && !set.clear(1));
        assert_eq!((set.count(), set.iter_missing().collect::<Vec<_>>()), (2, vec![1]));
    }
}
