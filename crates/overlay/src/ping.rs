//! The service `ping`: says that a node is there, which way to it is taken, and how long that takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::{OpenError, Peer, Service, Stream, Way};

/// The name of the service.
pub(crate) const NAME: &str = "ping";

/// What is sent there and back, in bytes. Arbitrary.
const LEN: usize = 8;

/// How many times one stream may be used.
const MAX_TIMES: usize = 100;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How a node answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pong {
    /// The way that the connection goes.
    pub way: Option<Way>,
    /// How long it took there and back, both programs included.
    pub took: Duration,
}

/// Sends back what it gets.
#[derive(Debug)]
pub(crate) struct Answers;

impl Service for Answers {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve(self: Arc<Self>, _peer: Peer, mut stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut bytes = [0; LEN];
            for _ in 0..MAX_TIMES {
                let read = timeout(TIMEOUT, stream.read_exact(&mut bytes)).await;
                if !matches!(read, Ok(Ok(_))) || stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        })
    }

    fn streams_per_node(&self) -> usize {
        4
    }
}

/// Asks once over a stream.
pub(crate) async fn ask(stream: &mut Stream) -> Result<Pong, OpenError> {
    let (sent, begun) = ([7; LEN], Instant::now());
    let mut back = [0; LEN];
    let exchange = async {
        stream.write_all(&sent).await?;
        stream.read_exact(&mut back).await
    };
    match timeout(TIMEOUT, exchange).await {
        Ok(Ok(_)) if back == sent => Ok(Pong { way: stream.peer().way, took: begun.elapsed() }),
        Ok(_) => Err(OpenError::Broken),
        Err(_) => Err(OpenError::NoAnswer),
    }
}
