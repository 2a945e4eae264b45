//! One connection of a torrent: what its two ends have told one another.

use core::net::SocketAddr;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use base::{Bitfield, Instant};
use bytes::Bytes;
use metainfo::{BLOCK_LEN, Block, PieceIndex};

use super::holepunch::PunchBudget;
use super::meter::Meter;
use super::pex::Exchange;
use super::reading::TURNS;
use super::{Connected, Direction, PeerKind, Source};
use crate::wire::{ExtensionIds, Message, PeerId};

/// Requests that a peer is taken to queue when it does not say (`reqq`); libtorrent's default.
const DEFAULT_REQUEST_QUEUE: u32 = 250;
/// Requests outstanding at one peer at most: 16 MiB, enough for 100 MB/s at a round trip of 160 ms.
const MAX_REQUESTS: usize = 1024;
/// Requests outstanding before anything is known of a peer's speed: two rounds of a small window (arbitrary).
const FIRST_REQUESTS: usize = 16;
/// A request queue holds what arrives in this time, on top of two round trips: it hides the scheduling of both ends.
const QUEUE_TIME: Duration = Duration::from_millis(500);
/// Haves kept of a peer while the number of pieces is unknown: more than real torrents have (2^22).
const MAX_RAW_HAVES: usize = 1 << 16;

/// What a peer has, as far as it can be told.
#[derive(Debug)]
pub(super) enum Pieces {
    /// The number of pieces is unknown: what it said, kept raw.
    Raw { bitfield: Option<Bytes>, all: bool, haves: Vec<PieceIndex> },
    /// Checked.
    Known(Bitfield),
}

/// A request that is outstanding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outstanding {
    pub(super) block: Block,
    pub(super) sent: Instant,
}

/// One connection. Invariant: `requests` holds no block twice.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) direction: Direction,
    pub(super) source: Source,
    pub(super) kind: PeerKind,
    pub(super) id: PeerId,
    pub(super) client: Option<String>,
    pub(super) fast: bool,
    pub(super) extension: bool,
    /// It has a node of the DHT.
    pub(super) dht: bool,
    pub(super) utp: bool,
    pub(super) prefers_encryption: bool,
    /// Its extension handshake came.
    pub(super) greeted: bool,
    /// Where it says it can be dialled, if it dialled us.
    pub(super) listens: Option<SocketAddr>,
    pub(super) exchange: Exchange,
    pub(super) punch_budget: PunchBudget,
    /// It speaks v2: hash requests make sense.
    pub(super) v2: bool,
    pub(super) ids: ExtensionIds,
    pub(super) metadata_size: Option<u32>,
    /// It said under which address it sees us.
    pub(super) told_our_address: bool,
    /// How often it said what it has, all at once.
    pub(super) piece_sets: u32,
    pub(super) pieces: Pieces,
    pub(super) am_choking: bool,
    pub(super) am_interested: bool,
    pub(super) peer_choking: bool,
    pub(super) peer_interested: bool,
    pub(super) upload_only: bool,
    pub(super) snubbed: bool,
    /// It contributed to a piece that came out bad.
    pub(super) suspicions: u32,
    /// Pieces that it lets us request while it chokes us (BEP 6).
    pub(super) allowed_fast: BTreeSet<PieceIndex>,
    /// Pieces that we let it request while we choke it.
    pub(super) offered_fast: Vec<PieceIndex>,
    pub(super) requests: VecDeque<Outstanding>,
    /// Requests that were withdrawn for a reader and will be answered all the same (BEP 6).
    withdrawn: BTreeSet<Block>,
    request_limit: usize,
    reqq: usize,
    round_trip: Option<Duration>,
    /// Requests of theirs that wait for their turn.
    pub(super) wanted: VecDeque<Block>,
    /// Bytes of their requests that the driver is reading or sending.
    pub(super) uploading_bytes: u64,
    pub(super) down: Meter,
    pub(super) up: Meter,
    pub(super) since: Instant,
    pub(super) last_heard: Instant,
    pub(super) last_block: Instant,
    pub(super) unchoked_at: Option<Instant>,
    /// The last time either end wanted something of the other.
    pub(super) last_useful: Instant,
}

