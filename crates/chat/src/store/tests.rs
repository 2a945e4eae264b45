//! Stories of Alice, whose store it is, Bob and Carol.

mod changing;
mod finding;
mod order;
mod vanishing;

use base::GroupId;
use db::Db;
use rusqlite::Connection;

use super::*;
use crate::proto::{Body, Pen, RoomName, Stage};

pub(super) const ALICE: PersonId = PersonId([1; 32]);
pub(super) const BOB: PersonId = PersonId([2; 32]);
pub(super) const CAROL: PersonId = PersonId([3; 32]);

/// When messages come, in milliseconds since 1970.
pub(super) const NOW: u64 = 1_795_000_000_000;

/// When the first is written.
pub(super) const BEGIN: u64 = NOW - 1_000_000;

/// A conversation that is written as its people speak, each with one pen.
pub(super) struct Talk {
    pub conversation: Conversation,
    said: Vec<Message>,
}

impl Talk {
    pub fn with(other: PersonId) -> Talk {
        Talk { conversation: Conversation::between(ALICE, other), said: Vec::new() }
    }

    pub fn room(name: &str) -> Talk {
        let conversation = Conversation::Room(GroupId([9; 32]), RoomName::new(name).unwrap());
        Talk { conversation, said: Vec::new() }
    }

    /// Somebody says something, a second after what was said before.
    pub fn say(&mut self, author: PersonId, body: Body) -> Message {
        let number = self.said.iter().filter(|message| message.author == author).count() as u32 + 1;
        let message = Message {
            conversation: self.conversation.clone(),
            id: MessageId { pen: Pen([author.0[0]; 8]), number },
            author,
            time: self.said.len() as u64 + 1,
            written: BEGIN + self.said.len() as u64 * 1000,
            after: self.said.last().map(|last| last.id).into_iter().collect(),
            expires_s: None,
            body,
        };
        self.said.push(message.clone());
        message
    }

    pub fn text(&mut self, author: PersonId, text: &str) -> Message {
        self.say(author, Body::Text { text: text.into(), answers: None })
    }

    pub fn edit(&mut self, of: &Message, author: PersonId, text: &str) -> Message {
        self.say(author, Body::Edit { of: of.id, text: text.into() })
    }

    pub fn react(&mut self, to: &Message, author: PersonId, reaction: &str, put: bool) -> Message {
        self.say(author, Body::Reaction { to: to.id, reaction: reaction.into(), put })
    }

    pub fn delete(&mut self, of: &Message, author: PersonId) -> Message {
        self.say(author, Body::Deletion { of: of.id })
    }
}

pub(super) fn attachment(name: &str, caption: &str) -> Body {
    Body::Attachment { name: name.into(), bytes: 5, notice: vec![7; 40], caption: caption.into() }
}

pub(super) async fn alice() -> Store {
    Store::open(Db::in_memory().unwrap(), ALICE).await.unwrap()
}

/// Lets messages enter the history, all at once, at the beginning of the story.
pub(super) async fn tell(store: &Store, messages: &[&Message]) {
    let changes = messages.iter().map(|&message| Change::Message(Box::new(message.clone()))).collect();
    store.apply(changes, NOW).await.unwrap();
    check(store).await;
}

/// Writes down what is shown, a line a message.
pub(super) async fn shown(store: &Store, conversation: &Conversation) -> Vec<String> {
    store.history(conversation, None, MAX_PAGE).await.unwrap().iter().map(line).collect()
}

fn line(entry: &Entry) -> String {
    let who = name(entry.author);
    let mut line = match &entry.said {
        Said::Text(text) => format!("{who}: {text}"),
        Said::Attachment { name, bytes, notice, caption } => {
            format!("{who}: {name}, {bytes} bytes, {} to fetch, {caption}", notice.len())
        }
        Said::Timer(expires_s) => format!("{who} sets the timer to {expires_s:?}"),
        Said::Opening => format!("{who} opens the room"),
        Said::Deleted => format!("{who} took it back"),
    };
    if entry.is_edited {
        line += " (edited)";
    }
    if let Some(quote) = &entry.answers {
        let of = quote.of.as_ref().map(|(author, text)| format!("{}: {text}", name(*author)));
        line += &format!(" > {}", of.as_deref().unwrap_or("?"));
    }
    for (reaction, people) in &entry.reactions {
        let people: Vec<_> = people.iter().map(|person| name(*person)).collect();
        line += &format!(" [{reaction} {}]", people.join(" "));
    }
    line
}

fn name(person: PersonId) -> &'static str {
    match person {
        ALICE => "Alice",
        BOB => "Bob",
        CAROL => "Carol",
        _ => "?",
    }
}

