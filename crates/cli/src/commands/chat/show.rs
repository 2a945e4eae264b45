//! Messages as text. What others wrote is shown as they wrote it, but that nothing of it reaches the terminal as anything
//! but characters: control characters, and those that change the direction of what follows, are shown as escapes.

use base::units::{format_bytes, format_duration};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rpc::{ChatKind, ChatLast, ChatMessage, ChatStage};
use std::time::Duration;

use crate::out::clean;

/// The narrowest column of text that lines are broken for; in a narrower terminal they are cut off.
const MIN_TEXT: usize = 16;

/// A space at which no line is broken.
const HARD: char = '\u{a0}';

/// Returns the mark of how far a message is.
pub fn mark(stage: ChatStage) -> &'static str {
    match stage {
        ChatStage::Waiting => "·",
        ChatStage::InMailbox => "▫",
        ChatStage::Delivered => "✓",
        ChatStage::Read => "✓✓",
    }
}

/// Whether a character does something else to a terminal, or to the eye, than to be there.
fn is_unsafe(c: char) -> bool {
    // Unicode, UAX #9, "Directional Formatting Characters", and the separators of lines and paragraphs.
    let directs = matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directs || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Returns text of others as one line.
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        match c {
            '\n' => line.push_str(" ⏎ "),
            '\t' => line.push(' '),
            c if is_unsafe(c) => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    line
}

/// Returns text of others as lines of at most `width` columns.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(MIN_TEXT);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let line = one_line(line.strip_suffix('\r').unwrap_or(line));
        let mut current = String::new();
        for word in line.split_inclusive(' ') {
            if columns(&current) + columns(word.trim_end()) > width && !current.is_empty() {
                lines.push(std::mem::take(&mut current).trim_end().to_owned());
            }
            current.push_str(word);
            // A word that is longer than a line.
            while columns(current.trim_end()) > width {
                let cut = current.char_indices().map(|(at, _)| at).take_while(|at| columns(&current[..*at]) <= width);
                let at = cut.last().filter(|at| *at > 0).unwrap_or(current.len());
                let rest = current.split_off(at);
                lines.push(std::mem::replace(&mut current, rest).trim_end().to_owned());
            }
        }
        lines.push(current.trim_end().to_owned());
    }
    lines
}

fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

/// Returns the lines of a message: behind its number and the time, who says what. `fetched`: how far its file is here.
pub fn lines(message: &ChatMessage, number: &str, fetched: Option<&str>, width: usize) -> Vec<String> {
    let style = Styles::new();
    let head = format!("{number:>4} {} ", time(message.written_at_ms));
    let indent = columns(&head);
    let room = width.saturating_sub(indent);
    let mut lines = Vec::new();
    if let Some(quote) = &message.answers {
        let from = quote.from.as_deref().map_or_else(String::new, |from| format!("{}: ", one_line(from)));
        let words = if quote.from.is_none() { "(not here any more)".to_owned() } else { one_line(&quote.text) };
        let quoted = console::truncate_str(&format!("│ {from}{words}"), room.max(MIN_TEXT), "…").into_owned();
        lines.push(style.faint.apply_to(quoted).to_string());
    }
    lines.extend(said(message, number, fetched.is_none(), room));
    if let Some(fetched) = fetched {
        lines.extend(wrapped(fetched, room).iter().map(|line| style.faint.apply_to(line).to_string()));
    }
    if !message.reactions.is_empty() {
        let each = message.reactions.iter().map(|it| {
            let by: Vec<String> = it.by.iter().map(|name| one_line(name)).collect();
            format!("{} {}", one_line(&it.reaction), by.join(", "))
        });
        lines.extend(wrapped(&each.collect::<Vec<_>>().join("  "), room));
    }
    let head = style.faint.apply_to(head).to_string();
    let blank = " ".repeat(indent);
    let led = lines.into_iter().enumerate();
    led.map(|(at, line)| format!("{}{line}", if at == 0 { &head } else { &blank })).collect()
}

