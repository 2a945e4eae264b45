//! The deterministic simulator: a virtual clock, a network, disks, and many nodes that share a torrent.
//!
//! Every node owns the torrent state machine that the real program runs, with a driver around it that does what the real
//! one does. All randomness comes from one seed, so that a run is a function of its [`Scenario`]: what was seen once can
//! be seen again, with `cargo run -p sim -- --seed N --log`. While a swarm runs, the simulator watches that nothing false
//! is claimed, nothing verified is lost, nobody innocent is banned and nothing held is kept ([`Failure`]); at the end
//! every honest node must have the right bytes. [`link`] does the same for uTP alone: streams over links that lose, delay
//! and repeat packets, and TCP beside them.

mod chat;
mod content;
mod dht;
mod disk;
mod gossip;
pub mod link;
mod node;
mod permits;
mod plan;
mod queue;
mod roster;
mod scenario;
mod swarm;
mod trace;

pub use self::chat::{ChatMutation, ChatOutcome, ChatScenario, ChatSim};
pub use self::dht::{DhtOutcome, DhtScenario, DhtSim};
pub use self::gossip::{GossipOutcome, GossipScenario, GossipSim};
pub use content::Shape;
pub use metainfo::create::Mode;
pub use roster::{RosterOutcome, RosterScenario, RosterSim};
pub use scenario::{Churn, Mutation, Scenario, Topology};
pub use swarm::{Failure, Outcome, Stats, Swarm};
