//! Texts on their way: of others to a client, line by line, and of a client to others.

/// How much of a message another one quotes, in characters. Arbitrary: enough to know it again.
const QUOTE: usize = 40;

/// What a client wants to be told of the message it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// Words.
    Text(String),
    /// Something that programs ask one another, which nobody reads.
    Machine,
}

/// Reads what a client says: formatting is left out, and what it does (CTCP ACTION) becomes words.
pub(super) fn spoken(text: &str) -> Spoken {
    let Some(ctcp) = text.strip_prefix('\u{1}') else { return Spoken::Text(plain(text)) };
    let ctcp = ctcp.strip_suffix('\u{1}').unwrap_or(ctcp);
    match ctcp.split_once(' ').unwrap_or((ctcp, "")) {
        (verb, deed) if verb.eq_ignore_ascii_case("ACTION") => Spoken::Text(format!("* {}", plain(deed))),
        _ => Spoken::Machine,
    }
}

/// Leaves out control characters, those that colour included (modern.ircdocs.horse/formatting).
fn plain(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\u{3}' => rest = behind_color(rest),
            '\u{4}' => {
                let digits = rest.bytes().take(6).take_while(u8::is_ascii_hexdigit).count();
                rest = &rest[digits..];
            }
            '\t' | '\n' => words.push(c),
            c if c.is_control() => {}
            c => words.push(c),
        }
    }
    words
}

/// Passes over the numbers of a colour: one or two digits, and as many behind a comma.
fn behind_color(text: &str) -> &str {
    let digits = |text: &str| text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let front = digits(text);
    let rest = &text[front..];
    match rest.strip_prefix(',').map(|back| (back, digits(back))) {
        Some((back, count)) if front > 0 && count > 0 => &back[count..],
        _ => rest,
    }
}

/// Makes one line of what others wrote: without control characters, so that it neither ends early, nor colours, nor asks
/// the client's program anything (CTCP).
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c == '\t' || c == '\n' { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

/// A piece of a text as a line of IRC carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The words.
    pub(super) text: String,
    /// Whether it goes on the line before, which was too long.
    pub(super) goes_on: bool,
}

/// Splits what others wrote into lines of at most `max` bytes, between words where that is possible. Empty lines are kept
/// between others; there is at least one piece.
pub(super) fn pieces(text: &str, max: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for line in text.trim_matches(['\r', '\n']).lines() {
        let line = one_line(line);
        let mut rest = line.as_str();
        let mut goes_on = false;
        loop {
            let end = end_of_piece(rest, max);
            pieces.push(Piece { text: rest[..end].to_owned(), goes_on });
            rest = &rest[end..];
            goes_on = true;
            if rest.is_empty() {
                break;
            }
        }
    }
    if pieces.is_empty() {
        pieces.push(Piece { text: String::new(), goes_on: false });
    }
    pieces
}

/// Where a line of at most `max` bytes ends: behind a space, if there is one in its second half.
fn end_of_piece(text: &str, max: usize) -> usize {
    if text.len() <= max {
        return text.len();
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    match text[..end].rfind(' ') {
        Some(space) if space >= max / 2 => space + 1,
        // One character at least, however narrow the line.
        _ => end.max(text.chars().next().map_or(0, char::len_utf8)),
    }
}

/// The beginning of a text, to be quoted.
pub(super) fn quote(text: &str) -> String {
    let line = one_line(text.trim());
    match line.char_indices().nth(QUOTE) {
        Some((end, _)) => {
            let end = line[..end].rfind(' ').filter(|space| *space >= end / 2).unwrap_or(end);
            format!("\u{201c}{}\u{2026}\u{201d}", &line[..end])
        }
        None => format!("\u{201c}{line}\u{201d}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(pieces: &[Piece]) -> Vec<&str> {
        pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    #[test]
    fn what_a_client_says_becomes_words() {
        for (said, words) in [
            ("hello", "hello"),
            ("\u{2}bold\u{2} \u{3}04,12red\u{3} \u{1d}slanted\u{f}", "bold red slanted"),
            ("\u{3}4, and so on", ", and so on"),
            ("\u{3},5", ",5"),
            ("\u{4}ff0000red", "red"),
            ("\u{1}ACTION waves\u{1}", "* waves"),
            ("\u{1}action waves", "* waves"),
        ] {
            assert_eq!(spoken(said), Spoken::Text(words.into()), "{said:?}");
        }
        for asked in ["\u{1}VERSION\u{1}", "\u{1}PING 12\u{1}", "\u{1}"] {
            assert_eq!(spoken(asked), Spoken::Machine);
        }
    }

    #[test]
    fn a_text_is_split_at_its_lines_and_between_words() {
        assert_eq!(texts(&pieces("one\r\ntwo\n\nthree\n", 100)), ["one", "two", "", "three"]);
        let long = pieces("a few words that go on", 12);
        assert_eq!(texts(&long), ["a few words ", "that go on"]);
        assert_eq!(long.iter().map(|piece| piece.goes_on).collect::<Vec<_>>(), [false, true]);
        assert_eq!(texts(&pieces("", 10)), [""]);
        assert_eq!(texts(&pieces("äöü", 1)), ["ä", "ö", "ü"]);
    }

    #[test]
    fn nobody_makes_a_client_answer_or_ends_its_lines() {
        assert_eq!(texts(&pieces("\u{1}VERSION\u{1}", 100)), ["VERSION"]);
        assert_eq!(texts(&pieces("a\0b\rQUIT :x\u{1b}[31m\tc", 100)), ["abQUIT :x[31m c"]);
    }

    #[test]
    fn a_quote_is_short() {
        assert_eq!(quote(" hello\nyou "), "\u{201c}hello you\u{201d}");
        assert_eq!(quote(&"word ".repeat(30)), format!("\u{201c}{}word\u{2026}\u{201d}", "word ".repeat(7)));
        assert_eq!(quote(&"x".repeat(50)).chars().count(), QUOTE + 3);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_by_splitting(text in "[a-zäöü \n]{0,300}", max in 4..60_usize) {
            let pieces = pieces(&text, max);
            prop_assert!(pieces.iter().all(|piece| piece.text.len() <= max));
            let mut joined = String::new();
            for (index, piece) in pieces.iter().enumerate() {
                if index > 0 && !piece.goes_on {
                    joined.push('\n');
                }
                joined.push_str(&piece.text);
            }
            prop_assert_eq!(joined, text.trim_matches('\n'));
        }
    }
}