/// Returns the lines of what is said, by whom, how the file is fetched unless it is already, and how far it is.
fn said(message: &ChatMessage, number: &str, may_fetch: bool, room: usize) -> Vec<String> {
    let style = Styles::new();
    let from = if message.mine { "me".to_owned() } else { one_line(&message.from) };
    let text = format!("{from}: {}", words(message));
    let (file, words) = text.split_once('\n').map_or((text.as_str(), None), |(file, words)| (file, Some(words)));
    let has_file = message.kind == ChatKind::Attachment && !message.deleted && !message.mine && may_fetch;
    let get = has_file.then(|| format!("—{HARD}/get{HARD}{number}"));
    let (get, mark) = (get.as_deref(), message.stage.map(mark));
    let with = |text, last| wrapped_with(text, last, room, &style.faint);
    let mut said = match words {
        Some(words) => [with(file, get), with(words, mark)].concat(),
        None => with(file, get.or(mark)),
    };
    // It was broken behind the name at the earliest.
    if let Some(rest) = said.first().and_then(|first| first.strip_prefix(&format!("{from}:"))) {
        said[0] = format!("{}{rest}", style.name(message.mine).apply_to(format!("{from}:")));
    }
    said
}

/// Returns text of others as lines, and what the program says behind it on the last, or on one of its own.
fn wrapped_with(text: &str, last: Option<&str>, width: usize, style: &console::Style) -> Vec<String> {
    let Some(last) = last else { return wrapped(text, width) };
    let mut lines = wrapped(&format!("{text} {last}"), width);
    if let Some(line) = lines.last_mut()
        && let Some(before) = line.strip_suffix(last)
    {
        *line = format!("{before}{}", style.apply_to(last.replace(HARD, " ")));
    }
    lines
}

/// Returns what a message says, for a reader.
pub fn words(message: &ChatMessage) -> String {
    if message.deleted {
        return "(taken back)".to_owned();
    }
    let words = match message.kind {
        ChatKind::Text => message.text.clone(),
        ChatKind::Attachment => {
            let file = message.attachment.as_ref();
            let file = file.map(|file| format!("📎 {}, {}", file.name, format_bytes(file.bytes))).unwrap_or_default();
            if message.text.is_empty() { file } else { format!("{file}\n{}", message.text) }
        }
        ChatKind::Timer => match message.timer_s {
            Some(seconds) => format!("(messages disappear after {} from here on)", kept_for(seconds)),
            None => "(messages stay from here on)".to_owned(),
        },
        ChatKind::Opening => "(opened the room)".to_owned(),
    };
    if message.edited { format!("{words} (edited)") } else { words }
}

/// Returns for how long messages are kept.
pub fn kept_for(seconds: u32) -> String {
    format_duration(Duration::from_secs(seconds.into()))
}

/// Returns the last message of a conversation, as one line.
pub fn last(last: &ChatLast) -> String {
    let from = if last.mine { "me".to_owned() } else { clean(&last.from) };
    let text = match last.kind {
        _ if last.deleted => "(taken back)".to_owned(),
        ChatKind::Text => one_line(&last.text),
        ChatKind::Attachment => format!("📎 {}", one_line(&last.text)),
        ChatKind::Timer => "(for how long messages stay)".to_owned(),
        ChatKind::Opening => "(opened the room)".to_owned(),
    };
    format!("{from}: {text}")
}

fn zoned(ms: u64) -> Option<jiff::Zoned> {
    let stamp = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok())?;
    Some(stamp.to_zoned(TimeZone::system()))
}

/// Returns the time of the day of a moment.
pub fn time(ms: u64) -> String {
    zoned(ms).map_or_else(|| "--:--".to_owned(), |at| at.strftime("%H:%M").to_string())
}

/// Returns the day of a moment.
pub fn day(ms: u64) -> String {
    zoned(ms).map_or_else(|| "-".to_owned(), |at| at.strftime("%A, %Y-%m-%d").to_string())
}

