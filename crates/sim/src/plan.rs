//! The plan of a run: what goes wrong, when, and with whom.

use std::time::Duration;

use base::Instant;

use crate::disk::Crash;
use crate::scenario::Scenario;

/// One thing that happens to the swarm from outside.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A node begins or comes back.
    Start(usize),
    /// A node stops in order; `for_good`: it does not come back.
    Leave { node: usize, for_good: bool },
    /// A node is gone without a word.
    Crash(usize, Crash),
    /// A user pauses.
    Pause(usize),
    /// A user resumes.
    Resume(usize),
    /// One of a node's connections breaks.
    Reset(usize),
    /// A disk is full for a while.
    Full(usize, Duration),
    /// An order to a disk fails.
    Fault(usize),
    /// Nodes of the first set and the others cannot reach one another.
    Partition(Vec<bool>),
    /// They can again.
    Heal,
    /// A user asks for a recheck.
    Recheck(usize),
    /// A user changes priorities, order or deadlines.
    Whim(usize),
}

/// Draws the plan. Nodes are numbered: seeds, then leechers, then liars.
pub(crate) fn draw(scenario: &Scenario, rng: &mut fastrand::Rng) -> Vec<(Instant, Step)> {
    let churn = scenario.churn;
    let mut plan: Vec<(Instant, Step)> = Vec::new();
    let leechers = scenario.seeds..scenario.seeds + scenario.leechers;
    for node in 0..scenario.nodes() {
        let late = if leechers.contains(&node) { churn.until / 4 } else { Duration::ZERO };
        plan.push((within(rng, late), Step::Start(node)));
    }
    let leecher = |rng: &mut fastrand::Rng| rng.usize(leechers.clone());
    let anybody = |rng: &mut fastrand::Rng| rng.usize(..scenario.nodes());
    let pause = |rng: &mut fastrand::Rng| Duration::from_millis(rng.u64(50..30_000));
    for i in 0..churn.leaves + churn.departures {
        let (node, at) = (leecher(rng), within(rng, churn.until));
        let for_good = i >= churn.leaves;
        plan.push((at, Step::Leave { node, for_good }));
        plan.push((at + pause(rng), Step::Start(node)));
    }
    for _ in 0..churn.crashes {
        let (node, at) = (leecher(rng), within(rng, churn.until));
        let crash = if churn.power_failures && rng.bool() { Crash::Power } else { Crash::Process };
        plan.push((at, Step::Crash(node, crash)));
        plan.push((at + pause(rng), Step::Start(node)));
    }
    for _ in 0..churn.pauses {
        let (node, at) = (leecher(rng), within(rng, churn.until));
        plan.push((at, Step::Pause(node)));
        plan.push((at + pause(rng), Step::Resume(node)));
    }
    for _ in 0..churn.resets {
        plan.push((within(rng, churn.until), Step::Reset(anybody(rng))));
    }
    for _ in 0..churn.full_disks {
        let (node, at) = (leecher(rng), within(rng, churn.until));
        plan.push((at, Step::Full(node, pause(rng))));
    }
    for _ in 0..churn.disk_faults {
        plan.push((within(rng, churn.until), Step::Fault(leecher(rng))));
    }
    for _ in 0..churn.partitions {
        let at = within(rng, churn.until);
        let sides = (0..scenario.nodes()).map(|_| rng.bool()).collect();
        plan.push((at, Step::Partition(sides)));
        plan.push((at + pause(rng), Step::Heal));
    }
    for _ in 0..churn.rechecks {
        plan.push((within(rng, churn.until), Step::Recheck(leecher(rng))));
    }
    for _ in 0..churn.whims {
        plan.push((within(rng, churn.until), Step::Whim(leecher(rng))));
    }
    plan
}

fn within(rng: &mut fastrand::Rng, time: Duration) -> Instant {
    Instant::START + Duration::from_nanos(rng.u64(..=time.as_nanos() as u64))
}
