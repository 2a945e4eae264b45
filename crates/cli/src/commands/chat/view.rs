//! What is on the screen of a conversation, and what keys do to it.

use std::path::Path;
use std::time::Instant;

use console::Key;
use reqwest::Method;
use rpc::{ChatInfo, ChatRead, ChatSend, ChatSent, ChatTyping, Job};

use super::downloads::Downloads;
use super::keys::Typed;
use super::line::Line;
use super::model::{Model, before};
use super::order::{self, Order, TYPING_AGAIN};
use super::screen::PAGE;
use super::{files, path, show};
use crate::client::Client;

/// What is said while there is no node.
pub const AWAY: &str = "the node is away: this goes on when it is back, and what you typed stays";

/// What is said to orders meanwhile.
const NOT_NOW: &str = "not now: press Enter again when it is back";

/// What is on the screen, and what keys do to it.
pub struct View {
    /// Talks to the node.
    pub client: Client,
    /// What was said.
    pub model: Model,
    /// How far the files of messages are.
    pub downloads: Downloads,
    /// What is typed.
    pub line: Line,
    /// How many lines the screen is scrolled back.
    pub back: usize,
    /// What came of the last order.
    pub notice: Notice,
    /// Why nothing comes and goes: the node is not there.
    pub away: Option<String>,
    /// What is said when the screen is left.
    pub last_word: Option<String>,
    /// When the others were last told that the user writes; `None`: they think that nothing is written.
    typed: Option<Instant>,
    /// The job that hashes what is to be sent.
    sending: Option<u64>,
}

/// What is said of the last order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// These words, or none.
    Words(String),
    /// What orders there are.
    Help,
}

impl View {
    /// Begins with a conversation.
    pub fn new(client: Client, model: Model) -> View {
        View {
            client,
            model,
            downloads: Downloads::default(),
            line: Line::default(),
            back: 0,
            notice: Notice::Words(String::new()),
            away: None,
            last_word: None,
            typed: None,
            sending: None,
        }
    }

    fn say(&mut self, words: impl Into<String>) {
        self.notice = Notice::Words(words.into());
    }

    /// Takes what is typed or pasted. Returns true when the user has enough.
    pub async fn take(&mut self, typed: Typed) -> bool {
        match typed {
            Typed::Key(key) => return self.press(key).await,
            Typed::Pasted(text) => self.line.paste(&text),
        }
        self.write_on().await;
        false
    }

