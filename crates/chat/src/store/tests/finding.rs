//! Searching.

use proptest::prelude::*;

use super::*;

/// Returns what is found: the pieces that matched in brackets.
async fn found(store: &Store, words: &str, conversation: Option<&Conversation>) -> Vec<String> {
    let piece = |(text, is_found): &(String, bool)| if *is_found { format!("[{text}]") } else { text.clone() };
    let hits = store.search(words, conversation, 10).await.unwrap();
    hits.iter().map(|hit| hit.snippet.iter().map(piece).collect()).collect()
}

#[tokio::test]
async fn words_are_found_in_any_writing_the_newest_first() {
    let (store, mut bob, mut room) = (alice().await, Talk::with(BOB), Talk::room("main"));
    let bobs = [
        bob.text(BOB, "The café in the Straße opens"),
        bob.text(ALICE, "CAFE closed; don't go"),
        bob.say(BOB, attachment("cafeteria-menu.pdf", "what they have")),
    ];
    tell(&store, &bobs.each_ref()).await;
    let rooms = [room.text(CAROL, "a coffee?"), room.text(CAROL, "in the cafe")];
    tell(&store, &[&Message { written: BEGIN + 500, ..rooms[0].clone() }]).await;
    tell(&store, &[&Message { written: BEGIN + 1500, ..rooms[1].clone() }]).await;

    let all = [
        "[cafeteria]-menu.pdf\nwhat they have",
        "in the [cafe]",
        "[CAFE] closed; don't go",
        "The [café] in the Straße opens",
    ];
    assert_eq!(found(&store, "Café", None).await, all);
    assert_eq!(found(&store, "cafe ", Some(&room.conversation)).await, ["in the [cafe]"]);
    // Not the last word: it has to be whole.
    assert_eq!(found(&store, "caf opens", None).await, Vec::<String>::new());
    assert_eq!(found(&store, "cafe op", None).await, ["The [café] in the Straße [opens]"]);
    assert_eq!(found(&store, "have menu.pdf", None).await, ["cafeteria-[menu.pdf]\nwhat they [have]"]);
    assert_eq!(found(&store, "don't", None).await, ["CAFE closed; [don't] go"]);
    assert_eq!(found(&store, "nothing", None).await, Vec::<String>::new());
    assert!(found(&store, "cafe", Some(&Conversation::between(ALICE, CAROL))).await.is_empty());

    let hit = store.search("opens", None, 1).await.unwrap().remove(0);
    let (position, id) = (store.position(&bob.conversation, bobs[0].id).await.unwrap().unwrap(), bobs[0].id);
    assert_eq!((hit.conversation, hit.position, hit.position.id, hit.author), (bob.conversation, position, id, BOB));
    assert_eq!(hit.said_ms, BEGIN);
}

#[tokio::test]
async fn a_long_text_is_shown_where_it_matches() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let text = format!("{}needle {}", "hay ".repeat(500), "straw ".repeat(500));
    tell(&store, &[&talk.text(BOB, &text)]).await;
    let found = found(&store, "needle", None).await.remove(0);
    assert!(found.len() < 200 && found.contains("hay [needle] ") && found.contains("straw"), "{found}");
    assert!(found.starts_with('…') && found.ends_with('…'), "{found}");
}

#[tokio::test]
async fn an_edited_text_is_found_by_its_new_words_alone() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said = talk.text(BOB, "meet at the harbour");
    let edit = talk.edit(&said, BOB, "meet at the station");
    tell(&store, &[&said, &edit]).await;
    assert!(found(&store, "harbour", None).await.is_empty());
    assert_eq!(found(&store, "station", None).await, ["meet at the [station]"]);
    tell(&store, &[&talk.delete(&said, BOB)]).await;
    assert!(found(&store, "station", None).await.is_empty() && found(&store, "meet", None).await.is_empty());
}

#[tokio::test]
async fn a_text_with_any_character_is_found_and_wiped() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said = talk.text(BOB, "nul\0inside \u{fdd0} marks \u{fdd1} \"quoted\"");
    tell(&store, &[&said]).await;
    for words in ["inside", "marks", "\"quoted\""] {
        assert_eq!(store.search(words, None, 9).await.unwrap().len(), 1, "{words}");
    }
    tell(&store, &[&talk.delete(&said, BOB)]).await;
    assert!(store.search("inside", None, 9).await.unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_typed_is_searched(words in "\\PC{0,40}|[\"*()^:+ANDORNEAR{}, -]{0,40}|.{0,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (store, mut talk) = (alice().await, Talk::with(BOB));
            let said = talk.text(BOB, &words);
            tell(&store, &[&said]).await;
            let hits = store.search(&words, None, 9).await.unwrap();
            let within = store.search(&words, Some(&talk.conversation), 9).await.unwrap();
            assert_eq!(hits, within);
            // Only words that both SQLite and Rust take for some are sure to be found.
            let is_plain = words.chars().all(|c| c.is_ascii() && c != '\0');
            if is_plain && words.contains(|c: char| c.is_ascii_alphanumeric()) {
                assert_eq!(hits.len(), 1, "{words:?}");
            }
        });
    }
}
