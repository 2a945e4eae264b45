//! The peer task: one connection of the swarm, from after the handshakes to its end.
//!
//! Owns the socket. It hands what one read brought to the torrent as one report, and writes what the torrent orders.
//! Who may wait: while the torrent's queue is full or no buffer is to be had, it stops reading and goes on writing; the
//! torrent never waits for it. It ends when the socket does, when the torrent drops the orders' sender or aborts the
//! task, or when the peer takes nothing for [`WRITE_TIMEOUT`].

pub(crate) mod channel;
pub(crate) mod handshake;
mod reader;
mod writer;

use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use disk::{Buffer, Pool};
use metainfo::Block;
use net::Meter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};
use torrent_proto::torrent::{DiskError, PeerKey};
use torrent_proto::wire::{ExtensionIds, Message, WireError};

use crate::haves::HaveCursor;
use crate::queue::{Refused, Sender};
use crate::report::{Order, Report, StorageSlot};
use channel::Channel;
use reader::Reader;
use writer::Writer;

/// After so long without a word of ours a keep-alive goes out. BEP 3: every two minutes; a little earlier, since some
/// peers close at two minutes sharp.
const KEEP_ALIVE: Duration = Duration::from_secs(100);

/// How long a peer may take nothing of what is to be written. Arbitrary; shorter than the silence that the torrent
/// allows, since a full socket buffer is certain, silence is not.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// After so long without a byte taken, what was read for a peer is given back. Arbitrary; longer than a lost packet takes
/// to be sent again.
const STALL_TIME: Duration = Duration::from_secs(2);

/// How many haves go out at once. Arbitrary; the control buffer holds 7,000.
const HAVES_AT_ONCE: usize = 1000;

/// How many blocks may wait to be read for one peer. The torrent announces a queue of 2,000 requests.
const MAX_UPLOADS: usize = 4096;

/// The most bytes asked of the limiter for one write. What sixteen blocks take with their headers.
const WRITE_UNIT: usize = 16 * (metainfo::BLOCK_LEN as usize + torrent_proto::wire::PIECE_HEADER_LEN) + 4096;

