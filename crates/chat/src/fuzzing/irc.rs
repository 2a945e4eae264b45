//! An IRC client that says anything, while somebody else writes anything.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use base::{GroupId, Now, PersonId};
use jiff::tz::TimeZone;

use crate::irc::{Cutter, Group, Input, MAX_LINE, Member, Output, Person, Scene, Session, Talk, View};
use crate::proto::{Body, Conversation, Event, Message, MessageId, Pen, RoomName};
use crate::{Entry, Moment, Position, Said, Span, Summary};

const ME: PersonId = PersonId([1; 32]);
const BOB: PersonId = PersonId([2; 32]);
const GROUP: GroupId = GroupId([3; 32]);

/// What the group is called: nobody guesses it.
const SECRET: &str = "Kaleidoskop-4711";

/// What lets a client in.
const PASSWORD: &str = "p";

/// The longest tags of a line to a client (message-tags, "Size limit").
const MAX_TAGS: usize = 8191;

/// Begins the lines of an input that are no client's: what comes behind it is said by somebody else.
const OTHERS: u8 = b'!';

/// Has one message in each conversation.
struct Shelf;

fn entry() -> Entry {
    let position = Position { time: 1, id: MessageId { pen: Pen([7; 8]), number: 1 } };
    let said = Said::Text(format!("of {SECRET}\nand more"));
    let (answers, reactions, stages) = (None, vec![("👍".to_owned(), vec![BOB])], Vec::new());
    let (is_edited, is_unread, due_ms) = (true, true, None);
    Entry { position, author: BOB, written: 1, said, is_edited, answers, reactions, stages, is_unread, due_ms }
}

impl Talk for Shelf {
    fn admits(&self, password: &str) -> bool {
        password == PASSWORD
    }

    fn how_to_fetch(&self, _: &[u8]) -> String {
        "fetch".to_owned()
    }

    async fn conversations(&mut self) -> Result<Vec<Summary>, String> {
        let (conversation, newest) = (Conversation::between(ME, BOB), None);
        Ok(vec![Summary { conversation, newest, unread: 1, is_muted: false, is_request: true }])
    }

    async fn lines(&mut self, _: &Conversation, _: Span, limit: usize) -> Result<Vec<Entry>, String> {
        Ok(std::iter::repeat_with(entry).take(limit.min(2)).collect())
    }

    async fn entry(&mut self, _: &Conversation, id: MessageId) -> Result<Option<Entry>, String> {
        Ok(Some(entry()).filter(|entry| entry.position.id == id))
    }

    async fn position(&mut self, _: &Conversation, _: MessageId) -> Result<Option<Position>, String> {
        Ok(Some(entry().position))
    }

    async fn moment(&mut self, _: &Conversation, written: u64) -> Result<Moment, String> {
        let at = Some(entry().position);
        Ok(Moment { until: at.filter(|_| written >= 1), since: at.filter(|_| written <= 1) })
    }

    async fn unread(&mut self, _: &Conversation, until: Option<Position>, _: usize) -> Result<Vec<Position>, String> {
        // Whatever is asked to be read is read at once.
        Ok(if until.is_some() { Vec::new() } else { vec![entry().position] })
    }

    async fn read(&mut self, _: &Conversation, _: Vec<MessageId>) -> Result<(), String> {
        Ok(())
    }

    async fn say(&mut self, _: &Conversation, body: Body) -> Result<MessageId, String> {
        if let Body::Text { text, .. } = body {
            assert!(!text.trim().is_empty() && !text.contains(['\r', '\0', '\u{1}']), "{text:?} is said");
        }
        Ok(entry().position.id)
    }

    async fn typing(&mut self, _: &Conversation, _: bool) {}
}

/// Whatever a client says and hears, what it is told are lines within the limits; and nothing of what is here before it
/// showed the password.
pub fn irc(data: &[u8]) {
    let mut session = Session::new(Now::default(), TimeZone::UTC, Arc::new(View::new(scene())));
    let mut told = String::new();
    for line in Cutter::default().cut(data) {
        let input = match line {
            Ok(line) if line.first() == Some(&OTHERS) => event(&line[1..]),
            line => Input::Line(line),
        };
        handle(&mut session, input);
        while let Some(output) = session.poll_output() {
            if let Output::Line(line) = output {
                check(&line);
                told.push_str(&line);
            }
        }
    }
    let guessed = String::from_utf8_lossy(data).contains(SECRET);
    assert!(guessed || !told.contains(SECRET) || told.contains(" 001 "), "it was told too early: {told}");
}

