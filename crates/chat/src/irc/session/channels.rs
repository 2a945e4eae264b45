//! Rooms as channels: coming in and going, who is there, what they are about.

use super::*;
use crate::irc::names::fold;
use crate::irc::view::host;

/// How much of a line names take, so that it stays within its limit with what stands before them.
const NAMES_WIDTH: usize = 380;

/// The modes of every channel: nobody writes from outside, and the topic is the group's name.
const MODES: &str = "+nt";

impl Session {
    /// JOIN: rooms are opened by other means, since all members see it.
    pub(super) async fn join<T: Talk>(&mut self, line: &Line, talk: &mut T) {
        if !self.has_params(line, 1) {
            return;
        }
        if line.param(0) == "0" {
            for conversation in std::mem::take(&mut self.joined) {
                self.say_part(&conversation, "left all");
            }
            return;
        }
        for name in line.param(0).split(',').filter(|name| !name.is_empty()) {
            if let Some(channel) = self.visible(name)
                && !self.joined.contains(&channel.conversation)
            {
                self.enter(&channel.conversation, true, talk).await;
            }
        }
    }

    /// Brings the client into a channel; `plays`: and shows what was said last, if it cannot ask for that itself.
    pub(super) async fn enter<T: Talk>(&mut self, conversation: &Conversation, plays: bool, talk: &mut T) {
        let Some(channel) = self.view.channel(conversation).cloned() else { return };
        self.joined.insert(conversation.clone());
        let me = self.view.source(self.view.me());
        self.lines.push(Line::new("JOIN", [channel.name.as_str()]).from(me));
        self.reply(RPL_TOPIC, [channel.name.as_str(), channel.topic.as_str()]);
        if self.caps.has(Cap::ReadMarker) {
            self.tell_marker(&channel.name, conversation, talk).await;
        }
        if !self.caps.has(Cap::NoImplicitNames) {
            self.name(&channel);
        }
        if plays && !self.caps.has(Cap::ChatHistory) {
            self.play(conversation, history::PLAYED, talk).await;
        }
    }

    /// PART: the client hears no more of the room; the user stays a member of the group.
    pub(super) fn part(&mut self, line: &Line) {
        if !self.has_params(line, 1) {
            return;
        }
        for name in line.param(0).split(',').filter(|name| !name.is_empty()) {
            let Some(channel) = self.visible(name) else { continue };
            if self.joined.remove(&channel.conversation) {
                self.say_part(&channel.conversation, line.param(1));
            } else {
                self.reply(ERR_NOTONCHANNEL, [name, "You are not in that channel"]);
            }
        }
    }

    fn say_part(&mut self, conversation: &Conversation, why: &str) {
        let Some(channel) = self.view.channel(conversation) else { return };
        let me = self.view.source(self.view.me());
        self.lines.push(Line::new("PART", [channel.name.as_str(), why]).from(me));
    }

    /// NAMES: all members; `+` marks those who are there.
    pub(super) fn names(&mut self, line: &Line) {
        for name in line.param(0).split(',') {
            match self.view.by_channel(name).cloned() {
                Some(channel) => self.name(&channel),
                None => self.reply(RPL_ENDOFNAMES, [if name.is_empty() { "*" } else { name }, "End of /NAMES list"]),
            }
        }
    }

    fn name(&mut self, channel: &Channel) {
        let mut rows = vec![String::new()];
        let mut members: Vec<PersonId> = channel.members.keys().copied().collect();
        members.sort_by_key(|member| fold(&self.view.nick(*member)));
        for member in members {
            let marks = self.marks(channel, member);
            let shown =
                if self.caps.has(Cap::MultiPrefix) { marks.as_str() } else { marks.get(..1).unwrap_or_default() };
            let has_host = self.caps.has(Cap::UserhostInNames);
            let who = if has_host { self.view.source(member) } else { self.view.nick(member) };
            let mut row = rows.pop().unwrap_or_default();
            if row.len() + shown.len() + who.len() >= NAMES_WIDTH {
                rows.push(std::mem::take(&mut row));
            }
            let gap = if row.is_empty() { "" } else { " " };
            rows.push(format!("{row}{gap}{shown}{who}"));
        }
        for row in rows.iter().filter(|row| !row.is_empty()) {
            self.reply(RPL_NAMREPLY, ["=", channel.name.as_str(), row.as_str()]);
        }
        self.reply(RPL_ENDOFNAMES, [channel.name.as_str(), "End of /NAMES list"]);
    }

