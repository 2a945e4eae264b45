//! A folder of mails: one each text and attachment, quoted so that nothing of it is lost ("mboxrd").
//!
//! RFC 4155 (the format, whose default is lines that end in LF, addresses and times in UTC), RFC 5322 (the header), RFC
//! 2047 (names and subjects), RFC 2045 (the body).

use std::fmt::Write as _;
use std::io::Write;

use base::PersonId;
use data_encoding::{BASE64, HEXLOWER};
use jiff::fmt::rfc2822::DateTimePrinter;
use sha2::{Digest, Sha256};

use super::{ExportError, Names, Pages, time};
use crate::proto::{Conversation, MessageId};
use crate::store::{Entry, Said, Store};

/// What stands for a mail server: a name that never is one (RFC 2606, section 2).
const HOST: &str = "compeer.invalid";

/// How many characters of a text make its subject. Arbitrary: with its name it fits in a line of 78 (RFC 5322, 2.1.1).
const SUBJECT_CHARS: usize = 60;

/// How many bytes of UTF-8 one encoded word has: in Base64 and with its frame it is 72 long, of 75 (RFC 2047, section
/// 2).
const WORD_BYTES: usize = 45;

/// The longest line of a body that is not encoded (RFC 5322, section 2.1.1).
const MAX_LINE: usize = 998;

/// How many bytes one line of Base64 has: 76 characters (RFC 2045, section 6.8).
const BASE64_BYTES: usize = 57;

/// Writes the texts and attachments of a conversation as mails, and returns how many they are.
pub async fn write_mbox(
    store: &Store,
    conversation: &Conversation,
    names: &dyn Names,
    out: &mut (dyn Write + Send),
) -> Result<u64, ExportError> {
    let (mut pages, mut count) = (Pages::of(store, conversation), 0);
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        for mail in page.iter().filter_map(|entry| mail(conversation, entry, names)) {
            out.write_all(mail.as_bytes())?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

fn mail(conversation: &Conversation, entry: &Entry, names: &dyn Names) -> Option<String> {
    let text = match &entry.said {
        Said::Text(text) => text.clone(),
        Said::Attachment { name, bytes, caption, notice: _ } => {
            let name = one_line(name);
            let gap = if caption.is_empty() { "" } else { "\n" };
            format!("{caption}{gap}[{name}, {bytes} bytes]")
        }
        Said::Timer(_) | Said::Opening | Said::Deleted => return None,
    };
    let time = time(entry.written);
    let mut mail = format!("From {} {}\n", address(entry.author), time.strftime("%a %b %e %H:%M:%S %Y"));
    let mut header = |name: &str, value: &str| _ = writeln!(mail, "{name}: {value}");
    header("From", &mailbox(names, entry.author));
    header("To", &recipient(conversation, entry.author, names));
    // Years beyond 9999 alone cannot be written, and `time` has none.
    header("Date", &DateTimePrinter::new().timestamp_to_string(&time).unwrap_or_default());
    header("Message-ID", &message_id(conversation, entry.position.id));
    let answers = entry.answers.as_ref().map(|quote| message_id(conversation, quote.id));
    if let Some(id) = &answers {
        header("In-Reply-To", id);
        header("References", id);
    }
    header("Subject", &subject(&text, answers.is_some()));
    header("MIME-Version", "1.0");
    header("Content-Type", "text/plain; charset=utf-8");
    let (encoding, body) = body(&text);
    header("Content-Transfer-Encoding", encoding);
    mail.push('\n');
    mail.push_str(&body);
    mail.push('\n');
    Some(mail)
}

fn recipient(conversation: &Conversation, author: PersonId, names: &dyn Names) -> String {
    match conversation {
        Conversation::Direct(..) => mailbox(names, conversation.partner(author).unwrap_or(author)),
        Conversation::Room(group, room) => {
            let name = format!("{} ({})", names.group(*group), room.as_str());
            format!("{} <{group}@group.{HOST}>", phrase(&name))
        }
    }
}

fn mailbox(names: &dyn Names, person: PersonId) -> String {
    format!("{} <{}>", phrase(&names.person(person)), address(person))
}

fn address(person: PersonId) -> String {
    format!("{person}@{HOST}")
}

/// The id of a message among those of all conversations, in which pens count anew.
fn message_id(conversation: &Conversation, id: MessageId) -> String {
    let name = match conversation {
        Conversation::Direct(one, other) => format!("{one} {other}"),
        Conversation::Room(group, room) => format!("{group} {}", room.as_str()),
    };
    let hash = Sha256::digest(name);
    format!("<{id}.{}@{HOST}>", HEXLOWER.encode(&hash[..8]))
}

fn subject(text: &str, is_answer: bool) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line = one_line(line.trim());
    let mut subject: String = line.chars().take(SUBJECT_CHARS).collect();
    if subject.len() < line.len() {
        subject.push('…');
    }
    let subject = if is_answer { format!("Re: {subject}") } else { subject };
    let is_plain = subject.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !subject.contains("=?");
    if is_plain { subject } else { encoded_words(&subject) }
}

/// Writes a name before an address: as it is if it needs no quotes (RFC 5322, section 3.2.5). Readers refuse one of
/// several lines, encoded or not.
fn phrase(name: &str) -> String {
    let name = one_line(name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/^_`{|}~".contains(c);
    let fits = !name.trim().is_empty() && name.trim() == name && name.len() <= SUBJECT_CHARS;
    if fits && name.chars().all(is_plain) { name } else { encoded_words(&name) }
}

/// Writes any text into a header (RFC 2047, section 4.1), in as many lines as it takes. No character is cut in two.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= WORD_BYTES => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64.encode(word.as_bytes()))).collect();
    words.join("\n ")
}

/// Writes a body, which ends with a line's end, and says how.
fn body(text: &str) -> (&'static str, String) {
    if text.contains(['\r', '\0']) || text.lines().any(|line| line.len() > MAX_LINE) {
        let lines = text.as_bytes().chunks(BASE64_BYTES).map(|line| BASE64.encode(line) + "\n");
        return ("base64", lines.collect());
    }
    let mut body = String::with_capacity(text.len() + 1);
    for line in text.split('\n') {
        // A line that looks like the beginning of a mail, quoted or not, is quoted once more.
        if line.trim_start_matches('>').starts_with("From ") {
            body.push('>');
        }
        body.push_str(line);
        body.push('\n');
    }
    ("8bit", body)
}

/// Lets a text be one line.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests;
