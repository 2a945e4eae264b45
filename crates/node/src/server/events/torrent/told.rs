//! What was told of a torrent, and what has to be told of the next look at it.

use std::collections::BTreeMap;
use std::time::Instant;

use rpc::{
    Delta, FileInfo, FilePriority, FileProgress, PeerChanges, PeerDelta, PeerInfo, PieceChanges, SourceInfo,
    TorrentEvent, TorrentMore, TorrentSummary, TrackerInfo, WebSeedInfo,
};
use torrent::PiecesStatus;

use super::{Seen, map};

/// Above so many changed pieces all are told anew: a number takes some bytes, a bit of the map far less. Arbitrary.
const MAX_PIECE_CHANGES: usize = 2048;

/// By how many seconds a time may differ from what it would be had it only gone on: both were rounded, and one was read
/// later than the other.
const SLACK_S: u64 = 2;

/// What was told last.
pub(super) struct Told {
    torrent: TorrentSummary,
    more: TorrentMore,
    peers: BTreeMap<u32, PeerInfo>,
    /// In their order. Their names do not change.
    files: Vec<(u64, FilePriority)>,
    trackers: Vec<TrackerInfo>,
    trackers_at: Instant,
    web_seeds: Vec<WebSeedInfo>,
    sources: Vec<SourceInfo>,
    sources_at: Instant,
    pieces: Option<PiecesStatus>,
    /// The number of the last entry of its log.
    logged: u64,
}

impl Told {
    pub(super) fn new(seen: Seen) -> Told {
        let now = Instant::now();
        Told {
            logged: seen.log.last().map_or(0, |entry| entry.number),
            torrent: seen.torrent,
            more: seen.more,
            peers: seen.peers.into_iter().map(|peer| (peer.number, peer)).collect(),
            files: seen.files.iter().flatten().map(state).collect(),
            trackers: seen.trackers,
            trackers_at: now,
            web_seeds: seen.web_seeds,
            sources: seen.sources,
            sources_at: now,
            pieces: seen.pieces.map(|(pieces, _)| pieces),
        }
    }

    /// Tells whether other pieces are verified than were told.
    pub(super) fn has_other_pieces(&self, pieces: Option<&PiecesStatus>) -> bool {
        self.pieces.as_ref().map(|told| &told.have) != pieces.map(|pieces| &pieces.have)
    }

    /// Returns what changed, and takes it as told.
    pub(super) fn compare(&mut self, seen: Seen) -> Vec<TorrentEvent> {
        let mut events = Vec::new();
        events.extend(Delta::between(&self.torrent, &seen.torrent).map(TorrentEvent::Changed));
        self.torrent = seen.torrent;
        if self.more != seen.more {
            self.more.clone_from(&seen.more);
            events.push(TorrentEvent::More(seen.more));
        }
        events.extend(self.compare_peers(seen.peers).map(TorrentEvent::Peers));
        events.extend(seen.files.and_then(|files| self.compare_files(files)));
        events.extend(self.compare_pieces(seen.pieces));
        let now = Instant::now();
        let elapsed_s = now.duration_since(self.trackers_at).as_secs();
        if !same(&self.trackers, &seen.trackers, |old, new| same_tracker(old, new, elapsed_s)) {
            (self.trackers, self.trackers_at) = (seen.trackers.clone(), now);
            events.push(TorrentEvent::Trackers(seen.trackers));
        }
        let elapsed_s = now.duration_since(self.sources_at).as_secs();
        if !same(&self.sources, &seen.sources, |old, new| same_source(old, new, elapsed_s)) {
            (self.sources, self.sources_at) = (seen.sources.clone(), now);
            events.push(TorrentEvent::Sources(seen.sources));
        }
        if self.web_seeds != seen.web_seeds {
            self.web_seeds.clone_from(&seen.web_seeds);
            events.push(TorrentEvent::WebSeeds(seen.web_seeds));
        }
        let mut happened = seen.log;
        happened.retain(|entry| entry.number > self.logged);
        if let Some(last) = happened.last() {
            self.logged = last.number;
            events.push(TorrentEvent::Log(happened));
        }
        events
    }

