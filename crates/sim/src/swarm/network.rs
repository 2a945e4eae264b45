//! Links and connections: dialling, sending, breaking.
//!
//! What is sent on one connection arrives in order, after the latency of its link; payload first waits for the sender's
//! line.

use std::net::SocketAddr;
use std::time::Duration;

use base::Instant;
use bytes::Bytes;
use metainfo::{Block, InfoHashV1};
use torrent_proto::torrent::{Connected, Direction, Input, PeerKey, PeerKind, Source};
use torrent_proto::wire::{self, Message, MetadataMessage, Reserved};

use super::{Event, Swarm};
use crate::node::{End, Role, Wire, node_at};
use crate::scenario::Mutation;
use crate::trace::Brief;

/// How long a dial waits for an address where nobody is.
const DIAL_TIME: Duration = Duration::from_secs(5);
/// How often a connection says that it lives (BEP 3: about every two minutes).
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(100);
/// What a block takes on the line besides its payload, in bytes (BEP 3, with its length prefix).
const PIECE_HEADER: u64 = 13;

impl Swarm {
    /// How long a message from one node to another is under way: always the same, and both ways.
    fn latency(&self, a: usize, b: usize) -> Duration {
        let (low, high) = (a.min(b) as u64, a.max(b) as u64);
        let range = &self.scenario.latency;
        let mut rng = fastrand::Rng::with_seed(self.scenario.seed ^ low << 40 ^ high << 20);
        Duration::from_nanos(rng.u64(range.start.as_nanos() as u64..range.end.as_nanos() as u64))
    }

    pub(super) fn round_trip(&self, a: usize, b: usize) -> Duration {
        2 * self.latency(a, b)
    }

    fn can_reach(&self, a: usize, b: usize) -> bool {
        self.partition.as_ref().is_none_or(|sides| sides[a] == sides[b])
    }

    /// Behind address translation only those come in who are being dialled.
    fn lets_in(&self, target: usize, from: usize) -> bool {
        let target = &self.nodes[target];
        !target.behind_nat || target.holes.get(&from).is_some_and(|until| self.now <= *until)
    }

    /// A dial has come to its end.
    pub(super) fn dialed(&mut self, node: usize, address: SocketAddr, source: Source, punch: bool) {
        let target = node_at(address).filter(|&target| target < self.nodes.len());
        let unlucky = self.rng.f64() < self.scenario.dials_fail;
        let reached = target.filter(|&target| self.nodes[target].is_up() && self.can_reach(node, target) && !unlucky);
        let reached = reached.filter(|&target| self.lets_in(target, node));
        if let Some(target) = reached {
            self.stats.by_pex += u64::from(source == Source::Pex);
            self.stats.punched += u64::from(punch);
            return self.connect(node, target, (address, punch), source);
        }
        self.say(node, format_args!("cannot reach {address}"));
        // Where nobody answers at all it takes longer than where somebody refuses.
        let later = if unlucky { Duration::ZERO } else { self.some(DIAL_TIME) };
        let life = self.nodes[node].life;
        self.queue.add(self.now + later, Event::DialFailed { node, life, address });
    }

    fn connect(&mut self, node: usize, target: usize, (address, utp): (SocketAddr, bool), source: Source) {
        let (ours, theirs) = (self.nodes[node].next_key(), self.nodes[target].next_key());
        self.say(node, format_args!("connects to {target}: {} and {}", ours.0, theirs.0));
        self.stats.connections += 1;
        self.nodes[node].met.insert(target);
        self.nodes[target].met.insert(node);
        let hashes: Vec<InfoHashV1> = self.content.info.hashes().wire().collect();
        let outgoing = Connected {
            peer: ours,
            address,
            direction: Direction::Outgoing,
            source,
            kind: PeerKind::Wire,
            info_hash: hashes[self.rng.usize(..hashes.len())],
            utp,
            // An end without the fast extension means that neither uses it.
            reserved: Reserved {
                extension: true,
                fast: self.rng.u8(..5) > 0,
                dht: false,
                v2: self.content.info.has_v2(),
            },
            peer_id: self.nodes[target].peer_id(),
        };
        let incoming = Connected {
            peer: theirs,
            address: SocketAddr::new(self.nodes[node].address().ip(), 40_000 + (ours.0 % 20_000) as u16),
            direction: Direction::Incoming,
            source: Source::Incoming,
            peer_id: self.nodes[node].peer_id(),
            ..outgoing.clone()
        };
        self.add_end(node, ours, (target, theirs));
        self.add_end(target, theirs, (node, ours));
        self.drive(target, Input::Connected(incoming));
        self.drive(node, Input::Connected(outgoing));
    }

    fn add_end(&mut self, node: usize, key: PeerKey, other: (usize, PeerKey)) {
        let end = End {
            other,
            ids: Default::default(),
            cursor: self.nodes[node].haves.len(),
            last_arrival: self.now,
            inbox: Default::default(),
            reading: Vec::new(),
        };
        self.nodes[node].ends.insert(key, end);
    }

    /// Sends a message; to a connection that is gone, nothing.
    pub(super) fn send(&mut self, node: usize, key: PeerKey, message: Message) {
        let Some(end) = self.nodes[node].ends.get(&key) else { return };
        let (other, ids) = (end.other.0, end.ids);
        let message = self.twist(node, message);
        self.say(node, format_args!("to {other}: {}", Brief(&message)));
        let mut depart = self.now;
        if let Message::Piece { data, .. } = &message {
            let it = &mut self.nodes[node];
            let bytes = data.len() as u64 + PIECE_HEADER;
            depart = depart.max(it.line_free) + Duration::from_secs_f64(bytes as f64 / it.rate_bytes_per_s as f64);
            it.line_free = depart;
        }
        if !self.scenario.codec {
            return self.put(node, key, depart, Wire::Message(message));
        }
        let mut frame = Vec::new();
        wire::encode(&message, &ids, &mut frame);
        // Empty: an extension that the other end does not take.
        if !frame.is_empty() {
            self.put(node, key, depart, Wire::Frame(frame.into()));
        }
    }

