//! The order in which one storage's orders are carried out.
//!
//! Orders that touch a piece go to one of a few *lanes* by the piece's number; a lane is worked off by one thread at a
//! time, in order, so that orders touching the same piece stay in order while others run in parallel. A *barrier* (an
//! order that touches all files) waits until everything before it is done and holds back everything behind it.
//! Invariant: while a barrier runs nothing else of the storage does, reads excepted.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use metainfo::{Block, PieceIndex};
use torrent_proto::torrent::{DiskAnswer, DiskError, PieceHash};

use crate::storage::Inner;
use crate::warm::Warm;

/// How many lanes a storage has. Arbitrary: more than there are threads.
const LANES: usize = 8;

/// How many pieces of a lane are hashed while they are written; beyond it one is forgotten and read back. A swarm has
/// about as many unfinished pieces as peers.
const MAX_WARM: usize = 64;

/// Something to do for one piece.
pub(crate) enum PieceJob {
    Write { blocks: Vec<(Block, Bytes)>, order: Arc<WriteOrder> },
    Verify { expected: PieceHash },
    Leaves,
}

/// A write order, whose blocks may be spread over several lanes.
pub(crate) struct WriteOrder {
    pub(crate) blocks: Vec<Block>,
    pub(crate) parts_left: AtomicUsize,
    pub(crate) error: Mutex<Option<DiskError>>,
}

/// What waited together to be written to one piece, and the orders that it came by.
type PieceWrite = (PieceIndex, Vec<(Block, Bytes)>, Vec<Arc<WriteOrder>>);

/// Something to do for the whole storage.
pub(crate) type Whole = Box<dyn FnOnce(&Arc<Inner>) + Send>;

/// Which threads do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crew {
    Slow,
    Check,
}

/// A unit of work.
pub(crate) enum Work {
    Piece(PieceIndex, PieceJob),
    /// Beside others, but not beside barriers.
    Whole(Whole),
    Barrier(Crew, Whole),
}

/// Which work waits for which.
#[derive(Default)]
pub(crate) struct Orders {
    state: Mutex<State>,
    /// Made when the first piece is worked on: a torrent that is only read needs none.
    lanes: OnceLock<Box<[Lane; LANES]>>,
}

impl Orders {
    fn lane(&self, index: usize) -> &Lane {
        &self.lanes.get_or_init(Box::default)[index]
    }
}

#[derive(Default)]
struct State {
    /// Work that was started and is not done, barriers not counted.
    outstanding: usize,
    barrier_runs: bool,
    /// Work behind a barrier, which is the first of it unless one runs.
    held: VecDeque<Work>,
}

#[derive(Default)]
struct Lane {
    queue: Mutex<LaneQueue>,
    /// Locked by the one thread that works the lane off.
    pieces: Mutex<Pieces>,
}

/// What is known of pieces under way.
#[derive(Default)]
struct Pieces {
    warm: HashMap<PieceIndex, Warm>,
    /// Blocks that could not be written, and why: to hash what lies there instead would put the blame on a peer. Bounded
    /// by the torrent's pieces; a piece leaves it when they are written after all, or by its verification.
    lost: HashMap<PieceIndex, (BTreeSet<u32>, DiskError)>,
}

#[derive(Default)]
struct LaneQueue {
    jobs: VecDeque<(PieceIndex, PieceJob)>,
    /// Whether a thread works it off or was asked to.
    scheduled: bool,
}

/// Counts work as done when it ends, even by a panic: a bug in one order must not hold back all later ones.
struct Done {
    inner: Arc<Inner>,
    count: usize,
    is_barrier: bool,
}

