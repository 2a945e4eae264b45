//! A conversation that fills the terminal: what was said, a line that tells what goes on, and the line that is typed.
//!
//! The whole screen is drawn anew whenever something changed, from [`Model`] and [`Line`] alone.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use console::{Key, Term, measure_text_width, truncate_str};
use reqwest::Method;
use rpc::{ChatInfo, ChatPage, ChatRead, ChatSent, ChatTyping, Event, Job};
use tokio::sync::mpsc;

use super::model::{Change, Model};
use super::order::{self, Order, TYPING_AGAIN};
use super::{files, path, show};
use crate::client::{Client, Events};
use crate::interrupt::Interrupt;

/// How many messages are read at once. Arbitrary: more than a screen has.
pub const PAGE: usize = 100;

/// How often the screen is drawn though nothing happened: the terminal may have another size.
const LOOK: Duration = Duration::from_secs(1);

/// Goes over to a screen of its own, and back (xterm, "Alternate Screen Buffer").
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// Shows a conversation until the user has enough.
pub async fn run(client: &Client, name: &str, term: Term) -> Result<u8> {
    let mut interrupt = Interrupt::listen()?;
    // Before the rest, so that nothing is missed.
    let mut events = client.events().await?;
    events.next().await?;
    let model = load(client, name).await?;
    let mut view = View {
        client: client.clone(),
        model,
        line: Line::default(),
        back: 0,
        notice: String::new(),
        typed: None,
        sending: None,
    };
    view.read().await?;
    let screen = Screen::enter(term.clone())?;
    let (mut keys, next_key) = keys(term);
    // One key is read at a time, so that none is when this ends: reading one changes the terminal.
    next_key.try_send(()).ok();
    let result = follow(&mut view, &screen, (&mut keys, &next_key), &mut events, &mut interrupt).await;
    view.stop_sending().await;
    result
}

/// Shows it and does what is typed, until the user has enough.
async fn follow(
    view: &mut View,
    screen: &Screen,
    (keys, next_key): (&mut mpsc::Receiver<Key>, &mpsc::Sender<()>),
    events: &mut Events,
    interrupt: &mut Interrupt,
) -> Result<u8> {
    loop {
        screen.draw(view)?;
        tokio::select! {
            key = keys.recv() => {
                let Some(key) = key else { return Ok(0) };
                if view.press(key).await? {
                    return Ok(0);
                }
                next_key.try_send(()).ok();
            }
            event = events.next() => {
                let event = event?;
                if let Event::Job(job) = &event {
                    view.see(job);
                }
                match view.model.apply(event, Instant::now()) {
                    Change::News => view.read().await?,
                    Change::Missed => view.model = load(&view.client, &view.model.info.id).await?,
                    Change::Nothing | Change::Looks => {}
                }
            }
            () = tokio::time::sleep(LOOK) => view.stop_typing().await,
            () = interrupt.wait() => return Ok(0),
        }
    }
}

async fn load(client: &Client, name: &str) -> Result<Model> {
    let info: ChatInfo = client.get(&path(name, "")).await?;
    let page: ChatPage = client.get(&path(&info.id, &format!("/messages?limit={PAGE}"))).await?;
    Ok(Model::new(info, page))
}

