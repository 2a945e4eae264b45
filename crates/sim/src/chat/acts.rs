//! What befalls nodes: they sleep, crash, move their mailboxes, hear of things, and all wake in the end.

use std::time::Duration;

use chat::proto::Input;

use super::network::{Happens, Network};
use super::sealer::Sealer;
use super::view::Rumour;

/// How often it is looked whether all is well again. Arbitrary.
const LOOK: Duration = Duration::from_secs(3600);

/// How often a node that cannot do something now tries again. Arbitrary.
const LATER: Duration = Duration::from_secs(900);

impl<C: Sealer> Network<C> {
    /// A node hears of something.
    pub(super) fn learns(&mut self, node: usize, rumour: Rumour) {
        let here = &mut self.nodes[node];
        if !here.born || !here.view.learn(rumour) {
            return;
        }
        self.note(node, format_args!("hears {rumour:?}"));
        let here = &mut self.nodes[node];
        if here.runs() {
            let known = self.known(node);
            self.give(node, Input::People(known));
        } else {
            here.stale = true;
        }
    }

    /// A computer goes to sleep, or is switched off.
    pub(super) fn sleeps(&mut self, node: usize) {
        if self.healed || self.nodes[node].asleep {
            return;
        }
        self.nodes[node].asleep = true;
        if !self.nodes[node].born {
            return;
        }
        let off = self.rng.bool();
        self.note(node, format_args!("sleeps, off: {off}"));
        if off {
            self.end_process(node);
        } else {
            // What it had streams to it hears of when it wakes.
            let gone = self.hang_up(node);
            self.nodes[node].gone.extend(gone);
            self.nodes[node].slept = self.clock;
            self.nodes[node].epoch += 1;
        }
    }

    pub(super) fn wakes(&mut self, node: usize) {
        if !self.nodes[node].asleep {
            return;
        }
        self.nodes[node].asleep = false;
        if !self.nodes[node].born {
            return;
        }
        self.note(node, format_args!("wakes"));
        if self.nodes[node].chat.is_some() {
            // Some computers count the time that they slept and some do not.
            if self.rng.bool() {
                let slept = self.clock.since(self.nodes[node].slept);
                self.nodes[node].left_out += slept;
            }
            self.resume(node);
        } else if !self.nodes[node].down {
            self.start(node);
        }
    }

    /// A process that crashed is started again.
    pub(super) fn starts(&mut self, node: usize) {
        self.nodes[node].down = false;
        if !self.nodes[node].asleep && self.nodes[node].chat.is_none() {
            self.start(node);
        }
    }

    /// A node crashes at one of the next things that it stores.
    pub(super) fn arms_crash(&mut self, node: usize) {
        let crash = (self.rng.u8(..6), self.rng.bool());
        if !self.healed && self.nodes[node].runs() {
            self.nodes[node].crash = Some(crash);
        }
    }

    /// A process ends at once, whatever it is doing.
    pub(super) fn dies(&mut self, node: usize) {
        if !self.healed && self.nodes[node].runs() {
            self.note(node, format_args!("dies"));
            self.crash(node);
        }
    }

    /// A person's new node begins, and knows what is true.
    pub(super) fn is_born(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        (here.born, here.down) = (true, false);
        for spread in self.spreads.iter().filter(|spread| spread.begun <= self.clock) {
            if !matches!(spread.rumour, Rumour::Block { by, .. } if by != here.person) {
                here.view.learn(spread.rumour);
            }
        }
        if !self.nodes[node].asleep {
            self.start(node);
        }
    }

    /// The user of a new node wants the history that the other nodes have.
    pub(super) fn fetches(&mut self, node: usize) {
        if !self.nodes[node].runs() {
            return self.later(LATER, Happens::Fetches { node });
        }
        let now = self.nodes[node].now(self.clock);
        if let Some(chat) = &mut self.nodes[node].chat {
            chat.ask_history(now);
        }
        self.nodes[node].asked_history = Some(self.clock);
        self.drain(node);
    }

    /// The user of a node names other mailboxes.
    pub(super) fn moves(&mut self, node: usize) {
        self.nodes[node].mailboxes = self.some_keepers();
        self.note(node, format_args!("moves its mailboxes"));
        let mailboxes = self.named(node);
        self.give(node, Input::Mailboxes(mailboxes));
    }

    /// Returns one to three mailboxes.
    pub(super) fn some_keepers(&mut self) -> Vec<usize> {
        let mut keepers: Vec<usize> = (0..self.keepers.len()).collect();
        self.rng.shuffle(&mut keepers);
        keepers.truncate(self.rng.usize(1..=3));
        keepers
    }

    /// A node's clock is set: right, or wrong in another way.
    pub(super) fn sets_clock(&mut self, node: usize) {
        let wrong_s = self.rng.i64(-86_400..86_400);
        self.nodes[node].set = Some(self.clock);
        self.nodes[node].wrong_s = if self.rng.bool() { 0 } else { wrong_s };
        self.note(node, format_args!("sets its clock"));
    }

    /// From now on nothing is lost, and all are awake.
    pub(super) fn heals(&mut self) {
        self.judge_late();
        self.healed = true;
        self.note(0, format_args!("all heals"));
        for keeper in 0..self.keepers.len() {
            self.naps(keeper, false);
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].crash = None;
            self.nodes[node].down = false;
            self.wakes(node);
            if self.nodes[node].chat.is_none() {
                self.start(node);
            }
        }
        self.later(LOOK, Happens::Looks { was_well: false });
    }

    /// When all is as promised, and still is after a while, nothing more is waited for.
    pub(super) fn looks(&mut self, was_well: bool) {
        let is_well = self.is_well();
        let next = if is_well && was_well { Happens::Ends_ } else { Happens::Looks { was_well: is_well } };
        self.later(LOOK, next);
    }
}
