//! Meets members: opens streams to some of their nodes for each group, and wakes replicas when their time has come.
//!
//! One task. It awaits its notification and the clock; each visit is a task of its own.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use base::{NodeId, PersonId};
use people::proto::group::Input;

use super::circle::Circle;
use super::{Groups, Inner, now};

/// How many streams to members a group seeks: each change reaches all by way of some.
const WANTED: usize = 4;

/// How many visits of one group are under way at a time.
const VISITS: usize = 4;

/// How long a node is left alone after it was tried in vain, at first, and at most.
const PATIENCE: Duration = Duration::from_secs(5);
const LONG_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How often everything is looked at though nothing happened.
const LOOK: Duration = Duration::from_secs(30);

/// Runs until the groups are gone.
pub(super) async fn run(inner: Weak<Inner>) {
    loop {
        let Some(groups) = inner.upgrade().map(Groups) else { return };
        let mut wait = LOOK;
        for circle in groups.0.all() {
            if circle.due().await.is_some_and(|due| due <= now().mono) {
                let done = groups.drive(&circle, |replica| replica.handle(now(), Input::Timeout)).await;
                if let Err(error) = done {
                    tracing::warn!(%error, "a change of a group is not stored");
                }
            }
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
            () = tokio::time::sleep(wait.saturating_sub(pause)) => {}
        }
    }
}

impl Groups {
    /// Visits members' nodes, if few are met; returns when to look again.
    fn seek(&self, circle: &Arc<Circle>) -> Option<Duration> {
        let own = self.0.people.key().id();
        let view = circle.view();
        let candidates: Vec<NodeId> = {
            let book = self.0.people.book();
            let of_person = |person: &PersonId| -> Vec<NodeId> {
                book.person(person).map(|known| known.nodes().map(|(node, _)| *node).collect()).unwrap_or_default()
            };
            match &view.roster {
                Some(roster) if roster.has(&self.person()) => roster.members.keys().flat_map(of_person).collect(),
                Some(_) => Vec::new(),
                None => circle.nodes().named.clone(),
            }
        };
        let mut nodes = circle.nodes();
        let under_way = nodes.tried.values().filter(|(_, failures)| *failures == u32::MAX).count();
        let room = WANTED.saturating_sub(nodes.met.len()).min(VISITS.saturating_sub(under_way));
        let is_due = |node: &NodeId| match nodes.tried.get(node) {
            None => true,
            Some((_, u32::MAX)) => false,
            Some((at, failures)) => at.elapsed() >= patience(*failures),
        };
        let mut free: Vec<NodeId> =
            candidates.into_iter().filter(|node| *node != own && !nodes.met.contains_key(node)).collect();
        let waiting = !free.is_empty();
        free.retain(is_due);
        fastrand::shuffle(&mut free);
        for node in free.into_iter().take(room) {
            let failures = nodes.tried.get(&node).map_or(0, |(_, failures)| *failures);
            // `u32::MAX`: under way.
            nodes.tried.insert(node, (Instant::now(), u32::MAX));
            let (groups, circle) = (self.clone(), circle.clone());
            tokio::spawn(async move {
                let stood = groups.visit(circle.clone(), node).await;
                let failures = if stood { 0 } else { failures.saturating_add(1) };
                circle.nodes().tried.insert(node, (Instant::now(), failures));
                groups.0.wake.notify_one();
            });
        }
        (waiting && room > 0).then_some(PATIENCE)
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
        let news = {
            let nodes = circle.nodes();
            nodes.told_people != known || nodes.told_hints != hints
        };
        if news {
            {
                let mut nodes = circle.nodes();
                (nodes.told_people, nodes.told_hints) = (known, hints);
            }
            circle.tell(None, &self.fellows(circle)).await;
        }
    }
}

fn patience(failures: u32) -> Duration {
    PATIENCE.saturating_mul(1 << failures.min(10)).min(LONG_PATIENCE)
}
