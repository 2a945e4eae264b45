//! Memory for packets that arrived ahead of a gap, shared by all connections of an endpoint and used again.

/// The most buffers that are kept for the next gap (6 MiB of full packets). Arbitrary.
const MAX_FREE: usize = 4_096;

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
        if self.warm >= MAX_FREE {
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
