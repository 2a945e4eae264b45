//! What was said before: CHATHISTORY (chathistory), MARKREAD (read-marker).

use super::show::read_id;
use super::*;
use crate::irc::moment;
use crate::irc::talk::{Entry, From, Page};
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

/// Why the history is not shown.
struct Failure {
    code: &'static str,
    context: Vec<String>,
    why: String,
}

impl Failure {
    fn params(line: &Line, why: &str) -> Failure {
        let context = line.params.first().map(|sub| vec![sub.clone()]).unwrap_or_default();
        Failure { code: "INVALID_PARAMS", context, why: why.to_owned() }
    }

    fn error(line: &Line, why: String) -> Failure {
        let context = line.params.iter().take(2).cloned().collect();
        Failure { code: "MESSAGE_ERROR", context, why }
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
        let read =
            |at: usize| point(line.param(at)).ok_or_else(|| Failure::params(line, "Invalid message or timestamp"));
        let (first, second) = (read(2)?, read(1 + points)?);
        if sub != "LATEST" && (first == Point::Nowhere || second == Point::Nowhere) {
            return Err(Failure::params(line, "Invalid message or timestamp"));
        }
        let limit = limit(line)?;
        let Some(conversation) = self.conversation(line.param(1)) else {
            let context = line.params.iter().take(2).cloned().collect();
            let why = "Messages could not be retrieved".to_owned();
            return Err(Failure { code: "INVALID_TARGET", context, why });
        };
        let read = read_history(sub, &conversation, (first, second), limit, talk).await;
        let entries = read.map_err(|why| Failure::error(line, why))?;
        let name = self.name_of(&conversation).unwrap_or_else(|| line.param(1).to_owned());
        self.show_all(&name, &conversation, &entries, talk);
        Ok(())
    }

