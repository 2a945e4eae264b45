//! A queue to one task that takes next to no memory while it is empty.
//!
//! Tokio's channels hold room for 32 messages from the start: some ten KiB for each torrent, most of which are idle. This
//! one begins with nothing and gives its memory back when it has run empty. Otherwise it behaves as `tokio::sync::mpsc`.
//!
//! Invariant: the free permits of `room` and the items in the queue add up to the limit, permits in flight included.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, Semaphore};

/// An empty queue with room for more than so many items gives it back. Arbitrary: above it a busy torrent would allocate
/// again with each message.
const KEPT: usize = 4;

struct Inner<T> {
    items: Mutex<VecDeque<T>>,
    room: Semaphore,
    came: Notify,
    senders: AtomicUsize,
}

/// The writing end; the queue ends with the last.
pub(crate) struct Sender<T>(Arc<Inner<T>>);

/// A writing end that does not keep the queue open.
pub(crate) struct WeakSender<T>(Weak<Inner<T>>);

/// The reading end.
pub(crate) struct Receiver<T>(Arc<Inner<T>>);

/// Room for one item.
pub(crate) struct Permit<'a, T>(&'a Inner<T>);

/// The reading end is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Why an item was not taken; it comes back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused<T> {
    /// There is no room.
    Full(T),
    /// The reading end is gone.
    Closed(T),
}

/// Makes a queue for at most `limit` items.
pub(crate) fn queue<T>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let inner = Arc::new(Inner {
        items: Mutex::default(),
        room: Semaphore::new(limit),
        came: Notify::new(),
        senders: AtomicUsize::new(1),
    });
    (Sender(inner.clone()), Receiver(inner))
}

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        // Nothing panics between two changes of it.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, item: T) {
        let mut items = self.lock();
        // The reading end may have gone since there was room. What nobody will read is let go of, outside the lock.
        if self.room.is_closed() {
            drop(items);
            return;
        }
        items.push_back(item);
        drop(items);
        self.came.notify_one();
    }
}

impl<T> Sender<T> {
    /// Puts an item in, waiting for room. Cancel safe: a cancelled call has put nothing in.
    pub(crate) async fn send(&self, item: T) -> Result<(), Closed> {
        self.reserve().await?.send(item);
        Ok(())
    }

    /// Waits for room. Cancel safe.
    pub(crate) async fn reserve(&self) -> Result<Permit<'_, T>, Closed> {
        self.0.room.acquire().await.map_err(|_| Closed)?.forget();
        Ok(Permit(&self.0))
    }

    /// Puts an item in if there is room.
    pub(crate) fn try_send(&self, item: T) -> Result<(), Refused<T>> {
        match self.0.room.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(tokio::sync::TryAcquireError::NoPermits) => return Err(Refused::Full(item)),
            Err(tokio::sync::TryAcquireError::Closed) => return Err(Refused::Closed(item)),
        }
        self.0.push(item);
        Ok(())
    }

    /// Returns an end that does not keep the queue open.
    pub(crate) fn downgrade(&self) -> WeakSender<T> {
        WeakSender(Arc::downgrade(&self.0))
    }
}

impl<T> WeakSender<T> {
    /// Returns a writing end, unless the last one is gone.
    pub(crate) fn upgrade(&self) -> Option<Sender<T>> {
        let inner = self.0.upgrade()?;
        let one_more = |senders| (senders > 0).then_some(senders + 1);
        inner.senders.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Sender(inner))
    }
}

impl<T> Receiver<T> {
    /// Takes the next item, waiting for it; `None`: nobody is left to put one in. Cancel safe.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        // A task that always finds something lets others have their turn, too.
        tokio::task::coop::consume_budget().await;
        loop {
            if let Some(item) = self.try_recv() {
                return Some(item);
            }
            if self.0.senders.load(Ordering::Acquire) == 0 {
                // What the last one put in before it went.
                return self.try_recv();
            }
            self.0.came.notified().await;
        }
    }

    /// Takes the next item if there is one.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        let mut items = self.0.lock();
        let item = items.pop_front()?;
        if items.is_empty() && items.capacity() > KEPT {
            *items = VecDeque::new();
        }
        drop(items);
        self.0.room.add_permits(1);
        Some(item)
    }
}

impl<T> Permit<'_, T> {
    /// Puts the item in.
    pub(crate) fn send(self, item: T) {
        self.0.push(item);
        std::mem::forget(self);
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.0.room.add_permits(1);
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        Sender(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.came.notify_one();
        }
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> WeakSender<T> {
        WeakSender(self.0.clone())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.room.close();
        // What nobody will read: buffers and replies in it are to be let go of now.
        let left = std::mem::take(&mut *self.0.lock());
        drop(left);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakSender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_no_room_waits_until_something_is_taken() {
        let (sender, mut receiver) = queue(2);
        sender.send(1).await.unwrap();
        sender.try_send(2).unwrap();
        assert_eq!(sender.try_send(3), Err(Refused::Full(3)));
        let waiting = tokio::spawn(async move { sender.send(4).await });
        for expected in [1, 2, 4] {
            assert_eq!(receiver.recv().await, Some(expected));
        }
        waiting.await.unwrap().unwrap();
        assert_eq!(receiver.recv().await, None, "nobody is left");
    }

    #[tokio::test]
    async fn room_that_was_reserved_and_not_used_is_free_again() {
        let (sender, mut receiver) = queue(1);
        drop(sender.reserve().await.unwrap());
        let permit = sender.reserve().await.unwrap();
        assert_eq!(sender.try_send(1), Err(Refused::Full(1)));
        permit.send(2);
        assert_eq!(receiver.try_recv(), Some(2));
        sender.try_send(3).unwrap();
    }

    #[tokio::test]
    async fn without_a_reader_items_come_back_and_those_inside_are_dropped() {
        let (sender, receiver) = queue(2);
        let item = Arc::new(());
        sender.try_send(item.clone()).unwrap();
        drop(receiver);
        assert_eq!(Arc::strong_count(&item), 1);
        assert_eq!(sender.send(item.clone()).await, Err(Closed));
        assert!(matches!(sender.try_send(item), Err(Refused::Closed(_))));
    }

    #[tokio::test]
    async fn a_weak_end_does_not_keep_the_queue_open() {
        let (sender, mut receiver) = queue(2);
        let weak = sender.downgrade();
        weak.upgrade().unwrap().try_send(1).unwrap();
        drop(sender);
        assert!(weak.upgrade().is_none());
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn a_reader_that_waits_wakes_for_an_item_and_for_the_end() {
        let (sender, mut receiver) = queue(2);
        let reader = tokio::spawn(async move { (receiver.recv().await, receiver.recv().await) });
        tokio::task::yield_now().await;
        sender.send(1).await.unwrap();
        tokio::task::yield_now().await;
        drop(sender);
        assert_eq!(reader.await.unwrap(), (Some(1), None));
    }

    #[tokio::test]
    async fn an_empty_queue_keeps_no_memory() {
        let (sender, mut receiver) = queue(64);
        (0..64).for_each(|n| sender.try_send(n).unwrap());
        (0..64).for_each(|n| assert_eq!(receiver.try_recv(), Some(n)));
        assert!(receiver.0.lock().capacity() <= KEPT);
    }
}
