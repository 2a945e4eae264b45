//! Draws what [`View`] says. Whatever the size of the terminal, nothing here may fail: what has no room is left out.

mod budget;
mod columns;
mod details;
mod people;
mod transfers;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::view::{Link, Pane, Question, View};
use crate::out::clean;
use crate::show;

/// Draws everything.
pub fn screen(frame: &mut Frame<'_>, view: &mut View) {
    view.settle();
    let news = news(view);
    // What is asked or said has a line of its own; the pane gives it.
    let [head, body, said, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(u16::from(news.is_some())),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, view);
    match view.pane {
        Pane::Transfers => transfers::draw(frame, body, view),
        Pane::Details => details::draw(frame, body, view),
        Pane::People => people::draw(frame, body, view),
        Pane::Budget => budget::draw(frame, body, view),
    }
    if let Some((text, style)) = news {
        frame.render_widget(Paragraph::new(cut(&text, said, view)).style(style), said);
    }
    draw_keys(frame, keys, view);
}

/// Returns what has to be seen now, the most important alone.
fn news(view: &View) -> Option<(String, Style)> {
    let look = view.look;
    if let Some(question) = &view.question {
        return Some((ask(question, view), look.chosen()));
    }
    if let (Link::Lost(reason, _), Some(gone)) = (&view.link, view.gone_for()) {
        let gone = show::seconds(gone.as_secs());
        // The end is what may be cut.
        let text =
            format!("gone for {gone}, looked for again and again; `compeer up` starts a node. {}", clean(reason));
        return Some((text, look.bad()));
    }
    let slow = view.slow.as_ref().map(|slow| (slow.clone(), look.bad()));
    let said = || Some((view.said()?.to_owned(), look.head()));
    let mistake = || Some((show::mistake(view.gate.as_ref()?.message.as_ref()?), look.bad()));
    slow.or_else(said).or_else(mistake)
}

fn ask(question: &Question, view: &View) -> String {
    match question {
        Question::Rest(true) => "Pause everything? y: yes, other keys: no".to_owned(),
        Question::Rest(false) => "Let everything go on? y: yes, other keys: no".to_owned(),
        Question::Remove(id) => {
            let name = view.torrent(id).map(|torrent| clean(&torrent.name)).unwrap_or_default();
            format!("Remove {name}? y: yes, its files stay; D: and delete its files; other keys: no")
        }
    }
}

/// The panes at the left, the rates of everything at the right.
fn draw_head(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let look = view.look;
    let shown = if view.pane == Pane::Details { Pane::Transfers } else { view.pane };
    let panes = [(Pane::Transfers, " 1 Transfers "), (Pane::People, " 2 People "), (Pane::Budget, " 3 Budget ")];
    let style = |pane| if pane == shown { look.chosen() } else { look.head() };
    let mut panes: Vec<Span<'_>> = panes.map(|(pane, name)| Span::styled(name, style(pane))).into();
    let (down, up) = view.rate();
    let mut sums = vec![
        Span::styled(format!("{}{}", look.arrow(false), show::rate(down)), look.down()),
        Span::raw("  "),
        Span::styled(format!("{}{} ", look.arrow(true), show::rate(up)), look.up()),
    ];
    let rest = match &view.gate {
        _ if view.link == Link::Beginning => Some("reading"),
        _ if view.gone_for().is_some() => Some("no node"),
        Some(gate) if gate.paused => Some("paused"),
        Some(gate) if gate.resting => Some("resting"),
        _ => None,
    };
    if let Some(rest) = rest {
        sums.insert(0, Span::styled(format!("{rest}  "), look.bad()));
    }
    let width = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>();
    let room = usize::from(area.width);
    // The rates are what such a terminal is kept open for; the keys say how to reach the panes.
    while width(&panes) + width(&sums) > room && panes.pop().is_some() {}
    let right = u16::try_from(width(&sums)).unwrap_or(area.width).min(area.width);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(right)]).areas(area);
    frame.render_widget(Line::from(panes), left);
    frame.render_widget(Line::from(sums), right);
}

/// The keys that do something now: as many as there is room for, the most needed first.
fn draw_keys(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let look = view.look;
    let arrows = look.arrows();
    let stopped = view.chosen().is_some_and(|torrent| torrent.state == rpc::TorrentState::Paused);
    let pause = if stopped { "resume" } else { "pause" };
    let all = if view.is_paused() { "resume all" } else { "pause all" };
    let sort =
        if view.reversed { format!("by {}, reversed", view.sort.name()) } else { format!("by {}", view.sort.name()) };
    let mut keys: Vec<(&str, &str)> = vec![("q", "quit")];
    match view.pane {
        Pane::Transfers => {
            keys.push(("Tab", "next"));
            if view.on_torrent() {
                keys.extend([(arrows, "choose"), ("Enter", "details"), ("p", pause), ("x", "remove")]);
            }
            keys.extend([("s", sort.as_str()), ("S", "reverse"), ("P", all)]);
        }
        Pane::Details => keys.extend([("Esc", "back"), (arrows, "peers"), ("p", pause), ("x", "remove")]),
        Pane::People | Pane::Budget => keys.extend([("Tab", "next"), (arrows, "scroll"), ("P", all)]),
    }
    let mut line = Line::default();
    for (key, what) in keys {
        let dot = if line.spans.is_empty() { "" } else { look.dot() };
        let more = [Span::raw(dot), Span::styled(key.to_owned(), look.head()), Span::raw(format!(" {what}"))];
        let width: usize = more.iter().map(Span::width).sum();
        if !dot.is_empty() && line.width() + width > usize::from(area.width) {
            break;
        }
        line.spans.extend(more);
    }
    frame.render_widget(line, area);
}

/// Cuts a text to the width, and shows that it was cut.
fn cut(text: &str, area: Rect, view: &View) -> String {
    console::truncate_str(text, usize::from(area.width), view.look.cut()).into_owned()
}

/// Says something in the middle of an empty pane.
fn empty(frame: &mut Frame<'_>, area: Rect, text: &str, view: &View) {
    let text = Paragraph::new(text.to_owned()).style(view.look.faint()).wrap(ratatui::widgets::Wrap { trim: true });
    frame.render_widget(text, area);
}
