//! All connections of one socket.
//!
//! Owns which connection a packet belongs to, which connections have something to do, and what strangers may cost: SYNs are
//! answered with as many bytes as they have and kept in a bounded list, packets without a connection are answered with a
//! reset that is never longer, so many a second. Invariants: each connection stands in `lookup` under its address and id;
//! its timer is in `timers` once; a key is valid until it is given back.

mod io;

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::IoSlice;

use base::{Instant, Now};

use crate::connection::{Changes, Connection, State};
use crate::packet::{HEADER_LEN, Header, Kind, Packet};
use crate::pool::Pool;
pub use io::{Config, Counts, Event, Input, Key, MAX_DATAGRAM_LEN, Status, StreamError, Transmit};

/// How many resets wait for the socket. Arbitrary; more are not sent.
const MAX_RESETS: usize = 64;
/// How many resets a second strangers can make us send. Arbitrary.
const RESETS_A_SECOND: f64 = 100.0;
/// How many connections strangers of one address may have begun at a time. Arbitrary.
const MAX_HALF_OPEN_OF_ADDRESS: usize = 16;

/// See the module.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    rng: fastrand::Rng,
    slots: Vec<Place>,
    free: Vec<u32>,
    /// By id first: ids are drawn at random, so few addresses are compared.
    lookup: BTreeMap<(u16, SocketAddr), u32>,
    /// What the last packet was for; packets come in runs.
    last: Option<(u16, SocketAddr, u32)>,
    /// Connections that strangers began, the oldest first; until the next SYN some may be open or over.
    half_open: VecDeque<Key>,
    half_open_count: usize,
    closing_count: usize,
    /// Connections that may have something to send.
    ready: VecDeque<u32>,
    timers: BTreeSet<(Instant, u32)>,
    events: VecDeque<Event>,
    resets: VecDeque<(SocketAddr, Header)>,
    resets_left: f64,
    resets_at: Instant,
    pool: Pool,
    /// What receive windows were grown by, in sum.
    grown: u64,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    connection: Option<Box<Connection>>,
}

