//! Sessions, and those of them whose person is no member, as far as is known.
//!
//! Whoever came in while we were away is such an *outsider*, and so is whoever only knows what the group is called. None
//! of them hears anything of the group. Outsiders who say what they have are told that we have nothing: a member's copy
//! then sends all, in order, and that shows that its person belongs to the group. There are few such sessions, beside those
//! of members, and they end after a while.

use std::time::Duration;

use base::{Instant, Now, PersonId};

use super::{MAX_SESSIONS, Replica};
use crate::proto::group::io::{Output, SessionId};
use crate::proto::group::message::Message;
use crate::proto::group::session::Session;

/// How many sessions of outsiders a replica has at once. Arbitrary: who proves nothing is gone soon.
pub const MAX_OUTSIDERS: usize = 4;

/// How long an outsider has to show that they belong to the group. Arbitrary: a whole log is some megabytes.
pub const PROOF_PATIENCE: Duration = Duration::from_secs(30);

impl Replica {
    /// Whether a person belongs to the group, or did.
    pub fn knows(&self, person: &PersonId) -> bool {
        self.has(person) || self.is_expelled(person) || !self.partings(person).is_empty()
    }

    pub(super) fn is_expelled(&self, person: &PersonId) -> bool {
        self.roster.as_ref().is_some_and(|roster| roster.expelled.contains(person))
    }

    pub(super) fn connected(&mut self, now: Now, session: SessionId, person: PersonId) {
        // Until the first change is here nobody is known: the driver takes those whom a link or a fellow named.
        let outside = self.roster.is_some() && !self.has(&person);
        // Each has places of its own: how many members are here makes no difference to an outsider.
        let others = self.sessions.values().filter(|session| session.outside_until.is_some()).count();
        let full = if outside { others >= MAX_OUTSIDERS } else { self.sessions.len() - others >= MAX_SESSIONS };
        if full {
            self.outputs.push_back(Output::Disconnect { session, blame: false });
            return;
        }
        let outside_until = outside.then(|| now.mono + PROOF_PATIENCE);
        self.sessions.insert(session, Session::new(person, outside_until));
        if !outside {
            self.say_have(session);
        }
    }

    pub(super) fn say_have(&mut self, session: SessionId) {
        self.outputs.push_back(Output::Send { session, message: Session::have(&self.log) });
    }

    /// Tells an outsider, who was no member either, that we have nothing.
    pub(super) fn ask_for_proof(&mut self, session: SessionId) {
        let of = self.sessions.get(&session).filter(|of| of.outside_until.is_some());
        if of.is_some_and(|of| !self.knows(&of.person)) {
            self.outputs.push_back(Output::Send { session, message: Message::Have(Vec::new()) });
        }
    }

    /// Speaks with those outsiders who have turned out to be members.
    pub(super) fn take_in_outsiders(&mut self) {
        let Some(roster) = &self.roster else { return };
        let mut proven = Vec::new();
        for (id, session) in &mut self.sessions {
            if session.outside_until.is_some() && roster.has(&session.person) {
                session.outside_until = None;
                proven.push(*id);
            }
        }
        proven.into_iter().for_each(|session| self.say_have(session));
    }

    /// When the first outsider's time is over.
    pub(super) fn outsiders_due(&self) -> Option<Instant> {
        self.sessions.values().filter_map(|session| session.outside_until).min()
    }

    /// Ends the sessions of outsiders who have proven nothing in time.
    pub(super) fn end_outsiders(&mut self, now: Now) {
        let over = |session: &Session| session.outside_until.is_some_and(|until| until <= now.mono);
        let ended: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| over(session)).map(|(session, _)| *session).collect();
        for session in ended {
            self.sessions.remove(&session);
            self.outputs.push_back(Output::Disconnect { session, blame: false });
        }
    }
}
