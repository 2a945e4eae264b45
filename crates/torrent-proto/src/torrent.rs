//! The torrent state machine: what one torrent does, from magnet to seed.
//!
//! Owns every decision of one torrent: whom to dial, what to request, whom to serve, when data counts as had. It goes
//! *metadata → checking → downloading → seeding*; a magnet begins at the first, a .torrent at the second, and the
//! connections survive each step. `paused` and `failed` lie across these states.
//!
//! Invariants: a block is requested of a peer exactly when it stands in that peer's `requests` and the picker counts it
//! so; a piece is had exactly when the disk said that its hashes match; what is persisted was flushed before.

mod audience;
mod check;
mod config;
mod connections;
mod download;
mod holepunch;
mod io;
mod layers;
mod messages;
mod metadata;
mod meter;
mod peer;
mod pex;
mod reading;
mod status;
mod storage;
mod transfer;
mod upload;

#[cfg(test)]
mod tests;

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{Instant, Now};
use metainfo::{Info, PieceLayers};

pub use audience::MAX_AUDIENCE;
pub use config::{DEFAULT_MAX_PEERS, TorrentConfig};
pub use io::{
    CheckScope, Command, Connected, Direction, DiskAnswer, DiskError, DiskOrder, Event, Input, Output, PeerKey,
    PeerKind, PieceHash, Priority, Reason, Resume, Source, State, VerifyOutcome,
};
pub use status::{FileStatus, PeerStatus, PieceStatus, SourceStatus, Status};

use crate::peer_list::PeerList;
use meter::Meter;
use peer::Peer;
use transfer::Transfer;

/// How often rates, time limits, interest and the choker are looked at while there are peers.
const TICK: Duration = Duration::from_secs(1);
/// How long a torrent waits after a full disk before it tries again (arbitrary: people need time to make room).
const RETRY_FULL_DISK: Duration = Duration::from_secs(15);

/// One torrent. See the module.
#[derive(Debug)]
pub struct Torrent {
    config: TorrentConfig,
    now: Now,
    rng: fastrand::Rng,
    out: VecDeque<Output>,
    run: Run,
    peers: BTreeMap<PeerKey, Peer>,
    list: PeerList,
    /// Of a confined torrent: the stand-ins of the nodes that may have it.
    audience: BTreeSet<SocketAddr>,
    dialing: u32,
    /// By which port a router passes IPv4 packets on to our DHT node.
    mapped_dht_port: Option<u16>,
    punches: holepunch::Punches,
    /// Changes whenever what peers are told of one another does.
    version: u64,
    fetch: metadata::Fetch,
    transfer: Option<Transfer>,
    down: Meter,
    up: Meter,
    wasted: u64,
    /// What earlier runs moved.
    earlier: (u64, u64),
    last_tick: Instant,
    last_want: Option<Instant>,
    /// Until when queues stay short for readers.
    read_until: Option<Instant>,
    said: Option<State>,
    /// A pause waits for the disk to be quiet.
    settling: bool,
    /// It pauses once its metadata is known.
    pause_with_metadata: bool,
}

/// Whether the torrent runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Run {
    Running,
    Paused,
    Failed { error: DiskError, retry: Option<Instant> },
}

impl Torrent {
    /// Begins a torrent; drain [`Torrent::poll_output`] before the first input.
    pub fn new(now: Now, mut config: TorrentConfig) -> Torrent {
        let resume = config.resume.take();
        let info = config.info.take();
        let layers = std::mem::take(&mut config.piece_layers);
        let mut torrent = Torrent {
            now,
            rng: fastrand::Rng::with_seed(config.seed),
            out: VecDeque::new(),
            run: if config.paused { Run::Paused } else { Run::Running },
            peers: BTreeMap::new(),
            list: PeerList::new(),
            audience: BTreeSet::new(),
            dialing: 0,
            mapped_dht_port: None,
            punches: Default::default(),
            version: 0,
            fetch: metadata::Fetch::default(),
            transfer: None,
            down: Meter::default(),
            up: Meter::default(),
            wasted: 0,
            earlier: resume.as_ref().map_or((0, 0), |r| (r.downloaded, r.uploaded)),
            last_tick: now.mono,
            last_want: None,
            read_until: None,
            said: None,
            settling: false,
            pause_with_metadata: false,
            config,
        };
        if let Some(info) = info {
            torrent.begin_transfer(info, &layers, resume);
        }
        torrent.say_state();
        torrent
    }

