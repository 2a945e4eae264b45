//! The course of a conversation on this node: what was shown, what comes next, what waits for what.
//!
//! Messages form a graph: each names its causes, the newest that its author's node had shown. One is shown when all its
//! causes are *settled*: shown, or *void*, which means that nobody waits for them any more. Void is no verdict: what
//! arrives after all is shown too, only late.
//!
//! Invariant: a number is shown at most once; nothing that waits has only settled causes, unless it is doubted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Instant, NodeId, Now, WallTime};

use super::id::{Audience, MessageId, Pen};
use super::ids::{Ids, Ranges};
use super::message::{Body, MAX_AFTER, Message};

mod facts;
mod sets;
mod whom;

pub use facts::{FactOf, read_fact};

/// How far ahead of everything shown here the time of a message may be: 136 years. Arbitrary: more than any clock is wrong,
/// and little enough that it takes billions of messages to bring the time to its end.
pub const MAX_LEAP: u64 = 1 << 32;

/// The latest time of the first message shown here. Arbitrary: later than any clock, and early enough to leave room.
pub const MAX_FIRST_TIME: u64 = 1 << 40;

/// How many messages wait for their causes at most, in one conversation. Arbitrary: more than a room says in a day, for
/// which one waits; beyond it nodes that bring more have to wait with all they have, also with causes.
pub const MAX_HELD: usize = 4000;

/// How long something waits for a cause at most, so that a lost node does not silence a room.
pub const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// How long it waits at least after a start, whatever the wall clock says: what is missing may come now. Arbitrary.
const PATIENCE_ANEW: Duration = Duration::from_secs(3600);

/// How many newest messages are remembered. Arbitrary: those of an honest pen follow one another, so that there is one of
/// each that spoke lately.
const MAX_FRONTIER: usize = 4 * MAX_AFTER;

/// What a missing cause takes in memory, about.
const MISSING_COST: usize = 128;

/// How it is with somebody who may not write here unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// They never wrote.
    #[default]
    Unheard,
    /// They wrote so many messages, which are a request.
    Asking(u32),
    /// The user let them, or wrote to them.
    Accepted,
    /// The user does not want to hear them.
    Refused,
}

/// What came of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// These are shown now, in this order: it, and what waited for it.
    Shown(Vec<Message>),
    /// It waits.
    Held,
    /// It is here already.
    Again,
    /// As many wait as may.
    Full,
    /// Its time is too far ahead.
    Refused,
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The message.
    pub message: Message,
    /// Which node brought it.
    pub from: NodeId,
    /// Since when it waits, to be stored.
    pub since: WallTime,
    /// When it waited for [`PATIENCE`], by the clock that nobody sets.
    pub until: Instant,
    /// Whether its author is no member as far as this node knows: others may know more already.
    pub doubted: bool,
    /// For whom it is, in a room.
    pub audience: Audience,
}

impl Held {
    /// One that begins to wait now.
    pub fn new(now: Now, message: Message, from: NodeId, doubted: bool) -> Held {
        let audience = Audience::new();
        Held { message, from, since: now.wall, until: now.mono + PATIENCE, doubted, audience }
    }

    /// Returns for how long it waits.
    pub fn waited(&self, now: Instant) -> Duration {
        PATIENCE.saturating_sub(self.until - now)
    }
}

/// What this node knows of the messages of one pen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Hand {
    shown: Ranges,
    void: Ranges,
    read: Ranges,
}

/// A cause that is not here.
#[derive(Debug)]
struct Missing {
    children: BTreeSet<MessageId>,
    rounds: u32,
    due: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Course {
    hands: BTreeMap<Pen, Hand>,
    /// The newest, with their times: nothing of it is an ancestor of another.
    frontier: BTreeMap<MessageId, u64>,
    time: u64,
    timer: Option<(u64, MessageId, Option<u32>)>,
    standing: Standing,
    /// For whom the messages of a pen that were shown here are: from each of these numbers to the next.
    audiences: BTreeMap<Pen, BTreeMap<u32, Audience>>,
    /// The last of each pen that was shown here when another node of ours became known.
    before: BTreeMap<NodeId, BTreeMap<Pen, u32>>,
    held: BTreeMap<MessageId, Held>,
    held_cost: usize,
    missing: BTreeMap<MessageId, Missing>,
    due: BTreeSet<(Instant, MessageId)>,
    changed: BTreeSet<FactOf>,
    /// What another node of ours did not wait for itself, and what precedes it either.
    passed: BTreeSet<MessageId>,
    /// What was given up since whoever wrote it seemed to be no member.
    strange: BTreeMap<Pen, Ranges>,
    /// What the partner wrote beyond what a request may have.
    beyond: Ids,
}

impl Course {
    /// Returns for how long messages are kept now.
    pub fn timer(&self) -> Option<u32> {
        self.timer.and_then(|(_, _, expires_s)| expires_s)
    }

