//! Messages as lines.

use base::units::{format_bytes, format_duration};

use super::*;
use crate::irc::text::{Piece, pieces};
use crate::irc::{line, moment};
use crate::{Entry, Said};

/// Between whom lines are, as a client is shown them.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// From whom, with user and host.
    pub(super) source: String,
    /// A channel, or a nick: the user's own where somebody writes to the user.
    pub(super) target: String,
}

/// A message as a client is told of it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) id: MessageId,
    pub(super) author: PersonId,
    pub(super) written: u64,
    pub(super) said: Said,
    pub(super) is_edited: bool,
    pub(super) answers: Option<MessageId>,
    pub(super) reactions: Vec<(String, Vec<PersonId>)>,
}

impl From<Entry> for Told {
    fn from(entry: Entry) -> Told {
        let Entry { position, author, written, said, is_edited, answers, reactions, .. } = entry;
        let answers = answers.map(|quote| quote.id);
        Told { id: position.id, author, written, said, is_edited, answers, reactions }
    }
}

impl Session {
    /// Returns between whom the lines of a conversation are; `None` where the client is not to see them.
    pub(super) fn way(&self, conversation: &Conversation, author: PersonId) -> Option<Way> {
        let target = match conversation.partner(self.view.me()) {
            Some(partner) if author == self.view.me() => self.view.nick(partner),
            Some(_) => self.view.nick(self.view.me()),
            None => self.view.channel(conversation)?.name.clone(),
        };
        Some(Way { source: self.view.source(author), target })
    }

    /// Shows a message as it is now.
    pub(super) fn show<T: Talk>(&mut self, conversation: &Conversation, told: &Told, batch: Option<&str>, talk: &T) {
        let Some(way) = self.way(conversation, told.author) else { return };
        let edited = if told.is_edited { "* edited: " } else { "" };
        let (command, text) = match &told.said {
            Said::Deleted => return,
            Said::Text(text) => ("PRIVMSG", format!("{edited}{text}")),
            Said::Attachment { name, bytes, notice, caption } => {
                let (size, how) = (format_bytes(*bytes), talk.how_to_fetch(notice));
                let gap = if caption.is_empty() { "" } else { "\n" };
                ("PRIVMSG", format!("* file: {name} ({size}); to fetch it: {how}{gap}{edited}{caption}"))
            }
            Said::Timer(seconds) => ("NOTICE", timer(*seconds)),
            Said::Opening => ("NOTICE", "opened this room".to_owned()),
        };
        let newest = self.shown.entry(conversation.clone()).or_default();
        *newest = (*newest).max(told.written);
        let mut tags =
            vec![("time".to_owned(), moment::write(told.written)), ("msgid".to_owned(), told.id.to_string())];
        tags.extend(told.answers.into_iter().flat_map(reply_tags));
        self.speak(&way, command, &text, tags, batch, told.written);
        if self.caps.has(Cap::EventPlayback)
            && let Some(batch) = batch
        {
            self.show_reactions(conversation, told, batch);
        }
    }

    /// Shows a text in as many lines as it needs. The tags go with the first; `written`: for clients that see no tags of a
    /// batch.
    pub(super) fn speak(
        &mut self,
        way: &Way,
        command: &str,
        text: &str,
        tags: Vec<(String, String)>,
        batch: Option<&str>,
        written: u64,
    ) {
        // What is old says so itself where no tag does: irssi asks for times, and shows them only to who set it so.
        let sees_times =
            self.caps.has(Cap::ServerTime) && (self.caps.has(Cap::Batch) || self.caps.has(Cap::MessageTags));
        let text = match batch {
            Some(_) if !sees_times => format!("[{}] {text}", moment::short(written, &self.zone)),
            _ => text.to_owned(),
        };
        let frame = format!(":{} {command} {} :\r\n", way.source, way.target).len();
        let pieces = pieces(&text, line::MAX_LINE.saturating_sub(frame));
        if pieces.len() > 1 && self.caps.has(Cap::Multiline) && self.caps.has(Cap::Batch) {
            return self.speak_batch(way, command, &pieces, tags, batch);
        }
        let time: Vec<_> = tags.iter().filter(|(key, _)| key == "time").cloned().collect();
        let mut words: Vec<&str> =
            pieces.iter().map(|piece| piece.text.as_str()).filter(|text| !text.is_empty()).collect();
        if words.is_empty() {
            // Clients take no line without words.
            words.push(" ");
        }
        for (index, words) in words.into_iter().enumerate() {
            let mut line = Line::new(command, [way.target.as_str(), words]).from(way.source.clone());
            line.tags.extend(batch.map(|batch| ("batch".to_owned(), batch.to_owned())));
            line.tags.extend(if index == 0 { tags.clone() } else { time.clone() });
            self.lines.push(line);
        }
    }

    /// Shows a text as one message of several lines (multiline).
    fn speak_batch(
        &mut self,
        way: &Way,
        command: &str,
        pieces: &[Piece],
        tags: Vec<(String, String)>,
        outer: Option<&str>,
    ) {
        let name = self.new_batch();
        let opening = Line::new("BATCH", [format!("+{name}").as_str(), "draft/multiline", way.target.as_str()]);
        let mut opening = opening.from(way.source.clone());
        opening.tags.extend(outer.map(|outer| ("batch".to_owned(), outer.to_owned())));
        opening.tags.extend(tags);
        self.lines.push(opening);
        for piece in pieces {
            let line = Line::new(command, [way.target.as_str(), piece.text.as_str()]).from(way.source.clone());
            let line = line.tag("batch", name.as_str());
            self.lines.push(if piece.goes_on { line.tag("draft/multiline-concat", "") } else { line });
        }
        self.lines.push(Line::new("BATCH", [format!("-{name}")]).from(SERVER));
    }

    /// Shows how people reacted, behind the message (chathistory, "draft/chathistory-context").
    fn show_reactions(&mut self, conversation: &Conversation, told: &Told, batch: &str) {
        let all = told.reactions.iter().flat_map(|(reaction, by)| by.iter().map(move |person| (reaction, *person)));
        for (reaction, person) in all {
            let Some(way) = self.way(conversation, person) else { continue };
            let line = Line::new("TAGMSG", [way.target]).from(way.source).tag("batch", batch);
            let mut line = line.tag("time", moment::write(told.written)).tag("draft/chathistory-context", "");
            line.tags.extend(reply_tags(told.id));
            self.lines.push(line.tag("+draft/react", reaction.as_str()));
        }
    }
}

/// Says which message is answered, as old and new clients read it.
pub(super) fn reply_tags(id: MessageId) -> [(String, String); 2] {
    ["+reply", "+draft/reply"].map(|key| (key.to_owned(), id.to_string()))
}

/// Says for how long messages are kept.
pub(super) fn timer(seconds: Option<u32>) -> String {
    match seconds {
        Some(seconds) => {
            let long = format_duration(Duration::from_secs(seconds.into()));
            format!("from now on messages here are kept for {long}")
        }
        None => "from now on messages here are kept for good".to_owned(),
    }
}
