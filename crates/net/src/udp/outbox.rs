//! What waits to be sent over the shared sockets.

use std::net::SocketAddr;

/// Datagrams on their way out. Filled by the protocols in one turn of the task and emptied at its end, so it holds what
/// one turn brings forth.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// Where each datagram goes, and where it ends in `bytes`.
    entries: Vec<(SocketAddr, usize)>,
}

impl Outbox {
    /// Adds a datagram.
    pub(super) fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.entries.push((to, self.bytes.len()));
    }

    /// Hands out each datagram in order, then forgets them all.
    pub(super) fn flush(&mut self, mut send: impl FnMut(SocketAddr, &[u8])) {
        let mut start = 0;
        for &(to, end) in &self.entries {
            send(to, &self.bytes[start..end]);
            start = end;
        }
        self.entries.clear();
        self.bytes.clear();
    }
}
