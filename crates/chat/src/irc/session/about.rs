//! What is asked of the server itself.

use super::*;
use crate::irc::view::host;

/// What the server says of itself.
const MOTD: [&str; 6] = [
    "This is your own node: what you write here is sealed and goes to the nodes of those whom it is for.",
    "#GROUP is the main room of a group, #GROUP/ROOM another one: /list shows them, /join opens one here.",
    "In /names @ may change the group, + is there now. The others get what you write when they are.",
    "/msg NICK writes to one person. /whois NICK says who it is.",
    "Older messages: /quote CHATHISTORY LATEST #GROUP * 50, or BEFORE #GROUP timestamp=2026-01-31T12:00:00.000Z 50",
    "Rooms are opened by `compeer room`, groups and contacts kept by `compeer group` and `compeer contact`.",
];

/// Why a command that other servers know does nothing here.
const ELSEWHERE: &str = "Members are invited and removed by `compeer group invite` and `remove`";

impl Session {
    /// Handles what concerns no conversation.
    pub(super) fn about(&mut self, line: &Line) {
        let first = line.param(0);
        match line.command.as_str() {
            "PING" if self.has_params(line, 1) => self.lines.push(Line::new("PONG", [SERVER, first]).from(SERVER)),
            "PING" | "PONG" => {}
            "QUIT" => self.close("you left"),
            "CAP" => self.cap(line),
            "NICK" => self.renick(line),
            "USER" | "PASS" => self.reply(ERR_ALREADYREGISTERED, ["You may not register again"]),
            "AUTHENTICATE" => self.reply(ERR_SASLALREADY, ["You have already authenticated"]),
            "MOTD" => self.motd(),
            "LUSERS" => self.lusers(),
            "VERSION" => {
                let version = concat!("compeer-", env!("CARGO_PKG_VERSION"));
                self.reply(RPL_VERSION, [version, SERVER, "Compeer"]);
            }
            // Only a client's own matter: others see who is connected, not who sits before the screen.
            "AWAY" if first.is_empty() => self.reply(RPL_UNAWAY, ["You are no longer marked as being away"]),
            "AWAY" => self.reply(RPL_NOWAWAY, ["You have been marked as being away, to yourself alone"]),
            "ISON" => {
                let asked = line.params.iter().flat_map(|nicks| nicks.split(' '));
                let on = asked.filter_map(|nick| self.view.by_nick(nick));
                let on = on.filter(|person| self.view.is_here(person.person));
                let on: Vec<_> = on.map(|person| self.view.nick(person.person)).collect();
                self.reply(RPL_ISON, [on.join(" ").as_str()]);
            }
            "USERHOST" => {
                let known = line.params.iter().filter_map(|nick| self.view.by_nick(nick));
                let known: Vec<_> = known.map(|person| self.userhost(person.person)).collect();
                self.reply(RPL_USERHOST, [known.join(" ").as_str()]);
            }
            "WHOWAS" => {
                self.reply(ERR_WASNOSUCHNICK, [first, "There was no such nick"]);
                self.reply(RPL_ENDOFWHOWAS, [first, "End of /WHOWAS"]);
            }
            "INVITE" | "KICK" => self.reply(ERR_CHANOPRIVSNEEDED, [line.channel(), ELSEWHERE]),
            other => self.reply(ERR_UNKNOWNCOMMAND, [other, "Unknown command"]),
        }
    }

    fn userhost(&self, person: PersonId) -> String {
        let here = if self.view.is_here(person) { '+' } else { '-' };
        format!("{}={here}person@{}", self.view.nick(person), host(person))
    }

    fn renick(&mut self, line: &Line) {
        if line.param(0).is_empty() {
            return self.reply(ERR_NONICKNAMEGIVEN, ["No nickname given"]);
        }
        if line.param(0) != self.nick() {
            let why = "You are called here as your contacts know you: that is not changed from here";
            self.reply(ERR_RESTRICTED, [why]);
        }
    }

    pub(super) fn lusers(&mut self) {
        let others = || self.view.people().filter(|person| person.person != self.view.me());
        let here = others().filter(|person| self.view.is_here(person.person)).count();
        let all = others().count();
        self.reply(RPL_LUSERCLIENT, [format!("You know {all} people, of whom {here} are here").as_str()]);
        self.reply(RPL_LUSERME, ["This node serves you alone"]);
    }

    pub(super) fn motd(&mut self) {
        self.reply(RPL_MOTDSTART, [format!("- {SERVER} message of the day -").as_str()]);
        for line in MOTD {
            self.reply(RPL_MOTD, [format!("- {line}").as_str()]);
        }
        self.reply(RPL_ENDOFMOTD, ["End of /MOTD command"]);
    }
}

impl Line {
    /// The parameter that names a channel, wherever the command has it.
    fn channel(&self) -> &str {
        let named = self.params.iter().find(|param| param.starts_with('#'));
        named.map_or("*", String::as_str)
    }
}
