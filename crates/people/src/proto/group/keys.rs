//! The secrets of a group, by RFC 9180 (HPKE) and XChaCha20-Poly1305; nothing here is invented.
//!
//! Every set of members has its *epoch*: 32 random bytes that one member draws and seals to each of the others (HPKE's
//! base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305). When the members change, the next epoch
//! begins: who went out is not among those it is sealed to, and who came in has no copy of the earlier ones. A member's
//! sealing key is derived from the person key by HKDF, so that the recovery phrase opens again what was sealed to it.
//! What the epoch's secret is used for is derived from it, one label each.

use std::fmt;

use base::{GroupId, PersonId};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::CryptoRng;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::change::ChangeId;
use crate::proto::nodes::PersonKey;

/// What a sealed secret takes: HPKE's encapsulated key (32, RFC 9180, section 7.1), the secret, the tag (16).
pub const SEALED_SECRET_BYTES: usize = 32 + 32 + 16;

/// What sealing adds to a payload: the epoch's name (32), the nonce (24), the tag (16).
pub const SEALED_OVERHEAD_BYTES: usize = 32 + 24 + 16;

const SEALING_LABEL: &[u8] = b"compeer group sealing key 1";
const EPOCH_INFO: &[u8] = b"compeer group epoch 1";
const COMMITMENT_LABEL: &[u8] = b"compeer group epoch commitment 1";
const PAYLOAD_LABEL: &[u8] = b"compeer group payload 1";
const TOPIC_LABEL: &[u8] = b"compeer group topic 1";

/// Why something sealed cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not for us, or was changed on the way.
    #[error("it is sealed for others, or was changed on the way")]
    Sealed,
    /// We do not have the key yet.
    #[error("the key of the group's present members has not arrived yet")]
    NoEpoch,
}

/// The public half of a member's sealing key (X25519).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealingPublic(pub [u8; 32]);

impl fmt::Debug for SealingPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingPublic({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// A member's sealing key. HPKE's type wipes it when it drops.
#[derive(Clone)]
pub struct SealingKey {
    secret: <X25519HkdfSha256 as Kem>::PrivateKey,
    public: SealingPublic,
}

impl SealingKey {
    /// Derives the sealing key of a person (HKDF, RFC 5869, then DeriveKeyPair of RFC 9180, section 7.1.3).
    pub fn derive(person: &PersonKey) -> SealingKey {
        let ikm = Zeroizing::new(expand(person.signing().as_bytes(), SEALING_LABEL));
        let (secret, public) = X25519HkdfSha256::derive_keypair(ikm.as_slice());
        SealingKey { secret, public: SealingPublic(public.to_bytes().into()) }
    }

    /// Returns the public half.
    pub fn public(&self) -> SealingPublic {
        self.public
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({:?})", self.public)
    }
}

/// The secret that the members of one epoch share. Its bytes are wiped when it drops.
#[derive(Clone, PartialEq, Eq)]
pub struct EpochSecret(Zeroizing<[u8; 32]>);

impl EpochSecret {
    /// Draws a new one.
    pub fn draw(rng: &mut impl CryptoRng) -> EpochSecret {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut());
        EpochSecret(secret)
    }

    /// Takes what was kept of one, or came from another node of the same person.
    pub fn from_bytes(bytes: [u8; 32]) -> EpochSecret {
        EpochSecret(Zeroizing::new(bytes))
    }

    /// Returns the secret itself.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals it to one member. `author` is who will sign the epoch; `None` if the member's key is no key.
    pub fn seal_to(
        &self,
        group: GroupId,
        author: PersonId,
        person: PersonId,
        to: SealingPublic,
        rng: &mut impl CryptoRng,
    ) -> Option<[u8; SEALED_SECRET_BYTES]> {
        let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&to.0).ok()?;
        let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &to,
            EPOCH_INFO,
            self.0.as_ref(),
            &associated(group, author, person),
            rng,
        )
        .ok()?;
        [encapsulated.to_bytes().as_slice(), &sealed].concat().try_into().ok()
    }

    /// Opens what was sealed to `person`'s key, and checks it against what the author told everybody.
    pub fn open(
        sealed: &[u8; SEALED_SECRET_BYTES],
        commitment: &[u8; 32],
        group: GroupId,
        author: PersonId,
        person: PersonId,
        key: &SealingKey,
    ) -> Result<EpochSecret, KeyError> {
        let (encapsulated, sealed) = sealed.split_at(32);
        let encapsulated =
            <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| KeyError::Sealed)?;
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &key.secret,
            &encapsulated,
            EPOCH_INFO,
            sealed,
            &associated(group, author, person),
        );
        let opened = Zeroizing::new(opened.map_err(|_| KeyError::Sealed)?);
        let secret: [u8; 32] = opened.as_slice().try_into().map_err(|_| KeyError::Sealed)?;
        let secret = EpochSecret(Zeroizing::new(secret));
        if secret.commitment() == *commitment { Ok(secret) } else { Err(KeyError::Sealed) }
    }

    /// Returns what everybody may know of the secret, so that all notice when its author gave them different ones.
    pub fn commitment(&self) -> [u8; 32] {
        self.derive(COMMITMENT_LABEL)
    }

    /// Returns the name of the topic on which the members of this epoch speak: nobody else can find it.
    pub fn topic(&self) -> [u8; 32] {
        self.derive(TOPIC_LABEL)
    }

    /// Seals a payload for the members of the epoch.
    pub fn seal(&self, epoch: ChangeId, group: GroupId, payload: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut nonce = [0; 24];
        rng.fill_bytes(&mut nonce);
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: payload, aad: &group.0 })
            // It refuses only what is longer than 256 GiB.
            .unwrap_or_default();
        [epoch.0.as_slice(), &nonce, &sealed].concat()
    }

    /// Opens a payload.
    pub fn open_payload(&self, group: GroupId, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (_, sealed) = sealed.split_at_checked(32).ok_or(KeyError::Sealed)?;
        let (nonce, sealed) = sealed.split_first_chunk::<24>().ok_or(KeyError::Sealed)?;
        self.cipher()
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &group.0 })
            .map_err(|_| KeyError::Sealed)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = Zeroizing::new(self.derive(PAYLOAD_LABEL));
        XChaCha20Poly1305::new((&*key).into())
    }

    fn derive(&self, label: &[u8]) -> [u8; 32] {
        expand(&self.0, label)
    }
}

