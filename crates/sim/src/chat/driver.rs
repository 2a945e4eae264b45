//! What the program around the state machine does: it stores before it sends, and loses all that was not stored when it ends.

use std::time::Duration;

use chat::proto::{Acquaintance, Chat, Fellowship, Input, Known, Output, Parts, Settings};

use super::ChatMutation;
use super::network::{Happens, Network};
use super::sealer::Sealer;

/// How long reading the history may take. Arbitrary.
const READING: Duration = Duration::from_millis(50);

/// Longer than the slowest disk takes.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How long a node that crashed is away at most. Arbitrary.
const AWAY: Duration = Duration::from_secs(1200);

impl<C: Sealer> Network<C> {
    /// Hands an input to a node that runs, and does what it wants.
    pub(super) fn give(&mut self, node: usize, input: Input) {
        if !self.nodes[node].runs() {
            return;
        }
        let now = self.nodes[node].now(self.clock);
        if let Some(chat) = &mut self.nodes[node].chat {
            chat.handle(now, input);
        }
        self.drain(node);
    }

    /// Takes what a node wants, and does what need not wait.
    pub(super) fn drain(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        if let Some(chat) = &mut here.chat {
            here.outbox.extend(std::iter::from_fn(|| chat.poll_output()));
        }
        if self.scenario.mutation == Some(ChatMutation::EarlyOutputs) {
            let outbox = std::mem::take(&mut self.nodes[node].outbox);
            let (stores, others): (Vec<_>, Vec<_>) =
                outbox.into_iter().partition(|output| matches!(output, Output::Persist(_)));
            others.into_iter().for_each(|output| self.does(node, output));
            self.nodes[node].outbox.extend(stores);
        }
        self.release(node);
        self.arm(node);
    }

    /// Does what is wanted, in order, as far as what has to be stored before is.
    fn release(&mut self, node: usize) {
        while !self.nodes[node].committing
            && let Some(output) = self.nodes[node].outbox.pop_front()
        {
            let disk = self.nodes[node].disk;
            match output {
                Output::Persist(changes) if disk > Duration::ZERO => {
                    self.nodes[node].committing = true;
                    self.nodes[node].outbox.push_front(Output::Persist(changes));
                    let (epoch, took) = (self.nodes[node].starts, self.within(disk));
                    self.later(took, Happens::Commits { node, epoch });
                }
                Output::Persist(changes) => {
                    if !self.store(node, changes) {
                        return;
                    }
                }
                other => self.does(node, other),
            }
        }
    }

    /// A slow disk has stored what it was given.
    pub(super) fn commits(&mut self, node: usize, start: u32) {
        // A stopped process goes on with it when it wakes.
        if self.nodes[node].starts != start || !self.nodes[node].runs() {
            return;
        }
        self.nodes[node].committing = false;
        if let Some(Output::Persist(changes)) = self.nodes[node].outbox.pop_front()
            && self.store(node, changes)
        {
            self.release(node);
        }
    }

    /// Stores a set of changes, unless the node crashes before. False: it crashed, before or after.
    fn store(&mut self, node: usize, changes: Vec<chat::proto::Change>) -> bool {
        let crash = self.nodes[node].crash;
        let is_due = matches!(crash, Some((0, _)));
        if let Some((count, _)) = &mut self.nodes[node].crash {
            *count = count.saturating_sub(1);
        }
        if !is_due || matches!(crash, Some((_, true))) {
            self.commit(node, changes);
        }
        if is_due {
            self.note(node, format_args!("crashes: {crash:?}"));
            self.crash(node);
        }
        !is_due
    }

    /// Does one thing that a node wants. Nothing comes back to it before time passes.
    fn does(&mut self, node: usize, output: Output) {
        match output {
            Output::Persist(changes) => _ = self.store(node, changes),
            Output::Send(to, frame) => {
                let to = self.by_id[&to];
                self.note(node, format_args!("{} bytes to n{to}", frame.len()));
                self.send(node, to, frame);
            }
            Output::Dial(to) => {
                let to = self.by_id[&to];
                self.note(node, format_args!("dials n{to}"));
                self.dial(node, to);
            }
            Output::Ask { token, mailbox, request, .. } => self.ask(node, token, mailbox, request),
            Output::Fetch(token, conversation, ids) => {
                let number = self.number(&conversation);
                let here = &self.nodes[node].store;
                let known = ids.iter().filter_map(|id| self.index.get(&(number, *id)));
                let there = known.filter(|index| here.inserted.contains_key(index));
                let messages = there.map(|index| self.said[*index as usize].message.clone()).collect();
                let (epoch, took) = (self.nodes[node].starts, self.within(READING));
                self.later(took, Happens::Fetched { node, epoch, token, messages });
            }
            Output::Event(event) => self.hears(node, &event),
        }
    }

