//! Why a tracker gave no answer.

use std::time::Duration;

/// The longest text of a tracker that is kept, in characters (arbitrary; it is only shown).
const MAX_TEXT: usize = 256;

/// When a tracker that refused wants to be asked again (BEP 31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// It did not say.
    #[default]
    Unsaid,
    /// Not before this time has passed.
    After(Duration),
    /// Never.
    Never,
}

/// Why a tracker gave no usable answer. The text is for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackerError {
    /// The tracker answered and refused.
    #[error("the tracker refuses: {reason}")]
    Refused {
        /// Its words.
        reason: String,
        /// When to try again.
        retry: Retry,
    },
    /// The answer is not what the protocol allows.
    #[error("the tracker's answer cannot be read: {0}")]
    Malformed(&'static str),
    /// No answer came: the name does not resolve, the connection fails, time is up, an HTTP error status.
    #[error("the tracker cannot be reached: {0}")]
    Unreachable(String),
}

impl TrackerError {
    /// Builds a refusal from the words of a tracker.
    pub fn refused(reason: &[u8], retry: Retry) -> TrackerError {
        TrackerError::Refused { reason: readable(reason), retry }
    }
}

/// Turns a text from the network into one that can be shown on a terminal: valid UTF-8, short, no control characters.
pub(super) fn readable(text: &[u8]) -> String {
    let text: String =
        String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect();
    text.trim().to_owned()
}
