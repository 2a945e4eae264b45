//! Many seeds at once, on all cores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

/// Runs each of `runs` seeds from `first` on, and hands what came of them to `each` in their order.
pub(crate) fn run_all<T: Send>(first: u64, runs: u64, run: impl Fn(u64) -> T + Sync, mut each: impl FnMut(u64, T)) {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        let (done, results) = mpsc::channel();
        for _ in 0..cores.min(runs) {
            let (done, next, run) = (done.clone(), &next, &run);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + runs || done.send((seed, run(seed))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        let mut early = std::collections::BTreeMap::new();
        let mut due = first;
        for (seed, result) in results {
            early.insert(seed, result);
            while let Some(result) = early.remove(&due) {
                each(due, result);
                due += 1;
            }
        }
    });
}
