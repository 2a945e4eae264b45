//! Seals parcels for other nodes, and opens theirs, with sessions of Olm (crate `vodozemac`); nothing here is invented.
//!
//! **Two layers.** Inside is Olm: a triple Diffie-Hellman over the identity keys and fallback key of both cards begins
//! a session, a double ratchet goes on. It proves who sealed, hides what was sealed from whoever steals the keys later,
//! and heals when both sides have spoken again. What Olm encrypts begins with the ids of both nodes, so that nobody
//! passes on what was sealed for them as if it were for another. Outside is HPKE; see `envelope`.
//!
//! **Sessions.** Each two nodes have up to five. Sent is with the one that was received on last, so that both ends come
//! to use one that both have. A message that may begin a session carries the sender's card: the first contact needs no
//! other exchange. A message of a session that is not here, or that does not decrypt, is [`OpenError::NoSession`]; the
//! caller then has us begin another one ([`Cipher::renew`]), and what was lost is sealed anew by whoever still keeps
//! it. One that was opened before, or that comes so late that its keys were given up (vodozemac keeps five chains, of
//! each 40 keys that were skipped), is [`OpenError::Again`].
//!
//! **What is stored** is one fact of our own keys, one for each card, one for each session, all keys beginning with
//! [`PREFIX`]. Restarting between sealing and storing is harmless, because the envelope has not left; between opening
//! and storing, because the envelope comes again and opens again. A node that goes back to an older copy of its facts
//! seals with keys that were used: the other end sees that it is another run of it, and asks for a new session.
//!
//! Pickles are stored as they are, not encrypted: the same database holds the history in plain text, and a key for them
//! would lie beside them. Keys that were used or replaced are gone from the facts; whether they are gone from the disk
//! is a matter of the database.
//!
//! **Randomness.** The keys of the outer layer, the tag key and HPKE's ephemeral keys are drawn from the seed that is
//! handed in, which has to be another one at each start. Vodozemac draws its own: identity, fallback and ratchet keys
//! come from the system's generator, so that two runs of a simulation differ in bytes, not in lengths or results.

pub(crate) mod envelope;
mod own;
mod peers;
#[cfg(test)]
mod tests;

use std::fmt;

use base::{NodeId, Now};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use people::proto::NodeKey;
use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{Message, OlmMessage, PreKeyMessage, SessionConfig, SessionCreationError};

use self::envelope::{Inside, SessionName};
use self::own::Own;
use self::peers::{Key, Peers};
use super::card::Card;
use super::cipher::{CardError, Cipher, Facts, MAX_PARCEL, OpenError, Opened};

/// What the keys of the vault's facts begin with.
pub const PREFIX: u8 = b'v';

/// The real [`Cipher`].
pub struct Vault {
    own: Own,
    peers: Peers,
    /// Drawn at each start; see [`Inside::run`].
    run: u64,
    rng: ChaCha20Rng,
}

impl Vault {
    /// Restores the vault of a node from its facts; those whose key does not begin with [`PREFIX`] are not its own, and
    /// left alone. Without any it draws new keys. `seed` has to be 32 bytes that nobody can guess, other ones at each
    /// start.
    pub fn new(key: NodeKey, seed: [u8; 32], facts: &[(Vec<u8>, Vec<u8>)]) -> Vault {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let run = rng.next_u64();
        let mut stored: Vec<_> = facts.iter().filter_map(|(key, value)| Some((Key::decode(key)?, value))).collect();
        stored.sort_by_key(|(key, _)| *key);
        let mut peers = Peers::default();
        stored.iter().for_each(|(key, value)| peers.restore(*key, value));
        let own = stored.first().filter(|(key, _)| *key == Key::Own);
        let own = own.and_then(|(_, value)| Own::restore(key.clone(), value)).unwrap_or_else(|| {
            peers.note_own();
            Own::new(key, &mut rng)
        });
        Vault { own, peers, run, rng }
    }

