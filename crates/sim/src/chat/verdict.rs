//! Whether what is promised of conversations holds: in the end, and before all came together.

use std::time::Duration;

use base::Instant;
use chat::proto::Stage;

use super::ChatOutcome;
use super::law::{Due, Law};
use super::network::{Network, Said};
use super::sealer::Sealer;

/// How long a message may take to the first node of a person while nodes sleep and frames are lost, mailboxes are away and
/// some people are never awake together: two of their half days, and some hours.
const IN_TIME: Duration = Duration::from_secs(28 * 3600);

/// How long a message waits for its causes: what the machine says, less what it loses by storing whole seconds.
const PATIENCE: Duration = Duration::from_secs(24 * 3600 - 2);

/// How long after a new node asks for the history another of its person hears so at most: it sleeps half a day, is
/// crashed for a while, and is told in one of its mailboxes.
const HISTORY: Duration = Duration::from_secs(16 * 3600);

impl<C: Sealer> Network<C> {
    /// Looks what reached nobody of those it is for, before all are together.
    pub(super) fn judge_late(&mut self) {
        let law = Law::new(&self.spreads);
        for person in 0..self.people.len() {
            // Of each message whether it is here, or waits for nothing that may never come.
            let mut is_free = vec![false; self.said.len()];
            for (index, said) in self.said.iter().enumerate() {
                let is_here = said.reached.contains_key(&person);
                if is_here || law.due(said, person) != Due::Owed {
                    is_free[index] = is_here;
                    continue;
                }
                let mut causes = said.message.after.iter().filter_map(|id| self.index.get(&(said.conversation, *id)));
                is_free[index] = causes.all(|cause| is_free[*cause as usize]);
                self.outcome.late += 1;
                if is_free[index] && self.clock.since(said.at) > IN_TIME {
                    self.outcome.fail(format!("{} did not reach person {person} in time", name(index, said)));
                }
            }
        }
    }

    /// Whether all that is promised for the end holds already.
    pub(super) fn is_well(&self) -> bool {
        let mut outcome = ChatOutcome::default();
        self.judge(&mut outcome, true);
        outcome.failed == 0
    }

    /// `brief`: the first that is wrong ends it.
    fn judge(&self, outcome: &mut ChatOutcome, brief: bool) {
        let law = Law::new(&self.spreads);
        for index in 0..self.said.len() {
            self.judge_message(&law, index, outcome);
            if brief && outcome.failed > 0 {
                return;
            }
        }
        // When each message was named as a cause for the first time.
        let mut named = vec![None; self.said.len()];
        for said in &self.said {
            let causes = said.message.after.iter().filter_map(|id| self.index.get(&(said.conversation, *id)));
            causes.for_each(|cause| _ = named[*cause as usize].get_or_insert(said.at));
        }
        for node in 0..self.nodes.len() {
            self.judge_node(&law, &named, node, outcome);
        }
        for (number, keeper) in self.keepers.iter().enumerate() {
            for node in keeper.left().into_iter().filter_map(|node| self.by_id.get(&node)) {
                outcome.fail(format!("mailbox {number} still has something for n{node}"));
            }
        }
    }

    pub(super) fn verdict(mut self) -> ChatOutcome {
        let mut outcome = std::mem::take(&mut self.outcome);
        self.judge(&mut outcome, false);
        let others = |said: &Said| {
            let (author, at) = (said.author, said.at);
            let reached = said.reached.iter().filter(move |(person, _)| **person != author);
            reached.map(move |(_, then)| then.since(at)).collect::<Vec<_>>()
        };
        let mut took: Vec<Duration> = self.said.iter().flat_map(others).collect();
        took.sort_unstable();
        let part = |part: usize| took.get(took.len().saturating_sub(1) * part / 100).copied().unwrap_or_default();
        (outcome.median, outcome.slow) = (part(50), part(99));
        outcome
    }

