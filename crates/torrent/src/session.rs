//! The session: all torrents of a node. A cheap handle; every call reaches the task of the torrent that it concerns.

mod add;
mod confined;
mod door;
mod listen;
mod outside;

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use disk::{Disk, DiskConfig, Pool};
use metainfo::{FileIndex, InfoHashes, TorrentFile};
use net::{CarrierPolicy, Clock, Dialler, Gate, GateLimits, Http, Limiter, Lsd, PortMapping};
use tokio::sync::{broadcast, oneshot, watch};
use torrent_proto::torrent::{Torrent, TorrentConfig};
use torrent_proto::wire::PeerId;

use crate::ask::{ASK_QUEUE, Ask, Reply};
use crate::queue::queue;
use crate::reader::FileReader;
use crate::report::REPORT_QUEUE;
use crate::shared::{Handle, Registry, Shared};
use crate::store::{Record, Store};
use crate::task::{PlainPeers, TaskParts, TorrentTask};
use crate::types::*;

/// How many events a slow subscriber may lag behind before it loses the oldest ones. Arbitrary.
const EVENT_QUEUE: usize = 1024;

/// How long uTP connections may take to be closed at the end. Arbitrary; some round trips.
const FAREWELL: Duration = Duration::from_millis(500);

/// What our peer ids begin with (BEP 20): two letters and the version.
const PEER_ID_PREFIX: &[u8; 8] = b"-CO0100-";

/// All torrents of a node.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
    listening: Arc<listen::Listening>,
}

/// How a torrent's task begins.
#[derive(Clone, Copy, Debug, Default)]
struct Launch {
    /// It is not stored yet.
    new: bool,
    /// The content was hashed just now.
    complete: bool,
    /// The metadata is fetched, and nothing else.
    look: bool,
}

