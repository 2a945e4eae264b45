//! What comes from the keyboard: keys, and texts that were pasted.

use std::collections::VecDeque;

use console::{Key, Term};
use tokio::sync::mpsc;

/// What a terminal puts around what is pasted (xterm, "Bracketed Paste Mode").
const BEGIN: &str = "\x1b[200~";
const END: &str = "\x1b[201~";

/// How many bytes are taken of what is pasted. Arbitrary: far more than a message may have, so that nobody sends a part
/// without a word.
const MOST: usize = 1 << 20;

/// What was typed, or pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// This key was pressed.
    Key(Key),
    /// This was pasted.
    Pasted(String),
}

/// Tells what is pasted from what is typed.
#[derive(Debug, Default)]
struct Pasting {
    /// The keys that may be the beginning of a mark.
    held: Vec<Key>,
    /// What is pasted, so far.
    text: Option<String>,
}

impl Pasting {
    /// Takes a key; returns what came of it, and of those before.
    fn take(&mut self, key: Key) -> Vec<Typed> {
        self.held.push(key);
        let seen: String = self.held.iter().map(letters).collect();
        let mark = if self.text.is_some() { END } else { BEGIN };
        if seen == mark {
            self.held.clear();
            return match self.text.take() {
                Some(text) => vec![Typed::Pasted(text)],
                None => {
                    self.text = Some(String::new());
                    Vec::new()
                }
            };
        }
        if !seen.is_empty() && mark.starts_with(&seen) {
            return Vec::new();
        }
        // The last one may begin a mark of its own.
        let begins = self.held.len() > 1 && letters(&self.held[self.held.len() - 1]).starts_with('\x1b');
        let again = if begins { self.held.pop() } else { None };
        let held = std::mem::take(&mut self.held);
        let mut typed: Vec<Typed> = held.into_iter().filter_map(|key| self.let_in(key)).collect();
        typed.extend(again.into_iter().flat_map(|key| self.take(key)));
        typed
    }

    /// Takes a key that is no part of a mark.
    fn let_in(&mut self, key: Key) -> Option<Typed> {
        let Some(text) = &mut self.text else { return Some(Typed::Key(key)) };
        let c = match key {
            // Nobody pastes it: what is pasted has no end.
            Key::CtrlC => {
                self.text = None;
                return Some(Typed::Key(key));
            }
            Key::Enter => '\n',
            Key::Tab => '\t',
            Key::Char(c) if !c.is_control() => c,
            _ => return None,
        };
        if text.len() < MOST {
            text.push(c);
        }
        None
    }

    /// Whether more is to come, whatever the user does.
    fn is_within(&self) -> bool {
        self.text.is_some()
    }
}

/// Returns what the terminal sent for a key, of those that a mark has.
fn letters(key: &Key) -> String {
    match key {
        Key::Escape => "\x1b".to_owned(),
        Key::UnknownEscSeq(rest) => std::iter::once(&'\x1b').chain(rest).collect(),
        Key::Char(c) => c.to_string(),
        _ => String::new(),
    }
}

/// Reads keys, each when it is asked for.
pub fn keys(term: Term) -> (mpsc::Receiver<Typed>, mpsc::Sender<()>) {
    let (sender, typed) = mpsc::channel(1);
    let (next, mut wanted) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut pasting = Pasting::default();
        let mut ready = VecDeque::new();
        while wanted.blocking_recv().is_some() {
            while ready.is_empty() || pasting.is_within() {
                let Ok(key) = term.read_key_raw() else { return };
                ready.extend(pasting.take(key));
            }
            if let Some(first) = ready.pop_front()
                && sender.blocking_send(first).is_err()
            {
                return;
            }
        }
    });
    (typed, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what comes of keys as they are read: `cut`: a read ended where an escape stands.
    fn read(sent: &str, cut: bool) -> Vec<Typed> {
        let mut pasting = Pasting::default();
        let mut keys = Vec::new();
        let mut rest: VecDeque<char> = sent.chars().collect();
        while let Some(c) = rest.pop_front() {
            keys.push(match c {
                '\x1b' if cut => Key::Escape,
                '\x1b' => Key::UnknownEscSeq(rest.drain(..rest.len().min(3)).collect()),
                '\r' => Key::Enter,
                '\t' => Key::Tab,
                '\u{3}' => Key::CtrlC,
                c => Key::Char(c),
            });
        }
        keys.into_iter().flat_map(|key| pasting.take(key)).collect()
    }

    fn key(c: char) -> Typed {
        Typed::Key(Key::Char(c))
    }

    #[test]
    fn lines_that_are_pasted_are_one_text() {
        for cut in [false, true] {
            let read = read("a\x1b[200~line one\r/quit\r\tthree\x1b[201~b\r", cut);
            let text = "line one\n/quit\n\tthree".to_owned();
            assert_eq!(read, [key('a'), Typed::Pasted(text), key('b'), Typed::Key(Key::Enter)]);
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_is_typed() {
        let escape = Typed::Key(Key::Escape);
        assert_eq!(read("\x1b[2x", true), [escape.clone(), key('['), key('2'), key('x')]);
        assert_eq!(read("\x1b\x1b[200~y\x1b[201~", true), [escape.clone(), Typed::Pasted("y".into())]);
        assert_eq!(read("\x1b[200~\x1b[200~\x1b[20~\x1b[201~", true), [Typed::Pasted("[200~[20~".into())]);
        assert_eq!(read("\x1b[200~x\u{3}y", true), [Typed::Key(Key::CtrlC), key('y')]);
    }
}
