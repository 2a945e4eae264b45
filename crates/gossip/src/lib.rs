//! Gossip as a state machine, free of I/O: what one node does so that a message reaches all that follow a topic.
//!
//! The protocol is iroh-gossip's: HyParView (Leitão, Pereira, Rodrigues: "HyParView: a membership protocol for reliable
//! gossip-based broadcast", 2007) keeps five neighbours a topic, PlumTree (the same: "Epidemic broadcast trees", 2007)
//! pushes messages along a tree over them and mends it. Around it [`Gossip`] adds what a node among strangers needs:
//!
//! - every message is signed by the node that wrote it, and checked before it is passed on; none is delivered twice;
//! - only nodes that a topic admits ([`Members`]) take part, are named by others, or are dialled; a node that is no longer
//!   admitted is cut at once, and addresses that peers supply are dropped unread;
//! - every message, list and queue is bounded ([`limits`]), and what a neighbour may ask for has a rate;
//! - a lonely topic looks for company again, and a new neighbour is told what went round lately.
//!
//! Contract: `handle`, then `poll_output` until `None`, then `poll_timeout`.

mod chance;
mod envelope;
pub mod limits;
mod machine;
mod peers;
mod rate;
mod seen;
mod stats;
mod topic;
mod wire;

pub use envelope::{Payload, TooLong};
pub use machine::{Config, Event, Gossip, Input, Loss, Output, Parting};
pub use stats::Stats;
pub use topic::Members;

/// Names a topic: 32 bytes that its members agree on. Whoever should not find it must not be able to guess them.
pub type TopicId = [u8; 32];