/// Checks what has to hold at any time: the full-text index says what the history says, and the counts are right.
pub(super) async fn check(store: &Store) {
    let work = |c: &mut Connection| {
        c.execute("INSERT INTO chat_search (chat_search, rank) VALUES ('integrity-check', 1)", ())?;
        let wrong = "SELECT count(*) FROM chat_conversations k WHERE unread != \
            (SELECT count(*) FROM chat_messages WHERE conversation = k.id AND unread = 1)";
        let wrong: i64 = c.query_row(wrong, (), |row| row.get(0))?;
        assert_eq!(wrong, 0, "a count of what is unread is wrong");
        let left = "SELECT count(*) FROM chat_messages WHERE gone != 0 AND \
            coalesce(text, edited, name, notice, causes, to_pen) IS NOT NULL";
        let left: i64 = c.query_row(left, (), |row| row.get(0))?;
        assert_eq!(left, 0, "something is left of what is gone");
        Ok(())
    };
    store.db.call(work).await.unwrap();
}

#[tokio::test]
async fn a_history_is_read_page_by_page_in_the_order_shown() {
    let (store, mut talk) = (alice().await, Talk::room("main"));
    let said: Vec<_> = (1..=9).map(|n| talk.text([ALICE, BOB, CAROL][n % 3], &format!("word {n}"))).collect();
    let mixed = [4, 0, 8, 2, 6, 1, 7, 3, 5].map(|at| &said[at]);
    tell(&store, &mixed).await;

    let place = talk.conversation.clone();
    let last = |entries: Vec<Entry>| {
        entries
            .iter()
            .map(|entry| entry.said.text().unwrap().rsplit(' ').next().unwrap().to_owned())
            .collect::<String>()
    };
    let page = store.history(&place, None, 4).await.unwrap();
    let first = page[0].position;
    assert_eq!(last(page), "6789");
    let page = store.history(&place, Some(first), 4).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.written).collect::<Vec<_>>(), [1, 2, 3, 4].map(|n| BEGIN + n * 1000));
    assert_eq!(last(page), "2345");

    let (two, five) = (store.position(&place, said[1].id).await.unwrap(), first);
    let span = |after, before, from_start| Span { after, before, from_start };
    assert_eq!(last(store.lines(&place, span(two, None, true), 3).await.unwrap()), "345");
    assert_eq!(last(store.lines(&place, span(two, Some(five), false), 2).await.unwrap()), "45");
    assert_eq!(last(store.lines(&place, span(two, Some(five), true), 9).await.unwrap()), "345");
    assert_eq!(last(store.around(&place, five, 4).await.unwrap()), "4567");
    assert_eq!(last(store.around(&place, two.unwrap(), 5).await.unwrap()), "12345");
    assert_eq!(last(store.around(&place, five, 1).await.unwrap()), "6");

    let moment = store.moment(&place, BEGIN + 1500).await.unwrap();
    assert_eq!((moment.until, moment.since.map(|at| at.id)), (two, Some(said[2].id)));
    assert_eq!(store.moment(&place, BEGIN - 1).await.unwrap().until, None);
    assert_eq!(store.moment(&place, u64::MAX).await.unwrap().since, None);
    let exactly = store.moment(&place, BEGIN + 1000).await.unwrap();
    assert_eq!((exactly.until, exactly.since), (two, two));

    let elsewhere = Conversation::between(ALICE, BOB);
    assert!(store.history(&elsewhere, None, 9).await.unwrap().is_empty());
    assert_eq!(store.position(&elsewhere, said[1].id).await.unwrap(), None);
}

#[tokio::test]
async fn the_list_has_what_was_said_last_first_and_counts_what_is_unread() {
    let store = alice().await;
    let (mut bob, mut room) = (Talk::with(BOB), Talk::room("main"));
    let (long, file) = ("é".repeat(1000), attachment("cat.jpg", &"x".repeat(1000)));
    let messages = [bob.text(BOB, &long), bob.text(ALICE, "yes"), bob.text(BOB, &long)];
    tell(&store, &messages.each_ref()).await;
    let opening = room.say(CAROL, Body::Opening);
    tell(&store, &[&opening, &room.text(CAROL, "hi"), &room.text(BOB, "ho"), &room.say(CAROL, file)]).await;
    store.set_muted(room.conversation.clone(), true).await.unwrap();
    store.apply(vec![Change::Request(bob.conversation.clone(), true)], NOW).await.unwrap();
    let silent = Conversation::between(ALICE, CAROL);
    store.set_muted(silent.clone(), true).await.unwrap();

    let list = store.conversations().await.unwrap();
    let places: Vec<_> = list.iter().map(|summary| &summary.conversation).collect();
    assert_eq!(places, [&room.conversation, &bob.conversation, &silent]);
    let facts: Vec<_> = list.iter().map(|s| (s.unread, s.is_muted, s.is_request)).collect();
    assert_eq!(facts, [(3, true, false), (2, false, true), (0, true, false)]);
    let newest: Vec<_> = list.iter().map(|summary| summary.newest.as_ref()).collect();
    let cut = |name: &str| Said::Attachment { name: name.into(), bytes: 5, notice: vec![], caption: "x".repeat(200) };
    assert_eq!(newest[0].map(|newest| (newest.author, newest.said.clone())), Some((CAROL, cut("cat.jpg"))));
    assert_eq!(newest[1].map(|newest| newest.said.clone()), Some(Said::Text("é".repeat(200))));
    assert_eq!(newest[2], None);

    store.apply(vec![Change::Request(bob.conversation.clone(), false)], NOW).await.unwrap();
    store.set_muted(room.conversation.clone(), false).await.unwrap();
    let list = store.conversations().await.unwrap();
    assert!(!list[0].is_muted && !list[1].is_request);
}

