//! What a node needs to be written to: its keys of Olm and of the outer layer, its tag key, and its card.

use base::{NodeId, Now};
use hpke::rand_core::CryptoRng;
use people::proto::NodeKey;
use people::proto::codec::{DecodeError, Reader, Writer};
use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{Account, AccountPickle};
use zeroize::Zeroizing;

use super::envelope::SealingKey;
use crate::proto::card::{Card, Content, MAX_CARD};

/// How old the fallback key is, in seconds, when it is rotated if a session began with it: a week. Until it has been
/// rotated twice, whoever steals the state can open the first messages of such a session (not what follows an answer).
/// Not sooner: a sender whose card is older than two rotations has to begin anew.
const ROTATION_S: u64 = 7 * 86_400;

/// The longest pickle of an account that is read: some ten times what one is long that has no one-time keys.
const MAX_PICKLE: usize = 16 << 10;

/// How what is stored begins.
const VERSION: u8 = 1;

/// A node's own keys, and the card that names them.
pub(super) struct Own {
    key: NodeKey,
    pub account: Account,
    pub sealing: SealingKey,
    sealing_ikm: Zeroizing<[u8; 32]>,
    tag_key: [u8; 32],
    /// The public half of the present fallback key.
    fallback: [u8; 32],
    /// Since when it is the present one: Unix time in seconds.
    since: u64,
    /// Whether a session began with it.
    used: bool,
    card: Option<Card>,
}

impl Own {
    /// Draws new keys.
    pub fn new(key: NodeKey, rng: &mut impl CryptoRng) -> Own {
        let (mut sealing_ikm, mut tag_key) = (Zeroizing::new([0; 32]), [0; 32]);
        rng.fill_bytes(sealing_ikm.as_mut());
        rng.fill_bytes(&mut tag_key);
        let mut account = Account::new();
        let fallback = next_fallback(&mut account);
        let sealing = SealingKey::derive(&sealing_ikm);
        Own { key, account, sealing, sealing_ikm, tag_key, fallback, since: 0, used: false, card: None }
    }

    /// Takes what was stored.
    pub fn restore(key: NodeKey, stored: &[u8]) -> Option<Own> {
        read(key, stored).ok().flatten()
    }

    /// Returns what is to be stored.
    pub fn store(&self) -> Vec<u8> {
        let card = self.card.as_ref().map(Card::encode).unwrap_or_default();
        // It fails for maps with other keys than texts only, and there are none.
        let pickle = Zeroizing::new(serde_json::to_vec(&self.account.pickle()).unwrap_or_default());
        let mut to = Writer::new();
        to.u8(VERSION).fixed(self.sealing_ikm.as_ref()).fixed(&self.tag_key).fixed(&self.fallback);
        to.u64(self.since).u8(u8::from(self.used)).bytes(&card).bytes(&pickle).finish()
    }

    /// Returns the node.
    pub fn node(&self) -> NodeId {
        self.key.id()
    }

    /// Returns the keys of the card as they are now, with the mailboxes that it names.
    pub fn content(&self) -> Content {
        let mailboxes = self.card.as_ref().map(|card| card.content.mailboxes.clone()).unwrap_or_default();
        Content {
            identity: self.account.curve25519_key().to_bytes(),
            fallback: self.fallback,
            sealing: self.sealing.public(),
            tag_key: self.tag_key,
            mailboxes,
        }
    }

    /// Returns the card, and whether it is a new one, which is to be stored.
    pub fn card(&mut self, now: Now) -> (&Card, bool) {
        let rotated = self.rotate(now);
        let content = self.content();
        let is_new = rotated || self.card.as_ref().is_none_or(|card| card.content != content);
        if is_new {
            self.sign(now.wall.0 * 1_000, content);
        }
        (self.card.as_ref().expect("one was signed if there was none"), is_new)
    }

    /// Names other mailboxes. True when those are others than before.
    pub fn set_mailboxes(&mut self, now: Now, mailboxes: &[(NodeId, Vec<String>)]) -> bool {
        let (content, mailboxes) = (self.content(), Content::fitting(mailboxes));
        let is_new = content.mailboxes != mailboxes;
        if is_new {
            self.sign(now.wall.0 * 1_000, Content { mailboxes, ..content });
        }
        is_new
    }

    /// Takes note of a card of this node that others have. True when ours had to be made anew: theirs is another one
    /// and not older, so that what is stored here is older than what was once given away.
    pub fn outdo(&mut self, theirs: &Card) -> bool {
        let is_lost = self.card.as_ref().is_none_or(|card| card.made <= theirs.made && card != theirs);
        if is_lost {
            let content = self.content();
            self.sign(theirs.made.saturating_add(1), content);
        }
        is_lost
    }

    /// Takes note that a session began with one of our keys. True when that is to be stored.
    pub fn note_use(&mut self, one_time_key: Curve25519PublicKey) -> bool {
        let is_new = !self.used && one_time_key.as_bytes() == &self.fallback;
        self.used |= is_new;
        is_new
    }

    fn rotate(&mut self, now: Now) -> bool {
        // A clock that was ahead, or has not been read yet.
        if self.since == 0 || self.since > now.wall.0 {
            self.since = now.wall.0;
        }
        let is_due = self.used && now.wall.0 - self.since >= ROTATION_S;
        if is_due {
            (self.fallback, self.since, self.used) = (next_fallback(&mut self.account), now.wall.0, false);
        }
        is_due
    }

    fn sign(&mut self, now_ms: u64, content: Content) {
        let after = self.card.as_ref().map_or(0, |card| card.made.saturating_add(1));
        self.card = Some(Card::sign(&self.key, now_ms.max(after), content));
    }
}

/// Draws the next fallback key. The account keeps the one before, and forgets the one before that.
fn next_fallback(account: &mut Account) -> [u8; 32] {
    account.generate_fallback_key();
    let fallback =
        account.fallback_key().into_values().next().expect("the key that was just drawn is not published yet");
    account.mark_keys_as_published();
    fallback.to_bytes()
}

fn read(key: NodeKey, stored: &[u8]) -> Result<Option<Own>, DecodeError> {
    let mut from = Reader::new(stored);
    if from.u8()? != VERSION {
        return Err(DecodeError::Value);
    }
    let (sealing_ikm, tag_key, fallback) = (Zeroizing::new(from.fixed()?), from.fixed()?, from.fixed()?);
    let (since, used, card, pickle) = (from.u64()?, from.flag()?, from.bytes(MAX_CARD)?, from.bytes(MAX_PICKLE)?);
    from.finish()?;
    let card = Card::decode(card).ok().filter(|card| card.node == key.id());
    let sealing = SealingKey::derive(&sealing_ikm);
    Ok(serde_json::from_slice::<AccountPickle>(pickle).ok().map(|pickle| {
        let account = Account::from(pickle);
        Own { key, account, sealing, sealing_ikm, tag_key, fallback, since, used, card }
    }))
}
