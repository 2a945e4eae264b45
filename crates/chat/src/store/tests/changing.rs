//! Edits, reactions, deletions, and giving to others what is here.

use super::*;

#[tokio::test]
async fn an_edit_of_the_author_stands_for_what_was_said() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said = talk.text(BOB, "see you at four");
    let file = talk.say(BOB, attachment("map.png", "the way"));
    let first = talk.edit(&said, BOB, "see you at five");
    let caption = talk.edit(&file, BOB, "the way home");
    let foreign = talk.edit(&said, ALICE, "see you never");
    let last = talk.edit(&said, BOB, "see you at six");
    let answer = talk.say(ALICE, Body::Text { text: "fine".into(), answers: Some(said.id) });
    // The one before the last comes last.
    tell(&store, &[&said, &file, &caption, &foreign, &last, &answer]).await;
    tell(&store, &[&first]).await;

    let lines = shown(&store, &talk.conversation).await;
    let expected = [
        "Bob: see you at six (edited)",
        "Bob: map.png, 5 bytes, 40 to fetch, the way home (edited)",
        "Alice: fine > Bob: see you at six",
    ];
    assert_eq!(lines, expected);
    let ids = vec![said.id, first.id, foreign.id, answer.id];
    assert_eq!(store.messages(&talk.conversation, ids).await.unwrap(), [said, first, foreign, answer]);
}

#[tokio::test]
async fn an_edit_that_is_taken_back_gives_way_to_the_one_before() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said = talk.text(BOB, "four");
    let (five, six) = (talk.edit(&said, BOB, "five"), talk.edit(&said, BOB, "six"));
    let (no_six, no_five) = (talk.delete(&six, BOB), talk.delete(&five, BOB));
    tell(&store, &[&said, &five, &six, &no_six]).await;
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob: five (edited)"]);
    tell(&store, &[&no_five]).await;
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob: four"]);
}

#[tokio::test]
async fn reactions_are_put_and_taken_away_by_each_person() {
    let (store, mut talk) = (alice().await, Talk::room("main"));
    let said = talk.text(BOB, "cake!");
    let mut react = |who, reaction: &str, put| talk.react(&said, who, reaction, put);
    let all = [
        react(CAROL, "👍", true),
        react(ALICE, "❤", true),
        react(ALICE, "👍", true),
        react(BOB, "👎", true),
        react(CAROL, "👍", true),
        react(BOB, "👎", false),
        react(ALICE, "👍", false),
    ];
    let messages: Vec<_> = all.iter().rev().chain([&said]).collect();
    tell(&store, &messages).await;
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob: cake! [❤ Alice] [👍 Carol]"]);

    let again = talk.react(&said, ALICE, "👍", true);
    let back = talk.delete(&all[1], ALICE);
    tell(&store, &[&again, &back]).await;
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob: cake! [👍 Carol Alice]"]);
}

#[tokio::test]
async fn what_its_author_takes_back_is_gone_for_good() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said = talk.say(BOB, attachment("secret.pdf", "look"));
    let (edit, heart) = (talk.edit(&said, BOB, "look here"), talk.react(&said, ALICE, "❤", true));
    let answer = talk.say(ALICE, Body::Text { text: "oh".into(), answers: Some(said.id) });
    let foreign = talk.delete(&said, ALICE);
    tell(&store, &[&said, &edit, &heart, &answer, &foreign]).await;
    let lines = [
        "Bob: secret.pdf, 5 bytes, 40 to fetch, look here (edited) [❤ Alice]",
        "Alice: oh > Bob: secret.pdf look here",
    ];
    assert_eq!(shown(&store, &talk.conversation).await, lines);

    let deletion = talk.delete(&said, BOB);
    tell(&store, &[&deletion]).await;
    let late = talk.react(&said, BOB, "👍", true);
    let later = talk.edit(&said, BOB, "look there");
    tell(&store, &[&said, &edit, &heart, &late, &later]).await;
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob took it back", "Alice: oh > ?"]);
    assert_eq!(store.conversations().await.unwrap()[0].unread, 0);
    let asked = [&said, &edit, &heart, &late, &later, &deletion].map(|message| message.id).to_vec();
    assert_eq!(store.messages(&talk.conversation, asked).await.unwrap(), [deletion]);
}

#[tokio::test]
async fn a_deletion_cannot_be_taken_back() {
    let (store, mut talk) = (alice().await, Talk::with(BOB));
    let said = talk.text(BOB, "no");
    let deletion = talk.delete(&said, BOB);
    let wish = talk.delete(&deletion, BOB);
    tell(&store, &[&wish, &deletion]).await;
    tell(&store, &[&said]).await;
    assert_eq!(shown(&store, &talk.conversation).await, ["Bob took it back"]);
}

#[tokio::test]
async fn another_node_of_ours_is_given_all_that_is_here() {
    let (store, mut one, mut two) = (alice().await, Talk::with(BOB), Talk::room("main"));
    let mut said = vec![
        one.text(BOB, "first"),
        one.say(ALICE, attachment("a.txt", "")),
        one.say(BOB, Body::Timer { expires_s: Some(60) }),
    ];
    said.push(one.edit(&said[0], BOB, "first!"));
    said.push(one.react(&said[0], ALICE, "👍", false));
    let gone = one.text(BOB, "never said");
    said.push(one.delete(&gone, BOB));
    let mut strange = one.text(BOB, "strange");
    strange.expires_s = Some(u32::MAX);
    strange.written = u64::MAX;
    said.push(strange);
    let elsewhere = [two.say(CAROL, Body::Opening), two.say(CAROL, Body::Timer { expires_s: None })];
    said.extend(elsewhere);
    tell(&store, &said.iter().chain([&gone]).collect::<Vec<_>>()).await;

    for limit in [1, 2, 3, 100] {
        let (mut given, mut after) = (Vec::new(), None);
        loop {
            let page = store.all(None, after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some((last.conversation.clone(), last.position));
            for kept in page {
                let is_news = kept.conversation == one.conversation && matches!(kept.position.time, 1 | 8);
                assert_eq!(kept.is_unread, is_news, "{kept:?}");
                given.extend(store.messages(&kept.conversation, vec![kept.position.id]).await.unwrap());
            }
        }
        assert_eq!(given, said, "{limit} at a time");
    }
    let room = store.all(Some(two.conversation.clone()), None, 9).await.unwrap();
    assert_eq!(room.iter().map(|kept| kept.position.id).collect::<Vec<_>>(), [said[7].id, said[8].id]);
    let nowhere = store.all(Some(Conversation::between(ALICE, CAROL)), None, 9).await.unwrap();
    assert!(nowhere.is_empty());
}
