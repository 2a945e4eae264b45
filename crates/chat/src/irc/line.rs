//! Lines of IRC: cutting a stream into them, reading and writing them with tags (RFC 1459, section 2.3; IRCv3
//! message-tags).
//!
//! Parsed here and by no crate, since none fits a server: irc-proto makes typed commands and refuses whole lines whose
//! modes it does not know (`MODE #room b`, which irssi sends), ircv3_parse 4 looks for the last parameter behind the first
//! colon alone, and leaves tags escaped that the specification unescapes. The tests are those of ircdocs/parser-tests.

use std::time::Duration;

use base::Instant;

/// The longest tags of a line from a client, with `@` and the space (message-tags, "Size limit").
pub const MAX_TAGS: usize = 4096;

/// The longest line without its tags, with its end (RFC 1459, section 2.3).
pub const MAX_LINE: usize = 512;

/// The longest tags of all: the client's and the server's (message-tags, "Size limit"). A line from a client that is longer
/// than these and [`MAX_LINE`] is not even kept until its end.
const MAX_ALL_TAGS: usize = 8191;

/// The most parameters (RFC 2812, section 2.3).
const MAX_PARAMS: usize = 15;

/// How many lines a client may send at once: a client that joins 100 rooms asks for the modes and for who is there of each.
const BURST: u32 = 250;

/// How often one more may be sent. Arbitrary: faster than anybody types, and a pasted page takes seconds.
const EVERY: Duration = Duration::from_millis(50);

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Keys and values; a value that is missing is empty (message-tags, "Format").
    pub tags: Vec<(String, String)>,
    /// From whom; a client's lines have none that counts.
    pub source: Option<String>,
    /// The command in capital letters, or a number of three digits.
    pub command: String,
    /// The parameters.
    pub params: Vec<String>,
}

/// Why bytes are no line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Nothing is in it; nothing has to be said.
    Empty,
    /// The tags, or the rest, are too long.
    TooLong,
    /// It is not UTF-8; the command, where it could be read.
    NotUtf8(Option<String>),
}