    async fn press(&mut self, key: Key) -> bool {
        match key {
            Key::CtrlC | Key::Char('\u{4}') => return true,
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
        false
    }

    /// Does what was typed. Returns true when the user has enough.
    async fn done(&mut self, line: &str) -> bool {
        self.say("");
        let order = match order::parse(line, &self.model) {
            Ok(None) => return false,
            Ok(Some(Order::Quit)) => return true,
            Ok(Some(Order::Help)) => {
                self.notice = Notice::Help;
                return false;
            }
            Ok(Some(order)) => order,
            Err(reason) => {
                self.not_done(line, reason);
                return false;
            }
        };
        match self.order(order).await {
            Ok(()) => {}
            Err(reason) => self.not_done(line, reason),
        }
        self.last_word.is_some()
    }

    /// Says why something was not done. What was typed is not lost.
    fn not_done(&mut self, line: &str, reason: String) {
        self.line = Line { text: line.chars().collect(), at: line.chars().count() };
        self.say(reason);
    }

    /// Does something by the node. The error says why not.
    async fn order(&mut self, order: Order) -> Result<(), String> {
        if self.away.is_some() {
            return Err(NOT_NOW.to_owned());
        }
        if self.model.info.request && matches!(order, Order::Say(_) | Order::Send(_)) {
            let name = show::one_line(&self.model.info.name);
            return Err(format!("say first whether {name} may write to you: /accept or /refuse"));
        }
        match order {
            Order::Older => self.read_older().await?,
            Order::Send(file) => self.send(&file).await?,
            Order::Get(id, folder) => {
                let fetched = files::fetch(&self.client, &self.model.info.id, &id, folder.as_deref()).await;
                self.say(files::fetching(&fetched.map_err(|error| format!("{error:#}"))?));
            }
            Order::Say(send) => {
                // Whoever said it writes it no more.
                (self.typed, self.back) = (None, 0);
                self.post::<ChatSend, ChatSent>("/messages", &send).await?;
            }
            Order::Accept => {
                let was_asked = self.model.info.request;
                self.model.info = self.post::<(), ChatInfo>("/accept", &()).await?;
                let name = show::one_line(&self.model.info.name);
                self.say(if was_asked { format!("{name} may write to you.") } else { format!("{name} did not ask.") });
                self.read().await;
            }
            Order::Refuse => {
                let path = path(&self.model.info.id, "/refuse");
                let refused = self.client.tell(Method::POST, &path, Some(&())).await;
                refused.map_err(|error| error.to_string())?;
                self.last_word = Some(super::refused(&self.model.info.name));
            }
            // They need no node.
            Order::Help | Order::Quit => {}
        }
        Ok(())
    }

    async fn post<B: serde::Serialize, T: serde::de::DeserializeOwned>(
        &self,
        rest: &str,
        body: &B,
    ) -> Result<T, String> {
        let path = path(&self.model.info.id, rest);
        self.client.call(Method::POST, &path, body).await.map_err(|error| error.to_string())
    }

    /// Begins to send a file, one at a time.
    async fn send(&mut self, file: &Path) -> Result<(), String> {
        if self.sending.is_some() {
            return Err("one file is being hashed already: wait until it is sent".to_owned());
        }
        let begun = files::begin(&self.client, &self.model.info.id, file, String::new()).await;
        let job = begun.map_err(|error| format!("{error:#}"))?;
        self.sending = Some(job.id);
        self.see(&job);
        Ok(())
    }

    /// Says how far the hashing of a file is.
    pub fn see(&mut self, job: &Job) {
        if self.sending != Some(job.id) {
            return;
        }
        match files::outcome(job) {
            Ok(None) => {
                let of = if job.total_bytes > 0 { job.done_bytes as f64 / job.total_bytes as f64 } else { 0.0 };
                self.say(format!("hashing {}: {}", job.path, crate::show::percent(of)));
            }
            Ok(Some(_)) => {
                self.sending = None;
                self.say("");
            }
            Err(error) => {
                self.sending = None;
                self.say(format!("{error:#}"));
            }
        }
    }

    /// The node is not there any more.
    pub fn node_went(&mut self) {
        self.away = Some(AWAY.to_owned());
        self.typed = None;
        if self.sending.take().is_some() {
            self.say("the file was not sent: send it again when the node is back");
        }
    }

    /// The node is back, with these messages.
    pub fn node_came(&mut self, client: Client, model: Model) {
        (self.client, self.model, self.away) = (client, model, None);
        if self.notice == Notice::Words(NOT_NOW.to_owned()) {
            self.say("");
        }
    }

    /// Leaves nothing behind of what is not sent yet.
    pub async fn stop_sending(&mut self) {
        if let Some(job) = self.sending.take()
            && let Err(error) = self.client.cancel_job(job).await
        {
            eprintln!("The hashing goes on: {error}");
        }
    }

    async fn read_older(&mut self) -> Result<(), String> {
        if !self.model.more_before {
            self.say("that is all");
            return Ok(());
        }
        let page = self.client.get(&before(&self.model, PAGE)).await;
        self.model.put_before(page.map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Says that all was read, unless it waits for the user's word whether it is welcome.
    pub async fn read(&mut self) {
        if self.model.info.request {
            return;
        }
        let path = path(&self.model.info.id, "/read");
        // What is not noted now is so with the next message, or when this is opened again.
        let _ = self.client.tell(Method::POST, &path, Some(&ChatRead::default())).await;
    }

    /// Lets the others know that the user writes, now and then.
    async fn write_on(&mut self) {
        if self.line.text.first().is_none_or(|first| *first == '/') {
            return self.tell_typing(false).await;
        }
        if self.typed.is_none_or(|since| since.elapsed() >= TYPING_AGAIN) {
            self.tell_typing(true).await;
        }
    }

    /// Lets the others know when the user paused for long.
    pub async fn stop_typing(&mut self) {
        if self.typed.is_some_and(|since| since.elapsed() >= 2 * TYPING_AGAIN) {
            self.tell_typing(false).await;
        }
    }

    async fn tell_typing(&mut self, typing: bool) {
        if !typing && self.typed.is_none() {
            return;
        }
        self.typed = typing.then(Instant::now);
        if self.away.is_some() || self.model.info.request {
            return;
        }
        // Nothing is lost by it.
        let path = path(&self.model.info.id, "/typing");
        let _ = self.client.tell(Method::POST, &path, Some(&ChatTyping { typing })).await;
    }
}
