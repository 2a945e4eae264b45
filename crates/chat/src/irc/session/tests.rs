//! Stories of clients at Alice's node. Bob is a contact, Carol a fellow member of the group "Tea & Cake", whose rooms are
//! the main one and "cups".

mod coming_in;
mod looking_on;
mod reading;
mod talking;

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use base::{GroupId, WallTime};
use data_encoding::BASE64;

use super::*;
use crate::irc::moment;
use crate::irc::view::{Group, Member, Person, Scene};
use crate::proto::{Body, Message, Pen, RoomName};
use crate::{Entry, Moment, Newest, Position, Said, Span, Summary};

const ALICE: PersonId = PersonId([1; 32]);
const BOB: PersonId = PersonId([2; 32]);
const CAROL: PersonId = PersonId([3; 32]);
const DORA: PersonId = PersonId([4; 32]);
const TEA: GroupId = GroupId([9; 32]);

/// The password of the node.
const TOKEN: &str = "secret";

/// When everything here is written: 2026-01-01T12:00:00Z, and a second later each time.
const NOON: u64 = 1_767_268_800_000;

fn tea() -> Conversation {
    Conversation::Room(TEA, RoomName::main())
}

fn cups() -> Conversation {
    Conversation::Room(TEA, RoomName::new("cups").unwrap())
}

fn with_bob() -> Conversation {
    Conversation::between(ALICE, BOB)
}

/// What Alice sees: Bob is there, Carol is not.
fn scene() -> Scene {
    let person = |person, name: &str, is_contact, is_here| Person { person, name: name.into(), is_contact, is_here };
    Scene {
        me: ALICE,
        people: vec![
            person(ALICE, "alice", false, false),
            person(BOB, "bob", true, true),
            person(CAROL, "Carol C.", false, false),
        ],
        groups: vec![Group {
            group: TEA,
            name: Some("Tea & Cake".into()),
            members: [ALICE, BOB, CAROL].map(|person| Member { person, is_admin: person == BOB }).into(),
            rooms: [RoomName::main(), RoomName::new("cups").unwrap()].into(),
        }],
    }
}

fn source(person: PersonId) -> String {
    View::new(scene()).source(person)
}

/// Runs what waits for nothing.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the fake waits for nothing"),
    }
}

/// The node, as far as a client reaches it.
#[derive(Default)]
struct Fake {
    history: BTreeMap<Conversation, Vec<Entry>>,
    said: Vec<(Conversation, Body)>,
    typing: Vec<(Conversation, bool)>,
    /// Why nothing can be said or read.
    fails: Option<String>,
    count: u32,
}

impl Fake {
    fn id(&mut self) -> MessageId {
        self.count += 1;
        MessageId { pen: Pen([7; 8]), number: self.count }
    }

    /// Somebody said something.
    fn said(&mut self, conversation: &Conversation, author: PersonId, text: &str) -> MessageId {
        let id = self.id();
        let time = u64::from(id.number);
        let entry = Entry {
            position: Position { time, id },
            author,
            written: NOON + 1000 * time,
            said: Said::Text(text.into()),
            is_edited: false,
            answers: None,
            reactions: Vec::new(),
            stages: Vec::new(),
            is_unread: author != ALICE,
            due_ms: None,
        };
        self.history.entry(conversation.clone()).or_default().push(entry);
        id
    }

    fn all(&self, of: &Conversation) -> Result<Vec<Entry>, String> {
        match &self.fails {
            Some(why) => Err(why.clone()),
            None => Ok(self.history.get(of).cloned().unwrap_or_default()),
        }
    }

    fn is_unread(&self, of: &Conversation, id: MessageId) -> bool {
        self.history[of].iter().any(|entry| entry.position.id == id && entry.is_unread)
    }
}

impl Talk for Fake {
    fn admits(&self, password: &str) -> bool {
        password == TOKEN
    }

    fn how_to_fetch(&self, notice: &[u8]) -> String {
        format!("compeer inbox accept {}", String::from_utf8_lossy(notice))
    }

    async fn conversations(&mut self) -> Result<Vec<Summary>, String> {
        let summary = |(conversation, all): (&Conversation, &Vec<Entry>)| Summary {
            conversation: conversation.clone(),
            newest: all.last().map(|entry| Newest {
                position: entry.position,
                author: entry.author,
                said: entry.said.clone(),
                said_ms: entry.written,
            }),
            unread: all.iter().filter(|entry| entry.is_unread).count() as u64,
            is_muted: false,
            is_request: conversation.partner(ALICE) == Some(DORA),
        };
        Ok(self.history.iter().map(summary).collect())
    }

    async fn lines(&mut self, of: &Conversation, span: Span, limit: usize) -> Result<Vec<Entry>, String> {
        let mut all = self.all(of)?;
        all.retain(|entry| span.after.is_none_or(|after| entry.position > after));
        all.retain(|entry| span.before.is_none_or(|before| entry.position < before));
        let first = if span.from_start { 0 } else { all.len().saturating_sub(limit) };
        Ok(all.into_iter().skip(first).take(limit).collect())
    }

