//! The exchanges of a client with UDP trackers, for all torrents of a socket.
//!
//! Owns which requests wait, the connection id of each tracker, and when to send again. Invariants: a transaction id
//! belongs to at most one waiting thing; a connection id is used for a minute at most; every request ends with exactly
//! one output. A request goes *connecting → asking → done*; those of one tracker share one connect exchange.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{Instant, Now};
use metainfo::InfoHashV1;

use super::packet::{Answer, ConnectionId, Family, Request, TransactionId};
use crate::tracker::error::{Retry, TrackerError};
use crate::tracker::request::{AnnounceRequest, AnnounceResponse, ScrapeResponse};

/// How long a connection id may be used (BEP 15).
const CONNECTION_LIFE: Duration = Duration::from_secs(60);

/// How long the first transmission waits for its answer; each later one twice as long as the one before (BEP 15).
const FIRST_WAIT: Duration = Duration::from_secs(15);

/// How often a request is sent. BEP 15 goes on for hours; we give up after 45 s, since other trackers are at hand and
/// the announcer has its own back-off.
const MAX_SENDS: u32 = 2;

/// The most requests that wait at a time (arbitrary; one a torrent and tracker is usual).
const MAX_WAITING: usize = 4_096;

/// A request's number, chosen by whoever asks; not to be used twice while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What to ask a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// An announce.
    Announce {
        /// What to announce.
        announce: AnnounceRequest,
        /// Path and query of the tracker's URL (BEP 41).
        url_data: String,
    },
    /// A scrape of at most [`super::MAX_SCRAPE`] swarms.
    Scrape {
        /// The swarms.
        info_hashes: Vec<InfoHashV1>,
    },
}

/// What can happen to the client.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Ask a tracker.
    Ask {
        /// The number of the request.
        id: RequestId,
        /// The tracker's address.
        to: SocketAddr,
        /// What to ask.
        task: Task,
    },
    /// Nobody waits for this request any more; no output follows.
    Cancel(RequestId),
    /// A packet arrived.
    Received {
        /// From where.
        from: SocketAddr,
        /// Its bytes.
        packet: &'a [u8],
    },
    /// The time that [`Client::poll_timeout`] named has come.
    Timeout,
}

/// What the client wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a packet.
    Send {
        /// Where to.
        to: SocketAddr,
        /// Its bytes.
        packet: Vec<u8>,
    },
    /// The answer to an announce.
    Announced {
        /// Which.
        id: RequestId,
        /// The answer.
        response: AnnounceResponse,
    },
    /// The answer to a scrape.
    Scraped {
        /// Which.
        id: RequestId,
        /// The answer.
        response: ScrapeResponse,
    },
    /// A request came to nothing.
    Failed {
        /// Which.
        id: RequestId,
        /// Why.
        error: TrackerError,
    },
}

