//! The outer layer of an envelope: whoever carries or keeps one sees neither who sealed it, nor with which session, nor
//! how long it is beyond a bucket.
//!
//! It is HPKE's base mode (RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305) to the key of the
//! recipient's card. It proves nothing about the sender; the Olm message in it does. The key lasts as long as the
//! card's node keeps its state: whoever steals it sees who wrote to the node, and nothing of what.

use base::NodeId;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::CryptoRng;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use people::proto::codec::{DecodeError, Reader, Writer};
use zeroize::Zeroizing;

use crate::proto::card::MAX_CARD;
use crate::proto::cipher::MAX_ENVELOPE;

/// What HPKE adds: the encapsulated key (RFC 9180, section 7.1) and the tag of the cipher (RFC 8439, section 2.8).
const ADDED: usize = 32 + 16;

/// The shortest envelope: an acknowledgement and some words fit. The next ones are half as long again and twice as
/// long, and so on up to [`MAX_ENVELOPE`]. Arbitrary: a third of padding at most, and 15 lengths that can be told
/// apart.
const SHORTEST: usize = 512;

/// HPKE's `info`, so that what was sealed for another purpose does not open.
const INFO: &[u8] = b"compeer envelope 1";

/// The secret that an envelope's outer layer opens with. HPKE's type wipes it when it drops.
pub(crate) struct SealingKey {
    secret: <X25519HkdfSha256 as Kem>::PrivateKey,
    public: [u8; 32],
}

impl SealingKey {
    /// Derives the pair (DeriveKeyPair, RFC 9180, section 7.1.3) of 32 random bytes.
    pub fn derive(ikm: &[u8; 32]) -> SealingKey {
        let (secret, public) = X25519HkdfSha256::derive_keypair(ikm);
        SealingKey { secret, public: public.to_bytes().into() }
    }

    /// Returns the public half.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }
}

/// Names a session to both ends: the beginning of Olm's session id, which is a hash over three keys, one of them drawn
/// for the session. Nobody else knows it.
pub(crate) type SessionName = [u8; 8];

/// What is inside of the outer layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    /// Whom it says to be from. The Olm message proves it.
    pub from: NodeId,
    /// Which session the message is of.
    pub session: SessionName,
    /// Drawn by the sender at each of its starts.
    pub run: u64,
    /// Which envelope of the session it is in that run; the first is 1. With the run it tells what comes late or twice
    /// from what is sealed by a sender that lost what it had stored.
    pub number: u64,
    /// The sender's card, in a message that may begin a session.
    pub card: Option<Vec<u8>>,
    /// The Olm message, as vodozemac writes it: a pre-key message if there is a card, else a normal one.
    pub olm: Vec<u8>,
}

impl Inside {
    /// Returns the bytes, without padding.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(u8::from(self.card.is_some())).fixed(&self.from.0).fixed(&self.session).u64(self.run).u64(self.number);
        if let Some(card) = &self.card {
            to.bytes(card);
        }
        to.bytes(&self.olm).finish()
    }

    /// Reads what is inside; only zeros may follow.
    fn decode(bytes: &[u8]) -> Result<Inside, DecodeError> {
        let mut from = Reader::new(bytes);
        let (begins, node, session) = (from.flag()?, NodeId(from.fixed()?), from.fixed()?);
        let (run, number) = (from.u64()?, from.u64()?);
        let card = if begins { Some(from.bytes(MAX_CARD)?.to_vec()) } else { None };
        let olm = from.bytes(MAX_ENVELOPE)?.to_vec();
        let padding = &bytes[bytes.len() - from.left()..];
        if padding.iter().any(|byte| *byte != 0) {
            return Err(DecodeError::Value);
        }
        Ok(Inside { from: node, session, run, number, card, olm })
    }

    /// Seals it for a node whose card names the key; see [`wrap`].
    pub fn seal(&self, to: NodeId, key: &[u8; 32], rng: &mut impl CryptoRng) -> Option<Vec<u8>> {
        wrap(self.encode(), to, key, rng)
    }

    /// Opens an envelope for `me`; `None` if it is for others, damaged, or of a length that none has.
    pub fn open(envelope: &[u8], me: NodeId, key: &SealingKey) -> Option<Inside> {
        if bucket(envelope.len()) != Some(envelope.len()) {
            return None;
        }
        let (encapsulated, sealed) = envelope.split_at(32);
        let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &key.secret,
            &encapsulated,
            INFO,
            sealed,
            &me.0,
        );
        Inside::decode(&Zeroizing::new(opened.ok()?)).ok()
    }
}

