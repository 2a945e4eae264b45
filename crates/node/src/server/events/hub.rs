//! One look at something for all streams of its events: a task that compares, while somebody follows, and the events that
//! it found, which each stream reads at its own pace.
//!
//! Invariant: a stream that reads too slowly costs nobody anything: what it missed is told it as a snapshot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::ring::{Next, Ring};

/// How long the look goes on when nobody follows any more: whoever comes back within it goes on where it was. Arbitrary: a
/// page that is loaded anew, a connection that broke.
pub(super) const LINGER: Duration = Duration::from_secs(30);

/// How many streams may wait for their snapshots at once; others wait for that. Arbitrary.
const SNAPSHOTS: usize = 4;

/// An event as it is sent.
#[derive(Debug)]
pub(super) struct Told {
    /// `None`: one of the first parts of a snapshot, behind which nobody can go on.
    pub(super) id: Option<String>,
    pub(super) data: Arc<str>,
}

/// Where a stream gets a snapshot: its number, and its parts, of which there is one at least.
pub(super) type Answer = oneshot::Sender<(u64, Vec<Arc<str>>)>;

/// What all streams share.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<State>,
    /// The number of the last event. It changes for the last time when the node ends.
    last: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    /// The task that looks, while there is one, and where it takes orders.
    task: Option<(mpsc::Sender<Answer>, AbortHandle)>,
    closed: bool,
}

/// What the task that looks has of the hub.
#[derive(Debug)]
pub(super) struct Desk {
    hub: Arc<Hub>,
    /// Those who wait for a snapshot.
    pub(super) asked: mpsc::Receiver<Answer>,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Reader {
    hub: Arc<Hub>,
    orders: mpsc::Sender<Answer>,
    last: watch::Receiver<u64>,
    /// What it has read; `None`: nothing of what goes on from here.
    read: Option<u64>,
    /// What is left of a snapshot.
    parts: VecDeque<Told>,
}

impl Hub {
    /// Makes one that nobody follows.
    pub(super) fn new() -> Arc<Hub> {
        let state = State { ring: Ring::new(fastrand::u64(..)), task: None, closed: false };
        Arc::new(Hub { state: Mutex::new(state), last: watch::Sender::new(0) })
    }

    /// Begins a stream, behind the event that `last_id` names if that is known. Where nobody looks, `look` begins to. `None`:
    /// the node ends.
    pub(super) fn follow<F>(self: &Arc<Hub>, last_id: Option<&str>, look: impl FnOnce(Desk) -> F) -> Option<Reader>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let last = self.last.subscribe();
        let orders = match &state.task {
            Some((orders, _)) if !orders.is_closed() => orders.clone(),
            _ => {
                state.ring = Ring::new(fastrand::u64(..));
                let (orders, asked) = mpsc::channel(SNAPSHOTS);
                let task = tokio::spawn(look(Desk { hub: self.clone(), asked }));
                state.task = Some((orders.clone(), task.abort_handle()));
                orders
            }
        };
        let read = last_id.and_then(|id| state.ring.number(id));
        drop(state);
        Some(Reader { hub: self.clone(), orders, last, read, parts: VecDeque::new() })
    }

    /// Ends all streams: the node ends.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        if let Some((_, task)) = state.task.take() {
            task.abort();
        }
        drop(state);
        self.last.send_modify(|_| {});
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No method panics between two changes of the state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// Tells events to all.
    pub(super) fn tell(&self, events: impl IntoIterator<Item = Arc<str>>) {
        let mut state = self.hub.state();
        let before = state.ring.last();
        for event in events {
            state.ring.push(event);
        }
        let last = state.ring.last();
        drop(state);
        if last != before {
            self.hub.last.send_replace(last);
        }
    }

    /// Gives somebody a snapshot of what was told.
    pub(super) fn give(&self, answer: Answer, parts: Vec<Arc<str>>) {
        // Whoever wanted it may be gone.
        let _ = answer.send((self.hub.state().ring.last(), parts));
    }

    /// Tells whether anybody follows.
    pub(super) fn is_followed(&self) -> bool {
        self.hub.last.receiver_count() > 0
    }

    /// Ends the look if nobody follows. The numbers begin anew with the next: what happens meanwhile nobody sees.
    pub(super) fn retire(&self) -> bool {
        let mut state = self.hub.state();
        // Streams begin under the same lock.
        let is_over = !self.is_followed();
        if is_over {
            state.task = None;
            state.ring = Ring::new(fastrand::u64(..));
        }
        is_over
    }
}

impl Reader {
    /// Waits for the next event; `None`: there will be none, what is followed or the node ends.
    pub(super) async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Some(part);
            }
            // Before the look, so that what comes between is seen.
            self.last.mark_unchanged();
            let is_over = self.orders.is_closed();
            let Some(read) = self.read else {
                self.parts = self.snapshot().await?;
                continue;
            };
            {
                let state = self.hub.state();
                if state.closed {
                    return None;
                }
                match state.ring.after(read) {
                    Next::Event(data) => {
                        self.read = Some(read + 1);
                        return Some(Told { id: Some(state.ring.id(read + 1)), data });
                    }
                    Next::Lost => {
                        self.read = None;
                        continue;
                    }
                    // Nobody looks any more, and all that was found is told.
                    Next::Waits if is_over => return None,
                    Next::Waits => {}
                }
            }
            tokio::select! {
                changed = self.last.changed() => changed.ok()?,
                () = self.orders.closed() => {}
            }
        }
    }

    async fn snapshot(&mut self) -> Option<VecDeque<Told>> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(answer).await.ok()?;
        let (number, parts) = answered.await.ok()?;
        self.read = Some(number);
        let mut told: VecDeque<Told> = parts.into_iter().map(|data| Told { id: None, data }).collect();
        told.back_mut()?.id = Some(self.hub.state().ring.id(number));
        Some(told)
    }
}
