//! The recovery phrase: 24 words that are the secret of a person (BIP-39, English list, no extra passphrase).
//!
//! What is derived from its seed, and where:
//!
//! | key | path | by |
//! | --- | --- | --- |
//! | person | `m / 1668246896' / 0' / 0'` | SLIP-0010, Ed25519 |
//! | backup | `m / 1668246896' / 1' / 0'` | SLIP-0010, Ed25519's chain; used as 32 secret bytes |
//! | account | `m / 44' / 60' / 0' / 0 / 0` | BIP-32 and BIP-44, secp256k1 ([`Account`]) |
//!
//! 1668246896 is "comp" in ASCII: a purpose (BIP-43) of our own. The keys of nodes are never derived.

use std::fmt;

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use super::account::Account;
use super::nodes::PersonKey;
use super::slip10;

/// The words of a phrase: 256 bits and a checksum of 8, at 11 bits a word.
pub const WORDS: usize = 24;

/// The purpose of our own paths: "comp".
const PURPOSE: u32 = 0x636f_6d70;

/// The person key's path.
pub const PERSON_PATH: [u32; 3] = [PURPOSE, 0, 0];

/// The backup key's path.
pub const BACKUP_PATH: [u32; 3] = [PURPOSE, 1, 0];

/// How many letters of a word are enough: no two words of the list share their first four (BIP-39, "Wordlist").
const LETTERS: usize = 4;

/// Why a text is no recovery phrase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Too few or too many.
    #[error("a recovery phrase has {WORDS} words, this has {0}: type all of them")]
    Count(usize),
    /// Not in the list.
    #[error("word {position}, {word:?}, is not one of the words that a recovery phrase is made of: look at it again")]
    Word {
        /// Which, from 1.
        position: usize,
        /// As it was typed.
        word: String,
    },
    /// Words that do not belong together.
    #[error("these words do not belong together: one of them is another word, or two are swapped; look at each again")]
    Checksum,
}

/// A recovery phrase. Its bytes are wiped when it drops; it is never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Phrase {
    entropy: Zeroizing<[u8; 32]>,
}

impl Phrase {
    /// Makes the phrase of 256 bits from the system's generator.
    pub fn from_entropy(entropy: [u8; 32]) -> Phrase {
        Phrase { entropy: Zeroizing::new(entropy) }
    }

    /// Reads the words, in whatever case, with any space between them; the first four letters of each are enough.
    pub fn parse(text: &str) -> Result<Phrase, PhraseError> {
        let bytes = read_words(text, WORDS)?;
        let mut entropy = Zeroizing::new([0; 32]);
        entropy.copy_from_slice(&bytes[..32]);
        Ok(Phrase { entropy })
    }

    /// Returns the words.
    pub fn words(&self) -> Vec<&'static str> {
        show_words(&*self.entropy)
    }

    /// Returns the 256 bits.
    pub fn entropy(&self) -> &[u8; 32] {
        &self.entropy
    }

    /// Derives the person key.
    pub fn person_key(&self) -> PersonKey {
        PersonKey::from_secret(&slip10::derive(&*self.seed(), &PERSON_PATH))
    }

    /// Derives the secret of backups.
    pub fn backup_key(&self) -> Zeroizing<[u8; 32]> {
        slip10::derive(&*self.seed(), &BACKUP_PATH)
    }

    /// Derives the ledger account.
    pub fn account(&self) -> Account {
        Account::derive(&self.seed())
    }

    /// Returns the seed of every key (BIP-39, "From mnemonic to seed"), with an empty passphrase.
    pub fn seed(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.mnemonic().to_seed_normalized(""))
    }

    fn mnemonic(&self) -> Mnemonic {
        Mnemonic::from_entropy_in(Language::English, &*self.entropy).expect("256 bits are a phrase of 24 words")
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phrase(…)")
    }
}

/// Reads `count` words of the list, which hold a checksum; returns their bits, in the first bytes.
pub(super) fn read_words(text: &str, count: usize) -> Result<Zeroizing<[u8; 33]>, PhraseError> {
    let typed: Vec<&str> = text.split_whitespace().collect();
    if typed.len() != count {
        return Err(PhraseError::Count(typed.len()));
    }
    let mut words = Zeroizing::new(String::new());
    for (at, word) in typed.iter().enumerate() {
        let known = expand(&word.to_lowercase())
            .ok_or_else(|| PhraseError::Word { position: at + 1, word: word.chars().take(20).collect() })?;
        words.push_str(if at == 0 { "" } else { " " });
        words.push_str(known);
    }
    let mnemonic = Mnemonic::parse_in_normalized(Language::English, &words).map_err(|_| PhraseError::Checksum)?;
    Ok(Zeroizing::new(mnemonic.to_entropy_array().0))
}