    /// Returns how it is with the partner.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Changes how it is with the partner.
    pub fn set_standing(&mut self, standing: Standing) {
        if self.standing != standing {
            self.standing = standing;
            self.changed.insert(FactOf::Head);
        }
    }

    /// Whether it was shown here.
    pub fn is_shown(&self, id: MessageId) -> bool {
        self.hands.get(&id.pen).is_some_and(|hand| hand.shown.contains(id.number))
    }

    /// Whether nobody waits for it: it was shown, or is void.
    pub fn is_settled(&self, id: MessageId) -> bool {
        let settled = |hand: &Hand| hand.shown.contains(id.number) || hand.void.contains(id.number);
        self.hands.get(&id.pen).is_some_and(settled)
    }

    /// Whether nothing was ever shown here, nor waits.
    pub fn is_blank(&self) -> bool {
        self.time == 0 && self.held.is_empty() && self.beyond.is_empty() && self.standing == Standing::Unheard
    }

    /// Whether anything was shown here yet.
    pub fn has_begun(&self) -> bool {
        self.time > 0
    }

    /// Returns what a new message says of itself: its number, its time, its causes.
    pub fn next(&self, pen: Pen, wall: WallTime) -> (u32, u64, Vec<MessageId>) {
        let number = self.hands.get(&pen).map_or(0, |hand| hand.shown.last()) + 1;
        let mut newest: Vec<_> = self.frontier.iter().map(|(id, time)| (*time, *id)).collect();
        newest.sort_unstable_by(|one, other| other.cmp(one));
        let mut after: Vec<_> = newest.into_iter().take(MAX_AFTER).map(|(_, id)| id).collect();
        after.sort_unstable();
        (number, wall.0.min(self.latest()).max(self.time + 1), after)
    }

    /// Returns the latest time that the next message shown here may have.
    fn latest(&self) -> u64 {
        if self.time == 0 { MAX_FIRST_TIME } else { self.time.saturating_add(MAX_LEAP) }
    }

    /// Takes a message. `room`: how much more may wait in all conversations; missing causes are asked for at `ask_at`.
    pub fn take(&mut self, held: Held, room: usize, ask_at: Instant) -> Taken {
        let id = held.message.id;
        if self.is_shown(id) {
            return Taken::Again;
        }
        if let Some(here) = self.held.get(&id) {
            // Whoever brings it now may vouch for it.
            let relieved = here.doubted && !held.doubted;
            return if relieved { Taken::Shown(self.trust(id, ask_at)) } else { Taken::Again };
        }
        if held.message.time == 0 || held.message.time > self.latest() {
            return Taken::Refused;
        }
        let lacks: Vec<_> = held.message.after.iter().copied().filter(|id| !self.is_settled(*id)).collect();
        if lacks.is_empty() && !held.doubted {
            return Taken::Shown(self.show(held));
        }
        let cost = cost(&held.message);
        if self.held.len() >= MAX_HELD || cost > room {
            return Taken::Full;
        }
        self.hold(held, ask_at);
        self.changed.insert(FactOf::Held(id));
        Taken::Held
    }

    fn hold(&mut self, held: Held, ask_at: Instant) {
        let id = held.message.id;
        for cause in held.message.after.iter().copied().filter(|id| !self.is_settled(*id)).collect::<Vec<_>>() {
            let missing = self.missing.entry(cause).or_insert_with(|| {
                self.due.insert((ask_at, cause));
                Missing { children: BTreeSet::new(), rounds: 0, due: ask_at }
            });
            missing.children.insert(id);
        }
        self.held_cost += cost(&held.message);
        self.held.insert(id, held);
    }

    /// Returns how much memory what waits takes, about.
    pub fn held_cost(&self) -> usize {
        self.held_cost
    }

    /// Returns what waits.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    /// Shows one whose causes are settled, and what waited for it alone.
    fn show(&mut self, held: Held) -> Vec<Message> {
        let mut shown = Vec::new();
        let mut ready = BTreeMap::from([((held.message.time, held.message.id), held)]);
        while let Some((_, Held { message, audience, .. })) = ready.pop_first() {
            let id = message.id;
            self.note_audience(id, audience);
            let hand = self.hands.entry(id.pen).or_default();
            hand.shown.insert(id.number);
            let late = hand.void.contains(id.number);
            hand.void.remove(id.number);
            self.time = self.time.max(message.time);
            message.after.iter().for_each(|cause| _ = self.frontier.remove(cause));
            // What is late was named as a cause by others, or by nobody and long ago.
            if !late {
                self.frontier.insert(id, message.time);
                self.bound_frontier();
            }
            if let Body::Timer { expires_s } = message.body {
                self.timer = self.timer.max(Some((message.time, id, expires_s)));
            }
            self.changed.extend([FactOf::Head, FactOf::Hand(id.pen)]);
            self.settled(id, &mut ready);
            shown.push(message);
        }
        shown
    }

