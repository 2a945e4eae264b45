//! How the screen of a conversation looks.

use std::time::Instant;

use console::{measure_text_width, truncate_str};

use super::order;
use super::show;
use super::view::{Notice, View};

/// Where what an order does stands behind it.
const USAGE: usize = 18;

impl View {
    /// Returns the lines of the screen, and the column of the cursor in the last.
    pub fn lines(&mut self, width: usize, height: usize) -> (Vec<String>, usize) {
        let mut said = Vec::new();
        let mut day = String::new();
        for (at, message) in self.model.messages().iter().enumerate() {
            let its_day = show::day(message.written_at_ms);
            if its_day != day {
                said.push(rule(&its_day, width));
                day = its_day;
            }
            if self.model.first_unread.as_deref() == Some(&message.id) {
                said.push(rule("new", width));
            }
            let fetched = self.downloads.of(message);
            said.extend(show::lines(message, &self.model.number(at), fetched.as_deref(), width));
        }
        if self.model.more_before {
            said.insert(0, rule("/older shows more", width));
        }
        if said.is_empty() {
            let hint = "Nothing was said here yet. Type a message and press Enter; /help shows what else there is.";
            said.extend(show::wrapped(hint, width));
        }
        // Below what was said, of which one line is left at least: what goes on, and what is typed.
        let notes = self.notes(width, height.saturating_sub(3));
        let room = height.saturating_sub(2 + notes.len());
        self.back = self.back.min(said.len().saturating_sub(room));
        let end = said.len() - self.back;
        let mut lines = vec![String::new(); room.saturating_sub(end)];
        lines
            .extend(said[end.saturating_sub(room)..end].iter().map(|line| truncate_str(line, width, "…").into_owned()));
        let status = self.status();
        lines.push(truncate_str(&status, width, "…").into_owned());
        lines.extend(notes);
        let (typed, column) = self.line.shown(width.saturating_sub(2));
        lines.push(format!("> {typed}"));
        (lines, column + 2)
    }

    fn status(&mut self) -> String {
        let info = &self.model.info;
        let mut parts = vec![format!("── {} ", show::one_line(&info.name))];
        parts.extend(info.timer_s.map(|seconds| format!("messages disappear after {} ", show::kept_for(seconds))));
        parts.extend(info.muted.then(|| "muted ".to_owned()));
        parts.extend((self.back > 0).then(|| format!("{} lines further down ", self.back)));
        let names: Vec<String> = self.model.typing(Instant::now()).iter().map(|name| show::one_line(name)).collect();
        parts.extend((!names.is_empty()).then(|| format!("{} … ", names.join(", "))));
        parts.extend((self.line.text.is_empty() && self.notice != Notice::Help).then(|| "/help ".to_owned()));
        parts.join("── ")
    }

    /// Returns what the user is told, in at most so many lines.
    fn notes(&self, width: usize, most: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if self.model.info.request {
            let name = show::one_line(&self.model.info.name);
            let banner =
                "is no contact and asks to write to you: type /accept, or /refuse to hear nothing more of them";
            notes.extend(show::wrapped(&format!("{name} {banner}"), width));
        }
        for words in [&self.model.failing, &self.away].into_iter().flatten() {
            notes.extend(show::wrapped(words, width));
        }
        match &self.notice {
            Notice::Words(words) if words.is_empty() => {}
            Notice::Words(words) => notes.extend(show::wrapped(words, width)),
            Notice::Help => notes.extend(help(width, most.saturating_sub(notes.len()))),
        }
        notes.truncate(most);
        notes
    }
}

/// Returns what orders there are: each on its line with what it does, or where they do not fit, one behind the other.
fn help(width: usize, most: usize) -> Vec<String> {
    let numbers = show::wrapped(order::NUMBERS, width);
    let pad = |usage: &str| " ".repeat(USAGE.saturating_sub(measure_text_width(usage)));
    let each = order::HELP.iter().map(|(usage, what)| format!("{usage}{}{what}", pad(usage)));
    let lines: Vec<String> = each.collect();
    let fits = lines.iter().all(|line| measure_text_width(line) <= width);
    if fits && lines.len() + numbers.len() <= most {
        return [lines, numbers].concat();
    }
    if fits && lines.len() <= most {
        return lines;
    }
    let usages: Vec<&str> = order::HELP.iter().map(|(usage, _)| *usage).collect();
    show::wrapped(&usages.join("  "), width)
}

