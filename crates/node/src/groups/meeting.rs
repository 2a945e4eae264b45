//! Meets members: opens streams to some of their nodes for each group, and wakes replicas when their time has come.
//!
//! One task. It awaits its notification and the clock; each visit is a task of its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use base::{NodeId, PersonId};
use people::proto::group::{Input, Message, Standing};

use super::circle::{Circle, Nodes};
use super::{Groups, Inner, now};

/// How many streams to members a group seeks: each change reaches all by way of some.
const WANTED: usize = 4;

/// How many visits of one group are under way at a time.
const VISITS: usize = 4;

/// How long a node is left alone after it was tried in vain, at first, and at most.
const PATIENCE: Duration = Duration::from_secs(5);
const LONG_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long a stream stands that was opened because somebody had what we lacked, if there are enough others.
const CATCH_UP: Duration = Duration::from_secs(30);

/// How often everything is looked at though nothing happened.
const LOOK: Duration = Duration::from_secs(30);

/// How often it is tried again to store what could not be stored. Arbitrary.
const STORE_AGAIN: Duration = Duration::from_secs(5);

/// Runs until the groups are gone.
pub(super) async fn run(inner: Weak<Inner>) {
    let Some(mut people) = inner.upgrade().map(|inner| inner.people.changes()) else { return };
    loop {
        let Some(groups) = inner.upgrade().map(Groups) else { return };
        let mut wait = LOOK;
        for circle in groups.0.all() {
            if circle.due().await.is_some_and(|due| due <= now().mono) || circle.is_unstored().await {
                let done = groups.drive(&circle, |replica| replica.handle(now(), Input::Timeout)).await;
                if let Err(error) = done {
                    let again = STORE_AGAIN.as_secs();
                    tracing::warn!(
                        %error,
                        "changes of a group are not stored, and told to nobody: is the disk full? Tried again every {again} s"
                    );
                    wait = wait.min(STORE_AGAIN);
                    continue;
                }
            }
            groups.follow(&circle);
            groups.tell_news(&circle).await;
            let next = groups.seek(&circle);
            let due = circle.due().await.map(|due| due.since(now().mono));
            wait = [Some(wait), due, next].into_iter().flatten().min().unwrap_or(wait);
        }
        // Not busier than ten times a second, whatever others make us do.
        let pause = Duration::from_millis(100);
        tokio::time::sleep(pause).await;
        let wake = async {
            // While we sleep, the groups must be able to go.
            let Some(inner) = inner.upgrade() else { return };
            inner.wake.notified().await;
        };
        drop(groups);
        tokio::select! {
            () = wake => {}
            // A node was revoked, or another person blocked: who is met changes.
            changed = people.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep(wait.saturating_sub(pause)) => {}
        }
    }
}

impl Groups {
    /// Visits members' nodes, if few are met; returns when to look again.
    fn seek(&self, circle: &Arc<Circle>) -> Option<Duration> {
        let overlay = self.0.people.overlay()?;
        let own = self.0.people.key().id();
        let connected: BTreeSet<NodeId> = overlay.connections().into_iter().map(|connection| connection.node).collect();
        let siblings: BTreeSet<NodeId> = {
            let book = self.0.people.book();
            book.own().map(|own| own.nodes().map(|(node, _)| *node).collect()).unwrap_or_default()
        };
        let view = circle.view();
        let candidates: Vec<NodeId> = match (&view.roster, view.standing) {
            (Some(_), Standing::Member | Standing::Left) => self.member_nodes(circle),
            // It may be that we heard only half of a dispute.
            (Some(_), Standing::Expelled) if circle.nodes().asks_again() => self.member_nodes(circle),
            (Some(_), Standing::Expelled) => return None,
            // Half of what there is may be here: whoever was named at first has the rest.
            (Some(_), Standing::Outside) | (None, _) => circle.nodes().named.clone(),
        };
        let mut nodes = circle.nodes();
        let under_way = nodes.tried.values().filter(|(_, failures)| *failures == u32::MAX).count();
        let wanted = if view.standing == Standing::Expelled { 1 } else { WANTED };
        let room = wanted.saturating_sub(nodes.met.len()).min(VISITS.saturating_sub(under_way));
        let is_due = |node: &NodeId| match nodes.tried.get(node) {
            None => true,
            Some((_, u32::MAX)) => false,
            // A node of our own that has come is told soon, however long it was away.
            Some((at, _)) if siblings.contains(node) && connected.contains(node) => at.elapsed() >= PATIENCE,
            Some((at, failures)) => at.elapsed() >= patience(*failures),
        };
        let mut free: Vec<NodeId> =
            candidates.into_iter().filter(|node| *node != own && !nodes.met.contains_key(node)).collect();
        let waiting = !free.is_empty();
        free.retain(is_due);
        fastrand::shuffle(&mut free);
        // A node of our own has the key that this one lacks: it is met beside the others.
        let lacks_key = view.standing == Standing::Member && !view.has_key;
        let (ours, others): (Vec<NodeId>, Vec<NodeId>) =
            free.into_iter().partition(|node| lacks_key && siblings.contains(node));
        let room = room.max(ours.len().min(VISITS.saturating_sub(under_way)));
        for node in ours.into_iter().chain(others).take(room) {
            self.begin_visit(circle, &mut nodes, node, None);
        }
        (waiting && room > 0).then_some(PATIENCE)
    }

