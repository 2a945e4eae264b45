//! What all tasks of a session share: handles, and the table of torrents.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::NodeId;
use disk::{Disk, Pool};
use metainfo::{InfoHashV1, InfoHashes};
use net::{Clock, Dialler, Gate, Http, Lsd, PortMapping, Udp};
use tokio::sync::{broadcast, watch};
use torrent_proto::wire::PeerId;
use torrent_proto::wire::mse::{ObfuscatedName, obfuscated_name};

use crate::ask::Ask;
use crate::peer::handshake::Ours;
use crate::queue::Sender;
use crate::report::Report;
use crate::store::Store;
use crate::task::PlainPeers;
use crate::types::{Incomplete, Limits, NetworkConfig, SessionEvent, TorrentId, Watcher};

/// Handles that every torrent needs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub clock: Clock,
    pub peer_id: PeerId,
    pub client: String,
    /// The port that we listen on; `None`: on none.
    pub port: Option<u16>,
    /// The port by which others reach us: what a router maps to `port`, or else `port` itself. What we say elsewhere
    /// than in the local network names this one.
    pub announced: watch::Sender<Option<u16>>,
    pub pool: Pool,
    pub disk: Disk,
    pub gate: Gate,
    pub dialler: Dialler,
    pub http: Http,
    pub udp: Udp,
    /// Finds peers in this network; `None`: switched off.
    pub lsd: Option<Lsd>,
    /// Asks the router for a port; `None`: switched off.
    pub mapping: Option<PortMapping>,
    pub store: Store,
    pub events: broadcast::Sender<SessionEvent>,
    pub incomplete: Incomplete,
    pub preallocate: bool,
    pub network: NetworkConfig,
    /// By which way everything leaves.
    pub egress: net::Egress,
    pub plain_peers: PlainPeers,
    pub limits: Mutex<Limits>,
    /// All torrents rest.
    pub held: AtomicBool,
    /// Where content goes unless the user says otherwise.
    pub folder: Mutex<PathBuf>,
    pub registry: Registry,
}

impl Shared {
    /// Tells subscribers; nobody may be listening.
    pub(crate) fn event(&self, event: SessionEvent) {
        let _ = self.events.send(event);
    }

    /// Returns where content goes unless the user says otherwise.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what every handshake says of us.
    pub(crate) fn ours(&self) -> Ours {
        Ours { peer_id: self.peer_id, dht: self.udp.dht.is_some() }
    }

    /// Returns the UDP port of our DHT node; `None`: there is none.
    pub(crate) fn dht_port(&self) -> Option<u16> {
        let (v4, v6) = self.udp.local_addrs();
        self.udp.dht.as_ref().and(v4.or(v6)).map(|address| address.port())
    }

    /// Returns the UDP port that a router maps to ours, if it does.
    pub(crate) fn mapped_udp_port(&self) -> Option<u16> {
        self.mapping.as_ref().and_then(|mapping| mapping.status().udp).map(|address| address.port())
    }

    /// Tells whether all torrents rest.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns a copy of the limits.
    pub(crate) fn limits(&self) -> Limits {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The way to a torrent's task.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub hashes: InfoHashes,
    pub asks: Sender<Ask>,
    pub reports: Sender<Report>,
    /// The torrent's own limit of connections, if it has one.
    pub connections: Option<u32>,
    /// Only certain nodes may have it.
    pub confined: bool,
    /// Of a confined torrent: those nodes.
    pub audience: Arc<BTreeSet<NodeId>>,
    /// A bit for each [`Watcher`]: its status may be another than it was when the bit was last taken away.
    pub changed: Arc<AtomicU8>,
}

impl Watcher {
    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Who asks for a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Somebody at an address, over TCP or uTP.
    Address,
    /// A node, over the overlay.
    Node(NodeId),
}

impl Handle {
    /// Whether it exists for those who ask like this. Who has no right to a confined torrent learns no more from us than
    /// who made its info-hash up.
    fn exists_for(&self, asker: Asker) -> bool {
        match asker {
            Asker::Address => !self.confined,
            Asker::Node(node) => self.confined && self.audience.contains(&node),
        }
    }
}

/// The table of torrents. Invariant: every wire name of every torrent in `torrents` is in `names`, and every name there
/// is in `hidden`.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// In the order in which they were added.
    order: Vec<TorrentId>,
    torrents: BTreeMap<TorrentId, Handle>,
    names: HashMap<InfoHashV1, TorrentId>,
    /// What encrypted handshakes call them.
    hidden: HashMap<ObfuscatedName, InfoHashV1>,
    /// Grows whenever a torrent comes or goes.
    version: u64,
    closed: bool,
}

