//! The line that is typed.

use console::{Key, measure_text_width};

/// The line that is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its characters.
    pub text: Vec<char>,
    /// Before which character the cursor stands.
    pub at: usize,
}

impl Line {
    /// Takes a key; returns the whole line when it is done.
    pub fn press(&mut self, key: &Key) -> Option<String> {
        match key {
            Key::Enter => {
                self.at = 0;
                return Some(std::mem::take(&mut self.text).into_iter().collect());
            }
            // Ctrl-U, as in a shell.
            Key::Char('\u{15}') => *self = Line::default(),
            Key::Char(c) if !c.is_control() => {
                self.text.insert(self.at, *c);
                self.at += 1;
            }
            Key::Backspace if self.at > 0 => {
                self.at -= 1;
                self.text.remove(self.at);
            }
            Key::Del if self.at < self.text.len() => drop(self.text.remove(self.at)),
            Key::ArrowLeft => self.at = self.at.saturating_sub(1),
            Key::ArrowRight => self.at = (self.at + 1).min(self.text.len()),
            Key::Home => self.at = 0,
            Key::End => self.at = self.text.len(),
            _ => {}
        }
        None
    }

    /// Takes what was pasted. Lines stay lines of one text, which is no order whatever they begin with.
    pub fn paste(&mut self, text: &str) {
        let text = text.trim_end_matches('\n');
        let is_order = self.at == 0 && text.contains('\n') && text.starts_with('/');
        // Words that begin with a `/` begin with two.
        let pasted: Vec<char> = is_order.then_some('/').into_iter().chain(text.chars()).collect();
        let end = self.at + pasted.len();
        self.text.splice(self.at..self.at, pasted);
        self.at = end;
    }

    /// Returns the part of it that fits, and the column of the cursor in that.
    pub fn shown(&self, width: usize) -> (String, usize) {
        let seen = |c: &char| match c {
            '\n' => '⏎',
            '\t' => ' ',
            c => *c,
        };
        let part = |from: usize, to: usize| self.text[from..to].iter().map(seen).collect::<String>();
        let columns = |at: usize| measure_text_width(&part(at, at + 1));
        // The cursor itself needs a column behind the last character.
        let (mut from, mut taken) = (self.at, 1);
        while from > 0 && taken + columns(from - 1) <= width.max(2) {
            from -= 1;
            taken += columns(from);
        }
        let mut to = self.at;
        while to < self.text.len() && taken + columns(to) <= width {
            taken += columns(to);
            to += 1;
        }
        (part(from, to), measure_text_width(&part(from, self.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[Key]) -> Line {
        let mut line = Line::default();
        for key in keys {
            assert_eq!(line.press(key), None);
        }
        line
    }

    #[test]
    fn a_line_is_typed_and_corrected() {
        let mut keys: Vec<Key> = "helo".chars().map(Key::Char).collect();
        keys.extend([Key::ArrowLeft, Key::Char('l'), Key::End, Key::Char('?'), Key::Backspace, Key::Char('!')]);
        keys.extend([Key::Home, Key::Del, Key::Char('H'), Key::Char('\u{7}')]);
        let mut line = typed(&keys);
        assert_eq!(line.press(&Key::Enter).as_deref(), Some("Hello!"));
        assert_eq!(line, Line::default());
    }

    #[test]
    fn what_is_pasted_is_one_text_and_no_order() {
        let mut line = typed(&[Key::Char('a'), Key::Char('b'), Key::ArrowLeft]);
        line.paste("one\n/quit\n\n");
        assert_eq!(line.shown(40), ("aone⏎/quitb".to_owned(), 10));
        assert_eq!(line.press(&Key::Enter).as_deref(), Some("aone\n/quitb"));
        line.paste("/quit\nthree");
        assert_eq!(line.press(&Key::Enter).as_deref(), Some("//quit\nthree"));
        line.paste("/quit\n");
        assert_eq!(line.press(&Key::Enter).as_deref(), Some("/quit"));
    }

    #[test]
    fn a_long_line_moves_under_the_cursor() {
        let mut line = typed(&"0123456789".chars().map(Key::Char).collect::<Vec<_>>());
        assert_eq!(line.shown(20), ("0123456789".to_owned(), 10));
        assert_eq!(line.shown(5), ("6789".to_owned(), 4));
        line.press(&Key::Home);
        assert_eq!(line.shown(5), ("0123".to_owned(), 0));
    }
}