    /// A message is where it has to be, and nowhere else, further in time than its causes, and its author's node knows.
    fn judge_message(&self, law: &Law, index: usize, outcome: &mut ChatOutcome) {
        let said = &self.said[index];
        let dues: Vec<Due> = (0..self.people.len()).map(|person| law.due(said, person)).collect();
        for (number, node) in self.nodes.iter().enumerate() {
            let times = node.store.inserted.get(&(index as u32)).copied().unwrap_or(0);
            let due = law.due_on(said, dues[node.person], number, node.asked_history.is_some());
            outcome.owed += u64::from(due == Due::Owed);
            let wrong = match (times, due) {
                (0, Due::Owed) => "never came".into(),
                (1.., Due::Forbidden) => "is not for them".into(),
                (2.., _) => format!("came {times} times"),
                _ => continue,
            };
            outcome.fail(format!("{} {wrong} to n{number} of person {}", name(index, said), node.person));
        }
        let before = |id| Some(&self.said[*self.index.get(&(said.conversation, id))? as usize].message);
        for cause in &said.message.after {
            if before(*cause).is_none_or(|cause| cause.time >= said.message.time) {
                outcome.fail(format!("{} is not later than its cause {cause:?}", name(index, said)));
            }
        }
        let stages = &self.nodes[said.node].store.stages;
        for (person, due) in dues.into_iter().enumerate().filter(|(person, _)| *person != said.author) {
            let stage = stages.get(&(index as u32, person)).copied().unwrap_or(Stage::Waiting);
            let is_wrong = match due {
                Due::Owed => stage < Stage::Delivered,
                Due::Open => false,
                Due::Forbidden => stage >= Stage::Delivered,
            };
            if is_wrong {
                outcome.fail(format!(
                    "{} is {stage:?} with person {person}, as far as its author knows",
                    name(index, said)
                ));
            }
        }
    }

    /// A node shows no effect before its cause, has nothing left to send, and few facts.
    fn judge_node(&self, law: &Law, named: &[Option<Instant>], number: usize, outcome: &mut ChatOutcome) {
        let node = &self.nodes[number];
        let mut is_shown = vec![false; self.said.len()];
        for (index, at) in &node.store.order {
            is_shown[*index as usize] = true;
            let said = &self.said[*index as usize];
            // Nobody waits longer for a cause, with whichever message that names it the waiting began.
            let is_patient = |cause: &u32| named[*cause as usize].is_none_or(|since| at.since(since) <= PATIENCE);
            let causes = said.message.after.iter().filter_map(|id| self.index.get(&(said.conversation, *id)));
            let causes = causes.copied().filter(is_patient);
            for cause in causes.filter(|cause| !is_shown[*cause as usize]) {
                let before = &self.said[cause as usize];
                // The clock may be set while something waits for the cause; and history comes in no order.
                let since = named[cause as usize].unwrap_or(said.at);
                let was_set = node.set.is_some_and(|set| since < set && set <= *at);
                let is_history = node.asked_history.is_some_and(|asked| before.at < asked + HISTORY);
                if was_set || is_history {
                    continue;
                }
                // Who is no member as far as this node knows is not waited for.
                let due = law.due_on(before, law.due(before, node.person), number, false);
                let is_due = due == Due::Owed && !node.store.strange.contains(&(*index, cause));
                if is_due && node.store.inserted.contains_key(&cause) {
                    let (effect, cause) = (name(*index as usize, said), name(cause as usize, before));
                    outcome.fail(format!("{effect} is shown on n{number} before its cause {cause}"));
                }
            }
        }
        let waiting = node.chat.as_ref().map(|chat| chat.waiting()).unwrap_or_default();
        for (other, count) in waiting.into_iter().filter(|(_, count)| *count > 0) {
            // Whoever is blocked is not told.
            let to = self.by_id.get(&other).filter(|to| !law.blocks(self.nodes[**to].person, node.person));
            if let Some(to) = to {
                outcome.fail(format!("n{number} of person {} has {count} waiting for n{to}", node.person));
            }
        }
        for request in node.store.requests.iter().filter(|request| self.consents.contains(&(node.person, **request))) {
            outcome.fail(format!("n{number} asks for a word on {request} that person {} gave", node.person));
        }
        outcome.facts = outcome.facts.max(node.store.facts.len());
        let bytes = node.store.facts.iter().map(|(key, value)| key.len() + value.len()).sum();
        outcome.fact_bytes = outcome.fact_bytes.max(bytes);
    }
}

/// Names a message for whoever reads what failed.
fn name(index: usize, said: &Said) -> String {
    format!("{index} (by n{} of person {} in {}, {:?})", said.node, said.author, said.conversation, said.at)
}