fn rule(text: &str, width: usize) -> String {
    let line = format!("── {text} ");
    let rest = width.saturating_sub(measure_text_width(&line));
    format!("{line}{}", "─".repeat(rest))
}

#[cfg(test)]
mod tests {
    use console::Key;
    use rpc::{ChatInfo, ChatMessage, ChatPage};

    use super::super::keys::Typed;
    use super::super::line::Line;
    use super::super::model::Model;
    use super::*;
    use crate::client::Client;

    fn view(info: ChatInfo, page: ChatPage) -> View {
        let api = "127.0.0.1:1".parse().unwrap();
        View::new(Client::new(api, String::new()).unwrap(), Model::new(info, page))
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
        let mut view = view(info, page);
        view.line = Line { text: vec!['x'], at: 1 };
        let (lines, column) = view.lines(40, 10);
        assert_eq!((lines.len(), column), (10, 3));
        assert!(lines[7].contains("line 30") && lines[8].contains("bob") && lines[9] == "> x", "{lines:?}");
        view.back = 1000;
        let (lines, _) = view.lines(40, 10);
        assert!(lines[0].contains("/older") && lines[8].contains("further down"), "{lines:?}");
        assert!(view.lines(40, 60).0.len() == 60);
    }

    #[test]
    fn help_and_errors_have_as_many_lines_as_they_need() {
        let mut view = view(ChatInfo { name: "bob".into(), ..ChatInfo::default() }, ChatPage::default());
        let (lines, _) = view.lines(50, 15);
        assert!(
            lines[14] == "> " && lines[13].contains("/help") && lines.concat().contains("/help shows"),
            "{lines:?}"
        );
        for (width, height) in [(80, 24), (50, 15), (30, 12)] {
            view.notice = Notice::Help;
            let (lines, _) = view.lines(width, height);
            let shown = lines.join("\n");
            assert!(lines.len() == height && !shown.contains('…'), "{shown}");
            let missing = order::HELP.iter().find(|(usage, _)| !shown.contains(usage));
            assert_eq!((missing, width), (None, width), "{shown}");
            let words: String = (0..30).map(|number| format!("word{number} ")).collect();
            view.notice = Notice::Words(words.clone());
            let shown = view.lines(width, height).0.join(" ");
            assert!(words.split_whitespace().all(|word| shown.contains(word)), "{shown}");
        }
        view.notice = Notice::Words("x ".repeat(9999));
        assert_eq!(view.lines(50, 15).0.len(), 15);
    }

    #[tokio::test]
    async fn whoever_asks_to_write_is_answered_first() {
        let info = ChatInfo { name: "dora".into(), request: true, ..ChatInfo::default() };
        let mut view = view(info, ChatPage::default());
        let shown = view.lines(50, 15).0.join(" ");
        assert!(
            shown.contains("dora is no contact") && shown.contains("/accept") && shown.contains("/refuse"),
            "{shown}"
        );
        view.take(Typed::Pasted("hello".into())).await;
        assert!(!view.take(Typed::Key(Key::Enter)).await);
        assert!(matches!(&view.notice, Notice::Words(words) if words.contains("/accept")), "{:?}", view.notice);
        assert_eq!(view.line.text.iter().collect::<String>(), "hello", "what was typed is lost");
    }

    #[tokio::test]
    async fn what_is_typed_stays_while_the_node_is_away() {
        let mut view = view(ChatInfo { name: "bob".into(), ..ChatInfo::default() }, ChatPage::default());
        view.node_went();
        for line in ["hello", "/delete 7", "/get 1", "/nonsense"] {
            view.line = Line::default();
            view.take(Typed::Pasted(line.into())).await;
            assert!(!view.take(Typed::Key(Key::Enter)).await);
            assert_eq!(view.line.text.iter().collect::<String>(), line);
        }
        assert!(view.lines(80, 24).0.join(" ").contains("the node is away"));
    }
}
