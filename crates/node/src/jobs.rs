//! Jobs: work that takes a while before there is a torrent to look at.
//!
//! Owns the list of jobs. Invariant: a job ends exactly once; ended ones are kept for a while so that whoever started
//! them can read the outcome.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rpc::{Job, JobKind, JobState, Problem, Skipped};
use tokio::sync::Notify;

/// How many ended jobs are remembered. Arbitrary.
const MAX_ENDED: usize = 64;

/// How many jobs run at once at most: more would only fight for the disk. Arbitrary.
const MAX_RUNNING: usize = 8;

/// All jobs of the node. A cheap handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    list: Mutex<List>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct List {
    last: u64,
    jobs: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    begun: Instant,
    progress: Progress,
}

/// What a worker thread writes while it works, and where it looks whether it shall stop.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    done_bytes: AtomicU64,
    total_bytes: AtomicU64,
    cancelled: AtomicBool,
}

/// How a job ended well.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) torrent: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Progress {
    /// Says how far the work is.
    pub fn set(&self, done_bytes: u64, total_bytes: u64) {
        self.0.done_bytes.store(done_bytes, Ordering::Relaxed);
        self.0.total_bytes.store(total_bytes, Ordering::Relaxed);
    }

    /// Adds to what is done.
    pub fn advance(&self, bytes: u64) {
        self.0.done_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns bytes done and bytes in all.
    pub fn bytes(&self) -> (u64, u64) {
        (self.0.done_bytes.load(Ordering::Relaxed), self.0.total_bytes.load(Ordering::Relaxed))
    }

    /// Asks the worker to stop.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// Returns what is set when the worker shall stop.
    pub(crate) fn cancel_flag(&self) -> &AtomicBool {
        &self.0.cancelled
    }

    /// Tells whether the worker shall stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }
}

impl Jobs {
    /// Enters a job that begins now; `None` when too many run.
    pub(crate) fn begin(&self, kind: JobKind, path: String, torrent: Option<String>) -> Option<(Job, Progress)> {
        let mut list = self.list();
        let running = list.jobs.values().filter(|entry| entry.job.state == JobState::Running).count();
        if running >= MAX_RUNNING {
            return None;
        }
        let ended: Vec<u64> =
            list.jobs.iter().filter(|(_, e)| e.job.state != JobState::Running).map(|(&i, _)| i).collect();
        for id in ended.iter().take(ended.len().saturating_sub(MAX_ENDED - 1)) {
            list.jobs.remove(id);
        }
        list.last += 1;
        let job = Job {
            id: list.last,
            kind,
            state: JobState::Running,
            path,
            torrent,
            message: None,
            done_bytes: 0,
            total_bytes: 0,
            elapsed_ms: 0,
            skipped: Vec::new(),
            problem: None,
        };
        let progress = Progress::default();
        list.jobs.insert(job.id, Entry { job: job.clone(), begun: Instant::now(), progress: progress.clone() });
        drop(list);
        self.0.changed.notify_waiters();
        Some((job, progress))
    }

    /// Ends a job.
    pub(crate) fn end(&self, id: u64, outcome: Result<Outcome, Problem>) {
        let mut list = self.list();
        let Some(entry) = list.jobs.get_mut(&id) else { return };
        let job = &mut entry.job;
        job.elapsed_ms = millis(entry.begun);
        (job.done_bytes, job.total_bytes) = entry.progress.bytes();
        match outcome {
            Ok(outcome) => {
                job.state = JobState::Done;
                job.torrent = outcome.torrent.or(job.torrent.take());
                job.message = outcome.message;
                job.skipped = outcome.skipped;
            }
            Err(_) if entry.progress.is_cancelled() => job.state = JobState::Cancelled,
            Err(problem) => {
                job.state = JobState::Failed;
                job.problem = Some(problem);
            }
        }
        drop(list);
        self.0.changed.notify_waiters();
    }

    /// Asks a job to stop; false when there is none of this number.
    pub(crate) fn cancel(&self, id: u64) -> bool {
        let list = self.list();
        let entry = list.jobs.get(&id);
        if let Some(entry) = entry {
            entry.progress.cancel();
        }
        entry.is_some()
    }

    /// Asks all to stop.
    pub(crate) fn cancel_all(&self) {
        self.list().jobs.values().for_each(|entry| entry.progress.cancel());
    }

    /// Returns a job as it is now.
    pub(crate) fn one(&self, id: u64) -> Option<Job> {
        self.list().jobs.get(&id).map(Entry::now)
    }

    /// Returns all as they are now.
    pub(crate) fn all(&self) -> Vec<Job> {
        self.list().jobs.values().map(Entry::now).collect()
    }

    /// Waits until a job begins or ends.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // A panic elsewhere leaves at worst a job that looks unfinished.
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn now(&self) -> Job {
        let mut job = self.job.clone();
        if job.state == JobState::Running {
            job.elapsed_ms = millis(self.begun);
            (job.done_bytes, job.total_bytes) = self.progress.bytes();
        }
        job
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Problem {
        Problem { kind: "x".into(), status: 500, title: "x".into(), detail: "it broke".into() }
    }

    #[test]
    fn a_job_is_followed_to_its_end() {
        let jobs = Jobs::default();
        let (job, progress) = jobs.begin(JobKind::Share, "/x".into(), None).unwrap();
        progress.set(3, 7);
        assert_eq!(jobs.one(job.id).map(|j| (j.done_bytes, j.total_bytes)), Some((3, 7)));
        jobs.end(job.id, Ok(Outcome { torrent: Some("aa".into()), ..Outcome::default() }));
        let job = jobs.one(job.id).unwrap();
        assert_eq!((job.state, job.torrent.as_deref()), (JobState::Done, Some("aa")));
    }

    #[test]
    fn a_stopped_job_did_not_fail() {
        let jobs = Jobs::default();
        let (job, progress) = jobs.begin(JobKind::Share, "/x".into(), None).unwrap();
        assert!(jobs.cancel(job.id) && progress.is_cancelled() && !jobs.cancel(99));
        jobs.end(job.id, Err(problem()));
        assert_eq!(jobs.one(job.id).unwrap().state, JobState::Cancelled);
    }

    #[test]
    fn both_running_and_ended_jobs_are_bounded() {
        let jobs = Jobs::default();
        for _ in 0..3 * MAX_ENDED {
            let (job, _) = jobs.begin(JobKind::Copy, "/x".into(), None).unwrap();
            jobs.end(job.id, Err(problem()));
        }
        assert_eq!(jobs.all().len(), MAX_ENDED);
        let begun = (0..2 * MAX_RUNNING).filter(|_| jobs.begin(JobKind::Copy, "/x".into(), None).is_some()).count();
        assert_eq!(begun, MAX_RUNNING);
    }
}
