//! A topic of many nodes in virtual time: they wake, sleep, vanish, and some stop reading.
//!
//! Every node is the state machine that the real program runs, over links that keep order and take as long as the
//! Internet does. All randomness comes from one seed. `cargo run --release -p sim -- gossip` prints what came of it.

mod network;

use std::time::Duration;

pub use network::GossipSim;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct GossipScenario {
    /// Where all chance comes from.
    pub seed: u64,
    /// How many nodes are awake at a time.
    pub nodes: u32,
    /// Members that sleep, so that others dial them in vain.
    pub asleep: u32,
    /// How many fall asleep in the measured time, half of them without a word; another wakes for each.
    pub changes: u32,
    /// Nodes that stop reading when the measured time begins, and keep their links.
    pub stuck: u32,
    /// How long all take to join.
    pub joining: Duration,
    /// How long is measured.
    pub measured: Duration,
    /// Messages in that time, each of a random node.
    pub messages: u32,
}

impl GossipScenario {
    /// The topic that the project promises something about.
    pub fn busy(seed: u64, nodes: u32) -> GossipScenario {
        GossipScenario {
            seed,
            nodes,
            asleep: nodes / 4,
            changes: nodes / 4,
            stuck: 1 + nodes / 100,
            joining: Duration::from_secs(180),
            measured: Duration::from_secs(600),
            messages: 100,
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GossipOutcome {
    /// Messages that were sent.
    pub messages: u32,
    /// Deliveries that were due: each message to each other node that was awake all the while.
    pub due: u64,
    /// Those that did not come.
    pub missed: u64,
    /// Messages that a node was given twice.
    pub twice: u64,
    /// Messages that were sent with their payload, each copy.
    pub copies: u64,
    /// How many copies are needed at least: one for each node but the author.
    pub ideal: u64,
    /// Frames without payload.
    pub control: u64,
    /// How long each delivery took, in virtual milliseconds, in ascending order.
    pub millis: Vec<u32>,
    /// A hash over all that happened.
    pub trace: u64,
}

impl GossipOutcome {
    /// Copies that were sent for each that was needed.
    pub fn ratio(&self) -> f64 {
        self.copies as f64 / self.ideal.max(1) as f64
    }

    /// The delay within which `per_mille` of the deliveries came, in milliseconds.
    pub fn within(&self, per_mille: usize) -> u32 {
        let last = self.millis.len().saturating_sub(1);
        self.millis.get(last * per_mille / 1000).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most copies of each message for each node, as the project promises.
    const COPIES: f64 = 3.0;

    fn kept(seed: u64, nodes: u32) -> GossipOutcome {
        let scenario =
            GossipScenario { messages: 20, measured: Duration::from_secs(200), ..GossipScenario::busy(seed, nodes) };
        let outcome = GossipSim::run(scenario);
        assert!(outcome.due > 0, "seed {seed}");
        assert_eq!((outcome.missed, outcome.twice), (0, 0), "seed {seed}: {outcome:?}");
        assert!(outcome.ratio() <= COPIES, "seed {seed}: {}", outcome.ratio());
        outcome
    }

    #[test]
    fn every_message_reaches_all_that_are_awake() {
        for seed in 0..6 {
            kept(seed, 24);
        }
        kept(100, 60);
    }

    #[test]
    fn a_run_is_a_function_of_its_seed() {
        assert_eq!(kept(7, 20), kept(7, 20));
        assert_ne!(kept(7, 20).trace, kept(8, 20).trace);
    }
}