    /// Shows messages of the history as one batch.
    pub(super) fn show_all<T: Talk>(&mut self, name: &str, conversation: &Conversation, entries: &[Entry], talk: &T) {
        let batch = self.new_batch();
        let batched = self.caps.has(Cap::Batch);
        if batched {
            let opening = Line::new("BATCH", [format!("+{batch}").as_str(), "chathistory", name]);
            self.lines.push(opening.from(SERVER));
        }
        for entry in entries {
            self.show(conversation, entry, Some(&batch), talk);
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
        let latest = talk.latest().await.map_err(|why| Failure::error(line, why))?;
        let (low, high) = (first.min(second), first.max(second));
        let within = latest.into_iter().filter(|latest| low < latest.written && latest.written < high);
        let named = within.filter_map(|latest| Some((latest.written, self.name_of(&latest.conversation)?)));
        let mut targets: Vec<(u64, String)> = named.collect();
        targets.sort();
        if first > second {
            targets.reverse();
        }
        let batch = self.new_batch();
        if self.caps.has(Cap::Batch) {
            let opening = [format!("+{batch}").as_str(), "draft/chathistory-targets"].map(str::to_owned);
            self.lines.push(Line::new("BATCH", opening).from(SERVER));
        }
        for (written, name) in targets.into_iter().take(limit) {
            let line = Line::new("CHATHISTORY", ["TARGETS", name.as_str(), &moment::write(written)]).from(SERVER);
            self.lines.push(line.tag("batch", batch.as_str()));
        }
        if self.caps.has(Cap::Batch) {
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
            if let Err(why) = talk.mark(&conversation, until).await {
                return self.fail("MARKREAD", "INTERNAL_ERROR", &[&target], &why);
            }
        }
        let name = self.name_of(&conversation).unwrap_or(target);
        self.tell_marker(&name, &conversation, talk).await;
    }

    /// Shows what was written to the user and not read, to a client that cannot ask for it.
    pub(super) async fn play_unread<T: Talk>(&mut self, talk: &mut T) {
        if self.caps.has(Cap::ChatHistory) {
            return;
        }
        let latest = match talk.latest().await {
            Ok(latest) => latest,
            Err(why) => return self.notice(&format!("the history cannot be read: {why}")),
        };
        for latest in latest.iter().filter(|latest| matches!(latest.conversation, Conversation::Direct(..))) {
            let unread = usize::try_from(latest.unread).unwrap_or(PLAYED).min(PLAYED);
            if unread > 0 {
                self.play(&latest.conversation, unread, talk).await;
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
        Some(("msgid", id)) => read_id(id).map(Point::Message),
        _ => None,
    }
}

/// Reads what a command asks for, the oldest first.
async fn read_history<T: Talk>(
    sub: &str,
    conversation: &Conversation,
    (first, second): (Point, Point),
    limit: usize,
    talk: &mut T,
) -> Result<Vec<Entry>, String> {
    let from = match first {
        Point::Nowhere => From::End,
        Point::Message(id) => From::Message(id),
        Point::Moment(ms) => From::Moment(ms),
    };
    match sub {
        "BEFORE" => talk.page(conversation, Page { from, back: true, limit }).await,
        "AFTER" => talk.page(conversation, Page { from, back: false, limit }).await,
        "LATEST" => {
            let entries = talk.page(conversation, Page { from: From::End, back: true, limit }).await?;
            behind(conversation, first, entries, talk).await
        }
        "AROUND" => {
            let mut entries = talk.page(conversation, Page { from, back: true, limit: limit / 2 }).await?;
            let from = match first {
                Point::Message(id) => {
                    entries.extend(talk.find(conversation, id).await?);
                    from
                }
                // What was written at this very moment is wanted as well.
                _ => match from {
                    From::Moment(ms) => From::Moment(ms.saturating_sub(1)),
                    other => other,
                },
            };
            let page = Page { from, back: false, limit: limit.saturating_sub(entries.len()) };
            entries.extend(talk.page(conversation, page).await?);
            Ok(entries)
        }
        _ => between(conversation, (first, second), limit, talk).await,
    }
}

/// Leaves out of a page, which reaches to the end, what is not behind a point.
async fn behind<T: Talk>(
    conversation: &Conversation,
    point: Point,
    mut entries: Vec<Entry>,
    talk: &mut T,
) -> Result<Vec<Entry>, String> {
    match point {
        Point::Nowhere => {}
        Point::Moment(ms) => entries.retain(|entry| entry.written > ms),
        Point::Message(id) => match entries.iter().position(|entry| entry.id == id) {
            Some(at) => drop(entries.drain(..=at)),
            // It lies before the page; or it is not here, and nothing is behind it.
            None if talk.find(conversation, id).await?.is_none() => entries.clear(),
            None => {}
        },
    }
    Ok(entries)
}

/// Reads between two points, counted from the first, which may be the later one.
async fn between<T: Talk>(
    conversation: &Conversation,
    (first, second): (Point, Point),
    limit: usize,
    talk: &mut T,
) -> Result<Vec<Entry>, String> {
    let from = |point| match point {
        Point::Message(id) => From::Message(id),
        Point::Moment(ms) => From::Moment(ms),
        Point::Nowhere => From::End,
    };
    // Where the second lies is seen from the first: a page each way that ends at it, or does not reach it.
    let mut found = [Vec::new(), Vec::new()];
    for (entries, back) in found.iter_mut().zip([false, true]) {
        *entries = talk.page(conversation, Page { from: from(first), back, limit: limit + 1 }).await?;
    }
    let [forward, backward] = found;
    let is_second = |entry: &Entry| second == Point::Message(entry.id);
    let backwards = match (first, second) {
        (Point::Moment(first), Point::Moment(second)) => first > second,
        (_, Point::Moment(second)) => written(conversation, first, talk).await? > second,
        (Point::Moment(first), _) => first > written(conversation, second, talk).await?,
        _ if forward.iter().any(is_second) => false,
        _ if backward.iter().any(is_second) => true,
        _ => written(conversation, first, talk).await? > written(conversation, second, talk).await?,
    };
    let mut entries = if backwards { backward } else { forward };
    match second {
        Point::Moment(ms) if backwards => entries.retain(|entry| entry.written > ms),
        Point::Moment(ms) => entries.retain(|entry| entry.written < ms),
        _ => match entries.iter().position(is_second) {
            Some(at) if backwards => drop(entries.drain(..=at)),
            Some(at) => entries.truncate(at),
            None => {}
        },
    }
    let over = entries.len().saturating_sub(limit);
    if backwards {
        drop(entries.drain(..over))
    } else {
        entries.truncate(limit)
    }
    Ok(entries)
}

/// Returns when what a point means was written; 0 where it is not here.
async fn written<T: Talk>(conversation: &Conversation, point: Point, talk: &mut T) -> Result<u64, String> {
    Ok(match point {
        Point::Moment(ms) => ms,
        Point::Message(id) => talk.find(conversation, id).await?.map_or(0, |entry| entry.written),
        Point::Nowhere => 0,
    })
}
