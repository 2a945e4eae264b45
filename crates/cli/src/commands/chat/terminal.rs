//! A terminal that is filled, and is as it was afterwards.

use anyhow::Result;
use console::Term;

/// Goes over to a screen of its own, and back (xterm, "Alternate Screen Buffer"), where what is pasted is marked ("Bracketed
/// Paste Mode").
const ENTER: &str = "\x1b[?1049h\x1b[?2004h";
const LEAVE: &str = "\x1b[?2004l\x1b[?1049l";

/// The terminal while this runs.
pub struct Screen {
    term: Term,
    _raw: Restored,
}

impl Screen {
    /// Goes over to a screen of its own.
    pub fn enter(term: Term) -> Result<Screen> {
        let raw = Restored::make_raw();
        term.write_str(ENTER)?;
        Ok(Screen { term, _raw: raw })
    }

    /// Returns its width and height, which are no smaller than anything can be shown in.
    pub fn size(&self) -> (usize, usize) {
        let (height, width) = self.term.size();
        (usize::from(width).max(20), usize::from(height).max(4))
    }

    /// Shows these lines, as many as it has, with the cursor in the last.
    pub fn draw(&self, lines: &[String], column: usize) -> Result<()> {
        // Each line is cleared behind its end: so nothing flickers.
        let text = lines.join("\x1b[K\r\n");
        self.term.write_str(&format!("\x1b[H{text}\x1b[K\r\x1b[{column}C"))?;
        self.term.flush()?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = self.term.write_str(LEAVE);
    }
}

/// Brings the terminal's mode back: whoever ends while a key is read would leave it as it is then.
struct Restored {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Restored {
    /// Takes everything as it is typed, also between two keys: a line that is pasted may be longer than the terminal keeps.
    fn make_raw() -> Restored {
        #[cfg(unix)]
        {
            use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
            let before = tcgetattr(std::io::stdin()).ok();
            if let Some(before) = &before {
                let mut raw = before.clone();
                raw.make_raw();
                raw.output_modes = before.output_modes;
                // Ctrl-C ends this also while nobody waits for a key.
                raw.local_modes |= LocalModes::ISIG;
                // What would stop it without a chance to bring the terminal back (_POSIX_VDISABLE of Linux).
                raw.special_codes[SpecialCodeIndex::VQUIT] = 0;
                raw.special_codes[SpecialCodeIndex::VSUSP] = 0;
                // The keys are read all the same.
                let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &raw);
            }
            Restored { before }
        }
        #[cfg(not(unix))]
        Restored {}
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            use rustix::termios::{OptionalActions, tcsetattr};
            // The terminal may be gone.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, before);
        }
    }
}