/// Puts the outer layer around bytes, which whoever has a node's card can do; `None` if its key is none, or if they are
/// too long.
pub(crate) fn wrap(mut inside: Vec<u8>, to: NodeId, key: &[u8; 32], rng: &mut impl CryptoRng) -> Option<Vec<u8>> {
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key).ok()?;
    inside.resize(bucket(inside.len() + ADDED)? - ADDED, 0);
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &key,
        INFO,
        &inside,
        &to.0,
        rng,
    )
    .ok()?;
    Some([encapsulated.to_bytes().as_slice(), &sealed].concat())
}

/// Returns the shortest length of an envelope that `len` fits into; `None` if none is long enough.
fn bucket(len: usize) -> Option<usize> {
    let mut full = SHORTEST;
    while full <= MAX_ENVELOPE {
        if len <= full {
            return Some(full);
        }
        let half_more = full / 2 * 3;
        if len <= half_more && half_more <= MAX_ENVELOPE {
            return Some(half_more);
        }
        full *= 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;

    fn inside(olm: usize) -> Inside {
        Inside { from: NodeId([1; 32]), session: [2; 8], run: 3, number: 4, card: None, olm: vec![4; olm] }
    }

    #[test]
    fn lengths_tell_the_bucket_alone() {
        let lengths: std::collections::BTreeSet<_> = (0..=MAX_ENVELOPE).filter_map(bucket).collect();
        assert_eq!(lengths.iter().take(5).copied().collect::<Vec<_>>(), [512, 768, 1024, 1536, 2048]);
        assert_eq!((lengths.len(), lengths.last()), (15, Some(&MAX_ENVELOPE)));
        assert!((1..=MAX_ENVELOPE).all(|len| bucket(len).is_some_and(|bucket| bucket >= len)));
        assert!((512..=MAX_ENVELOPE).all(|len| bucket(len).is_some_and(|bucket| bucket <= len / 2 * 3)));
        assert_eq!(bucket(MAX_ENVELOPE + 1), None);
    }

    #[test]
    fn who_has_the_key_and_is_meant_opens_it() {
        let (mut rng, me, other) = (ChaCha20Rng::from_seed([1; 32]), NodeId([5; 32]), NodeId([6; 32]));
        let (key, others) = (SealingKey::derive(&[7; 32]), SealingKey::derive(&[8; 32]));
        for inside in [inside(100), Inside { card: Some(vec![9; MAX_CARD]), ..inside(60_000) }] {
            let envelope = inside.seal(me, &key.public(), &mut rng).unwrap();
            assert_eq!(Inside::open(&envelope, me, &key), Some(inside));
            assert_eq!(Inside::open(&envelope, me, &others), None);
            assert_eq!(
                Inside::open(&envelope, other, &key),
                None,
                "the key alone is not enough: it may stand in two cards"
            );
            assert_eq!(Inside::open(&envelope[..envelope.len() - 1], me, &key), None);
        }
        assert_eq!(inside(MAX_ENVELOPE).seal(me, &key.public(), &mut rng), None);
    }

    #[test]
    fn what_is_inside_is_written_in_one_way() {
        let bytes = inside(3).encode();
        assert_eq!(Inside::decode(&bytes), Ok(inside(3)));
        assert_eq!(Inside::decode(&[bytes.as_slice(), &[0; 5]].concat()), Ok(inside(3)));
        assert_eq!(Inside::decode(&[bytes.as_slice(), &[0, 1]].concat()), Err(DecodeError::Value));
        assert!((0..bytes.len()).all(|end| Inside::decode(&bytes[..end]).is_err()));
    }
}
