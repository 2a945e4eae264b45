//! What the client says.

use super::history::mark;
use super::show::{Told, reply_tags};
use super::*;
use crate::irc::caps::MULTILINE_LINES;
use crate::irc::names::fold;
use crate::irc::text::{Spoken, spoken};
use crate::proto::{Body, MAX_REACTION, MAX_TEXT};

/// To how many a line may be addressed (TARGMAX in [`RPL_ISUPPORT`]). Arbitrary.
pub(super) const MAX_TARGETS: usize = 4;

/// A message that comes in several lines (client-batch, multiline).
#[derive(Debug)]
pub(super) struct Multiline {
    /// What the client calls the batch.
    name: String,
    /// The line that began it.
    opening: Line,
    text: String,
    lines: usize,
    /// Why it is not sent; the rest of it is passed over.
    failed: Option<(&'static str, Vec<String>, &'static str)>,
}

impl Session {
    /// PRIVMSG, and NOTICE, which is no other.
    pub(super) async fn privmsg<T: Talk>(&mut self, line: &Line, talk: &mut T) {
        if line.params.is_empty() {
            return self.reply(ERR_NORECIPIENT, [format!("No recipient given ({})", line.command).as_str()]);
        }
        let text = match spoken(line.param(1)) {
            Spoken::Text(text) if !text.trim().is_empty() => text,
            Spoken::Text(_) => return self.reply(ERR_NOTEXTTOSEND, ["No text to send"]),
            // Answers of programs, and what they ask: nobody's program hears of it.
            Spoken::Machine => return,
        };
        self.say_to_all(line, &text, talk).await;
    }

    async fn say_to_all<T: Talk>(&mut self, line: &Line, text: &str, talk: &mut T) {
        let answers = answered(line);
        for target in line.param(0).split(',').take(MAX_TARGETS) {
            let Some(conversation) = self.addressed(target) else { continue };
            let body = Body::Text { text: text.to_owned(), answers };
            let Some(id) = self.say(target, &conversation, body, talk).await else { continue };
            if self.caps.has(Cap::EchoMessage) {
                match talk.entry(&conversation, id).await {
                    Ok(Some(entry)) => self.show(&conversation, &Told::from(entry), None, talk),
                    // It disappeared already.
                    Ok(None) => {}
                    Err(why) => self.reply(ERR_CANNOTSENDTOCHAN, [target, why.as_str()]),
                }
            }
            self.read_by_answering(&conversation, talk).await;
        }
    }

    /// Finds to whom a client speaks; else says why that cannot be.
    fn addressed(&mut self, target: &str) -> Option<Conversation> {
        let conversation = self.conversation(target);
        match &conversation {
            None if target.starts_with('#') => {
                self.reply(ERR_NOSUCHCHANNEL, [target, "There is no such room in a group of yours"]);
            }
            None => self.reply(ERR_NOSUCHNICK, [target, "You know nobody of that name"]),
            Some(room @ Conversation::Room(..)) if !self.joined.contains(room) => {
                self.reply(ERR_CANNOTSENDTOCHAN, [target, "Cannot send to channel: /join it first"]);
                return None;
            }
            Some(_) => {}
        }
        conversation
    }

    /// Says something, and remembers that the client knows.
    async fn say<T: Talk>(
        &mut self,
        target: &str,
        conversation: &Conversation,
        body: Body,
        talk: &mut T,
    ) -> Option<MessageId> {
        match talk.say(conversation, body).await {
            Ok(id) => {
                self.remember(conversation, id);
                Some(id)
            }
            Err(why) => {
                self.reply(ERR_CANNOTSENDTOCHAN, [target, why.as_str()]);
                None
            }
        }
    }

    /// Notes that the user has read what they answer, where the client does not say it itself.
    async fn read_by_answering<T: Talk>(&mut self, conversation: &Conversation, talk: &mut T) {
        if self.caps.has(Cap::ReadMarker) {
            return;
        }
        if let Some(until) = self.shown.get(conversation)
            && let Err(why) = mark(conversation, *until, talk).await
        {
            self.notice(&format!("what you read could not be noted: {why}"));
        }
    }

    /// TAGMSG: reactions, and that the user writes.
    pub(super) async fn tagmsg<T: Talk>(&mut self, line: &Line, talk: &mut T) {
        if !self.caps.has(Cap::MessageTags) {
            return self.reply(ERR_UNKNOWNCOMMAND, ["TAGMSG", "Unknown command"]);
        }
        if !self.has_params(line, 1) {
            return;
        }
        for target in line.param(0).split(',').take(MAX_TARGETS) {
            let Some(conversation) = self.addressed(target) else { continue };
            if let Some(typing) = line.tagged("+typing") {
                talk.typing(&conversation, typing == "active").await;
            }
            self.react(line, target, &conversation, talk).await;
        }
    }

    async fn react<T: Talk>(&mut self, line: &Line, target: &str, conversation: &Conversation, talk: &mut T) {
        let (reaction, put) = match (line.tagged("+draft/react"), line.tagged("+draft/unreact")) {
            (Some(reaction), _) => (reaction.to_owned(), true),
            (None, Some(reaction)) => (reaction.to_owned(), false),
            (None, None) => return,
        };
        let (Some(to), true) = (answered(line), !reaction.is_empty() && reaction.len() <= MAX_REACTION) else {
            return self.fail("TAGMSG", "INVALID_PARAMS", &[target], "a reaction is short, and to a message (+reply)");
        };
        self.reacts = true;
        let body = Body::Reaction { to, reaction: reaction.clone(), put };
        let Some(id) = self.say(target, conversation, body, talk).await else { return };
        if self.caps.has(Cap::EchoMessage)
            && let Some(way) = self.way(conversation, self.view.me())
        {
            let mut echo = Line::new("TAGMSG", [way.target]).from(way.source).tag("msgid", id.to_string());
            echo.tags.extend(reply_tags(to));
            self.lines.push(echo.tag(if put { "+draft/react" } else { "+draft/unreact" }, reaction));
        }
    }

