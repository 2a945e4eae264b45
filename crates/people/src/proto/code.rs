//! The code that makes a computer one more node of a person: twelve words, shown on one computer and typed on the other.
//!
//! 128 random bits and a checksum, as words of BIP-39. From the bits both ends derive (HKDF-SHA256, RFC 5869) the key of a
//! *meeting place*, under which the adding node is found for as long as the code is good, by whatever finds nodes; and the
//! secret that the new node shows there. So the connection is authenticated before anything is said, and whoever sees the
//! meeting place's id on the network learns nothing of the secret. Nobody guesses 128 bits, which is why no PAKE is needed:
//! the one crate for it, `spake2`, calls itself unaudited and is at a pre-release.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::link::Secret;
use super::nodes::NodeKey;
use super::phrase::{PhraseError, read_words, show_words};

/// The words of a code: 128 bits and a checksum of 4, at 11 bits a word.
pub const CODE_WORDS: usize = 12;

const PLACE_INFO: &[u8] = b"compeer join 1 meeting place";
const SECRET_INFO: &[u8] = b"compeer join 1 secret";

/// Why a text is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Too few or too many.
    #[error("a code has {CODE_WORDS} words, this has {0}: type all of them")]
    Count(usize),
    /// Not in the list.
    #[error("word {position}, {word:?}, is not one of the words that codes are made of: look at it again")]
    Word {
        /// Which, from 1.
        position: usize,
        /// As it was typed.
        word: String,
    },
    /// Words that do not belong together.
    #[error("these words do not belong together: look at each again on the other computer")]
    Checksum,
}

/// A code. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinCode(Zeroizing<[u8; 16]>);

impl JoinCode {
    /// Makes the code of 128 bits from the system's generator.
    pub fn from_entropy(entropy: [u8; 16]) -> JoinCode {
        JoinCode(Zeroizing::new(entropy))
    }

    /// Reads the words, in whatever case, with any space between them; the first four letters of each are enough.
    pub fn parse(text: &str) -> Result<JoinCode, CodeError> {
        let bytes = read_words(text, CODE_WORDS).map_err(|error| match error {
            PhraseError::Count(count) => CodeError::Count(count),
            PhraseError::Word { position, word } => CodeError::Word { position, word },
            PhraseError::Checksum => CodeError::Checksum,
        })?;
        let mut entropy = [0; 16];
        entropy.copy_from_slice(&bytes[..16]);
        Ok(JoinCode::from_entropy(entropy))
    }

    /// Returns the words.
    pub fn words(&self) -> Vec<&'static str> {
        show_words(&*self.0)
    }

    /// Derives the key under which the adding node is found.
    pub fn meeting_place(&self) -> NodeKey {
        NodeKey::from_secret(&self.derive::<32>(PLACE_INFO))
    }

    /// Derives what the new node shows.
    pub fn secret(&self) -> Secret {
        Secret(*self.derive::<16>(SECRET_INFO))
    }

    fn derive<const N: usize>(&self, info: &[u8]) -> Zeroizing<[u8; N]> {
        let mut out = Zeroizing::new([0; N]);
        let expanded = Hkdf::<Sha256>::new(None, &*self.0).expand(info, &mut *out);
        expanded.expect("a key of some bytes is far below HKDF's limit of 8,160");
        out
    }
}

impl fmt::Debug for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_was_shown() {
        let code = JoinCode::from_entropy([0x5a; 16]);
        let words = code.words();
        assert_eq!(words.len(), CODE_WORDS);
        let typed = words.iter().map(|word| word[..word.len().min(4)].to_uppercase()).collect::<Vec<_>>().join("  ");
        let read = JoinCode::parse(&typed).unwrap();
        assert_eq!((read.meeting_place().id(), read.secret()), (code.meeting_place().id(), code.secret()));
        assert_eq!(format!("{read:?}"), "JoinCode(…)");
    }

    #[test]
    fn neither_the_place_nor_the_secret_tells_of_the_other_or_of_another_code() {
        let (one, other) = (JoinCode::from_entropy([1; 16]), JoinCode::from_entropy([2; 16]));
        assert_ne!(one.meeting_place().id(), other.meeting_place().id());
        assert_ne!(one.secret(), other.secret());
        assert_ne!(one.meeting_place().secret()[..16], one.secret().0);
    }

    #[test]
    fn a_mistake_is_named() {
        let mut words = JoinCode::from_entropy([7; 16]).words();
        assert_eq!(JoinCode::parse("zoo zoo"), Err(CodeError::Count(2)));
        words[3] = "compeer";
        let error = JoinCode::parse(&words.join(" ")).unwrap_err();
        assert_eq!(error, CodeError::Word { position: 4, word: "compeer".into() });
        assert_eq!(JoinCode::parse(&"zoo ".repeat(12)), Err(CodeError::Checksum));
    }
}
