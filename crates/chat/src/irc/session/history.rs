//! What was said before: CHATHISTORY (chathistory), MARKREAD (read-marker).

use super::show::Told;
use super::*;
use crate::irc::moment;
use crate::{Entry, MAX_PAGE, Position, Span};
use registration::MAX_HISTORY;

/// How many messages a client that cannot ask for them is shown of a room. Arbitrary: a screen.
pub(super) const PLAYED: usize = 20;

/// Where a client points in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// `*`.
    Nowhere,
    Message(MessageId),
    Moment(u64),
}

/// Where that is: what is behind it is after `low`, what is before it before `high`. `None`: before the first line, or
/// after the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    low: Option<Position>,
    high: Option<Position>,
}

/// Why the history is not shown.
struct Failure {
    code: &'static str,
    context: Vec<String>,
    why: String,
}

impl Failure {
    fn params(line: &Line, why: &str) -> Failure {
        let context = line.params.iter().take(1).cloned().collect();
        Failure { code: "INVALID_PARAMS", context, why: why.to_owned() }
    }

    fn of_target(code: &'static str, line: &Line, why: String) -> Failure {
        Failure { code, context: line.params.iter().take(2).cloned().collect(), why }
    }
}

impl Session {
    /// CHATHISTORY.
    pub(super) async fn chathistory<T: Talk>(&mut self, line: &Line, talk: &mut T) {
        let done = match line.param(0).to_ascii_uppercase().as_str() {
            "TARGETS" => self.targets(line, talk).await,
            sub => self.messages(sub, line, talk).await,
        };
        if let Err(Failure { code, context, why }) = done {
            let context: Vec<&str> = context.iter().map(String::as_str).collect();
            self.fail("CHATHISTORY", code, &context, &why);
        }
    }

    async fn messages<T: Talk>(&mut self, sub: &str, line: &Line, talk: &mut T) -> Result<(), Failure> {
        let points = match sub {
            "BEFORE" | "AFTER" | "LATEST" | "AROUND" => 1,
            "BETWEEN" => 2,
            _ => return Err(Failure::params(line, "Unknown command")),
        };
        check_count(line, points + 3)?;
        let read = |at: usize| {
            let point = point(line.param(at)).filter(|point| sub == "LATEST" || *point != Point::Nowhere);
            point.ok_or_else(|| Failure::params(line, "Invalid message or timestamp"))
        };
        let (first, second) = (read(2)?, read(1 + points)?);
        let limit = limit(line)?;
        let Some(conversation) = self.conversation(line.param(1)) else {
            let why = "Messages could not be retrieved".to_owned();
            return Err(Failure::of_target("INVALID_TARGET", line, why));
        };
        let read = read_history(sub, &conversation, (first, second), limit, talk).await;
        let entries = read.map_err(|why| Failure::of_target("MESSAGE_ERROR", line, why))?;
        let name = self.name_of(&conversation).unwrap_or_else(|| line.param(1).to_owned());
        self.show_all(&name, &conversation, entries, talk);
        Ok(())
    }

    /// Shows lines of the history as one batch.
    pub(super) fn show_all<T: Talk>(&mut self, name: &str, of: &Conversation, entries: Vec<Entry>, talk: &T) {
        let batch = self.new_batch();
        let batched = self.caps.has(Cap::Batch);
        if batched {
            let opening = Line::new("BATCH", [format!("+{batch}").as_str(), "chathistory", name]);
            self.lines.push(opening.from(SERVER));
        }
        for entry in entries {
            self.show(of, &Told::from(entry), Some(&batch), talk);
        }
        if batched {
            self.lines.push(Line::new("BATCH", [format!("-{batch}")]).from(SERVER));
        }
    }