impl Endpoint {
    /// Builds an endpoint without connections. `rng` draws connection ids and sequence numbers, which strangers must not
    /// guess.
    pub fn new(config: Config, rng: fastrand::Rng) -> Endpoint {
        Endpoint {
            config,
            rng,
            slots: Vec::new(),
            free: Vec::new(),
            lookup: BTreeMap::new(),
            last: None,
            half_open: VecDeque::new(),
            half_open_count: 0,
            closing_count: 0,
            ready: VecDeque::new(),
            timers: BTreeSet::new(),
            events: VecDeque::new(),
            resets: VecDeque::new(),
            resets_left: RESETS_A_SECOND,
            resets_at: Instant::START,
            pool: Pool::default(),
            grown: 0,
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        let now = now.mono;
        match input {
            Input::Received { from, data, stride } => {
                for datagram in data.chunks(stride.max(1)) {
                    if let Some(packet) = Packet::decode(datagram) {
                        self.received(now, from, &packet);
                    }
                }
            }
            Input::TooLarge { to, length } => {
                let keys: Vec<u32> =
                    self.lookup.iter().filter(|((_, at), _)| *at == to).map(|(_, &slot)| slot).collect();
                for slot in keys {
                    if let Some(connection) = self.connection(slot) {
                        connection.too_large(length);
                        self.queue(slot);
                    }
                }
            }
            Input::Timeout => self.timeout(now),
        }
    }

    /// Begins a connection; `None` when there are too many. [`Event::Connected`] or [`Event::Failed`] follows.
    pub fn connect(&mut self, now: Now, to: SocketAddr) -> Option<Key> {
        if self.lookup.len() >= self.config.max_connections {
            return None;
        }
        // Both our id and the next must be free; a handful of draws finds one unless an address has thousands.
        let free =
            |id: &u16| !self.lookup.contains_key(&(*id, to)) && !self.lookup.contains_key(&(id.wrapping_add(1), to));
        let id = std::iter::repeat_with(|| self.rng.u16(..)).take(16).find(free)?;
        let seq = self.rng.u16(..);
        let max = self.config.max_send_buffer as usize;
        Some(self.add(Connection::ask(now.mono, to, id, seq, max)))
    }

    /// Appends datagrams to `buffer` for the next address that something is to be sent to, at most `max_segments` (at
    /// least 1) and 65,507 bytes; `None` when there is nothing to send now. Call it when the socket takes datagrams, after
    /// inputs, reads, writes and timeouts, until it returns `None`: what is not asked for waits here.
    pub fn poll_transmit(&mut self, now: Now, max_segments: usize, buffer: &mut Vec<u8>) -> Option<Transmit> {
        if let Some((to, header)) = self.resets.pop_front() {
            header.encode(&[], buffer);
            return Some(Transmit { to, len: HEADER_LEN, stride: HEADER_LEN });
        }
        while let Some(slot) = self.ready.pop_front() {
            let Some(connection) = self.connection(slot) else { continue };
            if let Some(transmit) = connection.transmit(now.mono, max_segments, buffer) {
                // There may be more; others first.
                self.ready.push_back(slot);
                return Some(transmit);
            }
            connection.queued = false;
            self.settle(slot);
        }
        None
    }

    /// Tells whether [`Endpoint::poll_transmit`] may have something, so that who reads or writes need not ask each time.
    pub fn is_transmit_due(&self) -> bool {
        !self.ready.is_empty() || !self.resets.is_empty()
    }

    /// Returns what happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Reads into `out`; `Ok(0)` is the end of the stream (or `out` is empty). What was received before a failure can
    /// still be read. May make acknowledgements due: poll for transmits afterwards.
    pub fn read(&mut self, now: Now, key: Key, out: &mut [u8]) -> Result<usize, StreamError> {
        let Some(connection) = self.held(key) else { return Err(StreamError::Closed) };
        let (result, grow) = connection.read(now.mono, out);
        let acks = connection.receiver.is_ack_due(now.mono);
        if grow {
            self.grow(key.slot);
        }
        if acks {
            self.queue(key.slot);
        }
        result
    }

    /// Takes as much of `data` as there is room for. Small writes are packed into full packets while others are on their
    /// way. Poll for transmits afterwards.
    pub fn write(&mut self, _now: Now, key: Key, data: &[IoSlice<'_>]) -> Result<usize, StreamError> {
        let share = self.config.send_memory / self.lookup.len().max(1) as u64;
        let most = share.min(u64::from(self.config.max_send_buffer)) as usize;
        let Some(connection) = self.held(key) else { return Err(StreamError::Closed) };
        let result = connection.write(data, most);
        if result.is_ok() {
            self.queue(key.slot);
        }
        result
    }

    /// Ends our half of the stream: what was written is still delivered, the other half can still be read.
    pub fn shutdown(&mut self, _now: Now, key: Key) {
        if let Some(connection) = self.held(key) {
            connection.shutdown();
            self.queue(key.slot);
        }
    }

    /// Gives a key back: what was written is still delivered (within a time limit), what comes is thrown away.
    pub fn close(&mut self, now: Now, key: Key) {
        let Some(place) = self.slots.get_mut(key.slot as usize).filter(|place| place.generation == key.generation)
        else {
            return;
        };
        let Some(connection) = place.connection.as_mut().filter(|connection| connection.owned) else { return };
        connection.close(now.mono, &mut self.pool);
        self.closing_count += 1;
        self.queue(key.slot);
        self.settle(key.slot);
    }

    /// Gives a key back and ends the connection at once.
    pub fn reset(&mut self, now: Now, key: Key) {
        let Some(connection) = self.held(key) else { return };
        if connection.state == State::Open {
            let (to, header) = (connection.remote, connection.reset_header(now.mono));
            // One for each key that was held.
            self.resets.push_back((to, header));
        }
        self.remove(key.slot);
    }

    /// Returns the address of the other end; `None` when the key was given back.
    pub fn remote(&self, key: Key) -> Option<SocketAddr> {
        self.get(key).map(|connection| connection.remote)
    }

    /// Returns what a connection is doing; `None` when the key was given back.
    pub fn status(&self, key: Key) -> Option<Status> {
        self.get(key).map(Connection::status)
    }

    /// Takes connections from outside, or not.
    pub fn set_accept(&mut self, accept: bool) {
        self.config.accept = accept;
    }

    /// Counts the connections.
    pub fn counts(&self) -> Counts {
        let (half_open, closing) = (self.half_open_count, self.closing_count);
        Counts { open: self.lookup.len() - half_open - closing, half_open, closing }
    }

    fn get(&self, key: Key) -> Option<&Connection> {
        let place = self.slots.get(key.slot as usize).filter(|place| place.generation == key.generation)?;
        place.connection.as_deref().filter(|connection| connection.owned)
    }

    fn held(&mut self, key: Key) -> Option<&mut Connection> {
        let place = self.slots.get_mut(key.slot as usize).filter(|place| place.generation == key.generation)?;
        place.connection.as_deref_mut().filter(|connection| connection.owned)
    }

    fn connection(&mut self, slot: u32) -> Option<&mut Connection> {
        self.slots.get_mut(slot as usize)?.connection.as_deref_mut()
    }

    fn key(&self, slot: u32) -> Key {
        Key { slot, generation: self.slots[slot as usize].generation }
    }

    fn add(&mut self, connection: Connection) -> Key {
        let id = (connection.receive_id, connection.remote);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Place::default());
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize].connection = Some(Box::new(connection));
        self.lookup.insert(id, slot);
        self.queue(slot);
        self.settle(slot);
        self.key(slot)
    }