/// Returns the words of 128 or 256 bits.
pub(super) fn show_words(entropy: &[u8]) -> Vec<&'static str> {
    let mnemonic = Mnemonic::from_entropy_in(Language::English, entropy).expect("128 and 256 bits are phrases");
    mnemonic.words().collect()
}

/// Returns the word of the list that is meant: the word itself, or the one that begins so.
fn expand(typed: &str) -> Option<&'static str> {
    if let Some(at) = Language::English.find_word(typed) {
        return Some(word(usize::from(at)));
    }
    if typed.len() < LETTERS {
        return None;
    }
    Language::English.words_by_prefix_iter(typed).next()
}

/// Returns a word of the list, by its number below 2,048.
pub(super) fn word(at: usize) -> &'static str {
    Language::English.word_list()[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors of the reference implementation (trezor/python-mnemonic): entropy, words, seed with the
    /// passphrase "TREZOR".
    const TREZOR: [(&str, &str, &str); 4] = [
        (
            "0000000000000000000000000000000000000000000000000000000000000000",
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
             abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art",
            "bda85446c68413707090a52022edd26a1c9462295029f2e60cd7c4f2bbd30971\
             70af7a4d73245cafa9c3cca8d561a7c3de6f5d4a10be8ed2a5e608d68f92fcc8",
        ),
        (
            "8080808080808080808080808080808080808080808080808080808080808080",
            "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic \
             avoid letter advice cage absurd amount doctor acoustic bless",
            "c0c519bd0e91a2ed54357d9d1ebef6f5af218a153624cf4f2da911a0ed8f7a09\
             e2ef61af0aca007096df430022f7a2b6fb91661a9589097069720d015e4e982f",
        ),
        (
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote",
            "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e16\
             13912f0a5b694407be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad",
        ),
        (
            "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
            "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis \
             maple dilemma loan word shrug inflict delay length",
            "64c87cde7e12ecf6704ab95bb1408bef047c22db4cc7491c4271d170a1b213d2\
             0b385bc1588d9c7b38f1b39d415665b8a9030c9ec653d75e65f847d8fc1fc440",
        ),
    ];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_vectors_of_bip_39_hold() {
        for (entropy, words, seed) in TREZOR {
            let phrase = Phrase::parse(words).unwrap();
            assert_eq!(hex(phrase.entropy()), entropy);
            assert_eq!(phrase.words().join(" "), words);
            assert_eq!(hex(&phrase.mnemonic().to_seed_normalized("TREZOR")), seed);
        }
    }

    #[test]
    fn a_phrase_is_read_however_it_is_typed() {
        let phrase = Phrase::from_entropy([7; 32]);
        let shouted = format!("  {}\n", phrase.words().join("\t ").to_uppercase());
        assert_eq!(Phrase::parse(&shouted).unwrap(), phrase);
        let short: Vec<&str> = phrase.words().iter().map(|word| &word[..word.len().min(4)]).collect();
        assert_eq!(Phrase::parse(&short.join(" ")).unwrap(), phrase);
        assert_eq!(Phrase::parse(&shouted).unwrap().person_key().id(), phrase.person_key().id());
        assert_eq!(format!("{phrase:?}"), "Phrase(…)");
    }

    #[test]
    fn a_mistake_is_named() {
        let words = Phrase::from_entropy([7; 32]).words();
        assert_eq!(Phrase::parse("one two"), Err(PhraseError::Count(2)));
        let mut wrong = words.clone();
        wrong[4] = "compeer";
        let error = Phrase::parse(&wrong.join(" ")).unwrap_err();
        assert_eq!(error, PhraseError::Word { position: 5, word: "compeer".into() });
        let mut swapped = words.clone();
        swapped.swap(0, 1);
        assert_eq!(Phrase::parse(&swapped.join(" ")), Err(PhraseError::Checksum));
    }

    #[test]
    fn the_keys_of_a_phrase_differ_and_stay() {
        // Golden: a change here would lose everybody's identity.
        let phrase = Phrase::parse(TREZOR[0].1).unwrap();
        assert_eq!(phrase.person_key().id().to_string(), "o5uxgz9p8fe6zrpw1zdqmcekkkpcama6dk3w9kbuqzs3gs1pho4o");
        assert_ne!(phrase.backup_key(), Phrase::from_entropy([1; 32]).backup_key());
    }
}
