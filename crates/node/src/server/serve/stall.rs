//! A connection whose other end has to take what is sent to it. Only the time counts in which something waits and nothing is
//! taken: a stream of events that is silent, and a slow line, may last for ever.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long nothing has to be taken of an answer. Arbitrary: a computer that slept asks again anyway, and a page of events goes
/// on where it was.
const STALLED: Duration = Duration::from_secs(5 * 60);

/// How long nothing has to be taken of a file that somebody plays: players stop reading while they are paused, and not all of
/// them ask again. Arbitrary: over night.
const PAUSED: Duration = Duration::from_secs(12 * 3600);

/// What is being answered, which whoever answers says.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    plays: Arc<AtomicBool>,
    stalled: Duration,
    paused: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { plays: Arc::default(), stalled: STALLED, paused: PAUSED }
    }
}

impl Patience {
    /// Says whether the answer that comes next is a file that somebody may play.
    pub(super) fn plays(&self, plays: bool) {
        self.plays.store(plays, Ordering::Relaxed);
    }

    fn limit(&self) -> Duration {
        if self.plays.load(Ordering::Relaxed) { self.paused } else { self.stalled }
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Taken<S> {
    stream: S,
    patience: Patience,
    /// When the patience is over, while something waits.
    waits: bool,
    over: Pin<Box<Sleep>>,
}

impl<S> Taken<S> {
    pub(super) fn new(stream: S, patience: Patience) -> Taken<S> {
        let over = Box::pin(tokio::time::sleep(STALLED));
        Taken { stream, patience, waits: false, over }
    }

    /// Notes whether something was taken; an error where nothing was for too long.
    fn note<T>(&mut self, cx: &mut Context<'_>, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.waits = false;
            return sent;
        }
        if !self.waits {
            self.waits = true;
            self.over.as_mut().reset(Instant::now() + self.patience.limit());
        }
        ready!(self.over.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing of the answer was taken for too long")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taken<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(cx, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(cx, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const BRIEF: Duration = Duration::from_millis(300);

    fn brief() -> Patience {
        Patience { plays: Arc::default(), stalled: BRIEF, paused: BRIEF * 100 }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_takes_nothing_is_left() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let began = Instant::now();
        let error = Taken::new(ours, brief()).write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= BRIEF, "{:?}", began.elapsed());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_takes_slowly_gets_all_of_it() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut taken = Taken::new(ours, brief());
        let slow = tokio::spawn(async move {
            for _ in 0..10 {
                tokio::time::sleep(BRIEF / 5).await;
                theirs.read_exact(&mut [0; 10]).await.unwrap();
            }
        });
        let began = Instant::now();
        taken.write_all(&[0; 100]).await.unwrap();
        assert!(began.elapsed() > BRIEF, "it took longer than nothing may be taken");
        slow.await.unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_player_may_pause_and_silence_is_no_stall() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let patience = brief();
        let mut taken = Taken::new(ours, patience.clone());
        taken.write_all(b"an event").await.unwrap();
        tokio::time::sleep(BRIEF * 2).await;
        taken.write_all(b"another").await.unwrap();
        patience.plays(true);
        let paused = tokio::spawn(async move {
            tokio::time::sleep(BRIEF * 2).await;
            theirs.read_exact(&mut [0; 100]).await.unwrap();
        });
        taken.write_all(&[0; 85]).await.unwrap();
        paused.await.unwrap();
    }
}
