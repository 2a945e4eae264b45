//! The outbox: which notices have to go to whom, and when they are tried.
//!
//! Owns every notice that some node has not got yet in its present version. A delivery is *due → sending → delivered*, or
//! *waiting* after a failure, longer each time; a node that shows up is tried at once. What was delivered is an output to
//! be stored, so that a restart does not tell it again.
//! Invariant: at most [`MAX_SENDING`] are under way, one a node; a node is told nothing of a share that it is not in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{Instant, NodeId, Now};

/// A share: the first 20 bytes of its v2 info-hash, as the engine names it.
pub type ShareId = metainfo::InfoHashV1;

/// Deliveries under way at once. Arbitrary.
pub const MAX_SENDING: usize = 8;

/// The wait after a first failure; doubled by each further one. Arbitrary: dialling tries for half a minute itself.
const BACK_OFF: Duration = Duration::from_secs(5);

/// The longest wait after a failure. Arbitrary: somebody who comes home looks after some minutes.
const MAX_BACK_OFF: Duration = Duration::from_secs(600);

/// The wait after a refusal: who is no contact yet may become one. Arbitrary.
const REFUSED: Duration = Duration::from_secs(3600);

/// One notice for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    /// Whom to tell.
    pub node: NodeId,
    /// Of what.
    pub share: ShareId,
    /// Which version.
    pub version: u64,
}

/// What came of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The node keeps it.
    Delivered,
    /// The node does not want it.
    Refused,
    /// The node was not reached.
    Failed,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Input {
    /// These nodes have to have this version; replaces what was said of the share before. `delivered` have it already.
    Tell {
        /// The share.
        share: ShareId,
        /// The version of its notice.
        version: u64,
        /// Whom.
        nodes: Vec<NodeId>,
        /// Who of them has it, from an earlier run.
        delivered: Vec<NodeId>,
    },
    /// The share is gone: nobody is told of it any more.
    Forget(ShareId),
    /// What came of an [`Output::Send`].
    Sent(Delivery, Outcome),
    /// A connection with a node stands.
    Seen(NodeId),
    /// The time that [`Outbox::poll_timeout`] named has come.
    Timeout,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the notice; answered by [`Input::Sent`].
    Send(Delivery),
    /// Store that the node has it.
    Delivered(Delivery),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting(Instant),
    Sending,
    Delivered,
}

#[derive(Debug)]
struct Task {
    version: u64,
    stage: Stage,
    failures: u32,
}

/// The outbox. See the module.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Bounded by the shares of this node and their audiences, which are its user's.
    tasks: BTreeMap<(NodeId, ShareId), Task>,
    /// What waits, by when it is due.
    due: BTreeSet<(Instant, NodeId, ShareId)>,
    /// Nodes that something is being sent to.
    busy: BTreeSet<NodeId>,
    out: VecDeque<Output>,
}