    /// Returns the marks of a member: `@` may change the group, `+` is there.
    pub(super) fn marks(&self, channel: &Channel, member: PersonId) -> String {
        let is_admin = channel.members.get(&member) == Some(&true);
        [(is_admin, '@'), (self.view.is_here(member), '+')]
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, mark)| *mark)
            .collect()
    }

    /// WHO.
    pub(super) fn who(&mut self, line: &Line) {
        let mask = if line.param(0).is_empty() { "*" } else { line.param(0) };
        let rows: Vec<(Option<Channel>, PersonId)> = match self.view.by_channel(mask).cloned() {
            Some(channel) => channel.members.keys().map(|member| (Some(channel.clone()), *member)).collect(),
            None if mask == "*" || mask == "0" => self.view.people().map(|person| (None, person.person)).collect(),
            None => self.view.by_nick(mask).map(|person| (None, person.person)).into_iter().collect(),
        };
        for (channel, person) in rows {
            let here = if self.view.is_here(person) { 'H' } else { 'G' };
            let marks = channel.as_ref().map(|channel| self.marks(channel, person)).unwrap_or_default();
            let name = channel.map_or_else(|| "*".to_owned(), |channel| channel.name);
            let (nick, host, flags) = (self.view.nick(person), host(person), format!("{here}{marks}"));
            let real = format!("0 {}", self.view.person(person).map_or("", |person| &person.name));
            self.reply(RPL_WHOREPLY, [&name, "person", &host, SERVER, &nick, &flags, &real]);
        }
        self.reply(RPL_ENDOFWHO, [mask, "End of /WHO list"]);
    }

    /// WHOIS: the whole id, too.
    pub(super) fn whois(&mut self, line: &Line) {
        let Some(wanted) = line.params.last() else {
            return self.reply(ERR_NEEDMOREPARAMS, ["WHOIS", "Not enough parameters"]);
        };
        let nick = wanted.split(',').next().unwrap_or_default().to_owned();
        let Some(person) = self.view.by_nick(&nick).cloned() else {
            self.reply(ERR_NOSUCHNICK, [nick.as_str(), "You know nobody of that name"]);
            return self.reply(RPL_ENDOFWHOIS, [nick.as_str(), "End of /WHOIS list"]);
        };
        let nick = self.view.nick(person.person);
        self.reply(RPL_WHOISUSER, [&nick, "person", &host(person.person), "*", &person.name]);
        let with = self.view.channels().filter(|channel| channel.members.contains_key(&person.person));
        let mut shared = String::new();
        for channel in with {
            let named = format!("{}{} ", self.marks(channel, person.person), channel.name);
            // What does not fit is left out: /names says it of each room.
            if shared.len() + named.len() < NAMES_WIDTH {
                shared.push_str(&named);
            }
        }
        if !shared.is_empty() {
            self.reply(RPL_WHOISCHANNELS, [nick.as_str(), shared.trim_end()]);
        }
        self.reply(RPL_WHOISSERVER, [nick.as_str(), SERVER, "a node of their own"]);
        let standing = match &person {
            person if person.person == self.view.me() => "is you",
            person if person.is_contact => "is a contact of yours",
            _ => "is no contact of yours",
        };
        self.reply(RPL_WHOISSPECIAL, [nick.as_str(), &format!("{standing}: {}", person.person)]);
        if !self.view.is_here(person.person) {
            self.reply(RPL_AWAY, [nick.as_str(), super::AWAY]);
        }
        self.reply(RPL_ENDOFWHOIS, [nick.as_str(), "End of /WHOIS list"]);
    }

    /// TOPIC: what the group and the room are called.
    pub(super) fn topic(&mut self, line: &Line) {
        if !self.has_params(line, 1) {
            return;
        }
        let Some(channel) = self.visible(line.param(0)) else { return };
        if line.params.len() > 1 {
            let why = "The topic is the group's name: `compeer group rename` changes it";
            return self.reply(ERR_CHANOPRIVSNEEDED, [channel.name.as_str(), why]);
        }
        self.reply(RPL_TOPIC, [channel.name.as_str(), channel.topic.as_str()]);
    }

    /// LIST: all rooms of the user's groups.
    pub(super) fn list(&mut self, line: &Line) {
        let wanted: Vec<_> = line.param(0).split(',').filter(|name| name.starts_with('#')).collect();
        let channels: Vec<Channel> = match wanted.is_empty() {
            true => self.view.channels().cloned().collect(),
            false => wanted.iter().filter_map(|name| self.view.by_channel(name).cloned()).collect(),
        };
        self.reply(RPL_LISTSTART, ["Channel", "Users  Name"]);
        for channel in channels {
            let members = channel.members.len().to_string();
            self.reply(RPL_LIST, [channel.name.as_str(), &members, &channel.topic]);
        }
        self.reply(RPL_LISTEND, ["End of /LIST"]);
    }

    /// MODE: can be asked for, and is changed by other means.
    pub(super) fn mode(&mut self, line: &Line) {
        if !self.has_params(line, 1) {
            return;
        }
        let (target, modes) = (line.param(0), line.param(1));
        if !target.starts_with('#') {
            let is_me = self.view.by_nick(target).is_some_and(|person| person.person == self.view.me());
            // What a client wants of its own modes changes nothing here.
            return match (is_me, modes.is_empty()) {
                (true, true) => self.reply(RPL_UMODEIS, ["+i"]),
                (true, false) => {}
                (false, _) => self.reply(ERR_NOSUCHNICK, [target, "Modes of others cannot be seen"]),
            };
        }
        let Some(channel) = self.visible(target) else { return };
        let name = channel.name.as_str();
        match modes.trim_start_matches('+') {
            "" => self.reply(RPL_CHANNELMODEIS, [name, MODES]),
            "b" if line.params.len() == 2 => self.reply(RPL_ENDOFBANLIST, [name, "End of channel ban list"]),
            _ => {
                let why = "Members and admins are changed by `compeer group invite`, `remove` and `role`";
                self.reply(ERR_CHANOPRIVSNEEDED, [name, why]);
            }
        }
    }
}
