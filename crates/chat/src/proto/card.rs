//! The card of a node: what others need in order to seal something for it, and where to leave it while the node is
//! away.
//!
//! A card is signed by the node's key, and public: anybody may pass it on, and of two of one node the one that was made
//! later holds. Whose node it is does not stand here; the person's list of nodes says that.

use std::fmt;

use base::{NodeId, WallTime};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use people::proto::NodeKey;
use people::proto::codec::{DecodeError, Reader, Writer};
use sha2::Sha256;

use super::cipher::CardError;

/// How many mailboxes a card names. Arbitrary: one that is away, one that is lost, and two more.
pub const MAX_MAILBOXES: usize = 4;

/// How many hints a mailbox is named with; as many as a notice has for a node.
pub const MAX_HINTS: usize = 4;

/// The longest hint; see `overlay::Hint`.
pub const MAX_HINT: usize = 256;

/// The longest card.
pub const MAX_CARD: usize = 32 + 8 + 4 * 32 + 1 + MAX_MAILBOXES * (32 + 1 + MAX_HINTS * (4 + MAX_HINT)) + 64;

/// How long a tag is used: a day, in seconds.
const TAG_S: u64 = 86_400;

/// For how many days to come a node awaits envelopes: a mailbox keeps them for 30 at most (`mailbox::EXPIRY_S`), and
/// clocks may differ.
const TAG_DAYS: u64 = 32;

/// For how many days past: whose clock is behind ours by so much leaves envelopes under those. Arbitrary: two clocks of
/// which each is wrong by a week.
const PAST_TAG_DAYS: u64 = 14;

/// Begins what is signed.
const DOMAIN: &str = "compeer card 1\n";

/// Begins what a tag is computed of.
const TAG_LABEL: &[u8] = b"compeer mailbox tag 1";

/// A card whose signature holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// Whose it is.
    pub node: NodeId,
    /// When it was made: Unix time in milliseconds by the node's clock, and more than that of every earlier one.
    pub made: u64,
    /// What is in it.
    pub content: Content,
    signature: [u8; 64],
}

/// What a card says.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The node's identity key of Olm (Curve25519).
    pub identity: [u8; 32],
    /// The key that a session with it begins with (Curve25519): Olm's fallback key.
    pub fallback: [u8; 32],
    /// The key that envelopes are sealed to (X25519): HPKE's.
    pub sealing: [u8; 32],
    /// What tags are computed of; see [`Content::tag`].
    pub tag_key: [u8; 32],
    /// The mailboxes, each with where it may be reached. At most [`MAX_MAILBOXES`].
    pub mailboxes: Vec<(NodeId, Vec<String>)>,
}

impl Content {
    /// Returns the tag that envelopes for the node carry at a time: the beginning of HMAC-SHA256 (RFC 2104) over the
    /// day. Whoever has no card cannot tell that the tags of two days are of one node.
    pub fn tag(&self, at: WallTime) -> [u8; 16] {
        self.tag_of_day(at.0 / TAG_S)
    }

    /// Returns the tags of [`PAST_TAG_DAYS`], of this day, and of [`TAG_DAYS`] to come.
    pub fn tags(&self, at: WallTime) -> Vec<[u8; 16]> {
        let today = at.0 / TAG_S;
        (today.saturating_sub(PAST_TAG_DAYS)..=today + TAG_DAYS).map(|day| self.tag_of_day(day)).collect()
    }

    fn tag_of_day(&self, day: u64) -> [u8; 16] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.tag_key).expect("HMAC takes a key of any length");
        mac.update(TAG_LABEL);
        mac.update(&day.to_be_bytes());
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        std::array::from_fn(|at| whole[at])
    }

    /// Keeps what fits into a card: the first mailboxes, and of each the first hints that are not too long.
    pub fn fitting(mailboxes: &[(NodeId, Vec<String>)]) -> Vec<(NodeId, Vec<String>)> {
        let hints =
            |all: &Vec<String>| all.iter().filter(|hint| hint.len() <= MAX_HINT).take(MAX_HINTS).cloned().collect();
        mailboxes.iter().take(MAX_MAILBOXES).map(|(node, all)| (*node, hints(all))).collect()
    }
}

impl Card {
    /// Makes and signs one.
    pub fn sign(key: &NodeKey, made: u64, content: Content) -> Card {
        let mut card = Card { node: key.id(), made, content, signature: [0; 64] };
        card.signature = key.sign(DOMAIN, &card.signed_bytes());
        card
    }

    /// Reads a card of whoever brings it, and checks who signed it.
    pub fn verify(bytes: &[u8]) -> Result<Card, CardError> {
        let card = Card::decode(bytes).map_err(|_| CardError::Decode)?;
        let key = VerifyingKey::from_bytes(&card.node.0).map_err(|_| CardError::Signature)?;
        let signed = [DOMAIN.as_bytes(), &card.signed_bytes()].concat();
        let signature = Signature::from_bytes(&card.signature);
        key.verify_strict(&signed, &signature).map_err(|_| CardError::Signature)?;
        Ok(card)
    }

