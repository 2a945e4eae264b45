//! The rates of the last minutes as curves, and the budget.

use base::units::format_bytes;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};
use rpc::BudgetInfo;

use super::super::view::View;
use crate::out::clean;
use crate::show;

/// The highest a curve may be. Arbitrary: more says nothing more.
const CURVE: u16 = 8;

/// Draws the curves and the budget.
pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View) {
    let lines = view.budget.as_ref().map(|budget| lines(budget, view)).unwrap_or_default();
    // A line of words above each curve.
    let room = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2)) / 2;
    let curve = room.clamp(1, CURVE);
    let [down, up, rest] =
        Layout::vertical([Constraint::Length(curve + 1), Constraint::Length(curve + 1), Constraint::Fill(1)])
            .areas(area);
    draw_curve(frame, down, view, false);
    draw_curve(frame, up, view, true);
    view.page = usize::from(rest.height);
    if view.budget.is_none() {
        return super::empty(frame, rest, view.look.reading(), view);
    }
    view.above = view.above.min(lines.len().saturating_sub(view.page));
    let seen: Vec<_> = lines.into_iter().skip(view.above).collect();
    frame.render_widget(Paragraph::new(seen), rest);
}

fn draw_curve(frame: &mut Frame<'_>, area: Rect, view: &View, up: bool) {
    let look = view.look;
    let rate = |pair: &(u64, u64)| if up { pair.1 } else { pair.0 };
    let style = if up { look.up() } else { look.down() };
    let now = view.budget.as_ref().map(|budget| &budget.now);
    let limit = now.and_then(|now| if up { now.upload_bytes_per_s } else { now.download_bytes_per_s });
    let wide = usize::from(area.width);
    let seen: Vec<u64> = view.rates.iter().skip(view.rates.len().saturating_sub(wide)).map(rate).collect();
    let most = seen.iter().copied().max().unwrap_or(0);
    let (down_now, up_now) = view.rate();
    let mut words = vec![
        format!("{}{}", look.arrow(up), show::rate(if up { up_now } else { down_now })),
        format!("most {} in {}", show::rate(most), show::seconds(seen.len() as u64)),
    ];
    words.extend(limit.map(|limit| format!("limit {}", show::rate(limit))));
    let [above, below] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Line::styled(words.join(look.dot()), style), above);
    // The newest stands at the right.
    let curve = vec![0; wide - seen.len()].into_iter().chain(seen).collect::<Vec<u64>>();
    frame.render_widget(Sparkline::default().data(curve).max(most.max(1)).bar_set(look.bars()).style(style), below);
}

fn lines(budget: &BudgetInfo, view: &View) -> Vec<Line<'static>> {
    let look = view.look;
    // 14: the longest of these names and a space.
    let fact = |name: &str, text: String| {
        Line::from(vec![Span::styled(format!("{name:<14}"), look.faint()), Span::styled(text, Style::new())])
    };
    let now = &budget.now;
    let of = |used: String, most: Option<String>| {
        most.map_or_else(|| format!("{used}, no limit"), |most| format!("{used} of {most}"))
    };
    let mut lines = vec![Line::default()];
    if let Some(gate) = &view.gate {
        lines.push(fact("connections", of(gate.connections.to_string(), now.connections.map(|most| most.to_string()))));
        if gate.resting {
            let why = if gate.paused { "you paused it" } else { "by the schedule or the administrator's hours" };
            lines.push(fact("rests", why.to_owned()));
        }
    }
    lines.push(fact("down", show::limit(now.download_bytes_per_s)));
    lines.push(fact("up", show::limit(now.upload_bytes_per_s)));
    lines.push(fact("disk", of(format_bytes(budget.disk_used_bytes), now.disk_bytes.map(format_bytes))));
    lines.extend(now.keep_free_bytes.map(|bytes| fact("kept free", format_bytes(bytes))));
    lines.extend(now.memory_bytes.map(|bytes| fact("memory", format!("{} at most", format_bytes(bytes)))));
    lines.extend(budget.window.map(|window| fact("schedule", format!("its window {window} holds now"))));
    for (service, share) in &now.services {
        lines.push(fact(&clean(service), shares(share)));
    }
    for (person, share) in &now.persons {
        lines.push(fact(&show::person_or_group(budget.names.get(person).unwrap_or(person)), shares(share)));
    }
    lines
}

fn shares(share: &rpc::Share) -> String {
    let mut parts = vec![
        format!("down {}", show::limit(share.download_bytes_per_s)),
        format!("up {}", show::limit(share.upload_bytes_per_s)),
    ];
    parts.extend(share.connections.map(|most| format!("{most} connections")));
    parts.join(", ")
}
