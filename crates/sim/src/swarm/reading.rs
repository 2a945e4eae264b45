//! Reading a connection: what arrived is taken in batches, payload under permits.
//!
//! Without a permit the connection stands still in this direction, whatever lies behind the block, and goes on writing.

use std::time::Duration;

use bytes::Bytes;
use torrent_proto::torrent::{Input, PeerKey};
use torrent_proto::wire::{self, Message, WireError};

use super::{Event, Failure, Swarm};
use crate::node::{End, Read, Wire};
use crate::permits::Permits;

/// Messages that one read brings at most.
const READ_BATCH: usize = 24;
/// How fast payload trickles in once its permit is taken, in bytes per second: that takes time, in which a connection
/// may break. Arbitrary.
const READ_RATE: u64 = 250_000;

impl Swarm {
    /// Reads on where permits allow it.
    pub(super) fn pump(&mut self, node: usize, key: PeerKey) {
        loop {
            let it = &mut self.nodes[node];
            let Some(end) = it.ends.get_mut(&key).filter(|end| end.reading.is_empty()) else { return };
            let (payload, starved) = read_batch(end, &it.permits);
            if starved && !it.starved.contains(&key) {
                it.starved.push_back(key);
            }
            if payload > 0 {
                let time = Duration::from_secs_f64(payload as f64 / READ_RATE as f64);
                self.queue.add(self.now + time, Event::ReadDone { node, key });
                return;
            }
            if end.reading.is_empty() {
                if let Some(Wire::Close) = end.inbox.front() {
                    self.broken(node, key);
                }
                return;
            }
            self.deliver(node, key);
        }
    }

    /// Hands what was read to the torrent.
    pub(super) fn deliver(&mut self, node: usize, key: PeerKey) {
        let Some(end) = self.nodes[node].ends.get_mut(&key) else { return };
        let mut messages = Vec::new();
        for read in std::mem::take(&mut end.reading) {
            let message = match read {
                Read::Message(message) => Ok(message),
                Read::Frame(frame) => decode(frame),
            };
            match message {
                Ok(message) => {
                    if let Message::ExtensionHandshake(handshake) = &message {
                        end.ids = handshake.ids;
                    }
                    messages.push(message);
                }
                Err(error) => {
                    self.failure.get_or_insert(Failure::Codec(error));
                }
            }
        }
        self.drive(node, Input::Received { peer: key, messages });
    }

    pub(super) fn pump_starved(&mut self, node: usize) {
        self.nodes[node].pump_due = false;
        for key in std::mem::take(&mut self.nodes[node].starved) {
            self.pump(node, key);
        }
        self.set_timers(node);
    }
}

/// Takes a batch from the inbox: how many bytes of payload it has, and whether it ended for want of a permit.
fn read_batch(end: &mut End, permits: &Permits) -> (u64, bool) {
    let mut payload = 0;
    while end.reading.len() < READ_BATCH {
        let read = match end.inbox.front() {
            None | Some(Wire::Close) => break,
            Some(Wire::Message(Message::Piece { piece, offset, data })) => {
                let Some(held) = permits.hold(data) else { return (payload, true) };
                payload += data.len() as u64;
                Read::Message(Message::Piece { piece: *piece, offset: *offset, data: held })
            }
            Some(Wire::Message(message)) => Read::Message(message.clone()),
            Some(Wire::Frame(frame)) if wire::piece_header(frame).is_some() => {
                let Some(held) = permits.hold(frame) else { return (payload, true) };
                payload += frame.len() as u64;
                Read::Frame(held)
            }
            Some(Wire::Frame(frame)) => Read::Frame(frame.clone()),
        };
        end.inbox.pop_front();
        end.reading.push(read);
    }
    (payload, false)
}

fn decode(frame: Bytes) -> Result<Message, WireError> {
    // The frame is whole: what is checked here is that the codec thinks so too.
    match wire::split_frame(&frame)? {
        Some(length) if length == frame.len() => wire::decode(frame),
        _ => Err(WireError::BadLength { id: frame.get(4).copied().unwrap_or(0), length: frame.len() as u32 }),
    }
}
