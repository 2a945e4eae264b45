//! A conversation as this command knows it: its messages in order, each with a number that the user can name.
//!
//! The number of a message is the end of its [`ChatMessage::order`], as many digits as tell it from what follows: it stays
//! whatever disappears, and is the same wherever the conversation is shown. Messages that were written at once have the
//! same, and the beginning of their ids behind it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rpc::{ChatDelivery, ChatInfo, ChatMessage, ChatPage, ChatStage, Event};

use super::path;
use crate::client::{Client, ClientError};

/// How long somebody is shown as writing after they were said to be.
const TYPING: Duration = Duration::from_secs(10);

/// How many characters of a message are quoted. Arbitrary: more than a line has.
const QUOTED: usize = 200;

/// How many digits a number has at least, where the order has as many. Arbitrary: orders are about seconds, so that these
/// tell the messages of some hours from one another.
const DIGITS: u32 = 4;

/// What an event changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing of this conversation.
    Nothing,
    /// How it looks.
    Looks,
    /// Somebody else said something.
    News,
    /// Too much happened: it has to be read again.
    Missed,
}

/// The conversation.
#[derive(Debug, Default)]
pub struct Model {
    /// What is known of all of it.
    pub info: ChatInfo,
    /// There are older messages than those that are here.
    pub more_before: bool,
    /// Why nothing goes out.
    pub failing: Option<String>,
    /// The first message that was not read when the conversation was opened.
    pub first_unread: Option<String>,
    messages: Vec<ChatMessage>,
    typing: BTreeMap<String, Instant>,
}

impl Model {
    /// Begins with the last part of a conversation.
    pub fn new(info: ChatInfo, page: ChatPage) -> Model {
        let mut model = Model { info, more_before: page.more_before, ..Model::default() };
        model.first_unread = page.messages.iter().find(|message| !message.read).map(|message| message.id.clone());
        page.messages.into_iter().for_each(|message| model.put(message));
        model
    }

    /// Returns the messages, the oldest first.
    pub fn messages(&self) -> &[ChatMessage] {
        &self.messages
    }

    /// Returns the number by which the user names a message, by its place among [`Model::messages`].
    pub fn number(&self, at: usize) -> String {
        let Some(message) = self.messages.get(at) else { return String::new() };
        let (alike, digits) = (self.alike(message.order), self.digits(message.order));
        if alike.len() == 1 {
            return digits;
        }
        let common = |other: &&ChatMessage| {
            let same = message.id.bytes().zip(other.id.bytes()).take_while(|(one, other)| one == other);
            if other.id == message.id { 0 } else { same.count() + 1 }
        };
        let len = alike.iter().map(|other| common(&other)).max().unwrap_or(1);
        format!("{digits}.{}", message.id.get(..len).unwrap_or(&message.id))
    }

    /// Returns the end of an order that nothing later has.
    fn digits(&self, order: u64) -> String {
        let later = &self.messages[self.messages.partition_point(|message| message.order <= order)..];
        let tells = |scale: &u64| later.iter().all(|other| other.order % scale != order % scale);
        let scales = (DIGITS..u64::MAX.ilog10()).map(|digits| 10_u64.pow(digits)).take_while(|scale| *scale <= order);
        match scales.zip(DIGITS as usize..).find(|(scale, _)| tells(scale)) {
            Some((scale, digits)) => format!("{:0digits$}", order % scale),
            None => order.to_string(),
        }
    }

    /// Returns the newest order that ends so.
    fn order_of(&self, digits: &str) -> Option<u64> {
        let (end, len) = (digits.parse::<u64>().ok()?, u32::try_from(digits.len()).ok()?);
        let mut orders = self.messages.iter().rev().map(|message| message.order);
        let ends = |order: u64| match 10_u64.checked_pow(len) {
            Some(scale) => order % scale == end && (len >= DIGITS || order < scale),
            None => order == end,
        };
        orders.find(|order| ends(*order))
    }

    /// Returns the messages of an order: they stand side by side.
    fn alike(&self, order: u64) -> &[ChatMessage] {
        let from = self.messages.partition_point(|message| message.order < order);
        let count = self.messages[from..].iter().take_while(|message| message.order == order).count();
        &self.messages[from..from + count]
    }

