//! What happens while a client looks on: messages that come, people and rooms that come and go.

use super::show::{Told, Way, reply_tags};
use super::*;
use crate::Said;
use crate::irc::moment;
use crate::irc::text::quote;
use crate::proto::{Body, Message};

/// How many modes a line changes (MODES in [`RPL_ISUPPORT`]).
const MODES_A_LINE: usize = 4;

impl Session {
    pub(super) async fn event<T: Talk>(&mut self, event: Event, talk: &mut T) {
        match event {
            Event::Shown(message) => self.message(*message, talk).await,
            Event::Typing(conversation, person, writes) => self.typing(&conversation, person, writes),
            Event::Read(conversation, _) if self.caps.has(Cap::ReadMarker) => {
                if self.hears(&conversation)
                    && let Some(target) = self.name_of(&conversation)
                {
                    self.tell_marker(&target, &conversation, talk).await;
                }
            }
            Event::Request(conversation) => self.announce(&conversation),
            // How far messages of the user are with others has no line in IRC.
            Event::Read(..) | Event::Stage(..) => {}
        }
    }

    /// Says that somebody who is no contact wants to write to the user.
    pub(super) fn announce(&mut self, conversation: &Conversation) {
        let Some(partner) = conversation.partner(self.view.me()) else { return };
        let (nick, id) = (self.view.nick(partner), partner.to_string());
        self.notice(&format!(
            "{nick} is no contact of yours and writes to you. `compeer chat person:{id} --accept` lets them write on, \
             `compeer chat person:{id} --refuse` leaves it alone"
        ));
    }

    /// Whether the client is to hear what is said in a conversation.
    fn hears(&self, conversation: &Conversation) -> bool {
        match conversation {
            Conversation::Direct(..) => true,
            Conversation::Room(..) => self.joined.contains(conversation),
        }
    }

    /// Returns what the client calls a conversation.
    pub(super) fn name_of(&self, conversation: &Conversation) -> Option<String> {
        match conversation.partner(self.view.me()) {
            Some(partner) => Some(self.view.nick(partner)),
            None => self.view.channel(conversation).map(|channel| channel.name.clone()),
        }
    }

    async fn message<T: Talk>(&mut self, message: Message, talk: &mut T) {
        let conversation = message.conversation.clone();
        let key = (conversation.clone(), message.id);
        if let Some(at) = self.known.iter().position(|known| *known == key) {
            self.known.remove(at);
            return;
        }
        let is_mine = message.author == self.view.me();
        let partner = conversation.partner(self.view.me());
        // What the user wrote elsewhere to one person would look like a message of theirs to clients that do not know this.
        let understands = self.caps.has(Cap::EchoMessage) || self.caps.has(Cap::SelfMessage);
        if !self.hears(&conversation) || is_mine && partner.is_some_and(|who| who != message.author) && !understands {
            return;
        }
        let Some(way) = self.way(&conversation, message.author) else { return };
        let (said, answers) = match message.body {
            Body::Text { text, answers } => (Said::Text(text), answers),
            Body::Attachment { name, bytes, notice, caption } => {
                (Said::Attachment { name, bytes, notice, caption }, None)
            }
            Body::Timer { expires_s } => (Said::Timer(expires_s), None),
            Body::Opening => (Said::Opening, None),
            Body::Edit { of, ref text } => {
                let tags = tags(&message, Some(of));
                return self.speak(&way, "PRIVMSG", &format!("* edited: {text}"), tags, None, message.written);
            }
            Body::Deletion { of } => return self.deletion(&way, &message, of, talk).await,
            Body::Reaction { to, ref reaction, put } => {
                return self.reaction(&way, &message, to, (reaction, put), talk).await;
            }
        };
        let (id, author, written) = (message.id, message.author, message.written);
        let told = Told { id, author, written, said, is_edited: false, answers, reactions: Vec::new() };
        self.show(&conversation, &told, None, talk);
    }

    async fn deletion<T: Talk>(&mut self, way: &Way, message: &Message, of: MessageId, talk: &mut T) {
        if self.caps.has(Cap::Redaction) && self.caps.has(Cap::MessageTags) {
            let line = Line::new("REDACT", [way.target.as_str(), &of.to_string()]).from(way.source.clone());
            return self.lines.push(line.tag("time", moment::write(message.written)));
        }
        // What it said is gone here too: only when is left.
        let when = talk.entry(&message.conversation, of).await.ok().flatten();
        let text = match when {
            Some(entry) => format!("took back a message of {}", moment::short(entry.written, &self.zone)),
            None => "took back a message".to_owned(),
        };
        self.speak(way, "NOTICE", &text, tags(message, Some(of)), None, message.written);
    }

    async fn reaction<T: Talk>(
        &mut self,
        way: &Way,
        message: &Message,
        to: MessageId,
        (reaction, put): (&str, bool),
        talk: &mut T,
    ) {
        // Most programs that have message-tags pass over reactions without a word. Those that read the history, or react
        // themselves, are made for them.
        if self.caps.has(Cap::MessageTags) && (self.caps.has(Cap::ChatHistory) || self.reacts) {
            let mut line = Line::new("TAGMSG", [way.target.as_str()]).from(way.source.clone());
            line.tags = tags(message, Some(to));
            return self.lines.push(line.tag(if put { "+draft/react" } else { "+draft/unreact" }, reaction));
        }
        let about = match talk.entry(&message.conversation, to).await.ok().flatten().map(|entry| entry.said) {
            Some(Said::Text(text)) => quote(&text),
            Some(Said::Attachment { name, .. }) => name,
            _ => "a message".to_owned(),
        };
        let text = match put {
            true => format!("reacted {reaction} to {about}"),
            false => format!("no longer reacts {reaction} to {about}"),
        };
        self.speak(way, "NOTICE", &text, tags(message, Some(to)), None, message.written);
    }

