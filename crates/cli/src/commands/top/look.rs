//! How things look: with colours or without, with Unicode or ASCII.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::bar;

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    colour: bool,
    unicode: bool,
}

/// The heights of a curve, in ASCII.
const ASCII_BARS: bar::Set<'static> = bar::Set {
    full: "#",
    seven_eighths: "#",
    three_quarters: "*",
    five_eighths: "*",
    half: "+",
    three_eighths: "=",
    one_quarter: "-",
    one_eighth: ".",
    empty: " ",
};

impl Look {
    /// Looks at the environment: `NO_COLOR` (no-color.org), and the locale.
    pub fn of_terminal() -> Look {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Look { colour, unicode: crate::live::has_unicode() }
    }

    /// A look of its own, for tests.
    #[cfg(test)]
    pub fn new(colour: bool, unicode: bool) -> Look {
        Look { colour, unicode }
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// What is well, and goes on.
    pub fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    /// What comes in.
    pub fn down(self) -> Style {
        self.coloured(Color::Cyan)
    }

    /// What goes out.
    pub fn up(self) -> Style {
        self.coloured(Color::Magenta)
    }

    /// What somebody has to look at.
    pub fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What is only there for whoever looks for it.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// A heading.
    pub fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What is chosen.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The heights of a curve.
    pub fn bars(self) -> bar::Set<'static> {
        if self.unicode { bar::NINE_LEVELS } else { ASCII_BARS }
    }

    /// The arrow of a direction, with a space behind where it is a word.
    pub fn arrow(self, up: bool) -> &'static str {
        match (self.unicode, up) {
            (true, true) => "↑",
            (true, false) => "↓",
            (false, true) => "up ",
            (false, false) => "down ",
        }
    }

    /// What stands between two things on a line.
    pub fn dot(self) -> &'static str {
        if self.unicode { " · " } else { " | " }
    }

    /// What stands where a text was cut.
    pub fn cut(self) -> &'static str {
        if self.unicode { "…" } else { "~" }
    }

    /// What stands where something is still to come.
    pub fn reading(self) -> &'static str {
        if self.unicode { "Reading …" } else { "Reading ..." }
    }

    /// The keys that move the choice.
    pub fn arrows(self) -> &'static str {
        if self.unicode { "↑↓" } else { "Up/Down" }
    }

    /// A bar of some cells.
    pub fn bar(self, done: f64, cells: usize) -> String {
        let full = ((done.clamp(0.0, 1.0) * cells as f64) as usize).min(cells);
        let (on, off) = if self.unicode { ("━", "─") } else { ("#", "-") };
        format!("{}{}", on.repeat(full), off.repeat(cells - full))
    }
}
