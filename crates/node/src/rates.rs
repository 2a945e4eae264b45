//! How fast everything together was, and each torrent, second by second, for the last minutes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rpc::{Rates as Sample, TorrentRates};
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;
use torrent::{Session, TorrentId, Watcher};

use crate::controls::Controls;

/// How often a sample is taken.
const EVERY: Duration = Duration::from_secs(1);

/// How many samples are kept: ten minutes, as wide as a graph on a page is read. Arbitrary.
const KEPT: usize = 600;

/// For how long the rates of a torrent are kept, in seconds: as much as a plot of one shows. Arbitrary.
const TORRENT_S: u64 = 300;

/// The samples. Cheap to clone; it ends with [`Rates::stop`].
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    kept: Arc<Mutex<Kept>>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Kept {
    samples: VecDeque<Sample>,
    /// Those that carried anything lately.
    torrents: BTreeMap<TorrentId, VecDeque<TorrentRates>>,
}

impl Rates {
    /// Takes samples from now on.
    pub(crate) fn start(controls: Controls, session: Session) -> Rates {
        let kept = Arc::new(Mutex::default());
        let task = tokio::spawn(follow(controls, session, kept.clone())).abort_handle();
        Rates { kept, task }
    }

    /// Returns the samples, the oldest first.
    pub(crate) fn all(&self) -> Vec<Sample> {
        lock(&self.kept).samples.iter().copied().collect()
    }

    /// Returns those of a torrent, the oldest first. Seconds in which it stood still are left out, but for the first after others.
    pub(crate) fn of(&self, id: TorrentId) -> Vec<TorrentRates> {
        lock(&self.kept).torrents.get(&id).into_iter().flatten().copied().collect()
    }

    /// Returns the last sample.
    pub(crate) fn last(&self) -> Option<Sample> {
        lock(&self.kept).samples.back().copied()
    }

    /// Ends it.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

async fn follow(controls: Controls, session: Session, kept: Arc<Mutex<Kept>>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut before, mut since) = (carried(&controls), Instant::now());
    // The first tick is at once.
    tick.tick().await;
    loop {
        tick.tick().await;
        let (now, at) = (carried(&controls), Instant::now());
        let sample = Sample {
            at_s: SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs(),
            download_bytes_per_s: rate(before.down, now.down, at - since),
            upload_bytes_per_s: rate(before.up, now.up, at - since),
            connections: controls.gate().connections(),
            disk_used_bytes: controls.taken_bytes(),
        };
        keep(&mut lock(&kept).samples, sample);
        (before, since) = (now, at);
        follow_torrents(&session, &kept, sample.at_s).await;
    }
}

/// Looks at the torrents that may have carried something in the last second, and at those that did so in the one before.
async fn follow_torrents(session: &Session, kept: &Mutex<Kept>, at_s: u64) {
    let mut look: BTreeSet<TorrentId> = session.take_changed(Watcher::Rates).into_iter().collect();
    look.extend(lock(kept).moving());
    for id in look {
        // One that was removed meanwhile stands still.
        let status = session.status(id).await;
        let (down, up) = status.map_or((0, 0), |it| (it.down_rate_bytes_per_s, it.up_rate_bytes_per_s));
        lock(kept).take(id, TorrentRates { at_s, download_bytes_per_s: down, upload_bytes_per_s: up });
    }
    lock(kept).forget(at_s);
}

impl Kept {
    /// Names the torrents that carried something when they were last looked at.
    fn moving(&self) -> Vec<TorrentId> {
        let moves = |kept: &VecDeque<TorrentRates>| kept.back().is_some_and(|last| !stands(last));
        self.torrents.iter().filter(|(_, kept)| moves(kept)).map(|(id, _)| *id).collect()
    }

    fn take(&mut self, id: TorrentId, rates: TorrentRates) {
        let before = self.torrents.get(&id).and_then(VecDeque::back);
        // That it stands still is said once.
        if !stands(&rates) || before.is_some_and(|before| !stands(before)) {
            self.torrents.entry(id).or_default().push_back(rates);
        }
    }

    /// Forgets what is too long ago.
    fn forget(&mut self, now_s: u64) {
        for kept in self.torrents.values_mut() {
            while kept.front().is_some_and(|first| first.at_s + TORRENT_S < now_s) {
                kept.pop_front();
            }
        }
        self.torrents.retain(|_, kept| !kept.is_empty());
    }
}

fn stands(rates: &TorrentRates) -> bool {
    rates.download_bytes_per_s == 0 && rates.upload_bytes_per_s == 0
}

/// Returns what was carried since the start.
fn carried(controls: &Controls) -> net::Bytes {
    let totals = controls.gate().usage().totals();
    let add = |sum: net::Bytes, it: &net::Bytes| net::Bytes { down: sum.down + it.down, up: sum.up + it.up };
    totals.values().fold(net::Bytes::default(), add)
}

fn rate(before: u64, now: u64, passed: Duration) -> u64 {
    // What was asked for and given back lets a sum go back a little.
    let bytes = now.saturating_sub(before);
    match passed.as_secs_f64() {
        seconds if seconds > 0.0 => (bytes as f64 / seconds) as u64,
        _ => 0,
    }
}

fn keep(samples: &mut VecDeque<Sample>, sample: Sample) {
    if samples.len() == KEPT {
        samples.pop_front();
    }
    samples.push_back(sample);
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // Nothing panics while it is held.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_sample_makes_room_for_the_newest() {
        let mut samples = VecDeque::new();
        for at_s in 0..KEPT as u64 + 5 {
            keep(&mut samples, Sample { at_s, ..Sample::default() });
        }
        assert_eq!((samples.len(), samples[0].at_s), (KEPT, 5));
    }

    #[test]
    fn of_a_torrent_the_last_minutes_are_kept_and_standing_still_is_said_once() {
        let (film, mut kept) = (metainfo::InfoHashV1([1; 20]), Kept::default());
        let rates = |at_s, down| TorrentRates { at_s, download_bytes_per_s: down, upload_bytes_per_s: 0 };
        for (at_s, down) in [(10, 0), (11, 5), (12, 0), (13, 0), (14, 7)] {
            kept.take(film, rates(at_s, down));
        }
        assert_eq!(kept.torrents[&film], [rates(11, 5), rates(12, 0), rates(14, 7)]);
        assert_eq!(kept.moving(), [film]);
        kept.take(film, rates(15, 0));
        assert!(kept.moving().is_empty());
        kept.forget(TORRENT_S + 14);
        assert_eq!(kept.torrents[&film], [rates(14, 7), rates(15, 0)]);
        kept.forget(TORRENT_S + 16);
        assert!(kept.torrents.is_empty());
    }

    #[test]
    fn a_rate_is_what_was_carried_over_the_time_that_it_took() {
        assert_eq!(rate(1000, 4000, Duration::from_millis(1500)), 2000);
        assert_eq!(rate(4000, 3990, Duration::from_secs(1)), 0);
        assert_eq!(rate(0, 7, Duration::ZERO), 0);
    }
}