/// Reads keys, each when it is asked for.
fn keys(term: Term) -> (mpsc::Receiver<Key>, mpsc::Sender<()>) {
    let (sender, keys) = mpsc::channel(1);
    let (next, mut wanted) = mpsc::channel(1);
    std::thread::spawn(move || {
        while wanted.blocking_recv().is_some() {
            let Ok(key) = term.read_key_raw() else { return };
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    (keys, next)
}

/// The line that is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Line {
    text: Vec<char>,
    /// Before which character the cursor stands.
    at: usize,
}

impl Line {
    /// Takes a key; returns the whole line when it is done.
    fn press(&mut self, key: &Key) -> Option<String> {
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

    /// Returns the part of it that fits, and the column of the cursor in that.
    fn shown(&self, width: usize) -> (String, usize) {
        let part = |from: usize, to: usize| self.text[from..to].iter().collect::<String>();
        // The cursor itself needs a column behind the last character.
        let mut from = 0;
        while measure_text_width(&part(from, self.at)) >= width.max(2) {
            from += 1;
        }
        let mut to = self.at;
        while to < self.text.len() && measure_text_width(&part(from, to + 1)) < width {
            to += 1;
        }
        (part(from, to), measure_text_width(&part(from, self.at)))
    }
}

/// What is on the screen, and what keys do to it.
struct View {
    client: Client,
    model: Model,
    line: Line,
    /// How many lines the screen is scrolled back.
    back: usize,
    /// What came of the last order.
    notice: String,
    /// When the others were last told that the user writes; `None`: they think that nothing is written.
    typed: Option<Instant>,
    /// The job that hashes what is to be sent.
    sending: Option<u64>,
}

impl View {
    /// Takes a key. Returns true when the user has enough.
    async fn press(&mut self, key: Key) -> Result<bool> {
        match key {
            Key::CtrlC | Key::Char('\u{4}') => return Ok(true),
            Key::PageUp | Key::ArrowUp => {
                self.back += if key == Key::PageUp { 10 } else { 1 };
            }
            Key::PageDown | Key::ArrowDown => {
                self.back = self.back.saturating_sub(if key == Key::PageDown { 10 } else { 1 });
            }
            key => {
                if let Some(line) = self.line.press(&key) {
                    return self.done(&line).await;
                }
                self.write_on().await;
            }
        }
        Ok(false)
    }

    /// Does what was typed. Returns true when the user has enough.
    async fn done(&mut self, line: &str) -> Result<bool> {
        self.notice.clear();
        match order::parse(line, &self.model) {
            Ok(None) => {}
            Ok(Some(Order::Quit)) => return Ok(true),
            Ok(Some(Order::Help)) => order::HELP.clone_into(&mut self.notice),
            Ok(Some(Order::Older)) => self.read_older().await?,
            Ok(Some(Order::Send(file))) => self.send(&file).await,
            Ok(Some(Order::Get(id, folder))) => {
                let fetched = files::fetch(&self.client, &self.model.info.id, &id, folder.as_deref()).await;
                self.notice = fetched.map_or_else(|error| format!("{error:#}"), |entry| files::fetching(&entry));
            }
            Ok(Some(Order::Say(send))) => {
                // Whoever said it writes it no more.
                (self.typed, self.back) = (None, 0);
                let path = path(&self.model.info.id, "/messages");
                if let Err(error) = self.client.call::<ChatSent>(Method::POST, &path, &send).await {
                    self.notice = error.to_string();
                    // What was typed is not lost.
                    self.line = Line { text: line.chars().collect(), at: line.chars().count() };
                }
            }
            Err(reason) => self.notice = reason,
        }
        Ok(false)
    }

    /// Begins to send a file, one at a time.
    async fn send(&mut self, file: &Path) {
        if self.sending.is_some() {
            "one file is being hashed already".clone_into(&mut self.notice);
            return;
        }
        match files::begin(&self.client, &self.model.info.id, file, String::new()).await {
            Ok(job) => {
                self.sending = Some(job.id);
                self.see(&job);
            }
            Err(error) => self.notice = format!("{error:#}"),
        }
    }

    /// Says how far the hashing of a file is.
    fn see(&mut self, job: &Job) {
        if self.sending != Some(job.id) {
            return;
        }
        match files::outcome(job) {
            Ok(None) => {
                let of = if job.total_bytes > 0 { job.done_bytes as f64 / job.total_bytes as f64 } else { 0.0 };
                self.notice = format!("hashing {}: {}", job.path, crate::show::percent(of));
            }
            Ok(Some(_)) => {
                self.sending = None;
                self.notice.clear();
            }
            Err(error) => {
                self.sending = None;
                self.notice = format!("{error:#}");
            }
        }
    }

    /// Leaves nothing behind of what is not sent yet.
    async fn stop_sending(&mut self) {
        if let Some(job) = self.sending.take()
            && let Err(error) = self.client.cancel_job(job).await
        {
            eprintln!("The hashing goes on: {error}");
        }
    }

    async fn read_older(&mut self) -> Result<()> {
        let Some(oldest) = self.model.messages().first().filter(|_| self.model.more_before) else {
            "that is all".clone_into(&mut self.notice);
            return Ok(());
        };
        let page = format!("/messages?limit={PAGE}&before={}", oldest.id);
        let page = self.client.get(&path(&self.model.info.id, &page)).await?;
        self.model.put_before(page);
        Ok(())
    }

    /// Says that all was read.
    async fn read(&mut self) -> Result<()> {
        let all = Some(&ChatRead::default());
        self.client.tell(Method::POST, &path(&self.model.info.id, "/read"), all).await?;
        Ok(())
    }

    /// Lets the others know that the user writes, now and then.
    async fn write_on(&mut self) {
        if self.line.text.is_empty() || self.line.text[0] == '/' {
            return self.tell_typing(false).await;
        }
        if self.typed.is_none_or(|since| since.elapsed() >= TYPING_AGAIN) {
            self.tell_typing(true).await;
        }
    }

    /// Lets the others know when the user paused for long.
    async fn stop_typing(&mut self) {
        if self.typed.is_some_and(|since| since.elapsed() >= 2 * TYPING_AGAIN) {
            self.tell_typing(false).await;
        }
    }

    async fn tell_typing(&mut self, typing: bool) {
        if !typing && self.typed.is_none() {
            return;
        }
        self.typed = typing.then(Instant::now);
        // Nothing is lost by it.
        let path = path(&self.model.info.id, "/typing");
        let _ = self.client.tell(Method::POST, &path, Some(&ChatTyping { typing })).await;
    }

    /// Returns the lines of the screen, and the column of the cursor in the last.
    fn lines(&mut self, width: usize, height: usize) -> (Vec<String>, usize) {
        let mut said = Vec::new();
        let mut day = String::new();
        for message in self.model.messages() {
            let its_day = show::day(message.written_at_ms);
            if its_day != day {
                said.push(rule(&its_day, width));
                day = its_day;
            }
            if self.model.first_unread.as_deref() == Some(&message.id) {
                said.push(rule("new", width));
            }
            said.extend(show::lines(message, self.model.number(&message.id), width));
        }
        if self.model.more_before {
            said.insert(0, rule("/older shows more", width));
        }
        let room = height.saturating_sub(2);
        self.back = self.back.min(said.len().saturating_sub(room));
        let end = said.len() - self.back;
        let mut lines = vec![String::new(); room.saturating_sub(end)];
        lines
            .extend(said[end.saturating_sub(room)..end].iter().map(|line| truncate_str(line, width, "…").into_owned()));
        let status = self.status();
        lines.push(truncate_str(&status, width, "…").into_owned());
        let (typed, column) = self.line.shown(width.saturating_sub(2));
        lines.push(format!("> {typed}"));
        (lines, column + 2)
    }

    fn status(&mut self) -> String {
        let info = &self.model.info;
        let mut parts = vec![format!("── {} ", show::one_line(&info.name))];
        parts.extend(info.timer_s.map(|seconds| format!("messages disappear after {} ", show::kept_for(seconds))));
        parts.extend(info.muted.then(|| "muted ".to_owned()));
        parts.extend(self.model.failing.as_deref().map(|reason| format!("{} ", show::one_line(reason))));
        parts.extend((self.back > 0).then(|| format!("{} lines further down ", self.back)));
        let names: Vec<String> = self.model.typing(Instant::now()).iter().map(|name| show::one_line(name)).collect();
        parts.extend((!names.is_empty()).then(|| format!("{} … ", names.join(", "))));
        parts.extend((!self.notice.is_empty()).then(|| show::one_line(&self.notice)));
        parts.join("── ")
    }
}

fn rule(text: &str, width: usize) -> String {
    let line = format!("── {text} ");
    let rest = width.saturating_sub(measure_text_width(&line));
    format!("{line}{}", "─".repeat(rest))
}

/// The terminal while this runs.
struct Screen {
    term: Term,
    _raw: Restored,
}

impl Screen {
    fn enter(term: Term) -> Result<Screen> {
        term.write_str(ENTER)?;
        Ok(Screen { term, _raw: Restored::remember() })
    }

    fn draw(&self, view: &mut View) -> Result<()> {
        let (height, width) = self.term.size();
        let (lines, column) = view.lines(usize::from(width).max(20), usize::from(height).max(4));
        // Each line is cleared behind its end: so nothing flickers.
        let text = lines.join("\x1b[K\r\n");
        self.term.write_str(&format!("\x1b[H{text}\x1b[K\r\x1b[{column}C"))?;
        self.term.flush()?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = self.term.write_str(LEAVE);
    }
}

/// Brings the terminal's mode back: whoever ends while a key is read would leave it as it is then.
struct Restored {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Restored {
    fn remember() -> Restored {
        Restored {
            #[cfg(unix)]
            before: rustix::termios::tcgetattr(std::io::stdin()).ok(),
        }
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            use rustix::termios::{OptionalActions, tcsetattr};
            // The terminal may be gone.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use rpc::ChatMessage;

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
    fn a_long_line_moves_under_the_cursor() {
        let mut line = typed(&"0123456789".chars().map(Key::Char).collect::<Vec<_>>());
        assert_eq!(line.shown(20), ("0123456789".to_owned(), 10));
        assert_eq!(line.shown(5), ("6789".to_owned(), 4));
        line.press(&Key::Home);
        assert_eq!(line.shown(5), ("0123".to_owned(), 0));
    }

    #[test]
    fn the_screen_is_as_large_as_the_terminal_and_ends_with_what_is_typed() {
        let message = |number: u64| ChatMessage {
            id: format!("a-{number}"),
            order: number,
            text: format!("line {number}"),
            from: "bob".into(),
            ..ChatMessage::default()
        };
        let page = ChatPage { messages: (1..=30).map(message).collect(), more_before: true, more_after: false };
        let info = ChatInfo { name: "bob".into(), ..ChatInfo::default() };
        let api = "127.0.0.1:1".parse().unwrap();
        let client = Client::new(api, String::new()).unwrap();
        let model = Model::new(info, page);
        let mut view = View {
            client,
            model,
            line: typed(&[Key::Char('x')]),
            back: 0,
            notice: String::new(),
            typed: None,
            sending: None,
        };
        let (lines, column) = view.lines(40, 10);
        assert_eq!((lines.len(), column), (10, 3));
        assert!(lines[7].contains("line 30") && lines[8].contains("bob") && lines[9] == "> x", "{lines:?}");
        view.back = 1000;
        let (lines, _) = view.lines(40, 10);
        assert!(lines[0].contains("/older") && lines[8].contains("further down"), "{lines:?}");
        assert!(view.lines(40, 60).0.len() == 60);
    }
}
