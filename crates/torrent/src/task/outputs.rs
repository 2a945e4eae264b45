//! What the machine wants done.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use metainfo::{Info, TorrentFile};
use net::Via;
use tokio::sync::mpsc;
use torrent_proto::torrent::{DiskOrder, Event, Output, PeerKey, Reason, Source, State};

use super::dial::To;
use super::{Errand, TorrentTask, dial};
use crate::discovery::DiscoveryOrder;
use crate::report::{Order, Report};
use crate::tracker::TrackerOrder;
use crate::types::SessionEvent;

/// How many addresses are remembered for the next run. Arbitrary; a swarm is found again from a few.
const REMEMBER: usize = 50;

/// So many connections are told of each piece at once; see [`TELL_EVERY`]. Arbitrary: with 500 every piece told alone doubled
/// what a block cost.
const FEW: usize = 20;

/// How often more connections than that are told of pieces. Arbitrary: short against the seconds that a peer takes to fetch a
/// piece in a swarm of that size.
pub(super) const TELL_EVERY: Duration = Duration::from_millis(250);

impl TorrentTask {
    /// Does everything that the machine wants done, in order.
    pub(super) fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Dial { address, source, punch } => {
                    self.dial(address, if punch { Via::Punch } else { Via::Any }, source);
                }
                Output::Send { peer, messages } => self.order(peer, Order::Send(messages)),
                Output::Upload { peer, blocks } => self.order(peer, Order::Upload(blocks)),
                Output::Have(piece) => self.new_haves.push(piece),
                Output::Disconnect { peer, reason } => self.disconnect(peer, reason),
                Output::Disk(order) => self.disk_order(order),
                Output::WantPeers => self.want_peers(),
                Output::DhtNode { address } => {
                    if let Some(dht) = &self.shared.udp.dht {
                        dht.add_node(address);
                    }
                }
                Output::Persist(resume) => {
                    self.record.resume = Some(resume);
                    self.remember_peers();
                    self.save();
                }
                Output::Event(event) => self.event(event),
            }
        }
        self.wake_readers();
        self.tell_haves();
    }

    /// Tells the connections what came to be had: at once while they are few, else what a moment brought together. Each
    /// telling wakes every connection and has it write.
    pub(super) fn tell_haves(&mut self) {
        let now = self.shared.clock.mono();
        if self.connections.len() <= FEW || now - self.last_tell >= TELL_EVERY {
            if !self.new_haves.is_empty() {
                self.last_tell = now;
            }
            self.haves.extend(&mut self.new_haves);
        }
    }

    /// Keeps good addresses for the next run; those of the last one stay where there are no newer ones.
    pub(super) fn remember_peers(&mut self) {
        if self.record.confined {
            // They are named anew in each run.
            return;
        }
        let addresses = self.machine.addresses_to_remember(REMEMBER);
        if !addresses.is_empty() {
            self.record.peers = addresses.iter().map(SocketAddr::to_string).collect();
        }
    }

    /// Gives an order to a connection; one that lets too many wait is not worth keeping.
    fn order(&mut self, peer: PeerKey, order: Order) {
        let Some(connection) = self.connections.get(&peer) else { return };
        match connection.orders.try_send(order) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::debug!(torrent = %self.record.id, peer = peer.0, "a peer does not read what is sent");
                connection.task.abort();
            }
            // It has ended; its last report is on its way.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }

    fn disconnect(&mut self, peer: PeerKey, reason: Reason) {
        if let Some(connection) = self.connections.get(&peer) {
            tracing::debug!(torrent = %self.record.id, peer = peer.0, ?reason, "closing a connection");
            if let (Some(url), Reason::BadData | Reason::Banned | Reason::Protocol(_)) = (&connection.url, reason) {
                self.web_seeds.drop_server(url, "it sent bad data");
            }
            connection.task.abort();
        }
    }

    fn dial(&mut self, address: SocketAddr, via: Via, source: Source) {
        let (shared, reports) = (self.shared.clone(), self.own_reports.clone());
        let (id, hashes) = (self.record.id, self.record.hashes);
        let limit = self.shared.limits().cap(self.record.limits.connections);
        let to = match self.nodes.get(&address) {
            Some(node) => To::Node(*node),
            None => To::Address(address, via),
        };
        let handle = self.tasks.spawn(async move {
            let report = match dial::dial(&shared, id, hashes, limit, to, source).await {
                Ok(established) => Report::Established(Box::new(established)),
                Err(reason) => {
                    tracing::debug!(torrent = %id, %address, %reason, "a dial came to nothing");
                    Report::DialFailed(address)
                }
            };
            let _ = reports.send(report).await;
        });
        self.errands.insert(handle.id(), Errand::Dial(address));
    }

    fn disk_order(&mut self, order: DiskOrder) {
        match order {
            DiskOrder::Open { info } => {
                self.counted = None;
                self.storage.set(self.open_storage(info));
            }
            order => match self.storage.get() {
                Some(storage) => storage.order(order),
                None => debug_assert!(false, "{order:?} before the storage is open"),
            },
        }
    }

    fn want_peers(&mut self) {
        self.publish_progress();
        self.trackers.order(TrackerOrder::WantPeers);
        self.discovery.order(DiscoveryOrder::WantPeers);
    }

    fn event(&mut self, event: Event) {
        let id = self.record.id;
        match event {
            Event::Metadata(info) => self.metadata(info),
            Event::State(state) => self.state_changed(state),
            Event::Complete => {
                self.note_complete();
                self.publish_progress();
                self.trackers.order(TrackerOrder::Completed);
                self.shared.event(SessionEvent::Complete(id));
            }
            Event::PieceLayers => {
                if let Some(info) = self.machine.info().cloned() {
                    self.store_file(info);
                    self.save();
                }
            }
            Event::Settled => self.settled = true,
            Event::BadPiece { piece } => {
                tracing::info!(torrent = %id, piece = piece.0, "a piece failed its hash");
                self.shared.event(SessionEvent::BadPiece(id, piece.0));
            }
            Event::Banned { address } => {
                tracing::info!(torrent = %id, %address, "a peer is banned for bad data");
                self.shared.event(SessionEvent::Banned(id, address));
            }
            Event::Failed(error) => {
                tracing::warn!(torrent = %id, error = %error.message, "a torrent stopped");
                self.error = Some(error.message.clone());
                self.shared.event(SessionEvent::Failed(id, error.message));
            }
        }
    }

    /// The info dictionary arrived: from now on the torrent is stored as a file.
    fn metadata(&mut self, info: Arc<Info>) {
        self.record.hashes = info.hashes();
        self.shared.registry.rename(self.record.id, info.hashes());
        self.trackers.order(TrackerOrder::Hashes(info.hashes()));
        if info.is_private() {
            // First of all, so that no further name is told to anybody.
            self.discovery.order(DiscoveryOrder::Stop);
            // What the last run remembers may come from anywhere; what this one knows was sorted out.
            self.record.peers.clear();
        }
        self.discovery.order(DiscoveryOrder::Hashes(info.hashes()));
        self.store_file(info);
        self.save();
        self.shared.event(SessionEvent::Metadata(self.record.id));
    }

    pub(super) fn is_private(&self) -> bool {
        self.record.confined || self.machine.info().is_some_and(|info| info.is_private())
    }

    /// Has the .torrent file stored by the next save.
    fn store_file(&mut self, info: Arc<Info>) {
        self.record.file = Some(self.render_file(info));
    }

    /// Renders the .torrent file, with the layers of hashes that are known by now.
    pub(super) fn render_file(&self, info: Arc<Info>) -> Bytes {
        let mut file = TorrentFile::from_info(info);
        file.trackers = self.record.trackers.clone();
        file.web_seeds = self.record.web_seeds.clone();
        file.piece_layers = self.machine.piece_layers();
        file.to_bytes().into()
    }

    fn state_changed(&mut self, state: State) {
        let (id, now) = (self.record.id, self.shared.clock.mono());
        tracing::debug!(torrent = %id, ?state, "the state changed");
        if let Some(since) = self.seeding_since.take() {
            self.record.seeding_time += now - since;
        }
        if state == State::Seeding {
            self.seeding_since = Some(now);
            // What was complete from the start (a share) has no `Event::Complete`.
            if self.machine.status().complete {
                self.note_complete();
            }
        }
        if state != State::Failed {
            self.error = None;
        }
        self.state = Some(state);
        // Also by a tick, which alone changes nothing.
        self.changed.store(u8::MAX, Ordering::Relaxed);
        match state {
            State::Paused | State::Failed => {
                self.publish_progress();
                self.trackers.order(TrackerOrder::Stop(None));
                self.discovery.order(DiscoveryOrder::Stop);
            }
            // A check asks for no peers; whoever is found could not be served.
            State::Checking => {}
            State::Metadata | State::Downloading | State::Seeding => {
                self.publish_progress();
                self.trackers.order(TrackerOrder::Start);
                if !self.is_private() {
                    self.discovery.order(DiscoveryOrder::Start);
                }
            }
        }
        if state != State::Downloading {
            self.connections.values().filter(|c| c.url.is_some()).for_each(|c| c.task.abort());
        }
        if matches!(state, State::Seeding | State::Paused) {
            self.remember_peers();
            self.save();
        }
        self.shared.event(SessionEvent::State(id, state));
    }
}
