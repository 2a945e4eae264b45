//! The list of torrents.

use base::units::format_bytes;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use rpc::{TorrentState, TorrentSummary};

use super::super::look::Look;
use super::super::view::{Link, View};
use super::columns::{self, Column, Shown};
use crate::out::clean;
use crate::show;

/// How wide a bar is.
const BAR: usize = 10;

const COLUMNS: &[Column] = &[
    Column::name("NAME"),
    Column::word("", BAR as u16, 9),
    Column::number("DONE", 5, 1),
    Column::word("STATE", 11, 3),
    Column::number("DOWN", 12, 2),
    Column::number("UP", 12, 4),
    Column::number("LEFT", 9, 5),
    Column::number("PEERS", 5, 6),
    Column::number("RATIO", 6, 7),
    Column::number("SIZE", 10, 8),
];

/// Draws the list.
pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View) {
    // The head of the table is a line.
    view.page = usize::from(area.height.saturating_sub(1));
    if view.torrents().next().is_none() {
        let text = match view.link {
            Link::Live => "No torrents yet: `compeer add LINK` or `compeer share PATH` brings the first.",
            Link::Beginning => view.look.reading(),
            Link::Lost(..) => "",
        };
        return super::empty(frame, area, text, view);
    }
    let chosen = view.place().unwrap_or(0);
    // The chosen one is always seen; the rest moves as little as that needs.
    view.above = view.above.min(chosen).max((chosen + 1).saturating_sub(view.page.max(1)));
    let (look, lost) = (view.look, view.gone_for().is_some());
    // Only what is seen is made: a node may have thousands.
    let rows: Vec<_> =
        view.torrents().skip(view.above).take(view.page).map(|torrent| row(torrent, look, lost)).collect();
    columns::draw(frame, area, look, COLUMNS, rows, Some(chosen - view.above));
}

fn row(torrent: &TorrentSummary, look: Look, lost: bool) -> Vec<Shown> {
    let plain = if lost { look.faint() } else { Style::new() };
    let or_plain = |style| if lost { plain } else { style };
    let done = show::done(torrent);
    let left = torrent.left_s.map(show::seconds).unwrap_or_default();
    let size = if torrent.total_bytes == 0 { "?".to_owned() } else { format_bytes(torrent.total_bytes) };
    vec![
        (clean(&torrent.name), plain),
        (look.bar(done, BAR), or_plain(if torrent.complete { look.good() } else { look.down() })),
        (show::percent(done), plain),
        (show::state(torrent).to_owned(), or_plain(state(torrent.state, look))),
        (show::rate_or_blank(torrent.download_bytes_per_s), or_plain(look.down())),
        (show::rate_or_blank(torrent.upload_bytes_per_s), or_plain(look.up())),
        (left, plain),
        (torrent.peers.to_string(), plain),
        (format!("{:.2}", torrent.ratio), plain),
        (size, plain),
    ]
}

/// Returns how a state looks.
pub fn state(state: TorrentState, look: Look) -> Style {
    match state {
        TorrentState::Failed => look.bad(),
        TorrentState::Paused => look.faint(),
        TorrentState::Seeding => look.good(),
        TorrentState::Downloading => look.down(),
        TorrentState::Metadata | TorrentState::Checking => Style::new(),
    }
}
