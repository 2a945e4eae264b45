//! Where a computer that is to become one more node finds the one that adds it, by the code alone.
//!
//! For as long as a code is good the adding node is on the overlay a second time, under the key that the code gives; the
//! local network and the DHT tell of that key as of any other. There it says which node it is and where, nothing else: only
//! who has the code knows whom to ask, and that it is the right one who answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use overlay::{OpenError, Overlay, Peer, Service, Stream};
use people::proto::exchange::{Failure, Met, Purpose};
use people::proto::{JoinCode, JoinLink, LinkNode, Name};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::exchange::MeetError;
use super::{People, everywhere};

/// The name of the service.
const SERVICE: &str = "code";

/// How long the other computer is looked for: the DHT takes half a minute to hear of it and to tell.
const SEARCH: Duration = Duration::from_secs(60);

/// How long to wait between two looks. Arbitrary.
const AGAIN: Duration = Duration::from_secs(2);

/// How long the answer may take. Arbitrary.
const ANSWER: Duration = Duration::from_secs(10);

/// How often a node that hangs up is asked again. Arbitrary.
const TRIES: u32 = 3;

/// The longest answer: a node and its hints, as long as they may be.
const MAX_ANSWER: u64 = people::proto::link::MAX_LINK_BYTES as u64;

/// Says which node this is.
struct Usher(String);

impl Service for Usher {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn serve(self: Arc<Self>, _peer: Peer, mut stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let answer = async {
                stream.write_all(self.0.as_bytes()).await?;
                stream.shutdown().await
            };
            // Whoever does not take it asks again.
            let _ = timeout(ANSWER, answer).await;
        })
    }

    fn streams_per_node(&self) -> usize {
        1
    }
}

impl People {
    /// Opens the meeting place of a code, until what is returned is shut down.
    pub(super) async fn open_meeting_place(&self, code: &JoinCode) -> Option<Overlay> {
        let ground = self.0.ground.get()?;
        let any_port = |addresses: &Vec<SocketAddr>| addresses.iter().map(|at| SocketAddr::new(at.ip(), 0)).collect();
        let bind = match (&ground.config.listen, ground.listen) {
            (Some(listen), _) => any_port(listen),
            (None, Some(ip)) => vec![SocketAddr::new(ip, 0)],
            (None, None) => everywhere(0),
        };
        // The key is nobody's but the code's, so that publishing it tells of nobody.
        let settings = overlay::Settings {
            publish: true,
            map_port: false,
            ..ground.settings(self, code.meeting_place().secret(), bind)
        };
        let node = LinkNode { node: self.key().id(), hints: self.own_hints() };
        let usher = Usher(JoinLink { node, secret: people::proto::Secret([0; 16]) }.to_string());
        match Overlay::start(settings, vec![Arc::new(usher)]).await {
            Ok(overlay) => Some(overlay),
            Err(error) => {
                tracing::warn!(%error, "the code alone does not lead here: its link does");
                None
            }
        }
    }

    /// Finds the node that awaits whoever has a code.
    pub(crate) async fn find_by_code(&self, code: &JoinCode) -> Result<JoinLink, MeetError> {
        let overlay = self.reach()?;
        let place = code.meeting_place().id();
        let end = Instant::now() + SEARCH;
        loop {
            match overlay.open(place, SERVICE, &[]).await {
                Ok(stream) => {
                    let mut text = String::new();
                    let mut bounded = stream.take(MAX_ANSWER);
                    let read = timeout(ANSWER, bounded.read_to_string(&mut text)).await;
                    if matches!(read, Ok(Ok(_)))
                        && let Ok(link) = text.parse::<JoinLink>()
                    {
                        return Ok(JoinLink { secret: code.secret(), ..link });
                    }
                }
                Err(error @ (OpenError::Gate(_) | OpenError::ShutDown)) => return Err(error.into()),
                Err(error) => tracing::debug!(%error, "nobody with the code was found yet"),
            }
            if Instant::now() >= end {
                return Err(MeetError::NoCode);
            }
            sleep(AGAIN).await;
        }
    }

    /// Becomes a node of whoever awaits one. Who hangs up, busy with others, is asked again: a code is good until a node
    /// came in by it.
    pub(crate) async fn join(&self, link: &JoinLink, name: Name) -> Result<Met, MeetError> {
        let hints: Vec<_> = link.node.hints.iter().filter_map(|hint| hint.parse().ok()).collect();
        let purpose = Purpose::Join(link.secret, name, Box::new(self.key().clone()));
        let mut tries = 1;
        loop {
            match self.meet(link.node.node, purpose.clone(), &hints).await {
                Err(MeetError::Failure(Failure::Closed)) if tries < TRIES => tries += 1,
                met => return met,
            }
            sleep(AGAIN).await;
        }
    }
}
