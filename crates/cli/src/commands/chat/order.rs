//! What is typed: words, or an order that begins with `/`.

use std::path::PathBuf;
use std::time::Duration;

use rpc::{ChatEdit, ChatReact, ChatSend, ChatTimer};

use super::model::Model;

/// What the screen says to `/help`: each order, and what it does.
pub const HELP: [(&str, &str); 10] = [
    ("/reply N words", "answers message N"),
    ("/react N 👍", "reacts to it, or no longer"),
    ("/edit [N] words", "changes it, or your last one"),
    ("/delete N", "takes it back"),
    ("/get N [FOLDER]", "fetches the file of message N"),
    ("/send PATH", "sends a file or folder"),
    ("/timer 1h|off", "how long what is said stays"),
    ("/older", "shows older messages"),
    ("/accept, /refuse", "tells who asks to write to you"),
    ("/quit", "leaves, as Ctrl-C does"),
];

/// What `N` is, below [`HELP`].
pub const NUMBERS: &str = "N stands before a message; --get N takes it, too. Enter hides this.";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Say this.
    Say(ChatSend),
    /// Send this file or folder.
    Send(PathBuf),
    /// Fetch what goes with this message, into a folder or where downloads go.
    Get(String, Option<PathBuf>),
    /// Read older messages.
    Older,
    /// Let write who asked to.
    Accept,
    /// Leave alone what they wrote.
    Refuse,
    /// Show [`HELP`].
    Help,
    /// End.
    Quit,
}

/// Reads what was typed; `None`: nothing was. The error says what to type instead.
pub fn parse(line: &str, model: &Model) -> Result<Option<Order>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let text = |text: &str| ChatSend { text: Some(text.to_owned()), ..ChatSend::default() };
    let Some(order) = line.strip_prefix('/') else { return Ok(Some(Order::Say(text(line)))) };
    // Words that begin with a `/` begin with two.
    if order.starts_with('/') {
        return Ok(Some(Order::Say(text(order))));
    }
    let (name, rest) = order.split_once(char::is_whitespace).unwrap_or((order, ""));
    let rest = rest.trim();
    let send = match name {
        "quit" | "q" => return Ok(Some(Order::Quit)),
        "help" | "h" => return Ok(Some(Order::Help)),
        "older" => return Ok(Some(Order::Older)),
        "accept" => return Ok(Some(Order::Accept)),
        "refuse" => return Ok(Some(Order::Refuse)),
        "send" => {
            said(rest).map_err(|_| "type /send PATH: a file or folder of this computer")?;
            return Ok(Some(Order::Send(local(rest, std::env::home_dir()))));
        }
        "get" => {
            let (id, folder) = numbered(rest, model, "/get N")?;
            let folder = Some(folder).filter(|folder| !folder.is_empty());
            return Ok(Some(Order::Get(id, folder.map(|folder| local(folder, std::env::home_dir())))));
        }
        "reply" | "r" => {
            let (answers, words) = numbered(rest, model, "/reply N words")?;
            ChatSend { answers: Some(answers), ..text(said(words)?) }
        }
        "react" => {
            let (to, reaction) = numbered(rest, model, "/react N 👍")?;
            let reaction = said(reaction)?.to_owned();
            let is_mine = |message: &&rpc::ChatMessage| message.id == to;
            let put = model.messages().iter().find(is_mine).into_iter().flat_map(|message| &message.reactions);
            // What is there already is taken away.
            let take_away = put.into_iter().any(|it| it.mine && it.reaction == reaction);
            ChatSend { reaction: Some(ChatReact { to, reaction, take_away }), ..ChatSend::default() }
        }
        "edit" => {
            let number = rest.split_whitespace().next().unwrap_or_default();
            let (of, words) = match model.numbered(number)? {
                Some(_) => numbered(rest, model, "/edit N words")?,
                None => (model.last_own().ok_or("you have said nothing here yet")?.id.clone(), rest),
            };
            ChatSend { edit: Some(ChatEdit { of, text: said(words)?.to_owned() }), ..ChatSend::default() }
        }
        "delete" => {
            let (of, _) = numbered(rest, model, "/delete N")?;
            ChatSend { deletion: Some(of), ..ChatSend::default() }
        }
        "timer" => ChatSend { timer: Some(ChatTimer { seconds: seconds(rest)? }), ..ChatSend::default() },
        _ => return Err(format!("there is no /{name}: /help shows what there is")),
    };
    Ok(Some(Order::Say(send)))
}