/// Returns day and time of a moment, shortly.
pub fn day_and_time(ms: u64) -> String {
    zoned(ms).map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

struct Styles {
    faint: console::Style,
}

impl Styles {
    fn new() -> Styles {
        Styles { faint: console::Style::new().for_stdout().dim() }
    }

    fn name(&self, mine: bool) -> console::Style {
        let style = console::Style::new().for_stdout().bold();
        if mine { style } else { style.cyan() }
    }
}

#[cfg(test)]
mod tests {
    use rpc::{ChatAttachment, ChatQuote, ChatReaction};

    use super::*;

    #[test]
    fn what_others_write_moves_nothing_but_the_eye() {
        assert_eq!(one_line("a\x1b[2Jb\nc\td"), "a\\u{1b}[2Jb ⏎ c d");
        assert_eq!(one_line("evil\u{202e}txt.exe"), "evil\\u{202e}txt.exe");
        let name = ChatMessage { from: "\x1b]0;me\x07".into(), text: "\x1b[1A".into(), ..ChatMessage::default() };
        let shown = lines(&name, "1", None, 80).join("\n");
        assert!(!shown.replace('\n', "").chars().any(char::is_control), "{shown:?}");
    }

    #[test]
    fn a_file_is_shown_by_name_and_size_and_with_how_to_get_it() {
        let attachment = Some(ChatAttachment { name: "a\x1b[2J.jpg".into(), bytes: 3 << 20, torrent: None });
        let kind = ChatKind::Attachment;
        let theirs =
            ChatMessage { from: "bob".into(), kind, attachment, text: "the lake".into(), ..ChatMessage::default() };
        let shown = lines(&theirs, "7", None, 80);
        assert!(shown[0].ends_with("bob: 📎 a\\u{1b}[2J.jpg, 3.0 MiB — /get 7"), "{shown:?}");
        assert!(shown[1].ends_with("the lake"), "{shown:?}");
        let mine = lines(&ChatMessage { mine: true, ..theirs.clone() }, "7", None, 80).join("");
        let begun = lines(&theirs, "7", Some("fetching: 25 %"), 80);
        assert!(!begun[0].contains("/get") && begun[2].ends_with("           fetching: 25 %"), "{begun:?}");
        let gone = lines(&ChatMessage { deleted: true, ..theirs }, "7", None, 80).join("");
        assert!(!mine.contains("/get") && !gone.contains("/get") && !gone.contains("📎"), "{mine} {gone}");
    }

    #[test]
    fn lines_are_as_wide_as_the_terminal() {
        let text =
            "one two three four five six seven eight, and-a-word-that-is-much-longer-than-the-line-is 好好好好好";
        for width in [16, 17, 20, 33] {
            let broken = wrapped(text, width);
            assert!(broken.iter().all(|line| columns(line) <= width), "{width}: {broken:?}");
            let said = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            assert_eq!(said(&broken.concat()), said(text));
        }
        assert_eq!(wrapped("a\n\nb", 20), ["a", "", "b"]);
        // A word that fills its line, and the space behind it.
        assert_eq!(wrapped("in /home/user/abcdef and", 16), ["in", "/home/user/abcde", "f and"]);
        assert_eq!(wrapped("/home/user/abcde and", 16), ["/home/user/abcde", "and"]);
        assert_eq!(
            wrapped("/home/user/abcdef-home/user/abcd and", 16),
            ["/home/user/abcde", "f-home/user/abcd", "and"]
        );
    }

    #[test]
    fn nothing_is_cut_off_in_a_narrow_terminal() {
        let attachment = Some(ChatAttachment { name: "the lake in May.jpg".into(), bytes: 3 << 20, torrent: None });
        let file = ChatMessage { from: "bob".into(), kind: ChatKind::Attachment, attachment, ..ChatMessage::default() };
        let text = "x".repeat(30);
        let mine = ChatMessage { mine: true, text, stage: Some(ChatStage::Read), ..ChatMessage::default() };
        for width in 31..80 {
            let shown = lines(&file, "12345.ab", None, width);
            assert!(shown.iter().all(|line| columns(line) <= width), "{width}: {shown:?}");
            assert!(shown.last().unwrap().ends_with("— /get 12345.ab"), "{width}: {shown:?}");
            let shown = lines(&mine, "19", None, width);
            assert!(shown.iter().all(|line| columns(line) <= width), "{width}: {shown:?}");
            assert!(shown.last().unwrap().ends_with("✓✓"), "{width}: {shown:?}");
        }
    }

    #[test]
    fn a_message_has_a_number_its_quote_its_reactions_and_how_far_it_is() {
        let message = ChatMessage {
            mine: true,
            text: "yes".into(),
            answers: Some(ChatQuote { id: "x-1".into(), from: Some("bob".into()), text: "tea?".into() }),
            reactions: vec![ChatReaction { reaction: "👍".into(), by: vec!["bob".into()], mine: false }],
            stage: Some(ChatStage::Read),
            edited: true,
            ..ChatMessage::default()
        };
        let shown = lines(&message, "12", None, 60);
        assert!(shown[0].starts_with("  12 ") && shown[0].ends_with("│ bob: tea?"), "{shown:?}");
        assert_eq!(shown[1..], ["           me: yes (edited) ✓✓", "           👍 bob"]);
    }
}
