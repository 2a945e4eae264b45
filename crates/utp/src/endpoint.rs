//! All connections of one socket.

use core::net::SocketAddr;
use std::io::IoSlice;

use base::{Instant, Now};

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
            receive_memory: 256 << 20,
        }
    }
}

/// Names a connection of an endpoint. It is never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    slot: u32,
    generation: u32,
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
/// segmentation offload can take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// How many bytes were appended to the buffer.
    pub len: usize,
    /// The length of each datagram but the last, in bytes; equal to `len` when there is one.
    pub stride: usize,
    /// It probes how long datagrams may be: it must not be fragmented on its way. Only ever a single datagram; when it is
    /// lost it is sent again without this. All others may be fragmented.
    pub dont_fragment: bool,
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

/// See the module.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    rng: fastrand::Rng,
}

/// Tells whether a datagram has the form of uTP: what is left are other protocols of a shared socket.
pub fn is_utp(datagram: &[u8]) -> bool {
    datagram.len() >= 20 && datagram[0] & 0x0f == 1 && datagram[0] >> 4 <= 4
}

impl Endpoint {
    /// Builds an endpoint without connections. `rng` draws connection ids and sequence numbers, which strangers must not
    /// guess.
    pub fn new(config: Config, rng: fastrand::Rng) -> Endpoint {
        Endpoint { config, rng }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        let _ = (now, input, &mut self.rng);
    }

    /// Begins a connection; `None` when there are too many. [`Event::Connected`] or [`Event::Failed`] follows.
    pub fn connect(&mut self, now: Now, to: SocketAddr) -> Option<Key> {
        let _ = (now, to, &self.config);
        None
    }

    /// Appends datagrams to `buffer` for the next address that something is to be sent to, at most `max_segments` (at
    /// least 1) and 65,507 bytes; `None` when there is nothing to send now. Call it when the socket takes datagrams, after
    /// inputs, reads, writes and timeouts, until it returns `None`: what is not asked for waits here.
    pub fn poll_transmit(&mut self, now: Now, max_segments: usize, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let _ = (now, max_segments, buffer);
        None
    }

    /// Returns what happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Reads into `out`; `Ok(0)` is the end of the stream (or `out` is empty). What was received before a failure can
    /// still be read. May make acknowledgements due: poll for transmits afterwards.
    pub fn read(&mut self, now: Now, key: Key, out: &mut [u8]) -> Result<usize, StreamError> {
        let _ = (now, key, out);
        Err(StreamError::Closed)
    }

    /// Takes as much of `data` as there is room for. Small writes are packed into full packets while others are on their
    /// way. Poll for transmits afterwards.
    pub fn write(&mut self, now: Now, key: Key, data: &[IoSlice<'_>]) -> Result<usize, StreamError> {
        let _ = (now, key, data);
        Err(StreamError::Closed)
    }

    /// Ends our half of the stream: what was written is still delivered, the other half can still be read.
    pub fn shutdown(&mut self, now: Now, key: Key) {
        let _ = (now, key);
    }

    /// Gives a key back: what was written is still delivered (within a time limit), what comes is thrown away.
    pub fn close(&mut self, now: Now, key: Key) {
        let _ = (now, key);
    }

    /// Gives a key back and ends the connection at once.
    pub fn reset(&mut self, now: Now, key: Key) {
        let _ = (now, key);
    }

    /// Returns the address of the other end; `None` when the key was given back.
    pub fn remote(&self, key: Key) -> Option<SocketAddr> {
        let _ = key;
        None
    }

    /// Takes connections from outside, or not.
    pub fn set_accept(&mut self, accept: bool) {
        self.config.accept = accept;
    }

    /// Counts the connections.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
}