    fn bound_frontier(&mut self) {
        if self.frontier.len() > MAX_FRONTIER {
            let oldest = self.frontier.iter().map(|(id, time)| (*time, *id)).min();
            oldest.iter().for_each(|(_, id)| _ = self.frontier.remove(id));
        }
    }

    /// Nobody waits for this one any more: adds to `ready` what waited for it alone.
    fn settled(&mut self, cause: MessageId, ready: &mut BTreeMap<(u64, MessageId), Held>) {
        let Some(missing) = self.missing.remove(&cause) else { return };
        self.due.remove(&(missing.due, cause));
        for child in missing.children {
            self.release(child, ready);
        }
    }

    /// Takes one that waits to `ready` if it has nothing to wait for any more.
    fn release(&mut self, id: MessageId, ready: &mut BTreeMap<(u64, MessageId), Held>) {
        let waits = |held: &Held| held.doubted || held.message.after.iter().any(|id| !self.is_settled(*id));
        if self.held.get(&id).is_none_or(waits) {
            return;
        }
        let Some(held) = self.let_go(id) else { return };
        ready.insert((held.message.time, id), held);
    }

    fn let_go(&mut self, id: MessageId) -> Option<Held> {
        let held = self.held.remove(&id)?;
        self.held_cost -= cost(&held.message);
        self.changed.insert(FactOf::Held(id));
        Some(held)
    }

    fn show_all(&mut self, mut ready: BTreeMap<(u64, MessageId), Held>) -> Vec<Message> {
        let mut shown = Vec::new();
        while let Some((_, held)) = ready.pop_first() {
            shown.extend(self.show(held));
        }
        shown
    }

    /// The author of one that waits is a member, as is known now. What was given up of its causes, since nobody seemed to
    /// have written it, is asked for at `ask_at`. Returns what is shown by that.
    pub fn trust(&mut self, id: MessageId, ask_at: Instant) -> Vec<Message> {
        let Some(held) = self.let_go(id) else { return Vec::new() };
        for cause in &held.message.after {
            if let Some(hand) = self.hands.get_mut(&cause.pen).filter(|hand| hand.void.contains(cause.number)) {
                hand.void.remove(cause.number);
                self.changed.insert(FactOf::Hand(cause.pen));
            }
        }
        self.hold(Held { doubted: false, ..held }, ask_at);
        self.hold_all(ask_at);
        let mut ready = BTreeMap::new();
        self.release(id, &mut ready);
        self.show_all(ready)
    }

    /// Drops one that waits: nobody will vouch for its author. Returns what is shown by that.
    pub fn drop_held(&mut self, id: MessageId) -> Vec<Message> {
        let Some(held) = self.let_go(id) else { return Vec::new() };
        for cause in held.message.after {
            let Some(missing) = self.missing.get_mut(&cause) else { continue };
            missing.children.remove(&id);
            if missing.children.is_empty() {
                let due = missing.due;
                self.missing.remove(&cause);
                self.due.remove(&(due, cause));
            }
        }
        self.void(id)
    }

    /// Nobody waits for this one any more. Returns what is shown by that.
    pub fn void(&mut self, id: MessageId) -> Vec<Message> {
        // What is here is not void, even while it waits itself; unless it is only doubted.
        if self.is_settled(id) || self.held.get(&id).is_some_and(|held| !held.doubted) {
            return Vec::new();
        }
        self.hands.entry(id.pen).or_default().void.insert(id.number);
        self.changed.insert(FactOf::Hand(id.pen));
        let mut ready = BTreeMap::new();
        self.settled(id, &mut ready);
        self.show_all(ready)
    }

    /// Whether one waits here for its own causes.
    pub fn is_held(&self, id: MessageId) -> bool {
        self.held.contains_key(&id)
    }

    /// Returns one that waits.
    pub fn held_one(&self, id: MessageId) -> Option<&Held> {
        self.held.get(&id)
    }
}

/// What a message that waits takes in memory, about.
fn cost(message: &Message) -> usize {
    let body = match &message.body {
        Body::Text { text, .. } | Body::Edit { text, .. } => text.len(),
        Body::Attachment { name, notice, caption, .. } => name.len() + notice.len() + caption.len(),
        Body::Reaction { reaction, .. } => reaction.len(),
        Body::Deletion { .. } | Body::Timer { .. } | Body::Opening => 0,
    };
    size_of::<Held>() + body + message.after.len() * (size_of::<MessageId>() + MISSING_COST)
}

#[cfg(test)]
mod tests;
