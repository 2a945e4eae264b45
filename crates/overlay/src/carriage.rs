//! The overlay as a carrier of the engine's peer-wire streams: what the crate `net` asks for.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use base::NodeId;
use bytes::{Bytes, BytesMut};
use net::{Carriage, Opening, Overland};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Overlay, Stream};

/// The most bytes that small slices are joined to before they are written: two blocks of 16 KiB. What is written apart
/// leaves in packets apart, and there is a limit to how many pieces may wait at a reader that is behind.
const JOIN: usize = 32 << 10;

impl Carriage for Stream {
    fn node(&self) -> NodeId {
        self.peer().node
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(bytes);
        AsyncRead::poll_read(Pin::new(self), cx, &mut buf).map_ok(|()| buf.filled().len())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        match (filled.next(), filled.next()) {
            (None, _) => Poll::Ready(Ok(0)),
            (Some(only), None) => AsyncWrite::poll_write(Pin::new(self), cx, only),
            (Some(first), Some(_)) if first.len() >= JOIN => AsyncWrite::poll_write(Pin::new(self), cx, first),
            _ => self.poll_write_chunk(cx, &mut join(slices)),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        Stream::finish(self)
    }
}

fn join(slices: &[IoSlice<'_>]) -> Bytes {
    let len = slices.iter().map(|slice| slice.len()).sum::<usize>().min(JOIN);
    let mut joined = BytesMut::with_capacity(len);
    for slice in slices {
        let part = slice.len().min(len - joined.len());
        joined.extend_from_slice(&slice[..part]);
    }
    joined.freeze()
}

impl Overland for Overlay {
    fn open(&self, node: NodeId) -> Opening<'_> {
        Box::pin(async move {
            match Overlay::open(self, node, net::WIRE, &[]).await {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn Carriage>),
                Err(error) => Err(io::Error::other(error)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_joined_up_to_the_limit() {
        assert_eq!(join(&[IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"c")]), "abc");
        let block = [7; 20 << 10];
        assert_eq!(join(&[IoSlice::new(b"head"), IoSlice::new(&block), IoSlice::new(&block)]).len(), JOIN);
    }
}