impl Session {
    /// Opens the listening sockets, reads the stored torrents and goes on with them.
    pub async fn start(mut config: SessionConfig) -> Result<Session, SessionError> {
        if config.egress.proxy.is_some() {
            config.network = through_proxy(config.network);
            config.listen.clear();
        }
        let system = |error: &dyn std::fmt::Display| SessionError::System(error.to_string());
        let clock = Clock::start();
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| system(&error))?;
        let seed = u64::from_ne_bytes(seed);
        let limits = config.limits.clone();
        let gate = gate(config.gate.as_ref(), &limits);
        let listen::Opened { listeners, addresses, udp } = listen::open(&config, &gate, clock, seed)?;
        let port = addresses.first().map(SocketAddr::port);
        let store = Store::open(config.database).await?;
        let visible = config.egress.narrow(&addresses);
        let dialler = Dialler::new(config.egress.clone(), carriers(&config.network), &udp);
        dialler.set_limit(limits.dials);
        let shared = Arc::new(Shared {
            clock,
            peer_id: draw_peer_id(seed),
            http: Http::new(&config.client.replace(' ', "/"), &config.egress, Some(gate.clone()))?,
            client: config.client,
            port,
            announced: watch::channel(port).0,
            pool: Pool::new(config.resources.memory_bytes / 2),
            disk: Disk::new(disk_config(config.resources)),
            gate,
            dialler,
            udp,
            lsd: config.network.lsd.then(|| Lsd::start(&visible, clock, seed)),
            mapping: config.network.port_mapping.then(|| PortMapping::start(&visible)),
            store,
            events: broadcast::channel(EVENT_QUEUE).0,
            incomplete: config.incomplete,
            preallocate: config.preallocate,
            network: config.network,
            egress: config.egress,
            plain_peers: PlainPeers::default(),
            limits: Mutex::new(limits),
            held: AtomicBool::new(config.held),
            folder: Mutex::new(config.folder),
            registry: Registry::default(),
        });
        outside::follow(&shared);
        let listening = Arc::new(listen::Listening::start(&shared, listeners, addresses));
        let session = Session { shared, listening };
        let mut stored = session.shared.store.records();
        while let Some(records) = stored.next().await? {
            for record in records {
                let id = record.id;
                if let Err(error) = session.launch(record, Launch::default()) {
                    tracing::error!(torrent = %id, %error, "a stored torrent cannot be taken up again");
                }
            }
        }
        Ok(session)
    }

    /// Returns the addresses that are listened on, with the ports that were taken.
    pub fn listen_addrs(&self) -> Vec<SocketAddr> {
        self.listening.addresses.clone()
    }

    /// Returns the DHT, if it is on.
    pub fn dht(&self) -> Option<net::Dht> {
        self.shared.udp.dht.clone()
    }

    /// Returns the gate, for other services to ask.
    pub fn gate(&self) -> Gate {
        self.shared.gate.clone()
    }

    /// Returns the HTTP client, by which torrent files are fetched, and feeds by others.
    pub fn http(&self) -> &Http {
        &self.shared.http
    }

    /// Returns how peers are found and reached.
    pub fn network(&self) -> &NetworkConfig {
        &self.shared.network
    }

    /// Returns by which address and port others reach this node, and what is done for it.
    pub fn network_status(&self) -> NetworkStatus {
        outside::status(&self.shared, &self.listening.addresses)
    }

    /// Waits a moment for the router's first answer, for whoever is about to write our address into a link.
    pub async fn outside_settled(&self) {
        outside::settled(&self.shared).await;
    }

    /// Follows what happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<SessionEvent> {
        self.shared.events.subscribe()
    }

    /// Finds a torrent by one of its hashes.
    pub fn find(&self, hashes: &InfoHashes) -> Option<TorrentId> {
        hashes.wire().find_map(|name| self.shared.registry.find(name)).map(|(id, _)| id)
    }

    /// Returns the ids in the order in which the torrents were added.
    pub fn ids(&self) -> Vec<TorrentId> {
        self.shared.registry.all().into_iter().map(|(id, _)| id).collect()
    }

    /// Returns all torrents as they are now, in the order in which they were added.
    pub async fn list(&self) -> Vec<TorrentStatus> {
        let mut statuses = Vec::new();
        for (id, _) in self.shared.registry.all() {
            // One that is removed meanwhile is left out.
            statuses.extend(self.status(id).await);
        }
        statuses
    }

    /// Names the torrents whose status may be another than at the watcher's last call, for who follows them all without
    /// asking them all. Of a torrent without peers, rates fade and the seeding time grows unnamed.
    pub fn take_changed(&self, watcher: Watcher) -> Vec<TorrentId> {
        self.shared.registry.take_changed(watcher)
    }

    /// Returns a number that is another whenever torrents were added or removed.
    pub fn version(&self) -> u64 {
        self.shared.registry.version()
    }

    /// Returns a torrent as it is now.
    pub async fn status(&self, id: TorrentId) -> Result<TorrentStatus, TorrentError> {
        self.ask(id, Ask::Status).await
    }

    /// Returns a torrent's connections.
    pub async fn peers(&self, id: TorrentId) -> Result<Vec<PeerStatus>, TorrentError> {
        self.ask(id, Ask::Peers).await
    }

    /// Returns a torrent's files; none while the metadata is not known.
    pub async fn files(&self, id: TorrentId) -> Result<Vec<FileStatus>, TorrentError> {
        self.ask(id, Ask::Files).await
    }

    /// Returns which pieces are there, and the availability of at most `runs` runs of them; `None` while the metadata is
    /// not known.
    pub async fn pieces(&self, id: TorrentId, runs: u32) -> Result<Option<PiecesStatus>, TorrentError> {
        self.ask(id, |reply| Ask::Pieces(runs, reply)).await
    }

    /// Returns a torrent's trackers.
    pub async fn trackers(&self, id: TorrentId) -> Result<Vec<TrackerStatus>, TorrentError> {
        self.ask(id, Ask::Trackers).await
    }

    /// Returns a torrent's web seeds.
    pub async fn web_seeds(&self, id: TorrentId) -> Result<Vec<WebSeedStatus>, TorrentError> {
        self.ask(id, Ask::WebSeeds).await
    }

    /// Returns the ways in which a torrent finds peers, and what each gave.
    pub async fn sources(&self, id: TorrentId) -> Result<Vec<SourceStatus>, TorrentError> {
        self.ask(id, Ask::Sources).await
    }

    /// Returns a magnet link without peer hints.
    pub async fn magnet(&self, id: TorrentId) -> Result<String, TorrentError> {
        self.ask(id, Ask::Magnet).await
    }

    /// Returns the torrent as the bytes of a .torrent file.
    pub async fn torrent_file(&self, id: TorrentId) -> Result<Bytes, TorrentError> {
        self.ask(id, Ask::TorrentFile).await?
    }

    /// Stops a torrent's transfers until [`Session::resume`].
    pub async fn pause(&self, id: TorrentId) -> Result<(), TorrentError> {
        self.ask(id, Ask::Pause).await
    }

    /// Starts a torrent again, also after a failure.
    pub async fn resume(&self, id: TorrentId) -> Result<(), TorrentError> {
        self.ask(id, Ask::Resume).await
    }

    /// Forgets a torrent; with `with_data` its files are removed from the disk.
    pub async fn remove(&self, id: TorrentId, with_data: bool) -> Result<(), TorrentError> {
        self.ask(id, |reply| Ask::Remove { with_data, reply }).await?
    }

    /// Hashes everything on disk again.
    pub async fn recheck(&self, id: TorrentId) -> Result<(), TorrentError> {
        self.ask(id, Ask::Recheck).await
    }

    /// Changes how much files are wanted.
    pub async fn prioritise(&self, id: TorrentId, files: Vec<(FileIndex, Priority)>) -> Result<(), TorrentError> {
        self.ask(id, |reply| Ask::Prioritise(files, reply)).await?
    }

    /// Fetches pieces in order, or no longer.
    pub async fn sequential(&self, id: TorrentId, on: bool) -> Result<(), TorrentError> {
        self.ask(id, |reply| Ask::Sequential(on, reply)).await
    }

    /// Has these bytes of a file fetched first, in order; at most 256 pieces. Replaces what an earlier call asked for.
    pub async fn read(&self, id: TorrentId, file: FileIndex, bytes: Range<u64>) -> Result<(), TorrentError> {
        self.ask(id, |reply| Ask::Read(file, bytes, reply)).await?
    }

    /// Opens a file for reading while it is fetched: what the reader is at comes first.
    pub async fn open_file(&self, id: TorrentId, file: FileIndex) -> Result<FileReader, TorrentError> {
        self.ask(id, |reply| Ask::Open(file, reply)).await?
    }

    /// Offers pieces one by one, or no longer (BEP 16).
    pub async fn super_seed(&self, id: TorrentId, on: bool) -> Result<(), TorrentError> {
        self.ask(id, |reply| Ask::SuperSeed(on, reply)).await
    }

    /// Changes a torrent's limits; takes effect at once.
    pub async fn limit(&self, id: TorrentId, limits: TorrentLimits) -> Result<(), TorrentError> {
        self.ask(id, |reply| Ask::Limit(limits, reply)).await
    }

    /// Changes when seeding ends.
    pub async fn seed_goal(&self, id: TorrentId, goal: SeedGoal) -> Result<(), TorrentError> {
        self.ask(id, |reply| Ask::Goal(goal, reply)).await
    }

    /// Changes the limits over all torrents; takes effect at once.
    pub fn set_limits(&self, limits: Limits) {
        set_budget(&self.shared.gate, &limits);
        self.shared.dialler.set_limit(limits.dials);
        *self.shared.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        for (_, handle) in self.shared.registry.all() {
            // A torrent with a full queue reads the limits with its next change of its own.
            let _ = handle.asks.try_send(Ask::GlobalLimits);
        }
    }

    /// Returns where content goes when an [`Add`] names no folder.
    pub fn folder(&self) -> PathBuf {
        self.shared.folder()
    }

    /// Changes where content goes when an [`Add`] names no folder; torrents that are here stay where they are.
    pub fn set_folder(&self, folder: PathBuf) {
        *self.shared.folder.lock().unwrap_or_else(PoisonError::into_inner) = folder;
    }

    /// Changes how much of the computer is used; takes effect with what is begun next. What uTP holds stays as it was at the
    /// start.
    pub fn set_resources(&self, resources: Resources) {
        self.shared.pool.set_budget(resources.memory_bytes / 2);
        self.shared.disk.reconfigure(&disk_config(resources));
        for (_, handle) in self.shared.registry.all() {
            // One with a full queue asks for room by itself, some seconds later.
            let _ = handle.asks.try_send(Ask::RoomMade);
        }
    }

    /// Returns how many bytes the content takes of which anything was fetched; [`Resources::most_bytes`].
    pub fn taken_bytes(&self) -> u64 {
        self.shared.disk.taken_bytes()
    }

    /// Returns on how many threads content is checked; also how many may hash what is shared.
    pub fn check_threads(&self) -> usize {
        self.shared.disk.check_threads()
    }

    /// Lets all torrents rest, or go on; those that are paused themselves stay so.
    pub fn hold(&self, held: bool) {
        if self.shared.held.swap(held, Ordering::Relaxed) == held {
            return;
        }
        for (id, handle) in self.shared.registry.all() {
            if handle.asks.try_send(Ask::Held).is_err() {
                // A torrent with a full queue learns of it by the gate, which ends its connections.
                tracing::warn!(torrent = %id, held, "a torrent is too busy to be told of the pause");
            }
        }
    }

    /// Returns the limits over all torrents.
    pub fn limits(&self) -> Limits {
        self.shared.limits()
    }

    /// Moves the content to another folder; seeding goes on. Returns when it is done.
    pub async fn move_to(&self, id: TorrentId, folder: PathBuf) -> Result<(), TorrentError> {
        self.ask(id, |reply| Ask::MoveTo(folder, reply)).await?
    }

    /// Tries a peer, given as `host:port`.
    pub async fn add_peer(&self, id: TorrentId, peer: &str) -> Result<(), TorrentError> {
        let handle = self.shared.registry.get(id).ok_or(TorrentError::Unknown(id))?;
        if handle.confined {
            return Err(TorrentError::Confined);
        }
        let addresses = self.resolve(peer).await.map_err(TorrentError::Input)?;
        handle.asks.send(Ask::Candidates(Source::Hint, addresses)).await.map_err(|_| TorrentError::Unknown(id))
    }

    /// Asks the trackers again as soon as they allow it.
    pub async fn reannounce(&self, id: TorrentId) -> Result<(), TorrentError> {
        let handle = self.shared.registry.get(id).ok_or(TorrentError::Unknown(id))?;
        handle.asks.send(Ask::Reannounce).await.map_err(|_| TorrentError::Unknown(id))
    }

    /// Tells the trackers, makes everything durable and stops all tasks. Takes a few seconds at most.
    pub async fn shutdown(&self) {
        self.shared.registry.close();
        self.listening.stop();
        let mut ends = Vec::new();
        for (_, handle) in self.shared.registry.all() {
            let (reply, end) = oneshot::channel();
            if handle.asks.send(Ask::Shutdown(reply)).await.is_ok() {
                ends.push(end);
            }
        }
        for end in ends {
            // A task that ended otherwise has nothing left to do.
            let _ = end.await;
        }
        if let Some(mapping) = &self.shared.mapping {
            mapping.stop().await;
        }
        // Remote ends that hear of it need not wait for their time limits.
        let _ = tokio::time::timeout(FAREWELL, self.shared.udp.finish()).await;
        if let Err(error) = self.shared.store.flush().await {
            tracing::warn!(%error, "cannot store the state of the torrents; the next run may check them again");
        }
    }

    /// Asks a torrent's task and waits for its answer.
    async fn ask<T>(&self, id: TorrentId, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, TorrentError> {
        let handle = self.shared.registry.get(id).ok_or(TorrentError::Unknown(id))?;
        let (reply, answer) = oneshot::channel();
        handle.asks.send(ask(reply)).await.map_err(|_| TorrentError::Unknown(id))?;
        answer.await.map_err(|_| TorrentError::Unknown(id))
    }

    /// Starts a torrent's task.
    fn launch(&self, mut record: Record, launch: Launch) -> Result<(), AddError> {
        let Launch { new, complete, look } = launch;
        let shared = &self.shared;
        let (asks_sender, asks) = queue(ASK_QUEUE);
        let (own_reports, reports) = queue(REPORT_QUEUE);
        let mut hashes = record.hashes;
        let file = match &record.file {
            Some(bytes) => Some(
                TorrentFile::from_bytes(bytes)
                    .map_err(|error| AddError::Source { input: record.id.to_string(), reason: error.to_string() })?,
            ),
            None => None,
        };
        if let Some(file) = &file {
            hashes = file.hashes();
        }
        if !new {
            // It lies in the database.
            record.file = None;
        }
        let nodes = file.as_ref().map(|file| file.nodes.clone()).unwrap_or_default();
        let only_files = record.only_files.as_deref().and_then(add::parse_ranges);
        let limits = shared.limits();
        let mut announced = shared.announced.subscribe();
        let config = TorrentConfig {
            hashes,
            piece_layers: file.as_ref().map(|file| file.piece_layers.clone()).unwrap_or_default(),
            info: file.map(|file| file.info),
            resume: record.resume.clone(),
            complete,
            confined: record.confined,
            paused: record.paused && !look || shared.is_held(),
            priorities: record.priorities.clone(),
            only_files,
            sequential: record.sequential,
            super_seed: record.super_seed,
            upload_slots: record.limits.upload_slots.or(limits.upload_slots),
            max_peers: limits.of_torrent(record.limits.connections),
            peer_id: shared.peer_id,
            listen_port: *announced.borrow_and_update(),
            pex: shared.network.pex,
            holepunch: shared.network.holepunch && shared.network.utp,
            prefers_encryption: shared.network.encryption != Encryption::Off,
            dht_port: shared.dht_port(),
            client: shared.client.clone(),
            seed: fastrand::u64(..),
        };
        let connections = limits.cap(record.limits.connections);
        let handle = Handle {
            hashes,
            asks: asks_sender.clone(),
            reports: own_reports.clone(),
            connections,
            confined: record.confined,
            audience: Default::default(),
            changed: Arc::new(AtomicU8::new(u8::MAX)),
        };
        let changed = handle.changed.clone();
        shared.registry.insert(record.id, handle).map_err(|taken| match taken {
            Some(id) => AddError::Source { input: id.to_string(), reason: "this torrent is here already".to_owned() },
            None => AddError::ShuttingDown,
        })?;
        if new {
            // Before anything that the torrent itself tells.
            shared.event(SessionEvent::Added(record.id));
        }
        let machine = Torrent::new(shared.clock.now(), config);
        let limiter = Limiter::new(record.limits.down_bytes_per_s, record.limits.up_bytes_per_s);
        let remembered: Vec<SocketAddr> = record.peers.iter().filter_map(|peer| peer.parse().ok()).collect();
        if !remembered.is_empty() {
            // The queue is empty still, so there is room.
            let _ = asks_sender.try_send(Ask::Candidates(Source::Resume, remembered));
        }
        let own_asks = asks_sender.downgrade();
        let shared = shared.clone();
        TorrentTask::spawn(TaskParts {
            shared,
            machine,
            announced,
            record,
            nodes,
            limiter,
            changed,
            new,
            look,
            asks,
            own_asks,
            reports,
            own_reports,
        });
        Ok(())
    }
}