    /// Puts something on a connection that leaves the node at `depart`.
    fn put(&mut self, node: usize, key: PeerKey, depart: Instant, wire: Wire) {
        let Some(other) = self.nodes[node].ends.get(&key).map(|end| end.other) else { return };
        let arrival = depart + self.latency(node, other.0);
        let Some(end) = self.nodes[node].ends.get_mut(&key) else { return };
        end.last_arrival = end.last_arrival.max(arrival);
        let event = Event::Arrive { node: other.0, key: other.1, wire, from: (node, key) };
        self.queue.add(end.last_arrival, event);
    }

    /// Closes our end; what was sent before still arrives, then the other end learns of it.
    pub(super) fn hang_up(&mut self, node: usize, key: PeerKey) {
        self.put(node, key, self.now, Wire::Close);
        self.drop_end(node, key);
    }

    /// Forgets an end with all that it holds.
    pub(super) fn drop_end(&mut self, node: usize, key: PeerKey) {
        let Some(end) = self.nodes[node].ends.remove(&key) else { return };
        self.nodes[node].starved.retain(|starved| *starved != key);
        if self.is_mutated(Mutation::LeakPermits) {
            std::mem::forget(end.reading);
        }
    }

    /// Something has come over a link.
    pub(super) fn arrive(&mut self, node: usize, key: PeerKey, wire: Wire, from: (usize, PeerKey)) {
        if let Some(end) = self.nodes[node].ends.get_mut(&key) {
            end.inbox.push_back(wire);
            return self.pump(node, key);
        }
        // A machine that is up and knows nothing of the connection says so; one that is down is silent.
        let known = self.nodes[from.0].ends.contains_key(&from.1);
        if known && self.nodes[node].is_up() && !matches!(wire, Wire::Close) {
            let at = self.now + self.latency(node, from.0);
            let event = Event::Arrive { node: from.0, key: from.1, wire: Wire::Close, from: (node, key) };
            self.queue.add(at, event);
        }
    }

    /// The connection has ended, not by our doing.
    pub(super) fn broken(&mut self, node: usize, key: PeerKey) {
        if self.nodes[node].ends.contains_key(&key) {
            self.say(node, format_args!("loses {}", key.0));
            self.drop_end(node, key);
            self.drive(node, Input::Disconnected { peer: key });
        }
    }

    /// Reads blocks from the disk and sends them, as a liar or as it should be.
    pub(super) fn upload(&mut self, node: usize, key: PeerKey, blocks: Vec<Block>) {
        if !self.nodes[node].ends.contains_key(&key) {
            return;
        }
        let read = match self.nodes[node].disk.read(&blocks) {
            Ok(read) => read,
            Err(error) => return self.drive(node, Input::UploadFailed { peer: key, blocks, error }),
        };
        for (block, data) in blocks.iter().zip(read) {
            self.send(node, key, Message::Piece { piece: block.piece, offset: block.offset, data });
        }
        let at = self.nodes[node].line_free.max(self.now);
        self.queue.add(at, Event::Sent { node, key, blocks });
    }

    /// What a liar makes of a message.
    fn twist(&mut self, node: usize, message: Message) -> Message {
        let can_lie = matches!(
            message,
            Message::Piece { .. } | Message::Metadata(MetadataMessage::Data { .. }) | Message::Hashes { .. }
        );
        if !can_lie || self.nodes[node].role != Role::Liar || self.rng.f64() >= self.scenario.lies {
            return message;
        }
        match message {
            Message::Piece { piece, offset, data } => {
                Message::Piece { piece, offset, data: corrupted(&data, &mut self.rng) }
            }
            Message::Metadata(MetadataMessage::Data { piece, total_size, data }) => {
                let data = corrupted(&data, &mut self.rng);
                Message::Metadata(MetadataMessage::Data { piece, total_size, data })
            }
            Message::Hashes { request, mut hashes } => {
                hashes.iter_mut().for_each(|hash| hash[0] ^= 1);
                Message::Hashes { request, hashes }
            }
            other => other,
        }
    }

    /// Tells every connected peer of new pieces.
    pub(super) fn send_haves(&mut self, node: usize) {
        self.nodes[node].haves_due = false;
        if self.is_mutated(Mutation::NeverHave) {
            return;
        }
        let keys: Vec<PeerKey> = self.nodes[node].ends.keys().copied().collect();
        for key in keys {
            let it = &mut self.nodes[node];
            let Some(end) = it.ends.get_mut(&key) else { continue };
            let cursor = std::mem::replace(&mut end.cursor, it.haves.len());
            let news: Vec<Message> = it.haves[cursor..].iter().map(|piece| Message::Have(*piece)).collect();
            news.into_iter().for_each(|have| self.send(node, key, have));
        }
    }

    pub(super) fn keep_alive(&mut self, node: usize) {
        let keys: Vec<PeerKey> = self.nodes[node].ends.keys().copied().collect();
        keys.into_iter().for_each(|key| self.send(node, key, Message::KeepAlive));
        let life = self.nodes[node].life;
        self.queue.add(self.now + KEEP_ALIVE, Event::KeepAlive { node, life });
    }
}

fn corrupted(data: &Bytes, rng: &mut fastrand::Rng) -> Bytes {
    let mut data = data.to_vec();
    if !data.is_empty() {
        let at = rng.usize(..data.len());
        data[at] ^= 1 << rng.u8(..8);
    }
    data.into()
}
