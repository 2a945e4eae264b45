//! The secret of a person at rest: 256 bits, sealed by a passphrase or open to whoever can read the file.
//!
//! With a passphrase: Argon2id (RFC 9106) makes a key of it, XChaCha20-Poly1305 encrypts with that key. The header is
//! authenticated with the rest. Nothing here touches a file, a clock or a random generator.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::proto::Phrase;
use crate::proto::codec::{DecodeError, Reader, Writer};

/// The beginning of the file, with the version of its layout.
const MAGIC: &[u8; 16] = b"compeer secret 1";

const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

/// How many random bytes [`seal`] needs.
pub const RANDOM_BYTES: usize = SALT_BYTES + NONCE_BYTES;

/// The most memory that a file can ask for when it is opened: 1 GiB, so that a damaged one does not take all there is.
const MAX_MEMORY_KIB: u32 = 1 << 20;

/// The most rounds that a file can ask for. Arbitrary.
const MAX_ROUNDS: u32 = 64;

/// The longest file that can be one.
pub const MAX_BYTES: usize = 256;

/// What an attempt at the passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub rounds: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// The second recommended choice of RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes.
    fn default() -> Cost {
        Cost { memory_kib: 64 << 10, rounds: 3, lanes: 4 }
    }
}

/// Why a secret cannot be opened, or sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// No such file, or a damaged one.
    #[error(
        "the file of the secret is damaged ({0}): make it anew from the recovery phrase, by `compeer id restore` in \
         another data directory"
    )]
    Damaged(#[from] DecodeError),
    /// It is sealed, and nobody said by what.
    #[error("the secret is protected by a passphrase: give it, or set COMPEER_PASSPHRASE for a command")]
    PassphraseNeeded,
    /// Another passphrase.
    #[error("this is not the passphrase: try again")]
    WrongPassphrase,
    /// The key could not be made.
    #[error("the passphrase cannot be used: {0}; choose another")]
    Derivation(String),
}

/// Writes the phrase's secret: encrypted where there is a passphrase, as it is otherwise.
pub fn seal(
    phrase: &Phrase,
    passphrase: Option<&str>,
    cost: Cost,
    random: [u8; RANDOM_BYTES],
) -> Result<Vec<u8>, KeystoreError> {
    let mut to = Writer::new();
    to.fixed(MAGIC);
    let Some(passphrase) = passphrase else {
        return Ok(to.u8(0).fixed(phrase.entropy()).finish());
    };
    let (salt, nonce) = random.split_at(SALT_BYTES);
    to.u8(1).u32(cost.memory_kib).u32(cost.rounds).u32(cost.lanes).fixed(salt).fixed(nonce);
    let header = to.finish();
    let cipher = cipher(passphrase, salt, cost)?;
    let nonce = XNonce::try_from(nonce).expect("the random bytes were split there");
    let sealed = cipher
        .encrypt(&nonce, Payload { msg: phrase.entropy(), aad: &header })
        .map_err(|e| KeystoreError::Derivation(e.to_string()))?;
    Ok([header, sealed].concat())
}

/// Tells whether a passphrase is needed to open this.
pub fn is_sealed(bytes: &[u8]) -> Result<bool, KeystoreError> {
    Ok(head(&mut Reader::new(bytes))?)
}

/// Opens what [`seal`] wrote. Takes a moment and 64 MiB where there is a passphrase.
pub fn open(bytes: &[u8], passphrase: Option<&str>) -> Result<Phrase, KeystoreError> {
    let mut from = Reader::new(bytes);
    if !head(&mut from)? {
        let entropy = from.fixed()?;
        from.finish()?;
        return Ok(Phrase::from_entropy(entropy));
    }
    let cost = Cost { memory_kib: from.u32()?, rounds: from.u32()?, lanes: from.u32()? };
    if cost.memory_kib > MAX_MEMORY_KIB || cost.rounds > MAX_ROUNDS {
        return Err(DecodeError::Limit.into());
    }
    let (salt, nonce) = (from.fixed::<SALT_BYTES>()?, from.fixed::<NONCE_BYTES>()?);
    let (header, sealed) = bytes.split_at(bytes.len() - from.left());
    let passphrase = passphrase.ok_or(KeystoreError::PassphraseNeeded)?;
    let opened = cipher(passphrase, &salt, cost)?
        .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: header })
        .map_err(|_| KeystoreError::WrongPassphrase)?;
    let opened = Zeroizing::new(opened);
    let entropy = opened.as_slice().try_into().map_err(|_| DecodeError::Value)?;
    Ok(Phrase::from_entropy(entropy))
}

fn head(from: &mut Reader<'_>) -> Result<bool, DecodeError> {
    if from.fixed()? != *MAGIC {
        return Err(DecodeError::Value);
    }
    from.flag()
}

fn cipher(passphrase: &str, salt: &[u8], cost: Cost) -> Result<XChaCha20Poly1305, KeystoreError> {
    let failed = |e: argon2::Error| KeystoreError::Derivation(e.to_string());
    let params = Params::new(cost.memory_kib, cost.rounds, cost.lanes, Some(32)).map_err(failed)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    // One keyboard writes a letter as one character, another as two.
    let passphrase = Zeroizing::new(passphrase.nfkc().collect::<String>());
    let mut key = Zeroizing::new([0; 32]);
    argon2.hash_password_into(passphrase.as_bytes(), salt, &mut *key).map_err(failed)?;
    Ok(XChaCha20Poly1305::new(&(*key).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, rounds: 1, lanes: 1 };

    fn phrase() -> Phrase {
        Phrase::from_entropy([5; 32])
    }

    #[test]
    fn the_passphrase_opens_it_and_another_does_not() {
        let sealed = seal(&phrase(), Some("schöner Tag"), CHEAP, [7; RANDOM_BYTES]).unwrap();
        assert!(is_sealed(&sealed).unwrap() && sealed.len() <= MAX_BYTES);
        assert!(!sealed.windows(32).any(|bytes| bytes == phrase().entropy()));
        assert_eq!(open(&sealed, Some("schöner Tag")).unwrap(), phrase());
        assert_eq!(open(&sealed, Some("scho\u{308}ner Tag")).unwrap(), phrase(), "the same letter, typed otherwise");
        assert_eq!(open(&sealed, Some("schöner tag")), Err(KeystoreError::WrongPassphrase));
        assert_eq!(open(&sealed, None), Err(KeystoreError::PassphraseNeeded));
    }

    #[test]
    fn without_a_passphrase_it_lies_open() {
        let plain = seal(&phrase(), None, CHEAP, [0; RANDOM_BYTES]).unwrap();
        assert!(!is_sealed(&plain).unwrap());
        assert_eq!(open(&plain, None).unwrap(), phrase());
        assert_eq!(open(&plain, Some("whatever")).unwrap(), phrase());
    }

    #[test]
    fn every_damage_is_noticed() {
        let sealed = seal(&phrase(), Some("x"), CHEAP, [7; RANDOM_BYTES]).unwrap();
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            // Not the costs' highest bytes alone: any bit of the file.
            damaged[at] ^= 1;
            assert!(open(&damaged, Some("x")).is_err(), "byte {at}");
            assert!(open(&sealed[..at], Some("x")).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_file_cannot_ask_for_all_the_memory_there_is() {
        let mut sealed = seal(&phrase(), Some("x"), CHEAP, [7; RANDOM_BYTES]).unwrap();
        sealed[17..21].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(open(&sealed, Some("x")), Err(KeystoreError::Damaged(DecodeError::Limit)));
    }
}
