//! The torrent state machine with 50 peers, its disk and its peers played here.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{Bitfield, Instant, Now, WallTime};
use bytes::Bytes;
use metainfo::{BLOCK_LEN, Block, Info, PieceIndex, PieceLayers};
use torrent_proto::torrent::{
    Connected, Direction, DiskAnswer, DiskOrder, Input, Output, PeerKey, PeerKind, Reason, Source, Torrent,
    TorrentConfig, VerifyOutcome,
};
use torrent_proto::wire::{Message, PeerId, Reserved};

use crate::counted;

const PEERS: u32 = 50;
/// How many blocks one read brings.
const BATCH: usize = 16;
const BLOCKS_A_PIECE: u32 = 16;
/// As many blocks of each torrent are counted.
pub const COUNTED: u64 = 15_000;
/// How long passes from one read to the next.
const STEP: Duration = Duration::from_micros(200);

/// How the pieces lie over the peers.
#[derive(Clone, Copy)]
pub enum Spread {
    /// All have all.
    Seeds,
    /// A seed, and peers with half of the pieces each.
    Halves,
}

/// A torrent and what its driver would hold for it.
struct World {
    torrent: Torrent,
    now: Now,
    data: Bytes,
    /// What each peer was asked for and has not sent.
    asked: Vec<VecDeque<Block>>,
    answers: VecDeque<DiskAnswer>,
    uploads: VecDeque<(PeerKey, Vec<Block>)>,
    written: u64,
}

/// Downloads from 50 peers until `blocks` were written, or all; counts what each block costs from its arrival to the verified
/// piece.
pub fn leech(pieces: u32, blocks: u64, spread: Spread) -> (u64, Duration) {
    let mut world = World::new(pieces, false);
    let mut rng = fastrand::Rng::with_seed(1);
    for peer in 0..PEERS {
        let mut has = Bitfield::new(pieces);
        let has = match spread {
            Spread::Halves if peer > 0 => {
                (0..pieces).filter(|_| rng.bool()).for_each(|piece| {
                    has.set(piece);
                });
                Message::Bitfield(Bytes::copy_from_slice(has.as_bytes()))
            }
            _ => Message::HaveAll,
        };
        world.receive(PeerKey(peer), vec![has, Message::Unchoke]);
    }
    let blocks = blocks.min(u64::from(pieces) * u64::from(BLOCKS_A_PIECE));
    let took = counted(&mut || {
        while world.written < blocks {
            for peer in 0..PEERS {
                let queue = &mut world.asked[peer as usize];
                let count = queue.len().min(BATCH);
                let messages = queue.drain(..count).map(|block| Message::Piece {
                    piece: block.piece,
                    offset: block.offset,
                    data: world.data.clone(),
                });
                let messages = messages.collect();
                world.receive(PeerKey(peer), messages);
            }
        }
    });
    (world.written, took)
}

/// Serves 50 leechers, each of which asks for 16 blocks at a time.
pub fn seed() -> (u64, Duration) {
    let mut world = World::new(1_000, true);
    (0..PEERS).for_each(|peer| world.receive(PeerKey(peer), vec![Message::HaveNone, Message::Interested]));
    // The choker has its say.
    for _ in 0..30 {
        world.now.mono = world.now.mono + Duration::from_secs(1);
        world.input(Input::Timeout);
    }
    let mut sent = 0;
    let took = counted(&mut || {
        for round in 0..20 {
            for peer in 0..PEERS {
                let piece = PieceIndex((round * PEERS + peer) % 1_000);
                let request = |i| Message::Request(Block { piece, offset: i * BLOCK_LEN, length: BLOCK_LEN });
                world.receive(PeerKey(peer), (0..BATCH as u32).map(request).collect());
                while let Some((peer, blocks)) = world.uploads.pop_front() {
                    sent += blocks.len() as u64;
                    world.input(Input::Uploaded { peer, blocks });
                }
            }
        }
    });
    assert!(sent > 0, "somebody is unchoked");
    (sent, took)
}

