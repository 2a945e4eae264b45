//! Lines of JSON (jsonlines.org), so that a reader needs no more memory than a line: one that says what this is, then
//! for each conversation one that names it, and one a message.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::{ExportError, Names, Pages, time};
use crate::proto::Conversation;
use crate::store::{Entry, Said, Store};

/// The version of what is written. It rises when a reader has to know.
const VERSION: u32 = 1;

/// Writes conversations, and returns how many lines of them there were.
pub async fn write_json(
    store: &Store,
    conversations: &[Conversation],
    names: &dyn Names,
    out: &mut (dyn Write + Send),
) -> Result<u64, ExportError> {
    line(out, &json!({ "type": "compeer-chat", "version": VERSION }))?;
    let mut count = 0;
    for conversation in conversations {
        line(out, &heading(conversation, names))?;
        let mut pages = Pages::of(store, conversation);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            count += page.len() as u64;
            page.iter().try_for_each(|entry| line(out, &message(entry, names)))?;
        }
    }
    out.flush()?;
    Ok(count)
}

fn line(out: &mut dyn Write, value: &Value) -> Result<(), ExportError> {
    Ok(writeln!(out, "{value}")?)
}

fn heading(conversation: &Conversation, names: &dyn Names) -> Value {
    match conversation {
        Conversation::Direct(one, other) => {
            let people = [one, other].map(|id| json!({ "id": id.to_string(), "name": names.person(*id) }));
            json!({ "type": "conversation", "people": people })
        }
        Conversation::Room(group, room) => json!({
            "type": "conversation",
            "group": { "id": group.to_string(), "name": names.group(*group) },
            "room": room.as_str(),
        }),
    }
}

fn message(entry: &Entry, names: &dyn Names) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| _ = fields.insert(name.to_owned(), value);
    put("type", json!("message"));
    put("id", json!(entry.position.id.to_string()));
    put("time", json!(time(entry.written).to_string()));
    put("author", json!({ "id": entry.author.to_string(), "name": names.person(entry.author) }));
    match &entry.said {
        Said::Text(text) => put("text", json!(text)),
        Said::Attachment { name, bytes, caption, notice: _ } => {
            put("attachment", json!({ "name": name, "bytes": bytes }));
            put("text", json!(caption));
        }
        Said::Timer(expires_s) => put("timer", json!({ "expires_s": expires_s })),
        Said::Opening => put("opening", json!(true)),
        Said::Deleted => put("deleted", json!(true)),
    }
    if entry.is_edited {
        put("edited", json!(true));
    }
    if let Some(answers) = &entry.answers {
        put("answers", json!(answers.id.to_string()));
    }
    if !entry.reactions.is_empty() {
        let reaction = |(reaction, people): &(String, Vec<_>)| {
            let people: Vec<_> = people.iter().map(ToString::to_string).collect();
            json!({ "reaction": reaction, "people": people })
        };
        put("reactions", entry.reactions.iter().map(reaction).collect());
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use base::{GroupId, PersonId};
    use db::Db;

    use super::*;
    use crate::proto::{Body, Change, Message, MessageId, Pen, RoomName};

    const ALICE: PersonId = PersonId([1; 32]);
    const BOB: PersonId = PersonId([2; 32]);

    struct Called;

    impl Names for Called {
        fn person(&self, person: PersonId) -> String {
            if person == ALICE { "Alice".into() } else { "Bob".into() }
        }

        fn group(&self, _: GroupId) -> String {
            "Club".into()
        }
    }

    fn message(conversation: &Conversation, number: u32, author: PersonId, body: Body) -> Change {
        Change::Message(Box::new(Message {
            conversation: conversation.clone(),
            id: MessageId { pen: Pen([author.0[0]; 8]), number },
            author,
            time: u64::from(number),
            written: 1_795_402_628_123 + u64::from(number),
            after: Vec::new(),
            expires_s: None,
            body,
        }))
    }

    #[tokio::test]
    async fn each_line_says_what_it_is() {
        let store = Store::open(Db::in_memory().unwrap(), ALICE).await.unwrap();
        let direct = Conversation::between(ALICE, BOB);
        let room = Conversation::Room(GroupId([9; 32]), RoomName::main());
        let id = |number| MessageId { pen: Pen([1; 8]), number };
        let text = |text: &str, answers| Body::Text { text: text.into(), answers };
        let file = Body::Attachment { name: "a.txt".into(), bytes: 5, notice: vec![1], caption: "see".into() };
        let changes = vec![
            message(&direct, 1, ALICE, text("two\nlines \"quoted\"", None)),
            message(&direct, 2, BOB, text("yes", Some(id(1)))),
            message(&direct, 3, ALICE, Body::Edit { of: id(1), text: "one".into() }),
            message(&direct, 4, BOB, Body::Reaction { to: id(1), reaction: "👍".into(), put: true }),
            message(&room, 1, ALICE, Body::Opening),
            message(&room, 2, ALICE, file),
            message(&room, 3, ALICE, Body::Timer { expires_s: Some(60) }),
            message(&room, 4, ALICE, text("no", None)),
            message(&room, 5, ALICE, Body::Deletion { of: id(4) }),
        ];
        store.apply(changes, 1_795_402_629_000).await.unwrap();
        let mut out = Vec::new();
        assert_eq!(write_json(&store, &[direct, room], &Called, &mut out).await.unwrap(), 6);

        let out = String::from_utf8(out).unwrap();
        assert!(out.ends_with("}\n"));
        let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (alice, bob) =
            (json!({ "id": ALICE.to_string(), "name": "Alice" }), json!({ "id": BOB.to_string(), "name": "Bob" }));
        let said = |number: u32, author: &Value, pen: &str, more: Value| {
            let time = format!("2026-11-23T02:57:08.{}Z", 123 + number);
            let id = format!("{}-{number}", pen.repeat(8));
            let mut line = json!({ "type": "message", "id": id, "time": time, "author": author });
            line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            line
        };
        let reactions = json!([{ "reaction": "👍", "people": [BOB.to_string()] }]);
        let group = json!({ "id": GroupId([9; 32]).to_string(), "name": "Club" });
        let expected = [
            json!({ "type": "compeer-chat", "version": 1 }),
            json!({ "type": "conversation", "people": [alice, bob] }),
            said(1, &alice, "01", json!({ "text": "one", "edited": true, "reactions": reactions })),
            said(2, &bob, "02", json!({ "text": "yes", "answers": "0101010101010101-1" })),
            json!({ "type": "conversation", "group": group, "room": "main" }),
            said(1, &alice, "01", json!({ "opening": true })),
            said(2, &alice, "01", json!({ "text": "see", "attachment": { "name": "a.txt", "bytes": 5 } })),
            said(3, &alice, "01", json!({ "timer": { "expires_s": 60 } })),
            said(4, &alice, "01", json!({ "deleted": true })),
        ];
        assert_eq!(lines, expected);
    }
}
