//! The torrent task: owns one torrent's state machine by value and carries out what it decides.
//!
//! It awaits only its inputs: reports of its connections, answers of the disk, asks of the session, ended tasks, the
//! timer. Nothing that it sends waits: an order that finds a peer's queue full ends that peer, everything else has a
//! queue bounded by what was ordered before.
//!
//! Invariant: every `Connected` handed to the machine is followed by exactly one `Disconnected`, when the connection's
//! entry leaves `connections`: by its last report, or, if it was aborted or panicked, by the end of its task.

mod answers;
mod dial;
mod outputs;
mod reading;
mod sources;

pub(crate) use dial::{PlainPeers, established};

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use base::{Instant, NodeId, WallTime};
use disk::StorageConfig;
use metainfo::PieceIndex;
use net::{Carrier, Limiter, Pass};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use torrent_proto::torrent::{
    Command, Connected, Direction, DiskAnswer, Input, PeerKey, PeerKind, Source, State, Torrent,
};
use torrent_proto::tracker::announcer::Progress;

use crate::ask::Ask;
use crate::discovery::{Discovery, DiscoveryParts};
use crate::haves::Haves;
use crate::peer::{End, PeerParts, PeerTask};
use crate::queue::{Receiver, Sender, WeakSender, queue};
use crate::report::{Established, ORDER_QUEUE, Order, Report, StorageSlot};
use crate::shared::Shared;
use crate::store::Record;
use crate::tracker::{TrackerOrder, Trackers};
use crate::types::{PeerEncryption, SessionEvent, TorrentError};
use crate::web_seed::WebSeeds;
use reading::Readers;

/// How many inputs are handled before the other queues have their turn.
const AT_ONCE: usize = 64;

/// Answers of the disk that wait at once: as good as no limit, since the orders given are one; the number is the largest
/// that a queue can count to.
const MAX_ANSWERS: usize = tokio::sync::Semaphore::MAX_PERMITS;

/// How often what is only looked at is brought up to date: the trackers' numbers, the goals.
const TICK: Duration = Duration::from_secs(1);

/// How long an end waits for the disk and the trackers together. A person waits for it.
const END_LIMIT: Duration = Duration::from_secs(6);

/// What a torrent task is made of.
#[derive(Debug)]
pub(crate) struct TaskParts {
    pub shared: Arc<Shared>,
    pub machine: Torrent,
    /// By which port others reach us; what it is now the machine knows.
    pub announced: watch::Receiver<Option<u16>>,
    pub record: Record,
    /// Nodes of the DHT that the torrent file names.
    pub nodes: Vec<(String, u16)>,
    pub limiter: Limiter,
    /// Where it marks that its status may be another.
    pub changed: Arc<AtomicU8>,
    /// It is not stored yet.
    pub new: bool,
    /// It is paused, but for its metadata, which is fetched.
    pub look: bool,
    pub asks: Receiver<Ask>,
    pub own_asks: WeakSender<Ask>,
    pub reports: Receiver<Report>,
    pub own_reports: Sender<Report>,
}

/// One connection, seen from its torrent.
#[derive(Debug)]
struct Connection {
    orders: mpsc::Sender<Order>,
    task: AbortHandle,
    encryption: PeerEncryption,
    carrier: Carrier,
    /// A web seed's URL.
    url: Option<String>,
    /// Counted at the gate until the connection is gone.
    _pass: Option<Pass>,
}

/// What a spawned task was for, in case it ends without a report.
#[derive(Clone, Copy, Debug)]
enum Errand {
    Peer(PeerKey),
    Dial(SocketAddr),
}

/// What payload moved, and when. Amounts are pairs: received, sent.
#[derive(Debug)]
struct Payload {
    /// What earlier runs moved.
    earlier: (u64, u64),
    /// What had moved at the last look, in all runs.
    seen: (u64, u64),
    /// When something was seen to have been sent; before that, when the task began.
    sent: Instant,
    /// When something was seen to have been sent or received.
    moved: Option<WallTime>,
}