    fn compare_peers(&mut self, peers: Vec<PeerInfo>) -> Option<PeerChanges> {
        let mut changes = PeerChanges::default();
        let mut gone = std::mem::take(&mut self.peers);
        for peer in peers {
            match gone.remove(&peer.number) {
                None => changes.added.push(peer.clone()),
                Some(old) => changes.changed.extend(PeerDelta::between(&old, &peer)),
            }
            self.peers.insert(peer.number, peer);
        }
        changes.removed.extend(gone.into_keys());
        (changes != PeerChanges::default()).then_some(changes)
    }

    fn compare_files(&mut self, files: Vec<FileInfo>) -> Option<TorrentEvent> {
        let old = std::mem::replace(&mut self.files, files.iter().map(state).collect());
        if old.len() != files.len() {
            return Some(TorrentEvent::Files(files));
        }
        let changed = files.into_iter().zip(old).filter(|(file, old)| state(file) != *old);
        let progress = |(file, _): (FileInfo, _)| FileProgress {
            index: file.index,
            done_bytes: file.done_bytes,
            priority: file.priority,
        };
        let changed: Vec<_> = changed.map(progress).collect();
        (!changed.is_empty()).then_some(TorrentEvent::Progress(changed))
    }

    fn compare_pieces(&mut self, pieces: Option<(PiecesStatus, u32)>) -> Option<TorrentEvent> {
        let (new, length) = pieces?;
        let all_anew = |new: &PiecesStatus| Some(TorrentEvent::Pieces(map(new, length)));
        let Some(old) = self.pieces.replace(new.clone()) else { return all_anew(&new) };
        if old == new {
            return None;
        }
        let changes = piece_changes(&old, new.clone());
        let count = changes.got.len() + changes.lost.len() + changes.begun.len() + changes.ended.len();
        if count > MAX_PIECE_CHANGES { all_anew(&new) } else { Some(TorrentEvent::PieceChanges(changes)) }
    }
}

fn state(file: &FileInfo) -> (u64, FilePriority) {
    (file.done_bytes, file.priority)
}

fn piece_changes(old: &PiecesStatus, new: PiecesStatus) -> PieceChanges {
    // By whole bytes: most of a large torrent is as it was.
    let (before, after) = (old.have.as_bytes(), new.have.as_bytes());
    let other_bytes = (0u32..).zip(before.iter().zip(after)).filter(|(_, (a, b))| a != b).map(|(at, _)| at);
    let (mut got, mut lost) = (Vec::new(), Vec::new());
    for piece in other_bytes.flat_map(|at| at * 8..at * 8 + 8) {
        match (old.have.get(piece), new.have.get(piece)) {
            (false, true) => got.push(piece),
            (true, false) => lost.push(piece),
            _ => {}
        }
    }
    let numbers =
        |status: &PiecesStatus| status.begun.iter().map(|piece| piece.0).collect::<std::collections::BTreeSet<_>>();
    let (fetched, fetching) = (numbers(old), numbers(&new));
    PieceChanges {
        got,
        lost,
        begun: fetching.difference(&fetched).copied().collect(),
        ended: fetched.difference(&fetching).copied().collect(),
        availability: (old.availability != new.availability).then_some(new.availability),
    }
}

fn same<T>(old: &[T], new: &[T], alike: impl Fn(&T, &T) -> bool) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| alike(old, new))
}

fn same_tracker(old: &TrackerInfo, new: &TrackerInfo, elapsed_s: u64) -> bool {
    let still = |tracker: &TrackerInfo| TrackerInfo { next_announce_s: None, ..tracker.clone() };
    still(old) == still(new) && runs_down(old.next_announce_s, new.next_announce_s, elapsed_s)
}

fn same_source(old: &SourceInfo, new: &SourceInfo, elapsed_s: u64) -> bool {
    let still = |source: &SourceInfo| SourceInfo { last_s: None, next_s: None, ..source.clone() };
    still(old) == still(new)
        && runs_down(old.next_s, new.next_s, elapsed_s)
        // The other way round: what was so long ago is so much longer ago.
        && runs_down(new.last_s, old.last_s, elapsed_s)
}

/// Tells whether a time is what it was, less what has gone by.
fn runs_down(old: Option<u64>, new: Option<u64>, elapsed_s: u64) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) => old.saturating_sub(elapsed_s).abs_diff(new) <= SLACK_S,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
