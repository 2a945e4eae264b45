//! Memory permits: what bounds the payload a node holds.
//!
//! A connection takes one before it reads a block and it comes back when the last owner of the bytes lets go of them:
//! usually the disk, once they are written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

/// The permits of one node. Atomic only because `Bytes` asks that its owners could be sent to other threads.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    free: Arc<AtomicU32>,
    all: u32,
}

/// One permit with the bytes it is for.
struct Held {
    bytes: Bytes,
    permits: Permits,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.permits.free.fetch_add(1, Ordering::Relaxed);
    }
}

impl Permits {
    pub(crate) fn new(all: u32) -> Permits {
        Permits { free: Arc::new(AtomicU32::new(all)), all }
    }

    pub(crate) fn is_any_free(&self) -> bool {
        self.free.load(Ordering::Relaxed) > 0
    }

    /// How many are out.
    pub(crate) fn out(&self) -> u32 {
        self.all - self.free.load(Ordering::Relaxed)
    }

    /// Takes a permit for these bytes; `None` when none is free. It is returned when the last slice is dropped.
    pub(crate) fn hold(&self, bytes: &Bytes) -> Option<Bytes> {
        if !self.is_any_free() {
            return None;
        }
        self.free.fetch_sub(1, Ordering::Relaxed);
        Some(Bytes::from_owner(Held { bytes: bytes.clone(), permits: self.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_comes_back_with_the_last_slice() {
        let permits = Permits::new(1);
        let held = permits.hold(&Bytes::from_static(b"payload")).unwrap();
        assert!(permits.hold(&Bytes::new()).is_none());
        let slice = held.slice(3..);
        drop(held);
        assert_eq!(permits.out(), 1);
        drop(slice);
        assert_eq!(permits.out(), 0);
    }
}
