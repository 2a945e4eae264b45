//! Names of persons, nodes and groups as people choose them: data that others see.

use std::fmt;
use std::str::FromStr;

/// How long a name may be: a line of a terminal has room for it. Arbitrary.
const MAX_BYTES: usize = 64;

/// A name that can be shown as it is: one line, no control characters, nothing that turns the direction of the text
/// (Unicode Technical Report 36, "Bidirectional Text Spoofing"), no space at its ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing to show.
    #[error("a name needs at least one character")]
    Empty,
    /// Too long.
    #[error("a name has at most {MAX_BYTES} bytes: choose a shorter one")]
    Long,
    /// A character that would deceive or disturb.
    #[error("a name has no control characters, and no space at its beginning or end: take them away")]
    Character,
}

impl Name {
    /// The longest name, in bytes of UTF-8.
    pub const MAX_BYTES: usize = MAX_BYTES;

    /// Checks a text.
    pub fn new(text: &str) -> Result<Name, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(NameError::Long);
        }
        if text.trim() != text || text.chars().any(deceives) {
            return Err(NameError::Character);
        }
        Ok(Name(text.to_owned()))
    }

    /// Makes a name of any text: leaves out what a name may not have, cuts what is too long; `None` where nothing is
    /// left.
    pub fn from_any(text: &str) -> Option<Name> {
        let clean: String = text.chars().filter(|c| !deceives(*c)).collect();
        let mut end = clean.trim().len().min(MAX_BYTES);
        while !clean.trim().is_char_boundary(end) {
            end -= 1;
        }
        Name::new(clean.trim()[..end].trim_end()).ok()
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and the invisible ones that reorder or hide text.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Name, NameError> {
        Name::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_deceive_is_no_name() {
        assert_eq!(Name::new("Ada Lovelace").unwrap().to_string(), "Ada Lovelace");
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new(&"x".repeat(65)), Err(NameError::Long));
        for text in [" ada", "ada\n", "a\u{202e}da", "\u{1b}[31mada", "a\u{200b}da"] {
            assert_eq!(Name::new(text), Err(NameError::Character), "{text:?}");
        }
    }

    #[test]
    fn any_text_becomes_a_name_if_something_can_be_shown() {
        assert_eq!(Name::from_any(" ada\n\u{202e}s\tlaptop ").unwrap().as_str(), "adaslaptop");
        assert_eq!(Name::from_any(&"ä".repeat(60)).unwrap().as_str().len(), 64);
        assert_eq!(Name::from_any("\n\n"), None);
    }
}