    /// Takes the outer layer off.
    pub(crate) fn look_inside(&self, envelope: &[u8]) -> Result<Inside, OpenError> {
        Inside::open(envelope, self.own.node(), &self.own.sealing).ok_or(OpenError::Foreign)
    }

    fn own_card(&mut self, now: Now) -> Vec<u8> {
        let (card, is_new) = self.own.card(now);
        if is_new {
            self.peers.note_own();
        }
        card.encode()
    }

    /// Begins a session with a node; `None` without its card, or if its keys are none.
    fn begin(&mut self, to: NodeId) -> Option<SessionName> {
        let content = &self.peers.card(to)?.content;
        let identity = Curve25519PublicKey::from_bytes(content.identity);
        let fallback = Curve25519PublicKey::from_bytes(content.fallback);
        let session = self.own.account.create_outbound_session(SessionConfig::version_1(), identity, fallback).ok()?;
        let name = name(&session.session_id());
        self.peers.begin(to, name, session);
        Some(name)
    }

    /// Opens a message that may begin a session.
    fn open_first(&mut self, inside: &Inside, card: &[u8]) -> Result<Vec<u8>, OpenError> {
        let claims = inside.from;
        let message = PreKeyMessage::from_bytes(&inside.olm).map_err(|_| OpenError::Foreign)?;
        let known = self.peers.card(claims);
        let card = match known.filter(|known| known.encode() == card) {
            Some(known) => known.clone(),
            None => Card::verify(card).map_err(|_| OpenError::Foreign)?,
        };
        if card.node != claims || name(&message.session_id()) != inside.session {
            return Err(OpenError::Foreign);
        }
        let newest = known.filter(|known| known.made > card.made).unwrap_or(&card);
        if newest.content.identity != message.identity_key().to_bytes() {
            // Of a node that drew new keys since, or lost them and its clock with them.
            return Err(OpenError::NoSession { claims });
        }
        if self.peers.session(claims, inside.session).is_some() {
            let parcel = self.decrypt(inside, &OlmMessage::PreKey(message))?;
            self.peers.learn(card);
            return Ok(parcel);
        }
        if self.peers.is_gone(claims, inside.session) {
            return Err(self.why_not(inside));
        }
        let created =
            self.own.account.create_inbound_session(SessionConfig::version_1(), message.identity_key(), &message);
        let created = created.map_err(|error| match error {
            SessionCreationError::MissingOneTimeKey(_) => OpenError::NoSession { claims },
            _ => OpenError::Foreign,
        })?;
        let parcel = unwrap(&created.plaintext, claims, self.own.node())?;
        self.peers.learn(card);
        if self.peers.card(claims).is_none() {
            return Err(OpenError::NoCard { claims });
        }
        self.peers.begin(claims, inside.session, created.session);
        self.peers.note_opened(claims, inside.session, inside.run, inside.number);
        if self.own.note_use(message.one_time_key()) {
            self.peers.note_own();
        }
        Ok(parcel)
    }

    /// Opens a message of a session that is known to both.
    fn open_next(&mut self, inside: &Inside) -> Result<Vec<u8>, OpenError> {
        let claims = inside.from;
        let message = Message::from_bytes(&inside.olm).map_err(|_| OpenError::Foreign)?;
        if self.peers.card(claims).is_none() {
            return Err(OpenError::NoCard { claims });
        }
        self.decrypt(inside, &OlmMessage::Normal(message))
    }

    fn decrypt(&mut self, inside: &Inside, message: &OlmMessage) -> Result<Vec<u8>, OpenError> {
        let Inside { from, session: name, run, number, .. } = *inside;
        let plain = self.peers.session(from, name).and_then(|session| session.decrypt(message).ok());
        let Some(plain) = plain else { return Err(self.why_not(inside)) };
        self.peers.note_opened(from, name, run, number);
        unwrap(&plain, from, self.own.node())
    }

    /// Says why a message does not open whose session is not here, or does not decrypt it. A message of a session that
    /// both know is not damaged (the outer layer would not have opened), so either its keys were used or given up, or
    /// its sender has gone back to an older state.
    fn why_not(&self, inside: &Inside) -> OpenError {
        let is_late = self.peers.is_late(inside.from, inside.session, inside.run, inside.number);
        if is_late { OpenError::Again } else { OpenError::NoSession { claims: inside.from } }
    }
}