    /// Returns the message of a number; `None`: there is none. The error says which there are where it may be several.
    pub fn numbered(&self, number: &str) -> Result<Option<&ChatMessage>, String> {
        let (digits, beginning) = number.split_once('.').unwrap_or((number, ""));
        let Some(order) = self.order_of(digits) else { return Ok(None) };
        let mut meant = self.alike(order).iter().filter(|message| message.id.starts_with(beginning));
        let first = meant.next();
        if meant.next().is_none() {
            return Ok(first);
        }
        let from = self.messages.partition_point(|message| message.order < order);
        let all: Vec<String> = (from..from + self.alike(order).len()).map(|at| self.number(at)).collect();
        Err(format!("there are {}: say which", all.join(" and ")))
    }

    /// Returns the last message that the user wrote.
    pub fn last_own(&self) -> Option<&ChatMessage> {
        self.messages.iter().rev().find(|message| message.mine && !message.deleted)
    }

    /// Returns who writes now.
    pub fn typing(&mut self, now: Instant) -> Vec<String> {
        self.typing.retain(|_, since| now.duration_since(*since) < TYPING);
        self.typing.keys().cloned().collect()
    }

    /// Puts older messages before those that are here.
    pub fn put_before(&mut self, page: ChatPage) {
        self.more_before = page.more_before;
        page.messages.into_iter().for_each(|message| self.put(message));
    }

    /// Takes an event.
    pub fn apply(&mut self, event: Event, now: Instant) -> Change {
        match event {
            Event::Message(message) if message.chat == self.info.id => {
                let is_new = self.messages.iter().all(|known| known.id != message.id);
                let is_news = is_new && !message.mine && !message.read;
                self.typing.remove(&message.from);
                self.requote(&message.id, Some(&message));
                let oldest = self.messages.first().filter(|_| self.more_before);
                // What changed before the first that is here comes with `/older`.
                if oldest.is_none_or(|oldest| place(oldest) <= place(&message)) {
                    self.put(*message);
                }
                if is_news { Change::News } else { Change::Looks }
            }
            Event::Delivery(progress) if progress.chat == self.info.id => {
                let Some(message) = self.messages.iter_mut().find(|message| message.id == progress.id) else {
                    return Change::Nothing;
                };
                message.stage = further(&mut message.delivery, progress.delivery);
                Change::Looks
            }
            Event::MessagesGone { chat, ids } if chat == self.info.id => {
                self.messages.retain(|message| !ids.contains(&message.id));
                ids.iter().for_each(|id| self.requote(id, None));
                Change::Looks
            }
            Event::Chat(info) if info.id == self.info.id => {
                self.info = *info;
                Change::Looks
            }
            Event::Typing(types) if types.chat == self.info.id => {
                match types.typing {
                    true => drop(self.typing.insert(types.name, now)),
                    false => drop(self.typing.remove(&types.name)),
                }
                Change::Looks
            }
            Event::ChatFailing { reason } => {
                self.failing = reason;
                Change::Looks
            }
            Event::ChatsMissed {} => Change::Missed,
            _ => Change::Nothing,
        }
    }

    /// Lets the messages that answer this one quote what it says now; `None`: it is not here any more.
    fn requote(&mut self, id: &str, message: Option<&ChatMessage>) {
        let message = message.filter(|message| !message.deleted);
        let said = message.map(|message| {
            let file = message.attachment.as_ref().map(|file| format!("{} ", file.name)).unwrap_or_default();
            (message.from.clone(), format!("{file}{}", message.text).chars().take(QUOTED).collect())
        });
        let (from, text) = said.unzip();
        let text: String = text.unwrap_or_default();
        for quote in self.messages.iter_mut().filter_map(|message| message.answers.as_mut()) {
            if quote.id == id {
                (quote.from, quote.text) = (from.clone(), text.clone());
            }
        }
    }

    /// Puts a message into its place, instead of what was known of it.
    fn put(&mut self, message: ChatMessage) {
        if let Some(known) = self.messages.iter_mut().find(|known| known.id == message.id) {
            *known = message;
            return;
        }
        let at = self.messages.partition_point(|known| place(known) < place(&message));
        self.messages.insert(at, message);
    }
}

