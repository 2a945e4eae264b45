//! Who writes something just now. It is told on streams that stand, and kept nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Instant, Now, PersonId};

use super::super::cipher::Cipher;
use super::super::id::Conversation;
use super::super::io::Event;
use super::super::parcel::Tell;
use super::Chat;
use super::agenda::Due;

/// How often it is told again while the user writes. Arbitrary.
const TELL_AGAIN: Duration = Duration::from_secs(4);

/// How long it counts without being told again: two that were lost, and a moment.
const LASTS: Duration = Duration::from_secs(10);

/// How many people are remembered to write something just now. Arbitrary.
const MAX_HEARD: usize = 256;

/// Who writes something. See the module.
#[derive(Debug, Default)]
pub(super) struct Typing {
    /// Where the user does, and when it was told.
    told: BTreeMap<Conversation, Instant>,
    /// Where others do.
    heard: BTreeSet<(Conversation, PersonId)>,
}

impl<C: Cipher> Chat<C> {
    /// The user writes something there, or stopped.
    pub(super) fn tell_typing(&mut self, now: Now, conversation: &Conversation, on: bool) {
        let told = self.typing.told.get(conversation);
        let is_news = match told {
            Some(at) => !on || now.mono - *at >= TELL_AGAIN,
            None => on,
        };
        let Ok(audience) = self.people.audience(conversation) else { return };
        if !self.settings.typing || !is_news || self.is_pending(conversation) {
            return;
        }
        if on {
            self.typing.told.insert(conversation.clone(), now.mono);
            self.typing.told.retain(|_, at| now.mono - *at < LASTS);
        } else {
            self.typing.told.remove(conversation);
        }
        let nodes: Vec<_> = audience.iter().flat_map(|person| self.people.nodes_of(*person)).collect();
        nodes.into_iter().for_each(|node| self.tell(node, Tell::Typing(conversation.clone(), on)));
    }

    /// Somebody writes something there, or stopped.
    pub(super) fn hear_typing(&mut self, now: Now, person: PersonId, conversation: Conversation, on: bool) {
        let may = person != self.me && self.people.takes_part(person, &conversation);
        if !may || self.is_pending(&conversation) {
            return;
        }
        if !on {
            return self.typing_over(conversation, person);
        }
        if self.typing.heard.len() >= MAX_HEARD {
            return;
        }
        self.agenda.set(Due::Typing(conversation.clone(), person), now.mono + LASTS);
        if self.typing.heard.insert((conversation.clone(), person)) {
            self.event(Event::Typing(conversation, person, true));
        }
    }

    /// Somebody writes there no longer.
    pub(super) fn typing_over(&mut self, conversation: Conversation, person: PersonId) {
        let key = (conversation, person);
        if self.typing.heard.remove(&key) {
            let (conversation, person) = key;
            self.agenda.clear(&Due::Typing(conversation.clone(), person));
            self.event(Event::Typing(conversation, person, false));
        }
    }
}