/// How the task is to end.
#[derive(Debug)]
enum Ending {
    Shutdown(oneshot::Sender<()>),
    Remove { with_data: bool, reply: oneshot::Sender<Result<(), TorrentError>> },
}

/// The state of a torrent task.
#[derive(Debug)]
pub(crate) struct TorrentTask {
    shared: Arc<Shared>,
    machine: Torrent,
    announced: watch::Receiver<Option<u16>>,
    record: Record,
    limiter: Limiter,
    changed: Arc<AtomicU8>,
    asks: Receiver<Ask>,
    own_asks: WeakSender<Ask>,
    reports: Receiver<Report>,
    own_reports: Sender<Report>,
    answers: Receiver<DiskAnswer>,
    /// Bounded by the orders given: see `Disk::open`.
    answers_sender: Sender<DiskAnswer>,
    storage: StorageSlot,
    /// Counts what the files take of a torrent that is not opened: paused since the start.
    counted: Option<disk::Storage>,
    haves: Arc<Haves>,
    /// Pieces since the list was last told.
    new_haves: Vec<PieceIndex>,
    /// When it was told last.
    last_tell: Instant,
    connections: BTreeMap<PeerKey, Connection>,
    /// Of a confined torrent: the nodes that may have it, by their stand-ins.
    nodes: BTreeMap<SocketAddr, NodeId>,
    next_key: u32,
    tasks: JoinSet<()>,
    errands: HashMap<tokio::task::Id, Errand>,
    trackers: Trackers,
    discovery: Discovery,
    web_seeds: WebSeeds,
    readers: Readers,
    state: Option<State>,
    /// Since when the seeding time runs.
    seeding_since: Option<Instant>,
    payload: Payload,
    last_tick: Instant,
    error: Option<String>,
    /// The machine answered the last pause: everything is durable.
    settled: bool,
    ending: Option<Ending>,
    /// When an end no longer waits for the disk: what is not flushed is checked by the next run.
    end_by: Option<Instant>,
    /// It began paused, but for its metadata.
    look: bool,
}

impl TorrentTask {
    /// Spawns the task.
    pub(crate) fn spawn(parts: TaskParts) {
        let TaskParts { shared, machine, announced, record, nodes, limiter, changed, new, look, .. } = parts;
        let TaskParts { asks, own_asks, reports, own_reports, .. } = parts;
        let tiers = if record.no_tracker || record.confined { &[][..] } else { &record.trackers[..] };
        let mut trackers = Trackers::none();
        trackers.spawn(shared.clone(), record.id, record.hashes, tiers, own_asks.clone());
        let discovery = Discovery::spawn(DiscoveryParts {
            shared: shared.clone(),
            id: record.id,
            hashes: record.hashes,
            nodes,
            asks: own_asks.clone(),
            progress: trackers.progress.subscribe(),
        });
        let web_seeds = WebSeeds::new(&record.web_seeds);
        // Bounded by the orders that are under way, and those by the permits for payload.
        let (answers_sender, answers) = queue(MAX_ANSWERS);
        let last_tick = shared.clock.mono();
        let earlier = record.resume.as_ref().map_or((0, 0), |resume| (resume.downloaded, resume.uploaded));
        // Boxed, since a task holds what it is begun with twice.
        let mut task = Box::new(TorrentTask {
            shared,
            machine,
            announced,
            record,
            limiter,
            changed,
            asks,
            own_asks,
            reports,
            own_reports,
            answers,
            answers_sender,
            storage: StorageSlot::default(),
            counted: None,
            haves: Haves::new(),
            new_haves: Vec::new(),
            last_tell: last_tick,
            connections: BTreeMap::new(),
            nodes: BTreeMap::new(),
            next_key: 0,
            tasks: JoinSet::new(),
            errands: HashMap::new(),
            trackers,
            discovery,
            web_seeds,
            readers: Readers::default(),
            state: None,
            seeding_since: None,
            payload: Payload { earlier, seen: earlier, sent: last_tick, moved: None },
            last_tick,
            error: None,
            settled: false,
            ending: None,
            end_by: None,
            look,
        });
        if new {
            task.save();
        }
        task.count_unopened();
        tokio::spawn(task.run());
    }