fn handle(session: &mut Session, input: Input) {
    let mut shelf = Shelf;
    let handled = std::pin::pin!(session.handle(Now::default(), input, &mut shelf));
    let done = handled.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(done, Poll::Ready(())), "the shelf waits for nothing");
}

fn check(line: &str) {
    let words = line.strip_suffix("\r\n").expect("a line has its end");
    assert!(!words.contains(['\r', '\n', '\0']), "{words:?} are several lines");
    let rest = match words.strip_prefix('@') {
        Some(tagged) => {
            let (tags, rest) = tagged.split_once(' ').expect("tags end");
            assert!(tags.len() + "@ ".len() <= MAX_TAGS, "{} bytes of tags", tags.len());
            rest
        }
        None => words,
    };
    assert!(rest.len() + "\r\n".len() <= MAX_LINE, "{} bytes", rest.len());
}

/// Somebody else says this.
fn event(text: &[u8]) -> Input {
    let text = String::from_utf8_lossy(text).replace(';', "\n");
    let id = MessageId { pen: Pen([7; 8]), number: 1 };
    let body = match text.split_at_checked(1) {
        Some(("r", reaction)) => Body::Reaction { to: id, reaction: reaction.to_owned(), put: true },
        Some(("e", text)) => Body::Edit { of: id, text: text.to_owned() },
        Some(("d", _)) => Body::Deletion { of: id },
        Some(("a", name)) => {
            Body::Attachment { name: name.to_owned(), bytes: 1, notice: Vec::new(), caption: name.to_owned() }
        }
        _ => Body::Text { text, answers: Some(id) },
    };
    let (conversation, author) = (Conversation::Room(GROUP, RoomName::main()), BOB);
    let (time, written, after, expires_s) = (1, u64::MAX, Vec::new(), None);
    Input::Event(Event::Shown(Box::new(Message { conversation, id, author, time, written, after, expires_s, body })))
}

fn scene() -> Scene {
    let person = |person, name: &str| Person { person, name: name.to_owned(), is_contact: true, is_here: true };
    let members = vec![Member { person: ME, is_admin: true }, Member { person: BOB, is_admin: false }];
    let group = Group { group: GROUP, name: Some(SECRET.to_owned()), members, rooms: BTreeSet::new() };
    Scene { me: ME, people: vec![person(ME, "me"), person(BOB, "bob")], groups: vec![group] }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines as clients send them, and others.
    fn line() -> impl Strategy<Value = String> {
        let command = prop::sample::select(vec![
            "CAP REQ",
            "CAP END",
            "PASS p",
            "NICK me",
            "USER a b c d",
            "PRIVMSG",
            "NOTICE",
            "TAGMSG",
            "BATCH",
            "JOIN",
            "PART",
            "CHATHISTORY",
            "MARKREAD",
            "NAMES",
            "WHO",
            "WHOIS",
            "LIST",
            "MODE",
            "REDACT",
            "TOPIC",
            "!",
            "!e",
            "!a",
        ]);
        let words = vec![
            "#kaleidoskop-4711",
            "bob",
            "*",
            "5",
            "LATEST",
            "BETWEEN",
            "msgid=0707070707070707-1",
            "+x",
            "-x",
            "draft/multiline",
            "timestamp=2026-01-01T00:00:00.000Z",
            ":batch message-tags draft/multiline echo-message labeled-response",
        ];
        let word = prop_oneof![prop::sample::select(words).prop_map(str::to_owned), ":?\\PC{0,20}"];
        let tags = prop::sample::select(vec![
            "",
            "",
            "",
            "@label=x ",
            "@batch=x ",
            "@batch=x;draft/multiline-concat ",
            "@+typing=active ",
        ]);
        (tags, command, prop::collection::vec(word, 0..4))
            .prop_map(|(tags, command, words)| format!("{tags}{command} {}\r\n", words.join(" ")))
    }

    proptest! {
        #[test]
        fn whatever_a_client_says_it_is_told_lines(lines in prop::collection::vec(line(), 0..12), comes_in in any::<bool>()) {
            let greeting = if comes_in { "PASS p\r\nNICK me\r\nUSER a b c d\r\n" } else { "" };
            irc(format!("{greeting}{}", lines.concat()).as_bytes());
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            irc(&bytes);
        }
    }
}
