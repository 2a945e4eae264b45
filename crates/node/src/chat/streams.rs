//! The streams of the overlay's service `chat`: frames both ways.
//!
//! Whoever opens a stream first shows whose node it is ([`LIST`]: the person's signed list of nodes); whoever is opened to
//! answers with an empty frame once it listens. All further frames are the state machine's. Or it only asks for the nodes of
//! the person whom it names ([`WHO`]), and gets the signed list: whoever does not know whose node this is does not hear so.
//! Each end writes on the stream that came to stand last, and reads from all: so that two who open at the same moment lose
//! nothing. Invariant: of each stream the driver hears that it stands before anything that came by it, and that it ended
//! after all of that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io};

use base::{NodeId, PersonId};
use chat::Circle;
use futures_util::future::BoxFuture;
use net::Places;
use overlay::{Hint, OpenError, Overlay, Peer, Service, Stream};
use people::proto::nodes::MAX_LIST_BYTES;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::driver::Word;
use crate::frames::{self, Frames};

/// The name of the service.
pub(super) const SERVICE: &str = "chat";

/// The kind of a frame with a signed list of nodes: the first of a stream, by whoever opened it.
const LIST: u8 = 3;

/// The kind of a frame that asks for a person's list: the first and only one of a stream, by whoever opened it.
const WHO: u8 = 4;

/// How many frames may wait for one stream: more than the state machine has under way to one node. A stream that does not
/// take them is ended.
const QUEUE: usize = 64;

/// How long the other end may take to show whose node it is, and to answer.
const GREETING: Duration = Duration::from_secs(20);

/// How long a node may be dialled before its mailboxes get what waits for it; it is dialled on. Arbitrary: who is there
/// mostly answers sooner, and whoever writes should not have to stay for long.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a frame may take to be written: whoever does not read for so long is gone.
const WRITING: Duration = Duration::from_secs(60);

/// How long a stream stands without a frame. Arbitrary: most answers come sooner, and a new one costs some round trips.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// How many streams of strangers are listened to at a time. Arbitrary: each may say three short messages.
const MAX_STRANGERS: usize = 16;

/// How many of them one node may have. Arbitrary: one that ends, and one that takes its place.
const MAX_OF_STRANGER: usize = 2;

/// How many nodes are dialled at a time; others wait. Arbitrary.
const MAX_DIALS: usize = 32;

/// How to write to a stream that stands, and to end it.
#[derive(Debug)]
pub(super) struct Standing {
    /// Which of all that ever stood.
    pub(super) id: u64,
    /// What is written. When it is dropped, the stream is read on until the other end is done.
    pub(super) queue: mpsc::Sender<Vec<u8>>,
    /// Ends it at once.
    pub(super) over: oneshot::Sender<()>,
}

/// Opens and receives streams.
pub(super) struct Lines {
    circle: Arc<dyn Circle>,
    words: mpsc::Sender<Word>,
    strangers: Places<NodeId>,
    dials: Semaphore,
    stood: AtomicU64,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("circle", &self.circle).finish_non_exhaustive()
    }
}

impl Service for Lines {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn serve(self: Arc<Self>, peer: Peer, stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Err(error) = self.receive(peer.node, stream).await {
                tracing::debug!(node = ?peer.node, %error, "a stream of the service chat ended");
            }
        })
    }

    fn streams_per_node(&self) -> usize {
        // One that ends, one that stands, and one that takes its place; some more for those that are slow to end.
        8
    }
}

impl Lines {
    pub(super) fn new(circle: Arc<dyn Circle>, words: mpsc::Sender<Word>) -> Lines {
        let (strangers, dials) = (Places::new(MAX_STRANGERS, MAX_OF_STRANGER), Semaphore::new(MAX_DIALS));
        Lines { circle, words, strangers, dials, stood: AtomicU64::new(0) }
    }

    /// Opens a stream to a node and serves it until it ends; or says that the node cannot be reached.
    pub(super) async fn dial(&self, overlay: &Overlay, node: NodeId) {
        let mut opening = std::pin::pin!(self.open(overlay, node));
        let opened = match timeout(PATIENCE, &mut opening).await {
            Ok(opened) => opened,
            Err(_) => {
                // The driver ends only with the node.
                let _ = self.words.send(Word::Unreachable { node, goes_on: true }).await;
                opening.await
            }
        };
        match opened {
            Ok(stream) => {
                if let Err(error) = self.converse(node, stream, false).await {
                    tracing::debug!(?node, %error, "a stream of the service chat ended");
                }
            }
            Err(error) => {
                tracing::debug!(?node, %error, "no stream of the service chat");
                // The driver ends only with the node.
                let _ = self.words.send(Word::Unreachable { node, goes_on: false }).await;
            }
        }
    }