    async fn run(mut self: Box<Self>) {
        self.drain();
        if self.look {
            self.command(Command::PauseWithMetadata);
        }
        self.command(Command::MappedDhtPort(self.shared.mapped_udp_port()));
        let mut ended = false;
        while !ended {
            self.tick_if_due();
            let due = self.due();
            let mut is_changed = true;
            tokio::select! {
                Some(report) = self.reports.recv() => {
                    self.report(report);
                    for _ in 1..AT_ONCE {
                        let Some(report) = self.reports.try_recv() else { break };
                        self.report(report);
                    }
                }
                Some(answer) = self.answers.recv() => {
                    self.input(Input::Disk(answer));
                    for _ in 1..AT_ONCE {
                        let Some(answer) = self.answers.try_recv() else { break };
                        self.input(Input::Disk(answer));
                    }
                }
                ask = self.asks.recv() => match ask {
                    Some(ask) => {
                        is_changed = !ask.only_looks();
                        self.ask(ask);
                    }
                    // The session is gone without a word: nobody is left to work for.
                    None => return,
                },
                Some(done) = self.tasks.join_next_with_id() => self.task_ended(done),
                Ok(()) = self.announced.changed() => {
                    let port = *self.announced.borrow_and_update();
                    self.command(Command::ListenPort(port));
                    self.command(Command::MappedDhtPort(self.shared.mapped_udp_port()));
                }
                () = self.shared.clock.sleep_until(due) => {
                    // Where nobody is connected, the tick finds nothing but another second.
                    is_changed = !self.connections.is_empty();
                    if self.machine.poll_timeout().is_some_and(|at| at <= self.shared.clock.mono()) {
                        is_changed = true;
                        self.input(Input::Timeout);
                    }
                    self.tell_haves();
                }
            }
            if is_changed {
                self.changed.store(u8::MAX, Ordering::Relaxed);
            }
            let late = self.end_by.is_some_and(|at| at <= self.shared.clock.mono());
            ended = self.ending.is_some() && (self.settled || late);
        }
        self.end().await;
    }

    /// When something is due that no queue will bring.
    fn due(&self) -> Option<Instant> {
        let by_clock = self.record.goal.time.is_some() || self.record.goal.idle.is_some();
        let busy = !self.connections.is_empty() || by_clock && self.seeding_since.is_some();
        let tick = busy.then(|| self.last_tick + TICK);
        let web_seeds = self.web_seeds.due().filter(|_| self.state == Some(State::Downloading));
        let tell = (!self.new_haves.is_empty()).then(|| self.last_tell + outputs::TELL_EVERY);
        [self.machine.poll_timeout(), tick, web_seeds, tell, self.end_by].into_iter().flatten().min()
    }

    /// Hands an input to the machine and does what comes of it.
    fn input(&mut self, input: Input) {
        self.machine.handle(self.shared.clock.now(), input);
        self.drain();
    }

    fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Established(established) => self.established(*established),
            Report::DialFailed(address) => self.input(Input::DialFailed { address }),
            Report::Ended(peer) => self.gone(peer),
            Report::WebSeedFailed { url, failure } => {
                tracing::debug!(torrent = %self.record.id, %url, %failure, "a web seed failed");
                if failure.fatal {
                    tracing::info!(torrent = %self.record.id, %url, %failure, "a web seed is of no use");
                }
                self.web_seeds.failed(&url, &failure, self.shared.clock.mono());
            }
            Report::Received { peer, messages } if self.connections.contains_key(&peer) => {
                if let Some(url) = self.connections.get(&peer).and_then(|connection| connection.url.as_ref()) {
                    self.web_seeds.delivered(url);
                }
                self.input(Input::Received { peer, messages });
            }
            Report::Uploaded { peer, blocks } if self.connections.contains_key(&peer) => {
                self.input(Input::Uploaded { peer, blocks });
            }
            Report::UploadFailed { peer, blocks, error } if self.connections.contains_key(&peer) => {
                self.input(Input::UploadFailed { peer, blocks, error });
            }
            // Of a connection that was aborted meanwhile.
            Report::Received { .. } | Report::Uploaded { .. } | Report::UploadFailed { .. } => {}
        }
    }

    /// Takes up a connection whose handshakes are done.
    fn established(&mut self, established: Established) {
        let Established { stream, pass, address, direction, source, info_hash, reserved, peer_id } = established;
        let (encryption, carrier) = (stream.encryption(), stream.carrier());
        let (down, up) = pass.meters(Some(&self.limiter));
        let peer = self.new_key();
        let (orders, queue) = mpsc::channel(ORDER_QUEUE);
        let task = PeerTask::new(PeerParts {
            key: peer,
            stream,
            reports: self.own_reports.clone(),
            orders: queue,
            haves: self.haves.cursor(),
            storage: self.storage.clone(),
            pool: self.shared.pool.clone(),
            down,
            up,
        });
        let (reports, id, revoked) = (self.own_reports.clone(), self.record.id, pass.revoked());
        let handle = self.tasks.spawn(async move {
            let end = tokio::select! {
                end = task.run() => end,
                refusal = revoked => End::Refused(refusal),
            };
            tracing::debug!(torrent = %id, %address, reason = %end, "a connection ended");
            // The torrent's end is the only reason for this to fail.
            let _ = reports.send(Report::Ended(peer)).await;
        });
        self.errands.insert(handle.id(), Errand::Peer(peer));
        let connection = Connection { orders, task: handle, encryption, carrier, url: None, _pass: Some(pass) };
        self.connections.insert(peer, connection);
        let kind = PeerKind::Wire;
        self.input(Input::Connected(Connected {
            peer,
            address,
            direction,
            source,
            kind,
            info_hash,
            utp: carrier == net::Carrier::Utp,
            reserved,
            peer_id,
        }));
    }

    fn new_key(&mut self) -> PeerKey {
        // Four billion connections in one torrent's run do not happen: at a hundred a second they take a year.
        self.next_key = self.next_key.wrapping_add(1);
        PeerKey(self.next_key)
    }

    /// Tells the machine once that a connection is gone.
    fn gone(&mut self, peer: PeerKey) {
        if let Some(connection) = self.connections.remove(&peer) {
            if let Some(url) = &connection.url {
                self.web_seeds.ended(url, self.shared.clock.mono());
            }
            self.input(Input::Disconnected { peer });
        }
    }

    fn task_ended(&mut self, done: Result<(tokio::task::Id, ()), JoinError>) {
        let (task, orderly) = match &done {
            Ok((task, ())) => (*task, true),
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(torrent = %self.record.id, %error, "a task panicked: this is a bug");
                }
                (error.id(), false)
            }
        };
        // Orderly ends were reported by the task itself, behind everything else that it had to say.
        match self.errands.remove(&task) {
            Some(Errand::Peer(peer)) if !orderly => self.gone(peer),
            Some(Errand::Dial(address)) if !orderly => self.input(Input::DialFailed { address }),
            _ => {}
        }
    }

    /// Brings up to date what is only looked at.
    fn tick_if_due(&mut self) {
        let now = self.shared.clock.mono();
        if now - self.last_tick >= TICK {
            self.last_tick = now;
            self.publish_progress();
            self.note_payload();
            self.check_goal();
        }
        self.start_web_seeds();
    }

    fn publish_progress(&self) {
        let status = self.machine.status();
        let max_peers = self.max_peers();
        let left = status.has_metadata.then(|| status.total_bytes.saturating_sub(self.bytes_had(&status)));
        self.trackers.progress.send_replace(Progress {
            uploaded: status.uploaded_bytes,
            downloaded: status.downloaded_bytes,
            left,
            partial_seed: left.is_some_and(|left| left > 0) && status.state == State::Seeding,
            want: max_peers.saturating_sub(status.peers_connected),
        });
    }

    /// Notes whether payload moved since the last look.
    fn note_payload(&mut self) {
        let (now, status) = (self.shared.clock.now(), self.machine.status());
        let bytes = (status.downloaded_bytes, status.uploaded_bytes);
        let before = std::mem::replace(&mut self.payload.seen, bytes);
        if before != bytes {
            self.payload.moved = Some(now.wall);
        }
        if before.1 != bytes.1 {
            self.payload.sent = now.mono;
        }
    }

    /// Bytes that are here, wanted or not, as trackers count.
    fn bytes_had(&self, status: &torrent_proto::torrent::Status) -> u64 {
        if status.pieces_done == status.piece_count {
            return status.total_bytes;
        }
        status.done_bytes
    }

    /// Time spent seeding, over all runs.
    fn seeding_time(&self) -> Duration {
        let now = self.shared.clock.mono();
        self.record.seeding_time + self.seeding_since.map_or(Duration::ZERO, |since| now - since)
    }

    fn check_goal(&mut self) {
        if self.state != Some(State::Seeding) {
            return;
        }
        let (now, status) = (self.shared.clock.mono(), self.machine.status());
        let idle_since = self.seeding_since.map_or(now, |since| since.max(self.payload.sent));
        let by_time = self.record.goal.time.is_some_and(|goal| self.seeding_time() >= goal);
        let by_ratio = self.record.goal.ratio.is_some_and(|goal| self.ratio(&status) >= goal);
        let by_rest = self.record.goal.idle.is_some_and(|goal| now - idle_since >= goal);
        if by_time || by_ratio || by_rest {
            tracing::info!(torrent = %self.record.id, "a seeding goal is reached");
            self.record.paused = true;
            self.command(Command::Pause);
            self.save();
            self.shared.event(SessionEvent::GoalReached(self.record.id));
        }
    }

    fn ratio(&self, status: &torrent_proto::torrent::Status) -> f64 {
        // What was here from the start was not downloaded: its size takes that place.
        let base = if status.downloaded_bytes >= status.total_bytes / 2 {
            status.downloaded_bytes
        } else {
            status.total_bytes
        };
        if base == 0 { 0.0 } else { status.uploaded_bytes as f64 / base as f64 }
    }

    fn max_peers(&self) -> u32 {
        self.shared.limits().of_torrent(self.record.limits.connections)
    }

    /// Stores what a restart needs. The .torrent file is handed over: from then on it lies in the database alone.
    fn save(&mut self) {
        let file = self.record.file.take();
        let record = Record { seeding_time: self.seeding_time(), file, ..self.record.clone() };
        self.shared.store.save(record);
    }

    fn open_storage(&self, info: Arc<metainfo::Info>) -> disk::Storage {
        let answers = self.answers_sender.clone();
        // Only a torrent that is gone takes no answer.
        self.shared.disk.open(self.storage_config(info), move |answer| drop(answers.try_send(answer)))
    }

    /// Has what was fetched in former runs counted, until the files are opened.
    fn count_unopened(&mut self) {
        let info = self.machine.info().filter(|_| self.machine.status().state == State::Paused).cloned();
        let config = info.map(|info| self.storage_config(info)).filter(|config| config.fetched);
        self.counted = config.map(|config| self.shared.disk.count(config));
    }

    /// Tells whether what lies under its names is its own, before the files are opened: an earlier run put it there, or it
    /// was hashed there just before it was added.
    fn has_files(&self) -> bool {
        self.record.resume.is_some() || self.record.completed.is_some()
    }

    fn storage_config(&self, info: Arc<metainfo::Info>) -> StorageConfig {
        StorageConfig {
            incomplete: self.shared.incomplete.for_disk(),
            preallocate: self.shared.preallocate,
            known: self.has_files(),
            fetched: self.record.resume.as_ref().is_some_and(|resume| resume.downloaded > 0),
            wanted: self.record.priorities.iter().map(|&p| p != torrent_proto::torrent::Priority::Skip).collect(),
            ..StorageConfig::new(info, self.record.folder.clone())
        }
    }

    /// Starts web seeds that are due, while something is to be fetched.
    fn start_web_seeds(&mut self) {
        if self.state != Some(State::Downloading) || self.ending.is_some() {
            return;
        }
        let Some(info) = self.machine.info().cloned() else { return };
        for url in self.web_seeds.take_due(self.shared.clock.mono()) {
            let peer = self.new_key();
            let (orders, queue) = mpsc::channel(ORDER_QUEUE);
            let task = crate::web_seed::WebSeedTask::new(
                peer,
                url.clone(),
                info.clone(),
                self.shared.clone(),
                self.limiter.clone(),
                self.own_reports.clone(),
                queue,
            );
            let (reports, failed) = (self.own_reports.clone(), url.clone());
            let handle = self.tasks.spawn(async move {
                if let Err(failure) = task.run().await {
                    let _ = reports.send(Report::WebSeedFailed { url: failed, failure }).await;
                }
                let _ = reports.send(Report::Ended(peer)).await;
            });
            self.errands.insert(handle.id(), Errand::Peer(peer));
            self.connections.insert(
                peer,
                Connection {
                    orders,
                    task: handle,
                    encryption: PeerEncryption::None,
                    carrier: Carrier::Tcp,
                    url: Some(url),
                    _pass: None,
                },
            );
            self.input(Input::Connected(Connected {
                peer,
                address: SocketAddr::from(([0, 0, 0, 0], 0)),
                direction: Direction::Outgoing,
                source: Source::WebSeed,
                kind: PeerKind::WebSeed,
                info_hash: self.record.hashes.key(),
                utp: false,
                reserved: Default::default(),
                peer_id: torrent_proto::wire::PeerId(*b"-CO-web-seed--------"),
            }));
        }
    }

    /// After the machine has settled: says goodbye, stores, removes what is to be removed.
    async fn end(&mut self) {
        self.publish_progress();
        let (reply, told) = oneshot::channel();
        self.trackers.order(TrackerOrder::Stop(Some(reply)));
        self.record.seeding_time = self.seeding_time();
        self.seeding_since = None;
        match self.ending.take() {
            Some(Ending::Shutdown(reply)) => {
                self.save();
                let _ = tokio::time::timeout(END_LIMIT, told).await;
                let _ = reply.send(());
            }
            Some(Ending::Remove { with_data, reply }) => {
                self.shared.registry.remove(self.record.id);
                self.shared.store.remove(self.record.id);
                let outcome = if with_data { self.remove_files().await } else { Ok(()) };
                self.shared.event(SessionEvent::Removed(self.record.id));
                let _ = reply.send(outcome);
                let _ = tokio::time::timeout(END_LIMIT, told).await;
            }
            None => {}
        }
        self.tasks.shutdown().await;
    }

    async fn remove_files(&mut self) -> Result<(), TorrentError> {
        if self.storage.get().is_none()
            && self.has_files()
            && let Some(info) = self.machine.info().cloned()
        {
            // Paused since the start of this run: the files were never opened.
            self.storage.set(self.open_storage(info));
        }
        // Else it was never begun: what lies under its names was there before.
        let Some(storage) = self.storage.get() else { return Ok(()) };
        let (sender, receiver) = oneshot::channel();
        storage.remove_files(move |outcome| drop(sender.send(outcome)));
        match receiver.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(TorrentError::Disk(error.message)),
            Err(_) => Err(TorrentError::Disk("the disk is closed".to_owned())),
        }
    }

    /// Notes that everything wanted is here.
    fn note_complete(&mut self) {
        if self.record.completed.is_none() {
            self.record.completed = Some(WallTime(self.shared.clock.now().wall.0));
            self.save();
        }
    }
}
