//! Snapshots of a torrent for people to look at.

use core::net::SocketAddr;

use base::{Bitfield, Instant};
use metainfo::{FileIndex, PieceIndex};

use super::{Direction, DiskError, PeerKey, PeerKind, Priority, Source, State};
use crate::wire::PeerId;

/// What a torrent is doing now. All sizes are in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// What stopped it, in the state `Failed`.
    pub error: Option<DiskError>,
    /// Whether the info dictionary is known.
    pub has_metadata: bool,
    /// Payload of the whole torrent; 0 while the metadata is unknown.
    pub total_bytes: u64,
    /// Payload of all wanted files.
    pub wanted_bytes: u64,
    /// How much of the wanted payload is verified.
    pub done_bytes: u64,
    /// How many pieces are verified.
    pub pieces_done: u32,
    /// How many pieces there are.
    pub piece_count: u32,
    /// How many pieces of the running check are done.
    pub checked_pieces: u32,
    /// How many pieces the running check covers.
    pub check_pieces: u32,
    /// Payload ever received, wasted bytes included.
    pub downloaded_bytes: u64,
    /// Payload ever sent.
    pub uploaded_bytes: u64,
    /// Received payload that was of no use: unrequested, twice, or of a bad piece.
    pub wasted_bytes: u64,
    /// Payload received a second, over the last seconds.
    pub down_rate_bytes_per_s: u64,
    /// Payload sent a second, over the last seconds.
    pub up_rate_bytes_per_s: u64,
    /// Connections that stand.
    pub peers_connected: u32,
    /// Those that have everything.
    pub seeds_connected: u32,
    /// Addresses known.
    pub peers_known: u32,
    /// Complete copies among the connected peers (the whole part of the rarest piece's availability).
    pub distributed_copies: u32,
    /// Whether everything wanted is complete, durable and has its final name.
    pub complete: bool,
}

/// A connection, for people to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerStatus {
    /// Its number.
    pub peer: PeerKey,
    /// The remote address.
    pub address: SocketAddr,
    /// Who opened it.
    pub direction: Direction,
    /// Where its address came from.
    pub source: Source,
    /// What is at the other end.
    pub kind: PeerKind,
    /// The remote end's id.
    pub peer_id: PeerId,
    /// The remote end's name and version, as it says itself.
    pub client: Option<String>,
    /// Pieces that it has.
    pub pieces: u32,
    /// Payload received from it.
    pub downloaded_bytes: u64,
    /// Payload sent to it.
    pub uploaded_bytes: u64,
    /// Payload received a second, over the last seconds.
    pub down_rate_bytes_per_s: u64,
    /// Payload sent a second, over the last seconds.
    pub up_rate_bytes_per_s: u64,
    /// We do not answer its requests.
    pub am_choking: bool,
    /// We want pieces that it has.
    pub am_interested: bool,
    /// It does not answer our requests.
    pub peer_choking: bool,
    /// It wants pieces that we have.
    pub peer_interested: bool,
    /// It let our requests wait too long.
    pub snubbed: bool,
    /// Blocks requested from it and not yet here.
    pub requests: u32,
    /// When the connection began.
    pub since: Instant,
}

/// A file, for people to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Its number.
    pub file: FileIndex,
    /// How much it is wanted.
    pub priority: Priority,
    /// How many of its bytes are verified.
    pub done_bytes: u64,
}

/// How many peers a source gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// The source.
    pub source: Source,
    /// Addresses that it named, whether or not another one did too; of `Incoming`, how many dialled us.
    pub known: u32,
    /// Connections that stand now to addresses that it named first.
    pub connected: u32,
    /// When it last named one.
    pub last: Option<Instant>,
}

/// Which pieces are there, for a piece map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceStatus {
    /// Verified pieces.
    pub have: Bitfield,
    /// Pieces of which some blocks are requested or here.
    pub partial: Vec<PieceIndex>,
}

