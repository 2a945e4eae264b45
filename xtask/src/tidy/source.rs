//! A Rust file as the rules see it: code without comments and the content of strings, and which lines are tests.

/// One line of a file.
pub struct Line {
    /// The code alone: comments are gone, what stood in strings is blank.
    pub code: String,
    /// The comment alone, if there is one.
    pub comment: String,
    /// What stands in strings, each with a `"` before and behind it where it begins and ends.
    pub text: String,
    /// Whether the line belongs to a `#[cfg(test)]` item or a test file.
    pub test: bool,
}

/// A parsed file. It is parsed roughly: well enough for rules that search for words.
pub struct Source<'a> {
    /// The path from the root of the checkout, with `/`.
    pub path: &'a str,
    /// The lines, in order.
    pub lines: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    LineComment,
    BlockComment(u32),
    Text,
    RawText(usize),
}

impl<'a> Source<'a> {
    /// Splits the text.
    pub fn new(path: &'a str, text: &str) -> Self {
        let mut source = Self { path, lines: split(text) };
        source.mark_tests();
        source
    }

    /// The lines outside tests, counted from 1.
    pub fn code(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines.iter().enumerate().filter(|(_, line)| !line.test).map(|(index, line)| (index + 1, line))
    }

    /// Whether a comment stands on the line (counted from 1) or directly above it, within `reach` lines.
    pub fn has_reason(&self, line: usize, reach: usize) -> bool {
        let first = line.saturating_sub(reach + 1);
        self.lines[first..line].iter().any(|line| !line.comment.trim_matches(['/', ' ', '!']).is_empty())
    }

    fn mark_tests(&mut self) {
        let whole = self.path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples"))
            || self.path.ends_with("/tests.rs")
            || self.path.starts_with("fuzz/");
        let (mut depth, mut until) = (0_i32, None::<i32>);
        let mut announced = false;
        for line in &mut self.lines {
            let code = line.code.trim();
            announced |= until.is_none() && (code.starts_with("#[cfg(test)]") || code.starts_with("#[cfg(all(test"));
            let before = depth;
            depth += count(code, '{') - count(code, '}');
            let item = code.trim_start_matches("#[cfg(test)]").trim();
            if announced && until.is_none() && !item.is_empty() && !item.starts_with("#[") {
                if depth > before {
                    until = Some(before);
                    announced = false;
                } else if item.ends_with(';') || item.ends_with('}') {
                    announced = false;
                    line.test = true;
                } else {
                    line.test = true;
                }
            }
            line.test |= whole || announced || until.is_some();
            if until.is_some_and(|end| depth <= end) {
                until = None;
            }
        }
    }
}

fn count(code: &str, wanted: char) -> i32 {
    code.chars().filter(|&c| c == wanted).count() as i32
}

fn split(text: &str) -> Vec<Line> {
    let mut state = State::Code;
    text.lines()
        .map(|raw| {
            let mut line = Line { code: String::new(), comment: String::new(), text: String::new(), test: false };
            if state == State::LineComment {
                state = State::Code;
            }
            let chars: Vec<char> = raw.chars().collect();
            let mut at = 0;
            while at < chars.len() {
                at += step(&mut state, &chars, at, &mut line);
            }
            line
        })
        .collect()
}

