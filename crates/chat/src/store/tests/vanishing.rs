//! Messages that disappear, and what is left on the disk.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// Lets a message disappear so many seconds after it came.
fn short(message: Message, expires_s: u32) -> Message {
    Message { expires_s: Some(expires_s), ..message }
}

#[tokio::test]
async fn a_message_disappears_in_time_and_does_not_come_again() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let timer = talk.say(BOB, Body::Timer { expires_s: Some(60) });
    let minute = short(talk.text(BOB, "for a minute"), 60);
    let file = short(talk.say(BOB, attachment("brief.txt", "for two")), 120);
    let heart = short(talk.react(&minute, ALICE, "❤", true), 3600);
    let kept = talk.say(ALICE, Body::Text { text: "kept".into(), answers: Some(minute.id) });
    tell(&store, &[&timer, &minute, &file, &heart, &kept]).await;
    assert_eq!(store.history(&talk.conversation, None, 9).await.unwrap()[1].due_ms, Some(NOW + 60_000));

    let early = store.expire(NOW + 59_999).await.unwrap();
    assert_eq!(early, Expired { messages: Vec::new(), next_ms: Some(NOW + 60_000) });
    let first = store.expire(NOW + 60_000).await.unwrap();
    let place = talk.conversation.clone();
    // The reaction went with what it was about.
    assert_eq!(first, Expired { messages: vec![(place.clone(), minute.id)], next_ms: Some(NOW + 120_000) });
    check(&store).await;
    let lines = ["Bob sets the timer to Some(60)", "Bob: brief.txt, 5 bytes, 40 to fetch, for two", "Alice: kept > ?"];
    assert_eq!(shown(&store, &place).await, lines);
    let second = store.expire(NOW + 999_999).await.unwrap();
    assert_eq!(second, Expired { messages: vec![(place.clone(), file.id)], next_ms: None });

    tell(&store, &[&minute, &file, &heart]).await;
    assert_eq!(shown(&store, &place).await, ["Bob sets the timer to Some(60)", "Alice: kept > ?"]);
    assert!(store.search("brief", None, 9).await.unwrap().is_empty());
    assert_eq!(store.conversations().await.unwrap()[0].unread, 0);
    let asked = vec![minute.id, file.id, heart.id, timer.id];
    assert_eq!(store.messages(&place, asked).await.unwrap(), [timer]);
    assert_eq!(store.position(&place, minute.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_conversation_of_which_all_disappeared_has_no_last_line() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    tell(&store, &[&short(talk.text(BOB, "gone"), 1), &short(talk.text(BOB, "gone too"), 1)]).await;
    assert_eq!(store.expire(NOW + 1000).await.unwrap().messages.len(), 2);
    let list = store.conversations().await.unwrap();
    assert_eq!((list.len(), &list[0].newest, list[0].unread), (1, &None, 0));
}

#[tokio::test]
async fn many_disappear_some_at_a_time() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said: Vec<_> = (0..150).map(|_| short(talk.text(BOB, "many"), 5)).collect();
    tell(&store, &said.iter().collect::<Vec<_>>()).await;
    let first = store.expire(NOW + 5000).await.unwrap();
    assert_eq!((first.messages.len(), first.next_ms), (100, Some(NOW + 5000)));
    let second = store.expire(NOW + 5000).await.unwrap();
    assert_eq!((second.messages.len(), second.next_ms), (50, None));
    check(&store).await;
}

#[tokio::test]
async fn with_words_that_disappear_goes_what_they_stand_for() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let (said, other) = (talk.text(BOB, "at four"), talk.text(BOB, "in May"));
    let edit = short(talk.edit(&said, BOB, "at five"), 60);
    let (passing, last) = (short(talk.edit(&other, BOB, "in June"), 60), talk.edit(&other, BOB, "in July"));
    tell(&store, &[&said, &other, &edit, &passing, &last]).await;
    let expired = store.expire(NOW + 60_000).await.unwrap();
    // It does not go back to words that were replaced.
    assert_eq!(expired.messages, [(talk.conversation.clone(), said.id)]);
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob: in July (edited)"]);
    check(&store).await;
}

