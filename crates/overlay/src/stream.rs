//! A stream between two nodes: one bidirectional QUIC stream (RFC 9000, section 2), encrypted and authenticated.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use iroh::endpoint::{ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{Connection, StreamGuard};
use crate::service::{Peer, Way};

/// The code of a stream that its owner gave up: by [`Stream::reset`], or because it panicked.
const GIVEN_UP: VarInt = VarInt::from_u32(1);

/// A stream to a node. Both directions are flow controlled on their own, with at most
/// [`crate::STREAM_WINDOW`] bytes under way.
///
/// Dropping it ends our direction orderly and asks the remote end to stop writing; [`Stream::reset`] breaks both.
/// All calls that poll are cancel safe.
#[derive(Debug)]
pub struct Stream {
    send: Sender,
    recv: RecvStream,
    /// Last, so that the stream is closed before its connection counts it out.
    guard: StreamGuard,
}

impl Stream {
    pub(crate) fn new(send: SendStream, recv: RecvStream, guard: StreamGuard) -> Stream {
        Stream { send: Sender(send), recv, guard }
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
        // The future holds nothing but the borrow: what it waits for is kept by the connection.
        pin!(self.recv.read_chunk(max)).poll(cx).map_err(read_error)
    }

    /// Reads what is there, at most `max` bytes, without copying; `None` at the end of the stream.
    pub async fn read_chunk(&mut self, max: usize) -> io::Result<Option<Bytes>> {
        self.recv.read_chunk(max).await.map_err(read_error)
    }

    /// Writes a part of a chunk without copying: takes from its front what there is room for.
    pub fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<usize>> {
        let mut chunks = [chunk.clone()];
        let written =
            ready!(pin!(self.send.0.write_many_chunks(&mut &mut chunks[..])).poll(cx)).map_err(write_error)?;
        chunk.advance(written);
        Poll::Ready(Ok(written))
    }

    /// Says that nothing more comes. What was written still arrives.
    pub fn finish(&mut self) -> io::Result<()> {
        self.send.0.finish().map_err(io::Error::from)
    }

    /// Breaks both directions at once: what is under way is lost.
    pub fn reset(&mut self) {
        // Both fail when the direction is closed already.
        let _ = self.send.0.reset(GIVEN_UP);
        let _ = self.recv.stop(GIVEN_UP);
    }

    /// Splits it into its reading and its writing half; the connection counts both as one stream.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let guard = Arc::new(self.guard);
        (ReadHalf { recv: self.recv, _guard: guard.clone() }, WriteHalf { send: self.send, _guard: guard })
    }

    fn connection(&self) -> &Connection {
        self.guard.connection()
    }
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

/// The reading half of a [`Stream`].
#[derive(Debug)]
pub struct ReadHalf {
    recv: RecvStream,
    _guard: Arc<StreamGuard>,
}

/// The writing half of a [`Stream`].
#[derive(Debug)]
pub struct WriteHalf {
    send: Sender,
    _guard: Arc<StreamGuard>,
}

impl ReadHalf {
    /// Reads what is there, at most `max` bytes, without copying; `None` at the end of the stream.
    pub async fn read_chunk(&mut self, max: usize) -> io::Result<Option<Bytes>> {
        self.recv.read_chunk(max).await.map_err(read_error)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().recv).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().send.0).poll_write(cx, bytes).map_err(write_error)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.get_mut().send.0), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.get_mut().send.0), cx)
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().recv).poll_read(cx, buf)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().send.0).poll_write(cx, bytes).map_err(write_error)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.get_mut().send.0), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.get_mut().send.0), cx)
    }
}

fn read_error(error: ReadError) -> io::Error {
    error.into()
}

fn write_error(error: WriteError) -> io::Error {
    error.into()
}
