//! What tools are told of torrents that the engine does not keep: their numbers, what changed lately, and the limits that
//! they would have if they had any. Pure: it is handed the time.
//!
//! Owns all of it, for as long as the node runs; numbers are given in the order in which torrents came, and none twice.
//! Invariant: whoever asks at least once a minute for what changed lately hears of every change, since one counts from when
//! it was first seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use torrent::{State, TorrentId, TorrentStatus};

/// How long a change is recent (Transmission, rpcimpl.cc: `RecentlyActiveSeconds`).
const RECENT: Duration = Duration::from_secs(60);

/// How many torrents that are gone are remembered; the oldest goes first. Arbitrary.
const MAX_GONE: usize = 10_000;

/// A rate that is set but not in force, in thousands of bytes per second (Transmission's default).
const IDLE_RATE: u64 = 100;

/// A ratio that is set but not in force (Transmission's default).
const IDLE_RATIO: f64 = 2.0;

/// A time of idleness that is set but not in force, in minutes (Transmission's default).
const IDLE_MINUTES: u64 = 30;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct View {
    torrents: BTreeMap<TorrentId, Seen>,
    last: i64,
    gone: VecDeque<(Instant, i64)>,
    /// Of the session.
    pub(super) idle: Idle,
}

/// Limits that are not in force: tools set a number and switch it on separately.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Idle {
    /// In thousands of bytes per second.
    pub(super) down: u64,
    pub(super) up: u64,
    pub(super) ratio: f64,
    /// How long one that seeds may be idle, in minutes.
    pub(super) minutes: u64,
}

/// What is told of one torrent.
#[derive(Debug)]
struct Seen {
    number: i64,
    look: Option<Look>,
    changed: Instant,
    idle: Idle,
}

/// That by which a change is noticed.
#[derive(Clone, Debug, PartialEq)]
struct Look {
    state: State,
    error: Option<String>,
    name: String,
    folder: PathBuf,
    wanted: Option<u64>,
    done: u64,
    bytes: (u64, u64),
    rates: (u64, u64),
    peers: u32,
}

/// What the view knows of a torrent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) number: i64,
    pub(super) idle: Idle,
}

impl Default for Idle {
    fn default() -> Idle {
        Idle { down: IDLE_RATE, up: IDLE_RATE, ratio: IDLE_RATIO, minutes: IDLE_MINUTES }
    }
}

impl View {
    /// Takes what torrents there are, in their order.
    pub(super) fn sync(&mut self, ids: &[TorrentId], now: Instant) {
        for id in ids {
            if !self.torrents.contains_key(id) {
                self.last += 1;
                let seen = Seen { number: self.last, look: None, changed: now, idle: Idle::default() };
                self.torrents.insert(*id, seen);
            }
        }
        let here: BTreeSet<&TorrentId> = ids.iter().collect();
        let gone = &mut self.gone;
        self.torrents.retain(|id, seen| {
            let stays = here.contains(id);
            if !stays {
                gone.push_back((now, seen.number));
            }
            stays
        });
        while gone.len() > MAX_GONE || gone.front().is_some_and(|(when, _)| now.duration_since(*when) >= RECENT) {
            gone.pop_front();
        }
    }

    /// Looks at a torrent, to notice whether it changed.
    pub(super) fn look(&mut self, status: &TorrentStatus, now: Instant) {
        let Some(seen) = self.torrents.get_mut(&status.id) else { return };
        let look = Look {
            state: status.state,
            error: status.error.clone(),
            name: status.name.clone(),
            folder: status.folder.clone(),
            wanted: status.wanted_bytes,
            done: status.done_bytes,
            bytes: (status.downloaded, status.uploaded),
            rates: (status.down_rate_bytes_per_s, status.up_rate_bytes_per_s),
            peers: status.peers,
        };
        if seen.look.as_ref() != Some(&look) {
            seen.look = Some(look);
            seen.changed = now;
        }
    }

    /// Notes that something was set.
    pub(super) fn touch(&mut self, id: TorrentId, now: Instant) {
        if let Some(seen) = self.torrents.get_mut(&id) {
            seen.changed = now;
        }
    }

    /// Remembers limits that are not in force.
    pub(super) fn set_idle(&mut self, id: TorrentId, idle: Idle) {
        if let Some(seen) = self.torrents.get_mut(&id) {
            seen.idle = idle;
        }
    }

    /// Returns what is known of a torrent.
    pub(super) fn known(&self, id: TorrentId) -> Option<Known> {
        let seen = self.torrents.get(&id)?;
        Some(Known { number: seen.number, idle: seen.idle })
    }

    /// Returns the torrent with a number.
    pub(super) fn numbered(&self, number: i64) -> Option<TorrentId> {
        self.torrents.iter().find(|(_, seen)| seen.number == number).map(|(id, _)| *id)
    }

    /// Tells whether a torrent changed lately.
    pub(super) fn is_recent(&self, id: TorrentId, now: Instant) -> bool {
        self.torrents.get(&id).is_some_and(|seen| now.duration_since(seen.changed) < RECENT)
    }

    /// Returns the numbers of torrents that went lately.
    pub(super) fn gone(&self) -> Vec<i64> {
        self.gone.iter().map(|(_, number)| *number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::transmission::tests::status;

    fn id(byte: u8) -> TorrentId {
        metainfo::InfoHashV1([byte; 20])
    }

    #[test]
    fn numbers_stay_and_are_not_given_twice() {
        let (mut view, now) = (View::default(), Instant::now());
        let number = |view: &View, byte| view.known(id(byte)).map(|known| known.number);
        view.sync(&[id(9), id(1)], now);
        assert_eq!((number(&view, 9), number(&view, 1)), (Some(1), Some(2)));
        view.sync(&[id(1)], now);
        view.sync(&[id(1), id(9)], now);
        assert_eq!((number(&view, 9), number(&view, 1)), (Some(3), Some(2)));
        assert_eq!((view.numbered(3), view.numbered(1)), (Some(id(9)), None));
        assert_eq!(view.gone(), [1]);
        view.sync(&[id(1), id(9)], now + RECENT);
        assert!(view.gone().is_empty());
    }

    #[test]
    fn a_change_is_recent_for_a_minute_from_when_it_was_seen() {
        let (mut view, begun) = (View::default(), Instant::now());
        let mut status = status(id(1));
        view.sync(&[id(1)], begun);
        view.look(&status, begun);
        assert!(view.is_recent(id(1), begun) && !view.is_recent(id(1), begun + RECENT));

        // Nobody asked for an hour; meanwhile bytes came.
        let later = begun + Duration::from_secs(3600);
        status.downloaded += 1;
        view.look(&status, later);
        assert!(view.is_recent(id(1), later));
        let still = later + RECENT;
        view.look(&status, still);
        assert!(!view.is_recent(id(1), still));
        view.touch(id(1), still);
        assert!(view.is_recent(id(1), still));
    }
}
