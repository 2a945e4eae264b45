//! Items: small values that anybody may store in the DHT and everybody can verify (BEP 44). Immutable ones are named by
//! their hash; mutable ones by the key that signs them, so that their owner can replace them.
//!
//! Invariant: an [`Item`] is valid. It cannot be made of a value that is no strict bencode or too long, nor with a
//! signature that does not match.

use std::fmt;

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use metainfo::bencode;
use sha1::{Digest as _, Sha1};

use crate::Id;

/// The longest value in its bencoded form, in bytes (BEP 44).
pub const MAX_VALUE_LEN: usize = 1000;

/// The longest salt, in bytes (BEP 44).
pub const MAX_SALT_LEN: usize = 64;

/// How deep lists and dictionaries in a value may nest (arbitrary: values are small).
const MAX_VALUE_DEPTH: usize = 32;

/// The public half of the key that a mutable item is named by: Ed25519 (BEP 44).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// The secret half. Never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

/// An immutable item: its name is the SHA-1 of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Immutable {
    value: Bytes,
}

/// A mutable item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutable {
    key: PublicKey,
    salt: Bytes,
    seq: i64,
    value: Bytes,
    signature: [u8; 64],
}

/// What the DHT stores beside peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Named by its hash.
    Immutable(Immutable),
    /// Named by its owner's key.
    Mutable(Mutable),
}

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemName {
    /// The immutable item with this hash.
    Immutable(Id),
    /// The newest item of this key and salt.
    Mutable {
        /// The owner's key.
        key: PublicKey,
        /// Tells the items of one key apart; may be empty. At most [`MAX_SALT_LEN`] bytes.
        salt: Bytes,
    },
}

/// Why something is no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Longer than [`MAX_VALUE_LEN`].
    #[error("the value is longer than {MAX_VALUE_LEN} bytes when it is bencoded: store less")]
    ValueTooLong,
    /// Not bencode, not the strict form of it, or nested too deep.
    #[error("the value is not strict bencode, or nested more than {MAX_VALUE_DEPTH} levels deep")]
    NotBencode,
    /// Longer than [`MAX_SALT_LEN`].
    #[error("the salt is longer than {MAX_SALT_LEN} bytes: take a shorter one")]
    SaltTooLong,
    /// A sequence number below zero (BEP 44 allows to refuse it).
    #[error("the sequence number is negative: begin with 0")]
    NegativeSeq,
    /// The signature is not that of the key.
    #[error("the signature is not that of the key: sign the salt, the number and the value as they are given")]
    BadSignature,
}

impl SecretKey {
    /// Reads a key as RFC 8032 stores it: 32 secret bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> SecretKey {
        SecretKey(SigningKey::from_bytes(bytes))
    }

    /// Returns the 32 secret bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Returns the public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }
}

impl Immutable {
    /// Makes an item of a bencoded value.
    pub fn new(value: impl Into<Bytes>) -> Result<Immutable, ItemError> {
        let value = value.into();
        check_value(&value)?;
        Ok(Immutable { value })
    }

    /// Returns the bencoded value.
    pub fn value(&self) -> &Bytes {
        &self.value
    }
}

impl Mutable {
    /// Signs a bencoded value. `seq` must be larger than that of the item it replaces.
    pub fn sign(
        secret: &SecretKey,
        salt: impl Into<Bytes>,
        seq: i64,
        value: impl Into<Bytes>,
    ) -> Result<Mutable, ItemError> {
        let (salt, value) = (salt.into(), value.into());
        check(&salt, seq, &value)?;
        let signature = secret.0.sign(&signed_bytes(&salt, seq, &value)).to_bytes();
        Ok(Mutable { key: secret.public(), salt, seq, value, signature })
    }

    /// Takes what came from elsewhere, if the signature is right. Costs some 50 µs.
    pub fn verify(
        key: PublicKey,
        salt: impl Into<Bytes>,
        seq: i64,
        value: impl Into<Bytes>,
        signature: [u8; 64],
    ) -> Result<Mutable, ItemError> {
        let (salt, value) = (salt.into(), value.into());
        check(&salt, seq, &value)?;
        let verifying = VerifyingKey::from_bytes(&key.0).map_err(|_| ItemError::BadSignature)?;
        // The strict form: with the other one, a key that was made for it has signatures that fit every message.
        verifying
            .verify_strict(&signed_bytes(&salt, seq, &value), &Signature::from_bytes(&signature))
            .map_err(|_| ItemError::BadSignature)?;
        Ok(Mutable { key, salt, seq, value, signature })
    }

    /// Returns the owner's key.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// Returns the salt.
    pub fn salt(&self) -> &Bytes {
        &self.salt
    }

    /// Returns the sequence number: the item with the largest one is the newest.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// Returns the bencoded value.
    pub fn value(&self) -> &Bytes {
        &self.value
    }

    /// Returns the signature over salt, sequence number and value.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

impl Item {
    /// Returns the bencoded value.
    pub fn value(&self) -> &Bytes {
        match self {
            Item::Immutable(item) => item.value(),
            Item::Mutable(item) => item.value(),
        }
    }

    /// Returns the sequence number of a mutable item.
    pub fn seq(&self) -> Option<i64> {
        match self {
            Item::Immutable(_) => None,
            Item::Mutable(item) => Some(item.seq),
        }
    }

    /// Returns what to look for to find this item.
    pub fn name(&self) -> ItemName {
        match self {
            Item::Immutable(item) => ItemName::Immutable(sha1(&[&item.value])),
            Item::Mutable(item) => ItemName::Mutable { key: item.key, salt: item.salt.clone() },
        }
    }