    /// Reads a card that was checked before it was stored.
    pub(super) fn decode(bytes: &[u8]) -> Result<Card, DecodeError> {
        let mut from = Reader::new(bytes);
        let (node, made) = (NodeId(from.fixed()?), from.u64()?);
        let (identity, fallback, sealing, tag_key) = (from.fixed()?, from.fixed()?, from.fixed()?, from.fixed()?);
        let mut mailboxes = Vec::new();
        for _ in 0..limited(from.u8()?, MAX_MAILBOXES)? {
            let mailbox = NodeId(from.fixed()?);
            let count = limited(from.u8()?, MAX_HINTS)?;
            let hints = (0..count).map(|_| from.text(MAX_HINT).map(str::to_owned)).collect::<Result<_, _>>()?;
            mailboxes.push((mailbox, hints));
        }
        let signature = from.fixed()?;
        from.finish()?;
        Ok(Card { node, made, content: Content { identity, fallback, sealing, tag_key, mailboxes }, signature })
    }

    /// Returns the bytes, to be given away.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.signed_bytes();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let Content { identity, fallback, sealing, tag_key, mailboxes } = &self.content;
        let mut to = Writer::new();
        to.fixed(&self.node.0).u64(self.made).fixed(identity).fixed(fallback).fixed(sealing).fixed(tag_key);
        to.u8(mailboxes.len() as u8);
        for (mailbox, hints) in mailboxes {
            to.fixed(&mailbox.0).u8(hints.len() as u8);
            hints.iter().for_each(|hint| _ = to.text(hint));
        }
        to.finish()
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card({:?}, made {}, {} mailboxes)", self.node, self.made, self.content.mailboxes.len())
    }
}

fn limited(count: u8, limit: usize) -> Result<usize, DecodeError> {
    let count = usize::from(count);
    if count > limit { Err(DecodeError::Limit) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        let hints = vec!["192.0.2.1:4242".to_owned(), "https://relay.example".to_owned()];
        let mailboxes = vec![(NodeId([8; 32]), hints), (NodeId([9; 32]), Vec::new())];
        Content { identity: [1; 32], fallback: [2; 32], sealing: [3; 32], tag_key: [4; 32], mailboxes }
    }

    fn card() -> Card {
        Card::sign(&NodeKey::from_secret(&[7; 32]), 1_000, content())
    }

    #[test]
    fn a_card_comes_back_as_it_went() {
        let bytes = card().encode();
        assert_eq!(Card::verify(&bytes), Ok(card()));
        assert!((0..bytes.len()).all(|end| Card::verify(&bytes[..end]) == Err(CardError::Decode)));
        assert_eq!(Card::verify(&[bytes.as_slice(), &[0]].concat()), Err(CardError::Decode));
    }

    #[test]
    fn no_bit_of_a_card_can_be_changed() {
        let bytes = card().encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Card::verify(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn nobody_signs_for_another() {
        let mut forged = card();
        forged.node = NodeKey::from_secret(&[6; 32]).id();
        assert_eq!(Card::verify(&forged.encode()), Err(CardError::Signature));
    }

    #[test]
    fn the_longest_card_fits_and_more_is_left_out() {
        let many: Vec<_> = (0..9).map(|n| (NodeId([n; 32]), vec!["x".repeat(MAX_HINT); 9])).collect();
        let mailboxes = Content::fitting(&many);
        assert_eq!(mailboxes.len(), MAX_MAILBOXES);
        let longest = Card::sign(&NodeKey::from_secret(&[7; 32]), u64::MAX, Content { mailboxes, ..content() });
        assert_eq!(longest.encode().len(), MAX_CARD);
        assert_eq!(Card::verify(&longest.encode()), Ok(longest));
        assert_eq!(Content::fitting(&[(NodeId([1; 32]), vec!["x".repeat(MAX_HINT + 1)])])[0].1, Vec::<String>::new());

        let mailboxes = (0..=MAX_MAILBOXES as u8).map(|n| (NodeId([n; 32]), Vec::new())).collect();
        let more = Card::sign(&NodeKey::from_secret(&[7; 32]), 1, Content { mailboxes, ..content() });
        assert_eq!(Card::verify(&more.encode()), Err(CardError::Decode));
    }

    #[test]
    fn a_tag_lasts_a_day_and_is_awaited_before_and_after() {
        let (content, noon) = (content(), WallTime(20_000 * TAG_S + TAG_S / 2));
        let at = |days: i64| content.tag(WallTime(noon.0.saturating_add_signed(days * TAG_S as i64)));
        assert_eq!(content.tag(WallTime(noon.0 + TAG_S / 2 - 1)), at(0));
        assert_ne!(content.tag(WallTime(noon.0 + TAG_S / 2)), at(0));
        let awaited = content.tags(noon);
        assert!((-(PAST_TAG_DAYS as i64)..=TAG_DAYS as i64).all(|day| awaited.contains(&at(day))));
        assert!(!awaited.contains(&at(-(PAST_TAG_DAYS as i64) - 1)));
        assert!(awaited.len() <= crate::proto::mailbox::MAX_TAGS);
        assert_ne!(Content { tag_key: [5; 32], ..content.clone() }.tag(noon), at(0));
    }
}