    /// Lists the conversations whose newest message was written between two moments.
    async fn targets<T: Talk>(&mut self, line: &Line, talk: &mut T) -> Result<(), Failure> {
        check_count(line, 4)?;
        let (Some(Point::Moment(first)), Some(Point::Moment(second))) = (point(line.param(1)), point(line.param(2)))
        else {
            return Err(Failure::params(line, "Invalid timestamp"));
        };
        let limit = limit(line)?;
        let all = talk.conversations().await.map_err(|why| Failure::of_target("MESSAGE_ERROR", line, why))?;
        let within = first.min(second) + 1..first.max(second);
        let named = all.into_iter().filter_map(|summary| {
            let newest = summary.newest?.said_ms;
            Some((newest, self.name_of(&summary.conversation)?)).filter(|_| within.contains(&newest))
        });
        let mut targets: Vec<(u64, String)> = named.collect();
        targets.sort();
        if first > second {
            targets.reverse();
        }
        let batch = self.new_batch();
        let batched = self.caps.has(Cap::Batch);
        if batched {
            let opening = [format!("+{batch}").as_str(), "draft/chathistory-targets"].map(str::to_owned);
            self.lines.push(Line::new("BATCH", opening).from(SERVER));
        }
        for (written, name) in targets.into_iter().take(limit) {
            let line = Line::new("CHATHISTORY", ["TARGETS", name.as_str(), &moment::write(written)]).from(SERVER);
            self.lines.push(line.tag("batch", batch.as_str()));
        }
        if batched {
            self.lines.push(Line::new("BATCH", [format!("-{batch}")]).from(SERVER));
        }
        Ok(())
    }

    /// Finds the conversation that a client calls so.
    pub(super) fn conversation(&self, name: &str) -> Option<Conversation> {
        match name.starts_with('#') {
            true => self.view.by_channel(name).map(|channel| channel.conversation.clone()),
            false => self.view.by_nick(name).map(|person| Conversation::between(self.view.me(), person.person)),
        }
    }

    /// MARKREAD: asks how far the user has read, or says it.
    pub(super) async fn markread<T: Talk>(&mut self, line: &Line, talk: &mut T) {
        if line.params.is_empty() {
            return self.fail("MARKREAD", "NEED_MORE_PARAMS", &[], "Missing parameters");
        }
        let target = line.param(0).to_owned();
        let Some(conversation) = self.conversation(&target) else {
            return self.fail("MARKREAD", "INVALID_PARAMS", &[&target], "Invalid parameters");
        };
        if let Some(until) = line.params.get(1) {
            let Some(Point::Moment(until)) = point(until) else {
                return self.fail("MARKREAD", "INVALID_PARAMS", &[&target], "Invalid parameters");
            };
            if let Err(why) = mark(&conversation, until, talk).await {
                return self.fail("MARKREAD", "INTERNAL_ERROR", &[&target], &why);
            }
        }
        let name = self.name_of(&conversation).unwrap_or(target);
        self.tell_marker(&name, &conversation, talk).await;
    }

    /// Tells how far the user has read (read-marker, "MARKREAD server command").
    pub(super) async fn tell_marker<T: Talk>(&mut self, target: &str, of: &Conversation, talk: &mut T) {
        match marked(of, talk).await {
            Ok(marked) => {
                let marked = marked.map_or_else(|| "*".to_owned(), |ms| format!("timestamp={}", moment::write(ms)));
                self.lines.push(Line::new("MARKREAD", [target, marked.as_str()]).from(SERVER));
            }
            Err(why) => self.fail("MARKREAD", "INTERNAL_ERROR", &[target], &why),
        }
    }

    /// Shows the last messages of a conversation to a client that cannot ask for them.
    pub(super) async fn play<T: Talk>(&mut self, conversation: &Conversation, limit: usize, talk: &mut T) {
        match (talk.lines(conversation, Span::default(), limit).await, self.name_of(conversation)) {
            (Ok(entries), Some(name)) if !entries.is_empty() => {
                // Of the newest of them it may be told just now.
                entries.iter().for_each(|entry| self.remember(conversation, entry.position.id));
                self.show_all(&name, conversation, entries, talk);
            }
            (Ok(_), _) | (_, None) => {}
            (Err(why), _) => self.notice(&format!("the history cannot be read: {why}")),
        }
    }

    /// Shows what was written to the user and not read, to a client that cannot ask for it.
    pub(super) async fn play_unread<T: Talk>(&mut self, talk: &mut T) {
        let all = match talk.conversations().await {
            Ok(all) => all,
            Err(why) => return self.notice(&format!("the history cannot be read: {why}")),
        };
        for summary in all.iter().filter(|summary| matches!(summary.conversation, Conversation::Direct(..))) {
            if summary.is_request {
                self.announce(&summary.conversation);
            }
            let unread = usize::try_from(summary.unread).unwrap_or(PLAYED).min(PLAYED);
            if unread > 0 && !self.caps.has(Cap::ChatHistory) {
                self.play(&summary.conversation, unread, talk).await;
            }
        }
    }
}

