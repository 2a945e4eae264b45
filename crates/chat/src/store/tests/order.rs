//! What is shown does not depend on the order in which it came.

use proptest::prelude::*;

use super::*;

/// One thing that somebody does, by numbers that are taken modulo what there is.
type Deed = (usize, usize, usize, bool);

fn tell_all(deeds: &[Deed]) -> (Talk, Vec<Change>) {
    let mut talk = Talk::room("main");
    let mut said = vec![talk.say(ALICE, Body::Opening)];
    let mut marks = Vec::new();
    for &(what, who, which, flag) in deeds {
        let author = [ALICE, BOB, CAROL][who % 3];
        // Mostly one of the last few, so that much happens to the same one.
        let about = said[said.len() - 1 - which % said.len().min(6)].clone();
        let n = said.len();
        let message = match what % 8 {
            0 | 1 => {
                talk.say(author, Body::Text { text: format!("word{n} common"), answers: flag.then_some(about.id) })
            }
            2 => talk.say(author, attachment(&format!("file{n}"), "common")),
            3 => talk.edit(&about, if flag { about.author } else { author }, &format!("other{n} common")),
            4 => talk.react(&about, author, ["👍", "❤"][which % 2], flag),
            5 => talk.delete(&about, if flag { about.author } else { author }),
            6 => {
                marks.push(Change::Read(talk.conversation.clone(), vec![about.id]));
                continue;
            }
            _ => {
                let stage = [Stage::Waiting, Stage::InMailbox, Stage::Delivered, Stage::Read][which % 4];
                marks.push(Change::Stage(talk.conversation.clone(), about.id, author, stage));
                continue;
            }
        };
        said.push(message);
    }
    let messages = said.into_iter().map(|message| Change::Message(Box::new(message)));
    (talk, messages.chain(marks).collect())
}

/// Everything that can be read of a conversation, a line each.
async fn everything(store: &Store, talk: &Talk) -> Vec<String> {
    check(store).await;
    let history = store.history(&talk.conversation, None, MAX_PAGE).await.unwrap();
    let found = store.search("common", None, MAX_PAGE).await.unwrap();
    let unread = store.unread(&talk.conversation, None, MAX_PAGE).await.unwrap();
    let kept = store.all(None, None, MAX_PAGE).await.unwrap();
    let ids = kept.iter().map(|kept| kept.position.id).collect();
    let messages = store.messages(&talk.conversation, ids).await.unwrap();
    let mut all: Vec<_> = history.iter().map(|entry| format!("{entry:?}")).collect();
    all.extend(found.iter().map(|hit| format!("{hit:?}")));
    all.extend(unread.iter().map(|position| format!("unread {position:?}")));
    all.extend(kept.iter().zip(messages).map(|of| format!("{of:?}")));
    all.extend(store.conversations().await.unwrap().iter().map(|summary| format!("{summary:?}")));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_order_with_any_repetition_shows_the_same(
        deeds in prop::collection::vec(any::<Deed>(), 1..40), seed in any::<u64>(), batch in 1..9_usize
    ) {
        let (talk, changes) = tell_all(&deeds);
        let mut mixed = [&changes[..], &changes[..changes.len() / 2]].concat();
        fastrand::Rng::with_seed(seed).shuffle(&mut mixed);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (straight, crooked) = (alice().await, alice().await);
            straight.apply(changes, NOW).await.unwrap();
            for part in mixed.chunks(batch) {
                crooked.apply(part.to_vec(), NOW).await.unwrap();
            }
            let (shown, expected) = (everything(&crooked, &talk).await, everything(&straight, &talk).await);
            for (line, expected) in shown.iter().zip(&expected) {
                assert_eq!(line, expected);
            }
            assert_eq!(shown.len(), expected.len());
        });
    }
}