impl Peer {
    pub(super) fn new(connected: &Connected, speaks_v2: bool, piece_count: Option<u32>, now: Instant) -> Peer {
        let web_seed = connected.kind == PeerKind::WebSeed;
        let mut pieces = Pieces::Raw { bitfield: None, all: web_seed, haves: Vec::new() };
        if let Some(count) = piece_count {
            // Nothing raw was kept, so nothing can be wrong with it.
            pieces = Pieces::Known(if web_seed { Bitfield::full(count) } else { Bitfield::new(count) });
        }
        Peer {
            address: connected.address,
            direction: connected.direction,
            source: connected.source,
            kind: connected.kind,
            id: connected.peer_id,
            client: None,
            fast: connected.reserved.fast,
            extension: connected.reserved.extension,
            dht: connected.reserved.dht,
            utp: connected.utp,
            prefers_encryption: false,
            greeted: false,
            listens: None,
            exchange: Exchange::default(),
            punch_budget: PunchBudget::default(),
            v2: speaks_v2,
            ids: ExtensionIds::default(),
            metadata_size: None,
            told_our_address: false,
            piece_sets: 0,
            pieces,
            am_choking: true,
            am_interested: web_seed,
            peer_choking: !web_seed,
            peer_interested: false,
            upload_only: web_seed,
            snubbed: false,
            suspicions: 0,
            allowed_fast: BTreeSet::new(),
            offered_fast: Vec::new(),
            requests: VecDeque::new(),
            withdrawn: BTreeSet::new(),
            request_limit: FIRST_REQUESTS,
            reqq: if web_seed { MAX_REQUESTS } else { DEFAULT_REQUEST_QUEUE as usize },
            round_trip: None,
            wanted: VecDeque::new(),
            uploading_bytes: 0,
            down: Meter::default(),
            up: Meter::default(),
            since: now,
            last_heard: now,
            last_block: now,
            unchoked_at: None,
            last_useful: now,
        }
    }

    /// Returns the checked set, once the number of pieces is known.
    pub(super) fn has(&self) -> Option<&Bitfield> {
        match &self.pieces {
            Pieces::Known(set) => Some(set),
            Pieces::Raw { .. } => None,
        }
    }

    pub(super) fn is_seed(&self) -> bool {
        match &self.pieces {
            Pieces::Known(set) => set.is_all(),
            Pieces::Raw { all, .. } => *all,
        }
    }

    /// Records a Have, a Bitfield, a HaveAll or a HaveNone while the number of pieces is unknown.
    pub(super) fn keep_raw(&mut self, message: &Message) {
        let Pieces::Raw { bitfield, all, haves } = &mut self.pieces else { return };
        match message {
            Message::Bitfield(bytes) => *bitfield = Some(bytes.clone()),
            Message::HaveAll => *all = true,
            Message::Have(piece) if haves.len() < MAX_RAW_HAVES => haves.push(*piece),
            _ => {}
        }
    }

