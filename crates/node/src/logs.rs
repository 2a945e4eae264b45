//! What happened to each torrent lately: the last things, in memory alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rpc::{LogEntry, LogKind};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::AbortHandle;
use torrent::{Session, SessionEvent, State, TorrentId};

/// How many things are kept of a torrent: a page of them. Arbitrary.
const KEPT: usize = 100;

/// How much of a text is kept, in characters: a tracker can say a lot. Arbitrary.
const MAX_TEXT: usize = 300;

/// The logs. Cheap to clone; it ends with [`Logs::stop`].
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    kept: Arc<Mutex<Kept>>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Kept {
    torrents: BTreeMap<TorrentId, VecDeque<LogEntry>>,
    last: u64,
}

impl Logs {
    /// Keeps what happens from now on.
    pub(crate) fn start(session: &Session) -> Logs {
        let kept = Arc::new(Mutex::default());
        let task = tokio::spawn(follow(session.subscribe(), kept.clone())).abort_handle();
        Logs { kept, task }
    }

    /// Returns what happened to a torrent lately, the oldest first.
    pub(crate) fn of(&self, id: TorrentId) -> Vec<LogEntry> {
        lock(&self.kept).torrents.get(&id).into_iter().flatten().cloned().collect()
    }

    /// Ends it.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

async fn follow(mut events: broadcast::Receiver<SessionEvent>, kept: Arc<Mutex<Kept>>) {
    loop {
        match events.recv().await {
            Ok(event) => lock(&kept).take(event),
            // What was missed is missing.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

impl Kept {
    fn take(&mut self, event: SessionEvent) {
        let (id, kind, text) = match event {
            SessionEvent::Removed(id) => {
                self.torrents.remove(&id);
                return;
            }
            SessionEvent::Added(id) => (id, LogKind::Added, String::new()),
            SessionEvent::Metadata(id) => (id, LogKind::Metadata, String::new()),
            SessionEvent::State(id, state) => (id, LogKind::State, word(state).to_owned()),
            SessionEvent::Complete(id) => (id, LogKind::Finished, String::new()),
            SessionEvent::GoalReached(id) => (id, LogKind::Goal, String::new()),
            SessionEvent::Failed(id, reason) => (id, LogKind::Failed, reason),
            SessionEvent::Tracker(id, words) => (id, LogKind::Tracker, words),
            SessionEvent::BadPiece(id, piece) => (id, LogKind::BadPiece, format!("piece {piece}")),
            SessionEvent::Banned(id, address) => (id, LogKind::Banned, address.to_string()),
        };
        self.last += 1;
        let at_s = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let text = text.chars().take(MAX_TEXT).collect();
        let entries = self.torrents.entry(id).or_default();
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(LogEntry { number: self.last, at_s, kind, text });
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Metadata => "metadata",
        State::Checking => "checking",
        State::Downloading => "downloading",
        State::Seeding => "seeding",
        State::Paused => "paused",
        State::Failed => "failed",
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // Nothing panics while it is held.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_things_are_kept_until_the_torrent_is_removed() {
        let (film, song) = (metainfo::InfoHashV1([1; 20]), metainfo::InfoHashV1([2; 20]));
        let mut kept = Kept::default();
        kept.take(SessionEvent::Added(film));
        for _ in 0..KEPT {
            kept.take(SessionEvent::Tracker(film, "x".repeat(1000)));
        }
        kept.take(SessionEvent::Complete(song));
        let entries = &kept.torrents[&film];
        assert_eq!((entries.len(), entries[0].number, entries[0].text.len()), (KEPT, 2, MAX_TEXT));
        assert_eq!(kept.torrents[&song][0].kind, LogKind::Finished);
        kept.take(SessionEvent::Removed(film));
        assert_eq!(kept.torrents.len(), 1);
    }
}
