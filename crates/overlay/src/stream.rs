//! A stream between two nodes: one bidirectional QUIC stream (RFC 9000, section 2), encrypted and authenticated.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use iroh::endpoint::{RecvStream, SendStream, VarInt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{Connection, StreamGuard};
use crate::metered::Metered;
use crate::service::{Peer, Way};

/// The most bytes that are asked of the budget for one chunk, since one is seldom longer: what QUIC brought in a datagram.
const MAX_CHUNK: usize = 64 << 10;

/// The code of a stream that its owner gave up: by [`Stream::reset`], or because it panicked.
const GIVEN_UP: VarInt = VarInt::from_u32(1);

/// A stream to a node. Both directions are flow controlled on their own, with at most
/// [`crate::STREAM_WINDOW`] bytes under way, and draw from the node's budget.
///
/// Dropping it ends our direction orderly and asks the remote end to stop writing; [`Stream::reset`] breaks both.
/// All calls that poll are cancel safe.
#[derive(Debug)]
pub struct Stream {
    write: WriteHalf,
    read: ReadHalf,
}

/// The reading half of a [`Stream`].
#[derive(Debug)]
pub struct ReadHalf {
    recv: RecvStream,
    metered: Metered,
    /// Last, so that the stream is closed before its connection counts it out.
    guard: Arc<StreamGuard>,
}

/// The writing half of a [`Stream`].
#[derive(Debug)]
pub struct WriteHalf {
    send: Sender,
    metered: Metered,
    _guard: Arc<StreamGuard>,
}

/// Ends the direction when it is dropped: orderly, unless its owner panicked. Then the remote end must not take what
/// came so far for the whole.
#[derive(Debug)]
struct Sender(SendStream);

impl Drop for Sender {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.reset(GIVEN_UP);
        }
    }
}

impl Stream {
    pub(crate) fn new(send: SendStream, recv: RecvStream, guard: StreamGuard) -> Stream {
        let (down, up) = guard.connection().meters().unzip();
        let guard = Arc::new(guard);
        Stream {
            write: WriteHalf { send: Sender(send), metered: Metered::new(up), _guard: guard.clone() },
            read: ReadHalf { recv, metered: Metered::new(down), guard },
        }
    }

    /// Returns who is at the other end, and which way the connection goes now.
    pub fn peer(&self) -> Peer {
        self.connection().peer()
    }

    /// Returns the remote address, if the connection goes straight to it now.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        match self.connection().way() {
            Some(Way::Direct(address)) => Some(address),
            _ => None,
        }
    }

    /// Reads what is there, at most `max` bytes, without copying; `None` at the end of the stream.
    pub fn poll_read_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        self.read.poll_read_chunk(cx, max)
    }

    /// Reads what is there, at most `max` bytes, without copying; `None` at the end of the stream.
    pub async fn read_chunk(&mut self, max: usize) -> io::Result<Option<Bytes>> {
        self.read.read_chunk(max).await
    }

    /// Writes a part of a chunk without copying: takes from its front what there is room for.
    pub fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<usize>> {
        self.write.poll_write_chunk(cx, chunk)
    }

    /// Says that nothing more comes. What was written still arrives.
    pub fn finish(&mut self) -> io::Result<()> {
        self.write.send.0.finish().map_err(io::Error::from)
    }

    /// Breaks both directions at once: what is under way is lost.
    pub fn reset(&mut self) {
        // Both fail when the direction is closed already.
        let _ = self.write.send.0.reset(GIVEN_UP);
        let _ = self.read.recv.stop(GIVEN_UP);
    }

    /// Splits it into its reading and its writing half; the connection counts both as one stream.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        (self.read, self.write)
    }

    fn connection(&self) -> &Connection {
        self.read.guard.connection()
    }
}

impl ReadHalf {
    /// Reads what is there, at most `max` bytes, without copying; `None` at the end of the stream.
    pub async fn read_chunk(&mut self, max: usize) -> io::Result<Option<Bytes>> {
        poll_fn(|cx| self.poll_read_chunk(cx, max)).await
    }

    fn poll_read_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        let recv = &mut self.recv;
        // The future holds nothing but the borrow: what it waits for is kept by the connection.
        let read = |cx: &mut Context<'_>, max| pin!(recv.read_chunk(max)).poll(cx).map_err(io::Error::from);
        self.metered.poll(cx, max.min(MAX_CHUNK), read, |chunk| chunk.as_ref().map_or(0, Bytes::len))
    }
}

impl WriteHalf {
    fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<usize>> {
        let send = &mut self.send.0;
        let write = |cx: &mut Context<'_>, len: usize| {
            let mut chunks = [chunk.slice(..len)];
            pin!(send.write_many_chunks(&mut &mut chunks[..])).poll(cx).map_err(io::Error::from)
        };
        let written = ready!(self.metered.poll(cx, chunk.len(), write, |&written| written))?;
        chunk.advance(written);
        Poll::Ready(Ok(written))
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let half = self.get_mut();
        let want = buf.remaining();
        let read = |cx: &mut Context<'_>, len: usize| {
            half.recv.poll_read(cx, buf.initialize_unfilled_to(len)).map_err(io::Error::from)
        };
        let count = ready!(half.metered.poll(cx, want, read, |&count| count))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let half = self.get_mut();
        let send = &mut half.send.0;
        let write = |cx: &mut Context<'_>, len: usize| {
            Pin::new(&mut *send).poll_write(cx, &bytes[..len]).map_err(io::Error::from)
        };
        half.metered.poll(cx, bytes.len(), write, |&written| written)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is on its way.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().send.0.finish().map_err(io::Error::from))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().read).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().write).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().write).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().write).poll_shutdown(cx)
    }
}
