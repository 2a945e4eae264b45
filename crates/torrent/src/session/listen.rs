//! Incoming connections: one task a listening socket, one a handshake.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use net::Stream;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use torrent_proto::torrent::{Direction, Source};

use crate::peer::handshake;
use crate::report::Report;
use crate::shared::Shared;
use crate::task::established;

/// How many handshakes may be under way; further connections wait in the system's queue. Arbitrary.
const MAX_HANDSHAKES: usize = 64;

/// How long accepting pauses after the system refused (too many open files). Arbitrary.
const PAUSE: Duration = Duration::from_millis(250);

/// The listening sockets of a session.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) addresses: Vec<SocketAddr>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Listening {
    /// Spawns a task for each socket.
    pub(super) fn start(shared: &Arc<Shared>, listeners: Vec<TcpListener>, addresses: Vec<SocketAddr>) -> Listening {
        let tasks = listeners.into_iter().map(|l| tokio::spawn(accept(shared.clone(), l))).collect();
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

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if handshakes.len() < MAX_HANDSHAKES => match accepted {
                Ok((stream, address)) => {
                    handshakes.spawn(greet(shared.clone(), Stream::tcp(stream), address));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection; is the limit of open files too low?");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(done) = handshakes.join_next() => {
                if let Err(error) = done {
                    tracing::error!(%error, "a handshake panicked: this is a bug");
                }
            }
        }
    }
}

/// Passes the gate, shakes hands, and hands the connection to its torrent.
async fn greet(shared: Arc<Shared>, mut stream: Stream, address: SocketAddr) {
    let mut pass = match shared.gate.admit(address) {
        Ok(pass) => pass,
        Err(refusal) => return tracing::debug!(%address, %refusal, "a connection was refused"),
    };
    let find = |name| shared.registry.find(name).map(|(id, handle)| (handle.hashes, (id, handle)));
    let (met, (id, handle)) = match handshake::accepted(&mut stream, shared.peer_id, find).await {
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