    fn begin_visit(&self, circle: &Arc<Circle>, nodes: &mut Nodes, node: NodeId, limit: Option<Duration>) {
        let failures = nodes.tried.get(&node).map_or(0, |(_, failures)| *failures);
        // `u32::MAX`: under way.
        nodes.tried.insert(node, (Instant::now(), u32::MAX));
        let (groups, circle) = (self.clone(), circle.clone());
        tokio::spawn(async move {
            let stood = groups.visit(circle.clone(), node, limit).await;
            let failures = if stood { 0 } else { failures.saturating_add(1) };
            circle.nodes().tried.insert(node, (Instant::now(), failures));
            groups.0.wake.notify_one();
        });
    }

    /// Visits a member's node that has what we lack.
    pub(super) fn catch_up(&self, circle: &Arc<Circle>, node: NodeId) {
        let mut nodes = circle.nodes();
        let is_under_way = |(_, failures): &(Instant, u32)| *failures == u32::MAX;
        let busy = nodes.tried.values().filter(|tried| is_under_way(tried)).count() >= VISITS;
        // Whoever is met tells by itself; and whoever is busy hears it from another, or at the next announcement.
        if !nodes.met.contains_key(&node) && !nodes.tried.get(&node).is_some_and(is_under_way) && !busy {
            let limit = (nodes.met.len() >= WANTED).then_some(CATCH_UP);
            self.begin_visit(circle, &mut nodes, node, limit);
        }
    }

    /// Returns the nodes of the members of a group, as far as they are known, without this one.
    pub(super) fn member_nodes(&self, circle: &Circle) -> Vec<NodeId> {
        let Some(roster) = circle.view().roster else { return Vec::new() };
        let own = self.0.people.key().id();
        let book = self.0.people.book();
        let of_person = |person: &PersonId| -> Vec<NodeId> {
            book.person(person).map(|known| known.nodes().map(|(node, _)| *node).collect()).unwrap_or_default()
        };
        roster.members.keys().flat_map(of_person).filter(|node| *node != own && book.admits(node)).collect()
    }

    /// Tells the members that are met what is new of members' nodes: another node, a revocation, where this one is.
    async fn tell_news(&self, circle: &Circle) {
        let Some(roster) = circle.view().roster else { return };
        let known: Vec<(PersonId, u64, usize)> = {
            let book = self.0.people.book();
            let of_person = |person: &PersonId| {
                let known = book.person(person)?;
                let placed = known.nodes().filter(|(node, _)| !book.hints(node).is_empty()).count();
                Some((*person, known.newest().rank().0, placed))
            };
            roster.members.keys().filter_map(of_person).collect()
        };
        let hints = self.0.people.own_hints();
        let own = self.person();
        let own_is_new = |told: &[(PersonId, u64, usize)]| {
            let of_own = |list: &[(PersonId, u64, usize)]| list.iter().find(|(person, ..)| *person == own).copied();
            of_own(told) != of_own(&known)
        };
        let (news, own_news) = {
            let mut nodes = circle.nodes();
            let own_news = nodes.told_hints != hints || own_is_new(&nodes.told_people);
            let news = own_news || nodes.told_people != known;
            nodes.told_people.clone_from(&known);
            nodes.told_hints = hints;
            (news, own_news)
        };
        if news {
            circle.tell(None, &self.fellows(circle)).await;
        }
        if own_news && let Some(own) = self.own_fellow() {
            // All members hear at once of a node that was added or revoked.
            self.say(circle, Message::People(vec![own]));
        }
    }
}

fn patience(failures: u32) -> Duration {
    PATIENCE.saturating_mul(1 << failures.min(10)).min(LONG_PATIENCE)
}
