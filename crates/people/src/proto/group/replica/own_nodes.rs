//! What the nodes of one person give one another: the secrets of the epochs.
//!
//! Each is sealed to the person's key, which only some of the nodes hold. Those that can open one give it to the others on
//! the streams between them, and whoever has got it passes it on. A secret is taken from a node of the same person alone, and
//! only if it is the one that its author told everybody of. The key that opens what is yet to come is never given: a node
//! that is revoked reads nothing that is sealed after the next epoch began ([`Command::NewEpoch`]).
//!
//! [`Command::NewEpoch`]: super::super::io::Command::NewEpoch

use super::Replica;
use crate::proto::group::change::{Action, ChangeId};
use crate::proto::group::identity::Identity;
use crate::proto::group::io::{Command, Event, Output, Refusal, SessionId};
use crate::proto::group::keys::EpochSecret;
use crate::proto::group::message::{MAX_SECRETS, Message};
use crate::proto::nodes::PersonKey;
use base::Now;

impl Replica {
    /// Takes back what was kept of secrets that another node of the person gave.
    pub fn recall(&mut self, secrets: impl IntoIterator<Item = (ChangeId, EpochSecret)>) {
        self.keep(secrets);
    }

    /// Does something with the person's key at hand for this once.
    pub fn command_with(&mut self, key: PersonKey, now: Now, command: Command) -> Result<ChangeId, Refusal> {
        let was_locked = self.me.is_locked();
        self.unlock(key, now);
        let done = self.command(now, command);
        if was_locked {
            self.me = Identity::locked(self.me.person());
            self.plan(now);
        }
        done
    }

    /// Gives a node of our own what it has not got of the secrets, once it has said what it has.
    pub(super) fn give_secrets(&mut self, id: SessionId) {
        let me = self.me.person();
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.person == me && session.is_told())
        else {
            return;
        };
        let lacks: Vec<_> = self.secrets.iter().filter(|(epoch, _)| session.given.insert(**epoch)).collect();
        for some in lacks.chunks(MAX_SECRETS) {
            let some = some.iter().map(|(epoch, secret)| (**epoch, (*secret).clone())).collect();
            self.outputs.push_back(Output::Send { session: id, message: Message::Secrets(some) });
        }
    }

    /// Gives all nodes of our own that are connected what they have not got.
    pub(super) fn give_all_secrets(&mut self) {
        let live: Vec<SessionId> = self.sessions.keys().copied().collect();
        live.into_iter().for_each(|session| self.give_secrets(session));
    }

    /// Takes secrets from a node of our own. From anybody else, that is what no sane program sends.
    pub(super) fn take_secrets(&mut self, id: SessionId, secrets: Vec<(ChangeId, EpochSecret)>) {
        let me = self.me.person();
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.person != me {
            session.bad += 1;
            return;
        }
        session.given.extend(secrets.iter().map(|(epoch, _)| *epoch));
        let kept = self.keep(secrets);
        if kept.is_empty() {
            return;
        }
        self.outputs.push_back(Output::Keep(kept));
        self.outputs.push_back(Output::Event(Event::Changed));
        if let Some((epoch, _)) = self.epoch() {
            self.outputs.push_back(Output::Event(Event::Epoch(epoch)));
        }
        self.give_all_secrets();
    }

    /// Keeps those that are new and the ones that their authors told of; returns them. What comes before its change comes
    /// again with the next stream.
    fn keep(&mut self, secrets: impl IntoIterator<Item = (ChangeId, EpochSecret)>) -> Vec<(ChangeId, EpochSecret)> {
        let mut kept = Vec::new();
        for (epoch, secret) in secrets {
            let told = self.log.place(&epoch).map(|place| &self.log.at(place).change.action);
            let is_it = matches!(told, Some(Action::Epoch { commitment, .. }) if *commitment == secret.commitment());
            if is_it && !self.secrets.contains_key(&epoch) {
                self.secrets.insert(epoch, secret.clone());
                kept.push((epoch, secret));
            }
        }
        kept
    }
}