impl Drop for Done {
    fn drop(&mut self) {
        if self.is_barrier {
            self.inner.barrier_done();
        } else {
            self.inner.done(self.count);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Takes work in, in order.
    pub(crate) fn submit(self: &Arc<Self>, work: impl IntoIterator<Item = Work>) {
        let mut state = locked(&self.orders.state);
        for work in work {
            if state.barrier_runs || !state.held.is_empty() {
                state.held.push_back(work);
            } else {
                self.start(&mut state, work);
            }
        }
    }

    fn start(self: &Arc<Self>, state: &mut State, work: Work) {
        match work {
            Work::Piece(piece, job) => {
                state.outstanding += 1;
                self.queue(piece, job);
            }
            Work::Whole(work) => {
                state.outstanding += 1;
                let inner = self.clone();
                self.disk.slow.push(Box::new(move || {
                    let done = Done { inner, count: 1, is_barrier: false };
                    work(&done.inner);
                }));
            }
            Work::Barrier(crew, work) if state.outstanding == 0 => {
                state.barrier_runs = true;
                let inner = self.clone();
                let threads = if crew == Crew::Slow { &self.disk.slow } else { &self.disk.checks };
                threads.push(Box::new(move || {
                    let done = Done { inner, count: 0, is_barrier: true };
                    work(&done.inner);
                }));
            }
            barrier @ Work::Barrier(..) => state.held.push_front(barrier),
        }
    }

    fn done(self: &Arc<Self>, count: usize) {
        let mut state = locked(&self.orders.state);
        state.outstanding -= count;
        if state.outstanding == 0 && !state.barrier_runs {
            self.release(&mut state);
        }
    }

    fn barrier_done(self: &Arc<Self>) {
        let mut state = locked(&self.orders.state);
        state.barrier_runs = false;
        self.release(&mut state);
    }

    /// Starts what is held, up to and including the next barrier if it may run at once.
    fn release(self: &Arc<Self>, state: &mut State) {
        while !state.barrier_runs {
            let Some(work) = state.held.pop_front() else { return };
            let waits = matches!(work, Work::Barrier(..)) && state.outstanding > 0;
            self.start(state, work); // a barrier that waits goes back to the front
            if waits {
                return;
            }
        }
    }

    fn queue(self: &Arc<Self>, piece: PieceIndex, job: PieceJob) {
        let index = piece.0 as usize % LANES;
        let mut queue = locked(&self.orders.lane(index).queue);
        queue.jobs.push_back((piece, job));
        if !mem::replace(&mut queue.scheduled, true) {
            self.schedule(index);
        }
    }

    fn schedule(self: &Arc<Self>, lane: usize) {
        let inner = self.clone();
        self.disk.fast.push(Box::new(move || inner.work_off(lane)));
    }

    /// Does what is queued in a lane now; what comes meanwhile waits behind the other lanes' work.
    fn work_off(self: &Arc<Self>, index: usize) {
        let lane = self.orders.lane(index);
        let mut pieces = locked(&lane.pieces);
        let jobs = mem::take(&mut locked(&lane.queue).jobs);
        let done = Done { inner: self.clone(), count: jobs.len(), is_barrier: false };
        let mut writes: Vec<PieceWrite> = Vec::new();
        for (piece, job) in jobs {
            let pending = writes.iter().position(|write| write.0 == piece);
            match job {
                // Writes to one piece that waited together are done together.
                PieceJob::Write { blocks, order } => match pending {
                    Some(at) => {
                        writes[at].1.extend(blocks);
                        writes[at].2.push(order);
                    }
                    None => writes.push((piece, blocks, vec![order])),
                },
                PieceJob::Verify { expected } => {
                    if let Some(at) = pending {
                        self.write(&mut pieces, writes.swap_remove(at));
                    }
                    let warm = pieces.warm.remove(&piece);
                    match pieces.lost.remove(&piece) {
                        Some((_, error)) => {
                            self.answer(DiskAnswer::Failed { blocks: Vec::new(), piece: Some(piece), error });
                        }
                        None => self.verify(warm, piece, expected),
                    }
                }
                PieceJob::Leaves => {
                    if let Some(at) = pending {
                        self.write(&mut pieces, writes.swap_remove(at));
                    }
                    self.leaves(piece);
                }
            }
        }
        for write in writes {
            self.write(&mut pieces, write);
        }
        drop(pieces);
        let mut queue = locked(&lane.queue);
        queue.scheduled = !queue.jobs.is_empty();
        if queue.scheduled {
            self.schedule(index);
        }
        drop(queue);
        drop(done);
    }

    fn write(&self, pieces: &mut Pieces, (piece, mut blocks, orders): PieceWrite) {
        // Stable: of two that overlap, the later order's bytes stay.
        blocks.sort_by_key(|(block, _)| block.offset);
        let Pieces { warm, lost } = pieces;
        let mut state = warm.remove(&piece).unwrap_or_else(|| Warm::new(&self.files.info, piece));
        let written = self.write_warm(&mut state, piece, &blocks);
        if let Err(error) = &written {
            let (offsets, last) = lost.entry(piece).or_insert_with(|| (BTreeSet::new(), error.clone()));
            offsets.extend(blocks.iter().map(|(block, _)| block.offset));
            *last = error.clone();
        } else {
            if let Some((offsets, _)) = lost.get_mut(&piece) {
                offsets.retain(|offset| !blocks.iter().any(|(block, _)| block.offset == *offset));
                if offsets.is_empty() {
                    lost.remove(&piece);
                }
            }
            if warm.len() >= MAX_WARM
                && let Some(&victim) = warm.keys().next()
            {
                warm.remove(&victim);
            }
            warm.insert(piece, state);
        }
        // The bytes first, so that whoever gets the answer finds their buffers free.
        drop(blocks);
        for order in orders {
            if let Err(error) = &written {
                *locked(&order.error) = Some(error.clone());
            }
            self.write_part_done(&order);
        }
    }

    fn write_part_done(&self, order: &WriteOrder) {
        if order.parts_left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let blocks = order.blocks.clone();
        self.answer(match locked(&order.error).take() {
            None => DiskAnswer::Wrote { blocks },
            Some(error) => DiskAnswer::Failed { blocks, piece: None, error },
        });
    }

    /// Forgets the hashes of all pieces under way: the files behind them changed.
    pub(crate) fn forget_warm(&self) {
        for lane in self.orders.lanes.get().into_iter().flat_map(|lanes| lanes.iter()) {
            locked(&lane.pieces).warm.clear();
        }
    }
}
