//! One question and one answer over a stream of the overlay, and the services that answer.
//!
//! Each is a frame. A stream carries one of each.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base::{NodeId, PersonId};
use futures_util::future::BoxFuture;
use net::{Carriage, Opening};
use overlay::{Hint, Overlay, Peer, Service, Stream};
use sharing::Circle;
use sharing::proto::{MAX_NOTICE_LEN, MAX_REQUEST_LEN};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use torrent::Session;

use super::{LIBRARY, NOTICE, Sharing};
use crate::frames;

/// How long a question and its answer may take once the stream stands. Arbitrary: a page over a bad line.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is looked who is connected. Arbitrary: what waits for somebody waits no longer than this.
const LOOK: Duration = Duration::from_secs(2);

/// Asks other nodes.
pub(crate) trait Post: fmt::Debug + Send + Sync + 'static {
    /// Asks a service of a node. The answer is at most `limit` bytes; the error is a sentence's end.
    fn ask(
        &self,
        node: NodeId,
        service: &'static str,
        request: Vec<u8>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<u8>, String>>;
}

impl Post for Overlay {
    fn ask(
        &self,
        node: NodeId,
        service: &'static str,
        request: Vec<u8>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let overlay = self.clone();
        Box::pin(async move {
            let mut stream = overlay.open(node, service, &[]).await.map_err(|error| error.to_string())?;
            let work = async {
                frames::write(&mut stream, &request).await?;
                stream.shutdown().await?;
                frames::read(&mut stream, limit).await
            };
            let answer = tokio::time::timeout(EXCHANGE_TIMEOUT, work).await;
            answer.map_err(|_| "no answer came".to_owned())?.map_err(|error| match error.kind() {
                // Strangers are not answered.
                io::ErrorKind::UnexpectedEof => "you get no answer; are you still a contact there?".to_owned(),
                _ => error.to_string(),
            })
        })
    }
}

/// Questions that a service works on at once; the others wait. Arbitrary: reading folders is work for the disk.
const AT_ONCE: usize = 8;

/// Answers questions: a function of who asks and what.
type Answer = dyn Fn(Sharing, NodeId, PersonId, Vec<u8>) -> BoxFuture<'static, Vec<u8>> + Send + Sync;

/// A service of one question a stream.
pub(super) struct Responder {
    name: &'static str,
    limit: usize,
    sharing: Sharing,
    free: Semaphore,
    answer: Box<Answer>,
}

impl Responder {
    /// Serves `name` with questions of at most `limit` bytes. What strangers ask is not even read.
    pub(super) fn new<F>(
        name: &'static str,
        limit: usize,
        sharing: &Sharing,
        answer: impl Fn(Sharing, NodeId, PersonId, Vec<u8>) -> F + Send + Sync + 'static,
    ) -> Arc<Responder>
    where
        F: Future<Output = Vec<u8>> + Send + 'static,
    {
        let answer = Box::new(move |sharing, node, person, request| -> BoxFuture<'static, Vec<u8>> {
            Box::pin(answer(sharing, node, person, request))
        });
        Arc::new(Responder { name, limit, sharing: sharing.clone(), free: Semaphore::new(AT_ONCE), answer })
    }
}

impl Service for Responder {
    fn name(&self) -> &'static str {
        self.name
    }

    fn serve(self: Arc<Self>, peer: Peer, mut stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let Some(person) = self.sharing.acquaintance(peer.node, peer.person) else { return };
            let work = async {
                let request = frames::read(&mut stream, self.limit).await?;
                let _place = self.free.acquire().await.map_err(io::Error::other)?;
                let answer = (self.answer)(self.sharing.clone(), peer.node, person, request).await;
                frames::write(&mut stream, &answer).await?;
                stream.shutdown().await
            };
            match tokio::time::timeout(EXCHANGE_TIMEOUT, work).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(service = self.name, %error, "a question came to nothing"),
                Err(_) => tracing::debug!(service = self.name, "a question took too long"),
            }
        })
    }
}

/// The service `wire`: hands streams to the engine.
#[derive(Debug)]
pub(super) struct Wire(pub(super) Session);

impl Service for Wire {
    fn name(&self) -> &'static str {
        "wire"
    }

    fn serve(self: Arc<Self>, _peer: Peer, stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.0.serve(Box::new(stream)).await })
    }
}

/// Opens streams of the service `wire` for the engine.
#[derive(Debug)]
pub(super) struct Overland {
    pub(super) overlay: Overlay,
    pub(super) circle: Arc<dyn Circle>,
}

impl net::Overland for Overland {
    fn open(&self, node: NodeId) -> Opening<'_> {
        Box::pin(async move {
            let hints: Vec<Hint> = self.circle.hints(node).iter().filter_map(|hint| hint.parse().ok()).collect();
            let stream = self.overlay.open(node, "wire", &hints).await.map_err(io::Error::other)?;
            Ok(Box::new(stream) as Box<dyn Carriage>)
        })
    }
}

/// Begins to serve other nodes, and looks who is connected.
pub(super) fn serve(overlay: &Overlay, session: &Session, sharing: &Sharing) {
    overlay.serve(Arc::new(Wire(session.clone())));
    overlay.serve(Responder::new(NOTICE, MAX_NOTICE_LEN, sharing, |sharing, node, person, request| async move {
        sharing.receive(node, Some(person), &request).await.encode()
    }));
    overlay.serve(Responder::new(LIBRARY, MAX_REQUEST_LEN, sharing, |sharing, node, person, request| async move {
        sharing.serve_library(node, Some(person), &request).await.encode()
    }));
    tokio::spawn(look(overlay.clone(), Arc::downgrade(&sharing.0)));
}

/// Looks who is connected, until the last handle is gone.
async fn look(overlay: Overlay, sharing: std::sync::Weak<super::Inner>) {
    let mut before = BTreeSet::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(sharing) = sharing.upgrade().map(Sharing) else { return };
        let now: BTreeSet<NodeId> = overlay.connections().into_iter().map(|connection| connection.node).collect();
        now.difference(&before).for_each(|node| sharing.seen(*node));
        before = now;
    }
}
