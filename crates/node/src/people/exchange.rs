//! The driver of exchanges (`people::proto::exchange`): the overlay's service `people`, and dialling it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base::{NodeId, Now, PersonId, WallTime};
use futures_util::future::BoxFuture;
use overlay::{Hint, OpenError, Peer, Service, Stream};
use people::proto::exchange::{Exchange, Failure, Input, MAX_FRAME_BYTES, Met, Output, Purpose, Role};
use people::proto::{NodeList, Secret, SignedNodeList};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;

use super::{Off, People, now_ms};
use crate::frames::{Frames, frame};

/// The name of the service.
pub(super) const SERVICE: &str = "people";

/// How many strangers are listened to at a time: each may hold a frame and a few seconds. Arbitrary.
const MAX_STRANGERS: usize = 16;

/// How long the last bytes may take to be written. Arbitrary.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// Why a meeting did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeetError {
    /// No way to the node.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// It answered, and nothing came of it.
    #[error("{0}")]
    Failure(#[from] Failure),
    /// What was learnt could not be stored.
    #[error("{0}")]
    Store(#[from] db::DbError),
    /// The overlay is off.
    #[error("{0}")]
    Off(#[from] Off),
    /// Nobody was found who shows a code.
    #[error(
        "no computer that shows this code was found, neither on the local network nor by the DHT: is it running, and the \
         code the newest one? Otherwise take the link that is shown there beside the code, or by \
         `compeer node add --link`"
    )]
    NoCode,
    /// Nothing is known of where the person is.
    #[error("no node of that person is known: ask them for a new link")]
    Nowhere,
}

/// The service: hears who comes.
pub(super) struct PeopleService {
    people: People,
    strangers: Arc<Semaphore>,
}

impl PeopleService {
    pub(super) fn new(people: People) -> PeopleService {
        PeopleService { people, strangers: Arc::new(Semaphore::new(MAX_STRANGERS)) }
    }
}

impl Service for PeopleService {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn serve(self: Arc<Self>, peer: Peer, stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // One too many is let go: it tries again.
            let permit = self.strangers.clone().try_acquire_owned();
            if peer.person.is_none() && permit.is_err() {
                return;
            }
            let permit = permit.ok().filter(|_| peer.person.is_none());
            match self.people.exchange(peer.node, Role::Listener(self.people.awaited()), stream).await {
                Ok(met) => tracing::debug!(node = %peer.node, news = met.news, "met"),
                Err(error) => tracing::debug!(node = %peer.node, %error, "met nobody"),
            }
            drop(permit);
            // Who was revoked has been told, and has nothing more to do here.
            if !self.people.book().admits(&peer.node)
                && let Some(overlay) = self.people.overlay()
            {
                overlay.close(peer.node);
            }
        })
    }

    fn streams_per_node(&self) -> usize {
        2
    }
}

impl People {
    /// Dials a node and tells one another the news.
    pub(crate) async fn meet(&self, node: NodeId, purpose: Purpose, hints: &[Hint]) -> Result<Met, MeetError> {
        let overlay = self.reach()?;
        let stream = overlay.open(node, SERVICE, hints).await?;
        self.exchange(node, Role::Dialler(purpose), stream).await
    }

    /// Meets a person at any of its nodes, the first that answers.
    pub(crate) async fn meet_person(&self, person: PersonId) -> Result<Met, MeetError> {
        let (places, purpose) = self.places(person);
        let mut last = Err(MeetError::Nowhere);
        for node in places {
            last = self.meet(node, purpose.clone(), &[]).await;
            if last.is_ok() {
                return last;
            }
        }
        last
    }

    async fn exchange<S>(&self, peer: NodeId, role: Role, stream: S) -> Result<Met, MeetError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let hints = self.own_hints();
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| Failure::Protocol("no random numbers here"))?;
        let joins_by = match &role {
            Role::Listener(secret) => *secret,
            Role::Dialler(_) => None,
        };
        let mut exchange = Exchange::new(self.now(), &self.book(), peer, role, hints, salt);
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut frames = Frames::default();
        // Bounded by what our own book has to say.
        let mut to_send: Vec<u8> = Vec::new();
        loop {
            if let Some(result) = self.drain(&mut exchange, joins_by, &mut to_send).await? {
                let last = async {
                    writer.write_all(&to_send).await?;
                    writer.shutdown().await?;
                    // Until the other end has read it: closing earlier would cut it off.
                    tokio::io::copy(&mut (&mut reader).take(MAX_FRAME_BYTES as u64), &mut tokio::io::sink()).await
                };
                // Whether the last words arrive is the other's concern.
                let _ = tokio::time::timeout(LAST_WRITE, last).await;
                return Ok(result?);
            }
            let wait = exchange.poll_timeout().map_or(Duration::ZERO, |at| at.since(self.now().mono));
            let input = tokio::select! {
                frame = frames.next(&mut reader, exchange.frame_limit().min(MAX_FRAME_BYTES)) => match frame {
                    Ok(frame) => Input::Frame(frame),
                    // Too long: no frame that can be read.
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => Input::Frame(Vec::new()),
                    Err(_) => Input::Closed,
                },
                written = writer.write(&to_send), if !to_send.is_empty() => {
                    match written {
                        Ok(count) if count > 0 => drop(to_send.drain(..count)),
                        _ => self.handle(&mut exchange, Input::Closed),
                    }
                    continue;
                }
                () = tokio::time::sleep(wait) => Input::Timeout,
            };
            self.handle(&mut exchange, input);
        }
    }

    fn handle(&self, exchange: &mut Exchange, input: Input) {
        let now = self.now();
        exchange.handle(now, &mut self.book(), input);
    }

    /// Does what the machine wants; what it learnt is stored before anything is said about it. `joins_by`: the secret of the
    /// code by which the other end may become a node of ours, if it shows that.
    async fn drain(
        &self,
        exchange: &mut Exchange,
        joins_by: Option<Secret>,
        to_send: &mut Vec<u8>,
    ) -> Result<Option<Result<Met, Failure>>, MeetError> {
        self.save().await?;
        while let Some(output) = exchange.poll_output() {
            match output {
                // A frame of an exchange is far below 4 GiB.
                Output::Send(bytes) => to_send.extend(frame(&bytes).unwrap_or_default()),
                Output::Sign(list) => {
                    // A code is good for one node: another may have been faster.
                    let may = joins_by.is_none_or(|secret| self.spend(secret));
                    let list = may.then(|| self.sign(*list)).flatten();
                    let signed = list.map_or(Input::CannotSign, |list| Input::Signed(Box::new(list)));
                    self.handle(exchange, signed);
                    self.save().await?;
                }
                Output::GivenBack(parcel) => self.take_back(parcel).await?,
                Output::Finished(result) => {
                    if result.as_ref().is_ok_and(|met| met.news) {
                        self.has_news();
                    }
                    return Ok(Some(result));
                }
            }
        }
        Ok(None)
    }

    /// Signs a list, where the person's secret lies open or was unlocked.
    fn sign(&self, list: NodeList) -> Option<SignedNodeList> {
        self.person_key().ok()?.sign(list).ok()
    }

    fn now(&self) -> Now {
        Now { mono: base::Instant::from_start(self.0.started.elapsed()), wall: WallTime(now_ms() / 1000) }
    }

    /// Where this node may be reached, for links and messages.
    pub(crate) fn own_hints(&self) -> Vec<String> {
        let hints = self.overlay().map(overlay::Overlay::own_hints).unwrap_or_default();
        hints.iter().map(ToString::to_string).take(people::proto::link::MAX_HINTS).collect()
    }
}