impl super::Torrent {
    /// Returns what the torrent is doing now.
    pub fn status(&self) -> Status {
        let transfer = self.transfer.as_ref();
        let layout = transfer.map(|t| t.info.layout());
        let (checked_pieces, check_pieces) = match transfer.map(|t| &t.storage) {
            Some(super::transfer::Storage::Checking { done, of, .. }) => (*done, *of),
            _ => (0, 0),
        };
        let rarest = transfer.and_then(|t| t.info.layout().pieces().map(|p| t.picker.availability(p)).min());
        Status {
            state: self.state(),
            error: self.error(),
            has_metadata: transfer.is_some(),
            total_bytes: layout.map_or(0, |l| l.total_length()),
            wanted_bytes: transfer.map_or(0, |t| t.wanted_bytes),
            done_bytes: transfer.map_or(0, |t| t.done_bytes),
            pieces_done: transfer.map_or(0, |t| t.picker.have().count()),
            piece_count: layout.map_or(0, |l| l.piece_count()),
            checked_pieces,
            check_pieces,
            downloaded_bytes: self.earlier.0 + self.down.total(),
            uploaded_bytes: self.earlier.1 + self.up.total(),
            wasted_bytes: self.wasted,
            // Nobody ticks the meters while nobody is connected.
            down_rate_bytes_per_s: if self.peers.is_empty() { 0 } else { self.down.rate_bytes_per_s() },
            up_rate_bytes_per_s: if self.peers.is_empty() { 0 } else { self.up.rate_bytes_per_s() },
            peers_connected: self.peers.len() as u32,
            seeds_connected: self.peers.values().filter(|p| p.is_seed()).count() as u32,
            peers_known: self.list.candidates() as u32,
            distributed_copies: if self.peers.is_empty() { 0 } else { rarest.unwrap_or(0) },
            complete: transfer.is_some_and(|t| t.finish == super::transfer::Finish::Done),
        }
    }

    /// Returns the connections, oldest first.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let status = |(key, p): (&PeerKey, &super::Peer)| PeerStatus {
            peer: *key,
            address: p.address,
            direction: p.direction,
            source: p.source,
            kind: p.kind,
            peer_id: p.id,
            client: p.client.clone(),
            pieces: p.has().map_or(0, Bitfield::count),
            downloaded_bytes: p.down.total(),
            uploaded_bytes: p.up.total(),
            down_rate_bytes_per_s: p.down.rate_bytes_per_s(),
            up_rate_bytes_per_s: p.up.rate_bytes_per_s(),
            am_choking: p.am_choking,
            am_interested: p.am_interested,
            peer_choking: p.peer_choking,
            peer_interested: p.peer_interested,
            snubbed: p.snubbed,
            requests: p.requests.len() as u32,
            since: p.since,
        };
        self.peers.iter().map(status).collect()
    }

    /// Returns the files, in the torrent's order; empty while the metadata is unknown.
    pub fn files(&self) -> Vec<FileStatus> {
        let Some(transfer) = &self.transfer else { return Vec::new() };
        let numbered = (0u32..).zip(&transfer.priorities);
        let mut files: Vec<FileStatus> =
            numbered.map(|(i, &priority)| FileStatus { file: FileIndex(i), priority, done_bytes: 0 }).collect();
        for piece in transfer.picker.have().iter() {
            for (file, bytes) in transfer.file_bytes_in(PieceIndex(piece)) {
                files[file.0 as usize].done_bytes += bytes;
            }
        }
        files
    }

    /// Returns which pieces are there; `None` while the metadata is unknown.
    pub fn pieces(&self) -> Option<PieceStatus> {
        let transfer = self.transfer.as_ref()?;
        let partial = transfer.picker.partials().map(|(piece, _)| piece).collect();
        Some(PieceStatus { have: transfer.picker.have().clone(), partial })
    }

    /// Cuts the torrent into at most `runs` equal runs of pieces and returns how many connected peers have the rarest
    /// piece of each; empty while the metadata is unknown.
    pub fn availability(&self, runs: u32) -> Vec<u32> {
        let Some(transfer) = &self.transfer else { return Vec::new() };
        let pieces = u64::from(transfer.info.layout().piece_count());
        let runs = pieces.min(runs.into());
        let rarest = |run: u64| {
            let numbers = run * pieces / runs..(run + 1) * pieces / runs;
            numbers.map(|piece| transfer.picker.availability(PieceIndex(piece as u32))).min().unwrap_or(0)
        };
        (0..runs).map(rarest).collect()
    }

    /// Returns which pieces are verified; `None` while the metadata is unknown.
    pub fn have(&self) -> Option<&Bitfield> {
        self.transfer.as_ref().map(|transfer| transfer.picker.have())
    }

    /// Tells whether somebody wants a file.
    pub fn is_wanted(&self, file: FileIndex) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.is_wanted(file))
    }

    /// Returns how many connected peers exchange addresses with us.
    pub fn exchanging(&self) -> u32 {
        let count = self.peers.values().filter(|p| p.ids.pex != 0).count() as u32;
        if self.exchanges_peers() { count } else { 0 }
    }

    /// Returns how many peers each source gave.
    pub fn sources(&self) -> Vec<SourceStatus> {
        let all = [
            Source::Hint,
            Source::Tracker,
            Source::Dht,
            Source::Pex,
            Source::Lsd,
            Source::Incoming,
            Source::Resume,
            Source::WebSeed,
            Source::People,
        ];
        let count = |source| {
            let connected = self.peers.values().filter(|p| p.source == source).count() as u32;
            let counts = self.list.counts(source);
            let known = if source == Source::Incoming { counts.connected } else { counts.known };
            SourceStatus { source, known, connected, last: counts.last }
        };
        all.into_iter().map(count).collect()
    }
}