    /// REDACT: takes back a message of the user's (message-redaction).
    pub(super) async fn redact<T: Talk>(&mut self, line: &Line, talk: &mut T) {
        if !self.caps.has(Cap::Redaction) {
            return self.reply(ERR_UNKNOWNCOMMAND, ["REDACT", "Unknown command"]);
        }
        if !self.has_params(line, 2) {
            return;
        }
        let (target, id) = (line.param(0), line.param(1));
        let Some(conversation) = self.conversation(target) else {
            return self.fail("REDACT", "INVALID_TARGET", &[target], "You cannot delete messages from there");
        };
        let found = match id.parse() {
            Ok(of) => talk.entry(&conversation, of).await,
            Err(_) => Ok(None),
        };
        let entry = match found {
            Ok(Some(entry)) => entry,
            Ok(None) => return self.fail("REDACT", "UNKNOWN_MSGID", &[target, id], "There is no such message"),
            Err(why) => return self.fail("REDACT", "REDACT_FORBIDDEN", &[target, id], &why),
        };
        if entry.author != self.view.me() {
            return self.fail("REDACT", "REDACT_FORBIDDEN", &[target, id], "Only who wrote a message can take it back");
        }
        if let Err(why) = talk.say(&conversation, Body::Deletion { of: entry.position.id }).await {
            self.fail("REDACT", "REDACT_FORBIDDEN", &[target, id], &why);
        }
    }

    /// BATCH: begins or ends a message of several lines.
    pub(super) async fn batch<T: Talk>(&mut self, line: &Line, talk: &mut T) {
        if let Some(name) = line.param(0).strip_prefix('+') {
            if line.param(1) != "draft/multiline" || !self.caps.has(Cap::Multiline) || line.params.len() < 3 {
                return self.fail("BATCH", "UNKNOWN_TYPE", &[name, line.param(1)], "this kind of batch is not known");
            }
            let (name, opening) = (name.to_owned(), line.clone());
            self.multiline = Some(Multiline { name, opening, text: String::new(), lines: 0, failed: None });
            return;
        }
        let name = line.param(0).strip_prefix('-').unwrap_or_default();
        let Some(multiline) = self.multiline.take_if(|multiline| multiline.name == name) else {
            return self.fail("BATCH", "INVALID_REFTAG", &[line.param(0)], "there is no such batch");
        };
        if let Some((code, context, why)) = multiline.failed {
            let context: Vec<&str> = context.iter().map(String::as_str).collect();
            return self.fail("BATCH", code, &context, why);
        }
        let text = match spoken(&multiline.text) {
            Spoken::Text(text) if !text.trim().is_empty() => text,
            _ => return self.fail("BATCH", "MULTILINE_INVALID", &[], "there is nothing in the message"),
        };
        // The target is the third parameter of a batch, and the first of what says something.
        let mut saying = multiline.opening;
        saying.params.drain(..2);
        self.say_to_all(&saying, &text, talk).await;
        if let Some(label) = saying.tagged("label")
            && self.caps.has(Cap::LabeledResponse)
        {
            self.label(label.to_owned());
        }
    }

    /// Takes one more line of a message of several.
    pub(super) fn more_of_batch(&mut self, line: &Line) {
        let Some(multiline) = &mut self.multiline else { return };
        let target = multiline.opening.param(2);
        let text = line.param(1);
        let goes_on = line.tagged("draft/multiline-concat").is_some();
        multiline.lines += 1;
        if multiline.lines > 1 && !goes_on {
            multiline.text.push('\n');
        }
        let invalid = "Invalid multiline batch";
        let failure = if line.tagged("batch") != Some(&multiline.name)
            || !matches!(line.command.as_str(), "PRIVMSG" | "NOTICE")
        {
            Some(("MULTILINE_INVALID", Vec::new(), invalid))
        } else if fold(line.param(0)) != fold(target) {
            let targets = vec![target.to_owned(), line.param(0).to_owned()];
            Some(("MULTILINE_INVALID_TARGET", targets, "Invalid multiline target"))
        } else if goes_on && text.is_empty() {
            Some(("MULTILINE_INVALID", Vec::new(), "Invalid multiline batch with concatenated blank line"))
        } else if multiline.lines > MULTILINE_LINES {
            Some(("MULTILINE_MAX_LINES", vec![MULTILINE_LINES.to_string()], "Multiline batch max-lines exceeded"))
        } else if multiline.text.len() + text.len() > MAX_TEXT {
            Some(("MULTILINE_MAX_BYTES", vec![MAX_TEXT.to_string()], "Multiline batch max-bytes exceeded"))
        } else {
            multiline.text.push_str(text);
            None
        };
        if multiline.failed.is_none() {
            multiline.failed = failure;
        }
    }
}

/// Returns which message a line answers.
fn answered(line: &Line) -> Option<MessageId> {
    line.tagged("+reply").or_else(|| line.tagged("+draft/reply"))?.parse().ok()
}