/// A line was longer than may be kept; it was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Line {
    /// A line with a command and its parameters.
    pub fn new<S: Into<String>>(command: &str, params: impl IntoIterator<Item = S>) -> Line {
        Line { command: command.to_owned(), params: params.into_iter().map(Into::into).collect(), ..Line::default() }
    }

    /// Says from whom it is.
    pub fn from(mut self, source: impl Into<String>) -> Line {
        self.source = Some(source.into());
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, key: &str, value: impl Into<String>) -> Line {
        self.tags.push((key.to_owned(), value.into()));
        self
    }

    /// Returns the value of a tag; of several of the same key the last (message-tags, "Format").
    pub fn tagged(&self, key: &str) -> Option<&str> {
        self.tags.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Returns a parameter, empty where there is none.
    pub fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// Reads a line without its end.
    pub fn parse(bytes: &[u8]) -> Result<Line, Malformed> {
        let tags_end = match bytes.first() {
            Some(b'@') => bytes.iter().position(|&byte| byte == b' ').map_or(bytes.len(), |space| space + 1),
            _ => 0,
        };
        if tags_end > MAX_TAGS || bytes.len() - tags_end + "\r\n".len() > MAX_LINE {
            return Err(Malformed::TooLong);
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(Malformed::NotUtf8(command_of(&bytes[tags_end..])));
        };
        let mut line = Line::default();
        let mut rest = text;
        if let Some(tagged) = text.strip_prefix('@') {
            let (tags, behind) = tagged.split_once(' ').unwrap_or((tagged, ""));
            let tags = tags.split(';').filter(|tag| !tag.is_empty());
            let tags = tags.map(|tag| tag.split_once('=').unwrap_or((tag, "")));
            line.tags = tags.map(|(key, value)| (key.to_owned(), unescape(value))).collect();
            rest = behind;
        }
        // NUL may not be in a line at all (RFC 2812, section 2.3.1); clients that send it mean nothing by it.
        let rest = rest.replace('\0', "");
        let mut rest = rest.trim_start_matches(' ');
        if let Some(sourced) = rest.strip_prefix(':') {
            let (source, behind) = sourced.split_once(' ').unwrap_or((sourced, ""));
            line.source = Some(source.to_owned());
            rest = behind.trim_start_matches(' ');
        }
        let (command, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        line.command = command.to_ascii_uppercase();
        loop {
            rest = rest.trim_start_matches(' ');
            if let Some(last) = rest.strip_prefix(':') {
                line.params.push(last.to_owned());
                break;
            }
            if rest.is_empty() {
                break;
            }
            if line.params.len() + 1 == MAX_PARAMS {
                line.params.push(rest.to_owned());
                break;
            }
            let (param, behind) = rest.split_once(' ').unwrap_or((rest, ""));
            line.params.push(param.to_owned());
            rest = behind;
        }
        if line.command.is_empty() { Err(Malformed::Empty) } else { Ok(line) }
    }

    /// Writes the line with its end. Whatever it was made of, this is one line, within the limits: characters that would end
    /// it are left out, what is too long is cut.
    pub fn write(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.tags {
            text.push(if text.is_empty() { '@' } else { ';' });
            text.push_str(&word(key));
            if !value.is_empty() {
                text.push('=');
                text.push_str(&escape(value));
            }
        }
        if !text.is_empty() {
            text.push(' ');
        }
        let tags_end = text.len();
        if let Some(source) = &self.source {
            text.push(':');
            text.push_str(&word(source));
            text.push(' ');
        }
        text.push_str(&word(&self.command));
        for (index, param) in self.params.iter().enumerate() {
            text.push(' ');
            if index + 1 < self.params.len() {
                text.push_str(&word(param));
                continue;
            }
            if param.is_empty() || param.starts_with(':') || param.contains(' ') || is_text(&self.command) {
                text.push(':');
            }
            text.extend(param.chars().filter(|c| !ends_line(*c)));
        }
        cut(&mut text, tags_end + MAX_LINE - "\r\n".len());
        text.push_str("\r\n");
        text
    }
}

/// Whether the last parameter is written behind a colon even where it needs none: some clients expect it of these.
fn is_text(command: &str) -> bool {
    matches!(command, "PRIVMSG" | "NOTICE" | "TOPIC" | "PART" | "QUIT" | "353")
}

fn ends_line(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\0')
}

/// Makes one word of a parameter that has to be one.
fn word(param: &str) -> String {
    let word: String = param.chars().filter(|c| !ends_line(*c) && *c != ' ').collect();
    match word.strip_prefix(':') {
        Some(rest) => rest.to_owned(),
        None if word.is_empty() => "*".to_owned(),
        None => word,
    }
}

/// Shortens a text to so many bytes or fewer, at the end of a character.
fn cut(text: &mut String, max: usize) {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// Reads the command of a line that is no text.
fn command_of(bytes: &[u8]) -> Option<String> {
    let word = bytes.split(|&byte| byte == b' ').find(|word| !word.is_empty() && word[0] != b':')?;
    let is_command = word.iter().all(u8::is_ascii_alphanumeric);
    is_command.then(|| String::from_utf8_lossy(word).to_ascii_uppercase())
}

/// Reads a value (message-tags, "Escaping values").
fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', None) => {}
            ('\\', Some(':')) => text.push(';'),
            ('\\', Some('s')) => text.push(' '),
            ('\\', Some('r')) => text.push('\r'),
            ('\\', Some('n')) => text.push('\n'),
            ('\\', Some(other)) => text.push(other),
            (c, _) => text.push(c),
        }
    }
    text
}

/// Writes a value (message-tags, "Escaping values").
fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            ';' => text.push_str("\\:"),
            ' ' => text.push_str("\\s"),
            '\\' => text.push_str("\\\\"),
            '\r' => text.push_str("\\r"),
            '\n' => text.push_str("\\n"),
            '\0' => {}
            c => text.push(c),
        }
    }
    text
}

/// Cuts what comes of a socket into lines. Holds at most one unfinished line of bounded length.
#[derive(Debug, Default)]
pub struct Cutter {
    line: Vec<u8>,
    /// The line is too long: the rest of it is passed over.
    passing: bool,
}

impl Cutter {
    /// Takes bytes and returns the lines that they complete, without their ends.
    pub fn cut(&mut self, bytes: &[u8]) -> Vec<Result<Vec<u8>, TooLong>> {
        let mut lines = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if std::mem::take(&mut self.passing) => lines.push(Err(TooLong)),
                b'\n' => {
                    let mut line = std::mem::take(&mut self.line);
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                    lines.push(Ok(line));
                }
                _ if self.passing => {}
                _ if self.line.len() == MAX_ALL_TAGS + MAX_LINE => {
                    self.passing = true;
                    self.line = Vec::new();
                }
                byte => self.line.push(byte),
            }
        }
        lines
    }
}

/// How fast lines may come.
#[derive(Debug)]
pub struct Flood {
    /// When all that came would have come at the rate that lasts.
    due: Instant,
}

impl Flood {
    /// Begins with a full allowance.
    pub fn new(now: Instant) -> Flood {
        Flood { due: now }
    }

    /// Counts a line and returns how long to wait before it is read.
    pub fn wait(&mut self, now: Instant) -> Duration {
        self.due = self.due.max(now) + EVERY;
        (self.due - now).saturating_sub(EVERY * BURST)
    }
}

#[cfg(test)]
mod tests;
