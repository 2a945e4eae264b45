//! One walk over tiers for one info-hash.

use std::time::Duration;

use base::Instant;
use metainfo::InfoHashV1;

use super::AnnounceId;
use crate::tracker::error::{Retry, TrackerError};
use crate::tracker::request::{AnnounceEvent, AnnounceResponse};

/// How long a tracker rests after its first failure in a row; each further one doubles it (arbitrary).
const FIRST_BACK_OFF: Duration = Duration::from_secs(30);

/// The longest rest after failures (arbitrary; libtorrent's too).
const MAX_BACK_OFF: Duration = Duration::from_secs(60 * 60);

/// The shortest time between announces where the tracker names none, unless its interval is shorter: libtorrent's.
const MIN_REST: Duration = Duration::from_secs(5 * 60);

/// One walk. Invariant: at most one announce of it is under way.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) info_hash: InfoHashV1,
    /// The order to ask in: tiers of indices into `slots`.
    tiers: Vec<Vec<usize>>,
    slots: Vec<Slot>,
    /// When the next announce is due; `None`: no tracker is left to ask.
    next: Option<Instant>,
    flight: Option<Flight>,
    /// The torrent was completed, and no tracker of this walk has heard of it yet.
    completed: bool,
    /// Peers were wanted while an announce was under way.
    wanted: bool,
    /// What the trackers know of where we listen is not true any more.
    moved: bool,
}

/// What is known of one tracker in this walk.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    pub(super) tracker: usize,
    /// It answered an announce since the start: it counts us.
    started: bool,
    /// Failures in a row.
    pub(super) failures: u32,
    /// Not to be asked before.
    not_before: Instant,
    /// It asked not to be asked again.
    pub(super) never: bool,
    tracker_id: Option<Vec<u8>>,
    pub(super) last: Option<Last>,
}

/// What a tracker last said.
#[derive(Clone, Debug)]
pub(super) struct Last {
    pub(super) at: Instant,
    pub(super) said: Result<Heard, TrackerError>,
}

/// The parts of an answer that are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) seeders: Option<u32>,
    pub(super) leechers: Option<u32>,
    pub(super) peers: u32,
    pub(super) warning: Option<String>,
}

#[derive(Clone, Debug)]
struct Flight {
    id: AnnounceId,
    slot: usize,
    event: AnnounceEvent,
    until: Instant,
}

