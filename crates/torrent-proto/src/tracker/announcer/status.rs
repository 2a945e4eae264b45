//! What the user is told about trackers.

use base::Instant;

use super::track::{Last, Slot, Track};
use super::{Announcer, Phase, Tracker};
use crate::tracker::url::TrackerUrl;

/// How a tracker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrackerState {
    /// It was not asked: the torrent does not run, or an earlier tracker of the walk answers.
    Idle,
    /// It asked never to be asked again (BEP 31).
    GivenUp,
    /// It failed, and will be asked again.
    Failed,
    /// It answered.
    Working,
    /// An announce is under way.
    Announcing,
}

/// A tracker of a torrent. Where the torrent is a hybrid, both swarms are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerStatus {
    /// Which.
    pub url: TrackerUrl,
    /// Its tier, counted from 0.
    pub tier: usize,
    /// How it does.
    pub state: TrackerState,
    /// What it last said, or why it did not, in words for the user.
    pub words: String,
    /// When it last answered or failed.
    pub last: Option<Instant>,
    /// When it will be asked next, if that is settled.
    pub next: Option<Instant>,
    /// How many seeds it last counted.
    pub seeders: Option<u32>,
    /// How many others.
    pub leechers: Option<u32>,
    /// How often the torrent was completed, as it last counted.
    pub completed: Option<u32>,
    /// How many peers its last answer named.
    pub peers: Option<u32>,
}

pub(super) fn of(announcer: &Announcer) -> Vec<TrackerStatus> {
    let running = !matches!(announcer.phase, Phase::Idle);
    let status = |(i, tracker): (usize, &Tracker)| {
        let mut status = TrackerStatus {
            url: tracker.url.clone(),
            tier: tracker.tier,
            state: TrackerState::Idle,
            words: String::new(),
            last: None,
            next: None,
            seeders: None,
            leechers: None,
            completed: None,
            peers: None,
        };
        for track in &announcer.tracks {
            for (at, slot) in track.slots().iter().enumerate().filter(|(_, slot)| slot.tracker == i) {
                status.add(track, at, slot, running);
            }
        }
        status.add_scrape(tracker);
        if status.words.is_empty() {
            status.words = match status.state {
                TrackerState::Announcing => "announcing".to_owned(),
                TrackerState::Working => "working".to_owned(),
                _ => "not asked yet".to_owned(),
            };
        }
        status
    };
    announcer.trackers.iter().enumerate().map(status).collect()
}

impl TrackerStatus {
    /// Adds the numbers of the last scrape, unless an announce brought newer ones.
    fn add_scrape(&mut self, tracker: &Tracker) {
        let Some(scraped) = tracker.scraped.values().map(|(at, _)| *at).max() else { return };
        let newer = self.last.is_none_or(|last| last <= scraped);
        let (mut seeders, mut leechers) = (None, None);
        for (_, entry) in tracker.scraped.values() {
            add(&mut self.completed, Some(entry.completed));
            add(&mut seeders, Some(entry.seeders));
            add(&mut leechers, Some(entry.leechers));
        }
        if newer || self.seeders.is_none() {
            self.seeders = seeders;
        }
        if newer || self.leechers.is_none() {
            self.leechers = leechers;
        }
    }

    /// Adds what one swarm knows of the tracker.
    fn add(&mut self, track: &Track, at: usize, slot: &Slot, running: bool) {
        let state = match &slot.last {
            _ if running && track.asks(at) => TrackerState::Announcing,
            _ if slot.never => TrackerState::GivenUp,
            Some(Last { said: Ok(_), .. }) => TrackerState::Working,
            Some(Last { said: Err(_), .. }) => TrackerState::Failed,
            None => TrackerState::Idle,
        };
        self.state = self.state.max(state);
        if running {
            self.next = [self.next, track.next_for(at)].into_iter().flatten().min();
        }
        let Some(last) = &slot.last else { return };
        self.last = self.last.max(Some(last.at));
        let words = match &last.said {
            Ok(heard) => {
                add(&mut self.seeders, heard.seeders);
                add(&mut self.leechers, heard.leechers);
                add(&mut self.peers, Some(heard.peers));
                heard.warning.clone().unwrap_or_default()
            }
            Err(error) if slot.failures > 1 => format!("{error} ({} times in a row)", slot.failures),
            Err(error) => error.to_string(),
        };
        if !words.is_empty() && !self.words.contains(&words) {
            if !self.words.is_empty() {
                self.words.push_str("; ");
            }
            self.words.push_str(&words);
        }
    }
}

/// Adds two numbers of which either may be missing.
fn add(sum: &mut Option<u32>, number: Option<u32>) {
    if let Some(number) = number {
        *sum = Some(sum.unwrap_or_default().saturating_add(number));
    }
}