    fn remove(&mut self, slot: u32) {
        let place = &mut self.slots[slot as usize];
        let Some(mut connection) = place.connection.take() else { return };
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
        self.lookup.remove(&(connection.receive_id, connection.remote));
        self.last = None;
        if let Some(at) = connection.timer {
            self.timers.remove(&(at, slot));
        }
        if connection.queued {
            self.ready.retain(|&other| other != slot);
        }
        if connection.half_open {
            self.half_open_count -= 1;
        } else if !connection.owned {
            self.closing_count -= 1;
        }
        self.grown -= u64::from(connection.receiver.window() - crate::receive::INITIAL_WINDOW);
        connection.receiver.discard(&mut self.pool);
    }

    /// The connection may have something to send.
    fn queue(&mut self, slot: u32) {
        if let Some(connection) = self.connection(slot)
            && !std::mem::replace(&mut connection.queued, true)
        {
            self.ready.push_back(slot);
        }
    }

    /// Sets the timer of a connection, or takes it out when it is over.
    fn settle(&mut self, slot: u32) {
        let Some(connection) = self.connection(slot) else { return };
        if connection.is_over() {
            self.remove(slot);
            return;
        }
        // A timer that fires too soon costs little: it is set again then. Most are put off by the next packet.
        let due = connection.next_timeout();
        let Some(due) = due.filter(|due| connection.timer.is_none_or(|timer| *due < timer)) else { return };
        if let Some(timer) = connection.timer.replace(due) {
            self.timers.remove(&(timer, slot));
        }
        self.timers.insert((due, slot));
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(&(at, slot)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            let Some(connection) = self.connection(slot) else { continue };
            connection.timer = None;
            let changes = connection.timeout(now);
            self.changed(slot, changes);
            self.queue(slot);
            // What is due now leaves with the next transmit, which sets the timer again.
            if self.connection(slot).is_some_and(|connection| connection.is_over()) {
                self.remove(slot);
            }
        }
    }

    fn received(&mut self, now: Instant, from: SocketAddr, packet: &Packet<'_>) {
        let id = packet.header.connection;
        // A SYN carries the id of its sender, which is one less than ours.
        let id = if packet.header.kind == Kind::Syn { id.wrapping_add(1) } else { id };
        let slot = match self.last {
            Some((last_id, last_from, slot)) if last_id == id && last_from == from => Some(slot),
            _ => self.lookup.get(&(id, from)).copied(),
        };
        let slot = match (slot, packet.header.kind) {
            (None, Kind::Reset) => self.find_by_send_id(from, id),
            (slot, _) => slot,
        };
        let Some(slot) = slot else { return self.unknown(now, from, packet) };
        self.last = Some((id, from, slot)).filter(|_| packet.header.kind != Kind::Reset);
        let place = &mut self.slots[slot as usize];
        let Some(connection) = &mut place.connection else { return };
        let changes = connection.received(now, packet, &mut self.pool);
        self.changed(slot, changes);
        self.queue(slot);
    }

    /// A reset may carry the id that we send with (libutp).
    fn find_by_send_id(&self, from: SocketAddr, id: u16) -> Option<u32> {
        let both = [id.wrapping_add(1), id.wrapping_sub(1)];
        let found = both.into_iter().filter_map(|ours| self.lookup.get(&(ours, from)).copied());
        found.into_iter().find(|&slot| {
            self.slots[slot as usize].connection.as_ref().is_some_and(|connection| connection.send_id == id)
        })
    }

    /// A packet without a connection.
    fn unknown(&mut self, now: Instant, from: SocketAddr, packet: &Packet<'_>) {
        match packet.header.kind {
            Kind::Reset => {}
            Kind::Syn if self.config.accept && self.make_room(from) => {
                let seq = self.rng.u16(..);
                let max = self.config.max_send_buffer as usize;
                let mut connection = Connection::answer(now, from, packet, seq, max);
                connection.half_open = true;
                self.half_open_count += 1;
                let key = self.add(connection);
                self.half_open.push_back(key);
            }
            _ => self.refuse(now, from, &packet.header),
        }
    }