    fn typing(&mut self, conversation: &Conversation, person: PersonId, writes: bool) {
        if !self.caps.has(Cap::MessageTags) || !self.hears(conversation) || person == self.view.me() {
            return;
        }
        if let Some(way) = self.way(conversation, person) {
            let line = Line::new("TAGMSG", [way.target]).from(way.source);
            self.lines.push(line.tag("+typing", if writes { "active" } else { "done" }));
        }
    }

    /// Takes what is seen now, and tells the client what is other than before.
    pub(super) async fn look<T: Talk>(&mut self, view: Arc<View>, talk: &mut T) {
        let old = std::mem::replace(&mut self.view, view.clone());
        if old == view {
            return;
        }
        self.tell_nicks(&old);
        for conversation in self.joined.clone() {
            let before = old.channel(&conversation);
            match (before, view.channel(&conversation)) {
                (Some(before), None) => {
                    self.joined.remove(&conversation);
                    let (name, me) = (before.name.as_str(), self.nick());
                    let why = "you are no member of this group any more, or the room is gone";
                    self.lines.push(Line::new("KICK", [name, me.as_str(), why]).from(SERVER));
                }
                (Some(before), Some(after)) if before.name != after.name => {
                    let me = self.view.source(self.view.me());
                    let why = format!("the group is called {} now", after.name);
                    self.lines.push(Line::new("PART", [before.name.as_str(), why.as_str()]).from(me));
                    self.enter(&conversation, false, talk).await;
                }
                (Some(before), Some(after)) => self.tell_members(&old, before, after),
                (None, _) => {}
            }
        }
        self.tell_away(&old);
        let new: Vec<_> = view.channels().filter(|channel| old.channel(&channel.conversation).is_none()).collect();
        for channel in new {
            self.enter(&channel.conversation, true, talk).await;
        }
    }

    /// Whether the client can see a person anywhere.
    fn sees(&self, view: &View, person: PersonId) -> bool {
        let shares =
            |conversation| view.channel(conversation).is_some_and(|channel| channel.members.contains_key(&person));
        view.person(person).is_some_and(|person| person.is_contact) || self.joined.iter().any(shares)
    }

    fn tell_nicks(&mut self, old: &Arc<View>) {
        let view = self.view.clone();
        for person in view.people().map(|person| person.person) {
            let nick = view.nick(person);
            let known = old.person(person).is_some() && (person == view.me() || self.sees(old, person));
            if known && old.nick(person) != nick {
                self.lines.push(Line::new("NICK", [nick]).from(old.source(person)));
            }
        }
    }

    fn tell_members(&mut self, old: &Arc<View>, before: &Channel, after: &Channel) {
        let view = self.view.clone();
        for gone in before.members.keys().filter(|member| !after.members.contains_key(member)) {
            let why = "left the group, or was removed from it";
            self.lines.push(Line::new("PART", [after.name.as_str(), why]).from(view.source(*gone)));
        }
        for new in after.members.keys().filter(|member| !before.members.contains_key(member)) {
            self.lines.push(Line::new("JOIN", [after.name.as_str()]).from(view.source(*new)));
        }
        let mut changes: Vec<(char, char, String)> = Vec::new();
        for (member, is_admin) in &after.members {
            let was_member = before.members.contains_key(member);
            let was = (before.members.get(member) == Some(&true), was_member && old.is_here(*member));
            let is = (*is_admin, view.is_here(*member));
            for (mode, was, is) in [('o', was.0, is.0), ('v', was.1, is.1)] {
                if was != is {
                    changes.push((if is { '+' } else { '-' }, mode, view.nick(*member)));
                }
            }
        }
        for changes in changes.chunks(MODES_A_LINE) {
            let modes: String = changes.iter().flat_map(|(sign, mode, _)| [*sign, *mode]).collect();
            let nicks = changes.iter().map(|(.., nick)| nick.as_str());
            let params = [after.name.as_str(), modes.as_str()].into_iter().chain(nicks);
            self.lines.push(Line::new("MODE", params).from(SERVER));
        }
    }

    fn tell_away(&mut self, old: &Arc<View>) {
        if !self.caps.has(Cap::AwayNotify) {
            return;
        }
        let view = self.view.clone();
        for person in view.people().map(|person| person.person).filter(|person| *person != view.me()) {
            // Of whom nothing was known a client takes as there.
            let was = old.is_here(person) || !self.sees(old, person);
            let is = view.is_here(person);
            if was == is || !self.sees(&view, person) {
                continue;
            }
            let away = if is { None } else { Some(super::AWAY) };
            self.lines.push(Line::new("AWAY", away).from(view.source(person)));
        }
    }
}

/// The tags of a message that says something of another one.
fn tags(message: &Message, of: Option<MessageId>) -> Vec<(String, String)> {
    let mut tags =
        vec![("time".to_owned(), moment::write(message.written)), ("msgid".to_owned(), message.id.to_string())];
    tags.extend(of.into_iter().flat_map(reply_tags));
    tags
}
