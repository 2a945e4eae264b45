//! What a node's gossip did so far.

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages sent with their payload, each copy.
    pub copies_sent: u64,
    /// Messages received with their payload, each copy.
    pub copies_received: u64,
    /// Frames sent without payload.
    pub control_sent: u64,
    /// Frames received without payload.
    pub control_received: u64,
    /// Messages delivered: each once.
    pub delivered: u64,
    /// What was refused: frames that cannot be read, of nodes that a topic does not admit, with a wrong signature, too
    /// old, or more than a rate allows.
    pub refused: u64,
}