    /// Reads what was kept raw now that the number of pieces is known; the error says what was wrong with it.
    pub(super) fn learn_piece_count(&mut self, count: u32) -> Result<&Bitfield, &'static str> {
        if let Pieces::Raw { bitfield, all, haves } = &self.pieces {
            let mut set = match bitfield {
                _ if *all => Bitfield::full(count),
                Some(bytes) => Bitfield::from_bytes(bytes, count).ok_or("a bitfield of the wrong length")?,
                None => Bitfield::new(count),
            };
            for piece in haves {
                if piece.0 >= count {
                    return Err("a have beyond the last piece");
                }
                set.set(piece.0);
            }
            self.pieces = Pieces::Known(set);
        }
        match &self.pieces {
            Pieces::Known(set) => Ok(set),
            Pieces::Raw { .. } => unreachable!("the branch above replaced it"),
        }
    }

    pub(super) fn set_request_queue(&mut self, reqq: u32) {
        self.reqq = (reqq as usize).clamp(1, MAX_REQUESTS);
    }

    /// How many more blocks may be requested now; `read`: somebody reads, so that queues are to be short.
    pub(super) fn room_for_requests(&self, read: bool) -> usize {
        let mut limit = if self.snubbed { 1 } else { self.request_limit.min(self.reqq) };
        if read {
            limit = limit.min(self.short_queue().max(FIRST_REQUESTS / 4));
        }
        limit.saturating_sub(self.requests.len())
    }

    /// How many blocks it is to have been asked for after this one of [`TURNS`]: what it brings in the turns so far.
    pub(super) fn share_of_turn(&self, turn: usize) -> usize {
        self.short_queue() * turn / TURNS
    }

    /// How many blocks it brings in the time that a queue is to hold while somebody reads, as far as that is known.
    fn short_queue(&self) -> usize {
        match self.down.measured_bytes_per_s() {
            Some(rate) => {
                let window = QUEUE_TIME + self.round_trip.unwrap_or_default().min(QUEUE_TIME);
                (rate as f64 * window.as_secs_f64() / f64::from(BLOCK_LEN)) as usize
            }
            None => self.request_limit,
        }
    }

    /// Notes that a request was withdrawn.
    pub(super) fn withdrew(&mut self, block: Block) {
        if self.fast && self.withdrawn.len() < MAX_REQUESTS {
            self.withdrawn.insert(block);
        }
    }

    /// Notes that an answer came; returns whether it may be that to a request that was withdrawn.
    pub(super) fn answers_withdrawn(&mut self, block: Block) -> bool {
        !self.withdrawn.is_empty() && self.withdrawn.remove(&block)
    }

    /// Notes that a requested block came; returns whether it was outstanding.
    pub(super) fn take_request(&mut self, block: Block, now: Instant) -> bool {
        let Some(at) = self.requests.iter().position(|r| r.block == block) else { return false };
        let Some(request) = self.requests.remove(at) else { return false };
        let round_trip = now - request.sent;
        self.round_trip = Some(self.round_trip.map_or(round_trip, |best| best.min(round_trip)));
        self.last_block = now;
        self.snubbed = false;
        true
    }

    /// Grows the request queue as slow start does: a block came, so one more may be under way, until the measured rate
    /// says what the path holds.
    pub(super) fn grow_request_queue(&mut self, blocks: usize) {
        self.request_limit = (self.request_limit + blocks).min(MAX_REQUESTS);
    }

    /// Fits the request queue to bandwidth × delay, once a second.
    pub(super) fn fit_request_queue(&mut self) {
        let Some(round_trip) = self.round_trip else { return };
        let window = QUEUE_TIME + round_trip.min(Duration::from_secs(4)) * 2;
        let bytes = self.down.rate_bytes_per_s() as f64 * window.as_secs_f64();
        // Twice what is needed now leaves room for the rate to grow.
        let blocks = (2.0 * bytes / f64::from(BLOCK_LEN)) as usize;
        self.request_limit = blocks.clamp(FIRST_REQUESTS / 4, MAX_REQUESTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Reserved;
    use metainfo::InfoHashV1;

    fn alice() -> Peer {
        let connected = Connected {
            peer: super::super::PeerKey(1),
            address: "127.0.0.1:1".parse().unwrap(),
            direction: Direction::Outgoing,
            source: Source::Hint,
            kind: PeerKind::Wire,
            info_hash: InfoHashV1([0; 20]),
            utp: false,
            reserved: Reserved::default(),
            peer_id: PeerId(*b"-AL0000-000000000000"),
        };
        Peer::new(&connected, false, None, Instant::START)
    }

    #[test]
    fn what_came_before_the_piece_count_is_read_after_it() {
        let mut alice = alice();
        alice.keep_raw(&Message::Bitfield(Bytes::from_static(&[0x80])));
        alice.keep_raw(&Message::Have(PieceIndex(2)));
        assert_eq!(alice.learn_piece_count(3).unwrap().iter().collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn a_have_beyond_the_end_is_found_when_the_end_is_known() {
        let mut alice = alice();
        alice.keep_raw(&Message::Have(PieceIndex(3)));
        assert!(alice.learn_piece_count(3).is_err());
    }

    #[test]
    fn the_request_queue_follows_bandwidth_and_delay() {
        let mut alice = alice();
        let block = Block { piece: PieceIndex(0), offset: 0, length: BLOCK_LEN };
        alice.requests.push_back(Outstanding { block, sent: Instant::START });
        assert!(alice.take_request(block, Instant::START + Duration::from_millis(250)));
        assert!(!alice.take_request(block, Instant::START + Duration::from_millis(250)));
        alice.down.add(10 * u64::from(BLOCK_LEN));
        alice.down.tick(Duration::from_secs(1));
        alice.fit_request_queue();
        assert_eq!(alice.room_for_requests(false), 20, "10 blocks a second, one second of window, doubled");
        assert_eq!(
            alice.room_for_requests(true),
            7,
            "while somebody reads: what comes within three quarters of a second"
        );
        assert_eq!([1, 5, 10].map(|turn| alice.share_of_turn(turn)), [0, 3, 7]);
    }

    #[test]
    fn a_reject_of_what_was_withdrawn_says_nothing_of_what_is_asked_again() {
        let mut alice = alice();
        let block = Block { piece: PieceIndex(0), offset: 0, length: BLOCK_LEN };
        alice.withdrew(block);
        assert!(!alice.answers_withdrawn(block), "without BEP 6 nothing answers it");
        alice.fast = true;
        alice.withdrew(block);
        assert!(alice.answers_withdrawn(block) && !alice.answers_withdrawn(block));
    }
}
