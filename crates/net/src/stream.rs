//! The stream that a peer connection runs over, whatever carries it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::{Carriage, QuicStream, UtpStream};

/// What carries a peer-wire stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// TCP.
    Tcp,
    /// uTP (BEP 29).
    Utp,
    /// A stream of the overlay, with a node whose id is proven.
    Quic,
}

impl std::fmt::Display for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Carrier::Tcp => "TCP",
            Carrier::Utp => "uTP",
            Carrier::Quic => "QUIC",
        })
    }
}

/// A connected stream. The `try_` calls and the waits that belong to them are what a peer task uses; `AsyncRead` and
/// `AsyncWrite` serve the handshakes.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over uTP.
    Utp(UtpStream),
    /// Over the overlay.
    Quic(QuicStream),
}

impl Stream {
    /// Takes a connected TCP stream and sets what every peer connection wants: small messages leave at once.
    pub fn tcp(stream: TcpStream) -> Stream {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        Stream::Tcp(stream)
    }

    /// Takes a stream of the overlay.
    pub fn quic(carriage: Box<dyn Carriage>) -> Stream {
        Stream::Quic(QuicStream::new(carriage))
    }

    /// Returns what carries it.
    pub fn carrier(&self) -> Carrier {
        match self {
            Stream::Tcp(_) => Carrier::Tcp,
            Stream::Utp(_) => Carrier::Utp,
            Stream::Quic(_) => Carrier::Quic,
        }
    }

    /// Returns this end's address. A stream of the overlay has none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Tcp(stream) => stream.local_addr(),
            Stream::Utp(stream) => stream.local_addr(),
            Stream::Quic(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Returns the remote end's address; of the overlay, what stands for it.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Tcp(stream) => stream.peer_addr(),
            Stream::Utp(stream) => Ok(stream.peer_addr()),
            Stream::Quic(stream) => Ok(stream.peer_addr()),
        }
    }

    /// Reads what is there; `WouldBlock` when that is nothing, 0 when the remote end has closed.
    pub fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_read(bytes),
            Stream::Utp(stream) => stream.try_read(bytes),
            Stream::Quic(stream) => stream.try_read(bytes),
        }
    }

    /// Writes what there is room for; `WouldBlock` when there is none.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_write_vectored(slices),
            Stream::Utp(stream) => stream.try_write_vectored(slices),
            Stream::Quic(stream) => stream.try_write_vectored(slices),
        }
    }

    /// Waits until [`Stream::try_read`] may bring something. May return too early. Cancel safe.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.readable().await,
            Stream::Utp(stream) => stream.readable().await,
            Stream::Quic(stream) => stream.readable().await,
        }
    }

    /// Waits until [`Stream::try_write_vectored`] may take something. May return too early. Cancel safe.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.writable().await,
            Stream::Utp(stream) => stream.writable().await,
            Stream::Quic(stream) => stream.writable().await,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Utp(stream) => {
                let count = ready!(stream.poll_read(cx, buf.initialize_unfilled()))?;
                buf.advance(count);
                Poll::Ready(Ok(()))
            }
            Stream::Quic(stream) => {
                let count = ready!(stream.poll_read(cx, buf.initialize_unfilled()))?;
                buf.advance(count);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Utp(stream) => stream.poll_write(cx, bytes),
            Stream::Quic(stream) => stream.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            // What is written is on its way.
            Stream::Utp(_) | Stream::Quic(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Utp(stream) => {
                stream.shutdown();
                Poll::Ready(Ok(()))
            }
            Stream::Quic(stream) => Poll::Ready(stream.finish()),
        }
    }
}
