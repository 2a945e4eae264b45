//! Page-aligned buffers under one byte budget.
//!
//! Owns the memory that payload travels in, from the socket to the disk and back. Invariant: the buffers that are out
//! (held as a [`Buffer`] or by the [`Bytes`] made of it) never exceed the budget, but for those that were out when it was made
//! smaller; the idle ones that are kept for reuse
//! never exceed [`MAX_IDLE_BYTES`]. Whoever waits is served in order, a small wish behind a large one included, so that
//! a large one is not starved.
//!
//! Alignment matters: a plain `Vec` of this size starts 16 bytes into a page, and the kernel's copies into it cost nearly
//! twice as much (measured).

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

/// The size of a page, in bytes: what buffers are aligned to. Larger pages exist (arm64), but the gain is from the
/// copies' alignment to cache lines and 4 KiB boundaries.
const PAGE_LEN: usize = 4096;

/// The lengths that buffers come in: a block of 16 KiB (an upload's usual unit), a slow peer's receive buffer (a block
/// and its header), and a batch.
const CLASSES: [usize; 3] = [16 * 1024, 32 * 1024, LARGE];

/// The length of the largest buffer, in bytes. Measured: receiving, writing and reading in 256 KiB steps costs least.
pub const LARGE: usize = 256 * 1024;

/// How many bytes of idle buffers are kept for reuse. Arbitrary; a fresh buffer costs its page faults.
const MAX_IDLE_BYTES: usize = 16 * 1024 * 1024;

/// A page of zeros or payload.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(4096))]
struct Page([u8; PAGE_LEN]);

/// A set of page-aligned buffers with a byte budget. Cheap to clone; clones share the budget.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
}

struct State {
    budget: usize,
    /// Bytes of the buffers that are out.
    out: usize,
    idle_bytes: usize,
    idle: [Vec<Box<[Page]>>; CLASSES.len()],
    waiting: VecDeque<Waiter>,
    /// Some thread is giving buffers to those who wait; it also sees what comes back meanwhile. Without this a buffer
    /// that comes back inside `give` would begin a serving inside the serving.
    serving: bool,
}

struct Waiter {
    classes: Vec<usize>,
    /// Takes the buffers; those that nobody wants any more come back by their drop.
    give: Box<dyn FnOnce(Vec<Buffer>) + Send>,
}

/// A buffer of the pool, to be filled. Dropping it returns it.
pub struct Buffer {
    /// `None` only inside `drop`.
    pages: Option<Box<[Page]>>,
    pool: Arc<Shared>,
}

/// What a [`Bytes`] made by [`Buffer::freeze`] owns.
struct Frozen {
    buffer: Buffer,
    len: usize,
}

impl Pool {
    /// Builds a pool whose buffers in use never exceed `budget_bytes`; a budget below one large buffer is raised to that.
    pub fn new(budget_bytes: usize) -> Pool {
        let state = State {
            budget: budget_bytes.max(LARGE),
            out: 0,
            idle_bytes: 0,
            idle: Default::default(),
            waiting: VecDeque::new(),
            serving: false,
        };
        Pool(Arc::new(Shared { state: Mutex::new(state) }))
    }

    /// Changes the budget, as for [`Pool::new`]. Of a smaller one, what is out beyond it is not taken back; nothing more
    /// goes out until it has come back.
    pub fn set_budget(&self, budget_bytes: usize) {
        self.0.lock().budget = budget_bytes.max(LARGE);
        self.0.serve();
    }

    /// Takes a buffer of at least `len` bytes (its content is arbitrary), waiting while the budget is used up. A `len`
    /// above [`LARGE`] gives a buffer of [`LARGE`] bytes.
    ///
    /// Cancel safe: a buffer granted to a dropped future goes back.
    pub async fn acquire(&self, len: usize) -> Buffer {
        loop {
            if let Some(buffer) = self.try_acquire(len) {
                return buffer;
            }
            let (sender, receiver) = oneshot::channel();
            self.acquire_then(len, move |buffer| drop(sender.send(buffer)));
            // The sender is only dropped unused if `give` panicked; then simply ask again.
            if let Ok(buffer) = receiver.await {
                return buffer;
            }
        }
    }

    /// Takes a buffer of at least `len` bytes if the budget allows it now and nobody waits.
    pub fn try_acquire(&self, len: usize) -> Option<Buffer> {
        let class = class_of(len);
        let mut state = self.0.lock();
        if !state.waiting.is_empty() || state.out + CLASSES[class] > state.budget {
            return None;
        }
        let reused = state.take(class);
        drop(state);
        Some(self.0.buffer(class, reused))
    }