/// Takes what stands at `at` and says how many characters that were.
fn step(state: &mut State, chars: &[char], at: usize, line: &mut Line) -> usize {
    let here = chars[at];
    let next = chars.get(at + 1).copied();
    match *state {
        State::LineComment => {
            line.comment.push(here);
            1
        }
        State::BlockComment(depth) => {
            if here == '*' && next == Some('/') {
                *state = if depth == 1 { State::Code } else { State::BlockComment(depth - 1) };
                return 2;
            }
            if here == '/' && next == Some('*') {
                *state = State::BlockComment(depth + 1);
                return 2;
            }
            line.comment.push(here);
            1
        }
        State::Text if here == '\\' => 2,
        State::Text if here == '"' => {
            *state = State::Code;
            line.code.push('"');
            line.text.push('"');
            1
        }
        State::RawText(hashes)
            if here == '"' && chars[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes =>
        {
            *state = State::Code;
            line.code.push('"');
            line.text.push('"');
            1 + hashes
        }
        State::Text | State::RawText(_) => {
            line.text.push(here);
            1
        }
        State::Code => code(state, chars, at, line),
    }
}

fn code(state: &mut State, chars: &[char], at: usize, line: &mut Line) -> usize {
    let here = chars[at];
    let next = chars.get(at + 1).copied();
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && chars[at - 1] != 'b';
    match (here, next) {
        ('/', Some('/')) => {
            *state = State::LineComment;
            2
        }
        ('/', Some('*')) => {
            *state = State::BlockComment(1);
            2
        }
        ('r', Some('#' | '"')) if !in_word => {
            let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
            if chars.get(at + 1 + hashes) == Some(&'"') {
                *state = State::RawText(hashes);
                line.code.push('"');
                line.text.push('"');
                return 2 + hashes;
            }
            line.code.push(here);
            1
        }
        ('"', _) => {
            *state = State::Text;
            line.code.push('"');
            line.text.push('"');
            1
        }
        // A character, not a lifetime: '{' must not count as a brace.
        ('\'', Some('\\')) => {
            let end = chars[at + 2..].iter().skip(1).position(|&c| c == '\'').map_or(chars.len() - at, |n| n + 4);
            line.code.push_str("' '");
            end
        }
        ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => {
            line.code.push_str("' '");
            3
        }
        _ => {
            line.code.push(here);
            1
        }
    }
}

/// Whether `code` has `word` with no letter, digit or underscore on either side.
pub fn has_word(code: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (code[..at].chars().next_back(), code[at + word.len()..].chars().next());
        let (first, last) = (word.chars().next(), word.chars().next_back());
        let joined = (part(before) && part(first)) || (part(after) && part(last));
        !joined
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(text: &str) -> Vec<String> {
        Source::new("crates/x/src/lib.rs", text).lines.into_iter().map(|line| line.code.trim().to_owned()).collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(code_of("a(); // todo!()"), ["a();"]);
        assert_eq!(code_of("/* one\n /* two */ three\n*/ b();"), ["", "", "b();"]);
        assert_eq!(code_of(r#"c("todo!() \" // x"); d();"#), [r#"c(""); d();"#]);
        assert_eq!(
            code_of("e(r#\"todo!() \" \"#); f('{', '\\'', '\\u{7b}'); fn g<'a>() {}"),
            ["e(\"\"); f(' ', ' ', ' '); fn g<'a>() {}"]
        );
        assert_eq!(code_of("h(\"one\n two // three\n four\"); i();"), ["h(\"", "", "\"); i();"]);
    }

    #[test]
    fn strings_are_kept_apart() {
        let text = "a(\"one --two\"); // \"three\"\nb(r#\"four\"#, \"\", c); d(\"five\n six\")";
        let source = Source::new("crates/x/src/lib.rs", text);
        let kept: Vec<&str> = source.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(kept, ["\"one --two\"", "\"four\"\"\"\"five", " six\""]);
    }

    #[test]
    fn test_items_are_marked_to_their_end() {
        let text =
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { c() }\n}\nfn d() {}\n#[cfg(test)]\nmod e;\nfn f() {}\n";
        let marks: Vec<bool> = Source::new("crates/x/src/lib.rs", text).lines.iter().map(|line| line.test).collect();
        assert_eq!(marks, [false, true, true, true, true, false, true, true, false]);
        assert!(Source::new("crates/x/src/a/tests.rs", "fn a() {}").lines[0].test);
        assert!(Source::new("crates/x/tests/a.rs", "fn a() {}").lines[0].test);
    }

    #[test]
    fn words_are_found_whole() {
        assert!(has_word("use tokio::sync;", "tokio"));
        assert!(!has_word("use tokio_util::sync;", "tokio"));
        assert!(!has_word("MyHashMap", "HashMap"));
        assert!(has_word("HashMap::new()", "HashMap"));
        assert!(has_word("std::fs::read", "std::fs"));
    }
}