/// Returns what of the limits is the gate's.
pub fn gate_limits(limits: &Limits) -> GateLimits {
    GateLimits {
        connections: limits.connections,
        per_torrent: limits.connections_per_torrent,
        per_address: limits.connections_per_address,
        per_person: limits.connections_per_person,
    }
}

/// Takes the gate that the node has, or makes one.
fn gate(given: Option<&Gate>, limits: &Limits) -> Gate {
    let gate = given.cloned().unwrap_or_else(|| Gate::new(gate_limits(limits)));
    set_budget(&gate, limits);
    gate
}

fn set_budget(gate: &Gate, limits: &Limits) {
    gate.set_limits(gate_limits(limits));
    let all = net::Rates { down: limits.down_bytes_per_s, up: limits.up_bytes_per_s };
    gate.budget().set(net::Shares { all, ..gate.budget().shares() });
}

/// A proxy carries TCP that we open: everything else would pass beside it.
fn through_proxy(network: NetworkConfig) -> NetworkConfig {
    NetworkConfig { dht: None, lsd: false, tcp: true, utp: false, port_mapping: false, holepunch: false, ..network }
}

fn carriers(network: &NetworkConfig) -> CarrierPolicy {
    CarrierPolicy { tcp: network.tcp, utp: network.utp, prefer: network.prefer }
}

/// How many threads serve the disk where nobody says. Measured: one keeps up with a fast network, the second one with what
/// comes in bursts.
const DISK_THREADS: usize = 2;

/// Half of the memory is for what arrives.
fn disk_config(resources: Resources) -> DiskConfig {
    DiskConfig {
        threads: resources.threads.unwrap_or(DISK_THREADS),
        check_threads: resources.threads,
        read_budget: resources.memory_bytes / 2,
        keep_bytes: resources.memory_bytes / 8,
        keep_free_bytes: resources.keep_free_bytes,
        most_bytes: resources.most_bytes,
        ..DiskConfig::default()
    }
}

/// Draws the peer id of this run: a new one each time, so that nobody is followed by it.
fn draw_peer_id(seed: u64) -> PeerId {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut id = [0; 20];
    id[..8].copy_from_slice(PEER_ID_PREFIX);
    id[8..].fill_with(|| rng.alphanumeric() as u8);
    PeerId(id)
}