impl Outbox {
    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input) {
        let now = now.mono;
        match input {
            Input::Tell { share, version, nodes, delivered } => self.tell(now, share, version, &nodes, &delivered),
            Input::Forget(share) => self.tell(now, share, 0, &[], &[]),
            Input::Sent(delivery, outcome) => self.sent(now, delivery, outcome),
            Input::Seen(node) => {
                let keys: Vec<_> = self.due.iter().filter(|(_, other, _)| *other == node).copied().collect();
                keys.into_iter().for_each(|(_, node, share)| self.stage(node, share, Stage::Waiting(now)));
            }
            Input::Timeout => {}
        }
        self.send(now);
    }

    /// Returns the next thing to be done; drain it after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.busy.len() >= MAX_SENDING {
            return None;
        }
        self.due.iter().find(|(_, node, _)| !self.busy.contains(node)).map(|(at, _, _)| *at)
    }

    /// Returns how many nodes have the present version of a share, and how many should.
    pub fn told(&self, share: ShareId) -> (usize, usize) {
        let of_it = self.tasks.iter().filter(|((_, other), _)| *other == share);
        of_it.fold((0, 0), |(done, all), (_, task)| (done + usize::from(task.stage == Stage::Delivered), all + 1))
    }

    fn tell(&mut self, now: Instant, share: ShareId, version: u64, nodes: &[NodeId], delivered: &[NodeId]) {
        let wanted: BTreeSet<NodeId> = nodes.iter().copied().collect();
        let gone = self.tasks.keys().filter(|(node, other)| *other == share && !wanted.contains(node));
        for key in gone.copied().collect::<Vec<_>>() {
            self.remove(key);
        }
        for node in wanted {
            match self.tasks.get_mut(&(node, share)) {
                Some(task) if task.version == version => continue,
                // What is under way is of the old version: its end finds that.
                Some(task) if task.stage == Stage::Sending => {
                    task.version = version;
                    continue;
                }
                _ => {}
            }
            let done = delivered.contains(&node);
            self.tasks.insert((node, share), Task { version, stage: Stage::Delivered, failures: 0 });
            if !done {
                self.stage(node, share, Stage::Waiting(now));
            }
        }
    }

    fn sent(&mut self, now: Instant, delivery: Delivery, outcome: Outcome) {
        let Delivery { node, share, version } = delivery;
        self.busy.remove(&node);
        let Some(task) = self.tasks.get_mut(&(node, share)).filter(|task| task.stage == Stage::Sending) else { return };
        if task.version != version {
            // A newer one is to follow.
            return self.stage(node, share, Stage::Waiting(now));
        }
        match outcome {
            Outcome::Delivered => {
                task.failures = 0;
                self.stage(node, share, Stage::Delivered);
                self.out.push_back(Output::Delivered(delivery));
            }
            Outcome::Refused => self.stage(node, share, Stage::Waiting(now + REFUSED)),
            Outcome::Failed => {
                let wait = (BACK_OFF * (1 << task.failures.min(16))).min(MAX_BACK_OFF);
                task.failures = task.failures.saturating_add(1);
                self.stage(node, share, Stage::Waiting(now + wait));
                // The node is off: its other notices need not find that out one by one.
                let others = self.due.iter().filter(|(at, other, _)| *other == node && *at < now + wait);
                for (_, node, share) in others.copied().collect::<Vec<_>>() {
                    self.stage(node, share, Stage::Waiting(now + wait));
                }
            }
        }
    }

    fn send(&mut self, now: Instant) {
        while self.busy.len() < MAX_SENDING {
            let next = self.due.iter().take_while(|(at, _, _)| *at <= now);
            let next = next.filter(|(_, node, _)| !self.busy.contains(node)).map(|(_, node, share)| (*node, *share));
            let Some((node, share)) = next.min() else { return };
            let Some(version) = self.tasks.get(&(node, share)).map(|task| task.version) else { return };
            self.stage(node, share, Stage::Sending);
            self.busy.insert(node);
            self.out.push_back(Output::Send(Delivery { node, share, version }));
        }
    }

    fn stage(&mut self, node: NodeId, share: ShareId, stage: Stage) {
        let Some(task) = self.tasks.get_mut(&(node, share)) else { return };
        if let Stage::Waiting(at) = task.stage {
            self.due.remove(&(at, node, share));
        }
        task.stage = stage;
        if let Stage::Waiting(at) = stage {
            self.due.insert((at, node, share));
        }
    }

    fn remove(&mut self, (node, share): (NodeId, ShareId)) {
        if let Some(Task { stage: Stage::Waiting(at), .. }) = self.tasks.remove(&(node, share)) {
            self.due.remove(&(at, node, share));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metainfo::InfoHashV1;

    const BOB: NodeId = NodeId([2; 32]);
    const CAROL: NodeId = NodeId([3; 32]);
    const PHOTOS: ShareId = InfoHashV1([7; 20]);
    const NOTES: ShareId = InfoHashV1([8; 20]);

    fn at(seconds: u64) -> Now {
        Now { mono: Instant::START + Duration::from_secs(seconds), ..Now::default() }
    }

    fn tell(share: ShareId, version: u64, nodes: &[NodeId]) -> Input {
        Input::Tell { share, version, nodes: nodes.to_vec(), delivered: Vec::new() }
    }

    fn drain(outbox: &mut Outbox) -> Vec<Output> {
        std::iter::from_fn(|| outbox.poll_output()).collect()
    }

    fn delivery(node: NodeId, share: ShareId, version: u64) -> Delivery {
        Delivery { node, share, version }
    }

    #[test]
    fn each_node_is_told_once() {
        let mut outbox = Outbox::default();
        outbox.handle(at(0), tell(PHOTOS, 1, &[BOB, CAROL]));
        let (bob, carol) = (delivery(BOB, PHOTOS, 1), delivery(CAROL, PHOTOS, 1));
        assert_eq!(drain(&mut outbox), [Output::Send(bob), Output::Send(carol)]);
        outbox.handle(at(1), Input::Sent(bob, Outcome::Delivered));
        assert_eq!(drain(&mut outbox), [Output::Delivered(bob)]);
        assert_eq!(outbox.told(PHOTOS), (1, 2));
        outbox.handle(at(1), Input::Sent(carol, Outcome::Delivered));
        outbox.handle(at(2), tell(PHOTOS, 1, &[BOB, CAROL]));
        assert_eq!(drain(&mut outbox), [Output::Delivered(carol)]);
        assert_eq!(outbox.poll_timeout(), None);
    }

    #[test]
    fn who_is_away_is_tried_ever_more_seldom_and_at_once_when_it_comes() {
        let mut outbox = Outbox::default();
        let bob = delivery(BOB, PHOTOS, 1);
        outbox.handle(at(0), tell(PHOTOS, 1, &[BOB]));
        outbox.handle(at(0), tell(NOTES, 1, &[BOB]));
        assert_eq!(drain(&mut outbox), [Output::Send(bob)], "one at a time");
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let Some(Output::Send(sent)) = drain(&mut outbox).pop().or(Some(Output::Send(bob))) else { panic!() };
            outbox.handle(now, Input::Sent(sent, Outcome::Failed));
            let due = outbox.poll_timeout().unwrap();
            waits.push((due - now.mono).as_secs());
            now.mono = due;
            outbox.handle(now, Input::Timeout);
        }
        assert!(waits.is_sorted() && waits[0] == 5 && *waits.last().unwrap() == 600, "{waits:?}");
        let Some(Output::Send(sent)) = drain(&mut outbox).pop() else { panic!() };
        outbox.handle(now, Input::Sent(sent, Outcome::Failed));
        outbox.handle(now, Input::Seen(BOB));
        assert_eq!(drain(&mut outbox).len(), 1);
    }

    #[test]
    fn who_was_away_for_a_week_is_told_within_ten_minutes_of_coming_back() {
        let mut outbox = Outbox::default();
        let (mut now, week) = (at(0), at(7 * 24 * 3600).mono);
        outbox.handle(now, tell(PHOTOS, 1, &[BOB]));
        while now.mono < week {
            let Some(Output::Send(sent)) = drain(&mut outbox).pop() else { panic!("given up at {:?}", now.mono) };
            outbox.handle(now, Input::Sent(sent, Outcome::Failed));
            now.mono = outbox.poll_timeout().unwrap();
            outbox.handle(now, Input::Timeout);
        }
        assert!(now.mono - week <= Duration::from_secs(600));
        let bob = delivery(BOB, PHOTOS, 1);
        assert_eq!(drain(&mut outbox), [Output::Send(bob)]);
        outbox.handle(now, Input::Sent(bob, Outcome::Delivered));
        assert_eq!(outbox.told(PHOTOS), (1, 1));
    }

    #[test]
    fn a_newer_version_follows_the_one_under_way() {
        let mut outbox = Outbox::default();
        outbox.handle(at(0), tell(PHOTOS, 1, &[BOB]));
        drain(&mut outbox);
        outbox.handle(at(0), tell(PHOTOS, 2, &[BOB]));
        assert_eq!(drain(&mut outbox), []);
        outbox.handle(at(1), Input::Sent(delivery(BOB, PHOTOS, 1), Outcome::Delivered));
        assert_eq!(drain(&mut outbox), [Output::Send(delivery(BOB, PHOTOS, 2))]);
    }

    #[test]
    fn who_is_no_longer_meant_hears_nothing_more() {
        let mut outbox = Outbox::default();
        outbox.handle(at(0), tell(PHOTOS, 1, &[BOB, CAROL]));
        drain(&mut outbox);
        outbox.handle(at(0), tell(PHOTOS, 2, &[CAROL]));
        outbox.handle(at(1), Input::Sent(delivery(BOB, PHOTOS, 1), Outcome::Failed));
        outbox.handle(at(9999), Input::Seen(BOB));
        assert!(drain(&mut outbox).iter().all(|output| !matches!(output, Output::Send(Delivery { node: BOB, .. }))));
        outbox.handle(at(9999), Input::Forget(PHOTOS));
        assert_eq!(outbox.told(PHOTOS), (0, 0));
    }

    #[test]
    fn what_an_earlier_run_delivered_is_not_told_again() {
        let mut outbox = Outbox::default();
        let input = Input::Tell { share: PHOTOS, version: 3, nodes: vec![BOB, CAROL], delivered: vec![BOB] };
        outbox.handle(at(0), input);
        assert_eq!(drain(&mut outbox), [Output::Send(delivery(CAROL, PHOTOS, 3))]);
    }
}
