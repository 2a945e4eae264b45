//! What waits to be sent over the shared sockets.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use super::sockets::Sockets;

/// The most bytes that wait. While a socket takes nothing, answers to what still comes in pile up: beyond this they are lost
/// like any other packet on its way. Arbitrary; some thousand answers.
const MAX_WAITING: usize = 1 << 20;

/// Datagrams of one address and, but for the last, of one length: what one system call takes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    to: SocketAddr,
    len: usize,
    stride: usize,
}

/// Datagrams on their way out, in order. Filled by the protocols in one turn of the task and emptied at its end, so it
/// holds what one turn brings forth; while a socket is full uTP is asked for nothing more.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    entries: VecDeque<Entry>,
    /// How many of `bytes` are out.
    sent: usize,
}

impl Outbox {
    /// Adds a datagram; drops it when too much waits already.
    pub(super) fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        if self.bytes.len() + datagram.len() > MAX_WAITING {
            return tracing::debug!(%to, "a UDP packet was dropped: the socket is full");
        }
        self.bytes.extend_from_slice(datagram);
        self.entries.push_back(Entry { to, len: datagram.len(), stride: datagram.len() });
    }

    /// Adds what `write` appends to the buffer; returns whether it did.
    pub(super) fn fill(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Option<utp::Transmit>) -> bool {
        let Some(transmit) = write(&mut self.bytes) else { return false };
        let utp::Transmit { to, len, stride, .. } = transmit;
        self.entries.push_back(Entry { to, len, stride });
        true
    }

    /// Tells whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns where the next datagram goes.
    pub(super) fn next_to(&self) -> Option<SocketAddr> {
        self.entries.front().map(|entry| entry.to)
    }

    /// Sends until nothing is left or the next one's socket is full. `too_large` is told of each that the system refuses
    /// for its length.
    pub(super) fn flush(&mut self, sockets: &mut Sockets, mut too_large: impl FnMut(SocketAddr, usize)) {
        while let Some(&Entry { to, len, stride }) = self.entries.front() {
            let contents = &self.bytes[self.sent..self.sent + len];
            match sockets.of(to).map(|socket| socket.send(to, contents, stride)) {
                None | Some(Ok(())) => {}
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Some(Err(error)) => {
                    // Lost like any other packet on its way, and sent again by whoever needs it.
                    tracing::debug!(%to, len, stride, %error, "UDP packets were not sent");
                    if noq_udp::is_msg_size_err(&error) {
                        too_large(to, stride.min(len));
                    } else if let Some(socket) = sockets.of_mut(to) {
                        socket.forget(to);
                    }
                }
            }
            self.sent += len;
            self.entries.pop_front();
        }
        self.bytes.clear();
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_no_socket_takes_anything_a_bounded_number_of_answers_waits() {
        let mut outbox = Outbox::default();
        for _ in 0..10_000 {
            outbox.push(SocketAddr::from(([192, 0, 2, 1], 1)), &[0; 1_000]);
        }
        assert_eq!(outbox.entries.len(), MAX_WAITING / 1_000);
        assert_eq!(outbox.bytes.len(), outbox.entries.len() * 1_000);
    }
}
