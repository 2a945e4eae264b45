//! Incoming connections: one task a listening socket, one a handshake.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use net::{Asking, Clock, Gate, Stream, Udp, UdpConfig, UtpIncoming, WIRE};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use torrent_proto::torrent::{Direction, Source};

use super::door::Door;
use crate::peer::handshake;
use crate::report::Report;
use crate::shared::{Asker, Shared};
use crate::task::established;
use crate::types::{Encryption, SessionConfig, SessionError};

/// How many handshakes of a socket may be under way; further connections wait in the system's queue. Arbitrary: eight
/// addresses that are silent together fill it, for as long as a handshake may take to begin.
const MAX_HANDSHAKES: usize = 256;

/// How long accepting pauses after the system refused (too many open files). Arbitrary.
const PAUSE: Duration = Duration::from_millis(250);

/// How often a free port is drawn until it is free for TCP and UDP. Arbitrary; each draw fails about never.
const DRAWS: usize = 8;

/// The sockets of a session.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) listeners: Vec<TcpListener>,
    /// Where peers may dial.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) udp: Udp,
}

/// Opens the sockets for each carrier that is used, on the same ports.
pub(super) fn open(config: &SessionConfig, gate: &Gate, clock: Clock, seed: u64) -> Result<Opened, SessionError> {
    let network = &config.network;
    let dht = network.dht.clone().map(|dht| net::DhtConfig {
        bootstrap: dht.bootstrap,
        snapshot: dht.snapshot,
        reach: if dht.read_only { net::dht::Reach::ReadOnly } else { net::dht::Reach::Auto },
    });
    let mut draws = 0;
    loop {
        draws += 1;
        let listeners = if network.tcp { net::listen_all(&config.listen, &config.egress)? } else { Vec::new() };
        let bound: Vec<SocketAddr> = listeners.iter().filter_map(|l| l.local_addr().ok()).collect();
        let wanted = if network.tcp { bound.clone() } else { config.listen.clone() };
        let accept = !wanted.is_empty();
        let (egress, listen, dht, gate) = (config.egress.clone(), wanted.clone(), dht.clone(), Some(gate.clone()));
        // Half is for what lies in the disk's buffers; each way of uTP may have a quarter.
        let (utp, memory_bytes) = (network.utp, config.resources.memory_bytes / 4);
        let udp = UdpConfig { egress, listen, utp, accept, memory_bytes, seed, dht, gate };
        let udp = Udp::start(udp, clock).map_err(|error| SessionError::System(error.to_string()))?;
        let (v4, v6) = udp.local_addrs();
        let got = |wanted: &SocketAddr| if wanted.is_ipv4() { v4 } else { v6 };
        let differs = |w: &&SocketAddr| w.port() != 0 && got(w).is_some_and(|got| got.port() != w.port());
        match wanted.iter().find(differs).filter(|_| network.utp) {
            Some(_) if draws < DRAWS && config.listen.iter().all(|address| address.port() == 0) => continue,
            Some(&taken) if !network.tcp => return Err(net::ListenError::Taken(taken).into()),
            Some(address) => {
                tracing::warn!(%address, "another program has this UDP port: peers reach this node by TCP only");
            }
            None => {}
        }
        let by_utp = wanted.iter().filter(|_| network.utp).filter_map(got);
        let addresses = if network.tcp { bound } else { by_utp.collect() };
        return Ok(Opened { listeners, addresses, udp });
    }
}

/// The listening sockets of a session.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) addresses: Vec<SocketAddr>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Listening {
    /// Spawns a task for each socket.
    pub(super) fn start(shared: &Arc<Shared>, listeners: Vec<TcpListener>, addresses: Vec<SocketAddr>) -> Listening {
        let door = Door::default();
        let listen = |listener| tokio::spawn(accept(shared.clone(), listener, door.clone()));
        let mut tasks: Vec<_> = listeners.into_iter().map(listen).collect();
        let by_utp = |incoming| tokio::spawn(accept_utp(shared.clone(), incoming, door.clone()));
        tasks.extend(shared.udp.incoming().map(by_utp));
        Listening { addresses, tasks: Mutex::new(tasks) }
    }

    /// Closes the sockets and drops the handshakes under way.
    pub(super) fn stop(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|task| task.abort());
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, door: Door) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if handshakes.len() < MAX_HANDSHAKES => match accepted {
                Ok((stream, address)) => {
                    handshakes.spawn(greet_at(door.clone(), shared.clone(), Stream::tcp(stream), address));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection; is the limit of open files too low?");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(done) = handshakes.join_next() => note_end(done),
        }
    }
}

async fn accept_utp(shared: Arc<Shared>, mut incoming: UtpIncoming, door: Door) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = incoming.accept(), if handshakes.len() < MAX_HANDSHAKES => match accepted {
                Some((stream, address)) => {
                    handshakes.spawn(greet_at(door.clone(), shared.clone(), stream, address));
                }
                None => return,
            },
            Some(done) = handshakes.join_next() => note_end(done),
        }
    }
}

/// Shakes hands, unless the address has too many handshakes under way. The place is free again when this ends.
async fn greet_at(door: Door, shared: Arc<Shared>, stream: Stream, address: SocketAddr) {
    match door.enter(address.ip()) {
        Some(_place) => greet(shared, stream, address).await,
        None => tracing::debug!(%address, "a connection was refused: too many of this address begin at a time"),
    }
}

fn note_end(done: Result<(), tokio::task::JoinError>) {
    if let Err(error) = done {
        tracing::error!(%error, "a handshake panicked: this is a bug");
    }
}

/// Passes the gate, shakes hands, and hands the connection to its torrent.
pub(super) async fn greet(shared: Arc<Shared>, stream: Stream, address: SocketAddr) {
    let (asker, asking) = match &stream {
        Stream::Quic(stream) => (Asker::Node(stream.node()), Asking::node(stream.node(), WIRE, Direction::Incoming)),
        Stream::Tcp(_) | Stream::Utp(_) => {
            (Asker::Address, Asking::peer(address, stream.carrier(), Direction::Incoming))
        }
    };
    let mut pass = match shared.gate.admit(&asking) {
        Ok(pass) => pass,
        Err(refusal) => return tracing::debug!(%address, %refusal, "a connection was refused"),
    };
    let find = |name| shared.registry.find_for(asker, name).map(|(id, handle)| (handle.hashes, (id, handle)));
    let find_hidden = |hidden| shared.registry.find_hidden(hidden);
    let encryption = match asker {
        Asker::Address => shared.network.encryption,
        // The overlay encrypts.
        Asker::Node(_) => Encryption::Off,
    };
    let (ours, revoked) = (shared.ours(), pass.revoked());
    let met = tokio::select! {
        met = handshake::accepted(stream, ours, encryption, find, find_hidden) => met,
        refusal = revoked => return tracing::debug!(%address, %refusal, "a handshake was broken off"),
    };
    let (met, stream, (id, handle)) = match met {
        Ok(found) => found,
        Err(error) => return tracing::debug!(%address, %error, "a handshake came to nothing"),
    };
    if let Err(refusal) = pass.join(id, handle.connections) {
        return tracing::debug!(%address, %refusal, "a connection was refused");
    }
    let established = established(met, stream, pass, address, Direction::Incoming, Source::Incoming);
    // Waits for room at the torrent; this task has nothing else to do. Fails when the torrent was removed.
    let _ = handle.reports.send(Report::Established(Box::new(established))).await;
}