    async fn entry(&mut self, of: &Conversation, id: MessageId) -> Result<Option<Entry>, String> {
        Ok(self.all(of)?.into_iter().find(|entry| entry.position.id == id))
    }

    async fn position(&mut self, of: &Conversation, id: MessageId) -> Result<Option<Position>, String> {
        Ok(self.all(of)?.iter().map(|entry| entry.position).find(|position| position.id == id))
    }

    async fn moment(&mut self, of: &Conversation, written: u64) -> Result<Moment, String> {
        let all = self.all(of)?;
        Ok(Moment {
            until: all.iter().rfind(|entry| entry.written <= written).map(|entry| entry.position),
            since: all.iter().find(|entry| entry.written >= written).map(|entry| entry.position),
        })
    }

    async fn unread(
        &mut self,
        of: &Conversation,
        until: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, String> {
        let unread = self.all(of)?.into_iter().filter(|entry| entry.is_unread).map(|entry| entry.position);
        Ok(unread.filter(|position| until.is_none_or(|until| *position <= until)).take(limit).collect())
    }

    async fn read(&mut self, of: &Conversation, ids: Vec<MessageId>) -> Result<(), String> {
        for entry in self.history.entry(of.clone()).or_default() {
            entry.is_unread &= !ids.contains(&entry.position.id);
        }
        Ok(())
    }

    async fn say(&mut self, to: &Conversation, body: Body) -> Result<MessageId, String> {
        if let Some(why) = &self.fails {
            return Err(why.clone());
        }
        self.said.push((to.clone(), body.clone()));
        match body {
            Body::Text { text, .. } => Ok(self.said(to, ALICE, &text)),
            _ => Ok(self.id()),
        }
    }

    async fn typing(&mut self, to: &Conversation, writes: bool) {
        self.typing.push((to.clone(), writes));
    }
}

/// A client, and the node that it is at.
struct Client {
    session: Session,
    node: Fake,
    now: Now,
}

impl Client {
    /// Has come, and said nothing.
    fn connected() -> Client {
        let now = Now { mono: Instant::START, wall: WallTime(NOON / 1000) };
        let session = Session::new(now, TimeZone::UTC, Arc::new(View::new(scene())));
        Client { session, node: Fake::default(), now }
    }

    /// Came in with capabilities; what it was told by then is left out.
    fn with(node: Fake, caps: &str) -> Client {
        let mut client = Client::connected();
        client.node = node;
        client.send(&format!("CAP REQ :{caps}"));
        client.send("CAP END");
        client.come_in();
        client
    }

    /// Came in as the oldest clients do.
    fn plain(node: Fake) -> Client {
        let mut client = Client::connected();
        client.node = node;
        client.come_in();
        client
    }

    fn come_in(&mut self) -> Vec<String> {
        self.send(&format!("PASS {TOKEN}"));
        self.send("NICK whoever");
        self.send("USER u 0 * :Real Name")
    }

    /// Sends a line; returns the answer.
    fn send(&mut self, line: &str) -> Vec<String> {
        self.handle(Input::Line(Ok(line.as_bytes().to_vec())))
    }

    fn handle(&mut self, input: Input) -> Vec<String> {
        run(self.session.handle(self.now, input, &mut self.node));
        let outputs = std::iter::from_fn(|| self.session.poll_output());
        outputs
            .map(|output| match output {
                Output::Line(line) => line.strip_suffix("\r\n").expect("a line has its end").to_owned(),
                Output::Close => "(closed)".to_owned(),
            })
            .collect()
    }

    /// Something is said elsewhere; returns what the client is told.
    fn hears(&mut self, conversation: &Conversation, author: PersonId, body: Body) -> Vec<String> {
        let id = self.node.id();
        self.hears_of(id, conversation, author, body)
    }

    fn hears_of(&mut self, id: MessageId, conversation: &Conversation, author: PersonId, body: Body) -> Vec<String> {
        let conversation = conversation.clone();
        let (time, written, after, expires_s) = (1, NOON, Vec::new(), None);
        let message = Message { conversation, id, author, time, written, after, expires_s, body };
        self.handle(Input::Event(Event::Shown(Box::new(message))))
    }

    fn sees(&mut self, scene: Scene) -> Vec<String> {
        self.handle(Input::View(Arc::new(View::new(scene))))
    }

    fn passes(&mut self, time: Duration) -> Vec<String> {
        self.now.mono = self.now.mono + time;
        self.handle(Input::Timeout)
    }
}

fn text(text: &str) -> Body {
    Body::Text { text: text.into(), answers: None }
}

/// The lines with a command or number, without from whom and to whom they are.
fn of<'a>(lines: &'a [String], command: &str) -> Vec<&'a str> {
    let with = lines.iter().filter(|line| line.split(' ').any(|word| word == command));
    with.map(String::as_str).collect()
}
