//! The connections that stand, and whose they are.

use std::cmp::Reverse;

use base::units::format_bytes;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use rpc::{NodeConnection, UsageConnection, Way};

use super::super::look::Look;
use super::super::view::View;
use super::columns::{self, Column, Shown};
use crate::out::clean;
use crate::show;

const COLUMNS: &[Column] = &[
    Column::name("WHO"),
    Column::word("SERVICE", 8, 3),
    Column::number("DOWN", 12, 1),
    Column::number("UP", 12, 2),
    Column::word("WAY", 22, 5),
    Column::number("LATENCY", 7, 6),
    Column::number("RECEIVED", 10, 7),
    Column::number("SENT", 10, 8),
    Column::number("FOR", 8, 4),
];

/// Draws the connections.
pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View) {
    view.page = usize::from(area.height.saturating_sub(1));
    let Some((usage, nodes)) = &view.people else {
        return super::empty(frame, area, view.look.reading(), view);
    };
    if usage.connections.is_empty() {
        return super::empty(frame, area, "Nobody is connected.", view);
    }
    let mut connections: Vec<&UsageConnection> = usage.connections.iter().collect();
    // People before strangers, then who takes and gives most; the rest keeps its order.
    connections.sort_by_key(|it| {
        (it.person.is_none(), Reverse(it.download_bytes_per_s.saturating_add(it.upload_bytes_per_s)), Reverse(it.age_s))
    });
    let above = view.above.min(connections.len().saturating_sub(view.page));
    let rows: Vec<_> =
        connections.into_iter().skip(above).take(view.page).map(|it| row(it, nodes, view.look)).collect();
    columns::draw(frame, area, view.look, COLUMNS, rows, None);
    view.above = above;
}

fn row(it: &UsageConnection, nodes: &[NodeConnection], look: Look) -> Vec<Shown> {
    let plain = Style::new();
    let same = |node: &&NodeConnection| Some(&node.node) == it.node.as_ref() && node.service == it.service;
    let node = nodes.iter().find(same);
    let way = match node.and_then(|node| node.way.as_ref()) {
        Some(Way::Direct(address)) => format!("direct {address}"),
        Some(Way::Relayed(_)) => "relayed".to_owned(),
        None => format!("{}{}", show::carrier(&it.carrier), if it.incoming { " in" } else { " out" }),
    };
    let rtt = node.and_then(|node| node.rtt_ms).map(|ms| format!("{ms:.0} ms")).unwrap_or_default();
    vec![
        (clean(&who(it, node)), if it.person.is_some() { look.head() } else { plain }),
        (clean(&it.service), plain),
        (show::rate_or_blank(it.download_bytes_per_s), look.down()),
        (show::rate_or_blank(it.upload_bytes_per_s), look.up()),
        (clean(&way), plain),
        (rtt, plain),
        (format_bytes(it.downloaded_bytes), plain),
        (format_bytes(it.uploaded_bytes), plain),
        (show::seconds(it.age_s), plain),
    ]
}

/// Names somebody: the person and the node, or where the stranger is.
fn who(it: &UsageConnection, node: Option<&NodeConnection>) -> String {
    let short = |kind: &str, id: &str| format!("{kind} {}", id.chars().take(show::SHORT_ID).collect::<String>());
    let person = it.name.clone().or_else(|| it.person.as_deref().map(|id| short("person", id)));
    match (person, node.and_then(|node| node.node_name.as_deref())) {
        (Some(person), Some(node)) => format!("{person} ({node})"),
        (Some(person), None) => person,
        (None, _) => match (&it.address, &it.node) {
            (Some(address), _) => address.clone(),
            (None, Some(node)) => short("node", node),
            (None, None) => "a stranger".to_owned(),
        },
    }
}
