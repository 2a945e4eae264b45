//! A connected stream with its encryption, if it has one.
//!
//! In the clear nothing is added: reads and writes are those of the stream. With RC4 what is read is deciphered where it
//! lies, and what is to be written is enciphered in a copy, since its payload belongs to others too. What was enciphered
//! must go out, whatever happens meanwhile: it is staged here until the stream has taken it.
//! Invariant: at most [`STAGE_LEN`] bytes are staged, and memory for them is held only while there are any.

use std::io::{self, IoSlice};

use net::{Carrier, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use torrent_proto::wire::mse::Ciphers;

use crate::types::PeerEncryption;

/// How many bytes are enciphered at once: four blocks and their headers. Less costs system calls, more costs memory
/// for slow peers; measured, there is no gain beyond it.
const STAGE_LEN: usize = 66 * 1024;

/// A connected stream.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: Stream,
    encryption: PeerEncryption,
    rc4: Option<Box<Rc4>>,
    /// What was read behind the encrypted handshake, deciphered.
    early: Vec<u8>,
}

#[derive(Debug)]
struct Rc4 {
    ciphers: Ciphers,
    staged: Vec<u8>,
    /// How many of the staged bytes the stream has taken.
    sent: usize,
}

impl From<Stream> for Channel {
    /// Takes a stream that is in the clear.
    fn from(stream: Stream) -> Channel {
        Channel { stream, encryption: PeerEncryption::None, rc4: None, early: Vec::new() }
    }
}

impl Channel {
    /// Takes a stream after an encrypted handshake. `early` is what came behind it, deciphered.
    pub(super) fn encrypted(stream: Stream, ciphers: Option<Box<Ciphers>>, early: Vec<u8>) -> Channel {
        let encryption = if ciphers.is_some() { PeerEncryption::Rc4 } else { PeerEncryption::Handshake };
        let rc4 = ciphers.map(|ciphers| Box::new(Rc4 { ciphers: *ciphers, staged: Vec::new(), sent: 0 }));
        Channel { stream, encryption, rc4, early }
    }

    /// Tells how much is hidden.
    pub(crate) fn encryption(&self) -> PeerEncryption {
        self.encryption
    }

    /// Returns what carries it.
    pub(crate) fn carrier(&self) -> Carrier {
        self.stream.carrier()
    }

    /// Reads exactly so many bytes. For the handshakes; not cancel safe.
    pub(super) async fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let known = self.early.len().min(bytes.len());
        bytes[..known].copy_from_slice(&self.early[..known]);
        self.early.drain(..known);
        let fresh = &mut bytes[known..];
        self.stream.read_exact(fresh).await?;
        if let Some(rc4) = &mut self.rc4 {
            rc4.ciphers.incoming.apply(fresh);
        }
        Ok(())
    }

    /// Writes all of it. For the handshakes; not cancel safe.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.rc4 {
            None => self.stream.write_all(bytes).await,
            Some(rc4) => {
                let mut hidden = bytes.to_vec();
                rc4.ciphers.outgoing.apply(&mut hidden);
                self.stream.write_all(&hidden).await
            }
        }
    }

    /// Takes what came behind the handshakes.
    pub(super) fn take_early(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.early)
    }

    /// Reads what is there; `WouldBlock` when that is nothing, 0 when the remote end has closed.
    pub(super) fn try_read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.try_read(bytes)?;
        if let Some(rc4) = &mut self.rc4 {
            rc4.ciphers.incoming.apply(&mut bytes[..read]);
        }
        Ok(read)
    }

    /// Takes what there is room for, here or in the stream; returns how many bytes that is. `WouldBlock` when there is
    /// no room, and then nothing was taken.
    pub(super) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(rc4) = &mut self.rc4 else { return self.stream.try_write_vectored(slices) };
        rc4.flush(&self.stream)?;
        if !rc4.staged.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = rc4.stage(slices);
        match rc4.flush(&self.stream) {
            Ok(_) => Ok(taken),
            // It is staged, and counts as written as what waits in the system's buffer does.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(taken),
            Err(error) => Err(error),
        }
    }

    /// Tells whether bytes are staged that the stream has not taken.
    pub(super) fn has_staged(&self) -> bool {
        self.rc4.as_ref().is_some_and(|rc4| !rc4.staged.is_empty())
    }

    /// Hands what is staged to the stream; returns how many bytes it took. `WouldBlock` when there is something, and it
    /// took nothing.
    pub(super) fn flush(&mut self) -> io::Result<usize> {
        self.rc4.as_mut().map_or(Ok(0), |rc4| rc4.flush(&self.stream))
    }

    /// Waits until [`Channel::try_read`] may bring something. Cancel safe.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Waits until [`Channel::try_write`] or [`Channel::flush`] may take something. Cancel safe.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }
}

impl Rc4 {
    /// Enciphers a copy of the first bytes of `slices`; returns how many. Nothing may be staged.
    fn stage(&mut self, slices: &[IoSlice<'_>]) -> usize {
        let length = slices.iter().map(|slice| slice.len()).sum::<usize>().min(STAGE_LEN);
        self.staged.reserve_exact(length);
        for slice in slices {
            let fits = slice.len().min(STAGE_LEN - self.staged.len());
            self.staged.extend_from_slice(&slice[..fits]);
        }
        self.ciphers.outgoing.apply(&mut self.staged);
        length
    }

    fn flush(&mut self, stream: &Stream) -> io::Result<usize> {
        let before = self.sent;
        while self.sent < self.staged.len() {
            match stream.try_write_vectored(&[IoSlice::new(&self.staged[self.sent..])]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.sent += written,
                // What was taken counts; the next try says that there is no room.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.sent > before => break,
                Err(error) => return Err(error),
            }
        }
        let taken = self.sent - before;
        if self.sent == self.staged.len() {
            (self.staged, self.sent) = (Vec::new(), 0);
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;