    async fn open(&self, overlay: &Overlay, node: NodeId) -> io::Result<Stream> {
        let _place = self.dials.acquire().await.map_err(io::Error::other)?;
        let hints: Vec<Hint> = self.circle.hints(node).iter().filter_map(|hint| hint.parse().ok()).collect();
        let mut stream =
            overlay.open(node, SERVICE, &hints).await.map_err(|error: OpenError| io::Error::other(error))?;
        let list = self.circle.own_list().unwrap_or_default();
        let greet = async {
            frames::write(&mut stream, &[&[LIST], list.as_slice()].concat()).await?;
            frames::read(&mut stream, 0).await
        };
        timeout(GREETING, greet).await??;
        Ok(stream)
    }

    /// Asks a node for the list of nodes of a person, whose node it is said to be. Nothing of it is verified.
    pub(super) async fn ask_who(
        &self,
        overlay: &Overlay,
        (node, hints): (NodeId, &[Hint]),
        person: PersonId,
    ) -> io::Result<Vec<u8>> {
        let asked = async {
            let mut stream = overlay.open(node, SERVICE, hints).await.map_err(io::Error::other)?;
            frames::write(&mut stream, &[&[WHO], person.0.as_slice()].concat()).await?;
            frames::read(&mut stream, MAX_LIST_BYTES).await
        };
        timeout(GREETING, asked).await?
    }

    /// Tells our nodes to somebody who names us; to others that there is nothing.
    async fn tell_who(&self, meant: &[u8], mut stream: Stream) -> io::Result<()> {
        let is_meant = self.circle.own_person().is_some_and(|own| own.0 == *meant);
        let list = is_meant.then(|| self.circle.own_list()).flatten().unwrap_or_default();
        timeout(WRITING, frames::write(&mut stream, &list)).await??;
        stream.shutdown().await?;
        // Until the other end has read it: closing earlier would cut it off.
        let _ = timeout(GREETING, frames::read(&mut stream, 0)).await;
        Ok(())
    }

    async fn receive(&self, node: NodeId, mut stream: Stream) -> io::Result<()> {
        let is_stranger = self.circle.person_of(node).is_none();
        let place = match is_stranger {
            // One too many is let go: it tries again.
            true => Some(self.strangers.take(node).ok_or(io::ErrorKind::QuotaExceeded)?),
            false => None,
        };
        let first = timeout(GREETING, frames::read(&mut stream, 1 + MAX_LIST_BYTES)).await??;
        let list = match first.split_first() {
            Some((&LIST, list)) => list,
            Some((&WHO, meant)) => return self.tell_who(meant, stream).await,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        if is_stranger && !self.circle.admit(node, list).await {
            return Ok(());
        }
        let is_known = self.circle.person_of(node).is_some();
        timeout(WRITING, frames::write(&mut stream, &[])).await??;
        let _place = place.filter(|_| !is_known);
        self.converse(node, stream, is_stranger).await
    }

    /// Serves a stream until it ends. `met`: whose node it is was not known before.
    async fn converse(&self, node: NodeId, stream: Stream, met: bool) -> io::Result<()> {
        let (queue, queued) = mpsc::channel(QUEUE);
        let (over, ended) = oneshot::channel();
        let id = self.stood.fetch_add(1, Ordering::Relaxed);
        let standing = Standing { id, queue, over };
        let gone = |_| io::Error::from(io::ErrorKind::ConnectionAborted);
        self.words.send(Word::Stands { node, standing, met }).await.map_err(gone)?;
        let (reading, writing) = tokio::io::split(stream);
        let last = Mutex::new(Instant::now());
        let both =
            async { tokio::try_join!(self.listen(node, reading, &last), speak(queued, writing, &last)).map(drop) };
        let result = tokio::select! {
            result = both => result,
            // A sender that is dropped without a word lets the stream end by itself.
            Ok(()) = ended => Err(io::ErrorKind::TimedOut.into()),
            () = idle(&last) => Ok(()),
        };
        self.words.send(Word::Ended { node, id }).await.map_err(gone)?;
        result
    }

    async fn listen(&self, node: NodeId, mut stream: impl AsyncRead + Unpin, last: &Mutex<Instant>) -> io::Result<()> {
        let mut frames = Frames::default();
        loop {
            let frame = match frames.next(&mut stream, chat::proto::MAX_FRAME).await {
                Ok(frame) => frame,
                // The other end writes elsewhere from now on.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            };
            touch(last);
            // While the driver has much to do, nothing is read.
            self.words.send(Word::Received(node, frame)).await.map_err(|_| io::ErrorKind::ConnectionAborted)?;
        }
    }
}

async fn speak(
    mut queued: mpsc::Receiver<Vec<u8>>,
    mut stream: impl AsyncWrite + Unpin,
    last: &Mutex<Instant>,
) -> io::Result<()> {
    while let Some(frame) = queued.recv().await {
        timeout(WRITING, frames::write(&mut stream, &frame)).await??;
        touch(last);
    }
    stream.shutdown().await
}

/// Returns when nothing has come or gone for [`IDLE`].
async fn idle(last: &Mutex<Instant>) {
    loop {
        let silent = last.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        match IDLE.checked_sub(silent) {
            Some(rest) if !rest.is_zero() => tokio::time::sleep(rest).await,
            _ => return,
        }
    }
}

fn touch(last: &Mutex<Instant>) {
    *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
}
