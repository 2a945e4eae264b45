//! A conversation as this command knows it: its messages in order, each with a number that the user can name.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rpc::{ChatInfo, ChatMessage, ChatPage, ChatStage, Event};

/// How long somebody is shown as writing after they were said to be.
const TYPING: Duration = Duration::from_secs(10);

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
    numbers: BTreeMap<String, usize>,
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

    /// Returns the number of a message; 0 for one that is not here.
    pub fn number(&self, id: &str) -> usize {
        self.numbers.get(id).copied().unwrap_or(0)
    }

    /// Returns the message of a number.
    pub fn numbered(&self, number: usize) -> Option<&ChatMessage> {
        self.messages.iter().find(|message| self.number(&message.id) == number)
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
                let is_new = !self.numbers.contains_key(&message.id);
                let is_news = is_new && !message.mine && !message.read;
                self.typing.remove(&message.from);
                self.put(*message);
                if is_news { Change::News } else { Change::Looks }
            }
            Event::Delivery(progress) if progress.chat == self.info.id => {
                let Some(message) = self.messages.iter_mut().find(|message| message.id == progress.id) else {
                    return Change::Nothing;
                };
                let delivery = progress.delivery;
                match message.delivery.iter_mut().find(|it| it.person == delivery.person) {
                    Some(known) => known.stage = known.stage.max(delivery.stage),
                    None => message.delivery.push(delivery),
                }
                message.stage = message.delivery.iter().map(|it| it.stage).min().or(Some(ChatStage::Delivered));
                Change::Looks
            }
            Event::MessagesGone { chat, ids } if chat == self.info.id => {
                self.messages.retain(|message| !ids.contains(&message.id));
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

    /// Puts a message into its place, instead of what was known of it.
    fn put(&mut self, message: ChatMessage) {
        let next = self.numbers.len() + 1;
        self.numbers.entry(message.id.clone()).or_insert(next);
        if let Some(known) = self.messages.iter_mut().find(|known| known.id == message.id) {
            *known = message;
            return;
        }
        let at = self.messages.partition_point(|known| place(known) < place(&message));
        self.messages.insert(at, message);
    }
}

/// Where a message stands: see [`ChatMessage::order`].
fn place(message: &ChatMessage) -> (u64, &str, u64) {
    let (pen, number) = message.id.split_once('-').unwrap_or((&message.id, ""));
    (message.order, pen, number.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use rpc::{ChatDelivery, ChatProgress, ChatTypes};

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
    fn messages_stand_in_their_order_and_keep_their_numbers() {
        let mut model = model(vec![message("a-1", 5), message("b-2", 7)]);
        let now = Instant::now();
        assert_eq!(model.apply(Event::Message(Box::new(message("a-10", 7))), now), Change::News);
        assert_eq!(model.apply(Event::Message(Box::new(message("a-2", 7))), now), Change::News);
        assert_eq!(ids(&model), ["a-1", "a-2", "a-10", "b-2"]);
        model.put_before(ChatPage { messages: vec![message("z-1", 1)], ..ChatPage::default() });
        assert_eq!((ids(&model)[0], model.number("b-2"), model.number("z-1")), ("z-1", 2, 5));
        assert_eq!(model.numbered(3).unwrap().id, "a-10");
        let edited = ChatMessage { edited: true, ..message("b-2", 7) };
        assert_eq!(model.apply(Event::Message(Box::new(edited)), now), Change::Looks);
        assert!(model.numbered(2).unwrap().edited && model.messages().len() == 5);
        let other = ChatMessage { chat: "d".into(), ..message("x-1", 9) };
        assert_eq!(model.apply(Event::Message(Box::new(other)), now), Change::Nothing);
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