    /// Hands a buffer of at least `len` bytes to `give` once the budget allows it: now, or on the thread that returns
    /// one.
    pub fn acquire_then(&self, len: usize, give: impl FnOnce(Buffer) + Send + 'static) {
        self.acquire_all_then([len], move |mut buffers| {
            if let Some(buffer) = buffers.pop() {
                give(buffer);
            }
        });
    }

    /// Hands a buffer for each of `lens` to `give` once the budget allows all of them together. More than the whole
    /// budget is given once nothing else is in use.
    pub(crate) fn acquire_all_then(
        &self,
        lens: impl IntoIterator<Item = usize>,
        give: impl FnOnce(Vec<Buffer>) + Send + 'static,
    ) {
        let waiter = Waiter { classes: lens.into_iter().map(class_of).collect(), give: Box::new(give) };
        self.0.lock().waiting.push_back(waiter);
        self.0.serve();
    }

    /// Copies `bytes` (at most [`LARGE`], the rest is cut off) into a buffer of its own, waiting for it like
    /// [`Pool::acquire`]: for a few bytes that would otherwise hold a large buffer.
    pub async fn copy(&self, bytes: &[u8]) -> Bytes {
        let len = bytes.len().min(LARGE);
        let mut buffer = self.acquire(len).await;
        buffer[..len].copy_from_slice(&bytes[..len]);
        buffer.freeze(len)
    }

    /// Copies like [`Pool::copy`] if the budget allows it now.
    pub fn try_copy(&self, bytes: &[u8]) -> Option<Bytes> {
        let len = bytes.len().min(LARGE);
        let mut buffer = self.try_acquire(len)?;
        buffer[..len].copy_from_slice(&bytes[..len]);
        Some(buffer.freeze(len))
    }

    /// Returns how many bytes are in use.
    pub fn in_use(&self) -> usize {
        self.0.lock().out
    }

    /// Returns the budget in bytes.
    pub fn budget(&self) -> usize {
        self.0.lock().budget
    }
}

impl Buffer {
    /// Makes the first `len` bytes shareable; the buffer returns to the pool when the last slice of them is dropped.
    /// A `len` beyond the end is cut to it.
    pub fn freeze(self, len: usize) -> Bytes {
        let len = len.min(self.len());
        Bytes::from_owner(Frozen { buffer: self, len })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is a plain assignment, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn buffer(self: &Arc<Self>, class: usize, reused: Option<Box<[Page]>>) -> Buffer {
        let pages = reused.unwrap_or_else(|| bytemuck::zeroed_slice_box(CLASSES[class] / PAGE_LEN));
        Buffer { pages: Some(pages), pool: self.clone() }
    }

    /// Gives buffers to those who wait, in order, as far as the budget reaches.
    fn serve(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.serving {
            return;
        }
        state.serving = true;
        drop(state);
        let ended = Ended(self);
        loop {
            state = self.lock();
            let fits = |waiter: &Waiter| {
                let wish: usize = waiter.classes.iter().map(|&class| CLASSES[class]).sum();
                state.out == 0 || state.out + wish <= state.budget
            };
            let next = if state.waiting.front().is_some_and(fits) { state.waiting.pop_front() } else { None };
            let Some(waiter) = next else {
                // Under the same lock: whatever comes back later begins a serving of its own.
                state.serving = false;
                std::mem::forget(ended);
                return;
            };
            let reused: Vec<_> = waiter.classes.iter().map(|&class| (class, state.take(class))).collect();
            drop(state);
            let buffers = reused.into_iter().map(|(class, pages)| self.buffer(class, pages)).collect();
            (waiter.give)(buffers);
        }
    }
}

/// Ends a serving that a panic of `give` cut off.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lock().serving = false;
    }
}

