//! The password that was right last: whoever shows it with every request has it looked at once, which costs memory and time.
//!
//! Invariant: the password itself is not kept, and what is kept is good for nothing once another one is chosen.

use std::sync::{Mutex, PoisonError};

/// By what the password is known again; nothing, until one was right.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Option<Right>>);

struct Right {
    /// What tells this password from those before and after it.
    mark: Vec<u8>,
    /// Drawn anew each time, so that the hash tells nothing beside other hashes of the same password.
    key: [u8; blake3::KEY_LEN],
    hash: blake3::Hash,
}

impl std::fmt::Debug for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Right(secret)")
    }
}

impl Known {
    /// Tells whether this is the one, while the password of now has that mark.
    pub(super) fn is(&self, mark: Option<&[u8]>, shown: &str) -> bool {
        // No method panics between two changes.
        let right = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Hashes are compared in constant time.
        right.as_ref().is_some_and(|right| {
            mark == Some(right.mark.as_slice()) && blake3::keyed_hash(&right.key, shown.as_bytes()) == right.hash
        })
    }

    /// Keeps one that was right. Without random numbers it is looked at again the next time.
    pub(super) fn keep(&self, mark: Vec<u8>, shown: &str) {
        let mut key = [0; blake3::KEY_LEN];
        if getrandom::fill(&mut key).is_ok() {
            let hash = blake3::keyed_hash(&key, shown.as_bytes());
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Right { mark, key, hash });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_of_now_is_known_again() {
        let known = Known::default();
        assert!(!known.is(Some(b"first"), "correct horse") && !known.is(None, ""));
        known.keep(b"first".to_vec(), "correct horse");
        assert!(known.is(Some(b"first"), "correct horse"));
        assert!(!known.is(Some(b"first"), "correct horsf") && !known.is(Some(b"first"), ""));
        assert!(!known.is(Some(b"second"), "correct horse") && !known.is(None, "correct horse"));
        assert!(!format!("{known:?}").contains("horse"));
        known.keep(b"second".to_vec(), "another horse");
        assert!(known.is(Some(b"second"), "another horse") && !known.is(Some(b"second"), "correct horse"));
    }
}
