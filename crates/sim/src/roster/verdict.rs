//! Whether what is promised of groups holds in the end.

use std::collections::{BTreeMap, BTreeSet};

use base::PersonId;
use people::proto::group::{Action, ChangeId, Log, Roster};

use super::RosterOutcome;
use super::network::{Node, RosterSim};

impl RosterSim {
    pub(super) fn verdict(self) -> RosterOutcome {
        let mut outcome = RosterOutcome {
            back_dated: self.back_dated.len(),
            sent: self.sent,
            back: self.back,
            trace: self.trace_hash(),
            ..RosterOutcome::default()
        };
        // Whoever was expelled was not told, and may take themselves for a member: what most say is the group.
        let roster_of = |n: usize| {
            let node = &self.nodes[n];
            node.replica.roster().filter(|roster| roster.has(&node.person))
        };
        let says_so = |n: usize| (0..self.nodes.len()).filter(|other| roster_of(*other) == roster_of(n)).count();
        let first = (0..self.nodes.len()).filter(|n| roster_of(*n).is_some()).max_by_key(|n| says_so(*n));
        let Some((first, roster)) = first.and_then(|n| Some((n, roster_of(n)?))) else {
            outcome.failures.push("nobody is left".into());
            return outcome;
        };
        let log = self.nodes[first].replica.log();
        let ids =
            |n: usize| -> BTreeSet<ChangeId> { self.nodes[n].replica.log().iter().map(|entry| entry.id).collect() };
        let all = ids(first);
        outcome.members = roster.members.len();
        outcome.expelled = roster.expelled.len();
        outcome.changes = log.len();
        outcome.void = log.len() - roster.counted.len();
        let mut fail = |what: String| outcome.failures.push(what);
        for (invitation, who) in used(log, roster) {
            let Some(Action::Invite { uses, .. }) = log.place(&invitation).map(|at| &log.at(at).change.action) else {
                fail(format!("{invitation:?} is no invitation and lets somebody in"));
                continue;
            };
            if *uses != 0 && who.len() > usize::from(*uses) {
                fail(format!("{} came in by {invitation:?}, which lets in {uses}", who.len()));
            }
        }

        for (n, node) in self.nodes.iter().enumerate() {
            let opens = |epoch: ChangeId| node.replica.secrets().any(|(id, _)| *id == epoch);
            if roster.has(&node.person) {
                if node.replica.roster() != Some(roster) {
                    fail(format!("n{n} has another roster than n{first}"));
                }
                if ids(n) != all {
                    fail(format!("n{n} has other changes than n{first}: something was lost"));
                }
                if !roster.epoch.is_some_and(opens) {
                    fail(format!("n{n} belongs to the group and cannot read it"));
                }
                if node.replica.name() != self.nodes[first].replica.name() {
                    fail(format!("n{n} calls the group otherwise"));
                }
            } else {
                if roster.epoch.is_some_and(opens) {
                    fail(format!("n{n} does not belong to the group and can read what follows"));
                }
                if n < self.scenario.members && !self.touched.contains(&node.person) {
                    fail(format!("n{n} is out though nobody expelled them"));
                }
            }
        }
        let came = |person: &PersonId| {
            log.iter()
                .any(|entry| matches!(&entry.change.action, Action::Admit { request } if request.person == *person))
        };
        let is_late = |node: &&Node| {
            let person = &node.person;
            !roster.has(person) && !roster.expelled.contains(person) && !self.touched.contains(person) && came(person)
        };
        let late = self.nodes.iter().filter(is_late).count();
        for (id, traitor) in &self.back_dated {
            // One whose expulsion did not hold, because another admin expelled the expeller, was in the right.
            if !roster.has(traitor) && roster.counted.contains(id) {
                fail(format!("{id:?}, which an expelled member wrote back-dated, counts"));
            }
        }
        outcome.late = late;
        outcome
    }
}

/// Returns who is let in by which invitation, of what counts.
fn used(log: &Log, roster: &Roster) -> BTreeMap<ChangeId, BTreeSet<PersonId>> {
    let mut used: BTreeMap<ChangeId, BTreeSet<PersonId>> = BTreeMap::new();
    for entry in log.iter().filter(|entry| roster.counted.contains(&entry.id)) {
        if let Action::Admit { request } = &entry.change.action
            && let Some(invitation) = request.invitation
        {
            used.entry(invitation).or_default().insert(request.person);
        }
    }
    used
}
