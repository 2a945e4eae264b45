//! A small world: torrents, their connections and disks, without latency. The simulator has the large one.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{Instant, Now, WallTime};
use bytes::Bytes;
use metainfo::{Block, Info, PieceIndex};
use sha1::{Digest as _, Sha1};

use super::super::*;
use crate::wire::{Message, PeerId, Reserved};

pub const PIECE: u32 = 32 * 1024;

/// The payload that every story shares: two files, the first of which ends in the middle of a piece.
pub fn payload() -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(7);
    (0..400_000).map(|_| rng.u8(..)).collect()
}

pub fn info(private: bool) -> Arc<Info> {
    let payload = payload();
    let pieces: Vec<u8> = payload.chunks(PIECE as usize).flat_map(|p| Sha1::digest(p).to_vec()).collect();
    let mut raw = b"d5:filesld6:lengthi100000e4:pathl1:aeed6:lengthi300000e4:pathl1:beee4:name1:x".to_vec();
    raw.extend(format!("12:piece lengthi{PIECE}e6:pieces{}:", pieces.len()).bytes());
    raw.extend(&pieces);
    raw.extend(if private { &b"7:privatei1ee"[..] } else { &b"e"[..] });
    Arc::new(Info::from_bytes(raw.into()).unwrap())
}

pub fn config(name: u8, info: &Arc<Info>) -> TorrentConfig {
    TorrentConfig {
        hashes: info.hashes(),
        info: Some(info.clone()),
        piece_layers: PieceLayers::default(),
        resume: None,
        complete: false,
        confined: false,
        paused: false,
        priorities: Vec::new(),
        only_files: None,
        sequential: false,
        super_seed: false,
        upload_slots: None,
        max_peers: 50,
        peer_id: PeerId([name; 20]),
        listen_port: Some(6881),
        pex: false,
        holepunch: false,
        prefers_encryption: false,
        dht_port: None,
        client: format!("node {name}"),
        seed: u64::from(name),
    }
}

pub struct Node {
    pub torrent: Torrent,
    pub info: Arc<Info>,
    pub data: Vec<u8>,
    pub address: SocketAddr,
    pub fast: bool,
    pub disk_full: bool,
    pub flush_fails: bool,
    pub corrupts: bool,
    pub silent: bool,
    /// It answers nothing at all.
    pub mute: bool,
    /// Nobody reaches it whom it does not dial at the same time.
    pub behind_nat: bool,
    /// Whom its translation lets in.
    pub holes: BTreeSet<usize>,
    /// Whom it dialled.
    pub dialled: Vec<(SocketAddr, bool)>,
    /// Nodes of the DHT that it heard of.
    pub dht_nodes: Vec<SocketAddr>,
    /// How often it wanted peers.
    pub wanted: u32,
    /// (their key at our end) → (node, our key at their end)
    pub links: BTreeMap<PeerKey, (usize, PeerKey)>,
    pub persisted: Option<Resume>,
    pub complete: bool,
    pub settled: bool,
    pub dropped: Vec<(PeerKey, Reason)>,
    pub requested: u64,
    pub sent_messages: Vec<(PeerKey, Message)>,
}

#[derive(Default)]
pub struct World {
    pub nodes: Vec<Node>,
    pub now: Now,
    /// Dials reach who is there; otherwise they all fail.
    pub dials: bool,
    next_key: u32,
    inbox: VecDeque<(usize, Input)>,
}

impl World {
    pub fn add(&mut self, config: TorrentConfig, info: &Arc<Info>, data: Vec<u8>) -> usize {
        let number = self.nodes.len();
        let torrent = Torrent::new(self.now, config);
        self.nodes.push(Node {
            torrent,
            info: info.clone(),
            data,
            address: SocketAddr::from(([127, 0, 0, number as u8 + 1], 6881)),
            fast: true,
            disk_full: false,
            flush_fails: false,
            corrupts: false,
            silent: false,
            mute: false,
            behind_nat: false,
            holes: BTreeSet::new(),
            dialled: Vec::new(),
            dht_nodes: Vec::new(),
            wanted: 0,
            links: BTreeMap::new(),
            persisted: None,
            complete: false,
            settled: false,
            dropped: Vec::new(),
            requested: 0,
            sent_messages: Vec::new(),
        });
        self.drain(number);
        self.run();
        number
    }

    pub fn seed(&mut self, info: &Arc<Info>) -> usize {
        let name = self.nodes.len() as u8 + 1;
        self.add(TorrentConfig { complete: true, ..config(name, info) }, info, payload())
    }

