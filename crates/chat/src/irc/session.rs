//! One client's connection: a state machine that is handed its lines, what happens and what can be seen, and gives lines
//! back.
//!
//! Transitions: registering (capabilities, password, nick) → open → over. Invariant: before the password was shown nothing
//! leaves but what every client hears. A line is answered in full before the next one is handled, so that answers come in
//! the order of the questions.

mod about;
mod channels;
mod history;
mod looking;
mod registration;
mod show;
mod speaking;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{Instant, Now, PersonId};
use jiff::tz::TimeZone;

use super::caps::{Cap, Caps};
use super::line::{Line, Malformed, TooLong};
use super::numeric::*;
use super::talk::Talk;
use super::view::{Channel, View};
use crate::proto::{Conversation, Event, MessageId};
use registration::Registration;
use speaking::Multiline;

/// What the server is called, as it says from whom its lines are.
pub const SERVER: &str = "irc.compeer";

/// How long a client may take to show the password: somebody may type it.
const LOGIN: Duration = Duration::from_secs(60);

/// After how long without a word a client is asked whether it is there. Arbitrary: half of what servers commonly wait.
const ASK_AFTER: Duration = Duration::from_secs(120);

/// How long it may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Why somebody is not there.
const AWAY: &str = "no node of theirs is connected: they get it when one is";

/// How many messages a session remembers, so that the client is not told of them again. What tells of them follows at once.
const MAX_KNOWN: usize = 1024;

/// The longest label (labeled-response, "Tag value").
const MAX_LABEL: usize = 64;

/// What can happen to a session.
#[derive(Clone, Debug)]
pub enum Input {
    /// The client sent a line.
    Line(Result<Vec<u8>, TooLong>),
    /// Something happened in a conversation.
    Event(Event),
    /// This is seen now, in place of what was seen before.
    View(Arc<View>),
    /// The time that [`Session::poll_timeout`] named has come.
    Timeout,
    /// It cannot go on, for this reason.
    Over(String),
}

/// What a session wants, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this line, which has its end.
    Line(String),
    /// Close the connection when all lines were sent.
    Close,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Registering,
    Open,
    Over,
}

/// One client's connection.
#[derive(Debug)]
pub struct Session {
    view: Arc<View>,
    /// Where the user's clocks are.
    zone: TimeZone,
    caps: Caps,
    phase: Phase,
    /// What the client has shown, until it is let in.
    registration: Registration,
    /// The channels that the client is in.
    joined: BTreeSet<Conversation>,
    /// Messages that the client knows of, before it is told of them: what it wrote itself, and what it was shown when it came.
    known: VecDeque<(Conversation, MessageId)>,
    /// When the newest message was written that the client was shown, by conversation.
    shown: BTreeMap<Conversation, u64>,
    /// Whether the client has sent reactions, so that it will understand them too.
    reacts: bool,
    multiline: Option<Multiline>,
    /// How many batches there were: each has a name of its own.
    batches: u64,
    /// What answers the line at hand.
    lines: Vec<Line>,
    output: VecDeque<Output>,
    /// When the client was heard of last, and at first when it came.
    heard: Instant,
    /// Whether it was asked since then.
    asked: bool,
}

impl Session {
    /// Begins with a client that has just come. `zone`: of the times that it is shown in words.
    pub fn new(now: Now, zone: TimeZone, view: Arc<View>) -> Session {
        Session {
            view,
            zone,
            caps: Caps::default(),
            phase: Phase::Registering,
            registration: Registration::default(),
            joined: BTreeSet::new(),
            known: VecDeque::new(),
            shown: BTreeMap::new(),
            reacts: false,
            multiline: None,
            batches: 0,
            lines: Vec::new(),
            output: VecDeque::new(),
            heard: now.mono,
            asked: false,
        }
    }

    /// Takes what happened. Once it is over nothing has any effect.
    pub async fn handle<T: Talk>(&mut self, now: Now, input: Input, talk: &mut T) {
        match (input, self.phase) {
            (_, Phase::Over) => return,
            (Input::Line(line), phase) => {
                // Before the password was shown the time runs, whatever is said.
                if phase == Phase::Open {
                    (self.heard, self.asked) = (now.mono, false);
                }
                self.line(line, talk).await;
            }
            (Input::Event(event), Phase::Open) => self.event(event, talk).await,
            (Input::View(view), Phase::Open) => self.look(view, talk).await,
            (Input::View(view), Phase::Registering) => self.view = view,
            (Input::Event(_), Phase::Registering) => {}
            (Input::Timeout, _) => self.timeout(now.mono),
            (Input::Over(why), _) => self.close(&why),
        }
        self.release();
    }