impl Track {
    /// Builds a walk over tiers of trackers.
    pub(super) fn new(info_hash: InfoHashV1, walk: &[Vec<usize>]) -> Track {
        let mut slots = Vec::new();
        let mut tiers = Vec::new();
        for tier in walk {
            let first = slots.len();
            slots.extend(tier.iter().map(|&tracker| Slot { tracker, ..Slot::default() }));
            tiers.push((first..slots.len()).collect());
        }
        Track { info_hash, tiers, slots, next: None, flight: None, completed: false, wanted: false, moved: false }
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn tracker(&self, slot: usize) -> usize {
        self.slots[slot].tracker
    }

    pub(super) fn tracker_id(&self, slot: usize) -> Option<Vec<u8>> {
        self.slots[slot].tracker_id.clone()
    }

    /// Tells whether an announce to this slot is under way.
    pub(super) fn asks(&self, slot: usize) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.slot == slot)
    }

    /// Tells when this slot will be asked next, as far as that is settled: it is the first to be asked.
    pub(super) fn next_for(&self, slot: usize) -> Option<Instant> {
        let next = self.next.filter(|_| self.flight.is_none())?;
        self.order().find(|&slot| self.open(slot, next)).filter(|&first| first == slot).map(|_| next)
    }

    pub(super) fn start(&mut self, now: Instant) {
        for slot in &mut self.slots {
            slot.started = false;
        }
        self.completed = false;
        self.wanted = false;
        self.moved = false;
        self.flight = None;
        self.next = Some(now);
    }

    /// Announces as soon as the trackers allow, unless it is settled when.
    pub(super) fn resume(&mut self, now: Instant) {
        self.next.get_or_insert(now);
    }

    /// Ends the walk; returns the slots to be told: those that count us, or may after the announce under way.
    pub(super) fn stop(&mut self) -> Vec<usize> {
        self.next = None;
        let flight = self.flight.take().map(|flight| flight.slot);
        let told = |slot: &usize| self.slots[*slot].started || flight == Some(*slot);
        let told: Vec<usize> = (0..self.slots.len()).filter(told).collect();
        for slot in self.slots.iter_mut().filter(|slot| slot.failures == 0) {
            // Who was told that we leave may be told at once that we are back.
            slot.not_before = Instant::START;
        }
        told
    }

    pub(super) fn completed(&mut self, now: Instant) {
        self.completed = true;
        self.next = Some(now);
    }

    /// Announces again at once to a tracker that counts us: it sends others to a port that does not answer.
    pub(super) fn moved(&mut self, now: Instant) {
        self.moved = self.flight.is_some() || self.slots.iter().any(|slot| slot.started);
        if self.moved {
            self.next = Some(now);
        }
    }

    /// Brings the next announce forward to when the tracker in use allows it.
    pub(super) fn want_peers(&mut self, now: Instant) {
        self.wanted = self.flight.is_some();
        let first = self.order().find(|&slot| self.slots[slot].failures == 0 && !self.slots[slot].never);
        if let (Some(slot), Some(next)) = (first, self.next) {
            self.next = Some(next.min(self.slots[slot].not_before.max(now)));
        }
    }

    /// Forgets failures, and announces as soon as the trackers allow.
    pub(super) fn retry(&mut self, now: Instant) {
        for slot in self.slots.iter_mut().filter(|slot| slot.failures > 0 || slot.never) {
            slot.failures = 0;
            slot.never = false;
            slot.not_before = now;
        }
        self.want_peers(now);
        if self.next.is_none() && self.flight.is_none() {
            self.next = Some(now);
        }
    }

    /// Takes over what an earlier walk over the same swarm knows of trackers; `place` tells where they are now. If one of
    /// them counts us, the next announce stays when it was due.
    pub(super) fn inherit(&mut self, earlier: &Track, place: impl Fn(usize) -> Option<usize>) {
        let mut counted = false;
        for (i, old) in earlier.slots.iter().enumerate() {
            let Some(tracker) = place(old.tracker) else { continue };
            let Some(at) = self.slots.iter().position(|slot| slot.tracker == tracker) else { continue };
            self.slots[at] = Slot { tracker, ..old.clone() };
            counted |= old.started;
            if self.flight.is_none() {
                let flight = earlier.flight.clone().filter(|flight| flight.slot == i);
                self.flight = flight.map(|flight| Flight { slot: at, ..flight });
            }
            self.completed |= earlier.completed;
            self.moved |= earlier.moved;
        }
        if counted {
            self.next = [self.next, earlier.next].into_iter().flatten().min();
        }
    }

    pub(super) fn waits_for(&self, id: AnnounceId) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.id == id)
    }

    /// Returns the announce under way whose time is up.
    pub(super) fn overdue(&self, now: Instant) -> Option<AnnounceId> {
        self.flight.as_ref().filter(|flight| flight.until <= now).map(|flight| flight.id)
    }

    /// Returns when something is due.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        match &self.flight {
            Some(flight) => Some(flight.until),
            None => self.next,
        }
    }

    /// Returns the slot to announce to now, and what; puts the next announce off when every tracker rests.
    pub(super) fn due(&mut self, now: Instant) -> Option<(usize, AnnounceEvent)> {
        if self.flight.is_some() || self.next.is_none_or(|next| next > now) {
            return None;
        }
        let news = |slot: &Slot| self.completed || (self.moved && slot.started);
        let fine = |slot: &Slot| slot.failures == 0 && !slot.never;
        let urgent = |slot: usize| news(&self.slots[slot]) && fine(&self.slots[slot]);
        let Some(slot) = self.order().find(|&slot| self.open(slot, now) || urgent(slot)) else {
            self.next = self.slots.iter().filter(|slot| !slot.never).map(|slot| slot.not_before).min();
            return None;
        };
        let event = match (self.completed, self.slots[slot].started) {
            (true, _) => AnnounceEvent::Completed,
            (false, false) => AnnounceEvent::Started,
            (false, true) => AnnounceEvent::Regular,
        };
        Some((slot, event))
    }

    pub(super) fn sent(&mut self, id: AnnounceId, slot: usize, event: AnnounceEvent, until: Instant) {
        // Whatever is sent says where we listen now.
        self.moved = false;
        self.flight = Some(Flight { id, slot, event, until });
    }

    /// Takes the answer to the announce under way; returns whose it is.
    pub(super) fn answered(&mut self, now: Instant, response: AnnounceResponse, peers: usize) -> Option<usize> {
        let flight = self.flight.take()?;
        let slot = &mut self.slots[flight.slot];
        let rest = response.min_interval.unwrap_or(MIN_REST).min(response.interval);
        slot.started = true;
        slot.failures = 0;
        slot.not_before = now + rest;
        if response.tracker_id.is_some() {
            slot.tracker_id = response.tracker_id;
        }
        let AnnounceResponse { seeders, leechers, warning, .. } = response;
        slot.last = Some(Last { at: now, said: Ok(Heard { seeders, leechers, peers: peers as u32, warning }) });
        let tracker = slot.tracker;
        if flight.event == AnnounceEvent::Completed {
            self.completed = false;
        }
        self.promote(flight.slot);
        self.next = Some(if self.completed || self.moved { now } else { now + response.interval });
        if std::mem::take(&mut self.wanted) && peers == 0 {
            self.want_peers(now);
        }
        Some(tracker)
    }

    /// Takes the failure of the announce under way; returns whose it is. The walk goes on at once with the next tracker.
    pub(super) fn failed(&mut self, now: Instant, error: TrackerError, rng: &mut fastrand::Rng) -> Option<usize> {
        let flight = self.flight.take()?;
        let slot = &mut self.slots[flight.slot];
        slot.failures += 1;
        let doubled = FIRST_BACK_OFF.saturating_mul(2_u32.saturating_pow(slot.failures - 1)).min(MAX_BACK_OFF);
        // Up to a quarter more, so that those who failed together do not return together.
        let back_off = doubled.mul_f64(1.0 + rng.f64() / 4.0);
        slot.not_before = match &error {
            TrackerError::Refused { retry: Retry::After(time), .. } => now + *time,
            _ => now + back_off,
        };
        slot.never = matches!(&error, TrackerError::Refused { retry: Retry::Never, .. });
        slot.last = Some(Last { at: now, said: Err(error) });
        let tracker = slot.tracker;
        self.next = Some(now);
        Some(tracker)
    }

    /// Returns the slots in the order to ask in.
    fn order(&self) -> impl Iterator<Item = usize> {
        self.tiers.iter().flatten().copied()
    }

    /// Tells whether a tracker may be asked at this time.
    fn open(&self, slot: usize, at: Instant) -> bool {
        let slot = &self.slots[slot];
        !slot.never && slot.not_before <= at
    }

    /// Moves a tracker that answered to the front of its tier (BEP 12).
    fn promote(&mut self, slot: usize) {
        for tier in &mut self.tiers {
            if let Some(at) = tier.iter().position(|&other| other == slot) {
                tier[..=at].rotate_right(1);
            }
        }
    }
}