impl fmt::Debug for EpochSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EpochSecret(..)")
    }
}

/// Returns the epoch that a sealed payload names.
pub fn epoch_of(sealed: &[u8]) -> Option<ChangeId> {
    sealed.first_chunk::<32>().map(|id| ChangeId(*id))
}

fn associated(group: GroupId, author: PersonId, person: PersonId) -> Vec<u8> {
    [group.0, author.0, person.0].concat()
}

fn expand(secret: &[u8; 32], label: &[u8]) -> [u8; 32] {
    let mut to = [0; 32];
    Hkdf::<Sha256>::new(None, secret).expand(label, &mut to).expect("32 bytes are fewer than HKDF gives (255 × 32)");
    to
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;

    fn key(n: u8) -> (PersonKey, SealingKey) {
        let person = PersonKey::from_secret(&[n; 32]);
        let sealing = SealingKey::derive(&person);
        (person, sealing)
    }

    #[test]
    fn who_is_named_opens_the_secret_and_nobody_else() {
        let (group, mut rng) = (GroupId([9; 32]), ChaCha20Rng::from_seed([1; 32]));
        let ((alice, _), (bob, bobs), (mallory, mallorys)) = (key(1), key(2), key(3));
        let secret = EpochSecret::draw(&mut rng);
        let sealed = secret.seal_to(group, alice.id(), bob.id(), bobs.public(), &mut rng).unwrap();
        let open = |author, person, key| EpochSecret::open(&sealed, &secret.commitment(), group, author, person, key);
        assert_eq!(open(alice.id(), bob.id(), &bobs), Ok(secret.clone()));
        assert_eq!(open(alice.id(), bob.id(), &mallorys), Err(KeyError::Sealed));
        assert_eq!(
            open(mallory.id(), bob.id(), &bobs),
            Err(KeyError::Sealed),
            "another author cannot pass it on as his"
        );
        let other = EpochSecret::draw(&mut rng);
        let opened = EpochSecret::open(&sealed, &other.commitment(), group, alice.id(), bob.id(), &bobs);
        assert_eq!(opened, Err(KeyError::Sealed), "it has to be the one that all were told of");
    }

    #[test]
    fn a_payload_opens_with_its_epoch_only() {
        let (group, mut rng) = (GroupId([9; 32]), ChaCha20Rng::from_seed([1; 32]));
        let (old, new) = (EpochSecret::draw(&mut rng), EpochSecret::draw(&mut rng));
        let mut sealed = new.seal(ChangeId([4; 32]), group, b"tea at five", &mut rng);
        assert_eq!(sealed.len(), b"tea at five".len() + SEALED_OVERHEAD_BYTES);
        assert_eq!(epoch_of(&sealed), Some(ChangeId([4; 32])));
        assert_eq!(new.open_payload(group, &sealed).as_deref(), Ok(b"tea at five".as_slice()));
        assert_eq!(old.open_payload(group, &sealed), Err(KeyError::Sealed));
        assert_eq!(new.open_payload(GroupId([8; 32]), &sealed), Err(KeyError::Sealed));
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(new.open_payload(group, &sealed), Err(KeyError::Sealed));
        assert_ne!(new.topic(), new.commitment());
    }

    #[test]
    fn the_phrase_gives_the_same_sealing_key_again() {
        assert_eq!(key(1).1.public(), key(1).1.public());
        assert_ne!(key(1).1.public(), key(2).1.public());
        assert!(EpochSecret::draw(&mut ChaCha20Rng::from_seed([1; 32])).topic() != [0; 32]);
    }
}