    /// Returns what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// Returns when to handle [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Registering => Some(self.heard + LOGIN),
            Phase::Open if self.asked => Some(self.heard + ASK_AFTER + ANSWER_WITHIN),
            Phase::Open => Some(self.heard + ASK_AFTER),
            Phase::Over => None,
        }
    }

    fn timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match self.phase {
            Phase::Registering => self.close("the password was not shown in time"),
            Phase::Open if self.asked => self.close("the client did not answer in time"),
            _ => {
                self.asked = true;
                self.lines.push(Line::new("PING", [SERVER]));
            }
        }
    }

    async fn line<T: Talk>(&mut self, line: Result<Vec<u8>, TooLong>, talk: &mut T) {
        let parsed = line.map_err(|TooLong| Malformed::TooLong).and_then(|bytes| Line::parse(&bytes));
        let line = match parsed {
            Ok(line) => line,
            Err(Malformed::Empty) => return,
            Err(Malformed::TooLong) => return self.reply(ERR_INPUTTOOLONG, ["Input line was too long"]),
            Err(Malformed::NotUtf8(command)) => {
                let command = command.unwrap_or_else(|| "*".to_owned());
                return self.fail(&command, "INVALID_UTF8", &[], "the line was left out: it is not UTF-8");
            }
        };
        let label = line.tagged("label").filter(|label| !label.is_empty() && label.len() <= MAX_LABEL);
        let label = label.filter(|_| self.caps.has(Cap::LabeledResponse) && self.caps.has(Cap::Batch));
        let label = label.map(str::to_owned);
        if self.phase == Phase::Open {
            self.command(&line, talk).await;
        } else {
            self.register(&line, talk).await;
        }
        // What opens a batch is answered when the batch ends.
        let opens = line.command == "BATCH" && self.multiline.is_some();
        if let Some(label) = label.filter(|_| !opens) {
            self.label(label);
        }
    }

    async fn command<T: Talk>(&mut self, line: &Line, talk: &mut T) {
        if line.tagged("batch").is_some() {
            // Without one it belongs to a batch that was refused.
            return self.more_of_batch(line);
        }
        match line.command.as_str() {
            "PRIVMSG" | "NOTICE" => self.privmsg(line, talk).await,
            "TAGMSG" => self.tagmsg(line, talk).await,
            "REDACT" => self.redact(line, talk).await,
            "BATCH" => self.batch(line, talk).await,
            "JOIN" => self.join(line, talk).await,
            "PART" => self.part(line),
            "CHATHISTORY" => self.chathistory(line, talk).await,
            "MARKREAD" => self.markread(line, talk).await,
            "NAMES" => self.names(line),
            "WHO" => self.who(line),
            "WHOIS" => self.whois(line),
            "TOPIC" => self.topic(line),
            "LIST" => self.list(line),
            "MODE" => self.mode(line),
            _ => self.about(line),
        }
    }

    /// Returns what the client is called.
    fn nick(&self) -> String {
        match self.phase {
            Phase::Registering => self.registration.nick().to_owned(),
            _ => self.view.nick(self.view.me()),
        }
    }

    /// Answers with a number.
    fn reply<'a>(&mut self, number: &str, params: impl IntoIterator<Item = &'a str>) {
        let params = [self.nick()].into_iter().chain(params.into_iter().map(str::to_owned));
        self.lines.push(Line::new(number, params).from(SERVER));
    }

    /// Answers with a failure (standard-replies).
    fn fail(&mut self, command: &str, code: &str, context: &[&str], why: &str) {
        let params = [command, code].into_iter().chain(context.iter().copied()).chain([why]);
        self.lines.push(Line::new("FAIL", params).from(SERVER));
    }

    /// Tells the client something that concerns no conversation.
    fn notice(&mut self, text: &str) {
        let nick = self.nick();
        self.lines.push(Line::new("NOTICE", [nick.as_str(), text]).from(SERVER));
    }

    /// Whether a command has as many parameters as it needs; else says so.
    fn has_params(&mut self, line: &Line, count: usize) -> bool {
        let enough = line.params.len() >= count;
        if !enough {
            self.reply(ERR_NEEDMOREPARAMS, [line.command.as_str(), "Not enough parameters"]);
        }
        enough
    }

    /// Finds a channel that can be seen; else says so.
    fn visible(&mut self, name: &str) -> Option<Channel> {
        let channel = self.view.by_channel(name).cloned();
        if channel.is_none() {
            let why = "There is no such room in a group of yours: /list shows those that there are";
            self.reply(ERR_NOSUCHCHANNEL, [name, why]);
        }
        channel
    }

    /// Ends the session.
    fn close(&mut self, why: &str) {
        self.lines.push(Line::new("ERROR", [format!("Closing link: {why}")]));
        self.release();
        self.output.push_back(Output::Close);
        self.phase = Phase::Over;
    }

    /// Remembers that the client knows a message.
    fn remember(&mut self, conversation: &Conversation, id: MessageId) {
        self.known.push_back((conversation.clone(), id));
        if self.known.len() > MAX_KNOWN {
            self.known.pop_front();
        }
    }

    /// Names a batch.
    fn new_batch(&mut self) -> String {
        self.batches += 1;
        format!("b{}", self.batches)
    }

    /// Ties the answer to the line that it answers (labeled-response).
    fn label(&mut self, label: String) {
        if self.phase == Phase::Over {
            return;
        }
        let is_one = match self.lines.as_slice() {
            [] => {
                self.lines.push(Line::new("ACK", [""; 0]).from(SERVER));
                true
            }
            [_] => true,
            [first, .., last] => {
                let name = first.param(0).strip_prefix('+');
                first.command == "BATCH" && name.is_some() && last.param(0).strip_prefix('-') == name
            }
        };
        if !is_one {
            let name = self.new_batch();
            for line in &mut self.lines {
                if line.tagged("batch").is_none() && !line.param(0).starts_with('-') {
                    line.tags.push(("batch".to_owned(), name.clone()));
                }
            }
            let opening = Line::new("BATCH", [format!("+{name}").as_str(), "labeled-response"]).from(SERVER);
            self.lines.insert(0, opening);
            self.lines.push(Line::new("BATCH", [format!("-{name}")]).from(SERVER));
        }
        if let Some(first) = self.lines.first_mut() {
            first.tags.insert(0, ("label".to_owned(), label));
        }
    }

    /// Lets what was collected go, without the tags that the client did not ask for.
    fn release(&mut self) {
        for mut line in self.lines.drain(..) {
            line.tags.retain(|(key, _)| match key.as_str() {
                "time" => self.caps.has(Cap::ServerTime),
                "batch" => self.caps.has(Cap::Batch),
                "label" => self.caps.has(Cap::LabeledResponse),
                _ => self.caps.has(Cap::MessageTags),
            });
            self.output.push_back(Output::Line(line.write()));
        }
    }
}
