//! Frames on the streams of the overlay: a length (32 bits, big-endian), and as many bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Returns a frame: the length, then the bytes, of which there must be less than 4 GiB.
pub(crate) fn frame(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok([length.to_be_bytes().as_slice(), bytes].concat())
}

/// Writes one frame. Not cancel safe: a part of it may have gone.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(&frame(bytes)?).await
}

/// Reads one frame of at most `limit` bytes, and nothing behind it.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Vec<u8>> {
    Frames::default().next(stream, limit).await
}

/// Reads frames, one after another.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// A part of a frame. Grows with what comes, not with what is announced.
    received: Vec<u8>,
}

impl Frames {
    /// Reads one frame of at most `limit` bytes, and nothing behind it; a longer one is [`io::ErrorKind::InvalidData`].
    /// Cancel safe: what was read of a frame stays here.
    pub(crate) async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Vec<u8>> {
        loop {
            let missing = match self.received.first_chunk::<4>() {
                None => 4 - self.received.len(),
                Some(head) => {
                    let length = u32::from_be_bytes(*head) as usize;
                    if length > limit {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"));
                    }
                    if self.received.len() == 4 + length {
                        let mut frame = std::mem::take(&mut self.received);
                        frame.drain(..4);
                        return Ok(frame);
                    }
                    4 + length - self.received.len()
                }
            };
            if (&mut *stream).take(missing as u64).read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_in_whatever_parts_and_a_reader_may_be_dropped() {
        let (mut here, mut there) = tokio::io::duplex(64);
        let mut frames = Frames::default();
        let bytes = [frame(b"hello").unwrap(), frame(b"").unwrap(), frame(b"you").unwrap()].concat();
        let mut read = Vec::new();
        for byte in bytes {
            there.write_all(&[byte]).await.unwrap();
            tokio::select! {
                biased;
                next = frames.next(&mut here, 5) => read.push(next.unwrap()),
                () = std::future::ready(()) => {}
            }
        }
        assert_eq!(read, [b"hello".as_slice(), b"", b"you"]);
    }

    #[tokio::test]
    async fn a_frame_that_is_too_long_or_cut_off_is_an_error() {
        let mut long = frame(b"hello").unwrap();
        assert_eq!(read(&mut long.as_slice(), 4).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        long.pop();
        assert_eq!(read(&mut long.as_slice(), 5).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let announced = u32::MAX.to_be_bytes();
        assert_eq!(read(&mut announced.as_slice(), 9).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn nothing_behind_a_frame_is_read() {
        let bytes = [frame(b"one").unwrap(), frame(b"two").unwrap()].concat();
        let mut stream = bytes.as_slice();
        assert_eq!(read(&mut stream, 9).await.unwrap(), b"one");
        assert_eq!(read(&mut stream, 9).await.unwrap(), b"two");
    }
}