#[tokio::test]
async fn what_the_author_dates_into_the_future_counts_from_when_it_came() {
    let store = alice().await;
    let (mut bob, mut carol) = (Talk::with(BOB), Talk::with(CAROL));
    let dreamt = Message { written: u64::MAX, ..bob.text(BOB, "from far away") };
    tell(&store, &[&dreamt]).await;
    let later = Message { written: NOW + 60_000, ..carol.text(CAROL, "now") };
    store.apply(vec![Change::Message(Box::new(later))], NOW + 60_000).await.unwrap();

    let list = store.conversations().await.unwrap();
    assert_eq!(list[0].conversation, carol.conversation);
    assert_eq!(list[1].newest.as_ref().unwrap().said_ms, NOW);
    assert_eq!(store.history(&bob.conversation, None, 1).await.unwrap()[0].written, u64::MAX);
}

#[tokio::test]
async fn a_read_mark_holds_even_if_it_comes_first() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said: Vec<_> = (0..4).map(|n| talk.text(BOB, &format!("{n}"))).collect();
    let read = |ids: &[&Message]| Change::Read(talk.conversation.clone(), ids.iter().map(|m| m.id).collect());
    store.apply(vec![read(&[&said[1]])], NOW).await.unwrap();
    tell(&store, &said.iter().collect::<Vec<_>>()).await;
    let unread = async |until| -> Vec<u32> {
        store.unread(&talk.conversation, until, 9).await.unwrap().iter().map(|at| at.id.number).collect()
    };
    assert_eq!(unread(None).await, [1, 3, 4]);
    store.apply(vec![read(&[&said[0]]), read(&[&said[0], &said[1]])], NOW).await.unwrap();
    check(&store).await;
    assert_eq!(unread(None).await, [3, 4]);
    let third = store.position(&talk.conversation, said[2].id).await.unwrap().unwrap();
    assert_eq!(unread(Some(third)).await, [3]);

    store.apply(vec![read(&[&said[2]])], NOW).await.unwrap();
    check(&store).await;
    let flags = store.history(&talk.conversation, None, 9).await.unwrap();
    assert_eq!(flags.iter().map(|entry| entry.is_unread).collect::<Vec<_>>(), [false, false, false, true]);
    assert_eq!(store.conversations().await.unwrap()[0].unread, 1);
}

#[tokio::test]
async fn a_message_of_ours_only_gets_further() {
    let (store, mut talk) = (alice().await, Talk::room("main"));
    let said = talk.text(ALICE, "hello");
    let stage = |person, stage| Change::Stage(talk.conversation.clone(), said.id, person, stage);
    store.apply(vec![stage(BOB, Stage::Waiting), stage(CAROL, Stage::Read)], NOW).await.unwrap();
    tell(&store, &[&said]).await;
    store.apply(vec![stage(BOB, Stage::Delivered), stage(CAROL, Stage::InMailbox)], NOW).await.unwrap();
    let entry = store.history(&talk.conversation, None, 1).await.unwrap().remove(0);
    assert_eq!(entry.stages, [(BOB, Stage::Delivered), (CAROL, Stage::Read)]);
}

#[tokio::test]
async fn a_restart_finds_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.db");
    let store = Store::open(Db::open(&path).unwrap(), ALICE).await.unwrap();
    let mut talk = Talk::with(BOB);
    let fact = |key: u8, value: Option<u8>| Change::Fact(vec![key], value.map(|value| vec![value]));
    store.apply(vec![fact(2, Some(1)), fact(1, Some(1)), fact(3, Some(1))], NOW).await.unwrap();
    store.apply(vec![fact(2, Some(2)), fact(3, None), fact(4, None)], NOW).await.unwrap();
    let said = talk.text(BOB, "kept");
    tell(&store, &[&said]).await;
    drop(store);

    let store = Store::open(Db::open(&path).unwrap(), ALICE).await.unwrap();
    assert_eq!(store.facts().await.unwrap(), [(vec![1], vec![1]), (vec![2], vec![2])]);
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob: kept"]);
    assert_eq!(store.messages(&talk.conversation, vec![said.id]).await.unwrap(), [said]);
}

#[tokio::test]
async fn what_cannot_be_stored_leaves_nothing_behind() {
    let store = alice().await;
    store.db.call(|c| c.execute_batch("DROP TABLE chat_stages")).await.unwrap();
    let mut talk = Talk::with(BOB);
    let said = talk.text(ALICE, "hello");
    let stage = Change::Stage(talk.conversation.clone(), said.id, BOB, Stage::Delivered);
    let changes = vec![Change::Fact(vec![1], Some(vec![1])), Change::Message(Box::new(said)), stage];
    assert!(store.apply(changes, NOW).await.is_err());
    assert!(store.facts().await.unwrap().is_empty() && store.conversations().await.unwrap().is_empty());
}