    pub fn leech(&mut self, info: &Arc<Info>) -> usize {
        let name = self.nodes.len() as u8 + 1;
        self.add(config(name, info), info, Vec::new())
    }

    pub fn connect(&mut self, a: usize, b: usize, source: Source) {
        let ends = self.link(a, b, source);
        self.inbox.extend(ends);
        self.run();
    }

    /// Both dial at the same moment: each hears the other's handshake before the answer to its own.
    pub fn connect_at_once(&mut self, a: usize, b: usize, source: Source) {
        let ([out_a, mut in_b], [out_b, mut in_a]) = (self.link(a, b, source), self.link(b, a, source));
        for (_, input) in [&mut in_a, &mut in_b] {
            if let Input::Connected(connected) = input {
                connected.address.set_port(50_000);
            }
        }
        self.inbox.extend([in_a, in_b, out_a, out_b]);
        self.run();
    }

    fn dial(&mut self, number: usize, address: SocketAddr, source: Source, punch: bool) {
        self.nodes[number].dialled.push((address, punch));
        let found = self.nodes.iter().position(|node| node.address == address).filter(|_| self.dials);
        if punch && let Some(found) = found {
            self.nodes[number].holes.insert(found);
        }
        let open = |to: usize| !self.nodes[to].behind_nat || self.nodes[to].holes.contains(&number);
        match found.filter(|found| open(*found)) {
            Some(found) => {
                let ends = self.link(number, found, source);
                self.inbox.extend(ends);
            }
            None => self.inbox.push_back((number, Input::DialFailed { address })),
        }
    }

    fn link(&mut self, a: usize, b: usize, source: Source) -> [(usize, Input); 2] {
        let (ka, kb) = (PeerKey(self.next_key), PeerKey(self.next_key + 1));
        self.next_key += 2;
        self.nodes[a].links.insert(ka, (b, kb));
        self.nodes[b].links.insert(kb, (a, ka));
        let ends = [(a, b, ka, Direction::Outgoing, source), (b, a, kb, Direction::Incoming, Source::Incoming)];
        ends.map(|(me, other, key, direction, source)| {
            let connected = Connected {
                peer: key,
                address: self.nodes[other].address,
                direction,
                source,
                kind: PeerKind::Wire,
                info_hash: self.nodes[me].info.hashes().key(),
                utp: false,
                reserved: Reserved {
                    extension: true,
                    fast: self.nodes[other].fast,
                    dht: self.nodes[other].torrent.config.dht_port.is_some(),
                    ..Reserved::default()
                },
                peer_id: self.nodes[other].torrent.config.peer_id,
            };
            (me, Input::Connected(connected))
        })
    }

    pub fn input(&mut self, node: usize, input: Input) {
        self.inbox.push_back((node, input));
        self.run();
    }

    /// Lets time pass, a tick at a time.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now.mono = self.now.mono + Duration::from_secs(1);
            self.now.wall = WallTime(self.now.wall.0 + 1);
            for node in 0..self.nodes.len() {
                if self.nodes[node].torrent.poll_timeout().is_some_and(|at| at <= self.now.mono) {
                    self.inbox.push_back((node, Input::Timeout));
                }
            }
            self.run();
        }
    }

    fn run(&mut self) {
        let mut left = 1_000_000;
        while let Some((node, input)) = self.inbox.pop_front() {
            left -= 1;
            assert!(left > 0, "the world does not come to rest");
            self.nodes[node].torrent.handle(self.now, input);
            self.drain(node);
        }
    }

    fn drain(&mut self, number: usize) {
        while let Some(output) = self.nodes[number].torrent.poll_output() {
            self.output(number, output);
        }
    }

    fn output(&mut self, number: usize, output: Output) {
        let node = &mut self.nodes[number];
        match output {
            Output::Send { peer, messages } => {
                node.requested += messages.iter().filter(|m| matches!(m, Message::Request(_))).count() as u64;
                node.sent_messages.extend(messages.iter().map(|m| (peer, m.clone())));
                if let Some(&(to, key)) = node.links.get(&peer)
                    && !node.mute
                {
                    self.inbox.push_back((to, Input::Received { peer: key, messages }));
                }
            }
            Output::Have(piece) => {
                let links: Vec<_> = node.links.values().copied().collect();
                for (to, key) in links {
                    self.inbox.push_back((to, Input::Received { peer: key, messages: vec![Message::Have(piece)] }));
                }
            }
            Output::Upload { peer, blocks } => {
                let Some(&(to, key)) = node.links.get(&peer) else { return };
                if node.silent {
                    return;
                }
                let messages = blocks.iter().map(|b| node.piece_message(*b)).collect();
                self.inbox.push_back((to, Input::Received { peer: key, messages }));
                self.inbox.push_back((number, Input::Uploaded { peer, blocks }));
            }
            Output::Disconnect { peer, reason } => {
                node.dropped.push((peer, reason));
                if let Some((to, key)) = node.links.remove(&peer) {
                    self.nodes[to].links.remove(&key);
                    self.inbox.push_back((to, Input::Disconnected { peer: key }));
                }
                self.inbox.push_back((number, Input::Disconnected { peer }));
            }
            Output::Disk(order) => {
                if let Some(answers) = node.disk(order) {
                    self.inbox.extend(answers.into_iter().map(|a| (number, Input::Disk(a))));
                }
            }
            Output::Persist(resume) => node.persisted = Some(resume),
            Output::Event(Event::Complete) => node.complete = true,
            Output::Event(Event::Settled) => node.settled = true,
            Output::Dial { address, source, punch } => self.dial(number, address, source, punch),
            Output::DhtNode { address } => node.dht_nodes.push(address),
            Output::WantPeers => node.wanted += 1,
            Output::Event(_) => {}
        }
    }
}

