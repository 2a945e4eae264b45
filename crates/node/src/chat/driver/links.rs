//! The streams to nodes as the task sees them: which one is written to, when another is dialled, and when a node is taken to
//! be gone.

use std::collections::BTreeSet;
use std::time::Duration;

use base::NodeId;
use chat::proto::Input;
use overlay::ConnectionInfo;
use tokio::time::Instant;

use super::super::streams::SERVICE;
use super::Driver;

/// How often it is looked who came to be connected by other services. Arbitrary: what waits for somebody who comes back waits
/// no longer than this.
pub(super) const SEEN: Duration = Duration::from_secs(2);

/// How long nothing may come of a node for which something waits. Every connection is kept alive by a datagram in 5 s (iroh's
/// interval), so two of them did not come; QUIC itself gives up only after 30 s.
const SILENT: Duration = Duration::from_secs(14);

/// How long it may be where the node made a new connection meanwhile: it was started again.
const SILENT_AND_BACK: Duration = Duration::from_secs(6);

impl Driver {
    /// Gives up on streams to those of whom nothing comes, and dials those for whom something waits and who have just come:
    /// they may have been found away for long.
    pub(super) fn look(&mut self) {
        let connections = self.overlay.connections();
        self.give_up_on_silent(&connections);
        let now: BTreeSet<NodeId> = connections.into_iter().map(|connection| connection.node).collect();
        let before = std::mem::replace(&mut self.state.seen, now);
        let waiting: Vec<NodeId> = self.chat.waiting().into_iter().map(|(node, _)| node).collect();
        for node in waiting {
            let has_come = self.state.seen.contains(&node) && !before.contains(&node);
            if has_come && !self.state.streams.contains_key(&node) {
                self.dial(node);
            }
        }
    }

    /// Leaves it to the mailboxes what waits for those who went without a word. Whoever went and came back is dialled at once.
    fn give_up_on_silent(&mut self, connections: &[ConnectionInfo]) {
        let now = Instant::now();
        let waiting: BTreeSet<NodeId> = self.chat.waiting().into_iter().map(|(node, _)| node).collect();
        for node in self.state.streams.keys().copied().collect::<Vec<_>>() {
            let theirs = || connections.iter().filter(|it| it.node == node);
            let received = theirs().filter(|it| it.service == SERVICE).map(|it| it.received_bytes).sum();
            let (before, since) = *self.state.silent.entry(node).or_insert((received, now));
            if before != received {
                self.state.silent.insert(node, (received, now));
                continue;
            }
            let silent = now.duration_since(since);
            // It may have gone silent, and come back, before it was noticed.
            let is_back = silent >= SILENT_AND_BACK && theirs().any(|it| it.age < silent + 2 * SEEN);
            if waiting.contains(&node) && (is_back || silent >= SILENT) {
                // The connection would be kept for longer, and the next stream be opened over it.
                self.overlay.hang_up(node, SERVICE);
                self.drop_stream(node);
                if is_back {
                    self.dial(node);
                } else {
                    self.handle(Input::Unreachable(node));
                }
            }
        }
        let streams = &self.state.streams;
        self.state.silent.retain(|node, _| streams.contains_key(node));
    }

    /// Writes a frame on the stream to a node, if one stands.
    pub(super) fn send(&mut self, node: NodeId, frame: Vec<u8>) {
        let Some(standing) = self.state.streams.get(&node) else { return };
        if standing.queue.try_send(frame).is_ok() {
            return;
        }
        // It does not read, or is gone: what was lost goes by the next one.
        self.drop_stream(node);
    }

    fn drop_stream(&mut self, node: NodeId) {
        if let Some(standing) = self.state.streams.remove(&node) {
            // It may have ended by itself.
            let _ = standing.over.send(());
        }
        self.handle(Input::Disconnected(node));
    }

    /// Opens a stream to a node, unless one stands or is being opened.
    pub(super) fn dial(&mut self, node: NodeId) {
        if self.state.streams.contains_key(&node) {
            return self.handle(Input::Connected(node));
        }
        if self.state.dialled.insert(node, true).is_none() {
            let (lines, overlay) = (self.lines.clone(), self.overlay.clone());
            tokio::spawn(async move { lines.dial(&overlay, node).await });
        }
    }
}