/// Why a connection ended, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("the peer closed the connection")]
    Closed,
    #[error("the torrent closed the connection")]
    Dropped,
    #[error("the connection failed: {0}")]
    Failed(#[from] io::Error),
    #[error("the peer broke the protocol: {0}")]
    Wire(#[from] WireError),
    #[error("the peer takes nothing of what is sent")]
    Stuck,
    #[error("the peer asks for more than it may")]
    Greedy,
    #[error("the gate refuses it by now: {0}")]
    Refused(net::Refusal),
}

/// What a peer task is made of.
#[derive(Debug)]
pub(crate) struct PeerParts {
    pub key: PeerKey,
    pub stream: Channel,
    pub reports: Sender<Report>,
    pub orders: mpsc::Receiver<Order>,
    pub haves: HaveCursor,
    pub storage: StorageSlot,
    pub pool: Pool,
    pub down: Meter,
    pub up: Meter,
}

type ReadReply = (Vec<Block>, Result<Vec<Bytes>, DiskError>);

/// What a peer task waited for.
#[derive(Debug)]
enum Woken {
    /// Noted already: what can be done now is tried anyway.
    Nothing,
    Order(Order),
    Read(ReadReply),
    Time,
}

/// The state of a peer task.
#[derive(Debug)]
pub(crate) struct PeerTask {
    parts: PeerParts,
    reader: Reader,
    writer: Writer,
    /// Under which ids the peer takes extensions.
    ids: ExtensionIds,
    /// A report for which the torrent's queue had no room.
    held: Option<Report>,
    /// Blocks handed to the socket and not yet reported.
    sent: Vec<Block>,
    reading: Option<oneshot::Receiver<ReadReply>>,
    buffer: Option<oneshot::Receiver<Buffer>>,
    readable: bool,
    writable: bool,
    read_after: Option<Instant>,
    write_after: Option<Instant>,
    last_write: Instant,
    /// Since when what is to be written waits.
    stall_from: Instant,
    timer: Pin<Box<Sleep>>,
}

impl PeerTask {
    /// Builds the task.
    pub(crate) fn new(mut parts: PeerParts) -> PeerTask {
        let now = Instant::now();
        let left = parts.stream.take_early();
        let readable = !left.is_empty();
        PeerTask {
            reader: Reader::new(left),
            parts,
            writer: Writer::default(),
            ids: ExtensionIds::default(),
            held: None,
            sent: Vec::new(),
            reading: None,
            buffer: None,
            readable,
            writable: true,
            read_after: None,
            write_after: None,
            last_write: now,
            stall_from: now,
            timer: Box::pin(tokio::time::sleep_until(now + KEEP_ALIVE)),
        }
    }

    /// Runs the connection to its end.
    pub(crate) async fn run(mut self) -> End {
        loop {
            match self.step().await {
                Ok(()) => {}
                Err(end) => {
                    // What came before the end still counts.
                    if let Some(report) = self.held.take() {
                        let _ = self.parts.reports.send(report).await;
                    }
                    return end;
                }
            }
        }
    }

    /// Does all that can be done now, then waits for one thing.
    async fn step(&mut self) -> Result<(), End> {
        self.take_orders()?;
        self.push_haves();
        self.read_ahead();
        self.write()?;
        self.report_sent();
        if self.held.is_none() && self.readable && self.read_after.is_none() && self.read()? {
            // A full buffer: let the torrent and other peers have their turn.
            tokio::task::yield_now().await;
            return Ok(());
        }
        self.set_timer();
        self.wait().await
    }

    /// Waits for one thing and notes it.
    async fn wait(&mut self) -> Result<(), End> {
        let may_read = self.held.is_none() && !self.readable && self.buffer.is_none();
        let may_write = !self.writable && self.has_unsent();
        let room = self.writer.has_room();
        let stream = &self.parts.stream;
        let woken = tokio::select! {
            biased;
            order = self.parts.orders.recv(), if room => Woken::Order(order.ok_or(End::Dropped)?),
            ready = stream.writable(), if may_write => {
                ready?;
                self.writable = true;
                Woken::Nothing
            }
            // The disk drops an order without an answer only when it is gone itself.
            answer = receive(&mut self.reading), if self.reading.is_some() => {
                Woken::Read(answer.map_err(|_| End::Dropped)?)
            }
            permit = self.parts.reports.reserve(), if self.held.is_some() => {
                let permit = permit.map_err(|_| End::Dropped)?;
                if let Some(report) = self.held.take() {
                    permit.send(report);
                }
                Woken::Nothing
            }
            buffer = receive(&mut self.buffer), if self.buffer.is_some() => {
                self.buffer = None;
                self.reader.give_room(buffer.map_err(|_| End::Dropped)?);
                self.readable = true;
                Woken::Nothing
            }
            ready = stream.readable(), if may_read => {
                ready?;
                self.readable = true;
                Woken::Nothing
            }
            () = self.parts.haves.changed(), if room => Woken::Nothing,
            () = &mut self.timer => Woken::Time,
        };
        match woken {
            Woken::Nothing => {}
            Woken::Order(order) => {
                self.obey(order)?;
                while self.writer.has_room()
                    && let Ok(order) = self.parts.orders.try_recv()
                {
                    self.obey(order)?;
                }
            }
            Woken::Read((blocks, outcome)) => {
                self.reading = None;
                self.read_done(blocks, outcome);
            }
            Woken::Time => self.time_passed()?,
        }
        Ok(())
    }

    /// Takes what the torrent ordered, before the haves: a bitfield that is on its way must not be overtaken by what came
    /// to be had after it.
    fn take_orders(&mut self) -> Result<(), End> {
        while self.writer.has_room() {
            match self.parts.orders.try_recv() {
                Ok(order) => self.obey(order)?,
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return Err(End::Dropped),
            }
        }
        Ok(())
    }

    fn obey(&mut self, order: Order) -> Result<(), End> {
        match order {
            Order::Send(messages) => messages.iter().for_each(|m| self.writer.push(m, &self.ids)),
            Order::Upload(blocks) => {
                if self.writer.waiting() + blocks.len() > MAX_UPLOADS {
                    return Err(End::Greedy);
                }
                self.writer.upload(blocks);
            }
        }
        Ok(())
    }

    fn push_haves(&mut self) {
        while self.writer.has_room() {
            let pieces = self.parts.haves.take(HAVES_AT_ONCE);
            if pieces.is_empty() {
                return;
            }
            for piece in pieces {
                self.writer.push(&Message::Have(piece), &self.ids);
            }
        }
    }

    /// Orders the next blocks from the disk while earlier ones go out.
    fn read_ahead(&mut self) {
        if self.reading.is_some() {
            return;
        }
        let Some(blocks) = self.writer.next_read() else { return };
        let (sender, receiver) = oneshot::channel();
        match self.parts.storage.get() {
            Some(storage) => {
                let asked = blocks.clone();
                // A task that ended meanwhile no longer waits for the answer.
                storage.read(blocks, move |outcome| drop(sender.send((asked, outcome))));
            }
            None => {
                let message = "the torrent's files are not open".to_owned();
                drop(sender.send((blocks, Err(DiskError { full: false, message }))));
            }
        }
        self.reading = Some(receiver);
    }

    fn read_done(&mut self, blocks: Vec<Block>, outcome: Result<Vec<Bytes>, DiskError>) {
        match outcome {
            Ok(data) => {
                if self.writer.pending() == 0 {
                    // Silence before there was anything to say is no stall.
                    self.stall_from = Instant::now();
                }
                self.writer.push_blocks(blocks.into_iter().zip(data).collect(), Instant::now());
            }
            Err(error) => {
                let report = Report::UploadFailed { peer: self.parts.key, blocks, error };
                // Held only while nothing else is: a second one cannot come before the first is gone, since reading
                // ahead waits for the answer of the torrent's next orders.
                if let Err(report) = self.try_report(report) {
                    self.held.get_or_insert(report);
                }
            }
        }
    }

    /// Writes until the socket is full, the limiter says stop, or nothing is left.
    fn write(&mut self) -> Result<(), End> {
        if self.write_after.is_some_and(|at| at > Instant::now()) {
            return Ok(());
        }
        self.write_after = None;
        while self.writable && self.has_unsent() {
            if self.parts.stream.has_staged() {
                match self.parts.stream.flush() {
                    Ok(_) => (self.last_write, self.stall_from) = (Instant::now(), Instant::now()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                    Err(error) => return Err(error.into()),
                }
                continue;
            }
            let want = self.writer.pending().min(WRITE_UNIT);
            let granted = match self.parts.up.take(want) {
                Ok(granted) => granted,
                Err(wait) => {
                    // It is our limit that holds this up, not the peer.
                    let now = Instant::now();
                    (self.last_write, self.stall_from) = (now, now);
                    self.write_after = Some(now + wait);
                    return Ok(());
                }
            };
            let slices = self.writer.slices(granted);
            let written = self.parts.stream.try_write(&slices);
            drop(slices);
            match written {
                Ok(written) => {
                    self.writer.advance(written, &mut self.sent);
                    self.parts.up.refund(granted - written);
                    self.last_write = Instant::now();
                    self.stall_from = self.last_write;
                    self.writer.taken(written, self.last_write);
                    self.read_ahead();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.parts.up.refund(granted);
                    self.writable = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Tells whether anything waits for the socket.
    fn has_unsent(&self) -> bool {
        self.writer.pending() > 0 || self.parts.stream.has_staged()
    }

    fn report_sent(&mut self) {
        if !self.sent.is_empty() && self.held.is_none() {
            let blocks = std::mem::take(&mut self.sent);
            if let Err(report) = self.try_report(Report::Uploaded { peer: self.parts.key, blocks }) {
                self.held = Some(report);
            }
        }
    }

    /// Reads until the socket is empty or the buffer full, and reports it. Returns whether more is likely to be there.
    fn read(&mut self) -> Result<bool, End> {
        if !self.reader.has_room() {
            let wanted = self.reader.wanted_room();
            match self.parts.pool.try_acquire(wanted) {
                Some(buffer) => self.reader.give_room(buffer),
                None => {
                    let (sender, receiver) = oneshot::channel();
                    self.parts.pool.acquire_then(wanted, move |buffer| drop(sender.send(buffer)));
                    self.buffer = Some(receiver);
                    self.readable = false;
                    return Ok(false);
                }
            }
        }
        let mut read = 0;
        let mut closed = false;
        let more = loop {
            let space = self.reader.space();
            if space.is_empty() {
                break true;
            }
            let granted = match self.parts.down.take(space.len()) {
                Ok(granted) => granted,
                Err(wait) => {
                    self.read_after = Some(Instant::now() + wait);
                    break false;
                }
            };
            match self.parts.stream.try_read(&mut space[..granted]) {
                Ok(bytes) => {
                    self.parts.down.refund(granted - bytes);
                    self.reader.advance(bytes);
                    read += bytes;
                    if bytes == 0 {
                        closed = true;
                        break false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.parts.down.refund(granted);
                    self.readable = false;
                    break false;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let messages = self.reader.take(read, &self.parts.pool)?;
        for message in &messages {
            self.note(message);
        }
        if !messages.is_empty() {
            let report = Report::Received { peer: self.parts.key, messages };
            if let Err(report) = self.try_report(report) {
                self.held = Some(report);
            }
        }
        if closed { Err(End::Closed) } else { Ok(more) }
    }

    /// Keeps what the writing half must know of what the peer said.
    fn note(&mut self, message: &Message) {
        if let Message::ExtensionHandshake(handshake) = message {
            self.ids = handshake.ids;
        }
    }

    fn try_report(&self, report: Report) -> Result<(), Report> {
        match self.parts.reports.try_send(report) {
            Ok(()) => Ok(()),
            // A torrent that is gone aborts this task.
            Err(Refused::Full(report) | Refused::Closed(report)) => Err(report),
        }
    }

    /// Sets the timer if it would fire too late; one that fires too early only costs a look.
    fn set_timer(&mut self) {
        let idle = if self.has_unsent() { WRITE_TIMEOUT } else { KEEP_ALIVE };
        let stall = self.writer.may_stall().then(|| self.stall_from + STALL_TIME);
        let due = [self.read_after, self.write_after, stall].into_iter().flatten();
        let due = due.fold(self.last_write + idle, Instant::min);
        if self.timer.is_elapsed() || due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
    }

    fn time_passed(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.read_after.is_some_and(|at| at <= now) {
            self.read_after = None;
        }
        if self.writer.may_stall() && now - self.stall_from >= STALL_TIME {
            self.writer.stall();
        }
        let idle = now - self.last_write;
        self.write_after = None;
        if self.has_unsent() {
            if idle >= WRITE_TIMEOUT {
                return Err(End::Stuck);
            }
        } else if idle >= KEEP_ALIVE {
            self.writer.push(&Message::KeepAlive, &self.ids);
        }
        Ok(())
    }
}

/// Waits for the answer in `slot`, for ever if there is none.
async fn receive<T>(slot: &mut Option<oneshot::Receiver<T>>) -> Result<T, oneshot::error::RecvError> {
    match slot {
        Some(receiver) => receiver.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
