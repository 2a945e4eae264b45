//! Mails as they are written, and read back by the rules of mboxrd.

use base::GroupId;
use db::Db;

use super::*;
use crate::proto::{Body, Change, Message, Pen, RoomName};

const ALICE: PersonId = PersonId([1; 32]);
const BOB: PersonId = PersonId([2; 32]);

/// 23 November 2026, 02:57:08.123 UTC, in milliseconds.
const WRITTEN: u64 = 1_795_402_628_123;

struct Called;

impl Names for Called {
    fn person(&self, person: PersonId) -> String {
        if person == ALICE { "Alice B. Émile\nBcc: eve@example.org".into() } else { "Bob".into() }
    }

    fn group(&self, _: GroupId) -> String {
        "Book club".into()
    }
}

/// A mail as a reader takes it apart: its "From " line, its header with folded lines joined, its body.
#[derive(Debug)]
struct Mail {
    begin: String,
    header: Vec<(String, String)>,
    body: String,
}

impl Mail {
    fn get(&self, name: &str) -> &str {
        let all: Vec<_> = self.header.iter().filter(|(known, _)| known == name).collect();
        assert!(all.len() <= 1, "{name} twice");
        all.first().map_or("", |(_, value)| value)
    }

    /// What was said, without the line's end that a body has.
    fn text(&self) -> String {
        if self.get("Content-Transfer-Encoding") == "base64" {
            return String::from_utf8(BASE64.decode(self.body.replace('\n', "").as_bytes()).unwrap()).unwrap();
        }
        self.body.strip_suffix('\n').unwrap().to_owned()
    }
}

/// Reads a folder: a mail begins at each line with "From ", and one `>` goes from each line that has some before that.
fn read(folder: &str) -> Vec<Mail> {
    let mut mails = Vec::<Mail>::new();
    let mut is_header = false;
    for line in folder.strip_suffix('\n').unwrap_or(folder).split('\n') {
        if let Some(begin) = line.strip_prefix("From ") {
            mails.push(Mail { begin: begin.into(), header: Vec::new(), body: String::new() });
            is_header = true;
            continue;
        }
        let mail = mails.last_mut().expect("a folder begins with a mail");
        if !is_header {
            let is_quoted = line.starts_with('>') && line.trim_start_matches('>').starts_with("From ");
            mail.body += line.strip_prefix('>').filter(|_| is_quoted).unwrap_or(line);
            mail.body.push('\n');
        } else if line.is_empty() {
            is_header = false;
        } else if let Some(more) = line.strip_prefix(' ') {
            mail.header.last_mut().unwrap().1 += &format!(" {more}");
        } else {
            assert!(line.is_ascii() && line.len() <= 998, "{line}");
            let (name, value) = line.split_once(": ").expect("a name and a value");
            mail.header.push((name.into(), value.into()));
        }
    }
    for mail in &mut mails {
        // The empty line that ends a mail is none of its body.
        assert!(mail.body.ends_with("\n\n") || mail.body == "\n", "{:?}", mail.body);
        mail.body.pop();
    }
    mails
}

/// Reads the encoded words of a header.
fn decoded(value: &str) -> String {
    let word = |word: &str| {
        assert!(word.len() <= 75, "{word}");
        let base64 = word.strip_prefix("=?utf-8?B?").and_then(|word| word.strip_suffix("?=")).expect("an encoded word");
        String::from_utf8(BASE64.decode(base64.as_bytes()).unwrap()).unwrap()
    };
    value.split(' ').map(word).collect()
}

async fn export(conversation: &Conversation, bodies: &[(PersonId, Body)]) -> Vec<Mail> {
    let store = Store::open(Db::in_memory().unwrap(), ALICE).await.unwrap();
    let message = |(at, (author, body)): (usize, &(PersonId, Body))| Message {
        conversation: conversation.clone(),
        id: MessageId { pen: Pen([author.0[0]; 8]), number: at as u32 + 1 },
        author: *author,
        time: at as u64 + 1,
        written: WRITTEN,
        after: Vec::new(),
        expires_s: None,
        body: body.clone(),
    };
    let changes = bodies.iter().enumerate().map(message).map(|message| Change::Message(Box::new(message))).collect();
    store.apply(changes, WRITTEN).await.unwrap();
    let mut folder = Vec::new();
    let count = write_mbox(&store, conversation, &Called, &mut folder).await.unwrap();
    let mails = read(str::from_utf8(&folder).unwrap());
    assert_eq!(mails.len() as u64, count);
    mails
}

fn text(text: &str) -> Body {
    Body::Text { text: text.into(), answers: None }
}

