//! Streams that another crate carries: what the overlay gives the engine, without naming what it is made of.
//!
//! A [`Carriage`] is polled, a peer task tries and waits. [`QuicStream`] joins the two: it owns the carriage and, for each
//! way, a [`Ready`] that the carriage wakes. Invariant: a `Ready` is raised unless the last try found nothing to do, and
//! then the carriage holds a waker that raises it.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use base::NodeId;
use tokio::sync::Notify;

/// A stream in both directions, encrypted, with a node whose id is proven. The streams of the overlay are some.
pub trait Carriage: fmt::Debug + Send + 'static {
    /// Returns who is at the other end.
    fn node(&self) -> NodeId;

    /// Fills as much of `bytes` as is there; 0 when the remote end has said that nothing more comes. Without anything to
    /// bring it keeps the waker, in place of an earlier one.
    fn poll_read(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Takes as much of `slices`, in order, as there is room for; returns how many bytes that is. Without room it keeps the
    /// waker, in place of an earlier one.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Says that nothing more comes. What was taken still arrives.
    fn finish(&mut self) -> io::Result<()>;
}

/// What [`Overland::open`] is about to bring.
pub type Opening<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Carriage>>> + Send + 'a>>;

/// Opens streams to nodes by their ids.
pub trait Overland: fmt::Debug + Send + Sync + 'static {
    /// Opens a stream of the service `wire` to a node, wherever it is. Cancel safe.
    fn open(&self, node: NodeId) -> Opening<'_>;
}

/// A [`Carriage`] that can be tried and waited for like a socket.
#[derive(Debug)]
pub struct QuicStream {
    node: NodeId,
    carriage: Mutex<Box<dyn Carriage>>,
    readable: Arc<Ready>,
    writable: Arc<Ready>,
    /// Wakers of the two, made once.
    wakers: [Waker; 2],
}

/// Whether a try may do something, and whoever waits for that.
#[derive(Debug)]
struct Ready {
    raised: AtomicBool,
    waiting: Notify,
}

impl Ready {
    fn new() -> Arc<Ready> {
        Arc::new(Ready { raised: AtomicBool::new(true), waiting: Notify::new() })
    }

    async fn wait(&self) {
        while !self.raised.load(Ordering::Acquire) {
            self.waiting.notified().await;
        }
    }
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raised.store(true, Ordering::Release);
        // One task at most waits for each way of a stream; a permit that nobody took ends a later wait early.
        self.waiting.notify_one();
    }
}

impl QuicStream {
    /// Takes a stream.
    pub fn new(carriage: Box<dyn Carriage>) -> QuicStream {
        let (readable, writable) = (Ready::new(), Ready::new());
        let wakers = [Waker::from(readable.clone()), Waker::from(writable.clone())];
        QuicStream { node: carriage.node(), carriage: Mutex::new(carriage), readable, writable, wakers }
    }

    /// Returns who is at the other end.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Returns the stand-in for the other end's address, [`NodeId::stand_in`].
    pub fn peer_addr(&self) -> SocketAddr {
        self.node.stand_in()
    }

    /// Reads what is there; `WouldBlock` when that is nothing, 0 when the remote end has closed.
    pub fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let [waker, _] = &self.wakers;
        attempt(&self.readable, waker, |cx| self.carriage().poll_read(cx, bytes))
    }

    /// Writes what there is room for; `WouldBlock` when there is none.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let [_, waker] = &self.wakers;
        attempt(&self.writable, waker, |cx| self.carriage().poll_write(cx, slices))
    }

    /// Waits until [`QuicStream::try_read`] may bring something. May return too early. Cancel safe.
    pub async fn readable(&self) -> io::Result<()> {
        self.readable.wait().await;
        Ok(())
    }

    /// Waits until [`QuicStream::try_write_vectored`] may take something. May return too early. Cancel safe.
    pub async fn writable(&self) -> io::Result<()> {
        self.writable.wait().await;
        Ok(())
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        // The waker of whoever polls takes the place of ours: what is tried next polls again and puts ours back.
        self.readable.raised.store(true, Ordering::Release);
        self.carriage().poll_read(cx, bytes)
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writable.raised.store(true, Ordering::Release);
        self.carriage().poll_write(cx, &[IoSlice::new(bytes)])
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.carriage().finish()
    }

    fn carriage(&self) -> MutexGuard<'_, Box<dyn Carriage>> {
        // Whoever panicked in a carriage ended the stream's task with it.
        self.carriage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Polls once. The flag falls before: a wake that comes meanwhile raises it again.