/// Takes the number of a message off the front; returns its id and the rest. The error says what to type.
fn numbered<'a>(text: &'a str, model: &Model, usage: &str) -> Result<(String, &'a str), String> {
    let (number, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match model.numbered(number)? {
        Some(message) => Ok((message.id.clone(), rest.trim())),
        None if number.starts_with(|c: char| c.is_ascii_digit()) => {
            Err(format!("no message {number} is shown; type {usage}: N stands before the message"))
        }
        None => Err(format!("type {usage}: N stands before the message")),
    }
}

fn said(words: &str) -> Result<&str, String> {
    if words.is_empty() { Err("there is nothing behind it".to_owned()) } else { Ok(words) }
}

/// Reads a path as a shell does that nobody can ask here: `~` is the user's own folder.
fn local(typed: &str, home: Option<PathBuf>) -> PathBuf {
    match (typed.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home,
        // Also of Windows, whose paths have the other slash.
        (Some(rest), Some(home)) if rest.starts_with(std::path::is_separator) => home.join(&rest[1..]),
        _ => PathBuf::from(typed),
    }
}

/// Reads for how long messages are kept.
fn seconds(text: &str) -> Result<Option<u32>, String> {
    if matches!(text, "off" | "0") {
        return Ok(None);
    }
    let wrong = || format!("{text:?} is no time: type /timer 30s, 10m, 1h, 7d, 4w, or off");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit_s = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return Err(wrong()),
    };
    let whole = number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit_s)).filter(|it| *it > 0);
    whole.map(Some).ok_or_else(wrong)
}

/// How often the others are told that the user writes on.
pub const TYPING_AGAIN: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use rpc::{ChatInfo, ChatMessage, ChatPage, ChatReaction};

    use super::*;

    fn model() -> Model {
        let thumb = ChatReaction { reaction: "👍".into(), by: vec!["me".into()], mine: true };
        let theirs = ChatMessage { id: "b-1".into(), order: 1, reactions: vec![thumb], ..ChatMessage::default() };
        let mine = ChatMessage { id: "a-1".into(), order: 2, mine: true, ..ChatMessage::default() };
        let page = ChatPage { messages: vec![theirs, mine], ..ChatPage::default() };
        Model::new(ChatInfo::default(), page)
    }

    fn said(line: &str) -> ChatSend {
        match parse(line, &model()) {
            Ok(Some(Order::Say(send))) => send,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn words_are_said_and_orders_are_done() {
        assert_eq!(said("hello /quit").text.as_deref(), Some("hello /quit"));
        assert_eq!(said("//quit").text.as_deref(), Some("/quit"));
        let reply = said("/reply 1  yes, please");
        assert_eq!((reply.answers.as_deref(), reply.text.as_deref()), (Some("b-1"), Some("yes, please")));
        assert_eq!(said("/edit other words").edit.unwrap().of, "a-1");
        assert_eq!(said("/edit 2 other").edit.unwrap().text, "other");
        assert_eq!(said("/delete 2").deletion.as_deref(), Some("a-1"));
        let lake = Order::Send("the lake.jpg".into());
        assert_eq!(parse("/send the lake.jpg ", &model()), Ok(Some(lake)));
        assert_eq!(parse("/get 1", &model()), Ok(Some(Order::Get("b-1".into(), None))));
        assert_eq!(parse("/get 1 /tmp", &model()), Ok(Some(Order::Get("b-1".into(), Some("/tmp".into())))));
        assert_eq!(parse("/accept", &model()), Ok(Some(Order::Accept)));
        assert_eq!(said("/edit 7 lives").edit.unwrap().text, "7 lives");
        assert_eq!(parse("  ", &model()), Ok(None));
        assert_eq!(parse("/quit", &model()), Ok(Some(Order::Quit)));
    }

    #[test]
    fn a_path_may_begin_at_home() {
        let home = || Some(PathBuf::from("/home/alice"));
        assert_eq!(local("~/the lake.jpg", home()), PathBuf::from("/home/alice/the lake.jpg"));
        assert_eq!(local("~", home()), PathBuf::from("/home/alice"));
        assert_eq!(local("~", None), PathBuf::from("~"));
        for path in ["lake.jpg", "/tmp/~", "a/~/b", "~bob/lake.jpg"] {
            assert_eq!(local(path, home()), PathBuf::from(path));
        }
    }

    #[test]
    fn a_reaction_that_is_there_is_taken_away() {
        assert!(said("/react 1 👍").reaction.unwrap().take_away);
        assert!(!said("/react 1 ❤").reaction.unwrap().take_away);
        assert!(!said("/react 2 👍").reaction.unwrap().take_away);
    }

    #[test]
    fn times_have_units() {
        for (text, expected) in [("30s", Some(30)), ("1h", Some(3600)), ("7d", Some(604_800)), ("off", None)] {
            assert_eq!(seconds(text), Ok(expected));
        }
        for wrong in ["", "1", "h", "1y", "99999999w", "0h", "-1h"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for wrong in [
            "/reply 9 x",
            "/reply x",
            "/reply 1",
            "/react 1",
            "/delete",
            "/nonsense",
            "/send",
            "/get",
            "/get 9",
            "/timer soon",
        ] {
            assert!(parse(wrong, &model()).is_err(), "{wrong}");
        }
    }
}
