//! The trace of a run: a hash over all that happened, and its text if asked for.

use std::fmt::{self, Write};

use base::Instant;
use torrent_proto::wire::Message;

/// Everything that happened, in order. Two runs are equal when their hashes are.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: Fnv,
    print: bool,
}

/// FNV-1a, 64 bits: quick, and the same on every machine and in every release of Rust.
#[derive(Debug)]
pub(crate) struct Fnv(u64);

impl Fnv {
    pub(crate) fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a number as a whole, where the eight steps of its bytes would cost too much.
    pub(crate) fn add(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// Returns the hash of what was added so far.
    pub(crate) fn hash(&self) -> u64 {
        self.0
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.add(byte.into()));
        Ok(())
    }
}

impl Trace {
    /// Begins a trace; `print`: each line goes to standard output too.
    pub(crate) fn new(print: bool) -> Trace {
        Trace { hash: Fnv::new(), print }
    }

    /// Adds a line about a node.
    pub(crate) fn line(&mut self, now: Instant, node: usize, what: fmt::Arguments<'_>) {
        let elapsed = now.since_start();
        // Writing into the hash cannot fail.
        let _ = writeln!(self.hash, "{} {node} {what}", elapsed.as_nanos());
        if self.print {
            println!("{:>10.4} n{node:<3} {what}", elapsed.as_secs_f64());
        }
    }

    /// Returns the hash of what happened so far.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.hash()
    }
}

/// A message without its payload, for the trace.
pub(crate) struct Brief<'a>(pub(crate) &'a Message);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Message::Piece { piece, offset, data } => write!(f, "piece {piece:?}+{offset}..{}", data.len()),
            Message::Bitfield(bits) => write!(f, "bitfield of {} bytes", bits.len()),
            Message::Hashes { request, hashes } => {
                write!(f, "{} hashes from {} in layer {}", hashes.len(), request.index, request.base_layer)
            }
            Message::HashRequest(request) => {
                write!(f, "hash request {}+{} in layer {}", request.index, request.length, request.base_layer)
            }
            Message::Metadata(_) => write!(f, "metadata"),
            Message::ExtensionHandshake(handshake) => write!(f, "extension handshake {:?}", handshake.metadata_size),
            other => write!(f, "{other:?}"),
        }
    }
}
