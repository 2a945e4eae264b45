//! How members part: whoever leaves stays until somebody heard of it, and whoever is expelled is told.
//!
//! The last words to somebody who is no member any more are the changes that end the membership, with what their authors
//! knew, and nothing that was written apart from it or after it. Then both ends know, and the stream can go.

use base::PersonId;

use super::Replica;
use crate::proto::group::change::{Action, ChangeId};
use crate::proto::group::io::{Event, Output, SessionId, Standing};
use crate::proto::group::message::Message;
use crate::proto::group::roster::Roster;

impl Replica {
    /// Returns how we stand to the group.
    pub fn standing(&self) -> Standing {
        let me = self.me.person();
        match &self.roster {
            Some(roster) if roster.has(&me) => Standing::Member,
            Some(roster) if roster.expelled.contains(&me) => Standing::Expelled,
            Some(_) if !self.partings(&me).is_empty() => Standing::Left,
            _ => Standing::Outside,
        }
    }

    /// Returns the changes by which somebody who was a member is none: expulsions, or their own leaving.
    pub(super) fn partings(&self, person: &PersonId) -> Vec<ChangeId> {
        let Some(roster) = self.roster.as_ref().filter(|roster| !roster.has(person)) else { return Vec::new() };
        let ends = |action: &Action| matches!(action, Action::Remove { person: gone } if gone == person);
        let counted = self.log.iter().filter(|entry| ends(&entry.change.action) && roster.counted.contains(&entry.id));
        // The latest are enough: each names what was before.
        let mut ids: Vec<ChangeId> = counted.map(|entry| entry.id).collect();
        ids.drain(..ids.len().saturating_sub(MAX_PARTINGS));
        ids
    }

    /// Says the last words to somebody who is no member any more.
    pub(super) fn part(&mut self, id: SessionId) {
        let Some(person) = self.sessions.get(&id).map(|session| session.person) else { return };
        let partings = self.partings(&person);
        if partings.is_empty() {
            return;
        }
        let known = self.log.closure(&partings);
        if let Some(session) = self.sessions.get_mut(&id) {
            let changes = session.missing_of(&self.log, |place| known.has(place));
            let messages = changes.into_iter().chain([Message::Have(partings)]);
            self.outputs.extend(messages.map(|message| Output::Send { session: id, message }));
        }
    }

    /// Ends a session, if its person was expelled. Whoever left may have come back without our knowing.
    pub(super) fn end_if_expelled(&mut self, id: SessionId) {
        let expelled = |person: &PersonId| self.roster.as_ref().is_some_and(|roster| roster.expelled.contains(person));
        // As in `end_sessions`, only a member knows.
        if self.is_member() && self.sessions.get(&id).is_some_and(|session| expelled(&session.person)) {
            self.sessions.remove(&id);
            self.outputs.push_back(Output::Disconnect { session: id, blame: false });
        }
    }

    /// Looks whether a member who says to have these knows that we left.
    pub(super) fn is_released(&mut self, person: &PersonId, ids: &[ChangeId]) {
        if !self.has(person) || self.standing() != Standing::Left {
            return;
        }
        let partings = self.partings(&self.me.person());
        let theirs = self.log.closure(ids);
        if partings.iter().any(|id| self.log.place(id).is_some_and(|place| theirs.has(place))) {
            self.release();
        }
    }

    fn release(&mut self) {
        self.outputs.push_back(Output::Event(Event::Released));
        for session in std::mem::take(&mut self.sessions).into_keys() {
            self.outputs.push_back(Output::Disconnect { session, blame: false });
        }
    }

    /// Ends the sessions of those who are no members any more. Only a member does: what anybody else has heard so far may be
    /// half of the story, in which they, or who tells it, are not back in yet. Whoever knows better ends the session.
    pub(super) fn end_sessions(&mut self, out: bool, before: Option<&Roster>) {
        if out && self.standing() == Standing::Left {
            // Whoever leaves says so, and waits until somebody answers.
            if self.roster.as_ref().is_none_or(|roster| roster.members.is_empty()) {
                self.release();
            }
            for id in self.sessions.keys().copied().collect::<Vec<_>>() {
                self.send_all(id);
            }
            return;
        }
        let Some(roster) = self.roster.as_ref().filter(|roster| roster.has(&self.me.person())) else { return };
        let was_in = |person: &PersonId| before.is_some_and(|before| before.has(person));
        let is_out = |person: &PersonId| roster.expelled.contains(person) || was_in(person) && !roster.has(person);
        let gone: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| is_out(&session.person)).map(|(session, _)| *session).collect();
        for session in gone {
            self.part(session);
            self.sessions.remove(&session);
            self.outputs.push_back(Output::Disconnect { session, blame: false });
        }
    }

    fn send_all(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            let messages = session.missing(&self.log);
            self.outputs.extend(messages.into_iter().map(|message| Output::Send { session: id, message }));
        }
    }
}

/// How many expulsions of one person are told at most. Arbitrary: of several at once, any is reason enough.
const MAX_PARTINGS: usize = 8;
