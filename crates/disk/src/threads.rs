//! A few named threads that work off a queue.
//!
//! Invariant: a thread goes idle only while the queue is empty or more threads work than may, so that nothing queued is ever
//! forgotten. A second thread
//! wakes only when work piles up: on a fast disk one keeps up, and every wake-up costs more than it brings.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Work for a thread.
pub(crate) type Task = Box<dyn FnOnce() + Send>;

/// How many tasks must wait before a further thread is woken. Arbitrary: one is normal between two batches.
const BACKLOG: usize = 2;

/// A queue and its threads; they end, after what is queued, when this is dropped.
pub(crate) struct Threads {
    name: &'static str,
    /// How many tasks must wait before a further thread is woken.
    backlog: usize,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    /// How many threads may work at a time; at least one.
    limit: usize,
    /// Threads that work, or were told to.
    active: usize,
    idle: usize,
    /// Wake-ups on their way to idle threads; those threads count as active already.
    called: usize,
    started: usize,
    closed: bool,
}

impl Threads {
    /// Prepares up to `limit` threads; they start when they are needed.
    pub(crate) fn new(name: &'static str, limit: usize) -> Threads {
        let state = State { limit: limit.max(1), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), wake: Condvar::new() });
        Threads { name, backlog: BACKLOG, shared }
    }

    /// Changes how many threads may work at a time, at least one. Those that are too many stop after their task.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.shared.lock().limit = limit.max(1);
    }

    /// Wakes a further thread for every task that would wait: where one may take minutes.
    pub(crate) fn eager(mut self) -> Threads {
        self.backlog = 1;
        self
    }

    /// Queues a task.
    pub(crate) fn push(&self, task: Task) {
        let mut state = self.shared.lock();
        state.queue.push_back(task);
        if state.active > 0 && state.queue.len() < self.backlog {
            return;
        }
        if state.active >= state.limit {
            // Whoever works takes it next.
        } else if state.idle > 0 {
            state.idle -= 1;
            state.active += 1;
            state.called += 1;
            self.shared.wake.notify_one();
        } else {
            let shared = self.shared.clone();
            let name = format!("{}-{}", self.name, state.started);
            match thread::Builder::new().name(name).spawn(move || shared.work()) {
                Ok(_) => {
                    state.started += 1;
                    state.active += 1;
                }
                Err(error) if state.started > 0 => tracing::debug!(%error, "no further disk thread"),
                Err(error) => {
                    // Without a single thread the caller does the work itself: slow, but nothing is lost.
                    tracing::warn!(%error, "the system gives no thread for the disk");
                    let task = state.queue.pop_back();
                    drop(state);
                    if let Some(task) = task {
                        task();
                    }
                }
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Tasks run outside the lock, and what runs inside cannot panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            let may_work = state.active <= state.limit;
            if may_work && let Some(task) = state.queue.pop_front() {
                drop(state);
                if catch_unwind(AssertUnwindSafe(task)).is_err() {
                    tracing::error!("a disk task panicked: this is a bug");
                }
                state = self.lock();
                continue;
            }
            if state.closed && may_work {
                return;
            }
            state.active -= 1;
            state.idle += 1;
            while state.called == 0 && !state.closed {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.called > 0 {
                state.called -= 1;
            } else {
                return;
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn everything_queued_is_done_also_after_the_drop() {
        let (sender, receiver) = mpsc::channel();
        let threads = Threads::new("test", 3);
        for i in 0..1000 {
            let sender = sender.clone();
            threads.push(Box::new(move || sender.send(i).unwrap()));
        }
        threads.push(Box::new(|| panic!("one task fails")));
        threads.push(Box::new(move || sender.send(1000).unwrap()));
        drop(threads);
        let mut seen: Vec<i32> = receiver.iter().collect();
        seen.sort();
        assert_eq!(seen, (0..=1000).collect::<Vec<_>>());
    }

    #[test]
    fn the_limit_may_change_while_they_work() {
        let threads = Threads::new("test", 4);
        let most = |limit: usize| {
            threads.set_limit(limit);
            // How many work, and how many did at most.
            let working = Arc::new(Mutex::new((0, 0)));
            let (sender, receiver) = mpsc::channel();
            for _ in 0..200 {
                let (working, sender) = (working.clone(), sender.clone());
                threads.push(Box::new(move || {
                    {
                        let mut it = working.lock().unwrap();
                        it.0 += 1;
                        it.1 = it.1.max(it.0);
                    }
                    thread::sleep(Duration::from_millis(1));
                    working.lock().unwrap().0 -= 1;
                    sender.send(()).unwrap();
                }));
            }
            drop(sender);
            assert_eq!(receiver.iter().count(), 200, "all were done");
            working.lock().unwrap().1
        };
        assert!(most(4) > 1);
        assert_eq!(most(1), 1);
        assert!(most(3) <= 3);
    }

    #[test]
    fn a_stuck_task_does_not_hold_up_the_others() {
        let threads = Threads::new("test", 2);
        let (release, stuck) = mpsc::channel::<()>();
        threads.push(Box::new(move || {
            let _ = stuck.recv();
        }));
        let (sender, receiver) = mpsc::channel();
        for i in 0..3 {
            let sender = sender.clone();
            threads.push(Box::new(move || sender.send(i).unwrap()));
        }
        for i in 0..3 {
            assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(i));
        }
        drop(release);
    }

    #[test]
    fn a_single_task_does_not_wait_for_a_long_one() {
        let threads = Threads::new("test", 2).eager();
        let (release, stuck) = mpsc::channel::<()>();
        let (sender, receiver) = mpsc::channel();
        let begun = sender.clone();
        threads.push(Box::new(move || {
            begun.send(()).unwrap();
            let _ = stuck.recv();
        }));
        assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(()));
        threads.push(Box::new(move || sender.send(()).unwrap()));
        assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(()));
        drop(release);
    }
}
