//! The state machine: one node of the network over IPv4 and one of that over IPv6.

use std::collections::VecDeque;

use base::{Instant, Now};

use crate::{Failure, Input, NodeStatus, Output, Snapshot, Status};

/// Whether we answer queries and want to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Yes, unless it turns out that nobody can reach us (BEP 43).
    #[default]
    Auto,
    /// Always.
    Serve,
    /// Never.
    ReadOnly,
}

/// How a node is set up.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// There is a socket for IPv4.
    pub v4: bool,
    /// There is a socket for IPv6.
    pub v6: bool,
    /// Whether we answer.
    pub reach: Reach,
    /// What the last run left.
    pub snapshot: Snapshot,
}

/// The state machine.
#[derive(Debug)]
pub struct DhtNode {
    outputs: VecDeque<Output>,
}

impl DhtNode {
    /// Builds a node. Nothing is sent before the first [`Input`]: hand in [`Input::Timeout`] to begin.
    pub fn new(_config: Config, _rng: fastrand::Rng) -> DhtNode {
        DhtNode { outputs: VecDeque::new() }
    }

    /// Takes an input.
    pub fn handle(&mut self, _now: Now, input: Input<'_>) {
        if let Input::Start { id, .. } = input {
            self.outputs.push_back(Output::Done { id, result: Err(Failure::NoNodes) });
        }
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Tells how things are.
    pub fn status(&self, _now: Now) -> Status {
        Status::default()
    }

    /// Returns the nodes of the tables.
    pub fn nodes(&self, _now: Now) -> Vec<NodeStatus> {
        Vec::new()
    }

    /// Returns what to save for the next run.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// Tells whether any node is known that answers.
    pub fn is_ready(&self) -> bool {
        false
    }
}