fn attempt(
    ready: &Ready,
    waker: &Waker,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<usize>>,
) -> io::Result<usize> {
    ready.raised.store(false, Ordering::Release);
    match poll(&mut Context::from_waker(waker)) {
        Poll::Ready(outcome) => {
            ready.raised.store(true, Ordering::Release);
            outcome
        }
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

    /// One end of a pipe in memory.
    #[derive(Debug)]
    struct Pipe(DuplexStream);

    impl Carriage for Pipe {
        fn node(&self) -> NodeId {
            NodeId([7; 32])
        }

        fn poll_read(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
            let mut buf = ReadBuf::new(bytes);
            Pin::new(&mut self.0).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len())
        }

        fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            Pin::new(&mut self.0).poll_write(cx, &bytes)
        }

        fn finish(&mut self) -> io::Result<()> {
            self.0 = tokio::io::duplex(1).0;
            Ok(())
        }
    }

    fn pipe(room: usize) -> (Stream, DuplexStream) {
        let (near, far) = tokio::io::duplex(room);
        (Stream::quic(Box::new(Pipe(near))), far)
    }

    #[tokio::test]
    async fn who_waits_hears_of_what_comes() {
        let (alice, mut bob) = pipe(64);
        let mut bytes = [0; 8];
        alice.readable().await.unwrap();
        assert_eq!(alice.try_read(&mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let (waited, written) = tokio::join!(alice.readable(), bob.write_all(b"hello"));
        waited.unwrap();
        written.unwrap();
        assert_eq!(alice.try_read(&mut bytes).unwrap(), 5);
        assert_eq!(&bytes[..5], b"hello");
        drop(bob);
        alice.readable().await.unwrap();
        assert_eq!(alice.try_read(&mut bytes).unwrap(), 0, "the other end has closed");
    }

    #[tokio::test]
    async fn who_found_no_room_hears_of_it() {
        let (alice, mut bob) = pipe(4);
        assert_eq!(alice.try_write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cdef")]).unwrap(), 4);
        assert_eq!(alice.try_write_vectored(&[IoSlice::new(b"ef")]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut bytes = [0; 4];
        let (waited, read) = tokio::join!(alice.writable(), bob.read_exact(&mut bytes));
        waited.unwrap();
        read.unwrap();
        assert_eq!(&bytes, b"abcd");
        assert_eq!(alice.try_write_vectored(&[IoSlice::new(b"ef")]).unwrap(), 2);
    }

    #[tokio::test]
    async fn handshakes_and_tries_share_one_stream() {
        let (mut alice, mut bob) = pipe(64);
        let bob = tokio::spawn(async move {
            bob.write_all(b"hand").await.unwrap();
            tokio::task::yield_now().await;
            bob.write_all(b"shake").await.unwrap();
            bob
        });
        let mut bytes = [0; 9];
        alice.read_exact(&mut bytes[..4]).await.unwrap();
        let mut filled = 4;
        while filled < bytes.len() {
            alice.readable().await.unwrap();
            match alice.try_read(&mut bytes[filled..]) {
                Ok(read) => filled += read,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(&bytes, b"handshake");
        assert_eq!(alice.peer_addr().unwrap(), NodeId([7; 32]).stand_in());
        drop(bob.await.unwrap());
    }
}
