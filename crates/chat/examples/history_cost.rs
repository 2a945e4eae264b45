//! What a long history costs: `cargo run --release -p chat --example history_cost [MESSAGES]`.
//!
//! Fills a database in a temporary folder (100,000 messages unless told otherwise; half of them in one room, the others
//! in 200 conversations; a tenth are reactions and edits), then prints how long it takes to write one more and to read.

use std::time::{Duration, Instant};

use base::{GroupId, PersonId};
use chat::export::{Names, write_json, write_mbox};
use chat::proto::{Body, Change, Conversation, Message, MessageId, Pen, RoomName};
use chat::{Span, Store};
use db::{Db, DbError};

const ME: PersonId = PersonId([0; 32]);

/// How many conversations there are beside the large one.
const CONVERSATIONS: u32 = 200;

/// How many different words are said: as many as a person's vocabulary has.
const WORDS: f64 = 30_000.0;

/// When the first message is written, and how far the next one is from the one before, in milliseconds.
const BEGIN: u64 = 1_700_000_000_000;
const STEP: u64 = 60_000;

struct Writing {
    rng: fastrand::Rng,
    count: u64,
    /// The last messages of each conversation, which reactions and edits are about.
    last: Vec<Vec<MessageId>>,
    numbers: Vec<[u32; 4]>,
}

impl Writing {
    fn new() -> Writing {
        let conversations = CONVERSATIONS as usize + 1;
        let (last, numbers) = (vec![Vec::new(); conversations], vec![[0; 4]; conversations]);
        Writing { rng: fastrand::Rng::with_seed(1), count: 0, last, numbers }
    }

    fn now(&self) -> u64 {
        BEGIN + self.count * STEP
    }

    /// A word of the language: the n-th is said 1/n as often as the first (Zipf's law).
    fn word(&mut self) -> String {
        let n = WORDS.powf(self.rng.f64()) as u32;
        word(n)
    }

    fn next(&mut self) -> Message {
        let place = if self.rng.bool() { 0 } else { self.rng.u32(1..=CONVERSATIONS) };
        let speakers = if place == 0 { 4 } else { 2 };
        let who = self.rng.u8(0..speakers);
        let number = &mut self.numbers[place as usize][usize::from(who)];
        *number += 1;
        let id = MessageId { pen: Pen([who; 8]), number: *number };
        let about = self.rng.choice(&self.last[place as usize]).copied();
        let text: Vec<_> = (0..self.rng.usize(3..25)).map(|_| self.word()).collect();
        let text = text.join(" ");
        let body = match (self.rng.u8(0..20), about) {
            (0, Some(to)) => Body::Reaction { to, reaction: "👍".into(), put: true },
            (1, Some(of)) => Body::Edit { of, text },
            (2, answers) => Body::Text { text, answers },
            _ => Body::Text { text, answers: None },
        };
        if matches!(body, Body::Text { .. }) {
            let last = &mut self.last[place as usize];
            last.push(id);
            last.drain(..last.len().saturating_sub(20));
        }
        self.count += 1;
        Message {
            conversation: conversation(place),
            id,
            author: PersonId([who; 32]),
            time: self.count,
            written: self.now(),
            after: vec![id],
            expires_s: None,
            body,
        }
    }
}

fn conversation(place: u32) -> Conversation {
    if place == 0 {
        return Conversation::Room(GroupId([7; 32]), RoomName::main());
    }
    let mut other = [1; 32];
    other[..4].copy_from_slice(&place.to_be_bytes());
    Conversation::between(ME, PersonId(other))
}

/// The n-th word: syllables, shorter ones for the words that are said most.
fn word(mut n: u32) -> String {
    let mut word = String::new();
    while n > 0 {
        let (consonant, vowel) = (n % 20, n / 20 % 5);
        word.push(char::from(b"bcdfghjklmnpqrstvwxz"[consonant as usize]));
        word.push(char::from(b"aeiou"[vowel as usize]));
        n /= 100;
    }
    word
}

/// Prints the median, the mean and the longest of many times that something is done.
async fn measure<T>(what: &str, times: usize, mut work: impl AsyncFnMut() -> Result<T, DbError>) -> Result<T, DbError> {
    let mut took = Vec::new();
    let mut last = None;
    for _ in 0..times {
        let begin = Instant::now();
        last = Some(work().await?);
        took.push(begin.elapsed());
    }
    took.sort_unstable();
    let ms = |took: Duration| took.as_secs_f64() * 1000.0;
    let mean = took.iter().sum::<Duration>() / times as u32;
    println!("{what:<58} {:>9.3} {:>9.3} {:>9.3}", ms(took[times / 2]), ms(mean), ms(took[times - 1]));
    Ok(last.expect("it is done at least once"))
}

async fn fill(store: &Store, writing: &mut Writing, messages: usize) -> Result<(), DbError> {
    let begin = Instant::now();
    for _ in 0..messages.div_ceil(100) {
        let changes = (0..100).map(|_| Change::Message(Box::new(writing.next()))).collect();
        store.apply(changes, writing.now()).await?;
    }
    let each = begin.elapsed().as_secs_f64() * 1e6 / messages as f64;
    println!("{messages} messages by the hundred: {each:.0} µs each");
    Ok(())
}

