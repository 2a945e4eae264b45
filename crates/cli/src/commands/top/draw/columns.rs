//! Tables whose columns go where the terminal is too narrow for them.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, Table, TableState};

use super::super::look::Look;

/// The least columns that a name has; below it other columns go. Arbitrary: a name that can be told from others.
const NAME: u16 = 16;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub head: &'static str,
    /// `None`: what the others leave.
    pub width: Option<u16>,
    /// The columns with the highest number go first.
    pub rank: u8,
    /// Its cells stand at the right.
    pub right: bool,
}

impl Column {
    /// A column that takes what the others leave.
    pub const fn name(head: &'static str) -> Column {
        Column { head, width: None, rank: 0, right: false }
    }

    /// A column of words.
    pub const fn word(head: &'static str, width: u16, rank: u8) -> Column {
        Column { head, width: Some(width), rank, right: false }
    }

    /// A column of numbers.
    pub const fn number(head: &'static str, width: u16, rank: u8) -> Column {
        Column { head, width: Some(width), rank, right: true }
    }
}

/// A cell of a row.
pub type Shown = (String, Style);

/// Returns which of the columns have room.
fn that_fit(columns: &[Column], width: u16) -> Vec<usize> {
    let mut fit: Vec<usize> = (0..columns.len()).collect();
    loop {
        let needed: u16 = fit.iter().map(|&at| columns[at].width.unwrap_or(NAME) + 1).sum();
        let last = fit.iter().copied().filter(|&at| columns[at].width.is_some()).max_by_key(|&at| columns[at].rank);
        match last {
            Some(last) if needed > width + 1 => fit.retain(|&at| at != last),
            _ => return fit,
        }
    }
}

/// Draws a table of the rows that are seen, one of which may be chosen.
pub fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    look: Look,
    columns: &[Column],
    rows: impl IntoIterator<Item = Vec<Shown>>,
    chosen: Option<usize>,
) {
    let fit = that_fit(columns, area.width);
    let taken: u16 = fit.iter().filter_map(|&at| columns[at].width).map(|width| width + 1).sum();
    let width_of = |column: &Column| column.width.unwrap_or(area.width.saturating_sub(taken));
    let cell = |column: &Column, text: &str, style: Style| {
        let line =
            Line::styled(console::truncate_str(text, usize::from(width_of(column)), look.cut()).into_owned(), style);
        Cell::new(if column.right { line.right_aligned() } else { line })
    };
    let head = fit.iter().map(|&at| cell(&columns[at], columns[at].head, look.faint()));
    let head = Row::new(head.collect::<Vec<_>>());
    let line = |row: Vec<Shown>| {
        let cells = fit.iter().filter_map(|&at| row.get(at).map(|(text, style)| cell(&columns[at], text, *style)));
        Row::new(cells.collect::<Vec<_>>())
    };
    let widths: Vec<Constraint> = fit.iter().map(|&at| Constraint::Length(width_of(&columns[at]))).collect();
    let table = Table::new(rows.into_iter().map(line).collect::<Vec<_>>(), widths)
        .header(head)
        .column_spacing(1)
        .row_highlight_style(look.chosen());
    let mut state = TableState::new().with_selected(chosen);
    frame.render_stateful_widget(table, area, &mut state);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_least_goes_first_and_the_name_stays() {
        let columns = [Column::name("NAME"), Column::number("SIZE", 9, 3), Column::number("DONE", 5, 1)];
        assert_eq!(that_fit(&columns, 32), [0, 1, 2]);
        assert_eq!(that_fit(&columns, 31), [0, 2]);
        assert_eq!(that_fit(&columns, 21), [0]);
        assert_eq!(that_fit(&columns, 0), [0]);
    }
}
