//! The live area: a few lines at the end of the terminal (stderr) that are redrawn in place.
//!
//! Where stderr is no terminal, plain lines appear now and then instead. With `--json` there is nothing live at all.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use console::{Term, measure_text_width, truncate_str};

/// How often a plain line appears. Arbitrary: a log of an hour stays readable.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// The narrowest bar, in columns.
const MIN_BAR: usize = 8;

/// The widest bar, in columns: beyond it the eye learns nothing more.
const MAX_BAR: usize = 40;

/// The lines at the end of the terminal.
#[derive(Debug)]
pub struct Live {
    term: Term,
    kind: Kind,
    /// How wide each line on the screen is.
    shown: Vec<usize>,
    last_plain: Option<Instant>,
    unicode: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Terminal,
    Plain,
    Silent,
}

impl Live {
    /// Looks at what stderr is.
    pub fn new(json: bool) -> Live {
        let term = Term::buffered_stderr();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let kind = match () {
            () if json => Kind::Silent,
            () if term.is_term() && !dumb => Kind::Terminal,
            () => Kind::Plain,
        };
        Live { term, kind, shown: Vec::new(), last_plain: None, unicode: has_unicode() }
    }

    /// Tells whether lines are redrawn in place.
    pub fn is_terminal(&self) -> bool {
        self.kind == Kind::Terminal
    }

    /// Returns how many columns a line may have.
    pub fn width(&self) -> usize {
        // The last column stays free: some terminals wrap when it is written.
        if self.is_terminal() { usize::from(self.term.size().1).saturating_sub(1).max(20) } else { 100 }
    }

    /// Returns how many lines the area may have.
    pub fn height(&self) -> usize {
        usize::from(self.term.size().0).saturating_sub(2).max(1)
    }

    /// Draws the area anew. Without a terminal, the `plain` line appears instead if the last one was long enough ago.
    pub fn draw(&mut self, lines: &[String], plain: impl FnOnce() -> String) {
        match self.kind {
            Kind::Terminal => self.redraw(lines),
            Kind::Plain if self.last_plain.is_none_or(|last| last.elapsed() >= PLAIN_EVERY) => {
                self.last_plain = Some(Instant::now());
                eprintln!("{}", plain());
            }
            Kind::Plain | Kind::Silent => {}
        }
    }

    /// Makes the next [`Live::draw`] wait its time, although no plain line appeared yet: what is over soon needs none.
    pub fn wait_before_plain(&mut self) {
        self.last_plain = Some(Instant::now());
    }

    /// Prints a line that stays, above the area.
    pub fn note(&mut self, text: impl AsRef<str>) {
        if self.kind != Kind::Silent {
            self.clear();
            eprintln!("{}", text.as_ref());
        }
    }

    /// Takes the area off the terminal.
    pub fn clear(&mut self) {
        if !self.shown.is_empty() {
            let up = self.rows();
            self.shown.clear();
            self.write(&format!("\x1b[{up}A\r\x1b[J"));
        }
    }

    /// Builds a bar with what stands before and after it.
    pub fn bar(&self, before: &str, progress: f64, after: &str) -> String {
        let room = self.width().saturating_sub(measure_text_width(after) + 4);
        let before = truncate_str(before, room.saturating_sub(MIN_BAR), "…");
        let cells = room.saturating_sub(measure_text_width(&before)).clamp(MIN_BAR, MAX_BAR);
        let filled = ((progress.clamp(0.0, 1.0) * cells as f64) as usize).min(cells);
        let (full, rest) = if self.unicode { ("━", "─") } else { ("#", "-") };
        let (full, rest) = (full.repeat(filled), rest.repeat(cells - filled));
        let (full, rest) = (console::style(full).cyan().for_stderr(), console::style(rest).dim().for_stderr());
        format!("{before}  {full}{rest}  {after}")
    }

    /// Joins as many parts as fit into a line, the most important first.
    pub fn parts(&self, indent: &str, parts: &[String]) -> String {
        let dot = if self.unicode { " · " } else { ", " };
        let mut line = indent.to_owned();
        let mut width = indent.len();
        for (i, part) in parts.iter().filter(|part| !part.is_empty()).enumerate() {
            let separator = if i == 0 { "" } else { dot };
            let more = measure_text_width(separator) + measure_text_width(part);
            if i > 0 && width + more > self.width() {
                break;
            }
            // Writing to a String cannot fail.
            let _ = write!(line, "{separator}{part}");
            width += more;
        }
        line
    }

    /// Returns the arrow of a direction.
    pub fn arrow(&self, up: bool) -> &'static str {
        match (self.unicode, up) {
            (true, true) => "↑",
            (true, false) => "↓",
            (false, true) => "up",
            (false, false) => "down",
        }
    }

    fn redraw(&mut self, lines: &[String]) {
        let width = self.width();
        let lines: Vec<_> = lines.iter().take(self.height()).map(|line| truncate_str(line, width, "…")).collect();
        let mut text = String::new();
        if !self.shown.is_empty() {
            let _ = write!(text, "\x1b[{}A\r", self.rows());
        }
        for line in &lines {
            let _ = writeln!(text, "{line}\x1b[K");
        }
        text.push_str("\x1b[J");
        self.shown = lines.iter().map(|line| measure_text_width(line)).collect();
        self.write(&text);
    }

    /// Returns how many rows the area occupies now: lines drawn for a wider terminal wrapped when it became narrower.
    fn rows(&self) -> usize {
        let width = usize::from(self.term.size().1).max(1);
        self.shown.iter().map(|shown| shown.div_ceil(width).max(1)).sum()
    }

    fn write(&mut self, text: &str) {
        // A terminal that is gone cannot be told so.
        let _ = self.term.write_all(text.as_bytes()).and_then(|()| self.term.flush());
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Tells whether the locale can show more than ASCII; the order of the variables is that of POSIX.
pub fn has_unicode() -> bool {
    let value = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    // Windows and macOS set none and can; on Linux nothing set means "C", whose terminals are UTF-8 nowadays as well.
    value.is_none_or(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8") || value == "c" || value == "posix"
    })
}