impl World {
    fn new(pieces: u32, complete: bool) -> World {
        let info = info(pieces, BLOCKS_A_PIECE * BLOCK_LEN);
        let config = TorrentConfig {
            hashes: info.hashes(),
            info: Some(info),
            piece_layers: PieceLayers::default(),
            resume: None,
            complete,
            confined: false,
            paused: false,
            priorities: Vec::new(),
            only_files: None,
            sequential: false,
            super_seed: false,
            upload_slots: Some(PEERS),
            max_peers: PEERS,
            peer_id: PeerId([1; 20]),
            listen_port: Some(6881),
            pex: false,
            holepunch: false,
            prefers_encryption: false,
            dht_port: None,
            client: "counted".to_owned(),
            seed: 1,
        };
        let hashes = config.hashes;
        let now = Now { mono: Instant::START, wall: WallTime(1_800_000_000) };
        let mut world = World {
            torrent: Torrent::new(now, config),
            now,
            data: Bytes::from(vec![0; BLOCK_LEN as usize]),
            asked: (0..PEERS).map(|_| VecDeque::new()).collect(),
            answers: VecDeque::new(),
            uploads: VecDeque::new(),
            written: 0,
        };
        world.drain();
        for peer in 0..PEERS {
            world.input(Input::Connected(Connected {
                peer: PeerKey(peer),
                address: SocketAddr::from(([127, 0, 1, peer as u8], 6881)),
                direction: Direction::Incoming,
                source: Source::Incoming,
                kind: PeerKind::Wire,
                info_hash: hashes.key(),
                utp: false,
                reserved: Reserved { extension: true, fast: true, ..Reserved::default() },
                peer_id: PeerId([peer as u8 + 2; 20]),
            }));
        }
        world
    }

    fn receive(&mut self, peer: PeerKey, messages: Vec<Message>) {
        self.now.mono = self.now.mono + STEP;
        self.input(Input::Received { peer, messages });
    }

    fn input(&mut self, input: Input) {
        self.torrent.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            while let Some(output) = self.torrent.poll_output() {
                self.output(output);
            }
            let Some(answer) = self.answers.pop_front() else { return };
            self.torrent.handle(self.now, Input::Disk(answer));
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Send { peer, messages } => {
                let asked = messages.into_iter().filter_map(|message| match message {
                    Message::Request(block) => Some(block),
                    _ => None,
                });
                self.asked[peer.0 as usize].extend(asked);
            }
            Output::Upload { peer, blocks } => self.uploads.push_back((peer, blocks)),
            Output::Disk(DiskOrder::Open { .. }) => self.answers.push_back(DiskAnswer::Opened { found_data: false }),
            Output::Disk(DiskOrder::Write { blocks }) => {
                self.written += blocks.len() as u64;
                let blocks = blocks.into_iter().map(|(block, _)| block).collect();
                self.answers.push_back(DiskAnswer::Wrote { blocks });
            }
            Output::Disk(DiskOrder::Verify { piece, .. }) => {
                self.answers.push_back(DiskAnswer::Verified { piece, outcome: VerifyOutcome::Good });
            }
            Output::Disk(DiskOrder::Flush) => self.answers.push_back(DiskAnswer::Flushed),
            Output::Disk(DiskOrder::Finish) => self.answers.push_back(DiskAnswer::Finished),
            // The whole torrent is here.
            Output::Disconnect { reason: Reason::BothSeeds, .. } => {}
            Output::Disconnect { peer, reason } => panic!("{peer:?} is dropped: {reason:?}"),
            _ => {}
        }
    }
}

/// A torrent of one file; nobody looks at its hashes here.
fn info(pieces: u32, piece_length: u32) -> Arc<Info> {
    let total = u64::from(pieces) * u64::from(piece_length);
    let mut raw =
        format!("d6:lengthi{total}e4:name1:x12:piece lengthi{piece_length}e6:pieces{}:", pieces * 20).into_bytes();
    raw.resize(raw.len() + pieces as usize * 20, b'h');
    raw.push(b'e');
    Arc::new(Info::from_bytes(raw.into()).expect("it is well formed"))
}