/// The state machine.
#[derive(Debug)]
pub struct Client {
    rng: fastrand::Rng,
    waiting: BTreeMap<RequestId, Waiting>,
    deadlines: BTreeSet<(Instant, RequestId)>,
    transactions: BTreeMap<TransactionId, RequestId>,
    servers: BTreeMap<SocketAddr, Server>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Waiting {
    /// As given: what to send to.
    to: SocketAddr,
    task: Task,
    transaction: TransactionId,
    sends: u32,
    deadline: Instant,
    /// The connection that the request went out with.
    connection: Option<ConnectionId>,
    /// It goes out with a connection id that was made for it: a refusal is final.
    reconnected: bool,
}

/// A tracker, by its canonical address.
#[derive(Debug, Default)]
struct Server {
    connection: Option<(ConnectionId, Instant)>,
    /// The connect request that is out, and until when it is waited for.
    opening: Option<(TransactionId, Instant)>,
}

impl Client {
    /// Builds a client without requests. `rng` draws the transaction ids, which strangers must not guess.
    pub fn new(rng: fastrand::Rng) -> Client {
        Client {
            rng,
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            transactions: BTreeMap::new(),
            servers: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        let now = now.mono;
        match input {
            Input::Ask { id, to, task } => self.ask(now, id, to, task),
            Input::Cancel(id) => drop(self.remove(id)),
            Input::Received { from, packet } => self.received(now, from, packet),
            Input::Timeout => self.timeout(now),
        }
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn ask(&mut self, now: Instant, id: RequestId, to: SocketAddr, task: Task) {
        if self.waiting.len() >= MAX_WAITING || self.waiting.contains_key(&id) {
            let error = TrackerError::Unreachable("too many UDP tracker requests wait".to_owned());
            self.outputs.push_back(Output::Failed { id, error });
            return;
        }
        self.servers.retain(|_, server| {
            server.connection.is_some_and(|(_, until)| until > now)
                || server.opening.is_some_and(|(_, until)| until > now)
        });
        let transaction = self.new_transaction();
        let waiting = Waiting { to, task, transaction, sends: 0, deadline: now, connection: None, reconnected: false };
        self.transactions.insert(transaction, id);
        self.deadlines.insert((now, id));
        self.waiting.insert(id, waiting);
        self.send(now, id);
    }

    /// Sends a request, or what it needs first, and sets its next deadline.
    fn send(&mut self, now: Instant, id: RequestId) {
        let Some(waiting) = self.waiting.get_mut(&id) else { return };
        self.deadlines.remove(&(waiting.deadline, id));
        waiting.deadline = now + FIRST_WAIT * 2_u32.pow(waiting.sends);
        waiting.sends += 1;
        self.deadlines.insert((waiting.deadline, id));
        let (to, deadline) = (waiting.to, waiting.deadline);

        let server = self.servers.entry(canonical(to)).or_default();
        waiting.connection = None;
        let packet = match server.connection.filter(|(_, until)| *until > now) {
            Some((connection, _)) => waiting.packet(connection),
            None if server.opening.is_some_and(|(_, until)| until > now) => return,
            None => {
                let transaction = self.new_transaction();
                self.servers.entry(canonical(to)).or_default().opening = Some((transaction, deadline));
                Request::Connect { transaction }.encode()
            }
        };
        self.outputs.push_back(Output::Send { to, packet });
    }

    fn received(&mut self, now: Instant, from: SocketAddr, packet: &[u8]) {
        // What cannot be read may come from anyone who knows our port: it is no reason to give up a request.
        let Ok(answer) = Answer::decode(packet, Family::from(from)) else { return };
        let from = canonical(from);
        let opening = self.servers.get(&from).and_then(|server| server.opening);
        if opening.is_some_and(|(transaction, _)| transaction == answer.transaction()) {
            self.connect_answered(now, from, answer);
            return;
        }
        let Some(&id) = self.transactions.get(&answer.transaction()) else { return };
        let Some(waiting) = self.waiting.get_mut(&id) else { return };
        if canonical(waiting.to) != from || waiting.connection.is_none() {
            return;
        }
        let output = match (answer, &waiting.task) {
            (Answer::Announced { response, .. }, Task::Announce { .. }) => Output::Announced { id, response },
            (Answer::Scraped { entries, .. }, Task::Scrape { info_hashes }) => {
                let entries = info_hashes.iter().copied().zip(entries).collect();
                Output::Scraped { id, response: ScrapeResponse { entries } }
            }
            (Answer::Error { message, .. }, _) => {
                // A tracker that was restarted does not know our connection id any more: get a new one, once.
                let used = waiting.connection;
                if !waiting.reconnected {
                    waiting.reconnected = true;
                    waiting.sends = 0;
                    if let Some(server) = self.servers.get_mut(&from)
                        && server.connection.map(|(connection, _)| connection) == used
                    {
                        server.connection = None;
                    }
                    self.send(now, id);
                    return;
                }
                Output::Failed { id, error: TrackerError::Refused { reason: message, retry: Retry::Unsaid } }
            }
            _ => return,
        };
        self.remove(id);
        self.outputs.push_back(output);
    }

    /// Takes the answer to a connect request: everything that waited for it goes out, or comes to nothing.
    fn connect_answered(&mut self, now: Instant, from: SocketAddr, answer: Answer) {
        let waits = |waiting: &Waiting| canonical(waiting.to) == from && waiting.connection.is_none();
        let ids: Vec<RequestId> = self.waiting.iter().filter(|(_, w)| waits(w)).map(|(id, _)| *id).collect();
        match answer {
            Answer::Connected { connection, .. } => {
                let connection = Some((connection, now + CONNECTION_LIFE));
                self.servers.insert(from, Server { connection, opening: None });
                for id in ids {
                    if let Some(waiting) = self.waiting.get_mut(&id) {
                        waiting.sends = 0;
                        waiting.reconnected = true;
                    }
                    self.send(now, id);
                }
            }
            Answer::Error { message, .. } => {
                self.servers.remove(&from);
                for id in ids {
                    self.remove(id);
                    let error = TrackerError::Refused { reason: message.clone(), retry: Retry::Unsaid };
                    self.outputs.push_back(Output::Failed { id, error });
                }
            }
            Answer::Announced { .. } | Answer::Scraped { .. } => {}
        }
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            if self.waiting.get(&id).is_some_and(|waiting| waiting.sends < MAX_SENDS) {
                self.send(now, id);
            } else {
                self.remove(id);
                let error = TrackerError::Unreachable("no answer in time".to_owned());
                self.outputs.push_back(Output::Failed { id, error });
            }
        }
    }

    fn remove(&mut self, id: RequestId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        self.deadlines.remove(&(waiting.deadline, id));
        self.transactions.remove(&waiting.transaction);
        Some(waiting)
    }

    fn new_transaction(&mut self) -> TransactionId {
        loop {
            let transaction = TransactionId(self.rng.u32(..));
            let opening = |server: &Server| server.opening.is_some_and(|(other, _)| other == transaction);
            if !self.transactions.contains_key(&transaction) && !self.servers.values().any(opening) {
                return transaction;
            }
        }
    }
}

impl Waiting {
    /// Builds the packet of the task itself.
    fn packet(&mut self, connection: ConnectionId) -> Vec<u8> {
        self.connection = Some(connection);
        let transaction = self.transaction;
        let request = match self.task.clone() {
            Task::Announce { announce, url_data } => Request::Announce { connection, transaction, announce, url_data },
            Task::Scrape { info_hashes } => Request::Scrape { connection, transaction, info_hashes },
        };
        request.encode()
    }
}

/// Makes the two spellings of an IPv4 address equal: a dual-stack socket shows it as an IPv6 one.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
