//! What goes into an endpoint and comes out of it.

use core::net::SocketAddr;
use std::time::Duration;

/// The longest datagram that is ever sent, in bytes: what Ethernet carries of IPv4 and UDP (1500 − 20 − 8). Longer ones
/// are understood, up to what UDP can carry.
pub const MAX_DATAGRAM_LEN: usize = 1472;

/// What an endpoint may do.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether connections from outside are taken.
    pub accept: bool,
    /// The most connections at a time, both ways, those that are being opened or closed included.
    pub max_connections: usize,
    /// The most connections that strangers have begun and not yet proven to own their address for. Beyond it the oldest
    /// gives way.
    pub max_half_open: usize,
    /// The largest receive window of one connection, in bytes. It starts small and grows while the reader keeps up.
    pub max_receive_window: u32,
    /// The most bytes that one connection keeps for the sender: unsent and unacknowledged.
    pub max_send_buffer: u32,
    /// What all connections may keep for their senders, in bytes: each takes new bytes up to its share of it, or up to 128 KiB
    /// where that is more. What an earlier one holds already stays, so that the sum may be some times as much.
    pub send_memory: u64,
    /// What the receive windows of all connections may be grown to in sum, in bytes.
    pub receive_memory: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            accept: true,
            max_connections: 4_096,
            max_half_open: 128,
            max_receive_window: 48 << 20,
            max_send_buffer: 48 << 20,
            send_memory: 256 << 20,
            receive_memory: 256 << 20,
        }
    }
}

/// Names a connection of an endpoint. It is never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// What can happen to an endpoint.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The socket received datagrams of one sender: `data` is cut every `stride` bytes, only the last may be shorter (the
    /// form in which generic receive offload delivers). A single datagram has its length as stride.
    Received {
        /// The sender.
        from: SocketAddr,
        /// The datagrams, end to end.
        data: &'a [u8],
        /// The length of each but the last, in bytes.
        stride: usize,
    },
    /// The system refused to send a datagram of this length to this address, because it may not be fragmented.
    TooLarge {
        /// Where to.
        to: SocketAddr,
        /// Its length in bytes.
        length: usize,
    },
    /// The time that [`Endpoint::poll_timeout`] named has come.
    Timeout,
}

/// Datagrams to be sent to one address: all of one length, only the last may be shorter, so that one system call with
/// segmentation offload can take them. None may be fragmented on its way: what is too long has to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// How many bytes were appended to the buffer.
    pub len: usize,
    /// The length of each datagram but the last, in bytes; equal to `len` when there is one.
    pub stride: usize,
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody connected to us, has proven to own the address, and has sent something. The key is the receiver's, who
    /// must give it back with [`Endpoint::close`] or [`Endpoint::reset`].
    Incoming {
        /// The new connection.
        key: Key,
        /// The other end.
        from: SocketAddr,
    },
    /// A connection that [`Endpoint::connect`] began is open.
    Connected(Key),
    /// A read that found nothing would now find something: bytes, the end, or an error. Said once for each such read.
    Readable(Key),
    /// A write that found no room would now find some, or an error. Said once for each such write.
    Writable(Key),
    /// The connection failed; reads and writes say why. The key stays valid until it is given back.
    Failed {
        /// The connection.
        key: Key,
        /// Why.
        error: StreamError,
    },
}

/// Why a read or write did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// Nothing to read, or no room to write: an event follows when there is.
    #[error("not ready")]
    WouldBlock,
    /// The other end did not answer.
    #[error("the other end does not answer")]
    TimedOut,
    /// The other end knows nothing of the connection, or ended it at once.
    #[error("the other end reset the connection")]
    Reset,
    /// The key was given back, or writing was shut down.
    #[error("the connection is closed")]
    Closed,
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those whose key is held by somebody.
    pub open: usize,
    /// Those that strangers have begun.
    pub half_open: usize,
    /// Those that were given back and wait for the last acknowledgement.
    pub closing: usize,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The smoothed round-trip time.
    pub rtt: Option<Duration>,
    /// How long our packets waited in queues lately.
    pub queue_delay: Duration,
    /// The congestion window, in bytes.
    pub window: usize,
    /// Bytes on their way.
    pub in_flight: usize,
    /// Bytes written and never sent.
    pub unsent: usize,
    /// How many bytes the other end takes.
    pub peer_window: usize,
    /// How many bytes we would keep for our reader.
    pub receive_window: u32,
    /// How long datagrams are, in bytes.
    pub datagram_len: usize,
}
