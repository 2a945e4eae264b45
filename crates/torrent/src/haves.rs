//! The pieces that a torrent came to have, in order: each peer task pulls them by its own cursor.
//!
//! Invariant: the list only grows, and every cursor is within it. It is emptied only while no cursor exists.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metainfo::PieceIndex;
use tokio::sync::watch;

/// The list. One torrent task appends, many peer tasks read.
#[derive(Debug)]
pub(crate) struct Haves {
    pieces: Mutex<Vec<PieceIndex>>,
    length: watch::Sender<usize>,
}

/// One reader's place in the list.
#[derive(Debug)]
pub(crate) struct HaveCursor {
    list: Arc<Haves>,
    next: usize,
    length: watch::Receiver<usize>,
}

impl Haves {
    /// Builds an empty list.
    pub(crate) fn new() -> Arc<Haves> {
        Arc::new(Haves { pieces: Mutex::default(), length: watch::Sender::new(0) })
    }

    /// Appends pieces and wakes the readers once.
    pub(crate) fn extend(&self, pieces: &mut Vec<PieceIndex>) {
        if pieces.is_empty() {
            return;
        }
        let mut list = self.lock();
        if self.length.receiver_count() == 0 {
            // Nobody to tell, and who connects later begins at the end.
            list.clear();
            pieces.clear();
        }
        list.append(pieces);
        let length = list.len();
        drop(list);
        self.length.send_replace(length);
    }

    /// Begins reading at the end.
    pub(crate) fn cursor(self: &Arc<Self>) -> HaveCursor {
        let length = self.length.subscribe();
        HaveCursor { list: self.clone(), next: self.lock().len(), length }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PieceIndex>> {
        // Appending cannot leave the list half changed.
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HaveCursor {
    /// Takes at most `count` pieces.
    pub(crate) fn take(&mut self, count: usize) -> Vec<PieceIndex> {
        if *self.length.borrow_and_update() == self.next {
            return Vec::new();
        }
        let list = self.list.lock();
        let end = list.len().min(self.next + count);
        let pieces = list[self.next.min(end)..end].to_vec();
        self.next = end;
        pieces
    }

    /// Waits until there are more. Cancel safe.
    pub(crate) async fn changed(&mut self) {
        if self.length.changed().await.is_err() {
            // The torrent is gone; the connection ends by other means.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_reader_gets_every_piece_once_from_where_it_began() {
        let haves = Haves::new();
        haves.extend(&mut vec![PieceIndex(1)]);
        let mut early = haves.cursor();
        haves.extend(&mut vec![PieceIndex(2), PieceIndex(3)]);
        let mut late = haves.cursor();
        early.changed().await;
        assert_eq!(early.take(1), [PieceIndex(2)]);
        assert_eq!(early.take(9), [PieceIndex(3)]);
        assert!(early.take(9).is_empty() && late.take(9).is_empty());
        haves.extend(&mut vec![PieceIndex(4)]);
        late.changed().await;
        assert_eq!(late.take(9), [PieceIndex(4)]);
    }
}