/// Reads the last part of a conversation.
pub async fn load(client: &Client, name: &str, limit: usize) -> Result<Model, ClientError> {
    let info: ChatInfo = client.get(&path(name, "")).await?;
    let page: ChatPage = client.get(&path(&info.id, &format!("/messages?limit={limit}"))).await?;
    Ok(Model::new(info, page))
}

/// Returns where the API has what precedes the messages that are here.
pub fn before(model: &Model, limit: usize) -> String {
    let oldest = model.messages().first().map(|oldest| format!("&before={}", oldest.id)).unwrap_or_default();
    path(&model.info.id, &format!("/messages?limit={limit}{oldest}"))
}

/// Takes how far something is with somebody; returns how far it is with the last of those who are to get it.
pub fn further(known: &mut Vec<ChatDelivery>, news: ChatDelivery) -> Option<ChatStage> {
    match known.iter_mut().find(|it| it.person == news.person) {
        Some(known) => known.stage = known.stage.max(news.stage),
        None => known.push(news),
    }
    known.iter().map(|it| it.stage).min()
}

/// Where a message stands: see [`ChatMessage::order`].
fn place(message: &ChatMessage) -> (u64, &str, u64) {
    let (pen, number) = message.id.split_once('-').unwrap_or((&message.id, ""));
    (message.order, pen, number.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use rpc::{ChatProgress, ChatQuote, ChatTypes};

    use super::*;

    fn message(id: &str, order: u64) -> ChatMessage {
        ChatMessage { id: id.into(), order, chat: "c".into(), ..ChatMessage::default() }
    }

    fn model(messages: Vec<ChatMessage>) -> Model {
        let page = ChatPage { messages, more_before: true, more_after: false };
        Model::new(ChatInfo { id: "c".into(), ..ChatInfo::default() }, page)
    }

    fn ids(model: &Model) -> Vec<&str> {
        model.messages().iter().map(|message| message.id.as_str()).collect()
    }

    #[test]
    fn messages_stand_in_their_order() {
        let mut model = model(vec![message("a-1", 5), message("b-2", 7)]);
        let now = Instant::now();
        assert_eq!(model.apply(Event::Message(Box::new(message("a-10", 7))), now), Change::News);
        assert_eq!(model.apply(Event::Message(Box::new(message("a-2", 7))), now), Change::News);
        assert_eq!(ids(&model), ["a-1", "a-2", "a-10", "b-2"]);
        model.put_before(ChatPage { messages: vec![message("z-1", 1)], ..ChatPage::default() });
        assert_eq!(ids(&model)[0], "z-1");
        let edited = ChatMessage { edited: true, ..message("b-2", 7) };
        assert_eq!(model.apply(Event::Message(Box::new(edited)), now), Change::Looks);
        assert!(model.messages()[4].edited && model.messages().len() == 5);
        let other = ChatMessage { chat: "d".into(), ..message("x-1", 9) };
        assert_eq!(model.apply(Event::Message(Box::new(other)), now), Change::Nothing);
    }

    #[test]
    fn a_number_stays_whatever_comes_or_disappears() {
        let named = |model: &Model, number: &str| model.numbered(number).map(|it| it.map(|it| it.id.clone()));
        let mut model = model(vec![message("aa11-1", 5), message("ab22-7", 8), message("b-2", 9)]);
        model.put_before(ChatPage { messages: vec![message("b-1", 2)], ..ChatPage::default() });
        let gone = Event::MessagesGone { chat: "c".into(), ids: vec!["aa11-1".into()] };
        model.apply(gone, Instant::now());
        let numbers = |model: &Model| (0..model.messages().len()).map(|at| model.number(at)).collect::<Vec<_>>();
        assert_eq!(numbers(&model), ["2", "8", "9"]);
        assert_eq!(named(&model, "8").unwrap().as_deref(), Some("ab22-7"));
        assert_eq!(named(&model, "5"), Ok(None));
        // Written at once.
        model.apply(Event::Message(Box::new(message("aa11-2", 8))), Instant::now());
        assert_eq!(numbers(&model), ["2", "8.aa", "8.ab", "9"]);
        assert_eq!(named(&model, "8.aa").unwrap().as_deref(), Some("aa11-2"));
        assert_eq!(named(&model, "8"), Err("there are 8.aa and 8.ab: say which".into()));
        assert_eq!(named(&model, "x"), Ok(None));
    }

    #[test]
    fn a_number_is_as_much_of_the_order_as_is_needed() {
        let orders = [1_795_800_007, 1_795_805_622, 1_795_810_007, 1_795_810_007, 1_795_815_621];
        let ids = ["a-1", "b-1", "aa-2", "ab-2", "a-3"];
        let model = model(ids.into_iter().zip(orders).map(|(id, order)| message(id, order)).collect());
        let numbers: Vec<_> = (0..5).map(|at| model.number(at)).collect();
        assert_eq!(numbers, ["00007", "5622", "0007.aa", "0007.ab", "5621"]);
        for (number, id) in numbers.iter().zip(ids) {
            let meant = model.numbered(number).unwrap().map(|message| message.id.as_str());
            assert_eq!(meant, Some(id), "{number}");
        }
        assert_eq!(model.numbered("22"), Ok(None), "too little to tell");
        assert_eq!(model.numbered("1795805622").unwrap().map(|message| message.id.as_str()), Some("b-1"));
    }

    #[test]
    fn what_is_taken_back_edited_or_gone_is_quoted_no_more() {
        let quote = |of: &str| ChatQuote { id: of.into(), from: Some("bob".into()), text: "secret".into() };
        let answer = |id: &str, order, of: &str| ChatMessage { answers: Some(quote(of)), ..message(id, order) };
        let old = message("a-1", 1);
        let mut model = model(vec![message("a-2", 2), answer("b-1", 3, "a-2"), answer("b-2", 4, "a-1")]);
        let mut quotes = |event| {
            model.apply(event, Instant::now());
            let quotes = model.messages().iter().filter_map(|message| message.answers.clone());
            let quotes: Vec<String> = quotes.map(|it| format!("{:?} {}", it.from, it.text)).collect();
            (quotes, model.messages().len())
        };
        let edited = ChatMessage { from: "bob".into(), text: "other".into(), edited: true, ..message("a-2", 2) };
        let (shown, _) = quotes(Event::Message(Box::new(edited)));
        assert_eq!(shown, ["Some(\"bob\") other", "Some(\"bob\") secret"]);
        // Also of what is not on this page, which stays off it.
        let deleted = ChatMessage { deleted: true, text: String::new(), ..old };
        let (shown, here) = quotes(Event::Message(Box::new(deleted)));
        assert_eq!((shown[1].as_str(), here), ("None ", 3));
        let (shown, here) = quotes(Event::MessagesGone { chat: "c".into(), ids: vec!["a-2".into()] });
        assert_eq!((shown[0].as_str(), here), ("None ", 2));
    }

    #[test]
    fn what_is_said_is_as_far_as_with_the_last_who_is_to_get_it() {
        let of = |person: &str, stage| ChatDelivery { name: person.into(), person: person.into(), stage };
        let mine = ChatMessage {
            mine: true,
            stage: Some(ChatStage::Waiting),
            delivery: vec![of("alice", ChatStage::Waiting), of("bob", ChatStage::Waiting)],
            ..message("a-1", 1)
        };
        let mut model = model(vec![mine]);
        let mut further = |person: &str, stage| {
            let progress = ChatProgress { chat: "c".into(), id: "a-1".into(), delivery: of(person, stage) };
            model.apply(Event::Delivery(Box::new(progress)), Instant::now());
            model.messages()[0].stage.unwrap()
        };
        assert_eq!(further("alice", ChatStage::Read), ChatStage::Waiting);
        assert_eq!(further("bob", ChatStage::Delivered), ChatStage::Delivered);
        assert_eq!(further("bob", ChatStage::InMailbox), ChatStage::Delivered);
    }

    #[test]
    fn whoever_writes_is_seen_until_they_said_it() {
        let mut model = model(Vec::new());
        let now = Instant::now();
        let types = |typing| ChatTypes { chat: "c".into(), name: "bob".into(), person: "b".into(), typing };
        model.apply(Event::Typing(types(true)), now);
        assert_eq!(model.typing(now), ["bob"]);
        assert!(model.typing(now + TYPING).is_empty(), "whoever went without a word");
        model.apply(Event::Typing(types(true)), now);
        model.apply(Event::Message(Box::new(ChatMessage { from: "bob".into(), ..message("b-1", 1) })), now);
        assert!(model.typing(now).is_empty());
    }
}