impl Cipher for Vault {
    fn card(&mut self, now: Now) -> Vec<u8> {
        self.own_card(now)
    }

    fn set_mailboxes(&mut self, now: Now, mailboxes: &[(NodeId, Vec<String>)]) -> bool {
        let is_new = self.own.set_mailboxes(now, mailboxes);
        if is_new {
            self.peers.note_own();
        }
        is_new
    }

    fn learn(&mut self, card: &[u8]) -> Result<(NodeId, bool), CardError> {
        let card = Card::verify(card)?;
        let node = card.node;
        if node == self.own.node() {
            if self.own.outdo(&card) {
                self.peers.note_own();
            }
            return Ok((node, false));
        }
        Ok((node, self.peers.learn(card)))
    }

    fn card_of(&self, node: NodeId) -> Option<Vec<u8>> {
        self.peers.card(node).map(Card::encode)
    }

    fn mailboxes_of(&self, node: NodeId) -> Vec<(NodeId, Vec<String>)> {
        self.peers.card(node).map(|card| card.content.mailboxes.clone()).unwrap_or_default()
    }

    fn tag_of(&self, node: NodeId, now: Now) -> Option<[u8; 16]> {
        self.peers.card(node).map(|card| card.content.tag(now.wall))
    }

    fn own_tags(&self, now: Now) -> Vec<[u8; 16]> {
        self.own.content().tags(now.wall)
    }

    fn seal(&mut self, now: Now, to: NodeId, parcel: &[u8]) -> Option<Vec<u8>> {
        if parcel.len() > MAX_PARCEL {
            return None;
        }
        let key = self.peers.card(to)?.content.sealing;
        let sending = self.peers.sending(to).filter(|name| self.peers.session(to, *name).is_some());
        let session = sending.or_else(|| self.begin(to))?;
        let plain = [&self.own.node().0, &to.0, parcel].concat();
        let message = self.peers.session(to, session)?.encrypt(plain).ok()?;
        let number = self.peers.note_sealed(to, session);
        let (card, olm) = match message {
            OlmMessage::PreKey(message) => (Some(self.own_card(now)), message.to_bytes()),
            OlmMessage::Normal(message) => (None, message.to_bytes()),
        };
        Inside { from: self.own.node(), session, run: self.run, number, card, olm }.seal(to, &key, &mut self.rng)
    }

    fn open(&mut self, _now: Now, envelope: &[u8]) -> Result<Opened, OpenError> {
        let inside = self.look_inside(envelope)?;
        let parcel = match &inside.card {
            Some(card) => self.open_first(&inside, card)?,
            None => self.open_next(&inside)?,
        };
        Ok(Opened { from: inside.from, parcel })
    }

    fn renew(&mut self, node: NodeId) {
        self.peers.renew(node);
    }

    fn forget(&mut self, node: NodeId) {
        self.peers.forget(node);
    }

    fn facts(&mut self) -> Facts {
        let changed = self.peers.take_changed().into_iter();
        let value = |key, value| if key == Key::Own { Some(self.own.store()) } else { value };
        changed.map(|(key, stored)| (key.encode(), value(key, stored))).collect()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({:?})", self.own.node())
    }
}

/// Returns the beginning of a session's id, which vodozemac gives as text.
fn name(id: &str) -> SessionName {
    let id = vodozemac::base64_decode(id).unwrap_or_default();
    id.first_chunk().copied().expect("a session id is the base64 of 32 bytes")
}

/// Checks that a parcel was sealed by one node for another.
fn unwrap(plain: &[u8], from: NodeId, to: NodeId) -> Result<Vec<u8>, OpenError> {
    let rest = plain.strip_prefix(from.0.as_slice()).and_then(|rest| rest.strip_prefix(to.0.as_slice()));
    rest.map(<[u8]>::to_vec).ok_or(OpenError::Foreign)
}