#[tokio::test]
async fn every_text_comes_back_as_it_was() {
    let texts = [
        "hello",
        "",
        "\n",
        "two\nlines\n",
        "From here on\n>From there\n>>From >From\nFrom",
        " From a space, >Frommage",
        "ünïcödé 😀",
        "carriage\r\nreturn",
        "nul\0",
        ".\n.\n",
        "Subject: none\n\nbody",
        &"x".repeat(998),
        &"x".repeat(999),
        &"é\n".repeat(8192),
        &"é".repeat(8192),
    ];
    let bodies = texts.map(|words| (ALICE, text(words)));
    let mails = export(&Conversation::between(ALICE, BOB), &bodies).await;
    assert_eq!(mails.iter().map(Mail::text).collect::<Vec<_>>(), texts);
    let encoded: Vec<_> = mails.iter().map(|mail| mail.get("Content-Transfer-Encoding") == "base64").collect();
    let expected = texts.map(|text| text.contains(['\r', '\0']) || text.lines().any(|line| line.len() > 998));
    assert_eq!(encoded, expected);
    for mail in mails.iter().filter(|mail| mail.get("Content-Transfer-Encoding") == "base64") {
        assert!(mail.body.lines().all(|line| line.len() <= 76));
    }
}

#[tokio::test]
async fn a_mail_says_who_wrote_to_whom_and_when() {
    let conversation = Conversation::between(ALICE, BOB);
    let answer = Body::Text { text: "fine".into(), answers: Some(MessageId { pen: Pen([1; 8]), number: 1 }) };
    let mails = export(&conversation, &[(ALICE, text("How are you?")), (BOB, answer)]).await;
    let [question, answer] = &mails[..] else { panic!("{mails:?}") };

    assert_eq!(question.begin, format!("{ALICE}@compeer.invalid Mon Nov 23 02:57:08 2026"));
    assert_eq!(question.get("Date"), "Mon, 23 Nov 2026 02:57:08 -0000");
    let from = question.get("From").strip_suffix(&format!(" <{ALICE}@compeer.invalid>")).unwrap();
    // A line's end in a name begins no other header.
    assert_eq!(decoded(from), Called.person(ALICE).replace('\n', " "));
    assert_eq!(question.get("Bcc"), "");
    assert_eq!(question.get("To"), format!("Bob <{BOB}@compeer.invalid>"));
    assert_eq!(question.get("Subject"), "How are you?");
    assert_eq!((question.get("In-Reply-To"), question.get("References")), ("", ""));
    assert_eq!(question.get("Content-Type"), "text/plain; charset=utf-8");

    let id = question.get("Message-ID");
    assert!(id.starts_with("<0101010101010101-1.") && id.ends_with("@compeer.invalid>"), "{id}");
    assert_eq!((answer.get("In-Reply-To"), answer.get("References")), (id, id));
    assert_eq!(answer.get("Subject"), "Re: fine");
    assert!(answer.get("To").ends_with(&format!(" <{ALICE}@compeer.invalid>")));
}

#[tokio::test]
async fn a_room_is_addressed_as_one_and_files_are_named() {
    let group = GroupId([9; 32]);
    let conversation = Conversation::Room(group, RoomName::new("tea-time").unwrap());
    let file = |caption: &str| Body::Attachment {
        name: "cat\n1.jpg".into(),
        bytes: 1234,
        notice: vec![1],
        caption: caption.into(),
    };
    let bodies = [(BOB, Body::Opening), (BOB, file("")), (BOB, file("my cat")), (BOB, Body::Timer { expires_s: None })];
    let mails = export(&conversation, &bodies).await;
    let texts: Vec<_> = mails.iter().map(|mail| (mail.get("Subject"), mail.text())).collect();
    let expected =
        [("[cat 1.jpg, 1234 bytes]", "[cat 1.jpg, 1234 bytes]"), ("my cat", "my cat\n[cat 1.jpg, 1234 bytes]")];
    assert_eq!(texts, expected.map(|(subject, text)| (subject, text.to_owned())));
    let name = mails[0].get("To").strip_suffix(&format!(" <{group}@group.compeer.invalid>")).unwrap();
    assert_eq!(decoded(name), "Book club (tea-time)");

    // The same id in another conversation is another message.
    let elsewhere = export(&Conversation::between(ALICE, BOB), &[(BOB, Body::Opening), (BOB, file(""))]).await;
    assert_ne!(elsewhere[0].get("Message-ID"), mails[0].get("Message-ID"));
}

#[tokio::test]
async fn a_subject_is_the_beginning_of_the_first_line() {
    let (long, emoji) = ("a".repeat(61), "😀".repeat(100));
    let texts = ["\n  \n second\nthird", &long, &emoji, "=?utf-8?B?aGk=?=", "a\tb", ""];
    let mails = export(&Conversation::between(ALICE, BOB), &texts.map(|words| (BOB, text(words)))).await;
    let subjects: Vec<_> = mails.iter().map(|mail| mail.get("Subject")).collect();
    assert_eq!((subjects[0], subjects[4], subjects[5]), ("second", "a b", ""));
    assert_eq!(decoded(subjects[1]), format!("{}…", "a".repeat(60)));
    assert_eq!(decoded(subjects[2]), format!("{}…", "😀".repeat(60)));
    assert_eq!(decoded(subjects[3]), "=?utf-8?B?aGk=?=");
}

#[tokio::test]
async fn a_full_disk_is_told() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let store = Store::open(Db::in_memory().unwrap(), ALICE).await.unwrap();
    let error = super::super::write_json(&store, &[], &Called, &mut Full).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot write the export: "), "{error}");
}
