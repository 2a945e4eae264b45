//! Finding what was said.
//!
//! The newest comes first. A search within a conversation looks for one word more (`chat_said.place`), so that it costs
//! no more where the word is common elsewhere.

use base::PersonId;
use rusqlite::{Connection, Result, Row};

use super::MAX_PAGE;
use super::apply::said_ms;
use super::history::{Position, read_position};
use super::row::read_conversation;
use crate::proto::Conversation;

/// How many words of what is searched count. Arbitrary: nobody remembers as many.
const MAX_WORDS: usize = 32;

/// How many words of a text are shown around what was found. Arbitrary: a line or two.
const SNIPPET_WORDS: u8 = 24;

/// What the full-text search puts before and after what it found: characters that no text has (Unicode, section 23.7,
/// "Noncharacters").
const MARKS: [char; 2] = ['\u{fdd0}', '\u{fdd1}'];

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Where it was said.
    pub conversation: Conversation,
    /// Where it stands there.
    pub position: Position,
    /// Who said it.
    pub author: PersonId,
    /// When, in milliseconds since 1970: as its author says, but not after it came here.
    pub said_ms: u64,
    /// The part of the text that matches best, in pieces: each with whether it is one of the words that were searched.
    pub snippet: Vec<(String, bool)>,
}

pub(super) fn search(c: &Connection, words: &str, place: Option<i64>, limit: usize) -> Result<Vec<Hit>> {
    let Some(expression) = expression(words, place) else { return Ok(Vec::new()) };
    let query = "SELECT k.name AS place, m.row, m.pen, m.number, m.time, m.author, \
        snippet(chat_search, 0, ?2, ?3, '…', ?4) AS snippet \
        FROM chat_search s CROSS JOIN chat_messages m ON m.row = s.rowid \
        CROSS JOIN chat_conversations k ON k.id = m.conversation \
        WHERE chat_search MATCH ?1 ORDER BY s.rowid DESC LIMIT ?5";
    let limit = limit.min(MAX_PAGE) as i64;
    let [begin, end] = MARKS.map(String::from);
    c.prepare_cached(query)?.query_map((expression, begin, end, SNIPPET_WORDS, limit), read_hit)?.collect()
}

fn read_hit(row: &Row<'_>) -> Result<Hit> {
    Ok(Hit {
        conversation: read_conversation(row, "place")?,
        position: read_position(row)?,
        author: PersonId(row.get("author")?),
        said_ms: said_ms(row.get("row")?),
        snippet: pieces(row.get_ref("snippet")?.as_str()?),
    })
}

/// Writes what the user searches as an expression of FTS5: each word a string, in which nothing but `"` has a meaning
/// (SQLite, "FTS5", section 3.1), the last one the beginning of a word. `None`: there is no word in it.
fn expression(words: &str, place: Option<i64>) -> Option<String> {
    // A NUL would end the expression.
    let words =
        words.split(|c: char| c.is_whitespace() || c == '\0').filter(|word| word.contains(char::is_alphanumeric));
    let words: Vec<_> = words.take(MAX_WORDS).map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    if words.is_empty() {
        return None;
    }
    let place = place.map(|place| format!(" AND place : \"c{place}\"")).unwrap_or_default();
    Some(format!("text : ({}*){place}", words.join(" AND ")))
}

/// Cuts a snippet at its marks.
fn pieces(snippet: &str) -> Vec<(String, bool)> {
    let mut pieces = Vec::new();
    let mut is_found = false;
    for part in snippet.split_inclusive(MARKS) {
        let text = part.trim_end_matches(MARKS);
        if !text.is_empty() {
            pieces.push((text.to_owned(), is_found));
        }
        is_found = part.ends_with(MARKS[0]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_user_types_is_an_operator() {
        assert_eq!(
            expression("tea OR \"green\" NEAR", None).unwrap(),
            r#"text : ("tea" AND "OR" AND """green""" AND "NEAR"*)"#
        );
        assert_eq!(expression("place:c1 -x", Some(7)).unwrap(), r#"text : ("place:c1" AND "-x"*) AND place : "c7""#);
        assert_eq!(expression("a\0b", None).unwrap(), r#"text : ("a" AND "b"*)"#);
        assert!(["", "  ", "\"", "* ( ) - !", "\0", "😀"].iter().all(|words| expression(words, None).is_none()));
        assert_eq!(expression(&"a ".repeat(1000), None).unwrap().matches('a').count(), MAX_WORDS);
    }

    #[test]
    fn a_snippet_is_cut_at_its_marks() {
        let cut = |text: &str| pieces(text).iter().map(|(text, found)| format!("{text}/{found}")).collect::<Vec<_>>();
        assert_eq!(cut("…some \u{fdd0}green\u{fdd1} tea"), ["…some /false", "green/true", " tea/false"]);
        assert_eq!(cut("\u{fdd0}green\u{fdd1}"), ["green/true"]);
        assert!(cut("").is_empty());
        // Of somebody who writes the marks himself.
        assert_eq!(cut("\u{fdd1}a\u{fdd0}"), ["a/false"]);
    }
}
