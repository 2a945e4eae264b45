//! What goes to stdout: results, and nothing else.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;

/// Prints a line. A reader that has seen enough (`| head`) ends the program quietly.
pub fn line(text: impl AsRef<str>) -> Result<()> {
    bytes(format!("{}\n", text.as_ref()).as_bytes())
}

/// Prints one JSON document.
pub fn json(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Prints one JSON document of several, each on a line of its own.
pub fn json_line(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string(value)?)
}

/// Prints bytes as they are.
pub fn bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// Makes text from elsewhere harmless to a terminal: no control characters, so no escape sequences.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A table whose columns are as wide as they need to be.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// The columns whose cells stand at the right.
    right: Vec<usize>,
    /// The column that gives way where the terminal is too narrow.
    flexible: usize,
}

impl Table {
    /// Begins a table with its head.
    pub fn new(head: &[&str], right: &[usize], flexible: usize) -> Table {
        Table { rows: vec![head.iter().map(|&cell| cell.to_owned()).collect()], right: right.to_vec(), flexible }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Prints it.
    pub fn print(self) -> Result<()> {
        let term = console::Term::stdout();
        let width = if term.is_term() { Some(usize::from(term.size().1)) } else { None };
        for row in self.lines(width) {
            line(row)?;
        }
        Ok(())
    }

    fn lines(&self, width: Option<usize>) -> Vec<String> {
        let columns = self.rows[0].len();
        let wide = |column: usize| self.rows.iter().map(|row| console::measure_text_width(&row[column])).max();
        let mut widths: Vec<usize> = (0..columns).map(|column| wide(column).unwrap_or(0)).collect();
        let total: usize = widths.iter().sum::<usize>() + 2 * (columns - 1);
        if let Some(width) = width
            && total > width
        {
            // 8: below it a name says nothing, and a line that wraps is the lesser evil.
            widths[self.flexible] = widths[self.flexible].saturating_sub(total - width).max(8);
        }
        let cell = |text: &str, column: usize| {
            let side = if self.right.contains(&column) { console::Alignment::Right } else { console::Alignment::Left };
            console::pad_str(text, widths[column], side, Some("…")).into_owned()
        };
        let row = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().enumerate().map(|(column, text)| cell(text, column)).collect();
            cells.join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_shortens_the_flexible_column_only() {
        let mut table = Table::new(&["ID", "NAME", "SIZE"], &[2], 1);
        table.row(vec!["1".into(), "a rather long name of a folder".into(), "1.0 KiB".into()]);
        assert_eq!(table.lines(None)[1], "1   a rather long name of a folder  1.0 KiB");
        assert_eq!(table.lines(Some(30)), ["ID  NAME                  SIZE", "1   a rather long na…  1.0 KiB"]);
    }

    #[test]
    fn escape_sequences_from_elsewhere_are_defused() {
        assert_eq!(clean("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
