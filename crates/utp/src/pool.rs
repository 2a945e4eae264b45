//! Memory for packets that arrived ahead of a gap, shared by all connections of an endpoint and used again.

/// The most buffers that are kept for the next gap (6 MiB of full packets). Arbitrary.
const MAX_FREE: usize = 4_096;
/// A larger buffer is not kept: a packet may have 64 KiB, but none that is usual has more than this.
const MAX_KEPT_LEN: usize = 2_048;

/// A packet in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u32);

/// See the module. What is in use is bounded by the windows of the connections.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    buffers: Vec<Vec<u8>>,
    free: Vec<u32>,
    /// Of the free ones, how many still have memory.
    warm: usize,
}

impl Pool {
    /// Keeps a copy.
    pub(crate) fn put(&mut self, payload: &[u8]) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.buffers.push(Vec::new());
            self.buffers.len() as u32 - 1
        });
        let buffer = &mut self.buffers[slot as usize];
        if buffer.capacity() > 0 {
            self.warm -= 1;
        }
        buffer.extend_from_slice(payload);
        Slot(slot)
    }

    /// Returns what was put.
    pub(crate) fn get(&self, slot: Slot) -> &[u8] {
        &self.buffers[slot.0 as usize]
    }

    /// Takes a slot back.
    pub(crate) fn free(&mut self, slot: Slot) {
        let buffer = &mut self.buffers[slot.0 as usize];
        buffer.clear();
        if self.warm >= MAX_FREE || buffer.capacity() > MAX_KEPT_LEN {
            *buffer = Vec::new();
        }
        if buffer.capacity() > 0 {
            self.warm += 1;
        }
        self.free.push(slot.0);
    }

    /// Returns how many packets are kept.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.buffers.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_usual_packets_is_kept_and_that_of_huge_ones_is_not() {
        let mut pool = Pool::default();
        for (length, kept) in [(1_452, 1), (60_000, 0)] {
            let slot = pool.put(&vec![1; length]);
            assert_eq!(pool.get(slot).len(), length);
            pool.free(slot);
            assert_eq!((pool.warm, pool.buffers.len()), (kept, 1), "{length}");
        }
        assert_eq!(pool.buffers[0].capacity(), 0);
    }
}