fn check_count(line: &Line, count: usize) -> Result<(), Failure> {
    match line.params.len() {
        few if few < count => Err(Failure::params(line, "Insufficient parameters")),
        many if many > count => Err(Failure::params(line, "Too many parameters")),
        _ => Ok(()),
    }
}

fn limit(line: &Line) -> Result<usize, Failure> {
    let limit = line.params.last().and_then(|limit| limit.parse::<usize>().ok()).filter(|limit| *limit > 0);
    limit.map(|limit| limit.min(MAX_HISTORY)).ok_or_else(|| Failure::params(line, "Invalid limit"))
}

fn point(text: &str) -> Option<Point> {
    match text.split_once('=') {
        None if text == "*" => Some(Point::Nowhere),
        Some(("timestamp", moment)) => moment::read(moment).map(Point::Moment),
        Some(("msgid", id)) => id.parse().ok().map(Point::Message),
        _ => None,
    }
}

/// Finds where a point is; `None`: such a message is not here.
async fn place<T: Talk>(of: &Conversation, point: Point, talk: &mut T) -> Result<Option<Place>, String> {
    Ok(match point {
        Point::Nowhere => Some(Place::default()),
        Point::Message(id) => talk.position(of, id).await?.map(|at| Place { low: Some(at), high: Some(at) }),
        Point::Moment(ms) => {
            let found = talk.moment(of, ms).await?;
            Some(Place { low: found.until, high: found.since })
        }
    })
}

/// Reads what a command asks for, the oldest first.
async fn read_history<T: Talk>(
    sub: &str,
    of: &Conversation,
    (first, second): (Point, Point),
    limit: usize,
    talk: &mut T,
) -> Result<Vec<Entry>, String> {
    let (Some(first), Some(second)) = (place(of, first, talk).await?, place(of, second, talk).await?) else {
        return Ok(Vec::new());
    };
    match sub {
        "BEFORE" => talk.lines(of, Span { before: first.high, ..Span::default() }, limit).await,
        "AFTER" => talk.lines(of, Span { after: first.low, from_start: true, ..Span::default() }, limit).await,
        "LATEST" => talk.lines(of, Span { after: first.low, ..Span::default() }, limit).await,
        "AROUND" => {
            let mut entries = talk.lines(of, Span { before: first.high, ..Span::default() }, limit / 2).await?;
            if let Some(at) = first.high {
                // What stands there itself is wanted as well. No message has the number 0, so that nothing stands between
                // this and the place.
                let id = MessageId { number: at.id.number.saturating_sub(1), ..at.id };
                let after = Some(Position { id, ..at });
                let behind = Span { after, from_start: true, ..Span::default() };
                entries.extend(talk.lines(of, behind, limit - entries.len()).await?);
            }
            Ok(entries)
        }
        _ => {
            // Nothing stands behind what has no line after it.
            let is_forward = match (first.high, second.high) {
                (Some(first), Some(second)) => first <= second,
                (first, _) => first.is_some(),
            };
            let (from, to) = if is_forward { (first, second) } else { (second, first) };
            talk.lines(of, Span { after: from.low, before: to.high, from_start: is_forward }, limit).await
        }
    }
}

/// Notes that the user has read what was written until then.
pub(super) async fn mark<T: Talk>(of: &Conversation, until: u64, talk: &mut T) -> Result<(), String> {
    let Some(until) = talk.moment(of, until).await?.until else { return Ok(()) };
    loop {
        let unread = talk.unread(of, Some(until), MAX_PAGE).await?;
        if unread.is_empty() {
            return Ok(());
        }
        talk.read(of, unread.into_iter().map(|position| position.id).collect()).await?;
    }
}

/// Returns when the newest message was written before which the user has read all; `None`: there is none.
async fn marked<T: Talk>(of: &Conversation, talk: &mut T) -> Result<Option<u64>, String> {
    let before = talk.unread(of, None, 1).await?.first().copied();
    let last = talk.lines(of, Span { before, ..Span::default() }, 1).await?;
    Ok(last.last().map(|entry| entry.written))
}