impl State {
    /// Counts a buffer as out; returns an idle one if there is one.
    fn take(&mut self, class: usize) -> Option<Box<[Page]>> {
        self.out += CLASSES[class];
        let reused = self.idle[class].pop();
        if reused.is_some() {
            self.idle_bytes -= CLASSES[class];
        }
        reused
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(pages) = self.pages.take() else { return };
        let len = pages.len() * PAGE_LEN;
        let mut state = self.pool.lock();
        state.out -= len;
        let mut surplus = None;
        if state.idle_bytes + len <= MAX_IDLE_BYTES {
            state.idle_bytes += len;
            state.idle[class_of(len)].push(pages);
        } else {
            surplus = Some(pages);
        }
        let waited_for = !state.waiting.is_empty();
        drop(state);
        drop(surplus);
        if waited_for {
            self.pool.serve();
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.pages.as_deref().map_or(&[], bytemuck::cast_slice)
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.pages.as_deref_mut().map_or(&mut [], bytemuck::cast_slice_mut)
    }
}

impl AsRef<[u8]> for Frozen {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} of {} bytes in use)", self.in_use(), self.budget())
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({})", self.len())
    }
}

/// Returns the smallest class that holds `len` bytes, or the largest.
fn class_of(len: usize) -> usize {
    CLASSES.iter().position(|&class| len <= class).unwrap_or(CLASSES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_page_aligned_and_large_enough() {
        let pool = Pool::new(1 << 20);
        for (len, class) in [(0, 16384), (1, 16384), (16384, 16384), (16397, 32768), (40_000, LARGE), (1 << 30, LARGE)]
        {
            let buffer = pool.try_acquire(len).unwrap();
            assert_eq!((buffer.len(), buffer.as_ptr().addr() % PAGE_LEN), (class, 0), "{len}");
        }
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn a_buffer_returns_with_its_last_slice() {
        let pool = Pool::new(LARGE);
        let mut buffer = pool.try_acquire(LARGE).unwrap();
        buffer[..3].copy_from_slice(b"abc");
        let bytes = buffer.freeze(3);
        let tail = bytes.slice(2..);
        drop(bytes);
        assert!(pool.try_acquire(1).is_none(), "the tail still holds the whole budget");
        assert_eq!(&tail[..], b"c");
        drop(tail);
        assert_eq!(pool.in_use(), 0);
        assert!(pool.try_copy(b"x").is_some());
    }

    #[tokio::test]
    async fn the_budget_may_change_while_buffers_are_out() {
        let pool = Pool::new(2 * LARGE);
        let held = [pool.acquire(LARGE).await, pool.acquire(LARGE).await];
        let (sender, granted) = oneshot::channel();
        pool.acquire_then(LARGE, move |buffer| drop(sender.send(buffer)));
        pool.set_budget(3 * LARGE);
        let third = granted.await.expect("whoever waited has it");
        pool.set_budget(LARGE);
        drop(held);
        assert!(pool.try_acquire(LARGE).is_none(), "the third one is all there may be");
        drop(third);
        assert!(pool.try_acquire(LARGE).is_some());
    }

    #[tokio::test]
    async fn those_who_wait_are_served_in_order() {
        let pool = Pool::new(LARGE);
        let held = pool.acquire(LARGE).await;
        let (sender, mut served) = tokio::sync::mpsc::unbounded_channel();
        for (name, len) in [("large", LARGE), ("small", 1)] {
            let sender = sender.clone();
            pool.acquire_then(len, move |buffer| drop(sender.send((name, buffer))));
        }
        assert!(served.try_recv().is_err());
        drop(held);
        let (name, large) = served.try_recv().unwrap();
        assert_eq!(name, "large");
        assert!(served.try_recv().is_err(), "the large one uses the whole budget");
        drop(large);
        assert_eq!(served.try_recv().unwrap().0, "small");
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn a_crowd_that_hung_up_at_once_is_passed_over_without_deep_recursion() {
        let pool = Pool::new(LARGE);
        let held = pool.try_acquire(1).unwrap();
        // Each gives its buffer back while the next is served.
        for _ in 0..100_000 {
            pool.acquire_then(LARGE, drop);
        }
        let (sender, last) = std::sync::mpsc::channel();
        pool.acquire_then(LARGE, move |buffer| drop(sender.send(buffer)));
        drop(held);
        assert_eq!(last.try_recv().unwrap().len(), LARGE);
        assert_eq!(pool.in_use(), 0);
    }

    #[tokio::test]
    async fn a_cancelled_wait_loses_nothing() {
        let pool = Pool::new(LARGE);
        let held = pool.acquire(1).await;
        {
            let wish = pool.acquire(LARGE);
            tokio::pin!(wish);
            assert!(futures_ready(&mut wish).await.is_none());
        }
        drop(held);
        assert_eq!(pool.in_use(), 0);
        assert_eq!(pool.acquire(LARGE).await.len(), LARGE);
    }

    /// Polls once.
    async fn futures_ready<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
