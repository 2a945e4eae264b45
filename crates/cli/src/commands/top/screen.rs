//! The terminal while `compeer top` has it, and the keys that are typed there.
//!
//! It is written to and read by `console`, as everywhere in this program; this is the little that lies between it and
//! ratatui. Whatever ends the program, the terminal is left as it was: at the end, at an error and in a panic.

use std::io;
#[cfg(unix)]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use console::{Key, Term};
use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use ratatui::{Frame, Terminal};
use tokio::sync::mpsc;

/// Goes over to a screen of its own without a cursor, and back (xterm, "Alternate Screen Buffer").
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// Whether the terminal is ours now. Left twice, it would write over what was said in between.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal's mode before.
#[cfg(unix)]
static BEFORE: OnceLock<rustix::termios::Termios> = OnceLock::new();

/// The terminal: a screen of its own, read key by key. Dropping it brings back what was there.
pub struct Screen(Terminal<Ansi>);

impl Screen {
    /// Goes over to a screen of its own.
    pub fn enter() -> Result<Screen> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
        let entered = enter().and_then(|()| Terminal::new(Ansi::new()));
        if entered.is_err() {
            leave();
        }
        Ok(Screen(entered.context("the terminal cannot be filled; `compeer list` prints the torrents")?))
    }

    /// Draws what is to be seen now.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        self.0.draw(draw).context("the terminal takes nothing any more")?;
        Ok(())
    }

    /// Returns how large the terminal is now.
    pub fn size(&self) -> Size {
        size(&self.0.backend().term)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Reads every key from here on, and shows none of them.
fn enter() -> io::Result<()> {
    ENTERED.store(true, Ordering::Relaxed);
    #[cfg(unix)]
    {
        use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
        let mut mode = tcgetattr(io::stdin())?;
        // An error means that it is known from before.
        let _ = BEFORE.set(mode.clone());
        mode.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &mode)?;
    }
    Term::stdout().write_str(ENTER)
}

/// Leaves the terminal as it was, if that was not done already.
fn leave() {
    if !ENTERED.swap(false, Ordering::Relaxed) {
        return;
    }
    // The terminal may be gone: then there is nothing to bring back.
    let _ = Term::stdout().write_str(LEAVE);
    #[cfg(unix)]
    if let Some(before) = BEFORE.get() {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
    }
}

/// Reads keys, each when it is asked for.
pub fn keys() -> mpsc::Receiver<Key> {
    let (sender, keys) = mpsc::channel(1);
    // A thread that waits for the next key when the program ends goes with it.
    std::thread::spawn(move || {
        let term = Term::stdout();
        while let Ok(key) = term.read_key_raw() {
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    keys
}

fn size(term: &Term) -> Size {
    let (height, width) = term.size();
    Size::new(width, height)
}

/// Writes what ratatui draws, by the sequences that every terminal has (ECMA-48).
struct Ansi {
    term: Term,
    /// What is written at the next [`Backend::flush`].
    text: String,
    at: Position,
}

impl Ansi {
    fn new() -> Ansi {
        Ansi { term: Term::stdout(), text: String::new(), at: Position::ORIGIN }
    }
}

impl Backend for Ansi {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        let mut look = None;
        let mut next = None;
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                self.set_cursor_position((x, y))?;
            }
            if look != Some((cell.fg, cell.bg, cell.modifier)) {
                look = Some((cell.fg, cell.bg, cell.modifier));
                self.text.push_str(&sequence(cell));
            }
            self.text.push_str(cell.symbol());
            // A wide one moves the cursor further; then it is said where the next one is.
            next = Some((x.saturating_add(1), y)).filter(|_| cell.symbol().is_ascii());
        }
        self.text.push_str("\x1b[0m");
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.text.push_str("\x1b[?25l");
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.text.push_str("\x1b[?25h");
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.at)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.at = position.into();
        self.text.push_str(&format!("\x1b[{};{}H", u32::from(self.at.y) + 1, u32::from(self.at.x) + 1));
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, which: ClearType) -> io::Result<()> {
        self.text.push_str(match which {
            ClearType::All => "\x1b[2J",
            ClearType::AfterCursor => "\x1b[J",
            ClearType::BeforeCursor => "\x1b[1J",
            ClearType::CurrentLine => "\x1b[2K",
            ClearType::UntilNewLine => "\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        Ok(size(&self.term))
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        // Nothing here draws by pixels.
        Ok(WindowSize { columns_rows: size(&self.term), pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.term.write_str(&std::mem::take(&mut self.text))
    }
}

/// Returns how a cell is made to look: from nothing, so that what was before is over (ECMA-48, SGR).
fn sequence(cell: &Cell) -> String {
    let modifiers = [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::REVERSED, 7)];
    let mut codes = vec!["0".to_owned()];
    codes.extend(modifiers.iter().filter(|(one, _)| cell.modifier.contains(*one)).map(|(_, code)| code.to_string()));
    codes.extend(colour(cell.fg).map(|code| (30 + code).to_string()));
    codes.extend(colour(cell.bg).map(|code| (40 + code).to_string()));
    format!("\x1b[{}m", codes.join(";"))
}

/// Returns the number of a colour: those that [`super::look`] has, which every terminal shows as its user wants them.
fn colour(colour: Color) -> Option<u8> {
    match colour {
        Color::Red => Some(1),
        Color::Green => Some(2),
        Color::Magenta => Some(5),
        Color::Cyan => Some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn what_is_drawn_is_written_with_as_few_moves_as_it_needs() {
        let styled = |symbol: &'static str, style: Style| {
            let mut cell = Cell::new(symbol);
            cell.set_style(style);
            cell
        };
        let cells = [
            (0, 0, styled("a", Style::new())),
            (1, 0, styled("b", Style::new())),
            (2, 0, styled("界", Style::new().fg(Color::Green))),
            (4, 0, styled("c", Style::new().fg(Color::Green).add_modifier(Modifier::REVERSED))),
            (0, 7, styled("d", Style::new())),
        ];
        let mut ansi = Ansi::new();
        ansi.draw(cells.iter().map(|(x, y, cell)| (*x, *y, cell))).unwrap();
        let written = "\x1b[1;1H\x1b[0mab\x1b[0;32m界\x1b[1;5H\x1b[0;7;32mc\x1b[8;1H\x1b[0md\x1b[0m";
        assert_eq!(ansi.text, written);
        assert_eq!(ansi.get_cursor_position().unwrap(), Position::new(0, 7));
    }
}