async fn read(store: &Store) -> Result<(), DbError> {
    let (room, small) = (conversation(0), conversation(1));
    let page = measure("the last 50 lines of the large room", 50, || store.history(&room, None, 50)).await?;
    let middle = store.moment(&room, BEGIN + 50_000 * STEP).await?.until;
    assert_eq!(page.len(), 50);
    measure("50 lines from its middle", 50, || store.history(&room, middle, 50)).await?;
    let span = Span { from_start: true, ..Span::default() };
    measure("its first 50 lines", 50, || store.lines(&room, span, 50)).await?;
    measure("the last 50 lines of a small conversation", 50, || store.history(&small, None, 50)).await?;
    measure("the line at a moment", 50, || store.moment(&room, BEGIN + 50_000 * STEP)).await?;
    let list = measure("the list of conversations", 50, || store.conversations()).await?;
    assert_eq!(list.len(), CONVERSATIONS as usize + 1);

    let (common, rare) = (word(1), word(WORDS as u32 - 7));
    let seldom = store.search(&rare, None, 50).await?.len();
    for (what, words, place) in [
        ("search: the commonest word", common.clone(), None),
        ("search: the commonest word, in a small conversation", common.clone(), Some(&small)),
        ("search: a rare word", rare.clone(), None),
        ("search: a rare word and the commonest", format!("{rare} {common}"), None),
        ("search: the three commonest", format!("{common} {} {}", word(2), word(3)), None),
        ("search: what begins with the commonest letter", "c".into(), None),
        ("search: what begins with two letters", "ca".into(), None),
        ("search: what begins with three letters", "cab".into(), None),
        ("search: a letter, in a small conversation", "c".into(), Some(&small)),
        ("search: what nobody said", "nobodysaidthis".into(), None),
    ] {
        measure(what, 30, || store.search(&words, place, 50)).await?;
    }
    println!("(the rare word was said {seldom} times)");
    measure("50 messages as they came", 50, || {
        store.messages(&room, page.iter().map(|entry| entry.position.id).collect())
    })
    .await?;
    measure("the next 1,000 ids for a new node", 50, || store.all(None, None, 1000)).await?;
    measure("what is unread: the oldest 1,000", 50, || store.unread(&room, None, 1000)).await?;
    Ok(())
}

/// Lets messages be taken back, and others expire.
async fn wipe(store: &Store, writing: &mut Writing) -> Result<(), DbError> {
    let mut lines = store.history(&conversation(0), None, 50).await?;
    measure("one is taken back, and is gone from the disk", 50, async || {
        let (deletion, line) = (writing.next(), lines.pop().expect("there are 50 lines"));
        let (body, conversation) = (Body::Deletion { of: line.position.id }, conversation(0));
        let id = MessageId { pen: Pen([99; 8]), number: lines.len() as u32 + 1 };
        let deletion = Message { conversation, id, author: line.author, body, ..deletion };
        store.apply(vec![Change::Message(Box::new(deletion))], writing.now()).await
    })
    .await?;
    let short = |message| Change::Message(Box::new(Message { expires_s: Some(1), ..message }));
    store.apply((0..1000).map(|_| short(writing.next())).collect(), writing.now()).await?;
    measure("100 expire", 10, || store.expire(writing.now() + 1000)).await?;
    measure("none is due", 50, || store.expire(writing.now())).await?;
    Ok(())
}

struct Nameless;

impl Names for Nameless {
    fn person(&self, person: PersonId) -> String {
        person.to_string()
    }

    fn group(&self, group: GroupId) -> String {
        group.to_string()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messages = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("node.db");
    let store = Store::open(Db::open(&path)?, ME).await?;
    let mut writing = Writing::new();
    fill(&store, &mut writing, messages).await?;
    println!("{:<58} {:>9} {:>9} {:>9}", "in milliseconds:", "median", "mean", "longest");
    measure("one message more, in a transaction of its own", 2000, async || {
        store.apply(vec![Change::Message(Box::new(writing.next()))], writing.now()).await
    })
    .await?;
    drop(store);

    // A new connection: nothing is in SQLite's own cache.
    let store = Store::open(Db::open(&path)?, ME).await?;
    measure("the list of conversations after a restart", 1, || store.conversations()).await?;
    read(&store).await?;
    wipe(&store, &mut writing).await?;
    let begin = Instant::now();
    let mails = write_mbox(&store, &conversation(0), &Nameless, &mut std::io::sink()).await?;
    println!("{mails} mails of the large room: {:?}", begin.elapsed());
    let begin = Instant::now();
    let lines = write_json(&store, &[conversation(0)], &Nameless, &mut std::io::sink()).await?;
    println!("{lines} lines of JSON of it: {:?}", begin.elapsed());
    let bytes = std::fs::metadata(&path)?.len();
    println!("{} MB, {} bytes a message", bytes >> 20, bytes / writing.count);
    Ok(())
}