    /// Returns the key that the item is stored under.
    pub fn target(&self) -> Id {
        self.name().target()
    }
}

impl ItemName {
    /// Returns the key that the item is stored under (BEP 44).
    pub fn target(&self) -> Id {
        match self {
            ItemName::Immutable(hash) => *hash,
            ItemName::Mutable { key, salt } => sha1(&[&key.0, salt]),
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {}", self.public())
    }
}

fn check(salt: &[u8], seq: i64, value: &[u8]) -> Result<(), ItemError> {
    if salt.len() > MAX_SALT_LEN {
        return Err(ItemError::SaltTooLong);
    }
    if seq < 0 {
        return Err(ItemError::NegativeSeq);
    }
    check_value(value)
}

fn check_value(value: &[u8]) -> Result<(), ItemError> {
    if value.len() > MAX_VALUE_LEN {
        return Err(ItemError::ValueTooLong);
    }
    let decoded = bencode::decode(value).map_err(|_| ItemError::NotBencode)?;
    if is_strict(&decoded, 0) { Ok(()) } else { Err(ItemError::NotBencode) }
}

fn is_strict(value: &bencode::Value<'_>, depth: usize) -> bool {
    depth <= MAX_VALUE_DEPTH
        && match value {
            bencode::Value::Int(_) | bencode::Value::Bytes(_) => true,
            bencode::Value::List(list) => list.iter().all(|value| is_strict(value, depth + 1)),
            bencode::Value::Dict(dict) => dict.is_sorted() && dict.iter().all(|(_, value)| is_strict(value, depth + 1)),
        }
}

/// Returns what a signature is over (BEP 44, Signature Verification).
fn signed_bytes(salt: &[u8], seq: i64, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + salt.len() + 48);
    if !salt.is_empty() {
        out.extend_from_slice(format!("4:salt{}:", salt.len()).as_bytes());
        out.extend_from_slice(salt);
    }
    out.extend_from_slice(format!("3:seqi{seq}e1:v").as_bytes());
    out.extend_from_slice(value);
    out
}

fn sha1(parts: &[&[u8]]) -> Id {
    let mut hash = Sha1::new();
    parts.iter().for_each(|part| hash.update(part));
    Id(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    const KEY: &str = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_vectors_of_bep_44_verify() {
        let rows = [
            (
                "",
                "4a533d47ec9c7d95b1ad75f576cffc641853b750",
                "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
                 1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01",
            ),
            (
                "foobar",
                "411eba73b6f087ca51a3795d9c8c938d365e32c1",
                "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
                 df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08",
            ),
        ];
        for (salt, target, signature) in rows {
            let verify = |seq, value: &'static str| {
                Mutable::verify(PublicKey(hex(KEY)), Bytes::from(salt), seq, value, hex(signature))
            };
            let item = verify(1, "12:Hello World!").unwrap();
            assert_eq!(Item::Mutable(item).target().to_string(), target);
            assert_eq!(verify(2, "12:Hello World!"), Err(ItemError::BadSignature));
            assert_eq!(verify(1, "12:Hello world!"), Err(ItemError::BadSignature));
        }
        let item = Item::Immutable(Immutable::new("12:Hello World!").unwrap());
        assert_eq!(item.target().to_string(), "e5f96f6f38320f0f33959cb4d3d656452117aadb");
    }

    #[test]
    fn the_targets_of_bep_46_are_those_of_its_links() {
        let key = PublicKey(hex("8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e"));
        for (salt, target) in
            [("", "cc3f9d90b572172053626f9980ce261a850d050b"), ("n", "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f")]
        {
            let name = ItemName::Mutable { key, salt: salt.into() };
            assert_eq!(name.target().to_string(), target);
        }
    }

    #[test]
    fn the_signed_bytes_are_those_of_bep_44() {
        assert_eq!(signed_bytes(b"foobar", 1, b"12:Hello World!"), b"4:salt6:foobar3:seqi1e1:v12:Hello World!");
        assert_eq!(signed_bytes(b"", 4, b"12:Hello world!"), b"3:seqi4e1:v12:Hello world!");
    }

    #[test]
    fn what_alice_signs_bob_verifies() {
        let alice = SecretKey::from_bytes(&[7; 32]);
        let item = Mutable::sign(&alice, "diary", 3, "4:text").unwrap();
        let parts = (item.key(), item.salt().clone(), item.seq(), item.value().clone(), *item.signature());
        assert_eq!(Mutable::verify(parts.0, parts.1, parts.2, parts.3, parts.4), Ok(item));
        assert!(!format!("{alice:?}").contains("0707"));
    }

    #[test]
    fn what_is_no_item_is_refused() {
        let key = SecretKey::from_bytes(&[7; 32]);
        let long = format!("{}:{}", 997, "x".repeat(997));
        assert_eq!(Immutable::new(long), Err(ItemError::ValueTooLong));
        assert!(Immutable::new(format!("{}:{}", 996, "x".repeat(996))).is_ok());
        for value in ["", "text", "i01e", "d1:bi1e1:ai2ee", "ld1:bi1e1:ai2eee", "i1ei2e"] {
            assert_eq!(Immutable::new(value), Err(ItemError::NotBencode), "{value}");
        }
        let deep = format!("{}{}", "l".repeat(40), "e".repeat(40));
        assert_eq!(Immutable::new(deep), Err(ItemError::NotBencode));
        assert_eq!(Mutable::sign(&key, vec![0; 65], 0, "le"), Err(ItemError::SaltTooLong));
        assert_eq!(Mutable::sign(&key, "", -1, "le"), Err(ItemError::NegativeSeq));
    }
}