    /// Sees to it that a node is woken when it wants to be.
    pub(super) fn arm(&mut self, node: usize) {
        let clock = self.clock;
        let here = &mut self.nodes[node];
        let Some(due) = here.due().filter(|_| !here.asleep) else { return };
        let due = due.max(clock);
        if here.armed.is_none_or(|armed| armed > due) {
            here.armed = Some(due);
            self.queue.add(due, Happens::Timer { node });
        }
    }

    pub(super) fn timer(&mut self, node: usize) {
        let clock = self.clock;
        let here = &mut self.nodes[node];
        if here.armed.is_some_and(|armed| armed > clock) {
            // An earlier one was set since.
            return;
        }
        here.armed = None;
        if here.runs() && here.due().is_some_and(|due| due <= clock) {
            self.give(node, Input::Timeout);
        } else {
            self.arm(node);
        }
    }

    /// The process begins, from what was stored.
    pub(super) fn start(&mut self, node: usize) {
        let seed = self.rng.u64(..);
        let me = self.people[self.nodes[node].person];
        let clock = self.clock;
        let here = &mut self.nodes[node];
        here.epoch += 1;
        here.starts += 1;
        here.left_out = clock.since_start();
        let facts: Vec<(Vec<u8>, Vec<u8>)> =
            here.store.facts.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let cipher = C::begin(&here.key, seed, &facts);
        let parts = Parts { me, node: here.id, cipher, seed, settings: Settings::default() };
        here.chat = Some(Chat::new(parts, facts));
        here.stale = false;
        self.note(node, format_args!("starts"));
        let (known, mailboxes) = (self.known(node), self.named(node));
        self.give(node, Input::People(known));
        self.give(node, Input::Mailboxes(mailboxes));
    }

    /// The process is gone, with all that was not stored.
    pub(super) fn end_process(&mut self, node: usize) {
        self.hang_up(node);
        self.outcome.crashes += 1;
        let here = &mut self.nodes[node];
        here.chat = None;
        here.outbox.clear();
        here.committing = false;
        here.armed = None;
        here.crash = None;
        here.asked.clear();
        here.dialled.clear();
        here.gone.clear();
        here.epoch += 1;
        self.writing.retain(|(by, _, _), _| *by != node);
        // Who asked for the history just before asks again: that may not have been stored.
        if here.asked_history.is_some_and(|asked| self.clock.since(asked) < AT_ONCE) {
            here.asked_history = None;
            self.later(AWAY, Happens::Fetches { node });
        }
    }

    /// The process ends in the midst of things and is started again soon.
    pub(super) fn crash(&mut self, node: usize) {
        self.end_process(node);
        self.nodes[node].down = true;
        let away = self.within(AWAY);
        self.later(away, Happens::Starts { node });
    }

    /// A stopped process goes on.
    pub(super) fn resume(&mut self, node: usize) {
        let gone = std::mem::take(&mut self.nodes[node].gone);
        let asked = std::mem::take(&mut self.nodes[node].asked);
        let dialled = std::mem::take(&mut self.nodes[node].dialled);
        for peer in gone {
            let id = self.nodes[peer].id;
            self.give(node, Input::Disconnected(id));
        }
        for token in asked {
            self.give(node, Input::Answered(token, None));
        }
        for peer in dialled {
            let id = self.nodes[peer].id;
            self.give(node, Input::Unreachable(id));
        }
        if std::mem::take(&mut self.nodes[node].stale) {
            let known = self.known(node);
            self.give(node, Input::People(known));
        }
        if self.nodes[node].committing {
            self.commits(node, self.nodes[node].starts);
        }
        self.arm(node);
    }

    /// Returns what a node knows of people, as its program says it.
    pub(super) fn known(&self, node: usize) -> Known {
        let (me, view) = (self.nodes[node].person, &self.nodes[node].view);
        let acquaintance = |person: usize| Acquaintance {
            person: self.people[person],
            nodes: view.nodes_of(person).into_iter().map(|node| self.nodes[node].id).collect(),
            is_contact: view.is_contact(me, person),
        };
        let fellowship = |group: usize| Fellowship {
            group: self.groups[group],
            members: view.members(group).into_iter().map(|person| self.people[person]).collect(),
        };
        Known {
            people: view.acquainted(me).into_iter().map(acquaintance).collect(),
            groups: view.groups_of(me).into_iter().map(fellowship).collect(),
            blocked: view.blocked.iter().map(|person| self.people[*person]).collect(),
        }
    }

    /// Returns the mailboxes that the user of a node named.
    pub(super) fn named(&self, node: usize) -> Vec<(base::NodeId, chat::proto::Whereabouts)> {
        let named = self.nodes[node].mailboxes.iter();
        named.map(|keeper| (self.keepers[*keeper].id, vec![format!("keeper {keeper}")])).collect()
    }
}