impl Node {
    fn offset(&self, piece: PieceIndex) -> usize {
        piece.0 as usize * self.info.layout().piece_length() as usize
    }

    fn piece_message(&self, block: Block) -> Message {
        let start = self.offset(block.piece) + block.offset as usize;
        let mut bytes = self.data[start..start + block.length as usize].to_vec();
        if self.corrupts {
            bytes[0] ^= 1;
        }
        Message::Piece { piece: block.piece, offset: block.offset, data: bytes.into() }
    }

    fn disk(&mut self, order: DiskOrder) -> Option<Vec<DiskAnswer>> {
        let full = DiskError { full: true, message: "no room".into() };
        Some(match order {
            DiskOrder::Open { .. } => vec![DiskAnswer::Opened { found_data: !self.data.is_empty() }],
            DiskOrder::Write { blocks } if self.disk_full => {
                let blocks = blocks.into_iter().map(|(block, _)| block).collect();
                vec![DiskAnswer::Failed { blocks, piece: None, error: full }]
            }
            DiskOrder::Write { blocks } => {
                self.data.resize(payload().len(), 0);
                for (block, bytes) in &blocks {
                    self.write(*block, bytes);
                }
                vec![DiskAnswer::Wrote { blocks: blocks.into_iter().map(|(block, _)| block).collect() }]
            }
            DiskOrder::Verify { piece, expected } => {
                let good = self.is_good(piece, expected);
                let outcome = if good { VerifyOutcome::Good } else { VerifyOutcome::Bad { leaves: None } };
                vec![DiskAnswer::Verified { piece, outcome }]
            }
            DiskOrder::Check { scope, expected } => {
                let known = match scope {
                    CheckScope::All => None,
                    CheckScope::AllBut(known) => Some(known),
                };
                let pieces = self.info.layout().pieces().filter(|p| known.as_ref().is_none_or(|k| !k.get(p.0)));
                let check = |piece: PieceIndex| {
                    let good = expected[piece.0 as usize].is_some_and(|expected| self.is_good(piece, expected));
                    DiskAnswer::Checked { piece, good }
                };
                let mut answers: Vec<_> = pieces.map(check).collect();
                answers.push(DiskAnswer::CheckDone);
                answers
            }
            DiskOrder::Room => vec![DiskAnswer::Room(if self.disk_full { Err(full) } else { Ok(()) })],
            DiskOrder::Flush if self.flush_fails => {
                vec![DiskAnswer::Failed { blocks: Vec::new(), piece: None, error: full }]
            }
            DiskOrder::Flush => vec![DiskAnswer::Flushed],
            DiskOrder::Finish => vec![DiskAnswer::Finished],
            DiskOrder::HashLeaves { piece } => vec![DiskAnswer::Leaves { piece, leaves: None }],
            DiskOrder::StopCheck | DiskOrder::Wanted { .. } | DiskOrder::Close => return None,
        })
    }

    fn write(&mut self, block: Block, bytes: &Bytes) {
        let start = self.offset(block.piece) + block.offset as usize;
        self.data[start..start + bytes.len()].copy_from_slice(bytes);
    }

    fn is_good(&self, piece: PieceIndex, expected: PieceHash) -> bool {
        let start = self.offset(piece);
        let end = (start + self.info.layout().piece_len(piece) as usize).min(self.data.len());
        expected.v1 == Some(Sha1::digest(&self.data[start.min(end)..end]).into())
    }
}

/// The start of every story's clock; here so that stories can name moments.
pub const START: Instant = Instant::START;