impl Table {
    fn name(&mut self, name: InfoHashV1, id: TorrentId) {
        self.names.insert(name, id);
        self.hidden.insert(obfuscated_name(name), name);
    }
}

impl Registry {
    /// Adds a torrent; `None` when one of its names is taken (then that torrent's id) or the session closes.
    pub(crate) fn insert(&self, id: TorrentId, handle: Handle) -> Result<(), Option<TorrentId>> {
        let mut table = self.lock();
        if table.closed {
            return Err(None);
        }
        if let Some(other) = handle.hashes.wire().find_map(|name| table.names.get(&name)) {
            return Err(Some(*other));
        }
        for name in handle.hashes.wire() {
            table.name(name, id);
        }
        table.order.push(id);
        table.torrents.insert(id, handle);
        table.version += 1;
        Ok(())
    }

    /// Notes all names of a torrent, once its metadata told them.
    pub(crate) fn rename(&self, id: TorrentId, hashes: InfoHashes) {
        let mut table = self.lock();
        if let Some(handle) = table.torrents.get_mut(&id) {
            handle.hashes = hashes;
            for name in hashes.wire() {
                // A name that another torrent holds stays its own.
                if !table.names.contains_key(&name) {
                    table.name(name, id);
                }
            }
        }
    }

    /// Notes a torrent's own limit of connections, which holds at the door too.
    pub(crate) fn limit(&self, id: TorrentId, connections: Option<u32>) {
        if let Some(handle) = self.lock().torrents.get_mut(&id) {
            handle.connections = connections;
        }
    }

    /// Removes a torrent.
    pub(crate) fn remove(&self, id: TorrentId) -> Option<Handle> {
        let mut table = self.lock();
        table.version += 1;
        table.order.retain(|other| *other != id);
        let Table { names, hidden, .. } = &mut *table;
        names.retain(|_, other| *other != id);
        hidden.retain(|_, name| names.contains_key(name));
        table.torrents.remove(&id)
    }

    /// Finds a torrent by its id.
    pub(crate) fn get(&self, id: TorrentId) -> Option<Handle> {
        self.lock().torrents.get(&id).cloned()
    }

    /// Finds a torrent by a wire name.
    pub(crate) fn find(&self, name: InfoHashV1) -> Option<(TorrentId, Handle)> {
        let table = self.lock();
        let id = *table.names.get(&name)?;
        table.torrents.get(&id).map(|handle| (id, handle.clone()))
    }

    /// Finds a torrent by a wire name, if it exists for those who ask like this.
    pub(crate) fn find_for(&self, asker: Asker, name: InfoHashV1) -> Option<(TorrentId, Handle)> {
        self.find(name).filter(|(_, handle)| handle.exists_for(asker))
    }

    /// Finds the wire name that an encrypted handshake means, which is always one of an address.
    pub(crate) fn find_hidden(&self, hidden: ObfuscatedName) -> Option<InfoHashV1> {
        let name = self.lock().hidden.get(&hidden).copied()?;
        self.find_for(Asker::Address, name).map(|_| name)
    }

    /// Says which nodes may have a confined torrent.
    pub(crate) fn admit(&self, id: TorrentId, audience: Arc<BTreeSet<NodeId>>) {
        if let Some(handle) = self.lock().torrents.get_mut(&id) {
            handle.audience = audience;
        }
    }

    /// Returns all torrents in the order in which they were added.
    pub(crate) fn all(&self) -> Vec<(TorrentId, Handle)> {
        let table = self.lock();
        table.order.iter().filter_map(|id| Some((*id, table.torrents.get(id)?.clone()))).collect()
    }

    /// Returns how often a torrent came or went.
    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Takes a watcher's marks away from the torrents that may have changed, and names them.
    pub(crate) fn take_changed(&self, watcher: Watcher) -> Vec<TorrentId> {
        let (table, bit) = (self.lock(), watcher.bit());
        let is_changed = |handle: &Handle| handle.changed.fetch_and(!bit, Ordering::Relaxed) & bit != 0;
        table.torrents.iter().filter(|(_, handle)| is_changed(handle)).map(|(id, _)| *id).collect()
    }

    /// Refuses further torrents.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    /// Tells whether the session is shutting down.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No method panics between two changes of the table.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
