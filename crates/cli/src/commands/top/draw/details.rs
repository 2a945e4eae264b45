//! One torrent and its peers.

use base::units::format_bytes;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use rpc::{PeerInfo, TorrentDetail, TorrentSummary};

use super::super::look::Look;
use super::super::view::View;
use super::columns::{self, Column, Shown};
use super::transfers;
use crate::out::clean;
use crate::show;

const COLUMNS: &[Column] = &[
    Column::name("PEER"),
    Column::word("CLIENT", 18, 4),
    Column::number("HAS", 5, 3),
    Column::number("DOWN", 12, 1),
    Column::number("UP", 12, 2),
    Column::number("RECEIVED", 10, 6),
    Column::number("SENT", 10, 7),
    Column::word("OVER", 4, 5),
    Column::word("FROM", 9, 8),
];

/// Draws the chosen torrent.
pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View) {
    let Some(torrent) = view.chosen() else { return };
    let detail = view.detail.as_ref().filter(|(detail, _)| detail.summary.id == torrent.id);
    let facts = facts(torrent, detail.map(|(detail, _)| detail), view.look, usize::from(area.width));
    let peers: Vec<_> =
        detail.map(|(_, peers)| peers.iter().map(|peer| row(peer, view.look)).collect()).unwrap_or_default();
    let known = detail.is_some();
    // Where there is little room the peers have most of it.
    let most = (area.height / 2).max(3);
    let height = u16::try_from(facts.len()).unwrap_or(most).min(most);
    let [above, below] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(facts), above);
    view.page = usize::from(below.height.saturating_sub(1));
    if peers.is_empty() {
        let text = if known { "No peer is connected." } else { view.look.reading() };
        return super::empty(frame, below, text, view);
    }
    view.above = view.above.min(peers.len().saturating_sub(view.page));
    let seen: Vec<_> = peers.into_iter().skip(view.above).take(view.page).collect();
    columns::draw(frame, below, view.look, COLUMNS, seen, None);
}

/// What is known of it, the most important first.
fn facts(torrent: &TorrentSummary, detail: Option<&TorrentDetail>, look: Look, width: usize) -> Vec<Line<'static>> {
    let cut = |text: String, width: usize| console::truncate_str(&text, width, look.cut()).into_owned();
    let fact = |name: &str, text: String, style: Style| {
        // 10: the longest of these names and a space.
        Line::from(vec![
            Span::styled(format!("{name:<10}"), look.faint()),
            Span::styled(cut(text, width.saturating_sub(10)), style),
        ])
    };
    let plain = Style::new();
    let mut state = vec![show::state(torrent).to_owned(), show::percent(show::done(torrent))];
    state.extend(torrent.left_s.map(|left| format!("{} left", show::seconds(left))));
    state.push(format!("{}{}", look.arrow(false), show::rate(torrent.download_bytes_per_s)));
    state.push(format!("{}{}", look.arrow(true), show::rate(torrent.upload_bytes_per_s)));
    let mut lines = vec![Line::styled(cut(clean(&torrent.name), width), look.head())];
    lines.push(fact("state", state.join(look.dot()), transfers::state(torrent.state, look)));
    if let Some(error) = &torrent.error {
        lines.push(fact("failed", clean(error), look.bad()));
    }
    let mut done = vec![
        show::amount(torrent.done_bytes, torrent.wanted_bytes),
        format!("received {}", format_bytes(torrent.downloaded_bytes)),
        format!("sent {}", format_bytes(torrent.uploaded_bytes)),
        format!("ratio {:.2}", torrent.ratio),
    ];
    let wasted = detail.map_or(0, |detail| detail.more.wasted_bytes);
    done.extend((wasted > 0).then(|| format!("wasted {}", format_bytes(wasted))));
    lines.push(fact("content", done.join(look.dot()), plain));
    lines.push(fact("peers", format!("{} connected, {} of them have everything", torrent.peers, torrent.seeds), plain));
    lines.push(fact("at", clean(torrent.path.as_deref().unwrap_or(&torrent.folder)), plain));
    if let Some(detail) = detail {
        let limits = (detail.more.limits.download_bytes_per_s, detail.more.limits.upload_bytes_per_s);
        if limits != (None, None) {
            let text = format!("down {}{}up {}", show::limit(limits.0), look.dot(), show::limit(limits.1));
            lines.push(fact("limits", text, plain));
        }
        for tracker in detail.trackers.iter().filter(|tracker| tracker.answered || tracker.failed) {
            let words = tracker.message.as_deref().map(|words| format!(": {}", clean(words))).unwrap_or_default();
            let style = if tracker.failed { look.bad() } else { plain };
            lines.push(fact("tracker", format!("{}{words}", clean(&tracker.url)), style));
        }
    }
    lines
}

fn row(peer: &PeerInfo, look: Look) -> Vec<Shown> {
    let plain = Style::new();
    let who =
        peer.node.as_deref().map(|node| format!("node {}", node.chars().take(show::SHORT_ID).collect::<String>()));
    vec![
        (who.unwrap_or_else(|| clean(&peer.address)), plain),
        (clean(&peer.client), plain),
        (show::percent(peer.progress), plain),
        (show::rate_or_blank(peer.download_bytes_per_s), look.down()),
        (show::rate_or_blank(peer.upload_bytes_per_s), look.up()),
        (format_bytes(peer.downloaded_bytes), plain),
        (format_bytes(peer.uploaded_bytes), plain),
        (show::carrier(&peer.carrier), plain),
        (show::source(&peer.source), plain),
    ]
}
