//! Secrets that somebody shows.

/// Compares what was shown with the secret, without telling by the time that it takes how much of it was right.
pub fn is_same(shown: &[u8], secret: &[u8]) -> bool {
    shown.len() == secret.len() && shown.iter().zip(secret).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_the_same() {
        assert!(is_same(b"open", b"open"));
        for shown in ["", "ope", "opem", "Open", "opens"] {
            assert!(!is_same(shown.as_bytes(), b"open"), "{shown}");
        }
    }
}