    /// Tells whether a stranger may begin a connection; the oldest of those begun gives way.
    fn make_room(&mut self, from: SocketAddr) -> bool {
        let is_half_open = |endpoint: &Endpoint, key: &Key| {
            let place = &endpoint.slots[key.slot as usize];
            place.generation == key.generation && place.connection.as_ref().is_some_and(|c| c.half_open)
        };
        // Those that were opened meanwhile are dropped each time, or one that never is would let them pile up.
        let mut half_open = std::mem::take(&mut self.half_open);
        half_open.retain(|key| is_half_open(self, key));
        self.half_open = half_open;
        let of_address = self.half_open.iter().filter(|key| {
            self.slots[key.slot as usize].connection.as_ref().is_some_and(|c| c.remote.ip() == from.ip())
        });
        if of_address.count() >= MAX_HALF_OPEN_OF_ADDRESS {
            return false;
        }
        if self.half_open_count >= self.config.max_half_open
            && let Some(oldest) = self.half_open.pop_front()
        {
            self.remove(oldest.slot);
        }
        self.lookup.len() < self.config.max_connections
    }

    /// Tells a stranger that there is no such connection, if that is not too much.
    fn refuse(&mut self, now: Instant, from: SocketAddr, header: &Header) {
        let passed = now.since(self.resets_at).as_secs_f64();
        self.resets_at = now;
        self.resets_left = (self.resets_left + passed * RESETS_A_SECOND).min(RESETS_A_SECOND);
        if self.resets_left < 1.0 || self.resets.len() >= MAX_RESETS {
            return;
        }
        self.resets_left -= 1.0;
        let reset = Header {
            kind: Kind::Reset,
            connection: header.connection,
            timestamp_us: 0,
            timestamp_difference_us: 0,
            window: 0,
            seq: self.rng.u16(..),
            ack: header.seq,
        };
        self.resets.push_back((from, reset));
    }

    /// Tells the owner, or a new one.
    fn changed(&mut self, slot: u32, changes: Changes) {
        if changes == Changes::default() {
            return;
        }
        let key = self.key(slot);
        let Some(connection) = self.connection(slot) else { return };
        let from = connection.remote;
        if changes.opened {
            let was_asked = std::mem::take(&mut connection.half_open);
            connection.owned = true;
            self.half_open_count -= usize::from(was_asked);
            self.events.push_back(if was_asked { Event::Incoming { key, from } } else { Event::Connected(key) });
        }
        let Some(connection) = self.connection(slot).filter(|connection| connection.owned) else { return };
        let state = connection.state;
        self.events.extend(changes.readable.then_some(Event::Readable(key)));
        self.events.extend(changes.writable.then_some(Event::Writable(key)));
        if let State::Failed(error) = state
            && changes.failed
        {
            self.events.push_back(Event::Failed { key, error });
        }
    }

    /// Checks the invariants; for tests.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let connections = || self.slots.iter().filter_map(|place| place.connection.as_deref());
        assert_eq!(self.pool.used(), connections().map(|connection| connection.check(&self.pool)).sum::<usize>());
        assert_eq!(self.lookup.len(), connections().count());
        assert_eq!(self.timers.len(), connections().filter(|connection| connection.timer.is_some()).count());
        assert_eq!(self.ready.len(), connections().filter(|connection| connection.queued).count());
        assert_eq!(self.half_open_count, connections().filter(|connection| connection.half_open).count());
        let grown = |c: &Connection| u64::from(c.receiver.window() - crate::receive::INITIAL_WINDOW);
        assert_eq!(self.grown, connections().map(grown).sum::<u64>());
        for (&(id, remote), &slot) in &self.lookup {
            let connection = self.slots[slot as usize].connection.as_ref();
            assert!(connection.is_some_and(|connection| (connection.receive_id, connection.remote) == (id, remote)));
        }
    }

    /// Grows a receive window to twice its size, as far as memory allows.
    fn grow(&mut self, slot: u32) {
        let most = self.config.max_receive_window;
        let left = self.config.receive_memory.saturating_sub(self.grown);
        let Some(connection) = self.connection(slot) else { return };
        let window = connection.receiver.window();
        let more = u64::from(most.saturating_sub(window).min(window)).min(left);
        connection.receiver.grow(window + more as u32);
        self.grown += more;
    }
}

#[cfg(test)]
mod tests;
