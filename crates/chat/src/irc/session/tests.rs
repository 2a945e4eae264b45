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
use crate::irc::talk::{Entry, From, Latest, Page, Said, What, Written};
use crate::irc::view::{Group, Member, Person, Scene};
use crate::proto::{Body, Message, Pen, RoomName};

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
    said: Vec<(Conversation, Said)>,
    typing: Vec<(Conversation, bool)>,
    marked: BTreeMap<Conversation, u64>,
    /// Why nothing can be said.
    refuses: Option<String>,
    count: u32,
}

impl Fake {
    fn id(&mut self) -> MessageId {
        self.count += 1;
        MessageId { pen: Pen([7; 8]), number: self.count }
    }

    /// Somebody said something.
    fn said(&mut self, conversation: &Conversation, author: PersonId, text: &str) -> Entry {
        let id = self.id();
        let what = What::Text { text: text.into(), answers: None, edited: false };
        let entry = Entry { id, author, written: NOON + 1000 * u64::from(id.number), what, reactions: Vec::new() };
        self.history.entry(conversation.clone()).or_default().push(entry.clone());
        entry
    }
}

impl Talk for Fake {
    fn admits(&self, password: &str) -> bool {
        password == TOKEN
    }

    fn how_to_fetch(&self, _: &Conversation, id: MessageId) -> String {
        format!("compeer fetch {}", id.number)
    }

    async fn page(&mut self, conversation: &Conversation, page: Page) -> Result<Vec<Entry>, String> {
        if self.history.contains_key(&Conversation::between(BOB, CAROL)) {
            return Err("the disk is gone".into());
        }
        let all = self.history.get(conversation).cloned().unwrap_or_default();
        let at = |id: MessageId| all.iter().position(|entry| entry.id == id);
        let within: Vec<Entry> = match (page.from, page.back) {
            (From::End, true) | (From::Beginning, false) => all.clone(),
            (From::End, false) | (From::Beginning, true) => Vec::new(),
            (From::Message(id), true) => at(id).map(|at| all[..at].to_vec()).unwrap_or_default(),
            (From::Message(id), false) => at(id).map(|at| all[at + 1..].to_vec()).unwrap_or_default(),
            (From::Moment(ms), true) => all.iter().filter(|entry| entry.written < ms).cloned().collect(),
            (From::Moment(ms), false) => all.iter().filter(|entry| entry.written > ms).cloned().collect(),
        };
        let first = if page.back { within.len().saturating_sub(page.limit) } else { 0 };
        Ok(within.into_iter().skip(first).take(page.limit).collect())
    }

    async fn find(&mut self, conversation: &Conversation, id: MessageId) -> Result<Option<Entry>, String> {
        Ok(self.history.get(conversation).and_then(|all| all.iter().find(|entry| entry.id == id)).cloned())
    }

    async fn latest(&mut self) -> Result<Vec<Latest>, String> {
        let latest = self.history.iter().filter_map(|(conversation, all)| {
            let marked = self.marked.get(conversation).copied().unwrap_or_default();
            let unread = all.iter().filter(|entry| entry.author != ALICE && entry.written > marked).count() as u64;
            Some(Latest { conversation: conversation.clone(), written: all.last()?.written, unread })
        });
        Ok(latest.collect())
    }

    async fn say(&mut self, conversation: &Conversation, said: Said) -> Result<Written, String> {
        if let Some(why) = &self.refuses {
            return Err(why.clone());
        }
        self.said.push((conversation.clone(), said.clone()));
        let Said::Text { text, .. } = said else {
            return Ok(Written { id: self.id(), written: NOON });
        };
        let entry = Fake::said(self, conversation, ALICE, &text);
        Ok(Written { id: entry.id, written: entry.written })
    }

    async fn typing(&mut self, conversation: &Conversation, writes: bool) {
        self.typing.push((conversation.clone(), writes));
    }

    async fn mark(&mut self, conversation: &Conversation, until: u64) -> Result<(), String> {
        let marked = self.marked.entry(conversation.clone()).or_default();
        *marked = until.max(*marked);
        Ok(())
    }

    async fn marked(&mut self, conversation: &Conversation) -> Result<Option<u64>, String> {
        Ok(self.marked.get(conversation).copied())
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