    /// Takes one input. It cannot fail: a bad peer becomes an output.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Command(command) => self.command(command),
            Input::Candidates { source, addresses } => self.candidates(source, &addresses),
            Input::DialFailed { address } => self.dial_failed(address),
            Input::Connected(connected) => self.connected(&connected),
            Input::Received { peer, messages } => self.received(peer, messages),
            Input::Uploaded { peer, blocks } => self.uploaded(peer, &blocks),
            Input::UploadFailed { peer, blocks, error } => self.upload_failed(peer, &blocks, error),
            Input::Disconnected { peer } => self.disconnected(peer),
            Input::Disk(answer) => self.disk(answer),
            Input::Timeout => {}
        }
        self.timers();
        self.say_state();
        #[cfg(debug_assertions)]
        self.check_invariants();
    }

    /// Returns the next thing to be done; drain it after every input, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Timeout`] is due; `None`: nothing is waited for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let tick = (!self.peers.is_empty()).then(|| self.last_tick + TICK);
        let dial = self.may_dial().then(|| self.list.next_dial_at(self.wants_no_seeds())).flatten();
        let flush = self.transfer.as_ref().filter(|_| self.is_running()).and_then(Transfer::flush_due);
        let retry = match &self.run {
            Run::Failed { retry, .. } => *retry,
            Run::Running | Run::Paused => None,
        };
        [tick, dial, flush, retry, self.next_want()].into_iter().flatten().min()
    }

    /// Returns the info dictionary, once it is known.
    pub fn info(&self) -> Option<&Arc<Info>> {
        self.transfer.as_ref().map(|t| &t.info)
    }

    /// Returns the piece layers of v2 files that are known (for a .torrent of a magnet).
    pub fn piece_layers(&self) -> PieceLayers {
        self.transfer.as_ref().map(Transfer::piece_layers).unwrap_or_default()
    }

    /// Returns good addresses to begin the next run with, at most `limit`.
    pub fn addresses_to_remember(&self, limit: usize) -> Vec<SocketAddr> {
        self.list.to_remember(limit)
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Pause => self.pause(),
            Command::PauseWithMetadata => self.pause_with_metadata = self.transfer.is_none(),
            Command::RoomMade => self.ask_for_room(),
            Command::Resume => self.resume(),
            Command::Recheck => self.recheck(),
            Command::Prioritise(changes) => self.prioritise(&changes),
            Command::Sequential(on) => {
                self.config.sequential = on;
                if let Some(transfer) = &mut self.transfer {
                    transfer.picker.set_sequential(on);
                }
            }
            Command::Deadlines(pieces) => self.set_deadlines(pieces),
            Command::SuperSeed(on) => {
                self.config.super_seed = on;
                if let Some(transfer) = &mut self.transfer {
                    transfer.set_super_seed(on);
                }
            }
            Command::UploadSlots(slots) => {
                self.config.upload_slots = slots;
                if let Some(transfer) = &mut self.transfer {
                    transfer.choker.set_slots(slots);
                }
            }
            Command::MaxPeers(max) => self.set_max_peers(max),
            Command::ListenPort(port) => self.set_listen_port(port),
            Command::MappedDhtPort(port) => self.mapped_dht_port = port,
            Command::Audience(nodes) => self.set_audience(&nodes),
        }
    }

    fn pause(&mut self) {
        if self.run == Run::Paused {
            // Asked again: whoever waits for the answer gets it, and a check that was asked for since ends.
            self.stop_transfer();
            return self.settle();
        }
        self.run = Run::Paused;
        self.stop_transfer();
        self.settle();
    }

    fn resume(&mut self) {
        self.pause_with_metadata = false;
        if self.run == Run::Running {
            return;
        }
        self.run = Run::Running;
        self.settling = false;
        match &self.transfer {
            Some(transfer) if transfer.is_opening() => self.open_storage(),
            Some(_) => {
                self.finish_if_complete();
                self.compute_layers();
            }
            None => {}
        }
        self.want_peers();
    }

    /// A local failure: everything stops until the user, or room on the disk, lets it go on.
    fn fail(&mut self, error: DiskError) {
        if self.run != Run::Running {
            return;
        }
        let retry = error.full.then(|| self.now.mono + RETRY_FULL_DISK);
        self.out.push_back(Output::Event(Event::Failed(error.clone())));
        self.run = Run::Failed { error, retry };
        self.stop_transfer();
        self.settle();
    }

    /// After a full disk: goes on if there is room, which is asked for before anything is fetched that could not be written.
    fn ask_for_room(&mut self) {
        let is_open = self.transfer.as_ref().is_some_and(|transfer| !transfer.is_opening());
        match &mut self.run {
            Run::Failed { retry: retry @ Some(_), .. } if is_open => {
                *retry = None;
                self.out.push_back(Output::Disk(DiskOrder::Room));
            }
            Run::Failed { retry: Some(_), .. } => self.resume(),
            _ => {}
        }
    }

    fn room(&mut self, room: Result<(), DiskError>) {
        let Run::Failed { error, retry } = &mut self.run else { return };
        match room {
            Ok(()) => self.resume(),
            Err(still) => {
                *error = still;
                *retry = Some(self.now.mono + RETRY_FULL_DISK);
            }
        }
    }

    fn timers(&mut self) {
        if let Run::Failed { retry: Some(at), .. } = self.run
            && self.now.mono >= at
        {
            self.ask_for_room();
        }
        let elapsed = self.now.mono - self.last_tick;
        if elapsed >= TICK {
            self.last_tick = self.now.mono;
            self.tick(elapsed);
        }
        if self.next_want().is_some_and(|at| at <= self.now.mono) {
            self.want_peers();
        }
        self.flush_if_due();
        self.dial();
    }

    fn tick(&mut self, elapsed: Duration) {
        self.down.tick(elapsed);
        self.up.tick(elapsed);
        for peer in self.peers.values_mut() {
            peer.down.tick(elapsed);
            peer.up.tick(elapsed);
            peer.fit_request_queue();
        }
        self.drop_idle_peers();
        self.release_snubbed();
        self.request_metadata();
        self.request_hashes();
        self.give_up_waiting_for_leaves();
        self.refresh_interest();
        self.choke_round();
        self.reveal_pieces();
        self.take_turns();
        self.request_from_all();
        self.exchange_peers();
    }

    fn state(&self) -> State {
        match (&self.run, &self.transfer) {
            (Run::Paused, _) => State::Paused,
            (Run::Failed { .. }, _) => State::Failed,
            (Run::Running, None) => State::Metadata,
            (Run::Running, Some(t)) if t.is_checking() => State::Checking,
            (Run::Running, Some(t)) if t.picker.is_complete() => State::Seeding,
            (Run::Running, Some(_)) => State::Downloading,
        }
    }

    fn say_state(&mut self) {
        let state = self.state();
        if self.said != Some(state) {
            self.said = Some(state);
            self.out.push_back(Output::Event(Event::State(state)));
        }
    }

    fn is_running(&self) -> bool {
        self.run == Run::Running
    }

    /// Nothing wanted is missing.
    fn is_complete(&self) -> bool {
        self.transfer.as_ref().is_some_and(|t| t.picker.is_complete())
    }

    #[cfg(debug_assertions)]
    fn check_invariants(&self) {
        for (key, peer) in &self.peers {
            for (i, request) in peer.requests.iter().enumerate() {
                let again = peer.requests.iter().skip(i + 1).take(8).any(|r| r.block == request.block);
                assert!(!again, "{key:?} is asked twice for {:?}", request.block);
            }
            assert!(
                peer.has().is_some() == self.transfer.is_some(),
                "{key:?} learns the piece count with the metadata"
            );
        }
        if let Some(transfer) = &self.transfer {
            transfer.check_invariants();
        }
    }
}