#[tokio::test]
async fn a_reaction_that_was_taken_away_does_not_come_back() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said = talk.text(BOB, "hm");
    let put = [talk.react(&said, ALICE, "👍", true), talk.react(&said, ALICE, "❤", true)];
    let taken = short(talk.react(&said, ALICE, "👍", false), 60);
    tell(&store, &[&said, &put[0], &put[1], &taken]).await;
    assert!(store.expire(NOW + 60_000).await.unwrap().messages.is_empty());
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob: hm [❤ Alice]"]);
}

#[tokio::test]
async fn the_line_of_what_was_taken_back_disappears_too() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said = short(talk.text(BOB, "oops"), 60);
    let deletion = short(talk.delete(&said, BOB), 60);
    tell(&store, &[&said, &deletion]).await;
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob took it back"]);
    let expired = store.expire(NOW + 60_000).await.unwrap();
    assert_eq!(expired, Expired { messages: vec![(talk.conversation.clone(), said.id)], next_ms: None });
    assert!(shown(&store, &talk.conversation).await.is_empty());
    // The deletion itself stays: others who lack it may ask.
    assert_eq!(store.messages(&talk.conversation, vec![deletion.id]).await.unwrap().len(), 1);
}

/// How much of a [`word`] is searched: not its beginning, which the full-text index leaves away where words share it.
const PART: std::ops::RangeFrom<usize> = 4..;

/// Counts where any of the parts of words stands in a file of the database.
fn traces(folder: &Path, parts: &BTreeSet<Vec<u8>>) -> usize {
    let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let is_part = |bytes: &&[u8]| bytes[0].is_ascii_hexdigit() && parts.contains(*bytes);
    files.map(|bytes| bytes.windows(16 - PART.start).filter(is_part).count()).sum()
}

/// A word of 16 digits that is nowhere else.
fn word(n: u32) -> String {
    format!("{:x}", (u64::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63)
}

#[tokio::test]
async fn of_what_is_gone_nothing_is_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Db::open(&folder.path().join("node.db")).unwrap(), ALICE).await.unwrap();
    let mut talk = Talk::with(BOB);
    let (mut deleted, mut secret) = (Vec::new(), Vec::new());
    for n in 0..600 {
        let long = format!("{} {} {}", word(3 * n), "and so on ".repeat(n as usize % 40), word(3 * n + 1));
        let said = match n % 3 {
            // Between what stays.
            0 => talk.text(BOB, "this is kept, and this"),
            1 => short(talk.text(BOB, &long), 60),
            _ => talk.say(
                BOB,
                Body::Attachment {
                    name: word(3 * n + 2),
                    bytes: 1,
                    notice: word(3 * n + 1).repeat(n as usize % 500).into_bytes(),
                    caption: long.clone(),
                },
            ),
        };
        if n % 3 != 0 {
            secret.extend([word(3 * n), word(3 * n + 1)]);
        }
        if n % 3 == 2 {
            secret.push(word(3 * n + 2));
            deleted.push(said.clone());
        }
        // Each for itself, so that the full-text index has many parts, which it merges now and then.
        store.apply(vec![Change::Message(Box::new(said))], NOW).await.unwrap();
    }
    let parts: BTreeSet<_> = secret.iter().map(|word| word[PART].as_bytes().to_vec()).collect();
    assert!(traces(folder.path(), &parts) >= parts.len(), "the search itself finds nothing");

    let deletions: Vec<_> = deleted.iter().map(|message| talk.delete(message, BOB)).collect();
    tell(&store, &deletions.iter().collect::<Vec<_>>()).await;
    for _ in 0..2 {
        assert_eq!(store.expire(NOW + 60_000).await.unwrap().messages.len(), 100);
    }
    check(&store).await;
    assert_eq!(traces(folder.path(), &parts), 0);
    assert_eq!(store.history(&talk.conversation, None, MAX_PAGE).await.unwrap().len(), 400);
}
