//! What people say, read and take back.

use std::time::Duration;

use chat::proto::{Body, ChatError, Conversation, MAX_REQUEST_LEN, MAX_REQUEST_MESSAGES, MessageId, Pen, RoomName};

use super::network::{Happens, Network};
use super::sealer::Sealer;

/// How long after a message of an exchange the next comes at most.
const REPLY: Duration = Duration::from_secs(25);

/// When somebody tries again, if nobody could write.
const LATER: Duration = Duration::from_secs(600);

/// How often somebody reads. Arbitrary.
const READING: Duration = Duration::from_secs(120);

/// How long a text is at most. Arbitrary: several pages.
const LONG: usize = 4000;

/// How long a message is at most that somebody writes to one who did not accept them: what the machine lets strangers
/// leave, less what stands around the words.
const STRANGE: usize = MAX_REQUEST_LEN - 512;

impl<C: Sealer> Network<C> {
    /// Somebody who is awake says something: in a conversation that goes on, or where they like.
    pub(super) fn talks(&mut self, conversation: Option<u16>, left: u32) {
        let awake: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].runs()).collect();
        let mut spoken = None;
        for _ in 0..30 {
            let Some(&node) = self.rng.choice(&awake) else { break };
            let chosen = match conversation {
                Some(number) => self.takes_part(node, number).then_some(number),
                None => self.choose(node),
            };
            if let Some(number) = chosen
                && self.says(node, number)
            {
                spoken = Some(number);
                break;
            }
        }
        match spoken {
            Some(number) if left > 0 => {
                let pause = self.within(REPLY);
                self.later(pause, Happens::Talks { conversation: Some(number), left: left - 1 });
            }
            Some(_) => {}
            // Elsewhere, later.
            None => self.later(LATER, Happens::Talks { conversation: None, left }),
        }
    }

    fn takes_part(&self, node: usize, number: u16) -> bool {
        let (me, view) = (self.nodes[node].person, &self.nodes[node].view);
        match &self.conversations[usize::from(number)] {
            conversation @ Conversation::Direct(..) => {
                let partner = conversation.partner(self.people[me]).and_then(|id| self.person(&id));
                partner.is_some_and(|partner| !view.blocked.contains(&partner))
            }
            Conversation::Room(group, _) => {
                self.groups.iter().position(|known| known == group).is_some_and(|group| view.is_member(group, me))
            }
        }
    }

    /// Chooses where the user of a node says something: half the time in a room.
    fn choose(&mut self, node: usize) -> Option<u16> {
        let (me, view) = (self.nodes[node].person, &self.nodes[node].view);
        let conversation = if self.rng.bool() {
            let group = self.rng.choice(view.groups_of(me))?;
            let room = if self.rng.u8(..4) == 0 { "tea" } else { RoomName::MAIN };
            Conversation::Room(self.groups[group], RoomName::new(room).expect("a good name"))
        } else {
            let partner = self.rng.choice(view.acquainted(me))?;
            if view.blocked.contains(&partner) {
                return None;
            }
            Conversation::between(self.people[me], self.people[partner])
        };
        Some(self.number(&conversation))
    }

    /// A user says something; false when it was not possible.
    fn says(&mut self, node: usize, number: u16) -> bool {
        let (me, clock) = (self.nodes[node].person, self.clock);
        let conversation = self.conversations[usize::from(number)].clone();
        let audience = self.audience(node, &conversation);
        if self.is_too_strange(node, number) {
            return false;
        }
        let body = self.body(node, number);
        if length(&body) > STRANGE && self.is_strange(node, number) {
            return false;
        }
        let now = self.nodes[node].now(clock);
        let Some(chat) = &mut self.nodes[node].chat else { return false };
        let said = chat.write(now, &conversation, body);
        match &said {
            Ok(id) => {
                self.note(node, format_args!("says {id:?} in {number}, {conversation:?}, to {audience:?}"));
                self.writing.insert((node, number, *id), (clock, audience));
            }
            Err(error) => {
                self.note(node, format_args!("cannot write in {number}: {error}"));
                self.outcome.refused += 1;
                // Anything else a user must not meet here.
                if !matches!(error, ChatError::NotYours | ChatError::Unknown | ChatError::TooLongUnasked { .. }) {
                    self.outcome.fail(format!("n{node} of person {me} cannot write in {conversation:?}: {error}"));
                }
            }
        }
        self.drain(node);
        said.is_ok()
    }

    /// Returns whom a message is for, by what its author's node knows: people by number, the author included.
    fn audience(&self, node: usize, conversation: &Conversation) -> Vec<usize> {
        let (me, view) = (self.nodes[node].person, &self.nodes[node].view);
        match conversation {
            Conversation::Direct(one, other) => {
                let mut both: Vec<usize> = [one, other].into_iter().filter_map(|id| self.person(id)).collect();
                both.dedup();
                both
            }
            Conversation::Room(group, _) => {
                let group = self.groups.iter().position(|known| known == group);
                let members = group.map(|group| view.members(group)).unwrap_or_default();
                members.into_iter().filter(|person| *person == me || !view.blocked.contains(person)).collect()
            }
        }
    }

    /// Whether they are no contacts, and nobody accepted what the other wrote.
    fn is_strange(&self, node: usize, number: u16) -> bool {
        let (me, view) = (self.nodes[node].person, &self.nodes[node].view);
        let conversation = &self.conversations[usize::from(number)];
        let partner = conversation.partner(self.people[me]).and_then(|id| self.person(&id));
        partner.is_some_and(|partner| !view.is_contact(me, partner)) && !self.accepted.contains(&number)
    }

    /// Whether somebody who is no contact wrote as much as they may, and was not answered.
    fn is_too_strange(&self, node: usize, number: u16) -> bool {
        let first = MessageId { pen: Pen([0; 8]), number: 0 };
        // What a slow disk still stores counts, too.
        let stored = || self.index.range((number, first)..(number + 1, first)).count();
        let so_far = || stored() + self.writing.keys().filter(|(_, written, _)| *written == number).count();
        self.is_strange(node, number) && so_far() >= MAX_REQUEST_MESSAGES as usize
    }

    /// Returns what the user of a node says.
    fn body(&mut self, node: usize, number: u16) -> Body {
        let me = self.people[self.nodes[node].person];
        let recent: Vec<u32> = self.nodes[node].store.recent.get(&number).into_iter().flatten().copied().collect();
        let any = self.rng.choice(&recent).map(|index| self.said[*index as usize].message.id);
        let is_mine = |index: &&u32| {
            let message = &self.said[**index as usize].message;
            message.author == me && matches!(message.body, Body::Text { .. })
        };
        let mine: Vec<MessageId> =
            recent.iter().filter(is_mine).map(|index| self.said[*index as usize].message.id).collect();
        let mine = self.rng.choice(mine);
        match (self.rng.u8(..100), any, mine) {
            (0..10, Some(to), _) => Body::Reaction { to, reaction: "👍".into(), put: self.rng.u8(..4) != 0 },
            (10..17, _, Some(of)) => Body::Edit { of, text: self.text() },
            (17..22, _, Some(of)) => Body::Deletion { of },
            (22..23, _, _) => Body::Timer { expires_s: self.rng.bool().then_some(365 * 86_400) },
            (23..25, _, _) => Body::Attachment {
                name: "a film.mkv".into(),
                bytes: self.rng.u64(..1 << 40),
                notice: vec![7; self.rng.usize(..2000)],
                caption: self.text(),
            },
            (25..50, Some(answers), _) => Body::Text { text: self.text(), answers: Some(answers) },
            _ => Body::Text { text: self.text(), answers: None },
        }
    }

    /// Returns words: few mostly, and now and then several pages.
    fn text(&mut self) -> String {
        let length = match self.rng.u8(..50) {
            0 => self.rng.usize(1..LONG),
            1..5 => self.rng.usize(1..1000),
            _ => self.rng.usize(1..120),
        };
        let mut text = format!("{:x} ", self.rng.u64(..));
        text.extend(std::iter::repeat_n('a', length));
        text
    }

    /// Somebody who is awake reads what is on their screen.
    pub(super) fn reads(&mut self) {
        let awake: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].runs()).collect();
        if let Some(&node) = self.rng.choice(&awake)
            && let Some(&number) = self.rng.choice(self.nodes[node].store.recent.keys())
        {
            let me = self.people[self.nodes[node].person];
            let store = &self.nodes[node].store;
            let unread =
                |index: &&u32| self.said[**index as usize].message.author != me && !store.read.contains(*index);
            let ids: Vec<MessageId> = store.recent[&number]
                .iter()
                .filter(unread)
                .map(|index| self.said[*index as usize].message.id)
                .collect();
            let conversation = self.conversations[usize::from(number)].clone();
            let now = self.nodes[node].now(self.clock);
            if let Some(chat) = &mut self.nodes[node].chat {
                chat.typing(now, &conversation, self.rng.bool());
                if !ids.is_empty() {
                    chat.mark_read(now, &conversation, &ids);
                }
            }
            self.drain(node);
        }
        if !self.healed {
            self.later(READING, Happens::Reads);
        }
    }

    /// The user of a node accepts, after some time, what somebody wrote who is no contact.
    pub(super) fn accepts(&mut self, node: usize, number: u16) {
        if !self.nodes[node].runs() {
            return self.later(LATER, Happens::Accepts { node, number });
        }
        let conversation = self.conversations[usize::from(number)].clone();
        let now = self.nodes[node].now(self.clock);
        if let Some(chat) = &mut self.nodes[node].chat {
            chat.accept(now, &conversation);
        }
        self.drain(node);
    }
}

/// How many bytes the words of a message and its notice are.
fn length(body: &Body) -> usize {
    match body {
        Body::Text { text, .. } | Body::Edit { text, .. } => text.len(),
        Body::Attachment { notice, caption, .. } => notice.len() + caption.len(),
        Body::Reaction { .. } | Body::Deletion { .. } | Body::Timer { .. } | Body::Opening => 0,
    }
}
