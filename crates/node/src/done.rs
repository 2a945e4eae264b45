//! What happens when a download is complete: a command of the user's runs, and the desktop says so.
//!
//! Invariant: of each completion it is told once. What was complete before the node started, and what was never fetched
//! (a share of this computer), is none.

mod command;
mod notice;

use std::collections::{BTreeMap, VecDeque};
use std::time::SystemTime;

use base::WallTime;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{JoinHandle, JoinSet};
use torrent::{Session, SessionEvent, TorrentId, TorrentStatus};

use crate::controls::Controls;
use crate::labels::Labels;
use command::Run;

/// How many commands run at once. Arbitrary: they may unpack or convert, and the computer has other things to do.
const MAX_RUNNING: usize = 4;

/// How many wait for one of those to end; what comes on top is told in the log alone. Arbitrary.
const MAX_WAITING: usize = 1_000;

/// `[done]` of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoneConfig {
    /// A program and its arguments, as they are: no shell reads them. Empty: nothing is run.
    pub command: Vec<String>,
    /// How long it may take, in seconds.
    pub limit_s: u64,
    /// Say it on the desktop, where there is one.
    pub notify: bool,
}

impl Default for DoneConfig {
    fn default() -> DoneConfig {
        // 3,600: arbitrary; long enough to unpack or convert a film.
        DoneConfig { command: Vec::new(), limit_s: 3_600, notify: true }
    }
}

impl DoneConfig {
    /// Says what is wrong with the settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.command.first().is_some_and(String::is_empty) {
            return Err("done.command has to begin with a program".into());
        }
        if self.command.iter().any(|word| word.contains('\0')) {
            return Err("done.command has a character that no program can be given".into());
        }
        if self.limit_s == 0 { Err("done.limit_s has to be 1 or more".into()) } else { Ok(()) }
    }
}

/// Says something on the desktop of the user, where there is one. Takes up to some seconds.
pub fn notify(heading: &str, text: &str) {
    if notice::has_desktop() {
        notice::show(&notice::Notice::of(heading, text));
    }
}

/// Spawns the task that waits for what is complete; it ends with its handle, what runs then goes on.
pub(crate) fn start(session: Session, controls: Controls, labels: Labels) -> JoinHandle<()> {
    let events = session.subscribe();
    tokio::spawn(async move { Done::new(session, controls, labels).follow(events).await })
}

struct Done {
    session: Session,
    controls: Controls,
    labels: Labels,
    told: Told,
    running: JoinSet<()>,
    waiting: VecDeque<Run>,
    notices: notice::Notices,
}

/// Which completions were told.
struct Told {
    begun: WallTime,
    /// By torrent, when it was complete.
    when: BTreeMap<TorrentId, WallTime>,
}

impl Told {
    /// Tells whether this is a completion that was not told yet, and notes that it is now.
    fn is_news(&mut self, id: TorrentId, completed: Option<WallTime>, downloaded_bytes: u64) -> bool {
        let Some(completed) = completed.filter(|completed| *completed >= self.begun) else { return false };
        downloaded_bytes > 0 && self.when.insert(id, completed) != Some(completed)
    }
}

impl Done {
    fn new(session: Session, controls: Controls, labels: Labels) -> Done {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let told = Told { begun: WallTime(since.as_secs()), when: BTreeMap::new() };
        let (running, waiting, notices) = Default::default();
        Done { session, controls, labels, told, running, waiting, notices }
    }

    async fn follow(mut self, mut events: tokio::sync::broadcast::Receiver<SessionEvent>) {
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(SessionEvent::Complete(id)) => {
                        if let Ok(status) = self.session.status(id).await {
                            self.complete(status).await;
                        }
                    }
                    Ok(SessionEvent::Removed(id)) => drop(self.told.when.remove(&id)),
                    Ok(_) => {}
                    // Some of what happened is not told any more: look at everything.
                    Err(RecvError::Lagged(_)) => for status in self.session.list().await {
                        self.complete(status).await;
                    },
                    Err(RecvError::Closed) => return,
                },
                Some(_) = self.running.join_next() => {}
                due = self.notices.due() => {
                    self.running.spawn_blocking(move || notice::show(&due));
                }
            }
            while self.running.len() < MAX_RUNNING
                && let Some(run) = self.waiting.pop_front()
            {
                self.running.spawn_blocking(move || run.run());
            }
        }
    }

    async fn complete(&mut self, status: TorrentStatus) {
        if !self.told.is_news(status.id, status.completed, status.downloaded) {
            return;
        }
        let config = self.controls.shown().config.done;
        tracing::info!(torrent = %status.id, "a download is complete");
        if config.notify {
            self.notices.add(&status);
        }
        if config.command.is_empty() {
            return;
        }
        if self.waiting.len() >= MAX_WAITING {
            tracing::warn!(torrent = %status.id, "too many commands wait: none is run for this download");
            return;
        }
        let trackers = self.session.trackers(status.id).await.unwrap_or_default();
        self.waiting.push_back(Run::new(&config, &status, &trackers, &self.labels.of(status.id)));
    }
}

#[cfg(test)]
mod tests;
